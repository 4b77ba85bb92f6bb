/* SPDX-License-Identifier: MIT */
/* i386_cpu.c - the processor's part of kern/arch.h: the first C function, its name, faults
 * on purpose. */
#include "arch.h"
#include "board.h"
#include "i386_trap.h"
#include "processor.h"
#include "x86_clock.h"
#include "x86_faults.h"

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

/* ---- faults on purpose, for the shell's word `fault` and the tests ---- */

static void fault_unmapped(void)
{
    uint32_t v;
    __asm__ volatile("movl 0x40000000, %0" : "=r"(v) : : "memory");
}

static void fault_wild(void)
{
    __asm__ volatile("jmp *%0" : : "r"(0x12345678) : "memory");
}

static void fault_overflow(void)
{
    __asm__ volatile("movb $0x7f, %%al\n\taddb $1, %%al\n\tinto" : : : "eax", "cc");
}

/* Runs the main stack into its guard page. */
static void fault_stack(void)
{
    __asm__ volatile("1: pushl %%eax\n\tjmp 1b" : : : "memory");
}

const arch_fault arch_faults[] = {
    X86_FAULTS,
    {"unmapped", fault_unmapped},
    {"wild", fault_wild},
    {"breakpoint", x86_fault_breakpoint},
    {"general", x86_fault_general},
    {"overflow", fault_overflow},
    {"fp", x86_fault_fp},
    {"stack", fault_stack},
    {NULL, NULL},
};
