/* SPDX-License-Identifier: MIT */
#ifndef LOAM_STATS_H
#define LOAM_STATS_H

/* stats.h - counters, defined once: structs, text, JSON and Linux's /proc lines come from the same
 * tables.
 *
 * The unit stands on base alone: whoever shows statistics fills these structs from the units' own,
 * with LOAM_STATS_COPY where the names agree:
 *
 *     loam_zone_stats from;
 *     loam_stats_zone to;
 *     loam_zone_stat(zone, &from);
 *     LOAM_STATS_COPY(LOAM_STATS_ZONE, &to, &from);
 *     to.name = from.name; ...
 *
 * Renderers write into a loam_text and may be called anywhere; a text that is too short is cut and
 * says so (loam_text.cut): cut JSON is not JSON. */
#include "loam/base.h"

enum { LOAM_STATS_ORDERS = 41 }; /* orders of blocks that a zone counts: 0 .. 40 */

/* X(field, unit, help) */
#define LOAM_STATS_MEMBLOCK(X)                                                                     \
    X(total, "frames", "whole frames of RAM")                                                      \
    X(free, "frames", "of those, handed to the zones at boot")                                     \
    X(held, "frames", "of those, touched by firmware, kernel or devices")                          \
    X(metadata, "frames", "of those, taken by early allocations alone")                            \
    X(edge_bytes, "bytes", "RAM outside whole frames")

#define LOAM_STATS_ZONE(X)                                                                         \
    X(frames, "frames", "frames with metadata: free, out, reserved and bad")                       \
    X(free, "frames", "free frames, those in fronts included")                                     \
    X(in_fronts, "frames", "free frames that lie in fronts")                                       \
    X(reserved, "frames", "frames that were never handed over")                                    \
    X(bad, "frames", "frames taken out of use")                                                    \
    X(low_water, "frames", "fewest free frames seen")                                              \
    X(metadata, "bytes", "bytes of the zone's own arrays")                                         \
    X(areas, "areas", "runs of RAM with a lock and maps of their own")                             \
    X(refills, "events", "a front took frames from an area")                                       \
    X(flushes, "events", "a front gave frames back")                                               \
    X(failures, "events", "requests answered with no memory")                                      \
    X(refusals, "events", "misuse that was refused")

#define LOAM_STATS_CACHE(X)                                                                        \
    X(size, "bytes", "an object, as asked for")                                                    \
    X(stride, "bytes", "what a slot takes")                                                        \
    X(slabs, "slabs", "slabs held")                                                                \
    X(slots, "objects", "objects those slabs have room for")                                       \
    X(used, "objects", "objects that are out")                                                     \
    X(slab_frames, "frames", "frames of a slab")

#define LOAM_STATS_KMALLOC(X)                                                                      \
    X(used_bytes, "bytes", "bytes out, as classes round them")                                     \
    X(used_blocks, "blocks", "blocks out")                                                         \
    X(large_blocks, "blocks", "of those, straight from the zone")                                  \
    X(large_bytes, "bytes", "bytes of those")                                                      \
    X(slabs, "slabs", "slabs held by the classes")                                                 \
    X(quarantined, "blocks", "freed blocks that wait")                                             \
    X(refusals, "events", "misuse that was refused")                                               \
    X(failures, "events", "requests answered with no memory")

#define LOAM_STATS_VMAP(X)                                                                         \
    X(window, "bytes", "addresses that areas can have")                                            \
    X(largest, "bytes", "the longest area that fits now")                                          \
    X(mapped, "bytes", "bytes of areas, guard pages excluded")                                     \
    X(areas, "areas", "areas that are out")                                                        \
    X(tables, "pages", "pages of the page tables they are in")                                     \
    X(allocs, "events", "areas made")                                                              \
    X(frees, "events", "areas given back")                                                         \
    X(failures, "events", "requests answered with no memory")                                      \
    X(refusals, "events", "misuse that was refused")

#define LOAM_STATS_TLB(X)                                                                          \
    X(threshold, "pages", "at most so many are flushed one by one; 0: all or nothing")             \
    X(batches, "events", "flushes, of one page or of many")                                        \
    X(fulls, "events", "of those, all that was remembered")                                        \
    X(pages, "events", "pages flushed one by one")

#define LOAM_STATS_MEMBER(field, unit, help) uint64_t field;

typedef struct loam_stats_memblock {
    LOAM_STATS_MEMBLOCK(LOAM_STATS_MEMBER)
} loam_stats_memblock;

typedef struct loam_stats_zone {
    const char *name;
    LOAM_STATS_ZONE(LOAM_STATS_MEMBER)
    uint64_t blocks[LOAM_STATS_ORDERS]; /* maximal free blocks of each order, fronts excluded */
} loam_stats_zone;

typedef struct loam_stats_cache {
    const char *name;
    LOAM_STATS_CACHE(LOAM_STATS_MEMBER)
} loam_stats_cache;

typedef struct loam_stats_kmalloc {
    LOAM_STATS_KMALLOC(LOAM_STATS_MEMBER)
} loam_stats_kmalloc;

typedef struct loam_stats_vmap {
    LOAM_STATS_VMAP(LOAM_STATS_MEMBER)
} loam_stats_vmap;

typedef struct loam_stats_tlb {
    LOAM_STATS_TLB(LOAM_STATS_MEMBER)
} loam_stats_tlb;

/* A counter that no table here knows, as those of a trace. */
typedef struct loam_stats_named {
    const char *name;
    uint64_t value;
} loam_stats_named;

/* What is known; NULL and 0 for what is not. The caller keeps what it points to. */
typedef struct loam_stats {
    const loam_stats_memblock *memblock;
    const loam_stats_zone *zone;
    size_t zones;
    const loam_stats_cache *cache;
    size_t caches;
    const loam_stats_kmalloc *kmalloc;
    const loam_stats_vmap *vmap;
    const loam_stats_tlb *tlb;
    const loam_stats_named *event;
    size_t events;
} loam_stats;

/* Copies the counters of a table between two structs that have them under the same names. */
#define LOAM_STATS_COPY_MEMBER(field, unit, help) loam_stats_to->field = loam_stats_from->field;
#define LOAM_STATS_COPY(TABLE, to, from)                                                           \
    do {                                                                                           \
        __typeof__(to) loam_stats_to = (to);                                                       \
        __typeof__(from) loam_stats_from = (from);                                                 \
        TABLE(LOAM_STATS_COPY_MEMBER)                                                              \
    } while (0)

/* The counters for a reader: one a line, "zone normal free 1234 frames". O(counters). */
void loam_stats_text(loam_text *out, const loam_stats *stats);

/* One JSON object on one line, without newline, with the members that are known:
 *   {"memblock":{"total":1,...},"zones":[{"name":"normal",...,"blocks":[1,0,...]}],
 *    "caches":[...],"kmalloc":{...},"vmap":{...},"tlb":{...},"events":{"page_alloc":3,...}}
 * `blocks` ends with the highest order that is not 0. O(counters). */
void loam_stats_json(loam_text *out, const loam_stats *stats);

/* What the counters of a table mean: "free, frames: free frames, ..." a line. For `help` and docs.
 */
void loam_stats_help(loam_text *out);

/* Linux's /proc/buddyinfo, one line a zone: free blocks of orders 0 .. orders - 1 (at most
 * LOAM_STATS_ORDERS), a larger block counted as that many of the last column. */
void loam_stats_buddyinfo(loam_text *out, const loam_stats_zone *zone, size_t zones,
                          unsigned orders);

/* Linux's /proc/slabinfo, version 2.1: two lines of heading, one line a cache. */
void loam_stats_slabinfo(loam_text *out, const loam_stats_cache *cache, size_t caches);

/* The first broken rule (C1 ... of stats.c): the sums that must hold while nobody is inside the
 * units, or NULL. O(counters). */
const char *loam_stats_check(const loam_stats *stats);

#endif
