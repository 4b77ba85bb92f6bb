/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_SLAB_GROUND_H
#define LOAM_TEST_SLAB_GROUND_H

/* slab_ground.h - a machine for tests of the object layers: an arena, a zone over it, a layer.
 *
 *     ground_start(t, 512, "guard,shift=14");
 *     void *p = loam_kmalloc_alloc(ground.k, 100);
 *
 * Includes the unit's private header, since a test that expects a rule's name has to break it. */
#include "../core/slab_internal.h"
#include "loam/kmalloc.h"
#include "tap.h"

enum { GROUND_FRAMES = 512, GROUND_META = 64 * 1024, GROUND_PA = 0x1000000, GROUND_BLOCKS = 64 };

typedef struct ground_free {
    unsigned count;
    uint64_t unit[GROUND_BLOCKS];
    unsigned order[GROUND_BLOCKS];
} ground_free;

static struct ground {
    loam_zone *zone;
    loam_slabs *slabs;
    loam_kmalloc *k;
    loam_slab_config config;
    uint32_t keep_total; /* of the config; a case that sets it sets it back */
    unsigned left;       /* requests to the zone that succeed while it is not GROUND_ALL */
} ground;

#define GROUND_ALL (~0U)

/* `common`: one for all suites in a program, which run one after another. The PC's kernel has to
 * find room for it beside all else in 16 MiB. */
extern unsigned char ground_arena[GROUND_FRAMES * LOAM_PAGE_SIZE];
__attribute__((common, aligned(65536))) unsigned char ground_arena[GROUND_FRAMES * LOAM_PAGE_SIZE];
static unsigned char ground_meta[GROUND_META] __attribute__((aligned(64)));

static inline bool ground_refuse(void *ctx, unsigned order)
{
    (void)ctx;
    (void)order;
    if (ground.left == GROUND_ALL)
        return false;
    if (ground.left == 0)
        return true;
    ground.left--;
    return false;
}

/* A zone of so many frames, all free, at the start of the arena. */
static inline void ground_zone(tap *t, uint64_t frames)
{
    loam_zone_config z;
    loam_span ram = {GROUND_PA, frames << LOAM_PAGE_SHIFT};
    loam_zone_config_init(&z);
    z.fronts = false;
    z.lowest = true;
    z.linear = (loam_linear){GROUND_PA, ram.len, ground_arena};
    z.refuse = ground_refuse;
    ground.left = GROUND_ALL;
    ground.zone = loam_zone_init(ground_meta, GROUND_META, false, &ram, 1, &z);
    TAP_CHECK(t, ground.zone != NULL);
    TAP_EQ(t, loam_zone_add(ground.zone, loam_pa_to_pfn(loam_pa_of(GROUND_PA)), frames), LOAM_OK);
}

static inline void ground_start(tap *t, uint64_t frames, const char *options)
{
    const char *bad = NULL;
    ground_zone(t, frames);
    loam_trace *trace = ground.config.trace;
    loam_slab_config_init(&ground.config);
    ground.config.trace = trace;
    TAP_EQ(t, loam_slab_config_parse(&ground.config, options, &bad), LOAM_OK);
    ground.config.keep_total = ground.keep_total;
    ground.slabs = loam_slabs_init(ground.zone, &ground.config);
    ground.k = ground.slabs != NULL ? loam_kmalloc_init(ground.slabs) : NULL;
    TAP_CHECK(t, ground.k != NULL);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

/* A block of so many bytes. */
static inline unsigned char *ground_get(tap *t, size_t size)
{
    unsigned char *p = loam_kmalloc_alloc(ground.k, size);
    TAP_CHECK(t, p != NULL);
    return p;
}

static inline void ground_put(tap *t, void *p)
{
    TAP_EQ(t, loam_kmalloc_free(ground.k, p), LOAM_OK);
}

/* Where a block lies. */
static inline slab_place ground_find(tap *t, const void *p)
{
    slab_place at;
    TAP_EQ(t, loam_slab__find(ground.slabs, p, ground.k, NULL, &at), SLAB_FINE);
    return at;
}

static inline bool ground_note(void *ctx, uint64_t unit, unsigned order)
{
    ground_free *f = ctx;
    if (f->count < GROUND_BLOCKS) {
        f->unit[f->count] = unit;
        f->order[f->count] = order;
    }
    f->count++;
    return true;
}

/* The zone's free blocks now. */
static inline void ground_look(ground_free *f)
{
    f->count = 0;
    loam_zone_each_free(ground.zone, LOAM_ZONE_MAX_ORDER, ground_note, f);
}

static inline void ground_same(tap *t, const ground_free *before)
{
    ground_free now;
    ground_look(&now);
    TAP_EQ(t, now.count, before->count);
    for (unsigned i = 0; i < now.count && i < before->count && i < GROUND_BLOCKS; i++) {
        TAP_EQ(t, now.unit[i], before->unit[i]);
        TAP_EQ(t, now.order[i], before->order[i]);
    }
}

/* The call inside is refused with these words, and changes nothing. */
#define GROUND_REFUSED(t, call, words, is)                                                         \
    do {                                                                                           \
        loam_kmalloc_stats ground_a, ground_b;                                                     \
        loam_kmalloc_stat(ground.k, &ground_a);                                                    \
        tap_catch(t);                                                                              \
        TAP_EQ(t, call, LOAM_EINVAL);                                                              \
        TAP_EQ(t, tap_caught(t), 1);                                                               \
        TAP_STR(t, (t)->report.what, words);                                                       \
        TAP_STR(t, (t)->report.state, is);                                                         \
        TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);                                           \
        loam_kmalloc_stat(ground.k, &ground_b);                                                    \
        TAP_EQ(t, ground_b.used_blocks, ground_a.used_blocks);                                     \
        TAP_EQ(t, ground_b.quarantined, ground_a.quarantined);                                     \
    } while (0)

/* A value is changed, the rule is named, and the value put back. */
#define GROUND_BREAKS(t, place, value, rule)                                                       \
    do {                                                                                           \
        __typeof__(place) ground_old = (place);                                                    \
        (place) = (value);                                                                         \
        TAP_RULE(t, loam_kmalloc_check(ground.k), rule);                                           \
        (place) = ground_old;                                                                      \
        TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);                                           \
    } while (0)

#endif
