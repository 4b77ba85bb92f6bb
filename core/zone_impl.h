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
    ZONE_HOLE = 0x03, /* no RAM: a small gap inside a run */
    /* | order: head of a block of the object layers; | ZONE_MORE: pieces follow */
    ZONE_SLAB = 0x40,
    ZONE_HEAD = 0x80,   /* | order, up to 2^40: head of a block that is out */
    ZONE_MULTI = 0xc0,  /* | order, up to 31: head of an exact block of which more pieces follow */
    ZONE_JOINED = 0xe0, /* | order, up to 31: head of a later piece */
    ZONE_MORE = 0x20,
    ZONE_KIND = 0xc0,
    ZONE_PIECE_MAX = 31 /* largest order of a piece of an exact block */
};

/* RAM without large holes: one table for all of it, so that a front sees a run and not an area. */
typedef struct zone_run {
    uint64_t first, count, holes; /* [init] frames */
    /* [lock] of the area: a byte a frame; of a block that is out or in a front: its holder's */
    uint8_t *table;
} zone_run;

enum { ZONE_NO_UNIT = INT32_MAX };

/* What of a run lies between two multiples of 2^area_shift. On lines of its own: its lock is asked
 * for by processors that want nothing of its neighbours. And who asks which area a frame is in
 * reads a line that holders of the lock do not write. */
typedef struct zone_area {
    uint64_t first, count; /* [init] frames */
    uint8_t *table;        /* [init] the run's, from the area's first frame on */
    uint32_t run;          /* [init] which */
    uint32_t unit;    /* [init] its number in the top level, ZONE_NO_UNIT: it never lies there */
    uint64_t reserve; /* [init] of the zone's reserve */
    uint64_t holes;   /* [init] frames with ZONE_HOLE */
    /* [atomic] bit k: a maximal free block of order k, as of the last unlock: a hint. Always raised
     * before `frees` is. Not beside the lock: who looks for an area reads it. */
    uint32_t orders;
    loam_lock lock __attribute__((aligned(64)));
    uint32_t frees;     /* [atomic] times that blocks came here; written with the lock */
    uint64_t low_water; /* [lock] least free units since the hand-over */
    uint64_t refused;   /* [lock] wrong frees */
    uint64_t reserved;  /* [lock] frames with ZONE_RESERVED */
    uint64_t bad;       /* [lock] frames with ZONE_BAD */
    loam_buddy
        buddy; /* [lock] empty while the area is a bit of the top level, or part of a block */
} __attribute__((aligned(64))) zone_area;

/* One order in a front: blocks of one word of the buddy, and a stack of blocks freed here. */
typedef struct zone_queue {
    uint64_t starts; /* bit i: the block at base + (i << shift) is here */
    uint64_t base;
    uint8_t shift; /* [init] 6 * (order / 6) */
    uint8_t order; /* [init] */
    uint16_t most; /* [init] room on the stack */
    uint32_t count;
    uint32_t cap;   /* for the fast path: most; 0 while it has to leave the queue alone */
    uint64_t *lifo; /* [init] first frames, oldest first */
} zone_queue;

/* What a front may hold. Used to asked: others, who want what it holds. All else: its owner. */
typedef enum zone_front_state {
    ZONE_FRONT_ASKED, /* the owner drains it at its next call */
    ZONE_FRONT_EMPTY, /* nothing, and it keeps nothing */
    ZONE_FRONT_USED
} zone_front_state;

/* What one processor keeps. Only its owner touches it, with interrupts off; others may ask for a
 * drain: `state` and `window`. */
typedef struct zone_front {
    uint32_t state; /* [atomic] zone_front_state */
    uint32_t home;  /* [atomic] index of the area that refills come from: handlers move it, too */
    /* The run last used, copied: its first frame, how many the fast paths may take [atomic], its
     * table. Others shut the window after they have asked, so that the next call is no fast one. */
    uint64_t first;
    uint32_t window;
    uint32_t uses; /* [cpu] bit q: queue q keeps what comes */
    uint8_t *table;
    zone_queue queue[LOAM_ZONE_LIFOS];
    uint64_t refills, flushes;
    bool away;   /* [cpu] offline: keeps nothing */
    bool drains; /* [cpu] in the middle of a drain: keeps nothing */
    uint64_t stack[LOAM_ZONE_LIFO_CAP + 32 + 16 + 16 + 32]; /* zone_queue_cap, summed */
} __attribute__((aligned(64))) zone_front;

/* The top level: a unit is an area, its order 0 is order area_shift of frames. Numbered so that
 * areas of one run are in a row, aligned as their frames are, and a number that is no area lies
 * between two runs: no block crosses from one to the other. */
typedef struct zone_top {
    loam_lock lock;
    uint32_t largest;  /* [atomic] order of the largest block, plus 1, as of the last unlock */
    uint32_t frees;    /* [atomic] times that areas came here; written with the lock */
    uint32_t *area_of; /* [init] index of the area of each unit */
    loam_buddy buddy;  /* [lock] wholly free areas */
} zone_top;

struct loam_zone {
    loam_zone_config config;
    uint64_t metadata; /* bytes */
    uint32_t nruns, nareas, nfronts;
    uint32_t live;      /* [init] queues that a zone of this size affords; 0 with a refusal hook */
    unsigned piece_max; /* [init] largest order of a piece of a block at a place */
    zone_front *front;
    zone_area *area;
    zone_run *run;
    zone_top *top; /* [init] NULL: no two areas of this zone can be free as one block */
    /* Areas that touch section s are section[s] .. section[s + 1] - 1. */
    uint32_t *section;
    uint64_t sections, section_first;
    unsigned section_shift; /* area_shift, or more where there is little RAM in much space */
    /* What calls write lies apart from what the fast path reads. */
    uint32_t failures __attribute__((aligned(64))); /* [atomic] allocations that found no memory */
    uint32_t outside; /* [atomic] refused frees of frames that are in no area */
    uint32_t waiting; /* [atomic] requests for which fronts are to keep nothing */
    uint32_t low;     /* [atomic] 1: interrupts took of the reserve; fronts keep nothing */
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
    return (front->uses >> q & 1) != 0;
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
 * order wanted (-1: any), in the run that the front points to, and the stack has room. Order 0 is
 * asked for by itself: that branch is foreseen, and what follows need not wait for a byte of the
 * table to say which queue. Interrupts off. */
LOAM_INLINE bool zone_push(zone_front *front, uint64_t frame, uint8_t kind, int want)
{
    uint64_t at = frame - front->first;
    uint32_t window = loam_atomic_peek(&front->window); /* no order: seen at the next call */
    if (LOAM_UNLIKELY(at >= window))
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

/* Is this the head of a later piece? Behind the last one lies a byte of somebody else, who may
 * write it meanwhile: whatever it reads, a later piece it is not. The thread sanitizer need not
 * know. */
__attribute__((no_sanitize("thread"))) static inline bool zone_piece_follows(const uint8_t *byte)
{
    return zone_is_joined(*(const volatile uint8_t *)byte);
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

static inline uint8_t zone_mark(unsigned flags)
{
    _Static_assert(ZONE_SLAB == ZONE_HEAD >> 1 && LOAM_ZONE_SLAB == 4, "the flag is the shift");
    return (uint8_t)(ZONE_HEAD >> (flags >> 2 & 1));
}

/* ---- areas: zone_area.c ---- */

/* The area of a frame, or NULL. O(1) where areas are as large as sections. */
zone_area *loam_zone__area(const loam_zone *zone, uint64_t frame);

static inline const zone_run *zone_run_of(const loam_zone *zone, const zone_area *area)
{
    return &zone->run[area->run];
}

/* How many frames of the area's run there are from this one on. */
static inline uint64_t zone_run_left(const loam_zone *zone, const zone_area *area, uint64_t frame)
{
    const zone_run *run = zone_run_of(zone, area);
    return run->count - (frame - run->first);
}

/* Do all these frames lie in the run of the area, which has the first? */
static inline bool zone_holds(const loam_zone *zone, const zone_area *area, uint64_t first,
                              uint64_t count)
{
    return area != NULL && count <= zone_run_left(zone, area, first);
}

/* Lock held. Says which orders the area seems to have: mostly the same, and then no line is
 * written. */
static inline void zone_tell_orders(zone_area *area, uint32_t orders)
{
    if (loam_atomic_peek(&area->orders) != orders) /* no order: written with the lock alone */
        loam_atomic_store(&area->orders, orders);  /* pairs with the load in zone_hint */
}

/* Lock held: one more time that something came here. */
static inline void zone_tell_freed(zone_area *area)
{
    uint32_t now = loam_atomic_peek(&area->frees); /* no order: written with the lock alone */
    loam_atomic_store(&area->frees, now + 1);      /* pairs with the load in zone_count_frees */
}

/* Every change of an area's buddy happens between these. */
static inline loam_irq zone_area_lock(zone_area *area)
{
    return loam_lock_acquire(&area->lock);
}

static inline void zone_area_unlock(zone_area *area, loam_irq irq)
{
    zone_tell_orders(area, (uint32_t)area->buddy.classes);
    loam_lock_release(&area->lock, irq);
}

/* The same after something came back. Who sees the count as it is now also sees the hint; who does
 * not, looks again. */
static inline void zone_area_unlock_freed(zone_area *area, loam_irq irq)
{
    zone_tell_orders(area, (uint32_t)area->buddy.classes);
    zone_tell_freed(area);
    loam_lock_release(&area->lock, irq);
}

/* Lock held, after something was taken. */
static inline void zone_note_low(zone_area *area)
{
    if (area->buddy.free_units < area->low_water)
        area->low_water = area->buddy.free_units;
}

/* May so many frames go, and leave the reserve? */
static inline bool zone_affords(const zone_area *area, uint64_t frames, unsigned flags)
{
    return (flags & LOAM_ZONE_ATOMIC) != 0 || area->reserve == 0 ||
           (area->buddy.free_units >= frames && area->buddy.free_units - frames >= area->reserve);
}

/* Lock held. The maximal free block around a frame of the area; its own or the top level's. */
bool loam_zone__find(const loam_zone *zone, zone_area *area, uint64_t frame, uint64_t *start,
                     unsigned *order);
/* Takes these frames of one run if all of them are free and leave the reserve; else nothing. */
bool loam_zone__take_frames(loam_zone *zone, uint64_t first, uint64_t count, unsigned flags);

/* ---- the top level: zone_top.c; the area's lock is held, the top level's is taken ---- */

/* The maximal free block of the top level that has the area, in frames. */
bool loam_zone__find_top(const loam_zone *zone, const zone_area *area, uint64_t *start,
                         unsigned *order);

/* Is the area a bit of the top level? */
static inline bool zone_is_whole(const loam_zone *zone, const zone_area *area)
{
    return LOAM_UNLIKELY(area->buddy.free_units == 0) && area->unit != ZONE_NO_UNIT &&
           loam_zone__find_top(zone, area, NULL, NULL);
}

/* Makes an area that is a bit of the top level an area again, all of it free: false when it is
 * none. from: the order of the free block that it is cut from. */
bool loam_zone__open(loam_zone *zone, zone_area *area, unsigned *from);
/* The same with the lock of the top level held. */
bool loam_zone__open_locked(loam_zone *zone, zone_area *area, unsigned *from);
/* The area, which is all free, becomes a bit of the top level. */
void loam_zone__close(loam_zone *zone, zone_area *area);

/* After something came back. */
static inline void zone_settle(loam_zone *zone, zone_area *area)
{
    if (LOAM_UNLIKELY(area->buddy.free_units >> zone->config.area_shift != 0) &&
        area->unit != ZONE_NO_UNIT)
        loam_zone__close(zone, area);
}

/* Gives back a block of an area or more whose first frame is the area's. */
loam_err loam_zone__put_top(loam_zone *zone, zone_area *area, unsigned order);
static inline loam_irq zone_top_lock(zone_top *top)
{
    return loam_lock_acquire(&top->lock);
}

/* Lock held. */
static inline void zone_tell_largest(zone_top *top)
{
    uint32_t largest = (uint32_t)(loam_buddy_largest(&top->buddy) + 1);
    /* pairs with the loads in zone_top_seems_to_have and zone_may_have */
    loam_atomic_store(&top->largest, largest);
}

static inline void zone_top_unlock(zone_top *top, loam_irq irq)
{
    zone_tell_largest(top);
    loam_lock_release(&top->lock, irq);
}

/* As zone_area_unlock_freed. */
static inline void zone_top_unlock_freed(zone_top *top, loam_irq irq)
{
    zone_tell_largest(top);
    uint32_t now = loam_atomic_peek(&top->frees); /* no order: written with the lock alone */
    loam_atomic_store(&top->frees, now + 1);      /* pairs with the load in zone_count_frees */
    loam_lock_release(&top->lock, irq);
}

/* Gives a block that is in nobody's hands back to the area, or to the top level. As
 * loam_buddy_free. */
static inline loam_err zone_put(loam_zone *zone, zone_area *area, uint64_t frame, unsigned order)
{
    if (LOAM_UNLIKELY(order > zone->config.area_shift))
        return loam_zone__put_top(zone, area, order);
    loam_err err =
        zone_is_whole(zone, area) ? LOAM_EBUSY : loam_buddy_free(&area->buddy, frame, order);
    zone_settle(zone, area);
    return err;
}

static inline zone_area *zone_area_of_unit(const loam_zone *zone, uint64_t unit)
{
    return &zone->area[zone->top->area_of[unit]];
}

/* ---- looking for a block: zone_search.c ---- */

typedef struct zone_request {
    uint64_t lo, limit; /* it lies in these frames; 0 and ~0: anywhere */
    unsigned order, flags;
    uint64_t npages; /* not 0: so many frames from the block's first one on, and no more */
} zone_request;

/* Hints are read with acquire: who sees an empty place also sees the counts that were raised before
 * it could be empty. */
static inline uint32_t zone_hint(const zone_area *area)
{
    return loam_atomic_load(&area->orders); /* pairs with the store in zone_tell_orders */
}

static inline uint32_t zone_home_index(const zone_front *front)
{
    return loam_atomic_peek(&front->home); /* no order: any area will do */
}

static inline void zone_set_home(const loam_zone *zone, zone_front *front, const zone_area *area)
{
    loam_atomic_store(&front->home, (uint32_t)(area - zone->area)); /* no order: any area will do */
}

/* The area that this front's requests go to first, if it seems to have a block of this order. */
static inline zone_area *zone_home(const loam_zone *zone, const zone_front *front, unsigned order)
{
    bool first = zone->config.lowest || front == NULL;
    zone_area *area = &zone->area[first ? 0 : zone_home_index(front)];
    bool has = order < 32 && zone_hint(area) >> order != 0;
    return has && (!zone->config.lowest || zone->nareas == 1) ? area : NULL;
}

/* Where a search stands. */
typedef struct zone_search {
    unsigned order, opens;
    uint32_t at, left;
    unsigned from; /* order of the block that the area found was cut from just now, or 0 */
} zone_search;

zone_search loam_zone__search_from(const loam_zone *zone, const zone_front *front, unsigned order);
/* The next area that seems to have a block of this order: the home, the others, an area of the top
 * level. Locked, the caller unlocks it; NULL: there is none. */
zone_area *loam_zone__search(loam_zone *zone, zone_search *search, loam_irq *irq);
/* A block from anywhere or inside limits; the byte of its head becomes `mark | order`. */
bool loam_zone__take(loam_zone *zone, const zone_request *want, loam_buddy_pick *pick);
/* What a request ends with: the frames are the caller's, and read 0 if the flags say so. */
loam_pfn loam_zone__done(loam_zone *zone, uint64_t frame, uint64_t count, unsigned flags);
/* Writes the heads of a block of count frames, which is the caller's: zone_special.c. */
void loam_zone__mark_pieces(const loam_zone *zone, uint64_t first, uint64_t count, unsigned flags);
/* As _take, but answers no only if at some moment no block was free anywhere outside of the fronts.
 * */
bool loam_zone__take_surely(loam_zone *zone, const zone_request *want, loam_buddy_pick *pick);

/* ---- shortage: zone_short.c ---- */

/* A block, whatever it takes: a drain here, and there, and the shrinker. Interrupts as the caller
 * has them, no lock held. */
bool loam_zone__obtain(loam_zone *zone, const zone_request *want, uint64_t *frame);
/* Is less than the reserve left? */
bool loam_zone__is_low(loam_zone *zone);
/* Counts and traces a request for which there was no memory. */
loam_pfn loam_zone__no_frame(loam_zone *zone, unsigned order);

/* ---- what the bits say of splits and merges, told to a trace after the fact, no lock held:
 * zone_trace.c ---- */

void loam_zone__trace_alloc(const loam_zone *zone, const loam_buddy_pick *pick, unsigned order);
/* merged: order of the maximal free block that the freed block became part of. */
void loam_zone__trace_free(const loam_zone *zone, uint64_t frame, unsigned order, unsigned merged);

/* Sets what lies in the linear map of these frames to 0. */
void loam_zone__zero(const loam_zone *zone, uint64_t first, uint64_t frames);

/* ---- fronts: zone_front.c ---- */

/* Fills an empty queue from the areas, and allocates the first of what it got; false when they have
 * nothing of its order, or not enough above the reserve. Interrupts off. */
bool loam_zone__refill(loam_zone *zone, zone_front *front, unsigned q, unsigned flags,
                       uint64_t *frame);
/* Gives back the older half of a full queue. Interrupts off. */
void loam_zone__flush(loam_zone *zone, zone_front *front, unsigned q);
/* Gives everything back; the front is empty then. Interrupts off. */
void loam_zone__drain_front(loam_zone *zone, zone_front *front);
/* Honours a wish for a drain, and uses a front that is empty again if it may. Interrupts off. */
void loam_zone__front_settle(loam_zone *zone, zone_front *front);

static inline void zone_front_ready(loam_zone *zone, zone_front *front)
{
    /* pairs with the cas in loam_zone__ask_drain */
    if (LOAM_UNLIKELY(loam_atomic_load(&front->state) != ZONE_FRONT_USED))
        loam_zone__front_settle(zone, front);
}

/* Asks every other front that may hold something to drain at its owner's next call. true: none
 * holds anything. */
bool loam_zone__ask_drain(loam_zone *zone);
/* Does the frame belong to a block that lies in a front? */
bool loam_zone__in_front(const loam_zone *zone, uint64_t frame);
uint64_t loam_zone__front_frames(const zone_front *front);
/* Opens the front's window on a run: its fast paths take the frames of that one. */
void loam_zone__front_opens(zone_front *front, const zone_run *run);

/* Lets the front's fast paths take the frames of the area's run. Interrupts off. */
static inline void zone_front_points_to(const loam_zone *zone, zone_front *front,
                                        const zone_area *area)
{
    const zone_run *run = zone_run_of(zone, area);
    uint32_t window = loam_atomic_peek(&front->window); /* no order: else at the next call */
    if (LOAM_UNLIKELY(front->table != run->table || window == 0))
        loam_zone__front_opens(front, run);
}

/* ---- refusals: zone_free.c ---- */

loam_err loam_zone__refuse(loam_zone *zone, uint64_t frame, const char *what, const void *caller);
/* Frees by the area's table, under its lock. want: the order that the block must have, or -1. kind:
 * ZONE_HEAD or ZONE_SLAB, what the caller may free. */
loam_err loam_zone__free_slow(loam_zone *zone, uint64_t frame, int want, uint8_t kind,
                              const void *caller);

#endif
