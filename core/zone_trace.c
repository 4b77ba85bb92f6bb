/* SPDX-License-Identifier: MIT */
/* zone_trace.c - splits and merges, told from the bits.
 *
 * WHAT   The buddy neither splits nor merges in steps. A person wants to see the steps all the
 *        same.
 * MODEL  A block cut from a larger one leaves one half of every order between; a block that comes
 *        back meets its buddy at every order below the one it merges to:
 *
 *            alloc order 0 from order 2:   - 2 | split, + half of order 1 | split, + half of 0
 *            free of it:                   merge 0, - its buddy | merge 1, - its buddy
 *                                          | + the whole of order 2
 *
 *        Blocks above trace_max_order are seen as rows of blocks of that order.
 * RULES  none of its own
 * LOCKS  None is held: a sink may ask the zone.
 * COST   O(orders) events, and one for each block of a row; nothing when the trace is off.
 * FROM   -
 * NOT    The order of events between processors; places taken and given back by number (alloc_at,
 *        reserve, add, mark_bad): an observer of these reads the lists anew.
 */
#include "zone_impl.h"

static void zone_emit(const loam_zone *zone, loam_trace_kind kind, unsigned order, uint64_t a,
                      uint64_t b)
{
    loam_trace_emit(zone->config.trace, kind, order, a, b);
}

/* A block above trace_max_order goes or comes as its row of blocks of that order. */
static void zone_emit_row(const loam_zone *zone, loam_trace_kind kind, uint64_t first,
                          unsigned order)
{
    unsigned max = zone->config.trace_max_order;
    for (uint64_t i = 0; i < 1ULL << (order - max); i++)
        zone_emit(zone, kind, max, first + (i << max), 0);
}

void loam_zone__trace_alloc(const loam_zone *zone, const loam_buddy_pick *pick, unsigned order)
{
    unsigned at =
        pick->order < zone->config.trace_max_order ? pick->order : zone->config.trace_max_order;
    uint64_t block = pick->unit & ~loam_mask64(at);
    if (order <= at) {
        zone_emit(zone, LOAM_TRACE_LIST_REMOVE, at, block, 0);
        while (at > order) {
            at--;
            uint64_t mine = pick->unit & ~loam_mask64(at), half = mine ^ 1ULL << at;
            zone_emit(zone, LOAM_TRACE_PAGE_SPLIT, at + 1, mine & ~loam_mask64(at + 1), half);
            zone_emit(zone, LOAM_TRACE_LIST_ADD, at, half, 0);
        }
    } else {
        zone_emit_row(zone, LOAM_TRACE_LIST_REMOVE, pick->unit, order);
    }
    zone_emit(zone, LOAM_TRACE_PAGE_ALLOC, order, pick->unit, 0);
}

void loam_zone__trace_free(const loam_zone *zone, uint64_t frame, unsigned order, unsigned merged)
{
    uint64_t block = frame;
    unsigned at = order;
    if (merged > zone->config.trace_max_order)
        merged = zone->config.trace_max_order;
    for (; at < merged; at++) {
        uint64_t other = block ^ 1ULL << at;
        zone_emit(zone, LOAM_TRACE_PAGE_MERGE, at, block, other);
        zone_emit(zone, LOAM_TRACE_LIST_REMOVE, at, other, 0);
        block &= ~(1ULL << at);
    }
    if (order > zone->config.trace_max_order)
        zone_emit_row(zone, LOAM_TRACE_LIST_ADD, block, order);
    else
        zone_emit(zone, LOAM_TRACE_LIST_ADD, at, block, 0);
    zone_emit(zone, LOAM_TRACE_PAGE_FREE, order, frame, at);
}
