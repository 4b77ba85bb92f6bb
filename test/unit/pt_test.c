/* SPDX-License-Identifier: MIT */
#include "loam/pt.h"
#include "software_mmu.h"
#include "table_memory.h"
#include "tap.h"

/* pt_test.c - page tables by example, on every format; what the tables say is read by a processor
 * in software (software_mmu.h). */

enum {
    PAGE = LOAM_PAGE_SIZE,
    W = LOAM_PT_WRITE,
    X = LOAM_PT_EXEC,
    U = LOAM_PT_USER,
    DEVICE = LOAM_PT_DEVICE,
    GLOBAL = LOAM_PT_GLOBAL
};

static table_memory memory;
static loam_pt pt;
static loam_pt_batch batch;
static mmu cpu;

/* A processor and an empty tree. */
typedef struct kind {
    const loam_pt_format *format;
    unsigned features;
    mmu_kind mmu;
} kind;

static const kind kinds[] = {
    {&loam_pt_i386, 0, MMU_I386},
    {&loam_pt_i386, LOAM_PT_LARGE | LOAM_PT_GLOBALS, MMU_I386},
    {&loam_pt_x86_64, 0, MMU_X86_64},
    {&loam_pt_x86_64, LOAM_PT_HUGE | LOAM_PT_NX | LOAM_PT_GLOBALS, MMU_X86_64},
    {&loam_pt_aarch64, 0, MMU_AARCH64},
};

#define EACH_KIND(k) (const kind *(k) = kinds; (k) < kinds + LOAM_ARRAY_LEN(kinds); (k)++)

static mmu processor(const kind *k, uint64_t root)
{
    return (mmu){.kind = k->mmu,
                 .large = (k->features & LOAM_PT_LARGE) != 0,
                 .huge = (k->features & LOAM_PT_HUGE) != 0,
                 .nx = (k->features & LOAM_PT_NX) != 0,
                 .global = (k->features & LOAM_PT_GLOBALS) != 0,
                 .root = root,
                 .word = table_memory_word,
                 .ctx = &memory};
}

static void fresh(tap *t, const kind *k)
{
    loam_pt_memory from = table_memory_init(&memory);
    loam_pt_batch_init(&batch);
    TAP_EQ(t, loam_pt_init(&pt, k->format, k->features, &from), LOAM_OK);
    cpu = processor(k, pt.root.v);
}

static bool can_refuse_exec(const kind *k)
{
    return k->mmu == MMU_AARCH64 || (k->features & LOAM_PT_NX) != 0;
}

static bool has_large(const kind *k)
{
    return k->mmu != MMU_I386 || (k->features & LOAM_PT_LARGE) != 0;
}

static uint64_t large_size(const kind *k)
{
    return k->mmu == MMU_I386 ? 4 << 20 : 2 << 20;
}

static loam_err map(uint64_t va, uint64_t pa, uint64_t len, unsigned flags)
{
    return loam_pt_map(&pt, va, loam_pa_of(pa), len, flags, &batch);
}

static loam_err unmap(uint64_t va, uint64_t len)
{
    return loam_pt_unmap(&pt, va, len, NULL, NULL, &batch);
}

/* After each step: rules, counts, no page used that is not out. */
static void sound(tap *t)
{
    TAP_RULE(t, loam_pt_check(&pt), NULL);
    TAP_EQ(t, mmu_tables(&cpu), pt.tables);
    TAP_EQ(t, memory.faults, 0);
}

/* The processor finds va at pa, with these rights and no others. */
static void maps_to(tap *t, const kind *k, uint64_t va, uint64_t pa, unsigned flags)
{
    mmu_page p = mmu_walk(&cpu, va);
    bool user = (flags & U) != 0, w = (flags & W) != 0;
    bool x = (flags & X) != 0 || !can_refuse_exec(k), x86 = k->mmu != MMU_AARCH64;
    TAP_CHECK(t, p.mapped && !p.reserved);
    TAP_EQ(t, p.pa, pa);
    TAP_EQ(t, p.kernel_write, w);
    TAP_EQ(t, p.kernel_exec, x && (x86 || !user));
    TAP_EQ(t, p.user_read, user);
    TAP_EQ(t, p.user_write, user && w);
    TAP_EQ(t, p.user_exec, user && x);
    TAP_EQ(t, p.device, (flags & DEVICE) != 0);
    TAP_EQ(t, p.global, (flags & GLOBAL) != 0 && (cpu.global || !x86));
    loam_pt_entry e = {0};
    TAP_CHECK(t, loam_pt_query(&pt, va, &e));
    TAP_EQ(t, e.pa.v + (va - e.va), pa);
    TAP_EQ(t, e.len, p.size);
    TAP_EQ(t, e.flags & (W | U | DEVICE), flags & (W | U | DEVICE));
    TAP_EQ(t, (e.flags & X) != 0, x);
    TAP_EQ(t, (e.flags & GLOBAL) != 0, p.global);
}

static void maps_nothing(tap *t, uint64_t va)
{
    loam_pt_entry e;
    mmu_page p = mmu_walk(&cpu, va);
    TAP_CHECK(t, !p.mapped && !p.reserved);
    TAP_CHECK(t, !loam_pt_query(&pt, va, &e));
}

/* ---- rules ---- */

static uint64_t *root64(void)
{
    return table_memory_at(&memory, pt.root);
}

static uint64_t *table64(uint64_t va, unsigned step)
{
    return table_memory_at(&memory, loam_pa_of(mmu_walk(&cpu, va).tables[step]));
}

static const kind *const x64 = &kinds[3];

static void rule_entries(tap *t)
{
    fresh(t, x64);
    root64()[5] = 0x81; /* a page of 512 GiB */
    TAP_RULE(t, loam_pt_check(&pt), "T1");
    fresh(t, &kinds[2]);
    map(0x1000, 0x1000, PAGE, W);
    table64(0x1000, 3)[1] |= (uint64_t)1 << 63; /* NX, which this processor does not have */
    TAP_RULE(t, loam_pt_check(&pt), "T1");
    fresh(t, &kinds[4]);
    map(0x1000, 0x1000, PAGE, W);
    table64(0x1000, 3)[1] &= ~(uint64_t)2; /* a block at the last level */
    TAP_RULE(t, loam_pt_check(&pt), "T1");
    fresh(t, &kinds[0]);
    *(uint32_t *)table_memory_at(&memory, pt.root) = 0x400083; /* 4 MiB without PSE */
    TAP_RULE(t, loam_pt_check(&pt), "T1");
}

static void *known_at(void *ctx, loam_pa table)
{
    bool known = table_memory_index(ctx, table.v) < TABLE_MEMORY_PAGES;
    return known ? table_memory_at(ctx, table) : NULL;
}

static void rule_address(tap *t)
{
    fresh(t, x64);
    map(0x200000, 0x200000, 0x200000, W);
    table64(0x200000, 2)[1] |= 0x10000;
    TAP_RULE(t, loam_pt_check(&pt), "T2");
    fresh(t, x64);
    pt.memory.at = known_at;
    root64()[1] = 0x12345007;
    TAP_RULE(t, loam_pt_check(&pt), "T2");
}

static void rule_empty(tap *t)
{
    fresh(t, x64);
    map(0x1000, 0x1000, PAGE, W);
    table64(0x1000, 3)[1] = 0;
    TAP_RULE(t, loam_pt_check(&pt), "T3");
}

static void rule_count(tap *t)
{
    fresh(t, x64);
    map(0x1000, 0x1000, PAGE, W);
    pt.tables++;
    TAP_RULE(t, loam_pt_check(&pt), "T4");
    pt.tables--;
    sound(t);
    root64()[7] = root64()[0]; /* one table at two places */
    TAP_RULE(t, loam_pt_check(&pt), "T4");
}

static void rule_marks(tap *t)
{
    fresh(t, x64);
    map(0x1000, 0x1000, PAGE, W);
    table64(0x1000, 1)[0] |= 0x400;
    TAP_RULE(t, loam_pt_check(&pt), "T5");
    table64(0x1000, 1)[0] &= ~(uint64_t)0x400;
    table64(0x1000, 3)[1] |= 0x200;
    TAP_RULE(t, loam_pt_check(&pt), "T5");
}

/* ---- init, names, addresses ---- */

static void init_arguments(tap *t)
{
    loam_pt_memory from = table_memory_init(&memory), less = from;
    less.free = NULL;
    TAP_EQ(t, loam_pt_init(&pt, NULL, 0, &from), LOAM_EINVAL);
    TAP_EQ(t, loam_pt_init(&pt, &loam_pt_i386, 0, NULL), LOAM_EINVAL);
    TAP_EQ(t, loam_pt_init(&pt, &loam_pt_i386, 0, &less), LOAM_EINVAL);
    TAP_EQ(t, loam_pt_init(&pt, &loam_pt_i386, LOAM_PT_NX, &from), LOAM_EINVAL);
    TAP_EQ(t, loam_pt_init(&pt, &loam_pt_i386, LOAM_PT_HUGE, &from), LOAM_EINVAL);
    TAP_EQ(t, loam_pt_init(&pt, &loam_pt_x86_64, 16, &from), LOAM_EINVAL);
    TAP_EQ(t, loam_pt_init(&pt, &loam_pt_aarch64, 16, &from), LOAM_EINVAL);
    TAP_EQ(t, loam_pt_init(&pt, &loam_pt_aarch64, 15, &from), LOAM_OK);
    TAP_EQ(t, memory.out, 1);
    memory.limit = 1;
    TAP_EQ(t, loam_pt_init(&pt, &loam_pt_aarch64, 0, &from), LOAM_ENOMEM);
    TAP_EQ(t, memory.out, 1);
}

static void init_far_table(tap *t)
{
    loam_pt_memory from = table_memory_init(&memory);
    memory.base = 0x100000000; /* an entry of 32 bits cannot name it */
    TAP_EQ(t, loam_pt_init(&pt, &loam_pt_i386, 0, &from), LOAM_ENOMEM);
    TAP_EQ(t, memory.out, 0);
    TAP_EQ(t, loam_pt_init(&pt, &loam_pt_x86_64, 0, &from), LOAM_OK);
    loam_pt_fini(&pt, (loam_span){0, 0});
    memory.base = (uint64_t)1 << 48;
    TAP_EQ(t, loam_pt_init(&pt, &loam_pt_aarch64, 0, &from), LOAM_ENOMEM);
    TAP_EQ(t, loam_pt_init(&pt, &loam_pt_x86_64, 0, &from), LOAM_OK);
    TAP_EQ(t, memory.out, 1);
}

static void names(tap *t)
{
    TAP_CHECK(t, loam_pt_format_of("i386") == &loam_pt_i386);
    TAP_CHECK(t, loam_pt_format_of("x86_64") == &loam_pt_x86_64);
    TAP_CHECK(t, loam_pt_format_of("aarch64") == &loam_pt_aarch64);
    TAP_CHECK(t, loam_pt_format_of("i38") == NULL && loam_pt_format_of("i3866") == NULL);
    TAP_CHECK(t, loam_pt_format_of("") == NULL && loam_pt_format_of(NULL) == NULL);
    TAP_STR(t, loam_pt_format_name(&loam_pt_x86_64), "x86_64");
}

static void canonical(tap *t)
{
    const uint64_t half = (uint64_t)1 << 47, all = (uint64_t)1 << 32;
    const loam_pt_format *f = &loam_pt_i386;
    TAP_CHECK(t, loam_pt_is_canonical(f, 0, all));
    TAP_CHECK(t, !loam_pt_is_canonical(f, 0, all + 1));
    TAP_CHECK(t, !loam_pt_is_canonical(f, all, 1));
    TAP_CHECK(t, !loam_pt_is_canonical(f, 0, 0));
    f = &loam_pt_x86_64;
    TAP_CHECK(t, loam_pt_is_canonical(f, 0, half));
    TAP_CHECK(t, !loam_pt_is_canonical(f, 0, half + 1));
    TAP_CHECK(t, !loam_pt_is_canonical(f, half, 1));
    TAP_CHECK(t, loam_pt_is_canonical(f, 0 - half, half));
    TAP_CHECK(t, !loam_pt_is_canonical(f, 0 - half - 1, 2));
    TAP_CHECK(t, !loam_pt_is_canonical(f, 0 - half, half + 1));
    TAP_CHECK(t, !loam_pt_is_canonical(f, half - 1, 0 - 2 * half + 2)); /* over all between */
    f = &loam_pt_aarch64;
    TAP_CHECK(t, loam_pt_is_canonical(f, 0, 2 * half));
    TAP_CHECK(t, !loam_pt_is_canonical(f, 0, 2 * half + 1));
    TAP_CHECK(t, !loam_pt_is_canonical(f, 2 * half, 1));
    TAP_CHECK(t, !loam_pt_is_canonical(f, UINT64_MAX, 1));
}

/* ---- map ---- */

static void map_one(tap *t)
{
    for
        EACH_KIND(k)
        {
            for (unsigned flags = 0; flags < 32; flags++) {
                fresh(t, k);
                TAP_EQ(t, map(0x80345000, 0x12346000, PAGE, flags), LOAM_OK);
                maps_to(t, k, 0x80345fff, 0x12346fff, flags);
                maps_nothing(t, 0x80344fff);
                maps_nothing(t, 0x80346000);
                sound(t);
                TAP_EQ(t, unmap(0x80345000, PAGE), LOAM_OK);
                maps_nothing(t, 0x80345000);
                sound(t);
                TAP_EQ(t, pt.tables, 1);
                TAP_EQ(t, batch.count, 1);
                TAP_EQ(t, batch.va[0], 0x80345000);
                loam_pt_release(&pt, &batch);
                TAP_EQ(t, memory.out, 1);
            }
        }
}

/* One of everything is mapped; the call must be refused, and change nothing. */
static void refused(tap *t, loam_err got, loam_err want)
{
    TAP_EQ(t, got, want);
    TAP_EQ(t, memory.out, pt.tables);
    TAP_CHECK(t, !batch.dirty && !batch.all && batch.count == 0 && batch.emptied == 0);
    sound(t);
}

static void map_arguments(tap *t)
{
    for
        EACH_KIND(k)
        {
            uint64_t top = k->mmu == MMU_I386 ? 0x100000000 : (uint64_t)1 << 48;
            uint64_t pa_top = k->mmu == MMU_X86_64 ? (uint64_t)1 << 52 : top;
            fresh(t, k);
            refused(t, map(0x1000, 0x1000, 0, W), LOAM_EINVAL);
            refused(t, map(0x1001, 0x1000, PAGE, W), LOAM_EINVAL);
            refused(t, map(0x1000, 0x1800, PAGE, W), LOAM_EINVAL);
            refused(t, map(0x1000, 0x1000, PAGE + 8, W), LOAM_EINVAL);
            refused(t, map(0x1000, 0x1000, PAGE, 32), LOAM_EINVAL);
            refused(t, map(top, 0x1000, PAGE, W), LOAM_ERANGE);
            refused(t, map(0 - (uint64_t)PAGE, 0x1000, 2 * PAGE, W), LOAM_ERANGE);
            refused(t, map(0x1000, 0x1000, 0 - (uint64_t)PAGE, W), LOAM_ERANGE);
            refused(t, map(0x1000, pa_top, PAGE, W), LOAM_ERANGE);
            refused(t, map(0x1000, pa_top - PAGE, 2 * PAGE, W), LOAM_ERANGE);
            TAP_EQ(t, pt.tables, 1);
            TAP_EQ(t, map(0x1000, pa_top - PAGE, PAGE, W), LOAM_OK);
            maps_to(t, k, 0x1fff, pa_top - 1, W);
        }
}

static void map_edges(tap *t)
{
    static const uint64_t lowest_of_last[] = {0xfffff000, 0xfffffffffffff000, 0xfffffffff000};
    for
        EACH_KIND(k)
        {
            uint64_t last = lowest_of_last[k->mmu];
            fresh(t, k);
            TAP_EQ(t, map(last, 0x5000, PAGE, W | U), LOAM_OK);
            TAP_EQ(t, map(0, 0x6000, PAGE, U), LOAM_OK);
            maps_to(t, k, last + 0xfff, 0x5fff, W | U);
            maps_to(t, k, 0, 0x6000, U);
            sound(t);
            TAP_EQ(t, loam_pt_protect(&pt, last, PAGE, 0, &batch), LOAM_OK);
            maps_to(t, k, last, 0x5000, 0);
            TAP_EQ(t, unmap(last, PAGE), LOAM_OK);
            TAP_EQ(t, unmap(0, PAGE), LOAM_OK);
            TAP_EQ(t, pt.tables, 1);
            sound(t);
        }
    fresh(t, x64);
    TAP_EQ(t, map(0x7ffffffff000, 0x5000, PAGE, W), LOAM_OK);
    TAP_EQ(t, map(0xffff800000000000, 0x6000, PAGE, W), LOAM_OK);
    maps_to(t, x64, 0x7fffffffffff, 0x5fff, W);
    maps_to(t, x64, 0xffff800000000000, 0x6000, W);
}

static void map_busy(tap *t)
{
    for
        EACH_KIND(k)
        {
            uint64_t size = large_size(k);
            fresh(t, k);
            TAP_EQ(t, map(2 * size, 0, size, W), LOAM_OK); /* a large page, where there are any */
            TAP_EQ(t, map(4 * size - PAGE, 0x5000, PAGE, W), LOAM_OK);
            loam_pt_batch_init(&batch);
            refused(t, map(2 * size + PAGE, 0, PAGE, W), LOAM_EBUSY);
            refused(t, map(size, 0, 2 * size, W), LOAM_EBUSY);
            refused(t, map(3 * size, 0, 2 * size, W), LOAM_EBUSY);
            refused(t, map(4 * size - 2 * PAGE, 0, 2 * PAGE, W), LOAM_EBUSY);
            refused(t, map(0, 0, 64 * size, W), LOAM_EBUSY);
            maps_nothing(t, 3 * size);
            maps_nothing(t, 4 * size);
            maps_nothing(t, size);
        }
}

static void map_large(tap *t)
{
    for
        EACH_KIND(k)
        {
            uint64_t size = large_size(k);
            fresh(t, k);
            TAP_EQ(t, map(0x40000000 - PAGE, 0x80000000 - PAGE, 2 * size + 2 * PAGE, W), LOAM_OK);
            for (uint64_t at = 0; at < 2 * size + 2 * PAGE; at += PAGE / 2)
                maps_to(t, k, 0x40000000 - PAGE + at, 0x80000000 - PAGE + at, W);
            TAP_EQ(t, mmu_walk(&cpu, 0x40000000).size, has_large(k) ? size : PAGE);
            sound(t);
            TAP_EQ(t, unmap(0x40000000 + PAGE, PAGE), LOAM_OK);
            maps_nothing(t, 0x40000000 + PAGE);
            maps_to(t, k, 0x40000000, 0x80000000, W);
            maps_to(t, k, 0x40000000 + 2 * PAGE, 0x80000000 + 2 * PAGE, W);
            sound(t);
            TAP_EQ(t, unmap(0, 0x80000000), LOAM_OK);
            TAP_EQ(t, pt.tables, 1);
            sound(t);
        }
}

static void map_huge(tap *t)
{
    const uint64_t gib = 1 << 30;
    for
        EACH_KIND(k)
        {
            bool huge = k->mmu == MMU_AARCH64 || (k->features & LOAM_PT_HUGE) != 0;
            if (k->mmu == MMU_I386)
                continue;
            fresh(t, k);
            TAP_EQ(t, map(511 * gib, 3 * gib, 2 * gib, W | X), LOAM_OK);
            TAP_EQ(t, mmu_walk(&cpu, 512 * gib).size, huge ? gib : 2 << 20);
            TAP_EQ(t, pt.tables, huge ? 3 : 5);
            maps_to(t, k, 511 * gib + 12345, 3 * gib + 12345, W | X);
            maps_to(t, k, 513 * gib - 1, 5 * gib - 1, W | X);
            sound(t);
            TAP_EQ(t, unmap(512 * gib - PAGE, 2 * PAGE),
                   LOAM_OK); /* the end of one, the next's head */
            maps_to(t, k, 512 * gib - PAGE - 1, 4 * gib - PAGE - 1, W | X);
            maps_nothing(t, 512 * gib - 1);
            maps_nothing(t, 512 * gib);
            maps_to(t, k, 512 * gib + PAGE, 4 * gib + PAGE, W | X);
            maps_to(t, k, 512 * gib + (2 << 20), 4 * gib + (2 << 20), W | X);
            sound(t);
            TAP_EQ(t, unmap(0, (uint64_t)1 << 47), LOAM_OK);
            TAP_EQ(t, pt.tables, 1);
            sound(t);
        }
}

/* Looks at the tree whenever the call asks for a table: no table can be reached that has nothing
 * in it yet. */
static bool watching, saw_empty;

static void *watching_at(void *ctx, loam_pa table)
{
    if (watching) {
        watching = false;
        const char *rule = loam_pt_check(&pt);
        saw_empty |= rule != NULL && tap_starts(rule, "T3");
        watching = true;
    }
    return table_memory_at(ctx, table);
}

static void map_order(tap *t)
{
    for
        EACH_KIND(k)
        {
            uint64_t edge = k->mmu == MMU_I386 ? 0x80000000 : 0x8000000000;
            fresh(t, k);
            pt.memory.at = watching_at;
            watching = true;
            saw_empty = false;
            TAP_EQ(t, map(edge - 2 * PAGE, 0x5000, 4 * PAGE, W), LOAM_OK);
            watching = false;
            TAP_CHECK(t, !saw_empty);
            maps_to(t, k, edge, 0x7000, W);
            sound(t);
        }
}

static void map_frames(tap *t)
{
    static loam_pfn pfn[1500];
    for
        EACH_KIND(k)
        {
            const size_t n = LOAM_ARRAY_LEN(pfn);
            uint64_t va = 0x40000000 - 400 * PAGE;
            fresh(t, k);
            for (uint64_t i = 0; i < n; i++)
                pfn[i] = loam_pfn_of((i * 7919) & 0xfffff);
            TAP_EQ(t, loam_pt_map_frames(&pt, va, pfn, n, W | U, &batch), LOAM_OK);
            TAP_CHECK(t, batch.dirty && batch.count == 0 && !batch.all);
            for (uint64_t i = 0; i < n; i++)
                maps_to(t, k, va + i * PAGE, pfn[i].v * PAGE, W | U);
            maps_nothing(t, va - 1);
            maps_nothing(t, va + n * PAGE);
            sound(t);
            batch.dirty = false;
            refused(t, loam_pt_map_frames(&pt, va - PAGE, pfn, 2, W, &batch), LOAM_EBUSY);
            refused(t, loam_pt_map_frames(&pt, 0, pfn, 0, W, &batch), LOAM_EINVAL);
            refused(t, loam_pt_map_frames(&pt, 1, pfn, 1, W, &batch), LOAM_EINVAL);
            refused(t, loam_pt_map_frames(&pt, 0, pfn, 1, 64, &batch), LOAM_EINVAL);
            refused(t, loam_pt_map_frames(&pt, 0, pfn, SIZE_MAX, W, &batch),
                    sizeof(size_t) == 8 ? LOAM_EINVAL : LOAM_ERANGE);
            pfn[3].v = (uint64_t)1 << 40;
            refused(t, loam_pt_map_frames(&pt, 0, pfn, 4, W, &batch), LOAM_ERANGE);
            TAP_EQ(t, unmap(va, n * PAGE), LOAM_OK);
            TAP_EQ(t, pt.tables, 1);
        }
}

/* ---- unmap ---- */

static struct {
    uint64_t va[8], pa[8], len[8];
    unsigned count;
} gone;

static void on_gone(void *ctx, uint64_t va, loam_pa pa, uint64_t len)
{
    (void)ctx;
    if (gone.count < LOAM_ARRAY_LEN(gone.va)) {
        gone.va[gone.count] = va;
        gone.pa[gone.count] = pa.v;
        gone.len[gone.count] = len;
    }
    gone.count++;
}

static void gone_is(tap *t, unsigned i, uint64_t va, uint64_t pa, uint64_t len)
{
    TAP_EQ(t, gone.va[i], va);
    TAP_EQ(t, gone.pa[i], pa);
    TAP_EQ(t, gone.len[i], len);
}

static void unmap_tells(tap *t)
{
    for
        EACH_KIND(k)
        {
            fresh(t, k);
            gone.count = 0;
            map(0x3ff000, 0x10000, 2 * PAGE, W); /* over the edge of a table */
            map(0x402000, 0x20000, PAGE, W);
            map(0x405000, 0x23000, PAGE, W);
            map(0x406000, 0x22000, PAGE, W);
            TAP_EQ(t, loam_pt_unmap(&pt, 0, 0x10000000, on_gone, NULL, &batch), LOAM_OK);
            TAP_EQ(t, gone.count, 4);
            gone_is(t, 0, 0x3ff000, 0x10000, 2 * PAGE);
            gone_is(t, 1, 0x402000, 0x20000, PAGE);
            gone_is(t, 2, 0x405000, 0x23000, PAGE);
            gone_is(t, 3, 0x406000, 0x22000, PAGE);
            TAP_EQ(t, batch.count, 5);
            TAP_EQ(t, batch.va[0], 0x3ff000);
            TAP_EQ(t, batch.va[4], 0x406000);
        }
}

static void unmap_nothing(tap *t)
{
    for
        EACH_KIND(k)
        {
            fresh(t, k);
            refused(t, unmap(0x1000, 0), LOAM_EINVAL);
            refused(t, unmap(0x1001, PAGE), LOAM_EINVAL);
            refused(t, unmap(0x1000, 7), LOAM_EINVAL);
            refused(t, unmap((uint64_t)1 << 48, PAGE), LOAM_ERANGE);
            refused(t, unmap(0 - (uint64_t)PAGE, 2 * PAGE), LOAM_ERANGE);
            refused(t, unmap(0, 0x80000000), LOAM_OK);
            refused(t, loam_pt_protect(&pt, 0, 0x80000000, W, &batch), LOAM_OK);
        }
}

/* A table that is let go may still be walked until the flush: nothing may be found in it. */
static void unmap_waits(tap *t)
{
    for
        EACH_KIND(k)
        {
            fresh(t, k);
            map(0x1000, 0x1000, PAGE, W);
            map(0x40001000, 0x1000, PAGE, W);
            unsigned out = memory.out;
            mmu_page before = mmu_walk(&cpu, 0x1000), other = mmu_walk(&cpu, 0x40001000);
            TAP_EQ(t, unmap(0, 0x80000000), LOAM_OK);
            TAP_EQ(t, pt.tables, 1);
            TAP_EQ(t, memory.out, out);
            for (unsigned step = 1; step < 4; step++) {
                uint64_t table = before.tables[step], second = other.tables[step];
                for (unsigned i = 0; table != 0 && i < PAGE / 8; i++)
                    TAP_EQ(t, table_memory_word(&memory, table + 8 * i) & 0x100000001, 0);
                for (unsigned i = 0; second != 0 && i < PAGE / 8; i++)
                    TAP_EQ(t, table_memory_word(&memory, second + 8 * i) & 0x100000001, 0);
            }
            loam_pt_release(&pt, &batch);
            TAP_EQ(t, memory.out, 1);
            TAP_CHECK(t, batch.emptied == 0 && batch.count == 0 && !batch.dirty);
            sound(t);
        }
}

static void unmap_one_of_many(tap *t)
{
    for
        EACH_KIND(k)
        {
            fresh(t, k);
            map(0, 0, PAGE, W);
            map(100 * PAGE, 0, PAGE, W);
            uint64_t tables = pt.tables;
            TAP_EQ(t, unmap(100 * PAGE, PAGE), LOAM_OK);
            TAP_EQ(t, pt.tables, tables);
            maps_to(t, k, 0, 0, W);
            sound(t);
            map(200 * PAGE, 0, PAGE, W);
            TAP_EQ(t, unmap(0, PAGE), LOAM_OK);
            TAP_EQ(t, pt.tables, tables);
            maps_to(t, k, 200 * PAGE, 0, W);
            sound(t);
        }
}

/* 33 pages are too many for a batch. */
static void unmap_many(tap *t)
{
    fresh(t, x64);
    map(0, 0, 64 * PAGE, W);
    TAP_EQ(t, unmap(0, LOAM_PT_BATCH * PAGE), LOAM_OK);
    TAP_CHECK(t, batch.count == LOAM_PT_BATCH && !batch.all);
    TAP_EQ(t, unmap(LOAM_PT_BATCH * PAGE, PAGE), LOAM_OK);
    TAP_CHECK(t, batch.all);
}

/* Both ends of the range lie in one large page. */
static void unmap_inside_large(tap *t)
{
    for
        EACH_KIND(k)
        {
            uint64_t size = large_size(k);
            fresh(t, k);
            gone.count = 0;
            map(size, 4 * size, size, W | X | U);
            uint64_t before = pt.tables;
            TAP_EQ(t, loam_pt_unmap(&pt, size + 3 * PAGE, 2 * PAGE, on_gone, NULL, &batch),
                   LOAM_OK);
            TAP_EQ(t, pt.tables, before + has_large(k));
            TAP_EQ(t, gone.count, 1);
            gone_is(t, 0, size + 3 * PAGE, 4 * size + 3 * PAGE, 2 * PAGE);
            for (uint64_t at = 0; at < size; at += PAGE) {
                if (at == 3 * PAGE || at == 4 * PAGE)
                    maps_nothing(t, size + at);
                else
                    maps_to(t, k, size + at, 4 * size + at, W | X | U);
            }
            TAP_EQ(t, batch.count, 2);
            sound(t);
        }
}

/* ---- protect, remap ---- */

static void protect_rights(tap *t)
{
    for
        EACH_KIND(k)
        {
            for (unsigned flags = 0; flags < 32; flags++) {
                fresh(t, k);
                map(0x3ff000, 0x7000, 3 * PAGE, W);
                loam_pt_batch_init(&batch);
                TAP_EQ(t, loam_pt_protect(&pt, 0x400000, PAGE, flags, &batch), LOAM_OK);
                TAP_CHECK(t, batch.count == 1 && batch.va[0] == 0x400000 && batch.dirty);
                maps_to(t, k, 0x3ff000, 0x7000, W);
                maps_to(t, k, 0x400000, 0x8000, flags);
                maps_to(t, k, 0x401000, 0x9000, W);
            }
            loam_pt_batch_init(&batch);
            refused(t, loam_pt_protect(&pt, 0x400000, PAGE, 32, &batch), LOAM_EINVAL);
            refused(t, loam_pt_protect(&pt, 0x400000, 0, W, &batch), LOAM_EINVAL);
            refused(t, loam_pt_protect(&pt, 0x400001, PAGE, W, &batch), LOAM_EINVAL);
            refused(t, loam_pt_protect(&pt, (uint64_t)1 << 48, PAGE, W, &batch), LOAM_ERANGE);
        }
}

static void protect_large(tap *t)
{
    for
        EACH_KIND(k)
        {
            uint64_t size = large_size(k);
            fresh(t, k);
            map(0, 0, 4 * size, W | GLOBAL);
            /* half of the first, all of the second, a page of the third */
            TAP_EQ(t, loam_pt_protect(&pt, size / 2, size + size / 2 + PAGE, X, &batch), LOAM_OK);
            maps_to(t, k, size / 2 - 1, size / 2 - 1, W | GLOBAL);
            maps_to(t, k, size / 2, size / 2, X);
            maps_to(t, k, size, size, X);
            maps_to(t, k, 2 * size, 2 * size, X);
            maps_to(t, k, 2 * size + PAGE, 2 * size + PAGE, W | GLOBAL);
            maps_to(t, k, 3 * size, 3 * size, W | GLOBAL);
            TAP_EQ(t, mmu_walk(&cpu, size).size, has_large(k) ? size : PAGE);
            sound(t);
        }
}

static void remap(tap *t)
{
    for
        EACH_KIND(k)
        {
            loam_pfn pfn = {0x1234};
            fresh(t, k);
            map(0x5000, 0x7000, 2 * PAGE, U);
            map(large_size(k), 0, large_size(k), W);
            loam_pt_batch_init(&batch);
            refused(t, loam_pt_remap(&pt, 0x4000, pfn, W, &batch), LOAM_ENOENT);
            refused(t, loam_pt_remap(&pt, 0x5001, pfn, W, &batch), LOAM_EINVAL);
            refused(t, loam_pt_remap(&pt, 0x5000, pfn, 32, &batch), LOAM_EINVAL);
            refused(t, loam_pt_remap(&pt, 0x5000, loam_pfn_of((uint64_t)1 << 40), W, &batch),
                    LOAM_ERANGE);
            refused(t, loam_pt_remap(&pt, (uint64_t)1 << 48, pfn, W, &batch), LOAM_ERANGE);
            if (has_large(k))
                refused(t, loam_pt_remap(&pt, large_size(k), pfn, W, &batch), LOAM_EBUSY);
            TAP_EQ(t, loam_pt_remap(&pt, 0x5000, pfn, W | U, &batch), LOAM_OK);
            maps_to(t, k, 0x5000, 0x1234000, W | U);
            maps_to(t, k, 0x6000, 0x8000, U);
            TAP_CHECK(t, batch.count == 1 && batch.va[0] == 0x5000 && batch.dirty);
            sound(t);
        }
}

/* ---- query, each ---- */

/* What the processor notes in a page is told, and survives protect and a split. */
static void notes(tap *t)
{
    loam_pt_entry e;
    fresh(t, x64);
    map(0x200000, 0x200000, 0x200000, W);
    TAP_CHECK(t, loam_pt_query(&pt, 0x234567, &e) && !e.accessed && !e.dirty);
    TAP_CHECK(t, e.va == 0x200000 && e.len == 0x200000 && e.pa.v == 0x200000);
    table64(0x200000, 2)[1] |= 0x60;
    TAP_CHECK(t, loam_pt_query(&pt, 0x234567, &e) && e.accessed && e.dirty);
    TAP_EQ(t, loam_pt_protect(&pt, 0x234000, PAGE, 0, &batch), LOAM_OK);
    TAP_CHECK(t, loam_pt_query(&pt, 0x234567, &e) && e.accessed && e.dirty && e.len == PAGE);
    TAP_CHECK(t, loam_pt_query(&pt, 0x200000, &e) && e.accessed && e.dirty);
    fresh(t, &kinds[4]);
    map(0x1000, 0x1000, PAGE, W);
    TAP_CHECK(t, loam_pt_query(&pt, 0x1000, &e) && e.accessed && !e.dirty);
    TAP_CHECK(t, !loam_pt_query(&pt, (uint64_t)1 << 48, &e));
}

static struct {
    uint64_t va[8], stop_at;
    unsigned count;
} seen;

static bool on_entry(void *ctx, const loam_pt_entry *entry)
{
    (void)ctx;
    if (seen.count < LOAM_ARRAY_LEN(seen.va))
        seen.va[seen.count] = entry->va;
    seen.count++;
    return entry->va != seen.stop_at;
}

static void each_ascends(tap *t)
{
    for
        EACH_KIND(k)
        {
            uint64_t size = large_size(k);
            fresh(t, k);
            map(0x1000, 0x1000, PAGE, W);
            map(0x5000, 0x1000, PAGE, U);
            map(size - PAGE, 0x9000, 2 * PAGE, X);
            seen.count = 0;
            seen.stop_at = 1;
            loam_pt_each(&pt, 0, (uint64_t)1 << 32, on_entry, NULL);
            TAP_EQ(t, seen.count, 4);
            TAP_CHECK(t, seen.va[0] == 0x1000 && seen.va[1] == 0x5000);
            TAP_CHECK(t, seen.va[2] == size - PAGE && seen.va[3] == size);
            seen.count = 0;
            loam_pt_each(&pt, 0x1800, 0x3801, on_entry, NULL); /* parts of two */
            TAP_EQ(t, seen.count, 2);
            seen.count = 0;
            loam_pt_each(&pt, 0x2000, 0x3000, on_entry, NULL); /* between them */
            loam_pt_each(&pt, (uint64_t)1 << 48, 1, on_entry, NULL);
            TAP_EQ(t, seen.count, 0);
            seen.stop_at = 0x5000;
            loam_pt_each(&pt, 0, (uint64_t)1 << 32, on_entry, NULL);
            TAP_EQ(t, seen.count, 2);
        }
}

/* ---- roots with a common part ---- */

static uint64_t root_span(const kind *k)
{
    return k->mmu == MMU_I386 ? 4 << 20 : (uint64_t)1 << 39;
}

static void prepare(tap *t)
{
    for
        EACH_KIND(k)
        {
            uint64_t span = root_span(k);
            fresh(t, k);
            map(2 * span + PAGE, 0, PAGE, W);
            uint64_t before = pt.tables;
            loam_pt_batch_init(&batch);
            refused(t, loam_pt_prepare(&pt, span, 0), LOAM_EINVAL);
            refused(t, loam_pt_prepare(&pt, (uint64_t)1 << 48, span), LOAM_EINVAL);
            memory.fail_at = memory.asked + 2;
            refused(t, loam_pt_prepare(&pt, span, 4 * span), LOAM_ENOMEM);
            TAP_EQ(t, pt.tables, before);
            TAP_EQ(t, loam_pt_prepare(&pt, span, 4 * span), LOAM_OK);
            TAP_EQ(t, pt.tables, before + 3);
            sound(t);
            TAP_EQ(t, loam_pt_prepare(&pt, span + PAGE, PAGE), LOAM_OK); /* again: nothing to do */
            TAP_EQ(t, pt.tables, before + 3);
            map(span, 0, PAGE, W);
            TAP_EQ(t, unmap(span, 4 * span), LOAM_OK);
            TAP_EQ(t, pt.tables, 5); /* the four stay, those below them do not */
            maps_nothing(t, 2 * span + PAGE);
            sound(t);
            loam_pt_release(&pt, &batch);
            loam_pt_fini(&pt, (loam_span){0, 0});
            TAP_EQ(t, memory.out, 0);
        }
}

static void share(tap *t)
{
    for
        EACH_KIND(k)
        {
            uint64_t span = root_span(k);
            loam_pt kernel;
            fresh(t, k);
            kernel = pt;
            TAP_EQ(t, loam_pt_prepare(&kernel, 4 * span, 2 * span), LOAM_OK);
            TAP_EQ(t, loam_pt_init(&pt, k->format, k->features, &kernel.memory), LOAM_OK);
            cpu.root = pt.root.v;
            map(PAGE, 0x3000, PAGE, U);
            TAP_EQ(t, loam_pt_share(&pt, &kernel, 4 * span, 2 * span), LOAM_OK);
            uint64_t own = pt.tables;
            TAP_RULE(t, loam_pt_check(&pt), NULL);
            /* what the kernel maps later is seen, and is its own */
            TAP_EQ(t, loam_pt_map(&kernel, 5 * span, loam_pa_of(0x9000), PAGE, W, &batch), LOAM_OK);
            maps_to(t, k, 5 * span, 0x9000, W);
            TAP_EQ(t, pt.tables, own);
            TAP_RULE(t, loam_pt_check(&pt), NULL);
            TAP_RULE(t, loam_pt_check(&kernel), NULL);
            TAP_EQ(t, map(5 * span + PAGE, 0, PAGE, W), LOAM_EINVAL);
            TAP_EQ(t, map(3 * span, 0, 2 * span, W), LOAM_EINVAL);
            TAP_EQ(t, unmap(5 * span, PAGE), LOAM_EINVAL);
            TAP_EQ(t, loam_pt_protect(&pt, 5 * span, PAGE, U, &batch), LOAM_EINVAL);
            TAP_EQ(t, loam_pt_share(&pt, &kernel, 0, span), LOAM_EBUSY);
            TAP_EQ(t, loam_pt_share(&pt, &kernel, span, PAGE), LOAM_EINVAL);
            TAP_EQ(t, loam_pt_share(&pt, &kernel, (uint64_t)1 << 48, span), LOAM_ERANGE);
            TAP_EQ(t, loam_pt_share(&pt, &kernel, 4 * span, 2 * span), LOAM_OK); /* again */
            loam_pt_fini(&pt, (loam_span){0, 0});
            TAP_EQ(t, memory.out, kernel.tables);
            cpu.root = kernel.root.v;
            TAP_CHECK(t, mmu_walk(&cpu, 5 * span).mapped);
            loam_pt_fini(&kernel, (loam_span){0, 0});
            TAP_EQ(t, memory.out, 0);
            TAP_EQ(t, memory.faults, 0);
        }
}

/* A table that was never prepared is shared, and loses all it has: it stays: others name it. */
static void share_keeps(tap *t)
{
    for
        EACH_KIND(k)
        {
            loam_pt kernel;
            fresh(t, k);
            map(0x1000, 0x1000, PAGE, W);
            kernel = pt;
            TAP_EQ(t, loam_pt_init(&pt, k->format, k->features, &kernel.memory), LOAM_OK);
            TAP_EQ(t, loam_pt_share(&pt, &kernel, 0, root_span(k)), LOAM_OK);
            TAP_EQ(t, loam_pt_unmap(&kernel, 0x1000, PAGE, NULL, NULL, &batch), LOAM_OK);
            loam_pt_release(&kernel, &batch);
            TAP_EQ(t, kernel.tables, 2);
            TAP_RULE(t, loam_pt_check(&kernel), NULL);
            TAP_EQ(t, loam_pt_map(&kernel, 0x5000, loam_pa_of(0x3000), PAGE, U, &batch), LOAM_OK);
            cpu.root = pt.root.v;
            maps_to(t, k, 0x5000, 0x3000, U);
            TAP_EQ(t, memory.faults, 0);
        }
}

static void fini_keeps(tap *t)
{
    for
        EACH_KIND(k)
        {
            uint64_t span = root_span(k);
            fresh(t, k);
            map(span, 0, PAGE, W);
            map(2 * span, 0, PAGE, W);
            map(3 * span, 0, PAGE, W);
            unsigned each = (memory.out - 1) / 3;
            loam_pt_fini(&pt, (loam_span){2 * span, span});
            TAP_EQ(t, memory.out, each);
        }
}

/* A root that somebody else has made: a table that takes rights away, and an empty one. */
static void adopt(tap *t)
{
    loam_pt boot;
    loam_pt_entry e;
    fresh(t, x64);
    map(0x1000, 0x7000, PAGE, W | U | X);
    loam_pt_prepare(&pt, root_span(x64), PAGE);
    root64()[1] &= ~(uint64_t)0x200;
    root64()[0] &= ~(uint64_t)4;                /* no user */
    table64(0x1000, 1)[0] &= ~(uint64_t)2;      /* no write */
    table64(0x1000, 2)[0] |= (uint64_t)1 << 63; /* no execution */
    TAP_EQ(t, loam_pt_adopt(&boot, x64->format, x64->features, &pt.memory, loam_pa_of(1)),
           LOAM_EINVAL);
    TAP_EQ(t, loam_pt_adopt(&boot, x64->format, 16, &pt.memory, pt.root), LOAM_EINVAL);
    TAP_EQ(t, loam_pt_adopt(&boot, x64->format, x64->features, &pt.memory, pt.root), LOAM_OK);
    TAP_EQ(t, boot.tables, pt.tables);
    pt = boot;
    sound(t);
    maps_to(t, x64, 0x1000, 0x7000, 0);
    TAP_CHECK(t, loam_pt_query(&pt, 0x1000, &e) && e.flags == 0);
    TAP_EQ(t, map(0x2000, 0x8000, PAGE, W | U | X), LOAM_OK);
    TAP_CHECK(t, batch.all); /* the rights of the old page have changed */
    maps_to(t, x64, 0x2000, 0x8000, W | U | X);
    sound(t);
    fresh(t, &kinds[4]);
    map(0x1000, 0x7000, PAGE, W | U | X);
    root64()[0] |= (uint64_t)15 << 59;
    maps_to(t, &kinds[4], 0x1000, 0x7000, 0);
    TAP_EQ(t, map(0x2000, 0x8000, PAGE, W | U | X), LOAM_OK);
    maps_to(t, &kinds[4], 0x2000, 0x8000, W | U | X);
    fresh(t, &kinds[0]);
    map(0x1000, 0x7000, PAGE, W | U);
    *(uint32_t *)table_memory_at(&memory, pt.root) &= ~6U;
    maps_to(t, &kinds[0], 0x1000, 0x7000, 0);
}

/* ---- the flush ---- */

static struct {
    loam_tlb tlb;
    char log[64];
    loam_text text;
} side;

static void side_note(char c)
{
    loam_text_char(&side.text, c);
}

static void side_page(void *ctx, uint64_t va)
{
    (void)ctx;
    side_note((char)('0' + va / PAGE % 10));
}

static void side_all(void *ctx)
{
    (void)ctx;
    side_note('a');
}

static void side_fence(void *ctx)
{
    (void)ctx;
    side_note('f');
}

static void flushed(tap *t, const char *want)
{
    loam_tlb_flush(&side.tlb, &pt, &batch);
    TAP_STR(t, side.log, want);
    TAP_CHECK(t, batch.count == 0 && !batch.all && !batch.dirty && batch.emptied == 0);
    loam_text_init(&side.text, side.log, sizeof side.log);
}

static void flush(tap *t)
{
    fresh(t, x64);
    side.tlb = (loam_tlb){.page = side_page, .all = side_all, .fence = side_fence, .threshold = 3};
    loam_text_init(&side.text, side.log, sizeof side.log);
    flushed(t, "");
    map(PAGE, 0, 9 * PAGE, W);
    flushed(t, "f"); /* new pages: nothing is remembered of them */
    unmap(2 * PAGE, 3 * PAGE);
    flushed(t, "f234f");
    unmap(5 * PAGE, 4 * PAGE);
    flushed(t, "faf");
    side.tlb.page = NULL;
    unmap(PAGE, PAGE);
    flushed(t, "faf");
    side.tlb.fence = NULL;
    side.tlb.page = side_page;
    unmap(9 * PAGE, PAGE);
    TAP_EQ(t, memory.out, 4);
    flushed(t, "9");
    TAP_EQ(t, memory.out, 1); /* given back, and not before */
    batch.all = true;
    flushed(t, "a");
    TAP_EQ(t, side.tlb.stats.batches, 5);
    TAP_EQ(t, side.tlb.stats.pages, 4);
    TAP_EQ(t, side.tlb.stats.fulls, 3);
}

static const tap_case cases[] = {
    {"pt_check: an entry that the format has not: T1", rule_entries},
    {"pt_check: a large page askew, a table that is no memory: T2", rule_address},
    {"pt_check: an empty table: T3", rule_empty},
    {"pt_check: a table too many: T4", rule_count},
    {"pt_check: marks where none belong: T5", rule_marks},
    {"pt_init: bad arguments, no memory: refused", init_arguments},
    {"pt_init: a table out of the format's reach: given back", init_far_table},
    {"pt_format: names", names},
    {"pt_is_canonical: the edges of each format", canonical},
    {"pt_map: one page, all flags: the processor agrees", map_one},
    {"pt_map: bad arguments: nothing changed", map_arguments},
    {"pt_map: first and last page of the address space", map_edges},
    {"pt_map: over a mapping: busy, nothing changed", map_busy},
    {"pt_map: a large range: large pages inside", map_large},
    {"pt_map: 2 GiB: huge pages, split at both sides of an edge", map_huge},
    {"pt_map: a table is filled before it is linked", map_order},
    {"pt_map_frames: scattered frames", map_frames},
    {"pt_unmap: told of runs, batch of pages", unmap_tells},
    {"pt_unmap: bad arguments, nothing there: nothing changed", unmap_nothing},
    {"pt_unmap: emptied tables wait for the flush, and are empty", unmap_waits},
    {"pt_unmap: a table with one entry left stays", unmap_one_of_many},
    {"pt_unmap: more pages than a batch holds: all", unmap_many},
    {"pt_unmap: inside one large page: one split", unmap_inside_large},
    {"pt_protect: one page, all flags", protect_rights},
    {"pt_protect: large pages: split at the ends only", protect_large},
    {"pt_remap: another frame", remap},
    {"pt_query: what the processor noted", notes},
    {"pt_each: ascending, cut, stopped", each_ascends},
    {"pt_prepare: tables that stay", prepare},
    {"pt_share: seen by both, changed by one", share},
    {"pt_share: an emptied table stays while others name it", share_keeps},
    {"pt_fini: what is kept back stays", fini_keeps},
    {"pt_adopt: another's tables, narrow and empty", adopt},
    {"tlb_flush: pages, all, fences, counters", flush},
};

TAP_SUITE(pt_test, cases);
