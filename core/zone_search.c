/* SPDX-License-Identifier: MIT */
/* zone_search.c - taking a block from wherever one is, and being sure that there is none.
 *
 * WHAT   Which area a request goes to.
 * MODEL  The home of the processor, the areas after it, then an area of the top level; a block of
 *        more than an area from the top level at once.
 *
 *            home of cpu 0          home of cpu 1
 *            [area 0] [area 1] .... [area n] ....        top level: the areas that nobody opened
 *              1        2  --->                            3
 *
 *        Each area carries a hint, the orders of its free blocks as of its last unlock, so that
 *        only areas are locked that seem to have what is wanted. A hint may be late, and a block
 *        may come to an area just left. "No memory" is answered only when the counts of frees
 *        stood still during a whole pass, or, after eight passes in which they did not, with all
 *        areas locked. For that a hint is raised before its count is, and the count before the
 *        block's former place can be seen empty.
 * RULES  none of its own
 * LOCKS  One area, then the top level; all areas, ascending, in the last pass.
 * COST   O(areas) hints.
 * FROM   The count is a sequence lock's (Lamport 1977).
 * NOT    Fronts: zone_short.c asks for what they hold.
 */
#include "zone_impl.h"

enum { ZONE_PASSES = 8, ZONE_OPENS = 8 };

static inline bool zone_seems_to_have(const zone_area *area, unsigned order)
{
    return order < 32 && zone_hint(area) >> order != 0;
}

static inline bool zone_top_seems_to_have(const loam_zone *zone, unsigned units)
{
    /* pairs with the store in zone_tell_largest */
    return zone->top != NULL && loam_atomic_load(&zone->top->largest) > units;
}

/* ---- areas, one after the other ---- */

/* The lowest of the areas whose smallest sufficient block is the smallest. */
static uint32_t zone_lowest(const loam_zone *zone, unsigned order)
{
    uint32_t best = 0;
    unsigned least = 32;
    for (uint32_t i = 0; i < zone->nareas && least > order; i++) {
        uint32_t enough = order < 32 ? zone_hint(&zone->area[i]) >> order : 0;
        if (enough != 0 && order + loam_ctz64(enough) < least) {
            least = order + loam_ctz64(enough);
            best = i;
        }
    }
    return best;
}

zone_search loam_zone__search_from(const loam_zone *zone, const zone_front *front, unsigned order)
{
    zone_search search = {.order = order, .opens = ZONE_OPENS, .left = zone->nareas};
    if (zone->config.lowest)
        search.at = zone->nareas == 1 ? 0 : zone_lowest(zone, order);
    else if (front != NULL)
        search.at = zone_home_index(front);
    return search;
}

/* Locks the area and opens it, or unlocks it again. */
static bool zone_lock_opened(loam_zone *zone, zone_area *area, unsigned *from, loam_irq *irq)
{
    *irq = zone_area_lock(area);
    if (loam_zone__open(zone, area, from))
        return true;
    zone_area_unlock(area, *irq);
    return false;
}

/* The lowest area of the smallest block of the top level. */
static zone_area *zone_top_pick(const loam_zone *zone)
{
    loam_buddy_pick pick;
    loam_irq irq = zone_top_lock(zone->top);
    bool found = loam_buddy_peek_within(&zone->top->buddy, 0, 0, 0, &pick);
    zone_top_unlock(zone->top, irq);
    return found ? zone_area_of_unit(zone, pick.unit) : NULL;
}

zone_area *loam_zone__search(loam_zone *zone, zone_search *search, loam_irq *irq)
{
    bool home = search->left == zone->nareas && !zone->config.lowest;
    bool small = search->order < zone->config.area_shift;
    search->from = 0;
    while (search->left != 0) {
        zone_area *area = &zone->area[search->at];
        search->at = search->at + 1 == zone->nareas ? 0 : search->at + 1;
        search->left--;
        if (zone_seems_to_have(area, search->order)) {
            *irq = zone_area_lock(area);
            return area;
        }
        /* a home that nobody has opened yet is better than another's */
        if (home && small && zone_top_seems_to_have(zone, 0) &&
            zone_lock_opened(zone, area, &search->from, irq))
            return area;
        home = false;
    }
    while (small && search->opens != 0 && zone_top_seems_to_have(zone, 0)) {
        zone_area *area = zone_top_pick(zone);
        search->opens--;
        if (area != NULL && zone_lock_opened(zone, area, &search->from, irq))
            return area;
    }
    return NULL;
}

/* ---- a block from anywhere ---- */

static inline bool zone_is_anywhere(const zone_request *want)
{
    return want->lo == 0 && want->limit == ~0ULL;
}

/* How many frames are taken. */
static inline uint64_t zone_wanted(const zone_request *want)
{
    return want->npages != 0 ? want->npages : 1ULL << want->order;
}

/* Lock held. */
static void zone_mark_taken(const loam_zone *zone, zone_area *area, const zone_request *want,
                            uint64_t frame)
{
    if (want->npages != 0)
        loam_zone__mark_pieces(zone, frame, want->npages, want->flags);
    else
        area->table[frame - area->first] = (uint8_t)(zone_mark(want->flags) | want->order);
    zone_note_low(area);
}

/* Lock held. */
static bool zone_take_locked(const loam_zone *zone, zone_area *area, const zone_request *want,
                             loam_buddy_pick *pick)
{
    loam_buddy *b = &area->buddy;
    if (!zone_affords(area, zone_wanted(want), want->flags))
        return false;
    loam_err err = want->npages != 0 ? loam_buddy_alloc_part(b, want->order, want->npages, pick)
                                     : loam_buddy_alloc_pick(b, want->order, pick);
    if (err != LOAM_OK)
        return false;
    zone_mark_taken(zone, area, want, pick->unit);
    return true;
}

/* Of this area, whose lock is released. */
static bool zone_take_here(const loam_zone *zone, zone_area *area, const zone_request *want,
                           loam_buddy_pick *pick, loam_irq irq)
{
    bool done = zone_take_locked(zone, area, want, pick);
    zone_area_unlock(area, irq);
    return done;
}

static LOAM_NOINLINE bool zone_take_away(loam_zone *zone, zone_front *front,
                                         const zone_request *want, loam_buddy_pick *pick)
{
    zone_search search = loam_zone__search_from(zone, front, want->order);
    loam_irq irq;
    for (zone_area *area; (area = loam_zone__search(zone, &search, &irq)) != NULL;) {
        if (!zone_take_here(zone, area, want, pick, irq))
            continue;
        if (search.from != 0)
            pick->order = search.from;
        if (front != NULL)
            zone_set_home(zone, front, area);
        return true;
    }
    return false;
}

static bool zone_take_anywhere(loam_zone *zone, const zone_request *want, loam_buddy_pick *pick)
{
    zone_front *front = zone_my_front(zone);
    zone_area *area = zone_home(zone, front, want->order);
    return (area != NULL && zone_take_here(zone, area, want, pick, zone_area_lock(area))) ||
           zone_take_away(zone, front, want, pick);
}

/* ---- inside limits ---- */

/* Do the limits leave room for the block in these frames? */
static bool zone_fits(const zone_request *want, uint64_t first, uint64_t count)
{
    uint64_t lo = want->lo > first ? want->lo : first, end = first + count;
    uint64_t hi = want->limit < end ? want->limit : end;
    return lo < hi && !loam_align_up_overflows(lo, 1ULL << want->order, &lo) && lo < hi &&
           hi - lo >= 1ULL << want->order;
}

/* Lock held. */
static bool zone_take_within(const loam_zone *zone, zone_area *area, const zone_request *want,
                             loam_buddy_pick *pick)
{
    if (!zone_affords(area, zone_wanted(want), want->flags) ||
        !loam_buddy_peek_within(&area->buddy, want->order, want->lo, want->limit - want->lo, pick))
        return false;
    if (want->npages != 0)
        loam_buddy_take_range(&area->buddy, pick->unit, want->npages);
    else
        loam_buddy_take(&area->buddy, pick->unit, want->order);
    zone_mark_taken(zone, area, want, pick->unit);
    return true;
}

/* One area that touches the limits; from: the order of the free block that it was cut from just
 * now, or 0. */
static bool zone_try_inside(loam_zone *zone, zone_area *area, const zone_request *want, bool whole,
                            loam_buddy_pick *pick)
{
    unsigned from = 0;
    loam_irq irq = zone_area_lock(area);
    bool done =
        (!whole || loam_zone__open(zone, area, &from)) && zone_take_within(zone, area, want, pick);
    zone_area_unlock(area, irq);
    if (done && from != 0)
        pick->order = from;
    return done;
}

/* The areas that touch the limits, ascending; then those of them that are whole. */
static bool zone_take_inside(loam_zone *zone, const zone_request *want, loam_buddy_pick *pick)
{
    for (unsigned whole = 0; whole < 2; whole++) {
        if (whole != 0 && !zone_top_seems_to_have(zone, 0))
            return false;
        for (uint32_t i = 0; i < zone->nareas; i++) {
            zone_area *area = &zone->area[i];
            if (zone_fits(want, area->first, area->count) &&
                zone_seems_to_have(area, want->order) == (whole == 0) &&
                zone_try_inside(zone, area, want, whole != 0, pick))
                return true;
        }
    }
    return false;
}

/* ---- an area and more ---- */

/* Lock of the top level held. Inside limits: of the first run that has one. */
static bool zone_top_take(loam_zone *zone, const zone_request *want, loam_buddy_pick *pick)
{
    loam_buddy *top = &zone->top->buddy;
    unsigned units = want->order - zone->config.area_shift;
    if (zone_is_anywhere(want))
        return loam_buddy_alloc_pick(top, units, pick) == LOAM_OK;
    for (uint32_t i = 0; i < zone->nareas; i++) {
        const zone_area *area = &zone->area[i];
        uint64_t unit = area->unit;
        if (area->unit == ZONE_NO_UNIT || area->first < want->lo ||
            (unit & loam_mask64(units)) != 0 ||
            !zone_fits(want, area->first, want->limit - area->first))
            continue;
        if (loam_buddy_find(top, unit, &pick->from, &pick->order) && pick->order >= units) {
            pick->unit = unit;
            return loam_buddy_take(top, unit, units) == LOAM_OK;
        }
    }
    return false;
}

/* The block's units leave the top level; pick is in units. */
static bool zone_take_units(loam_zone *zone, const zone_request *want, loam_buddy_pick *pick)
{
    if (want->order < zone->config.area_shift ||
        !zone_top_seems_to_have(zone, want->order - zone->config.area_shift))
        return false;
    loam_irq irq = zone_top_lock(zone->top);
    bool done = zone_top_take(zone, want, pick);
    zone_top_unlock(zone->top, irq);
    return done;
}

/* What is left to do when the units are ours. */
static void zone_finish_units(loam_zone *zone, const zone_request *want, loam_buddy_pick *pick)
{
    zone_area *area = zone_area_of_unit(zone, pick->unit);
    for (uint64_t i = 1ULL << (want->order - zone->config.area_shift); i-- > 0;) {
        loam_irq irq = zone_area_lock(&area[i]);
        zone_note_low(&area[i]);
        if (i == 0)
            zone_mark_taken(zone, area, want, area->first);
        zone_area_unlock(&area[i], irq);
    }
    pick->unit = area->first;
    pick->order += zone->config.area_shift;
}

bool loam_zone__take(loam_zone *zone, const zone_request *want, loam_buddy_pick *pick)
{
    if (zone_is_anywhere(want) ? zone_take_anywhere(zone, want, pick)
                               : zone_take_inside(zone, want, pick))
        return true;
    if (!zone_take_units(zone, want, pick))
        return false;
    zone_finish_units(zone, want, pick);
    return true;
}

/* ---- being sure ---- */

/* Each only grows: if the sum is what it was, so is each. */
static uint32_t zone_count_frees(const loam_zone *zone)
{
    uint32_t frees = 0;
    if (zone->top != NULL) /* pairs with the store in zone_top_unlock_freed */
        frees = loam_atomic_load(&zone->top->frees);
    for (uint32_t i = 0; i < zone->nareas; i++)
        frees +=
            loam_atomic_load(&zone->area[i].frees); /* pairs with the store in zone_tell_freed */
    return frees;
}

/* Every area's lock held. */
static bool zone_take_opened(loam_zone *zone, zone_area *area, const zone_request *want,
                             loam_buddy_pick *pick)
{
    unsigned from;
    if (!zone_fits(want, area->first, area->count) || !loam_zone__open(zone, area, &from) ||
        !zone_take_within(zone, area, want, pick))
        return false;
    pick->order = from;
    return true;
}

/* With every area locked nothing comes back unseen. */
static bool zone_take_all_locked(loam_zone *zone, const zone_request *want, loam_buddy_pick *pick)
{
    loam_irq outer = loam_port_irq_save(), inner = outer;
    bool done = false, units;
    for (uint32_t i = 0; i < zone->nareas; i++)
        inner = zone_area_lock(&zone->area[i]);
    for (uint32_t i = 0; i < zone->nareas && !done; i++)
        done = zone_take_within(zone, &zone->area[i], want, pick);
    for (uint32_t i = 0; i < zone->nareas && !done; i++)
        done = zone_take_opened(zone, &zone->area[i], want, pick);
    units = !done && zone_take_units(zone, want, pick);
    for (uint32_t i = zone->nareas; i-- > 0;)
        zone_area_unlock(&zone->area[i], inner);
    loam_port_irq_restore(outer);
    if (units)
        zone_finish_units(zone, want, pick);
    return done || units;
}

bool loam_zone__take_surely(loam_zone *zone, const zone_request *want, loam_buddy_pick *pick)
{
    for (unsigned pass = 0; pass < ZONE_PASSES; pass++) {
        uint32_t frees = zone_count_frees(zone);
        if (loam_zone__take(zone, want, pick))
            return true;
        if (zone_count_frees(zone) == frees)
            return false;
    }
    return zone_take_all_locked(zone, want, pick);
}
