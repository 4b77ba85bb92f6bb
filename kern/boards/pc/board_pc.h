/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_BOARD_PC_H
#define LOAM_KERN_BOARD_PC_H

/* board_pc.h - what boards that are PCs share; the most of it is board.h's, done in board_pc.c. */
#include "board.h"

enum { BOARD_PC_IRQ_BASE = 32 /* the vector of IRQ 0; there are 16 */ };

/* What is taken on every PC, and what RAM there is when nobody says so: up to 16 MiB. */
extern const board_span board_pc_held[1];
extern const loam_span board_pc_default_ram[2];

/* board_tick_start by the PIT, for boards and processors that have nothing better. */
void board_pc_tick_start(unsigned hz, void (*fn)(void));

#endif
