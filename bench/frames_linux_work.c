/* SPDX-License-Identifier: MIT */
/* frames_linux_work.c - the loops over the model of Linux's zone. */
#include "frames_linux.h"
#define FRAMES_ALLOC(a, order)       zone_alloc((zone *)(a), order)
#define FRAMES_FREE(a, block, order) zone_free((zone *)(a), block, order)
#include "frames_work.inc"

const frames_api frames_linux = {.name = "linux",
                                 .any_order = true,
                                 .bytes = zone_bytes,
                                 .init = zone_init,
                                 .enter = zone_enter,
                                 .drain = zone_drain,
                                 FRAMES_LOOPS};
