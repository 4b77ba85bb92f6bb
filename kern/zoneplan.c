/* SPDX-License-Identifier: MIT */
/* zoneplan.c - which zones there are.
 *
 *     kinds        dma |          dma32            |               normal
 *     nodes        [ 0 |            0         ][ 1 |          1          ][       0       ]
 *     zones        0dma|         0dma32       1dma32       1normal            0normal
 *
 *     a processor of node 1 tries   1normal  1dma32  0normal  0dma32  0dma
 *
 * A node's memory may lie in several runs; a zone takes all of them that are of its kind. A zone in
 * which there is no RAM does not exist.
 */
#include "zoneplan.h"
#include "kern.h"

enum { PIECES = LOAM_BOOTINFO_RAM + LOAM_BOOTINFO_RUNS };

static loam_span piece[PIECES];

static unsigned joined(const zone_plans *plans, uint32_t node)
{
    return node < plans->nodes ? node : plans->nodes - 1;
}

/* One past the last byte of a run; 0 for 2^64. */
static uint64_t run_end(const loam_bootinfo *info, size_t r)
{
    return r + 1 < info->run_count ? info->run[r + 1].base : 0;
}

static uint64_t lower(uint64_t end, uint64_t other) /* of two ends; 0 is 2^64 */
{
    return end - 1 < other - 1 ? end : other;
}

/* Adds [base, end) to the n pieces; false: there are too many. */
static bool add_piece(size_t *n, uint64_t base, uint64_t end)
{
    if (*n > 0 && piece[*n - 1].base + piece[*n - 1].len == base) {
        piece[*n - 1].len += end - base;
        return true;
    }
    if (*n == PIECES)
        return false;
    piece[(*n)++] = (loam_span){base, end - base};
    return true;
}

/* A span of RAM, as far as it is the plan's. */
static bool add_span(const zone_plans *plans, const zone_plan *plan, const loam_span *ram,
                     size_t *n)
{
    const loam_bootinfo *info = &kern_this.bootinfo;
    const loam_span *kind = &plan->kind->span;
    bool fits = true;
    for (size_t r = 0; r < info->run_count && fits; r++) {
        uint64_t base = info->run[r].base;
        uint64_t end = lower(run_end(info, r), lower(ram->base + ram->len, kind->base + kind->len));
        if (base < ram->base)
            base = ram->base;
        if (base < kind->base)
            base = kind->base;
        if (joined(plans, info->run[r].node) == plan->node && base < end)
            fits = add_piece(n, base, end);
    }
    return fits;
}

static bool gather(const zone_plans *plans, const zone_plan *plan, size_t *n)
{
    const loam_spanset *ram = &kern_this.map.ram;
    bool fits = true;
    *n = 0;
    for (size_t i = 0; i < ram->count && fits; i++)
        fits = add_span(plans, plan, &ram->span[i], n);
    return fits;
}

const loam_span *zoneplan_ram(const zone_plans *plans, const zone_plan *plan, size_t *count)
{
    (void)gather(plans, plan, count);
    return piece;
}

static void name_of(const zone_plans *plans, zone_plan *plan)
{
    loam_text t;
    loam_text_init(&t, plan->name, sizeof(plan->name));
    if (plans->nodes > 1)
        loam_text_fmt(&t, "node%u-%s", plan->node, plan->kind->name);
    else
        loam_text_str(&t, plan->kind->name);
}

/* A zone reaches no further than its RAM, so that what grows with its addresses does not grow with
 * those that there might have been. */
static void bounds_of(const zone_plans *plans, zone_plan *plan, size_t pieces)
{
    uint64_t base = plans->nodes > 1 ? piece[0].base : plan->kind->span.base;
    uint64_t end = piece[pieces - 1].base + piece[pieces - 1].len;
    plan->first = base >> LOAM_PAGE_SHIFT;
    plan->limit = loam_align_up(end, LOAM_PAGE_SIZE) >> LOAM_PAGE_SHIFT;
}

typedef uint64_t measure_fn(const zone_plan *plan, const loam_span *ram, size_t count);

/* Plans with this many nodes. How many zones they are may be more than there is room for: those are
 * counted alone. false: too many pieces. */
static bool plan_with(zone_plans *plans, unsigned nodes, measure_fn *measure)
{
    size_t kinds = board_this.zone_count, pieces;
    plans->count = 0;
    plans->nodes = nodes;
    for (size_t i = 0; i < kinds * nodes; i++) {
        zone_plan plan = {.kind = &board_this.zones[i / nodes], .node = (unsigned)(i % nodes)};
        if (!gather(plans, &plan, &pieces))
            return false;
        if (pieces == 0)
            continue;
        name_of(plans, &plan);
        bounds_of(plans, &plan, pieces);
        plan.len = loam_align_up(measure(&plan, piece, pieces), LOAM_PAGE_SIZE);
        if (plan.len == 0)
            continue;
        if (plans->count < LOAM_ZONE_LISTS)
            plans->plan[plans->count] = plan;
        plans->count++;
    }
    return true;
}

bool zoneplan_make(zone_plans *plans, measure_fn *measure)
{
    unsigned nodes = kern_this.bootinfo.node_count;
    _Static_assert((unsigned)BOARD_ZONES <= (unsigned)LOAM_ZONE_LISTS, "one node always fits");
    plans->named = nodes;
    while (plan_with(plans, nodes, measure)) {
        if (plans->count <= LOAM_ZONE_LISTS)
            return true;
        nodes--;
    }
    return false;
}

unsigned zoneplan_node_of_cpu(const zone_plans *plans, unsigned cpu)
{
    const loam_bootinfo *info = &kern_this.bootinfo;
    bool known = cpu < info->cpu_count && cpu < LOAM_BOOTINFO_CPUS;
    return known ? joined(plans, info->cpu[cpu].node) : 0;
}

/* Smaller is tried first. */
static unsigned rank_of(const zone_plan *plan, unsigned from)
{
    unsigned kind = (unsigned)(plan->kind - board_this.zones);
    unsigned far = kern_this.bootinfo.distance[from][plan->node];
    bool last = kind == 0 && board_this.zone_count > 1;
    return (unsigned)last << 16 | far << 8 | (BOARD_ZONES - kind);
}

void zoneplan_list(const zone_plans *plans, unsigned node, loam_zonelist *list)
{
    const zone_plan *order[LOAM_ZONE_LISTS];
    list->count = 0;
    for (unsigned i = 0; i < plans->count; i++) {
        unsigned at = i;
        for (; at > 0 && rank_of(order[at - 1], node) > rank_of(&plans->plan[i], node); at--)
            order[at] = order[at - 1];
        order[at] = &plans->plan[i];
    }
    for (unsigned i = 0; i < plans->count; i++)
        (void)loam_zonelist_add_zone(list, order[i]->zone);
}
