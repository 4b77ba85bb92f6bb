/* SPDX-License-Identifier: MIT */
/* slab_apart_test.c - the layer's own things in a zone apart (config.meta), and its pages that are
 * sealed (config.seal): no object's frame holds any, and what is sealed is never written again. */
#include "../../core/kmalloc_impl.h"
#include "slab_ground.h"

enum {
    BLOCKS = 256,
    OWN = 192,
    SEALS = 4
}; /* frames of the arena: of blocks, of the layer's own */

static unsigned char own_meta[16 * 1024] __attribute__((aligned(64)));
static unsigned own_left; /* requests to the own zone that succeed, or GROUND_ALL */
static loam_zone *own;

static struct {
    unsigned count;
    unsigned char *at[SEALS];
    size_t len[SEALS];
    uint64_t sum[SEALS];
} sealed;

static uint64_t sum_of(const unsigned char *at, size_t len)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < len; i++)
        sum = sum * 31 + at[i];
    return sum;
}

static void note_seal(void *va, size_t len)
{
    if (sealed.count < SEALS) {
        sealed.at[sealed.count] = va;
        sealed.len[sealed.count] = len;
        sealed.sum[sealed.count] = sum_of(va, len);
    }
    sealed.count++;
}

static bool own_refuse(void *ctx, unsigned order)
{
    (void)ctx;
    (void)order;
    bool refused = own_left == 0;
    own_left -= own_left != 0 && own_left != GROUND_ALL;
    return refused;
}

/* The own zone lies behind that of the blocks, at addresses that have nothing to do with theirs. */
static void own_zone(tap *t)
{
    uint64_t pa = GROUND_PA * 3;
    loam_zone_config z;
    loam_span ram = {pa, OWN << LOAM_PAGE_SHIFT};
    loam_zone_config_init(&z);
    z.fronts = false;
    z.lowest = true;
    z.linear = (loam_linear){pa, ram.len, ground_arena + BLOCKS * LOAM_PAGE_SIZE};
    z.refuse = own_refuse;
    own_left = GROUND_ALL;
    own = loam_zone_init(own_meta, sizeof(own_meta), false, &ram, 1, &z);
    TAP_CHECK(t, own != NULL);
    TAP_EQ(t, loam_zone_add(own, loam_pa_to_pfn(loam_pa_of(pa)), OWN), LOAM_OK);
}

static void apart_start(tap *t, const char *options)
{
    ground_zone(t, BLOCKS);
    own_zone(t);
    sealed.count = 0;
    loam_slab_config_init(&ground.config);
    TAP_EQ(t, loam_slab_config_parse(&ground.config, options, NULL), LOAM_OK);
    ground.config.meta = own;
    ground.config.seal = note_seal;
}

static void apart_layers(tap *t, const char *options)
{
    apart_start(t, options);
    ground.slabs = loam_slabs_init(ground.zone, &ground.config);
    ground.k = ground.slabs != NULL ? loam_kmalloc_init(ground.slabs) : NULL;
    TAP_CHECK(t, ground.k != NULL);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

static bool is_own(const void *p)
{
    return (uintptr_t)p - (uintptr_t)(ground_arena + BLOCKS * LOAM_PAGE_SIZE) <
           OWN * LOAM_PAGE_SIZE;
}

static bool is_block(const void *p)
{
    return (uintptr_t)p - (uintptr_t)ground_arena < BLOCKS * LOAM_PAGE_SIZE;
}

/* Every size, some blocks of each; all in p. */
static unsigned take_all(void **p, unsigned cap)
{
    unsigned n = 0;
    for (size_t size = 16; size <= 60000 && n < cap; size += size / 2)
        for (unsigned i = 0; i < 3 && n < cap; i++, n++)
            p[n] = loam_kmalloc_alloc(ground.k, size + i);
    return n;
}

static void nothing_between_blocks(tap *t)
{
    static const char *const modes[] = {"shift=12", "shift=12,guard,quarantine=4K,owner",
                                        "shift=14,random,poison,keep_empty=no"};
    for (unsigned m = 0; m < LOAM_ARRAY_LEN(modes); m++) {
        void *p[64];
        apart_layers(t, modes[m]);
        TAP_EQ(t, loam_zone_free_pages(ground.zone), BLOCKS); /* a layer without a block */
        TAP_CHECK(t, is_own(ground.slabs) && is_own(ground.k) && is_own(ground.k->cache[3]));
        TAP_CHECK(t, is_own((void *)ground.slabs->no_leaf));
        unsigned n = take_all(p, LOAM_ARRAY_LEN(p));
        for (unsigned i = 0; i < n; i++) {
            TAP_CHECK(t, is_block(p[i]));
            const slab_desc *d = slab_desc_at(ground.slabs, slab_off(ground.slabs, p[i]));
            TAP_CHECK(t, is_own(d));
            TAP_CHECK(t, d->kind != SLAB_SLOTS || is_own(d->words));
        }
        TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
        for (unsigned i = 0; i < n; i++)
            TAP_EQ(t, loam_kmalloc_free(ground.k, p[i]), LOAM_OK);
        TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    }
}

/* What was taken for slabs comes back with them, to the very zone. */
static void goes_back(tap *t)
{
    void *p[64];
    apart_layers(t, "shift=12,keep_empty=no");
    uint64_t before = loam_zone_free_pages(own);
    unsigned n = take_all(p, LOAM_ARRAY_LEN(p));
    uint64_t blocks = loam_zone_free_pages(ground.zone);
    TAP_CHECK(t, loam_zone_free_pages(own) < before && blocks < BLOCKS);
    for (unsigned i = 0; i < n; i++)
        TAP_EQ(t, loam_kmalloc_free(ground.k, p[i]), LOAM_OK);
    loam_slabs_shrink(ground.slabs);
    TAP_EQ(t, loam_zone_free_pages(own), before);
    TAP_EQ(t, loam_zone_free_pages(ground.zone), BLOCKS);
    TAP_RULE(t, loam_zone_check(own), NULL);
    TAP_RULE(t, loam_zone_check(ground.zone), NULL);
}

/* The n-th request to the own zone fails: no block, nothing changed; and its frames do not come
 * from the other zone, which has plenty. */
static void own_zone_empty(tap *t)
{
    apart_layers(t, "shift=12");
    own_left = 0;
    uint64_t free = loam_zone_free_pages(own);
    TAP_CHECK(t, loam_kmalloc_alloc(ground.k, 2000) == NULL);
    TAP_CHECK(t, loam_kmalloc_alloc(ground.k, 50000) == NULL);
    TAP_EQ(t, loam_zone_free_pages(ground.zone), BLOCKS);
    TAP_EQ(t, loam_zone_free_pages(own), free);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    own_left = GROUND_ALL;
    TAP_CHECK(t, is_block(loam_kmalloc_alloc(ground.k, 2000)));
    for (unsigned n = 0;; n++) {
        apart_start(t, "shift=12");
        free = loam_zone_free_pages(own);
        own_left = n;
        loam_slabs *s = loam_slabs_init(ground.zone, &ground.config);
        loam_kmalloc *k = s != NULL ? loam_kmalloc_init(s) : NULL;
        TAP_EQ(t, loam_zone_free_pages(ground.zone), BLOCKS);
        TAP_EQ(t, sealed.count, k != NULL);
        if (k != NULL)
            break;
        TAP_CHECK(t, s != NULL || loam_zone_free_pages(own) == free);
    }
}

/* One page that begins and ends as pages do, is used by nothing else, and stays as it is. */
static void sealed_stays(tap *t)
{
    void *p[64];
    apart_layers(t, "shift=12,random,owner");
    TAP_EQ(t, sealed.count, 1);
    TAP_CHECK(t, (void *)sealed.at[0] == (void *)ground.k && is_own(sealed.at[0]));
    TAP_EQ(t, sealed.len[0], LOAM_PAGE_SIZE);
    TAP_EQ(t, (uintptr_t)sealed.at[0] & (LOAM_PAGE_SIZE - 1), 0);
    for (unsigned round = 0; round < 3; round++) {
        unsigned n = take_all(p, LOAM_ARRAY_LEN(p));
        loam_cache *c = loam_cache_create(ground.slabs, "x", 40, 0, NULL, 0);
        TAP_CHECK(t, c != NULL && (uintptr_t)c - (uintptr_t)ground.k >= LOAM_PAGE_SIZE);
        tap_catch(t);
        TAP_EQ(t, loam_kmalloc_free(ground.k, (char *)p[0] + 8), LOAM_EINVAL);
        TAP_EQ(t, tap_caught(t), 1);
        for (unsigned i = 0; i < n; i++)
            TAP_EQ(t, loam_kmalloc_free(ground.k, p[i]), LOAM_OK);
        loam_slabs_shrink(ground.slabs);
        TAP_EQ(t, loam_cache_destroy(c), LOAM_OK);
        TAP_EQ(t, sum_of(sealed.at[0], sealed.len[0]), sealed.sum[0]);
    }
    loam_kmalloc *second = loam_kmalloc_init(ground.slabs);
    TAP_EQ(t, sealed.count, 2);
    TAP_CHECK(t, second != NULL && (void *)sealed.at[1] == (void *)second);
    TAP_CHECK(t, sealed.at[1] - sealed.at[0] >= LOAM_PAGE_SIZE ||
                     sealed.at[0] - sealed.at[1] >= LOAM_PAGE_SIZE);
    TAP_EQ(t, sum_of(sealed.at[0], sealed.len[0]), sealed.sum[0]);
}

static const tap_case cases[] = {
    {"slab config.meta: nothing of the layer's lies between blocks", nothing_between_blocks},
    {"slab config.meta: what slabs needed goes back to it", goes_back},
    {"slab config.meta: its zone is empty: no block, nothing changed", own_zone_empty},
    {"slab config.seal: told of a whole page that nobody writes", sealed_stays},
};
TAP_SUITE(slab_apart_test, cases);
