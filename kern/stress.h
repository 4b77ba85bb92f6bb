/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_STRESS_H
#define LOAM_KERN_STRESS_H

/* stress.h - all processors allocate at once; stress_impl.h has its inner parts. */
#include "loam/base.h"

typedef struct stress_wish {
    uint64_t ops;  /* allocations and frees, over all processors */
    uint64_t seed; /* of all choices but the order in which processors meet; 0: the command line's,
                      or 1 */
    bool offline;  /* processors leave and come back meanwhile */
} stress_wish;

/* Reads "OPS[,SEED][,offline]". false: no such thing. */
bool stress_parse(const char *text, stress_wish *wish);

/* Runs it, by processor 0. Prints "stress: cpus=N ops=N seed=0x..." and at the end
 * "stress: passed", or the first thing that was wrong. */
bool stress_run(const stress_wish *wish);

#endif
