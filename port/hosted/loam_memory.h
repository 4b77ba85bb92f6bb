/* SPDX-License-Identifier: MIT */
#ifndef LOAM_HOSTED_MEMORY_H
#define LOAM_HOSTED_MEMORY_H

/* loam_memory.h - how much memory a process may have, and how much is used.
 *
 *     machine   [ ............. MemTotal ............. ]      the least of these, and what is used
 *     group       [ ....... memory.max ........ ]             where that is: by the group, or by
 *     its group     [ .. memory.high .. ]                     all of the machine
 *
 * Groups are those of cgroup 2 (memory.max, memory.high) and of cgroup 1 (memory.limit_in_bytes),
 * at their usual places below /sys/fs/cgroup, or where /proc/self/mountinfo says; in a container,
 * too, that sees its own group there and another one's path in /proc/self/cgroup. What cannot be
 * read, or not understood, is no limit.
 *
 * System calls alone: no memory is asked for, no lock is taken, no thread is cancelled here, files
 * are closed in a program that is run, and errno stays.
 */
#include "loam/base.h"

enum { LOAM_MEMORY_PATH = 512 };

typedef struct loam_memory {
    uint64_t limit; /* bytes; UINT64_MAX: none */
    enum loam_memory_of { LOAM_MEMORY_OF_RAM, LOAM_MEMORY_OF_V1, LOAM_MEMORY_OF_V2 } of;
    bool grouped;                /* it is in groups that there are, with limits or without */
    char path[LOAM_MEMORY_PATH]; /* of the group, or before /proc */
} loam_memory;

/* Finds the least limit.
 *   root        "", or what stands before /proc and /sys. For tests
 *   cost        some ten to thirty system calls; fifty where groups are at unusual places
 */
void loam_memory_find(loam_memory *memory, const char *root);

/* Bytes that are used of the limit, but for files' that were not read lately; 0: not known.
 *   cost        three system calls, or six
 */
uint64_t loam_memory_used(const loam_memory *memory);

/* Bytes of this process that are in memory and in no file; 0: not known. The system counts them for
 * each processor apart, so some are missing for each.
 *   cost        three system calls
 */
uint64_t loam_memory_mine(void);

#endif
