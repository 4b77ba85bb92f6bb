/* SPDX-License-Identifier: MIT */
#ifndef LOAM_PROCESS_HEAP_H
#define LOAM_PROCESS_HEAP_H

/* process_heap.h - what libloam.so and libloam.a give a program beside malloc: named heaps, and the
 * heap profile on request.
 *
 *     loam_process_heap cache;
 *     if (loam_process_heap_create(&cache, "cache", 64 << 20) == LOAM_OK)
 *         page = loam_process_heap_alloc(cache, 300);
 *     ...
 *     loam_process_heap_destroy(cache, NULL);          every block, at once
 *
 * A named heap has addresses of its own, and a limit: what one part of a program does cannot take
 * another part's memory, nor scatter its blocks. Blocks of a heap are freed by its own calls; free
 * and realloc of malloc refuse them, as a heap refuses what is not its own. A heap that was
 * destroyed is no heap, whatever was created since: its handle is refused.
 *
 * Any thread may make any call at any time; a heap has one lock. Heaps follow a fork, each process
 * has its own from then on. LOAM_CONF's modes are theirs, too. For an arena without an operating
 * system there is loam/heap.h.
 *
 * Valgrind's memcheck, and AddressSanitizer in a program that was built with it, tell of accesses
 * outside of blocks; to see one byte too many a block is asked for as one byte longer there, where
 * there is room. LeakSanitizer finds addresses that lie in a heap, ThreadSanitizer knows its lock.
 */
#include "loam/base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    LOAM_PROCESS_HEAPS = 1024,        /* at a time */
    LOAM_PROCESS_HEAP_NAME = 32,      /* bytes of a name, its end included; more are cut */
    LOAM_PROCESS_HEAP_LEAST = 1 << 18 /* bytes: the least limit */
};

/* A heap's handle; all 0: no heap. */
typedef struct loam_process_heap {
    uint32_t slot, generation;
} loam_process_heap;

/* Makes a heap.
 *   heap        becomes its handle; all 0 when this fails
 *   name        copied, what moves a terminal as '?'; for figures, leaks and reports; not NULL
 *   limit       bytes, LOAM_PROCESS_HEAP_LEAST and more: of blocks as their sizes are rounded, and
 *               of the tables of what they lie in. The system promises so much at once, and gives
 *               it as it is touched
 *   returns     LOAM_OK; LOAM_EINVAL; LOAM_EFULL: there are LOAM_PROCESS_HEAPS; LOAM_ENOMEM
 *   cost        O(limit / 256 KiB), and a few system calls; 130 KiB are touched
 */
loam_err loam_process_heap_create(loam_process_heap *heap, const char *name, size_t limit);

/* Takes back every block at once; addresses and memory go back to the system.
 *   blocks      becomes how many were out; or NULL
 *   returns     LOAM_OK; LOAM_EINVAL after misuse: no such heap, or not any more
 *   cost        two system calls; with a profile, a trace or under Valgrind O(blocks) besides
 */
loam_err loam_process_heap_destroy(loam_process_heap heap, uint64_t *blocks);

/* Gives out a block of at least size bytes, aligned to 16.
 *   returns     its address; NULL: size 0, the limit, or misuse of the handle
 *   cost        O(1), mostly about 90 instructions, the lock included
 */
void *loam_process_heap_alloc(loam_process_heap heap, size_t size);

/* The same for n * size bytes, all 0; NULL also when the product overflows. */
void *loam_process_heap_calloc(loam_process_heap heap, size_t n, size_t size);

/* The same at a multiple of align, a power of two up to 32 KiB; NULL also for any other align. */
void *loam_process_heap_aligned(loam_process_heap heap, size_t size, size_t align);

/* Changes the size of a block, moving it when it does not fit or would be less than half used.
 *   p           a block of this heap, or NULL: an allocation
 *   size        0: the block is freed, the answer is NULL
 *   returns     the block's address; NULL: the limit or misuse, and p stays as it was
 *   cost        O(1) in place, else O(size)
 */
void *loam_process_heap_realloc(loam_process_heap heap, void *p, size_t size);

/* Takes back a block. NULL is LOAM_OK.
 *   returns     LOAM_OK; LOAM_EINVAL after misuse: of the handle, double free, inner, foreign
 *   cost        O(1), mostly about 100 instructions, the lock included
 */
loam_err loam_process_heap_free(loam_process_heap heap, void *p);

/* Bytes of a block that may be used; 0 for NULL, and after misuse. O(1). */
size_t loam_process_heap_size(loam_process_heap heap, const void *p);

typedef struct loam_process_heap_stats {
    char name[LOAM_PROCESS_HEAP_NAME];
    uint64_t limit;              /* whole pages */
    uint64_t used, blocks;       /* bytes out, as sizes are rounded, and blocks */
    uint64_t free;               /* bytes of whole pages that nothing uses */
    uint64_t low_water;          /* the least of them that was ever free */
    uint64_t largest;            /* bytes of a block that is certain to succeed now */
    uint64_t metadata;           /* bytes beside the limit */
    uint64_t failures, refusals; /* since it was created */
} loam_process_heap_stats;
/* LOAM_OK; LOAM_EINVAL after misuse of the handle. O(limit / 256 KiB). */
loam_err loam_process_heap_stat(loam_process_heap heap, loam_process_heap_stats *stats);

/* Every heap there is, oldest slot first; fn returns false to stop. It may make any call. */
typedef bool loam_process_heap_fn(void *ctx, loam_process_heap heap,
                                  const loam_process_heap_stats *stats);
void loam_process_heap_each(loam_process_heap_fn *fn, void *ctx);

/* Writes the heap profile of this moment to a file, for pprof; %p in the path is the process's
 * number. Only in a process that began with LOAM_CONF=profile=...
 *   returns     0 or an errno: ENOTSUP without a profile, EINVAL without a path
 *   cost        O(stacks)
 */
int loam_process_heap_profile(const char *path);

#ifdef __cplusplus
}
#endif

#endif
