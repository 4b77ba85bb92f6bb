/* SPDX-License-Identifier: MIT */
/* cores.S - where cores 1-3 wait: the Raspberry Pi's spin table.
 *
 *     0xd8  0xe0  0xe8  0xf0      one word for each core, 0: wait
 *
 * The firmware keeps them polling there; core 0 calls them into the pen below as its first act, so
 * that they sleep (and an emulator gets something done) until the kernel is ready for them. An
 * ELF's cores come to the pen by themselves. In the pen the word means the same as before, its own
 * address is "wait" like 0, and the core's mailbox wakes it up besides. Nobody but core 0 writes a
 * word.
 */
#define SPIN_WORDS  0xd8
#define MAIL_ENABLE 0x40000050      /* + 4 * core: bit 0, mailbox 0 interrupts */

.section .text.cores, "ax"
.global board_first, board_pen

/* Uses x1, x2. */
board_first:
    adr     x1, board_pen
    mov     x2, #SPIN_WORDS
    stp     x1, x1, [x2, #8]
    str     x1, [x2, #24]
    dsb     sy
    sev
    ret

board_pen:
    msr     daifset, #15
    mrs     x1, mpidr_el1
    and     x1, x1, #3
    mov     x2, #SPIN_WORDS
    add     x2, x2, x1, lsl #3
    ldr     x3, =MAIL_ENABLE
    add     x3, x3, x1, lsl #2
    mov     w4, #1
    str     w4, [x3]
    adr     x5, board_pen           // what called us here, perhaps: it stays in the word, as who
1:  ldr     x4, [x2]                // clears it may clear the release that comes meanwhile
    cbz     x4, 2f
    cmp     x4, x5
    b.ne    3f
2:  wfi                             // not wfe: QEMU would spin on that
    b       1b
3:  br      x4
