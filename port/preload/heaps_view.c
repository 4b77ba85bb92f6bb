/* SPDX-License-Identifier: MIT */
/* heaps_view.c - named heaps seen from outside: figures, every block, whose address it is.
 *
 * WHAT   What loam/process_heap.h promises of figures, and what reports, the profile, a fork and
 *        the last look want to know of all heaps.
 * MODEL  One record after the other, each under its own lock; a heap that comes meanwhile may be
 *        missed, one that goes is not met.
 * LOCKS  The table's, to see how many there were; then each record's, one at a time.
 * COST   O(records); of blocks, O(slabs) each.
 * FROM   -
 * NOT    -
 */
#include "heaps.h"

/* What magic leaves of the longest block of frames. */
static uint64_t heap_largest(int order)
{
    uint64_t len = order < 0 ? 0 : (uint64_t)LOAM_PAGE_SIZE << order;
    bool guard = (loam__process.slabs.modes & LOAM_SLAB_GUARD) != 0;
    return len - (guard && len != 0 ? SLAB_GUARD_LEAD + SLAB_GUARD_TAIL : 0);
}

/* Lock held. */
static void heap_figures(const heap_record *h, loam_process_heap_stats *stats)
{
    loam_zone_stats z;
    loam_kmalloc_stats k;
    loam_zone_stat(h->zone, &z);
    loam_kmalloc_stat(h->kmalloc, &k);
    *stats = (loam_process_heap_stats){
        .limit = h->limit,
        .used = k.used_bytes,
        .blocks = k.used_blocks,
        .free = z.free << LOAM_PAGE_SHIFT,
        .low_water = z.low_water << LOAM_PAGE_SHIFT,
        .largest = heap_largest(z.largest),
        .metadata = h->meta_len,
        .failures = k.failures,
        .refusals = k.refusals,
    };
    __builtin_memcpy(stats->name, h->name, sizeof(stats->name));
}

PRELOAD_EXPORT loam_err loam_process_heap_stat(loam_process_heap heap,
                                               loam_process_heap_stats *stats)
{
    heap_stay stay;
    heap_record *h = heap_enter(heap, &stay, __builtin_return_address(0));
    if (h == NULL)
        return LOAM_EINVAL;
    heap_figures(h, stats);
    heap_leave(&stay);
    return LOAM_OK;
}

/* The heap in a slot, or all 0. */
static loam_process_heap heap_at(uint32_t slot)
{
    heap_record *h = &loam__heaps.record[slot];
    loam_irq irq = loam_lock_acquire(&h->lock);
    loam_process_heap heap = {slot, h->kmalloc != NULL ? h->generation : 0};
    loam_lock_release(&h->lock, irq);
    return heap;
}

static uint32_t heap_slots(void)
{
    loam_irq irq = loam_lock_acquire(&loam__heaps.lock);
    uint32_t n = loam__heaps.records;
    loam_lock_release(&loam__heaps.lock, irq);
    return n;
}

PRELOAD_EXPORT void loam_process_heap_each(loam_process_heap_fn *fn, void *ctx)
{
    uint32_t n = heap_slots();
    for (uint32_t i = 0; i < n; i++) {
        loam_process_heap_stats stats;
        loam_process_heap heap = heap_at(i);
        if (heap.generation == 0 || loam_process_heap_stat(heap, &stats) != LOAM_OK)
            continue;
        if (!fn(ctx, heap, &stats))
            return;
    }
}

void heaps_each_block(loam_kmalloc_fn *fn, void *ctx)
{
    uint32_t n = heap_slots();
    for (uint32_t i = 0; i < n; i++) {
        heap_record *h = &loam__heaps.record[i];
        loam_irq irq = loam_lock_acquire(&h->lock);
        if (h->kmalloc != NULL)
            loam_kmalloc_each(h->kmalloc, fn, ctx);
        loam_lock_release(&h->lock, irq);
    }
}

void heaps_each_kmalloc(void (*fn)(loam_kmalloc *k))
{
    uint32_t n = last_look_is_stuck(&loam__heaps.lock) ? 0 : heap_slots();
    for (uint32_t i = 0; i < n; i++) {
        heap_record *h = &loam__heaps.record[i];
        if (last_look_is_stuck(&h->lock))
            continue;
        loam_irq irq = loam_lock_acquire(&h->lock);
        if (h->kmalloc != NULL)
            fn(h->kmalloc);
        loam_lock_release(&h->lock, irq);
    }
}

const char *heaps_name_of(const void *p)
{
    const char *name = NULL;
    uint32_t n = heap_slots();
    for (uint32_t i = 0; i < n && name == NULL; i++) {
        heap_record *h = &loam__heaps.record[i];
        loam_irq irq = loam_lock_acquire(&h->lock);
        if (h->kmalloc != NULL && (uintptr_t)p - (uintptr_t)h->base < h->limit)
            name = h->name;
        loam_lock_release(&h->lock, irq);
    }
    return name;
}
