/* SPDX-License-Identifier: MIT */
/* firmware_pc64.c - Multiboot 2 or PVH, whichever it was; and which processor this is. */
#include "firmware_pc.h"
#include "x64_apic.h"
#include "x64_layout.h"

static const board_firmware *from = &firmware_pvh;

static bool pc64_find(const uintptr_t word[BOARD_FIRMWARE_WORDS], loam_bootinfo *info,
                      const char **why)
{
    bool good;
    from = (uint32_t)word[0] == X64_MAGIC_MB2 ? &firmware_mb2 : &firmware_pvh;
    good = from->find(word, info, why);
    if (good)
        loam_bootinfo_boot_cpu(info, x64_apic_own_id());
    return good;
}

static void pc64_log(const loam_bootinfo *info)
{
    from->log(info);
}

const board_firmware firmware_pc64 = {
    "boot loader", "eax", pc64_find, pc64_log, firmware_pc_hold, firmware_pc_console};
