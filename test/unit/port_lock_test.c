/* SPDX-License-Identifier: MIT */
#include "loam/port.h"
#include "tap.h"

static loam_lock_held held;
static char at[4]; /* addresses of locks, ascending */

static const char *take(unsigned lock, unsigned rank)
{
    return loam_lock_order_take(&held, &at[lock], rank);
}

static const char *drop(unsigned rank)
{
    return loam_lock_order_drop(&held, rank);
}

static void start(void)
{
    held = (loam_lock_held){0};
}

static void ladder_down(tap *t)
{
    start();
    for (unsigned r = 1; r < LOAM_LOCK_RANK_COUNT; r++)
        TAP_STR(t, take(0, r), NULL);
    for (unsigned r = LOAM_LOCK_RANK_COUNT; r-- > 1;)
        TAP_STR(t, drop(r), NULL);
    TAP_EQ(t, held.ranks, 0);
}

static void ladder_up(tap *t)
{
    for (unsigned low = 1; low < LOAM_LOCK_RANK_COUNT; low++)
        for (unsigned high = 1; high < low; high++) {
            start();
            TAP_STR(t, take(0, low), NULL);
            TAP_RULE(t, take(1, high), "O3");
            TAP_EQ(t, held.ranks, 1U << low);
            TAP_STR(t, drop(low), NULL);
            TAP_STR(t, take(1, high), NULL);
        }
}

static void areas_ascending(tap *t)
{
    start();
    TAP_STR(t, take(0, LOAM_RANK_AREA), NULL);
    TAP_STR(t, take(1, LOAM_RANK_AREA), NULL);
    TAP_STR(t, take(3, LOAM_RANK_AREA), NULL);
    TAP_RULE(t, take(2, LOAM_RANK_AREA), "O3");
    TAP_RULE(t, take(3, LOAM_RANK_AREA), "O3");
    TAP_EQ(t, held.count[LOAM_RANK_AREA], 3);
    TAP_STR(t, take(0, LOAM_RANK_TOP), NULL);
}

static void all_dropped(tap *t)
{
    start();
    TAP_STR(t, take(3, LOAM_RANK_AREA), NULL);
    TAP_STR(t, drop(LOAM_RANK_AREA), NULL);
    TAP_STR(t, take(0, LOAM_RANK_AREA), NULL);
}

static void not_held(tap *t)
{
    start();
    TAP_RULE(t, drop(LOAM_RANK_VMAP), "O2");
    TAP_STR(t, take(0, LOAM_RANK_VMAP), NULL);
    TAP_RULE(t, drop(LOAM_RANK_AREA), "O2");
    TAP_STR(t, drop(LOAM_RANK_VMAP), NULL);
    TAP_RULE(t, drop(LOAM_RANK_VMAP), "O2");
}

static void without_rank(tap *t)
{
    start();
    TAP_STR(t, take(0, LOAM_RANK_CONSOLE), NULL);
    TAP_STR(t, take(1, LOAM_RANK_NONE), NULL);
    TAP_STR(t, drop(LOAM_RANK_NONE), NULL);
    TAP_STR(t, drop(LOAM_RANK_CONSOLE), NULL);
}

static void names(tap *t)
{
    TAP_RULE(t, loam_lock_rule_again, "O1"); /* what a port says before it waits for itself */
    TAP_STR(t, loam_lock_rank_name(LOAM_RANK_AREA), "area of a zone");
    TAP_STR(t, loam_lock_rank_name(LOAM_RANK_CONSOLE), "console");
    TAP_STR(t, loam_lock_rank_name(LOAM_LOCK_RANK_COUNT), "lock of an unknown rank");
}

/* Unit tests run in kernels with real locks, too: the ladder as the port has it. */
static void real_locks(tap *t)
{
    static loam_lock outer = LOAM_LOCK_OF(LOAM_RANK_FACE);
    static loam_lock inner[2] = {LOAM_LOCK_OF(LOAM_RANK_AREA), LOAM_LOCK_OF(LOAM_RANK_AREA)};
    for (int round = 0; round < 2; round++) {
        loam_irq a = loam_lock_acquire(&outer);
        loam_irq b = loam_lock_acquire(&inner[0]);
        loam_irq c = loam_lock_acquire(&inner[1]);
        loam_lock_release(&inner[1], c);
        loam_lock_release(&inner[0], b);
        loam_lock_release(&outer, a);
    }
    TAP_CHECK(t, true);
}

static const tap_case cases[] = {
    {"lock order: every rank downwards: fine", ladder_down},
    {"lock order: every pair upwards: O3, nothing noted", ladder_up},
    {"lock order: areas ascending, then the top: fine; descending: O3", areas_ascending},
    {"lock order: a rank let go: starts anew", all_dropped},
    {"lock order: released and not held: O2", not_held},
    {"lock order: a lock without a rank: anywhere", without_rank},
    {"lock ranks: have names", names},
    {"loam_lock: three of a ladder, twice: taken and released", real_locks},
};
TAP_SUITE(port_lock_test, cases);
