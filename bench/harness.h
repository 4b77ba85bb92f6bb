/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BENCH_HARNESS_H
#define LOAM_BENCH_HARNESS_H

/* harness.h - what every bench stands on: a meter, random numbers, memory, samples, the report.
 *
 *     meter:    user-mode cycles of this thread where the machine counts them, else nanoseconds of
 *               this thread's processor time; both leave out the time in which others ran
 *     samples:  one value for each round; rounds of all allocators are interleaved
 *     report:   a table for people and a CSV for programs, from the same rows
 */
#include "loam/base.h"
#include <stdio.h>

/* ---- meter ---- */

/* Opens this thread's meter; every thread that measures calls it once. */
void bench_meter_open(void);
const char *bench_meter_unit(void); /* "cycles" or "ns" */
const char *bench_meter_text(void); /* one sentence on what is counted */
uint64_t bench_meter_read(void);
/* Ends a measurement that began with bench_meter_read() == start: the units since then, without
 * what an empty measurement reads. */
uint64_t bench_meter_since(uint64_t start);

/* Nanoseconds, whatever the meter counts: on the wall, and of this thread's processor time. */
uint64_t bench_wall_ns(void);
uint64_t bench_cpu_ns(void);
/* The finest clock there is, for single operations, and nanoseconds for so many of its ticks. */
uint64_t bench_ticks(void);
double bench_ticks_to_ns(uint64_t ticks);

/* ---- random numbers: the same in every run, so that allocators meet the same requests ---- */

typedef struct bench_rng {
    uint64_t state;
} bench_rng;

static inline uint64_t bench_rand(bench_rng *rng)
{
    uint64_t z = rng->state += 0x9e3779b97f4a7c15ULL; /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/* 0 .. n - 1, n > 0 and below 2^32. */
static inline uint32_t bench_below(bench_rng *rng, uint64_t n)
{
    return (uint32_t)(((bench_rand(rng) >> 32) * n) >> 32);
}

void bench_shuffle(bench_rng *rng, uint32_t *v, size_t n);

/* ---- memory: mapped, in huge pages where possible, touched and zero; ends the program if there is
 * none ---- */

void *bench_map(uint64_t bytes);
void bench_unmap(void *mem, uint64_t bytes);

_Noreturn void bench_die(const char *what);

/* ---- samples ---- */

enum { BENCH_MAX_ROUNDS = 64 };

typedef struct bench_samples {
    double v[BENCH_MAX_ROUNDS];
    unsigned count;
} bench_samples;

void bench_sample_add(bench_samples *s, double v);
double bench_median(const bench_samples *s); /* 0 when there is none */
double bench_min(const bench_samples *s);
double bench_max(const bench_samples *s);
/* The median of a.v[i] / b.v[i]: ratios within one round, so that slow phases of the machine cancel
 * out. 0 when either has no samples. */
double bench_median_ratio(const bench_samples *a, const bench_samples *b);

/* ---- report ---- */

enum { BENCH_MAX_COLS = 8 };

typedef enum bench_bar_kind {
    BENCH_BAR_NONE,
    BENCH_BAR_RATIO_AT_MOST, /* loam's ratio to the first column */
    BENCH_BAR_VALUE_AT_MOST, /* loam's value */
    BENCH_BAR_VALUE_AT_LEAST,
    BENCH_BAR_FIRST /* the process's malloc: at most bar times the least of the others */
} bench_bar_kind;

typedef struct bench_row {
    const char *id;   /* for the CSV: "pair_0_half" */
    const char *text; /* for people: "pair, order 0, half full" */
    const char *unit;
    bench_bar_kind bar_kind;
    double bar;
    bench_samples col[BENCH_MAX_COLS]; /* no samples: this allocator cannot do it */
} bench_row;

typedef struct bench_report {
    const char *bench;               /* "frames" */
    const char *col[BENCH_MAX_COLS]; /* allocators; the first one is what ratios refer to */
    unsigned cols;
    unsigned loam;    /* which column the bars are about */
    unsigned process; /* which one BENCH_BAR_FIRST is about; loam's does not count there */
    FILE *csv;        /* or NULL */
} bench_report;

/* Opens the CSV and writes its heading; path NULL: none. */
void bench_report_open(bench_report *r, const char *path);
void bench_report_heading(const bench_report *r, const char *title);
void bench_report_row(const bench_report *r, const bench_row *row);
void bench_report_close(bench_report *r);

#endif
