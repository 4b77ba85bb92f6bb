/* SPDX-License-Identifier: MIT */
#ifndef STACSOS_TEST_PORT_H
#define STACSOS_TEST_PORT_H

/* The hosted port with an interrupt flag, and a count of locks held: for stacsos_irq_test.c alone,
 * one thread. */
#define loam_lock_acquire hosted_lock_acquire
#define loam_lock_release hosted_lock_release
#include "../../../port/hosted/loam_port.h"
#undef loam_lock_acquire
#undef loam_lock_release

extern unsigned test_irq_flag, test_locks_held, test_locks_taken;

static inline loam_irq loam_lock_acquire(loam_lock *lock)
{
    loam_irq irq = test_irq_flag;
    test_irq_flag = 0;
    (void)hosted_lock_acquire(lock);
    test_locks_held++;
    test_locks_taken++;
    return irq;
}

static inline void loam_lock_release(loam_lock *lock, loam_irq irq)
{
    test_locks_held--;
    hosted_lock_release(lock, 0);
    test_irq_flag = irq;
}

#endif
