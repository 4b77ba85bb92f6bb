/* SPDX-License-Identifier: MIT */
#ifndef LOAM_HOSTED_PORT_H
#define LOAM_HOSTED_PORT_H

/* The port inside a process: a thread plays a processor. Threads that share a zone take different
 * numbers below LOAM_PORT_MAX_CPUS through loam_hosted_set_cpu(); a thread that takes none is
 * processor 0. */
#include "loam/base.h"
#include "loam/port_atomic.h"
#include "loam/port_lock.h"
#include "loam_port_notes.h"

#ifdef LOAM_HOSTED_FIRST_CPU /* a process's malloc: no number is larger */
enum { LOAM_PORT_MAX_CPUS = LOAM_HOSTED_FIRST_CPU + 1 };
#else
enum { LOAM_PORT_MAX_CPUS = 64 };
#endif

enum { LOAM_HOSTED_LINE = 256 };

/* The line of the report that ended the process; visible in core dumps. */
extern char loam_last_report[LOAM_HOSTED_LINE] __attribute__((visibility("default")));

/* In a program, which a library is not, reading it is one instruction. */
#if defined(__PIC__) && !defined(__PIE__)
extern _Thread_local unsigned loam_port_cpu_self;
#else
extern _Thread_local unsigned loam_port_cpu_self __attribute__((tls_model("local-exec")));
#endif

static inline unsigned loam_port_cpu(void)
{
    return loam_port_cpu_self;
}

/* Numbers this thread; cpu < LOAM_PORT_MAX_CPUS. */
static inline void loam_hosted_set_cpu(unsigned cpu)
{
    loam_port_cpu_self = cpu;
}

typedef unsigned loam_irq;

static inline loam_irq loam_port_irq_save(void)
{
    return 0;
}

static inline void loam_port_irq_restore(loam_irq irq)
{
    (void)irq;
}

static inline void loam_port_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* A lock that is waited for in a short loop, then by giving the processor away, then asleep
 * (loam_lock_hosted.c): its holder may not be running. With LOAM_LOCK_ORDER it knows the thread
 * that holds it, and looks at the rules of port_lock.c. */
typedef struct loam_lock {
    uint32_t held; /* [atomic] not 0 while somebody holds it; 2: somebody may sleep, too */
    uint32_t rank; /* [init] */
    void *owner;   /* [atomic] the holder's loam_hosted_held, with LOAM_LOCK_ORDER; else NULL */
} loam_lock;

#define LOAM_LOCK_OF(rank)                                                                         \
    {                                                                                              \
        0, (rank), NULL                                                                            \
    }
#define LOAM_LOCK_INIT LOAM_LOCK_OF(LOAM_RANK_NONE)

enum { LOAM_HOSTED_SLEEPS = 2 };

void loam_hosted_yield(void);

/* Returns when the caller holds it, and it does not yet.
 *   cost        while it is held: a loop of some microseconds, then system calls
 *   context     any thread; errno stays, and it is no point where a thread is cancelled
 */
void loam_hosted_lock_wait(uint32_t *held);

/* Nobody holds it from now on, and one that sleeps wakes up. By its holder.
 *   cost        a system call          context   any thread; errno stays
 */
void loam_hosted_lock_pass(uint32_t *held);

#if LOAM_LOCK_ORDER
extern _Thread_local loam_lock_held loam_hosted_held;

static inline void loam_hosted_lock_taking(loam_lock *lock)
{
    const char *rule = loam_lock_rule_again;
    if (loam_atomic_ptr_load(&lock->owner) != &loam_hosted_held) /* no other thread writes that */
        rule = loam_lock_order_take(&loam_hosted_held, lock, lock->rank);
    if (rule != NULL)
        loam_lock_broken(rule, lock, lock->rank);
}

static inline void loam_hosted_lock_taken(loam_lock *lock)
{
    loam_atomic_ptr_store(&lock->owner, &loam_hosted_held);
}

static inline void loam_hosted_lock_dropping(loam_lock *lock)
{
    const char *rule = loam_lock_rule_other;
    if (loam_atomic_ptr_load(&lock->owner) == &loam_hosted_held)
        rule = loam_lock_order_drop(&loam_hosted_held, lock->rank);
    if (rule != NULL)
        loam_lock_broken(rule, lock, lock->rank);
    loam_atomic_ptr_store(&lock->owner, NULL);
}
#else
static inline void loam_hosted_lock_taking(loam_lock *lock)
{
    (void)lock;
}

static inline void loam_hosted_lock_taken(loam_lock *lock)
{
    (void)lock;
}

static inline void loam_hosted_lock_dropping(loam_lock *lock)
{
    (void)lock;
}
#endif

static inline loam_irq loam_lock_acquire(loam_lock *lock)
{
    loam_hosted_lock_taking(lock);
    if (LOAM_UNLIKELY(!loam_atomic_cas(&lock->held, 0, 1)))
        loam_hosted_lock_wait(&lock->held);
    loam_hosted_lock_taken(lock);
    return 0;
}

static inline void loam_lock_release(loam_lock *lock, loam_irq irq)
{
    (void)irq;
    loam_hosted_lock_dropping(lock);
    /* no order: who falls asleep behind this look wakes up by himself */
    if (LOAM_LIKELY(loam_atomic_peek(&lock->held) != LOAM_HOSTED_SLEEPS))
        loam_atomic_store(&lock->held, 0); /* pairs with those who take it */
    else
        loam_hosted_lock_pass(&lock->held);
}

uint64_t loam_port_ticks(void); /* nanoseconds since an arbitrary start */

#if defined(__x86_64__)
#define LOAM_PORT_READS_ZERO(p, len) loam_hosted_reads_zero((p), (len))
#define LOAM_PORT_CLEAR(p, len)      loam_hosted_clear((p), (len))
#define LOAM_PORT_WIDE_START()       loam_wide_start()
void loam_wide_start(void); /* some tens of microseconds in a virtual machine */
bool loam_wide_is_avx2(void);
bool loam_hosted_reads_zero(const void *p, size_t len);
void loam_hosted_clear(void *p, size_t len);
#endif

#endif
