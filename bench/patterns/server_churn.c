/* SPDX-License-Identifier: MIT */
/* server_churn.c - a server's threads: each has a thousand objects and replaces random ones; when
 * its time is over, the next thread inherits them. So most objects are freed by a thread that is
 * not their maker, whose maker is gone. The idea is Larson's and Krishnan's.
 *
 *     4 desks:   thread ---- objects ----> thread ---- objects ----> thread ...
 */
#include "pattern.h"
#include <pthread.h>
#include <stdlib.h>

enum { DESKS = 4, OBJECTS = 1000, SHIFTS = 40 };

typedef struct desk {
    uint64_t random, sum;
    unsigned long steps; /* of one shift */
    unsigned shifts;     /* still to come */
    void *object[OBJECTS];
    size_t size[OBJECTS];
} desk;

static void replace(desk *d, uint32_t k)
{
    if (d->object[k] != NULL)
        d->sum += pattern_drop(d->object[k], d->size[k]);
    d->size[k] = PATTERN_LEAST + pattern_below(&d->random, 1000);
    d->object[k] = pattern_new(d->size[k], pattern_random(&d->random));
}

static void *shift(void *arg)
{
    desk *d = arg;
    for (unsigned long i = 0; i < d->steps; i++)
        replace(d, pattern_below(&d->random, OBJECTS));
    return NULL;
}

static void *run_desk(void *arg)
{
    desk *d = arg;
    for (uint32_t k = 0; k < OBJECTS; k++)
        replace(d, k);
    for (unsigned i = 0; i < SHIFTS; i++)
        pattern_threads(1, shift, d, sizeof *d);
    for (uint32_t k = 0; k < OBJECTS; k++)
        d->sum += pattern_drop(d->object[k], d->size[k]);
    return NULL;
}

int main(int argc, char **argv)
{
    static desk desks[DESKS];
    pattern p = pattern_open(argc, argv, 70000);
    uint64_t sum = 0;
    for (unsigned i = 0; i < DESKS; i++)
        desks[i] = (desk){.random = i + 1, .steps = p.work};
    pattern_threads(DESKS, run_desk, desks, sizeof desks[0]);
    for (unsigned i = 0; i < DESKS; i++)
        sum += desks[i].sum;
    pattern_done(sum);
}
