/* SPDX-License-Identifier: MIT */
/* bootinfo_memory_test.c - RAM and reservations as device trees tell them. */
#include "bootinfo_tree.h"
#include "tap.h"

/* A memory node that says where it lies, and no more. */
#define MEMORY(name, ...)                                                                          \
    do {                                                                                           \
        memory_node(name);                                                                         \
        FB_CELLS(&b, "reg", __VA_ARGS__);                                                          \
        fb_end(&b);                                                                                \
    } while (0)

/* ---- memory ---- */

static void memory_cells(tap *t)
{
    root_cells(1, 1);
    MEMORY("memory@80000000", 0x80000000U, 0x1000, 0x90000000U, 0x2000);
    TAP_EQ(t, finish_board(), LOAM_OK);
    TAP_EQ(t, info.ram_count, 2);
    ram_is(t, 0, 0x80000000U, 0x1000);
    ram_is(t, 1, 0x90000000U, 0x2000);
    root_cells(1, 2);
    MEMORY("memory", 0x1000, 1, 0x2000);
    TAP_EQ(t, finish_board(), LOAM_OK);
    ram_is(t, 0, 0x1000, 0x100002000ULL);
    root_cells(2, 1);
    MEMORY("ram@0", 2, 0x3000, 0x4000, 1, 0, 0x5000); /* the type counts, not the name */
    TAP_EQ(t, finish_board(), LOAM_OK);
    TAP_EQ(t, info.ram_count, 2);
    ram_is(t, 0, 0x200003000ULL, 0x4000);
    ram_is(t, 1, 0x100000000ULL, 0x5000);
    root_cells(2, 2);
    MEMORY("memory", 1, 2, 3, 4);
    TAP_EQ(t, finish_board(), LOAM_OK);
    ram_is(t, 0, 0x100000002ULL, 0x300000004ULL);
}

static void memory_default_cells(tap *t)
{
    fb_start(&b);
    fb_node(&b, "");
    memory_node("memory");
    FB_CELLS(&b, "#address-cells", 1); /* its own cells are for its children */
    FB_CELLS(&b, "reg", 1, 0x1000, 0x2000);
    fb_end(&b);
    TAP_EQ(t, finish_board(), LOAM_OK);
    ram_is(t, 0, 0x100001000ULL, 0x2000);
}

static void memory_several_nodes(tap *t)
{
    board();
    MEMORY("memory@40000000", 0x40000000, 0x1000, 0x50000000, 0, 0x60000000, 0x800);
    fb_node(&b, "soc");
    MEMORY("memory@0", 0x70000000, 0x1000); /* behind a bus: not the machine's RAM */
    fb_end(&b);
    TAP_EQ(t, finish_board(), LOAM_OK);
    TAP_EQ(t, info.ram_count, 3);
    ram_is(t, 1, 0x40000000, 0x1000);
    ram_is(t, 2, 0x60000000, 0x800);
}

static void memory_without_type(tap *t)
{
    root_cells(1, 1);
    fb_node(&b, "memory@0");
    FB_CELLS(&b, "reg", 0, 0x1000);
    fb_end(&b);
    fb_node(&b, "memory-controller");
    FB_CELLS(&b, "reg", 0x5000, 0x1000);
    fb_end(&b);
    fb_node(&b, "memory@1");
    fb_str(&b, "device_type", "nvram");
    FB_CELLS(&b, "reg", 0x7000, 0x1000);
    fb_end(&b);
    TAP_EQ(t, finish_board(), LOAM_OK);
    TAP_EQ(t, info.ram_count, 1);
    ram_is(t, 0, 0, 0x1000);
    board(); /* with one that has its type, the name alone does not count */
    fb_node(&b, "memory@40000000");
    FB_CELLS(&b, "reg", 0x40000000, 0x1000);
    fb_end(&b);
    TAP_EQ(t, finish_board(), LOAM_OK);
    TAP_EQ(t, info.ram_count, 1);
}

static void memory_disabled(tap *t)
{
    board();
    memory_node("memory@40000000");
    fb_str(&b, "status", "disabled");
    FB_CELLS(&b, "reg", 0x40000000, 0x1000);
    fb_end(&b);
    memory_node("memory@50000000");
    fb_str(&b, "status", "ok");
    FB_CELLS(&b, "reg", 0x50000000, 0x1000);
    fb_end(&b);
    TAP_EQ(t, finish_board(), LOAM_OK);
    TAP_EQ(t, info.ram_count, 2);
    ram_is(t, 1, 0x50000000, 0x1000);
}

static void memory_none(tap *t)
{
    fb_start(&b);
    fb_node(&b, "");
    fb_str(&b, "model", "nothing else");
    refused_is(t, finish_board(), LOAM_ENOENT, "no memory node");
    root_cells(1, 1);
    MEMORY("memory", 0x1000, 0);
    refused_is(t, finish_board(), LOAM_ENOENT, "memory: no RAM");
    root_cells(1, 1);
    memory_node("memory");
    fb_end(&b);
    refused_is(t, finish_board(), LOAM_ENOENT, "memory: no RAM");
    root_cells(1, 1);
    memory_node("memory");
    fb_str(&b, "status", "disabled");
    FB_CELLS(&b, "reg", 0, 0x1000);
    fb_end(&b);
    refused_is(t, finish_board(), LOAM_ENOENT, "memory: no RAM");
}

static void memory_wraps(tap *t)
{
    root_cells(2, 2);
    MEMORY("memory", 0xffffffffU, 0xfffff000U, 0, 0x1000);
    TAP_EQ(t, finish_board(), LOAM_OK); /* up to the very top */
    ram_is(t, 0, 0xfffffffffffff000ULL, 0x1000);
    root_cells(2, 2);
    MEMORY("memory", 0, 0, 0, 0x1000, 0xffffffffU, 0xfffff000U, 0, 0x1001);
    refused_is(t, finish_board(), LOAM_ERANGE, "memory: a range leaves");
}

static void memory_malformed(tap *t)
{
    static const uint32_t cells[][2] = {{0, 1}, {1, 0}, {3, 1}, {2, 3}, {0xffffffffU, 1}};
    for (size_t i = 0; i < LOAM_ARRAY_LEN(cells); i++) {
        root_cells(cells[i][0], cells[i][1]);
        memory_node("memory");
        FB_CELLS(&b, "reg", 0, 0x1000, 0, 0x1000, 0, 0x1000);
        fb_end(&b);
        refused_is(t, finish_board(), LOAM_EFORMAT, "memory: #address-cells");
    }
    fb_start(&b);
    fb_node(&b, "");
    fb_prop(&b, "#size-cells", "\0\1", 2);
    MEMORY("memory", 0, 0, 0x1000);
    refused_is(t, finish_board(), LOAM_EFORMAT, "memory: #address-cells");
    root_cells(2, 1);
    MEMORY("memory", 0, 0, 0x1000, 0);
    refused_is(t, finish_board(), LOAM_EFORMAT, "memory: reg");
}

static void memory_too_many(tap *t)
{
    for (unsigned extra = 0; extra <= 1; extra++) {
        root_cells(1, 1);
        for (unsigned i = 0; i < LOAM_BOOTINFO_RAM + extra; i++) {
            memory_node("memory");
            FB_CELLS(&b, "reg", i * 0x2000, 0x1000);
            fb_end(&b);
        }
        if (extra == 0)
            TAP_EQ(t, finish_board(), LOAM_OK);
        else
            refused_is(t, finish_board(), LOAM_EFULL, "memory: more than 256");
    }
}

/* ---- reservations ---- */

static void reserve_block(tap *t)
{
    board();
    fb_reserve(&b, 0, 0x1000);
    fb_reserve(&b, 0x5000, 0); /* nothing */
    fb_reserve(&b, 0x123456789abcULL, 0x11);
    TAP_EQ(t, finish_board(), LOAM_OK);
    TAP_EQ(t, info.held_count, 2);
    held_is(t, 0, 0, 0x1000, "memreserve");
    held_is(t, 1, 0x123456789abcULL, 0x11, "memreserve");
    TAP_EQ(t, info.held[1].source, LOAM_BOOTINFO_MEMRESERVE);
    board();
    fb_reserve(&b, 0xffffffffffffff00ULL, 0x200);
    refused_is(t, finish_board(), LOAM_ERANGE, "a reserved range leaves");
}

static void region_static(tap *t)
{
    board();
    regions(2, 1); /* not the root's */
    fb_node(&b, "fb@3000000");
    FB_CELLS(&b, "reg", 0, 0x3000000, 0x100000, 1, 0, 0x1000);
    fb_prop(&b, "no-map", "", 0);
    fb_end(&b);
    fb_node(&b, "pool@1000");
    FB_CELLS(&b, "reg", 0, 0x1000, 0x800);
    FB_CELLS(&b, "size", 0x4000); /* with an address, the size says nothing */
    fb_prop(&b, "reusable", "", 0);
    fb_end(&b);
    fb_end(&b);
    TAP_EQ(t, finish_board(), LOAM_OK);
    TAP_EQ(t, info.held_count, 3);
    held_is(t, 0, 0x3000000, 0x100000, "fb@3000000");
    held_is(t, 1, 0x100000000ULL, 0x1000, "fb@3000000");
    held_is(t, 2, 0x1000, 0x800, "pool@1000");
    TAP_CHECK(t, info.held[0].no_map && info.held[1].no_map && !info.held[2].no_map);
    TAP_CHECK(t, info.held[2].reusable && !info.held[0].reusable);
    TAP_EQ(t, info.held[0].source, LOAM_BOOTINFO_REGION);
    TAP_EQ(t, info.dynamic_count, 0);
}

static void region_default_cells(tap *t)
{
    board();
    fb_node(&b, "reserved-memory");
    fb_node(&b, "a");
    FB_CELLS(&b, "reg", 1, 0x1000, 0x2000);
    fb_end(&b);
    fb_end(&b);
    TAP_EQ(t, finish_board(), LOAM_OK);
    held_is(t, 0, 0x100001000ULL, 0x2000, "a");
}

static void region_dynamic(tap *t)
{
    board();
    regions(1, 2);
    fb_node(&b, "cma");
    FB_CELLS(&b, "size", 0, 0x400000);
    FB_CELLS(&b, "alignment", 0, 0x2000);
    fb_prop(&b, "reusable", "", 0);
    fb_end(&b);
    fb_node(&b, "dma");
    FB_CELLS(&b, "size", 0x1000);
    fb_prop(&b, "no-map", "", 0);
    fb_end(&b);
    fb_node(&b, "odd");
    fb_prop(&b, "size", "\1\2\3", 3);
    fb_end(&b);
    fb_end(&b);
    TAP_EQ(t, finish_board(), LOAM_OK);
    TAP_EQ(t, info.held_count, 0);
    TAP_EQ(t, info.dynamic_count, 2);
    TAP_STR(t, info.dynamic[0].name, "cma");
    TAP_EQ(t, info.dynamic[0].len, 0x400000);
    TAP_EQ(t, info.dynamic[0].align, 0x2000);
    TAP_CHECK(t, info.dynamic[0].reusable && !info.dynamic[0].no_map);
    TAP_EQ(t, info.dynamic[1].len, 0x1000);
    TAP_EQ(t, info.dynamic[1].align, 0);
    TAP_CHECK(t, info.dynamic[1].no_map);
    TAP_RULE(t, info.note, "reserved-memory: a size");
}

static void region_left_out(tap *t)
{
    board();
    regions(1, 1);
    fb_node(&b, "off@1000");
    FB_CELLS(&b, "reg", 0x1000, 0x1000);
    fb_str(&b, "status", "disabled");
    fb_end(&b);
    fb_node(&b, "neither");
    fb_end(&b);
    fb_node(&b, "empty@2000");
    FB_CELLS(&b, "reg", 0x2000, 0);
    fb_end(&b);
    fb_node(&b, "group");
    fb_node(&b, "inner@3000"); /* regions are children, not grandchildren */
    FB_CELLS(&b, "reg", 0x3000, 0x1000);
    fb_end(&b);
    fb_end(&b);
    fb_end(&b);
    TAP_EQ(t, finish_board(), LOAM_OK);
    TAP_EQ(t, info.held_count, 0);
    TAP_STR(t, info.note, NULL);
}

static void region_malformed(tap *t)
{
    board();
    regions(1, 1);
    fb_node(&b, "a");
    FB_CELLS(&b, "reg", 0x1000, 0x1000, 0x5000);
    fb_end(&b);
    fb_end(&b);
    refused_is(t, finish_board(), LOAM_EFORMAT, "reserved-memory: reg");
    board();
    regions(3, 1);
    fb_node(&b, "a");
    FB_CELLS(&b, "reg", 0, 0, 0x1000, 0x1000);
    fb_end(&b);
    fb_end(&b);
    refused_is(t, finish_board(), LOAM_EFORMAT, "reserved-memory: #address-cells");
    board();
    regions(2, 2);
    fb_node(&b, "a");
    FB_CELLS(&b, "reg", 0xffffffffU, 0, 1, 1);
    fb_end(&b);
    fb_end(&b);
    refused_is(t, finish_board(), LOAM_ERANGE, "a reserved range leaves");
    board();
    fb_node(&b, "reserved-memory");
    FB_CELLS(&b, "ranges", 0, 0x1000, 0x10000);
    fb_end(&b);
    refused_is(t, finish_board(), LOAM_EFORMAT, "reserved-memory: ranges");
}

static void reserve_too_many(tap *t)
{
    for (unsigned extra = 0; extra <= 1; extra++) {
        board();
        for (unsigned i = 0; i < LOAM_BOOTINFO_HELD + extra; i++)
            fb_reserve(&b, i * 0x2000ULL, 0x1000);
        if (extra == 0)
            TAP_EQ(t, finish_board(), LOAM_OK);
        else
            refused_is(t, finish_board(), LOAM_EFULL, "more than 512");
    }
    board();
    regions(1, 1);
    for (unsigned i = 0; i <= LOAM_BOOTINFO_DYNAMIC; i++) {
        fb_node(&b, "pool");
        FB_CELLS(&b, "size", 0x1000);
        fb_end(&b);
    }
    fb_end(&b);
    refused_is(t, finish_board(), LOAM_EFULL, "reserved-memory: more than 32");
}

static const tap_case cases[] = {
    {"bootinfo memory: every combination of cells", memory_cells},
    {"bootinfo memory: no cells given: 2 and 1", memory_default_cells},
    {"bootinfo memory: several nodes and ranges: all of the root's children", memory_several_nodes},
    {"bootinfo memory: no device_type anywhere: the name stands in", memory_without_type},
    {"bootinfo memory: disabled: not there", memory_disabled},
    {"bootinfo memory: none, empty, all disabled: refused", memory_none},
    {"bootinfo memory: to the top accepted, beyond it refused", memory_wraps},
    {"bootinfo memory: cells or length wrong: refused", memory_malformed},
    {"bootinfo memory: more ranges than fit: refused", memory_too_many},
    {"bootinfo memreserve: all but empty ones; wrapping: refused", reserve_block},
    {"bootinfo reserved-memory: own cells, flags, several ranges", region_static},
    {"bootinfo reserved-memory: no cells given: 2 and 1", region_default_cells},
    {"bootinfo reserved-memory: size only: reported, not held", region_dynamic},
    {"bootinfo reserved-memory: disabled, empty, inner: left out", region_left_out},
    {"bootinfo reserved-memory: malformed: refused", region_malformed},
    {"bootinfo reservations: more than fit: refused", reserve_too_many},
};
TAP_SUITE(bootinfo_memory_test, cases);
