/* SPDX-License-Identifier: MIT */
/* bootinfo.c - what the boot loader told, and its way into the memblock.
 *
 * WHAT   Boot protocols differ, kernels should not: each protocol's reader fills this one
 *        structure, and everything behind it sees only that.
 *
 * MODEL
 *            device tree ---> bootinfo_fdt.c --+
 *            Multiboot 1 ---> bootinfo_mb1.c --+
 *            a default map --------------------+--> loam_bootinfo --> feed --> loam_memblock
 *            image, tree, stack of the kernel -+      ram[] held[]              ram, held
 *
 * RULES  I1  every span has len > 0 and does not wrap
 *        I2  counts are within their arrays (cpu_count alone may say more)
 *        I3  strings are terminated; cmdline and console_options are never NULL
 *        The spans are kept as they were told; their union is the memblock's work.
 *
 * LOCKS  None: one CPU, before the others start.
 * COST   add, hold: O(1). feed: one memblock call a span.
 * FROM   The need of the boot log: say each reservation by the name its owner gave it.
 * NOT    Choosing between overlapping RAM and reservations: what is held stays held.
 */
#include "loam/bootinfo.h"

void *memset(void *to, int byte, size_t len); /* the compiler's, or rt/ */

void loam_bootinfo_init(loam_bootinfo *info)
{
    memset(info, 0, sizeof *info); /* no literal: it would be built on the stack first */
    info->cmdline = "";
    info->console = LOAM_FDT_NO_NODE;
    info->console_options = "";
    info->node_count = 1;
    info->run_count = 1;
    info->distance[0][0] = LOAM_BOOTINFO_NEAR;
}

static bool bootinfo_wraps(uint64_t base, uint64_t len)
{
    return len > 0 && base > 0 - len;
}

loam_err loam_bootinfo_add(loam_bootinfo *info, loam_pa base, uint64_t len)
{
    if (bootinfo_wraps(base.v, len))
        return LOAM_ERANGE;
    if (len == 0)
        return LOAM_OK;
    if (info->ram_count == LOAM_BOOTINFO_RAM)
        return LOAM_EFULL;
    info->ram[info->ram_count++] = (loam_span){.base = base.v, .len = len};
    return LOAM_OK;
}

loam_err loam_bootinfo_hold(loam_bootinfo *info, loam_pa base, uint64_t len, const char *name)
{
    if (bootinfo_wraps(base.v, len))
        return LOAM_ERANGE;
    if (len == 0)
        return LOAM_OK;
    if (info->held_count == LOAM_BOOTINFO_HELD)
        return LOAM_EFULL;
    info->held[info->held_count++] =
        (loam_bootinfo_held){.span = {.base = base.v, .len = len}, .name = name};
    return LOAM_OK;
}

void loam_bootinfo_boot_cpu(loam_bootinfo *info, uint64_t id)
{
    loam_bootinfo_cpu booted = {.id = id};
    size_t n = info->cpu_count < LOAM_BOOTINFO_CPUS ? info->cpu_count : LOAM_BOOTINFO_CPUS, i = 0;
    while (i < n && info->cpu[i].id != id)
        i++;
    if (i < n)
        booted = info->cpu[i];
    else
        info->cpu_count++;
    if (i == LOAM_BOOTINFO_CPUS) /* the last is not listed any more */
        i--;
    for (; i > 0; i--)
        info->cpu[i] = info->cpu[i - 1];
    info->cpu[0] = booted;
}

static bool bootinfo_touch(loam_span a, loam_span b)
{
    return a.len > 0 && b.len > 0 && a.base <= b.base + (b.len - 1) &&
           b.base <= a.base + (a.len - 1);
}

bool loam_bootinfo_drop_module(loam_bootinfo *info, loam_span span, loam_bootinfo_module *lost)
{
    size_t i = 0;
    while (i < info->module_count && !bootinfo_touch(info->module[i].span, span))
        i++;
    if (i == info->module_count)
        return false;
    *lost = info->module[i];
    if (lost->span.base == info->initrd.base && lost->span.len == info->initrd.len)
        info->initrd.len = 0;
    for (info->module_count--; i < info->module_count; i++)
        info->module[i] = info->module[i + 1];
    return true;
}

static loam_err feed_refuse(loam_bootinfo_refusal *refused, loam_span span, const char *name,
                            loam_err err)
{
    if (refused != NULL)
        *refused = (loam_bootinfo_refusal){.span = span, .name = name, .err = err};
    return err;
}

loam_err loam_bootinfo_feed(const loam_bootinfo *info, loam_memblock *map,
                            loam_bootinfo_refusal *refused)
{
    for (size_t i = 0; i < info->ram_count; i++) {
        loam_span span = info->ram[i];
        loam_err err = loam_memblock_add(map, loam_pa_of(span.base), span.len);
        if (err != LOAM_OK)
            return feed_refuse(refused, span, "ram", err);
    }
    for (size_t i = 0; i < info->held_count; i++) {
        loam_span span = info->held[i].span;
        loam_err err = loam_memblock_reserve(map, loam_pa_of(span.base), span.len);
        if (err != LOAM_OK)
            return feed_refuse(refused, span, info->held[i].name, err);
    }
    return LOAM_OK;
}

loam_err loam_bootinfo_usable(const loam_bootinfo *info, loam_memblock *map,
                              loam_bootinfo_refusal *refused, loam_memblock_give_fn *give,
                              void *ctx)
{
    loam_err err = loam_bootinfo_feed(info, map, refused);
    return err == LOAM_OK ? loam_memblock_handover(map, give, ctx) : err;
}
