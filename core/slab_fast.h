/* SPDX-License-Identifier: MIT */
#ifndef LOAM_SLAB_FAST_H
#define LOAM_SLAB_FAST_H

/* slab_fast.h - the ways of most allocations and frees, inlined where they are called: nothing is
 * divided, no lock is taken, no instruction is locked.
 */
#include "slab_stack.h"

/* ---- of this processor's own slabs: nothing is called ---- */

/* Takes the lowest free slot of the current word of a front, this processor's; false when it has
 * none. Interrupts are off. */
static inline bool slab_take_from(slab_front *f, void **object)
{
    uint64_t *word = f->word, w = *word;
    if (LOAM_UNLIKELY(w == 0))
        return false;
    slab_desc *d = f->slab;
    loam_atomic_poke64(word, w & (w - 1)); /* no order: others look, see slab_slot_is_free */
    slab_head_of(d)->used++;
    uint32_t first = (uint32_t)((uintptr_t)word - (uintptr_t)d->words) * 8;
    *object = d->base + (first + loam_ctz64(w)) * f->stride;
    LOAM_PORT_NOTE_ALLOC(f->cache, *object, f->cache->size, f->cache->ctor != NULL);
    return true;
}

/* The same of a cache. */
static inline bool slab_take_fast(loam_cache *c, void **object)
{
    return slab_take_from(slab_front_of(c), object);
}

/* Frees the slot that starts at off, unless it is none, or free already, or not of a slab that this
 * processor owns and that belongs to `base`, a loam_kmalloc or a cache without stacks: then nothing
 * has changed. *desc: what the address's descriptor is. SETTLE: done, and *desc and *at are for
 * loam_slab__settle. Interrupts are off, off is inside the window. */
LOAM_INLINE slab_put slab_put_fast(const loam_slabs *s, uintptr_t off, const void *base,
                                   slab_desc **desc, uint64_t **at)
{
    slab_desc *d = *desc = slab_desc_at(s, off);
    uint64_t x = (uint64_t)(uint32_t)(off & s->mask) * d->recip;
    slab_front *f = slab_owner_of(d);
    if (LOAM_UNLIKELY(!slab_is_here(d) || f->key != (uintptr_t)base || (uint32_t)x > f->bound))
        return SLAB_PUT_REFUSED;
    uint32_t slot = (uint32_t)(x >> 32);
    slab_head *head = slab_head_of(d);
    uint64_t *word = (uint64_t *)(void *)(head + 1) + (slot >> 6), w = *word,
             next = w | 1ULL << (slot & 63);
    if (LOAM_UNLIKELY(next == w)) /* it is free already */
        return SLAB_PUT_REFUSED;
    LOAM_PORT_NOTE_FREE(f->cache, (void *)(s->base + off), f->cache->size);
    loam_atomic_poke64(word, next); /* no order: as above */
    *at = word;
    f->word = word;
    f->slab = d;
    bool empty = --head->used == 0; /* the first question: it is one with the subtraction */
    if (LOAM_UNLIKELY(empty && f->empty != d))
        return SLAB_PUT_SETTLE;
    return LOAM_UNLIKELY(w == 0) ? SLAB_PUT_SETTLE : SLAB_PUT;
}

/* Bytes of the object that is out and starts at off, of a slab that this processor owns and that
 * belongs to `base`; 0: there is none such. Interrupts are off, off is inside the window. */
static inline size_t slab_room_fast(const loam_slabs *s, uintptr_t off, const void *base)
{
    const slab_desc *d = slab_desc_at(s, off);
    uint64_t x = (uint64_t)(uint32_t)(off & s->mask) * d->recip;
    const slab_front *f = slab_owner_of(d);
    if (!slab_is_here(d) || f->key != (uintptr_t)base || (uint32_t)x > f->bound)
        return 0;
    uint32_t slot = (uint32_t)(x >> 32);
    return slab_slot_is_free(d, slot) ? 0 : f->stride;
}

/* ---- of a slab of another processor, whose front is told later ---- */

/* Frees what slab_put_fast refused, from an offset of the window and its descriptor, when it is an
 * object of `base` that another processor's front owns; false: it is not, or was gathered before,
 * or this processor has no fronts; then nothing has changed. All that is read of the slab and of
 * its front is [init], or d->cpu: lines that stay in this processor's cache while the owner works.
 * For layers that are not slow. */
static inline bool slab_put_far(loam_slabs *s, uintptr_t off, const void *base, const slab_desc *d)
{
    uint64_t x = (uint64_t)(uint32_t)(s->base + off - (uintptr_t)d->base) * d->recip;
    const slab_front *f = slab_owner_of(d);
    loam_irq irq = loam_port_irq_save();
    unsigned cpu = loam_port_cpu();
    if (LOAM_UNLIKELY(slab_is_here(d) || slab_is_stacked_here(d) ||
                      f->told_key != (uintptr_t)base || cpu >= s->ncpus ||
                      (uint32_t)x > d->bound)) {
        loam_port_irq_restore(irq);
        return false;
    }
    LOAM_PORT_NOTE_FREE(f->cache, (void *)(s->base + off), f->cache->size);
    uint32_t slot = (uint32_t)(x >> 32);
    slab_cpu *me = &s->cpu[cpu];
    slab_gathered *at = &me->entry[slab_gather_at(d, slot >> 6)];
    uint64_t tag = d->tag | slot >> 6;
    if (LOAM_UNLIKELY(at->tag != tag)) { /* who is offline has no entry */
        loam_port_irq_restore(irq);
        return loam_slab__gather(s, d, f->cache, slot);
    }
    uint64_t bits = at->bits, next = bits | 1ULL << (slot & 63);
    if (LOAM_UNLIKELY(next == bits)) { /* it is gathered already */
        loam_port_irq_restore(irq);
        return false;
    }
    at->bits = next;
    me->room -= f->told_stride;
    if (LOAM_LIKELY(next != UINT64_MAX && (int32_t)me->room >= 0))
        loam_port_irq_restore(irq);
    else
        loam_slab__tell(s, at, irq);
    return true;
}

#endif
