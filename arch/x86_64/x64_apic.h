/* SPDX-License-Identifier: MIT */
#ifndef LOAM_X64_APIC_H
#define LOAM_X64_APIC_H

/* x64_apic.h - the local APIC: each processor's own interrupt controller and timer, and the way to
 * interrupt another one. */
#include "loam/base.h"

enum {
    X64_VECTOR_TIMER = 48,
    X64_VECTOR_CALL = 240, /* from another processor */
    X64_VECTOR_SPURIOUS = 255
};

/* The number of this processor's APIC, without one word to it. Any time. */
uint32_t x64_apic_own_id(void);

/* Finds out how to talk to it: registers is the address that ACPI says. After paging_init, on
 * processor 0; then this one's is on, and its timer has been measured, which takes 10 ms.
 * Interrupts off. NULL: it works; else why not. */
const char *x64_apic_init(uint64_t registers);
/* The same for each other processor, on it. */
void x64_apic_join(void);

/* fn in interrupt context hz times a second, on the processor that calls this; one fn for all. */
void x64_apic_tick_start(unsigned hz, void (*fn)(void));

/* fn in interrupt context where x64_apic_call was aimed at. fn is one for all. */
void x64_apic_on_call(void (*fn)(void));
void x64_apic_call(uint32_t id);

/* Can this number be called at all? */
bool x64_apic_can_reach(uint32_t id);
/* Resets a processor: it waits for x64_apic_start. */
void x64_apic_reset(uint32_t id);
/* Resets it, and lets it begin at a page below 1 MiB, in 16 bits. Takes 10 ms. */
void x64_apic_start(uint32_t id, uint32_t page);

/* The code for that page; it goes on in x64_secondary_start (x64_trampoline.S). */
extern const char x64_trampoline[], x64_trampoline_end[];

#endif
