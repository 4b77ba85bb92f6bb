/* SPDX-License-Identifier: MIT */
/* trace.c - what happened.
 *
 * WHAT   The units tell what they do as fixed events of 32 bytes. Who wants to know keeps the last
 *        ones of each processor, hears each at once, or only counts.
 *
 * MODEL  A ring for each processor. seq counts its events for ever; the event with number s lies in
 *        slot s mod cap, so that the ring always holds the last cap events.
 *
 *            emit(kind, order, a, b)
 *              | off: one branch          cpu 0  [ 8 | 9 | 6 | 7 ]   seq 10, cap 4
 *              v                                       ^ next: 10
 *            record --> count[kind]       cpu 1  [ 0 | 1 |   |   ]   seq 2; kind NONE: never used
 *                   --> ring of this cpu
 *                   --> sink: lines, bytes, or the caller's own
 *
 * RULES  E1  there are 1 .. LOAM_PORT_MAX_CPUS rings, and cap is 0 or a power of two
 *        E2  the rings lie one after the other in the memory given, cap events each
 *        E3  a used slot holds a known kind, its processor's number, and one of the last cap seqs,
 *            the one that belongs into that slot
 *        loam_trace_check() tests exactly these, under these names.
 *
 * LOCKS  None: a processor writes only its own ring, with interrupts off.
 * COST   Off: a branch. On: a clock reading, five stores, and the sink.
 * FROM   Flight recorders; ftrace's per-CPU buffers. Derived from neither.
 * NOT    Ordering events of different processors beyond their ticks.
 */
#include "loam/trace.h"

static const char *const trace_name[] = {
#define TRACE_NAME(name, word, text) #word,
    LOAM_TRACE_EVENTS(TRACE_NAME)
#undef TRACE_NAME
};

/* How a line shows an event: which words it has, and before which argument. */
typedef struct trace_words {
    bool order;
    const char *a, *b; /* a is shown in hexadecimal, b too when hex_b is set */
    bool hex_b;
} trace_words;

static const trace_words trace_words_of[LOAM_TRACE_KINDS] = {
    [LOAM_TRACE_PAGE_ALLOC] = {true, "frame", NULL, false},
    [LOAM_TRACE_PAGE_FREE] = {true, "frame", "merged to order", false},
    [LOAM_TRACE_PAGE_FAIL] = {true, NULL, NULL, false},
    [LOAM_TRACE_LIST_ADD] = {true, "frame", NULL, false},
    [LOAM_TRACE_LIST_REMOVE] = {true, "frame", NULL, false},
    [LOAM_TRACE_PAGE_SPLIT] = {true, "frame", "upper", true},
    [LOAM_TRACE_PAGE_MERGE] = {true, "frame", "buddy", true},
    [LOAM_TRACE_RESERVE] = {false, "address", "bytes", false},
    [LOAM_TRACE_SLAB_NEW] = {true, "address", "objects", false},
    [LOAM_TRACE_SLAB_RETURN] = {false, "address", "objects", false},
    [LOAM_TRACE_OBJ_ALLOC] = {false, "address", "bytes", false},
    [LOAM_TRACE_OBJ_FREE] = {false, "address", "bytes", false},
    [LOAM_TRACE_OBJ_FAIL] = {false, NULL, "bytes", false},
    [LOAM_TRACE_LARGE_ALLOC] = {false, "address", "bytes", false},
    [LOAM_TRACE_LARGE_FREE] = {false, "address", "bytes", false},
    [LOAM_TRACE_OBJ_RESIZE] = {false, "address", "bytes", false},
    [LOAM_TRACE_OBJ_MOVE] = {false, "address", "to", true},
    [LOAM_TRACE_THREAD] = {false, "thread", NULL, false},
};

const char *loam_trace_kind_name(unsigned kind)
{
    return kind < LOAM_TRACE_KINDS ? trace_name[kind] : "?";
}

loam_err loam_trace_init(loam_trace *trace, unsigned ncpus, uint32_t cap, void *mem)
{
    if (ncpus == 0 || ncpus > LOAM_PORT_MAX_CPUS)
        return LOAM_EINVAL;
    if (cap != 0 && (!loam_is_pow2(cap) || mem == NULL || (uintptr_t)mem % 8 != 0))
        return LOAM_EINVAL;
    __builtin_memset(trace, 0, sizeof *trace);
    trace->ncpus = ncpus;
    trace->cap = cap;
    loam_trace_event *event = mem;
    for (unsigned i = 0; cap != 0 && i < ncpus; i++, event += cap) {
        trace->ring[i].event = event;
        __builtin_memset(event, 0, cap * sizeof *event);
    }
    return LOAM_OK;
}

void loam_trace_set_sink(loam_trace *trace, loam_trace_sink_fn *sink, void *ctx)
{
    trace->sink = sink;
    trace->sink_ctx = ctx;
}

void loam_trace_set_on(loam_trace *trace, bool on)
{
    trace->on = on;
}

void loam_trace__record(loam_trace *trace, loam_trace_kind kind, unsigned order, uint64_t a,
                        uint64_t b)
{
    loam_irq irq = loam_port_irq_save();
    unsigned cpu = loam_port_cpu();
    if (cpu >= trace->ncpus) {
        loam_port_irq_restore(irq);
        return;
    }
    loam_trace_ring *ring = &trace->ring[cpu];
    loam_trace_event event = {
        .ticks = loam_port_ticks(),
        .a = a,
        .b = b,
        .kind = (uint8_t)kind,
        .order = (uint8_t)order,
        .cpu = (uint16_t)cpu,
        .seq = ring->seq++,
    };
    ring->count[kind]++;
    if (trace->cap != 0)
        ring->event[event.seq & (trace->cap - 1)] = event;
    loam_port_irq_restore(irq);
    if (trace->sink != NULL)
        trace->sink(trace->sink_ctx, &event);
}

void loam_trace_each(const loam_trace *trace, loam_trace_sink_fn *fn, void *ctx)
{
    for (unsigned cpu = 0; trace->cap != 0 && cpu < trace->ncpus; cpu++) {
        const loam_trace_ring *ring = &trace->ring[cpu];
        for (uint32_t i = 0; i < trace->cap; i++) {
            const loam_trace_event *event = &ring->event[(ring->seq + i) & (trace->cap - 1)];
            if (event->kind != LOAM_TRACE_NONE)
                fn(ctx, event);
        }
    }
}

uint64_t loam_trace_count(const loam_trace *trace, loam_trace_kind kind)
{
    uint64_t sum = 0;
    for (unsigned cpu = 0; cpu < trace->ncpus; cpu++)
        sum += trace->ring[cpu].count[kind];
    return sum;
}

/* ---- sinks ---- */

void loam_trace_text(loam_text *out, const loam_trace_event *event)
{
    loam_text_fmt(out, "[cpu %u] %s", (unsigned)event->cpu, loam_trace_kind_name(event->kind));
    if (event->kind >= LOAM_TRACE_KINDS)
        return;
    const trace_words *words = &trace_words_of[event->kind];
    if (words->order)
        loam_text_fmt(out, " order %u", (unsigned)event->order);
    if (words->a != NULL)
        loam_text_fmt(out, " %s 0x%X", words->a, event->a);
    if (words->b != NULL)
        loam_text_fmt(out, words->hex_b ? " %s 0x%X" : " %s %U", words->b, event->b);
}

void loam_trace_sink_lines(void *lines, const loam_trace_event *event)
{
    const loam_trace_lines *to = lines;
    char buf[112]; /* the longest line has fewer than 100 characters */
    loam_text text;
    loam_text_init(&text, buf, sizeof buf);
    loam_trace_text(&text, event);
    to->line(to->ctx, buf);
}

void loam_trace_sink_bytes(void *bytes, const loam_trace_event *event)
{
    const loam_trace_bytes *to = bytes;
    to->write(to->ctx, event, sizeof *event);
}

/* ---- rules ---- */

static bool trace_slot_ok(const loam_trace *trace, unsigned cpu, uint32_t slot)
{
    const loam_trace_ring *ring = &trace->ring[cpu];
    const loam_trace_event *event = &ring->event[slot];
    if (event->kind == LOAM_TRACE_NONE)
        return true;
    return event->kind < LOAM_TRACE_KINDS && event->cpu == cpu &&
           (event->seq & (trace->cap - 1)) == slot && ring->seq - 1 - event->seq < trace->cap;
}

const char *loam_trace_check(const loam_trace *trace)
{
    if (trace->ncpus == 0 || trace->ncpus > LOAM_PORT_MAX_CPUS ||
        (trace->cap != 0 && !loam_is_pow2(trace->cap)))
        return "E1 there are 1 .. LOAM_PORT_MAX_CPUS rings, and cap is 0 or a power of two";
    const loam_trace_event *at = trace->ring[0].event;
    for (unsigned cpu = 0; cpu < trace->ncpus; cpu++, at += trace->cap)
        if (trace->ring[cpu].event != at || (at == NULL) != (trace->cap == 0))
            return "E2 the rings lie one after the other in the memory given";
    for (unsigned cpu = 0; cpu < trace->ncpus; cpu++)
        for (uint32_t slot = 0; slot < trace->cap; slot++)
            if (!trace_slot_ok(trace, cpu, slot))
                return "E3 a used slot holds a known kind, its cpu, and the seq of that slot";
    return NULL;
}
