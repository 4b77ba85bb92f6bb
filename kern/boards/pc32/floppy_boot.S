/* SPDX-License-Identifier: MIT */
/* floppy_boot.S - the boot sector of floppy.img: a machine older than GRUB starts the kernel.
 *
 * The BIOS loads this sector to 0x7c00. The kernel lies on the disk from the second track on, as it
 * shall lie in memory from 1 MiB on. Each track is read below 1 MiB, where the BIOS can write, and
 * copied up by the BIOS as well (int 15h, 87h). Then memory is asked for (int 12h; int 15h, 88h),
 * and the kernel is entered as a Multiboot loader would, with sizes in place of a map.
 *
 *     0x00500  Multiboot information     0x07c00  this      0x10000  a track
 *
 * tools/floppy.py fills in what stands in angle brackets.
 */
#define INFO       0x500
#define TRACK      0x1000 /* segment */
#define SECTORS    18
#define TRACK_LEN  (SECTORS * 512)
#define TRIES      5

.code16
.section .text
.global _start
_start:
    jmp     begin
.balign 4
tracks: .word 0                         // <tracks> the kernel takes
    .word 0
entry:  .long 0                         // <entry>: physical

begin:
    cli
    cld
    xorw    %ax, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    movw    $0x7c00, %sp
    sti
    movb    %dl, drive
    inb     $0x92, %al                  // A20, where this port is; the BIOS call below sees to it
    orb     $2, %al                     // elsewhere
    andb    $0xfe, %al
    outb    %al, $0x92

    movw    $1, %si                     // the track
next_track:
    movw    $TRIES, %di
read:
    movw    %si, %ax
    shrw    $1, %ax
    movb    %al, %ch                    // cylinder
    movw    %si, %ax
    andb    $1, %al
    movb    %al, %dh                    // head
    movb    $1, %cl                     // first sector
    movb    drive, %dl
    movw    $TRACK, %bx
    movw    %bx, %es
    xorw    %bx, %bx
    movw    $(0x200 | SECTORS), %ax
    int     $0x13
    jnc     copy
    xorw    %ax, %ax                    // reset the drive, try again
    int     $0x13
    decw    %di
    jnz     read
    movw    $read_text, %si
    jmp     fail
copy:
    pushw   %si
    xorw    %ax, %ax
    movw    %ax, %es
    movw    $blocks, %si
    movw    $(TRACK_LEN / 2), %cx
    movb    $0x87, %ah
    int     $0x15
    popw    %si
    movw    $copy_text, %bx
    jc      fail_bx
    addw    $TRACK_LEN, to_low          // 24 bits of address in the table
    adcb    $0, to_high
    incw    %si
    decw    tracks
    jnz     next_track

    xorl    %eax, %eax
    movl    %eax, INFO + 12
    movw    $INFO, %di                  // Multiboot information: sizes and a command line
    movw    $30, %cx
    rep stosl
    movl    $5, INFO
    int     $0x12
    movzwl  %ax, %eax
    movl    %eax, INFO + 4
    movb    $0x88, %ah
    int     $0x15
    movzwl  %ax, %eax
    movl    %eax, INFO + 8
    movl    $words, INFO + 16

    cli
    lgdtl   pointer
    movl    %cr0, %eax
    orb     $1, %al
    movl    %eax, %cr0
    ljmpl   $8, $protected
.code32
protected:
    movl    $16, %eax
    movl    %eax, %ds
    movl    %eax, %es
    movl    %eax, %ss
    movl    $0x2badb002, %eax
    movl    $INFO, %ebx
    jmp     *entry

.code16
fail_bx:
    movw    %bx, %si
fail:
    lodsb
    testb   %al, %al
    jz      .
    movb    $0x0e, %ah
    movw    $7, %bx
    int     $0x10
    jmp     fail

drive:      .byte 0
read_text:  .asciz "The disk cannot be read."
copy_text:  .asciz "No memory above 1 MiB."
.balign 8
gdt:        .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
pointer:    .word 23
            .long gdt
.balign 8
blocks:     .quad 0, 0                  // two entries for the BIOS
            .word 0xffff, 0             // from 0x10000
            .byte 1, 0x93, 0, 0
            .word 0xffff
to_low:     .word 0                     // to 0x100000, later further up
to_high:    .byte 0x10, 0x93, 0, 0
            .quad 0, 0
words:      .asciz "<words>"
.org 510
    .word   0xaa55

.section .note.GNU-stack, "", @progbits
