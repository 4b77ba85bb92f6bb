/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_BOOTINFO_TREE_H
#define LOAM_TEST_BOOTINFO_TREE_H

/* bootinfo_tree.h - device trees in pieces, and what loam_bootinfo_from_fdt makes of them.
 *
 *     board();                                      // a root with 256 MiB of RAM, still open
 *     fb_node(&b, "chosen");
 *     fb_end(&b);
 *     TAP_EQ(t, finish_board(), LOAM_OK);
 *     ram_is(t, 0, 0, 0x10000000);
 */
#include "fdt_build.h"
#include "loam/bootinfo.h"
#include "tap.h"

static fdt_build b;
static loam_bootinfo info;
static const char *why;

static inline loam_err finish(void)
{
    fb_finish(&b);
    why = NULL;
    return loam_bootinfo_from_fdt(&info, b.blob, b.len, &why);
}

static inline void root_cells(uint32_t address, uint32_t size)
{
    fb_start(&b);
    fb_node(&b, "");
    FB_CELLS(&b, "#address-cells", address);
    FB_CELLS(&b, "#size-cells", size);
}

static inline void memory_node(const char *name)
{
    fb_node(&b, name);
    fb_str(&b, "device_type", "memory");
}

/* A root with 256 MiB of RAM at 0, still open. */
static inline void board(void)
{
    root_cells(1, 1);
    memory_node("memory@0");
    FB_CELLS(&b, "reg", 0, 0x10000000);
    fb_end(&b);
}

static inline loam_err finish_board(void)
{
    fb_end(&b);
    return finish();
}

static inline void regions(uint32_t address, uint32_t size)
{
    fb_node(&b, "reserved-memory");
    FB_CELLS(&b, "#address-cells", address);
    FB_CELLS(&b, "#size-cells", size);
    fb_prop(&b, "ranges", "", 0);
}

static inline void ram_is(tap *t, size_t i, uint64_t base, uint64_t len)
{
    TAP_CHECK(t, i < info.ram_count);
    TAP_EQ(t, info.ram[i].base, base);
    TAP_EQ(t, info.ram[i].len, len);
}

static inline void held_is(tap *t, size_t i, uint64_t base, uint64_t len, const char *name)
{
    TAP_CHECK(t, i < info.held_count);
    TAP_EQ(t, info.held[i].span.base, base);
    TAP_EQ(t, info.held[i].span.len, len);
    TAP_STR(t, info.held[i].name, name);
}

/* The tree was refused in this way, and left nothing behind. */
static inline void refused_is(tap *t, loam_err err, loam_err want, const char *text)
{
    TAP_STR(t, loam_err_name(err), loam_err_name(want));
    TAP_RULE(t, why, text);
    TAP_EQ(t, info.ram_count, 0);
    TAP_EQ(t, info.held_count, 0);
    TAP_EQ(t, info.dynamic_count, 0);
    TAP_EQ(t, info.initrd.len, 0);
    TAP_STR(t, info.cmdline, "");
    TAP_EQ(t, info.nodes, 0);
}

#endif
