/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BENCH_AREAS_H
#define LOAM_BENCH_AREAS_H

/* areas.h - a vmap for benches: a zone whose frames nobody touches, tables in memory of this
 * process, a TLB that only counts. */
#include "loam/vmap.h"

enum { AREAS_FORMATS = 3, AREAS_TABLES = 64, AREAS_TAGS = 512 };

typedef struct areas {
    loam_zone *zone;
    loam_zonelist frames;
    loam_pt pt;
    loam_tlb tlb;
    loam_vmap *vmap;
    loam_range_tag tag[AREAS_TAGS];
    uint64_t flushed;     /* calls of the TLB's functions: pages and everything */
    unsigned free_tables; /* on the stack below */
    uint8_t table[AREAS_TABLES];
    unsigned char *pages; /* of tables */
    _Alignas(8) uint64_t mem[512];
} areas;

/* "i386", "x86_64", "aarch64". */
const char *areas_format_name(unsigned format);

/* Makes the machine: frames, nearly all free, and an area of one page that stays, as in a window
 * that is in use: its tables stay, too. The process keeps the memory. */
void areas_init(areas *a, unsigned format, uint64_t frames);

/* n areas of so many pages, each unmapped before the next. */
void areas_churn(areas *a, uint64_t pages, size_t n);

#endif
