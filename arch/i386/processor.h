/* SPDX-License-Identifier: MIT */
#ifndef LOAM_I386_PROCESSOR_H
#define LOAM_I386_PROCESSOR_H

/* processor.h - what this processor has, found out once; and its registers.
 *
 * The kernel is compiled for the 80386. Whatever that one lacks is used only after it was found to
 * be there, and only in the functions that tools/check_386.py lists.
 */
#include "loam/base.h"

typedef struct processor {
    unsigned family;  /* 3: 80386, 4: 80486, 5: Pentium, 6 and up */
    bool has_cpuid;   /* late 486 and up */
    bool has_invlpg;  /* 486 and up: one page of the TLB, and CR0.WP */
    bool has_tsc;     /* a counter of cycles */
    bool has_large;   /* 4 MiB pages (PSE) */
    bool has_globals; /* global pages (PGE) */
    char vendor[13];
} processor;

extern processor processor_this;

/* Fills processor_this, and makes floating point trap. Needs the IDT: it tries an instruction that
 * an 80386 does not know. */
void processor_detect(void);

/* Turns on what the final page tables use: CR0.WP (read-only holds for the kernel, too), CR4.PSE,
 * CR4.PGE. */
void processor_paging_features(void);

uint32_t processor_cr3(void);
void processor_set_cr3(uint32_t cr3);

/* One page, or everything; processor_flush_page needs has_invlpg. */
void processor_flush_page(uint32_t va);
void processor_flush_all(void);

/* has_tsc is needed. */
uint64_t processor_tsc(void);

/* True when an invalid opcode at this address was the probe's; *resume, otherwise left alone, is
 * then where to go on. */
bool processor_probe_trapped(uint32_t eip, uint32_t *resume);

#endif
