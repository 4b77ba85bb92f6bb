/* SPDX-License-Identifier: MIT */
/* objects_rows.c - the rows of bench_objects: each warms its allocator up and times one loop. */
#include "objects_rows.h"
#include <stdlib.h>

/* Operations on large objects are fewer. */
static size_t fewer(size_t ops, size_t size)
{
    return ops / (size > 32768 ? 32 : size > 4096 ? 4 : 1) + 1;
}

static double run_pair(const objects_api *api, void *a, const objects_row *row, size_t ops)
{
    ops = fewer(ops, row->size);
    api->pair(a, row->size, ops);
    uint64_t t = bench_meter_read();
    api->pair(a, row->size, ops);
    return (double)bench_meter_since(t) / (double)ops;
}

static double run_batch(const objects_api *api, void *a, const objects_row *row, size_t ops)
{
    size_t n = fewer(ops, row->size) / row->count + 1;
    api->batch(a, row->size, row->count, row->reversed, n / 4 + 1);
    uint64_t t = bench_meter_read();
    api->batch(a, row->size, row->count, row->reversed, n);
    return (double)bench_meter_since(t) / (double)(n * row->count);
}

static double run_slots(const objects_api *api, void *a, const objects_row *row, size_t ops)
{
    static void *slots[OBJECTS_SLOTS];
    bool large = row->size > 0;
    void (*loop)(void *, void **, uint64_t, size_t) = large ? api->slots_large : api->slots;
    ops = fewer(ops, row->size);
    loop(a, slots, 29, (size_t)10 * (large ? OBJECTS_LARGE_SLOTS : OBJECTS_SLOTS));
    uint64_t t = bench_meter_read();
    loop(a, slots, 31, ops);
    double v = (double)bench_meter_since(t) / (double)ops;
    for (size_t i = 0; i < OBJECTS_SLOTS; i++) {
        if (slots[i] != NULL)
            api->release(a, slots[i]);
        slots[i] = NULL;
    }
    return v;
}

static double run_grow(const objects_api *api, void *a, const objects_row *row, size_t ops)
{
    size_t n = fewer(ops, row->size) / 200 + 1, calls = api->grow(a, row->size, n / 4 + 1);
    uint64_t t = bench_meter_read();
    api->grow(a, row->size, n);
    return (double)bench_meter_since(t) / (double)(n * calls);
}

static double run_zeroed(const objects_api *api, void *a, const objects_row *row, size_t ops)
{
    ops = fewer(ops, row->size);
    api->zeroed(a, row->size, ops / 4 + 1);
    uint64_t t = bench_meter_read();
    api->zeroed(a, row->size, ops);
    return (double)bench_meter_since(t) / (double)ops;
}

static double run_aligned(const objects_api *api, void *a, const objects_row *row, size_t ops)
{
    ops = fewer(ops, row->size);
    api->aligned(a, row->count, row->size, ops / 4 + 1);
    uint64_t t = bench_meter_read();
    api->aligned(a, row->count, row->size, ops);
    return (double)bench_meter_since(t) / (double)ops;
}

/* What 64-byte objects take beyond their 64 bytes, in percent, whole pages counted. */
static double run_overhead(const objects_api *api, void *a, const objects_row *row, size_t ops)
{
    (void)ops;
    if (api->used_pages == NULL)
        return -1;
    uint64_t before = api->used_pages(a), n = 0;
    void **p = calloc(row->count, sizeof *p);
    if (p == NULL)
        bench_die("no memory");
    while (n < row->count && (p[n] = api->alloc(a, row->size)) != NULL)
        n++;
    uint64_t bytes = (api->used_pages(a) - before) << LOAM_PAGE_SHIFT;
    for (uint64_t i = 0; i < n; i++)
        api->release(a, p[i]);
    free(p);
    return n != row->count ? -1 : 100.0 * ((double)bytes / (double)(n * row->size) - 1);
}

static double run_remote(const objects_api *api, void *a, const objects_row *row, size_t ops)
{
    double per_pair, pairs_a_us;
    objects_remote(api, a, row->size, ops, &per_pair, &pairs_a_us);
    return row->unit == NULL ? per_pair : pairs_a_us;
}

const objects_row objects_rows[OBJECTS_ROWS] = {
    {"pair_16", "16 bytes, pair", run_pair, 16, 0, false, false, NULL, BENCH_BAR_NONE, 0},
    {"pair_64", "64 bytes, pair", run_pair, 64, 0, false, false, NULL, BENCH_BAR_NONE, 0},
    {"pair_256", "256 bytes, pair", run_pair, 256, 0, false, false, NULL, BENCH_BAR_NONE, 0},
    {"pair_1k", "1 KiB, pair", run_pair, 1024, 0, false, false, NULL, BENCH_BAR_NONE, 0},
    {"pair_4k", "4 KiB, pair", run_pair, 4096, 0, false, false, NULL, BENCH_BAR_NONE, 0},
    {"pair_16k", "16 KiB, pair", run_pair, 16384, 0, false, false, NULL, BENCH_BAR_NONE, 0},
    {"pair_32k", "32 KiB, pair", run_pair, 32768, 0, false, false, NULL, BENCH_BAR_NONE, 0},
    {"pair_64k", "64 KiB, pair", run_pair, 65536, 0, false, false, NULL, BENCH_BAR_NONE, 0},
    {"pair_256k", "256 KiB, pair", run_pair, 262144, 0, false, false, NULL, BENCH_BAR_NONE, 0},
    {"pair_1m", "1 MiB, pair", run_pair, 1048576, 0, false, false, NULL, BENCH_BAR_NONE, 0},
    {"batch_64", "64 bytes, 1000, freed in order", run_batch, 64, 1000, false, false, NULL,
     BENCH_BAR_NONE, 0},
    {"batch_64_reversed", "64 bytes, 1000, freed reversed", run_batch, 64, 1000, true, false, NULL,
     BENCH_BAR_NONE, 0},
    {"batch_1k", "1 KiB, 1000, freed in order", run_batch, 1024, 1000, false, false, NULL,
     BENCH_BAR_NONE, 0},
    {"batch_4k", "4 KiB, 1000, freed in order", run_batch, 4096, 1000, false, false, NULL,
     BENCH_BAR_NONE, 0},
    {"batch_4k_reversed", "4 KiB, 1000, freed reversed", run_batch, 4096, 1000, true, false, NULL,
     BENCH_BAR_NONE, 0},
    {"batch_16k", "16 KiB, 64, freed in order", run_batch, 16384, 64, false, false, NULL,
     BENCH_BAR_NONE, 0},
    {"batch_64k", "64 KiB, 64, freed in order", run_batch, 65536, 64, false, false, NULL,
     BENCH_BAR_NONE, 0},
    {"batch_64k_reversed", "64 KiB, 64, freed reversed", run_batch, 65536, 64, true, false, NULL,
     BENCH_BAR_NONE, 0},
    {"batch_256k", "256 KiB, 64, freed in order", run_batch, 262144, 64, false, false, NULL,
     BENCH_BAR_NONE, 0},
    {"batch_1m", "1 MiB, 16, freed in order", run_batch, 1048576, 16, false, false, NULL,
     BENCH_BAR_NONE, 0},
    {"batch_1m_reversed", "1 MiB, 16, freed reversed", run_batch, 1048576, 16, true, false, NULL,
     BENCH_BAR_NONE, 0},
    {"slots", "random slots, 16 B - 2 KiB", run_slots, 0, 0, false, false, NULL, BENCH_BAR_NONE, 0},
    {"slots_large", "random slots, 2 - 256 KiB", run_slots, 262144, 0, false, false, NULL,
     BENCH_BAR_NONE, 0},
    {"calloc_64", "64 bytes, zeroed, pair", run_zeroed, 64, 0, false, false, NULL, BENCH_BAR_NONE,
     0},
    {"calloc_4k", "4 KiB, zeroed, pair", run_zeroed, 4096, 0, false, false, NULL, BENCH_BAR_NONE,
     0},
    {"calloc_64k", "64 KiB, zeroed, pair", run_zeroed, 65536, 0, false, false, NULL, BENCH_BAR_NONE,
     0},
    {"calloc_256k", "256 KiB, zeroed, pair", run_zeroed, 262144, 0, false, false, NULL,
     BENCH_BAR_NONE, 0},
    {"calloc_1m", "1 MiB, zeroed, pair", run_zeroed, 1048576, 0, false, false, NULL, BENCH_BAR_NONE,
     0},
    {"grow", "realloc, 16 B to 64 KiB, a call", run_grow, 65536, 0, false, false, NULL,
     BENCH_BAR_NONE, 0},
    {"grow_4m", "realloc, 16 B to 4 MiB, a call", run_grow, 4194304, 0, false, false, NULL,
     BENCH_BAR_NONE, 0},
    {"aligned_64", "64 bytes at 64 bytes, pair", run_aligned, 64, 64, false, false, NULL,
     BENCH_BAR_NONE, 0},
    {"aligned_512", "512 bytes at 256 bytes, pair", run_aligned, 512, 256, false, false, NULL,
     BENCH_BAR_NONE, 0},
    {"aligned_4k", "4 KiB at 4 KiB, pair", run_aligned, 4096, 4096, false, false, NULL,
     BENCH_BAR_NONE, 0},
    {"aligned_64k", "64 KiB at 4 KiB, pair", run_aligned, 65536, 4096, false, false, NULL,
     BENCH_BAR_NONE, 0},
    {"overhead_64", "64 bytes: memory beyond them", run_overhead, 64, 200000, false, false,
     "percent", BENCH_BAR_VALUE_AT_MOST, 1},
    {"remote_64", "64 bytes, another thread frees", run_remote, 64, 0, false, true, NULL,
     BENCH_BAR_FIRST, 1},
    {"remote_64_rate", "the same, on the wall", run_remote, 64, 0, false, true, "pairs/us",
     BENCH_BAR_NONE, 0},
    {"remote_1k", "1 KiB, another thread frees", run_remote, 1024, 0, false, true, NULL,
     BENCH_BAR_FIRST, 1},
    {"remote_1k_rate", "the same, on the wall", run_remote, 1024, 0, false, true, "pairs/us",
     BENCH_BAR_NONE, 0},
    {"remote_16k", "16 KiB, another thread frees", run_remote, 16384, 0, false, true, NULL,
     BENCH_BAR_FIRST, 1},
    {"remote_16k_rate", "the same, on the wall", run_remote, 16384, 0, false, true, "pairs/us",
     BENCH_BAR_NONE, 0},
};
