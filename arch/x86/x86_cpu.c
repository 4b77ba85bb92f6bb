/* SPDX-License-Identifier: MIT */
/* x86_cpu.c - the part of kern/arch.h that is the same on 32 and 64 bits: waiting, stopping; and
 * faults on purpose (x86_faults.h). */
#include "arch.h"
#include "loam/port.h"
#include "x86_faults.h"

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

void x86_fault_null(void)
{
    __asm__ volatile("movl $0, 8" : : : "memory");
}

void x86_fault_invalid(void)
{
    __asm__ volatile("ud2");
}

void x86_fault_divide(void)
{
    __asm__ volatile("xorl %%ecx, %%ecx\n\tdivl %%ecx" : : : "eax", "ecx", "edx", "cc");
}

void x86_fault_write_text(void)
{
    __asm__ volatile("movb $0, __text_start" : : : "memory");
}

void x86_fault_write_rodata(void)
{
    __asm__ volatile("movb $0, arch_faults" : : : "memory");
}

void x86_fault_breakpoint(void)
{
    __asm__ volatile("int3");
}

void x86_fault_general(void)
{
    __asm__ volatile("movl %0, %%fs" : : "r"(0x100) : "memory"); /* no such segment */
}

void x86_fault_fp(void)
{
    __asm__ volatile("fldz");
}
