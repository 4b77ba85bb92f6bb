/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_TAP_HOST_H
#define LOAM_TEST_TAP_HOST_H

/* tap_host.h - the main of a hosted test program: one suite, TAP on standard output.
 *
 *     SEED=0x1234 build/asan/test/fault/pt_fault [PART OF A CASE'S NAME]
 */
#include <stdio.h>
#include <stdlib.h>

#include "tap.h"

static inline void tap_host_put(char c)
{
    putchar(c);
}

/* Runs the suite as the environment and the program's arguments say; the program's exit code. */
static inline int tap_host_main(const tap_suite *suite, int argc, char **argv)
{
    const char *seed = getenv("SEED");
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* a crash still shows the cases before it */
    unsigned failed = tap_run(&suite, 1, seed != NULL ? strtoull(seed, NULL, 0) : 0,
                              argc > 1 ? argv[1] : NULL, tap_host_put);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
