/* SPDX-License-Identifier: MIT */
/* zone_front.c - what one processor keeps at hand: refill, flush, drain.
 *
 * WHAT   Turns many calls on an area into few.
 * MODEL  A queue for each of the orders 0, 1, 2, 3 and 9. A refill takes every block of the order
 *        out of one word of the buddy, one change of that word; a full stack gives its older half
 *        back, blocks of one word together:
 *
 *            starts  1011 0000 ...  @ base          stack  [oldest ... | ... newest]
 *                    ^ next to be given out                 flushed      reused first
 *
 * RULES  Z5, Z6 (zone.c)
 * LOCKS  The front is its processor's, with interrupts off; the area's lock for the exchange.
 *        Nobody reaches into another front: who is short clears `live` there and shuts the window
 *        through which the fast paths see frames, and the owner drains at its next call.
 * COST   One lock for up to 64 blocks.
 * FROM   Magazines (Bonwick and Adams 2001), here over words of bits.
 * NOT    Balancing between processors.
 */
#include "zone_impl.h"

bool loam_zone__front_points_to(const loam_zone *zone, zone_front *front, uint64_t frame)
{
    zone_area *area = loam_zone__area(zone, frame);
    if (area == NULL)
        return false;
    if (front->table == area->table && loam_atomic_peek(&front->window) != 0)
        return true;
    uint32_t all = area->count < UINT32_MAX ? (uint32_t)area->count : UINT32_MAX;
    front->first = area->first;
    front->table = area->table;
    loam_atomic_store(&front->window, all);
    /* Pairs with the exchange in loam_zone__ask_drain: either this sees `live` cleared, or the
     * window is shut after it was opened here. */
    if (loam_atomic_or(&front->live, 0) != zone->live)
        loam_atomic_store(&front->window, 0);
    return true;
}

void loam_zone__front_uses(zone_front *front, uint32_t live)
{
    for (unsigned q = 0; q < LOAM_ZONE_LIFOS; q++)
        front->queue[q].cap = (live >> q & 1) != 0 ? front->queue[q].most : 0;
    loam_atomic_store(&front->live, live);
}

/* Lock held. A zone near its reserve serves blocks one by one, so that a refill does not eat it. */
static uint64_t zone_refill_locked(zone_area *area, zone_queue *queue, unsigned flags)
{
    uint64_t most = 64ULL << queue->shift;
    if (!zone_affords(area, most, flags))
        return 0;
    return loam_buddy_take_runs(&area->buddy, queue->order, &queue->base);
}

bool loam_zone__refill(loam_zone *zone, zone_front *front, unsigned q, unsigned flags,
                       uint64_t *frame)
{
    zone_queue *queue = &front->queue[q];
    uint32_t at = front->home;
    for (uint32_t n = 0; n < zone->nareas; n++, at = at + 1 == zone->nareas ? 0 : at + 1) {
        zone_area *area = &zone->area[at];
        if (loam_atomic_peek(&area->largest) <= queue->order)
            continue;
        loam_irq irq = zone_area_lock(area);
        uint64_t starts = zone_refill_locked(area, queue, flags);
        zone_area_unlock(area, irq);
        if (starts == 0)
            continue;
        *frame = queue->base + ((uint64_t)loam_ctz64(starts) << queue->shift);
        queue->starts = starts & (starts - 1);
        front->home = at;
        front->refills++;
        loam_zone__front_points_to(zone, front, *frame);
        area->table[*frame - area->first] = (uint8_t)(zone_mark(flags) | queue->order);
        return true;
    }
    return false;
}

/* A block that two processors freed at the same moment shows here: its byte is a head again, or its
 * bit is set. */
static void zone_report_late(const loam_zone *zone, uint64_t frame)
{
    loam_report report = {
        .unit = "zone",
        .what = "double free, found when a front was flushed",
        .object = "frame",
        .value = frame,
        .state = loam_frame_state_name(loam_zone_state(zone, loam_pfn_of(frame))),
        .name = zone->config.name,
        .caller = __builtin_return_address(0),
        .rule = "Z5",
    };
    loam_port_misuse(&report);
}

enum { ZONE_NONE_BAD = -1 };

/* One lock for the oldest blocks of a stack, at most n > 0, that lie in one area; returns how many.
 * *bad becomes the index of the last of them if that one must not go back. Without a second front
 * no block is freed twice at once: the bytes need not be read again. */
static uint32_t zone_give_oldest(loam_zone *zone, const zone_queue *queue, uint32_t n, int *bad)
{
    const uint64_t *frame = queue->lifo;
    zone_area *area = loam_zone__area(zone, frame[0]);
    uint32_t good = zone->nfronts == 1 ? n : 0;
    loam_irq irq = zone_area_lock(area);
    while (good < n && frame[good] - area->first < area->count &&
           area->table[frame[good] - area->first] == ZONE_PLAIN)
        good++;
    uint32_t given = (uint32_t)loam_buddy_free_list(&area->buddy, queue->order, frame, good);
    loam_atomic_add(&zone->frees, 1); /* pairs with the loads in loam_zone__take_surely */
    zone_area_unlock(area, irq);
    if (given == n || frame[given] - area->first >= area->count)
        return given;
    *bad = (int)given;
    return given + 1;
}

/* Gives back the n oldest blocks of a stack. A report comes when the stack is whole again: whoever
 * hears it may call the zone, and so may find or leave fewer blocks here. */
static void zone_flush_oldest(loam_zone *zone, zone_queue *queue, uint32_t n)
{
    while (n != 0 && queue->count != 0) {
        int bad = ZONE_NONE_BAD;
        uint32_t used = zone_give_oldest(zone, queue, n < queue->count ? n : queue->count, &bad);
        uint64_t wrong = bad == ZONE_NONE_BAD ? 0 : queue->lifo[bad];
        queue->count -= used;
        __builtin_memmove(queue->lifo, queue->lifo + used, queue->count * sizeof queue->lifo[0]);
        n -= used;
        if (bad != ZONE_NONE_BAD)
            zone_report_late(zone, wrong);
    }
}

void loam_zone__flush(loam_zone *zone, zone_front *front, unsigned q)
{
    zone_queue *queue = &front->queue[q];
    front->flushes++;
    zone_flush_oldest(zone, queue, queue->count - queue->count / 2);
}

static void zone_drain_queue(loam_zone *zone, zone_queue *queue)
{
    uint64_t base = queue->base, starts = queue->starts;
    queue->starts = 0;
    if (starts != 0) {
        uint64_t frame = base + ((uint64_t)loam_ctz64(starts) << queue->shift);
        zone_area *area = loam_zone__area(zone, frame);
        loam_irq irq = zone_area_lock(area);
        loam_err err = loam_buddy_free_runs(&area->buddy, queue->order, base, starts);
        loam_atomic_add(&zone->frees, 1); /* pairs with the loads in loam_zone__take_surely */
        zone_area_unlock(area, irq);
        if (err != LOAM_OK)
            zone_report_late(zone, frame);
    }
    zone_flush_oldest(zone, queue, queue->count);
}

void loam_zone__drain_front(loam_zone *zone, zone_front *front)
{
    loam_zone__front_uses(front, front->away ? 0 : zone->live);
    for (unsigned q = 0; q < LOAM_ZONE_LIFOS; q++)
        zone_drain_queue(zone, &front->queue[q]);
    front->flushes++;
}

void loam_zone__ask_drain(loam_zone *zone)
{
    for (uint32_t i = 0; i < zone->nfronts; i++) {
        zone_front *front = &zone->front[i];
        if (front == zone_my_front(zone))
            continue;
        loam_atomic_exchange(&front->live, 0); /* pairs with loam_zone__front_points_to */
        loam_atomic_store(&front->window, 0);  /* seen by the peeks at the owner's next call */
    }
}

void loam_zone_drain(loam_zone *zone)
{
    loam_irq irq = loam_port_irq_save();
    zone_front *front = zone_my_front(zone);
    if (front != NULL)
        loam_zone__drain_front(zone, front);
    loam_port_irq_restore(irq);
}

void loam_zone_serve(loam_zone *zone)
{
    loam_irq irq = loam_port_irq_save();
    zone_front *front = zone_my_front(zone);
    if (front != NULL && loam_atomic_peek(&front->live) != zone->live && !front->away)
        loam_zone__drain_front(zone, front);
    loam_port_irq_restore(irq);
}

static void zone_set_away(loam_zone *zone, bool away)
{
    loam_irq irq = loam_port_irq_save();
    zone_front *front = zone_my_front(zone);
    if (front != NULL) {
        front->away = away;
        loam_zone__drain_front(zone, front);
    }
    loam_port_irq_restore(irq);
}

void loam_zone_offline(loam_zone *zone)
{
    zone_set_away(zone, true);
}

void loam_zone_online(loam_zone *zone)
{
    zone_set_away(zone, false);
}

void loam_zone_drain_all(loam_zone *zone)
{
    loam_irq irq = loam_port_irq_save();
    for (uint32_t i = 0; i < zone->nfronts; i++)
        loam_zone__drain_front(zone, &zone->front[i]);
    loam_port_irq_restore(irq);
}

uint64_t loam_zone__front_frames(const zone_front *front)
{
    uint64_t frames = 0;
    for (unsigned q = 0; q < LOAM_ZONE_LIFOS; q++) {
        const zone_queue *queue = &front->queue[q];
        frames += (uint64_t)(queue->count + loam_popcount64(queue->starts)) << queue->order;
    }
    return frames;
}

static bool zone_queue_has(const zone_queue *queue, uint64_t frame)
{
    uint64_t offset = (frame - queue->base) >> queue->shift;
    if (offset < 64 && (queue->starts >> offset & 1) != 0 &&
        queue->base + (offset << queue->shift) == frame)
        return true;
    for (uint32_t i = 0; i < queue->count; i++) {
        if (queue->lifo[i] == frame)
            return true;
    }
    return false;
}

static bool zone_front_has(const zone_front *front, uint64_t frame)
{
    for (unsigned q = 0; q < LOAM_ZONE_LIFOS; q++) {
        const zone_queue *queue = &front->queue[q];
        if (zone_queue_has(queue, frame & ~loam_mask64(queue->order)))
            return true;
    }
    return false;
}

bool loam_zone__in_front(const loam_zone *zone, uint64_t frame)
{
    for (uint32_t i = 0; i < zone->nfronts; i++) {
        if (zone_front_has(&zone->front[i], frame))
            return true;
    }
    return false;
}
