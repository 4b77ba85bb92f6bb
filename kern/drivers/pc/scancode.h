/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_SCANCODE_H
#define LOAM_KERN_SCANCODE_H

/* scancode.h - from what a PC keyboard sends (set 1) to characters. US layout. Pure. */
#include "loam/base.h"

enum { SCANCODE_TEXT = 4 }; /* characters one code can give: ESC [ 3 ~ */

typedef struct scancode {
    bool left, right; /* shift keys held down */
    uint8_t ctrl;     /* control keys held down: 1 left, 2 right */
    bool caps;
    bool extended; /* the last code was 0xe0 */
    uint8_t skip;  /* codes of the Pause key still to come */
} scancode;

/* Nothing held down. */
void scancode_init(scancode *s);

/* Takes one code and writes the characters that it means, none, one, or for the keys between
 * letters and keypad what a terminal sends (ESC [ A). Returns how many. */
size_t scancode_feed(scancode *s, uint8_t code, char text[SCANCODE_TEXT]);

#endif
