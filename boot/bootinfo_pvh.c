/* SPDX-License-Identifier: MIT */
/* bootinfo_pvh.c - what PVH information says about memory and start-up.
 *
 * WHAT   pvh.c proves that bytes are information; this file hands each of its parts to the one
 *        meaning that all loaders of a PC share (bootinfo_pc.c).
 *
 * MODEL
 *            map ------------------------> pc_region --------------> ram held
 *            list of modules ------------> pc_module --------------> held module initrd
 *            cmdline --------------------> pc_copy ----------------> text[]
 *            rsdp -----------------------> add_acpi ---------------> cpu node run distance
 *
 * RULES  I10, I12, I13 of bootinfo_pc.c.
 *
 * LOCKS  None.
 * COST   O(entries + modules + characters).
 * FROM   Xen's public header start_info.h.
 * NOT    Names of loaders: PVH has none.
 */
#include "bootinfo_pc.h"
#include "loam/pvh.h"

static LOAM_NOINLINE loam_err pvh_memory(pc_reading *r, const loam_pvh *pvh)
{
    loam_err err = LOAM_OK;
    for (uint32_t i = 0; i < pvh->map_count && err == LOAM_OK; i++) {
        loam_pvh_region region = loam_pvh_region_get(pvh, i);
        err = loam_bootinfo__pc_region(r, (loam_span){region.base, region.len}, region.type);
    }
    return err == LOAM_OK ? loam_bootinfo__pc_some_ram(r) : err;
}

static LOAM_NOINLINE loam_err pvh_modules(pc_reading *r, const loam_pvh *pvh)
{
    loam_err err = LOAM_OK;
    for (uint32_t i = 0; i < pvh->module_count && err == LOAM_OK; i++) {
        loam_pvh_module module = loam_pvh_module_get(pvh, i);
        uint64_t end;
        if (loam_add_overflows(module.span.base, module.span.len, &end))
            return loam_bootinfo__pc_refuse(r, LOAM_ERANGE, "a module leaves the address space");
        err = loam_bootinfo__pc_module(r, module.span.base, end, module.text, LOAM_BOOTINFO_TEXT);
    }
    return err;
}

static LOAM_NOINLINE loam_err pvh_read_all(pc_reading *r, const loam_pvh *pvh)
{
    loam_err err = pvh_memory(r, pvh);
    r->info->cmdline = loam_bootinfo__pc_copy(r, pvh->cmdline, LOAM_BOOTINFO_CMDLINE,
                                              LOAM_BOOTINFO_CMDLINE, "the command line is cut");
    if (err == LOAM_OK)
        err = pvh_modules(r, pvh);
    if (err == LOAM_OK && pvh->rsdp != 0)
        loam_bootinfo_add_acpi(r->info, pvh->rsdp, r->memory);
    return err;
}

loam_err loam_bootinfo_from_pvh(loam_bootinfo *info, loam_pa at, const loam_phys *memory,
                                const char **why)
{
    pc_reading r = {.memory = memory, .info = info};
    loam_pvh pvh;
    loam_bootinfo_init(info);
    loam_err err = loam_pvh_open(&pvh, at.v, memory, &r.why);
    if (err == LOAM_OK)
        err = pvh_read_all(&r, &pvh);
    return loam_bootinfo__pc_end(&r, err, why);
}
