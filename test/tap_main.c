/* SPDX-License-Identifier: MIT */
/* tap_main.c - one suite as a program. Compiled once for each suite, with
 * -DTAP_SUITE_NAME=<x>_test.
 *
 *     SEED=0x1234 build/host/test/unit/buddy_test [PART OF A CASE'S NAME]
 *
 * Exit code 0: every case passed. */
#include "tap_host.h"

#define TAP_PASTE(a, b) a##b
#define TAP_SUITE_OF(x) TAP_PASTE(tap_suite_, x)

extern const tap_suite TAP_SUITE_OF(TAP_SUITE_NAME);

int main(int argc, char **argv)
{
    return tap_host_main(&TAP_SUITE_OF(TAP_SUITE_NAME), argc, argv);
}
