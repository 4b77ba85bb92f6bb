/* SPDX-License-Identifier: MIT */
/* i386_vectors.S - the ways into the kernel, and the way out to user programs.
 *
 * One stub of 16 bytes a vector pushes an error code, where the processor pushed none, and the
 * vector's number. Then all registers are saved as a struct i386_trap (i386_trap.h), and
 * i386_trap_handle gets it.
 */
#include "i386_layout.h"

.section .text
.balign 16
.global i386_stubs
i386_stubs:
.set vector, 0
.rept I386_VECTORS
    .balign I386_STUB_SIZE
    // 8, 10-14 and 17 push an error code
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
    pushl   $0
    .endif
    pushl   $vector
    jmp     save
    .set vector, vector + 1
.endr

.balign 16
.global i386_syscall_stub
i386_syscall_stub:
    pushl   $0
    pushl   $I386_SYSCALL

save:
    pushal
    pushl   %ds
    pushl   %es
    pushl   %fs
    pushl   %gs
    movl    $I386_KERNEL_DATA, %eax
    movl    %eax, %ds
    movl    %eax, %es
    movl    %eax, %fs
    movl    %eax, %gs
    cld
    movl    %esp, %eax
    testb   $3, 60(%esp)            // cs: from user code a backtrace ends here
    jz      1f
    xorl    %ebp, %ebp
1:  movl    %esp, %ebx
    andl    $-16, %esp
    subl    $12, %esp
    pushl   %eax
    call    i386_trap_handle
    movl    %ebx, %esp
    popl    %gs
    popl    %fs
    popl    %es
    popl    %ds
    popal
    addl    $8, %esp                // vector, error code
    iretl

// void arch_with_registers(void (*fn)(const arch_registers *r, void *ctx), void *ctx)
// The same of the caller: its place as eip, and its stack.
.global arch_with_registers
arch_with_registers:
    pushl   %ss
    pushl   %esp
    pushfl
    addl    $8, 4(%esp)             // esp: as it is when this has returned
    pushl   %cs
    pushl   16(%esp)                // eip: the return address
    pushl   $0
    pushl   $I386_NO_TRAP
    pushal
    pushl   %ds
    pushl   %es
    pushl   %fs
    pushl   %gs
    movl    %esp, %eax
    subl    $8, %esp
    pushl   92(%esp)                // ctx
    pushl   %eax
    call    *96(%esp)               // fn
    addl    $32, %esp               // the four words, and the segments
    popal
    addl    $28, %esp
    ret

// int i386_user_enter(uint32_t eip, uint32_t esp, uint32_t *kernel_esp)
// Remembers the place to come back to in *kernel_esp and goes to privilege 3. Comes back through
// i386_user_leave.
.global i386_user_enter
i386_user_enter:
    movl    4(%esp), %eax
    movl    8(%esp), %ecx
    movl    12(%esp), %edx
    pushl   %ebp
    pushl   %ebx
    pushl   %esi
    pushl   %edi
    pushfl
    movl    %esp, (%edx)
    movl    %esp, i386_kernel_tss + 4 // esp0: traps from the program arrive right below
    cli
    movl    $I386_USER_DATA, %edx
    movl    %edx, %ds
    movl    %edx, %es
    movl    %edx, %fs
    movl    %edx, %gs
    pushl   %edx                    // ss
    pushl   %ecx                    // esp
    pushl   $0x202                  // eflags: interrupts on
    pushl   $I386_USER_CODE
    pushl   %eax                    // eip
    xorl    %eax, %eax              // a program learns nothing of the kernel's registers
    xorl    %ebx, %ebx
    xorl    %ecx, %ecx
    xorl    %edx, %edx
    xorl    %esi, %esi
    xorl    %edi, %edi
    xorl    %ebp, %ebp
    iretl

// _Noreturn void i386_user_leave(uint32_t kernel_esp, int result)
// i386_user_enter returns the result.
.global i386_user_leave
i386_user_leave:
    movl    8(%esp), %eax
    movl    4(%esp), %esp
    popfl
    popl    %edi
    popl    %esi
    popl    %ebx
    popl    %ebp
    ret

// Entered by the task gate of the double fault, on the fault task's own stack.
.global i386_double_fault_entry
i386_double_fault_entry:
    cld
    xorl    %ebp, %ebp
    call    i386_double_fault       // never comes back; the error code on the stack is always 0

.section .note.GNU-stack, "", @progbits
