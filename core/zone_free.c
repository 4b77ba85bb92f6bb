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
        loam_atomic_add(&zone->outside, 1); /* no order: a counter */
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
    bool late;              /* somebody else got it */
} zone_freed;

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

/* Why a block with this byte may not be freed this way, or NULL. */
static const char *zone_objection(uint8_t byte, int want, uint8_t kind, bool *by_state)
{
    bool head = kind == ZONE_SLAB ? (byte & ZONE_KIND) == ZONE_SLAB
                                  : (byte & ZONE_KIND) == ZONE_HEAD || zone_is_multi(byte);
    *by_state = !head || (kind == ZONE_HEAD && (byte & ZONE_KIND) == ZONE_SLAB);
    if (*by_state)
        return "wrong state";
    if (want >= 0 && (zone_is_multi(byte) || (unsigned)want != zone_order_of(byte)))
        return "free with the wrong order";
    return NULL;
}

/* Takes the head of a block for this call. With `hardened` of several processors that free it at
 * once only one gets it; without, an area's lock or a front decides. */
static bool zone_claim(const loam_zone *zone, uint8_t *byte, uint8_t seen)
{
    if (zone->config.hardened) /* no order: the caller of the free has seen to that */
        return loam_atomic_byte_cas(byte, seen, ZONE_PLAIN);
    *byte = ZONE_PLAIN;
    return true;
}

/* Lock held. One piece, whose byte was seen to be a head; the next one becomes the head of what is
 * left. */
static zone_freed zone_free_piece(loam_zone *zone, zone_area *area, uint64_t frame, uint8_t kind,
                                  uint8_t seen)
{
    uint8_t *byte = &area->table[frame - area->first];
    zone_freed freed = {.order = zone_order_of(seen)};
    uint64_t frames = 1ULL << freed.order;
    bool more = (zone_is_multi(seen) || zone_is_joined(seen)) &&
                zone_run_left(zone, area, frame) > frames && zone_piece_follows(byte + frames);
    if (!zone_claim(zone, byte, seen)) {
        freed.late = true;
        return freed;
    }
    freed.err = zone_put(zone, area, frame, freed.order);
    if (loam_trace_is_on(zone->config.trace))
        loam_zone__find(zone, area, frame, NULL, &freed.merged);
    freed.more = more;
    if (more)
        byte[frames] = (uint8_t)(byte[frames] & ~ZONE_KIND & ~ZONE_MORE) |
                       (kind == ZONE_SLAB ? ZONE_SLAB | ZONE_MORE : ZONE_MULTI);
    return freed;
}

/* Lock held. Where the block of several pieces that starts at a frame ends; 0: beyond the area. */
static uint64_t zone_pieces_end(const loam_zone *zone, const zone_area *area, uint64_t frame)
{
    uint64_t at = frame, end = area->first + area->count;
    do {
        uint64_t left = zone_run_left(zone, area, at);
        uint64_t frames = 1ULL << zone_order_of(area->table[at - area->first]);
        at += frames;
        if (left <= frames)
            break;
    } while (at < end && zone_piece_follows(&area->table[at - area->first]));
    return at < end ? at : 0;
}

/* Lock held. All pieces of a block at once: false when they are to be freed one by one, because
 * each is told to the trace, claimed for itself, or in an area of its own. */
static bool zone_free_pieces(loam_zone *zone, zone_area *area, uint64_t frame, uint8_t seen,
                             loam_err *err)
{
    if (!zone_is_multi(seen) || zone->config.hardened || loam_trace_is_on(zone->config.trace))
        return false;
    uint64_t end = zone_pieces_end(zone, area, frame);
    if (end == 0)
        return false;
    for (uint64_t at = frame; at != end;) {
        uint8_t *head = &area->table[at - area->first];
        at += 1ULL << zone_order_of(*head);
        *head = ZONE_PLAIN;
    }
    *err = loam_buddy_free_range(&area->buddy, frame, end - frame);
    zone_settle(zone, area);
    return true;
}

/* zone_push without the fast path's cap, for a zone that is hardened. Interrupts off. */
static bool zone_push_hardened(const loam_zone *zone, zone_front *front, uint64_t frame,
                               uint8_t kind, int want)
{
    uint8_t *byte = &front->table[frame - front->first];
    uint8_t seen = loam_atomic_byte_peek(byte); /* no order: the claim asks again */
    unsigned order = (unsigned)seen - kind, q = zone_queue_of(order);
    zone_queue *queue = &front->queue[q];
    if ((want >= 0 && order != (unsigned)want) || !zone_is_live(front, q) ||
        queue->count >= queue->most || !zone_claim(zone, byte, seen))
        return false;
    queue->lifo[queue->count++] = frame;
    return true;
}

/* The fast path once more, after what it does not do itself: honouring a wish for a drain, pointing
 * the front at the run of the frame, and making room on the stack. */
static bool zone_push_slow(loam_zone *zone, const zone_area *area, uint64_t frame, uint8_t kind,
                           int want)
{
    bool done = false;
    loam_irq irq = loam_port_irq_save();
    zone_front *front = zone_my_front(zone);
    if (front != NULL) {
        zone_front_ready(zone, front);
        if (front->uses != 0) {
            zone_front_points_to(zone, front, area);
            unsigned order = (unsigned)front->table[frame - front->first] - kind,
                     q = zone_queue_of(order);
            if (zone_is_live(front, q) && front->queue[q].count >= front->queue[q].most)
                loam_zone__flush(zone, front, q);
            done = zone->config.hardened ? zone_push_hardened(zone, front, frame, kind, want)
                                         : zone_push(front, frame, kind, want);
        }
    }
    loam_port_irq_restore(irq);
    return done;
}

loam_err loam_zone__free_slow(loam_zone *zone, uint64_t frame, int want, uint8_t kind,
                              const void *caller)
{
    zone_area *area = loam_zone__area(zone, frame);
    if (area == NULL)
        return loam_zone__refuse(zone, frame, zone_why(zone, frame), caller);
    if (zone_push_slow(zone, area, frame, kind, want))
        return LOAM_OK;
    for (;;) {
        bool by_state;
        zone_freed freed = {.more = false};
        loam_irq irq = zone_area_lock(area);
        uint8_t seen = loam_atomic_byte_peek(
            &area->table[frame - area->first]); /* no order: the claim asks again */
        const char *objection = zone_objection(seen, want, kind, &by_state);
        if (objection == NULL && !zone_free_pieces(zone, area, frame, seen, &freed.err))
            freed = zone_free_piece(zone, area, frame, kind, seen);
        if (objection != NULL || freed.late) {
            zone_area_unlock(area, irq);
            return loam_zone__refuse(
                zone, frame, freed.late || by_state ? zone_why(zone, frame) : objection, caller);
        }
        zone_area_unlock_freed(area, irq);
        if (freed.err != LOAM_OK)
            zone_corrupt(zone, frame, caller);
        if (loam_trace_is_on(zone->config.trace))
            loam_zone__trace_free(zone, frame, freed.order, freed.merged);
        if (!freed.more)
            return LOAM_OK;
        frame += 1ULL << freed.order;
        area = loam_zone__area(zone, frame);
    }
}
