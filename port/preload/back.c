/* SPDX-License-Identifier: MIT */
/* back.c - memory that nobody uses, back to the system.
 *
 * WHAT   Free runs of frames lose their memory, and keep their addresses: the pages read 0 when they
 *        are used again.
 * MODEL  A run is taken out of the zone like any allocation, so that nobody else can have it while
 *        the system takes its pages; then it is freed again. A run that has no page in memory is
 *        left alone: the system is asked which are.
 *
 *            zone    [ free 64 KiB ]  -> alloc_at -> give_back -> free
 *
 * LOCKS  None held over a system call.
 * COST   O(free blocks); a system call or two for each that has memory.
 * FROM   -
 * NOT    Runs below BACK_LEAST frames: the next allocation wants these.
 */
#define _DEFAULT_SOURCE
#include "preload.h"

#include <sys/mman.h>

enum { BACK_LEAST = 16, BACK_PIECE = 1024, BACK_ROUND = 64 };

typedef struct back_runs {
    loam_pfn first[BACK_ROUND];
    unsigned order[BACK_ROUND];
    unsigned count;
    uint64_t from; /* blocks below it were in earlier rounds */
} back_runs;

static bool back_collect(void *ctx, uint64_t first, unsigned order)
{
    back_runs *runs = ctx;
    if ((1U << order) < BACK_LEAST || first < runs->from)
        return true;
    if (runs->count == BACK_ROUND)
        return false;
    runs->first[runs->count] = loam_pfn_of(first);
    runs->order[runs->count++] = order;
    return true;
}

/* Has a page of [at, at + len) memory? len at most BACK_PIECE pages. */
static bool back_is_resident(unsigned char *at, size_t len)
{
    unsigned char in[BACK_PIECE];
    size_t pages = len >> LOAM_PAGE_SHIFT;
    if (mincore(at, len, in) != 0)
        return false;
    for (size_t i = 0; i < pages; i++)
        if ((in[i] & 1) != 0)
            return true;
    return false;
}

/* One free block, in pieces; returns the bytes that went back. */
static uint64_t back_run(process_range *r, loam_pfn first, unsigned order)
{
    uint64_t frames = 1ULL << order, back = 0;
    for (uint64_t at = 0; at < frames; at += BACK_PIECE) {
        uint64_t n = frames - at < BACK_PIECE ? frames - at : BACK_PIECE;
        loam_pfn pfn = loam_pfn_of(first.v + at);
        unsigned char *va = (unsigned char *)(uintptr_t)loam_pfn_to_pa(pfn).v;
        size_t len = (size_t)n << LOAM_PAGE_SHIFT;
        if (!back_is_resident(va, len) ||
            loam_zone_alloc_at(r->zone, pfn, n, LOAM_ZONE_ATOMIC) != LOAM_OK)
            continue; /* nothing to give, or somebody has it by now */
        loam_pages_give_back(&r->pages, va, len);
        (void)loam_zone_free(r->zone, pfn);
        back += len;
    }
    return back;
}

uint64_t process_give_back(process_range *r)
{
    uint64_t back = 0;
    back_runs runs = {.from = 0};
    loam_slabs_shrink(r->slabs);
    loam_zone_drain(r->zone);
    do {
        runs.count = 0;
        loam_zone_each_free(r->zone, 18, back_collect, &runs);
        for (unsigned i = 0; i < runs.count; i++)
            back += back_run(r, runs.first[i], runs.order[i]);
        if (runs.count != 0)
            runs.from = runs.first[runs.count - 1].v + 1;
    } while (runs.count == BACK_ROUND);
    return back;
}
