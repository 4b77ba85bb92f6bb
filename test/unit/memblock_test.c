/* SPDX-License-Identifier: MIT */
#include "loam/memblock.h"
#include "tap.h"

enum { CAP = 8, PAGE = LOAM_PAGE_SIZE };

static loam_span ram[CAP], held[CAP], early[CAP];
static loam_memblock map;

static void fresh(void)
{
    loam_memblock_init(&map, ram, CAP, held, CAP, early, CAP);
}

static loam_err add(uint64_t base, uint64_t len)
{
    return loam_memblock_add(&map, loam_pa_of(base), len);
}

static loam_err cut(uint64_t base, uint64_t len)
{
    return loam_memblock_remove(&map, loam_pa_of(base), len);
}

static loam_err hold(uint64_t base, uint64_t len)
{
    return loam_memblock_reserve(&map, loam_pa_of(base), len);
}

static loam_err release(uint64_t base, uint64_t len)
{
    return loam_memblock_release(&map, loam_pa_of(base), len);
}

static loam_err early_alloc(uint64_t len, uint64_t align, loam_memblock_flags flags, uint64_t *at)
{
    loam_pa pa = {0};
    loam_err err = loam_memblock_alloc(&map, len, align, loam_pa_of(0), loam_pa_of(0), flags, &pa);
    *at = pa.v;
    return err;
}

static void span_is(tap *t, const loam_spanset *set, size_t i, uint64_t base, uint64_t len)
{
    TAP_CHECK(t, i < set->count);
    TAP_EQ(t, set->span[i].base, base);
    TAP_EQ(t, set->span[i].len, len);
    TAP_RULE(t, loam_memblock_check(&map), NULL);
}

/* ---- init ---- */

static void init_arguments(tap *t)
{
    loam_memblock m;
    TAP_EQ(t, loam_memblock_init(&m, NULL, 1, held, 1, early, 1), LOAM_EINVAL);
    TAP_EQ(t, loam_memblock_init(&m, ram, 1, NULL, 1, early, 1), LOAM_EINVAL);
    TAP_EQ(t, loam_memblock_init(&m, ram, 1, held, 1, NULL, 1), LOAM_EINVAL);
    TAP_EQ(t, loam_memblock_init(&m, ram, 0, held, 1, early, 1), LOAM_EINVAL);
    TAP_EQ(t, loam_memblock_init(&m, ram, 1, held, 0, early, 1), LOAM_EINVAL);
    TAP_EQ(t, loam_memblock_init(&m, ram, 1, held, 1, early, 0), LOAM_EINVAL);
    TAP_EQ(t, loam_memblock_init(&m, ram, 1, held, 1, early, 1), LOAM_OK);
    TAP_RULE(t, loam_memblock_check(&m), NULL);
}

/* ---- add ---- */

static void add_sorts(tap *t)
{
    fresh();
    TAP_EQ(t, add(0x5000, 0x1000), LOAM_OK);
    TAP_EQ(t, add(0x1001, 7), LOAM_OK);
    TAP_EQ(t, add(0x3000, 0x800), LOAM_OK);
    TAP_EQ(t, map.ram.count, 3);
    span_is(t, &map.ram, 0, 0x1001, 7);
    span_is(t, &map.ram, 1, 0x3000, 0x800);
    span_is(t, &map.ram, 2, 0x5000, 0x1000);
}

static void add_touching(tap *t)
{
    fresh();
    add(0x2000, 0x1000);
    TAP_EQ(t, add(0x3000, 0x1000), LOAM_OK);
    TAP_EQ(t, add(0x1000, 0x1000), LOAM_OK);
    TAP_EQ(t, map.ram.count, 1);
    span_is(t, &map.ram, 0, 0x1000, 0x3000);
}

static void add_near_miss(tap *t)
{
    fresh();
    add(0x2000, 0x1000);
    TAP_EQ(t, add(0x3001, 1), LOAM_OK);
    TAP_EQ(t, add(0x1ffe, 1), LOAM_OK);
    TAP_EQ(t, map.ram.count, 3);
    TAP_RULE(t, loam_memblock_check(&map), NULL);
}

static void add_swallows(tap *t)
{
    fresh();
    for (uint64_t i = 1; i < 6; i++)
        add(i * 0x1000, 0x10);
    TAP_EQ(t, add(0x2008, 0x2008), LOAM_OK); /* from inside the second to the fourth's edge */
    TAP_EQ(t, map.ram.count, 3);
    span_is(t, &map.ram, 0, 0x1000, 0x10);
    span_is(t, &map.ram, 1, 0x2000, 0x2010);
    span_is(t, &map.ram, 2, 0x5000, 0x10);
}

static void add_inside(tap *t)
{
    fresh();
    add(0x1000, 0x1000);
    TAP_EQ(t, add(0x1800, 1), LOAM_OK);
    TAP_EQ(t, add(0x1000, 0x1000), LOAM_OK);
    TAP_EQ(t, map.ram.count, 1);
    span_is(t, &map.ram, 0, 0x1000, 0x1000);
}

static void add_nothing(tap *t)
{
    fresh();
    TAP_EQ(t, add(0x1000, 0), LOAM_OK);
    TAP_EQ(t, add(UINT64_MAX, 0), LOAM_OK);
    TAP_EQ(t, cut(0, 0), LOAM_OK);
    TAP_EQ(t, hold(3, 0), LOAM_OK);
    TAP_EQ(t, release(3, 0), LOAM_OK);
    TAP_EQ(t, map.ram.count + map.held.count, 0);
}

static void add_top(tap *t)
{
    fresh();
    TAP_EQ(t, add(UINT64_MAX, 1), LOAM_OK);
    TAP_EQ(t, add(0xfffffffffffff000, 0xfff), LOAM_OK);
    span_is(t, &map.ram, 0, 0xfffffffffffff000, 0x1000);
    TAP_EQ(t, add(0, 1), LOAM_OK); /* 0 does not follow the last byte */
    TAP_EQ(t, map.ram.count, 2);
    span_is(t, &map.ram, 0, 0, 1);
}

static void add_wraps(tap *t)
{
    fresh();
    add(0x1000, 0x1000);
    TAP_EQ(t, add(UINT64_MAX, 2), LOAM_ERANGE);
    TAP_EQ(t, add(1, UINT64_MAX), LOAM_OK); /* [1, 2^64) */
    TAP_EQ(t, add(2, UINT64_MAX), LOAM_ERANGE);
    span_is(t, &map.ram, 0, 1, UINT64_MAX);
    TAP_EQ(t, add(0, 1), LOAM_ERANGE); /* all 2^64 bytes have no length in 64 bits */
    TAP_EQ(t, map.ram.count, 1);
    span_is(t, &map.ram, 0, 1, UINT64_MAX);
}

static void add_full(tap *t)
{
    fresh();
    for (uint64_t i = 1; i <= CAP; i++)
        TAP_EQ(t, add(i * 0x1000, 0x100), LOAM_OK);
    TAP_EQ(t, add(0x10000, 1), LOAM_EFULL);
    TAP_EQ(t, add(0, 1), LOAM_EFULL);
    TAP_EQ(t, map.ram.count, CAP);
    TAP_EQ(t, add(0x1100, 1), LOAM_OK); /* touches the first: no new slot */
    TAP_EQ(t, add(0x1f00, 0x100), LOAM_OK);
    TAP_EQ(t, add(0x8100, 1), LOAM_OK);
    TAP_EQ(t, map.ram.count, CAP);
    span_is(t, &map.ram, 0, 0x1000, 0x101);
    span_is(t, &map.ram, 1, 0x1f00, 0x200);
    span_is(t, &map.ram, CAP - 1, 0x8000, 0x101);
}

/* ---- remove ---- */

static void remove_splits(tap *t)
{
    fresh();
    add(0x1000, 0x3000);
    TAP_EQ(t, cut(0x2000, 0x1000), LOAM_OK);
    TAP_EQ(t, map.ram.count, 2);
    span_is(t, &map.ram, 0, 0x1000, 0x1000);
    span_is(t, &map.ram, 1, 0x3000, 0x1000);
}

static void remove_several(tap *t)
{
    fresh();
    for (uint64_t i = 1; i < 6; i++)
        add(i * 0x1000, 0x100);
    TAP_EQ(t, cut(0x1080, 0x3000), LOAM_OK);
    TAP_EQ(t, map.ram.count, 3);
    span_is(t, &map.ram, 0, 0x1000, 0x80);
    span_is(t, &map.ram, 1, 0x4080, 0x80);
    span_is(t, &map.ram, 2, 0x5000, 0x100);
    TAP_EQ(t, cut(0, UINT64_MAX), LOAM_OK);
    TAP_EQ(t, map.ram.count, 0);
}

static void remove_beside(tap *t)
{
    fresh();
    add(0x1000, 0x1000);
    TAP_EQ(t, cut(0x2000, 0x1000), LOAM_OK);
    TAP_EQ(t, cut(0, 0x1000), LOAM_OK);
    TAP_EQ(t, map.ram.count, 1);
    span_is(t, &map.ram, 0, 0x1000, 0x1000);
}

static void remove_full(tap *t)
{
    fresh();
    for (uint64_t i = 1; i <= CAP; i++)
        add(i * 0x1000, 0x100);
    TAP_EQ(t, cut(0x4010, 0x10), LOAM_EFULL);
    span_is(t, &map.ram, 3, 0x4000, 0x100);
    TAP_EQ(t, cut(0x4010, 0xf0), LOAM_OK);
    span_is(t, &map.ram, 3, 0x4000, 0x10);
    TAP_EQ(t, cut(0x4010, UINT64_MAX), LOAM_ERANGE);
}

static void remove_top(tap *t)
{
    fresh();
    add(0xffffffffffff0000, 0x10000);
    TAP_EQ(t, cut(UINT64_MAX, 1), LOAM_OK);
    span_is(t, &map.ram, 0, 0xffffffffffff0000, 0xffff);
}

/* ---- reserve, release ---- */

static void reserve_outside_ram(tap *t)
{
    fresh();
    add(0x4000, 0x1000);
    TAP_EQ(t, hold(0x3000, 0x1800), LOAM_OK);
    TAP_EQ(t, map.ram.count, 1);
    span_is(t, &map.held, 0, 0x3000, 0x1800);
    TAP_EQ(t, map.early.count, 0);
}

static void release_early_too(tap *t)
{
    uint64_t at;
    fresh();
    add(0x1000, 0x10000);
    TAP_EQ(t, early_alloc(0x3000, 0x1000, LOAM_MEMBLOCK_BOTTOM_UP, &at), LOAM_OK);
    TAP_EQ(t, release(0x2000, 0x1000), LOAM_OK);
    TAP_EQ(t, map.held.count, 2);
    TAP_EQ(t, map.early.count, 2);
    span_is(t, &map.early, 1, 0x3000, 0x1000);
    span_is(t, &map.held, 0, 0x1000, 0x1000);
}

static void release_full(tap *t)
{
    uint64_t at;
    fresh();
    map.early.cap = 1;
    add(0x1000, 0x10000);
    early_alloc(0x3000, 0x1000, LOAM_MEMBLOCK_BOTTOM_UP, &at);
    TAP_EQ(t, release(0x2000, 0x1000), LOAM_EFULL);
    TAP_EQ(t, map.held.count, 1);
    span_is(t, &map.held, 0, 0x1000, 0x3000);
    span_is(t, &map.early, 0, 0x1000, 0x3000);
}

/* ---- alloc ---- */

static void alloc_bottom_up(tap *t)
{
    uint64_t at;
    fresh();
    add(0, 0x10000);
    hold(0x1800, 0x100);
    TAP_EQ(t, early_alloc(0x800, 0x10, LOAM_MEMBLOCK_BOTTOM_UP, &at), LOAM_OK);
    TAP_EQ(t, at, 0x1000); /* above page 0, exactly up to the held span */
    TAP_EQ(t, early_alloc(1, 1, LOAM_MEMBLOCK_BOTTOM_UP, &at), LOAM_OK);
    TAP_EQ(t, at, 0x1900);
    TAP_EQ(t, early_alloc(0x1000, 0x4000, LOAM_MEMBLOCK_BOTTOM_UP, &at), LOAM_OK);
    TAP_EQ(t, at, 0x4000);
    span_is(t, &map.held, 0, 0x1000, 0x901);
}

static void alloc_top_down(tap *t)
{
    uint64_t at;
    fresh();
    add(0x1000, 0x10000);
    add(0xfffffffffffe0000, 0x20000);
    TAP_EQ(t, early_alloc(0x1001, 0x1000, LOAM_MEMBLOCK_TOP_DOWN, &at), LOAM_OK);
    TAP_EQ(t, at, 0xffffffffffffe000);
    TAP_EQ(t, early_alloc(0xfff, 1, LOAM_MEMBLOCK_TOP_DOWN, &at), LOAM_OK);
    TAP_EQ(t, at, 0xfffffffffffff001);
    TAP_EQ(t, early_alloc(0x20000, 1, LOAM_MEMBLOCK_TOP_DOWN, &at), LOAM_ENOMEM);
    TAP_EQ(t, early_alloc(0x10000, 1, LOAM_MEMBLOCK_TOP_DOWN, &at), LOAM_OK);
    TAP_EQ(t, at, 0xfffffffffffee000); /* the rest of the upper span, to the byte */
    TAP_RULE(t, loam_memblock_check(&map), NULL);
}

static void alloc_limits(tap *t)
{
    loam_pa pa = {7};
    const loam_memblock_flags up = LOAM_MEMBLOCK_BOTTOM_UP, down = LOAM_MEMBLOCK_TOP_DOWN;
    fresh();
    add(0x1000, 0x100000);
    TAP_EQ(t, loam_memblock_alloc(&map, 0x100, 8, loam_pa_of(0x5001), loam_pa_of(0x6000), up, &pa),
           LOAM_OK);
    TAP_EQ(t, pa.v, 0x5008);
    TAP_EQ(t, loam_memblock_alloc(&map, 0x10, 8, loam_pa_of(0x5000), loam_pa_of(0x6000), down, &pa),
           LOAM_OK);
    TAP_EQ(t, pa.v, 0x5ff0);
    TAP_EQ(t, loam_memblock_alloc(&map, 0x1001, 1, loam_pa_of(0x7000), loam_pa_of(0x8000), up, &pa),
           LOAM_ENOMEM);
    TAP_EQ(t, loam_memblock_alloc(&map, 1, 1, loam_pa_of(0x8000), loam_pa_of(0x8000), up, &pa),
           LOAM_ENOMEM);
    TAP_EQ(t, loam_memblock_alloc(&map, 1, 1, loam_pa_of(0), loam_pa_of(0x1000), up, &pa),
           LOAM_ENOMEM);
    TAP_EQ(t, pa.v, 0x5ff0);
}

static void alloc_arguments(tap *t)
{
    uint64_t at;
    fresh();
    add(0x1000, 0x10000);
    TAP_EQ(t, early_alloc(0, 1, LOAM_MEMBLOCK_BOTTOM_UP, &at), LOAM_EINVAL);
    TAP_EQ(t, early_alloc(1, 0, LOAM_MEMBLOCK_BOTTOM_UP, &at), LOAM_EINVAL);
    TAP_EQ(t, early_alloc(1, 3, LOAM_MEMBLOCK_BOTTOM_UP, &at), LOAM_EINVAL);
    TAP_EQ(t, early_alloc(1, 1, (loam_memblock_flags)2, &at), LOAM_EINVAL);
    TAP_EQ(t, early_alloc(1, 1ULL << 63, LOAM_MEMBLOCK_BOTTOM_UP, &at), LOAM_ENOMEM);
    TAP_EQ(t, early_alloc(UINT64_MAX, 1, LOAM_MEMBLOCK_TOP_DOWN, &at), LOAM_ENOMEM);
    TAP_EQ(t, map.held.count, 0);
}

static void alloc_full(tap *t)
{
    uint64_t at;
    fresh();
    map.early.cap = 1;
    add(0x1000, 0x10000);
    TAP_EQ(t, early_alloc(0x10, 1, LOAM_MEMBLOCK_BOTTOM_UP, &at), LOAM_OK);
    TAP_EQ(t, early_alloc(0x10, 1, LOAM_MEMBLOCK_BOTTOM_UP, &at), LOAM_OK); /* merges */
    TAP_EQ(t, early_alloc(0x10, 0x1000, LOAM_MEMBLOCK_BOTTOM_UP, &at), LOAM_EFULL);
    TAP_EQ(t, map.held.count, 1);
    span_is(t, &map.held, 0, 0x1000, 0x20);
    span_is(t, &map.early, 0, 0x1000, 0x20);
}

/* ---- hand-over ---- */

static struct {
    uint64_t first[CAP], count[CAP];
    size_t runs;
    loam_err answer;
} given;

static loam_err give(void *ctx, loam_pfn first, uint64_t count)
{
    (void)ctx;
    if (given.runs < CAP) {
        given.first[given.runs] = first.v;
        given.count[given.runs] = count;
    }
    given.runs++;
    return given.answer;
}

static void handover_whole_frames(tap *t)
{
    given.runs = 0;
    given.answer = LOAM_OK;
    fresh();
    add(0xfff, 0x5002); /* frames 1 .. 5 whole */
    hold(0x3fff, 1);
    add(0x10000, 0xfff);
    add(0xffffffffffffe001, 0x1fff);
    TAP_EQ(t, loam_memblock_handover(&map, give, NULL), LOAM_OK);
    TAP_EQ(t, given.runs, 3);
    TAP_EQ(t, given.first[0], 1);
    TAP_EQ(t, given.count[0], 2);
    TAP_EQ(t, given.first[1], 4);
    TAP_EQ(t, given.count[1], 2);
    TAP_EQ(t, given.first[2], 0xfffffffffffff);
    TAP_EQ(t, given.count[2], 1);
}

static void handover_ends_it(tap *t)
{
    uint64_t at;
    given.runs = 0;
    given.answer = LOAM_OK;
    fresh();
    add(0x1000, 0x5000);
    loam_memblock_handover(&map, give, NULL);
    TAP_EQ(t, loam_memblock_handover(&map, give, NULL), LOAM_ESTATE);
    TAP_EQ(t, given.runs, 1);
    TAP_EQ(t, add(0, 1), LOAM_ESTATE);
    TAP_EQ(t, cut(0, 1), LOAM_ESTATE);
    TAP_EQ(t, hold(0, 1), LOAM_ESTATE);
    TAP_EQ(t, release(0, 1), LOAM_ESTATE);
    TAP_EQ(t, early_alloc(1, 1, LOAM_MEMBLOCK_BOTTOM_UP, &at), LOAM_ESTATE);
    TAP_EQ(t, map.ram.count, 1);
    TAP_EQ(t, map.held.count, 0);
}

static void handover_refused(tap *t)
{
    given.runs = 0;
    given.answer = LOAM_EBUSY;
    fresh();
    add(0x1000, 0x1000);
    add(0x3000, 0x1000);
    TAP_EQ(t, loam_memblock_handover(&map, give, NULL), LOAM_EBUSY);
    TAP_EQ(t, given.runs, 1);
    TAP_EQ(t, loam_memblock_handover(&map, give, NULL), LOAM_ESTATE);
}

/* ---- count ---- */

static void count_sum(tap *t)
{
    loam_memblock_sum sum;
    uint64_t at;
    fresh();
    add(0x1800, 0x9000); /* frames 2 .. 9 whole, 0x800 bytes on either side */
    add(0x20000, 0x10);
    hold(0x2fff, 2);    /* touches frames 2 and 3 */
    hold(0x9000, 0x10); /* frame 9 */
    hold(0x1000, 0x10); /* no whole frame */
    TAP_EQ(t, early_alloc(0x1000, 0x1000, LOAM_MEMBLOCK_BOTTOM_UP, &at), LOAM_OK);
    TAP_EQ(t, at, 0x4000);
    TAP_EQ(t, early_alloc(0x10, 1, LOAM_MEMBLOCK_TOP_DOWN, &at), LOAM_OK);
    TAP_EQ(t, at, 0x20000);
    TAP_EQ(t,
           loam_memblock_alloc(&map, 4, 1, loam_pa_of(0x9000), loam_pa_of(0xa000),
                               LOAM_MEMBLOCK_BOTTOM_UP, &(loam_pa){0}),
           LOAM_OK); /* frame 9 is held by another, too */
    loam_memblock_count(&map, &sum);
    TAP_EQ(t, sum.total, 8);
    TAP_EQ(t, sum.free, 4);
    TAP_EQ(t, sum.held, 3);
    TAP_EQ(t, sum.metadata, 1);
    TAP_EQ(t, sum.edge_bytes, 0x1010);
}

static void count_top(tap *t)
{
    loam_memblock_sum sum;
    fresh();
    add(1, UINT64_MAX);
    hold(UINT64_MAX, 1);
    loam_memblock_count(&map, &sum);
    TAP_EQ(t, sum.total, (1ULL << 52) - 1);
    TAP_EQ(t, sum.free, (1ULL << 52) - 2);
    TAP_EQ(t, sum.held, 1);
    TAP_EQ(t, sum.edge_bytes, 0xfff);
}

/* ---- rules ---- */

static void check_m1(tap *t)
{
    fresh();
    map.held.count = CAP + 1;
    TAP_RULE(t, loam_memblock_check(&map), "M1");
    fresh();
    map.early.span = NULL;
    TAP_RULE(t, loam_memblock_check(&map), "M1");
    fresh();
    map.ram.cap = 0;
    TAP_RULE(t, loam_memblock_check(&map), "M1");
}

static void check_m2(tap *t)
{
    fresh();
    add(0x1000, 0x1000);
    map.ram.span[0].len = 0;
    TAP_RULE(t, loam_memblock_check(&map), "M2");
    map.ram.span[0] = (loam_span){UINT64_MAX, 2};
    TAP_RULE(t, loam_memblock_check(&map), "M2");
    map.ram.span[0] = (loam_span){UINT64_MAX, 1};
    TAP_RULE(t, loam_memblock_check(&map), NULL);
}

static void check_m3(tap *t)
{
    fresh();
    hold(0x1000, 0x1000);
    hold(0x4000, 0x1000);
    map.held.span[1].base = 0x2000;
    TAP_RULE(t, loam_memblock_check(&map), "M3");
    map.held.span[1].base = 0x1fff;
    TAP_RULE(t, loam_memblock_check(&map), "M3");
    map.held.span[1].base = 0x2001;
    TAP_RULE(t, loam_memblock_check(&map), NULL);
    map.held.span[0] = (loam_span){0x3000, UINT64_MAX - 0x2fff};
    TAP_RULE(t, loam_memblock_check(&map), "M3");
}

static void check_m4(tap *t)
{
    uint64_t at;
    fresh();
    add(0x1000, 0x1000);
    early_alloc(0x10, 1, LOAM_MEMBLOCK_BOTTOM_UP, &at);
    TAP_RULE(t, loam_memblock_check(&map), NULL);
    map.early.span[0].len++;
    TAP_RULE(t, loam_memblock_check(&map), "M4");
}

static const tap_case cases[] = {
    {"memblock_init: no array or no capacity: refused", init_arguments},
    {"memblock_add: unsorted and unaligned: sorted spans", add_sorts},
    {"memblock_add: touching on either side: one span", add_touching},
    {"memblock_add: one byte apart: separate spans", add_near_miss},
    {"memblock_add: over several spans: the union", add_swallows},
    {"memblock_add: inside a span: nothing changes", add_inside},
    {"memblock: length 0: LOAM_OK and nothing changes", add_nothing},
    {"memblock_add: up to 2^64: the last byte counts", add_top},
    {"memblock_add: past 2^64: refused, map unchanged", add_wraps},
    {"memblock_add: table full: only what needs a slot is refused", add_full},
    {"memblock_remove: from the middle: two stumps", remove_splits},
    {"memblock_remove: over several spans: the difference", remove_several},
    {"memblock_remove: beside a span: nothing changes", remove_beside},
    {"memblock_remove: table full: only a split is refused", remove_full},
    {"memblock_remove: the last byte of all: cut off", remove_top},
    {"memblock_reserve: sticks out of RAM: held as given", reserve_outside_ram},
    {"memblock_release: over an early allocation: early shrinks with held", release_early_too},
    {"memblock_release: early full: both sets unchanged", release_full},
    {"memblock_alloc: bottom-up: lowest fit above page 0", alloc_bottom_up},
    {"memblock_alloc: top-down: highest fit, up to 2^64", alloc_top_down},
    {"memblock_alloc: limits: never crossed", alloc_limits},
    {"memblock_alloc: bad or hopeless arguments: refused", alloc_arguments},
    {"memblock_alloc: early full: both sets unchanged", alloc_full},
    {"memblock_handover: ragged edges: whole untouched frames once", handover_whole_frames},
    {"memblock_handover: done: every change is refused", handover_ends_it},
    {"memblock_handover: receiver refuses: its error, and it counts as done", handover_refused},
    {"memblock_count: held, early and edges: the sum holds", count_sum},
    {"memblock_count: nearly the whole address space: the sum holds", count_top},
    {"memblock_check: capacity broken: M1", check_m1},
    {"memblock_check: empty or wrapping span: M2", check_m2},
    {"memblock_check: order broken: M3", check_m3},
    {"memblock_check: early outside held: M4", check_m4},
};
TAP_SUITE(memblock_test, cases);
