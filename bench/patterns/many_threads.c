/* SPDX-License-Identifier: MIT */
/* many_threads.c - 64 threads at once, each with little to do and a small heap of its own; then all
 * of them end, and the next 64 come.
 */
#include "pattern.h"
#include <stdlib.h>

enum { THREADS = 64, SLOTS = 100, STEPS = 4000 };

static void *work(void *arg)
{
    pattern_part *w = arg;
    void *block[SLOTS] = {NULL};
    size_t size[SLOTS];
    for (unsigned i = 0; i < STEPS + SLOTS; i++) {
        uint32_t k = i < STEPS ? pattern_below(&w->random, SLOTS) : i - STEPS;
        if (block[k] != NULL)
            w->sum += pattern_drop(block[k], size[k]);
        block[k] = NULL;
        if (i >= STEPS)
            continue;
        size[k] = pattern_size(&w->random, 16, 6);
        block[k] = pattern_new(size[k], pattern_random(&w->random));
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pattern p = pattern_open(argc, argv, 64);
    pattern_rounds(p.work, THREADS, work);
}
