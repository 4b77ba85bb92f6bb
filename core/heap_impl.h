/* SPDX-License-Identifier: MIT */
#ifndef LOAM_HEAP_IMPL_H
#define LOAM_HEAP_IMPL_H

/* heap_impl.h - what the files of the heap share: the marks. The theory is at the top of heap.c. */
#include "loam/heap.h"
#include "loam/port.h"

static inline bool heap_is_marked(const loam_heap *h, uint64_t at)
{
    return (h->mark[0][at >> 6] >> (at & 63) & 1) != 0;
}

static inline bool heap_is_free(const loam_heap *h, uint64_t at)
{
    return at < h->count && loam_buddy_find(&h->buddy, h->first + at, NULL, NULL);
}

static inline void heap_mark(loam_heap *h, uint64_t at)
{
    for (unsigned l = 0; l < h->levels; l++, at >>= 6) {
        uint64_t *word = &h->mark[l][at >> 6], before = *word;
        *word |= 1ULL << (at & 63);
        if (before != 0)
            return;
    }
}

static inline void heap_unmark(loam_heap *h, uint64_t at)
{
    for (unsigned l = 0; l < h->levels; l++, at >>= 6) {
        uint64_t *word = &h->mark[l][at >> 6];
        *word &= ~(1ULL << (at & 63));
        if (*word != 0)
            return;
    }
}

/* The first mark at or behind `at`, which is at most count: there is always one at count. */
static inline uint64_t heap_next(const loam_heap *h, uint64_t at)
{
    unsigned l = 0;
    uint64_t word = h->mark[0][at >> 6] & ~loam_mask64(at & 63);
    while (word == 0) {
        at = (at >> 6) + 1;
        l++;
        word = h->mark[l][at >> 6] & ~loam_mask64(at & 63);
    }
    for (;;) {
        at = (at & ~63ULL) + loam_ctz64(word);
        if (l == 0)
            return at;
        word = h->mark[--l][at];
        at <<= 6;
    }
}

static inline void *heap_address(const loam_heap *h, uint64_t at)
{
    return (void *)(uintptr_t)((h->first + at) * LOAM_HEAP_GRAIN);
}

#endif
