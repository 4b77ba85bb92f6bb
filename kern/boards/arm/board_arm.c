/* SPDX-License-Identifier: MIT */
/* board_arm.c - a serial port as the console of a board, and other parts that are the same
 * wherever a 64-bit Arm is. */
#include "board_arm.h"
#include "arch.h"
#include "board.h"
#include "loam/port.h"

enum { INPUT_CAP = 256 };

static const board_arm_port *console;
static bool by_semihosting, no_interrupts;

/* What has come and nobody has read: filled by the interrupt, emptied by board_getc. */
static char input[INPUT_CAP];
static uint32_t input_head, input_tail;
static loam_lock input_lock = LOAM_LOCK_INIT;

void board_arm_console(const board_arm_port *port)
{
    if (console != NULL) {
        console->uart->flush(console->base);
        console->irq(console, false);
    }
    console = port;
    if (port->open != NULL)
        port->open(port);
    port->uart->init(port->base);
    port->irq(port, true);
}

const board_arm_port *board_arm_console_now(void)
{
    return console;
}

static bool ends_in(const char *s, const char *tail)
{
    size_t n = 0, m = 0;
    while (s[n] != '\0' && s[n] != ':') /* "serial1:115200n8": the baud rate is ours */
        n++;
    while (tail[m] != '\0')
        m++;
    if (m > n)
        return false;
    for (size_t i = 0; i < m; i++)
        if (s[n - m + i] != tail[i])
            return false;
    return true;
}

bool board_arm_is_called(const board_arm_port *port, const char *name)
{
    for (size_t i = 0; i < LOAM_ARRAY_LEN(port->names) && port->names[i] != NULL; i++)
        if (ends_in(name, port->names[i]))
            return true;
    return false;
}

void board_putc(char c)
{
    console->uart->put(console->base, c);
}

/* When nobody reads, the interrupt goes silent and the rest waits in the device, which holds up the
 * sender where it can (QEMU does). */
static void collect_locked(void)
{
    char c;
    while (input_head - input_tail < INPUT_CAP && console->uart->get(console->base, &c))
        input[input_head++ % INPUT_CAP] = c;
    if (input_head - input_tail == INPUT_CAP)
        console->irq(console, false);
}

void board_arm_input(void)
{
    loam_irq irq = loam_lock_acquire(&input_lock);
    collect_locked();
    loam_lock_release(&input_lock, irq);
}

bool board_getc(char *c)
{
    loam_irq irq = loam_lock_acquire(&input_lock);
    bool any, was_full;
    collect_locked();
    any = input_head != input_tail;
    was_full = input_head - input_tail == INPUT_CAP;
    if (any)
        *c = input[input_tail++ % INPUT_CAP];
    if (was_full)
        console->irq(console, true);
    loam_lock_release(&input_lock, irq);
    return any;
}

void board_wait_input(void)
{
    loam_irq irq = loam_port_irq_save();
    board_arm_input();
    if (input_head == input_tail && !no_interrupts)
        arch_wait(); /* wakes up for a masked interrupt too, so none is missed in between */
    loam_port_irq_restore(irq);
}

void board_arm_no_interrupts(void)
{
    no_interrupts = true;
}

/* The tests' memory is in the image. */
bool board_tests_memory(bool wanted)
{
    (void)wanted;
    return true;
}

void board_exit_by_semihosting(void)
{
    by_semihosting = true;
}

bool board_arm_by_semihosting(void)
{
    return by_semihosting;
}
