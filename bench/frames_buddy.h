/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BENCH_FRAMES_BUDDY_H
#define LOAM_BENCH_FRAMES_BUDDY_H

/* frames_buddy.h - Loam's engine alone: no frame table, no fronts, one area, a lock only when there
 * are two threads. What the zone adds, and what it saves, is the difference. */
#include "frames.h"

typedef struct engine engine;

uint64_t engine_bytes(const frames_shape *shape);
void *engine_init(void *mem, uint64_t bytes, const frames_shape *shape);
uint64_t engine_alloc(engine *e, unsigned order);
void engine_free(engine *e, uint32_t block, unsigned order);
const char *engine_check(void *a);

#endif
