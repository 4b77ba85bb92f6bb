/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_PROGRAMS_H
#define LOAM_KERN_PROGRAMS_H

/* programs.h - programs of the initrd in user mode; linked on boards that have kern/user/. */
#include "loam/base.h"

/* Commands of the shell: run PROGRAM [ARGUMENTS], programs. */
void programs_command_run(size_t count, const char *const *word);
void programs_command_list(size_t count, const char *const *word);

/* Runs every good program: 0 when all went well. */
int user_demo(void);
/* Runs every program of the initrd, good and bad, and broken files; prints a line for each. Gives
 * how many did not end as they should. */
unsigned user_tests(void);

#endif
