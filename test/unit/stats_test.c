/* SPDX-License-Identifier: MIT */
#include "loam/stats.h"
#include "tap.h"

static char buf[8192];
static loam_text text;

static loam_text *fresh_text(void)
{
    loam_text_init(&text, buf, sizeof buf);
    return &text;
}

/* 16 frames: 2 reserved, 1 bad, 3 out, 10 free of which 2 in fronts. */
static loam_stats_zone zone_of(const char *name)
{
    loam_stats_zone zone = {.name = name,
                            .frames = 16,
                            .free = 10,
                            .in_fronts = 2,
                            .reserved = 2,
                            .bad = 1,
                            .low_water = 4,
                            .metadata = 4096,
                            .areas = 1};
    zone.blocks[0] = 2;
    zone.blocks[1] = 1;
    zone.blocks[2] = 1;
    return zone;
}

static loam_stats_cache cache_of(const char *name)
{
    return (loam_stats_cache){.name = name,
                              .size = 60,
                              .stride = 64,
                              .slabs = 2,
                              .slots = 512,
                              .used = 300,
                              .slab_frames = 4};
}

static void copy_by_name(tap *t)
{
    struct {
        int other;
        uint64_t edge_bytes, metadata, held, free, total;
    } from = {7, 5, 4, 3, 2, 1};
    loam_stats_memblock to;
    LOAM_STATS_COPY(LOAM_STATS_MEMBLOCK, &to, &from);
    TAP_EQ(t, to.total, 1);
    TAP_EQ(t, to.free, 2);
    TAP_EQ(t, to.held, 3);
    TAP_EQ(t, to.metadata, 4);
    TAP_EQ(t, to.edge_bytes, 5);
}

static void text_lines(tap *t)
{
    loam_stats_memblock m = {10, 7, 2, 1, 99};
    loam_stats_named event = {"page_alloc", 3};
    loam_stats stats = {.memblock = &m, .event = &event, .events = 1};
    loam_stats_text(fresh_text(), &stats);
    TAP_STR(t, buf,
            "memblock total 10 frames\nmemblock free 7 frames\nmemblock held 2 frames\n"
            "memblock metadata 1 frames\nmemblock edge_bytes 99 bytes\nevent page_alloc 3\n");
}

static void text_zone(tap *t)
{
    loam_stats_zone zone = zone_of("normal");
    loam_stats stats = {.zone = &zone, .zones = 1};
    loam_stats_text(fresh_text(), &stats);
    TAP_CHECK(t, tap_starts(buf, "zone normal frames 16 frames\nzone normal free 10 frames\n"));
    const char *end = "zone normal order_2 1 blocks\n";
    size_t n = 0;
    while (end[n] != '\0')
        n++;
    TAP_STR(t, buf + text.len - n, end);
}

static void json_nothing(tap *t)
{
    loam_stats stats = {0};
    loam_stats_json(fresh_text(), &stats);
    TAP_STR(t, buf, "{}");
}

static void json_members(tap *t)
{
    loam_stats_zone zone = zone_of("normal");
    loam_stats_kmalloc k = {1, 2, 3, 4, 5, 6, 7, 18446744073709551615ULL};
    loam_stats_named event[] = {{"a", 1}, {"b", 2}};
    loam_stats stats = {.zone = &zone, .zones = 1, .kmalloc = &k, .event = event, .events = 2};
    loam_stats_json(fresh_text(), &stats);
    TAP_STR(t, buf,
            "{\"zones\":[{\"name\":\"normal\",\"frames\":16,\"free\":10,\"in_fronts\":2,"
            "\"reserved\":2,\"bad\":1,\"low_water\":4,\"metadata\":4096,\"areas\":1,\"refills\":0,"
            "\"flushes\":0,\"failures\":0,\"refusals\":0,\"blocks\":[2,1,1]}],"
            "\"kmalloc\":{\"used_bytes\":1,\"used_blocks\":2,\"large_blocks\":3,\"large_bytes\":4,"
            "\"slabs\":5,\"quarantined\":6,\"refusals\":7,\"failures\":18446744073709551615},"
            "\"events\":{\"a\":1,\"b\":2}}");
    TAP_CHECK(t, !text.cut);
}

static void json_addresses(tap *t)
{
    loam_stats_vmap v = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    loam_stats_tlb tlb = {16, 3, 1, 20};
    loam_stats stats = {.vmap = &v, .tlb = &tlb};
    loam_stats_json(fresh_text(), &stats);
    TAP_STR(t, buf,
            "{\"vmap\":{\"window\":1,\"largest\":2,\"mapped\":3,\"areas\":4,\"tables\":5,"
            "\"allocs\":6,\"frees\":7,\"failures\":8,\"refusals\":9},"
            "\"tlb\":{\"threshold\":16,\"batches\":3,\"fulls\":1,\"pages\":20}}");
    stats.vmap = NULL;
    loam_stats_text(fresh_text(), &stats);
    TAP_STR(t, buf,
            "tlb threshold 16 pages\ntlb batches 3 events\ntlb fulls 1 events\n"
            "tlb pages 20 events\n");
}

static void json_strings(tap *t)
{
    loam_stats_cache caches[] = {cache_of("a\"b\\c\n\x01\xff"), cache_of("")};
    loam_stats stats = {.cache = caches, .caches = 2};
    loam_stats_json(fresh_text(), &stats);
    TAP_CHECK(t, tap_starts(buf, "{\"caches\":[{\"name\":\"a\\\"b\\\\c\\u000a\\u0001\\u00ff\","
                                 "\"size\":60,\"stride\":64,"));
}

static void json_cut(tap *t)
{
    loam_stats_zone zone = zone_of("normal");
    loam_stats stats = {.zone = &zone, .zones = 1};
    loam_text_init(&text, buf, 20);
    loam_stats_json(&text, &stats);
    TAP_CHECK(t, text.cut);
    TAP_STR(t, buf, "{\"zones\":[{\"name\":\"");
}

static void buddyinfo_lines(tap *t)
{
    loam_stats_zone zone[] = {zone_of("dma"), zone_of("normal")};
    zone[0].blocks[5] = 3;
    loam_stats_buddyinfo(fresh_text(), zone, 2, 4);
    TAP_STR(t, buf,
            "Node 0, zone      dma      2      1      1     12 \n"
            "Node 0, zone   normal      2      1      1      0 \n");
}

static void buddyinfo_all_orders(tap *t)
{
    loam_stats_zone zone = zone_of("normal");
    zone.blocks[LOAM_STATS_ORDERS - 1] = 9;
    loam_stats_buddyinfo(fresh_text(), &zone, 1, 0);
    TAP_EQ(t, text.len, 22 + 7 * LOAM_STATS_ORDERS + 1);
    TAP_STR(t, buf + text.len - 4, " 9 \n");
}

static void slabinfo_lines(tap *t)
{
    loam_stats_cache cache[] = {cache_of("kmalloc-64"), {.name = "idle", .size = 8, .stride = 8}};
    loam_stats_slabinfo(fresh_text(), cache, 2);
    TAP_CHECK(t, tap_starts(buf, "slabinfo - version: 2.1\n# name            <active_objs> "));
    const char *at = buf;
    for (unsigned lines = 0; *at != '\0' && lines < 2; at++)
        lines += *at == '\n';
    TAP_STR(t, at,
            "kmalloc-64           300    512     60  256    4 : tunables    0    0    0"
            " : slabdata      2      2      0\n"
            "idle                   0      0      8    0    0 : tunables    0    0    0"
            " : slabdata      0      0      0\n");
}

static void help_lines(tap *t)
{
    loam_stats_help(fresh_text());
    TAP_CHECK(t, tap_starts(buf, "memblock total, frames: whole frames of RAM\n"));
    TAP_CHECK(t, !text.cut);
}

/* ---- rules ---- */

static void check_c1(tap *t)
{
    loam_stats_memblock m = {10, 7, 2, 1, 99};
    loam_stats stats = {.memblock = &m};
    TAP_RULE(t, loam_stats_check(&stats), NULL);
    m.held++;
    TAP_RULE(t, loam_stats_check(&stats), "C1");
}

static void check_c2(tap *t)
{
    loam_stats_zone zone = zone_of("normal");
    loam_stats stats = {.zone = &zone, .zones = 1};
    TAP_RULE(t, loam_stats_check(&stats), NULL);
    zone.blocks[3]++;
    TAP_RULE(t, loam_stats_check(&stats), "C2");
    zone = zone_of("normal");
    zone.in_fronts = 11;
    TAP_RULE(t, loam_stats_check(&stats), "C2");
    zone = zone_of("normal");
    zone.reserved = 6;
    TAP_RULE(t, loam_stats_check(&stats), "C2");
    zone.reserved = 5;
    TAP_RULE(t, loam_stats_check(&stats), NULL);
    zone.bad = 17;
    TAP_RULE(t, loam_stats_check(&stats), "C2");
    zone.bad = 1;
    zone.reserved = 17;
    TAP_RULE(t, loam_stats_check(&stats), "C2");
}

static void check_c3(tap *t)
{
    loam_stats_cache cache = cache_of("x");
    loam_stats stats = {.cache = &cache, .caches = 1};
    TAP_RULE(t, loam_stats_check(&stats), NULL);
    cache.used = 513;
    TAP_RULE(t, loam_stats_check(&stats), "C3");
    cache = cache_of("x");
    cache.size = 65;
    TAP_RULE(t, loam_stats_check(&stats), "C3");
    cache = cache_of("x");
    cache.slots = 513;
    TAP_RULE(t, loam_stats_check(&stats), "C3");
    cache.slots = 1ULL << 60;
    TAP_RULE(t, loam_stats_check(&stats), "C3");
}

static void check_c4(tap *t)
{
    loam_stats_kmalloc k = {.used_bytes = 10, .used_blocks = 2, .large_blocks = 2};
    loam_stats stats = {.kmalloc = &k};
    TAP_RULE(t, loam_stats_check(&stats), NULL);
    k.large_bytes = 11;
    TAP_RULE(t, loam_stats_check(&stats), "C4");
    k.large_bytes = 10;
    k.large_blocks = 3;
    TAP_RULE(t, loam_stats_check(&stats), "C4");
}

static void check_c5(tap *t)
{
    const loam_stats_vmap good = {
        .window = 100, .largest = 40, .mapped = 60, .areas = 2, .allocs = 7, .frees = 5};
    loam_stats_vmap v = good;
    loam_stats stats = {.vmap = &v};
    TAP_RULE(t, loam_stats_check(&stats), NULL);
    v.areas = 3;
    TAP_RULE(t, loam_stats_check(&stats), "C5");
    v = good;
    v.frees = 8;
    v.areas = UINT64_MAX;
    TAP_RULE(t, loam_stats_check(&stats), "C5");
    v = good;
    v.mapped = 101;
    TAP_RULE(t, loam_stats_check(&stats), "C5");
    v = good;
    v.largest = 41;
    TAP_RULE(t, loam_stats_check(&stats), "C5");
}

static void check_c6(tap *t)
{
    loam_stats_tlb tlb = {.threshold = 16, .batches = 5, .fulls = 3, .pages = 2};
    loam_stats stats = {.tlb = &tlb};
    TAP_RULE(t, loam_stats_check(&stats), NULL);
    tlb.pages = 1;
    TAP_RULE(t, loam_stats_check(&stats), "C6");
    tlb.fulls = 6;
    TAP_RULE(t, loam_stats_check(&stats), "C6");
}

static const tap_case cases[] = {
    {"stats_copy: members in another order: copied by name", copy_by_name},
    {"stats_text: memblock and events: a line each", text_lines},
    {"stats_text: zone: counters, then blocks up to the last order", text_zone},
    {"stats_json: nothing known: an empty object", json_nothing},
    {"stats_json: some units: their members in order", json_members},
    {"stats_json, text: areas and flushes", json_addresses},
    {"stats_json: odd names: escaped", json_strings},
    {"stats_json: text too short: cut, and it says so", json_cut},
    {"stats_buddyinfo: larger blocks: pieces of the last column", buddyinfo_lines},
    {"stats_buddyinfo: all orders: the largest in its own column", buddyinfo_all_orders},
    {"stats_slabinfo: a busy and an idle cache: Linux's columns", slabinfo_lines},
    {"stats_help: all tables: a line a counter", help_lines},
    {"stats_check: memblock does not add up: C1", check_c1},
    {"stats_check: zone does not add up: C2", check_c2},
    {"stats_check: cache does not add up: C3", check_c3},
    {"stats_check: kmalloc does not add up: C4", check_c4},
    {"stats_check: areas do not add up: C5", check_c5},
    {"stats_check: flushes do not add up: C6", check_c6},
};
TAP_SUITE(stats_test, cases);
