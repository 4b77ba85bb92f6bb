/* SPDX-License-Identifier: MIT */
/* zone_test.c - frames by example: each call, each refusal, each rule. */
#include "../../core/zone_impl.h" /* to break rules by hand */
#include "loam/zone.h"
#include "tap.h"

enum { MEM = 512 * 1024, FRAMES = 1 << 17 };

static unsigned char mem[MEM] __attribute__((aligned(64)));
static loam_zone_config config;
static loam_zone *zone;

/* A zone over the given spans of frames, all of them free. */
static void start_spans(tap *t, const loam_span *frames, size_t n)
{
    static loam_span ram[8];
    for (size_t i = 0; i < n; i++)
        ram[i] = (loam_span){frames[i].base << LOAM_PAGE_SHIFT, frames[i].len << LOAM_PAGE_SHIFT};
    uint64_t need = loam_zone_measure(ram, n, &config);
    TAP_CHECK(t, need != 0 && need <= MEM);
    for (size_t i = 0; i < MEM; i++)
        mem[i] = 0xa5;
    zone = loam_zone_init(mem, need, false, ram, n, &config);
    TAP_CHECK(t, zone != NULL);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    for (size_t i = 0; i < n; i++)
        TAP_EQ(t, loam_zone_add(zone, loam_pfn_of(frames[i].base), frames[i].len), LOAM_OK);
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static void start(tap *t, uint64_t first, uint64_t count, bool fronts)
{
    loam_zone_config_init(&config);
    config.fronts = fronts;
    start_spans(t, &(loam_span){first, count}, 1);
}

/* Only where there is another processor can a frame be freed twice at once. false: this port has
 * but one. */
static bool start_for_two(tap *t)
{
    loam_zone_config_init(&config);
    config.ncpus = LOAM_PORT_MAX_CPUS > 1 ? 2 : 1;
    start_spans(t, &(loam_span){0, FRAMES}, 1);
    return config.ncpus == 2;
}

static loam_pfn get(tap *t, unsigned order)
{
    loam_pfn pfn = loam_zone_alloc(zone, order, 0);
    TAP_CHECK(t, !loam_pfn_is_none(pfn));
    TAP_EQ(t, pfn.v & ((1ULL << order) - 1), 0);
    TAP_EQ(t, loam_zone_order(zone, pfn), order);
    return pfn;
}

static void put(tap *t, loam_pfn pfn)
{
    TAP_EQ(t, loam_zone_free(zone, pfn), LOAM_OK);
}

/* Between these two a call is refused with this wording, and nothing changes. */
static uint64_t free_before;

static void expect_refusal(tap *t)
{
    free_before = loam_zone_free_pages(zone);
    tap_catch(t);
}

static void was_refused(tap *t, loam_err err, const char *text)
{
    TAP_EQ(t, err, LOAM_EINVAL);
    TAP_EQ(t, tap_caught(t), 1);
    TAP_STR(t, t->report.what, text);
    TAP_EQ(t, loam_zone_free_pages(zone), free_before);
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

#define REFUSED(t, call, text) (expect_refusal(t), was_refused(t, call, text))

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
    TAP_CHECK(t, loam_zone_init(mem, need - 1, false, &ram, 1, &config) == NULL);
    TAP_CHECK(t, loam_zone_init(mem + 8, need, false, &ram, 1, &config) == NULL);
    TAP_CHECK(t, loam_zone_init(NULL, need, false, &ram, 1, &config) == NULL);
}

static void starts_reserved(tap *t)
{
    loam_span ram = {0x100000, 0x100000};
    loam_zone_config_init(&config);
    zone = loam_zone_init(mem, MEM, false, &ram, 1, &config);
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

static void exact_count(tap *t, uint64_t n)
{
    loam_pfn pfn = loam_zone_alloc_exact(zone, n, 0);
    TAP_CHECK(t, !loam_pfn_is_none(pfn));
    TAP_EQ(t, loam_zone_free_pages(zone), FRAMES - n);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    if (!loam_is_pow2(n)) {
        uint64_t second = pfn.v + (1ULL << loam_log2_floor(n));
        REFUSED(t, loam_zone_free(zone, loam_pfn_of(second)), "free of an inner frame");
        REFUSED(t, loam_zone_free_order(zone, pfn, loam_log2_floor(n)),
                "free with the wrong order");
    }
    put(t, pfn);
    TAP_EQ(t, loam_zone_free_pages(zone), FRAMES);
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static void exact_counts(tap *t)
{
    start(t, 0, FRAMES, true);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc_exact(zone, 0, 0)));
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc_exact(zone, FRAMES + 1, 0)));
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc_exact(zone, ~0ULL, 0)));
    for (uint64_t n = 1; n <= 70; n++)
        exact_count(t, n);
}

static void at_a_place(tap *t)
{
    start(t, 0, FRAMES, true);
    loam_pfn p = get(t, 0);
    TAP_EQ(t, loam_zone_alloc_at(zone, p, 1, 0), LOAM_EBUSY);
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(1003), 77, 0), LOAM_OK);
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(1000), 4, 0), LOAM_EBUSY);
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(FRAMES - 1), 2, 0), LOAM_EINVAL);
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(5), 0, 0), LOAM_EINVAL);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    TAP_EQ(t, loam_zone_free_pages(zone), FRAMES - 78);
    put(t, loam_pfn_of(1003));
    put(t, p);
    TAP_EQ(t, loam_zone_free_pages(zone), FRAMES);
}

static void in_a_range(tap *t)
{
    start(t, 0, FRAMES, true);
    loam_pfn a = loam_zone_alloc_range(zone, 4, loam_pfn_of(1000), loam_pfn_of(1040), 0);
    TAP_EQ(t, a.v, 1008);
    loam_pfn b = loam_zone_alloc_range(zone, 4, loam_pfn_of(1000), loam_pfn_of(1040), 0);
    TAP_EQ(t, b.v, 1024);
    TAP_CHECK(t, loam_pfn_is_none(
                     loam_zone_alloc_range(zone, 4, loam_pfn_of(1000), loam_pfn_of(1040), 0)));
    TAP_CHECK(t,
              loam_pfn_is_none(loam_zone_alloc_range(zone, 0, loam_pfn_of(9), loam_pfn_of(9), 0)));
    TAP_CHECK(t, loam_pfn_is_none(
                     loam_zone_alloc_range(zone, 0, loam_pfn_of(FRAMES), loam_pfn_of(0), 0)));
    put(t, a);
    put(t, b);
    a = loam_zone_alloc_range(zone, 0, loam_pfn_of(FRAMES - 1), loam_pfn_of(0), 0);
    TAP_EQ(t, a.v, FRAMES - 1);
    put(t, a);
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static void range_sees_own_front(tap *t)
{
    start(t, 0, FRAMES, true);
    put(t, get(t, 0)); /* the rest of its word stays in the front */
    loam_pfn a = loam_zone_alloc_range(zone, 6, loam_pfn_of(0), loam_pfn_of(64), 0);
    TAP_EQ(t, a.v, 0);
}

static void split_to_frames(tap *t)
{
    start(t, 0, FRAMES, true);
    loam_pfn a = get(t, 3), b = loam_zone_alloc_exact(zone, 5, 0);
    TAP_EQ(t, loam_zone_split(zone, a), LOAM_OK);
    TAP_EQ(t, loam_zone_split(zone, b), LOAM_OK);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    for (uint64_t i = 0; i < 8; i++)
        TAP_EQ(t, loam_zone_free_order(zone, loam_pfn_of(a.v + i), 0), LOAM_OK);
    for (uint64_t i = 0; i < 5; i++)
        put(t, loam_pfn_of(b.v + i));
    TAP_EQ(t, loam_zone_free_pages(zone), FRAMES);
    REFUSED(t, loam_zone_split(zone, a), "split of what is not an allocated block");
    REFUSED(t, loam_zone_split(zone, loam_pfn_of(FRAMES)), "split of a frame that is not managed");
}

static void bad_frames(tap *t)
{
    start(t, 0, FRAMES, true);
    loam_pfn a = get(t, 0), b = get(t, 1);
    TAP_EQ(t, loam_zone_mark_bad(zone, a), LOAM_OK);
    TAP_EQ(t, loam_zone_mark_bad(zone, a), LOAM_EBUSY);
    TAP_EQ(t, loam_zone_mark_bad(zone, b), LOAM_EBUSY);
    TAP_EQ(t, loam_zone_mark_bad(zone, loam_pfn_of(FRAMES - 1)), LOAM_OK);
    TAP_EQ(t, loam_zone_mark_bad(zone, loam_pfn_of(FRAMES)), LOAM_EINVAL);
    REFUSED(t, loam_zone_free(zone, a), "free of a bad frame");
    put(t, b);
    TAP_EQ(t, loam_zone_free_pages(zone), FRAMES - 2);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 17, 0)));
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static void reserve_and_add_again(tap *t)
{
    start(t, 0, FRAMES, true);
    TAP_EQ(t, loam_zone_reserve(zone, loam_pfn_of(100), 1000), LOAM_OK);
    TAP_EQ(t, loam_zone_reserve(zone, loam_pfn_of(1099), 2), LOAM_EBUSY);
    TAP_EQ(t, loam_zone_reserve(zone, loam_pfn_of(FRAMES - 1), 2), LOAM_EINVAL);
    REFUSED(t, loam_zone_free(zone, loam_pfn_of(100)), "free of a reserved frame");
    TAP_EQ(t, loam_zone_free_pages(zone), FRAMES - 1000);
    TAP_EQ(t, loam_zone_add(zone, loam_pfn_of(100), 1000), LOAM_OK);
    loam_zone_stats stats;
    loam_zone_stat(zone, &stats);
    TAP_EQ(t, stats.reserved, 0);
    TAP_EQ(t, stats.largest, 17);
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

static void other_cpu_is_asked(tap *t)
{
    static loam_pfn rest[FRAMES];
    loam_zone_config_init(&config);
    config.ncpus = 1;
    start_spans(t, &(loam_span){0, FRAMES}, 1);
    put(t, get(t, 0)); /* 64 frames are in the front now */
    TAP_EQ(t, get(t, 17).v, 0);
    put(t, loam_pfn_of(0));
    size_t n = loam_zone_alloc_bulk(zone, 0, 0, rest, FRAMES);
    TAP_EQ(t, n, FRAMES);
    TAP_EQ(t, loam_zone_free_bulk(zone, rest, n), n);
}

static bool give_back(void *ctx, loam_zone *z, unsigned order)
{
    loam_pfn *held = ctx;
    (void)order;
    if (loam_pfn_is_none(*held))
        return false;
    loam_zone_free(z, *held);
    *held = LOAM_NO_FRAME;
    return true;
}

static void shrinker_before_null(tap *t)
{
    static loam_pfn held;
    loam_zone_config_init(&config);
    config.shrink = give_back;
    config.shrink_ctx = &held;
    start_spans(t, &(loam_span){0, 64}, 1);
    held = LOAM_NO_FRAME;
    held = get(t, 6);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 2, LOAM_ZONE_ATOMIC)));
    loam_pfn pfn = get(t, 2);
    TAP_CHECK(t, loam_pfn_is_none(held));
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 6, 0)));
    put(t, pfn);
}

static bool promise(void *ctx, loam_zone *z, unsigned order)
{
    unsigned *count = ctx;
    (void)z;
    (void)order;
    ++*count;
    return true;
}

static void shrinker_that_only_promises(tap *t)
{
    static unsigned count;
    count = 0;
    loam_zone_config_init(&config);
    config.shrink = promise;
    config.shrink_ctx = &count;
    start_spans(t, &(loam_span){0, 64}, 1);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 7, 0)));
    TAP_EQ(t, count, 16);
}

typedef struct pile {
    loam_pfn pfn[1024];
    size_t count;
    unsigned left; /* frames the shrinker still gives up */
} pile;

static bool give_one_up(void *ctx, loam_zone *z, unsigned order)
{
    pile *p = ctx;
    (void)order;
    if (p->left == 0)
        return false;
    p->left--;
    return loam_zone_free(z, p->pfn[--p->count]) == LOAM_OK;
}

static void shrinker_frees_into_front(tap *t)
{
    static pile p;
    p = (pile){.count = 0};
    loam_zone_config_init(&config);
    config.shrink = give_one_up;
    config.shrink_ctx = &p;
    start_spans(t, &(loam_span){0, LOAM_ARRAY_LEN(p.pfn)}, 1);
    TAP_CHECK(t, zone->live != 0);
    p.count = loam_zone_alloc_bulk(zone, 0, 0, p.pfn, LOAM_ARRAY_LEN(p.pfn));
    TAP_EQ(t, p.count, LOAM_ARRAY_LEN(p.pfn));
    p.left = 1;
    TAP_CHECK(t, !loam_pfn_is_none(loam_zone_alloc(zone, 0, 0)));
    TAP_EQ(t, loam_zone_free_pages(zone), 0);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 0, 0)));
}

static void full_stack_beside_another(tap *t)
{
    static loam_pfn single[4 * LOAM_ZONE_LIFO_CAP], pair[4];
    start(t, 0, FRAMES, true);
    TAP_EQ(t, loam_zone_alloc_bulk(zone, 1, 0, pair, 4), 4);
    TAP_EQ(t, loam_zone_alloc_bulk(zone, 0, 0, single, LOAM_ARRAY_LEN(single)),
           LOAM_ARRAY_LEN(single));
    TAP_EQ(t, loam_zone_free_bulk(zone, pair, 4), 4);
    for (size_t i = 0; i < LOAM_ARRAY_LEN(single); i++) {
        put(t, single[i]);
        TAP_RULE(t, loam_zone_check(zone), NULL);
    }
    for (size_t i = 4; i-- > 0;)
        TAP_EQ(t, get(t, 1).v, pair[i].v);
}

static void reserve_for_interrupts(tap *t)
{
    loam_zone_config_init(&config);
    config.reserve = 10;
    start_spans(t, &(loam_span){0, FRAMES}, 1);
    uint64_t n = 0;
    while (!loam_pfn_is_none(loam_zone_alloc(zone, 0, 0)))
        n++;
    TAP_EQ(t, n, FRAMES - 10);
    for (unsigned i = 0; i < 10; i++)
        TAP_CHECK(t, !loam_pfn_is_none(loam_zone_alloc(zone, 0, LOAM_ZONE_ATOMIC)));
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 0, LOAM_ZONE_ATOMIC)));
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

/* What an interrupt took of the reserve goes back to it, and not to whoever calls next. */
static void reserve_comes_back(tap *t)
{
    static loam_pfn all[1024];
    size_t n = 0;
    loam_zone_config_init(&config);
    config.reserve = 10;
    start_spans(t, &(loam_span){0, LOAM_ARRAY_LEN(all)}, 1);
    while (!loam_pfn_is_none(all[n] = loam_zone_alloc(zone, 0, 0)))
        n++;
    TAP_EQ(t, n, LOAM_ARRAY_LEN(all) - 10);
    loam_pfn pfn = loam_zone_alloc(zone, 0, LOAM_ZONE_ATOMIC);
    TAP_CHECK(t, !loam_pfn_is_none(pfn));
    put(t, pfn);
    TAP_EQ(t, loam_zone__front_frames(&zone->front[0]), 0);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 0, 0)));
    TAP_EQ(t, loam_zone_free_bulk(zone, all, n), n);
    TAP_CHECK(t, loam_zone__front_frames(&zone->front[0]) != 0); /* in use again */
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static void reserve_beyond_memory(tap *t)
{
    loam_zone_config_init(&config);
    config.reserve = ~0ULL;
    start_spans(t, &(loam_span){0, FRAMES}, 1);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 0, 0)));
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 4, 0)));
    TAP_CHECK(t, !loam_pfn_is_none(loam_zone_alloc(zone, 4, LOAM_ZONE_ATOMIC)));
}

/* 1024 frames are many of order 0 and few of order 3. */
static void few_blocks_are_not_kept(tap *t)
{
    start(t, 0, 1024, true);
    put(t, get(t, 3));
    TAP_EQ(t, loam_zone__front_frames(&zone->front[0]), 0);
    put(t, get(t, 0));
    TAP_EQ(t, loam_zone__front_frames(&zone->front[0]), 64);
}

static void freed_twice_at_once(tap *t)
{
    if (!start_for_two(t))
        return;
    loam_pfn a = get(t, 0), b = get(t, 0);
    put(t, a);
    put(t, b);
    /* as if it were out again: freed by two, given to one */
    loam_zone__area(zone, a.v)->table[a.v] = ZONE_HEAD;
    tap_catch(t);
    loam_zone_drain(zone);
    TAP_EQ(t, tap_caught(t), 1);
    TAP_EQ(t, t->report.value, a.v);
    TAP_EQ(t, loam_zone_free_pages(zone), FRAMES - 1);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    put(t, a);
    TAP_EQ(t, loam_zone_free_pages(zone), FRAMES);
}

/* Hears of a late double free in the middle of a flush, and takes most of the stack. */
static loam_pfn taken[40];
static size_t taken_count;

static void use_the_zone(void *ctx, const loam_report *report)
{
    unsigned *heard = ctx;
    (void)report;
    ++*heard;
    taken_count = loam_zone_alloc_bulk(zone, 0, 0, taken, LOAM_ARRAY_LEN(taken));
}

static void report_may_use_the_zone(tap *t)
{
    static loam_pfn out[LOAM_ZONE_LIFO_CAP + 1];
    unsigned heard = 0;
    if (!start_for_two(t))
        return;
    loam_zone_alloc_bulk(zone, 0, 0, out, LOAM_ARRAY_LEN(out));
    loam_zone_free_bulk(zone, out, LOAM_ZONE_LIFO_CAP); /* the stack is full */
    loam_zone__area(zone, out[3].v)->table[out[3].v] = ZONE_HEAD;
    loam_policy before = loam_port_set_policy(LOAM_POLICY_REPORT);
    loam_port_on_report(use_the_zone, &heard);
    put(t, out[LOAM_ZONE_LIFO_CAP]);
    loam_port_on_report(NULL, NULL);
    loam_port_set_policy(before);
    TAP_EQ(t, heard, 1);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    TAP_EQ(t, loam_zone_free_bulk(zone, taken, taken_count), LOAM_ARRAY_LEN(taken));
    put(t, out[3]);
    loam_zone_drain(zone);
    TAP_EQ(t, loam_zone_free_pages(zone), FRAMES);
    TAP_RULE(t, loam_zone_check(zone), NULL);
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
    zone = loam_zone_init(mem, sizeof mem, false, ram, 2, &config);
    TAP_EQ(t, loam_zone_add(zone, loam_pfn_of(far_apart[0].base), far_apart[0].len), LOAM_OK);
    loam_zone_stat(zone, &stats);
    TAP_EQ(t, stats.low_water, 256);
}

static bool count_and_stop(void *ctx, uint64_t unit, unsigned order)
{
    unsigned *count = ctx;
    (void)unit;
    (void)order;
    ++*count;
    return false;
}

static void each_free_stops(tap *t)
{
    static const loam_span far_apart[] = {{0, 256}, {1 << 16, 256}};
    unsigned count = 0;
    loam_zone_config_init(&config);
    start_spans(t, far_apart, 2);
    loam_zone_each_free(zone, LOAM_ZONE_MAX_ORDER, count_and_stop, &count);
    TAP_EQ(t, count, 1);
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

typedef struct events {
    loam_trace_event event[64];
    size_t count;
} events;

static void keep_event(void *ctx, const loam_trace_event *event)
{
    events *e = ctx;
    if (e->count < LOAM_ARRAY_LEN(e->event))
        e->event[e->count++] = *event;
}

static void expect_event(tap *t, const events *e, size_t i, loam_trace_kind kind, unsigned order,
                         uint64_t a)
{
    TAP_CHECK(t, i < e->count);
    TAP_EQ(t, e->event[i].kind, kind);
    TAP_EQ(t, e->event[i].order, order);
    TAP_EQ(t, e->event[i].a, a);
}

static void trace_tells_steps(tap *t)
{
    static loam_trace trace;
    static events e;
    e.count = 0;
    TAP_EQ(t, loam_trace_init(&trace, 1, 0, NULL), LOAM_OK);
    loam_trace_set_sink(&trace, keep_event, &e);
    loam_zone_config_init(&config);
    config.trace = &trace;
    config.lowest = true;
    config.trace_max_order = 10;
    start_spans(t, &(loam_span){0, 4096}, 1);
    loam_trace_set_on(&trace, true);
    TAP_EQ(t, get(t, 8).v, 0);
    put(t, loam_pfn_of(0));
    loam_trace_set_on(&trace, false);
    get(t, 0);
    expect_event(t, &e, 0, LOAM_TRACE_LIST_REMOVE, 10, 0);
    expect_event(t, &e, 1, LOAM_TRACE_PAGE_SPLIT, 10, 0);
    TAP_EQ(t, e.event[1].b, 512);
    expect_event(t, &e, 2, LOAM_TRACE_LIST_ADD, 9, 512);
    expect_event(t, &e, 3, LOAM_TRACE_PAGE_SPLIT, 9, 0);
    expect_event(t, &e, 4, LOAM_TRACE_LIST_ADD, 8, 256);
    expect_event(t, &e, 5, LOAM_TRACE_PAGE_ALLOC, 8, 0);
    expect_event(t, &e, 6, LOAM_TRACE_PAGE_MERGE, 8, 0);
    TAP_EQ(t, e.event[6].b, 256);
    expect_event(t, &e, 7, LOAM_TRACE_LIST_REMOVE, 8, 256);
    expect_event(t, &e, 8, LOAM_TRACE_PAGE_MERGE, 9, 0);
    expect_event(t, &e, 9, LOAM_TRACE_LIST_REMOVE, 9, 512);
    expect_event(t, &e, 10, LOAM_TRACE_LIST_ADD, 10, 0);
    expect_event(t, &e, 11, LOAM_TRACE_PAGE_FREE, 8, 0);
    TAP_EQ(t, e.event[11].b, 10);
    TAP_EQ(t, e.count, 12);
}

/* A view that ends at order 2: a block of order 4 is a row of four. */
static void trace_tells_rows(tap *t)
{
    static loam_trace trace;
    static events e;
    e.count = 0;
    TAP_EQ(t, loam_trace_init(&trace, 1, 0, NULL), LOAM_OK);
    loam_trace_set_sink(&trace, keep_event, &e);
    loam_zone_config_init(&config);
    config.trace = &trace;
    config.lowest = true;
    config.trace_max_order = 2;
    start_spans(t, &(loam_span){0, 64}, 1);
    loam_trace_set_on(&trace, true);
    TAP_EQ(t, get(t, 4).v, 0);
    put(t, loam_pfn_of(0));
    loam_trace_set_on(&trace, false);
    for (unsigned i = 0; i < 4; i++) {
        expect_event(t, &e, i, LOAM_TRACE_LIST_REMOVE, 2, 4 * i);
        expect_event(t, &e, 5 + i, LOAM_TRACE_LIST_ADD, 2, 4 * i);
    }
    expect_event(t, &e, 4, LOAM_TRACE_PAGE_ALLOC, 4, 0);
    expect_event(t, &e, 9, LOAM_TRACE_PAGE_FREE, 4, 0);
    TAP_EQ(t, e.count, 10);
}

static void zonelist_order(tap *t)
{
    static unsigned char other[64 * 1024] __attribute__((aligned(64)));
    loam_zonelist list = {.count = 0};
    loam_span ram = {0, 1 << 20};
    loam_zone_config_init(&config);
    config.name = "dma";
    config.limit = 16;
    loam_zone *dma = loam_zone_init(other, sizeof other, false, &ram, 1, &config);
    config.name = "normal";
    config.first = 16;
    config.limit = 0;
    zone = loam_zone_init(mem, sizeof mem, false, &ram, 1, &config);
    TAP_EQ(t, loam_zonelist_add_zone(&list, zone), LOAM_OK);
    TAP_EQ(t, loam_zonelist_add_zone(&list, dma), LOAM_OK);
    TAP_EQ(t, loam_zonelist_add_zone(&list, NULL), LOAM_EINVAL);
    TAP_EQ(t, loam_zonelist_give(&list, loam_pfn_of(0), 257), LOAM_EINVAL);
    TAP_EQ(t, loam_zone_free_pages(dma) + loam_zone_free_pages(zone), 0);
    REFUSED(t, loam_zonelist_free(&list, loam_pfn_of(3)), "free of a reserved frame");
    TAP_EQ(t, loam_zonelist_give(&list, loam_pfn_of(0), 256), LOAM_OK);
    TAP_EQ(t, loam_zonelist_give(&list, loam_pfn_of(300), 1), LOAM_EINVAL);
    TAP_EQ(t, loam_zonelist_give(&list, loam_pfn_of(1), ~0ULL), LOAM_EINVAL);
    TAP_EQ(t, loam_zone_free_pages(dma), 16);
    TAP_EQ(t, loam_zone_free_pages(zone), 240);
    for (unsigned i = 0; i < 240; i++)
        TAP_CHECK(t, loam_zonelist_alloc(&list, 0, 0).v >= 16);
    loam_pfn low = loam_zonelist_alloc(&list, 0, 0);
    TAP_CHECK(t, low.v < 16);
    TAP_EQ(t, loam_zonelist_free(&list, low), LOAM_OK);
    TAP_EQ(t, loam_zonelist_free(&list, loam_pfn_of(20)), LOAM_OK);
    REFUSED(t, loam_zonelist_free(&list, loam_pfn_of(999)), "free of a frame that is not managed");
}

static bool sum_walk(void *ctx, loam_pfn first, uint64_t count, loam_frame_state state)
{
    uint64_t *sum = ctx;
    (void)first;
    sum[state] += count;
    return true;
}

static void offline_keeps_nothing(tap *t)
{
    start(t, 0, FRAMES, true);
    put(t, get(t, 0));
    TAP_CHECK(t, loam_zone__front_frames(&zone->front[0]) != 0);
    loam_zone_serve(zone); /* nobody asked */
    TAP_CHECK(t, loam_zone__front_frames(&zone->front[0]) != 0);
    loam_zone_offline(zone);
    TAP_EQ(t, loam_zone__front_frames(&zone->front[0]), 0);
    put(t, get(t, 0));
    loam_zone_serve(zone);
    TAP_EQ(t, loam_zone__front_frames(&zone->front[0]), 0);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    loam_zone_online(zone);
    put(t, get(t, 0));
    TAP_EQ(t, loam_zone__front_frames(&zone->front[0]), 64);
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static void walk_covers_everything(tap *t)
{
    uint64_t sum[LOAM_FRAME_BAD + 1] = {0};
    start(t, 3, 1000, true);
    get(t, 3);
    loam_zone_alloc_exact(zone, 11, 0);
    loam_zone_alloc(zone, 1, LOAM_ZONE_SLAB);
    loam_zone_mark_bad(zone, loam_pfn_of(900));
    loam_zone_reserve(zone, loam_pfn_of(800), 10);
    loam_zone_walk(zone, sum_walk, sum);
    TAP_EQ(t, sum[LOAM_FRAME_HEAD], 19);
    TAP_EQ(t, sum[LOAM_FRAME_SLAB], 2);
    TAP_EQ(t, sum[LOAM_FRAME_BAD], 1);
    TAP_EQ(t, sum[LOAM_FRAME_RESERVED], 10);
    TAP_EQ(t, sum[LOAM_FRAME_FREE], 1000 - 32);
}

static void next_free_of_order(tap *t)
{
    start(t, 0, 1024, false);
    get(t, 0);
    TAP_EQ(t, loam_zone_next_free(zone, 0, 10, loam_pfn_of(0)).v, 1);
    TAP_EQ(t, loam_zone_next_free(zone, 5, 10, loam_pfn_of(0)).v, 32);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_next_free(zone, 5, 10, loam_pfn_of(33))));
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_next_free(zone, 10, 10, loam_pfn_of(0))));
}

static void find_free_of_frame(tap *t)
{
    loam_pfn first = LOAM_NO_FRAME;
    unsigned order = 99;
    start(t, 0, 1024, false);
    get(t, 0);
    TAP_CHECK(t, !loam_zone_find_free(zone, loam_pfn_of(0), &first, &order));
    TAP_CHECK(t, loam_pfn_is_none(first));
    TAP_CHECK(t, loam_zone_find_free(zone, loam_pfn_of(700), &first, &order));
    TAP_EQ(t, first.v, 512);
    TAP_EQ(t, order, 9);
    TAP_CHECK(t, loam_zone_find_free(zone, loam_pfn_of(1), NULL, NULL));
    TAP_CHECK(t, !loam_zone_find_free(zone, loam_pfn_of(1024), NULL, NULL));
}

/* ---- areas: of 64 frames here ---- */

static void start_areas(tap *t, const loam_span *frames, size_t n, bool fronts)
{
    loam_zone_config_init(&config);
    config.area_shift = 6;
    config.fronts = fronts;
    config.lowest = true;
    start_spans(t, frames, n);
}

static void four_areas(tap *t)
{
    start_areas(t, &(loam_span){0, 256}, 1, false);
}

static void expect_largest(tap *t, int largest)
{
    static loam_zone_stats stats;
    loam_zone_stat(zone, &stats);
    TAP_EQ(t, stats.largest, largest);
    uint64_t frames = 0;
    for (unsigned k = 0; k <= LOAM_ZONE_MAX_ORDER; k++)
        frames += stats.blocks[k] << k;
    TAP_EQ(t, frames, stats.free - stats.in_fronts);
    TAP_EQ(t, stats.free, loam_zone_free_pages(zone));
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static void areas_join(tap *t)
{
    loam_pfn first;
    unsigned order;
    four_areas(t);
    expect_largest(t, 8);
    loam_pfn a = get(t, 0);
    expect_largest(t, 7);
    TAP_EQ(t, zone->area[0].buddy.free_units, 63);
    TAP_CHECK(t, loam_zone_find_free(zone, loam_pfn_of(200), &first, &order));
    TAP_EQ(t, first.v, 128);
    TAP_EQ(t, order, 7);
    loam_pfn b = get(t, 6);
    TAP_EQ(t, b.v, 64);
    expect_largest(t, 7);
    put(t, a);
    expect_largest(t, 7);
    put(t, b);
    expect_largest(t, 8);
    TAP_CHECK(t, loam_zone_find_free(zone, loam_pfn_of(255), &first, &order));
    TAP_EQ(t, first.v, 0);
    TAP_EQ(t, order, 8);
}

static void blocks_of_areas(tap *t)
{
    static loam_zone_stats stats;
    four_areas(t);
    loam_pfn all = get(t, 8);
    TAP_EQ(t, loam_zone_free_pages(zone), 0);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 0, 0)));
    REFUSED(t, loam_zone_free(zone, loam_pfn_of(64)), "free of an inner frame");
    REFUSED(t, loam_zone_free_order(zone, all, 6), "free with the wrong order");
    put(t, all);
    REFUSED(t, loam_zone_free(zone, all), "double free");
    loam_zone_stat(zone, &stats);
    TAP_EQ(t, stats.low_water, 0);
    TAP_EQ(t, stats.blocks[8], 1);
    TAP_EQ(t, stats.areas, 4);
    loam_pfn half = get(t, 7);
    TAP_EQ(t, loam_zone_split(zone, half), LOAM_OK);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    for (uint64_t i = 0; i < 128; i++)
        TAP_EQ(t, loam_zone_free_order(zone, loam_pfn_of(half.v + i), 0), LOAM_OK);
    expect_largest(t, 8);
}

static void exact_over_areas(tap *t)
{
    four_areas(t);
    for (uint64_t n = 60; n <= 256; n += 7) {
        loam_pfn pfn = loam_zone_alloc_exact(zone, n, 0);
        TAP_CHECK(t, !loam_pfn_is_none(pfn));
        TAP_EQ(t, loam_zone_free_pages(zone), 256 - n);
        TAP_RULE(t, loam_zone_check(zone), NULL);
        put(t, pfn);
        expect_largest(t, 8);
    }
}

static void places_over_areas(tap *t)
{
    four_areas(t);
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(60), 100, 0), LOAM_OK);
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(150), 100, 0), LOAM_EBUSY);
    TAP_EQ(t, loam_zone_free_pages(zone), 156);
    expect_largest(t, 6);
    TAP_EQ(t, loam_zone_reserve(zone, loam_pfn_of(170), 86), LOAM_OK);
    TAP_EQ(t, loam_zone_reserve(zone, loam_pfn_of(40), 200), LOAM_EBUSY);
    TAP_EQ(t, loam_zone_add(zone, loam_pfn_of(169), 87), LOAM_EBUSY);
    TAP_EQ(t, loam_zone_add(zone, loam_pfn_of(170), 87), LOAM_EINVAL);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    TAP_EQ(t, loam_zone_add(zone, loam_pfn_of(170), 86), LOAM_OK);
    put(t, loam_pfn_of(60));
    expect_largest(t, 8);
}

static void ranges_over_areas(tap *t)
{
    four_areas(t);
    TAP_EQ(t, loam_zone_alloc_range(zone, 3, loam_pfn_of(70), loam_pfn_of(0), 0).v, 72);
    TAP_EQ(t, loam_zone_alloc_range(zone, 7, loam_pfn_of(1), loam_pfn_of(0), 0).v, 128);
    TAP_CHECK(t,
              loam_pfn_is_none(loam_zone_alloc_range(zone, 6, loam_pfn_of(1), loam_pfn_of(0), 0)));
    TAP_EQ(t, loam_zone_alloc_range(zone, 6, loam_pfn_of(0), loam_pfn_of(64), 0).v, 0);
    put(t, loam_pfn_of(0));
    put(t, loam_pfn_of(72));
    TAP_CHECK(
        t, loam_pfn_is_none(loam_zone_alloc_range(zone, 7, loam_pfn_of(0), loam_pfn_of(127), 0)));
    TAP_EQ(t, loam_zone_alloc_range(zone, 7, loam_pfn_of(0), loam_pfn_of(128), 0).v, 0);
    put(t, loam_pfn_of(0));
    put(t, loam_pfn_of(128));
    expect_largest(t, 8);
}

/* Two runs whose areas are numbered in a row: what lies between is RAM of nobody. */
static void runs_do_not_join(tap *t)
{
    static const loam_span frames[] = {{64, 64}, {4096, 128}, {1 << 20, 256}, {1 << 21, 1}};
    static const loam_span alike[] = {{0, 128}, {4096, 128}};
    start_areas(t, alike, 2, false);
    expect_largest(t, 7);
    start_areas(t, frames, 4, false);
    expect_largest(t, 8);
    TAP_EQ(t, get(t, 8).v, 1 << 20);
    expect_largest(t, 7);
    TAP_EQ(t, get(t, 7).v, 4096);
    expect_largest(t, 6);
    TAP_EQ(t, get(t, 6).v, 64);
    TAP_EQ(t, get(t, 0).v, 1 << 21);
    TAP_EQ(t, loam_zone_free_pages(zone), 0);
    put(t, loam_pfn_of(64));
    put(t, loam_pfn_of(4096));
    expect_largest(t, 7);
    put(t, loam_pfn_of(1 << 20));
    expect_largest(t, 8);
    TAP_EQ(t, loam_zone_state(zone, loam_pfn_of((1 << 21) + 1)), LOAM_FRAME_OUTSIDE);
    TAP_EQ(t, loam_zone_state(zone, loam_pfn_of(~0ULL)), LOAM_FRAME_OUTSIDE);
}

static void lowest_of_all_areas(tap *t)
{
    four_areas(t);
    for (uint64_t first = 0; first < 256; first += 64)
        TAP_EQ(t, get(t, 6).v, first);
    put(t, loam_pfn_of(64));
    TAP_EQ(t, get(t, 5).v, 64);
    TAP_EQ(t, loam_zone_split(zone, loam_pfn_of(192)), LOAM_OK);
    put(t, loam_pfn_of(192 + 9));
    TAP_EQ(t, get(t, 0).v, 192 + 9); /* not cut from the larger one, although that lies lower */
    TAP_EQ(t, loam_zone_split(zone, loam_pfn_of(0)), LOAM_OK);
    for (uint64_t i = 0; i < 32; i++)
        put(t, loam_pfn_of(i));
    TAP_EQ(t, get(t, 0).v, 0); /* of two that are as large the lower */
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static bool sum_blocks(void *ctx, uint64_t unit, unsigned order)
{
    uint64_t *next = ctx;
    if (unit != *next)
        return false;
    *next += 1ULL << order;
    return true;
}

static void views_over_areas(tap *t)
{
    uint64_t next = 0, sum[LOAM_FRAME_BAD + 1] = {0};
    four_areas(t);
    loam_zone_each_free(zone, LOAM_ZONE_MAX_ORDER, sum_blocks, &next);
    TAP_EQ(t, next, 256);
    next = 0;
    loam_zone_each_free(zone, 5, sum_blocks, &next);
    TAP_EQ(t, next, 256);
    next = 1; /* stops at once */
    loam_zone_each_free(zone, 5, sum_blocks, &next);
    TAP_EQ(t, next, 1);
    TAP_EQ(t, loam_zone_next_free(zone, 8, 40, loam_pfn_of(0)).v, 0);
    TAP_EQ(t, loam_zone_next_free(zone, 5, 5, loam_pfn_of(97)).v, 128);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_next_free(zone, 5, 6, loam_pfn_of(0))));
    get(t, 0);
    TAP_EQ(t, loam_zone_next_free(zone, 7, 40, loam_pfn_of(0)).v, 128);
    TAP_EQ(t, loam_zone_next_free(zone, 5, 40, loam_pfn_of(0)).v, 32);
    TAP_EQ(t, loam_zone_next_free(zone, 6, 6, loam_pfn_of(65)).v, 128);
    loam_zone_walk(zone, sum_walk, sum);
    TAP_EQ(t, sum[LOAM_FRAME_FREE], 255);
    TAP_EQ(t, sum[LOAM_FRAME_HEAD], 1);
}

static void trace_switched(tap *t)
{
    static loam_trace trace;
    static events e;
    e.count = 0;
    TAP_EQ(t, loam_trace_init(&trace, 1, 0, NULL), LOAM_OK);
    loam_trace_set_sink(&trace, keep_event, &e);
    loam_zone_config_init(&config);
    config.trace = &trace;
    start_spans(t, &(loam_span){0, 4096}, 1);
    put(t, get(t, 0));
    TAP_EQ(t, loam_zone__front_frames(&zone->front[0]), 64); /* it is off */
    loam_trace_set_on(&trace, true);
    loam_zone_set_trace(zone, &trace);
    TAP_EQ(t, loam_zone__front_frames(&zone->front[0]), 0);
    TAP_EQ(t, e.count, 0);
    put(t, get(t, 0));
    TAP_EQ(t, loam_zone__front_frames(&zone->front[0]), 0);
    TAP_EQ(t, e.count, 1 + 2 * 12 + 1 + 2 * 12 + 2); /* cut from order 12, and back to it */
    loam_trace_set_on(&trace, false);
    loam_zone_set_trace(zone, &trace);
    put(t, get(t, 0));
    TAP_EQ(t, loam_zone__front_frames(&zone->front[0]), 64);
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static void trace_over_areas(tap *t)
{
    static loam_trace trace;
    static events e;
    e.count = 0;
    TAP_EQ(t, loam_trace_init(&trace, 1, 0, NULL), LOAM_OK);
    loam_trace_set_sink(&trace, keep_event, &e);
    loam_zone_config_init(&config);
    config.trace = &trace;
    config.lowest = true;
    config.area_shift = 6;
    start_spans(t, &(loam_span){0, 256}, 1);
    loam_trace_set_on(&trace, true);
    TAP_EQ(t, get(t, 5).v, 0);
    put(t, loam_pfn_of(0));
    loam_trace_set_on(&trace, false);
    expect_event(t, &e, 0, LOAM_TRACE_LIST_REMOVE, 8, 0);
    expect_event(t, &e, 1, LOAM_TRACE_PAGE_SPLIT, 8, 0);
    TAP_EQ(t, e.event[1].b, 128);
    expect_event(t, &e, 3, LOAM_TRACE_PAGE_SPLIT, 7, 0);
    expect_event(t, &e, 5, LOAM_TRACE_PAGE_SPLIT, 6, 0);
    expect_event(t, &e, 7, LOAM_TRACE_PAGE_ALLOC, 5, 0);
    expect_event(t, &e, 8, LOAM_TRACE_PAGE_MERGE, 5, 0);
    expect_event(t, &e, 10, LOAM_TRACE_PAGE_MERGE, 6, 0);
    expect_event(t, &e, 12, LOAM_TRACE_PAGE_MERGE, 7, 0);
    expect_event(t, &e, 14, LOAM_TRACE_LIST_ADD, 8, 0);
    expect_event(t, &e, 15, LOAM_TRACE_PAGE_FREE, 5, 0);
    TAP_EQ(t, e.count, 16);
    e.count = 0;
    loam_trace_set_on(&trace, true);
    TAP_EQ(t, get(t, 7).v, 0);
    put(t, loam_pfn_of(0));
    loam_trace_set_on(&trace, false);
    expect_event(t, &e, 0, LOAM_TRACE_LIST_REMOVE, 8, 0);
    expect_event(t, &e, 1, LOAM_TRACE_PAGE_SPLIT, 8, 0);
    expect_event(t, &e, 3, LOAM_TRACE_PAGE_ALLOC, 7, 0);
    expect_event(t, &e, 4, LOAM_TRACE_PAGE_MERGE, 7, 0);
    expect_event(t, &e, 7, LOAM_TRACE_PAGE_FREE, 7, 0);
    TAP_EQ(t, e.count, 8);
}

/* No area is large enough for the reserve but a whole one: that one joins no other. */
static void reserve_among_areas(tap *t)
{
    loam_zone_config_init(&config);
    config.area_shift = 6;
    config.reserve = 70;
    start_spans(t, &(loam_span){0, 256}, 1);
    expect_largest(t, 7);
    uint64_t n = 0;
    while (!loam_pfn_is_none(loam_zone_alloc(zone, 0, 0)))
        n++;
    TAP_EQ(t, n, 186);
    for (n = 0; !loam_pfn_is_none(loam_zone_alloc(zone, 0, LOAM_ZONE_ATOMIC));)
        n++;
    TAP_EQ(t, n, 70);
    loam_zone_config_init(&config);
    config.area_shift = 6;
    config.reserve = 20;
    start_spans(t, &(loam_span){0, 290}, 1); /* the last 34 keep it */
    expect_largest(t, 8);
    TAP_EQ(t, zone->area[4].reserve, 20);
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(250), 20, 0), LOAM_OK);
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(270), 1, 0), LOAM_EBUSY);
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(270), 1, LOAM_ZONE_ATOMIC), LOAM_OK);
    put(t, loam_pfn_of(250));
    put(t, loam_pfn_of(270));
    expect_largest(t, 8);
}

/* Blocks at a place never have a piece that could not be given back as it is. */
static void pieces_beside_the_reserve(tap *t)
{
    loam_zone_config_init(&config);
    config.area_shift = 6;
    config.reserve = 64;
    start_spans(t, &(loam_span){0, 512}, 1);
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(0), 512, LOAM_ZONE_ATOMIC), LOAM_OK);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    put(t, loam_pfn_of(0));
    expect_largest(t, 8);
    TAP_EQ(t, loam_zone_free_pages(zone), 512);
}

static void interleaved_zones(tap *t)
{
    static unsigned char other[64 * 1024] __attribute__((aligned(64)));
    loam_zonelist list = {.count = 0};
    const loam_span even[2] = {{0, 64 << 12}, {128 << 12, 64 << 12}};
    const loam_span odd[2] = {{64 << 12, 64 << 12}, {192 << 12, 64 << 12}};
    loam_zone_config_init(&config);
    config.area_shift = 6;
    zone = loam_zone_init(mem, sizeof mem, false, even, 2, &config);
    config.node = 1;
    loam_zone *second = loam_zone_init(other, sizeof other, false, odd, 2, &config);
    TAP_EQ(t, loam_zonelist_add_zone(&list, zone), LOAM_OK);
    TAP_EQ(t, loam_zonelist_add_zone(&list, second), LOAM_OK);
    TAP_EQ(t, loam_zonelist_give(&list, loam_pfn_of(10), 246), LOAM_OK);
    TAP_EQ(t, loam_zonelist_give(&list, loam_pfn_of(0), 257), LOAM_EINVAL);
    TAP_EQ(t, loam_zonelist_give(&list, loam_pfn_of(0), 10), LOAM_OK);
    TAP_EQ(t, loam_zone_config_of(second)->node, 1);
    TAP_EQ(t, loam_zone_free_pages(zone), 128);
    TAP_EQ(t, loam_zone_free_pages(second), 128);
    for (uint64_t n = 0; n < 256; n++)
        TAP_CHECK(t, !loam_pfn_is_none(loam_zonelist_alloc(&list, 0, 0)));
    TAP_CHECK(t, loam_pfn_is_none(loam_zonelist_alloc(&list, 0, 0)));
    for (uint64_t at = 0; at < 256; at++)
        TAP_EQ(t, loam_zonelist_free(&list, loam_pfn_of(at)), LOAM_OK);
    REFUSED(t, loam_zonelist_free(&list, loam_pfn_of(70)), "double free");
    TAP_EQ(t, loam_zone_free_pages(zone), 128);
    TAP_EQ(t, loam_zone_free_pages(second), 128);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    TAP_RULE(t, loam_zone_check(second), NULL);
}

/* ---- others: what a processor sees of them ---- */

/* Two fronts over four areas; the second processor's is played by hand. false: this port has but
 * one processor. */
static unsigned wait_count, wait_limit;
static bool wait_drains;

static bool wait_for_it(void *ctx)
{
    loam_zone **z = ctx;
    if (++wait_count == wait_limit && wait_drains)
        loam_atomic_store(&(*z)->front[1].state, ZONE_FRONT_EMPTY);
    return wait_count < wait_limit || wait_drains;
}

static bool start_waiting(tap *t)
{
    loam_zone_config_init(&config);
    config.area_shift = 8;
    config.wait = wait_for_it;
    config.wait_ctx = &zone;
    config.ncpus = LOAM_PORT_MAX_CPUS > 1 ? 2 : 1;
    start_spans(t, &(loam_span){0, 1024}, 1);
    wait_count = 0;
    wait_limit = 5;
    return config.ncpus == 2;
}

static void short_waits_for_fronts(tap *t)
{
    if (!start_waiting(t))
        return;
    zone_front *other = &zone->front[1];
    TAP_EQ(t, other->home, 2);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 11, 0)));
    TAP_EQ(t, wait_count, 0); /* it is empty */
    other->state = ZONE_FRONT_USED;
    other->window = 9;
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 11, LOAM_ZONE_ATOMIC)));
    TAP_EQ(t, wait_count, 0); /* an interrupt asks and does not wait */
    TAP_EQ(t, other->state, ZONE_FRONT_ASKED);
    TAP_EQ(t, other->window, 0);
    wait_drains = false;
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(zone, 11, 0)));
    TAP_EQ(t, wait_count, 5); /* and then it was told to give up */
    wait_count = 0;
    wait_drains = true;
    TAP_CHECK(t,
              loam_pfn_is_none(loam_zone_alloc_range(zone, 11, loam_pfn_of(0), loam_pfn_of(0), 0)));
    TAP_EQ(t, wait_count, 5); /* and then it was empty */
    TAP_EQ(t, zone->waiting, 0);
    expect_largest(t, 10);
}

static void one_waits_fronts_keep_nothing(tap *t)
{
    if (!start_waiting(t))
        return;
    put(t, get(t, 0));
    TAP_EQ(t, loam_zone__front_frames(&zone->front[0]), 64);
    zone->waiting = 1; /* as another processor would */
    TAP_CHECK(t, loam_atomic_cas(&zone->front[0].state, ZONE_FRONT_USED, ZONE_FRONT_ASKED));
    zone->front[0].window = 0;
    loam_zone_serve(zone);
    TAP_EQ(t, zone->front[0].state, ZONE_FRONT_EMPTY);
    TAP_EQ(t, loam_zone__front_frames(&zone->front[0]), 0);
    put(t, get(t, 0));
    put(t, get(t, 3));
    TAP_EQ(t, loam_zone__front_frames(&zone->front[0]), 0);
    expect_largest(t, 10);
    zone->waiting = 0;
    put(t, get(t, 0));
    TAP_EQ(t, loam_zone__front_frames(&zone->front[0]), 64);
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static void homes_are_opened(tap *t)
{
    if (!start_waiting(t))
        return;
    zone->front[0].home = 2;
    TAP_EQ(t, get(t, 0).v, 512); /* nobody is in area 2 */
    TAP_EQ(t, zone->area[0].unit, 0);
    TAP_EQ(t, zone->top->buddy.free_units, 3);
    TAP_EQ(t, get(t, 0).v, 513);
    loam_zone_drain(zone);
    TAP_EQ(t, zone->top->buddy.free_units, 3);
    for (unsigned i = 0; i < 31; i++)
        get(t, 3);
    TAP_EQ(t, zone->top->buddy.free_units, 3);
    TAP_EQ(t, get(t, 3).v, 768); /* area 2 is at its end; areas 0 and 1 lie together */
    TAP_EQ(t, zone->front[0].home, 3);
    TAP_RULE(t, loam_zone_check(zone), NULL);
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

static void broken_areas_are_named(tap *t)
{
    four_areas(t);
    zone->area[2].first++;
    TAP_RULE(t, loam_zone_check(zone), "Z1");
    four_areas(t);
    zone->area[1].first -= 64;
    TAP_RULE(t, loam_zone_check(zone), "Z1");
    four_areas(t);
    TAP_EQ(t, loam_buddy_take(&zone->top->buddy, 2, 0), LOAM_OK); /* free in itself */
    TAP_EQ(t, loam_buddy_free(&zone->area[2].buddy, 128, 6), LOAM_OK);
    TAP_RULE(t, loam_zone_check(zone), "Z7");
    four_areas(t);
    TAP_EQ(t, loam_buddy_free(&zone->area[2].buddy, 128, 0), LOAM_OK); /* free twice */
    TAP_RULE(t, loam_zone_check(zone), "Z7");
    four_areas(t);
    zone->top->area_of[1] = 2;
    TAP_RULE(t, loam_zone_check(zone), "Z7");
    four_areas(t);
    zone->area[1].unit = ZONE_NO_UNIT;
    TAP_RULE(t, loam_zone_check(zone), "Z7");
    four_areas(t);
    zone->section[2] = 3;
    TAP_RULE(t, loam_zone_check(zone), "Z8");
    four_areas(t);
    zone->top->buddy.free_units++;
    TAP_RULE(t, loam_zone_check(zone), "B6");
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
    {"zone_alloc_exact: 1 to 70 frames: tail back, freed whole", exact_counts},
    {"zone_alloc_at: a place: all or nothing", at_a_place},
    {"zone_alloc_range: limits: lowest fitting block", in_a_range},
    {"zone_alloc_range: frames in the own front: found", range_sees_own_front},
    {"zone_split: block and exact block: single frames", split_to_frames},
    {"zone_mark_bad: free or single frames: out of use", bad_frames},
    {"zone_reserve: free frames: reserved, and added again", reserve_and_add_again},
    {"zone_init: holes, odd edges, 2^40: all frames usable", holes_and_edges},
    {"zone_init: 8 frames: metadata below a page", tiny_zone},
    {"zone_alloc: largest block while the front holds frames: drained first", other_cpu_is_asked},
    {"zone_alloc: no memory: the shrinker is asked before NULL", shrinker_before_null},
    {"zone_alloc: a shrinker that only promises: asked 16 times", shrinker_that_only_promises},
    {"zone_alloc: the shrinker frees into the front: found there", shrinker_frees_into_front},
    {"zone_free: a stack is full: the one beside it is not touched", full_stack_beside_another},
    {"zone_alloc: reserve: only for atomic requests", reserve_for_interrupts},
    {"zone_free: what an interrupt took of the reserve: back to it", reserve_comes_back},
    {"zone_alloc: a reserve beyond all memory: only atomic requests", reserve_beyond_memory},
    {"zone_free: an order of which the zone has few: not kept in a front", few_blocks_are_not_kept},
    {"zone_drain: a block freed by two at once: found, and given back once", freed_twice_at_once},
    {"zone_free: a report during a flush: its hearer may use the zone", report_may_use_the_zone},
    {"zone_alloc: refusal hook: the n-th request fails", refuse_hook},
    {"zone_alloc: zero flag: contents are 0", zeroed_pages},
    {"zone_alloc: zero flag, a map smaller than the block: not past it", map_smaller_than_zone},
    {"zone_stat: range refused, an area never used: counted right", counts_failures_and_low_water},
    {"zone_each_free: two areas, the first block says stop: stops", each_free_stops},
    {"zone_free_bulk, zonelist_free: refused: the report names their caller",
     refusals_name_the_caller},
    {"zone trace: alloc and free: every split and merge", trace_tells_steps},
    {"zone trace: a block above the view's largest order: its row", trace_tells_rows},
    {"zonelist: two zones: fallback in order, free by frame", zonelist_order},
    {"zone_offline: drained, and keeps nothing until zone_online", offline_keeps_nothing},
    {"zone_walk: all states: every frame once", walk_covers_everything},
    {"zone_next_free: capped view: exact orders", next_free_of_order},
    {"zone_find_free: a frame, out or inside a free block: its block", find_free_of_frame},
    {"zone: areas, taken from and given back: the top level joins them", areas_join},
    {"zone: blocks of several areas: out, split, back", blocks_of_areas},
    {"zone_alloc_exact: counts over several areas: tail back, freed whole", exact_over_areas},
    {"zone_alloc_at, zone_reserve, zone_add: over several areas: all or nothing",
     places_over_areas},
    {"zone_alloc_range: limits over several areas: fitting blocks", ranges_over_areas},
    {"zone: runs with holes between: their areas never join", runs_do_not_join},
    {"zone_alloc: lowest: the smallest sufficient block of all areas", lowest_of_all_areas},
    {"zone views: over areas and the top level: every block once", views_over_areas},
    {"zone_set_trace: switched on: fronts are drained, and keep nothing", trace_switched},
    {"zone trace: a block cut from several areas: every split and merge", trace_over_areas},
    {"zone_init: reserve: in the last areas, which join no other", reserve_among_areas},
    {"zone_alloc_at: over an area with reserve: pieces that can go back",
     pieces_beside_the_reserve},
    {"zonelist: zones in each other's gaps: each frame to its own", interleaved_zones},
    {"zone_alloc: short: waits for the fronts of others, an interrupt does not",
     short_waits_for_fronts},
    {"zone: while one waits: fronts keep nothing", one_waits_fronts_keep_nothing},
    {"zone_alloc: a home that nobody opened: opened", homes_are_opened},
    {"zone_free: hardened: every wrong free refused and named", wrong_frees_hardened},
    {"zone_check: each rule broken: named", broken_rules_are_named},
    {"zone_check: each rule of areas broken: named", broken_areas_are_named},
};
TAP_SUITE(zone_test, cases);
