/* SPDX-License-Identifier: MIT */
/* zone_view_test.c - a zone as others see it: walks, free blocks, the events of its trace. */
#include "tap.h"
#include "zone_ground.h"

static bool sum_walk(void *ctx, loam_pfn first, uint64_t count, loam_frame_state state)
{
    uint64_t *sum = ctx;
    (void)first;
    sum[state] += count;
    return true;
}

static void walk_covers_everything(tap *t)
{
    uint64_t sum[LOAM_FRAME_BAD + 1] = {0};
    start(t, 3, 1000, true);
    get(t, 3);
    loam_zone_alloc_exact(zone, 11, 0);
    loam_zone_alloc(zone, 1, LOAM_ZONE_SLAB);
    loam_zone_mark_bad(zone, loam_pfn_of(900));
    loam_zone_reserve(zone, loam_pfn_of(800), 10);
    loam_zone_walk(zone, sum_walk, sum);
    TAP_EQ(t, sum[LOAM_FRAME_HEAD], 19);
    TAP_EQ(t, sum[LOAM_FRAME_SLAB], 2);
    TAP_EQ(t, sum[LOAM_FRAME_BAD], 1);
    TAP_EQ(t, sum[LOAM_FRAME_RESERVED], 10);
    TAP_EQ(t, sum[LOAM_FRAME_FREE], 1000 - 32);
}

static void next_free_of_order(tap *t)
{
    start(t, 0, 1024, false);
    get(t, 0);
    TAP_EQ(t, loam_zone_next_free(zone, 0, 10, loam_pfn_of(0)).v, 1);
    TAP_EQ(t, loam_zone_next_free(zone, 5, 10, loam_pfn_of(0)).v, 32);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_next_free(zone, 5, 10, loam_pfn_of(33))));
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_next_free(zone, 10, 10, loam_pfn_of(0))));
}

static void find_free_of_frame(tap *t)
{
    loam_pfn first = LOAM_NO_FRAME;
    unsigned order = 99;
    start(t, 0, 1024, false);
    get(t, 0);
    TAP_CHECK(t, !loam_zone_find_free(zone, loam_pfn_of(0), &first, &order));
    TAP_CHECK(t, loam_pfn_is_none(first));
    TAP_CHECK(t, loam_zone_find_free(zone, loam_pfn_of(700), &first, &order));
    TAP_EQ(t, first.v, 512);
    TAP_EQ(t, order, 9);
    TAP_CHECK(t, loam_zone_find_free(zone, loam_pfn_of(1), NULL, NULL));
    TAP_CHECK(t, !loam_zone_find_free(zone, loam_pfn_of(1024), NULL, NULL));
}

static bool count_and_stop(void *ctx, uint64_t unit, unsigned order)
{
    unsigned *count = ctx;
    (void)unit;
    (void)order;
    ++*count;
    return false;
}

static void each_free_stops(tap *t)
{
    static const loam_span far_apart[] = {{0, 256}, {1 << 16, 256}};
    unsigned count = 0;
    loam_zone_config_init(&config);
    start_spans(t, far_apart, 2);
    loam_zone_each_free(zone, LOAM_ZONE_MAX_ORDER, count_and_stop, &count);
    TAP_EQ(t, count, 1);
}

static bool sum_blocks(void *ctx, uint64_t unit, unsigned order)
{
    uint64_t *next = ctx;
    if (unit != *next)
        return false;
    *next += 1ULL << order;
    return true;
}

static void views_over_areas(tap *t)
{
    uint64_t next = 0, sum[LOAM_FRAME_BAD + 1] = {0};
    four_areas(t);
    loam_zone_each_free(zone, LOAM_ZONE_MAX_ORDER, sum_blocks, &next);
    TAP_EQ(t, next, 256);
    next = 0;
    loam_zone_each_free(zone, 5, sum_blocks, &next);
    TAP_EQ(t, next, 256);
    next = 1; /* stops at once */
    loam_zone_each_free(zone, 5, sum_blocks, &next);
    TAP_EQ(t, next, 1);
    TAP_EQ(t, loam_zone_next_free(zone, 8, 40, loam_pfn_of(0)).v, 0);
    TAP_EQ(t, loam_zone_next_free(zone, 5, 5, loam_pfn_of(97)).v, 128);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_next_free(zone, 5, 6, loam_pfn_of(0))));
    get(t, 0);
    TAP_EQ(t, loam_zone_next_free(zone, 7, 40, loam_pfn_of(0)).v, 128);
    TAP_EQ(t, loam_zone_next_free(zone, 5, 40, loam_pfn_of(0)).v, 32);
    TAP_EQ(t, loam_zone_next_free(zone, 6, 6, loam_pfn_of(65)).v, 128);
    loam_zone_walk(zone, sum_walk, sum);
    TAP_EQ(t, sum[LOAM_FRAME_FREE], 255);
    TAP_EQ(t, sum[LOAM_FRAME_HEAD], 1);
}

typedef struct events {
    loam_trace_event event[64];
    size_t count;
} events;

static void keep_event(void *ctx, const loam_trace_event *event)
{
    events *kept = ctx;
    if (kept->count < LOAM_ARRAY_LEN(kept->event))
        kept->event[kept->count++] = *event;
}

static loam_trace trace;
static events e;

/* The zone to come has a trace, which is off. */
static void configure_traced(tap *t)
{
    e.count = 0;
    TAP_EQ(t, loam_trace_init(&trace, 1, 0, NULL), LOAM_OK);
    loam_trace_set_sink(&trace, keep_event, &e);
    loam_zone_config_init(&config);
    config.trace = &trace;
}

/* The block at 0, out and back, with the trace on. */
static void take_and_give(tap *t, unsigned order)
{
    loam_trace_set_on(&trace, true);
    TAP_EQ(t, get(t, order).v, 0);
    put(t, loam_pfn_of(0));
    loam_trace_set_on(&trace, false);
}

static void expect_event(tap *t, size_t i, loam_trace_kind kind, unsigned order, uint64_t a)
{
    TAP_CHECK(t, i < e.count);
    TAP_EQ(t, e.event[i].kind, kind);
    TAP_EQ(t, e.event[i].order, order);
    TAP_EQ(t, e.event[i].a, a);
}

static void trace_tells_steps(tap *t)
{
    configure_traced(t);
    config.lowest = true;
    config.trace_max_order = 10;
    start_spans(t, &(loam_span){0, 4096}, 1);
    take_and_give(t, 8);
    get(t, 0);
    expect_event(t, 0, LOAM_TRACE_LIST_REMOVE, 10, 0);
    expect_event(t, 1, LOAM_TRACE_PAGE_SPLIT, 10, 0);
    TAP_EQ(t, e.event[1].b, 512);
    expect_event(t, 2, LOAM_TRACE_LIST_ADD, 9, 512);
    expect_event(t, 3, LOAM_TRACE_PAGE_SPLIT, 9, 0);
    expect_event(t, 4, LOAM_TRACE_LIST_ADD, 8, 256);
    expect_event(t, 5, LOAM_TRACE_PAGE_ALLOC, 8, 0);
    expect_event(t, 6, LOAM_TRACE_PAGE_MERGE, 8, 0);
    TAP_EQ(t, e.event[6].b, 256);
    expect_event(t, 7, LOAM_TRACE_LIST_REMOVE, 8, 256);
    expect_event(t, 8, LOAM_TRACE_PAGE_MERGE, 9, 0);
    expect_event(t, 9, LOAM_TRACE_LIST_REMOVE, 9, 512);
    expect_event(t, 10, LOAM_TRACE_LIST_ADD, 10, 0);
    expect_event(t, 11, LOAM_TRACE_PAGE_FREE, 8, 0);
    TAP_EQ(t, e.event[11].b, 10);
    TAP_EQ(t, e.count, 12);
}

/* A view that ends at order 2: a block of order 4 is a row of four. */
static void trace_tells_rows(tap *t)
{
    configure_traced(t);
    config.lowest = true;
    config.trace_max_order = 2;
    start_spans(t, &(loam_span){0, 64}, 1);
    take_and_give(t, 4);
    for (unsigned i = 0; i < 4; i++) {
        expect_event(t, i, LOAM_TRACE_LIST_REMOVE, 2, 4 * i);
        expect_event(t, 5 + i, LOAM_TRACE_LIST_ADD, 2, 4 * i);
    }
    expect_event(t, 4, LOAM_TRACE_PAGE_ALLOC, 4, 0);
    expect_event(t, 9, LOAM_TRACE_PAGE_FREE, 4, 0);
    TAP_EQ(t, e.count, 10);
}

static void switch_trace(tap *t, bool on)
{
    loam_trace_set_on(&trace, on);
    loam_zone_set_trace(zone, &trace);
    TAP_EQ(t, loam_zone__front_frames(&zone->front[0]), 0);
}

/* What the front keeps of a frame that comes and goes. */
static void keeps(tap *t, uint32_t frames)
{
    put(t, get(t, 0));
    TAP_EQ(t, loam_zone__front_frames(&zone->front[0]), frames);
}

static void trace_switched(tap *t)
{
    configure_traced(t);
    start_spans(t, &(loam_span){0, 4096}, 1);
    keeps(t, 64); /* it is off */
    switch_trace(t, true);
    TAP_EQ(t, e.count, 0);
    keeps(t, 0);
    TAP_EQ(t, e.count, 1 + 2 * 12 + 1 + 2 * 12 + 2); /* cut from order 12, and back to it */
    switch_trace(t, false);
    keeps(t, 64);
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static void trace_over_areas(tap *t)
{
    configure_traced(t);
    config.lowest = true;
    config.area_shift = 6;
    start_spans(t, &(loam_span){0, 256}, 1);
    take_and_give(t, 5);
    expect_event(t, 0, LOAM_TRACE_LIST_REMOVE, 8, 0);
    expect_event(t, 1, LOAM_TRACE_PAGE_SPLIT, 8, 0);
    TAP_EQ(t, e.event[1].b, 128);
    expect_event(t, 3, LOAM_TRACE_PAGE_SPLIT, 7, 0);
    expect_event(t, 5, LOAM_TRACE_PAGE_SPLIT, 6, 0);
    expect_event(t, 7, LOAM_TRACE_PAGE_ALLOC, 5, 0);
    expect_event(t, 8, LOAM_TRACE_PAGE_MERGE, 5, 0);
    expect_event(t, 10, LOAM_TRACE_PAGE_MERGE, 6, 0);
    expect_event(t, 12, LOAM_TRACE_PAGE_MERGE, 7, 0);
    expect_event(t, 14, LOAM_TRACE_LIST_ADD, 8, 0);
    expect_event(t, 15, LOAM_TRACE_PAGE_FREE, 5, 0);
    TAP_EQ(t, e.count, 16);
    e.count = 0;
    take_and_give(t, 7);
    expect_event(t, 0, LOAM_TRACE_LIST_REMOVE, 8, 0);
    expect_event(t, 1, LOAM_TRACE_PAGE_SPLIT, 8, 0);
    expect_event(t, 3, LOAM_TRACE_PAGE_ALLOC, 7, 0);
    expect_event(t, 4, LOAM_TRACE_PAGE_MERGE, 7, 0);
    expect_event(t, 7, LOAM_TRACE_PAGE_FREE, 7, 0);
    TAP_EQ(t, e.count, 8);
}

static const tap_case cases[] = {
    {"zone_each_free: two areas, the first block says stop: stops", each_free_stops},
    {"zone trace: alloc and free: every split and merge", trace_tells_steps},
    {"zone trace: a block above the view's largest order: its row", trace_tells_rows},
    {"zone_walk: all states: every frame once", walk_covers_everything},
    {"zone_next_free: capped view: exact orders", next_free_of_order},
    {"zone_find_free: a frame, out or inside a free block: its block", find_free_of_frame},
    {"zone views: over areas and the top level: every block once", views_over_areas},
    {"zone_set_trace: switched on: fronts are drained, and keep nothing", trace_switched},
    {"zone trace: a block cut from several areas: every split and merge", trace_over_areas},
};
TAP_SUITE(zone_view_test, cases);
