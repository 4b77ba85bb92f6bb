/* SPDX-License-Identifier: MIT */
#ifndef LOAM_AARCH64_TRAP_LAYOUT_H
#define LOAM_AARCH64_TRAP_LAYOUT_H

/* Bytes of struct trap_frame, for the assembler; traps.c checks it. */
#define TRAP_FRAME_SIZE 288

#endif
