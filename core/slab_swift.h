/* SPDX-License-Identifier: MIT */
#ifndef LOAM_SLAB_SWIFT_H
#define LOAM_SLAB_SWIFT_H

/* slab_swift.h - the modes of `hardened` on a processor's own slabs, inlined where they are called.
 * The theory is at the top of slab_swift.c.
 */
#include "slab_seal.h"

/* Who has wider registers includes this file with SWIFT_UNIT, their bytes, and SWIFT_IS_ZERO. */
#ifndef SWIFT_UNIT
#define SWIFT_UNIT          16
#define SWIFT_IS_ZERO(unit) (((unit)[0] | (unit)[1]) == 0)
#endif

enum {
    SWIFT_PAIR = 16,             /* rooms and strides are multiples of it */
    SWIFT_SHORT = 8 * SWIFT_UNIT /* bytes up to which nothing depends on how many there are */
};

/* Where there are no registers for pairs they want stack: of a function of its own. */
#if UINTPTR_MAX > UINT32_MAX
#define SWIFT_INLINE LOAM_INLINE
#else
#define SWIFT_INLINE LOAM_NOINLINE __attribute__((unused)) static
#endif

typedef uint64_t __attribute__((vector_size(SWIFT_UNIT), aligned(SWIFT_PAIR), may_alias))
swift_unit;
typedef uint64_t __attribute__((vector_size(SWIFT_UNIT), aligned(1), may_alias)) swift_any_unit;

/* Of the last 32 bytes of a room, the last n. */
extern const uint64_t loam_slab__swift_last[2 * SEAL_SLACK / sizeof(uint64_t)];

/* Of the last unit, the last n bytes. */
LOAM_INLINE const swift_any_unit *swift_last(size_t n)
{
    const unsigned char *last = (const unsigned char *)loam_slab__swift_last;
    return (const swift_any_unit *)(const void *)(last + SEAL_SLACK - SWIFT_UNIT + n);
}

/* Is there a unit, and are there no more than eight? */
LOAM_INLINE bool swift_is_short(size_t room)
{
    return room - SWIFT_UNIT <= SWIFT_SHORT - SWIFT_UNIT;
}

/* A short room, four units from its first on and four from its last back; in a shorter one they
 * meet. Who does the same for every length has no branch that a predictor cannot learn. */
typedef struct swift_short {
    size_t last, one, two, three; /* bytes */
} swift_short;

LOAM_INLINE swift_short swift_cut(size_t room)
{
    size_t last = room - SWIFT_UNIT, one = SWIFT_UNIT, two = 2 * one, three = 3 * one;
    return (swift_short){last, last < one ? last : one, last < two ? last : two,
                         last < three ? last : three};
}

/* Units are not returned: there may be no registers for them. */
LOAM_INLINE const swift_unit *swift_at(const unsigned char *p, size_t at)
{
    return (const swift_unit *)(const void *)(p + at);
}

LOAM_INLINE void swift_zero(unsigned char *p, size_t at)
{
    *(swift_unit *)(void *)(p + at) = (swift_unit){0};
}

/* Does a short room read 0? */
SWIFT_INLINE bool swift_short_is_zero(const unsigned char *p, size_t room)
{
    swift_short c = swift_cut(room);
    const unsigned char *q = p + c.last;
    swift_unit all = *swift_at(p, 0) | *swift_at(p, c.one) | *swift_at(p, c.two) |
                     *swift_at(p, c.three) | *swift_at(q, 0) | *swift_at(q, 0 - c.one) |
                     *swift_at(q, 0 - c.two) | *swift_at(q, 0 - c.three);
    return SWIFT_IS_ZERO(all);
}

/* Zeros for a short room. */
LOAM_INLINE void swift_clear(unsigned char *p, size_t room)
{
    swift_short c = swift_cut(room);
    unsigned char *q = p + c.last;
    swift_zero(p, 0);
    swift_zero(p, c.one);
    swift_zero(p, c.two);
    swift_zero(p, c.three);
    swift_zero(q, 0);
    swift_zero(q, 0 - c.one);
    swift_zero(q, 0 - c.two);
    swift_zero(q, 0 - c.three);
}

/* A slot of a short room that was just taken becomes a block: true; false: its bytes, its seal or
 * the magic before it are not as a free slot's. */
SWIFT_INLINE bool swift_dress(uint64_t magic, unsigned char *p, size_t room, size_t size)
{
    uint64_t *seal = (uint64_t *)(void *)(p + room), before = ((uint64_t *)(void *)p)[-1];
    size_t slack = room - size;
    if (LOAM_UNLIKELY(((*seal ^ magic) | (before ^ magic)) != 0) ||
        LOAM_UNLIKELY(!swift_short_is_zero(p, room)))
        return false;
    /* the bytes of the block read 0, so that it may be written as a whole */
    *(swift_unit *)(void *)(p + room - SWIFT_UNIT) = ((swift_unit){0} ^ magic) & *swift_last(slack);
    *seal = seal_of(magic, size, 0);
    return true;
}

/* The block is as it should be: it is none any more, and reads 0; false: nothing has changed, and
 * who looks longer knows. */
SWIFT_INLINE bool swift_undress(uint64_t magic, unsigned char *p, size_t room)
{
    uint64_t *seal = (uint64_t *)(void *)(p + room);
    uint64_t before = ((uint64_t *)(void *)p)[-1], says = *seal ^ magic;
    size_t size = (size_t)(says >> (32 + SEAL_SIZE)), slack = room - size;
    if (LOAM_UNLIKELY(slack >= SWIFT_UNIT ||
                      ((says ^ seal_of(0, size, 0)) | (before ^ magic)) != 0))
        return false;
    swift_unit last = (*swift_at(p, room - SWIFT_UNIT) ^ magic) & *swift_last(slack);
    if (LOAM_UNLIKELY(!SWIFT_IS_ZERO(last)))
        return false;
    swift_clear(p, room);
    *seal = magic;
    return true;
}

/* ---- turns ---- */

enum { SWIFT_TURN = 8 * SWIFT_UNIT }; /* bytes that are looked at, or cleared, with one branch */

_Static_assert((int)SWIFT_TURN >= (int)LOAM_WIDE_LEAST, "a room that is not short is long");

LOAM_INLINE void swift_or_turn(swift_unit *all, const unsigned char *p)
{
    enum { U = SWIFT_UNIT };
    *all |=
        ((*swift_at(p, 0) | *swift_at(p, U)) | (*swift_at(p, 2 * U) | *swift_at(p, 3 * U))) |
        ((*swift_at(p, 4 * U) | *swift_at(p, 5 * U)) | (*swift_at(p, 6 * U) | *swift_at(p, 7 * U)));
}

/* Turns that a room of a turn to four has without its last one. Of the room alone, which is known
 * long before the block's bytes are: a wrong guess is found while these are on their way. */
LOAM_INLINE size_t swift_turns(size_t room)
{
    return (room - 1) / SWIFT_TURN;
}

LOAM_INLINE bool swift_is_mid(size_t room)
{
    return room - SWIFT_TURN - 1 < 3 * SWIFT_TURN;
}

/* Do the first `used` bytes of such a room read 0? They are more than its turns. */
SWIFT_INLINE bool swift_mid_is_zero(const unsigned char *p, size_t room, size_t used)
{
    swift_unit all = {0};
    swift_or_turn(&all, p + used - SWIFT_TURN);
    swift_or_turn(&all, p);
    if (room > 2 * SWIFT_TURN) {
        swift_or_turn(&all, p + SWIFT_TURN);
        if (room > 3 * SWIFT_TURN)
            swift_or_turn(&all, p + 2 * SWIFT_TURN);
    }
    return SWIFT_IS_ZERO(all);
}

/* From any address. */
LOAM_INLINE void swift_clear_turn(unsigned char *p)
{
    const swift_any_unit zero = {0};
    LOAM_WIDE_CLEAR_TURN((swift_any_unit *)(void *)p, zero);
}

LOAM_INLINE void swift_clear_mid(unsigned char *p, size_t room, size_t used)
{
    swift_clear_turn(p);
    if (room > 2 * SWIFT_TURN) {
        swift_clear_turn(p + SWIFT_TURN);
        if (room > 3 * SWIFT_TURN)
            swift_clear_turn(p + 2 * SWIFT_TURN);
    }
    swift_clear_turn(p + used - SWIFT_TURN);
}

/* ---- slack ---- */

/* A unit of a block's slack, from a byte of the slack on, or up to the end of the room where there
 * is less. What lies there before the slack is not meant. */
typedef struct swift_slack {
    swift_any_unit *at;
    const swift_any_unit *meant;
    uint64_t magic; /* what each word of the slack reads */
} swift_slack;

LOAM_INLINE swift_slack swift_slack_unit(uint64_t magic, unsigned char *p, size_t from, size_t room,
                                         size_t slack)
{
    size_t at = from < room - SWIFT_UNIT ? from : room - SWIFT_UNIT;
    unsigned turn = 8 * (unsigned)(at & 7);
    return (swift_slack){(swift_any_unit *)(void *)(p + at),
                         swift_last(slack < SWIFT_UNIT ? slack : SWIFT_UNIT),
                         magic >> turn | magic << (-turn & 63)};
}

/* A unit at least. */
SWIFT_INLINE void swift_slack_put(uint64_t magic, unsigned char *p, size_t size, size_t room)
{
    for (size_t i = 0; i < SEAL_SLACK; i += SWIFT_UNIT) {
        swift_slack one = swift_slack_unit(magic, p, size + i, room, room - size);
        *one.at = ((swift_any_unit){0} ^ one.magic) & *one.meant;
    }
}

SWIFT_INLINE bool swift_slack_is_whole(uint64_t magic, unsigned char *p, size_t size, size_t room)
{
    swift_any_unit differs = {0};
    for (size_t i = 0; i < SEAL_SLACK; i += SWIFT_UNIT) {
        swift_slack one = swift_slack_unit(magic, p, size + i, room, room - size);
        differs |= (*one.at ^ one.magic) & *one.meant;
    }
    return SWIFT_IS_ZERO(differs);
}
_Static_assert(SEAL_SLACK % SWIFT_UNIT == 0, "the slack is units");

/* Bytes of a room that a block up to `end` has with its magic. The others are looked at when
 * somebody gets them. */
LOAM_INLINE size_t swift_used(size_t end, size_t room)
{
    return slack_end((end + SWIFT_PAIR - 1) & ~(size_t)(SWIFT_PAIR - 1), room);
}

/* ---- rooms of a turn to four ---- */

/* As swift_dress. */
LOAM_INLINE bool swift_dress_mid(uint64_t magic, unsigned char *p, size_t room, size_t size)
{
    uint64_t *seal = (uint64_t *)(void *)(p + room), before = ((uint64_t *)(void *)p)[-1];
    size_t used = swift_used(size, room);
    if (LOAM_UNLIKELY(((before ^ magic) | (*seal ^ magic)) != 0) ||
        LOAM_UNLIKELY(used <= swift_turns(room) * SWIFT_TURN) ||
        LOAM_UNLIKELY(!swift_mid_is_zero(p, room, used)))
        return false;
    swift_slack_put(magic, p, size, room);
    *seal = seal_of(magic, size, 0);
    return true;
}

/* As swift_undress. */
LOAM_INLINE bool swift_undress_mid(uint64_t magic, unsigned char *p, size_t room)
{
    uint64_t *seal = (uint64_t *)(void *)(p + room);
    uint64_t before = ((uint64_t *)(void *)p)[-1], says = *seal ^ magic;
    size_t size = (size_t)(says >> (32 + SEAL_SIZE)), end = slack_end(size, room);
    if (LOAM_UNLIKELY(((says ^ seal_of(0, size, 0)) | (before ^ magic)) != 0) ||
        LOAM_UNLIKELY(size > room || end <= swift_turns(room) * SWIFT_TURN) ||
        LOAM_UNLIKELY(!swift_slack_is_whole(magic, p, size, room)))
        return false;
    swift_clear_mid(p, room, end);
    *seal = magic;
    return true;
}

/* ---- the ring ---- */

/* What a thread may keep of a front in the place of a stack: the paths of slab_stack.h find no slot
 * there. */
static inline slab_stack *swift_face(slab_front *f)
{
    return (slab_stack *)(void *)&f->face;
}

static inline slab_front *swift_front(slab_stack *face)
{
    return LOAM_CONTAINER_OF((uint64_t **)(void *)face, slab_front, face);
}

/* The first and the last line of a slot are on their way. */
LOAM_INLINE void swift_fetch(uint64_t slot, size_t room)
{
    unsigned char *p = slab_wait_base(slot) + SLAB_GUARD_LEAD;
    __builtin_prefetch(p, 1);
    __builtin_prefetch(p + room, 1);
}

/* [own] Of n that wait, as many as are ready: the one that is next. */
LOAM_INLINE uint64_t swift_next(slab_front *f, uint32_t n)
{
    uint64_t *ring = f->ring;
    uint32_t mask = f->most, at = (f->ring_at - 1) & mask;
    uint64_t slot = ring[at];
    swift_fetch(ring[(at - 1) & mask], f->room);
    f->ring_at = at;
    loam_atomic_store(&f->waiting, n - 1); /* no order: others only look */
    return slot;
}

/* [own] A slot that comes changes places with one of those that are next. */
LOAM_INLINE void swift_mix(slab_front *f, uint64_t slot)
{
    uint64_t *ring = f->ring, turn = slab_random_step(f) >> 32;
    uint32_t mask = f->most, at = f->ring_at, n = f->waiting + 1;
    uint32_t drawn = (uint32_t)(turn * (n < f->draw ? n : f->draw) >> 32);
    uint64_t *place = &ring[(at - drawn) & mask];
    ring[at] = slot;
    uint64_t next = *place; /* it may be the same place */
    *place = slot;
    ring[at] = next;
    f->ring_at = (at + 1) & mask;
    loam_atomic_store(&f->waiting, n); /* no order: others only look */
}

/* [own] A slot is kept from now on; the one that was kept longest, or 0. */
LOAM_INLINE uint64_t swift_keep(slab_front *f, uint64_t slot)
{
    uint64_t *place = &f->ring[f->most + 1U + f->kept_at], old = *place;
    loam_atomic_poke64(place, slot); /* no order: others only count */
    f->kept_at = (f->kept_at + 1U) & f->kept_most;
    return old;
}

/* The front's ring is full: some leave it. Restores irq. */
void loam_slab__swift_spill(slab_front *f, loam_irq irq);

/* [own] A slot waits from now on. */
LOAM_INLINE void swift_wait(slab_front *f, uint64_t slot, loam_irq irq)
{
    uint64_t old = swift_keep(f, slot);
    if (LOAM_LIKELY(old != 0))
        swift_mix(f, old);
    if (LOAM_LIKELY(f->waiting < f->most))
        loam_port_irq_restore(irq);
    else
        loam_slab__swift_spill(f, irq);
}

/* ---- the calls ---- */

/* A slot of this processor's front, where as many as are ready wait: which it is. Restores irq. */
LOAM_INLINE uint64_t swift_take(const loam_slabs *s, slab_front *f, uint32_t n, loam_irq irq)
{
    uint64_t slot = swift_next(f, n);
    slab_desc *d = slab_wait_desc(s, slot);
    unsigned i = slab_wait_slot(slot);
    uint64_t *wait = (uint64_t *)(void *)((unsigned char *)(d->words + (i >> 6)) + f->span);
    loam_atomic_poke64(wait, *wait & ~(1ULL << (i & 63))); /* no order: hints for others */
    loam_port_irq_restore(irq);
    return slot;
}

/* A slot that was taken, of a front with such a room, becomes a block, short or long; what is not
 * as a free one is is told. */
typedef void *swift_dress_fn(const loam_slabs *s, uint64_t slot, size_t room, size_t size);
swift_dress_fn loam_slab__swift_dress;

/* [own] */
static inline bool swift_is_ready(const slab_front *f)
{
    return f->waiting >= f->ready;
}

/* Takes a slot of a front of this processor that is ready, for size bytes, 1 to the cache's; other:
 * swift_dress of any slot, called last: mostly nothing has to be kept for later. For who has no
 * interrupts. */
LOAM_INLINE void *swift_take_from(const loam_slabs *s, slab_front *f, size_t size,
                                  swift_dress_fn *other)
{
    uint64_t slot = swift_take(s, f, f->waiting, loam_port_irq_save());
    size_t room = f->room;
    unsigned char *p = slab_wait_base(slot) + SLAB_GUARD_LEAD;
    bool clean = swift_is_short(room) ? swift_dress(s->magic, p, room, size)
                 : swift_is_mid(room) ? swift_dress_mid(s->magic, p, room, size)
                                      : false;
    return LOAM_LIKELY(clean) ? p : other(s, slot, room, size);
}

typedef enum swift_put {
    SWIFT_PUT,
    SWIFT_PUT_REFUSED, /* not so easy, nothing has changed */
    SWIFT_PUT_LONG,    /* as refused: for loam_slab__put_swift_long, .. */
    SWIFT_PUT_FAR      /* .. loam_slab__put_swift_far */
} swift_put;

/* A block of this processor's slabs that is long or was aligned: cleared with interrupts on. */
bool loam_slab__put_swift_long(const loam_slabs *s, slab_desc *d, unsigned slot, void *p);
/* A block of this owner, out of a slab that is not this processor's. */
bool loam_slab__put_swift_far(loam_slabs *s, slab_desc *d, unsigned slot, void *p,
                              const void *owner);

/* Frees a block of this owner. *desc, *at: its slab and slot, where it is long or far. */
LOAM_INLINE swift_put slab_put_swift(const loam_slabs *s, void *p, const void *owner,
                                     slab_desc **desc, unsigned *at)
{
    uintptr_t off = slab_off(s, p);
    if (LOAM_UNLIKELY(off >= slab_len(s)))
        return SWIFT_PUT_REFUSED;
    slab_desc *d = *desc = slab_desc_at(s, off);
    uint64_t x = (uint64_t)((uint32_t)(off & s->mask) - SLAB_GUARD_LEAD) * d->recip;
    uint32_t slot = *at = (uint32_t)(x >> 32);
    loam_irq irq = loam_port_irq_save();
    if (LOAM_UNLIKELY(!slab_is_here(d))) {
        loam_port_irq_restore(irq);
        return SWIFT_PUT_FAR;
    }
    slab_front *f = slab_owner_of(d);
    uint64_t *word = d->words + (slot >> 6), bit = 1ULL << (slot & 63);
    if (LOAM_UNLIKELY(f->swift_key != (uintptr_t)owner) || LOAM_UNLIKELY(slot >= f->slots)) {
        loam_port_irq_restore(irq);
        return SWIFT_PUT_REFUSED;
    }
    uint64_t *wait = (uint64_t *)(void *)((unsigned char *)word + f->span);
    size_t room = f->room;
    bool easy = ((*word | *wait) & bit) == 0;
    bool done = false;
    if (LOAM_LIKELY(easy) && LOAM_LIKELY((uint32_t)x <= d->bound))
        done = swift_is_short(room) ? swift_undress(s->magic, p, room)
               : swift_is_mid(room) ? swift_undress_mid(s->magic, p, room)
                                    : false;
    if (LOAM_UNLIKELY(!done)) {
        loam_port_irq_restore(irq);
        return easy ? SWIFT_PUT_LONG : SWIFT_PUT_REFUSED;
    }
    loam_atomic_poke64(wait, *wait | bit); /* no order: others only look */
    swift_wait(f, slab_wait_of((unsigned char *)p - SLAB_GUARD_LEAD, slot), irq);
    return SWIFT_PUT;
}

/* Bytes of a block of this owner, of this processor's slabs and not aligned, whose bits and seal
 * say that it is out; 0: not so easy. *room: of its slot. */
LOAM_INLINE size_t swift_size(const loam_slabs *s, const void *p, const void *owner, size_t *room)
{
    uintptr_t off = slab_off(s, p);
    if (LOAM_UNLIKELY(off >= slab_len(s)))
        return 0;
    const slab_desc *d = slab_desc_at(s, off);
    uint64_t x = (uint64_t)((uint32_t)(off & s->mask) - SLAB_GUARD_LEAD) * d->recip, says = 0;
    uint32_t slot = (uint32_t)(x >> 32);
    loam_irq irq = loam_port_irq_save();
    const slab_front *f = slab_owner_of(d);
    if (slab_is_here(d) && f->swift_key == (uintptr_t)owner && slot < f->slots &&
        (uint32_t)x <= d->bound) {
        const uint64_t *word = d->words + (slot >> 6), *wait = word + f->span / sizeof(uint64_t);
        *room = f->room;
        if (((*word | *wait) >> (slot & 63) & 1) == 0)
            says = *(const uint64_t *)(const void *)((const unsigned char *)p + *room) ^ s->magic;
    }
    loam_port_irq_restore(irq);
    size_t size = (size_t)(says >> (32 + SEAL_SIZE));
    return size != 0 && says == seal_of(0, size, 0) && size <= *room ? size : 0;
}

#endif
