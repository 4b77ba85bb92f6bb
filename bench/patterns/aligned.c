/* SPDX-License-Identifier: MIT */
/* aligned.c - blocks for vectors, cache lines, sectors and pages: posix_memalign of 32 bytes to 4
 * KiB among plain blocks, in random slots.
 */
#define _POSIX_C_SOURCE 200809L
#include "pattern.h"
#include <stdlib.h>

enum { SLOTS = 4000 };

static void *new_block(uint64_t *random, size_t *size)
{
    size_t alignment = (size_t)32 << pattern_below(random, 8);
    uint64_t tag = pattern_random(random);
    void *p = NULL;
    *size = pattern_size(random, 32, 9);
    if (pattern_below(random, 4) == 0)
        return pattern_new(*size, tag);
    if (posix_memalign(&p, alignment, *size) != 0)
        pattern_die("no memory");
    if ((uintptr_t)p % alignment != 0)
        pattern_die("a block is not aligned");
    return pattern_mark(p, *size, tag);
}

int main(int argc, char **argv)
{
    static void *block[SLOTS];
    static size_t size[SLOTS];
    pattern p = pattern_open(argc, argv, 4000000);
    uint64_t random = 1, sum = 0;
    for (unsigned long i = 0; i < p.work + SLOTS; i++) {
        size_t k = i < p.work ? pattern_below(&random, SLOTS) : i - p.work;
        if (block[k] != NULL)
            sum += pattern_drop(block[k], size[k]);
        block[k] = i < p.work ? new_block(&random, &size[k]) : NULL;
    }
    pattern_done(sum);
}
