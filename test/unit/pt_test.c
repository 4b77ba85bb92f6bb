/* SPDX-License-Identifier: MIT */
/* pt_test.c - page tables by example, on every format: rules, arguments, new mappings. */
#include "pt_ground.h"

/* ---- rules ---- */

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
};

TAP_SUITE(pt_test, cases);
