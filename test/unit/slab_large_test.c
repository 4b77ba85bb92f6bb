/* SPDX-License-Identifier: MIT */
/* slab_large_test.c - where large blocks come to lie, and what is known of memory that nobody had.
 *
 * The layer's own things lie apart, as in a process, so that frames here are blocks' alone: block i
 * of 64 frames begins at frame 64 i of the arena. */
#include "slab_ground.h"

enum { FRAME = LOAM_PAGE_SIZE, SIXTH = 64, OWN_FRAMES = 48, OWN_PA = 0x8000000, FILL = 0x55 };

static unsigned char own_arena[OWN_FRAMES * LOAM_PAGE_SIZE] __attribute__((aligned(65536)));
static unsigned char own_table[16 * 1024] __attribute__((aligned(64)));

static loam_zone *own_zone(tap *t)
{
    loam_zone_config z;
    loam_span ram = {OWN_PA, sizeof(own_arena)};
    loam_zone_config_init(&z);
    z.fronts = false;
    z.linear = (loam_linear){OWN_PA, ram.len, own_arena};
    __builtin_memset(own_arena, 0, sizeof(own_arena));
    loam_zone *zone = loam_zone_init(own_table, sizeof(own_table), false, &ram, 1, &z);
    TAP_CHECK(t, zone != NULL);
    TAP_EQ(t, loam_zone_add(zone, loam_pa_to_pfn(loam_pa_of(OWN_PA)), OWN_FRAMES), LOAM_OK);
    return zone;
}

static struct {
    unsigned calls;
    void *va;
    size_t len;
    bool lost;
    bool (*with)(loam_slabs *, void *, size_t); /* NULL: nobody is asked */
} brought;

static struct {
    unsigned calls;
    void *to, *from;
    size_t room, len;
    loam_slab_carried answer;
    bool asked; /* false: nobody is */
} carried;

static loam_slab_carried carry(loam_slabs *slabs, void *to, size_t room, void *from, size_t len)
{
    carried.calls += slabs == ground.slabs;
    carried.to = to;
    carried.room = room;
    carried.from = from;
    carried.len = len;
    if (carried.answer == LOAM_SLAB_CARRIED) {
        __builtin_memcpy(to, from, len);
        __builtin_memset((char *)to + len, 0, room - len);
        __builtin_memset(from, 0, len);
    }
    return carried.answer;
}

static struct {
    unsigned calls;
    const void *va;
    size_t len, fresh;
    bool asked; /* false: nobody is */
} spared;

static void spare(loam_slabs *slabs, const void *va, size_t len, size_t fresh)
{
    spared.calls += slabs == ground.slabs;
    spared.va = va;
    spared.len = len;
    spared.fresh = fresh;
}

static bool stacked; /* of two processors, whose long slots wait on stacks */

/* What nobody had reads FILL here, so that a test sees who writes it. */
static void start(tap *t, const char *options)
{
    const char *bad = NULL;
    ground_zone(t, 512);
    loam_slab_config_init(&ground.config);
    TAP_EQ(t, loam_slab_config_parse(&ground.config, options, &bad), LOAM_OK);
    ground.config.meta = own_zone(t);
    ground.config.fresh = true;
    ground.config.bring = brought.with;
    ground.config.carry = carried.asked ? carry : NULL;
    ground.config.spare = spared.asked ? spare : NULL;
    ground.config.stacks = stacked;
    ground.config.ncpus = stacked && LOAM_PORT_MAX_CPUS > 1 ? 2 : 1;
    ground.slabs = loam_slabs_init(ground.zone, &ground.config);
    ground.k = ground.slabs != NULL ? loam_kmalloc_init(ground.slabs) : NULL;
    TAP_CHECK(t, ground.k != NULL);
    __builtin_memset(ground_arena, FILL, sizeof(ground_arena));
}

static unsigned char *frames(tap *t, unsigned n)
{
    unsigned char *p = loam_kmalloc_alloc(ground.k, (size_t)n * FRAME);
    TAP_CHECK(t, p != NULL);
    return p;
}

static unsigned char *zeros(tap *t, unsigned n)
{
    unsigned char *p = loam_kmalloc_calloc(ground.k, n, FRAME);
    TAP_CHECK(t, p != NULL);
    return p;
}

static void put(tap *t, void *p)
{
    ground_put(t, p);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

static unsigned char *at(unsigned frame)
{
    return ground_arena + (size_t)frame * FRAME;
}

/* All 512 frames are blocks of 64; block i is *p[i]. */
static void fill(tap *t, unsigned char *p[8])
{
    for (unsigned i = 0; i < 8; i++) {
        p[i] = frames(t, SIXTH);
        TAP_CHECK(t, p[i] == at(SIXTH * i));
    }
}

/* ---- places ---- */

static void lowest_run(tap *t)
{
    unsigned char *p[8];
    start(t, "shift=14");
    fill(t, p);
    put(t, p[1]);
    put(t, p[2]);
    put(t, p[4]);
    put(t, p[5]);
    put(t, p[6]);
    unsigned char *q = frames(t, 100); /* no multiple of 128 */
    TAP_CHECK(t, q == at(64));
    unsigned char *r = frames(t, 130);
    TAP_CHECK(t, r == at(256));
    put(t, q);
    q = frames(t, 128); /* as long as the run */
    TAP_CHECK(t, q == at(64));
    TAP_CHECK(t, loam_kmalloc_alloc(ground.k, 65 * FRAME) == NULL); /* 60 are left at a multiple */
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

/* A run ends where somebody's frames begin, and a block begins at a multiple of the slab size. */
static void place_in_run(tap *t)
{
    unsigned char *p[8];
    start(t, "shift=14");
    fill(t, p);
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, p[0], 50 * FRAME) == p[0] ||
                     ground.slabs->kept == NULL);
    put(t, p[1]);
    put(t, p[2]);
    p[1] = loam_kmalloc_alloc(ground.k, 3 * FRAME);
    TAP_CHECK(t, p[1] == at(64)); /* frames 67 .. 191 are free */
    unsigned char *q = frames(t, 124);
    TAP_CHECK(t, q == at(68));
    put(t, q);
    TAP_CHECK(t, loam_kmalloc_alloc(ground.k, 125 * FRAME) == NULL);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

/* A block of frames lies lower, and is larger than any of the run, and too small. */
static void lower_is_short(tap *t)
{
    unsigned char *p[32];
    start(t, "shift=14");
    for (unsigned i = 0; i < 32; i++) {
        p[i] = frames(t, 16);
        TAP_CHECK(t, p[i] == at(16 * i));
    }
    for (unsigned i = 4; i < 8; i++)
        put(t, p[i]);
    for (unsigned i = 17; i < 23; i++)
        put(t, p[i]);
    TAP_CHECK(t, frames(t, 90) == at(272));
}

/* Small ones, aligned ones and those of a layer whose own things lie between: the zone's places. */
static void not_these(tap *t)
{
    unsigned char *p[8];
    start(t, "shift=14");
    fill(t, p);
    put(t, p[1]);
    put(t, p[2]);
    put(t, p[3]);
    unsigned char *q = loam_kmalloc_aligned(ground.k, 80 * FRAME, 16 * FRAME);
    TAP_CHECK(t, q == at(128));
    put(t, q);
    q = loam_kmalloc_alloc(ground.k, 2 * FRAME);
    unsigned char *r = frames(t, 40);
    TAP_CHECK(t, q == at(64) && r == at(128)); /* the next 64 that lie at a multiple */
    put(t, r);
    put(t, q);
    ground.slabs->meta = NULL;
    q = frames(t, 100);
    TAP_CHECK(t, q == at(128));
}

/* ---- worn memory ---- */

static bool reads(const unsigned char *p, size_t len, unsigned char value)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] != value)
            return false;
    return true;
}

static void zeros_where_worn(tap *t)
{
    start(t, "shift=14");
    unsigned char *p = zeros(t, 20);
    TAP_CHECK(t, reads(p, 20 * FRAME, FILL)); /* believed to read 0 */
    put(t, p);
    p = zeros(t, 20);
    TAP_CHECK(t, reads(p, 20 * FRAME, 0));
    __builtin_memset(p, 1, 20 * FRAME);
    put(t, p);
    p = loam_kmalloc_calloc(ground.k, 1, 30 * FRAME - 8); /* in pieces of four frames */
    TAP_CHECK(t, p == at(0) && reads(p, 20 * FRAME, 0));
    TAP_CHECK(t, reads(p + 20 * FRAME, 10 * FRAME, FILL));
    put(t, p);
    p = zeros(t, 22);
    TAP_CHECK(t, reads(p, 22 * FRAME, 0) && p[22 * FRAME] == FILL);
    put(t, p);
}

static void zeros_otherwise(tap *t)
{
    start(t, "shift=14,keep_large=1M");
    unsigned char *p = frames(t, 20);
    __builtin_memset(p, 1, 20 * FRAME);
    put(t, p);
    unsigned char *q = zeros(t, 20); /* the one that was kept */
    TAP_CHECK(t, q == p && reads(p, 20 * FRAME, 0));
    p = loam_kmalloc_calloc(ground.k, 1000, 3); /* of a class */
    TAP_CHECK(t, reads(p, 3000, 0));
    start(t, "shift=14,guard");
    p = zeros(t, 20);
    TAP_CHECK(t, reads(p, 20 * FRAME, 0));
    put(t, p);
    ground_start(t, 512, "shift=14"); /* nothing is known of memory */
    __builtin_memset(ground_arena + 256 * FRAME, FILL, 256 * FRAME);
    p = zeros(t, 200);
    TAP_CHECK(t, p == at(256) && reads(p, 200 * FRAME, 0));
    put(t, p);
}

/* A block that grows in place wears what it takes. */
static void growth_wears(tap *t)
{
    start(t, "shift=14,keep_large=1M");
    unsigned char *p = frames(t, 20);
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, p, 60 * FRAME) == p);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    TAP_CHECK(t, loam_slab__is_worn(ground.slabs, p, 60 * FRAME));
    TAP_CHECK(t, !loam_slab__has_worn(ground.slabs, at(80), 100 * FRAME));
    put(t, p);
}

static void unworn(tap *t)
{
    loam_slabs *s;
    start(t, "shift=14");
    s = ground.slabs;
    put(t, frames(t, 400)); /* pieces 0 .. 99, more than three words */
    TAP_CHECK(t, loam_slab__is_worn(s, at(0), 400 * FRAME));
    TAP_CHECK(t, !loam_slab__is_worn(s, at(0), 401 * FRAME));
    TAP_CHECK(t, loam_slab__has_worn(s, at(399), 100 * FRAME));
    TAP_CHECK(t, !loam_slab__has_worn(s, at(400), 112 * FRAME));
    loam_slab__wear_not(s, at(6), 392 * FRAME); /* pieces 2 .. 98 lie in it whole; 99 does not */
    TAP_CHECK(t, loam_slab__is_worn(s, at(0), 8 * FRAME));
    TAP_CHECK(t, !loam_slab__has_worn(s, at(8), 388 * FRAME));
    TAP_CHECK(t, loam_slab__is_worn(s, at(396), 4 * FRAME));
    loam_slab__wear_not(s, at(1), 5 * FRAME); /* no whole piece */
    TAP_CHECK(t, loam_slab__is_worn(s, at(0), 8 * FRAME));
    loam_slab__wear_not(s, at(0), 400 * FRAME); /* some are not worn: they stay so */
    TAP_CHECK(t, !loam_slab__has_worn(s, at(0), 512 * FRAME));
}

/* What is kept goes before frames are given out that nobody had. */
static void kept_before_new(tap *t)
{
    uint64_t f, b;
    start(t, "shift=14,keep_large=1M");
    unsigned char *p = frames(t, 40), *q;
    put(t, p);
    p = frames(t, 60); /* no block that is kept is as large */
    TAP_CHECK(t, p == at(0));
    put(t, p);
    loam_slabs_shrink(ground.slabs);
    p = frames(t, 40);
    q = frames(t, 40);
    put(t, p);
    put(t, q);
    p = frames(t, 70); /* a long one */
    TAP_CHECK(t, p == at(0));
    loam_slab__kept_sums(ground.slabs, &f, &b);
    TAP_EQ(t, f, 0);
    put(t, p);
    loam_slabs_shrink(ground.slabs);
    p = frames(t, 8);
    q = frames(t, 8);
    put(t, p);
    put(t, q);
    TAP_EQ(t, loam_slab__kept_mine(ground.slabs), 16);
    loam_slab__wear_not(ground.slabs, at(16), 400 * FRAME);
    p = loam_kmalloc_alloc(ground.k, 64); /* a first slab is seldom filled */
    TAP_CHECK(t, p >= at(16));
    TAP_EQ(t, loam_slab__kept_mine(ground.slabs), 16);
    for (unsigned i = 0; i < 16384 / 64; i++)
        TAP_CHECK(t, loam_kmalloc_alloc(ground.k, 64) != NULL);
    TAP_EQ(t, loam_slab__kept_mine(ground.slabs), 0); /* for the second they went */
}

/* So does an empty slab, which its class kept. */
static void empty_before_new(tap *t)
{
    start(t, "shift=14,keep_large=1M");
    unsigned char *p = frames(t, 100), *small = loam_kmalloc_alloc(ground.k, 64);
    TAP_CHECK(t, p == at(0) && small == at(100));
    put(t, small);
    put(t, p);
    p = frames(t, 150);
    TAP_CHECK(t, p == at(0));
    small = loam_kmalloc_alloc(ground.k, 64);
    put(t, small);
    put(t, p);
    TAP_CHECK(t, frames(t, 160) == at(0)); /* worn, but for the last */
}

/* So does a slab of which all slots wait on a stack. */
static void stacks_before_new(tap *t)
{
    stacked = true;
    start(t, "shift=14,keep_large=1M");
    stacked = false;
    unsigned char *p = frames(t, 100), *slot[4];
    for (unsigned i = 0; i < 4; i++)
        slot[i] = loam_kmalloc_alloc(ground.k, 4000);
    TAP_CHECK(t, p == at(0) && slot[0] == at(100));
    for (unsigned i = 0; i < 4; i++)
        put(t, slot[i]);
    put(t, p);
    TAP_CHECK(t, frames(t, 150) == at(0));
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

/* So does one for another class's further slab, if no request came since its stack was full. */
static void stacks_give_way(tap *t)
{
    enum { SLOTS = 12, SMALL = 16384 / 64 };
    unsigned char *slot[SLOTS], *other[3], *small = NULL;
    stacked = true;
    start(t, "shift=14,keep_large=1M");
    stacked = false;
    if (ground.config.ncpus == 1)
        return;
    for (unsigned i = 0; i < SLOTS; i++)
        slot[i] = loam_kmalloc_alloc(ground.k, 4000);
    for (unsigned i = 0; i < 3; i++)
        other[i] = loam_kmalloc_alloc(ground.k, 3000);
    put(t, other[0]);
    put(t, other[2]); /* they wait, and there is room for more */
    for (unsigned i = 0; i < SLOTS; i++)
        put(t, slot[i]);
    for (unsigned i = 0; i <= SMALL; i++)
        small = loam_kmalloc_alloc(ground.k, 64);
    TAP_CHECK(t, small < other[0]); /* where those of 4000 bytes were */
    small = loam_kmalloc_alloc(ground.k, 3000);
    TAP_CHECK(t, small == other[2]); /* not the lowest one */
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
}

/* Or before a long block is placed: it would come to lie behind them, and leave a hole. */
static void long_ones_lie_low(tap *t)
{
    start(t, "shift=14,keep_large=1M");
    put(t, frames(t, 400));
    loam_slabs_shrink(ground.slabs); /* 400 are worn */
    unsigned char *p = frames(t, 40), *small = loam_kmalloc_alloc(ground.k, 64);
    TAP_CHECK(t, p == at(0));
    put(t, p);
    put(t, small);
    TAP_CHECK(t, frames(t, 63) != at(0)); /* not so long */
    TAP_CHECK(t, frames(t, 64) == at(0));
}

/* A class begins where a slab of its own was, if that was not full: its pages are there. */
static void former_places(tap *t)
{
    start(t, "shift=14");
    unsigned char *p = loam_kmalloc_alloc(ground.k, 64), *q = loam_kmalloc_alloc(ground.k, 128);
    TAP_CHECK(t, p == at(0) && q == at(4));
    put(t, p);
    put(t, q);
    loam_slabs_shrink(ground.slabs);
    TAP_CHECK(t, loam_kmalloc_alloc(ground.k, 128) == q);
    put(t, q);
    loam_slabs_shrink(ground.slabs);
    unsigned char *r = frames(t, 6); /* somebody has both places */
    TAP_CHECK(t, r == at(0));
    TAP_CHECK(t, loam_kmalloc_alloc(ground.k, 128) == at(8));
}

static void former_and_full(tap *t)
{
    start(t, "shift=14");
    TAP_CHECK(t, loam_kmalloc_alloc(ground.k, 32) == at(0));
    for (unsigned i = 0; i < 16384 / 64; i++)
        TAP_CHECK(t, loam_kmalloc_alloc(ground.k, 64) == at(4) + (size_t)i * 64);
    put(t, at(0));
    for (unsigned i = 0; i < 16384 / 64; i++)
        put(t, at(4) + (size_t)i * 64);
    loam_slabs_shrink(ground.slabs);
    TAP_CHECK(t, loam_kmalloc_alloc(ground.k, 64) == at(0)); /* any place has what it wants */
}

static bool bring(loam_slabs *slabs, void *va, size_t len)
{
    brought.calls += slabs == ground.slabs;
    brought.va = va;
    brought.len = len;
    return !brought.lost;
}

/* Where nobody had memory yet the port is asked for some, once, for a long block that need not read
 * 0; what it lost nobody gets. */
static void memory_is_brought(tap *t)
{
    brought.calls = 0;
    brought.lost = false;
    brought.with = bring;
    start(t, "shift=14,keep_large=1M");
    put(t, frames(t, 63));
    TAP_EQ(t, brought.calls, 0); /* not so long */
    put(t, zeros(t, 80));
    TAP_EQ(t, brought.calls, 0); /* 80 are worn */
    loam_slabs_shrink(ground.slabs);
    put(t, frames(t, 80));
    TAP_EQ(t, brought.calls, 0);
    unsigned char *p = frames(t, 100);
    TAP_CHECK(t, p == at(0) && brought.calls == 1 && brought.va == p && brought.len == 100 * FRAME);
    brought.lost = true;
    TAP_CHECK(t, loam_kmalloc_alloc(ground.k, (size_t)450 * FRAME) == NULL);
    TAP_CHECK(t, brought.calls >= 1 && loam_kmalloc_alloc(ground.k, (size_t)70 * FRAME) == NULL);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    brought.with = NULL;
}

/* The port hears of a slab, and of a block that is not very long, before it is used, and how much
 * of it nobody had: pieces of 4 frames; with a mode it does not. */
static void memory_is_spared(tap *t)
{
    spared.asked = true;
    spared.calls = 0;
    start(t, "shift=14,keep_large=0");
    unsigned char *p = frames(t, 9);
    TAP_CHECK(t, spared.calls == 1 && spared.va == p);
    TAP_CHECK(t, spared.len == 9 * FRAME && spared.fresh == 12 * FRAME);
    TAP_EQ(t, loam_slab__worn_bytes(ground.slabs), 12 * FRAME);
    put(t, p);
    TAP_CHECK(t, frames(t, 16) == p);
    TAP_CHECK(t, spared.calls == 2 && spared.len == 16 * FRAME && spared.fresh == 4 * FRAME);
    TAP_CHECK(t, loam_kmalloc_alloc(ground.k, 64) != NULL);
    TAP_CHECK(t, spared.calls == 3 && spared.len == 4 * FRAME && spared.fresh == 4 * FRAME);
    put(t, frames(t, 256));
    TAP_EQ(t, spared.calls, 3); /* so much is brought */
    put(t, p);
    loam_slab__wear_not(ground.slabs, p, 16 * FRAME);
    TAP_EQ(t, loam_slab__worn_bytes(ground.slabs), 260 * FRAME);
    start(t, "shift=14,keep_large=0,zero");
    put(t, frames(t, 9));
    TAP_EQ(t, spared.calls, 3);
    spared.asked = false;
}

/* A block of 40 frames that grows to 80, and cannot where it is; the old place is nobody's then. */
static unsigned char *grown(tap *t, loam_slab_carried answer)
{
    carried.answer = answer;
    carried.calls = brought.calls = 0;
    start(t, "shift=14,keep_large=1M");
    unsigned char *p = frames(t, 40), *wall = frames(t, 8);
    p[0] = 5;
    p[40 * FRAME - 1] = 6;
    unsigned char *q = loam_kmalloc_realloc(ground.k, p, (size_t)80 * FRAME);
    TAP_CHECK(t, q != NULL && q != p && wall != NULL);
    TAP_CHECK(t, carried.calls == 1 && carried.to == q && carried.from == p);
    TAP_CHECK(t, carried.len == 40 * FRAME && carried.room == 80 * FRAME);
    TAP_CHECK(t, q[0] == 5 && q[40 * FRAME - 1] == 6);
    GROUND_REFUSED(t, loam_kmalloc_free(ground.k, p), "double free", "free");
    TAP_EQ(t, loam_slab__has_worn(ground.slabs, p, 40 * FRAME), answer == LOAM_SLAB_STAYED);
    TAP_RULE(t, loam_kmalloc_check(ground.k), NULL);
    return q;
}

/* A block of 32 frames and more that grows to where nobody had memory yet: the port is asked to
 * move what it holds, and no more comes; else it is copied. */
static void memory_is_carried(tap *t)
{
    carried.asked = true;
    brought.with = bring;
    brought.lost = false;
    put(t, grown(t, LOAM_SLAB_CARRIED));
    TAP_EQ(t, brought.calls, 0);
    put(t, grown(t, LOAM_SLAB_STAYED));
    TAP_EQ(t, brought.calls, 1);
    carried.answer = LOAM_SLAB_LOST;
    start(t, "shift=14,keep_large=1M");
    unsigned char *p = frames(t, 40), *wall = frames(t, 8);
    p[40 * FRAME - 1] = 3;
    TAP_CHECK(t, loam_kmalloc_realloc(ground.k, p, (size_t)300 * FRAME) == NULL);
    TAP_CHECK(t, wall != NULL && p[40 * FRAME - 1] == 3);
    put(t, p);
    carried.asked = false;
    brought.with = NULL;
}

/* A mode writes into a block as it is made, or asks what was there: nothing comes along, whatever
 * the port could do, and what the block holds is copied. */
static void modes_carry_nothing(tap *t)
{
    static const char *const modes[] = {"zero",  "zero_free", "poison",   "quarantine=64K",
                                        "owner", "guard",     "hardened", "random"};
    carried.asked = true;
    carried.answer = LOAM_SLAB_CARRIED;
    carried.calls = 0;
    for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        start(t, modes[i]);
        unsigned char *p = frames(t, 40), *wall = frames(t, 8);
        p[0] = 5;
        p[40 * FRAME - 1] = 6;
        unsigned char *q = loam_kmalloc_realloc(ground.k, p, (size_t)80 * FRAME);
        TAP_CHECK(t, q != NULL && q != p && wall != NULL && carried.calls == 0);
        TAP_CHECK(t, q[0] == 5 && q[40 * FRAME - 1] == 6);
        put(t, q);
        put(t, wall);
    }
    carried.asked = false;
}

static void rule(tap *t)
{
    start(t, "shift=14");
    unsigned char *p = frames(t, 140), *small = loam_kmalloc_alloc(ground.k, 64);
    GROUND_BREAKS(t, ground.slabs->worn[0], 0, "S18");
    GROUND_BREAKS(t, ground.slabs->worn[-1], 1, "S18"); /* pieces 33 and 34 of its 35 */
    TAP_CHECK(t, small == at(140));
    GROUND_BREAKS(t, ground.slabs->worn[-1], 7, "S18");  /* 35 is the slab */
    GROUND_BREAKS(t, ground.slabs->worn[-1], 31, "S18"); /* one that nobody had */
    GROUND_BREAKS(t, ground.slabs->worn_pieces, 0, "S18");
    GROUND_BREAKS(t, ground.slabs->worn_pieces, ground.slabs->worn_pieces + 1, "S18");
    put(t, p);
    put(t, small);
}

static const tap_case cases[] = {
    {"slab_large: the lowest run of frames that is enough", lowest_run},
    {"slab_large: a block lies in its run, at a multiple of the slab size", place_in_run},
    {"slab_large: a lower run that is too short is none", lower_is_short},
    {"slab_large: small, aligned, own things between: the zone's places", not_these},
    {"slab_worn: calloc: what nobody had is not cleared, the rest is", zeros_where_worn},
    {"slab_worn: calloc: kept, small, with modes, nothing known: cleared", zeros_otherwise},
    {"slab_worn: realloc: what a block takes is worn", growth_wears},
    {"slab_worn: pieces that lie in a run whole are worn no more", unworn},
    {"slab_kept: goes before frames that nobody had", kept_before_new},
    {"slab_large: empty slabs go before frames that nobody had", empty_before_new},
    {"slab_large: slabs whose slots wait on a stack: the same", stacks_before_new},
    {"slab_stack: what waits for nobody goes before a slab comes new", stacks_give_way},
    {"slab_large: what is kept goes before a long block is placed", long_ones_lie_low},
    {"slab: a class begins where it was, unless others have it", former_places},
    {"slab: a class that filled its slab begins at the lowest place", former_and_full},
    {"slab_large: memory is brought to a long block where nobody had any", memory_is_brought},
    {"slab_large: the port hears of what nobody had", memory_is_spared},
    {"slab_large: a long block that grows takes its memory along", memory_is_carried},
    {"slab_large: with a mode a long block that grows is copied", modes_carry_nothing},
    {"slab_worn: a bit changed: S18", rule},
};
TAP_SUITE(slab_large_test, cases);
