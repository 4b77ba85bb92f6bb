/* SPDX-License-Identifier: MIT */
#ifndef LOAM_X64_TRAP_H
#define LOAM_X64_TRAP_H

/* x64_trap.h - what x64_vectors.S saves, and who else wants interrupts. */
#include "loam/base.h"

typedef struct arch_registers {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
} x64_trap;

/* fn runs in interrupt context, on whatever processor the vector came to: 48 .. 255, whose lines
 * are those of the local APICs. It says itself that the interrupt is served. NULL: nobody. */
void x64_on_interrupt(unsigned vector, void (*fn)(void));

/* Called by x64_vectors.S; returns when the interrupted code shall go on. */
void x64_trap_handle(x64_trap *t);

#endif
