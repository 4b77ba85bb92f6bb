/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_PS2_KEYBOARD_H
#define LOAM_KERN_PS2_KEYBOARD_H

/* ps2_keyboard.h - the PC's keyboard: an 8042 controller on interrupt line 1. */
#include <stdbool.h>

enum { PS2_KEYBOARD_LINE = 1 };

/* NULL, or why there is no keyboard to be used. Interrupts of the line masked or off. At most half
 * a second. */
const char *ps2_keyboard_init(void);

/* Takes what the controller has, interrupts off: at line 1, and to look whether something came. */
void ps2_keyboard_collect(void);

/* The next character typed, interrupts off; false: none. Keys that a terminal sends as an escape
 * sequence come as that sequence. What is typed 256 characters ahead is lost. */
bool ps2_keyboard_get(char *c);

/* The controller's way to reset the processor. Comes back when there is none. */
void ps2_reset_processor(void);

#endif
