/* SPDX-License-Identifier: MIT */
/* zone_check.c - the test of a zone's rules (zone.c lists them).
 *
 * WHAT   Reads everything the zone knows and names the first rule that does not hold.
 * MODEL  One pass over each area's table, side by side with the bits; what is plain and neither
 *        free nor inside a block must be in a front, and the sum shows that it is there once:
 *
 *            plain = free in the bits + inner + in fronts
 *
 * RULES  Z1 .. Z6; and B1 .. B6 of each area's buddy.
 * LOCKS  None: nobody else is inside.
 * COST   O(frames x levels)
 * FROM   -
 * NOT    -
 */
#include "zone_impl.h"

typedef struct zone_census {
    uint64_t reserved, bad, loose; /* loose: plain, not free, outside of blocks */
} zone_census;

static bool zone_inner_is_plain(const zone_area *area, uint64_t frame, uint64_t frames)
{
    for (uint64_t i = 1; i < frames; i++) {
        if (area->table[frame + i - area->first] != ZONE_PLAIN)
            return false;
    }
    return true;
}

/* No unit of [frame, frame + frames) is free in the bits. */
static bool zone_none_free(const zone_area *area, uint64_t frame, uint64_t frames)
{
    for (uint64_t i = 0; i < frames; i++) {
        if (loam_buddy_find(&area->buddy, frame + i, NULL, NULL))
            return false;
    }
    return true;
}

/* The frames at `frame` that one entry of the table speaks for; 0 when a rule is broken, then
 * *broken says which. */
static uint64_t zone_check_entry(const zone_area *area, uint64_t frame, bool after_piece,
                                 zone_census *census, const char **broken)
{
    uint8_t byte = area->table[frame - area->first];
    bool is_free = loam_buddy_find(&area->buddy, frame, NULL, NULL);
    census->reserved += byte == ZONE_RESERVED;
    census->bad += byte == ZONE_BAD;
    census->loose += byte == ZONE_PLAIN && !is_free;
    if (is_free && byte != ZONE_PLAIN) {
        *broken = "Z2 a free unit's byte reads plain";
        return 0;
    }
    if (!zone_is_head(byte))
        return 1;
    uint64_t frames = 1ULL << zone_order_of(byte), left = area->first + area->count - frame;
    if (frames > left || (frame & (frames - 1)) != 0 || !zone_inner_is_plain(area, frame, frames) ||
        !zone_none_free(area, frame, frames)) {
        *broken = "Z3 a block that is out is whole";
        return 0;
    }
    if (zone_is_joined(byte) && !after_piece) {
        *broken = "Z4 a later piece follows a piece";
        return 0;
    }
    return frames;
}

static const char *zone_check_area(const zone_area *area, uint64_t *loose)
{
    zone_census census = {0, 0, 0};
    const char *broken = loam_buddy_check(&area->buddy);
    bool after_piece = false;
    for (uint64_t frame = area->first; broken == NULL && frame < area->first + area->count;) {
        uint8_t byte = area->table[frame - area->first];
        frame += zone_check_entry(area, frame, after_piece, &census, &broken);
        after_piece = zone_is_multi(byte) || zone_is_joined(byte);
    }
    if (broken == NULL && (census.reserved != area->reserved || census.bad != area->bad))
        broken = "Z6 reserved and bad frames are counted";
    *loose += census.loose;
    return broken;
}

static bool zone_block_is_kept(const loam_zone *zone, uint64_t frame, unsigned order)
{
    const zone_area *area = loam_zone__area(zone, frame);
    uint64_t frames = 1ULL << order;
    return area != NULL && (frame & (frames - 1)) == 0 && zone_holds(area, frame, frames) &&
           area->table[frame - area->first] == ZONE_PLAIN &&
           zone_inner_is_plain(area, frame, frames) && zone_none_free(area, frame, frames);
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

const char *loam_zone_check(loam_zone *zone)
{
    uint64_t loose = 0, kept = 0;
    for (uint32_t i = 0; i < zone->nareas; i++) {
        const zone_area *area = &zone->area[i];
        bool ascends = i == 0 || area->first - zone->area[i - 1].first >= zone->area[i - 1].count;
        if (area->count == 0 || !ascends || (i != 0 && area->first < zone->area[i - 1].first))
            return "Z1 areas ascend, are not empty, and do not overlap";
        const char *broken = zone_check_area(area, &loose);
        if (broken != NULL)
            return broken;
    }
    for (uint32_t i = 0; i < zone->nfronts; i++) {
        for (unsigned q = 0; q < LOAM_ZONE_LIFOS; q++) {
            if (!zone_queue_is_good(zone, &zone->front[i].queue[q]))
                return "Z5 a block in a front is aligned, plain, and not free in the bits";
        }
        kept += loam_zone__front_frames(&zone->front[i]);
    }
    return kept == loose ? NULL : "Z6 every plain frame is free, in one front, or inside a block";
}
