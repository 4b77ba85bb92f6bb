/* SPDX-License-Identifier: MIT */
/* pool_test.c - one owner's blocks: shared chunks, refusals, leaks, rules. */
#include "../../core/pool_impl.h"
#include "slab_ground.h"

static loam_pool pool;
static ground_free at_start;

static void start(tap *t, unsigned modes)
{
    ground_start(t, GROUND_FRAMES, "shift=14");
    loam_kmalloc_shrink(ground.k);
    ground_look(&at_start);
    TAP_EQ(t, loam_pool_init(&pool, ground.k, "owner", modes), LOAM_OK);
    TAP_RULE(t, loam_pool_check(&pool), NULL);
}

/* Everything is kmalloc's again. */
static void gone(tap *t)
{
    TAP_RULE(t, loam_pool_check(&pool), NULL);
    loam_kmalloc_shrink(ground.k);
    ground_same(t, &at_start);
}

static loam_pool_stats sums(void)
{
    loam_pool_stats s;
    loam_pool_stat(&pool, &s);
    return s;
}

static void init_refused(tap *t)
{
    loam_pool other;
    start(t, 0);
    TAP_EQ(t, loam_pool_init(&other, NULL, "x", 0), LOAM_EINVAL);
    TAP_EQ(t, loam_pool_init(&other, ground.k, NULL, 0), LOAM_EINVAL);
    TAP_EQ(t, loam_pool_init(&other, ground.k, "x", 2), LOAM_EINVAL);
}

static void small_blocks_share(tap *t)
{
    start(t, 0);
    unsigned char *a = loam_pool_alloc(&pool, 1), *b = loam_pool_alloc(&pool, 17);
    unsigned char *c = loam_pool_alloc(&pool, 16);
    TAP_CHECK(t, a != NULL && b == a + 16 && c == b + 32);
    TAP_EQ(t, (uintptr_t)a % LOAM_POOL_CHUNK, 0);
    TAP_EQ(t, loam_pool_size(&pool, b), 32);
    TAP_EQ(t, sums().chunks, 1);
    TAP_EQ(t, sums().blocks, 3);
    TAP_EQ(t, sums().bytes, 64);
    TAP_EQ(t, loam_pool_free(&pool, b), LOAM_OK);
    TAP_CHECK(t, loam_pool_alloc(&pool, 32) == b); /* the hole is used again */
    TAP_EQ(t, sums().peak_bytes, 64);
    TAP_RULE(t, loam_pool_check(&pool), NULL);
    TAP_EQ(t, loam_pool_fini(&pool, NULL, NULL), 3);
    gone(t);
}

static void chunk_filled(tap *t)
{
    void *p[66];
    start(t, 0);
    for (unsigned i = 0; i < 66; i++)
        p[i] = loam_pool_alloc(&pool, 16);
    TAP_EQ(t, sums().chunks, 2);
    TAP_RULE(t, loam_pool_check(&pool), NULL);
    TAP_EQ(t, loam_pool_size(&pool, p[63]), 16); /* the last grain of a chunk */
    for (unsigned i = 0; i < 66; i++)
        TAP_EQ(t, loam_pool_free(&pool, p[i]), LOAM_OK);
    TAP_EQ(t, sums().chunks, 1); /* one is kept */
    TAP_EQ(t, sums().blocks, 0);
    TAP_EQ(t, loam_pool_free_all(&pool), 0);
    TAP_EQ(t, sums().held_bytes, 0);
    gone(t);
}

static void every_size(tap *t)
{
    start(t, 0);
    for (size_t size = 1; size <= 600; size++) {
        unsigned char *p = loam_pool_alloc(&pool, size);
        TAP_CHECK(t, p != NULL && (uintptr_t)p % 16 == 0);
        TAP_EQ(t, loam_pool_size(&pool, p), (size + 15) / 16 * 16);
        if (p != NULL)
            __builtin_memset(p, 0xee, size);
        TAP_RULE(t, loam_pool_check(&pool), NULL);
    }
    TAP_EQ(t, sums().large, 600 - LOAM_POOL_SMALL);
    TAP_EQ(t, sums().blocks, 600);
    TAP_EQ(t, loam_pool_free_all(&pool), 600);
    gone(t);
}

static void large_blocks(tap *t)
{
    start(t, LOAM_POOL_SITES);
    unsigned char *p = loam_pool_alloc(&pool, 100000);
    TAP_CHECK(t, p != NULL);
    TAP_EQ(t, loam_pool_size(&pool, p), 100000);
    TAP_EQ(t, sums().large, 1);
    TAP_EQ(t, sums().held_bytes, 100000);
    TAP_EQ(t, loam_pool_free(&pool, p), LOAM_OK);
    TAP_EQ(t, sums().large, 0);
    TAP_EQ(t, sums().bytes, 0);
    gone(t);
}

static void sizes_refused(tap *t)
{
    start(t, 0);
    TAP_CHECK(t, loam_pool_alloc(&pool, 0) == NULL);
    TAP_EQ(t, sums().failures, 0);
    TAP_CHECK(t, loam_pool_alloc(&pool, SIZE_MAX) == NULL);
    TAP_CHECK(t, loam_pool_alloc(&pool, PTRDIFF_MAX) == NULL);
    TAP_CHECK(t, loam_pool_calloc(&pool, SIZE_MAX / 2, 3) == NULL);
    TAP_CHECK(t, loam_pool_calloc(&pool, 0, 3) == NULL);
    TAP_EQ(t, sums().failures, 3);
    TAP_EQ(t, loam_pool_free(&pool, NULL), LOAM_OK);
    TAP_EQ(t, loam_pool_size(&pool, NULL), 0);
    gone(t);
}

static void calloc_reads_zero(tap *t)
{
    start(t, 0);
    unsigned char *p = loam_pool_alloc(&pool, 96);
    __builtin_memset(p, 0xff, 96);
    TAP_EQ(t, loam_pool_free(&pool, p), LOAM_OK);
    unsigned char *q = loam_pool_calloc(&pool, 12, 8);
    TAP_CHECK(t, q == p);
    unsigned dirty = 0;
    for (unsigned i = 0; i < 96; i++)
        dirty += q[i] != 0;
    TAP_EQ(t, dirty, 0);
    TAP_EQ(t, loam_pool_fini(&pool, NULL, NULL), 1);
    gone(t);
}

/* ---- misuse ---- */

static void refused(tap *t, const void *p, const char *what, const char *state)
{
    loam_pool_stats before = sums(), after;
    tap_catch(t);
    TAP_EQ(t, loam_pool_free(&pool, (void *)(uintptr_t)p), LOAM_EINVAL);
    TAP_EQ(t, tap_caught(t), 1);
    TAP_STR(t, t->report.what, what);
    TAP_STR(t, t->report.state, state);
    TAP_STR(t, t->report.name, "owner");
    TAP_EQ(t, t->report.value, (uintptr_t)p);
    TAP_CHECK(t, t->report.caller != NULL);
    after = sums();
    TAP_EQ(t, after.refusals, before.refusals + 1);
    TAP_EQ(t, after.blocks, before.blocks);
    TAP_EQ(t, after.bytes, before.bytes);
    TAP_RULE(t, loam_pool_check(&pool), NULL);
}

static void wrong_frees(tap *t)
{
    loam_pool other;
    start(t, LOAM_POOL_SITES);
    TAP_EQ(t, loam_pool_init(&other, ground.k, "other", 0), LOAM_OK);
    unsigned char *a = loam_pool_alloc(&pool, 64), *b = loam_pool_alloc(&pool, 48);
    unsigned char *large = loam_pool_alloc(&pool, 5000), *theirs = loam_pool_alloc(&other, 64);
    refused(t, a + 16, "inner free", "inside a block");
    refused(t, a + 8, "misaligned free", "inside a block");
    refused(t, large + 160, "inner free", "inside a block");
    refused(t, large + 4999, "misaligned free", "inside a block");
    refused(t, large + 5000, "foreign free", "not of this pool");
    refused(t, theirs, "foreign free", "not of this pool");
    refused(t, &other, "foreign free", "not of this pool");
    TAP_EQ(t, loam_pool_free(&pool, a), LOAM_OK);
    refused(t, a, "double free", "free");
    refused(t, a + 16, "double free", "free");
    TAP_EQ(t, loam_pool_free(&pool, large), LOAM_OK);
    refused(t, large, "foreign free", "not of this pool");
    tap_catch(t);
    TAP_EQ(t, loam_pool_size(&pool, b + 16), 0);
    TAP_EQ(t, tap_caught(t), 1);
    TAP_STR(t, t->report.what, "size of no block");
    TAP_EQ(t, loam_pool_fini(&other, NULL, NULL), 1);
    TAP_EQ(t, loam_pool_fini(&pool, NULL, NULL), 1);
    refused(t, b, "the pool has ended", "nothing is out");
    TAP_CHECK(t, loam_pool_alloc(&pool, 16) == NULL);
    TAP_CHECK(t, loam_pool_alloc(&pool, 6000) == NULL);
    TAP_EQ(t, loam_pool_free_all(&pool), 0);
    TAP_EQ(t, loam_pool_fini(&pool, NULL, NULL), 0);
    gone(t);
}

/* ---- leaks ---- */

typedef struct leaks {
    unsigned count, sites, stop_after;
    size_t bytes;
    uintptr_t mixed;
} leaks;

static bool note_leak(void *ctx, void *p, size_t size, const void *site)
{
    leaks *l = ctx;
    l->count++;
    l->bytes += size;
    l->mixed ^= (uintptr_t)p;
    l->sites += site != NULL;
    return l->count != l->stop_after;
}

static void leaks_named(tap *t)
{
    leaks all = {0}, some = {.stop_after = 2};
    start(t, LOAM_POOL_SITES);
    uintptr_t mixed = 0;
    for (unsigned i = 0; i < 40; i++) {
        void *p = loam_pool_alloc(&pool, 20 * (i + 1));
        if (i % 2 == 0)
            TAP_EQ(t, loam_pool_free(&pool, p), LOAM_OK);
        else
            mixed ^= (uintptr_t)p;
    }
    loam_pool_each(&pool, note_leak, &some);
    TAP_EQ(t, some.count, 2);
    uint64_t bytes = sums().bytes;
    TAP_EQ(t, loam_pool_fini(&pool, note_leak, &all), 20);
    TAP_EQ(t, all.count, 20);
    TAP_EQ(t, all.sites, 20);
    TAP_EQ(t, all.bytes, bytes);
    TAP_EQ(t, all.mixed, mixed);
    TAP_EQ(t, sums().held_bytes, 0);
    gone(t);
}

static void sites_off(tap *t)
{
    leaks all = {.stop_after = 1};
    start(t, 0);
    TAP_CHECK(t, loam_pool_alloc(&pool, 20) != NULL && loam_pool_alloc(&pool, 2000) != NULL);
    TAP_EQ(t, loam_pool_fini(&pool, note_leak, &all), 2); /* told one, freed both */
    TAP_EQ(t, all.count, 1);
    TAP_EQ(t, all.sites, 0);
    loam_pool_each(&pool, note_leak, &all);
    TAP_EQ(t, all.count, 1);
    gone(t);
}

static void free_all_goes_on(tap *t)
{
    start(t, 0);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 300; i++)
            TAP_CHECK(t, loam_pool_alloc(&pool, 48 + i) != NULL);
        TAP_CHECK(t, pool.bucket != pool.first);
        TAP_RULE(t, loam_pool_check(&pool), NULL);
        TAP_EQ(t, loam_pool_free_all(&pool), 300);
        TAP_CHECK(t, pool.bucket == pool.first);
        gone(t);
    }
    TAP_EQ(t, sums().allocs, 900);
}

/* ---- no memory ---- */

static void no_memory(tap *t)
{
    start(t, 0);
    while (loam_pool_alloc(&pool, 4096) != NULL) {
    }
    TAP_EQ(t, sums().failures, 1);
    TAP_RULE(t, loam_pool_check(&pool), NULL);
    while (loam_pool_alloc(&pool, 16) != NULL) {
    }
    TAP_EQ(t, sums().failures, 2);
    TAP_RULE(t, loam_pool_check(&pool), NULL);
    TAP_CHECK(t, loam_pool_free_all(&pool) > 100);
    gone(t);
}

/* ---- rules ---- */

#define BREAKS(t, place, value, rule)                                                              \
    do {                                                                                           \
        __typeof__(place) breaks_old = (place);                                                    \
        (place) = (value);                                                                         \
        TAP_RULE(t, loam_pool_check(&pool), rule);                                                 \
        (place) = breaks_old;                                                                      \
        TAP_RULE(t, loam_pool_check(&pool), NULL);                                                 \
    } while (0)

static loam_pool_chunk *chunk_of(unsigned class)
{
    return pool_chunk_of(pool.chunks[class].next);
}

static void rules_broken(tap *t)
{
    start(t, 0);
    void *small = loam_pool_alloc(&pool, 512 - 64), *large = loam_pool_alloc(&pool, 3000);
    TAP_CHECK(t, small != NULL && large != NULL);
    loam_pool_chunk *c = chunk_of(6), *l = pool_chunk_of(pool.large.next);
    BREAKS(t, c->base, c->base + 16, "P1");
    BREAKS(t, l->base, l->base + 16, "P1");
    BREAKS(t, l->size, 0, "P1");
    BREAKS(t, l->start, 3, "P1");
    BREAKS(t, c->size, 1, "P1");
    BREAKS(t, c->start, c->start | 1ULL << 63, "P2");
    BREAKS(t, c->start, 0, "P3");
    BREAKS(t, c->free, c->free & ~(1ULL << 63), "P3");
    BREAKS(t, c->free, c->free & ~0xffULL << 32, "P4");
    BREAKS(t, c->class, 1, "P4");
    BREAKS(t, c->start, c->start | 1ULL << 3, "P5");
    BREAKS(t, pool.blocks, pool.blocks + 1, "P5");
    BREAKS(t, pool.bytes, 0, "P5");
    BREAKS(t, pool.listed, 1, "P5");
    BREAKS(t, pool.listed, 3, "P5");
    BREAKS(t, pool.kmalloc, NULL, "P5");
}

static void rules_of_the_table(tap *t)
{
    loam_pool_chunk stray = {.base = (unsigned char *)(uintptr_t)64};
    start(t, 0);
    TAP_CHECK(t, loam_pool_alloc(&pool, 100) != NULL);
    loam_pool_chunk **bucket = &pool.bucket[pool_bucket(&pool, (uintptr_t)chunk_of(6)->base)];
    BREAKS(t, *bucket, NULL, "P1");
    stray.next = NULL;
    loam_pool_chunk **other = bucket == pool.first ? bucket + 1 : bucket - 1;
    BREAKS(t, *other, &stray, "P1");
    TAP_EQ(t, loam_pool_free_all(&pool), 1);
}

static void rule_of_empty_chunks(tap *t)
{
    start(t, 0);
    void *p[65];
    for (unsigned i = 0; i < 65; i++)
        p[i] = loam_pool_alloc(&pool, 16);
    for (unsigned i = 0; i < 64; i++)
        TAP_EQ(t, loam_pool_free(&pool, p[i]), LOAM_OK);
    loam_pool_chunk *c = chunk_of(6); /* of the last block; the empty one comes behind it */
    TAP_CHECK(t, c->free != ~0ULL);
    uint64_t free = c->free, start_bits = c->start;
    c->free = ~0ULL;
    c->start = 0;
    pool.blocks = pool.bytes = 0;
    TAP_RULE(t, loam_pool_check(&pool), "P6");
    c->free = free;
    c->start = start_bits;
    pool.blocks = 1;
    pool.bytes = 16;
    TAP_RULE(t, loam_pool_check(&pool), NULL);
    TAP_EQ(t, loam_pool_fini(&pool, NULL, NULL), 1);
    gone(t);
}

static const tap_case cases[] = {
    {"pool_init: no kmalloc, no name, unknown mode: refused", init_refused},
    {"pool_alloc: small blocks: share a chunk, holes are used again", small_blocks_share},
    {"pool_alloc: a chunk is full: the next; all freed: one is kept", chunk_filled},
    {"pool_alloc: every size to 600: aligned, rounded, rules hold", every_size},
    {"pool_alloc: too large for a chunk: a block of its own", large_blocks},
    {"pool_alloc: size 0, too large, overflow: NULL", sizes_refused},
    {"pool_calloc: a used block: reads 0", calloc_reads_zero},
    {"pool_free: inner, misaligned, foreign, double, ended: refused and named", wrong_frees},
    {"pool_fini: what is out: counted, each named, all given back", leaks_named},
    {"pool_fini: told to stop: all given back; no sites unless asked for", sites_off},
    {"pool_free_all: 300 blocks, three times: memory as before", free_all_goes_on},
    {"pool_alloc: no memory: NULL, rules hold, all comes back", no_memory},
    {"pool_check: a record, its words, a counter: the rule is named", rules_broken},
    {"pool_check: the table: P1", rules_of_the_table},
    {"pool_check: two empty chunks: P6", rule_of_empty_chunks},
};
TAP_SUITE(pool_test, cases);
