/* SPDX-License-Identifier: MIT */
/* kmalloc_fault.c - the object layers when the zone below refuses.
 *
 * A fixed script of calls is run again and again; in run n the n-th request to the zone fails (and
 * in a second round every later one, too), until a run needs fewer than n requests. Whatever is
 * refused must leave blocks, counters and rules as they were; in the end nothing is lost. */
#include "object_machine.h"
#include "tap_host.h"
#include <stdlib.h>
#include <string.h>

enum { LIVE = 40, ROUNDS = 2000 };

static objects o;
static loam_slab_config config; /* of the machines that a case makes */
static unsigned char *live[LIVE];
static size_t live_size[LIVE];
static uint64_t refusals; /* calls of this run that were answered NULL */

static uint64_t free_pages(void)
{
    loam_zone_drain(o.zone);
    return loam_zone_free_pages(o.zone);
}

static void rules(tap *t)
{
    TAP_RULE(t, loam_zone_check(o.zone), NULL);
    if (o.slabs != NULL)
        TAP_RULE(t, loam_slabs_check(o.slabs), NULL);
    if (o.k != NULL)
        TAP_RULE(t, loam_kmalloc_check(o.k), NULL);
}

/* A machine whose zone refuses request n (1, 2, ...) from now on; the layers are not made yet. */
static void machine(tap *t, uint64_t n, bool rest)
{
    objects_init(&o, OBJECTS_FRAMES, true);
    o.config = config;
    TAP_CHECK(t, objects_zone(&o));
    o.refuse_at = n;
    o.refuse_rest = rest;
    memset(live, 0, sizeof live);
    refusals = 0;
}

/* Lets everything through from here on; were there as many requests as the refused one's number? */
static bool reached(void)
{
    bool yes = o.asked >= o.refuse_at;
    o.refuse_at = 0;
    return yes;
}

/* ---- making the layers ---- */

static void make_slabs(tap *t)
{
    uint64_t n = 0;
    loam_slab_config_init(&config);
    do {
        machine(t, ++n, false);
        uint64_t before = objects_free_list(&o);
        o.slabs = loam_slabs_init(o.zone, &o.config);
        rules(t);
        if (o.slabs == NULL)
            TAP_EQ(t, objects_free_list(&o), before);
    } while (reached() && n < ROUNDS);
    TAP_CHECK(t, o.slabs != NULL && n > 1);
}

static void make_kmalloc(tap *t)
{
    uint64_t n = 0;
    loam_slab_config_init(&config);
    do {
        machine(t, 0, false);
        o.slabs = loam_slabs_init(o.zone, &o.config);
        TAP_CHECK(t, o.slabs != NULL);
        uint64_t before = objects_free_list(&o);
        o.refuse_at = o.asked + ++n;
        o.k = loam_kmalloc_init(o.slabs);
        rules(t);
        if (o.k == NULL)
            TAP_EQ(t, objects_free_list(&o), before);
    } while (reached() && n < ROUNDS);
    TAP_CHECK(t, o.k != NULL && n > 1);
}

/* ---- the script ---- */

static unsigned char mark(unsigned i, size_t at)
{
    return (unsigned char)(i * 31 + at + 1);
}

static void fill(unsigned i)
{
    for (size_t at = 0; at < live_size[i]; at++)
        live[i][at] = mark(i, at);
}

static void intact(tap *t, unsigned i, size_t len)
{
    size_t at = 0;
    while (at < len && live[i][at] == mark(i, at))
        at++;
    TAP_EQ(t, at, len);
}

/* A refused call: no block changed, no frame got lost, no rule broke. */
static void was_refused(tap *t, const loam_kmalloc_stats *before, uint64_t free_before)
{
    loam_kmalloc_stats after;
    refusals++;
    loam_kmalloc_stat(o.k, &after);
    TAP_EQ(t, after.used_blocks, before->used_blocks);
    TAP_EQ(t, after.used_bytes, before->used_bytes);
    TAP_EQ(t, after.large_blocks, before->large_blocks);
    TAP_EQ(t, after.failures, before->failures + 1);
    if (free_pages() < free_before) /* what it took for itself it may keep, but not for good */
        loam_kmalloc_shrink(o.k);
    TAP_CHECK(t, free_pages() >= free_before);
    for (unsigned i = 0; i < LIVE; i++)
        if (live[i] != NULL)
            intact(t, i, live_size[i]);
    rules(t);
}

typedef enum kind { ALLOC, CALLOC, ALIGNED, GROW } kind;

static void *call(kind how, unsigned i, size_t size)
{
    switch (how) {
    case ALLOC:
        return loam_kmalloc_alloc(o.k, size);
    case CALLOC:
        return loam_kmalloc_calloc(o.k, 2, size / 2);
    case ALIGNED:
        return loam_kmalloc_aligned(o.k, size, 4096);
    default:
        return loam_kmalloc_realloc(o.k, live[i], size);
    }
}

static void get(tap *t, kind how, unsigned i, size_t size)
{
    loam_kmalloc_stats before;
    uint64_t free_before = free_pages();
    loam_kmalloc_stat(o.k, &before);
    unsigned char *p = call(how, i, size);
    if (p == NULL) {
        was_refused(t, &before, free_before);
        return;
    }
    size_t old = live[i] != NULL ? live_size[i] : 0;
    live[i] = p;
    if (how == GROW)
        intact(t, i, old < size ? old : size);
    live_size[i] = size;
    fill(i);
}

static void put(tap *t, unsigned i)
{
    if (live[i] == NULL)
        return;
    intact(t, i, live_size[i]);
    TAP_EQ(t, loam_kmalloc_free(o.k, live[i]), LOAM_OK);
    live[i] = NULL;
}

static void script(tap *t)
{
    static const size_t sizes[] = {1, 24, 100, 128, 500, 2000, 4096, 8000, 30000, 100000, 300000};
    unsigned i = 0;
    for (size_t k = 0; k < LOAM_ARRAY_LEN(sizes); k++)
        get(t, ALLOC, i++, sizes[k]);
    for (size_t k = 0; k < LOAM_ARRAY_LEN(sizes); k++)
        get(t, k % 2 ? CALLOC : ALIGNED, i++, (sizes[k] + 8) & ~(size_t)1);
    for (unsigned k = 0; k < i; k += 3)
        put(t, k);
    for (unsigned k = 1; k < i; k += 3)
        if (live[k] != NULL)
            get(t, GROW, k, live_size[k] * 3 + 1);
    for (unsigned k = 0; k < 12; k++)
        get(t, ALLOC, i++, 3000); /* more than one slab of a class */
    for (unsigned k = 0; k < LIVE; k++)
        if (k % 5 != 0)
            put(t, k);
    loam_kmalloc_shrink(o.k);
    for (unsigned k = 0; k < 5; k++)
        get(t, GROW, k * 5, 64 + k * 1000);
}

/* Runs the script with request n refused; false when it did not come to that. */
static bool run(tap *t, uint64_t n, bool rest)
{
    machine(t, 0, rest);
    o.slabs = loam_slabs_init(o.zone, &o.config);
    o.k = o.slabs != NULL ? loam_kmalloc_init(o.slabs) : NULL;
    TAP_CHECK(t, o.k != NULL);
    if (o.k == NULL)
        return false;
    loam_kmalloc_shrink(o.k);
    uint64_t before = objects_free_list(&o);
    o.refuse_at = o.asked + n;
    script(t);
    bool hit = reached();
    for (unsigned i = 0; i < LIVE; i++)
        put(t, i);
    loam_kmalloc_shrink(o.k);
    rules(t);
    TAP_EQ(t, objects_free_list(&o), before);
    return hit;
}

static void run_all(tap *t, unsigned modes, bool keep_empty, bool rest)
{
    uint64_t n = 0, refused = 0;
    loam_slab_config_init(&config);
    config.modes = modes;
    config.keep_empty = keep_empty;
    while (run(t, ++n, rest) && n < ROUNDS)
        refused += refusals;
    tap_note(t, "%U requests, %U calls refused", n - 1, refused);
    TAP_CHECK(t, n > 10 && n < ROUNDS && refused > 0);
}

static void script_once(tap *t)
{
    run_all(t, 0, true, false);
}

static void script_rest(tap *t)
{
    run_all(t, 0, true, true);
}

static void script_keep_none(tap *t)
{
    run_all(t, 0, false, true);
}

static void script_guarded(tap *t)
{
    run_all(t, LOAM_SLAB_GUARD | LOAM_SLAB_POISON | LOAM_SLAB_OWNER, true, false);
}

static void script_quarantine(tap *t)
{
    run_all(t, LOAM_SLAB_QUARANTINE | LOAM_SLAB_GUARD | LOAM_SLAB_ZERO, true, true);
}

/* ---- caches ---- */

static unsigned constructed;

static void construct(void *ctx, void *object)
{
    constructed++;
    *(void **)object = ctx;
}

static bool run_cache(tap *t, uint64_t n)
{
    enum { OBJECTS = 200 };
    static void *object[OBJECTS];
    machine(t, 0, false);
    o.slabs = loam_slabs_init(o.zone, &o.config);
    TAP_CHECK(t, o.slabs != NULL);
    uint64_t before = objects_free_list(&o);
    o.refuse_at = o.asked + n;
    loam_cache *cache = loam_cache_create(o.slabs, "things", 1000, 0, construct, &o);
    rules(t);
    for (unsigned i = 0; i < OBJECTS; i++) {
        object[i] = cache != NULL ? loam_cache_alloc(cache) : NULL;
        if (object[i] == NULL)
            rules(t);
        else
            TAP_CHECK(t, *(void **)object[i] == &o);
    }
    bool hit = reached();
    for (unsigned i = 0; i < OBJECTS && cache != NULL; i++)
        TAP_EQ(t, loam_cache_free(cache, object[i]), LOAM_OK);
    if (cache != NULL)
        TAP_EQ(t, loam_cache_destroy(cache), LOAM_OK);
    loam_slabs_shrink(o.slabs);
    rules(t);
    TAP_EQ(t, objects_free_list(&o), before);
    return hit;
}

static void cache_script(tap *t)
{
    uint64_t n = 0;
    loam_slab_config_init(&config);
    config.shift = 14;
    while (run_cache(t, ++n) && n < ROUNDS) {
    }
    TAP_CHECK(t, n > 5 && constructed > 0);
}

/* ---- really without memory ---- */

static void few_frames(tap *t)
{
    unsigned made = 0;
    for (uint64_t frames = 1; frames <= 160; frames++) {
        objects_init(&o, frames, false);
        TAP_CHECK(t, objects_zone(&o));
        uint64_t before = objects_free_list(&o);
        o.slabs = loam_slabs_init(o.zone, &o.config);
        o.k = o.slabs != NULL ? loam_kmalloc_init(o.slabs) : NULL;
        rules(t);
        if (o.k == NULL) {
            if (o.slabs == NULL)
                TAP_EQ(t, objects_free_list(&o), before);
            continue;
        }
        made++;
        loam_kmalloc_shrink(o.k);
        before = objects_free_list(&o);
        memset(live, 0, sizeof live);
        refusals = 0;
        for (unsigned i = 0; i < LIVE; i++)
            get(t, ALLOC, i, 40 + i * 700);
        TAP_CHECK(t, refusals > 0 || frames > 64);
        for (unsigned i = 0; i < LIVE; i++)
            put(t, i);
        loam_kmalloc_shrink(o.k);
        TAP_EQ(t, objects_free_list(&o), before);
        rules(t);
    }
    TAP_CHECK(t, made > 100 && made < 160);
}

/* ---- the zone's own calls ---- */

static void zone_refuses(tap *t)
{
    loam_pfn out[64];
    machine(t, 1, true);
    uint64_t before = objects_free_list(&o);
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(o.zone, 0, 0)));
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc(o.zone, 9, LOAM_ZONE_ATOMIC)));
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc_exact(o.zone, 5, 0)));
    TAP_CHECK(t, loam_pfn_is_none(loam_zone_alloc_range(o.zone, 0, loam_pfn_of(0x40000),
                                                        loam_pfn_of(0x40100), 0)));
    TAP_EQ(t, loam_zone_alloc_bulk(o.zone, 0, 0, out, 64), 0);
    TAP_EQ(t, loam_zone_alloc_at(o.zone, loam_pfn_of(0x40010), 3, 0), LOAM_EBUSY);
    TAP_EQ(t, objects_free_list(&o), before);
    rules(t);
    o.refuse_at = o.asked + 10;
    size_t got = loam_zone_alloc_bulk(o.zone, 0, 0, out, 64);
    TAP_CHECK(t, got < 64);
    TAP_EQ(t, loam_zone_free_bulk(o.zone, out, got), got);
    TAP_EQ(t, objects_free_list(&o), before);
    rules(t);
}

static const tap_case cases[] = {
    {"fault slabs_init: request n refused, every n: nothing taken", make_slabs},
    {"fault kmalloc_init: request n refused, every n: nothing taken", make_kmalloc},
    {"fault kmalloc: request n refused, every n: state as before, no leak", script_once},
    {"fault kmalloc: request n and all later ones refused, every n", script_rest},
    {"fault kmalloc: no empty slab kept: the same", script_keep_none},
    {"fault kmalloc: guard, poison, owner: the same", script_guarded},
    {"fault kmalloc: quarantine: the same", script_quarantine},
    {"fault cache: request n refused, every n: constructed objects, no leak", cache_script},
    {"fault kmalloc: 1 to 160 frames: full and empty again", few_frames},
    {"fault zone: refused calls: free list as before", zone_refuses},
};
static const tap_suite suite = {"kmalloc_fault", cases, LOAM_ARRAY_LEN(cases)};

int main(int argc, char **argv)
{
    return tap_host_main(&suite, argc, argv);
}
