/* SPDX-License-Identifier: MIT */
/* zone.c - page frames that are safe to free: the fast paths.
 *
 * WHAT   Blocks of frames, from several processors at once, where every wrong free is refused by
 *        one byte.
 *
 * MODEL  Areas are runs of RAM. Each has a buddy (what is free), a table (what is out) and a lock.
 *        A front is what one processor keeps at hand: for orders 0-3 and 9 the blocks of one word
 *        of the buddy, and a short stack.
 *
 *            cpu 0          cpu 1       alloc: pop the stack, else the lowest start of the word,
 *            [front]        [front]            else refill
 *                |  refill, flush |     free:  the byte must be a head; clear it; push
 *            ====v================v=========================  lock of the area
 *            [area 0: buddy bits, table]   [area 1] ...
 *
 *            table:   H2 .  .  .  H0 .  .  R  R  R    H2: head of a block of order 2 that is out
 *            bits:    0  0  0  0  0  1  1  0  0  0    R: reserved
 *                                                     . plain: free if its bit is set or it lies
 *                                                       in a front
 *
 * RULES  Z1  areas ascend, are not empty, and do not overlap
 *        Z2  a free unit's byte reads plain
 *        Z3  a block that is out lies inside its area, and its inner bytes read plain
 *        Z4  a later piece follows a piece of the same exact block
 *        Z5  a block in a front is aligned, its bytes read plain, and it is not free in the bits
 *        Z6  every plain frame is free, in one front, or inside a block that is out; reserved and
 *            bad are counted
 *
 * LOCKS  A front belongs to its processor, interrupts off. An area's lock guards its buddy and the
 *        bytes of frames that are free in it. The bytes of a block belong to whoever holds the
 *        block. Areas are locked one at a time, in ascending order when several are.
 * COST   Fast path: no lock, no atomic instruction. Refill and flush: one lock for up to 64 blocks.
 * FROM   Per-CPU page lists of Unix kernels; the byte a frame is a boundary tag kept aside (Knuth
 *        2.5).
 * NOT    Waiting for memory, moving memory.
 */
#include "zone_impl.h"

/* After a drain of this front and the asking of the others; then the shrinker, as long as it finds
 * something. */
static bool zone_take_hard(loam_zone *zone, unsigned order, unsigned flags, uint64_t *frame)
{
    loam_zone_drain(zone);
    if (loam_zone__take_surely(zone, order, flags, frame))
        return true;
    loam_zone__ask_drain(zone);
    if ((flags & LOAM_ZONE_ATOMIC) != 0 || zone->config.shrink == NULL)
        return false;
    for (unsigned tries = 0; tries < 16; tries++) {
        if (!zone->config.shrink(zone->config.shrink_ctx, zone, order))
            return false;
        loam_zone_drain(zone); /* what the shrinker freed may lie in this front */
        if (loam_zone__take_surely(zone, order, flags, frame))
            return true;
    }
    return false;
}

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
    loam_zone__front_points_to(zone, front, *frame);
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
    if (front != NULL && loam_atomic_peek(&front->live) != zone->live)
        loam_zone__drain_front(zone, front);
    if (front != NULL && zone_is_live(front, q))
        done = zone_pop_elsewhere(zone, front, q, flags, frame) ||
               loam_zone__refill(zone, front, q, flags, frame);
    loam_port_irq_restore(irq);
    return done;
}

/* Everything but a pop: refills, orders without a queue, traces, shortage. */
static LOAM_NOINLINE loam_pfn zone_alloc_slow(loam_zone *zone, unsigned order, unsigned flags)
{
    const loam_zone_config *config = &zone->config;
    uint64_t frame;
    unsigned most = (flags & LOAM_ZONE_SLAB) != 0 ? ZONE_PIECE_MAX : LOAM_ZONE_MAX_ORDER;
    bool done = zone_alloc_front(zone, order, flags, &frame);
    if (!done && order <= most &&
        (config->refuse == NULL || !config->refuse(config->refuse_ctx, order)))
        done = loam_zone__take(zone, order, flags, &frame) ||
               zone_take_hard(zone, order, flags, &frame);
    if (done) {
        if ((flags & LOAM_ZONE_ZERO) != 0)
            loam_zone__zero(zone, frame, 1ULL << order);
        return loam_pfn_of(frame);
    }
    loam_atomic_add(&zone->failures, 1);
    loam_trace_emit(config->trace, LOAM_TRACE_PAGE_FAIL, order, 0, 0);
    return LOAM_NO_FRAME;
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
    uint64_t at, count = queue->count, window = loam_atomic_peek(&front->window);
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
