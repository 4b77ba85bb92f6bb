/* SPDX-License-Identifier: MIT */
/* paging_tlb.c - other processors forget what a table said, where a flush does not reach them.
 *
 *     this one                         each of the others
 *     entry rewritten
 *     own pages flushed
 *     smp_interrupt(all, forget) --->  flush the same pages, or everything: one interrupt a batch
 *     waits               <---------'
 *     frames and tables go back: nobody remembers where they were
 *
 * A flush may come with a lock held that another one waits for: it serves while it waits (smp.c).
 * One that comes online while this goes on is in the set that smp_interrupt reads, or flushes
 * everything after the entry was rewritten: smp_enter.
 */
#include "kern.h"
#include "loam/port.h"
#include "paging.h"
#include "smp.h"

typedef struct stale {
    const uint64_t *va;
    uint32_t count;
} stale;

static void forget(void *ctx)
{
    const stale *s = ctx;
    const loam_tlb *tlb = &kern_this.tlb;
    for (uint32_t i = 0; i < s->count; i++)
        tlb->page(tlb->ctx, s->va[i]);
    if (s->count == 0)
        tlb->all(tlb->ctx);
    if (tlb->fence != NULL)
        tlb->fence(tlb->ctx);
}

bool paging_tell_others(void *ctx, const uint64_t *va, uint32_t count)
{
    stale s = {va, count};
    (void)ctx;
    if (smp_online() == 1)
        return false;
    smp_interrupt(~0ULL, forget, &s);
    return true;
}
