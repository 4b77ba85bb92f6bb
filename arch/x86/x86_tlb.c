/* SPDX-License-Identifier: MIT */
/* x86_tlb.c - what a flush costs.
 *
 * Forgetting all costs the pages that have to be looked up again as well; so up to some number of
 * pages one by one is cheaper. That number is measured here, once:
 *
 *     one    time to forget a page and read it again, less the time to read it
 *     all    time to forget everything and read TOUCHED pages again, less the time to read them
 *     threshold = all / one
 */
#include "x86_tlb.h"
#include "image.h"
#include "loam/port.h"
#include "loam/pt.h"

enum { TOUCHED = 32, ROUNDS = 64 };

static void touch(uint32_t pages)
{
    const volatile char *p = __text_start;
    for (uint32_t i = 0; i < pages; i++)
        (void)p[i * LOAM_PAGE_SIZE];
}

/* Ticks for ROUNDS times: flush one page, or all, or nothing, and read `pages` pages. */
static uint64_t time_of(void (*one)(uintptr_t va), void (*all)(void), uint32_t pages)
{
    uint64_t start = loam_port_ticks();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        if (one != NULL)
            one((uintptr_t)__text_start);
        if (all != NULL)
            all();
        touch(pages);
    }
    return loam_port_ticks() - start;
}

uint32_t x86_tlb_threshold(void (*forget)(uintptr_t va), void (*forget_all)(void))
{
    loam_irq irq = loam_port_irq_save();
    uint64_t one, all, plain_one, plain_all;
    touch(TOUCHED);
    plain_one = time_of(NULL, NULL, 1);
    one = time_of(forget, NULL, 1);
    plain_all = time_of(NULL, NULL, TOUCHED);
    all = time_of(NULL, forget_all, TOUCHED);
    loam_port_irq_restore(irq);
    one = one > plain_one ? one - plain_one : 1;
    all = all > plain_all ? all - plain_all : 1;
    if (all / one >= LOAM_PT_BATCH)
        return LOAM_PT_BATCH;
    return all > one ? (uint32_t)(all / one) : 1;
}
