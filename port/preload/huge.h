/* SPDX-License-Identifier: MIT */
#ifndef LOAM_PRELOAD_HUGE_H
#define LOAM_PRELOAD_HUGE_H

/* huge.h - what huge*.c do for each other: blocks that have a mapping of their own. */
#include "loam_pages.h"
#include "preload.h"

typedef struct huge_block {
    uintptr_t at;    /* 0: never used; 1: was used */
    size_t len, map; /* bytes from `at` on; bytes mapped in front: for its alignment, a guard */
    size_t size;     /* bytes asked for; with guard pages magic follows them */
    size_t held;     /* with guard pages: bytes in front of the guard behind that may have memory */
    uint32_t lead;   /* with guard pages: bytes of magic in front */
    bool part;       /* with guard pages: of what lies between these some is closed, too */
    bool large;      /* with guard pages: large pages were asked for */
} huge_block;

/* Bytes of the blocks that are out: now; at the most so far. */
typedef struct huge_load {
    uint64_t out, peak;
} huge_load;

enum { HUGE_MAGIC = 128 /* most bytes of it on either side of a block between guard pages */ };

/* Blocks of slots up to here read 0, and can be touched, while they are kept. */
#define HUGE_KEPT_OPEN  ((size_t)2 << 20)
#define HUGE_LARGE_PAGE ((size_t)2 << 20)

/* Bytes of a page of the system's, which may be larger than a frame: rights are a page's. */
static inline size_t huge_page(void)
{
    return loam_pages_page();
}

static inline size_t huge_pages(size_t size)
{
    return (size_t)loam_align_up(size, huge_page());
}

/* Bytes more, so that a block can lie so. */
static inline size_t huge_around_of(size_t align)
{
    return align > huge_page() ? align : 0;
}

/* ---- huge.c ---- */

/* May so long a block have large pages? */
bool huge_wants_large(size_t len);
/* Is it very long, or were there others? Else its ends are better off without: mostly there are few
 * blocks that are so long, of which little is used. */
bool huge_are_many(size_t len);

/* ---- huge_guard.c: with guard pages ---- */

/* Addresses that nobody can touch, with a guard on either side; the end is such that large pages
 * fit before it, of `large` bytes, 0 for none. What is too much behind it goes. NULL: no memory. */
char *huge_guard_reserve(size_t room, size_t large, uintptr_t *end);
/* Maps a block between its guards; false: no memory. */
bool huge_guard_map(size_t size, size_t align, huge_block *b);
/* Opens the last bytes of a slot for a block of len bytes up to `end`, with some more in front
 * where large pages want it: held, lead and part are known from then on. False: nothing changed. */
bool huge_guard_open(uintptr_t end, size_t len, size_t room, huge_block *b);
/* The bytes around a block hold their magic from now on. */
void huge_guard_write(const huge_block *b);
/* NULL, or where somebody wrote that should not have. */
const char *huge_guard_fault(const huge_block *b);
/* It has so many bytes, and its pages; magic is around these alone. */
void huge_guard_redress(huge_block *b, size_t size);
/* The block stays, and has so many bytes; false: it has to move, nothing has changed. */
bool huge_guard_stay(huge_block *b, size_t size);
/* Are these bytes of the caller's, with something mapped behind them, several mappings, which
 * cannot move at once? A system call; errno stays. */
bool huge_is_apart(uintptr_t at, size_t len);
/* Its pages lie between guards of their own, len bytes of them; NULL: no memory. */
void *huge_guard_move(huge_block *b, size_t len);

/* ---- huge_kept.c: with guard pages ---- */

/* Keeps a freed block, with so much still out; false: it is too long, and as it was. */
bool huge_keep(const huge_block *b, huge_load load);
/* One that is kept, which reads 0, for so many bytes; false: none. */
bool huge_again(size_t size, huge_block *b);

#endif
