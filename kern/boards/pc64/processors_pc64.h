/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_PROCESSORS_PC64_H
#define LOAM_KERN_PROCESSORS_PC64_H

/* Turns the first processor's local APIC on, after paging_init; says in the log why not. */
void processors_pc64_init(void);

#endif
