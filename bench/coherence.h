/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BENCH_COHERENCE_H
#define LOAM_BENCH_COHERENCE_H

/* coherence.h - a directory of cache lines, and who asks it: coherence.c has the theory. */
#include <stddef.h>
#include <stdint.h>

typedef enum coherence_access {
    COHERENCE_READ,
    COHERENCE_WRITE,
    COHERENCE_LOCKED
} coherence_access;

/* The calling thread's processor is about to touch these bytes; site: from where. bytes > 0. */
void coherence_touch(const volatile void *at, size_t bytes, coherence_access access,
                     const void *site);

/* A word was changed from 0 by a locked instruction, or that failed: it may be a lock. */
void coherence_taken(const volatile uint32_t *word);
void coherence_waits(const volatile uint32_t *word);
/* It is 0 again. */
void coherence_given(const volatile uint32_t *word);

/* Programs ask for it by name: what is counted begins and ends. */
void coherence_count(int now) __attribute__((visibility("default")));

#endif
