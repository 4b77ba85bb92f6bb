/* SPDX-License-Identifier: MIT */
#ifndef LOAM_EXPLORE_BUILTIN_H
#define LOAM_EXPLORE_BUILTIN_H

/* Read before every explored file (mk/explore.mk): what gcc would make of these in line is not seen
 * by -fsanitize=thread. explore_memory.c has the functions. */
#include <stddef.h>

void *explore_memcpy(void *to, const void *from, size_t bytes);
void *explore_memmove(void *to, const void *from, size_t bytes);
void *explore_memset(void *to, int value, size_t bytes);

#define __builtin_memcpy  explore_memcpy
#define __builtin_memmove explore_memmove
#define __builtin_memset  explore_memset

#endif
