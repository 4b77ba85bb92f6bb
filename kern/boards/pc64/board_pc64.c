/* SPDX-License-Identifier: MIT */
/* board_pc64.c - a PC with 64 bits, real or QEMU's.
 *
 *     0x00000000  real-mode vectors and BIOS data, 0x1000 bytes
 *     0x000a0000  video memory, adapters' and the machine's own BIOS
 *     0x00100000  kernel.elf; the loader's modules right behind it
 *     0x01000000  end of what ISA DMA reaches
 *     0xfec00000  interrupt controllers, flash: no RAM below 4 GiB from somewhere on
 *     0x100000000 end of what 32-bit devices reach; as much RAM as there is
 */
#include "board.h"
#include "board_pc.h"
#include "paging.h"
#include "processors_pc64.h"
#include "shell.h"
#include "x64_layout.h"

_Static_assert(BOARD_PC_IRQ_BASE == X64_IRQ_BASE, "where x64_traps.c expects the lines");

#define MIB(n) ((uint64_t)(n) << 20)

static const board_zone zones[] = {
    {"dma", {0, MIB(16)}, true},
    {"dma32", {MIB(16), MIB(4096) - MIB(16)}, true},
    {"normal", {MIB(4096), X64_DIRECT_LEN - MIB(4096)}, true},
};

/* Page tables are made twice: for all RAM before the zones, the rest after them. */
static const paging_layout layout = {
    .vmap_base = X64_VMAP_BASE,
    .vmap_end = X64_VMAP_END,
    .vmap_step = (uint64_t)1 << 39,
    .low = {0, MIB(1)},
};

static void map_ram(void)
{
    paging_early(&layout, board_this.early_len);
    processors_pc64_reserve();
}

const board board_this = {
    .name = "PC",
    .elf = "build/pc64/kernel.elf",
    .firmware = &firmware_pc64,
    .default_ram = board_pc_default_ram,
    .default_ram_count = LOAM_ARRAY_LEN(board_pc_default_ram),
    .mapped = {0, X64_DIRECT_LEN, (unsigned char *)X64_DIRECT},
    .image = {0, X64_IMAGE_LEN, (unsigned char *)X64_KERNEL_BASE},
    .early_len = X64_BOOT_MAPPED,
    .map_ram = map_ram,
    .zones = zones,
    .zone_count = LOAM_ARRAY_LEN(zones),
    .held = board_pc_held,
    .held_count = LOAM_ARRAY_LEN(board_pc_held),
    .initrd_place = "behind it",
    .console_default = "both",
    .console_names = "serial vga both",
    .commands = shell_paging_commands,
};

/* The boot tables stay: other processors start on them. */
void board_paging(void)
{
    paging_init(&layout, (loam_span){0, 0});
    processors_pc64_init();
}
