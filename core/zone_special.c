/* SPDX-License-Identifier: MIT */
/* zone_special.c - the less common requests: exact counts, places, ranges, many at once, several
 * zones.
 *
 * WHAT   Everything that is not "any block of 2^order frames".
 * MODEL  An exact block is written as binary pieces, largest first; the head says that more follow:
 *
 *            11 frames:   [M3 . . . . . . . ] [J1 . ] [J0]  rest of the block of 16 goes back
 *
 *        Without fronts, and in one area, the rest is not taken in the first place: one time with
 *        the lock, not two.
 *
 * RULES  Z3, Z4 (zone.c)
 * LOCKS  The area's.
 * COST   O(pieces), at most 32, and O(orders x height) for a range.
 * FROM   -
 * NOT    Moving what is in the way.
 */
#include "zone_impl.h"

/* The largest piece that starts the rest of an exact block. */
static unsigned zone_piece_order(const loam_zone *zone, uint64_t first, uint64_t count)
{
    unsigned order = loam_natural_order(first, count);
    return order < zone->piece_max ? order : zone->piece_max;
}

void loam_zone__mark_pieces(const loam_zone *zone, uint64_t first, uint64_t count, unsigned flags)
{
    const zone_area *area = loam_zone__area(zone, first);
    uint8_t *byte = &area->table[first - area->first], mark = zone_mark(flags);
    unsigned order = zone_piece_order(zone, first, count);
    if (1ULL << order != count)
        mark = mark == ZONE_SLAB ? ZONE_SLAB | ZONE_MORE : ZONE_MULTI;
    for (;;) {
        *byte = (uint8_t)(mark | order);
        byte += 1ULL << order;
        first += 1ULL << order;
        count -= 1ULL << order;
        if (count == 0)
            return;
        order = zone_piece_order(zone, first, count);
        mark = ZONE_JOINED;
    }
}

loam_pfn loam_zone__done(loam_zone *zone, uint64_t frame, uint64_t count, unsigned flags)
{
    if ((flags & LOAM_ZONE_ZERO) != 0)
        loam_zone__zero(zone, frame, count);
    return loam_pfn_of(frame);
}

/* The tail of a block in one area of which the head is still out. */
static void zone_return_within(zone_area *area, uint64_t first, uint64_t count)
{
    loam_irq irq = zone_area_lock(area);
    (void)loam_buddy_free_range(&area->buddy, first, count);
    zone_area_unlock_freed(area, irq);
}

/* Gives the tail [first, first + count) of a fresh block back, piece by piece for the trace. */
static void zone_return_tail(loam_zone *zone, uint64_t first, uint64_t count)
{
    zone_area *around = loam_zone__area(zone, first);
    if (!loam_trace_is_on(zone->config.trace) && first > around->first &&
        count <= around->count - (first - around->first)) {
        zone_return_within(around, first, count);
        return;
    }
    while (count != 0) {
        unsigned order = zone_piece_order(zone, first, count), merged = order;
        zone_area *area = loam_zone__area(zone, first);
        loam_irq irq = zone_area_lock(area);
        zone_put(zone, area, first, order);
        loam_zone__find(zone, area, first, NULL, &merged);
        zone_area_unlock_freed(area, irq);
        if (loam_trace_is_on(zone->config.trace))
            loam_zone__trace_free(zone, first, order, merged);
        first += 1ULL << order;
        count -= 1ULL << order;
    }
}

/* Can the first frames of a free block be taken alone, so that no tail comes back? Not where a
 * front may have the block, or a trace is told of whole ones; and in one area. */
static bool zone_takes_part(const loam_zone *zone, unsigned order)
{
    return zone->nfronts == 0 && order < zone->config.area_shift &&
           !loam_trace_is_on(zone->config.trace);
}

static loam_pfn zone_alloc_part(loam_zone *zone, unsigned order, uint64_t npages, unsigned flags)
{
    const zone_request want = {0, ~0ULL, order, flags, npages};
    uint64_t frame;
    if (!loam_zone__obtain(zone, &want, &frame))
        return loam_zone__no_frame(zone, order);
    return loam_zone__done(zone, frame, npages, flags);
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
    if (zone_takes_part(zone, order))
        return zone_alloc_part(zone, order, npages, flags);
    loam_pfn pfn =
        loam_zone_alloc(zone, order, flags & ~(unsigned)(LOAM_ZONE_ZERO | LOAM_ZONE_SLAB));
    if (loam_pfn_is_none(pfn))
        return pfn;
    loam_zone__mark_pieces(zone, pfn.v, npages, flags);
    zone_return_tail(zone, pfn.v + npages, (1ULL << order) - npages);
    return loam_zone__done(zone, pfn.v, npages, flags);
}

loam_pfn loam_zone_alloc_range(loam_zone *zone, unsigned order, loam_pfn lo, loam_pfn limit,
                               unsigned flags)
{
    const zone_request want = {lo.v, limit.v == 0 ? ~0ULL : limit.v, order, flags, 0};
    uint64_t frame;
    if (want.lo >= want.limit || !loam_zone__obtain(zone, &want, &frame))
        return loam_zone__no_frame(zone, order);
    return loam_zone__done(zone, frame, 1ULL << order, flags);
}

loam_err loam_zone_alloc_at(loam_zone *zone, loam_pfn first, uint64_t npages, unsigned flags)
{
    const loam_zone_config *config = &zone->config;
    if (npages == 0 || npages >> (ZONE_PIECE_MAX + 1) != 0 ||
        !zone_holds(zone, loam_zone__area(zone, first.v), first.v, npages))
        return LOAM_EINVAL;
    if (config->refuse != NULL && config->refuse(config->refuse_ctx, loam_log2_ceil(npages)))
        return LOAM_EBUSY;
    loam_zone_drain(zone);
    if (!loam_zone__take_frames(zone, first.v, npages, flags))
        return LOAM_EBUSY;
    loam_zone__mark_pieces(zone, first.v, npages, flags);
    loam_zone__done(zone, first.v, npages, flags);
    return LOAM_OK;
}

/* Where the pieces of a block that is out end: its first frame and theirs. */
static uint64_t zone_block_end(const loam_zone *zone, const zone_area *area, uint64_t first)
{
    const uint8_t *byte = &area->table[first - area->first];
    uint64_t left = zone_run_left(zone, area, first), frames = 1ULL << zone_order_of(*byte);
    bool multi = zone_is_multi(*byte);
    while (multi && frames < left && zone_piece_follows(byte + frames))
        frames += 1ULL << zone_order_of(byte[frames]);
    return first + frames;
}

/* The heads of a block of count frames read plain. */
static void zone_unmark_pieces(const zone_area *area, uint64_t first, uint64_t count)
{
    uint8_t *byte = &area->table[first - area->first];
    for (uint64_t at = 0, frames; at < count; at += frames) {
        frames = 1ULL << zone_order_of(byte[at]);
        byte[at] = ZONE_PLAIN;
    }
}

loam_err loam_zone_resize(loam_zone *zone, loam_pfn pfn, uint64_t was, uint64_t npages,
                          unsigned flags)
{
    const zone_area *area = loam_zone__area(zone, pfn.v);
    uint64_t more = npages > was ? npages - was : 0, first = pfn.v;
    if (npages == 0 || npages >> (ZONE_PIECE_MAX + 1) != 0 || was == 0 ||
        !zone_holds(zone, area, first, was + more) ||
        !zone_is_head(area->table[first - area->first]) ||
        zone_block_end(zone, area, first) != first + was)
        return LOAM_EINVAL;
    if (loam_trace_is_on(zone->config.trace) ||
        (more != 0 && !loam_zone__take_frames(zone, first + was, more, flags)))
        return LOAM_EBUSY;
    zone_unmark_pieces(area, first, was);
    loam_zone__mark_pieces(zone, first, npages, flags);
    if (npages < was)
        zone_return_tail(zone, first + npages, was - npages);
    return LOAM_OK;
}

/* ---- many at once ---- */

/* Blocks of a front's stack, newest first, as long as they lie in the run that the front points
 * to. Interrupts off. */
static size_t zone_pop_stack(const zone_front *front, zone_queue *queue, loam_pfn *out, size_t n)
{
    const uint64_t *lifo = queue->lifo, first = front->first;
    const uint64_t window = loam_atomic_peek(&front->window); /* no order: as zone_pop */
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
    const uint64_t step = 1ULL << queue->shift;
    const uint64_t window = loam_atomic_peek(&front->window); /* no order: as zone_pop */
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
    uint64_t left = zone_run_left(zone, area, pfn.v), at = 0;
    uint8_t *table = &area->table[pfn.v - area->first], byte = *table;
    bool multi = zone_is_multi(byte);
    bool head = (byte & ZONE_KIND) == ZONE_HEAD || (multi && (byte & ZONE_KIND) == ZONE_MULTI);
    while (head) {
        uint64_t frames = 1ULL << zone_order_of(table[at]);
        __builtin_memset(&table[at], ZONE_HEAD, (size_t)frames);
        at += frames;
        head = multi && at < left && zone_piece_follows(&table[at]);
    }
    zone_area_unlock(area, irq);
    if (at != 0)
        return LOAM_OK;
    return loam_zone__refuse(zone, pfn.v, "split of what is not an allocated block",
                             __builtin_return_address(0));
}

/* Lock held. */
static void zone_set_bad(zone_area *area, uint8_t *byte)
{
    *byte = ZONE_BAD;
    area->bad++;
}

loam_err loam_zone_mark_bad(loam_zone *zone, loam_pfn pfn)
{
    loam_zone_drain(zone);
    zone_area *area = loam_zone__area(zone, pfn.v);
    if (area == NULL)
        return LOAM_EINVAL;
    uint8_t *byte = &area->table[pfn.v - area->first];
    loam_irq irq = zone_area_lock(area);
    bool single = *byte == (ZONE_HEAD | 0), plain = *byte == ZONE_PLAIN;
    if (single)
        zone_set_bad(area, byte);
    zone_area_unlock(area, irq);
    if (plain && loam_zone__take_frames(zone, pfn.v, 1, LOAM_ZONE_ATOMIC)) {
        irq = zone_area_lock(area);
        zone_set_bad(area, byte);
        zone_area_unlock(area, irq);
        return LOAM_OK;
    }
    return single ? LOAM_OK : LOAM_EBUSY;
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

/* The first frame at `at` or above that is a hole, or is not, up to `end`: the run's, which has no
 * holes in most zones. Those bytes never change. */
static uint64_t zone_until(const zone_run *run, uint64_t at, uint64_t end, bool hole)
{
    if (run->holes == 0)
        return hole ? end : at;
    while (at < end && (run->table[at - run->first] == ZONE_HOLE) != hole)
        at++;
    return at;
}

/* What of [first, first + count) is RAM of the run: counts the frames, or gives them. */
static loam_err zone_give_run(loam_zone *zone, const zone_run *run, uint64_t first, uint64_t count,
                              bool give, uint64_t *given)
{
    uint64_t end = first + count, last = run->first + run->count;
    uint64_t at = first > run->first ? first : run->first;
    if (end > last)
        end = last;
    while (at < end) {
        uint64_t lo = zone_until(run, at, end, false);
        at = zone_until(run, lo, end, true);
        loam_err err = give ? loam_zone_add(zone, loam_pfn_of(lo), at - lo) : LOAM_OK;
        if (err != LOAM_OK)
            return err;
        *given += at - lo;
    }
    return LOAM_OK;
}

/* One pass over all runs: counts the frames that lie in one, or gives them. */
static loam_err zone_give_parts(loam_zonelist *list, uint64_t first, uint64_t count, bool give,
                                uint64_t *given)
{
    *given = 0;
    for (unsigned z = 0; z < list->count; z++) {
        loam_zone *zone = list->zone[z];
        for (uint32_t i = 0; i < zone->nruns; i++) {
            loam_err err = zone_give_run(zone, &zone->run[i], first, count, give, given);
            if (err != LOAM_OK)
                return err;
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

/* Has the zone RAM here? In the gaps of a run may lie another zone's; those bytes never change. */
static bool zone_has(const loam_zone *zone, uint64_t frame)
{
    const zone_area *area = loam_zone__area(zone, frame);
    return area != NULL && area->table[frame - area->first] != ZONE_HOLE;
}

loam_err loam_zonelist_free(loam_zonelist *list, loam_pfn pfn)
{
    const void *caller = __builtin_return_address(0);
    loam_zone *owner = list->count == 0 ? NULL : list->zone[0];
    for (unsigned z = 0; z < list->count; z++) {
        if (!zone_has(list->zone[z], pfn.v))
            continue;
        owner = list->zone[z];
        break;
    }
    return owner == NULL ? LOAM_EINVAL : loam_zone__free_slow(owner, pfn.v, -1, ZONE_HEAD, caller);
}
