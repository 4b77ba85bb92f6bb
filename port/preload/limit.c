/* SPDX-License-Identifier: MIT */
/* limit.c - LOAM_CONF=limit: a system that says no early.
 *
 * WHAT   Counts what ranges and huge blocks have from the system, and refuses what would be more
 *        than the user allows: malloc answers ENOMEM, and goes on when something was freed.
 * MODEL  One number, in MiB, rounded up for each request.
 *
 *            taken   [ range: 2 4 8 ... | huge 33 | huge 40 |        limit ]
 *
 * LOCKS  None: a number is added, and taken back if that was too much.
 * COST   An addition for each call of the system.
 * FROM   -
 * NOT    The layers' own metadata, a thousandth of the range reserved. What was given back by
 *        malloc_trim stays counted: it is the range's to touch again.
 */
#include "preload.h"

enum { LIMIT_SHIFT = 20 };

static uint32_t taken; /* [atomic] MiB */

static uint32_t limit_units(uint64_t bytes)
{
    return (uint32_t)((bytes + ((1U << LIMIT_SHIFT) - 1)) >> LIMIT_SHIFT);
}

uint64_t limit_taken(void)
{
    return (uint64_t)loam_atomic_peek(&taken) << LIMIT_SHIFT; /* no order: a count */
}

bool limit_change(size_t from, size_t to)
{
    size_t limit = loam__conf.limit;
    uint32_t more = limit_units(to) - limit_units(from);
    uint32_t before = loam_atomic_add(&taken, more); /* no order: a count */
    if (to > from && (limit == 0 || (uint64_t)before + more <= limit >> LIMIT_SHIFT))
        tight_grown((uint64_t)(before + more) << LIMIT_SHIFT);
    if (to <= from || limit == 0 || (uint64_t)before + more <= limit >> LIMIT_SHIFT)
        return true;
    (void)loam_atomic_add(&taken, 0 - more); /* no order: as above */
    return false;
}
