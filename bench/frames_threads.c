/* SPDX-License-Identifier: MIT */
/* frames_threads.c - the same work by one thread and by two, each with its own blocks.
 *
 * The gain is the throughput of two threads over that of one, by each thread's own meter: waiting
 * for a lock spins and so counts, being descheduled by other programs does not. The gain on the
 * wall takes the slower thread, and tells the truth only on an idle machine.
 */
#define _GNU_SOURCE
#include "frames_tasks.h"
#include <pthread.h>
#include <stdlib.h>

enum { THREADS = 2, SLOTS_0 = 65536, SLOTS_9 = 512 };
#define THREAD_FRAMES ((uint64_t)1 << 20) /* 4 GiB */

typedef struct worker {
    const frames_api *api;
    void *a;
    unsigned id, order, burst;
    size_t slots, ops;
    uint32_t *held;
    pthread_barrier_t *barrier;
    double per_op;
    uint64_t wall_ns;
} worker;

static void work(worker *w)
{
    w->api->bursts(w->a, w->order, w->held, w->slots - 1, w->burst, w->id, w->ops / w->burst);
}

static void *worker_main(void *arg)
{
    worker *w = arg;
    bench_rng rng = {w->id};
    bench_meter_open();
    if (w->api->enter != NULL)
        w->api->enter(w->a, w->id);
    if (w->api->fill(w->a, w->order, w->held, w->slots) != w->slots)
        bench_die("no memory for a thread's blocks");
    bench_shuffle(&rng, w->held, w->slots);
    pthread_barrier_wait(w->barrier);
    work(w);
    pthread_barrier_wait(w->barrier);
    uint64_t wall = bench_wall_ns(), t = bench_meter_read();
    work(w);
    w->per_op = (double)bench_meter_since(t) / (2.0 * (double)w->ops);
    w->wall_ns = bench_wall_ns() - wall;
    return NULL;
}

/* Runs n threads; the mean of their times an operation, and the longest time on the wall. */
static double run_threads(const frames_env *env, const frames_api *api, unsigned order,
                          unsigned burst, unsigned n, uint64_t *wall_ns)
{
    frames_instance in = frames_open(
        api, (frames_shape){.frames = THREAD_FRAMES, .order = order, .threads = THREADS});
    pthread_barrier_t barrier;
    pthread_t thread[THREADS];
    worker w[THREADS];
    size_t slots = order == 0 ? SLOTS_0 : SLOTS_9;
    double sum = 0;
    pthread_barrier_init(&barrier, NULL, n);
    for (unsigned i = 0; i < n; i++) {
        w[i] = (worker){.api = api,
                        .a = in.a,
                        .id = i,
                        .order = order,
                        .burst = burst,
                        .slots = slots,
                        .ops = env->ops,
                        .held = env->held + i * (slots + 1024), /* lines of their own */
                        .barrier = &barrier};
        if (pthread_create(&thread[i], NULL, worker_main, &w[i]) != 0)
            bench_die("a thread cannot be started");
    }
    *wall_ns = 0;
    for (unsigned i = 0; i < n; i++) {
        pthread_join(thread[i], NULL);
        sum += w[i].per_op;
        *wall_ns = w[i].wall_ns > *wall_ns ? w[i].wall_ns : *wall_ns;
    }
    pthread_barrier_destroy(&barrier);
    frames_close(&in);
    return sum / n;
}

static void compare(const frames_env *env, const frames_api *api, unsigned order, unsigned burst,
                    double *value)
{
    uint64_t wall_one, wall_two;
    if (env->cpus < THREADS)
        return;
    value[0] = run_threads(env, api, order, burst, 1, &wall_one);
    value[1] = run_threads(env, api, order, burst, THREADS, &wall_two);
    value[2] = THREADS * value[0] / value[1];
    value[3] = THREADS * (double)wall_one / (double)wall_two;
}

void frames_threads_order0(const frames_env *env, const frames_api *api, double *value)
{
    compare(env, api, 0, 1, value);
}

void frames_threads_order9(const frames_env *env, const frames_api *api, double *value)
{
    compare(env, api, 9, 1, value);
}

void frames_threads_bursts(const frames_env *env, const frames_api *api, double *value)
{
    compare(env, api, 9, 16, value);
}
