/* SPDX-License-Identifier: MIT */
/* x64_segments.c - GDT, TSS and gs of each processor; the IDT of all.
 *
 * In 64-bit mode segments protect nothing; what the processor insists on is here:
 *
 *     GDT   0x08  kernel code      IDT   0..31    exceptions
 *           0x10  data                     2, 8   NMI, double fault: on stacks of their own
 *           0x18  TSS, 16 bytes            32..47 IRQ 0..15 of the two 8259
 *                                          48..   the local APIC's
 *
 * A stack that overflows runs into its guard page. The processor cannot push a page fault's frame
 * there either, so it raises a double fault, and that one has a stack of its own (IST). Each
 * processor has its own GDT and TSS, since a TSS names stacks and can be loaded by one alone.
 */
#include "image.h"
#include "kern.h"
#include "loam/port.h"
#include "smp.h"
#include "stacks.h"
#include "x64_percpu.h"
#include "x64_trap.h"
#include "x86_exception.h"

typedef struct gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
} gate;
_Static_assert(sizeof(gate) == 16, "the processor's gate has 16 bytes");

typedef struct __attribute__((packed)) table_pointer {
    uint16_t limit;
    uint64_t base;
} table_pointer;

enum {
    GATE_INTERRUPT = 0x8e, /* present, privilege 0, interrupts off */
    TSS_FREE = 0x89,
    TRAP_STACK = 16384 /* bytes of each of the two */
};
#define MSR_GS_BASE 0xc0000101U
#define CODE        0x00209b0000000000U /* present, 64 bits, accessed: no need to write it */
#define DATA        0x0000930000000000U

static gate idt[X64_VECTORS];
static x64_cpu cpus[LOAM_PORT_MAX_CPUS];

/* What x64_start.S hands to the processor that starts: layout known there. */
typedef struct secondary {
    uint64_t root, stack_top;
    x64_cpu *cpu;
} secondary;
_Static_assert(offsetof(secondary, stack_top) == 8 && offsetof(secondary, cpu) == 16,
               "where secondary_half reads them");
extern secondary x64_secondary;
secondary x64_secondary;

extern const char x64_stubs[];
_Noreturn void x64_secondary_begin(x64_cpu *cpu);

static void idt_fill(void)
{
    for (unsigned i = 0; i < X64_VECTORS; i++) {
        uint64_t to = (uintptr_t)x64_stubs + (uint64_t)i * X64_STUB_SIZE;
        idt[i] = (gate){
            .offset_low = (uint16_t)to,
            .selector = X64_KERNEL_CODE,
            .type = GATE_INTERRUPT,
            .offset_middle = (uint16_t)(to >> 16),
            .offset_high = (uint32_t)(to >> 32),
        };
    }
    idt[X86_DOUBLE_FAULT].ist = X64_IST_DOUBLE_FAULT;
    idt[X86_NMI].ist = X64_IST_NMI;
}

static void cpu_fill(x64_cpu *cpu, unsigned number)
{
    uint64_t base = (uintptr_t)&cpu->tss, limit = sizeof(cpu->tss) - 1;
    cpu->self = cpu;
    cpu->number = number;
    cpu->gdt[X64_KERNEL_CODE / 8] = CODE;
    cpu->gdt[X64_KERNEL_DATA / 8] = DATA;
    cpu->gdt[X64_TSS / 8] =
        limit | (base & 0xffffff) << 16 | (uint64_t)TSS_FREE << 40 | (base >> 24 & 0xff) << 56;
    cpu->gdt[X64_TSS / 8 + 1] = base >> 32;
    cpu->tss.ist[X64_IST_DOUBLE_FAULT] = cpu->stack[0].top;
    cpu->tss.ist[X64_IST_NMI] = cpu->stack[1].top;
    cpu->tss.io_map = sizeof(cpu->tss); /* beyond the limit */
}

static void write_msr(uint32_t msr, uint64_t v)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

/* On the processor whose they are. Loading a selector into gs clears its base: that comes last. */
static void cpu_load(x64_cpu *cpu)
{
    table_pointer gdt_pointer = {sizeof(cpu->gdt) - 1, (uintptr_t)cpu->gdt};
    table_pointer idt_pointer = {sizeof(idt) - 1, (uintptr_t)idt};
    __asm__ volatile("lgdt %0\n\t"
                     "pushq %1\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\tmovl %2, %%ds\n\t"
                     "movl %2, %%es\n\t"
                     "movl %2, %%ss\n\t"
                     "movl %3, %%fs\n\t"
                     "movl %3, %%gs\n\t"
                     "lldt %w3\n\t"
                     "ltr %w4\n\t"
                     "lidt %5"
                     :
                     : "m"(gdt_pointer), "i"(X64_KERNEL_CODE), "r"(X64_KERNEL_DATA), "r"(0),
                       "r"(X64_TSS), "m"(idt_pointer)
                     : "rax", "memory");
    write_msr(MSR_GS_BASE, (uintptr_t)cpu);
}

void x64_segments_init(void)
{
    x64_cpu *cpu = &cpus[0];
    uintptr_t trap = (uintptr_t)__trap_stack_bottom;
    cpu->stack[0] = (x64_stack){trap, trap + TRAP_STACK};
    cpu->stack[1] = (x64_stack){trap + TRAP_STACK, (uintptr_t)__trap_stack_top};
    idt_fill();
    cpu_fill(cpu, 0);
    cpu_load(cpu);
}

/* ---- the others ---- */

/* Stacks for the traps of a processor, kept when it does not start after all. */
static bool trap_stacks(x64_cpu *cpu, unsigned number)
{
    for (unsigned i = 0; i < X64_STACKS; i++) {
        uint64_t va;
        if (cpu->stack[i].top != 0)
            continue;
        if (loam_vmap_alloc(kern_this.vmap, TRAP_STACK, 0, LOAM_PT_WRITE, &va) != LOAM_OK)
            return false;
        cpu->stack[i] = (x64_stack){va, va + TRAP_STACK};
        (void)stacks_add(i == 0 ? "trap stack" : "NMI stack", number, (void *)va,
                         (void *)(va + TRAP_STACK));
    }
    return true;
}

bool x64_secondary_prepare(unsigned number, void *stack_top)
{
    x64_cpu *cpu = &cpus[number];
    if (number == 0 || number >= LOAM_PORT_MAX_CPUS || !trap_stacks(cpu, number))
        return false;
    cpu_fill(cpu, number);
    x64_secondary = (secondary){kern_this.pt.root.v, (uintptr_t)stack_top, cpu};
    return true;
}

_Noreturn void x64_secondary_begin(x64_cpu *cpu)
{
    cpu_load(cpu);
    x64_features_init();
    smp_enter();
}
