/* SPDX-License-Identifier: MIT */
/* kern.c - the demo in the reference kernel: `demo=osc4` on the command line, `demo osc4` in the
 * shell. The kernel's zone lends its free frames, so that every address in the log is real. */
#include "kern.h"
#include "console.h"
#include "malloc.h"
#include "words.h"

int osc4_demo(void); /* in the table of kern/demos.c */

static void print_line(void *ctx, const char *line)
{
    (void)ctx;
    kprintf("%s\n", line);
}

/* The span held under this name, len 0: none. */
static loam_span held_as(const char *name)
{
    const loam_bootinfo *info = &kern_this.bootinfo;
    for (size_t i = 0; i < info->held_count; i++)
        if (word_is(info->held[i].name, name))
            return info->held[i].span;
    return (loam_span){0, 0};
}

int osc4_demo(void)
{
    osc4_machine machine = {.ram = kern_this.map.ram.span,
                            .ram_count = kern_this.map.ram.count,
                            .region = {held_as("spin tables"), held_as("kernel image"),
                                       kern_this.bootinfo.initrd, held_as("device tree")},
                            .lender = kern_this.zone};
    osc4_set_output(print_line, NULL);
    return osc4_main(&machine) == 0 ? 0 : 1;
}
