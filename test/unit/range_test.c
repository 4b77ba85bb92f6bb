/* SPDX-License-Identifier: MIT */
/* range_test.c - pieces of an interval by example: each call, each refusal. */
#include "range_ground.h"
#include "tap.h"

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
    {"range_find: piece of an address", find_and_walk},
};
TAP_SUITE(range_test, cases);
