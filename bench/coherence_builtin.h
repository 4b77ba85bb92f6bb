/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BENCH_COHERENCE_BUILTIN_H
#define LOAM_BENCH_COHERENCE_BUILTIN_H

/* Read before every file that is looked at (mk/sharing.mk): what gcc would make of these in line is
 * not seen by -fsanitize=thread. coherence_calls.c has the functions. */
#include <stddef.h>

void *coherence_memcpy(void *to, const void *from, size_t bytes);
void *coherence_memmove(void *to, const void *from, size_t bytes);
void *coherence_memset(void *to, int value, size_t bytes);

#define __builtin_memcpy  coherence_memcpy
#define __builtin_memmove coherence_memmove
#define __builtin_memset  coherence_memset

#endif
