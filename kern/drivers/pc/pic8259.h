/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_PIC8259_H
#define LOAM_KERN_PIC8259_H

/* pic8259.h - the two interrupt controllers of a PC: lines 0-7, and 8-15 behind line 2. */
#include <stdbool.h>
#include <stdint.h>

/* Line n raises vector `first` + n from now on (first: a multiple of 8); every line is masked. */
void pic_init(uint8_t first);
void pic_unmask(unsigned line);
void pic_mask(unsigned line);

/* To be asked first when vector first + line has come: false when no device raised it (a line that
 * fell silent before it was asked for): no pic_done then. */
bool pic_is_real(unsigned line);
/* The line may come again. */
void pic_done(unsigned line);

#endif
