/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BENCH_FRAMES_H
#define LOAM_BENCH_FRAMES_H

/* frames.h - frame allocators side by side.
 *
 * Every allocator is compiled in its own file and called out of line, from loops that are compiled
 * once for each allocator out of one text (frames_work.inc): the same loop, the same call, no
 * pointer to a function inside it. Pointers choose only which loop runs.
 *
 *     frames_stack.c       frames_stack_work.c     \
 *     core/zone.c          frames_loam_work.c       > frames_work.inc -> frames_api -> bench_frames
 *     frames_textbook.c    frames_textbook_work.c  /                                   bench_insn
 *
 * Frames are numbers, 0 .. frames - 1. No frame is ever touched: there is none.
 */
#include "harness.h"

enum { FRAMES_MIXED_MAX_ORDER = 10 };

/* Blocks of many orders, about `target` frames of them out at any time. */
typedef struct frames_mixed {
    uint32_t *block;
    uint8_t *order;
    size_t count, cap;
    uint64_t used, target;
    bench_rng rng;
} frames_mixed;

/* What a machine and a run look like. */
typedef struct frames_shape {
    uint64_t frames;
    unsigned order;   /* the array stack holds blocks of this order alone */
    unsigned threads; /* how many will call at the same time */
} frames_shape;

typedef struct frames_api {
    const char *name;
    bool any_order; /* serves every order at the same time */
    uint64_t (*bytes)(const frames_shape *shape);
    /* mem: zero, aligned to a huge page, already mapped. Everything is free afterwards. */
    void *(*init)(void *mem, uint64_t bytes, const frames_shape *shape);
    void (*enter)(void *a, unsigned thread); /* called by a thread before anything else */
    void (*drain)(void *a);                  /* this processor's front, if any, is emptied */
    /* UINT32_MAX: no memory */
    uint32_t (*alloc)(void *a, unsigned order);
    void (*release)(void *a, uint32_t block, unsigned order);
    const char *(*check)(void *a); /* the name of a broken rule, or NULL */

    /* The loops. fill stops at the first refusal and returns how many it got. */
    size_t (*fill)(void *a, unsigned order, uint32_t *held, size_t n);
    void (*empty)(void *a, unsigned order, const uint32_t *held, size_t n);
    void (*pair)(void *a, unsigned order, size_t n);
    /* n times: a random block of held[count] is freed, and one allocated in its place */
    void (*churn)(void *a, unsigned order, uint32_t *held, size_t count, uint64_t seed, size_t n);
    /* n times: `burst` blocks are freed, as many allocated; held has mask + 1 blocks */
    void (*bursts)(void *a, unsigned order, uint32_t *held, size_t mask, unsigned burst,
                   uint64_t seed, size_t n);
    /* as bursts, of 1 .. 128 blocks; n allocations are timed one by one */
    void (*latency)(void *a, uint32_t *held, size_t mask, uint64_t seed, uint32_t *ticks, size_t n);
    void (*mixed)(void *a, frames_mixed *m, size_t n);
} frames_api;

extern const frames_api frames_stack, frames_loam, frames_buddy, frames_textbook, frames_linux;

/* What is right whatever the allocator: blocks aligned, inside, never overlapping, all memory given
 * out at the end and found again after it came back. NULL, or what was wrong. */
const char *frames_verify(const frames_api *api);

#endif
