/* SPDX-License-Identifier: MIT */
/* pt_fault.c - page tables when the n-th table is refused, for every n.
 *
 * Each call that may need tables is made again and again on the same tree; in round n its n-th
 * request fails (and, in a second series, every later one, too), until it needs fewer. What was
 * refused must have left every mapping, every table and the batch as they were. */
#include "pt_world.h"
#include "tap_host.h"

enum { ROUNDS = 100 };

static table_memory memory;
static loam_pt pt;
static loam_pt_batch batch;

/* ---- what a tree looks like: a sum over all that it maps, and all bytes of its tables ---- */

static bool add_entry(void *ctx, const loam_pt_entry *e)
{
    uint64_t *sum = ctx;
    *sum = *sum * 31 + e->va * 7 + e->len * 5 + e->pa.v * 3 + e->flags;
    return true;
}

static uint64_t picture(void)
{
    uint64_t sum = 1, half = (uint64_t)1 << 47;
    bool wide = pt.format != &loam_pt_i386;
    loam_pt_each(&pt, 0, wide ? half : (uint64_t)1 << 32, add_entry, &sum);
    loam_pt_each(&pt, 0 - half, half, add_entry, &sum);
    for (unsigned i = 0; i < TABLE_MEMORY_PAGES; i++)
        for (unsigned k = 0; memory.is_out[i] && k < LOAM_PAGE_SIZE; k++)
            sum = sum * 31 + table_memory_ram[i][k];
    return sum;
}

/* ---- calls ---- */

typedef struct call {
    const char *name;
    const loam_pt_format *format;
    unsigned features;
    void (*prepare)(void);
    loam_err (*make)(void);
    unsigned tables; /* that it asks for */
} call;

static void nothing(void)
{
}

static loam_err map(uint64_t va, uint64_t pa, uint64_t len)
{
    return loam_pt_map(&pt, va, loam_pa_of(pa), len, LOAM_PT_WRITE, &batch);
}

static void one_large(void)
{
    (void)map(0x400000, 0x400000, 0x400000);
}

static void one_huge(void)
{
    (void)map(0x40000000, 0x40000000, 0x40000000);
}

static loam_err map_small(void)
{
    return map(0x3ff000, 0, 0x2000);
}

static loam_err map_over_edges(void)
{
    return map(0x7fffffe000, 0x5000, 0x4000); /* two tables at each level */
}

static loam_err map_frames(void)
{
    static loam_pfn pfn[2000];
    for (unsigned i = 0; i < 2000; i++)
        pfn[i].v = (uint64_t)i * 3;
    return loam_pt_map_frames(&pt, 0x700000, pfn, 2000, 0, &batch);
}

static loam_err unmap_inside(void)
{
    return loam_pt_unmap(&pt, 0x401000, 0x1000, NULL, NULL, &batch);
}

static loam_err unmap_huge(void)
{
    return loam_pt_unmap(&pt, 0x40001000, 0x20000000, NULL, NULL, &batch);
}

static loam_err protect_two(void)
{
    return loam_pt_protect(&pt, 0x4ff000, 0x202000, 0, &batch);
}

static loam_err prepare_four(void)
{
    return loam_pt_prepare(&pt, 0x1000000, 0x1000000);
}

static const call calls[] = {
    {"i386: map over an edge", &loam_pt_i386, 1, nothing, map_small, 2},
    {"i386: map_frames", &loam_pt_i386, 0, nothing, map_frames, 3},
    {"i386: unmap in a large page", &loam_pt_i386, 1, one_large, unmap_inside, 1},
    {"i386: prepare", &loam_pt_i386, 1, nothing, prepare_four, 4},
    {"x86-64: map over the edges of all levels", &loam_pt_x86_64, 0, nothing, map_over_edges, 6},
    {"x86-64: map_frames", &loam_pt_x86_64, 0, nothing, map_frames, 7},
    {"x86-64: protect from one large page into the next", &loam_pt_x86_64, 0, one_large,
     protect_two, 2},
    {"x86-64: unmap in a huge page", &loam_pt_x86_64, 15, one_huge, unmap_huge, 3},
    {"AArch64: map over the edges of all levels", &loam_pt_aarch64, 0, nothing, map_over_edges, 6},
    {"AArch64: unmap in a huge page", &loam_pt_aarch64, 0, one_huge, unmap_huge, 3},
};

/* ---- every n ---- */

static void fresh(tap *t, const call *c)
{
    loam_pt_memory from = table_memory_init(&memory);
    loam_pt_batch_init(&batch);
    TAP_EQ(t, loam_pt_init(&pt, c->format, c->features, &from), LOAM_OK);
    c->prepare();
    loam_pt_batch_init(&batch);
}

static void refuse_each(tap *t, const call *c, bool rest)
{
    unsigned n = 0;
    loam_err err;
    do {
        fresh(t, c);
        uint64_t before = picture(), tables = pt.tables;
        memory.fail_at = memory.asked + ++n;
        memory.fail_rest = rest;
        err = c->make();
        TAP_RULE(t, loam_pt_check(&pt), NULL);
        TAP_EQ(t, memory.faults, 0);
        TAP_EQ(t, memory.out, pt.tables);
        if (err == LOAM_OK)
            break;
        TAP_EQ(t, err, LOAM_ENOMEM);
        TAP_EQ(t, pt.tables, tables);
        TAP_EQ(t, picture(), before);
        TAP_CHECK(t, !batch.dirty && !batch.all && batch.count == 0 && batch.emptied == 0);
    } while (n < ROUNDS);
    TAP_EQ(t, err, LOAM_OK);
    TAP_EQ(t, n, c->tables + 1);
}

static void once(tap *t)
{
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(calls); i++) {
        unsigned failed = t->failed;
        refuse_each(t, &calls[i], false);
        refuse_each(t, &calls[i], true);
        if (t->failed != failed)
            tap_note(t, "in: %s", calls[i].name);
    }
}

/* Any world, with few tables: goes on, and ends with none left. */
static uint64_t by_chance(void *ctx, uint64_t n)
{
    return tap_below(ctx, n);
}

static void short_of_tables(tap *t)
{
    static world w;
    for (unsigned place = 0; place < LOAM_ARRAY_LEN(world_places); place++) {
        bool ok = world_init(&w, &world_places[place], by_chance, t);
        for (unsigned step = 0; ok && step < 60; step++) {
            w.memory.limit = w.memory.out + step % 3;
            ok = world_step(&w);
        }
        TAP_CHECK(t, ok && world_end(&w));
        if (w.wrong != NULL)
            tap_note(t, "%s: %s at %X", w.place->name, w.wrong, w.at);
    }
}

static const tap_case cases[] = {
    {"fault pt: table n refused, every n: nothing changed", once},
    {"fault pt: random steps with too few tables", short_of_tables},
};
static const tap_suite suite = {"pt_fault", cases, LOAM_ARRAY_LEN(cases)};

int main(int argc, char **argv)
{
    return tap_host_main(&suite, argc, argv);
}
