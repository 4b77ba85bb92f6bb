/* SPDX-License-Identifier: MIT */
/* info.c - what glibc's malloc.h tells and asks: mallinfo, malloc_info, malloc_stats, malloc_trim.
 *
 * The figures are those of figures.c. malloc_info is glibc's XML as far as there is the same here:
 * total rest is what is free, total mmap the huge blocks; a class has an element of its own. */
#define _GNU_SOURCE
#include "loam_libc.h"
#include "preload.h"

#include "loam/process_heap.h"

#include <errno.h>

/* What does not fit is the most that does. */
static size_t in_size(uint64_t v)
{
    return v > SIZE_MAX ? SIZE_MAX : (size_t)v;
}

PRELOAD_EXPORT struct mallinfo2 mallinfo2(void)
{
    process_sums s = process_sums_now();
    return (struct mallinfo2){.arena = in_size(s.ready),
                              .ordblks = in_size(s.free_blocks),
                              .hblks = in_size(s.huge_blocks),
                              .hblkhd = in_size(s.huge),
                              .uordblks = in_size(s.used),
                              .fordblks = in_size(s.ready > s.used ? s.ready - s.used : 0),
                              .keepcost = in_size(s.free)};
}

/* The same in ints, for old programs. */
static int in_int(size_t v)
{
    return v > INT32_MAX ? INT32_MAX : (int)v;
}

PRELOAD_EXPORT struct mallinfo mallinfo(void)
{
    struct mallinfo2 m = mallinfo2();
    return (struct mallinfo){.arena = in_int(m.arena),
                             .ordblks = in_int(m.ordblks),
                             .hblks = in_int(m.hblks),
                             .hblkhd = in_int(m.hblkhd),
                             .uordblks = in_int(m.uordblks),
                             .fordblks = in_int(m.fordblks),
                             .keepcost = in_int(m.keepcost)};
}

enum { CLASSES = 64 }; /* more than there are */

static void xml_class(FILE *stream, const loam_cache_stats *c)
{
    fprintf(stream,
            "<class name=\"%s\" size=\"%zu\" used=\"%llu\" slots=\"%llu\" slabs=\"%llu\"/>\n",
            c->name, c->size, (unsigned long long)c->used, (unsigned long long)c->slots,
            (unsigned long long)c->slabs);
}

static void xml_line(FILE *stream, const char *element, const char *type, uint64_t count,
                     uint64_t size)
{
    fprintf(stream, "<%s type=\"%s\"", element, type);
    if (count != UINT64_MAX)
        fprintf(stream, " count=\"%llu\"", (unsigned long long)count);
    fprintf(stream, " size=\"%llu\"/>\n", (unsigned long long)size);
}

static bool xml_heap(void *ctx, loam_process_heap heap, const loam_process_heap_stats *s)
{
    FILE *stream = ctx;
    char name[LOAM_PROCESS_HEAP_NAME];
    size_t i = 0;
    for (; s->name[i] != '\0'; i++) { /* what XML would need words for is a dot */
        char c = s->name[i];
        bool plain = c >= ' ' && c != '<' && c != '&' && c != '"';
        name[i] = '.';
        if (plain)
            name[i] = c;
    }
    name[i] = '\0';
    fprintf(stream, "<heap nr=\"%u\" name=\"%s\">\n", heap.slot + 1, name);
    xml_line(stream, "total", "used", s->blocks, s->used);
    xml_line(stream, "total", "rest", UINT64_MAX, s->free);
    xml_line(stream, "system", "max", UINT64_MAX, s->limit);
    fprintf(stream, "</heap>\n");
    return true;
}

/* The most that can have been from the system: what was made ready, though some was closed since,
 * and the most that huge blocks were. */
static uint64_t most_ever(const process_sums *s)
{
    uint64_t most = s->ready + s->huge_peak;
    uint32_t n = loam_atomic_load(&loam__process.ranges); /* pairs with process_set_ranges */
    for (uint32_t i = 0; i < n; i++) {
        uint64_t closed = loam_atomic_load(&loam__process.range[i].closed); /* no order: a figure */
        most += closed * LOAM_PAGES_STEP;
    }
    return most;
}

PRELOAD_EXPORT int malloc_info(int options, FILE *stream)
{
    if (options != 0)
        return EINVAL;
    loam_cache_stats class[CLASSES];
    unsigned classes = 0;
    process_sums s = process_sums_now();
    while (classes < CLASSES && process_class_now(classes, &class[classes]))
        classes++;
    uint64_t most = most_ever(&s);
    /* from here on the stream may allocate */
    fprintf(stream, "<malloc version=\"1\">\n<heap nr=\"0\">\n");
    for (unsigned i = 0; i < classes; i++)
        if (class[i].slabs != 0)
            xml_class(stream, &class[i]);
    xml_line(stream, "total", "used", s.blocks - s.huge_blocks, s.used);
    xml_line(stream, "total", "large", s.large_blocks, s.large);
    xml_line(stream, "total", "rest", s.free_blocks, s.free);
    fprintf(stream, "</heap>\n");
    loam_process_heap_each(xml_heap, stream);
    xml_line(stream, "total", "mmap", s.huge_blocks, s.huge);
    xml_line(stream, "system", "current", UINT64_MAX, s.ready + s.huge);
    xml_line(stream, "system", "max", UINT64_MAX, most);
    xml_line(stream, "aspace", "total", UINT64_MAX, s.reserved + s.huge);
    fprintf(stream, "</malloc>\n");
    return 0;
}

PRELOAD_EXPORT void malloc_stats(void)
{
    process_sums s = process_sums_now();
    uint64_t used = s.used + s.huge, system = s.ready + s.huge;
    int cancel = thread_hold(); /* with glibc's, too, the thread goes on behind it */
    fprintf(stderr,
            "loam: %llu bytes in %llu blocks; %llu bytes from the system, %llu in %llu huge"
            " blocks\n",
            (unsigned long long)used, (unsigned long long)s.blocks, (unsigned long long)system,
            (unsigned long long)s.huge, (unsigned long long)s.huge_blocks);
    thread_let(cancel);
}

/* glibc's parameters mean nothing here; programs that set them go on. */
PRELOAD_EXPORT int mallopt(int param, int value)
{
    (void)param;
    (void)value;
    return 1;
}

static uint32_t sweep_end, sweep_wait; /* [atomic] in 1024 ns: of the last sweep, and the next */

/* Pages between blocks that are out: a look at all that is ready. So a program that trims again and
 * again has it done in one part of its time of 32. */
static uint64_t trim_sweep(void)
{
    uint32_t hand = 0, from = (uint32_t)(loam_port_ticks() >> 10);
    if (from - loam_atomic_peek(&sweep_end) < loam_atomic_peek(&sweep_wait)) /* no order: hints */
        return 0;
    uint64_t back = sparse_sweep(&hand, UINT64_MAX, UINT32_MAX);
    uint32_t end = (uint32_t)(loam_port_ticks() >> 10);
    loam_atomic_store(&sweep_end, end);                /* no order: as above */
    loam_atomic_store(&sweep_wait, (end - from) * 31); /* no order: as above */
    return back;
}

PRELOAD_EXPORT int malloc_trim(size_t pad)
{
    (void)pad; /* what is kept at the top is memory that nobody touched */
    uint32_t n = loam_atomic_load(&loam__process.ranges);
    uint64_t back = 0;
    for (uint32_t i = 0; i < n; i++)
        back += process_give_back(&loam__process.range[i]);
    back += trim_sweep();
    return huge_drop_kept(true) || back != 0;
}
