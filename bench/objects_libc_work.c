/* SPDX-License-Identifier: MIT */
/* objects_libc_work.c - the loops over malloc: the C library's, or what was loaded before it. */
#include <stdlib.h>
#define OBJECTS_ALLOC(a, size)          malloc(size)
#define OBJECTS_FREE(a, p)              free(p)
#define OBJECTS_REALLOC(a, p, size)     realloc(p, size)
#define OBJECTS_ZEROED(a, size)         calloc(1, size)
#define OBJECTS_ALIGNED(a, align, size) aligned_alloc(align, size)
#include "objects_work.inc"

static void *libc_init(uint64_t arena_bytes, unsigned threads)
{
    (void)arena_bytes;
    (void)threads;
    return NULL;
}

const objects_api objects_libc = {.name = "malloc", .init = libc_init, OBJECTS_LOOPS};
