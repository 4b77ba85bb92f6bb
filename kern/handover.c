/* SPDX-License-Identifier: MIT */
/* handover.c - from the boot map to kmalloc.
 *
 *     board.zones        dma          low                         high
 *     RAM            [==========|================================|=================)
 *                     16 MiB     256 MiB                          4 GiB      on a PC
 *                    [========= mapped: has an address ==========]
 *
 *     kern_this.zones    all of them, the highest first: pages for anybody
 *     kern_this.mapped   those with addresses, the highest first: page tables
 *     kern_this.zone     the largest of these: slab and kmalloc stand on it
 *
 * A zone in which there is no RAM does not exist.
 */
#include "arch.h"
#include "board.h"
#include "console.h"
#include "kern.h"
#include "loam/port.h"
#include "startup.h"

enum {
    LEAST_FREE = 256,        /* frames that a map must leave for this kernel to be of any use */
    CHECKED_FRAMES = 1 << 21 /* up to 8 GiB all rules are checked at boot */
};

typedef struct metadata {
    loam_pa zone[BOARD_ZONES], trace;
    uint64_t zone_len[BOARD_ZONES], trace_len; /* 0: no RAM in that zone */
} metadata;

static metadata taken;

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

/* One past the last byte of RAM in a span: a zone reaches no further, so that what grows with its
 * addresses does not grow with those that there might have been. */
static uint64_t ram_end(const loam_span *span)
{
    const loam_spanset *ram = &kern_this.map.ram;
    uint64_t limit = span->base + span->len, end = span->base + LOAM_PAGE_SIZE;
    for (size_t i = 0; i < ram->count && ram->span[i].base < limit; i++)
        if (ram->span[i].base + ram->span[i].len > end)
            end = ram->span[i].base + ram->span[i].len;
    return end < limit ? loam_align_up(end, LOAM_PAGE_SIZE) : limit;
}

static loam_zone_config zone_config(const board_zone *zone)
{
    loam_zone_config config;
    loam_zone_config_init(&config);
    config.name = zone->name;
    config.first = zone->span.base >> LOAM_PAGE_SHIFT;
    config.limit = ram_end(&zone->span) >> LOAM_PAGE_SHIFT;
    if (zone->mapped)
        config.linear = board_this.mapped;
    config.trace = &kern_this.trace;
    config.trace_max_order = KERN_VIEW_ORDER;
    config.shrink = shrink_slabs;
    return config;
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

bool handover_measure(void)
{
    loam_memblock *map = &kern_this.map;
    loam_memblock_sum sum;
    metadata *m = &taken;
    bool some = false;
    *m = (metadata){.trace_len = (uint64_t)KERN_TRACE_EVENTS * sizeof(loam_trace_event)};
    loam_memblock_count(map, &sum);
    if (sum.free < LEAST_FREE)
        return false;
    for (size_t i = 0; i < board_this.zone_count; i++) {
        loam_zone_config config = zone_config(&board_this.zones[i]);
        uint64_t len = loam_zone_measure(map->ram.span, map->ram.count, &config);
        m->zone_len[i] = loam_align_up(len, LOAM_PAGE_SIZE);
        some = some || (len != 0 && board_this.zones[i].mapped);
    }
    if (!some)
        return false;
    for (size_t i = 0; i < board_this.zone_count; i++)
        if (m->zone_len[i] != 0 && !take(m->zone_len[i], &m->zone[i]))
            return false;
    return take(m->trace_len, &m->trace);
}

static void log_metadata(const metadata *m)
{
    bool one = board_this.zone_count == 1;
    for (size_t i = 0; i < board_this.zone_count; i++) {
        char note[48];
        loam_text t;
        loam_text_init(&t, note, sizeof(note));
        loam_text_fmt(&t, one ? "page allocator" : "page allocator, zone %s",
                      board_this.zones[i].name);
        if (m->zone_len[i] != 0)
            startup_log_span("metadata:", (loam_span){m->zone[i].v, m->zone_len[i]}, note);
    }
    startup_log_span("metadata:", (loam_span){m->trace.v, m->trace_len}, "trace ring");
}

/* ---- the hand-over ---- */

static void make_zones(const metadata *m)
{
    kern *k = &kern_this;
    for (size_t i = board_this.zone_count; i-- > 0;) {
        loam_zone_config config = zone_config(&board_this.zones[i]);
        loam_zone *zone;
        if (m->zone_len[i] == 0)
            continue;
        zone = loam_zone_init(virt_of(m->zone[i]), m->zone_len[i], false, k->map.ram.span,
                              k->map.ram.count, &config);
        if (zone == NULL)
            kpanic("zone %s refuses its metadata", config.name);
        (void)loam_zonelist_add_zone(&k->zones, zone);
        if (board_this.zones[i].mapped)
            (void)loam_zonelist_add_zone(&k->mapped, zone);
    }
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

static void log_cost(const metadata *m)
{
    const kern *k = &kern_this;
    uint64_t bytes = 0;
    for (size_t i = 0; i < board_this.zone_count; i++)
        bytes += m->zone_len[i];
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
    const kern *k = &kern_this;
    for (unsigned i = k->zones.count; i-- > 0 && k->zones.count > 1;)
        klog("zone %s: %U pages free%s", loam_zone_config_of(k->zones.zone[i])->name,
             loam_zone_free_pages(k->zones.zone[i]),
             k->zones.zone[i] == k->zone ? "; kmalloc stands on it" : "");
}

void kern_trace_lines(bool on)
{
    loam_trace_set_on(&kern_this.trace, on);
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
    log_metadata(&taken);
    if (loam_trace_init(&k->trace, 1, KERN_TRACE_EVENTS, virt_of(taken.trace)) != LOAM_OK)
        kpanic("the trace ring cannot be made");
    loam_trace_set_sink(&k->trace, loam_trace_sink_lines, &lines);
    loam_trace_set_on(&k->trace, k->options.trace);
    making = loam_port_ticks();
    make_zones(&taken);
    making = loam_port_ticks() - making;
    hand_over();
    log_cost(&taken);
    log_zones();
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
    k->slabs = loam_slabs_init(k->zone, &k->options.slab);
    k->kmalloc = k->slabs != NULL ? loam_kmalloc_init(k->slabs) : NULL;
    if (k->kmalloc == NULL)
        kpanic("no memory for the object allocator");
    board_vmap();
    klog("kmalloc: ready");
    check_rules();
}
