/* SPDX-License-Identifier: MIT */
#ifndef LOAM_HEAP_H
#define LOAM_HEAP_H

/* heap.h - bytes of any size out of an arena that the caller has: no operating system, no page,
 * no other unit of Loam. For small machines, and wherever all blocks shall go at once.
 *
 *     static _Alignas(16) unsigned char arena[32 * 1024];
 *     static loam_heap heap;
 *     loam_heap_init(&heap, arena, sizeof(arena), "radio");
 *     packet = loam_heap_alloc(&heap, 300);
 *
 * Every call is bounded by the logarithm of the arena, whatever happened before; none reads or
 * writes what is free, nor a block's own bytes but calloc and a realloc that moves. Where blocks
 * begin and what is free are bits outside of the blocks: a wrong free is refused with
 * loam_port_misuse and LOAM_EINVAL, and nothing changes.
 *
 * Not locked: the owner serialises all calls on one heap, interrupts included. In a process that
 * runs on libloam there are heaps by name and limit, for any thread: loam/process_heap.h.
 */
#include "loam/base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    LOAM_HEAP_GRAIN = 16,   /* bytes: blocks start at multiples of it, and are rounded up to it */
    LOAM_HEAP_LEVELS = 8,   /* words of words: 64^8 grains and more */
    LOAM_HEAP_CLASSES = 64, /* of lengths */
    LOAM_HEAP_TRIES = 64    /* free stretches looked at when none is certain to be long enough */
};

/* The caller's, to be kept as long as the heap is; the members are the unit's. */
typedef struct loam_heap {
    const char *name;
    uint64_t first, count; /* grains [first, first + count) of the address space */
    uint64_t free_grains, low_water;
    uint64_t blocks, allocs, failures, refusals;
    uint64_t classes; /* bit c: there is a free stretch of class c */
    /* bit i of mark[0]: a stretch starts at grain i; of mark[l + 1]: word i of mark[l] is not 0 */
    uint64_t *mark[LOAM_HEAP_LEVELS];
    uint64_t *free; /* bit i: the stretch that starts at grain i is free */
    /* node[0][i] is over the words 64i .. 64i + 63 of `free`, node[1] over node[0] ...; a node has
     * a word for each class: bit j: below child j starts a free stretch of it */
    uint64_t *node[LOAM_HEAP_LEVELS];
    unsigned levels, height; /* of marks, of nodes */
    unsigned kinds;          /* classes that an arena of this size has */
    unsigned fine;           /* 2^fine classes for each doubling of the length */
    void *meta;
    size_t meta_len;
} loam_heap;

/* Bytes of metadata for an arena of so many bytes, to be aligned to 8; 0 when it is below 16 bytes
 * or too large. A 40th of the arena and 500 bytes at most. O(1). */
size_t loam_heap_measure(size_t len);

/* Makes a heap of [mem, mem + len), any alignment; its metadata take the first bytes. Where that
 * ends with the address space the last bytes, 16 at most, are left out.
 *   name        a literal or a string that lives as long as the heap, for reports
 *   returns     LOAM_OK; LOAM_EINVAL: NULL, a wrap, or an arena that leaves no block at all
 *   cost        O(metadata)
 */
loam_err loam_heap_init(loam_heap *heap, void *mem, size_t len, const char *name);

/* The same with the metadata elsewhere, where no block's owner can overrun them.
 *   meta        loam_heap_measure(len) bytes aligned to 8, outside of [mem, mem + len)
 *   returns     LOAM_EINVAL also when meta is short, misaligned, or inside of mem
 */
loam_err loam_heap_init_apart(loam_heap *heap, void *meta, size_t meta_len, void *mem, size_t len,
                              const char *name);

/* Gives out a block of at least size bytes, aligned to 16; its bytes are what they were.
 *   returns     its address; NULL: size 0, size above PTRDIFF_MAX, or no room: no free stretch
 *               is long enough, or it lies behind LOAM_HEAP_TRIES that are only nearly so: up to a
 *               fifth shorter; a third, in an arena of 2 MiB and more. A size of at most
 *               loam_heap_stats.largest never fails
 *   cost        O(log arena)
 */
void *loam_heap_alloc(loam_heap *heap, size_t size);

/* The same for n * size bytes, all 0. NULL also when the product overflows. O(size) */
void *loam_heap_calloc(loam_heap *heap, size_t n, size_t size);

/* The same at a multiple of align, a power of two; NULL also for any other align. A stretch of size
 * + align - 16 bytes is certain to hold it; of shorter ones the first LOAM_HEAP_TRIES are asked. */
void *loam_heap_aligned(loam_heap *heap, size_t size, size_t align);

/* Changes the size of a block, in place when it shrinks or what follows it is free, else by moving
 * it. The first bytes, as many as both sizes have, stay the same.
 *   p           a block of this heap, or NULL: an allocation
 *   size        0: the block is freed, the answer is NULL
 *   returns     the block's address; NULL: no room or misuse, and p stays as it was. Making a block
 *               smaller never fails
 *   cost        O(log arena) in place, else O(size)
 */
void *loam_heap_realloc(loam_heap *heap, void *p, size_t size);

/* Takes back a block. NULL is LOAM_OK.
 *   returns     LOAM_OK; LOAM_EINVAL after misuse: double free, inner, misaligned, foreign
 *   cost        O(log arena)
 */
loam_err loam_heap_free(loam_heap *heap, void *p);

/* Bytes of the block that may be used; 0 for NULL, and 0 after misuse for any other address that is
 * no block. O(log arena). */
size_t loam_heap_size(loam_heap *heap, const void *p);

/* Takes back every block at once: the heap is as after init, but for its figures.
 *   returns     how many blocks were out
 *   cost        O(metadata)
 */
uint64_t loam_heap_reset(loam_heap *heap);

/* Ends a heap: its arena is the caller's again, for whatever it wants, and every address is foreign
 * to the heap. For those who watch memory (port_notes.h); where nobody does, a heap may as well be
 * forgotten.
 *   returns     how many blocks were out
 *   cost        O(1)
 */
uint64_t loam_heap_fini(loam_heap *heap);

typedef struct loam_heap_stats {
    const char *name;
    uint64_t capacity;                   /* bytes that blocks can have in all */
    uint64_t free;                       /* of those */
    uint64_t low_water;                  /* the least that was ever free */
    uint64_t largest;                    /* bytes of a block that is certain to succeed now */
    uint64_t blocks;                     /* out */
    uint64_t metadata;                   /* bytes, without the loam_heap itself */
    uint64_t allocs, failures, refusals; /* since init; a realloc that moves is an alloc */
} loam_heap_stats;
/* O(log arena). */
void loam_heap_stat(const loam_heap *heap, loam_heap_stats *stats);

/* Every block and every free stretch by address; fn returns false to stop, and may not use the
 * heap. O(blocks x log arena). */
typedef bool loam_heap_fn(void *ctx, void *p, size_t size, bool is_free);
void loam_heap_each(const loam_heap *heap, loam_heap_fn *fn, void *ctx);

/* The first broken rule (H1 ... of heap.c), or NULL. O(arena). */
const char *loam_heap_check(const loam_heap *heap);

#ifdef __cplusplus
}
#endif

#endif
