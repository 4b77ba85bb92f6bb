/* SPDX-License-Identifier: MIT */
#include "loam/bootinfo.h"
#include "loam/multiboot2.h"
#include "phys_build.h"
#include "tap.h"

static phys_build b;
static loam_bootinfo info;
static const char *why;
static uint32_t tag_at;

static const loam_phys reader = {pb_read, &b};

/* ---- writing information ---- */

static void start(void)
{
    pb_start(&b);
    b.used = 8;
}

static void tag(uint32_t type)
{
    pb_align(&b, 8);
    tag_at = b.used;
    pb_add(&b, type, 4);
    pb_add(&b, 0, 4);
}

static void tag_end(void)
{
    pb_put(&b, tag_at + 4, b.used - tag_at, 4);
}

static void tag_text(uint32_t type, const char *text)
{
    tag(type);
    (void)pb_text(&b, text);
    tag_end();
}

static void map_start(uint32_t each)
{
    tag(LOAM_MB2_MAP);
    pb_add(&b, each, 4);
    pb_add(&b, 0, 4);
    tag_end();
}

/* Of the map that was started last, while nothing else has followed it. */
static void region(uint64_t base, uint64_t len, uint32_t type)
{
    uint32_t from = b.used, each = (uint32_t)pb_get(&b, tag_at + 8, 4);
    pb_add(&b, base, 8);
    pb_add(&b, len, 8);
    pb_add(&b, type, 4);
    b.used = from + each;
    tag_end();
}

static void module(uint32_t first, uint32_t end, const char *text)
{
    tag(LOAM_MB2_MODULE);
    pb_add(&b, first, 4);
    pb_add(&b, end, 4);
    (void)pb_text(&b, text);
    tag_end();
}

static void sizes(uint32_t lower, uint32_t upper)
{
    tag(LOAM_MB2_SIZES);
    pb_add(&b, lower, 4);
    pb_add(&b, upper, 4);
    tag_end();
}

static loam_err open_it(void)
{
    why = NULL;
    return loam_bootinfo_from_mb2(&info, LOAM_MB2_MAGIC, loam_pa_of(PB_BASE), &reader, &why);
}

static loam_err finish(void)
{
    tag(LOAM_MB2_END);
    tag_end();
    pb_put(&b, 0, b.used, 4);
    return open_it();
}

static void refused_is(tap *t, loam_err err, loam_err want, const char *text)
{
    TAP_STR(t, loam_err_name(err), loam_err_name(want));
    TAP_RULE(t, why, text);
    TAP_EQ(t, info.ram_count + info.held_count + info.module_count + info.text_used, 0);
    TAP_EQ(t, info.node_count, 1);
    TAP_STR(t, info.cmdline, "");
}

static void held_is(tap *t, size_t i, uint64_t base, uint64_t len, const char *name)
{
    TAP_CHECK(t, i < info.held_count);
    TAP_EQ(t, info.held[i].span.base, base);
    TAP_EQ(t, info.held[i].span.len, len);
    TAP_STR(t, info.held[i].name, name);
}

/* ---- what is told ---- */

static void everything(tap *t)
{
    start();
    tag_text(LOAM_MB2_CMDLINE, "test off");
    tag_text(LOAM_MB2_LOADER, "GRUB 2.06");
    tag_text(77, "of a kind that nobody knows");
    map_start(32);
    region(0x100000, 0x7ee0000, 1);
    region(0, 0x9fc00, 1);
    region(0x9fc00, 0x400, 2);
    region(0x7fe0000, 0x20000, 3);
    region(0xfffffffffffff000ULL, 0x1000, 5);
    region(0x5000, 0, 1);
    module(0x200000, 0x200123, "initrd.cpio one");
    sizes(5000, 5000); /* not to be looked at */
    module(0x300000, 0x300000, "empty: none");
    module(0x400000, 0x400001, "");
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_EQ(t, info.ram_count, 2);
    TAP_EQ(t, info.ram[0].base, 0x100000);
    TAP_EQ(t, info.ram[0].len, 0x7ee0000);
    TAP_EQ(t, info.ram[1].len, 0x9fc00);
    TAP_EQ(t, info.held_count, 5);
    held_is(t, 0, 0x9fc00, 0x400, "firmware");
    held_is(t, 1, 0x7fe0000, 0x20000, "ACPI tables");
    held_is(t, 2, 0xfffffffffffff000ULL, 0x1000, "bad RAM");
    held_is(t, 3, 0x200000, 0x123, "module");
    held_is(t, 4, 0x400000, 1, "module");
    TAP_EQ(t, info.initrd.base, 0x200000);
    TAP_EQ(t, info.initrd.len, 0x123);
    TAP_EQ(t, info.module_count, 2);
    TAP_STR(t, info.module[0].text, "initrd.cpio one");
    TAP_STR(t, info.module[1].text, "");
    TAP_STR(t, info.cmdline, "test off");
    TAP_STR(t, info.loader, "GRUB 2.06");
    TAP_STR(t, info.note, NULL);
    TAP_EQ(t, info.rsdp, 0);
}

static void sizes_without_a_map(tap *t)
{
    start();
    sizes(639, 0xffffffff);
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_EQ(t, info.ram_count, 2);
    TAP_EQ(t, info.ram[0].len, 639 << 10);
    TAP_EQ(t, info.ram[1].len, 0xffffffffULL << 10);
    TAP_STR(t, info.loader, NULL);
    start();
    map_start(24); /* of no entries: as if there were none */
    sizes(0, 1);
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_EQ(t, info.ram_count, 1);
    start();
    sizes(641, 1);
    refused_is(t, finish(), LOAM_EFORMAT, "no memory map, and more than 640 KiB");
    start();
    refused_is(t, finish(), LOAM_ENOENT, "no memory map, and no sizes");
    start();
    map_start(24);
    region(0, 0x1000, 2);
    sizes(1, 1);
    refused_is(t, finish(), LOAM_ENOENT, "no RAM in the memory map");
}

static void the_first_counts(tap *t)
{
    start();
    tag_text(LOAM_MB2_CMDLINE, "one");
    tag_text(LOAM_MB2_CMDLINE, "two");
    map_start(24);
    region(0x100000, 0x1000, 1);
    map_start(24);
    region(0x200000, 0x1000, 1);
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_STR(t, info.cmdline, "one");
    TAP_EQ(t, info.ram_count, 1);
    TAP_EQ(t, info.ram[0].base, 0x100000);
}

static void refused_memory(tap *t)
{
    start();
    map_start(24);
    region(0xfffffffffffff000ULL, 0x1001, 1);
    refused_is(t, finish(), LOAM_ERANGE, "memory map: an entry leaves");
    start();
    map_start(24);
    for (uint32_t i = 0; i <= LOAM_BOOTINFO_RAM; i++)
        region(i << 13, 0x1000, 1);
    refused_is(t, finish(), LOAM_EFULL, "memory map: more than 256");
    start();
    map_start(24);
    region(0, 0x1000, 1);
    module(0x500001, 0x500000, "");
    refused_is(t, finish(), LOAM_EFORMAT, "a module ends before");
}

static void strings(tap *t)
{
    start();
    map_start(24);
    region(0, 0x1000, 1);
    tag(LOAM_MB2_CMDLINE);
    pb_add(&b, 'a', 1);
    pb_add(&b, 'b', 1);
    tag_end(); /* no 0 in it: what follows is not its */
    module(1, 2, "");
    pb_put(&b, tag_at + 4, 16, 4); /* no room for a string at all */
    b.used = tag_at + 16;
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_STR(t, info.cmdline, "ab");
    TAP_STR(t, info.note, "the command line is cut");
    TAP_STR(t, info.module[0].text, "");
}

/* ---- the format ---- */

static void no_information(tap *t)
{
    start();
    sizes(1, 1);
    TAP_EQ(t, finish(), LOAM_OK);
    loam_pa at = loam_pa_of(PB_BASE);
    TAP_EQ(t, loam_bootinfo_from_mb2(&info, 0x2badb002, at, &reader, &why), LOAM_EFORMAT);
    TAP_RULE(t, why, "J1 ");
    TAP_EQ(t, loam_bootinfo_from_mb2(&info, 0, at, &reader, NULL), LOAM_EFORMAT);
    static const uint64_t places[] = {0, PB_BASE - 8, PB_BASE + 4, PB_BASE + PB_CAP, ~7ULL, ~0ULL};
    for (size_t i = 0; i < LOAM_ARRAY_LEN(places); i++) {
        at = loam_pa_of(places[i]);
        TAP_EQ(t, loam_bootinfo_from_mb2(&info, LOAM_MB2_MAGIC, at, &reader, &why), LOAM_EFORMAT);
        TAP_RULE(t, why, "J2 ");
    }
    b.readable = b.used - 1;
    refused_is(t, open_it(), LOAM_EFORMAT, "J2 ");
    b.readable = PB_CAP;
    static const uint32_t totals[] = {0, 1, 7, PB_CAP + 1, 0xffffffff};
    for (size_t i = 0; i < LOAM_ARRAY_LEN(totals); i++) {
        pb_put(&b, 0, totals[i], 4);
        refused_is(t, open_it(), LOAM_EFORMAT, "J2 ");
    }
}

static void broken_tags(tap *t)
{
    static const uint32_t wrong[] = {0, 1, 7, 0x7fffffff, 0xffffffff};
    start();
    tag_text(9, "some");
    sizes(1, 1);
    TAP_EQ(t, finish(), LOAM_OK);
    uint32_t total = b.used;
    for (size_t i = 0; i < LOAM_ARRAY_LEN(wrong); i++) {
        pb_put(&b, 8 + 4, wrong[i], 4);
        refused_is(t, open_it(), LOAM_EFORMAT, "J3 ");
    }
    pb_put(&b, 8 + 4, total - 8 + 1, 4); /* one byte too many */
    refused_is(t, open_it(), LOAM_EFORMAT, "J3 ");
    pb_put(&b, 8 + 4, total - 8, 4); /* all of it: and then there is no end */
    refused_is(t, open_it(), LOAM_EFORMAT, "J4 ");
    pb_put(&b, 8 + 4, 13, 4);
    for (uint32_t cut = 1; cut <= 8; cut++) {
        pb_put(&b, 0, total - cut, 4);
        refused_is(t, open_it(), LOAM_EFORMAT, "J4 ");
    }
    pb_put(&b, 0, 8, 4);
    refused_is(t, open_it(), LOAM_EFORMAT, "J4 ");
}

static void small_tags(tap *t)
{
    static const uint32_t types[] = {LOAM_MB2_SIZES, LOAM_MB2_MODULE, LOAM_MB2_MAP};
    for (size_t i = 0; i < LOAM_ARRAY_LEN(types); i++) {
        start();
        tag(types[i]);
        pb_add(&b, 24, 7);
        tag_end();
        refused_is(t, finish(), LOAM_EFORMAT, "J5 ");
    }
}

static void broken_maps(tap *t)
{
    static const uint32_t each[] = {0, 1, 23, 25, 40, 47, 0xffffffff};
    start();
    map_start(24);
    region(0, 0x1000, 1);
    region(0x2000, 0x1000, 1);
    TAP_EQ(t, finish(), LOAM_OK);
    for (size_t i = 0; i < LOAM_ARRAY_LEN(each); i++) {
        pb_put(&b, 8 + 8, each[i], 4);
        refused_is(t, open_it(), LOAM_EFORMAT, "J6 ");
    }
    pb_put(&b, 8 + 8, 48, 4);
    TAP_EQ(t, open_it(), LOAM_OK);
    TAP_EQ(t, info.ram_count, 1);
}

static void steps(tap *t)
{
    loam_mb2 mb;
    loam_mb2_tag found;
    loam_mb2_region r;
    uint32_t at = 0, lower, upper;
    start();
    map_start(24);
    region(1, 2, 3);
    sizes(4, 5);
    module(7, 8, "x");
    TAP_EQ(t, finish(), LOAM_ENOENT);
    TAP_EQ(t, loam_mb2_open(&mb, LOAM_MB2_MAGIC, PB_BASE, &reader, NULL), LOAM_OK);
    TAP_CHECK(t, loam_mb2_tag_find(&mb, LOAM_MB2_MAP, &found));
    TAP_CHECK(t, loam_mb2_region_next(&mb, &found, &at, &r) && r.base == 1 && r.type == 3);
    TAP_CHECK(t, !loam_mb2_region_next(&mb, &found, &at, &r));
    b.readable = 0; /* what could be read once is asked for again */
    at = 0;
    TAP_CHECK(t, !loam_mb2_region_next(&mb, &found, &at, &r));
    b.readable = PB_CAP;
    TAP_CHECK(t, loam_mb2_tag_find(&mb, LOAM_MB2_SIZES, &found));
    loam_mb2_sizes_get(&mb, &found, &lower, &upper);
    TAP_EQ(t, lower * 16 + upper, 0x45);
    TAP_CHECK(t, loam_mb2_tag_find(&mb, LOAM_MB2_MODULE, &found));
    TAP_EQ(t, loam_mb2_module_get(&mb, &found).end, 8);
    TAP_EQ(t, loam_mb2_module_get(&mb, &found).text_len, 2);
    b.readable = 0;
    TAP_EQ(t, loam_mb2_module_get(&mb, &found).end, 0);
    loam_mb2_sizes_get(&mb, &found, &lower, &upper);
    TAP_EQ(t, lower + upper, 0);
    TAP_CHECK(t, !loam_mb2_tag_find(&mb, LOAM_MB2_MAP, &found));
}

static const tap_case cases[] = {
    {"bootinfo_from_mb2: map, modules, words; unknown tags are stepped over", everything},
    {"bootinfo_from_mb2: no map: lower and upper memory", sizes_without_a_map},
    {"bootinfo_from_mb2: a tag twice: the first counts", the_first_counts},
    {"bootinfo_from_mb2: ranges that wrap, too many, a module backwards: refused", refused_memory},
    {"bootinfo_from_mb2: strings end in their tags", strings},
    {"mb2_open: wrong magic, information that cannot be read: J1, J2", no_information},
    {"mb2_open: tags too small, too large, no end: J3, J4", broken_tags},
    {"mb2_open: tags without their fields: J5", small_tags},
    {"mb2_open: entries of the map too small, not whole: J6", broken_maps},
    {"mb2_tag_find, region_next, module_get: memory that goes away", steps},
};
TAP_SUITE(multiboot2_test, cases);
