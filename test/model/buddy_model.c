/* SPDX-License-Identifier: MIT */
/* buddy_model.c - random calls on the bit engine, and the same on an array of flags.
 *
 * The oracle knows only which units are free. What the largest block around a unit is, which block
 * a request has to get, what a view has to show: all of it is computed from the flags, the slow
 * way. */
#include <stdlib.h>
#include <string.h>

#include "loam/buddy.h"
#include "tap_host.h"

enum { UNITS_MAX = 9000, NONE = LOAM_BUDDY_MAX_ORDER + 1 };

typedef struct world {
    loam_buddy b;
    uint64_t first, count;
    unsigned high_from;
    bool free[UNITS_MAX];
    void *mem;
} world;

static world w;

static bool inside(uint64_t unit, unsigned order)
{
    return unit >= w.first && unit - w.first < w.count &&
           w.count - (unit - w.first) >= 1ULL << order;
}

static bool all(uint64_t unit, uint64_t n, bool is_free)
{
    for (uint64_t i = 0; i < n; i++) {
        if (w.free[unit + i - w.first] != is_free)
            return false;
    }
    return true;
}

static void set(uint64_t unit, uint64_t n, bool is_free)
{
    memset(&w.free[unit - w.first], is_free, (size_t)n);
}

/* Order of the maximal free block around a free unit. */
static unsigned around(uint64_t unit)
{
    unsigned order = 0;
    for (unsigned k = 1; k < 20; k++) {
        uint64_t start = unit & ~((1ULL << k) - 1);
        if (!inside(start, k) || !all(start, 1ULL << k, true))
            break;
        order = k;
    }
    return order;
}

static bool is_start(uint64_t unit, unsigned *order)
{
    if (!w.free[unit - w.first])
        return false;
    *order = around(unit);
    return (unit & ((1ULL << *order) - 1)) == 0;
}

/* What an allocation has to answer. */
static bool want_alloc(unsigned order, uint64_t *unit)
{
    unsigned best = 63; /* none */
    bool high = order >= w.high_from;
    for (uint64_t u = w.first; u < w.first + w.count; u++) {
        unsigned k;
        if (!is_start(u, &k) || k < order || k > best || (k == best && !high))
            continue;
        best = k;
        *unit = high ? u + (1ULL << k) - (1ULL << order) : u;
    }
    return best != 63;
}

static bool want_within(unsigned order, uint64_t lo, uint64_t hi, uint64_t *unit)
{
    unsigned best = 63; /* none */
    uint64_t size = 1ULL << order;
    for (uint64_t u = lo; u < hi; u++) {
        if ((u & (size - 1)) != 0 || hi - u < size || !inside(u, order) || !all(u, size, true))
            continue;
        unsigned k = around(u);
        if (k < best) {
            best = k;
            *unit = u;
        }
    }
    return best != 63;
}

static void start(tap *t, uint64_t first, uint64_t count, unsigned high_from)
{
    uint64_t need = loam_buddy_measure(first, count);
    free(w.mem);
    w = (world){.first = first, .count = count, .high_from = high_from};
    w.mem = aligned_alloc(64, (size_t)need);
    memset(w.mem, 0, (size_t)need);
    TAP_EQ(t, loam_buddy_init(&w.b, first, count, high_from, w.mem), LOAM_OK);
}

static uint64_t random_block(tap *t, unsigned *order)
{
    *order = (unsigned)tap_below(t, tap_below(t, 4) == 0 ? 14 : 4);
    return (w.first + tap_below(t, w.count)) & ~((1ULL << *order) - 1);
}

static void try_alloc(tap *t)
{
    unsigned order = (unsigned)tap_below(t, tap_below(t, 4) == 0 ? 15 : 4);
    uint64_t want = 0, got = 0;
    bool fits = want_alloc(order, &want);
    loam_buddy_pick pick = {0, 0, 0};
    TAP_EQ(t, loam_buddy_peek(&w.b, order, &pick), fits);
    TAP_EQ(t, loam_buddy_alloc(&w.b, order, &got), fits ? LOAM_OK : LOAM_ENOMEM);
    if (!fits)
        return;
    TAP_EQ(t, got, want);
    TAP_EQ(t, pick.unit, want);
    TAP_EQ(t, pick.order, around(want));
    set(got, 1ULL << order, false);
}

static void try_within(tap *t)
{
    unsigned order = (unsigned)tap_below(t, 8);
    uint64_t lo = w.first + tap_below(t, w.count), len = 1 + tap_below(t, 600), want = 0, got = 0;
    uint64_t end = w.first + w.count, hi = len < end - lo ? lo + len : end;
    bool fits = want_within(order, lo, hi, &want);
    TAP_EQ(t, loam_buddy_alloc_within(&w.b, order, lo, len, &got), fits ? LOAM_OK : LOAM_ENOMEM);
    if (!fits)
        return;
    TAP_EQ(t, got, want);
    set(got, 1ULL << order, false);
}

static void try_free(tap *t)
{
    unsigned order;
    uint64_t unit = random_block(t, &order);
    bool good = inside(unit, order) && order < 6 * w.b.levels;
    if (good && !all(unit, 1ULL << order, false)) {
        /* one with free parts is the owner's to exclude */
        if (all(unit, 1ULL << order, true))
            TAP_EQ(t, loam_buddy_free(&w.b, unit, order), LOAM_EBUSY);
        return;
    }
    TAP_EQ(t, loam_buddy_free(&w.b, unit, order), good ? LOAM_OK : LOAM_EINVAL);
    if (good)
        set(unit, 1ULL << order, true);
}

static void try_take(tap *t)
{
    unsigned order;
    uint64_t unit = random_block(t, &order);
    bool good = inside(unit, order) && order < 6 * w.b.levels;
    bool fits = good && all(unit, 1ULL << order, true);
    TAP_EQ(t, loam_buddy_take(&w.b, unit, order), fits ? LOAM_OK : good ? LOAM_EBUSY : LOAM_EINVAL);
    if (fits)
        set(unit, 1ULL << order, false);
}

/* A range of any length, mostly short. */
static uint64_t random_range(tap *t, uint64_t *n)
{
    uint64_t unit = w.first + tap_below(t, w.count);
    *n = tap_below(t, tap_below(t, 4) == 0 ? w.count : 300);
    return unit;
}

static void try_range(tap *t)
{
    uint64_t n, unit = random_range(t, &n);
    bool fits = n <= w.first + w.count - unit, busy = fits && !all(unit, n, false);
    loam_err want = !fits ? LOAM_EINVAL : busy ? LOAM_EBUSY : LOAM_OK;
    TAP_EQ(t, loam_buddy_free_range(&w.b, unit, n), want);
    if (want == LOAM_OK)
        set(unit, n, true);
}

static void try_take_range(tap *t)
{
    uint64_t n, unit = random_range(t, &n);
    bool fits = n <= w.first + w.count - unit, busy = fits && !all(unit, n, true);
    loam_err want = !fits ? LOAM_EINVAL : busy ? LOAM_EBUSY : LOAM_OK;
    TAP_EQ(t, loam_buddy_take_range(&w.b, unit, n), want);
    if (want == LOAM_OK)
        set(unit, n, false);
}

static void try_part(tap *t)
{
    unsigned order = (unsigned)tap_below(t, 10);
    uint64_t want = 0, n = 1 + tap_below(t, 1ULL << order);
    loam_buddy_pick pick;
    bool there = want_alloc(order, &want);
    TAP_EQ(t, loam_buddy_alloc_part(&w.b, order, n, &pick), there ? LOAM_OK : LOAM_ENOMEM);
    if (!there)
        return;
    TAP_EQ(t, pick.unit, want);
    set(pick.unit, n, false);
}

static void try_runs(tap *t)
{
    static const unsigned orders[] = {0, 1, 2, 3, 6, 9};
    unsigned order = orders[tap_below(t, LOAM_ARRAY_LEN(orders))], shift = order / 6 * 6;
    uint64_t base = 0, want = 0, starts = loam_buddy_take_runs(&w.b, order, &base);
    TAP_EQ(t, starts != 0, want_alloc(order, &want));
    if (starts == 0)
        return;
    TAP_EQ(t, base, want >> (shift + 6) << (shift + 6));
    for (unsigned i = 0; i < 64; i++) {
        uint64_t unit = base + ((uint64_t)i << shift), size = 1ULL << order;
        bool here = (starts >> i & 1) != 0;
        bool possible = (unit & (size - 1)) == 0 && inside(unit, order) && all(unit, size, true);
        TAP_EQ(t, here, possible);
        if (here)
            set(unit, size, false);
    }
    uint64_t back = starts & tap_rand(t);
    TAP_EQ(t, loam_buddy_free_runs(&w.b, order, base, back), LOAM_OK);
    for (; back != 0; back &= back - 1)
        set(base + ((uint64_t)__builtin_ctzll(back) << shift), 1ULL << order, true);
}

/* A list of blocks of one order that are out, some twice: taken up to the first that is free. */
static void try_list(tap *t)
{
    static const unsigned orders[] = {0, 0, 0, 1, 2, 3, 6, 7, 9};
    unsigned order = orders[tap_below(t, LOAM_ARRAY_LEN(orders))], n = 0;
    uint64_t list[32], size = 1ULL << order, near = w.first + tap_below(t, w.count);
    bool together = tap_below(t, 2) == 0;
    for (unsigned tries = 0; tries < 64 && n < LOAM_ARRAY_LEN(list); tries++) {
        uint64_t unit = together ? near + tap_below(t, 8 * size) : w.first + tap_below(t, w.count);
        unit &= ~(size - 1);
        if (inside(unit, order) && order < 6 * w.b.levels && all(unit, size, false))
            list[n++] = unit;
    }
    size_t want = 0;
    for (; want < n && all(list[want], size, false); want++)
        set(list[want], size, true);
    TAP_EQ(t, loam_buddy_free_list(&w.b, order, list, n), want);
}

typedef struct view {
    tap *t;
    uint64_t at;
    unsigned cap;
} view;

static bool expect_next(void *ctx, uint64_t unit, unsigned order)
{
    view *v = ctx;
    while (v->at < w.first + w.count && !w.free[v->at - w.first])
        v->at++;
    unsigned want = around(v->at) < v->cap ? around(v->at) : v->cap;
    TAP_EQ(v->t, unit, v->at);
    TAP_EQ(v->t, order, want);
    v->at = unit + (1ULL << order);
    return true;
}

static void compare(tap *t)
{
    view v = {t, w.first, (unsigned)tap_below(t, 14)};
    uint64_t units = 0, from = w.first + tap_below(t, w.count), got = 0;
    TAP_RULE(t, loam_buddy_check(&w.b), NULL);
    loam_buddy_each(&w.b, v.cap, expect_next, &v);
    TAP_CHECK(t, all(v.at, w.first + w.count - v.at, false));
    for (uint64_t u = 0; u < w.count; u++)
        units += w.free[u];
    TAP_EQ(t, w.b.free_units, units);
    unsigned order = (unsigned)tap_below(t, 5);
    bool found = loam_buddy_next(&w.b, order, 12, from, &got);
    for (uint64_t u = from; u < w.first + w.count; u++) {
        unsigned k;
        if (!is_start(u, &k) || k != order)
            continue;
        TAP_CHECK(t, found && got == u);
        found = false;
        break;
    }
    TAP_CHECK(t, !found);
}

static void play(tap *t, uint64_t first, uint64_t count, unsigned high_from, unsigned steps)
{
    static void (*const op[])(tap *) = {try_alloc,      try_alloc,      try_alloc,  try_free,
                                        try_free,       try_free,       try_range,  try_list,
                                        try_list,       try_take,       try_within, try_runs,
                                        try_take_range, try_take_range, try_part,   try_range};
    start(t, first, count, high_from);
    for (unsigned i = 0; i < steps && t->failed == 0; i++) {
        op[tap_below(t, LOAM_ARRAY_LEN(op))](t);
        compare(t);
    }
}

static unsigned steps(unsigned n)
{
    return getenv("LOAM_LONG") != NULL ? n * 40 : n;
}

static void small(tap *t)
{
    for (unsigned i = 0; i < 400; i++)
        play(t, tap_below(t, 200), 1 + tap_below(t, 300), NONE, steps(60));
}

static void middle(tap *t)
{
    for (unsigned i = 0; i < 20; i++)
        play(t, tap_below(t, 100000), 4096 + tap_below(t, 4000), NONE, steps(60));
}

static void from_the_top(tap *t)
{
    for (unsigned i = 0; i < 60; i++)
        play(t, tap_below(t, 100000), 600 + tap_below(t, 600), (unsigned)tap_below(t, 6),
             steps(80));
}

static void at_the_end_of_numbers(tap *t)
{
    play(t, ~0ULL - 700, 700, NONE, steps(3000));
}

static const tap_case cases[] = {
    {"buddy model: up to 300 units: as the array of flags", small},
    {"buddy model: 4096 to 8096 units: as the array of flags", middle},
    {"buddy model: orders served from the top: as the array of flags", from_the_top},
    {"buddy model: the last unit numbers: as the array of flags", at_the_end_of_numbers},
};
TAP_SUITE(buddy_model, cases);

int main(int argc, char **argv)
{
    int code = tap_host_main(&tap_suite_buddy_model, argc, argv);
    free(w.mem);
    return code;
}
