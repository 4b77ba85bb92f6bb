/* SPDX-License-Identifier: MIT */
#ifndef LOAM_DRIVER_FILES_H
#define LOAM_DRIVER_FILES_H

/* Prints `ok BASE SIZE ...`, the whole frames that a boot with this device tree would hand over, or
 * `reject WHY`. The exit code: 0 for both. */
int driver_file_dtb(const char *path);

/* The same for a Multiboot 1 loader's memory: the file is physical memory from address `load` on,
 * the information lies at `at`; both hexadecimal. bits: "32" for a machine that ends at 4 GiB, or
 * "64". */
int driver_file_mb1(const char *path, const char *load, const char *at, const char *bits);

#endif
