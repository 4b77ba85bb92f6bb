/* SPDX-License-Identifier: MIT */
/* kmalloc_test.c - any size by example: classes, large blocks, realloc, aligned, refusals,
 * rules. */
#include "slab_ground.h"

static void fill(unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (unsigned char)(i * 7 + 1);
}

static bool filled(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != (unsigned char)(i * 7 + 1))
            return false;
    }
    return true;
}

/* ---- classes ---- */

/* The first class that holds a size, by adding up steps; and one is between them. */
static size_t class_by_steps(size_t size, size_t max)
{
    size_t class = 16, step = 16;
    while (class < size && class <= max) {
        class += step;
        if (class >= 128 && (class & (class - 1)) == 0)
            step = class / 4;
    }
    bool paged = size > 4096 && size <= 4608; /* a page and what is written around it */
    return paged && max >= 8192 ? 4608 : class;
}

static void every_size(tap *t)
{
    static const char *const options[] = {"shift=12", "shift=13", "shift=14", "shift=15",
                                          "shift=16"};
    for (unsigned i = 0; i < 5; i++) {
        ground_start(t, GROUND_FRAMES, options[i]);
        size_t max = (size_t)1 << (11 + i), bad = 0;
        for (size_t size = 1; size <= max + 1; size += 1 + size / 200) {
            unsigned char *p = ground_get(t, size);
            size_t want = size <= max ? class_by_steps(size, max) : max + 4096;
            size_t have = loam_kmalloc_size(ground.k, p);
            bad += size <= max ? have != want : have < size;
            bad += ((uintptr_t)p & 15) != 0;
            ground_put(t, p);
        }
        TAP_EQ(t, bad, 0);
        TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    }
}

static void sizes_that_cannot_be(tap *t)
{
    static const size_t huge[] = {SIZE_MAX,         SIZE_MAX - 1, SIZE_MAX - 4095,
                                  SIZE_MAX / 2 + 1, PTRDIFF_MAX,  PTRDIFF_MAX - 4096,
                                  (size_t)1 << 30};
    loam_kmalloc_stats stats;
    for (unsigned guard = 0; guard < 2; guard++) {
        ground_start(t, 256, guard != 0 ? "shift=14,guard" : "shift=14");
        unsigned char *p = ground_get(t, 100);
        TAP_CHECK(t, loam_kmalloc_alloc(ground.k, 0) == NULL);
        TAP_CHECK(t, loam_kmalloc_calloc(ground.k, 0, 5) == NULL);
        TAP_CHECK(t, loam_kmalloc_calloc(ground.k, 5, 0) == NULL);
        TAP_CHECK(t, loam_kmalloc_aligned(ground.k, 0, 16) == NULL);
        for (unsigned i = 0; i < LOAM_ARRAY_LEN(huge); i++) {
            TAP_CHECK(t, loam_kmalloc_alloc(ground.k, huge[i]) == NULL);
            TAP_CHECK(t, loam_kmalloc_aligned(ground.k, huge[i], 64) == NULL);
            TAP_CHECK(t, loam_kmalloc_aligned(ground.k, 100, huge[i]) == NULL);
            TAP_CHECK(t, loam_kmalloc_calloc(ground.k, huge[i], 2) == NULL);
            TAP_CHECK(t, loam_kmalloc_calloc(ground.k, 1, huge[i]) == NULL);
            TAP_CHECK(t, loam_kmalloc_calloc(ground.k, huge[i], huge[i]) == NULL);
            TAP_CHECK(t, loam_kmalloc_realloc(ground.k, p, huge[i]) == NULL);
            TAP_CHECK(t, loam_kmalloc_realloc(ground.k, NULL, huge[i]) == NULL);
        }
        TAP_CHECK(t, loam_kmalloc_aligned(ground.k, 100, SIZE_MAX / 2 + 1) == NULL);
        TAP_CHECK(t, loam_kmalloc_calloc(ground.k, (size_t)1 << (sizeof(size_t) * 4),
                                         (size_t)1 << (sizeof(size_t) * 4)) == NULL);
        loam_kmalloc_stat(ground.k, &stats);
        TAP_EQ(t, stats.used_blocks, 1);
        TAP_CHECK(t, stats.failures != 0);
        TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
        ground_put(t, p);
    }
}

static void calloc_clears(tap *t)
{
    ground_start(t, 256, "shift=14");
    for (size_t size = 24; size < 60000; size *= 3) {
        unsigned char *p = ground_get(t, size), *q;
        __builtin_memset(p, 0xff, size);
        ground_put(t, p);
        q = loam_kmalloc_calloc(ground.k, size / 8, 8);
        TAP_CHECK(t, q == p);
        unsigned char sum = 0;
        for (size_t i = 0; i < size; i++)
            sum |= q[i];
        TAP_EQ(t, sum, 0);
    }
}

static void aligned_blocks(tap *t)
{
    static const size_t sizes[] = {1, 17, 64, 100, 1000, 3000, 9000, 70000};
    static const char *const options[] = {"shift=12", "shift=14", "shift=16"};
    for (unsigned o = 0; o < 3; o++) {
        ground_start(t, GROUND_FRAMES, options[o]);
        for (size_t align = 1; align <= 65536; align *= 2) {
            for (unsigned i = 0; i < LOAM_ARRAY_LEN(sizes); i++) {
                unsigned char *p = loam_kmalloc_aligned(ground.k, sizes[i], align);
                unsigned char *q = loam_kmalloc_aligned(ground.k, sizes[i], align);
                TAP_CHECK(t, p != NULL && q != NULL && p != q);
                TAP_EQ(t, ((uintptr_t)p | (uintptr_t)q) & (align - 1), 0);
                TAP_CHECK(t, loam_kmalloc_size(ground.k, p) >= sizes[i]);
                __builtin_memset(p, 1, sizes[i]);
                ground_put(t, p);
                ground_put(t, q);
            }
        }
        TAP_CHECK(t, loam_kmalloc_aligned(ground.k, 100, 0) == NULL);
        TAP_CHECK(t, loam_kmalloc_aligned(ground.k, 100, 48) == NULL);
        TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    }
}

/* The arena is where it is: frames that are aligned further than addresses are. */
static void aligned_beyond_the_map(tap *t)
{
    ground_start(t, GROUND_FRAMES, "shift=14");
    uintptr_t max = ground.slabs->align_max;
    uintptr_t skew = (uintptr_t)ground_arena - GROUND_PA;
    TAP_EQ(t, max, skew == 0 ? 0 : (uintptr_t)1 << loam_ctz64(skew));
    ground.slabs->align_max = 4096;
    TAP_CHECK(t, loam_kmalloc_aligned(ground.k, 100, 8192) == NULL);
    TAP_CHECK(t, loam_kmalloc_aligned(ground.k, 100000, 8192) == NULL);
    TAP_CHECK(t, loam_cache_create(ground.slabs, "wide", 100, 8192, NULL, NULL) == NULL);
    TAP_CHECK(t, loam_kmalloc_aligned(ground.k, 100, 4096) != NULL);
}

/* ---- realloc ---- */

static void realloc_moves_bytes(tap *t)
{
    static const char *const options[] = {"shift=14", "shift=14,guard", "shift=12,poison,owner",
                                          "shift=14,quarantine"};
    static const size_t sizes[] = {10, 16, 17, 100, 90, 5000, 4000, 30000, 20000, 100000, 40000, 8};
    for (unsigned o = 0; o < LOAM_ARRAY_LEN(options); o++) {
        ground_start(t, GROUND_FRAMES, options[o]);
        unsigned char *p = loam_kmalloc_realloc(ground.k, NULL, sizes[0]);
        fill(p, sizes[0]);
        for (unsigned i = 1; i < LOAM_ARRAY_LEN(sizes); i++) {
            p = loam_kmalloc_realloc(ground.k, p, sizes[i]);
            TAP_CHECK(t, p != NULL);
            TAP_CHECK(t, filled(p, sizes[i] < sizes[i - 1] ? sizes[i] : sizes[i - 1]));
            fill(p, sizes[i]);
            TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
        }
        TAP_CHECK(t, loam_kmalloc_realloc(ground.k, p, 0) == NULL);
        loam_kmalloc_stats stats;
        loam_kmalloc_stat(ground.k, &stats);
        TAP_EQ(t, stats.used_blocks, 0);
    }
}

static void realloc_stays(tap *t)
{
    ground_start(t, 256, "shift=14");
    unsigned char *p = ground_get(t, 100), *q = ground_get(t, 40000);
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, p, 112) == p);
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, p, 57) == p);
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, p, 56) != p);
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, q, 40960) == q);
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, q, 20481) == q);
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, q, 20480) != q);
    ground_start(t, 256, "shift=14,guard"); /* knows what was asked for */
    p = ground_get(t, 3);
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, p, 3) == p);
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, p, 5) == p);
    q = ground_get(t, 1000);
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, q, 3) != q);
}

static void realloc_without_memory(tap *t)
{
    ground_start(t, 256, "shift=14");
    unsigned char *p = ground_get(t, 100), *q = ground_get(t, 40000);
    fill(p, 100);
    fill(q, 40000);
    ground.left = 0;
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, p, 200000) == NULL);
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, p, 5000) == NULL);
    TAP_CHECK(t, filled(p, 100));
    TAP_EQ(t, loam_kmalloc_size(ground.k, p), 112);
    TAP_CHECK(t,
              loam_kmalloc_realloc(ground.k, q, 300) == q); /* no room for a smaller one: stays */
    TAP_CHECK(t, filled(q, 300));
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    ground.left = GROUND_ALL;
    ground_put(t, p);
    ground_put(t, q);
}

/* Each request for frames of a large block fails once. */
static void large_without_memory(tap *t)
{
    for (unsigned n = 0; n < 3; n++) {
        ground_free before;
        ground_start(t, 256, "shift=12,keep_empty=no");
        ground_look(&before);
        ground.left = n;
        void *p = loam_kmalloc_alloc(ground.k, 30000);
        TAP_CHECK(t, (p != NULL) == (n == 2)); /* frames, leaf */
        TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
        ground.left = GROUND_ALL;
        if (p != NULL)
            ground_put(t, p);
        ground_same(t, &before);
    }
}

/* ---- refusals ---- */

static void small_refused(tap *t)
{
    ground_start(t, 256, "shift=14");
    unsigned char *p = ground_get(t, 100), outside[4];
    TAP_EQ(t, loam_kmalloc_free(ground.k, NULL), LOAM_OK);
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p + 16), "inner free", "inner");
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p + 3), "misaligned free", "misaligned");
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, outside), "foreign free", "outside");
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, ground_arena), "foreign free", "slab");
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, (void *)UINTPTR_MAX), "foreign free", "outside");
    ground_put(t, p);
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p), "double free", "free");
    TAP_STR(t, t->report.name, "kmalloc-112");
    TAP_EQ(t, t->report.size, 112);
    TAP_EQ(t, t->report.value, (uintptr_t)p);
    loam_kmalloc_stats stats;
    loam_kmalloc_stat(ground.k, &stats);
    TAP_EQ(t, stats.refusals, 6);
}

static void large_refused(tap *t)
{
    ground_start(t, 256, "shift=14");
    unsigned char *p = ground_get(t, 100000);
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p + 16), "inner free", "inner");
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p + 1), "misaligned free", "misaligned");
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p + 4096), "inner free", "inner");
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p + 65536), "inner free", "inner");
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p + 25 * 4096), "double free", "free");
    TAP_EQ(t, loam_zone_state(ground.zone, loam_pfn_of(ground.slabs->first_frame)),
           LOAM_FRAME_SLAB);
    ground_put(t, p);
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p), "double free", "free");
    p = ground_get(t, 20000);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    ground_put(t, p);
}

/* Frames of the object layers cannot be freed as frames. */
static void frames_refused(tap *t)
{
    ground_start(t, 256, "shift=14");
    unsigned char *p = ground_get(t, 100000), *q = ground_get(t, 100);
    unsigned char *const of[] = {p, q, (unsigned char *)ground.slabs, (unsigned char *)ground.k};
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(of); i++) {
        uint64_t pa = GROUND_PA + (uint64_t)(of[i] - ground_arena);
        tap_catch(t);
        TAP_EQ(t, loam_zone_free(ground.zone, loam_pa_to_pfn(loam_pa_of(pa))), LOAM_EINVAL);
        TAP_EQ(t, tap_caught(t), 1);
    }
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

static void uses_refused(tap *t)
{
    ground_start(t, 256, "shift=14");
    unsigned char *p = ground_get(t, 100);
    TAP_EQ(t, loam_kmalloc_size(ground.k, NULL), 0);
    tap_catch(t);
    TAP_EQ(t, loam_kmalloc_size(ground.k, p + 16), 0);
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, p + 16, 50) == NULL);
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, p + 16, 0) == NULL);
    TAP_EQ(t, tap_caught(t), 3);
    TAP_STR(t, t->report.what, "inner free");
    ground_put(t, p);
    tap_catch(t);
    TAP_EQ(t, loam_kmalloc_size(ground.k, p), 0);
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, p, 50) == NULL);
    TAP_EQ(t, tap_caught(t), 2);
    TAP_STR(t, t->report.what, "use of a free block");
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

static void two_over_one_layer(tap *t)
{
    ground_start(t, 256, "shift=14");
    loam_kmalloc *other = loam_kmalloc_init(ground.slabs);
    TAP_CHECK(t, other != NULL);
    unsigned char *p = ground_get(t, 100), *q = ground_get(t, 100000);
    tap_catch(t);
    TAP_EQ(t, loam_kmalloc_free(other, p), LOAM_EINVAL);
    TAP_EQ(t, loam_kmalloc_free(other, q), LOAM_EINVAL);
    TAP_EQ(t, tap_caught(t), 2);
    TAP_STR(t, t->report.what, "free to the wrong cache");
    TAP_RULE(t, loam_kmalloc_check(other), NULL);
    ground_put(t, p);
    ground_put(t, q);
}

/* ---- memory ---- */

static void goes_back(tap *t, const char *options)
{
    static void *p[1200];
    ground_free before;
    unsigned n = 0;
    ground_start(t, GROUND_FRAMES, options);
    ground_look(&before);
    do {
        p[n] = loam_kmalloc_alloc(ground.k, 1 + (size_t)tap_below(t, n % 9 == 0 ? 20000 : 600));
    } while (p[n] != NULL && ++n < 1200);
    TAP_CHECK(t, n > 100);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    while (n > 0) {
        unsigned i = (unsigned)tap_below(t, n);
        ground_put(t, p[i]);
        p[i] = p[--n];
    }
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    if (ground.config.keep_empty)
        loam_kmalloc_shrink(ground.k);
    ground_same(t, &before);
}

static void all_goes_back(tap *t)
{
    static const char *const options[] = {"shift=12",
                                          "shift=14",
                                          "shift=16",
                                          "shift=12,keep_empty=no",
                                          "shift=14,guard,poison,owner",
                                          "shift=14,quarantine,random"};
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(options); i++)
        goes_back(t, options[i]);
}

/* Descriptors, words and caches for 64-byte objects in slabs of 32 KiB. */
static void metadata_is_lean(tap *t)
{
    loam_kmalloc_stats stats;
    ground_start(t, GROUND_FRAMES, "shift=15");
    uint64_t free = loam_zone_free_pages(ground.zone);
    for (unsigned i = 0; i < 60 * 512; i++)
        ground_get(t, 64);
    loam_kmalloc_stat(ground.k, &stats);
    uint64_t taken = free - loam_zone_free_pages(ground.zone), slabs = stats.slabs * 8;
    TAP_EQ(t, stats.used_bytes, 60 * 512 * 64);
    TAP_EQ(t, slabs, 480);
    TAP_CHECK(t, (taken - slabs) * 100 <= slabs);
}

static void counts(tap *t)
{
    loam_kmalloc_stats s;
    ground_start(t, 256, "shift=14");
    ground_get(t, 100);
    ground_get(t, 64);
    ground_get(t, 20000);
    loam_kmalloc_stat(ground.k, &s);
    TAP_EQ(t, s.used_blocks, 3);
    TAP_EQ(t, s.used_bytes, 112 + 64 + 20480);
    TAP_EQ(t, s.large_blocks, 1);
    TAP_EQ(t, s.large_bytes, 20480);
    TAP_EQ(t, s.slabs, 2);
}

/* ---- rules ---- */

static void rules(tap *t)
{
    ground_start(t, 256, "shift=14");
    unsigned char *p = ground_get(t, 20000);
    slab_place at;
    TAP_EQ(t, loam_slab__find(ground.slabs, p, ground.k, NULL, &at), SLAB_FINE);
    slab_desc *d = at.desc;
    loam_slabs *s = ground.slabs;
    loam_cache *c = LOAM_CONTAINER_OF(s->caches.next, loam_cache, link);
    loam_cache **small = (loam_cache **)(void *)ground.k; /* the table stands first */
    GROUND_BREAKS(t, small[5], small[6], "K1");
    GROUND_BREAKS(t, small[5], small[4], "K1");
    GROUND_BREAKS(t, small[63], (loam_cache *)0, "K1");
    GROUND_BREAKS(t, small[67], small[68], "K2"); /* a class: the table has 64 */
    GROUND_BREAKS(t, c->owner, (const void *)0, "S12");
    GROUND_BREAKS(t, d->npages, 1U << 20, "K3");
    GROUND_BREAKS(t, d->npages, 4, "K3");
    GROUND_BREAKS(t, d->base, p + 16384, "K3");
    GROUND_BREAKS(t, d->size, 0, "K3");
    GROUND_BREAKS(t, d->size, 20481, "K3");
    GROUND_BREAKS(t, d->large, 14, "K3");
    GROUND_BREAKS(t, s->large_count, 0, "K4");
    GROUND_BREAKS(t, s->large.next, &s->large, "K4");
    GROUND_BREAKS(t, s->large.next, (loam_list *)16, "K4");
    GROUND_BREAKS(t, d->link.next, &d->link, "K4");
    ground_put(t, p);
}

static const tap_case cases[] = {
    {"kmalloc_alloc: every size, every slab size: the first class that holds it", every_size},
    {"kmalloc_alloc: 0, huge, overflowing: NULL, nothing taken", sizes_that_cannot_be},
    {"kmalloc_calloc: reused memory: reads 0", calloc_clears},
    {"kmalloc_aligned: every power of two to 64 KiB: aligned", aligned_blocks},
    {"kmalloc_aligned: further than the map agrees: NULL", aligned_beyond_the_map},
    {"kmalloc_realloc: up and down: bytes stay", realloc_moves_bytes},
    {"kmalloc_realloc: more than half used: stays in place", realloc_stays},
    {"kmalloc_realloc: no memory: the block stays, smaller never fails", realloc_without_memory},
    {"kmalloc_alloc: the n-th request of a large block fails: nothing lost", large_without_memory},
    {"kmalloc_free: what is no block: refused by name", small_refused},
    {"kmalloc_free: around a large block: refused by name", large_refused},
    {"kmalloc_free: its frames freed as frames: refused by the zone", frames_refused},
    {"kmalloc_size, realloc: what is no block: refused by name", uses_refused},
    {"kmalloc_free: another kmalloc's block: refused", two_over_one_layer},
    {"kmalloc_shrink: everything freed: the zone is as before", all_goes_back},
    {"kmalloc_stat: 64-byte blocks, 32 KiB slabs: metadata at most 1 %", metadata_is_lean},
    {"kmalloc_stat: three blocks: counted", counts},
    {"kmalloc_check: table, classes, large blocks changed: K1 to K4", rules},
};

TAP_SUITE(kmalloc_test, cases);
