/* SPDX-License-Identifier: MIT */
#ifndef LOAM_AARCH64_MMU_H
#define LOAM_AARCH64_MMU_H

/* mmu.h - the first page tables, and where the final ones put things that are not RAM. */
#include "loam/base.h"

/* What a board has below 2 GiB; multiples of 2 MiB. The rest is not mapped. */
typedef struct mmu_region {
    uint64_t base, len;
    bool device; /* registers; else RAM, as much of it as there may be */
} mmu_region;

enum { MMU_REGIONS = 2 };
extern const mmu_region mmu_regions[MMU_REGIONS]; /* of the board */

/* What the first tables reach. */
#define MMU_BOOT_END 0x80000000ULL

/* Builds the map and turns MMU and caches on. Called once, by start.S, with all of them off. */
void mmu_on(void);

/* One past the last physical address that this processor can form, at most 2^48. */
uint64_t mmu_pa_end(void);

/* The first tables' own memory: nobody's once there are others. */
loam_span mmu_boot_tables(void);

/* The final tables (kern/paging.h) have all RAM and registers at virtual = physical. Above: */
#define MMU_ROOT_SPAN (1ULL << 39)
#define MMU_VMAP_BASE (1ULL << 47)
#define MMU_VMAP_END  (MMU_VMAP_BASE + (16ULL << 40))
#define MMU_WINDOW    (3ULL << 46)
#define MMU_OWN       (MMU_WINDOW + (1ULL << 30)) /* for boards: a GiB of their own */

#endif
