/* SPDX-License-Identifier: MIT */
/* frames_loam_work.c - the loops over Loam's zone, as a kernel calls it: checks on, frees without
 * an order. */
#include "frames.h"
#include "loam/zone.h"
#define FRAMES_ALLOC(a, order)       loam_zone_alloc((loam_zone *)(a), order, LOAM_ZONE_NORMAL).v
#define FRAMES_FREE(a, block, order) ((void)(order), loam_zone_free(a, loam_pfn_of(block)))
#include "frames_work.inc"

static loam_span ram_of(const frames_shape *shape)
{
    return (loam_span){0, shape->frames << LOAM_PAGE_SHIFT};
}

static loam_zone_config config_of(const frames_shape *shape)
{
    loam_zone_config config;
    loam_zone_config_init(&config);
    config.ncpus = shape->threads;
    return config;
}

static uint64_t loam_bytes(const frames_shape *shape)
{
    loam_zone_config config = config_of(shape);
    loam_span ram = ram_of(shape);
    return loam_zone_measure(&ram, 1, &config);
}

static void *loam_init(void *mem, uint64_t bytes, const frames_shape *shape)
{
    loam_zone_config config = config_of(shape);
    loam_span ram = ram_of(shape);
    loam_zone *zone = loam_zone_init(mem, bytes, true, &ram, 1, &config);
    if (zone == NULL || loam_zone_add(zone, loam_pfn_of(0), shape->frames) != LOAM_OK)
        bench_die("the zone cannot be made");
    return zone;
}

static void loam_enter(void *a, unsigned thread)
{
    (void)a;
    loam_hosted_set_cpu(thread);
}

static void loam_drain(void *a)
{
    loam_zone_drain(a);
}

static const char *loam_check(void *a)
{
    return loam_zone_check(a);
}

const frames_api frames_loam = {.name = "loam",
                                .any_order = true,
                                .bytes = loam_bytes,
                                .init = loam_init,
                                .enter = loam_enter,
                                .drain = loam_drain,
                                .check = loam_check,
                                FRAMES_LOOPS};
