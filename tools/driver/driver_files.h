/* SPDX-License-Identifier: MIT */
#ifndef LOAM_DRIVER_FILES_H
#define LOAM_DRIVER_FILES_H

#include <stdbool.h>

/* Prints `ok BASE SIZE ...`, the whole frames that a boot with this device tree would hand over, or
 * `reject WHY`. The exit code: 0 for both. */
int driver_file_dtb(const char *path);

/* Is it the name of what a PC's loader may speak: mb1, mb2 (Multiboot 1 and 2), pvh? */
bool driver_file_is_protocol(const char *name);

/* The same for such a loader's memory: the file is physical memory from address `load` on, the
 * information lies at `at`; both hexadecimal. bits: "32" for a machine that ends at 4 GiB, or
 * "64". */
int driver_file_boot(const char *name, const char *path, const char *load, const char *at,
                     const char *bits);

#endif
