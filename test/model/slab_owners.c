/* SPDX-License-Identifier: MIT */
/* slab_owners.c - several processors over one object layer: whose a slab is when they come, leave
 * and run short, which zone it is from; and each rule of theirs, broken. */
#include "slab_told.h"

/* ---- who owns what ---- */

/* While a slab is pinned it stays, however empty; who lets it go sends its owner to look again. */
static void pinned(tap *t)
{
    cpus_start(t, 2, 512, "shift=12,keep_empty=no");
    loam_cache *c = things(t, 1024);
    void *p = loam_cache_alloc(c);
    slab_desc *d = desc_of(p);
    TAP_CHECK(t, loam_slab__pin(d));
    TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
    TAP_EQ(t, slabs(c), 1);
    CPUS_ON(1);
    loam_slab__unpin(cpus.slabs, d);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    TAP_EQ(t, slabs(c), 1);
    serve(0);
    TAP_EQ(t, slabs(c), 0);
    TAP_CHECK(t, !loam_slab__pin(d));
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

/* Of three processors the first has them, four to a slab. */
static loam_cache *forty(tap *t, void *p[40])
{
    cpus_start(t, 3, 512, "shift=12");
    loam_cache *c = things(t, 1000);
    for (unsigned i = 0; i < 40; i++)
        p[i] = loam_cache_alloc(c);
    return c;
}

static void leaves(tap *t)
{
    void *p[40];
    loam_cache *c = forty(t, p);
    CPUS_ON(1);
    TAP_EQ(t, loam_cache_free(c, p[0]), LOAM_OK);
    TAP_EQ(t, loam_cache_free(c, p[5]), LOAM_OK);
    serve(1); /* told to a stack that is going to close */
    TAP_EQ(t, loam_cache_free(c, p[9]), LOAM_OK);
    CPUS_ON(0);
    loam_slabs_offline(cpus.slabs);
    loam_slabs_offline(cpus.slabs);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    TAP_EQ(t, slab_owner_of(desc_of(p[0]))->cpu, 3);
    TAP_EQ(t, used(c), 38);
    serve(1); /* finds the stack closed: the shared front takes it at once */
    TAP_EQ(t, used(c), 37);
    CPUS_ON(2);
    TAP_CHECK(t, loam_cache_alloc(c) != NULL); /* not from a new slab */
    TAP_EQ(t, slabs(c), 10);
    CPUS_ON(0);
    TAP_EQ(t, loam_cache_free(c, p[39]), LOAM_OK); /* offline it may still call */
    void *q = loam_cache_alloc(c);
    TAP_CHECK(t, q != NULL);
    TAP_EQ(t, slab_owner_of(desc_of(q))->cpu, 3);
    loam_slabs_online(cpus.slabs);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    q = loam_cache_alloc(c);
    TAP_EQ(t, slab_owner_of(desc_of(q))->cpu, 0);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

/* Who frees an object that nobody's front has takes the slab, if a front of its own is there. */
static void taken_over(tap *t)
{
    void *p[4];
    cpus.lazy = true;
    cpus_start(t, 3, 512, "shift=12");
    cpus.lazy = false;
    loam_cache *c = things(t, 1000);
    for (unsigned i = 0; i < 4; i++)
        p[i] = loam_cache_alloc(c);
    slab_desc *d = desc_of(p[0]);
    loam_slabs_offline(cpus.slabs);
    CPUS_ON(1);
    TAP_EQ(t, loam_cache_free(c, p[0]), LOAM_OK); /* it has no front yet */
    TAP_EQ(t, slab_owner_of(d)->cpu, 3);
    loam_slab__make_front(c);
    REFUSED(t, 1, "double free", TAP_EQ(t, loam_cache_free(c, p[0]), LOAM_EINVAL));
    TAP_EQ(t, slab_owner_of(d)->cpu, 3);
    TAP_EQ(t, loam_cache_free(c, p[1]), LOAM_OK);
    TAP_EQ(t, slab_owner_of(d)->cpu, 1);
    TAP_EQ(t, used(c), 2);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    TAP_CHECK(t, loam_cache_alloc(c) == p[0]);
    CPUS_ON(0);
    TAP_EQ(t, loam_cache_free(c, p[2]), LOAM_OK); /* offline it tells at once */
    CPUS_ON(1);
    TAP_EQ(t, loam_cache_free(c, p[0]), LOAM_OK);
    serve(1);
    TAP_EQ(t, used(c), 1);
    loam_slabs_offline(cpus.slabs);
    loam_slabs_online(cpus.slabs);
    TAP_EQ(t, loam_cache_free(c, p[3]), LOAM_OK); /* the last one: it is nobody's any more */
    TAP_EQ(t, slabs(c), 0);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

/* Its slabs stay its own, behind the lock, until it comes back; others take what they need. */
static void rests(tap *t)
{
    void *p[40];
    loam_cache *c = forty(t, p);
    CPUS_ON(1);
    TAP_EQ(t, loam_cache_free(c, p[0]), LOAM_OK);
    serve(1); /* told to a stack that is going to close */
    CPUS_ON(0);
    TAP_CHECK(t, loam_slabs_rest(cpus.slabs));
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    TAP_EQ(t, slab_owner_of(desc_of(p[0]))->cpu, 0);
    TAP_EQ(t, used(c), 39);
    CPUS_ON(2);
    TAP_CHECK(t, loam_cache_alloc(c) == p[0]); /* not from a new slab */
    TAP_EQ(t, slab_owner_of(desc_of(p[0]))->cpu, 2);
    TAP_EQ(t, slabs(c), 10);
    CPUS_ON(1);
    TAP_EQ(t, loam_cache_free(c, p[5]), LOAM_OK);
    serve(1); /* finds the stack closed, and takes the slab over */
    TAP_EQ(t, slab_owner_of(desc_of(p[5]))->cpu, 1);
    REFUSED(t, 1, "double free", TAP_EQ(t, loam_cache_free(c, p[5]), LOAM_EINVAL));
    CPUS_ON(3); /* nobody frees: the lock */
    for (unsigned i = 8; i < 12; i++)
        TAP_EQ(t, loam_cache_free(c, p[i]), LOAM_OK);
    TAP_EQ(t, slabs(c), 9); /* nobody is there to want it again */
    TAP_EQ(t, loam_cache_free(c, p[12]), LOAM_OK);
    REFUSED(t, 1, "double free", TAP_EQ(t, loam_cache_free(c, p[12]), LOAM_EINVAL));
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    CPUS_ON(0);
    loam_slabs_online(cpus.slabs);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    TAP_EQ(t, loam_cache_free(c, p[16]), LOAM_OK);
    TAP_CHECK(t, loam_cache_alloc(c) == p[16]);
    TAP_CHECK(t, loam_cache_alloc(c) == p[12]);
    TAP_EQ(t, slabs(c), 9);
}

/* As a layer begins that was told of no other number. */
enum { FEW = 4 };

/* An empty slab of who rests goes when memory is short, and so many rest at a time. */
static void few_rest(tap *t)
{
    cpus_start(t, FEW + 1, 512, "shift=12");
    loam_cache *c = things(t, 1000);
    for (unsigned i = 0; i <= FEW; i++) {
        CPUS_ON(i);
        TAP_EQ(t, loam_cache_free(c, loam_cache_alloc(c)), LOAM_OK);
        TAP_EQ(t, slabs(c), i + 1);
    }
    for (unsigned i = 0; i <= FEW; i++) {
        CPUS_ON(i);
        TAP_EQ(t, loam_slabs_rest(cpus.slabs), i < FEW);
        TAP_CHECK(t, !loam_slabs_rest(cpus.slabs));
        TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    }
    BREAKS(t, cpus.slabs->rester[0], cpus.slabs->rester[1], "S16");
    CPUS_ON(1);
    loam_slabs_online(cpus.slabs);
    BREAKS(t, cpus.slabs->rester[0], 1, "S16");
    TAP_EQ(t, slabs(c), FEW + 1);
    (void)loam_slabs_shrink(cpus.slabs);
    TAP_EQ(t, slabs(c), 0);
    TAP_CHECK(t, loam_slabs_rest(cpus.slabs));
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

/* What waits in the shared ring and leaves it gives the shared front no current word: whoever is
 * offline would take from it without the lock. */
static void shared_ring_full(tap *t)
{
    void *p[200];
    cpus_start(t, 2, 512, "shift=12,guard,quarantine,zero_free,random");
    loam_cache *c = things(t, 200);
    for (unsigned i = 0; i < 200; i++)
        p[i] = loam_cache_alloc(c);
    CPUS_ON(1);
    for (unsigned i = 0; i < 200; i++)
        TAP_EQ(t, i % 10 == 0 ? LOAM_OK : loam_cache_free(c, p[i]), LOAM_OK);
    CPUS_ON(0);
    loam_slabs_offline(cpus.slabs);
    serve(1);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    TAP_EQ(t, used(c), 20);
}

static void modes_do_not_rest(tap *t)
{
    cpus_start(t, 2, 512, "shift=12,quarantine=4K");
    loam_cache *c = things(t, 1000);
    void *p = loam_cache_alloc(c);
    TAP_CHECK(t, !loam_slabs_rest(cpus.slabs));
    TAP_EQ(t, slab_owner_of(desc_of(p))->cpu, 2);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

/* Of each cache one empty slab stays behind for who comes next, unless memory is short. */
static void empty_one_stays(tap *t)
{
    cpus_start(t, 3, 512, "shift=12");
    loam_cache *c = things(t, 1000);
    slab_desc *d = NULL;
    for (unsigned cpu = 0; cpu < 2; cpu++) {
        CPUS_ON(cpu);
        void *p = loam_cache_alloc(c);
        TAP_EQ(t, slabs(c), 1); /* the second one adopts it */
        TAP_CHECK(t, d == NULL || d == desc_of(p));
        d = desc_of(p);
        TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
        loam_slabs_offline(cpus.slabs);
        TAP_EQ(t, slabs(c), 1);
        TAP_EQ(t, slab_owner_of(d)->cpu, 3);
        TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    }
    loam_slabs_online(cpus.slabs);
    void *p[4];
    for (unsigned i = 0; i < 4; i++)
        p[i] = loam_cache_alloc(c);
    CPUS_ON(2);
    void *q = loam_cache_alloc(c);
    TAP_EQ(t, loam_cache_free(c, q), LOAM_OK);
    CPUS_ON(1);
    for (unsigned i = 0; i < 4; i++)
        TAP_EQ(t, loam_cache_free(c, p[i]), LOAM_OK);
    TAP_EQ(t, slabs(c), 2);
    loam_slabs_offline(cpus.slabs);
    CPUS_ON(2);
    loam_slabs_offline(cpus.slabs);
    TAP_EQ(t, slabs(c), 1); /* one is enough */
    loam_slabs_shrink(cpus.slabs);
    TAP_EQ(t, slabs(c), 0);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

/* Gathered bits of a processor that leaves, and bits for a slab that moved on twice meanwhile. */
static void moved_on(tap *t)
{
    cpus_start(t, 3, 512, "shift=12");
    loam_cache *c = things(t, 1000);
    void *p = loam_cache_alloc(c), *q = loam_cache_alloc(c), *r = loam_cache_alloc(c);
    CPUS_ON(1);
    TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
    CPUS_ON(2);
    TAP_EQ(t, loam_cache_free(c, q), LOAM_OK);
    serve(2); /* on the stack of 0 */
    CPUS_ON(0);
    loam_slab__ask(cpus.slabs);
    CPUS_ON(1);
    loam_slab__ask(cpus.slabs);
    serve(0); /* gives: to the shared front */
    CPUS_ON(2);
    void *s = loam_cache_alloc(c);
    TAP_CHECK(t, s == q || s == p);
    TAP_EQ(t, slab_owner_of(desc_of(p))->cpu, 2);
    CPUS_ON(1);
    loam_slabs_offline(cpus.slabs); /* tells its bits to 2 */
    serve(2);
    TAP_EQ(t, used(c), 2);
    CPUS_ON(2);
    TAP_EQ(t, loam_cache_free(c, r), LOAM_OK);
    TAP_EQ(t, loam_cache_free(c, s), LOAM_OK);
    TAP_EQ(t, used(c), 0);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

/* A stack that a stale pusher reached is sent on. */
static void sent_on(tap *t)
{
    cpus.lazy = true;
    cpus_start(t, 3, 512, "shift=12");
    cpus.lazy = false;
    loam_cache *c = things(t, 1000);
    void *p = loam_cache_alloc(c), *q = loam_cache_alloc(c);
    slab_desc *d = desc_of(p);
    CPUS_ON(1);
    TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
    serve(1); /* on the stack of 0, which gives the slab away before it takes */
    CPUS_ON(2);
    loam_slab__ask(cpus.slabs);
    CPUS_ON(0);
    uint32_t first = cpus.slabs->cpu[0].stack;
    cpus.slabs->cpu[0].stack = 0;
    serve(0);
    CPUS_ON(2);
    TAP_CHECK(t, !loam_slab__adopt(c)); /* it has no front yet */
    loam_slab__make_front(c);
    TAP_CHECK(t, loam_slab__adopt(c));
    TAP_EQ(t, slab_owner_of(d)->cpu, 2);
    CPUS_ON(0);
    cpus.slabs->cpu[0].stack = first;
    serve(0); /* not its own any more */
    TAP_CHECK(t, cpus.slabs->cpu[2].stack != 0);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    serve(2);
    TAP_EQ(t, used(c), 1);
    TAP_CHECK(t, slab_slot_is_free(d, 0));
    TAP_EQ(t, loam_cache_free(c, q), LOAM_OK);
}

/* Short of memory: the others are asked, and give when they come by. */
static void asked(tap *t)
{
    static void *p[4096];
    unsigned n = 0;
    cpus_start(t, 2, 128, "shift=12");
    loam_cache *c = things(t, 512);
    cpus.waits = 0;
    while ((p[n] = loam_cache_alloc(c)) != NULL)
        n++;
    for (unsigned i = 0; i < n; i += 2)
        TAP_EQ(t, loam_cache_free(c, p[i]), LOAM_OK); /* half of every slab, all of 0 */
    CPUS_ON(1);
    TAP_CHECK(t, loam_cache_alloc(c) == NULL); /* nobody waits */
    TAP_EQ(t, cpus.slabs->cpu[0].asked, 1);
    TAP_EQ(t, cpus.slabs->cpu[1].asked, 0);
    serve(0);
    TAP_EQ(t, cpus.slabs->cpu[0].asked, 0);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    for (unsigned i = 0; i < n; i += 2) {
        p[i] = loam_cache_alloc(c);
        TAP_CHECK(t, p[i] != NULL);
    }
    TAP_CHECK(t, loam_cache_alloc(c) == NULL);
    CPUS_ON(0);
    cpus.waits = 10; /* now one waits: the other gives in time */
    TAP_EQ(t, loam_cache_free(c, p[1]), LOAM_OK);
    CPUS_ON(1);
    TAP_CHECK(t, loam_cache_alloc(c) == p[1]);
    TAP_RULE(t, loam_kmalloc_check(cpus.k), NULL);
}

/* A cache ends when no object is out and every processor has given its slabs back. */
static void destroyed(tap *t)
{
    cpus_start(t, 2, 512, "shift=14");
    loam_cache *c = things(t, 64);
    cpus.waits = 0;
    void *p = loam_cache_alloc(c);
    CPUS_ON(1);
    TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
    TAP_EQ(t, loam_cache_destroy(c), LOAM_EBUSY); /* told and asked */
    TAP_EQ(t, loam_cache_destroy(c), LOAM_EBUSY);
    serve(0);
    TAP_EQ(t, loam_cache_destroy(c), LOAM_OK);
    c = things(t, 64);
    p = loam_cache_alloc(c);
    TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
    CPUS_ON(0);
    cpus.waits = 5;
    TAP_EQ(t, loam_cache_destroy(c), LOAM_OK);
    TAP_RULE(t, loam_kmalloc_check(cpus.k), NULL);
}

/* A cache has places for few processors in itself; those of the others come with the first. */
static void far_ones(tap *t)
{
    static const unsigned who[] = {0, SLAB_NEAR - 1, SLAB_NEAR, SLAB_NEAR + 5};
    enum { WHO = LOAM_ARRAY_LEN(who) };
    void *p[WHO];
    cpus.lazy = true;
    cpus_start(t, SLAB_NEAR + 8, 1024, "shift=12");
    cpus.lazy = false;
    uint32_t lines = cpus.slabs->lines_used;
    loam_cache *c = things(t, 100);
    for (unsigned i = 0; i < WHO; i++) {
        CPUS_ON(who[i]);
        p[i] = loam_cache_alloc(c);
        TAP_EQ(t, slab_owner_of(desc_of(p[i]))->cpu, who[i]);
        TAP_EQ(t, slab_far_fronts(c) != NULL, who[i] >= SLAB_NEAR);
    }
    TAP_CHECK(t, slab_own_front(c, SLAB_NEAR + 1) == NULL);
    for (unsigned i = 0; i < WHO; i++) { /* each frees another's */
        CPUS_ON(who[(i + 1) % WHO]);
        TAP_EQ(t, loam_cache_free(c, p[i]), LOAM_OK);
    }
    cpus_serve_all();
    TAP_EQ(t, used(c), 0);
    TAP_RULE(t, loam_kmalloc_check(cpus.k), NULL);
    CPUS_ON(who[3]);
    loam_slabs_offline(cpus.slabs);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    CPUS_ON(0);
    cpus.waits = 5;
    TAP_EQ(t, loam_cache_destroy(c), LOAM_OK);
    TAP_EQ(t, cpus.slabs->lines_used, lines);
    TAP_RULE(t, loam_kmalloc_check(cpus.k), NULL);
}

/* Frees so many blocks of so many frames; frames that are kept then. */
static uint64_t keep(tap *t, unsigned n, size_t frames)
{
    void *p[16];
    uint64_t blocks, kept;
    for (unsigned i = 0; i < n; i++) {
        p[i] = loam_kmalloc_alloc(cpus.k, frames << LOAM_PAGE_SHIFT);
        TAP_CHECK(t, p[i] != NULL);
    }
    for (unsigned i = 0; i < n; i++)
        TAP_EQ(t, loam_kmalloc_free(cpus.k, p[i]), LOAM_OK);
    loam_slab__kept_sums(cpus.slabs, &kept, &blocks);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    return kept;
}

/* Of 800 frames that all may keep each has an even part, and 200 at least. */
static void keep_parts(tap *t)
{
    cpus.keep_total = 3200 << 10;
    cpus_start(t, 6, 3000, "shift=14,keep_large=800K");
    TAP_EQ(t, keep(t, 9, 100), 800);
    CPUS_ON(1);
    TAP_EQ(t, keep(t, 5, 100), 800 + 400);
    CPUS_ON(0);
    TAP_EQ(t, keep(t, 9, 100), 400 + 400); /* it has more than its part by now */
    for (unsigned cpu = 2; cpu < 6; cpu++) {
        CPUS_ON(cpu);
        TAP_EQ(t, keep(t, 5, 100), 400 + 400 + (cpu == 2 ? 200 : 200 * (cpu - 1)));
    }
    CPUS_ON(1);
    TAP_EQ(t, keep(t, 5, 100), 400 + 200 + 800);
    CPUS_ON(5);
    TAP_EQ(t, keep(t, 1, 101), 1400); /* more than half of its part */
    CPUS_ON(6);                       /* without a number: what all such share has a lock */
    TAP_EQ(t, keep(t, 3, 60), 1400 + 180);
    TAP_CHECK(t, cpus.slabs->kept[-6].last == NULL && cpus.slabs->kept[-6].frames == 180);
    cpus.keep_total = UINT32_MAX;
    cpus_start(t, 2, 4096, "shift=14,keep_large=4M");
    TAP_EQ(t, keep(t, 1, 2048), 0);
    TAP_EQ(t, keep(t, 1, 2047), 2047);
    TAP_EQ(t, cpus.slabs->kept_total, 8192);
    cpus.keep_total = 100 << 10;
    cpus_start(t, 2, 512, "shift=14,keep_large=400K");
    TAP_EQ(t, keep(t, 5, 30), 90);
    cpus.keep_total = 32 << 20;
    cpus_start(t, 2, 512, "shift=14");
    TAP_EQ(t, keep(t, 5, 30), 0);
    cpus.keep_total = 0;
}

/* A processor that the layer was not made for uses the shared front. */
static void unknown(tap *t)
{
    cpus_start(t, 2, 512, "shift=14");
    for (unsigned cpu = 2; cpu < 5; cpu++) {
        CPUS_ON(cpu);
        loam_slabs_online(cpus.slabs);
        void *p = loam_kmalloc_alloc(cpus.k, 64), *q = loam_kmalloc_alloc(cpus.k, 64);
        TAP_CHECK(t, p != NULL && slab_owner_of(desc_of(p))->cpu == 2);
        TAP_EQ(t, loam_kmalloc_free(cpus.k, p), LOAM_OK);
        CPUS_ON(0);
        TAP_EQ(t, loam_kmalloc_free(cpus.k, q), LOAM_OK); /* at once, by the lock */
        p = loam_kmalloc_alloc(cpus.k, 64);
        CPUS_ON(cpu);
        TAP_EQ(t, loam_kmalloc_free(cpus.k, p), LOAM_OK); /* told at once: nobody else would */
        serve(0);
        loam_kmalloc_stats stats;
        loam_kmalloc_stat(cpus.k, &stats);
        TAP_EQ(t, stats.used_blocks, 0);
        loam_slabs_serve(cpus.slabs);
        loam_slabs_offline(cpus.slabs);
        TAP_RULE(t, loam_kmalloc_check(cpus.k), NULL);
    }
}

/* What different processors write lies on different lines. */
static void lines_apart(tap *t)
{
    void *p[2];
    slab_desc *d[2];
    cpus_start(t, 2, 512, "shift=14");
    loam_cache *c = things(t, 40);
    for (unsigned i = 0; i < 2; i++) {
        CPUS_ON(i);
        p[i] = loam_cache_alloc(c);
        d[i] = desc_of(p[i]);
    }
    uintptr_t words[2] = {(uintptr_t)slab_head_of(d[0]), (uintptr_t)slab_head_of(d[1])};
    uintptr_t halves[2] = {(uintptr_t)slab_remote_of(d[0])->half,
                           (uintptr_t)slab_remote_of(d[1])->half};
    size_t n = sizeof(slab_head) + slab_word_count(c) * sizeof(uint64_t);
    TAP_CHECK(t, n > 64 / 2 && (words[0] & 63) == 0 && (words[1] & 63) == 0);
    TAP_CHECK(t, words[0] + n <= words[1] || words[1] + n <= words[0]);
    for (unsigned i = 0; i < 2; i++) {
        uintptr_t end = (words[i] + n + 63) & ~(uintptr_t)63;
        TAP_CHECK(t, halves[i] >= end || halves[i] + n <= words[i]);
        TAP_EQ(t, (uintptr_t)d[i] & 63, 0);
        TAP_EQ(t, (uintptr_t)c->front[i] & 63, 0);
        TAP_EQ(t, (uintptr_t)&c->front[i]->told_key & 63, 0);
        TAP_EQ(t, (uintptr_t)&cpus.slabs->cpu[i] & 63, 0);
    }
    TAP_CHECK(t, offsetof(slab_cpu, room) >= 64);
}

/* ---- several zones ---- */

enum { HALF = 256 };

/* Half of the arena for each of two zones; what the second has when the first is full. */
static loam_zone *half_zone(tap *t, unsigned which, loam_slab_config *c, uint64_t shift)
{
    static const char *const name[] = {"near", "far"};
    loam_zone_config z;
    loam_span ram = {CPUS_PA + which * (uint64_t)HALF * LOAM_PAGE_SIZE, HALF * LOAM_PAGE_SIZE};
    loam_zone_config_init(&z);
    z.name = name[which];
    z.ncpus = 2;
    z.first = ram.base >> LOAM_PAGE_SHIFT;
    z.limit = z.first + HALF;
    z.linear = (loam_linear){CPUS_PA, 2 * HALF * LOAM_PAGE_SIZE, cpus.arena};
    z.linear.pa += shift;
    c->ncpus = 2;
    loam_zone *zone =
        loam_zone_init(cpus.meta + which * (CPUS_META / 2), CPUS_META / 2, false, &ram, 1, &z);
    TAP_EQ(t, loam_zone_add(zone, loam_pfn_of(z.first), HALF), LOAM_OK);
    return zone;
}

static void zones_in_turn(tap *t)
{
    static void *p[4096];
    loam_slab_config c;
    cpus_start(t, 2, 64, "shift=14"); /* the arena */
    loam_slab_config_init(&c);
    c.shift = 14;
    loam_zone *near = half_zone(t, 0, &c, 0), *far = half_zone(t, 1, &c, 0);
    loam_zonelist more = {.zone = {near, far}, .count = 2};
    c.fallback = &more;
    cpus.zone = near;
    cpus.slabs = loam_slabs_init(near, &c);
    cpus.k = cpus.slabs != NULL ? loam_kmalloc_init(cpus.slabs) : NULL;
    TAP_CHECK(t, cpus.k != NULL);
    uint64_t before = cpus_free_pages(), other = loam_zone_free_pages(far);
    TAP_EQ(t, other, HALF);
    unsigned n = 0, beyond = 0;
    while (n < LOAM_ARRAY_LEN(p) &&
           (p[n] = loam_kmalloc_alloc(cpus.k, n % 9 == 8 && n < 100 ? 20000 : 900)))
        beyond += (unsigned char *)p[n++] >= cpus.arena + HALF * LOAM_PAGE_SIZE;
    TAP_CHECK(t, beyond > n / 3 && beyond < n * 3 / 4);
    TAP_CHECK(t, loam_zone_free_pages(far) < 8);
    TAP_RULE(t, loam_kmalloc_check(cpus.k), NULL);
    CPUS_ON(1);
    while (n > 0)
        TAP_EQ(t, loam_kmalloc_free(cpus.k, p[--n]), LOAM_OK);
    REFUSED(t, 1, "double free", TAP_EQ(t, loam_kmalloc_free(cpus.k, p[8]), LOAM_EINVAL));
    CPUS_ON(0);
    TAP_EQ(t, cpus_free_pages(), before);
    loam_zone_drain_all(far);
    TAP_EQ(t, loam_zone_free_pages(far), other);
    TAP_RULE(t, loam_kmalloc_check(cpus.k), NULL);
    TAP_RULE(t, loam_zone_check(far), NULL);
    more.zone[1] = half_zone(t, 1, &c, 0x10000); /* another linear map */
    TAP_CHECK(t, loam_slabs_init(near, &c) == NULL);
}

static const tap_case cases[] = {
    {"slab pinned: stays; let go: its owner looks again", pinned},
    {"slabs_offline: its slabs are others', late frees arrive", leaves},
    {"slabs_offline: an empty slab stays, one a cache", empty_one_stays},
    {"slabs_offline: who frees what was left takes the slab over", taken_over},
    {"slabs_rest: its slabs stay, others take what they need", rests},
    {"slabs_rest: one more than may: offline; memory short: empty slabs go", few_rest},
    {"slabs_offline: the shared ring is full: no current word", shared_ring_full},
    {"slabs_rest: with modes: offline", modes_do_not_rest},
    {"slabs: a slab that moved on twice: bits find it", moved_on},
    {"slabs_serve: a slab that is another's by now: sent on", sent_on},
    {"cache_alloc: memory short: others asked, others give", asked},
    {"cache_destroy: slabs of others: busy until they served", destroyed},
    {"cache_alloc: more processors than have places in the cache: fronts of their own", far_ones},
    {"slab_kept: several: each an even part of what all may keep", keep_parts},
    {"kmalloc: a processor unknown to the layer: the shared front", unknown},
    {"slabs: what two processors write: never on one line", lines_apart},
    {"slabs_init: a zone to fall back to: asked when the first is full", zones_in_turn},
};
TAP_SUITE(slab_owners, cases);

int main(int argc, char **argv)
{
    return cpus_main(&tap_suite_slab_owners, argc, argv);
}
