/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_STACKS_H
#define LOAM_KERN_STACKS_H

/* stacks.h - the stacks that the kernel runs on, and who called whom on them. */
#include "loam/base.h"

typedef struct kern_stack {
    const char *name;      /* "main stack", "trap stack", ... */
    unsigned cpu;          /* whose */
    uintptr_t bottom, top; /* the page below bottom is a guard: nothing is mapped there */
} kern_stack;

enum { KERN_STACKS = 160 }; /* up to five a processor */

/* Makes a stack known, before anything runs on it. false: there are too many; such a stack works,
 * but its calls are not shown.  context: one processor at a time */
bool stacks_add(const char *name, unsigned cpu, const void *bottom, const void *top);

/* The i-th that was made known; NULL: there are fewer. */
const kern_stack *stacks_get(size_t i);

/* The stack that holds an address, or whose guard page does; NULL: none. */
const kern_stack *stacks_find(uintptr_t address);
const kern_stack *stacks_find_guard(uintptr_t address);

/* Calls fn with return addresses, innermost first, starting at the frame whose pointer is fp. A
 * frame is two words, on every processor we know: the caller's frame pointer, the return address.
 * Only such as lie on a known stack are read, and no more than 4096. */
void stacks_backtrace(uintptr_t fp, void (*fn)(uintptr_t pc));

#endif
