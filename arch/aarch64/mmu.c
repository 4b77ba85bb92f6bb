/* SPDX-License-Identifier: MIT */
/* mmu.c - the identity map of the first 2 GiB, and the switch that turns it on.
 *
 *     0x00000000  page 0: nothing (a NULL pointer faults; the spin tables are the other cores')
 *     0x00001000  RAM, read-write, never executed
 *     0x00080000    kernel text         read-only, executable   \
 *                   kernel rodata       read-only, no execute    | 4 KiB pages: the first
 *                   data, stacks, bss   read-write, no execute   | MMU_FINE_BLOCKS blocks
 *                   guard pages         nothing                 /
 *     0x3f000000  peripherals (device memory)
 *     0x40000000  the cores' local peripherals, one block
 *     0x7fe00000  the first 2 MiB again: for who starts the other cores
 *
 * One level-1 table (1 GiB an entry), two of level 2 (2 MiB blocks), a few of level 3. Runs once
 * with the MMU off: no other data than the tables is touched, no lock is taken.
 */
#include "board_map.h"
#include "loam/base.h"

enum {
    ENTRIES = 512,
    BLOCK_SHIFT = 21,
    MMU_FINE_BLOCKS = 2, /* the linker script asserts that data and stacks end below these */

    /* memory types, as indices into MAIR_EL1 */
    TYPE_DEVICE = 0, /* nGnRnE */
    TYPE_NORMAL = 1, /* write-back, read- and write-allocate, inner and outer */
};

/* Descriptor bits, as the Arm ARM numbers them. */
#define DESC_BLOCK    1ULL /* levels 1, 2 */
#define DESC_TABLE    3ULL /* levels 1, 2 */
#define DESC_PAGE     3ULL /* level 3 */
#define DESC_TYPE(t)  ((uint64_t)(t) << 2)
#define DESC_READONLY (1ULL << 7)
#define DESC_INNER    (3ULL << 8)  /* inner shareable */
#define DESC_ACCESSED (1ULL << 10) /* else the first access traps */
#define DESC_NOEXEC   (3ULL << 53) /* neither EL1 nor EL0 */
#define DESC_UXN      (1ULL << 54)

#define RAM_RW    (DESC_TYPE(TYPE_NORMAL) | DESC_INNER | DESC_ACCESSED | DESC_NOEXEC)
#define RAM_RO    (RAM_RW | DESC_READONLY)
#define RAM_TEXT  (DESC_TYPE(TYPE_NORMAL) | DESC_INNER | DESC_ACCESSED | DESC_READONLY | DESC_UXN)
#define DEVICE_RW (DESC_TYPE(TYPE_DEVICE) | DESC_ACCESSED | DESC_NOEXEC)

typedef struct mmu_tables {
    uint64_t level1[ENTRIES];
    uint64_t level2[2][ENTRIES];
    uint64_t level3[MMU_FINE_BLOCKS][ENTRIES];
} mmu_tables;

static mmu_tables tables __attribute__((section(".noinit"), aligned(4096)));

extern const char __text_start[], __text_end[], __rodata_end[];
extern const char __stack_guard[], __stack_bottom[];
extern const char __trap_stack_guard[], __trap_stack_bottom[], __trap_stack_top[];
extern const char __trap_stacks_end[];

/* Builds the map and turns MMU and caches on. Called once, by start.S, with all of them off. */
void mmu_on(void);

static uint64_t addr(const void *p)
{
    return (uint64_t)(uintptr_t)p;
}

/* The pages below the main stack and below each of the trap stacks. */
static bool is_guard(uint64_t pa)
{
    uint64_t first = addr(__trap_stack_guard);
    uint64_t step = addr(__trap_stack_top) - first;
    return pa == addr(__stack_guard) ||
           (pa >= first && pa < addr(__trap_stacks_end) && (pa - first) % step == 0);
}

static uint64_t page_descriptor(uint64_t pa)
{
    if (pa == 0 || is_guard(pa))
        return 0;
    if (pa >= addr(__text_start) && pa < addr(__text_end))
        return pa | RAM_TEXT | DESC_PAGE;
    if (pa >= addr(__text_end) && pa < addr(__rodata_end))
        return pa | RAM_RO | DESC_PAGE;
    return pa | RAM_RW | DESC_PAGE;
}

static uint64_t block_descriptor(uint64_t pa)
{
    if (pa == BOARD_LOW_ALIAS)
        return DEVICE_RW | DESC_BLOCK; /* who reads there has no caches */
    if (pa < BOARD_RAM_END)
        return pa | RAM_RW | DESC_BLOCK;
    if (pa < BOARD_DEVICE_END)
        return pa | DEVICE_RW | DESC_BLOCK;
    return 0;
}

static void fill(mmu_tables *t)
{
    for (unsigned i = 0; i < ENTRIES; i++)
        t->level1[i] = i < 2 ? addr(t->level2[i]) | DESC_TABLE : 0;
    for (uint64_t i = 0; i < 2ULL * ENTRIES; i++)
        t->level2[i / ENTRIES][i % ENTRIES] = i < MMU_FINE_BLOCKS
                                                  ? addr(t->level3[i]) | DESC_TABLE
                                                  : block_descriptor(i << BLOCK_SHIFT);
    for (uint64_t i = 0; i < (uint64_t)MMU_FINE_BLOCKS * ENTRIES; i++)
        t->level3[i / ENTRIES][i % ENTRIES] = page_descriptor(i << LOAM_PAGE_SHIFT);
}

/* Drops what a cache may hold of [p, p + len): the tables are written past the caches. */
static void invalidate(const void *p, uint64_t len)
{
    for (uint64_t at = addr(p); at < addr(p) + len; at += 64)
        __asm__ volatile("dc ivac, %0" : : "r"(at) : "memory");
    __asm__ volatile("dsb sy" : : : "memory");
}

void mmu_on(void)
{
    uint64_t mair = 0xff00; /* type 0: 0x00 device nGnRnE; type 1: 0xff normal write-back */
    /* T0SZ 25: 39-bit addresses, so level 1 is the first; 4 KiB granule; walks are cacheable and
     * inner shareable; TTBR1 is off; 36-bit physical addresses */
    uint64_t tcr = 25ULL | 1ULL << 8 | 1ULL << 10 | 3ULL << 12 | 1ULL << 23 | 1ULL << 32;
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
                     : "r"(mair), "r"(tcr), "r"(addr(tables.level1))
                     : "memory");
    __asm__ volatile("mrs %0, sctlr_el1" : "=r"(sctlr));
    /* M MMU, C data cache, I instruction cache, SA stack alignment, A alignment checks, WXN
     * writable is never executable */
    sctlr |= 1ULL | 1ULL << 1 | 1ULL << 2 | 1ULL << 3 | 1ULL << 12 | 1ULL << 19;
    __asm__ volatile("msr sctlr_el1, %0\n\tisb" : : "r"(sctlr) : "memory");
}
