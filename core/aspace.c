/* SPDX-License-Identifier: MIT */
/* aspace.c - the address space of a user program.
 *
 * WHAT   A program sees memory that is large, zeroed, its own and protected. What is behind it is
 *        made at the first touch, shared as long as nobody writes, and given back at its end.
 *
 * MODEL  Regions are the taken pieces of a range, each with its rights. The tables are the only
 *        place that knows which pages are present, and where.
 *
 *            window |  text   |      | heap        |        |guard|      stack |  | kernel ...
 *                   | r x     | hole | r w         |  hole  |     <---- r w   |  | shared root
 *            pages    f1 f2            f3 .  f4 .                   .    f5 f6     entries
 *                     |                |                                |
 *            clone    f1 f2            f3 .  f4 .      counts: f1..f6 = 1 more owner; a page whose
 *                                                      count is not 0 is read-only in every space
 *
 *        Fault: not present -> a cleared frame; write to a page that is shared -> a copy, or the
 *        frame itself when the others have gone. Counts: a byte a frame, in leaves of 4096 frames
 *        that exist while one of them is shared.
 *
 * RULES  A1  regions are the taken pieces: each has an owner, holes have none, and they are counted
 *        A2  regions lie in the user window, and page 0 in none
 *        A3  a region has a name and known rights; a guard has none
 *        A4  a page lies in a region, not in a guard, not below a stack's floor, and is a small one
 *        A5  a page's rights are its region's, without write while its frame is shared
 *        A6  resident counts are what the tables say
 *        A7  a region's low is its lowest page present, or its end
 *        A8  a page's frame is a single block that is out of its zone
 *        A9  a leaf is there exactly while a count in it is not 0, and a directory while a leaf is
 *        A10 a frame's count and one more is how many spaces have it, at one address
 *        loam_aspace_check() tests A1 to A8, loam_aspace_world_check() those of all spaces, A9 and
 *        A10. Rules R of the range and T of the tables come first.
 *
 * LOCKS  One lock a world, interrupts off. Zones, tables and unit memory are asked with it held: a
 *        shrinker or one of the config's functions may not call the world. A space's own processor
 *        does not run its program meanwhile, so what is flushed at the end of a call is in time.
 * COST   map, fault: O(log regions) and a walk of the tables. clone, destroy: O(pages + tables).
 *        unmap, protect: O(pages + tables) of their part. Counts: 4 KiB for 4096 frames.
 * FROM   Mach's and SunOS's address spaces; copy on write as in TENEX. Derived from none.
 * NOT    Files, swap, shared memory on purpose, large pages, one space on two processors at once.
 */
#include "aspace_impl.h"

/* ---- regions' tags, from the unit's memory ---- */

static loam_range_tag *aspace_tag_get(void *ctx)
{
    return aspace_alloc(ctx, sizeof(loam_range_tag));
}

static void aspace_tag_put(void *ctx, loam_range_tag *tag)
{
    aspace_free(ctx, tag, sizeof *tag);
}

/* ---- pages ---- */

static bool aspace_note(void *ctx, const loam_pt_entry *entry)
{
    *(loam_pt_entry *)ctx = *entry;
    return false;
}

bool loam_aspace__next(const loam_aspace *as, uint64_t at, uint64_t end, loam_pt_entry *entry)
{
    entry->len = 0;
    if (at < end)
        loam_pt_each(&as->pt, at, end - at, aspace_note, entry);
    return entry->len != 0;
}

void loam_aspace__gone(void *ctx, uint64_t va, loam_pa pa, uint64_t len)
{
    loam_aspace *as = ctx;
    (void)va;
    for (uint64_t at = 0; at < len; at += LOAM_PAGE_SIZE) {
        loam_aspace__drop(as->world, loam_pa_to_pfn(loam_pa_of(pa.v + at)));
        as->resident--;
    }
}

/* ---- a space ---- */

/* The kernel's part of the root: everything outside of the window. */
static loam_err aspace_share_kernel(loam_aspace *as)
{
    const loam_aspace_world *w = as->world;
    const loam_aspace_config *c = &w->config;
    uint64_t end = c->base + c->len;
    loam_err err = LOAM_OK;
    if (c->kernel == NULL)
        return LOAM_OK;
    if (c->base != 0)
        err = loam_pt_share(&as->pt, c->kernel, 0, c->base);
    if (err == LOAM_OK && end < w->low_end)
        err = loam_pt_share(&as->pt, c->kernel, end, w->low_end - end);
    if (err == LOAM_OK && w->high != 0)
        err = loam_pt_share(&as->pt, c->kernel, w->high, 0 - w->high);
    return err;
}

/* The root alone: what lies below the window's entries is empty, the rest is the kernel's. */
static void aspace_drop_root(loam_aspace *as)
{
    const loam_aspace_config *c = &as->world->config;
    uint64_t keep = c->kernel == NULL ? 0 : UINT64_MAX;
    loam_pt_fini(&as->pt, (loam_span){0, keep});
}

static bool aspace_make_tables(loam_aspace *as)
{
    const loam_aspace_config *c = &as->world->config;
    if (loam_pt_init(&as->pt, c->format, c->features, &c->memory) != LOAM_OK)
        return false;
    if (aspace_share_kernel(as) == LOAM_OK)
        return true;
    aspace_drop_root(as);
    return false;
}

static bool aspace_make_range(loam_aspace *as)
{
    loam_aspace_world *w = as->world;
    loam_range_source source = {w, aspace_tag_get, aspace_tag_put};
    uint64_t base = w->config.base, len = w->config.len;
    if (base == 0) {
        base += LOAM_PAGE_SIZE;
        len -= LOAM_PAGE_SIZE;
    }
    return loam_range_init(&as->range, base, len, LOAM_PAGE_SIZE, NULL, 0, &source) == LOAM_OK;
}

loam_aspace *loam_aspace__make(loam_aspace_world *w)
{
    loam_aspace *as = aspace_alloc(w, sizeof *as);
    if (as == NULL)
        return NULL;
    as->world = w;
    if (!aspace_make_tables(as)) {
        aspace_free(w, as, sizeof *as);
        return NULL;
    }
    if (!aspace_make_range(as)) {
        aspace_drop_root(as);
        aspace_free(w, as, sizeof *as);
        return NULL;
    }
    loam_list_append(&w->spaces, &as->link);
    w->count++;
    return as;
}

void loam_aspace__unmake(loam_aspace *as)
{
    loam_aspace_world *w = as->world;
    (void)loam_pt_unmap(&as->pt, as->range.base, as->range.len, loam_aspace__gone, as, &w->batch);
    loam_pt_release(&as->pt, &w->batch); /* no processor is on it: there is nothing to flush */
    aspace_drop_root(as);
    for (loam_range_tag *tag = loam_range_first(&as->range); tag; tag = loam_range_next(tag))
        if (tag->taken)
            aspace_free(w, tag->owner, sizeof(aspace_region));
    loam_range_fini(&as->range);
    loam_list_remove(&as->link);
    w->count--;
    aspace_free(w, as, sizeof *as);
}

loam_aspace *loam_aspace_create(loam_aspace_world *world)
{
    loam_irq irq = loam_lock_acquire(&world->lock);
    loam_aspace *as = loam_aspace__make(world);
    loam_lock_release(&world->lock, irq);
    return as;
}

void loam_aspace_destroy(loam_aspace *as)
{
    loam_aspace_world *w = as->world;
    loam_irq irq = loam_lock_acquire(&w->lock);
    loam_aspace__unmake(as);
    loam_lock_release(&w->lock, irq);
}

loam_pa loam_aspace_root(const loam_aspace *as)
{
    return as->pt.root;
}

/* ---- the world ---- */

/* Both halves of the format's addresses, out of what it calls canonical. */
static void aspace_measure(loam_aspace_world *w)
{
    const loam_pt_format *format = w->config.format;
    unsigned low = 63, high = 63;
    while (low > LOAM_PAGE_SHIFT && !loam_pt_is_canonical(format, 0, 1ULL << low))
        low--;
    w->low_end = 1ULL << low;
    while (high > low && !loam_pt_is_canonical(format, 0 - (1ULL << high), 1ULL << high))
        high--;
    if (high <= low && !loam_pt_is_canonical(format, 0 - (1ULL << low), 1ULL << low))
        return;
    w->high = 0 - (1ULL << high);
}

static bool aspace_has_parts(const loam_aspace_config *c)
{
    bool memory = c->memory.alloc != NULL && c->memory.free != NULL && c->memory.at != NULL;
    bool frames = c->frames != NULL && c->frames->count != 0 && c->clear != NULL && c->copy != NULL;
    return c->format != NULL && memory && frames && c->window != NULL && c->tlb != NULL &&
           c->alloc != NULL && c->free != NULL;
}

/* At least a page that can be given out, and all of it in the lower half. */
static bool aspace_window_fits(const loam_aspace_world *w)
{
    const loam_aspace_config *c = &w->config;
    uint64_t least = c->base == 0 ? 2 * (uint64_t)LOAM_PAGE_SIZE : LOAM_PAGE_SIZE;
    if ((c->base | c->len) % LOAM_PAGE_SIZE != 0 || c->len < least)
        return false;
    return c->base < w->low_end && c->len <= w->low_end - c->base;
}

/* Whether a space can be made: the one sure way to know that the parts fit. */
static bool aspace_try(loam_aspace_world *w)
{
    loam_aspace *as = loam_aspace__make(w);
    if (as != NULL)
        loam_aspace__unmake(as);
    return as != NULL;
}

loam_aspace_world *loam_aspace_world_init(const loam_aspace_config *config)
{
    if (!aspace_has_parts(config))
        return NULL;
    loam_aspace_world *w = config->alloc(config->alloc_ctx, sizeof *w);
    if (w == NULL)
        return NULL;
    w->config = *config;
    w->lock = (loam_lock)LOAM_LOCK_OF(LOAM_RANK_WORLD);
    loam_list_init(&w->spaces);
    loam_pt_batch_init(&w->batch);
    aspace_measure(w);
    if (aspace_window_fits(w) && aspace_try(w))
        return w;
    aspace_free(w, w, sizeof *w);
    return NULL;
}

loam_err loam_aspace_world_fini(loam_aspace_world *world)
{
    if (world->count != 0)
        return LOAM_EBUSY;
    aspace_free(world, world, sizeof *world);
    return LOAM_OK;
}

/* ---- stats ---- */

void loam_aspace_stat(loam_aspace *as, loam_aspace_stats *stats)
{
    loam_irq irq = loam_lock_acquire(&as->world->lock);
    uint64_t end = as->range.base + as->range.len;
    loam_pt_entry page;
    *stats = (loam_aspace_stats){
        .regions = as->regions,
        .resident = as->resident,
        .tables = as->pt.tables,
        .demand_zero = as->demand_zero,
        .cow_copied = as->cow_copied,
        .cow_reused = as->cow_reused,
        .stack_grown = as->stack_grown,
        .refused = as->refused,
    };
    for (uint64_t at = as->range.base; loam_aspace__next(as, at, end, &page);
         at = page.va + page.len)
        stats->shared += loam_aspace__sharers(as->world, loam_pa_to_pfn(page.pa)) != 0;
    loam_lock_release(&as->world->lock, irq);
}
