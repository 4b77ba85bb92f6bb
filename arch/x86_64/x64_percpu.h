/* SPDX-License-Identifier: MIT */
#ifndef LOAM_X64_PERCPU_H
#define LOAM_X64_PERCPU_H

/* x64_percpu.h - what each processor has of its own; gs points at it.
 *
 *     gs --> x64_cpu  .number    what loam_port_cpu() reads, in one instruction
 *                     .gdt .tss  the segments, which name the two stacks that the processor
 *                                switches to by itself: double fault, NMI
 *                     .stack     these two
 */
#include "loam/base.h"
#include "x64_layout.h"

typedef struct __attribute__((packed, aligned(4))) x64_tss {
    uint32_t reserved0;
    uint64_t rsp[3]; /* for privilege 0 to 2: not used, there is no user mode */
    uint64_t ist[8]; /* 1 to 7 */
    uint64_t reserved2;
    uint16_t reserved3, io_map;
} x64_tss;
_Static_assert(sizeof(x64_tss) == 104, "the processor's TSS has 104 bytes");

typedef struct x64_stack {
    uintptr_t bottom, top; /* both 0: none */
} x64_stack;

enum { X64_STACKS = 2 }; /* for the double fault, for the NMI */

typedef struct x64_cpu {
    struct x64_cpu *self;
    uint32_t number; /* at X64_CPU_NUMBER */
    x64_stack stack[X64_STACKS];
    _Alignas(8) uint64_t gdt[X64_SEGMENTS];
    x64_tss tss;
} x64_cpu;
_Static_assert(offsetof(x64_cpu, number) == X64_CPU_NUMBER, "what the port reads");

/* The first processor's segments, gs and IDT. Nothing may ask for loam_port_cpu() before. */
void x64_segments_init(void);

/* Readies everything for processor `cpu` to start: its stacks for traps, and what its start code
 * wants to know. It then has to come to x64_secondary_start (x64_start.S: a physical address below
 * 4 GiB; 32 bits, flat segments, paging and interrupts off), and goes on in smp_enter() on the
 * stack that ends at stack_top. One processor at a time: the next one only after this one is up.
 *   returns     false: no memory for its other stacks
 */
bool x64_secondary_prepare(unsigned cpu, void *stack_top);
extern const char x64_secondary_start[];

/* What every processor needs once: no floating point, paging's features. */
void x64_features_init(void);

#endif
