/* SPDX-License-Identifier: MIT */
/* bench_report.c - samples, and rows for people and for programs. */
#include "harness.h"
#include <stdlib.h>
#include <string.h>

void bench_sample_add(bench_samples *s, double v)
{
    if (s->count < BENCH_MAX_ROUNDS)
        s->v[s->count++] = v;
}

static int compare_doubles(const void *a, const void *b)
{
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

double bench_median(const bench_samples *s)
{
    bench_samples c = *s;
    if (c.count == 0)
        return 0;
    qsort(c.v, c.count, sizeof c.v[0], compare_doubles);
    return c.count % 2 == 1 ? c.v[c.count / 2] : (c.v[c.count / 2 - 1] + c.v[c.count / 2]) / 2;
}

double bench_min(const bench_samples *s)
{
    double m = s->count == 0 ? 0 : s->v[0];
    for (unsigned i = 1; i < s->count; i++)
        m = s->v[i] < m ? s->v[i] : m;
    return m;
}

double bench_max(const bench_samples *s)
{
    double m = s->count == 0 ? 0 : s->v[0];
    for (unsigned i = 1; i < s->count; i++)
        m = s->v[i] > m ? s->v[i] : m;
    return m;
}

double bench_median_ratio(const bench_samples *a, const bench_samples *b)
{
    bench_samples r = {.count = 0};
    for (unsigned i = 0; i < a->count && i < b->count; i++) {
        if (b->v[i] > 0)
            bench_sample_add(&r, a->v[i] / b->v[i]);
    }
    return bench_median(&r);
}

/* ---- rows ---- */

void bench_report_open(bench_report *r, const char *path)
{
    r->csv = path == NULL ? NULL : fopen(path, "w");
    if (path != NULL && r->csv == NULL)
        bench_die("the CSV file cannot be written");
    if (r->csv != NULL)
        fprintf(r->csv, "bench,workload,allocator,unit,median,min,max,rounds,ratio,bar,verdict\n");
}

void bench_report_close(bench_report *r)
{
    if (r->csv != NULL && fclose(r->csv) != 0)
        bench_die("the CSV file cannot be written");
    r->csv = NULL;
}

void bench_report_heading(const bench_report *r, const char *title)
{
    printf("\n%s\n  %-32s", title, "");
    for (unsigned c = 0; c < r->cols; c++)
        printf(c == 0 ? " %10s" : " %10s       ", r->col[c]);
    printf("  bar\n");
}

static bool is_ratio_row(const bench_row *row)
{
    return row->col[0].count != 0;
}

/* Which column the row's bar is about. */
static unsigned judged(const bench_report *r, const bench_row *row)
{
    return row->bar_kind == BENCH_BAR_FIRST ? r->process : r->loam;
}

/* The least median of all but loam and the process's malloc; 0: there is none. */
static double best_other(const bench_report *r, const bench_row *row)
{
    double best = 0;
    for (unsigned c = 0; c < r->cols; c++) {
        double v = bench_median(&row->col[c]);
        if (c != r->loam && c != r->process && v > 0 && (best <= 0 || v < best))
            best = v;
    }
    return best;
}

/* 1 reached, 0 not, -1 no bar or nothing measured. */
static int verdict_of(const bench_report *r, const bench_row *row)
{
    const bench_samples *s = &row->col[judged(r, row)];
    if (s->count == 0)
        return -1;
    switch (row->bar_kind) {
    case BENCH_BAR_RATIO_AT_MOST:
        return is_ratio_row(row) ? bench_median_ratio(s, &row->col[0]) <= row->bar : -1;
    case BENCH_BAR_VALUE_AT_MOST:
        return bench_median(s) <= row->bar;
    case BENCH_BAR_VALUE_AT_LEAST:
        return bench_median(s) >= row->bar;
    case BENCH_BAR_FIRST:
        return bench_median(s) <= row->bar * best_other(r, row);
    case BENCH_BAR_NONE:
        break;
    }
    return -1;
}

static const char *verdict_text(int verdict)
{
    return verdict < 0 ? "" : verdict == 1 ? "reached" : "not reached";
}

static void row_csv(const bench_report *r, const bench_row *row)
{
    for (unsigned c = 0; c < r->cols; c++) {
        const bench_samples *s = &row->col[c];
        if (s->count == 0)
            continue;
        fprintf(r->csv, "%s,%s,%s,%s,%.4f,%.4f,%.4f,%u,", r->bench, row->id, r->col[c], row->unit,
                bench_median(s), bench_min(s), bench_max(s), s->count);
        if (is_ratio_row(row))
            fprintf(r->csv, "%.4f", bench_median_ratio(s, &row->col[0]));
        int verdict = c == judged(r, row) ? verdict_of(r, row) : -1;
        if (verdict < 0)
            fprintf(r->csv, ",,\n");
        else
            fprintf(r->csv, ",%g,%s\n", row->bar, verdict_text(verdict));
    }
}

static void print_value(double v)
{
    printf(v >= 1000 ? " %10.0f" : v >= 100 ? " %10.1f" : " %10.2f", v);
}

void bench_report_row(const bench_report *r, const bench_row *row)
{
    printf("  %-32s", row->text);
    for (unsigned c = 0; c < r->cols; c++) {
        const bench_samples *s = &row->col[c];
        if (s->count == 0) {
            printf(c == 0 ? " %10s" : " %10s       ", "-");
            continue;
        }
        print_value(bench_median(s));
        if (c > 0 && is_ratio_row(row))
            printf(" %5.1fx", bench_median_ratio(s, &row->col[0]));
        else if (c > 0)
            printf("       ");
    }
    int verdict = verdict_of(r, row);
    if (verdict >= 0 && row->bar_kind == BENCH_BAR_FIRST)
        printf("  libloam first %s", verdict_text(verdict));
    else if (verdict >= 0)
        printf("  %s%g%s %s", row->bar_kind == BENCH_BAR_VALUE_AT_LEAST ? ">=" : "<=", row->bar,
               row->bar_kind == BENCH_BAR_RATIO_AT_MOST ? "x" : "", verdict_text(verdict));
    printf("  %s\n", row->unit);
    fflush(stdout);
    if (r->csv != NULL)
        row_csv(r, row);
}
