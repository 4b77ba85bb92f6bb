/* SPDX-License-Identifier: MIT */
/* range_model.c - random calls on a range, and the same on an array of cells (range_oracle.h). */
#include "range_oracle.h"
#include <stdlib.h>
#include <time.h>

typedef struct place {
    const char *name;
    uint64_t base, quantum;
    unsigned cells;
    size_t array, source; /* tags */
} place;

static uint64_t rng;

static uint64_t below(uint64_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (rng >> 11) % n;
}

static unsigned some_count(const oracle *o)
{
    return 1 + (unsigned)below(below(4) != 0 ? 8 : o->cells);
}

static loam_range_want some_want(const oracle *o, unsigned count)
{
    loam_range_want w = {.high = below(2) != 0};
    if (below(2) != 0) {
        w.align = o->quantum << below(6);
        w.phase = below(2) != 0 ? below(w.align / o->quantum) * o->quantum : 0;
    }
    if (below(3) == 0)
        w.boundary = o->quantum << (loam_log2_ceil(count) + below(3));
    if (below(3) == 0)
        w.lo = o->base + below(o->cells * o->quantum);
    if (below(3) == 0)
        w.limit = o->base + below(o->cells * o->quantum);
    return w;
}

static bool step(oracle *o)
{
    unsigned cell = (unsigned)below(o->cells), count = some_count(o);
    loam_range_want w = some_want(o, count);
    unsigned start = cell;
    while (below(4) != 0 && !oracle_starts(o, start))
        start--;
    switch (below(12)) {
    case 0:
    case 1:
        return oracle_alloc(o, count, NULL);
    case 2:
    case 3:
        return oracle_alloc(o, count, &w);
    case 4:
        return oracle_alloc_at(o, cell, count);
    case 5:
        return oracle_split(o, cell);
    case 6:
        return oracle_join(o, start);
    case 7:
        return oracle_resize(o, start, count);
    case 8:
        return oracle_find(o, cell, below(o->quantum));
    default:
        return oracle_free(o, start);
    }
}

static bool life(oracle *o, const place *p, unsigned steps)
{
    o->base = p->base;
    o->quantum = p->quantum;
    o->cells = p->cells;
    o->array = p->array;
    o->source = p->source;
    if (!oracle_start(o))
        return false;
    for (unsigned i = 0; i < steps; i++)
        if (!step(o) || !oracle_same(o))
            return false;
    return oracle_end(o);
}

int main(void)
{
    static const place places[] = {
        {"from 0, units of 1", 0, 1, CELLS, TAGS, 0},
        {"a page in units of 8", 0x1000, 8, CELLS, 0, TAGS},
        {"kernel addresses in pages", 0xd0000000, 0x1000, CELLS, 40, TAGS - 40},
        {"across 2^32", 0xfffff000, 0x100, 77, 30, 0},
        {"few tags", 0x10000, 0x100, CELLS, 6, 3},
        {"one cell", 0x20, 0x20, 1, 1, 0},
        {"ending at 2^64", -(uint64_t)CELLS * 0x1000, 0x1000, CELLS, TAGS, 0},
        {"ending at 2^64, units of 1", -(uint64_t)41, 1, 41, 20, 30},
        {"huge units", 0, 1ULL << 56, 200 < CELLS ? 200 : CELLS, TAGS, 0},
    };
    static oracle o;
    const unsigned count = LOAM_ARRAY_LEN(places);
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761U;
    unsigned lives = getenv("LOAM_LONG") ? 300 : 12, failed = 0;
    printf("1..%u\n", count);
    for (unsigned i = 0; i < count; i++) {
        bool ok = true;
        rng = (seed + i) * 0x9e3779b97f4a7c15ULL | 1;
        for (unsigned k = 0; k < lives && ok; k++)
            ok = life(&o, &places[i], 600);
        printf("%sok %u - range_model: %s: as the cells say\n", ok ? "" : "not ", i + 1,
               places[i].name);
        if (!ok)
            printf("# SEED=%llu: %s\n", (unsigned long long)seed, o.why);
        failed += !ok;
    }
    return failed != 0;
}
