/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_MEMVIEW_PICTURE_H
#define LOAM_KERN_MEMVIEW_PICTURE_H

/* memview_picture.h - all of memory as one picture: a character is a block of frames. Pure: frames
 * are told, the picture comes back as cells of a PC's screen or as lines for a terminal. */
#include "loam/base.h"

typedef enum memview_kind {
    MEMVIEW_FREE,
    MEMVIEW_TAKEN,
    MEMVIEW_SLAB,
    MEMVIEW_TABLES, /* what memory management keeps for itself: page tables, frame tables, bits */
    MEMVIEW_RESERVED,
    MEMVIEW_HIGH_FREE, /* frames without a kernel address */
    MEMVIEW_HIGH_TAKEN,
    MEMVIEW_KINDS /* of no kind at all: no RAM */
} memview_kind;

enum {
    MEMVIEW_COLUMNS = 64,
    MEMVIEW_ROWS = 20,
    MEMVIEW_BLOCKS = MEMVIEW_COLUMNS * MEMVIEW_ROWS,
    MEMVIEW_LINE = 1024 /* bytes that a line for a terminal needs at most */
};

typedef struct memview {
    unsigned shift;                                /* a block is 2^shift frames */
    unsigned blocks;                               /* in use */
    uint32_t count[MEMVIEW_BLOCKS][MEMVIEW_KINDS]; /* frames of each kind in each block */
    uint64_t total[MEMVIEW_KINDS];
} memview;

/* How a block looks: its kind gives the colour, its level the character. */
typedef struct memview_look {
    uint8_t kind;  /* of most of its taken frames; without any, of its free ones; MEMVIEW_KINDS */
    uint8_t level; /* 0 wholly free, 1 up to half of it taken, 2 more, 3 wholly taken */
} memview_look;

/* An empty picture of frames [0, frames): the smallest block with which they fit. frames > 0 */
void memview_init(memview *m, uint64_t frames);

/* Tells of frames, each once; those beyond the picture are left out. O(blocks they lie in). */
void memview_add(memview *m, uint64_t first, uint64_t count, memview_kind kind);
/* Frames told of as `from` are of kind `to`, as many as there are. */
void memview_change(memview *m, uint64_t first, uint64_t count, memview_kind from, memview_kind to);

memview_look memview_look_at(const memview *m, unsigned block);

/* Lines for a terminal with colours, without a newline: row 0 .. memview_rows() - 1, the legend,
 * the numbers. t has room for MEMVIEW_LINE. */
unsigned memview_rows(const memview *m);
void memview_row(const memview *m, unsigned row, loam_text *t);
void memview_legend(loam_text *t);
void memview_numbers(const memview *m, loam_text *t);
/* "Memory to 0x4000000: a character is 16 frames (64 KiB)" */
void memview_title(const memview *m, loam_text *t);

/* All of a PC's screen, 80 x 25 cells; note: its last line. */
void memview_paint(const memview *m, const char *note, uint16_t *cell);

#endif
