/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KMALLOC_H
#define LOAM_KMALLOC_H

/* kmalloc.h - memory of any size: classes from the slab unit, large blocks from the zone, or from
 * a vmap.
 *
 * Blocks are aligned to 16 bytes. Wrong addresses are refused as slab.h says, modes and context are
 * those of the layer.
 */
#include "loam/base.h"
#include "loam/slab.h"
#include "loam/vmap.h"

typedef struct loam_kmalloc loam_kmalloc;

/* Makes the size classes: 16-byte steps to 128, four a doubling to half a slab, at most 32 KiB, and
 * one of 4608 bytes.
 *   returns     NULL: no memory; nothing is taken then
 *   cost        O(classes), at most 41
 */
loam_kmalloc *loam_kmalloc_init(loam_slabs *slabs);

/* Not where the layer's config has `seal`.
 * From now on blocks that are too large for a class are areas of a vmap: in a row for the program,
 * scattered in RAM, with an unmapped page on both sides. Only where the vmap has no addresses or no
 * frames they come in a row from the zone, as all did before; so do those of loam_kmalloc_aligned,
 * which may be for a device. The processor uses the vmap's tables; its source of tags may be a
 * cache or the classes of this layer.
 *   vmap        serves this kmalloc alone; NULL: the zone again
 *   returns     LOAM_OK; LOAM_EBUSY: it serves another, or blocks of the former one are out
 *   cost        O(areas)      context   large blocks are not for interrupts from then on
 */
loam_err loam_kmalloc_set_vmap(loam_kmalloc *k, loam_vmap *vmap);

/* Gives out a block of at least size bytes.
 *   returns     its address; NULL: size 0, size above PTRDIFF_MAX, or no memory after all that
 *               waits or is kept was given back
 *   cost        O(1), mostly about 25 instructions to 1024 bytes; large blocks: one call of the
 *               zone
 */
void *loam_kmalloc_alloc(loam_kmalloc *k, size_t size);

/* The same for n * size bytes, all 0. NULL also when the product overflows. */
void *loam_kmalloc_calloc(loam_kmalloc *k, size_t n, size_t size);

/* The same at an address that is a multiple of align.
 *   align       a power of two, to the zone's largest block; beyond a page only as far as the
 *               linear map's va and pa agree modulo it. Above half a slab the block takes at
 *               least align bytes
 *   returns     NULL also for any other align
 */
void *loam_kmalloc_aligned(loam_kmalloc *k, size_t size, size_t align);

/* Changes the size of a block, moving it when it does not fit or would be less than half used. The
 * first bytes, as many as both sizes have, stay the same.
 *   p           a block of k, or NULL: an allocation
 *   size        0: the block is freed, the answer is NULL
 *   returns     the block's address; NULL: no memory or misuse, and p stays as it was. Making a
 *               block smaller never fails
 *   cost        O(1) in place, else O(size). A block of the vmap grows in place while there is room
 *               behind it, and gives the pages back that it does not need any more: O(pages)
 */
void *loam_kmalloc_realloc(loam_kmalloc *k, void *p, size_t size);

/* Takes back a block. NULL is LOAM_OK.
 *   returns     LOAM_OK; LOAM_EINVAL after misuse, nothing has changed then
 *   cost        O(1), mostly about 40 instructions
 */
loam_err loam_kmalloc_free(loam_kmalloc *k, void *p);

/* Bytes of the block that may be used: its class's size or whole frames; with guard the size asked
 * for. 0 for NULL, and 0 after misuse for any other address that is no block. O(1). */
size_t loam_kmalloc_size(loam_kmalloc *k, const void *p);

/* Every block that is out, by address: for leak reports. size: as asked for where that is recorded
 * (guard, owner, quarantine; large blocks always), else the class's. site is NULL unless the owner
 * mode is on, but always there for large blocks. fn returns false to stop, and may not allocate or
 * free. O(map / slab size + slots). */
typedef bool loam_kmalloc_fn(void *ctx, void *p, size_t size, const char *cache, const void *site);
void loam_kmalloc_each(loam_kmalloc *k, loam_kmalloc_fn *fn, void *ctx);

typedef struct loam_kmalloc_stats {
    uint64_t used_bytes, used_blocks;     /* out, as classes and frames round them */
    uint64_t large_blocks, large_bytes;   /* of those, in whole frames */
    uint64_t mapped_blocks, mapped_bytes; /* of those, from the vmap */
    uint64_t slabs;                       /* of the classes */
    uint64_t quarantined;                 /* blocks that wait, of the whole layer */
    uint64_t kept_blocks, kept_bytes;     /* free, kept for the next request, of the whole layer */
    uint64_t refusals, failures;          /* misuse answered, NULL answered, of the whole layer */
} loam_kmalloc_stats;
/* O(slabs + large blocks). */
void loam_kmalloc_stat(loam_kmalloc *k, loam_kmalloc_stats *stats);

/* loam_slabs_shrink of the layer. After everything was freed the zone's free blocks are then what
 * they were before the first allocation. */
void loam_kmalloc_shrink(loam_kmalloc *k);

/* The first broken rule (S1 ... of slab_check.c, K1 ... of kmalloc.c), or NULL. Nobody else
 * inside. */
const char *loam_kmalloc_check(loam_kmalloc *k);

#endif
