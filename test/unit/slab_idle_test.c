/* SPDX-License-Identifier: MIT */
/* slab_idle_test.c - empty slabs that a front keeps: learned, bounded, sound, gone when asked. */
#include "slab_ground.h"

enum { SIZE = 16384, SLOTS = 4, MOST = 48 };

static void *block[MOST];

/* So many slabs' blocks are taken, and freed. */
static void once(tap *t, unsigned slabs)
{
    for (unsigned i = 0; i < slabs * SLOTS; i++)
        block[i] = ground_get(t, SIZE);
    for (unsigned i = 0; i < slabs * SLOTS; i++) {
        ground_put(t, block[i]);
        TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    }
}

static slab_front *front_of(const void *p)
{
    return slab_owner_of(slab_desc_at(ground.slabs, slab_off(ground.slabs, p)));
}

/* The class's front, after it has learned to keep what so many slabs leave. */
static slab_front *learn(tap *t, const char *options, unsigned slabs)
{
    ground_start(t, 512, options);
    once(t, slabs);
    slab_front *f = front_of(block[slabs * SLOTS - 1]);
    TAP_EQ(t, f->idles, 0);
    once(t, slabs);
    return f;
}

static uint64_t kept_frames(void)
{
    uint64_t frames, blocks;
    loam_slab__kept_sums(ground.slabs, &frames, &blocks);
    return frames;
}

/* What went and came again stays the next time, and then nothing is asked for it. */
static void learned(tap *t)
{
    slab_front *f = learn(t, "shift=16,keep_large=4M", 4);
    loam_cache_stats stats;
    TAP_EQ(t, f->idles, 3);
    TAP_EQ(t, f->gone, 0);
    TAP_EQ(t, kept_frames(), 0);
    TAP_EQ(t, loam_slab__idle_mine(ground.slabs), 48);
    loam_cache_stat(f->cache, &stats);
    TAP_EQ(t, stats.slabs, 4);
    TAP_EQ(t, stats.used, 0);
    void *newest = f->idle->base;
    ground.left = 0; /* the zone is not asked */
    for (unsigned i = 0; i < SLOTS; i++)
        TAP_CHECK(t, ground_get(t, SIZE) != newest); /* what the front has besides comes first */
    TAP_CHECK(t, ground_get(t, SIZE) == newest);
    TAP_EQ(t, f->idles, 2);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    for (unsigned i = 1; i < 3 * SLOTS; i++)
        (void)ground_get(t, SIZE);
    TAP_CHECK(t, f->idle == NULL);
    TAP_EQ(t, loam_slab__idle_mine(ground.slabs), 0);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

/* One slab more than the last time goes. */
static void no_more_than_wanted(tap *t)
{
    slab_front *f = learn(t, "shift=16,keep_large=4M", 3);
    TAP_EQ(t, f->idles, 2);
    once(t, 6);
    TAP_EQ(t, f->idles, 2);
    TAP_EQ(t, f->gone, 3);
    TAP_EQ(t, kept_frames(), 48);
    once(t, 6);
    TAP_EQ(t, f->idles, 5);
}

/* Of all classes together a quarter of what the processor may keep besides. */
static void bounded(tap *t)
{
    slab_front *f = learn(t, "shift=16,keep_large=1M", 8);
    TAP_EQ(t, f->idles, 4);
    TAP_EQ(t, loam_slab__idle_mine(ground.slabs), 4 * 16);
    TAP_EQ(t, kept_frames(), 3 * 16);
    void *p[32];
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < LOAM_ARRAY_LEN(p); i++)
            p[i] = ground_get(t, SIZE / 2);
        for (unsigned i = 0; i < LOAM_ARRAY_LEN(p); i++)
            ground_put(t, p[i]);
    }
    TAP_EQ(t, front_of(ground_get(t, SIZE / 2))->idles, 0);
    TAP_EQ(t, f->idles, 4);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

static void refused(tap *t)
{
    slab_front *f = learn(t, "shift=16,keep_large=4M", 4);
    unsigned char *p = f->idle->base;
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p), "double free", "free");
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p + SIZE), "double free", "free");
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p + 16), "inner free", "inner");
    TAP_EQ(t, f->idles, 3);
}

/* With what is trimmed; and the front has to learn again. */
static void all_go(tap *t)
{
    ground_free before;
    ground_start(t, 512, "shift=16,keep_large=4M");
    loam_slabs_shrink(ground.slabs);
    ground_look(&before);
    once(t, 4);
    once(t, 4);
    loam_slabs_shrink(ground.slabs);
    ground_same(t, &before);
    slab_front *f = learn(t, "shift=16,keep_large=4M", 4);
    loam_cache_shrink(f->cache);
    TAP_CHECK(t, f->idle == NULL && f->idles == 0);
    TAP_EQ(t, loam_slab__kept_mine(ground.slabs), 64);
    once(t, 4);
    TAP_EQ(t, f->idles, 0);
    once(t, 4);
    TAP_EQ(t, f->idles, 3);
    TAP_CHECK(t, loam_slab__idle_drop(ground.slabs) && !loam_slab__idle_drop(ground.slabs));
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

/* They go before NULL is the answer: for another class, and for a large block. */
static void goes_when_short(tap *t)
{
    slab_front *f = learn(t, "shift=16,keep_large=4M", 4);
    unsigned n = 0;
    while (f->idles != 0 && loam_kmalloc_alloc(ground.k, SIZE / 2) != NULL)
        n++;
    TAP_CHECK(t, n > 150 && f->idles == 0);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    f = learn(t, "shift=16,keep_large=4M", 4);
    n = 0;
    while (f->idles != 0 && loam_kmalloc_alloc(ground.k, 100000) != NULL)
        n++;
    TAP_CHECK(t, n > 10 && f->idles == 0);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

/* None becomes idle while memory is short. */
static void not_when_tight(tap *t)
{
    slab_front *f = learn(t, "shift=16,keep_large=4M", 4);
    for (unsigned i = 0; i < 4 * SLOTS; i++)
        block[i] = ground_get(t, SIZE);
    loam_atomic_store(&ground.slabs->tight_now, 1);
    for (unsigned i = 0; i < 4 * SLOTS; i++)
        ground_put(t, block[i]);
    loam_atomic_store(&ground.slabs->tight_now, 0);
    TAP_EQ(t, f->idles, 0);
    TAP_EQ(t, f->gone, 3);
}

static void ends(tap *t)
{
    void *p[3 * SLOTS];
    ground_start(t, 512, "shift=16,keep_large=4M");
    loam_cache *c = loam_cache_create(ground.slabs, "things", SIZE, 0, NULL, NULL);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < LOAM_ARRAY_LEN(p); i++)
            p[i] = loam_cache_alloc(c);
        for (unsigned i = 0; i < LOAM_ARRAY_LEN(p); i++)
            TAP_EQ(t, loam_cache_free(c, p[i]), LOAM_OK);
    }
    TAP_EQ(t, slab_front_of(c)->idles, 2);
    TAP_EQ(t, loam_cache_destroy(c), LOAM_OK);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

static const char *const without[] = {"shift=16", "shift=16,keep_large=4M,keep_empty=no"};

static void not_with_these(tap *t)
{
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(without); i++) {
        ground_start(t, 512, without[i]);
        once(t, 4);
        once(t, 4);
        uint64_t idle = 0;
        for (loam_list *n = ground.slabs->caches.next; n != &ground.slabs->caches; n = n->next)
            idle += slab_front_of(LOAM_CONTAINER_OF(n, loam_cache, link))->idles;
        TAP_EQ(t, idle, 0);
    }
}

/* Slots are in an idle slab as the modes left them. */
static void with_modes(tap *t)
{
    static const char *const mode[] = {"guard",     "poison", "quarantine", "zero",
                                       "zero_free", "random", "owner"};
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(mode); i++) {
        char text[64];
        loam_text word;
        loam_text_init(&word, text, sizeof text);
        loam_text_fmt(&word, "shift=16,keep_large=4M,%s", mode[i]);
        slab_front *f = learn(t, text, 8);
        uint8_t idles = f->idles;
        TAP_CHECK(t, idles >= 4);
        ground.left = 0;
        for (unsigned n = 0; n < 4 * SLOTS; n++)
            (void)ground_get(t, SIZE);
        TAP_CHECK(t, f->idles < idles);
        TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    }
}

static void rules(tap *t)
{
    slab_front *f = learn(t, "shift=16,keep_large=4M", 4);
    slab_desc *d = f->idle, *next = LOAM_CONTAINER_OF(d->link.next, slab_desc, link);
    GROUND_BREAKS(t, f->idle, (slab_desc *)0, "S5");
    GROUND_BREAKS(t, f->idle, (slab_desc *)8, "S5");
    GROUND_BREAKS(t, f->idle, f->empty, "S5");
    GROUND_BREAKS(t, f->idles, 2, "S5");
    GROUND_BREAKS(t, f->idles, 0, "S5");
    GROUND_BREAKS(t, f->idles, 4, "S5");
    GROUND_BREAKS(t, d->large, 0, "S5");
    GROUND_BREAKS(t, next->link.next, &next->link, "S5");
    GROUND_BREAKS(t, f->empty->large, SLAB_IDLE, "S5");
    GROUND_BREAKS(t, ground.slabs->idle, 47, "S5");
}

static const tap_case cases[] = {
    {"slab_idle: what went and came again stays, and is taken without a call of the zone", learned},
    {"slab_idle: no more than were wanted again", no_more_than_wanted},
    {"slab_idle: a quarter of what may be kept, of all classes", bounded},
    {"slab_idle: double frees, and inner ones: refused, and it stays idle", refused},
    {"slab_idle: shrink: the zone is as before, and all is learned again", all_go},
    {"slab_idle: memory is short: they go before NULL is the answer", goes_when_short},
    {"slab_idle: none while memory is short", not_when_tight},
    {"slab_idle: a cache ends with them", ends},
    {"slab_idle: layers that keep nothing", not_with_these},
    {"slab_idle: modes that look at freed memory", with_modes},
    {"slab_idle: each part changed: S5", rules},
};
TAP_SUITE(slab_idle_test, cases);
