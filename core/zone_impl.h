/* SPDX-License-Identifier: MIT */
#ifndef LOAM_ZONE_IMPL_H
#define LOAM_ZONE_IMPL_H

/* zone_impl.h - what the zone's files share. The theory is at the top of zone.c. */
#include "loam/zone.h"

/* A byte a frame. The two high bits say what, the low ones the order. Reserved is 0: metadata that
 * nobody has written says that nothing may be freed. */
enum {
    ZONE_RESERVED = 0x00,
    ZONE_PLAIN = 0x01, /* free, or inside a block: the bits and the block's head know */
    ZONE_BAD = 0x02,
    ZONE_HOLE = 0x03, /* no RAM: a small gap inside an area */
    /* | order: head of a block of the object layers; | ZONE_MORE: pieces follow */
    ZONE_SLAB = 0x40,
    ZONE_HEAD = 0x80,   /* | order, up to 2^40: head of a block that is out */
    ZONE_MULTI = 0xc0,  /* | order, up to 31: head of an exact block of which more pieces follow */
    ZONE_JOINED = 0xe0, /* | order, up to 31: head of a later piece */
    ZONE_MORE = 0x20,
    ZONE_KIND = 0xc0,
    ZONE_PIECE_MAX = 31 /* largest order of a piece of an exact block */
};

/* A run of RAM. Lock order: areas ascending, at most one but in the last pass of
 * loam_zone__take_surely. */
typedef struct zone_area {
    uint64_t first, count; /* [init] frames */
    uint8_t *table; /* [lock] a byte a frame; of a block that is out or in a front: its holder's */
    loam_lock lock;
    uint64_t reserve; /* [init] of the zone's reserve */
    /* [atomic] order of the largest free block plus 1, as of the last unlock: a hint */
    uint32_t largest;
    uint64_t low_water; /* [lock] least free_units since the hand-over */
    uint64_t refused;   /* [lock] wrong frees */
    uint64_t reserved;  /* [lock] frames with ZONE_RESERVED */
    uint64_t bad;       /* [lock] frames with ZONE_BAD */
    uint64_t holes;     /* [init] frames with ZONE_HOLE */
    loam_buddy buddy;   /* [lock] */
} zone_area;

/* One order in a front: blocks of one word of the buddy, and a stack of blocks freed here. */
typedef struct zone_queue {
    uint64_t starts; /* bit i: the block at base + (i << shift) is here */
    uint64_t base;
    uint8_t shift; /* [init] 6 * (order / 6) */
    uint8_t order; /* [init] */
    uint16_t most; /* [init] room on the stack */
    uint32_t count;
    uint32_t cap;   /* most; 0 while the queue is not in use */
    uint64_t *lifo; /* [init] first frames, oldest first */
} zone_queue;

/* What one processor keeps. Only its owner touches it, with interrupts off; others may clear `live`
 * and `window`. */
typedef struct zone_front {
    /* [atomic] bit s: queue s is in use. Others clear it to ask for a drain; the owner sets it
     * again. */
    uint32_t live;
    uint32_t home; /* index of the area that refills come from */
    /* The area last used, copied: its first frame, how many the fast paths may take [atomic], its
     * table. Others shut the window after `live`, so that the next call is no fast one. */
    uint64_t first;
    uint32_t window;
    uint8_t *table;
    zone_queue queue[LOAM_ZONE_LIFOS];
    uint64_t refills, flushes;
    bool away; /* [cpu] offline: keeps nothing */
    uint64_t stack[LOAM_ZONE_LIFO_CAP + 32 + 16 + 16 + 32]; /* zone_queue_cap, summed */
} __attribute__((aligned(64))) zone_front;

struct loam_zone {
    loam_zone_config config;
    uint64_t metadata; /* bytes */
    uint32_t nareas, nfronts;
    uint32_t live; /* [init] queues that a zone of this size affords; 0 while a trace is attached */
    uint32_t frees;    /* [atomic] times that blocks came back to an area */
    uint32_t failures; /* [atomic] allocations that found no memory */
    uint32_t outside;  /* [atomic] refused frees of frames that are in no area */
    zone_area *area;
    zone_front *front;
};

static inline zone_front *zone_my_front(const loam_zone *zone)
{
    unsigned cpu = loam_port_cpu();
    return LOAM_LIKELY(cpu < zone->nfronts) ? &zone->front[cpu] : NULL;
}

/* The queue of an order: 0 .. 3 are themselves, 9 is 4, any other is LOAM_ZONE_LIFOS, which is
 * never live. */
static inline unsigned zone_queue_of(unsigned order)
{
    return order <= 3 ? order : order == 9 ? 4 : LOAM_ZONE_LIFOS;
}

static inline bool zone_is_live(const zone_front *front, unsigned q)
{
    return (loam_atomic_peek(&front->live) >> q & 1) != 0;
}

/* Puts a block whose byte is a head on a queue's stack, if there is room. */
LOAM_INLINE bool zone_push_on(zone_front *front, unsigned q, uint64_t frame, uint64_t at)
{
    zone_queue *queue = &front->queue[q];
    uint32_t count = queue->count;
    if (LOAM_UNLIKELY(count >= queue->cap))
        return false;
    uint64_t *lifo = queue->lifo;
    queue->count = count + 1;
    lifo[count] = frame;
    front->table[at] = ZONE_PLAIN;
    return true;
}

/* Puts a block that is out on the stack of its queue: when its byte is a head of this kind, of the
 * order wanted (-1: any), in the area that the front points to, and the stack has room. Order 0 is
 * asked for by itself: that branch is foreseen, and what follows need not wait for a byte of the
 * table to say which queue. Interrupts off. */
LOAM_INLINE bool zone_push(zone_front *front, uint64_t frame, uint8_t kind, int want)
{
    uint64_t at = frame - front->first;
    if (LOAM_UNLIKELY(at >= loam_atomic_peek(&front->window)))
        return false;
    unsigned order = (unsigned)front->table[at] - kind;
    if (LOAM_UNLIKELY(want >= 0 && order != (unsigned)want))
        return false;
    if (LOAM_LIKELY(order == 0))
        return zone_push_on(front, 0, frame, at);
    unsigned q = zone_queue_of(order);
    return q < LOAM_ZONE_LIFOS && zone_push_on(front, q, frame, at);
}

static inline bool zone_is_multi(uint8_t byte)
{
    return (byte & (ZONE_KIND | ZONE_MORE)) == (ZONE_SLAB | ZONE_MORE) ||
           (byte & (ZONE_KIND | ZONE_MORE)) == ZONE_MULTI;
}

static inline bool zone_is_joined(uint8_t byte)
{
    return (byte & (ZONE_KIND | ZONE_MORE)) == ZONE_JOINED;
}

static inline bool zone_is_head(uint8_t byte)
{
    return (byte & ZONE_KIND) != 0;
}

/* Order of the block or piece whose head this byte is. */
static inline unsigned zone_order_of(uint8_t byte)
{
    return (byte & ZONE_KIND) == ZONE_HEAD ? byte & 0x3fU : byte & 0x1fU;
}

/* ---- areas: zone_area.c ---- */

zone_area *loam_zone__area(const loam_zone *zone, uint64_t frame);
/* A block from the area at hand or from any other; the byte of its head becomes `mark | order`. */
bool loam_zone__take(loam_zone *zone, unsigned order, unsigned flags, uint64_t *frame);
/* As _take, but answers no only if at some moment no block was free anywhere outside of the fronts.
 * */
bool loam_zone__take_surely(loam_zone *zone, unsigned order, unsigned flags, uint64_t *frame);
/* Lock held. Takes the frames if all of them are free, as natural blocks; else nothing. */
bool loam_zone__take_frames(zone_area *area, uint64_t first, uint64_t count);

static inline bool zone_holds(const zone_area *area, uint64_t first, uint64_t count)
{
    return area != NULL && count <= area->count - (first - area->first);
}

/* Every change of an area's buddy happens between these two. */
static inline loam_irq zone_area_lock(zone_area *area)
{
    return loam_lock_acquire(&area->lock);
}

static inline void zone_area_unlock(zone_area *area, loam_irq irq)
{
    if (area->buddy.free_units < area->low_water)
        area->low_water = area->buddy.free_units;
    loam_atomic_store(&area->largest, (uint32_t)(loam_buddy_largest(&area->buddy) + 1));
    loam_lock_release(&area->lock, irq);
}

/* May so many frames go, and leave the reserve? */
static inline bool zone_affords(const zone_area *area, uint64_t frames, unsigned flags)
{
    return (flags & LOAM_ZONE_ATOMIC) != 0 || area->reserve == 0 ||
           (area->buddy.free_units >= frames && area->buddy.free_units - frames >= area->reserve);
}

/* ---- what the bits say of splits and merges, told to a trace after the fact, no lock held:
 * zone_trace.c ---- */

void loam_zone__trace_alloc(const loam_zone *zone, const loam_buddy_pick *pick, unsigned order);
/* merged: order of the maximal free block that the freed block became part of. */
void loam_zone__trace_free(const loam_zone *zone, uint64_t frame, unsigned order, unsigned merged);

static inline uint8_t zone_mark(unsigned flags)
{
    _Static_assert(ZONE_SLAB == ZONE_HEAD >> 1 && LOAM_ZONE_SLAB == 4, "the flag is the shift");
    return (uint8_t)(ZONE_HEAD >> (flags >> 2 & 1));
}

/* Sets what lies in the linear map of these frames to 0. */
void loam_zone__zero(const loam_zone *zone, uint64_t first, uint64_t frames);

/* ---- fronts: zone_front.c ---- */

/* Fills an empty queue from the areas, and allocates the first of what it got; false when they have
 * nothing of its order, or not enough above the reserve. Interrupts off. */
bool loam_zone__refill(loam_zone *zone, zone_front *front, unsigned q, unsigned flags,
                       uint64_t *frame);
/* Gives back the older half of a full queue. Interrupts off. */
void loam_zone__flush(loam_zone *zone, zone_front *front, unsigned q);
/* Gives everything back and honours a request to drain. Interrupts off. */
void loam_zone__drain_front(loam_zone *zone, zone_front *front);
/* Asks every other front to drain at its owner's next call. */
void loam_zone__ask_drain(loam_zone *zone);
/* Does the frame belong to a block that lies in a front? */
bool loam_zone__in_front(const loam_zone *zone, uint64_t frame);
uint64_t loam_zone__front_frames(const zone_front *front);
/* Lets the front's fast paths take the frames of this one's area; false when it lies in none. */
bool loam_zone__front_points_to(const loam_zone *zone, zone_front *front, uint64_t frame);
/* The queues of a front that are in use from now on. */
void loam_zone__front_uses(zone_front *front, uint32_t live);

/* ---- refusals: zone_free.c ---- */

loam_err loam_zone__refuse(loam_zone *zone, uint64_t frame, const char *what, const void *caller);
/* Frees by the area's table, under its lock. want: the order that the block must have, or -1. kind:
 * ZONE_HEAD or ZONE_SLAB, what the caller may free. */
loam_err loam_zone__free_slow(loam_zone *zone, uint64_t frame, int want, uint8_t kind,
                              const void *caller);

#endif
