/* SPDX-License-Identifier: MIT */
/* firmware_mb1.c - Multiboot 1, as GRUB and QEMU's -kernel speak it. */
#include "firmware_pc.h"

static bool mb1_find(const uintptr_t word[BOARD_FIRMWARE_WORDS], loam_bootinfo *info,
                     const char **why)
{
    loam_err err = loam_bootinfo_from_mb1(info, (uint32_t)word[0], loam_pa_of(word[1]),
                                          &firmware_pc_memory, why);
    info->cmdline = firmware_pc_behind_file_name(info->cmdline);
    return err == LOAM_OK;
}

static void mb1_log(const loam_bootinfo *info)
{
    firmware_pc_log("multiboot", info);
}

const board_firmware firmware_mb1 = {"multiboot",        "eax", mb1_find, mb1_log, firmware_pc_hold,
                                     firmware_pc_console};
