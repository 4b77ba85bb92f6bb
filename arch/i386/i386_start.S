/* SPDX-License-Identifier: MIT */
/* i386_start.S - from the boot loader's jump to the higher half.
 *
 * A Multiboot 1 loader (GRUB, QEMU's -kernel) enters at _start with paging off, flat segments of
 * its own, interrupts off, eax = the loader's magic, ebx = physical address of its information.
 * The kernel is linked at 0xc0000000 + its physical address; until paging is on, code here uses
 * physical addresses only.
 *
 *     boot_directory        entry 0..63     -> boot_tables: 256 MiB, identity, for the jump
 *                           entry 768..831  -> the same tables: the kernel's half
 *
 * These tables let everything be written. They serve until kern/paging.c has made the final ones
 * out of frames of the page allocator.
 */
#include "i386_layout.h"

#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_FLAGS 0x3             /* modules start pages; tell the memory map */
#define TABLES          (I386_DIRECT_LEN >> 22)
#define PHYS(symbol)    ((symbol) - I386_KERNEL_BASE)
#define PRESENT_WRITE   3

.section .multiboot, "a"
.balign 4
.long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

.section .boot, "ax"
.global _start
_start:
    cli
    cld
    movl    %eax, %ebp              // the magic
    movl    $PHYS(boot_tables), %edi
    movl    $PRESENT_WRITE, %eax
1:  stosl
    addl    $4096, %eax
    cmpl    $(I386_DIRECT_LEN + PRESENT_WRITE), %eax
    jne     1b

    movl    $PHYS(boot_directory), %edi
    xorl    %eax, %eax
    movl    $1024, %ecx
    rep stosl
    movl    $(PHYS(boot_tables) + PRESENT_WRITE), %eax
    xorl    %ecx, %ecx
2:  movl    %eax, PHYS(boot_directory)(,%ecx,4)
    movl    %eax, PHYS(boot_directory) + (I386_KERNEL_BASE >> 20)(,%ecx,4)
    addl    $4096, %eax
    incl    %ecx
    cmpl    $TABLES, %ecx
    jne     2b

    movl    $PHYS(boot_directory), %eax
    movl    %eax, %cr3
    movl    %cr0, %eax
    orl     $0x80000000, %eax       // PG
    movl    %eax, %cr0
    movl    $higher_half, %eax
    jmp     *%eax

.section .text
higher_half:
    movl    $__stack_top, %esp
    movl    $__bss_start, %edi      // a loader clears it as well; ours may be none of them
    movl    $__bss_end, %ecx
    subl    %edi, %ecx
    shrl    $2, %ecx
    xorl    %eax, %eax
    rep stosl
    movl    %ebp, %eax
    xorl    %ebp, %ebp              // backtraces end here
    pushl   $0
    pushl   $0                      // keeps the stack aligned to 16 at the call
    pushl   %ebx
    pushl   %eax
    call    i386_begin              // never comes back
3:  hlt
    jmp     3b

.section .noinit, "aw", @nobits
.balign 4096
.global boot_directory, boot_tables_end
boot_directory:
    .skip   4096
boot_tables:
    .skip   TABLES * 4096
boot_tables_end:

.section .note.GNU-stack, "", @progbits
