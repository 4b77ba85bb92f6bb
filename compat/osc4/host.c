/* SPDX-License-Identifier: MIT */
/* host.c - the demo in a process: 960 MiB of address space play the Pi's RAM, with a make-believe
 * kernel, initramfs and device tree in it. Free memory is never touched, so little of it is ever
 * real. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "malloc.h"

enum { PI_RAM = 0x3c000000 };

static void print_line(void *ctx, const char *line)
{
    fprintf(ctx, "%s\n", line);
}

int main(void)
{
    /* A hint only: with it the pages' addresses are short and the same in each run. */
    void *ram = mmap((void *)0x10000000, PI_RAM, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (ram == MAP_FAILED) {
        perror("osc4-demo: mmap");
        return EXIT_FAILURE;
    }
    uint64_t base = (uintptr_t)ram;
    loam_span all = {base, PI_RAM};
    osc4_machine machine = {.ram = &all,
                            .ram_count = 1,
                            .region = {{base, 0x1000},
                                       {base + 0x80000, 0x40000},
                                       {base + 0x8000000, 0x2800},
                                       {base + 0x8200000, 0x1000}}};
    osc4_set_output(print_line, stdout);
    int wrong = osc4_main(&machine);
    munmap(ram, PI_RAM);
    return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
