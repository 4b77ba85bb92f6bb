/* SPDX-License-Identifier: MIT */
#ifndef HH_STATE_H
#define HH_STATE_H

/* state.h - what the files of this folder share. */
#define HH_NO_PLAIN_NAMES
#include "higherhalf.h"

enum {
    HH_SPANS = 64,                         /* pieces of the machine's memory */
    HH_HELD = 256,                         /* pieces that memblock gave out */
    HH_BLOCK_PAGES = 1 << HH_MAX_ORDER,    /* of the largest block of kmalloc */
    HH_HEADER = sizeof(hh_block_header_t), /* 8 on i386, and 16 on 64 bits */
    HH_LINE = 160
};

typedef struct hh_state {
    const hh_machine *machine; /* or NULL */
    loam_memblock map;         /* ram.cap 0: memblock_init was not called */
    loam_span ram[HH_SPANS], held[HH_HELD], early[HH_HELD];

    loam_zone *zone; /* NULL: buddy_init was not called */
    hh_buddy_t buddy;
    struct hh_buddy_node *node; /* of the snapshot; one for each pair of pages, and two */

    loam_pt pt; /* the final page directory */
    bool has_pt;

    bool has_kmem, slab_on;
    loam_slabs *slabs;
    loam_kmalloc *small;
    loam_pfn pfn[HH_BLOCK_PAGES]; /* of the block that is being made or freed */
} hh_state;

extern hh_state hh_self;

/* Where a physical address of our memory can be written. */
static inline void *hh_at(uint64_t pa)
{
    const loam_linear *linear = &hh_self.machine->linear;
    return linear->va + (pa - linear->pa);
}

/* Page tables from pages of the buddy allocator. */
extern const loam_pt_memory hh_table_memory;

/* memblock with any alignment. */
void *hh_memblock_aligned(size_t size, size_t align);

/* A misuse report of this face. */
void hh_refuse(const char *what, const char *state, uintptr_t value, const void *caller);

/* Frees what is out: how many blocks. */
size_t hh_kmem_leave(void);

/* A part of the demo: how many things went wrong. */
int hh_demo_user(void);

#endif
