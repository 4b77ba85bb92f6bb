/* SPDX-License-Identifier: MIT */
/* demo.c - what one can see once kmain is through, and the document's work list.
 *
 * WHAT   The buddy allocator drawn; 5 KiB by buddy and by slab, with the waste of both; frames that
 *        are scattered, behind one another; the flushes that mapping costs; a header written over;
 *        pages for a user program, on demand.
 *
 * MODEL      free memory --each part allocates, shows, frees--> free memory, the same
 *
 * RULES  Memory is as it was: the same free blocks at the same addresses.
 * LOCKS  None.
 * COST   The lines.
 * FROM   The document: its example of waste, its work list.
 * NOT    A benchmark.
 */
#include "state.h"

enum { FIVE = 5 * 1024, OBJECTS = 10, SCATTER = 8, LARGE_PAGES = 256 };

static int wrong(const char *what)
{
    hh_say("[!] demo: %s", what);
    return 1;
}

static bool mix_block(void *ctx, uint64_t pfn, unsigned order)
{
    uint64_t *mix = ctx;
    *mix = (*mix ^ (pfn << 6 | order)) * 0x100000001b3ULL;
    return true;
}

/* Every free block's place and order in one number: odd factors lose nothing. */
static uint64_t fingerprint(void)
{
    uint64_t mix = 1;
    loam_zone_each_free(hh_self.zone, HH_MAX_ORDER, mix_block, &mix);
    return mix;
}

/* ---- waste ---- */

/* Bytes as KiB with one decimal: "3.0 KiB". */
static void say_kib(loam_text *t, size_t bytes)
{
    size_t tenths = (bytes * 10 + 512) / 1024;
    loam_text_fmt(t, "%U.%U KiB", (uint64_t)(tenths / 10), (uint64_t)(tenths % 10));
}

static void say_waste(const char *by, size_t taken)
{
    char buf[HH_LINE / 2];
    loam_text text;
    loam_text_init(&text, buf, sizeof(buf));
    loam_text_fmt(&text, "%U pages, wasted of each block: ", (uint64_t)taken >> HH_PAGE_SHIFT);
    say_kib(&text, (taken - (size_t)OBJECTS * FIVE) / OBJECTS);
    hh_say("  %s: %s", by, buf);
}

/* Ten blocks of 5 KiB; what of the buddy allocator's memory they take. */
static int waste_of_kmalloc(const char *by)
{
    void *block[OBJECTS];
    size_t before = hh_buddy_get_free_memory();
    bool good = true;
    for (size_t i = 0; i < OBJECTS; i++)
        good = (block[i] = hh_kmalloc(FIVE)) != NULL && good;
    if (good)
        say_waste(by, before - hh_buddy_get_free_memory());
    for (size_t i = 0; i < OBJECTS; i++)
        hh_kfree(block[i]);
    return good ? 0 : wrong("no memory for ten blocks of 5 KiB");
}

static int waste_of_buddy(void)
{
    uintptr_t block[OBJECTS];
    size_t before = hh_buddy_get_free_memory();
    bool good = true;
    for (size_t i = 0; i < OBJECTS; i++)
        good = (block[i] = (uintptr_t)hh_buddy_alloc(1)) != 0 && good;
    if (good)
        say_waste("buddy, order 1", before - hh_buddy_get_free_memory());
    for (size_t i = 0; i < OBJECTS; i++)
        if (block[i] != 0)
            hh_buddy_dealloc(block[i], 1);
    return good ? 0 : wrong("no memory for ten blocks of order 1");
}

/* The slab's own records are taken before: they serve every size. */
static int waste_of_slab(void)
{
    if (hh_kmem_use_slab(true) != 0)
        return 1;
    void *warm = hh_kmalloc(16);
    int bad = waste_of_kmalloc("kmalloc on the slab");
    hh_kfree(warm);
    (void)hh_kmem_use_slab(false);
    loam_slabs_shrink(hh_self.slabs);
    return bad;
}

static int demo_waste(void)
{
    hh_say("ten blocks of 5 KiB:");
    int bad = waste_of_buddy() + waste_of_kmalloc("kmalloc, page by page");
    return bad + waste_of_slab();
}

/* ---- scattered frames, and what mapping costs ---- */

/* Eight pages with a page of somebody else between any two of them. */
static int demo_scatter(void)
{
    uintptr_t page[2 * SCATTER];
    loam_pt_entry entry;
    bool good = true;
    for (size_t i = 0; i < 2 * (size_t)SCATTER; i++)
        good = (page[i] = (uintptr_t)hh_buddy_alloc(0)) != 0 && good;
    for (size_t i = 0; i < 2 * (size_t)SCATTER; i += 2)
        hh_buddy_dealloc(page[i], 0);
    unsigned char *p = hh_kmalloc((size_t)SCATTER * HH_PAGE_SIZE - HH_HEADER);
    if (p != NULL) {
        char buf[HH_LINE / 2];
        loam_text text;
        loam_text_init(&text, buf, sizeof(buf));
        for (size_t i = 0; i < SCATTER; i++)
            if (loam_pt_query(hh_self.machine->pt, (uintptr_t)p - HH_HEADER + i * HH_PAGE_SIZE,
                              &entry))
                loam_text_fmt(&text, " %X", entry.pa.v >> HH_PAGE_SHIFT);
        hh_say("kmalloc of %u pages, one block at %p, of the frames%s", SCATTER, (void *)p, buf);
    }
    hh_kfree(p);
    for (size_t i = 1; i < 2 * (size_t)SCATTER; i += 2)
        hh_buddy_dealloc(page[i], 0);
    return good && p != NULL ? 0 : wrong("no memory for scattered pages");
}

static void tlb_counts(loam_tlb_stats *tlb)
{
    loam_vmap_stats stats;
    loam_vmap_stat(hh_self.machine->vmap, &stats);
    *tlb = stats.tlb;
}

static void say_flushes(const char *what, const loam_tlb_stats *from, const loam_tlb_stats *to)
{
    hh_say("  %s %u pages: %U flushes of one page, %U of the whole TLB", what, LARGE_PAGES,
           to->pages - from->pages, to->fulls - from->fulls);
}

static int demo_flushes(void)
{
    loam_tlb_stats before, mapped, freed;
    hh_say("the TLB, when kmalloc maps many pages:");
    tlb_counts(&before);
    void *p = hh_kmalloc((size_t)LARGE_PAGES * HH_PAGE_SIZE - HH_HEADER);
    tlb_counts(&mapped);
    hh_kfree(p);
    tlb_counts(&freed);
    if (p == NULL)
        return wrong("no memory for a large block");
    say_flushes("map", &before, &mapped);
    say_flushes("unmap", &mapped, &freed);
    return freed.fulls - before.fulls <= 2 ? 0 : wrong("a flush for each page");
}

/* ---- a header written over ---- */

static int demo_header(void)
{
    unsigned char *p = hh_kmalloc(100);
    uintptr_t at = 0;
    if (p == NULL)
        return wrong("no memory for 100 bytes");
    hh_block_header_t *header = (hh_block_header_t *)((uintptr_t)p - HH_HEADER);
    header->magic &= 0xffffff; /* the byte next to the block */
    const char *rule = hh_check_at(&at);
    hh_say("a byte written in front of the block at %p: check finds, at 0x%X:", (void *)p,
           (uint64_t)at);
    hh_say("  %s", rule == NULL ? "nothing" : rule);
    header->magic = HH_MAGIC;
    bool good = rule != NULL && at == (uintptr_t)p && hh_check() == NULL;
    hh_kfree(p);
    return good ? 0 : wrong("the write was not found");
}

int hh_demo(void)
{
    if (hh_self.machine == NULL || !hh_self.has_kmem)
        return wrong("kmain did not run");
    /* The slab layer, once made, stays until hh_leave: before the first look. */
    if (hh_kmem_use_slab(true) != 0 || hh_kmem_use_slab(false) != 0)
        return wrong("no memory for the slab");
    uint64_t before = fingerprint();
    hh_buddy_visualize();
    int bad = demo_waste() + demo_scatter() + demo_flushes() + demo_header();
    bad += hh_demo_user();
    const char *rule = hh_check();
    if (rule != NULL)
        bad += wrong(rule);
    hh_buddy_visualize();
    if (fingerprint() != before)
        bad += wrong("the free blocks differ from those before");
    hh_say("higherhalf: %s", bad == 0 ? "every step went well, memory is as it was" : "FAILED");
    return bad;
}
