/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_STRESS_IMPL_H
#define LOAM_KERN_STRESS_IMPL_H

/* stress_impl.h - what the stress test's files share. The picture is in stress.c. */
#include "kern.h"
#include "loam/port.h"
#include "stress.h"

enum {
    STRESS_HELD = 96,      /* blocks that a processor keeps at most */
    STRESS_TICK_HELD = 16, /* and its tick */
    STRESS_LARGE = 256,    /* blocks of a burst that are noted outside of them */
    STRESS_BURSTS = 3      /* times that all memory is taken */
};

/* A block that is out. */
typedef struct stress_block {
    uint64_t pattern;  /* word i of it is pattern + i, in the words that are written */
    loam_pfn pfn;      /* of a block of frames; LOAM_NO_FRAME: an object */
    unsigned char *at; /* where its bytes are; NULL: it has no address */
    uint32_t size;     /* bytes; 0: there is no block */
} stress_block;

/* A letter from one processor to another: a block to be freed there. */
typedef struct stress_letter {
    uint32_t full; /* [atomic] 1: written by the sender, until the receiver has taken it */
    stress_block block;
} stress_letter;

typedef struct stress_count {
    uint64_t frames, objects; /* allocated */
    uint64_t near;            /* of the frames, on the processor's own node */
    uint64_t large;           /* of the objects, those of vmap */
    uint64_t sent;            /* blocks that went to another processor */
    uint64_t misses;          /* requests that found no memory */
    uint64_t taken;           /* pages taken in bursts */
    uint64_t away;            /* times offline */
} stress_count;

/* Who allocates: a processor's program, or its tick. */
typedef struct stress_actor {
    unsigned cpu;
    uint64_t random; /* state; never 0 */
    uint64_t serial; /* of its blocks, for their patterns */
    stress_count count;
    stress_block held[STRESS_HELD];
} stress_actor;

/* One processor's part. */
typedef struct stress_core {
    stress_actor program;
    stress_actor tick;            /* [cpu] interrupts off */
    uint64_t ops;                 /* done by the program */
    uint64_t large[STRESS_LARGE]; /* frames of blocks of a burst */
    uint32_t large_count;
    uint64_t chain; /* the other blocks of it: frame of the first, or LOAM_NO_FRAME's */
    bool away;      /* offline: its tick keeps still */
} __attribute__((aligned(64))) stress_core;

typedef struct stress {
    stress_wish wish;
    unsigned cpus; /* that take part: their numbers are those that are online */
    uint64_t set;
    stress_core *core[LOAM_PORT_MAX_CPUS];      /* NULL: not online */
    stress_letter *letters[LOAM_PORT_MAX_CPUS]; /* to processor c: one from each */
    uint32_t failed;                            /* [atomic] 1: somebody has said what is wrong */
    uint32_t arrived, round;                    /* [atomic] of the place where all meet */
    uint64_t left_free; /* pages that are free when all have taken what they could */
} stress;

extern stress stress_this;

/* ---- stress.c ---- */

/* Says what is wrong, once; from then on all come to an end. */
void stress_fail(const char *fmt, ...);
bool stress_is_over(void);
/* Waits for all processors that take part. */
void stress_meet(void);

/* ---- stress_block.c: blocks and their patterns ---- */

uint64_t stress_next(uint64_t *random);
static inline uint32_t stress_below(uint64_t *random, uint32_t n)
{
    return (uint32_t)((stress_next(random) >> 32) * n >> 32);
}

/* false: no memory. */
bool stress_take_frames(stress_actor *self, unsigned order, unsigned flags, stress_block *block);
bool stress_take_object(stress_actor *self, size_t size, stress_block *block);
/* Looks at the pattern, and frees it. */
void stress_give(stress_block *block);

/* ---- stress_core.c: what a processor does ---- */

void stress_work(void *ctx);
void stress_tick(void);

#endif
