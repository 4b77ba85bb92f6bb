/* SPDX-License-Identifier: MIT */
/* zone_top.c - the top level: wholly free areas, and blocks of an area and more.
 *
 * WHAT   Joins what areas cannot: a buddy of which a unit is an area.
 * MODEL  An area that becomes all free gives its one block up and is a bit here; it is opened again
 *        when it has to give less than all.
 *
 *            top     bit:   1 1 0 1 | 0 | 1 1 . .       the first two: a block of two areas
 *                           | | |   |   | |
 *            areas   buddy: - - [bits]  gap of one      - : empty
 *
 *        Units of a run are numbered in a row, congruent to the frames for every block the run can
 *        have; a number without an area lies between runs.
 *
 *        A block is always to be seen in one of the two places. The area's lock is held over a
 *        move, and before a unit leaves here its area has its hint raised and its count: who has
 *        looked there before and looks here too late finds that the count moved.
 * RULES  Z7, Z8 (zone.c)
 * LOCKS  The area's, then the top level's.
 * COST   As one loam_buddy_alloc over a unit an area; a block of 2^k areas looks at each of them.
 * FROM   The buddy's own levels, continued over locks.
 * NOT    Areas with holes, at the ends of a run, or with a part of the reserve: never units.
 */
#include "zone_impl.h"

static inline unsigned zone_shift(const loam_zone *zone)
{
    return zone->config.area_shift;
}

bool loam_zone__find_top(const loam_zone *zone, const zone_area *area, uint64_t *start,
                         unsigned *order)
{
    uint64_t unit;
    unsigned units;
    if (area->unit == ZONE_NO_UNIT)
        return false;
    loam_irq irq = zone_top_lock(zone->top);
    bool found = loam_buddy_find(&zone->top->buddy, area->unit, &unit, &units);
    zone_top_unlock(zone->top, irq);
    if (found && start != NULL)
        *start = zone_area_of_unit(zone, unit)->first;
    if (found && order != NULL)
        *order = zone_shift(zone) + units;
    return found;
}

bool loam_zone__open_locked(loam_zone *zone, zone_area *area, unsigned *from)
{
    unsigned units;
    if (area->unit == ZONE_NO_UNIT || area->buddy.free_units != 0 ||
        !loam_buddy_find(&zone->top->buddy, area->unit, NULL, &units))
        return false;
    zone_tell_orders(area, 1U << zone_shift(zone)); /* both before the unit goes */
    zone_tell_freed(area);
    loam_buddy_take(&zone->top->buddy, area->unit, 0);
    loam_buddy_free(&area->buddy, area->first, zone_shift(zone));
    if (from != NULL)
        *from = zone_shift(zone) + units;
    return true;
}

bool loam_zone__open(loam_zone *zone, zone_area *area, unsigned *from)
{
    if (area->unit == ZONE_NO_UNIT || area->buddy.free_units != 0)
        return false;
    loam_irq irq = zone_top_lock(zone->top);
    bool done = loam_zone__open_locked(zone, area, from);
    zone_top_unlock(zone->top, irq);
    return done;
}

void loam_zone__close(loam_zone *zone, zone_area *area)
{
    loam_buddy_take(&area->buddy, area->first, zone_shift(zone));
    loam_irq irq = zone_top_lock(zone->top);
    loam_buddy_free(&zone->top->buddy, area->unit, 0);
    zone_top_unlock_freed(zone->top, irq);
}

/* The first one's lock is held. Have n areas nothing free of their own? */
static bool zone_all_empty(zone_area *area, uint64_t n)
{
    bool empty = area->buddy.free_units == 0;
    for (uint64_t i = 1; i < n && empty; i++) {
        loam_irq irq = zone_area_lock(&area[i]);
        empty = area[i].buddy.free_units == 0;
        zone_area_unlock(&area[i], irq);
    }
    return empty;
}

loam_err loam_zone__put_top(loam_zone *zone, zone_area *area, unsigned order)
{
    unsigned units = order - zone_shift(zone);
    if (!zone_all_empty(area, 1ULL << units))
        return LOAM_EBUSY;
    loam_irq irq = zone_top_lock(zone->top);
    loam_err err = loam_buddy_free(&zone->top->buddy, area->unit, units);
    zone_top_unlock_freed(zone->top, irq);
    return err;
}
