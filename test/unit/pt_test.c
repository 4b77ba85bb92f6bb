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

static void rule_address(tap *t)
{
    fresh(t, x64);
    map(0x200000, 0x200000, 0x200000, W);
    table64(0x200000, 2)[1] |= 0x10000;
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

static const tap_case cases[] = {
    {"pt_map: one page, all flags: the processor agrees", map_one},
    {"pt_map: a large range: large pages inside", map_large},
    {"pt_check: an entry that the format has not: T1", rule_entries},
    {"pt_check: a large page askew: T2", rule_address},
    {"pt_check: an empty table: T3", rule_empty},
    {"pt_check: a table too many: T4", rule_count},
    {"pt_check: marks where none belong: T5", rule_marks},
};

TAP_SUITE(pt_test, cases);
