/* SPDX-License-Identifier: MIT */
#ifndef LOAM_ASPACE_H
#define LOAM_ASPACE_H

/* aspace.h - the address space of a user program: regions, filled on demand.
 *
 * A region is a range of user addresses with one set of rights. Nothing is mapped when it is made:
 * the first touch of a page faults, and loam_aspace_fault gives it a zeroed frame. A clone shares
 * every frame, read-only on both sides, until one side writes: copy on write, frames shared by
 * count. A stack region grows downwards to its limit; guard pages stay unmapped. Whatever the
 * program does wrong is answered with a reason: the kernel kills the program, never itself.
 *
 * Spaces that may share frames belong to one loam_aspace_world. One lock a world, with interrupts
 * off; faults and calls of one space come from one processor at a time. The config's functions are
 * called with the lock held, and may not call the world. Context of every call: no interrupt's.
 */
#include "loam/base.h"
#include "loam/pt.h"
#include "loam/range.h"
#include "loam/zone.h"

typedef struct loam_aspace loam_aspace;
typedef struct loam_aspace_world loam_aspace_world;

typedef struct loam_aspace_config {
    const loam_pt_format *format;
    unsigned features;     /* of loam_pt_features */
    loam_pt_memory memory; /* where tables come from */
    const loam_pt *kernel; /* its part of the root outside of the user window is shared; or NULL */
    loam_tlb *tlb;
    uint64_t base, len;    /* the user window, multiples of what a root entry spans; page 0 is never
                           given out */
    loam_zonelist *frames; /* of user pages */
    /* Contents of frames, which may have no kernel address: both must be there. */
    void (*clear)(void *ctx, loam_pfn pfn);
    void (*copy)(void *ctx, loam_pfn to, loam_pfn from);
    /* A way to read and write a frame for a moment: window opens it, and closes it with pfn
     * LOAM_NO_FRAME. For loam_aspace_copy_*. */
    unsigned char *(*window)(void *ctx, loam_pfn pfn);
    void *frame_ctx;
    /* Memory of the unit itself: spaces, region tags, share counts. alloc answers zeroed memory or
     * NULL. */
    void *(*alloc)(void *ctx, size_t size);
    void (*free)(void *ctx, void *p, size_t size);
    void *alloc_ctx;
} loam_aspace_config;

/* NULL: the config's parts do not fit together, or no memory. */
loam_aspace_world *loam_aspace_world_init(const loam_aspace_config *config);
/* LOAM_OK; LOAM_EBUSY while a space lives. */
loam_err loam_aspace_world_fini(loam_aspace_world *world);

/* An empty space; NULL: no memory. */
loam_aspace *loam_aspace_create(loam_aspace_world *world);
/* Gives back all: frames that nobody shares, tables, regions. The processor must not be on it. */
void loam_aspace_destroy(loam_aspace *as);
/* Physical address of the root, to switch to. */
loam_pa loam_aspace_root(const loam_aspace *as);

/* Of regions, besides those of loam_pt_flags. Without a name: a compiler may warn where values of
 * two named ones are combined. */
enum {
    /* LOAM_PT_WRITE and LOAM_PT_EXEC, as in pt.h, and: */
    LOAM_ASPACE_FIXED = 1 << 16, /* exactly at addr, else LOAM_EBUSY */
    LOAM_ASPACE_STACK = 1 << 17, /* len is the limit: pages come from the top down, a fault may be
                                    at most LOAM_ASPACE_STACK_GAP below the lowest page present;
                                    the lowest page of the region is a guard */
    LOAM_ASPACE_GUARD = 1 << 18  /* nothing may be touched: a reserved hole */
};
typedef unsigned loam_aspace_flags;

/* Makes a region; nothing is mapped yet.
 *   addr        a hint (0: none), or with LOAM_ASPACE_FIXED the place; a multiple of a page
 *   len         bytes > 0, rounded up to pages
 *   name        a literal for messages ("stack", "heap", "text")
 *   returns     LOAM_OK and *at; LOAM_EINVAL; LOAM_ERANGE (outside the window); LOAM_EBUSY;
 *               LOAM_ENOMEM
 *   cost        O(log regions)
 */
loam_err loam_aspace_map(loam_aspace *as, uint64_t addr, uint64_t len, unsigned flags,
                         const char *name, uint64_t *at);

/* Takes [addr, addr + len) out of whatever regions lie there, cutting them; holes are skipped.
 * LOAM_OK, LOAM_EINVAL, LOAM_ERANGE, LOAM_ENOMEM (no tag or table to cut with: nothing changed). */
loam_err loam_aspace_unmap(loam_aspace *as, uint64_t addr, uint64_t len);

/* Changes the rights of [addr, addr + len): flags are LOAM_PT_WRITE and LOAM_PT_EXEC alone.
 * LOAM_OK; LOAM_EINVAL, LOAM_ERANGE; LOAM_ENOENT: part of it is no region, or a guard; LOAM_ENOMEM:
 * no tag to cut with. On error nothing has changed. O(log regions) a region, and the pages. */
loam_err loam_aspace_protect(loam_aspace *as, uint64_t addr, uint64_t len, unsigned flags);

/* What a fault was, as the processor says. */
typedef enum loam_aspace_access {
    LOAM_ACCESS_READ = 0,
    LOAM_ACCESS_WRITE = 1,
    LOAM_ACCESS_EXEC = 2
} loam_aspace_access;

typedef enum loam_aspace_verdict {
    LOAM_FAULT_DONE,      /* go on: the page is there now */
    LOAM_FAULT_NULL,      /* the first page */
    LOAM_FAULT_NOTHING,   /* no region holds the address */
    LOAM_FAULT_KERNEL,    /* outside of the user window */
    LOAM_FAULT_GUARD,     /* a guard page */
    LOAM_FAULT_STACK,     /* the stack's limit is reached, or the access is too far below it */
    LOAM_FAULT_READ_ONLY, /* a write where none is allowed */
    LOAM_FAULT_NO_EXEC,   /* execution where none is allowed */
    LOAM_FAULT_NO_MEMORY
} loam_aspace_verdict;
/* "write to read-only memory", ... */
const char *loam_aspace_verdict_text(loam_aspace_verdict verdict);

/* Answers a page fault: demand-zero, copy on write, stack growth, or the reason to kill. A fault on
 * a page that is already as it should be (a stale TLB entry) flushes it and is DONE. O(log
 * regions). */
loam_aspace_verdict loam_aspace_fault(loam_aspace *as, uint64_t va, loam_aspace_access access);

/* The region that holds va: its name and span, for messages. false: none. */
typedef struct loam_aspace_region {
    uint64_t base, len;
    unsigned flags;
    const char *name;
    uint64_t resident; /* pages present */
} loam_aspace_region;
bool loam_aspace_find(loam_aspace *as, uint64_t va, loam_aspace_region *region);
/* Every region, ascending; fn is called with the lock held, and returns false to stop. */
typedef bool loam_aspace_fn(void *ctx, const loam_aspace_region *region);
void loam_aspace_each(loam_aspace *as, loam_aspace_fn *fn, void *ctx);

/* A second space with the same contents; frames are shared until one side writes. NULL: no memory,
 * nothing has changed then. O(resident pages). */
loam_aspace *loam_aspace_clone(loam_aspace *as);

/* Copies between kernel and user memory, checking every page's rights, and filling pages as a fault
 * would. The answer is LOAM_FAULT_DONE, or the first page's reason; then *done bytes (may be NULL)
 * were copied. Never faults itself. O(len). */
loam_aspace_verdict loam_aspace_copy_from(loam_aspace *as, void *to, uint64_t from, size_t len,
                                          size_t *done);
loam_aspace_verdict loam_aspace_copy_to(loam_aspace *as, uint64_t to, const void *from, size_t len,
                                        size_t *done);

/* Fills a part of a region whatever its rights are: a loader's. */
loam_aspace_verdict loam_aspace_load(loam_aspace *as, uint64_t to, const void *from, size_t len);

enum { LOAM_ASPACE_STACK_GAP = 64 * 1024 }; /* bytes below the lowest page that still grow it */

typedef struct loam_aspace_stats {
    uint64_t regions, resident;      /* pages present; shared ones count in every space */
    uint64_t shared;                 /* of those, frames that another space has, too */
    uint64_t tables;                 /* pages of the pt that are its own */
    uint64_t demand_zero;            /* pages given at first touch */
    uint64_t cow_copied, cow_reused; /* writes to shared pages: copied; the last owner kept it */
    uint64_t stack_grown;            /* of demand_zero, in stack regions */
    uint64_t refused;                /* faults with any verdict but DONE */
} loam_aspace_stats;
/* O(pages): what is shared is counted now. */
void loam_aspace_stat(loam_aspace *as, loam_aspace_stats *stats);

/* The first broken rule (A1 ... of aspace.c, R and T of the units below), or NULL. */
const char *loam_aspace_check(loam_aspace *as);
/* Over all spaces of the world: share counts are what the tables say. */
const char *loam_aspace_world_check(loam_aspace_world *world);

#endif
