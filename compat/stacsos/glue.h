/* SPDX-License-Identifier: MIT */
#ifndef STACSOS_GLUE_H
#define STACSOS_GLUE_H

/* glue.h - what the files for Loam's kernels share. */

/* The allocator's text goes to the kernel's console from now on. */
void stacsos_to_console(void);

#endif
