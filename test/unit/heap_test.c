/* SPDX-License-Identifier: MIT */
/* heap_test.c - bytes out of an arena: blocks, bounds, refusals, rules. */
#include "../../core/heap_impl.h"
#include "tap.h"

enum { ARENA = 16 * 1024, META = 2048, GRAIN = LOAM_HEAP_GRAIN };

static _Alignas(4096) unsigned char arena[ARENA];
static _Alignas(64) unsigned char meta[META];
static loam_heap heap;

static void sound(tap *t)
{
    TAP_RULE(t, loam_heap_check(&heap), NULL);
}

/* A heap of so many bytes, its metadata apart. */
static void start(tap *t, size_t len)
{
    TAP_EQ(t, loam_heap_init_apart(&heap, meta, META, arena, len, "test"), LOAM_OK);
    sound(t);
}

static loam_heap_stats stats(void)
{
    loam_heap_stats s;
    loam_heap_stat(&heap, &s);
    return s;
}

static void *alloc(tap *t, size_t size)
{
    void *p = loam_heap_alloc(&heap, size);
    TAP_CHECK(t, p != NULL && (uintptr_t)p % GRAIN == 0);
    TAP_CHECK(t, loam_heap_size(&heap, p) >= size && loam_heap_size(&heap, p) < size + GRAIN);
    sound(t);
    return p;
}

static void give(tap *t, void *p)
{
    TAP_EQ(t, loam_heap_free(&heap, p), LOAM_OK);
    sound(t);
}

/* Nothing is out, and it is all one stretch again. */
static void all_free(tap *t)
{
    TAP_EQ(t, stats().free, stats().capacity);
    TAP_EQ(t, stats().blocks, 0);
    TAP_EQ(t, heap_next(&heap, 1), heap.count);
    sound(t);
}

/* ---- init ---- */

static void init_arguments(tap *t)
{
    loam_heap h;
    TAP_EQ(t, loam_heap_init(&h, NULL, ARENA, "x"), LOAM_EINVAL);
    TAP_EQ(t, loam_heap_init(&h, arena, 0, "x"), LOAM_EINVAL);
    TAP_EQ(t, loam_heap_init(&h, arena, 40, "x"), LOAM_EINVAL);
    TAP_EQ(t, loam_heap_init(&h, arena, SIZE_MAX, "x"), LOAM_EINVAL);
    TAP_EQ(t, loam_heap_init_apart(NULL, meta, META, arena, ARENA, "x"), LOAM_EINVAL);
    TAP_EQ(t, loam_heap_init_apart(&h, NULL, META, arena, ARENA, "x"), LOAM_EINVAL);
    TAP_EQ(t, loam_heap_init_apart(&h, meta + 4, META - 4, arena, ARENA, "x"), LOAM_EINVAL);
    TAP_EQ(t, loam_heap_init_apart(&h, meta, 64, arena, ARENA, "x"), LOAM_EINVAL);
    TAP_EQ(t, loam_heap_init_apart(&h, arena + 64, META, arena, ARENA, "x"), LOAM_EINVAL);
    TAP_EQ(t, loam_heap_init_apart(&h, meta, META, arena, GRAIN - 1, "x"), LOAM_EINVAL);
    TAP_EQ(t, loam_heap_init_apart(&h, meta, META, arena + 1, 2 * GRAIN - 2, "x"), LOAM_EINVAL);
    TAP_EQ(t, loam_heap_measure(0), 0);
    TAP_EQ(t, loam_heap_measure(GRAIN - 1), 0);
    TAP_CHECK(t, sizeof(size_t) == 4 || loam_heap_measure(SIZE_MAX) == 0);
}

/* Metadata inside the arena, wherever it begins, and outside of it nothing is touched. */
static void init_anywhere(tap *t)
{
    for (size_t skip = 0; skip < 70; skip++) {
        LOAM_PORT_NOTE_SHOW(arena, sizeof(arena)); /* of the heap before */
        __builtin_memset(arena, 0xa5, ARENA);
        TAP_EQ(t, loam_heap_init(&heap, arena + skip, 4096, "test"), LOAM_OK);
        sound(t);
        TAP_CHECK(t, stats().capacity + stats().metadata <= 4096);
        TAP_CHECK(t, stats().capacity >= 3072);
        unsigned char *p = alloc(t, 100);
        TAP_CHECK(t, p >= arena + skip && p + 100 <= arena + skip + 4096);
        (void)loam_heap_fini(&heap);
        for (size_t i = 0; i < skip; i++)
            TAP_EQ(t, arena[i], 0xa5);
        for (size_t i = skip + 4096; i < ARENA; i += 64)
            TAP_EQ(t, arena[i], 0xa5);
    }
}

/* Init touches the metadata alone, so the arena can be anywhere: over the edges of many words. */
static void init_measured(tap *t)
{
    for (size_t len = GRAIN; len <= 4 * ARENA / 5; len = len * 5 / 4 + 1) {
        size_t need = loam_heap_measure(len);
        TAP_CHECK(t, need != 0 && need <= META);
        for (unsigned edge = 8; edge < 31; edge++) {
            void *at = (void *)(((uintptr_t)1 << edge) - GRAIN);
            TAP_EQ(t, loam_heap_init_apart(&heap, meta, need, at, len, "m"), LOAM_OK);
        }
    }
    for (uint64_t len = GRAIN; len <= SIZE_MAX / 2 && len >> 40 == 0; len += len / 1000 + 1)
        TAP_CHECK(t, loam_heap_measure((size_t)len) <= len / 40 + 500);
}

static void smallest(tap *t)
{
    start(t, GRAIN);
    TAP_EQ(t, stats().largest, GRAIN);
    void *p = alloc(t, 1);
    TAP_CHECK(t, p == arena && loam_heap_alloc(&heap, 1) == NULL);
    TAP_EQ(t, stats().largest, 0);
    give(t, p);
    all_free(t);
}

/* ---- alloc, free ---- */

static void alloc_arguments(tap *t)
{
    start(t, ARENA);
    TAP_CHECK(t, loam_heap_alloc(&heap, 0) == NULL);
    TAP_CHECK(t, loam_heap_alloc(&heap, SIZE_MAX) == NULL);
    TAP_CHECK(t, loam_heap_alloc(&heap, ARENA + 1) == NULL);
    TAP_CHECK(t, loam_heap_aligned(&heap, 1, 0) == NULL);
    TAP_CHECK(t, loam_heap_aligned(&heap, 1, 48) == NULL);
    TAP_CHECK(t, loam_heap_aligned(&heap, 1, SIZE_MAX / 2 + 1) == NULL);
    TAP_CHECK(t, loam_heap_calloc(&heap, SIZE_MAX / 2, 3) == NULL);
    TAP_CHECK(t, loam_heap_calloc(&heap, 0, 8) == NULL);
    TAP_EQ(t, stats().failures, 8);
    TAP_EQ(t, loam_heap_free(&heap, NULL), LOAM_OK);
    TAP_EQ(t, loam_heap_size(&heap, NULL), 0);
    all_free(t);
}

/* A block takes its grains and no more: the tail of the power of two goes back. */
static void alloc_exact(tap *t)
{
    start(t, ARENA);
    for (size_t size = 1; size < ARENA; size = size * 3 / 2 + 1) {
        void *p = alloc(t, size);
        TAP_EQ(t, stats().free, ARENA - loam_align_up(size, GRAIN));
        give(t, p);
        all_free(t);
    }
}

static void alloc_fills(tap *t)
{
    void *all[ARENA / 512];
    start(t, ARENA);
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(all); i++)
        all[i] = alloc(t, 512);
    TAP_CHECK(t, loam_heap_alloc(&heap, 1) == NULL);
    TAP_EQ(t, stats().largest, 0);
    TAP_EQ(t, stats().low_water, 0);
    TAP_EQ(t, stats().blocks, LOAM_ARRAY_LEN(all));
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(all); i += 2)
        give(t, all[i]);
    TAP_CHECK(t, loam_heap_alloc(&heap, 513) == NULL);
    for (unsigned i = 1; i < LOAM_ARRAY_LEN(all); i += 2)
        give(t, all[i]);
    all_free(t);
    TAP_EQ(t, stats().low_water, 0);
}

/* All of an arena that is no power of two. */
static void alloc_odd_arena(tap *t)
{
    start(t, 7000);
    TAP_EQ(t, stats().largest, 6992);
    void *p = alloc(t, 6992);
    TAP_CHECK(t, p == arena);
    TAP_EQ(t, stats().free, 0);
    give(t, p);
    p = loam_heap_aligned(&heap, 5000, 512);
    TAP_CHECK(t, p != NULL && (uintptr_t)p % 512 == 0);
    sound(t);
    give(t, p);
    all_free(t);
}

/* Lengths 10 and 11 share a class: one of 11 behind LOAM_HEAP_TRIES of 10 is not found, behind one
 * less it is. */
static void alloc_tries(tap *t)
{
    enum { HOLES = LOAM_HEAP_TRIES, SHORT = 10, EACH = (SHORT + 1) * GRAIN, LONG = 11 * GRAIN };
    start(t, (size_t)HOLES * EACH + LONG);
    for (unsigned i = 0; i < HOLES; i++) {
        TAP_CHECK(t, alloc(t, SHORT * GRAIN) == arena + i * EACH);
        alloc(t, 1);
    }
    TAP_EQ(t, stats().largest, LONG);
    for (unsigned i = 0; i < HOLES; i++)
        give(t, arena + i * EACH);
    TAP_EQ(t, stats().largest, SHORT * GRAIN);
    TAP_CHECK(t, loam_heap_alloc(&heap, LONG) == NULL);
    TAP_CHECK(t, loam_heap_alloc(&heap, SHORT * GRAIN) == arena);
    TAP_CHECK(t, loam_heap_alloc(&heap, LONG) == arena + HOLES * EACH);
    sound(t);
}

/* From 2 MiB on 8 to 11 share one, and 12 never waits behind them: it is half as long again. */
static void alloc_tries_large(tap *t)
{
    enum { HOLES = LOAM_HEAP_TRIES, SHORT = 8 * GRAIN, LONG = 11 * GRAIN, LONGER = 12 * GRAIN };
    static _Alignas(8) unsigned char far_meta[64 * 1024];
    void *at = (void *)((uintptr_t)1 << 28), *hole[HOLES], *p; /* blocks that nobody touches */
    TAP_EQ(t, loam_heap_init_apart(&heap, far_meta, sizeof(far_meta), at, 2 << 20, "large"),
           LOAM_OK);
    for (unsigned i = 0; i < HOLES; i++) {
        hole[i] = loam_heap_alloc(&heap, SHORT);
        TAP_CHECK(t, loam_heap_alloc(&heap, 1) != NULL);
    }
    void *behind = loam_heap_alloc(&heap, LONG), *far = loam_heap_alloc(&heap, LONGER);
    for (p = far; p != NULL; p = loam_heap_alloc(&heap, (size_t)stats().largest))
        continue;
    for (unsigned i = 0; i < HOLES; i++)
        TAP_EQ(t, loam_heap_free(&heap, hole[i]), LOAM_OK);
    TAP_EQ(t, loam_heap_free(&heap, far), LOAM_OK);
    TAP_CHECK(t, loam_heap_alloc(&heap, LONGER) == far);
    TAP_EQ(t, loam_heap_free(&heap, behind), LOAM_OK);
    TAP_CHECK(t, loam_heap_alloc(&heap, LONG) == NULL);
    TAP_CHECK(t, loam_heap_alloc(&heap, SHORT) == hole[0]);
    TAP_CHECK(t, loam_heap_alloc(&heap, LONG) == behind);
    sound(t);
}

static void alloc_aligned(tap *t)
{
    start(t, ARENA);
    void *first = alloc(t, 24);
    for (size_t align = 1; align <= 4096; align *= 2) {
        void *p = loam_heap_aligned(&heap, 40, align);
        TAP_CHECK(t, p != NULL && (uintptr_t)p % align == 0);
        TAP_EQ(t, loam_heap_size(&heap, p), 48);
        sound(t);
        give(t, p);
    }
    give(t, first);
    all_free(t);
}

static void calloc_zeroes(tap *t)
{
    start(t, ARENA);
    LOAM_PORT_NOTE_SHOW(arena, sizeof(arena));
    __builtin_memset(arena, 0xff, ARENA);
    unsigned char *p = loam_heap_calloc(&heap, 10, 11);
    TAP_CHECK(t, p != NULL);
    for (unsigned i = 0; i < 110; i++)
        TAP_EQ(t, p[i], 0);
    TAP_EQ(t, p[112], 0xff);
    give(t, p);
}

/* ---- refusals ---- */

static void refused(tap *t, void *p, const char *what)
{
    loam_heap_stats before = stats();
    tap_catch(t);
    TAP_EQ(t, loam_heap_free(&heap, p), LOAM_EINVAL);
    TAP_EQ(t, tap_caught(t), 1);
    TAP_STR(t, t->report.what, what);
    TAP_STR(t, t->report.name, "test");
    TAP_EQ(t, t->report.value, (uintptr_t)p);
    tap_catch(t);
    TAP_CHECK(t, loam_heap_realloc(&heap, p, 100) == NULL);
    TAP_EQ(t, loam_heap_size(&heap, p), 0);
    TAP_EQ(t, tap_caught(t), 2);
    TAP_EQ(t, stats().free, before.free);
    TAP_EQ(t, stats().refusals, before.refusals + 3);
    sound(t);
}

static void wrong_frees(tap *t)
{
    start(t, ARENA);
    unsigned char *p = alloc(t, 100), *q = alloc(t, 100);
    refused(t, p + 16, "inner free");
    refused(t, p + 1, "misaligned free");
    refused(t, meta, "foreign free");
    refused(t, &heap, "foreign free");
    refused(t, (void *)(uintptr_t)16, "foreign free");
    refused(t, arena + ARENA, "foreign free");
    refused(t, arena + ARENA - 1, "double free"); /* never given out: as free as one given back */
    give(t, p);
    refused(t, p, "double free");
    refused(t, p + 16, "double free");
    give(t, q);
    refused(t, q, "double free");
    all_free(t);
}

/* ---- another size ---- */

static void fill(unsigned char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        p[i] = (unsigned char)(i * 7 + 1);
}

static bool filled(const unsigned char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] != (unsigned char)(i * 7 + 1))
            return false;
    return true;
}

static void realloc_in_place(tap *t)
{
    start(t, ARENA);
    unsigned char *p = alloc(t, 200);
    fill(p, 200);
    for (size_t size = 200; size < 9000; size += 333) {
        TAP_CHECK(t, loam_heap_realloc(&heap, p, size) == p);
        TAP_EQ(t, stats().free, ARENA - loam_align_up(size, GRAIN));
        sound(t);
    }
    TAP_CHECK(t, loam_heap_realloc(&heap, p, ARENA) == p);
    TAP_EQ(t, stats().free, 0);
    TAP_CHECK(t, loam_heap_realloc(&heap, p, 17) == p);
    TAP_EQ(t, stats().free, ARENA - 32);
    TAP_CHECK(t, filled(p, 17));
    sound(t);
    TAP_CHECK(t, loam_heap_realloc(&heap, p, 0) == NULL);
    all_free(t);
    TAP_CHECK(t, loam_heap_realloc(&heap, NULL, 5) != NULL);
    TAP_EQ(t, stats().blocks, 1);
}

static void realloc_moves(tap *t)
{
    start(t, ARENA);
    unsigned char *p = alloc(t, 64), *wall = alloc(t, 64);
    fill(p, 64);
    unsigned char *q = loam_heap_realloc(&heap, p, 500);
    TAP_CHECK(t, q != NULL && q != p && filled(q, 64));
    TAP_EQ(t, stats().blocks, 2);
    sound(t);
    TAP_CHECK(t, loam_heap_realloc(&heap, q, ARENA) == NULL);
    TAP_CHECK(t, loam_heap_realloc(&heap, q, SIZE_MAX) == NULL);
    TAP_CHECK(t, filled(q, 64));
    give(t, wall);
    give(t, q);
    all_free(t);
}

/* ---- all at once, views ---- */

static void reset_all(tap *t)
{
    start(t, ARENA);
    for (unsigned i = 0; i < 20; i++)
        alloc(t, 10 + 13 * i);
    TAP_EQ(t, loam_heap_reset(&heap), 20);
    all_free(t);
    TAP_EQ(t, stats().allocs, 20);
    TAP_EQ(t, loam_heap_reset(&heap), 0);
}

static struct {
    unsigned calls, stop;
    uint64_t used, free, end;
} seen;

static bool see(void *ctx, void *p, size_t size, bool is_free)
{
    (void)ctx;
    if (seen.calls != 0 && (uintptr_t)p != seen.end)
        seen.calls += 1000; /* a gap */
    seen.end = (uintptr_t)p + size;
    *(is_free ? &seen.free : &seen.used) += size;
    return ++seen.calls != seen.stop;
}

static void each_in_order(tap *t)
{
    start(t, ARENA);
    alloc(t, 100);
    void *hole = alloc(t, 48);
    alloc(t, 200);
    give(t, hole);
    __builtin_memset(&seen, 0, sizeof(seen));
    loam_heap_each(&heap, see, NULL);
    TAP_EQ(t, seen.used, 112 + 208);
    TAP_EQ(t, seen.free, stats().free);
    TAP_EQ(t, seen.end, (uintptr_t)arena + ARENA);
    TAP_CHECK(t, seen.calls >= 4 && seen.calls < 1000);
    __builtin_memset(&seen, 0, sizeof(seen));
    seen.stop = 2;
    loam_heap_each(&heap, see, NULL);
    TAP_EQ(t, seen.calls, 2);
}

/* ---- rules ---- */

static void breaks(tap *t, uint64_t *word, uint64_t bits, const char *rule)
{
    *word ^= bits;
    TAP_RULE(t, loam_heap_check(&heap), rule);
    *word ^= bits;
    sound(t);
}

static void rules(tap *t)
{
    start(t, ARENA);
    unsigned char *p = alloc(t, 100);
    alloc(t, 100);
    give(t, p);
    uint64_t end = heap_next(&heap, 1), last = heap.count >> 6, two = heap_next(&heap, end + 1);
    unsigned class = heap_class(heap.fine, end);
    breaks(t, &heap.mark[1][0], 1ULL << 9, "H1");
    breaks(t, &heap.mark[0][last], 1ULL << 63, "H2");
    breaks(t, &heap.mark[0][0], 1, "H2");
    breaks(t, &heap.free[0], 2, "H2");
    breaks(t, &heap.free[last], 1ULL << (heap.count & 63), "H2");
    heap.mark[0][0] ^= 2; /* a stretch as two */
    heap.free[0] ^= 2;
    TAP_RULE(t, loam_heap_check(&heap), "H3");
    heap.mark[0][0] ^= 2;
    heap.free[0] ^= 2;
    breaks(t, &heap.node[0][class], 1, "H4");
    breaks(t, &heap.node[0][class], 4, "H4");
    breaks(t, &heap.node[0][class + 1], 1, "H4");
    breaks(t, &heap.classes, 1ULL << class, "H4");
    breaks(t, &heap.mark[0][0], 1ULL << (two - 1), "H5"); /* a block as two */
    breaks(t, &heap.blocks, 1, "H5");
    breaks(t, &heap.free_grains, 1, "H5");
}

static void fini(tap *t)
{
    start(t, ARENA);
    unsigned char *p = alloc(t, 100);
    TAP_EQ(t, loam_heap_fini(&heap), 1);
    p[200] = 1; /* the arena is the caller's */
    TAP_CHECK(t, loam_heap_alloc(&heap, 16) == NULL);
    refused(t, p, "foreign free");
    TAP_EQ(t, loam_heap_fini(&heap), 0);
    start(t, ARENA);
    give(t, alloc(t, 100));
}

static const tap_case cases[] = {
    {"heap_init: bad arguments, too small, overlapping: refused", init_arguments},
    {"heap_init: any alignment: nothing outside is touched", init_anywhere},
    {"heap_measure: enough wherever the arena lies", init_measured},
    {"heap: one grain", smallest},
    {"heap_alloc: bad arguments: NULL, nothing changed", alloc_arguments},
    {"heap_alloc: every size: whole grains and no more", alloc_exact},
    {"heap_alloc: to the last grain, and back in two halves", alloc_fills},
    {"heap_alloc: an arena of an odd length, whole", alloc_odd_arena},
    {"heap_alloc: bounded search", alloc_tries},
    {"heap_alloc: a long one of a large arena behind all that it tries", alloc_tries_large},
    {"heap_aligned: every power of two", alloc_aligned},
    {"heap_calloc: zeroes, and no byte behind", calloc_zeroes},
    {"heap_free: double, inner, misaligned, foreign: refused, named", wrong_frees},
    {"heap_realloc: in place, both ways", realloc_in_place},
    {"heap_realloc: moves, or stays when there is no room", realloc_moves},
    {"heap_reset: all at once", reset_all},
    {"heap_fini: blocks are foreign, the arena is the caller's", fini},
    {"heap_each: ascending, no gap, stopped", each_in_order},
    {"heap_check: each rule broken: named", rules},
};

TAP_SUITE(heap_test, cases);
