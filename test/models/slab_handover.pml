/* SPDX-License-Identifier: MIT */
/* slab_handover.pml - core/slab_fronts.c, core/slab_remote.c: a slab changes hands while a free of
 * one of its objects is on its way to the owner.
 *
 * The slab is LEAVER's, which goes offline: the slab becomes the shared front's, then its stack is
 * closed. ADOPTER may take it from there. PUBLISHER frees an object of it, and brings it to whom it
 * takes for the owner; who gets it and does not own it sends it on.
 *
 * Wanted: the free arrives, whoever owns the slab in the end; only an owner changes free words, one
 * at a time; in the end nothing is queued, pinned or told.
 *
 * Variants that must fail: KEEP_OPEN (the stack of who leaves is not closed), TRUST_ROUTE (a take
 * does not ask who owns the slab), NO_PUT_BACK (a take that finds itself no owner forgets what it
 * was told), ADOPT_UNLOCKED (a slab leaves the shared front without the lock).
 */
#define WORDS 6
#define PROCS 3
#define LOCKS 1
#define HIST 10
#define STATE 0
#define HALF 1
#define ANY 2
#define STACK(p) (3 + (p)) /* of LEAVER, ADOPTER */
#define FRONT 5            /* d->front: who owns the slab */
/* these change by read-and-writes alone, which an old value only makes fail */
#define NEWEST(x) ((x) == STATE || (x) == STACK(0) || (x) == STACK(1))
#include "weak.pml"

#define LEAVER 0
#define ADOPTER 1
#define PUBLISHER 2
#define SHARED 3

#define PIN 1
#define QUEUED 8
#define CLOSED 2 /* of a stack */

bool free;     /* [own] the object's bit */
byte inside;   /* who changes free words at this moment */
bool published, left;

/* loam_slab__own; done: the front is the caller's, and with `locked` also the lock */
inline own(p)
{
    peek(p, FRONT, f);
    locked = false;
    if
    :: f == p -> done = true
    :: f == SHARED ->
        lock(p, 0);
        peek(p, FRONT, f);
        if
        :: f == SHARED -> done = true; locked = true
        :: else -> done = false; unlock(p, 0)
        fi
    :: else -> done = false
    fi;
#ifdef TRUST_ROUTE
    if
    :: !done -> done = true
    :: else
    fi
#endif
}

inline leave(p)
{
    if
    :: locked -> unlock(p, 0); locked = false
    :: else
    fi
}

/* remote_unpin; first: the caller brings the slab to its owner */
inline unpin(p, first)
{
    exchange(p, STATE, (s - PIN) | QUEUED, s);
    first = ((s & QUEUED) == 0)
}

/* remote_take: done says whether it is dealt with */
inline take(p)
{
    exchange(p, STATE, s + PIN - QUEUED, s);
    done = true;
    peek(p, ANY, s); /* remote_take_words */
    if
    :: s != 0 ->
        exchange(p, ANY, 0, s);
        own(p);
        if
        :: done ->
            inside++;
            assert(inside == 1);
            peek(p, HALF, s);
            if
            :: s != 0 -> exchange(p, HALF, 0, s); free = true
            :: else
            fi;
            inside--;
            leave(p)
        :: else ->
#ifndef NO_PUT_BACK
            exchange(p, ANY, 1, s)
#endif
        fi
    :: else
    fi;
    if
    :: done -> /* remote_take_end */
        own(p);
        if
        :: done -> exchange(p, STATE, s - PIN, s); leave(p)
        :: else
        fi
    :: else
    fi;
    if
    :: !done -> unpin(p, done); done = !done
    :: else
    fi
}

/* remote_route: until somebody has it */
inline route(p)
{
    done = false;
    do
    :: done -> break
    :: else ->
        peek(p, FRONT, f);
        if
        :: f == SHARED || f == p -> take(p)
        :: else -> /* remote_push */
            load(p, STACK(f), s);
            if
            :: s == CLOSED -> done = false
            :: else -> cas(p, STACK(f), s, 1, done)
            fi
        fi
    od
}

proctype publisher()
{
    byte s, f;
    bool done, locked;
    exchange(PUBLISHER, STATE, s + PIN, s); /* remote_publish */
    exchange(PUBLISHER, HALF, 1, s);
    exchange(PUBLISHER, ANY, 1, s);
    unpin(PUBLISHER, done);
    if
    :: done -> route(PUBLISHER)
    :: else
    fi;
    published = true
}

/* loam_slabs_offline */
proctype leaver()
{
    byte s, f;
    bool done, locked;
    lock(LEAVER, 0);
    store(LEAVER, FRONT, SHARED); /* loam_slab__move */
    unlock(LEAVER, 0);
#ifdef KEEP_OPEN
    exchange(LEAVER, STACK(LEAVER), 0, s);
#else
    exchange(LEAVER, STACK(LEAVER), CLOSED, s);
#endif
    if
    :: s == 1 -> route(LEAVER) /* loam_slab__take_stack */
    :: else
    fi;
    left = true
}

/* loam_slab__adopt or loam_slab__take_over, and its ticks */
proctype adopter()
{
    byte s, f;
    bool done, locked;
#ifdef ADOPT_UNLOCKED
    peek(ADOPTER, FRONT, f);
    if
    :: f == SHARED -> store(ADOPTER, FRONT, ADOPTER)
    :: else
    fi;
#else
    lock(ADOPTER, 0);
    peek(ADOPTER, FRONT, f);
    if
    :: f == SHARED -> store(ADOPTER, FRONT, ADOPTER)
    :: else
    fi;
    unlock(ADOPTER, 0);
#endif
    if
    :: VALUE(FRONT) == ADOPTER -> /* its own free words meanwhile, interrupts off */
        inside++;
        assert(inside == 1);
        inside--
    :: else
    fi;
    do
    :: VALUE(STACK(ADOPTER)) == 1 ->
        exchange(ADOPTER, STACK(ADOPTER), 0, s);
        route(ADOPTER)
    :: published && left && VALUE(STACK(ADOPTER)) != 1 -> break
    od;
    assert(free);
    assert(VALUE(STATE) == 0 && VALUE(HALF) == 0 && VALUE(ANY) == 0)
}

init
{
    atomic {
        w[FRONT].e[0].value = LEAVER;
        run publisher();
        run leaver();
        run adopter()
    }
}
