/* SPDX-License-Identifier: MIT */
#ifndef CS3101_MISUSE_H
#define CS3101_MISUSE_H

/* misuse.h - the counted warnings of both allocators: what was ignored, and why. */
#include "range_one.h"
#include <stdio.h>

typedef struct misuse {
    const char *who;
    unsigned long count;
    int is_told; /* a line each on stderr, which takes no memory */
} misuse;

static inline void misuse_add(misuse *m, const char *call, const void *ptr, const char *why)
{
    m->count++;
    if (!m->is_told)
        return;
    if (ptr != NULL)
        fprintf(stderr, "%s: warning %lu: %s(%p): %s\n", m->who, m->count, call, ptr, why);
    else
        fprintf(stderr, "%s: warning %lu: %s: %s\n", m->who, m->count, call, why);
}

/* Why the byte `at` of a page cannot be freed. */
static inline const char *misuse_of(const loam_range *page, uint64_t at)
{
    return loam_range_find(page, at)->taken ? "inside a block, not its start"
                                            : "free: freed twice, or never given out";
}

#endif
