/* SPDX-License-Identifier: MIT */
/* shomp_threads_test.c - the heap used from two threads at once, as by a kernel and its interrupts.
 * The original allocated in interrupts without a lock. */
#include "../../compat/shomp/inc/shomp.h"
#include "tap.h"
#include <pthread.h>

enum { ROUNDS = 20000, HELD = 8 };

static unsigned char memory[SHOMP_HEAP_BYTES];

static void *work(void *spoiled)
{
    unsigned char *held[HELD] = {NULL}, mine = (unsigned char)(uintptr_t)spoiled;
    unsigned *bad = spoiled;
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned slot = i * 5 % HELD;
        if (held[slot] != NULL)
            *bad += held[slot][0] != mine || held[slot][6] != mine;
        shomp_free((void **)&held[slot]);
        held[slot] = shomp_allocate(1 + i % 40);
        if (held[slot] != NULL)
            held[slot][0] = held[slot][6] = mine;
    }
    for (unsigned i = 0; i < HELD; i++)
        shomp_free((void **)&held[i]);
    return NULL;
}

static void two_at_once(tap *t)
{
    unsigned bad[2] = {0, 0}, count[SHOMP_MAX_SCALE + 1];
    pthread_t thread[2];
    shomp_init_heap(memory);
    tap_catch(t);
    for (unsigned i = 0; i < 2; i++)
        TAP_EQ(t, pthread_create(&thread[i], NULL, work, &bad[i]), 0);
    for (unsigned i = 0; i < 2; i++)
        TAP_EQ(t, pthread_join(thread[i], NULL), 0);
    TAP_EQ(t, tap_caught(t), 0);
    TAP_EQ(t, bad[0] + bad[1], 0);
    TAP_RULE(t, shomp_check(), NULL);
    TAP_EQ(t, shomp_counts(count), SHOMP_HEAP_SCALE);
    TAP_EQ(t, count[SHOMP_HEAP_SCALE], 1);
}

static const tap_case cases[] = {
    {"shomp threads: two at once: no block twice, one free block at the end", two_at_once},
};
extern const tap_suite tap_suite_shomp_threads_test;
TAP_SUITE(shomp_threads_test, cases);
