/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_SLAB_CPUS_H
#define LOAM_TEST_SLAB_CPUS_H

/* slab_cpus.h - a machine of several processors for tests of the object layer: an arena, a zone and
 * a layer with a front each. Hosted: loam_hosted_set_cpu says which processor calls.
 *
 * Includes the unit's private header, since a test that expects a rule's name has to break it. */
#include <stdlib.h>
#include <string.h>

#include "../core/slab_internal.h"
#include "loam/kmalloc.h"
#include "tap_host.h"

enum { CPUS_MAX = 4, CPUS_FRAMES = 4096, CPUS_PA = 0x1000000, CPUS_META = 1 << 20 };
enum { CPUS_SPAN = 128 << 20 }; /* of the arena; what nobody touches is no memory */

static struct cpus {
    unsigned n, waits;   /* processors; calls of `wait` that may still hope */
    bool lazy;           /* of the next layer: fronts come late */
    bool stacks;         /* the same: long slots wait on stacks */
    bool fresh;          /* the same: its memory reads 0 */
    uint32_t keep_total; /* the same */
    uint64_t span;       /* the same: bytes of addresses, the layer's table of them in part; or 0 */
    loam_zone *zone;
    loam_slabs *slabs;
    loam_kmalloc *k;
    unsigned char *arena, *meta;
    bool (*wait)(void *ctx);                        /* of the next zone */
    void (*tight)(loam_slabs *slabs, size_t bytes); /* of the next layer */
    /* requests to the next zone so far, the number (1, 2, ...) of the one it refuses, and whether
     * it refuses all later ones, too. 0: none, and the zone has fronts */
    uint64_t requests, refuse_at;
    bool refuse_rest;
} cpus;

static inline bool cpus_refuse(void *ctx, unsigned order)
{
    (void)ctx;
    (void)order;
    cpus.requests++;
    return cpus.refuse_rest ? cpus.requests >= cpus.refuse_at : cpus.requests == cpus.refuse_at;
}

#define CPUS_ON(cpu) loam_hosted_set_cpu(cpu)

/* What every processor does at its tick. */
static inline void cpus_serve_all(void)
{
    unsigned me = loam_port_cpu();
    for (unsigned turn = 0; turn < 2; turn++) { /* what one tells another that one then takes */
        for (unsigned i = 0; i < cpus.n; i++) {
            CPUS_ON(i);
            loam_slabs_serve(cpus.slabs);
            loam_zone_serve(cpus.zone);
        }
    }
    CPUS_ON(me);
}

/* The others' ticks come while one waits; `waits` of them. */
static inline bool cpus_wait(void *ctx)
{
    (void)ctx;
    if (cpus.waits == 0 || cpus.slabs == NULL)
        return false;
    cpus.waits--;
    cpus_serve_all();
    return true;
}

static inline void cpus_start(tap *t, unsigned n, uint64_t frames, const char *options)
{
    const char *bad = NULL;
    loam_zone_config z;
    loam_slab_config c;
    loam_span ram = {CPUS_PA, frames << LOAM_PAGE_SHIFT};
    if (cpus.arena == NULL) {
        cpus.arena = aligned_alloc(CPUS_PA, CPUS_SPAN);
        cpus.meta = aligned_alloc(64, CPUS_META);
    }
    ram.len = cpus.span != 0 ? cpus.span : ram.len;
    CPUS_ON(0);
    cpus.slabs = NULL;
    cpus.n = n;
    cpus.waits = 1;
    loam_zone_config_init(&z);
    z.ncpus = n;
    z.linear = (loam_linear){CPUS_PA, ram.len, cpus.arena};
    z.wait = cpus.wait != NULL ? cpus.wait : cpus_wait;
    z.refuse = cpus.refuse_at != 0 ? cpus_refuse : NULL;
    cpus.zone = loam_zone_init(cpus.meta, CPUS_META, false, &ram, 1, &z);
    TAP_EQ(t, loam_zone_add(cpus.zone, loam_pa_to_pfn(loam_pa_of(CPUS_PA)), frames), LOAM_OK);
    loam_slab_config_init(&c);
    TAP_EQ(t, loam_slab_config_parse(&c, options, &bad), LOAM_OK);
    c.ncpus = n;
    c.lazy = cpus.lazy;
    c.stacks = cpus.stacks;
    c.keep_total = cpus.keep_total;
    c.fresh = cpus.fresh;
    if (cpus.fresh)
        memset(cpus.arena, 0, (size_t)frames << LOAM_PAGE_SHIFT);
    c.part = cpus.span != 0;
    c.tight = cpus.tight;
    cpus.slabs = loam_slabs_init(cpus.zone, &c);
    cpus.k = cpus.slabs != NULL ? loam_kmalloc_init(cpus.slabs) : NULL;
    TAP_CHECK(t, cpus.refuse_at != 0 || cpus.k != NULL);
    if (cpus.k != NULL)
        TAP_RULE(t, loam_kmalloc_check(cpus.k), NULL);
}

/* A program's main: runs its suite, and gives the arena back. */
static inline int cpus_main(const tap_suite *suite, int argc, char **argv)
{
    int code = tap_host_main(suite, argc, argv);
    free(cpus.arena);
    free(cpus.meta);
    return code;
}

/* Free frames when every processor has given back what it can. */
static inline uint64_t cpus_free_pages(void)
{
    unsigned me = loam_port_cpu();
    for (unsigned turn = 0; turn < 2; turn++) {
        cpus_serve_all();
        for (unsigned i = 0; i < cpus.n; i++) {
            CPUS_ON(i);
            loam_slabs_shrink(cpus.slabs);
        }
    }
    CPUS_ON(me);
    loam_zone_drain_all(cpus.zone);
    return loam_zone_free_pages(cpus.zone);
}

#endif
