/* SPDX-License-Identifier: MIT */
#ifndef SHOMP_PLAY_H
#define SHOMP_PLAY_H

/* play.h - blocks by keys, on any machine: a key goes in, text comes out.
 *
 *     4 5 6 7 8 9          take a block of that scale, into the slot of that number
 *     1 2 3                as 4 5 6, into slots 1 2 3
 *     q w e r t y u i o    free slots 1 to 9; a slot is a stack, freed last first
 *     p                    print how many blocks are free
 *     ?                    the list of keys
 *     0 - ! @              in guard mode: take a page, free it, write into the block freed last,
 *                          read from it
 *     Ctrl-D, Escape twice leave
 *
 * Whatever can be seen is echoed, enter starts a new line, backspace takes a character back (and
 * not what its key did): a text console.
 */
#include "../shomp.h"

enum { SHOMP_SLOTS = 10, SHOMP_LINE = 71 /* 80 columns, the prompt, and room for the cursor */ };

typedef struct shomp_play {
    shomp_output_fn *put;
    void *ctx;
    bool guard, left;
    char last;                 /* key: CR LF is one end of a line */
    unsigned escape;           /* how far into a sequence of a terminal: 0 none, 1 ESC, 2 ESC [ */
    unsigned typed;            /* characters on the line, behind the prompt */
    bool told;                 /* the last key made lines of its own */
    unsigned char *freed;      /* payload of the block freed last */
    uint16_t top[SHOMP_SLOTS]; /* unit of the block taken last */
    uint16_t below[1 << (SHOMP_MAX_SCALE - SHOMP_MIN_SCALE)]; /* of each unit: the one before */
} shomp_play;

/* Starts a heap and plays over it: says what the keys are and how to leave, and shows the prompt.
 * From here to the end messages of the heap and reports of the port go to put. The misuse policy
 * should be report.
 *   memory      shomp_bytes(options) bytes
 */
void shomp_play_start(shomp_play *play, void *memory, const shomp_options *options,
                      shomp_output_fn *put, void *ctx);

/* One key; false once the player wants to leave. */
bool shomp_play_key(shomp_play *play, char key);

/* The leak report: names what the slots still hold, frees it, and checks that the heap is whole
 * again. Then there is no heap.
 *   returns     blocks that were leaked
 */
unsigned shomp_play_end(shomp_play *play);

#endif
