/* SPDX-License-Identifier: MIT */
/* tests.c - the core's unit tests, the same objects as on the host, inside the kernel. */
#include "board.h"
#include "console.h"
#include "kern.h"
#include "tap.h"

/* Made by the kernel's makefile from the files in test/unit. */
extern const tap_suite *const kern_suites[];
extern const size_t kern_suite_count;

bool tests_run(const char *only, uint64_t seed)
{
    unsigned failed;
    const char *broken;
    if (!board_tests_memory(true)) {
        console_write("loam: too little memory is free for the tests' own\n");
        return false;
    }
    failed = tap_run(kern_suites, kern_suite_count, seed, only, console_put);
    (void)board_tests_memory(false);
    broken = kern_check();
    if (broken != NULL)
        kprintf("loam: the tests left a broken rule in the kernel itself: %s\n", broken);
    if (failed == 0 && broken == NULL)
        console_write("loam: all tests passed\n");
    else
        kprintf("loam: %u tests failed\n", (int)failed);
    return failed == 0 && broken == NULL;
}
