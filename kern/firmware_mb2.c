/* SPDX-License-Identifier: MIT */
/* firmware_mb2.c - Multiboot 2, as GRUB speaks it on a BIOS and on UEFI. */
#include "firmware_pc.h"

static bool mb2_find(const uintptr_t word[BOARD_FIRMWARE_WORDS], loam_bootinfo *info,
                     const char **why)
{
    loam_err err = loam_bootinfo_from_mb2(info, (uint32_t)word[0], loam_pa_of(word[1]),
                                          &firmware_pc_memory, why);
    info->cmdline = firmware_pc_behind_file_name(info->cmdline);
    return err == LOAM_OK;
}

static void mb2_log(const loam_bootinfo *info)
{
    firmware_pc_log("multiboot2", info);
}

const board_firmware firmware_mb2 = {"multiboot2",       "eax", mb2_find, mb2_log, firmware_pc_hold,
                                     firmware_pc_console};
