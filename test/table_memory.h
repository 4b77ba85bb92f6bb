/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_TABLE_MEMORY_H
#define LOAM_TEST_TABLE_MEMORY_H

/* table_memory.h - where the tables of a test come from: a few pages of fake RAM that remember who
 * has them. Freestanding: tests of kernels use it, too.
 *
 * A page that is given back is filled with entries that would be noticed, and is told apart from
 * one that is out; asking for the contents of one that is not out counts as a fault. */
#include "loam/pt.h"

#ifndef TABLE_MEMORY_PAGES
#define TABLE_MEMORY_PAGES 64U
#endif

enum { TABLE_MEMORY_BASE = 0x7654000 };

typedef struct table_memory {
    uint64_t base;    /* physical address of the first page */
    unsigned out;     /* pages that are out */
    unsigned asked;   /* requests so far */
    unsigned refused; /* of them */
    unsigned fail_at; /* the request that fails, and all behind it with fail_rest; 0: none */
    bool fail_rest;
    unsigned limit;  /* pages at most; 0: all */
    unsigned faults; /* wrong uses */
    bool is_out[TABLE_MEMORY_PAGES];
} table_memory;

/* `common`: one for all suites in a program, which run one after another. */
typedef unsigned char table_page[LOAM_PAGE_SIZE];
extern table_page table_memory_ram[TABLE_MEMORY_PAGES];
__attribute__((common, aligned(LOAM_PAGE_SIZE))) table_page table_memory_ram[TABLE_MEMORY_PAGES];

/* The page of an address that is out, or TABLE_MEMORY_PAGES. */
static inline unsigned table_memory_index(const table_memory *m, uint64_t pa)
{
    uint64_t i = (pa - m->base) >> LOAM_PAGE_SHIFT;
    return i < TABLE_MEMORY_PAGES && m->is_out[i] ? (unsigned)i : TABLE_MEMORY_PAGES;
}

static inline bool table_memory_fails(const table_memory *m)
{
    return m->fail_at != 0 && (m->asked == m->fail_at || (m->fail_rest && m->asked > m->fail_at));
}

static inline bool table_memory_alloc(void *ctx, loam_pa *table)
{
    table_memory *m = ctx;
    unsigned pages = m->limit != 0 && m->limit < TABLE_MEMORY_PAGES ? m->limit : TABLE_MEMORY_PAGES;
    m->asked++;
    for (unsigned i = 0; i < pages && !table_memory_fails(m); i++) {
        if (m->is_out[i])
            continue;
        m->is_out[i] = true;
        m->out++;
        __builtin_memset(table_memory_ram[i], 0, LOAM_PAGE_SIZE);
        *table = loam_pa_of(m->base + ((uint64_t)i << LOAM_PAGE_SHIFT));
        return true;
    }
    m->refused++;
    return false;
}

static inline void table_memory_free(void *ctx, loam_pa table)
{
    table_memory *m = ctx;
    unsigned i = table_memory_index(m, table.v);
    if (i == TABLE_MEMORY_PAGES || table.v % LOAM_PAGE_SIZE != 0) {
        m->faults++;
        return;
    }
    __builtin_memset(table_memory_ram[i], 0xa7, LOAM_PAGE_SIZE);
    m->is_out[i] = false;
    m->out--;
}

static inline void *table_memory_at(void *ctx, loam_pa table)
{
    static _Alignas(LOAM_PAGE_SIZE) unsigned char nowhere[LOAM_PAGE_SIZE];
    table_memory *m = ctx;
    unsigned i = table_memory_index(m, table.v);
    if (i < TABLE_MEMORY_PAGES && table.v % LOAM_PAGE_SIZE == 0)
        return table_memory_ram[i];
    m->faults++;
    __builtin_memset(nowhere, 0, LOAM_PAGE_SIZE);
    return nowhere;
}

/* The eight bytes at an address, as a wire would see them: for the software MMU. */
static inline uint64_t table_memory_word(void *ctx, uint64_t pa)
{
    table_memory *m = ctx;
    unsigned i = table_memory_index(m, pa);
    uint64_t word = 0;
    if (i == TABLE_MEMORY_PAGES)
        m->faults++;
    else
        __builtin_memcpy(&word, &table_memory_ram[i][pa % LOAM_PAGE_SIZE & ~7U], 8);
    return word;
}

static inline loam_pt_memory table_memory_init(table_memory *m)
{
    __builtin_memset(m, 0, sizeof *m);
    m->base = TABLE_MEMORY_BASE;
    return (loam_pt_memory){m, table_memory_alloc, table_memory_free, table_memory_at};
}

#endif
