/* SPDX-License-Identifier: MIT */
/* thread_leaks.c - threads come and go, two at a time; each takes 60 blocks, frees most of them and
 * forgets a few: what they leave behind must not keep the rest of their memory from the next one.
 */
#include "pattern.h"
#include <stdlib.h>

enum { BLOCKS = 60, FORGOTTEN = 3, TOGETHER = 2 };

static void *visit(void *arg)
{
    pattern_part *v = arg;
    void *block[BLOCKS];
    size_t size[BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++) {
        size[i] = pattern_size(&v->random, 16, 7);
        block[i] = pattern_new(size[i], pattern_random(&v->random));
    }
    for (unsigned i = 0; i < BLOCKS; i++)
        v->sum += i < FORGOTTEN ? pattern_read(block[i], size[i]) : pattern_drop(block[i], size[i]);
    return NULL;
}

int main(int argc, char **argv)
{
    pattern p = pattern_open(argc, argv, 12000);
    pattern_rounds(p.work, TOGETHER, visit);
}
