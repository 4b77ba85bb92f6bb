/* SPDX-License-Identifier: MIT */
#include "loam/bootinfo.h"
#include "loam/pvh.h"
#include "phys_build.h"
#include "tap.h"

enum { HEAD = 56, VERSION = 4, MODULES = 12, CMDLINE = 24, RSDP = 32, MAP = 40 };

static phys_build b;
static loam_bootinfo info;
static const char *why;
static uint32_t map_at, modules_at;

static const loam_phys reader = {pb_read, &b};

/* ---- writing information ---- */

static void start(void)
{
    pb_start(&b);
    b.used = HEAD;
    map_at = modules_at = 0;
    pb_put(&b, 0, LOAM_PVH_MAGIC, 4);
    pb_put(&b, VERSION, 1, 4);
}

/* Entries follow each other: nothing else is put between them. The same for modules. */
static void region(uint64_t base, uint64_t len, uint32_t type)
{
    if (map_at == 0) {
        map_at = b.used;
        pb_put(&b, MAP, PB_BASE + map_at, 8);
    }
    pb_add(&b, base, 8);
    pb_add(&b, len, 8);
    pb_add(&b, type, 8);
    pb_put(&b, MAP + 8, (b.used - map_at) / 24, 4);
}

static void module(uint64_t base, uint64_t len, uint64_t text)
{
    if (modules_at == 0) {
        modules_at = b.used;
        pb_put(&b, MODULES + 4, PB_BASE + modules_at, 8);
    }
    pb_add(&b, base, 8);
    pb_add(&b, len, 8);
    pb_add(&b, text, 8);
    pb_add(&b, 0, 8);
    pb_put(&b, MODULES, (b.used - modules_at) / 32, 4);
}

static loam_err finish(void)
{
    why = NULL;
    return loam_bootinfo_from_pvh(&info, loam_pa_of(PB_BASE), &reader, &why);
}

static void refused_is(tap *t, loam_err err, loam_err want, const char *text)
{
    TAP_STR(t, loam_err_name(err), loam_err_name(want));
    TAP_RULE(t, why, text);
    TAP_EQ(t, info.ram_count + info.held_count + info.module_count + info.text_used, 0);
    TAP_STR(t, info.cmdline, "");
}

/* ---- what is told ---- */

static void everything(tap *t)
{
    start();
    region(0x100000000ULL, 0xe000000000ULL, 1);
    region(0, 0x9fc00, 1);
    region(0xf0000, 0x10000, 2);
    region(0, 0, 1);
    uint64_t text = pb_text(&b, "initrd.cpio");
    module(0x7f00000, 0x1234, text);
    module(0x7e00000, 0, 0);
    pb_put(&b, CMDLINE, pb_text(&b, "shell off"), 8);
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_EQ(t, info.ram_count, 2);
    TAP_EQ(t, info.ram[0].len, 0xe000000000ULL);
    TAP_EQ(t, info.held_count, 2);
    TAP_STR(t, info.held[0].name, "firmware");
    TAP_STR(t, info.held[1].name, "module");
    TAP_EQ(t, info.module_count, 1);
    TAP_STR(t, info.module[0].text, "initrd.cpio");
    TAP_EQ(t, info.initrd.base, 0x7f00000);
    TAP_EQ(t, info.initrd.len, 0x1234);
    TAP_STR(t, info.cmdline, "shell off");
    TAP_STR(t, info.loader, NULL);
    TAP_STR(t, info.note, NULL);
    TAP_EQ(t, info.rsdp, 0);
    pb_put(&b, RSDP, PB_BASE + PB_CAP - 20, 8);
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_EQ(t, info.rsdp, PB_BASE + PB_CAP - 20);
    TAP_RULE(t, info.note, "Y1 ");
}

static void refused_memory(tap *t)
{
    start();
    refused_is(t, finish(), LOAM_ENOENT, "no RAM in the memory map");
    region(0x1000, 0xfffffffffffff000ULL, 1);
    TAP_EQ(t, finish(), LOAM_OK); /* ends at 2^64: no wrap */
    region(0x1000, 0xfffffffffffff001ULL, 2);
    refused_is(t, finish(), LOAM_ERANGE, "memory map: an entry leaves");
    start();
    region(0x1000, 0x1000, 1);
    module(0x1000, 0xfffffffffffff001ULL, 0);
    refused_is(t, finish(), LOAM_ERANGE, "a module leaves");
}

/* ---- the format ---- */

static void no_information(tap *t)
{
    static const uint64_t places[] = {0, PB_BASE + 1, PB_BASE + PB_CAP - 39, ~0ULL, ~39ULL};
    start();
    region(0, 0x1000, 1);
    TAP_EQ(t, finish(), LOAM_OK);
    for (size_t i = 0; i < LOAM_ARRAY_LEN(places); i++) {
        TAP_EQ(t, loam_bootinfo_from_pvh(&info, loam_pa_of(places[i]), &reader, &why),
               LOAM_EFORMAT);
        TAP_RULE(t, why, "W1 ");
    }
    TAP_EQ(t, loam_bootinfo_from_pvh(&info, loam_pa_of(0), &reader, NULL), LOAM_EFORMAT);
    b.readable = HEAD - 1;
    refused_is(t, finish(), LOAM_EFORMAT, "W1 ");
    b.readable = PB_CAP;
    pb_put(&b, VERSION, 0, 4);
    refused_is(t, finish(), LOAM_EFORMAT, "W2 ");
    pb_put(&b, VERSION, 0xffffffff, 4);
    TAP_EQ(t, finish(), LOAM_OK);
}

static void lists_elsewhere(tap *t)
{
    start();
    region(0, 0x1000, 1);
    b.readable = b.used - 1;
    refused_is(t, finish(), LOAM_EFORMAT, "W3 ");
    b.readable = b.used;
    TAP_EQ(t, finish(), LOAM_OK);
    pb_put(&b, MAP + 8, 0xffffffff, 4);
    refused_is(t, finish(), LOAM_EFORMAT, "W3 ");
    pb_put(&b, MAP + 8, 0x0aaaaaab, 4); /* times 24 is 8 in 32 bits */
    refused_is(t, finish(), LOAM_EFORMAT, "W3 ");
    pb_put(&b, MAP + 8, 1, 4);
    pb_put(&b, MAP, ~0ULL - 11, 8);
    refused_is(t, finish(), LOAM_EFORMAT, "W3 ");
    start();
    region(0, 0x1000, 1);
    module(0x2000, 0x1000, 0);
    b.readable = b.used - 1;
    refused_is(t, finish(), LOAM_EFORMAT, "W4 ");
    b.readable = b.used;
    TAP_EQ(t, finish(), LOAM_OK);
    pb_put(&b, MODULES, 0x08000001, 4); /* times 32 is 32 in 32 bits */
    refused_is(t, finish(), LOAM_EFORMAT, "W4 ");
}

static void steps(tap *t)
{
    loam_pvh pvh;
    start();
    region(1, 2, 3);
    region(4, 5, 6);
    module(7, 8, 9);
    TAP_EQ(t, loam_pvh_open(&pvh, PB_BASE, &reader, NULL), LOAM_OK);
    TAP_EQ(t, pvh.map_count * 16 + pvh.module_count, 0x21);
    TAP_EQ(t, loam_pvh_region_get(&pvh, 1).base, 4);
    TAP_EQ(t, loam_pvh_region_get(&pvh, 1).type, 6);
    TAP_EQ(t, loam_pvh_module_get(&pvh, 0).text, 9);
    b.readable = 0; /* what could be read once is asked for again */
    TAP_EQ(t, loam_pvh_region_get(&pvh, 1).base, 0);
    TAP_EQ(t, loam_pvh_module_get(&pvh, 0).text, 0);
}

static const tap_case cases[] = {
    {"bootinfo_from_pvh: map, modules, words, ACPI", everything},
    {"bootinfo_from_pvh: no RAM, ranges that wrap: refused", refused_memory},
    {"pvh_open: no information, of another version: W1, W2", no_information},
    {"pvh_open: lists that cannot be read: W3, W4", lists_elsewhere},
    {"pvh_region_get, module_get: memory that goes away", steps},
};
TAP_SUITE(pvh_test, cases);
