/* SPDX-License-Identifier: MIT */
/* loam_lock_hosted.c - waiting for a lock inside a process.
 *
 * WHAT   A lock is mostly free again in less than a microsecond, unless its holder does not run:
 *        then the processor has to be given to him.
 * MODEL  A loop for as long as others hold it; then the processor is given away, some times; then
 *        sleep, until the holder wakes one up.
 *
 *            held 1 --- a look, 128 times ---> sched_yield, 8 times ---> held 2, asleep
 *                                                                        ^          |
 *                                                                        '- woken, or a while later
 *
 *        Giving the processor away is not enough: to a thread of a lower priority of SCHED_FIFO or
 *        SCHED_RR the system gives nothing while one of a higher one could run. That one sleeps.
 *
 *        Who releases looks for 2 before he writes 0, without an order between: a release costs a
 *        load more. Who writes 2 just between the two is not woken; he wakes up by himself.
 * LOCKS  It is one.
 * COST   Without waiting a compare-and-swap and a store; asleep two system calls.
 * FROM   U. Drepper, "Futexes are tricky": the mark of those who sleep.
 * NOT    Order among those who wait. Systems without futex: there the processor is given away.
 */
#define _GNU_SOURCE
#include "loam/port.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/syscall.h>
#endif

enum { LOCK_LOOKS = 128, LOCK_YIELDS = 8, LOCK_SLEEP_NS = 1000000 };

void loam_hosted_yield(void)
{
    sched_yield();
}

#ifdef SYS_futex

/* Of linux/futex.h, which not every system has. */
enum { LOCK_PRIVATE = 128, LOCK_FUTEX_WAIT = 0 | LOCK_PRIVATE, LOCK_FUTEX_WAKE = 1 | LOCK_PRIVATE };

/* Not the C library's nanosleep: a thread may be cancelled in that one. */
static void lock_sleep(const uint32_t *held)
{
    const long most[2] = {0, LOCK_SLEEP_NS}; /* seconds, nanoseconds: as the call has them */
    int before = errno;
    (void)syscall(SYS_futex, held, LOCK_FUTEX_WAIT, LOAM_HOSTED_SLEEPS, most, NULL, 0);
    errno = before;
}

static void lock_wake(uint32_t *held)
{
    int before = errno;
    (void)syscall(SYS_futex, held, LOCK_FUTEX_WAKE, 1, NULL, NULL, 0);
    errno = before;
}

#else

static void lock_sleep(const uint32_t *held)
{
    (void)held;
    loam_hosted_yield();
}

static void lock_wake(uint32_t *held)
{
    (void)held;
}

#endif

/* Others hold it, and may let go meanwhile. */
static void lock_look(const uint32_t *held)
{
    for (unsigned i = 0; i < LOCK_LOOKS && loam_atomic_peek(held) != 0; i++) /* no order: a hint */
        loam_port_relax();
}

void loam_hosted_lock_wait(uint32_t *held)
{
    for (unsigned i = 0; i < LOCK_YIELDS; i++) {
        lock_look(held);
        if (loam_atomic_cas(held, 0, 1)) /* pairs with loam_lock_release */
            return;
        loam_hosted_yield();
    }
    while (loam_atomic_exchange(held, LOAM_HOSTED_SLEEPS) != 0) /* pairs with loam_lock_release */
        lock_sleep(held);
}

void loam_hosted_lock_pass(uint32_t *held)
{
    loam_atomic_store(held, 0); /* pairs with loam_hosted_lock_wait */
    lock_wake(held);
}
