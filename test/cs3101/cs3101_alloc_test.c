/* SPDX-License-Identifier: MIT */
/* cs3101_alloc_test.c - the simple allocator: what each call answers, misuse included. */
#include "../../compat/cs3101/alloc.h"
#include "tap.h"
#include <limits.h>

enum { PAGE = 4096, QUANTUM = 8 };

static void bad_sizes(tap *t)
{
    static const int sizes[] = {0,           -1,          -8,      1,       4,     7,
                                9,           12,          15,      63,      65,    4095,
                                4097,        4104,        8192,    INT_MAX, -4096, INT_MIN,
                                INT_MAX - 7, INT_MIN + 8, 1 << 16, 1 << 30};
    TAP_EQ(t, init_alloc(), 0);
    for (size_t i = 0; i < LOAM_ARRAY_LEN(sizes); i++)
        TAP_CHECK(t, alloc_mem(sizes[i]) == NULL);
    TAP_RULE(t, alloc_check(), NULL);
    TAP_CHECK(t, alloc_mem(PAGE) != NULL);
    TAP_EQ(t, cleanup_alloc(), 0);
}

static void not_initialised(tap *t)
{
    char here;
    unsigned long before = alloc_warnings();
    TAP_CHECK(t, alloc_mem(8) == NULL);
    dealloc_mem(NULL);
    TAP_EQ(t, alloc_warnings(), before);
    dealloc_mem(&here);
    TAP_EQ(t, alloc_warnings(), before + 1);
    TAP_EQ(t, cleanup_alloc(), -1);
    TAP_EQ(t, alloc_warnings(), before + 2);
    TAP_RULE(t, alloc_check(), NULL);
}

static void whole_page(tap *t)
{
    TAP_EQ(t, init_alloc(), 0);
    char *page = alloc_mem(PAGE);
    TAP_CHECK(t, page != NULL && (uintptr_t)page % PAGE == 0);
    TAP_CHECK(t, alloc_mem(8) == NULL);
    __builtin_memset(page, 0xff, PAGE);
    dealloc_mem(page);
    TAP_CHECK(t, alloc_mem(PAGE) == page);
    TAP_EQ(t, cleanup_alloc(), 0);
}

/* 512 blocks, then every other one free: as many pieces as there can be. */
static void most_pieces(tap *t)
{
    TAP_EQ(t, init_alloc(), 0);
    char *first = alloc_mem(QUANTUM);
    for (int at = QUANTUM; at < PAGE; at += QUANTUM)
        TAP_CHECK(t, alloc_mem(QUANTUM) == first + at);
    TAP_CHECK(t, alloc_mem(QUANTUM) == NULL);
    __builtin_memset(first, 0xff, PAGE);
    for (int at = 0; at < PAGE; at += 2 * QUANTUM)
        dealloc_mem(first + at);
    TAP_RULE(t, alloc_check(), NULL);
    TAP_CHECK(t, alloc_mem(2 * QUANTUM) == NULL);
    for (int at = 0; at < PAGE; at += 2 * QUANTUM)
        TAP_CHECK(t, alloc_mem(QUANTUM) == first + at);
    for (int at = PAGE - QUANTUM; at >= 0; at -= QUANTUM)
        dealloc_mem(first + at);
    TAP_CHECK(t, alloc_mem(PAGE) == first);
    TAP_EQ(t, cleanup_alloc(), 0);
}

static void first_fit(tap *t)
{
    TAP_EQ(t, init_alloc(), 0);
    char *a = alloc_mem(64), *b = alloc_mem(128), *c = alloc_mem(256), *e = alloc_mem(64);
    dealloc_mem(b);
    TAP_CHECK(t, alloc_mem(128) == b);
    dealloc_mem(b);
    dealloc_mem(e); /* merges with the rest: large, but higher */
    TAP_CHECK(t, alloc_mem(136) == e);
    TAP_CHECK(t, alloc_mem(8) == b);
    TAP_CHECK(t, alloc_mem(120) == b + 8);
    dealloc_mem(a);
    dealloc_mem(c);
    TAP_CHECK(t, alloc_mem(72) == c);
    TAP_EQ(t, cleanup_alloc(), 0);
}

/* The three orders in which a hole can close. */
static void coalescing(tap *t)
{
    static const int order[3][3] = {{0, 1, 2}, {2, 1, 0}, {0, 2, 1}};
    for (size_t i = 0; i < 3; i++) {
        TAP_EQ(t, init_alloc(), 0);
        char *block[3] = {alloc_mem(1024), alloc_mem(1024), alloc_mem(2048)};
        char *page = block[0];
        for (size_t k = 0; k < 3; k++) {
            dealloc_mem(block[order[i][k]]);
            TAP_RULE(t, alloc_check(), NULL);
        }
        TAP_CHECK(t, alloc_mem(PAGE) == page);
        TAP_EQ(t, cleanup_alloc(), 0);
    }
}

static void wrong_frees(tap *t)
{
    static char foreign[64];
    TAP_EQ(t, init_alloc(), 0);
    char *a = alloc_mem(64), *b = alloc_mem(64);
    unsigned long before = alloc_warnings();
    dealloc_mem(NULL);
    TAP_EQ(t, alloc_warnings(), before);
    char *wrong[] = {foreign,
                     a + 8,
                     a + 1,
                     a + 63,
                     b + 64,
                     b + 72,
                     a + PAGE,
                     a - 1,
                     a + PAGE - 1,
                     (char *)&wrong,
                     a - 8,
                     (char *)1,
                     (char *)UINTPTR_MAX};
    for (size_t i = 0; i < LOAM_ARRAY_LEN(wrong); i++)
        dealloc_mem(wrong[i]);
    TAP_EQ(t, alloc_warnings(), before + LOAM_ARRAY_LEN(wrong));
    dealloc_mem(a);
    dealloc_mem(a);
    TAP_EQ(t, alloc_warnings(), before + LOAM_ARRAY_LEN(wrong) + 1);
    TAP_RULE(t, alloc_check(), NULL);
    TAP_CHECK(t, alloc_mem(128) == b + 64);
    TAP_CHECK(t, alloc_mem(64) == a);
    TAP_EQ(t, cleanup_alloc(), 0);
}

static void init_twice(tap *t)
{
    unsigned long before = alloc_warnings();
    TAP_EQ(t, init_alloc(), 0);
    char *a = alloc_mem(8);
    *a = 'a';
    TAP_EQ(t, init_alloc(), -1);
    TAP_EQ(t, alloc_warnings(), before + 1);
    TAP_CHECK(t, *a == 'a' && alloc_mem(8) == a + 8);
    TAP_EQ(t, cleanup_alloc(), 0);
    TAP_EQ(t, cleanup_alloc(), -1);
    TAP_EQ(t, alloc_warnings(), before + 2);
}

static void again(tap *t)
{
    for (int i = 0; i < 1000; i++) {
        TAP_EQ(t, init_alloc(), 0);
        char *a = alloc_mem(PAGE);
        TAP_CHECK(t, a != NULL && a[0] == 0 && a[PAGE - 1] == 0);
        __builtin_memset(a, i, PAGE);
        TAP_EQ(t, cleanup_alloc(), 0);
        TAP_CHECK(t, alloc_mem(8) == NULL);
    }
}

static const tap_case cases[] = {
    {"alloc: sizes that are none, INT_MIN and INT_MAX among them: NULL", bad_sizes},
    {"alloc: before init and after cleanup: NULL, ignored, -1", not_initialised},
    {"alloc: 4096: all of the page", whole_page},
    {"alloc: 512 blocks of 8, every other one freed: a tag for each piece", most_pieces},
    {"alloc: first fit: the lowest place that is large enough", first_fit},
    {"dealloc: neighbours in any order: one free piece", coalescing},
    {"dealloc: twice, inside, foreign: ignored and counted, nothing changes", wrong_frees},
    {"init_alloc: twice: -1, counted, blocks stay", init_twice},
    {"init_alloc: after cleanup: a new page, a thousand times", again},
};
extern const tap_suite tap_suite_cs3101_alloc_test;
TAP_SUITE(cs3101_alloc_test, cases);
