/* SPDX-License-Identifier: MIT */
#ifndef LOAM_X64_LAYOUT_H
#define LOAM_X64_LAYOUT_H

/* x64_layout.h - numbers that C and the assembler share: the address space, the segments, what the
 * loaders leave.
 *
 *     0x0000000000000000  nothing: NULL faults
 *     0xffff800000000000  all RAM, byte for byte, and devices
 *     0xffffc00000000000  vmap's window
 *     0xffffffff80000000  the kernel image, at this + its physical address (1 MiB)
 *     0xffffffffc0000000  memory of the unit tests, while they run (pc64.ld)
 */
#define X64_DIRECT      0xffff800000000000
#define X64_DIRECT_LEN  0x0000400000000000 /* 64 TiB */
#define X64_VMAP_BASE   0xffffc00000000000
#define X64_VMAP_END    0xffffc08000000000
#define X64_KERNEL_BASE 0xffffffff80000000
#define X64_IMAGE_LEN   0x40000000  /* from there on the image and nothing else */
#define X64_BOOT_MAPPED 0x100000000 /* what the start code's tables reach */

#define X64_KERNEL_CODE 0x08
#define X64_KERNEL_DATA 0x10
#define X64_TSS         0x18 /* two entries */
#define X64_SEGMENTS    5

#define X64_VECTORS   256
#define X64_IRQ_BASE  32 /* the vector of IRQ 0 of the two 8259; there are 16 */
#define X64_IRQS      16
#define X64_STUB_SIZE 16
#define X64_NO_TRAP   256 /* registers of arch_with_registers */

/* Stacks that the processor itself switches to: the TSS's numbers. */
#define X64_IST_DOUBLE_FAULT 1
#define X64_IST_NMI          2

#define X64_CPU_NUMBER 8 /* struct x64_cpu: the offset of .number, from gs */

/* What kern_main gets in word[0]; word[1] is ebx as it was. */
#define X64_MAGIC_MB2 0x36d76289
#define X64_MAGIC_PVH 0x336ec578 /* made up by the entry: a PVH loader leaves none in a register */

#endif
