/* SPDX-License-Identifier: MIT */
/* memblock_fuzz.c - bytes as a sequence of calls on a boot map, next to arrays of flags.
 *
 * The first bytes choose a place in the address space, a cell size and the capacity of the tables;
 * every later group of bytes is one call on whole cells. After each call the map must hold exactly
 * the runs of set flags, and have given the answer that the flags give. */
#include "fuzz.h"
#include "loam/memblock.h"
#include <string.h>

enum { CELLS = 48, PAGE = LOAM_PAGE_SIZE };

typedef struct place {
    uint64_t base, cell;
} place;

static const place places[] = {
    {0, PAGE},
    {0x80000000U - 16 * PAGE, PAGE},
    {0x100000000ULL - 24 * PAGE, 2 * PAGE}, /* across 4 GiB */
    {0 - CELLS * (uint64_t)PAGE, PAGE},     /* up to the top */
    {0x40000123, 0x700},                    /* nothing aligned */
    {0x7ff, 3 * PAGE / 2},
};

typedef struct world {
    place at;
    size_t cap;
    bool ram[CELLS], held[CELLS], early[CELLS], done;
    loam_memblock map;
    loam_span spans[3][CELLS];
} world;

static size_t runs(const bool *flag)
{
    size_t n = 0;
    for (unsigned i = 0; i < CELLS; i++)
        n += flag[i] && (i == 0 || !flag[i - 1]);
    return n;
}

static void same_set(const world *w, const loam_spanset *set, const bool *flag)
{
    size_t n = 0;
    for (unsigned i = 0; i < CELLS; i++) {
        if (!flag[i] || (i > 0 && flag[i - 1]))
            continue;
        unsigned end = i;
        while (end < CELLS && flag[end])
            end++;
        FUZZ_CHECK(n < set->count);
        FUZZ_CHECK(set->span[n].base == w->at.base + i * w->at.cell);
        FUZZ_CHECK(set->span[n].len == (end - i) * w->at.cell);
        n++;
    }
    FUZZ_CHECK(n == set->count);
}

static void same(const world *w)
{
    FUZZ_RULE(loam_memblock_check(&w->map));
    same_set(w, &w->map.ram, w->ram);
    same_set(w, &w->map.held, w->held);
    same_set(w, &w->map.early, w->early);
}

/* ---- the four changes ---- */

typedef loam_err change_fn(loam_memblock *map, loam_pa base, uint64_t len);
static change_fn *const change[] = {loam_memblock_add, loam_memblock_remove, loam_memblock_reserve,
                                    loam_memblock_release};

static void step_change(world *w, unsigned kind, unsigned first, unsigned count)
{
    bool to[CELLS], early[CELLS], *flag = kind < 2 ? w->ram : w->held;
    memcpy(to, flag, sizeof to);
    memcpy(early, w->early, sizeof early);
    memset(to + first, kind % 2 == 0, count);
    if (kind == 3)
        memset(early + first, 0, count);
    bool fits = runs(to) <= w->cap && runs(early) <= w->cap;
    loam_err want = w->done ? LOAM_ESTATE : fits ? LOAM_OK : LOAM_EFULL;
    loam_pa base = loam_pa_of(w->at.base + first * w->at.cell);
    FUZZ_CHECK(change[kind](&w->map, base, count * w->at.cell) == want);
    if (want == LOAM_OK) {
        memcpy(flag, to, sizeof to);
        memcpy(w->early, early, sizeof early);
    }
}

/* A range that leaves the address space: refused, whatever else. */
static void step_wrap(world *w, unsigned kind, uint64_t base, uint64_t len)
{
    if (base == 0 || len <= 0 - base)
        return;
    loam_err err = change[kind](&w->map, loam_pa_of(base), len);
    FUZZ_CHECK(err == (w->done ? LOAM_ESTATE : LOAM_ERANGE) || (w->done && err == LOAM_ERANGE));
}

/* ---- early allocation ---- */

static bool fits_at(const world *w, unsigned first, unsigned count, uint64_t align)
{
    uint64_t base = w->at.base + first * w->at.cell;
    if ((base & (align - 1)) != 0 || base < PAGE)
        return false;
    for (unsigned i = first; i < first + count; i++)
        if (!w->ram[i] || w->held[i])
            return false;
    return true;
}

/* Only where cells are frames: there every answer is the start of a cell. */
static void step_alloc(world *w, unsigned count, unsigned shift, bool down)
{
    uint64_t align = shift == 0 ? 1 : w->at.cell << (shift - 1);
    unsigned found = CELLS;
    if ((w->at.base | w->at.cell) % PAGE != 0 || !loam_is_pow2(w->at.cell))
        return;
    for (unsigned i = 0; i + count <= CELLS && (down || found == CELLS); i++)
        if (fits_at(w, i, count, align))
            found = i;
    bool held[CELLS], early[CELLS];
    memcpy(held, w->held, sizeof held);
    memcpy(early, w->early, sizeof early);
    if (found < CELLS) {
        memset(held + found, 1, count);
        memset(early + found, 1, count);
    }
    loam_err want = found == CELLS ? LOAM_ENOMEM : LOAM_OK;
    if (want == LOAM_OK && (runs(held) > w->cap || runs(early) > w->cap))
        want = LOAM_EFULL;
    if (w->done)
        want = LOAM_ESTATE;
    loam_pa out = {1};
    loam_err err = loam_memblock_alloc(&w->map, count * w->at.cell, align, loam_pa_of(0),
                                       loam_pa_of(0), down ? 1 : 0, &out);
    FUZZ_CHECK(err == want);
    if (want != LOAM_OK)
        return;
    FUZZ_CHECK(out.v == w->at.base + found * w->at.cell);
    memcpy(w->held, held, sizeof held);
    memcpy(w->early, early, sizeof early);
}

/* ---- frames ---- */

typedef struct frame {
    bool ram, held,
        early; /* wholly RAM; touched by a held cell that is not early, by an early one */
} frame;

static frame frame_at(const world *w, uint64_t base)
{
    frame f = {.ram = true};
    uint64_t to = base - w->at.base; /* may be below the first cell: then it wraps, far outside */
    for (uint64_t byte = 0; byte < PAGE; byte++) {
        uint64_t cell = (to + byte) / w->at.cell;
        if (to + byte >= CELLS * w->at.cell) {
            f.ram = false;
            continue;
        }
        f.ram = f.ram && w->ram[cell];
        f.held = f.held || (w->held[cell] && !w->early[cell]);
        f.early = f.early || w->early[cell];
        byte += w->at.cell - 1 - (to + byte) % w->at.cell; /* to the cell's last byte */
    }
    return f;
}

typedef struct giving {
    const world *w;
    uint64_t next; /* the lowest frame that may come */
} giving;

static bool is_free(const world *w, uint64_t pfn)
{
    frame f = frame_at(w, pfn << LOAM_PAGE_SHIFT);
    return f.ram && !f.held && !f.early;
}

static loam_err give(void *ctx, loam_pfn first, uint64_t count)
{
    giving *g = ctx;
    FUZZ_CHECK(count > 0 && first.v >= g->next);
    for (; g->next < first.v; g->next++)
        FUZZ_CHECK(!is_free(g->w, g->next));
    for (; g->next < first.v + count; g->next++)
        FUZZ_CHECK(is_free(g->w, g->next));
    return LOAM_OK;
}

static void step_handover(world *w)
{
    giving g = {.w = w, .next = w->at.base >> LOAM_PAGE_SHIFT};
    loam_err err = loam_memblock_handover(&w->map, give, &g);
    FUZZ_CHECK(err == (w->done ? LOAM_ESTATE : LOAM_OK));
    uint64_t end = (w->at.base + CELLS * w->at.cell - 1) >> LOAM_PAGE_SHIFT;
    for (; !w->done && g.next <= end; g.next++)
        FUZZ_CHECK(!is_free(w, g.next));
    w->done = true;
}

static void step_count(const world *w)
{
    loam_memblock_sum sum, want = {0};
    uint64_t first = w->at.base >> LOAM_PAGE_SHIFT;
    uint64_t end = (w->at.base + CELLS * w->at.cell - 1) >> LOAM_PAGE_SHIFT;
    loam_memblock_count(&w->map, &sum);
    for (uint64_t pfn = first; pfn <= end; pfn++) {
        frame f = frame_at(w, pfn << LOAM_PAGE_SHIFT);
        want.total += f.ram;
        want.held += f.ram && f.held;
        want.metadata += f.ram && !f.held && f.early;
        want.free += f.ram && !f.held && !f.early;
    }
    for (unsigned i = 0; i < CELLS; i++)
        want.edge_bytes += w->ram[i] ? w->at.cell : 0;
    want.edge_bytes -= want.total * PAGE;
    FUZZ_CHECK(sum.total == want.total && sum.free == want.free);
    FUZZ_CHECK(sum.held == want.held && sum.metadata == want.metadata);
    FUZZ_CHECK(sum.edge_bytes == want.edge_bytes);
}

static uint64_t big(fuzz_bytes *b)
{
    uint64_t v = fuzz_byte(b); /* one byte spread: mostly ones, mostly zeros, a few bits */
    return v << 56 | (v & 1 ? 0x00ffffffffffff00ULL : 0) | fuzz_byte(b);
}

static void step(world *w, fuzz_bytes *b)
{
    unsigned op = fuzz_byte(b), first = fuzz_byte(b) % CELLS, count = fuzz_byte(b);
    count = count % (CELLS - first + 1);
    switch (op % 16) {
    case 12:
        step_wrap(w, op / 16 % 4, big(b), big(b));
        break;
    case 13:
        step_count(w);
        break;
    case 14:
        if (op == 0xfe)
            step_handover(w);
        break;
    case 8:
    case 9:
    case 10:
    case 11:
    case 15:
        step_alloc(w, count % 8 + 1, first % 5, op % 2);
        break;
    default:
        step_change(w, op % 4, first, count);
    }
    same(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static world w;
    fuzz_bytes b = {data, data + len};
    memset(&w, 0, sizeof w);
    w.at = places[fuzz_byte(&b) % LOAM_ARRAY_LEN(places)];
    w.cap = fuzz_byte(&b) % (CELLS / 2) + 1;
    FUZZ_CHECK(loam_memblock_init(&w.map, w.spans[0], w.cap, w.spans[1], w.cap, w.spans[2],
                                  w.cap) == LOAM_OK);
    for (unsigned steps = 0; b.at < b.end && steps < 2000; steps++)
        step(&w, &b);
    step_count(&w);
    step_handover(&w);
    same(&w);
    return 0;
}
