/* SPDX-License-Identifier: MIT */
/* zone_view.c - looking at a zone: states, counts, walks.
 *
 * WHAT   Answers questions; changes nothing but the fronts that it drains.
 * MODEL  The table and the bits are read side by side, block by block:
 *
 *            byte:   H1 .   .  .  .  .   R  R
 *            bits:   0  0   1  1  1  1   0  0
 *            walk:   out 2  free 4       reserved 2
 *
 * RULES  Z1 .. Z6 (zone.c), tested by zone_check.c.
 * LOCKS  The area's while one area is read: a call-back must not call the zone.
 * COST   state O(levels + fronts); the rest O(frames) or O(words).
 * FROM   -
 * NOT    -
 */
#include "zone_impl.h"

const char *loam_frame_state_name(loam_frame_state state)
{
    static const char *const name[] = {"outside", "free", "allocated", "joined",
                                       "inner",   "slab", "reserved",  "bad"};
    return (unsigned)state < LOAM_ARRAY_LEN(name) ? name[state] : "?";
}

/* Lock held, or nobody else inside. */
static loam_frame_state zone_state_in(const loam_zone *zone, zone_area *area, uint64_t frame)
{
    uint8_t byte = area->table[frame - area->first];
    if (byte == ZONE_RESERVED)
        return LOAM_FRAME_RESERVED;
    if (byte == ZONE_BAD)
        return LOAM_FRAME_BAD;
    if (byte == ZONE_HOLE)
        return LOAM_FRAME_OUTSIDE;
    if (byte == ZONE_PLAIN)
        return loam_zone__find(zone, area, frame, NULL, NULL) || loam_zone__in_front(zone, frame)
                   ? LOAM_FRAME_FREE
                   : LOAM_FRAME_INNER;
    if ((byte & ZONE_KIND) == ZONE_SLAB)
        return LOAM_FRAME_SLAB;
    return zone_is_joined(byte) ? LOAM_FRAME_JOINED : LOAM_FRAME_HEAD;
}

loam_frame_state loam_zone_state(const loam_zone *zone, loam_pfn pfn)
{
    zone_area *area = loam_zone__area(zone, pfn.v);
    if (area == NULL)
        return LOAM_FRAME_OUTSIDE;
    loam_irq irq = zone_area_lock(area);
    loam_frame_state state = zone_state_in(zone, area, pfn.v);
    zone_area_unlock(area, irq);
    return state;
}

int loam_zone_order(const loam_zone *zone, loam_pfn pfn)
{
    zone_area *area = loam_zone__area(zone, pfn.v);
    uint8_t byte = area == NULL ? ZONE_PLAIN : area->table[pfn.v - area->first];
    return zone_is_head(byte) ? (int)zone_order_of(byte) : -1;
}

static uint64_t zone_in_fronts(const loam_zone *zone)
{
    uint64_t frames = 0;
    for (uint32_t i = 0; i < zone->nfronts; i++)
        frames += loam_zone__front_frames(&zone->front[i]);
    return frames;
}

/* Frames of the top level. */
static uint64_t zone_in_top(const loam_zone *zone)
{
    uint64_t frames = 0;
    if (zone->top != NULL) {
        loam_irq irq = zone_top_lock(zone->top);
        frames = zone->top->buddy.free_units << zone->config.area_shift;
        zone_top_unlock(zone->top, irq);
    }
    return frames;
}

uint64_t loam_zone_free_pages(const loam_zone *zone)
{
    uint64_t frames = zone_in_fronts(zone) + zone_in_top(zone);
    for (uint32_t i = 0; i < zone->nareas; i++) {
        loam_irq irq = zone_area_lock(&zone->area[i]);
        frames += zone->area[i].buddy.free_units;
        zone_area_unlock(&zone->area[i], irq);
    }
    return frames;
}

static bool zone_count_block(void *ctx, uint64_t unit, unsigned order)
{
    loam_zone_stats *stats = ctx;
    (void)unit;
    stats->blocks[order]++;
    return true;
}

static void zone_stat_area(const loam_zone *zone, zone_area *area, loam_zone_stats *stats)
{
    loam_irq irq = zone_area_lock(area);
    bool whole = zone_is_whole(zone, area);
    uint64_t units = whole ? area->count : area->buddy.free_units;
    int largest = loam_buddy_largest(&area->buddy);
    stats->frames += area->count - area->holes;
    stats->free += units;
    stats->reserved += area->reserved;
    stats->bad += area->bad;
    stats->refusals += area->refused;
    stats->low_water += units < area->low_water ? units : area->low_water;
    if (largest > stats->largest)
        stats->largest = largest;
    loam_buddy_each(&area->buddy, LOAM_ZONE_MAX_ORDER, zone_count_block, stats);
    zone_area_unlock(area, irq);
}

static void zone_stat_top(const loam_zone *zone, loam_zone_stats *stats)
{
    if (zone->top == NULL)
        return;
    loam_irq irq = zone_top_lock(zone->top);
    const loam_buddy *top = &zone->top->buddy;
    unsigned shift = zone->config.area_shift;
    if (loam_buddy_largest(top) >= 0)
        stats->largest = (int)shift + loam_buddy_largest(top);
    for (uint64_t unit = 0; unit < top->count; unit++) {
        uint64_t start;
        unsigned order;
        if (loam_buddy_find(top, unit, &start, &order)) {
            stats->blocks[shift + order]++;
            unit = start + (1ULL << order) - 1;
        }
    }
    zone_top_unlock(zone->top, irq);
}

void loam_zone_stat(loam_zone *zone, loam_zone_stats *stats)
{
    loam_zone_drain(zone);
    __builtin_memset(stats, 0, sizeof *stats);
    stats->name = zone->config.name;
    stats->largest = -1;
    stats->metadata = zone->metadata;
    stats->areas = zone->nareas;
    stats->failures = loam_atomic_peek(&zone->failures); /* no order: a counter */
    stats->refusals = loam_atomic_peek(&zone->outside);  /* no order: a counter */
    for (uint32_t i = 0; i < zone->nareas; i++)
        zone_stat_area(zone, &zone->area[i], stats);
    zone_stat_top(zone, stats);
    for (uint32_t i = 0; i < zone->nfronts; i++) {
        stats->refills += zone->front[i].refills;
        stats->flushes += zone->front[i].flushes;
    }
    stats->in_fronts = zone_in_fronts(zone);
    stats->free += stats->in_fronts;
}

typedef struct zone_visit {
    loam_buddy_fn *fn;
    void *ctx;
    bool more;
} zone_visit;

static bool zone_visit_block(void *ctx, uint64_t unit, unsigned order)
{
    zone_visit *visit = ctx;
    visit->more = visit->fn(visit->ctx, unit, order);
    return visit->more;
}

/* The free block of the top level that area i lies in. */
static bool zone_top_block(loam_zone *zone, uint32_t i, uint64_t *first, unsigned *order)
{
    zone_area *area = &zone->area[i];
    loam_irq irq = zone_area_lock(area);
    bool found = area->buddy.free_units == 0 && loam_zone__find_top(zone, area, first, order);
    zone_area_unlock(area, irq);
    return found;
}

/* A block as a row of blocks of at most max_order. */
static bool zone_visit_row(zone_visit *visit, uint64_t first, unsigned order, unsigned max_order)
{
    unsigned each = order < max_order ? order : max_order;
    for (uint64_t i = 0; i < 1ULL << (order - each) && visit->more; i++)
        zone_visit_block(visit, first + (i << each), each);
    return visit->more;
}

void loam_zone_each_free(loam_zone *zone, unsigned max_order, loam_buddy_fn *fn, void *ctx)
{
    zone_visit visit = {fn, ctx, true};
    for (uint32_t i = 0, next; i < zone->nareas && visit.more; i = next) {
        uint64_t first;
        unsigned order;
        next = i + 1;
        if (zone_top_block(zone, i, &first, &order)) {
            zone_visit_row(&visit, first, order, max_order);
            next = i + (uint32_t)(1ULL << (order - zone->config.area_shift));
            continue;
        }
        loam_irq irq = zone_area_lock(&zone->area[i]);
        loam_buddy_each(&zone->area[i].buddy, max_order, zone_visit_block, &visit);
        zone_area_unlock(&zone->area[i], irq);
    }
}

/* Of one area, or of the free block of the top level that it lies in. */
static bool zone_next_in(loam_zone *zone, uint32_t i, unsigned order, unsigned max_order,
                         uint64_t from, uint64_t *frame)
{
    zone_area *area = &zone->area[i];
    unsigned whole = 0;
    loam_irq irq = zone_area_lock(area);
    bool top = area->buddy.free_units == 0 && loam_zone__find_top(zone, area, frame, &whole);
    bool found = !top && loam_buddy_next(&area->buddy, order, max_order, from, frame);
    zone_area_unlock(area, irq);
    if (!top)
        return found;
    uint64_t end = *frame + (1ULL << whole);
    if (order != whole && (order != max_order || whole < order))
        return false;
    *frame = from > *frame ? loam_align_up(from, 1ULL << order) : *frame;
    return *frame < end;
}

/* By the hints: may an area have such a block, or lie in a free one of the top level? */
static bool zone_may_have(const loam_zone *zone, const zone_area *area, unsigned order,
                          unsigned max_order)
{
    uint32_t orders = order < 32 ? zone_hint(area) >> order : 0;
    /* pairs with the store in zone_tell_largest */
    bool top = zone->top != NULL && loam_atomic_load(&zone->top->largest) != 0;
    return top || (order == max_order ? orders != 0 : (orders & 1) != 0);
}

loam_pfn loam_zone_next_free(loam_zone *zone, unsigned order, unsigned max_order, loam_pfn from)
{
    uint64_t frame;
    for (uint32_t i = 0; i < zone->nareas; i++) {
        const zone_area *area = &zone->area[i];
        if (from.v < area->first + area->count && zone_may_have(zone, area, order, max_order) &&
            zone_next_in(zone, i, order, max_order, from.v, &frame))
            return loam_pfn_of(frame);
    }
    return LOAM_NO_FRAME;
}

bool loam_zone_find_free(loam_zone *zone, loam_pfn pfn, loam_pfn *start, unsigned *order)
{
    zone_area *area = loam_zone__area(zone, pfn.v);
    uint64_t first = 0;
    if (area == NULL)
        return false;
    loam_irq irq = zone_area_lock(area);
    bool found = loam_zone__find(zone, area, pfn.v, &first, order);
    zone_area_unlock(area, irq);
    if (found && start != NULL)
        *start = loam_pfn_of(first);
    return found;
}

const uint8_t *loam_zone_frame_table(const loam_zone *zone, loam_pfn pfn, loam_pfn *first,
                                     uint64_t *count)
{
    const zone_area *area = loam_zone__area(zone, pfn.v);
    if (area == NULL)
        return NULL;
    const zone_run *run = zone_run_of(zone, area);
    *first = loam_pfn_of(run->first);
    *count = run->count;
    return run->table;
}

/* ---- walk ---- */

/* How many frames the thing at `frame` takes: a block, a free block, or one. */
static uint64_t zone_extent(loam_zone *zone, uint64_t frame, loam_frame_state state)
{
    zone_area *area = loam_zone__area(zone, frame);
    uint64_t left = zone_run_left(zone, area, frame);
    loam_pfn start;
    unsigned order;
    if (state == LOAM_FRAME_FREE && loam_zone_find_free(zone, loam_pfn_of(frame), &start, &order))
        return start.v + (1ULL << order) - frame;
    const uint8_t *byte = &area->table[frame - area->first];
    uint64_t frames = zone_is_head(*byte) ? 1ULL << zone_order_of(*byte) : 1;
    while (zone_is_multi(*byte) && frames < left && zone_is_joined(byte[frames]))
        frames += 1ULL << zone_order_of(byte[frames]);
    return frames < left ? frames : left;
}

static bool zone_runs_on(loam_frame_state state)
{
    return state == LOAM_FRAME_FREE || state == LOAM_FRAME_RESERVED || state == LOAM_FRAME_BAD ||
           state == LOAM_FRAME_OUTSIDE;
}

void loam_zone_walk(loam_zone *zone, loam_zone_walk_fn *fn, void *ctx)
{
    for (uint32_t r = 0; r < zone->nruns; r++) {
        const zone_run *run = &zone->run[r];
        uint64_t end = run->first + run->count;
        for (uint64_t frame = run->first; frame < end;) {
            loam_frame_state state = loam_zone_state(zone, loam_pfn_of(frame));
            uint64_t next = frame + zone_extent(zone, frame, state);
            while (zone_runs_on(state) && next < end &&
                   loam_zone_state(zone, loam_pfn_of(next)) == state)
                next += zone_extent(zone, next, state);
            if (!fn(ctx, loam_pfn_of(frame), next - frame, state))
                return;
            frame = next;
        }
    }
}
