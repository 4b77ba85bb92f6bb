/* SPDX-License-Identifier: MIT */
#ifndef LOAM_HEAP_IMPL_H
#define LOAM_HEAP_IMPL_H

/* heap_impl.h - what the files of the heap share: bits and classes. The theory is at the top of
 * heap.c. */
#include "loam/heap.h"
#include "loam/port.h"

static inline bool heap_bit(const uint64_t *words, uint64_t at)
{
    return (words[at >> 6] >> (at & 63) & 1) != 0;
}

static inline bool heap_is_marked(const loam_heap *h, uint64_t at)
{
    return heap_bit(h->mark[0], at);
}

/* Does a free stretch start here? */
static inline bool heap_is_free(const loam_heap *h, uint64_t at)
{
    return heap_bit(h->free, at);
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

/* The last mark at or before `at`: there is always one at 0. */
static inline uint64_t heap_last(const loam_heap *h, uint64_t at)
{
    unsigned l = 0;
    uint64_t word = h->mark[0][at >> 6] & loam_mask64((at & 63) + 1);
    while (word == 0) {
        at >>= 6;
        l++;
        word = h->mark[l][at >> 6] & loam_mask64(at & 63);
    }
    for (;;) {
        at = (at & ~63ULL) + loam_log2_floor(word);
        if (l == 0)
            return at;
        word = h->mark[--l][at];
        at <<= 6;
    }
}

static inline void heap_mark(loam_heap *h, uint64_t at)
{
    for (unsigned l = 0; l < h->levels; l++, at >>= 6) {
        uint64_t *word = &h->mark[l][at >> 6], before = *word;
        *word = before | 1ULL << (at & 63);
        if (before != 0)
            return;
    }
}

static inline void heap_unmark(loam_heap *h, uint64_t at)
{
    for (unsigned l = 0;; l++, at >>= 6) {
        uint64_t *word = &h->mark[l][at >> 6];
        *word &= ~(1ULL << (at & 63));
        if (*word != 0)
            return;
    }
}

/* The end of the stretch that starts in word w. */
static inline uint64_t heap_end_in(const loam_heap *h, uint64_t w, uint64_t start)
{
    uint64_t behind = h->mark[0][w] & (~1ULL << (start & 63));
    return LOAM_LIKELY(behind != 0) ? (w << 6) + loam_ctz64(behind) : heap_next(h, (w + 1) << 6);
}

static inline void *heap_address(const loam_heap *h, uint64_t at)
{
    return (void *)(uintptr_t)((h->first + at) * LOAM_HEAP_GRAIN);
}

/* The class of a length: lengths below 2^fine have one each, then 2^fine share a doubling. The last
 * class has all that is longer. */
static inline unsigned heap_class(unsigned fine, uint64_t length)
{
    unsigned l = loam_log2_floor(length);
    if (l < fine)
        return (unsigned)length - 1;
    unsigned c = (l - fine + 1) * (1U << fine) - 1;
    c += (unsigned)(length >> (l - fine)) & ((1U << fine) - 1);
    return c < LOAM_HEAP_CLASSES ? c : LOAM_HEAP_CLASSES - 1;
}

static inline uint64_t *heap_node(const loam_heap *h, unsigned level, uint64_t i, unsigned class)
{
    return &h->node[level][i * h->kinds + class];
}

/* The first word of `free` in which a stretch of this class starts; there is one. */
static inline uint64_t heap_first_word(const loam_heap *h, unsigned class)
{
    uint64_t w = 0;
    for (unsigned l = h->height; l-- > 0;)
        w = w << 6 | loam_ctz64(*heap_node(h, l, w, class));
    return w;
}

/* The first word of `free` at or behind w below which a stretch of this class starts; false: none.
 */
bool loam_heap__next_word(const loam_heap *h, unsigned class, uint64_t *w);

/* The stretch [at, at + length), whose marks are set, is free from now on; or no more. */
void loam_heap__add(loam_heap *h, uint64_t at, uint64_t length);
void loam_heap__remove(loam_heap *h, uint64_t at, uint64_t length);
/* A free stretch has another place and length: mostly the same word and class. */
void loam_heap__replace(loam_heap *h, uint64_t at, uint64_t length, uint64_t now,
                        uint64_t now_length);

#endif
