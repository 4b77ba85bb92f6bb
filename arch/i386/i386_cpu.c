/* SPDX-License-Identifier: MIT */
/* i386_cpu.c - the processor's part of kern/arch.h: the first C function, waiting, faults on
 * purpose. */
#include "arch.h"
#include "board.h"
#include "i386_trap.h"
#include "loam/port.h"
#include "processor.h"
#include "x86_clock.h"

void kern_main(const uintptr_t word[BOARD_FIRMWARE_WORDS]);

/* Called by i386_start.S on the main stack, interrupts off, on the boot page tables. */
_Noreturn void i386_begin(uint32_t magic, uint32_t info);
_Noreturn void i386_begin(uint32_t magic, uint32_t info)
{
    const uintptr_t left[BOARD_FIRMWARE_WORDS] = {magic, info};
    i386_segments_init();
    processor_detect();
    x86_clock_init(processor_this.has_tsc ? processor_tsc : NULL);
    kern_main(left);
    arch_halt();
}

const char *arch_describe(void)
{
    switch (processor_this.family) {
    case 3:
        return "i386, an 80386, paging on, kernel at 0xc0000000";
    case 4:
        return "i386, an 80486, paging on, kernel at 0xc0000000";
    case 5:
        return "i386, a Pentium, paging on, kernel at 0xc0000000";
    default:
        return "i386, a Pentium Pro or later, paging on, kernel at 0xc0000000";
    }
}

/* `sti` lets an interrupt in only after the next instruction: none is missed before the `hlt`. */
void arch_wait(void)
{
    loam_irq irq = loam_port_irq_save();
    __asm__ volatile("sti\n\thlt" : : : "memory");
    loam_port_irq_restore(irq);
}

void arch_irq_on(void)
{
    __asm__ volatile("sti" : : : "memory");
}

_Noreturn void arch_halt(void)
{
    for (;;)
        __asm__ volatile("cli\n\thlt" : : : "memory");
}

/* ---- faults on purpose, for the shell's word `fault` and the tests ---- */

static void fault_null(void)
{
    __asm__ volatile("movl $0, 8" : : : "memory");
}

static void fault_invalid(void)
{
    __asm__ volatile("ud2");
}

static void fault_divide(void)
{
    __asm__ volatile("xorl %%ecx, %%ecx\n\tdivl %%ecx" : : : "eax", "ecx", "edx", "cc");
}

static void fault_write_text(void)
{
    __asm__ volatile("movb $0, __text_start" : : : "memory");
}

static void fault_write_rodata(void)
{
    __asm__ volatile("movb $0, arch_fault_names" : : : "memory");
}

static void fault_unmapped(void)
{
    uint32_t v;
    __asm__ volatile("movl 0x40000000, %0" : "=r"(v) : : "memory");
}

static void fault_wild(void)
{
    __asm__ volatile("jmp *%0" : : "r"(0x12345678) : "memory");
}

static void fault_breakpoint(void)
{
    __asm__ volatile("int3");
}

static void fault_general(void)
{
    __asm__ volatile("movl %0, %%fs" : : "r"(0x100) : "memory"); /* no such segment */
}

static void fault_overflow(void)
{
    __asm__ volatile("movb $0x7f, %%al\n\taddb $1, %%al\n\tinto" : : : "eax", "cc");
}

static void fault_fp(void)
{
    __asm__ volatile("fldz");
}

/* Runs the main stack into its guard page. */
static void fault_stack(void)
{
    __asm__ volatile("1: pushl %%eax\n\tjmp 1b" : : : "memory");
}

const char arch_fault_names[] = "null invalid divide write-text write-rodata unmapped wild "
                                "breakpoint general overflow fp stack";

typedef struct fault_entry {
    const char *name;
    void (*run)(void);
} fault_entry;

static const fault_entry faults[] = {
    {"null", fault_null},
    {"invalid", fault_invalid},
    {"divide", fault_divide},
    {"write-text", fault_write_text},
    {"write-rodata", fault_write_rodata},
    {"unmapped", fault_unmapped},
    {"wild", fault_wild},
    {"breakpoint", fault_breakpoint},
    {"general", fault_general},
    {"overflow", fault_overflow},
    {"fp", fault_fp},
    {"stack", fault_stack},
};

void arch_fault(const char *name)
{
    for (size_t i = 0; i < LOAM_ARRAY_LEN(faults); i++) {
        const char *a = faults[i].name, *b = name;
        while (*a != '\0' && *a == *b)
            a++, b++;
        if (*a == *b)
            faults[i].run();
    }
}
