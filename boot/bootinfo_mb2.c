/* SPDX-License-Identifier: MIT */
/* bootinfo_mb2.c - what Multiboot 2 information says about memory and start-up.
 *
 * WHAT   multiboot2.c proves that bytes are tags; this file hands each of them to the one meaning
 *        that all loaders of a PC share (bootinfo_pc.c).
 *
 * MODEL
 *            map, or lower and upper ----> pc_region, pc_sizes ----> ram held
 *            each module ----------------> pc_module --------------> held module initrd
 *            cmdline, loader ------------> pc_copy ----------------> text[]
 *            copy of the RSDP -----------> add_acpi ---------------> cpu node run distance
 *
 * RULES  I10 to I13 of bootinfo_pc.c, and
 *        I14 of tags that should be there once, the first counts; of the two copies of the RSDP
 *            the later kind
 *
 * LOCKS  None.
 * COST   O(tags * kinds + entries + characters).
 * FROM   The Multiboot2 Specification 2.0, section 3.6.
 * NOT    The memory map of EFI: a loader that has left its boot services gives the other one, too.
 */
#include "bootinfo_pc.h"
#include "loam/multiboot2.h"

static LOAM_NOINLINE loam_err mb2_memory(pc_reading *r, const loam_mb2 *mb)
{
    loam_mb2_tag tag;
    loam_mb2_region region;
    uint32_t at = 0, lower, upper;
    loam_err err = LOAM_OK;
    if (loam_mb2_tag_find(mb, LOAM_MB2_MAP, &tag) && loam_mb2_region_next(mb, &tag, &at, &region)) {
        do
            err = loam_bootinfo__pc_region(r, (loam_span){region.base, region.len}, region.type);
        while (err == LOAM_OK && loam_mb2_region_next(mb, &tag, &at, &region));
    } else if (loam_mb2_tag_find(mb, LOAM_MB2_SIZES, &tag)) {
        loam_mb2_sizes_get(mb, &tag, &lower, &upper);
        err = loam_bootinfo__pc_sizes(r, lower, upper);
    } else {
        err = loam_bootinfo__pc_refuse(r, LOAM_ENOENT, "no memory map, and no sizes either");
    }
    return err == LOAM_OK ? loam_bootinfo__pc_some_ram(r) : err;
}

static const char *mb2_text(pc_reading *r, const loam_mb2 *mb, uint32_t type, size_t most,
                            const char *cut)
{
    loam_mb2_tag tag;
    if (!loam_mb2_tag_find(mb, type, &tag))
        return NULL;
    return loam_bootinfo__pc_copy(r, tag.at, tag.len, most, cut);
}

static LOAM_NOINLINE loam_err mb2_modules(pc_reading *r, const loam_mb2 *mb)
{
    loam_mb2_tag tag;
    uint32_t at = 0;
    loam_err err = LOAM_OK;
    while (err == LOAM_OK && loam_mb2_tag_next(mb, &at, &tag)) {
        if (tag.type != LOAM_MB2_MODULE)
            continue;
        loam_mb2_module m = loam_mb2_module_get(mb, &tag);
        err = loam_bootinfo__pc_module(r, m.start, m.end, m.text, m.text_len);
    }
    return err;
}

static void mb2_acpi(pc_reading *r, const loam_mb2 *mb)
{
    loam_mb2_tag tag;
    if (loam_mb2_tag_find(mb, LOAM_MB2_RSDP2, &tag) || loam_mb2_tag_find(mb, LOAM_MB2_RSDP1, &tag))
        loam_bootinfo_add_acpi(r->info, tag.at, r->memory);
}

static LOAM_NOINLINE loam_err mb2_read_all(pc_reading *r, const loam_mb2 *mb)
{
    loam_err err = mb2_memory(r, mb);
    const char *cmdline =
        mb2_text(r, mb, LOAM_MB2_CMDLINE, LOAM_BOOTINFO_CMDLINE, "the command line is cut");
    if (cmdline != NULL)
        r->info->cmdline = cmdline;
    r->info->loader = mb2_text(r, mb, LOAM_MB2_LOADER, 64, "the loader's name is cut");
    if (err == LOAM_OK)
        err = mb2_modules(r, mb);
    if (err == LOAM_OK)
        mb2_acpi(r, mb);
    return err;
}

loam_err loam_bootinfo_from_mb2(loam_bootinfo *info, uint32_t magic, loam_pa at,
                                const loam_phys *memory, const char **why)
{
    pc_reading r = {.memory = memory, .info = info};
    loam_mb2 mb;
    loam_bootinfo_init(info);
    loam_err err = loam_mb2_open(&mb, magic, at.v, memory, &r.why);
    if (err == LOAM_OK)
        err = mb2_read_all(&r, &mb);
    return loam_bootinfo__pc_end(&r, err, why);
}
