/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_SLAB_TOLD_H
#define LOAM_TEST_SLAB_TOLD_H

/* slab_told.h - words for tests that play several processors over one object layer, call by call:
 * one thread plays them all.
 *
 *     cpus_start(t, 2, 512, "shift=14");
 *     loam_cache *c = things(t, 64);
 *     CPUS_ON(1);
 *     REFUSED(t, 1, "double free", serve(1));
 */
#include "slab_cpus.h"

/* The call inside is refused with these words. */
#define REFUSED(t, n, words, call)                                                                 \
    do {                                                                                           \
        tap_catch(t);                                                                              \
        call;                                                                                      \
        TAP_EQ(t, tap_caught(t), n);                                                               \
        if ((n) != 0)                                                                              \
            TAP_STR(t, (t)->report.what, words);                                                   \
        TAP_RULE(t, loam_kmalloc_check(cpus.k), NULL);                                             \
    } while (0)

/* A value is changed, the rule is named, and the value put back. */
#define BREAKS(t, place, value, rule)                                                              \
    do {                                                                                           \
        __typeof__(place) breaks_old = (place);                                                    \
        (place) = (value);                                                                         \
        TAP_RULE(t, loam_slabs_check(cpus.slabs), rule);                                           \
        (place) = breaks_old;                                                                      \
        TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);                                           \
    } while (0)

static inline slab_desc *desc_of(const void *p)
{
    return slab_desc_at(cpus.slabs, slab_off(cpus.slabs, p));
}

static inline loam_cache *things(tap *t, size_t size)
{
    loam_cache *c = loam_cache_create(cpus.slabs, "things", size, 0, NULL, NULL);
    TAP_CHECK(t, c != NULL);
    return c;
}

static inline uint64_t used(const loam_cache *c)
{
    loam_cache_stats stats;
    loam_cache_stat(c, &stats);
    return stats.used;
}

static inline uint64_t slabs(const loam_cache *c)
{
    loam_cache_stats stats;
    loam_cache_stat(c, &stats);
    return stats.slabs;
}

/* What a processor does at its tick. */
static inline void serve(unsigned cpu)
{
    unsigned me = loam_port_cpu();
    CPUS_ON(cpu);
    loam_slabs_serve(cpus.slabs);
    CPUS_ON(me);
}

#endif
