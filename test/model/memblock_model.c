/* SPDX-License-Identifier: MIT */
/* memblock_model.c - random calls on a boot map, and the same on three arrays of flags.
 *
 * A universe is a few hundred cells of some bytes each, placed somewhere in the address space: at
 * 0, at an odd address, across 2^32, ending at 2^64. The oracle has one flag a cell for ram, held
 * and early; after every call the map must hold exactly the runs of set flags, and every answer
 * must be the one that the flags give.
 */
#include "loam/memblock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CELLS = 96, CAP_MAX = CELLS };

typedef struct place {
    const char *name;
    uint64_t base, cell; /* address of cell 0, bytes a cell */
    unsigned cap;        /* of each table: small ones meet LOAM_EFULL */
} place;

typedef struct world {
    uint64_t base, cell;
    unsigned cap;
    bool ram[CELLS], held[CELLS], early[CELLS];
    bool done; /* handed over */
    loam_memblock map;
    loam_span ram_span[CAP_MAX], held_span[CAP_MAX], early_span[CAP_MAX];
} world;

static uint64_t rng;
static char why[200];

static uint64_t below(uint64_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (rng >> 11) % n;
}

static bool fail(const char *text, uint64_t a, uint64_t b)
{
    snprintf(why, sizeof why, "%s: %llx, wanted %llx", text, (unsigned long long)a,
             (unsigned long long)b);
    return false;
}

static unsigned runs(const bool *flag)
{
    unsigned n = 0;
    for (unsigned i = 0; i < CELLS; i++)
        n += flag[i] && (i == 0 || !flag[i - 1]);
    return n;
}

/* The set is exactly the runs of the flags. */
static bool same(const world *w, const loam_spanset *set, const bool *flag, const char *name)
{
    size_t n = 0;
    for (unsigned i = 0; i < CELLS; i++) {
        if (!flag[i] || (i > 0 && flag[i - 1]))
            continue;
        unsigned end = i;
        while (end < CELLS && flag[end])
            end++;
        if (n == set->count)
            return fail(name, set->count, n + 1);
        if (set->span[n].base != w->base + i * w->cell)
            return fail(name, set->span[n].base, w->base + i * w->cell);
        if (set->span[n].len != (end - i) * w->cell)
            return fail(name, set->span[n].len, (end - i) * w->cell);
        n++;
    }
    return n == set->count || fail(name, set->count, n);
}

static bool same_all(const world *w)
{
    const char *broken = loam_memblock_check(&w->map);
    if (broken != NULL)
        return fail(broken, 0, 0);
    return same(w, &w->map.ram, w->ram, "ram") && same(w, &w->map.held, w->held, "held") &&
           same(w, &w->map.early, w->early, "early");
}

static void set(bool *flag, unsigned first, unsigned count, bool value)
{
    for (unsigned i = first; i < first + count; i++)
        flag[i] = value;
}

typedef loam_err change_fn(loam_memblock *map, loam_pa base, uint64_t len);

/* A change of one or two sets: refused when any of them would need more runs than slots. */
static bool step_change(world *w)
{
    static change_fn *const call[] = {loam_memblock_add, loam_memblock_remove,
                                      loam_memblock_reserve, loam_memblock_release};
    unsigned kind = (unsigned)below(4);
    unsigned first = (unsigned)below(CELLS), count = (unsigned)below(below(8) ? 6 : CELLS);
    if (count > CELLS - first)
        count = CELLS - first;
    bool *flag = kind < 2 ? w->ram : w->held, a[CELLS], b[CELLS];
    memcpy(a, flag, sizeof a);
    memcpy(b, w->early, sizeof b);
    set(a, first, count, kind % 2 == 0);
    if (kind == 3)
        set(b, first, count, false);
    loam_err want = runs(a) > w->cap || runs(b) > w->cap ? LOAM_EFULL : LOAM_OK;
    if (w->done)
        want = LOAM_ESTATE;
    loam_err got = call[kind](&w->map, loam_pa_of(w->base + first * w->cell), count * w->cell);
    if (got != want)
        return fail("answer of a change", got, want);
    if (got == LOAM_OK) {
        memcpy(flag, a, sizeof a);
        memcpy(w->early, b, sizeof b);
    }
    return true;
}

static bool step_wrap(world *w)
{
    uint64_t base = UINT64_MAX - below(1000), len = UINT64_MAX - base + 2 + below(1000);
    loam_err got = loam_memblock_add(&w->map, loam_pa_of(base), len);
    loam_err want = w->done ? LOAM_ESTATE : LOAM_ERANGE;
    return got == want || fail("answer of a wrapping add", got, want);
}

/* Does the block at address `at` fit: inside [lo, last], RAM, not held? */
static bool fits(const world *w, uint64_t at, uint64_t len, uint64_t lo, uint64_t last)
{
    if (at < lo || at > last || last - at < len - 1 || at < LOAM_PAGE_SIZE || at < w->base)
        return false;
    uint64_t first = (at - w->base) / w->cell, end = (at - w->base + (len - 1)) / w->cell;
    for (uint64_t i = first; i <= end; i++)
        if (i >= CELLS || !w->ram[i] || w->held[i])
            return false;
    return true;
}

/* Sizes and alignments are cells here, so that the flags can hold the result; the universes whose
 * cell is 1 byte cover every other size. */
static bool step_alloc(world *w)
{
    bool top = below(2) != 0;
    uint64_t len = (1 + below(8)) * w->cell;
    uint64_t align = w->base % w->cell != 0 ? 1 : w->cell << below(5);
    uint64_t lo = below(2) ? 0 : w->base + below(CELLS) * w->cell;
    uint64_t hi = below(2) ? 0 : w->base + below(CELLS) * w->cell, at = 0, got = 0;
    bool found = false;
    for (unsigned k = 0; k < CELLS && !found; k++) {
        at = w->base + (top ? CELLS - 1 - k : k) * w->cell;
        found = (at & (align - 1)) == 0 && fits(w, at, len, lo, hi - 1);
    }
    bool a[CELLS], b[CELLS];
    memcpy(a, w->held, sizeof a);
    memcpy(b, w->early, sizeof b);
    if (found) {
        set(a, (unsigned)((at - w->base) / w->cell), (unsigned)(len / w->cell), true);
        set(b, (unsigned)((at - w->base) / w->cell), (unsigned)(len / w->cell), true);
    }
    loam_err want = found ? LOAM_OK : LOAM_ENOMEM;
    if (runs(a) > w->cap || runs(b) > w->cap)
        want = LOAM_EFULL;
    if (w->done)
        want = LOAM_ESTATE;
    loam_pa pa = {0};
    loam_err err = loam_memblock_alloc(&w->map, len, align, loam_pa_of(lo), loam_pa_of(hi),
                                       top ? LOAM_MEMBLOCK_TOP_DOWN : LOAM_MEMBLOCK_BOTTOM_UP, &pa);
    if (err != want)
        return fail("answer of alloc", err, want);
    got = pa.v;
    if (err == LOAM_OK && got != at)
        return fail("place of alloc", got, at);
    if (err == LOAM_OK) {
        memcpy(w->held, a, sizeof a);
        memcpy(w->early, b, sizeof b);
    }
    return true;
}

/* ---- frames: by cell flags again, a frame at a time ---- */

typedef struct frames {
    const world *w;
    uint64_t next; /* frame that hand-over has reached */
    bool bad;
    loam_memblock_sum sum;
} frames;

static bool flag_at(const world *w, const bool *flag, uint64_t at)
{
    return at >= w->base && (at - w->base) / w->cell < CELLS && flag[(at - w->base) / w->cell];
}

/* What a frame is: 0 not whole, 1 free, 2 held, 3 metadata. *ram counts its bytes of RAM. */
static unsigned frame_kind(const world *w, uint64_t frame, uint64_t *ram)
{
    bool whole = true, held = false, early = false;
    uint64_t step = w->cell < LOAM_PAGE_SIZE ? w->cell : LOAM_PAGE_SIZE;
    uint64_t odd = w->base % step; /* cells may start inside a frame */
    for (uint64_t off = 0; off < LOAM_PAGE_SIZE; off = off == 0 && odd ? odd : off + step) {
        uint64_t at = (frame << LOAM_PAGE_SHIFT) + off;
        uint64_t part = off == 0 && odd ? odd : step;
        if (part > LOAM_PAGE_SIZE - off)
            part = LOAM_PAGE_SIZE - off;
        whole = whole && flag_at(w, w->ram, at);
        *ram += flag_at(w, w->ram, at) ? part : 0;
        early = early || flag_at(w, w->early, at);
        held = held || (flag_at(w, w->held, at) && !flag_at(w, w->early, at));
    }
    return !whole ? 0 : held ? 2 : early ? 3 : 1;
}

static loam_err take(void *ctx, loam_pfn first, uint64_t count)
{
    frames *f = ctx;
    uint64_t ram = 0;
    for (; f->next < first.v; f->next++)
        f->bad |= frame_kind(f->w, f->next, &ram) == 1;
    for (; f->next < first.v + count; f->next++)
        f->bad |= frame_kind(f->w, f->next, &ram) != 1;
    f->bad |= count == 0 || frame_kind(f->w, f->next, &ram) == 1; /* maximal */
    return LOAM_OK;
}

static bool step_count(world *w)
{
    uint64_t first = w->base >> LOAM_PAGE_SHIFT, ram = 0, n[4] = {0, 0, 0, 0};
    uint64_t last = (w->base + (CELLS * w->cell - 1)) >> LOAM_PAGE_SHIFT;
    loam_memblock_sum sum;
    for (uint64_t frame = first; frame <= last; frame++)
        n[frame_kind(w, frame, &ram)]++;
    loam_memblock_count(&w->map, &sum);
    uint64_t total = n[1] + n[2] + n[3];
    if (sum.total != total)
        return fail("total", sum.total, total);
    if (sum.free != n[1] || sum.held != n[2])
        return fail("free, held", sum.free * 1000 + sum.held, n[1] * 1000 + n[2]);
    if (sum.metadata != n[3])
        return fail("metadata", sum.metadata, n[3]);
    ram -= total << LOAM_PAGE_SHIFT;
    return sum.edge_bytes == ram || fail("edge_bytes", sum.edge_bytes, ram);
}

static bool step_handover(world *w)
{
    frames f = {.w = w, .next = w->base >> LOAM_PAGE_SHIFT};
    uint64_t ram = 0, last = (w->base + (CELLS * w->cell - 1)) >> LOAM_PAGE_SHIFT;
    loam_err got = loam_memblock_handover(&w->map, take, &f);
    loam_err want = w->done ? LOAM_ESTATE : LOAM_OK;
    if (got != want)
        return fail("answer of handover", got, want);
    if (w->done)
        return true;
    w->done = true;
    for (; f.next <= last; f.next++)
        f.bad |= frame_kind(w, f.next, &ram) == 1;
    return !f.bad || fail("frames handed over", f.next, 0);
}

static bool step(world *w)
{
    switch (below(100)) {
    case 0:
        return step_wrap(w);
    case 1:
        return below(40) == 0 ? step_handover(w) : step_count(w);
    case 2:
    case 3:
    case 4:
        return step_count(w);
    default:
        return below(5) == 0 ? step_alloc(w) : step_change(w);
    }
}

static bool life(world *w, const place *p, unsigned steps)
{
    w->base = p->base;
    w->cell = p->cell;
    w->cap = p->cap;
    memset(w->ram, 0, sizeof w->ram);
    memset(w->held, 0, sizeof w->held);
    memset(w->early, 0, sizeof w->early);
    w->done = false;
    loam_memblock_init(&w->map, w->ram_span, w->cap, w->held_span, w->cap, w->early_span, w->cap);
    for (unsigned i = 0; i < steps; i++)
        if (!step(w) || !same_all(w))
            return false;
    return step_handover(w);
}

int main(void)
{
    static const place places[] = {
        {"at 0, cells of a page", 0, 0x1000, CAP_MAX},
        {"end of page 0, cells of a byte", 0xfe0, 1, 9},
        {"odd base, cells of 1 KiB", 0x12345, 0x400, CAP_MAX},
        {"above page 0, cells of 256 bytes", 0x1f00, 0x100, 7},
        {"across 2^32, cells of half a page", 0xffff9800, 0x800, 12},
        {"at 2^52, cells of 4 pages", 1ULL << 52, 0x4000, 5},
        {"ending at 2^64, cells of a page", -(uint64_t)CELLS * 0x1000, 0x1000, CAP_MAX},
        {"ending at 2^64, cells of a byte", -(uint64_t)CELLS, 1, 6},
        {"ending at 2^64, cells of 1 KiB", -(uint64_t)CELLS * 0x400, 0x400, 11},
    };
    static world w;
    const unsigned count = LOAM_ARRAY_LEN(places);
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761U;
    unsigned lives = getenv("LOAM_LONG") ? 2000 : 60, failed = 0;
    printf("1..%u\n", count);
    for (unsigned i = 0; i < count; i++) {
        bool ok = true;
        rng = (seed + i) * 0x9e3779b97f4a7c15ULL | 1;
        for (unsigned k = 0; k < lives && ok; k++)
            ok = life(&w, &places[i], 300);
        printf("%sok %u - memblock_model: %s: as the flags say\n", ok ? "" : "not ", i + 1,
               places[i].name);
        if (!ok)
            printf("# SEED=%llu: %s\n", (unsigned long long)seed, why);
        failed += !ok;
    }
    return failed != 0;
}
