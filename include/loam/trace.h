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

/* X(NAME, name, text): the event's arguments a and b are named in the text. */
#define LOAM_TRACE_EVENTS(X)                                                                       \
    X(NONE, none, "")                                                                              \
    X(PAGE_ALLOC, page_alloc, "a block of `order` at frame a was given out")                       \
    X(PAGE_FREE, page_free,                                                                        \
      "a block of `order` at frame a came back; b is the order it merged to")                      \
    X(PAGE_FAIL, page_fail, "no block of `order`")                                                 \
    X(LIST_ADD, list_add, "frame a became a free block of `order`")                                \
    X(LIST_REMOVE, list_remove, "frame a is no longer a free block of `order`")                    \
    X(PAGE_SPLIT, page_split, "the block of `order` at frame a was split; b is the upper half")    \
    X(PAGE_MERGE, page_merge, "frame a of `order` found its buddy b free")                         \
    X(RESERVE, reserve, "bytes [a, a + b) were held")                                              \
    X(SLAB_NEW, slab_new, "a cache took `order` frames at address a; b objects")                   \
    X(SLAB_RETURN, slab_return, "a cache gave back the slab at address a; b objects")              \
    X(OBJ_ALLOC, obj_alloc, "address a, b bytes of a class")                                       \
    X(OBJ_FREE, obj_free, "address a, b bytes of a class")                                         \
    X(OBJ_FAIL, obj_fail, "b bytes refused")                                                       \
    X(LARGE_ALLOC, large_alloc, "address a, b bytes from the zone")                                \
    X(LARGE_FREE, large_free, "address a, b bytes back to the zone")                               \
    X(OBJ_RESIZE, obj_resize, "address a, b bytes from now on")                                    \
    X(OBJ_MOVE, obj_move, "what was at address a is at b now")                                     \
    X(THREAD, thread, "what this processor does from here on is thread a's")

typedef enum loam_trace_kind {
#define LOAM_TRACE_ENUM(name, word, text) LOAM_TRACE_##name,
    LOAM_TRACE_EVENTS(LOAM_TRACE_ENUM)
#undef LOAM_TRACE_ENUM
        LOAM_TRACE_KINDS
} loam_trace_kind;

/* "page_alloc", or "?" for a kind that is none. */
const char *loam_trace_kind_name(unsigned kind);

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
    loam_trace_event *event;          /* [init] cap events, or NULL */
    uint32_t seq;                     /* [cpu] events made so far */
    uint64_t count[LOAM_TRACE_KINDS]; /* [cpu] events made so far, by kind */
} loam_trace_ring;

typedef struct loam_trace {
    bool on;
    uint32_t cap; /* events a ring, a power of two; 0: no rings, sink and counters only */
    unsigned ncpus;
    loam_trace_sink_fn *sink; /* or NULL */
    void *sink_ctx;
    loam_trace_ring ring[LOAM_PORT_MAX_CPUS];
} loam_trace;

/* Prepares rings of `cap` events for processors 0 .. ncpus - 1. Starts off, without a sink.
 *   cap         a power of two, or 0 for no rings
 *   mem         ncpus * cap * 32 bytes, 8-aligned, the caller's; NULL when cap is 0
 *   returns     LOAM_OK or LOAM_EINVAL
 *   cost        O(ncpus * cap)      context   one CPU
 */
loam_err loam_trace_init(loam_trace *trace, unsigned ncpus, uint32_t cap, void *mem);

/* The sink (NULL: none) sees every event from now on, in the order made, on the processor that made
 * it. It may not allocate from what it traces. Set it while nobody traces. */
void loam_trace_set_sink(loam_trace *trace, loam_trace_sink_fn *sink, void *ctx);
void loam_trace_set_on(loam_trace *trace, bool on);

/* Slow half of loam_trace_emit. An event of a processor beyond ncpus is not recorded. */
void loam_trace__record(loam_trace *trace, loam_trace_kind kind, unsigned order, uint64_t a,
                        uint64_t b);

static inline bool loam_trace_is_on(const loam_trace *trace)
{
    return LOAM_UNLIKELY(trace != NULL) && trace->on;
}

/* Context: any. Cost off: one branch. */
static inline void loam_trace_emit(loam_trace *trace, loam_trace_kind kind, unsigned order,
                                   uint64_t a, uint64_t b)
{
    if (loam_trace_is_on(trace))
        loam_trace__record(trace, kind, order, a, b);
}

/* Calls fn with the events still in the rings, oldest first for each processor, processor after
 * processor. Nobody traces meanwhile. O(ncpus * cap). */
void loam_trace_each(const loam_trace *trace, loam_trace_sink_fn *fn, void *ctx);

/* Events of one kind made so far, by all processors. Exact while nobody traces. O(ncpus). */
uint64_t loam_trace_count(const loam_trace *trace, loam_trace_kind kind);

/* One line for an event, without newline: "[cpu 0] page_alloc order 1 frame 0x4". Unit-neutral;
 * osc4 has its own words. */
void loam_trace_text(loam_text *out, const loam_trace_event *event);

/* A sink that hands on each event as such a line. Its ctx is a loam_trace_lines. */
typedef struct loam_trace_lines {
    void (*line)(void *ctx, const char *text);
    void *ctx;
} loam_trace_lines;
void loam_trace_sink_lines(void *lines, const loam_trace_event *event);

/* A sink that hands on each event as its 32 bytes in the machine's byte order: the binary trace
 * file is these one after the other. Its ctx is a loam_trace_bytes. */
typedef struct loam_trace_bytes {
    void (*write)(void *ctx, const void *bytes, size_t len);
    void *ctx;
} loam_trace_bytes;
void loam_trace_sink_bytes(void *bytes, const loam_trace_event *event);

/* The first broken rule (E1 ... of trace.c), or NULL. Nobody traces meanwhile. O(ncpus * cap). */
const char *loam_trace_check(const loam_trace *trace);

#endif
