/* SPDX-License-Identifier: MIT */
#ifndef LOAM_PT_H
#define LOAM_PT_H

/* pt.h - page tables as data: walk, map, unmap, protect, query, over a format.
 *
 * A format says how one processor's tables look; the walker is common. Nothing here touches a
 * register: the same code builds tables in a kernel and on a host for a machine of another kind.
 * Tables come from the caller, zeroed, one page each; how their physical addresses are reached is
 * his, too. What the processor may still remember is written into a batch: the caller flushes, and
 * only then do emptied tables go back. Not locked: the owner's.
 *
 * Virtual addresses are uint64_t, whatever the host. Lengths are bytes, multiples of a page.
 */
#include "loam/base.h"

typedef enum loam_pt_flags {
    LOAM_PT_READ = 0, /* every mapping can be read */
    LOAM_PT_WRITE = 1,
    LOAM_PT_EXEC = 2, /* where the format cannot refuse execution, it is granted to all */
    LOAM_PT_USER = 4,
    LOAM_PT_DEVICE = 8, /* not cached, not reordered */
    LOAM_PT_GLOBAL = 16 /* kept in the TLB when the root changes, where the processor can */
} loam_pt_flags;

typedef struct loam_pt_format loam_pt_format; /* one of the formats below */

/* Physical addresses end at 4 GiB, 2^52, 2^48. On aarch64 a root is what TTBR0 takes: addresses
 * below 2^48; for TTBR1 they are meant without their 16 ones on top. */
extern const loam_pt_format loam_pt_i386;    /* two levels, 4 KiB and 4 MiB */
extern const loam_pt_format loam_pt_x86_64;  /* four levels, 4 KiB, 2 MiB, 1 GiB */
extern const loam_pt_format loam_pt_aarch64; /* 4 KiB granule, 48 bits, 4 KiB, 2 MiB, 1 GiB */
const loam_pt_format *loam_pt_format_of(const char *name); /* "i386", "x86_64", "aarch64"; NULL */
const char *loam_pt_format_name(const loam_pt_format *format);

/* What this processor can do beyond the least of its kind. An AArch64 always has all of them. */
typedef enum loam_pt_features {
    LOAM_PT_LARGE = 1,  /* i386: 4 MiB pages (PSE); the others: 2 MiB pages, always there */
    LOAM_PT_HUGE = 2,   /* 1 GiB pages */
    LOAM_PT_NX = 4,     /* execution can be refused */
    LOAM_PT_GLOBALS = 8 /* LOAM_PT_GLOBAL means something */
} loam_pt_features;

/* Where tables come from. alloc gives a zeroed, page-aligned page, false when there is none; at
 * turns its physical address into one that can be written. None of them may call the loam_pt that
 * asks. */
typedef struct loam_pt_memory {
    void *ctx;
    bool (*alloc)(void *ctx, loam_pa *table);
    void (*free)(void *ctx, loam_pa table);
    void *(*at)(void *ctx, loam_pa table);
} loam_pt_memory;

enum { LOAM_PT_BATCH = 32 }; /* pages remembered one by one */

/* What must be flushed: filled by several calls, flushed once. */
typedef struct loam_pt_batch {
    uint64_t va[LOAM_PT_BATCH]; /* the pages, as long as they are few */
    uint32_t count;             /* of them; at most LOAM_PT_BATCH */
    bool all;                   /* they were more: flush everything */
    bool dirty;                 /* tables were written: order the stores before their use */
    uint64_t emptied;           /* chain of tables to give back after the flush; 0: none */
} loam_pt_batch;

typedef struct loam_pt {
    const loam_pt_format *format;
    unsigned features;
    loam_pt_memory memory;
    loam_pa root;
    uint64_t tables; /* pages in use, the root included */
} loam_pt;

void loam_pt_batch_init(loam_pt_batch *batch);

/* An empty address space: one table.
 *   features    of loam_pt_features; those the format does not know are refused
 *   returns     LOAM_OK; LOAM_EINVAL; LOAM_ENOMEM
 */
loam_err loam_pt_init(loam_pt *pt, const loam_pt_format *format, unsigned features,
                      const loam_pt_memory *memory);

/* Adopts a root that is in use already (a boot table, or one whose upper part is shared). Tables
 * are counted by walking them, those that are empty stay as loam_pt_prepare's do. Rights that a
 * table takes from what is under it are given back when something is mapped there. LOAM_OK,
 * LOAM_EINVAL. O(tables). */
loam_err loam_pt_adopt(loam_pt *pt, const loam_pt_format *format, unsigned features,
                       const loam_pt_memory *memory, loam_pa root);

/* Gives every table back, mappings and all; the processor must not use them any more. Tables under
 * the root entries that cover [keep.base, keep.base + keep.len) are left alone (a kernel's half,
 * shared between roots); keep.len 0: none. O(tables). */
void loam_pt_fini(loam_pt *pt, loam_span keep);

/* Makes the root entries that cover [va, va + len) of pt the same as those of `from`: a kernel's
 * half. The tables below stay those of `from`, and are changed through it alone: through pt it is
 * LOAM_EINVAL. They stay, even when they are empty, as those of loam_pt_prepare do. Large pages in
 * the root are copied as they are now.
 *   va, len     multiples of what a root entry spans
 *   returns     LOAM_OK; LOAM_EINVAL; LOAM_ERANGE; LOAM_EBUSY: pt has tables of its own there
 */
loam_err loam_pt_share(loam_pt *pt, const loam_pt *from, uint64_t va, uint64_t len);

/* Makes sure that every root entry over [va, va + len) has a table, so that roots which share it
 * see later mappings; an entry that is a large page stays one. LOAM_OK, LOAM_EINVAL, LOAM_ENOMEM
 * (nothing changed). */
loam_err loam_pt_prepare(loam_pt *pt, uint64_t va, uint64_t len);

/* Maps [va, va + len) to [pa, pa + len), with the largest pages that alignment and features allow.
 *   va, pa, len multiples of a page; len > 0; canonical, no wrap, pa within what the format can
 *               write
 *   flags       of loam_pt_flags
 *   returns     LOAM_OK; LOAM_EINVAL; LOAM_ERANGE (wraps, not canonical, pa too large);
 *               LOAM_EBUSY: a page of it is mapped; LOAM_ENOMEM: no table
 *   on error    no mapping has changed, and no table stays that was made for it
 *   cost        O(pages written)
 */
loam_err loam_pt_map(loam_pt *pt, uint64_t va, loam_pa pa, uint64_t len, unsigned flags,
                     loam_pt_batch *batch);

/* Maps page i of n to frame pfn[i]: frames that are scattered. As loam_pt_map. */
loam_err loam_pt_map_frames(loam_pt *pt, uint64_t va, const loam_pfn *pfn, size_t n, unsigned flags,
                            loam_pt_batch *batch);

/* Takes every mapping in [va, va + len) away; what is not mapped there is skipped. A large page
 * that sticks out is split first. Empty tables go into batch->emptied, except those directly below
 * a root entry that loam_pt_prepare made.
 *   fn          told of every mapping taken away, pages of one kind that follow one another in both
 *               spaces may come as one; or NULL. Until the flush a processor may still use them
 *   returns     LOAM_OK; LOAM_EINVAL, LOAM_ERANGE; LOAM_ENOMEM: no table to split a large page with
 *   on error    nothing has changed
 *   cost        O(tables + pages)
 */
typedef void loam_pt_gone_fn(void *ctx, uint64_t va, loam_pa pa, uint64_t len);
loam_err loam_pt_unmap(loam_pt *pt, uint64_t va, uint64_t len, loam_pt_gone_fn *fn, void *ctx,
                       loam_pt_batch *batch);

/* Changes what may be done with the mapped pages in [va, va + len): flags takes the place of all
 * their loam_pt_flags. Every one of them goes into the batch, changed or not. As loam_pt_unmap
 * otherwise. */
loam_err loam_pt_protect(loam_pt *pt, uint64_t va, uint64_t len, unsigned flags,
                         loam_pt_batch *batch);

/* Makes the page that is mapped at va lead to another frame, with these flags: copy on write, in
 * one step that needs no table.
 *   va          a multiple of the smallest page, and mapped as one of these
 *   returns     LOAM_OK; LOAM_EINVAL; LOAM_ERANGE; LOAM_ENOENT: nothing is mapped there;
 *               LOAM_EBUSY: a larger page is
 *   on error    nothing has changed
 *   cost        O(levels)
 */
loam_err loam_pt_remap(loam_pt *pt, uint64_t va, loam_pfn pfn, unsigned flags,
                       loam_pt_batch *batch);

/* One mapping, as the tables say it. */
typedef struct loam_pt_entry {
    uint64_t va, len; /* of the page that holds the address: 4 KiB, 2 MiB, ... */
    loam_pa pa;       /* of its first byte */
    unsigned flags;
    bool accessed, dirty; /* as the processor noted, where it does */
} loam_pt_entry;

/* The mapping that holds va. false: none, or not canonical. O(levels). */
bool loam_pt_query(const loam_pt *pt, uint64_t va, loam_pt_entry *entry);

/* Every mapping in [va, va + len), ascending; fn returns false to stop. O(tables + pages). */
typedef bool loam_pt_fn(void *ctx, const loam_pt_entry *entry);
void loam_pt_each(const loam_pt *pt, uint64_t va, uint64_t len, loam_pt_fn *fn, void *ctx);

/* Whether [va, va + len) is canonical in this format and does not wrap. */
bool loam_pt_is_canonical(const loam_pt_format *format, uint64_t va, uint64_t len);

/* Gives the emptied tables of a batch back, after the flush, and empties the batch. */
void loam_pt_release(loam_pt *pt, loam_pt_batch *batch);

/* The first broken rule (T1 ... of pt.c), or NULL. O(tables). */
const char *loam_pt_check(const loam_pt *pt);

/* ---- how a batch is flushed ---- */

typedef struct loam_tlb_stats {
    uint64_t batches; /* flushed, with something in them */
    uint64_t pages;   /* flushed one by one */
    uint64_t fulls;   /* whole flushes */
    uint64_t told;    /* batches that other processors were told of */
} loam_tlb_stats;

/* The processor's side. page NULL: it can only flush everything (an 80386). */
typedef struct loam_tlb {
    void *ctx;
    void (*page)(void *ctx, uint64_t va);
    void (*all)(void *ctx); /* global pages, too */
    /* Before a flush: stores to tables come before what follows. After it: the flush is complete.
     * NULL where neither is needed. */
    void (*fence)(void *ctx);
    /* Where `page` and `all` reach this processor alone, and there are others: makes all the others
     * forget count pages, with count 0 everything, and returns when they have. Once a batch; false:
     * there was nobody to tell. */
    bool (*others)(void *ctx, const uint64_t *va, uint32_t count);
    uint32_t threshold; /* pages flushed one by one; more are one whole flush */
    loam_tlb_stats stats;
} loam_tlb;

/* Flushes what is in the batch: page by page up to the threshold, else everything once; then the
 * emptied tables go back. New pages alone need a fence and no flush: a processor does not remember
 * that nothing was there. Nothing to flush costs nothing and counts nothing. */
void loam_tlb_flush(loam_tlb *tlb, loam_pt *pt, loam_pt_batch *batch);

#endif
