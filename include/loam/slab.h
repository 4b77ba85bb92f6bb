/* SPDX-License-Identifier: MIT */
#ifndef LOAM_SLAB_H
#define LOAM_SLAB_H

/* slab.h - objects of one size, free slots kept only in bits outside of the objects. */
#include "loam/base.h"
#include "loam/zone.h"

typedef enum loam_slab_mode {
    /* magic before and after each block, checked at free, realloc and check */
    LOAM_SLAB_GUARD = 1,
    /* freed bytes are filled, and checked before they are given out again */
    LOAM_SLAB_POISON = 2,
    LOAM_SLAB_QUARANTINE = 4, /* freed blocks wait before they are reused */
    LOAM_SLAB_ZERO = 8,       /* blocks read 0 when given out */
    LOAM_SLAB_RANDOM = 16,    /* which slot, which word */
    LOAM_SLAB_OWNER = 32      /* call site of each block; leak report */
} loam_slab_mode;

typedef struct loam_slab_config {
    /* slab size 2^shift bytes, 12 .. 16; 0: by RAM, 14 .. 16 (12 when the zone is tiny) */
    unsigned shift;
    unsigned modes;            /* loam_slab_mode */
    uint32_t quarantine_bytes; /* how much may wait, when the mode is on */
    /* A class keeps its last empty slab (default). false: it goes back at once, and with the last
     * one every frame that was taken since loam_slabs_init (descriptors too) is back in the zone
     * (osc4). */
    bool keep_empty;
    uint64_t seed; /* of the random mode */
    loam_trace *trace;
} loam_slab_config;

void loam_slab_config_init(loam_slab_config *config);

/* Sets one option by text: "guard", "poison", "quarantine=64K", "owner", "shift=14",
 * "keep_empty=no", ...; several, separated by commas. LOAM_OK, or LOAM_EINVAL with *bad at the word
 * that is wrong; config is then unchanged. */
loam_err loam_slab_config_parse(loam_slab_config *config, const char *text, const char **bad);

typedef struct loam_slabs loam_slabs; /* an object layer over one zone */
typedef struct loam_cache loam_cache;

/* Takes what it needs from the zone, whose linear map must cover it. NULL: no memory, or a bad
 * config. */
loam_slabs *loam_slabs_init(loam_zone *zone, const loam_slab_config *config);

typedef void loam_ctor_fn(void *ctx, void *object);
/* name: a literal or a string that lives as long as the cache. align: power of two up to the slab
 * size / 2, 0 for the default (16 on 64 bits from 16 bytes up, else 8). NULL: bad arguments or no
 * memory. ctor runs once a slot when its slab is made. */
loam_cache *loam_cache_create(loam_slabs *slabs, const char *name, size_t size, size_t align,
                              loam_ctor_fn *ctor, void *ctx);
loam_err loam_cache_destroy(loam_cache *cache); /* LOAM_EBUSY while objects are out */
void *loam_cache_alloc(loam_cache *cache);
loam_err loam_cache_free(loam_cache *cache, void *object); /* NULL: LOAM_OK. Misuse: LOAM_EINVAL */
void loam_cache_shrink(loam_cache *cache);                 /* gives back every empty slab */
/* The cache whose slab holds this address, whether a slot starts there or not; NULL: none. For
 * owners of several caches that free by address alone (osc4's pools). O(1). */
loam_cache *loam_cache_of(loam_slabs *slabs, const void *object);

typedef struct loam_cache_stats {
    const char *name;
    size_t size;   /* bytes of an object, as asked */
    size_t stride; /* bytes a slot takes */
    uint64_t slabs, slots, used;
    unsigned slab_frames;
} loam_cache_stats;
void loam_cache_stat(const loam_cache *cache, loam_cache_stats *stats);

/* Caches in order of creation, classes first; fn returns false to stop. For slabinfo. */
typedef bool loam_cache_fn(void *ctx, loam_cache *cache);
void loam_slabs_each_cache(loam_slabs *slabs, loam_cache_fn *fn, void *ctx);
/* Every slab of a cache by address: used[] has one bit a slot, set when the slot is out. For views.
 * */
typedef bool loam_slab_fn(void *ctx, const void *base, unsigned slots, size_t stride,
                          const uint64_t *free_words);
void loam_cache_each_slab(loam_cache *cache, loam_slab_fn *fn, void *ctx);

/* every cache, the quarantine and the descriptor leaves */
void loam_slabs_shrink(loam_slabs *slabs);
const char *loam_slabs_check(loam_slabs *slabs);

#endif
