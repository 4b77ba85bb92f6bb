/* SPDX-License-Identifier: MIT */
#ifndef LOAM_CPIO_H
#define LOAM_CPIO_H

/* cpio.h - an initramfs, read where it lies: a cpio archive in the "new ASCII" format.
 *
 * No call writes, allocates, recurses, or reads outside of the bytes given. Context of every call:
 * any.
 */
#include "loam/base.h"

typedef struct loam_cpio {
    const unsigned char *archive;
    size_t len;
    size_t at;       /* where the next entry starts */
    const char *why; /* the broken rule (N1 ... of cpio.c) after LOAM_EFORMAT, else NULL */
} loam_cpio;

typedef struct loam_cpio_entry {
    const char
        *name; /* terminated, in the archive, as it stands there: perhaps with "./" in front */
    const unsigned char *data;
    uint32_t size; /* bytes at data */
    uint32_t mode; /* type and permissions, as in stat */
    uint32_t uid, gid, nlink, mtime, ino;
} loam_cpio_entry;

enum {
    LOAM_CPIO_TYPE = 0170000, /* of mode: */
    LOAM_CPIO_DIR = 0040000,
    LOAM_CPIO_FILE = 0100000,
    LOAM_CPIO_LINK = 0120000
};

/* Starts before the first entry of the archive. len may be more than the archive needs. */
void loam_cpio_init(loam_cpio *cpio, const void *archive, size_t len);

/* The next entry.
 *   returns     LOAM_OK; LOAM_ENOENT at the trailer; LOAM_EFORMAT when the archive is broken here
 *               or ends without a trailer (cpio->why says how). It stays at both
 *   cost        O(name), for archives with checksums O(entry)
 */
loam_err loam_cpio_next(loam_cpio *cpio, loam_cpio_entry *entry);

/* The first entry of this name. "./" and "/" in front of either name do not count. Does not move
 * cpio. As loam_cpio_next, cpio->why included; O(entries). */
loam_err loam_cpio_find(loam_cpio *cpio, const char *path, loam_cpio_entry *entry);

/* The name without "./" and "/" in front; "" for the archive's root directory. */
const char *loam_cpio_path(const char *name);

#endif
