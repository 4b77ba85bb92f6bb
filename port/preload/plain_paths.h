/* SPDX-License-Identifier: MIT */
#ifndef LOAM_PLAIN_PATHS_H
#define LOAM_PLAIN_PATHS_H

/* plain_paths.h - malloc and free where no mode is on: what belongs to the thread's own fronts, at
 * once. Compiled into each of the functions that programs call; what it leaves is a function of
 * preload_malloc.c or preload_free.c.
 */
#include "hard_paths.h"

/* Is p a block of the range, and where? */
static inline bool process_place_of(const process_range *r, const void *p, slab_place *at)
{
    return loam_slab__find(r->slabs, p, r->kmalloc, NULL, at) == SLAB_FINE;
}

/* Of classes beyond the table the thread keeps the stack of the front in its place. */
LOAM_INLINE bool fast_alloc(size_t size, void **p)
{
    if (LOAM_LIKELY(size - 1 < KMALLOC_TABLE))
        return LOAM_LIKELY(slab_take_from(thread_front[(size - 1) / KMALLOC_STEP], p));
    if (size - 1 >= KMALLOC_MAX)
        return false;
    slab_front *face = thread_front[FRONT_CLASSES + kmalloc_class(size)];
    return LOAM_LIKELY(slab_stack_take((slab_stack *)(void *)face, p));
}
_Static_assert((int)SLAB_STACK_FROM == (int)KMALLOC_TABLE,
               "their classes, and no others, have stacks");

/* A plain block of a class out of another word of the thread's front. */
LOAM_INLINE bool next_alloc(size_t size, void **p)
{
    const loam_kmalloc *k = loam__process.kmalloc;
    if (k == NULL || size - 1 >= k->max)
        return false;
    loam_cache *c = k->cache[kmalloc_class(size)];
    unsigned i = front_place(size);
    if (thread_front[i] == &thread_no_front && thread_has_begun()) {
        slab_front *own = slab_own_front(c, loam_port_cpu());
        if (own != NULL && c->stacked == (size > KMALLOC_TABLE)) {
            thread_front[i] = c->stacked ? (slab_front *)(void *)slab_stack_at(own) : own;
            if (fast_alloc(size, p)) /* who had the number before may have left it a slot */
                return true;
        }
    }
    return loam_slab__refill(c, p);
}

LOAM_INLINE void *next_or_large(size_t size, const void *caller)
{
    const loam_kmalloc *k = loam__process.swift;
    return k != NULL ? loam__process.hard->alloc(k, size, caller) : plain_alloc(size, caller);
}

LOAM_INLINE bool fast_free(void *p, slab_desc **far, const void *caller)
{
    uint64_t *word;
    uintptr_t off = (uintptr_t)p - loam__process.base;
    *far = NULL;
    if (LOAM_UNLIKELY(off >= loam__process.len))
        return false;
    loam_irq irq = loam_port_irq_save();
    slab_put put = slab_put_fast(loam__process.plain, off, true, NULL, far, &word);
    if (put == SLAB_PUT_STACKED)
        plain_free_stacked(p, *far, caller);
    else if (LOAM_UNLIKELY(put == SLAB_PUT_SETTLE))
        (void)loam_slab__settle(*far, word, irq);
    else
        loam_port_irq_restore(irq);
    return LOAM_LIKELY(put != SLAB_PUT_REFUSED);
}

/* far: what fast_free said. */
LOAM_INLINE void far_free(void *p, const slab_desc *far, const void *caller)
{
    const loam_kmalloc *k = loam__process.swift;
    if (k != NULL)
        loam__process.hard->free(k, p, caller);
    else
        plain_free(p, far, caller);
}

#endif
