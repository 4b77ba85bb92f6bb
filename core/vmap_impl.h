/* SPDX-License-Identifier: MIT */
#ifndef LOAM_VMAP_IMPL_H
#define LOAM_VMAP_IMPL_H

/* vmap_impl.h - what the files of a vmap share. The theory is at the top of vmap.c. */
#include "loam/port.h"
#include "loam/vmap.h"

enum {
    VMAP_PT_FLAGS = LOAM_PT_WRITE | LOAM_PT_EXEC | LOAM_PT_USER | LOAM_PT_DEVICE | LOAM_PT_GLOBAL,
    VMAP_FLAGS = VMAP_PT_FLAGS | LOAM_VMAP_ZERO | LOAM_VMAP_BORROW,
    VMAP_SHOWN = VMAP_FLAGS | LOAM_VMAP_KMALLOC,
    /* besides, in the note of a piece: */
    VMAP_KEEP = 1 << 24,  /* frames are not given back */
    VMAP_DYING = 1 << 25, /* being freed part by part: an area no more */
    VMAP_GUARD = LOAM_PAGE_SIZE
};

/* The note of a taken piece: flags in the low half; above, where in its first page the area starts,
 * and how much less than its last page was asked for. */
enum { VMAP_OFFSET_SHIFT = 32, VMAP_SLACK_SHIFT = 44 };

struct loam_vmap {
    loam_vmap_config config; /* [init] */
    loam_lock lock;
    uint32_t holder;       /* [atomic] number of the processor that has the lock, and 1; else 0 */
    loam_range range;      /* [lock] the window without its first page */
    loam_range_tag *stock; /* [lock] tags of the source that the range may take */
    unsigned pending;      /* [lock] calls that have filled the stock, and not dropped it yet */
    loam_pt_batch batch;   /* [lock] of all calls; empty or flushed when the lock is released */
    uint64_t areas, mapped, allocs, frees; /* [lock] */
    uint64_t failures, refusals;           /* [lock] */
    const void *kmalloc;                   /* whose blocks are here, or NULL */
};

static inline loam_irq vmap_lock(loam_vmap *v)
{
    loam_irq irq = loam_lock_acquire(&v->lock);
    loam_atomic_store(&v->holder, loam_port_cpu() + 1); /* no order: asked about by itself alone */
    return irq;
}

static inline void vmap_unlock(loam_vmap *v, loam_irq irq)
{
    loam_atomic_store(&v->holder, 0); /* no order: as above */
    loam_lock_release(&v->lock, irq);
}

/* Is this a fault handler, or a report, in the middle of a change by this very processor? no order:
 * what this processor stored it sees, and any other's number is a no. */
static inline bool vmap_is_mine(const loam_vmap *v)
{
    return loam_atomic_peek(&v->holder) == loam_port_cpu() + 1;
}

static inline unsigned vmap_flags(const loam_range_tag *t)
{
    return (unsigned)t->note;
}

static inline uint64_t vmap_offset(const loam_range_tag *t)
{
    return t->note >> VMAP_OFFSET_SHIFT & (LOAM_PAGE_SIZE - 1);
}

static inline uint64_t vmap_slack(const loam_range_tag *t)
{
    return t->note >> VMAP_SLACK_SHIFT & (LOAM_PAGE_SIZE - 1);
}

static inline uint64_t vmap_note(unsigned flags, uint64_t offset, uint64_t slack)
{
    return flags | offset << VMAP_OFFSET_SHIFT | slack << VMAP_SLACK_SHIFT;
}

/* Bytes that are mapped: the piece without its guard. */
static inline uint64_t vmap_mapped(const loam_range_tag *t)
{
    return t->len - VMAP_GUARD;
}

static inline bool vmap_is_area(const loam_range_tag *t)
{
    return t->taken && (vmap_flags(t) & VMAP_DYING) == 0;
}

/* ---- vmap_frames.c: tags, and lists of frames on their way in or out ---- */

/* The range's source: tags that were asked for before the lock was taken. Lock held. */
loam_range_tag *loam_vmap__stock_get(void *vmap);
void loam_vmap__stock_put(void *vmap, loam_range_tag *t);
/* Are there n tags to take, of the array and of the stock? Lock held. */
bool loam_vmap__stock_has_locked(const loam_vmap *v, unsigned n);
/* Before and after a change of the range, without the lock. What is put into the stock for a call
 * stays there until that call ends, whoever else comes and goes meanwhile. */
void loam_vmap__stock_fill(loam_vmap *v);
void loam_vmap__stock_drop(loam_vmap *v);
/* After a change that needs no tag, and may have set some free. */
void loam_vmap__stock_trim(loam_vmap *v);

enum { VMAP_FEW = 8, VMAP_MORE = LOAM_PAGE_SIZE / sizeof(loam_pfn) - 1 };

/* A page from where tables come from. */
typedef struct vmap_more {
    loam_pfn pfn[VMAP_MORE];
    loam_pa next;
} vmap_more;
_Static_assert(sizeof(vmap_more) == LOAM_PAGE_SIZE, "one page");

typedef struct vmap_list {
    size_t count, room;
    loam_pa more; /* v 0: none */
    loam_pa at;   /* the page that a walk comes to next */
    loam_pfn few[VMAP_FEW];
} vmap_list;

/* Makes room for n frames; less when there are no pages for it. Lock held. */
void loam_vmap__list_make_locked(loam_vmap *v, vmap_list *list, uint64_t n);
/* Gives the pages of the list back. Without the lock. */
void loam_vmap__list_drop(loam_vmap *v, vmap_list *list);
/* The frames behind the first `done`, as many as lie together; for done from 0 on, in order. */
loam_pfn *loam_vmap__list_part(const loam_vmap *v, vmap_list *list, size_t done, size_t *n);

/* Takes n frames from the zones into a list, or none. Without the lock. */
loam_err loam_vmap__frames_take(loam_vmap *v, vmap_list *list, uint64_t n, bool zero);
/* Gives all frames of the list to their zones. Without the lock. */
void loam_vmap__frames_give(loam_vmap *v, vmap_list *list);
/* Is this a single frame that is out, of one of the zones? */
bool loam_vmap__frame_is_single(const loam_vmap *v, loam_pfn pfn);
/* Clears those frames of the list that no linear map reaches: by the config's function, else at
 * `va`, where they are mapped. */
bool loam_vmap__frames_need_clearing(const loam_vmap *v, vmap_list *list);
void loam_vmap__frames_clear(loam_vmap *v, vmap_list *list, uint64_t va);

/* ---- vmap_view.c ---- */

/* Answers a call with an address that is not one of an area: LOAM_EINVAL. Without the lock. */
loam_err loam_vmap__refuse(loam_vmap *v, uint64_t va, bool freeing, const void *caller);

/* ---- vmap.c ---- */

/* Rounds a size up to pages; LOAM_EINVAL: none, or more than the window ever has. */
loam_err loam_vmap__round(const loam_vmap *v, uint64_t size, uint64_t *mapped);
/* Counts a failure, and answers it. Without the lock. */
loam_err loam_vmap__fail(loam_vmap *v, loam_err err);
void loam_vmap__flush_locked(loam_vmap *v);
/* Maps the frames of a list from va on: all, or none. Lock held. */
loam_err loam_vmap__map_list_locked(loam_vmap *v, uint64_t va, vmap_list *list, unsigned flags);
/* The flags new pages are mapped with at first, until loam_vmap__clear: writable when they have to
 * be cleared through the mapping. */
unsigned loam_vmap__first_flags(const loam_vmap *v, vmap_list *list, unsigned flags);
void loam_vmap__clear(loam_vmap *v, vmap_list *list, uint64_t va, unsigned flags, unsigned first);

/* ---- vmap.c and vmap_change.c: the public calls, and kmalloc's ----
 *
 * kind: LOAM_VMAP_KMALLOC for its blocks, 0 for all other areas; neither may touch the other's. */

loam_err loam_vmap__alloc(loam_vmap *v, uint64_t size, uint64_t align, unsigned flags, uint64_t *va,
                          const void *site);
loam_err loam_vmap__free(loam_vmap *v, uint64_t va, unsigned kind, const void *caller);
loam_err loam_vmap__resize(loam_vmap *v, uint64_t va, uint64_t size, unsigned kind,
                           const void *caller);

#endif
