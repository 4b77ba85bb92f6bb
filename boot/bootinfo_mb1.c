/* SPDX-License-Identifier: MIT */
/* bootinfo_mb1.c - what Multiboot information says about memory and start-up.
 *
 * WHAT   multiboot1.c proves that bytes are a map; this file knows what its entries mean.
 *
 * MODEL
 *            map entry, type 1 ----------------> ram
 *            map entry, any other type --------> held  "ACPI tables", "bad RAM", ...
 *            no map: lower, upper -------------> ram   [0, lower) [1 MiB, 1 MiB + upper)
 *            module ---------------------------> held  "module", module[], the first: initrd
 *            cmdline, loader, module's text ---> copies in text[]
 *
 *            told   [ RAM      [ RAM ]  ]              memblock makes the union of what is RAM,
 *                        [ reserved ]                  and what is held wins: no page that a
 *            free   [===]            [==]              reservation touches is handed over
 *
 * RULES  I10 entries come in any order, overlap and repeat; what is not RAM wins where they do
 *        I11 the map alone counts where there is one: lower and upper stand in when it is absent
 *            or has no bytes. lower ends below the video memory: more than 640 KiB is refused
 *        I12 an entry that wraps, a module that ends before it starts, more of either than fit,
 *            and no RAM at all refuse the information. Entries and modules of length 0 are nothing
 *        I13 strings are copied, cut where they are too long or cannot be read, and that is noted
 *
 * LOCKS  None.
 * COST   O(entries + modules + characters).
 * FROM   The Multiboot Specification 0.6.96, section 3.3, and what BIOSes put into E820 maps.
 * NOT    Attributes behind an entry's type (ACPI 3); limits of a machine's address bits: who feeds
 *        the memblock knows them.
 */
#include "loam/bootinfo.h"

enum { KIB = 1024, LOWER_MOST = 640, UPPER_BASE = 0x100000 };

typedef struct mb1_reading {
    loam_mb1 mb;
    loam_bootinfo *info;
    const char *why;
} mb1_reading;

static loam_err mb1_refuse(mb1_reading *r, loam_err err, const char *why)
{
    r->why = why;
    return err;
}

static void mb1_note(mb1_reading *r, const char *note)
{
    if (r->info->note == NULL)
        r->info->note = note;
}

/* ---- strings ---- */

/* A copy in info->text, at most `most` bytes with its 0; "" for none and when there is no room. */
static const char *mb1_copy(mb1_reading *r, uint32_t at, size_t most, const char *cut)
{
    loam_bootinfo *info = r->info;
    size_t room = LOAM_BOOTINFO_TEXT - info->text_used;
    char *to = info->text + info->text_used;
    if (at == 0)
        return "";
    if (room == 0) {
        mb1_note(r, cut);
        return "";
    }
    if (!loam_mb1_string(&r->mb, at, to, room < most ? room : most))
        mb1_note(r, cut);
    while (info->text[info->text_used++] != '\0')
        ;
    return to;
}

/* ---- memory ---- */

static const char *mb1_type_name(uint32_t type)
{
    switch (type) {
    case LOAM_MB1_ACPI:
        return "ACPI tables";
    case LOAM_MB1_STORAGE:
        return "ACPI storage";
    case LOAM_MB1_BAD:
        return "bad RAM";
    default:
        return "firmware";
    }
}

static loam_err mb1_region(mb1_reading *r, const loam_mb1_region *region)
{
    loam_pa base = loam_pa_of(region->base);
    size_t at = r->info->held_count;
    bool ram = region->type == LOAM_MB1_RAM;
    loam_err err =
        ram ? loam_bootinfo_add(r->info, base, region->len)
            : loam_bootinfo_hold(r->info, base, region->len, mb1_type_name(region->type));
    if (err == LOAM_ERANGE)
        return mb1_refuse(r, err, "memory map: an entry leaves the address space");
    if (err != LOAM_OK)
        return mb1_refuse(r, err,
                          ram ? "memory map: more than 256 entries of RAM"
                              : "memory map: more than 512 entries that are not RAM");
    if (r->info->held_count > at)
        r->info->held[at].source = LOAM_BOOTINFO_REGION;
    return LOAM_OK;
}
_Static_assert(LOAM_BOOTINFO_RAM == 256 && LOAM_BOOTINFO_HELD == 512, "the words above say so");

static loam_err mb1_sizes(mb1_reading *r)
{
    if (!r->mb.has_sizes)
        return mb1_refuse(r, LOAM_ENOENT, "no memory map, and no sizes either");
    if (r->mb.lower > LOWER_MOST)
        return mb1_refuse(r, LOAM_EFORMAT, "no memory map, and more than 640 KiB of lower memory");
    (void)loam_bootinfo_add(r->info, loam_pa_of(0), (uint64_t)r->mb.lower * KIB);
    return loam_bootinfo_add(r->info, loam_pa_of(UPPER_BASE), (uint64_t)r->mb.upper * KIB);
}

static LOAM_NOINLINE loam_err mb1_memory(mb1_reading *r)
{
    loam_mb1_region region;
    uint32_t at = 0;
    loam_err err = r->mb.map_len == 0 ? mb1_sizes(r) : LOAM_OK;
    while (err == LOAM_OK && loam_mb1_region_next(&r->mb, &at, &region))
        err = mb1_region(r, &region);
    if (err == LOAM_OK && r->info->ram_count == 0)
        return mb1_refuse(r, LOAM_ENOENT, "no RAM in the memory map");
    return err;
}

/* ---- modules ---- */

static loam_err mb1_module(mb1_reading *r, const loam_mb1_module *module)
{
    loam_bootinfo *info = r->info;
    size_t at = info->held_count;
    loam_span span = {module->start, module->end - module->start};
    if (module->end < module->start)
        return mb1_refuse(r, LOAM_EFORMAT, "a module ends before it starts");
    loam_err err = loam_bootinfo_hold(info, loam_pa_of(span.base), span.len, "module");
    if (err != LOAM_OK)
        return mb1_refuse(r, err, "modules: more than fit");
    if (info->held_count == at)
        return LOAM_OK;
    info->held[at].source = LOAM_BOOTINFO_INITRD;
    if (info->module_count == LOAM_BOOTINFO_MODULES) {
        mb1_note(r, "modules behind the sixteenth: kept, but not listed");
        return LOAM_OK;
    }
    if (info->module_count == 0)
        info->initrd = span;
    info->module[info->module_count++] = (loam_bootinfo_module){
        span, mb1_copy(r, module->text, LOAM_BOOTINFO_TEXT, "a module's text is cut")};
    return LOAM_OK;
}
_Static_assert(LOAM_BOOTINFO_MODULES == 16, "the words above say so");

static LOAM_NOINLINE loam_err mb1_modules(mb1_reading *r)
{
    loam_err err = LOAM_OK;
    for (uint32_t i = 0; i < r->mb.module_count && err == LOAM_OK; i++) {
        loam_mb1_module module = loam_mb1_module_get(&r->mb, i);
        err = mb1_module(r, &module);
    }
    return err;
}

static LOAM_NOINLINE loam_err mb1_read_all(mb1_reading *r)
{
    loam_err err = mb1_memory(r);
    r->info->cmdline = mb1_copy(r, r->mb.cmdline, LOAM_BOOTINFO_CMDLINE, "the command line is cut");
    if (r->mb.loader != 0)
        r->info->loader = mb1_copy(r, r->mb.loader, 64, "the loader's name is cut");
    return err == LOAM_OK ? mb1_modules(r) : err;
}

loam_err loam_bootinfo_from_mb1(loam_bootinfo *info, uint32_t magic, loam_pa at,
                                const loam_mb1_memory *memory, const char **why)
{
    mb1_reading r = {.info = info};
    loam_bootinfo_init(info);
    loam_err err = loam_mb1_open(&r.mb, magic, at.v, memory, &r.why);
    if (err == LOAM_OK)
        err = mb1_read_all(&r);
    if (err == LOAM_OK)
        return LOAM_OK;
    loam_bootinfo_init(info);
    if (why != NULL)
        *why = r.why;
    return err;
}
