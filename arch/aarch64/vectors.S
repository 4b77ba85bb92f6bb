/* SPDX-License-Identifier: MIT */
/* vectors.S - the sixteen ways into the kernel.
 *
 * Four groups of four: from EL1 on SP_EL0 (the kernel itself), from EL1 on SP_EL1 (a trap inside a
 * trap), from 64-bit and from 32-bit EL0 (never). In each: synchronous, IRQ, FIQ, SError. Every
 * entry saves all registers as a struct arch_registers (traps.c) and calls trap_handle(frame,
 * entry).
 */
#include "trap_layout.h"

// x2 to x29 of a frame; the rest is not the same for a trap and for a call.
.macro save_registers
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x20, x21, [sp, #160]
    stp     x22, x23, [sp, #176]
    stp     x24, x25, [sp, #192]
    stp     x26, x27, [sp, #208]
    stp     x28, x29, [sp, #224]
.endm

.macro entry number
    .balign 0x80
    sub     sp, sp, #TRAP_FRAME_SIZE
    stp     x0, x1, [sp, #0]
    mov     x1, #\number
    b       trap_save
.endm

.section .text.vectors, "ax"
.balign 0x800
.global vectors
vectors:
    entry 0
    entry 1
    entry 2
    entry 3
    entry 4
    entry 5
    entry 6
    entry 7
    entry 8
    entry 9
    entry 10
    entry 11
    entry 12
    entry 13
    entry 14
    entry 15

.balign 0x80
trap_save:
    save_registers
    mrs     x2, sp_el0
    add     x3, sp, #TRAP_FRAME_SIZE
    and     x4, x1, #12
    cmp     x4, #4                  // entries 4-7 came from this very stack
    csel    x2, x3, x2, eq
    stp     x30, x2, [sp, #240]
    mrs     x2, elr_el1
    mrs     x3, spsr_el1
    stp     x2, x3, [sp, #256]
    mrs     x2, esr_el1
    mrs     x3, far_el1
    stp     x2, x3, [sp, #272]
    mov     x0, sp
    bl      trap_handle             // returns only for an IRQ that was served

    ldp     x2, x3, [sp, #256]
    msr     elr_el1, x2
    msr     spsr_el1, x3
    ldp     x2, x3, [sp, #16]
    ldp     x4, x5, [sp, #32]
    ldp     x6, x7, [sp, #48]
    ldp     x8, x9, [sp, #64]
    ldp     x10, x11, [sp, #80]
    ldp     x12, x13, [sp, #96]
    ldp     x14, x15, [sp, #112]
    ldp     x16, x17, [sp, #128]
    ldp     x18, x19, [sp, #144]
    ldp     x20, x21, [sp, #160]
    ldp     x22, x23, [sp, #176]
    ldp     x24, x25, [sp, #192]
    ldp     x26, x27, [sp, #208]
    ldp     x28, x29, [sp, #224]
    ldr     x30, [sp, #240]
    ldp     x0, x1, [sp, #0]
    add     sp, sp, #TRAP_FRAME_SIZE
    eret

// void arch_with_registers(void (*fn)(const arch_registers *r, void *ctx), void *ctx)
// The same, of the caller: its place as elr, its state as spsr; no syndrome, no address.
.section .text
.global arch_with_registers
arch_with_registers:
    sub     sp, sp, #TRAP_FRAME_SIZE
    stp     x0, x1, [sp, #0]
    save_registers
    add     x2, sp, #TRAP_FRAME_SIZE
    stp     x30, x2, [sp, #240]
    mrs     x2, nzcv
    mrs     x3, daif
    orr     x2, x2, x3
    mrs     x3, CurrentEL
    orr     x2, x2, x3
    mrs     x3, spsel
    orr     x2, x2, x3
    stp     x30, x2, [sp, #256]
    stp     xzr, xzr, [sp, #272]
    mov     x2, x0
    mov     x0, sp
    blr     x2
    ldr     x30, [sp, #240]
    add     sp, sp, #TRAP_FRAME_SIZE
    ret
