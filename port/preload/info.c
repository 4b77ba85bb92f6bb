/* SPDX-License-Identifier: MIT */
/* info.c - what glibc's malloc.h tells and asks: mallinfo, malloc_info, malloc_stats, malloc_trim.
 *
 * The figures are sums over the ranges and the huge blocks, at one moment of each. */
#define _GNU_SOURCE
#include "preload.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>

process_sums process_sums_now(void)
{
    process_sums s = {0};
    uint32_t n = loam_atomic_load(&loam__process.ranges);
    for (uint32_t i = 0; i < n; i++) {
        process_range *r = &loam__process.range[i];
        loam_kmalloc_stats k;
        loam_zone_stats z;
        loam_kmalloc_stat(r->kmalloc, &k);
        loam_zone_stat(r->zone, &z);
        s.ready += (z.frames - z.reserved - z.bad) << LOAM_PAGE_SHIFT;
        s.used += k.used_bytes;
        s.blocks += k.used_blocks;
        for (unsigned order = 0; order <= LOAM_ZONE_MAX_ORDER; order++)
            s.free_blocks += z.blocks[order];
    }
    huge_sums(&s.huge, &s.huge_blocks);
    s.blocks += s.huge_blocks;
    return s;
}

PRELOAD_EXPORT struct mallinfo2 mallinfo2(void)
{
    process_sums s = process_sums_now();
    return (struct mallinfo2){.arena = s.ready,
                              .ordblks = s.free_blocks,
                              .hblks = s.huge_blocks,
                              .hblkhd = s.huge,
                              .uordblks = s.used,
                              .fordblks = s.ready - s.used};
}

/* The same in ints, for old programs; what does not fit is the most that does. */
static int in_int(size_t v)
{
    return v > INT32_MAX ? INT32_MAX : (int)v;
}

PRELOAD_EXPORT struct mallinfo mallinfo(void)
{
    struct mallinfo2 m = mallinfo2();
    return (struct mallinfo){.arena = in_int(m.arena),
                             .ordblks = in_int(m.ordblks),
                             .hblks = in_int(m.hblks),
                             .hblkhd = in_int(m.hblkhd),
                             .uordblks = in_int(m.uordblks),
                             .fordblks = in_int(m.fordblks)};
}

PRELOAD_EXPORT int malloc_info(int options, FILE *stream)
{
    if (options != 0)
        return EINVAL;
    process_sums s = process_sums_now();
    uint64_t system = s.ready + s.huge;
    fprintf(stream,
            "<malloc version=\"1\">\n<heap nr=\"0\">\n"
            "<total type=\"used\" count=\"%llu\" size=\"%llu\"/>\n"
            "<total type=\"mmap\" count=\"%llu\" size=\"%llu\"/>\n"
            "<system type=\"current\" size=\"%llu\"/>\n</heap>\n</malloc>\n",
            (unsigned long long)s.blocks, (unsigned long long)s.used,
            (unsigned long long)s.huge_blocks, (unsigned long long)s.huge,
            (unsigned long long)system);
    return 0;
}

PRELOAD_EXPORT void malloc_stats(void)
{
    process_sums s = process_sums_now();
    uint64_t used = s.used + s.huge, system = s.ready + s.huge;
    fprintf(stderr,
            "loam: %llu bytes in %llu blocks; %llu bytes from the system, %llu in %llu huge"
            " blocks\n",
            (unsigned long long)used, (unsigned long long)s.blocks, (unsigned long long)system,
            (unsigned long long)s.huge, (unsigned long long)s.huge_blocks);
}

/* glibc's parameters mean nothing here; programs that set them go on. */
PRELOAD_EXPORT int mallopt(int param, int value)
{
    (void)param;
    (void)value;
    return 1;
}

PRELOAD_EXPORT int malloc_trim(size_t pad)
{
    (void)pad; /* what is kept at the top is memory that nobody touched */
    uint32_t n = loam_atomic_load(&loam__process.ranges);
    uint64_t back = 0;
    for (uint32_t i = 0; i < n; i++)
        back += process_give_back(&loam__process.range[i]);
    return back != 0;
}
