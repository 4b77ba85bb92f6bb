/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BOOT_FDT_BYTES_H
#define LOAM_BOOT_FDT_BYTES_H

/* fdt_bytes.h - big-endian numbers at any alignment, for fdt.c and fdt_nodes.c alone. */
#include "loam/base.h"

enum { FDT_CELL = 4 };

static inline uint32_t fdt_be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* A number of 0, 1 or 2 cells. */
static inline uint64_t fdt_cells(const unsigned char *p, uint32_t cells)
{
    uint64_t v = 0;
    for (uint32_t i = 0; i < cells; i++)
        v = v << 32 | fdt_be32(p + FDT_CELL * (size_t)i);
    return v;
}

#endif
