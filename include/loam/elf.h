/* SPDX-License-Identifier: MIT */
#ifndef LOAM_ELF_H
#define LOAM_ELF_H

/* elf.h - a program file, read where it lies: a 32-bit, little-endian, statically linked ELF.
 *
 * Everything is proved once, when the file is opened: what the segments say can then be believed.
 * No call writes, allocates, recurses, or reads outside of the bytes given. Context of every call:
 * any.
 */
#include "loam/base.h"

enum {
    LOAM_ELF_386 = 3,      /* machine: Intel 80386 and up */
    LOAM_ELF_SEGMENTS = 16 /* that are loaded; a linker makes two to five */
};

typedef enum loam_elf_flags { LOAM_ELF_WRITE = 1, LOAM_ELF_EXEC = 2 } loam_elf_flags;

/* Bytes of memory: file_len from the file, the rest 0. */
typedef struct loam_elf_segment {
    uint64_t va, len;
    const unsigned char *data;
    size_t file_len;
    unsigned flags; /* of loam_elf_flags; never both */
} loam_elf_segment;

typedef struct loam_elf {
    loam_elf_segment segment[LOAM_ELF_SEGMENTS]; /* ascending by va, no two on one page */
    unsigned count;
    uint64_t entry;
    const char *why; /* the broken rule (X1 ... of elf.c) after LOAM_EFORMAT, else NULL */
} loam_elf;

/* Reads a program for one machine and a window of addresses.
 *   file, len   the whole file; need not be aligned
 *   window      every segment lies inside it; page 0 never counts as inside
 *   returns     LOAM_OK; LOAM_EFORMAT: elf->why says what is wrong, the rest of *elf is not to be
 *               used
 *   cost        O(program headers)
 */
loam_err loam_elf_open(loam_elf *elf, const void *file, size_t len, unsigned machine,
                       loam_span window);

#endif
