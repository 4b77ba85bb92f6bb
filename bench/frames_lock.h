/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BENCH_FRAMES_LOCK_H
#define LOAM_BENCH_FRAMES_LOCK_H

/* frames_lock.h - the lock of the allocators that were written for the benches: the same kind as
 * the hosted port's, so that runs with two threads compare designs and not locks. */
#include <sched.h>
#include <stdint.h>

typedef struct spin {
    _Alignas(64) uint32_t held;
} spin;

static inline void spin_acquire(spin *s)
{
    unsigned spins = 0;
    while (__atomic_exchange_n(&s->held, 1, __ATOMIC_ACQUIRE) != 0) {
        while (__atomic_load_n(&s->held, __ATOMIC_RELAXED) != 0) {
#if defined(__x86_64__) || defined(__i386__)
            __builtin_ia32_pause();
#endif
            if ((++spins & 127) == 0)
                sched_yield();
        }
    }
}

static inline void spin_release(spin *s)
{
    __atomic_store_n(&s->held, 0, __ATOMIC_RELEASE); /* pairs with the exchange above */
}

#endif
