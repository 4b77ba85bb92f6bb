/* SPDX-License-Identifier: MIT */
/* crt0.S - where a program begins: argc and argv lie on the stack. */
.section .text
.global _start
_start:
    movl    (%esp), %eax
    leal    4(%esp), %edx
    xorl    %ebp, %ebp
    subl    $8, %esp
    pushl   %edx
    pushl   %eax
    call    main
    pushl   %eax
    call    user_exit

.section .note.GNU-stack, "", @progbits
