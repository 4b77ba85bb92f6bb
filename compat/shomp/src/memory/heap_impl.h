/* SPDX-License-Identifier: MIT */
#ifndef SHOMP_HEAP_IMPL_H
#define SHOMP_HEAP_IMPL_H

/* heap_impl.h - what the files of the heap share. heap.c has the theory. */
#include "../../inc/shomp.h"
#include "loam/buddy.h"

enum {
    SHOMP_UNIT = 1 << SHOMP_MIN_SCALE,
    SHOMP_UNITS = 1 << (SHOMP_MAX_SCALE - SHOMP_MIN_SCALE),
    SHOMP_HEADER = sizeof(block_header),
    SHOMP_META = 1024, /* of the engine: bits of SHOMP_UNITS units, in lines */
    SHOMP_POISON = 0xd5
};

typedef struct shomp_heap {
    loam_lock lock;
    unsigned char *base; /* block 0; NULL: there is no heap */
    loam_buddy buddy;    /* units of 16 bytes, numbered from block 0 */
    unsigned scale;      /* of the heap, now */
    shomp_options options;
    bool linked;                   /* headers of free blocks hold their neighbours */
    uint8_t out[SHOMP_UNITS];      /* scale of the block that is out and starts here, or 0 */
    uint8_t was[SHOMP_UNITS];      /* guard: the same of the block that was freed here last */
    const void *site[SHOMP_UNITS]; /* who allocated it */
    bool hidden[SHOMP_MOST_PAGES]; /* pages that are unreachable */
    list_header list[SHOMP_MAX_SCALE + 1];
} shomp_heap;

extern shomp_heap shomp_x__heap;

/* Something written over freed memory. */
typedef struct shomp_damage {
    bool found;
    uint32_t unit; /* that holds the first byte */
    uintptr_t address;
} shomp_damage;

static inline unsigned char *shomp_at(const shomp_heap *h, uint64_t unit)
{
    return h->base + (size_t)unit * SHOMP_UNIT;
}

/* Units of the heap as large as it is now. */
static inline uint64_t shomp_units(const shomp_heap *h)
{
    return 1ULL << (h->scale - SHOMP_MIN_SCALE);
}

static inline void shomp_write_header(const shomp_heap *h, uint64_t unit, bool is_free,
                                      unsigned scale)
{
    block_header header = {{SHOMP_END, SHOMP_END}, is_free, (uint8_t)(scale & 0x7f)};
    __builtin_memcpy(shomp_at(h, unit), &header, sizeof(header));
}

static inline bool shomp_header_is(const shomp_heap *h, uint64_t unit, bool is_free, unsigned scale)
{
    block_header header = {{SHOMP_END, SHOMP_END}, is_free, (uint8_t)(scale & 0x7f)};
    return __builtin_memcmp(shomp_at(h, unit), &header, sizeof(header)) == 0;
}

/* ---- guard.c; each does nothing when the heap has no guard ---- */

/* Fills units [unit, unit + n), their headers included. */
void shomp_guard__fill(shomp_heap *h, uint64_t unit, uint64_t n);
/* Is the block that is about to be taken out of this free block as it was left? Mends it. */
shomp_damage shomp_guard__look(shomp_heap *h, const loam_buddy_pick *pick, unsigned order);
/* The header of a free block, before it becomes part of a larger one; it is filled. */
shomp_damage shomp_guard__absorb(shomp_heap *h, uint64_t unit, unsigned order);
/* A block is out now, or free again. */
void shomp_guard__taken(shomp_heap *h, uint64_t unit, unsigned order);
void shomp_guard__given(shomp_heap *h, uint64_t unit, unsigned order);
/* Makes pages of [unit, unit + n) reachable; makes idle pages unreachable, and all others
 * reachable. */
void shomp_guard__open(shomp_heap *h, uint64_t unit, uint64_t n);
void shomp_guard__settle(shomp_heap *h);
/* What is known of a place in freed memory. */
void shomp_guard__name(const shomp_heap *h, uint64_t unit, loam_report *report);

/* view.c: the neighbours in headers of free blocks go. */
shomp_damage shomp_view__unlink(shomp_heap *h);

#endif
