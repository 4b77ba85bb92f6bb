/* SPDX-License-Identifier: MIT */
/* stacsos_threads_test.c - several cores at once, each a thread: no page twice, all back. */
#include "../../compat/stacsos/page_allocator.h"
#include "tap.h"
#include <pthread.h>

enum { CORES = 4, PAGES = 256, MEMORY = 16384, ROUNDS = 5000, HELD = 8 };

static unsigned char memory[MEMORY] __attribute__((aligned(64)));
static unsigned char frames[PAGES * LOAM_PAGE_SIZE] __attribute__((aligned(4096)));
static unsigned bad[CORES];

/* Marks the first byte of each page as this core's, or looks that it still is. */
static unsigned touch(const struct page *block, int order, unsigned char mark, bool look)
{
    unsigned char *byte = frames + stacsos_pfn_of(block) * LOAM_PAGE_SIZE;
    unsigned wrong = 0;
    for (unsigned i = 0; i < 1U << order; i++, byte += LOAM_PAGE_SIZE) {
        wrong += look && *byte != mark;
        *byte = mark;
    }
    return wrong;
}

static void *work(void *arg)
{
    unsigned self = (unsigned)((unsigned *)arg - bad);
    unsigned char mark = (unsigned char)(self + 1);
    struct page *held[HELD] = {NULL};
    loam_hosted_set_cpu(self);
    for (unsigned i = 0; i < ROUNDS + HELD; i++) {
        unsigned slot = i % HELD;
        int order = (int)(slot % 4);
        if (held[slot] != NULL) {
            bad[self] += touch(held[slot], order, mark, true);
            free_pages(held[slot], order);
        }
        held[slot] = i < ROUNDS ? allocate_pages(order, i % 3 == 0 ? zero : none) : NULL;
        if (held[slot] != NULL)
            (void)touch(held[slot], order, mark, false);
        if (i % 512 == self)
            (void)find_free_block(order, stacsos_page_of(i % PAGES));
    }
    return NULL;
}

static void cores_at_once(tap *t)
{
    const loam_linear linear = {0, sizeof(frames), frames};
    pthread_t thread[CORES];
    TAP_EQ(t, stacsos_init(memory, sizeof(memory), PAGES, &linear), 0);
    TAP_EQ(t, insert_free_pages(stacsos_page_of(0), PAGES), 0);
    tap_catch(t);
    for (unsigned i = 0; i < CORES; i++)
        TAP_EQ(t, pthread_create(&thread[i], NULL, work, &bad[i]), 0);
    for (unsigned i = 0; i < CORES; i++)
        TAP_EQ(t, pthread_join(thread[i], NULL), 0);
    TAP_EQ(t, tap_caught(t), 0);
    for (unsigned i = 0; i < CORES; i++)
        TAP_EQ(t, bad[i], 0);
    TAP_RULE(t, stacsos_check(), NULL);
    TAP_EQ(t, stacsos_stat().free, PAGES);
    TAP_CHECK(t, find_free_block(8, stacsos_page_of(0)));
}

static const tap_case cases[] = {
    {"stacsos threads: four at once: no page twice, one block at the end", cores_at_once},
};
extern const tap_suite tap_suite_stacsos_threads_test;
TAP_SUITE(stacsos_threads_test, cases);
