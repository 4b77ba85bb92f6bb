/* SPDX-License-Identifier: MIT */
/* slab_remote.pml - core/slab_remote.c: frees of another's objects are told, and the slab stays for
 * as long as it takes.
 *
 * One slab of two slots, both out, one in each half of its word. Two publishers free one slot each,
 * a third processor only looks at the slab; the owner takes what is queued, and gives the slab back
 * when nothing of it is out. Then another slab begins in the same place. Who frees reads the slab's
 * tag, which says the generation, at that moment; who publishes pins the slab of that generation.
 *
 * Wanted: nobody touches the remote words of a slab that is gone; it is queued at most once; each
 * free arrives, once; in the end the slab has gone and its remote words are 0.
 *
 * Also sound: TWICE (both publishers free the same slot; one of them is refused, whatever happens
 * when), LATE (a third publisher frees the second's slot once more, from whatever slab is there by
 * then, and is refused).
 *
 * Variants that must fail: NO_PIN (a publication does not pin), ANY_FIRST (the summary before the
 * words), ANY_LATE (the summary after the pin has gone), TAKE_LATE (QUEUED goes at the end of a
 * take), LOOK_ONLY (a pin that goes does not queue), UNPIN_PLAIN (a pin goes without order),
 * KILL_STORE (a slab is ended without asking who has it pinned), NO_GENERATION (a pin asks only
 * whether a slab is alive), TAG_GOES (a slab that goes takes its tag along: 0 is no entry).
 */
#if defined(NO_GENERATION) || defined(TAG_GOES)
#define LATE 1
#endif
#define WORDS 6
#define PROCS 4
#define LOCKS 1
#define HIST 8
#define STATE 0
#define HALF(i) (1 + (i))
#define ANY 3
#define STACK 4
#define TAG 5 /* the generation; no more of it matters here */
/* both change by cas alone, which an old value only makes fail */
#define NEWEST(x) ((x) == STATE || (x) == STACK)
#include "weak.pml"

#define OWNER 0
#define PUBLISHERS 2
#define LOOKER 3

#define PIN 1 /* two bits */
#define PINS 3
#define ALIVE 4
#define QUEUED 8
#define GENERATION 16

byte births = 1; /* generation of the slab that is there */
bool gone;       /* it went back, and no other has begun */
byte used = 2;   /* [own] slots out */
byte free;       /* [own] bits of free slots */
byte refused, through;
bool ended;      /* the first slab has gone */

/* What only the pin makes sure of. */
#define TOUCH(generation) assert(births == generation && !gone)

/* remote_pin, whose first cas takes for read what a load may say */
inline pin(p, generation, done)
{
    do
    :: load(p, STATE, s);
        if
#ifdef NO_GENERATION
        :: (s & ALIVE) == 0 -> done = false; break
#else
        :: (s / GENERATION != generation) || ((s & ALIVE) == 0) -> done = false; break
#endif
        :: else -> cas(p, STATE, s, s + PIN, done);
            if
            :: done -> break
            :: else
            fi
        fi
    od
}

#ifdef UNPIN_PLAIN
#define unpin_cas(p, old, v, done) cas_poke(p, STATE, old, v, done)
#else
#define unpin_cas(p, old, v, done) cas(p, STATE, old, v, done)
#endif

/* remote_unpin: first says whether this one set QUEUED */
inline unpin(p, first)
{
    do
    :: load(p, STATE, s);
#ifdef LOOK_ONLY
        unpin_cas(p, s, s - PIN, first);
        if
        :: first -> first = false; break
#else
        unpin_cas(p, s, (s - PIN) | QUEUED, first);
        if
        :: first -> first = ((s & QUEUED) == 0); break
#endif
        :: else
        fi
    od
}

/* remote_push: one slab, so a stack is 0 or it */
inline push(p)
{
    do
    :: load(p, STACK, s);
        assert(VALUE(STACK) == 0); /* else it would be there twice */
        cas(p, STACK, s, 1, done);
        if
        :: done -> break
        :: else
        fi
    od
}

proctype publisher(byte me; byte slot)
{
    byte s, tag;
    bool done;
    peek(me, TAG, tag); /* slab_put_far; no atomic: what is out keeps the slab */
#ifndef LATE
    assert(tag == 1);
#endif
    /* remote_publish */
#ifdef NO_PIN
    load(me, STATE, s);
    done = (s / GENERATION == tag) && (s & ALIVE) != 0;
#else
    pin(me, tag, done);
#endif
    if
    :: tag == 0 -> /* nothing was gathered */
    :: tag != 0 && !done -> refused++ /* remote_refuse_gone */
    :: else ->
        /* remote_or */
#ifdef ANY_FIRST
        exchange(me, ANY, 1, s);
#endif
        atomic { exchange(me, HALF(slot), 1, s); TOUCH(tag) };
        refused = refused + s;
#if !defined(ANY_FIRST) && !defined(ANY_LATE)
        atomic { exchange(me, ANY, 1, s); TOUCH(tag) };
#endif
#ifdef NO_PIN
        exchange(me, STATE, s | QUEUED, s);
        done = ((s & QUEUED) == 0);
#else
        unpin(me, done);
#endif
#ifdef ANY_LATE
        exchange(me, ANY, 1, s);
#endif
        if
        :: done -> push(me)
        :: else
        fi
    fi;
    through++
}

/* loam_slab__pin, _unpin: a view */
proctype looker()
{
    byte s;
    bool done;
    pin(LOOKER, 1, done);
    if
    :: done ->
        TOUCH(1);
#ifdef LOOK_ONLY
        unpin(LOOKER, done);
#else
        unpin(LOOKER, done);
#endif
        if
        :: done -> push(LOOKER)
        :: else
        fi
    :: else
    fi;
    through++
}

/* remote_word and remote_merge, of one half */
inline take_half(i)
{
    peek(OWNER, HALF(i), v);
    if
    :: v != 0 ->
        exchange(OWNER, HALF(i), 0, v);
        if
        :: (free & (1 << i)) != 0 -> refused++
        :: else -> free = free | (1 << i); used--
        fi
    :: else
    fi
}

/* loam_slab__kill, and what follows: the slab goes, another one begins */
inline emptied()
{
    load(OWNER, STATE, s);
#ifdef KILL_STORE
    done = true;
    store(OWNER, STATE, 0);
    gone = true;
#else
    if
    :: (s & (PINS | QUEUED)) != 0 -> done = false
    :: else ->
        atomic {
            cas(OWNER, STATE, s, 0, done);
            if
            :: done -> gone = true
            :: else
            fi
        }
    fi;
#endif
    if
    :: done ->
        ended = true;
        /* loam_slab__remote_start */
        assert(VALUE(HALF(0)) == 0 && VALUE(HALF(1)) == 0 && VALUE(ANY) == 0);
#ifdef TAG_GOES
        poke(OWNER, TAG, 0);
#endif
        poke(OWNER, TAG, 2);
        atomic {
            births = 2;
            gone = false;
            used = 1; /* stays out */
            free = 2;
            store(OWNER, STATE, 2 * GENERATION + ALIVE)
        }
    :: else
    fi
}

/* remote_take */
inline take()
{
#ifdef TAKE_LATE
    exchange(OWNER, STATE, s + PIN, s);
#else
    exchange(OWNER, STATE, s + PIN - QUEUED, s);
#endif
    peek(OWNER, ANY, v); /* remote_take_words */
    if
    :: v != 0 ->
        exchange(OWNER, ANY, 0, v);
        take_half(0);
        take_half(1)
    :: else
    fi;
#ifdef TAKE_LATE
    exchange(OWNER, STATE, s - PIN - QUEUED, s);
#else
    exchange(OWNER, STATE, s - PIN, s); /* remote_take_end */
#endif
    if
    :: used == 0 -> emptied()
    :: else
    fi
}

proctype owner()
{
    byte s, v;
    bool done;
    do
    :: VALUE(STACK) != 0 -> /* loam_slabs_serve: loam_slab__take_stack */
        exchange(OWNER, STACK, 0, v);
        if
        :: v != 0 -> take()
        :: else
        fi
    :: through == 3 && VALUE(STACK) == 0 -> break
    od;
    assert(VALUE(HALF(0)) == 0 && VALUE(HALF(1)) == 0 && VALUE(ANY) == 0);
    assert((VALUE(STATE) & (PINS | QUEUED)) == 0);
#if defined(LATE)
    assert(refused == 1);
    assert(ended && used == 1)
#elif defined(TWICE)
    assert(refused == 1);
    assert(!ended && used == 1)
#else
    assert(refused == 0);
    assert(ended)
#endif
}

init
{
    atomic {
        w[STATE].e[0].value = GENERATION + ALIVE;
        w[TAG].e[0].value = 1;
        run owner();
        run publisher(1, 0);
#ifdef TWICE
        run publisher(2, 0);
#else
        run publisher(2, 1);
#endif
#ifdef LATE
        run publisher(3, 1)
#else
        run looker()
#endif
    }
}
