/* SPDX-License-Identifier: MIT */
/* tap_main.c - one suite as a program. Compiled once for each suite, with
 * -DTAP_SUITE_NAME=<x>_test.
 *
 *     SEED=0x1234 build/host/test/unit/buddy_test [PART OF A CASE'S NAME]
 *
 * Exit code 0: every case passed. */
#include <stdio.h>
#include <stdlib.h>

#include "tap.h"

#define TAP_PASTE(a, b) a##b
#define TAP_SUITE_OF(x) TAP_PASTE(tap_suite_, x)

extern const tap_suite TAP_SUITE_OF(TAP_SUITE_NAME);

static void put(char c)
{
    putchar(c);
}

int main(int argc, char **argv)
{
    const tap_suite *suites[] = {&TAP_SUITE_OF(TAP_SUITE_NAME)};
    const char *seed = getenv("SEED");
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* a crash still shows the cases before it */
    unsigned failed = tap_run(suites, 1, seed != NULL ? strtoull(seed, NULL, 0) : 0,
                              argc > 1 ? argv[1] : NULL, put);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
