/* SPDX-License-Identifier: MIT */
/* buddy_test.c - the bit engine by example: each call, each refusal, each rule. */
#include "loam/buddy.h"
#include "tap.h"

enum { UNITS = 1 << 16, NONE = LOAM_BUDDY_MAX_ORDER + 1 };

static loam_buddy b;
static uint64_t mem[16 * 1024];

static void start(tap *t, uint64_t first, uint64_t count, unsigned high_from)
{
    uint64_t need = loam_buddy_measure(first, count), base = ((uintptr_t)mem + 63) & ~63ULL;
    unsigned char *at = (unsigned char *)mem + (base - (uintptr_t)mem);
    TAP_CHECK(t, need != 0 && need + 64 <= sizeof mem);
    for (size_t i = 0; i < LOAM_ARRAY_LEN(mem); i++)
        mem[i] = 0;
    TAP_EQ(t, loam_buddy_init(&b, first, count, high_from, at), LOAM_OK);
    TAP_RULE(t, loam_buddy_check(&b), NULL);
}

static void start_free(tap *t, uint64_t first, uint64_t count, unsigned high_from)
{
    start(t, first, count, high_from);
    TAP_EQ(t, loam_buddy_free_range(&b, first, count), LOAM_OK);
    TAP_EQ(t, b.free_units, count);
    TAP_RULE(t, loam_buddy_check(&b), NULL);
}

static uint64_t get(tap *t, unsigned order)
{
    uint64_t unit = 0;
    TAP_EQ(t, loam_buddy_alloc(&b, order, &unit), LOAM_OK);
    TAP_RULE(t, loam_buddy_check(&b), NULL);
    return unit;
}

static void put(tap *t, uint64_t unit, unsigned order)
{
    TAP_EQ(t, loam_buddy_free(&b, unit, order), LOAM_OK);
    TAP_RULE(t, loam_buddy_check(&b), NULL);
}

static void measure_refuses(tap *t)
{
    TAP_EQ(t, loam_buddy_measure(0, 0), 0);
    TAP_EQ(t, loam_buddy_measure(~0ULL, 2), 0);
    TAP_EQ(t, loam_buddy_measure(0, 1ULL << 62), 0);
    TAP_CHECK(t, loam_buddy_measure(~0ULL - 8, 8) != 0);
    TAP_EQ(t, loam_buddy_measure(0, 1) % 64, 0);
}

static void measure_is_lean(tap *t)
{
    uint64_t units = 1 << 24;
    TAP_CHECK(t, loam_buddy_measure(0, units) * 100 <= units * 18);
}

static void init_refuses(tap *t)
{
    TAP_EQ(t, loam_buddy_init(&b, 0, 0, NONE, mem), LOAM_EINVAL);
    TAP_EQ(t, loam_buddy_init(&b, 0, 64, NONE, NULL), LOAM_EINVAL);
    size_t past_line = 64 - ((uintptr_t)mem & 63) + 8;
    TAP_EQ(t, loam_buddy_init(&b, 0, 64, NONE, (unsigned char *)mem + past_line), LOAM_EINVAL);
}

static void whole_memory_is_one_block(tap *t)
{
    start_free(t, 0, UNITS, NONE);
    TAP_EQ(t, loam_buddy_largest(&b), 16);
    TAP_EQ(t, get(t, 16), 0);
    TAP_EQ(t, loam_buddy_largest(&b), -1);
    put(t, 0, 16);
    TAP_EQ(t, loam_buddy_largest(&b), 16);
}

static void lowest_of_smallest(tap *t)
{
    start(t, 0, UNITS, NONE);
    put(t, 64, 6);
    put(t, 4096, 2);
    put(t, 8192, 0);
    TAP_EQ(t, get(t, 0), 8192);
    TAP_EQ(t, get(t, 1), 4096);
    TAP_EQ(t, get(t, 1), 4098);
    TAP_EQ(t, get(t, 0), 64);
    TAP_EQ(t, get(t, 0), 65);
    TAP_EQ(t, get(t, 5), 96);
}

static void high_orders_from_top(tap *t)
{
    start_free(t, 0, UNITS, 9);
    TAP_EQ(t, get(t, 9), UNITS - 512);
    TAP_EQ(t, get(t, 8), UNITS - 1024);
    TAP_EQ(t, get(t, 10), UNITS - 2048);
    start_free(t, 0, UNITS, 9);
    TAP_EQ(t, get(t, 8), 0);
}

static void merge_climbs_all_levels(tap *t)
{
    start_free(t, 0, UNITS, NONE);
    TAP_EQ(t, get(t, 0), 0);
    for (unsigned order = 0; order < 16; order++) {
        uint64_t unit = 0;
        unsigned found = 0;
        TAP_CHECK(t, loam_buddy_find(&b, 1ULL << order, &unit, &found));
        TAP_EQ(t, unit, 1ULL << order);
        TAP_EQ(t, found, order);
    }
    put(t, 0, 0);
    TAP_EQ(t, loam_buddy_largest(&b), 16);
}

static void no_memory(tap *t)
{
    uint64_t unit = 77;
    start(t, 0, UNITS, NONE);
    TAP_EQ(t, loam_buddy_alloc(&b, 0, &unit), LOAM_ENOMEM);
    put(t, 2, 1);
    TAP_EQ(t, loam_buddy_alloc(&b, 2, &unit), LOAM_ENOMEM);
    TAP_EQ(t, loam_buddy_alloc(&b, 63, &unit), LOAM_ENOMEM);
    TAP_EQ(t, loam_buddy_alloc(&b, 64, &unit), LOAM_ENOMEM);
    TAP_EQ(t, loam_buddy_alloc(&b, ~0U, &unit), LOAM_ENOMEM);
    TAP_EQ(t, unit, 77);
}

static void every_second_then_order_1(tap *t)
{
    start(t, 0, UNITS, NONE);
    for (uint64_t u = 0; u < UNITS; u += 2)
        TAP_EQ(t, loam_buddy_free(&b, u, 0), LOAM_OK);
    uint64_t unit;
    TAP_EQ(t, loam_buddy_alloc(&b, 1, &unit), LOAM_ENOMEM);
    put(t, UNITS / 2 + 1, 0);
    TAP_EQ(t, get(t, 1), UNITS / 2);
}

static void free_refuses(tap *t)
{
    start(t, 100, 1000, NONE);
    put(t, 128, 6);
    TAP_EQ(t, loam_buddy_free(&b, 128, 6), LOAM_EBUSY);
    TAP_EQ(t, loam_buddy_free(&b, 130, 1), LOAM_EBUSY);
    TAP_EQ(t, loam_buddy_free(&b, 128, 7), LOAM_EBUSY);
    TAP_EQ(t, loam_buddy_free(&b, 101, 1), LOAM_EINVAL);
    TAP_EQ(t, loam_buddy_free(&b, 99, 0), LOAM_EINVAL);
    TAP_EQ(t, loam_buddy_free(&b, 1100, 0), LOAM_EINVAL);
    TAP_EQ(t, loam_buddy_free(&b, 1088, 4), LOAM_EINVAL);
    TAP_EQ(t, loam_buddy_free(&b, 0, 60), LOAM_EINVAL);
    TAP_EQ(t, loam_buddy_free(&b, 0, ~0U), LOAM_EINVAL);
    TAP_EQ(t, loam_buddy_free_range(&b, 191, 2), LOAM_EBUSY);
    TAP_EQ(t, loam_buddy_free_range(&b, 1099, 2), LOAM_EINVAL);
    TAP_EQ(t, loam_buddy_free_range(&b, 90, 20), LOAM_EINVAL);
    TAP_EQ(t, loam_buddy_free_range(&b, 200, ~0ULL), LOAM_EINVAL);
    TAP_EQ(t, loam_buddy_free_range(&b, 1100, 0), LOAM_OK);
    TAP_EQ(t, loam_buddy_free_runs(&b, 0, 128, 1), LOAM_EBUSY);
    TAP_EQ(t, loam_buddy_free_runs(&b, 0, 64, 1), LOAM_EINVAL);
    TAP_EQ(t, loam_buddy_free_runs(&b, 0, 65, ~0ULL), LOAM_EINVAL);
    TAP_EQ(t, b.free_units, 64);
    TAP_RULE(t, loam_buddy_check(&b), NULL);
}

/* A block of which the smallest parts are free, in a word or behind a node of a lower level. */
static void free_refuses_parts(tap *t)
{
    static const uint64_t list[] = {8192, 4096};
    static const uint64_t part[] = {4096, 4159, 4160, 8191};
    for (size_t i = 0; i < LOAM_ARRAY_LEN(part); i++) {
        start(t, 100, UNITS, NONE);
        put(t, part[i], 0);
        TAP_EQ(t, loam_buddy_free(&b, part[i] & ~63ULL, 6), LOAM_EBUSY);
        TAP_EQ(t, loam_buddy_free(&b, 4096, 12), LOAM_EBUSY);
        TAP_EQ(t, loam_buddy_free_range(&b, 4000, 4200), LOAM_EBUSY);
        TAP_EQ(t, loam_buddy_free_runs(&b, 6, 4096, ~0ULL), LOAM_EBUSY);
        TAP_EQ(t, b.free_units, 1);
        TAP_EQ(t, loam_buddy_free_list(&b, 12, list, 2), 1);
        TAP_EQ(t, loam_buddy_free(&b, part[i] ^ 4096 ^ 8192, 0), LOAM_EBUSY);
        TAP_EQ(t, b.free_units, 4097);
        TAP_RULE(t, loam_buddy_check(&b), NULL);
    }
    start(t, 100, UNITS, NONE);
    put(t, 4095, 0);
    put(t, 8192, 0);
    put(t, 4096, 12); /* its neighbours are no part of it */
    TAP_RULE(t, loam_buddy_check(&b), NULL);
}

static void lists_of_blocks(tap *t)
{
    static const uint64_t list[] = {3, 2, 70, 71, 72, 70, 80};
    start(t, 0, UNITS, NONE);
    TAP_EQ(t, loam_buddy_free_list(&b, 0, list, 7), 5);
    TAP_EQ(t, b.free_units, 5);
    TAP_EQ(t, loam_buddy_free_list(&b, 0, list + 6, 1), 1);
    TAP_EQ(t, loam_buddy_free_list(&b, 1, list, 1), 0);
    TAP_EQ(t, loam_buddy_free_list(&b, 63, list, 1), 0);
    TAP_EQ(t, loam_buddy_free_list(&b, 64, list, 1), 0);
    TAP_EQ(t, loam_buddy_free_list(&b, ~0U, list, 1), 0);
    TAP_EQ(t, loam_buddy_free_list(&b, 0, list, 0), 0);
    TAP_RULE(t, loam_buddy_check(&b), NULL);
    put(t, 4096 + 64, 6);
    uint64_t beside = 4096 + 512;
    TAP_EQ(t, loam_buddy_free_list(&b, 9, &beside, 1), 1);
    TAP_RULE(t, loam_buddy_check(&b), NULL);
}

/* Every unit of four words in a scattered order, in calls of n: words fill up, and turn up several
 * times, in the middle of a call. */
static void four_words_scattered(tap *t, unsigned step, size_t n)
{
    uint64_t list[256];
    start(t, 5, UNITS, NONE);
    for (unsigned i = 0; i < 256; i++)
        list[i] = 1024 + (i * step & 255);
    for (size_t done = 0; done < 256; done += n) {
        size_t more = n < 256 - done ? n : 256 - done;
        TAP_EQ(t, loam_buddy_free_list(&b, 0, list + done, more), more);
        TAP_EQ(t, b.free_units, done + more);
        TAP_RULE(t, loam_buddy_check(&b), NULL);
    }
    TAP_EQ(t, get(t, 8), 1024);
}

static void lists_of_scattered_units(tap *t)
{
    for (unsigned step = 67; step < 256; step += 18) {
        four_words_scattered(t, step, 40);
        four_words_scattered(t, step, 256);
    }
}

static void scattered_lists_end(tap *t)
{
    static const uint64_t twice[] = {70, 140, 200, 140, 300}, covered[] = {6, 643, 500};
    static const uint64_t outside[] = {400, UNITS + 4, UNITS + 5, 500}, below[] = {4, 500};
    static const uint64_t askew[] = {16384, 8192 + 256, 12288};
    start(t, 5, UNITS, NONE);
    put(t, 640, 6);
    TAP_EQ(t, loam_buddy_free_list(&b, 0, twice, 5), 3);
    TAP_EQ(t, loam_buddy_free_list(&b, 0, covered, 3), 1);
    TAP_EQ(t, loam_buddy_free_list(&b, 0, outside, 4), 2);
    TAP_EQ(t, loam_buddy_free_list(&b, 0, below, 2), 0);
    TAP_EQ(t, loam_buddy_free_list(&b, 9, askew, 3), 1);
    TAP_EQ(t, b.free_units, 64 + 3 + 1 + 2 + 512);
    TAP_RULE(t, loam_buddy_check(&b), NULL);
}

static void list_beyond_the_range(tap *t)
{
    static const uint64_t list[] = {1ULL << 30, 0};
    for (uint64_t units = 1; units < 512; units += 73) {
        start(t, 0, units, NONE);
        TAP_EQ(t, loam_buddy_free_list(&b, 9, list, 2), 0);
        TAP_EQ(t, loam_buddy_free_list(&b, 9, list + 1, 1), 0);
        TAP_EQ(t, loam_buddy_free_list(&b, 0, list, 1), 0);
        TAP_RULE(t, loam_buddy_check(&b), NULL);
    }
}

static void take_exactly(tap *t)
{
    start_free(t, 0, UNITS, NONE);
    TAP_EQ(t, loam_buddy_take(&b, 4096 + 64, 3), LOAM_OK);
    TAP_RULE(t, loam_buddy_check(&b), NULL);
    TAP_EQ(t, loam_buddy_take(&b, 4096 + 64, 3), LOAM_EBUSY);
    TAP_EQ(t, loam_buddy_take(&b, 4096 + 64, 4), LOAM_EBUSY);
    TAP_EQ(t, loam_buddy_take(&b, 4096, 12), LOAM_EBUSY);
    TAP_EQ(t, loam_buddy_take(&b, 4096 + 66, 3), LOAM_EINVAL);
    TAP_EQ(t, loam_buddy_take(&b, UNITS, 0), LOAM_EINVAL);
    TAP_EQ(t, loam_buddy_take(&b, 8192, 12), LOAM_OK);
    TAP_EQ(t, b.free_units, UNITS - 8 - 4096);
    TAP_RULE(t, loam_buddy_check(&b), NULL);
}

static void within_limits(tap *t)
{
    uint64_t unit;
    start_free(t, 0, UNITS, NONE);
    TAP_EQ(t, loam_buddy_alloc_within(&b, 2, 1001, 100, &unit), LOAM_OK);
    TAP_EQ(t, unit, 1004);
    TAP_EQ(t, loam_buddy_alloc_within(&b, 6, 1001, 100, &unit), LOAM_OK);
    TAP_EQ(t, unit, 1024);
    TAP_EQ(t, loam_buddy_alloc_within(&b, 6, 1001, 100, &unit), LOAM_ENOMEM);
    TAP_EQ(t, loam_buddy_alloc_within(&b, 0, UNITS, 0, &unit), LOAM_ENOMEM);
    TAP_EQ(t, loam_buddy_alloc_within(&b, 0, ~0ULL, 0, &unit), LOAM_ENOMEM);
    TAP_EQ(t, loam_buddy_alloc_within(&b, 0, UNITS - 1, ~0ULL, &unit), LOAM_OK);
    TAP_EQ(t, unit, UNITS - 1);
    TAP_EQ(t, loam_buddy_alloc_within(&b, 99, 0, 0, &unit), LOAM_ENOMEM);
    TAP_RULE(t, loam_buddy_check(&b), NULL);
}

static void words_at_once(tap *t)
{
    uint64_t base;
    start(t, 0, 8192, NONE);
    TAP_EQ(t, loam_buddy_take_runs(&b, 0, &base), 0);
    put(t, 64 + 5, 0);
    put(t, 64 + 32, 5);
    put(t, 4096, 12);
    TAP_EQ(t, loam_buddy_take_runs(&b, 0, &base), 0xffffffff00000020ULL);
    TAP_EQ(t, base, 64);
    TAP_EQ(t, loam_buddy_take_runs(&b, 0, &base), ~0ULL);
    TAP_EQ(t, base, 4096);
    TAP_RULE(t, loam_buddy_check(&b), NULL);
    TAP_EQ(t, b.free_units, 4096 - 64);
    TAP_EQ(t, loam_buddy_free_runs(&b, 0, base, ~0ULL), LOAM_OK);
    TAP_EQ(t, loam_buddy_largest(&b), 12);
    TAP_EQ(t, loam_buddy_free_runs(&b, 0, base, 0), LOAM_OK);
    TAP_RULE(t, loam_buddy_check(&b), NULL);
}

static void runs_of_larger_orders(tap *t)
{
    uint64_t base;
    start_free(t, 0, 16384, 9);
    TAP_EQ(t, loam_buddy_take_runs(&b, 9, &base), 0x0101010101010101ULL);
    TAP_EQ(t, base, 12288);
    TAP_EQ(t, b.free_units, 12288);
    TAP_EQ(t, loam_buddy_free_runs(&b, 9, base, 1ULL << 8), LOAM_OK);
    TAP_EQ(t, loam_buddy_free_runs(&b, 9, base, 1ULL << 8), LOAM_EBUSY);
    TAP_EQ(t, loam_buddy_free_runs(&b, 9, base, 2), LOAM_EINVAL);
    TAP_EQ(t, loam_buddy_free_runs(&b, 9, 16384, 1), LOAM_EINVAL);
    TAP_EQ(t, loam_buddy_free_runs(&b, 60, 0, 1), LOAM_EINVAL);
    TAP_EQ(t, loam_buddy_take_runs(&b, 9, &base), 1ULL << 8);
    TAP_EQ(t, loam_buddy_free_runs(&b, 9, base, 0x0101010101010101ULL), LOAM_OK);
    TAP_EQ(t, loam_buddy_largest(&b), 14);
    TAP_RULE(t, loam_buddy_check(&b), NULL);
}

static void peek_changes_nothing(tap *t)
{
    loam_buddy_pick pick = {0, 0, 0};
    start_free(t, 0, UNITS, 9);
    TAP_CHECK(t, loam_buddy_peek(&b, 9, &pick));
    TAP_EQ(t, pick.unit, UNITS - 512);
    TAP_EQ(t, pick.from, 0);
    TAP_EQ(t, pick.order, 16);
    TAP_EQ(t, b.free_units, UNITS);
    TAP_EQ(t, get(t, 9), pick.unit);
    TAP_CHECK(t, !loam_buddy_peek(&b, 16, &pick));
}

static void alloc_tells_where_from(tap *t)
{
    loam_buddy_pick want, got = {0, 0, 0};
    start_free(t, 0, UNITS, 9);
    for (unsigned order = 0; order < 15; order++) {
        TAP_CHECK(t, loam_buddy_peek(&b, order, &want));
        TAP_EQ(t, loam_buddy_alloc_pick(&b, order, &got), LOAM_OK);
        TAP_EQ(t, got.unit, want.unit);
        TAP_EQ(t, got.from, want.from);
        TAP_EQ(t, got.order, want.order);
        TAP_RULE(t, loam_buddy_check(&b), NULL);
    }
    TAP_EQ(t, loam_buddy_alloc_pick(&b, 16, &want), LOAM_ENOMEM);
}

typedef struct seen {
    uint64_t unit[64];
    unsigned order[64];
    size_t count, stop;
} seen;

static bool see(void *ctx, uint64_t unit, unsigned order)
{
    seen *s = ctx;
    s->unit[s->count] = unit;
    s->order[s->count++] = order;
    return s->count != s->stop;
}

static void each_in_order(tap *t)
{
    static seen s;
    s = (seen){.stop = 64};
    start(t, 1000, 20000, NONE);
    put(t, 1001, 0);
    put(t, 4096, 12);
    put(t, 1024, 3);
    loam_buddy_each(&b, 11, see, &s);
    TAP_EQ(t, s.count, 4);
    TAP_EQ(t, s.unit[0], 1001);
    TAP_EQ(t, s.unit[1], 1024);
    TAP_EQ(t, s.order[1], 3);
    TAP_EQ(t, s.unit[2], 4096);
    TAP_EQ(t, s.order[2], 11);
    TAP_EQ(t, s.unit[3], 4096 + 2048);
    s = (seen){.stop = 2};
    loam_buddy_each(&b, 11, see, &s);
    TAP_EQ(t, s.count, 2);
}

static void next_of_order(tap *t)
{
    uint64_t unit;
    start(t, 0, 20000, NONE);
    put(t, 8192, 12);
    put(t, 64, 2);
    put(t, 96, 2);
    TAP_CHECK(t, loam_buddy_next(&b, 2, 10, 0, &unit) && unit == 64);
    TAP_CHECK(t, loam_buddy_next(&b, 2, 10, 65, &unit) && unit == 96);
    TAP_CHECK(t, !loam_buddy_next(&b, 2, 10, 97, &unit));
    TAP_CHECK(t, loam_buddy_next(&b, 10, 10, 8193, &unit) && unit == 8192 + 1024);
    TAP_CHECK(t, !loam_buddy_next(&b, 9, 10, 0, &unit));
    TAP_CHECK(t, !loam_buddy_next(&b, 11, 10, 0, &unit));
    TAP_CHECK(t, !loam_buddy_next(&b, 50, 50, 0, &unit));
}

static void odd_start_keeps_absolute_alignment(tap *t)
{
    start_free(t, 0x12345, 5000, NONE);
    for (unsigned order = 0; order <= 11; order++) {
        uint64_t unit = get(t, order);
        TAP_EQ(t, unit & ((1ULL << order) - 1), 0);
        TAP_CHECK(t, unit >= 0x12345 && unit + (1ULL << order) <= 0x12345 + 5000);
    }
}

static void one_unit_at_the_top(tap *t)
{
    start_free(t, ~0ULL - 1, 1, NONE);
    TAP_EQ(t, get(t, 0), ~0ULL - 1);
    put(t, ~0ULL - 1, 0);
    TAP_EQ(t, b.free_units, 1);
}

static void broken_rules_are_named(tap *t)
{
    start(t, 0, 100, NONE);
    b.level[0].word[1] = 1ULL << 63;
    TAP_RULE(t, loam_buddy_check(&b), "B1");
    start_free(t, 0, 4096, NONE);
    b.level[0].word[3] = ~0ULL;
    TAP_RULE(t, loam_buddy_check(&b), "B2");
    start_free(t, 0, 4096, NONE);
    b.level[0].word[3] = 2;
    TAP_RULE(t, loam_buddy_check(&b), "B3");
    start_free(t, 0, 100, NONE);
    b.level[0].node[0][0].has[2] ^= 2;
    TAP_RULE(t, loam_buddy_check(&b), "B4");
    start_free(t, 0, 100, NONE);
    b.level[0].counts[1] ^= 1 << 6;
    TAP_RULE(t, loam_buddy_check(&b), "B4");
    start_free(t, 0, 100, NONE);
    b.level[0].counts[1] ^= 1 << 15;
    TAP_RULE(t, loam_buddy_check(&b), "B4");
    start(t, 0, UNITS, NONE);
    put(t, 7, 0);
    b.level[0].node[1][0].has[0] = 0;
    TAP_RULE(t, loam_buddy_check(&b), "B4");
    start_free(t, 0, UNITS, NONE);
    b.classes |= 1;
    TAP_RULE(t, loam_buddy_check(&b), "B5");
    start_free(t, 0, UNITS, NONE);
    b.free_units--;
    TAP_RULE(t, loam_buddy_check(&b), "B6");
}

static const tap_case cases[] = {
    {"buddy_measure: bad ranges: 0", measure_refuses},
    {"buddy_measure: 16 Mi units: at most 0.18 bytes each", measure_is_lean},
    {"buddy_init: bad arguments: EINVAL", init_refuses},
    {"buddy_alloc: all free: the largest block is the whole memory", whole_memory_is_one_block},
    {"buddy_alloc: several sizes free: lowest of the smallest sufficient", lowest_of_smallest},
    {"buddy_alloc: order from high_from on: highest address", high_orders_from_top},
    {"buddy_free: last unit: merges through every level", merge_climbs_all_levels},
    {"buddy_alloc: nothing large enough: ENOMEM, output untouched", no_memory},
    {"buddy_alloc: every second unit free: no order 1 until two meet", every_second_then_order_1},
    {"buddy_free: misaligned, outside, free already: refused", free_refuses},
    {"buddy_free: a small part of a large block is free: refused", free_refuses_parts},
    {"buddy_free_list: a list: up to the first that is refused", lists_of_blocks},
    {"buddy_free_list: four words, scattered: merged", lists_of_scattered_units},
    {"buddy_free_list: scattered: up to the first that is refused", scattered_lists_end},
    {"buddy_free_list: fewer units than one block: refused", list_beyond_the_range},
    {"buddy_take: exact units: taken once", take_exactly},
    {"buddy_alloc_within: limits: lowest fitting place", within_limits},
    {"buddy_take_runs: order 0: all free units of a word at once", words_at_once},
    {"buddy_take_runs: order 9: all of a word, given back alone or together",
     runs_of_larger_orders},
    {"buddy_peek: as alloc: nothing changes", peek_changes_nothing},
    {"buddy_alloc_pick: every order: as peek said", alloc_tells_where_from},
    {"buddy_each: mixed: maximal blocks ascending, capped", each_in_order},
    {"buddy_next: one order: found from an address on", next_of_order},
    {"buddy_alloc: odd first unit: absolute alignment", odd_start_keeps_absolute_alignment},
    {"buddy_alloc: the last unit number there is: no wrap", one_unit_at_the_top},
    {"buddy_check: each rule broken: named", broken_rules_are_named},
};
TAP_SUITE(buddy_test, cases);
