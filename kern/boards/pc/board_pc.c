/* SPDX-License-Identifier: MIT */
/* board_pc.c - what every PC has, whatever its processor: console, tick, interrupt lines, the end.
 *
 *     serial line --\                              /--> serial line
 *                    >-- interrupt --> ring --> shell
 *     keyboard -----/                              \--> screen
 */
#include "board_pc.h"
#include "arch.h"
#include "board.h"
#include "console.h"
#include "io.h"
#include "loam/port.h"
#include "paging.h"
#include "pic8259.h"
#include "pit.h"
#include "ps2_keyboard.h"
#include "uart16550.h"
#include "vga_text.h"
#include "words.h"

enum {
    INPUT_CAP = 256,
    DEBUG_EXIT = 0xf4,  /* QEMU's isa-debug-exit: exit code 2v + 1 for the value v */
    EXIT_GOOD = 0x10,   /* 33; not 1, which is QEMU's own for a command line it does not like */
    EXIT_BAD = 0x11,    /* 35 */
    RESET_PORT = 0xcf9, /* of chipsets since the PCI ones */
    RESET_SYSTEM = 2,
    RESET_NOW = 6
};

const board_span board_pc_held[1] = {{{0, 0x1000}, "BIOS data"}};
const loam_span board_pc_default_ram[2] = {{0, 0x9f000}, {0x100000, 0xf00000}};

extern const char __tests_start[], __tests_end[];

static bool to_serial, to_screen; /* where text goes; keys are taken from both */
static bool has_serial, has_screen, has_keyboard;
static void (*on_tick)(void);

/* What has come on the serial line and nobody has read: filled by the interrupt, emptied by
 * board_getc. */
static char input[INPUT_CAP];
static uint32_t input_head, input_tail;

void board_early(void)
{
    pic_init(BOARD_PC_IRQ_BASE);
    has_serial = uart16550_is_there(UART16550_COM1);
    if (has_serial)
        uart_16550.init(UART16550_COM1);
    has_screen = vga_text_init(virt_of(loam_pa_of(VGA_TEXT_MEMORY)));
    has_keyboard = ps2_keyboard_init() == NULL;
    to_serial = has_serial;
    to_screen = has_screen;
    if (has_serial)
        pic_unmask(UART16550_IRQ_COM1);
    if (has_keyboard)
        pic_unmask(PS2_KEYBOARD_LINE);
}

bool board_console(const char *name)
{
    bool both = word_is(name, "both");
    bool serial = has_serial && (both || word_is(name, "serial"));
    bool screen = has_screen && (both || word_is(name, "vga"));
    if (!serial && !screen)
        return false;
    to_serial = serial;
    to_screen = screen;
    return true;
}

void board_putc(char c)
{
    if (to_serial)
        uart_16550.put(UART16550_COM1, c);
    if (to_screen)
        vga_text_put(c);
}

/* When nobody reads, the interrupt goes silent and the rest waits in the device, which holds up the
 * sender where it can (QEMU does). */
static void collect_input(void)
{
    char c;
    while (has_serial && input_head - input_tail < INPUT_CAP && uart_16550.get(UART16550_COM1, &c))
        input[input_head++ % INPUT_CAP] = c;
    if (input_head - input_tail == INPUT_CAP)
        pic_mask(UART16550_IRQ_COM1);
    if (has_keyboard)
        ps2_keyboard_collect();
}

bool board_getc(char *c)
{
    loam_irq irq = loam_port_irq_save();
    bool any, was_full;
    collect_input();
    was_full = input_head - input_tail == INPUT_CAP;
    any = input_head != input_tail;
    if (any)
        *c = input[input_tail++ % INPUT_CAP];
    else
        any = has_keyboard && ps2_keyboard_get(c);
    if (was_full)
        pic_unmask(UART16550_IRQ_COM1);
    loam_port_irq_restore(irq);
    return any;
}

/* Whoever calls has asked board_getc before; what came in between has raised its interrupt, which
 * arch_wait lets in first. */
void board_wait_input(void)
{
    if (to_screen)
        vga_text_cursor();
    arch_wait();
}

/* ---- interrupts ---- */

void board_pc_tick_start(unsigned hz, void (*fn)(void))
{
    on_tick = fn;
    pit_start(hz);
    pic_unmask(PIT_LINE);
}

bool board_irq(unsigned line)
{
    bool known = true;
    if (!pic_is_real(line))
        return true;
    if (line == PIT_LINE)
        (void)loam_port_ticks(); /* clock.c: no round of the PIT may be missed */
    if (line == PIT_LINE && on_tick != NULL)
        on_tick();
    else if (line == UART16550_IRQ_COM1 || line == PS2_KEYBOARD_LINE)
        collect_input();
    else
        known = line == PIT_LINE;
    pic_done(line);
    return known;
}

/* isa-debug-exit harms no real machine: nothing is at that port. No word is needed to use it. */
void board_exit_by_semihosting(void)
{
}

static void flush_output(void)
{
    if (has_serial)
        uart_16550.flush(UART16550_COM1);
}

_Noreturn void board_off(int code)
{
    flush_output();
    io_write8(DEBUG_EXIT, code == 0 ? EXIT_GOOD : EXIT_BAD);
    console_write("The machine has stopped; it may be switched off now.\n");
    arch_halt();
}

_Noreturn void board_reboot(void)
{
    flush_output();
    ps2_reset_processor();
    io_write8(RESET_PORT, RESET_SYSTEM);
    io_write8(RESET_PORT, RESET_NOW);
    console_write("The machine does not restart by itself; it has stopped.\n");
    arch_halt();
}

bool board_tests_memory(bool wanted)
{
    return paging_tests_memory(__tests_start, __tests_end, wanted);
}
