/* SPDX-License-Identifier: MIT */
/* zone_check.c - the test of a zone's rules (zone.c lists them).
 *
 * WHAT   Reads everything the zone knows and names the first rule that does not hold.
 * MODEL  One pass over each run's table, side by side with the bits of its areas and of the top
 *        level; what is plain and neither free nor inside a block must be in a front, and the sum
 *        shows that it is there once:
 *
 *            plain = free in the bits + inner + in fronts
 *
 * RULES  Z1 .. Z8; and B1 .. B6 of each area's buddy and of the top level's.
 * LOCKS  None that matters: nobody else is inside.
 * COST   O(frames x levels)
 * FROM   -
 * NOT    -
 */
#include "zone_impl.h"

typedef struct zone_census {
    uint64_t reserved, bad, loose; /* loose: plain, not free, outside of blocks */
} zone_census;

static bool zone_is_free(const loam_zone *zone, uint64_t frame)
{
    zone_area *area = loam_zone__area(zone, frame);
    return loam_zone__find(zone, area, frame, NULL, NULL);
}

static bool zone_inner_is_plain(const uint8_t *byte, uint64_t frames)
{
    for (uint64_t i = 1; i < frames; i++) {
        if (byte[i] != ZONE_PLAIN)
            return false;
    }
    return true;
}

/* No unit of [frame, frame + frames) is free in the bits. */
static bool zone_none_free(const loam_zone *zone, uint64_t frame, uint64_t frames)
{
    for (uint64_t i = 0; i < frames; i++) {
        if (zone_is_free(zone, frame + i))
            return false;
    }
    return true;
}

/* The frames at `frame` that one entry of the table speaks for; 0 when a rule is broken, then
 * *broken says which. */
static uint64_t zone_check_entry(const loam_zone *zone, const zone_run *run, uint64_t frame,
                                 bool after_piece, zone_census *census, const char **broken)
{
    const uint8_t *byte = &run->table[frame - run->first];
    bool is_free = zone_is_free(zone, frame);
    census->reserved += *byte == ZONE_RESERVED;
    census->bad += *byte == ZONE_BAD;
    census->loose += *byte == ZONE_PLAIN && !is_free;
    if (is_free && *byte != ZONE_PLAIN) {
        *broken = "Z2 a free unit's byte reads plain";
        return 0;
    }
    if (!zone_is_head(*byte))
        return 1;
    uint64_t frames = 1ULL << zone_order_of(*byte), left = run->first + run->count - frame;
    if (frames > left || (frame & (frames - 1)) != 0 || !zone_inner_is_plain(byte, frames) ||
        !zone_none_free(zone, frame, frames)) {
        *broken = "Z3 a block that is out is whole";
        return 0;
    }
    if (zone_is_joined(*byte) && !after_piece) {
        *broken = "Z4 a later piece follows a piece";
        return 0;
    }
    return frames;
}

static const char *zone_check_run(const loam_zone *zone, const zone_run *run, zone_census *census)
{
    const char *broken = NULL;
    bool after_piece = false;
    for (uint64_t frame = run->first; broken == NULL && frame < run->first + run->count;) {
        uint8_t byte = run->table[frame - run->first];
        frame += zone_check_entry(zone, run, frame, after_piece, census, &broken);
        after_piece = zone_is_multi(byte) || zone_is_joined(byte);
    }
    return broken;
}

/* ---- areas and the top level ---- */

static bool zone_is_cut_right(const loam_zone *zone, uint32_t i)
{
    const zone_area *area = &zone->area[i], *last = area - 1;
    if (area->count == 0 || area->run >= zone->nruns ||
        zone_run_left(zone, area, area->first) < area->count ||
        (area->first ^ (area->first + area->count - 1)) >> zone->config.area_shift != 0)
        return false;
    return i == 0 || (area->first > last->first && area->first - last->first >= last->count);
}

/* The area can be a unit, and as one that is free it has nothing of its own. */
static bool zone_unit_is_right(const loam_zone *zone, const zone_area *area)
{
    uint64_t full = 1ULL << zone->config.area_shift;
    if (area->unit == ZONE_NO_UNIT)
        return true;
    bool whole = loam_buddy_find(&zone->top->buddy, area->unit, NULL, NULL);
    return area->count == full && area->reserve == 0 &&
           &zone->area[zone->top->area_of[area->unit]] == area &&
           (area->buddy.free_units == 0 || (!whole && area->buddy.free_units < full));
}

/* Every free unit is an area that knows of it. */
static bool zone_top_is_right(const loam_zone *zone)
{
    uint64_t known = 0;
    for (uint32_t i = 0; i < zone->nareas; i++)
        known += zone->area[i].unit != ZONE_NO_UNIT &&
                 loam_buddy_find(&zone->top->buddy, zone->area[i].unit, NULL, NULL);
    return zone->top == NULL || known == zone->top->buddy.free_units;
}

static const char *zone_check_areas(const loam_zone *zone, zone_census *census)
{
    const char *broken = NULL;
    for (uint32_t i = 0; i < zone->nareas && broken == NULL; i++) {
        const zone_area *area = &zone->area[i];
        if (!zone_is_cut_right(zone, i))
            return "Z1 areas ascend, are not empty, do not overlap, and cross no cut";
        if (!zone_unit_is_right(zone, area))
            return "Z7 a wholly free area is one bit of the top level, and has none of its own";
        if (loam_zone__area(zone, area->first) != area ||
            loam_zone__area(zone, area->first + area->count - 1) != area)
            return "Z8 the sections lead to the area of a frame";
        census->reserved -= area->reserved;
        census->bad -= area->bad;
        broken = loam_buddy_check(&area->buddy);
    }
    if (broken == NULL && zone->top != NULL)
        broken = loam_buddy_check(&zone->top->buddy);
    if (broken == NULL && !zone_top_is_right(zone))
        broken = "Z7 a wholly free area is one bit of the top level, and has none of its own";
    return broken;
}

/* ---- fronts ---- */

static bool zone_block_is_kept(const loam_zone *zone, uint64_t frame, unsigned order)
{
    const zone_area *area = loam_zone__area(zone, frame);
    uint64_t frames = 1ULL << order;
    if (area == NULL || (frame & (frames - 1)) != 0 || !zone_holds(zone, area, frame, frames))
        return false;
    const uint8_t *byte = &area->table[frame - area->first];
    return *byte == ZONE_PLAIN && zone_inner_is_plain(byte, frames) &&
           zone_none_free(zone, frame, frames);
}

static bool zone_queue_is_good(const loam_zone *zone, const zone_queue *queue)
{
    if (queue->count > queue->most)
        return false;
    for (uint32_t i = 0; i < queue->count; i++) {
        if (!zone_block_is_kept(zone, queue->lifo[i], queue->order))
            return false;
    }
    for (uint64_t starts = queue->starts; starts != 0; starts &= starts - 1) {
        uint64_t frame = queue->base + ((uint64_t)loam_ctz64(starts) << queue->shift);
        if (!zone_block_is_kept(zone, frame, queue->order))
            return false;
    }
    return true;
}

static bool zone_front_is_good(const loam_zone *zone, const zone_front *front)
{
    uint32_t state = loam_atomic_peek(&front->state); /* no order: nobody else is inside */
    bool good =
        state != ZONE_FRONT_EMPTY || (loam_zone__front_frames(front) == 0 && front->uses == 0);
    for (unsigned q = 0; q < LOAM_ZONE_LIFOS && good; q++)
        good = zone_queue_is_good(zone, &front->queue[q]);
    return good;
}

const char *loam_zone_check(loam_zone *zone)
{
    zone_census census = {0, 0, 0};
    uint64_t kept = 0;
    const char *broken = zone_check_areas(zone, &census);
    for (uint32_t r = 0; r < zone->nruns && broken == NULL; r++)
        broken = zone_check_run(zone, &zone->run[r], &census);
    if (broken != NULL)
        return broken;
    if (census.reserved != 0 || census.bad != 0)
        return "Z6 reserved and bad frames are counted";
    for (uint32_t i = 0; i < zone->nfronts; i++) {
        if (!zone_front_is_good(zone, &zone->front[i]))
            return "Z5 a block in a front is aligned, plain, and not free in the bits";
        kept += loam_zone__front_frames(&zone->front[i]);
    }
    return kept == census.loose ? NULL
                                : "Z6 every plain frame is free, in one front, or inside a block";
}
