/* SPDX-License-Identifier: MIT */
#ifndef LOAM_ARCH_TICKET_LOCK_H
#define LOAM_ARCH_TICKET_LOCK_H

/* ticket_lock.h - the lock of bare machines with several processors. A port's header defines
 * loam_port_cpu, loam_irq and the atomics, then includes this.
 *
 *     next     0 1 2 3 [4]        tickets 2 and 3 wait: processors are served in the order in which
 *     serving    [1]              they came, and none waits for ever
 *     owner    5                  processor 4 has ticket 1
 */
#include "loam/port_lock.h"
#include "loam_port.h"

typedef struct loam_lock {
    uint32_t next;    /* [atomic] the next ticket */
    uint32_t serving; /* [atomic] the ticket that holds the lock */
    uint32_t owner;   /* [atomic] the processor that has it, plus 1; 0: nobody */
    uint32_t rank;    /* [init] */
} loam_lock;

#define LOAM_LOCK_OF(rank)                                                                         \
    {                                                                                              \
        0, 0, 0, (rank)                                                                            \
    }
#define LOAM_LOCK_INIT LOAM_LOCK_OF(LOAM_RANK_NONE)

/* Called again and again by who waits for a lock, interrupts off: serves what other processors ask
 * meanwhile, for the holder may be one that asks. */
void loam_port_lock_wait(void);

#if LOAM_LOCK_ORDER
extern loam_lock_held loam_port_held[LOAM_PORT_MAX_CPUS]; /* [cpu] */

static inline void loam_lock__take(loam_lock *lock)
{
    const char *rule = loam_lock_order_take(&loam_port_held[loam_port_cpu()], lock, lock->rank);
    if (LOAM_UNLIKELY(rule != NULL))
        loam_lock_broken(rule, lock, lock->rank);
}

static inline void loam_lock__drop(loam_lock *lock)
{
    const char *rule = loam_lock_order_drop(&loam_port_held[loam_port_cpu()], lock->rank);
    if (LOAM_UNLIKELY(rule != NULL))
        loam_lock_broken(rule, lock, lock->rank);
}
#else
static inline void loam_lock__take(loam_lock *lock)
{
    (void)lock;
}

static inline void loam_lock__drop(loam_lock *lock)
{
    (void)lock;
}
#endif

static inline loam_irq loam_lock_acquire(loam_lock *lock)
{
    loam_irq irq = loam_port_irq_save();
    uint32_t self = loam_port_cpu() + 1, ticket;
    if (LOAM_UNLIKELY(loam_atomic_peek(&lock->owner) == self)) /* nobody else writes that */
        loam_lock_broken(loam_lock_rule_again, lock, lock->rank);
    loam_lock__take(lock);
    ticket = loam_atomic_add(&lock->next, 1);
    while (loam_atomic_load(&lock->serving) != ticket) /* pairs with the store in release */
        loam_port_lock_wait();
    loam_atomic_store(&lock->owner, self); /* its partner is the holder itself: no order needed */
    return irq;
}

static inline void loam_lock_release(loam_lock *lock, loam_irq irq)
{
    if (LOAM_UNLIKELY(loam_atomic_peek(&lock->owner) != loam_port_cpu() + 1))
        loam_lock_broken(loam_lock_rule_other, lock, lock->rank);
    loam_lock__drop(lock);
    loam_atomic_store(&lock->owner, 0);
    /* pairs with the load in acquire */
    loam_atomic_store(&lock->serving, loam_atomic_peek(&lock->serving) + 1);
    loam_port_irq_restore(irq);
}

#endif
