/* SPDX-License-Identifier: MIT */
/* tight.c - a process that comes near to what it may have prefers memory to time.
 *
 * WHAT   In a container of 64 MiB a program is ended when it wants the next page, however much of
 *        its memory nobody uses. Near the limit that goes back to the system before more is used.
 *
 * MODEL  The limit is LOAM_CONF=memory, or the least of the machine's and of the process's groups
 *        (loam_memory.h). It is looked for when ranges and huge blocks have TIGHT_FROM bytes, and
 *        again while they change, once in TIGHT_AGAIN, if there are groups: theirs may, too.
 *
 *            far               near                          short
 *            [ ................|............................|..margin..] limit
 *            nobody asks       counted, a look now and then   memory goes back
 *
 *        Near is from an eighth of it on, by what was made ready: then requests that find nothing
 *        at hand tell how much they take out of words, slabs and frames (loam_slab_config.tight),
 *        and after so many bytes somebody asks the system what is used. When less than the margin
 *        is left kept blocks go, and pages that nobody uses (sparse.c), until there is room again.
 *        A pass that one thread begins the others take part in, each when it comes by, as slabs are
 *        their thread's. Where the limit is below TIGHT_SMALL a system that has large pages for all
 *        memory gives none from the first look on: each is 2 MiB at once.
 *
 *        What went comes again when it is used, which shows nowhere but in what the system says. So
 *        the next look comes after a quarter of the room that is left; the further a process is
 *        beyond a limit that does not end it the less often, too; and after a pass that found
 *        nothing one is left out. The margin is a sixteenth: with an eighth programs paid twice as
 *        much that would have lived.
 * LOCKS  Each range's, once: when large pages are refused.
 * COST   Far: nothing; a look for the limit 0.1 ms. Near: some thirty instructions for each such
 *        request; a look: three system calls, or six.
 * FROM   -
 * NOT    Limits that others reach, or lower, while this process asks for nothing. Where system
 *        calls are filtered, the first limit of a group that had none when it was looked for.
 */
#include "../../core/slab_internal.h"
#include "loam_memory.h"
#include "preload.h"

#include <errno.h>

#define MIB         ((uint64_t)1 << 20)
#define TIGHT_LEAST (4 * MIB)             /* margin, unless that is more than an eighth, .. */
#define TIGHT_MOST  (64 * MIB)            /* .. at the least and at the most */
#define TIGHT_LOOK  ((uint64_t)256 << 10) /* between two looks at least */
#define TIGHT_SMALL (1024 * MIB)          /* of a limit below it large pages are too much */

enum {
    TIGHT_NEAR = 8,     /* a part of the limit, made ready */
    TIGHT_SHORT = 16,   /* the margin is a part of the limit */
    TIGHT_OFTEN = 4,    /* a look after a part of the room */
    TIGHT_SHARE = 64,   /* a thread counts a part of that by itself, unless memory is short */
    TIGHT_LITTLE = 16,  /* pages: a pass that gives no more found nothing */
    TIGHT_CHUNKS = 64,  /* of a pass at most */
    TIGHT_AGAIN = 1000, /* milliseconds for which a limit is believed */
    TIGHT_UNIT = 6      /* log2 of the bytes that are counted as one */
};

/* What loam_slab__set_tight takes. */
enum { TIGHT_IS_FAR, TIGHT_IS_NEAR, TIGHT_IS_SHORT };

static uint32_t busy;       /* [atomic] 1: somebody looks */
static loam_memory room_of; /* [busy] */
static uint32_t found;      /* [busy] milliseconds, when it was looked for, or 0: never */
static uint32_t told;       /* [busy] ranges that know that it is near; 0: it is far */
static uint32_t left;       /* [atomic] units that threads may still take; below 0: it is time */
static uint32_t passes;     /* [atomic] that were begun */
static uint32_t wanted;     /* [atomic] pages that each thread is to give in one */
static bool rests;          /* [busy] the last pass found nothing: a look without one follows */
static bool small;          /* [busy] large pages were refused */

/* Of each thread, by its number. */
static struct {
    uint32_t pass; /* [cpu] the last one it took part in */
    uint32_t hand; /* [cpu] of sparse_sweep */
} part[PROCESS_CPUS];

/* ---- the limit ---- */

/* A group's may, and one that had none may get one. The machine's does not; and who sets up a
 * filter of system calls for himself may be ended for a file that is opened then: so that is done
 * there only where there was a limit. */
static bool tight_may_change(uint32_t ms)
{
    if (loam__conf.memory != PROCESS_MEMORY || ms - found < TIGHT_AGAIN)
        return false;
    return room_of.of != LOAM_MEMORY_OF_RAM || (room_of.grouped && !process_is_filtered());
}

/* [busy] Has another limit been found? What can be read no more, in want of files, stays. */
static bool tight_find(void)
{
    loam_memory now = {.limit = loam__conf.memory};
    uint32_t ms = (uint32_t)(loam_port_ticks() / 1000000U) | 1U;
    if (found != 0 && !tight_may_change(ms))
        return false;
    if (loam__conf.memory == PROCESS_MEMORY)
        loam_memory_find(&now, "");
    bool other = found == 0 || (now.limit != UINT64_MAX && now.limit != room_of.limit);
    if (other || now.limit == room_of.limit)
        room_of = now;
    found = ms;
    return other;
}

static uint64_t tight_used(void)
{
    return loam__conf.memory == PROCESS_MEMORY ? loam_memory_used(&room_of) : loam_memory_mine();
}

static uint64_t tight_margin(void)
{
    uint64_t limit = room_of.limit, margin = limit / TIGHT_SHORT;
    uint64_t least = limit / 8 < TIGHT_LEAST ? limit / 8 : TIGHT_LEAST;
    return margin < least ? least : margin < TIGHT_MOST ? margin : TIGHT_MOST;
}

static void tight_set(uint32_t how, size_t step)
{
    uint32_t n = loam_atomic_load(&loam__process.ranges); /* pairs with process_set_ranges */
    for (uint32_t i = 0; i < n; i++)
        loam_slab__set_tight(loam__process.range[i].slabs, how, step);
}

/* ---- passes ---- */

static void tight_drop_kept(void)
{
    uint32_t n = loam_atomic_load(&loam__process.ranges); /* pairs with process_set_ranges */
    for (uint32_t i = 0; i < n; i++) {
        (void)loam_slab__drop_empty(loam__process.range[i].slabs, NULL);
        (void)loam_slab__kept_drop(loam__process.range[i].slabs, true);
    }
    (void)huge_drop_kept(true);
}

/* [busy] Memory goes, of this thread now, and of the others; bytes. */
static uint64_t tight_pass(uint64_t bytes)
{
    unsigned cpu = loam_port_cpu();
    loam_atomic_store(&wanted, (uint32_t)(bytes >> LOAM_PAGE_SHIFT)); /* no order: a bound */
    part[cpu].pass = loam_atomic_add(&passes, 1) + 1;                 /* no order: as above */
    tight_drop_kept();
    uint64_t gone = sparse_sweep(&part[cpu].hand, bytes, TIGHT_CHUNKS);
    rests = gone >> LOAM_PAGE_SHIFT <= TIGHT_LITTLE;
    return gone;
}

/* [busy] The next look comes after so many bytes. */
static void tight_wait(uint32_t how, uint64_t bytes)
{
    uint64_t units = (bytes > TIGHT_LOOK ? bytes : TIGHT_LOOK) >> TIGHT_UNIT;
    uint32_t n = units < INT32_MAX / 2 ? (uint32_t)units : INT32_MAX / 2;
    loam_atomic_store(&left, n); /* no order: a bound */
    tight_set(how, how == TIGHT_IS_SHORT ? 0 : (size_t)(n / TIGHT_SHARE) << TIGHT_UNIT);
}

/* [busy] Is it near the limit, as that is now? The ranges are told what is new to them. */
static bool tight_is_near(void)
{
    uint32_t n = loam_atomic_load(&loam__process.ranges); /* pairs with process_set_ranges */
    bool other = tight_find(), near = limit_taken() >= room_of.limit / TIGHT_NEAR;
    if (near && (other || told < n))
        tight_wait(TIGHT_IS_NEAR, 0);
    if (!near && (other || told != 0))
        tight_set(TIGHT_IS_FAR, 0);
    told = near ? n : 0;
    return near;
}

void tight_see(void)
{
    while (loam__conf.memory != 0 && loam_atomic_cas(&busy, 0, 1)) { /* pairs with the exchange */
        uint64_t has = limit_taken();
        (void)tight_is_near();
        (void)loam_atomic_exchange(&busy, 0); /* pairs with the cas: who came meanwhile did not */
        if (limit_taken() <= has)
            return;
    }
}

void tight_child(void)
{
    found = busy == 0 ? found : 0; /* whoever looked is not there */
    busy = 0;
}

/* [busy] */
static void tight_look(void)
{
    if (!tight_is_near())
        return;
    uint64_t limit = room_of.limit, used = tight_used(), margin = tight_margin();
    uint64_t room = used < limit ? limit - used : 0, over = used + room - limit;
    uint32_t how = room <= 2 * margin ? TIGHT_IS_SHORT : TIGHT_IS_NEAR;
    if (limit < TIGHT_SMALL && !small) {
        small = true;
        process_refuse_large();
    }
    if (room > margin)
        room = 2 * (room - margin);
    else if (rests)
        rests = false;
    else
        room += tight_pass(margin - room + TIGHT_LOOK);
    tight_wait(how, (room + over) / TIGHT_OFTEN);
}

void process_tight(loam_slabs *slabs, size_t bytes)
{
    unsigned cpu = loam_port_cpu();
    (void)slabs;
    if (cpu >= PROCESS_CPUS)
        return;
    uint32_t units = (uint32_t)(bytes >> TIGHT_UNIT);
    bool late = (int32_t)(loam_atomic_add(&left, 0 - units) - units) < 0; /* no order: a bound */
    uint32_t now = loam_atomic_peek(&passes);                             /* no order: a wish */
    int before = errno;
    if (late && loam_atomic_cas(&busy, 0, 1)) { /* pairs with the store below */
        tight_look();
        loam_atomic_store(&busy, 0); /* pairs with the cas above */
    } else if (part[cpu].pass != now) {
        part[cpu].pass = now;
        uint64_t pages = loam_atomic_peek(&wanted); /* no order: a bound */
        (void)sparse_sweep(&part[cpu].hand, pages << LOAM_PAGE_SHIFT, TIGHT_CHUNKS);
    } else if (bytes >= TIGHT_LOOK) {
        tight_see(); /* the next look is far, and the limit may come nearer before it */
    }
    errno = before;
}
