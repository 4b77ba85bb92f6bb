/* SPDX-License-Identifier: MIT */
/* frames_stacsos_work.c - the loops over compat/stacsos: lowest block first, no fronts, a lock in
 * every call. */
#include "../compat/stacsos/page_allocator.h"
#include "frames.h"
#define FRAMES_ALLOC(a, order)                                                                     \
    ((void)(a), stacsos_pfn_of(stacsos_allocate_pages((int)(order), STACSOS_NONE)))
#define FRAMES_FREE(a, block, order)                                                               \
    ((void)(a), stacsos_free_pages(stacsos_page_of(block), (int)(order)))
#include "frames_work.inc"

static uint64_t stacsos_bytes(const frames_shape *shape)
{
    return stacsos_descriptor_bytes(shape->frames);
}

static void *stacsos_make(void *mem, uint64_t bytes, const frames_shape *shape)
{
    if (stacsos_init(mem, bytes, shape->frames, NULL) != 0 ||
        stacsos_insert_free_pages(stacsos_page_of(0), shape->frames) != 0)
        bench_die("stacsos cannot be made");
    return mem;
}

const frames_api frames_stacsos = {.name = "stacsos",
                                   .any_order = true,
                                   .bytes = stacsos_bytes,
                                   .init = stacsos_make,
                                   FRAMES_LOOPS};
