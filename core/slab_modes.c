/* SPDX-License-Identifier: MIT */
/* slab_modes.c - what the modes do to a block when it comes and when it goes.
 *
 * WHAT   Finds writes where none should be: next to a block, or into one that was freed. All of it
 *        is off the fast paths: a layer with a mode takes the general ones.
 *
 * MODEL  guard: magic around the block, from the very byte at which it ends.
 *        poison: a free slot holds one value in every byte, and is looked at before it is used;
 *        with zero_free that value is 0.
 *        quarantine: a freed block is poisoned, and waits in a ring before its bit is set.
 *
 *            out      [ .... magic | block: size bytes | magic ....... ]
 *            waiting  [ poison ....................................... ]  bit 0
 *            free     [ poison ....................................... ]  bit 1
 *
 *        At least 16 bytes of magic lie before a block and 8 behind it, at most SLAB_GUARD_MOST on
 *        either side. The byte at address a is byte a mod 8 of the layer's magic word, which the
 *        random mode draws: who does not know it cannot write over it unseen.
 *        A slot's record says whether it is out, waits or is free; it changes to "waits" by one
 *        compare-and-swap, so that of two frees anywhere one is refused.
 *        Objects with a constructor keep their contents while free: no poison, no zeros for them.
 *
 * RULES  S9, S10 and S11 of slab_check.c.
 * LOCKS  None of its own: a block is nobody else's when it comes and when it goes. With many
 *        processors a layer with a mode has its slabs on the shared fronts, behind slab_lock.
 * COST   O(bytes of the slot), 8 at a time.
 * FROM   Red zones and poison as in Linux slub_debug; quarantine as in AddressSanitizer.
 * NOT    Reads after free: only a page that is unmapped can tell.
 */
#include "slab_internal.h"

#define RULE_GUARD  "S9 the bytes around a block hold their magic"
#define RULE_POISON "S10 freed bytes hold the poison"
#define RULE_RECORD "S11 a slot's record agrees with its bit"

static bool mode_is(const loam_slabs *s, unsigned modes)
{
    return (s->modes & modes) != 0;
}

_Noreturn void loam_slab__damage(const char *rule, const char *state, const slab_place *at)
{
    const slab_desc *d = at->desc;
    bool large = d->kind == SLAB_LARGE;
    loam_report r = {.unit = "slab", .what = rule, .object = "address", .state = state};
    r.value = (uintptr_t)(large ? slab_large_block(d) : slab_block_of(d, at->slot));
    loam_slab__describe(at, &r);
    loam_port_corrupt(&r);
}

/* ---- words ---- */

/* Bits in which [p, p + n) is not as it should be; both are multiples of 8. */
LOAM_INLINE uint64_t words_differ(const void *p, size_t n, uint64_t want)
{
    const uint64_t *w = p, *end = w + n / 8;
    uint64_t differ = 0;
    for (; end - w >= 8 && differ == 0; w += 8)
        differ = (w[0] ^ want) | (w[1] ^ want) | (w[2] ^ want) | (w[3] ^ want) | (w[4] ^ want) |
                 (w[5] ^ want) | (w[6] ^ want) | (w[7] ^ want);
    for (; w < end; w++)
        differ |= *w ^ want;
    return differ;
}

LOAM_INLINE void words_fill(void *p, size_t n, uint64_t value)
{
    for (uint64_t *w = p, *end = w + n / 8; w < end; w++)
        *w = value;
}

/* The magic of the 8 bytes from an address on that need not be a multiple of 8. */
LOAM_INLINE uint64_t magic_at(uint64_t magic, const unsigned char *p)
{
    unsigned turn = 8 * ((uintptr_t)p & 7);
    return turn == 0 ? magic : magic >> turn | magic << (64 - turn);
}

/* ---- where a block lies ---- */

typedef struct mode_area {
    unsigned char *base, *block;
    size_t size, len; /* of the block; of the slot or the frames */
} mode_area;

static mode_area mode_area_of(const slab_place *at)
{
    const slab_desc *d = at->desc;
    if (d->kind == SLAB_LARGE)
        return (mode_area){d->base, slab_large_block(d), slab_large_size(d), slab_large_bytes(d)};
    const slab_info *info = slab_info_of(d, at->slot);
    unsigned char *base = slab_slot_base(d, at->slot);
    return (mode_area){base, base + slab_lead_of(info), info->size, slab_cache_of(d)->stride};
}

/* Bytes of magic before the block. */
LOAM_INLINE size_t guard_lead(const mode_area *a)
{
    size_t lead = (size_t)(a->block - a->base);
    return lead < SLAB_GUARD_MOST ? lead : SLAB_GUARD_MOST;
}

/* Bytes of magic behind it, as far as the last whole word. */
LOAM_INLINE size_t guard_tail(const mode_area *a)
{
    const unsigned char *from = a->block + a->size;
    size_t tail = (size_t)(a->base + a->len - from);
    return tail <= SLAB_GUARD_MOST ? tail : SLAB_GUARD_MOST - ((uintptr_t)from & 7);
}

LOAM_INLINE void guard_write(const loam_slabs *s, const mode_area *a)
{
    unsigned char *from = a->block + a->size;
    size_t lead = guard_lead(a), first = (0 - (uintptr_t)from) & 7;
    uint64_t magic = magic_at(s->magic, from);
    words_fill(a->block - lead, lead, s->magic);
    __builtin_memcpy(from, &magic, sizeof(magic));
    words_fill(from + first, guard_tail(a) - first, s->magic);
}

LOAM_INLINE const char *guard_fault_in(const loam_slabs *s, const mode_area *a)
{
    size_t lead = (size_t)(a->block - a->base);
    if (lead > a->len || a->size > a->len - lead || a->len - lead - a->size < SLAB_GUARD_TAIL)
        return "its record";
    const unsigned char *from = a->block + a->size;
    size_t first = (0 - (uintptr_t)from) & 7;
    uint64_t magic;
    __builtin_memcpy(&magic, from, sizeof(magic));
    lead = guard_lead(a);
    if (words_differ(a->block - lead, lead, s->magic) != 0)
        return "before the block";
    if (magic != magic_at(s->magic, from) ||
        words_differ(from + first, guard_tail(a) - first, s->magic) != 0)
        return "after the block";
    return NULL;
}

const char *loam_slab__guard_fault(const slab_place *at, const loam_slabs *s)
{
    if (!mode_is(s, LOAM_SLAB_GUARD))
        return NULL;
    mode_area a = mode_area_of(at);
    return guard_fault_in(s, &a);
}

static void guard_verify(const slab_place *at, const loam_slabs *s)
{
    const char *where = loam_slab__guard_fault(at, s);
    if (where != NULL)
        loam_slab__damage(RULE_GUARD, where, at);
}

bool loam_slab__poison_fault(const loam_slabs *s, const slab_desc *d, unsigned slot)
{
    if (d->kind == SLAB_LARGE)
        return words_differ(d->base, slab_large_bytes(d), slab_poison_word(s)) != 0;
    const loam_cache *c = slab_cache_of(d);
    return slab_poisons(c) &&
           words_differ(slab_slot_base(d, slot), c->stride, slab_poison_word(s)) != 0;
}

static void poison_verify(const loam_slabs *s, const slab_desc *d, unsigned slot)
{
    slab_place at = {(slab_desc *)(uintptr_t)d, slot};
    if (loam_slab__poison_fault(s, d, slot))
        loam_slab__damage(RULE_POISON, "written after free", &at);
}

/* ---- blocks of a slab ---- */

static void mode_clear(const loam_slabs *s, const mode_area *a)
{
    size_t lead = (size_t)(a->block - a->base);
    __builtin_memset(a->block, 0, mode_is(s, LOAM_SLAB_GUARD) ? a->size : a->len - lead);
}

/* The slot's record says that it is out from now on. It has said "free" until now: else its bit was
 * changed by somebody who should not have. */
LOAM_INLINE void mode_record(const slab_place *at, const mode_area *a, const void *site)
{
    slab_info *info = slab_info_of(at->desc, at->slot);
    if (slab_state_of(info) != SLAB_FREE)
        loam_slab__damage(RULE_RECORD, "given out though it is not free", at);
    info->site = site;
    info->size = (uint32_t)a->size;
    /* pairs with the cas in mode_claim */
    loam_atomic_store(&info->tag, slab_tag((size_t)(a->block - a->base), SLAB_OUT));
}

/* [own] A slot that was just taken becomes a block. */
LOAM_INLINE void *mode_dress(const loam_slabs *s, const slab_place *at, mode_area *a,
                             const void *site)
{
    const loam_cache *c = slab_cache_of(at->desc);
    if (slab_poisons(c) && words_differ(a->base, a->len, slab_poison_word(s)) != 0)
        loam_slab__damage(RULE_POISON, "written after free", at);
    if (slab_has_info(s))
        mode_record(at, a, site);
    if (mode_is(s, LOAM_SLAB_GUARD))
        guard_write(s, a);
    /* with zero_free it reads 0 already */
    if (mode_is(s, LOAM_SLAB_ZERO) && !mode_is(s, LOAM_SLAB_ZERO_FREE) && c->ctor == NULL)
        mode_clear(s, a);
    return a->block;
}

void *loam_slab__dress(slab_desc *d, unsigned slot, size_t size, size_t align, const void *site)
{
    const loam_cache *c = slab_cache_of(d);
    slab_place at = {d, slot};
    unsigned char *base = slab_slot_base(d, slot);
    uintptr_t pad = align != 0 ? (0 - (uintptr_t)(base + c->lead)) & (align - 1) : 0;
    mode_area a = {base, base + c->lead + pad, size, c->stride};
    return mode_dress(c->slabs, &at, &a, site);
}

void *loam_slab__take_dressed(loam_cache *c, size_t size, const void *site)
{
    const loam_slabs *s = c->slabs;
    if (!slab_has_info(s) || loam_trace_is_on(s->trace))
        return NULL;
    loam_irq irq = loam_port_irq_save();
    slab_front *f = slab_front_of(c);
    slab_desc *d = f->slab;
    uint64_t *word = f->word, w = *word;
    if (w == 0) {
        loam_port_irq_restore(irq);
        return NULL;
    }
    unsigned bit = mode_is(s, LOAM_SLAB_RANDOM) ? slab_random_bit(f, w) : loam_ctz64(w);
    loam_atomic_poke64(word, w & ~(1ULL << bit)); /* no order: see slab_slot_is_free */
    slab_head_of(d)->used++;
    loam_port_irq_restore(irq);
    slab_place at = {d, (unsigned)(word - d->words) * 64 + bit};
    unsigned char *base = d->base + (size_t)at.slot * c->stride;
    mode_area a = {base, base + c->lead, size, c->stride};
    return mode_dress(s, &at, &a, site);
}

/* The block's record says that it comes back; false: it said so already. */
LOAM_INLINE bool mode_claim(const loam_slabs *s, slab_desc *d, unsigned slot)
{
    if (!slab_has_info(s))
        return true; /* the slot's bit will tell */
    slab_info *info = slab_info_of(d, slot);
    uint32_t out = loam_atomic_peek(&info->tag); /* no order: the cas looks again */
    uint32_t waits = slab_tag(slab_lead_of(info), SLAB_WAITING);
    if (slab_state_of(info) != SLAB_OUT)
        return false;
    if (slab_is_many(s))
        return loam_atomic_cas(&info->tag, out, waits); /* pairs with the store in mode_record */
    loam_irq irq = loam_port_irq_save();
    bool still = loam_atomic_peek(&info->tag) == out; /* no order: one processor */
    if (still)
        loam_atomic_store(&info->tag, waits); /* no order: one processor */
    loam_port_irq_restore(irq);
    return still;
}

bool loam_slab__settle_slot(slab_desc *d, unsigned slot)
{
    const loam_slabs *s = slab_cache_of(d)->slabs;
    slab_place at = {d, slot};
    if (slab_has_info(s)) {
        slab_info *info = slab_info_of(d, slot);
        if (slab_state_of(info) != SLAB_WAITING)
            loam_slab__damage(RULE_RECORD, "waits and is not marked so", &at);
        /* no order: the bit, or what is told, comes behind it */
        loam_atomic_store(&info->tag, slab_tag(slab_lead_of(info), SLAB_FREE));
    }
    return loam_slab__put_slot(d, slot);
}

/* The block of a slot, which is out, comes back; false: it came back already. */
LOAM_INLINE bool mode_undress(loam_slabs *s, const slab_place *at, const mode_area *a)
{
    slab_desc *d = at->desc;
    const char *where = mode_is(s, LOAM_SLAB_GUARD) ? guard_fault_in(s, a) : NULL;
    if (LOAM_UNLIKELY(where != NULL))
        loam_slab__damage(RULE_GUARD, where, at);
    if (!mode_claim(s, d, at->slot))
        return false;
    if (slab_poisons(slab_cache_of(d)))
        __builtin_memset(a->base, slab_poison_byte(s), a->len);
    return loam_slab__quarantine_put(s, d, a->block) || loam_slab__settle_slot(d, at->slot);
}

bool loam_slab__undress(slab_desc *d, unsigned slot)
{
    loam_slabs *s = slab_cache_of(d)->slabs;
    slab_place at = {d, slot};
    mode_area a = {slab_slot_base(d, slot), slab_block_of(d, slot), 0, slab_cache_of(d)->stride};
    if (slab_has_info(s))
        a.size = slab_info_of(d, slot)->size;
    return mode_undress(s, &at, &a);
}

bool loam_slab__put_dressed(loam_slabs *s, void *p, const void *owner)
{
    uintptr_t off = slab_off(s, p);
    if (off >= s->len || !slab_has_info(s) || loam_trace_is_on(s->trace))
        return false;
    slab_desc *d = slab_desc_at(s, off);
    const slab_front *f = slab_owner_of(d);
    if (f->key != (uintptr_t)owner) /* the shared front's, another's, nothing */
        return false;
    const loam_cache *c = f->cache;
    slab_place at = {d, (unsigned)((uint64_t)(uint32_t)(off & s->mask) * d->recip >> 32)};
    if (at.slot >= c->slots)
        return false;
    const slab_info *info = slab_info_of(d, at.slot);
    unsigned char *base = d->base + (size_t)at.slot * c->stride;
    mode_area a = {base, base + slab_lead_of(info), info->size, c->stride};
    if (a.block != (unsigned char *)p || slab_state_of(info) != SLAB_OUT)
        return false;
    return mode_undress(s, &at, &a);
}

void loam_slab__redress(const loam_slabs *s, const slab_place *at, size_t size, const void *site)
{
    slab_desc *d = at->desc;
    size_t old = loam_slab__usable(at);
    if (d->kind == SLAB_LARGE) {
        loam_slab__large_name(d, loam_atomic_ptr_peek(&d->owner), size,
                              site); /* no order: its own */
    } else if (slab_has_info(s)) {
        slab_info_of(d, at->slot)->size = (uint32_t)size;
        slab_info_of(d, at->slot)->site = site;
    }
    if (!mode_is(s, LOAM_SLAB_GUARD))
        return;
    mode_area a = mode_area_of(at);
    if (size > old) /* the magic there is nobody's to know */
        __builtin_memset(a.block + old, 0, size - old);
    guard_write(s, &a);
}

void loam_slab__slab_comes(const loam_cache *c, unsigned char *base)
{
    if (slab_poisons(c))
        __builtin_memset(base, slab_poison_byte(c->slabs), (size_t)c->slots * c->stride);
}

void loam_slab__slab_goes(const slab_desc *d)
{
    const loam_cache *c = slab_cache_of(d);
    for (unsigned i = 0; slab_poisons(c) && i < c->slots; i++)
        poison_verify(c->slabs, d, i);
}

/* ---- large blocks ---- */

void loam_slab__large_dress(slab_desc *d, const loam_slabs *s)
{
    slab_place at = {d, 0};
    mode_area a = mode_area_of(&at);
    if (mode_is(s, LOAM_SLAB_GUARD))
        guard_write(s, &a);
    if (mode_is(s, LOAM_SLAB_ZERO))
        mode_clear(s, &a);
}

bool loam_slab__large_undress(loam_slabs *s, slab_desc *d, const void *p)
{
    slab_place at = {d, 0};
    if (!loam_slab__large_claim(d, p))
        return false;
    guard_verify(&at, s);
    if (mode_is(s, LOAM_SLAB_POISON))
        __builtin_memset(d->base, slab_poison_byte(s), slab_large_bytes(d));
    if (!loam_slab__quarantine_put(s, d, slab_large_block(d)))
        loam_slab__large_release(s, d);
    return true;
}

void loam_slab__large_settle(loam_slabs *s, slab_desc *d)
{
    poison_verify(s, d, 0);
    loam_slab__large_release(s, d);
}
