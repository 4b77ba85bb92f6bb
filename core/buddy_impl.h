/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BUDDY_IMPL_H
#define LOAM_BUDDY_IMPL_H

/* buddy_impl.h - how the buddy's files read its words. The theory is at the top of buddy.c. */
#include "loam/buddy.h"

#define BUDDY_PAIRS  0x5555555555555555ULL
#define BUDDY_QUADS  0x1111111111111111ULL
#define BUDDY_BYTES  0x0101010101010101ULL
#define BUDDY_SHORTS 0x0001000100010001ULL
#define BUDDY_LONGS  0x0000000100000001ULL

/* Starts of the aligned runs of 2^k set bits, maximal or not, for k = 0 .. 5. */
typedef struct buddy_runs {
    uint64_t of[LOAM_BUDDY_CLASSES];
} buddy_runs;

static inline buddy_runs buddy_runs_of(uint64_t v)
{
    buddy_runs r;
    r.of[0] = v;
    r.of[1] = v & (v >> 1) & BUDDY_PAIRS;
    r.of[2] = r.of[1] & (r.of[1] >> 2) & BUDDY_QUADS;
    r.of[3] = r.of[2] & (r.of[2] >> 4) & BUDDY_BYTES;
    r.of[4] = r.of[3] & (r.of[3] >> 8) & BUDDY_SHORTS;
    r.of[5] = r.of[4] & (r.of[4] >> 16) & BUDDY_LONGS;
    return r;
}

/* Starts of the maximal runs of 2^k bits. */
static inline uint64_t buddy_maximal(uint64_t v, unsigned k)
{
    buddy_runs r = buddy_runs_of(v);
    if (k == LOAM_BUDDY_CLASSES - 1)
        return r.of[k];
    return r.of[k] & ~(r.of[k + 1] | r.of[k + 1] << (1U << k));
}

/* Index of the word of level l that holds this unit. */
static inline uint64_t buddy_word_index(const loam_buddy *b, unsigned l, uint64_t unit)
{
    return (unit >> (6 * (l + 1))) - b->level[l].first;
}

static inline unsigned buddy_bit(unsigned l, uint64_t unit)
{
    return (unsigned)(unit >> (6 * l)) & 63;
}

/* The bits of level l = order / 6 that a block is made of. */
static inline uint64_t buddy_mask(unsigned l, uint64_t unit, unsigned order)
{
    return loam_mask64(1U << (order - 6 * l)) << buddy_bit(l, unit);
}

static inline bool buddy_is_block(const loam_buddy *b, uint64_t unit, unsigned order)
{
    if (order >= 6 * b->levels || (unit & loam_mask64(order)) != 0 || unit < b->first)
        return false;
    uint64_t offset = unit - b->first;
    return offset < b->count && b->count - offset >= 1ULL << order;
}

/* The level whose bits say that the block is free, or b->levels when it is not wholly free. */
static inline unsigned buddy_level_of_free(const loam_buddy *b, uint64_t unit, unsigned order)
{
    unsigned l = order / 6;
    uint64_t mask = buddy_mask(l, unit, order);
    for (; l < b->levels; l++) {
        if ((b->level[l].word[buddy_word_index(b, l, unit)] & mask) == mask)
            break;
        mask = 1ULL << buddy_bit(l + 1, unit);
    }
    return l;
}

#endif
