/* SPDX-License-Identifier: MIT */
/* pool.c - what one owner allocates, given back at once.
 *
 * WHAT   Small blocks of one owner share chunks that nobody else uses; larger ones come from
 *        kmalloc one by one, and are remembered. So the end of an owner is the end of its memory,
 *        and what it forgot can be named.
 *
 * MODEL  A chunk is 1 KiB of kmalloc's, 64 grains of 16 bytes, and a record beside it with two
 *        words: which grains are free, and at which ones a block starts. A block ends where the
 *        next one starts or a free grain lies.
 *
 *            chunk   [ a  a  a | b | .  .  . | c  c | .  .  ... ]       never written by the pool
 *            free      0  0  0   0   1  1  1   0  0   1  1
 *            start     1  0  0   1   0  0  0   1  0   0  0
 *
 *            class 0 full | 1: a run of 1 | 2: of 2, 3 | 3: of 4 .. 7 | ... | 6: of 32 .. 64
 *                                                |
 *                          chunk <-> chunk <-----'   any of a list fits its class's size
 *
 *            bucket[address hash] -> record -> record        also of large blocks
 *
 * RULES  P1  every chunk and large block is in the table once, under its address, and nothing else
 *        P2  no block starts in a free grain
 *        P3  grains that are not free follow the start of a block
 *        P4  a chunk is on the list of its largest free run
 *        P5  blocks, bytes and records are as many as the counters say
 *        P6  at most one chunk is wholly free
 *        loam_pool_check() tests exactly these, under these names.
 *
 * LOCKS  None: the owner's, and those of the kmalloc below.
 * COST   alloc: a list, a run of set bits by shifts, at most 6. free: one step in the table and the
 *        same shifts. free_all: two kfrees a chunk.
 * FROM   Regions of compilers; free and start bits as in byte heaps of small kernels.
 * NOT    Growing a block; alignment above 16; sharing between processors.
 */
#include "loam/port.h"
#include "pool_impl.h"

/* ---- words ---- */

/* Where a run of n set bits starts, n from 1 to 64. */
static uint64_t pool_runs(uint64_t v, unsigned n)
{
    for (unsigned have = 1; have < n;) {
        unsigned step = n - have < have ? n - have : have;
        v &= v >> step;
        have += step;
    }
    return v;
}

/* ---- the table: records by address ---- */

static void pool_enter(loam_pool *pool, loam_pool_chunk *c)
{
    loam_pool_chunk **bucket = &pool->bucket[pool_bucket(pool, (uintptr_t)c->base)];
    c->next = *bucket;
    *bucket = c;
}

/* Twice the buckets, if there is memory for them: without it the table is slower, not wrong. */
static void pool_widen(loam_pool *pool)
{
    size_t old = pool->buckets;
    loam_pool_chunk **from = pool->bucket;
    loam_pool_chunk **to = loam_kmalloc_calloc(pool->kmalloc, old * 2, sizeof(loam_pool_chunk *));
    if (to == NULL)
        return;
    pool->bucket = to;
    pool->buckets = old * 2;
    for (size_t i = 0; i < old; i++) {
        while (from[i] != NULL) {
            loam_pool_chunk *c = from[i];
            from[i] = c->next;
            pool_enter(pool, c);
        }
    }
    if (from != pool->first)
        (void)loam_kmalloc_free(pool->kmalloc, from);
}

static void pool_list(loam_pool *pool, loam_pool_chunk *c)
{
    pool_enter(pool, c);
    if (++pool->listed > pool->buckets)
        pool_widen(pool);
}

static void pool_unlist(loam_pool *pool, loam_pool_chunk *c)
{
    loam_pool_chunk **at = &pool->bucket[pool_bucket(pool, (uintptr_t)c->base)];
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    pool->listed--;
    loam_list_remove(&c->link);
}

/* ---- records ---- */

static loam_pool_chunk *pool_record(const loam_pool *pool, unsigned sites)
{
    size_t extra = (pool->modes & LOAM_POOL_SITES) != 0 ? sites * sizeof(void *) : 0;
    return loam_kmalloc_calloc(pool->kmalloc, 1, sizeof(loam_pool_chunk) + extra);
}

static void pool_release(loam_pool *pool, loam_pool_chunk *c)
{
    pool_unlist(pool, c);
    if (c->size == 0)
        LOAM_PORT_NOTE_SHOW(c->base, (size_t)LOAM_POOL_CHUNK);
    (void)loam_kmalloc_free(pool->kmalloc, c->base);
    (void)loam_kmalloc_free(pool->kmalloc, c);
}

/* To the list that its free grains say; a wholly free one last, so that it is used last. */
static void pool_place(loam_pool *pool, loam_pool_chunk *c)
{
    unsigned class = pool_class(c->free);
    if (class == c->class && c->free != ~0ULL)
        return;
    c->class = class;
    loam_list_remove(&c->link);
    if (c->free == ~0ULL)
        loam_list_append(&pool->chunks[class], &c->link);
    else
        loam_list_push(&pool->chunks[class], &c->link);
}

static loam_pool_chunk *pool_new_chunk(loam_pool *pool)
{
    loam_pool_chunk *c = pool_record(pool, POOL_GRAINS);
    if (c == NULL)
        return NULL;
    c->base = loam_kmalloc_aligned(pool->kmalloc, LOAM_POOL_CHUNK, LOAM_POOL_CHUNK);
    if (c->base == NULL) {
        (void)loam_kmalloc_free(pool->kmalloc, c);
        return NULL;
    }
    LOAM_PORT_NOTE_HIDE(c->base, (size_t)LOAM_POOL_CHUNK);
    c->free = ~0ULL;
    c->class = LOAM_POOL_CLASSES; /* none yet */
    loam_list_init(&c->link);
    pool_list(pool, c);
    return c;
}

/* ---- init ---- */

static void pool_empty(loam_pool *pool)
{
    for (unsigned i = 0; i < LOAM_POOL_CLASSES; i++)
        loam_list_init(&pool->chunks[i]);
    loam_list_init(&pool->large);
    __builtin_memset(pool->first, 0, sizeof(pool->first));
    pool->bucket = pool->first;
    pool->buckets = LOAM_POOL_BUCKETS;
    pool->listed = 0;
    pool->blocks = pool->bytes = 0;
}

loam_err loam_pool_init(loam_pool *pool, loam_kmalloc *k, const char *name, unsigned modes)
{
    if (k == NULL || name == NULL || (modes & ~(unsigned)LOAM_POOL_SITES) != 0)
        return LOAM_EINVAL;
    pool->kmalloc = k;
    pool->name = name;
    pool->modes = modes;
    pool->peak_bytes = pool->allocs = pool->failures = pool->refusals = 0;
    pool_empty(pool);
    LOAM_PORT_NOTE_BEGIN(pool);
    return LOAM_OK;
}

/* ---- alloc ---- */

static void pool_count(loam_pool *pool, size_t bytes)
{
    pool->blocks++;
    pool->allocs++;
    pool->bytes += bytes;
    if (pool->bytes > pool->peak_bytes)
        pool->peak_bytes = pool->bytes;
}

static void *pool_take_small(loam_pool *pool, unsigned n, const void *site)
{
    unsigned class = loam_log2_ceil(n) + 1;
    while (class < LOAM_POOL_CLASSES && loam_list_is_empty(&pool->chunks[class]))
        class ++;
    loam_pool_chunk *c =
        class < LOAM_POOL_CLASSES ? pool_chunk_of(pool->chunks[class].next) : pool_new_chunk(pool);
    if (c == NULL)
        return NULL;
    unsigned grain = loam_ctz64(pool_runs(c->free, n));
    c->free &= ~(loam_mask64(n) << grain);
    c->start |= 1ULL << grain;
    if ((pool->modes & LOAM_POOL_SITES) != 0)
        c->site[grain] = site;
    pool_place(pool, c);
    pool_count(pool, (size_t)n * LOAM_POOL_GRAIN);
    unsigned char *p = c->base + (size_t)grain * LOAM_POOL_GRAIN;
    LOAM_PORT_NOTE_ALLOC(pool, p, (size_t)n * LOAM_POOL_GRAIN, false);
    return p;
}

static void *pool_take_large(loam_pool *pool, size_t size, const void *site)
{
    loam_pool_chunk *c = pool_record(pool, 1);
    void *p = c == NULL ? NULL : loam_kmalloc_alloc(pool->kmalloc, size);
    if (p == NULL) {
        if (c != NULL)
            (void)loam_kmalloc_free(pool->kmalloc, c);
        return NULL;
    }
    c->base = p;
    c->start = 1;
    c->size = size;
    if ((pool->modes & LOAM_POOL_SITES) != 0)
        c->site[0] = site;
    loam_list_init(&c->link);
    loam_list_push(&pool->large, &c->link);
    pool_list(pool, c);
    pool_count(pool, pool_round(size));
    return p;
}

static void *pool_alloc(loam_pool *pool, size_t size, const void *site)
{
    void *p = NULL;
    if (pool->kmalloc != NULL && size != 0 && size <= PTRDIFF_MAX - LOAM_POOL_GRAIN)
        p = size <= LOAM_POOL_SMALL
                ? pool_take_small(pool, (unsigned)(pool_round(size) / LOAM_POOL_GRAIN), site)
                : pool_take_large(pool, size, site);
    if (p == NULL && size != 0)
        pool->failures++;
    return p;
}

void *loam_pool_alloc(loam_pool *pool, size_t size)
{
    return pool_alloc(pool, size, __builtin_return_address(0));
}

void *loam_pool_calloc(loam_pool *pool, size_t n, size_t size)
{
    uint64_t bytes;
    if (loam_mul_overflows(n, size, &bytes) || bytes > PTRDIFF_MAX)
        bytes = SIZE_MAX; /* refused below, and counted */
    void *p = pool_alloc(pool, (size_t)bytes, __builtin_return_address(0));
    if (p != NULL)
        __builtin_memset(p, 0, (size_t)bytes);
    return p;
}

/* ---- free ---- */

/* What an address is to a pool: a block's first byte, or why not. */
typedef struct pool_place_of {
    loam_pool_chunk *chunk;
    unsigned grain;
    const char *what, *state;
} pool_place_of;

static bool pool_is_inside_large(const loam_pool *pool, uintptr_t address)
{
    for (loam_list *l = pool->large.next; l != &pool->large; l = l->next) {
        const loam_pool_chunk *c = pool_chunk_of(l);
        if (address - (uintptr_t)c->base < c->size)
            return true;
    }
    return false;
}

static void pool_explain(const loam_pool *pool, uintptr_t address, pool_place_of *at)
{
    at->what = "foreign free";
    at->state = "not of this pool";
    if (at->chunk != NULL && (at->chunk->free >> at->grain & 1) != 0) {
        at->what = "double free";
        at->state = "free";
    } else if (at->chunk != NULL || pool_is_inside_large(pool, address)) {
        at->what = address % LOAM_POOL_GRAIN != 0 ? "misaligned free" : "inner free";
        at->state = "inside a block";
    }
}

/* false: no block of this pool starts there; what and state say why. */
static bool pool_find(const loam_pool *pool, const void *p, pool_place_of *at)
{
    uintptr_t address = (uintptr_t)p, off = address & (LOAM_POOL_CHUNK - 1);
    *at = (pool_place_of){.what = "the pool has ended", .state = "nothing is out"};
    if (pool->kmalloc == NULL)
        return false;
    at->chunk = pool_lookup(pool, address - off, false);
    at->grain = (unsigned)off / LOAM_POOL_GRAIN;
    if (at->chunk != NULL && off % LOAM_POOL_GRAIN == 0 && (at->chunk->start >> at->grain & 1) != 0)
        return true;
    if (at->chunk == NULL) {
        at->grain = 0;
        at->chunk = pool_lookup(pool, address, true);
        if (at->chunk != NULL)
            return true;
    }
    pool_explain(pool, address, at);
    return false;
}

static LOAM_NOINLINE loam_err pool_refuse(loam_pool *pool, const void *p, const pool_place_of *at,
                                          const char *what, const void *caller)
{
    loam_report report = {.unit = "pool",
                          .what = what,
                          .object = "address",
                          .value = (uintptr_t)p,
                          .state = at->state,
                          .name = pool->name,
                          .caller = caller,
                          .rule = "P5"};
    pool->refusals++;
    loam_port_misuse(&report);
    return LOAM_EINVAL;
}

/* A chunk gained free grains. Of wholly free ones only this is kept, for whoever takes turns. */
static void pool_settle(loam_pool *pool, loam_pool_chunk *c)
{
    pool_place(pool, c);
    loam_list *before = c->link.prev;
    if (c->free == ~0ULL && before != &pool->chunks[c->class] &&
        pool_chunk_of(before)->free == ~0ULL)
        pool_release(pool, pool_chunk_of(before));
}

loam_err loam_pool_free(loam_pool *pool, void *p)
{
    pool_place_of at;
    if (p == NULL)
        return LOAM_OK;
    if (!pool_find(pool, p, &at))
        return pool_refuse(pool, p, &at, at.what, __builtin_return_address(0));
    pool->blocks--;
    pool->bytes -= pool_size_at(at.chunk, at.grain);
    if (at.chunk->size != 0) {
        pool_release(pool, at.chunk);
        return LOAM_OK;
    }
    LOAM_PORT_NOTE_FREE(pool, p, pool_size_at(at.chunk, at.grain));
    at.chunk->free |= loam_mask64(pool_grains(at.chunk, at.grain)) << at.grain;
    at.chunk->start &= ~(1ULL << at.grain);
    pool_settle(pool, at.chunk);
    return LOAM_OK;
}

size_t loam_pool_size(loam_pool *pool, const void *p)
{
    pool_place_of at;
    if (p == NULL)
        return 0;
    if (pool_find(pool, p, &at))
        return pool_size_at(at.chunk, at.grain);
    (void)pool_refuse(pool, p, &at, "size of no block", __builtin_return_address(0));
    return 0;
}

uint64_t loam_pool_free_all(loam_pool *pool)
{
    uint64_t blocks = pool->blocks;
    if (pool->kmalloc == NULL)
        return 0;
    LOAM_PORT_NOTE_END(pool);
    LOAM_PORT_NOTE_BEGIN(pool);
    for (unsigned i = 0; i < LOAM_POOL_CLASSES; i++)
        while (!loam_list_is_empty(&pool->chunks[i]))
            pool_release(pool, pool_chunk_of(pool->chunks[i].next));
    while (!loam_list_is_empty(&pool->large))
        pool_release(pool, pool_chunk_of(pool->large.next));
    if (pool->bucket != pool->first)
        (void)loam_kmalloc_free(pool->kmalloc, pool->bucket);
    pool_empty(pool);
    return blocks;
}

uint64_t loam_pool_fini(loam_pool *pool, loam_pool_fn *fn, void *ctx)
{
    if (fn != NULL)
        loam_pool_each(pool, fn, ctx);
    uint64_t leaks = loam_pool_free_all(pool);
    LOAM_PORT_NOTE_END(pool);
    pool->kmalloc = NULL;
    return leaks;
}
