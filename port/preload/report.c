/* SPDX-License-Identifier: MIT */
/* report.c - the port of a process whose malloc this is: one line, written without malloc, and the
 * end.
 *
 * The line stays in loam_last_report, for whoever looks at the core dump. */
#define _GNU_SOURCE
#include "preload.h"

#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

_Thread_local unsigned loam_port_cpu_self = PROCESS_NOBODY; /* until it has a number: threads.c */

PRELOAD_EXPORT extern char loam_last_report[256];
char loam_last_report[256];

static loam_policy policy = LOAM_POLICY_PANIC;
static loam_report_fn *listener;
static void *listener_ctx;

static void tell(const loam_report *report)
{
    loam_text text;
    if (listener != NULL) {
        listener(listener_ctx, report);
        return;
    }
    loam_text_init(&text, loam_last_report, sizeof(loam_last_report) - 1);
    loam_text_fmt(&text, "loam: ");
    loam_report_text(&text, report);
    size_t len = 0;
    while (loam_last_report[len] != '\0')
        len++;
    loam_last_report[len] = '\n';
    (void)!write(STDERR_FILENO, loam_last_report, len + 1); /* nothing is left to do if it fails */
    loam_last_report[len] = '\0';
}

void loam_port_misuse(const loam_report *report)
{
    tell(report);
    if (policy == LOAM_POLICY_PANIC)
        abort();
}

_Noreturn void loam_port_corrupt(const loam_report *report)
{
    tell(report);
    abort();
}

loam_policy loam_port_set_policy(loam_policy wanted)
{
    loam_policy former = policy;
    policy = wanted;
    return former;
}

void loam_port_on_report(loam_report_fn *fn, void *ctx)
{
    listener = fn;
    listener_ctx = ctx;
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
