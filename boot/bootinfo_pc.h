/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BOOT_BOOTINFO_PC_H
#define LOAM_BOOT_BOOTINFO_PC_H

/* bootinfo_pc.h - what the readers of a PC's boot protocols share: bootinfo_mb1.c, _mb2.c, _pvh.c.
 */
#include "loam/bootinfo.h"

/* One reading: where from, where to, and what went wrong. */
typedef struct pc_reading {
    const loam_phys *memory;
    loam_bootinfo *info;
    const char *why;
} pc_reading;

/* Notes why, and answers err. */
loam_err loam_bootinfo__pc_refuse(pc_reading *r, loam_err err, const char *why);
/* Notes what was left out, if it is the first. */
void loam_bootinfo__pc_note(pc_reading *r, const char *note);

/* A copy in info->text of the string at `at`, which has to end within `within` bytes: at most
 * `most` bytes with its 0; "" for none (at 0), and when there is no room. cut: the note when it is
 * not whole. */
const char *loam_bootinfo__pc_copy(pc_reading *r, uint64_t at, uint64_t within, size_t most,
                                   const char *cut);

/* An entry of a memory map, of a type as E820 numbers them. */
loam_err loam_bootinfo__pc_region(pc_reading *r, loam_span span, uint32_t type);
/* KiB from 0 and from 1 MiB on, for loaders that have no map. */
loam_err loam_bootinfo__pc_sizes(pc_reading *r, uint32_t lower, uint32_t upper);
/* The map is through: was there RAM? */
loam_err loam_bootinfo__pc_some_ram(pc_reading *r);

/* A module [start, end), and its string as for pc_copy. */
loam_err loam_bootinfo__pc_module(pc_reading *r, uint64_t start, uint64_t end, uint64_t text,
                                  uint64_t within);

/* Ends a reading that went as err says: on error info is as after loam_bootinfo_init. */
loam_err loam_bootinfo__pc_end(pc_reading *r, loam_err err, const char **why);

#endif
