/* SPDX-License-Identifier: MIT */
/* slab_kept_explore.c - large blocks that are kept, under every order of two or three processors:
 * freed twice at once, asked for again while somebody makes all of them go, left behind.
 *
 * A block of two frames, in slabs of one frame, on a zone without fronts. Each script ends when all
 * that is kept went, and wants each rule to hold and each frame to be back. */
#include "../../core/slab_internal.h"
#include "explore_case.h"

enum { FRAMES = 64, SPAN = 1 << 16, BLOCKS = 3, SIZE = 2 * LOAM_PAGE_SIZE, MOST = 120000000 };

static loam_zone *zone;
static loam_slabs *slabs;
static uint64_t free_before;
static void *block[BLOCKS];
static uint32_t *refused; /* [atomic] */
static uint8_t *out;      /* notes: whose a block's first frame is, by frame */

static void make_slabs(uint32_t keep)
{
    loam_zone_config z;
    loam_slab_config c;
    uintptr_t room = (uintptr_t)explore_shared(FRAMES * LOAM_PAGE_SIZE + SPAN);
    unsigned char *arena = (unsigned char *)((room + SPAN - 1) & ~(uintptr_t)(SPAN - 1));
    loam_span ram = {SPAN, FRAMES << LOAM_PAGE_SHIFT};
    loam_zone_config_init(&z);
    z.ncpus = 3;
    z.fronts = false;
    z.linear = (loam_linear){SPAN, ram.len, arena};
    uint64_t need = loam_zone_measure(&ram, 1, &z);
    zone = loam_zone_init(explore_shared((size_t)need), need, true, &ram, 1, &z);
    (void)loam_zone_add(zone, loam_pfn_of(SPAN >> LOAM_PAGE_SHIFT), FRAMES);
    loam_slab_config_init(&c);
    c.ncpus = 3;
    c.shift = 12;
    c.keep_large = keep;
    slabs = loam_slabs_init(zone, &c);
    if (slabs == NULL || (slabs->kept == NULL) != (keep == 0))
        abort();
    refused = explore_shared(64);
    out = explore_notes(FRAMES * 2);
    explore_label(arena, (size_t)ram.len, "frames");
    explore_label(zone, (size_t)need, "zone");
    free_before = loam_zone_free_pages(zone);
}

static uint8_t *note_of(const void *p)
{
    return &out[slab_off(slabs, p) >> LOAM_PAGE_SHIFT];
}

static void *take(void)
{
    void *p = loam_slab__large_alloc(slabs, slabs, SIZE, 16, NULL);
    EXPLORE_WANT(p != NULL && *note_of(p) == 0);
    *note_of(p) = 1;
    return p;
}

static void put(void *p)
{
    EXPLORE_WANT(*note_of(p) == 1);
    *note_of(p) = 0;
    EXPLORE_WANT(loam_slab__free(slabs, p, slabs, NULL, NULL) == LOAM_OK);
}

static void setup(void)
{
    make_slabs(16 * LOAM_PAGE_SIZE);
    block[0] = take();
}

static void setup_two(void)
{
    make_slabs(5 * LOAM_PAGE_SIZE); /* room for two of them, no more */
    block[0] = take();
    block[1] = take();
}

static void setup_kept(void)
{
    setup_two();
    explore_set_cpu(0);
    put(block[1]);
}

static void setup_nothing_kept(void)
{
    make_slabs(0);
    block[0] = take();
}

static const char *all_is_back(void)
{
    const char *broken = loam_slabs_check(slabs);
    for (unsigned i = 0; i < 3; i++) {
        explore_set_cpu(i);
        loam_slabs_shrink(slabs);
    }
    explore_set_cpu(0);
    if (broken == NULL)
        broken = loam_slabs_check(slabs);
    if (broken == NULL)
        broken = loam_zone_check(zone);
    if (broken != NULL)
        return broken;
    return loam_zone_free_pages(zone) == free_before ? NULL : "frames are lost";
}

static const char *refused_once(void)
{
    *note_of(block[0]) = 0;
    const char *broken = all_is_back();
    return broken != NULL || slabs->refusals == 1 ? broken : "not refused once";
}

static void free_badly(void)
{
    if (loam_slab__free(slabs, block[0], slabs, NULL, NULL) != LOAM_OK)
        (void)loam_atomic_add(refused, 1);
}

static void put_first(void)
{
    put(block[0]);
}

static void put_and_take(void)
{
    put(block[0]);
    void *p = take();
    put(p);
}

static void take_and_put(void)
{
    put(take());
}

static void shrink(void)
{
    loam_slabs_shrink(slabs);
}

static void put_and_leave(void)
{
    put(block[0]);
    loam_slabs_offline(slabs);
}

static void copy(void)
{
    loam_slabs_thaw(slabs, loam_slabs_freeze(slabs));
}

/* The bound on switches is for `make test`; test-long has none. */
static void explored(tap *t, explore_script *script)
{
    if (getenv("LOAM_LONG") != NULL)
        script->switches = 0;
    explore_case(t, script, MOST);
}

static void double_free(tap *t)
{
    explore_script script = {.name = "two free one large block",
                             .setup = setup,
                             .finish = refused_once,
                             .misuse_is_fine = true,
                             .no_race_check = true, /* who frees wrongly looks at what is not his */
                             .switches = 3,
                             .actor = {{free_badly, 0, false}, {free_badly, 1, false}}};
    explored(t, &script);
    script.name = "two free one large block, and nothing is kept";
    script.setup = setup_nothing_kept;
    explored(t, &script);
}

static void shrinking(tap *t)
{
    explore_script script = {.name = "one frees and asks again while all that is kept goes",
                             .setup = setup,
                             .finish = all_is_back,
                             .switches = 3,
                             .actor = {{put_and_take, 0, false}, {shrink, 1, false}}};
    explored(t, &script);
    script.name = "the same, and too many are kept";
    script.setup = setup_kept;
    explored(t, &script);
    script.name = "one asks for what is kept while another makes it go";
    script.actor[0].run = take_and_put;
    script.actor[1].run = shrink;
    script.finish = all_is_back;
    script.actor[2] = (explore_actor_plan){put_first, 2, false};
    script.switches = 2;
    explored(t, &script);
}

static void leaving(tap *t)
{
    explore_script script = {.name = "one frees and leaves while all that is kept goes",
                             .setup = setup,
                             .finish = all_is_back,
                             .switches = 3,
                             .actor = {{put_and_leave, 0, false}, {shrink, 1, false}}};
    explored(t, &script);
}

static void copying(tap *t)
{
    explore_script script = {.name = "one frees and asks again while a copy is made",
                             .setup = setup,
                             .finish = all_is_back,
                             .switches = 3,
                             .actor = {{put_and_take, 0, false}, {copy, 1, false}}};
    explored(t, &script);
}

static const tap_case cases[] = {
    {"slab_kept: a large block freed by two processors: refused once", double_free},
    {"slab_kept: all of it goes while it is asked for: nothing lost", shrinking},
    {"slab_kept: its processor leaves: nothing lost", leaving},
    {"slab_kept: frozen and thawed meanwhile: nothing lost", copying},
};
TAP_SUITE(slab_kept_explore, cases);

int main(int argc, char **argv)
{
    return tap_host_main(&tap_suite_slab_kept_explore, argc, argv);
}
