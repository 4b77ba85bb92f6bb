/* SPDX-License-Identifier: MIT */
/* page_tables.c - which frames are page tables: the root, and what its entries name. */
#include "board.h"
#include "paging.h"

enum { ENTRIES = 1024, PRESENT = 1 << 0, LARGE = 1 << 7 };

void arch_each_table(loam_pa root, void (*fn)(loam_pa table))
{
    const uint32_t *entry = virt_of(root);
    fn(root);
    for (unsigned i = 0; i < ENTRIES; i++)
        if ((entry[i] & (PRESENT | LARGE)) == PRESENT)
            fn(loam_pa_of(loam_align_down(entry[i], LOAM_PAGE_SIZE)));
}
