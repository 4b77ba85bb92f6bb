/* SPDX-License-Identifier: MIT */
#include "loam/bootinfo.h"
#include "loam/multiboot1.h"
#include "tap.h"

/* Physical memory of a machine: `memory` lies at BASE, and there is nothing else. */
enum { BASE = 0x9000, CAP = 16384, INFO = 0, REST = 128 };
enum { SIZES = 1 << 0, CMDLINE = 1 << 2, MODULES = 1 << 3, MAP = 1 << 6, LOADER = 1 << 9 };
enum { AT_LOWER = 4, AT_UPPER = 8, AT_CMDLINE = 16, AT_COUNT = 20, AT_MODULES = 24 };
enum { AT_MAP_LEN = 44, AT_MAP = 48, AT_LOADER = 64 };

static unsigned char memory[CAP];
static uint32_t used, map_at, modules_at, readable;
static loam_bootinfo info;
static const char *why;

static const void *read_memory(void *ctx, uint64_t at, uint64_t len)
{
    (void)ctx;
    bool inside = at >= BASE && at - BASE <= readable && len <= readable - (at - BASE);
    return inside ? memory + (at - BASE) : NULL;
}

static const loam_phys reader = {read_memory, NULL};

/* ---- writing information ---- */

static void put32(uint32_t at, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        memory[at + i] = (unsigned char)(v >> 8 * i);
}

static void put64(uint32_t at, uint64_t v)
{
    put32(at, (uint32_t)v);
    put32(at + 4, (uint32_t)(v >> 32));
}

static uint32_t get32(uint32_t at)
{
    return memory[at] | (uint32_t)memory[at + 1] << 8 | (uint32_t)memory[at + 2] << 16 |
           (uint32_t)memory[at + 3] << 24;
}

static void flag(uint32_t flags)
{
    put32(INFO, get32(INFO) | flags);
}

static void start(void)
{
    for (size_t i = 0; i < CAP; i++)
        memory[i] = 0;
    used = REST;
    map_at = modules_at = 0;
    readable = CAP;
}

static uint32_t put_text(const char *text)
{
    uint32_t at = used;
    do
        memory[used++] = (unsigned char)*text;
    while (*text++ != '\0');
    return BASE + at;
}

/* Entries follow each other: nothing else is put between them. */
static void region(uint64_t base, uint64_t len, uint32_t type, uint32_t extra)
{
    if (map_at == 0) {
        map_at = used;
        put32(AT_MAP, BASE + map_at);
        flag(MAP);
    }
    put32(used, 20 + extra);
    put64(used + 4, base);
    put64(used + 12, len);
    put32(used + 20, type);
    used += 24 + extra;
    put32(AT_MAP_LEN, used - map_at);
}

static void module(uint32_t first, uint32_t end, uint32_t text)
{
    if (modules_at == 0) {
        modules_at = used;
        put32(AT_MODULES, BASE + modules_at);
        flag(MODULES);
    }
    put32(used, first);
    put32(used + 4, end);
    put32(used + 8, text);
    used += 16;
    put32(AT_COUNT, get32(AT_COUNT) + 1);
}

static loam_err finish(void)
{
    why = NULL;
    return loam_bootinfo_from_mb1(&info, LOAM_MB1_MAGIC, loam_pa_of(BASE), &reader, &why);
}

static void refused_is(tap *t, loam_err err, loam_err want, const char *text)
{
    TAP_STR(t, loam_err_name(err), loam_err_name(want));
    TAP_RULE(t, why, text);
    TAP_EQ(t, info.ram_count, 0);
    TAP_EQ(t, info.held_count, 0);
    TAP_EQ(t, info.module_count, 0);
    TAP_EQ(t, info.text_used, 0);
    TAP_STR(t, info.cmdline, "");
}

static void held_is(tap *t, size_t i, uint64_t base, uint64_t len, const char *name)
{
    TAP_CHECK(t, i < info.held_count);
    TAP_EQ(t, info.held[i].span.base, base);
    TAP_EQ(t, info.held[i].span.len, len);
    TAP_STR(t, info.held[i].name, name);
}

/* ---- memory ---- */

static void a_map(tap *t)
{
    start();
    region(0x100000, 0x3ee0000, 1, 0);
    region(0, 0x9fc00, 1, 4);
    region(0x9fc00, 0x400, 2, 0);
    region(0x3fe0000, 0x20000, 3, 0);
    region(0xfffc0000, 0x40000, 7, 100);
    region(0x100000000ULL, 0x40000000, 1, 0);
    region(0x5000, 0, 1, 0);
    region(0x6000, 0, 4, 0);
    region(0x7000, 0x10, 4, 0);
    region(0xfffffffffffff000ULL, 0x1000, 5, 0); /* ends at 2^64: no wrap */
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_EQ(t, info.ram_count, 3);
    TAP_EQ(t, info.ram[0].base, 0x100000);
    TAP_EQ(t, info.ram[0].len, 0x3ee0000);
    TAP_EQ(t, info.ram[1].base, 0);
    TAP_EQ(t, info.ram[1].len, 0x9fc00);
    TAP_EQ(t, info.ram[2].base, 0x100000000ULL);
    TAP_EQ(t, info.held_count, 5);
    held_is(t, 0, 0x9fc00, 0x400, "firmware");
    held_is(t, 1, 0x3fe0000, 0x20000, "ACPI tables");
    held_is(t, 2, 0xfffc0000, 0x40000, "firmware");
    held_is(t, 3, 0x7000, 0x10, "ACPI storage");
    held_is(t, 4, 0xfffffffffffff000ULL, 0x1000, "bad RAM");
    TAP_EQ(t, info.held[0].source, LOAM_BOOTINFO_REGION);
    TAP_STR(t, info.cmdline, "");
    TAP_STR(t, info.loader, NULL);
    TAP_STR(t, info.note, NULL);
    TAP_EQ(t, info.initrd.len, 0);
}

static void sizes_without_a_map(tap *t)
{
    start();
    flag(SIZES);
    put32(AT_LOWER, 639);
    put32(AT_UPPER, 0xffffffff);
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_EQ(t, info.ram_count, 2);
    TAP_EQ(t, info.ram[0].len, 639 << 10);
    TAP_EQ(t, info.ram[1].base, 0x100000);
    TAP_EQ(t, info.ram[1].len, 0xffffffffULL << 10);
    put32(AT_LOWER, 0);
    flag(MAP); /* of 0 bytes: as if there were none */
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_EQ(t, info.ram_count, 1);
    put32(AT_LOWER, 641);
    refused_is(t, finish(), LOAM_EFORMAT, "no memory map, and more than 640 KiB");
    put32(AT_LOWER, 0);
    put32(AT_UPPER, 0);
    refused_is(t, finish(), LOAM_ENOENT, "no RAM");
    start();
    refused_is(t, finish(), LOAM_ENOENT, "no memory map, and no sizes");
}

static void a_map_counts_alone(tap *t)
{
    start();
    flag(SIZES);
    put32(AT_LOWER, 5000);
    put32(AT_UPPER, 5000);
    region(0x200000, 0x1000, 1, 0);
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_EQ(t, info.ram_count, 1);
    put32(map_at + 20, 2);
    refused_is(t, finish(), LOAM_ENOENT, "no RAM");
}

static void wrapping(tap *t)
{
    start();
    region(0x100000, 0x100000, 1, 0);
    region(0xfffffffffffff000ULL, 0x1001, 1, 0);
    refused_is(t, finish(), LOAM_ERANGE, "memory map: an entry leaves");
    put32(map_at + 24 + 20, 2);
    refused_is(t, finish(), LOAM_ERANGE, "memory map: an entry leaves");
    put32(map_at + 24 + 12, 0x1000);
    TAP_EQ(t, finish(), LOAM_OK);
}

static void too_many(tap *t)
{
    start();
    for (uint32_t i = 0; i < LOAM_BOOTINFO_RAM; i++)
        region(i << 13, 0x1000, 1, 0);
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_EQ(t, info.ram_count, LOAM_BOOTINFO_RAM);
    region(0xf0000000, 0x1000, 1, 0);
    refused_is(t, finish(), LOAM_EFULL, "memory map: more than 256");
    start();
    region(0, 0x1000, 1, 0);
    for (uint32_t i = 0; i < LOAM_BOOTINFO_HELD; i++)
        region(i << 13, 0x1000, 2, 0);
    TAP_EQ(t, finish(), LOAM_OK);
    region(0xf0000000, 0x1000, 2, 0);
    refused_is(t, finish(), LOAM_EFULL, "memory map: more than 512");
}

/* ---- the format ---- */

static void no_information(tap *t)
{
    start();
    region(0x100000, 0x100000, 1, 0);
    TAP_EQ(t, loam_bootinfo_from_mb1(&info, 0x2badb003, loam_pa_of(BASE), &reader, &why),
           LOAM_EFORMAT);
    TAP_RULE(t, why, "G1 ");
    TAP_EQ(t, loam_bootinfo_from_mb1(&info, 0x36d76289, loam_pa_of(BASE), &reader, NULL),
           LOAM_EFORMAT);
    static const uint64_t places[] = {0, BASE - 1, BASE + CAP - 3, 0x100009000ULL, ~0ULL, ~3ULL};
    for (size_t i = 0; i < LOAM_ARRAY_LEN(places); i++) {
        loam_pa at = loam_pa_of(places[i]);
        TAP_EQ(t, loam_bootinfo_from_mb1(&info, LOAM_MB1_MAGIC, at, &reader, &why), LOAM_EFORMAT);
        TAP_RULE(t, why, "G2 ");
    }
    readable = AT_MAP + 3;
    refused_is(t, finish(), LOAM_EFORMAT, "G2 ");
    put32(INFO, SIZES); /* only what the flags mean has to be there */
    put32(AT_UPPER, 1);
    readable = AT_UPPER + 4;
    TAP_EQ(t, finish(), LOAM_OK);
}

static void a_map_elsewhere(tap *t)
{
    start();
    region(0x100000, 0x100000, 1, 0);
    put32(AT_MAP, BASE - 1);
    refused_is(t, finish(), LOAM_EFORMAT, "G3 ");
    put32(AT_MAP, 0xffffffff);
    refused_is(t, finish(), LOAM_EFORMAT, "G3 ");
    put32(AT_MAP, BASE + map_at);
    put32(AT_MAP_LEN, 0xffffffff);
    refused_is(t, finish(), LOAM_EFORMAT, "G3 ");
    put32(AT_MAP_LEN, CAP - map_at + 1);
    refused_is(t, finish(), LOAM_EFORMAT, "G3 ");
}

static void broken_entries(tap *t)
{
    static const uint32_t sizes[] = {0, 1, 19, 21, 24, 0x7fffffff, 0xfffffffc, 0xffffffff};
    start();
    region(0x100000, 0x100000, 1, 0);
    region(0x300000, 0x100000, 1, 0);
    for (size_t i = 0; i < LOAM_ARRAY_LEN(sizes); i++) {
        put32(map_at + 24, sizes[i]);
        refused_is(t, finish(), LOAM_EFORMAT, "G4 an entry of the memory map");
    }
    put32(map_at + 24, 20);
    for (uint32_t cut = 1; cut < 24; cut++) {
        put32(AT_MAP_LEN, 48 - cut);
        refused_is(t, finish(), LOAM_EFORMAT, "G4 the memory map ends");
    }
    put32(AT_MAP_LEN, 24);
    TAP_EQ(t, finish(), LOAM_OK);
}

/* ---- modules and strings ---- */

static void modules(tap *t)
{
    start();
    region(0x100000, 0x1000000, 1, 0);
    uint32_t text = put_text("initrd.cpio one two");
    module(0x200000, 0x200000, 0); /* empty: none */
    module(0x300000, 0x300123, text);
    module(0x400000, 0x400001, 0);
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_EQ(t, info.module_count, 2);
    TAP_EQ(t, info.initrd.base, 0x300000);
    TAP_EQ(t, info.initrd.len, 0x123);
    TAP_STR(t, info.module[0].text, "initrd.cpio one two");
    TAP_CHECK(t, info.module[0].text >= info.text && info.module[0].text < info.text + 64);
    TAP_STR(t, info.module[1].text, "");
    TAP_EQ(t, info.module[1].span.base, 0x400000);
    held_is(t, 0, 0x300000, 0x123, "module");
    held_is(t, 1, 0x400000, 1, "module");
    TAP_EQ(t, info.held[1].source, LOAM_BOOTINFO_INITRD);
    module(0x500001, 0x500000, 0);
    refused_is(t, finish(), LOAM_EFORMAT, "a module ends before");
}

static void many_modules(tap *t)
{
    start();
    region(0x100000, 0x1000000, 1, 0);
    for (uint32_t i = 0; i <= LOAM_BOOTINFO_MODULES; i++)
        module(0x200000 + i, 0x200001 + i, 0);
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_EQ(t, info.module_count, LOAM_BOOTINFO_MODULES);
    TAP_EQ(t, info.held_count, LOAM_BOOTINFO_MODULES + 1);
    TAP_STR(t, info.note, "modules behind the sixteenth: kept, but not listed");
    for (uint32_t i = LOAM_BOOTINFO_MODULES + 1; i < LOAM_BOOTINFO_HELD; i++)
        module(0x200000 + i, 0x200001 + i, 0);
    TAP_EQ(t, finish(), LOAM_OK);
    module(0, 1, 0);
    refused_is(t, finish(), LOAM_EFULL, "modules: more than fit");
    put32(AT_COUNT, 0xffffffff);
    refused_is(t, finish(), LOAM_EFORMAT, "G5 ");
    put32(AT_COUNT, 0x10000001); /* times 16 is 16 in 32 bits */
    put32(modules_at, 2);
    put32(modules_at + 4, 1);
    refused_is(t, finish(), LOAM_EFORMAT, "G5 ");
    put32(AT_COUNT, 1);
    put32(AT_MODULES, BASE + CAP - 15);
    refused_is(t, finish(), LOAM_EFORMAT, "G5 ");
}

static void strings(tap *t)
{
    start();
    region(0x100000, 0x100000, 1, 0);
    flag(CMDLINE | LOADER);
    put32(AT_CMDLINE, put_text("test off"));
    put32(AT_LOADER, put_text("GRUB 2.06"));
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_STR(t, info.cmdline, "test off");
    TAP_STR(t, info.loader, "GRUB 2.06");
    TAP_STR(t, info.note, NULL);
    put32(AT_LOADER, 0x100);
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_STR(t, info.loader, "");
    TAP_STR(t, info.note, "the loader's name is cut");
    put32(AT_CMDLINE, BASE + CAP - 3); /* no end before the memory ends */
    for (uint32_t i = CAP - 3; i < CAP; i++)
        memory[i] = 'x';
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_STR(t, info.cmdline, "xxx");
    TAP_STR(t, info.note, "the command line is cut");
}

static void long_strings(tap *t)
{
    start();
    region(0x100000, 0x100000, 1, 0);
    flag(CMDLINE);
    put32(AT_CMDLINE, BASE + used);
    for (size_t i = 0; i < LOAM_BOOTINFO_CMDLINE - 1; i++)
        memory[used++] = 'y';
    memory[used] = '\0';
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_STR(t, info.note, NULL);
    TAP_EQ(t, info.text_used, LOAM_BOOTINFO_CMDLINE);
    memory[used++] = 'z';
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_STR(t, info.note, "the command line is cut");
    TAP_EQ(t, info.text_used, LOAM_BOOTINFO_CMDLINE);
    used += 100;
    for (uint32_t i = 0; i < LOAM_BOOTINFO_MODULES; i++) /* text[] is full before they are all in */
        module(0x200000 + i, 0x200001 + i, get32(AT_CMDLINE));
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_EQ(t, info.text_used, LOAM_BOOTINFO_TEXT);
    TAP_STR(t, info.note, "the command line is cut");
    TAP_STR(t, info.module[LOAM_BOOTINFO_MODULES - 1].text, "");
    TAP_EQ(t, info.module_count, LOAM_BOOTINFO_MODULES);
}

static void lost_modules(tap *t)
{
    const loam_span image = {0x100000, 0x80000};
    loam_bootinfo_module lost;
    start();
    region(0x100000, 0x1000000, 1, 0);
    module(0xff000, 0x100001, 0); /* its last byte lies in the image */
    module(0xff000, 0x100000, 0);
    module(0x17ffff, 0x200000, 0);
    module(0x180000, 0x200000, 0);
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_CHECK(t, loam_bootinfo_drop_module(&info, image, &lost));
    TAP_EQ(t, lost.span.len, 0x1001);
    TAP_EQ(t, info.initrd.len, 0);
    TAP_CHECK(t, loam_bootinfo_drop_module(&info, image, &lost));
    TAP_EQ(t, lost.span.base, 0x17ffff);
    TAP_CHECK(t, !loam_bootinfo_drop_module(&info, image, &lost));
    TAP_CHECK(t, !loam_bootinfo_drop_module(&info, (loam_span){0x180000, 0}, &lost));
    TAP_EQ(t, info.module_count, 2);
    TAP_EQ(t, info.module[0].span.len, 0x1000);
    TAP_EQ(t, info.module[1].span.base, 0x180000);
    TAP_EQ(t, info.held_count, 4); /* held all the same */
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_CHECK(t, loam_bootinfo_drop_module(&info, (loam_span){0x1fffff, ~0ULL - 0x1fffff}, &lost));
    TAP_EQ(t, info.initrd.len, 0x1001); /* another one than the initrd */
    start();
    region(0x100000, 0x1000000, 1, 0);
    module(0xff000, 0x100000, 0);
    module(0xff000, 0x100001, 0); /* begins where the initrd does */
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_CHECK(t, loam_bootinfo_drop_module(&info, image, &lost));
    TAP_EQ(t, info.initrd.len, 0x1000);
}

static void steps(tap *t)
{
    loam_mb1 mb;
    loam_mb1_region r;
    uint32_t at = 0;
    char text[4];
    start();
    region(1, 2, 3, 0);
    region(4, 5, 6, 8);
    module(7, 8, 0);
    uint32_t word = put_text("abc");
    TAP_EQ(t, loam_mb1_open(&mb, LOAM_MB1_MAGIC, BASE, &reader, NULL), LOAM_OK);
    TAP_CHECK(t, loam_mb1_region_next(&mb, &at, &r) && r.base == 1 && r.len == 2 && r.type == 3);
    TAP_CHECK(t, loam_mb1_region_next(&mb, &at, &r) && r.base == 4 && r.len == 5 && r.type == 6);
    TAP_CHECK(t, !loam_mb1_region_next(&mb, &at, &r));
    TAP_EQ(t, at, mb.map_len);
    TAP_EQ(t, loam_mb1_module_get(&mb, 0).end, 8);
    TAP_CHECK(t, loam_mb1_string(&mb, word, text, 4));
    TAP_STR(t, text, "abc");
    TAP_CHECK(t, !loam_mb1_string(&mb, word, text, 3));
    TAP_STR(t, text, "ab");
    TAP_CHECK(t, !loam_mb1_string(&mb, word, text, 1));
    TAP_STR(t, text, "");
    readable = 0; /* what could be read once is asked for again */
    at = 0;
    TAP_CHECK(t, !loam_mb1_region_next(&mb, &at, &r));
    TAP_EQ(t, loam_mb1_module_get(&mb, 0).end, 0);
    TAP_CHECK(t, !loam_mb1_string(&mb, word, text, 4));
    TAP_STR(t, text, "");
}

static const tap_case cases[] = {
    {"bootinfo_from_mb1: a map: RAM and what is not, in any order", a_map},
    {"bootinfo_from_mb1: no map: lower and upper memory", sizes_without_a_map},
    {"bootinfo_from_mb1: a map and sizes: the map alone", a_map_counts_alone},
    {"bootinfo_from_mb1: an entry that wraps: refused", wrapping},
    {"bootinfo_from_mb1: more entries than fit: refused", too_many},
    {"mb1_open: wrong magic, information that cannot be read: G1, G2", no_information},
    {"mb1_open: a map that cannot be read: G3", a_map_elsewhere},
    {"mb1_open: entries too small, too large, cut: G4", broken_entries},
    {"bootinfo_from_mb1: modules, the first is the initrd", modules},
    {"bootinfo_from_mb1: more modules than fit: noted, then refused; G5", many_modules},
    {"bootinfo_from_mb1: command line and loader are copied", strings},
    {"bootinfo_from_mb1: long strings are cut and noted", long_strings},
    {"bootinfo_drop_module: those that touch the image", lost_modules},
    {"mb1_region_next, module_get, string: step by step, memory that goes away", steps},
};
TAP_SUITE(multiboot1_test, cases);
