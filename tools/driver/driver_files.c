/* SPDX-License-Identifier: MIT */
/* driver_files.c - memory maps in files: what would be handed to the allocator. Hosted. */
#include "driver_files.h"

#include "loam/bootinfo.h"
#include "loam/multiboot1.h"
#include "loam/multiboot2.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static loam_bootinfo info;
static loam_span ram[SPANS], held[SPANS], early[1];

/* What info leaves, as one line. err, why: how reading it went. limit: where RAM ends for this
 * machine, 0: nowhere. */
static void answer(loam_err err, const char *why, uint64_t limit)
{
    loam_memblock map;
    loam_bootinfo_refusal refused;
    loam_memblock_init(&map, ram, SPANS, held, SPANS, early, 1);
    if (err != LOAM_OK) {
        printf("reject %s: %s\n", loam_err_name(err), why);
    } else if ((err = loam_bootinfo_feed(&info, &map, &refused)) != LOAM_OK) {
        printf("reject %s: %s at %" PRIx64 "\n", loam_err_name(err), refused.name,
               refused.span.base);
    } else {
        if (limit != 0)
            (void)loam_memblock_remove(&map, loam_pa_of(limit), 0 - limit);
        printf("ok");
        loam_memblock_handover(&map, print_run, NULL);
        puts("");
    }
}

int driver_file_dtb(const char *path)
{
    const char *why = NULL;
    size_t len;
    unsigned char *blob = read_file(path, &len);
    if (blob == NULL) {
        puts("reject the file cannot be read");
        return 0;
    }
    loam_err err = loam_bootinfo_from_fdt(&info, blob, len, &why);
    answer(err, why, 0);
    free(blob);
    return 0;
}

/* ---- what a PC's loaders leave ---- */

/* A file as physical memory, from an address on. */
typedef struct image {
    const unsigned char *bytes;
    uint64_t base, len;
} image;

static const void *image_read(void *ctx, uint64_t at, uint64_t len)
{
    const image *m = ctx;
    uint64_t off = at - m->base;
    return at >= m->base && off < m->len && len <= m->len - off ? m->bytes + off : NULL;
}

static bool hex(const char *text, uint64_t *value)
{
    size_t n = strspn(text, "0123456789abcdefABCDEF");
    *value = n > 0 && n <= 16 ? strtoull(text, NULL, 16) : 0;
    return n > 0 && n <= 16 && text[n] == 0;
}

static loam_err read_mb1(loam_pa at, const loam_phys *memory, const char **why)
{
    return loam_bootinfo_from_mb1(&info, LOAM_MB1_MAGIC, at, memory, why);
}

static loam_err read_mb2(loam_pa at, const loam_phys *memory, const char **why)
{
    return loam_bootinfo_from_mb2(&info, LOAM_MB2_MAGIC, at, memory, why);
}

static loam_err read_pvh(loam_pa at, const loam_phys *memory, const char **why)
{
    return loam_bootinfo_from_pvh(&info, at, memory, why);
}

typedef struct protocol {
    const char *name;
    loam_err (*read)(loam_pa at, const loam_phys *memory, const char **why);
} protocol;

static const protocol protocols[] = {{"mb1", read_mb1}, {"mb2", read_mb2}, {"pvh", read_pvh}};

static const protocol *protocol_named(const char *name)
{
    size_t i = 0;
    while (i < LOAM_ARRAY_LEN(protocols) && strcmp(protocols[i].name, name) != 0)
        i++;
    return i < LOAM_ARRAY_LEN(protocols) ? &protocols[i] : NULL;
}

bool driver_file_is_protocol(const char *name)
{
    return protocol_named(name) != NULL;
}

int driver_file_boot(const char *name, const char *path, const char *load, const char *at,
                     const char *bits)
{
    image m = {0};
    uint64_t info_at, width;
    const char *why = NULL;
    size_t len;
    if (!hex(load, &m.base) || !hex(at, &info_at) || !hex(bits, &width) ||
        (width != 0x32 && width != 0x64 && width != 32 && width != 64)) {
        puts("reject LOADADDR and INFOADDR are hexadecimal, BITS is 32 or 64");
        return 0;
    }
    unsigned char *bytes = read_file(path, &len);
    if (bytes == NULL) {
        puts("reject the file cannot be read");
        return 0;
    }
    m.bytes = bytes;
    m.len = len;
    const loam_phys memory = {image_read, &m};
    loam_err err = protocol_named(name)->read(loam_pa_of(info_at), &memory, &why);
    answer(err, why, width == 0x32 || width == 32 ? 1ULL << 32 : 0);
    free(bytes);
    return 0;
}
