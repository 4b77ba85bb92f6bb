/* SPDX-License-Identifier: MIT */
/* zone_fronts.pml - core/zone_front.c, core/zone_short.c: a front is asked to drain.
 *
 * One frame. Processor OWNER takes it and gives it back a few times, through its front; processor
 * SHORT wants it, and waits until no front holds anything. Where the frame is: in the area, in the
 * front, in OWNER's hands, or SHORT's.
 *
 * Wanted: SHORT says "no" only while the front holds nothing. Whoever asked finds the window shut:
 * the owner's next call is no fast one. Nobody waits for ever: an idle owner serves.
 *
 * Variants that must fail: USE_LOAD (a front is used again after a look at `waiting` that is no
 * read-and-write), NO_LOOK (it does not look at all), WINDOW_ONCE (a window is opened without
 * another look at `state`), EMPTY_FIRST (a front says it is empty before it is drained), NO_SERVE (nobody serves).
 */
#define WORDS 3
#define PROCS 2
#define LOCKS 1
#define HIST 24
#define STATE 0
#define WINDOW 1
#define WAITING 2
#include "weak.pml"

#define OWNER 0
#define SHORT 1
#define ASKED 0 /* zone_front_state */
#define EMPTY 1
#define USED 2

bool area = true; /* [lock] the frame is free there */
bool kept;        /* [cpu] it lies in the front */
bool uses;        /* [cpu] front->uses */
bool shut = true; /* nobody is between asking and shutting the window */
bool over;        /* SHORT is through */

inline to_area(p)
{
    lock(p, 0);
    area = true;
    unlock(p, 0)
}

inline from_area(p, got)
{
    lock(p, 0);
    got = area;
    area = false;
    unlock(p, 0)
}

/* loam_zone__drain_front */
inline drain_front()
{
    uses = false;
#ifdef EMPTY_FIRST
    store(OWNER, STATE, EMPTY);
#endif
    if
    :: kept -> kept = false; to_area(OWNER)
    :: else
    fi;
#ifndef EMPTY_FIRST
    store(OWNER, STATE, EMPTY)
#endif
}

/* zone_front_use */
inline front_use()
{
    peek(OWNER, WAITING, v);
    if
    :: v == 0 ->
        exchange(OWNER, STATE, USED, v);
#ifdef USE_LOAD
        load(OWNER, WAITING, v);
#else
        exchange(OWNER, WAITING, v, v);
#endif
#ifdef NO_LOOK
        v = 0;
#endif
        if
        :: v == 0 -> uses = true
        :: else -> store(OWNER, STATE, EMPTY)
        fi
    :: else
    fi
}

/* loam_zone__front_ready */
inline front_ready()
{
    load(OWNER, STATE, v);
    if
    :: v == USED
    :: v == ASKED -> drain_front(); front_use()
    :: v == EMPTY -> front_use()
    fi
}

/* loam_zone__front_points_to */
inline front_points_to()
{
    peek(OWNER, WINDOW, v);
    if
    :: v == 0 ->
        store(OWNER, WINDOW, 1);
#ifndef WINDOW_ONCE
        exchange(OWNER, STATE, v, v);
        if
        :: v != USED -> store(OWNER, WINDOW, 0)
        :: else
        fi
#endif
    :: else
    fi
}

/* loam_zone_alloc: its fast path, else the front, else a refill */
inline zone_alloc(got)
{
    got = false;
    peek(OWNER, WINDOW, v);
    if
    :: v != 0 && kept -> kept = false; got = true
    :: else ->
        front_ready();
        if
        :: uses && kept -> kept = false; got = true; front_points_to()
        :: uses && !kept ->
            from_area(OWNER, got); /* loam_zone__refill */
            if
            :: got -> front_points_to()
            :: else
            fi
        :: else -> from_area(OWNER, got)
        fi
    fi;
    v = 0
}

/* loam_zone_free: zone_push, or zone_push_slow, or the area */
inline zone_free()
{
    peek(OWNER, WINDOW, v);
    if
    :: v != 0 && uses -> kept = true
    :: else ->
        front_ready();
        front_points_to();
        if
        :: uses -> kept = true
        :: else -> to_area(OWNER)
        fi
    fi;
    v = 0
}

proctype owner()
{
    byte v, calls;
    bool mine;
    if /* the frame may be out, and the front not used yet */
    :: from_area(OWNER, mine)
    :: true
    fi;
    do
    :: calls < 3 ->
        calls++;
        if
        :: mine -> zone_free(); mine = false
        :: else -> zone_alloc(mine)
        fi;
        /* asked, and the window shut: it stays shut */
        assert(!(shut && VALUE(STATE) == ASKED && VALUE(WINDOW) != 0))
    :: else -> break
    od;
    if
    :: mine -> zone_free()
    :: else
    fi;
#ifndef NO_SERVE
    do /* idle: loam_zone_serve at each tick */
    :: !over && VALUE(STATE) == ASKED ->
        load(OWNER, STATE, v);
        if
        :: v == ASKED -> drain_front()
        :: else
        fi;
        v = 0
    :: over -> break
    od
#endif
}

/* zone_take_waiting, and what zone_take_hard does around it */
proctype in_need()
{
    byte v;
    bool got, all_empty, done;
    from_area(SHORT, got);
    if
    :: got -> goto through
    :: else
    fi;
    exchange(SHORT, WAITING, v + 1, v);
    do
    :: /* loam_zone__ask_drain */
        all_empty = true;
        load(SHORT, STATE, v);
        if
        :: v == EMPTY
        :: else ->
            all_empty = false;
            atomic {
                cas(SHORT, STATE, USED, ASKED, done);
                shut = !done
            };
            if
            :: done -> store(SHORT, WINDOW, 0); shut = true
            :: else
            fi
        fi;
        from_area(SHORT, got);
        if
        :: got -> break
        :: else
        fi;
        if
        :: all_empty ->
            assert(!kept); /* "no memory": it is in nobody's front */
            break
        :: else -> /* config.wait: until something changed */
            VALUE(STATE) != ASKED
        fi
    od;
    exchange(SHORT, WAITING, v - 1, v);
through:
    over = true
}

init
{
    atomic {
        w[STATE].e[0].value = EMPTY;
        run owner();
        run in_need()
    }
}
