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
 *            free    free bit 1   block 0 0 0 0 0 0          seal: magic
 *            out     free bit 0   block, then slack: magic   seal: magic ^ its size, twice
 *            waits   free bit 0   block 0 0 0 0 0 0          seal: magic      waiting bit 1
 *
 *        alloc   the slot that is next; the bytes read 0, the seal says free; slack and seal are
 *                written. The one behind it is fetched: its bytes come while the program works.
 *        free    the seal says out; the magic before, the slack and so the seal behind are whole;
 *                zeros, seal; the slot is kept, and what was kept longest comes into the ring: it
 *                changes places with one of the `draw` that are next, by chance.
 *
 *            kept    [ . . . . ]  nobody gets these          ring   [ . . | . . . . | draw ]next
 *                      ^ the next that is freed                        ^ swift_add
 *                                                                      ^ swift_spill: oldest
 *
 *        What was freed last, and is not kept any more, is mostly what comes next: a class so lives
 *        in twice SLAB_KEPT_BYTES of the second-level cache, however many of its slots wait.
 *
 *        So a pair changes no free bit. A thread's first SWIFT_PICKS slots of a class come singly
 *        out of the current word: who lives for a few blocks has no ring to fill and empty. Then,
 *        when few slots are left in the ring, those of the current word that were out before come
 *        in at the old end; when they are many, half of them leave and are free. The ring is the
 *        front's, so that all that is in it is the processor's own: no owner is asked. The current
 *        word stays until it has nothing more; then it is the one into which a block came back
 *        last. Virgin slots are taken singly, when there is no other.
 *
 *        How many bytes there are no branch asks up to SWIFT_SHORT, and then one a turn of as
 *        many, or what the port has for more: of sizes that change a predictor learns nothing. A
 *        port whose processors have wider registers compiles what is inlined for these, too.
 *
 * RULES  S9, S10 and S11 of slab_check.c.
 * LOCKS  None: interrupts off. The front is the processor's own.
 * COST   alloc + free of 64 bytes: some 340 instructions; by default 67.
 * FROM   slab_fast.h; canaries between the blocks: hardened_malloc.
 * NOT    Allocation from the shared front.
 */
#include "slab_swift_long.h"

const uint64_t loam_slab__swift_last[2 * SEAL_SLACK / sizeof(uint64_t)] = {
    0, 0, 0, 0, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};

/* ---- blocks of any length ---- */

static void *swift_damaged(const loam_slabs *s, uint64_t slot, size_t size, size_t align)
{
    return loam_slab__dress(slab_wait_desc(s, slot), slab_wait_slot(slot), size, align, NULL);
}

static bool swift_dress_any(uint64_t magic, unsigned char *p, size_t room, size_t size)
{
    if (swift_is_short(room))
        return swift_dress(magic, p, room, size);
    if (swift_is_mid(room) && swift_dress_mid(magic, p, room, size))
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

void *loam_slab__swift_dress(const loam_slabs *s, uint64_t slot, size_t room, size_t size)
{
    unsigned char *p = slab_wait_base(slot) + SLAB_GUARD_LEAD;
    bool clean = swift_dress_any(s->magic, p, room, size);
    if (LOAM_UNLIKELY(!clean) && swift_forget_pad(s->magic, p, room))
        clean = swift_dress_any(s->magic, p, room, size);
    return LOAM_LIKELY(clean) ? p : swift_damaged(s, slot, size, 0);
}

bool loam_slab__put_swift_long(const loam_slabs *s, slab_desc *d, unsigned slot, void *p)
{
    return swift_put_long(s, d, slot, p, false);
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

bool loam_slab__put_swift_far(loam_slabs *s, slab_desc *d, unsigned slot, void *p,
                              const void *owner)
{
    return swift_put_far(s, d, slot, p, owner);
}

/* ---- the ring ---- */

/* [own] The slot that waited longest is free; the slab that is to go now, or NULL. */
static slab_desc *swift_leave(const loam_slabs *s, slab_front *f, uint64_t old)
{
    slab_desc *d = slab_wait_desc(s, old);
    slab_head *head = slab_head_of(d);
    unsigned slot = slab_wait_slot(old);
    uint64_t *word = d->words + (slot >> 6), w = *word, bit = 1ULL << (slot & 63);
    uint64_t *wait = (uint64_t *)(void *)((unsigned char *)word + f->span);
    loam_atomic_poke64(wait, *wait & ~bit); /* no order: hints for others */
    loam_atomic_poke64(word, w | bit);      /* no order: as above */
    if (LOAM_UNLIKELY(*f->word == 0) && !slab_is_shared(s, f)) {
        f->word = word;
        f->slab = d;
    }
    bool last = --head->used == 0;
    return LOAM_UNLIKELY(last || w == 0) ? loam_slab__settled(d, word) : NULL;
}

/* [own] Some leave. */
static void swift_leave_some(const loam_slabs *s, slab_front *f, loam_list *victims)
{
    uint32_t n = f->waiting, until = n - f->spill;
    for (; n != until; n--) {
        slab_desc *d = swift_leave(s, f, f->ring[(f->ring_at - n) & f->most]);
        if (d != NULL)
            loam_list_push(victims, &d->link);
    }
    loam_atomic_store(&f->waiting, n); /* no order: others only look */
}

void loam_slab__swift_spill(slab_front *f, loam_irq irq)
{
    loam_list victims;
    loam_list_init(&victims);
    swift_leave_some(f->cache->slabs, f, &victims);
    loam_port_irq_restore(irq);
    (void)loam_slab__release_all(&victims);
}

void loam_slab__swift_hold(slab_front *f, uint64_t slot, loam_list *victims)
{
    uint64_t old = swift_keep(f, slot);
    if (old != 0)
        swift_mix(f, old);
    if (LOAM_UNLIKELY(f->waiting >= f->most))
        swift_leave_some(f->cache->slabs, f, victims);
}

void loam_slab__swift_put_word(slab_desc *d, unsigned word, uint64_t bits, loam_list *victims)
{
    slab_front *f = slab_owner_of(d);
    size_t stride = f->room + SLAB_GUARD_LEAD;
    uint64_t *wait = (uint64_t *)(void *)((unsigned char *)(d->words + word) + f->span);
    loam_atomic_poke64(wait, *wait | bits); /* no order: others only look */
    for (; bits != 0; bits &= bits - 1) {
        unsigned slot = 64 * word + loam_ctz64(bits);
        loam_slab__swift_hold(f, slab_wait_of(d->base + slot * stride, slot), victims);
    }
}

/* Virgin slots of a word. no order: who has the slots changes them; those asked for are free. */
static uint64_t swift_virgins(const slab_front *f, const uint64_t *word)
{
    const uint32_t *half = (const uint32_t *)(const void *)word + f->span / 2;
    return loam_atomic_peek(half) | (uint64_t)loam_atomic_peek(half + 1) << 32;
}

/* [own] Slots of the current word that were out before, from a place that is drawn on, become those
 * that waited longest, until so many wait. */
static void swift_add(slab_front *f, uint32_t until)
{
    slab_desc *d = f->slab;
    uint64_t *word = f->word, *wait = (uint64_t *)(void *)((unsigned char *)word + f->span);
    size_t stride = f->room + SLAB_GUARD_LEAD;
    unsigned first = 64 * (unsigned)(word - d->words), turn = slab_random_turn(f);
    uint64_t left = *word & ~swift_virgins(f, word), taken = 0;
    uint32_t n = f->waiting;
    left = left >> turn | left << (-turn & 63);
    for (; left != 0 && n < until; left &= left - 1) {
        unsigned bit = (loam_ctz64(left) + turn) & 63;
        unsigned char *base = d->base + (first + bit) * stride;
        __builtin_prefetch(base + SLAB_GUARD_LEAD, 1);
        __builtin_prefetch(base + stride, 1);
        uint32_t drawn = (uint32_t)((slab_random_step(f) >> 32) * ++n >> 32);
        uint64_t *last = &f->ring[(f->ring_at - n) & f->most];
        uint64_t *place = &f->ring[(f->ring_at - n + drawn) & f->most];
        *last = *place;
        *place = slab_wait_of(base, first + bit);
        taken |= 1ULL << bit;
    }
    slab_head_of(d)->used += n - f->waiting;
    loam_atomic_poke64(word, *word & ~taken); /* no order: see slab_slot_is_free */
    loam_atomic_poke64(wait, *wait | taken);  /* no order: others only look */
    loam_atomic_store(&f->waiting, n);        /* no order: as above */
}

/* [own] This processor's front has few slots to draw from: it gets more of its current words, none
 * of them virgin. false: there are not enough; then the current word has virgin ones, or none. */
static bool swift_fill(loam_cache *c, slab_front *f)
{
    uint32_t until = f->draw - f->draw / 4U;
    bool more = true;
    while (more && f->waiting < f->ready) {
        more = *f->word != 0 || loam_slab__next_word(c);
        if (more) {
            swift_add(f, until);
            more = *f->word == 0;
        }
    }
    return f->waiting >= f->ready;
}

enum { SWIFT_PICKS = 32 }; /* blocks of a class after which the ring is worth to be filled */

/* [own] A slot of the current word that was out before, past the ring; 0: there is none, or the
 * time has come to fill the ring. */
static uint64_t swift_pick(loam_cache *c, slab_front *f)
{
    if (f->picked >= SWIFT_PICKS || (*f->word == 0 && !loam_slab__next_word(c)))
        return 0;
    slab_desc *d = f->slab;
    uint64_t *word = f->word, left = *word & ~swift_virgins(f, word);
    if (left == 0)
        return 0;
    unsigned at = slab_random_bit(f, left), slot = 64 * (unsigned)(word - d->words) + at;
    loam_atomic_poke64(word, *word & ~(1ULL << at)); /* no order: see slab_slot_is_free */
    slab_head_of(d)->used++;
    f->picked++;
    return slab_wait_of(d->base + slot * (f->room + SLAB_GUARD_LEAD), slot);
}

/* [own] A virgin slot of the current word, which has one; it has its bytes. Restores irq. */
static uint64_t swift_begin(const loam_slabs *s, slab_front *f, loam_irq irq)
{
    slab_desc *d = f->slab;
    uint64_t *word = f->word;
    unsigned at = slab_random_bit(f, *word & swift_virgins(f, word));
    unsigned slot = 64 * (unsigned)(word - d->words) + at;
    size_t room = f->room;
    loam_atomic_poke64(word, *word & ~(1ULL << at)); /* no order: see slab_slot_is_free */
    slab_head_of(d)->used++;
    loam_port_irq_restore(irq);
    unsigned char *base = d->base + slot * (room + SLAB_GUARD_LEAD);
    (void)loam_slab__take_virgin(d, slot);
    *(uint64_t *)(void *)(base + SLAB_GUARD_LEAD - sizeof(uint64_t)) = s->magic;
    __builtin_memset(base + SLAB_GUARD_LEAD, 0, room);
    *(uint64_t *)(void *)(base + SLAB_GUARD_LEAD + room) = s->magic;
    return slab_wait_of(base, slot);
}

/* A slot of this processor's front; 0: it has none. */
static uint64_t swift_slot(loam_cache *c)
{
    const loam_slabs *s = c->slabs;
    loam_irq irq = loam_port_irq_save();
    slab_front *f = slab_front_here(c);
    bool own = c->swift && !slab_is_shared(s, f); /* others write the shared one's */
    if (own && f->waiting >= f->ready)
        return swift_take(s, f, f->waiting, irq);
    uint64_t slot = own ? swift_pick(c, f) : 0;
    if (slot != 0) {
        loam_port_irq_restore(irq);
        return slot;
    }
    if (own && swift_fill(c, f))
        return swift_take(s, f, f->waiting, irq);
    if (own && *f->word != 0)
        return swift_begin(s, f, irq);
    loam_port_irq_restore(irq);
    return 0;
}

/* ---- for who does not inline them ---- */

void *loam_slab__take_swift(loam_cache *c, size_t size, size_t align)
{
    const loam_slabs *s = c->slabs;
    uint64_t slot = swift_slot(c);
    size_t room = c->stride - SLAB_GUARD_LEAD;
    if (slot == 0)
        return NULL;
    if (align == 0)
        return loam_slab__swift_dress(s, slot, room, size);
    unsigned char *p = slab_wait_base(slot) + SLAB_GUARD_LEAD;
    size_t pad = (0 - (uintptr_t)p) & (align - 1);
    bool clean = swift_dress_aligned(s->magic, p, room, size, pad);
    return LOAM_LIKELY(clean) ? p + pad : swift_damaged(s, slot, size, align);
}

bool loam_slab__put_swift(loam_slabs *s, void *block, const void *owner)
{
    slab_desc *d;
    unsigned slot;
    switch (slab_put_swift(s, block, owner, &d, &slot)) {
    case SWIFT_PUT:
        return true;
    case SWIFT_PUT_LONG:
        return loam_slab__put_swift_long(s, d, slot, block);
    case SWIFT_PUT_FAR:
        return loam_slab__put_swift_far(s, d, slot, block, owner);
    default:
        return false;
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
