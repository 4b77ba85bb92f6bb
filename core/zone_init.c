/* SPDX-License-Identifier: MIT */
/* zone_init.c - a zone's metadata: how much, laid out how, and the hand-over into it.
 *
 * WHAT   Turns spans of RAM into areas, and one piece of memory into everything that the zone
 *        knows.
 * MODEL  Spans whose gap is small share an area: a gap of 1024 frames costs less than an area of
 *        its own.
 *
 *            RAM     [====) [==========)                    [=====)
 *            areas   [area 0           )                    [area 1)
 *            memory  | zone | fronts | areas | table 0 | buddy 0 | table 1 | buddy 1 |
 *
 *        Zeroed metadata says that every frame is reserved; so a zone starts with no pass over its
 *        table, and the hand-over writes each byte once.
 * RULES  Z1 (zone.c)
 * LOCKS  init: nobody else knows the zone yet. add, reserve: the area's.
 * COST   O(spans); add: one byte a frame.
 * FROM   -
 * NOT    -
 */
#include "zone_impl.h"

enum { ZONE_GAP = 1024, ZONE_LINE = 64, ZONE_BLOCKS_A_CPU = 256 };

static const uint8_t zone_queue_order[LOAM_ZONE_LIFOS] = {0, 1, 2, 3, 9};
static const uint8_t zone_queue_cap[LOAM_ZONE_LIFOS] = {LOAM_ZONE_LIFO_CAP, 32, 16, 16, 32};

void loam_zone_config_init(loam_zone_config *config)
{
    *config = (loam_zone_config){
        .name = "normal",
        .area_shift = 18,
        .ncpus = 1,
        .fronts = true,
        .trace_max_order = LOAM_ZONE_MAX_ORDER,
    };
}

static uint64_t zone_line(uint64_t bytes)
{
    return loam_align_up(bytes, ZONE_LINE);
}

/* The whole frames of span i that lie in the zone; none when *count is 0. */
static void zone_frames_of(const loam_span *span, const loam_zone_config *config, uint64_t *first,
                           uint64_t *count)
{
    uint64_t lo = (span->base >> LOAM_PAGE_SHIFT) + ((span->base & (LOAM_PAGE_SIZE - 1)) != 0);
    uint64_t last = span->base + (span->len - 1); /* of a span with len > 0: never wraps */
    uint64_t hi = (last >> LOAM_PAGE_SHIFT) + ((last & (LOAM_PAGE_SIZE - 1)) == LOAM_PAGE_SIZE - 1);
    if (lo < config->first)
        lo = config->first;
    if (config->limit != 0 && hi > config->limit)
        hi = config->limit;
    *first = lo;
    *count = span->len != 0 && hi > lo ? hi - lo : 0;
}

/* The next area from span *i on; false when there is none. */
static bool zone_next_area(const loam_span *ram, size_t n, const loam_zone_config *config,
                           size_t *i, uint64_t *first, uint64_t *count)
{
    *count = 0;
    for (; *i < n; ++*i) {
        uint64_t lo, frames;
        zone_frames_of(&ram[*i], config, &lo, &frames);
        if (frames == 0)
            continue;
        if (*count == 0)
            *first = lo;
        else if (lo - (*first + *count) > ZONE_GAP)
            break;
        *count = lo + frames - *first;
    }
    return *count != 0;
}

static bool zone_spans_ascend(const loam_span *ram, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t last = ram[i].base + (ram[i].len - 1);
        if (ram[i].len == 0 || last < ram[i].base || (i + 1 < n && ram[i + 1].base <= last))
            return false;
    }
    return true;
}

static bool zone_is_good(const loam_span *ram, size_t n, const loam_zone_config *config)
{
    return ram != NULL && n != 0 && config->ncpus >= 1 && config->ncpus <= LOAM_PORT_MAX_CPUS &&
           config->area_shift >= 6 && config->area_shift <= 30 && zone_spans_ascend(ram, n);
}

/* Areas and frames of a zone, and the bytes that areas need beside their array. */
typedef struct zone_plan {
    uint64_t areas, frames, bytes;
    uint32_t live; /* queues that the zone is large enough for */
} zone_plan;

/* A queue is worth it when a processor has many blocks of its order to itself. */
static uint32_t zone_live_of(uint64_t frames, const loam_zone_config *config)
{
    uint32_t live = 0;
    for (unsigned q = 0; q < LOAM_ZONE_LIFOS && config->fronts; q++) {
        if (frames >> zone_queue_order[q] >= (uint64_t)ZONE_BLOCKS_A_CPU * config->ncpus)
            live |= 1U << q;
    }
    return live;
}

static zone_plan zone_plan_of(const loam_span *ram, size_t n, const loam_zone_config *config)
{
    zone_plan plan = {0, 0, 0, 0};
    uint64_t first, count;
    for (size_t i = 0; zone_next_area(ram, n, config, &i, &first, &count);) {
        plan.areas++;
        plan.frames += count;
        plan.bytes += zone_line(count) + loam_buddy_measure(first, count);
    }
    plan.live = zone_live_of(plan.frames, config);
    plan.bytes += zone_line(sizeof(loam_zone)) + zone_line(plan.areas * sizeof(zone_area)) +
                  (plan.live != 0 ? config->ncpus : 0) * sizeof(zone_front);
    return plan;
}

uint64_t loam_zone_measure(const loam_span *ram, size_t count, const loam_zone_config *config)
{
    if (!zone_is_good(ram, count, config))
        return 0;
    zone_plan plan = zone_plan_of(ram, count, config);
    return plan.areas == 0 ? 0 : plan.bytes;
}

static void zone_init_front(zone_front *front, uint32_t live)
{
    uint64_t *stack = front->stack;
    for (unsigned q = 0; q < LOAM_ZONE_LIFOS; q++) {
        zone_queue *queue = &front->queue[q];
        queue->order = zone_queue_order[q];
        queue->shift = (uint8_t)(zone_queue_order[q] / 6U * 6U);
        queue->most = zone_queue_cap[q];
        queue->lifo = stack;
        stack += queue->most;
    }
    loam_zone__front_uses(front, live);
}

/* Lays one area out at mem; returns the first byte behind it. */
static unsigned char *zone_init_area(zone_area *area, uint64_t first, uint64_t count,
                                     const loam_zone_config *config, unsigned char *mem)
{
    uint64_t table = zone_line(count);
    area->first = first;
    area->lock = (loam_lock)LOAM_LOCK_OF(LOAM_RANK_AREA);
    area->count = count;
    area->table = mem;
    area->reserved = count;
    loam_buddy_init(&area->buddy, first, count, config->lowest ? LOAM_BUDDY_MAX_ORDER + 1 : 9,
                    mem + table);
    return mem + table + loam_buddy_measure(first, count);
}

/* The gaps between the spans that make up an area are no RAM. */
static void zone_mark_holes(zone_area *area, const loam_span *ram, size_t n,
                            const loam_zone_config *config)
{
    uint64_t at = area->first, first, frames;
    for (size_t i = 0; i < n; i++) {
        zone_frames_of(&ram[i], config, &first, &frames);
        if (frames == 0)
            continue;
        __builtin_memset(&area->table[at - area->first], ZONE_HOLE, (size_t)(first - at));
        area->holes += first - at;
        at = first + frames;
    }
    area->reserved -= area->holes;
}

/* The reserve is kept by the area with the most frames: it is for small requests. */
static void zone_place_reserve(loam_zone *zone)
{
    zone_area *largest = &zone->area[0];
    for (uint32_t i = 1; i < zone->nareas; i++) {
        if (zone->area[i].count > largest->count)
            largest = &zone->area[i];
    }
    largest->reserve = zone->config.reserve;
}

/* A trace is to see every step, and a refusal hook every request: then nothing is kept in fronts.
 * */
static void zone_set_live(loam_zone *zone)
{
    uint64_t frames = 0;
    for (uint32_t i = 0; i < zone->nareas; i++)
        frames += zone->area[i].count;
    bool exact = zone->config.trace != NULL || zone->config.refuse != NULL;
    zone->live = exact ? 0 : zone_live_of(frames, &zone->config);
}

loam_zone *loam_zone_init(void *mem, uint64_t len, bool zeroed, const loam_span *ram, size_t count,
                          const loam_zone_config *config)
{
    unsigned char *at = mem;
    uint64_t need = loam_zone_measure(ram, count, config), first, frames;
    if (mem == NULL || need == 0 || len < need || ((uintptr_t)mem & (ZONE_LINE - 1)) != 0)
        return NULL;
    if (!zeroed)
        __builtin_memset(mem, 0, (size_t)need);
    zone_plan plan = zone_plan_of(ram, count, config);
    loam_zone *zone = (loam_zone *)mem;
    zone->config = *config;
    zone->metadata = need;
    zone->nareas = (uint32_t)plan.areas;
    zone->nfronts = plan.live != 0 ? config->ncpus : 0;
    at += zone_line(sizeof *zone);
    zone->front = (zone_front *)(void *)at;
    at += zone->nfronts * sizeof(zone_front);
    zone->area = (zone_area *)(void *)at;
    at += zone_line(plan.areas * sizeof(zone_area));
    zone_area *area = zone->area;
    for (size_t i = 0, from = 0; zone_next_area(ram, count, config, &i, &first, &frames);
         from = i) {
        at = zone_init_area(area, first, frames, config, at);
        zone_mark_holes(area++, ram + from, i - from, config);
    }
    zone_place_reserve(zone);
    zone_set_live(zone);
    for (uint32_t i = 0; i < zone->nfronts; i++)
        zone_init_front(&zone->front[i], zone->live);
    return zone;
}

void loam_zone_set_trace(loam_zone *zone, loam_trace *trace)
{
    zone->config.trace = trace;
    zone_set_live(zone);
    loam_zone_drain_all(zone);
}

const loam_zone_config *loam_zone_config_of(const loam_zone *zone)
{
    return &zone->config;
}

void *loam_zone_to_va(const loam_zone *zone, loam_pfn pfn)
{
    const loam_linear *linear = &zone->config.linear;
    uint64_t offset = loam_pfn_to_pa(pfn).v - linear->pa;
    bool whole = offset < linear->len && linear->len - offset >= LOAM_PAGE_SIZE;
    return whole && pfn.v >> (64 - LOAM_PAGE_SHIFT) == 0 ? linear->va + offset : NULL;
}

void loam_zone__zero(const loam_zone *zone, uint64_t first, uint64_t frames)
{
    const loam_linear *linear = &zone->config.linear;
    uint64_t lo = first << LOAM_PAGE_SHIFT, last = lo + ((frames << LOAM_PAGE_SHIFT) - 1);
    if (lo < linear->pa)
        lo = linear->pa;
    if (linear->len != 0 && last > linear->pa + (linear->len - 1))
        last = linear->pa + (linear->len - 1);
    if (linear->len != 0 && lo <= last)
        __builtin_memset(linear->va + (lo - linear->pa), 0, (size_t)(last - lo + 1));
}

/* ---- frames that come and go for good ---- */

static bool zone_all_reserved(const uint8_t *at, uint64_t count)
{
    _Static_assert(ZONE_RESERVED == 0, "reserved bytes are compared as a word of 0");
    const uint8_t *end = at + count;
    uint64_t eight, seen = 0;
    for (; end - at >= 8; at += 8) {
        __builtin_memcpy(&eight, at, 8);
        seen |= eight;
    }
    for (; at < end; at++)
        seen |= *at;
    return seen == 0;
}

/* Lock held. Makes reserved frames plain, all or none. At boot this is the pass over the table: a
 * page of it is read and written while it is in the cache. */
static bool zone_make_plain(zone_area *area, uint64_t first, uint64_t count)
{
    uint8_t *table = &area->table[first - area->first];
    for (uint64_t done = 0, n; done < count; done += n) {
        n = count - done < LOAM_PAGE_SIZE ? count - done : LOAM_PAGE_SIZE;
        if (!zone_all_reserved(table + done, n)) {
            __builtin_memset(table, ZONE_RESERVED, (size_t)done);
            return false;
        }
        __builtin_memset(table + done, ZONE_PLAIN, (size_t)n);
    }
    return true;
}

loam_err loam_zone_add(void *ctx, loam_pfn first, uint64_t count)
{
    loam_zone *zone = ctx;
    zone_area *area = loam_zone__area(zone, first.v);
    if (count == 0)
        return LOAM_OK;
    if (!zone_holds(area, first.v, count))
        return LOAM_EINVAL;
    loam_irq irq = zone_area_lock(area);
    bool plain = zone_make_plain(area, first.v, count);
    loam_err err = plain ? loam_buddy_free_range(&area->buddy, first.v, count) : LOAM_EBUSY;
    if (plain && err != LOAM_OK)
        __builtin_memset(&area->table[first.v - area->first], ZONE_RESERVED, (size_t)count);
    if (err == LOAM_OK) {
        area->reserved -= count;
        area->low_water = ~0ULL;          /* starts again from here */
        loam_atomic_add(&zone->frees, 1); /* pairs with the loads in loam_zone__take_surely */
    }
    zone_area_unlock(area, irq);
    return err;
}

loam_err loam_zone_reserve(loam_zone *zone, loam_pfn first, uint64_t count)
{
    loam_zone_drain(zone);
    zone_area *area = loam_zone__area(zone, first.v);
    if (count == 0)
        return LOAM_OK;
    if (!zone_holds(area, first.v, count))
        return LOAM_EINVAL;
    loam_irq irq = zone_area_lock(area);
    bool done = loam_zone__take_frames(area, first.v, count);
    if (done) {
        __builtin_memset(&area->table[first.v - area->first], ZONE_RESERVED, (size_t)count);
        area->reserved += count;
    }
    zone_area_unlock(area, irq);
    return done ? LOAM_OK : LOAM_EBUSY;
}
