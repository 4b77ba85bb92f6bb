/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_GIC_H
#define LOAM_KERN_GIC_H

/* gic.h - Arm's generic interrupt controller, versions 2 and 3: one face for both.
 *
 *     0 .. 15    sent by processors to each other
 *     16 .. 31   a processor's own devices: its timers
 *     32 .. 1019 devices of the machine; here they all go to the processor that called gic_init
 */
#include "loam/fdt_arm.h"

enum {
    GIC_OWN = 16,      /* numbers below: from processor to processor */
    GIC_SHARED = 32,   /* and from here on: of the machine */
    GIC_SPECIAL = 1020 /* gic_take: nothing is pending */
};

/* Finds its registers, which are mapped, in what the tree says; everything is off. By the booting
 * processor. NULL, or why there is no controller: the other calls then do nothing. */
const char *gic_init(const loam_fdt_arm *arm);

/* "GICv2", "GICv3", for the log. */
const char *gic_name(void);

/* Lets interrupts through to the calling processor; cpu is its number. false: the controller does
 * not know it. */
bool gic_cpu_init(unsigned cpu);

/* Lets none through to the calling processor any more. Before gic_cpu_init, too. Any context. */
void gic_cpu_quiet(void);

/* Lets one through, or holds it back. Below GIC_SHARED: the calling processor's. Any context. */
void gic_enable(unsigned line, bool on);

/* The pending interrupt of the calling processor, taken: as it has to be given to gic_done. */
uint32_t gic_take(void);
static inline unsigned gic_line(uint32_t taken)
{
    return taken & 0x3ff;
}
void gic_done(uint32_t taken);

/* Interrupt `line`, below GIC_OWN, at processor cpu, whose affinity that is, once it has called
 * gic_cpu_init. Any context. */
void gic_send(unsigned cpu, uint64_t affinity, unsigned line);

#endif
