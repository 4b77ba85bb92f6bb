/* SPDX-License-Identifier: MIT */
#ifndef LOAM_SLAB_SWIFT_H
#define LOAM_SLAB_SWIFT_H

/* slab_swift.h - the modes of `hardened` on a processor's own slabs, inlined where they are called.
 * The theory is at the top of slab_swift.c.
 */
#include "slab_seal.h"

enum {
    SWIFT_PAIR = 16,  /* rooms and strides are multiples of it */
    SWIFT_SHORT = 128 /* bytes of room up to which no loop is needed, nor a call */
};

/* Where there are no registers for pairs they want stack: of a function of its own. */
#if UINTPTR_MAX > UINT32_MAX
#define SWIFT_INLINE LOAM_INLINE
#else
#define SWIFT_INLINE LOAM_NOINLINE __attribute__((unused)) static
#endif

typedef uint64_t __attribute__((vector_size(16), may_alias)) swift_pair;
typedef uint64_t __attribute__((vector_size(16), aligned(1), may_alias)) swift_any_pair;

/* Of the last 16 bytes of a room, the last n. */
extern const unsigned char loam_slab__swift_last[2 * SWIFT_PAIR];

LOAM_INLINE const swift_any_pair *swift_last(size_t n)
{
    return (const swift_any_pair *)(const void *)(loam_slab__swift_last + n);
}

/* Ors the pairs of a short room; the switch is a jump into a straight line. */
SWIFT_INLINE uint64_t swift_all(const void *p, size_t room)
{
    const swift_pair *v = p;
    swift_pair all = v[0];
    switch (room / SWIFT_PAIR) {
    case 8:
        all |= v[7];
        __attribute__((fallthrough));
    case 7:
        all |= v[6];
        __attribute__((fallthrough));
    case 6:
        all |= v[5];
        __attribute__((fallthrough));
    case 5:
        all |= v[4];
        __attribute__((fallthrough));
    case 4:
        all |= v[3];
        __attribute__((fallthrough));
    case 3:
        all |= v[2];
        __attribute__((fallthrough));
    case 2:
        all |= v[1];
        break;
    default:
        break;
    }
    return all[0] | all[1];
}

/* Zeros for a short room. */
LOAM_INLINE void swift_clear(void *p, size_t room)
{
    swift_pair *v = p;
    const swift_pair zero = {0, 0};
    switch (room / SWIFT_PAIR) {
    case 8:
        v[7] = zero;
        __attribute__((fallthrough));
    case 7:
        v[6] = zero;
        __attribute__((fallthrough));
    case 6:
        v[5] = zero;
        __attribute__((fallthrough));
    case 5:
        v[4] = zero;
        __attribute__((fallthrough));
    case 4:
        v[3] = zero;
        __attribute__((fallthrough));
    case 3:
        v[2] = zero;
        __attribute__((fallthrough));
    case 2:
        v[1] = zero;
        break;
    default:
        break;
    }
    v[0] = zero;
}

/* A slot that was just taken becomes a block: true; false: its bytes, its seal or the magic before
 * it are not as a free slot's. */
bool loam_slab__swift_dress_long(const loam_slabs *s, void *p, size_t room, size_t size,
                                 size_t pad);

SWIFT_INLINE bool swift_dress(const loam_slabs *s, unsigned char *p, size_t room, size_t size)
{
    uint64_t magic = s->magic, *seal = (uint64_t *)(void *)(p + room);
    if (LOAM_UNLIKELY(room > SWIFT_SHORT))
        return loam_slab__swift_dress_long(s, p, room, size, 0);
    uint64_t all = swift_all(p, room);
    uint64_t before = ((uint64_t *)(void *)p)[-1];
    if (LOAM_UNLIKELY((all | ((*seal ^ magic) | (before ^ magic))) != 0))
        return false;
    /* the bytes of the block read 0, so that it may be written as a whole */
    *(swift_pair *)(void *)(p + room - SWIFT_PAIR) =
        (swift_pair){magic, magic} & *swift_last(room - size);
    *seal = seal_of(magic, size, 0);
    return true;
}

/* The block is as it should be: it is none any more, and reads 0; false: nothing has changed. */
SWIFT_INLINE bool swift_undress(const loam_slabs *s, unsigned char *p, size_t room)
{
    uint64_t magic = s->magic, *seal = (uint64_t *)(void *)(p + room);
    uint64_t before = ((uint64_t *)(void *)p)[-1], says = *seal ^ magic;
    size_t size = (size_t)(says >> (32 + SEAL_SIZE)), slack = room - size;
    if (LOAM_UNLIKELY(slack >= SWIFT_PAIR ||
                      ((says ^ seal_of(0, size, 0)) | (before ^ magic)) != 0))
        return false;
    swift_pair last = *(const swift_pair *)(void *)(p + room - SWIFT_PAIR);
    last = (last ^ (swift_pair){magic, magic}) & *swift_last(slack);
    if (LOAM_UNLIKELY((last[0] | last[1]) != 0))
        return false;
    swift_clear(p, room);
    *seal = magic;
    return true;
}

/* ---- the calls ---- */

/* Takes a slot of the current word for size bytes, 1 to the cache's, aligned as the cache's are or
 * (align not 0) so; with what that needs in front they fit. NULL: not so easy, nothing has changed.
 */
LOAM_INLINE void *slab_take_swift(loam_cache *c, size_t size, size_t align)
{
    loam_irq irq = loam_port_irq_save();
    slab_front *f = slab_front_of(c);
    uint64_t *word = f->word, w = *word;
    if (LOAM_UNLIKELY(w == 0)) {
        w = loam_slab__next_word(c) ? *(word = f->word) : 0;
        if (w == 0) {
            loam_port_irq_restore(irq);
            return NULL;
        }
    }
    slab_desc *d = f->slab;
    unsigned at = slab_random_bit(f, w);
    loam_atomic_poke64(word, w & ~(1ULL << at)); /* no order: see slab_slot_is_free */
    slab_head_of(d)->used++;
    uint32_t first = (uint32_t)((uintptr_t)word - (uintptr_t)d->words) * 8, slot = first + at;
    unsigned char *p = d->base + slot * f->stride + SLAB_GUARD_LEAD;
    const uint32_t *virgin =
        (const uint32_t *)(void *)((unsigned char *)word + f->virgin) + (at >> 5);
    loam_port_irq_restore(irq);
    size_t pad = align != 0 ? (0 - (uintptr_t)p) & (align - 1) : 0;
    /* no order: the slot is the caller's */
    if (LOAM_UNLIKELY((loam_atomic_peek(virgin) >> (at & 31) & 1) != 0) ||
        LOAM_UNLIKELY(align != 0 ? !loam_slab__swift_dress_long(c->slabs, p, f->room, size, pad)
                                 : !swift_dress(c->slabs, p, f->room, size)))
        return loam_slab__dress(d, slot, size, align, NULL);
    return p + pad;
}

/* The slot that waited longest is free. */
LOAM_INLINE void swift_leave(const loam_slabs *s, slab_front *f, uint64_t old, loam_irq irq)
{
    slab_desc *d = slab_wait_desc(s, old);
    slab_head *head = slab_head_of(d);
    unsigned slot = slab_wait_slot(old);
    uint64_t *word = (uint64_t *)(void *)(head + 1) + (slot >> 6), w = *word;
    uint64_t *wait = (uint64_t *)(void *)((unsigned char *)word + f->span);
    uint64_t bit = 1ULL << (slot & 63);
    loam_atomic_poke64(wait, *wait & ~bit); /* no order: hints for others */
    loam_atomic_poke64(word, w | bit);      /* no order: as above */
    if (LOAM_UNLIKELY(*f->word == 0)) {
        f->word = word;
        f->slab = d;
    }
    if (LOAM_UNLIKELY(--head->used == 0) || LOAM_UNLIKELY(w == 0))
        (void)loam_slab__settle(d, word, irq);
    else
        loam_port_irq_restore(irq);
}

/* [own] A slot waits from now on. */
LOAM_INLINE void swift_wait(const loam_slabs *s, slab_front *f, uint64_t slot, loam_irq irq)
{
    uint32_t at = f->ring_at;
    uint64_t old = f->ring[at];
    f->ring[at] = slot;
    f->ring_at = at + 1 == f->ring_cap ? 0 : at + 1;
    if (LOAM_LIKELY(old != 0)) {
        swift_leave(s, f, old, irq);
        return;
    }
    loam_atomic_store(&f->waiting, f->waiting + 1); /* no order: others only look */
    loam_port_irq_restore(irq);
}

/* The block that starts at p, in this room, is as it should be: it is none any more, and reads 0;
 * false: nothing has changed. */
bool loam_slab__swift_undress_long(const loam_slabs *s, void *base, size_t room, void *p);

/* Frees a block of this owner, out of a slab that is not this processor's; as slab_put_swift. */
bool loam_slab__put_swift_far(const loam_slabs *s, slab_desc *d, unsigned slot, void *p,
                              const void *owner);

/* Frees a block of this owner; false: not so easy, nothing has changed. A long one is cleared with
 * interrupts on; so is one that was aligned. */
LOAM_INLINE bool slab_put_swift(loam_slabs *s, void *p, const void *owner)
{
    uintptr_t off = slab_off(s, p), index = off >> s->shift;
    if (LOAM_UNLIKELY(off >= s->len))
        return false;
    slab_desc *d = slab_desc_at(s, off);
    uint64_t x = (uint64_t)((uint32_t)(off & s->mask) - SLAB_GUARD_LEAD) * d->recip;
    uint32_t slot = (uint32_t)(x >> 32);
    loam_irq irq = loam_port_irq_save();
    if (LOAM_UNLIKELY(!slab_is_here(d))) {
        loam_port_irq_restore(irq);
        return loam_slab__put_swift_far(s, d, slot, p, owner);
    }
    slab_front *f = slab_owner_of(d);
    if (LOAM_UNLIKELY(f->key != (uintptr_t)owner) || LOAM_UNLIKELY(slot >= f->slots)) {
        loam_port_irq_restore(irq);
        return false;
    }
    uint64_t *word = d->words + (slot >> 6), bit = 1ULL << (slot & 63);
    uint64_t *wait = (uint64_t *)(void *)((unsigned char *)word + f->span);
    bool easy = ((*word | *wait) & bit) == 0;
    if (LOAM_UNLIKELY(f->room > SWIFT_SHORT || (uint32_t)x > f->bound)) {
        unsigned char *base = d->base + (size_t)slot * f->stride + SLAB_GUARD_LEAD;
        loam_port_irq_restore(irq);
        if (!easy || !loam_slab__swift_undress_long(s, base, f->room, p))
            return false;
        irq = loam_port_irq_save();
        if (LOAM_UNLIKELY(!slab_is_here(d))) { /* an interrupt handed it over */
            loam_port_irq_restore(irq);
            return loam_slab__put_slot(d, slot);
        }
    } else if (LOAM_UNLIKELY(!easy) || LOAM_UNLIKELY(!swift_undress(s, p, f->room))) {
        loam_port_irq_restore(irq);
        return false;
    }
    loam_atomic_poke64(wait, *wait | bit); /* no order: others only look */
    swift_wait(s, f, slab_wait_of(index, slot), irq);
    return true;
}

#endif
