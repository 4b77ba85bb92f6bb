/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_FIRMWARE_PC_H
#define LOAM_KERN_FIRMWARE_PC_H

/* firmware_pc.h - what Multiboot 1, Multiboot 2 and PVH have in common for a kernel. */
#include "firmware.h"

/* Physical memory as the loader left it: all that has an address already, but for the kernel's
 * own. */
extern const loam_phys firmware_pc_memory;

/* Loaders put the kernel's file name in front: a word with a dot or a slash and no '='. The line
 * behind it. */
const char *firmware_pc_behind_file_name(const char *line);

/* The lines about what was found, each with the protocol's name in front. */
void firmware_pc_log(const char *name, const loam_bootinfo *info);

/* What was told is copied: nothing of the loader's is needed any more. And none says a console. */
loam_err firmware_pc_hold(loam_bootinfo *info);
const char *firmware_pc_console(const loam_bootinfo *info);

#endif
