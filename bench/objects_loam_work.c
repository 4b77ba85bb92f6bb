/* SPDX-License-Identifier: MIT */
/* objects_loam_work.c - the loops over loam_kmalloc, as a kernel calls it: every invalid free would
 * be caught. */
#include "loam/kmalloc.h"
#define OBJECTS_ALLOC(a, size)          loam_kmalloc_alloc(a, size)
#define OBJECTS_FREE(a, p)              (void)loam_kmalloc_free(a, p)
#define OBJECTS_REALLOC(a, p, size)     loam_kmalloc_realloc(a, p, size)
#define OBJECTS_ZEROED(a, size)         loam_kmalloc_calloc(a, 1, size)
#define OBJECTS_ALIGNED(a, align, size) loam_kmalloc_aligned(a, size, align)
#include "objects_work.inc"

static loam_zone *zone; /* beneath the one instance of a process */

static loam_slabs *slabs;

static void *loam_init(uint64_t arena_bytes, unsigned threads)
{
    loam_zone_config zc;
    loam_slab_config sc;
    unsigned char *arena = bench_map(arena_bytes);
    loam_span ram = {loam_align_up((uintptr_t)arena, LOAM_PAGE_SIZE), arena_bytes};
    loam_zone_config_init(&zc);
    zc.ncpus = threads;
    zc.linear = (loam_linear){ram.base, ram.len, arena};
    uint64_t bytes = loam_zone_measure(&ram, 1, &zc);
    zone = loam_zone_init(bench_map(bytes), bytes, true, &ram, 1, &zc);
    if (zone == NULL || loam_zone_add(zone, loam_pa_to_pfn(loam_pa_of(ram.base)),
                                      ram.len >> LOAM_PAGE_SHIFT) != LOAM_OK)
        bench_die("the zone cannot be made");
    loam_slab_config_init(&sc);
    sc.ncpus = threads;
    slabs = loam_slabs_init(zone, &sc);
    loam_kmalloc *k = slabs == NULL ? NULL : loam_kmalloc_init(slabs);
    if (k == NULL)
        bench_die("kmalloc cannot be made");
    return k;
}

static void loam_enter(void *a, unsigned thread)
{
    (void)a;
    loam_hosted_set_cpu(thread);
}

static void loam_serve(void *a)
{
    (void)a;
    loam_slabs_serve(slabs);
}

static const char *loam_check(void *a)
{
    const char *broken = loam_kmalloc_check(a);
    return broken != NULL ? broken : loam_zone_check(zone);
}

static uint64_t loam_used_pages(void *a)
{
    (void)a;
    loam_zone_stats s;
    loam_zone_stat(zone, &s);
    return s.frames - s.free - s.reserved;
}

const objects_api objects_loam = {.name = "loam",
                                  .init = loam_init,
                                  .enter = loam_enter,
                                  .serve = loam_serve,
                                  .check = loam_check,
                                  .used_pages = loam_used_pages,
                                  OBJECTS_LOOPS};
