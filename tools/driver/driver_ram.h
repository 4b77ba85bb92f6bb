/* SPDX-License-Identifier: MIT */
#ifndef LOAM_DRIVER_RAM_H
#define LOAM_DRIVER_RAM_H

/* driver_ram.h - fake RAM anywhere in a 64-bit address space, inside a process of any width.
 * Hosted: may use the C library. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ram_run { /* frames [first, last] all hold one byte */
    uint64_t first, last;
    unsigned char byte;
} ram_run;

typedef struct ram_frame { /* a frame that has memory of its own */
    uint64_t number;       /* + 1; 0: an empty slot */
    unsigned char *mem;
} ram_frame;

typedef struct ram_piece { /* memory given to the allocator: the truth for its addresses */
    uint64_t pa, len;      /* len 0: not at any address */
    void *raw;
    size_t raw_len;
    unsigned char *va;
} ram_piece;

enum { RAM_PIECES = 4 };

typedef struct ram {
    ram_piece piece[RAM_PIECES];
    unsigned pieces;
    ram_frame *frame; /* open hash table, a power of two of slots */
    size_t frames, frame_cap;
    ram_run *run; /* sorted, disjoint; frames in neither are 0 */
    size_t runs, run_cap;
    unsigned char **chunk; /* what the frames' memory comes from */
    size_t chunks, chunk_used;
} ram;

void ram_reset(ram *r);
/* Zeroed memory in one piece, aligned as 4 MiB at least; pa is where it appears. NULL: too much. */
void *ram_map(ram *r, uint64_t pa, uint64_t len);
/* The same, at no address. */
void *ram_outside(ram *r, uint64_t len);
/* Whole frames, pa + len <= 2^64. false: the process has no memory left for it. */
bool ram_fill(ram *r, uint64_t pa, uint64_t len, unsigned char byte);
bool ram_check(ram *r, uint64_t pa, uint64_t len, unsigned char byte);
/* One frame as memory, from now on. NULL: there is no more. */
unsigned char *ram_frame_at(ram *r, uint64_t pa);
/* What stands there: 0 where nothing was ever written. */
void ram_peek(const ram *r, uint64_t pa, unsigned char *byte, unsigned n);

#endif
