/* SPDX-License-Identifier: MIT */
/* firmware_pvh.c - PVH, as QEMU's -kernel speaks it to a 64-bit kernel. */
#include "firmware_pc.h"
#include "loam/acpi.h"

static bool pvh_find(const uintptr_t word[BOARD_FIRMWARE_WORDS], loam_bootinfo *info,
                     const char **why)
{
    loam_err err = loam_bootinfo_from_pvh(info, loam_pa_of(word[1]), &firmware_pc_memory, why);
    uint64_t rsdp = 0;
    if (err == LOAM_OK && info->rsdp == 0)
        rsdp = loam_acpi_search(&firmware_pc_memory);
    if (rsdp != 0)
        loam_bootinfo_add_acpi(info, rsdp, &firmware_pc_memory);
    return err == LOAM_OK;
}

static void pvh_log(const loam_bootinfo *info)
{
    firmware_pc_log("pvh", info);
}

const board_firmware firmware_pvh = {
    "pvh", "ebx", pvh_find, pvh_log, firmware_pc_hold, firmware_pc_console};
