/* SPDX-License-Identifier: MIT */
/* segments.c - GDT, IDT and the two task state segments.
 *
 * Segments are flat: protection is paging's work. What the processor insists on is here:
 *
 *     GDT   0x08 0x10  kernel code and data      IDT   0..31  exceptions
 *           0x18 0x20  user code and data                8    double fault: a task gate
 *           0x28       the kernel's TSS                 32..47 IRQ 0..15
 *           0x30       the double fault's TSS           0x80  system call, from privilege 3
 *
 * A kernel stack that overflows runs into its guard page. The processor cannot push a page fault's
 * frame there either, so it raises a double fault; that one switches to a task with a stack of its
 * own. The kernel's registers are then in the kernel's TSS, ready to be reported.
 */
#include "i386_layout.h"
#include "i386_trap.h"
#include "image.h"
#include "x86_exception.h"

typedef struct tss {
    uint32_t back, esp0, ss0, esp1, ss1, esp2, ss2, cr3;
    uint32_t eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi;
    uint32_t es, cs, ss, ds, fs, gs, ldt, io_map; /* io_map: offset in the upper half */
} tss;
_Static_assert(sizeof(tss) == 104, "the processor's TSS has 104 bytes");

typedef struct gate {
    uint16_t offset_low, selector;
    uint8_t zero, type;
    uint16_t offset_high;
} gate;

typedef struct __attribute__((packed)) table_pointer {
    uint16_t limit;
    uint32_t base;
} table_pointer;

enum {
    GATE_INTERRUPT = 0x8e, /* present, privilege 0, interrupts off */
    GATE_TASK = 0x85,
    GATE_FROM_USER = 0x60, /* `int` may be used at privilege 3 */

    /* a descriptor's access byte */
    CODE = 0x9a,
    DATA = 0x92,
    USER = 0x60,
    TSS_FREE = 0x89,
    FLAT = 0xcf /* upper limit bits, 32 bits, granules of 4 KiB */
};

static uint64_t gdt[I386_SEGMENTS];
static gate idt[I386_SYSCALL + 1];
static tss fault_tss;
extern tss i386_kernel_tss; /* i386_user_enter sets its esp0 */
tss i386_kernel_tss;

extern const char i386_stubs[];
void i386_syscall_stub(void);
void i386_double_fault_entry(void);

static uint64_t descriptor(uint32_t base, uint32_t limit, uint32_t access, uint32_t flags)
{
    uint32_t low = (limit & 0xffff) | base << 16;
    uint32_t high = (base >> 16 & 0xff) | access << 8 |
                    ((flags & 0xf0) | (limit >> 16 & 0xf)) << 16 | (base & 0xff000000);
    return (uint64_t)high << 32 | low;
}

static void gate_set(unsigned vector, uint32_t to, uint16_t selector, uint8_t type)
{
    idt[vector] = (gate){
        .offset_low = (uint16_t)to,
        .selector = selector,
        .type = type,
        .offset_high = (uint16_t)(to >> 16),
    };
}

static uint32_t address_of(const void *p)
{
    return (uint32_t)(uintptr_t)p;
}

static void tables_fill(void)
{
    gdt[1] = descriptor(0, 0xfffff, CODE, FLAT);
    gdt[2] = descriptor(0, 0xfffff, DATA, FLAT);
    gdt[3] = descriptor(0, 0xfffff, CODE | USER, FLAT);
    gdt[4] = descriptor(0, 0xfffff, DATA | USER, FLAT);
    gdt[5] = descriptor(address_of(&i386_kernel_tss), sizeof(tss) - 1, TSS_FREE, 0);
    gdt[6] = descriptor(address_of(&fault_tss), sizeof(tss) - 1, TSS_FREE, 0);
    for (unsigned i = 0; i < I386_VECTORS; i++)
        gate_set(i, address_of(i386_stubs + i * I386_STUB_SIZE), I386_KERNEL_CODE, GATE_INTERRUPT);
    gate_set(X86_DOUBLE_FAULT, 0, I386_FAULT_TSS, GATE_TASK);
    gate_set(I386_SYSCALL, (uint32_t)(uintptr_t)i386_syscall_stub, I386_KERNEL_CODE,
             GATE_INTERRUPT | GATE_FROM_USER);
}

static void tasks_fill(void)
{
    i386_kernel_tss.ss0 = I386_KERNEL_DATA;
    i386_kernel_tss.esp0 = address_of(__stack_top);
    i386_kernel_tss.io_map = sizeof(tss) << 16; /* beyond the limit: no port for user programs */
    fault_tss.eip = (uint32_t)(uintptr_t)i386_double_fault_entry;
    fault_tss.esp = address_of(__trap_stack_top);
    fault_tss.eflags = 2; /* interrupts off; bit 1 always reads 1 */
    fault_tss.cs = I386_KERNEL_CODE;
    fault_tss.es = fault_tss.ss = fault_tss.ds = I386_KERNEL_DATA;
    fault_tss.fs = fault_tss.gs = I386_KERNEL_DATA;
    fault_tss.io_map = sizeof(tss) << 16;
}

void i386_segments_init(void)
{
    table_pointer gdt_pointer = {sizeof(gdt) - 1, address_of(gdt)};
    table_pointer idt_pointer = {sizeof(idt) - 1, address_of(idt)};
    uint32_t cr3;
    tables_fill();
    tasks_fill();
    __asm__ volatile("movl %%cr3, %0" : "=r"(cr3));
    fault_tss.cr3 = cr3;
    __asm__ volatile("lgdt %0\n\t"
                     "ljmp %1, $1f\n"
                     "1:\tmovl %2, %%ds\n\t"
                     "movl %2, %%es\n\t"
                     "movl %2, %%fs\n\t"
                     "movl %2, %%gs\n\t"
                     "movl %2, %%ss\n\t"
                     "lldt %w3\n\t"
                     "ltr %w4\n\t"
                     "lidt %5"
                     :
                     : "m"(gdt_pointer), "i"(I386_KERNEL_CODE), "r"(I386_KERNEL_DATA), "r"(0),
                       "r"(I386_TSS), "m"(idt_pointer)
                     : "memory");
}

void i386_set_kernel_stack(uint32_t esp)
{
    i386_kernel_tss.esp0 = esp;
}

void i386_set_fault_directory(uint32_t cr3)
{
    fault_tss.cr3 = cr3;
}

void i386_interrupted(i386_trap *t)
{
    const tss *k = &i386_kernel_tss;
    *t = (i386_trap){
        .gs = k->gs,
        .fs = k->fs,
        .es = k->es,
        .ds = k->ds,
        .edi = k->edi,
        .esi = k->esi,
        .ebp = k->ebp,
        .ebx = k->ebx,
        .edx = k->edx,
        .ecx = k->ecx,
        .eax = k->eax,
        .vector = X86_DOUBLE_FAULT,
        .eip = k->eip,
        .cs = k->cs,
        .eflags = k->eflags,
        .esp = k->esp,
        .ss = k->ss,
    };
}
