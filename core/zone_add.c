/* SPDX-License-Identifier: MIT */
/* zone_add.c - frames that come and go for good: the hand-over, and its opposite.
 *
 * WHAT   Reserved frames become free, and free ones reserved.
 * MODEL  Frames of one run, area by area; first all their bytes, which shows that they are
 *        reserved, then their bits:
 *
 *            bytes   R R R R | R R R R | R R        . . . . | . . . . | . .
 *            bits    0 0 0 0 | 0 0 0 0 | 0 0   -->  1 1 1 1 |  a bit  | 1 1
 *                    area 0    area 1    area 2               of the top level
 *
 * RULES  Z2, Z6, Z7 (zone.c)
 * LOCKS  The areas', one by one.
 * COST   One byte a frame.
 * FROM   -
 * NOT    -
 */
#include "zone_impl.h"

static bool zone_all_reserved(const uint8_t *at, uint64_t count)
{
    _Static_assert(ZONE_RESERVED == 0, "reserved bytes are compared as a word of 0");
    const uint8_t *end = at + count;
    uint64_t eight, seen = 0;
    for (; at < end && ((uintptr_t)at & 7) != 0; at++)
        seen |= *at;
    for (; end - at >= 8; at += 8) { /* one load, also where no access may be misaligned */
        __builtin_memcpy(&eight, __builtin_assume_aligned(at, 8), 8);
        seen |= eight;
    }
    for (; at < end; at++)
        seen |= *at;
    return seen == 0;
}

/* Makes reserved frames plain, all or none of the area's. At boot this is the pass over the table:
 * a page of it is read and written while it is in the cache. */
static bool zone_make_plain(zone_area *area, uint64_t first, uint64_t count)
{
    uint8_t *table = &area->table[first - area->first];
    bool plain = true;
    loam_irq irq = zone_area_lock(area);
    for (uint64_t done = 0, n; done < count && plain; done += n) {
        n = count - done < LOAM_PAGE_SIZE ? count - done : LOAM_PAGE_SIZE;
        plain = zone_all_reserved(table + done, n);
        __builtin_memset(plain ? table + done : table, plain ? ZONE_PLAIN : ZONE_RESERVED,
                         (size_t)(plain ? n : done));
    }
    zone_area_unlock(area, irq);
    return plain;
}

/* Makes plain frames of the area free. */
static loam_err zone_make_free(loam_zone *zone, zone_area *area, uint64_t first, uint64_t count)
{
    loam_irq irq = zone_area_lock(area);
    loam_err err =
        zone_is_whole(zone, area) ? LOAM_EBUSY : loam_buddy_free_range(&area->buddy, first, count);
    if (err == LOAM_OK) {
        area->reserved -= count;
        area->low_water = ~0ULL; /* starts again from here */
        zone_settle(zone, area);
    } else {
        __builtin_memset(&area->table[first - area->first], ZONE_RESERVED, (size_t)count);
    }
    zone_area_unlock_freed(area, irq);
    return err;
}

/* How many of count frames lie in the area of the first. */
static uint64_t zone_in_area(const zone_area *area, uint64_t first, uint64_t count)
{
    uint64_t left = area->count - (first - area->first);
    return count < left ? count : left;
}

/* All reserved, and then none; or nothing has changed. */
static bool zone_make_all_plain(loam_zone *zone, uint64_t first, uint64_t count)
{
    for (uint64_t done = 0, n; done < count; done += n) {
        zone_area *area = loam_zone__area(zone, first + done);
        n = zone_in_area(area, first + done, count - done);
        if (zone_make_plain(area, first + done, n))
            continue;
        area = loam_zone__area(zone, first);
        __builtin_memset(&area->table[first - area->first], ZONE_RESERVED, (size_t)done);
        return false;
    }
    return true;
}

loam_err loam_zone_add(void *ctx, loam_pfn first, uint64_t count)
{
    loam_zone *zone = ctx;
    if (count == 0)
        return LOAM_OK;
    if (!zone_holds(zone, loam_zone__area(zone, first.v), first.v, count))
        return LOAM_EINVAL;
    if (!zone_make_all_plain(zone, first.v, count))
        return LOAM_EBUSY;
    loam_err err = LOAM_OK;
    for (uint64_t done = 0, n; done < count && err == LOAM_OK; done += n) {
        zone_area *area = loam_zone__area(zone, first.v + done);
        n = zone_in_area(area, first.v + done, count - done);
        err = zone_make_free(zone, area, first.v + done, n);
    }
    return err;
}

loam_err loam_zone_reserve(loam_zone *zone, loam_pfn first, uint64_t count)
{
    loam_zone_drain(zone);
    if (count == 0)
        return LOAM_OK;
    if (!zone_holds(zone, loam_zone__area(zone, first.v), first.v, count))
        return LOAM_EINVAL;
    if (!loam_zone__take_frames(zone, first.v, count, LOAM_ZONE_ATOMIC))
        return LOAM_EBUSY;
    for (uint64_t done = 0, n; done < count; done += n) {
        zone_area *area = loam_zone__area(zone, first.v + done);
        n = zone_in_area(area, first.v + done, count - done);
        loam_irq irq = zone_area_lock(area);
        __builtin_memset(&area->table[first.v + done - area->first], ZONE_RESERVED, (size_t)n);
        area->reserved += n;
        zone_area_unlock(area, irq);
    }
    return LOAM_OK;
}
