/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BENCH_FRAMES_TEXTBOOK_H
#define LOAM_BENCH_FRAMES_TEXTBOOK_H

/* frames_textbook.h - the buddy system as the books have it: a doubly linked list of free blocks
 * for each order, one bit a block and order that says "on the list", merging as soon as two buddies
 * are free. Orders 0 to 10, one lock. A double free is noticed only by the bit of its order. */
#include "frames.h"

enum { TEXTBOOK_MAX_ORDER = 10 };

typedef struct textbook textbook;

uint64_t textbook_bytes(const frames_shape *shape);
void *textbook_init(void *mem, uint64_t bytes, const frames_shape *shape);
uint64_t textbook_alloc(textbook *t, unsigned order);
void textbook_free(textbook *t, uint32_t block, unsigned order);

#endif
