/* SPDX-License-Identifier: MIT */
/* zonelist_test.c - several zones: fallback in order, each frame to its own. */
#include "tap.h"
#include "zone_ground.h"

static void zonelist_order(tap *t)
{
    static unsigned char other[64 * 1024] __attribute__((aligned(64)));
    loam_zonelist list = {.count = 0};
    loam_span ram = {0, 1 << 20};
    loam_zone_config_init(&config);
    config.name = "dma";
    config.limit = 16;
    loam_zone *dma = loam_zone_init(other, sizeof other, false, &ram, 1, &config);
    config.name = "normal";
    config.first = 16;
    config.limit = 0;
    zone = loam_zone_init(zone_ground_mem, sizeof zone_ground_mem, false, &ram, 1, &config);
    TAP_EQ(t, loam_zonelist_add_zone(&list, zone), LOAM_OK);
    TAP_EQ(t, loam_zonelist_add_zone(&list, dma), LOAM_OK);
    TAP_EQ(t, loam_zonelist_add_zone(&list, NULL), LOAM_EINVAL);
    TAP_EQ(t, loam_zonelist_give(&list, loam_pfn_of(0), 257), LOAM_EINVAL);
    TAP_EQ(t, loam_zone_free_pages(dma) + loam_zone_free_pages(zone), 0);
    REFUSED(t, loam_zonelist_free(&list, loam_pfn_of(3)), "free of a reserved frame");
    TAP_EQ(t, loam_zonelist_give(&list, loam_pfn_of(0), 256), LOAM_OK);
    TAP_EQ(t, loam_zonelist_give(&list, loam_pfn_of(300), 1), LOAM_EINVAL);
    TAP_EQ(t, loam_zonelist_give(&list, loam_pfn_of(1), ~0ULL), LOAM_EINVAL);
    TAP_EQ(t, loam_zone_free_pages(dma), 16);
    TAP_EQ(t, loam_zone_free_pages(zone), 240);
    for (unsigned i = 0; i < 240; i++)
        TAP_CHECK(t, loam_zonelist_alloc(&list, 0, 0).v >= 16);
    loam_pfn low = loam_zonelist_alloc(&list, 0, 0);
    TAP_CHECK(t, low.v < 16);
    TAP_EQ(t, loam_zonelist_free(&list, low), LOAM_OK);
    TAP_EQ(t, loam_zonelist_free(&list, loam_pfn_of(20)), LOAM_OK);
    REFUSED(t, loam_zonelist_free(&list, loam_pfn_of(999)), "free of a frame that is not managed");
}

static void interleaved_zones(tap *t)
{
    static unsigned char other[64 * 1024] __attribute__((aligned(64)));
    loam_zonelist list = {.count = 0};
    const loam_span even[2] = {{0, 64 << 12}, {128 << 12, 64 << 12}};
    const loam_span odd[2] = {{64 << 12, 64 << 12}, {192 << 12, 64 << 12}};
    loam_zone_config_init(&config);
    config.area_shift = 6;
    zone = loam_zone_init(zone_ground_mem, sizeof zone_ground_mem, false, even, 2, &config);
    config.node = 1;
    loam_zone *second = loam_zone_init(other, sizeof other, false, odd, 2, &config);
    TAP_EQ(t, loam_zonelist_add_zone(&list, zone), LOAM_OK);
    TAP_EQ(t, loam_zonelist_add_zone(&list, second), LOAM_OK);
    TAP_EQ(t, loam_zonelist_give(&list, loam_pfn_of(10), 246), LOAM_OK);
    TAP_EQ(t, loam_zonelist_give(&list, loam_pfn_of(0), 257), LOAM_EINVAL);
    TAP_EQ(t, loam_zonelist_give(&list, loam_pfn_of(0), 10), LOAM_OK);
    TAP_EQ(t, loam_zone_config_of(second)->node, 1);
    TAP_EQ(t, loam_zone_free_pages(zone), 128);
    TAP_EQ(t, loam_zone_free_pages(second), 128);
    for (uint64_t n = 0; n < 256; n++)
        TAP_CHECK(t, !loam_pfn_is_none(loam_zonelist_alloc(&list, 0, 0)));
    TAP_CHECK(t, loam_pfn_is_none(loam_zonelist_alloc(&list, 0, 0)));
    for (uint64_t at = 0; at < 256; at++)
        TAP_EQ(t, loam_zonelist_free(&list, loam_pfn_of(at)), LOAM_OK);
    REFUSED(t, loam_zonelist_free(&list, loam_pfn_of(70)), "double free");
    TAP_EQ(t, loam_zone_free_pages(zone), 128);
    TAP_EQ(t, loam_zone_free_pages(second), 128);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    TAP_RULE(t, loam_zone_check(second), NULL);
}

static const tap_case cases[] = {
    {"zonelist: two zones: fallback in order, free by frame", zonelist_order},
    {"zonelist: zones in each other's gaps: each frame to its own", interleaved_zones},
};
TAP_SUITE(zonelist_test, cases);
