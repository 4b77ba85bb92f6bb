/* SPDX-License-Identifier: MIT */
/* host.c - the self-test in a process, on standard output. */
#include <stdio.h>
#include <stdlib.h>

#include "page_allocator.h"

static void print(void *ctx, const char *text)
{
    fputs(text, ctx);
}

int main(void)
{
    stacsos_set_output(print, stdout);
    return perform_selftest() ? EXIT_SUCCESS : EXIT_FAILURE;
}
