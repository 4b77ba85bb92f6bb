/* SPDX-License-Identifier: MIT */
/* aspace_page.c - what happens at a page fault.
 *
 * WHAT   The processor could not do what the program asked. Either a page is to be made, or the
 *        program is wrong, and the answer says how.
 *
 * MODEL  One path for faults and for copies by the kernel:
 *
 *            address --> page 0? outside? no region? guard?  --> NULL KERNEL NOTHING GUARD
 *                           |
 *                        rights: write, execute              --> READ_ONLY NO_EXEC
 *                           |
 *                        present? -- yes, writable or only read --> done (a stale TLB entry)
 *                           |    '-- yes, read-only: others have it -> copy it; none -> keep it
 *                           no
 *                        a stack: above its floor, near its lowest page? --> STACK
 *                           |
 *                        a frame, cleared, mapped            --> done, or NO_MEMORY
 *
 * RULES  A4 to A8 of aspace.c.
 * LOCKS  The world's.
 * COST   O(log regions + levels) and one frame cleared or copied.
 * FROM   -
 * NOT    Reading ahead; one frame of zeros for all that is only read.
 */
#include "aspace_impl.h"

const char *loam_aspace_verdict_text(loam_aspace_verdict verdict)
{
    static const char *const text[] = {
        [LOAM_FAULT_DONE] = "nothing is wrong",
        [LOAM_FAULT_NULL] = "a NULL pointer",
        [LOAM_FAULT_NOTHING] = "nothing is mapped there",
        [LOAM_FAULT_KERNEL] = "the address is not the program's",
        [LOAM_FAULT_GUARD] = "a guard page",
        [LOAM_FAULT_STACK] = "stack overflow",
        [LOAM_FAULT_READ_ONLY] = "write to read-only memory",
        [LOAM_FAULT_NO_EXEC] = "execution of memory that holds no code",
        [LOAM_FAULT_NO_MEMORY] = "no memory",
    };
    return (unsigned)verdict < LOAM_ARRAY_LEN(text) ? text[verdict] : "?";
}

/* The region of a page that may be accessed so, or why not. */
static loam_aspace_verdict fault_admit(const loam_aspace *as, uint64_t page, unsigned access,
                                       aspace_region **region)
{
    const loam_aspace_config *c = &as->world->config;
    if (page == 0)
        return LOAM_FAULT_NULL;
    if (page < c->base || page - c->base >= c->len)
        return LOAM_FAULT_KERNEL;
    const loam_range_tag *tag = loam_range_find(&as->range, page);
    if (tag == NULL || !tag->taken)
        return LOAM_FAULT_NOTHING;
    *region = tag->owner;
    unsigned flags = (*region)->flags;
    if ((flags & LOAM_ASPACE_GUARD) != 0)
        return LOAM_FAULT_GUARD;
    if (access == LOAM_ACCESS_WRITE && (flags & LOAM_PT_WRITE) == 0)
        return LOAM_FAULT_READ_ONLY;
    if (access == LOAM_ACCESS_EXEC && (flags & LOAM_PT_EXEC) == 0)
        return LOAM_FAULT_NO_EXEC;
    return LOAM_FAULT_DONE;
}

/* Whether a stack may grow to this page. */
static bool fault_grows(const aspace_region *region, uint64_t page)
{
    if (page < region->floor)
        return false;
    return page >= region->low || region->low - page <= LOAM_ASPACE_STACK_GAP;
}

static loam_aspace_verdict fault_fill(loam_aspace *as, aspace_region *region, uint64_t page,
                                      loam_pfn *pfn)
{
    loam_aspace_world *w = as->world;
    bool stack = (region->flags & LOAM_ASPACE_STACK) != 0;
    if (stack && !fault_grows(region, page))
        return LOAM_FAULT_STACK;
    *pfn = loam_zonelist_alloc(w->config.frames, 0, LOAM_ZONE_NORMAL);
    if (loam_pfn_is_none(*pfn))
        return LOAM_FAULT_NO_MEMORY;
    w->config.clear(w->config.frame_ctx, *pfn);
    if (loam_pt_map(&as->pt, page, loam_pfn_to_pa(*pfn), LOAM_PAGE_SIZE,
                    aspace_rights(region, false), &w->batch) != LOAM_OK) {
        (void)loam_zonelist_free(w->config.frames, *pfn);
        return LOAM_FAULT_NO_MEMORY;
    }
    region->resident++;
    as->resident++;
    as->demand_zero++;
    as->stack_grown += stack;
    if (page < region->low)
        region->low = page;
    return LOAM_FAULT_DONE;
}

/* Makes a page that is present this space's own. */
static loam_aspace_verdict fault_own(loam_aspace *as, const aspace_region *region, uint64_t page,
                                     loam_pfn *pfn)
{
    loam_aspace_world *w = as->world;
    loam_pfn from = *pfn;
    if (loam_aspace__sharers(w, from) == 0) {
        (void)loam_pt_remap(&as->pt, page, from, aspace_rights(region, false), &w->batch);
        as->cow_reused++;
        return LOAM_FAULT_DONE;
    }
    *pfn = loam_zonelist_alloc(w->config.frames, 0, LOAM_ZONE_NORMAL);
    if (loam_pfn_is_none(*pfn))
        return LOAM_FAULT_NO_MEMORY;
    w->config.copy(w->config.frame_ctx, *pfn, from);
    (void)loam_pt_remap(&as->pt, page, *pfn, aspace_rights(region, false), &w->batch);
    loam_aspace__drop(w, from);
    as->cow_copied++;
    return LOAM_FAULT_DONE;
}

loam_aspace_verdict loam_aspace__page(loam_aspace *as, uint64_t page, unsigned access,
                                      loam_pfn *pfn)
{
    aspace_region *region;
    loam_pt_entry entry;
    loam_aspace_verdict verdict = fault_admit(as, page, access, &region);
    if (verdict != LOAM_FAULT_DONE)
        return verdict;
    if (!loam_pt_query(&as->pt, page, &entry))
        return fault_fill(as, region, page, pfn);
    *pfn = loam_pa_to_pfn(entry.pa);
    bool refused = access == LOAM_ACCESS_WRITE && (entry.flags & LOAM_PT_WRITE) == 0;
    bool shared = access == ASPACE_LOAD && loam_aspace__sharers(as->world, *pfn) != 0;
    return refused || shared ? fault_own(as, region, page, pfn) : LOAM_FAULT_DONE;
}

/* Nothing had to be done: the processor remembered what is no longer so. */
static void fault_stale(loam_pt_batch *batch, uint64_t page)
{
    if (batch->dirty || batch->all || batch->count != 0)
        return;
    batch->va[0] = page;
    batch->count = 1;
}

loam_aspace_verdict loam_aspace_fault(loam_aspace *as, uint64_t va, loam_aspace_access access)
{
    loam_irq irq = loam_lock_acquire(&as->world->lock);
    uint64_t page = loam_align_down(va, LOAM_PAGE_SIZE);
    loam_pfn pfn;
    loam_aspace_verdict verdict = loam_aspace__page(as, page, access, &pfn);
    if (verdict == LOAM_FAULT_DONE)
        fault_stale(&as->world->batch, page);
    else
        as->refused++;
    aspace_flush(as);
    loam_lock_release(&as->world->lock, irq);
    return verdict;
}
