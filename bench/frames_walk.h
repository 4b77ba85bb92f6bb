/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BENCH_FRAMES_WALK_H
#define LOAM_BENCH_FRAMES_WALK_H

/* frames_walk.h - a buddy that finds out whether its buddy is free by walking the free list of that
 * order, as the report behind compat/stacsos describes and regrets: singly linked lists by
 * ascending frame number, orders 0 to 10, no lock. */
#include "frames.h"

typedef struct walk walk;

uint64_t walk_bytes(const frames_shape *shape);
void *walk_init(void *mem, uint64_t bytes, const frames_shape *shape);
uint64_t walk_alloc(walk *w, unsigned order);
void walk_free(walk *w, uint32_t block, unsigned order);

#endif
