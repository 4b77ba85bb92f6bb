/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_GIC_IMPL_H
#define LOAM_KERN_GIC_IMPL_H

/* gic_impl.h - what a version of the controller answers to gic.c. */
#include "gic.h"

typedef struct gic_version {
    const char *name;
    void (*init)(const loam_fdt_arm *arm);
    bool (*cpu_init)(unsigned cpu);
    void (*cpu_quiet)(void);
    uintptr_t (*own_base)(void); /* where the calling processor's lines 0 .. 31 are switched */
    uint32_t (*take)(void);
    void (*done)(uint32_t taken);
    void (*send)(unsigned cpu, uint64_t affinity, unsigned line);
} gic_version;

extern const gic_version gic_version_2, gic_version_3;

/* Registers that both versions have in the same places: of the distributor, and of version 3's
 * redistributors for the lines below 32. Arrays: a bit or a byte a line. */
enum {
    GIC_CTLR = 0x000,
    GIC_TYPER = 0x004, /* bits 4:0: lines / 32 - 1 */
    GIC_GROUP = 0x080,
    GIC_ENABLE = 0x100,
    GIC_DISABLE = 0x180,
    GIC_FORGET = 0x280, /* no longer pending */
    GIC_PRIORITY = 0x400,
    GIC_PRIORITY_ALL = (int)0xa0a0a0a0 /* four lines; below the mask that lets all through */
};

/* Lines that the distributor at `base` has, at most GIC_SPECIAL. */
unsigned gic_lines(uintptr_t base);

#endif
