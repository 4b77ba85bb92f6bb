/* SPDX-License-Identifier: MIT */
/* aspace_clone.c - a second space with the same contents.
 *
 * WHAT   A clone has the same regions and the same frames; nothing is copied until one side writes.
 *
 * MODEL  Three steps, of which only the first two can fail, and they change nothing of the first
 *        space:
 *
 *            1 regions     parent [text][heap]   [stack]        clone  [text][heap]   [stack]
 *            2 pages       parent  f1    f2        f3           clone   f1    f2        f3
 *              counts              +1    +1        +1                  (read-only, all of them)
 *            3 protect     parent  f2, f3: no longer writable
 *
 *        A frame whose count is full is copied at once, for the clone alone. A failure in 1 or 2
 *        takes the half-made clone apart as destroy would, and so every count goes back.
 *
 * RULES  A5, A10 of aspace.c: between 2 and 3 they do not hold, and the lock is not let go.
 * LOCKS  The world's.
 * COST   O(regions + pages + tables); one flush.
 * FROM   fork as in Unix, copy on write as in TENEX.
 * NOT    Sharing tables.
 */
#include "aspace_impl.h"

/* ---- 1: regions ---- */

static bool clone_region(loam_aspace *child, const loam_range_tag *piece)
{
    const aspace_region *from = piece->owner;
    aspace_region *region = aspace_alloc(child->world, sizeof *region);
    if (region == NULL)
        return false;
    if (loam_range_alloc_at(&child->range, piece->base, piece->len) != LOAM_OK) {
        aspace_free(child->world, region, sizeof *region);
        return false;
    }
    *region = *from;
    loam_range_find(&child->range, piece->base)->owner = region;
    child->regions++;
    return true;
}

/* ---- 2: pages ---- */

/* A frame for the clone's page: the same one, or a copy. *shared: which. */
static loam_err clone_frame(loam_aspace_world *w, loam_pfn *pfn, bool *shared)
{
    loam_pfn from = *pfn;
    loam_err err = loam_aspace__share(w, from);
    *shared = err == LOAM_OK;
    if (err != LOAM_EFULL)
        return err;
    *pfn = loam_zonelist_alloc(w->config.frames, 0, LOAM_ZONE_NORMAL);
    if (loam_pfn_is_none(*pfn))
        return LOAM_ENOMEM;
    w->config.copy(w->config.frame_ctx, *pfn, from);
    return LOAM_OK;
}

static bool clone_page(loam_aspace *child, const aspace_region *region, const loam_pt_entry *page)
{
    loam_aspace_world *w = child->world;
    loam_pfn pfn = loam_pa_to_pfn(page->pa);
    bool shared;
    if (clone_frame(w, &pfn, &shared) != LOAM_OK)
        return false;
    if (loam_pt_map(&child->pt, page->va, loam_pfn_to_pa(pfn), LOAM_PAGE_SIZE,
                    aspace_rights(region, shared), &w->batch) != LOAM_OK) {
        loam_aspace__drop(w, pfn);
        return false;
    }
    child->resident++;
    return true;
}

static bool clone_piece(const loam_aspace *as, loam_aspace *child, const loam_range_tag *piece)
{
    loam_pt_entry page;
    uint64_t end = aspace_tag_end(piece);
    if (!clone_region(child, piece))
        return false;
    for (uint64_t at = piece->base; loam_aspace__next(as, at, end, &page);
         at = page.va + page.len) {
        if (!clone_page(child, piece->owner, &page))
            return false;
    }
    return true;
}

/* ---- 3: protect ---- */

/* Nothing is split where every page is a small one: no error. */
static void clone_protect(loam_aspace *as, const loam_range_tag *piece)
{
    const aspace_region *region = piece->owner;
    if (region->resident != 0 && (region->flags & LOAM_PT_WRITE) != 0)
        (void)loam_pt_protect(&as->pt, piece->base, piece->len, aspace_rights(region, true),
                              &as->world->batch);
}

static loam_aspace *clone_locked(loam_aspace *as)
{
    loam_aspace *child = loam_aspace__make(as->world);
    bool good = child != NULL;
    const loam_range_tag *tag = loam_range_first(&as->range);
    for (; tag != NULL && good; tag = loam_range_next(tag))
        good = !tag->taken || clone_piece(as, child, tag);
    if (child != NULL)
        aspace_flush(child);
    if (!good) {
        if (child != NULL)
            loam_aspace__unmake(child);
        return NULL;
    }
    for (tag = loam_range_first(&as->range); tag != NULL; tag = loam_range_next(tag))
        if (tag->taken)
            clone_protect(as, tag);
    aspace_flush(as);
    return child;
}

loam_aspace *loam_aspace_clone(loam_aspace *as)
{
    loam_irq irq = loam_lock_acquire(&as->world->lock);
    loam_aspace *child = clone_locked(as);
    loam_lock_release(&as->world->lock, irq);
    return child;
}
