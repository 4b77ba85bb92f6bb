/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BENCH_FRAMES_STACK_H
#define LOAM_BENCH_FRAMES_STACK_H

/* frames_stack.h - the lower bound: numbers of free blocks of one order in an array, last in, first
 * out. It checks nothing, merges nothing and knows one order. */
#include "frames.h"

typedef struct stack stack;

uint64_t stack_bytes(const frames_shape *shape);
void *stack_init(void *mem, uint64_t bytes, const frames_shape *shape);
uint64_t stack_alloc(stack *s);
void stack_free(stack *s, uint32_t block);

#endif
