/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_GTIMER_H
#define LOAM_KERN_GTIMER_H

/* gtimer.h - the ARM generic timer's virtual timer as a periodic tick. */

/* The calling processor's interrupt line rises hz times a second from now on; hz > 0, the same for
 * all. */
void gtimer_start(unsigned hz);
/* Lowers the line and sets the next moment. */
void gtimer_next(void);

#endif
