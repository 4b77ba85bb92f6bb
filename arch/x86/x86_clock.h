/* SPDX-License-Identifier: MIT */
#ifndef LOAM_X86_CLOCK_H
#define LOAM_X86_CLOCK_H

/* x86_clock.h - what a PC tells time by: the processor's counter of cycles, else the PIT. */
#include "loam/base.h"

/* Finds out how fast x86_ticks counts, which takes 10 ms. tsc reads the processor's counter; NULL:
 * there is none. Interrupts off, one processor. */
void x86_clock_init(uint64_t (*tsc)(void));

/* Never goes back; arch_ticks_hz() a second. */
uint64_t x86_ticks(void);

/* Waits, by the PIT alone: at least so many microseconds, at most 50000. Interrupts off, one
 * processor at a time. */
void x86_clock_wait(unsigned microseconds);

#endif
