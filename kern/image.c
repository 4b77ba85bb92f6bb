/* SPDX-License-Identifier: MIT */
/* image.c - from an address of code to the name of its function. */
#include "image.h"

const char *image_symbol_of(uint64_t pc, uint64_t *offset)
{
    uint64_t lo = 0, hi = image_symbol_count;
    if (pc < (uintptr_t)__text_start || pc >= (uintptr_t)__text_end)
        return NULL;
    while (lo < hi) { /* the first symbol above pc */
        uint64_t mid = lo + (hi - lo) / 2;
        if (image_symbols[mid].address <= pc)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == 0)
        return NULL;
    *offset = pc - image_symbols[lo - 1].address;
    return image_symbols[lo - 1].name;
}
