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
 * LOCKS  None held over a system call.
 * COST   O(free blocks); a system call for each that is worn.
 * FROM   -
 * NOT    Runs below 2^BACK_LEAST frames: the next allocation wants these.
 */
#include "../../core/slab_internal.h"
#include "preload.h"

#include <errno.h>

enum { BACK_LEAST = 4, BACK_MOST = 18, BACK_PIECE = 1024 /* orders; frames */ };

/* One free block, in pieces; returns the bytes that went back. */
static uint64_t back_run(process_range *r, loam_pfn first, unsigned order)
{
    uint64_t frames = 1ULL << order, back = 0;
    for (uint64_t at = 0; at < frames; at += BACK_PIECE) {
        uint64_t n = frames - at < BACK_PIECE ? frames - at : BACK_PIECE;
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

uint64_t process_give_back(process_range *r)
{
    uint64_t back = 0;
    loam_slabs_shrink(r->slabs);
    loam_zone_drain(r->zone);
    for (unsigned order = BACK_MOST + 1; order-- > BACK_LEAST;) {
        loam_pfn at = loam_zone_next_free(r->zone, order, BACK_MOST, loam_pfn_of(0));
        for (; !loam_pfn_is_none(at);
             at = loam_zone_next_free(r->zone, order, BACK_MOST, loam_pfn_of(at.v + 1)))
            back += back_run(r, at, order);
    }
    return back + (promise_close(r) ? 1 : 0);
}

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
    }
    errno = before;
}
