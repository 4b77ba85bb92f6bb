/* SPDX-License-Identifier: MIT */
/* insn_tables.c - the page-table workloads of bench_insn: n times, pages are mapped, unmapped and
 * flushed, on each format. What is counted is what happens inside the calls: mapping one run of
 * memory that allows no large page (pt_map), scattered frames (pt_frames), or unmapping and the
 * flush with the tables that go back (pt_unmap). A neighbour stays mapped, as in a kernel's window:
 * one page needs no table, 1,024 need one or two. */
#include "insn_tables.h"
#include "loam/pt.h"
#include <stdio.h>
#include <string.h>

enum { TABLES = 16, MOST = 1024, PAGES = 16384, ODD = 3 * LOAM_PAGE_SIZE };

static _Alignas(LOAM_PAGE_SIZE) unsigned char ram[TABLES][LOAM_PAGE_SIZE];
static unsigned spare[TABLES], spares;
static uint64_t forgotten; /* flushes of the fake processor */

static bool table_alloc(void *ctx, loam_pa *table)
{
    (void)ctx;
    if (spares == 0)
        return false;
    unsigned i = spare[--spares];
    memset(ram[i], 0, LOAM_PAGE_SIZE);
    *table = loam_pa_of((uint64_t)i << LOAM_PAGE_SHIFT);
    return true;
}

static void table_free(void *ctx, loam_pa table)
{
    (void)ctx;
    spare[spares++] = (unsigned)(table.v >> LOAM_PAGE_SHIFT);
}

static void *table_at(void *ctx, loam_pa table)
{
    (void)ctx;
    return ram[table.v >> LOAM_PAGE_SHIFT];
}

static void forget_page(void *ctx, uint64_t va)
{
    (void)ctx;
    forgotten += va != 0;
}

static void forget_all(void *ctx)
{
    (void)ctx;
    forgotten++;
}

/* ---- names ---- */

static const char *const parts[] = {"map", "frames", "unmap"};
static const unsigned sizes[] = {1, 64, MOST};
static const char *const formats[] = {"i386", "x86_64", "aarch64"};

typedef struct choice {
    unsigned part, size, format;
} choice;

enum { CHOICES = 27 };

static choice choice_of(unsigned i)
{
    return (choice){i % 3, i / 3 % 3, i / 9};
}

static void name_of(char *out, size_t cap, choice c)
{
    snprintf(out, cap, "pt_%s_%u_%s", parts[c.part], sizes[c.size], formats[c.format]);
}

void insn_tables_list(void)
{
    char name[48];
    for (unsigned i = 0; i < CHOICES; i++) {
        choice c = choice_of(i);
        name_of(name, sizeof name, c);
        printf("loam %s %u %u\n", name, PAGES / sizes[c.size], (unsigned)PAGES);
    }
}

/* ---- work ---- */

static loam_pt start(const char *format, loam_pt_batch *batch)
{
    loam_pt pt;
    loam_pt_memory memory = {NULL, table_alloc, table_free, table_at};
    for (spares = 0; spares < TABLES; spares++)
        spare[spares] = spares;
    loam_pt_batch_init(batch);
    (void)loam_pt_init(&pt, loam_pt_format_of(format), 0, &memory);
    loam_pfn neighbour = {1};
    (void)loam_pt_map_frames(&pt, 0x40000000, &neighbour, 1, LOAM_PT_WRITE, batch);
    return pt;
}

static void churn(choice c, size_t n)
{
    static loam_pfn pfn[MOST];
    loam_tlb tlb = {.page = forget_page, .all = forget_all, .threshold = LOAM_PT_BATCH};
    loam_pt_batch batch;
    loam_pt pt = start(formats[c.format], &batch);
    uint64_t va = 0x40001000, len = (uint64_t)sizes[c.size] << LOAM_PAGE_SHIFT;
    for (unsigned i = 0; i < MOST; i++)
        pfn[i].v = 0x1000 + i * 7U % MOST;
    for (size_t i = 0; i < n; i++) {
        if (parts[c.part][0] == 'f')
            (void)loam_pt_map_frames(&pt, va, pfn, sizes[c.size], LOAM_PT_WRITE, &batch);
        else
            (void)loam_pt_map(&pt, va, loam_pa_of(ODD), len, LOAM_PT_WRITE, &batch);
        loam_pt_batch_init(&batch); /* new pages: nothing to flush */
        (void)loam_pt_unmap(&pt, va, len, NULL, NULL, &batch);
        loam_tlb_flush(&tlb, &pt, &batch);
    }
}

bool insn_tables_run(const char *allocator, const char *workload, size_t n)
{
    char name[48];
    for (unsigned i = 0; i < CHOICES; i++) {
        choice c = choice_of(i);
        name_of(name, sizeof name, c);
        if (strcmp(workload, name) != 0 || strcmp(allocator, "loam") != 0)
            continue;
        churn(c, n);
        return true;
    }
    return false;
}
