/* SPDX-License-Identifier: MIT */
#ifndef TEST_SMAPS_H
#define TEST_SMAPS_H

/* smaps.h - what Linux says of the mapping that an address lies in. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
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

static inline bool smaps_knows_large(const void *p)
{
    return access("/sys/kernel/mm/transparent_hugepage/enabled", R_OK) == 0 &&
           smaps_flag(p, " mr") >= 0;
}

#endif
