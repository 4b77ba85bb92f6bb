/* SPDX-License-Identifier: MIT */
#ifndef LOAM_AARCH64_CPUS_H
#define LOAM_AARCH64_CPUS_H

/* cpus.h - the processors of this machine, as the kernel numbers them: number 0 is the one that
 * booted, the others follow in the order of the firmware's list. */
#include "loam/bootinfo.h"

/* By the booting processor, before anything else here, and before there are final page tables: the
 * guard pages of all trap stacks become known. */
void cpus_init(void);

/* How many there are: at least 1, at most LOAM_PORT_MAX_CPUS. Valid once bootinfo is. */
unsigned cpus_count(void);

/* What the firmware says of one, once they have been counted; NULL: there is no such number. */
const loam_bootinfo_cpu *cpus_info(unsigned cpu);

/* What is in MPIDR_EL1 of a processor, as far as it names it. */
uint64_t cpus_affinity(unsigned cpu);

/* Writes down, past the caches, all that start.S gives to a processor that comes to cpus_entry:
 * the stack that this is the top of, and the paging registers of who calls. */
void cpus_expect(unsigned cpu, void *stack_top);

/* Where a released processor has to go: physical, which is the same as virtual. */
extern const char cpus_entry[];

/* Makes [p, p + len) readable for a core without caches, or drops what a cache has of it. */
void cpus_clean(const void *p, uint64_t len);

#endif
