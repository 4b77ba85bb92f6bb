/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_PAGING_H
#define LOAM_KERN_PAGING_H

/* paging.h - the kernel's own page tables, in place of the start code's. Boards say where things
 * go, and when (board_paging). */
#include "loam/pt.h"
#include "loam/vmap.h"

enum { PAGING_WINDOWS = 2 };

/* Where a board wants things; all multiples of what a root entry spans, except the image's parts.
 */
typedef struct paging_layout {
    uint64_t vmap_base, vmap_end; /* at most so much */
    uint64_t vmap_step;           /* what a root entry spans */
    uint64_t window;              /* PAGING_WINDOWS pages, in a root entry of their own; 0: none */
    loam_span low;                /* physical: mapped although it is not all RAM (BIOS, video) */
    const loam_span *device;      /* physical, whole pages: registers needed from the switch on */
    size_t device_count;
} paging_layout;

/* Makes the final tables of direct map and image, before there are zones, and switches to them:
 * where the boot tables do not reach all RAM. Tables are early memory of the boot map below
 * `reached`, where the boot tables do. layout has to stay. Panics when there is no memory. */
void paging_early(const paging_layout *layout, uint64_t reached);

/* The same from frames of kern_this.mapped, unless paging_early did; then all the rest, and gives
 * the boot tables' frames back (len 0: they stay). Guard pages are those below the stacks that are
 * known by then (stacks.h). Panics when there is no memory for it. Uses
 * kern_this.pt, .tlb. */
void paging_init(const paging_layout *layout, loam_span boot_tables);

/* Maps a device's registers at their place of the direct map, not cached, for good, after
 * paging_init; [pa, pa + len) is no RAM. NULL: no memory, or out of reach. */
void *paging_map_device(loam_pa pa, uint64_t len);

/* Makes kern_this.vmap, and gives it to kmalloc for large blocks. */
void paging_vmap(void);

/* Maps memory for the unit tests, [from, to), all 0, or takes it away again. false: not enough. */
bool paging_tests_memory(const char *from, const char *to, bool wanted);

/* A frame of any zone as bytes, for a moment: until the same slot is opened again. slot below
 * PAGING_WINDOWS; the layout has to have a window. LOAM_NO_FRAME closes it, and answers NULL. Not
 * from interrupts. */
unsigned char *paging_window(unsigned slot, loam_pfn pfn);
/* Contents of frames through windows; ctx is not used (loam_aspace_config, loam_vmap_config). */
void paging_clear_frame(void *ctx, loam_pfn pfn);
void paging_copy_frame(void *ctx, loam_pfn to, loam_pfn from);

/* "a guard page of vmap's area at ...", for fault messages; NULL: nothing to say. */
const char *paging_note(uint64_t va) __attribute__((weak));

/* Where page tables come from: frames that have an address. For other roots, too. */
extern const loam_pt_memory paging_memory;

/* A loam_tlb's `others`, by interrupts; for processors whose flush reaches themselves alone. */
bool paging_tell_others(void *ctx, const uint64_t *va, uint32_t count);

/* ---- the processor's side: arch/<cpu>/ ---- */

const loam_pt_format *arch_pt_format(unsigned *features);
/* "4 MiB pages; read-only holds for the kernel; execution cannot be refused" */
void arch_paging_describe(loam_text *t);
/* Loads the root for good, with all that the features need. */
void arch_paging_begin(loam_pa root);
/* Calls fn with every page of the tables under a root, the root first. */
void arch_each_table(loam_pa root, void (*fn)(loam_pa table));
/* How this processor flushes, and up to how many pages one by one: measured. */
void arch_tlb_init(loam_tlb *tlb);
/* What it is called: "invlpg"; and with all, by what everything is forgotten: "CR3". */
const char *arch_tlb_word(bool all);

#endif
