/* SPDX-License-Identifier: MIT */
#include "loam/range.h"
#include "tap.h"

enum { TAGS = 64 };

static loam_range_tag tags[TAGS];
static loam_range r;

static void fresh(uint64_t base, uint64_t len, uint64_t quantum, size_t count)
{
    loam_range_init(&r, base, len, quantum, tags, count, NULL);
}

static uint64_t alloc(tap *t, uint64_t len)
{
    uint64_t at = 1;
    TAP_EQ(t, loam_range_alloc(&r, len, NULL, &at), LOAM_OK);
    TAP_RULE(t, loam_range_check(&r), NULL);
    return at;
}

static uint64_t want(tap *t, uint64_t len, loam_range_want w)
{
    uint64_t at = 1;
    TAP_EQ(t, loam_range_alloc(&r, len, &w, &at), LOAM_OK);
    TAP_RULE(t, loam_range_check(&r), NULL);
    return at;
}

static loam_err refused(uint64_t len, loam_range_want w)
{
    uint64_t at = 0;
    return loam_range_alloc(&r, len, &w, &at);
}

static void give(tap *t, uint64_t base)
{
    TAP_EQ(t, loam_range_free(&r, base, NULL), LOAM_OK);
    TAP_RULE(t, loam_range_check(&r), NULL);
}

/* Piece number i is [base, base + len). */
static void piece_is(tap *t, unsigned i, uint64_t base, uint64_t len, bool taken)
{
    const loam_range_tag *p = loam_range_first(&r);
    while (p != NULL && i-- > 0)
        p = loam_range_next(p);
    TAP_CHECK(t, p != NULL);
    if (p == NULL)
        return;
    TAP_EQ(t, p->base, base);
    TAP_EQ(t, p->len, len);
    TAP_EQ(t, p->taken, taken);
}

/* ---- init ---- */

static loam_err init(uint64_t base, uint64_t len, uint64_t quantum)
{
    return loam_range_init(&r, base, len, quantum, tags, TAGS, NULL);
}

static loam_range_tag *no_tag(void *ctx)
{
    (void)ctx;
    return NULL;
}

static void init_arguments(tap *t)
{
    const loam_range_source none = {0}, half = {.get = no_tag};
    TAP_EQ(t, init(0, 0, 1), LOAM_EINVAL);
    TAP_EQ(t, init(0, 8, 0), LOAM_EINVAL);
    TAP_EQ(t, init(0, 24, 3), LOAM_EINVAL);
    TAP_EQ(t, init(4, 8, 8), LOAM_EINVAL);
    TAP_EQ(t, init(8, 4, 8), LOAM_EINVAL);
    TAP_EQ(t, init(UINT64_MAX, 2, 1), LOAM_ERANGE);
    TAP_EQ(t, loam_range_init(&r, 0, 8, 1, NULL, 1, NULL), LOAM_EINVAL);
    TAP_EQ(t, loam_range_init(&r, 0, 8, 1, tags, 0, NULL), LOAM_EINVAL);
    TAP_EQ(t, loam_range_init(&r, 0, 8, 1, NULL, 0, NULL), LOAM_ENOMEM);
    TAP_EQ(t, loam_range_init(&r, 0, 8, 1, NULL, 0, &none), LOAM_ENOMEM);
    TAP_EQ(t, loam_range_init(&r, 0, 8, 1, tags, 1, &half), LOAM_EINVAL);
    TAP_EQ(t, init(UINT64_MAX, 1, 1), LOAM_OK);
    TAP_RULE(t, loam_range_check(&r), NULL);
    TAP_EQ(t, init(1ULL << 63, 1ULL << 63, 1ULL << 63), LOAM_OK);
    TAP_RULE(t, loam_range_check(&r), NULL);
}

static void init_one_piece(tap *t)
{
    fresh(0x1000, 0x4000, 0x1000, TAGS);
    piece_is(t, 0, 0x1000, 0x4000, false);
    TAP_EQ(t, r.tags, 1);
    TAP_EQ(t, r.free, 0x4000);
    TAP_EQ(t, loam_range_largest(&r), 0x4000);
    TAP_CHECK(t, loam_range_next(loam_range_first(&r)) == NULL);
}

/* ---- alloc ---- */

static void alloc_arguments(tap *t)
{
    fresh(0, 0x1000, 8, TAGS);
    TAP_EQ(t, refused(0, (loam_range_want){0}), LOAM_EINVAL);
    TAP_EQ(t, refused(12, (loam_range_want){0}), LOAM_EINVAL);
    TAP_EQ(t, refused(8, (loam_range_want){.align = 3}), LOAM_EINVAL);
    TAP_EQ(t, refused(8, (loam_range_want){.align = 16, .phase = 16}), LOAM_EINVAL);
    TAP_EQ(t, refused(8, (loam_range_want){.align = 16, .phase = 4}), LOAM_EINVAL);
    TAP_EQ(t, refused(8, (loam_range_want){.phase = 8}), LOAM_EINVAL);
    TAP_EQ(t, refused(16, (loam_range_want){.boundary = 8}), LOAM_EINVAL);
    TAP_EQ(t, refused(8, (loam_range_want){.boundary = 24}), LOAM_EINVAL);
    TAP_EQ(t, refused(0x1008, (loam_range_want){0}), LOAM_ENOMEM);
    TAP_EQ(t, refused(8, (loam_range_want){.align = 2}), LOAM_OK); /* the quantum is more */
    TAP_EQ(t, r.free, 0x0ff8);
    TAP_RULE(t, loam_range_check(&r), NULL);
}

static void alloc_first_fit(tap *t)
{
    fresh(0x100, 0x100, 8, TAGS);
    TAP_EQ(t, alloc(t, 0x20), 0x100);
    TAP_EQ(t, alloc(t, 0x10), 0x120);
    TAP_EQ(t, alloc(t, 0x40), 0x130);
    TAP_EQ(t, alloc(t, 0x08), 0x170);
    give(t, 0x100);
    give(t, 0x130);
    TAP_EQ(t, alloc(t, 0x28), 0x130); /* the lowest that is long enough, not the best */
    TAP_EQ(t, alloc(t, 0x18), 0x100);
    TAP_EQ(t, alloc(t, 0x08), 0x118);
    TAP_EQ(t, alloc(t, 0x20), 0x178); /* [0x158, 0x170) is too short */
    piece_is(t, 4, 0x158, 0x18, false);
}

static void alloc_exact(tap *t)
{
    fresh(0, 64, 8, 8);
    for (unsigned i = 0; i < 8; i++)
        TAP_EQ(t, alloc(t, 8), i * 8);
    TAP_EQ(t, r.free, 0);
    TAP_EQ(t, r.tags, 8);
    TAP_EQ(t, loam_range_largest(&r), 0);
    TAP_EQ(t, refused(8, (loam_range_want){0}), LOAM_ENOMEM);
    give(t, 24);
    TAP_EQ(t, alloc(t, 8), 24);
}

static void alloc_whole_top(tap *t)
{
    fresh(1ULL << 63, 1ULL << 63, 1, TAGS);
    TAP_EQ(t, alloc(t, 1ULL << 63), 1ULL << 63);
    give(t, 1ULL << 63);
    TAP_EQ(t, want(t, 5, (loam_range_want){.high = true}), UINT64_MAX - 4);
    TAP_EQ(t, want(t, 1, (loam_range_want){.high = true}), UINT64_MAX - 5);
    TAP_CHECK(t, loam_range_find(&r, UINT64_MAX) != NULL);
    TAP_CHECK(t, loam_range_find(&r, 0) == NULL);
}

static void alloc_high(tap *t)
{
    fresh(0, 0x100, 8, TAGS);
    const loam_range_want high = {.high = true};
    TAP_EQ(t, want(t, 0x10, high), 0xf0);
    TAP_EQ(t, want(t, 0x20, high), 0xd0);
    TAP_EQ(t, want(t, 0x10, high), 0xc0);
    give(t, 0xd0);
    TAP_EQ(t, want(t, 0x18, high), 0xd8);
    TAP_EQ(t, want(t, 0x10, high), 0xb0);
    TAP_EQ(t, want(t, 0x08, high), 0xd0);
}

static void alloc_aligned(tap *t)
{
    fresh(0x1008, 0x10000, 8, TAGS);
    TAP_EQ(t, want(t, 0x10, (loam_range_want){.align = 0x1000}), 0x2000);
    TAP_EQ(t, want(t, 0x10, (loam_range_want){.align = 0x100}), 0x1100);
    TAP_EQ(t, alloc(t, 0x10), 0x1008);
    TAP_EQ(t, want(t, 0x10, (loam_range_want){.align = 0x100, .phase = 0x18}), 0x1018);
    TAP_EQ(t, want(t, 0x10, (loam_range_want){.align = 0x100, .phase = 0x18}), 0x1118);
    TAP_EQ(t, want(t, 0x10, (loam_range_want){.align = 0x1000, .high = true}), 0x10000);
    TAP_EQ(t, want(t, 0x1000, (loam_range_want){.align = 0x1000, .phase = 8, .high = true}),
           0xe008);
    TAP_EQ(t, refused(8, (loam_range_want){.align = 1ULL << 63}), LOAM_ENOMEM);
}

static void alloc_boundary(tap *t)
{
    fresh(0x10, 0x1000, 8, TAGS);
    TAP_EQ(t, want(t, 0xf0, (loam_range_want){.boundary = 0x100}), 0x10);
    give(t, 0x10);
    TAP_EQ(t, want(t, 0xf8, (loam_range_want){.boundary = 0x100}), 0x100);
    TAP_EQ(t, want(t, 0x80, (loam_range_want){.boundary = 0x80}), 0x80);
    TAP_EQ(t, want(t, 0x60, (loam_range_want){.boundary = 0x80, .align = 0x40, .phase = 0x20}),
           0x20);
    TAP_EQ(t, refused(0x68, (loam_range_want){.boundary = 0x80, .align = 0x40, .phase = 0x20}),
           LOAM_ENOMEM); /* wherever it is put, it crosses */
    TAP_EQ(t, refused(0x10, (loam_range_want){.boundary = 0x80, .align = 0x100, .phase = 0x78}),
           LOAM_ENOMEM);
    TAP_EQ(t, want(t, 0x80, (loam_range_want){.boundary = 0x100, .high = true}), 0xf80);
    TAP_EQ(t, want(t, 0x90, (loam_range_want){.boundary = 0x100, .high = true}), 0xe70);
    TAP_EQ(t, want(t, 0x10, (loam_range_want){.boundary = 0x100, .high = true}), 0x1000);
}

static void alloc_limits(tap *t)
{
    fresh(0x1000, 0x1000, 8, TAGS);
    TAP_EQ(t, want(t, 0x10, (loam_range_want){.lo = 0x1804}), 0x1808);
    TAP_EQ(t, want(t, 0x10, (loam_range_want){.lo = 0x1800}), 0x1818);
    TAP_EQ(t, want(t, 8, (loam_range_want){.lo = 0x1800, .limit = 0x1808}), 0x1800);
    TAP_EQ(t, refused(8, (loam_range_want){.lo = 0x1800, .limit = 0x1808}), LOAM_ENOMEM);
    TAP_EQ(t, want(t, 8, (loam_range_want){.limit = 0x180f, .high = true}), 0x17f8);
    TAP_EQ(t, want(t, 8, (loam_range_want){.lo = 0x1ff8}), 0x1ff8);
    TAP_EQ(t, want(t, 8, (loam_range_want){.limit = 0x1008}), 0x1000);
    TAP_EQ(t, refused(8, (loam_range_want){.limit = 0x1008}), LOAM_ENOMEM);
    TAP_EQ(t, refused(8, (loam_range_want){.limit = 0x1000}), LOAM_ENOMEM);
    TAP_EQ(t, refused(8, (loam_range_want){.lo = 0x2000}), LOAM_ENOMEM);
    TAP_EQ(t, refused(8, (loam_range_want){.lo = 0x1900, .limit = 0x1800}), LOAM_ENOMEM);
    TAP_EQ(t, want(t, 0x10, (loam_range_want){.lo = 0, .limit = 0x3000, .high = true}), 0x1fe8);
}

/* ---- alloc_at ---- */

static loam_err at(uint64_t base, uint64_t len)
{
    return loam_range_alloc_at(&r, base, len);
}

static void at_places(tap *t)
{
    fresh(0x1000, 0x1000, 8, TAGS);
    TAP_EQ(t, at(0x1800, 0x100), LOAM_OK);
    TAP_EQ(t, at(0x1000, 0x800), LOAM_OK);
    TAP_EQ(t, at(0x1f00, 0x100), LOAM_OK);
    TAP_EQ(t, at(0x1900, 0x600), LOAM_OK);
    TAP_EQ(t, r.free, 0);
    TAP_EQ(t, r.tags, 4);
    TAP_RULE(t, loam_range_check(&r), NULL);
}

static void at_refused(tap *t)
{
    fresh(0x1000, 0x1000, 8, TAGS);
    TAP_EQ(t, at(0x1800, 0x100), LOAM_OK);
    TAP_EQ(t, at(0x1800, 8), LOAM_EBUSY);
    TAP_EQ(t, at(0x17f8, 0x10), LOAM_EBUSY);
    TAP_EQ(t, at(0x18f8, 0x10), LOAM_EBUSY);
    TAP_EQ(t, at(0x1000, 0x1000), LOAM_EBUSY);
    TAP_EQ(t, at(0x1000, 0x1008), LOAM_EINVAL);
    TAP_EQ(t, at(0x0ff8, 8), LOAM_EINVAL);
    TAP_EQ(t, at(0x2000, 8), LOAM_EINVAL);
    TAP_EQ(t, at(0x1000, 0), LOAM_EINVAL);
    TAP_EQ(t, at(0x1000, 4), LOAM_EINVAL);
    TAP_EQ(t, at(0x1004, 8), LOAM_EINVAL);
    TAP_EQ(t, at(0x1900, UINT64_MAX - 7), LOAM_EINVAL);
    TAP_EQ(t, r.free, 0xf00);
    TAP_RULE(t, loam_range_check(&r), NULL);
}

/* ---- free ---- */

static void free_merges(tap *t)
{
    uint64_t len = 0;
    fresh(0, 0x40, 8, TAGS);
    for (unsigned i = 0; i < 8; i++)
        alloc(t, 8);
    give(t, 0x10);
    give(t, 0x20); /* alone */
    TAP_EQ(t, r.tags, 8);
    give(t, 0x18); /* both sides */
    piece_is(t, 2, 0x10, 0x18, false);
    TAP_EQ(t, r.tags, 6);
    give(t, 0x28); /* in front */
    piece_is(t, 2, 0x10, 0x20, false);
    TAP_EQ(t, loam_range_free(&r, 0x08, &len), LOAM_OK); /* behind */
    TAP_EQ(t, len, 8);
    piece_is(t, 1, 0x08, 0x28, false);
    give(t, 0);
    give(t, 0x38);
    give(t, 0x30);
    piece_is(t, 0, 0, 0x40, false);
    TAP_EQ(t, r.tags, 1);
}

static void free_refused(tap *t)
{
    uint64_t len = 7;
    fresh(0x1000, 0x100, 8, TAGS);
    alloc(t, 0x20);
    TAP_EQ(t, loam_range_free(&r, 0x1008, &len), LOAM_EINVAL);
    TAP_EQ(t, loam_range_free(&r, 0x1020, &len), LOAM_EINVAL);
    TAP_EQ(t, loam_range_free(&r, 0x0fff, &len), LOAM_EINVAL);
    TAP_EQ(t, loam_range_free(&r, 0x1100, &len), LOAM_EINVAL);
    TAP_EQ(t, len, 7);
    TAP_EQ(t, loam_range_free(&r, 0x1000, &len), LOAM_OK);
    TAP_EQ(t, loam_range_free(&r, 0x1000, &len), LOAM_EINVAL);
    TAP_EQ(t, len, 0x20);
    TAP_RULE(t, loam_range_check(&r), NULL);
}

/* ---- split, join, resize ---- */

static int owner;

static void split_and_join(tap *t)
{
    fresh(0, 0x40, 8, TAGS);
    alloc(t, 0x30);
    loam_range_find(&r, 0)->owner = &owner;
    TAP_EQ(t, loam_range_split(&r, 0x10), LOAM_OK);
    TAP_EQ(t, loam_range_split(&r, 0x10), LOAM_OK);
    TAP_EQ(t, loam_range_split(&r, 0), LOAM_OK);
    TAP_EQ(t, r.tags, 3);
    piece_is(t, 0, 0, 0x10, true);
    piece_is(t, 1, 0x10, 0x20, true);
    TAP_CHECK(t, loam_range_find(&r, 0x18)->owner == &owner);
    TAP_EQ(t, loam_range_split(&r, 0x14), LOAM_EINVAL);
    TAP_EQ(t, loam_range_split(&r, 0x30), LOAM_EINVAL);
    TAP_EQ(t, loam_range_split(&r, 0x40), LOAM_EINVAL);
    TAP_EQ(t, loam_range_join(&r, 0x10), LOAM_EINVAL);
    TAP_EQ(t, loam_range_join(&r, 0x08), LOAM_EINVAL);
    TAP_EQ(t, loam_range_join(&r, 0x30), LOAM_EINVAL);
    loam_range_find(&r, 0x18)->owner = NULL;
    TAP_EQ(t, loam_range_join(&r, 0), LOAM_OK);
    TAP_CHECK(t, loam_range_find(&r, 0x18)->owner == &owner);
    piece_is(t, 0, 0, 0x30, true);
    TAP_EQ(t, r.free, 0x10);
    TAP_RULE(t, loam_range_check(&r), NULL);
}

static void join_last(tap *t)
{
    fresh(0, 0x10, 8, TAGS);
    alloc(t, 8);
    alloc(t, 8);
    TAP_EQ(t, loam_range_join(&r, 8), LOAM_EINVAL);
    TAP_EQ(t, loam_range_join(&r, 0), LOAM_OK);
    TAP_EQ(t, r.tags, 1);
    TAP_RULE(t, loam_range_check(&r), NULL);
}

static loam_err resize(uint64_t base, uint64_t len)
{
    return loam_range_resize(&r, base, len);
}

static void resize_in_place(tap *t)
{
    fresh(0, 0x40, 8, 4);
    alloc(t, 0x10);
    alloc(t, 0x10);
    TAP_EQ(t, resize(0, 0x18), LOAM_EBUSY);
    TAP_EQ(t, resize(0x10, 0x20), LOAM_OK);
    piece_is(t, 2, 0x30, 0x10, false);
    TAP_EQ(t, resize(0x10, 0x38), LOAM_EBUSY);
    TAP_EQ(t, resize(0x10, UINT64_MAX - 7), LOAM_EBUSY);
    TAP_EQ(t, resize(0x10, 0x30), LOAM_OK);
    TAP_EQ(t, r.tags, 2);
    TAP_EQ(t, resize(0x10, 0x30), LOAM_OK);
    TAP_EQ(t, resize(0x10, 0x08), LOAM_OK);
    piece_is(t, 2, 0x18, 0x28, false);
    TAP_EQ(t, resize(0, 0x08), LOAM_OK);
    piece_is(t, 1, 0x08, 0x08, false);
    TAP_RULE(t, loam_range_check(&r), NULL);
    TAP_EQ(t, r.free, 0x30);
}

static void resize_refused(tap *t)
{
    fresh(0, 0x40, 8, 2);
    alloc(t, 0x20);
    alloc(t, 0x20);
    TAP_EQ(t, resize(0, 0x10), LOAM_ENOMEM); /* no tag for the rest */
    TAP_EQ(t, resize(0, 0), LOAM_EINVAL);
    TAP_EQ(t, resize(0, 4), LOAM_EINVAL);
    TAP_EQ(t, resize(8, 8), LOAM_EINVAL);
    give(t, 0x20);
    TAP_EQ(t, resize(0x20, 8), LOAM_EINVAL);
    TAP_EQ(t, resize(0, 0x10), LOAM_OK);
    piece_is(t, 1, 0x10, 0x30, false);
    TAP_RULE(t, loam_range_check(&r), NULL);
}

/* ---- tags ---- */

static void tags_used_up(tap *t)
{
    uint64_t out = 5;
    fresh(0, 0x100, 8, 3);
    TAP_EQ(t, at(0x80, 8), LOAM_OK); /* one tag becomes three */
    TAP_EQ(t, at(0x10, 8), LOAM_ENOMEM);
    TAP_EQ(t, at(0, 8), LOAM_ENOMEM);
    TAP_EQ(t, loam_range_alloc(&r, 8, NULL, &out), LOAM_ENOMEM);
    TAP_EQ(t, out, 5);
    TAP_EQ(t, r.free, 0xf8);
    TAP_RULE(t, loam_range_check(&r), NULL);
    TAP_EQ(t, at(0, 0x80), LOAM_OK); /* needs none */
    TAP_EQ(t, loam_range_split(&r, 0x40), LOAM_ENOMEM);
    give(t, 0x80);
    TAP_EQ(t, at(0x80, 8), LOAM_OK);
    TAP_RULE(t, loam_range_check(&r), NULL);
}

/* A source that counts, of a second array. */
static loam_range_tag lent[TAGS];
static struct {
    unsigned out, limit;
    uint64_t used;
} pool;

static loam_range_tag *pool_get(void *ctx)
{
    (void)ctx;
    if (pool.out == pool.limit)
        return NULL;
    pool.out++;
    unsigned i = loam_ctz64(~pool.used);
    pool.used |= 1ULL << i;
    return &lent[i];
}

static void pool_put(void *ctx, loam_range_tag *tag)
{
    (void)ctx;
    pool.out--;
    pool.used &= ~(1ULL << (tag - lent));
}

static const loam_range_source source = {.get = pool_get, .put = pool_put};

static void tags_of_source(tap *t)
{
    pool.out = 0;
    pool.used = 0;
    pool.limit = TAGS;
    TAP_EQ(t, loam_range_init(&r, 0, 0x100, 8, tags, 2, &source), LOAM_OK);
    TAP_EQ(t, pool.out, 0);
    for (unsigned i = 0; i < 8; i++)
        alloc(t, 8);
    TAP_EQ(t, pool.out, 7); /* 8 taken, 1 free, 2 of them of the array */
    for (unsigned i = 0; i < 8; i += 2)
        give(t, 8 * i);
    TAP_EQ(t, pool.out, 7);
    for (unsigned i = 1; i < 8; i += 2)
        give(t, 8 * i);
    TAP_CHECK(t, pool.out <= 1); /* the piece that is left may have a tag of either */
    loam_range_fini(&r);
    TAP_EQ(t, pool.out, 0);
}

static void tags_of_source_end(tap *t)
{
    pool.out = 0;
    pool.used = 0;
    pool.limit = 0;
    TAP_EQ(t, loam_range_init(&r, 0, 0x100, 8, NULL, 0, &source), LOAM_ENOMEM);
    pool.limit = 2;
    TAP_EQ(t, loam_range_init(&r, 0, 0x100, 8, NULL, 0, &source), LOAM_OK);
    TAP_EQ(t, at(0x80, 8), LOAM_ENOMEM); /* wants two, gets one: it goes back */
    TAP_EQ(t, pool.out, 1);
    TAP_RULE(t, loam_range_check(&r), NULL);
    alloc(t, 0x10);
    TAP_EQ(t, pool.out, 2);
    TAP_EQ(t, resize(0, 8), LOAM_OK);
    loam_range_fini(&r);
    TAP_EQ(t, pool.out, 0);
}

static void find_and_walk(tap *t)
{
    fresh(0x1000, 0x1000, 0x100, TAGS);
    at(0x1400, 0x200);
    TAP_CHECK(t, loam_range_find(&r, 0xfff) == NULL);
    TAP_CHECK(t, loam_range_find(&r, 0x2000) == NULL);
    TAP_EQ(t, loam_range_find(&r, 0x1000)->base, 0x1000);
    TAP_EQ(t, loam_range_find(&r, 0x13ff)->base, 0x1000);
    TAP_EQ(t, loam_range_find(&r, 0x1400)->base, 0x1400);
    TAP_EQ(t, loam_range_find(&r, 0x15ff)->base, 0x1400);
    TAP_EQ(t, loam_range_find(&r, 0x1fff)->base, 0x1600);
    piece_is(t, 2, 0x1600, 0xa00, false);
    TAP_EQ(t, loam_range_largest(&r), 0xa00);
}

/* ---- order of cost: steps are counted by the height of the tree ---- */

static void tree_stays_flat(tap *t)
{
    fresh(0, 1 << 20, 8, TAGS);
    for (unsigned i = 0; i < TAGS - 1; i++)
        alloc(t, 8);
    TAP_EQ(t, r.tags, TAGS);
    TAP_CHECK(t, r.root->height <= 8); /* 1.44 log2(64) */
    for (unsigned i = 0; i < TAGS - 1; i += 2)
        give(t, 8 * i);
    TAP_CHECK(t, r.root->height <= 8);
    TAP_EQ(t, alloc(t, 16), 8 * (TAGS - 2));
    TAP_EQ(t, alloc(t, 8), 0);
}

/* ---- rules ---- */

/* Four pieces: taken, free, taken, free; a spare tag besides. */
static loam_range_tag *piece(unsigned i)
{
    loam_range_tag *p = r.first;
    while (i-- > 0)
        p = p->next;
    return p;
}

static void damage(void)
{
    fresh(0x100, 0x100, 8, 5);
    at(0x100, 0x40);
    at(0x180, 0x40);
}

static void rules_interval(tap *t)
{
    damage();
    TAP_RULE(t, loam_range_check(&r), NULL);
    r.quantum = 24;
    TAP_RULE(t, loam_range_check(&r), "R1");
    damage();
    r.len = 0;
    TAP_RULE(t, loam_range_check(&r), "R1");
    damage();
    r.base = 0 - 0x80ULL;
    TAP_RULE(t, loam_range_check(&r), "R1");
    damage();
    r.base += 4;
    TAP_RULE(t, loam_range_check(&r), "R1");
}

static void rules_chain(tap *t)
{
    damage();
    piece(1)->base += 8;
    TAP_RULE(t, loam_range_check(&r), "R2");
    damage();
    piece(1)->len = 0;
    TAP_RULE(t, loam_range_check(&r), "R2");
    damage();
    piece(3)->len += 8;
    TAP_RULE(t, loam_range_check(&r), "R2");
    damage();
    piece(2)->prev = piece(0);
    TAP_RULE(t, loam_range_check(&r), "R2");
    damage();
    piece(3)->next = piece(1); /* a circle */
    TAP_RULE(t, loam_range_check(&r), "R2");
    damage();
    piece(2)->next = NULL;
    TAP_RULE(t, loam_range_check(&r), "R2");
    damage();
    piece(0)->len -= 4;
    piece(1)->base -= 4;
    piece(1)->len += 4;
    TAP_RULE(t, loam_range_check(&r), "R2");
    damage();
    r.first = NULL;
    TAP_RULE(t, loam_range_check(&r), "R2");
    damage();
    r.tags--;
    TAP_RULE(t, loam_range_check(&r), "R2");
}

static void rules_tree(tap *t)
{
    damage();
    piece(2)->taken = false;
    TAP_RULE(t, loam_range_check(&r), "R3");
    damage();
    r.root = NULL;
    TAP_RULE(t, loam_range_check(&r), "R4");
    damage();
    r.root->parent = r.root;
    TAP_RULE(t, loam_range_check(&r), "R4");
    damage();
    r.root->child[0] = NULL;
    TAP_RULE(t, loam_range_check(&r), "R4");
    damage();
    r.root->child[1] = r.root->child[0];
    TAP_RULE(t, loam_range_check(&r), "R4");
    damage();
    piece(0)->child[0] = piece(0); /* circles, down and aside */
    piece(0)->parent = piece(0);
    TAP_RULE(t, loam_range_check(&r), "R4");
    damage();
    piece(3)->child[1] = piece(3);
    TAP_RULE(t, loam_range_check(&r), "R4");
    damage();
    r.root->child[1]->parent = r.root->child[0];
    TAP_RULE(t, loam_range_check(&r), "R4");
}

static void rules_sums(tap *t)
{
    damage();
    r.root->height++;
    TAP_RULE(t, loam_range_check(&r), "R5");
    damage();
    piece(3)->largest += 8;
    TAP_RULE(t, loam_range_check(&r), "R6");
    damage();
    r.root->largest = 0;
    TAP_RULE(t, loam_range_check(&r), "R6");
    damage();
    r.free += 8;
    TAP_RULE(t, loam_range_check(&r), "R7");
    damage();
    r.tags++;
    TAP_RULE(t, loam_range_check(&r), "R7");
    damage();
    r.spare = NULL;
    TAP_RULE(t, loam_range_check(&r), "R8");
    damage();
    r.spare->next = r.spare;
    TAP_RULE(t, loam_range_check(&r), "R8");
    damage();
    r.spare = lent;
    TAP_RULE(t, loam_range_check(&r), "R8");
    damage();
    TAP_RULE(t, loam_range_check(&r), NULL);
}

/* A chain as a tree: right in order and sums, only not flat. */
static void rules_balance(tap *t)
{
    damage();
    for (unsigned i = 0; i < 4; i++) {
        loam_range_tag *p = piece(i);
        p->child[0] = NULL;
        p->child[1] = p->next;
        p->parent = p->prev;
        p->height = (uint8_t)(4 - i);
        p->largest = 0x40;
    }
    r.root = r.first;
    TAP_RULE(t, loam_range_check(&r), "R5");
}

static const tap_case cases[] = {
    {"range_init: arguments", init_arguments},
    {"range_init: one free piece", init_one_piece},
    {"range_alloc: arguments", alloc_arguments},
    {"range_alloc: the lowest place that fits", alloc_first_fit},
    {"range_alloc: to the last unit", alloc_exact},
    {"range_alloc: an interval that ends at 2^64", alloc_whole_top},
    {"range_alloc: from the top", alloc_high},
    {"range_alloc: alignment and phase", alloc_aligned},
    {"range_alloc: a boundary is not crossed", alloc_boundary},
    {"range_alloc: inside limits", alloc_limits},
    {"range_alloc_at: front, middle, rear, whole", at_places},
    {"range_alloc_at: taken, outside, ragged: refused", at_refused},
    {"range_free: merges with both neighbours", free_merges},
    {"range_free: not the start of a taken piece: refused", free_refused},
    {"range_split, join: one piece, two, one", split_and_join},
    {"range_join: nothing behind the last", join_last},
    {"range_resize: larger and smaller in place", resize_in_place},
    {"range_resize: refused: unchanged", resize_refused},
    {"range tags: array used up: unchanged", tags_used_up},
    {"range tags: array first, then source, and back", tags_of_source},
    {"range tags: source ends in the middle: unchanged", tags_of_source_end},
    {"range_find: piece of an address", find_and_walk},
    {"range: the tree stays flat", tree_stays_flat},
    {"range_check: R1", rules_interval},
    {"range_check: R2", rules_chain},
    {"range_check: R3, R4", rules_tree},
    {"range_check: R5, unbalanced", rules_balance},
    {"range_check: R5 to R8", rules_sums},
};
TAP_SUITE(range_test, cases);
