/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_PHYS_BUILD_H
#define LOAM_TEST_PHYS_BUILD_H

/* phys_build.h - a piece of physical memory for tests, written number by number: `bytes` lies at
 * PB_BASE, only the first `readable` of them can be read, and there is nothing else. */
#include "loam/phys.h"

enum { PB_BASE = 0x9000, PB_CAP = 24 * 1024 };

typedef struct phys_build {
    unsigned char bytes[PB_CAP];
    uint32_t used;
    uint32_t readable;
} phys_build;

static inline const void *pb_read(void *ctx, uint64_t at, uint64_t len)
{
    const phys_build *b = ctx;
    bool inside =
        at >= PB_BASE && at - PB_BASE <= b->readable && len <= b->readable - (at - PB_BASE);
    return inside ? b->bytes + (at - PB_BASE) : NULL;
}

static inline void pb_start(phys_build *b)
{
    __builtin_memset(b, 0, sizeof *b);
    b->readable = PB_CAP;
}

static inline void pb_put(phys_build *b, uint32_t at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes && at + i < PB_CAP; i++)
        b->bytes[at + i] = (unsigned char)(i < 8 ? value >> 8 * i : 0);
}

static inline uint64_t pb_get(const phys_build *b, uint32_t at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = bytes; i-- > 0;)
        value = value << 8 | b->bytes[at + i];
    return value;
}

/* Appends a number; zeros behind its eighth byte. */
static inline void pb_add(phys_build *b, uint64_t value, unsigned bytes)
{
    pb_put(b, b->used, value, bytes);
    b->used += bytes;
}

/* Appends a string and its 0; its physical address. */
static inline uint64_t pb_text(phys_build *b, const char *text)
{
    uint64_t at = PB_BASE + b->used;
    do
        pb_add(b, (unsigned char)*text, 1);
    while (*text++ != '\0');
    return at;
}

/* Appends zeros up to a multiple of `align`. */
static inline void pb_align(phys_build *b, uint32_t align)
{
    while (b->used % align != 0)
        pb_add(b, 0, 1);
}

/* Writes the byte at `at` that lets [from, from + len) sum up to 0. */
static inline void pb_sum(phys_build *b, uint32_t at, uint32_t from, uint32_t len)
{
    unsigned sum = 0;
    b->bytes[at] = 0;
    for (uint32_t i = 0; i < len; i++)
        sum += b->bytes[from + i];
    b->bytes[at] = (unsigned char)(0U - sum);
}

#endif
