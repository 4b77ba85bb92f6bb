/* SPDX-License-Identifier: MIT */
/* zone_lowest.c - a block of so many frames, as low as a short look finds room.
 *
 * WHAT   A block of 20 frames that is cut from one of 32 leaves 12 behind it, where no other of its
 *        kind fits. Room may be lower, in free blocks that lie in a row.
 *
 * MODEL  Free blocks of each order that may be part of such a row, a few of each; around each its
 *        neighbours, as far as they are free; the lowest place of all.
 *
 *            frames   |used|free 16 |free 8 |used|          | free 32         |
 *                          ^ 20 of them here                ^ not here
 *
 *        Area after area. One that nobody opened has no rows: all of it is free.
 *
 * RULES  None of its own.
 * LOCKS  Each area's, once: what was seen is still so when it is taken.
 * COST   O(orders) looks at free blocks, each of O(neighbours x levels).
 * FROM   Address-ordered first fit, bounded.
 * NOT    The best place: a row of many small blocks may be passed by.
 */
#include "zone_impl.h"

enum {
    LOWEST_LOOKS = 8,       /* rows that are looked at, for each order */
    LOWEST_NEIGHBOURS = 24, /* free blocks beside one, on either side */
    LOWEST_MOST = 18        /* order at which free blocks are cut */
};

/* What is asked for. */
typedef struct lowest_wish {
    uint64_t lo, npages, align;
    unsigned flags;
} lowest_wish;

/* [first, end) of frames. */
typedef struct lowest_row {
    uint64_t first, end;
} lowest_row;

/* Lock held. The block around this frame joins the row, if it is free. */
static bool lowest_grows(const loam_zone *zone, zone_area *area, uint64_t frame, lowest_row *row)
{
    uint64_t at;
    unsigned order;
    if (frame - area->first >= area->count || !loam_zone__find(zone, area, frame, &at, &order))
        return false;
    row->first = at < row->first ? at : row->first;
    row->end = at + (1ULL << order) > row->end ? at + (1ULL << order) : row->end;
    return true;
}

/* Lock held. The free frames around one. */
static lowest_row lowest_row_of(const loam_zone *zone, zone_area *area, uint64_t frame)
{
    lowest_row row = {frame, frame};
    unsigned below = 0, above = 0;
    (void)lowest_grows(zone, area, frame, &row);
    while (below < LOWEST_NEIGHBOURS && lowest_grows(zone, area, row.first - 1, &row))
        below++;
    while (above < LOWEST_NEIGHBOURS && lowest_grows(zone, area, row.end, &row))
        above++;
    return row;
}

/* Where the block can begin in a row; `none`: it is too short. */
static uint64_t lowest_place(const lowest_row *row, const lowest_wish *wish, uint64_t none)
{
    uint64_t from = row->first > wish->lo ? row->first : wish->lo;
    if (loam_align_up_overflows(from, wish->align, &from))
        return none;
    return from < row->end && row->end - from >= wish->npages ? from : none;
}

/* The least order of a free block in a row of so many frames: a quarter of them. */
static unsigned lowest_order(uint64_t npages)
{
    return npages < 4 ? 0 : loam_log2_floor(npages) - 2;
}

/* Lock held. */
static uint64_t lowest_in(const loam_zone *zone, zone_area *area, const lowest_wish *wish,
                          uint64_t none)
{
    uint64_t best = none, at;
    for (unsigned order = lowest_order(wish->npages); order <= LOWEST_MOST; order++) {
        uint64_t from = 0;
        for (unsigned n = 0;
             n < LOWEST_LOOKS && loam_buddy_next(&area->buddy, order, LOWEST_MOST, from, &at) &&
             at < best;
             n++) {
            lowest_row row = lowest_row_of(zone, area, at);
            uint64_t place = lowest_place(&row, wish, none);
            best = place < best ? place : best;
            from = row.end;
        }
    }
    return best;
}

static bool lowest_take(const loam_zone *zone, zone_area *area, const lowest_wish *wish,
                        uint64_t *frame)
{
    const uint64_t none = ~0ULL;
    loam_irq irq = zone_area_lock(area);
    *frame =
        zone_affords(area, wish->npages, wish->flags) ? lowest_in(zone, area, wish, none) : none;
    bool found = *frame != none;
    if (found) {
        loam_buddy_take_range(&area->buddy, *frame, wish->npages);
        loam_zone__mark_pieces(zone, *frame, wish->npages, wish->flags);
        zone_note_low(area);
    }
    zone_area_unlock(area, irq);
    return found;
}

loam_pfn loam_zone_alloc_lowest(loam_zone *zone, uint64_t npages, loam_pfn lo, uint64_t align,
                                unsigned flags)
{
    const loam_zone_config *config = &zone->config;
    const lowest_wish wish = {lo.v, npages, align, flags};
    uint64_t frame;
    if (npages == 0 || npages >> (ZONE_PIECE_MAX + 1) != 0 || !loam_is_pow2(align))
        return LOAM_NO_FRAME;
    if (config->refuse != NULL && config->refuse(config->refuse_ctx, loam_log2_ceil(npages)))
        return LOAM_NO_FRAME;
    for (uint32_t i = 0; i < zone->nareas; i++) {
        zone_area *area = &zone->area[i];
        if (zone_hint(area) >> lowest_order(npages) != 0 && lowest_take(zone, area, &wish, &frame))
            return loam_zone__done(zone, frame, npages, flags);
    }
    return LOAM_NO_FRAME;
}
