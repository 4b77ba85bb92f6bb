/* SPDX-License-Identifier: MIT */
/* x64_tlb.c - this processor's page tables: what they can do, the switch, flushes, and which frames
 * are tables. How many pages are flushed one by one is measured (x86_tlb.c). */
#include "board.h"
#include "paging.h"
#include "x64_percpu.h"
#include "x86_tlb.h"

enum {
    CR4_PGE = 1 << 7,
    CPUID_NX = 1 << 20, /* leaf 0x80000001, edx */
    CPUID_HUGE = 1 << 26,
    ENTRIES = 512,
    PRESENT = 1 << 0,
    LARGE = 1 << 7,
    LEVELS = 4
};
#define CR0_EM (1UL << 2) /* floating point traps */
#define CR0_WP (1UL << 16)

#define ADDRESS 0x000ffffffffff000U

static uint32_t extended_features(void)
{
    uint32_t a = 0x80000001U, b, c, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
    return d;
}

void x64_features_init(void)
{
    uint64_t cr0, cr4;
    __asm__ volatile("movq %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("movq %0, %%cr0" : : "r"(cr0 | CR0_EM | CR0_WP) : "memory");
    __asm__ volatile("movq %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("movq %0, %%cr4" : : "r"(cr4 | CR4_PGE) : "memory");
}

const loam_pt_format *arch_pt_format(unsigned *features)
{
    uint32_t has = extended_features();
    *features = (unsigned)LOAM_PT_LARGE | (unsigned)LOAM_PT_GLOBALS |
                ((has & CPUID_NX) != 0 ? (unsigned)LOAM_PT_NX : 0U) |
                ((has & CPUID_HUGE) != 0 ? (unsigned)LOAM_PT_HUGE : 0U);
    return &loam_pt_x86_64;
}

void arch_paging_describe(loam_text *t)
{
    uint32_t has = extended_features();
    loam_text_fmt(t, "pages of 4 KiB, 2 MiB%s; read-only holds for the kernel, too; ",
                  (has & CPUID_HUGE) != 0 ? " and 1 GiB" : "");
    loam_text_str(t, (has & CPUID_NX) != 0 ? "data cannot be executed"
                                           : "this processor executes whatever it can read");
}

static uint64_t read_cr3(void)
{
    uint64_t cr3;
    __asm__ volatile("movq %%cr3, %0" : "=r"(cr3));
    return cr3;
}

static void write_cr3(uint64_t cr3)
{
    __asm__ volatile("movq %0, %%cr3" : : "r"(cr3) : "memory");
}

/* A reload of CR3 keeps global pages; switching the feature off and on again does not. */
static void forget_all(void)
{
    uint64_t cr4;
    __asm__ volatile("movq %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("movq %0, %%cr4" : : "r"(cr4 & ~(uint64_t)CR4_PGE) : "memory");
    write_cr3(read_cr3());
    __asm__ volatile("movq %0, %%cr4" : : "r"(cr4) : "memory");
}

static void forget(uintptr_t va)
{
    __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

void arch_paging_begin(loam_pa root)
{
    write_cr3(root.v);
    forget_all();
}

static void flush_page(void *ctx, uint64_t va)
{
    (void)ctx;
    forget(va);
}

static void flush_all(void *ctx)
{
    (void)ctx;
    forget_all();
}

const char *arch_tlb_word(bool all)
{
    return all ? "CR3" : "invlpg";
}

void arch_tlb_init(loam_tlb *tlb)
{
    *tlb = (loam_tlb){.page = flush_page, .all = flush_all, .others = paging_tell_others};
    tlb->threshold = x86_tlb_threshold(forget, forget_all);
}

/* ---- which frames are tables ---- */

typedef struct walk {
    const uint64_t *entry;
    unsigned next; /* entry to look at */
} walk;

/* Down and along, without recursion: at[l] is the table of level l that is being read. */
void arch_each_table(loam_pa root, void (*fn)(loam_pa table))
{
    walk at[LEVELS];
    unsigned level = LEVELS - 1;
    at[level] = (walk){virt_of(root), 0};
    fn(root);
    while (level < LEVELS) {
        walk *w = &at[level];
        uint64_t entry;
        if (w->next == ENTRIES) {
            level++;
            continue;
        }
        entry = w->entry[w->next++];
        if ((entry & (PRESENT | LARGE)) != PRESENT)
            continue;
        fn(loam_pa_of(entry & ADDRESS));
        if (level > 1)
            at[--level] = (walk){virt_of(loam_pa_of(entry & ADDRESS)), 0};
    }
}
