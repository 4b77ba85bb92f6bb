/* SPDX-License-Identifier: MIT */
/* frames_tasks.c - the workloads on one thread. An operation is one allocation or one free. */
#include "frames_tasks.h"
#include <stdlib.h>
#include <string.h>

enum { ORDER9_BLOCK = 512 };

frames_instance frames_open(const frames_api *api, frames_shape shape)
{
    frames_instance in;
    in.bytes = api->bytes(&shape);
    in.mem = bench_map(in.bytes);
    in.a = api->init(in.mem, in.bytes, &shape);
    if (api->enter != NULL)
        api->enter(in.a, 0);
    return in;
}

void frames_close(frames_instance *in)
{
    bench_unmap(in->mem, in->bytes);
}

static frames_shape shape_of(uint64_t frames, unsigned order)
{
    return (frames_shape){.frames = frames, .order = order, .threads = 1};
}

static double per_op(uint64_t units, size_t ops)
{
    return (double)units / (double)ops;
}

static void fill_all(const frames_api *api, void *a, unsigned order, uint32_t *held, size_t n)
{
    if (api->fill(a, order, held, n) != n)
        bench_die("an allocator did not give out all of its memory");
}

/* Memory filled, then a random part freed, so that `percent` of it is out, in random places; held
 * is in random order. Returns how many frames are out. */
static size_t fill_to(const frames_env *env, const frames_api *api, void *a, unsigned percent)
{
    bench_rng rng = {percent};
    size_t out = (size_t)(env->frames * percent / 100);
    fill_all(api, a, 0, env->held, env->frames);
    bench_shuffle(&rng, env->held, env->frames);
    api->empty(a, 0, env->held + out, env->frames - out);
    return out;
}

static void run_fill(const frames_env *env, const frames_api *api, double *value)
{
    frames_instance in = frames_open(api, shape_of(env->frames, 0));
    uint64_t t = bench_meter_read();
    size_t n = api->fill(in.a, 0, env->held, env->frames);
    value[0] = per_op(bench_meter_since(t), n);
    if (n != env->frames)
        bench_die("an allocator did not give out all of its memory");
    t = bench_meter_read();
    api->empty(in.a, 0, env->held, n);
    value[1] = per_op(bench_meter_since(t), n);
    frames_close(&in);
}

static void run_free_random(const frames_env *env, const frames_api *api, double *value)
{
    frames_instance in = frames_open(api, shape_of(env->frames, 0));
    bench_rng rng = {3};
    fill_all(api, in.a, 0, env->held, env->frames);
    bench_shuffle(&rng, env->held, env->frames);
    uint64_t t = bench_meter_read();
    api->empty(in.a, 0, env->held, env->frames);
    value[0] = per_op(bench_meter_since(t), env->frames);
    frames_close(&in);
}

static void run_pair(const frames_env *env, const frames_api *api, double *value)
{
    frames_instance in = frames_open(api, shape_of(env->frames, 0));
    fill_to(env, api, in.a, 50);
    api->pair(in.a, 0, env->ops / 16 + 1);
    uint64_t t = bench_meter_read();
    api->pair(in.a, 0, env->ops);
    value[0] = per_op(bench_meter_since(t), 2 * env->ops);
    frames_close(&in);
}

static double churn_at(const frames_env *env, const frames_api *api, unsigned percent)
{
    frames_instance in = frames_open(api, shape_of(env->frames, 0));
    size_t out = fill_to(env, api, in.a, percent);
    api->churn(in.a, 0, env->held, out, 5, env->ops / 4);
    uint64_t t = bench_meter_read();
    api->churn(in.a, 0, env->held, out, 6, env->ops);
    double v = per_op(bench_meter_since(t), 2 * env->ops);
    frames_close(&in);
    return v;
}

static void run_churn(const frames_env *env, const frames_api *api, double *value)
{
    value[0] = churn_at(env, api, 50);
    value[1] = churn_at(env, api, 90);
}

static frames_mixed mixed_of(const frames_env *env, unsigned percent)
{
    frames_mixed m = {.block = env->held, .cap = env->frames, .rng = {7}};
    m.order = malloc(m.cap);
    if (m.order == NULL)
        bench_die("no memory");
    m.target = env->frames * percent / 100;
    return m;
}

static void run_mixed(const frames_env *env, const frames_api *api, double *value)
{
    if (!api->any_order)
        return;
    frames_instance in = frames_open(api, shape_of(env->frames, 0));
    frames_mixed m = mixed_of(env, 90);
    while (m.used < m.target)
        api->mixed(in.a, &m, 256);
    api->mixed(in.a, &m, env->ops / 4);
    uint64_t t = bench_meter_read();
    api->mixed(in.a, &m, env->ops);
    value[0] = per_op(bench_meter_since(t), env->ops);
    free(m.order);
    frames_close(&in);
}

static void run_order9(const frames_env *env, const frames_api *api, double *value)
{
    frames_instance in = frames_open(api, shape_of(env->frames, 9));
    size_t n = env->frames / ORDER9_BLOCK;
    bench_rng rng = {9};
    uint64_t fill = 0, empty = 0;
    for (unsigned i = 0; i < env->repeat; i++) {
        uint64_t t = bench_meter_read();
        size_t got = api->fill(in.a, 9, env->held, n);
        fill += bench_meter_since(t);
        if (got != n)
            bench_die("an allocator did not give out all blocks of order 9");
        bench_shuffle(&rng, env->held, n);
        t = bench_meter_read();
        api->empty(in.a, 9, env->held, n);
        empty += bench_meter_since(t);
        if (api->drain != NULL)
            api->drain(in.a);
    }
    value[0] = per_op(fill, n * env->repeat);
    value[1] = per_op(empty, n * env->repeat);
    fill_all(api, in.a, 9, env->held, n / 2);
    uint64_t t = bench_meter_read();
    api->pair(in.a, 9, env->ops / 4 + 1);
    value[2] = per_op(bench_meter_since(t), 2 * (env->ops / 4 + 1));
    frames_close(&in);
}

static double init_us(const frames_api *api, uint64_t frames)
{
    frames_shape shape = shape_of(frames, 0);
    uint64_t bytes = api->bytes(&shape);
    void *mem = bench_map(bytes);
    uint64_t t = bench_cpu_ns();
    api->init(mem, bytes, &shape);
    t = bench_cpu_ns() - t;
    bench_unmap(mem, bytes);
    return (double)t / 1000;
}

/* Microseconds to write one byte a frame. */
static double pass_us(uint64_t frames)
{
    char *mem = bench_map(frames);
    uint64_t t = bench_cpu_ns();
    memset(mem, 1, frames);
    __asm__ volatile("" ::"r"(mem) : "memory");
    t = bench_cpu_ns() - t;
    bench_unmap(mem, frames);
    return (double)t / 1000;
}

static bool may_be_large(const frames_env *env, const frames_api *api)
{
    frames_shape shape = shape_of(env->large, 0);
    return env->huge_tables || api->bytes(&shape) < (uint64_t)512 << 20;
}

static void run_init(const frames_env *env, const frames_api *api, double *value)
{
    frames_shape shape = shape_of(env->frames, 0);
    value[0] = (double)api->bytes(&shape) / (double)env->frames;
    value[1] = init_us(api, env->frames);
    if (!may_be_large(env, api))
        return;
    value[2] = init_us(api, env->large);
    if (api == &frames_loam) {
        double less = value[2] - pass_us(env->large);
        value[3] = less < 0 ? 0 : less;
    }
}

/* Blocks of orders 0-10 out, in sum half of the memory, after a long churn: how much of the other
 * half is still in one piece? */
static void run_scatter(const frames_env *env, const frames_api *api, double *value)
{
    if (!api->any_order)
        return;
    frames_instance in = frames_open(api, shape_of(env->frames, 0));
    frames_mixed m = mixed_of(env, 50);
    api->mixed(in.a, &m, 2 * env->frames);
    if (api->drain != NULL)
        api->drain(in.a);
    value[0] = (double)api->fill(in.a, 9, env->held, env->frames / 2 / ORDER9_BLOCK);
    free(m.order);
    frames_close(&in);
}

static int compare_ticks(const void *a, const void *b)
{
    uint32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* What two readings of the clock with nothing between them show, at least. */
static uint32_t ticks_of_nothing(void)
{
    uint64_t least = UINT32_MAX;
    for (int i = 0; i < 1000; i++) {
        uint64_t t = bench_ticks();
        t = bench_ticks() - t;
        least = t < least ? t : least;
    }
    return (uint32_t)least;
}

static double quantile_ns(const uint32_t *sorted, size_t n, double q, uint32_t nothing)
{
    size_t i = (size_t)(q * (double)(n - 1));
    uint32_t t = sorted[i];
    return bench_ticks_to_ns(t > nothing ? t - nothing : 0);
}

static void run_latency(const frames_env *env, const frames_api *api, double *value)
{
    frames_instance in = frames_open(api, shape_of(env->frames, 0));
    size_t out = fill_to(env, api, in.a, 90);
    size_t mask = ((size_t)1 << loam_log2_floor(out)) - 1;
    uint32_t nothing = ticks_of_nothing();
    uint32_t *ticks = env->ticks;
    api->latency(in.a, env->held, mask, 13, ticks, env->ops);
    api->latency(in.a, env->held, mask, 14, ticks, env->ops);
    qsort(ticks, env->ops, sizeof ticks[0], compare_ticks);
    value[0] = quantile_ns(ticks, env->ops, 0.5, nothing);
    value[1] = quantile_ns(ticks, env->ops, 0.99, nothing);
    value[2] = quantile_ns(ticks, env->ops, 0.9999, nothing);
    value[3] = quantile_ns(ticks, env->ops, 1, nothing);
    double p50 = quantile_ns(ticks, env->ops, 0.5, 0);
    value[4] = quantile_ns(ticks, env->ops, 0.9999, 0) / p50;
    frames_close(&in);
}

/* Every second frame is free, nothing larger: a request of order 1 must be refused, and must be met
 * as soon as one pair is whole. The slowest of a few refusals. */
static void run_every_second(const frames_env *env, const frames_api *api, double *value)
{
    if (!api->any_order || !may_be_large(env, api))
        return;
    frames_instance in = frames_open(api, shape_of(env->large, 0));
    fill_all(api, in.a, 0, env->held, env->large);
    for (size_t f = 1; f < env->large; f += 2)
        api->release(in.a, (uint32_t)f, 0);
    uint64_t worst = 0, first = 0;
    for (int i = 0; i < 16; i++) {
        uint64_t t = bench_ticks();
        uint32_t f = api->alloc(in.a, 1);
        t = bench_ticks() - t;
        if (f != UINT32_MAX)
            bench_die("a block of order 1 out of single frames");
        first = i == 0 ? t : first;
        worst = i > 0 && t > worst ? t : worst;
    }
    value[0] = bench_ticks_to_ns(first);
    value[1] = bench_ticks_to_ns(worst);
    uint32_t frame = (uint32_t)(env->large / 2);
    api->release(in.a, frame, 0);
    if (api->alloc(in.a, 1) != frame)
        bench_die("a free block of order 1 was not found");
    frames_close(&in);
}

const frames_task frames_tasks[] = {
    {.title = "order 0, 1 GiB, one thread",
     .run = run_pair,
     .row = {{"pair_half", "pair, half full", NULL, BENCH_BAR_RATIO_AT_MOST, 2.4}}},
    {.run = run_fill,
     .row = {{"fill", "fill", NULL, BENCH_BAR_RATIO_AT_MOST, 2.8},
             {"free_in_order", "free in order", NULL, BENCH_BAR_NONE, 0}}},
    {.run = run_free_random,
     .row = {{"free_random", "free in random order", NULL, BENCH_BAR_RATIO_AT_MOST, 6.5}}},
    {.run = run_churn,
     .row = {{"churn_50", "churn, 50 % full", NULL, BENCH_BAR_NONE, 0},
             {"churn_90", "churn, 90 % full", NULL, BENCH_BAR_RATIO_AT_MOST, 2.2}}},
    {.title = "larger orders, 1 GiB, one thread",
     .run = run_mixed,
     .row = {{"churn_mixed_90", "churn, orders 0-10, 90 % full", NULL, BENCH_BAR_NONE, 0}}},
    {.run = run_order9,
     .row = {{"order9_fill", "order 9, fill", NULL, BENCH_BAR_RATIO_AT_MOST, 12},
             {"order9_free_random", "order 9, free at random", NULL, BENCH_BAR_RATIO_AT_MOST, 12},
             {"order9_pair", "order 9, pair, half full", NULL, BENCH_BAR_RATIO_AT_MOST, 12}}},
    {.run = run_scatter,
     .row = {{"scatter_2m", "2 MiB blocks left after that at 50 %", "of 256", BENCH_BAR_NONE, 0}}},
    {.title = "metadata and start",
     .run = run_init,
     .once = true,
     .row = {{"metadata", "metadata", "bytes/frame", BENCH_BAR_VALUE_AT_MOST, 1.2},
             {"init_1g", "init, 1 GiB", "us", BENCH_BAR_NONE, 0},
             {"init_64g", "init, 64 GiB", "us", BENCH_BAR_NONE, 0},
             {"init_64g_less_pass", "init, 64 GiB, less a byte pass", "us", BENCH_BAR_VALUE_AT_MOST,
              1000}}},
    {.title = "one allocation of order 0 by itself, bursts, 90 % full",
     .run = run_latency,
     .row = {{"latency_p50", "p50", "ns", BENCH_BAR_NONE, 0},
             {"latency_p99", "p99", "ns", BENCH_BAR_NONE, 0},
             {"latency_p9999", "p99.99", "ns", BENCH_BAR_NONE, 0},
             {"latency_max", "max", "ns", BENCH_BAR_NONE, 0},
             {"latency_tail", "p99.99 / p50, with the clock", "times", BENCH_BAR_VALUE_AT_MOST,
              10}}},
    {.title = "every second frame of 64 GiB free: one request of order 1",
     .run = run_every_second,
     .once = true,
     .row = {{"second_first", "first refusal", "ns", BENCH_BAR_NONE, 0},
             {"second_later", "slowest of 15 later ones", "ns", BENCH_BAR_NONE, 0}}},
    {.title = "two threads, 4 GiB",
     .run = frames_threads_order0,
     .row = {{"threads_0_one", "order 0 churn, one thread", NULL, BENCH_BAR_NONE, 0},
             {"threads_0_two", "order 0 churn, each of two", NULL, BENCH_BAR_NONE, 0},
             {"threads_0_gain", "order 0, gain", "times", BENCH_BAR_VALUE_AT_LEAST, 1.8},
             {"threads_0_wall", "order 0, gain on the wall", "times", BENCH_BAR_NONE, 0}}},
    {.run = frames_threads_order9,
     .row = {{"threads_9_one", "order 9 churn, one thread", NULL, BENCH_BAR_NONE, 0},
             {"threads_9_two", "order 9 churn, each of two", NULL, BENCH_BAR_NONE, 0},
             {"threads_9_gain", "order 9, gain", "times", BENCH_BAR_VALUE_AT_LEAST, 1.8},
             {"threads_9_wall", "order 9, gain on the wall", "times", BENCH_BAR_NONE, 0}}},
    {.run = frames_threads_bursts,
     .row = {{"bursts_9_one", "order 9 bursts of 16, one thread", NULL, BENCH_BAR_NONE, 0},
             {"bursts_9_two", "order 9 bursts, each of two", NULL, BENCH_BAR_NONE, 0},
             {"bursts_9_gain", "order 9 bursts, gain", "times", BENCH_BAR_NONE, 0},
             {"bursts_9_wall", "order 9 bursts, gain on the wall", "times", BENCH_BAR_NONE, 0}}},
};

const size_t frames_task_count = LOAM_ARRAY_LEN(frames_tasks);
