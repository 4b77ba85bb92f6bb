/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BENCH_FRAMES_LINUX_H
#define LOAM_BENCH_FRAMES_LINUX_H

/* frames_linux.h - a model of the design that Linux's page allocator has, written for the benches:
 * 64 bytes of description a frame, linked through it a list of free blocks for each order up to 10,
 * lists of a few hundred blocks for each processor before them (orders 0-3 and 9), filled and
 * emptied by batches. Left out: kinds of mobility, watermarks, nodes, everything else. */
#include "frames.h"

enum { ZONE_MAX_ORDER = 10 };

typedef struct zone zone;

uint64_t zone_bytes(const frames_shape *shape);
void *zone_init(void *mem, uint64_t bytes, const frames_shape *shape);
void zone_enter(void *a, unsigned thread);
void zone_drain(void *a);
uint64_t zone_alloc(zone *z, unsigned order);
void zone_free(zone *z, uint32_t block, unsigned order);

#endif
