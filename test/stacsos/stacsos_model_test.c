/* SPDX-License-Identifier: MIT */
/* stacsos_model_test.c - random calls beside a textbook buddy allocator whose free lists are one
 * byte a page: what each call answers, and every free list after it. */
#include "../../compat/stacsos/page_allocator.h"
#include "tap.h"

enum { PAGES = 512, MEMORY = 16384, STEPS = 3000, NOT_FREE = 0xff };

static unsigned char memory[MEMORY] __attribute__((aligned(64)));
static uint8_t head[PAGES]; /* order of the free block that starts here, or NOT_FREE */
static uint8_t out[PAGES];  /* 1 + order of the allocated block that starts here, or 0 */

static void model_free(unsigned page, unsigned order)
{
    unsigned buddy = page ^ 1U << order;
    while (order < LastOrder && buddy < PAGES && head[buddy] == order) {
        head[buddy] = NOT_FREE;
        page &= ~(1U << order++);
        buddy = page ^ 1U << order;
    }
    head[page] = (uint8_t)order;
}

/* PAGES: no memory. */
static unsigned model_allocate(unsigned order)
{
    for (unsigned k = order; k <= LastOrder; k++) {
        for (unsigned page = 0; page < PAGES; page++) {
            if (head[page] != k)
                continue;
            head[page] = NOT_FREE;
            while (k-- > order)
                head[page + (1U << k)] = (uint8_t)k;
            return page;
        }
    }
    return PAGES;
}

static void lists_agree(tap *t)
{
    stacsos_free_lists();
    for (int k = 0; k <= LastOrder; k++) {
        struct page *at = free_list_[k];
        for (unsigned page = 0; page < PAGES; page++) {
            TAP_CHECK(t, find_free_block(k, stacsos_page_of(page)) == (head[page] == k));
            if (head[page] != k)
                continue;
            TAP_CHECK(t, at == stacsos_page_of(page));
            at = stacsos_next_free(k, at);
        }
        TAP_CHECK(t, at == NULL);
    }
}

static void allocate_one(tap *t)
{
    unsigned order = (unsigned)tap_below(t, 7), want = model_allocate(order);
    uint64_t got = stacsos_pfn_of(allocate_pages((int)order, none));
    TAP_EQ(t, got, want == PAGES ? ~0ULL : want);
    if (want != PAGES)
        out[want] = (uint8_t)(1 + order);
}

/* The block that starts here, or half of it: then what stays is single pages. */
static void free_one(tap *t, unsigned page)
{
    unsigned order = out[page] - 1U, part = order;
    if (order > 0 && tap_below(t, 4) == 0) {
        part = order - 1;
        for (unsigned i = 0; i < 1U << order; i++)
            out[page + i] = 1;
        page += (unsigned)tap_below(t, 2) << part;
    }
    free_pages(stacsos_page_of(page), (int)part);
    for (unsigned i = 0; i < 1U << part; i++)
        out[page + i] = 0;
    model_free(page, part);
}

static void step(tap *t)
{
    unsigned page = (unsigned)tap_below(t, PAGES);
    if (tap_below(t, 2) == 0) {
        allocate_one(t);
        return;
    }
    while (page < PAGES && out[page] == 0)
        page++;
    if (page < PAGES)
        free_one(t, page);
}

static void same_lists(tap *t)
{
    TAP_EQ(t, stacsos_init(memory, sizeof(memory), PAGES, NULL), 0);
    __builtin_memset(head, NOT_FREE, sizeof(head));
    __builtin_memset(out, 0, sizeof(out));
    tap_catch(t);
    for (unsigned first = 3; first < PAGES;) {
        uint64_t n = 1 + tap_below(t, 90);
        n = n < PAGES - first ? n : PAGES - first;
        TAP_EQ(t, insert_free_pages(stacsos_page_of(first), n), 0);
        for (unsigned i = 0; i < n; i++)
            model_free(first + i, 0);
        first += (unsigned)n + (unsigned)tap_below(t, 3);
        lists_agree(t);
    }
    for (unsigned i = 0; i < STEPS && t->failed == 0; i++) {
        step(t);
        TAP_RULE(t, stacsos_check(), NULL);
        if (i % 8 == 0)
            lists_agree(t);
    }
    for (unsigned page = 0; page < PAGES; page++)
        if (out[page] != 0)
            free_one(t, page--);
    lists_agree(t);
    TAP_EQ(t, stacsos_stat().used, 0);
    TAP_EQ(t, tap_caught(t), 0);
}

static const tap_case cases[] = {
    {"stacsos model: random calls: the textbook's answers and free lists", same_lists},
};
extern const tap_suite tap_suite_stacsos_model_test;
TAP_SUITE(stacsos_model_test, cases);
