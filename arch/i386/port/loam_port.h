/* SPDX-License-Identifier: MIT */
#ifndef LOAM_I386_PORT_H
#define LOAM_I386_PORT_H

/* The port on a bare PC with one processor, from the 80386 on. That processor has neither cmpxchg
 * nor xadd; with one processor, nothing can come between two instructions but an interrupt, so
 * interrupts off is an atomic operation, and a lock. The contract is in include/loam/port.h. */
#include "loam/base.h"
#include "loam/port_lock.h"
#include "x86_clock.h"

enum { LOAM_PORT_MAX_CPUS = 1 };

static inline unsigned loam_port_cpu(void)
{
    return 0;
}

typedef uint32_t loam_irq; /* EFLAGS as it was */

static inline loam_irq loam_port_irq_save(void)
{
    loam_irq eflags;
    __asm__ volatile("pushfl\n\tpopl %0\n\tcli" : "=r"(eflags) : : "memory");
    return eflags;
}

static inline void loam_port_irq_restore(loam_irq irq)
{
    __asm__ volatile("pushl %0\n\tpopfl" : : "r"(irq) : "memory", "cc");
}

static inline void loam_port_relax(void)
{
    __asm__ volatile("" : : : "memory");
}

/* Interrupts off is what locks; `held` is for the rules of port_lock.c: nobody could ever wait. */
typedef struct loam_lock {
    uint32_t held; /* 1 while somebody holds it */
    uint32_t rank; /* [init] */
} loam_lock;

#define LOAM_LOCK_OF(rank)                                                                         \
    {                                                                                              \
        0, (rank)                                                                                  \
    }
#define LOAM_LOCK_INIT LOAM_LOCK_OF(LOAM_RANK_NONE)

#if LOAM_LOCK_ORDER
extern loam_lock_held loam_port_held[LOAM_PORT_MAX_CPUS];
#endif

static inline loam_irq loam_lock_acquire(loam_lock *lock)
{
    loam_irq irq = loam_port_irq_save();
    const char *rule = lock->held != 0 ? loam_lock_rule_again : NULL;
#if LOAM_LOCK_ORDER
    if (rule == NULL)
        rule = loam_lock_order_take(loam_port_held, lock, lock->rank);
#endif
    if (LOAM_UNLIKELY(rule != NULL))
        loam_lock_broken(rule, lock, lock->rank);
    lock->held = 1;
    return irq;
}

static inline void loam_lock_release(loam_lock *lock, loam_irq irq)
{
    const char *rule = lock->held == 0 ? loam_lock_rule_other : NULL;
#if LOAM_LOCK_ORDER
    if (rule == NULL)
        rule = loam_lock_order_drop(loam_port_held, lock->rank);
#endif
    if (LOAM_UNLIKELY(rule != NULL))
        loam_lock_broken(rule, lock, lock->rank);
    lock->held = 0;
    loam_port_irq_restore(irq);
}

/* The processor's counter where it has one, else the PIT's. */
static inline uint64_t loam_port_ticks(void)
{
    return x86_ticks();
}

/* Aligned words are read and written whole; the compiler alone has to be kept in order. */
static inline uint32_t loam_atomic_load(const uint32_t *p)
{
    uint32_t v = *(const volatile uint32_t *)p;
    __asm__ volatile("" : : : "memory");
    return v;
}

static inline uint32_t loam_atomic_peek(const uint32_t *p)
{
    return *(const volatile uint32_t *)p;
}

static inline void loam_atomic_store(uint32_t *p, uint32_t v)
{
    __asm__ volatile("" : : : "memory");
    *(volatile uint32_t *)p = v;
}

static inline uint32_t loam_atomic_exchange(uint32_t *p, uint32_t v)
{
    __asm__ volatile("xchgl %0, %1" : "+r"(v), "+m"(*p) : : "memory");
    return v;
}

static inline uint32_t loam_atomic_or(uint32_t *p, uint32_t v)
{
    loam_irq irq = loam_port_irq_save();
    uint32_t old = *p;
    *p = old | v;
    loam_port_irq_restore(irq);
    return old;
}

static inline uint32_t loam_atomic_add(uint32_t *p, uint32_t v)
{
    loam_irq irq = loam_port_irq_save();
    uint32_t old = *p;
    *p = old + v;
    loam_port_irq_restore(irq);
    return old;
}

static inline bool loam_atomic_cas(uint32_t *p, uint32_t old, uint32_t v)
{
    loam_irq irq = loam_port_irq_save();
    bool same = *p == old;
    if (same)
        *p = v;
    loam_port_irq_restore(irq);
    return same;
}

static inline uint8_t loam_atomic_byte_peek(const uint8_t *p)
{
    return *(const volatile uint8_t *)p;
}

static inline void loam_atomic_byte_store(uint8_t *p, uint8_t v)
{
    __asm__ volatile("" : : : "memory");
    *(volatile uint8_t *)p = v;
}

static inline bool loam_atomic_byte_cas(uint8_t *p, uint8_t old, uint8_t v)
{
    loam_irq irq = loam_port_irq_save();
    bool same = *p == old;
    if (same)
        *p = v;
    loam_port_irq_restore(irq);
    return same;
}

static inline uint16_t loam_atomic_peek16(const uint16_t *p)
{
    return *(const volatile uint16_t *)p;
}

static inline void loam_atomic_poke16(uint16_t *p, uint16_t v)
{
    *(volatile uint16_t *)p = v;
}

static inline void *loam_atomic_ptr_load(void *const *p)
{
    void *v = *(void *const volatile *)p;
    __asm__ volatile("" : : : "memory");
    return v;
}

static inline void *loam_atomic_ptr_peek(void *const *p)
{
    return *(void *const volatile *)p;
}

/* One processor: whoever looks is the one who wrote. */
static inline uint64_t loam_atomic_peek64(const uint64_t *p)
{
    return *p;
}

static inline void loam_atomic_poke64(uint64_t *p, uint64_t v)
{
    *p = v;
}

static inline void loam_atomic_ptr_store(void **p, void *v)
{
    __asm__ volatile("" : : : "memory");
    *(void *volatile *)p = v;
}

static inline void *loam_atomic_ptr_exchange(void **p, void *v)
{
    __asm__ volatile("xchgl %0, %1" : "+r"(v), "+m"(*p) : : "memory");
    return v;
}

static inline bool loam_atomic_ptr_cas(void **p, void *old, void *v)
{
    loam_irq irq = loam_port_irq_save();
    bool same = *p == old;
    if (same)
        *p = v;
    loam_port_irq_restore(irq);
    return same;
}

#endif
