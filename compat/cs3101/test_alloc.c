/* SPDX-License-Identifier: MIT */
/* test_alloc.c - three blocks out of one page; the fourth takes the place of one that was freed. */
#include <stdio.h>
#include <string.h>

#include "alloc.h"

static int fail(const char *what)
{
    fprintf(stderr, "test_alloc: %s\n", what);
    return 1;
}

int main(void)
{
    int size = 128;
    if (init_alloc() != 0)
        return fail("init_alloc failed");
    char *a = alloc_mem(64), *b = alloc_mem(size), *c = alloc_mem(256);
    if (a == NULL || b == NULL || c == NULL)
        return fail("alloc_mem failed");
    memcpy(a, "hello from a", sizeof "hello from a");
    printf("%s\n", a);
    memset(b, 'b', (size_t)size);
    printf("b-size:%d\n", size);
    dealloc_mem(b);
    char *d = alloc_mem(size);
    if (d != b)
        return fail("d is not where b was");
    printf("allocated d at %p\n", (void *)d);
    dealloc_mem(a);
    dealloc_mem(c);
    dealloc_mem(d);
    if (alloc_mem(4096) == NULL)
        return fail("what was freed did not merge");
    if (cleanup_alloc() != 0)
        return fail("cleanup_alloc failed");
    puts("Done");
    return 0;
}
