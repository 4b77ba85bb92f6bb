/* SPDX-License-Identifier: MIT */
/* slab_test.c - caches by example: what is given out, what is refused, what goes back. */
#include "slab_ground.h"

static loam_cache *make(tap *t, size_t size, size_t align)
{
    loam_cache *c = loam_cache_create(ground.slabs, "things", size, align, NULL, NULL);
    TAP_CHECK(t, c != NULL);
    return c;
}

static unsigned char *get(tap *t, loam_cache *c)
{
    unsigned char *p = loam_cache_alloc(c);
    TAP_CHECK(t, p != NULL);
    return p;
}

static void put(tap *t, loam_cache *c, void *p)
{
    TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
}

static uint64_t slabs_of(const loam_cache *c)
{
    loam_cache_stats stats;
    loam_cache_stat(c, &stats);
    return stats.slabs;
}

static uint64_t used_of(const loam_cache *c)
{
    loam_cache_stats stats;
    loam_cache_stat(c, &stats);
    return stats.used;
}

/* ---- the division that is a multiplication ---- */

/* Every offset of a 64 KiB slab, against counting. */
static bool divides(uint32_t stride)
{
    uint32_t recip = slab_reciprocal(stride), slots = 65536 / stride, slot = 0, inside = 0;
    uint32_t bound = slab_bound(stride, slots);
    for (uint32_t off = 0; off < 65536; off++) {
        uint64_t x = (uint64_t)off * recip;
        if ((uint32_t)(x >> 32) != slot || ((uint32_t)x < recip) != (inside == 0))
            return false;
        if (((uint32_t)x <= bound) != (inside == 0 && slot < slots))
            return false;
        inside++;
        slot += inside == stride;
        inside = inside == stride ? 0 : inside;
    }
    return true;
}

static void reciprocal_of_classes(tap *t)
{
    ground_start(t, 256, "shift=16");
    for (loam_list *n = ground.slabs->caches.next; n != &ground.slabs->caches; n = n->next) {
        const loam_cache *c = LOAM_CONTAINER_OF(n, loam_cache, link);
        TAP_CHECK(t, divides((uint32_t)c->stride));
        TAP_EQ(t, c->recip, slab_reciprocal((uint32_t)c->stride));
    }
}

static void reciprocal_of_others(tap *t)
{
    static const uint32_t edge[] = {8, 24, 32776, 65528, 65535, 65536, 21845, 32767, 32769};
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(edge); i++)
        TAP_CHECK(t, divides(edge[i]));
    for (unsigned i = 0; i < 40; i++)
        TAP_CHECK(t, divides(8 + (uint32_t)tap_below(t, 65529)));
}

/* ---- caches ---- */

static void create_refuses(tap *t)
{
    ground_start(t, 256, "shift=14");
    loam_slabs *s = ground.slabs;
    ground_free before;
    ground_look(&before);
    TAP_CHECK(t, loam_cache_create(s, "none", 0, 0, NULL, NULL) == NULL);
    TAP_CHECK(t, loam_cache_create(s, "large", 8193, 0, NULL, NULL) == NULL);
    TAP_CHECK(t, loam_cache_create(s, "huge", SIZE_MAX, 0, NULL, NULL) == NULL);
    TAP_CHECK(t, loam_cache_create(s, "odd", 8, 24, NULL, NULL) == NULL);
    TAP_CHECK(t, loam_cache_create(s, "wide", 8, 16384, NULL, NULL) == NULL);
    ground_same(t, &before);
    TAP_RULE(t, loam_slabs_check(s), NULL);
}

static void fills_a_slab(tap *t)
{
    static const size_t sizes[][3] = {{1, 0, 8},     {8, 0, 8},       {24, 0, 24},  {24, 64, 64},
                                      {100, 8, 104}, {2048, 0, 2048}, {33, 32, 64}, {16, 0, 16}};
    ground_start(t, 256, "shift=12");
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(sizes); i++) {
        loam_cache *c = make(t, sizes[i][0], sizes[i][1]);
        loam_cache_stats stats;
        size_t stride = sizes[i][2];
        if (stride == 24 && sizeof(void *) == 8)
            stride = 32;
        unsigned char *first = get(t, c);
        for (size_t n = 1; n < 4096 / stride; n++)
            TAP_CHECK(t, get(t, c) == first + n * stride);
        TAP_EQ(t, slabs_of(c), 1);
        TAP_CHECK(t, get(t, c) != NULL);
        loam_cache_stat(c, &stats);
        TAP_EQ(t, stats.slabs, 2);
        TAP_EQ(t, stats.stride, stride);
        TAP_EQ(t, stats.used, 4096 / stride + 1);
        TAP_EQ(t, stats.slots, 2 * (4096 / stride));
        TAP_RULE(t, loam_slabs_check(ground.slabs), NULL);
    }
}

static void recent_first(tap *t)
{
    ground_start(t, 256, "shift=16");
    loam_cache *c = make(t, 64, 0);
    unsigned char *p[300];
    for (unsigned i = 0; i < 300; i++)
        p[i] = get(t, c);
    put(t, c, p[10]);
    put(t, c, p[200]);
    TAP_CHECK(t, loam_cache_alloc(c) == p[200]);
    put(t, c, p[100]);
    put(t, c, p[90]);
    TAP_CHECK(t, loam_cache_alloc(c) == p[90]);
    TAP_CHECK(t, loam_cache_alloc(c) == p[100]);
    TAP_RULE(t, loam_slabs_check(ground.slabs), NULL);
}

/* A word that was begun comes before a new one, whose memory may not be there, in any slab. */
static void new_words_last(tap *t)
{
    unsigned char *p[64];
    ground_start(t, 256, "shift=12");
    loam_cache *c = make(t, 32, 0);
    unsigned char *first = get(t, c);
    for (unsigned i = 1; i < 128; i++)
        TAP_CHECK(t, get(t, c) == first + (size_t)i * 32);
    for (unsigned i = 0; i < 64; i++)
        p[i] = get(t, c); /* the first of two words of the second slab */
    TAP_EQ(t, slabs_of(c), 2);
    put(t, c, first + (size_t)70 * 32);
    put(t, c, p[5]);
    TAP_CHECK(t, get(t, c) == p[5]);
    TAP_CHECK(t, get(t, c) == first + (size_t)70 * 32);
    TAP_CHECK(t, get(t, c) == p[63] + 32);
    TAP_RULE(t, loam_slabs_check(ground.slabs), NULL);
}

/* A slot free in each of several full slabs, freed from the highest down, then up: who has used up
 * the current one goes on in the lowest. */
static void lowest_slab_first(tap *t)
{
    enum { SLABS = 8, SLOTS = 16 };
    static const unsigned order[][SLABS] = {{7, 6, 5, 4, 3, 2, 1, 0}, {0, 1, 2, 3, 4, 5, 6, 7}};
    unsigned char *p[SLABS];
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(order); i++) {
        ground_start(t, 256, "shift=12");
        loam_cache *c = make(t, 256, 0);
        for (unsigned n = 0; n < SLABS * SLOTS; n++)
            p[n / SLOTS] = get(t, c);
        for (unsigned n = 0; n < SLABS; n++)
            put(t, c, p[order[i][n]]);
        TAP_CHECK(t, get(t, c) == p[order[i][SLABS - 1]]); /* the current one */
        unsigned char *last = NULL;
        for (unsigned n = 1; n < SLABS; n++) {
            unsigned char *next = get(t, c);
            TAP_CHECK(t, next > last);
            last = next;
        }
        TAP_RULE(t, loam_slabs_check(ground.slabs), NULL);
    }
}

static void fill_and_empty(tap *t, const char *options)
{
    static unsigned char *p[2000];
    ground_free before;
    ground_start(t, GROUND_FRAMES, options);
    loam_cache *c = make(t, 192, 0);
    ground_look(&before);
    for (unsigned i = 0; i < 2000; i++)
        p[i] = get(t, c);
    TAP_EQ(t, used_of(c), 2000);
    for (unsigned i = 0; i < 2000; i += 2)
        put(t, c, p[i]);
    TAP_RULE(t, loam_slabs_check(ground.slabs), NULL);
    for (unsigned i = 1; i < 2000; i += 2)
        put(t, c, p[i]);
    TAP_EQ(t, used_of(c), 0);
    if (ground.config.keep_empty) {
        TAP_EQ(t, slabs_of(c), 1);
        loam_slabs_shrink(ground.slabs);
    }
    TAP_EQ(t, slabs_of(c), 0);
    ground_same(t, &before);
    TAP_RULE(t, loam_slabs_check(ground.slabs), NULL);
}

static void keeps_one_empty(tap *t)
{
    fill_and_empty(t, "shift=14");
}

static void keeps_none(tap *t)
{
    fill_and_empty(t, "shift=12,keep_empty=no");
    fill_and_empty(t, "shift=14,keep_empty=no");
}

/* ---- wrong frees ---- */

static void free_refuses(tap *t)
{
    ground_start(t, 256, "shift=14");
    loam_cache *c = make(t, 48, 0), *other = make(t, 48, 0);
    unsigned char *p = get(t, c), *q = get(t, c), outside[8];
    TAP_EQ(t, loam_cache_free(c, NULL), LOAM_OK);
    GROUND_REFUSED(t, loam_cache_free(c, p + 16), "inner free", "inner");
    GROUND_REFUSED(t, loam_cache_free(c, p + 47), "misaligned free", "misaligned");
    GROUND_REFUSED(t, loam_cache_free(c, p + 1), "misaligned free", "misaligned");
    GROUND_REFUSED(t, loam_cache_free(other, p), "free to the wrong cache", "other's");
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p), "free to the wrong cache", "other's");
    GROUND_REFUSED(t, loam_cache_free(c, outside), "foreign free", "outside");
    GROUND_REFUSED(t, loam_cache_free(c, (void *)8), "foreign free", "outside");
    GROUND_REFUSED(t, loam_cache_free(c, ground.slabs), "foreign free", "slab");
    GROUND_REFUSED(t, loam_cache_free(c, ground_arena + 255 * 4096), "double free", "free");
    GROUND_REFUSED(t, loam_cache_free(c, p + 96), "double free", "free");
    GROUND_REFUSED(t, loam_cache_free(c, p + 16384 - 16), "inner free", "inner");
    put(t, c, p);
    GROUND_REFUSED(t, loam_cache_free(c, p), "double free", "free");
    TAP_EQ(t, t->report.value, (uintptr_t)p);
    TAP_EQ(t, t->report.size, 48);
    TAP_STR(t, t->report.name, "things");
    TAP_CHECK(t, t->report.caller != NULL);
    TAP_EQ(t, used_of(c), 1);
    put(t, c, q);
}

/* 48 bytes: 341 slots and 16 bytes left over, where a slot would start. */
static void free_behind_the_last(tap *t)
{
    ground_start(t, 256, "shift=14");
    static const size_t sizes[] = {48, 112, 1344, 5120, 3072};
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(sizes); i++) {
        loam_cache *c = make(t, sizes[i], 0);
        unsigned char *p = get(t, c);
        size_t slots = 16384 / sizes[i];
        GROUND_REFUSED(t, loam_cache_free(c, p + slots * sizes[i]), "inner free", "inner");
    }
}

/* ---- constructors, destruction, views ---- */

static unsigned constructed;

static void construct(void *ctx, void *object)
{
    constructed++;
    *(uint32_t *)object = *(const uint32_t *)ctx;
}

static void ctor_once(tap *t, const char *options)
{
    uint32_t mark = 0xabcd1234;
    constructed = 0;
    ground_start(t, 256, options);
    loam_cache *c = loam_cache_create(ground.slabs, "made", 1000, 0, construct, &mark);
    TAP_CHECK(t, c != NULL);
    TAP_EQ(t, constructed, 0);
    uint32_t *p = loam_cache_alloc(c);
    TAP_EQ(t, constructed, c->slots);
    TAP_EQ(t, *p, mark);
    *p = 77;
    put(t, c, p);
    loam_slabs_shrink(ground.slabs);
    p = loam_cache_alloc(c);
    TAP_EQ(t, constructed, 2 * c->slots);
    TAP_EQ(t, *p, mark);
    uint32_t *q = loam_cache_alloc(c);
    TAP_EQ(t, *q, mark);
    TAP_EQ(t, constructed, 2 * c->slots);
    TAP_RULE(t, loam_slabs_check(ground.slabs), NULL);
}

static void ctor_runs_once(tap *t)
{
    ctor_once(t, "shift=14");
    ctor_once(t, "shift=14,guard,poison,zero,quarantine,owner,random");
}

static void destroys(tap *t)
{
    ground_free before;
    ground_start(t, 256, "shift=14");
    loam_slabs_shrink(ground.slabs);
    ground_look(&before);
    loam_cache *c[30];
    for (unsigned i = 0; i < 30; i++)
        c[i] = make(t, 64, 0);
    void *p = get(t, c[7]);
    TAP_EQ(t, loam_cache_destroy(c[7]), LOAM_EBUSY);
    put(t, c[7], p);
    for (unsigned i = 0; i < 30; i++)
        TAP_EQ(t, loam_cache_destroy(c[i]), LOAM_OK);
    loam_slabs_shrink(ground.slabs);
    ground_same(t, &before);
    loam_cache *class = LOAM_CONTAINER_OF(ground.slabs->caches.next, loam_cache, link);
    TAP_EQ(t, loam_cache_destroy(class), LOAM_EINVAL);
    TAP_RULE(t, loam_slabs_check(ground.slabs), NULL);
}

typedef struct seen {
    unsigned count, slots, free, stop;
    uintptr_t last;
    bool ascending;
} seen;

static bool see_slab(void *ctx, const void *base, unsigned slots, size_t stride,
                     const uint64_t *free_words)
{
    seen *s = ctx;
    s->ascending = s->ascending && (uintptr_t)base > s->last && stride == 512;
    s->last = (uintptr_t)base;
    s->slots += slots;
    s->free += loam_popcount64(free_words[0]);
    return ++s->count != s->stop;
}

static void shows_slabs(tap *t)
{
    ground_start(t, 256, "shift=12");
    loam_cache *c = make(t, 512, 0);
    void *p[60];
    for (unsigned i = 0; i < 60; i++)
        p[i] = get(t, c);
    put(t, c, p[3]);
    put(t, c, p[30]);
    seen s = {.ascending = true};
    loam_cache_each_slab(c, see_slab, &s);
    TAP_EQ(t, s.count, 8);
    TAP_EQ(t, s.slots, 64);
    TAP_EQ(t, s.free, 6);
    TAP_CHECK(t, s.ascending);
    s = (seen){.ascending = true, .stop = 3};
    loam_cache_each_slab(c, see_slab, &s);
    TAP_EQ(t, s.count, 3);
}

static bool see_cache(void *ctx, loam_cache *c)
{
    seen *s = ctx;
    loam_cache_stats stats;
    loam_cache_stat(c, &stats);
    s->ascending = s->ascending && stats.size > s->last;
    s->last = stats.size;
    return ++s->count != s->stop;
}

static void shows_caches(tap *t)
{
    ground_start(t, 256, "shift=14");
    seen s = {.ascending = true};
    loam_slabs_each_cache(ground.slabs, see_cache, &s);
    TAP_CHECK(t, s.ascending && s.count > 20 && s.last == 8192);
    make(t, 8, 0);
    unsigned classes = s.count;
    s = (seen){.ascending = true};
    loam_slabs_each_cache(ground.slabs, see_cache, &s);
    TAP_EQ(t, s.count, classes + 1);
    TAP_EQ(t, s.last, 8);
    s = (seen){.stop = 2};
    loam_slabs_each_cache(ground.slabs, see_cache, &s);
    TAP_EQ(t, s.count, 2);
}

/* ---- the layer ---- */

static void tiny_machine(tap *t)
{
    ground_start(t, 16, "");
    TAP_EQ(t, ground.slabs->shift, 12);
    unsigned n = 0;
    void *p[1000];
    while (n < 1000 && (p[n] = loam_kmalloc_alloc(ground.k, 16 + n % 100)) != NULL)
        n++;
    TAP_CHECK(t, n >= 100);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    while (n > 0)
        TAP_EQ(t, loam_kmalloc_free(ground.k, p[--n]), LOAM_OK);
    TAP_CHECK(t, loam_kmalloc_alloc(ground.k, 2048) != NULL);
}

static void init_refuses(tap *t)
{
    loam_slab_config config;
    loam_slab_config_init(&config);
    ground_zone(t, 64);
    ground_free before;
    ground_look(&before);
    config.shift = 11;
    TAP_CHECK(t, loam_slabs_init(ground.zone, &config) == NULL);
    config.shift = 17;
    TAP_CHECK(t, loam_slabs_init(ground.zone, &config) == NULL);
    config.shift = 0;
    config.modes = LOAM_SLAB_ALL_MODES + 1;
    TAP_CHECK(t, loam_slabs_init(ground.zone, &config) == NULL);
    config.modes = 0;
    for (ground.left = 0; ground.left < 2; ground.left++) {
        unsigned left = ground.left;
        TAP_CHECK(t, loam_slabs_init(ground.zone, &config) == NULL);
        ground_same(t, &before);
        ground.left = left;
    }
    loam_slabs *s = loam_slabs_init(ground.zone, &config);
    TAP_CHECK(t, s != NULL);
    ground_look(&before);
    for (unsigned i = 0; i < sizeof(void *) / 4; i++) { /* frames for 24 caches */
        ground.left = i;
        TAP_CHECK(t, loam_kmalloc_init(s) == NULL);
        ground_same(t, &before);
    }
    TAP_RULE(t, loam_slabs_check(s), NULL);
}

static void without_linear_map(tap *t)
{
    loam_zone_config z;
    loam_slab_config config;
    loam_span ram = {GROUND_PA, 64 << LOAM_PAGE_SHIFT};
    loam_slab_config_init(&config);
    loam_zone_config_init(&z);
    ground.zone = loam_zone_init(ground_meta, GROUND_META, false, &ram, 1, &z);
    TAP_CHECK(t, loam_slabs_init(ground.zone, &config) == NULL);
    z.linear = (loam_linear){GROUND_PA, ram.len, ground_arena + 64};
    ground.zone = loam_zone_init(ground_meta, GROUND_META, false, &ram, 1, &z);
    TAP_CHECK(t, loam_slabs_init(ground.zone, &config) == NULL);
}

/* Each block lies before the end. */
static void fill_before(tap *t, const unsigned char *end, size_t size)
{
    unsigned n = 0;
    for (unsigned char *p; (p = loam_kmalloc_alloc(ground.k, size)) != NULL; n++)
        TAP_CHECK(t, p + size <= end);
    TAP_CHECK(t, n != 0);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

/* The map ends a page behind the first half of the zone: inside a slab, or a large block. */
static void map_ends_in_a_slab(tap *t)
{
    static const size_t sizes[] = {8192, 5000, 64, 40000, 12289};
    uint64_t mapped = (GROUND_FRAMES / 2 + 1) << LOAM_PAGE_SHIFT;
    loam_span ram = {GROUND_PA, GROUND_FRAMES << LOAM_PAGE_SHIFT};
    for (size_t i = 0; i < LOAM_ARRAY_LEN(sizes); i++) {
        loam_zone_config z;
        loam_zone_config_init(&z);
        loam_slab_config_init(&ground.config);
        z.lowest = true;
        z.limit = 1ULL << 52;
        z.linear = (loam_linear){GROUND_PA, mapped, ground_arena};
        ground.zone = loam_zone_init(ground_meta, GROUND_META, false, &ram, 1, &z);
        TAP_EQ(t,
               loam_zone_add(ground.zone, loam_pfn_of(GROUND_PA >> LOAM_PAGE_SHIFT), GROUND_FRAMES),
               LOAM_OK);
        ground.slabs = loam_slabs_init(ground.zone, &ground.config);
        TAP_CHECK(t, ground.slabs != NULL && ground.slabs->shift == 14);
        ground.k = loam_kmalloc_init(ground.slabs);
        fill_before(t, ground_arena + mapped, sizes[i]);
    }
}

/* A map with room for the layer's first frame, not for its table. */
static void map_ends_in_the_layer(tap *t)
{
    loam_zone_config z;
    loam_slab_config config;
    loam_span ram = {GROUND_PA, 64 << LOAM_PAGE_SHIFT};
    loam_slab_config_init(&config);
    config.modes = LOAM_SLAB_QUARANTINE; /* a ring of 8 KiB */
    config.shift = 12;
    loam_zone_config_init(&z);
    z.lowest = true;
    z.linear = (loam_linear){GROUND_PA, LOAM_PAGE_SIZE, ground_arena};
    ground.zone = loam_zone_init(ground_meta, GROUND_META, false, &ram, 1, &z);
    TAP_EQ(t, loam_zone_add(ground.zone, loam_pfn_of(GROUND_PA >> LOAM_PAGE_SHIFT), 64), LOAM_OK);
    TAP_CHECK(t, loam_slabs_init(ground.zone, &config) == NULL);
    TAP_EQ(t, loam_zone_free_pages(ground.zone), 64);
}

static void sizes_by_memory(tap *t)
{
    ground_start(t, 511, "");
    TAP_EQ(t, ground.slabs->shift, 12);
    ground_start(t, 512, "");
    TAP_EQ(t, ground.slabs->shift, 14);
}

/* Each request for frames fails once; nothing is lost and nothing is broken. They are for the slab,
 * a leaf, and its words with the records, if the caches' frame has no room for those. */
static void no_memory(tap *t)
{
    void *p = NULL;
    for (unsigned n = 0; p == NULL && n < 4; n++) {
        ground_free before;
        ground_start(t, 256, "shift=12,keep_empty=no,owner");
        loam_cache *c = make(t, 16, 0);
        ground_look(&before);
        ground.left = n;
        p = loam_cache_alloc(c);
        TAP_CHECK(t, p == NULL ? n < 3 : n >= 2);
        TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
        ground.left = GROUND_ALL;
        if (p != NULL)
            put(t, c, p);
        loam_slabs_shrink(ground.slabs);
        ground_same(t, &before);
    }
}

static void takes_from_others(tap *t)
{
    ground_start(t, 64, "shift=12");
    loam_cache *a = make(t, 2048, 0), *b = make(t, 1024, 0);
    put(t, b, get(t, b));
    TAP_EQ(t, slabs_of(b), 1);
    while (loam_cache_alloc(a) != NULL)
        continue;
    TAP_EQ(t, slabs_of(b), 0);
    TAP_EQ(t, loam_zone_free_pages(ground.zone), 0);
}

static const tap_case cases[] = {
    {"slab_reciprocal: every class, every offset: slot and start exact", reciprocal_of_classes},
    {"slab_reciprocal: other strides, every offset: slot and start exact", reciprocal_of_others},
    {"cache_create: arguments out of range: NULL, nothing taken", create_refuses},
    {"cache_alloc: a slab's worth: every slot in order, then the next slab", fills_a_slab},
    {"cache_alloc: after frees: recent memory first", recent_first},
    {"cache_alloc: words begun and new ones: those that were begun first", new_words_last},
    {"cache_alloc: slots free in many slabs: the lowest slab first", lowest_slab_first},
    {"cache_free: everything: one empty slab stays until shrunk", keeps_one_empty},
    {"cache_free: everything, keep_empty=no: the zone is as before", keeps_none},
    {"cache_free: what is no object of it: refused by name", free_refuses},
    {"cache_free: where one more slot would start: refused", free_behind_the_last},
    {"cache_create: constructor: once a slot, when its slab is made", ctor_runs_once},
    {"cache_destroy: busy, then empty: refused, then all goes back", destroys},
    {"cache_each_slab: some freed: by address, with their bits", shows_slabs},
    {"slabs_each_cache: classes and one more: in order of creation", shows_caches},
    {"slabs_init: 16 pages in all: small objects", tiny_machine},
    {"slabs_init: bad config or no memory: NULL, nothing taken", init_refuses},
    {"slabs_init: no linear map, or a crooked one: NULL", without_linear_map},
    {"slabs_init: a map that ends in its table: NULL, nothing taken", map_ends_in_the_layer},
    {"kmalloc: the map ends in a slab or a block: nothing lies behind it", map_ends_in_a_slab},
    {"slabs_init: default slab size: by RAM", sizes_by_memory},
    {"cache_alloc: the n-th request for frames fails: nothing lost", no_memory},
    {"cache_alloc: no frames left: those kept by others are used", takes_from_others},
};

TAP_SUITE(slab_test, cases);
