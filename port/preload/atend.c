/* SPDX-License-Identifier: MIT */
/* atend.c - what LOAM_CONF wants to be told when the program ends: figures, leaks.
 *
 * Written by out.c alone: the C library may be half gone by then. Some programs close standard
 * error before they end, so it is kept by a number of our own. */
#include "watch.h"

void atend_prepare(void)
{
    if (loam__conf.stats || loam__conf.leaks || loam__conf.profile[0] != '\0' ||
        loam__conf.trace[0] != '\0')
        out_keep_errors();
}

typedef struct leak_sums {
    uint64_t blocks, bytes;
    process_out *out;
} leak_sums;

enum { LEAKS_TOLD = 1000 };

static bool leak(void *ctx, void *p, size_t size, const char *cache, const void *site)
{
    leak_sums *sums = ctx;
    (void)cache;
    if (sums->blocks++ < LEAKS_TOLD)
        out_fmt(sums->out, "loam: still out: %p, %U bytes, from %p\n", p, (uint64_t)size, site);
    sums->bytes += size;
    return true;
}

/* Of these nobody keeps who asked. */
static void leak_huge(void *ctx, void *p, size_t len)
{
    leak_sums *sums = ctx;
    if (sums->blocks++ < LEAKS_TOLD)
        out_fmt(sums->out, "loam: still out: %p, %U bytes, huge\n", p, (uint64_t)len);
    sums->bytes += len;
}

static void leaks(process_out *out)
{
    leak_sums sums = {0, 0, out};
    uint32_t n = loam_atomic_load(&loam__process.ranges);
    for (uint32_t i = 0; i < n; i++)
        loam_kmalloc_each(loam__process.range[i].kmalloc, leak, &sums);
    huge_each(leak_huge, &sums);
    heaps_each_block(leak, &sums);
    out_fmt(out, "loam: %U bytes in %U blocks are still out\n", sums.bytes, sums.blocks);
}

/* 0, or why it was not written. */
static int end_write(int file)
{
    process_out out;
    out_init(&out, file);
    if (loam__conf.stats)
        process_figures(&out, loam__conf.json);
    if (loam__conf.leaks)
        leaks(&out);
    out_end(&out);
    return out.error;
}

static void end_tell(void)
{
    const char *path = loam__conf.file;
    if (!loam__conf.stats && !loam__conf.leaks)
        return;
    if (path[0] != '\0') {
        out_file file;
        int error = out_open(path, &file);
        error = error != 0 ? error : end_write(file.number);
        if (error == 0)
            return;
        out_tell("file", path, error, "here instead");
    }
    (void)end_write(out_errors()); /* nothing is left to tell it to */
}

__attribute__((destructor)) static void at_end(void)
{
    watch_end();
    end_tell();
    last_look();
}
