/* SPDX-License-Identifier: MIT */
#ifndef SHOMP_HEAP_H
#define SHOMP_HEAP_H

/* heap.h - ShompOS' memory module: a binary buddy over bytes, each block with its header inside.
 *
 *     block, 2^scale bytes     [ header, 9 bytes | payload, 2^scale - 9 bytes ]
 *                                                ^ a multiple of 16: what allocate answers
 *
 *     bytes asked for   1-7  8-23  24-55  56-119  120-247  248-503  504-1015
 *     scale               4     5      6       7        8        9         A
 *
 * The document's four calls. What goes beyond them (growth, guard, views, checks) is in shomp.h.
 * There is one heap; calls may come from interrupts. A wrong free (twice, inside a block, foreign,
 * a block whose header was overwritten) is a misuse report of the port, and changes nothing.
 */
#include <stddef.h>
#include <stdint.h>

#include "../fake_libc/fake_libc.h"

enum {
    SHOMP_MIN_SCALE = 4,   /* 16 bytes, 7 of them the caller's */
    SHOMP_HEAP_SCALE = 10, /* the heap of init_heap: 1 KiB */
    SHOMP_MAX_SCALE = 15,  /* as far as a heap can grow: 32 KiB */
    SHOMP_SKEW = 7         /* where block 0 starts, modulo 16 */
};

/* In the least significant bytes of every block, free or not. */
typedef struct block_header {
    list_header list;    /* of the free blocks of this scale, while shomp_free_list is valid */
    uint8_t is_free : 1; /* of a block that is part of a larger free one: meaningless */
    uint8_t scale : 7;
} __attribute__((packed)) block_header;

_Static_assert(sizeof(block_header) == 9, "the header is 9 bytes on every host");

/* Bytes that init_heap needs: the heap, and the way to the first address that is 7 modulo 16. */
enum { SHOMP_HEAP_BYTES = (1 << SHOMP_HEAP_SCALE) + 15 };

/* Starts a heap of 1 KiB at start; whatever was allocated before is forgotten. Its contents do not
 * matter. NULL: no heap.
 *   start       SHOMP_HEAP_BYTES bytes, any alignment
 *   cost        O(1)
 */
void shomp_init_heap(void *start);

/* Takes the smallest free block that holds size bytes behind its header, the lowest of those; a
 * larger one is halved until it fits, and its upper halves stay free.
 *   returns     the payload, aligned to 16; NULL: size 0, or no such block: then "Out of memory!"
 *               is printed
 *   cost        O(log n)      context   any, interrupts too
 */
void *shomp_allocate(size_t size);

/* Prints how many blocks of each scale are free. */
void shomp_print_free_counts(void);

/* ---- the document's names; free is in fake_libc.h ---- */

#ifndef SHOMP_NO_PLAIN_NAMES
#define init_heap         shomp_init_heap
#define allocate          shomp_allocate
#define print_free_counts shomp_print_free_counts
#endif

#endif
