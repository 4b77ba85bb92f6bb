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
 *                    only new pages  -> fence: what was not there was not remembered
 *
 * RULES  None: counters alone.
 * LOCKS  The owner's.
 * COST   O(pages up to the threshold + emptied tables).
 * FROM   -
 * NOT    Other processors: `page` and `all` tell them, where there are some.
 */
#include "pt_impl.h"

static void tlb_fence(const loam_tlb *tlb)
{
    if (tlb->fence != NULL)
        tlb->fence(tlb->ctx);
}

void loam_tlb_flush(loam_tlb *tlb, loam_pt *pt, loam_pt_batch *batch)
{
    bool something = batch->all || batch->count != 0;
    if (batch->dirty || something)
        tlb_fence(tlb);
    if (something) {
        if (batch->all || tlb->page == NULL || batch->count > tlb->threshold) {
            tlb->all(tlb->ctx);
            tlb->stats.fulls++;
        } else {
            for (uint32_t i = 0; i < batch->count; i++)
                tlb->page(tlb->ctx, batch->va[i]);
            tlb->stats.pages += batch->count;
        }
        tlb->stats.batches++;
        tlb_fence(tlb);
    }
    loam_pt_release(pt, batch);
}
