/* SPDX-License-Identifier: MIT */
/* aspace_clone_test.c - address spaces by example: clones, copies, rules. */
#include "aspace_start.h"

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

TAP_SUITE(aspace_clone_test, cases);
