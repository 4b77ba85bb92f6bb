/* SPDX-License-Identifier: MIT */
#ifndef LOAM_DRIVER_FILES_H
#define LOAM_DRIVER_FILES_H

/* Prints `ok BASE SIZE ...`, the whole frames that a boot with this device tree would hand over, or
 * `reject WHY`. The exit code: 0 for both. */
int driver_file_dtb(const char *path);

#endif
