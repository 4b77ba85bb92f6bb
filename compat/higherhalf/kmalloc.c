/* SPDX-License-Identifier: MIT */
/* kmalloc.c - pages from the buddy allocator, behind one another in the window.
 *
 * WHAT   The document's kmalloc: frames wherever they lie, a free virtual address, a mapping, and a
 *        header in front by which a write over it is detected. Or, with the switch, the slab.
 *
 * MODEL      window   | guard |header|block            |  unused | guard |header|block ...
 *                             '--- page ---'--- page ---'
 *                                   |           |
 *            buddy            [..#......#..............#....]   pages of order 0, any of them
 *
 *            header   { size, magic }: what a write in front of a block meets first is the magic
 *
 * RULES  HH1  the header of a block that is out has the magic 0xDEADBEEF
 *        HH2  the size in it fits the block: to the page, in the window
 *        hh_check_at() tests these, then those of the units below.
 * LOCKS  None of its own; one processor.
 * COST   A page each of zone and vmap; mapping flushes nothing, freeing flushes once.
 * FROM   The document, which flushed the whole TLB for each page it mapped.
 * NOT    A second allocator: addresses are loam_vmap's, frames loam_zone's, small blocks
 *        loam_kmalloc's.
 */
#include "state.h"

static const char *const rule_magic = "HH1 the header of a block has its magic";
static const char *const rule_size = "HH2 the size in a block's header fits the block";

/* ---- where a block lies ---- */

static size_t pages_for(size_t size)
{
    return (size + HH_HEADER + HH_PAGE_SIZE - 1) >> HH_PAGE_SHIFT;
}

static bool is_in_window(uintptr_t va)
{
    return va - hh_self.machine->window.base < hh_self.machine->window.len;
}

/* The window is shared with the kernel around us: an area is ours when its frames are. */
static bool is_ours(const loam_vmap_area *area)
{
    loam_pt_entry entry;
    return (area->flags & LOAM_VMAP_BORROW) != 0 &&
           loam_pt_query(hh_self.machine->pt, area->va, &entry) &&
           loam_zone_order(hh_self.zone, loam_pa_to_pfn(entry.pa)) == 0;
}

/* The room of the block that kmalloc gave as ptr, its header included; 0: no block is there. The
 * slab has reported by then what is wrong. */
static size_t room_of(const void *ptr, const void *caller)
{
    uintptr_t at = (uintptr_t)ptr - HH_HEADER;
    loam_vmap_area area;
    bool guard = false;
    if (!hh_self.has_kmem) {
        hh_refuse("free without kmalloc", NULL, (uintptr_t)ptr, caller);
        return 0;
    }
    if (!is_in_window((uintptr_t)ptr) && hh_self.small != NULL)
        return loam_kmalloc_size(hh_self.small, (const void *)at);
    if (is_in_window((uintptr_t)ptr) && loam_vmap_find(hh_self.machine->vmap, at, &area, &guard) &&
        !guard && area.va == at && is_ours(&area))
        return (size_t)area.size;
    hh_refuse("foreign free", "no block starts there", (uintptr_t)ptr, caller);
    return 0;
}

/* The rule that a header breaks, or NULL. */
static const char *broken_header(const hh_block_header_t *header, size_t room)
{
    if (header->magic != HH_MAGIC)
        return rule_magic;
    if (header->size == 0 || header->size > room - HH_HEADER)
        return rule_size;
    if (is_in_window((uintptr_t)header) && pages_for(header->size) != room >> HH_PAGE_SHIFT)
        return rule_size;
    return NULL;
}

/* The header of a block; NULL after misuse. A broken one stops the machine. */
static hh_block_header_t *header_of(const void *ptr, size_t *room, const void *caller)
{
    *room = room_of(ptr, caller);
    if (*room == 0)
        return NULL;
    hh_block_header_t *header = (hh_block_header_t *)((uintptr_t)ptr - HH_HEADER);
    loam_report report = {.unit = "higherhalf",
                          .what = broken_header(header, *room),
                          .object = "address",
                          .value = (uintptr_t)ptr,
                          .size = *room - HH_HEADER,
                          .caller = caller};
    if (report.what != NULL)
        loam_port_corrupt(&report);
    return header;
}

/* ---- blocks of pages ---- */

static hh_block_header_t *pages_alloc(size_t size)
{
    size_t n = pages_for(size);
    uint64_t va;
    if (size > HH_BLOCK_MAX - HH_HEADER)
        return NULL;
    size_t got = loam_zone_alloc_bulk(hh_self.zone, 0, LOAM_ZONE_NORMAL, hh_self.pfn, n);
    if (got == n && loam_vmap_map(hh_self.machine->vmap, hh_self.pfn, n,
                                  LOAM_PT_WRITE | LOAM_VMAP_BORROW, &va) == LOAM_OK)
        return (hh_block_header_t *)(uintptr_t)va;
    (void)loam_zone_free_bulk(hh_self.zone, hh_self.pfn, got);
    return NULL;
}

static bool note_frame(void *ctx, const loam_pt_entry *entry)
{
    size_t *n = ctx;
    for (uint64_t at = 0; at < entry->len; at += HH_PAGE_SIZE)
        hh_self.pfn[(*n)++] = loam_pa_to_pfn(loam_pa_of(entry->pa.v + at));
    return true;
}

/* The frames are known only to the tables: they are read before the mapping goes. */
static void pages_free(uint64_t va, uint64_t len)
{
    size_t n = 0;
    loam_pt_each(hh_self.machine->pt, va, len, note_frame, &n);
    (void)loam_vmap_free(hh_self.machine->vmap, va);
    (void)loam_zone_free_bulk(hh_self.zone, hh_self.pfn, n);
}

/* ---- the face ---- */

int hh_kmem_init(void)
{
    if (!hh_self.has_pt || hh_self.machine->vmap == NULL) {
        hh_say("[!] kmem_init: no page directory, or no window");
        return -1;
    }
    hh_self.has_kmem = true;
    return 0;
}

static bool make_slab(void)
{
    loam_slab_config config;
    loam_slab_config_init(&config);
    config.shift = 15; /* five blocks of 5 KiB in eight pages */
    if (hh_self.slabs == NULL)
        hh_self.slabs = loam_slabs_init(hh_self.zone, &config);
    if (hh_self.slabs != NULL && hh_self.small == NULL)
        hh_self.small = loam_kmalloc_init(hh_self.slabs);
    return hh_self.small != NULL;
}

int hh_kmem_use_slab(bool on)
{
    if (on && (!hh_self.has_kmem || !make_slab())) {
        hh_say("[!] kmem_use_slab: %s", hh_self.has_kmem ? "no memory" : "no kmalloc");
        return -1;
    }
    hh_self.slab_on = on;
    return 0;
}

loam_slabs *hh_slabs(void)
{
    return hh_self.slabs;
}

loam_kmalloc *hh_slab_kmalloc(void)
{
    return hh_self.small;
}

static hh_block_header_t *block_alloc(size_t size)
{
    if (!hh_self.has_kmem || size == 0)
        return NULL;
    if (!hh_self.slab_on)
        return pages_alloc(size);
    return size > HH_BLOCK_MAX - HH_HEADER ? NULL
                                           : loam_kmalloc_alloc(hh_self.small, size + HH_HEADER);
}

void *hh_kmalloc(size_t size)
{
    hh_block_header_t *header = block_alloc(size);
    if (header == NULL) {
        hh_say("[!] kmalloc: no block of %U bytes", (uint64_t)size);
        return NULL;
    }
    header->size = size;
    header->magic = HH_MAGIC;
    return (char *)header + HH_HEADER;
}

void hh_kfree(void *ptr)
{
    size_t room;
    if (ptr == NULL)
        return;
    hh_block_header_t *header = header_of(ptr, &room, __builtin_return_address(0));
    if (header == NULL)
        return;
    header->magic = 0; /* a second look at this memory is no block */
    if (is_in_window((uintptr_t)ptr))
        pages_free((uintptr_t)header, room);
    else
        (void)loam_kmalloc_free(hh_self.small, header);
}

size_t hh_ksize(const void *ptr)
{
    size_t room;
    if (ptr == NULL)
        return 0;
    const hh_block_header_t *header = header_of(ptr, &room, __builtin_return_address(0));
    return header == NULL ? 0 : header->size;
}

/* ---- all blocks ---- */

typedef struct visit {
    hh_block_fn *fn;
    void *ctx;
    bool stopped;
} visit;

static bool visit_area(void *ctx, const loam_vmap_area *area)
{
    visit *v = ctx;
    if (is_ours(area))
        v->stopped =
            !v->fn(v->ctx, (const hh_block_header_t *)(uintptr_t)area->va, (size_t)area->size);
    return !v->stopped;
}

static bool visit_small(void *ctx, void *p, size_t size, const char *cache, const void *site)
{
    visit *v = ctx;
    (void)cache;
    (void)site;
    v->stopped = !v->fn(v->ctx, p, size);
    return !v->stopped;
}

void hh_kmem_each(hh_block_fn *fn, void *ctx)
{
    visit v = {fn, ctx, false};
    if (hh_self.has_kmem)
        loam_vmap_each(hh_self.machine->vmap, visit_area, &v);
    if (hh_self.small != NULL && !v.stopped)
        loam_kmalloc_each(hh_self.small, visit_small, &v);
}

static bool is_small(void *ctx, const hh_block_header_t *header, size_t room)
{
    (void)room;
    *(size_t *)ctx += !is_in_window((uintptr_t)header);
    return true;
}

static bool first_in_window(void *ctx, const hh_block_header_t *header, size_t room)
{
    if (!is_in_window((uintptr_t)header))
        return false;
    *(loam_span *)ctx = (loam_span){(uintptr_t)header, room};
    return false;
}

/* Blocks of the slab go with its zone; those of the window have to be unmapped. */
size_t hh_kmem_leave(void)
{
    size_t left = 0;
    hh_kmem_each(is_small, &left);
    while (hh_self.has_kmem) {
        loam_span block = {0, 0};
        hh_kmem_each(first_in_window, &block);
        if (block.len == 0)
            break;
        pages_free(block.base, block.len);
        left++;
    }
    hh_self.has_kmem = false;
    return left;
}

/* ---- rules ---- */

typedef struct finding {
    const char *rule;
    uintptr_t at;
} finding;

static bool judge_block(void *ctx, const hh_block_header_t *header, size_t room)
{
    finding *found = ctx;
    found->rule = broken_header(header, room);
    if (found->rule != NULL)
        found->at = (uintptr_t)header + HH_HEADER;
    return found->rule == NULL;
}

static const char *check_units(void)
{
    const char *rule = hh_self.map.ram.cap != 0 ? loam_memblock_check(&hh_self.map) : NULL;
    if (rule == NULL && hh_self.zone != NULL)
        rule = loam_zone_check(hh_self.zone);
    if (rule == NULL && hh_self.small != NULL)
        rule = loam_kmalloc_check(hh_self.small);
    if (rule == NULL && hh_self.has_pt)
        rule = loam_pt_check(&hh_self.pt);
    if (rule == NULL && hh_self.has_kmem)
        rule = loam_vmap_check(hh_self.machine->vmap);
    return rule;
}

const char *hh_check_at(uintptr_t *at)
{
    finding found = {NULL, 0};
    hh_kmem_each(judge_block, &found);
    if (at != NULL)
        *at = found.at;
    return found.rule != NULL ? found.rule : check_units();
}

const char *hh_check(void)
{
    return hh_check_at(NULL);
}
