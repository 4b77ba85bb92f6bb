/* SPDX-License-Identifier: MIT */
/* port_lock.c - who may take which lock when.
 *
 * WHAT   Two processors that take two locks in different orders wait for each other for ever, once
 *        in a million. One that takes a lock which it holds waits at once, and nobody knows why.
 *        Both are bugs of the program, and both can be seen before anybody waits.
 *
 * MODEL  Every lock has a rank: what it guards. Ranks are a ladder, and one climbs only down:
 *
 *            face > world > vmap > objects > cache > area, area, ... > top > console
 *             |                     |                 |      |
 *             |                     '-- held ---------'      '--> the next may be lower on the
 *             '-- held                     taken: fine            ladder, or of the same rank at a
 *                                                                 higher address; never above
 *
 *        What one processor holds is a count and the last address of each rank: as many areas as a
 *        zone has may be held at once.
 *
 * RULES  O1  a lock is not taken by the one that holds it
 *        O2  a lock is released by the one that holds it
 *        O3  locks are taken in the order of their ranks, those of one rank by ascending address
 *
 * LOCKS  None: each caller has its own loam_lock_held, and interrupts are off.
 * COST   O(1). O3 is looked at in builds with LOAM_LOCK_ORDER 1 alone.
 * FROM   The old discipline of lock levels (Dijkstra's ordered resources), as kernels check it.
 * NOT    Locks that were never taken together in a run: only what happens is seen.
 */
#include "loam/port_lock.h"
#include "loam/port.h"

_Static_assert(LOAM_LOCK_RANK_COUNT <= 32, "a bit for each rank");

const char loam_lock_rule_again[] = "O1 a lock is taken by the one that holds it";
const char loam_lock_rule_other[] = "O2 a lock is released by one that does not hold it";
static const char lock_rule_order[] = "O3 a lock is taken out of order";

const char *loam_lock_rank_name(unsigned rank)
{
    static const char *const name[] = {
#define LOAM_LOCK_RANK(id, text) text,
        LOAM_LOCK_RANKS(LOAM_LOCK_RANK)
#undef LOAM_LOCK_RANK
    };
    return rank < LOAM_LOCK_RANK_COUNT ? name[rank] : "lock of an unknown rank";
}

const char *loam_lock_order_take(loam_lock_held *held, const void *lock, unsigned rank)
{
    if (rank == LOAM_RANK_NONE)
        return NULL;
    if (held->ranks >> rank > 1)
        return lock_rule_order;
    if (held->count[rank] > 0 && (uintptr_t)lock <= held->last[rank])
        return lock_rule_order;
    held->ranks |= 1U << rank;
    held->count[rank]++;
    held->last[rank] = (uintptr_t)lock;
    return NULL;
}

const char *loam_lock_order_drop(loam_lock_held *held, unsigned rank)
{
    if (rank == LOAM_RANK_NONE)
        return NULL;
    if (held->count[rank] == 0)
        return loam_lock_rule_other;
    if (--held->count[rank] == 0)
        held->ranks &= ~(1U << rank);
    return NULL;
}

_Noreturn void loam_lock_broken(const char *rule, const void *lock, unsigned rank)
{
    loam_report report = {.unit = "lock",
                          .what = rule,
                          .object = "address",
                          .value = (uintptr_t)lock,
                          .name = loam_lock_rank_name(rank)};
    loam_port_corrupt(&report);
}
