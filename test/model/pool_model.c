/* SPDX-License-Identifier: MIT */
/* pool_model.c - random calls on two pools over one kmalloc, and the same on lists of what should
 * be out.
 *
 * Each block is filled with bytes that only it has, so that blocks that overlap spoil each other.
 * Wrong frees come in between, of the other pool's blocks among others: refused, nothing changed.
 * After both pools have ended the zone's free blocks are those of the start. */
#include "loam/pool.h"
#include "object_machine.h"
#include "tap_host.h"
#include <stdlib.h>

enum { BLOCKS = 500, STEPS = 3000 };

typedef struct block {
    unsigned char *p;
    size_t size;
    unsigned char fill;
} block;

typedef struct side {
    loam_pool pool;
    block out[BLOCKS];
    unsigned count;
    uint64_t bytes;
} side;

static objects o;
static side sides[2];

static size_t a_size(tap *t)
{
    switch (tap_below(t, 8)) {
    case 0:
        return (size_t)tap_below(t, 6000) + 1;
    case 1:
        return (size_t)(LOAM_POOL_SMALL - 20 + tap_below(t, 40));
    default:
        return (size_t)tap_below(t, 200) + 1;
    }
}

static void take(tap *t, side *s)
{
    block b = {.size = a_size(t), .fill = (unsigned char)tap_rand(t)};
    if (s->count == BLOCKS)
        return;
    b.p = loam_pool_alloc(&s->pool, b.size);
    TAP_CHECK(t, b.p != NULL && (uintptr_t)b.p % LOAM_POOL_GRAIN == 0);
    if (b.p == NULL)
        return;
    __builtin_memset(b.p, b.fill, b.size);
    s->bytes += (b.size + 15) / 16 * 16;
    s->out[s->count++] = b;
}

static void give(tap *t, side *s)
{
    if (s->count == 0)
        return;
    unsigned i = (unsigned)tap_below(t, s->count);
    block b = s->out[i];
    size_t same = 0;
    while (same < b.size && b.p[same] == b.fill)
        same++;
    TAP_EQ(t, same, b.size);
    TAP_EQ(t, loam_pool_size(&s->pool, b.p), (b.size + 15) / 16 * 16);
    TAP_EQ(t, loam_pool_free(&s->pool, b.p), LOAM_OK);
    s->bytes -= (b.size + 15) / 16 * 16;
    s->out[i] = s->out[--s->count];
}

static bool is_out(const side *s, const unsigned char *p)
{
    bool found = false;
    for (unsigned i = 0; i < s->count; i++)
        found = found || s->out[i].p == p;
    return found;
}

/* Near a block of either pool, or anywhere. */
static void give_wrong(tap *t, side *s)
{
    const side *near = &sides[tap_below(t, 2)];
    unsigned char *p = objects_ram + tap_below(t, sizeof objects_ram);
    if (near->count != 0 && tap_below(t, 4) != 0)
        p = near->out[tap_below(t, near->count)].p + tap_below(t, 64);
    if (is_out(s, p))
        return;
    tap_catch(t);
    TAP_EQ(t, loam_pool_free(&s->pool, p), LOAM_EINVAL);
    TAP_EQ(t, tap_caught(t), 1);
}

static bool check_block(void *ctx, void *p, size_t size, const void *site)
{
    side *s = ctx;
    (void)site;
    s->bytes -= size;
    return is_out(s, p);
}

/* What the pool says is out is what should be. */
static void compare(tap *t, side *s)
{
    loam_pool_stats stats;
    uint64_t bytes = s->bytes;
    loam_pool_stat(&s->pool, &stats);
    TAP_EQ(t, stats.blocks, s->count);
    TAP_EQ(t, stats.bytes, s->bytes);
    loam_pool_each(&s->pool, check_block, s); /* stops at a block that is not */
    TAP_EQ(t, s->bytes, 0);
    s->bytes = bytes;
}

static void random_calls(tap *t)
{
    objects_init(&o, OBJECTS_FRAMES, false);
    TAP_CHECK(t, objects_zone(&o));
    o.slabs = loam_slabs_init(o.zone, &o.config);
    o.k = o.slabs != NULL ? loam_kmalloc_init(o.slabs) : NULL;
    TAP_CHECK(t, o.k != NULL);
    loam_kmalloc_shrink(o.k);
    uint64_t before = objects_free_list(&o);
    for (unsigned i = 0; i < 2; i++) {
        sides[i].count = 0;
        sides[i].bytes = 0;
        TAP_EQ(t, loam_pool_init(&sides[i].pool, o.k, i == 0 ? "a" : "b", i), LOAM_OK);
    }
    for (unsigned step = 0; step < STEPS && t->failed == 0; step++) {
        side *s = &sides[tap_below(t, 2)];
        uint64_t grow = step / 500 % 2 == 0 ? 6 : 3, dice = tap_below(t, 10);
        if (dice < grow)
            take(t, s);
        else if (dice < 9)
            give(t, s);
        else
            give_wrong(t, s);
        TAP_RULE(t, loam_pool_check(&s->pool), NULL);
        if (step % 50 == 0)
            compare(t, s);
    }
    TAP_RULE(t, loam_kmalloc_check(o.k), NULL);
    for (unsigned i = 0; i < 2; i++)
        TAP_EQ(t, loam_pool_fini(&sides[i].pool, NULL, NULL), sides[i].count);
    loam_kmalloc_shrink(o.k);
    TAP_EQ(t, objects_free_list(&o), before);
}

static void many_lives(tap *t)
{
    unsigned lives = getenv("LOAM_LONG") != NULL ? 200 : 60;
    for (unsigned i = 0; i < lives && t->failed == 0; i++)
        random_calls(t);
}

static const tap_case cases[] = {
    {"model pool: two owners, right and wrong calls: as the lists say, nothing lost", many_lives},
};
static const tap_suite suite = {"pool_model", cases, LOAM_ARRAY_LEN(cases)};

int main(int argc, char **argv)
{
    return tap_host_main(&suite, argc, argv);
}
