/* SPDX-License-Identifier: MIT */
#ifndef HH_PROCESS_H
#define HH_PROCESS_H

/* process.h - a machine in a process: RAM in a file, seen through a linear map at KERNEL_BASE, and
 * through a window whose pages appear as the page tables say, when they are touched.
 *
 *     RAM (a memory file)   |0 .. 1 MiB: the machine's tables|hole| ours, from an odd page on )
 *     0xC0000000            the same, byte for byte
 *     0xD0000000            nothing, until a touch faults: the handler asks the tables and maps the
 *                           page they name. What was mapped so stays until it is flushed: a TLB.
 *
 * Under the address sanitizer, which owns these addresses, both lie lower: hh_process_base().
 */
#include "higherhalf.h"

enum { HH_PROCESS_RAM = 24 << 20, HH_PROCESS_FIRST = 0x123000, HH_PROCESS_WINDOW = 64 << 20 };

/* Makes the machine, once in a process; NULL after a message on stderr. */
const hh_machine *hh_process_machine(void);

/* Where the kernel's half begins: HH_KERNEL_BASE if it can. */
uintptr_t hh_process_base(void);

/* The tables' answer to a touch: false when it would fault. For guard pages. */
bool hh_process_can_touch(const volatile void *p);

/* Pages of the window that the file is mapped at now, stale ones included. */
size_t hh_process_tlb_pages(void);

loam_tlb *hh_process_tlb(void);

/* The directory that was made current last. */
loam_pa hh_process_directory(void);

#endif
