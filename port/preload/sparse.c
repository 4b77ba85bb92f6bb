/* SPDX-License-Identifier: MIT */
/* sparse.c - pages that nobody uses between those that somebody does, back to the system.
 *
 * WHAT   Free slots of slabs, and what is left of 64 KiB behind a large block, hold pages of which
 *        nothing is out. A hand goes around over the ranges and gives them back.
 * MODEL  The system tells which pages are in memory; of these go those in which nothing lies.
 *
 *            range   [ slab: o.o.....  | block ........ tail | free | slab ...
 *            there     1111 1111         11111111    11        01
 *            goes         x xxxx                     xx         x           hand ->
 *
 *        Slabs are their thread's to look at (slab_sparse.c); frames that are free are taken out of
 *        the zone for as long as the system takes their pages, as in back.c.
 * LOCKS  None held over a system call, but a front's: its owner's, or the layer's.
 * COST   2 MiB of a range: a system call, and one for each run of pages that goes. Each page that
 *        is used again comes by a fault.
 * FROM   -
 * NOT    Slabs of threads that sleep, or that are smaller than a page of the system's.
 */
#define _GNU_SOURCE
#include "../../core/slab_internal.h"
#include "preload.h"

enum { CHUNK_PAGES = 512 }; /* that one call tells of, where a page is a frame */

#define CHUNK ((size_t)CHUNK_PAGES << LOAM_PAGE_SHIFT)

_Static_assert(CHUNK == LOAM_PAGES_STEP, "what is ready is whole chunks");

typedef struct chunk {
    process_range *r;
    unsigned char *va;
    unsigned shift; /* of the system's pages: all that is counted here is counted in them */
    unsigned char in[CHUNK_PAGES]; /* bit 0: the page is in memory */
} chunk;

/* Of a piece: of a slab's size, where a slab begins, or a large block. */
static unsigned chunk_step(const chunk *c)
{
    return 1U << (c->r->slabs->shift - c->shift);
}

static unsigned char *chunk_at(const chunk *c, unsigned page)
{
    return c->va + ((size_t)page << c->shift);
}

static loam_pfn chunk_pfn(const chunk *c, unsigned page)
{
    return loam_pa_to_pfn(loam_pa_of((uintptr_t)chunk_at(c, page)));
}

static bool chunk_give(void *ctx, void *va, size_t len)
{
    const chunk *c = ctx;
    return loam_pages_give_back(&c->r->pages, va, len);
}

static uint64_t chunk_frames_of(const chunk *c, unsigned pages)
{
    return (uint64_t)pages << (c->shift - LOAM_PAGE_SHIFT);
}

/* Pages in a row, of so many, whose frames are free. */
static unsigned chunk_free(const chunk *c, unsigned page, unsigned most)
{
    loam_pfn pfn = chunk_pfn(c, page), first;
    unsigned order;
    uint64_t n = 0, want = chunk_frames_of(c, most);
    while (n < want && loam_zone_find_free(c->r->zone, loam_pfn_of(pfn.v + n), &first, &order))
        n = first.v + (1ULL << order) - pfn.v;
    return n < want ? (unsigned)(n >> (c->shift - LOAM_PAGE_SHIFT)) : most;
}

/* Free frames from a page on, up to another, go; where to go on. */
static unsigned chunk_frames(chunk *c, unsigned page, unsigned end, uint64_t *gone)
{
    unsigned n = chunk_free(c, page, end - page);
    size_t len = (size_t)n << c->shift;
    if (n == 0 || loam_zone_alloc_at(c->r->zone, chunk_pfn(c, page), chunk_frames_of(c, n),
                                     LOAM_ZONE_ATOMIC) != LOAM_OK)
        return page + 1; /* somebody has it */
    if (chunk_give(c, chunk_at(c, page), len)) {
        loam_slab__wear_not(c->r->slabs, chunk_at(c, page), len);
        *gone += len;
    }
    (void)loam_zone_free(c->r->zone, chunk_pfn(c, page));
    return page + n;
}

/* A piece: a slab; or frames, where those behind the last block's are free. Bytes that went. */
static uint64_t chunk_piece(chunk *c, unsigned page)
{
    uint64_t gone = 0;
    uint32_t there = 0;
    unsigned pages = chunk_step(c), end = page + pages;
    for (unsigned i = 0; i < pages; i++)
        there |= (c->in[page + i] & 1U) << i;
    if (there == 0)
        return 0;
    if (loam_slab__has_slab(c->r->slabs, chunk_at(c, page)))
        return loam_slab__sparse(c->r->slabs, chunk_at(c, page), there, c->shift, chunk_give, c);
    if (chunk_free(c, end - 1, 1) == 0)
        return 0;
    while (page < end)
        page = (c->in[page] & 1) != 0 ? chunk_frames(c, page, end, &gone) : page + 1;
    return gone;
}

static uint64_t chunk_sweep(process_range *r, size_t at)
{
    chunk c;
    uint64_t gone = 0;
    c.r = r;
    c.va = r->pages.base + at;
    c.shift = loam_ctz64(loam_pages_page());
    if (c.shift > r->slabs->shift || !process_there_slowly(c.va, CHUNK, c.in))
        return 0;
    for (unsigned page = 0; page < CHUNK >> c.shift; page += chunk_step(&c))
        gone += chunk_piece(&c, page);
    return gone;
}

/* The range with this chunk of all, and which of its own it is; NULL: there are not so many. */
static process_range *chunk_range(uint32_t *at)
{
    uint32_t n = loam_atomic_load(&loam__process.ranges); /* pairs with process_set_ranges */
    for (uint32_t i = 0; i < n; i++) {
        process_range *r = &loam__process.range[i];
        uint32_t chunks = (uint32_t)(loam_pages_ready(&r->pages) / CHUNK);
        if (*at < chunks)
            return r;
        *at -= chunks;
    }
    return NULL;
}

uint64_t sparse_sweep(uint32_t *hand, uint64_t enough, uint32_t chunks)
{
    uint64_t gone = 0;
    uint32_t around = 0, first = *hand;
    while (gone < enough && chunks > 0 && around < 2) {
        uint32_t at = *hand;
        process_range *r = chunk_range(&at);
        if (r == NULL || (around != 0 && *hand >= first)) {
            around++;
            *hand = r == NULL ? 0 : *hand;
            continue;
        }
        gone += chunk_sweep(r, at * CHUNK);
        ++*hand;
        chunks--;
    }
    return gone;
}
