/* SPDX-License-Identifier: MIT */
#ifndef LOAM_SLAB_SWIFT_WAIT_H
#define LOAM_SLAB_SWIFT_WAIT_H

/* slab_swift_wait.h - the slots of a front that are shut: those that it keeps, and those that it
 * gives out next, of which one is drawn (slab_swift.c has the picture).
 */
#include "slab_internal.h"

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

/* [own] */
LOAM_INLINE void swift_set_top(slab_front *f, swift_slot *top)
{
    loam_atomic_ptr_store((void **)&f->top, top); /* no order: others only count */
}

/* [own] Where the bit is that says whether a slot is shut. */
LOAM_INLINE uint64_t *swift_word(const slab_front *f, const slab_desc *d, size_t slot)
{
    return (uint64_t *)((uintptr_t)(d->words + (slot >> 6)) + f->span);
}

LOAM_INLINE uint64_t swift_where(const slab_front *f, const slab_desc *d, size_t slot)
{
    return slab_held_where(swift_word(f, d, slot), slot);
}

/* [own] A slot is shut from now on; false: it is so already. */
LOAM_INLINE bool swift_shut(uint64_t *shut, size_t slot)
{
    uint64_t w = loam_atomic_peek64(shut), next = w | 1ULL << (slot & 63); /* no order: its own */
    if (LOAM_UNLIKELY(next == w))
        return false;
    loam_atomic_poke64(shut, next); /* no order: others only look */
    return true;
}

/* [own] */
LOAM_INLINE bool swift_has_shut(const uint64_t *shut, size_t slot)
{
    return (*shut >> (slot & 63) & 1) != 0;
}

/* [own] It is out after all, or again. */
LOAM_INLINE void swift_unshut(uint64_t where)
{
    uint64_t *shut = slab_held_word(where), w = loam_atomic_peek64(shut); /* no order: its own */
    loam_atomic_poke64(shut, w & ~(1ULL << (where & 63)));                /* no order: as above */
}

/* [own] Of those that wait the next is out; the one behind it comes into the caches. */
LOAM_INLINE swift_slot swift_take(slab_front *f)
{
    swift_slot *top = f->top, held = *top;
    uintptr_t next = (uintptr_t)top[-1].at; /* there may be none */
    __builtin_prefetch((const void *)next, 1);
    __builtin_prefetch((const void *)(next + f->room), 1);
    swift_set_top(f, top - 1);
    swift_unshut(held.where);
    return held;
}

/* A slot that waits, all of it. */
typedef uint64_t __attribute__((vector_size(sizeof(swift_slot)), may_alias)) swift_whole;

/* [own] What comes changes places with one of those that are next. */
LOAM_INLINE swift_slot *swift_mix(slab_front *f, const swift_whole *comes)
{
    swift_slot *top = f->top + 1;
    size_t n = (uintptr_t)top - (uintptr_t)f->held;
    uint32_t drawn = slab_random_below(f, n < f->draw ? n : f->draw);
    drawn &= ~(uint32_t)(sizeof(swift_slot) - 1);
    swift_whole *place = (swift_whole *)((uintptr_t)top - drawn), *last = (swift_whole *)top;
    *last = *comes;
    swift_whole next = *place; /* it may be the same place */
    *place = *comes;
    *last = next;
    swift_set_top(f, top);
    return top;
}

LOAM_INLINE void swift_set(swift_slot *place, swift_slot held)
{
    place->where = held.where;
    loam_atomic_ptr_store(&place->at, held.at); /* no order: others only count */
}

/* There are as many as there can be: some leave. Restores irq. */
void loam_slab__swift_spill(slab_front *f, loam_irq irq);

/* [own] A slot is kept from now on; what was kept longest, if anything was, is one of those that
 * are next. True: there are as many as there can be. */
LOAM_INLINE bool swift_keep(slab_front *f, swift_slot held)
{
    uint32_t at = f->kept_at;
    swift_slot *place = (swift_slot *)((uintptr_t)(f + 1) + at);
    /* no order: others only count */
    loam_atomic_store(&f->kept_at, (at + (uint32_t)sizeof(swift_slot)) & f->kept_mask);
    if (LOAM_UNLIKELY(place->at == NULL)) {
        swift_set(place, held);
        return false;
    }
    swift_whole old = *(const swift_whole *)(const void *)place;
    swift_set(place, held);
    return swift_mix(f, &old) >= f->most;
}

/* [own] A slot waits from now on. */
LOAM_INLINE void swift_wait(slab_front *f, swift_slot held, loam_irq irq)
{
    if (LOAM_UNLIKELY(swift_keep(f, held)))
        loam_slab__swift_spill(f, irq);
    else
        loam_port_irq_restore(irq);
}

#endif
