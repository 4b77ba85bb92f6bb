/* SPDX-License-Identifier: MIT */
/* slab_cpus_model.c - several processors over one object layer, played by one thread in any order,
 * against a list of what is out.
 *
 * Every step: a processor allocates, frees its own or another's, frees wrongly, ticks, leaves or
 * comes back; then every rule is checked. "No memory" is believed only after a look at all slabs.
 */
#include "slab_cpus.h"

enum { BLOCKS = 1500, CACHES = 3 };

typedef struct block {
    unsigned char *p;
    size_t size;
    loam_cache *cache; /* or NULL: kmalloc's */
    unsigned char mark;
} block;

static block blocks[BLOCKS];
static unsigned out;
static loam_cache *cache[CACHES];
static const size_t cache_size[CACHES] = {24, 700, 2000};

static void make_caches(tap *t)
{
    static const char *const name[CACHES] = {"small", "middle", "big"};
    for (unsigned i = 0; i < CACHES; i++) {
        cache[i] = loam_cache_create(cpus.slabs, name[i], cache_size[i], 0, NULL, NULL);
        TAP_CHECK(t, cache[i] != NULL);
    }
}

static size_t random_size(tap *t)
{
    switch (tap_below(t, 8)) {
    case 0:
        return 1 + (size_t)tap_below(t, 40000);
    case 1:
        return 1 + (size_t)tap_below(t, 9000);
    case 2:
    case 3:
        return 1 + (size_t)tap_below(t, 1200);
    default:
        return 1 + (size_t)tap_below(t, 80);
    }
}

static bool has_free_slot(void *ctx, const void *base, unsigned slots, size_t stride,
                          const uint64_t *words)
{
    bool *found = ctx;
    (void)base;
    (void)stride;
    for (unsigned i = 0; i < (slots + 63) / 64; i++)
        *found = *found || words[i] != 0;
    return !*found;
}

/* After a NULL: with everybody asked and every front drained nothing of this class was left. */
static void believe_no(tap *t, loam_cache *c, size_t size)
{
    bool found = false;
    if (c == NULL && size <= 1024)
        c = ((loam_cache **)(void *)cpus.k)[(size - 1) / 16];
    if (c != NULL)
        loam_cache_each_slab(c, has_free_slot, &found);
    TAP_CHECK(t, !found);
}

static void step_alloc(tap *t)
{
    if (out == BLOCKS)
        return;
    block *b = &blocks[out];
    unsigned i = (unsigned)tap_below(t, 2 * CACHES);
    b->cache = i < CACHES ? cache[i] : NULL;
    b->size = b->cache != NULL ? cache_size[i] : random_size(t);
    cpus.waits = 100;
    b->p = b->cache != NULL ? loam_cache_alloc(b->cache) : loam_kmalloc_alloc(cpus.k, b->size);
    if (b->p == NULL) {
        believe_no(t, b->cache, b->size);
        return;
    }
    b->mark = (unsigned char)tap_rand(t);
    memset(b->p, b->mark, b->size);
    out++;
}

static loam_err give_back(const block *b)
{
    return b->cache != NULL ? loam_cache_free(b->cache, b->p) : loam_kmalloc_free(cpus.k, b->p);
}

static bool is_whole(const block *b)
{
    for (size_t i = 0; i < b->size; i++) {
        if (b->p[i] != b->mark)
            return false;
    }
    return true;
}

static void step_free(tap *t)
{
    if (out == 0)
        return;
    block *b = &blocks[tap_below(t, out)];
    TAP_CHECK(t, is_whole(b));
    TAP_EQ(t, give_back(b), LOAM_OK);
    *b = blocks[--out];
}

static void step_realloc(tap *t)
{
    if (out == 0)
        return;
    block *b = &blocks[tap_below(t, out)];
    if (b->cache != NULL)
        return;
    size_t size = random_size(t), same = size < b->size ? size : b->size;
    unsigned char *p = loam_kmalloc_realloc(cpus.k, b->p, size);
    if (p == NULL)
        return;
    b->p = p;
    b->size = same;
    TAP_CHECK(t, is_whole(b));
    b->size = size;
    memset(p, b->mark, size);
}

/* A block is freed twice at once: refused now, or, freed by two processors, when they meet. */
static void step_free_twice(tap *t)
{
    if (out == 0)
        return;
    block *b = &blocks[tap_below(t, out)], was = *b;
    if (was.cache == NULL && was.size > 32768)
        return;
    TAP_EQ(t, give_back(b), LOAM_OK);
    *b = blocks[--out];
    tap_catch(t);
    CPUS_ON((unsigned)tap_below(t, cpus.n + 1));
    (void)give_back(&was);
    cpus_serve_all();
    TAP_EQ(t, tap_caught(t), 1);
}

static void step_wrong(tap *t)
{
    if (out == 0)
        return;
    block *b = &blocks[tap_below(t, out)], wrong = *b;
    wrong.p++;
    tap_catch(t);
    TAP_EQ(t, give_back(&wrong), LOAM_EINVAL);
    wrong = *b;
    wrong.cache = b->cache == cache[0] ? cache[1] : cache[0];
    TAP_EQ(t, give_back(&wrong), LOAM_EINVAL);
    TAP_EQ(t, tap_caught(t), 2);
}

/* Others call while it rests, and who has no number. */
static void step_rest(tap *t)
{
    unsigned cpu = loam_port_cpu();
    bool rests = loam_slabs_rest(cpus.slabs);
    for (unsigned i = 0; i < 8 && rests; i++) {
        CPUS_ON((cpu + 1 + (unsigned)tap_below(t, cpus.n)) % (cpus.n + 1));
        if (tap_below(t, 2) == 0 || out == 0)
            step_alloc(t);
        else
            step_free(t);
        TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    }
    CPUS_ON(cpu);
    if (rests)
        loam_slabs_online(cpus.slabs);
}

static void step_processor(tap *t)
{
    switch (tap_below(t, 5)) {
    case 0:
        loam_slabs_offline(cpus.slabs);
        break;
    case 1:
        loam_slabs_shrink(cpus.slabs);
        break;
    case 2:
        loam_slabs_serve(cpus.slabs);
        break;
    case 3:
        step_rest(t);
        break;
    default:
        loam_slabs_online(cpus.slabs);
    }
}

/* When everybody has looked, what is out is what the test has. */
static void count(tap *t)
{
    loam_kmalloc_stats k;
    uint64_t used = 0;
    cpus_serve_all();
    loam_kmalloc_stat(cpus.k, &k);
    for (unsigned i = 0; i < CACHES; i++) {
        loam_cache_stats c;
        loam_cache_stat(cache[i], &c);
        used += c.used;
    }
    TAP_EQ(t, used + k.used_blocks, out);
}

static void step(tap *t, unsigned fill)
{
    CPUS_ON((unsigned)tap_below(t, cpus.n + 1)); /* one of them is unknown to the layer */
    unsigned what = (unsigned)tap_below(t, 100);
    if (what < 2)
        step_processor(t);
    else if (what < 3)
        step_free_twice(t);
    else if (what < 4)
        step_wrong(t);
    else if (what < 8)
        step_realloc(t);
    else if (tap_below(t, BLOCKS) < fill && out < fill)
        step_alloc(t);
    else
        step_free(t);
}

static void end(tap *t, uint64_t before)
{
    while (out > 0) {
        CPUS_ON((unsigned)tap_below(t, cpus.n + 1));
        step_free(t);
    }
    count(t);
    for (unsigned i = 0; i < cpus.n; i++) {
        CPUS_ON(i);
        loam_slabs_online(cpus.slabs);
    }
    CPUS_ON(0);
    for (unsigned i = 0; i < CACHES; i++) {
        cpus.waits = 100;
        TAP_EQ(t, loam_cache_destroy(cache[i]), LOAM_OK);
    }
    TAP_RULE(t, loam_kmalloc_check(cpus.k), NULL);
    TAP_EQ(t, cpus_free_pages(), before);
    TAP_RULE(t, loam_kmalloc_check(cpus.k), NULL);
    TAP_RULE(t, loam_zone_check(cpus.zone), NULL);
}

static void play(tap *t, unsigned n, uint64_t frames, const char *options)
{
    unsigned steps = getenv("LOAM_LONG") != NULL ? 200000 : 6000;
    cpus_start(t, n, frames, options);
    uint64_t before = cpus_free_pages();
    make_caches(t);
    unsigned fill = 0;
    for (unsigned i = 0; i < steps && t->failed == 0; i++) {
        if (i % 1000 == 0)
            fill = 50 + (unsigned)tap_below(t, BLOCKS - 50);
        step(t, fill);
        if (i % 16 == 0)
            TAP_RULE(t, loam_kmalloc_check(cpus.k), NULL);
        if (i % 128 == 0)
            count(t);
    }
    end(t, before);
}

static void two_with_room(tap *t)
{
    play(t, 2, 4096, "shift=14");
}

static void four_with_room(tap *t)
{
    play(t, 4, 4096, "shift=16");
}

static void four_that_are_short(tap *t)
{
    play(t, 4, 512, "shift=14");
}

static void three_keep_nothing(tap *t)
{
    play(t, 3, 700, "shift=12,keep_empty=no");
}

static void three_hardened(tap *t)
{
    play(t, 3, 1024, "shift=14,hardened");
}

static void two_with_modes(tap *t)
{
    play(t, 2, 2048, "shift=14,guard,quarantine=32K,owner,zero");
}

static void three_random(tap *t)
{
    play(t, 3, 1024, "shift=15,random,poison");
}

static void three_keep_large(tap *t)
{
    play(t, 3, 2048, "shift=14,keep_large=512K");
}

static void two_keep_and_are_short(tap *t)
{
    play(t, 2, 512, "shift=16,keep_large=256K");
}

static void three_with_stacks(tap *t)
{
    cpus.stacks = true;
    play(t, 3, 2048, "shift=14,keep_large=512K");
    play(t, 2, 1024, "shift=16,keep_empty=no");
    cpus.stacks = false;
}

static void four_with_stacks_are_short(tap *t)
{
    cpus.stacks = true;
    play(t, 4, 300, "shift=13");
    cpus.stacks = false;
}

static const tap_case cases[] = {
    {"slab cpus: two processors: as the list says", two_with_room},
    {"slab cpus: four processors, slabs of 64 KiB: as the list says", four_with_room},
    {"slab cpus: four processors, little memory: no is true, nothing lost", four_that_are_short},
    {"slab cpus: three processors, no empty slab kept: as the list says", three_keep_nothing},
    {"slab cpus: three processors, hardened: as the list says", three_hardened},
    {"slab cpus: two processors, guard, quarantine, owner: as the list says", two_with_modes},
    {"slab cpus: three processors, random, poison: as the list says", three_random},
    {"slab cpus: three processors, large blocks kept: as the list says", three_keep_large},
    {"slab cpus: the same, little memory: no is true", two_keep_and_are_short},
    {"slab cpus: long slots on stacks: as the list says", three_with_stacks},
    {"slab cpus: the same, little memory: no is true, nothing lost", four_with_stacks_are_short},
};
TAP_SUITE(slab_cpus_model, cases);

int main(int argc, char **argv)
{
    return cpus_main(&tap_suite_slab_cpus_model, argc, argv);
}
