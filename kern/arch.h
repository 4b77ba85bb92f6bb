/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_ARCH_H
#define LOAM_KERN_ARCH_H

/* arch.h - what the common kernel asks of a processor; arch/<cpu>/ answers. */
#include "loam/base.h"

/* One line about the state the kernel runs in: "aarch64, EL1, MMU and caches on". */
const char *arch_describe(void);

/* Calls fn with the return addresses on the current stack, innermost first, starting at the frame
 * pointer fp (0: of the caller). Follows only pointers that lie on a kernel stack and ascend. */
void arch_backtrace(uintptr_t fp, void (*fn)(uintptr_t pc));

/* Rate of loam_port_ticks(). */
uint64_t arch_ticks_hz(void);

/* Sleeps until an interrupt is pending, whether interrupts are masked or not. */
void arch_wait(void);

/* Interrupts of this processor on. */
void arch_irq_on(void);

/* Stops this processor for good. */
_Noreturn void arch_halt(void);

/* Causes the fault of this name on purpose; comes back only for a name that is not known. */
void arch_fault(const char *name);
/* The names, separated by spaces. */
extern const char arch_fault_names[];

#endif
