/* SPDX-License-Identifier: MIT */
/* zone_short.c - memory is short: what is done before a request is refused.
 *
 * WHAT   A block that is free somewhere is found, wherever it is.
 * MODEL  Frames that are free lie in areas, in the own front, or in another's. One after the other:
 *
 *            take --> drain own front, take --> others drain, take --> shrinker, take --> no
 *                                               |        ^
 *                                               +- wait -+   until no front holds anything
 *
 *        Nobody reaches into another's front. Who is short asks its owner, who drains at its next
 *        call, at the tick, or before it idles. A caller that may wait does so, and as long as one
 *        waits, no front keeps anything: when all are empty, all that is free lies in areas, and
 *        the search is sure. A front that is to be used again counts as used first, and then looks
 *        for those who wait; who waits counts first, and then looks at the fronts: one sees the
 *        other.
 * RULES  none of its own
 * LOCKS  None is held while others are waited for or the shrinker runs.
 * COST   O(areas + cpus) a round; how many rounds, config.wait decides.
 * FROM   -
 * NOT    A request from an interrupt: it drains its own front, asks, and answers.
 */
#include "zone_impl.h"

enum { ZONE_SHRINKS = 16 };

/* Until what fronts of others hold lies in areas. */
static bool zone_take_waiting(loam_zone *zone, const zone_request *want, loam_buddy_pick *pick)
{
    const loam_zone_config *config = &zone->config;
    for (;;) {
        bool all_empty = loam_zone__ask_drain(zone);
        if (loam_zone__take_surely(zone, want, pick))
            return true;
        if (all_empty || config->wait == NULL || !config->wait(config->wait_ctx))
            return false;
    }
}

static bool zone_take_shrinking(loam_zone *zone, const zone_request *want, loam_buddy_pick *pick)
{
    for (unsigned tries = 0; tries < ZONE_SHRINKS; tries++) {
        if (!zone->config.shrink(zone->config.shrink_ctx, zone, want->order))
            return false;
        loam_zone_drain(zone); /* what the shrinker freed may lie in this front */
        if (loam_zone__take_surely(zone, want, pick))
            return true;
    }
    return false;
}

/* From an interrupt. */
static bool zone_take_at_once(loam_zone *zone, const zone_request *want, loam_buddy_pick *pick)
{
    loam_zone_drain(zone);
    if (loam_zone__take_surely(zone, want, pick))
        return true;
    loam_zone__ask_drain(zone);
    return false;
}

/* The own front is drained when nothing can be kept in it any more: an interrupt might. */
static bool zone_take_hard(loam_zone *zone, const zone_request *want, loam_buddy_pick *pick)
{
    const loam_zone_config *config = &zone->config;
    if ((want->flags & LOAM_ZONE_ATOMIC) != 0)
        return zone_take_at_once(zone, want, pick);
    loam_atomic_add(&zone->waiting, 1); /* pairs with the add in zone_front_use */
    loam_zone_drain(zone);
    bool done = loam_zone__take_surely(zone, want, pick) || zone_take_waiting(zone, want, pick) ||
                (config->shrink != NULL && zone_take_shrinking(zone, want, pick));
    loam_atomic_add(&zone->waiting, ~0U); /* no order: fronts may be used again, soon */
    return done;
}

/* ---- the reserve ---- */

/* Has a request from an interrupt taken of the reserve, so that less than that is left? */
bool loam_zone__is_low(loam_zone *zone)
{
    bool low = false;
    for (uint32_t i = 0; i < zone->nareas && !low; i++) {
        zone_area *area = &zone->area[i];
        if (area->reserve == 0)
            continue;
        loam_irq irq = zone_area_lock(area);
        low = area->buddy.free_units < area->reserve;
        zone_area_unlock(area, irq);
    }
    return low;
}

/* What comes back has to come to the area: a front would give it to anybody. */
static void zone_guard_reserve(loam_zone *zone)
{
    if (!loam_zone__is_low(zone))
        return;
    loam_atomic_store(&zone->low, 1); /* pairs with the load in zone_keeps_nothing */
    loam_zone_drain(zone);
    loam_zone__ask_drain(zone);
}

bool loam_zone__obtain(loam_zone *zone, const zone_request *want, uint64_t *frame)
{
    const loam_zone_config *config = &zone->config;
    unsigned most = (want->flags & LOAM_ZONE_SLAB) != 0 ? ZONE_PIECE_MAX : LOAM_ZONE_MAX_ORDER;
    loam_buddy_pick pick;
    if (want->order > most ||
        (config->refuse != NULL && config->refuse(config->refuse_ctx, want->order)))
        return false;
    if (!loam_zone__take(zone, want, &pick) && !zone_take_hard(zone, want, &pick))
        return false;
    if (loam_trace_is_on(config->trace))
        loam_zone__trace_alloc(zone, &pick, want->order);
    if (config->reserve != 0 && (want->flags & LOAM_ZONE_ATOMIC) != 0)
        zone_guard_reserve(zone);
    *frame = pick.unit;
    return true;
}

loam_pfn loam_zone__no_frame(loam_zone *zone, unsigned order)
{
    loam_atomic_add(&zone->failures, 1); /* no order: a counter */
    loam_trace_emit(zone->config.trace, LOAM_TRACE_PAGE_FAIL, order, 0, 0);
    return LOAM_NO_FRAME;
}
