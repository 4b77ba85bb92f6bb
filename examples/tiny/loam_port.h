/* SPDX-License-Identifier: MIT */
#ifndef TINY_LOAM_PORT_H
#define TINY_LOAM_PORT_H

/* The smallest port: one processor, no interrupts. Beside each line stands what a larger machine
 * does there. One line a function, because it is read as a table. */
#include "loam/base.h"

/* clang-format off */
/* [port] */
#include "loam/port_atomic.h"

enum { LOAM_PORT_MAX_CPUS = 1 };
typedef unsigned loam_irq;
typedef struct loam_lock { uint32_t held; } loam_lock;
#define LOAM_LOCK_INIT {0}

static inline unsigned loam_port_cpu(void) { return 0; }      /* a register of the processor */
static inline loam_irq loam_port_irq_save(void) { return 0; } /* interrupts off, the old flag */
static inline void loam_port_irq_restore(loam_irq irq) { (void)irq; }
static inline void loam_port_relax(void) {}                   /* pause, yield */
uint64_t loam_port_ticks(void);                               /* a cycle counter, a timer */

/* irq_save, then wait for the lock; release it, then irq_restore. */
static inline loam_irq loam_lock_acquire(loam_lock *lock)
    { loam_irq irq = loam_port_irq_save(); lock->held = 1; return irq; }
static inline void loam_lock_release(loam_lock *lock, loam_irq irq)
    { lock->held = 0; loam_port_irq_restore(irq); }
/* [end] */
/* clang-format on */

#endif
