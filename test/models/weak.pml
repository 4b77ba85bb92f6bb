/* SPDX-License-Identifier: MIT */
/* weak.pml - words as C11 sees them, for the models beside it.
 *
 * A word is the list of all its values, in the order in which they were written. Each process has,
 * for every word, the place in the list before which it cannot go back; what it reads may be any
 * value from there on. An entry keeps what its writer could not unsee: who acquires it cannot
 * either. So a value may be old on one processor while another has long seen the new one, unless a
 * release and an acquire, or a lock, forbid it:
 *
 *        flag   0   1                 data   0   7            seen of a reader: flag at 0, data at 0
 *                   ^ leaves: data at 1                       acquires flag = 1: data at 1
 *
 * A read-and-write (exchange, or, add, cas) takes the last value, and passes on what that left.
 * What is not here: a store that goes in between older ones, and values out of thin air; of the
 * words of these models each is stored to by one process, or under a lock, or by read-and-writes.
 *
 * Before this file: WORDS, PROCS, LOCKS, HIST (values of a word at most).
 */
typedef past {
    byte at[WORDS]
}
typedef entry {
    byte value;
    past leaves
}
typedef word {
    entry e[HIST];
    byte last
}
typedef mutex {
    bool held;
    past leaves
}
word w[WORDS];
past seen[PROCS];
mutex m[LOCKS];
byte k_, v_; /* of the macros below */

#define VALUE(x) w[x].e[w[x].last].value /* the newest */

#define JOIN(to, from)                                                                             \
    for (k_ : 0 .. WORDS - 1) {                                                                    \
        if                                                                                         \
        :: to.at[k_] < from.at[k_] -> to.at[k_] = from.at[k_]                                      \
        :: else                                                                                    \
        fi                                                                                         \
    }                                                                                              \
    k_ = 0

/* Of a word whose older values nobody can be misled by, only the newest is kept. */
#ifndef NEWEST
#define NEWEST(x) false
#endif

#define APPEND(p, x, v)                                                                            \
    v_ = v;                                                                                        \
    if                                                                                             \
    :: NEWEST(x)                                                                                   \
    :: !NEWEST(x) ->                                                                               \
        assert(w[x].last < HIST - 1);                                                              \
        w[x].last++                                                                                \
    fi;                                                                                            \
    w[x].e[w[x].last].value = v_;                                                                  \
    v_ = 0;                                                                                        \
    seen[p].at[x] = w[x].last;                                                                     \
    printf("process %d stores word %d: %d\n", p, x, VALUE(x))

/* A read-and-write passes on what the value before it left. */
#define PASS_ON(x)                                                                                 \
    if                                                                                             \
    :: NEWEST(x)                                                                                   \
    :: !NEWEST(x) ->                                                                               \
        JOIN(w[x].e[w[x].last].leaves, w[x].e[w[x].last - 1].leaves)                               \
    fi

/* A store does not. */
#define FORGET(x)                                                                                  \
    for (k_ : 0 .. WORDS - 1) {                                                                    \
        w[x].e[w[x].last].leaves.at[k_] = 0                                                        \
    }                                                                                              \
    k_ = 0

/* loam_atomic_peek */
#define peek(p, x, out)                                                                            \
    atomic {                                                                                       \
        do                                                                                         \
        :: seen[p].at[x] < w[x].last -> seen[p].at[x]++                                            \
        :: break                                                                                   \
        od;                                                                                        \
        out = w[x].e[seen[p].at[x]].value;                                                         \
        printf("process %d peeks word %d: %d\n", p, x, out)                                        \
    }

/* loam_atomic_load */
#define load(p, x, out)                                                                            \
    atomic {                                                                                       \
        do                                                                                         \
        :: seen[p].at[x] < w[x].last -> seen[p].at[x]++                                            \
        :: break                                                                                   \
        od;                                                                                        \
        out = w[x].e[seen[p].at[x]].value;                                                         \
        JOIN(seen[p], w[x].e[seen[p].at[x]].leaves);                                               \
        printf("process %d loads word %d: %d\n", p, x, out)                                        \
    }

/* loam_atomic_store */
#define store(p, x, v)                                                                             \
    atomic {                                                                                       \
        APPEND(p, x, v);                                                                           \
        FORGET(x);                                                                                 \
        JOIN(w[x].e[w[x].last].leaves, seen[p])                                                    \
    }

/* A store without order. */
#define poke(p, x, v)                                                                              \
    atomic {                                                                                       \
        APPEND(p, x, v)                                                                            \
    }

/* loam_atomic_exchange, _or, _add: out is the old value, v may be said in terms of it. */
#define exchange(p, x, v, out)                                                                     \
    atomic {                                                                                       \
        out = VALUE(x);                                                                            \
        seen[p].at[x] = w[x].last;                                                                 \
        JOIN(seen[p], w[x].e[w[x].last].leaves);                                                   \
        APPEND(p, x, v);                                                                           \
        PASS_ON(x);                                                                                \
        JOIN(w[x].e[w[x].last].leaves, seen[p])                                                    \
    }

/* loam_atomic_cas */
#define cas(p, x, old, v, done)                                                                    \
    atomic {                                                                                       \
        done = (VALUE(x) == old);                                                                  \
        seen[p].at[x] = w[x].last;                                                                 \
        JOIN(seen[p], w[x].e[w[x].last].leaves);                                                   \
        if                                                                                         \
        :: done ->                                                                                 \
            APPEND(p, x, v);                                                                       \
            PASS_ON(x);                                                                            \
            JOIN(w[x].e[w[x].last].leaves, seen[p])                                                \
        :: else                                                                                    \
        fi                                                                                         \
    }

/* A cas without order. */
#define cas_poke(p, x, old, v, done)                                                               \
    atomic {                                                                                       \
        done = (VALUE(x) == old);                                                                  \
        seen[p].at[x] = w[x].last;                                                                 \
        if                                                                                         \
        :: done ->                                                                                 \
            APPEND(p, x, v);                                                                       \
            PASS_ON(x)                                                                             \
        :: else                                                                                    \
        fi                                                                                         \
    }

#define lock(p, l)                                                                                 \
    atomic {                                                                                       \
        !m[l].held -> m[l].held = true;                                                            \
        JOIN(seen[p], m[l].leaves)                                                                 \
    }

#define unlock(p, l)                                                                               \
    atomic {                                                                                       \
        JOIN(m[l].leaves, seen[p]);                                                                \
        m[l].held = false                                                                          \
    }
