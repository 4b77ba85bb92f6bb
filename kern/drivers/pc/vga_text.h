/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_VGA_TEXT_H
#define LOAM_KERN_VGA_TEXT_H

/* vga_text.h - the screen of a PC in text mode 3, 80 x 25 characters in colour. */
#include <stdbool.h>
#include <stdint.h>

enum { VGA_TEXT_MEMORY = 0xb8000 }; /* physical */

/* Clears the screen; `at` is where its memory is mapped. false: there is none, and the rest does
 * nothing. */
bool vga_text_init(volatile uint16_t *at);

/* In kernels without such a driver this one is NULL, and so are the picture's calls below. */
bool vga_text_is_there(void) __attribute__((weak));

/* Prints a character (screen.h says which are special). */
void vga_text_put(char c);

/* Moves the blinking cursor to where the next character goes: before somebody waits. */
void vga_text_cursor(void);

/* A picture over all of the screen, SCREEN_CELLS cells, for as long as vga_text_put is not called
 * and vga_text_restore neither, which brings the text back. The cursor is hidden. */
void vga_text_picture(const uint16_t *cell) __attribute__((weak));
void vga_text_restore(void) __attribute__((weak));

#endif
