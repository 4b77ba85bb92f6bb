/* SPDX-License-Identifier: MIT */
/* frames_buddy_work.c - the loops over Loam's engine alone. */
#include "frames_buddy.h"
#define FRAMES_ALLOC(a, order)       engine_alloc((engine *)(a), order)
#define FRAMES_FREE(a, block, order) engine_free((engine *)(a), block, order)
#include "frames_work.inc"

const frames_api frames_buddy = {.name = "engine",
                                 .any_order = true,
                                 .bytes = engine_bytes,
                                 .init = engine_init,
                                 .check = engine_check,
                                 FRAMES_LOOPS};
