/* SPDX-License-Identifier: MIT */
/* virt64_head.S - the first 64 bytes of the image: the header by which a boot loader knows a 64-bit
 * Arm kernel, puts it where it wants to be, and gives it the device tree in x0.
 *
 * By PSCI one core runs; should a firmware without it let in more, the others sleep for ever.
 */
.section .text.head, "ax"
    b       _start
    .long   0
    .quad   0x200000                // from the start of RAM: aarch64.ld's image_base
    .quad   image_len
    .quad   2                       // little-endian, 4 KiB pages, as near to the start as that
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   0

.section .text.cores, "ax"
.global board_first, board_pen
board_first:
    ret

board_pen:
    b       park
