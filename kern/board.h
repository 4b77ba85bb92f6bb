/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_BOARD_H
#define LOAM_KERN_BOARD_H

/* board.h - what the common kernel asks of a board; kern/boards/<board>/ answers. */
#include "loam/base.h"

typedef struct board_span {
    loam_span span;
    const char *why;
} board_span;

typedef struct board {
    const char *name;
    loam_span default_ram;  /* used when the firmware says nothing that can be used */
    loam_span mapped;       /* RAM the kernel can reach: identity, read-write */
    const board_span *held; /* taken on every machine of this kind */
    size_t held_count;
    const char *console_default; /* a word that board_console takes */
    const char *console_names;   /* all of them, for messages */
} board;

extern const board board_this;

/* Makes the default console work; nothing has been printed before. */
void board_early(void);

/* Moves the console to the device of this name, or to the device that a stdout-path ends in.
 * false: no such device, nothing has changed. */
bool board_console(const char *name);

void board_putc(char c);
bool board_getc(char *c);    /* false: nothing has come */
void board_wait_input(void); /* sleeps until something may have come */

/* Starts the tick: fn runs in interrupt context hz times a second, interrupts must be on. */
void board_tick_start(unsigned hz, void (*fn)(void));
/* Serves a pending interrupt; false: nobody knows why it came. */
bool board_irq(void);

/* From here on board_off() ends the emulator with the code (never on real hardware: the instruction
 * traps there). */
void board_exit_by_semihosting(void);

/* Ends the machine: exit code under an emulator, power-down or a stop elsewhere. */
_Noreturn void board_off(int code);
_Noreturn void board_reboot(void);

#endif
