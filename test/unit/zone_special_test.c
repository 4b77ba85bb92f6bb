/* SPDX-License-Identifier: MIT */
/* zone_special_test.c - frames by count, by place, within limits; split, bad and reserved ones. */
#include "tap.h"
#include "zone_ground.h"

/* A look at every frame after each step: few of them. */
enum { EXACT_FRAMES = 1 << 12 };

static void exact_count(tap *t, uint64_t n)
{
    loam_pfn pfn = loam_zone_alloc_exact(zone, n, 0);
    TAP_CHECK(t, !loam_pfn_is_none(pfn));
    TAP_EQ(t, loam_zone_free_pages(zone), EXACT_FRAMES - n);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    if (!loam_is_pow2(n)) {
        uint64_t second = pfn.v + (1ULL << loam_log2_floor(n));
        REFUSED(t, loam_zone_free(zone, loam_pfn_of(second)), "free of an inner frame");
        REFUSED(t, loam_zone_free_order(zone, pfn, loam_log2_floor(n)),
                "free with the wrong order");
    }
    put(t, pfn);
    TAP_EQ(t, loam_zone_free_pages(zone), EXACT_FRAMES);
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static void exact_counts_of(tap *t, bool fronts)
{
    start(t, 0, EXACT_FRAMES, fronts);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc_exact(zone, 0, 0)));
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc_exact(zone, EXACT_FRAMES + 1, 0)));
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc_exact(zone, ~0ULL, 0)));
    for (uint64_t n = 1; n <= 70; n++)
        exact_count(t, n);
}

static void exact_counts(tap *t)
{
    exact_counts_of(t, true);
    exact_counts_of(t, false);
}

/* What is not wanted of a block is not taken, and neither the reserve nor the least count of free
 * frames hears of it. */
static void exact_and_no_more(tap *t)
{
    static loam_zone_stats stats;
    loam_zone_config_init(&config);
    config.fronts = false;
    config.reserve = 20;
    start_spans(t, &(loam_span){0, 64}, 1);
    loam_pfn pfn = loam_zone_alloc_exact(zone, 44, 0);
    TAP_CHECK(t, !loam_pfn_is_none(pfn));
    loam_zone_stat(zone, &stats);
    TAP_EQ(t, stats.low_water, 20);
    put(t, pfn);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc_exact(zone, 45, 0)));
}

static void at_a_place(tap *t)
{
    start(t, 0, FRAMES, true);
    loam_pfn p = get(t, 0);
    TAP_EQ(t, loam_zone_alloc_at(zone, p, 1, 0), LOAM_EBUSY);
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(1003), 77, 0), LOAM_OK);
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(1000), 4, 0), LOAM_EBUSY);
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(FRAMES - 1), 2, 0), LOAM_EINVAL);
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(5), 0, 0), LOAM_EINVAL);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    TAP_EQ(t, loam_zone_free_pages(zone), FRAMES - 78);
    put(t, loam_pfn_of(1003));
    put(t, p);
    TAP_EQ(t, loam_zone_free_pages(zone), FRAMES);
}

static void in_a_range(tap *t)
{
    start(t, 0, FRAMES, true);
    loam_pfn a = loam_zone_alloc_range(zone, 4, loam_pfn_of(1000), loam_pfn_of(1040), 0);
    TAP_EQ(t, a.v, 1008);
    loam_pfn b = loam_zone_alloc_range(zone, 4, loam_pfn_of(1000), loam_pfn_of(1040), 0);
    TAP_EQ(t, b.v, 1024);
    TAP_CHECK(t, loam_pfn_is_none(
                     loam_zone_alloc_range(zone, 4, loam_pfn_of(1000), loam_pfn_of(1040), 0)));
    TAP_CHECK(t,
              loam_pfn_is_none(loam_zone_alloc_range(zone, 0, loam_pfn_of(9), loam_pfn_of(9), 0)));
    TAP_CHECK(t, loam_pfn_is_none(
                     loam_zone_alloc_range(zone, 0, loam_pfn_of(FRAMES), loam_pfn_of(0), 0)));
    put(t, a);
    put(t, b);
    a = loam_zone_alloc_range(zone, 0, loam_pfn_of(FRAMES - 1), loam_pfn_of(0), 0);
    TAP_EQ(t, a.v, FRAMES - 1);
    put(t, a);
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static void range_sees_own_front(tap *t)
{
    start(t, 0, FRAMES, true);
    put(t, get(t, 0)); /* the rest of its word stays in the front */
    loam_pfn a = loam_zone_alloc_range(zone, 6, loam_pfn_of(0), loam_pfn_of(64), 0);
    TAP_EQ(t, a.v, 0);
}

static void split_to_frames(tap *t)
{
    start(t, 0, FRAMES, true);
    loam_pfn a = get(t, 3), b = loam_zone_alloc_exact(zone, 5, 0);
    TAP_EQ(t, loam_zone_split(zone, a), LOAM_OK);
    TAP_EQ(t, loam_zone_split(zone, b), LOAM_OK);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    for (uint64_t i = 0; i < 8; i++)
        TAP_EQ(t, loam_zone_free_order(zone, loam_pfn_of(a.v + i), 0), LOAM_OK);
    for (uint64_t i = 0; i < 5; i++)
        put(t, loam_pfn_of(b.v + i));
    TAP_EQ(t, loam_zone_free_pages(zone), FRAMES);
    REFUSED(t, loam_zone_split(zone, a), "split of what is not an allocated block");
    REFUSED(t, loam_zone_split(zone, loam_pfn_of(FRAMES)), "split of a frame that is not managed");
}

static void bad_frames(tap *t)
{
    start(t, 0, FRAMES, true);
    loam_pfn a = get(t, 0), b = get(t, 1);
    TAP_EQ(t, loam_zone_mark_bad(zone, a), LOAM_OK);
    TAP_EQ(t, loam_zone_mark_bad(zone, a), LOAM_EBUSY);
    TAP_EQ(t, loam_zone_mark_bad(zone, b), LOAM_EBUSY);
    TAP_EQ(t, loam_zone_mark_bad(zone, loam_pfn_of(FRAMES - 1)), LOAM_OK);
    TAP_EQ(t, loam_zone_mark_bad(zone, loam_pfn_of(FRAMES)), LOAM_EINVAL);
    REFUSED(t, loam_zone_free(zone, a), "free of a bad frame");
    put(t, b);
    TAP_EQ(t, loam_zone_free_pages(zone), FRAMES - 2);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 17, 0)));
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static void reserve_and_add_again(tap *t)
{
    start(t, 0, FRAMES, true);
    TAP_EQ(t, loam_zone_reserve(zone, loam_pfn_of(100), 1000), LOAM_OK);
    TAP_EQ(t, loam_zone_reserve(zone, loam_pfn_of(1099), 2), LOAM_EBUSY);
    TAP_EQ(t, loam_zone_reserve(zone, loam_pfn_of(FRAMES - 1), 2), LOAM_EINVAL);
    REFUSED(t, loam_zone_free(zone, loam_pfn_of(100)), "free of a reserved frame");
    TAP_EQ(t, loam_zone_free_pages(zone), FRAMES - 1000);
    TAP_EQ(t, loam_zone_add(zone, loam_pfn_of(100), 1000), LOAM_OK);
    loam_zone_stats stats;
    loam_zone_stat(zone, &stats);
    TAP_EQ(t, stats.reserved, 0);
    TAP_EQ(t, stats.largest, 17);
}

/* From every size to every other one, and the frames behind are free or another's. */
static void resized(tap *t)
{
    start(t, 0, 256, false);
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(96), 1, 0), LOAM_OK);
    for (uint64_t was = 1; was <= 24; was++) {
        for (uint64_t now = 1; now <= 40; now++) {
            TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(64), was, LOAM_ZONE_SLAB), LOAM_OK);
            loam_err want = now <= 32 ? LOAM_OK : LOAM_EBUSY;
            TAP_EQ(t, loam_zone_resize(zone, loam_pfn_of(64), was, now, LOAM_ZONE_SLAB), want);
            TAP_RULE(t, loam_zone_check(zone), NULL);
            TAP_EQ(t, loam_zone_free_pages(zone), 255 - (want == LOAM_OK ? now : was));
            TAP_EQ(t, loam_zone_free_slab(zone, loam_pfn_of(64)), LOAM_OK);
            TAP_EQ(t, loam_zone_free_pages(zone), 255);
            TAP_RULE(t, loam_zone_check(zone), NULL);
        }
    }
}

static void not_resized(tap *t)
{
    start(t, 0, FRAMES, true);
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(64), 11, 0), LOAM_OK);
    TAP_EQ(t, loam_zone_resize(zone, loam_pfn_of(64), 11, 0, 0), LOAM_EINVAL);
    TAP_EQ(t, loam_zone_resize(zone, loam_pfn_of(64), 0, 5, 0), LOAM_EINVAL);
    TAP_EQ(t, loam_zone_resize(zone, loam_pfn_of(64), 10, 12, 0), LOAM_EINVAL);
    TAP_EQ(t, loam_zone_resize(zone, loam_pfn_of(65), 10, 12, 0), LOAM_EINVAL);
    TAP_EQ(t, loam_zone_resize(zone, loam_pfn_of(64), 11, FRAMES, 0), LOAM_EINVAL);
    TAP_EQ(t, loam_zone_resize(zone, loam_pfn_of(64), 11, 1ULL << 40, 0), LOAM_EINVAL);
    TAP_EQ(t, loam_zone_resize(zone, loam_pfn_of(FRAMES), 1, 2, 0), LOAM_EINVAL);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    put(t, loam_pfn_of(64));
    TAP_EQ(t, loam_zone_free_pages(zone), FRAMES);
}

static uint64_t lowest(uint64_t npages, uint64_t lo, uint64_t align, unsigned flags)
{
    return loam_zone_alloc_lowest(zone, npages, loam_pfn_of(lo), align, flags).v;
}

/* Frames 0 .. 15 are out, and 40: rows of 16 + 8 and of 1 + 2 + 4 + 16 .. 512 beside these. */
static void start_rows(tap *t)
{
    start(t, 0, 1024, false);
    get(t, 4);
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(40), 1, 0), LOAM_OK);
}

static void in_the_lowest_row(tap *t)
{
    const uint64_t none = LOAM_NO_FRAME.v;
    start_rows(t);
    TAP_EQ(t, lowest(20, 0, 1, LOAM_ZONE_SLAB), 16);
    TAP_EQ(t, loam_zone_state(zone, loam_pfn_of(16)), LOAM_FRAME_SLAB);
    TAP_EQ(t, lowest(4, 0, 1, 0), 36);
    TAP_EQ(t, lowest(25, 0, 1, 0), 41);
    TAP_EQ(t, loam_zone_free_pages(zone), 1024 - 17 - 20 - 4 - 25);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    REFUSED(t, loam_zone_free(zone, loam_pfn_of(16 + 16)), "free of an inner frame");
    put(t, loam_pfn_of(41));
    put(t, loam_pfn_of(36));
    TAP_EQ(t, loam_zone_free_slab(zone, loam_pfn_of(16)), LOAM_OK);
    TAP_EQ(t, lowest(24, 0, 8, 0), 16);
    TAP_EQ(t, lowest(24, 0, 8, 0), 48);
    put(t, loam_pfn_of(16));
    put(t, loam_pfn_of(48));
    TAP_EQ(t, lowest(20, 21, 1, 0), 41);
    TAP_EQ(t, lowest(964, 0, 1, 0), none);
    TAP_EQ(t, lowest(963, 62, 1, 0), none);
    TAP_EQ(t, lowest(963, 61, 1, 0), 61);
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

/* The block that is found may be the first of its row, or the last; and what a later look finds
 * does not make it forget a lower place. */
static void around_a_block(tap *t)
{
    start_rows(t);
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(35), 5, 0), LOAM_OK);
    TAP_EQ(t, lowest(19, 0, 1, 0), 16); /* 16, 2 and 1 */
    put(t, loam_pfn_of(16));
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(32), 3, 0), LOAM_OK);
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(54), 1024 - 54, 0), LOAM_OK);
    TAP_EQ(t, lowest(10, 25, 1, 0), 41);
    TAP_EQ(t, lowest(10, 0, 1, 0), 16);
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static void in_no_row(tap *t)
{
    const uint64_t none = LOAM_NO_FRAME.v;
    start_rows(t);
    TAP_EQ(t, lowest(0, 0, 1, 0), none);
    TAP_EQ(t, lowest(8, 0, 0, 0), none);
    TAP_EQ(t, lowest(8, 0, 3, 0), none);
    TAP_EQ(t, lowest(1ULL << 32, 0, 1, 0), none);
    TAP_EQ(t, lowest(8, ~0ULL, 1, 0), none);
    TAP_EQ(t, lowest(8, ~0ULL - 3, 16, 0), none);
    TAP_EQ(t, lowest(8, 1017, 1, 0), none);
    TAP_EQ(t, lowest(8, 0, 1024, 0), none);
    TAP_EQ(t, loam_zone_free_pages(zone), 1024 - 17);
    TAP_EQ(t, lowest(8, 1016, 1, 0), 1016);
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static void lowest_within_bounds(tap *t)
{
    static loam_zone_stats stats;
    loam_zone_config_init(&config);
    config.fronts = false;
    config.reserve = 20;
    start_spans(t, &(loam_span){0, 64}, 1);
    TAP_EQ(t, lowest(45, 0, 1, 0), LOAM_NO_FRAME.v);
    TAP_EQ(t, lowest(45, 0, 1, LOAM_ZONE_ATOMIC), 0);
    put(t, loam_pfn_of(0));
    loam_zone_stat(zone, &stats);
    TAP_EQ(t, stats.low_water, 19);
    TAP_EQ(t, lowest(44, 0, 1, 0), 0);
}

static const tap_case cases[] = {
    {"zone_alloc_exact: 1 to 70 frames: tail back, freed whole", exact_counts},
    {"zone_alloc_exact: no fronts: no frame more is taken", exact_and_no_more},
    {"zone_alloc_at: a place: all or nothing", at_a_place},
    {"zone_alloc_lowest: free blocks in a row, aligned, from a frame on", in_the_lowest_row},
    {"zone_alloc_lowest: blocks before and behind the one that is found", around_a_block},
    {"zone_alloc_lowest: no room, or bad arguments: nothing changes", in_no_row},
    {"zone_alloc_lowest: the reserve stays", lowest_within_bounds},
    {"zone_alloc_range: limits: lowest fitting block", in_a_range},
    {"zone_alloc_range: frames in the own front: found", range_sees_own_front},
    {"zone_split: block and exact block: single frames", split_to_frames},
    {"zone_mark_bad: free or single frames: out of use", bad_frames},
    {"zone_resize: from each size to each: frames taken or given back", resized},
    {"zone_resize: no such block, beyond the zone: nothing changes", not_resized},
    {"zone_reserve: free frames: reserved, and added again", reserve_and_add_again},
};
TAP_SUITE(zone_special_test, cases);
