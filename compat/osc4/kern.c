/* SPDX-License-Identifier: MIT */
/* kern.c - the demo in the reference kernel: `demo=osc4` on the command line, `demo osc4` in the
 * shell. The kernel's zone lends its free frames, so that every address in the log is real. */
#include "kern.h"
#include "board.h"
#include "console.h"
#include "malloc.h"
#include "words.h"

int osc4_demo(void); /* in the table of kern/demos.c */

static void print_line(void *ctx, const char *line)
{
    (void)ctx;
    kprintf("%s\n", line);
}

enum { KERN_PIECES = 16 };

static loam_span pieces[KERN_PIECES];

/* What of a span lies in the lender's zone, as pointers of the kernel. */
static loam_span as_pointers(loam_span span)
{
    const loam_zone_config *zone = loam_zone_config_of(kern_this.zone);
    uint64_t lo = zone->first << LOAM_PAGE_SHIFT, end = zone->limit << LOAM_PAGE_SHIFT;
    uint64_t base = span.base > lo ? span.base : lo;
    if (span.base + span.len < end)
        end = span.base + span.len;
    return (loam_span){(uintptr_t)virt_of(loam_pa_of(base)), base < end ? end - base : 0};
}

/* The span held under this name, len 0: none. */
static loam_span held_as(const char *name)
{
    const loam_bootinfo *info = &kern_this.bootinfo;
    for (size_t i = 0; i < info->held_count; i++)
        if (word_is(info->held[i].name, name))
            return as_pointers(info->held[i].span);
    return (loam_span){0, 0};
}

static size_t ram_pieces(void)
{
    const loam_spanset *ram = &kern_this.map.ram;
    size_t n = 0;
    for (size_t i = 0; i < ram->count && n < KERN_PIECES; i++) {
        loam_span piece = as_pointers(ram->span[i]);
        if (piece.len != 0)
            pieces[n++] = piece;
    }
    return n;
}

int osc4_demo(void)
{
    osc4_machine machine = {.ram = pieces,
                            .ram_count = ram_pieces(),
                            .region = {held_as("spin tables"), held_as("kernel image"),
                                       as_pointers(kern_this.bootinfo.initrd),
                                       held_as("device tree")},
                            .lender = kern_this.zone,
                            .above = (uintptr_t)virt_of(loam_pa_of(0))};
    osc4_set_output(print_line, NULL);
    return osc4_main(&machine) == 0 ? 0 : 1;
}
