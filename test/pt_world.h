/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_PT_WORLD_H
#define LOAM_TEST_PT_WORLD_H

/* pt_world.h - page tables beside a plain array of pages: the model test draws its steps by chance,
 * the fuzzer from bytes.
 *
 * A world is a format with features, and a few windows of addresses at the edges of its tables. The
 * array has one cell for each grain of the windows. After each step the processor of software_mmu.h
 * must find exactly what the array says, the tables it can reach must be those that are counted,
 * and whatever it may still remember wrongly must be in the batch. Now and then it notes an access,
 * as the real one does. */
#define TABLE_MEMORY_PAGES 80U
#include "loam/pt.h"
#include "software_mmu.h"
#include "table_memory.h"

enum {
    WORLD_CELLS = 5120,
    WORLD_WINDOWS = 4,
    WORLD_PAGE = LOAM_PAGE_SIZE,
    WORLD_RIGHTS = LOAM_PT_WRITE | LOAM_PT_EXEC | LOAM_PT_USER,
    WORLD_FLAGS = 32
};

typedef struct world_window {
    uint64_t base;
    unsigned grains;
} world_window;

typedef struct world_place {
    const char *name;
    const loam_pt_format *format;
    unsigned features;
    mmu_kind kind;
    uint64_t grain;
    world_window window[WORLD_WINDOWS]; /* grains 0: no more */
} world_place;

static const world_place world_places[] = {
    {"i386, small pages alone",
     &loam_pt_i386,
     0,
     MMU_I386,
     0x1000,
     {{0, 1100}, {0x40000000 - 0x200000, 1024}, {0xffc00000 - 0x100000, 0x500}}},
    {"i386, 4 MiB pages",
     &loam_pt_i386,
     1,
     MMU_I386,
     0x1000,
     {{0, 2048}, {0x40000000 - 0x400000, 2048}, {0xffc00000, 0x400}}},
    {"i386, 4 MiB pages, grains of 1 MiB", &loam_pt_i386, 9, MMU_I386, 0x100000, {{0, 4096}}},
    {"x86-64, least features",
     &loam_pt_x86_64,
     0,
     MMU_X86_64,
     0x1000,
     {{0, 1024}, {0x7fffe00000, 1024}, {0x7fffffe00000, 512}, {0xffffffffffe00000, 512}}},
    {"x86-64, all features",
     &loam_pt_x86_64,
     15,
     MMU_X86_64,
     0x1000,
     {{0, 1024}, {0x7fffe00000, 1024}, {0xffff800000000000, 512}, {0xffffffffffe00000, 512}}},
    {"x86-64, 1 GiB pages, grains of 2 MiB",
     &loam_pt_x86_64,
     14,
     MMU_X86_64,
     0x200000,
     {{0, 1024}, {0x7f80000000, 2048}, {0xffffffff80000000, 1024}}},
    {"AArch64",
     &loam_pt_aarch64,
     0,
     MMU_AARCH64,
     0x1000,
     {{0, 1024}, {0x7fffe00000, 1024}, {0x7fffffe00000, 1024}, {0xffffffe00000, 512}}},
    {"AArch64, grains of 2 MiB",
     &loam_pt_aarch64,
     15,
     MMU_AARCH64,
     0x200000,
     {{0, 1024}, {0x7f80000000, 2048}, {0xffff80000000, 1024}}},
};

typedef struct world_cell {
    bool mapped;
    bool accessed, dirty; /* noted by the processor (x86) */
    bool stale;           /* the processor may remember it as it was before the last flush: */
    uint8_t flags, old_flags;
    uint64_t pa, old_pa;
    uint64_t old_page, old_size; /* the page that it was part of */
} world_cell;

typedef struct world {
    const world_place *place;
    uint64_t (*choose)(void *ctx, uint64_t n); /* 0 .. n - 1 */
    void *ctx;
    const char *wrong; /* what the last step got wrong, or NULL */
    uint64_t at;       /* the address that it is about */
    table_memory memory;
    loam_pt pt;
    loam_pt_batch batch;
    mmu cpu;
    unsigned cells, mapped;
    uint64_t told, told_end; /* bytes told by the call that runs, and up to where */
    unsigned refused;        /* requests for tables, before the step */
    world_cell cell[WORLD_CELLS];
    uint64_t va[WORLD_CELLS];
} world;

static inline uint64_t world_choose(world *w, uint64_t n)
{
    return w->choose(w->ctx, n);
}

static inline bool world_fail(world *w, const char *what, uint64_t at)
{
    if (w->wrong == NULL) {
        w->wrong = what;
        w->at = at;
    }
    return false;
}

static inline bool world_is_x86(const world *w)
{
    return w->place->kind != MMU_AARCH64;
}

static inline bool world_init(world *w, const world_place *place,
                              uint64_t (*choose)(void *ctx, uint64_t n), void *ctx)
{
    __builtin_memset(w, 0, sizeof *w);
    w->place = place;
    w->choose = choose;
    w->ctx = ctx;
    for (unsigned i = 0; i < WORLD_WINDOWS; i++)
        for (unsigned k = 0; k < place->window[i].grains; k++)
            w->va[w->cells++] = place->window[i].base + k * place->grain;
    loam_pt_memory from = table_memory_init(&w->memory);
    loam_pt_batch_init(&w->batch);
    if (loam_pt_init(&w->pt, place->format, place->features, &from) != LOAM_OK)
        return world_fail(w, "no empty tree", 0);
    w->cpu = (mmu){.kind = place->kind,
                   .large = (place->features & LOAM_PT_LARGE) != 0,
                   .huge = (place->features & LOAM_PT_HUGE) != 0,
                   .nx = (place->features & LOAM_PT_NX) != 0,
                   .global = (place->features & LOAM_PT_GLOBALS) != 0,
                   .root = w->pt.root.v,
                   .word = table_memory_word,
                   .ctx = &w->memory};
    return true;
}

/* ---- what must be so ---- */

static inline bool world_same_rights(const world *w, const mmu_page *p, unsigned flags)
{
    bool user = (flags & LOAM_PT_USER) != 0, write = (flags & LOAM_PT_WRITE) != 0;
    bool x86 = world_is_x86(w), refuses = !x86 || w->cpu.nx;
    bool exec = (flags & LOAM_PT_EXEC) != 0 || !refuses;
    return p->kernel_write == write && p->kernel_exec == (exec && (x86 || !user)) &&
           p->user_read == user && p->user_write == (user && write) &&
           p->user_exec == (user && exec) && p->device == ((flags & LOAM_PT_DEVICE) != 0) &&
           p->global == ((flags & LOAM_PT_GLOBAL) != 0 && (w->cpu.global || !x86));
}

static inline bool world_same_query(const world *w, const world_cell *cell, const mmu_page *p,
                                    uint64_t va)
{
    loam_pt_entry e = {0};
    bool refuses = !world_is_x86(w) || w->cpu.nx;
    unsigned want = cell->flags & (WORLD_RIGHTS | LOAM_PT_DEVICE);
    want |= refuses ? 0 : (unsigned)LOAM_PT_EXEC;
    want |= p->global ? (unsigned)LOAM_PT_GLOBAL : 0;
    return loam_pt_query(&w->pt, va, &e) && e.va <= va && va - e.va < e.len && e.len == p->size &&
           e.pa.v + (va - e.va) == p->pa && e.flags == want &&
           e.accessed == (cell->accessed || !world_is_x86(w)) && e.dirty == cell->dirty;
}

/* The processor and the query find at va what the cell says. */
static inline bool world_same_at(world *w, const world_cell *cell, uint64_t va, uint64_t pa)
{
    mmu_page p = mmu_walk(&w->cpu, va);
    loam_pt_entry e;
    if (p.reserved)
        return world_fail(w, "a reserved bit", va);
    if (p.mapped != cell->mapped)
        return world_fail(w, p.mapped ? "mapped, and should not be" : "not mapped", va);
    if (!p.mapped)
        return !loam_pt_query(&w->pt, va, &e) || world_fail(w, "query finds something", va);
    if (p.pa != pa)
        return world_fail(w, "at another address", va);
    if (!world_same_rights(w, &p, cell->flags))
        return world_fail(w, "with other rights", va);
    return world_same_query(w, cell, &p, va) || world_fail(w, "query differs", va);
}

static inline bool world_same(world *w)
{
    const char *rule = loam_pt_check(&w->pt);
    if (rule != NULL)
        return world_fail(w, rule, 0);
    if (mmu_tables(&w->cpu) != w->pt.tables)
        return world_fail(w, "tables that the processor reaches", w->pt.tables);
    if (w->memory.faults != 0)
        return world_fail(w, "a page was used that is not a table", 0);
    for (unsigned i = 0; i < w->cells; i++) {
        uint64_t in = i % 16 == 0 ? world_choose(w, w->place->grain) : 0;
        if (!world_same_at(w, &w->cell[i], w->va[i] + in, w->cell[i].pa + in))
            return false;
    }
    return true;
}

/* ---- the flush ---- */

static inline bool world_is_flushed(const world *w, const world_cell *cell)
{
    if (cell->mapped && cell->old_pa == cell->pa && cell->old_flags == cell->flags)
        return true; /* what is remembered is true */
    for (uint32_t i = 0; i < w->batch.count; i++)
        if (w->batch.va[i] - cell->old_page < cell->old_size)
            return true;
    return w->batch.all;
}

static inline bool world_flush(world *w)
{
    bool any = w->batch.count != 0 || w->batch.all;
    for (unsigned i = 0; i < w->cells; i++) {
        if (w->cell[i].stale && !world_is_flushed(w, &w->cell[i]))
            return world_fail(w, "not flushed", w->va[i]);
        w->cell[i].stale = false;
    }
    if (any && !w->batch.dirty)
        return world_fail(w, "a batch that is not dirty", 0);
    loam_pt_release(&w->pt, &w->batch);
    if (w->memory.out != w->pt.tables)
        return world_fail(w, "tables that are out after the flush", w->memory.out);
    return true;
}

/* The processor may remember the cell as it is now. */
static inline void world_remember(world *w, unsigned i)
{
    world_cell *cell = &w->cell[i];
    mmu_page p = mmu_walk(&w->cpu, w->va[i]);
    if (!p.mapped || cell->stale)
        return;
    cell->stale = true;
    cell->old_flags = cell->flags;
    cell->old_pa = cell->pa;
    cell->old_size = p.size;
    cell->old_page = w->va[i] & ~(p.size - 1);
}

/* ---- steps ---- */

/* Some cells that follow one another in one window: mostly few, now and then all. */
static inline unsigned world_range(world *w, unsigned *first)
{
    unsigned window = 0, at = 0;
    while (window + 1 < WORLD_WINDOWS && w->place->window[window + 1].grains != 0 &&
           world_choose(w, 2) != 0)
        at += w->place->window[window++].grains;
    unsigned grains = w->place->window[window].grains, from = (unsigned)world_choose(w, grains);
    unsigned kind = (unsigned)world_choose(w, 8), room = grains - from;
    if (kind == 0)
        from = 0;
    else if (kind < 3)
        from &= ~0xffU;
    room = grains - from;
    *first = at + from;
    if (kind < 3)
        return room;
    unsigned most = kind < 6 ? 20 : 1024;
    return 1 + (unsigned)world_choose(w, room < most ? room : most);
}

/* Physical memory for n grains: often where a large page may be. */
static inline uint64_t world_pa(world *w, uint64_t va)
{
    uint64_t grain = w->place->grain, pa = world_choose(w, 0x1000) * grain;
    if (world_choose(w, 3) != 0) {
        uint64_t mask = (world_choose(w, 4) == 0 ? (uint64_t)1 << 30 : (uint64_t)4 << 20) - 1;
        pa = (pa & ~mask) | (va & mask);
    }
    return pa & 0x3fffffff;
}

static inline bool world_any_mapped(const world *w, unsigned first, unsigned n)
{
    for (unsigned i = first; i < first + n; i++)
        if (w->cell[i].mapped)
            return true;
    return false;
}

static inline bool world_answer(world *w, loam_err got, loam_err want, uint64_t va)
{
    if (got == want || (got == LOAM_ENOMEM && want == LOAM_OK && w->memory.refused != w->refused))
        return true;
    return world_fail(w, "another answer than expected", va);
}

static inline void world_set(world *w, unsigned i, uint64_t pa, unsigned flags)
{
    w->mapped += !w->cell[i].mapped;
    w->cell[i].mapped = true;
    w->cell[i].accessed = w->cell[i].dirty = false;
    w->cell[i].pa = pa;
    w->cell[i].flags = (uint8_t)flags;
}

static inline bool world_map(world *w)
{
    unsigned first, n = world_range(w, &first), flags = (unsigned)world_choose(w, WORLD_FLAGS);
    uint64_t grain = w->place->grain, va = w->va[first], pa = world_pa(w, va);
    loam_err want = world_any_mapped(w, first, n) ? LOAM_EBUSY : LOAM_OK;
    if (w->place->kind == MMU_I386 && pa + n * grain > (uint64_t)1 << 32)
        want = LOAM_ERANGE;
    loam_err got = loam_pt_map(&w->pt, va, loam_pa_of(pa), n * grain, flags, &w->batch);
    for (unsigned i = 0; got == LOAM_OK && i < n; i++)
        world_set(w, first + i, pa + i * grain, flags);
    return world_answer(w, got, want, va);
}

static inline bool world_map_frames(world *w)
{
    static loam_pfn pfn[WORLD_CELLS];
    unsigned first, n = world_range(w, &first), flags = (unsigned)world_choose(w, WORLD_FLAGS);
    uint64_t start = world_choose(w, 0x10000), stride = 1 + 2 * world_choose(w, 100);
    if (w->place->grain != WORLD_PAGE)
        return world_map(w);
    for (unsigned i = 0; i < n; i++)
        pfn[i].v = (start + i * stride) & 0xfffff;
    loam_err want = world_any_mapped(w, first, n) ? LOAM_EBUSY : LOAM_OK;
    loam_err got = loam_pt_map_frames(&w->pt, w->va[first], pfn, n, flags, &w->batch);
    for (unsigned i = 0; got == LOAM_OK && i < n; i++)
        world_set(w, first + i, pfn[i].v * WORLD_PAGE, flags);
    return world_answer(w, got, want, w->va[first]);
}

/* Every page taken away is told once, ascending, with its address. */
static inline void world_on_gone(void *ctx, uint64_t va, loam_pa pa, uint64_t len)
{
    world *w = ctx;
    uint64_t grain = w->place->grain;
    unsigned i = 0;
    if (va < w->told_end)
        (void)world_fail(w, "told out of order", va);
    w->told_end = va + len;
    while (i < w->cells && w->va[i] != va)
        i++;
    for (uint64_t at = 0; at < len; at += grain, i++, w->told += grain)
        if (i >= w->cells || w->va[i] != va + at || !w->cell[i].mapped ||
            w->cell[i].pa != pa.v + at)
            (void)world_fail(w, "told of a page that was not there", va + at);
}

static inline bool world_unmap(world *w)
{
    unsigned first, n = world_range(w, &first), was = 0;
    uint64_t len = n * w->place->grain;
    for (unsigned i = first; i < first + n; i++) {
        was += w->cell[i].mapped;
        world_remember(w, i);
    }
    w->told = 0;
    w->told_end = w->va[first];
    loam_err got = loam_pt_unmap(&w->pt, w->va[first], len, world_on_gone, w, &w->batch);
    if (got == LOAM_OK && w->told != was * w->place->grain)
        return world_fail(w, "told of too few pages", w->va[first]);
    for (unsigned i = first; got == LOAM_OK && i < first + n; i++) {
        w->mapped -= w->cell[i].mapped;
        w->cell[i].mapped = w->cell[i].accessed = w->cell[i].dirty = false;
    }
    return world_answer(w, got, LOAM_OK, w->va[first]);
}

static inline bool world_protect(world *w)
{
    unsigned first, n = world_range(w, &first), flags = (unsigned)world_choose(w, WORLD_FLAGS);
    for (unsigned i = first; i < first + n; i++)
        world_remember(w, i);
    loam_err got = loam_pt_protect(&w->pt, w->va[first], n * w->place->grain, flags, &w->batch);
    for (unsigned i = first; got == LOAM_OK && i < first + n; i++)
        w->cell[i].flags = (uint8_t)(w->cell[i].mapped ? flags : w->cell[i].flags);
    return world_answer(w, got, LOAM_OK, w->va[first]);
}

static inline bool world_remap(world *w)
{
    unsigned i = (unsigned)world_choose(w, w->cells),
             flags = (unsigned)world_choose(w, WORLD_FLAGS);
    loam_pfn pfn = {world_choose(w, 0x100000)};
    mmu_page p = mmu_walk(&w->cpu, w->va[i]);
    loam_err want = !p.mapped ? LOAM_ENOENT : p.size != WORLD_PAGE ? LOAM_EBUSY : LOAM_OK;
    if (want == LOAM_OK && w->place->grain != WORLD_PAGE)
        return true;
    if (want == LOAM_OK)
        world_remember(w, i);
    loam_err got = loam_pt_remap(&w->pt, w->va[i], pfn, flags, &w->batch);
    if (got == LOAM_OK)
        world_set(w, i, pfn.v * WORLD_PAGE, flags);
    return world_answer(w, got, want, w->va[i]);
}

/* Marks an entry of the x86 kind accessed, and dirty if it is a page that was written. */
static inline void world_note(world *w, uint64_t table, uint64_t va, unsigned low, bool dirty)
{
    bool wide = w->place->kind == MMU_X86_64;
    unsigned index = (unsigned)(va >> low) & (wide ? 511 : 1023);
    unsigned char *page = table_memory_at(&w->memory, loam_pa_of(table));
    page[index * (wide ? 8 : 4)] |= dirty ? 0x60 : 0x20;
}

/* The processor uses a page, and notes it on the way. */
static inline bool world_touch(world *w)
{
    unsigned i = (unsigned)world_choose(w, w->cells);
    bool write = world_choose(w, 2) != 0, wide = w->place->kind == MMU_X86_64;
    mmu_page p = mmu_walk(&w->cpu, w->va[i]);
    if (!p.mapped || p.size < w->place->grain || !world_is_x86(w))
        return true;
    unsigned low = wide ? 39 : 22, bits = wide ? 9 : 10;
    for (unsigned step = 0; step < 4 && p.tables[step] != 0; step++, low -= bits) {
        bool page = (uint64_t)1 << low == p.size;
        world_note(w, p.tables[step], w->va[i], low, page && write);
    }
    uint64_t base = w->va[i] & ~(p.size - 1);
    for (unsigned k = 0; k < w->cells; k++) {
        bool in = w->va[k] - base < p.size;
        w->cell[k].accessed |= in;
        w->cell[k].dirty |= in && write;
    }
    return true;
}

/* Calls that are wrong in one way: refused, whatever the rest is. */
static inline bool world_misuse(world *w)
{
    unsigned first, n = world_range(w, &first);
    uint64_t va = w->va[first], len = n * w->place->grain;
    unsigned flags = (unsigned)world_choose(w, WORLD_FLAGS);
    loam_pt_batch none;
    loam_pt_batch_init(&none);
    switch (world_choose(w, 6)) {
    case 0:
        va += 1 + world_choose(w, WORLD_PAGE - 1);
        break;
    case 1:
        len += 1 + world_choose(w, WORLD_PAGE - 1);
        break;
    case 2:
        len = 0;
        break;
    case 3:
        flags |= WORLD_FLAGS;
        break;
    case 4:
        len = 0 - va - (va == 0 ? WORLD_PAGE : 0);
        len += va >> 63 != 0 ? WORLD_PAGE : 0;
        break;
    default:
        va = w->place->kind == MMU_X86_64 ? (uint64_t)1 << 47 : (uint64_t)1 << 50;
    }
    loam_err got = loam_pt_map(&w->pt, va, loam_pa_of(0), len, flags, &none);
    loam_err other = loam_pt_protect(&w->pt, va, len, flags, &none);
    if ((got != LOAM_EINVAL && got != LOAM_ERANGE) || got != other)
        return world_fail(w, "a wrong call is not refused", va);
    if (none.dirty || none.all || none.count != 0 || none.emptied != 0)
        return world_fail(w, "a refused call fills the batch", va);
    return true;
}

static inline bool world_count_one(void *ctx, const loam_pt_entry *entry)
{
    world *w = ctx;
    w->told += entry->len;
    if (entry->va < w->told_end)
        return world_fail(w, "each: out of order", entry->va);
    w->told_end = entry->va + entry->len;
    return true;
}

/* A walk over everything finds each page once. */
static inline bool world_each(world *w)
{
    w->told = 0;
    for (unsigned i = 0; i < WORLD_WINDOWS && w->place->window[i].grains != 0; i++) {
        const world_window *window = &w->place->window[i];
        w->told_end = window->base;
        loam_pt_each(&w->pt, window->base, window->grains * w->place->grain, world_count_one, w);
    }
    return w->told == w->mapped * w->place->grain ||
           world_fail(w, "each: not every page once", w->told);
}

/* One step; false: w->wrong says why. */
static inline bool world_step(world *w)
{
    static bool (*const steps[])(world * w) = {
        world_map,   world_map,    world_map,     world_map_frames, world_map_frames, world_unmap,
        world_unmap, world_unmap,  world_protect, world_protect,    world_remap,      world_touch,
        world_touch, world_misuse, world_flush,   world_each,
    };
    unsigned n = sizeof steps / sizeof steps[0];
    if (world_choose(w, 32) == 0)
        w->memory.limit =
            world_choose(w, 2) != 0 ? w->memory.out + (unsigned)world_choose(w, 4) : 0;
    w->refused = w->memory.refused;
    return steps[world_choose(w, n)](w) && w->wrong == NULL && world_same(w);
}

/* Everything is taken away: only the root is left, and then nothing. */
static inline bool world_end(world *w)
{
    w->memory.limit = 0;
    for (unsigned i = 0; i < w->cells; i++)
        world_remember(w, i);
    for (unsigned i = 0; i < WORLD_WINDOWS && w->place->window[i].grains != 0; i++) {
        const world_window *window = &w->place->window[i];
        if (loam_pt_unmap(&w->pt, window->base, window->grains * w->place->grain, NULL, NULL,
                          &w->batch) != LOAM_OK)
            return world_fail(w, "the last unmap is refused", window->base);
    }
    for (unsigned i = 0; i < w->cells; i++)
        w->cell[i].mapped = false;
    if (!world_flush(w) || !world_same(w))
        return false;
    if (w->pt.tables != 1 || w->memory.out != 1)
        return world_fail(w, "tables are left", w->pt.tables);
    loam_pt_fini(&w->pt, (loam_span){0, 0});
    return w->memory.out == 0 || world_fail(w, "the root is left", 0);
}

#endif
