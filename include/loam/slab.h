/* SPDX-License-Identifier: MIT */
#ifndef LOAM_SLAB_H
#define LOAM_SLAB_H

/* slab.h - objects of one size, free slots kept only in bits outside of the objects.
 *
 * Every free is proved right before anything changes, in every build: a double free, an address
 * inside an object, a misaligned or foreign one, an object of another cache is answered with
 * loam_port_misuse (address, cache, size; with the owner mode where it was allocated) and
 * LOAM_EINVAL. Damage that a mode finds (magic overwritten, a write after free) is
 * loam_port_corrupt.
 *
 * Many processors: each has a front of its own, with slabs of its own. Alloc, and free of what its
 * own slabs gave out, need no lock and no locked instruction. A free of another processor's object
 * is gathered, and told to the owner many at a time: until then, and until the owner has looked,
 * it counts as out. loam_slabs_serve does both.
 *
 * A double free is refused at once on the processor that owns the slab, and where both frees were
 * gathered by one other; split over two processors it is found when the second is told to the
 * owner or taken by it, unless the object was given out in between. LOAM_SLAB_HARDENED tells at
 * once and looks everywhere: only of two frees at the same moment both may be answered LOAM_OK, and
 * the owner refuses the second when it takes it.
 *
 * Context: any, interrupts too; they are kept off for a handful of instructions at a time. Any
 * processor may make any call at any time, unless the call says otherwise. A layer of one
 * processor (ncpus 1, the default) has no locks: threads that share it lock outside. With the guard
 * mode a double free is refused at once everywhere; other modes tell each free at once, as
 * LOAM_SLAB_HARDENED does.
 */
#include "loam/base.h"
#include "loam/trace.h"
#include "loam/zone.h"

typedef enum loam_slab_mode {
    /* magic before and after each block, from the byte at which it ends; checked at free, realloc
     * and check */
    LOAM_SLAB_GUARD = 1,
    /* freed bytes are filled, and checked before they are given out again, when their slab goes
     * back, and by check. Not objects that have a constructor */
    LOAM_SLAB_POISON = 2,
    LOAM_SLAB_QUARANTINE = 4, /* freed blocks wait before they are reused; turns POISON on */
    LOAM_SLAB_ZERO = 8,       /* blocks read 0 when given out. Not objects with a constructor */
    LOAM_SLAB_RANDOM = 16,    /* which slot, which word */
    LOAM_SLAB_OWNER = 32,     /* call site of each block; leak report */
    LOAM_SLAB_HARDENED = 64, /* frees of others' objects are told at once, and looked for at free */
    /* freed bytes are zeroed, and checked to be 0 before they are given out again: POISON, which it
     * turns on, with 0. No object with a constructor */
    LOAM_SLAB_ZERO_FREE = 128,
    LOAM_SLAB_ALL_MODES = 255
} loam_slab_mode;

typedef struct loam_slabs loam_slabs; /* an object layer over one zone */

/* What became of the memory of a block that grows. */
typedef enum loam_slab_carried {
    LOAM_SLAB_STAYED,  /* it is where it was */
    LOAM_SLAB_CARRIED, /* it is in the new place, and the old one reads 0 */
    LOAM_SLAB_LOST     /* it is where it was, and the new place cannot be reached any more */
} loam_slab_carried;

typedef struct loam_slab_config {
    /* slab size 2^shift bytes, 12 .. 16; 0: by free RAM: 12 below 2 MiB, 14 below 128 MiB, else
     * 16 */
    unsigned shift;
    unsigned modes; /* loam_slab_mode */
    /* how much may wait when the mode is on. Large blocks: in all, frames whole. Objects of a cache
     * for each processor: slots whole, at most 16 KiB of them and 256, and at least one, unless it
     * is larger than this */
    uint32_t quarantine_bytes;
    /* a class keeps its last empty slab (default); false: slab, descriptors and words go back to
     * the zone with the last free */
    bool keep_empty;
    /* Large blocks that were freed, and frames of slabs, stay for a processor's next request, so
     * many bytes of them for each processor, 4 MiB at most, no block above half of that; besides, a
     * quarter as much of empty slabs that a class wanted again after they had gone. 0 (default):
     * none does. Blocks and frames are used as they are: not with modes other than
     * LOAM_SLAB_HARDENED and LOAM_SLAB_OWNER. */
    uint32_t keep_large;
    /* While few processors keep any each may keep an even part of so much, 32 MiB at most; 0
     * (default): keep_large, whoever keeps. No block of 8 MiB or more. */
    uint32_t keep_total;
    uint64_t seed; /* of the random mode; 0: a fixed one */
    /* fronts, 1 .. LOAM_PORT_MAX_CPUS, for processors 0 .. ncpus - 1; others use a shared one, with
     * a lock. With 1 every caller uses the one front. */
    unsigned ncpus;
    /* A processor gets its front of a cache with its first block of it; false: all are made with
     * the cache, so that none waits for memory later. Leaves of descriptors stay, too, once made:
     * 8 KiB for 64 slabs; so a wrong free beside a trim reads descriptors, whatever it frees. */
    bool lazy;
    /* Objects that a processor freed wait on a stack of its front for its next requests, for each
     * cache 32 KiB of them, 8 at least and 32 at most; those of which a slab has more than 63 while
     * they come and go in no order. Without modes alone, and for many processors; trades memory for
     * time. */
    bool stacks;
    /* So many processors may rest at a time (loam_slabs_rest): 4 (default), 64 at most. */
    unsigned rest;
    /* Asked in turn when the layer's own zone has no frames: zones of other nodes. va and pa of
     * their linear maps differ by as much as in its own. Copied; NULL: none. */
    const loam_zonelist *fallback;
    /* The layer's own things come from this zone, which has a linear map and gives frames to nobody
     * else: no write that runs out of an object's memory meets them. NULL: from its zone, between
     * objects' frames. */
    loam_zone *meta;
    /* Told of pages that are not written any more once they are made (a kmalloc's tables), so that
     * the port may make them read-only; NULL: nobody. */
    void (*seal)(void *va, size_t len);
    /* Frames that nobody had yet read 0, as the port's LOAM_LOCK_INIT does, and pages come when
     * they are touched: what belongs to processors that may never come is not written, and is not
     * in memory; nor are large blocks cleared that nobody had. */
    bool fresh;
    /* The table of leaves begins with what its first frame has room for, 1.4 GiB of window with
     * slabs of 64 KiB: frames beyond that come into the zone after loam_slabs_extend alone. */
    bool part;
    /* With `fresh`: a large block is about to be given out at [va, va + len), whole pages, and some
     * of it nobody had yet. Where memory that is free can move, such comes there, and pages that
     * would be new need not come. NULL: none moves.
     *   returns     false: nothing can be reached at these addresses any more
     *   context     that of the allocation; no lock of the layer is held */
    bool (*bring)(loam_slabs *slabs, void *va, size_t len);
    /* With `fresh`: a large block grows, and gets a new place, [to, to + room), of which some
     * nobody had yet. What it holds, [from, from + len), may move there, pages and all. NULL: it is
     * copied.
     *   returns     LOAM_SLAB_STAYED: all is as before, and `to` may read anything
     *   context     that of the realloc; no lock of the layer is held */
    loam_slab_carried (*carry)(loam_slabs *slabs, void *to, size_t room, void *from, size_t len);
    /* With `fresh` and no mode: [va, va + len), of a slab or a block of less than 1 MiB, is about
     * to be used, and `fresh` bytes of it nobody had yet. As much memory of free frames may go, so
     * that the process does not grow. NULL: none goes.
     *   context     that of the allocation; no lock of the layer is held */
    void (*spare)(loam_slabs *slabs, const void *va, size_t len, size_t fresh);
    /* While the port has said that memory is short: requests of a processor that found nothing at
     * hand use so many bytes more, of which pages may be new. Memory may go back meanwhile. NULL:
     * nobody is told.
     *   context     that of the allocation; no lock of the layer is held */
    void (*tight)(loam_slabs *slabs, size_t bytes);
    loam_trace *trace; /* or NULL */
} loam_slab_config;

/* No mode, slab size by RAM, quarantine (when turned on) of 64 KiB, empty slabs kept, no trace, one
 * processor. */
void loam_slab_config_init(loam_slab_config *config);

/* Sets options by text: "guard", "poison=no", "quarantine=64K", "owner", "shift=14",
 * "keep_empty=no", ...; several, separated by commas; loam_slab_option_at lists them. A switch
 * alone means yes, as do on and 1; off and 0 mean no, and no a number's 0. Numbers are decimal, or
 * hexadecimal after 0x, and may end in K, M or G.
 *   returns     LOAM_OK; LOAM_EINVAL with *bad (if bad is not NULL) at the first word that is wrong
 *   on error    config is unchanged
 */
loam_err loam_slab_config_parse(loam_slab_config *config, const char *text, const char **bad);

/* The table of options, for help texts: row i, or NULL after the last. */
typedef struct loam_slab_option {
    const char *name, *value, *help; /* value: the default */
} loam_slab_option;
const loam_slab_option *loam_slab_option_at(unsigned i);

typedef struct loam_cache loam_cache;

/* Makes an object layer over a zone, for good: there is no call that unmakes it.
 *   zone        its frames lie in its linear map (frames outside of it are never used), the map's
 *               va and pa agree modulo the page size; a map no larger than the RAM keeps the table
 *               small. A frame whose address is NULL is not in the zone
 *   config      copied
 *   returns     the layer, or NULL: a bad config, no linear map, one of another kind among the
 *               fallbacks, or no memory. Then nothing is taken
 *   cost        O(map / 64 slabs): 8 bytes and a store for each 64 slabs of address space,
 *               rounded up to frames, and one frame more
 */
loam_slabs *loam_slabs_init(loam_zone *zone, const loam_slab_config *config);

/* Changes the trace; NULL: none. While a trace is given the calls look at its `on`. Nobody else
 * inside. */
void loam_slabs_set_trace(loam_slabs *slabs, loam_trace *trace);

/* Makes a cache of objects of one size.
 *   name        a literal or a string that lives as long as the cache
 *   size        bytes, 1 .. half a slab
 *   align       a power of two up to half a slab, 0 for the default (16 on 64 bits from 16 bytes
 *               up, else 8); beyond a page only as far as the linear map's va and pa agree modulo
 *               it
 *   ctor        or NULL; ctor(ctx, object) runs once a slot when its slab is made, not at each
 *               alloc
 *   returns     the cache, or NULL: an argument out of range, a guarded slot larger than a slab, no
 *               memory
 *   cost        O(1)
 */
typedef void loam_ctor_fn(void *ctx, void *object);
loam_cache *loam_cache_create(loam_slabs *slabs, const char *name, size_t size, size_t align,
                              loam_ctor_fn *ctor, void *ctx);

/* Ends a cache; its empty slabs go back. Nobody else uses it any more.
 *   returns     LOAM_OK; LOAM_EBUSY while objects are out, or while another processor has a slab of
 *               it, or a free of an object of it that it has not told: those are asked, and waited
 *               for if the zone's config says how; after their loam_slabs_serve it succeeds;
 *               LOAM_EINVAL for a class of kmalloc
 */
loam_err loam_cache_destroy(loam_cache *cache);

/* Gives out an object.
 *   returns     its address; NULL: every slab is full and the zone has no frames for another, after
 *               all that waits or is kept was given back, as loam_slabs_shrink does
 *   cost        O(1); mostly about 20 instructions
 */
void *loam_cache_alloc(loam_cache *cache);

/* Takes back an object of this cache. NULL is LOAM_OK.
 *   returns     LOAM_OK; LOAM_EINVAL after misuse, nothing has changed then
 *   cost        O(1); mostly about 40 instructions
 */
loam_err loam_cache_free(loam_cache *cache, void *object);

/* The cache in one of whose slabs an address lies, whether an object is out there or not; NULL: in
 * none. For owners of several caches that free by address alone (osc4's pools).
 *   cost        O(1)      context   as loam_cache_free
 */
loam_cache *loam_cache_of(loam_slabs *slabs, const void *object);

/* Gives back the empty slab; with quarantine also all that waits, of every cache. */
void loam_cache_shrink(loam_cache *cache);

typedef struct loam_cache_stats {
    const char *name;
    size_t size;   /* bytes of an object, as asked */
    size_t stride; /* bytes a slot takes */
    uint64_t slabs, slots, used;
    unsigned slab_frames;
} loam_cache_stats;
/* used: out, not those that wait, nor those that were told to the owner. While others are inside,
 * near the truth. O(slabs of the cache); with several processors O(map / slab size), locked. */
void loam_cache_stat(const loam_cache *cache, loam_cache_stats *stats);

/* Caches in order of creation, classes first; fn returns false to stop. For slabinfo. fn may
 * destroy the cache it is called with; nobody else makes or destroys one meanwhile. */
typedef bool loam_cache_fn(void *ctx, loam_cache *cache);
void loam_slabs_each_cache(loam_slabs *slabs, loam_cache_fn *fn, void *ctx);

/* Every slab of a cache by address. free_words has one bit a slot, the lowest of the first word for
 * slot 0: set when the slot is free (one that waits in quarantine, or that another processor freed
 * and the owner has not taken, is not). The slab stays while fn looks, its words may change. fn may
 * not allocate or free. O(window / slab size). */
typedef bool loam_slab_fn(void *ctx, const void *base, unsigned slots, size_t stride,
                          const uint64_t *free_words);
void loam_cache_each_slab(loam_cache *cache, loam_slab_fn *fn, void *ctx);

/* Gives back all that is not in use: what waits in quarantine, empty slabs of every cache, unused
 * leaves and line frames. May be a zone's shrinker. Of other processors only what they gave up:
 * they are asked, and answer at their next loam_slabs_serve. O(caches + map / 64 slabs). */
void loam_slabs_shrink(loam_slabs *slabs);

/* ---- many processors ---- */

/* This processor tells the others of the frees that it gathered, takes back what they freed of its
 * own, and, if memory is short elsewhere, hands over what it does not need. For the timer tick,
 * and before a processor idles or a thread waits for long. Nothing to do costs a few instructions.
 *   cost        O(frees gathered and told)      context   any, interrupts too
 */
void loam_slabs_serve(loam_slabs *slabs);

/* This processor leaves: its slabs and what it gathered go to the shared front, from which others
 * take them as they need them; frees that arrive later go there, too. Until it is online again it
 * may still make any call: they take the shared front's lock. A thread that ends is a processor
 * that leaves; its number may then be another's.
 *   cost        O(its slabs)      context   on the processor itself; twice is once
 */
void loam_slabs_offline(loam_slabs *slabs);

/* The same for one who comes again soon: its slabs stay where they are, behind the lock, until it
 * is online again; others take them when they have none. Nobody has its number until then: a thread
 * takes another before it calls on. false: it left as above, with modes, or as too many rest.
 *   cost        O(what it gathered)      context   as above
 */
bool loam_slabs_rest(loam_slabs *slabs);

/* It is back, with an empty front, or with what it left there. Processors start online. O(1). */
void loam_slabs_online(loam_slabs *slabs);

/* Up to which address, exclusive, objects may lie now: with `part` less than the window at first.
 *   cost        O(1)              context   any
 */
uintptr_t loam_slabs_reach(const loam_slabs *slabs);

/* From now on they may lie in all of the window.
 *   cost        O(window / span of a leaf), once      context   any; two at once are one
 */
void loam_slabs_extend(loam_slabs *slabs);

/* As loam_zone_freeze and loam_zone_thaw, for the layer; before that of its zone, and after. A slab
 * that another processor was about to give a free back to is never given back in the copy. */
loam_irq loam_slabs_freeze(loam_slabs *slabs);
void loam_slabs_thaw(loam_slabs *slabs, loam_irq irq);

/* The first broken rule (S1 ... of slab_check.c), or NULL. Nobody else inside. O(map / slab size +
 * slots), with guard or poison O(bytes). */
const char *loam_slabs_check(loam_slabs *slabs);

#endif
