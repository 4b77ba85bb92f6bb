/* SPDX-License-Identifier: MIT */
/* slab_told.c - several processors over one object layer, call by call: what is told when, what is
 * seen of it, and what changes when there is one. */
#include "slab_told.h"
#include "loam/pool.h"

/* ---- frees from elsewhere ---- */

static void told_and_taken(tap *t)
{
    cpus_start(t, 2, 512, "shift=14");
    loam_cache *c = things(t, 64);
    void *p = loam_cache_alloc(c), *q = loam_cache_alloc(c);
    CPUS_ON(1);
    TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
    TAP_EQ(t, used(c), 2); /* gathered */
    serve(1);
    TAP_EQ(t, used(c), 1); /* told */
    TAP_CHECK(t, !slab_slot_is_free(desc_of(p), 0));
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    serve(0);
    TAP_CHECK(t, slab_slot_is_free(desc_of(p), 0)); /* taken */
    CPUS_ON(0);
    TAP_CHECK(t, loam_cache_alloc(c) != q);
    TAP_EQ(t, loam_cache_free(c, q), LOAM_OK);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

/* A word whose frees are complete is told by itself, and the owner looks when it runs dry. */
static void a_whole_word(tap *t)
{
    void *p[128];
    cpus_start(t, 2, 512, "shift=12");
    loam_cache *c = things(t, 32); /* two words of 64 */
    for (unsigned i = 0; i < 128; i++)
        p[i] = loam_cache_alloc(c);
    TAP_EQ(t, slabs(c), 1);
    CPUS_ON(1);
    for (unsigned i = 0; i < 63; i++)
        TAP_EQ(t, loam_cache_free(c, p[i]), LOAM_OK);
    TAP_EQ(t, used(c), 128);
    TAP_EQ(t, loam_cache_free(c, p[63]), LOAM_OK);
    TAP_EQ(t, used(c), 64);
    CPUS_ON(0);
    for (unsigned i = 0; i < 64; i++)
        TAP_CHECK(t, loam_cache_alloc(c) == p[i]); /* no new slab */
    TAP_EQ(t, slabs(c), 1);
    TAP_EQ(t, used(c), 128);
}

/* An entry that needs the place of another tells that one; so much is held, no more. */
static void a_full_table(tap *t)
{
    static void *p[600];
    cpus_start(t, 2, 2048, "shift=12");
    loam_cache *c = things(t, 64); /* one word a slab */
    for (unsigned i = 0; i < 600; i++)
        p[i] = loam_cache_alloc(c);
    CPUS_ON(1);
    unsigned told = 0;
    for (unsigned i = 0; i < 9; i++) {
        TAP_EQ(t, loam_cache_free(c, p[64 * i]), LOAM_OK); /* of as many slabs */
        told = 600 - (unsigned)used(c);
        TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    }
    TAP_CHECK(t, told < 9);
    for (unsigned i = 1; i < 600 && told < 9; i++) {
        if (i % 64 != 0)
            TAP_EQ(t, loam_cache_free(c, p[i]), LOAM_OK);
        told = 600 - (unsigned)used(c);
        TAP_CHECK(t, i < 2 * 4096 / 64); /* two slabs' bytes are held, at most */
    }
}

/* What others freed comes before a word that nobody has used, and a used one before that. */
static void warm_first(tap *t)
{
    void *p[65];
    cpus_start(t, 2, 512, "shift=12");
    loam_cache *c = things(t, 32); /* two words of 64 */
    for (unsigned i = 0; i < 64; i++)
        p[i] = loam_cache_alloc(c);
    CPUS_ON(1);
    TAP_EQ(t, loam_cache_free(c, p[7]), LOAM_OK);
    serve(1);
    CPUS_ON(0);
    TAP_CHECK(t, loam_cache_alloc(c) == p[7]);
    p[64] = loam_cache_alloc(c); /* of the other word */
    TAP_CHECK(t, p[64] == (char *)p[0] + (size_t)64 * 32);
    CPUS_ON(1);
    TAP_EQ(t, loam_cache_free(c, p[9]), LOAM_OK);
    serve(1);
    CPUS_ON(0);
    TAP_CHECK(t, loam_cache_alloc(c) == (char *)p[64] + 32); /* no need to look */
    TAP_EQ(t, slabs(c), 1);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

/* An owner without a slot handles as many of the slabs told as it needs, each of them once. */
static void slab_by_slab(tap *t)
{
    void *p[12];
    cpus_start(t, 2, 512, "shift=12");
    loam_cache *c = things(t, 1000), *other = things(t, 1300); /* four a slab, three */
    for (unsigned i = 0; i < 12; i++)
        p[i] = loam_cache_alloc(c);
    void *q = loam_cache_alloc(other);
    CPUS_ON(1);
    for (unsigned i = 0; i < 12; i += 4)
        TAP_EQ(t, loam_cache_free(c, p[i]), LOAM_OK);
    serve(1);
    CPUS_ON(0);
    const slab_cpu *me = &cpus.slabs->cpu[0];
    void *again = loam_cache_alloc(c);
    TAP_CHECK(t, again == p[0] || again == p[4] || again == p[8]);
    TAP_CHECK(t, me->taken != 0 && me->stack == 0);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    BREAKS(t, cpus.slabs->cpu[0].taken, 0, "S13");
    CPUS_ON(1);
    TAP_EQ(t, loam_cache_free(other, q), LOAM_OK);
    serve(1);
    CPUS_ON(0);
    TAP_CHECK(t, me->taken != 0 && me->stack != 0);
    for (unsigned i = 0; i < 3; i++)
        TAP_CHECK(t, loam_cache_alloc(other) != NULL); /* the slots of the slab that it has */
    TAP_EQ(t, slabs(other), 1);
    TAP_CHECK(t, me->taken == 0 && me->stack == 0); /* that was the last of all */
    for (unsigned i = 0; i < 2; i++)
        TAP_CHECK(t, loam_cache_alloc(c) != NULL);
    TAP_EQ(t, slabs(c), 3);
    CPUS_ON(1);
    for (unsigned i = 1; i < 12; i += 4)
        TAP_EQ(t, loam_cache_free(c, p[i]), LOAM_OK);
    serve(1);
    CPUS_ON(0);
    TAP_CHECK(t, loam_cache_alloc(c) != NULL && me->taken != 0);
    loam_slabs_offline(cpus.slabs); /* the others are not forgotten */
    TAP_EQ(t, used(c), 10);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

static void large_from_elsewhere(tap *t)
{
    cpus_start(t, 2, 512, "shift=14");
    uint64_t before = cpus_free_pages();
    void *p = loam_kmalloc_alloc(cpus.k, 50000);
    CPUS_ON(1);
    TAP_EQ(t, loam_kmalloc_free(cpus.k, p), LOAM_OK);
    REFUSED(t, 1, "double free", TAP_EQ(t, loam_kmalloc_free(cpus.k, p), LOAM_EINVAL));
    CPUS_ON(0);
    REFUSED(t, 1, "double free", TAP_EQ(t, loam_kmalloc_free(cpus.k, p), LOAM_EINVAL));
    TAP_EQ(t, cpus_free_pages(), before);
}

static unsigned constructed;

static void construct(void *ctx, void *object)
{
    (void)ctx;
    constructed++;
    *(uint32_t *)object = 0x600d;
}

static void constructed_objects(tap *t)
{
    cpus_start(t, 2, 512, "shift=12");
    constructed = 0;
    loam_cache *c = loam_cache_create(cpus.slabs, "made", 512, 0, construct, NULL);
    void *p[8];
    for (unsigned i = 0; i < 8; i++)
        p[i] = loam_cache_alloc(c);
    TAP_EQ(t, constructed, 8);
    CPUS_ON(1);
    for (unsigned i = 0; i < 8; i++)
        TAP_EQ(t, loam_cache_free(c, p[i]), LOAM_OK);
    CPUS_ON(0);
    for (unsigned i = 0; i < 8; i++) {
        p[i] = loam_cache_alloc(c);
        TAP_EQ(t, *(uint32_t *)p[i], 0x600d);
    }
    TAP_EQ(t, constructed, 8);
}

static void pools(tap *t)
{
    loam_pool a, b;
    cpus_start(t, 2, 512, "shift=14");
    uint64_t before = cpus_free_pages();
    TAP_EQ(t, loam_pool_init(&a, cpus.k, "a", 0), LOAM_OK);
    TAP_EQ(t, loam_pool_init(&b, cpus.k, "b", 0), LOAM_OK);
    for (unsigned i = 0; i < 400; i++) {
        CPUS_ON(i & 1);
        TAP_CHECK(t, loam_pool_alloc(&a, 1 + i) != NULL);
        CPUS_ON(~i & 1);
        TAP_CHECK(t, loam_pool_alloc(&b, 1 + i) != NULL);
    }
    TAP_EQ(t, loam_pool_fini(&a, NULL, NULL), 400);
    CPUS_ON(1);
    TAP_EQ(t, loam_pool_fini(&b, NULL, NULL), 400);
    CPUS_ON(0);
    TAP_EQ(t, cpus_free_pages(), before);
    TAP_RULE(t, loam_kmalloc_check(cpus.k), NULL);
}

/* ---- views ---- */

static bool note_block(void *ctx, void *p, size_t size, const char *name, const void *site)
{
    (void)size;
    (void)name;
    (void)site;
    void **seen = ctx;
    *seen = *seen == NULL ? p : ctx;
    return true;
}

static void looked_at(tap *t)
{
    cpus_start(t, 2, 512, "shift=12,keep_empty=no");
    void *p = loam_kmalloc_alloc(cpus.k, 64), *q = loam_kmalloc_alloc(cpus.k, 64), *seen = NULL;
    CPUS_ON(1);
    TAP_EQ(t, loam_kmalloc_free(cpus.k, q), LOAM_OK);
    serve(1);
    loam_kmalloc_each(cpus.k, note_block, &seen);
    TAP_CHECK(t, seen == p);
    TAP_RULE(t, loam_kmalloc_check(cpus.k), NULL);
    loam_kmalloc_stats stats;
    loam_kmalloc_stat(cpus.k, &stats);
    TAP_EQ(t, stats.used_blocks, 1);
    TAP_EQ(t, loam_kmalloc_size(cpus.k, p), 64);
    REFUSED(t, 1, "use of a free block", TAP_EQ(t, loam_kmalloc_size(cpus.k, q), 0));
    TAP_EQ(t, loam_kmalloc_free(cpus.k, p), LOAM_OK);
    serve(1);
    serve(0);
    loam_kmalloc_stat(cpus.k, &stats);
    TAP_EQ(t, stats.slabs, 0);
}

/* ---- one processor ---- */

static void one(tap *t)
{
    cpus_start(t, 1, 512, "shift=14");
    TAP_CHECK(t, cpus.slabs->cpu == NULL && cpus.slabs->parts == 0);
    void *p = loam_kmalloc_alloc(cpus.k, 64);
    loam_slabs_serve(cpus.slabs);
    loam_slabs_offline(cpus.slabs);
    CPUS_ON(5); /* whoever calls locks outside, and uses the one front */
    TAP_EQ(t, loam_kmalloc_free(cpus.k, p), LOAM_OK);
    TAP_CHECK(t, loam_kmalloc_alloc(cpus.k, 64) == p);
    TAP_EQ(t, loam_kmalloc_free(cpus.k, p), LOAM_OK);
    REFUSED(t, 1, "double free", TAP_EQ(t, loam_kmalloc_free(cpus.k, p), LOAM_EINVAL));
    loam_slabs_online(cpus.slabs);
    CPUS_ON(0);
    REFUSED(t, 1, "double free", TAP_EQ(t, loam_kmalloc_free(cpus.k, p), LOAM_EINVAL));
    loam_slab_config c;
    loam_slab_config_init(&c);
    TAP_EQ(t, c.ncpus, 1);
    c.ncpus = 0;
    TAP_CHECK(t, loam_slabs_init(cpus.zone, &c) == NULL);
    c.ncpus = LOAM_PORT_MAX_CPUS + 1;
    TAP_CHECK(t, loam_slabs_init(cpus.zone, &c) == NULL);
}

static const tap_case cases[] = {
    {"cache_free elsewhere: gathered, told, taken: counted as such", told_and_taken},
    {"cache_free elsewhere: a whole word: told by itself", a_whole_word},
    {"cache_free elsewhere: the table full, bytes enough: told", a_full_table},
    {"cache_free elsewhere: before a word that nobody used: taken", warm_first},
    {"cache_free elsewhere: an owner without a slot: takes what it needs", slab_by_slab},
    {"kmalloc_free elsewhere: a large block: at once", large_from_elsewhere},
    {"cache_free elsewhere: constructed objects stay so", constructed_objects},
    {"pool: owners on several processors: everything back", pools},
    {"kmalloc_each, stat, size: what is told is not out", looked_at},
    {"slabs: one processor: one front for all, no lock", one},
};
TAP_SUITE(slab_told, cases);

int main(int argc, char **argv)
{
    return cpus_main(&tap_suite_slab_told, argc, argv);
}
