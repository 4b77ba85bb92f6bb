/* SPDX-License-Identifier: MIT */
/* pool_view.c - what is in a pool, and the test of its rules (pool.c explains both).
 *
 * WHAT   Every block that is out, the sums, and the rules.
 * MODEL  The lists are walked; the table is asked for each record:
 *
 *            class lists --> chunk --> start bits --> blocks
 *            large list  --> block ----'   |
 *                                          '--> is it in its bucket, once?
 *
 * RULES  P1 .. P6, as in pool.c: here they are tested.
 * LOCKS  None: the owner's.
 * COST   O(chunks + blocks).
 * FROM   -
 * NOT    Changing anything.
 */
#include "pool_impl.h"

/* ---- views ---- */

static bool pool_each_in(const loam_pool *pool, loam_pool_chunk *c, loam_pool_fn *fn, void *ctx)
{
    bool sites = (pool->modes & LOAM_POOL_SITES) != 0, more = true;
    for (uint64_t left = c->start; left != 0 && more; left &= left - 1) {
        unsigned grain = loam_ctz64(left);
        more = fn(ctx, c->base + (size_t)grain * LOAM_POOL_GRAIN, pool_size_at(c, grain),
                  sites ? c->site[grain] : NULL);
    }
    return more;
}

/* List i of a pool: the classes, then the large blocks. */
static const loam_list *pool_list_at(const loam_pool *pool, unsigned i)
{
    return i < LOAM_POOL_CLASSES ? &pool->chunks[i] : &pool->large;
}

void loam_pool_each(const loam_pool *pool, loam_pool_fn *fn, void *ctx)
{
    bool more = pool->kmalloc != NULL;
    for (unsigned i = 0; i <= LOAM_POOL_CLASSES && more; i++) {
        const loam_list *head = pool_list_at(pool, i);
        for (loam_list *l = head->next; l != head && more; l = l->next)
            more = pool_each_in(pool, pool_chunk_of(l), fn, ctx);
    }
}

void loam_pool_stat(const loam_pool *pool, loam_pool_stats *stats)
{
    *stats = (loam_pool_stats){.name = pool->name,
                               .blocks = pool->blocks,
                               .bytes = pool->bytes,
                               .peak_bytes = pool->peak_bytes,
                               .allocs = pool->allocs,
                               .failures = pool->failures,
                               .refusals = pool->refusals};
    if (pool->kmalloc == NULL)
        return;
    for (const loam_list *l = pool->large.next; l != &pool->large; l = l->next) {
        stats->large++;
        stats->held_bytes += LOAM_CONTAINER_OF(l, const loam_pool_chunk, link)->size;
    }
    stats->chunks = pool->listed - stats->large;
    stats->held_bytes += stats->chunks * LOAM_POOL_CHUNK;
}

/* ---- check ---- */

typedef struct pool_sums {
    uint64_t blocks, bytes, empty;
    size_t listed;
} pool_sums;

/* How often a record is in its bucket. */
static unsigned pool_entries(const loam_pool *pool, const loam_pool_chunk *c)
{
    const loam_pool_chunk *at = pool->bucket[pool_bucket(pool, (uintptr_t)c->base)];
    unsigned found = 0;
    for (size_t left = pool->listed; at != NULL && left > 0; at = at->next, left--)
        found += at == c;
    return found;
}

static size_t pool_entries_in_all(const loam_pool *pool)
{
    size_t found = 0;
    for (size_t i = 0; i < pool->buckets; i++)
        for (const loam_pool_chunk *at = pool->bucket[i]; at != NULL && found <= pool->listed;
             at = at->next)
            found++;
    return found;
}

static const char *pool_check_record(const loam_pool *pool, loam_pool_chunk *c, unsigned list)
{
    uint64_t taken = ~c->free;
    if (pool_entries(pool, c) != 1)
        return "P1 every record is in the table once, under its address";
    if (list == LOAM_POOL_CLASSES)
        return c->size != 0 && c->start == 1 ? NULL : "P1 a large block is listed as one";
    if (c->size != 0)
        return "P1 a chunk is listed as one";
    if ((c->start & c->free) != 0)
        return "P2 no block starts in a free grain";
    if ((taken & ~(taken << 1) & ~c->start) != 0)
        return "P3 grains that are not free follow the start of a block";
    return list == pool_class(c->free) && list == c->class ? NULL
                                                           : "P4 a chunk is on the list of its "
                                                             "largest run";
}

static bool pool_add_block(void *ctx, void *p, size_t size, const void *site)
{
    pool_sums *sums = ctx;
    (void)p;
    (void)site;
    sums->blocks++;
    sums->bytes += size;
    return true;
}

static const char *pool_check_list(const loam_pool *pool, unsigned i, pool_sums *sums)
{
    const loam_list *head = pool_list_at(pool, i);
    const char *bad = NULL;
    for (loam_list *l = head->next; l != head && bad == NULL; l = l->next) {
        loam_pool_chunk *c = pool_chunk_of(l);
        if (sums->listed++ == pool->listed)
            return "P5 records are as many as the counter says";
        bad = pool_check_record(pool, c, i);
        sums->empty += c->size == 0 && c->free == ~0ULL;
        (void)pool_each_in(pool, c, pool_add_block, sums);
    }
    return bad;
}

const char *loam_pool_check(const loam_pool *pool)
{
    pool_sums sums = {0, 0, 0, 0};
    const char *bad = NULL;
    if (pool->kmalloc == NULL)
        return pool->blocks == 0 && pool->listed == 0 ? NULL
                                                      : "P5 a pool that has ended has no blocks";
    for (unsigned i = 0; i <= LOAM_POOL_CLASSES && bad == NULL; i++)
        bad = pool_check_list(pool, i, &sums);
    if (bad != NULL)
        return bad;
    if (sums.listed != pool->listed || sums.blocks != pool->blocks || sums.bytes != pool->bytes)
        return "P5 blocks, bytes and records are as many as the counters say";
    if (pool_entries_in_all(pool) != pool->listed)
        return "P1 nothing else is in the table";
    return sums.empty <= 1 ? NULL : "P6 at most one chunk is wholly free";
}
