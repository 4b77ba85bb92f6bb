/* SPDX-License-Identifier: MIT */
#ifndef LOAM_MEMBLOCK_H
#define LOAM_MEMBLOCK_H

/* memblock.h - the boot map: which bytes exist, which are held, and early allocation until the
 * frames are handed over. One CPU, interrupts may be on, in every call. */
#include "loam/base.h"

/* A set of bytes: sorted spans that neither overlap nor touch, in an array of the caller. */
typedef struct loam_spanset {
    loam_span *span;
    size_t count;
    size_t cap;
} loam_spanset;

typedef struct loam_memblock {
    loam_spanset ram;   /* bytes that exist */
    loam_spanset held;  /* bytes that are taken; may stick out of RAM */
    loam_spanset early; /* the part of held that loam_memblock_alloc gave out */
    bool handed_over;
} loam_memblock;

/* Starts an empty map over three arrays of the caller (capacities in spans, at least 1 each). They
 * live as long as the map.
 *   returns     LOAM_OK, or LOAM_EINVAL for a capacity of 0 or a NULL array
 *   cost        O(1)      context   one CPU
 */
loam_err loam_memblock_init(loam_memblock *map, loam_span *ram, size_t ram_cap, loam_span *held,
                            size_t held_cap, loam_span *early, size_t early_cap);

/* Adds [base, base + len) to the RAM that exists. Any alignment; an overlap is a union; len 0
 * changes nothing.
 *   returns     LOAM_OK, LOAM_ERANGE when base + len > 2^64 or all 2^64 bytes would be in the set,
 *               LOAM_EFULL, LOAM_ESTATE after the hand-over
 *   on error    the map is unchanged (so in every call below)
 *   cost        O(spans)
 */
loam_err loam_memblock_add(loam_memblock *map, loam_pa base, uint64_t len);

/* Takes [base, base + len) out of the RAM: a span may be split. What is held there stays held. As
 * loam_memblock_add. */
loam_err loam_memblock_remove(loam_memblock *map, loam_pa base, uint64_t len);

/* Marks [base, base + len) as held, whether RAM is there or not. As loam_memblock_add. */
loam_err loam_memblock_reserve(loam_memblock *map, loam_pa base, uint64_t len);

/* Takes [base, base + len) out of what is held, early allocations included. As loam_memblock_add.
 * */
loam_err loam_memblock_release(loam_memblock *map, loam_pa base, uint64_t len);

typedef enum loam_memblock_flags {
    LOAM_MEMBLOCK_BOTTOM_UP = 0,
    LOAM_MEMBLOCK_TOP_DOWN = 1
} loam_memblock_flags;

/* Early allocation: the lowest (or highest) len bytes at a multiple of align inside [lo, hi) that
 * are RAM and not held. They become held. The first page of the address space is never given out,
 * so that no answer is 0.
 *   len         bytes, > 0; taken exactly, not rounded
 *   align       a power of two
 *   lo, hi      limits; hi 0 means the top of the address space
 *   returns     LOAM_OK and *out; LOAM_EINVAL; LOAM_ENOMEM when nothing fits; LOAM_EFULL;
 *               LOAM_ESTATE
 *   cost        O(ram spans + held spans)
 */
loam_err loam_memblock_alloc(loam_memblock *map, uint64_t len, uint64_t align, loam_pa lo,
                             loam_pa hi, loam_memblock_flags flags, loam_pa *out);

/* Calls give(ctx, first, count) once for each maximal run of whole frames that are RAM and
 * untouched by a held span, in ascending order. From then on the map only answers questions:
 * everything else, a second hand-over too, is LOAM_ESTATE.
 *   returns     LOAM_OK, LOAM_ESTATE, or the first error of give (the map then counts as handed
 *               over: what was given is given)
 *   cost        O(ram spans + held spans)
 */
typedef loam_err loam_memblock_give_fn(void *ctx, loam_pfn first, uint64_t count);
loam_err loam_memblock_handover(loam_memblock *map, loam_memblock_give_fn *give, void *ctx);

/* The sum of the boot log's frames line; frames are LOAM_PAGE_SIZE bytes.
 * total = free + held + metadata. metadata: whole frames of RAM touched by an early allocation and
 * by nothing else held; held: the other whole frames of RAM touched by a held span; edge_bytes: RAM
 * outside whole frames.
 *   cost        O(ram spans + held spans)
 */
typedef struct loam_memblock_sum {
    uint64_t total, free, held, metadata; /* frames */
    uint64_t edge_bytes;
} loam_memblock_sum;
void loam_memblock_count(const loam_memblock *map, loam_memblock_sum *sum);

/* The first broken rule (M1 ... of memblock.c) by name and text, or NULL. O(spans). */
const char *loam_memblock_check(const loam_memblock *map);

#endif
