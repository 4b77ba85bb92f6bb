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

/* Long slots wait on stacks that are always on. *face: of a short one, what the thread keeps of the
 * front of its class. */
LOAM_INLINE bool fast_alloc_of(size_t size, slab_stack **face, void **p)
{
    if (LOAM_LIKELY(size - 1 < KMALLOC_TABLE)) {
        *face = thread_stack[(size - 1) / KMALLOC_STEP];
        return LOAM_LIKELY(slab_stack_take(*face, p));
    }
    *face = &thread_no_stack;
    if (size - 1 >= KMALLOC_MAX)
        return false;
    return LOAM_LIKELY(slab_stack_pop(thread_stack[FRONT_CLASSES + kmalloc_class(size)], p));
}

LOAM_INLINE bool fast_alloc(size_t size, void **p)
{
    slab_stack *face;
    return fast_alloc_of(size, &face, p);
}

/* A plain block of a class out of another word of the thread's front. */
LOAM_INLINE bool next_alloc(size_t size, void **p)
{
    const loam_kmalloc *k = process_kmalloc();
    if (k == NULL || size - 1 >= k->max)
        return false;
    loam_cache *c = k->cache[kmalloc_class(size)];
    unsigned i = front_place(size);
    if (LOAM_LIKELY(loam_slab__stack_go_on(thread_stack[i], p)))
        return true;
    if (thread_stack[i] == &thread_no_stack && thread_has_begun()) {
        slab_front *own = slab_own_front(c, loam_port_cpu());
        if (own != NULL && c->stacked) {
            thread_stack[i] = slab_stack_at(own);
            if (fast_alloc(size, p)) /* who had the number before may have left it a slot */
                return true;
        }
    }
    return loam_slab__refill(c, p);
}

/* face: what fast_alloc_of said. */
LOAM_INLINE void *next_or_large(size_t size, slab_stack *face, const void *caller)
{
    const hard_calls *hard = process_hard();
    if (hard == NULL)
        return plain_alloc(size, caller);
    if (size - 1 >= KMALLOC_TABLE && size - 1 < KMALLOC_MAX)
        face = thread_stack[FRONT_CLASSES + kmalloc_class(size)];
    return hard->alloc(size, face, caller);
}

/* As slab_stack_put, of any address; REFUSED: *d is its descriptor, or NULL. SETTLE: the caller
 * passes the rest to loam_slab__settle. */
LOAM_INLINE slab_put fast_put(void *p, slab_desc **d, uint64_t **word, loam_irq *irq)
{
    uintptr_t off = (uintptr_t)p - loam__process.base;
    *d = NULL;
    if (LOAM_UNLIKELY(off >= loam__process.len))
        return SLAB_PUT_REFUSED;
    *irq = loam_port_irq_save();
    slab_put put = slab_stack_put(loam__process.plain, p, off, d, word);
    if (LOAM_LIKELY(put != SLAB_PUT_SETTLE))
        loam_port_irq_restore(*irq);
    return put;
}

LOAM_INLINE bool fast_free(void *p, slab_desc **far)
{
    uint64_t *word;
    loam_irq irq;
    slab_put put = fast_put(p, far, &word, &irq);
    if (LOAM_UNLIKELY(put == SLAB_PUT_SETTLE))
        (void)loam_slab__settle(*far, word, irq);
    return LOAM_LIKELY(put != SLAB_PUT_REFUSED);
}

/* far: what fast_free said. */
LOAM_INLINE void far_free(void *p, const slab_desc *far, const void *caller)
{
    const hard_calls *hard = process_hard();
    if (hard != NULL)
        hard->free(p, caller);
    else
        plain_free(p, far, caller);
}

#endif
