/* SPDX-License-Identifier: MIT */
/* zone_area.c - a zone's areas: finding the one of a frame, and giving and taking at a place.
 *
 * WHAT   The locked half of the zone, below the fronts.
 * MODEL  Runs of RAM are cut where a frame number is a multiple of 2^area_shift. A table of
 *        sections of that size says which areas touch each: one, but where holes cut a section in
 *        pieces.
 *
 *            frames    0         1 GiB       2 GiB       3 GiB
 *            runs      [===] [==============================)
 *            areas     [ 0 ) [ 1 )[   2     )[    3     )[ 4 )      2 and 3 can be whole
 *            section   0 ........ 2 ........ 3 ......... 4 ... 5
 *
 *        A front sees runs: the table of a run's bytes has no seams. A block of an area or less
 *        lies in the area's buddy; what is larger, and an area that is all free, in the top level.
 * RULES  Z1, Z2, Z8 (zone.c)
 * LOCKS  One area at a time, then the top level; several areas ascending.
 * COST   O(1) to find: O(log areas of a section) where sections have holes.
 * FROM   -
 * NOT    Which area to take from: zone_search.c.
 */
#include "zone_impl.h"

zone_area *loam_zone__area(const loam_zone *zone, uint64_t frame)
{
    uint64_t s = (frame >> zone->section_shift) - zone->section_first;
    if (s >= zone->sections)
        return NULL;
    uint32_t lo = zone->section[s], hi = zone->section[s + 1];
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

bool loam_zone__find(const loam_zone *zone, zone_area *area, uint64_t frame, uint64_t *start,
                     unsigned *order)
{
    return loam_buddy_find(&area->buddy, frame, start, order) ||
           loam_zone__find_top(zone, area, start, order);
}

/* ---- frames at a place, perhaps of several areas ---- */

/* The part of [first, first + count) that lies in the area: how many frames, from *lo on. */
static uint64_t zone_part(const zone_area *area, uint64_t first, uint64_t count, uint64_t *lo)
{
    uint64_t hi = first + count, end = area->first + area->count;
    *lo = first > area->first ? first : area->first;
    return (hi < end ? hi : end) - *lo;
}

/* Locks of the area and of the top level held. */
static bool zone_part_is_free(const loam_zone *zone, const zone_area *area, uint64_t first,
                              uint64_t count)
{
    if (area->unit != ZONE_NO_UNIT && loam_buddy_find(&zone->top->buddy, area->unit, NULL, NULL))
        return true;
    for (uint64_t at = first; at < first + count;) {
        uint64_t start;
        unsigned order;
        if (!loam_buddy_find(&area->buddy, at, &start, &order))
            return false;
        at = start + (1ULL << order);
    }
    return true;
}

/* Area locks held; that of the top level, too. */
static bool zone_parts_are_free(loam_zone *zone, zone_area *area, uint32_t n, uint64_t first,
                                uint64_t count, unsigned flags)
{
    for (uint32_t i = 0; i < n; i++) {
        uint64_t lo, part = zone_part(&area[i], first, count, &lo);
        if (!zone_affords(&area[i], part, flags) || !zone_part_is_free(zone, &area[i], lo, part))
            return false;
    }
    for (uint32_t i = 0; i < n; i++)
        loam_zone__open_locked(zone, &area[i], NULL);
    return true;
}

/* Lock held. Takes free frames of the area as natural blocks. */
static void zone_take_part(zone_area *area, uint64_t first, uint64_t count)
{
    while (count != 0) {
        unsigned order = loam_natural_order(first, count);
        loam_buddy_take(&area->buddy, first, order);
        first += 1ULL << order;
        count -= 1ULL << order;
    }
    zone_note_low(area);
}

/* Locks n areas, ascending; returns what releases one. */
static loam_irq zone_lock_areas(zone_area *area, uint32_t n)
{
    loam_irq irq = zone_area_lock(area);
    for (uint32_t i = 1; i < n; i++)
        irq = zone_area_lock(&area[i]);
    return irq;
}

bool loam_zone__take_frames(loam_zone *zone, uint64_t first, uint64_t count, unsigned flags)
{
    zone_area *area = loam_zone__area(zone, first);
    uint32_t n = (uint32_t)(loam_zone__area(zone, first + count - 1) - area) + 1;
    loam_irq outer = loam_port_irq_save(), top = outer, inner = zone_lock_areas(area, n);
    if (zone->top != NULL)
        top = zone_top_lock(zone->top);
    bool done = zone_parts_are_free(zone, area, n, first, count, flags);
    if (zone->top != NULL)
        zone_top_unlock(zone->top, top);
    for (uint32_t i = n; i-- > 0;) {
        uint64_t lo, part = zone_part(&area[i], first, count, &lo);
        if (done)
            zone_take_part(&area[i], lo, part);
        zone_area_unlock(&area[i], inner);
    }
    loam_port_irq_restore(outer);
    return done;
}
