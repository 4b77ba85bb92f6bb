/* SPDX-License-Identifier: MIT */
/* uartboot_start.S - the firmware loads the loader where kernels go, at 0x80000. It first copies
 * itself out of the way, to the address it was linked for, and goes on there.
 *
 *     0x00060000  the loader, after the move (bss and stack included, at most 128 KiB)
 *     0x00080000  the loader, as loaded;  then the kernel that comes over the wire
 *
 * MMU and data cache stay off, the exception level stays what it was: the kernel is to find the
 * machine as the firmware left it. */

.section .text.boot, "ax"
.global _start
_start:
    mrs     x1, mpidr_el1
    and     x1, x1, #0xff
    cbnz    x1, wait_for_ever
    mov     x19, x0                 // for the kernel

    adr     x1, _start
    ldr     x2, =__loader_start
    ldr     x3, =__loader_data_end
1:  ldp     x4, x5, [x1], #16
    stp     x4, x5, [x2], #16
    cmp     x2, x3
    b.lo    1b
    ldr     x3, =__loader_end       // bss
2:  stp     xzr, xzr, [x2], #16
    cmp     x2, x3
    b.lo    2b
    dsb     sy
    ic      iallu
    dsb     sy
    isb
    ldr     x1, =moved
    br      x1

moved:
    ldr     x1, =__loader_stack_top
    mov     sp, x1
    mov     x29, xzr
    mov     x0, x19
    bl      uartboot_main           // comes back when a whole kernel lies at 0x80000
    mov     x20, x0
    dsb     sy
    ic      iallu
    dsb     sy
    isb
    mov     x0, x19
    mov     x1, xzr
    mov     x2, xzr
    mov     x3, xzr
    br      x20

wait_for_ever:
    wfe
    b       wait_for_ever
