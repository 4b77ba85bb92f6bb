/* SPDX-License-Identifier: MIT */
/* test_ealloc.c - blocks out of pages that are mapped on demand; a freed one is used again. */
#include <stdio.h>
#include <string.h>

#include "ealloc.h"

static int fail(const char *what)
{
    fprintf(stderr, "test_ealloc: %s\n", what);
    return 1;
}

int main(void)
{
    if (einit_alloc() != 0)
        return fail("einit_alloc failed");
    char *a = ealloc_mem(1024), *b = ealloc_mem(2048), *c = ealloc_mem(4096);
    if (a == NULL || b == NULL || c == NULL)
        return fail("ealloc_mem failed");
    memcpy(a, "hello elastic", sizeof "hello elastic");
    printf("%s\n", a);
    memset(b, 'b', 2048);
    memset(c, 'c', 4096);
    edealloc_mem(b);
    char *d = ealloc_mem(2048);
    if (d != b)
        return fail("d is not where b was");
    printf("d allocated at %p\n", (void *)d);
    edealloc_mem(a);
    edealloc_mem(c);
    edealloc_mem(d);
    if (ecleanup_alloc() != 0)
        return fail("ecleanup_alloc failed");
    puts("elastic done");
    return 0;
}
