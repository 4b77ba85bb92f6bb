/* SPDX-License-Identifier: MIT */
#ifndef LOAM_HARD_PATHS_H
#define LOAM_HARD_PATHS_H

/* hard_paths.h - malloc and free where the modes are those of `hardened`: what belongs to the
 * thread's own slabs, at once. Compiled once for each width of a unit (core/slab_swift.h).
 */
#include "../../core/kmalloc_impl.h"
#include "../../core/slab_swift_long.h"
#include "preload.h"

_Static_assert(THREAD_STEPS == KMALLOC_TABLE / KMALLOC_STEP, "the steps of kmalloc's table");
_Static_assert(THREAD_FRONTS - THREAD_STEPS == KMALLOC_CLASSES - 20, "and all classes behind it");

enum { FRONT_CLASSES = THREAD_FRONTS - KMALLOC_CLASSES }; /* the place of class 0, were it there */

/* Of a size that a class holds. */
LOAM_INLINE unsigned front_place(size_t size)
{
    return size <= KMALLOC_TABLE ? (unsigned)(size - 1) / KMALLOC_STEP
                                 : FRONT_CLASSES + kmalloc_class(size);
}

/* dress: of a slot that is not short, or not as it should be. */
LOAM_INLINE void *hard_alloc(const loam_kmalloc *k, size_t size, const void *caller,
                             swift_dress_fn *dress)
{
    slab_stack *face = size - 1 < KMALLOC_MAX ? thread_stack[front_place(size)] : &thread_no_stack;
    if (LOAM_LIKELY(face != &thread_no_stack) && LOAM_LIKELY(swift_is_ready(swift_front(face))))
        return swift_take_from(k->slabs, swift_front(face), size, dress);
    return general_alloc(size, caller);
}

/* What slab_put_swift says is not so easy; called last, so that mostly nothing is kept. */
typedef void hard_put_fn(const loam_kmalloc *k, slab_desc *d, unsigned slot, void *p,
                         const void *caller);

LOAM_INLINE void hard_free(const loam_kmalloc *k, void *p, const void *caller,
                           hard_put_fn *put_long, hard_put_fn *put_far)
{
    slab_desc *d;
    unsigned slot;
    swift_put put = slab_put_swift(k->slabs, p, k, &d, &slot);
    if (LOAM_LIKELY(put == SWIFT_PUT))
        return;
    if (put == SWIFT_PUT_LONG)
        put_long(k, d, slot, p, caller);
    else if (put == SWIFT_PUT_FAR)
        put_far(k, d, slot, p, caller);
    else
        general_free(p, caller);
}

#endif
