/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_ASPACE_START_H
#define LOAM_TEST_ASPACE_START_H

/* aspace_start.h - begin and end of a test of one address space on the machine of
 * aspace_ground.h. */
#include "aspace_ground.h"
#include "tap.h"

enum {
    PAGE = LOAM_PAGE_SIZE,
    W = LOAM_PT_WRITE,
    X = LOAM_PT_EXEC,
    FIXED = LOAM_ASPACE_FIXED,
    STACK = LOAM_ASPACE_STACK,
    GUARD = LOAM_ASPACE_GUARD,
    TEXT = 0x400000,
    HEAP = 0x800000,
    TOP = 0x40000000 /* where stacks end */
};

static const loam_pt_format *const formats[] = {&loam_pt_i386, &loam_pt_x86_64, &loam_pt_aarch64};
enum { FORMATS = 3 };

static loam_aspace *as;

static inline void rules(tap *t)
{
    TAP_RULE(t, loam_aspace_world_check(ground.world), NULL);
    TAP_EQ(t, ground.windows, 0);
}

/* A machine with one empty space. */
static inline void begin_with(tap *t, const loam_pt_format *format)
{
    TAP_CHECK(t, ground_start(format));
    as = loam_aspace_create(ground.world);
    TAP_CHECK(t, as != NULL);
    rules(t);
}

static inline void begin(tap *t)
{
    begin_with(t, &loam_pt_i386);
}

/* Everything goes back: frames, tables, memory of the unit. */
static inline void end(tap *t)
{
    rules(t);
    if (as != NULL)
        loam_aspace_destroy(as);
    as = NULL;
    TAP_RULE(t, loam_zone_check(ground.zone), NULL);
    TAP_EQ(t, ground_frames_out(), 0);
    TAP_EQ(t, ground.table.out, ground.kernel.tables);
    TAP_RULE(t, loam_pt_check(&ground.kernel), NULL);
    TAP_EQ(t, loam_aspace_world_fini(ground.world), LOAM_OK);
    TAP_EQ(t, ground.unit.out, 0);
}

static inline loam_err map(uint64_t addr, uint64_t len, unsigned flags)
{
    uint64_t at = 0;
    loam_err err = loam_aspace_map(as, addr, len, flags | FIXED, "test", &at);
    return err == LOAM_OK && at != addr ? LOAM_ENOENT : err;
}

static inline loam_aspace_stats stats_of(loam_aspace *space)
{
    loam_aspace_stats stats;
    loam_aspace_stat(space, &stats);
    return stats;
}

static inline loam_aspace_verdict look(uint64_t va)
{
    return loam_aspace_fault(as, va, LOAM_ACCESS_READ);
}

#endif
