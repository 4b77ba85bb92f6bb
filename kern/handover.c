/* SPDX-License-Identifier: MIT */
/* handover.c - from the boot map to kmalloc.
 *
 *     board.zones        dma          low                         high
 *     RAM            [==========|================================|=================)
 *                     16 MiB     256 MiB                          4 GiB      on a PC
 *                    [========= mapped: has an address ==========]
 *
 *     kern_this.zones    all of them, as processor 0 tries them (zoneplan.c): pages for anybody
 *     kern_this.local[n] all of them, as processors of node n try them
 *     kern_this.mapped   those with addresses, in the order of zones: page tables
 *     kern_this.zone     the largest of these: slab and kmalloc stand on it, and when it has no
 *                        frames, on the others of kern_this.mapped
 *
 * Each zone has a front for each processor that may come, and so has the object layer.
 */
#include "arch.h"
#include "board.h"
#include "console.h"
#include "kern.h"
#include "loam/port.h"
#include "paging.h"
#include "smp.h"
#include "startup.h"
#include "zoneplan.h"

enum {
    LEAST_FREE = 256,        /* frames that a map must leave for this kernel to be of any use */
    CHECKED_FRAMES = 1 << 21 /* up to 8 GiB all rules are checked at boot */
};

static zone_plans plans;
static loam_span trace_rings; /* their place */

static bool shrink_slabs(void *ctx, loam_zone *zone, unsigned order)
{
    uint64_t before = loam_zone_free_pages(zone);
    (void)ctx;
    (void)order;
    if (kern_this.slabs == NULL)
        return false;
    loam_slabs_shrink(kern_this.slabs);
    return loam_zone_free_pages(zone) > before;
}

static loam_zone_config zone_config(const zone_plan *plan)
{
    loam_zone_config config;
    loam_zone_config_init(&config);
    config.name = plan->name;
    config.first = plan->first;
    config.limit = plan->limit;
    config.node = plan->node;
    config.ncpus = smp_count();
    if (plan->kind->mapped)
        config.linear = board_this.mapped;
    config.trace = &kern_this.trace;
    config.trace_max_order = KERN_VIEW_ORDER;
    config.shrink = shrink_slabs;
    config.wait = smp_wait_for_duties;
    return config;
}

static uint64_t measure_zone(const zone_plan *plan, const loam_span *ram, size_t count)
{
    loam_zone_config config = zone_config(plan);
    return loam_zone_measure(ram, count, &config);
}

static bool take_from(uint64_t first, uint64_t len, loam_pa *at)
{
    const loam_linear *mapped = &board_this.mapped;
    return loam_memblock_alloc(&kern_this.map, len, LOAM_PAGE_SIZE, loam_pa_of(first),
                               loam_pa_of(mapped->pa + mapped->len), LOAM_MEMBLOCK_BOTTOM_UP,
                               at) == LOAM_OK;
}

/* The lowest zone is for devices that reach no other memory: metadata lies above it, if it can. */
static bool take(uint64_t len, loam_pa *at)
{
    uint64_t above = board_this.zone_count > 1 ? board_this.zones[1].span.base : 0;
    return (above != 0 && board_this.zones[1].mapped && take_from(above, len, at)) ||
           take_from(board_this.mapped.pa, len, at);
}

/* A zone's metadata, on its own node where there are several. */
static bool take_near(zone_plan *plan)
{
    uint64_t first = plan->first << LOAM_PAGE_SHIFT;
    loam_pa limit = loam_pa_of(plan->limit << LOAM_PAGE_SHIFT);
    return (plans.nodes > 1 && plan->kind->mapped &&
            loam_memblock_alloc(&kern_this.map, plan->len, LOAM_PAGE_SIZE, loam_pa_of(first), limit,
                                LOAM_MEMBLOCK_BOTTOM_UP, &plan->at) == LOAM_OK) ||
           take(plan->len, &plan->at);
}

static bool some_mapped(void)
{
    for (unsigned i = 0; i < plans.count; i++)
        if (plans.plan[i].kind->mapped)
            return true;
    return false;
}

bool handover_measure(void)
{
    uint64_t rings = (uint64_t)smp_count() * KERN_TRACE_EVENTS * sizeof(loam_trace_event);
    loam_memblock_sum sum;
    loam_pa at;
    loam_memblock_count(&kern_this.map, &sum);
    if (sum.free < LEAST_FREE || !zoneplan_make(&plans, measure_zone) || !some_mapped())
        return false;
    for (unsigned i = 0; i < plans.count; i++)
        if (!take_near(&plans.plan[i]))
            return false;
    if (!take(rings, &at))
        return false;
    trace_rings = (loam_span){at.v, rings};
    return true;
}

static void log_metadata(void)
{
    for (unsigned i = 0; i < plans.count; i++) {
        const zone_plan *plan = &plans.plan[i];
        char note[64];
        loam_text t;
        loam_text_init(&t, note, sizeof(note));
        loam_text_fmt(&t,
                      board_this.zone_count == 1 && plans.nodes == 1 ? "page allocator"
                                                                     : "page allocator, zone %s",
                      plan->name);
        startup_log_span("metadata:", (loam_span){plan->at.v, plan->len}, note);
    }
    startup_log_span("metadata:", trace_rings, "trace ring");
    if (plans.named > plans.nodes)
        klog("memory nodes: %u are named, zones are for %u: nodes from %u on count as one",
             plans.named, plans.nodes, plans.nodes - 1);
}

/* ---- the hand-over ---- */

static void make_zone(zone_plan *plan)
{
    loam_zone_config config = zone_config(plan);
    size_t count;
    const loam_span *ram = zoneplan_ram(&plans, plan, &count);
    plan->zone = loam_zone_init(virt_of(plan->at), plan->len, false, ram, count, &config);
    if (plan->zone == NULL)
        kpanic("zone %s refuses its metadata", config.name);
}

static bool is_mapped(const loam_zone *zone)
{
    return loam_zone_config_of(zone)->linear.len != 0;
}

static void make_zones(void)
{
    kern *k = &kern_this;
    for (unsigned i = 0; i < plans.count; i++)
        make_zone(&plans.plan[i]);
    for (unsigned n = 0; n < plans.nodes; n++)
        zoneplan_list(&plans, n, &k->local[n]);
    k->zones = k->local[zoneplan_node_of_cpu(&plans, 0)];
    for (unsigned i = 0; i < k->zones.count; i++)
        if (is_mapped(k->zones.zone[i]))
            (void)loam_zonelist_add_zone(&k->mapped, k->zones.zone[i]);
}

loam_zonelist *kern_zones_here(void)
{
    return &kern_this.local[zoneplan_node_of_cpu(&plans, loam_port_cpu())];
}

unsigned kern_node_of_cpu(unsigned cpu)
{
    return zoneplan_node_of_cpu(&plans, cpu);
}

/* How long it took, in ticks; the lines about it do not count. */
static uint64_t making, giving;

static loam_err give(void *zones, loam_pfn first, uint64_t count)
{
    klog("hand over: frames [0x%X, 0x%X), %U pages", first.v, first.v + count, count);
    uint64_t start = loam_port_ticks();
    loam_err err = loam_zonelist_give(zones, first, count);
    giving += loam_port_ticks() - start;
    return err;
}

static uint64_t microseconds(uint64_t ticks)
{
    uint64_t hz = arch_ticks_hz();
    return ticks / hz * 1000000 + ticks % hz * 1000000 / hz;
}

static void log_cost(void)
{
    const kern *k = &kern_this;
    uint64_t bytes = 0;
    for (unsigned i = 0; i < plans.count; i++)
        bytes += plans.plan[i].len;
    klog("hand over: %U us to make the zones, %U us to give the frames", microseconds(making),
         microseconds(giving));
    klog("metadata: %U bytes for %U pages, %U thousandths of a byte each", bytes, k->sum.total,
         bytes * 1000 / k->sum.total);
}

/* The zone for slabs: they need addresses, and as much as there is. */
static loam_zone *largest_mapped(void)
{
    loam_zone *best = kern_this.mapped.zone[0];
    for (unsigned i = 1; i < kern_this.mapped.count; i++)
        if (loam_zone_free_pages(kern_this.mapped.zone[i]) > loam_zone_free_pages(best))
            best = kern_this.mapped.zone[i];
    return best;
}

static void hand_over(void)
{
    kern *k = &kern_this;
    loam_err err = loam_memblock_handover(&k->map, give, &k->zones);
    if (err != LOAM_OK)
        kpanic("hand-over: %s", loam_err_name(err));
    loam_memblock_count(&k->map, &k->sum);
    kprintf("frames: %U = %U free + %U held + %U metadata\n", k->sum.total, k->sum.free,
            k->sum.held, k->sum.metadata);
    klog("partial pages at the edges of RAM: %U bytes, not used", k->sum.edge_bytes);
    if (k->sum.total != k->sum.free + k->sum.held + k->sum.metadata ||
        k->sum.free != kern_free_pages())
        kpanic("the zones count %U free frames, the map %U", kern_free_pages(), k->sum.free);
    k->zone = largest_mapped();
}

static void log_zones(void)
{
    for (unsigned i = 0; i < plans.count && plans.count > 1; i++)
        klog("zone %s: %U pages free%s", plans.plan[i].name,
             loam_zone_free_pages(plans.plan[i].zone),
             plans.plan[i].zone == kern_this.zone ? "; kmalloc stands on it" : "");
}

static uint64_t free_of_node(unsigned node)
{
    uint64_t pages = 0;
    for (unsigned i = 0; i < plans.count; i++)
        if (plans.plan[i].node == node)
            pages += loam_zone_free_pages(plans.plan[i].zone);
    return pages;
}

/* "node 1: 16384 pages free, processors 2 3, distances 20 10"; nothing where there is one. */
static void log_nodes(void)
{
    for (unsigned n = 0; n < plans.nodes && plans.nodes > 1; n++) {
        char line[192];
        loam_text t;
        loam_text_init(&t, line, sizeof(line));
        loam_text_fmt(&t, "node %u: %U pages free, processors", n, free_of_node(n));
        for (unsigned c = 0; c < smp_count(); c++)
            if (zoneplan_node_of_cpu(&plans, c) == n)
                loam_text_fmt(&t, " %u", c);
        loam_text_str(&t, ", distances");
        for (unsigned to = 0; to < plans.nodes; to++)
            loam_text_fmt(&t, " %u", kern_this.bootinfo.distance[n][to]);
        klog("%s", line);
    }
}

void kern_trace_lines(bool on)
{
    loam_trace_set_on(&kern_this.trace, on);
    for (unsigned i = 0; i < kern_this.zones.count; i++)
        loam_zone_set_trace(kern_this.zones.zone[i], &kern_this.trace);
}

static void print_line(void *ctx, const char *text)
{
    (void)ctx;
    kprintf("    %s\n", text);
}

loam_policy kern_misuse_default(bool in_shell)
{
    switch (kern_this.options.misuse) {
    case MISUSE_PANIC:
        return loam_port_set_policy(LOAM_POLICY_PANIC);
    case MISUSE_REPORT:
        return loam_port_set_policy(LOAM_POLICY_REPORT);
    default:
        return loam_port_set_policy(in_shell ? LOAM_POLICY_REPORT : LOAM_POLICY_PANIC);
    }
}

void startup_memory(void)
{
    kern *k = &kern_this;
    static loam_trace_lines lines = {print_line, NULL};

    (void)kern_misuse_default(false);
    startup_map();
    if (board_this.map_ram != NULL)
        board_this.map_ram();
    log_metadata();
    if (loam_trace_init(&k->trace, smp_count(), KERN_TRACE_EVENTS,
                        virt_of(loam_pa_of(trace_rings.base))) != LOAM_OK)
        kpanic("the trace ring cannot be made");
    loam_trace_set_sink(&k->trace, loam_trace_sink_lines, &lines);
    loam_trace_set_on(&k->trace, k->options.trace);
    making = loam_port_ticks();
    make_zones();
    making = loam_port_ticks() - making;
    hand_over();
    log_cost();
    log_zones();
    log_nodes();
}

/* Every rule, unless there is so much memory that looking at all of it would be most of the boot:
 * the word `check` does it then. */
static void check_rules(void)
{
    const char *broken = kern_this.sum.total <= CHECKED_FRAMES ? kern_check() : NULL;
    if (broken != NULL)
        kpanic("after the boot a rule is broken: %s", broken);
    if (kern_this.sum.total > CHECKED_FRAMES)
        klog("rules: not checked at boot, %U pages are many", kern_this.sum.total);
}

void startup_objects(void)
{
    kern *k = &kern_this;
    k->options.slab.trace = &k->trace;
    k->options.slab.ncpus = smp_count();
    k->options.slab.fallback = &k->mapped;
    k->slabs = loam_slabs_init(k->zone, &k->options.slab);
    k->kmalloc = k->slabs != NULL ? loam_kmalloc_init(k->slabs) : NULL;
    if (k->kmalloc == NULL)
        kpanic("no memory for the object allocator");
    paging_vmap();
    klog("kmalloc: ready");
    check_rules();
}
