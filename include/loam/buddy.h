/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BUDDY_H
#define LOAM_BUDDY_H

/* buddy.h - power-of-two blocks of units, kept only in bits.
 *
 * A unit is whatever the owner says: a 4 KiB frame, 16 bytes, a whole area. Units are numbered; a
 * block of order k is 2^k units that start at a multiple of 2^k in that numbering. Free memory is
 * never touched.
 *
 * Not locked: the owner serialises all calls on one loam_buddy. The owner also knows which blocks
 * are out: a free of units that are already free is refused, any other wrong free is the owner's to
 * detect (zone does, with a byte a frame).
 */
#include "loam/base.h"

enum {
    LOAM_BUDDY_CLASSES = 6, /* orders in one word: runs of 1, 2, 4 ... 32 bits */
    LOAM_BUDDY_LEVELS = 8,  /* words of words: 64^8 units and more */
    LOAM_BUDDY_HEIGHT = 8,  /* nodes of nodes */
    LOAM_BUDDY_MAX_ORDER = LOAM_BUDDY_LEVELS * LOAM_BUDDY_CLASSES - 1
};

/* One cache line: bit i of has[k] says that child i holds a maximal free run of 2^k bits. */
typedef struct loam_buddy_node {
    uint64_t has[8]; /* LOAM_BUDDY_CLASSES in use, padded to a line */
} loam_buddy_node;

typedef struct loam_buddy_level {
    uint64_t *word;   /* bit set: 64^level units wholly free */
    uint16_t *counts; /* of each word's maximal runs of 1, 2 and 4 bits, side by side */
    uint64_t first;   /* number of the first word, in absolute numbering */
    uint64_t count;   /* words */
    /* node[0][i] is over words 64i .. 64i + 63, node[1] over node[0] ... */
    loam_buddy_node *node[LOAM_BUDDY_HEIGHT];
    /* trees of nodes; node[height - 1] is the root alone */
    unsigned height;
} loam_buddy_level;

typedef struct loam_buddy {
    uint64_t first, count; /* units [first, first + count) */
    uint64_t free_units;
    uint64_t classes;   /* bit 6 l + k: some maximal free block has that order */
    unsigned levels;    /* in use */
    unsigned high_from; /* requests of this order and above are served from the highest address */
    loam_buddy_level level[LOAM_BUDDY_LEVELS];
} loam_buddy;

/* Bytes of metadata for units [first, first + count), to be aligned to 64; 0 when count is 0, first
 * + count leaves 64 bits, or the count is 2^47 or more. O(1). */
uint64_t loam_buddy_measure(uint64_t first, uint64_t count);

/* Starts with nothing free.
 *   mem         loam_buddy_measure bytes aligned to 64, all zero; the caller's until the buddy is
 *               given up
 *   high_from   LOAM_BUDDY_MAX_ORDER + 1: the lowest address for every order
 *   returns     LOAM_OK or LOAM_EINVAL
 *   cost        O(levels)
 */
loam_err loam_buddy_init(loam_buddy *b, uint64_t first, uint64_t count, unsigned high_from,
                         void *mem);

/* Takes a free block of 2^order units: the smallest sufficient free block, among those the lowest
 * (or highest, see high_from), split as needed.
 *   returns     LOAM_OK and *unit; LOAM_ENOMEM (no free block is large enough; also for an order
 *               beyond every block)
 *   cost        O(levels x height)
 */
loam_err loam_buddy_alloc(loam_buddy *b, unsigned order, uint64_t *unit);

/* The block that loam_buddy_alloc would take from now: where it lies, and the free block around it.
 * Changes nothing. false: LOAM_ENOMEM. */
typedef struct loam_buddy_pick {
    uint64_t unit;  /* first unit of the block */
    uint64_t from;  /* first unit of the maximal free block that it is cut from */
    unsigned order; /* of that free block */
} loam_buddy_pick;
bool loam_buddy_peek(const loam_buddy *b, unsigned order, loam_buddy_pick *pick);

/* loam_buddy_alloc that tells as much as loam_buddy_peek. */
loam_err loam_buddy_alloc_pick(loam_buddy *b, unsigned order, loam_buddy_pick *pick);

/* As loam_buddy_peek and loam_buddy_alloc, but the block lies inside [lo, lo + len), len 0 meaning
 * no upper limit: of the smallest free blocks that have a fitting part, the lowest place. Cost
 * O(orders x height). */
bool loam_buddy_peek_within(const loam_buddy *b, unsigned order, uint64_t lo, uint64_t len,
                            loam_buddy_pick *pick);
loam_err loam_buddy_alloc_within(loam_buddy *b, unsigned order, uint64_t lo, uint64_t len,
                                 uint64_t *unit);

/* Takes exactly the units [unit, unit + 2^order), which must all be free.
 *   returns     LOAM_OK; LOAM_EINVAL (misaligned, outside); LOAM_EBUSY (not all free)
 *   cost        O(levels x height)
 */
loam_err loam_buddy_take(loam_buddy *b, uint64_t unit, unsigned order);

/* As loam_buddy_alloc_pick, but takes only the first count units of that block, 0 < count <=
 * 2^order. */
loam_err loam_buddy_alloc_part(loam_buddy *b, unsigned order, uint64_t count,
                               loam_buddy_pick *pick);

/* Takes exactly the units [unit, unit + count), any alignment.
 *   returns     LOAM_OK; LOAM_EINVAL (outside); LOAM_EBUSY (not all free); nothing is taken then
 *   cost        O(levels x height): at most two words of each level change
 */
loam_err loam_buddy_take_range(loam_buddy *b, uint64_t unit, uint64_t count);

/* Takes every block of this order that lies free in one word, the word that loam_buddy_alloc would
 * serve the order from; a larger free block is opened for it. At most 64 >> (order mod 6) blocks.
 *   returns     their first units as bits: bit i is unit *base + (i << (order / 6 * 6)); 0 when
 *               nothing is free
 *   cost        as one loam_buddy_alloc
 */
uint64_t loam_buddy_take_runs(loam_buddy *b, unsigned order, uint64_t *base);

/* Gives back 2^order units. Merging is implied.
 *   returns     LOAM_OK; LOAM_EINVAL (misaligned, outside); LOAM_EBUSY (one of them is free
 *               already)
 *   cost        O(levels x height)
 */
loam_err loam_buddy_free(loam_buddy *b, uint64_t unit, unsigned order);

/* Gives back n blocks of one order in the order of the list, up to the first that loam_buddy_free
 * would refuse.
 *   returns     how many were given back: n, or the index of the refused one
 */
size_t loam_buddy_free_list(loam_buddy *b, unsigned order, const uint64_t *unit, size_t n);

/* Gives back blocks of one order, named as loam_buddy_take_runs names them. As one loam_buddy_free.
 * */
loam_err loam_buddy_free_runs(loam_buddy *b, unsigned order, uint64_t base, uint64_t starts);

/* Gives back [unit, unit + count), any alignment. Errors as loam_buddy_free, found before anything
 * changes. Cost as loam_buddy_take_range. */
loam_err loam_buddy_free_range(loam_buddy *b, uint64_t unit, uint64_t count);

/* Is the unit free, and if so in which maximal block? order and start may be NULL. O(levels). */
bool loam_buddy_find(const loam_buddy *b, uint64_t unit, uint64_t *start, unsigned *order);

/* The order of the largest free block, or -1 when nothing is free. O(1). */
int loam_buddy_largest(const loam_buddy *b);

/* Calls fn for every maximal free block in ascending order of address, blocks above max_order cut
 * into pieces of it. fn returns false to stop. fn may not change the buddy. O(words). */
typedef bool loam_buddy_fn(void *ctx, uint64_t unit, unsigned order);
void loam_buddy_each(const loam_buddy *b, unsigned max_order, loam_buddy_fn *fn, void *ctx);

/* The first free block of exactly this order (with views capped at max_order) at or above unit
 * `from`; false when there is none. O(words). */
bool loam_buddy_next(const loam_buddy *b, unsigned order, unsigned max_order, uint64_t from,
                     uint64_t *unit);

/* The first broken rule (B1 ... of buddy.c), or NULL. O(words x levels). */
const char *loam_buddy_check(const loam_buddy *b);

#endif
