/* SPDX-License-Identifier: MIT */
#ifndef LOAM_AARCH64_PORT_H
#define LOAM_AARCH64_PORT_H

/* The port on a bare AArch64 machine. Atomics compile to load-exclusive/store-exclusive pairs; on
 * the board these work only while the MMU and the caches are on, so nothing here may be called
 * before mmu_on(). The contract is in include/loam/port.h. */
#include "loam/base.h"
#include "loam/port_atomic.h"

enum { LOAM_PORT_MAX_CPUS = 16 };

/* start.S has put it into the register that is there for such things. */
static inline unsigned loam_port_cpu(void)
{
    uint64_t cpu;
    __asm__ volatile("mrs %0, tpidr_el1" : "=r"(cpu));
    return (unsigned)cpu;
}

typedef uint64_t loam_irq; /* DAIF as it was */

static inline loam_irq loam_port_irq_save(void)
{
    loam_irq daif;
    __asm__ volatile("mrs %0, daif\n\tmsr daifset, #2" : "=r"(daif) : : "memory");
    return daif;
}

static inline void loam_port_irq_restore(loam_irq irq)
{
    __asm__ volatile("msr daif, %0" : : "r"(irq) : "memory");
}

static inline void loam_port_relax(void)
{
    __asm__ volatile("yield" : : : "memory");
}

#include "arch/ticket_lock.h"

/* The generic timer's virtual counter; CNTFRQ_EL0 ticks a second. */
static inline uint64_t loam_port_ticks(void)
{
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks) : : "memory");
    return ticks;
}

#endif
