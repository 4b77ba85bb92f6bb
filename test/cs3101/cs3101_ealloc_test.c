/* SPDX-License-Identifier: MIT */
/* cs3101_ealloc_test.c - the elastic allocator: what each call answers, misuse included. */
#include "../../compat/cs3101/ealloc.h"
#include "tap.h"
#include <limits.h>

enum { PAGE = 4096, QUANTUM = 256, BLOCKS = PAGE / QUANTUM, PAGES = 4 };

/* So many pages can be had, and no more. */
static void has_pages(tap *t, int pages)
{
    char *page[16];
    for (int i = 0; i < pages; i++)
        TAP_CHECK(t, (page[i] = ealloc_mem(PAGE)) != NULL && (uintptr_t)page[i] % PAGE == 0);
    TAP_CHECK(t, ealloc_mem(QUANTUM) == NULL);
    for (int i = 0; i < pages; i++)
        edealloc_mem(page[i]);
}

static void bad_sizes(tap *t)
{
    static const int sizes[] = {
        0,    -1,   -256, 1,       8,     128,     255,           257,           384,     4095,
        4097, 4352, 8192, INT_MAX, -4096, INT_MIN, INT_MAX - 255, INT_MIN + 256, 1 << 16, 1 << 30};
    TAP_EQ(t, einit_alloc(), 0);
    for (size_t i = 0; i < LOAM_ARRAY_LEN(sizes); i++)
        TAP_CHECK(t, ealloc_mem(sizes[i]) == NULL);
    has_pages(t, PAGES);
    TAP_EQ(t, ecleanup_alloc(), 0);
}

static void not_initialised(tap *t)
{
    char here;
    unsigned long before = ealloc_warnings();
    TAP_CHECK(t, ealloc_mem(256) == NULL);
    edealloc_mem(NULL);
    TAP_EQ(t, ealloc_warnings(), before);
    edealloc_mem(&here);
    TAP_EQ(t, ealloc_warnings(), before + 1);
    TAP_EQ(t, ecleanup_alloc(), -1);
    TAP_EQ(t, ealloc_warnings(), before + 2);
    TAP_RULE(t, ealloc_check(), NULL);
}

static void never_across(tap *t)
{
    TAP_EQ(t, einit_alloc(), 0);
    char *a = ealloc_mem(3072), *b = ealloc_mem(3072), *c = ealloc_mem(2048);
    TAP_CHECK(t, (uintptr_t)a % PAGE == 0 && (uintptr_t)b % PAGE == 0 && (uintptr_t)c % PAGE == 0);
    TAP_CHECK(t, ealloc_mem(1024) == a + 3072); /* a page that has room goes before a new one */
    TAP_CHECK(t, ealloc_mem(1024) == b + 3072);
    TAP_CHECK(t, ealloc_mem(1280) == c + 2048);
    TAP_CHECK(t, ealloc_mem(1024) != c + 2048 + 1280); /* 768 are left there: the fourth page */
    TAP_CHECK(t, ealloc_mem(3328) == NULL);
    TAP_CHECK(t, ealloc_mem(768) == c + 2048 + 1280);
    TAP_EQ(t, ecleanup_alloc(), 0);
}

static void most_pieces(tap *t)
{
    char *block[PAGES][BLOCKS];
    TAP_EQ(t, einit_alloc(), 0);
    for (int i = 0; i < PAGES * BLOCKS; i++) {
        char **here = &block[i / BLOCKS][i % BLOCKS];
        *here = ealloc_mem(QUANTUM);
        TAP_CHECK(t, *here == block[i / BLOCKS][0] + i % BLOCKS * QUANTUM);
        __builtin_memset(*here, i, QUANTUM);
    }
    TAP_CHECK(t, ealloc_mem(QUANTUM) == NULL);
    for (int i = 0; i < PAGES * BLOCKS; i += 2)
        edealloc_mem(block[i / BLOCKS][i % BLOCKS]);
    TAP_RULE(t, ealloc_check(), NULL);
    TAP_CHECK(t, ealloc_mem(2 * QUANTUM) == NULL);
    for (int i = 0; i < PAGES * BLOCKS; i += 2)
        TAP_CHECK(t, ealloc_mem(QUANTUM) == block[i / BLOCKS][i % BLOCKS]);
    for (int i = PAGES * BLOCKS; i-- > 0;)
        edealloc_mem(block[i / BLOCKS][i % BLOCKS]);
    TAP_RULE(t, ealloc_check(), NULL);
    has_pages(t, PAGES);
    TAP_EQ(t, ecleanup_alloc(), 0);
}

static void wrong_frees(tap *t)
{
    static char foreign[64];
    TAP_EQ(t, einit_alloc(), 0);
    char *a = ealloc_mem(512), *b = ealloc_mem(PAGE);
    unsigned long before = ealloc_warnings();
    edealloc_mem(NULL);
    TAP_EQ(t, ealloc_warnings(), before);
    char *wrong[] = {foreign, a + 8,          a + 256,   a + 512,
                     b + 1,   b + PAGE - 256, (char *)1, (char *)UINTPTR_MAX};
    for (size_t i = 0; i < LOAM_ARRAY_LEN(wrong); i++)
        edealloc_mem(wrong[i]);
    TAP_EQ(t, ealloc_warnings(), before + LOAM_ARRAY_LEN(wrong));
    edealloc_mem(b);
    edealloc_mem(b);
    TAP_EQ(t, ealloc_warnings(), before + LOAM_ARRAY_LEN(wrong) + 1);
    TAP_RULE(t, ealloc_check(), NULL);
    TAP_CHECK(t, ealloc_mem(PAGE) == b && ealloc_mem(512) == a + 512);
    TAP_EQ(t, ecleanup_alloc(), 0);
}

static void init_twice(tap *t)
{
    unsigned long before = ealloc_warnings();
    TAP_EQ(t, einit_alloc(), 0);
    char *a = ealloc_mem(256);
    TAP_EQ(t, einit_alloc(), -1);
    TAP_EQ(t, ealloc_warnings(), before + 1);
    TAP_CHECK(t, ealloc_mem(256) == a + 256);
    TAP_EQ(t, ecleanup_alloc(), 0);
    TAP_EQ(t, ecleanup_alloc(), -1);
    TAP_EQ(t, ealloc_warnings(), before + 2);
}

/* The second life must not take the first one's page, which is still its holder's. */
static void again(tap *t)
{
    char *kept[20];
    for (int i = 0; i < 20; i++) {
        TAP_EQ(t, einit_alloc(), 0);
        kept[i] = ealloc_mem(PAGE);
        __builtin_memset(kept[i], i, PAGE);
        TAP_EQ(t, ecleanup_alloc(), 0);
        TAP_CHECK(t, ealloc_mem(256) == NULL);
    }
    for (int i = 0; i < 20; i++)
        TAP_CHECK(t, kept[i][0] == i && kept[i][PAGE - 1] == i);
}

static void limit_bad(tap *t)
{
    static const int bad[] = {0, -1, INT_MIN, INT_MAX, 65537};
    for (size_t i = 0; i < LOAM_ARRAY_LEN(bad); i++)
        TAP_EQ(t, ealloc_limit(bad[i]), -1);
    TAP_EQ(t, einit_alloc(), 0);
    for (size_t i = 0; i < LOAM_ARRAY_LEN(bad); i++)
        TAP_EQ(t, ealloc_limit(bad[i]), -1);
    has_pages(t, PAGES);
    TAP_EQ(t, ecleanup_alloc(), 0);
}

static void limit_before(tap *t)
{
    static const int limits[] = {1, 7, 16, 2, PAGES};
    for (size_t i = 0; i < LOAM_ARRAY_LEN(limits); i++) {
        TAP_EQ(t, ealloc_limit(limits[i]), 0);
        TAP_EQ(t, einit_alloc(), 0);
        has_pages(t, limits[i]);
        TAP_EQ(t, ecleanup_alloc(), 0);
        TAP_EQ(t, einit_alloc(), 0); /* cleanup keeps the limit */
        has_pages(t, limits[i]);
        TAP_EQ(t, ecleanup_alloc(), 0);
    }
}

static void limit_between(tap *t)
{
    TAP_EQ(t, einit_alloc(), 0);
    has_pages(t, PAGES);
    TAP_EQ(t, ealloc_limit(6), 0);
    has_pages(t, 6);
    TAP_EQ(t, ealloc_limit(1), 0);
    has_pages(t, 6); /* they stay */
    TAP_EQ(t, ealloc_limit(8), 0);
    has_pages(t, 8);
    TAP_EQ(t, ecleanup_alloc(), 0);
    TAP_EQ(t, ealloc_limit(65536), 0);
    TAP_EQ(t, ealloc_limit(PAGES), 0);
}

static const tap_case cases[] = {
    {"ealloc: sizes that are none, INT_MIN and INT_MAX among them: NULL, no page", bad_sizes},
    {"ealloc: before einit and after ecleanup: NULL, ignored, -1", not_initialised},
    {"ealloc: never across a page, a new page only when none has room", never_across},
    {"ealloc: 64 blocks of 256, every other one freed: a tag for each piece", most_pieces},
    {"edealloc: twice, inside, foreign: ignored and counted, nothing changes", wrong_frees},
    {"einit_alloc: twice: -1, counted, blocks stay", init_twice},
    {"ecleanup_alloc: pages stay with their holders, the next life has its own", again},
    {"ealloc_limit: a number that is none: -1, four pages", limit_bad},
    {"ealloc_limit: before einit: so many pages, kept by ecleanup", limit_before},
    {"ealloc_limit: while in use: raised at once, lowered for new pages alone", limit_between},
};
extern const tap_suite tap_suite_cs3101_ealloc_test;
TAP_SUITE(cs3101_ealloc_test, cases);
