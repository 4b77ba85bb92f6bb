/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_SCREEN_H
#define LOAM_KERN_SCREEN_H

/* screen.h - a text console over 80 x 25 cells of a PC's text mode: a character and an attribute
 * (bits 0-3 ink, 4-6 paper) each. Pure: the cells are an array of the caller. */
#include "loam/base.h"

enum {
    SCREEN_COLUMNS = 80,
    SCREEN_ROWS = 25,
    SCREEN_CELLS = SCREEN_COLUMNS * SCREEN_ROWS,
    SCREEN_NUMBERS = 4,  /* of one escape sequence */
    SCREEN_NORMAL = 0x07 /* light grey on black */
};

typedef struct screen {
    uint16_t *cell; /* SCREEN_CELLS of them */
    unsigned at;    /* where the next character goes, 0 .. SCREEN_CELLS - 1 */
    uint8_t attribute;
    bool bright;
    unsigned escape; /* how far into an escape sequence: 0 none, 1 ESC, 2 ESC [ */
    unsigned number[SCREEN_NUMBERS], numbers;
    unsigned dirty, dirty_end; /* cells changed since screen_clean; none when equal */
} screen;

/* Empty, cursor at the top. All of it is dirty. */
void screen_init(screen *s, uint16_t *cell);

/* Prints a character. Knows newline (to the start of the next line), carriage return, backspace
 * (which goes back over the start of a line, as lines are continued), tab, and of escape sequences
 * ESC [ ... m (colours), J and K (clear to the end), H (cursor). Other controls are nothing. */
void screen_put(screen *s, char c);

/* The cells are where they should be: nothing is dirty any more. */
void screen_clean(screen *s);

#endif
