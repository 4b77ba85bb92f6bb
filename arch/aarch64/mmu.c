/* SPDX-License-Identifier: MIT */
/* mmu.c - the first page tables: an identity map of the first 2 GiB in large blocks, and the switch
 * that turns it on. The final tables, with rights for each page, are kern/paging.c's, in the same
 * format (pt/pt_aarch64.c) and with the same memory types.
 *
 *     level 0   [ 0 ][ . ] ...                  512 GiB an entry
 *     level 1     '->[ 0 ][ 1 ][ . ] ...          1 GiB
 *     level 2          |    '->[b][b][b] ...      2 MiB blocks of what the board has there
 *                      '------>[b][b][b] ...
 *
 * Runs once with the MMU off: no other data than the tables is touched, no lock is taken.
 */
#include "mmu.h"

enum {
    ENTRIES = 512,
    BLOCK_SHIFT = 21,
    FINE = 2, /* GiB in blocks of 2 MiB: MMU_BOOT_END */

    /* memory types, as indices into MAIR_EL1: those of pt_aarch64.c */
    TYPE_NORMAL = 0, /* 0xff: write-back, read- and write-allocate, inner and outer */
    TYPE_DEVICE = 1, /* 0x00: nGnRnE */
    PA_BITS_MOST = 5 /* of TCR_EL1.IPS: 48 bits; more needs larger pages */
};

/* Descriptor bits, as the Arm ARM numbers them. */
#define DESC_BLOCK    1ULL /* levels 1, 2 */
#define DESC_TABLE    3ULL /* levels 0, 1, 2 */
#define DESC_TYPE(t)  ((uint64_t)(t) << 2)
#define DESC_INNER    (3ULL << 8)  /* inner shareable */
#define DESC_ACCESSED (1ULL << 10) /* else the first access traps */
#define DESC_LOCAL    (1ULL << 11) /* not global: the final tables' pages are */
#define DESC_NOEXEC   (3ULL << 53) /* neither EL1 nor EL0 */
#define DESC_UXN      (1ULL << 54)

#define BLOCK_RAM                                                                                  \
    (DESC_TYPE(TYPE_NORMAL) | DESC_INNER | DESC_ACCESSED | DESC_LOCAL | DESC_UXN | DESC_BLOCK)
#define BLOCK_DEVICE                                                                               \
    (DESC_TYPE(TYPE_DEVICE) | DESC_ACCESSED | DESC_LOCAL | DESC_NOEXEC | DESC_BLOCK)

typedef struct mmu_tables {
    uint64_t level0[ENTRIES];
    uint64_t level1[ENTRIES];
    uint64_t level2[FINE][ENTRIES];
} mmu_tables;
_Static_assert(MMU_BOOT_END == (uint64_t)FINE << 30, "what the header promises");

static mmu_tables tables __attribute__((section(".noinit"), aligned(4096)));

static uint64_t addr(const void *p)
{
    return (uint64_t)(uintptr_t)p;
}

static uint64_t block_descriptor(uint64_t pa)
{
    for (unsigned i = 0; i < MMU_REGIONS; i++) {
        const mmu_region *r = &mmu_regions[i];
        if (pa >= r->base && pa - r->base < r->len)
            return pa | (r->device ? BLOCK_DEVICE : BLOCK_RAM);
    }
    return 0;
}

static void fill(mmu_tables *t)
{
    for (unsigned i = 0; i < ENTRIES; i++) {
        t->level0[i] = i == 0 ? addr(t->level1) | DESC_TABLE : 0;
        t->level1[i] = i < FINE ? addr(t->level2[i]) | DESC_TABLE : 0;
    }
    for (uint64_t i = 0; i < (uint64_t)FINE * ENTRIES; i++)
        t->level2[i / ENTRIES][i % ENTRIES] = block_descriptor(i << BLOCK_SHIFT);
}

/* Drops what a cache may hold of [p, p + len): the tables are written past the caches. */
static void invalidate(const void *p, uint64_t len)
{
    for (uint64_t at = addr(p); at < addr(p) + len; at += 64)
        __asm__ volatile("dc ivac, %0" : : "r"(at) : "memory");
    __asm__ volatile("dsb sy" : : : "memory");
}

/* Bits of a physical address, as ID_AA64MMFR0_EL1 and TCR_EL1.IPS number them. */
static uint64_t pa_bits(void)
{
    uint64_t features;
    __asm__ volatile("mrs %0, id_aa64mmfr0_el1" : "=r"(features));
    features &= 0xf;
    return features < PA_BITS_MOST ? features : PA_BITS_MOST;
}

void mmu_on(void)
{
    uint64_t mair = 0x00ff;
    /* T0SZ 16: 48-bit addresses, so level 0 is the first; 4 KiB granule; walks are cacheable and
     * inner shareable; TTBR1 is off */
    uint64_t tcr = 16ULL | 1ULL << 8 | 1ULL << 10 | 3ULL << 12 | 1ULL << 23 | pa_bits() << 32;
    uint64_t sctlr;

    invalidate(&tables, sizeof(tables));
    fill(&tables);
    invalidate(&tables, sizeof(tables));
    __asm__ volatile("msr mair_el1, %0\n\t"
                     "msr tcr_el1, %1\n\t"
                     "msr ttbr0_el1, %2\n\t"
                     "isb\n\t"
                     "tlbi vmalle1\n\t"
                     "dsb nsh\n\t"
                     "isb"
                     :
                     : "r"(mair), "r"(tcr), "r"(addr(tables.level0))
                     : "memory");
    __asm__ volatile("mrs %0, sctlr_el1" : "=r"(sctlr));
    /* M MMU, A alignment checks, C data cache, SA stack alignment, I instruction cache */
    sctlr |= 1ULL | 1ULL << 1 | 1ULL << 2 | 1ULL << 3 | 1ULL << 12;
    __asm__ volatile("msr sctlr_el1, %0\n\tisb" : : "r"(sctlr) : "memory");
}

uint64_t mmu_pa_end(void)
{
    static const uint8_t bits[PA_BITS_MOST + 1] = {32, 36, 40, 42, 44, 48};
    return 1ULL << bits[pa_bits()];
}

loam_span mmu_boot_tables(void)
{
    return (loam_span){addr(&tables), sizeof(tables)};
}
