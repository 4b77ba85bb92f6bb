/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_PANIC_H
#define LOAM_KERN_PANIC_H

/* panic.h - the end of the kernel, told in full: why, on which core, the registers, the calls.
 *
 *     panic: zone: double free
 *     panic: rule Z6, frame 8a31, called from bug_double_free+0x28
 *     panic: on core 2 of 4, on its main stack
 *      x0 0000000000000000   x1 ...
 *     at kpanic+0x58, called from:
 *     backtrace (addr2line -e build/rpi3/kernel8.elf ADDRESS gives the line):
 *       #0 0x86f40 loam_port_misuse+0x6c
 *       #1 ...
 *     panic: stopped
 *
 * kpanic (console.h) is for the kernel's own code. Traps say what they know in between:
 *
 *     panic_begin();  kprintf("trap: ...");  panic_tell(registers, "trap in the kernel");
 */
#include "arch.h"

/* Interrupts off, other processors stopped: from here on the console is this one's. Comes back on
 * the first processor that gets here and no other; a second time on the same one, for a trap within
 * the telling; then the machine ends. */
void panic_begin(void);

/* Tells all of it, after panic_begin, and ends the machine with code 1. */
_Noreturn void panic_tell(const arch_registers *r, const char *why);

/* Text for a place: "kern_main+0x12", or its number outside of the kernel's code. panic_call is for
 * return addresses: it names the function that called, also where nothing of it follows the call.
 */
void panic_place(loam_text *out, uintptr_t pc);
void panic_call(loam_text *out, uintptr_t pc);

/* What lies at an address of the kernel, for traps: "the guard page below the main stack of core 0:
 * stack overflow"; NULL: nothing to say. */
const char *panic_address_note(uintptr_t address);

#endif
