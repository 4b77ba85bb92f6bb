/* SPDX-License-Identifier: MIT */
/* bootinfo_test.c - what a machine says of itself: initrd, words, console, processors; and what a
 * memblock takes over from it. */
#include "bootinfo_tree.h"
#include "tap.h"

enum { SPANS = 1024 };

static loam_span ram[SPANS], held[SPANS], early[1];
static loam_memblock map;

/* ---- chosen ---- */

static loam_err initrd(const uint32_t *start, uint32_t start_cells, const uint32_t *end,
                       uint32_t end_cells)
{
    board();
    fb_node(&b, "chosen");
    if (start != NULL)
        fb_cells(&b, "linux,initrd-start", start, start_cells);
    if (end != NULL)
        fb_cells(&b, "linux,initrd-end", end, end_cells);
    fb_end(&b);
    return finish_board();
}

static void initrd_given(tap *t)
{
    static const uint32_t a[] = {0x8000000, 0}, z[] = {0, 0x8001234}, high[] = {1, 0x10};
    TAP_EQ(t, initrd(a, 1, z + 1, 1), LOAM_OK);
    TAP_EQ(t, info.initrd.base, 0x8000000);
    TAP_EQ(t, info.initrd.len, 0x1234);
    held_is(t, 0, 0x8000000, 0x1234, "initrd");
    TAP_EQ(t, info.held[0].source, LOAM_BOOTINFO_INITRD);
    TAP_EQ(t, initrd(a, 1, z, 2), LOAM_OK);
    TAP_EQ(t, info.initrd.len, 0x1234);
    TAP_EQ(t, initrd(z, 2, high, 2), LOAM_OK);
    TAP_EQ(t, info.initrd.base, 0x8001234);
    TAP_EQ(t, info.initrd.len, 0x100000010ULL - 0x8001234);
    TAP_EQ(t, initrd(a, 1, a, 1), LOAM_OK);
    TAP_EQ(t, info.initrd.len, 0);
    TAP_EQ(t, info.held_count, 0);
}

static void initrd_malformed(tap *t)
{
    static const uint32_t a[] = {0x8000000, 0, 1}, low[] = {0x7ffffff};
    refused_is(t, initrd(a, 1, NULL, 0), LOAM_EFORMAT, "chosen: the initrd has one end");
    refused_is(t, initrd(NULL, 0, a, 1), LOAM_EFORMAT, "chosen: the initrd has one end");
    refused_is(t, initrd(a, 1, low, 1), LOAM_EFORMAT, "chosen: the initrd ends before");
    refused_is(t, initrd(a, 3, a, 1), LOAM_EFORMAT, "chosen: an end of the initrd");
    refused_is(t, initrd(a, 1, a, 0), LOAM_EFORMAT, "chosen: an end of the initrd");
}

static void chosen_cmdline(tap *t)
{
    board();
    TAP_EQ(t, finish_board(), LOAM_OK);
    TAP_STR(t, info.cmdline, "");
    board();
    fb_node(&b, "chosen");
    fb_str(&b, "bootargs", "test demo=osc4");
    fb_end(&b);
    TAP_EQ(t, finish_board(), LOAM_OK);
    TAP_STR(t, info.cmdline, "test demo=osc4");
    TAP_STR(t, info.note, NULL);
    board();
    fb_node(&b, "chosen");
    fb_prop(&b, "bootargs", "test", 4); /* without its end: left out, the tree is good */
    fb_end(&b);
    TAP_EQ(t, finish_board(), LOAM_OK);
    TAP_STR(t, info.cmdline, "");
    TAP_RULE(t, info.note, "chosen: bootargs");
}

static const char *console(const char *prop, const char *value, uint32_t len)
{
    static loam_fdt fdt;
    board();
    fb_node(&b, "aliases");
    fb_str(&b, "serial0", "/soc/serial@2000");
    fb_end(&b);
    fb_node(&b, "soc");
    fb_node(&b, "serial@1000");
    fb_end(&b);
    fb_node(&b, "serial@2000");
    fb_end(&b);
    fb_end(&b);
    fb_node(&b, "chosen");
    fb_prop(&b, prop, value, len);
    fb_end(&b);
    if (finish_board() != LOAM_OK || loam_fdt_open(&fdt, b.blob, b.len, &why) != LOAM_OK)
        return why;
    return loam_fdt_is_none(info.console) ? NULL : loam_fdt_name(&fdt, info.console);
}

static void chosen_console(tap *t)
{
    TAP_STR(t, console("stdout-path", "serial0:115200n8", 17), "serial@2000");
    TAP_STR(t, info.console_options, "115200n8");
    TAP_STR(t, console("stdout-path", "serial0", 8), "serial@2000");
    TAP_STR(t, info.console_options, "");
    TAP_STR(t, console("stdout-path", "/soc/serial@1000:9600", 22), "serial@1000");
    TAP_STR(t, info.console_options, "9600");
    TAP_STR(t, console("linux,stdout-path", "/soc/serial@1000", 17), "serial@1000");
    TAP_STR(t, info.note, NULL);
    TAP_STR(t, console("stdout-path", "serial7:115200", 15), NULL);
    TAP_STR(t, info.console_options, "");
    TAP_RULE(t, info.note, "chosen: stdout-path names no node");
    TAP_STR(t, console("stdout-path", "serial0", 7), NULL);
    TAP_RULE(t, info.note, "chosen: stdout-path is no string");
    TAP_STR(t, console("other", "serial0", 8), NULL);
    TAP_STR(t, info.note, NULL);
}

/* ---- processors and names ---- */

static void cpu_node(const char *name, uint32_t id, const char *status, const char *method)
{
    fb_node(&b, name);
    fb_str(&b, "device_type", "cpu");
    FB_CELLS(&b, "reg", id);
    if (status != NULL)
        fb_str(&b, "status", status);
    if (method != NULL)
        fb_str(&b, "enable-method", method);
    FB_CELLS(&b, "cpu-release-addr", 1, 0xd8 + 8 * id);
    fb_end(&b);
}

static void cpus_listed(tap *t)
{
    board();
    fb_node(&b, "cpus");
    FB_CELLS(&b, "#address-cells", 1);
    FB_CELLS(&b, "#size-cells", 0);
    cpu_node("cpu@0", 0, NULL, "spin-table");
    cpu_node("cpu@1", 1, "okay", "spin-table");
    cpu_node("cpu@2", 2, "disabled", "spin-table"); /* asleep: can be started */
    cpu_node("cpu@3", 3, "disabled", NULL);
    cpu_node("cpu@4", 4, "fail", "spin-table");
    fb_node(&b, "cpu-map");
    fb_end(&b);
    fb_node(&b, "l2-cache");
    fb_str(&b, "device_type", "cache");
    fb_end(&b);
    fb_end(&b);
    TAP_EQ(t, finish_board(), LOAM_OK);
    TAP_EQ(t, info.cpu_count, 3);
    TAP_EQ(t, info.cpu[2].id, 2);
    TAP_EQ(t, info.cpu[2].release, 0x1000000e8ULL);
    TAP_STR(t, info.cpu[0].enable_method, "spin-table");
    TAP_STR(t, info.note, NULL);
}

static void cpus_odd(tap *t)
{
    board();
    fb_node(&b, "cpus");
    FB_CELLS(&b, "#address-cells", 2);
    fb_str(&b, "enable-method", "psci"); /* for all of them */
    fb_node(&b, "cpu@100000002");
    FB_CELLS(&b, "reg", 1, 2);
    fb_end(&b);
    fb_node(&b, "cpu@3");
    FB_CELLS(&b, "reg", 3); /* too short */
    FB_CELLS(&b, "cpu-release-addr", 1, 2, 3);
    fb_end(&b);
    for (unsigned i = 2; i < LOAM_BOOTINFO_CPUS + 5; i++) {
        fb_node(&b, "cpu");
        FB_CELLS(&b, "reg", 0, i);
        fb_end(&b);
    }
    fb_end(&b);
    TAP_EQ(t, finish_board(), LOAM_OK);
    TAP_EQ(t, info.cpu_count, LOAM_BOOTINFO_CPUS + 5);
    TAP_EQ(t, info.cpu[0].id, 0x100000002ULL);
    TAP_STR(t, info.cpu[0].enable_method, "psci");
    TAP_EQ(t, info.cpu[1].id, 0);
    TAP_EQ(t, info.cpu[1].release, 0);
    TAP_EQ(t, info.cpu[LOAM_BOOTINFO_CPUS - 1].id, LOAM_BOOTINFO_CPUS - 1);
    TAP_RULE(t, info.note, "cpus: a processor without");
}

static void names_of_machine(tap *t)
{
    board();
    fb_end(&b);
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_STR(t, info.model, NULL);
    TAP_EQ(t, info.nodes, 2);
    TAP_EQ(t, info.blob_len, b.len);
    fb_start(&b);
    fb_node(&b, "");
    fb_str(&b, "model", "A Board");
    fb_prop(&b, "compatible", "loam,a\0loam,b", 14);
    memory_node("memory");
    FB_CELLS(&b, "reg", 0, 0, 0x1000);
    fb_end(&b);
    TAP_EQ(t, finish_board(), LOAM_OK);
    TAP_STR(t, info.model, "A Board");
    TAP_STR(t, info.compatible, "loam,a");
}

static void broken_tree(tap *t)
{
    board();
    TAP_EQ(t, finish_board(), LOAM_OK);
    loam_err err = loam_bootinfo_from_fdt(&info, b.blob, b.len - 1, &why);
    refused_is(t, err, LOAM_EFORMAT, "F1");
    TAP_EQ(t, loam_bootinfo_from_fdt(&info, b.blob, 0, NULL), LOAM_EFORMAT);
}

/* ---- by hand, and into a memblock ---- */

static void add_and_hold(tap *t)
{
    loam_bootinfo_init(&info);
    TAP_STR(t, info.cmdline, "");
    TAP_STR(t, info.console_options, "");
    TAP_CHECK(t, loam_fdt_is_none(info.console));
    TAP_EQ(t, loam_bootinfo_add(&info, loam_pa_of(5), 0), LOAM_OK);
    TAP_EQ(t, loam_bootinfo_hold(&info, loam_pa_of(5), 0, "x"), LOAM_OK);
    TAP_EQ(t, loam_bootinfo_add(&info, loam_pa_of(2), ~0ULL - 1), LOAM_OK);
    TAP_EQ(t, loam_bootinfo_add(&info, loam_pa_of(2), ~0ULL), LOAM_ERANGE);
    TAP_EQ(t, loam_bootinfo_hold(&info, loam_pa_of(~0ULL), 2, "x"), LOAM_ERANGE);
    TAP_EQ(t, loam_bootinfo_hold(&info, loam_pa_of(0), ~0ULL, "all"), LOAM_OK);
    TAP_EQ(t, info.ram_count, 1);
    TAP_EQ(t, info.held_count, 1);
    held_is(t, 0, 0, ~0ULL, "all");
    while (info.ram_count < LOAM_BOOTINFO_RAM)
        TAP_EQ(t, loam_bootinfo_add(&info, loam_pa_of(1), 1), LOAM_OK);
    TAP_EQ(t, loam_bootinfo_add(&info, loam_pa_of(1), 1), LOAM_EFULL);
    while (info.held_count < LOAM_BOOTINFO_HELD)
        TAP_EQ(t, loam_bootinfo_hold(&info, loam_pa_of(1), 1, "x"), LOAM_OK);
    TAP_EQ(t, loam_bootinfo_hold(&info, loam_pa_of(1), 1, "x"), LOAM_EFULL);
}

static void fresh_map(size_t ram_cap, size_t held_cap)
{
    loam_memblock_init(&map, ram, ram_cap, held, held_cap, early, 1);
}

static void feed_all(tap *t)
{
    board();
    fb_reserve(&b, 0, 0x1000);
    regions(1, 1);
    fb_node(&b, "fb@3000000");
    FB_CELLS(&b, "reg", 0x3000000, 0x100000);
    fb_end(&b);
    fb_end(&b);
    fb_node(&b, "chosen");
    FB_CELLS(&b, "linux,initrd-start", 0x8000000);
    FB_CELLS(&b, "linux,initrd-end", 0x8001234);
    fb_end(&b);
    TAP_EQ(t, finish_board(), LOAM_OK);
    TAP_EQ(t, loam_bootinfo_hold(&info, loam_pa_of(0x80000), 0x20000, "kernel"), LOAM_OK);
    fresh_map(SPANS, SPANS);
    TAP_EQ(t, loam_bootinfo_feed(&info, &map, NULL), LOAM_OK);
    TAP_EQ(t, map.ram.count, 1);
    TAP_EQ(t, map.held.count, 4);
    TAP_EQ(t, held[1].base, 0x80000);
    TAP_EQ(t, held[3].base, 0x8000000);
    TAP_EQ(t, held[3].len, 0x1234);
    TAP_RULE(t, loam_memblock_check(&map), NULL);
}

static void feed_refused(tap *t)
{
    loam_bootinfo_refusal refused = {0};
    loam_bootinfo_init(&info);
    loam_bootinfo_add(&info, loam_pa_of(0), 0x1000);
    loam_bootinfo_add(&info, loam_pa_of(0x4000), 0x2000);
    loam_bootinfo_hold(&info, loam_pa_of(0), 0x10, "first");
    loam_bootinfo_hold(&info, loam_pa_of(0x40), 0x20, "second");
    fresh_map(1, SPANS);
    TAP_EQ(t, loam_bootinfo_feed(&info, &map, &refused), LOAM_EFULL);
    TAP_EQ(t, refused.err, LOAM_EFULL);
    TAP_STR(t, refused.name, "ram");
    TAP_EQ(t, refused.span.base, 0x4000);
    TAP_EQ(t, refused.span.len, 0x2000);
    fresh_map(SPANS, 1);
    TAP_EQ(t, loam_bootinfo_feed(&info, &map, &refused), LOAM_EFULL);
    TAP_STR(t, refused.name, "second");
    TAP_EQ(t, refused.span.base, 0x40);
}

static loam_span given[8];
static size_t given_count;

static loam_err give(void *ctx, loam_pfn first, uint64_t count)
{
    (void)ctx;
    if (given_count == LOAM_ARRAY_LEN(given))
        return LOAM_EFULL;
    given[given_count++] = (loam_span){first.v, count};
    return LOAM_OK;
}

static void usable_frames(tap *t)
{
    root_cells(1, 1);
    memory_node("memory@0"); /* unaligned ends, two that overlap, one smaller than a frame */
    FB_CELLS(&b, "reg", 0x1800, 0x7000, 0x6000, 0x4fff, 0x20000, 0x800);
    fb_end(&b);
    fb_reserve(&b, 0x3fff, 2); /* one byte in each of two frames */
    fb_reserve(&b, 0x7010, 1);
    fb_reserve(&b, 0x7800, 0x10);
    TAP_EQ(t, finish_board(), LOAM_OK);
    fresh_map(SPANS, SPANS);
    given_count = 0;
    TAP_EQ(t, loam_bootinfo_usable(&info, &map, NULL, give, NULL), LOAM_OK);
    TAP_EQ(t, given_count, 3);
    TAP_EQ(t, given[0].base, 2);
    TAP_EQ(t, given[0].len, 1);
    TAP_EQ(t, given[1].base, 5);
    TAP_EQ(t, given[1].len, 2);
    TAP_EQ(t, given[2].base, 8);
    TAP_EQ(t, given[2].len, 2);
    TAP_EQ(t, loam_bootinfo_usable(&info, &map, NULL, give, NULL), LOAM_ESTATE);
}

static const tap_case cases[] = {
    {"bootinfo initrd: 32 and 64 bits, none", initrd_given},
    {"bootinfo initrd: malformed: refused", initrd_malformed},
    {"bootinfo bootargs: there, absent, endless", chosen_cmdline},
    {"bootinfo stdout-path: path, alias, options, wrong ones", chosen_console},
    {"bootinfo cpus: those that can run", cpus_listed},
    {"bootinfo cpus: wide, short and many", cpus_odd},
    {"bootinfo model, compatible: there and absent", names_of_machine},
    {"bootinfo_from_fdt: a broken tree: its rule, and nothing left behind", broken_tree},
    {"bootinfo_add, hold: empty, wrapping, full", add_and_hold},
    {"bootinfo_feed: everything reaches the memblock", feed_all},
    {"bootinfo_feed: a full memblock: names what it did not take", feed_refused},
    {"bootinfo_usable: whole frames that nobody touches, once", usable_frames},
};
TAP_SUITE(bootinfo_test, cases);
