/* SPDX-License-Identifier: MIT */
/* board_pc32.c - a PC with a 32-bit processor, real or QEMU's.
 *
 *     0x00000000  real-mode vectors and BIOS data, 0x1000 bytes
 *     0x000a0000  video memory, adapters' and the machine's own BIOS
 *     0x00100000  kernel.elf; the loader's modules right behind it
 *     0x01000000  end of what ISA DMA reaches
 *     0x10000000  end of what has a kernel address
 */
#include "arch.h"
#include "board.h"
#include "i386_layout.h"
#include "io.h"
#include "loam/port.h"

enum {
    COM1 = 0x3f8,
    COM_DATA = 0,
    COM_INTERRUPTS = 1,
    COM_FIFO = 2,
    COM_LINE = 3,
    COM_STATUS = 5,
    STATUS_READY = 1,
    STATUS_ROOM = 0x20,

    DEBUG_EXIT = 0xf4 /* QEMU's isa-debug-exit: code 2v + 1 for the value v */
};

#define MIB(n) ((uint64_t)(n) << 20)

static const board_span held[] = {{{0, 0x1000}, "BIOS data"}};
static const loam_span default_ram[] = {{0, 0x9f000}, {MIB(1), MIB(15)}};
static const board_zone zones[] = {
    {"dma", {0, MIB(16)}, true},
    {"low", {MIB(16), I386_DIRECT_LEN - MIB(16)}, true},
    {"high", {I386_DIRECT_LEN, MIB(4096) - I386_DIRECT_LEN}, false},
};

const board board_this = {
    .name = "PC",
    .elf = "build/pc32/kernel.elf",
    .firmware = &firmware_mb1,
    .default_ram = default_ram,
    .default_ram_count = LOAM_ARRAY_LEN(default_ram),
    .mapped = {0, I386_DIRECT_LEN, (unsigned char *)I386_KERNEL_BASE},
    .zones = zones,
    .zone_count = LOAM_ARRAY_LEN(zones),
    .held = held,
    .held_count = LOAM_ARRAY_LEN(held),
    .initrd_place = "behind it",
    .console_default = "serial",
    .console_names = "serial",
};

void board_early(void)
{
    io_write8(COM1 + COM_INTERRUPTS, 0);
    io_write8(COM1 + COM_LINE, 0x80);
    io_write8(COM1 + COM_DATA, 1); /* 115200 baud */
    io_write8(COM1 + COM_INTERRUPTS, 0);
    io_write8(COM1 + COM_LINE, 3); /* 8 bits, no parity */
    io_write8(COM1 + COM_FIFO, 7);
}

bool board_console(const char *name)
{
    const char *s = board_this.console_names;
    while (*s != '\0' && *s == *name)
        s++, name++;
    return *s == *name;
}

void board_putc(char c)
{
    while ((io_read8(COM1 + COM_STATUS) & STATUS_ROOM) == 0)
        ;
    io_write8(COM1 + COM_DATA, (uint8_t)c);
}

bool board_getc(char *c)
{
    if ((io_read8(COM1 + COM_STATUS) & STATUS_READY) == 0)
        return false;
    *c = (char)io_read8(COM1 + COM_DATA);
    return true;
}

void board_wait_input(void)
{
}

void board_tick_start(unsigned hz, void (*fn)(void))
{
    io_write8(0x21, 0xff);
    io_write8(0xa1, 0xff);
    (void)hz;
    (void)fn;
}

bool board_irq(unsigned line)
{
    (void)line;
    return true;
}

void board_exit_by_semihosting(void)
{
}

_Noreturn void board_off(int code)
{
    io_write8(DEBUG_EXIT, code == 0 ? 0x10 : 0x11);
    arch_halt();
}

_Noreturn void board_reboot(void)
{
    io_write8(0x64, 0xfe);
    arch_halt();
}
