/* SPDX-License-Identifier: MIT */
#include "loam/trace.h"
#include "tap.h"

enum { RING = 4, SEEN = 64 };

static loam_trace trace;
static _Alignas(8) loam_trace_event rings[RING];

static loam_trace_event seen[SEEN];
static unsigned seen_count;

static void see(void *ctx, const loam_trace_event *event)
{
    if (seen_count < SEEN)
        seen[seen_count] = *event;
    seen_count++;
    if (ctx != NULL)
        ++*(unsigned *)ctx;
}

/* One ring, for the processor that runs the tests: number 0 in every port's test. */
static void fresh(void)
{
    loam_trace_init(&trace, 1, RING, rings);
    loam_trace_set_on(&trace, true);
    seen_count = 0;
}

static void init_arguments(tap *t)
{
    TAP_EQ(t, loam_trace_init(&trace, 0, RING, rings), LOAM_EINVAL);
    TAP_EQ(t, loam_trace_init(&trace, LOAM_PORT_MAX_CPUS + 1, RING, rings), LOAM_EINVAL);
    TAP_EQ(t, loam_trace_init(&trace, 1, 3, rings), LOAM_EINVAL);
    TAP_EQ(t, loam_trace_init(&trace, 1, RING, NULL), LOAM_EINVAL);
    TAP_EQ(t, loam_trace_init(&trace, 1, 2, (char *)rings + 4), LOAM_EINVAL);
    TAP_EQ(t, loam_trace_init(&trace, 1, RING, rings), LOAM_OK);
    TAP_RULE(t, loam_trace_check(&trace), NULL);
    TAP_CHECK(t, !loam_trace_is_on(&trace));
}

static void emit_off(tap *t)
{
    fresh();
    loam_trace_set_on(&trace, false);
    loam_trace_set_sink(&trace, see, NULL);
    loam_trace_emit(&trace, LOAM_TRACE_PAGE_ALLOC, 1, 2, 3);
    loam_trace_emit(NULL, LOAM_TRACE_PAGE_ALLOC, 1, 2, 3);
    TAP_EQ(t, seen_count, 0);
    TAP_EQ(t, loam_trace_count(&trace, LOAM_TRACE_PAGE_ALLOC), 0);
}

static void emit_on(tap *t)
{
    unsigned calls = 0;
    fresh();
    loam_trace_set_sink(&trace, see, &calls);
    loam_trace_emit(&trace, LOAM_TRACE_PAGE_SPLIT, 5, 0x1000000000, 7);
    loam_trace_emit(&trace, LOAM_TRACE_PAGE_FAIL, 6, 0, 0);
    TAP_EQ(t, calls, 2);
    TAP_EQ(t, seen[0].kind, LOAM_TRACE_PAGE_SPLIT);
    TAP_EQ(t, seen[0].order, 5);
    TAP_EQ(t, seen[0].a, 0x1000000000);
    TAP_EQ(t, seen[0].b, 7);
    TAP_EQ(t, seen[0].cpu, loam_port_cpu());
    TAP_EQ(t, seen[0].seq, 0);
    TAP_EQ(t, seen[1].seq, 1);
    TAP_CHECK(t, seen[0].ticks <= seen[1].ticks);
    TAP_EQ(t, loam_trace_count(&trace, LOAM_TRACE_PAGE_SPLIT), 1);
    TAP_RULE(t, loam_trace_check(&trace), NULL);
}

static void each_partly_full(tap *t)
{
    fresh();
    for (uint64_t i = 0; i < RING - 1; i++)
        loam_trace_emit(&trace, LOAM_TRACE_PAGE_ALLOC, 0, i, 0);
    loam_trace_each(&trace, see, NULL);
    TAP_EQ(t, seen_count, RING - 1);
    TAP_EQ(t, seen[0].a, 0);
    TAP_EQ(t, seen[RING - 2].a, RING - 2);
}

static void each_wrapped(tap *t)
{
    fresh();
    for (uint64_t i = 0; i < 2 * RING + 1; i++)
        loam_trace_emit(&trace, LOAM_TRACE_PAGE_ALLOC, 0, i, 0);
    loam_trace_each(&trace, see, NULL);
    TAP_EQ(t, seen_count, RING);
    for (unsigned i = 0; i < RING; i++)
        TAP_EQ(t, seen[i].a, RING + 1 + i);
    TAP_EQ(t, loam_trace_count(&trace, LOAM_TRACE_PAGE_ALLOC), 2 * RING + 1);
    TAP_RULE(t, loam_trace_check(&trace), NULL);
}

static void each_seq_wrapped(tap *t)
{
    fresh();
    trace.ring[0].seq = UINT32_MAX;
    for (uint64_t i = 0; i < RING + 2; i++)
        loam_trace_emit(&trace, LOAM_TRACE_PAGE_ALLOC, 0, i, 0);
    loam_trace_each(&trace, see, NULL);
    TAP_EQ(t, seen_count, RING);
    TAP_EQ(t, seen[0].a, 2);
    TAP_EQ(t, seen[RING - 1].a, RING + 1);
    TAP_RULE(t, loam_trace_check(&trace), NULL);
}

static void no_rings(tap *t)
{
    TAP_EQ(t, loam_trace_init(&trace, 1, 0, NULL), LOAM_OK);
    loam_trace_set_on(&trace, true);
    loam_trace_set_sink(&trace, see, NULL);
    seen_count = 0;
    loam_trace_emit(&trace, LOAM_TRACE_OBJ_FREE, 0, 1, 2);
    TAP_EQ(t, seen_count, 1);
    loam_trace_each(&trace, see, NULL);
    TAP_EQ(t, seen_count, 1);
    TAP_EQ(t, loam_trace_count(&trace, LOAM_TRACE_OBJ_FREE), 1);
    TAP_RULE(t, loam_trace_check(&trace), NULL);
}

/* ---- text ---- */

static const char *line_of(loam_trace_kind kind, unsigned order, uint64_t a, uint64_t b)
{
    static char buf[128];
    loam_text text;
    loam_trace_event event = {0, a, b, (uint8_t)kind, (uint8_t)order, 3, 0};
    loam_text_init(&text, buf, sizeof buf);
    loam_trace_text(&text, &event);
    return buf;
}

static void text_words(tap *t)
{
    TAP_STR(t, line_of(LOAM_TRACE_PAGE_ALLOC, 1, 4, 0), "[cpu 3] page_alloc order 1 frame 0x4");
    TAP_STR(t, line_of(LOAM_TRACE_PAGE_FREE, 0, 5, 9),
            "[cpu 3] page_free order 0 frame 0x5 merged to order 9");
    TAP_STR(t, line_of(LOAM_TRACE_PAGE_SPLIT, 2, 0x10, 0x12),
            "[cpu 3] page_split order 2 frame 0x10 upper 0x12");
    TAP_STR(t, line_of(LOAM_TRACE_OBJ_FAIL, 0, 0, 100), "[cpu 3] obj_fail bytes 100");
    TAP_STR(t, line_of(LOAM_TRACE_KINDS, 0, 0, 0), "[cpu 3] ?");
}

static void text_all_kinds(tap *t)
{
    for (unsigned k = LOAM_TRACE_NONE + 1; k < LOAM_TRACE_KINDS; k++) {
        const char *name = loam_trace_kind_name(k);
        const char *line = line_of((loam_trace_kind)k, 1, 2, 3);
        TAP_CHECK(t, tap_starts(line + 8, name));
        size_t n = 0;
        while (name[n] != '\0')
            n++;
        TAP_CHECK(t, line[8 + n] == ' '); /* every kind says more than its name */
    }
    TAP_STR(t, loam_trace_kind_name(LOAM_TRACE_KINDS), "?");
}

/* ---- sinks ---- */

static char last_line[128];
static unsigned lines;

static void keep_line(void *ctx, const char *text)
{
    (void)ctx;
    size_t i = 0;
    for (; i < sizeof last_line - 1 && text[i] != '\0'; i++)
        last_line[i] = text[i];
    last_line[i] = '\0';
    lines++;
}

static void sink_lines(tap *t)
{
    loam_trace_lines to = {keep_line, NULL};
    fresh();
    lines = 0;
    loam_trace_set_sink(&trace, loam_trace_sink_lines, &to);
    loam_trace_emit(&trace, LOAM_TRACE_PAGE_FREE, 255, UINT64_MAX, UINT64_MAX);
    TAP_EQ(t, lines, 1);
    TAP_STR(t, last_line,
            "[cpu 0] page_free order 255 frame 0xffffffffffffffff merged to order "
            "18446744073709551615");
}

static unsigned char file[SEEN];
static size_t file_len;

static void keep_bytes(void *ctx, const void *bytes, size_t len)
{
    (void)ctx;
    const unsigned char *from = bytes;
    for (size_t i = 0; i < len && file_len < sizeof file; i++)
        file[file_len++] = from[i];
}

static void sink_bytes(tap *t)
{
    loam_trace_bytes to = {keep_bytes, NULL};
    loam_trace_event back;
    fresh();
    file_len = 0;
    loam_trace_set_sink(&trace, loam_trace_sink_bytes, &to);
    loam_trace_emit(&trace, LOAM_TRACE_RESERVE, 0, 1, 2);
    loam_trace_emit(&trace, LOAM_TRACE_PAGE_ALLOC, 9, 0x42, 0);
    TAP_EQ(t, file_len, 64);
    __builtin_memcpy(&back, file + 32, sizeof back);
    TAP_EQ(t, back.kind, LOAM_TRACE_PAGE_ALLOC);
    TAP_EQ(t, back.order, 9);
    TAP_EQ(t, back.a, 0x42);
    TAP_EQ(t, back.seq, 1);
}

/* ---- rules ---- */

static void check_e1(tap *t)
{
    fresh();
    trace.ncpus = 0;
    TAP_RULE(t, loam_trace_check(&trace), "E1");
    trace.ncpus = LOAM_PORT_MAX_CPUS + 1;
    TAP_RULE(t, loam_trace_check(&trace), "E1");
    fresh();
    trace.cap = 3;
    TAP_RULE(t, loam_trace_check(&trace), "E1");
}

static void check_e2(tap *t)
{
    fresh();
    trace.ring[0].event = NULL;
    TAP_RULE(t, loam_trace_check(&trace), "E2");
    fresh();
    trace.cap = 0;
    TAP_RULE(t, loam_trace_check(&trace), "E2");
}

static void check_e3(tap *t)
{
    fresh();
    loam_trace_emit(&trace, LOAM_TRACE_PAGE_ALLOC, 0, 0, 0);
    rings[0].kind = LOAM_TRACE_KINDS;
    TAP_RULE(t, loam_trace_check(&trace), "E3");
    rings[0].kind = LOAM_TRACE_PAGE_ALLOC;
    TAP_RULE(t, loam_trace_check(&trace), NULL);
    rings[0].cpu = 1;
    TAP_RULE(t, loam_trace_check(&trace), "E3");
    rings[0].cpu = 0;
    rings[0].seq = 1;
    TAP_RULE(t, loam_trace_check(&trace), "E3");
    rings[0].seq = RING;
    TAP_RULE(t, loam_trace_check(&trace), "E3");
    rings[0].seq = 0;
    trace.ring[0].seq = RING + 1;
    TAP_RULE(t, loam_trace_check(&trace), "E3");
}

static const tap_case cases[] = {
    {"trace_init: bad arguments: refused", init_arguments},
    {"trace_emit: off or no trace: nothing happens", emit_off},
    {"trace_emit: on: ring, counter and sink have the event", emit_on},
    {"trace_each: ring partly full: what is there, oldest first", each_partly_full},
    {"trace_each: ring wrapped: the last events, oldest first", each_wrapped},
    {"trace_each: sequence number wrapped: the last events, oldest first", each_seq_wrapped},
    {"trace: no rings: sink and counters only", no_rings},
    {"trace_text: some kinds: their words", text_words},
    {"trace_text: all kinds: name and arguments", text_all_kinds},
    {"trace_sink_lines: longest event: one whole line", sink_lines},
    {"trace_sink_bytes: two events: 64 bytes that read back", sink_bytes},
    {"trace_check: shape broken: E1", check_e1},
    {"trace_check: rings misplaced: E2", check_e2},
    {"trace_check: slot does not belong: E3", check_e3},
};
TAP_SUITE(trace_test, cases);
