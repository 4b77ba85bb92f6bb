/* SPDX-License-Identifier: MIT */
/* range_fuzz.c - bytes as a sequence of calls on a range, next to an array of cells
 * (range_oracle.h). The first bytes choose the place, the quantum and the number of tags. */
#include "fuzz.h"
#include "range_oracle.h"

static const struct {
    uint64_t base, quantum;
} places[] = {{0, 1}, {0x1000, 8}, {0xd0000000, 0x1000}, {-(uint64_t)CELLS, 1}, {0, 1ULL << 56}};

static loam_range_want some_want(const oracle *o, fuzz_bytes *b, unsigned count)
{
    unsigned bits = fuzz_byte(b), place = fuzz_byte(b);
    loam_range_want w = {.high = (bits & 1) != 0};
    w.align = (bits & 2) != 0 ? o->quantum << (place % 7) : 0;
    if ((bits & 4) != 0 && w.align != 0)
        w.phase = (fuzz_byte(b) % (w.align / o->quantum)) * o->quantum;
    if ((bits & 8) != 0)
        w.boundary = o->quantum << (loam_log2_ceil(count) + (bits >> 6));
    if ((bits & 16) != 0)
        w.lo = oracle_at(o, fuzz_byte(b) % o->cells) + fuzz_byte(b) % o->quantum;
    if ((bits & 32) != 0)
        w.limit = oracle_at(o, fuzz_byte(b) % o->cells) + fuzz_byte(b) % o->quantum;
    return w;
}

static bool step(oracle *o, fuzz_bytes *b)
{
    unsigned op = fuzz_byte(b), cell = fuzz_byte(b) % o->cells;
    unsigned count = 1 + fuzz_byte(b) % ((op & 8) != 0 ? o->cells : 6);
    loam_range_want w;
    switch (op & 7) {
    case 0:
        return oracle_alloc(o, count, NULL);
    case 1:
    case 2:
        w = some_want(o, b, count);
        return oracle_alloc(o, count, &w);
    case 3:
        return oracle_alloc_at(o, cell, count);
    case 4:
        return oracle_split(o, cell) && oracle_find(o, cell, count);
    case 5:
        return oracle_join(o, cell);
    case 6:
        return oracle_resize(o, cell, count);
    default:
        return oracle_free(o, cell);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static oracle o;
    fuzz_bytes b = {data, data + len};
    unsigned place = fuzz_byte(&b) % LOAM_ARRAY_LEN(places);
    o.base = places[place].base;
    o.quantum = places[place].quantum;
    o.cells = CELLS;
    o.array = fuzz_byte(&b) % 40;
    o.source = o.array == 0 ? TAGS : fuzz_byte(&b) % TAGS;
    bool good = oracle_start(&o);
    for (unsigned steps = 0; good && b.at < b.end && steps < 1000; steps++)
        good = step(&o, &b) && oracle_same(&o);
    good = good && oracle_end(&o);
    if (!good)
        fprintf(stderr, "# %s\n", o.why);
    FUZZ_CHECK(good);
    return 0;
}
