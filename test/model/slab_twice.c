/* SPDX-License-Identifier: MIT */
/* slab_twice.c - several processors over one object layer: each free that is wrong, and where it is
 * refused. */
#include "slab_told.h"

static const char late[] = "double free, found when processors met";

static void twice_by_one_other(tap *t)
{
    cpus_start(t, 2, 512, "shift=14");
    loam_cache *c = things(t, 64);
    void *p = loam_cache_alloc(c);
    CPUS_ON(1);
    TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
    REFUSED(t, 1, "double free", TAP_EQ(t, loam_cache_free(c, p), LOAM_EINVAL));
    TAP_CHECK(t, t->report.value == (uintptr_t)p && t->report.caller != NULL);
    TAP_STR(t, t->report.name, "things");
    serve(1); /* told, not taken: the remote word says so */
    REFUSED(t, 1, late, (loam_cache_free(c, p), serve(1)));
    serve(0);
    REFUSED(t, 1, late, (loam_cache_free(c, p), serve(1)));
    serve(0);
    TAP_EQ(t, used(c), 0);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

static void twice_by_two_others(tap *t)
{
    cpus_start(t, 3, 512, "shift=14");
    loam_cache *c = things(t, 64);
    void *p = loam_cache_alloc(c), *q = loam_cache_alloc(c);
    CPUS_ON(1);
    TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
    CPUS_ON(2);
    TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
    serve(1);
    REFUSED(t, 1, late, serve(2));
    TAP_CHECK(t, t->report.value == (uintptr_t)p);
    REFUSED(t, 0, late, serve(0));
    TAP_EQ(t, used(c), 1);
    CPUS_ON(0);
    TAP_EQ(t, loam_cache_free(c, q), LOAM_OK);
}

/* The owner's free and another's, in both orders. */
static void twice_with_the_owner(tap *t)
{
    cpus_start(t, 2, 512, "shift=14");
    loam_cache *c = things(t, 64);
    void *p = loam_cache_alloc(c), *q = loam_cache_alloc(c), *r = loam_cache_alloc(c);
    TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
    CPUS_ON(1);
    TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
    REFUSED(t, 1, late, serve(1)); /* the free word says so */
    TAP_EQ(t, loam_cache_free(c, q), LOAM_OK);
    TAP_EQ(t, loam_cache_free(c, r), LOAM_OK);
    serve(1);
    CPUS_ON(0);
    TAP_EQ(t, loam_cache_free(c, q), LOAM_OK); /* the owner does not look at remote words */
    REFUSED(t, 1, late, serve(0));
    TAP_CHECK(t, t->report.value == (uintptr_t)q);
    TAP_EQ(t, used(c), 0);
}

/* Given out in between: that free is believed. It is what the contract excepts. */
static void twice_and_reused(tap *t)
{
    cpus_start(t, 2, 512, "shift=14");
    loam_cache *c = things(t, 64);
    void *p = loam_cache_alloc(c), *q = loam_cache_alloc(c);
    TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
    CPUS_ON(1);
    TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
    CPUS_ON(0);
    TAP_CHECK(t, loam_cache_alloc(c) == p);
    REFUSED(t, 0, late, serve(1));
    REFUSED(t, 0, late, serve(0));
    TAP_EQ(t, loam_cache_free(c, q), LOAM_OK);
}

/* The slab went back to the zone, or another came to its place, before the second free is told. */
static void twice_and_gone(tap *t)
{
    cpus_start(t, 2, 512, "shift=12,keep_empty=no");
    loam_cache *c = things(t, 64), *d = things(t, 1024);
    for (unsigned turn = 0; turn < 2; turn++) {
        void *p = loam_cache_alloc(c);
        CPUS_ON(1);
        TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
        CPUS_ON(0);
        TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
        TAP_EQ(t, slabs(c), 0);
        void *q = turn != 0 ? loam_cache_alloc(d) : NULL;
        TAP_CHECK(t, q == NULL || q == p);
        REFUSED(t, 1, late, serve(1));
        TAP_STR(t, t->report.state, "slab that went back");
        TAP_EQ(t, loam_cache_free(d, q), LOAM_OK);
    }
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

static void twice_hardened(tap *t)
{
    cpus_start(t, 3, 512, "shift=14,hardened");
    loam_cache *c = things(t, 64);
    void *p = loam_cache_alloc(c);
    CPUS_ON(1);
    TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
    TAP_EQ(t, used(c), 0); /* told at once */
    for (unsigned i = 0; i < 4; i++) {
        CPUS_ON(i);
        REFUSED(t, 1, "double free", TAP_EQ(t, loam_cache_free(c, p), LOAM_EINVAL));
    }
    serve(0);
    for (unsigned i = 0; i < 4; i++) {
        CPUS_ON(i);
        REFUSED(t, 1, "double free", TAP_EQ(t, loam_cache_free(c, p), LOAM_EINVAL));
    }
    CPUS_ON(0);
    TAP_CHECK(t, loam_cache_alloc(c) == p);
    TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
    CPUS_ON(2);
    REFUSED(t, 1, "double free", TAP_EQ(t, loam_cache_free(c, p), LOAM_EINVAL));
}

static void twice_with_modes(tap *t)
{
    static const char *const modes[] = {"guard", "poison", "quarantine", "zero", "random", "owner"};
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(modes); i++) {
        cpus_start(t, 2, 1024, modes[i]);
        void *p = loam_kmalloc_alloc(cpus.k, 100), *q = loam_kmalloc_alloc(cpus.k, 100);
        CPUS_ON(1);
        TAP_EQ(t, loam_kmalloc_free(cpus.k, p), LOAM_OK);
        REFUSED(t, 1, "double free", TAP_EQ(t, loam_kmalloc_free(cpus.k, p), LOAM_EINVAL));
        CPUS_ON(0);
        REFUSED(t, 1, "double free", TAP_EQ(t, loam_kmalloc_free(cpus.k, p), LOAM_EINVAL));
        TAP_EQ(t, loam_kmalloc_free(cpus.k, q), LOAM_OK);
    }
}

/* Other mistakes are refused on any processor as on the owner's. */
static void wrong_elsewhere(tap *t)
{
    cpus_start(t, 2, 512, "shift=14");
    loam_cache *c = things(t, 96), *d = things(t, 64);
    unsigned char *p = loam_cache_alloc(c);
    CPUS_ON(1);
    REFUSED(t, 1, "misaligned free", TAP_EQ(t, loam_cache_free(c, p + 1), LOAM_EINVAL));
    REFUSED(t, 1, "inner free", TAP_EQ(t, loam_cache_free(c, p + 48), LOAM_EINVAL));
    REFUSED(t, 1, "free to the wrong cache", TAP_EQ(t, loam_cache_free(d, p), LOAM_EINVAL));
    REFUSED(t, 1, "free to the wrong cache", TAP_EQ(t, loam_kmalloc_free(cpus.k, p), LOAM_EINVAL));
    REFUSED(t, 1, "inner free", TAP_EQ(t, loam_cache_free(c, p + 16320), LOAM_EINVAL));
    REFUSED(t, 1, "foreign free", TAP_EQ(t, loam_cache_free(c, &c), LOAM_EINVAL));
    TAP_EQ(t, loam_cache_free(c, NULL), LOAM_OK);
    TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
}

/* A seal tells multiples of 8 apart, and slack is there whatever lies before it. */
static void beside_hardened(tap *t)
{
    cpus_start(t, 2, 1024, "guard,zero_free,quarantine=16K,random");
    for (unsigned size = 1; size < 300; size += size < 40 ? 1 : 13) {
        unsigned char *p = loam_kmalloc_alloc(cpus.k, size);
        for (unsigned n = 1; n <= 16; n++) {
            unsigned char *at = p + n;
            CPUS_ON(n & 1);
            REFUSED(t, 1, ((uintptr_t)at & 7) != 0 ? "misaligned free" : "inner free",
                    TAP_EQ(t, loam_kmalloc_free(cpus.k, at), LOAM_EINVAL));
        }
        TAP_EQ(t, loam_kmalloc_free(cpus.k, p), LOAM_OK);
    }
}

static const tap_case cases[] = {
    {"cache_free: twice by another: refused, told or not", twice_by_one_other},
    {"cache_free: twice by two others: refused when the second tells", twice_by_two_others},
    {"cache_free: by the owner and another: refused when they meet", twice_with_the_owner},
    {"cache_free: twice, given out in between: believed", twice_and_reused},
    {"cache_free: twice, the slab gone meanwhile: refused", twice_and_gone},
    {"cache_free: twice, hardened: refused at once everywhere", twice_hardened},
    {"kmalloc_free: twice, every mode: refused at once everywhere", twice_with_modes},
    {"cache_free elsewhere: what is no block: refused by name", wrong_elsewhere},
    {"kmalloc_free: 1 to 16 bytes behind a block's start, hardened: refused", beside_hardened},
};
TAP_SUITE(slab_twice, cases);

int main(int argc, char **argv)
{
    return cpus_main(&tap_suite_slab_twice, argc, argv);
}
