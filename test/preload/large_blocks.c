/* SPDX-License-Identifier: MIT */
/* large_blocks.c - blocks of megabytes in a process: what of them is in memory, and how. */
#include "tap_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

/* Called through pointers: compilers know malloc, and would leave out what nobody reads. */
static void *(*volatile alloc)(size_t) = malloc;
static void (*volatile release)(void *) = free;

/* Does the mapping with this address have the flag? -1: the system does not say. */
static int has_flag(const void *at, const char *flag)
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

static void huge_pages(tap *t)
{
    unsigned char *block = alloc(16 * MIB), *small = alloc(40000);
    TAP_CHECK(t, block != NULL && small != NULL);
    if (access("/sys/kernel/mm/transparent_hugepage/enabled", R_OK) != 0 ||
        has_flag(block + 8 * MIB, " mr") < 0) {
        tap_note(t, "the system has none, or does not say");
    } else {
        TAP_EQ(t, has_flag(block + 8 * MIB, " hg"), 1);
        TAP_EQ(t, has_flag(small, " hg"), 0);
    }
    release(small);
    release(block);
}

static const tap_case cases[] = {
    {"malloc: 16 MiB: huge pages are asked for, under small blocks not", huge_pages},
};
static const tap_suite suite = {"large_blocks", cases, LOAM_ARRAY_LEN(cases)};

int main(int argc, char **argv)
{
    return tap_host_main(&suite, argc, argv);
}
