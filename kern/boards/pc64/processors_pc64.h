/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_PROCESSORS_PC64_H
#define LOAM_KERN_PROCESSORS_PC64_H

/* Takes a page below 1 MiB out of the boot map, where the others begin. */
void processors_pc64_reserve(void);

/* Turns the first processor's local APIC on, after paging_init; says in the log why not. */
void processors_pc64_init(void);

#endif
