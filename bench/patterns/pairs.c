/* SPDX-License-Identifier: MIT */
/* pairs.c - the least that a malloc can be asked for: a block of 64 bytes, freed at once, again and
 * again.
 */
#include "pattern.h"

enum { BYTES = 64 };

int main(int argc, char **argv)
{
    pattern p = pattern_open(argc, argv, 20000000);
    uint64_t sum = 0;
    for (unsigned long i = 0; i < p.work; i++)
        sum += pattern_drop(pattern_new(BYTES, i), BYTES);
    pattern_done(sum);
}
