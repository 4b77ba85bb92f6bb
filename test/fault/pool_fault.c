/* SPDX-License-Identifier: MIT */
/* pool_fault.c - a pool when the zone below refuses.
 *
 * A fixed script runs again and again; in run n the n-th request to the zone fails (and in a second
 * round every later one, too). A refused call changes nothing, and in the end nothing is lost. */
#include "loam/pool.h"
#include "object_machine.h"
#include "tap_host.h"

enum { LIVE = 400, ROUNDS = 2000 };

static objects o;
static loam_pool pool;
static unsigned char *live[LIVE];

static void get(tap *t, unsigned i, size_t size)
{
    loam_pool_stats before, after;
    loam_pool_stat(&pool, &before);
    live[i] = loam_pool_alloc(&pool, size);
    TAP_RULE(t, loam_pool_check(&pool), NULL);
    if (live[i] != NULL) {
        for (size_t at = 0; at < size; at++)
            live[i][at] = (unsigned char)i;
        return;
    }
    loam_pool_stat(&pool, &after);
    TAP_EQ(t, after.blocks, before.blocks);
    TAP_EQ(t, after.bytes, before.bytes);
    TAP_EQ(t, after.held_bytes, before.held_bytes);
    TAP_EQ(t, after.failures, before.failures + 1);
}

static void put(tap *t, unsigned i)
{
    if (live[i] != NULL)
        TAP_EQ(t, live[i][0], (unsigned char)i);
    TAP_EQ(t, loam_pool_free(&pool, live[i]), LOAM_OK);
    live[i] = NULL;
    TAP_RULE(t, loam_pool_check(&pool), NULL);
}

static void script(tap *t)
{
    unsigned i = 0;
    for (size_t size = 1; size <= 512; size *= 2)
        get(t, i++, size);
    for (size_t size = 1000; size <= 100000; size *= 3)
        get(t, i++, size);
    for (unsigned k = 0; k < i; k += 2)
        put(t, k);
    while (i < LIVE) /* enough chunks for the table to double, and the slabs of chunks to end */
        get(t, i++, 300);
    for (unsigned k = 1; k < LIVE; k += 3)
        put(t, k);
}

/* Runs the script with request n refused; false when it did not come to that. */
static bool run(tap *t, uint64_t n, bool rest)
{
    objects_init(&o, OBJECTS_FRAMES, true);
    TAP_CHECK(t, objects_zone(&o));
    o.slabs = loam_slabs_init(o.zone, &o.config);
    o.k = o.slabs != NULL ? loam_kmalloc_init(o.slabs) : NULL;
    TAP_CHECK(t, o.k != NULL);
    loam_kmalloc_shrink(o.k);
    uint64_t before = objects_free_list(&o);
    TAP_EQ(t, loam_pool_init(&pool, o.k, "script", 0), LOAM_OK);
    o.refuse_rest = rest;
    o.refuse_at = o.asked + n;
    script(t);
    bool hit = o.asked >= o.refuse_at;
    uint64_t out = pool.blocks;
    TAP_EQ(t, loam_pool_fini(&pool, NULL, NULL), out);
    loam_kmalloc_shrink(o.k);
    TAP_RULE(t, loam_kmalloc_check(o.k), NULL);
    TAP_EQ(t, objects_free_list(&o), before);
    return hit;
}

static void run_all(tap *t, bool rest)
{
    uint64_t n = 0;
    while (run(t, ++n, rest) && n < ROUNDS) {
    }
    tap_note(t, "%U requests", n - 1);
    TAP_CHECK(t, n > 5 && n < ROUNDS);
}

static void refused_once(tap *t)
{
    run_all(t, false);
}

static void refused_from_there(tap *t)
{
    run_all(t, true);
}

static const tap_case cases[] = {
    {"fault pool: request n refused, every n: nothing changed, nothing lost", refused_once},
    {"fault pool: request n and all later ones refused, every n", refused_from_there},
};
static const tap_suite suite = {"pool_fault", cases, LOAM_ARRAY_LEN(cases)};

int main(int argc, char **argv)
{
    return tap_host_main(&suite, argc, argv);
}
