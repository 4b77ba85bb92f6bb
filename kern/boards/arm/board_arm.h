/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_BOARD_ARM_H
#define LOAM_KERN_BOARD_ARM_H

/* board_arm.h - what boards with a 64-bit Arm, a device tree and serial ports share; the most of it
 * is board.h's, done in board_arm.c. */
#include "uart.h"

/* A serial port of the board. */
typedef struct board_arm_port {
    const uart *uart;
    uintptr_t base;
    const char *names[4]; /* what a command line or the end of a stdout-path calls it */
    /* Makes it ready before the first character; or NULL. */
    void (*open)(const struct board_arm_port *port);
    /* Its interrupt, when something has come, on or off. May be called before interrupts work. */
    void (*irq)(const struct board_arm_port *port, bool on);
} board_arm_port;

/* The console from now on; what was printed to the former one is out first. */
void board_arm_console(const board_arm_port *port);
const board_arm_port *board_arm_console_now(void);

/* Whether a name that somebody gave is the port's: a word, or the end of a path, with or without
 * ":115200n8". */
bool board_arm_is_called(const board_arm_port *port, const char *name);

/* Nothing will ever interrupt this machine: who waits for input has to go on looking. */
void board_arm_no_interrupts(void);

/* In interrupt context: something may have come. */
void board_arm_input(void);

/* No interrupt is pending at the calling processor from now on, whatever its timer and the others
 * do.
 *   cost        a few writes to devices   context   interrupts masked; before board_cpu_init, too
 */
void board_arm_cpu_quiet(void);

/* Whether the command line lets the kernel end the emulator with an exit code. */
bool board_arm_by_semihosting(void);

#endif
