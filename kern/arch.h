/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_ARCH_H
#define LOAM_KERN_ARCH_H

/* arch.h - what the common kernel asks of a processor; arch/<cpu>/ answers. */
#include "loam/base.h"

/* One line about the state the kernel runs in: "aarch64, EL1, MMU and caches on". */
const char *arch_describe(void);

/* The registers of one moment: those that a trap saved, or those of arch_with_registers. */
typedef struct arch_registers arch_registers;
/* Calls fn(r, ctx) with the registers as they are at this call. */
void arch_with_registers(void (*fn)(const arch_registers *r, void *ctx), void *ctx);
/* All of them, some lines on the console. */
void arch_registers_print(const arch_registers *r);
uintptr_t arch_registers_pc(const arch_registers *r);
uintptr_t arch_registers_fp(const arch_registers *r); /* the frame pointer, for stacks_backtrace */

/* Rate of loam_port_ticks(). */
uint64_t arch_ticks_hz(void);

/* Sleeps until an interrupt is pending, whether interrupts are masked or not. */
void arch_wait(void);

/* Interrupts of this processor on. */
void arch_irq_on(void);

/* Stops this processor for good. */
_Noreturn void arch_halt(void);

/* Faults of this processor on purpose, for the shell and the tests; the last has no name. */
typedef struct arch_fault {
    const char *name;
    void (*cause)(void);
} arch_fault;

extern const arch_fault arch_faults[];

#endif
