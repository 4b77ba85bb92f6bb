/* SPDX-License-Identifier: MIT */
/* zone_area.c - a zone's areas: finding one, taking a block from one, and being sure that there is
 * none.
 *
 * WHAT   The locked half of the zone, below the fronts.
 * MODEL  Areas are sorted by frame; a search halves them.
 *
 *            area 0 [====)     area 1 [==========)  area 2 [===)      ------> frame number
 *
 *        Each carries a hint, the largest free order as of its last unlock, so that a search locks
 *        only areas that seem to have what is wanted. A hint may be late: "no memory" is answered
 *        only when the count of frees stood still during a whole pass, or, after eight passes in
 *        which it did not, with all areas locked.
 * RULES  Z1, Z2 (zone.c)
 * LOCKS  One area at a time; all, in ascending order, in the last pass.
 * COST   O(log areas) to find, O(areas) hints to take.
 * FROM   -
 * NOT    Cutting areas at 1 GiB: docs/decisions/0001-areas.md.
 */
#include "zone_impl.h"

zone_area *loam_zone__area(const loam_zone *zone, uint64_t frame)
{
    uint32_t lo = 0, hi = zone->nareas;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        zone_area *area = &zone->area[mid];
        if (frame < area->first)
            hi = mid;
        else if (frame - area->first >= area->count)
            lo = mid + 1;
        else
            return area;
    }
    return NULL;
}

/* Lock held. */
static bool zone_take_locked(zone_area *area, unsigned order, unsigned flags, loam_buddy_pick *pick)
{
    if (!zone_affords(area, 1ULL << order, flags) ||
        loam_buddy_alloc_pick(&area->buddy, order, pick) != LOAM_OK)
        return false;
    area->table[pick->unit - area->first] = (uint8_t)(zone_mark(flags) | order);
    return true;
}

bool loam_zone__take(loam_zone *zone, unsigned order, unsigned flags, uint64_t *frame)
{
    zone_front *front = zone_my_front(zone);
    uint32_t at = front != NULL && !zone->config.lowest ? front->home : 0;
    for (uint32_t n = 0; n < zone->nareas; n++, at = at + 1 == zone->nareas ? 0 : at + 1) {
        zone_area *area = &zone->area[at];
        loam_buddy_pick pick;
        if (loam_atomic_peek(&area->largest) <= order)
            continue;
        loam_irq irq = zone_area_lock(area);
        bool done = zone_take_locked(area, order, flags, &pick);
        zone_area_unlock(area, irq);
        if (!done)
            continue;
        if (front != NULL)
            front->home = at;
        if (loam_trace_is_on(zone->config.trace))
            loam_zone__trace_alloc(zone, &pick, order);
        *frame = pick.unit;
        return true;
    }
    return false;
}

/* With every area locked at once nothing can come back unseen. */
static bool zone_take_all_locked(loam_zone *zone, unsigned order, unsigned flags, uint64_t *frame)
{
    loam_buddy_pick pick;
    bool done = false;
    loam_irq outer = loam_port_irq_save(), inner = outer;
    for (uint32_t i = 0; i < zone->nareas; i++)
        inner = zone_area_lock(&zone->area[i]);
    for (uint32_t i = 0; i < zone->nareas && !done; i++)
        done = zone_take_locked(&zone->area[i], order, flags, &pick);
    for (uint32_t i = zone->nareas; i-- > 0;)
        zone_area_unlock(&zone->area[i], inner);
    loam_port_irq_restore(outer);
    if (!done)
        return false;
    if (loam_trace_is_on(zone->config.trace))
        loam_zone__trace_alloc(zone, &pick, order);
    *frame = pick.unit;
    return true;
}

bool loam_zone__take_surely(loam_zone *zone, unsigned order, unsigned flags, uint64_t *frame)
{
    for (unsigned pass = 0; pass < 8; pass++) {
        uint32_t frees = loam_atomic_load(&zone->frees);
        if (loam_zone__take(zone, order, flags, frame))
            return true;
        if (loam_atomic_load(&zone->frees) == frees)
            return false;
    }
    return zone_take_all_locked(zone, order, flags, frame);
}

/* Lock held. */
static bool zone_all_free(const zone_area *area, uint64_t first, uint64_t count)
{
    for (uint64_t at = first; at < first + count;) {
        uint64_t start;
        unsigned order;
        if (!loam_buddy_find(&area->buddy, at, &start, &order))
            return false;
        at = start + (1ULL << order);
    }
    return true;
}

bool loam_zone__take_frames(zone_area *area, uint64_t first, uint64_t count)
{
    if (!zone_all_free(area, first, count))
        return false;
    while (count != 0) {
        unsigned order = loam_natural_order(first, count);
        loam_buddy_take(&area->buddy, first, order);
        first += 1ULL << order;
        count -= 1ULL << order;
    }
    return true;
}
