/* SPDX-License-Identifier: MIT */
/* zone_model.c - random calls on a zone from several processors, and the same on an array.
 *
 * The oracle has one entry a frame: not there, free, or number of the block that it is out in. */
#include <stdlib.h>
#include <string.h>

#include "loam/zone.h"
#include "tap_host.h"

enum { FRAMES_MAX = 12000, BLOCKS = 4000, HOLE = -2, FREE = -1, RESERVED = -3 };

typedef struct block {
    uint64_t first, count; /* count 0: this entry is not in use */
    int order;             /* -1: an exact count, freed without an order */
} block;

static struct {
    loam_zone *zone;
    void *mem;
    uint64_t base, count; /* frames, holes included */
    unsigned ncpus;
    int frame[FRAMES_MAX];
    block out[BLOCKS];
} w;

static uint64_t free_frames(void)
{
    uint64_t n = 0;
    for (uint64_t i = 0; i < w.count; i++)
        n += w.frame[i] == FREE;
    return n;
}

static bool all(uint64_t first, uint64_t n, int what)
{
    for (uint64_t i = 0; i < n; i++) {
        if (first + i < w.base || first + i - w.base >= w.count ||
            w.frame[first + i - w.base] != what)
            return false;
    }
    return true;
}

static void set(uint64_t first, uint64_t n, int what)
{
    for (uint64_t i = 0; i < n; i++)
        w.frame[first + i - w.base] = what;
}

static bool some_free_block(unsigned order, uint64_t lo, uint64_t hi)
{
    uint64_t size = 1ULL << order;
    for (uint64_t u = (lo + size - 1) & ~(size - 1); u + size <= hi; u += size) {
        if (all(u, size, FREE))
            return true;
    }
    return false;
}

/* RAM with random holes; everything free. */
static void start(tap *t, uint64_t base, uint64_t count, unsigned holes, unsigned ncpus,
                  bool fronts)
{
    loam_span ram[16];
    size_t n = 0;
    loam_zone_config config;
    loam_zone_config_init(&config);
    config.ncpus = w.ncpus = ncpus;
    config.fronts = fronts;
    /* areas of 64 frames and more: many, so that blocks of several are out, split and joined */
    config.area_shift = tap_below(t, 3) == 0 ? 18 : 6 + (unsigned)tap_below(t, 6);
    w.base = base;
    w.count = count;
    memset(w.out, 0, sizeof w.out);
    set(base, count, FREE);
    for (unsigned i = 0; i < holes; i++) {
        uint64_t at = base + tap_below(t, count), len = 1 + tap_below(t, 2000);
        set(at, len < base + count - at ? len : base + count - at, HOLE);
    }
    for (uint64_t i = 0, run = 0; i <= count && n < 16; i++) {
        if (i < count && w.frame[i] != HOLE) {
            run++;
        } else if (run != 0) {
            ram[n++] = (loam_span){(base + i - run) << LOAM_PAGE_SHIFT, run << LOAM_PAGE_SHIFT};
            run = 0;
        }
    }
    uint64_t need = loam_zone_measure(ram, n, &config);
    free(w.mem);
    w.mem = NULL;
    if (need == 0)
        return;
    w.mem = aligned_alloc(64, (size_t)need);
    w.zone = loam_zone_init(w.mem, need, false, ram, n, &config);
    for (size_t i = 0; i < n; i++)
        TAP_EQ(t, loam_zone_add(w.zone, loam_pfn_of(ram[i].base >> 12), ram[i].len >> 12), LOAM_OK);
}

static void keep(tap *t, uint64_t first, uint64_t count, int order)
{
    int i = 0;
    TAP_CHECK(t, all(first, count, FREE));
    while (w.out[i].count != 0)
        i++;
    w.out[i] = (block){first, count, order};
    set(first, count, i);
}

static bool room_for_more(void)
{
    unsigned n = 0;
    for (int i = 0; i < BLOCKS; i++)
        n += w.out[i].count != 0;
    return n < BLOCKS - 100;
}

static void try_alloc(tap *t)
{
    unsigned order = (unsigned)tap_below(t, tap_below(t, 3) == 0 ? 12 : 3);
    loam_pfn pfn = loam_zone_alloc(w.zone, order, 0);
    if (loam_pfn_is_none(pfn)) { /* another processor's front may hold what is missing */
        loam_zone_drain_all(w.zone);
        pfn = loam_zone_alloc(w.zone, order, 0);
    }
    TAP_EQ(t, !loam_pfn_is_none(pfn), some_free_block(order, w.base, w.base + w.count));
    if (loam_pfn_is_none(pfn))
        return;
    TAP_EQ(t, pfn.v & ((1ULL << order) - 1), 0);
    keep(t, pfn.v, 1ULL << order, (int)order);
}

static void try_exact(tap *t)
{
    uint64_t n = 1 + tap_below(t, tap_below(t, 4) == 0 ? 2000 : 100);
    loam_pfn pfn = loam_zone_alloc_exact(w.zone, n, 0);
    if (!loam_pfn_is_none(pfn))
        keep(t, pfn.v, n, loam_is_pow2(n) ? (int)loam_log2_floor(n) : -1);
}

static void try_range(tap *t)
{
    bool large = tap_below(t, 4) == 0;
    unsigned order = (unsigned)tap_below(t, large ? 11 : 6);
    uint64_t lo = w.base + tap_below(t, w.count), hi = lo + 1 + tap_below(t, large ? 6000 : 1000);
    loam_zone_drain_all(w.zone);
    loam_pfn pfn = loam_zone_alloc_range(w.zone, order, loam_pfn_of(lo), loam_pfn_of(hi), 0);
    TAP_EQ(t, !loam_pfn_is_none(pfn), some_free_block(order, lo, hi));
    if (loam_pfn_is_none(pfn))
        return;
    TAP_CHECK(t, pfn.v >= lo && pfn.v + (1ULL << order) <= hi);
    keep(t, pfn.v, 1ULL << order, (int)order);
}

static void try_at(tap *t)
{
    uint64_t first = w.base + tap_below(t, w.count);
    uint64_t n = 1 + tap_below(t, tap_below(t, 4) == 0 ? 1500 : 40);
    loam_zone_drain_all(w.zone);
    bool fits = all(first, n, FREE);
    TAP_EQ(t, loam_zone_alloc_at(w.zone, loam_pfn_of(first), n, 0) == LOAM_OK, fits);
    if (!fits)
        return;
    unsigned order = loam_natural_order(first, n);
    keep(t, first, n, 1ULL << order == n ? (int)order : -1);
}

/* As low as is seen: free frames in any case, and aligned. */
static void try_lowest(tap *t)
{
    uint64_t n = 1 + tap_below(t, tap_below(t, 4) == 0 ? 1500 : 100);
    uint64_t lo = w.base + tap_below(t, w.count), align = 1ULL << tap_below(t, 6);
    loam_pfn pfn = loam_zone_alloc_lowest(w.zone, n, loam_pfn_of(lo), align, 0);
    if (loam_pfn_is_none(pfn))
        return;
    TAP_CHECK(t, pfn.v >= lo && pfn.v % align == 0 && all(pfn.v, n, FREE));
    unsigned order = loam_natural_order(pfn.v, n);
    keep(t, pfn.v, n, 1ULL << order == n ? (int)order : -1);
}

static int random_out(tap *t)
{
    for (unsigned tries = 0; tries < 50; tries++) {
        int i = (int)tap_below(t, BLOCKS);
        if (w.out[i].count != 0)
            return i;
    }
    for (int i = 0; i < BLOCKS; i++) {
        if (w.out[i].count != 0)
            return i;
    }
    return -1;
}

static void try_free(tap *t)
{
    int i = random_out(t);
    if (i < 0)
        return;
    block *b = &w.out[i];
    loam_pfn pfn = loam_pfn_of(b->first);
    if (b->order >= 0 && tap_below(t, 2) == 0)
        TAP_EQ(t, loam_zone_free_order(w.zone, pfn, (unsigned)b->order), LOAM_OK);
    else
        TAP_EQ(t, loam_zone_free(w.zone, pfn), LOAM_OK);
    set(b->first, b->count, FREE);
    b->count = 0;
}

/* Blocks in a hundred at most: each once, and no fewer than there are. */
static void try_alloc_many(tap *t)
{
    loam_pfn pfn[100];
    unsigned order = (unsigned)tap_below(t, 4);
    size_t n = 1 + (size_t)tap_below(t, 100);
    size_t got = loam_zone_alloc_bulk(w.zone, order, 0, pfn, n);
    for (size_t i = 0; i < got; i++)
        keep(t, pfn[i].v, 1ULL << order, (int)order);
    loam_zone_drain_all(w.zone);
    if (got < n)
        TAP_CHECK(t, !some_free_block(order, w.base, w.base + w.count) || w.ncpus > 1);
}

/* Several at once; one that is no block is told of, and the others go all the same. */
static void try_free_many(tap *t)
{
    loam_pfn pfn[30];
    size_t n = 0, right = 0;
    uint64_t wrong = w.base + w.count + 7;
    unsigned at = (unsigned)tap_below(t, 60);
    while (n < LOAM_ARRAY_LEN(pfn)) {
        int i = n == at ? -1 : random_out(t);
        if (n != at && i < 0)
            break;
        pfn[n++] = loam_pfn_of(i < 0 ? wrong : w.out[i].first);
        if (i < 0)
            continue;
        set(w.out[i].first, w.out[i].count, FREE);
        w.out[i].count = 0;
        right++;
    }
    tap_catch(t);
    TAP_EQ(t, loam_zone_free_bulk(w.zone, pfn, n), right);
    TAP_EQ(t, tap_caught(t), n - right);
}

static void try_split(tap *t)
{
    int i = random_out(t);
    if (i < 0 || w.out[i].count > 20)
        return;
    block b = w.out[i];
    TAP_EQ(t, loam_zone_split(w.zone, loam_pfn_of(b.first)), LOAM_OK);
    w.out[i].count = 0;
    set(b.first, b.count, FREE);
    for (uint64_t n = 0; n < b.count; n++)
        keep(t, b.first + n, 1, 0);
}

static void try_wrong_free(tap *t)
{
    uint64_t first = w.base + tap_below(t, w.count + 20) - 10;
    bool here = first >= w.base && first - w.base < w.count;
    int i = here ? w.frame[first - w.base] : HOLE;
    unsigned order = (unsigned)tap_below(t, 4);
    if (i >= 0 && w.out[i].first == first && (int)order == w.out[i].order)
        return;
    tap_catch(t);
    TAP_EQ(t, loam_zone_free_order(w.zone, loam_pfn_of(first), order), LOAM_EINVAL);
    if (i < 0 || w.out[i].first != first)
        TAP_EQ(t, loam_zone_free(w.zone, loam_pfn_of(first)), LOAM_EINVAL);
    TAP_CHECK(t, tap_caught(t) >= 1);
}

static void try_reserve(tap *t)
{
    uint64_t first = w.base + tap_below(t, w.count);
    uint64_t n = 1 + tap_below(t, tap_below(t, 4) == 0 ? 700 : 50);
    loam_zone_drain_all(w.zone);
    if (all(first, n, FREE)) {
        TAP_EQ(t, loam_zone_reserve(w.zone, loam_pfn_of(first), n), LOAM_OK);
        set(first, n, RESERVED);
    } else if (all(first, n, RESERVED)) {
        TAP_EQ(t, loam_zone_add(w.zone, loam_pfn_of(first), n), LOAM_OK);
        set(first, n, FREE);
    } else {
        TAP_CHECK(t, loam_zone_reserve(w.zone, loam_pfn_of(first), n) != LOAM_OK);
        TAP_CHECK(t, loam_zone_add(w.zone, loam_pfn_of(first), n) != LOAM_OK);
    }
}

/* The order of the maximal free block that starts at frame i of the oracle, or -1. Blocks end where
 * RAM does, for any hole: a hole of one frame is as good as one of many. */
static int maximal_at(uint64_t i)
{
    uint64_t first = w.base + i, size = 1;
    int order = -1;
    while ((first & (size - 1)) == 0 && all(first, size, FREE)) {
        size *= 2;
        order++;
    }
    if (order < 0)
        return -1;
    size = 1ULL << (order + 1); /* is the block a half of a larger one? */
    return all(first & ~(size - 1), size, FREE) ? -1 : order;
}

typedef struct view {
    tap *t;
    uint64_t at; /* the next frame of the oracle */
    int largest;
} view;

static bool see_block(void *ctx, uint64_t unit, unsigned order)
{
    view *v = ctx;
    while (v->at < w.count && maximal_at(v->at) < 0)
        v->at++;
    TAP_EQ(v->t, unit, w.base + v->at);
    TAP_EQ(v->t, order, maximal_at(v->at));
    v->at++;
    if ((int)order > v->largest)
        v->largest = (int)order;
    return v->t->failed == 0;
}

/* What is free, block by block; and the questions about one. */
static void compare_blocks(tap *t)
{
    static loam_zone_stats stats;
    view v = {t, 0, -1};
    loam_zone_drain_all(w.zone);
    loam_zone_each_free(w.zone, LOAM_ZONE_MAX_ORDER, see_block, &v);
    while (v.at < w.count && maximal_at(v.at) < 0)
        v.at++;
    TAP_EQ(t, v.at, w.count);
    loam_zone_stat(w.zone, &stats);
    TAP_EQ(t, stats.largest, v.largest);
    uint64_t from = tap_below(t, w.count);
    unsigned order = (unsigned)tap_below(t, 9);
    loam_pfn next =
        loam_zone_next_free(w.zone, order, LOAM_ZONE_MAX_ORDER, loam_pfn_of(w.base + from));
    while (from < w.count && maximal_at(from) != (int)order)
        from++;
    TAP_EQ(t, next.v, from < w.count ? w.base + from : LOAM_NO_FRAME.v);
}

static void compare(tap *t)
{
    if (tap_below(t, 4) == 0)
        compare_blocks(t);
    TAP_EQ(t, loam_zone_free_pages(w.zone), free_frames());
    TAP_RULE(t, loam_zone_check(w.zone), NULL);
    for (unsigned n = 0; n < 20; n++) {
        uint64_t at = tap_below(t, w.count);
        loam_frame_state state = loam_zone_state(w.zone, loam_pfn_of(w.base + at));
        TAP_EQ(t, state == LOAM_FRAME_FREE, w.frame[at] == FREE);
        TAP_EQ(t, state == LOAM_FRAME_RESERVED || state == LOAM_FRAME_OUTSIDE,
               w.frame[at] == HOLE || w.frame[at] == RESERVED);
        TAP_EQ(t, state == LOAM_FRAME_HEAD,
               w.frame[at] >= 0 && w.out[w.frame[at]].first == w.base + at);
    }
}

static void drain_here(tap *t)
{
    (void)t;
    loam_zone_drain(w.zone);
}

static void play(tap *t, unsigned steps, unsigned every)
{
    static void (*const op[])(tap *) = {try_alloc,   try_alloc,      try_alloc,     try_alloc,
                                        try_alloc,   try_free,       try_free,      try_free,
                                        try_free,    try_exact,      try_range,     try_at,
                                        try_lowest,  try_split,      drain_here,    try_wrong_free,
                                        try_reserve, try_alloc_many, try_free_many, try_free_many};
    if (w.mem == NULL)
        return;
    for (unsigned i = 0; i < steps && t->failed == 0; i++) {
        loam_hosted_set_cpu((unsigned)tap_below(t, w.ncpus));
        if (room_for_more())
            op[tap_below(t, LOAM_ARRAY_LEN(op))](t);
        else
            try_free(t);
        if (i % every == 0)
            compare(t);
    }
    loam_hosted_set_cpu(0);
    compare(t);
}

static unsigned steps(unsigned n)
{
    return getenv("LOAM_LONG") != NULL ? n * 30 : n;
}

static void tiny(tap *t)
{
    for (unsigned i = 0; i < 60; i++) {
        start(t, tap_below(t, 5000), 1 + tap_below(t, 200), 1, 1, true);
        play(t, steps(100), 1);
    }
}

static void one_cpu(tap *t)
{
    for (unsigned i = 0; i < 8; i++) {
        start(t, tap_below(t, 50000), 300 + tap_below(t, 5000), 2, 1, true);
        play(t, steps(400), 7);
    }
}

static void four_cpus(tap *t)
{
    for (unsigned i = 0; i < 6; i++) {
        start(t, tap_below(t, 50000), 1100 + tap_below(t, 10000), (unsigned)tap_below(t, 4), 4,
              true);
        play(t, steps(500), 11);
    }
}

static void no_fronts(tap *t)
{
    for (unsigned i = 0; i < 6; i++) {
        start(t, tap_below(t, 1ULL << 40), 300 + tap_below(t, 3000), 3, 1, false);
        play(t, steps(400), 7);
    }
}

static const tap_case cases[] = {
    {"zone model: up to 200 frames: as the array", tiny},
    {"zone model: one processor, fronts: as the array", one_cpu},
    {"zone model: four processors, fronts, holes: as the array", four_cpus},
    {"zone model: no fronts, holes, high addresses: as the array", no_fronts},
};
TAP_SUITE(zone_model, cases);

int main(int argc, char **argv)
{
    int code = tap_host_main(&tap_suite_zone_model, argc, argv);
    free(w.mem);
    return code;
}
