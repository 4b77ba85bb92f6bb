/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_PSCI_H
#define LOAM_KERN_PSCI_H

/* psci.h - the firmware of a 64-bit Arm machine, as the kernel may call it (PSCI 0.2 and later). */
#include "loam/fdt_arm.h"

/* How it is called; LOAM_PSCI_NONE: not at all, and every call below does nothing. */
void psci_init(loam_psci method);

/* 0x10002 is version 1.2; 0: there is none. */
uint32_t psci_version(void);

/* Switches a processor on: it begins at `entry`, physical, with caches and MMU off. false: refused,
 * because it is on already, or there is none. */
bool psci_cpu_on(uint64_t affinity, uint64_t entry);

/* Ends the machine, or starts it again. Comes back when the firmware does not do it. */
void psci_off(void);
void psci_reset(void);

#endif
