/* SPDX-License-Identifier: MIT */
/* cpio_fuzz.c - any bytes as an archive: every entry lies inside, and is found by its name. */
#include "fuzz.h"
#include "loam/cpio.h"
#include <string.h>

static void check_entry(const loam_cpio *cpio, const loam_cpio_entry *entry)
{
    const unsigned char *name = (const unsigned char *)entry->name;
    FUZZ_CHECK(name >= cpio->archive && name < cpio->archive + cpio->len);
    FUZZ_CHECK(name[0] != 0);
    FUZZ_CHECK(memchr(name, 0, cpio->len - (size_t)(name - cpio->archive)) != NULL);
    FUZZ_CHECK(entry->data > name && entry->data <= cpio->archive + cpio->len);
    FUZZ_CHECK(entry->size <= cpio->len - (size_t)(entry->data - cpio->archive));
    FUZZ_CHECK(strcmp(entry->name, "TRAILER!!!") != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    loam_cpio cpio;
    loam_cpio_entry entry, found;
    loam_err err;
    unsigned sum = 0;
    size_t last = 0;
    loam_cpio_init(&cpio, data, len);
    while ((err = loam_cpio_next(&cpio, &entry)) == LOAM_OK) {
        check_entry(&cpio, &entry);
        FUZZ_CHECK(cpio.at > last && cpio.at <= len);
        last = cpio.at;
        for (uint32_t i = 0; i < entry.size; i++)
            sum += entry.data[i];
        FUZZ_CHECK(loam_cpio_find(&cpio, entry.name, &found) == LOAM_OK);
        FUZZ_CHECK(found.name <= entry.name);
        FUZZ_CHECK(strcmp(loam_cpio_path(found.name), loam_cpio_path(entry.name)) == 0);
    }
    FUZZ_CHECK(err == LOAM_ENOENT || err == LOAM_EFORMAT);
    FUZZ_CHECK((err == LOAM_EFORMAT) == (cpio.why != NULL));
    FUZZ_CHECK(loam_cpio_next(&cpio, &entry) == err);
    (void)sum;
    return 0;
}
