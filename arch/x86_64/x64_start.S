/* SPDX-License-Identifier: MIT */
/* x64_start.S - from the boot loader's jump to the higher half, in 64 bits.
 *
 * Both loaders enter with paging off, 32 bits, flat segments of their own, interrupts off:
 *
 *     GRUB, Multiboot 2     _start        eax = a magic number, ebx = address of its information
 *     QEMU's -kernel, PVH   pvh_start     ebx = address of the start information
 *
 * .boot is linked at its physical address, all else at 0xffffffff80000000 above it. The tables made
 * here let everything be written and executed:
 *
 *     boot_root    entry 0, 256  -> boot_low    -> 4 tables of 512 pages of 2 MiB: 4 GiB
 *                  entry 511     -> boot_image, entry 510 -> the first of these tables
 *
 * They serve until kern/paging.c has made the final ones, and whenever another processor starts: it
 * comes by x64_secondary_start.
 */
#include "x64_layout.h"

#define PHYS(symbol)  ((symbol) - X64_KERNEL_BASE)
#define PRESENT_WRITE 0x3
#define LARGE         0x80
#define BOOT_TABLES   4

#define CR0_KEEP  0x9fffffff            // all but CD and NW: caches on
#define CR0_SET   0x80010001            // PG, WP, PE
#define CR4_PAE   0x20
#define MSR_EFER  0xc0000080
#define EFER_LME  0x100
#define EFER_NXE  0x800
#define CPUID_LM  29                    // leaf 0x80000001, edx
#define CPUID_NX  20
#define CPUID_ALL 0x8170                // leaf 1, edx: tsc, msr, pae, cx8, cmov
#define EFLAGS_ID 0x200000

#define COM1       0x3f8
#define SCREEN     0xb8000
#define DEBUG_EXIT 0xf4
#define EXIT_BAD   0x11

#define MB2_MAGIC 0xe85250d6
#define MB2_LEN   (header_end - header)

.section .multiboot2, "a"
.balign 8
header:
    .long   MB2_MAGIC, 0, MB2_LEN, -(MB2_MAGIC + MB2_LEN)
    .short  4, 0                        // a console: text mode can be used, none is insisted on
    .long   12, 2
    .balign 8
    .short  6, 0                        // modules start pages
    .long   8
    .short  0, 0
    .long   8
header_end:

.section .note.Xen, "a", @note
.balign 4
    .long   4, 8, 18                    // lengths of name and value; the 32-bit entry
    .asciz  "Xen"
    .quad   pvh_start

.section .boot, "ax"
.code32
.global _start, pvh_start
pvh_start:
    movl    $X64_MAGIC_PVH, %eax
_start:
    cli
    cld
    movl    %eax, %ebp                  // the magic
    movl    %ebx, %esi                  // the information
    movl    $PHYS(__stack_top), %esp
    pushl   %esi
    call    detect
    popl    %esi

    movl    $PHYS(boot_root), %edi
    xorl    %eax, %eax
    movl    $(3 * 4096 / 4), %ecx
    rep stosl
    movl    $(PHYS(boot_low) + PRESENT_WRITE), PHYS(boot_root)
    movl    $(PHYS(boot_low) + PRESENT_WRITE), PHYS(boot_root) + 256 * 8
    movl    $(PHYS(boot_image) + PRESENT_WRITE), PHYS(boot_root) + 511 * 8
    movl    $(PHYS(boot_tables) + PRESENT_WRITE), PHYS(boot_image) + 510 * 8
    movl    $(PHYS(boot_tables) + PRESENT_WRITE), %eax
    xorl    %ecx, %ecx
1:  movl    %eax, PHYS(boot_low)(,%ecx,8)
    addl    $4096, %eax
    incl    %ecx
    cmpl    $BOOT_TABLES, %ecx
    jne     1b
    movl    $PHYS(boot_tables), %edi
    movl    $(PRESENT_WRITE + LARGE), %eax
    movl    $(BOOT_TABLES * 512), %ecx
2:  movl    %eax, (%edi)
    movl    $0, 4(%edi)
    addl    $0x200000, %eax
    addl    $8, %edi
    decl    %ecx
    jnz     2b
    movl    $PHYS(higher_half), %edi

// edi: where to go on, physical; the image's address of it is used. Keeps ebp and esi.
enter_long:
    movl    $CR4_PAE, %eax
    movl    %eax, %cr4
    movl    $PHYS(boot_root), %eax
    movl    %eax, %cr3
    movl    $MSR_EFER, %ecx
    rdmsr
    orl     boot_efer, %eax
    wrmsr
    movl    %cr0, %eax
    andl    $CR0_KEEP, %eax
    orl     $CR0_SET, %eax
    movl    %eax, %cr0
    lgdt    boot_gdt_pointer
    ljmp    $X64_KERNEL_CODE, $long_mode

// Another processor, out of the trampoline: 32 bits, paging off, flat segments, interrupts off.
// x64_secondary says what it finds (x64_percpu.h).
.global x64_secondary_start
x64_secondary_start:
    movl    $PHYS(secondary_half), %edi
    jmp     enter_long

// Has this processor 64 bits, all that compilers take for granted there, and can it refuse to
// execute? Says what is missing and stops; the last it can do without.
detect:
    pushfl
    popl    %eax
    movl    %eax, %ecx
    xorl    $EFLAGS_ID, %eax
    pushl   %eax
    popfl
    pushfl
    popl    %eax
    xorl    %ecx, %eax
    testl   $EFLAGS_ID, %eax
    movl    $old_text, %esi
    jz      refuse                      // not even cpuid
    movl    $0x80000000, %eax
    cpuid
    cmpl    $0x80000001, %eax
    jb      refuse
    movl    $0x80000001, %eax
    cpuid
    btl     $CPUID_LM, %edx
    jnc     refuse
    btl     $CPUID_NX, %edx
    jnc     1f
    orl     $EFER_NXE, boot_efer
1:  movl    $1, %eax
    cpuid
    andl    $CPUID_ALL, %edx
    cmpl    $CPUID_ALL, %edx
    movl    $lack_text, %esi
    jne     refuse
    ret

// esi: what to say, on the screen and the serial line.
refuse:
    movl    $SCREEN, %edi
1:  lodsb
    testb   %al, %al
    jz      3f
    movb    %al, %cl
    movb    %al, (%edi)
    movb    $7, 1(%edi)
    addl    $2, %edi
    movw    $(COM1 + 5), %dx
2:  inb     %dx, %al
    testb   $0x20, %al                  // room; an empty bus reads all ones
    jz      2b
    movw    $COM1, %dx
    movb    %cl, %al
    outb    %al, %dx
    jmp     1b
3:  movb    $EXIT_BAD, %al
    outb    %al, $DEBUG_EXIT
4:  hlt
    jmp     4b

old_text:
    .asciz  "Loam: this processor has no 64-bit mode; the kernel for 32 bits is build/pc32\r\n"
lack_text:
    .asciz  "Loam: this processor lacks one of tsc, msr, pae, cx8, cmov, which 64 bits need\r\n"

.code64
long_mode:
    movl    $X64_KERNEL_DATA, %eax
    movl    %eax, %ds
    movl    %eax, %es
    movl    %eax, %ss
    xorl    %eax, %eax
    movl    %eax, %fs
    movl    %eax, %gs
    movl    %edi, %edi                  // the upper half is 0 from here on
    addq    $X64_KERNEL_BASE, %rdi
    jmp     *%rdi

.balign 8
boot_gdt:
    .quad   0, 0x00af9a000000ffff, 0x00cf92000000ffff
boot_gdt_pointer:
    .short  23
    .long   boot_gdt
.balign 4
boot_efer:
    .long   EFER_LME

.section .text
higher_half:
    movq    $__stack_top, %rsp
    movl    %ebp, %ebx
    movl    %esi, %edx
    movq    $__bss_start, %rdi          // a loader clears it as well; nobody has to believe it
    movq    $__bss_end, %rcx
    subq    %rdi, %rcx
    shrq    $3, %rcx
    xorl    %eax, %eax
    rep stosq
    movl    %ebx, %edi
    movl    %edx, %esi
    xorl    %ebp, %ebp                  // backtraces end here
    call    x64_begin                   // never comes back
1:  hlt
    jmp     1b

secondary_half:
    movq    x64_secondary + 0, %rax
    movq    %rax, %cr3
    movq    x64_secondary + 8, %rsp
    movq    x64_secondary + 16, %rdi
    xorl    %ebp, %ebp
    call    x64_secondary_begin
1:  hlt
    jmp     1b

.section .noinit, "aw", @nobits
.balign 4096
.global boot_root
boot_root:
    .skip   4096
boot_low:
    .skip   4096
boot_image:
    .skip   4096
boot_tables:
    .skip   BOOT_TABLES * 4096

.section .note.GNU-stack, "", @progbits
