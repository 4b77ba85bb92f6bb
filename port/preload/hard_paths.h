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

/* face: the front of the size's class, thread_no_stack where none is known; it has no slot. dress:
 * of a slot that is not brief, or not as it should be. */
LOAM_INLINE void *hard_alloc(size_t size, slab_stack *face, const void *caller,
                             swift_dress_fn *dress)
{
    if (LOAM_LIKELY(swift_is_ready(swift_front(face))))
        return swift_take_from(swift_front(face), size, dress);
    return general_alloc(size, caller);
}

/* Of a front whose slots are long enough for the block to move inside; NULL: it has none. */
LOAM_INLINE void *hard_alloc_aligned(size_t size, size_t align, slab_stack *face)
{
    slab_front *f = swift_front(face);
    return LOAM_LIKELY(swift_is_ready(f)) ? swift_dress_moved(f, swift_take(f).at, size, align)
                                          : NULL;
}

/* What slab_put_swift says is not so easy; called last, so that mostly nothing is kept. */
typedef void hard_put_fn(void *p, const void *caller, swift_place at, loam_irq irq);

typedef struct hard_puts {
    /* of rooms that are short, of up to four turns, a pair; of all others */
    hard_put_fn *some, *mid, *pair, *more;
    hard_put_fn *far, *back;
    void (*again)(void *p, const void *caller); /* of any address */
} hard_puts;

/* A block of this thread's, of a room that is not brief. */
LOAM_INLINE void hard_put_as(void *p, const void *caller, swift_place at, loam_irq irq,
                             swift_undress_fn *undress, hard_puts puts)
{
    swift_put put = swift_put_as(slab_owner_of(at.desc), p, &at, irq, undress);
    if (LOAM_LIKELY(put == SWIFT_PUT))
        return;
    if (put == SWIFT_PUT_SHUT)
        puts.back(p, caller, at, irq);
    else
        puts.again(p, caller);
}

LOAM_INLINE void hard_free(void *p, const void *caller, hard_puts puts)
{
    swift_place at;
    loam_irq irq;
    const loam_kmalloc *k = loam__process.swift;
    swift_put put = slab_put_swift(k->slabs, p, k, &at, &irq);
    if (LOAM_LIKELY(put == SWIFT_PUT))
        return;
    if (put == SWIFT_PUT_MORE) {
        size_t room = slab_owner_of(at.desc)->room;
        if (LOAM_UNLIKELY((uint32_t)at.x > at.desc->bound)) /* it was aligned */
            puts.more(p, caller, at, irq);
        else if (swift_is_short(room))
            puts.some(p, caller, at, irq);
        else if (swift_is_mid(room))
            puts.mid(p, caller, at, irq);
        else if (room == SWIFT_PAIR)
            puts.pair(p, caller, at, irq);
        else
            puts.more(p, caller, at, irq);
    } else if (put == SWIFT_PUT_FAR) {
        puts.far(p, caller, at, irq);
    } else if (put == SWIFT_PUT_SHUT) {
        puts.back(p, caller, at, irq);
    } else {
        puts.again(p, caller);
    }
}

#endif
