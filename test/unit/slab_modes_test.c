/* SPDX-License-Identifier: MIT */
/* slab_modes_test.c - modes, traces and rules, each by an example that needs it. What ends in a
 * panic is shown by test/model/slab_damage.c. */
#include "../../core/kmalloc_impl.h"
#include "../../core/slab_seal.h"
#include "slab_ground.h"

/* Where a block was. */
static slab_place find_free(tap *t, const void *p)
{
    slab_place at;
    TAP_CHECK(t, loam_slab__find(ground.slabs, p, ground.k, NULL, &at) != SLAB_FINE);
    return at;
}

/* ---- guard, poison, quarantine ---- */

static void guard_each_side(tap *t)
{
    static const size_t sizes[] = {1, 15, 16, 17, 100, 1000, 7000, 20000, 65536};
    ground_start(t, 256, "guard,shift=14");
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(sizes); i++) {
        unsigned char *p = ground_get(t, sizes[i]);
        TAP_EQ(t, loam_kmalloc_size(ground.k, p), sizes[i]);
        TAP_EQ(t, (uintptr_t)p & 15, 0);
        p[0] = p[sizes[i] - 1] = 0;
        GROUND_BREAKS(t, p[sizes[i]], 0, "S9");
        GROUND_BREAKS(t, p[-1], 0, "S9");
        GROUND_BREAKS(t, p[-8], 0, "S9");
        ground_put(t, p);
    }
}

static void guard_aligned(tap *t)
{
    ground_start(t, 256, "guard,shift=14");
    for (size_t align = 32; align <= 65536; align *= 2) {
        unsigned char *p = loam_kmalloc_aligned(ground.k, 100, align);
        TAP_CHECK(t, p != NULL);
        TAP_EQ(t, (uintptr_t)p & (align - 1), 0);
        GROUND_BREAKS(t, p[100], 0, "S9");
        GROUND_BREAKS(t, p[-1], 0, "S9");
        GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p - 16), "inner free", "inner");
        ground_put(t, p);
        GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p), "double free", "free");
    }
}

/* Too large for a class because of the magic, and yet smaller than a slab. */
static void guard_between(tap *t)
{
    unsigned char *p[6];
    ground_start(t, 256, "guard,shift=14");
    for (unsigned i = 0; i < 6; i++) {
        p[i] = ground_get(t, 7200 + i * 150);
        TAP_EQ(t, ground_find(t, p[i]).desc->kind, SLAB_LARGE);
        TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    }
    for (unsigned i = 0; i < 6; i++)
        ground_put(t, p[i]);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

/* Behind the room of a block of 100 bytes: what says its size. */
static void guard_seal(tap *t)
{
    ground_start(t, 256, "guard,shift=14");
    unsigned char *p = ground_get(t, 100);
    uint64_t magic = ground.slabs->magic, *seal = (uint64_t *)(void *)(p + 112);
    p[0] = 0;
    TAP_EQ(t, *seal, seal_of(magic, 100, 0));
    GROUND_BREAKS(t, *seal, seal_of(magic, 5000, 0), "S9");
    GROUND_BREAKS(t, *seal, seal_of(magic, 99, 0), "S9");
    GROUND_BREAKS(t, *seal, seal_of(magic, 100, 8), "S9");
    GROUND_BREAKS(t, *seal, seal_of(magic, 0, 0), "S11");
    for (unsigned i = 0; i < 64; i++) /* any bit of it */
        GROUND_BREAKS(t, *seal, *seal ^ 1ULL << i, "S9");
}

/* A byte of a freed block's seal: as of the block itself. */
static void guard_seal_of_free(tap *t)
{
    ground_start(t, 256, "guard,poison,shift=14");
    unsigned char *p = ground_get(t, 100);
    ground_put(t, p);
    GROUND_BREAKS(t, p[112], 0, "S9");
    GROUND_BREAKS(t, p[-1], 0, "S9");
    uint64_t *seal = (uint64_t *)(void *)(p + 112);
    GROUND_BREAKS(t, *seal, seal_of(ground.slabs->magic, 100, 0), "S9");
}

/* A block without bytes is out, has magic from its first byte on, and may grow. */
static void guard_of_none(tap *t)
{
    static const char *const modes[] = {"guard,shift=14", "guard,poison,shift=14",
                                        "guard,zero_free,quarantine=8K,random,shift=14"};
    for (unsigned i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        ground_start(t, 256, modes[i]);
        unsigned char *p = ground_get(t, 1);
        loam_kmalloc__empty(ground.k, p, NULL);
        TAP_EQ(t, loam_kmalloc_size(ground.k, p), 0);
        TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
        GROUND_BREAKS(t, p[0], 0, "S9");
        TAP_CHECK(t, loam_kmalloc_realloc(ground.k, p, 9) == p);
        p[8] = 1;
        loam_kmalloc__empty(ground.k, p, NULL);
        ground_put(t, p);
        GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p), "double free",
                       i < 2 ? "free" : "quarantined");
    }
}

static void guard_moves_with_realloc(tap *t)
{
    ground_start(t, 256, "guard,shift=14");
    unsigned char *p = ground_get(t, 100);
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, p, 70) == p);
    TAP_EQ(t, loam_kmalloc_size(ground.k, p), 70);
    GROUND_BREAKS(t, p[70], 0, "S9");
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, p, 112) == p);
    p[111] = 1;
    GROUND_BREAKS(t, p[112], 0, "S9");
    ground_put(t, p);
}

static void poison_is_checked(tap *t)
{
    ground_start(t, 256, "poison,shift=14");
    unsigned char *p = ground_get(t, 100);
    TAP_EQ(t, p[0], SLAB_POISON_BYTE);
    p[0] = 1;
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    ground_put(t, p);
    TAP_EQ(t, p[0], SLAB_POISON_BYTE);
    GROUND_BREAKS(t, p[0], 1, "S10");
    GROUND_BREAKS(t, p[111], 1, "S10");
    p[112] = p[16384 / 2] = 1; /* slots that were never out may hold anything */
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    unsigned char *q = ground_get(t, 100);
    TAP_CHECK(t, q == p);
    q = ground_get(t, 100);
    TAP_CHECK(t, q == p + 112 && q[0] == SLAB_POISON_BYTE);
    ground_put(t, p);
    ground_put(t, q);
    loam_slabs_shrink(ground.slabs);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

static void quarantine_waits(tap *t)
{
    loam_kmalloc_stats stats;
    ground_start(t, 256, "quarantine=1K,shift=14");
    unsigned char *p = ground_get(t, 256);
    ground_put(t, p);
    loam_kmalloc_stat(ground.k, &stats);
    TAP_EQ(t, stats.quarantined, 1);
    TAP_EQ(t, stats.used_blocks, 0);
    GROUND_BREAKS(t, p[17], 1, "S10");
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p), "double free", "quarantined");
    TAP_EQ(t, loam_kmalloc_size(ground.k, NULL), 0);
    for (unsigned i = 0; i < 3; i++) {
        unsigned char *q = ground_get(t, 256);
        TAP_CHECK(t, q != p);
        ground_put(t, q);
    }
    TAP_CHECK(t, ground_get(t, 256) != p);
    ground_put(t, ground_get(t, 256)); /* the fifth: the first one leaves */
    TAP_CHECK(t, ground_get(t, 256) == p);
    loam_kmalloc_stat(ground.k, &stats);
    TAP_EQ(t, stats.quarantined, 4);
    for (unsigned i = 0; i < 50; i++) { /* around the ring */
        ground_put(t, ground_get(t, 256));
        TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    }
    loam_slabs_shrink(ground.slabs);
    loam_kmalloc_stat(ground.k, &stats);
    TAP_EQ(t, stats.quarantined, 0);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

static void quarantine_of_large(tap *t)
{
    ground_free before;
    ground_start(t, 256, "quarantine=64K,guard,shift=14");
    ground_look(&before);
    unsigned char *p = ground_get(t, 20000), *q = ground_get(t, 100000);
    ground_put(t, q); /* larger than the quarantine */
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, q), "double free", "free");
    ground_put(t, p);
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p), "double free", "quarantined");
    GROUND_BREAKS(t, p[19999], 1, "S10");
    for (unsigned i = 0; i < 16; i++)
        ground_put(t, ground_get(t, 20000));
    TAP_EQ(t, ground.slabs->ring.count, 3);
    loam_slabs_shrink(ground.slabs);
    ground_same(t, &before);
}

static void quarantine_rules(tap *t)
{
    ground_start(t, 256, "quarantine,shift=14");
    unsigned char *p = ground_get(t, 64), *q = ground_get(t, 20000);
    slab_desc *d = ground_find(t, q).desc;
    ground_put(t, p);
    ground_put(t, q);
    slab_ring *ring = &ground.slabs->ring;
    slab_desc *its = find_free(t, p).desc;
    slab_front *f = slab_front_of(slab_cache_of(its));
    GROUND_BREAKS(t, f->waiting, 0, "S11");
    GROUND_BREAKS(t, f->ring_at, f->ring_cap, "S11");
    GROUND_BREAKS(t, f->ring_cap, f->ring_cap - 1, "S11");
    GROUND_BREAKS(t, f->ring[0], 0, "S11");
    GROUND_BREAKS(t, f->ring[0], f->ring[0] + 1, "S11");
    GROUND_BREAKS(t, f->ring[0], ~0ULL, "S11");
    GROUND_BREAKS(t, f->waiting, 2, "S11");
    GROUND_BREAKS(t, *slab_shut(its), 0, "S11");
    GROUND_BREAKS(t, *slab_shut(its), ~1ULL, "S11"); /* what waits is out */
    GROUND_BREAKS(t, *slab_shut(its), ~2ULL, "S11"); /* so is what is free */
    GROUND_BREAKS(t, *slab_virgin(its), ~0U, "S11");
    GROUND_BREAKS(t, ring->bytes, 65, "S11");
    GROUND_BREAKS(t, ring->bytes, ring->limit + 1, "S11");
    GROUND_BREAKS(t, ring->head, 1, "S11");
    GROUND_BREAKS(t, ring->head, 5000000, "S11");
    GROUND_BREAKS(t, ring->count, 0, "S11");
    GROUND_BREAKS(t, ring->count, ~0U, "S11");
    GROUND_BREAKS(t, ring->block[0], (void *)0, "S11");
    GROUND_BREAKS(t, ring->block[0], (void *)(p + 64), "S11");
    GROUND_BREAKS(t, d->large, SLAB_LARGE_OUT, "S11");
}

/* ---- zero, random, owner ---- */

static void zero_reads_zero(tap *t)
{
    static const size_t sizes[] = {1, 100, 5000, 50000};
    for (unsigned guard = 0; guard < 2; guard++) {
        ground_start(t, 256, guard != 0 ? "zero,shift=14,guard" : "zero,shift=14");
        for (unsigned i = 0; i < LOAM_ARRAY_LEN(sizes); i++) {
            unsigned char *p = ground_get(t, sizes[i]), sum = 0;
            __builtin_memset(p, 0xff, sizes[i]);
            ground_put(t, p);
            TAP_CHECK(t, loam_kmalloc_alloc(ground.k, sizes[i]) == p);
            for (size_t n = 0; n < loam_kmalloc_size(ground.k, p); n++)
                sum |= p[n];
            TAP_EQ(t, sum, 0);
        }
    }
}

static uintptr_t random_walk(tap *t, const char *options)
{
    uintptr_t sum = 0;
    ground_start(t, 256, options);
    for (unsigned i = 0; i < 500; i++)
        sum = sum * 31 + slab_off(ground.slabs, ground_get(t, 64));
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    return sum;
}

static void random_follows_seed(tap *t)
{
    uintptr_t a = random_walk(t, "random,seed=1,shift=14");
    TAP_CHECK(t, a == random_walk(t, "random,seed=1,shift=14"));
    TAP_CHECK(t, a != random_walk(t, "random,seed=2,shift=14"));
    TAP_CHECK(t, a != random_walk(t, "shift=14"));
    unsigned char *p = ground_get(t, 64);
    ground_put(t, p);
    unsigned same = 0;
    ground_start(t, 256, "random,shift=14");
    p = ground_get(t, 64);
    for (unsigned i = 0; i < 20; i++) {
        ground_put(t, p);
        unsigned char *q = ground_get(t, 64);
        same += p == q;
        p = q;
    }
    TAP_CHECK(t, same < 5);
}

typedef struct leaks {
    unsigned count;
    size_t bytes;
    const void *site[4];
} leaks;

static bool see_leak(void *ctx, void *p, size_t size, const char *cache, const void *site)
{
    leaks *l = ctx;
    if (l->count < 4)
        l->site[l->count] = site;
    l->count += p != NULL && cache != NULL;
    l->bytes += size;
    return true;
}

static LOAM_NOINLINE void *here(size_t size)
{
    void *volatile p = loam_kmalloc_alloc(ground.k, size);
    return p;
}

static void owner_names_sites(tap *t)
{
    leaks l = {0};
    ground_start(t, 256, "owner,shift=14");
    void *p = here(50);
    TAP_CHECK(t, here(60) != NULL);
    TAP_CHECK(t, loam_kmalloc_calloc(ground.k, 2, 35) != NULL);
    TAP_CHECK(t, loam_kmalloc_aligned(ground.k, 40000, 4096) != NULL);
    loam_kmalloc_each(ground.k, see_leak, &l);
    TAP_EQ(t, l.count, 4);
    TAP_EQ(t, l.bytes, 50 + 60 + 70 + 40000);
    TAP_CHECK(t, l.site[0] != NULL && l.site[0] == l.site[1]);
    TAP_CHECK(t, l.site[2] != NULL && l.site[2] != l.site[0] && l.site[3] != NULL);
    ground_put(t, p);
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p), "double free", "free");
    TAP_CHECK(t, t->report.site == l.site[0]);
    TAP_EQ(t, t->report.size, 50);
    TAP_STR(t, t->report.name, "kmalloc-64");
}

/* ---- rules ---- */

static void rules_of_slabs(tap *t)
{
    ground_start(t, 256, "shift=14");
    /* no front, and no trace of an old one */
    slab_front *stray = __builtin_memset(ground_get(t, 512), 0, 512);
    unsigned char *p = ground_get(t, 48);
    slab_desc *d = ground_find(t, p).desc;
    loam_cache *c = slab_cache_of(d);
    GROUND_BREAKS(t, d->kind, SLAB_KINDS, "S1");
    GROUND_BREAKS(t, d->base, p + 16384, "S1");
    GROUND_BREAKS(t, d->front, (void *)0, "S1");
    GROUND_BREAKS(t, d->front, (void *)stray, "S1");
    GROUND_BREAKS(t, d->front, (void *)((char *)slab_front_of(c) + 8), "S1");
    GROUND_BREAKS(t, d->words, (uint64_t *)8, "S1");
    GROUND_BREAKS(t, d->recip, d->recip - 1, "S2");
    GROUND_BREAKS(t, d->recip, 0, "S2");
    GROUND_BREAKS(t, d->words[5], ~0ULL, "S3");
    GROUND_BREAKS(t, d->words[0], ~0ULL, "S3");
    slab_head *head = slab_head_of(d);
    GROUND_BREAKS(t, d->bound, d->bound + 1, "S2");
    GROUND_BREAKS(t, d->cpu, 1, "S12");
    GROUND_BREAKS(t, head->used, 2, "S3");
    GROUND_BREAKS(t, head->any, head->any & ~2ULL, "S4");
    GROUND_BREAKS(t, head->any, ~0ULL, "S4");
    GROUND_BREAKS(t, head->begun, 0, "S4");
    GROUND_BREAKS(t, head->begun, 65, "S4");
    GROUND_BREAKS(t, c->slots, 342, "S8");
    GROUND_BREAKS(t, c->slots, ~0U, "S8");
    GROUND_BREAKS(t, c->stride, 0, "S8");
    GROUND_BREAKS(t, c->stride, UINT32_MAX, "S8");
    GROUND_BREAKS(t, c->stride, 65536, "S8");
    GROUND_BREAKS(t, c->size, 49, "S8");
    GROUND_BREAKS(t, c->align, 24, "S8");
    GROUND_BREAKS(t, c->lead, 16, "S8");
    GROUND_BREAKS(t, c->link.next, (loam_list *)8, "S8");
    GROUND_BREAKS(t, c->link.next, &c->link, "S8");
    GROUND_BREAKS(t, ground.slabs->cache_count, 1, "S8");
    GROUND_BREAKS(t, ground.slabs->caches.next, &ground.slabs->caches, "S8");
}

static void rules_of_fronts(tap *t)
{
    ground_start(t, 256, "shift=14");
    slab_desc *d = ground_find(t, ground_get(t, 4096)).desc, *e;
    loam_cache *c = slab_cache_of(d);
    slab_front *f = slab_front_of(c);
    TAP_EQ(t, c->slots, 4);
    for (unsigned i = 0; i < 4; i++)
        e = ground_find(t, ground_get(t, 4096)).desc;
    slab_head *head = slab_head_of(d);
    TAP_CHECK(t, e != d && head->any == 0);
    GROUND_BREAKS(t, head->any, 1, "S5");
    GROUND_BREAKS(t, f->slabs, 1, "S5");
    GROUND_BREAKS(t, f->slabs, 3, "S5");
    GROUND_BREAKS(t, f->partial.next, &f->partial, "S5");
    GROUND_BREAKS(t, f->partial.next, (loam_list *)8, "S5");
    GROUND_BREAKS(t, f->partial.next, &d->link, "S5");
    GROUND_BREAKS(t, e->link.next, &e->link, "S5");
    GROUND_BREAKS(t, f->word, f->word + 1, "S5");
    GROUND_BREAKS(t, f->slab, d, "S5");
    GROUND_BREAKS(t, f->slab, (slab_desc *)0, "S5");
    ground_put(t, e->base);
    TAP_CHECK(t, f->empty == e);
    GROUND_BREAKS(t, f->empty, (slab_desc *)0, "S5");
    loam_slabs_shrink(ground.slabs);
    loam_slabs *s = ground.slabs;
    GROUND_BREAKS(t, s->none, 1, "S5");
}

static void rules_of_metadata(tap *t)
{
    ground_start(t, 512, "shift=12");
    loam_slabs *s = ground.slabs;
    slab_desc *d = ground_find(t, ground_get(t, 16)).desc;
    slab_lines *frame = LOAM_CONTAINER_OF(s->lines_partial.next, slab_lines, link);
    TAP_CHECK(t, s->leaves > 1 && s->line_frames > 0);
    GROUND_BREAKS(t, s->leaf[0], s->leaf[0] + 4096 * 400, "S6");
    GROUND_BREAKS(t, s->leaf[0], 0, "S6");
    GROUND_BREAKS(t, s->leaf[0], s->leaf[0] + 64, "S6");
    GROUND_BREAKS(t, *(unsigned char *)s->no_leaf, 1, "S1");
    GROUND_BREAKS(t, ((slab_desc *)s->no_leaf)[SLAB_LEAF - 1].tag, 1, "S1");
    GROUND_BREAKS(t, frame->free, frame->free | 1, "S7");
    GROUND_BREAKS(t, frame->free, frame->free & (frame->free - 1), "S7");
    GROUND_BREAKS(t, s->lines_used, s->lines_used + 1, "S7");
    GROUND_BREAKS(t, s->line_frames, 0, "S7");
    GROUND_BREAKS(t, s->lines_partial.next, &s->lines_partial, "S7");
    GROUND_BREAKS(t, s->lines_partial.next, (loam_list *)16, "S7");
    /* the zone got the slab's frame back behind our back */
    TAP_EQ(t,
           loam_zone_free_slab(ground.zone,
                               loam_pa_to_pfn(loam_pa_of(GROUND_PA + slab_off(s, d->base)))),
           LOAM_OK);
    TAP_RULE(t, loam_slabs_check(s), "S6");
}

/* ---- metadata ---- */

static void lines_do_not_overlap(tap *t)
{
    enum { RUNS = 40 };
    unsigned char *run[RUNS] = {NULL};
    size_t size[RUNS] = {0};
    ground_start(t, 256, "shift=14");
    for (unsigned n = 0; n < 2000; n++) {
        unsigned i = (unsigned)tap_below(t, RUNS);
        size_t bad = 0;
        for (size_t b = 0; b < size[i]; b++)
            bad += run[i][b] != i;
        TAP_EQ(t, bad, 0);
        if (size[i] != 0)
            loam_slab__meta_free(ground.slabs, run[i], size[i]);
        size[i] = 1 + (size_t)tap_below(t, n % 50 == 0 ? 9000 : 1200);
        run[i] = loam_slab__meta_alloc(ground.slabs, size[i]);
        TAP_CHECK(t, run[i] != NULL && ((uintptr_t)run[i] & 63) == 0);
        __builtin_memset(run[i], (int)i, size[i]);
    }
    TAP_RULE(t, loam_slabs_check(ground.slabs), NULL);
}

static void leaves_stay_while_used(tap *t)
{
    static unsigned char *p[GROUND_FRAMES * 2];
    unsigned n = 0;
    ground_start(t, GROUND_FRAMES, "shift=12");
    while ((p[n] = loam_kmalloc_alloc(ground.k, 2048)) != NULL)
        n++;
    for (unsigned i = 0; i < n; i++) {
        if (i % 88 != 0)
            ground_put(t, p[i]);
    }
    loam_slabs_shrink(ground.slabs);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    for (unsigned i = 0; i < n; i += 88)
        ground_put(t, p[i]);
}

/* ---- traces ---- */

static void traces(tap *t)
{
    static loam_trace trace;
    static unsigned char mem[64 * 32] __attribute__((aligned(8)));
    TAP_EQ(t, loam_trace_init(&trace, 1, 64, mem), LOAM_OK);
    ground.config.trace = &trace;
    ground_start(t, 256, "shift=14,keep_empty=no");
    ground.config.trace = NULL;
    ground_put(t, ground_get(t, 100));
    TAP_EQ(t, loam_trace_count(&trace, LOAM_TRACE_OBJ_ALLOC), 0);
    loam_trace_set_on(&trace, true);
    unsigned char *p = ground_get(t, 100), *q = ground_get(t, 100000);
    TAP_CHECK(t, loam_kmalloc_alloc(ground.k, 100 << 20) == NULL);
    ground_put(t, p);
    ground_put(t, q);
    TAP_EQ(t, loam_trace_count(&trace, LOAM_TRACE_SLAB_NEW), 1);
    TAP_EQ(t, loam_trace_count(&trace, LOAM_TRACE_SLAB_RETURN), 1);
    TAP_EQ(t, loam_trace_count(&trace, LOAM_TRACE_OBJ_ALLOC), 1);
    TAP_EQ(t, loam_trace_count(&trace, LOAM_TRACE_OBJ_FREE), 1);
    TAP_EQ(t, loam_trace_count(&trace, LOAM_TRACE_OBJ_FAIL), 1);
    TAP_EQ(t, loam_trace_count(&trace, LOAM_TRACE_LARGE_ALLOC), 1);
    TAP_EQ(t, loam_trace_count(&trace, LOAM_TRACE_LARGE_FREE), 1);
    loam_slabs_set_trace(ground.slabs, NULL);
    ground_put(t, ground_get(t, 100));
    TAP_EQ(t, loam_trace_count(&trace, LOAM_TRACE_OBJ_ALLOC), 1);
    loam_slabs_set_trace(ground.slabs, &trace);
    ground_put(t, ground_get(t, 100));
    TAP_EQ(t, loam_trace_count(&trace, LOAM_TRACE_OBJ_ALLOC), 2);
}

static const tap_case cases[] = {
    {"slab_guard: one byte past either end: S9", guard_each_side},
    {"slab_guard: aligned blocks: aligned and guarded", guard_aligned},
    {"slab_guard: between the classes and a slab: large blocks, each its own", guard_between},
    {"slab_guard: a seal changed: S9, S11", guard_seal},
    {"slab_guard: a seal of a freed block changed: S9", guard_seal_of_free},
    {"slab_guard: a block of 0 bytes: none may be written", guard_of_none},
    {"slab_guard: realloc in place: the magic moves along", guard_moves_with_realloc},
    {"slab_poison: written while free: S10", poison_is_checked},
    {"slab_quarantine: a full one: the oldest leaves first", quarantine_waits},
    {"slab_quarantine: large blocks: wait too, unless too large", quarantine_of_large},
    {"slab_quarantine: its ring changed: S11", quarantine_rules},
    {"slab_zero: reused blocks: read 0", zero_reads_zero},
    {"slab_random: same seed, other seed: same walk, other walk", random_follows_seed},
    {"slab_owner: blocks out: size and call site of each", owner_names_sites},
    {"slabs_check: descriptors and caches changed: S1 to S4, S8", rules_of_slabs},
    {"slabs_check: fronts changed: S5", rules_of_fronts},
    {"slabs_check: leaves and lines changed: S1, S6, S7", rules_of_metadata},
    {"slab_meta: runs of lines, random sizes: never overlap", lines_do_not_overlap},
    {"slabs_shrink: one slab in use here and there: its leaf stays", leaves_stay_while_used},
    {"slabs_set_trace: on and off: every event once", traces},
};

TAP_SUITE(slab_modes_test, cases);
