/* SPDX-License-Identifier: MIT */
#ifndef LOAM_PT_IMPL_H
#define LOAM_PT_IMPL_H

/* pt_impl.h - what a format is, and the cursor that all walks use. The theory is at the top of
 * pt.c. */
#include "loam/pt.h"

enum { PT_LEVELS = 4, PT_PRESENT = 1 /* bit 0 of an entry, in every format */ };

/* One processor's tables, as constants and pure functions. Level 0 has the 4 KiB pages, level
 * levels - 1 is the root. */
struct loam_pt_format {
    const char *name;
    uint8_t levels, index_bits;
    uint8_t entry_shift;   /* log2 of the bytes of an entry */
    uint8_t pa_bits;       /* of a physical address */
    uint8_t known, always; /* of loam_pt_features: that mean something; that every processor has */
    uint64_t address;      /* the bits of an entry that are an address */

    /* An entry above level 0 names a table when its bits under `kind` are `is_table`; one of ours
     * is link | address. */
    uint64_t kind, is_table, link;
    uint64_t grants, granted; /* it takes no rights away when its bits under `grants` are these */
    uint64_t kept, shared;    /* marks in bits the processor ignores: T5 */
    uint64_t accessed, dirty; /* bits that the processor sets in a page's entry; 0: it does not */

    bool (*is_canonical)(uint64_t va, uint64_t last);
    unsigned (*largest)(unsigned features); /* the highest level that may have pages */
    uint64_t (*page)(unsigned level, unsigned flags, unsigned features); /* an entry less address */
    unsigned (*flags)(uint64_t page, unsigned features);                 /* and back */
    unsigned (*rights)(uint64_t table); /* of READ, WRITE, EXEC, USER: what it leaves to grant */
    bool (*is_sound)(unsigned level, uint64_t entry, unsigned features); /* T1, of present ones */
};

enum {
    PT_RIGHTS = LOAM_PT_WRITE | LOAM_PT_EXEC | LOAM_PT_USER,
    PT_KNOWN_FLAGS = PT_RIGHTS | LOAM_PT_DEVICE | LOAM_PT_GLOBAL
};

static inline unsigned pt_shift(const loam_pt_format *f, unsigned level)
{
    return LOAM_PAGE_SHIFT + (unsigned)f->index_bits * level;
}

/* Bytes under an entry of this level. */
static inline uint64_t pt_size(const loam_pt_format *f, unsigned level)
{
    return (uint64_t)1 << pt_shift(f, level);
}

static inline unsigned pt_entries(const loam_pt_format *f)
{
    return 1U << f->index_bits;
}

static inline unsigned pt_index(const loam_pt_format *f, unsigned level, uint64_t va)
{
    return (unsigned)(va >> pt_shift(f, level)) & (pt_entries(f) - 1);
}

static inline unsigned pt_root_level(const loam_pt *pt)
{
    return pt->format->levels - 1U;
}

static inline void *pt_at(const loam_pt *pt, uint64_t table)
{
    return pt->memory.at(pt->memory.ctx, loam_pa_of(table));
}

/* ---- entries: read and written whole, the processor looks on ---- */

static inline uint64_t pt_read(const loam_pt_format *f, const void *table, unsigned i)
{
    if (f->entry_shift == 2)
        return ((const volatile uint32_t *)table)[i];
    return ((const volatile uint64_t *)table)[i];
}

static inline void pt_write(const loam_pt_format *f, void *table, unsigned i, uint64_t entry)
{
    if (f->entry_shift == 2)
        ((volatile uint32_t *)table)[i] = (uint32_t)entry;
    else
        ((volatile uint64_t *)table)[i] = entry;
}

/* Links a table: what was written into it before is seen by whoever sees the entry. (A processor of
 * 32 bits walks no entries of 64: there the plain store is for another machine's tables.) */
static inline void pt_link(const loam_pt_format *f, void *table, unsigned i, uint64_t entry)
{
    if (f->entry_shift == 2)
        __atomic_store_n((uint32_t *)table + i, (uint32_t)entry, __ATOMIC_RELEASE);
    else if (sizeof(void *) == 8)
        __atomic_store_n((uint64_t *)table + i, entry, __ATOMIC_RELEASE);
    else
        pt_write(f, table, i, entry);
}

static inline bool pt_is_present(uint64_t entry)
{
    return (entry & PT_PRESENT) != 0;
}

static inline bool pt_is_table(const loam_pt_format *f, unsigned level, uint64_t entry)
{
    return level > 0 && (entry & f->kind) == f->is_table;
}

/* The address in a page's entry: low bits of a large one have other meanings. */
static inline uint64_t pt_page_address(const loam_pt_format *f, unsigned level, uint64_t entry)
{
    return entry & f->address & ~(pt_size(f, level) - 1);
}

/* ---- cursor: an address, and the tables on the way to it ---- */

typedef struct pt_cursor {
    const loam_pt *pt;
    uint64_t at, left;         /* bytes still to go, from `at` on */
    unsigned level;            /* the lowest level whose table is known for `at` */
    uint8_t rights[PT_LEVELS]; /* what the levels above leave to grant */
    void *table[PT_LEVELS];    /* from `level` up */
} pt_cursor;

static inline void pt_start(pt_cursor *c, const loam_pt *pt, uint64_t va, uint64_t len)
{
    c->pt = pt;
    c->at = va;
    c->left = len;
    c->level = pt_root_level(pt);
    c->table[c->level] = pt_at(pt, pt->root.v);
    c->rights[c->level] = PT_RIGHTS;
}

static inline unsigned pt_cursor_index(const pt_cursor *c)
{
    return pt_index(c->pt->format, c->level, c->at);
}

/* Goes down to the entry that decides about `at`: a page's, or one that says nothing. */
static inline uint64_t pt_find(pt_cursor *c)
{
    const loam_pt_format *f = c->pt->format;
    unsigned level = c->level, shift = pt_shift(f, level), mask = pt_entries(f) - 1;
    void *table = c->table[level];
    for (;;) {
        uint64_t entry = pt_read(f, table, (unsigned)(c->at >> shift) & mask);
        if (!pt_is_table(f, level, entry)) {
            c->level = level;
            return entry;
        }
        unsigned rights = c->rights[level];
        level--;
        shift -= f->index_bits;
        table = c->table[level] = pt_at(c->pt, entry & f->address);
        if ((entry & f->grants) != f->granted)
            rights &= f->rights(entry);
        c->rights[level] = (uint8_t)rights;
    }
}

/* Goes on by bytes, at most `left`, and up out of the tables that do not hold the new address. */
static inline void pt_skip(pt_cursor *c, uint64_t bytes)
{
    const loam_pt_format *f = c->pt->format;
    uint64_t from = c->at;
    unsigned root = pt_root_level(c->pt);
    c->at += bytes;
    c->left -= bytes;
    while (c->level < root && (from ^ c->at) >> pt_shift(f, c->level + 1) != 0)
        c->level++;
}

/* Bytes of the range that lie under the entry the cursor is at. */
static inline uint64_t pt_rest(const pt_cursor *c)
{
    uint64_t size = pt_size(c->pt->format, c->level), rest = size - (c->at & (size - 1));
    return rest < c->left ? rest : c->left;
}

/* Entries of the cursor's table, from its own on, that lie in the range with all under them.
 * 0: this one does not. */
static inline unsigned pt_run(const pt_cursor *c)
{
    const loam_pt_format *f = c->pt->format;
    if ((c->at & (pt_size(f, c->level) - 1)) != 0)
        return 0;
    unsigned to_end = pt_entries(f) - pt_cursor_index(c);
    uint64_t wanted = c->left >> pt_shift(f, c->level);
    return wanted < to_end ? (unsigned)wanted : to_end;
}

/* Lies all that is left of the range in the cursor's table of level 0? Then nothing has to be split
 * and no table to be made: the short way for one page or a few. */
static inline bool pt_is_one_run(const pt_cursor *c)
{
    return c->level == 0 && (uint64_t)pt_run(c) << LOAM_PAGE_SHIFT == c->left;
}

/* ---- shared by the files of the unit ---- */

/* Tables that are nobody's yet, each linked to the next through its first entry. A link is an
 * address with bit 1 set, so that 0 is none, and never present. */
enum { PT_CHAINED = 2 };

typedef struct pt_spares {
    uint64_t first; /* a link */
} pt_spares;

/* May a call that changes tables work on this range? */
loam_err loam_pt__range(const loam_pt *pt, uint64_t va, uint64_t len);
/* Takes n tables from the caller's memory, all or none. */
bool loam_pt__spare(const loam_pt *pt, pt_spares *spares, uint64_t n);
/* One of them, all zero; there is one. */
loam_pa loam_pt__take(loam_pt *pt, pt_spares *spares);
/* Hangs an empty table that the tree has let go behind those that wait for a flush. */
void loam_pt__retire(loam_pt *pt, loam_pt_batch *batch, loam_pa table);
/* Is no entry of the table present? `near` is looked at first. O(entries). */
bool loam_pt__is_empty(const loam_pt_format *f, const void *table, unsigned near);

static inline void pt_batch_add(loam_pt_batch *batch, uint64_t va)
{
    if (batch->all)
        return;
    if (batch->count < LOAM_PT_BATCH)
        batch->va[batch->count++] = va;
    else
        batch->all = true;
}

#endif
