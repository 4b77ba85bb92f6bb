/* SPDX-License-Identifier: MIT */
/* cpu.c - the processor's part of kern/arch.h: ticks, waiting, faults on purpose. */
#include "arch.h"
#include "board_arm.h"
#include "image.h"

const char *arch_describe(void)
{
    return "aarch64, EL1, MMU and caches on, identity map";
}

uint64_t arch_ticks_hz(void)
{
    uint64_t hz;
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
    return hz;
}

void arch_wait(void)
{
    __asm__ volatile("dsb sy\n\twfi" : : : "memory");
}

void arch_irq_on(void)
{
    __asm__ volatile("msr daifclr, #6" : : : "memory"); /* SError too: it is to be reported */
}

/* wfi ends at once while an interrupt is pending, masked or not. */
_Noreturn void arch_halt(void)
{
    __asm__ volatile("msr daifset, #15" : : : "memory");
    board_arm_cpu_quiet();
    for (;;)
        __asm__ volatile("wfi" : : : "memory");
}

/* ---- faults on purpose, for the shell's word `fault` and the tests ---- */

static void fault_null(void)
{
    __asm__ volatile("str xzr, [%0]" : : "r"(8UL) : "memory");
}

static void fault_undef(void)
{
    __asm__ volatile(".inst 0x00000000");
}

static void fault_text(void)
{
    __asm__ volatile("str wzr, [%0]" : : "r"(__text_start) : "memory");
}

static void fault_rodata(void)
{
    __asm__ volatile("strb wzr, [%0]" : : "r"(arch_faults) : "memory");
}

static void fault_exec(void)
{
    __asm__ volatile("blr %0" : : "r"(__stack_bottom) : "x30", "memory");
}

static void fault_unmapped(void)
{
    uint64_t v;
    __asm__ volatile("ldr %0, [%1]" : "=r"(v) : "r"(1UL << 46) : "memory");
}

static void fault_align(void)
{
    uint64_t v;
    __asm__ volatile("ldr %0, [%1]" : "=r"(v) : "r"(__text_start + 1) : "memory");
}

static void fault_pc(void)
{
    __asm__ volatile("br %0" : : "r"(__text_start + 2) : "memory");
}

static void fault_brk(void)
{
    __asm__ volatile("brk #7");
}

static void fault_svc(void)
{
    __asm__ volatile("svc #0" : : : "x30", "memory");
}

static void fault_fp(void)
{
    __asm__ volatile(".inst 0x1e602000"); /* fcmp d0, d0 */
}

/* Runs the main stack into its guard page. */
static void fault_stack(void)
{
    __asm__ volatile("1: stp x29, x30, [sp, #-16]!\n\tb 1b" : : : "memory");
}

const arch_fault arch_faults[] = {
    {"null", fault_null},   {"undef", fault_undef},
    {"text", fault_text},   {"rodata", fault_rodata},
    {"exec", fault_exec},   {"unmapped", fault_unmapped},
    {"align", fault_align}, {"pc", fault_pc},
    {"brk", fault_brk},     {"svc", fault_svc},
    {"fp", fault_fp},       {"stack", fault_stack},
    {NULL, NULL},
};
