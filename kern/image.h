/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_IMAGE_H
#define LOAM_KERN_IMAGE_H

/* image.h - what the linker script says of the kernel image, and the names of its functions. */
#include "loam/base.h"

extern const char __image_start[], __image_end[]; /* bss and stacks included */
extern const char __text_start[], __text_end[], __rodata_end[];
extern const char __stack_bottom[], __stack_top[], __trap_stack_bottom[], __trap_stack_top[];

/* Names of functions, ascending by address; made by tools/symbols.py from the first link. */
typedef struct image_symbol {
    uint64_t address;
    const char *name;
} image_symbol;

extern const image_symbol image_symbols[];
extern const uint64_t image_symbol_count;

/* The function that holds pc and how far into it pc is; NULL outside of the kernel's text. */
const char *image_symbol_of(uint64_t pc, uint64_t *offset);

#endif
