/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_RANGE_GROUND_H
#define LOAM_TEST_RANGE_GROUND_H

/* range_ground.h - one range for tests, with tags of an array; looked at after each step.
 *
 *     fresh(0x1000, 0x1000, 8, TAGS);
 *     uint64_t a = alloc(t, 0x10);
 *     give(t, a);
 */
#include "loam/range.h"
#include "tap.h"

enum { TAGS = 64 };

static loam_range_tag tags[TAGS];
static loam_range r;

static inline void fresh(uint64_t base, uint64_t len, uint64_t quantum, size_t count)
{
    loam_range_init(&r, base, len, quantum, tags, count, NULL);
}

static inline uint64_t alloc(tap *t, uint64_t len)
{
    uint64_t at = 1;
    TAP_EQ(t, loam_range_alloc(&r, len, NULL, &at), LOAM_OK);
    TAP_RULE(t, loam_range_check(&r), NULL);
    return at;
}

static inline void give(tap *t, uint64_t base)
{
    TAP_EQ(t, loam_range_free(&r, base, NULL), LOAM_OK);
    TAP_RULE(t, loam_range_check(&r), NULL);
}

static inline loam_err at(uint64_t base, uint64_t len)
{
    return loam_range_alloc_at(&r, base, len);
}

static inline loam_err resize(uint64_t base, uint64_t len)
{
    return loam_range_resize(&r, base, len);
}

#endif
