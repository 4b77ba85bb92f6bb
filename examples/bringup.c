/* SPDX-License-Identifier: MIT */
/* bringup.c - a port's functions, and the calls from a memory map to the first kmalloc.
 * docs/bringup.md shows the marked part; here it runs, over an array that plays the RAM. */
#include <stdio.h>
#include <stdlib.h>

#include "loam/kmalloc.h"
#include "loam/memblock.h"
#include "loam/port.h"

static void board_print(const char *line)
{
    puts(line);
}

static _Noreturn void board_halt(void)
{
    exit(EXIT_FAILURE);
}

/* ---- what the port links beside its header ---- */

static loam_policy policy = LOAM_POLICY_PANIC;
static loam_report_fn *listener;
static void *listener_ctx;

static void tell(const loam_report *report)
{
    char line[160];
    loam_text text;
    loam_text_init(&text, line, sizeof line);
    loam_report_text(&text, report);
    if (listener != NULL)
        listener(listener_ctx, report);
    else
        board_print(line);
}

void loam_port_misuse(const loam_report *report)
{
    tell(report);
    if (policy == LOAM_POLICY_PANIC)
        board_halt();
}

_Noreturn void loam_port_corrupt(const loam_report *report)
{
    tell(report);
    board_halt();
}

loam_policy loam_port_set_policy(loam_policy wanted)
{
    loam_policy former = policy;
    policy = wanted;
    return former;
}

void loam_port_on_report(loam_report_fn *fn, void *ctx)
{
    listener = fn;
    listener_ctx = ctx;
}

uint64_t loam_port_ticks(void)
{
    static uint64_t ticks;
    return ++ticks;
}

/* ---- from the memory map to kmalloc ---- */

/* [start] */
/* ram: from the firmware. kernel: this image. linear: where physical memory is mapped. */
static loam_kmalloc *memory_start(const loam_span *ram, size_t count, loam_span kernel,
                                  loam_linear linear)
{
    static loam_memblock map;
    static loam_span exists[32], held[32], early[32];
    if (loam_memblock_init(&map, exists, 32, held, 32, early, 32) != LOAM_OK)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (loam_memblock_add(&map, loam_pa_of(ram[i].base), ram[i].len) != LOAM_OK)
            return NULL;
    if (loam_memblock_reserve(&map, loam_pa_of(kernel.base), kernel.len) != LOAM_OK)
        return NULL;

    loam_zone_config frames;
    loam_zone_config_init(&frames);
    frames.linear = linear;
    uint64_t len = loam_zone_measure(map.ram.span, map.ram.count, &frames);
    loam_pa at;
    if (loam_memblock_alloc(&map, len, 64, loam_pa_of(linear.pa),
                            loam_pa_of(linear.pa + linear.len), LOAM_MEMBLOCK_TOP_DOWN,
                            &at) != LOAM_OK)
        return NULL;
    loam_zone *zone = loam_zone_init(linear.va + (at.v - linear.pa), len, false, map.ram.span,
                                     map.ram.count, &frames);
    if (zone == NULL || loam_memblock_handover(&map, loam_zone_add, zone) != LOAM_OK)
        return NULL;

    loam_slab_config objects;
    loam_slab_config_init(&objects);
    loam_slabs *slabs = loam_slabs_init(zone, &objects);
    return slabs != NULL ? loam_kmalloc_init(slabs) : NULL;
}
/* [end] */

/* RAM of this machine: 4 MiB at 1 MiB, with the "kernel" in its first 64 KiB and a hole. */
static _Alignas(4096) unsigned char machine[4 << 20];

int main(void)
{
    const loam_span ram[] = {{0x100000, 0x200000}, {0x340000, 0x1c0000}};
    loam_kmalloc *heap = memory_start(ram, LOAM_ARRAY_LEN(ram), (loam_span){0x100000, 0x10000},
                                      (loam_linear){0x100000, sizeof machine, machine});
    if (heap == NULL)
        return EXIT_FAILURE;
    void *p = loam_kmalloc_alloc(heap, 100), *q = loam_kmalloc_aligned(heap, 8192, 4096);
    printf("two blocks: %s\n", p != NULL && q != NULL ? "yes" : "no");
    loam_port_set_policy(LOAM_POLICY_REPORT);
    loam_kmalloc_free(heap, q);
    loam_kmalloc_free(heap, p);
    printf("a double free: %s\n", loam_err_name(loam_kmalloc_free(heap, p)));
    return loam_kmalloc_check(heap) == NULL ? EXIT_SUCCESS : EXIT_FAILURE;
}
