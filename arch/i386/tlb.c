/* SPDX-License-Identifier: MIT */
/* tlb.c - this processor's page tables: what they can do, the switch, and how they are flushed.
 *
 * An 80386 can only forget everything, by loading CR3. From the 486 on `invlpg` forgets one page;
 * up to how many pages that is better is measured (x86_tlb.c). */
#include "i386_layout.h"
#include "i386_trap.h"
#include "paging.h"
#include "processor.h"
#include "user.h"
#include "x86_tlb.h"

const loam_pt_format *arch_pt_format(unsigned *features)
{
    *features = (processor_this.has_large ? (unsigned)LOAM_PT_LARGE : 0U) |
                (processor_this.has_globals ? (unsigned)LOAM_PT_GLOBALS : 0U);
    return &loam_pt_i386;
}

void arch_paging_describe(loam_text *t)
{
    loam_text_fmt(t, "pages of %s; ", processor_this.has_large ? "4 KiB and 4 MiB" : "4 KiB");
    loam_text_str(t, processor_this.has_invlpg ? "read-only holds for the kernel, too; "
                                               : "an 80386 lets the kernel write everywhere; ");
    loam_text_str(t, "two-level tables cannot refuse execution");
}

void arch_paging_begin(loam_pa root)
{
    processor_paging_features();
    processor_set_cr3((uint32_t)root.v);
    processor_flush_all();
    i386_set_fault_directory((uint32_t)root.v);
}

void arch_use_root(loam_pa root)
{
    processor_set_cr3((uint32_t)root.v);
}

/* ---- flushing ---- */

static void flush_page(void *ctx, uint64_t va)
{
    (void)ctx;
    processor_flush_page((uint32_t)va);
}

static void flush_all(void *ctx)
{
    (void)ctx;
    processor_flush_all();
}

static void forget(uintptr_t va)
{
    processor_flush_page(va);
}

const char *arch_tlb_word(bool all)
{
    return all ? "CR3" : "invlpg";
}

void arch_tlb_init(loam_tlb *tlb)
{
    *tlb = (loam_tlb){.all = flush_all};
    if (!processor_this.has_invlpg)
        return;
    tlb->page = flush_page;
    tlb->threshold = x86_tlb_threshold(forget, processor_flush_all);
}
