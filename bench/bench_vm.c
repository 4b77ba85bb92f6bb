/* SPDX-License-Identifier: MIT */
/* bench_vm.c - addresses: a range beside a textbook's list, areas of a vmap, and their flushes.
 *
 *     bench_vm [--quick | --tiny] [--csv FILE]
 */
#include "areas.h"
#include "spans.h"
#include <stdlib.h>
#include <string.h>

typedef struct bench_scale {
    const char *flag;
    size_t ops; /* pairs of a row */
    unsigned rounds;
} bench_scale;

static const bench_scale scales[] = {
    {"--full", 20000, 15}, {"--quick", 4000, 5}, {"--tiny", 200, 1}};

enum { LIST, LOAM, COLS };

static char per_pair[32], per_page[32]; /* "ns/pair", "cycles/page" */

/* ---- ranges ---- */

static const struct {
    const char *id, *text;
    size_t count;
} churns[] = {{"churn_100", "range, 100 spans: free and alloc", 100},
              {"churn_1000", "range, 1,000 spans", 1000},
              {"churn_10000", "range, 10,000 spans", 10000}};

static double churn(const spans_api *api, spans_state *s, size_t count, size_t ops)
{
    spans_prepare(api, s, count);
    uint64_t t = bench_meter_read();
    spans_churn(api, s, count, ops);
    return (double)bench_meter_since(t) / (double)ops;
}

static void rows_of_ranges(const bench_report *r, const bench_scale *scale)
{
    static spans_state states[COLS];
    for (size_t i = 0; i < LOAM_ARRAY_LEN(churns); i++) {
        bench_row row = {.id = churns[i].id, .text = churns[i].text, .unit = per_pair};
        if (!spans_agree(churns[i].count, scale->ops / 4))
            bench_die("range and list do not agree");
        for (unsigned n = 0; n < scale->rounds; n++) {
            double list = churn(&spans_list, &states[LIST], churns[i].count, scale->ops);
            double loam = churn(&spans_loam, &states[LOAM], churns[i].count, scale->ops);
            bench_sample_add(&row.col[LIST], list);
            bench_sample_add(&row.col[LOAM], loam);
        }
        bench_report_row(r, &row);
    }
}

/* ---- areas: a row each for map and unmap together, and for the flushes of each ---- */

static const uint64_t sizes[] = {1, 64, 1024};

static void row_of_time(const bench_report *r, const bench_scale *scale, areas *a, unsigned format,
                        uint64_t pages)
{
    char id[48], text[64];
    snprintf(id, sizeof id, "area_%u_%s", (unsigned)pages, areas_format_name(format));
    snprintf(text, sizeof text, "%s, %u pages, map + unmap", areas_format_name(format),
             (unsigned)pages);
    bench_row row = {.id = id, .text = text, .unit = per_page};
    size_t n = scale->ops / pages + 1;
    for (unsigned k = 0; k < scale->rounds; k++) {
        areas_churn(a, pages, n / 4 + 1);
        uint64_t t = bench_meter_read();
        areas_churn(a, pages, n);
        bench_sample_add(&row.col[LOAM], (double)bench_meter_since(t) / (double)(n * pages));
    }
    bench_report_row(r, &row);
}

/* Whole flushes, or flushed pages, that mapping and then unmapping so many pages costs. */
static void rows_of_flushes(const bench_report *r, areas *a, unsigned format, uint64_t pages)
{
    char id[48], text[64];
    uint64_t va = 0;
    for (unsigned unmap = 0; unmap < 2; unmap++) {
        const char *what = unmap ? "unmap" : "map";
        uint64_t before = a->tlb.stats.batches;
        if ((unmap ? loam_vmap_free(a->vmap, va)
                   : loam_vmap_alloc(a->vmap, pages << LOAM_PAGE_SHIFT, 0, LOAM_PT_WRITE, &va)) !=
            LOAM_OK)
            bench_die("an area was refused");
        snprintf(id, sizeof id, "flushes_%s_%u_%s", what, (unsigned)pages,
                 areas_format_name(format));
        snprintf(text, sizeof text, "%s, %u pages, %s: flushes", areas_format_name(format),
                 (unsigned)pages, what);
        bench_row row = {.id = id,
                         .text = text,
                         .unit = "flushes",
                         .bar_kind = BENCH_BAR_VALUE_AT_MOST,
                         .bar = 1};
        bench_sample_add(&row.col[LOAM], (double)(a->tlb.stats.batches - before));
        bench_report_row(r, &row);
    }
}

static void rows_of_areas(const bench_report *r, const bench_scale *scale)
{
    static areas machines[AREAS_FORMATS];
    for (unsigned f = 0; f < AREAS_FORMATS; f++) {
        areas_init(&machines[f], f, 8192);
        for (size_t i = 0; i < LOAM_ARRAY_LEN(sizes); i++)
            row_of_time(r, scale, &machines[f], f, sizes[i]);
        rows_of_flushes(r, &machines[f], f, 1024);
    }
}

int main(int argc, char **argv)
{
    const bench_scale *scale = &scales[0];
    const char *csv = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--csv") == 0 && i + 1 < argc) {
            csv = argv[++i];
            continue;
        }
        size_t s = 0;
        while (s < LOAM_ARRAY_LEN(scales) && strcmp(argv[i], scales[s].flag) != 0)
            s++;
        if (s == LOAM_ARRAY_LEN(scales))
            bench_die("usage: bench_vm [--quick | --tiny] [--csv FILE]");
        scale = &scales[s];
    }
    bench_report r = {.bench = "vm", .col = {"list", "loam"}, .cols = COLS, .loam = LOAM};
    bench_meter_open();
    snprintf(per_pair, sizeof per_pair, "%s/pair", bench_meter_unit());
    snprintf(per_page, sizeof per_page, "%s/page", bench_meter_unit());
    bench_report_open(&r, csv);
    bench_report_heading(&r, "addresses: spans of a range, areas of a vmap");
    rows_of_ranges(&r, scale);
    rows_of_areas(&r, scale);
    bench_report_close(&r);
    return 0;
}
