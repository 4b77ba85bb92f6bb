/* SPDX-License-Identifier: MIT */
/* strdup.c - strdup and strndup, which are the C library's and mimalloc's.
 *
 * A program linked with mimalloc's shared library would get these two from there, by that malloc,
 * and free their blocks by ours. Here they ask whichever malloc comes first in the process, as
 * the C library's own do: that may be the program's. In the shared library alone; who links the
 * static one links no other malloc.
 */
#define _GNU_SOURCE
#include "preload.h"

#include <stdlib.h>
#include <string.h>

#undef strdup
#undef strndup

static char *copy_string(const char *s, size_t len)
{
    char *p = malloc(len + 1);
    if (p == NULL)
        return NULL;
    __builtin_memcpy(p, s, len);
    p[len] = 0;
    return p;
}

PRELOAD_EXPORT char *strdup(const char *s)
{
    return copy_string(s, strlen(s));
}

PRELOAD_EXPORT char *strndup(const char *s, size_t most)
{
    return copy_string(s, strnlen(s, most));
}
