/* SPDX-License-Identifier: MIT */
/* start.S - from the firmware's jump to kern_main, and from a released core to smp_enter.
 *
 * The firmware enters on core 0 with x0 = physical address of the device tree, with MMU and data
 * cache off, at EL2 or EL1. An ELF given to QEMU enters at EL3 and, on a Raspberry Pi, on all four
 * cores: what is not core 0 goes to the board's pen and waits there to be released. A released core
 * comes to cpus_entry, at whatever level its firmware likes, and finds in cpus_table what it needs.
 * All ways end at EL1 with
 *
 *     TPIDR_EL1  number of this processor, 0 .. LOAM_PORT_MAX_CPUS - 1
 *     SP_EL0     main stack, in use (EL1t): everything but traps runs on it
 *     SP_EL1     trap stack: the processor switches to it on every exception, so that even an
 *                overflow of the main stack, which runs into its guard page, can be reported
 *     MMU        on, identity map (mmu.c);  caches on
 *     DAIF       all masked
 */
#include "cpus_layout.h"

.section .text.boot, "ax"
.global _start
_start:
    mrs     x1, mpidr_el1
    ldr     x2, =CPUS_AFFINITY
    and     x1, x1, x2
    cbz     x1, 1f                  // one core boots
    b       board_pen
1:  mov     x19, x0                 // the device tree, if that is what it is
    msr     daifset, #15
    bl      board_first             // the board's own first steps: x0-x9 are free, no stack
    ic      iallu                   // a loader may have written what we are about to run
    dsb     nsh
    isb
    bl      drop_to_el1
    mov     x0, xzr
    ldr     x1, =__stack_top
    ldr     x2, =__trap_stack_top
    bl      be_processor
    bl      mmu_on

    ldr     x1, =__bss_start        // with the caches on: this may be many MiB
    ldr     x2, =__bss_end
1:  cmp     x1, x2
    b.hs    2f
    stp     xzr, xzr, [x1], #16
    b       1b
2:  stp     x19, xzr, [sp, #-16]!   // kern_main gets the address of two words
    mov     x0, sp
    mov     x29, xzr                // backtraces end here
    mov     x30, xzr
    bl      kern_main               // never comes back
    b       park

/* A core that was released. MMU and data cache are off: cpus.c has written its row of cpus_table
 * through to memory. */
.global cpus_entry
cpus_entry:
    msr     daifset, #15
    ic      iallu
    dsb     nsh
    isb
    bl      drop_to_el1
    mrs     x1, mpidr_el1
    ldr     x2, =CPUS_AFFINITY
    and     x1, x1, x2
    orr     x1, x1, #CPUS_VALID
    ldr     x3, =cpus_table
    mov     x0, xzr
1:  ldr     x4, [x3, #CPUS_KEY]
    cmp     x4, x1
    b.eq    2f
    add     x3, x3, #CPUS_ROW
    add     x0, x0, #1
    cmp     x0, #CPUS_ROWS
    b.lo    1b
    b       park                    // nobody has asked for this one
2:  ldr     x1, [x3, #CPUS_STACK]
    ldr     x2, [x3, #CPUS_TRAP_STACK]
    bl      be_processor
    ldr     x1, [x3, #CPUS_MAIR]
    ldr     x2, [x3, #CPUS_TCR]
    ldr     x4, [x3, #CPUS_TTBR0]
    ldr     x5, [x3, #CPUS_SCTLR]
    msr     mair_el1, x1
    msr     tcr_el1, x2
    msr     ttbr0_el1, x4
    isb
    tlbi    vmalle1
    dsb     nsh
    isb
    msr     sctlr_el1, x5
    isb
    mov     x29, xzr
    mov     x30, xzr
    bl      smp_enter               // never comes back

.global park
park:
    wfi                             // not wfe: QEMU would spin on that
    b       park

/* Goes on at x30 at EL1, from EL3, EL2 or EL1; everything masked, MMU and caches off. Uses x1. */
drop_to_el1:
    mrs     x1, CurrentEL
    lsr     x1, x1, #2
    cmp     x1, #2
    b.eq    at_el2
    b.lo    at_el1

at_el3:
    mov     x1, #0x5b1              // SCR_EL3: EL2 is AArch64, HVC on, not secure
    msr     scr_el3, x1
    msr     cptr_el3, xzr           // nothing traps to EL3
    mrs     x1, id_aa64pfr0_el1
    ubfx    x1, x1, #24, #4
    cbz     x1, 1f
    mov     x1, #0xf                // ICC_SRE_EL3: a GICv3's registers, below too
    msr     s3_6_c12_c12_5, x1
    isb
1:  mov     x1, #0x3c9              // SPSR: EL2h, all masked
    msr     spsr_el3, x1
    adr     x1, at_el2
    msr     elr_el3, x1
    eret

at_el2:
    mov     x1, #0x80000000         // HCR_EL2.RW: EL1 is AArch64; no second stage, no traps
    msr     hcr_el2, x1
    mov     x1, #0x33ff             // CPTR_EL2: RES1 bits only
    msr     cptr_el2, x1
    msr     hstr_el2, xzr
    mov     x1, #3                  // CNTHCTL_EL2: EL1 may use the physical counter and timer
    msr     cnthctl_el2, x1
    msr     cntvoff_el2, xzr
    mrs     x1, midr_el1
    msr     vpidr_el2, x1
    mrs     x1, mpidr_el1
    msr     vmpidr_el2, x1
    mrs     x1, id_aa64pfr0_el1
    ubfx    x1, x1, #24, #4
    cbz     x1, 1f
    mov     x1, #0xf                // ICC_SRE_EL2: as above
    msr     s3_4_c12_c9_5, x1
    isb
1:  ldr     x1, =SCTLR_OFF
    msr     sctlr_el1, x1
    mov     x1, #0x3c5              // SPSR: EL1h, all masked
    msr     spsr_el2, x1
    msr     elr_el2, x30
    eret

at_el1:
    ldr     x1, =SCTLR_OFF
    msr     sctlr_el1, x1
    isb
    ret

/* At EL1: x0 number of this processor, x1 top of its main stack, x2 of its trap stack. Uses x1. */
be_processor:
    msr     tpidr_el1, x0
    msr     spsel, #1
    mov     sp, x2
    msr     spsel, #0
    mov     sp, x1
    msr     cpacr_el1, xzr          // floating point traps: this kernel has none
    ldr     x1, =vectors
    msr     vbar_el1, x1
    isb
    ret
