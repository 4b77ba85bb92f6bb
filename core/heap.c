/* SPDX-License-Identifier: MIT */
/* heap.c - bytes out of a caller's arena, every call bounded.
 *
 * WHAT   Blocks of any size and alignment out of one piece of memory. What is free is known to a
 *        buddy of 16-byte grains; where blocks begin and end, one bit a grain.
 *
 * MODEL  A stretch is a block that is out, or a run of free grains between two blocks, however many
 *        buddy blocks it is made of. The first grain of each stretch is marked; one mark stands
 *        behind the last grain. So a block ends where the next mark is, and no size is written
 *        anywhere.
 *
 *            grains   |A A A . . . . B C C . . . . . . |
 *            marks     1     1       1 1   1            1
 *            buddy           [    ]        [  ][      ]       free bits
 *
 *        Marks have words of words above them, 64 to one, so the next one is found in a step a
 *        level. Alloc takes the smallest power of two that is enough and gives the tail back; free
 *        sets the bits of [p, next mark), and clears the marks between what is free now.
 *
 *            free B:   |A A A . . . . . C C . . . . . . |
 *                       1     1         1   1            1       the mark of B is gone
 *
 *        A request larger than every free power of two may still fit into a stretch that is made of
 *        several: the first LOAM_HEAP_TRIES free stretches are asked.
 *
 * RULES  H1  a bit of a word of marks stands exactly for a word below that is not 0
 *        H2  the first grain and the place behind the last one are marked, nothing beyond is
 *        H3  of two free grains side by side the second is not marked
 *        H4  a free grain behind one that is out is marked, and so is one that is out behind a free
 *            one
 *        H5  `blocks` is the number of marks of grains that are out
 *        B1 .. B6 of the buddy
 *
 * LOCKS  None: the owner's.
 * COST   alloc, free: O(log arena): one buddy operation, and one for each binary piece of the tail
 *        or of the block. Space: about two and a half bits a grain.
 * FROM   Knuth's boundary tags (2.5), kept aside as bits; Ogasawara's half fit and TLSF are the
 *        other way to a bound.
 * NOT    Locks, growing, guards around blocks.
 */
#include "heap_impl.h"

/* ---- places ---- */

static LOAM_NOINLINE void heap_refuse(loam_heap *h, const void *p, const char *what,
                                      const char *state, const void *caller)
{
    loam_report report = {.unit = "heap",
                          .what = what,
                          .object = "address",
                          .value = (uintptr_t)p,
                          .state = state,
                          .name = h->name,
                          .caller = caller};
    h->refusals++;
    loam_port_misuse(&report);
}

/* The grain at which the block at p begins; false after a report when no block does. */
static bool heap_place(loam_heap *h, const void *p, bool freeing, const void *caller, uint64_t *at)
{
    uint64_t address = (uintptr_t)p, grain = address / LOAM_HEAP_GRAIN;
    const char *what = freeing ? "foreign free" : "use of a foreign address", *state = "outside";
    *at = grain - h->first;
    if (grain >= h->first && *at < h->count) {
        if (heap_is_free(h, *at)) {
            what = freeing ? "double free" : "use of a free block";
            state = "free";
        } else if (address % LOAM_HEAP_GRAIN != 0) {
            what = freeing ? "misaligned free" : "use of a misaligned address";
            state = "misaligned";
        } else if (!heap_is_marked(h, *at)) {
            what = freeing ? "inner free" : "use of an address inside a block";
            state = "inner";
        } else {
            return true;
        }
    }
    heap_refuse(h, p, what, state, caller);
    return false;
}

/* ---- taking ---- */

/* Grains [at, at + count) are out from now on, and a block begins there. */
static void heap_begin(loam_heap *h, uint64_t at, uint64_t count)
{
    heap_mark(h, at);
    if (heap_is_free(h, at + count))
        heap_mark(h, at + count);
    if (h->buddy.free_units < h->low_water)
        h->low_water = h->buddy.free_units;
}

/* Takes free grains [at, at + count) as their natural blocks. */
static void heap_take(loam_heap *h, uint64_t at, uint64_t count)
{
    uint64_t unit = h->first + at;
    while (count != 0) {
        unsigned order = loam_natural_order(unit, count);
        (void)loam_buddy_take(&h->buddy, unit, order);
        unit += 1ULL << order;
        count -= 1ULL << order;
    }
}

/* Does the stretch [start, end) hold count grains from a multiple of align on? */
static bool heap_holds(const loam_heap *h, uint64_t start, uint64_t end, uint64_t count,
                       uint64_t align, uint64_t *at)
{
    *at = loam_align_up(h->first + start, align) - h->first;
    return *at < end && count <= end - *at;
}

/* Looks into the first free stretches, for what no single free block of the buddy is large enough
 * for. */
static bool heap_search(loam_heap *h, uint64_t count, uint64_t align, uint64_t *at)
{
    uint64_t start = 0, end;
    for (unsigned tries = 0; tries < LOAM_HEAP_TRIES && start < h->count; start = end) {
        end = heap_next(h, start + 1);
        if (!heap_is_free(h, start))
            continue;
        if (heap_holds(h, start, end, count, align, at)) {
            heap_take(h, *at, count);
            return true;
        }
        tries++;
    }
    return false;
}

static bool heap_get(loam_heap *h, uint64_t count, uint64_t align, uint64_t *at)
{
    uint64_t unit;
    unsigned order = loam_log2_ceil(count < align ? align : count);
    if (loam_buddy_alloc(&h->buddy, order, &unit) != LOAM_OK)
        return heap_search(h, count, align, at);
    if (count < 1ULL << order)
        (void)loam_buddy_free_range(&h->buddy, unit + count, (1ULL << order) - count);
    *at = unit - h->first;
    return true;
}

void *loam_heap_aligned(loam_heap *h, size_t size, size_t align)
{
    uint64_t at, grains = align / LOAM_HEAP_GRAIN, count = size / LOAM_HEAP_GRAIN;
    count += size % LOAM_HEAP_GRAIN != 0;
    if (size == 0 || count > h->count || !loam_is_pow2(align) ||
        !heap_get(h, count, grains == 0 ? 1 : grains, &at)) {
        h->failures++;
        return NULL;
    }
    heap_begin(h, at, count);
    h->blocks++;
    h->allocs++;
    return heap_address(h, at);
}

void *loam_heap_alloc(loam_heap *h, size_t size)
{
    return loam_heap_aligned(h, size, LOAM_HEAP_GRAIN);
}

void *loam_heap_calloc(loam_heap *h, size_t n, size_t size)
{
    uint64_t bytes;
    bool wraps = loam_mul_overflows(n, size, &bytes) || bytes > SIZE_MAX;
    void *p = loam_heap_aligned(h, wraps ? 0 : (size_t)bytes, LOAM_HEAP_GRAIN);
    if (p != NULL)
        __builtin_memset(p, 0, (size_t)bytes);
    return p;
}

/* ---- giving back ---- */

/* Frees [at, end), which is the whole of a block or its tail; only what lies there is out. */
static void heap_release(loam_heap *h, uint64_t at, uint64_t end, const void *caller)
{
    if (loam_buddy_free_range(&h->buddy, h->first + at, end - at) != LOAM_OK) {
        loam_report report = {.unit = "heap",
                              .what = "H4 a mark is missing",
                              .object = "address",
                              .value = (uintptr_t)heap_address(h, at),
                              .name = h->name,
                              .caller = caller};
        loam_port_corrupt(&report);
    }
    if (at != 0 && heap_is_free(h, at - 1))
        heap_unmark(h, at);
    else
        heap_mark(h, at);
    if (heap_is_free(h, end))
        heap_unmark(h, end);
}

static void heap_free_at(loam_heap *h, uint64_t at, const void *caller)
{
    heap_release(h, at, heap_next(h, at + 1), caller);
    h->blocks--;
}

loam_err loam_heap_free(loam_heap *h, void *p)
{
    const void *caller = __builtin_return_address(0);
    uint64_t at;
    if (p == NULL)
        return LOAM_OK;
    if (!heap_place(h, p, true, caller, &at))
        return LOAM_EINVAL;
    heap_free_at(h, at, caller);
    return LOAM_OK;
}

size_t loam_heap_size(loam_heap *h, const void *p)
{
    uint64_t at;
    if (p == NULL || !heap_place(h, p, false, __builtin_return_address(0), &at))
        return 0;
    return (size_t)(heap_next(h, at + 1) - at) * LOAM_HEAP_GRAIN;
}

/* ---- another size ---- */

/* Makes the block [at, end) count grains long without moving it; false: what follows is not free,
 * or not far enough. */
static bool heap_resize(loam_heap *h, uint64_t at, uint64_t end, uint64_t count, const void *caller)
{
    if (count < end - at)
        heap_release(h, at + count, end, caller);
    if (count <= end - at)
        return true;
    if (!heap_is_free(h, end) || heap_next(h, end + 1) - at < count)
        return false;
    heap_take(h, end, at + count - end);
    heap_unmark(h, end);
    heap_begin(h, at, count);
    return true;
}

void *loam_heap_realloc(loam_heap *h, void *p, size_t size)
{
    const void *caller = __builtin_return_address(0);
    uint64_t at, count = size / LOAM_HEAP_GRAIN + (size % LOAM_HEAP_GRAIN != 0);
    if (p == NULL)
        return loam_heap_alloc(h, size);
    if (!heap_place(h, p, size == 0, caller, &at))
        return NULL;
    if (size == 0) {
        heap_free_at(h, at, caller);
        return NULL;
    }
    uint64_t end = heap_next(h, at + 1);
    if (count <= h->count && heap_resize(h, at, end, count, caller))
        return p;
    void *moved = loam_heap_alloc(h, size);
    if (moved != NULL) {
        __builtin_memcpy(moved, p, (size_t)(end - at) * LOAM_HEAP_GRAIN);
        heap_free_at(h, at, caller);
    }
    return moved;
}
