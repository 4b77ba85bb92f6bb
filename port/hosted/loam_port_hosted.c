/* SPDX-License-Identifier: MIT */
/* loam_port_hosted.c - the port inside a process: what loam_port.h does not do inline.
 *
 * A report is one line on standard error, by one write: it comes whole, and needs no memory, so
 * that it serves the process's own malloc (port/preload), too. Panic is abort(): a debugger or a
 * sanitizer stops there with the caller's stack, and the line stays in loam_last_report for whoever
 * looks at the core dump. Policy and listener are set before threads start and not changed while
 * they run. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "loam/port.h"

#ifndef LOAM_HOSTED_FIRST_CPU
#define LOAM_HOSTED_FIRST_CPU 0 /* of a thread that has not been numbered */
#endif

_Thread_local unsigned loam_port_cpu_self = LOAM_HOSTED_FIRST_CPU;
#if LOAM_LOCK_ORDER
_Thread_local loam_lock_held loam_hosted_held;
#endif

char loam_last_report[LOAM_HOSTED_LINE];

static loam_policy hosted_policy = LOAM_POLICY_PANIC; /* [init] */
static loam_report_fn *hosted_listener;               /* [init] NULL: print */
static void *hosted_listener_ctx;                     /* [init] */

static void hosted_line(const loam_report *report, char *line)
{
    loam_text text;
    loam_text_init(&text, line, LOAM_HOSTED_LINE - 1);
    loam_text_fmt(&text, "loam: ");
    loam_report_text(&text, report);
}

static void hosted_tell(const loam_report *report)
{
    char line[LOAM_HOSTED_LINE];
    size_t len = 0;
    int cancel;
    if (hosted_listener != NULL) {
        hosted_listener(hosted_listener_ctx, report);
        return;
    }
    hosted_line(report, line);
    while (line[len] != '\0')
        len++;
    line[len] = '\n';
    /* a thread that is to be cancelled does not end in the middle of a free */
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    while (write(STDERR_FILENO, line, len + 1) < 0 && errno == EINTR) {
        /* a signal came in between; nothing is left to do if it fails */
    }
    (void)pthread_setcancelstate(cancel, &cancel);
}

static _Noreturn void hosted_end(const loam_report *report)
{
    hosted_line(report, loam_last_report);
    abort();
}

void loam_port_misuse(const loam_report *report)
{
    hosted_tell(report);
    if (hosted_policy == LOAM_POLICY_PANIC)
        hosted_end(report);
}

_Noreturn void loam_port_corrupt(const loam_report *report)
{
    hosted_tell(report);
    hosted_end(report);
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
