/* SPDX-License-Identifier: MIT */
#ifndef LOAM_I386_TRAP_H
#define LOAM_I386_TRAP_H

/* i386_trap.h - what i386_vectors.S saves, and the hooks into traps. */
#include "i386_layout.h"
#include "loam/base.h"
#include "x86_exception.h"

typedef struct arch_registers {
    uint32_t gs, fs, es, ds;
    uint32_t edi, esi, ebp, esp_here, ebx, edx, ecx, eax; /* esp_here: inside the stub, of no use */
    uint32_t vector, error;
    uint32_t eip, cs, eflags;
    uint32_t esp, ss; /* there only where i386_trap_has_stack() */
} i386_trap;

static inline bool i386_trap_from_user(const i386_trap *t)
{
    return (t->cs & 3) == 3;
}

/* A trap from the kernel itself does not switch stacks: esp and ss are not pushed, and what the
 * kernel had on its stack begins where they would be. */
static inline bool i386_trap_has_stack(const i386_trap *t)
{
    return i386_trap_from_user(t) || t->vector == X86_DOUBLE_FAULT || t->vector == I386_NO_TRAP;
}

/* segments.c: GDT, IDT, the two TSS. */
void i386_segments_init(void);
/* Where the stack pointer goes on a trap from privilege 3. */
void i386_set_kernel_stack(uint32_t esp);
/* The double fault's task runs on this page directory from now on. */
void i386_set_fault_directory(uint32_t cr3);

/* The kernel's registers as they were when the double fault's task took over; esp and ss too. */
void i386_interrupted(i386_trap *t);

/* Called by i386_vectors.S; returns when the interrupted code shall go on. */
void i386_trap_handle(i386_trap *t);
_Noreturn void i386_double_fault(void);

#endif
