/* SPDX-License-Identifier: MIT */
/* aspace_fault.c - every call of the address spaces when what is below refuses.
 *
 * For each call, each source of memory (frames, tables, the unit's own) and each n: a machine is
 * built in the same way, the n-th request from there on fails (in a second round every later one,
 * too), and the call is made. When it fails, everything is as before: regions, pages, contents,
 * counts, and what is out of each source. Then it is made again, with memory. */
#define GROUND_FRAMES 256
#define GROUND_TABLES 128
#define GROUND_UNIT   (256 * 1024)
#include "aspace_ground.h"
#include "tap_host.h"
#include <stdlib.h>
#include <string.h>

enum {
    PAGE = LOAM_PAGE_SIZE,
    HEAP = 0x3f8000, /* across the edge of a table */
    TEXT = 0x800000,
    TOP = 0x40000000,
    PAGES = 16,
    REQUESTS = 60 /* more than any call makes */
};

static loam_aspace *as, *clone, *made;

/* ---- what can be seen ---- */

typedef struct picture {
    uint64_t hash;
    uint64_t frames, tables, unit;
} picture;

static void mix(uint64_t *hash, const void *data, size_t len)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < len; i++)
        *hash = (*hash ^ p[i]) * 0x100000001b3ULL;
}

static void mix_number(uint64_t *hash, uint64_t v)
{
    mix(hash, &v, sizeof v);
}

static bool mix_region(void *ctx, const loam_aspace_region *region)
{
    mix_number(ctx, region->base);
    mix_number(ctx, region->len);
    mix_number(ctx, region->flags);
    mix_number(ctx, region->resident);
    return true;
}

static bool mix_page(void *ctx, const loam_pt_entry *entry)
{
    mix_number(ctx, entry->va);
    mix_number(ctx, entry->pa.v);
    mix_number(ctx, entry->flags);
    mix(ctx, ground_bytes(loam_pa_to_pfn(entry->pa)), PAGE);
    return true;
}

static void look(picture *p)
{
    loam_aspace *const spaces[] = {as, clone, made};
    *p = (picture){0xcbf29ce484222325ULL, ground_frames_out(), ground.table.out, ground.unit.out};
    for (unsigned i = 0; i < 3; i++) {
        loam_aspace_stats s;
        if (spaces[i] == NULL)
            continue;
        loam_aspace_each(spaces[i], mix_region, &p->hash);
        loam_pt_each(&spaces[i]->pt, PAGE, 0xc0000000U - PAGE, mix_page, &p->hash);
        loam_aspace_stat(spaces[i], &s);
        s.refused = 0;
        mix(&p->hash, &s, sizeof s);
    }
}

/* ---- the calls; true: it was done ---- */

typedef bool call_fn(void);

static bool call_create(void)
{
    made = loam_aspace_create(ground.world);
    return made != NULL;
}

static bool call_clone(void)
{
    made = loam_aspace_clone(as);
    return made != NULL;
}

static bool call_map(void)
{
    uint64_t at;
    return loam_aspace_map(as, 0x20000000, 5 * PAGE, LOAM_PT_WRITE, "new", &at) == LOAM_OK;
}

static bool call_map_anywhere(void)
{
    uint64_t at;
    return loam_aspace_map(as, HEAP, PAGE, 0, "new", &at) == LOAM_OK;
}

static bool call_unmap_middle(void)
{
    return loam_aspace_unmap(as, HEAP + 3 * PAGE, 4 * PAGE) == LOAM_OK;
}

static bool call_unmap_many(void)
{
    return loam_aspace_unmap(as, HEAP + 3 * PAGE, TOP - 8 * PAGE - HEAP) == LOAM_OK;
}

static bool call_protect_middle(void)
{
    return loam_aspace_protect(as, HEAP + 3 * PAGE, 4 * PAGE, LOAM_PT_EXEC) == LOAM_OK;
}

static bool call_fill(void)
{
    return loam_aspace_fault(as, 0x30000000, LOAM_ACCESS_READ) == LOAM_FAULT_DONE;
}

static bool call_grow(void)
{
    return loam_aspace_fault(as, TOP - 12 * PAGE, LOAM_ACCESS_WRITE) == LOAM_FAULT_DONE;
}

static bool call_copy_on_write(void)
{
    return loam_aspace_fault(as, HEAP + 2 * PAGE, LOAM_ACCESS_WRITE) == LOAM_FAULT_DONE;
}

static bool call_copy_to(void)
{
    return loam_aspace_copy_to(as, HEAP + 2 * PAGE, "bytes", 5, NULL) == LOAM_FAULT_DONE;
}

static bool call_copy_from(void)
{
    char bytes[5];
    return loam_aspace_copy_from(as, bytes, 0x30000000, 5, NULL) == LOAM_FAULT_DONE;
}

static bool call_load(void)
{
    return loam_aspace_load(as, TEXT, "code", 4) == LOAM_FAULT_DONE;
}

typedef struct call {
    const char *name;
    call_fn *make;
    unsigned least; /* requests that it makes of frames, tables and unit memory together */
} call;

/* ---- a machine with two spaces that share ---- */

static bool put(uint64_t addr, uint64_t len, unsigned flags)
{
    uint64_t at;
    return loam_aspace_map(as, addr, len, flags | LOAM_ASPACE_FIXED, "region", &at) == LOAM_OK;
}

static void build(tap *t, bool crowded)
{
    loam_pt_entry entry;
    as = clone = made = NULL;
    TAP_CHECK(t, ground_start(&loam_pt_i386));
    as = loam_aspace_create(ground.world);
    TAP_CHECK(t, put(HEAP, PAGES * PAGE, LOAM_PT_WRITE));
    TAP_CHECK(t, put(TEXT, 2 * PAGE, LOAM_PT_EXEC));
    TAP_CHECK(t, put(0x30000000, PAGE, 0));
    TAP_CHECK(t, put(TOP - 32 * PAGE, 32 * PAGE, LOAM_PT_WRITE | LOAM_ASPACE_STACK));
    for (unsigned i = 0; i < PAGES; i++)
        TAP_EQ(t, ground_write(as, HEAP + i * PAGE + i, (unsigned char)(i + 1)), LOAM_FAULT_DONE);
    TAP_EQ(t, ground_write(as, TOP - 1, 5), LOAM_FAULT_DONE);
    TAP_EQ(t, loam_aspace_load(as, TEXT, "text", 4), LOAM_FAULT_DONE);
    clone = loam_aspace_clone(as);
    TAP_CHECK(t, clone != NULL);
    TAP_EQ(t, ground_write(clone, HEAP, 77), LOAM_FAULT_DONE);
    if (!crowded)
        return;
    TAP_CHECK(t,
              loam_pt_query(&as->pt, HEAP + 5 * PAGE, &entry)); /* a clone has to copy this one */
    while (loam_aspace__share(ground.world, loam_pa_to_pfn(entry.pa)) == LOAM_OK) {
    }
}

static void take_apart(tap *t, bool crowded)
{
    loam_pt_entry entry;
    if (crowded && loam_pt_query(&clone->pt, HEAP + 5 * PAGE, &entry))
        for (unsigned i = 1; i < ASPACE_SHARE_MAX; i++)
            loam_aspace__drop(ground.world, loam_pa_to_pfn(entry.pa));
    TAP_RULE(t, loam_aspace_world_check(ground.world), NULL);
    if (made != NULL)
        loam_aspace_destroy(made);
    loam_aspace_destroy(clone);
    loam_aspace_destroy(as);
    TAP_EQ(t, ground_frames_out(), 0);
    TAP_EQ(t, ground.table.out, ground.kernel.tables);
    TAP_EQ(t, loam_aspace_world_fini(ground.world), LOAM_OK);
    TAP_EQ(t, ground.unit.out, 0);
}

/* Was request n of this source, and of this call, reached? */
static bool reached(const ground_source *s)
{
    return s->asked >= s->refuse;
}

/* Makes the call with one refusal. false: it never asked so often. */
static bool refused_once(tap *t, const call *c, ground_source *source, uint64_t n, bool rest,
                         bool crowded)
{
    picture before, after;
    build(t, crowded);
    look(&before);
    ground_refuse(source, n, rest);
    bool done = c->make();
    bool hit = reached(source);
    ground_refuse(source, GROUND_NEVER, false);
    if (!done) {
        look(&after);
        TAP_CHECK(t, hit);
        TAP_EQ(t, after.hash, before.hash);
        TAP_EQ(t, after.frames, before.frames);
        TAP_EQ(t, after.tables, before.tables);
        TAP_EQ(t, after.unit, before.unit);
        if (!crowded)
            TAP_RULE(t, loam_aspace_world_check(ground.world), NULL);
        TAP_CHECK(t, c->make()); /* with memory it is done */
    }
    take_apart(t, crowded);
    return hit;
}

static void refuse_all(tap *t, const call *c, bool crowded)
{
    ground_source *const sources[] = {&ground.frame, &ground.table, &ground.unit};
    unsigned requests = 0;
    for (unsigned s = 0; s < 3; s++)
        for (unsigned rest = 0; rest < 2; rest++) {
            uint64_t n = 1;
            while (n < REQUESTS && refused_once(t, c, sources[s], n, rest != 0, crowded))
                n++;
            TAP_CHECK(t, n < REQUESTS);
            requests += (unsigned)n - 1;
        }
    TAP_CHECK(t, requests >= 2 * c->least);
}

/* The calls of one case, one after the other. */
static void refuse_each(tap *t, const call *calls, size_t count, bool crowded)
{
    for (size_t i = 0; i < count; i++) {
        unsigned failed = t->failed;
        refuse_all(t, &calls[i], crowded);
        if (t->failed != failed)
            tap_note(t, "in: %s", calls[i].name);
    }
}

static void regions(tap *t)
{
    static const call calls[] = {
        {"map, a hint that is free", call_map, 2},
        {"map, a hint that is taken", call_map_anywhere, 2},
        {"unmap, the middle of a region", call_unmap_middle, 4},
        {"unmap, parts of two and all between", call_unmap_many, 4},
        {"protect, the middle of a region", call_protect_middle, 4},
    };
    refuse_each(t, calls, LOAM_ARRAY_LEN(calls), false);
}

static void faults(tap *t)
{
    static const call calls[] = {
        {"first touch, a new table", call_fill, 2},
        {"a stack grows", call_grow, 1},
        {"copy on write", call_copy_on_write, 1},
    };
    refuse_each(t, calls, LOAM_ARRAY_LEN(calls), false);
}

static void copies(tap *t)
{
    static const call calls[] = {
        {"copy_to, a shared page", call_copy_to, 1},
        {"copy_from, a page not present", call_copy_from, 2},
        {"load, a shared page of text", call_load, 1},
    };
    refuse_each(t, calls, LOAM_ARRAY_LEN(calls), false);
}

static void spaces(tap *t)
{
    static const call calls[] = {{"create", call_create, 3}, {"clone", call_clone, 10}};
    refuse_each(t, calls, LOAM_ARRAY_LEN(calls), false);
}

static void full_count(tap *t)
{
    static const call calls[] = {{"clone, one page to copy", call_clone, 11}};
    refuse_each(t, calls, LOAM_ARRAY_LEN(calls), true);
}

static void world_init(tap *t)
{
    ground_source *const sources[] = {&ground.table, &ground.unit};
    for (unsigned s = 0; s < 2; s++)
        for (uint64_t n = 1;; n++) {
            TAP_CHECK(t, ground_prepare(&loam_pt_i386));
            ground_refuse(sources[s], n, false);
            loam_aspace_world *w = loam_aspace_world_init(&ground.config);
            if (w != NULL) {
                TAP_CHECK(t, n > 1);
                TAP_EQ(t, loam_aspace_world_fini(w), LOAM_OK);
                break;
            }
            TAP_EQ(t, ground.unit.out, 0);
            TAP_EQ(t, ground.table.out, ground.kernel.tables);
        }
}

static const tap_case cases[] = {
    {"fault aspace: map, unmap, protect: request n refused, every n: as before", regions},
    {"fault aspace: faults: request n refused, every n: as before", faults},
    {"fault aspace: copies: request n refused, every n: as before", copies},
    {"fault aspace: create, clone: request n refused, every n: as before", spaces},
    {"fault aspace: clone, a count that is full: the same", full_count},
    {"fault aspace: world_init: request n refused, every n: nothing taken", world_init},
};
static const tap_suite suite = {"aspace_fault", cases, LOAM_ARRAY_LEN(cases)};

int main(int argc, char **argv)
{
    return tap_host_main(&suite, argc, argv);
}
