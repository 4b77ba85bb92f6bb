/* SPDX-License-Identifier: MIT */
#ifndef LOAM_PHYS_H
#define LOAM_PHYS_H

/* phys.h - physical memory as a boot parser may see it.
 *
 * What firmware and loaders leave holds physical addresses that are not to be trusted, so every
 * byte is asked for through a reader of the caller: a kernel answers out of its direct map, a host
 * out of a file. Context of every call: any.
 */
#include "loam/base.h"

/* read: len bytes at the physical address `at`, any alignment, or NULL when not all of them can be
 * read (or not any more: overwritten by the kernel). len > 0; at + len may wrap, and is to be
 * refused then. */
typedef struct loam_phys {
    const void *(*read)(void *ctx, uint64_t at, uint64_t len);
    void *ctx;
} loam_phys;

/* Copies the string at `at`, which has to end within `most` bytes: at most cap - 1 characters, then
 * a 0. cap > 0.
 *   returns     true when it ended there; false when it is longer or leaves what can be read (buf
 *               then has its beginning)
 *   cost        O(min(most, cap))
 */
bool loam_phys_string(const loam_phys *phys, uint64_t at, uint64_t most, char *buf, size_t cap);

/* Do the len bytes at `at` add up to 0 modulo 256, and can they be read? len > 0. O(len). */
bool loam_phys_sums_to_zero(const loam_phys *phys, uint64_t at, uint64_t len);

/* Little-endian numbers at any alignment. */
static inline uint32_t loam_le16(const unsigned char *p)
{
    return p[0] | (uint32_t)p[1] << 8;
}

static inline uint32_t loam_le32(const unsigned char *p)
{
    return loam_le16(p) | loam_le16(p + 2) << 16;
}

static inline uint64_t loam_le64(const unsigned char *p)
{
    return loam_le32(p) | (uint64_t)loam_le32(p + 4) << 32;
}

#endif
