/* SPDX-License-Identifier: MIT */
#ifndef LOAM_MULTIBOOT1_H
#define LOAM_MULTIBOOT1_H

/* multiboot1.h - what a Multiboot 1 loader leaves in memory, read where it lies.
 *
 * No call writes, allocates, recurses, or reads a byte that the reader did not grant. Context of
 * every call: any.
 */
#include "loam/phys.h"

enum {
    LOAM_MB1_MAGIC = 0x2badb002, /* what eax holds */
    LOAM_MB1_RAM = 1,            /* types of a region; whatever is not RAM is taken */
    LOAM_MB1_ACPI = 3,
    LOAM_MB1_STORAGE = 4,
    LOAM_MB1_BAD = 5
};

/* What the information says, as far as its flags do: else 0. */
typedef struct loam_mb1 {
    loam_phys memory;
    bool has_sizes;                 /* lower, upper are meant */
    uint32_t lower, upper;          /* KiB from 0, from 1 MiB on */
    uint32_t cmdline, loader;       /* addresses of strings; 0: none */
    uint32_t modules, module_count; /* the list's address */
    uint32_t map, map_len;          /* address, bytes; 0 bytes: no map */
} loam_mb1;

typedef struct loam_mb1_region {
    uint64_t base, len; /* base + len may wrap: the reader has to look */
    uint32_t type;      /* LOAM_MB1_... or anything */
} loam_mb1_region;

typedef struct loam_mb1_module {
    uint32_t start, end; /* start may be above end */
    uint32_t text;       /* address of a string, or 0 */
} loam_mb1_module;

/* Reads the information and proves map and list of modules (rules G1 ... of multiboot1.c).
 *   magic       what the loader left in eax
 *   at          what it left in ebx
 *   why         set to the broken rule, a literal, unless the answer is LOAM_OK; may be NULL
 *   returns     LOAM_OK or LOAM_EFORMAT
 *   cost        O(bytes of the map), once
 */
loam_err loam_mb1_open(loam_mb1 *mb, uint32_t magic, uint64_t at, const loam_phys *memory,
                       const char **why);

/* The region at *at bytes into the map (0: the first), and *at goes on to the next. false: that
 * was the end. O(1). */
bool loam_mb1_region_next(const loam_mb1 *mb, uint32_t *at, loam_mb1_region *region);

/* index < mb->module_count. O(1). */
loam_mb1_module loam_mb1_module_get(const loam_mb1 *mb, uint32_t index);

/* Copies the string at a physical address: at most cap - 1 characters, then a 0. cap > 0.
 *   returns     true when it ended there; false when it is longer or leaves what can be read (buf
 *               then has its beginning)
 *   cost        O(cap)
 */
bool loam_mb1_string(const loam_mb1 *mb, uint32_t at, char *buf, size_t cap);

#endif
