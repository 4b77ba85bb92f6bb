/* SPDX-License-Identifier: MIT */
/* zone_special.c - the less common requests: exact counts, places, ranges, many at once, several
 * zones.
 *
 * WHAT   Everything that is not "any block of 2^order frames".
 * MODEL  An exact block is written as binary pieces, largest first; the head says that more follow:
 *
 *            11 frames:   [M3 . . . . . . . ] [J1 . ] [J0]  rest of the block of 16 goes back
 *
 * RULES  Z3, Z4 (zone.c)
 * LOCKS  The area's.
 * COST   O(pieces), at most 32, and O(orders x height) for a range.
 * FROM   -
 * NOT    Moving what is in the way.
 */
#include "zone_impl.h"

/* Lock held. Writes the heads of a block of count frames. */
static void zone_mark_pieces(zone_area *area, uint64_t first, uint64_t count, unsigned flags)
{
    unsigned order = loam_natural_order(first, count);
    bool alone = 1ULL << order == count;
    uint8_t mark = zone_mark(flags);
    if (!alone)
        mark = mark == ZONE_SLAB ? ZONE_SLAB | ZONE_MORE : ZONE_MULTI;
    while (count != 0) {
        area->table[first - area->first] = (uint8_t)(mark | order);
        first += 1ULL << order;
        count -= 1ULL << order;
        if (count != 0)
            order = loam_natural_order(first, count);
        mark = ZONE_JOINED;
    }
}

static loam_pfn zone_done(loam_zone *zone, uint64_t frame, uint64_t count, unsigned flags)
{
    if ((flags & LOAM_ZONE_ZERO) != 0)
        loam_zone__zero(zone, frame, count);
    return loam_pfn_of(frame);
}

/* Gives the tail [first, first + count) of a fresh block back, piece by piece for the trace. */
static void zone_return_tail(loam_zone *zone, zone_area *area, uint64_t first, uint64_t count)
{
    while (count != 0) {
        unsigned order = loam_natural_order(first, count), merged = order;
        loam_irq irq = zone_area_lock(area);
        loam_buddy_free(&area->buddy, first, order);
        loam_buddy_find(&area->buddy, first, NULL, &merged);
        loam_atomic_add(&zone->frees, 1); /* pairs with the loads in loam_zone__take_surely */
        zone_area_unlock(area, irq);
        if (loam_trace_is_on(zone->config.trace))
            loam_zone__trace_free(zone, first, order, merged);
        first += 1ULL << order;
        count -= 1ULL << order;
    }
}

loam_pfn loam_zone_alloc_exact(loam_zone *zone, uint64_t npages, unsigned flags)
{
    if (npages == 0 || npages >> LOAM_ZONE_MAX_ORDER != 0)
        return LOAM_NO_FRAME;
    if (loam_is_pow2(npages))
        return loam_zone_alloc(zone, loam_log2_floor(npages), flags);
    if (npages >> (ZONE_PIECE_MAX + 1) != 0)
        return LOAM_NO_FRAME;
    unsigned order = loam_log2_ceil(npages);
    loam_pfn pfn =
        loam_zone_alloc(zone, order, flags & ~(unsigned)(LOAM_ZONE_ZERO | LOAM_ZONE_SLAB));
    if (loam_pfn_is_none(pfn))
        return pfn;
    zone_area *area = loam_zone__area(zone, pfn.v);
    loam_irq irq = zone_area_lock(area);
    zone_mark_pieces(area, pfn.v, npages, flags);
    zone_area_unlock(area, irq);
    zone_return_tail(zone, area, pfn.v + npages, (1ULL << order) - npages);
    return zone_done(zone, pfn.v, npages, flags);
}

/* One pass over the areas that touch [lo, limit). */
static bool zone_take_range(loam_zone *zone, unsigned order, uint64_t lo, uint64_t limit,
                            unsigned flags, loam_buddy_pick *pick)
{
    for (uint32_t i = 0; i < zone->nareas; i++) {
        zone_area *area = &zone->area[i];
        if (area->first >= limit || area->first + area->count <= lo)
            continue;
        loam_irq irq = zone_area_lock(area);
        bool done = zone_affords(area, 1ULL << order, flags) &&
                    loam_buddy_peek_within(&area->buddy, order, lo, limit - lo, pick) &&
                    loam_buddy_take(&area->buddy, pick->unit, order) == LOAM_OK;
        if (done)
            area->table[pick->unit - area->first] = (uint8_t)(zone_mark(flags) | order);
        zone_area_unlock(area, irq);
        if (done)
            return true;
    }
    return false;
}

static bool zone_is_refused(const loam_zone *zone, unsigned order)
{
    return zone->config.refuse != NULL && zone->config.refuse(zone->config.refuse_ctx, order);
}

static loam_pfn zone_no_frame(loam_zone *zone, unsigned order)
{
    loam_atomic_add(&zone->failures, 1);
    loam_trace_emit(zone->config.trace, LOAM_TRACE_PAGE_FAIL, order, 0, 0);
    return LOAM_NO_FRAME;
}

loam_pfn loam_zone_alloc_range(loam_zone *zone, unsigned order, loam_pfn lo, loam_pfn limit,
                               unsigned flags)
{
    loam_buddy_pick pick;
    uint64_t top = limit.v == 0 ? ~0ULL : limit.v;
    unsigned most = (flags & LOAM_ZONE_SLAB) != 0 ? ZONE_PIECE_MAX : LOAM_ZONE_MAX_ORDER;
    if (order > most || lo.v >= top || zone_is_refused(zone, order))
        return zone_no_frame(zone, order);
    if (!zone_take_range(zone, order, lo.v, top, flags, &pick)) {
        loam_zone_drain(zone);
        if (!zone_take_range(zone, order, lo.v, top, flags, &pick)) {
            loam_zone__ask_drain(zone);
            return zone_no_frame(zone, order);
        }
    }
    if (loam_trace_is_on(zone->config.trace))
        loam_zone__trace_alloc(zone, &pick, order);
    return zone_done(zone, pick.unit, 1ULL << order, flags);
}

loam_err loam_zone_alloc_at(loam_zone *zone, loam_pfn first, uint64_t npages, unsigned flags)
{
    zone_area *area = loam_zone__area(zone, first.v);
    if (npages == 0 || npages >> (ZONE_PIECE_MAX + 1) != 0 || !zone_holds(area, first.v, npages))
        return LOAM_EINVAL;
    if (zone_is_refused(zone, loam_log2_ceil(npages)))
        return LOAM_EBUSY;
    loam_zone_drain(zone);
    loam_irq irq = zone_area_lock(area);
    bool done = zone_affords(area, npages, flags) && loam_zone__take_frames(area, first.v, npages);
    if (done)
        zone_mark_pieces(area, first.v, npages, flags);
    zone_area_unlock(area, irq);
    if (!done)
        return LOAM_EBUSY;
    zone_done(zone, first.v, npages, flags);
    return LOAM_OK;
}

/* ---- many at once ---- */

/* Blocks of a front's stack, newest first, as long as they lie in the area that the front points
 * to. Interrupts off. */
static size_t zone_pop_stack(const zone_front *front, zone_queue *queue, loam_pfn *out, size_t n)
{
    const uint64_t *lifo = queue->lifo, first = front->first;
    const uint64_t window = loam_atomic_peek(&front->window);
    uint8_t *table = front->table, mark = (uint8_t)(ZONE_HEAD | queue->order);
    uint32_t count = queue->count;
    size_t got = 0;
    while (got < n && count != 0 && lifo[count - 1] - first < window) {
        uint64_t frame = lifo[--count];
        table[frame - first] = mark;
        out[got++] = loam_pfn_of(frame);
    }
    queue->count = count;
    return got;
}

/* Blocks of a front's word of starts, lowest first, run by run; the same otherwise. */
static size_t zone_pop_starts(const zone_front *front, zone_queue *queue, loam_pfn *out, size_t n)
{
    const uint64_t step = 1ULL << queue->shift, window = loam_atomic_peek(&front->window);
    uint8_t *table = front->table, mark = (uint8_t)(ZONE_HEAD | queue->order);
    size_t got = 0;
    while (got < n && queue->starts != 0) {
        unsigned from = loam_ctz64(queue->starts);
        uint64_t frame = queue->base + from * step, at = frame - front->first;
        uint64_t rest = ~(queue->starts >> from);
        size_t run = rest != 0 ? loam_ctz64(rest) : 64, left = n - got;
        if (at >= window)
            break;
        if (run > left)
            run = left;
        queue->starts &= ~(loam_mask64((unsigned)run) << from);
        loam_pfn *to = out + got;
        uint8_t *byte = table + at;
        for (const loam_pfn *end = to + run; to < end; byte += step, frame += step) {
            *byte = mark;
            *to++ = loam_pfn_of(frame);
        }
        got += run;
    }
    return got;
}

/* What this processor has at hand: at most a stack and a word of blocks with interrupts off. */
static size_t zone_pop_many(loam_zone *zone, unsigned order, loam_pfn *out, size_t n)
{
    size_t got = 0;
    unsigned q = zone_queue_of(order);
    loam_irq irq = loam_port_irq_save();
    zone_front *front = zone_my_front(zone);
    if (front != NULL && q < LOAM_ZONE_LIFOS) {
        zone_queue *queue = &front->queue[q];
        got = zone_pop_stack(front, queue, out, n);
        if (queue->count == 0)
            got += zone_pop_starts(front, queue, out + got, n - got);
    }
    loam_port_irq_restore(irq);
    return got;
}

size_t loam_zone_alloc_bulk(loam_zone *zone, unsigned order, unsigned flags, loam_pfn *out,
                            size_t n)
{
    bool plain = (flags & (LOAM_ZONE_ZERO | LOAM_ZONE_SLAB)) == 0;
    size_t got = 0;
    while (got < n) {
        if (plain)
            got += zone_pop_many(zone, order, out + got, n - got);
        if (got == n)
            break;
        out[got] = loam_zone_alloc(zone, order, flags); /* refills */
        if (loam_pfn_is_none(out[got]))
            break;
        got++;
    }
    return got;
}

/* As many as go on the stacks of this processor's front, from the first on. */
static size_t zone_push_many(loam_zone *zone, const loam_pfn *pfn, size_t n)
{
    size_t done = 0;
    loam_irq irq = loam_port_irq_save();
    zone_front *front = zone_my_front(zone);
    while (front != NULL && done < n && zone_push(front, pfn[done].v, ZONE_HEAD, -1))
        done++;
    loam_port_irq_restore(irq);
    return done;
}

size_t loam_zone_free_bulk(loam_zone *zone, const loam_pfn *pfn, size_t n)
{
    const void *caller = __builtin_return_address(0);
    size_t right = 0;
    for (size_t i = 0; i < n; i++) {
        size_t pushed = zone_push_many(zone, pfn + i, n - i);
        right += pushed;
        i += pushed;
        if (i < n) /* a full stack, an order without one, or misuse */
            right += loam_zone__free_slow(zone, pfn[i].v, -1, ZONE_HEAD, caller) == LOAM_OK;
    }
    return right;
}

loam_err loam_zone_split(loam_zone *zone, loam_pfn pfn)
{
    zone_area *area = loam_zone__area(zone, pfn.v);
    if (area == NULL)
        return loam_zone__refuse(zone, pfn.v, "split of a frame that is not managed",
                                 __builtin_return_address(0));
    loam_irq irq = zone_area_lock(area);
    uint64_t at = pfn.v - area->first;
    uint8_t byte = area->table[at];
    bool multi = zone_is_multi(byte);
    bool head = (byte & ZONE_KIND) == ZONE_HEAD || (multi && (byte & ZONE_KIND) == ZONE_MULTI);
    while (head) {
        uint64_t frames = 1ULL << zone_order_of(area->table[at]);
        __builtin_memset(&area->table[at], ZONE_HEAD, (size_t)frames);
        at += frames;
        head = multi && at < area->count && zone_is_joined(area->table[at]);
    }
    zone_area_unlock(area, irq);
    if (at != pfn.v - area->first)
        return LOAM_OK;
    return loam_zone__refuse(zone, pfn.v, "split of what is not an allocated block",
                             __builtin_return_address(0));
}

loam_err loam_zone_mark_bad(loam_zone *zone, loam_pfn pfn)
{
    loam_zone_drain(zone);
    zone_area *area = loam_zone__area(zone, pfn.v);
    if (area == NULL)
        return LOAM_EINVAL;
    loam_irq irq = zone_area_lock(area);
    uint8_t *byte = &area->table[pfn.v - area->first];
    bool done =
        *byte == (ZONE_HEAD | 0) || (*byte == ZONE_PLAIN && loam_zone__take_frames(area, pfn.v, 1));
    if (done) {
        *byte = ZONE_BAD;
        area->bad++;
    }
    zone_area_unlock(area, irq);
    return done ? LOAM_OK : LOAM_EBUSY;
}

/* ---- several zones ---- */

loam_err loam_zonelist_add_zone(loam_zonelist *list, loam_zone *zone)
{
    if (zone == NULL)
        return LOAM_EINVAL;
    if (list->count == LOAM_ZONE_LISTS)
        return LOAM_EFULL;
    list->zone[list->count++] = zone;
    return LOAM_OK;
}

/* The part of [first, first + count) that lies in the area: how many frames, from *lo on. */
static uint64_t zone_part(const zone_area *area, uint64_t first, uint64_t count, uint64_t *lo)
{
    uint64_t hi = first + count, end = area->first + area->count;
    *lo = first > area->first ? first : area->first;
    if (hi > end)
        hi = end;
    return hi > *lo ? hi - *lo : 0;
}

/* One pass over all areas: counts the frames that lie in one, or gives them. */
static loam_err zone_give_parts(loam_zonelist *list, uint64_t first, uint64_t count, bool give,
                                uint64_t *given)
{
    *given = 0;
    for (unsigned z = 0; z < list->count; z++) {
        for (uint32_t i = 0; i < list->zone[z]->nareas; i++) {
            uint64_t lo, part = zone_part(&list->zone[z]->area[i], first, count, &lo);
            loam_err err = give ? loam_zone_add(list->zone[z], loam_pfn_of(lo), part) : LOAM_OK;
            if (err != LOAM_OK)
                return err;
            *given += part;
        }
    }
    return LOAM_OK;
}

loam_err loam_zonelist_give(void *ctx, loam_pfn first, uint64_t count)
{
    uint64_t given;
    zone_give_parts(ctx, first.v, count, false, &given);
    return given == count ? zone_give_parts(ctx, first.v, count, true, &given) : LOAM_EINVAL;
}

loam_pfn loam_zonelist_alloc(loam_zonelist *list, unsigned order, unsigned flags)
{
    loam_pfn pfn = LOAM_NO_FRAME;
    for (unsigned z = 0; z < list->count && loam_pfn_is_none(pfn); z++)
        pfn = loam_zone_alloc(list->zone[z], order, flags);
    return pfn;
}

loam_err loam_zonelist_free(loam_zonelist *list, loam_pfn pfn)
{
    const void *caller = __builtin_return_address(0);
    loam_zone *owner = list->count == 0 ? NULL : list->zone[0];
    for (unsigned z = list->count; z-- > 0;) {
        if (loam_zone_state(list->zone[z], pfn) != LOAM_FRAME_OUTSIDE)
            owner = list->zone[z];
    }
    return owner == NULL ? LOAM_EINVAL : loam_zone__free_slow(owner, pfn.v, -1, ZONE_HEAD, caller);
}
