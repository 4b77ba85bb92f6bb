/* SPDX-License-Identifier: MIT */
#ifndef LOAM_I386_LAYOUT_H
#define LOAM_I386_LAYOUT_H

/* i386_layout.h - numbers that C and the assembler share: the address space, the segments, the
 * trap frame.
 *
 *     0x00000000  user programs; page 0 is never mapped
 *     0xc0000000  all RAM below 256 MiB, byte for byte: the kernel image lies at 0xc0100000
 *     0xd0000000  vmap's window
 *     0xf8000000  memory of the unit tests, while they run (pc32.ld)
 *     0xff800000  windows, through which any frame can be looked at for a moment
 */
#define I386_KERNEL_BASE 0xc0000000
#define I386_DIRECT_LEN  0x10000000
#define I386_VMAP_BASE   0xd0000000
#define I386_VMAP_END    0xf8000000
#define I386_TESTS       0xf8000000
#define I386_WINDOW      0xff800000

#define I386_KERNEL_CODE 0x08
#define I386_KERNEL_DATA 0x10
#define I386_USER_CODE   0x1b /* privilege 3 */
#define I386_USER_DATA   0x23
#define I386_TSS         0x28
#define I386_FAULT_TSS   0x30
#define I386_SEGMENTS    7

#define I386_IRQ_BASE  32 /* the vector of IRQ 0; there are 16 */
#define I386_VECTORS   48 /* stubs in i386_vectors.S, I386_SYSCALL besides */
#define I386_SYSCALL   0x80
#define I386_STUB_SIZE 16
#define I386_NO_TRAP   0x100 /* registers of arch_with_registers */

#endif
