/* SPDX-License-Identifier: MIT */
#ifndef LOAM_MULTIBOOT2_H
#define LOAM_MULTIBOOT2_H

/* multiboot2.h - what a Multiboot 2 loader leaves in memory, read where it lies.
 *
 * No call writes, allocates, recurses, or reads a byte that the reader did not grant. Context of
 * every call: any.
 */
#include "loam/phys.h"

enum {
    LOAM_MB2_MAGIC = 0x36d76289, /* what eax holds */
    /* types of a tag */
    LOAM_MB2_END = 0,
    LOAM_MB2_CMDLINE = 1,
    LOAM_MB2_LOADER = 2,
    LOAM_MB2_MODULE = 3,
    LOAM_MB2_SIZES = 4,
    LOAM_MB2_MAP = 6,
    LOAM_MB2_RSDP1 = 14, /* a copy of ACPI's first structure, as of ACPI 1 */
    LOAM_MB2_RSDP2 = 15  /* and of later ones */
};

typedef struct loam_mb2 {
    loam_phys memory;
    uint64_t at;  /* of the information */
    uint32_t len; /* bytes of it, end tag included */
} loam_mb2;

typedef struct loam_mb2_tag {
    uint32_t type;
    uint32_t len; /* bytes behind type and size; may be 0 */
    uint64_t at;  /* physical address of these */
} loam_mb2_tag;

typedef struct loam_mb2_region {
    uint64_t base, len; /* base + len may wrap: the reader has to look */
    uint32_t type;      /* 1: RAM; whatever else is taken */
} loam_mb2_region;

typedef struct loam_mb2_module {
    uint32_t start, end;     /* start may be above end */
    uint64_t text, text_len; /* where its string is, and in how many bytes it has to end */
} loam_mb2_module;

/* Reads the information and proves its tags (rules J1 ... of multiboot2.c).
 *   magic       what the loader left in eax
 *   at          what it left in ebx
 *   why         set to the broken rule, a literal, unless the answer is LOAM_OK; may be NULL
 *   returns     LOAM_OK or LOAM_EFORMAT
 *   cost        O(tags), once
 */
loam_err loam_mb2_open(loam_mb2 *mb, uint32_t magic, uint64_t at, const loam_phys *memory,
                       const char **why);

/* The tag at *at bytes into the information (0: the first), and *at goes on to the next. false:
 * that was the end. O(1). */
bool loam_mb2_tag_next(const loam_mb2 *mb, uint32_t *at, loam_mb2_tag *tag);

/* The first tag of a type. O(tags). */
bool loam_mb2_tag_find(const loam_mb2 *mb, uint32_t type, loam_mb2_tag *tag);

/* The region at *at bytes into a tag of type LOAM_MB2_MAP (0: the first), and *at goes on to the
 * next. false: that was the end. O(1). */
bool loam_mb2_region_next(const loam_mb2 *mb, const loam_mb2_tag *map, uint32_t *at,
                          loam_mb2_region *region);

/* What a tag of type LOAM_MB2_MODULE says. O(1). */
loam_mb2_module loam_mb2_module_get(const loam_mb2 *mb, const loam_mb2_tag *tag);

/* What a tag of type LOAM_MB2_SIZES says: KiB from 0, and from 1 MiB on. O(1). */
void loam_mb2_sizes_get(const loam_mb2 *mb, const loam_mb2_tag *tag, uint32_t *lower,
                        uint32_t *upper);

#endif
