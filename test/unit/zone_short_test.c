/* SPDX-License-Identifier: MIT */
/* zone_short_test.c - no memory: the shrinker is asked, and interrupts have a reserve. */
#include "tap.h"
#include "zone_ground.h"

static bool give_back(void *ctx, loam_zone *z, unsigned order)
{
    loam_pfn *held = ctx;
    (void)order;
    if (loam_pfn_is_none(*held))
        return false;
    loam_zone_free(z, *held);
    *held = LOAM_NO_FRAME;
    return true;
}

static void shrinker_before_null(tap *t)
{
    static loam_pfn held;
    loam_zone_config_init(&config);
    config.shrink = give_back;
    config.shrink_ctx = &held;
    start_spans(t, &(loam_span){0, 64}, 1);
    held = LOAM_NO_FRAME;
    held = get(t, 6);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 2, LOAM_ZONE_ATOMIC)));
    loam_pfn pfn = get(t, 2);
    TAP_CHECK(t, loam_pfn_is_none(held));
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 6, 0)));
    put(t, pfn);
}

static bool promise(void *ctx, loam_zone *z, unsigned order)
{
    unsigned *count = ctx;
    (void)z;
    (void)order;
    ++*count;
    return true;
}

static void shrinker_that_only_promises(tap *t)
{
    static unsigned count;
    count = 0;
    loam_zone_config_init(&config);
    config.shrink = promise;
    config.shrink_ctx = &count;
    start_spans(t, &(loam_span){0, 64}, 1);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 7, 0)));
    TAP_EQ(t, count, 16);
}

typedef struct pile {
    loam_pfn pfn[1024];
    size_t count;
    unsigned left; /* frames the shrinker still gives up */
} pile;

static bool give_one_up(void *ctx, loam_zone *z, unsigned order)
{
    pile *p = ctx;
    (void)order;
    if (p->left == 0)
        return false;
    p->left--;
    return loam_zone_free(z, p->pfn[--p->count]) == LOAM_OK;
}

static void shrinker_frees_into_front(tap *t)
{
    static pile p;
    p = (pile){.count = 0};
    loam_zone_config_init(&config);
    config.shrink = give_one_up;
    config.shrink_ctx = &p;
    start_spans(t, &(loam_span){0, LOAM_ARRAY_LEN(p.pfn)}, 1);
    TAP_CHECK(t, zone->live != 0);
    p.count = loam_zone_alloc_bulk(zone, 0, 0, p.pfn, LOAM_ARRAY_LEN(p.pfn));
    TAP_EQ(t, p.count, LOAM_ARRAY_LEN(p.pfn));
    p.left = 1;
    TAP_CHECK(t, !loam_pfn_is_none(loam_zone_alloc(zone, 0, 0)));
    TAP_EQ(t, loam_zone_free_pages(zone), 0);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 0, 0)));
}

static void reserve_for_interrupts(tap *t)
{
    loam_zone_config_init(&config);
    config.reserve = 10;
    start_spans(t, &(loam_span){0, FRAMES}, 1);
    uint64_t n = 0;
    while (!loam_pfn_is_none(loam_zone_alloc(zone, 0, 0)))
        n++;
    TAP_EQ(t, n, FRAMES - 10);
    for (unsigned i = 0; i < 10; i++)
        TAP_CHECK(t, !loam_pfn_is_none(loam_zone_alloc(zone, 0, LOAM_ZONE_ATOMIC)));
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 0, LOAM_ZONE_ATOMIC)));
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

/* What an interrupt took of the reserve goes back to it, and not to whoever calls next. */
static void reserve_comes_back(tap *t)
{
    static loam_pfn all[1024];
    size_t n = 0;
    loam_zone_config_init(&config);
    config.reserve = 10;
    start_spans(t, &(loam_span){0, LOAM_ARRAY_LEN(all)}, 1);
    while (!loam_pfn_is_none(all[n] = loam_zone_alloc(zone, 0, 0)))
        n++;
    TAP_EQ(t, n, LOAM_ARRAY_LEN(all) - 10);
    loam_pfn pfn = loam_zone_alloc(zone, 0, LOAM_ZONE_ATOMIC);
    TAP_CHECK(t, !loam_pfn_is_none(pfn));
    put(t, pfn);
    TAP_EQ(t, loam_zone__front_frames(&zone->front[0]), 0);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 0, 0)));
    TAP_EQ(t, loam_zone_free_bulk(zone, all, n), n);
    TAP_CHECK(t, loam_zone__front_frames(&zone->front[0]) != 0); /* in use again */
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static void reserve_beyond_memory(tap *t)
{
    loam_zone_config_init(&config);
    config.reserve = ~0ULL;
    start_spans(t, &(loam_span){0, FRAMES}, 1);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 0, 0)));
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 4, 0)));
    TAP_CHECK(t, !loam_pfn_is_none(loam_zone_alloc(zone, 4, LOAM_ZONE_ATOMIC)));
}

static const tap_case cases[] = {
    {"zone_alloc: no memory: the shrinker is asked before NULL", shrinker_before_null},
    {"zone_alloc: a shrinker that only promises: asked 16 times", shrinker_that_only_promises},
    {"zone_alloc: the shrinker frees into the front: found there", shrinker_frees_into_front},
    {"zone_alloc: reserve: only for atomic requests", reserve_for_interrupts},
    {"zone_free: what an interrupt took of the reserve: back to it", reserve_comes_back},
    {"zone_alloc: a reserve beyond all memory: only atomic requests", reserve_beyond_memory},
};
TAP_SUITE(zone_short_test, cases);
