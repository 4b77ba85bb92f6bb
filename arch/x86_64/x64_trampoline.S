/* SPDX-License-Identifier: MIT */
/* x64_trampoline.S - the first instructions of every processor but the first.
 *
 * A processor that is started begins in 16 bits at a page below 1 MiB. This code is copied there
 * (X64_TRAMPOLINE), so it knows its own address from that alone: to 32 bits with flat segments, and
 * to x64_start.S, where the first one came by.
 */
#include "x64_layout.h"

#define AT(symbol) (X64_TRAMPOLINE + (symbol) - x64_trampoline)
#define CODE 0x08
#define DATA 0x10
#define CR0_PE 1

.section .rodata
.balign 16
.global x64_trampoline, x64_trampoline_end
.code16
x64_trampoline:
    cli
    cld
    xorw    %ax, %ax
    movw    %ax, %ds
    lgdtl   AT(gdt_pointer)
    movl    %cr0, %eax
    orl     $CR0_PE, %eax
    movl    %eax, %cr0
    ljmpl   $CODE, $AT(flat)
.code32
flat:
    movl    $DATA, %eax
    movl    %eax, %ds
    movl    %eax, %es
    movl    %eax, %ss
    movl    $x64_secondary_start, %eax
    jmp     *%eax

.balign 8
gdt:
    .quad   0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdt_pointer:
    .short  23
    .long   AT(gdt)
x64_trampoline_end:

.section .note.GNU-stack, "", @progbits
