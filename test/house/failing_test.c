/* SPDX-License-Identifier: MIT */
/* failing_test.c - a suite that fails on purpose: tap_check.py compares what it prints. */
#include "tap.h"

static void passes(tap *t)
{
    TAP_CHECK(t, true);
    TAP_EQ(t, 1 + 1, 2);
    TAP_STR(t, "a", "a");
    TAP_STR(t, NULL, NULL);
    TAP_RULE(t, "M3 spans ascend", "M3");
    TAP_RULE(t, NULL, NULL);
}

static void fails_check(tap *t)
{
    TAP_CHECK(t, 1 > 2);
    TAP_CHECK(t, 2 > 3);
}

static void fails_values(tap *t)
{
    TAP_EQ(t, 17, ~0ULL);
    TAP_STR(t, "a", NULL);
    TAP_RULE(t, "M1 each", "M3");
    TAP_RULE(t, NULL, "M3");
    TAP_RULE(t, "M1 each", NULL);
}

static void forgets_catch(tap *t)
{
    tap_catch(t);
}

static void draws(tap *t)
{
    tap_note(t, "drawn %X, below 10: %U", tap_rand(t), tap_below(t, 10));
}

static const tap_case cases[] = {
    {"failing: sound checks: pass", passes},
    {"failing: two false conditions: both told", fails_check},
    {"failing: wrong values: what came and what was wanted", fails_values},
    {"failing: tap_catch left open: told and closed", forgets_catch},
    {"failing: random numbers: from the seed", draws},
};
TAP_SUITE(failing_test, cases);
