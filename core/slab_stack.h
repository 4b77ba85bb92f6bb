/* SPDX-License-Identifier: MIT */
#ifndef LOAM_SLAB_STACK_H
#define LOAM_SLAB_STACK_H

/* slab_stack.h - allocations and frees of caches with stacks, inlined where they are called. The
 * theory is at the top of slab_stack.c.
 */
#include "slab_internal.h"

/* Takes the slot that was pushed last; false: there is none. Interrupts are off. */
LOAM_INLINE bool slab_stack_take(slab_stack *k, void **object)
{
    slab_held *top = k->top;
    void *at = top->at;
    if (LOAM_UNLIKELY(at == NULL))
        return false;
    uint64_t where = top->where, *wait = slab_held_word(top), w = *wait;
    k->top = top - 1;
    /* no order: others look, see slab_slot_is_free */
    loam_atomic_poke64(wait, w & ~(1ULL << (where & 63)));
    *object = at;
    return true;
}

/* The slot that starts at p, an address of a slab of this processor's and a cache that is stacked,
 * waits from now on. REFUSED: there is none, or it does so already, or is free. SETTLE: it is free,
 * as the stack is full, and loam_slab__settle has the rest. Interrupts are off. */
LOAM_INLINE slab_put slab_stack_put(slab_desc *d, void *p)
{
    uint64_t x = (uint64_t)(uint32_t)((uintptr_t)p - (uintptr_t)d->base) * d->recip;
    unsigned slot = (unsigned)(x >> 32) & 63;
    uint64_t *word = d->words, *wait = word + 1, free = *word, w = *wait;
    slab_front *f = slab_owner_of(d);
    slab_stack *k = slab_stack_at(f);
    slab_held *top = k->top;
    if (LOAM_UNLIKELY((uint32_t)x > f->bound || ((w | free) >> slot & 1) != 0))
        return SLAB_PUT_REFUSED;
    LOAM_PORT_NOTE_FREE(f->cache, p, f->cache->size);
    if (LOAM_UNLIKELY(top == k->limit)) {
        slab_head_of(d)->used--;
        loam_atomic_poke64(word, free | 1ULL << slot); /* no order: as above */
        return SLAB_PUT_SETTLE;
    }
    k->top = top + 1;
    top[1] = (slab_held){p, slab_held_where(wait, slot)};
    loam_atomic_poke64(wait, w | 1ULL << slot); /* no order: as above */
    return SLAB_PUT;
}

#endif
