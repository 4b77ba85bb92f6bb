/* SPDX-License-Identifier: MIT */
/* pt_tlb.c - flushing a batch: page by page, or everything once.
 *
 * WHAT   After tables were changed, makes the processor forget what it remembers of them, and then
 *        gives the emptied tables back.
 * MODEL  What a flush does:
 *
 *            batch   va va va        -> fence, page(va) three times, fence -> tables go back
 *                    more than the threshold, or the processor cannot flush pages
 *                                    -> fence, all(), fence               -> tables go back
 *                    other processors that page() and all() do not reach: others(the same), once,
 *                    before the second fence: so the tables go back when nobody walks them
 *                    only new pages  -> fence: what was not there was not remembered
 *
 * RULES  None: counters alone.
 * LOCKS  The owner's.
 * COST   O(pages up to the threshold + emptied tables).
 * FROM   -
 * NOT    How other processors are told: `page` and `all` do, or `others` once a batch.
 */
#include "pt_impl.h"

static void tlb_fence(const loam_tlb *tlb)
{
    if (tlb->fence != NULL)
        tlb->fence(tlb->ctx);
}

/* How many pages one by one; 0: everything at once. */
static uint32_t tlb_single(const loam_tlb *tlb, const loam_pt_batch *batch)
{
    bool whole = batch->all || tlb->page == NULL || batch->count > tlb->threshold;
    return whole ? 0 : batch->count;
}

static void tlb_forget(loam_tlb *tlb, const loam_pt_batch *batch)
{
    uint32_t count = tlb_single(tlb, batch);
    for (uint32_t i = 0; i < count; i++)
        tlb->page(tlb->ctx, batch->va[i]);
    if (count == 0)
        tlb->all(tlb->ctx);
    tlb->stats.pages += count;
    tlb->stats.fulls += count == 0;
    tlb->stats.batches++;
    if (tlb->others != NULL && tlb->others(tlb->ctx, batch->va, count))
        tlb->stats.told++;
}

void loam_tlb_flush(loam_tlb *tlb, loam_pt *pt, loam_pt_batch *batch)
{
    bool something = batch->all || batch->count != 0;
    if (batch->dirty || something)
        tlb_fence(tlb);
    if (something) {
        tlb_forget(tlb, batch);
        tlb_fence(tlb);
    }
    loam_pt_release(pt, batch);
}
