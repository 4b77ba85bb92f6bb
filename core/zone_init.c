/* SPDX-License-Identifier: MIT */
/* zone_init.c - a zone's metadata: how much, and laid out how.
 *
 * WHAT   Turns spans of RAM into runs and areas, and one piece of memory into everything that the
 *        zone knows.
 * MODEL  Spans whose gap is small share a run: a gap of 1024 frames costs less than a run of its
 *        own. A run is cut at the multiples of 2^area_shift.
 *
 *            RAM     [====) [==========)                    [=====)
 *            runs    [run 0            )                    [run 1)
 *            areas   [area 0   |area 1 )                    [area 2)
 *            memory  | zone | fronts | areas | runs | sections | top level |
 *                    | table 0 | table 1 | buddy 0 | buddy 1 | buddy 2 |
 *
 *        Zeroed metadata says that every frame is reserved; so a zone starts with no pass over its
 *        table, and the hand-over writes each byte once. 64 frames in a row that begin at a
 *        multiple of 64 have their bytes in one line, as they have their bits in one word: what
 *        one front takes shares no line with what another does.
 * RULES  Z1, Z8 (zone.c)
 * LOCKS  None: nobody else knows the zone yet.
 * COST   O(spans + areas)
 * FROM   -
 * NOT    The hand-over: zone_add.c.
 */
#include "zone_impl.h"

enum {
    ZONE_GAP = 1024,
    ZONE_LINE = 64,
    ZONE_BLOCKS_A_CPU = 256,
    ZONE_SECTIONS_MORE = 16, /* the table may be this much larger than four entries an area */
    ZONE_SHIFT_LEAST = 6,
    ZONE_SHIFT_MOST = 30
};

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

/* The next run from span *i on; false when there is none. */
static bool zone_next_run(const loam_span *ram, size_t n, const loam_zone_config *config, size_t *i,
                          uint64_t *first, uint64_t *count)
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
           config->area_shift >= ZONE_SHIFT_LEAST && config->area_shift <= ZONE_SHIFT_MOST &&
           zone_spans_ascend(ram, n);
}

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

/* The area that starts at this frame of a run that ends before `end`: how many frames. */
static uint64_t zone_area_len(const loam_zone_config *config, uint64_t first, uint64_t end)
{
    uint64_t cut = (first | loam_mask64(config->area_shift)) + 1; /* 0 only beyond 2^64 */
    return (cut != 0 && cut < end ? cut : end) - first;
}

/* Areas and frames of a zone, and the bytes that they need. */
typedef struct zone_plan {
    uint64_t runs, areas, frames;
    uint64_t tables, buddies; /* bytes */
    uint64_t first, last;     /* frames */
    uint64_t full;            /* areas of 2^area_shift frames */
    uint64_t units;           /* numbers in the top level */
    uint64_t sections;
    unsigned section_shift;
    uint32_t live; /* queues that the zone is large enough for */
} zone_plan;

/* The numbers of `full` areas in a row of which the first is section s: congruent to the sections
 * as far as their largest block is aligned, and one number that is no area is left before them. */
static uint64_t zone_units_from(uint64_t units, uint64_t s, uint64_t full)
{
    uint64_t align = 1ULL << loam_log2_floor(full);
    uint64_t least = units == 0 ? 0 : units + 1;
    return least + ((s - least) & (align - 1));
}

/* Full areas of a run, from section *s on. */
static uint64_t zone_full_of(const loam_zone_config *config, uint64_t first, uint64_t count,
                             uint64_t *s)
{
    uint64_t hi = (first + count) >> config->area_shift;
    *s = (first + loam_mask64(config->area_shift)) >> config->area_shift;
    return hi > *s ? hi - *s : 0;
}

/* Areas of [first, end), at most two. */
static void zone_plan_areas(zone_plan *plan, const loam_zone_config *config, uint64_t first,
                            uint64_t end)
{
    for (uint64_t len; first < end; first += len) {
        len = zone_area_len(config, first, end);
        plan->areas++;
        plan->buddies += loam_buddy_measure(first, len);
    }
}

/* Full areas all need the same: however many there are, they are counted at once. */
static void zone_plan_run(zone_plan *plan, const loam_zone_config *config, uint64_t first,
                          uint64_t count)
{
    uint64_t s, full = zone_full_of(config, first, count, &s), end = first + count;
    if (plan->runs++ == 0)
        plan->first = first;
    plan->last = end - 1;
    plan->frames += count;
    plan->tables += zone_line((first & (ZONE_LINE - 1)) + count);
    if (full == 0) {
        zone_plan_areas(plan, config, first, end);
        return;
    }
    uint64_t from = s << config->area_shift, to = (s + full) << config->area_shift;
    zone_plan_areas(plan, config, first, from);
    zone_plan_areas(plan, config, to, end);
    plan->areas += full;
    plan->buddies += full * loam_buddy_measure(from, 1ULL << config->area_shift);
    plan->units = zone_units_from(plan->units, s, full) + full;
    plan->full += full;
}

/* As many sections as the zone has areas, or nearly: where there is little RAM in much space,
 * sections are larger. */
static void zone_plan_sections(zone_plan *plan, const loam_zone_config *config)
{
    plan->section_shift = config->area_shift;
    do {
        plan->sections =
            (plan->last >> plan->section_shift) - (plan->first >> plan->section_shift) + 1;
    } while (plan->sections > 4 * plan->areas + ZONE_SECTIONS_MORE && ++plan->section_shift != 0);
}

static uint64_t zone_top_bytes(const zone_plan *plan)
{
    return plan->full < 2
               ? 0
               : zone_line(sizeof(zone_top)) + zone_line(plan->units * sizeof(uint32_t)) +
                     loam_buddy_measure(0, plan->units);
}

static uint64_t zone_plan_bytes(const zone_plan *plan, const loam_zone_config *config)
{
    return sizeof(loam_zone) + (plan->live != 0 ? config->ncpus : 0) * sizeof(zone_front) +
           plan->areas * sizeof(zone_area) + zone_line(plan->runs * sizeof(zone_run)) +
           zone_line((plan->sections + 1) * sizeof(uint32_t)) + zone_top_bytes(plan) +
           plan->tables + plan->buddies;
}

/* Returns the bytes that the zone needs; 0: what measure says 0 to. */
static LOAM_NOINLINE uint64_t zone_plan_of(const loam_span *ram, size_t n,
                                           const loam_zone_config *config, zone_plan *plan)
{
    uint64_t first, count;
    *plan = (zone_plan){.runs = 0};
    if (!zone_is_good(ram, n, config))
        return 0;
    for (size_t i = 0; zone_next_run(ram, n, config, &i, &first, &count);)
        zone_plan_run(plan, config, first, count);
    if (plan->areas == 0 || plan->areas >= ZONE_NO_UNIT)
        return 0;
    plan->live = zone_live_of(plan->frames, config);
    zone_plan_sections(plan, config);
    return zone_plan_bytes(plan, config);
}

uint64_t loam_zone_measure(const loam_span *ram, size_t count, const loam_zone_config *config)
{
    zone_plan plan;
    return zone_plan_of(ram, count, config, &plan);
}

/* ---- laying it out ---- */

/* Bytes from the front of what is left, to the next line. */
static void *zone_cut(unsigned char **mem, uint64_t bytes)
{
    unsigned char *at = *mem;
    *mem += zone_line(bytes);
    return at;
}

static void zone_init_front(zone_front *front, uint32_t home)
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
    loam_atomic_store(&front->home, home);              /* no order: nobody knows the zone */
    loam_atomic_store(&front->state, ZONE_FRONT_EMPTY); /* no order: the same */
}

/* The areas of a run, from index i on; returns the index behind the last. */
static uint32_t zone_init_areas(loam_zone *zone, uint32_t r, uint32_t i, unsigned char **mem)
{
    const zone_run *run = &zone->run[r];
    const loam_zone_config *config = &zone->config;
    uint64_t end = run->first + run->count;
    for (uint64_t at = run->first; at < end; i++) {
        zone_area *area = &zone->area[i];
        uint64_t len = zone_area_len(config, at, end);
        area->first = at;
        area->count = area->reserved = len;
        area->table = run->table + (at - run->first);
        area->lock = (loam_lock)LOAM_LOCK_OF(LOAM_RANK_AREA);
        area->run = r;
        area->unit = ZONE_NO_UNIT;
        loam_buddy_init(&area->buddy, at, len, config->lowest ? LOAM_BUDDY_MAX_ORDER + 1 : 9,
                        zone_cut(mem, loam_buddy_measure(at, len)));
        at += len;
    }
    return i;
}

/* The gaps between the spans that make up a run are no RAM. */
static void zone_mark_holes(loam_zone *zone, zone_area *area, const loam_span *ram, size_t n)
{
    uint64_t at = area->first, first, frames;
    for (size_t i = 0; i < n; i++) {
        zone_frames_of(&ram[i], &zone->config, &first, &frames);
        while (frames != 0 && at < first) {
            while (at - area->first >= area->count)
                area++;
            uint64_t left = area->count - (at - area->first);
            uint64_t gap = first - at < left ? first - at : left;
            __builtin_memset(&area->table[at - area->first], ZONE_HOLE, (size_t)gap);
            area->holes += gap;
            zone->run[area->run].holes += gap;
            area->reserved -= gap;
            at += gap;
        }
        if (frames != 0)
            at = first + frames;
    }
}

/* Runs, their tables, their areas and the holes in them. */
static LOAM_NOINLINE void zone_init_runs(loam_zone *zone, const loam_span *ram, size_t count,
                                         unsigned char **mem)
{
    uint64_t first, frames;
    uint32_t r = 0, a = 0;
    for (size_t i = 0; zone_next_run(ram, count, &zone->config, &i, &first, &frames); r++) {
        uint64_t skip = first & (ZONE_LINE - 1);
        uint8_t *table = zone_cut(mem, skip + frames);
        zone->run[r] = (zone_run){.first = first, .count = frames, .table = table + skip};
    }
    r = 0;
    for (size_t i = 0, from = 0; zone_next_run(ram, count, &zone->config, &i, &first, &frames);
         from = i, r++) {
        uint32_t next = zone_init_areas(zone, r, a, mem);
        zone_mark_holes(zone, &zone->area[a], ram + from, i - from);
        a = next;
    }
}

static void zone_init_sections(loam_zone *zone)
{
    uint32_t i = 0;
    for (uint64_t s = 0; s < zone->sections; s++) {
        uint64_t start = (zone->section_first + s) << zone->section_shift;
        while (i < zone->nareas && zone->area[i].first + zone->area[i].count <= start)
            i++;
        zone->section[s] = i;
    }
    zone->section[zone->sections] = zone->nareas;
}

/* The reserve is kept by the area with the most frames that no other can join, if it is large
 * enough; else by the last areas, which are no part of the top level then. */
static void zone_place_reserve(loam_zone *zone)
{
    uint64_t left = zone->config.reserve, full = 1ULL << zone->config.area_shift;
    zone_area *best = NULL;
    for (uint32_t i = 0; i < zone->nareas; i++) {
        zone_area *area = &zone->area[i];
        if ((area->count < full || zone->top == NULL) &&
            (best == NULL || area->count > best->count))
            best = area;
    }
    if (best != NULL && (best->count >= left || zone->nareas == 1)) {
        best->reserve = left;
        return;
    }
    for (uint32_t i = zone->nareas; i-- > 0 && left != 0;) {
        zone->area[i].reserve = left < zone->area[i].count ? left : zone->area[i].count;
        left -= zone->area[i].reserve;
    }
}

/* Numbers the areas that can be whole. */
static LOAM_NOINLINE void zone_init_top(loam_zone *zone, const zone_plan *plan, unsigned char **mem)
{
    const loam_zone_config *config = &zone->config;
    uint64_t units = 0, s, full;
    zone_top *top = zone->top;
    top->lock = (loam_lock)LOAM_LOCK_OF(LOAM_RANK_TOP);
    top->area_of = zone_cut(mem, plan->units * sizeof(uint32_t));
    loam_buddy_init(&top->buddy, 0, plan->units, config->lowest ? LOAM_BUDDY_MAX_ORDER + 1 : 0,
                    zone_cut(mem, loam_buddy_measure(0, plan->units)));
    for (uint32_t i = 0; i < zone->nareas;) {
        const zone_run *run = zone_run_of(zone, &zone->area[i]);
        full = zone_full_of(config, run->first, run->count, &s);
        i += zone->area[i].first >> config->area_shift != s; /* cut short by the run's start */
        units = full != 0 ? zone_units_from(units, s, full) : units;
        for (uint64_t n = 0; n < full; n++, i++, units++) {
            top->area_of[units] = i;
            if (zone->area[i].reserve == 0)
                zone->area[i].unit = (uint32_t)units;
            else
                zone->piece_max = config->area_shift;
        }
        while (i < zone->nareas && zone_run_of(zone, &zone->area[i]) == run)
            i++;
    }
}

/* A refusal hook is to see every request: then nothing is kept in fronts. */
static void zone_set_live(loam_zone *zone, const zone_plan *plan)
{
    zone->live = zone->config.refuse != NULL ? 0 : plan->live;
}

static void zone_init_parts(loam_zone *zone, const zone_plan *plan, unsigned char **mem)
{
    zone->nruns = (uint32_t)plan->runs;
    zone->nareas = (uint32_t)plan->areas;
    zone->nfronts = plan->live != 0 ? zone->config.ncpus : 0;
    zone->piece_max = ZONE_PIECE_MAX;
    zone->sections = plan->sections;
    zone->section_shift = plan->section_shift;
    zone->section_first = plan->first >> plan->section_shift;
    zone->front = zone_cut(mem, zone->nfronts * sizeof(zone_front));
    zone->area = zone_cut(mem, plan->areas * sizeof(zone_area));
    zone->run = zone_cut(mem, plan->runs * sizeof(zone_run));
    zone->section = zone_cut(mem, (plan->sections + 1) * sizeof(uint32_t));
    zone->top = plan->full >= 2 ? zone_cut(mem, sizeof(zone_top)) : NULL;
}

/* Fronts start at areas of their own, if there are enough. */
static void zone_init_fronts(loam_zone *zone)
{
    uint32_t apart = zone->nareas / (zone->nfronts != 0 ? zone->nfronts : 1);
    for (uint32_t i = 0; i < zone->nfronts; i++)
        zone_init_front(&zone->front[i], apart != 0 ? i * apart : i % zone->nareas);
}

loam_zone *loam_zone_init(void *mem, uint64_t len, bool zeroed, const loam_span *ram, size_t count,
                          const loam_zone_config *config)
{
    unsigned char *at = mem;
    zone_plan plan;
    uint64_t need = zone_plan_of(ram, count, config, &plan);
    if (mem == NULL || need == 0 || len < need || ((uintptr_t)mem & (ZONE_LINE - 1)) != 0)
        return NULL;
    if (!zeroed)
        __builtin_memset(mem, 0, (size_t)need);
    loam_zone *zone = zone_cut(&at, sizeof(loam_zone));
    zone->config = *config;
    zone->metadata = need;
    zone_init_parts(zone, &plan, &at);
    zone_init_runs(zone, ram, count, &at);
    zone_init_sections(zone);
    zone_place_reserve(zone);
    if (zone->top != NULL)
        zone_init_top(zone, &plan, &at);
    zone_set_live(zone, &plan);
    zone_init_fronts(zone);
    return zone;
}

void loam_zone_set_trace(loam_zone *zone, loam_trace *trace)
{
    zone->config.trace = trace;
    loam_zone_drain(zone);
    loam_zone__ask_drain(zone);
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
