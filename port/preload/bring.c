/* SPDX-License-Identifier: MIT */
/* bring.c - memory moves to where a block is made.
 *
 * WHAT   A long block finds free addresses in a row where nobody had memory yet, while elsewhere
 *        free frames still have theirs, in runs that are too short. Their pages move under the
 *        block: the process grows by what is missing alone, and the system need not make new pages.
 * MODEL  A run is taken out of the zone as for giving memory back (back.c), its pages go to the
 *        block's addresses, and it is freed without memory.
 *
 *            before   | out | worn, free | out | worn, free |  new block: no pages yet |
 *            after    | out | free       | out | free       |  ^^^^^^^^^^^^^^^^^^^^    |
 *
 *        A block that grows and moves takes its pages along, and its new place is one mapping.
 *
 *        Each move leaves a mapping with a past of its own, which the system does not join with its
 *        neighbours again, and of which a process may have some 65,000: so only long runs move, and
 *        only so often.
 * LOCKS  None held over a system call.
 * COST   Three system calls a run of up to 4 MiB; a page that moves costs a hundredth of a new one.
 * FROM   -
 * NOT    Blocks that are to read 0: new pages do.
 */
#include "../../core/slab_internal.h"
#include "preload.h"

enum {
    BRING_ORDER = 6, /* of a unit: 256 KiB at a multiple of that */
    BRING_UNIT = LOAM_PAGE_SIZE << BRING_ORDER,
    BRING_MOST = 18,        /* order at which free blocks are cut */
    BRING_PIECE = 0x400000, /* bytes that move at once */
    BRING_LOOKS = 512,      /* at pieces, for a block */
    BRING_MOVES = 8192      /* in a process's life */
};

static uint32_t moves; /* [atomic] so far */

/* Where memory is wanted. */
typedef struct bring_wish {
    process_range *r;
    unsigned char *at, *end;
    unsigned looks;
    bool lost;
} bring_wish;

/* The next units in a row that nobody had, from `at` on, which moves there: bytes; 0: none. */
static size_t bring_gap(bring_wish *w)
{
    const loam_slabs *s = w->r->slabs;
    size_t len = 0;
    while (w->at + BRING_UNIT <= w->end && loam_slab__has_worn(s, w->at, BRING_UNIT))
        w->at += BRING_UNIT;
    while (w->at + len + BRING_UNIT <= w->end && len < BRING_PIECE &&
           !loam_slab__has_worn(s, w->at + len, BRING_UNIT))
        len += BRING_UNIT;
    return len;
}

static bool bring_may(void)
{
    return loam_atomic_peek(&moves) < BRING_MOVES; /* no order: a bound */
}

/* What is refused is so from now on; what lies in pieces costs a look. */
static void bring_count(loam_pages_moved moved)
{
    bool none = moved == LOAM_PAGES_REFUSED || moved == LOAM_PAGES_LOST;
    (void)loam_atomic_add(&moves, none ? BRING_MOVES : 1); /* no order: a bound */
}

/* What came in pieces by earlier moves goes in units, as it came; a unit that is none goes back to
 * the system, and new pages come. Bytes that came; 0: none. */
static size_t bring_move(bring_wish *w, unsigned char *from, size_t len)
{
    loam_pages_moved moved = loam_pages_move(w->at, from, len);
    if (moved == LOAM_PAGES_APART && len > BRING_UNIT)
        moved = loam_pages_move(w->at, from, len = BRING_UNIT);
    w->lost = moved == LOAM_PAGES_LOST;
    bring_count(moved);
    if (moved == LOAM_PAGES_APART)
        return loam_pages_give_back(&w->r->pages, from, len) ? len : 0;
    return moved == LOAM_PAGES_MOVED ? len : 0;
}

/* Pages of a free run, of so many bytes at most; those that are done with, 0: enough. */
static size_t bring_run(bring_wish *w, unsigned char *from, size_t most)
{
    loam_slabs *s = w->r->slabs;
    loam_pfn first = loam_pa_to_pfn(loam_pa_of((uintptr_t)from));
    size_t gap = bring_gap(w), len = gap < most ? gap : most;
    if (len == 0 || !bring_may())
        return 0;
    if (!loam_slab__is_worn(s, from, len) ||
        loam_zone_alloc_at(w->r->zone, first, len >> LOAM_PAGE_SHIFT, LOAM_ZONE_ATOMIC) != LOAM_OK)
        return len; /* it has nothing to give, or somebody has it by now */
    len = bring_move(w, from, len);
    if (len != 0)
        loam_slab__wear_not(s, from, len);
    w->at += len;
    (void)loam_zone_free(w->r->zone, first);
    return len;
}

/* A free block; false: enough. */
static bool bring_block(bring_wish *w, loam_pfn first, unsigned order)
{
    unsigned char *at = (unsigned char *)(uintptr_t)loam_pfn_to_pa(first).v;
    size_t left = (size_t)LOAM_PAGE_SIZE << order, most = BRING_PIECE;
    for (; left != 0 && w->looks > 0; w->looks--) {
        size_t done = bring_run(w, at, left < most ? left : most);
        if (done == 0)
            return false;
        most = done < most ? BRING_UNIT : BRING_PIECE;
        at += done;
        left -= done;
    }
    return w->looks > 0;
}

bool process_bring(loam_slabs *slabs, void *va, size_t len)
{
    unsigned char *end = (unsigned char *)va + len;
    va = (void *)(uintptr_t)loam_align_up((uintptr_t)va, BRING_UNIT);
    bring_wish w = {process_range_of(end - 1), va, end, BRING_LOOKS, false};
    bool more = w.r != NULL && w.r->slabs == slabs && bring_gap(&w) != 0;
    for (unsigned order = BRING_MOST + 1; more && order-- > BRING_ORDER;) {
        loam_pfn at = loam_zone_next_free(w.r->zone, order, BRING_MOST, loam_pfn_of(0));
        while (more && !loam_pfn_is_none(at)) {
            more = bring_block(&w, at, order);
            at = loam_zone_next_free(w.r->zone, order, BRING_MOST, loam_pfn_of(at.v + 1));
        }
    }
    return !w.lost;
}

loam_slab_carried process_carry(loam_slabs *slabs, void *to, size_t room, void *from, size_t len)
{
    (void)slabs;
    if (!bring_may())
        return LOAM_SLAB_STAYED;
    loam_pages_moved moved = loam_pages_carry(to, room, from, len);
    bring_count(moved);
    return moved == LOAM_PAGES_MOVED  ? LOAM_SLAB_CARRIED
           : moved == LOAM_PAGES_LOST ? LOAM_SLAB_LOST
                                      : LOAM_SLAB_STAYED;
}
