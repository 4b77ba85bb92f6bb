/* SPDX-License-Identifier: MIT */
/* zone_area_test.c - a zone of several areas: blocks over them, their reserve, their rules. */
#include "tap.h"
#include "zone_ground.h"

static void areas_join(tap *t)
{
    loam_pfn first;
    unsigned order;
    four_areas(t);
    expect_largest(t, 8);
    loam_pfn a = get(t, 0);
    expect_largest(t, 7);
    TAP_EQ(t, zone->area[0].buddy.free_units, 63);
    TAP_CHECK(t, loam_zone_find_free(zone, loam_pfn_of(200), &first, &order));
    TAP_EQ(t, first.v, 128);
    TAP_EQ(t, order, 7);
    loam_pfn b = get(t, 6);
    TAP_EQ(t, b.v, 64);
    expect_largest(t, 7);
    put(t, a);
    expect_largest(t, 7);
    put(t, b);
    expect_largest(t, 8);
    TAP_CHECK(t, loam_zone_find_free(zone, loam_pfn_of(255), &first, &order));
    TAP_EQ(t, first.v, 0);
    TAP_EQ(t, order, 8);
}

static void blocks_of_areas(tap *t)
{
    static loam_zone_stats stats;
    four_areas(t);
    loam_pfn all = get(t, 8);
    TAP_EQ(t, loam_zone_free_pages(zone), 0);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 0, 0)));
    REFUSED(t, loam_zone_free(zone, loam_pfn_of(64)), "free of an inner frame");
    REFUSED(t, loam_zone_free_order(zone, all, 6), "free with the wrong order");
    put(t, all);
    REFUSED(t, loam_zone_free(zone, all), "double free");
    loam_zone_stat(zone, &stats);
    TAP_EQ(t, stats.low_water, 0);
    TAP_EQ(t, stats.blocks[8], 1);
    TAP_EQ(t, stats.areas, 4);
    loam_pfn half = get(t, 7);
    TAP_EQ(t, loam_zone_split(zone, half), LOAM_OK);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    for (uint64_t i = 0; i < 128; i++)
        TAP_EQ(t, loam_zone_free_order(zone, loam_pfn_of(half.v + i), 0), LOAM_OK);
    expect_largest(t, 8);
}

static void exact_over_areas(tap *t)
{
    four_areas(t);
    for (uint64_t n = 60; n <= 256; n += 7) {
        loam_pfn pfn = loam_zone_alloc_exact(zone, n, 0);
        TAP_CHECK(t, !loam_pfn_is_none(pfn));
        TAP_EQ(t, loam_zone_free_pages(zone), 256 - n);
        TAP_RULE(t, loam_zone_check(zone), NULL);
        put(t, pfn);
        expect_largest(t, 8);
    }
}

static void places_over_areas(tap *t)
{
    four_areas(t);
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(60), 100, 0), LOAM_OK);
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(150), 100, 0), LOAM_EBUSY);
    TAP_EQ(t, loam_zone_free_pages(zone), 156);
    expect_largest(t, 6);
    TAP_EQ(t, loam_zone_reserve(zone, loam_pfn_of(170), 86), LOAM_OK);
    TAP_EQ(t, loam_zone_reserve(zone, loam_pfn_of(40), 200), LOAM_EBUSY);
    TAP_EQ(t, loam_zone_add(zone, loam_pfn_of(169), 87), LOAM_EBUSY);
    TAP_EQ(t, loam_zone_add(zone, loam_pfn_of(170), 87), LOAM_EINVAL);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    TAP_EQ(t, loam_zone_add(zone, loam_pfn_of(170), 86), LOAM_OK);
    put(t, loam_pfn_of(60));
    expect_largest(t, 8);
}

static void ranges_over_areas(tap *t)
{
    four_areas(t);
    TAP_EQ(t, loam_zone_alloc_range(zone, 3, loam_pfn_of(70), loam_pfn_of(0), 0).v, 72);
    TAP_EQ(t, loam_zone_alloc_range(zone, 7, loam_pfn_of(1), loam_pfn_of(0), 0).v, 128);
    TAP_CHECK(t,
              loam_pfn_is_none(loam_zone_alloc_range(zone, 6, loam_pfn_of(1), loam_pfn_of(0), 0)));
    TAP_EQ(t, loam_zone_alloc_range(zone, 6, loam_pfn_of(0), loam_pfn_of(64), 0).v, 0);
    put(t, loam_pfn_of(0));
    put(t, loam_pfn_of(72));
    TAP_CHECK(
        t, loam_pfn_is_none(loam_zone_alloc_range(zone, 7, loam_pfn_of(0), loam_pfn_of(127), 0)));
    TAP_EQ(t, loam_zone_alloc_range(zone, 7, loam_pfn_of(0), loam_pfn_of(128), 0).v, 0);
    put(t, loam_pfn_of(0));
    put(t, loam_pfn_of(128));
    expect_largest(t, 8);
}

/* Two runs whose areas are numbered in a row: what lies between is RAM of nobody. */
static void runs_do_not_join(tap *t)
{
    static const loam_span frames[] = {{64, 64}, {4096, 128}, {1 << 20, 256}, {1 << 21, 1}};
    static const loam_span alike[] = {{0, 128}, {4096, 128}};
    start_areas(t, alike, 2, false);
    expect_largest(t, 7);
    start_areas(t, frames, 4, false);
    expect_largest(t, 8);
    TAP_EQ(t, get(t, 8).v, 1 << 20);
    expect_largest(t, 7);
    TAP_EQ(t, get(t, 7).v, 4096);
    expect_largest(t, 6);
    TAP_EQ(t, get(t, 6).v, 64);
    TAP_EQ(t, get(t, 0).v, 1 << 21);
    TAP_EQ(t, loam_zone_free_pages(zone), 0);
    put(t, loam_pfn_of(64));
    put(t, loam_pfn_of(4096));
    expect_largest(t, 7);
    put(t, loam_pfn_of(1 << 20));
    expect_largest(t, 8);
    TAP_EQ(t, loam_zone_state(zone, loam_pfn_of((1 << 21) + 1)), LOAM_FRAME_OUTSIDE);
    TAP_EQ(t, loam_zone_state(zone, loam_pfn_of(~0ULL)), LOAM_FRAME_OUTSIDE);
}

static void lowest_of_all_areas(tap *t)
{
    four_areas(t);
    for (uint64_t first = 0; first < 256; first += 64)
        TAP_EQ(t, get(t, 6).v, first);
    put(t, loam_pfn_of(64));
    TAP_EQ(t, get(t, 5).v, 64);
    TAP_EQ(t, loam_zone_split(zone, loam_pfn_of(192)), LOAM_OK);
    put(t, loam_pfn_of(192 + 9));
    TAP_EQ(t, get(t, 0).v, 192 + 9); /* not cut from the larger one, although that lies lower */
    TAP_EQ(t, loam_zone_split(zone, loam_pfn_of(0)), LOAM_OK);
    for (uint64_t i = 0; i < 32; i++)
        put(t, loam_pfn_of(i));
    TAP_EQ(t, get(t, 0).v, 0); /* of two that are as large the lower */
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

/* No area is large enough for the reserve but a whole one: that one joins no other. */
static void reserve_among_areas(tap *t)
{
    loam_zone_config_init(&config);
    config.area_shift = 6;
    config.reserve = 70;
    start_spans(t, &(loam_span){0, 256}, 1);
    expect_largest(t, 7);
    uint64_t n = 0;
    while (!loam_pfn_is_none(loam_zone_alloc(zone, 0, 0)))
        n++;
    TAP_EQ(t, n, 186);
    for (n = 0; !loam_pfn_is_none(loam_zone_alloc(zone, 0, LOAM_ZONE_ATOMIC));)
        n++;
    TAP_EQ(t, n, 70);
    loam_zone_config_init(&config);
    config.area_shift = 6;
    config.reserve = 20;
    start_spans(t, &(loam_span){0, 290}, 1); /* the last 34 keep it */
    expect_largest(t, 8);
    TAP_EQ(t, zone->area[4].reserve, 20);
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(250), 20, 0), LOAM_OK);
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(270), 1, 0), LOAM_EBUSY);
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(270), 1, LOAM_ZONE_ATOMIC), LOAM_OK);
    put(t, loam_pfn_of(250));
    put(t, loam_pfn_of(270));
    expect_largest(t, 8);
}

/* Blocks at a place never have a piece that could not be given back as it is. */
static void pieces_beside_the_reserve(tap *t)
{
    loam_zone_config_init(&config);
    config.area_shift = 6;
    config.reserve = 64;
    start_spans(t, &(loam_span){0, 512}, 1);
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(0), 512, LOAM_ZONE_ATOMIC), LOAM_OK);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    put(t, loam_pfn_of(0));
    expect_largest(t, 8);
    TAP_EQ(t, loam_zone_free_pages(zone), 512);
}

static void broken_areas_are_named(tap *t)
{
    four_areas(t);
    zone->area[2].first++;
    TAP_RULE(t, loam_zone_check(zone), "Z1");
    four_areas(t);
    zone->area[1].first -= 64;
    TAP_RULE(t, loam_zone_check(zone), "Z1");
    four_areas(t);
    TAP_EQ(t, loam_buddy_take(&zone->top->buddy, 2, 0), LOAM_OK); /* free in itself */
    TAP_EQ(t, loam_buddy_free(&zone->area[2].buddy, 128, 6), LOAM_OK);
    TAP_RULE(t, loam_zone_check(zone), "Z7");
    four_areas(t);
    TAP_EQ(t, loam_buddy_free(&zone->area[2].buddy, 128, 0), LOAM_OK); /* free twice */
    TAP_RULE(t, loam_zone_check(zone), "Z7");
    four_areas(t);
    zone->top->area_of[1] = 2;
    TAP_RULE(t, loam_zone_check(zone), "Z7");
    four_areas(t);
    zone->area[1].unit = ZONE_NO_UNIT;
    TAP_RULE(t, loam_zone_check(zone), "Z7");
    four_areas(t);
    zone->section[2] = 3;
    TAP_RULE(t, loam_zone_check(zone), "Z8");
    four_areas(t);
    zone->top->buddy.free_units++;
    TAP_RULE(t, loam_zone_check(zone), "B6");
}

static const tap_case cases[] = {
    {"zone: areas, taken from and given back: the top level joins them", areas_join},
    {"zone: blocks of several areas: out, split, back", blocks_of_areas},
    {"zone_alloc_exact: counts over several areas: tail back, freed whole", exact_over_areas},
    {"zone_alloc_at, zone_reserve, zone_add: over several areas: all or nothing",
     places_over_areas},
    {"zone_alloc_range: limits over several areas: fitting blocks", ranges_over_areas},
    {"zone: runs with holes between: their areas never join", runs_do_not_join},
    {"zone_alloc: lowest: the smallest sufficient block of all areas", lowest_of_all_areas},
    {"zone_init: reserve: in the last areas, which join no other", reserve_among_areas},
    {"zone_alloc_at: over an area with reserve: pieces that can go back",
     pieces_beside_the_reserve},
    {"zone_check: each rule of areas broken: named", broken_areas_are_named},
};
TAP_SUITE(zone_area_test, cases);
