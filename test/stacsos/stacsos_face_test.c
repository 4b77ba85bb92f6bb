/* SPDX-License-Identifier: MIT */
/* stacsos_face_test.c - the document's names, lines and refusals. */
#include "../../compat/stacsos/page_allocator.h"
#include "tap.h"

enum { PAGES = 2048, MEMORY = 16384, MANY = 1 << 18, MANY_MEMORY = 400000, TEXT = 8192 };

static unsigned char memory[MEMORY] __attribute__((aligned(64)));
static unsigned char much[MANY_MEMORY] __attribute__((aligned(64)));
static unsigned char frames[16 * LOAM_PAGE_SIZE] __attribute__((aligned(4096)));
static char text_buf[TEXT];
static loam_text text;

static void keep(void *ctx, const char *piece)
{
    (void)ctx;
    loam_text_str(&text, piece);
}

static void listen(void)
{
    loam_text_init(&text, text_buf, sizeof(text_buf));
    stacsos_set_output(keep, NULL);
}

static void fresh(tap *t)
{
    const loam_linear linear = {0, sizeof(frames), frames};
    TAP_EQ(t, stacsos_init(memory, sizeof(memory), PAGES, &linear), 0);
    listen();
}

static void insert(tap *t, uint64_t first, uint64_t count)
{
    TAP_EQ(t, insert_free_pages(stacsos_page_of(first), count), 0);
}

static uint64_t allocated(int order)
{
    return stacsos_pfn_of(allocate_pages(order, none));
}

/* One call that is refused with this text, about this value. */
static void refused(tap *t, struct page *base, int order, const char *what, uint64_t value)
{
    bool is_double = tap_starts(what, "double"), is_never = tap_starts(what, "free of a page that");
    stacsos_stats before = stacsos_stat();
    tap_catch(t);
    TAP_EQ(t, merge_buddies(order, base), (uint64_t)-1);
    TAP_EQ(t, tap_caught(t), 1);
    TAP_STR(t, t->report.what, what);
    TAP_EQ(t, t->report.value, value);
    if (is_double || is_never)
        TAP_RULE(t, t->report.rule, "Z6");
    TAP_EQ(t, stacsos_stat().free, before.free);
    TAP_RULE(t, stacsos_check(), NULL);
}

/* ---- names, start ---- */

static void names_as_in_the_document(tap *t)
{
    int (*give)(struct page *, u64) = insert_free_pages;
    struct page *(*take)(int, stacsos_flags) = allocate_pages;
    void (*give_back)(struct page *, int) = free_pages;
    void (*show)(void) = dump;
    fresh(t);
    TAP_EQ(t, LastOrder, 16);
    TAP_EQ(t, sizeof(free_list_) / sizeof(free_list_[0]), 17);
    TAP_EQ(t, give(stacsos_page_of(0), 8), 0);
    struct page *page = take(0, zero);
    TAP_CHECK(t, page == stacsos_page_of(0));
    give_back(page, 0);
    show();
    TAP_CHECK(t, text.len > 0);
    TAP_EQ(t, stacsos_stat().free, 8);
}

static void init_refused(tap *t)
{
    TAP_EQ(t, stacsos_descriptor_bytes(0), 0);
    TAP_EQ(t, stacsos_descriptor_bytes(~0ULL), 0);
    TAP_CHECK(t, stacsos_descriptor_bytes(PAGES) <= sizeof(memory));
    TAP_CHECK(t, stacsos_descriptor_bytes(1 << 21) < (1 << 21) * 12ULL / 10);
    TAP_EQ(t, stacsos_init(NULL, sizeof(memory), PAGES, NULL), (uint64_t)-1);
    TAP_EQ(t, stacsos_init(memory, 100, PAGES, NULL), (uint64_t)-1);
    TAP_EQ(t, stacsos_init(memory, sizeof(memory), 0, NULL), (uint64_t)-1);
    TAP_CHECK(t, allocate_pages(0, none) == NULL);
    TAP_CHECK(t, stacsos_page_of(0) == NULL);
    TAP_CHECK(t, !find_free_block(0, NULL) && split_block(1, NULL) == NULL);
    TAP_EQ(t, insert_free_pages(NULL, 1), (uint64_t)-1);
    refused(t, NULL, 0, "free of what is no page", 0);
    TAP_EQ(t, stacsos_stat().free + stacsos_stat().used, 0);
    stacsos_free_lists();
    TAP_CHECK(t, free_list_[0] == NULL);
}

static void number_by_subtraction(tap *t)
{
    fresh(t);
    struct page *first = stacsos_page_of(0);
    TAP_EQ(t, sizeof(struct page), 1);
    for (uint64_t i = 0; i < PAGES; i++) {
        TAP_CHECK(t, stacsos_page_of(i) == first + i);
        TAP_EQ(t, stacsos_pfn_of(first + i), i);
    }
    TAP_CHECK(t, stacsos_page_of(PAGES) == NULL);
    TAP_EQ(t, stacsos_pfn_of(first + PAGES), ~0ULL);
    TAP_EQ(t, stacsos_pfn_of(NULL), ~0ULL);
}

/* ---- insert ---- */

static void insert_not_contiguous(tap *t)
{
    fresh(t);
    TAP_EQ(t, insert_free_pages(stacsos_page_of(1), PAGES), (uint64_t)-1);
    TAP_CHECK(t, tap_starts(text_buf, "insert_free_pages: 2048 pages from 0x"));
    TAP_EQ(t, insert_free_pages(stacsos_page_of(0), 0), (uint64_t)-1);
    TAP_EQ(t, insert_free_pages(stacsos_page_of(5), ~0ULL), (uint64_t)-1);
    TAP_EQ(t, insert_free_pages((struct page *)(void *)frames, 1), (uint64_t)-1);
    TAP_EQ(t, stacsos_stat().free, 0);
    TAP_RULE(t, stacsos_check(), NULL);
}

static void insert_twice(tap *t)
{
    fresh(t);
    insert(t, 0, 8);
    TAP_EQ(t, insert_free_pages(stacsos_page_of(2), 1), (uint64_t)-1);
    TAP_STR(t, text_buf, "insert_free_pages: page 2 is free already, nothing inserted\n");
    TAP_EQ(t, allocated(3), 0);
    listen();
    TAP_EQ(t, insert_free_pages(stacsos_page_of(7), 20), (uint64_t)-1);
    TAP_STR(t, text_buf, "insert_free_pages: page 7 is in use already, nothing inserted\n");
    listen();
    insert(t, 20, 1);
    TAP_EQ(t, insert_free_pages(stacsos_page_of(8), 20), (uint64_t)-1);
    TAP_STR(t, text_buf, "insert_free_pages: page 20 is free already, nothing inserted\n");
    TAP_EQ(t, stacsos_stat().free, 1);
    TAP_EQ(t, stacsos_stat().used, 8);
    TAP_RULE(t, stacsos_check(), NULL);
}

/* ---- allocate ---- */

static void allocate_lowest_of_smallest(tap *t)
{
    fresh(t);
    insert(t, 0, 8);
    insert(t, 13, 3);
    insert(t, 1300, 7);
    TAP_EQ(t, allocated(0), 13);
    TAP_EQ(t, allocated(0), 1306);
    TAP_EQ(t, allocated(0), 14);
    TAP_EQ(t, allocated(1), 1304);
    TAP_EQ(t, allocated(1), 1300);
    TAP_EQ(t, allocated(2), 0);
    TAP_EQ(t, allocated(3), ~0ULL);
    TAP_EQ(t, stacsos_stat().free, 1 + 2 + 4);
}

static void allocate_what_cannot_be(tap *t)
{
    fresh(t);
    TAP_CHECK(t, allocate_pages(0, none) == NULL);
    insert(t, 0, PAGES);
    TAP_CHECK(t, allocate_pages(LastOrder, none) == NULL);
    TAP_CHECK(t, allocate_pages(LastOrder + 1, none) == NULL);
    TAP_CHECK(t, allocate_pages(-1, none) == NULL);
    TAP_CHECK(t, allocate_pages(INT32_MIN, zero) == NULL);
    TAP_EQ(t, stacsos_stat().free, PAGES);
}

static void allocate_zeroed(tap *t)
{
    unsigned sum = 0;
    fresh(t);
    insert(t, 0, 32); /* 16 to 31 have no address */
    __builtin_memset(frames, 0x5a, sizeof(frames));
    TAP_EQ(t, allocated(2), 0);
    TAP_EQ(t, stacsos_pfn_of(allocate_pages(2, zero)), 4);
    for (size_t i = 0; i < 4 * LOAM_PAGE_SIZE; i++)
        sum += frames[4 * LOAM_PAGE_SIZE + i];
    TAP_EQ(t, sum, 0);
    TAP_EQ(t, frames[4 * LOAM_PAGE_SIZE - 1], 0x5a);
    TAP_EQ(t, frames[8 * LOAM_PAGE_SIZE], 0x5a);
    TAP_EQ(t, stacsos_pfn_of(allocate_pages(4, zero)), 16);
}

/* ---- free ---- */

static void free_refused(tap *t)
{
    fresh(t);
    insert(t, 0, 64);
    TAP_EQ(t, allocated(2), 0);
    TAP_EQ(t, allocated(2), 4);
    refused(t, NULL, 0, "free of what is no page", 0);
    refused(t, stacsos_page_of(0) + PAGES, 0, "free of what is no page",
            (uintptr_t)(stacsos_page_of(0) + PAGES));
    refused(t, stacsos_page_of(0), -1, "free with an order out of range", ~0ULL);
    refused(t, stacsos_page_of(0), 17, "free with an order out of range", 17);
    refused(t, stacsos_page_of(1), 1, "free of a block that does not start here", 1);
    refused(t, stacsos_page_of(0), 12, "free of a block that does not start here", 0);
    refused(t, stacsos_page_of(0), 3, "free of more than one block", 0);
    refused(t, stacsos_page_of(8), 0, "double free", 8);
    refused(t, stacsos_page_of(8), 3, "double free", 8);
    refused(t, stacsos_page_of(100), 0, "free of a page that was never inserted", 100);
    TAP_EQ(t, merge_buddies(2, stacsos_page_of(0)), 2);
    refused(t, stacsos_page_of(0), 2, "double free", 0);
    TAP_EQ(t, merge_buddies(2, stacsos_page_of(4)), 6);
    TAP_EQ(t, stacsos_stat().used, 0);
}

static void free_out_of_the_middle(tap *t)
{
    fresh(t);
    insert(t, 0, 16);
    TAP_EQ(t, allocated(3), 0);
    free_pages(stacsos_page_of(3), 0);
    TAP_CHECK(t, find_free_block(0, stacsos_page_of(3)));
    refused(t, stacsos_page_of(3), 0, "double free", 3);
    refused(t, stacsos_page_of(0), 2, "double free", 3);
    TAP_EQ(t, merge_buddies(2, stacsos_page_of(4)), 2);
    TAP_EQ(t, merge_buddies(1, stacsos_page_of(0)), 1);
    TAP_EQ(t, merge_buddies(0, stacsos_page_of(2)), 4);
    TAP_EQ(t, stacsos_stat().used, 0);
    TAP_RULE(t, stacsos_check(), NULL);
}

/* ---- views ---- */

static void views_of_a_block(tap *t)
{
    fresh(t);
    insert(t, 16, 16);
    TAP_CHECK(t, find_free_block(4, stacsos_page_of(16)));
    TAP_CHECK(t, !find_free_block(3, stacsos_page_of(16)));
    TAP_CHECK(t, !find_free_block(4, stacsos_page_of(17)));
    TAP_CHECK(t, !find_free_block(4, stacsos_page_of(0)));
    TAP_CHECK(t, !find_free_block(17, stacsos_page_of(16)));
    TAP_CHECK(t, split_block(4, stacsos_page_of(16)) == stacsos_page_of(24));
    TAP_CHECK(t, split_block(3, stacsos_page_of(16)) == NULL);
    TAP_EQ(t, allocated(0), 16);
    TAP_CHECK(t, split_block(0, stacsos_page_of(17)) == NULL);
    TAP_CHECK(t, find_free_block(3, stacsos_page_of(24)));
}

static void lists_ascend(tap *t)
{
    fresh(t);
    for (uint64_t i = 600; i-- > 0;)
        insert(t, 2 * i, 1);
    stacsos_free_lists();
    struct page *at = free_list_[0];
    for (uint64_t i = 0; i < 600; i++, at = stacsos_next_free(0, at))
        TAP_CHECK(t, at == stacsos_page_of(2 * i));
    TAP_CHECK(t, at == NULL && free_list_[1] == NULL);
    TAP_CHECK(t, stacsos_next_free(0, NULL) == NULL);
    TAP_CHECK(t, stacsos_next_free(17, stacsos_page_of(0)) == NULL);
}

/* What is larger than LastOrder below is shown, found and given out as blocks of LastOrder. */
static void last_order(tap *t)
{
    TAP_CHECK(t, stacsos_descriptor_bytes(MANY) <= sizeof(much));
    TAP_EQ(t, stacsos_init(much, sizeof(much), MANY, NULL), 0);
    insert(t, 0, MANY);
    stacsos_free_lists();
    TAP_CHECK(t, free_list_[16] == stacsos_page_of(0) && free_list_[15] == NULL);
    TAP_CHECK(t, stacsos_next_free(16, free_list_[16]) == stacsos_page_of(1 << 16));
    for (uint64_t i = 0; i < 4; i++)
        TAP_CHECK(t, find_free_block(16, stacsos_page_of(i << 16)));
    TAP_CHECK(t, !find_free_block(16, stacsos_page_of(1 << 15)));
    TAP_CHECK(t, split_block(16, stacsos_page_of(1 << 16)) == stacsos_page_of(3 << 15));
    TAP_EQ(t, allocated(16), 0);
    TAP_EQ(t, allocated(0), 1 << 16);
    TAP_EQ(t, merge_buddies(0, stacsos_page_of(1 << 16)), 16);
    TAP_EQ(t, merge_buddies(16, stacsos_page_of(0)), 16);
    TAP_RULE(t, stacsos_check(), NULL);
}

static void dump_as_in_the_document(tap *t)
{
    fresh(t);
    insert(t, 0, 8);
    insert(t, 13, 3);
    insert(t, 1300, 7);
    TAP_EQ(t, allocated(2), 1300);
    dump();
    TAP_STR(t, text_buf,
            "*** buddy page allocator - free list ***\n"
            "[00] 13 1306\n[01] 14--15 1304--1305\n[02] (empty)\n[03] 0--7\n[04] (empty)\n"
            "[05] (empty)\n[06] (empty)\n[07] (empty)\n[08] (empty)\n[09] (empty)\n"
            "[10] (empty)\n[11] (empty)\n[12] (empty)\n[13] (empty)\n[14] (empty)\n"
            "[15] (empty)\n[16] (empty)\nstats: free=14, used=4\n");
    stacsos_set_output(NULL, NULL);
    dump();
}

static void selftest_leaves_ours_alone(tap *t)
{
    fresh(t);
    insert(t, 5, 1);
    stacsos_set_output(NULL, NULL);
    TAP_CHECK(t, perform_selftest());
    TAP_CHECK(t, perform_selftest());
    TAP_EQ(t, stacsos_stat().free, 1);
    TAP_EQ(t, allocated(0), 5);
}

static const tap_case cases[] = {
    {"stacsos: names as in the document", names_as_in_the_document},
    {"stacsos init: no pages, no memory: refused, then nothing works", init_refused},
    {"stacsos page: number by subtraction", number_by_subtraction},
    {"stacsos insert: not one run of the array: said, nothing inserted", insert_not_contiguous},
    {"stacsos insert: twice: said, nothing inserted", insert_twice},
    {"stacsos allocate: the lowest of the smallest", allocate_lowest_of_smallest},
    {"stacsos allocate: bad order, no memory: NULL", allocate_what_cannot_be},
    {"stacsos allocate: zero: those pages alone, where they have an address", allocate_zeroed},
    {"stacsos free: each wrong one: refused by name", free_refused},
    {"stacsos free: a page out of the middle: the rest stays allocated", free_out_of_the_middle},
    {"stacsos views: find_free_block, split_block", views_of_a_block},
    {"stacsos views: free lists ascend", lists_ascend},
    {"stacsos views: nothing above LastOrder", last_order},
    {"stacsos dump: as in the document", dump_as_in_the_document},
    {"stacsos selftest: passes, twice, and leaves the allocator alone", selftest_leaves_ours_alone},
};
extern const tap_suite tap_suite_stacsos_face_test;
TAP_SUITE(stacsos_face_test, cases);
