/* SPDX-License-Identifier: MIT */
/* frames_stack_work.c - the loops over the array stack. */
#include "frames_stack.h"
#define FRAMES_ALLOC(a, order)       ((void)(order), stack_alloc((stack *)(a)))
#define FRAMES_FREE(a, block, order) ((void)(order), stack_free((stack *)(a), block))
#include "frames_work.inc"

const frames_api frames_stack = {
    .name = "stack", .any_order = false, .bytes = stack_bytes, .init = stack_init, FRAMES_LOOPS};
