/* SPDX-License-Identifier: MIT */
/* x64_cpu.c - the processor's part of kern/arch.h: the first C function, its name, faults on
 * purpose. */
#include "arch.h"
#include "board.h"
#include "image.h"
#include "loam/port.h"
#include "x64_percpu.h"
#include "x86_clock.h"
#include "x86_faults.h"

void kern_main(const uintptr_t word[BOARD_FIRMWARE_WORDS]);

static uint64_t read_tsc(void)
{
    return loam_port_ticks();
}

/* Called by x64_start.S on the main stack, interrupts off, on the boot page tables. */
_Noreturn void x64_begin(uint32_t magic, uint32_t info);
_Noreturn void x64_begin(uint32_t magic, uint32_t info)
{
    const uintptr_t left[BOARD_FIRMWARE_WORDS] = {magic, info};
    x64_segments_init();
    x64_features_init();
    x86_clock_init(read_tsc);
    kern_main(left);
    arch_halt();
}

const char *arch_describe(void)
{
    return "x86-64, long mode, kernel at 0xffffffff80000000";
}

/* ---- faults on purpose, for the shell's word `fault` and the tests ---- */

/* The same byte by the address that it would have if the image lay in the direct map, too. */
static void fault_alias(void)
{
    *(volatile char *)virt_of(phys_of(__text_start)) = 0;
}

static void fault_exec(void)
{
    __asm__ volatile("call *%0" : : "r"(__stack_bottom) : "memory");
}

static void fault_unmapped(void)
{
    uint64_t v;
    __asm__ volatile("movq %1, %0" : "=r"(v) : "m"(*(const uint64_t *)0x40000000) : "memory");
}

/* An address whose upper bits are no copy of bit 47: a general protection fault without an address.
 */
static void fault_wild(void)
{
    __asm__ volatile("movb $0, (%0)" : : "r"(0x1234567812345678) : "memory");
}

static void fault_jump(void)
{
    __asm__ volatile("jmp *%0" : : "r"(0x12345678UL) : "memory");
}

static void fault_nmi(void)
{
    __asm__ volatile("int $2");
}

/* Runs the stack into its guard page. */
static void fault_stack(void)
{
    __asm__ volatile("1: pushq %%rax\n\tjmp 1b" : : : "memory");
}

const arch_fault arch_faults[] = {
    X86_FAULTS,
    {"alias", fault_alias},
    {"exec", fault_exec},
    {"unmapped", fault_unmapped},
    {"wild", fault_wild},
    {"jump", fault_jump},
    {"breakpoint", x86_fault_breakpoint},
    {"general", x86_fault_general},
    {"fp", x86_fault_fp},
    {"nmi", fault_nmi},
    {"stack", fault_stack},
    {NULL, NULL},
};
