/* SPDX-License-Identifier: MIT */
/* promise.c - free memory whose promise goes back to the system, too.
 *
 * WHAT   Where the system promises no more than it has (overcommit off), or a limit counts what is
 *        promised, memory that lost its pages alone is still nobody else's: no thread's stack, no
 *        child's, no huge block's. There free units of 2 MiB are closed: reserved again, as what
 *        lies behind the range's end.
 *
 * MODEL  A closed unit is out of the zone, as a block of nobody's; a bit remembers it. A range that
 *        has to grow opens closed units first.
 *
 *            range    [ used | free | closed | used | closed | closed | ready ][ not yet ]
 *            bits        0      0       1       0       1        1       0
 *
 * LOCKS  The range's, as for growth: also over the system's call.
 * COST   Two system calls for each 2 MiB, and one to open them; a look at the rules for each time
 *        that memory is given back.
 * FROM   glibc's arenas, which look at the same rule before they shrink.
 * NOT    Units behind the first 16 GiB of a range; memory that is locked.
 */
#define _GNU_SOURCE
#include "../../core/slab_internal.h"
#include "preload.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    UNIT_ORDER = 9, /* of LOAM_PAGES_STEP */
    UNIT_MOST = 18, /* order at which free blocks are cut */
    UNIT_FRAMES = 1 << UNIT_ORDER,
    UNITS = 8192 /* of each range */
};

_Static_assert((size_t)UNIT_FRAMES << LOAM_PAGE_SHIFT == LOAM_PAGES_STEP, "a unit is a step");

/* ---- the rules ---- */

/* Is it mode 2? A system that does not say so has another. */
static bool promise_is_strict(void)
{
    static uint32_t known; /* [atomic] 0: not asked yet; the mode and 1. It seldom changes */
    uint32_t mode = loam_atomic_peek(&known);
    char digit = '0';
    if (mode != 0)
        return mode == 3;
    int cancel = thread_hold();
    int file = open("/proc/sys/vm/overcommit_memory", O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        (void)!read(file, &digit, 1);
        close(file);
    }
    thread_let(cancel);
    loam_atomic_store(&known, digit == '2' ? 3 : 1); /* no order: a number that all find so */
    return digit == '2';
}

/* Does it matter how much is promised? */
static bool promise_counts(void)
{
    struct rlimit data;
    return loam__conf.limit != 0 ||
           (getrlimit(RLIMIT_DATA, &data) == 0 && data.rlim_cur != RLIM_INFINITY) ||
           promise_is_strict();
}

/* [lock] of the range: a bit for each unit. Apart, as few processes touch them. */
static uint32_t closed[PROCESS_RANGES][UNITS / 32];

/* ---- units; the range's lock is held ---- */

static unsigned char *unit_at(const process_range *r, size_t unit)
{
    return r->pages.base + unit * LOAM_PAGES_STEP;
}

static loam_pfn unit_pfn(const process_range *r, size_t unit)
{
    return loam_pa_to_pfn(loam_pa_of((uintptr_t)unit_at(r, unit)));
}

static bool unit_is_closed(const process_range *r, size_t unit)
{
    return unit < UNITS && (closed[r - loam__process.range][unit / 32] >> unit % 32 & 1) != 0;
}

static void unit_flip(process_range *r, size_t unit)
{
    closed[r - loam__process.range][unit / 32] ^= 1U << unit % 32;
    /* pairs with the load in add_range */
    (void)loam_atomic_add(&r->closed, unit_is_closed(r, unit) ? 1 : 0U - 1);
}

static bool unit_close(process_range *r, size_t unit)
{
    loam_pfn pfn = unit_pfn(r, unit);
    if (unit >= UNITS || loam_zone_alloc_at(r->zone, pfn, UNIT_FRAMES, LOAM_ZONE_ATOMIC) != LOAM_OK)
        return false; /* somebody has it by now */
    loam_pages_closed done = loam_pages_close(&r->pages, unit_at(r, unit), LOAM_PAGES_STEP);
    if (done == LOAM_PAGES_OPEN)
        (void)loam_zone_free(r->zone, pfn);
    if (done != LOAM_PAGES_CLOSED)
        return false;
    loam_slab__wear_not(r->slabs, unit_at(r, unit), LOAM_PAGES_STEP);
    unit_flip(r, unit);
    return limit_change(LOAM_PAGES_STEP, 0);
}

static bool unit_open(process_range *r, size_t unit)
{
    if (!limit_change(0, LOAM_PAGES_STEP))
        return false;
    if (loam_pages_open(&r->pages, unit_at(r, unit), LOAM_PAGES_STEP) != LOAM_OK) {
        (void)limit_change(LOAM_PAGES_STEP, 0);
        return false;
    }
    unit_flip(r, unit);
    return loam_zone_free(r->zone, unit_pfn(r, unit)) == LOAM_OK;
}

static size_t unit_count(unsigned order)
{
    return order > UNIT_ORDER ? (size_t)1 << (order - UNIT_ORDER) : 1;
}

/* The first of closed units that make a block of this order, at a multiple of its size;
 * UNITS: there are none. */
static size_t unit_find(const process_range *r, unsigned order)
{
    size_t want = unit_count(order), run = 0;
    size_t skew = (uintptr_t)r->pages.base / LOAM_PAGES_STEP;
    if (loam_atomic_peek(&r->closed) < want) /* no order: it changes under the lock */
        return UNITS;
    for (size_t unit = 0; unit < UNITS; unit++) {
        bool goes_on = run != 0 || (skew + unit) % want == 0;
        run = goes_on && unit_is_closed(r, unit) ? run + 1 : 0;
        if (run == want)
            return unit + 1 - want;
    }
    return UNITS;
}

/* ---- the calls ---- */

bool promise_has(const process_range *r, unsigned order)
{
    return unit_find(r, order) != UNITS;
}

bool promise_open(process_range *r, unsigned order)
{
    size_t unit = unit_find(r, order), n = unit == UNITS ? 0 : unit_count(order);
    bool opened = n != 0;
    for (size_t i = 0; i < n && opened; i++)
        opened = unit_open(r, unit + i);
    return opened;
}

/* A free block, by units; the lock is not held. */
static bool promise_close_block(process_range *r, loam_pfn first, unsigned order)
{
    size_t unit = (size_t)(first.v - unit_pfn(r, 0).v) / UNIT_FRAMES;
    bool any = false;
    for (size_t i = 0; i >> (order - UNIT_ORDER) == 0; i++) {
        loam_irq irq = loam_lock_acquire(&r->lock);
        any = unit_close(r, unit + i) || any;
        loam_lock_release(&r->lock, irq);
    }
    return any;
}

bool promise_close(process_range *r)
{
    bool any = false;
    if (!promise_counts())
        return false;
    for (unsigned order = UNIT_MOST + 1; order-- > UNIT_ORDER;) {
        loam_pfn at = loam_zone_next_free(r->zone, order, UNIT_MOST, loam_pfn_of(0));
        for (; !loam_pfn_is_none(at);
             at = loam_zone_next_free(r->zone, order, UNIT_MOST, loam_pfn_of(at.v + 1)))
            any = promise_close_block(r, at, order) || any;
    }
    return any;
}

bool promise_close_all(void)
{
    uint32_t n = loam_atomic_load(&loam__process.ranges);
    bool any = false;
    for (uint32_t i = 0; i < n; i++) {
        loam_slabs_shrink(loam__process.range[i].slabs);
        loam_zone_drain(loam__process.range[i].zone);
        any = promise_close(&loam__process.range[i]) || any;
    }
    return any;
}
