/* SPDX-License-Identifier: MIT */
/* slab_swift.c - the modes of `hardened` on a processor's own slabs, at once.
 *
 * WHAT   guard, quarantine, zero_free and random together: a block comes, and goes, in one straight
 *        line, without a lock, a locked instruction or a call. What is not of the kind that
 *        programs do mostly is left to slab_modes.c, which does the same for every set of modes.
 *
 * MODEL  A class's slots follow each other; what lies between two blocks guards both.
 *
 *            | seal | magic | block ........ slack | seal | magic | block ... | seal | magic | ...
 *             8       8       room, as the class has         ^ nothing here
 *                                                            changes while the block comes and goes
 *            free    free bit 1   block 0 0 0 0 0 0          seal: magic      shut bit 1
 *            out     free bit 0   block, then slack: magic   seal: magic ^ its size, twice    0
 *            waits   free bit 0   block 0 0 0 0 0 0          seal: magic      shut bit 1
 *
 *        alloc   the slot that is next; the bytes read 0, the seal says free; slack and seal are
 *                written. The one behind it is fetched: its bytes come while the program works.
 *        free    the seal says out; the magic before, the slack and so the seal behind are whole;
 *                zeros, seal; the slot is kept, and what was kept longest comes onto the stack:
 *                it changes places with one of the `draw` that are next, by chance.
 *
 *            kept    [ . . . . ]  nobody gets these          stack  [ none | . . . . | draw ]top
 *                      ^ the next that is freed                            ^ swift_add
 *                                                                          ^ swift_spill: lowest
 *
 *        What was freed last, and is not kept any more, is mostly what comes next: a class so lives
 *        in twice SLAB_KEPT_BYTES of the second-level cache, however many of its slots wait. What
 *        waits says where its block is, and its bit: alloc reads no descriptor. That it was not out
 *        free finds by the shut bit alone, which is the one bit that a pair changes.
 *
 *        A thread's first SWIFT_PICKS slots of a class come singly out of the current word: who
 *        lives for a few blocks has no stack to fill and empty. Then, when few slots are left on
 *        the stack, those of the current word that were out before come in below; when they are
 *        many, a quarter of them leave and are free. The stack is the front's, so that all that is
 *        on it is the processor's own: no owner is asked. The current word stays until it has
 *        nothing more; then it is the one into which a block came back last. Virgin slots are taken
 *        singly, when there is no other.
 *
 *        How many bytes there are no branch asks up to SWIFT_BRIEF, up to SWIFT_SHORT, and then
 *        one a turn of as many, or what the port has for more: of sizes that change a predictor
 *        learns nothing. What is brief is done where it is called, in registers that need not be
 *        saved: what is not is passed on with what is known of it, and all doubt without. A port
 *        whose processors have wider registers compiles what is inlined for these, too.
 *
 * RULES  S9, S10 and S11 of slab_check.c.
 * LOCKS  None: interrupts off. The front is the processor's own.
 * COST   alloc + free of 64 bytes: some 200 instructions; by default 67.
 * FROM   slab_fast.h; canaries between the blocks: hardened_malloc.
 * NOT    Allocation from the shared front.
 */
#include "slab_swift_long.h"

const uint64_t loam_slab__swift_last[2 * SEAL_SLACK / sizeof(uint64_t)] = {
    0, 0, 0, 0, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
const uint64_t loam_slab__swift_byte = 1ULL << (32 + SEAL_SIZE) | 1ULL << SEAL_SIZE;

/* ---- blocks of any length ---- */

void *loam_slab__swift_damaged(const slab_front *f, const void *p, size_t size, size_t align)
{
    const loam_slabs *s = f->cache->slabs;
    swift_place at = swift_place_at(s, slab_off(s, p));
    return loam_slab__dress(at.desc, swift_slot_of(at), size, align, NULL);
}

static bool swift_dress_any(const slab_front *f, unsigned char *p, size_t size)
{
    uint64_t magic = f->magic[0];
    size_t room = f->room;
    if (swift_is_short(room))
        return swift_is_brief(room) ? swift_dress_brief(f, p, size) : swift_dress(f, p, size);
    if (swift_is_mid(room) && swift_dress_mid(f, p, size))
        return true;
    return swift_dress_long(magic, p, room, size);
}

/* Of a block that was aligned the seal says where it was: from now on it does not. */
static bool swift_forget_pad(uint64_t magic, unsigned char *p, size_t room)
{
    uint64_t *seal = (uint64_t *)(void *)(p + room);
    seal_words says = seal_read(magic, *seal);
    bool was_aligned = says.whole && !says.out && says.pad != 0;
    if (was_aligned)
        loam_atomic_poke64(seal, magic); /* no order: others only look */
    return was_aligned;
}

void *loam_slab__swift_dress(size_t size, const slab_front *f, void *p)
{
    bool clean = swift_dress_any(f, p, size);
    if (LOAM_UNLIKELY(!clean) && swift_forget_pad(f->magic[0], p, f->room))
        clean = swift_dress_any(f, p, size);
    return LOAM_LIKELY(clean) ? p : loam_slab__swift_damaged(f, p, size, 0);
}

bool loam_slab__put_swift_more(const loam_slabs *s, void *p, swift_place at, loam_irq irq)
{
    return swift_put_more(s, p, at, irq);
}

bool loam_slab__put_swift_again(const loam_slabs *s, void *p, const void *owner)
{
    return swift_put_again(s, p, owner);
}

/* As slab_put_far. */
bool loam_slab__swift_tell(loam_slabs *s, slab_desc *d, const slab_front *f, unsigned slot)
{
    loam_irq irq = loam_port_irq_save();
    slab_cpu *me = &s->cpu[loam_port_cpu()];
    slab_gathered *at = &me->entry[slab_gather_at(d, slot >> 6)];
    uint64_t bits = at->bits | 1ULL << (slot & 63);
    if (LOAM_UNLIKELY(slab_is_here(d) || f->cpu == s->ncpus || at->tag != (d->tag | slot >> 6))) {
        loam_port_irq_restore(irq);
        return loam_slab__put_slot(d, slot);
    }
    at->bits = bits;
    me->room -= f->told_stride;
    if (LOAM_LIKELY(bits != UINT64_MAX && (int32_t)me->room >= 0))
        loam_port_irq_restore(irq);
    else
        loam_slab__tell(s, at, irq);
    return true;
}

bool loam_slab__put_swift_far(loam_slabs *s, void *p, swift_place at, const void *owner)
{
    return swift_put_far(s, p, at, owner);
}

/* ---- what waits ---- */

/* [own] A slot that waited is free; the slab that is to go now, or NULL. */
static slab_desc *swift_leave(const loam_slabs *s, slab_front *f, const swift_slot *old)
{
    uint64_t wait = slab_wait_of_held(old);
    slab_desc *d = slab_wait_desc(s, wait);
    slab_head *head = slab_head_of(d);
    unsigned slot = slab_wait_slot(wait);
    uint64_t *word = d->words + (slot >> 6), w = *word, bit = 1ULL << (slot & 63);
    loam_atomic_poke64(word, w | bit); /* no order: see slab_slot_is_free */
    if (LOAM_UNLIKELY(*f->word == 0) && !slab_is_shared(s, f)) {
        f->word = word;
        f->slab = d;
    }
    bool last = --head->used == 0;
    return LOAM_UNLIKELY(last || w == 0) ? loam_slab__settled(d, word) : NULL;
}

/* [own] The lowest leave. */
static void swift_leave_some(const loam_slabs *s, slab_front *f, loam_list *victims)
{
    swift_slot *low = f->held + 1, *stay = low + f->spill, *top = f->top;
    for (const swift_slot *old = low; old < stay; old++) {
        slab_desc *d = swift_leave(s, f, old);
        if (d != NULL)
            loam_list_push(victims, &d->link);
    }
    __builtin_memmove(low, stay, (size_t)(top + 1 - stay) * sizeof(swift_slot));
    swift_set_top(f, top - f->spill);
}

void loam_slab__swift_spill(slab_front *f, loam_irq irq)
{
    loam_list victims;
    loam_list_init(&victims);
    swift_leave_some(f->cache->slabs, f, &victims);
    loam_port_irq_restore(irq);
    (void)loam_slab__release_all(&victims);
}

void loam_slab__swift_hold(slab_front *f, swift_slot held, loam_list *victims)
{
    if (LOAM_UNLIKELY(swift_keep(f, held)))
        swift_leave_some(f->cache->slabs, f, victims);
}

void loam_slab__swift_put_word(slab_desc *d, unsigned word, uint64_t bits, loam_list *victims)
{
    slab_front *f = slab_owner_of(d);
    size_t stride = f->room + SLAB_GUARD_LEAD;
    uint64_t *shut = slab_held_word(swift_where(f, d, 64 * word));
    loam_atomic_poke64(shut, *shut | bits); /* no order: others only look */
    for (; bits != 0; bits &= bits - 1) {
        unsigned slot = 64 * word + loam_ctz64(bits);
        unsigned char *p = d->base + slot * stride + SLAB_GUARD_LEAD;
        loam_slab__swift_hold(f, (swift_slot){p, slab_held_where(shut, slot)}, victims);
    }
}

/* Virgin slots of a word. no order: who has the slots changes them; those asked for are free. */
static uint64_t swift_virgins(const slab_front *f, const uint64_t *word)
{
    const uint32_t *half = (const uint32_t *)(const void *)word + f->span / 2;
    return loam_atomic_peek(half) | (uint64_t)loam_atomic_peek(half + 1) << 32;
}

/* [own] So many come below all that wait, which move up. */
static swift_slot *swift_make_room(slab_front *f, uint32_t n)
{
    swift_slot *low = f->held + 1, *top = f->top;
    __builtin_memmove(low + n, low, (size_t)(top + 1 - low) * sizeof(swift_slot));
    swift_set_top(f, top + n);
    return f->held + n;
}

/* [own] Slots of the current word that were out before, from a place that is drawn on, come below
 * those that wait, each in some place among them, until so many do. */
static void swift_add(slab_front *f, uint32_t until)
{
    slab_desc *d = f->slab;
    uint64_t *word = f->word;
    size_t stride = f->room + SLAB_GUARD_LEAD;
    unsigned first = 64 * (unsigned)(word - d->words), turn = slab_random_turn(f);
    uint64_t left = *word & ~swift_virgins(f, word), taken = 0;
    uint32_t had = slab_held_count(f), n = loam_popcount64(left);
    n = n < until - had ? n : until - had;
    swift_slot *last = swift_make_room(f, n);
    left = left >> turn | left << (-turn & 63);
    for (uint32_t i = 0; i < n; i++, last--, left &= left - 1) {
        unsigned bit = (loam_ctz64(left) + turn) & 63;
        unsigned char *base = d->base + (first + bit) * stride;
        __builtin_prefetch(base + SLAB_GUARD_LEAD, 1);
        __builtin_prefetch(base + stride, 1);
        uint32_t drawn = slab_random_below(f, had + i + 1);
        *last = last[drawn];
        last[drawn] = (swift_slot){base + SLAB_GUARD_LEAD, swift_where(f, d, first + bit)};
        taken |= 1ULL << bit;
    }
    slab_head_of(d)->used += n;
    loam_atomic_poke64(word, *word & ~taken); /* no order: see slab_slot_is_free */
}

/* [own] This processor's front has few slots to draw from: it gets more of its current words, none
 * of them virgin. false: there are not enough; then the current word has virgin ones, or none. */
static bool swift_fill(loam_cache *c, slab_front *f)
{
    uint32_t draw = (uint32_t)(f->draw / sizeof(swift_slot)), until = draw - draw / 4U;
    bool more = true;
    while (more && !swift_is_ready(f)) {
        more = *f->word != 0 || loam_slab__next_word(c);
        if (more) {
            swift_add(f, until);
            more = *f->word == 0;
        }
    }
    return swift_is_ready(f);
}

enum { SWIFT_PICKS = 32 }; /* blocks of a class after which the stack is worth to be filled */

/* [own] A slot of the current word is out. */
static swift_slot swift_take_bit(slab_front *f, unsigned bit)
{
    slab_desc *d = f->slab;
    uint64_t *word = f->word;
    unsigned slot = 64 * (unsigned)(word - d->words) + bit;
    uint64_t where = swift_where(f, d, slot), *shut = slab_held_word(where);
    loam_atomic_poke64(word, *word & ~(1ULL << bit)); /* no order: see slab_slot_is_free */
    loam_atomic_poke64(shut, *shut & ~(1ULL << bit)); /* no order: as above */
    slab_head_of(d)->used++;
    return (swift_slot){d->base + slot * (f->room + SLAB_GUARD_LEAD) + SLAB_GUARD_LEAD, where};
}

static const swift_slot swift_none = {NULL, 0};

/* [own] A slot of the current word that was out before, past the stack; none: there is none, or the
 * time has come to fill the stack. */
static swift_slot swift_pick(loam_cache *c, slab_front *f)
{
    if (f->picked >= SWIFT_PICKS || (*f->word == 0 && !loam_slab__next_word(c)))
        return swift_none;
    uint64_t left = *f->word & ~swift_virgins(f, f->word);
    if (left == 0)
        return swift_none;
    f->picked++;
    return swift_take_bit(f, slab_random_bit(f, left));
}

/* [own] A virgin slot of the current word, which has one; it has its bytes. Restores irq. */
static swift_slot swift_begin(slab_front *f, loam_irq irq)
{
    const slab_desc *d = f->slab;
    size_t room = f->room;
    swift_slot held = swift_take_bit(f, slab_random_low(f, *f->word & swift_virgins(f, f->word)));
    loam_port_irq_restore(irq);
    unsigned char *p = held.at;
    (void)loam_slab__take_virgin(d, slab_held_slot(held.where));
    ((uint64_t *)(void *)p)[-1] = f->magic[0];
    __builtin_memset(p, 0, room);
    *(uint64_t *)(void *)(p + room) = f->magic[0];
    return held;
}

/* A slot of this processor's front, which is *here; none: it has none. */
static swift_slot swift_find(loam_cache *c, slab_front **here)
{
    loam_irq irq = loam_port_irq_save();
    slab_front *f = *here = slab_front_here(c);
    bool own = c->swift && !slab_is_shared(c->slabs, f); /* others write the shared one's */
    swift_slot held = own && !swift_is_ready(f) ? swift_pick(c, f) : swift_none;
    if (own && held.at == NULL && (swift_is_ready(f) || swift_fill(c, f)))
        held = swift_take(f);
    if (own && held.at == NULL && *f->word != 0)
        return swift_begin(f, irq);
    loam_port_irq_restore(irq);
    return held;
}

/* ---- for who does not inline them ---- */

void *loam_slab__take_swift(loam_cache *c, size_t size, size_t align)
{
    slab_front *f;
    swift_slot held = swift_find(c, &f);
    if (held.at == NULL)
        return NULL;
    if (align == 0)
        return loam_slab__swift_dress(size, f, held.at);
    return swift_dress_moved(f, held.at, size, align);
}

bool loam_slab__put_swift(loam_slabs *s, void *block, const void *owner)
{
    swift_place at;
    loam_irq irq;
    switch (slab_put_swift(s, block, owner, &at, &irq)) {
    case SWIFT_PUT:
        return true;
    case SWIFT_PUT_MORE:
        return loam_slab__put_swift_more(s, block, at, irq);
    case SWIFT_PUT_FAR:
        return loam_slab__put_swift_far(s, block, at, owner);
    case SWIFT_PUT_SHUT:
        swift_put_back(at, irq);
        return loam_slab__put_swift_again(s, block, owner);
    default:
        return loam_slab__put_swift_again(s, block, owner);
    }
}

/* ---- the end of a slab ---- */

bool loam_slab__swift_is_clean(const loam_slabs *s, const slab_desc *d, unsigned slot)
{
    size_t room = slab_cache_of(d)->stride - SLAB_GUARD_LEAD;
    const unsigned char *p = slab_slot_base(d, slot) + SLAB_GUARD_LEAD;
    const uint64_t *seal = (const uint64_t *)(const void *)(p + room);
    uint64_t before = ((const uint64_t *)(const void *)p)[-1];
    return ((*seal ^ s->magic) | (before ^ s->magic)) == 0 && swift_reads_zero(p, room);
}
