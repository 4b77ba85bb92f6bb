/* SPDX-License-Identifier: MIT */
/* slab_modes.c - what the modes do to a block when it comes and when it goes.
 *
 * WHAT   Finds writes where none should be: next to a block, or into one that was freed. All of it
 *        is off the fast paths: a layer with a mode takes the general ones, or slab_swift.c's.
 *
 * MODEL  guard: magic around the block, from the very byte at which it ends, and behind its room a
 *        seal, which says how long it is, or that it is none. slab_seal.h has the bytes.
 *        poison: a free slot holds one value in every byte of its room, and is looked at before it
 *        is used; with zero_free that value is 0.
 *        quarantine: a freed block is poisoned, and waits in a ring before its bit is set.
 *
 *            virgin   [ anything ................................... ]  bit 1
 *            out      magic | block: size bytes | slack: magic ] seal: size    bit 0
 *            waiting  magic | poison .......................... ] seal: none   bit 0, waits: bit 1
 *            free     magic | poison .......................... ] seal: none   bit 1
 *
 *        A virgin slot was not out since its slab was made: it gets its bytes when it is taken
 *        first, so that memory nobody asked for is not touched.
 *        At least 8 bytes of magic lie before a block, and a seal behind it; SLAB_GUARD_MOST more
 *        at most on either side. The byte at address a is byte a mod 8 of the layer's magic word,
 *        which the random mode draws: who does not know it cannot write over it unseen.
 *        The seal says "none" from the free on, whoever frees, long before the owner of the slab is
 *        told: so the second free of a block is refused anywhere, at once. Of two at the same
 *        moment elsewhere one wins the cas; one elsewhere and one at the owner's are found when it
 *        is told.
 *        Modes without guard tell the owner at once instead.
 *        Objects with a constructor keep their contents while free: no poison, no zeros for them.
 *
 * RULES  S9, S10 and S11 of slab_check.c.
 * LOCKS  None of its own: a block is nobody else's when it comes and when it goes.
 * COST   O(bytes of the slot), 8 at a time.
 * FROM   Red zones and poison as in Linux slub_debug; quarantine as in AddressSanitizer.
 * NOT    Reads after free: only a page that is unmapped can tell.
 */
#include "slab_seal.h"

#define RULE_GUARD  "S9 the bytes around a block hold their magic"
#define RULE_POISON "S10 freed bytes hold the poison"
#define RULE_RECORD "S11 a slot's seal agrees with its bits"

static bool mode_is(const loam_slabs *s, unsigned modes)
{
    return (s->modes & modes) != 0;
}

_Noreturn void loam_slab__damage(const char *rule, const char *state, const slab_place *at)
{
    const slab_desc *d = at->desc;
    bool large = d->kind == SLAB_LARGE;
    loam_report r = {.unit = "slab", .what = rule, .object = "address", .state = state};
    r.value = (uintptr_t)(large ? slab_large_block(d) : loam_slab__block(d, at->slot).at);
    loam_slab__describe(at, &r);
    loam_port_corrupt(&r);
}

/* ---- where a block lies ---- */

/* Of a slot: its room; of a large block: all of its frames. */
typedef struct mode_area {
    unsigned char *base, *block;
    size_t size, len; /* of the block; of the room or the frames */
} mode_area;

/* [base, base + len) without a block. */
static mode_area mode_room(const slab_desc *d, unsigned slot)
{
    const loam_cache *c = slab_cache_of(d);
    unsigned char *base = slab_slot_base(d, slot) + c->lead;
    return (mode_area){base, base, 0, c->stride - c->lead};
}

static mode_area mode_large(const slab_desc *d)
{
    return (mode_area){d->base, slab_large_block(d), slab_large_size(d), slab_large_bytes(d)};
}

/* Who holds the block, or holds the slot for good, knows what is there; others look. no order: as
 * in slab_slot_is_free. */
static uint64_t mode_seal(const mode_area *a)
{
    return loam_atomic_peek64((const uint64_t *)(const void *)(a->base + a->len));
}

/* no order: the free bit, or what is told, comes behind it. */
static void mode_set_seal(const mode_area *a, uint64_t seal)
{
    loam_atomic_poke64((uint64_t *)(void *)(a->base + a->len), seal);
}

static uint64_t mode_seal_of(const loam_slabs *s, const mode_area *a)
{
    return seal_of_out(s->magic, a->size, (size_t)(a->block - a->base));
}

slab_block loam_slab__block(const slab_desc *d, unsigned slot)
{
    const loam_cache *c = slab_cache_of(d);
    const slab_info *info = slab_info_of(d, slot);
    mode_area a = mode_room(d, slot);
    slab_block b = {a.base, info != NULL ? info->size : c->size, true, true};
    if (!slab_has_seals(c->slabs))
        return b;
    seal_words says = seal_read(c->slabs->magic, mode_seal(&a));
    b.whole = says.whole && says.pad < a.len && says.size <= a.len - says.pad;
    b.out = !says.whole || says.out;
    b.at += b.whole ? says.pad : 0;
    b.size = b.whole ? says.size : c->size;
    return b;
}

/* ---- magic ---- */

/* Bytes of magic before the block. */
LOAM_INLINE size_t guard_lead(const mode_area *a)
{
    size_t lead = (size_t)(a->block - a->base);
    return lead < SLAB_GUARD_MOST ? lead : SLAB_GUARD_MOST;
}

/* Bytes from the block's first on to where its slack ends. */
LOAM_INLINE size_t guard_end(const mode_area *a)
{
    return slack_end(a->size, a->len - (size_t)(a->block - a->base));
}

static void guard_write(const loam_slabs *s, const mode_area *a)
{
    size_t lead = guard_lead(a);
    words_fill(a->block - lead, lead, s->magic);
    slack_write(a->block, a->size, guard_end(a), s->magic);
}

static const char *guard_fault_in(const loam_slabs *s, const mode_area *a)
{
    size_t lead = guard_lead(a);
    if (words_differ(a->block - lead, lead, s->magic) != 0)
        return "before the block";
    return slack_differs(a->block, a->size, guard_end(a), s->magic) != 0 ? "after the block" : NULL;
}

static const char *guard_slot_fault(const loam_slabs *s, const slab_desc *d, unsigned slot)
{
    mode_area a = mode_room(d, slot);
    slab_block b = loam_slab__block(d, slot);
    if (((const uint64_t *)(const void *)a.base)[-1] != s->magic)
        return "before the block";
    if (!b.whole)
        return "after the block";
    a.block = b.at;
    a.size = b.size;
    return b.out ? guard_fault_in(s, &a) : NULL;
}

const char *loam_slab__guard_fault(const slab_place *at, const loam_slabs *s)
{
    if (!slab_has_seals(s))
        return NULL;
    if (at->desc->kind != SLAB_LARGE)
        return guard_slot_fault(s, at->desc, at->slot);
    mode_area a = mode_large(at->desc);
    return guard_fault_in(s, &a);
}

static void guard_verify(const slab_place *at, const loam_slabs *s)
{
    const char *where = loam_slab__guard_fault(at, s);
    if (where != NULL)
        loam_slab__damage(RULE_GUARD, where, at);
}

/* ---- free slots ---- */

static bool poison_differs(const loam_slabs *s, const unsigned char *p, size_t len)
{
    uint64_t word = slab_poison_word(s);
    bool wide = word == 0 && len >= LOAM_WIDE_LEAST && (((uintptr_t)p | len) & 15) == 0;
    return wide ? !LOAM_PORT_READS_ZERO(p, len) : words_differ(p, len, word) != 0;
}

static void poison_pages(const loam_slabs *s, unsigned char *p, size_t len)
{
    if (slab_poison_byte(s) == 0)
        LOAM_PORT_CLEAR(p, len);
    else
        __builtin_memset(p, slab_poison_byte(s), len);
}

bool loam_slab__poison_fault(const loam_slabs *s, const slab_desc *d, unsigned slot)
{
    if (d->kind == SLAB_LARGE)
        return poison_differs(s, d->base, slab_large_bytes(d));
    mode_area a = mode_room(d, slot);
    return slab_poisons(slab_cache_of(d)) && poison_differs(s, a.base, a.len);
}

bool loam_slab__seal_fault(const loam_slabs *s, const slab_desc *d, unsigned slot)
{
    slab_block b = loam_slab__block(d, slot);
    return slab_has_seals(s) && (!b.whole || b.out);
}

/* A slot that is not out, and was once, is as it was left. */
static void mode_verify_free(const loam_slabs *s, const slab_place *at)
{
    slab_block b = loam_slab__block(at->desc, at->slot);
    if (slab_has_seals(s) && b.whole && b.out)
        loam_slab__damage(RULE_RECORD, "given out though it is not free", at);
    if (loam_slab__poison_fault(s, at->desc, at->slot) ||
        (slab_has_seals(s) && !b.whole && slab_poisons(slab_cache_of(at->desc))))
        loam_slab__damage(RULE_POISON, "written after free", at);
    guard_verify(at, s);
}

/* [init] of the slot: its first bytes. */
static void mode_begin(const loam_slabs *s, const slab_place *at, const mode_area *a)
{
    if (slab_poisons(slab_cache_of(at->desc)))
        __builtin_memset(a->base, slab_poison_byte(s), a->len);
    if (!slab_has_seals(s))
        return;
    ((uint64_t *)(void *)a->base)[-1] = s->magic;
    mode_set_seal(a, seal_of(s->magic, 0, 0));
}

bool loam_slab__take_virgin(const slab_desc *d, unsigned slot)
{
    uint32_t *half = slab_virgin(d) + (slot >> 5), bit = 1U << (slot & 31), seen;
    do {
        seen = loam_atomic_peek(half); /* no order: the slot is the caller's */
        if ((seen & bit) == 0)
            return false;
    } while (!loam_atomic_cas(half, seen, seen & ~bit)); /* no order: others take its neighbours */
    return true;
}

bool loam_slab__strip(const slab_desc *d, unsigned slot)
{
    const loam_slabs *s = slab_cache_of(d)->slabs;
    if (slab_is_virgin(d, slot))
        return true;
    if (loam_slab__poison_fault(s, d, slot) || loam_slab__seal_fault(s, d, slot) ||
        (slab_has_seals(s) && guard_slot_fault(s, d, slot) != NULL))
        return false;
    /* no order: who takes the slot is its owner, too; others take its neighbours */
    (void)loam_atomic_or(slab_virgin(d) + (slot >> 5), 1U << (slot & 31));
    return true;
}

/* ---- blocks of a slab ---- */

void *loam_slab__dress(slab_desc *d, unsigned slot, size_t size, size_t align, const void *site)
{
    const loam_cache *c = slab_cache_of(d);
    const loam_slabs *s = c->slabs;
    slab_place at = {d, slot};
    mode_area a = mode_room(d, slot);
    slab_info *info = slab_info_of(d, slot);
    if (slab_has_shadow(s)) {
        if (loam_slab__take_virgin(d, slot))
            mode_begin(s, &at, &a);
        else
            mode_verify_free(s, &at);
    }
    a.block += align != 0 ? (0 - (uintptr_t)a.base) & (align - 1) : 0;
    a.size = size;
    if (info != NULL)
        *info = (slab_info){site, (uint32_t)size, 0};
    if (slab_has_seals(s)) {
        guard_write(s, &a);
        mode_set_seal(&a, mode_seal_of(s, &a));
    }
    /* with zero_free it reads 0 already */
    if (mode_is(s, LOAM_SLAB_ZERO) && !mode_is(s, LOAM_SLAB_ZERO_FREE) && c->ctor == NULL)
        __builtin_memset(a.block, 0, slab_has_seals(s) ? size : a.len);
    return a.block;
}

/* The seal says from now on that no block is there; false: it did so already. */
static bool mode_claim(const loam_slabs *s, const mode_area *a)
{
    uint32_t *half = (uint32_t *)(void *)(a->base + a->len);
    uint64_t none = seal_of(s->magic, 0, (size_t)(a->block - a->base));
    /* pairs with the cas in mode_claim, swift_claim of another free */
    if (!loam_atomic_cas(half, (uint32_t)mode_seal_of(s, a), (uint32_t)none))
        return false;
    mode_set_seal(a, none);
    return true;
}

bool loam_slab__undress(slab_desc *d, unsigned slot)
{
    const loam_slabs *s = slab_cache_of(d)->slabs;
    slab_place at = {d, slot};
    mode_area a = mode_room(d, slot);
    slab_block b = loam_slab__block(d, slot);
    a.block = b.at;
    a.size = b.size;
    guard_verify(&at, s);
    if (slab_has_seals(s) && (!b.out || !mode_claim(s, &a)))
        return false;
    if (slab_poisons(slab_cache_of(d)))
        __builtin_memset(a.base, slab_poison_byte(s), a.len);
    return loam_slab__put_slot(d, slot);
}

/* The slack of a block that was longer reads as a free slot does again. */
static void redress_rest(const loam_slabs *s, const slab_desc *d, const mode_area *a, size_t old)
{
    mode_area was = *a;
    was.size = old;
    size_t end = guard_end(a), was_end = guard_end(&was);
    if (was_end > end && slab_poisons(slab_cache_of(d)))
        __builtin_memset(a->block + end, slab_poison_byte(s), was_end - end);
}

/* What lay behind its slack was nobody's since it was freed. */
static void redress_verify(const loam_slabs *s, const slab_place *at, const mode_area *a,
                           size_t old)
{
    size_t from = (slack_end(old, a->len - (size_t)(a->block - a->base)) + 7) & ~(size_t)7;
    size_t to = a->size & ~(size_t)7;
    if (to > from && slab_poisons(slab_cache_of(at->desc)) &&
        words_differ(a->block + from, to - from, slab_poison_word(s)) != 0)
        loam_slab__damage(RULE_POISON, "written after free", at);
}

static void redress_slot(const loam_slabs *s, const slab_place *at, const mode_area *a, size_t old,
                         const void *site)
{
    slab_info *info = slab_info_of(at->desc, at->slot);
    if (info != NULL)
        *info = (slab_info){site, (uint32_t)a->size, 0};
    if (!slab_has_seals(s))
        return;
    redress_verify(s, at, a, old);
    redress_rest(s, at->desc, a, old);
    mode_set_seal(a, mode_seal_of(s, a));
}

void loam_slab__redress(const loam_slabs *s, const slab_place *at, size_t size, const void *site)
{
    slab_desc *d = at->desc;
    size_t old = loam_slab__usable(at);
    mode_area a;
    if (d->kind == SLAB_LARGE) {
        loam_slab__large_name(d, loam_atomic_ptr_peek(&d->owner), size,
                              site); /* no order: its own */
        a = mode_large(d);
    } else {
        a = mode_room(d, at->slot);
        a.block = loam_slab__block(d, at->slot).at;
        a.size = size;
        redress_slot(s, at, &a, old, site);
    }
    if (!slab_has_seals(s))
        return;
    if (size > old) /* the magic there is nobody's to know */
        __builtin_memset(a.block + old, 0, size - old);
    guard_write(s, &a);
}

void loam_slab__slab_comes(const slab_desc *d)
{
    const loam_cache *c = slab_cache_of(d);
    unsigned n = slab_word_count(c);
    uint32_t *virgin = slab_virgin(d);
    __builtin_memset(slab_shut(d), 0xff, n * sizeof(uint64_t));
    for (unsigned i = 0; i < n; i++) {
        uint64_t word = slab_full_word(c, i);
        virgin[2 * i] = (uint32_t)word;
        virgin[2 * i + 1] = (uint32_t)(word >> 32);
    }
}

void loam_slab__slab_goes(const slab_desc *d)
{
    const loam_cache *c = slab_cache_of(d);
    for (unsigned i = 0; slab_has_shadow(c->slabs) && i < c->slots; i++) {
        slab_place at = {(slab_desc *)(uintptr_t)d, i};
        if (!slab_is_virgin(d, i) && !(c->swift && loam_slab__swift_is_clean(c->slabs, d, i)))
            mode_verify_free(c->slabs, &at);
    }
}

/* ---- large blocks ---- */

void loam_slab__large_dress(slab_desc *d, const loam_slabs *s)
{
    mode_area a = mode_large(d);
    if (slab_has_seals(s))
        guard_write(s, &a);
    if (mode_is(s, LOAM_SLAB_ZERO))
        __builtin_memset(a.block, 0,
                         slab_has_seals(s) ? a.size : a.len - (size_t)(a.block - a.base));
}

bool loam_slab__large_undress(loam_slabs *s, slab_desc *d, const void *p)
{
    slab_place at = {d, 0};
    if (!loam_slab__large_claim(d, p))
        return false;
    guard_verify(&at, s);
    if (mode_is(s, LOAM_SLAB_POISON))
        poison_pages(s, d->base, slab_large_bytes(d));
    if (!loam_slab__quarantine_put(s, d))
        loam_slab__large_release(s, d);
    return true;
}

void loam_slab__large_settle(loam_slabs *s, slab_desc *d)
{
    slab_place at = {d, 0};
    if (loam_slab__poison_fault(s, d, 0))
        loam_slab__damage(RULE_POISON, "written after free", &at);
    loam_slab__large_release(s, d);
}
