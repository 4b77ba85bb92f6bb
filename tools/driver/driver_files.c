/* SPDX-License-Identifier: MIT */
/* driver_files.c - memory maps in files: what would be handed to the allocator. Hosted. */
#include "driver_files.h"

#include "loam/bootinfo.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SPANS = 4 * (LOAM_BOOTINFO_RAM + LOAM_BOOTINFO_HELD) };

static loam_err print_run(void *ctx, loam_pfn first, uint64_t count)
{
    (void)ctx;
    printf(" %" PRIx64 " %" PRIx64, loam_pfn_to_pa(first).v, count << LOAM_PAGE_SHIFT);
    return LOAM_OK;
}

/* The whole file in memory that malloc aligned; NULL when it cannot be read. */
static unsigned char *read_file(const char *path, size_t *len)
{
    FILE *from = fopen(path, "rb");
    unsigned char *data = NULL;
    size_t cap = 0;
    *len = 0;
    while (from != NULL && !feof(from) && !ferror(from)) {
        cap = 2 * cap + 65536;
        unsigned char *more = realloc(data, cap);
        if (more == NULL)
            break;
        data = more;
        *len += fread(data + *len, 1, cap - *len, from);
    }
    bool ok = from != NULL && feof(from) && !ferror(from);
    if (from != NULL)
        fclose(from);
    if (!ok) {
        free(data);
        data = NULL;
    }
    return data;
}

int driver_file_dtb(const char *path)
{
    static loam_bootinfo info;
    static loam_span ram[SPANS], held[SPANS], early[1];
    loam_memblock map;
    loam_bootinfo_refusal refused;
    const char *why = NULL;
    size_t len;
    unsigned char *blob = read_file(path, &len);
    if (blob == NULL) {
        puts("reject the file cannot be read");
        return 0;
    }
    loam_memblock_init(&map, ram, SPANS, held, SPANS, early, 1);
    loam_err err = loam_bootinfo_from_fdt(&info, blob, len, &why);
    if (err != LOAM_OK) {
        printf("reject %s: %s\n", loam_err_name(err), why);
    } else if ((err = loam_bootinfo_feed(&info, &map, &refused)) != LOAM_OK) {
        printf("reject %s: %s at %" PRIx64 "\n", loam_err_name(err), refused.name,
               refused.span.base);
    } else {
        printf("ok");
        loam_memblock_handover(&map, print_run, NULL);
        puts("");
    }
    free(blob);
    return 0;
}
