/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_SEMIHOST_H
#define LOAM_KERN_SEMIHOST_H

/* semihost.h - ARM semihosting: asks the emulator to end with an exit code. On real hardware
 * without a debugger the instruction traps. */
void semihost_exit(int code);

#endif
