/* SPDX-License-Identifier: MIT */
/* mallocx.c - the calls with flags, which jemalloc added to malloc's.
 *
 * WHAT   A program made for jemalloc's shared library asks it for some blocks with mallocx and
 *        frees them with free, or the other way round: redis-server 8 does. With another malloc
 *        preloaded it would free blocks of the one in the other. So these are here, too.
 *
 *            mallocx, rallocx, xallocx, sallocx, dallocx, sdallocx, nallocx       ours
 *            mallctl, malloc_stats_print and others               jemalloc's: they take no block
 * MODEL  Of the flags the alignment and `zero` count. Which of jemalloc's caches or arenas a block
 *        shall come from is not heeded: here are none. xallocx leaves each block as it is, which it
 *        may: it says what the size is.
 * LOCKS  None of its own.
 * COST   As malloc, realloc and free; aligned blocks always move in rallocx.
 * FROM   jemalloc(3), "Non-standard API"
 * NOT    The static library: who links that links no jemalloc.
 */
#include "plain_paths.h"
#include "watch.h"

enum {
    FLAG_ALIGN = 0x3f, /* the logarithm of an alignment */
    FLAG_ZERO = 0x40
};

void *mallocx(size_t size, int flags);
void *rallocx(void *p, size_t size, int flags);
size_t xallocx(void *p, size_t size, size_t extra, int flags);
size_t sallocx(const void *p, int flags);
void dallocx(void *p, int flags);
void sdallocx(void *p, size_t size, int flags);
size_t nallocx(size_t size, int flags);

static size_t flag_align(int flags)
{
    size_t align = (size_t)1 << ((unsigned)flags & FLAG_ALIGN) % (8 * sizeof(size_t));
    return align < PROCESS_ALIGN ? PROCESS_ALIGN : align;
}

/* All that may be used of a block reads 0 from `from` on. */
static void *clear_from(void *p, size_t from, const void *caller)
{
    size_t to = usable_for(p, caller);
    if (to > from)
        __builtin_memset((unsigned char *)p + from, 0, to - from);
    return p;
}

static void *flagged_alloc(size_t size, int flags, const void *caller)
{
    size_t align = flag_align(flags);
    bool zero = ((unsigned)flags & FLAG_ZERO) != 0;
    if (align != PROCESS_ALIGN) {
        void *p = aligned_for(align, size, caller);
        return zero ? clear_from(p, 0, caller) : p;
    }
    return zero ? clear_from(slow_alloc(size, align, true, caller), size, caller)
                : malloc_for(size, caller);
}

/* A block where realloc would put one may not be aligned so. */
static void *move_aligned(void *p, size_t size, int flags, const void *caller)
{
    void *q = flagged_alloc(size, flags, caller);
    if (q == NULL)
        return NULL;
    size_t old = usable_for(p, caller);
    __builtin_memcpy(q, p, old < size ? old : size);
    free_for(p, caller);
    return q;
}

PRELOAD_EXPORT void *mallocx(size_t size, int flags)
{
    return flagged_alloc(size, flags, __builtin_return_address(0));
}

PRELOAD_EXPORT void *rallocx(void *p, size_t size, int flags)
{
    const void *caller = __builtin_return_address(0);
    if (p == NULL || size == 0)
        return p == NULL ? flagged_alloc(size, flags, caller) : NULL;
    if (flag_align(flags) > PROCESS_ALIGN)
        return move_aligned(p, size, flags, caller);
    size_t old = usable_for(p, caller);
    void *q = realloc_for(p, size, caller);
    return ((unsigned)flags & FLAG_ZERO) != 0 ? clear_from(q, old, caller) : q;
}

PRELOAD_EXPORT size_t xallocx(void *p, size_t size, size_t extra, int flags)
{
    (void)size;
    (void)extra;
    (void)flags;
    return usable_for(p, __builtin_return_address(0));
}

PRELOAD_EXPORT size_t sallocx(const void *p, int flags)
{
    (void)flags;
    return usable_for(p, __builtin_return_address(0));
}

PRELOAD_EXPORT void dallocx(void *p, int flags)
{
    (void)flags;
    free_for(p, __builtin_return_address(0));
}

PRELOAD_EXPORT void sdallocx(void *p, size_t size, int flags)
{
    (void)flags;
    free_sized_for(p, size, __builtin_return_address(0));
}

/* What sallocx would say, or less: blocks beyond a class are as long as whole pages or longer. */
PRELOAD_EXPORT size_t nallocx(size_t size, int flags)
{
    size_t align = flag_align(flags);
    if (size > PROCESS_MOST || align > PROCESS_MOST)
        return 0;
    const loam_kmalloc *k = process_kmalloc();
    const loam_cache *c = k != NULL && size != 0 ? kmalloc_aligned_class(k, size, align) : NULL;
    return c != NULL ? c->stride : size;
}
