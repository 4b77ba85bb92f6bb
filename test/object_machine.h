/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_OBJECT_MACHINE_H
#define LOAM_TEST_OBJECT_MACHINE_H

/* object_machine.h - a small machine for tests of the object layers: static RAM, a zone over it,
 * and a layer below that refuses on demand. One at a time, in one file of a program. */
#include "loam/kmalloc.h"
#include "loam/zone.h"

enum {
    OBJECTS_PA = 0x40000000,
    OBJECTS_FRAMES = 1024,
    OBJECTS_META = 256 * 1024,
    OBJECTS_ALIGN = 4 * 1024 * 1024 /* to which address in memory and physical address agree */
};

typedef struct objects {
    loam_zone_config zone_config;
    loam_slab_config config;
    loam_zone *zone;
    loam_slabs *slabs;
    loam_kmalloc *k;
    uint64_t frames;
    /* The layer below: what it was asked so far, the number (1, 2, ...) of the request it refuses,
     * and whether it refuses all later ones, too. 0: none. */
    uint64_t asked, refuse_at;
    bool refuse_rest;
} objects;

static unsigned char objects_ram[OBJECTS_FRAMES * (size_t)LOAM_PAGE_SIZE]
    __attribute__((aligned(OBJECTS_ALIGN)));
static unsigned char objects_meta[OBJECTS_META] __attribute__((aligned(64)));

static inline bool objects_refuse(void *ctx, unsigned order)
{
    objects *o = ctx;
    (void)order;
    o->asked++;
    return o->refuse_at != 0 &&
           (o->refuse_rest ? o->asked >= o->refuse_at : o->asked == o->refuse_at);
}

/* Fills both configs with defaults. */
static inline void objects_init(objects *o, uint64_t frames, bool can_refuse)
{
    *o = (objects){.frames = frames};
    loam_zone_config_init(&o->zone_config);
    loam_slab_config_init(&o->config);
    o->zone_config.linear = (loam_linear){OBJECTS_PA, frames * LOAM_PAGE_SIZE, objects_ram};
    if (can_refuse) {
        o->zone_config.refuse = objects_refuse;
        o->zone_config.refuse_ctx = o;
    }
}

/* Makes the zone: every frame free. */
static inline bool objects_zone(objects *o)
{
    loam_span ram = {OBJECTS_PA, o->frames * LOAM_PAGE_SIZE};
    uint64_t need = loam_zone_measure(&ram, 1, &o->zone_config);
    if (need == 0 || need > OBJECTS_META)
        return false;
    o->zone = loam_zone_init(objects_meta, need, false, &ram, 1, &o->zone_config);
    return o->zone != NULL &&
           loam_zone_add(o->zone, loam_pa_to_pfn(loam_pa_of(OBJECTS_PA)), o->frames) == LOAM_OK;
}

static inline bool objects_hash(void *ctx, uint64_t unit, unsigned order)
{
    uint64_t *sum = ctx;
    *sum = (*sum ^ (unit << 8 | order)) * 0x100000001b3ULL;
    return true;
}

/* A number that says which blocks are free, after the front is drained. */
static inline uint64_t objects_free_list(objects *o)
{
    uint64_t sum = 0xcbf29ce484222325ULL;
    loam_zone_drain(o->zone);
    loam_zone_each_free(o->zone, LOAM_ZONE_MAX_ORDER, objects_hash, &sum);
    return sum;
}

#endif
