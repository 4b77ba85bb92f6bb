/* SPDX-License-Identifier: MIT */
/* start.S - from the firmware's jump to kern_main.
 *
 * The firmware enters at 0x80000 on core 0 with x0 = physical address of the device tree, at EL2
 * with MMU and data cache off. An ELF given to QEMU enters at EL3 on all four cores; a hypervisor
 * may enter at EL1. All three ways end at EL1 with
 *
 *     SP_EL0   main stack, in use (EL1t): everything but traps runs on it
 *     SP_EL1   trap stack: the processor switches to it on every exception, so that even an
 *              overflow of the main stack, which runs into its guard page, can be reported
 *     MMU      on, identity map (mmu.c);  caches on
 *     DAIF     all masked
 *     cores 1-3 asleep
 */

.section .text.boot, "ax"
.global _start
_start:
    mrs     x1, mpidr_el1
    and     x1, x1, #0xff
    cbnz    x1, park                // one core boots; the others wait for ever
    mov     x19, x0                 // the device tree, if that is what it is
    msr     daifset, #15

    adr     x1, park                // the firmware keeps cores 1-3 polling these three words;
    mov     x2, #0xe0               // from now on they sleep, and the memory below 0x1000 is
    stp     x1, x1, [x2]            // read by nobody
    str     x1, [x2, #16]
    dsb     sy
    sev
    ic      iallu                   // a loader may have written what we are about to run
    dsb     nsh
    isb

    mrs     x1, CurrentEL
    lsr     x1, x1, #2
    cmp     x1, #2
    b.eq    at_el2
    b.lo    at_el1

at_el3:
    mov     x1, #0x5b1              // SCR_EL3: EL2 is AArch64, HVC on, not secure
    msr     scr_el3, x1
    msr     cptr_el3, xzr           // nothing traps to EL3
    mov     x1, #0x3c9              // SPSR: EL2h, all masked
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
    ldr     x1, =0x30d00800         // SCTLR_EL1: RES1 bits, MMU and caches off
    msr     sctlr_el1, x1
    mov     x1, #0x3c5              // SPSR: EL1h, all masked
    msr     spsr_el2, x1
    adr     x1, at_el1
    msr     elr_el2, x1
    eret

at_el1:
    msr     cpacr_el1, xzr          // floating point traps: this kernel has none
    ldr     x1, =vectors
    msr     vbar_el1, x1
    isb
    msr     spsel, #1
    ldr     x1, =__trap_stack_top
    mov     sp, x1
    msr     spsel, #0
    ldr     x1, =__stack_top
    mov     sp, x1

    mov     x29, xzr                // backtraces end here
    mov     x30, xzr
    bl      mmu_on

    ldr     x1, =__bss_start        // with the caches on: this may be many MiB
    ldr     x2, =__bss_end
1:  cmp     x1, x2
    b.hs    2f
    stp     xzr, xzr, [x1], #16
    b       1b
2:  stp     x19, xzr, [sp, #-16]!  // kern_main gets the address of two words
    mov     x0, sp
    mov     x29, xzr
    mov     x30, xzr
    bl      kern_main               // never comes back
    b       park

.global park
park:
    wfi                             // not wfe: QEMU would spin on that
    b       park
