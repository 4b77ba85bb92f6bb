/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_PIT_H
#define LOAM_KERN_PIT_H

/* pit.h - channel 0 of the PC's timer as a periodic tick, on interrupt line 0. */

enum { PIT_HZ = 1193182, PIT_LINE = 0 };

/* Line 0 rises hz times a second from now on, as exactly as whole steps of 1/1193182 s allow; hz
 * from 19 to 10000. */
void pit_start(unsigned hz);

#endif
