/* SPDX-License-Identifier: MIT */
/* paging_vmap.c - the kernel's vmap: its window, its tags, and what it says of an address. Large
 * blocks of kmalloc and other areas lie in it side by side.
 *
 * Every root entry of the window gets a table at boot, so that every root which shares the kernel's
 * half sees later mappings at once. With two levels that is a table for each 4 MiB, and the window
 * grows with the RAM; with four it is one for 512 GiB, and the window is that large.
 *
 *     RAM       16 MiB   64 MiB   >= 160 MiB
 *     window    64 MiB  256 MiB      640 MiB      (4 times the RAM; at least 64 MiB)
 *     tables        16       64          160      (a 64th of the RAM at most, and never more)
 *
 * Less when something huge, an initrd, left few of the frames that tables can be.
 */
#include "board.h"
#include "console.h"
#include "kern.h"
#include "paging.h"
#include "paging_impl.h"

enum {
    WINDOW_LEAST = 64 << 20,
    WINDOW_TO_RAM = 4,
    PAGES_TO_TABLE = 4, /* a table for so many free pages that could be one: a huge initrd */

    /* Tags that need no slab. An area takes at most two (itself, and what is free behind it), the
     * empty window one. */
    BOOT_AREAS = 8, /* areas that can be made although no slab for tags can */
    BOOT_TAGS = 1 + 2 * BOOT_AREAS,
    ROOM = 1024 /* bytes for the vmap itself */
};
_Static_assert(BOOT_TAGS >= 2, "what loam_vmap_init asks for at least");
_Static_assert(BOOT_TAGS * sizeof(loam_range_tag) <= LOAM_PAGE_SIZE,
               "the knot of the boot (paging.c) is cut for less than a page");

static loam_range_tag boot_tag[BOOT_TAGS];
static _Alignas(8) uint64_t room[ROOM / sizeof(uint64_t)];
static loam_cache *tags;
static uint64_t window_len;

static uint64_t mapped_pages(void)
{
    uint64_t pages = 0;
    for (uint32_t i = 0; i < kern_this.mapped.count; i++)
        pages += loam_zone_free_pages(kern_this.mapped.zone[i]);
    return pages;
}

static uint64_t window_of(const paging_layout *layout)
{
    uint64_t step = layout->vmap_step;
    uint64_t most = layout->vmap_end - layout->vmap_base;
    uint64_t tables = mapped_pages() / PAGES_TO_TABLE;
    uint64_t len = (kern_this.sum.total << LOAM_PAGE_SHIFT) * WINDOW_TO_RAM;
    if (len < WINDOW_LEAST)
        len = WINDOW_LEAST;
    if (len > most)
        len = most;
    if (len / step > tables)
        len = tables * step;
    return len < step ? step : loam_align_down(len, step);
}

/* Decided at the first call: free memory changes, the window does not. */
uint64_t paging_vmap_len(const paging_layout *layout)
{
    if (window_len == 0)
        window_len = window_of(layout);
    return window_len;
}

static loam_range_tag *tag_get(void *ctx)
{
    (void)ctx;
    return loam_cache_alloc(tags);
}

static void tag_put(void *ctx, loam_range_tag *tag)
{
    (void)ctx;
    (void)loam_cache_free(tags, tag);
}

static loam_vmap *make(void)
{
    kern *k = &kern_this;
    const paging_layout *layout = paging_layout_used();
    loam_vmap_config config = {
        .base = layout->vmap_base,
        .len = paging_vmap_len(layout),
        .pt = &k->pt,
        .tlb = &k->tlb,
        .frames = &k->zones,
        .tag = boot_tag,
        .tag_count = BOOT_TAGS,
        .source = {NULL, tag_get, tag_put},
    };
    loam_vmap *vmap = loam_vmap_init(room, sizeof(room), &config);
    if (vmap == NULL)
        kpanic("vmap refuses its window");
    klog("vmap: [0x%X, 0x%X), %U MiB", config.base, config.base + config.len, config.len >> 20);
    return vmap;
}

void paging_vmap(void)
{
    kern *k = &kern_this;
    tags = loam_cache_create(k->slabs, "range tags", sizeof(loam_range_tag), 0, NULL, NULL);
    if (tags == NULL)
        kpanic("no memory for the tags of vmap");
    k->vmap = make();
    if (loam_kmalloc_set_vmap(k->kmalloc, k->vmap) != LOAM_OK)
        kpanic("kmalloc refuses its vmap");
}

const char *paging_note(uint64_t va)
{
    static char text[96]; /* one report at a time */
    loam_vmap_area area;
    loam_text t;
    bool guard = false;
    const paging_layout *layout = paging_layout_used();
    if (kern_this.vmap == NULL || va < layout->vmap_base ||
        va - layout->vmap_base >= paging_vmap_len(layout))
        return NULL;
    loam_text_init(&t, text, sizeof(text));
    if (!loam_vmap_find(kern_this.vmap, va, &area, &guard))
        loam_text_str(&t, "in vmap's window, where no area is");
    else
        loam_text_fmt(&t, "%s vmap's area of %U bytes at 0x%X",
                      guard ? "a guard page beside" : "inside", area.wanted, area.va);
    return text;
}
