/* SPDX-License-Identifier: MIT */
/* figures.c - what the process's allocator holds: sums, classes, ranges; as text and as JSON.
 *
 * The figures are of one moment of each range, one after the other: while other threads allocate
 * the sums are near the truth. Names of the JSON members are those of PROCESS_SUMS. */
#define _DEFAULT_SOURCE
#include "../../core/kmalloc_impl.h"
#include "preload.h"

#include "loam/process_heap.h"

#include <sys/resource.h>

static void add_zone(process_sums *s, loam_zone *zone)
{
    loam_zone_stats z;
    loam_zone_stat(zone, &z);
    uint64_t frames = z.frames - z.reserved - z.bad;
    uint64_t least = z.low_water < frames ? z.low_water : frames;
    s->ready += frames << LOAM_PAGE_SHIFT;
    s->free += z.free << LOAM_PAGE_SHIFT;
    s->peak += (frames - least) << LOAM_PAGE_SHIFT;
    s->metadata += z.metadata;
    for (unsigned order = 0; order <= LOAM_ZONE_MAX_ORDER; order++)
        s->free_blocks += z.blocks[order];
}

/* Closed units are asked for before the frames, which only become more: else all that another
 * thread closes in between would be missing. */
static void add_range(process_sums *s, const process_range *r)
{
    uint64_t closed = loam_atomic_load(&r->closed); /* pairs with the add in unit_flip */
    add_zone(s, r->zone);
    s->ready -= closed * LOAM_PAGES_STEP;
}

static void add_blocks(process_sums *s, loam_kmalloc *k)
{
    loam_kmalloc_stats b;
    loam_kmalloc_stat(k, &b);
    s->used += b.used_bytes;
    s->blocks += b.used_blocks;
    s->large += b.large_bytes;
    s->large_blocks += b.large_blocks;
    s->slabs += b.slabs;
    s->waiting += b.quarantined;
    s->failures += b.failures;
}

process_sums process_sums_now(void)
{
    process_sums s = {0};
    struct rusage use;
    /* pairs with the store in process_start */
    uint32_t n = loam_atomic_load(&loam__process.ranges);
    for (uint32_t i = 0; i < n; i++) {
        s.reserved += loam_pages_len(&loam__process.range[i].pages);
        add_range(&s, &loam__process.range[i]);
        add_blocks(&s, loam__process.range[i].kmalloc);
    }
    huge_sums(&s.huge, &s.huge_blocks, &s.huge_peak);
    s.blocks += s.huge_blocks;
    s.abandoned = threads_abandoned();
    if (getrusage(RUSAGE_SELF, &use) == 0)
        s.resident_peak = (uint64_t)use.ru_maxrss << 10;
    return s;
}

bool process_class_now(unsigned i, loam_cache_stats *stats)
{
    uint32_t n = loam_atomic_load(&loam__process.ranges);
    *stats = (loam_cache_stats){0};
    for (uint32_t r = 0; r < n; r++) {
        const loam_kmalloc *k = loam__process.range[r].kmalloc;
        loam_cache_stats c;
        if (i >= k->classes)
            return false;
        loam_cache_stat(k->cache[i], &c);
        c.slabs += stats->slabs;
        c.slots += stats->slots;
        c.used += stats->used;
        *stats = c;
    }
    return n != 0;
}

/* ---- for people ---- */

static void text_sums(process_out *out, const process_sums *s)
{
    out_fmt(out, "loam: %U bytes in %U blocks are out; %U bytes are from the system\n",
            s->used + s->huge, s->blocks, s->ready + s->huge);
    out_fmt(out, "loam: of these %U bytes in %U large blocks, %U bytes in %U huge blocks\n",
            s->large, s->large_blocks, s->huge, s->huge_blocks);
    out_fmt(out,
            "loam: at most %U bytes of frames and %U bytes of huge blocks were out at a time; ",
            s->peak, s->huge_peak);
    out_fmt(out, "the process had at most %U bytes in memory\n", s->resident_peak);
    out_fmt(out, "loam: %U pages ready, %U free in %U runs, %U slabs, %U bytes of arrays\n",
            s->ready >> LOAM_PAGE_SHIFT, s->free >> LOAM_PAGE_SHIFT, s->free_blocks, s->slabs,
            s->metadata);
    out_fmt(out, "loam: %U requests failed, %U blocks wait, %U fronts left behind by forks\n",
            s->failures, s->waiting, s->abandoned);
}

static void text_classes(process_out *out)
{
    loam_cache_stats c;
    for (unsigned i = 0; process_class_now(i, &c); i++)
        if (c.slabs != 0)
            out_fmt(out, "loam: %s: %U bytes, %U out of %U slots in %U slabs\n", c.name,
                    (uint64_t)c.size, c.used, c.slots, c.slabs);
}

static bool text_heap(void *ctx, loam_process_heap heap, const loam_process_heap_stats *s)
{
    process_out *out = ctx;
    (void)heap;
    out_fmt(out, "loam: heap %s: %U bytes in %U blocks of %U; ", s->name, s->used, s->blocks,
            s->limit);
    out_fmt(out, "%U free, never less than %U\n", s->free, s->low_water);
    return true;
}

/* ---- for programs ---- */

static void json_sums(process_out *out, const process_sums *s)
{
#define JSON_SUM(field, text) out_fmt(out, "\"%s\":%U,", #field, s->field);
    PROCESS_SUMS(JSON_SUM)
#undef JSON_SUM
}

static void json_classes(process_out *out)
{
    loam_cache_stats c;
    out_fmt(out, "\"classes\":[");
    for (unsigned i = 0; process_class_now(i, &c); i++) {
        out_fmt(out, "%s{\"name\":", i == 0 ? "" : ",");
        out_string(out, c.name);
        out_fmt(out, ",\"size\":%U,\"used\":%U,\"slots\":%U,\"slabs\":%U}", (uint64_t)c.size,
                c.used, c.slots, c.slabs);
    }
    out_fmt(out, "]");
}

static void json_ranges(process_out *out)
{
    uint32_t n = loam_atomic_load(&loam__process.ranges);
    out_fmt(out, ",\"ranges\":[");
    for (uint32_t i = 0; i < n; i++) {
        const process_range *r = &loam__process.range[i];
        process_sums s = {0};
        add_range(&s, r);
        add_blocks(&s, r->kmalloc);
        out_fmt(out, "%s{\"base\":%U,\"reserved\":%U,\"ready\":%U,", i == 0 ? "" : ",",
                (uint64_t)(uintptr_t)r->pages.base, (uint64_t)loam_pages_len(&r->pages), s.ready);
        out_fmt(out, "\"free\":%U,\"used\":%U,\"blocks\":%U}", s.free, s.used, s.blocks);
    }
    out_fmt(out, "]");
}

typedef struct json_list {
    process_out *out;
    bool more;
} json_list;

static bool json_heap(void *ctx, loam_process_heap heap, const loam_process_heap_stats *s)
{
    json_list *list = ctx;
    (void)heap;
    out_fmt(list->out, "%s{\"name\":", list->more ? "," : "");
    out_string(list->out, s->name);
    out_fmt(list->out, ",\"limit\":%U,\"used\":%U,\"blocks\":%U,\"free\":%U,", s->limit, s->used,
            s->blocks, s->free);
    out_fmt(list->out, "\"low_water\":%U,\"largest\":%U,\"metadata\":%U,\"failures\":%U}",
            s->low_water, s->largest, s->metadata, s->failures);
    list->more = true;
    return true;
}

static void json_heaps(process_out *out)
{
    json_list list = {out, false};
    out_fmt(out, ",\"heaps\":[");
    loam_process_heap_each(json_heap, &list);
    out_fmt(out, "]");
}

void process_figures(process_out *out, bool json)
{
    process_sums s = process_sums_now();
    if (!json) {
        text_sums(out, &s);
        text_classes(out);
        loam_process_heap_each(text_heap, out);
        return;
    }
    out_fmt(out, "{");
    json_sums(out, &s);
    json_classes(out);
    json_ranges(out);
    json_heaps(out);
    out_fmt(out, "}\n");
}
