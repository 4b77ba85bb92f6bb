/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_PT_GROUND_H
#define LOAM_TEST_PT_GROUND_H

/* pt_ground.h - an empty tree of each format for tests by example; what its tables say is read by a
 * processor in software (software_mmu.h). */
#include "loam/pt.h"
#include "software_mmu.h"
#include "table_memory.h"
#include "tap.h"

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

static inline mmu processor(const kind *k, uint64_t root)
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

static inline void fresh(tap *t, const kind *k)
{
    loam_pt_memory from = table_memory_init(&memory);
    loam_pt_batch_init(&batch);
    TAP_EQ(t, loam_pt_init(&pt, k->format, k->features, &from), LOAM_OK);
    cpu = processor(k, pt.root.v);
}

static inline bool can_refuse_exec(const kind *k)
{
    return k->mmu == MMU_AARCH64 || (k->features & LOAM_PT_NX) != 0;
}

static inline bool has_large(const kind *k)
{
    return k->mmu != MMU_I386 || (k->features & LOAM_PT_LARGE) != 0;
}

static inline uint64_t large_size(const kind *k)
{
    return k->mmu == MMU_I386 ? 4 << 20 : 2 << 20;
}

static inline loam_err map(uint64_t va, uint64_t pa, uint64_t len, unsigned flags)
{
    return loam_pt_map(&pt, va, loam_pa_of(pa), len, flags, &batch);
}

static inline loam_err unmap(uint64_t va, uint64_t len)
{
    return loam_pt_unmap(&pt, va, len, NULL, NULL, &batch);
}

/* After each step: rules, counts, no page used that is not out. */
static inline void sound(tap *t)
{
    TAP_RULE(t, loam_pt_check(&pt), NULL);
    TAP_EQ(t, mmu_tables(&cpu), pt.tables);
    TAP_EQ(t, memory.faults, 0);
}

/* The processor finds va at pa, with these rights and no others. */
static inline void maps_to(tap *t, const kind *k, uint64_t va, uint64_t pa, unsigned flags)
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

static inline void maps_nothing(tap *t, uint64_t va)
{
    loam_pt_entry e;
    mmu_page p = mmu_walk(&cpu, va);
    TAP_CHECK(t, !p.mapped && !p.reserved);
    TAP_CHECK(t, !loam_pt_query(&pt, va, &e));
}

static inline uint64_t *root64(void)
{
    return table_memory_at(&memory, pt.root);
}

static inline uint64_t *table64(uint64_t va, unsigned step)
{
    return table_memory_at(&memory, loam_pa_of(mmu_walk(&cpu, va).tables[step]));
}

static const kind *const x64 = &kinds[3];

/* One of everything is mapped; the call must be refused, and change nothing. */
static inline void refused(tap *t, loam_err got, loam_err want)
{
    TAP_EQ(t, got, want);
    TAP_EQ(t, memory.out, pt.tables);
    TAP_CHECK(t, !batch.dirty && !batch.all && batch.count == 0 && batch.emptied == 0);
    sound(t);
}

#endif
