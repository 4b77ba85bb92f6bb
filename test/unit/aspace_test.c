/* SPDX-License-Identifier: MIT */
/* aspace_test.c - address spaces by example: making, regions, faults, stacks. */
#include "aspace_start.h"

/* ---- making ---- */

static void every_format(tap *t)
{
    for (unsigned i = 0; i < FORMATS; i++) {
        begin_with(t, formats[i]);
        TAP_EQ(t, stats_of(as).tables, 1);
        TAP_CHECK(t, loam_aspace_root(as).v != 0);
        TAP_EQ(t, map(HEAP, 10 * PAGE, W), LOAM_OK);
        for (unsigned k = 0; k < 10; k++)
            TAP_EQ(t, ground_write(as, HEAP + k * PAGE + k, (unsigned char)(k + 1)),
                   LOAM_FAULT_DONE);
        loam_aspace *clone = loam_aspace_clone(as);
        TAP_CHECK(t, clone != NULL);
        TAP_EQ(t, ground_write(clone, HEAP + 3, 99), LOAM_FAULT_DONE);
        rules(t);
        for (unsigned k = 0; k < 10; k++)
            TAP_EQ(t, ground_read(as, HEAP + k * PAGE + k), k + 1);
        TAP_EQ(t, ground_read(clone, HEAP + 3), 99);
        TAP_EQ(t, stats_of(as).shared, 9);
        loam_aspace_destroy(clone);
        TAP_EQ(t, stats_of(as).shared, 0);
        TAP_EQ(t, loam_aspace_unmap(as, HEAP + PAGE, 3 * PAGE), LOAM_OK);
        TAP_EQ(t, stats_of(as).resident, 7);
        end(t);
    }
}

static void drop_format(loam_aspace_config *c)
{
    c->format = NULL;
}

static void drop_tlb(loam_aspace_config *c)
{
    c->tlb = NULL;
}

static void drop_frames(loam_aspace_config *c)
{
    c->frames = NULL;
}

static void drop_zones(loam_aspace_config *c)
{
    c->frames->count = 0;
}

static void drop_clear(loam_aspace_config *c)
{
    c->clear = NULL;
}

static void drop_copy(loam_aspace_config *c)
{
    c->copy = NULL;
}

static void drop_window(loam_aspace_config *c)
{
    c->window = NULL;
}

static void drop_alloc(loam_aspace_config *c)
{
    c->alloc = NULL;
}

static void drop_free(loam_aspace_config *c)
{
    c->free = NULL;
}

static void drop_at(loam_aspace_config *c)
{
    c->memory.at = NULL;
}

static void no_length(loam_aspace_config *c)
{
    c->len = 0;
}

static void page_0_alone(loam_aspace_config *c)
{
    c->len = PAGE;
}

static void beyond_the_top(loam_aspace_config *c)
{
    c->base = 0x80000000U;
    c->len = 0x80001000U;
}

static void half_an_entry(loam_aspace_config *c)
{
    c->len -= PAGE;
}

static void part_of_a_page(loam_aspace_config *c)
{
    c->base = 8;
}

static void unknown_feature(loam_aspace_config *c)
{
    c->features = 1U << 30;
}

static void configs_that_cannot_be(tap *t)
{
    static void (*const spoil[])(loam_aspace_config *) = {
        drop_format,    drop_tlb,      drop_frames,    drop_zones,     drop_clear, drop_copy,
        drop_window,    drop_alloc,    drop_free,      drop_at,        no_length,  page_0_alone,
        beyond_the_top, half_an_entry, part_of_a_page, unknown_feature};
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(spoil); i++) {
        TAP_CHECK(t, ground_prepare(&loam_pt_i386));
        spoil[i](&ground.config);
        TAP_CHECK(t, loam_aspace_world_init(&ground.config) == NULL);
        TAP_EQ(t, ground.unit.out, 0);
        TAP_EQ(t, ground.table.out, ground.kernel.tables);
    }
}

/* Without a kernel's root any whole pages can be the window. */
static void window_alone(tap *t)
{
    TAP_CHECK(t, ground_prepare(&loam_pt_i386));
    ground.config.kernel = NULL;
    ground.config.base = 0x3000;
    ground.config.len = 2 * PAGE;
    ground.world = loam_aspace_world_init(&ground.config);
    TAP_CHECK(t, ground.world != NULL);
    as = loam_aspace_create(ground.world);
    TAP_EQ(t, map(0x2000, PAGE, W), LOAM_ERANGE);
    TAP_EQ(t, map(0x3000, 3 * PAGE, W), LOAM_ERANGE);
    TAP_EQ(t, map(0x3000, 2 * PAGE, W), LOAM_OK);
    TAP_EQ(t, look(0x2fff), LOAM_FAULT_KERNEL);
    TAP_EQ(t, look(0x3000), LOAM_FAULT_DONE);
    TAP_EQ(t, look(0x4fff), LOAM_FAULT_DONE);
    TAP_EQ(t, look(0x5000), LOAM_FAULT_KERNEL);
    end(t);
}

/* The kernel's half is in every space, and stays when one goes. */
static void kernel_shared(tap *t)
{
    for (unsigned i = 0; i < FORMATS; i++) {
        loam_pt_entry entry;
        begin_with(t, formats[i]);
        uint64_t kernel = ground_layout_of(formats[i]).kernel;
        TAP_CHECK(t, loam_pt_query(&as->pt, kernel, &entry));
        TAP_EQ(t, entry.pa.v, 0x100000);
        TAP_EQ(t, entry.flags & LOAM_PT_USER, 0);
        TAP_EQ(t, look(kernel), LOAM_FAULT_KERNEL);
        TAP_EQ(t, loam_aspace_world_fini(ground.world), LOAM_EBUSY);
        loam_aspace_destroy(as);
        as = NULL;
        TAP_CHECK(t, loam_pt_query(&ground.kernel, kernel, &entry));
        end(t);
    }
}

/* ---- regions ---- */

static void map_makes_nothing_present(tap *t)
{
    begin(t);
    TAP_EQ(t, map(HEAP, 100 * PAGE, W), LOAM_OK);
    TAP_EQ(t, stats_of(as).resident, 0);
    TAP_EQ(t, stats_of(as).tables, 1);
    TAP_EQ(t, ground_frames_out(), 0);
    TAP_EQ(t, ground.tlb.stats.batches, 0);
    end(t);
}

static void map_places(tap *t)
{
    uint64_t at = 0, second = 0;
    begin(t);
    TAP_EQ(t, loam_aspace_map(as, 0, 1, W, "a", &at), LOAM_OK);
    TAP_EQ(t, at, PAGE); /* never page 0 */
    TAP_EQ(t, loam_aspace_map(as, HEAP, 5000, W, "b", &at), LOAM_OK);
    TAP_EQ(t, at, HEAP);
    TAP_EQ(t, loam_aspace_map(as, HEAP + PAGE, PAGE, W, "c", &second), LOAM_OK);
    TAP_EQ(t, second, 2 * PAGE); /* 5000 bytes are two pages: the hint is taken */
    TAP_EQ(t, loam_aspace_map(as, 0xd0000000U, PAGE, W, "d", &second), LOAM_OK);
    TAP_EQ(t, second, 3 * PAGE); /* a hint outside is no more than a hint */
    loam_aspace_region region;
    TAP_CHECK(t, loam_aspace_find(as, HEAP + 2 * PAGE - 1, &region));
    TAP_EQ(t, region.base, HEAP);
    TAP_EQ(t, region.len, 2 * PAGE);
    TAP_STR(t, region.name, "b");
    TAP_EQ(t, region.flags, W);
    TAP_CHECK(t, !loam_aspace_find(as, HEAP + 2 * PAGE, &region));
    TAP_CHECK(t, !loam_aspace_find(as, 0xd0000000U, &region));
    end(t);
}

static void map_refusals(tap *t)
{
    uint64_t at = 77;
    begin(t);
    TAP_EQ(t, map(HEAP, 2 * PAGE, W), LOAM_OK);
    TAP_EQ(t, map(HEAP + 1, PAGE, W), LOAM_EINVAL);
    TAP_EQ(t, map(HEAP, 0, W), LOAM_EINVAL);
    TAP_EQ(t, map(TEXT, PAGE, 8), LOAM_EINVAL);
    TAP_EQ(t, map(TEXT, PAGE, 1U << 31), LOAM_EINVAL);
    TAP_EQ(t, map(TEXT, PAGE, GUARD | W), LOAM_EINVAL);
    TAP_EQ(t, map(TEXT, PAGE, GUARD | STACK), LOAM_EINVAL);
    TAP_EQ(t, map(TEXT, PAGE, STACK | W), LOAM_EINVAL); /* a guard and nothing else */
    TAP_EQ(t, loam_aspace_map(as, TEXT, PAGE, W, NULL, &at), LOAM_EINVAL);
    TAP_EQ(t, map(HEAP + PAGE, PAGE, W), LOAM_EBUSY);
    TAP_EQ(t, map(HEAP - PAGE, 2 * PAGE, W), LOAM_EBUSY);
    TAP_EQ(t, map(0, PAGE, W), LOAM_ERANGE);
    TAP_EQ(t, map(0xc0000000U, PAGE, W), LOAM_ERANGE);
    TAP_EQ(t, map(0xbffff000U, 2 * PAGE, W), LOAM_ERANGE);
    TAP_EQ(t, map(~0ULL << 12, PAGE, W), LOAM_ERANGE);
    TAP_EQ(t, map(PAGE, ~0ULL, W), LOAM_ERANGE);
    TAP_EQ(t, map(PAGE, ~0ULL << 12, W), LOAM_ERANGE);
    TAP_EQ(t, loam_aspace_map(as, 0, 0xc0000000U, W, "all", &at), LOAM_ENOMEM);
    TAP_EQ(t, loam_aspace_map(as, 0, 1ULL << 40, W, "all", &at), LOAM_ENOMEM);
    TAP_EQ(t, at, 77);
    TAP_EQ(t, stats_of(as).regions, 1);
    end(t);
}

static bool collect(void *ctx, const loam_aspace_region *region)
{
    loam_text *text = ctx;
    loam_text_fmt(text, "%X+%X ", region->base, region->len / PAGE);
    return !text->cut;
}

/* The regions as text: base in hexadecimal, pages. */
static const char *regions(void)
{
    static char buf[160];
    loam_text text;
    loam_text_init(&text, buf, sizeof buf);
    loam_aspace_each(as, collect, &text);
    return buf;
}

static bool first_only(void *ctx, const loam_aspace_region *region)
{
    (void)region;
    ++*(unsigned *)ctx;
    return false;
}

static void unmap_parts(tap *t)
{
    begin(t);
    unsigned seen = 0;
    TAP_EQ(t, map(HEAP, 8 * PAGE, W), LOAM_OK);
    TAP_EQ(t, map(HEAP + 0x10000, 4 * PAGE, W), LOAM_OK);
    for (unsigned i = 0; i < 8; i++)
        TAP_EQ(t, ground_write(as, HEAP + i * PAGE, (unsigned char)(i + 1)), LOAM_FAULT_DONE);
    TAP_EQ(t, ground_write(as, HEAP + 0x10000, 50), LOAM_FAULT_DONE);
    uint64_t batches = ground.tlb.stats.batches;
    TAP_EQ(t, loam_aspace_unmap(as, HEAP + 2 * PAGE, 2 * PAGE), LOAM_OK);
    TAP_EQ(t, ground.tlb.stats.batches, batches + 1); /* one flush for all */
    TAP_STR(t, regions(), "800000+2 804000+4 810000+4 ");
    TAP_EQ(t, stats_of(as).resident, 7);
    TAP_EQ(t, ground_frames_out(), 7);
    TAP_EQ(t, ground_read(as, HEAP + 2 * PAGE), -1);
    TAP_EQ(t, ground_read(as, HEAP + PAGE), 2);
    TAP_EQ(t, ground_read(as, HEAP + 4 * PAGE), 5);
    rules(t);
    TAP_EQ(t, loam_aspace_unmap(as, HEAP + PAGE, 0x10000 + 100),
           LOAM_OK); /* 17 pages: over holes */
    TAP_STR(t, regions(), "800000+1 812000+2 ");
    TAP_EQ(t, ground_frames_out(), 1);
    loam_aspace_each(as, first_only, &seen);
    TAP_EQ(t, seen, 1);
    TAP_EQ(t, loam_aspace_unmap(as, 0, 0xc0000000U), LOAM_OK);
    TAP_STR(t, regions(), "");
    TAP_EQ(t, stats_of(as).tables, 1);
    TAP_EQ(t, loam_aspace_unmap(as, HEAP, PAGE), LOAM_OK); /* a hole */
    TAP_EQ(t, loam_aspace_unmap(as, 0, PAGE), LOAM_OK);
    TAP_EQ(t, loam_aspace_unmap(as, HEAP + 8, PAGE), LOAM_EINVAL);
    TAP_EQ(t, loam_aspace_unmap(as, HEAP, 0), LOAM_EINVAL);
    TAP_EQ(t, loam_aspace_unmap(as, 0xc0000000U, PAGE), LOAM_ERANGE);
    TAP_EQ(t, loam_aspace_unmap(as, HEAP, ~0ULL), LOAM_ERANGE);
    TAP_EQ(t, loam_aspace_unmap(as, HEAP, ~0ULL << 12), LOAM_ERANGE);
    end(t);
}

static void protect_parts(tap *t)
{
    loam_aspace_region region;
    begin(t);
    TAP_EQ(t, map(HEAP, 4 * PAGE, W), LOAM_OK);
    for (unsigned i = 0; i < 3; i++)
        TAP_EQ(t, ground_write(as, HEAP + i * PAGE, 1), LOAM_FAULT_DONE);
    uint64_t batches = ground.tlb.stats.batches;
    TAP_EQ(t, loam_aspace_protect(as, HEAP + PAGE, 2 * PAGE, X), LOAM_OK);
    TAP_EQ(t, ground.tlb.stats.batches, batches + 1);
    TAP_STR(t, regions(), "800000+1 801000+2 803000+1 ");
    TAP_CHECK(t, loam_aspace_find(as, HEAP + PAGE, &region));
    TAP_EQ(t, region.flags, X);
    TAP_EQ(t, region.resident, 2);
    TAP_EQ(t, ground_write(as, HEAP + PAGE, 2), LOAM_FAULT_READ_ONLY);
    TAP_EQ(t, ground_read(as, HEAP + PAGE), 1);
    TAP_EQ(t, ground_write(as, HEAP, 2), LOAM_FAULT_DONE);
    TAP_EQ(t, loam_aspace_protect(as, HEAP, 4 * PAGE, W), LOAM_OK);
    unsigned faults = ground.faults;
    TAP_EQ(t, ground_write(as, HEAP + PAGE, 3), LOAM_FAULT_DONE); /* its own: no fault needed */
    TAP_EQ(t, ground.faults, faults);
    TAP_EQ(t, loam_aspace_protect(as, HEAP, 5 * PAGE, W), LOAM_ENOENT);
    TAP_EQ(t, loam_aspace_protect(as, HEAP - PAGE, 2 * PAGE, W), LOAM_ENOENT);
    TAP_EQ(t, loam_aspace_protect(as, 0, HEAP + PAGE, W), LOAM_ENOENT);
    TAP_EQ(t, loam_aspace_protect(as, HEAP, PAGE, GUARD), LOAM_EINVAL);
    TAP_EQ(t, loam_aspace_protect(as, HEAP + 1, PAGE, W), LOAM_EINVAL);
    TAP_EQ(t, loam_aspace_protect(as, 0xc0000000U, PAGE, W), LOAM_ERANGE);
    TAP_EQ(t, map(HEAP + 4 * PAGE, PAGE, GUARD), LOAM_OK);
    TAP_EQ(t, loam_aspace_protect(as, HEAP + 3 * PAGE, 2 * PAGE, W), LOAM_ENOENT);
    TAP_EQ(t, map(PAGE, PAGE, W), LOAM_OK);
    TAP_EQ(t, loam_aspace_protect(as, 0, 2 * PAGE, 0), LOAM_ENOENT); /* page 0 is no region */
    end(t);
}

/* ---- faults ---- */

static void demand_zero(tap *t)
{
    begin(t);
    TAP_EQ(t, map(HEAP, 4 * PAGE, W), LOAM_OK);
    __builtin_memset(ground_ram, 0x5a, sizeof ground_ram);
    TAP_EQ(t, ground_read(as, HEAP + PAGE + 17), 0);
    TAP_EQ(t, ground_write(as, HEAP + PAGE + 17, 9), LOAM_FAULT_DONE); /* writable at once */
    TAP_EQ(t, ground.faults, 1);
    TAP_EQ(t, ground_read(as, HEAP + PAGE + 17), 9);
    TAP_EQ(t, ground_read(as, HEAP + PAGE + 16), 0);
    loam_aspace_stats s = stats_of(as);
    TAP_EQ(t, s.demand_zero, 1);
    TAP_EQ(t, s.resident, 1);
    TAP_EQ(t, s.refused, 0);
    TAP_EQ(t, s.tables, 2);
    TAP_EQ(t, ground.cleared, 1);
    end(t);
}

static void every_reason(tap *t)
{
    for (unsigned i = 0; i < FORMATS; i++) {
        begin_with(t, formats[i]);
        uint64_t kernel = ground_layout_of(formats[i]).kernel;
        TAP_EQ(t, map(TEXT, PAGE, X), LOAM_OK);
        TAP_EQ(t, map(HEAP, PAGE, W), LOAM_OK);
        TAP_EQ(t, map(HEAP + PAGE, PAGE, GUARD), LOAM_OK);
        TAP_EQ(t, map(TOP - 64 * PAGE, 64 * PAGE, W | STACK), LOAM_OK);
        TAP_EQ(t, look(0), LOAM_FAULT_NULL);
        TAP_EQ(t, look(PAGE - 1), LOAM_FAULT_NULL);
        TAP_EQ(t, look(PAGE), LOAM_FAULT_NOTHING);
        TAP_EQ(t, look(kernel), LOAM_FAULT_KERNEL);
        TAP_EQ(t, look(~0ULL), LOAM_FAULT_KERNEL);
        TAP_EQ(t, look(HEAP + PAGE), LOAM_FAULT_GUARD);
        TAP_EQ(t, look(TOP - 64 * PAGE), LOAM_FAULT_STACK);
        TAP_EQ(t, look(TOP), LOAM_FAULT_NOTHING);
        TAP_EQ(t, loam_aspace_fault(as, TEXT, LOAM_ACCESS_WRITE), LOAM_FAULT_READ_ONLY);
        TAP_EQ(t, loam_aspace_fault(as, HEAP, LOAM_ACCESS_EXEC), LOAM_FAULT_NO_EXEC);
        TAP_EQ(t, loam_aspace_fault(as, TEXT, LOAM_ACCESS_EXEC), LOAM_FAULT_DONE);
        TAP_EQ(t, loam_aspace_fault(as, TEXT, LOAM_ACCESS_WRITE), LOAM_FAULT_READ_ONLY);
        TAP_EQ(t, stats_of(as).refused, 11);
        TAP_EQ(t, stats_of(as).resident, 1);
        end(t);
    }
}

static void reasons_in_words(tap *t)
{
    TAP_STR(t, loam_aspace_verdict_text(LOAM_FAULT_READ_ONLY), "write to read-only memory");
    TAP_STR(t, loam_aspace_verdict_text(LOAM_FAULT_NO_MEMORY), "no memory");
    TAP_STR(t, loam_aspace_verdict_text((loam_aspace_verdict)(LOAM_FAULT_NO_MEMORY + 1)), "?");
    for (unsigned v = 0; v <= LOAM_FAULT_NO_MEMORY; v++)
        TAP_CHECK(t, loam_aspace_verdict_text((loam_aspace_verdict)v)[1] != 0);
}

/* What the tables allow and the processor still refuses: it remembers something older. */
static void stale(tap *t)
{
    begin(t);
    TAP_EQ(t, map(HEAP, PAGE, W), LOAM_OK);
    TAP_EQ(t, ground_write(as, HEAP, 1), LOAM_FAULT_DONE);
    uint64_t pages = ground.tlb.stats.pages;
    TAP_EQ(t, loam_aspace_fault(as, HEAP + 5, LOAM_ACCESS_WRITE), LOAM_FAULT_DONE);
    TAP_EQ(t, ground.tlb.stats.pages, pages + 1);
    TAP_EQ(t, ground.flushed_page, HEAP);
    TAP_EQ(t, stats_of(as).demand_zero, 1);
    TAP_EQ(t, stats_of(as).cow_reused, 0);
    end(t);
}

static void no_memory(tap *t)
{
    begin(t);
    TAP_EQ(t, map(HEAP, 2 * PAGE, W), LOAM_OK);
    ground_refuse(&ground.frame, 1, true);
    TAP_EQ(t, look(HEAP), LOAM_FAULT_NO_MEMORY);
    ground_refuse(&ground.frame, GROUND_NEVER, false);
    ground_refuse(&ground.table, 1, true);
    TAP_EQ(t, look(HEAP), LOAM_FAULT_NO_MEMORY);
    TAP_EQ(t, ground_frames_out(), 0);
    rules(t);
    ground_refuse(&ground.table, GROUND_NEVER, false);
    TAP_EQ(t, look(HEAP), LOAM_FAULT_DONE);
    loam_aspace *clone = loam_aspace_clone(as);
    ground_refuse(&ground.frame, 1, true);
    TAP_EQ(t, ground_write(clone, HEAP, 1), LOAM_FAULT_NO_MEMORY);
    TAP_EQ(t, ground_read(clone, HEAP), 0);
    loam_aspace_destroy(clone);
    end(t);
}

/* ---- stacks ---- */

static void stack_grows(tap *t)
{
    const uint64_t size = 64 * PAGE, floor = TOP - size;
    begin(t);
    TAP_EQ(t, map(floor, size, W | STACK), LOAM_OK);
    TAP_EQ(t, ground_write(as, TOP - 17 * PAGE, 1), LOAM_FAULT_STACK); /* too far at once */
    TAP_EQ(t, ground_write(as, TOP - 1, 1), LOAM_FAULT_DONE);
    TAP_EQ(t, ground_write(as, TOP - 3 * PAGE, 1), LOAM_FAULT_DONE); /* a page left out */
    TAP_EQ(t, ground_write(as, TOP - 2 * PAGE, 1), LOAM_FAULT_DONE);
    TAP_EQ(t, ground_write(as, TOP - 20 * PAGE, 1), LOAM_FAULT_STACK);
    TAP_EQ(t, ground_write(as, TOP - 19 * PAGE, 1), LOAM_FAULT_DONE); /* 64 KiB below */
    TAP_EQ(t, stats_of(as).stack_grown, 4);
    for (uint64_t va = TOP - 20 * PAGE; va > floor; va -= PAGE)
        TAP_EQ(t, ground_write(as, va, 1), LOAM_FAULT_DONE);
    TAP_EQ(t, ground_write(as, floor + PAGE - 1, 1), LOAM_FAULT_STACK); /* the guard */
    TAP_EQ(t, ground_write(as, floor, 1), LOAM_FAULT_STACK);
    TAP_EQ(t, stats_of(as).resident, 63 - 15);
    end(t);
}

/* A part cut off is no guard's neighbour; each part grows from its own lowest page. */
static void stack_cut(tap *t)
{
    const uint64_t size = 32 * PAGE, floor = TOP - size;
    begin(t);
    TAP_EQ(t, map(floor, size, W | STACK), LOAM_OK);
    TAP_EQ(t, ground_write(as, TOP - 1, 1), LOAM_FAULT_DONE);
    TAP_EQ(t, ground_write(as, TOP - 10 * PAGE, 1), LOAM_FAULT_DONE);
    TAP_EQ(t, loam_aspace_protect(as, TOP - 4 * PAGE, 4 * PAGE, W | X), LOAM_OK);
    rules(t);
    TAP_EQ(t, ground_write(as, TOP - 4 * PAGE, 1), LOAM_FAULT_DONE); /* the upper part's lowest */
    TAP_EQ(t, loam_aspace_unmap(as, TOP - 10 * PAGE, PAGE), LOAM_OK);
    rules(t);
    TAP_EQ(t, ground_write(as, TOP - 10 * PAGE, 1), LOAM_FAULT_NOTHING);
    TAP_EQ(t, ground_write(as, TOP - 27 * PAGE, 1), LOAM_FAULT_STACK); /* from its end: too far */
    TAP_EQ(t, ground_write(as, TOP - 26 * PAGE, 1), LOAM_FAULT_DONE);
    TAP_EQ(t, ground_write(as, floor + PAGE, 1), LOAM_FAULT_DONE);
    TAP_EQ(t, ground_write(as, floor, 1), LOAM_FAULT_STACK);
    TAP_EQ(t, loam_aspace_unmap(as, floor, PAGE), LOAM_OK); /* the guard itself */
    rules(t);
    TAP_EQ(t, ground_write(as, floor, 1), LOAM_FAULT_NOTHING);
    end(t);
}

static const tap_case cases[] = {
    {"aspace: each format: faults, clone, unmap: all goes back", every_format},
    {"aspace_world_init: parts that do not fit: NULL, nothing taken", configs_that_cannot_be},
    {"aspace_world_init: a window of two pages: these alone", window_alone},
    {"aspace_create: the kernel's part: shared, left alone", kernel_shared},
    {"aspace_map: a region: nothing is present", map_makes_nothing_present},
    {"aspace_map: hints and places: as near as can be", map_places},
    {"aspace_map: what cannot be: refused, unchanged", map_refusals},
    {"aspace_unmap: parts and holes: cut, frames back, one flush", unmap_parts},
    {"aspace_protect: parts: cut, holes refused", protect_parts},
    {"aspace_fault: first touch: a zeroed frame, counted", demand_zero},
    {"aspace_fault: each reason: answered", every_reason},
    {"aspace_verdict_text: every reason: in words", reasons_in_words},
    {"aspace_fault: a page that is as it should be: flushed", stale},
    {"aspace_fault: no memory: says so, unchanged", no_memory},
    {"aspace_fault: a stack: grows by the gap, to its guard", stack_grows},
    {"aspace_fault: a stack cut: each part by itself", stack_cut},
};

TAP_SUITE(aspace_test, cases);
