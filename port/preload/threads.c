/* SPDX-License-Identifier: MIT */
/* threads.c - threads as processors: numbers, ends, forks.
 *
 * WHAT   Gives each thread a processor number with its first allocation, and takes it back when the
 *        thread ends; keeps a fork from catching anybody inside.
 *
 * MODEL      no number  -- first malloc -->  number n, fronts online  -- ends -->  ended
 *            (the shared front)              no lock in fast paths             (the shared front)
 *
 *        Fronts of a thread that ends mostly stay as they are, for whoever has its number next: the
 *        one that frees a block of theirs first, or the next that comes. As many as there are
 *        processors: of more that end no next one is near.
 *
 *        A thread ends in the second round of its destructors: others may still free. What they
 *        free later goes through the shared front. Not in the last: a thread whose first block is
 *        asked for by a destructor has fewer rounds, and its number would never come back.
 *
 *        A fork happens with every lock of every layer held by the thread that forks, so that none
 *        is held by a thread that does not exist in the child. Fronts are no locks: a thread may
 *        be caught in the middle of a change of its own. The child leaves these fronts alone for
 *        ever, with what is in them: `abandoned` counts them.
 *
 *        Handlers of others that allocate have to run while nothing is held: ours come first,
 *        before anybody else can ask for one (fork_first.c).
 *
 *        fork() takes the lock of all streams after these handlers, and a thread that holds it may
 *        wait for memory: so it is taken before them, where the C library has it. Signals wait
 *        meanwhile: a handler that forks would find the locks its own. A process of one thread
 *        takes no lock: it may even fork in a handler that interrupts malloc.
 * LOCKS  threads.lock, around the numbers.
 * COST   A comparison in malloc; a key's destructor.
 * FROM   -
 * NOT    More threads than numbers: they share the front with the lock.
 */
#define _GNU_SOURCE
#include "../../core/slab_data.h"
#include "loam_libc.h"
#include "watch.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

enum { WORDS = (PROCESS_CPUS + 63) / 64, ROUNDS = 2, WARM = SLAB_RESTERS, WARM_LEAST = 4 };
_Static_assert(ROUNDS < PTHREAD_DESTRUCTOR_ITERATIONS, "begun in the first round, it ends");

static struct {
    loam_lock lock;
    uint64_t taken[WORDS]; /* [lock] numbers of threads */
    uint16_t warm[WARM];   /* [lock] those whose fronts rest */
    unsigned warm_count;   /* [lock] */
    uint32_t count;        /* [atomic] of them, written with the lock held */
    uint32_t abandoned;    /* [lock] of them, those whose threads a fork has left behind */
    bool left_behind;      /* [init] of a child, while it is alone */
    pthread_key_t key;     /* [init] any value, 0 too */
    bool has_key;          /* [init] */
    uint32_t few;          /* [init] so many have a number for the asking */
    uint32_t registered;   /* [atomic] 1: the handlers are asked for */
    pthread_once_t once;
} threads = {.lock = LOAM_LOCK_INIT, .once = PTHREAD_ONCE_INIT};

/* [thread] destructors still to come before this thread has ended; 0: it has not begun. */
static _Thread_local int rounds_left __attribute__((tls_model("initial-exec")));
static _Thread_local bool has_ended __attribute__((tls_model("initial-exec")));

static uint64_t no_word;  /* 0 */
static slab_held no_slot; /* NULL */

struct slab_stack thread_no_stack = {.word = &no_word, .top = &no_slot, .limit = &no_slot};

#define NO_FRONT    &thread_no_stack
#define NO_FRONTS4  NO_FRONT, NO_FRONT, NO_FRONT, NO_FRONT
#define NO_FRONTS12 NO_FRONTS4, NO_FRONTS4, NO_FRONTS4

_Thread_local struct slab_stack *thread_stack[THREAD_FRONTS]
    __attribute__((tls_model("initial-exec"))) = {NO_FRONTS12, NO_FRONTS12, NO_FRONTS12,
                                                  NO_FRONTS12, NO_FRONTS12, NO_FRONTS12,
                                                  NO_FRONTS12, NO_FRONT};
_Static_assert(THREAD_FRONTS == 7 * 12 + 1, "all of them");

/* [lock] One of those whose fronts rest: `heir`, or who came last. PROCESS_NOBODY: none rests. */
static unsigned number_warm(unsigned heir)
{
    unsigned n = threads.warm_count, at = n - 1;
    if (n == 0)
        return PROCESS_NOBODY;
    for (unsigned i = 0; i < n; i++)
        at = threads.warm[i] == heir ? i : at;
    unsigned number = threads.warm[at];
    threads.warm[at] = threads.warm[n - 1];
    threads.warm_count = n - 1;
    return number;
}

/* [lock] The lowest that nobody has. */
static unsigned number_least(void)
{
    for (unsigned i = 0; i < WORDS; i++) {
        if (~threads.taken[i] != 0)
            return i * 64 + loam_ctz64(~threads.taken[i]);
    }
    return PROCESS_NOBODY;
}

enum { PATIENCE = 8192 /* calls without a number, where many have one */ };

/* Processors that the process may run on. */
static uint32_t processors(void)
{
    cpu_set_t set;
    int before = errno, n = 1;
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        n = CPU_COUNT(&set);
    else if (errno == EINVAL) /* more than the set has room for */
        n = CPU_SETSIZE;
    errno = before;
    return (uint32_t)n;
}

uint32_t threads_prepare(void)
{
    uint32_t n = processors();
    threads.few = n > PROCESS_CPUS_FEW ? n : PROCESS_CPUS_FEW;
    return n > WARM_LEAST ? n : WARM_LEAST;
}

/* A thread without one comes here with every slow call. Fronts cost memory: beside many others,
 * more than run at a time, it has to ask often enough for that. */
static bool number_may_be(void)
{
    static _Thread_local uint32_t asked __attribute__((tls_model("initial-exec")));
    uint32_t count = loam_atomic_peek(&threads.count); /* no order: looked at again */
    return count < loam__conf.arenas && (count < threads.few || ++asked > PATIENCE);
}

static unsigned number_take(unsigned heir)
{
    unsigned number = PROCESS_NOBODY;
    if (!number_may_be())
        return number;
    loam_irq irq = loam_lock_acquire(&threads.lock);
    number = number_warm(heir);
    if (number == PROCESS_NOBODY)
        number = number_least();
    if (number < loam__conf.arenas) {
        threads.taken[number / 64] |= 1ULL << (number & 63);
        (void)loam_atomic_add(&threads.count, 1); /* no order: a hint */
    } else {
        number = PROCESS_NOBODY;
    }
    loam_lock_release(&threads.lock, irq);
    return number;
}

static void number_give(unsigned number, bool warm)
{
    loam_irq irq = loam_lock_acquire(&threads.lock);
    threads.taken[number / 64] &= ~(1ULL << (number & 63));
    if (warm && threads.warm_count < WARM)
        threads.warm[threads.warm_count++] = (uint16_t)number;
    (void)loam_atomic_add(&threads.count, 0U - 1); /* no order: a hint */
    loam_lock_release(&threads.lock, irq);
}

static void each_range(void (*fn)(process_range *r))
{
    uint32_t n = loam_atomic_load(&loam__process.ranges);
    for (uint32_t i = 0; i < n; i++)
        fn(&loam__process.range[i]);
}

static void range_online(process_range *r)
{
    loam_zone_online(r->zone);
    if (r->own != NULL)
        loam_zone_online(r->own);
    loam_slabs_online(r->slabs);
}

/* Do its slabs stay for who has the number next? */
static bool range_rest(process_range *r)
{
    bool rests = loam_slabs_rest(r->slabs);
    loam_zone_offline(r->zone);
    if (r->own != NULL)
        loam_zone_offline(r->own);
    return rests;
}

static void thread_leave(unsigned number)
{
    uint32_t n = loam_atomic_load(&loam__process.ranges);
    bool warm = false;
    for (uint32_t i = 0; i < n; i++)
        warm = range_rest(&loam__process.range[i]) || warm;
    loam_hosted_set_cpu(PROCESS_NOBODY);
    for (unsigned i = 0; i < THREAD_FRONTS; i++) /* whoever has the number next has them */
        thread_stack[i] = &thread_no_stack;
    number_give(number, warm);
}

/* Destructors run in rounds, and others may allocate in theirs: this thread ends in the second. */
static void thread_end(void *value)
{
    unsigned number = loam_port_cpu();
    if (--rounds_left > 0) {
        (void)pthread_setspecific(threads.key, value);
        return;
    }
    has_ended = true;
    if (number >= PROCESS_CPUS)
        return;
    thread_leave(number);
}

/* ---- forks ---- */

static void range_freeze(process_range *r)
{
    (void)loam_lock_acquire(&r->lock);
    (void)loam_slabs_freeze(r->slabs);
    (void)loam_zone_freeze(r->zone);
    if (r->own != NULL)
        (void)loam_zone_freeze(r->own);
}

static void range_thaw(process_range *r, bool alone)
{
    loam_irq none = loam_port_irq_save();
    if (r->own != NULL)
        loam_zone_thaw(r->own, none, alone);
    loam_zone_thaw(r->zone, none, alone);
    loam_slabs_thaw(r->slabs, none);
    loam_lock_release(&r->lock, none);
}

static void thaw_parent(process_range *r)
{
    range_thaw(r, false);
}

static void thaw_child(process_range *r)
{
    range_thaw(r, true);
}

/* glibc's; NULL where there is another. */
extern void _IO_list_lock(void) __attribute__((weak));
extern void _IO_list_unlock(void) __attribute__((weak));
extern void _IO_list_resetlock(void) __attribute__((weak));

static struct {
    bool done;     /* by the thread that forks, until it has forked */
    sigset_t mask; /* its own */
} frozen;

static void fork_prepare(void)
{
    sigset_t all, mask;
    if (libc_is_single())
        return;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &mask);
    if (_IO_list_lock != NULL)
        _IO_list_lock();
    (void)loam_lock_acquire(&loam__process.lock);
    each_range(range_freeze);
    huge_freeze();
    heaps_freeze();
    watch_freeze();
    (void)loam_lock_acquire(&threads.lock);
    frozen.done = true;
    frozen.mask = mask;
}

static void fork_end(void (*thaw)(process_range *r), void (*unlock_streams)(void))
{
    loam_irq none = loam_port_irq_save();
    sigset_t mask = frozen.mask;
    frozen.done = false;
    loam_lock_release(&threads.lock, none);
    watch_thaw();
    heaps_thaw();
    huge_thaw();
    each_range(thaw);
    loam_lock_release(&loam__process.lock, none);
    if (unlock_streams != NULL)
        unlock_streams();
    (void)pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

static void fork_parent(void)
{
    if (frozen.done)
        fork_end(thaw_parent, _IO_list_unlock);
}

/* Only the thread that forked is there: the numbers of the others are nobody's for ever. */
static void fork_child(void)
{
    uint32_t others = 0;
    watch_child();
    tight_child();
    if (!frozen.done)
        return;
    for (unsigned i = 0; i < WORDS; i++)
        others += loam_popcount64(threads.taken[i]);
    threads.abandoned = others - (others != 0 && thread_has_begun());
    threads.left_behind = true;
    fork_end(thaw_child, _IO_list_resetlock);
}

bool threads_are_many(void)
{
    return loam_atomic_peek(&threads.count) > 1; /* no order: a hint */
}

bool threads_left_behind(void)
{
    return threads.left_behind;
}

uint32_t threads_abandoned(void)
{
    loam_irq irq = loam_lock_acquire(&threads.lock);
    uint32_t n = threads.abandoned;
    loam_lock_release(&threads.lock, irq);
    return n;
}

/* Who registers here asks once more (fork_first.c). A sanitizer does so while it begins, when its
 * own pthread_once does not work yet. */
__attribute__((constructor(101))) void threads_expect_forks(void)
{
    /* pairs with the exchange, by another thread */
    if (loam_atomic_load(&threads.registered) == 0 && loam_atomic_cas(&threads.registered, 0, 1))
        (void)pthread_atfork(fork_prepare, fork_parent, fork_child);
}

/* A fork in the middle of this leaves a child in which it runs once more: what is registered stays
 * registered there, and twice would lock twice. */
static void make_key(void)
{
    threads.has_key = pthread_key_create(&threads.key, thread_end) == 0;
    threads_expect_forks();
}

int thread_hold(void)
{
    int before;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

void thread_let(int before)
{
    (void)pthread_setcancelstate(before, &before);
}

void thread_begin(unsigned heir)
{
    static _Thread_local bool begins __attribute__((tls_model("initial-exec")));
    if (has_ended || begins)
        return;
    begins = true; /* what follows may allocate: by the shared front */
    pthread_once(&threads.once, make_key);
    unsigned number = threads.has_key ? number_take(heir) : PROCESS_NOBODY;
    if (number != PROCESS_NOBODY) {
        loam_hosted_set_cpu(number);
        each_range(range_online);
        rounds_left = ROUNDS;
        if (pthread_setspecific(threads.key, &threads) != 0) {
            thread_leave(number);
            has_ended = true; /* nobody would tell of its end */
        }
    }
    begins = false;
}
