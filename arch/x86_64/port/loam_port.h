/* SPDX-License-Identifier: MIT */
#ifndef LOAM_X86_64_PORT_H
#define LOAM_X86_64_PORT_H

/* The port on a bare PC with 64 bits, one processor or many. Each processor's own data lies where
 * gs points (x64_percpu.h); nothing here may be called before x64_segments_init(). The contract is
 * in include/loam/port.h. */
#include "loam/base.h"
#include "loam/port_atomic.h"
#include "x64_layout.h"

enum { LOAM_PORT_MAX_CPUS = 32 };

static inline unsigned loam_port_cpu(void)
{
    unsigned number;
    __asm__ volatile("movl %%gs:%c1, %0" : "=r"(number) : "i"(X64_CPU_NUMBER));
    return number;
}

typedef uint64_t loam_irq; /* RFLAGS as it was */

static inline loam_irq loam_port_irq_save(void)
{
    loam_irq rflags;
    __asm__ volatile("pushfq\n\tpopq %0\n\tcli" : "=r"(rflags) : : "memory");
    return rflags;
}

static inline void loam_port_irq_restore(loam_irq irq)
{
    __asm__ volatile("pushq %0\n\tpopfq" : : "r"(irq) : "memory", "cc");
}

static inline void loam_port_relax(void)
{
    __asm__ volatile("pause" : : : "memory");
}

#include "arch/ticket_lock.h"

/* The processor's counter of cycles; x86_clock.c found its rate. */
static inline uint64_t loam_port_ticks(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

#endif
