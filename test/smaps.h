/* SPDX-License-Identifier: MIT */
#ifndef TEST_SMAPS_H
#define TEST_SMAPS_H

/* smaps.h - what Linux says of the mapping that an address lies in, and of all of them. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Does the mapping have the flag, a blank before its two letters? -1: the system does not say. */
static inline int smaps_flag(const void *at, const char *flag)
{
    char line[1000];
    FILE *file = fopen("/proc/self/smaps", "r");
    int found = -1;
    bool here = false;
    while (file != NULL && found < 0 && fgets(line, sizeof(line), file) != NULL) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            here = (uintptr_t)at - from < to - from;
        else if (here && strncmp(line, "VmFlags:", 8) == 0)
            found = strstr(line + 8, flag) != NULL;
    }
    if (file != NULL)
        fclose(file);
    return found;
}

/* The figure of KiB in a line of a file; -1: there is none. */
static inline long smaps_line(const char *path, const char *name)
{
    char line[200];
    long kib = -1;
    FILE *file = fopen(path, "r");
    while (file != NULL && kib < 0 && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            kib = atol(line + strlen(name));
    if (file != NULL)
        fclose(file);
    return kib;
}

/* KiB of the process in memory; -1: the system does not say. VmRSS counts each processor's pages
 * many at a time: where they are of 64 KiB it is wrong by megabytes. */
static inline long smaps_resident(void)
{
    long kib = smaps_line("/proc/self/smaps_rollup", "Rss:");
    return kib >= 0 ? kib : smaps_line("/proc/self/status", "VmRSS:");
}

static inline bool smaps_knows_large(const void *p)
{
    return access("/sys/kernel/mm/transparent_hugepage/enabled", R_OK) == 0 &&
           smaps_flag(p, " mr") >= 0;
}

#endif
