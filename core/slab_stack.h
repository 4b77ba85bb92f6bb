/* SPDX-License-Identifier: MIT */
#ifndef LOAM_SLAB_STACK_H
#define LOAM_SLAB_STACK_H

/* slab_stack.h - allocations and frees of caches with stacks, inlined where they are called. The
 * theory is at the top of slab_stack.c.
 */
#include "slab_internal.h"

/* Takes the slot that was pushed last; false: none waits, or the stack is not on. Interrupts are
 * off. */
LOAM_INLINE bool slab_stack_pop(slab_stack *k, void **object)
{
    if (k->slab != NULL)
        return false;
    slab_held *top = k->top;
    void *at = top->at;
    if (LOAM_UNLIKELY(at == NULL))
        return false;
    uint64_t where = top->where, *word = slab_held_word(where), w = *word;
    k->top = top - 1;
    /* no order: others look, see slab_slot_is_free */
    loam_atomic_poke64(word, w & ~(1ULL << (where & 63)));
    *object = at;
    return true;
}

/* Takes the lowest free slot of the current word, or what was pushed last; false: there is neither.
 * Interrupts are off. */
LOAM_INLINE bool slab_stack_take(slab_stack *k, void **object)
{
    uint64_t *word = k->word, w = *word;
    if (w == 0)
        return slab_stack_pop(k, object);
    slab_desc *d = k->slab;
    loam_atomic_poke64(word, w & (w - 1)); /* no order: as above */
    slab_head_of(d)->used++;
    uint32_t first = (uint32_t)((uintptr_t)word - (uintptr_t)d->words) * 8;
    *object = d->base + (first + loam_ctz64(w)) * k->stride;
    return true;
}

/* [own] A slot that was out waits on the stack, or is free, as that is full. */
LOAM_INLINE slab_put slab_stack_push(slab_desc *d, void *p, uint64_t *word, uint32_t slot)
{
    slab_stack *k = slab_stack_at(slab_owner_of(d));
    slab_held *top = k->top;
    if (LOAM_LIKELY(top != k->limit)) {
        k->top = top + 1;
        k->pushes++;
        top[1] = (slab_held){p, slab_held_where(word, slot)};
        return SLAB_PUT;
    }
    k->misses++;
    slab_head *head = slab_head_of(d);
    if (LOAM_UNLIKELY(--head->used == 0 || head->any == 0))
        return SLAB_PUT_SETTLE;
    head->any |= 1ULL << (slot >> 6);
    return SLAB_PUT;
}

/* The slot that starts at p is free from now on, of a slab of this processor's and a cache with
 * stacks: it waits on the stack or, where that is not on, its word is the current one. REFUSED:
 * there is no such slot, or it is free already; then nothing has changed. *desc: what the address's
 * descriptor is. SETTLE: done, and *desc and *at are for loam_slab__settle. Interrupts are off, p
 * is inside the window. */
LOAM_INLINE slab_put slab_stack_put(const loam_slabs *s, void *p, uintptr_t off, slab_desc **desc,
                                    uint64_t **at)
{
    slab_desc *d = *desc = slab_desc_at(s, off);
    uint64_t x = (uint64_t)(uint32_t)((uintptr_t)p - (uintptr_t)d->base) * d->recip;
    uintptr_t slot = (uintptr_t)(x >> 32); /* as wide as it is used */
    if (LOAM_UNLIKELY(!slab_is_here(d))) {
        if (!slab_is_stacked_here(d) || (uint32_t)x > d->bound)
            return SLAB_PUT_REFUSED;
        uint64_t *word = d->words + (slot >> 6), w = *word, next = w | 1ULL << (slot & 63);
        if (LOAM_UNLIKELY(next == w))
            return SLAB_PUT_REFUSED;
        LOAM_PORT_NOTE_FREE(slab_cache_of(d), p, slab_cache_of(d)->size);
        loam_atomic_poke64(word, next); /* no order: as above */
        *at = word;
        return slab_stack_push(d, p, word, (uint32_t)slot);
    }
    if (LOAM_UNLIKELY((uint32_t)x > d->bound))
        return SLAB_PUT_REFUSED;
    slab_front *f = slab_owner_of(d);
    slab_stack *k = slab_stack_at(f);
    uint64_t *words = d->words, *word = words + (slot >> 6), w = *word,
             next = w | 1ULL << (slot & 63);
    slab_head *head = (slab_head *)(void *)words - 1;
    if (LOAM_UNLIKELY(next == w)) /* it is free already */
        return SLAB_PUT_REFUSED;
    LOAM_PORT_NOTE_FREE(f->cache, p, f->cache->size);
    loam_atomic_poke64(word, next); /* no order: as above */
    *at = word;
    k->word = word;
    k->slab = d;
    bool empty = --head->used == 0; /* the first question: it is one with the subtraction */
    if (LOAM_UNLIKELY(empty && f->empty != d))
        return SLAB_PUT_SETTLE;
    uint64_t any = head->any;
    if (LOAM_UNLIKELY(any == 0))
        return SLAB_PUT_SETTLE;
    head->any = any | 1ULL << (slot >> 6); /* was it set? nothing asks: chance decides that */
    return SLAB_PUT;
}

/* Bytes of the object that is out and starts at off, of a slab of this processor's and a cache with
 * stacks; 0: there is none such. Interrupts are off, off is inside the window. */
LOAM_INLINE size_t slab_stack_room(const loam_slabs *s, uintptr_t off)
{
    const slab_desc *d = slab_desc_at(s, off);
    uint64_t x = (uint64_t)(uint32_t)(s->base + off - (uintptr_t)d->base) * d->recip;
    if ((!slab_is_here(d) && !slab_is_stacked_here(d)) || (uint32_t)x > d->bound)
        return 0;
    return slab_slot_is_free(d, (unsigned)(x >> 32)) ? 0 : slab_owner_of(d)->stride;
}

#endif
