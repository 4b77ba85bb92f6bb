/* SPDX-License-Identifier: MIT */
/* bootinfo_mb1.c - what Multiboot 1 information says about memory and start-up.
 *
 * WHAT   multiboot1.c proves that bytes are information; this file hands each of its parts to the
 *        one meaning that all loaders of a PC share (bootinfo_pc.c).
 *
 * MODEL
 *            map, or lower and upper ----> pc_region, pc_sizes ----> ram held
 *            list of modules ------------> pc_module --------------> held module initrd
 *            cmdline, loader ------------> pc_copy ----------------> text[]
 *
 * RULES  I10 to I13 of bootinfo_pc.c.
 *
 * LOCKS  None.
 * COST   O(entries + modules + characters).
 * FROM   The Multiboot Specification 0.6.96, section 3.3.
 * NOT    ACPI: this loader does not say where it begins.
 */
#include "bootinfo_pc.h"
#include "loam/multiboot1.h"

static LOAM_NOINLINE loam_err mb1_memory(pc_reading *r, const loam_mb1 *mb)
{
    loam_mb1_region region;
    uint32_t at = 0;
    loam_err err = LOAM_OK;
    if (mb->map_len == 0 && !mb->has_sizes)
        return loam_bootinfo__pc_refuse(r, LOAM_ENOENT, "no memory map, and no sizes either");
    if (mb->map_len == 0)
        err = loam_bootinfo__pc_sizes(r, mb->lower, mb->upper);
    while (err == LOAM_OK && loam_mb1_region_next(mb, &at, &region))
        err = loam_bootinfo__pc_region(r, (loam_span){region.base, region.len}, region.type);
    return err == LOAM_OK ? loam_bootinfo__pc_some_ram(r) : err;
}

static LOAM_NOINLINE loam_err mb1_modules(pc_reading *r, const loam_mb1 *mb)
{
    loam_err err = LOAM_OK;
    for (uint32_t i = 0; i < mb->module_count && err == LOAM_OK; i++) {
        loam_mb1_module module = loam_mb1_module_get(mb, i);
        err =
            loam_bootinfo__pc_module(r, module.start, module.end, module.text, LOAM_BOOTINFO_TEXT);
    }
    return err;
}

static LOAM_NOINLINE loam_err mb1_read_all(pc_reading *r, const loam_mb1 *mb)
{
    loam_err err = mb1_memory(r, mb);
    r->info->cmdline = loam_bootinfo__pc_copy(r, mb->cmdline, LOAM_BOOTINFO_CMDLINE,
                                              LOAM_BOOTINFO_CMDLINE, "the command line is cut");
    if (mb->loader != 0)
        r->info->loader = loam_bootinfo__pc_copy(r, mb->loader, LOAM_BOOTINFO_TEXT, 64,
                                                 "the loader's name is cut");
    return err == LOAM_OK ? mb1_modules(r, mb) : err;
}

loam_err loam_bootinfo_from_mb1(loam_bootinfo *info, uint32_t magic, loam_pa at,
                                const loam_phys *memory, const char **why)
{
    pc_reading r = {.memory = memory, .info = info};
    loam_mb1 mb;
    loam_bootinfo_init(info);
    loam_err err = loam_mb1_open(&mb, magic, at.v, memory, &r.why);
    if (err == LOAM_OK)
        err = mb1_read_all(&r, &mb);
    return loam_bootinfo__pc_end(&r, err, why);
}
