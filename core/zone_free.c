/* SPDX-License-Identifier: MIT */
/* zone_free.c - frees that the fast path does not take, and the refusals.
 *
 * WHAT   Every free that is wrong ends here, and every free of a block that has no queue.
 * MODEL  One byte decides; the bits only choose the words of the message:
 *
 *            byte     head of this kind -> back to the buddy, piece after piece
 *            other    reserved | bad | slab | joined | plain: free in the bits or a front ->
 *                     "double free"
 *                                                             else -> "free of an inner frame"
 *
 * RULES  Z3, Z4 (zone.c)
 * LOCKS  The area's, for one block. Reports are made without it.
 * COST   O(pieces), at most 32
 * FROM   -
 * NOT    -
 */
#include "zone_impl.h"

/* What would not hold any more if a frame in this state were freed. */
static const char *zone_rule_at_risk(loam_frame_state state)
{
    switch (state) {
    case LOAM_FRAME_OUTSIDE:
        return "Z1";
    case LOAM_FRAME_FREE:
    case LOAM_FRAME_RESERVED:
    case LOAM_FRAME_BAD:
        return "Z6";
    case LOAM_FRAME_JOINED:
        return "Z4";
    default:
        return "Z3";
    }
}

loam_err loam_zone__refuse(loam_zone *zone, uint64_t frame, const char *what, const void *caller)
{
    loam_frame_state state = loam_zone_state(zone, loam_pfn_of(frame));
    loam_report report = {
        .unit = "zone",
        .what = what,
        .object = "frame",
        .value = frame,
        .state = loam_frame_state_name(state),
        .name = zone->config.name,
        .caller = caller,
        .rule = zone_rule_at_risk(state),
    };
    zone_area *area = loam_zone__area(zone, frame);
    if (area != NULL) {
        loam_irq irq = zone_area_lock(area);
        area->refused++;
        zone_area_unlock(area, irq);
    } else {
        loam_atomic_add(&zone->outside, 1);
    }
    loam_port_misuse(&report);
    return LOAM_EINVAL;
}

static const char *zone_why(const loam_zone *zone, uint64_t frame)
{
    switch (loam_zone_state(zone, loam_pfn_of(frame))) {
    case LOAM_FRAME_OUTSIDE:
        return "free of a frame that is not managed";
    case LOAM_FRAME_FREE:
        return "double free";
    case LOAM_FRAME_RESERVED:
        return "free of a reserved frame";
    case LOAM_FRAME_BAD:
        return "free of a bad frame";
    case LOAM_FRAME_SLAB:
        return "page free of a block of the object layers";
    case LOAM_FRAME_JOINED:
    case LOAM_FRAME_INNER:
        return "free of an inner frame";
    default:
        return "free as an object block of a page block";
    }
}

typedef struct zone_freed {
    loam_err err;
    unsigned order, merged; /* of the piece given back last */
    bool more;              /* another piece follows */
} zone_freed;

/* Lock held. One piece, whose byte is a head. */
static zone_freed zone_free_piece(zone_area *area, uint64_t frame)
{
    uint8_t *byte = &area->table[frame - area->first];
    zone_freed freed = {.order = zone_order_of(*byte)};
    bool multi = zone_is_multi(*byte) || zone_is_joined(*byte);
    uint64_t next = frame + (1ULL << freed.order);
    freed.err = loam_buddy_free(&area->buddy, frame, freed.order);
    if (freed.err != LOAM_OK)
        return freed;
    *byte = ZONE_PLAIN;
    loam_buddy_find(&area->buddy, frame, NULL, &freed.merged);
    freed.more = multi && next - area->first < area->count &&
                 zone_is_joined(area->table[next - area->first]);
    return freed;
}

static _Noreturn void zone_corrupt(const loam_zone *zone, uint64_t frame, const void *caller)
{
    loam_report report = {
        .unit = "zone",
        .what = "Z3 a block that is out is free in the bits",
        .object = "frame",
        .value = frame,
        .name = zone->config.name,
        .caller = caller,
    };
    loam_port_corrupt(&report);
}

/* Lock held. Why the block may not be freed this way, or NULL. */
static const char *zone_objection(const zone_area *area, uint64_t frame, int want, uint8_t kind,
                                  bool *by_state)
{
    uint8_t byte = area->table[frame - area->first];
    bool head = kind == ZONE_SLAB ? (byte & ZONE_KIND) == ZONE_SLAB
                                  : (byte & ZONE_KIND) == ZONE_HEAD || zone_is_multi(byte);
    *by_state = !head || (kind == ZONE_HEAD && (byte & ZONE_KIND) == ZONE_SLAB);
    if (*by_state)
        return "wrong state";
    if (want >= 0 && (zone_is_multi(byte) || (unsigned)want != zone_order_of(byte)))
        return "free with the wrong order";
    return NULL;
}

/* The fast path once more, after what it does not do itself: honouring a drain, pointing the front
 * at the area of the frame, and making room on the stack. */
static bool zone_push_slow(loam_zone *zone, uint64_t frame, uint8_t kind, int want)
{
    bool done = false;
    loam_irq irq = loam_port_irq_save();
    zone_front *front = zone_my_front(zone);
    if (front != NULL) {
        if (loam_atomic_peek(&front->live) != zone->live)
            loam_zone__drain_front(zone, front);
        if (loam_zone__front_points_to(zone, front, frame)) {
            unsigned order = (unsigned)front->table[frame - front->first] - kind,
                     q = zone_queue_of(order);
            if (zone_is_live(front, q) && front->queue[q].count >= front->queue[q].cap)
                loam_zone__flush(zone, front, q);
            done = zone_push(front, frame, kind, want);
        }
    }
    loam_port_irq_restore(irq);
    return done;
}

loam_err loam_zone__free_slow(loam_zone *zone, uint64_t frame, int want, uint8_t kind,
                              const void *caller)
{
    if (zone_push_slow(zone, frame, kind, want))
        return LOAM_OK;
    zone_area *area = loam_zone__area(zone, frame);
    if (area == NULL)
        return loam_zone__refuse(zone, frame, zone_why(zone, frame), caller);
    zone_freed freed;
    do {
        bool by_state;
        loam_irq irq = zone_area_lock(area);
        const char *objection = zone_objection(area, frame, want, kind, &by_state);
        if (objection != NULL) {
            zone_area_unlock(area, irq);
            return loam_zone__refuse(zone, frame, by_state ? zone_why(zone, frame) : objection,
                                     caller);
        }
        freed = zone_free_piece(area, frame);
        if (freed.more) { /* the next piece becomes the head of what is left */
            uint8_t *next = &area->table[frame + (1ULL << freed.order) - area->first];
            *next = (uint8_t)(*next & ~ZONE_KIND & ~ZONE_MORE) |
                    (kind == ZONE_SLAB ? ZONE_SLAB | ZONE_MORE : ZONE_MULTI);
        }
        loam_atomic_add(&zone->frees, 1); /* pairs with the loads in loam_zone__take_surely */
        zone_area_unlock(area, irq);
        if (freed.err != LOAM_OK)
            zone_corrupt(zone, frame, caller);
        if (loam_trace_is_on(zone->config.trace))
            loam_zone__trace_free(zone, frame, freed.order, freed.merged);
        frame += 1ULL << freed.order;
    } while (freed.more);
    return LOAM_OK;
}
