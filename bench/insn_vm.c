/* SPDX-License-Identifier: MIT */
/* insn_vm.c - the workloads of bench_insn over addresses: a pair of a range, a page of an area. Of
 * areas the instructions inside loam_vmap_alloc or loam_vmap_free are counted, frames included. */
#include "insn_vm.h"
#include "areas.h"
#include "spans.h"
#include <string.h>

static const spans_api *const apis[] = {&spans_list, &spans_loam};
static const uint64_t sizes[] = {1, 64, 1024};
static const char *const parts[] = {"map", "unmap"};

enum {
    SPANS = 10000,
    PAIRS = 2000,
    PAGES = 4096,
    PARTS = LOAM_ARRAY_LEN(parts),
    SIZES = LOAM_ARRAY_LEN(sizes),
    AREAS = AREAS_FORMATS * SIZES * PARTS
};

/* Workload i of AREAS: part by part, size by size, format by format. */
static uint64_t area_pages(unsigned i)
{
    return sizes[i / PARTS % SIZES];
}

static unsigned area_format(unsigned i)
{
    return i / (PARTS * SIZES);
}

static void area_name(char *out, size_t cap, unsigned i)
{
    snprintf(out, cap, "vmap_%s_%u_%s", parts[i % PARTS], (unsigned)area_pages(i),
             areas_format_name(area_format(i)));
}

void insn_vm_list(void)
{
    char name[48];
    for (size_t a = 0; a < LOAM_ARRAY_LEN(apis); a++)
        printf("%s range_churn_10000 %d %d\n", apis[a]->name, PAIRS, PAIRS);
    for (unsigned i = 0; i < AREAS; i++) {
        area_name(name, sizeof name, i);
        printf("loam %s %d %d\n", name, (int)(PAGES / area_pages(i)), PAGES);
    }
}

static bool run_range(const char *allocator, size_t n)
{
    static spans_state state;
    for (size_t a = 0; a < LOAM_ARRAY_LEN(apis); a++) {
        if (strcmp(apis[a]->name, allocator) != 0)
            continue;
        spans_prepare(apis[a], &state, SPANS);
        spans_churn(apis[a], &state, SPANS, n);
        return true;
    }
    return false;
}

bool insn_vm_run(const char *allocator, const char *name, size_t n)
{
    static areas machine;
    char known[48];
    if (strcmp(name, "range_churn_10000") == 0)
        return run_range(allocator, n);
    for (unsigned i = 0; i < AREAS && strcmp(allocator, "loam") == 0; i++) {
        area_name(known, sizeof known, i);
        if (strcmp(name, known) != 0)
            continue;
        areas_init(&machine, area_format(i), 8192);
        areas_churn(&machine, area_pages(i), n + 2); /* the first two are the warm-up */
        return true;
    }
    return false;
}
