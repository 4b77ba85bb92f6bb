/* SPDX-License-Identifier: MIT */
/* big_blocks.c - blocks of 5 to 25 MiB, eight of them out, a random one replaced by one of another
 * size; a word in every page is written, as by a program that fills its buffers.
 */
#include "pattern.h"
#include <stdlib.h>

enum { BLOCKS = 8, PAGE = 4096, MIB = 1 << 20 };

static void touch(unsigned char *block, size_t size)
{
    for (size_t at = 0; at < size; at += PAGE)
        ((volatile unsigned char *)block)[at + 8] = 1;
}

int main(int argc, char **argv)
{
    static void *block[BLOCKS];
    static size_t size[BLOCKS];
    pattern p = pattern_open(argc, argv, 300);
    uint64_t random = 1, sum = 0;
    for (unsigned long i = 0; i < p.work + BLOCKS; i++) {
        size_t k = i < BLOCKS ? i : pattern_below(&random, BLOCKS);
        if (block[k] != NULL)
            sum += pattern_drop(block[k], size[k]);
        size[k] = (size_t)5 * MIB + pattern_below(&random, 20 * MIB);
        block[k] = pattern_new(size[k], pattern_random(&random));
        touch(block[k], size[k]);
    }
    for (unsigned k = 0; k < BLOCKS; k++)
        sum += pattern_drop(block[k], size[k]);
    pattern_done(sum);
}
