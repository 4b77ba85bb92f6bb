/* SPDX-License-Identifier: MIT */
/* frames_walk_work.c - the loops over the buddy that walks. */
#include "frames_walk.h"
#define FRAMES_ALLOC(a, order)       walk_alloc((walk *)(a), order)
#define FRAMES_FREE(a, block, order) walk_free((walk *)(a), block, order)
#include "frames_work.inc"

const frames_api frames_walk = {
    .name = "walk", .any_order = true, .bytes = walk_bytes, .init = walk_init, FRAMES_LOOPS};
