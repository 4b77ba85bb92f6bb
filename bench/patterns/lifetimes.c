/* SPDX-License-Identifier: MIT */
/* lifetimes.c - random sizes with random lifetimes: of 16 bytes to 16 KiB, every power of two as
 * likely as the next, one of 64 up to 256 KiB; half of the blocks live for 64 steps, the others
 * until chance finds them.
 */
#include "pattern.h"
#include <stdlib.h>

enum { SHORT = 64, LONG = 8192 };

typedef struct life {
    unsigned long steps;
    uint64_t random, sum;
    void *block[SHORT + LONG];
    size_t size[SHORT + LONG];
} life;

static void replace(life *l, size_t k)
{
    if (l->block[k] != NULL)
        l->sum += pattern_drop(l->block[k], l->size[k]);
    bool large = pattern_below(&l->random, 64) == 0;
    l->size[k] = large ? pattern_size(&l->random, 16384, 4) : pattern_size(&l->random, 16, 10);
    l->block[k] = pattern_new(l->size[k], pattern_random(&l->random));
}

static void *live(void *arg)
{
    life *l = arg;
    for (unsigned long i = 0; i < l->steps; i++)
        replace(l, i % 2 == 0 ? (i / 2) % SHORT : SHORT + pattern_below(&l->random, LONG));
    for (size_t k = 0; k < SHORT + LONG; k++) {
        if (l->block[k] != NULL)
            l->sum += pattern_drop(l->block[k], l->size[k]);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pattern p = pattern_open(argc, argv, 6000000);
    life *lives = calloc(p.threads, sizeof *lives);
    uint64_t sum = 0;
    if (lives == NULL)
        pattern_die("no memory");
    for (unsigned i = 0; i < p.threads; i++) {
        lives[i].steps = p.work / p.threads + 1;
        lives[i].random = i + 1;
    }
    pattern_threads(p.threads, live, lives, sizeof *lives);
    for (unsigned i = 0; i < p.threads; i++)
        sum += lives[i].sum;
    free(lives);
    pattern_done(sum);
}
