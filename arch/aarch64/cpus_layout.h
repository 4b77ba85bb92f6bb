/* SPDX-License-Identifier: MIT */
#ifndef LOAM_AARCH64_CPUS_LAYOUT_H
#define LOAM_AARCH64_CPUS_LAYOUT_H

/* cpus_layout.h - what start.S has to know of cpus.c, which checks it. */

#define CPUS_ROWS 16 /* LOAM_PORT_MAX_CPUS */

/* A row of cpus_table, in bytes. */
#define CPUS_KEY        0
#define CPUS_STACK      8
#define CPUS_TRAP_STACK 16
#define CPUS_TTBR0      24
#define CPUS_TCR        32
#define CPUS_MAIR       40
#define CPUS_SCTLR      48
#define CPUS_ROW        64

#define CPUS_AFFINITY 0xff00ffffff /* of MPIDR_EL1: which core */
#define CPUS_VALID    0x80000000   /* set in a row's key, so that no core finds an empty one */

#define SCTLR_OFF 0x30d00800 /* SCTLR_EL1: RES1 bits, MMU and caches off */

#endif
