/* SPDX-License-Identifier: MIT */
/* demo_user.c - the document's work list: user-space allocations and demand paging, on our pages.
 *
 * WHAT   An address space whose frames and tables are pages of our buddy allocator. A program asks
 *        for memory, which costs nothing; what it touches is given page by page.
 *
 * MODEL      map 64 pages       [ . . . . . . . . ]      no page of the buddy allocator
 *            touch three        [ # . . # . . # . ]      three, zeroed
 *            clone, then write  [ # . . # . . # . ]      shared; one copied when it is written
 *
 * RULES  A1 .. of loam_aspace.
 * LOCKS  Those of the units.
 * COST   A page for each page touched, and the tables.
 * FROM   The last lines of the document.
 * NOT    A program: nothing runs at privilege 3 here. Touching is loam_aspace_copy_to, which does
 *        what the page fault of a program does.
 */
#include "loam/aspace.h"
#include "state.h"

enum { USER_PAGES = 64, TOUCHED = 3 };

static void clear_frame(void *ctx, loam_pfn pfn)
{
    (void)ctx;
    __builtin_memset(hh_at(loam_pfn_to_pa(pfn).v), 0, HH_PAGE_SIZE);
}

static void copy_frame(void *ctx, loam_pfn to, loam_pfn from)
{
    (void)ctx;
    __builtin_memcpy(hh_at(loam_pfn_to_pa(to).v), hh_at(loam_pfn_to_pa(from).v), HH_PAGE_SIZE);
}

static unsigned char *open_frame(void *ctx, loam_pfn pfn)
{
    (void)ctx;
    return loam_pfn_is_none(pfn) ? NULL : hh_at(loam_pfn_to_pa(pfn).v);
}

static void *unit_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return loam_kmalloc_calloc(hh_self.small, 1, size);
}

static void unit_free(void *ctx, void *p, size_t size)
{
    (void)ctx;
    (void)size;
    (void)loam_kmalloc_free(hh_self.small, p);
}

/* Everything below the kernel's half is the user's. */
static loam_aspace_world *make_world(loam_zonelist *frames)
{
    loam_aspace_config config = {.format = hh_self.machine->pt->format,
                                 .features = hh_self.machine->pt->features,
                                 .memory = hh_table_memory,
                                 .kernel = hh_self.machine->pt,
                                 .tlb = hh_self.machine->tlb,
                                 .base = 0,
                                 .len = hh_self.machine->kernel.base,
                                 .frames = frames,
                                 .clear = clear_frame,
                                 .copy = copy_frame,
                                 .window = open_frame,
                                 .alloc = unit_alloc,
                                 .free = unit_free};
    return loam_zonelist_add_zone(frames, hh_self.zone) == LOAM_OK ? loam_aspace_world_init(&config)
                                                                   : NULL;
}

static bool touch(loam_aspace *as, uint64_t va, unsigned char value)
{
    return loam_aspace_copy_to(as, va, &value, 1, NULL) == LOAM_FAULT_DONE;
}

/* What a touch of page i answers, in words, and how many pages are there then. */
static bool touch_three(loam_aspace *as, uint64_t at)
{
    loam_aspace_stats stats;
    bool good = true;
    for (uint64_t i = 0; i < TOUCHED; i++)
        good = touch(as, at + i * 20 * HH_PAGE_SIZE, 0x41) && good;
    loam_aspace_stat(as, &stats);
    hh_say("  demand paging: %u pages touched, %U filled on demand, %U there", TOUCHED,
           stats.demand_zero, stats.resident);
    return good && stats.resident == TOUCHED && stats.demand_zero == TOUCHED;
}

static bool write_to_clone(loam_aspace *as, uint64_t at)
{
    loam_aspace_stats stats;
    loam_aspace *child = loam_aspace_clone(as);
    if (child == NULL)
        return false;
    loam_aspace_stat(child, &stats);
    uint64_t shared = stats.shared;
    bool good = touch(child, at, 0x42);
    loam_aspace_stat(child, &stats);
    hh_say("  clone: %U pages shared, %U copied when written", shared, stats.cow_copied);
    loam_aspace_destroy(child);
    return good && shared == TOUCHED && stats.cow_copied == 1;
}

static bool refuse_null(loam_aspace *as)
{
    loam_aspace_verdict verdict = loam_aspace_fault(as, 16, LOAM_ACCESS_WRITE);
    hh_say("  a write to address 0x10: %s", loam_aspace_verdict_text(verdict));
    return verdict == LOAM_FAULT_NULL;
}

static bool use_space(loam_aspace *as)
{
    loam_aspace_stats stats;
    uint64_t at;
    if (loam_aspace_map(as, 0, (uint64_t)USER_PAGES * HH_PAGE_SIZE, LOAM_PT_WRITE, "heap", &at) !=
        LOAM_OK)
        return false;
    loam_aspace_stat(as, &stats);
    hh_say("  user-space allocation: %u pages at 0x%X, %U of them there", USER_PAGES, at,
           stats.resident);
    bool good =
        stats.resident == 0 && touch_three(as, at) && write_to_clone(as, at) && refuse_null(as);
    return good && loam_aspace_check(as) == NULL;
}

int hh_demo_user(void)
{
    loam_zonelist frames = {.count = 0};
    bool good = false;
    hh_say("an address space on our pages:");
    if (hh_kmem_use_slab(true) != 0)
        return 1;
    (void)hh_kmem_use_slab(false);
    uint64_t before = loam_zone_free_pages(hh_self.zone);
    loam_aspace_world *world = make_world(&frames);
    loam_aspace *as = world == NULL ? NULL : loam_aspace_create(world);
    if (as != NULL) {
        good = use_space(as);
        loam_aspace_destroy(as);
    }
    if (world != NULL)
        good = loam_aspace_world_fini(world) == LOAM_OK && good;
    loam_slabs_shrink(hh_self.slabs);
    good = loam_zone_free_pages(hh_self.zone) >= before && good;
    hh_say("  the program's pages are back: %s", good ? "yes, all" : "NO");
    return good ? 0 : 1;
}
