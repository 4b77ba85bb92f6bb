/* SPDX-License-Identifier: MIT */
/* host.c - where the heap's text goes in a process that says nothing else: standard output. */
#include <stdio.h>

#include "../../inc/shomp.h"

void shomp_default_output(const char *text)
{
    fputs(text, stdout);
    fflush(stdout);
}
