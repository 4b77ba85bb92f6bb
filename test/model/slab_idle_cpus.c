/* SPDX-License-Identifier: MIT */
/* slab_idle_cpus.c - empty slabs that a front keeps, with several processors: when they go, and
 * what others tell of them. */
#include "slab_told.h"

/* A cache of which processor 0 has three slabs idle, and one that it keeps besides. */
static slab_front *idle_ones(tap *t, unsigned n)
{
    void *p[16];
    cpus_start(t, n, 512, "shift=14,keep_large=2M");
    loam_cache *c = things(t, 4000);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < LOAM_ARRAY_LEN(p); i++)
            p[i] = loam_cache_alloc(c);
        for (unsigned i = 0; i < LOAM_ARRAY_LEN(p); i++)
            TAP_EQ(t, loam_cache_free(c, p[i]), LOAM_OK);
    }
    TAP_EQ(t, slab_own_front(c, 0)->idles, 3);
    TAP_EQ(t, slabs(c), 4);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    return slab_own_front(c, 0);
}

/* Who leaves, rests or is asked has no idle slabs then. */
static void idle_ones_go(tap *t)
{
    slab_front *f = idle_ones(t, 3);
    loam_slabs_offline(cpus.slabs);
    TAP_EQ(t, f->idles, 0);
    TAP_EQ(t, slabs(f->cache), 1);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    f = idle_ones(t, 3);
    TAP_CHECK(t, loam_slabs_rest(cpus.slabs));
    TAP_EQ(t, f->idles, 0);
    TAP_EQ(t, slabs(f->cache), 1);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    f = idle_ones(t, 3);
    CPUS_ON(1);
    loam_slabs_shrink(cpus.slabs); /* asks */
    TAP_EQ(t, f->idles, 3);
    serve(0);
    TAP_EQ(t, f->idles, 0);
    TAP_EQ(t, slabs(f->cache), 0);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

/* Frees that are wrong are told of an idle slab: refused, and it stays; while it is told of it does
 * not go. */
static void idle_one_is_told(tap *t)
{
    slab_front *f = idle_ones(t, 2);
    loam_cache *c = f->cache;
    slab_desc *d = f->idle;
    void *p = d->base;
    CPUS_ON(1);
    (void)loam_cache_free(c, p);
    REFUSED(t, 1, "double free, found when processors met", serve(1));
    TAP_EQ(t, f->idles, 3);
    serve(0);
    TAP_CHECK(t, f->idle == d && f->idles == 3);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    CPUS_ON(0);
    TAP_CHECK(t, loam_slab__pin(d));
    loam_cache_shrink(c);
    TAP_EQ(t, f->idles, 0);
    TAP_EQ(t, slabs(c), 1);
    loam_slab__unpin(cpus.slabs, d);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    serve(0);
    TAP_CHECK(t, f->empty == d);
    TAP_CHECK(t, loam_cache_alloc(c) != NULL);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

/* A slab that became empty by others' frees comes in the place of the one whose word is current. */
static void idle_one_was_current(tap *t)
{
    slab_front *f = idle_ones(t, 2);
    loam_cache *c = f->cache;
    void *p[8];
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(p); i++)
        p[i] = loam_cache_alloc(c);
    TAP_EQ(t, f->idles, 2);
    for (unsigned i = 0; i < 4; i++)
        TAP_EQ(t, loam_cache_free(c, p[i]), LOAM_OK);
    slab_desc *d = desc_of(p[0]);
    TAP_CHECK(t, f->empty == d && slab_current(f) == d);
    CPUS_ON(1);
    for (unsigned i = 4; i < 8; i++)
        TAP_EQ(t, loam_cache_free(c, p[i]), LOAM_OK);
    serve(1);
    serve(0);
    TAP_CHECK(t, f->idle == d && f->idles == 3 && f->empty == desc_of(p[4]));
    TAP_CHECK(t, slab_current(f) == NULL);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

static const tap_case cases[] = {
    {"slabs_offline, slabs_rest, asked: idle slabs go", idle_ones_go},
    {"slab_idle: the current word was in it: there is none then", idle_one_was_current},
    {"slab_idle: others free wrongly: refused, and it stays as it is", idle_one_is_told},
};
TAP_SUITE(slab_idle_cpus, cases);

int main(int argc, char **argv)
{
    return cpus_main(&tap_suite_slab_idle_cpus, argc, argv);
}
