/* SPDX-License-Identifier: MIT */
#ifndef LOAM_ASPACE_IMPL_H
#define LOAM_ASPACE_IMPL_H

/* aspace_impl.h - what the address spaces' files share. The theory is at the top of aspace.c. */
#include "loam/aspace.h"
#include "loam/port.h"

/* What a taken piece of the range is: its owner. */
typedef struct aspace_region {
    const char *name;
    uint64_t resident; /* [lock] pages present */
    uint64_t floor;    /* [lock] no page below: the piece's base; above a stack's guard page */
    uint64_t low;      /* [lock] the lowest page present, or the piece's end */
    unsigned flags;    /* [lock] LOAM_PT_WRITE, LOAM_PT_EXEC, LOAM_ASPACE_STACK, _GUARD */
} aspace_region;

/* How many owners besides the first a frame has: one byte a frame, in leaves of 4096. */
enum {
    ASPACE_LEAF_SHIFT = 12,
    ASPACE_LEAF = 1 << ASPACE_LEAF_SHIFT,
    ASPACE_SHARE_MAX = 255, /* of a byte */
    ASPACE_DIRECTORY = 16   /* entries of the least directory */
};

typedef struct aspace_leaf {
    uint8_t *count; /* NULL: no frame here is shared */
    uint32_t used;  /* counts that are not 0 */
} aspace_leaf;

typedef struct aspace_shares {
    aspace_leaf *leaf;   /* [lock] the directory: entry i is for frames of leaf number first + i */
    uint64_t first, cap; /* [lock] */
    uint64_t leaves;     /* [lock] entries with counts; 0: no directory */
} aspace_shares;

struct loam_aspace_world {
    loam_aspace_config config; /* [init] */
    uint64_t high;             /* [init] where the format's upper half begins; 0: it has none */
    uint64_t low_end;          /* [init] where its lower half ends */
    loam_lock lock;
    loam_list spaces; /* [lock] */
    uint64_t count;   /* [lock] of them */
    aspace_shares shares;
    loam_pt_batch batch; /* [lock] of the call that holds the lock; empty between calls */
};

struct loam_aspace {
    loam_aspace_world *world;                                           /* [init] */
    loam_list link;                                                     /* [lock] */
    loam_pt pt;                                                         /* [lock] */
    loam_range range;                                                   /* [lock] */
    uint64_t regions;                                                   /* [lock] taken pieces */
    uint64_t resident;                                                  /* [lock] pages present */
    uint64_t demand_zero, cow_copied, cow_reused, stack_grown, refused; /* [lock] */
};

static inline void *aspace_alloc(const loam_aspace_world *w, size_t size)
{
    return w->config.alloc(w->config.alloc_ctx, size);
}

static inline void aspace_free(const loam_aspace_world *w, void *p, size_t size)
{
    w->config.free(w->config.alloc_ctx, p, size);
}

static inline loam_aspace *aspace_of(loam_list *link)
{
    return LOAM_CONTAINER_OF(link, loam_aspace, link);
}

static inline uint64_t aspace_tag_end(const loam_range_tag *tag)
{
    return tag->base + tag->len;
}

/* What the tables shall say of a page of this region. */
static inline unsigned aspace_rights(const aspace_region *region, bool shared)
{
    unsigned rights = LOAM_PT_USER | (region->flags & (LOAM_PT_WRITE | LOAM_PT_EXEC));
    return shared ? rights & ~(unsigned)LOAM_PT_WRITE : rights;
}

/* The bits of rights that these tables can tell apart. */
static inline unsigned aspace_rights_mask(const loam_aspace *as)
{
    return LOAM_PT_USER | LOAM_PT_WRITE |
           ((as->pt.features & LOAM_PT_NX) != 0 ? (unsigned)LOAM_PT_EXEC : 0);
}

/* Flushes what the call has changed in these tables. Lock held. */
static inline void aspace_flush(loam_aspace *as)
{
    loam_tlb_flush(as->world->config.tlb, &as->pt, &as->world->batch);
}

/* ---- aspace.c; lock held ---- */

/* An empty space, or NULL. */
loam_aspace *loam_aspace__make(loam_aspace_world *w);
/* Everything that a space has goes back, and the space itself. */
void loam_aspace__unmake(loam_aspace *as);
/* The first page that is mapped in [at, end): false: none. */
bool loam_aspace__next(const loam_aspace *as, uint64_t at, uint64_t end, loam_pt_entry *entry);
/* loam_pt_gone_fn: ctx is the space that no longer has these pages. */
void loam_aspace__gone(void *ctx, uint64_t va, loam_pa pa, uint64_t len);

/* ---- aspace_share.c; lock held ---- */

/* Owners of a frame besides the first. */
unsigned loam_aspace__sharers(const loam_aspace_world *w, loam_pfn pfn);
/* One owner more: LOAM_OK; LOAM_EFULL: the count cannot tell one more; LOAM_ENOMEM. */
loam_err loam_aspace__share(loam_aspace_world *w, loam_pfn pfn);
/* One owner less: the last one gives the frame back. */
void loam_aspace__drop(loam_aspace_world *w, loam_pfn pfn);
/* Rule A9, and the sum of all counts. */
const char *loam_aspace__check_shares(const loam_aspace_world *w, uint64_t *sum);

/* ---- aspace_page.c; lock held ---- */

/* As loam_aspace_access, and: */
enum { ASPACE_LOAD = 3 }; /* a write whatever the rights are */

/* Makes the page at `page` present, for this access: its frame, or why not. What is to be flushed
 * is in the world's batch. */
loam_aspace_verdict loam_aspace__page(loam_aspace *as, uint64_t page, unsigned access,
                                      loam_pfn *pfn);

#endif
