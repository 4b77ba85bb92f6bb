/* SPDX-License-Identifier: MIT */
/* tests.c - the core's unit tests, the same objects as on the host, inside the kernel. */
#include "board.h"
#include "console.h"
#include "kern.h"
#include "tap.h"
#include "words.h"

/* Made by the kernel's makefile from the files in test/unit. */
extern const tap_suite *const kern_suites[];
extern const size_t kern_suite_count;

/* Programs in user mode, on boards that have it: how many did not end as they should. */
unsigned user_tests(void) __attribute__((weak));

/* The unit tests, in memory that is there for them alone. */
static bool run_suites(const char *only, uint64_t seed, unsigned *failed)
{
    if (tap_count(kern_suites, kern_suite_count, only) == 0) {
        kprintf("loam: no test has '%s' in its name\n", only);
        return false;
    }
    if (!board_tests_memory(true)) {
        console_write("loam: too little memory is free for the tests' own\n");
        return false;
    }
    *failed = tap_run(kern_suites, kern_suite_count, seed, only, console_put);
    (void)board_tests_memory(false);
    return true;
}

bool tests_run(const char *only, uint64_t seed)
{
    bool programs_only = only != NULL && word_is(only, "user");
    unsigned failed = 0;
    const char *broken;
    if (!programs_only && !run_suites(only, seed, &failed))
        return false;
    if (user_tests != NULL && (programs_only || only == NULL))
        failed += user_tests();
    broken = kern_check();
    if (broken != NULL)
        kprintf("loam: the tests left a broken rule in the kernel itself: %s\n", broken);
    if (failed == 0 && broken == NULL)
        console_write("loam: all tests passed\n");
    else
        kprintf("loam: %u tests failed\n", (int)failed);
    return failed == 0 && broken == NULL;
}
