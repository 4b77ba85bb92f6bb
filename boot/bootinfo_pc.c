/* SPDX-License-Identifier: MIT */
/* bootinfo_pc.c - what a PC's loaders say about memory and start-up, whatever they speak.
 *
 * WHAT   Multiboot 1, Multiboot 2 and PVH wrap the same things: the BIOS's memory map, files in
 *        memory, a line of words. Their readers unwrap them; what they mean is here, once.
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
 * COST   O(1) an entry, O(characters) a string.
 * FROM   The Multiboot Specification 0.6.96 and 2.0, Xen's PVH start information, and what BIOSes
 *        put into E820 maps.
 * NOT    Attributes behind an entry's type (ACPI 3); limits of a machine's address bits: who feeds
 *        the memblock knows them.
 */
#include "bootinfo_pc.h"

enum {
    KIB = 1024,
    LOWER_MOST = 640,
    UPPER_BASE = 0x100000,
    TYPE_RAM = 1,
    TYPE_ACPI = 3,
    TYPE_STORAGE = 4,
    TYPE_BAD = 5
};

loam_err loam_bootinfo__pc_refuse(pc_reading *r, loam_err err, const char *why)
{
    r->why = why;
    return err;
}

void loam_bootinfo__pc_note(pc_reading *r, const char *note)
{
    if (r->info->note == NULL)
        r->info->note = note;
}

const char *loam_bootinfo__pc_copy(pc_reading *r, uint64_t at, uint64_t within, size_t most,
                                   const char *cut)
{
    loam_bootinfo *info = r->info;
    size_t room = LOAM_BOOTINFO_TEXT - info->text_used;
    char *to = info->text + info->text_used;
    if (at == 0)
        return "";
    if (room == 0) {
        loam_bootinfo__pc_note(r, cut);
        return "";
    }
    if (!loam_phys_string(r->memory, at, within, to, room < most ? room : most))
        loam_bootinfo__pc_note(r, cut);
    while (info->text[info->text_used++] != '\0')
        ;
    return to;
}

/* ---- memory ---- */

static const char *pc_type_name(uint32_t type)
{
    switch (type) {
    case TYPE_ACPI:
        return "ACPI tables";
    case TYPE_STORAGE:
        return "ACPI storage";
    case TYPE_BAD:
        return "bad RAM";
    default:
        return "firmware";
    }
}

loam_err loam_bootinfo__pc_region(pc_reading *r, loam_span span, uint32_t type)
{
    loam_pa base = loam_pa_of(span.base);
    size_t at = r->info->held_count;
    bool ram = type == TYPE_RAM;
    loam_err err = ram ? loam_bootinfo_add(r->info, base, span.len)
                       : loam_bootinfo_hold(r->info, base, span.len, pc_type_name(type));
    if (err == LOAM_ERANGE)
        return loam_bootinfo__pc_refuse(r, err, "memory map: an entry leaves the address space");
    if (err != LOAM_OK)
        return loam_bootinfo__pc_refuse(r, err,
                                        ram ? "memory map: more than 256 entries of RAM"
                                            : "memory map: more than 512 entries that are not RAM");
    if (r->info->held_count > at)
        r->info->held[at].source = LOAM_BOOTINFO_REGION;
    return LOAM_OK;
}
_Static_assert(LOAM_BOOTINFO_RAM == 256 && LOAM_BOOTINFO_HELD == 512, "the words above say so");

loam_err loam_bootinfo__pc_sizes(pc_reading *r, uint32_t lower, uint32_t upper)
{
    if (lower > LOWER_MOST)
        return loam_bootinfo__pc_refuse(r, LOAM_EFORMAT,
                                        "no memory map, and more than 640 KiB of lower memory");
    (void)loam_bootinfo_add(r->info, loam_pa_of(0), (uint64_t)lower * KIB);
    return loam_bootinfo_add(r->info, loam_pa_of(UPPER_BASE), (uint64_t)upper * KIB);
}

loam_err loam_bootinfo__pc_some_ram(pc_reading *r)
{
    if (r->info->ram_count == 0)
        return loam_bootinfo__pc_refuse(r, LOAM_ENOENT, "no RAM in the memory map");
    return LOAM_OK;
}

/* ---- modules ---- */

loam_err loam_bootinfo__pc_module(pc_reading *r, uint64_t start, uint64_t end, uint64_t text,
                                  uint64_t within)
{
    loam_bootinfo *info = r->info;
    size_t at = info->held_count;
    loam_span span = {start, end - start};
    if (end < start)
        return loam_bootinfo__pc_refuse(r, LOAM_EFORMAT, "a module ends before it starts");
    loam_err err = loam_bootinfo_hold(info, loam_pa_of(span.base), span.len, "module");
    if (err != LOAM_OK)
        return loam_bootinfo__pc_refuse(r, err, "modules: more than fit");
    if (info->held_count == at)
        return LOAM_OK;
    info->held[at].source = LOAM_BOOTINFO_INITRD;
    if (info->module_count == LOAM_BOOTINFO_MODULES) {
        loam_bootinfo__pc_note(r, "modules behind the sixteenth: kept, but not listed");
        return LOAM_OK;
    }
    if (info->module_count == 0)
        info->initrd = span;
    info->module[info->module_count++] =
        (loam_bootinfo_module){span, loam_bootinfo__pc_copy(r, text, within, LOAM_BOOTINFO_TEXT,
                                                            "a module's text is cut")};
    return LOAM_OK;
}
_Static_assert(LOAM_BOOTINFO_MODULES == 16, "the words above say so");

loam_err loam_bootinfo__pc_end(pc_reading *r, loam_err err, const char **why)
{
    if (err == LOAM_OK)
        return LOAM_OK;
    loam_bootinfo_init(r->info);
    if (why != NULL)
        *why = r->why;
    return err;
}
