/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_SOFTWARE_MMU_H
#define LOAM_TEST_SOFTWARE_MMU_H

/* software_mmu.h - three processors' table walks, as their manuals tell them, over words of memory.
 *
 * The oracle for page tables: it knows nothing of the code that writes them, and shares neither
 * code nor constants with it. Bits are counted as the manuals count them. What a manual calls
 * reserved ends the walk with a fault, and says so. */
#include <stdbool.h>
#include <stdint.h>

typedef enum mmu_kind { MMU_I386, MMU_X86_64, MMU_AARCH64 } mmu_kind;

typedef struct mmu {
    mmu_kind kind;
    bool large;  /* i386: CR4.PSE */
    bool huge;   /* x86-64: CPUID says 1 GiB pages */
    bool nx;     /* x86-64: EFER.NXE */
    bool global; /* x86: CR4.PGE */
    uint64_t root;
    uint64_t (*word)(void *ctx, uint64_t pa); /* eight bytes of memory, at a multiple of 8 */
    void *ctx;
} mmu;

typedef struct mmu_page {
    bool mapped;
    bool reserved;     /* a reserved bit was set: a fault, and somebody's mistake */
    uint64_t pa;       /* of the very address asked about */
    uint64_t size;     /* of the page */
    bool kernel_write; /* the kernel can always read what is mapped (x86: with CR0.WP) */
    bool kernel_exec;
    bool user_read, user_write, user_exec;
    bool device, global;
    uint64_t tables[4]; /* physical address of the table at each step, from the root on; 0: none */
} mmu_page;

static inline unsigned mmu_bit(uint64_t word, unsigned n)
{
    return (unsigned)(word >> n) & 1;
}

static inline uint64_t mmu_bits(uint64_t word, unsigned high, unsigned low)
{
    return word << (63 - high) >> (63 - high) >> low;
}

/* ---- 80386 and later, CR4.PAE 0 ---- */

static inline uint32_t mmu_word32(const mmu *m, uint64_t pa)
{
    uint64_t both = m->word(m->ctx, pa - pa % 8);
    return (uint32_t)(pa % 8 != 0 ? both >> 32 : both);
}

static inline void mmu_x86_page(const mmu *m, mmu_page *p, uint64_t entry, bool w, bool u, bool nx)
{
    p->mapped = true;
    p->kernel_write = w;
    p->kernel_exec = !nx; /* CR4.SMEP 0 */
    p->user_read = u;
    p->user_write = u && w;
    p->user_exec = u && !nx;
    p->device = mmu_bit(entry, 3) != 0 && mmu_bit(entry, 4) != 0;
    p->global = m->global && mmu_bit(entry, 8) != 0;
}

static inline void mmu_walk_i386(const mmu *m, uint64_t va, mmu_page *p)
{
    if (va > 0xffffffff)
        return;
    p->tables[0] = m->root;
    uint32_t pde = mmu_word32(m, m->root + mmu_bits(va, 31, 22) * 4);
    if (!mmu_bit(pde, 0))
        return;
    bool w = mmu_bit(pde, 1), u = mmu_bit(pde, 2);
    if (m->large && mmu_bit(pde, 7)) {
        p->reserved = mmu_bits(pde, 21, 13) != 0;
        p->size = (uint64_t)4 << 20;
        p->pa = mmu_bits(pde, 31, 22) << 22 | mmu_bits(va, 21, 0);
        if (!p->reserved)
            mmu_x86_page(m, p, pde, w, u, false);
        return;
    }
    p->tables[1] = mmu_bits(pde, 31, 12) << 12;
    uint32_t pte = mmu_word32(m, p->tables[1] + mmu_bits(va, 21, 12) * 4);
    if (!mmu_bit(pte, 0))
        return;
    p->size = 4096;
    p->pa = mmu_bits(pte, 31, 12) << 12 | mmu_bits(va, 11, 0);
    mmu_x86_page(m, p, pte, w && mmu_bit(pte, 1), u && mmu_bit(pte, 2), false);
}

/* ---- IA-32e paging, four levels ---- */

static inline void mmu_walk_x86_64(const mmu *m, uint64_t va, mmu_page *p)
{
    uint64_t top = mmu_bits(va, 63, 47), table = m->root;
    bool w = true, u = true, nx = false;
    if (top != 0 && top != 0x1ffff)
        return;
    for (unsigned step = 0, low = 39; step < 4; step++, low -= 9) {
        p->tables[step] = table;
        uint64_t entry = m->word(m->ctx, table + mmu_bits(va, low + 8, low) * 8);
        if (!mmu_bit(entry, 0))
            return;
        bool is_page = step == 3 || mmu_bit(entry, 7);
        bool may_be = step == 3 || step == 2 || (step == 1 && m->huge);
        /* address bits below the page's size, except for PAT in bit 12 */
        bool low_bits = is_page && step < 3 && mmu_bits(entry, low - 1, 13) != 0;
        if ((is_page && !may_be) || low_bits || (!m->nx && mmu_bit(entry, 63))) {
            p->reserved = true;
            return;
        }
        w = w && mmu_bit(entry, 1);
        u = u && mmu_bit(entry, 2);
        nx = nx || mmu_bit(entry, 63);
        if (is_page) {
            p->size = (uint64_t)1 << low;
            p->pa = mmu_bits(entry, 51, low) << low | mmu_bits(va, low - 1, 0);
            mmu_x86_page(m, p, entry, w, u, nx);
            return;
        }
        table = mmu_bits(entry, 51, 12) << 12;
    }
}

/* ---- VMSAv8-64, stage 1 of EL1 and EL0, TTBR0, 4 KiB granule, T0SZ 16 ---- */

typedef struct mmu_a64_less {
    bool pxn, uxn, no_el0, no_write; /* PXNTable, UXNTable, APTable of the tables passed */
} mmu_a64_less;

static inline void mmu_a64_page(mmu_page *p, uint64_t entry, const mmu_a64_less *less)
{
    bool el0 = mmu_bit(entry, 6) && !less->no_el0, read_only = mmu_bit(entry, 7) || less->no_write;
    bool el0_writes = el0 && !read_only;
    p->mapped = mmu_bit(entry, 10) != 0; /* AF 0: access flag fault */
    p->kernel_write = !read_only;
    p->user_read = el0;
    p->user_write = el0_writes;
    p->user_exec = el0 && !mmu_bit(entry, 54) && !less->uxn;
    p->kernel_exec = !mmu_bit(entry, 53) && !less->pxn && !el0_writes;
    p->device = mmu_bits(entry, 4, 2) == 1;
    p->global = !mmu_bit(entry, 11);
    /* a normal page that other processors do not see coherently is a mistake */
    p->reserved = !p->device && mmu_bits(entry, 9, 8) != 3;
}

static inline void mmu_walk_aarch64(const mmu *m, uint64_t va, mmu_page *p)
{
    uint64_t table = m->root;
    mmu_a64_less less = {false, false, false, false};
    if (mmu_bits(va, 63, 48) != 0)
        return;
    for (unsigned level = 0, low = 39; level < 4; level++, low -= 9) {
        p->tables[level] = table;
        uint64_t entry = m->word(m->ctx, table + mmu_bits(va, low + 8, low) * 8);
        unsigned type = (unsigned)mmu_bits(entry, 1, 0);
        if (type == 0 || type == 2)
            return;
        bool is_page = level == 3 ? type == 3 : type == 1;
        bool bad = level == 3 ? type == 1 : is_page && (level == 0 || mmu_bits(entry, low - 1, 17));
        if (bad) {
            p->reserved = true;
            return;
        }
        if (is_page) {
            p->size = (uint64_t)1 << low;
            p->pa = mmu_bits(entry, 47, low) << low | mmu_bits(va, low - 1, 0);
            mmu_a64_page(p, entry, &less);
            return;
        }
        less.pxn = less.pxn || mmu_bit(entry, 59);
        less.uxn = less.uxn || mmu_bit(entry, 60);
        less.no_el0 = less.no_el0 || mmu_bit(entry, 61);
        less.no_write = less.no_write || mmu_bit(entry, 62);
        table = mmu_bits(entry, 47, 12) << 12;
    }
}

/* ---- all ---- */

/* What the processor does with an address. */
static inline mmu_page mmu_walk(const mmu *m, uint64_t va)
{
    mmu_page p = {.mapped = false};
    if (m->kind == MMU_I386)
        mmu_walk_i386(m, va, &p);
    else if (m->kind == MMU_X86_64)
        mmu_walk_x86_64(m, va, &p);
    else
        mmu_walk_aarch64(m, va, &p);
    return p;
}

/* Does entry i of the table at pa name another table? *next: which. Steps are counted from the
 * root, which is 0. */
static inline bool mmu_names_table(const mmu *m, unsigned step, uint64_t pa, unsigned i,
                                   uint64_t *next)
{
    uint64_t entry = m->kind == MMU_I386 ? mmu_word32(m, pa + (uint64_t)i * 4)
                                         : m->word(m->ctx, pa + (uint64_t)i * 8);
    bool last = step == (m->kind == MMU_I386 ? 1 : 3);
    *next = m->kind == MMU_AARCH64 ? mmu_bits(entry, 47, 12) << 12 : mmu_bits(entry, 51, 12) << 12;
    if (last || !mmu_bit(entry, 0))
        return false;
    if (m->kind == MMU_AARCH64)
        return mmu_bit(entry, 1) != 0;
    return !mmu_bit(entry, 7) || (m->kind == MMU_I386 && !m->large);
}

/* Pages that the processor can reach as tables, the root included. */
static inline uint64_t mmu_tables(const mmu *m)
{
    unsigned n = m->kind == MMU_I386 ? 1024 : 512, index[4] = {0}, step = 0;
    uint64_t table[4] = {m->root}, count = 1, next;
    for (;;) {
        if (index[step] == n) {
            if (step-- == 0)
                return count;
        } else if (mmu_names_table(m, step, table[step], index[step]++, &next)) {
            count++;
            table[++step] = next;
            index[step] = 0;
        }
    }
}

#endif
