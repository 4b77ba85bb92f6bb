/* SPDX-License-Identifier: MIT */
/* zone_front_test.c - what a processor keeps for itself, and gives back when others are short. */
#include "tap.h"
#include "zone_ground.h"

/* Only where there is another processor can a frame be freed twice at once. false: this port has
 * but one. */
static bool start_for_two(tap *t)
{
    loam_zone_config_init(&config);
    config.ncpus = LOAM_PORT_MAX_CPUS > 1 ? 2 : 1;
    start_spans(t, &(loam_span){0, FRAMES}, 1);
    return config.ncpus == 2;
}

static void other_cpu_is_asked(tap *t)
{
    static loam_pfn rest[FRAMES];
    loam_zone_config_init(&config);
    config.ncpus = 1;
    start_spans(t, &(loam_span){0, FRAMES}, 1);
    put(t, get(t, 0)); /* 64 frames are in the front now */
    TAP_EQ(t, get(t, 17).v, 0);
    put(t, loam_pfn_of(0));
    size_t n = loam_zone_alloc_bulk(zone, 0, 0, rest, FRAMES);
    TAP_EQ(t, n, FRAMES);
    TAP_EQ(t, loam_zone_free_bulk(zone, rest, n), n);
}

static void full_stack_beside_another(tap *t)
{
    static loam_pfn single[4 * LOAM_ZONE_LIFO_CAP], pair[4];
    start(t, 0, FRAMES / 8, true);
    TAP_EQ(t, loam_zone_alloc_bulk(zone, 1, 0, pair, 4), 4);
    TAP_EQ(t, loam_zone_alloc_bulk(zone, 0, 0, single, LOAM_ARRAY_LEN(single)),
           LOAM_ARRAY_LEN(single));
    TAP_EQ(t, loam_zone_free_bulk(zone, pair, 4), 4);
    for (size_t i = 0; i < LOAM_ARRAY_LEN(single); i++) {
        put(t, single[i]);
        TAP_RULE(t, loam_zone_check(zone), NULL);
    }
    for (size_t i = 4; i-- > 0;)
        TAP_EQ(t, get(t, 1).v, pair[i].v);
}

/* 1024 frames are many of order 0 and few of order 3. */
static void few_blocks_are_not_kept(tap *t)
{
    start(t, 0, 1024, true);
    put(t, get(t, 3));
    TAP_EQ(t, loam_zone__front_frames(&zone->front[0]), 0);
    put(t, get(t, 0));
    TAP_EQ(t, loam_zone__front_frames(&zone->front[0]), 64);
}

static void freed_twice_at_once(tap *t)
{
    if (!start_for_two(t))
        return;
    loam_pfn a = get(t, 0), b = get(t, 0);
    put(t, a);
    put(t, b);
    /* as if it were out again: freed by two, given to one */
    loam_zone__area(zone, a.v)->table[a.v] = ZONE_HEAD;
    tap_catch(t);
    loam_zone_drain(zone);
    TAP_EQ(t, tap_caught(t), 1);
    TAP_EQ(t, t->report.value, a.v);
    TAP_EQ(t, loam_zone_free_pages(zone), FRAMES - 1);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    put(t, a);
    TAP_EQ(t, loam_zone_free_pages(zone), FRAMES);
}

/* Hears of a late double free in the middle of a flush, and takes most of the stack. */
static loam_pfn taken[40];
static size_t taken_count;

static void use_the_zone(void *ctx, const loam_report *report)
{
    unsigned *heard = ctx;
    (void)report;
    ++*heard;
    taken_count = loam_zone_alloc_bulk(zone, 0, 0, taken, LOAM_ARRAY_LEN(taken));
}

static void report_may_use_the_zone(tap *t)
{
    static loam_pfn out[LOAM_ZONE_LIFO_CAP + 1];
    unsigned heard = 0;
    if (!start_for_two(t))
        return;
    loam_zone_alloc_bulk(zone, 0, 0, out, LOAM_ARRAY_LEN(out));
    loam_zone_free_bulk(zone, out, LOAM_ZONE_LIFO_CAP); /* the stack is full */
    loam_zone__area(zone, out[3].v)->table[out[3].v] = ZONE_HEAD;
    loam_policy before = loam_port_set_policy(LOAM_POLICY_REPORT);
    loam_port_on_report(use_the_zone, &heard);
    put(t, out[LOAM_ZONE_LIFO_CAP]);
    loam_port_on_report(NULL, NULL);
    loam_port_set_policy(before);
    TAP_EQ(t, heard, 1);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    TAP_EQ(t, loam_zone_free_bulk(zone, taken, taken_count), LOAM_ARRAY_LEN(taken));
    put(t, out[3]);
    loam_zone_drain(zone);
    TAP_EQ(t, loam_zone_free_pages(zone), FRAMES);
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static void offline_keeps_nothing(tap *t)
{
    start(t, 0, FRAMES, true);
    put(t, get(t, 0));
    TAP_CHECK(t, loam_zone__front_frames(&zone->front[0]) != 0);
    loam_zone_serve(zone); /* nobody asked */
    TAP_CHECK(t, loam_zone__front_frames(&zone->front[0]) != 0);
    loam_zone_offline(zone);
    TAP_EQ(t, loam_zone__front_frames(&zone->front[0]), 0);
    put(t, get(t, 0));
    loam_zone_serve(zone);
    TAP_EQ(t, loam_zone__front_frames(&zone->front[0]), 0);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    loam_zone_online(zone);
    put(t, get(t, 0));
    TAP_EQ(t, loam_zone__front_frames(&zone->front[0]), 64);
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

/* ---- others: what a processor sees of them ---- */

/* Two fronts over four areas; the second processor's is played by hand. false: this port has but
 * one processor. */
static unsigned wait_count, wait_limit;
static bool wait_drains;

static bool wait_for_it(void *ctx)
{
    loam_zone **z = ctx;
    if (++wait_count == wait_limit && wait_drains)
        loam_atomic_store(&(*z)->front[1].state, ZONE_FRONT_EMPTY);
    return wait_count < wait_limit || wait_drains;
}

static bool start_waiting(tap *t)
{
    loam_zone_config_init(&config);
    config.area_shift = 8;
    config.wait = wait_for_it;
    config.wait_ctx = &zone;
    config.ncpus = LOAM_PORT_MAX_CPUS > 1 ? 2 : 1;
    start_spans(t, &(loam_span){0, 1024}, 1);
    wait_count = 0;
    wait_limit = 5;
    return config.ncpus == 2;
}

static void short_waits_for_fronts(tap *t)
{
    if (!start_waiting(t))
        return;
    zone_front *other = &zone->front[1];
    TAP_EQ(t, other->home, 2);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 11, 0)));
    TAP_EQ(t, wait_count, 0); /* it is empty */
    other->state = ZONE_FRONT_USED;
    other->window = 9;
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 11, LOAM_ZONE_ATOMIC)));
    TAP_EQ(t, wait_count, 0); /* an interrupt asks and does not wait */
    TAP_EQ(t, other->state, ZONE_FRONT_ASKED);
    TAP_EQ(t, other->window, 0);
    wait_drains = false;
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 11, 0)));
    TAP_EQ(t, wait_count, 5); /* and then it was told to give up */
    wait_count = 0;
    wait_drains = true;
    TAP_CHECK(t,
              loam_pfn_is_none(loam_zone_alloc_range(zone, 11, loam_pfn_of(0), loam_pfn_of(0), 0)));
    TAP_EQ(t, wait_count, 5); /* and then it was empty */
    TAP_EQ(t, zone->waiting, 0);
    expect_largest(t, 10);
}

static void one_waits_fronts_keep_nothing(tap *t)
{
    if (!start_waiting(t))
        return;
    put(t, get(t, 0));
    TAP_EQ(t, loam_zone__front_frames(&zone->front[0]), 64);
    zone->waiting = 1; /* as another processor would */
    TAP_CHECK(t, loam_atomic_cas(&zone->front[0].state, ZONE_FRONT_USED, ZONE_FRONT_ASKED));
    zone->front[0].window = 0;
    loam_zone_serve(zone);
    TAP_EQ(t, zone->front[0].state, ZONE_FRONT_EMPTY);
    TAP_EQ(t, loam_zone__front_frames(&zone->front[0]), 0);
    put(t, get(t, 0));
    put(t, get(t, 3));
    TAP_EQ(t, loam_zone__front_frames(&zone->front[0]), 0);
    expect_largest(t, 10);
    zone->waiting = 0;
    put(t, get(t, 0));
    TAP_EQ(t, loam_zone__front_frames(&zone->front[0]), 64);
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static void homes_are_opened(tap *t)
{
    if (!start_waiting(t))
        return;
    zone->front[0].home = 2;
    TAP_EQ(t, get(t, 0).v, 512); /* nobody is in area 2 */
    TAP_EQ(t, zone->area[0].unit, 0);
    TAP_EQ(t, zone->top->buddy.free_units, 3);
    TAP_EQ(t, get(t, 0).v, 513);
    loam_zone_drain(zone);
    TAP_EQ(t, zone->top->buddy.free_units, 3);
    for (unsigned i = 0; i < 31; i++)
        get(t, 3);
    TAP_EQ(t, zone->top->buddy.free_units, 3);
    TAP_EQ(t, get(t, 3).v, 768); /* area 2 is at its end; areas 0 and 1 lie together */
    TAP_EQ(t, zone->front[0].home, 3);
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static const tap_case cases[] = {
    {"zone_alloc: largest block while the front holds frames: drained first", other_cpu_is_asked},
    {"zone_free: a stack is full: the one beside it is not touched", full_stack_beside_another},
    {"zone_free: an order of which the zone has few: not kept in a front", few_blocks_are_not_kept},
    {"zone_drain: a block freed by two at once: found, and given back once", freed_twice_at_once},
    {"zone_free: a report during a flush: its hearer may use the zone", report_may_use_the_zone},
    {"zone_offline: drained, and keeps nothing until zone_online", offline_keeps_nothing},
    {"zone_alloc: short: waits for the fronts of others, an interrupt does not",
     short_waits_for_fronts},
    {"zone: while one waits: fronts keep nothing", one_waits_fronts_keep_nothing},
    {"zone_alloc: a home that nobody opened: opened", homes_are_opened},
};
TAP_SUITE(zone_front_test, cases);
