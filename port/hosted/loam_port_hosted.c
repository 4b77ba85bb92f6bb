/* SPDX-License-Identifier: MIT */
/* loam_port_hosted.c - the port inside a process: what loam_port.h does not do inline.
 *
 * A report is one line on standard error. Panic is abort(): a debugger or a sanitizer stops there
 * with the caller's stack. Policy and listener are set before threads start and not changed while
 * they run. */
#define _POSIX_C_SOURCE 200809L
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "loam/port.h"

_Thread_local unsigned loam_port_cpu_self;
#if LOAM_LOCK_ORDER
_Thread_local loam_lock_held loam_hosted_held;
#endif

static loam_policy hosted_policy = LOAM_POLICY_PANIC; /* [init] */
static loam_report_fn *hosted_listener;               /* [init] NULL: print */
static void *hosted_listener_ctx;                     /* [init] */

static void hosted_tell(const loam_report *report)
{
    if (hosted_listener != NULL) {
        hosted_listener(hosted_listener_ctx, report);
        return;
    }
    char line[256];
    loam_text text;
    loam_text_init(&text, line, sizeof line);
    loam_report_text(&text, report);
    fprintf(stderr, "loam: %s\n", line); /* one call: lines of two threads stay whole */
}

void loam_port_misuse(const loam_report *report)
{
    hosted_tell(report);
    if (hosted_policy == LOAM_POLICY_PANIC)
        abort();
}

_Noreturn void loam_port_corrupt(const loam_report *report)
{
    hosted_tell(report);
    abort();
}

loam_policy loam_port_set_policy(loam_policy policy)
{
    loam_policy former = hosted_policy;
    hosted_policy = policy;
    return former;
}

void loam_port_on_report(loam_report_fn *fn, void *ctx)
{
    hosted_listener = fn;
    hosted_listener_ctx = ctx;
}

uint64_t loam_port_ticks(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

void loam_hosted_yield(void)
{
    sched_yield();
}
