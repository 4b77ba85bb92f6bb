/* SPDX-License-Identifier: MIT */
#ifndef LOAM_FDT_ARM_H
#define LOAM_FDT_ARM_H

/* fdt_arm.h - where a device tree says that a 64-bit Arm machine has the few devices that a small
 * kernel needs. Context: any.
 */
#include "loam/fdt.h"

typedef enum loam_psci { LOAM_PSCI_NONE, LOAM_PSCI_HVC, LOAM_PSCI_SMC } loam_psci;

enum { LOAM_ARM_REDISTS = 8 };

typedef enum loam_arm_timer { /* the order of the timer's interrupts */
                              LOAM_ARM_TIMER_SECURE,
                              LOAM_ARM_TIMER_PHYSICAL, /* of EL1 */
                              LOAM_ARM_TIMER_VIRTUAL,
                              LOAM_ARM_TIMER_HYP,
                              LOAM_ARM_TIMERS
} loam_arm_timer;

/* What is not there, or badly described, is 0. Interrupts are numbers of the interrupt controller:
 * 16 .. 31 private to a processor, 32 and up shared. */
typedef struct loam_fdt_arm {
    loam_psci psci; /* how to call the firmware; its functions have the numbers of PSCI 0.2 */
    unsigned gic;   /* version of the interrupt controller: 2 or 3; 0: no field of it is meant */
    loam_span gic_dist;
    loam_span gic_cpu;                      /* of version 2 */
    loam_span gic_redist[LOAM_ARM_REDISTS]; /* of version 3 */
    unsigned gic_redists;
    uint64_t gic_stride; /* from one processor's to the next; 0: 128 KiB, or 256 KiB as each says */
    uint32_t timer[LOAM_ARM_TIMERS];
    loam_span pl011; /* the console, if it is one; else the first */
    uint32_t pl011_irq;
    const char *note; /* the first that was malformed, a literal, or NULL */
} loam_fdt_arm;

/* Reads the children of the root. console: what stdout-path names, or LOAM_FDT_NO_NODE.
 * Cost O(blob). */
void loam_fdt_arm_read(const loam_fdt *fdt, loam_fdt_node console, loam_fdt_arm *arm);

#endif
