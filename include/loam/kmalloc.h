/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KMALLOC_H
#define LOAM_KMALLOC_H

/* kmalloc.h - memory of any size: classes from the slab unit, large blocks from the zone. */
#include "loam/base.h"
#include "loam/slab.h"

typedef struct loam_kmalloc loam_kmalloc;

/* Makes the size classes (16-byte steps to 128, four a doubling to half a slab, at most 32 KiB).
 * NULL: no memory. */
loam_kmalloc *loam_kmalloc_init(loam_slabs *slabs);

void *loam_kmalloc_alloc(loam_kmalloc *k, size_t size);            /* size 0: NULL */
void *loam_kmalloc_calloc(loam_kmalloc *k, size_t n, size_t size); /* overflow: NULL */
/* align: power of two, to 4 MiB at least */
void *loam_kmalloc_aligned(loam_kmalloc *k, size_t size, size_t align);
void *loam_kmalloc_realloc(loam_kmalloc *k, void *p,
                           /* NULL p: alloc; size 0: free, NULL; refused: p stays */
                           size_t size);
loam_err loam_kmalloc_free(loam_kmalloc *k, void *p); /* NULL: LOAM_OK; misuse: LOAM_EINVAL */
/* usable bytes; 0 with misuse for a pointer that is none */
size_t loam_kmalloc_size(loam_kmalloc *k, const void *p);

/* Every block that is out: for leak reports. site is NULL unless the owner mode is on. */
typedef bool loam_kmalloc_fn(void *ctx, void *p, size_t size, const char *cache, const void *site);
void loam_kmalloc_each(loam_kmalloc *k, loam_kmalloc_fn *fn, void *ctx);

typedef struct loam_kmalloc_stats {
    uint64_t used_bytes, used_blocks;   /* out, as classes round them */
    uint64_t large_blocks, large_bytes; /* of those, from the zone */
    uint64_t slabs, quarantined, refusals, failures;
} loam_kmalloc_stats;
void loam_kmalloc_stat(loam_kmalloc *k, loam_kmalloc_stats *stats);
void loam_kmalloc_shrink(loam_kmalloc *k);
const char *loam_kmalloc_check(loam_kmalloc *k);

#endif
