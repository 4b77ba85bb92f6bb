/* SPDX-License-Identifier: MIT */
/* heap_end_test.c - bytes out of an arena that ends with the address space. A heap never touches
 * what is free, nor a block: so there need not be memory. (Whoever watches memory is told of it:
 * so this suite is not run with notes.) */
#include "../../core/heap_impl.h"
#include "tap.h"

enum { LEN = 64 * 1024, META = 4096, GRAIN = LOAM_HEAP_GRAIN, BLOCKS = 40 };

static _Alignas(64) unsigned char meta[META];
static loam_heap heap;

/* So many bytes before the end of the address space. */
static void *before_end(size_t len)
{
    return (void *)((uintptr_t)0 - len);
}

static loam_err init_at(size_t before, size_t len)
{
    return loam_heap_init_apart(&heap, meta, META, before_end(before), len, "end");
}

static void sound(tap *t)
{
    TAP_RULE(t, loam_heap_check(&heap), NULL);
}

static uint64_t capacity(void)
{
    loam_heap_stats s;
    loam_heap_stat(&heap, &s);
    return s.capacity;
}

/* The last grain is left out: the address behind it is none. */
static void whole(tap *t)
{
    TAP_EQ(t, init_at(LEN, LEN), LOAM_OK);
    TAP_EQ(t, capacity(), LEN - GRAIN);
    sound(t);
    unsigned char *p = loam_heap_alloc(&heap, LEN - GRAIN);
    TAP_CHECK(t, p == before_end(LEN));
    TAP_EQ(t, loam_heap_size(&heap, p), LEN - GRAIN);
    TAP_CHECK(t, loam_heap_alloc(&heap, 1) == NULL);
    TAP_EQ(t, loam_heap_free(&heap, p), LOAM_OK);
    sound(t);
    p = loam_heap_alloc(&heap, LEN - 3 * GRAIN);
    unsigned char *q = loam_heap_aligned(&heap, GRAIN, 2 * GRAIN);
    TAP_CHECK(t, q == before_end((size_t)2 * GRAIN));
    TAP_CHECK(t, loam_heap_realloc(&heap, p, LEN - 2 * GRAIN) == p);
    TAP_CHECK(t, loam_heap_realloc(&heap, q, 2 * GRAIN) == NULL);
    TAP_EQ(t, loam_heap_reset(&heap), 2);
    sound(t);
}

static void lengths(tap *t)
{
    static const struct {
        size_t before, len;
        loam_err want;
        size_t capacity;
    } rows[] = {
        {LEN, LEN - 1, LOAM_OK, LEN - GRAIN},
        {LEN, LEN - GRAIN, LOAM_OK, LEN - GRAIN},
        {LEN, LEN - GRAIN - 1, LOAM_OK, LEN - 2 * GRAIN},
        {LEN, LEN + 1, LOAM_EINVAL, 0},
        {LEN, LEN + GRAIN, LOAM_EINVAL, 0},
        {LEN, 0, LOAM_EINVAL, 0},
        {LEN, SIZE_MAX, LOAM_EINVAL, 0},
        {LEN - 1, LEN - 1, LOAM_OK, LEN - 2 * GRAIN},
        {2 * GRAIN, 2 * GRAIN, LOAM_OK, GRAIN},
        {2 * GRAIN - 1, 2 * GRAIN - 1, LOAM_EINVAL, 0},
        {GRAIN, GRAIN, LOAM_EINVAL, 0},
        {1, 1, LOAM_EINVAL, 0},
    };
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(rows); i++) {
        TAP_EQ(t, init_at(rows[i].before, rows[i].len), rows[i].want);
        if (rows[i].want == LOAM_OK)
            TAP_EQ(t, capacity(), rows[i].capacity);
    }
}

/* Both lie there, one behind the other or not; with loam_heap_init nothing is left for blocks. */
static void metadata(tap *t)
{
    void *mem = before_end(LEN);
    TAP_EQ(t, loam_heap_init_apart(&heap, mem, META, mem, LEN, "end"), LOAM_EINVAL);
    TAP_EQ(t, loam_heap_init_apart(&heap, before_end(META), META, mem, LEN, "end"), LOAM_EINVAL);
    TAP_EQ(t, loam_heap_init_apart(&heap, before_end(8), 8, mem, LEN - 16, "end"), LOAM_EINVAL);
    TAP_EQ(t, loam_heap_init_apart(&heap, before_end(META), META + 1, meta, META, "end"),
           LOAM_EINVAL);
    TAP_EQ(t, loam_heap_init_apart(&heap, meta, 0, mem, LEN, "end"), LOAM_EINVAL);
    TAP_EQ(t, loam_heap_init(&heap, mem, LEN + 1, "end"), LOAM_EINVAL);
    TAP_EQ(t, loam_heap_init(&heap, before_end(32), 32, "end"), LOAM_EINVAL);
}

static void wrong_frees(tap *t)
{
    TAP_EQ(t, init_at(LEN, LEN), LOAM_OK);
    void *p = loam_heap_alloc(&heap, LEN - GRAIN);
    tap_catch(t);
    TAP_EQ(t, loam_heap_free(&heap, before_end(GRAIN)), LOAM_EINVAL);
    TAP_EQ(t, loam_heap_free(&heap, before_end(1)), LOAM_EINVAL);
    TAP_EQ(t, loam_heap_free(&heap, before_end(LEN + GRAIN)), LOAM_EINVAL);
    TAP_EQ(t, loam_heap_free(&heap, (void *)(uintptr_t)GRAIN), LOAM_EINVAL);
    TAP_EQ(t, loam_heap_free(&heap, p), LOAM_OK);
    TAP_EQ(t, loam_heap_free(&heap, p), LOAM_EINVAL);
    TAP_EQ(t, tap_caught(t), 5);
    sound(t);
}

typedef struct piece {
    uintptr_t at;
    size_t len;
} piece;

static bool apart(const piece *all, unsigned n, piece one)
{
    for (unsigned i = 0; i < n; i++)
        if (one.at < all[i].at + all[i].len && all[i].at < one.at + one.len)
            return false;
    return true;
}

/* Random calls: blocks lie within, and apart. */
static void random_calls(tap *t)
{
    piece all[BLOCKS];
    unsigned n = 0;
    TAP_EQ(t, init_at(LEN, LEN), LOAM_OK);
    for (unsigned i = 0; i < 1000; i++) {
        size_t size = (size_t)tap_below(t, 5000) + 1;
        if (n == BLOCKS || (n != 0 && tap_below(t, 3) == 0)) {
            unsigned k = (unsigned)tap_below(t, n);
            TAP_EQ(t, loam_heap_free(&heap, (void *)all[k].at), LOAM_OK);
            all[k] = all[--n];
        } else {
            size_t align = (size_t)GRAIN << tap_below(t, 6);
            void *p = loam_heap_aligned(&heap, size, align);
            piece one = {(uintptr_t)p, loam_heap_size(&heap, p)};
            if (p == NULL)
                continue;
            TAP_CHECK(t, one.len >= size && one.at % align == 0);
            TAP_CHECK(t, one.at >= (uintptr_t)before_end(LEN));
            TAP_CHECK(t, one.len <= (uintptr_t)before_end(GRAIN) - one.at);
            TAP_CHECK(t, apart(all, n, one));
            all[n++] = one;
        }
        sound(t);
    }
}

static const tap_case cases[] = {
    {"heap_init: an arena to the end of the address space: all but the last grain", whole},
    {"heap_init: lengths there, beyond it, and before it", lengths},
    {"heap_init: metadata there: refused where they overlap or wrap", metadata},
    {"heap_free: addresses around such an arena", wrong_frees},
    {"heap: random calls there: blocks lie within, and apart", random_calls},
};

TAP_SUITE(heap_end_test, cases);
