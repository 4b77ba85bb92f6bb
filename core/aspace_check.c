/* SPDX-License-Identifier: MIT */
/* aspace_check.c - whether the rules hold.
 *
 * WHAT   The rules A1 to A10 of aspace.c, tested one by one, by name.
 *
 * MODEL  First the units below, then the regions, then every page of the tables against its region,
 *        its frame and its count:
 *
 *            range (R) --> tables (T) --> regions (A1-A3) --> pages (A4, A5, A8) --> sums (A6, A7)
 *            all spaces: leaves (A9) --> each frame: spaces that have it = count + 1 (A10)
 *
 *        A10 asks the other spaces at the same address, because a clone has its frames where they
 *        were. That no count is left over follows from the sums: all counts added are the pages of
 *        all spaces less the frames behind them.
 *
 * RULES  A1 to A10 of aspace.c.
 * LOCKS  None: nobody else is inside.
 * COST   O(regions + pages * log regions); world_check O(pages * spaces) besides.
 * FROM   -
 * NOT    Repair.
 */
#include "aspace_impl.h"

/* ---- regions ---- */

static const char *check_region(const loam_aspace *as, const loam_range_tag *tag)
{
    const aspace_region *region = tag->owner;
    const unsigned rights = LOAM_PT_WRITE | LOAM_PT_EXEC;
    const loam_aspace_config *c = &as->world->config;
    if (region == NULL)
        return "A1 a region has an owner";
    if (tag->base < LOAM_PAGE_SIZE || tag->base < c->base || aspace_tag_end(tag) - c->base > c->len)
        return "A2 regions lie in the window, and page 0 in none";
    if (region->name == NULL ||
        (region->flags & ~(rights | LOAM_ASPACE_STACK | LOAM_ASPACE_GUARD)) != 0)
        return "A3 a region has a name and known rights";
    if ((region->flags & LOAM_ASPACE_GUARD) != 0 && region->flags != LOAM_ASPACE_GUARD)
        return "A3 a guard has no rights";
    return NULL;
}

static const char *check_regions(const loam_aspace *as)
{
    uint64_t regions = 0;
    const char *bad = NULL;
    const loam_range_tag *tag = loam_range_first(&as->range);
    for (; tag != NULL && bad == NULL; tag = loam_range_next(tag)) {
        if (!tag->taken && tag->owner != NULL)
            return "A1 a hole has no owner";
        regions += tag->taken;
        if (tag->taken)
            bad = check_region(as, tag);
    }
    if (bad == NULL && regions != as->regions)
        return "A1 regions are counted";
    return bad;
}

/* ---- pages ---- */

/* A single block of one of the zones. */
static bool check_frame_is_out(const loam_zonelist *frames, loam_pfn pfn)
{
    for (unsigned i = 0; i < frames->count; i++) {
        loam_frame_state state = loam_zone_state(frames->zone[i], pfn);
        if (state != LOAM_FRAME_OUTSIDE)
            return state == LOAM_FRAME_HEAD && loam_zone_order(frames->zone[i], pfn) == 0;
    }
    return false;
}

static const char *check_page(const loam_aspace *as, const loam_pt_entry *page,
                              const loam_range_tag *tag)
{
    loam_pfn pfn = loam_pa_to_pfn(page->pa);
    if (page->len != LOAM_PAGE_SIZE || tag == NULL || !tag->taken)
        return "A4 a page is a small one and lies in a region";
    const aspace_region *region = tag->owner;
    if ((region->flags & LOAM_ASPACE_GUARD) != 0 || page->va < region->floor)
        return "A4 a page lies not in a guard, not below a stack's floor";
    unsigned rights = aspace_rights(region, loam_aspace__sharers(as->world, pfn) != 0);
    unsigned mask = aspace_rights_mask(as), wrong = (page->flags ^ rights) & mask;
    if ((wrong & ~(unsigned)LOAM_PT_WRITE) != 0 || (page->flags & ~rights & LOAM_PT_WRITE) != 0)
        return "A5 a page's rights are its region's, without write while its frame is shared";
    if (!check_frame_is_out(as->world->config.frames, pfn))
        return "A8 a page's frame is a single block that is out of its zone";
    return NULL;
}

/* The pages of a region: how many, and the lowest. */
static const char *check_sums(const loam_aspace *as, const loam_range_tag *tag)
{
    const aspace_region *region = tag->owner;
    uint64_t end = aspace_tag_end(tag), count = 0, low = end;
    loam_pt_entry page;
    for (uint64_t at = tag->base; loam_aspace__next(as, at, end, &page); at = page.va + page.len) {
        low = count == 0 ? page.va : low;
        count++;
    }
    if (count != region->resident)
        return "A6 a region's resident count is what the tables say";
    if (low != region->low)
        return "A7 low is the lowest page present, or the region's end";
    return NULL;
}

static const char *check_pages(const loam_aspace *as)
{
    const loam_aspace_config *c = &as->world->config;
    uint64_t end = c->base + c->len, count = 0;
    loam_pt_entry page;
    const char *bad = NULL;
    for (uint64_t at = c->base; bad == NULL && loam_aspace__next(as, at, end, &page);
         at = page.va + page.len, count++)
        bad = check_page(as, &page, loam_range_find(&as->range, page.va));
    const loam_range_tag *tag = loam_range_first(&as->range);
    for (; tag != NULL && bad == NULL; tag = loam_range_next(tag))
        if (tag->taken)
            bad = check_sums(as, tag);
    if (bad == NULL && count != as->resident)
        return "A6 a space's resident count is what the tables say";
    return bad;
}

const char *loam_aspace_check(loam_aspace *as)
{
    const char *bad = loam_range_check(&as->range);
    if (bad == NULL)
        bad = loam_pt_check(&as->pt);
    if (bad == NULL)
        bad = check_regions(as);
    return bad != NULL ? bad : check_pages(as);
}

/* ---- all spaces ---- */

/* How many spaces have this frame at this address. *first: as is the first of them. */
static uint64_t check_owners(loam_aspace *as, const loam_pt_entry *page, bool *first)
{
    loam_list *spaces = &as->world->spaces;
    uint64_t owners = 0;
    loam_pt_entry other;
    for (loam_list *at = spaces->next; at != spaces; at = at->next) {
        const loam_aspace *space = aspace_of(at);
        if (!loam_pt_query(&space->pt, page->va, &other) || other.pa.v != page->pa.v)
            continue;
        if (owners++ == 0)
            *first = space == as;
    }
    return owners;
}

/* *extra: pages whose frame another space has shown before. */
static const char *check_counts(loam_aspace *as, uint64_t *extra)
{
    uint64_t end = as->range.base + as->range.len;
    loam_pt_entry page;
    for (uint64_t at = as->range.base; loam_aspace__next(as, at, end, &page);
         at = page.va + page.len) {
        bool first = false;
        uint64_t owners = check_owners(as, &page, &first);
        if (owners != loam_aspace__sharers(as->world, loam_pa_to_pfn(page.pa)) + 1)
            return "A10 a frame's count and one more is how many spaces have it";
        *extra += !first;
    }
    return NULL;
}

const char *loam_aspace_world_check(loam_aspace_world *world)
{
    uint64_t spaces = 0, sum = 0, extra = 0;
    const char *bad = loam_aspace__check_shares(world, &sum);
    for (loam_list *at = world->spaces.next; at != &world->spaces && bad == NULL; at = at->next) {
        bad = loam_aspace_check(aspace_of(at));
        if (bad == NULL)
            bad = check_counts(aspace_of(at), &extra);
        spaces++;
    }
    if (bad == NULL && sum != extra)
        return "A10 no count is left over";
    if (bad == NULL && spaces != world->count)
        return "A10 spaces are counted";
    return bad;
}
