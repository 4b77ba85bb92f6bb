/* SPDX-License-Identifier: MIT */
/* buddy_allocator.c - the core page allocator, as names over one zone.
 *
 * WHAT   Blocks of 2^order pages by physical address. The zone underneath keeps free memory only in
 *        bits; the document's lists and bitmap are a picture, painted when somebody asks.
 *
 * MODEL      base                                                        base + size
 *            [zone | nodes | map][page][page][page] ...                            )
 *             by memblock         the zone's frames, never touched while they are free
 *
 *            free_lists[0] -> 0x403000 -> 0x40d000
 *            free_lists[1] -> 0x404000                  refreshed, never consulted
 *            map              1 1 0 1 ...
 *
 * RULES  Z1 .. of loam_zone, B1 .. of loam_buddy.
 * LOCKS  Those of the zone.
 * COST   alloc and dealloc as the zone without fronts; a refresh is O(pages).
 * FROM   The document for the names. There the buddy of a block was found by the block's address,
 *        though base need not be aligned; here the frame number decides, absolutely.
 * NOT    Blocks above 4 MiB: they merge, and are shown and given out as rows of blocks of order 10.
 */
#include "state.h"

enum { MAP_ROW = 64, MAP_ROWS = 8, LIST_SHOWN = 6, LINE_OF_CACHE = 64 };

/* ---- start ---- */

static void zone_config(loam_zone_config *config)
{
    loam_zone_config_init(config);
    config->name = "higherhalf";
    config->fronts = false; /* every view is exact */
    config->lowest = true;
    config->linear = hh_self.machine->linear;
    config->trace_max_order = HH_MAX_ORDER;
}

/* base and size: the whole pages from the lowest to the highest. */
static size_t measure_pages(void)
{
    const loam_span *last = &hh_self.map.ram.span[hh_self.map.ram.count - 1];
    uint64_t lo = loam_align_up(hh_self.map.ram.span[0].base, HH_PAGE_SIZE);
    uint64_t hi = loam_align_down(last->base + last->len, HH_PAGE_SIZE);
    if (lo == 0)
        lo = HH_PAGE_SIZE;
    if (hi <= lo)
        return 0;
    hh_self.buddy.base = (uintptr_t)lo;
    hh_self.buddy.size = (size_t)(hi - lo);
    return hh_self.buddy.size >> HH_PAGE_SHIFT;
}

/* Two neighbours of a pair are never two blocks: half of the pages, and the ends. */
static bool take_picture_memory(size_t npages)
{
    hh_self.node =
        hh_memblock_aligned((npages / 2 + 2) * sizeof(struct hh_buddy_node), LINE_OF_CACHE);
    hh_self.buddy.map_size = (npages + 7) / 8;
    hh_self.buddy.map = hh_memblock_aligned(hh_self.buddy.map_size, LINE_OF_CACHE);
    hh_self.buddy.max_order = HH_MAX_ORDER;
    return hh_self.node != NULL && hh_self.buddy.map != NULL;
}

static const char *start(void)
{
    loam_zone_config config;
    if (hh_self.map.ram.cap == 0 || hh_self.map.handed_over)
        return "memblock is not there";
    zone_config(&config);
    size_t npages = measure_pages();
    uint64_t bytes = loam_zone_measure(hh_self.map.ram.span, hh_self.map.ram.count, &config);
    if (npages == 0 || bytes == 0 || bytes > SIZE_MAX)
        return "no whole page";
    void *mem = hh_memblock_aligned((size_t)bytes, LINE_OF_CACHE);
    if (mem == NULL || !take_picture_memory(npages))
        return "no memory for the allocator itself";
    loam_zone *zone =
        loam_zone_init(mem, bytes, false, hh_self.map.ram.span, hh_self.map.ram.count, &config);
    if (zone == NULL)
        return "the zone refuses this memory";
    loam_err err = loam_memblock_handover(&hh_self.map, loam_zone_add, zone);
    if (err != LOAM_OK)
        return loam_err_name(err);
    if (loam_zone_free_pages(zone) == 0)
        return "nothing is left for blocks";
    hh_self.zone = zone;
    return NULL;
}

int hh_buddy_init(void)
{
    const char *why = start();
    if (why == NULL)
        return 0;
    hh_say("[!] buddy_init: %s", why);
    return -1;
}

loam_zone *hh_zone(void)
{
    return hh_self.zone;
}

/* ---- blocks ---- */

void *hh_buddy_alloc(uint32_t order)
{
    if (hh_self.zone == NULL || order > HH_MAX_ORDER)
        return NULL;
    loam_pfn pfn = loam_zone_alloc(hh_self.zone, order, LOAM_ZONE_NORMAL);
    return loam_pfn_is_none(pfn) ? NULL : (void *)(uintptr_t)loam_pfn_to_pa(pfn).v;
}

void hh_buddy_dealloc(uintptr_t address, uint32_t order)
{
    if (hh_self.zone == NULL)
        hh_refuse("free without a buddy allocator", NULL, address, __builtin_return_address(0));
    else if ((address & (HH_PAGE_SIZE - 1)) != 0)
        hh_refuse("misaligned free", "inside a page", address, __builtin_return_address(0));
    else
        (void)loam_zone_free_order(hh_self.zone, loam_pa_to_pfn(loam_pa_of(address)), order);
}

size_t hh_buddy_get_total_memory(void)
{
    loam_zone_stats stats;
    if (hh_self.zone == NULL)
        return 0;
    loam_zone_stat(hh_self.zone, &stats);
    return (size_t)(stats.frames - stats.reserved - stats.bad) << HH_PAGE_SHIFT;
}

size_t hh_buddy_get_free_memory(void)
{
    return hh_self.zone == NULL ? 0 : (size_t)loam_zone_free_pages(hh_self.zone) << HH_PAGE_SHIFT;
}

/* ---- the picture ---- */

typedef struct painter {
    size_t used;                                  /* nodes */
    struct hh_buddy_node **end[HH_MAX_ORDER + 1]; /* where the next of a list is written */
} painter;

static bool paint_block(void *ctx, uint64_t pfn, unsigned order)
{
    painter *p = ctx;
    struct hh_buddy_node *node = &hh_self.node[p->used++];
    size_t page = (size_t)(pfn - (hh_self.buddy.base >> HH_PAGE_SHIFT));
    *node = (struct hh_buddy_node){NULL, (uintptr_t)pfn << HH_PAGE_SHIFT};
    *p->end[order] = node;
    p->end[order] = &node->next;
    for (size_t i = page; i < page + ((size_t)1 << order); i++)
        hh_self.buddy.map[i / 8] = (uint8_t)(hh_self.buddy.map[i / 8] | 1U << i % 8);
    return true;
}

const hh_buddy_t *hh_buddy_refresh(void)
{
    painter p = {0};
    if (hh_self.zone == NULL)
        return NULL;
    for (unsigned order = 0; order <= HH_MAX_ORDER; order++) {
        hh_self.buddy.free_lists[order] = NULL;
        p.end[order] = &hh_self.buddy.free_lists[order];
    }
    for (size_t i = 0; i < hh_self.buddy.map_size; i++)
        hh_self.buddy.map[i] = 0;
    loam_zone_each_free(hh_self.zone, HH_MAX_ORDER, paint_block, &p);
    return &hh_self.buddy;
}

/* "order  2    16 KiB:    3 free  0x404000 0x40c000 0x414000" */
static void show_list(unsigned order)
{
    char buf[HH_LINE / 2];
    loam_text text;
    size_t count = 0;
    loam_text_init(&text, buf, sizeof(buf));
    for (const struct hh_buddy_node *n = hh_self.buddy.free_lists[order]; n != NULL; n = n->next)
        if (count++ < LIST_SHOWN)
            loam_text_fmt(&text, " 0x%X", (uint64_t)n->address);
    if (count > LIST_SHOWN)
        loam_text_str(&text, " ...");
    hh_say("  order %2u %5u KiB: %4U free%s%s", order, 4U << order, (uint64_t)count,
           count == 0 ? "" : " ", buf);
}

static char cell_of(size_t page, size_t past)
{
    size_t unused = 0, ours = 0;
    uint64_t first = hh_self.buddy.base >> HH_PAGE_SHIFT;
    for (; page < past; page++) {
        loam_frame_state state = loam_zone_state(hh_self.zone, loam_pfn_of(first + page));
        ours += state != LOAM_FRAME_OUTSIDE && state != LOAM_FRAME_RESERVED;
        unused += hh_self.buddy.map[page / 8] >> page % 8 & 1;
    }
    if (ours == 0)
        return '-';
    if (unused == ours)
        return '.';
    return unused == 0 ? '#' : '+';
}

static void show_map(void)
{
    size_t npages = hh_self.buddy.size >> HH_PAGE_SHIFT, cell = 1;
    while (cell * MAP_ROW * MAP_ROWS < npages)
        cell *= 2;
    hh_say("  a character is %U pages: . free, # in use, + both, - not ours", (uint64_t)cell);
    for (size_t page = 0; page < npages;) {
        char row[MAP_ROW + 1];
        size_t start_of = page, n = 0;
        for (; n < MAP_ROW && page < npages; n++, page += cell)
            row[n] = cell_of(page, page + cell < npages ? page + cell : npages);
        row[n] = '\0';
        hh_say("  0x%08X [%s]", (uint64_t)(hh_self.buddy.base + (start_of << HH_PAGE_SHIFT)), row);
    }
}

void hh_buddy_visualize(void)
{
    if (hh_buddy_refresh() == NULL) {
        hh_say("[!] buddy_visualize: no buddy allocator");
        return;
    }
    hh_say("buddy_visualize: [0x%X, 0x%X), %U of %U KiB free", (uint64_t)hh_self.buddy.base,
           (uint64_t)hh_self.buddy.base + hh_self.buddy.size,
           (uint64_t)hh_buddy_get_free_memory() >> 10, (uint64_t)hh_buddy_get_total_memory() >> 10);
    for (unsigned order = 0; order <= HH_MAX_ORDER; order++)
        show_list(order);
    show_map();
}
