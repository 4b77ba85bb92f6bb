/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BENCH_OBJECTS_ROWS_H
#define LOAM_BENCH_OBJECTS_ROWS_H

/* objects_rows.h - the rows of bench_objects: what a child measures, each in one call. */
#include "objects.h"

typedef struct objects_row {
    const char *id, *text;
    double (*run)(const objects_api *api, void *a, const struct objects_row *row, size_t ops);
    size_t size, count; /* count: objects of a batch, or an alignment */
    bool reversed;
    bool two_threads;
    const char *unit; /* NULL: the meter's unit a pair */
    bench_bar_kind bar_kind;
    double bar;
} objects_row;

enum { OBJECTS_ROWS = 41 };

extern const objects_row objects_rows[OBJECTS_ROWS];

#endif
