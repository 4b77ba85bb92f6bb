/* SPDX-License-Identifier: MIT */
/* tables.c - this processor's page tables: the switch, how a page is forgotten, which frames are
 * tables.
 *
 * A TLB invalidation is broadcast by the hardware to all processors of the inner shareable domain:
 * no processor has to be interrupted for another one's sake. A whole flush costs each of them all
 * that it remembers; so pages are flushed one by one for as long as a batch knows them one by one.
 */
#include "board.h"
#include "paging.h"

enum { ENTRIES = 512, LEVELS = 4, TABLE = 3 /* with this in its low bits an entry is a table */ };

#define ADDRESS 0x0000fffffffff000ULL

const loam_pt_format *arch_pt_format(unsigned *features)
{
    *features = LOAM_PT_LARGE | LOAM_PT_HUGE | LOAM_PT_NX | LOAM_PT_GLOBALS;
    return &loam_pt_aarch64;
}

void arch_paging_describe(loam_text *t)
{
    loam_text_str(t, "pages of 4 KiB, 2 MiB and 1 GiB; what can be written is never executed");
}

/* Blocks of other sizes than before for the same addresses must not meet in a TLB: so the MMU is
 * off between the two. All of it is in registers, and the code lies where it lies. From here on
 * writable memory is not executable (WXN). */
void arch_paging_begin(loam_pa root)
{
    uint64_t on, off;
    __asm__ volatile("mrs %0, sctlr_el1" : "=r"(on));
    on |= 1ULL << 19;
    off = on & ~(1ULL | 1ULL << 2);
    __asm__ volatile("dsb sy\n\t"
                     "msr sctlr_el1, %0\n\t"
                     "isb\n\t"
                     "msr ttbr0_el1, %1\n\t"
                     "isb\n\t"
                     "tlbi vmalle1\n\t"
                     "dsb nsh\n\t"
                     "isb\n\t"
                     "msr sctlr_el1, %2\n\t"
                     "isb"
                     :
                     : "r"(off), "r"(root.v), "r"(on)
                     : "memory");
}

/* The entries of four levels at once: at[l] is the next one to look at in the table of level l. */
void arch_each_table(loam_pa root, void (*fn)(loam_pa table))
{
    const uint64_t *table[LEVELS] = {virt_of(root)};
    unsigned at[LEVELS] = {0}, level = 0;
    fn(root);
    for (;;) {
        uint64_t entry;
        if (at[level] == ENTRIES) {
            if (level == 0)
                return;
            level--;
            continue;
        }
        entry = table[level][at[level]++];
        if (level == LEVELS - 1 || (entry & TABLE) != TABLE)
            continue;
        fn(loam_pa_of(entry & ADDRESS));
        table[++level] = virt_of(loam_pa_of(entry & ADDRESS));
        at[level] = 0;
    }
}

/* ---- flushing ---- */

static void flush_page(void *ctx, uint64_t va)
{
    (void)ctx;
    __asm__ volatile("tlbi vaae1is, %0"
                     :
                     : "r"(va >> LOAM_PAGE_SHIFT & 0xfffffffffffULL)
                     : "memory");
}

static void flush_all(void *ctx)
{
    (void)ctx;
    __asm__ volatile("tlbi vmalle1is" : : : "memory");
}

static void fence(void *ctx)
{
    (void)ctx;
    __asm__ volatile("dsb ish\n\tisb" : : : "memory");
}

void arch_tlb_init(loam_tlb *tlb)
{
    *tlb = (loam_tlb){
        .page = flush_page, .all = flush_all, .fence = fence, .threshold = LOAM_PT_BATCH};
}

const char *arch_tlb_word(bool all)
{
    return all ? "tlbi vmalle1is" : "tlbi vaae1is";
}
