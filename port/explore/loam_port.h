/* SPDX-License-Identifier: MIT */
#ifndef LOAM_EXPLORE_PORT_H
#define LOAM_EXPLORE_PORT_H

/* The port under a scheduler that tries every order (explore.h). Each atomic access, each wait for
 * a lock and each place where an interrupt may come is a point at which another processor may go
 * on; a processor is an actor on a stack of its own, not a thread of the host. Outside of an
 * exploration, everything here does at once what it says. The contract is in
 * include/loam/port.h. */
#include "loam/base.h"

enum { LOAM_PORT_MAX_CPUS = 4 };

unsigned loam_port_cpu(void);

typedef uint32_t loam_irq; /* 1: interrupts were off already */

loam_irq loam_port_irq_save(void);
void loam_port_irq_restore(loam_irq irq);

/* Inside a loop that waits for others, and reads the same again: the actor rests until some word
 * has changed. */
void loam_port_relax(void);

typedef struct loam_lock {
    uint32_t held; /* [atomic] 0, or the actor that holds it, plus 1 */
} loam_lock;

#define LOAM_LOCK_INIT                                                                             \
    {                                                                                              \
        0                                                                                          \
    }

loam_irq loam_lock_acquire(loam_lock *lock);
void loam_lock_release(loam_lock *lock, loam_irq irq);

uint64_t loam_port_ticks(void); /* stands still: what happens must not hang on time */

uint32_t loam_atomic_load(const uint32_t *p);
uint32_t loam_atomic_peek(const uint32_t *p);
void loam_atomic_store(uint32_t *p, uint32_t v);
uint32_t loam_atomic_exchange(uint32_t *p, uint32_t v);
uint32_t loam_atomic_or(uint32_t *p, uint32_t v);
uint32_t loam_atomic_add(uint32_t *p, uint32_t v);
bool loam_atomic_cas(uint32_t *p, uint32_t old, uint32_t v);
uint16_t loam_atomic_peek16(const uint16_t *p);
void loam_atomic_poke16(uint16_t *p, uint16_t v);
uint64_t loam_atomic_peek64(const uint64_t *p);
void loam_atomic_poke64(uint64_t *p, uint64_t v);
uint8_t loam_atomic_byte_peek(const uint8_t *p);
void loam_atomic_byte_store(uint8_t *p, uint8_t v);
bool loam_atomic_byte_cas(uint8_t *p, uint8_t old, uint8_t v);
void *loam_atomic_ptr_load(void *const *p);
void *loam_atomic_ptr_peek(void *const *p);
void loam_atomic_ptr_store(void **p, void *v);
void *loam_atomic_ptr_exchange(void **p, void *v);
bool loam_atomic_ptr_cas(void **p, void *old, void *v);

#endif
