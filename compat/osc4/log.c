/* SPDX-License-Identifier: MIT */
/* log.c - the lines that the course's assistants know, made from trace events.
 *
 * WHAT   A sink of loam_trace turns each event of the zone and of the slabs into one line. The
 *        allocators print nothing: with the log off they make no event, which costs one branch.
 *
 * MODEL      zone, slabs --event--> loam_trace --sink--> one line --> osc4_set_output's function
 *            page 4 leaves order 2 -> "[-] Remove page 4 from order 2. Range of pages: [4, 7]"
 *
 *        "Next address at order k" is the lowest free block of that order other than the block of
 *        the line itself, or "none".
 *
 * RULES  One event, one line; what an event does not tell is looked up in the views.
 * LOCKS  None; events that look at the zone come with no lock held (loam/trace.h).
 * COST   A line is formatted for each event, and a view is asked for the next address.
 * FROM   The lab's examples of log lines.
 * NOT    Rings: events are not kept.
 */
#include "malloc.h"

enum { OSC4_LINE_CAP = 160 };

loam_trace osc4_log_trace;

static struct {
    bool ready;      /* osc4_log_trace is initialised */
    uint64_t zero;   /* address of page 0 */
    loam_zone *zone; /* whose pages they are, or NULL */
    osc4_line_fn *line;
    void *line_ctx;
} out;

void osc4_set_output(osc4_line_fn *fn, void *ctx)
{
    out.line = fn;
    out.line_ctx = ctx;
}

void osc4_say(const char *fmt, ...)
{
    if (out.line == NULL)
        return;
    char buf[OSC4_LINE_CAP];
    loam_text text;
    loam_text_init(&text, buf, sizeof(buf));
    __builtin_va_list ap;
    __builtin_va_start(ap, fmt);
    loam_text_vfmt(&text, fmt, ap);
    __builtin_va_end(ap);
    out.line(out.line_ctx, buf);
}

static uint64_t address_of(uint64_t page)
{
    return out.zero + (page << OSC4_PAGE_SHIFT);
}

static uint64_t page_of(uint64_t address)
{
    return (address - out.zero) >> OSC4_PAGE_SHIFT;
}

/* "0x6000": the lowest free block of this order that is not the one at page `self`. */
static const char *next_address(char buf[24], unsigned order, uint64_t self)
{
    loam_pfn next = LOAM_NO_FRAME;
    if (out.zone != NULL)
        next = loam_zone_next_free(out.zone, order, OSC4_MAX_ORDER, loam_pfn_of(0));
    if (next.v == self)
        next = loam_zone_next_free(out.zone, order, OSC4_MAX_ORDER, loam_pfn_of(self + 1));
    if (loam_pfn_is_none(next))
        return "none";
    loam_text text;
    loam_text_init(&text, buf, 24);
    loam_text_fmt(&text, "0x%X", address_of(next.v));
    return buf;
}

static void say_list(const loam_trace_event *e)
{
    bool add = e->kind == LOAM_TRACE_LIST_ADD;
    osc4_say("%s page %U %s order %u. Range of pages: [%U, %U]", add ? "[+] Add" : "[-] Remove",
             e->a, add ? "to" : "from", e->order, e->a, e->a + (1ULL << e->order) - 1);
}

static void say_alloc(const loam_trace_event *e)
{
    char buf[24];
    osc4_say("[Page] Allocate 0x%X at order %u, page %U. Next address at order %u: %s",
             address_of(e->a), e->order, e->a, e->order, next_address(buf, e->order, e->a));
}

static void say_free(const loam_trace_event *e)
{
    char buf[24];
    unsigned order = (unsigned)e->b; /* as the view has it: trace_max_order is its limit */
    uint64_t page = loam_align_down(e->a, 1ULL << order);
    osc4_say("[Page] Free 0x%X and add back to order %u, page %U. Next address at order %u: %s",
             address_of(e->a), order, page, order, next_address(buf, order, page));
}

static void say_pool(const loam_trace_event *e)
{
    bool take = e->kind == LOAM_TRACE_SLAB_NEW;
    uint64_t size = e->b == 0 ? 0 : OSC4_PAGE_SIZE / (uint32_t)e->b;
    osc4_say("[Pool] %s page %U at 0x%X: chunk size %U, %U chunks", take ? "Take" : "Give back",
             page_of(e->a), e->a, size, e->b);
}

static void say_reserve(const loam_trace_event *e)
{
    uint64_t first = e->a < out.zero ? 0 : page_of(e->a), end = e->a + e->b;
    uint64_t past = end < out.zero ? 0 : page_of(end + OSC4_PAGE_SIZE - 1);
    osc4_say("[Reserve] Reserve address [0x%X, 0x%X). Range of pages: [%U, %U)", e->a, end, first,
             past);
}

static void say_event(void *ctx, const loam_trace_event *e)
{
    (void)ctx;
    switch (e->kind) {
    case LOAM_TRACE_LIST_ADD:
    case LOAM_TRACE_LIST_REMOVE:
        say_list(e);
        break;
    case LOAM_TRACE_PAGE_SPLIT:
        osc4_say("[/] Split page %U of order %u: release redundant page %U to order %u", e->a,
                 e->order, e->b, e->order - 1U);
        break;
    case LOAM_TRACE_PAGE_MERGE:
        osc4_say("[*] Buddy found! buddy idx: %U for page %U with order %u", e->b, e->a, e->order);
        break;
    case LOAM_TRACE_PAGE_ALLOC:
        say_alloc(e);
        break;
    case LOAM_TRACE_PAGE_FREE:
        say_free(e);
        break;
    case LOAM_TRACE_PAGE_FAIL:
        osc4_say("[!] No free block of order %u", e->order);
        break;
    case LOAM_TRACE_SLAB_NEW:
    case LOAM_TRACE_SLAB_RETURN:
        say_pool(e);
        break;
    case LOAM_TRACE_OBJ_ALLOC:
    case LOAM_TRACE_OBJ_FREE:
        osc4_say("[Chunk] %s 0x%X at chunk size %U",
                 e->kind == LOAM_TRACE_OBJ_ALLOC ? "Allocate" : "Free", e->a, e->b);
        break;
    case LOAM_TRACE_RESERVE:
        say_reserve(e);
        break;
    default: /* fronts are off, and what dmalloc refuses it says itself */
        break;
    }
}

loam_trace *osc4_trace(void)
{
    if (!out.ready) {
        out.ready = loam_trace_init(&osc4_log_trace, 1, 0, NULL) == LOAM_OK;
        loam_trace_set_sink(&osc4_log_trace, say_event, NULL);
    }
    return &osc4_log_trace;
}

void osc4_log(bool on)
{
    loam_trace_set_on(osc4_trace(), on);
}

void osc4_log_turn(const osc4_buddy_system_t *bs)
{
    out.zero = bs->start;
    out.zone = bs->zone;
}

void osc4_log_reserve(const osc4_buddy_system_t *bs, uint64_t zero, uint64_t start, uint64_t end)
{
    out.zero = zero;
    out.zone = bs == NULL ? NULL : bs->zone;
    loam_trace_emit(osc4_trace(), LOAM_TRACE_RESERVE, 0, start, end - start);
}
