/* SPDX-License-Identifier: MIT */
/* preload_realloc.c - sizes of blocks, and realloc.
 *
 * WHAT   What the C and POSIX standards and glibc's headers promise, and no more.
 * MODEL  A block of the thread's own front stays where it is or goes to another class at once; a
 *        block of a range is its kmalloc's to resize, in place or with its pages carried along; a
 *        huge one is remapped; from one kind of memory to the other the bytes are copied.
 * LOCKS  None of its own.
 * COST   In place about a pair; O(bytes) where they are copied.
 * FROM   -
 * NOT    -
 */
#define _GNU_SOURCE
#include "loam_libc.h"
#include "plain_paths.h"
#include "watch.h"

#include <errno.h>
#include <stdlib.h>

size_t usable_for(const void *p, const void *caller)
{
    if (p == NULL)
        return 0;
    return process_is_watched() ? watch_size(p, caller) : process_size(p, caller);
}

PRELOAD_EXPORT size_t malloc_usable_size(void *p)
{
    return usable_for(p, __builtin_return_address(0));
}

/* A block that goes from one kind of memory to the other. */
static void *move(void *p, size_t old, size_t size, const void *caller)
{
    void *q = slow_alloc(size, PROCESS_ALIGN, false, caller);
    if (q == NULL)
        return NULL;
    __builtin_memcpy(q, p, old < size ? old : size);
    general_free(p, caller);
    return q;
}

/* Where the modes are those of `hardened`: a block of this thread's becomes one of another class;
 * what was written around it the free tells. NULL: not so easy, and nothing has changed. */
static void *hard_realloc(const loam_kmalloc *k, void *p, size_t size, const void *caller)
{
    size_t room = 0, old = swift_size(k->slabs, p, k, &room);
    if (old == 0 || size > k->max || kmalloc_stays(room, old, size))
        return NULL;
    void *q = loam__process.hard->alloc(size, thread_stack[front_place(size)], caller);
    if (q == NULL)
        return NULL;
    __builtin_memcpy(q, p, old < size ? old : size);
    loam__process.hard->free(p, caller);
    return q;
}

static void *resize(void *p, size_t size, const void *caller)
{
    if (process_is_watched())
        return watch_realloc(p, size, caller);
    void *quick =
        process_hard() != NULL ? hard_realloc(loam__process.swift, p, size, caller) : NULL;
    if (quick != NULL)
        return quick;
    process_range *r = process_range_of(p);
    if (r != NULL && size < process_huge_from()) {
        void *q = loam_kmalloc__realloc(r->kmalloc, p, size, caller);
        if (q != NULL)
            return q;
    }
    slab_place at;
    size_t old = process_size(p, caller);
    if (old == 0 && (r == NULL || !process_place_of(r, p, &at))) /* not a block without bytes */
        return NULL;
    void *q = r == NULL && size >= process_huge_from() ? huge_realloc(p, size) : NULL;
    if (q == NULL && r == NULL && size >= PROCESS_HUGE && promise_close_all())
        q = huge_realloc(p, size);
    /* mremap moves no block that has become several mappings: somebody locked or advised a part */
    return q != NULL ? q : move(p, old, size, caller);
}

/* A plain block of this thread's becomes one of this size. NULL: not so easy, and nothing has
 * changed. */
LOAM_INLINE void *fast_realloc(void *p, size_t size, const void *caller)
{
    const loam_kmalloc *k = process_kmalloc();
    uintptr_t off = (uintptr_t)p - loam__process.base;
    size_t room = k != NULL && off < loam__process.len ? slab_stack_room(k->slabs, off) : 0;
    if (room == 0)
        return NULL;
    if (kmalloc_stays(room, room, size))
        return p;
    void *q;
    slab_desc *far;
    if (!fast_alloc(size, &q) && !next_alloc(size, &q))
        return NULL;
    __builtin_memcpy(q, p, room < size ? room : size);
    if (LOAM_UNLIKELY(!fast_free(p, &far)))
        far_free(p, far, caller);
    return q;
}

LOAM_INLINE void *reallocate(void *p, size_t size, const void *caller)
{
    size += !LIBC_REALLOC_FREES && size == 0;
    void *quick = p == NULL || size == 0 ? NULL : fast_realloc(p, size, caller);
    if (quick != NULL)
        return quick;
    slab_stack *face;
    if (p == NULL)
        return fast_alloc_of(size, &face, &p) ? p : next_or_large(size, face, caller);
    if (size == 0) {
        general_free(p, caller);
        return NULL;
    }
    int before = errno;
    void *q = size > PROCESS_MOST ? NULL : resize(p, size, caller);
    errno = q != NULL ? before : ENOMEM;
    return q;
}

void *realloc_for(void *p, size_t size, const void *caller)
{
    return reallocate(p, size, caller);
}

PRELOAD_EXPORT void *realloc(void *p, size_t size)
{
    return reallocate(p, size, __builtin_return_address(0));
}

PRELOAD_EXPORT void *reallocarray(void *p, size_t n, size_t size)
{
    uint64_t bytes;
    if (loam_mul_overflows(n, size, &bytes) || bytes > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc_for(p, (size_t)bytes, __builtin_return_address(0));
}
