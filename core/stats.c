/* SPDX-License-Identifier: MIT */
/* stats.c - counters as text.
 *
 * WHAT   Renders the counters of all units for people (text), programs (JSON) and those who know
 *        Linux (buddyinfo, slabinfo).
 *
 * MODEL  Each counter is one row of a table in stats.h. Its struct member, its place in text and in
 *        JSON, and its line of help are made from that row.
 *
 *            X(free, "frames", "free frames, ...")
 *               |--> uint64_t free;                          struct loam_stats_zone
 *               |--> {"free", "frames", "...", offset}       zone_field[]
 *               '--> zone normal free 1234 frames            text
 *                    "free":1234                             JSON
 *
 * RULES  C1  memblock: total = free + held + metadata
 *        C2  zone: in_fronts <= free <= frames - reserved - bad, and the blocks' frames and those
 *            in fronts are the free ones
 *        C3  cache: used <= slots, size <= stride, and slots fit into the slabs
 *        C4  kmalloc: large ones are among the used ones
 *        C5  vmap: areas are those made and not given back, and lie in the window
 *        C6  tlb: full flushes are among the flushes; pages were flushed if the others were
 *        loam_stats_check() tests exactly these, under these names.
 *
 * LOCKS  None: works on copies.
 * COST   O(counters).
 * FROM   X-macros; the formats of Linux's /proc/buddyinfo and /proc/slabinfo. Code derived from
 *        none.
 * NOT    Collecting: the caller copies the units' own structs.
 */
#include "loam/stats.h"

/* One row of a table; every counter is a uint64_t at its offset in the struct. */
typedef struct stats_field {
    const char *name, *unit, *help;
    size_t offset;
} stats_field;

#define STATS_ROW(field, unit, help) {#field, unit, help, offsetof(STATS_OF, field)},

#define STATS_OF loam_stats_memblock
static const stats_field memblock_field[] = {LOAM_STATS_MEMBLOCK(STATS_ROW)};
#undef STATS_OF
#define STATS_OF loam_stats_zone
static const stats_field zone_field[] = {LOAM_STATS_ZONE(STATS_ROW)};
#undef STATS_OF
#define STATS_OF loam_stats_cache
static const stats_field cache_field[] = {LOAM_STATS_CACHE(STATS_ROW)};
#undef STATS_OF
#define STATS_OF loam_stats_kmalloc
static const stats_field kmalloc_field[] = {LOAM_STATS_KMALLOC(STATS_ROW)};
#undef STATS_OF

#define STATS_OF loam_stats_vmap
static const stats_field vmap_field[] = {LOAM_STATS_VMAP(STATS_ROW)};
#undef STATS_OF
#define STATS_OF loam_stats_tlb
static const stats_field tlb_field[] = {LOAM_STATS_TLB(STATS_ROW)};
#undef STATS_OF

typedef struct stats_table {
    const char *name;
    const stats_field *field;
    size_t count;
} stats_table;

enum {
    STATS_MEMBLOCK,
    STATS_ZONE,
    STATS_CACHE,
    STATS_KMALLOC,
    STATS_VMAP,
    STATS_TLB,
    STATS_TABLES
};

static const stats_table stats_tables[STATS_TABLES] = {
    {"memblock", memblock_field, LOAM_ARRAY_LEN(memblock_field)},
    {"zone", zone_field, LOAM_ARRAY_LEN(zone_field)},
    {"cache", cache_field, LOAM_ARRAY_LEN(cache_field)},
    {"kmalloc", kmalloc_field, LOAM_ARRAY_LEN(kmalloc_field)},
    {"vmap", vmap_field, LOAM_ARRAY_LEN(vmap_field)},
    {"tlb", tlb_field, LOAM_ARRAY_LEN(tlb_field)},
};

static uint64_t stats_value(const void *of, const stats_field *field)
{
    uint64_t v;
    __builtin_memcpy(&v, (const char *)of + field->offset, sizeof v);
    return v;
}

/* Orders that are shown: up to the highest with a block, at least one. */
static unsigned stats_orders(const loam_stats_zone *zone)
{
    unsigned n = LOAM_STATS_ORDERS;
    while (n > 1 && zone->blocks[n - 1] == 0)
        n--;
    return n;
}

/* ---- text ---- */

static void text_table(loam_text *out, unsigned table, const char *name, const void *of)
{
    const stats_table *t = &stats_tables[table];
    for (size_t i = 0; i < t->count; i++) {
        loam_text_str(out, t->name);
        if (name != NULL)
            loam_text_fmt(out, " %s", name);
        loam_text_fmt(out, " %s %U %s\n", t->field[i].name, stats_value(of, &t->field[i]),
                      t->field[i].unit);
    }
}

static void text_blocks(loam_text *out, const loam_stats_zone *zone)
{
    for (unsigned k = 0; k < stats_orders(zone); k++)
        loam_text_fmt(out, "zone %s order_%u %U blocks\n", zone->name, k, zone->blocks[k]);
}

void loam_stats_text(loam_text *out, const loam_stats *stats)
{
    if (stats->memblock != NULL)
        text_table(out, STATS_MEMBLOCK, NULL, stats->memblock);
    for (size_t i = 0; i < stats->zones; i++) {
        text_table(out, STATS_ZONE, stats->zone[i].name, &stats->zone[i]);
        text_blocks(out, &stats->zone[i]);
    }
    for (size_t i = 0; i < stats->caches; i++)
        text_table(out, STATS_CACHE, stats->cache[i].name, &stats->cache[i]);
    if (stats->kmalloc != NULL)
        text_table(out, STATS_KMALLOC, NULL, stats->kmalloc);
    if (stats->vmap != NULL)
        text_table(out, STATS_VMAP, NULL, stats->vmap);
    if (stats->tlb != NULL)
        text_table(out, STATS_TLB, NULL, stats->tlb);
    for (size_t i = 0; i < stats->events; i++)
        loam_text_fmt(out, "event %s %U\n", stats->event[i].name, stats->event[i].value);
}

void loam_stats_help(loam_text *out)
{
    for (unsigned t = 0; t < STATS_TABLES; t++)
        for (size_t i = 0; i < stats_tables[t].count; i++) {
            const stats_field *f = &stats_tables[t].field[i];
            loam_text_fmt(out, "%s %s, %s: %s\n", stats_tables[t].name, f->name, f->unit, f->help);
        }
}

/* ---- JSON ---- */

static void json_string(loam_text *out, const char *s)
{
    loam_text_char(out, '"');
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            loam_text_char(out, '\\');
        if (c < 0x20 || c >= 0x7f) /* bytes beyond ASCII as Latin-1: always valid */
            loam_text_fmt(out, "\\u%04X", (uint64_t)c);
        else
            loam_text_char(out, *s);
    }
    loam_text_char(out, '"');
}

/* Puts the comma before every member but the first. */
static void json_key(loam_text *out, bool *first, const char *key)
{
    if (!*first)
        loam_text_char(out, ',');
    *first = false;
    json_string(out, key);
    loam_text_char(out, ':');
}

static void json_table(loam_text *out, bool *first, unsigned table, const void *of)
{
    const stats_table *t = &stats_tables[table];
    for (size_t i = 0; i < t->count; i++) {
        json_key(out, first, t->field[i].name);
        loam_text_dec(out, stats_value(of, &t->field[i]));
    }
}

/* A member that is one table; of NULL: none. */
static void json_object(loam_text *out, bool *first, unsigned table, const void *of)
{
    bool inner = true;
    if (of == NULL)
        return;
    json_key(out, first, stats_tables[table].name);
    loam_text_char(out, '{');
    json_table(out, &inner, table, of);
    loam_text_char(out, '}');
}

static void json_zone(loam_text *out, const loam_stats_zone *zone)
{
    bool first = true;
    loam_text_char(out, '{');
    json_key(out, &first, "name");
    json_string(out, zone->name);
    json_table(out, &first, STATS_ZONE, zone);
    json_key(out, &first, "blocks");
    for (unsigned k = 0; k < stats_orders(zone); k++) {
        loam_text_char(out, k == 0 ? '[' : ',');
        loam_text_dec(out, zone->blocks[k]);
    }
    loam_text_str(out, "]}");
}

static void json_cache(loam_text *out, const loam_stats_cache *cache)
{
    bool first = true;
    loam_text_char(out, '{');
    json_key(out, &first, "name");
    json_string(out, cache->name);
    json_table(out, &first, STATS_CACHE, cache);
    loam_text_char(out, '}');
}

static void json_zones(loam_text *out, const loam_stats *stats)
{
    loam_text_char(out, '[');
    for (size_t i = 0; i < stats->zones; i++) {
        if (i != 0)
            loam_text_char(out, ',');
        json_zone(out, &stats->zone[i]);
    }
    loam_text_char(out, ']');
}

static void json_caches(loam_text *out, const loam_stats *stats)
{
    loam_text_char(out, '[');
    for (size_t i = 0; i < stats->caches; i++) {
        if (i != 0)
            loam_text_char(out, ',');
        json_cache(out, &stats->cache[i]);
    }
    loam_text_char(out, ']');
}

static void json_events(loam_text *out, const loam_stats *stats)
{
    bool first = true;
    loam_text_char(out, '{');
    for (size_t i = 0; i < stats->events; i++) {
        json_key(out, &first, stats->event[i].name);
        loam_text_dec(out, stats->event[i].value);
    }
    loam_text_char(out, '}');
}

void loam_stats_json(loam_text *out, const loam_stats *stats)
{
    bool first = true;
    loam_text_char(out, '{');
    json_object(out, &first, STATS_MEMBLOCK, stats->memblock);
    if (stats->zone != NULL) {
        json_key(out, &first, "zones");
        json_zones(out, stats);
    }
    if (stats->cache != NULL) {
        json_key(out, &first, "caches");
        json_caches(out, stats);
    }
    json_object(out, &first, STATS_KMALLOC, stats->kmalloc);
    json_object(out, &first, STATS_VMAP, stats->vmap);
    json_object(out, &first, STATS_TLB, stats->tlb);
    if (stats->event != NULL) {
        json_key(out, &first, "events");
        json_events(out, stats);
    }
    loam_text_char(out, '}');
}

/* ---- as Linux shows it ---- */

static void text_left(loam_text *out, const char *s, unsigned width)
{
    unsigned n = 0;
    for (; s[n] != '\0'; n++)
        loam_text_char(out, s[n]);
    for (; n < width; n++)
        loam_text_char(out, ' ');
}

static void text_right(loam_text *out, const char *s, unsigned width)
{
    unsigned n = 0;
    while (s[n] != '\0')
        n++;
    for (; n < width; n++)
        loam_text_char(out, ' ');
    loam_text_str(out, s);
}

void loam_stats_buddyinfo(loam_text *out, const loam_stats_zone *zone, size_t zones,
                          unsigned orders)
{
    if (orders == 0 || orders > LOAM_STATS_ORDERS)
        orders = LOAM_STATS_ORDERS;
    for (size_t i = 0; i < zones; i++) {
        loam_text_str(out, "Node 0, zone ");
        text_right(out, zone[i].name, 8);
        loam_text_char(out, ' ');
        uint64_t last = 0;
        for (unsigned k = orders - 1; k < LOAM_STATS_ORDERS; k++)
            last += zone[i].blocks[k] << (k - (orders - 1));
        for (unsigned k = 0; k < orders; k++)
            loam_text_fmt(out, "%6U ", k == orders - 1 ? last : zone[i].blocks[k]);
        loam_text_char(out, '\n');
    }
}

/* Linux tells slabs with objects from empty ones; here a cache with an object out counts as active
 * with all its slabs, of which at most one is empty. */
static uint64_t cache_active_slabs(const loam_stats_cache *cache)
{
    return cache->used == 0 ? 0 : cache->slabs;
}

static uint32_t cache_slots_per_slab(const loam_stats_cache *cache)
{
    if (cache->slabs == 0 || cache->slabs > UINT32_MAX || cache->slots > UINT32_MAX)
        return 0;
    return (uint32_t)cache->slots / (uint32_t)cache->slabs;
}

void loam_stats_slabinfo(loam_text *out, const loam_stats_cache *cache, size_t caches)
{
    loam_text_str(out, "slabinfo - version: 2.1\n"
                       "# name            <active_objs> <num_objs> <objsize> <objperslab> "
                       "<pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata "
                       "<active_slabs> <num_slabs> <sharedavail>\n");
    for (size_t i = 0; i < caches; i++) {
        const loam_stats_cache *c = &cache[i];
        text_left(out, c->name, 17);
        loam_text_fmt(out, " %6U %6U %6U %4U %4U", c->used, c->slots, c->size,
                      (uint64_t)cache_slots_per_slab(c), c->slab_frames);
        loam_text_fmt(out, " : tunables    0    0    0 : slabdata %6U %6U      0\n",
                      cache_active_slabs(c), c->slabs);
    }
}

/* ---- rules ---- */

static bool zone_adds_up(const loam_stats_zone *zone)
{
    uint64_t frames = 0;
    for (unsigned k = 0; k < LOAM_STATS_ORDERS; k++)
        frames += zone->blocks[k] << k;
    return zone->in_fronts <= zone->free && frames == zone->free - zone->in_fronts &&
           zone->reserved <= zone->frames && zone->bad <= zone->frames - zone->reserved &&
           zone->free <= zone->frames - zone->reserved - zone->bad;
}

static bool cache_adds_up(const loam_stats_cache *cache)
{
    uint64_t used, bytes;
    if (loam_mul_overflows(cache->slots, cache->stride, &used) ||
        loam_mul_overflows(cache->slabs, cache->slab_frames << LOAM_PAGE_SHIFT, &bytes))
        return false;
    return cache->used <= cache->slots && cache->size <= cache->stride && used <= bytes;
}

static bool vmap_adds_up(const loam_stats_vmap *v)
{
    return v->frees <= v->allocs && v->areas == v->allocs - v->frees && v->mapped <= v->window &&
           v->largest <= v->window - v->mapped;
}

static bool tlb_adds_up(const loam_stats_tlb *tlb)
{
    return tlb->fulls <= tlb->batches && tlb->pages >= tlb->batches - tlb->fulls;
}

const char *loam_stats_check(const loam_stats *stats)
{
    const loam_stats_memblock *m = stats->memblock;
    const loam_stats_kmalloc *k = stats->kmalloc;
    if (m != NULL && m->total != m->free + m->held + m->metadata)
        return "C1 memblock: total = free + held + metadata";
    for (size_t i = 0; i < stats->zones; i++)
        if (!zone_adds_up(&stats->zone[i]))
            return "C2 zone: blocks, fronts, reserved and bad frames add up";
    for (size_t i = 0; i < stats->caches; i++)
        if (!cache_adds_up(&stats->cache[i]))
            return "C3 cache: used <= slots, size <= stride, slots fit into the slabs";
    if (k != NULL && (k->large_blocks > k->used_blocks || k->large_bytes > k->used_bytes))
        return "C4 kmalloc: large ones are among the used ones";
    if (stats->vmap != NULL && !vmap_adds_up(stats->vmap))
        return "C5 vmap: areas are those made and not given back, and lie in the window";
    if (stats->tlb != NULL && !tlb_adds_up(stats->tlb))
        return "C6 tlb: full flushes are among the flushes; pages were flushed if the others were";
    return NULL;
}
