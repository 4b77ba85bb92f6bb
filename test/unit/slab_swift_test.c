/* SPDX-License-Identifier: MIT */
/* slab_swift_test.c - guard, zero_free, quarantine and random together, what `hardened` is in a
 * process: slab_swift.c. What ends in a panic is shown by test/model/slab_damage.c. */
#include "slab_ground.h"

static void swift_comes_and_goes(tap *t)
{
    static const size_t sizes[] = {1, 16, 100, 112, 128, 129, 1000, 5000};
    unsigned char *p[64];
    ground_start(t, 256, "guard,zero_free,quarantine=8K,random,shift=14");
    TAP_CHECK(t, ground.slabs->swift);
    for (unsigned n = 0; n < 600; n++) {
        unsigned i = n % 64;
        size_t size = sizes[(n / 64 + n) % LOAM_ARRAY_LEN(sizes)];
        if (n >= 64)
            ground_put(t, p[i]);
        p[i] = ground_get(t, size);
        for (size_t b = 0; b < size; b++)
            TAP_CHECK(t, p[i][b] == 0);
        TAP_EQ(t, loam_kmalloc_size(ground.k, p[i]), size);
        __builtin_memset(p[i], 0xff, size);
        if (n % 8 == 0)
            TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    }
    for (unsigned i = 0; i < 64; i++)
        ground_put(t, p[i]);
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p[63]), "double free", "quarantined");
    ground_put(t, p[0] = loam_kmalloc_aligned(ground.k, 200, 256));
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p[0]), "double free", "quarantined");
    loam_slabs_shrink(ground.slabs);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

enum { ALIGNED = 40 };

static void swift_aligned_round(tap *t, size_t align, size_t size)
{
    unsigned char *p[ALIGNED];
    for (unsigned i = 0; i < ALIGNED; i++) {
        p[i] = loam_kmalloc_aligned(ground.k, size, align);
        TAP_CHECK(t, p[i] != NULL && ((uintptr_t)p[i] & (align - 1)) == 0 && p[i][size - 1] == 0);
        TAP_EQ(t, loam_kmalloc_size(ground.k, p[i]), size);
        __builtin_memset(p[i], 0xff, size);
    }
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    for (unsigned i = 0; i < ALIGNED; i++)
        ground_put(t, p[i]);
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p[ALIGNED - 1]), "double free", "quarantined");
}

/* Blocks that fill the slot in which they move, and others. */
static void swift_aligned(tap *t)
{
    ground_start(t, 1024, "guard,zero_free,quarantine=8K,random,shift=16");
    for (size_t align = 32; align <= 1024; align *= 2)
        for (size_t size = 48; size <= 1200; size += size / 3) {
            swift_aligned_round(t, align, size);
            swift_aligned_round(t, align, size & ~(size_t)15);
        }
    swift_aligned_round(t, 64, 64);
    swift_aligned_round(t, 128, 1280 - 128 + 16);
    loam_slabs_shrink(ground.slabs);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

/* One that was freed, and all of its slot written as it was before. */
static void swift_forged(tap *t)
{
    ground_start(t, 256, "guard,zero_free,quarantine=8K,random,shift=14");
    unsigned char *p = loam_kmalloc_aligned(ground.k, 200, 256), out[512], waits[512];
    slab_place at = ground_find(t, p);
    size_t len = slab_cache_of(at.desc)->stride;
    unsigned char *base = slab_slot_base(at.desc, at.slot) + SLAB_GUARD_LEAD;
    TAP_CHECK(t, len <= sizeof(out));
    __builtin_memcpy(out, base, len);
    ground_put(t, p);
    __builtin_memcpy(waits, base, len);
    __builtin_memcpy(base, out, len);
    tap_catch(t);
    TAP_EQ(t, loam_kmalloc_free(ground.k, p), LOAM_EINVAL);
    TAP_EQ(t, tap_caught(t), 1);
    __builtin_memcpy(base, waits, len);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

/* Where another would begin, were there room for its seal. */
static void swift_behind_the_last(tap *t)
{
    ground_start(t, 256, "guard,zero_free,quarantine=8K,random,shift=14");
    slab_desc *d = ground_find(t, ground_get(t, 48)).desc;
    unsigned char *p = d->base + 255 * 64 + SLAB_GUARD_LEAD;
    TAP_EQ(t, slab_cache_of(d)->slots, 255);
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p), "inner free", "inner");
}

enum { EBB = 500 };

static void swift_ebb_ends(tap *t, unsigned char **p, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        __builtin_memset(p[i], 0xff, 100);
        ground_put(t, p[i]);
    }
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

/* More than can wait go and come: the lowest leave, and come back out of words. */
static void swift_ebbs(tap *t)
{
    unsigned char *p[EBB];
    ground_start(t, 256, "guard,zero_free,quarantine=8K,random,shift=14");
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < EBB; i++) {
            p[i] = ground_get(t, 100);
            for (unsigned b = 0; b < 100; b++)
                TAP_CHECK(t, p[i][b] == 0);
            if (i % 8 == 0)
                TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
        }
        swift_ebb_ends(t, p, EBB);
    }
    loam_slabs_shrink(ground.slabs);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

/* Slots that wait there are kept first, and come next then. */
static void swift_rules(tap *t)
{
    unsigned char *p[16];
    ground_start(t, 256, "guard,zero_free,quarantine=2K,random,shift=14");
    for (unsigned i = 0; i < 16; i++)
        p[i] = ground_get(t, 200);
    slab_desc *d = ground_find(t, p[0]).desc;
    slab_front *f = slab_front_of(slab_cache_of(d));
    for (unsigned i = 0; i < 15; i++)
        ground_put(t, p[i]);
    TAP_EQ(t, slab_kept_count(f), 8);
    TAP_EQ(t, slab_held_count(f), 7);
    swift_slot *kept = slab_kept_of(f, 1), *next = f->top;
    TAP_CHECK(t, kept->at == p[14]);
    GROUND_BREAKS(t, kept->at, (void *)p[15], "S11");
    GROUND_BREAKS(t, kept->where, next->where, "S11");
    GROUND_BREAKS(t, kept->where, kept->where + 64 * sizeof(uint64_t) * 1024, "S11");
    GROUND_BREAKS(t, next->at, (void *)p[15], "S11");
    GROUND_BREAKS(t, next->at, (void *)0, "S11");
    GROUND_BREAKS(t, next->where, next->where + 1, "S11");
    GROUND_BREAKS(t, f->top, f->top - 1, "S11");
    GROUND_BREAKS(t, f->top, f->held - 1, "S11");
    GROUND_BREAKS(t, f->top, f->held + f->ring_cap, "S11");
    GROUND_BREAKS(t, f->held, f->held + 1, "S11");
    GROUND_BREAKS(t, f->kept_mask, f->kept_mask / 2, "S11");
    GROUND_BREAKS(t, f->kept_at, f->kept_at + 1, "S11");
    unsigned slot = ground_find(t, p[15]).slot;
    GROUND_BREAKS(t, slab_shut(d)[slot >> 6], slab_shut(d)[slot >> 6] | 1ULL << (slot & 63), "S");
}

/* Slots of the first blocks of a class, of one word: how far they lie ahead of their turn. */
static unsigned swift_ahead(tap *t, size_t size, unsigned n)
{
    unsigned ahead = 0, last = 0, falls = 0;
    for (unsigned i = 0; i < n; i++) {
        unsigned slot = ground_find(t, ground_get(t, size)).slot & 63;
        ahead = slot >= i && slot - i > ahead ? slot - i : ahead;
        falls += slot < last;
        last = slot;
    }
    TAP_CHECK(t, falls > n / 8); /* nobody knows which one comes next */
    return ahead;
}

/* Few blocks touch few pages, and are drawn from as many slots as those that wait. */
static void swift_begins_low(tap *t)
{
    ground_start(t, 1024, "guard,zero_free,quarantine=8K,random,shift=16");
    TAP_EQ(t, swift_ahead(t, 1000, 40), 7);
    TAP_EQ(t, swift_ahead(t, 240, 40), 15);
    TAP_CHECK(t, swift_ahead(t, 48, 40) > 31);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

/* What a block gave up in place reads 0 when its slot comes round again. */
static void swift_shrinks(tap *t)
{
    ground_start(t, 256, "guard,zero_free,quarantine=2K,random,shift=14");
    unsigned char *p = ground_get(t, 1000);
    __builtin_memset(p, 0xff, 1000);
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, p, 600) == p);
    GROUND_BREAKS(t, p[600], 0, "S9");
    ground_put(t, p);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    for (unsigned i = 0; i < 200; i++)
        ground_put(t, ground_get(t, 1000));
    unsigned char *small = ground_get(t, 112);
    __builtin_memset(small, 0xff, 112);
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, small, 60) == small);
    ground_put(t, small);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

/* Where half of 2^48 bytes is: above it are blocks of a process on 64-bit ARM. */
static void any_address(tap *t)
{
    static const uint64_t at[] = {0x7ffffffff008,     0x800000000000,     0xfffbac400008,
                                  0xffff000000000008, 0xffff800000000000, 0xfffffffffffff008};
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(at); i++)
        for (unsigned slot = 0; slot < SLAB_WORDS * 64; slot += 63) {
            const void *p = (const void *)(uintptr_t)at[i];
            uint64_t place = slab_place_of(p, slot);
            TAP_EQ(t, slab_place_at(place), (uintptr_t)p);
            TAP_EQ(t, slab_place_slot(place), slot);
        }
}

static const tap_case cases[] = {
    {"slabs: an address and a slot in a word: any of 48 bits, in either half", any_address},
    {"slabs: all of hardened's modes: blocks read 0, rules hold", swift_comes_and_goes},
    {"slabs: the same: aligned blocks read 0, rules hold", swift_aligned},
    {"slabs: the same: aligned, freed, and forged: refused", swift_forged},
    {"slabs: the same: behind the last slot: refused", swift_behind_the_last},
    {"slabs: the same: many go, many come: rules hold", swift_ebbs},
    {"slabs: the same: what waits is changed: S11", swift_rules},
    {"slabs: the same: blocks are drawn out of the lowest slots", swift_begins_low},
    {"slabs: the same: a block shrinks in place: the rest is clear", swift_shrinks},
};

TAP_SUITE(slab_swift_test, cases);
