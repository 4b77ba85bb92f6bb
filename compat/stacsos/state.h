/* SPDX-License-Identifier: MIT */
#ifndef STACSOS_STATE_H
#define STACSOS_STATE_H

/* state.h - one allocator, and the calls on it: the machine's, and that of the self-test. The
 * contracts are in page_allocator.h. */
#define STACSOS_NO_PLAIN_NAMES
#include "page_allocator.h"

typedef struct stacsos_allocator {
    loam_lock lock;     /* held around every call of the zone; keeps interrupts off */
    loam_zone *zone;    /* [init] or NULL */
    struct page *array; /* [init] the zone's frame table, page 0 first */
    uint64_t npages;    /* [init] */
    uint64_t inserted;  /* [lock] pages */
} stacsos_allocator;

extern stacsos_allocator stacsos_machine;

int stacsos_a_init(stacsos_allocator *a, void *descriptors, uint64_t len, uint64_t npages,
                   const loam_linear *linear);
struct page *stacsos_a_page(const stacsos_allocator *a, uint64_t pfn);
uint64_t stacsos_a_pfn(const stacsos_allocator *a, const struct page *page);
int stacsos_a_insert(stacsos_allocator *a, const struct page *start, uint64_t count);
struct page *stacsos_a_allocate(stacsos_allocator *a, int order, stacsos_flags flags);
int stacsos_a_free(stacsos_allocator *a, const struct page *base, int order, const void *caller);
/* The first free block of this order at or above a frame, as it is at this moment. */
loam_pfn stacsos_a_next(stacsos_allocator *a, int order, uint64_t from);
stacsos_stats stacsos_a_stat(stacsos_allocator *a);
void stacsos_a_dump(stacsos_allocator *a);

/* A piece of text of at most 159 characters; directives of loam_text_fmt. */
void stacsos_say(const char *fmt, ...);

#endif
