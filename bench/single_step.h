/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BENCH_SINGLE_STEP_H
#define LOAM_BENCH_SINGLE_STEP_H

/* single_step.h - runs a function one instruction at a time and looks at each before it is
 * executed: an exact count of what really ran, on any machine, without counters of the hardware.
 *
 *     trap flag on -> instruction -> SIGTRAP: a handler decodes the next one -> instruction -> ...
 *
 * It takes tens of microseconds an instruction, so a few thousand are enough. x86-64 only.
 */
#include <stdbool.h>
#include <stdint.h>

typedef struct step_counts {
    uint64_t instructions;
    uint64_t locked; /* with a lock prefix, or an exchange with memory, which locks without one */
    uint64_t fences; /* mfence, lfence, sfence */
} step_counts;

/* Whether this machine can. */
bool step_possible(void);

/* Runs fn(ctx) and counts what it executes, the calls it makes too, the kernel's part of a system
 * call not. One thread at a time. */
step_counts step_run(void (*fn)(void *ctx), void *ctx);

/* Counts a few instructions of each kind, of which it is known how many there are. NULL, or what
 * was counted wrong. */
const char *step_verify(void);

#endif
