/* SPDX-License-Identifier: MIT */
/* aspace_test.c - address spaces by example: regions, faults, clones, copies, refusals, rules. */
#include "aspace_ground.h"
#include "tap.h"

enum {
    PAGE = LOAM_PAGE_SIZE,
    W = LOAM_PT_WRITE,
    X = LOAM_PT_EXEC,
    FIXED = LOAM_ASPACE_FIXED,
    STACK = LOAM_ASPACE_STACK,
    GUARD = LOAM_ASPACE_GUARD,
    TEXT = 0x400000,
    HEAP = 0x800000,
    TOP = 0x40000000 /* where stacks end */
};

static const loam_pt_format *const formats[] = {&loam_pt_i386, &loam_pt_x86_64, &loam_pt_aarch64};
enum { FORMATS = 3 };

static loam_aspace *as;

static void rules(tap *t)
{
    TAP_RULE(t, loam_aspace_world_check(ground.world), NULL);
    TAP_EQ(t, ground.windows, 0);
}

/* A machine with one empty space. */
static void begin_with(tap *t, const loam_pt_format *format)
{
    TAP_CHECK(t, ground_start(format));
    as = loam_aspace_create(ground.world);
    TAP_CHECK(t, as != NULL);
    rules(t);
}

static void begin(tap *t)
{
    begin_with(t, &loam_pt_i386);
}

/* Everything goes back: frames, tables, memory of the unit. */
static void end(tap *t)
{
    rules(t);
    if (as != NULL)
        loam_aspace_destroy(as);
    as = NULL;
    TAP_RULE(t, loam_zone_check(ground.zone), NULL);
    TAP_EQ(t, ground_frames_out(), 0);
    TAP_EQ(t, ground.table.out, ground.kernel.tables);
    TAP_RULE(t, loam_pt_check(&ground.kernel), NULL);
    TAP_EQ(t, loam_aspace_world_fini(ground.world), LOAM_OK);
    TAP_EQ(t, ground.unit.out, 0);
}

static loam_err map(uint64_t addr, uint64_t len, unsigned flags)
{
    uint64_t at = 0;
    loam_err err = loam_aspace_map(as, addr, len, flags | FIXED, "test", &at);
    return err == LOAM_OK && at != addr ? LOAM_ENOENT : err;
}

static loam_aspace_stats stats_of(loam_aspace *space)
{
    loam_aspace_stats stats;
    loam_aspace_stat(space, &stats);
    return stats;
}

static loam_aspace_verdict look(uint64_t va)
{
    return loam_aspace_fault(as, va, LOAM_ACCESS_READ);
}

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

/* ---- clones ---- */

static void clone_shares(tap *t)
{
    begin(t);
    TAP_EQ(t, map(TEXT, PAGE, X), LOAM_OK);
    TAP_EQ(t, map(HEAP, 3 * PAGE, W), LOAM_OK);
    TAP_EQ(t, loam_aspace_load(as, TEXT, "code", 4), LOAM_FAULT_DONE);
    TAP_EQ(t, ground_write(as, HEAP, 1), LOAM_FAULT_DONE);
    TAP_EQ(t, ground_write(as, HEAP + PAGE, 2), LOAM_FAULT_DONE);
    uint64_t frames = ground_frames_out();
    loam_aspace *clone = loam_aspace_clone(as);
    TAP_CHECK(t, clone != NULL);
    rules(t);
    TAP_EQ(t, ground_frames_out(), frames); /* nothing is copied */
    TAP_EQ(t, stats_of(as).shared, 3);
    TAP_EQ(t, stats_of(clone).resident, 3);
    TAP_EQ(t, stats_of(clone).demand_zero, 0);
    TAP_EQ(t, ground_read(clone, TEXT), 'c');
    TAP_EQ(t, ground_write(clone, TEXT, 1), LOAM_FAULT_READ_ONLY);
    TAP_EQ(t, ground_write(as, HEAP, 11), LOAM_FAULT_DONE); /* the parent's write copies */
    TAP_EQ(t, ground_read(clone, HEAP), 1);
    TAP_EQ(t, stats_of(as).cow_copied, 1);
    TAP_EQ(t, ground_write(clone, HEAP, 12), LOAM_FAULT_DONE); /* the last owner keeps it */
    TAP_EQ(t, stats_of(clone).cow_copied, 0);
    TAP_EQ(t, stats_of(clone).cow_reused, 1);
    TAP_EQ(t, ground_read(as, HEAP), 11);
    TAP_EQ(t, ground_frames_out(), frames + 1);
    TAP_EQ(t, ground_write(clone, HEAP + 2 * PAGE, 3), LOAM_FAULT_DONE); /* not shared: new */
    TAP_EQ(t, ground_read(as, HEAP + 2 * PAGE), 0);
    rules(t);
    loam_aspace *third = loam_aspace_clone(clone);
    loam_aspace_destroy(clone);
    rules(t);
    TAP_EQ(t, ground_read(third, HEAP), 12);
    TAP_EQ(t, ground_read(third, HEAP + PAGE), 2);
    loam_aspace_destroy(third);
    TAP_EQ(t, stats_of(as).shared, 0);
    TAP_EQ(t, ground.world->shares.leaves, 0);
    end(t);
}

/* Counts on both sides of a leaf's edge: a leaf for each, given back one by one. */
static void leaves(tap *t)
{
    begin(t);
    TAP_EQ(t, map(HEAP, 130 * PAGE, W), LOAM_OK);
    for (unsigned i = 0; i < 130; i++)
        TAP_EQ(t, ground_write(as, HEAP + i * PAGE, (unsigned char)i), LOAM_FAULT_DONE);
    uint64_t unit = ground.unit.out;
    loam_aspace *clone = loam_aspace_clone(as);
    TAP_CHECK(t, clone != NULL);
    TAP_EQ(t, ground.world->shares.leaves, 2);
    rules(t);
    TAP_EQ(t, loam_aspace_unmap(clone, HEAP, 100 * PAGE), LOAM_OK);
    TAP_EQ(t, loam_aspace_unmap(as, HEAP + 100 * PAGE, 29 * PAGE), LOAM_OK);
    TAP_EQ(t, ground.world->shares.leaves, 1);
    rules(t);
    loam_aspace_destroy(clone);
    TAP_EQ(t, ground.world->shares.leaves, 0);
    TAP_CHECK(t, ground.world->shares.leaf == NULL);
    TAP_EQ(t, stats_of(as).resident, 101);
    TAP_CHECK(t, ground.unit.out <= unit + 512); /* a region cut off, no more */
    end(t);
}

/* The directory reaches as far as it has to, to both sides. */
static void directory(tap *t)
{
    static const uint64_t frames[] = {0x50123, 0x30456, 0x90789, 0x50124, 0};
    begin(t);
    loam_aspace_world *w = ground.world;
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(frames); i++)
        TAP_EQ(t, loam_aspace__share(w, loam_pfn_of(frames[i])), LOAM_OK);
    TAP_EQ(t, w->shares.leaves, 4);
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(frames); i++)
        TAP_EQ(t, loam_aspace__sharers(w, loam_pfn_of(frames[i])), 1);
    TAP_EQ(t, loam_aspace__sharers(w, loam_pfn_of(0x50125)), 0);
    TAP_EQ(t, loam_aspace__sharers(w, loam_pfn_of(~0ULL)), 0);
    TAP_EQ(t, loam_aspace__share(w, loam_pfn_of(1ULL << 51)), LOAM_ENOMEM); /* too far away */
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(frames); i++)
        loam_aspace__drop(w, loam_pfn_of(frames[i]));
    TAP_EQ(t, w->shares.leaves, 0);
    end(t);
}

static void clone_keeps_stack(tap *t)
{
    begin(t);
    TAP_EQ(t, map(TOP - 32 * PAGE, 32 * PAGE, W | STACK), LOAM_OK);
    TAP_EQ(t, map(HEAP, PAGE, GUARD), LOAM_OK);
    TAP_EQ(t, ground_write(as, TOP - 10 * PAGE, 1), LOAM_FAULT_DONE);
    loam_aspace *clone = loam_aspace_clone(as);
    TAP_EQ(t, ground_write(clone, TOP - 27 * PAGE, 1), LOAM_FAULT_STACK);
    TAP_EQ(t, ground_write(clone, TOP - 26 * PAGE, 1), LOAM_FAULT_DONE);
    TAP_EQ(t, ground_write(clone, HEAP, 1), LOAM_FAULT_GUARD);
    rules(t);
    loam_aspace_destroy(clone);
    end(t);
}

/* A right to write that comes later does not reach a frame that others have. */
static void protect_shared(tap *t)
{
    begin(t);
    TAP_EQ(t, map(HEAP, 2 * PAGE, 0), LOAM_OK);
    TAP_EQ(t, loam_aspace_load(as, HEAP, "ab", 2), LOAM_FAULT_DONE);
    loam_aspace *clone = loam_aspace_clone(as);
    TAP_EQ(t, loam_aspace_protect(clone, HEAP, 2 * PAGE, W), LOAM_OK);
    rules(t);
    TAP_EQ(t, ground_write(clone, HEAP, 'x'), LOAM_FAULT_DONE);
    TAP_EQ(t, ground_read(as, HEAP), 'a');
    TAP_EQ(t, stats_of(clone).cow_copied, 1);
    TAP_EQ(t, ground_write(as, HEAP, 'y'), LOAM_FAULT_READ_ONLY);
    loam_aspace_destroy(clone);
    end(t);
}

/* A count that cannot tell one owner more: the next clone has a copy. */
static void count_full(tap *t)
{
    begin(t);
    TAP_EQ(t, map(HEAP, PAGE, W), LOAM_OK);
    TAP_EQ(t, ground_write(as, HEAP, 5), LOAM_FAULT_DONE);
    loam_aspace *second = loam_aspace_clone(as);
    loam_pt_entry entry;
    TAP_CHECK(t, loam_pt_query(&as->pt, HEAP, &entry));
    loam_pfn pfn = loam_pa_to_pfn(entry.pa);
    for (unsigned i = 1; i < ASPACE_SHARE_MAX; i++)
        TAP_EQ(t, loam_aspace__share(ground.world, pfn), LOAM_OK);
    TAP_EQ(t, loam_aspace__share(ground.world, pfn), LOAM_EFULL);
    uint64_t frames = ground_frames_out();
    loam_aspace *third = loam_aspace_clone(as);
    TAP_EQ(t, ground_frames_out(), frames + 1);
    TAP_EQ(t, stats_of(third).shared, 0);
    unsigned faults = ground.faults;
    TAP_EQ(t, ground_write(third, HEAP, 6), LOAM_FAULT_DONE); /* its own from the start */
    TAP_EQ(t, ground.faults, faults);
    TAP_EQ(t, ground_read(as, HEAP), 5);
    for (unsigned i = 1; i < ASPACE_SHARE_MAX; i++)
        loam_aspace__drop(ground.world, pfn);
    rules(t);
    loam_aspace_destroy(second);
    loam_aspace_destroy(third);
    end(t);
}

static void clone_without_memory(tap *t)
{
    begin(t);
    TAP_EQ(t, map(HEAP, 4 * PAGE, W), LOAM_OK);
    TAP_EQ(t, ground_write(as, HEAP, 5), LOAM_FAULT_DONE);
    uint64_t unit = ground.unit.out, tables = ground.table.out;
    for (unsigned n = 1; n < 8; n++) { /* the last two: a leaf and the directory */
        ground_refuse(&ground.unit, n, true);
        TAP_CHECK(t, loam_aspace_clone(as) == NULL);
        ground_refuse(&ground.unit, GROUND_NEVER, false);
        TAP_EQ(t, ground.unit.out, unit);
        TAP_EQ(t, ground.table.out, tables);
        rules(t);
    }
    ground_refuse(&ground.table, 2, true);
    TAP_CHECK(t, loam_aspace_clone(as) == NULL);
    ground_refuse(&ground.table, GROUND_NEVER, false);
    TAP_EQ(t, ground.unit.out, unit);
    unsigned faults = ground.faults;
    TAP_EQ(t, ground_write(as, HEAP, 6), LOAM_FAULT_DONE);
    TAP_EQ(t, ground.faults, faults); /* still writable */
    end(t);
}

/* ---- copies ---- */

static unsigned char buf[3 * PAGE];

static void copy_across_pages(tap *t)
{
    size_t done = 1;
    begin(t);
    TAP_EQ(t, map(HEAP, 3 * PAGE, W), LOAM_OK);
    for (size_t i = 0; i < sizeof buf; i++)
        buf[i] = (unsigned char)(i * 7 + i / 256);
    TAP_EQ(t, loam_aspace_copy_to(as, HEAP + 100, buf, 2 * PAGE, &done), LOAM_FAULT_DONE);
    TAP_EQ(t, done, 2 * PAGE);
    TAP_EQ(t, stats_of(as).demand_zero, 3);
    for (size_t i = 0; i < 2 * PAGE; i += 97)
        TAP_EQ(t, ground_read(as, HEAP + 100 + i), buf[i]);
    __builtin_memset(buf, 0, sizeof buf);
    TAP_EQ(t, loam_aspace_copy_from(as, buf, HEAP, 3 * PAGE, NULL), LOAM_FAULT_DONE);
    TAP_EQ(t, buf[99], 0);
    for (size_t i = 0; i < 2 * PAGE; i += 89)
        TAP_EQ(t, buf[100 + i], (unsigned char)(i * 7 + i / 256));
    TAP_EQ(t, buf[100 + 2 * PAGE], 0);
    TAP_EQ(t, loam_aspace_copy_from(as, buf, 0, 0, &done), LOAM_FAULT_DONE);
    TAP_EQ(t, done, 0);
    end(t);
}

static void copy_refused(tap *t)
{
    size_t done = 0;
    begin(t);
    TAP_EQ(t, map(HEAP, PAGE, W), LOAM_OK);
    TAP_EQ(t, map(HEAP + PAGE, PAGE, X), LOAM_OK);
    TAP_EQ(t, loam_aspace_copy_to(as, HEAP + PAGE - 10, buf, 20, &done), LOAM_FAULT_READ_ONLY);
    TAP_EQ(t, done, 10);
    TAP_EQ(t, loam_aspace_copy_from(as, buf, HEAP + 2 * PAGE - 10, 20, &done), LOAM_FAULT_NOTHING);
    TAP_EQ(t, done, 10);
    TAP_EQ(t, loam_aspace_copy_from(as, buf, 4000, 200, &done), LOAM_FAULT_NULL);
    TAP_EQ(t, loam_aspace_copy_from(as, buf, 0xc0000000U, 1, &done), LOAM_FAULT_KERNEL);
    TAP_EQ(t, loam_aspace_copy_from(as, buf, ~0ULL - 4, 10, &done), LOAM_FAULT_KERNEL);
    TAP_EQ(t, done, 0);
    ground_refuse(&ground.frame, 1, true);
    TAP_EQ(t, map(HEAP + 8 * PAGE, PAGE, W), LOAM_OK);
    TAP_EQ(t, loam_aspace_copy_to(as, HEAP + 8 * PAGE, buf, 1, &done), LOAM_FAULT_NO_MEMORY);
    TAP_EQ(t, stats_of(as).refused, 0); /* no faults of the program */
    end(t);
}

static void copies_own_their_page(tap *t)
{
    begin(t);
    TAP_EQ(t, map(HEAP, PAGE, W), LOAM_OK);
    TAP_EQ(t, map(TEXT, PAGE, X), LOAM_OK);
    TAP_EQ(t, loam_aspace_copy_to(as, HEAP, "one", 3, NULL), LOAM_FAULT_DONE);
    TAP_EQ(t, loam_aspace_load(as, TEXT, "one", 3), LOAM_FAULT_DONE);
    TAP_EQ(t, loam_aspace_load(as, TEXT + 1, "n", 1), LOAM_FAULT_DONE); /* its own: in place */
    loam_aspace *clone = loam_aspace_clone(as);
    TAP_EQ(t, loam_aspace_copy_from(clone, buf, HEAP, 3, NULL), LOAM_FAULT_DONE);
    TAP_EQ(t, stats_of(clone).shared, 2);
    TAP_EQ(t, ground_read(clone, TEXT), 'o'); /* the processor remembers the old frames */
    TAP_EQ(t, ground_read(clone, HEAP), 'o');
    TAP_EQ(t, loam_aspace_copy_to(clone, HEAP, "two", 3, NULL), LOAM_FAULT_DONE);
    TAP_EQ(t, ground_read(clone, HEAP), 't');
    TAP_EQ(t, loam_aspace_load(clone, TEXT, "two", 3), LOAM_FAULT_DONE);
    TAP_EQ(t, ground_read(clone, TEXT), 't');
    TAP_EQ(t, stats_of(clone).shared, 0);
    TAP_EQ(t, ground_read(as, HEAP), 'o');
    TAP_EQ(t, ground_read(as, TEXT), 'o');
    TAP_EQ(t, ground_read(clone, TEXT), 't');
    TAP_EQ(t, ground_write(clone, TEXT, 1), LOAM_FAULT_READ_ONLY);
    TAP_EQ(t, loam_aspace_load(as, 0, "x", 1), LOAM_FAULT_NULL);
    rules(t);
    loam_aspace_destroy(clone);
    end(t);
}

/* ---- rules ---- */

/* A value is changed, the rule is named, and the value put back. */
#define BREAKS(t, place, value, rule)                                                              \
    do {                                                                                           \
        __typeof__(place) breaks_old = (place);                                                    \
        (place) = (value);                                                                         \
        TAP_RULE(t, loam_aspace_world_check(ground.world), rule);                                  \
        (place) = breaks_old;                                                                      \
        TAP_RULE(t, loam_aspace_world_check(ground.world), NULL);                                  \
    } while (0)

static aspace_region *region_at(uint64_t va)
{
    return loam_range_find(&as->range, va)->owner;
}

static void rules_of_regions(tap *t)
{
    begin(t);
    TAP_EQ(t, map(HEAP, 4 * PAGE, W), LOAM_OK);
    TAP_EQ(t, map(TEXT, PAGE, GUARD), LOAM_OK);
    TAP_EQ(t, ground_write(as, HEAP + PAGE, 1), LOAM_FAULT_DONE);
    loam_range_tag *tag = loam_range_find(&as->range, HEAP);
    aspace_region *region = tag->owner;
    BREAKS(t, tag->owner, NULL, "A1");
    BREAKS(t, loam_range_first(&as->range)->owner, region, "A1");
    BREAKS(t, as->regions, 3, "A1");
    BREAKS(t, ground.world->config.base, HEAP, "A2");
    BREAKS(t, ground.world->config.len, HEAP, "A2");
    BREAKS(t, region->name, NULL, "A3");
    BREAKS(t, region->flags, 1U << 30, "A3");
    BREAKS(t, region_at(TEXT)->flags, GUARD | W, "A3");
    BREAKS(t, region->flags, GUARD, "A4");
    BREAKS(t, region->floor, HEAP + 2 * PAGE, "A4");
    BREAKS(t, region->flags, X, "A5");
    BREAKS(t, region->resident, 2, "A6");
    BREAKS(t, as->resident, 2, "A6");
    BREAKS(t, region->low, HEAP, "A7");
    BREAKS(t, as->range.free, 0, "R");
    BREAKS(t, as->pt.tables, 1, "T");
    end(t);
}

static void rules_of_pages(tap *t)
{
    loam_pt_entry entry;
    loam_pt_batch *batch = NULL;
    begin(t);
    batch = &ground.world->batch;
    TAP_EQ(t, map(HEAP, 4 * PAGE, W), LOAM_OK);
    TAP_EQ(t, ground_write(as, HEAP, 1), LOAM_FAULT_DONE);
    TAP_CHECK(t, loam_pt_query(&as->pt, HEAP, &entry));
    loam_pfn pfn = loam_pa_to_pfn(entry.pa);
    TAP_EQ(t, loam_pt_map(&as->pt, TEXT, entry.pa, PAGE, LOAM_PT_USER, batch), LOAM_OK);
    TAP_RULE(t, loam_aspace_check(as), "A4");
    TAP_EQ(t, loam_pt_unmap(&as->pt, TEXT, PAGE, NULL, NULL, batch), LOAM_OK);
    aspace_flush(as);
    TAP_EQ(t, loam_pt_remap(&as->pt, HEAP, pfn, W, batch), LOAM_OK);
    TAP_RULE(t, loam_aspace_check(as), "A5"); /* not the user's */
    TAP_EQ(t, loam_pt_remap(&as->pt, HEAP, loam_pfn_of(pfn.v + 1), LOAM_PT_USER | W, batch),
           LOAM_OK);
    TAP_RULE(t, loam_aspace_check(as), "A8");
    TAP_EQ(t, loam_pt_remap(&as->pt, HEAP, loam_pfn_of(5), LOAM_PT_USER | W, batch), LOAM_OK);
    TAP_RULE(t, loam_aspace_check(as), "A8");
    TAP_EQ(t, loam_pt_remap(&as->pt, HEAP, pfn, LOAM_PT_USER | W, batch), LOAM_OK);
    aspace_flush(as);
    end(t);
}

static void rules_of_counts(tap *t)
{
    loam_pt_entry entry;
    begin(t);
    TAP_EQ(t, map(HEAP, 4 * PAGE, W), LOAM_OK);
    TAP_EQ(t, ground_write(as, HEAP, 1), LOAM_FAULT_DONE);
    loam_aspace *clone = loam_aspace_clone(as);
    TAP_CHECK(t, loam_pt_query(&as->pt, HEAP, &entry));
    loam_pfn pfn = loam_pa_to_pfn(entry.pa);
    aspace_shares *s = &ground.world->shares;
    aspace_leaf *leaf = &s->leaf[(pfn.v >> ASPACE_LEAF_SHIFT) - s->first];
    uint8_t *count = &leaf->count[pfn.v % ASPACE_LEAF];
    BREAKS(t, s->leaves, 0, "A9");
    BREAKS(t, s->leaves, 2, "A9");
    BREAKS(t, leaf->used, 0, "A9");
    BREAKS(t, leaf->used, 2, "A9");
    BREAKS(t, *count, 2, "A10");
    BREAKS(t, ground.world->count, 3, "A10");
    count[1] = 1; /* of a frame that nobody has */
    leaf->used++;
    TAP_RULE(t, loam_aspace_world_check(ground.world), "A10");
    count[1] = 0;
    leaf->used--;
    loam_aspace_destroy(clone);
    TAP_EQ(t, ground_write(as, HEAP, 2), LOAM_FAULT_DONE);
    TAP_EQ(t, loam_aspace__share(ground.world, pfn), LOAM_OK);
    TAP_RULE(t, loam_aspace_check(as), "A5"); /* shared, and writable */
    loam_aspace__drop(ground.world, pfn);
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
    {"aspace_clone: both sides write: copied once, kept once", clone_shares},
    {"aspace_clone: frames on both sides of a leaf's edge: counted", leaves},
    {"aspace: counts of frames far apart: a directory that reaches", directory},
    {"aspace_clone: stack and guard: as they were", clone_keeps_stack},
    {"aspace_protect: a shared page made writable: copied at the write", protect_shared},
    {"aspace_clone: a full count: a copy at once", count_full},
    {"aspace_clone: no memory: nothing has changed", clone_without_memory},
    {"aspace_copy: across pages: as the program would see it", copy_across_pages},
    {"aspace_copy: a bad page: its reason, and how far", copy_refused},
    {"aspace_copy, load: a shared page: copied first", copies_own_their_page},
    {"aspace_check: regions changed: A1 to A7, R, T", rules_of_regions},
    {"aspace_check: pages changed: A4, A5, A8", rules_of_pages},
    {"aspace_world_check: counts changed: A9, A10", rules_of_counts},
};

TAP_SUITE(aspace_test, cases);
