/* SPDX-License-Identifier: MIT */
/* preload_malloc.c - malloc and its family over the process's ranges.
 *
 * WHAT   What the C and POSIX standards and glibc's headers promise, and no more.
 * MODEL  A small request goes straight to the front of its class, whose address the thread keeps
 *        from the first time it asked kmalloc on; all else is told apart in the slow functions:
 *        the process's start, a thread's first call, huge blocks, further ranges, errors.
 *
 *            thread_stack   [16 | 32 | 48 | none | 80 | ... 1024 | 1280 | ... 32768]
 *                             '--> front --> current word      none: not asked yet
 * LOCKS  None of its own.
 * COST   A pair of 64 bytes has 67 instructions, seven less than kmalloc's.
 * FROM   -
 * NOT    -
 */
#define _GNU_SOURCE
#include "loam_libc.h"
#include "plain_paths.h"
#include "watch.h"

#include <errno.h>
#include <stdlib.h>

/* ---- allocation ---- */

/* What the front has elsewhere, and what the first range keeps, is given out without a look at
 * errno. */
LOAM_NOINLINE void *plain_alloc(size_t size, const void *caller)
{
    void *p;
    return LOAM_LIKELY(next_alloc(size, &p)) ? p : general_alloc(size, caller);
}

PRELOAD_EXPORT void *malloc(size_t size)
{
    void *p;
    slab_stack *face;
    if (LOAM_LIKELY(fast_alloc_of(size, &face, &p)))
        return p;
    return next_or_large(size, face, __builtin_return_address(0));
}

void *malloc_for(size_t size, const void *caller)
{
    void *p;
    slab_stack *face;
    return LOAM_LIKELY(fast_alloc_of(size, &face, &p)) ? p : next_or_large(size, face, caller);
}

PRELOAD_EXPORT void *calloc(size_t n, size_t size)
{
    uint64_t bytes;
    if (loam_mul_overflows(n, size, &bytes) || bytes > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    void *p;
    slab_stack *face;
    if (fast_alloc_of((size_t)bytes, &face, &p) || next_alloc((size_t)bytes, &p))
        return __builtin_memset(p, 0, (size_t)bytes);
    const hard_calls *hard = process_hard();
    if (hard != NULL && swift_is_ready(swift_front(face))) /* it reads 0 */
        return hard->alloc((size_t)bytes, face, __builtin_return_address(0));
    return slow_alloc((size_t)bytes, PROCESS_ALIGN, true, __builtin_return_address(0));
}

/* A plain block of a class that is aligned so, a power of two: see kmalloc_aligned_class. */
LOAM_INLINE bool fast_aligned(size_t align, size_t size, void **p)
{
    if (size > KMALLOC_MAX || align > KMALLOC_MAX)
        return false;
    size = kmalloc_aligned_size(size, align);
    return fast_alloc(size, p) || next_alloc(size, p);
}

/* Slots are aligned to PROCESS_ALIGN. */
static LOAM_NOINLINE void *hard_aligned(size_t align, size_t size, const hard_calls *hard,
                                        const void *caller)
{
    const loam_kmalloc *k = loam__process.swift;
    size_t room = kmalloc_moved_size(size, align);
    void *p = NULL;
    if (align <= PROCESS_ALIGN)
        return malloc_for(size, caller);
    if (room <= k->max &&
        (p = hard->aligned(size, align, thread_stack[front_place(room)])) == NULL &&
        (p = kmalloc_take_swift_aligned(k, size, align)) != NULL)
        swift_keep_face(k, room);
    return p != NULL ? p : slow_alloc(size, align, false, caller);
}

LOAM_INLINE void *aligned(size_t align, size_t size, const void *caller)
{
    void *p;
    if (fast_aligned(align, size, &p))
        return p;
    const hard_calls *hard = process_hard();
    if (hard != NULL)
        return hard_aligned(align, size, hard, caller);
    return slow_alloc(size, align < PROCESS_ALIGN ? PROCESS_ALIGN : align, false, caller);
}

void *aligned_for(size_t align, size_t size, const void *caller)
{
    return loam_is_pow2(align) ? aligned(align, size, caller) : NULL;
}

PRELOAD_EXPORT int posix_memalign(void **out, size_t align, size_t size)
{
    if (!loam_is_pow2(align) || align % sizeof(void *) != 0)
        return EINVAL;
    void *p = aligned(align, size, __builtin_return_address(0));
    if (p == NULL)
        return ENOMEM; /* errno says so, too, as glibc's does */
    *out = p;
    return 0;
}

PRELOAD_EXPORT void *aligned_alloc(size_t align, size_t size)
{
    if (!loam_is_pow2(align)) {
        errno = EINVAL;
        return NULL;
    }
    return aligned(align, size, __builtin_return_address(0));
}

/* Any alignment is rounded up to a power of two, as glibc does. */
PRELOAD_EXPORT void *memalign(size_t align, size_t size)
{
    if (align > SIZE_MAX / 2 + 1) {
        errno = EINVAL;
        return NULL;
    }
    return aligned(align <= 1 ? 1 : (size_t)1 << loam_log2_ceil(align), size,
                   __builtin_return_address(0));
}

PRELOAD_EXPORT void *valloc(size_t size)
{
    return aligned(loam_pages_page(), size, __builtin_return_address(0));
}

PRELOAD_EXPORT void *pvalloc(size_t size)
{
    size_t page = loam_pages_page();
    uint64_t whole;
    if (loam_align_up_overflows(size == 0 ? 1 : size, page, &whole) || whole > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    return aligned(page, (size_t)whole, __builtin_return_address(0));
}
