/* SPDX-License-Identifier: MIT */
/* cpio.c - an initramfs, read where it lies.
 *
 * WHAT   A boot loader puts one archive into memory; its files are read from there, without a copy.
 *
 * MODEL  Entries one behind the other, each part padded to a multiple of 4 from the start:
 *
 *            [110 characters][name\0..][data....] [header][name][data] ... [header]["TRAILER!!!"]
 *              070701, 13 numbers of 8 hexadecimal digits
 *
 * RULES  N1  a whole header is there, of type 070701 or 070702
 *        N2  its numbers are hexadecimal digits
 *        N3  the name is not empty, lies inside the archive and ends with a 0
 *        N4  the data lies inside the archive
 *        N5  the data of a file adds up to its checksum (070702)
 *        loam_cpio_next() tests exactly these for each entry and says which one is broken.
 *
 * LOCKS  None: nothing is written.
 * COST   next: O(name); find: O(entries). Sizes are 32 bits and positions size_t: every sum is
 *        compared against what is left, so none can wrap on a 32-bit machine.
 * FROM   cpio(5), "New ASCII Format"; the same in the kernel documentation on initramfs buffers.
 * NOT    Compression, several archives behind one another, devices, hard links (a link whose data
 *        stands with another name reads as empty).
 */
#include "loam/cpio.h"

enum {
    CPIO_HEADER = 110,
    CPIO_FIELD = 8, /* digits of a number; the first one stands behind the 6 of the type */
    CPIO_FIELDS = 13
};

enum cpio_field {
    CPIO_INO,
    CPIO_MODE,
    CPIO_UID,
    CPIO_GID,
    CPIO_NLINK,
    CPIO_MTIME,
    CPIO_FILESIZE,
    CPIO_NAMESIZE = 11,
    CPIO_CHECK
};

static const char cpio_trailer[] = "TRAILER!!!";

static bool cpio_same(const char *a, const char *b)
{
    while (*a != 0 && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static bool cpio_digit(unsigned char c, uint32_t *value)
{
    if (c >= '0' && c <= '9')
        *value = c - (uint32_t)'0';
    else if (c >= 'a' && c <= 'f')
        *value = c - (uint32_t)'a' + 10;
    else if (c >= 'A' && c <= 'F')
        *value = c - (uint32_t)'A' + 10;
    else
        return false;
    return true;
}

static bool cpio_numbers(const unsigned char *header, uint32_t number[CPIO_FIELDS])
{
    const unsigned char *p = header + 6;
    for (unsigned i = 0; i < CPIO_FIELDS; i++) {
        number[i] = 0;
        for (unsigned k = 0; k < CPIO_FIELD; k++, p++) {
            uint32_t digit;
            if (!cpio_digit(*p, &digit))
                return false;
            number[i] = number[i] << 4 | digit;
        }
    }
    return true;
}

static loam_err cpio_refuse(loam_cpio *cpio, const char *why)
{
    cpio->why = why;
    return LOAM_EFORMAT;
}

/* Where len bytes at `at`, which lies inside, end, padded; the padding of the very last part may be
 * missing. false when the bytes themselves are not there. */
static bool cpio_skip(const loam_cpio *cpio, size_t *at, uint32_t len)
{
    size_t left = cpio->len - *at;
    if (len > left)
        return false;
    *at += len;
    size_t pad = (0 - *at) % 4;
    *at += pad < left - len ? pad : left - len;
    return true;
}

static bool cpio_sum_is(const loam_cpio_entry *entry, uint32_t check)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < entry->size; i++)
        sum += entry->data[i];
    return sum == check;
}

/* N1 and N2. */
static const char *cpio_header(const loam_cpio *cpio, uint32_t number[CPIO_FIELDS], bool *checked)
{
    static const char magic[] = {'0', '7', '0', '7', '0'};
    const unsigned char *p = cpio->archive + cpio->at;
    if (cpio->len - cpio->at < CPIO_HEADER)
        return "N1 the archive ends without its trailer";
    for (unsigned i = 0; i < sizeof magic; i++)
        if (p[i] != (unsigned char)magic[i])
            return "N1 no entry starts here";
    if (p[5] != '1' && p[5] != '2')
        return "N1 not of type 070701 or 070702";
    *checked = p[5] == '2';
    return cpio_numbers(p, number) ? NULL : "N2 a number has a character that is no digit";
}

void loam_cpio_init(loam_cpio *cpio, const void *archive, size_t len)
{
    *cpio = (loam_cpio){.archive = archive, .len = len};
}

loam_err loam_cpio_next(loam_cpio *cpio, loam_cpio_entry *entry)
{
    uint32_t number[CPIO_FIELDS];
    bool checked;
    const char *why = cpio_header(cpio, number, &checked);
    if (why != NULL)
        return cpio_refuse(cpio, why);
    size_t name = cpio->at + CPIO_HEADER, data = name;
    uint32_t name_size = number[CPIO_NAMESIZE];
    if (!cpio_skip(cpio, &data, name_size))
        return cpio_refuse(cpio, "N3 a name leaves the archive");
    if (name_size < 2 || cpio->archive[name] == 0 || cpio->archive[name + name_size - 1] != 0)
        return cpio_refuse(cpio, "N3 a name is empty or does not end");
    loam_cpio_entry found = {
        .name = (const char *)cpio->archive + name,
        .data = cpio->archive + data,
        .size = number[CPIO_FILESIZE],
        .mode = number[CPIO_MODE],
        .uid = number[CPIO_UID],
        .gid = number[CPIO_GID],
        .nlink = number[CPIO_NLINK],
        .mtime = number[CPIO_MTIME],
        .ino = number[CPIO_INO],
    };
    size_t next = data;
    if (!cpio_skip(cpio, &next, found.size))
        return cpio_refuse(cpio, "N4 data leaves the archive");
    /* A link that waits for its data has a checksum and no data: nothing to compare. */
    if (checked && (found.mode & LOAM_CPIO_TYPE) == LOAM_CPIO_FILE && found.size > 0 &&
        !cpio_sum_is(&found, number[CPIO_CHECK]))
        return cpio_refuse(cpio, "N5 wrong checksum");
    if (cpio_same(found.name, cpio_trailer))
        return LOAM_ENOENT;
    *entry = found;
    cpio->at = next;
    return LOAM_OK;
}

const char *loam_cpio_path(const char *name)
{
    for (;;) {
        if (name[0] == '/')
            name++;
        else if (name[0] == '.' && (name[1] == '/' || name[1] == 0))
            name++;
        else
            return name;
    }
}

loam_err loam_cpio_find(loam_cpio *cpio, const char *path, loam_cpio_entry *entry)
{
    loam_cpio it;
    loam_err err;
    path = loam_cpio_path(path);
    loam_cpio_init(&it, cpio->archive, cpio->len);
    do
        err = loam_cpio_next(&it, entry);
    while (err == LOAM_OK && !cpio_same(loam_cpio_path(entry->name), path));
    cpio->why = it.why;
    return err;
}
