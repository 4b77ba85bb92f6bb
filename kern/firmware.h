/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_FIRMWARE_H
#define LOAM_KERN_FIRMWARE_H

/* firmware.h - whoever ran before the kernel and left a description of the machine.
 *
 * The start code hands over the words it found in registers, as they were: not to be trusted. A
 * firmware reads them into the one structure that startup.c works with.
 */
#include "loam/bootinfo.h"

enum { BOARD_FIRMWARE_WORDS = 2 };

typedef struct board_firmware {
    const char *name;      /* "device tree", for the log */
    const char *word_name; /* the register that word[0] was in */
    /* Fills info. false: *why says what is wrong, and info is as after loam_bootinfo_init. */
    bool (*find)(const uintptr_t word[BOARD_FIRMWARE_WORDS], loam_bootinfo *info, const char **why);
    /* One line about what was found. */
    void (*log)(const loam_bootinfo *info);
    /* Holds the memory that info's strings lie in. LOAM_OK or what loam_bootinfo_hold said. */
    loam_err (*hold)(loam_bootinfo *info);
    /* The name of the console that was asked for, or NULL. */
    const char *(*console)(const loam_bootinfo *info);
} board_firmware;

extern const board_firmware firmware_fdt;  /* word[0]: address of a device tree */
extern const board_firmware firmware_mb1;  /* Multiboot 1: magic, address of its information */
extern const board_firmware firmware_mb2;  /* Multiboot 2: the same two words */
extern const board_firmware firmware_pvh;  /* PVH: address of its information in word[1] */
extern const board_firmware firmware_pc64; /* Multiboot 2 or PVH, as word[0] says */

#endif
