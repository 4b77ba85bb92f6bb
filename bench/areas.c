/* SPDX-License-Identifier: MIT */
/* areas.c - a vmap for benches. The threshold is the kernel's: 32 pages. */
#include "areas.h"
#include "harness.h"
#include <string.h>

enum { WINDOW = 64 << 20, TABLES_PA = 0x200000, RAM_PA = 0x1000000 };

static const struct {
    const char *name;
    const loam_pt_format *format;
    uint64_t base;
} kinds[AREAS_FORMATS] = {{"i386", &loam_pt_i386, 0xd0000000},
                          {"x86_64", &loam_pt_x86_64, 0xffffc90000000000},
                          {"aarch64", &loam_pt_aarch64, 0x7f0000000000}};

const char *areas_format_name(unsigned format)
{
    return kinds[format].name;
}

static bool table_alloc(void *ctx, loam_pa *table)
{
    areas *a = ctx;
    if (a->free_tables == 0)
        return false;
    unsigned i = a->table[--a->free_tables];
    memset(a->pages + (size_t)i * LOAM_PAGE_SIZE, 0, LOAM_PAGE_SIZE);
    *table = loam_pa_of(TABLES_PA + (uint64_t)i * LOAM_PAGE_SIZE);
    return true;
}

static void table_free(void *ctx, loam_pa table)
{
    areas *a = ctx;
    a->table[a->free_tables++] = (uint8_t)((table.v - TABLES_PA) >> LOAM_PAGE_SHIFT);
}

static void *table_at(void *ctx, loam_pa table)
{
    areas *a = ctx;
    return a->pages + (table.v - TABLES_PA);
}

static void flush_page(void *ctx, uint64_t va)
{
    areas *a = ctx;
    (void)va;
    a->flushed++;
}

static void flush_all(void *ctx)
{
    areas *a = ctx;
    a->flushed++;
}

static loam_zone *zone_of(uint64_t frames)
{
    loam_zone_config c;
    const loam_span ram = {RAM_PA, frames << LOAM_PAGE_SHIFT};
    loam_zone_config_init(&c);
    uint64_t need = loam_zone_measure(&ram, 1, &c);
    loam_zone *zone = loam_zone_init(bench_map(need), need, true, &ram, 1, &c);
    if (zone == NULL || loam_zone_add(zone, loam_pa_to_pfn(loam_pa_of(RAM_PA)), frames) != LOAM_OK)
        bench_die("no zone");
    return zone;
}

void areas_init(areas *a, unsigned format, uint64_t frames)
{
    memset(a, 0, sizeof *a);
    a->pages = bench_map((uint64_t)AREAS_TABLES * LOAM_PAGE_SIZE);
    while (a->free_tables < AREAS_TABLES) {
        a->table[a->free_tables] = (uint8_t)a->free_tables;
        a->free_tables++;
    }
    a->zone = zone_of(frames);
    loam_zonelist_add_zone(&a->frames, a->zone);
    a->tlb = (loam_tlb){.ctx = a, .page = flush_page, .all = flush_all, .threshold = 32};
    const loam_pt_memory memory = {a, table_alloc, table_free, table_at};
    if (loam_pt_init(&a->pt, kinds[format].format, 0, &memory) != LOAM_OK)
        bench_die("no tables");
    const loam_vmap_config config = {.base = kinds[format].base,
                                     .len = WINDOW,
                                     .pt = &a->pt,
                                     .tlb = &a->tlb,
                                     .frames = &a->frames,
                                     .tag = a->tag,
                                     .tag_count = AREAS_TAGS};
    uint64_t resident;
    a->vmap = loam_vmap_init(a->mem, sizeof a->mem, &config);
    if (a->vmap == NULL ||
        loam_vmap_alloc(a->vmap, LOAM_PAGE_SIZE, 0, LOAM_PT_WRITE, &resident) != LOAM_OK)
        bench_die("no vmap");
}

void areas_churn(areas *a, uint64_t pages, size_t n)
{
    uint64_t va = 0;
    for (size_t i = 0; i < n; i++)
        if (loam_vmap_alloc(a->vmap, pages << LOAM_PAGE_SHIFT, 0, LOAM_PT_WRITE, &va) != LOAM_OK ||
            loam_vmap_free(a->vmap, va) != LOAM_OK)
            bench_die("an area was refused");
}
