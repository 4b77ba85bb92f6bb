/* SPDX-License-Identifier: MIT */
/* x64_vectors.S - the ways into the kernel.
 *
 * One stub of 16 bytes a vector pushes an error code, where the processor pushed none, and the
 * vector's number. Then all registers are saved as an x64_trap (x64_trap.h), and
 * x64_trap_handle gets it. The processor has aligned the stack to 16 bytes and pushed five words;
 * with two more and fifteen registers it is aligned again at the call.
 */
#include "x64_layout.h"

// An x64_trap from rax on.
.macro push_registers
    pushq   %rax
    pushq   %rcx
    pushq   %rdx
    pushq   %rbx
    pushq   %rbp
    pushq   %rsi
    pushq   %rdi
    pushq   %r8
    pushq   %r9
    pushq   %r10
    pushq   %r11
    pushq   %r12
    pushq   %r13
    pushq   %r14
    pushq   %r15
.endm

.section .text
.balign 16
.global x64_stubs
x64_stubs:
.set vector, 0
.rept X64_VECTORS
    .balign X64_STUB_SIZE
    // 8, 10-14, 17, 21, 29 and 30 push an error code
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || \
          vector == 29 || vector == 30)
    pushq   $0
    .endif
    pushq   $vector
    jmp     save
    .set vector, vector + 1
.endr

.balign 16
save:
    push_registers
    cld
    movq    %rsp, %rdi
    call    x64_trap_handle
    popq    %r15
    popq    %r14
    popq    %r13
    popq    %r12
    popq    %r11
    popq    %r10
    popq    %r9
    popq    %r8
    popq    %rdi
    popq    %rsi
    popq    %rbp
    popq    %rbx
    popq    %rdx
    popq    %rcx
    popq    %rax
    addq    $16, %rsp                   // vector, error code
    iretq

// void arch_with_registers(void (*fn)(const arch_registers *r, void *ctx), void *ctx)
// The same of the caller: its place as rip, and its stack. rax and r11 are the call's to spoil.
.global arch_with_registers
arch_with_registers:
    pushq   $X64_KERNEL_DATA
    leaq    16(%rsp), %r11              // rsp as it is when this has returned
    pushq   %r11
    pushfq
    pushq   $X64_KERNEL_CODE
    pushq   32(%rsp)                    // rip: the return address
    pushq   $0
    pushq   $X64_NO_TRAP
    push_registers
    movq    %rdi, %rax
    movq    %rsp, %rdi
    subq    $8, %rsp                    // aligned at the call
    call    *%rax
    addq    $184, %rsp                  // fn has kept what a function has to
    ret

.section .note.GNU-stack, "", @progbits
