/* SPDX-License-Identifier: MIT */
/* bench_locked.c - locked instructions an operation: counted as they are executed, one by one.
 *
 * Every allocator is told that two threads will call, so that those with a lock take it. One calls.
 *
 *     bench_locked [--csv FILE] [--ops N]
 */
#include "frames.h"
#include "objects.h"
#include "single_step.h"
#include <stdlib.h>
#include <string.h>

enum { FRAMES = 1 << 16, WARM = 4096, OPS = 64, OBJECTS_WARM = 64 };

static uint32_t held[FRAMES];

/* ---- frames ---- */

static const frames_api *const apis[] = {&frames_stack, &frames_loam, &frames_textbook,
                                         &frames_linux};
enum { APIS = LOAM_ARRAY_LEN(apis), LOAM = 1 };

typedef struct work {
    const frames_api *api;
    void *a;
    size_t n, out; /* operations; blocks in held */
} work;

static void run_pair(void *ctx)
{
    const work *w = ctx;
    w->api->pair(w->a, 0, w->n);
}

static void run_churn(void *ctx)
{
    const work *w = ctx;
    w->api->churn(w->a, 0, held, w->out, 5, w->n);
}

static void run_fill(void *ctx)
{
    const work *w = ctx;
    (void)w->api->fill(w->a, 0, held + w->out, 2 * w->n);
}

static void run_empty(void *ctx)
{
    const work *w = ctx;
    w->api->empty(w->a, 0, held, 2 * w->n);
}

typedef struct row {
    const char *id, *text;
    void (*run)(void *ctx); /* 2 * n operations */
    bench_bar_kind bar_kind;
} row;

static const row rows[] = {
    {"pair_half", "order 0, pair, half full", run_pair, BENCH_BAR_VALUE_AT_MOST},
    {"churn_half", "order 0, churn, half full", run_churn, BENCH_BAR_VALUE_AT_MOST},
    {"fill", "order 0, fill: with refills", run_fill, BENCH_BAR_NONE},
    {"free_random", "order 0, free, random: flushes", run_empty, BENCH_BAR_NONE},
};

/* A random half of memory out, and the fronts warm. */
static double frames_locked(const row *r, const frames_api *api, size_t n)
{
    frames_shape shape = {.frames = FRAMES, .order = 0, .threads = 2};
    bench_rng rng = {3};
    uint64_t bytes = api->bytes(&shape);
    void *mem = bench_map(bytes);
    work w = {.api = api, .a = api->init(mem, bytes, &shape), .n = n, .out = FRAMES / 2};
    if (api->fill(w.a, 0, held, FRAMES) != FRAMES)
        bench_die("an allocator did not give out all of its memory");
    bench_shuffle(&rng, held, FRAMES);
    api->empty(w.a, 0, held + w.out, FRAMES - w.out);
    api->churn(w.a, 0, held, w.out, 7, WARM);
    step_counts c = step_run(r->run, &w);
    bench_unmap(mem, bytes);
    return (double)c.locked / (2.0 * (double)n);
}

/* ---- objects ---- */

typedef struct object_work {
    void *a;
    size_t n;
} object_work;

static void run_objects(void *ctx)
{
    const object_work *w = ctx;
    objects_loam.pair(w->a, 64, w->n);
}

static void run_batch(void *ctx)
{
    const object_work *w = ctx;
    objects_loam.batch(w->a, 64, w->n, false, 1);
}

static void *objects[2 * WARM];

static void run_remote(void *ctx)
{
    const object_work *w = ctx;
    objects_loam.enter(w->a, 1);
    for (size_t i = 0; i < 2 * w->n; i++)
        objects_loam.release(w->a, objects[i]);
    objects_loam.serve(w->a);
}

static const row object_rows[] = {
    {"object_pair_64", "64 bytes, pair", run_objects, BENCH_BAR_VALUE_AT_MOST},
    {"object_batch_64", "64 bytes, so many, then all back", run_batch, BENCH_BAR_VALUE_AT_MOST},
    {"object_remote_64", "64 bytes, freed on another", run_remote, BENCH_BAR_NONE},
};

static double objects_locked(const row *r, void *a, size_t n)
{
    object_work w = {a, n};
    objects_loam.pair(a, 64, OBJECTS_WARM);
    objects_loam.batch(a, 64, n, false, 1);
    for (size_t i = 0; r->run == run_remote && i < 2 * n; i++)
        objects[i] = objects_loam.alloc(a, 64);
    step_counts c = step_run(r->run, &w);
    objects_loam.enter(a, 0);
    objects_loam.serve(a);
    return (double)c.locked / (2.0 * (double)n);
}

/* ---- */

/* Columns first to limit - 1 have values. */
static void report(const bench_report *to, const row *r, const double *value, unsigned first,
                   unsigned limit)
{
    static bench_row out;
    memset(&out, 0, sizeof out);
    out.id = r->id;
    out.text = r->text;
    out.unit = "locked/op";
    out.bar_kind = r->bar_kind;
    for (unsigned c = first; c < limit; c++)
        bench_sample_add(&out.col[c], value[c]);
    bench_report_row(to, &out);
}

static void report_all(const bench_report *to, size_t n)
{
    double value[APIS];
    bench_report_heading(to, "locked instructions an operation (every instruction looked at)");
    for (size_t r = 0; r < LOAM_ARRAY_LEN(rows); r++) {
        for (unsigned c = 0; c < APIS; c++)
            value[c] = frames_locked(&rows[r], apis[c], n);
        report(to, &rows[r], value, 0, APIS);
    }
    void *a;
    a = objects_loam.init((uint64_t)16 << 20, 2);
    for (size_t r = 0; r < LOAM_ARRAY_LEN(object_rows); r++) {
        value[LOAM] = objects_locked(&object_rows[r], a, n);
        report(to, &object_rows[r], value, LOAM, LOAM + 1);
    }
}

int main(int argc, char **argv)
{
    bench_report to = {.bench = "locked", .cols = APIS, .loam = LOAM};
    const char *csv = NULL, *wrong;
    size_t n = OPS;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--csv") == 0 && i + 1 < argc)
            csv = argv[++i];
        else if (strcmp(argv[i], "--ops") == 0 && i + 1 < argc)
            n = strtoul(argv[++i], NULL, 10);
        else
            bench_die("usage: bench_locked [--csv FILE] [--ops N]");
    }
    if (n == 0 || n > WARM)
        bench_die("so many operations cannot be counted");
    if (!step_possible()) {
        puts("locked: this processor cannot be stepped: nothing is counted");
        return 0;
    }
    wrong = step_verify();
    if (wrong != NULL)
        bench_die(wrong);
    for (unsigned c = 0; c < APIS; c++)
        to.col[c] = apis[c]->name;
    bench_report_open(&to, csv);
    report_all(&to, n);
    bench_report_close(&to);
    return 0;
}
