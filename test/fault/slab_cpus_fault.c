/* SPDX-License-Identifier: MIT */
/* slab_cpus_fault.c - several processors over one object layer, and a zone that refuses request n,
 * for every n: nothing is lost, and every rule holds after each step. */
#include "slab_cpus.h"

enum { BLOCKS = 60 };

static unsigned char *out[BLOCKS];
static unsigned noes;

static const size_t sizes[] = {64, 24, 700, 4096, 30000, 100, 70000};

static void take(unsigned from, unsigned to, unsigned cpu)
{
    CPUS_ON(cpu);
    for (unsigned i = from; i < to; i++) {
        size_t size = sizes[i % LOAM_ARRAY_LEN(sizes)];
        out[i] = loam_kmalloc_alloc(cpus.k, size);
        noes += out[i] == NULL;
        if (out[i] != NULL)
            memset(out[i], 0x5a, size);
    }
}

static void give(tap *t, unsigned from, unsigned to, unsigned cpu)
{
    CPUS_ON(cpu);
    for (unsigned i = from; i < to; i++) {
        TAP_EQ(t, loam_kmalloc_free(cpus.k, out[i]), LOAM_OK);
        out[i] = NULL;
    }
    TAP_RULE(t, loam_kmalloc_check(cpus.k), NULL);
}

static void script(tap *t)
{
    loam_cache *c = loam_cache_create(cpus.slabs, "things", 200, 0, NULL, NULL);
    void *thing = c != NULL ? loam_cache_alloc(c) : NULL;
    take(0, 20, 0);
    take(20, 40, 1);
    give(t, 0, 10, 1);
    give(t, 20, 30, 0);
    CPUS_ON(1);
    loam_slabs_offline(cpus.slabs);
    TAP_RULE(t, loam_kmalloc_check(cpus.k), NULL);
    take(40, 50, 1);
    take(50, 60, 2);
    give(t, 10, 20, 2);
    CPUS_ON(1);
    if (thing != NULL)
        TAP_EQ(t, loam_cache_free(c, thing), LOAM_OK);
    loam_slabs_online(cpus.slabs);
    take(0, 10, 1);
    give(t, 0, 10, 0);
    give(t, 30, 60, 1);
    CPUS_ON(0);
    cpus.waits = 100;
    if (c != NULL)
        TAP_EQ(t, loam_cache_destroy(c), LOAM_OK);
}

static void refuse_each(tap *t, bool rest, const char *options)
{
    uint64_t n = 1, before = 0;
    noes = 0;
    cpus.refuse_rest = rest;
    for (;; n++) {
        cpus.refuse_at = n;
        cpus.requests = 0;
        cpus_start(t, 3, 1024, options);
        if (cpus.slabs == NULL || cpus.k == NULL) /* refused at the start: nothing is there */
            continue;
        script(t);
        cpus.refuse_at = UINT64_MAX;
        uint64_t after = cpus_free_pages();
        before = before == 0 ? after : before;
        TAP_EQ(t, after, before);
        TAP_RULE(t, loam_kmalloc_check(cpus.k), NULL);
        TAP_RULE(t, loam_zone_check(cpus.zone), NULL);
        if (cpus.requests < n || t->failed != 0)
            break;
    }
    cpus.refuse_at = 0;
    CPUS_ON(0);
    tap_note(t, "%u requests, %u calls refused", (unsigned)n, noes);
    TAP_CHECK(t, !rest || noes > 0); /* one refusal alone is asked away */
}

static void one_request(tap *t)
{
    refuse_each(t, false, "shift=14");
}

static void all_later(tap *t)
{
    refuse_each(t, true, "shift=14");
}

static void all_later_keep_nothing(tap *t)
{
    refuse_each(t, true, "shift=16,keep_empty=no");
}

static void all_later_guarded(tap *t)
{
    refuse_each(t, true, "shift=14,guard,quarantine=16K");
}

static const tap_case cases[] = {
    {"fault slab cpus: request n refused, every n: nothing lost", one_request},
    {"fault slab cpus: request n and all later ones: the same", all_later},
    {"fault slab cpus: no empty slab kept: the same", all_later_keep_nothing},
    {"fault slab cpus: guard, quarantine: the same", all_later_guarded},
};
TAP_SUITE(slab_cpus_fault, cases);

int main(int argc, char **argv)
{
    return cpus_main(&tap_suite_slab_cpus_fault, argc, argv);
}
