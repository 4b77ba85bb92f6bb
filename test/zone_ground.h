/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_ZONE_GROUND_H
#define LOAM_TEST_ZONE_GROUND_H

/* zone_ground.h - one zone for tests of frames: started anew by each case, looked at after each
 * step.
 *
 *     start(t, 0x1000, FRAMES, true);
 *     loam_pfn a = get(t, 3);
 *     put(t, a);
 *     REFUSED(t, loam_zone_free(zone, a), "double free");
 *
 * Includes the unit's private header, since a test that expects a rule's name has to break it. */
#include "../core/zone_impl.h"
#include "loam/zone.h"
#include "tap.h"

enum { MEM = 512 * 1024, FRAMES = 1 << 17 };

/* `common`: one for all suites in a program, which run one after another. */
extern unsigned char zone_ground_mem[MEM];
__attribute__((common, aligned(64))) unsigned char zone_ground_mem[MEM];
static loam_zone_config config;
static loam_zone *zone;

/* A zone over the given spans of frames, all of them free. */
static inline void start_spans(tap *t, const loam_span *frames, size_t n)
{
    static loam_span ram[8];
    for (size_t i = 0; i < n; i++)
        ram[i] = (loam_span){frames[i].base << LOAM_PAGE_SHIFT, frames[i].len << LOAM_PAGE_SHIFT};
    uint64_t need = loam_zone_measure(ram, n, &config);
    TAP_CHECK(t, need != 0 && need <= MEM);
    for (size_t i = 0; i < MEM; i++)
        zone_ground_mem[i] = 0xa5;
    zone = loam_zone_init(zone_ground_mem, need, false, ram, n, &config);
    TAP_CHECK(t, zone != NULL);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    for (size_t i = 0; i < n; i++)
        TAP_EQ(t, loam_zone_add(zone, loam_pfn_of(frames[i].base), frames[i].len), LOAM_OK);
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static inline void start(tap *t, uint64_t first, uint64_t count, bool fronts)
{
    loam_zone_config_init(&config);
    config.fronts = fronts;
    start_spans(t, &(loam_span){first, count}, 1);
}

static inline loam_pfn get(tap *t, unsigned order)
{
    loam_pfn pfn = loam_zone_alloc(zone, order, 0);
    TAP_CHECK(t, !loam_pfn_is_none(pfn));
    TAP_EQ(t, pfn.v & ((1ULL << order) - 1), 0);
    TAP_EQ(t, loam_zone_order(zone, pfn), order);
    return pfn;
}

static inline void put(tap *t, loam_pfn pfn)
{
    TAP_EQ(t, loam_zone_free(zone, pfn), LOAM_OK);
}

/* Between these two a call is refused with this wording, and nothing changes. */
static uint64_t free_before;

static inline void expect_refusal(tap *t)
{
    free_before = loam_zone_free_pages(zone);
    tap_catch(t);
}

static inline void was_refused(tap *t, loam_err err, const char *text)
{
    TAP_EQ(t, err, LOAM_EINVAL);
    TAP_EQ(t, tap_caught(t), 1);
    TAP_STR(t, t->report.what, text);
    TAP_EQ(t, loam_zone_free_pages(zone), free_before);
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

#define REFUSED(t, call, text) (expect_refusal(t), was_refused(t, call, text))

/* ---- areas: of 64 frames here ---- */

static inline void start_areas(tap *t, const loam_span *frames, size_t n, bool fronts)
{
    loam_zone_config_init(&config);
    config.area_shift = 6;
    config.fronts = fronts;
    config.lowest = true;
    start_spans(t, frames, n);
}

static inline void four_areas(tap *t)
{
    start_areas(t, &(loam_span){0, 256}, 1, false);
}

static inline void expect_largest(tap *t, int largest)
{
    static loam_zone_stats stats;
    loam_zone_stat(zone, &stats);
    TAP_EQ(t, stats.largest, largest);
    uint64_t frames = 0;
    for (unsigned k = 0; k <= LOAM_ZONE_MAX_ORDER; k++)
        frames += stats.blocks[k] << k;
    TAP_EQ(t, frames, stats.free - stats.in_fronts);
    TAP_EQ(t, stats.free, loam_zone_free_pages(zone));
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

#endif
