/* SPDX-License-Identifier: MIT */
/* buffers.c - buffers that grow by realloc while others do, too: 64 of them, each appended to until
 * it has the length that chance gave it (up to 1 MiB, long ones seldom), doubling or by half; then
 * it is cut to its length, kept for a while, and makes way.
 */
#include "pattern.h"
#include <stdlib.h>
#include <string.h>

enum { BUFFERS = 64, CHUNK = 256 };

typedef struct buffer {
    unsigned char *data;
    size_t used, room, goal;
} buffer;

static void append(buffer *b, unsigned char value, bool doubling)
{
    if (b->used + CHUNK > b->room) {
        b->room = b->room == 0 ? 2 * CHUNK : doubling ? b->room * 2 : b->room + b->room / 2;
        b->data = pattern_sized(b->data, b->room);
    }
    memset(b->data + b->used, value, CHUNK);
    b->used += CHUNK;
}

static uint64_t replace(buffer *b, uint64_t *random)
{
    uint64_t sum = 0;
    for (size_t at = 0; at < b->used; at += CHUNK)
        sum = sum * 5 + b->data[at];
    free(b->data);
    *b = (buffer){NULL, 0, 0, pattern_size(random, 512, 11)};
    return sum;
}

int main(int argc, char **argv)
{
    static buffer buffers[BUFFERS];
    pattern p = pattern_open(argc, argv, 9000000);
    uint64_t random = 1, sum = 0;
    for (unsigned i = 0; i < BUFFERS; i++)
        sum += replace(&buffers[i], &random);
    for (unsigned long i = 0; i < p.work; i++) {
        uint32_t k = pattern_below(&random, BUFFERS);
        buffer *b = &buffers[k];
        append(b, (unsigned char)i, k % 2 == 0);
        if (b->used < b->goal)
            continue;
        b->data = pattern_sized(b->data, b->used);
        sum += replace(b, &random);
    }
    for (unsigned i = 0; i < BUFFERS; i++)
        sum += replace(&buffers[i], &random);
    pattern_done(sum);
}
