/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_BUGS_H
#define LOAM_KERN_BUGS_H

/* bugs.h - a kernel's classic bugs, made on purpose, the same on every board: each has to end in a
 * panic that says what it was (test/target/panic_test.py). What only one processor can do wrong is
 * one of arch_faults. */
#include "loam/base.h"

enum { BUG_EVERYWHERE = 64 };

/* Makes the bug of this name on a processor that is online, or on all at once (BUG_EVERYWHERE).
 * Comes back only for a name that is not known.
 *   context     processor 0, thread, interrupts on
 */
void bug_make(const char *name, unsigned cpu);

/* A line for each: its name, what it does. */
void bug_list(void);

#endif
