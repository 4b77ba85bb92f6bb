/* SPDX-License-Identifier: MIT */
/* thp.c - huge pages under the largest blocks.
 *
 * WHAT   A block of megabytes that is written for the first time costs a fault a page. Where the
 *        system has huge pages for who asks, the pieces of 2 MiB that lie in such a block whole ask
 *        for them: one fault for 512, and a block that is written whole has no byte more in memory.
 *
 * MODEL  A bit for each piece of a range: asked. What is asked for stays so for the blocks that lie
 *        there later.
 *
 *            range    |      |      |      |      |      |   pieces of LOAM_PAGES_STEP
 *            block        [========================]
 *            bits     .      1      1      1      .      .
 *
 * RULES  None: a bit that is wrong costs time, or a system call.
 * LOCKS  None: of two threads that meet on a piece both ask.
 * COST   A system call for a run of pieces that no large block had before.
 * FROM   -
 * NOT    Slabs and small blocks: a piece of which half is used would be in memory whole.
 */
#define _DEFAULT_SOURCE
#include "preload.h"

#include <sys/mman.h>

static bool thp_is_asked(const process_range *r, size_t piece)
{
    /* no order: a hint */
    return piece >= PROCESS_PIECES || (loam_atomic_peek(&r->asked[piece / 32]) >> piece % 32 & 1);
}

static void thp_note(process_range *r, size_t piece)
{
    uint32_t *word = &r->asked[piece / 32];
    /* no order: a hint, of which a bit may be lost */
    loam_atomic_store(word, loam_atomic_peek(word) | 1U << piece % 32);
}

void thp_ask(process_range *r, const void *p, size_t size)
{
    if (loam__conf.huge_from == 0 || size < loam__conf.huge_from || loam__conf.huge_pages)
        return;
    size_t off = (size_t)((uintptr_t)p - (uintptr_t)r->pages.base), end = off + size;
    size_t i = (off + LOAM_PAGES_STEP - 1) / LOAM_PAGES_STEP;
    while (i < end / LOAM_PAGES_STEP) {
        size_t from = i;
        for (; i < end / LOAM_PAGES_STEP && !thp_is_asked(r, i); i++)
            thp_note(r, i);
        if (i != from)
            madvise(r->pages.base + from * LOAM_PAGES_STEP, (i - from) * LOAM_PAGES_STEP,
                    MADV_HUGEPAGE); /* where the system knows of it */
        i += i == from;
    }
}
