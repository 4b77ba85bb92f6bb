/* SPDX-License-Identifier: MIT */
#ifndef LOAM_ZONE_H
#define LOAM_ZONE_H

/* zone.h - page frames that are safe to free.
 *
 * A zone is the frames of one kind of memory: areas (runs of RAM without large holes), each with a
 * buddy, a byte a frame and a lock; and a front for each processor, through which most calls pass
 * without a lock.
 */
#include "loam/base.h"
#include "loam/buddy.h"
#include "loam/port.h"
#include "loam/trace.h"

enum {
    LOAM_ZONE_LIFOS = 5,      /* orders kept in a front: 0, 1, 2, 3, 9 */
    LOAM_ZONE_LIFO_CAP = 64,  /* blocks of order 0 in a front */
    LOAM_ZONE_MAX_ORDER = 40, /* largest block: 2^40 frames */
    LOAM_ZONE_LISTS = 8       /* zones in a list */
};

typedef enum loam_zone_flags {
    LOAM_ZONE_NORMAL = 0,
    LOAM_ZONE_ZERO = 1,   /* contents set to 0, as far as they lie in the linear map */
    LOAM_ZONE_ATOMIC = 2, /* from an interrupt: may use the reserve, never waits, no shrinker */
    /* the block belongs to the object layers: only loam_zone_free_slab takes it back */
    LOAM_ZONE_SLAB = 4
} loam_zone_flags;

/* What a frame is, for messages and views. */
typedef enum loam_frame_state {
    LOAM_FRAME_OUTSIDE,  /* beyond memory, or in a hole: no RAM */
    LOAM_FRAME_FREE,     /* fronts included */
    LOAM_FRAME_HEAD,     /* first frame of a block that is out */
    LOAM_FRAME_JOINED,   /* first frame of a later piece of an exact allocation */
    LOAM_FRAME_INNER,    /* inside a block that is out */
    LOAM_FRAME_SLAB,     /* first frame of a block of the object layers */
    LOAM_FRAME_RESERVED, /* never handed to the zone: firmware, kernel, metadata */
    LOAM_FRAME_BAD
} loam_frame_state;
const char *loam_frame_state_name(loam_frame_state state);

/* Where frames appear in the address space: byte p of [pa, pa + len) is at va + (p - pa). len 0:
 * nowhere. */
typedef struct loam_linear {
    uint64_t pa, len;
    unsigned char *va;
} loam_linear;

typedef struct loam_zone loam_zone;

typedef struct loam_zone_config {
    const char *name;      /* "normal", "dma"; a literal */
    uint64_t first, limit; /* frames of this zone: [first, limit); limit 0: no upper limit */
    unsigned node;         /* memory node, for views */
    /* log2 of the frames of an area, 6 .. 30: what lies between two multiples of this has a lock of
     * its own */
    unsigned area_shift;
    /* fronts, 1 .. LOAM_PORT_MAX_CPUS; with 1, nobody looks for a frame that two free at once */
    unsigned ncpus;
    bool fronts; /* false: every call goes to the areas (compat faces, exact views) */
    /* lowest address for every order; else 2 MiB blocks and larger come from the top */
    bool lowest;
    /* the byte of a freed block is taken by compare-and-swap, so that of two simultaneous frees of
     * one block the second is refused at once; else at the latest when a front is flushed. Frees
     * are slower */
    bool hardened;
    uint64_t reserve; /* free frames that only LOAM_ZONE_ATOMIC may take */
    loam_linear linear;
    loam_trace *trace;        /* or NULL; when it is switched: loam_zone_set_trace */
    unsigned trace_max_order; /* splits and merges are traced up to this order; views agree */
    /* Asked before NULL is answered, with no lock held and not from LOAM_ZONE_ATOMIC: free
     * something and return true, or return false. Called again as long as it returns true, at most
     * 16 times a request. */
    bool (*shrink)(void *ctx, loam_zone *zone, unsigned order);
    void *shrink_ctx;
    /* Called again and again while a request hopes that other processors honour its wish for what
     * their fronts hold; with no lock held, and not from LOAM_ZONE_ATOMIC: let them come to
     * loam_zone_serve (an interrupt, a pause), serve what else others want of this processor, and
     * return true; false gives up. NULL: nobody waits, and "no memory" does not count fronts of
     * others. */
    bool (*wait)(void *ctx);
    void *wait_ctx;
    /* Asked at every allocation that a front does not serve; true refuses it. A zone with one keeps
     * nothing in fronts. For tests of what happens without memory; NULL otherwise. */
    bool (*refuse)(void *ctx, unsigned order);
    void *refuse_ctx;
} loam_zone_config;

/* Sane defaults: name "normal", all frames, 1 CPU, fronts on, areas of 1 GiB. */
void loam_zone_config_init(loam_zone_config *config);

/* Bytes of metadata for the RAM spans given (sorted, disjoint, as loam_memblock.ram), at 64-byte
 * alignment; about 1.2 a frame. 0 when the config or the spans are bad or no whole frame lies in
 * the zone. O(spans). */
uint64_t loam_zone_measure(const loam_span *ram, size_t count, const loam_zone_config *config);

/* Builds a zone in which every frame is reserved.
 *   mem, len    at least loam_zone_measure bytes, aligned to 64; zeroed says whether they already
 *               read 0. The zone object itself lies at the start of it
 *   returns     the zone, or NULL when the arguments do not fit together
 *   cost        O(spans) plus, unless zeroed, one pass over mem
 */
loam_zone *loam_zone_init(void *mem, uint64_t len, bool zeroed, const loam_span *ram, size_t count,
                          const loam_zone_config *config);

/* Makes reserved frames [first, first + count) free: the hand-over (as loam_memblock_give_fn, ctx
 * is the zone), and later for memory of the boot stage that nobody needs any more.
 *   returns     LOAM_OK; LOAM_EINVAL when a frame is outside; LOAM_EBUSY when one is not reserved
 *   cost        O(count) bytes, O(orders) blocks       context   any
 */
loam_err loam_zone_add(void *zone, loam_pfn first, uint64_t count);

/* Takes free frames for good: they become reserved. The opposite of loam_zone_add.
 *   returns     LOAM_OK; LOAM_EINVAL outside; LOAM_EBUSY when one is not free (fronts of other
 *               processors count as taken)
 */
loam_err loam_zone_reserve(loam_zone *zone, loam_pfn first, uint64_t count);

/* No frame has this number: the answer for "no memory". */
#define LOAM_NO_FRAME ((loam_pfn){~0ULL})
static inline bool loam_pfn_is_none(loam_pfn pfn)
{
    return pfn.v == ~0ULL;
}

/* Allocates a block of 2^order frames, naturally aligned in absolute frame number.
 *   returns     its first frame, or LOAM_NO_FRAME: no free block is large enough after this
 *               processor's front was drained, the others were asked to drain, and the shrinker has
 *               given up; or order > LOAM_ZONE_MAX_ORDER
 *   cost        bounded; orders 0-3 and 9 mostly a handful of instructions   context  any, with
 *               LOAM_ZONE_ATOMIC from interrupts
 */
loam_pfn loam_zone_alloc(loam_zone *zone, unsigned order, unsigned flags);

/* Frees a block by its first frame, whatever call it came from (not those of the object layers).
 *   returns     LOAM_OK; LOAM_EINVAL after loam_port_misuse: double free, inner, reserved, bad,
 *               slab, outside; nothing has changed then
 */
loam_err loam_zone_free(loam_zone *zone, loam_pfn pfn);

/* The same, and the order must be the block's: else misuse "wrong order". */
loam_err loam_zone_free_order(loam_zone *zone, loam_pfn pfn, unsigned order);

/* Allocates exactly npages > 0 contiguous frames, aligned to the power of two at or above npages;
 * the tail goes back. */
loam_pfn loam_zone_alloc_exact(loam_zone *zone, uint64_t npages, unsigned flags);

/* Allocates inside [lo, limit) frames (limit 0: none): DMA. */
loam_pfn loam_zone_alloc_range(loam_zone *zone, unsigned order, loam_pfn lo, loam_pfn limit,
                               unsigned flags);

/* Allocates exactly [first, first + npages): LOAM_OK, LOAM_EINVAL, LOAM_EBUSY. Freed by
 * loam_zone_free(first). */
loam_err loam_zone_alloc_at(loam_zone *zone, loam_pfn first, uint64_t npages, unsigned flags);

/* Allocates npages frames as low as a short look finds room, wherever that begins: of eight rows of
 * free blocks of each order. For blocks that are not powers of two, of which the others leave the
 * rest unused.
 *   npages      1 .. 2^32 - 1
 *   lo          no frame below it
 *   align       a power of two: the first frame is a multiple of it
 *   flags       as loam_zone_alloc; freed by loam_zone_free, or loam_zone_free_slab
 *   returns     the first frame; LOAM_NO_FRAME: such room was not seen, others may find some; what
 *               fronts hold, and areas that nobody opened, are not looked at; or bad arguments
 *   cost        O(orders) looks, one time with an area's lock      context   any
 */
loam_pfn loam_zone_alloc_lowest(loam_zone *zone, uint64_t npages, loam_pfn lo, uint64_t align,
                                unsigned flags);

/* Changes in place how many frames a block has: its tail goes back, or the frames behind it become
 * its own.
 *   pfn, was    a block that is out, of so many frames, the caller's alone
 *   npages      1 .. 2^32 - 1
 *   flags       as the block was made; LOAM_ZONE_ZERO is not heard
 *   returns     LOAM_OK; LOAM_EBUSY: a frame behind it is not free (one in a front neither), or a
 *               trace is on, to which a block comes and goes whole; LOAM_EINVAL: it is no such
 *               block, or would leave its RAM
 *   on error    nothing has changed
 *   cost        as loam_zone_alloc_at, without the drain      context   any
 */
loam_err loam_zone_resize(loam_zone *zone, loam_pfn pfn, uint64_t was, uint64_t npages,
                          unsigned flags);

/* Allocates up to n blocks of one order into out; returns how many. Frees n blocks; returns how
 * many were right. */
size_t loam_zone_alloc_bulk(loam_zone *zone, unsigned order, unsigned flags, loam_pfn *out,
                            size_t n);
size_t loam_zone_free_bulk(loam_zone *zone, const loam_pfn *pfn, size_t n);

/* Takes back what was allocated with LOAM_ZONE_SLAB. */
loam_err loam_zone_free_slab(loam_zone *zone, loam_pfn pfn);

/* Turns an allocated block into single allocated frames, each to be freed by itself. LOAM_OK or
 * LOAM_EINVAL (misuse). */
loam_err loam_zone_split(loam_zone *zone, loam_pfn pfn);

/* Takes a free frame, or an allocated single frame, out of use for good. LOAM_OK, LOAM_EINVAL,
 * LOAM_EBUSY. */
loam_err loam_zone_mark_bad(loam_zone *zone, loam_pfn pfn);

/* Gives what this processor's front holds back to the areas; with _all also that of every other
 * processor, which the caller guarantees to be outside of the zone (hosted, tests, single
 * processor). O(front). */
void loam_zone_drain(loam_zone *zone);
void loam_zone_drain_all(loam_zone *zone);

/* Gives back what this processor's front holds if another processor asked for it since; else
 * nothing.
 *   cost        a load when nobody asked      context   any; to be called from the tick and before
 *               idling: a processor in neither can keep another waiting
 */
void loam_zone_serve(loam_zone *zone);

/* This processor leaves: its front is given back, and keeps nothing until loam_zone_online. Its
 * calls go to the areas meanwhile. */
void loam_zone_offline(loam_zone *zone);
void loam_zone_online(loam_zone *zone);

/* Takes every lock of the zone, so that nobody else is inside of it but in fast paths; and gives
 * them back. For a process that forks: between the two its memory is copied. In the copy `alone`
 * says that the other processors do not exist there: what they were waiting for is void, and what
 * their fronts hold is lost.
 *   cost        O(areas)      context   no lock of the zone is held; in between no other call */
loam_irq loam_zone_freeze(loam_zone *zone);
void loam_zone_thaw(loam_zone *zone, loam_irq irq, bool alone);

/* Free frames, fronts included. Exact while nobody else is inside the zone. O(areas + cpus). */
uint64_t loam_zone_free_pages(const loam_zone *zone);

loam_frame_state loam_zone_state(const loam_zone *zone, loam_pfn pfn);
/* Order of the block whose first frame this is, or -1. */
int loam_zone_order(const loam_zone *zone, loam_pfn pfn);

typedef struct loam_zone_stats {
    const char *name;
    uint64_t frames;    /* frames with metadata: free + out + reserved + bad */
    uint64_t free;      /* fronts included */
    uint64_t in_fronts; /* of those, in fronts */
    uint64_t reserved, bad;
    uint64_t low_water; /* least free ever seen in the areas, fronts excluded: their minima added */
    /* order of a block that will succeed after a drain of the caller's front, or -1 */
    int largest;
    uint64_t blocks[LOAM_ZONE_MAX_ORDER + 1]; /* maximal free blocks per order, fronts excluded */
    uint64_t metadata;                        /* bytes */
    uint64_t areas, refills, flushes, failures, refusals;
} loam_zone_stats;
/* Drains the caller's front first. O(words). */
void loam_zone_stat(loam_zone *zone, loam_zone_stats *stats);

/* Every maximal free block in ascending order, cut at max_order; fronts are not in it (drain
 * first). */
void loam_zone_each_free(loam_zone *zone, unsigned max_order, loam_buddy_fn *fn, void *ctx);
/* The first free block of exactly this order at or above `from`, view capped at max_order;
 * LOAM_NO_FRAME: none. */
loam_pfn loam_zone_next_free(loam_zone *zone, unsigned order, unsigned max_order, loam_pfn from);
/* The maximal free block that a frame lies in: its first frame and its order, each may be NULL.
 * false: not free, or in a front. O(log areas + levels), however many blocks are free. */
bool loam_zone_find_free(loam_zone *zone, loam_pfn pfn, loam_pfn *start, unsigned *order);
/* Every run of frames in one state, ascending: for maps. state INNER is reported as part of its
 * block's HEAD or SLAB. */
typedef bool loam_zone_walk_fn(void *ctx, loam_pfn first, uint64_t count, loam_frame_state state);
void loam_zone_walk(loam_zone *zone, loam_zone_walk_fn *fn, void *ctx);

/* The frame table of the area that holds pfn: byte i belongs to frame *first + i. For views (osc4).
 * */
const uint8_t *loam_zone_frame_table(const loam_zone *zone, loam_pfn pfn, loam_pfn *first,
                                     uint64_t *count);

/* Attaches a trace, or tells that the attached one was switched on or off. While it is on, fronts
 * keep nothing, so that each step is seen: those of other processors from their next call on.
 * O(cpus). */
void loam_zone_set_trace(loam_zone *zone, loam_trace *trace);
/* NULL unless the whole frame lies in the linear map. */
void *loam_zone_to_va(const loam_zone *zone, loam_pfn pfn);
const loam_zone_config *loam_zone_config_of(const loam_zone *zone);

/* The first broken rule (Z1 ... of zone.c, B1 ... of buddy.c), or NULL. Nobody else inside.
 * O(frames). */
const char *loam_zone_check(loam_zone *zone);

/* ---- several zones: tried in the order given; a free finds its zone by the frame ---- */

typedef struct loam_zonelist {
    loam_zone *zone[LOAM_ZONE_LISTS];
    unsigned count;
} loam_zonelist;

loam_err loam_zonelist_add_zone(loam_zonelist *list, loam_zone *zone); /* LOAM_EFULL */
/* A loam_memblock_give_fn over all zones. LOAM_EINVAL when a frame lies in none, then nothing has
 * changed; LOAM_EBUSY when one is not reserved, then what lies in areas below it is given. */
loam_err loam_zonelist_give(void *list, loam_pfn first, uint64_t count);
loam_pfn loam_zonelist_alloc(loam_zonelist *list, unsigned order, unsigned flags);
loam_err loam_zonelist_free(loam_zonelist *list, loam_pfn pfn);

#endif
