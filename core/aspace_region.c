/* SPDX-License-Identifier: MIT */
/* aspace_region.c - which addresses a program may use, and how.
 *
 * WHAT   map, unmap and protect say what a fault will find; nothing becomes present here.
 *
 * MODEL  A region is a taken piece of the range and the struct that owns it. What unmap and protect
 *        are asked for need not be whole regions: those at the ends are cut first.
 *
 *            before   [ heap                 ]    [ data   ]
 *            asked            |===========================|
 *            cut      [ heap |#][ heap       ]    [ data |#][ ]     both cuts, or neither: a cut
 *                                                                   that cannot be made takes the
 *            unmap    [ heap  ]                            [ ]      first one back
 *
 *        A cut divides the pages present by asking the tables. In a stack, only the lowest part
 *        keeps the guard page (floor), and each part has its own lowest page present (low).
 *
 * RULES  A1 to A3, A6, A7 of aspace.c.
 * LOCKS  The world's, taken by the public calls.
 * COST   map O(log regions); unmap, protect: O(log regions) for each region, and the pages of the
 *        part; a cut looks at the pages of the region's upper part.
 * FROM   -
 * NOT    Joining neighbours that have become equal: a program that protects page by page has a
 *        region for each.
 */
#include "aspace_impl.h"

enum {
    REGION_RIGHTS = LOAM_PT_WRITE | LOAM_PT_EXEC,
    REGION_KINDS = LOAM_ASPACE_STACK | LOAM_ASPACE_GUARD
};

/* ---- what may be asked for ---- */

static bool region_flags_fit(unsigned flags)
{
    bool guard = (flags & LOAM_ASPACE_GUARD) != 0;
    if ((flags & ~(unsigned)(REGION_RIGHTS | REGION_KINDS | LOAM_ASPACE_FIXED)) != 0)
        return false;
    return !guard || (flags & (REGION_RIGHTS | LOAM_ASPACE_STACK)) == 0;
}

/* Rounds *len up to pages. */
static loam_err region_round(uint64_t addr, uint64_t *len)
{
    if (addr % LOAM_PAGE_SIZE != 0 || *len == 0)
        return LOAM_EINVAL;
    return loam_align_up_overflows(*len, LOAM_PAGE_SIZE, len) ? LOAM_ERANGE : LOAM_OK;
}

static bool region_inside(uint64_t base, uint64_t size, uint64_t addr, uint64_t len)
{
    return addr >= base && addr - base < size && len <= size - (addr - base);
}

/* Makes [*addr, *addr + *len) whole pages of the window, without page 0, which no region has. */
static loam_err region_admit(const loam_aspace *as, uint64_t *addr, uint64_t *len)
{
    const loam_aspace_config *c = &as->world->config;
    loam_err err = region_round(*addr, len);
    if (err != LOAM_OK)
        return err;
    if (!region_inside(c->base, c->len, *addr, *len))
        return LOAM_ERANGE;
    if (*addr < as->range.base) {
        *addr += LOAM_PAGE_SIZE;
        *len -= LOAM_PAGE_SIZE;
    }
    return LOAM_OK;
}

/* ---- map ---- */

static loam_err region_place(loam_aspace *as, uint64_t addr, uint64_t len, bool fixed,
                             uint64_t *base)
{
    *base = addr;
    if (region_inside(as->range.base, as->range.len, addr, len)) {
        loam_err err = loam_range_alloc_at(&as->range, addr, len);
        if (err != LOAM_EBUSY || fixed)
            return err;
    } else if (fixed) {
        return LOAM_ERANGE;
    }
    return len > as->range.len ? LOAM_ENOMEM : loam_range_alloc(&as->range, len, NULL, base);
}

static loam_err region_make(loam_aspace *as, uint64_t addr, uint64_t len, unsigned flags,
                            const char *name, uint64_t *at)
{
    aspace_region *region = aspace_alloc(as->world, sizeof *region);
    uint64_t base;
    if (region == NULL)
        return LOAM_ENOMEM;
    loam_err err = region_place(as, addr, len, (flags & LOAM_ASPACE_FIXED) != 0, &base);
    if (err != LOAM_OK) {
        aspace_free(as->world, region, sizeof *region);
        return err;
    }
    *region = (aspace_region){name, 0, base, base + len, flags & (REGION_RIGHTS | REGION_KINDS)};
    if ((flags & LOAM_ASPACE_STACK) != 0)
        region->floor += LOAM_PAGE_SIZE;
    loam_range_find(&as->range, base)->owner = region;
    as->regions++;
    *at = base;
    return LOAM_OK;
}

loam_err loam_aspace_map(loam_aspace *as, uint64_t addr, uint64_t len, unsigned flags,
                         const char *name, uint64_t *at)
{
    loam_err err = region_round(addr, &len);
    bool stack = (flags & LOAM_ASPACE_STACK) != 0;
    if (err != LOAM_OK)
        return err;
    if (!region_flags_fit(flags) || name == NULL || (stack && len == LOAM_PAGE_SIZE))
        return LOAM_EINVAL;
    loam_irq irq = loam_lock_acquire(&as->world->lock);
    err = region_make(as, addr, len, flags, name, at);
    loam_lock_release(&as->world->lock, irq);
    return err;
}

/* ---- cuts ---- */

/* Pages present in [base, end), and the lowest of them (end: none). */
static uint64_t region_count(const loam_aspace *as, uint64_t base, uint64_t end, uint64_t *lowest)
{
    loam_pt_entry page;
    uint64_t count = 0;
    *lowest = end;
    for (uint64_t at = base; loam_aspace__next(as, at, end, &page); at = page.va + page.len) {
        if (count++ == 0)
            *lowest = page.va;
    }
    return count;
}

/* Shares what a region knows between its lower part and the piece behind it, which has begun as a
 * copy. */
static void region_divide(const loam_aspace *as, aspace_region *lower, aspace_region *upper,
                          const loam_range_tag *piece)
{
    uint64_t lowest;
    *upper = *lower;
    upper->resident = region_count(as, piece->base, aspace_tag_end(piece), &lowest);
    lower->resident -= upper->resident;
    upper->low = lowest;
    upper->floor = piece->base;
    if (lower->low > piece->base)
        lower->low = piece->base;
}

/* Makes a region begin at `at`, where one lies across it. *cut: so it was. */
static loam_err region_cut(loam_aspace *as, uint64_t at, bool *cut)
{
    const loam_range_tag *tag = loam_range_find(&as->range, at);
    *cut = false;
    if (tag == NULL || !tag->taken || tag->base == at)
        return LOAM_OK;
    aspace_region *lower = tag->owner, *upper = aspace_alloc(as->world, sizeof *upper);
    if (upper == NULL)
        return LOAM_ENOMEM;
    loam_err err = loam_range_split(&as->range, at);
    if (err != LOAM_OK) {
        aspace_free(as->world, upper, sizeof *upper);
        return err;
    }
    loam_range_tag *piece = loam_range_find(&as->range, at);
    piece->owner = upper;
    region_divide(as, lower, upper, piece);
    as->regions++;
    *cut = true;
    return LOAM_OK;
}

/* Takes a cut back. */
static void region_weld(loam_aspace *as, uint64_t at)
{
    const loam_range_tag *piece = loam_range_find(&as->range, at);
    aspace_region *upper = piece->owner, *lower = piece->prev->owner;
    lower->resident += upper->resident;
    if (lower->low == at)
        lower->low = upper->low;
    (void)loam_range_join(&as->range, piece->prev->base);
    aspace_free(as->world, upper, sizeof *upper);
    as->regions--;
}

typedef struct region_cuts {
    bool low, high;
} region_cuts;

static loam_err region_cut_both(loam_aspace *as, uint64_t base, uint64_t end, region_cuts *cuts)
{
    loam_err err = region_cut(as, base, &cuts->low);
    if (err != LOAM_OK)
        return err;
    err = region_cut(as, end, &cuts->high);
    if (err != LOAM_OK && cuts->low)
        region_weld(as, base);
    return err;
}

static void region_weld_both(loam_aspace *as, uint64_t base, uint64_t end, region_cuts cuts)
{
    if (cuts.high)
        region_weld(as, end);
    if (cuts.low)
        region_weld(as, base);
}

/* ---- unmap ---- */

/* Every piece in [base, end) that is taken, free: cut already. */
static void region_release(loam_aspace *as, uint64_t base, uint64_t end)
{
    for (uint64_t at = base; at < end;) {
        const loam_range_tag *tag = loam_range_find(&as->range, at);
        uint64_t next = aspace_tag_end(tag);
        if (tag->taken) {
            aspace_free(as->world, tag->owner, sizeof(aspace_region));
            (void)loam_range_free(&as->range, at, NULL);
            as->regions--;
        }
        at = next;
    }
}

static loam_err region_unmap(loam_aspace *as, uint64_t base, uint64_t len)
{
    region_cuts cuts;
    loam_err err = region_cut_both(as, base, base + len, &cuts);
    if (err != LOAM_OK)
        return err;
    err = loam_pt_unmap(&as->pt, base, len, loam_aspace__gone, as, &as->world->batch);
    aspace_flush(as);
    if (err != LOAM_OK)
        region_weld_both(as, base, base + len, cuts);
    else
        region_release(as, base, base + len);
    return err;
}

loam_err loam_aspace_unmap(loam_aspace *as, uint64_t addr, uint64_t len)
{
    loam_err err = region_admit(as, &addr, &len);
    if (err != LOAM_OK || len == 0)
        return err;
    loam_irq irq = loam_lock_acquire(&as->world->lock);
    err = region_unmap(as, addr, len);
    loam_lock_release(&as->world->lock, irq);
    return err;
}

/* ---- protect ---- */

/* No hole and no guard in [base, end). */
static bool region_covered(const loam_aspace *as, uint64_t base, uint64_t end)
{
    const loam_range_tag *tag = loam_range_find(&as->range, base);
    for (; tag != NULL && tag->base < end; tag = loam_range_next(tag)) {
        const aspace_region *region = tag->owner;
        if (!tag->taken || (region->flags & LOAM_ASPACE_GUARD) != 0)
            return false;
    }
    return true;
}

/* The tables follow the region's new rights. A small page is changed in place: no error. */
static void region_follow(loam_aspace *as, const loam_range_tag *piece)
{
    const aspace_region *region = piece->owner;
    uint64_t end = aspace_tag_end(piece);
    loam_pt_entry page;
    for (uint64_t at = piece->base; loam_aspace__next(as, at, end, &page);
         at = page.va + page.len) {
        loam_pfn pfn = loam_pa_to_pfn(page.pa);
        unsigned rights = aspace_rights(region, loam_aspace__sharers(as->world, pfn) != 0);
        if (((page.flags ^ rights) & aspace_rights_mask(as)) != 0)
            (void)loam_pt_remap(&as->pt, page.va, pfn, rights, &as->world->batch);
    }
}

static loam_err region_protect(loam_aspace *as, uint64_t base, uint64_t len, unsigned rights)
{
    region_cuts cuts;
    uint64_t end = base + len;
    if (!region_covered(as, base, end))
        return LOAM_ENOENT;
    loam_err err = region_cut_both(as, base, end, &cuts);
    if (err != LOAM_OK)
        return err;
    const loam_range_tag *tag = loam_range_find(&as->range, base);
    for (; tag != NULL && tag->base < end; tag = loam_range_next(tag)) {
        aspace_region *region = tag->owner;
        region->flags = (region->flags & (unsigned)REGION_KINDS) | rights;
        region_follow(as, tag);
    }
    aspace_flush(as);
    return LOAM_OK;
}

loam_err loam_aspace_protect(loam_aspace *as, uint64_t addr, uint64_t len, unsigned flags)
{
    uint64_t first = addr;
    loam_err err = region_admit(as, &addr, &len);
    if (err != LOAM_OK)
        return err;
    if ((flags & ~(unsigned)REGION_RIGHTS) != 0)
        return LOAM_EINVAL;
    if (addr != first) /* page 0 */
        return LOAM_ENOENT;
    loam_irq irq = loam_lock_acquire(&as->world->lock);
    err = region_protect(as, addr, len, flags);
    loam_lock_release(&as->world->lock, irq);
    return err;
}

/* ---- views ---- */

static loam_aspace_region region_shown(const loam_range_tag *tag)
{
    const aspace_region *region = tag->owner;
    return (loam_aspace_region){tag->base, tag->len, region->flags, region->name, region->resident};
}

bool loam_aspace_find(loam_aspace *as, uint64_t va, loam_aspace_region *region)
{
    loam_irq irq = loam_lock_acquire(&as->world->lock);
    const loam_range_tag *tag = loam_range_find(&as->range, va);
    bool found = tag != NULL && tag->taken;
    if (found)
        *region = region_shown(tag);
    loam_lock_release(&as->world->lock, irq);
    return found;
}

void loam_aspace_each(loam_aspace *as, loam_aspace_fn *fn, void *ctx)
{
    loam_irq irq = loam_lock_acquire(&as->world->lock);
    bool more = true;
    const loam_range_tag *tag = loam_range_first(&as->range);
    for (; tag != NULL && more; tag = loam_range_next(tag)) {
        if (!tag->taken)
            continue;
        loam_aspace_region region = region_shown(tag);
        more = fn(ctx, &region);
    }
    loam_lock_release(&as->world->lock, irq);
}
