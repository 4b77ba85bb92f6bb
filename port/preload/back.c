/* SPDX-License-Identifier: MIT */
/* back.c - memory that nobody uses, back to the system.
 *
 * WHAT   Free runs of frames lose their memory, and keep their addresses: the pages read 0 when
 *        they are used again.
 * MODEL  A run is taken out of the zone like any allocation, so that nobody else can have it while
 *        the system takes its pages; then it is freed again. A run that nobody had since the system
 *        took it is left alone: slab_worn.c knows.
 *
 *            zone    [ free 64 KiB, worn ]  -> alloc_at -> give_back -> worn no more -> free
 *
 *        That is done when nobody asked for a while; and, in a process of which one thread alone
 *        has a number, when frames that nobody had are about to be used while much of what is free
 *        has its memory, in runs that are too short: then as much goes, and the process does not
 *        grow. What goes comes back by a page fault, which with several threads waits for the
 *        others. So it is earned first: three pages for four that come new, and one for each 64
 *        that are used.
 * LOCKS  None held over a system call.
 * COST   O(free blocks); a system call for each that is worn. Before growth: looks at 512 of them.
 * FROM   -
 * NOT    Runs below 2^BACK_LEAST frames: the next allocation wants these.
 */
#include "../../core/slab_internal.h"
#include "preload.h"

#include <errno.h>

enum { BACK_LEAST = 4, BACK_MOST = 18, BACK_PIECE = 1024 /* orders; frames */ };

/* Some of a free block, in pieces, until it is enough; returns the bytes that went back. */
static uint64_t back_run(process_range *r, loam_pfn first, unsigned order, uint64_t enough)
{
    uint64_t frames = 1ULL << order, back = 0, most = enough >> LOAM_PAGE_SHIFT;
    uint64_t piece = most < BACK_PIECE ? most : BACK_PIECE;
    for (uint64_t at = 0; at < frames && back < enough; at += piece) {
        uint64_t n = frames - at < piece ? frames - at : piece;
        loam_pfn pfn = loam_pfn_of(first.v + at);
        unsigned char *va = (unsigned char *)(uintptr_t)loam_pfn_to_pa(pfn).v;
        size_t len = (size_t)n << LOAM_PAGE_SHIFT;
        if (!loam_slab__has_worn(r->slabs, va, len) ||
            loam_zone_alloc_at(r->zone, pfn, n, LOAM_ZONE_ATOMIC) != LOAM_OK)
            continue; /* nothing to give, or somebody has it by now */
        if (loam_pages_give_back(&r->pages, va, len))
            loam_slab__wear_not(r->slabs, va, len);
        (void)loam_zone_free(r->zone, pfn);
        back += len;
    }
    return back;
}

/* Longest first, of so many free blocks at most, until it is enough; returns the bytes. */
static uint64_t back_runs(process_range *r, uint64_t blocks, uint64_t enough)
{
    uint64_t back = 0;
    for (unsigned order = BACK_MOST + 1; order-- > BACK_LEAST;) {
        loam_pfn at = loam_zone_next_free(r->zone, order, BACK_MOST, loam_pfn_of(0));
        for (; !loam_pfn_is_none(at) && blocks > 0 && back < enough; blocks--) {
            back += back_run(r, at, order, enough - back);
            at = loam_zone_next_free(r->zone, order, BACK_MOST, loam_pfn_of(at.v + 1));
        }
    }
    return back;
}

uint64_t process_give_back(process_range *r)
{
    loam_slabs_shrink(r->slabs);
    loam_zone_drain(r->zone);
    uint64_t back = back_runs(r, UINT64_MAX, UINT64_MAX);
    return back + (promise_close(r) ? 1 : 0);
}

/* ---- before the process grows ---- */

enum {
    SPARE_BLOCKS = 512,   /* free blocks that are looked at, .. */
    SPARE_LOOK = 4,       /* .. which costs as much as so many pages */
    SPARE_SHARE = 64,     /* a page for so many that are used, .. */
    SPARE_NEW = 48,       /* .. and so many parts of a page for one that nobody had */
    SPARE_SLACK = 16,     /* a part of what is out, which free memory may have at least */
    SPARE_SAVED = 1 << 28 /* of what is earned */
};

/* [atomic] In 64ths of a page (SPARE_SHARE): what may go; below 0 more went than was earned. */
static uint32_t earned;

/* Is anything left of what was earned before? */
static bool spare_earn(size_t len, size_t fresh)
{
    int32_t had = (int32_t)loam_atomic_peek(&earned); /* no order: a bound */
    size_t more = (len + fresh * SPARE_NEW) >> LOAM_PAGE_SHIFT;
    if (had < SPARE_SAVED) /* no order: as above */
        (void)loam_atomic_add(&earned, (uint32_t)more);
    return had > 0;
}

/* Has free memory more than its share? A hint. */
static bool spare_is_much(const process_range *r)
{
    size_t out =
        loam_pages_ready(&r->pages) - (size_t)(loam_zone_free_pages(r->zone) << LOAM_PAGE_SHIFT);
    size_t worn = loam_slab__worn_bytes(r->slabs);
    return worn > out && worn - out > out / SPARE_SLACK;
}

void process_spare(loam_slabs *slabs, const void *va, size_t len, size_t fresh)
{
    process_range *r = process_range_of(va);
    if (threads_are_many() || !spare_earn(len, fresh) || fresh == 0 || r == NULL ||
        r->slabs != slabs || !spare_is_much(r))
        return;
    int before = errno;
    uint64_t back = back_runs(r, SPARE_BLOCKS, fresh) >> LOAM_PAGE_SHIFT;
    uint32_t cost = (uint32_t)(back + SPARE_LOOK) * SPARE_SHARE;
    (void)loam_atomic_add(&earned, 0 - cost); /* no order: a bound */
    errno = before;
}

/* ---- after a while ---- */

enum { TICKS_A_LOOK = 64 /* calls between two looks at the clock */ };

/* [thread] of process_tick: a count of all threads' calls would be a line that all of them want */
static _Thread_local uint32_t calls __attribute__((tls_model("initial-exec")));
static uint32_t last_ms; /* [atomic] of the last pass; 0: there was none */

void process_tick(process_range *r)
{
    if (loam__conf.trim_ms == 0 || ++calls % TICKS_A_LOOK != 0)
        return;
    uint32_t now = (uint32_t)(loam_port_ticks() / 1000000U) | 1U;
    uint32_t last = loam_atomic_load(&last_ms);
    if (last != 0 && now - last < loam__conf.trim_ms)
        return;
    int before = errno;                                      /* free keeps it */
    if (loam_atomic_cas(&last_ms, last, now) && last != 0) { /* one thread does it */
        (void)process_give_back(r);
        (void)huge_drop_kept(false);
        tight_grown(limit_taken()); /* as its limit may be lower by now */
    }
    errno = before;
}
