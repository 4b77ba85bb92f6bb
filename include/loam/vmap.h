/* SPDX-License-Identifier: MIT */
#ifndef LOAM_VMAP_H
#define LOAM_VMAP_H

/* vmap.h - ranges of kernel addresses mapped to frames: virtually contiguous, physically scattered.
 *
 * A vmap owns a window of addresses (a range), the tables of it (a pt) and takes frames from a list
 * of zones. Every area has an unmapped guard page before and behind it (neighbours share one). One
 * flush for each call, never one a page. Locked inside; not from interrupts. Zones, the source of
 * tags and reports are called without the lock: a shrinker may free areas.
 *
 * Addresses are uint64_t here, so that the unit runs on a host for any format.
 */
#include "loam/base.h"
#include "loam/pt.h"
#include "loam/range.h"
#include "loam/zone.h"

typedef struct loam_vmap_config {
    uint64_t base, len; /* the window, multiples of a page; at least three pages */
    /* The kernel's tables; whoever else changes them in the window loses. They and the tlb are
     * changed under this vmap's lock alone: whatever else uses them, as a second vmap, runs on the
     * same processor. Their memory is asked with the lock held, and may not come back for an
     * area. */
    loam_pt *pt;
    loam_tlb *tlb;
    loam_zonelist *frames;    /* for loam_vmap_alloc; tried in the order given */
    loam_range_tag *tag;      /* tags to begin with; stay the caller's */
    size_t tag_count;         /* at least 2 */
    loam_range_source source; /* more tags; zero: none */
    /* Clears a frame, asked when LOAM_VMAP_ZERO wants one that no linear map reaches: NULL clears
     * it through the new mapping (in a kernel whose tables these are). */
    void (*clear)(void *ctx, loam_pfn pfn);
    void *clear_ctx;
} loam_vmap_config;

/* Besides those of loam_pt_flags. Without a name: a compiler may warn where values of two named
 * ones are combined. */
enum {
    LOAM_VMAP_ZERO = 1 << 16,   /* contents 0 */
    LOAM_VMAP_BORROW = 1 << 17, /* the frames stay the caller's at free */
    LOAM_VMAP_KMALLOC = 1 << 18 /* in loam_vmap_area alone: a block of kmalloc, which frees it */
};
typedef unsigned loam_vmap_flags;

typedef struct loam_vmap loam_vmap;

/* Bytes that loam_vmap_init needs, aligned to 8. */
size_t loam_vmap_measure(void);

/* NULL: the config's parts do not fit together. */
loam_vmap *loam_vmap_init(void *mem, size_t len, const loam_vmap_config *config);

/* Gives out size bytes, rounded up to pages, of scattered frames.
 *   flags       of loam_pt_flags and loam_vmap_flags
 *   align       of the address, a power of two; 0: a page
 *   returns     LOAM_OK and *va; LOAM_EINVAL (size 0, more than the window, align); LOAM_ENOMEM: no
 *               address range, no frames, no table, no tag; nothing has changed then
 *   cost        O(pages)      context   may wait for the lock, not from interrupts
 */
loam_err loam_vmap_alloc(loam_vmap *v, uint64_t size, uint64_t align, unsigned flags, uint64_t *va);

/* Maps n frames of the caller; with LOAM_VMAP_BORROW they stay his at free, else they go to their
 * zones then. */
loam_err loam_vmap_map(loam_vmap *v, const loam_pfn *pfn, size_t n, unsigned flags, uint64_t *va);

/* Maps [pa, pa + len), any alignment, which need not be RAM: devices. *va has the same offset in
 * its page. */
loam_err loam_vmap_map_pa(loam_vmap *v, loam_pa pa, uint64_t len, unsigned flags, uint64_t *va);

/* Unmaps an area and gives its frames back, unless they were borrowed.
 *   va          what one of the above answered
 *   returns     LOAM_OK; LOAM_EINVAL after loam_port_misuse: no area starts there
 *   cost        O(pages), one flush
 */
loam_err loam_vmap_free(loam_vmap *v, uint64_t va);

/* Changes flags (loam_pt_flags) of a whole area. LOAM_OK, LOAM_EINVAL (misuse), LOAM_ENOMEM. */
loam_err loam_vmap_protect(loam_vmap *v, uint64_t va, unsigned flags);

/* Makes an area larger or smaller in place, to whole pages: LOAM_OK, LOAM_EINVAL (misuse, borrowed,
 * size 0), LOAM_EBUSY: no room behind it, LOAM_ENOMEM. */
loam_err loam_vmap_resize(loam_vmap *v, uint64_t va, uint64_t size);

typedef struct loam_vmap_area {
    uint64_t va, size; /* mapped bytes, guards excluded; size as asked for is `wanted` */
    uint64_t wanted;
    unsigned flags;
    const void *site; /* who called */
} loam_vmap_area;

/* The area that holds an address, or whose guard page does (*guard true): for fault messages and
 * for kmalloc. false: none, or asked in the middle of a change by this very processor: a fault
 * there is answered, too. O(log areas). */
bool loam_vmap_find(loam_vmap *v, uint64_t va, loam_vmap_area *area, bool *guard);

typedef bool loam_vmap_fn(void *ctx, const loam_vmap_area *area);
void loam_vmap_each(loam_vmap *v, loam_vmap_fn *fn, void *ctx);

typedef struct loam_vmap_stats {
    uint64_t window, largest; /* bytes; largest: the longest area that fits */
    uint64_t areas, mapped;   /* mapped: bytes, guards excluded */
    uint64_t tables;          /* pages of the pt */
    uint64_t allocs, frees, failures, refusals;
    loam_tlb_stats tlb;
} loam_vmap_stats;
void loam_vmap_stat(loam_vmap *v, loam_vmap_stats *stats);

/* The first broken rule (V1 ... of vmap.c, R and T of the units below), or NULL. Nobody else
 * inside. O(areas + pages). */
const char *loam_vmap_check(loam_vmap *v);

#endif
