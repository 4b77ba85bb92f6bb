/* SPDX-License-Identifier: MIT */
/* trace_threads.c - several processors trace at once: nothing is lost or mixed, and TSan sees no
 * race, because each writes its own ring and its own counters. */
#include "loam/trace.h"
#include <pthread.h>
#include <stdio.h>

enum { CPUS = 4, RING = 256, EVENTS = 20000 };

static loam_trace trace;
static loam_trace_event rings[CPUS * RING];
static uint64_t heard[CPUS]; /* by the sink, which runs on the processor that traced */

static void hear(void *ctx, const loam_trace_event *event)
{
    (void)ctx;
    heard[event->cpu] += event->a;
}

static void *emit(void *arg)
{
    unsigned cpu = (unsigned)(uintptr_t)arg;
    loam_hosted_set_cpu(cpu);
    for (uint64_t i = 0; i < EVENTS; i++)
        loam_trace_emit(&trace, i % 3 == 0 ? LOAM_TRACE_PAGE_ALLOC : LOAM_TRACE_OBJ_FREE, cpu, i,
                        0);
    return NULL;
}

/* What each() must show: the last RING events of a processor, in order. */
static uint64_t next[CPUS];
static unsigned wrong;

static void look(void *ctx, const loam_trace_event *event)
{
    (void)ctx;
    wrong += event->a != next[event->cpu]++ || event->order != event->cpu;
    wrong += event->seq != event->a;
}

static bool run(void)
{
    pthread_t thread[CPUS];
    if (loam_trace_init(&trace, CPUS, RING, rings) != LOAM_OK)
        return false;
    loam_trace_set_sink(&trace, hear, NULL);
    loam_trace_set_on(&trace, true);
    for (unsigned i = 0; i < CPUS; i++)
        if (pthread_create(&thread[i], NULL, emit, (void *)(uintptr_t)i) != 0)
            return false;
    for (unsigned i = 0; i < CPUS; i++)
        pthread_join(thread[i], NULL);
    for (unsigned i = 0; i < CPUS; i++)
        next[i] = EVENTS - RING;
    loam_trace_each(&trace, look, NULL);
    for (unsigned i = 0; i < CPUS; i++) {
        wrong += next[i] != EVENTS;
        wrong += heard[i] != (uint64_t)EVENTS * (EVENTS - 1) / 2;
    }
    wrong += loam_trace_count(&trace, LOAM_TRACE_PAGE_ALLOC) != CPUS * ((EVENTS + 2) / 3);
    wrong += loam_trace_count(&trace, LOAM_TRACE_OBJ_FREE) != CPUS * (EVENTS - (EVENTS + 2) / 3);
    return wrong == 0 && loam_trace_check(&trace) == NULL;
}

int main(void)
{
    bool ok = run();
    printf("1..1\n%sok 1 - trace_threads: four processors at once: every event once, in order\n",
           ok ? "" : "not ");
    if (!ok)
        printf("# %u wrong\n", wrong);
    return !ok;
}
