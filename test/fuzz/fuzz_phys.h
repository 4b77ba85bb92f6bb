/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_FUZZ_PHYS_H
#define LOAM_TEST_FUZZ_PHYS_H

/* fuzz_phys.h - any bytes as physical memory from FUZZ_BASE on, for parsers of what loaders leave.
 * The reader grants copies of exactly the bytes asked for, so that one byte more is the sanitizer's
 * to report. And what such parsers agree on, whatever they read. */
#include "fuzz.h"
#include "loam/bootinfo.h"
#include <string.h>

enum { FUZZ_BASE = 0x8000, FUZZ_GRANTS = 1 << 16 };

typedef struct fuzz_image {
    const uint8_t *bytes;
    size_t len;
} fuzz_image;

static void *fuzz_granted[FUZZ_GRANTS] __attribute__((unused));
static size_t fuzz_grants __attribute__((unused));

static inline bool fuzz_readable(const fuzz_image *m, uint64_t at, uint64_t len)
{
    return at >= FUZZ_BASE && at - FUZZ_BASE <= m->len && len <= m->len - (at - FUZZ_BASE);
}

/* The reader; ctx is the image. */
static inline const void *fuzz_grant(void *ctx, uint64_t at, uint64_t len)
{
    const fuzz_image *m = ctx;
    FUZZ_CHECK(len > 0);
    if (!fuzz_readable(m, at, len) || fuzz_grants == FUZZ_GRANTS)
        return NULL;
    void *copy = malloc((size_t)len);
    FUZZ_CHECK(copy != NULL);
    memcpy(copy, m->bytes + (at - FUZZ_BASE), (size_t)len);
    fuzz_granted[fuzz_grants++] = copy;
    return copy;
}

/* At the end. false: the reader refused because it had granted too much. */
static inline bool fuzz_take_back(void)
{
    bool all = fuzz_grants < FUZZ_GRANTS;
    while (fuzz_grants > 0)
        free(fuzz_granted[--fuzz_grants]);
    return all;
}

/* For the plain reading that a parser's answer is compared with. */
static inline uint64_t fuzz_number(const fuzz_image *m, uint64_t at, unsigned bytes)
{
    uint64_t v = 0;
    FUZZ_CHECK(fuzz_readable(m, at, bytes));
    for (unsigned i = bytes; i-- > 0;)
        v = v << 8 | m->bytes[at - FUZZ_BASE + i];
    return v;
}

/* ---- what holds of every answer ---- */

static inline void fuzz_text_ends(const loam_bootinfo *info, const char *text)
{
    if (text >= info->text && text < info->text + LOAM_BOOTINFO_TEXT)
        FUZZ_CHECK(memchr(text, 0, (size_t)(info->text + info->text_used - text)) != NULL);
    else
        FUZZ_CHECK(*text == 0);
}

static inline void fuzz_nodes_hold(const loam_bootinfo *info)
{
    FUZZ_CHECK(info->node_count >= 1 && info->node_count <= LOAM_BOOTINFO_NODES);
    FUZZ_CHECK(info->run_count >= 1 && info->run_count <= LOAM_BOOTINFO_RUNS);
    FUZZ_CHECK(info->run[0].base == 0 && info->near_count <= LOAM_BOOTINFO_RUNS);
    for (size_t i = 1; i < info->run_count; i++)
        FUZZ_CHECK(info->run[i - 1].base < info->run[i].base &&
                   info->run[i - 1].node != info->run[i].node);
    for (size_t i = 0; i < info->near_count; i++) {
        const loam_span *span = &info->near[i].span;
        FUZZ_CHECK(loam_bootinfo_node_of(info, loam_pa_of(span->base)) == info->near[i].node);
        FUZZ_CHECK(loam_bootinfo_node_of(info, loam_pa_of(span->base + (span->len - 1))) ==
                   info->near[i].node);
    }
    for (uint32_t i = 0; i < info->node_count; i++)
        for (uint32_t k = 0; k < info->node_count; k++)
            FUZZ_CHECK((info->distance[i][k] == LOAM_BOOTINFO_NEAR) == (i == k) &&
                       info->distance[i][k] >= LOAM_BOOTINFO_NEAR);
    for (size_t i = 0; i < info->cpu_count && i < LOAM_BOOTINFO_CPUS; i++)
        FUZZ_CHECK(info->cpu[i].node < info->node_count);
}

static inline void fuzz_info_holds(const loam_bootinfo *info)
{
    FUZZ_CHECK(info->ram_count > 0 && info->ram_count <= LOAM_BOOTINFO_RAM);
    FUZZ_CHECK(info->text_used <= LOAM_BOOTINFO_TEXT);
    fuzz_text_ends(info, info->cmdline);
    fuzz_text_ends(info, info->loader != NULL ? info->loader : "");
    for (size_t i = 0; i < info->module_count; i++)
        fuzz_text_ends(info, info->module[i].text);
    fuzz_nodes_hold(info);
}

static inline void fuzz_refusal_holds(const loam_bootinfo *info, loam_err err, const char *why)
{
    FUZZ_CHECK(why != NULL && why[0] != 0);
    FUZZ_CHECK(err == LOAM_EFORMAT || err == LOAM_ERANGE || err == LOAM_EFULL ||
               err == LOAM_ENOENT);
    FUZZ_CHECK(info->ram_count == 0 && info->held_count == 0 && info->module_count == 0);
    FUZZ_CHECK(info->node_count == 1 && info->cpu_count == 0);
}

/* One entry of a map: it is the next of RAM, or of what is held. */
typedef struct fuzz_regions {
    size_t ram, held;
} fuzz_regions;

static inline void fuzz_region_is(const loam_bootinfo *info, fuzz_regions *seen, uint64_t base,
                                  uint64_t len, uint64_t type)
{
    const loam_span *span = type == 1 ? &info->ram[seen->ram] : &info->held[seen->held].span;
    if (len == 0)
        return;
    FUZZ_CHECK(type == 1 ? seen->ram < info->ram_count : seen->held < info->held_count);
    FUZZ_CHECK(span->base == base && span->len == len && base + (len - 1) >= base);
    seen->ram += type == 1;
    seen->held += type != 1;
}

/* The modules, of which the first is told here, follow the regions in held. */
static inline void fuzz_module_is(const loam_bootinfo *info, fuzz_regions *seen, size_t *listed,
                                  uint64_t base, uint64_t len)
{
    if (len == 0)
        return;
    FUZZ_CHECK(seen->held < info->held_count);
    FUZZ_CHECK(info->held[seen->held].span.base == base && info->held[seen->held].span.len == len);
    FUZZ_CHECK(info->held[seen->held].source == LOAM_BOOTINFO_INITRD);
    if (*listed < LOAM_BOOTINFO_MODULES)
        FUZZ_CHECK(info->module[*listed].span.base == base);
    *listed += *listed < LOAM_BOOTINFO_MODULES;
    seen->held++;
}

static inline void fuzz_all_seen(const loam_bootinfo *info, const fuzz_regions *seen, size_t listed)
{
    FUZZ_CHECK(seen->ram == info->ram_count && seen->held == info->held_count);
    FUZZ_CHECK(listed == info->module_count && (listed > 0) == (info->initrd.len > 0));
}

#endif
