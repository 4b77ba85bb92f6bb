/* SPDX-License-Identifier: MIT */
#ifndef LOAM_PRELOAD_HEAPS_H
#define LOAM_PRELOAD_HEAPS_H

/* heaps.h - what heaps*.c share: the table of named heaps, and the way into one of them. heaps.c
 * has the theory.
 */
#include "../../core/kmalloc_impl.h"
#include "watch.h"

#include "loam/process_heap.h"

typedef struct heap_record {
    loam_lock lock;
    uint32_t generation;   /* [lock] of the heap here; 0: none was ever */
    bool used;             /* [table] */
    loam_kmalloc *kmalloc; /* [lock] NULL: no heap */
    loam_zone *zone;
    unsigned char *base;
    void *meta;
    size_t limit, meta_len;
    char name[LOAM_PROCESS_HEAP_NAME];
} heap_record;

typedef struct heap_table {
    loam_lock lock;
    uint32_t generations; /* [lock] */
    uint32_t records;     /* [lock] the first so many were used */
    heap_record record[LOAM_PROCESS_HEAPS];
} heap_table;

extern heap_table loam__heaps __attribute__((visibility("hidden")));

/* Tells of a handle that is none. */
void heap_refuse(loam_process_heap heap, const void *caller);

typedef struct heap_stay {
    heap_record *heap;
    unsigned cpu; /* the thread's own */
} heap_stay;

/* The record with its lock, or NULL after a report. */
LOAM_INLINE heap_record *heap_enter(loam_process_heap heap, heap_stay *stay, const void *caller)
{
    heap_record *h = heap.slot < LOAM_PROCESS_HEAPS ? &loam__heaps.record[heap.slot] : NULL;
    if (h != NULL) {
        (void)loam_lock_acquire(&h->lock);
        if (LOAM_LIKELY(h->kmalloc != NULL && h->generation == heap.generation)) {
            *stay = (heap_stay){h, loam_port_cpu()};
            loam_hosted_set_cpu(0); /* the layers' only one */
            return h;
        }
        loam_lock_release(&h->lock, loam_port_irq_save());
    }
    heap_refuse(heap, caller);
    return NULL;
}

LOAM_INLINE void heap_leave(const heap_stay *stay)
{
    loam_hosted_set_cpu(stay->cpu);
    loam_lock_release(&stay->heap->lock, loam_port_irq_save());
}

#endif
