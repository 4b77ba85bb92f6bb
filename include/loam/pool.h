/* SPDX-License-Identifier: MIT */
#ifndef LOAM_POOL_H
#define LOAM_POOL_H

/* pool.h - everything that one owner allocates, in blocks of its own, to be given back at once.
 *
 * A pool takes memory from kmalloc in chunks of 1 KiB and cuts them into runs of 16 bytes, so that
 * several small blocks of one owner share a larger one, and no block of another lies between them.
 * What its owner has not freed at its end is a leak: counted, named, and freed all the same.
 *
 * Every free is proved right before anything changes: a double free, an address inside a block, a
 * misaligned or foreign one (of another pool, too) is answered with loam_port_misuse and
 * LOAM_EINVAL.
 *
 * Context: that of the kmalloc below, and one caller at a time: a pool has no lock of its own.
 */
#include "loam/base.h"
#include "loam/kmalloc.h"

enum {
    LOAM_POOL_GRAIN = 16,   /* sizes are rounded up to it, addresses are multiples of it */
    LOAM_POOL_CHUNK = 1024, /* 64 grains: a bit each in one word */
    LOAM_POOL_SMALL = 512,  /* the largest size that shares a chunk */
    LOAM_POOL_CLASSES = 7,  /* chunks by their largest free run: none, 1, 2, 4, 8, 16, 32 grains */
    LOAM_POOL_BUCKETS = 8   /* of the table of chunks, at the start */
};

typedef enum loam_pool_mode {
    LOAM_POOL_SITES = 1 /* remember who allocated each block: 8 bytes a grain (4 on 32 bits) */
} loam_pool_mode;

/* A chunk, or one block that was too large for one. Made and freed by the pool. */
typedef struct loam_pool_chunk loam_pool_chunk;

/* The owner's memory; no field is for it to touch. */
typedef struct loam_pool {
    loam_kmalloc *kmalloc; /* NULL: the pool has ended */
    const char *name;
    unsigned modes;
    loam_list chunks[LOAM_POOL_CLASSES]; /* by floor(log2(largest free run)) + 1; 0: full */
    loam_list large;
    loam_pool_chunk **bucket; /* chunks and large blocks by address */
    size_t buckets;           /* a power of two */
    size_t listed;            /* chunks and large blocks */
    uint64_t blocks, bytes;   /* out; bytes as rounded */
    uint64_t peak_bytes, allocs, failures, refusals;
    loam_pool_chunk *first[LOAM_POOL_BUCKETS]; /* the table while it is small */
} loam_pool;

/* Starts an empty pool; takes nothing yet.
 *   pool        the owner's; it may not move while it is in use
 *   k           where chunks come from
 *   name        of the owner, for reports; lives as long as the pool
 *   modes       of loam_pool_mode
 *   returns     LOAM_OK; LOAM_EINVAL: k or name is NULL, or an unknown mode
 *   cost        O(1)
 */
loam_err loam_pool_init(loam_pool *pool, loam_kmalloc *k, const char *name, unsigned modes);

/* Gives out a block of at least size bytes, aligned to 16; its bytes are what they were.
 *   returns     its address; NULL: size 0, size above PTRDIFF_MAX, no memory, or the pool has ended
 *   cost        O(1), and what kmalloc costs when a new chunk or a large block is needed; a table
 *               that doubles is O(chunks), once for as many
 */
void *loam_pool_alloc(loam_pool *pool, size_t size);

/* The same for n * size bytes, all 0. NULL also when the product overflows. */
void *loam_pool_calloc(loam_pool *pool, size_t n, size_t size);

/* Takes back one block. NULL is LOAM_OK.
 *   returns     LOAM_OK; LOAM_EINVAL after misuse, nothing has changed then
 *   cost        O(1) on average
 */
loam_err loam_pool_free(loam_pool *pool, void *p);

/* Bytes of a block of this pool, as rounded; 0 for NULL, and 0 after misuse for any other address.
 * O(1) on average. */
size_t loam_pool_size(loam_pool *pool, const void *p);

/* Takes back every block. The pool is empty, as after init, and can be used on; all its memory is
 * kmalloc's again.
 *   returns     how many blocks were out
 *   cost        O(chunks + large blocks), whatever they hold
 */
uint64_t loam_pool_free_all(loam_pool *pool);

/* Every block that is out; site is NULL without LOAM_POOL_SITES. fn returns false to stop, and may
 * not use the pool. O(chunks + blocks). */
typedef bool loam_pool_fn(void *ctx, void *p, size_t size, const void *site);
void loam_pool_each(const loam_pool *pool, loam_pool_fn *fn, void *ctx);

/* Ends a pool: what is still out is leaked; each leak is told to fn (unless fn is NULL; false stops
 * the telling alone), and freed. From here on alloc answers NULL and free refuses.
 *   returns     the number of leaks
 *   cost        O(chunks + blocks)
 */
uint64_t loam_pool_fini(loam_pool *pool, loam_pool_fn *fn, void *ctx);

typedef struct loam_pool_stats {
    const char *name;
    uint64_t blocks, bytes; /* out; bytes as rounded */
    uint64_t peak_bytes;    /* the most that was out at one time */
    uint64_t chunks, large; /* held: chunks of LOAM_POOL_CHUNK bytes, and large blocks */
    uint64_t held_bytes;    /* of both, without the pool's own records */
    uint64_t allocs, failures, refusals; /* since init */
} loam_pool_stats;
/* O(chunks + large blocks). */
void loam_pool_stat(const loam_pool *pool, loam_pool_stats *stats);

/* The first broken rule (P1 ... of pool.c), or NULL. Nobody else inside. O(chunks + blocks). */
const char *loam_pool_check(const loam_pool *pool);

#endif
