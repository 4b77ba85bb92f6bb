/* SPDX-License-Identifier: MIT */
/* multiboot1_fuzz.c - any bytes as the memory that a Multiboot 1 loader left. What is accepted has
 * to be what a plain reading of the same bytes finds.
 *
 * Input: two bytes that say where the information lies, then memory from BASE on. The reader grants
 * copies of exactly the bytes asked for, so that one byte more is the sanitizer's to report. */
#include "fuzz.h"
#include "loam/bootinfo.h"
#include "loam/multiboot1.h"
#include <string.h>

enum { BASE = 0x8000, HEAD = 2, GRANTS = 1 << 16 };

typedef struct image {
    const uint8_t *bytes;
    size_t len;
} image;

static void *granted[GRANTS];
static size_t grants;

static bool readable(const image *m, uint64_t at, uint64_t len)
{
    return at >= BASE && at - BASE <= m->len && len <= m->len - (at - BASE);
}

static const void *grant(void *ctx, uint64_t at, uint64_t len)
{
    const image *m = ctx;
    FUZZ_CHECK(len > 0);
    if (!readable(m, at, len) || grants == GRANTS)
        return NULL;
    void *copy = malloc((size_t)len);
    FUZZ_CHECK(copy != NULL);
    memcpy(copy, m->bytes + (at - BASE), (size_t)len);
    granted[grants++] = copy;
    return copy;
}

static void take_back(void)
{
    while (grants > 0)
        free(granted[--grants]);
}

/* ---- the plain reading ---- */

static uint64_t number(const image *m, uint64_t at, unsigned bytes)
{
    uint64_t v = 0;
    FUZZ_CHECK(readable(m, at, bytes));
    for (unsigned i = bytes; i-- > 0;)
        v = v << 8 | m->bytes[at - BASE + i];
    return v;
}

/* Every entry of the map is in info, in order. */
static void compare_map(const image *m, const loam_bootinfo *info, uint64_t at, uint64_t len)
{
    size_t ram = 0, held = 0;
    for (uint64_t end = at + len; at < end;) {
        uint64_t base = number(m, at + 4, 8), size = number(m, at + 12, 8);
        const loam_span *span = &info->held[held].span;
        FUZZ_CHECK(number(m, at, 4) >= 20 && number(m, at, 4) + 4 <= end - at);
        if (number(m, at + 20, 4) == 1)
            span = &info->ram[ram];
        if (size != 0) {
            FUZZ_CHECK(span->base == base && span->len == size);
            FUZZ_CHECK(base + (size - 1) >= base);
            ram += number(m, at + 20, 4) == 1;
            held += number(m, at + 20, 4) != 1;
        }
        at += number(m, at, 4) + 4;
    }
    FUZZ_CHECK(ram == info->ram_count && held <= info->held_count);
}

static void compare_modules(const image *m, const loam_bootinfo *info, uint64_t at, uint64_t count)
{
    size_t held = 0, listed = 0;
    while (held < info->held_count && info->held[held].source != LOAM_BOOTINFO_INITRD)
        held++;
    for (uint64_t i = 0; i < count; i++, at += 16) {
        uint64_t start = number(m, at, 4), end = number(m, at + 4, 4);
        FUZZ_CHECK(start <= end);
        if (start == end)
            continue;
        FUZZ_CHECK(held < info->held_count);
        FUZZ_CHECK(info->held[held].span.base == start && info->held[held].span.len == end - start);
        if (listed < LOAM_BOOTINFO_MODULES)
            FUZZ_CHECK(info->module[listed].span.base == start);
        listed += listed < LOAM_BOOTINFO_MODULES;
        held++;
    }
    FUZZ_CHECK(held == info->held_count && listed == info->module_count);
    FUZZ_CHECK((listed > 0) == (info->initrd.len > 0));
}

static void check_text(const loam_bootinfo *info, const char *text)
{
    if (text >= info->text && text < info->text + LOAM_BOOTINFO_TEXT)
        FUZZ_CHECK(memchr(text, 0, (size_t)(info->text + info->text_used - text)) != NULL);
    else
        FUZZ_CHECK(*text == 0);
}

static void check_info(const image *m, const loam_bootinfo *info, uint64_t at)
{
    uint64_t flags = number(m, at, 4);
    uint64_t map_len = (flags & 1 << 6) != 0 ? number(m, at + 44, 4) : 0;
    if (map_len != 0)
        compare_map(m, info, number(m, at + 48, 4), map_len);
    else
        FUZZ_CHECK((flags & 1) != 0 && info->ram_count <= 2);
    if ((flags & 1 << 3) != 0)
        compare_modules(m, info, number(m, at + 24, 4), number(m, at + 20, 4));
    FUZZ_CHECK(info->ram_count > 0 && info->ram_count <= LOAM_BOOTINFO_RAM);
    FUZZ_CHECK(info->text_used <= LOAM_BOOTINFO_TEXT);
    check_text(info, info->cmdline);
    check_text(info, info->loader != NULL ? info->loader : "");
    for (size_t i = 0; i < info->module_count; i++)
        check_text(info, info->module[i].text);
}

static void check_refusal(const loam_bootinfo *info, loam_err err, const char *why)
{
    FUZZ_CHECK(why != NULL && why[0] != 0);
    FUZZ_CHECK(err == LOAM_EFORMAT || err == LOAM_ERANGE || err == LOAM_EFULL ||
               err == LOAM_ENOENT);
    FUZZ_CHECK(info->ram_count == 0 && info->held_count == 0 && info->module_count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static loam_bootinfo info;
    const char *why = NULL;
    if (len < HEAD)
        return 0;
    image m = {data + HEAD, len - HEAD};
    const loam_phys memory = {grant, &m};
    uint64_t at = BASE + (data[0] | (uint64_t)data[1] << 8);
    loam_err err = loam_bootinfo_from_mb1(&info, LOAM_MB1_MAGIC, loam_pa_of(at), &memory, &why);
    if (err != LOAM_OK)
        check_refusal(&info, err, why);
    else if (grants < GRANTS)
        check_info(&m, &info, at);
    take_back();
    return 0;
}
