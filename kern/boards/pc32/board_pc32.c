/* SPDX-License-Identifier: MIT */
/* board_pc32.c - a PC with a 32-bit processor, real or QEMU's.
 *
 *     0x00000000  real-mode vectors and BIOS data, 0x1000 bytes
 *     0x000a0000  video memory, adapters' and the machine's own BIOS
 *     0x00100000  kernel.elf; the loader's modules right behind it
 *     0x01000000  end of what ISA DMA reaches
 *     0x10000000  end of what has a kernel address
 */
#include "board.h"
#include "board_pc.h"
#include "i386_layout.h"
#include "paging.h"
#include "shell.h"

_Static_assert(BOARD_PC_IRQ_BASE == I386_IRQ_BASE, "where i386_traps.c expects the lines");

#define MIB(n) ((uint64_t)(n) << 20)

static const board_zone zones[] = {
    {"dma", {0, MIB(16)}, true},
    {"low", {MIB(16), I386_DIRECT_LEN - MIB(16)}, true},
    {"high", {I386_DIRECT_LEN, MIB(4096) - I386_DIRECT_LEN}, false},
};

const board board_this = {
    .name = "PC",
    .elf = "build/pc32/kernel.elf",
    .firmware = &firmware_mb1,
    .default_ram = board_pc_default_ram,
    .default_ram_count = LOAM_ARRAY_LEN(board_pc_default_ram),
    .mapped = {0, I386_DIRECT_LEN, (unsigned char *)I386_KERNEL_BASE},
    .zones = zones,
    .zone_count = LOAM_ARRAY_LEN(zones),
    .held = board_pc_held,
    .held_count = LOAM_ARRAY_LEN(board_pc_held),
    .initrd_place = "behind it",
    .console_default = "both",
    .console_names = "serial vga both",
    .commands = shell_paging_commands,
    .more_commands = shell_user_commands,
};

extern const char boot_directory[], boot_tables_end[];

void board_paging(void)
{
    static const paging_layout layout = {
        .vmap_base = I386_VMAP_BASE,
        .vmap_end = I386_VMAP_END,
        .vmap_step = MIB(4),
        .window = I386_WINDOW,
        .low = {0, MIB(1)},
    };
    loam_span boot_tables = {phys_of(boot_directory).v,
                             (uint64_t)(boot_tables_end - boot_directory)};
    paging_init(&layout, boot_tables);
}

void board_tick_start(unsigned hz, void (*fn)(void))
{
    board_pc_tick_start(hz, fn);
}

/* ---- one processor ---- */

unsigned board_cpus(void)
{
    return 1;
}

bool board_cpu_start(unsigned cpu, void *stack_top)
{
    (void)cpu;
    (void)stack_top;
    return false;
}

void board_cpu_init(void)
{
}

void board_cpu_interrupt(unsigned cpu)
{
    (void)cpu;
}
