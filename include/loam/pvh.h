/* SPDX-License-Identifier: MIT */
#ifndef LOAM_PVH_H
#define LOAM_PVH_H

/* pvh.h - what starts a kernel by its PVH note leaves in memory, read where it lies.
 *
 * No call writes, allocates, recurses, or reads a byte that the reader did not grant. Context of
 * every call: any.
 */
#include "loam/phys.h"

enum {
    LOAM_PVH_MAGIC = 0x336ec578, /* the first word of the information */
    LOAM_PVH_NOTE = 18           /* type of the ELF note "Xen" that holds the 32-bit entry */
};

typedef struct loam_pvh {
    loam_phys memory;
    uint32_t version; /* 1 or later */
    uint32_t module_count, map_count;
    uint64_t modules, map; /* addresses of the lists */
    uint64_t cmdline;      /* address of a string; 0: none */
    uint64_t rsdp;         /* address of ACPI's first structure; 0: not said */
} loam_pvh;

typedef struct loam_pvh_region {
    uint64_t base, len; /* base + len may wrap: the reader has to look */
    uint32_t type;      /* 1: RAM; whatever else is taken */
} loam_pvh_region;

typedef struct loam_pvh_module {
    loam_span span; /* may wrap */
    uint64_t text;  /* address of a string, or 0 */
} loam_pvh_module;

/* Reads the information and proves map and list of modules (rules W1 ... of pvh.c).
 *   at          what the loader left in ebx
 *   why         set to the broken rule, a literal, unless the answer is LOAM_OK; may be NULL
 *   returns     LOAM_OK or LOAM_EFORMAT
 *   cost        O(1)
 */
loam_err loam_pvh_open(loam_pvh *pvh, uint64_t at, const loam_phys *memory, const char **why);

/* index < pvh->map_count; index < pvh->module_count. O(1). */
loam_pvh_region loam_pvh_region_get(const loam_pvh *pvh, uint32_t index);
loam_pvh_module loam_pvh_module_get(const loam_pvh *pvh, uint32_t index);

#endif
