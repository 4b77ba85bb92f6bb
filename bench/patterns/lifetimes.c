/* SPDX-License-Identifier: MIT */
/* lifetimes.c - random sizes with random lifetimes: of 16 bytes to 16 KiB, every power of two as
 * likely as the next, one of 64 up to 256 KiB; half of the blocks live for 64 steps, the others
 * until chance finds them.
 */
#include "pattern.h"
#include <stdlib.h>

enum { SHORT = 64, LONG = 8192 };

typedef struct life {
    pattern_part part; /* work: steps */
    void *block[SHORT + LONG];
    size_t size[SHORT + LONG];
} life;

static void replace(life *l, size_t k)
{
    if (l->block[k] != NULL)
        l->part.sum += pattern_drop(l->block[k], l->size[k]);
    bool large = pattern_below(&l->part.random, 64) == 0;
    l->size[k] =
        large ? pattern_size(&l->part.random, 16384, 4) : pattern_size(&l->part.random, 16, 10);
    l->block[k] = pattern_new(l->size[k], pattern_random(&l->part.random));
}

static void *live(void *arg)
{
    life *l = arg;
    for (unsigned long i = 0; i < l->part.work; i++)
        replace(l, i % 2 == 0 ? (i / 2) % SHORT : SHORT + pattern_below(&l->part.random, LONG));
    for (size_t k = 0; k < SHORT + LONG; k++) {
        if (l->block[k] != NULL)
            l->part.sum += pattern_drop(l->block[k], l->size[k]);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pattern p = pattern_open(argc, argv, 6000000);
    pattern_share(&p, live, sizeof(life));
}
