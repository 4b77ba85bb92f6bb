/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BENCH_FRAMES_TASKS_H
#define LOAM_BENCH_FRAMES_TASKS_H

/* frames_tasks.h - what is measured: each task runs once a round for each allocator, on a fresh
 * instance, and yields one value for each of its rows. */
#include "frames.h"

enum { FRAMES_TASK_ROWS = 6 };

/* The value of a row that this allocator has no part in. */
#define FRAMES_NOTHING (-1.0)

typedef struct frames_env {
    uint64_t frames;  /* of the machine that most tasks run on: 1 GiB */
    uint64_t large;   /* frames of the large machine: 64 GiB */
    size_t ops;       /* of a loop without an end of its own */
    unsigned repeat;  /* short loops are repeated so often within one sample */
    unsigned cpus;    /* that this process may use */
    bool huge_tables; /* allocators with a GiB of metadata for the large machine may run there */
    uint32_t *held;   /* room for `large` frame numbers */
    uint32_t *ticks;  /* room for ops readings of the clock */
} frames_env;

typedef struct frames_task_row {
    const char *id, *text;
    const char *unit; /* NULL: the meter's unit an operation */
    bench_bar_kind bar_kind;
    double bar;
} frames_task_row;

typedef struct frames_task {
    const char *title; /* a heading before its first row, or NULL */
    void (*run)(const frames_env *env, const frames_api *api, double *value);
    bool once; /* takes long and varies little: a third of the rounds */
    frames_task_row row[FRAMES_TASK_ROWS];
} frames_task;

extern const frames_task frames_tasks[];
extern const size_t frames_task_count;

/* An instance and the memory of its metadata. */
typedef struct frames_instance {
    void *mem;
    uint64_t bytes;
    void *a;
} frames_instance;

frames_instance frames_open(const frames_api *api, frames_shape shape);
void frames_close(frames_instance *in);

/* frames_threads.c: per operation with one thread and with two, and the gain in throughput by
 * processor time and by the clock on the wall. */
void frames_threads_order0(const frames_env *env, const frames_api *api, double *value);
void frames_threads_order9(const frames_env *env, const frames_api *api, double *value);
/* order 9 in bursts of 16, more than a front wants to keep */
void frames_threads_bursts(const frames_env *env, const frames_api *api, double *value);

#endif
