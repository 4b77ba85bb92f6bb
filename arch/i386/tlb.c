/* SPDX-License-Identifier: MIT */
/* tlb.c - this processor's page tables: what they can do, the switch, and what a flush costs.
 *
 * An 80386 can only forget everything, by loading CR3. From the 486 on `invlpg` forgets one page.
 * Forgetting all costs the pages that have to be looked up again as well; so up to some number of
 * pages one by one is cheaper. That number is measured here, once:
 *
 *     one    time to forget a page and read it again, less the time to read it
 *     all    time to forget everything and read TOUCHED pages again, less the time to read them
 *     threshold = all / one
 */
#include "i386_layout.h"
#include "i386_trap.h"
#include "image.h"
#include "loam/port.h"
#include "paging.h"
#include "processor.h"
#include "user.h"

enum { TOUCHED = 32, ROUNDS = 64 };

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

static void touch(uint32_t pages)
{
    const volatile char *p = __text_start;
    for (uint32_t i = 0; i < pages; i++)
        (void)p[i * LOAM_PAGE_SIZE];
}

/* Ticks for ROUNDS times: flush one page, or all, and read `pages` pages. */
typedef enum what { NOTHING, ONE, ALL } what;
static uint64_t time_of(what flush, uint32_t pages)
{
    uint64_t start = loam_port_ticks();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        if (flush == ONE)
            processor_flush_page((uint32_t)(uintptr_t)__text_start);
        else if (flush == ALL)
            processor_flush_all();
        touch(pages);
    }
    return loam_port_ticks() - start;
}

static uint32_t measure_threshold(void)
{
    loam_irq irq = loam_port_irq_save();
    uint64_t one, all, plain_one, plain_all;
    touch(TOUCHED);
    plain_one = time_of(NOTHING, 1);
    one = time_of(ONE, 1);
    plain_all = time_of(NOTHING, TOUCHED);
    all = time_of(ALL, TOUCHED);
    loam_port_irq_restore(irq);
    one = one > plain_one ? one - plain_one : 1;
    all = all > plain_all ? all - plain_all : 1;
    if (all / one >= LOAM_PT_BATCH)
        return LOAM_PT_BATCH;
    return all > one ? (uint32_t)(all / one) : 1;
}

void arch_tlb_init(loam_tlb *tlb)
{
    *tlb = (loam_tlb){.all = flush_all};
    if (!processor_this.has_invlpg)
        return;
    tlb->page = flush_page;
    tlb->threshold = measure_threshold();
}
