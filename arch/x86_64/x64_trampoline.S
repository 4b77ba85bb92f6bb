/* SPDX-License-Identifier: MIT */
/* x64_trampoline.S - the first instructions of every processor but the first.
 *
 * A processor that is started begins in 16 bits at the start of a page below 1 MiB, with cs = page
 * / 16. This code is copied there, whichever page it is: it finds out, writes its own address into
 * two pointers, and goes on in 32 bits with flat segments, in x64_start.S, where the first came by.
 */
#define AT(symbol) ((symbol) - x64_trampoline) // in its page
#define CODE       0x08
#define DATA       0x10
#define CR0_PE     1

.section .rodata
.balign 16
.global x64_trampoline, x64_trampoline_end
.code16
x64_trampoline:
    cli
    cld
    xorl    %ebx, %ebx
    movw    %cs, %bx
    movw    %bx, %ds
    shll    $4, %ebx                    // the page
    addl    %ebx, AT(gdt_pointer) + 2
    addl    %ebx, AT(flat_pointer)
    lgdtl   AT(gdt_pointer)
    movl    %cr0, %eax
    orl     $CR0_PE, %eax
    movl    %eax, %cr0
    ljmpl   *AT(flat_pointer)
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
flat_pointer:
    .long   AT(flat)
    .short  CODE
gdt_pointer:
    .short  23
    .long   AT(gdt)
x64_trampoline_end:

.section .note.GNU-stack, "", @progbits
