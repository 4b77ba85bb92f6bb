/* SPDX-License-Identifier: MIT */
/* zone_test.c - frames by example: out and back, each refusal, each rule. */
#include "tap.h"
#include "zone_ground.h"

static void measure_refuses(tap *t)
{
    loam_span good = {0x1000, 0x10000}, tiny = {0x1001, 0x1ffe}, twice[2] = {good, good};
    loam_span wraps[2] = {{0xfffffffffffff000, 0x2000}, {0x100000, 0x100000}};
    loam_span empty[2] = {good, {0x100000, 0}};
    loam_zone_config_init(&config);
    TAP_CHECK(t, loam_zone_measure(&good, 1, &config) != 0);
    TAP_EQ(t, loam_zone_measure(&tiny, 1, &config), 0);
    TAP_EQ(t, loam_zone_measure(twice, 2, &config), 0);
    TAP_EQ(t, loam_zone_measure(wraps, 2, &config), 0);
    TAP_EQ(t, loam_zone_measure(empty, 2, &config), 0);
    TAP_EQ(t, loam_zone_measure(NULL, 1, &config), 0);
    TAP_EQ(t, loam_zone_measure(&good, 0, &config), 0);
    config.ncpus = 0;
    TAP_EQ(t, loam_zone_measure(&good, 1, &config), 0);
    config.ncpus = LOAM_PORT_MAX_CPUS + 1;
    TAP_EQ(t, loam_zone_measure(&good, 1, &config), 0);
}

static void measure_is_lean(tap *t)
{
    loam_span ram = {0, 1ULL << 36};
    (void)t;
    loam_zone_config_init(&config);
    TAP_CHECK(t, loam_zone_measure(&ram, 1, &config) * 10 <= (ram.len >> LOAM_PAGE_SHIFT) * 12);
}

static void init_refuses(tap *t)
{
    loam_span ram = {0x100000, 0x100000};
    loam_zone_config_init(&config);
    uint64_t need = loam_zone_measure(&ram, 1, &config);
    TAP_CHECK(t, loam_zone_init(zone_ground_mem, need - 1, false, &ram, 1, &config) == NULL);
    TAP_CHECK(t, loam_zone_init(zone_ground_mem + 8, need, false, &ram, 1, &config) == NULL);
    TAP_CHECK(t, loam_zone_init(NULL, need, false, &ram, 1, &config) == NULL);
}

static void starts_reserved(tap *t)
{
    loam_span ram = {0x100000, 0x100000};
    loam_zone_config_init(&config);
    zone = loam_zone_init(zone_ground_mem, MEM, false, &ram, 1, &config);
    TAP_CHECK(t, zone != NULL);
    TAP_EQ(t, loam_zone_free_pages(zone), 0);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 0, 0)));
    TAP_EQ(t, loam_zone_state(zone, loam_pfn_of(0x100)), LOAM_FRAME_RESERVED);
    REFUSED(t, loam_zone_free(zone, loam_pfn_of(0x100)), "free of a reserved frame");
    TAP_EQ(t, loam_zone_add(zone, loam_pfn_of(0x100), 1), LOAM_OK);
    TAP_EQ(t, loam_zone_add(zone, loam_pfn_of(0x100), 1), LOAM_EBUSY);
    TAP_EQ(t, loam_zone_add(zone, loam_pfn_of(0x1ff), 2), LOAM_EINVAL);
    TAP_EQ(t, loam_zone_add(zone, loam_pfn_of(0xff), 1), LOAM_EINVAL);
    TAP_EQ(t, loam_zone_add(zone, loam_pfn_of(7), 0), LOAM_OK);
    TAP_EQ(t, loam_zone_free_pages(zone), 1);
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static void all_and_back(tap *t, bool fronts)
{
    static loam_pfn all[FRAMES];
    start(t, 0x1000, FRAMES, fronts);
    for (size_t i = 0; i < FRAMES; i++)
        all[i] = loam_zone_alloc(zone, 0, 0);
    TAP_CHECK(t, !loam_pfn_is_none(all[FRAMES - 1]));
    TAP_EQ(t, loam_zone_free_pages(zone), 0);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 0, 0)));
    TAP_RULE(t, loam_zone_check(zone), NULL);
    for (size_t i = FRAMES - 1; i > 0; i--) { /* shuffled */
        size_t j = (size_t)tap_below(t, i + 1);
        loam_pfn swap = all[i];
        all[i] = all[j];
        all[j] = swap;
    }
    TAP_EQ(t, loam_zone_free_bulk(zone, all, FRAMES), FRAMES);
    loam_zone_drain(zone);
    loam_zone_stats stats;
    loam_zone_stat(zone, &stats);
    TAP_EQ(t, stats.largest, 16);
    TAP_EQ(t, stats.free, FRAMES);
    TAP_EQ(t, stats.low_water, 0);
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static void all_through_fronts(tap *t)
{
    all_and_back(t, true);
}

static void all_without_fronts(tap *t)
{
    all_and_back(t, false);
}

static void wrong_frees(tap *t, bool fronts)
{
    start(t, 0x1000, FRAMES, fronts);
    loam_pfn a = get(t, 3), b = get(t, 0), big = get(t, 12);
    REFUSED(t, loam_zone_free(zone, loam_pfn_of(a.v + 1)), "free of an inner frame");
    REFUSED(t, loam_zone_free(zone, loam_pfn_of(big.v + 2048)), "free of an inner frame");
    REFUSED(t, loam_zone_free(zone, loam_pfn_of(0xfff)), "free of a frame that is not managed");
    REFUSED(t, loam_zone_free(zone, LOAM_NO_FRAME), "free of a frame that is not managed");
    REFUSED(t, loam_zone_free_order(zone, a, 2), "free with the wrong order");
    REFUSED(t, loam_zone_free_order(zone, big, 99), "free with the wrong order");
    TAP_EQ(t, loam_zone_free_order(zone, big, 12), LOAM_OK);
    REFUSED(t, loam_zone_free(zone, big), "double free");
    put(t, a);
    put(t, b);
    REFUSED(t, loam_zone_free(zone, a), "double free");
    REFUSED(t, loam_zone_free(zone, b), "double free");
    TAP_EQ(t, t->report.value, b.v);
    TAP_STR(t, t->report.state, "free");
    loam_zone_drain(zone);
    REFUSED(t, loam_zone_free(zone, a), "double free");
    TAP_EQ(t, loam_zone_free_pages(zone), FRAMES);
    loam_zone_stats stats;
    loam_zone_stat(zone, &stats);
    TAP_EQ(t, stats.refusals, 10);
}

static void wrong_frees_fronts(tap *t)
{
    wrong_frees(t, true);
}

static void wrong_frees_exact(tap *t)
{
    wrong_frees(t, false);
}

static void slab_blocks(tap *t)
{
    start(t, 0, FRAMES, true);
    loam_pfn a = loam_zone_alloc(zone, 2, LOAM_ZONE_SLAB);
    loam_pfn b = loam_zone_alloc_exact(zone, 11, LOAM_ZONE_SLAB);
    TAP_EQ(t, loam_zone_state(zone, a), LOAM_FRAME_SLAB);
    REFUSED(t, loam_zone_free(zone, a), "page free of a block of the object layers");
    REFUSED(t, loam_zone_free(zone, b), "page free of a block of the object layers");
    loam_pfn page = get(t, 2);
    REFUSED(t, loam_zone_free_slab(zone, page), "free as an object block of a page block");
    TAP_EQ(t, loam_zone_free_slab(zone, a), LOAM_OK);
    TAP_EQ(t, loam_zone_free_slab(zone, b), LOAM_OK);
    REFUSED(t, loam_zone_free_slab(zone, a), "double free");
    put(t, page);
    TAP_EQ(t, loam_zone_free_pages(zone), FRAMES);
}

static void holes_and_edges(tap *t)
{
    static const loam_span frames[] = {{5, 3}, {10, 100}, {1 << 20, 64}, {(1ULL << 40) + 7, 9}};
    loam_zone_config_init(&config);
    start_spans(t, frames, 4);
    TAP_EQ(t, loam_zone_free_pages(zone), 176);
    TAP_EQ(t, loam_zone_state(zone, loam_pfn_of(8)), LOAM_FRAME_OUTSIDE);
    TAP_EQ(t, loam_zone_add(zone, loam_pfn_of(8), 2), LOAM_EBUSY);
    REFUSED(t, loam_zone_free(zone, loam_pfn_of(9)), "free of a frame that is not managed");
    TAP_EQ(t, loam_zone_state(zone, loam_pfn_of(5000)), LOAM_FRAME_OUTSIDE);
    TAP_EQ(t, get(t, 6).v, 1 << 20);
    loam_pfn last = get(t, 5);
    TAP_EQ(t, last.v, 32);
    uint64_t n = 0;
    while (!loam_pfn_is_none(loam_zone_alloc(zone, 0, 0)))
        n++;
    TAP_EQ(t, n, 176 - 64 - 32);
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static void tiny_zone(tap *t)
{
    start(t, 0x80, 8, true);
    loam_zone_stats stats;
    loam_zone_stat(zone, &stats);
    TAP_CHECK(t, stats.metadata <= 4096);
    TAP_EQ(t, get(t, 3).v, 0x80);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 0, 0)));
}

static bool refuse_third(void *ctx, unsigned order)
{
    unsigned *count = ctx;
    (void)order;
    return ++*count == 3;
}

static void refuse_hook(tap *t)
{
    static unsigned count;
    count = 0;
    loam_zone_config_init(&config);
    config.refuse = refuse_third;
    config.refuse_ctx = &count;
    start_spans(t, &(loam_span){0, FRAMES}, 1);
    get(t, 0);
    get(t, 0);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 0, 0)));
    get(t, 0);
}

static void zeroed_pages(tap *t)
{
    static unsigned char ram[4 * LOAM_PAGE_SIZE] __attribute__((aligned(4096)));
    loam_zone_config_init(&config);
    config.linear = (loam_linear){0, sizeof ram, ram};
    start_spans(t, &(loam_span){0, 4}, 1);
    for (size_t i = 0; i < sizeof ram; i++)
        ram[i] = 0xff;
    TAP_EQ(t, loam_zone_alloc(zone, 1, LOAM_ZONE_ZERO).v, 0);
    TAP_EQ(t, ram[0] | ram[8191], 0);
    TAP_EQ(t, ram[8192], 0xff);
    TAP_CHECK(t, loam_zone_to_va(zone, loam_pfn_of(3)) == ram + 3 * LOAM_PAGE_SIZE);
    TAP_CHECK(t, loam_zone_to_va(zone, loam_pfn_of(4)) == NULL);
}

static void map_smaller_than_zone(tap *t)
{
    static unsigned char ram[4 * LOAM_PAGE_SIZE] __attribute__((aligned(4096)));
    enum { MAPPED = 2 * LOAM_PAGE_SIZE + 16 };
    loam_zone_config_init(&config);
    config.linear = (loam_linear){LOAM_PAGE_SIZE, MAPPED, ram};
    start_spans(t, &(loam_span){0, 16}, 1);
    for (size_t i = 0; i < sizeof ram; i++)
        ram[i] = 0xff;
    TAP_EQ(t, loam_zone_alloc(zone, 4, LOAM_ZONE_ZERO).v, 0);
    TAP_EQ(t, ram[0] | ram[MAPPED - 1], 0);
    TAP_EQ(t, ram[MAPPED], 0xff);
    TAP_CHECK(t, loam_zone_to_va(zone, loam_pfn_of(2)) == ram + LOAM_PAGE_SIZE);
    TAP_CHECK(t, loam_zone_to_va(zone, loam_pfn_of(3)) == NULL);
    TAP_CHECK(t, loam_zone_to_va(zone, loam_pfn_of((1ULL << 52) + 2)) == NULL);
}

static void counts_failures_and_low_water(tap *t)
{
    static const loam_span far_apart[] = {{256, 256}, {1 << 16, 256}};
    loam_span ram[2] = {{256 << 12, 256 << 12}, {1ULL << 28, 256 << 12}};
    static loam_zone_stats stats;
    start(t, 0, 1024, true);
    loam_zone_alloc_range(zone, 3, loam_pfn_of(0), loam_pfn_of(5), 0);
    loam_zone_alloc_range(zone, LOAM_ZONE_MAX_ORDER + 1, loam_pfn_of(0), loam_pfn_of(0), 0);
    loam_zone_stat(zone, &stats);
    TAP_EQ(t, stats.failures, 2);
    loam_zone_config_init(&config);
    zone = loam_zone_init(zone_ground_mem, sizeof zone_ground_mem, false, ram, 2, &config);
    TAP_EQ(t, loam_zone_add(zone, loam_pfn_of(far_apart[0].base), far_apart[0].len), LOAM_OK);
    loam_zone_stat(zone, &stats);
    TAP_EQ(t, stats.low_water, 256);
}

/* A report's caller is whoever called the public function: the line after the call. */
static LOAM_NOINLINE loam_err free_in_bulk(loam_pfn pfn)
{
    size_t right = loam_zone_free_bulk(zone, &pfn, 1);
    return right == 0 ? LOAM_EINVAL : LOAM_OK;
}

static LOAM_NOINLINE loam_err free_by_list(loam_pfn pfn)
{
    loam_zonelist list = {.count = 1, .zone = {zone}};
    loam_err err = loam_zonelist_free(&list, pfn);
    return err == LOAM_OK ? LOAM_OK : LOAM_EINVAL;
}

static bool is_near(const void *caller, uintptr_t function)
{
    return (uintptr_t)caller - function < 1024;
}

static void refusals_name_the_caller(tap *t)
{
    start(t, 0, 1024, true);
    REFUSED(t, free_in_bulk(loam_pfn_of(7)), "double free");
    TAP_CHECK(t, is_near(t->report.caller, (uintptr_t)free_in_bulk));
    REFUSED(t, free_by_list(loam_pfn_of(7)), "double free");
    TAP_CHECK(t, is_near(t->report.caller, (uintptr_t)free_by_list));
}

static void wrong_frees_hardened(tap *t)
{
    loam_zone_config_init(&config);
    config.hardened = true;
    start_spans(t, &(loam_span){0x1000, FRAMES}, 1);
    loam_pfn a = get(t, 3), b = loam_zone_alloc(zone, 0, LOAM_ZONE_SLAB), c = get(t, 7);
    REFUSED(t, loam_zone_free(zone, b), "page free of a block of the object layers");
    REFUSED(t, loam_zone_free_slab(zone, a), "free as an object block of a page block");
    REFUSED(t, loam_zone_free_order(zone, a, 2), "free with the wrong order");
    REFUSED(t, loam_zone_free(zone, loam_pfn_of(a.v + 1)), "free of an inner frame");
    TAP_EQ(t, loam_zone_free_order(zone, a, 3), LOAM_OK);
    REFUSED(t, loam_zone_free(zone, a), "double free");
    TAP_EQ(t, loam_zone_free_slab(zone, b), LOAM_OK);
    REFUSED(t, loam_zone_free_slab(zone, b), "double free");
    put(t, c);
    REFUSED(t, loam_zone_free(zone, c), "double free");
    TAP_CHECK(t, loam_zone__front_frames(&zone->front[0]) != 0);
    for (unsigned i = 0; i < 200; i++) { /* through a full stack, too */
        static loam_pfn out[100];
        TAP_EQ(t, loam_zone_alloc_bulk(zone, 0, 0, out, 100), 100);
        TAP_EQ(t, loam_zone_free_bulk(zone, out, 100), 100);
    }
    expect_largest(t, 16);
    TAP_EQ(t, loam_zone_free_pages(zone), FRAMES);
}

/* The table byte of a frame, to break a rule by hand. */
static uint8_t *byte_of(uint64_t frame)
{
    zone_area *area = loam_zone__area(zone, frame);
    return &area->table[frame - area->first];
}

static void broken_rules_are_named(tap *t)
{
    start(t, 5, 1024, true);
    zone->area[0].count = 0;
    TAP_RULE(t, loam_zone_check(zone), "Z1");
    start(t, 0, 1024, true);
    *byte_of(5) = 0x80;
    TAP_RULE(t, loam_zone_check(zone), "Z2");
    start(t, 0, 1024, false);
    *byte_of(get(t, 3).v + 1) = 0x80;
    TAP_RULE(t, loam_zone_check(zone), "Z3");
    start(t, 0, 1024, false);
    *byte_of(get(t, 3).v) = 0x84;
    TAP_RULE(t, loam_zone_check(zone), "Z3");
    start(t, 0, 1024, false);
    *byte_of(get(t, 0).v) = 0xe0;
    TAP_RULE(t, loam_zone_check(zone), "Z4");
    start(t, 0, 1024, false);
    *byte_of(get(t, 0).v) = 0x01;
    TAP_RULE(t, loam_zone_check(zone), "Z6");
    start(t, 0, 1024, false);
    *byte_of(get(t, 0).v) = 0x02;
    TAP_RULE(t, loam_zone_check(zone), "Z6");
    start(t, 0, 1024, true);
    loam_pfn kept = get(t, 0);
    put(t, kept);
    *byte_of(kept.v) = 0x80;
    TAP_RULE(t, loam_zone_check(zone), "Z5");
    start(t, 0, 1024, true);
    put(t, get(t, 0));
    zone->front[0].state = ZONE_FRONT_EMPTY;
    TAP_RULE(t, loam_zone_check(zone), "Z5");
}

static const tap_case cases[] = {
    {"zone_measure: bad arguments: 0", measure_refuses},
    {"zone_measure: 64 GiB: at most 1.2 bytes a frame", measure_is_lean},
    {"zone_init: too little or misaligned memory: NULL", init_refuses},
    {"zone_init: before the hand-over: every frame reserved", starts_reserved},
    {"zone_alloc: all frames, with fronts, freed at random: one block again", all_through_fronts},
    {"zone_alloc: all frames, without fronts: one block again", all_without_fronts},
    {"zone_free: every wrong free, with fronts: refused and named", wrong_frees_fronts},
    {"zone_free: every wrong free, without fronts: refused and named", wrong_frees_exact},
    {"zone_free_slab: blocks of the object layers: only by that call", slab_blocks},
    {"zone_init: holes, odd edges, 2^40: all frames usable", holes_and_edges},
    {"zone_init: 8 frames: metadata below a page", tiny_zone},
    {"zone_alloc: refusal hook: the n-th request fails", refuse_hook},
    {"zone_alloc: zero flag: contents are 0", zeroed_pages},
    {"zone_alloc: zero flag, a map smaller than the block: not past it", map_smaller_than_zone},
    {"zone_stat: range refused, an area never used: counted right", counts_failures_and_low_water},
    {"zone_free_bulk, zonelist_free: refused: the report names their caller",
     refusals_name_the_caller},
    {"zone_free: hardened: every wrong free refused and named", wrong_frees_hardened},
    {"zone_check: each rule broken: named", broken_rules_are_named},
};
TAP_SUITE(zone_test, cases);
