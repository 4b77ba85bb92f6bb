/* SPDX-License-Identifier: MIT */
/* zone_search.pml - core/zone_search.c: "no memory" is never said while a frame is free.
 *
 * Areas of one frame each; as many processors, each of which holds at most one frame at a time. So
 * there is always one that is free, but it moves: behind a search that has just passed.
 *
 * Variants that must fail: HINT_PEEK (hints read without order), COUNT_FIRST (the count of frees
 * raised before the hint), COUNT_ONCE (no second look at the counts).
 */
#define N 2 /* areas, processors */
#define ROUNDS 2
#define WORDS 4
#define PROCS N
#define LOCKS N
#define HIST 14
#define ORDERS(a) (a)
#define FREES(a) (N + (a))
#include "weak.pml"

bool has[N] = true; /* [lock] the area's buddy */

#ifdef HINT_PEEK
#define hint(p, a, out) peek(p, ORDERS(a), out)
#else
#define hint(p, a, out) load(p, ORDERS(a), out)
#endif

/* zone_area_unlock */
inline area_unlock(p, a)
{
    store(p, ORDERS(a), has[a]);
    unlock(p, a)
}

/* zone_area_unlock_freed; the count is its own writer's, under the lock */
inline area_unlock_freed(p, a)
{
#ifdef COUNT_FIRST
    store(p, FREES(a), VALUE(FREES(a)) + 1);
    store(p, ORDERS(a), has[a]);
#else
    store(p, ORDERS(a), has[a]);
    store(p, FREES(a), VALUE(FREES(a)) + 1);
#endif
    unlock(p, a)
}

/* zone_count_frees */
inline count_frees(p, sum)
{
    load(p, FREES(0), sum);
    load(p, FREES(1), v);
    sum = sum + v
}

/* loam_zone__take */
inline take(p)
{
    n = 0;
    do
    :: n < N && got == N ->
        a = (home + n) % N;
        n++;
        hint(p, a, v);
        if
        :: v != 0 ->
            lock(p, a);
            if
            :: has[a] -> has[a] = false; got = a
            :: else
            fi;
            area_unlock(p, a)
        :: else
        fi
    :: else -> break
    od
}

/* zone_take_all_locked */
inline take_all_locked(p)
{
    lock(p, 0);
    lock(p, 1);
    if
    :: has[0] -> has[0] = false; got = 0
    :: !has[0] && has[1] -> has[1] = false; got = 1
    :: else
    fi;
    area_unlock(p, 1);
    area_unlock(p, 0)
}

/* loam_zone__take_surely */
inline take_surely(p)
{
    got = N;
    pass = 0;
    do
    :: got == N && pass < 2 ->
        count_frees(p, before);
        take(p);
        if
        :: got != N -> break
        :: else
        fi;
#ifdef COUNT_ONCE
        break;
#endif
        count_frees(p, after);
        if
        :: after == before -> break
        :: else -> pass++
        fi
    :: else -> break
    od;
    if
    :: got == N && pass == 2 -> take_all_locked(p)
    :: else
    fi
}

init
{
    atomic {
        w[ORDERS(0)].e[0].value = 1;
        w[ORDERS(1)].e[0].value = 1;
        run processor(0);
        run processor(1)
    }
}

proctype processor(byte me)
{
    byte a, n, v, got, before, after, pass, round, home;
    do
    :: round < ROUNDS ->
        round++;
        if /* wherever it found something last */
        :: home = 0
        :: home = 1
        fi;
        take_surely(me);
        assert(got != N); /* a frame was free all the time */
        lock(me, got); /* loam_zone__put */
        has[got] = true;
        area_unlock_freed(me, got);
        a = 0; n = 0; v = 0; before = 0; after = 0; pass = 0
    :: else -> break
    od
}

