/* SPDX-License-Identifier: MIT */
/* zone.c - page frames that are safe to free: the fast paths.
 *
 * WHAT   Blocks of frames, from several processors at once, where every wrong free is refused by
 *        one byte.
 *
 * MODEL  Runs of RAM are cut into areas. Each has a buddy (what is free), a table (what is out) and
 *        a lock; an area that is all free is a bit of the top level. A front is what one processor
 *        keeps at hand: for orders 0-3 and 9 the blocks of one word of the buddy, and a short
 *        stack.
 *
 *            cpu 0          cpu 1       alloc: pop the stack, else the lowest start of the word,
 *            [front]        [front]            else refill
 *                |  refill, flush |     free:  the byte must be a head; clear it; push
 *            ====v================v=========================  lock of the area
 *            [area 0: buddy bits, table]   [area 1] ...
 *            ======^======================== an area and more  lock of the top level
 *            [top level: 0 1 0 0 1 1 1 1]
 *
 *            table:   H2 .  .  .  H0 .  .  R  R  R    H2: head of a block of order 2 that is out
 *            bits:    0  0  0  0  0  1  1  0  0  0    R: reserved
 *                                                     . plain: free if its bit is set or it lies
 *                                                       in a front
 *
 * RULES  Z1  areas ascend, are not empty, do not overlap, and cross no multiple of 2^area_shift
 *        Z2  a free unit's byte reads plain
 *        Z3  a block that is out lies inside its run, and its inner bytes read plain
 *        Z4  a later piece follows a piece of the same exact block
 *        Z5  a block in a front is aligned, its bytes read plain, and it is not free in the bits; a
 *            front that says it is empty is
 *        Z6  every plain frame is free, in one front, or inside a block that is out; reserved and
 *            bad are counted
 *        Z7  an area that is all free and can be joined is one bit of the top level, and its own
 *            buddy is empty; every bit there is such an area
 *        Z8  the table of sections leads from a frame to its area
 *
 * LOCKS  A front belongs to its processor, interrupts off. An area's lock guards its buddy and the
 *        bytes of frames that are free in it. The bytes of a block belong to whoever holds the
 *        block. Order: areas ascending, then the top level; one area at a time but for what touches
 *        several.
 * COST   Fast path: no lock, no atomic instruction. Refill and flush: one lock for up to 64 blocks.
 * FROM   Per-CPU page lists of Unix kernels; the byte a frame is a boundary tag kept aside (Knuth
 *        2.5).
 * NOT    Moving memory.
 */
#include "zone_impl.h"

/* A pop for which the front has to be pointed at another area first. Interrupts off. */
static bool zone_pop_elsewhere(loam_zone *zone, zone_front *front, unsigned q, unsigned flags,
                               uint64_t *frame)
{
    zone_queue *queue = &front->queue[q];
    if (queue->count != 0) {
        *frame = queue->lifo[--queue->count];
    } else if (queue->starts != 0) {
        *frame = queue->base + ((uint64_t)loam_ctz64(queue->starts) << queue->shift);
        queue->starts &= queue->starts - 1;
    } else {
        return false;
    }
    zone_front_points_to(zone, front, loam_zone__area(zone, *frame));
    front->table[*frame - front->first] = (uint8_t)(zone_mark(flags) | queue->order);
    return true;
}

/* What the fast path could not pop: from the front all the same, or by a refill. */
static bool zone_alloc_front(loam_zone *zone, unsigned order, unsigned flags, uint64_t *frame)
{
    unsigned q = zone_queue_of(order);
    bool done = false;
    loam_irq irq = loam_port_irq_save();
    zone_front *front = zone_my_front(zone);
    if (front != NULL) {
        zone_front_ready(zone, front);
        done = zone_is_live(front, q) && (zone_pop_elsewhere(zone, front, q, flags, frame) ||
                                          loam_zone__refill(zone, front, q, flags, frame));
    }
    loam_port_irq_restore(irq);
    return done;
}

/* Everything but a pop: refills, orders without a queue, traces, shortage. */
static LOAM_NOINLINE loam_pfn zone_alloc_slow(loam_zone *zone, unsigned order, unsigned flags)
{
    const zone_request want = {.limit = ~0ULL, .order = order, .flags = flags};
    uint64_t frame;
    if (!zone_alloc_front(zone, order, flags, &frame) && !loam_zone__obtain(zone, &want, &frame))
        return loam_zone__no_frame(zone, order);
    if ((flags & LOAM_ZONE_ZERO) != 0)
        loam_zone__zero(zone, frame, 1ULL << order);
    return loam_pfn_of(frame);
}

/* What the fast path does only when asked for. The block is the caller's already. */
static LOAM_NOINLINE loam_pfn zone_finish(const loam_zone *zone, uint64_t frame, unsigned order,
                                          unsigned flags)
{
    zone_area *area = loam_zone__area(zone, frame);
    area->table[frame - area->first] = (uint8_t)(zone_mark(flags) | order);
    if ((flags & LOAM_ZONE_ZERO) != 0)
        loam_zone__zero(zone, frame, 1ULL << order);
    return loam_pfn_of(frame);
}

/* Pops a block off the queue of its order, in a front that points to its area: of the stack, else
 * of the word. Interrupts off. */
LOAM_INLINE bool zone_pop(zone_front *front, unsigned q, unsigned order, uint64_t *frame)
{
    zone_queue *queue = &front->queue[q];
    uint64_t at, count = queue->count;
    uint64_t window = loam_atomic_peek(&front->window); /* no order: seen at the next call */
    if (LOAM_LIKELY(count != 0)) {
        *frame = queue->lifo[count - 1];
        at = *frame - front->first;
        if (LOAM_UNLIKELY(at >= window))
            return false;
        queue->count = (uint32_t)(count - 1);
    } else {
        uint64_t starts = queue->starts;
        if (LOAM_UNLIKELY(starts == 0))
            return false;
        *frame = queue->base + ((uint64_t)loam_ctz64(starts) << (order == 9 ? 6 : 0));
        at = *frame - front->first;
        if (LOAM_UNLIKELY(at >= window))
            return false;
        queue->starts = starts & (starts - 1);
    }
    front->table[at] = (uint8_t)(ZONE_HEAD | order);
    return true;
}

/* zone_queue_of as branches: orders 0 to 3 share one, as nobody can foresee which of them comes. */
loam_pfn loam_zone_alloc(loam_zone *zone, unsigned order, unsigned flags)
{
    uint64_t frame = 0;
    bool done = false;
    loam_irq irq = loam_port_irq_save();
    unsigned cpu = loam_port_cpu();
    if (LOAM_LIKELY(cpu < zone->nfronts)) {
        zone_front *front = &zone->front[cpu];
        if (LOAM_LIKELY(order <= 3))
            done = zone_pop(front, order, order, &frame);
        else if (order == 9)
            done = zone_pop(front, 4, 9, &frame);
    }
    loam_port_irq_restore(irq);
    if (LOAM_UNLIKELY(!done))
        return zone_alloc_slow(zone, order, flags);
    if (LOAM_UNLIKELY((flags & (LOAM_ZONE_ZERO | LOAM_ZONE_SLAB)) != 0))
        return zone_finish(zone, frame, order, flags);
    return loam_pfn_of(frame);
}

/* kind: ZONE_HEAD or ZONE_SLAB. want: the order that the block must have, or -1. */
static inline bool zone_free_fast(loam_zone *zone, uint64_t frame, uint8_t kind, int want)
{
    loam_irq irq = loam_port_irq_save();
    unsigned cpu = loam_port_cpu();
    bool done = LOAM_LIKELY(cpu < zone->nfronts) && zone_push(&zone->front[cpu], frame, kind, want);
    loam_port_irq_restore(irq);
    return done;
}

loam_err loam_zone_free(loam_zone *zone, loam_pfn pfn)
{
    if (LOAM_LIKELY(zone_free_fast(zone, pfn.v, ZONE_HEAD, -1)))
        return LOAM_OK;
    return loam_zone__free_slow(zone, pfn.v, -1, ZONE_HEAD, __builtin_return_address(0));
}

loam_err loam_zone_free_order(loam_zone *zone, loam_pfn pfn, unsigned order)
{
    int want = order <= LOAM_ZONE_MAX_ORDER ? (int)order : LOAM_ZONE_MAX_ORDER + 1;
    if (LOAM_LIKELY(zone_free_fast(zone, pfn.v, ZONE_HEAD, want)))
        return LOAM_OK;
    return loam_zone__free_slow(zone, pfn.v, want, ZONE_HEAD, __builtin_return_address(0));
}

loam_err loam_zone_free_slab(loam_zone *zone, loam_pfn pfn)
{
    if (LOAM_LIKELY(zone_free_fast(zone, pfn.v, ZONE_SLAB, -1)))
        return LOAM_OK;
    return loam_zone__free_slow(zone, pfn.v, -1, ZONE_SLAB, __builtin_return_address(0));
}
