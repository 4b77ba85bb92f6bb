/* SPDX-License-Identifier: MIT */
/* slab_kept_test.c - large blocks that are kept: given again, bounded, refused, gone when asked. */
#include "slab_ground.h"

enum { LARGE = 100000, LARGE_FRAMES = 25 };

static void put(tap *t, void *p)
{
    ground_put(t, p);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

static void kept_are(tap *t, uint64_t frames, uint64_t blocks)
{
    uint64_t f, b;
    loam_slab__kept_sums(ground.slabs, &f, &b);
    TAP_EQ(t, f, frames);
    TAP_EQ(t, b, blocks);
}

static void given_again(tap *t)
{
    ground_start(t, 512, "shift=14,keep_large=1M");
    unsigned char *p = ground_get(t, LARGE);
    put(t, p);
    kept_are(t, LARGE_FRAMES, 1);
    ground.left = 0; /* the zone is not asked */
    TAP_CHECK(t, ground_get(t, LARGE - 9000) == p);
    kept_are(t, 0, 0);
    TAP_EQ(t, loam_kmalloc_size(ground.k, p), LARGE_FRAMES * LOAM_PAGE_SIZE);
    put(t, p);
    TAP_CHECK(t, loam_kmalloc_aligned(ground.k, LARGE, 4096) == p);
    put(t, p);
    TAP_CHECK(t, loam_slab__large_again(ground.slabs, ground.k, LARGE, NULL) == p);
    TAP_EQ(t, loam_kmalloc_size(ground.k, p), LARGE_FRAMES * LOAM_PAGE_SIZE);
    TAP_CHECK(t, loam_slab__large_put(ground.slabs, slab_off(ground.slabs, p), ground.k));
    kept_are(t, LARGE_FRAMES, 1);
    TAP_CHECK(t, !loam_slab__large_put(ground.slabs, slab_off(ground.slabs, p), ground.k));
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

/* A block has at most an eighth more than is wanted, and never less. */
static void only_what_fits(tap *t)
{
    ground_start(t, 512, "shift=14,keep_large=2M");
    unsigned char *p = ground_get(t, 40 * LOAM_PAGE_SIZE), *q = ground_get(t, 39 * LOAM_PAGE_SIZE);
    put(t, p);
    put(t, q);
    ground.left = 0;
    TAP_CHECK(t, loam_slab__large_again(ground.slabs, ground.k, 33 * LOAM_PAGE_SIZE, NULL) == NULL);
    TAP_CHECK(t, loam_slab__large_again(ground.slabs, ground.k, 41 * LOAM_PAGE_SIZE, NULL) == NULL);
    TAP_CHECK(t, loam_slab__large_again(ground.slabs, ground.k, 34 * LOAM_PAGE_SIZE, NULL) == NULL);
    TAP_CHECK(t, loam_kmalloc_aligned(ground.k, 40 * LOAM_PAGE_SIZE, 65536) == NULL);
    ground.left = GROUND_ALL;
    kept_are(t, 0, 0); /* it went when memory was short */
    p = ground_get(t, 40 * LOAM_PAGE_SIZE);
    put(t, p);
    TAP_CHECK(t, loam_slab__large_again(ground.slabs, ground.k, 36 * LOAM_PAGE_SIZE, NULL) == p);
}

static void refused(tap *t)
{
    ground_start(t, 512, "shift=14,keep_large=1M");
    unsigned char *p = ground_get(t, LARGE);
    put(t, p);
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p), "double free", "free");
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p + 4096), "double free", "free");
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p + 3), "double free", "free");
    tap_catch(t);
    TAP_EQ(t, loam_kmalloc_size(ground.k, p), 0);
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, p, 10) == NULL);
    TAP_EQ(t, tap_caught(t), 2);
    unsigned char *q = ground_get(t, LARGE);
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, q + 16), "inner free", "inner");
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, q + 65536), "inner free", "inner");
    put(t, q);
}

static bool count_one(void *ctx, void *p, size_t size, const char *cache, const void *site)
{
    (void)p, (void)size, (void)cache, (void)site;
    ++*(unsigned *)ctx;
    return true;
}

static void counts_as_free(tap *t)
{
    loam_kmalloc_stats stats;
    unsigned n = 0;
    ground_start(t, 512, "shift=14,keep_large=1M,owner");
    unsigned char *p = ground_get(t, LARGE), *q = ground_get(t, 2 * LARGE);
    put(t, p);
    loam_kmalloc_stat(ground.k, &stats);
    TAP_EQ(t, stats.large_blocks, 1);
    TAP_EQ(t, stats.kept_blocks, 1);
    TAP_EQ(t, stats.kept_bytes, LARGE_FRAMES * LOAM_PAGE_SIZE);
    TAP_EQ(t, stats.quarantined, 0);
    loam_kmalloc_each(ground.k, count_one, &n);
    TAP_EQ(t, n, 1);
    put(t, q);
}

/* A block of more than half of the bytes is not kept; when there are too many, some go. */
static void bounded(tap *t)
{
    unsigned char *p[33];
    ground_start(t, 512, "shift=14,keep_large=400K");
    put(t, ground_get(t, 201 * 1024));
    kept_are(t, 0, 0);
    put(t, ground_get(t, 200 * 1024));
    kept_are(t, 50, 1);
    for (unsigned i = 0; i < 24; i++)
        p[i] = ground_get(t, 40000);
    for (unsigned i = 0; i < 24; i++) {
        uint64_t frames, blocks;
        put(t, p[i]);
        loam_slab__kept_sums(ground.slabs, &frames, &blocks);
        TAP_CHECK(t, frames <= 100);
    }
    kept_are(t, 100, 10); /* the large one went */
    loam_slabs_shrink(ground.slabs);
    for (unsigned i = 0; i < 33; i++)
        p[i] = ground_get(t, 3 * LOAM_PAGE_SIZE);
    for (unsigned i = 0; i < 33; i++)
        put(t, p[i]);
    put(t, ground_get(t, 200 * 1024)); /* more small ones would have to go than may go at once */
    kept_are(t, 75, 25);
}

/* What was freed last lies apart: given first if it is as long, else behind what the lists have. It
 * counts, takes its turn when there is too much, and is no less bounded than others. */
static void last_one(tap *t)
{
    ground_start(t, 512, "shift=14,keep_large=400K");
    slab_kept *k = ground.slabs->kept;
    unsigned char *p = ground_get(t, 40 * LOAM_PAGE_SIZE), *q = ground_get(t, 40 * LOAM_PAGE_SIZE);
    unsigned char *r = ground_get(t, 30 * LOAM_PAGE_SIZE), *u = ground_get(t, 40 * LOAM_PAGE_SIZE);
    put(t, p);
    TAP_CHECK(t, k->last != NULL && k->frames == 0);
    kept_are(t, 40, 1);
    TAP_EQ(t, loam_slab__kept_mine(ground.slabs), 40);
    put(t, q);
    TAP_CHECK(t, k->frames == 40);
    kept_are(t, 80, 2);
    TAP_CHECK(t,
              ground_get(t, 35 * LOAM_PAGE_SIZE) != p && k->frames == 40); /* an eighth is less */
    TAP_CHECK(t, ground_get(t, 38 * LOAM_PAGE_SIZE) == p && k->last != NULL);
    put(t, p);
    TAP_CHECK(t, ground_get(t, 40 * LOAM_PAGE_SIZE) == p && k->last == NULL);
    TAP_CHECK(t, ground_get(t, 36 * LOAM_PAGE_SIZE) == q && k->frames == 0);
    put(t, q);
    TAP_CHECK(t, ground_get(t, 36 * LOAM_PAGE_SIZE) == q && k->last == NULL); /* no list has one */
    put(t, p);
    put(t, q);
    put(t, r); /* both would be too many: what came first goes, then the other waits on a list */
    TAP_CHECK(t, k->last == NULL);
    kept_are(t, 70, 2);
    put(t, u); /* nothing lies apart, and the lists have too much for it to */
    TAP_CHECK(t, k->last == NULL);
    kept_are(t, 80, 2);
    put(t, ground_get(t, 20 * LOAM_PAGE_SIZE));
    TAP_CHECK(t, k->last != NULL);
    p = ground_get(t, 41 * LOAM_PAGE_SIZE);
    TAP_CHECK(t, slab_large_bytes(slab_desc_at(ground.slabs, slab_off(ground.slabs, p))) ==
                     41 * LOAM_PAGE_SIZE);
    loam_slabs_shrink(ground.slabs);
    kept_are(t, 0, 0);
    put(t, p);
    TAP_CHECK(t, k->last != NULL && k->frames == 0);
    loam_slabs_shrink(ground.slabs);
    kept_are(t, 0, 0);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

/* Who alone keeps something has what all may have. */
static void more_alone(tap *t)
{
    ground.keep_total = 1600 << 10;
    ground_start(t, 512, "shift=14,keep_large=400K");
    ground.keep_total = 0;
    put(t, ground_get(t, 801 * 1024));
    kept_are(t, 0, 0);
    unsigned char *p = ground_get(t, 800 * 1024), *q = ground_get(t, 200 * 1024);
    put(t, q);
    put(t, p);
    kept_are(t, 250, 2);
    ground.left = 0; /* the zone is not asked */
    TAP_CHECK(t, ground_get(t, 800 * 1024) == p && ground_get(t, 200 * 1024) == q);
    kept_are(t, 0, 0);
    ground.left = GROUND_ALL;
}

static void all_go(tap *t)
{
    ground_free before;
    ground_start(t, 512, "shift=14,keep_large=1M");
    loam_slabs_shrink(ground.slabs);
    ground_look(&before);
    unsigned char *p = ground_get(t, LARGE), *q = ground_get(t, 50000);
    put(t, p);
    put(t, q);
    kept_are(t, LARGE_FRAMES + 13, 2);
    loam_slabs_shrink(ground.slabs);
    kept_are(t, 0, 0);
    ground_same(t, &before);
}

/* What is kept goes before NULL is the answer. */
static void goes_when_short(tap *t)
{
    void *p[40];
    unsigned n = 0;
    ground_start(t, 256, "shift=14,keep_large=2M");
    for (unsigned i = 0; i < 6; i++)
        p[i] = ground_get(t, 30 * LOAM_PAGE_SIZE);
    for (unsigned i = 0; i < 6; i++)
        put(t, p[i]);
    kept_are(t, 180, 6);
    while (n < 40 && (p[n] = loam_kmalloc_alloc(ground.k, 9 * LOAM_PAGE_SIZE)) != NULL)
        n++;
    TAP_CHECK(t, n >= 15);
    kept_are(t, 0, 0);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

/* The frames of a slab that is no more needed become another class's slab, or a large block. */
static void slabs_too(tap *t)
{
    void *p[16];
    ground_start(t, 512, "shift=16,keep_large=1M");
    for (unsigned i = 0; i < 16; i++)
        p[i] = ground_get(t, 16384);
    for (unsigned i = 0; i < 16; i++)
        put(t, p[i]);
    kept_are(t, 48, 3); /* and one that the class keeps */
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p[15]), "double free", "free");
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p[0]), "double free", "free");
    ground.left = 0;
    p[0] = ground_get(t, 24576);
    p[1] = ground_get(t, 8192);
    p[2] = ground_get(t, 65536);
    kept_are(t, 0, 0);
    TAP_EQ(t, loam_kmalloc_size(ground.k, p[2]), 65536);
    for (unsigned i = 0; i < 3; i++)
        put(t, p[i]);
    ground.left = GROUND_ALL;
}

static const char *const unkept[] = {"guard", "poison", "quarantine", "zero", "random"};

static void start_unkept(tap *t, const char *mode)
{
    char text[64];
    loam_text word;
    loam_text_init(&word, text, sizeof text);
    loam_text_fmt(&word, "shift=14,keep_large=1M,%s", mode);
    ground_start(t, 512, text);
}

static void not_with_these(tap *t)
{
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(unkept); i++) {
        start_unkept(t, unkept[i]);
        TAP_CHECK(t, ground.slabs->kept == NULL);
        put(t, ground_get(t, LARGE));
        kept_are(t, 0, 0);
    }
    ground_start(t, 512, "shift=14");
    TAP_CHECK(t, ground.slabs->kept == NULL);
    ground_start(t, 512, "shift=14,keep_large=1M,keep_empty=no");
    put(t, ground_get(t, 64));
    kept_are(t, 0, 0);
}

/* A block that grows by a page each time moves each time it is a quarter larger, no more often. */
static unsigned char *grow(tap *t, unsigned char *p)
{
    unsigned moves = 0;
    for (size_t size = 40000; size < 400000; size += LOAM_PAGE_SIZE) {
        unsigned char *q = loam_kmalloc_realloc(ground.k, p, size);
        TAP_CHECK(t, q != NULL && loam_kmalloc_size(ground.k, q) >= size);
        moves += q != p;
        p = q;
        p[size - 1] = 1;
    }
    TAP_CHECK(t, moves <= 12);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    return p;
}

static void grows_with_room(tap *t)
{
    loam_kmalloc_stats stats;
    ground_start(t, 512, "shift=14,keep_large=1M");
    unsigned char *p = grow(t, ground_get(t, 40000));
    loam_kmalloc_stat(ground.k, &stats);
    TAP_EQ(t, stats.used_blocks, 1);
    unsigned char *q = loam_kmalloc_realloc(ground.k, p, 30000); /* less than half: no room more */
    TAP_EQ(t, loam_kmalloc_size(ground.k, q), 32768);
    put(t, q);
}

/* The same where nothing is kept because of a mode. */
static void grows_with_modes(tap *t)
{
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(unkept); i++) {
        start_unkept(t, unkept[i]);
        put(t, grow(t, ground_get(t, 40000)));
    }
}

/* Free frames behind a block become its own, and go back when it shrinks; no byte is moved. */
static void grows_in_place(tap *t)
{
    ground_free before;
    ground_start(t, 512, "shift=14,keep_large=1M");
    loam_slabs_shrink(ground.slabs);
    ground_look(&before);
    unsigned char *small =
        ground_get(t, 20); /* descriptors have their frames: none is taken behind p */
    unsigned char *p = ground_get(t, 40000);
    uint64_t free_pages = loam_zone_free_pages(ground.zone);
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, p, 400000) == p);
    TAP_CHECK(t, loam_kmalloc_size(ground.k, p) >= 400000);
    p[399999] = 1;
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, p, 430000) == p); /* by little: with room */
    TAP_CHECK(t, loam_kmalloc_size(ground.k, p) >= 470000);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    TAP_RULE(t, loam_zone_check(ground.zone), NULL);
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p + 65536), "inner free", "inner");
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, p, 40000) == p);
    TAP_EQ(t, loam_zone_free_pages(ground.zone), free_pages);
    TAP_RULE(t, loam_zone_check(ground.zone), NULL);
    unsigned char *q = ground_get(t, 40000); /* at 64 KiB: in the way of more than that */
    TAP_EQ(t, q - p, 65536);
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, p, 65000) == p);
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, p, 70000) != p);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    put(t, q);
    put(t, small);
    loam_kmalloc_stats stats;
    loam_kmalloc_stat(ground.k, &stats);
    TAP_EQ(t, stats.used_blocks, 1);
    ground_start(t, 512, "shift=14"); /* nothing kept: each block as it is asked for */
    p = ground_get(t, 40000);
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, p, 100000) != p);
}

static void rules(tap *t)
{
    ground_start(t, 512, "shift=14,keep_large=1M");
    unsigned char *p = ground_get(t, LARGE), *q = ground_get(t, LARGE), *r = ground_get(t, LARGE),
                  *l = ground_get(t, LARGE);
    slab_desc *last = slab_desc_at(ground.slabs, slab_off(ground.slabs, l));
    slab_desc *d = slab_desc_at(ground.slabs, slab_off(ground.slabs, p));
    slab_desc *out = slab_desc_at(ground.slabs, slab_off(ground.slabs, r));
    slab_kept *k = ground.slabs->kept;
    put(t, q);
    put(t, p);
    put(t, l);
    unsigned i = loam_ctz64(k->lists);
    TAP_CHECK(t, k->list[i] == d && k->last == last);
    GROUND_BREAKS(t, k->last, NULL, "S17");
    GROUND_BREAKS(t, k->last, d, "S17");
    GROUND_BREAKS(t, k->last, out, "S17");
    GROUND_BREAKS(t, k->last, &out->link, "S17");
    GROUND_BREAKS(t, k->last_frames, 24, "S17");
    GROUND_BREAKS(t, last->large, SLAB_LARGE_OUT, "S17");
    GROUND_BREAKS(t, k->frames, 49, "S17");
    GROUND_BREAKS(t, k->blocks, 3, "S17");
    GROUND_BREAKS(t, k->lists, 0, "S17");
    GROUND_BREAKS(t, k->lists, k->lists | 1, "S17");
    GROUND_BREAKS(t, k->list[i], d->next, "S17");
    GROUND_BREAKS(t, k->list[i + 1], d, "S17");
    GROUND_BREAKS(t, d->next, d, "S17");
    GROUND_BREAKS(t, d->next, out, "S17");
    GROUND_BREAKS(t, d->large, SLAB_LARGE_OUT, "S17");
    GROUND_BREAKS(t, out->large, 0, "S17");
    GROUND_BREAKS(t, ground.slabs->kept_total, 40, "S17");
    GROUND_BREAKS(t, ground.slabs->kept_end, 0, "S17"); /* a fork would leave the part alone */
    put(t, r);
}

static const tap_case cases[] = {
    {"slab_kept: freed and asked for again: the same block, no call of the zone", given_again},
    {"slab_kept: an eighth more at most, never less", only_what_fits},
    {"slab_kept: double frees, and inner ones: refused, a free block", refused},
    {"slab_kept: stats and each: it is not out", counts_as_free},
    {"slab_kept: never more than the limit, no block of more than half", bounded},
    {"slab_kept: the block freed last: apart, first, bounded", last_one},
    {"slab_kept: of one processor: so much as all may keep", more_alone},
    {"slab_kept: shrink: the zone is as before", all_go},
    {"slab_kept: memory is short: it goes before NULL is the answer", goes_when_short},
    {"slab_kept: frames of an empty slab: another slab, or a large block", slabs_too},
    {"slab_kept: modes that look at freed memory: nothing is kept", not_with_these},
    {"slab_kept: realloc: a block that grows moves seldom", grows_with_room},
    {"slab_kept: realloc: a block that grows moves seldom, with modes", grows_with_modes},
    {"slab_kept: realloc: free frames behind a block are taken, and given back", grows_in_place},
    {"slab_kept: each part changed: S17", rules},
};
TAP_SUITE(slab_kept_test, cases);
