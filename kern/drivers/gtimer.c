/* SPDX-License-Identifier: MIT */
/* gtimer.c - the ARM generic timer. Its rate is read from the machine, never assumed. */
#include "gtimer.h"
#include <stdint.h>

static uint64_t period; /* ticks between two interrupts, on every processor */

void gtimer_start(unsigned hz)
{
    uint64_t rate;
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(rate));
    period = rate / hz;
    gtimer_next();
    __asm__ volatile("msr cntv_ctl_el0, %0\n\tisb" : : "r"(1UL)); /* enabled, not masked */
}

void gtimer_next(void)
{
    __asm__ volatile("msr cntv_tval_el0, %0\n\tisb" : : "r"(period));
}
