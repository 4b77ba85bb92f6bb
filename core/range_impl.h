/* SPDX-License-Identifier: MIT */
#ifndef LOAM_RANGE_IMPL_H
#define LOAM_RANGE_IMPL_H

/* range_impl.h - what the operations of a range and its check both read off a tag. */
#ifndef LOAM_RANGE_H /* as in range.h */
#include "loam/range.h"
#endif

static inline uint64_t range_last(const loam_range_tag *t)
{
    return t->base + (t->len - 1);
}

static inline uint64_t range_free_len(const loam_range_tag *t)
{
    return t->taken ? 0 : t->len;
}

static inline bool range_is_whole(const loam_range *r, uint64_t v)
{
    return (v & (r->quantum - 1)) == 0;
}

static inline bool range_is_of_array(const loam_range *r, const loam_range_tag *t)
{
    return (uintptr_t)t - (uintptr_t)r->array < r->array_count * sizeof *t;
}

static inline unsigned range_height(const loam_range_tag *t)
{
    return t != NULL ? t->height : 0;
}

static inline uint64_t range_largest_in(const loam_range_tag *t)
{
    return t != NULL ? t->largest : 0;
}

static inline uint64_t range_sum_largest(const loam_range_tag *t)
{
    uint64_t largest = range_free_len(t);
    uint64_t low = range_largest_in(t->child[0]), high = range_largest_in(t->child[1]);
    if (low > largest)
        largest = low;
    return high > largest ? high : largest;
}

static inline unsigned range_sum_height(const loam_range_tag *t)
{
    unsigned low = range_height(t->child[0]), high = range_height(t->child[1]);
    return 1 + (low > high ? low : high);
}

#endif
