/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TRACE_H
#define LOAM_TRACE_H

/* trace.h - what happened, as fixed 32-byte events in per-CPU rings.
 *
 * A unit that has no trace (NULL) or one that is off pays one predictable branch. An event is
 * stored in the ring of the processor that made it, and handed to a sink at once if one is set.
 * PAGE_ALLOC, PAGE_FREE, PAGE_FAIL, SLAB_* and OBJ_* come with no lock held: their sink may look at
 * the zone (osc4's "Next address"). LIST_*, PAGE_SPLIT and PAGE_MERGE may come under a lock. */
#include "loam/base.h"
#include "loam/port.h"

/* X(name, text): the event's arguments a and b are named in the text. */
#define LOAM_TRACE_EVENTS(X)                                                                       \
    X(NONE, "")                                                                                    \
    X(PAGE_ALLOC, "a block of `order` at frame a was given out")                                   \
    X(PAGE_FREE, "a block of `order` at frame a came back; b is the order it merged to")           \
    X(PAGE_FAIL, "no block of `order`")                                                            \
    X(LIST_ADD, "frame a became a free block of `order`")                                          \
    X(LIST_REMOVE, "frame a is no longer a free block of `order`")                                 \
    X(PAGE_SPLIT, "the block of `order` at frame a was split; b is the upper half, still free")    \
    X(PAGE_MERGE, "frame a of `order` found its buddy b free")                                     \
    X(FRONT_REFILL, "a front took b frames from frame a on")                                       \
    X(FRONT_FLUSH, "a front gave back b frames")                                                   \
    X(RESERVE, "bytes [a, a + b) were held")                                                       \
    X(SLAB_NEW, "a cache took `order` frames at address a; b objects")                             \
    X(SLAB_RETURN, "a cache gave back the slab at address a; b objects")                           \
    X(OBJ_ALLOC, "address a, b bytes of a class")                                                  \
    X(OBJ_FREE, "address a, b bytes of a class")                                                   \
    X(OBJ_FAIL, "b bytes refused")                                                                 \
    X(LARGE_ALLOC, "address a, b bytes from the zone")                                             \
    X(LARGE_FREE, "address a, b bytes back to the zone")

typedef enum loam_trace_kind {
#define LOAM_TRACE_ENUM(name, text) LOAM_TRACE_##name,
    LOAM_TRACE_EVENTS(LOAM_TRACE_ENUM)
#undef LOAM_TRACE_ENUM
        LOAM_TRACE_KINDS
} loam_trace_kind;

typedef struct loam_trace_event {
    uint64_t ticks;
    uint64_t a, b;
    uint8_t kind; /* loam_trace_kind */
    uint8_t order;
    uint16_t cpu;
    uint32_t seq; /* counts events of this processor */
} loam_trace_event;
_Static_assert(sizeof(loam_trace_event) == 32, "the binary format is 32 bytes an event");

typedef void loam_trace_sink_fn(void *ctx, const loam_trace_event *event);

typedef struct loam_trace_ring {
    loam_trace_event *event; /* [init] */
    uint32_t seq;            /* [cpu] events made so far */
} loam_trace_ring;

typedef struct loam_trace {
    bool on;
    uint32_t cap; /* events a ring, a power of two; 0: no rings, sink only */
    unsigned ncpus;
    loam_trace_ring ring[LOAM_PORT_MAX_CPUS];
    loam_trace_sink_fn *sink; /* or NULL */
    void *sink_ctx;
    uint64_t count[LOAM_TRACE_KINDS]; /* approximate when several processors trace at once */
} loam_trace;

/* Rings of `cap` events (a power of two, or 0) for ncpus processors in mem (ncpus * cap * 32 bytes,
 * 8-aligned). Starts off. LOAM_OK or LOAM_EINVAL. */
loam_err loam_trace_init(loam_trace *trace, unsigned ncpus, uint32_t cap, void *mem);
void loam_trace_set_sink(loam_trace *trace, loam_trace_sink_fn *sink, void *ctx);
void loam_trace_set_on(loam_trace *trace, bool on);

/* Slow half of loam_trace_emit. */
void loam_trace__record(loam_trace *trace, loam_trace_kind kind, unsigned order, uint64_t a,
                        uint64_t b);

static inline bool loam_trace_is_on(const loam_trace *trace)
{
    return LOAM_UNLIKELY(trace != NULL) && trace->on;
}

/* Context: any; interrupts off or this processor's ring may lose an event. Cost off: one branch. */
static inline void loam_trace_emit(loam_trace *trace, loam_trace_kind kind, unsigned order,
                                   uint64_t a, uint64_t b)
{
    if (loam_trace_is_on(trace))
        loam_trace__record(trace, kind, order, a, b);
}

/* Calls fn with the events still in the rings, oldest first for each processor, processor after
 * processor. */
void loam_trace_each(const loam_trace *trace, loam_trace_sink_fn *fn, void *ctx);

/* One line for an event, without newline: "[cpu 0] page_alloc order 1 frame 0x4". Unit-neutral;
 * osc4 has its own words. */
void loam_trace_text(loam_text *out, const loam_trace_event *event);

#endif
