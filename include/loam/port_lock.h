/* SPDX-License-Identifier: MIT */
#ifndef LOAM_PORT_LOCK_H
#define LOAM_PORT_LOCK_H

/* port_lock.h - what every port's lock checks, and the order in which locks are taken.
 *
 * A port's loam_lock knows who holds it and, from LOAM_LOCK_OF(rank), what it guards. Rules O1 and
 * O2 (port_lock.c) hold in every build of a port that knows its holder; O3, the order, is looked at
 * in builds with LOAM_LOCK_ORDER 1.
 */
#include "loam/base.h"

#ifndef LOAM_LOCK_ORDER
#define LOAM_LOCK_ORDER 0
#endif
_Static_assert(LOAM_LOCK_ORDER == 0 || LOAM_LOCK_ORDER == 1, "LOAM_LOCK_ORDER is 0 or 1");

/* What locks guard, outermost first: who holds one may take those below it. */
#define LOAM_LOCK_RANKS(X)                                                                         \
    X(NONE, "lock without a rank")                                                                 \
    X(FACE, "face of another system")                                                              \
    X(WORLD, "world of address spaces")                                                            \
    X(VMAP, "vmap")                                                                                \
    X(OBJECTS, "object layer")                                                                     \
    X(CACHE, "cache")                                                                              \
    X(AREA, "area of a zone")                                                                      \
    X(TOP, "top of a zone")                                                                        \
    X(CONSOLE, "console")

typedef enum loam_lock_rank {
#define LOAM_LOCK_RANK(id, text) LOAM_RANK_##id,
    LOAM_LOCK_RANKS(LOAM_LOCK_RANK)
#undef LOAM_LOCK_RANK
        LOAM_LOCK_RANK_COUNT
} loam_lock_rank;

/* The locks that one processor (hosted: thread) holds. All 0: none. */
typedef struct loam_lock_held {
    uint32_t ranks;                       /* bit r: it holds one of rank r */
    uint32_t count[LOAM_LOCK_RANK_COUNT]; /* how many of each rank */
    uintptr_t last[LOAM_LOCK_RANK_COUNT]; /* address of the last one taken of each rank */
} loam_lock_held;

/* Notes that a lock is being taken, before its holder waits for it; or that it was released. Locks
 * without a rank are not noted.
 *   returns     NULL, or the rule that is broken: O3 when it is taken, O2 when it is released
 *   cost        O(1)          context   any, interrupts off; the caller's own `held`
 */
const char *loam_lock_order_take(loam_lock_held *held, const void *lock, unsigned rank);
const char *loam_lock_order_drop(loam_lock_held *held, unsigned rank);

/* "area of a zone". */
const char *loam_lock_rank_name(unsigned rank);

extern const char loam_lock_rule_again[]; /* O1 */
extern const char loam_lock_rule_other[]; /* O2 */

/* A rule of locks is broken: loam_port_corrupt, with the lock's address and what it guards. */
_Noreturn void loam_lock_broken(const char *rule, const void *lock, unsigned rank);

#endif
