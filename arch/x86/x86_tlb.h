/* SPDX-License-Identifier: MIT */
#ifndef LOAM_X86_TLB_H
#define LOAM_X86_TLB_H

/* x86_tlb.h - how many pages are better forgotten one by one than all at once. */
#include "loam/base.h"

/* Measures, on the tables in use; interrupts are off meanwhile. forget: one page of the TLB;
 * forget_all: everything. 1 .. LOAM_PT_BATCH */
uint32_t x86_tlb_threshold(void (*forget)(uintptr_t va), void (*forget_all)(void));

#endif
