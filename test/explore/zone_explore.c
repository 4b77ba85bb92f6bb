/* SPDX-License-Identifier: MIT */
/* zone_explore.c - a zone under every order of two or three processors and their interrupts.
 *
 * Zones are as small as fronts allow, and all but a few frames are taken beforehand, so that the
 * scripts meet refills, flushes, drains and shortage at once. Each script ends with every
 * processor offline, and then wants each frame back and every rule to hold. */
#include "explore_case.h"
#include "loam/zone.h"

enum { FRONT_FRAMES = 512, MOST = 3000000 };

static loam_zone *zone;
static uint64_t left_free; /* frames that the actors have */
static uint8_t *owner;     /* notes: 1 while the frame is out */
static uint32_t *handed;   /* [atomic] a frame plus 1, from one processor to another */

static bool wait_for_drains(void *ctx)
{
    (void)ctx;
    loam_zone_serve(zone);
    loam_port_relax();
    return true;
}

typedef struct ground {
    unsigned ncpus;
    uint64_t frames, left, hole; /* hole: frames between two equal halves, or 0 */
    unsigned area_shift;
    uint64_t reserve;
    bool no_fronts, waits;
} ground;

static void make_zone(const ground *g)
{
    uint64_t half = (g->hole != 0 ? g->frames / 2 : g->frames) << LOAM_PAGE_SHIFT;
    loam_span ram[2] = {{0, half}, {half + (g->hole << LOAM_PAGE_SHIFT), half}};
    size_t n = g->hole != 0 ? 2 : 1;
    loam_zone_config config;
    loam_zone_config_init(&config);
    config.ncpus = g->ncpus;
    config.fronts = !g->no_fronts;
    config.reserve = g->reserve;
    config.wait = g->waits ? wait_for_drains : NULL;
    if (g->area_shift != 0)
        config.area_shift = g->area_shift;
    uint64_t need = loam_zone_measure(ram, n, &config);
    void *mem = explore_shared((size_t)need);
    explore_label(mem, (size_t)need, "zone");
    zone = loam_zone_init(mem, need, true, ram, n, &config);
    for (size_t i = 0; i < n; i++)
        (void)loam_zone_add(zone, loam_pfn_of(ram[i].base >> LOAM_PAGE_SHIFT),
                            ram[i].len >> LOAM_PAGE_SHIFT);
    left_free = g->left != 0 ? g->left : g->frames;
    if (left_free < g->frames)
        (void)loam_zone_alloc_at(zone, loam_pfn_of(0), g->frames - left_free, 0);
    owner = explore_notes(g->frames + g->hole);
    handed = explore_shared(64);
    explore_label(handed, 64, "handed");
}

static void claim(loam_pfn pfn, unsigned order)
{
    for (uint64_t i = 0; i < 1ULL << order; i++) {
        EXPLORE_WANT(owner[pfn.v + i] == 0);
        owner[pfn.v + i] = 1;
    }
}

static void give_up(loam_pfn pfn, unsigned order)
{
    for (uint64_t i = 0; i < 1ULL << order; i++) {
        EXPLORE_WANT(owner[pfn.v + i] == 1);
        owner[pfn.v + i] = 0;
    }
    EXPLORE_WANT(loam_zone_free(zone, pfn) == LOAM_OK);
}

static const char *all_is_back(void)
{
    if (loam_zone_free_pages(zone) != left_free)
        return "frames are lost";
    return loam_zone_check(zone);
}

/* ---- never a false no ---- */

static void hold_one(void)
{
    loam_pfn pfn = loam_zone_alloc(zone, 0, 0);
    EXPLORE_WANT(!loam_pfn_is_none(pfn));
    claim(pfn, 0);
    give_up(pfn, 0);
    loam_zone_offline(zone);
}

static void hold_one_twice(void)
{
    for (unsigned i = 0; i < 2; i++) {
        loam_pfn pfn = loam_zone_alloc(zone, 0, 0);
        EXPLORE_WANT(!loam_pfn_is_none(pfn));
        claim(pfn, 0);
        give_up(pfn, 0);
    }
    loam_zone_offline(zone);
}

static void setup_no_fronts(void)
{
    make_zone(&(ground){.ncpus = 3, .frames = 4, .left = 3, .no_fronts = true});
}

static void no_fronts(tap *t)
{
    explore_script script = {.name = "three frames, three that hold one, no fronts",
                             .setup = setup_no_fronts,
                             .finish = all_is_back,
                             .actor = {{hold_one, 0, 0}, {hold_one, 1, 0}, {hold_one, 2, 0}}};
    explore_case(t, &script, MOST);
}

static void setup_two_areas(void)
{
    make_zone(&(ground){.ncpus = 2, .frames = 2, .hole = 4096, .no_fronts = true});
}

static void two_areas(tap *t)
{
    explore_script script = {.name = "two areas of one frame, two that hold one",
                             .setup = setup_two_areas,
                             .finish = all_is_back,
                             .actor = {{hold_one_twice, 0, 0}, {hold_one_twice, 1, 0}}};
    explore_case(t, &script, MOST);
}

/* One free block in each of two areas. Processor 1 has one of them, and changes places as often as
 * a request looks at all areas: what is free is always behind the search. */
enum { MOVING = 5, MOVES = 5 };

static void setup_moving(void)
{
    make_zone(&(ground){.ncpus = 2, .frames = FRONT_FRAMES, .area_shift = 6});
    for (uint64_t area = 0; area < FRONT_FRAMES; area += 64)
        (void)loam_zone_alloc_at(zone, loam_pfn_of(area), area < 128 ? 32 : 64, 0);
    left_free = loam_zone_free_pages(zone);
    (void)loam_zone_alloc_at(zone, loam_pfn_of(32), 32, 0);
}

static void hold_block(void)
{
    loam_pfn pfn = loam_zone_alloc(zone, MOVING, 0);
    EXPLORE_WANT(!loam_pfn_is_none(pfn));
    EXPLORE_WANT(loam_zone_free(zone, pfn) == LOAM_OK);
    loam_zone_offline(zone);
}

static void change_places(void)
{
    loam_pfn has = loam_pfn_of(32), other = loam_pfn_of(96);
    for (unsigned i = 0; i < MOVES; i++) {
        EXPLORE_WANT(loam_zone_free(zone, has) == LOAM_OK);
        if (loam_zone_alloc_at(zone, other, 32, 0) != LOAM_OK)
            return;
        loam_pfn was = has;
        has = other;
        other = was;
    }
    EXPLORE_WANT(loam_zone_free(zone, has) == LOAM_OK);
}

static void moving(tap *t)
{
    explore_script script = {.name = "two blocks, one that wants one, one that changes places",
                             .setup = setup_moving,
                             .finish = all_is_back,
                             .actor = {{hold_block, 0, 0}, {change_places, 1, 0}}};
    explore_case(t, &script, MOST);
}

/* ---- fronts: what one keeps and the other wants ---- */

static void setup_last_two(void)
{
    make_zone(&(ground){.ncpus = 2, .frames = FRONT_FRAMES, .left = 2, .waits = true});
}

static void wait_for_fronts(tap *t)
{
    explore_script script = {.name = "two frames, two that hold one, fronts that wait",
                             .setup = setup_last_two,
                             .finish = all_is_back,
                             .actor = {{hold_one_twice, 0, 0}, {hold_one_twice, 1, 0}}};
    explore_case(t, &script, MOST);
}

/* Frames that lie in the front of processor 0 are one block of order 2 with those in the area: who
 * wants that block has to get it. */
static void setup_kept(void)
{
    make_zone(&(ground){.ncpus = 2, .frames = FRONT_FRAMES, .left = 4, .waits = true});
    loam_pfn pfn = loam_zone_alloc(zone, 0, 0);
    (void)loam_zone_free(zone, pfn);
}

static void want_large(void)
{
    loam_pfn pfn = loam_zone_alloc(zone, 2, 0);
    EXPLORE_WANT(!loam_pfn_is_none(pfn));
    claim(pfn, 2);
    give_up(pfn, 2);
    loam_zone_offline(zone);
}

static void want_large_then_say(void)
{
    want_large();
    loam_atomic_store(&handed[1], 1);
}

/* Idle, but for its tick. */
static void serve_until_told(void)
{
    while (loam_atomic_load(&handed[1]) == 0) {
        loam_zone_serve(zone);
        loam_port_relax();
    }
}

static void large_from_fronts(tap *t)
{
    explore_script script = {
        .name = "a block of which the other front has a part",
        .setup = setup_kept,
        .finish = all_is_back,
        .actor = {{serve_until_told, 0, false}, {want_large_then_say, 1, false}}};
    explore_case(t, &script, MOST);
}

/* A handler that serves in place of the thread, as the tick does. */
static void serve(void)
{
    loam_zone_serve(zone);
}

static void idle(void)
{
    while (loam_atomic_load(&handed[1]) == 0)
        loam_port_relax();
}

static void tick_serves(tap *t)
{
    explore_script script = {
        .name = "an idle processor whose tick serves",
        .setup = setup_kept,
        .finish = all_is_back,
        .actor = {{idle, 0, 0}, {want_large_then_say, 1, 0}, {serve, 0, true}}};
    explore_result result = explore_run(&script, NULL, MOST, NULL, NULL);
    /* the tick comes once: when it comes too early, the others wait for ever */
    TAP_CHECK(t, result.broken != NULL && result.broken[0] == 'n');
}

/* Two frames lie in the front of processor 2, which gives them back and no more. What it gives may
 * go into the front of processor 0 while 1 asks: one of the two is always to be had. */
static void setup_passed_on(void)
{
    make_zone(&(ground){.ncpus = 3, .frames = 3 * 256, .left = 2, .waits = true});
    explore_set_cpu(2);
    loam_pfn first = loam_zone_alloc(zone, 0, 0), second = loam_zone_alloc(zone, 0, 0);
    (void)loam_zone_free(zone, first);
    (void)loam_zone_free(zone, second);
}

static void leave(void)
{
    loam_zone_offline(zone);
}

static void passed_on(tap *t)
{
    explore_script script = {
        .name = "frames that go from front to front while one asks",
        .setup = setup_passed_on,
        .finish = all_is_back,
        .switches = 4,
        .actor = {{hold_one, 0, false}, {hold_one, 1, false}, {leave, 2, false}}};
    if (getenv("LOAM_LONG") != NULL)
        script.switches = 0;
    explore_case(t, &script, 40 * MOST);
}

/* ---- hand-over ---- */

static void hand_over(void)
{
    loam_pfn pfn = loam_zone_alloc(zone, 0, 0);
    EXPLORE_WANT(!loam_pfn_is_none(pfn));
    claim(pfn, 0);
    uint32_t other = loam_atomic_exchange(&handed[0], (uint32_t)pfn.v + 1);
    if (other != 0)
        give_up(loam_pfn_of(other - 1), 0);
    loam_zone_offline(zone);
}

static const char *handed_is_back(void)
{
    if (handed[0] != 0) {
        (void)loam_zone_free(zone, loam_pfn_of(handed[0] - 1));
        loam_zone_drain_all(zone);
    }
    return all_is_back();
}

static void setup_three(void)
{
    make_zone(&(ground){.ncpus = 3, .frames = 3 * 256, .left = 3, .waits = true});
}

static void from_hand_to_hand(tap *t)
{
    explore_script script = {.name = "frames from hand to hand",
                             .setup = setup_three,
                             .finish = handed_is_back,
                             .switches = 2,
                             .actor = {{hand_over, 0, 0}, {hand_over, 1, 0}, {hand_over, 2, 0}}};
    if (getenv("LOAM_LONG") != NULL)
        script.switches = 0;
    explore_case(t, &script, 40 * MOST);
}

/* ---- interrupts ---- */

static void interrupt_churn(void)
{
    loam_pfn pfn = loam_zone_alloc(zone, 0, LOAM_ZONE_ATOMIC);
    if (loam_pfn_is_none(pfn))
        return;
    claim(pfn, 0);
    give_up(pfn, 0);
}

static void churn(void)
{
    for (unsigned i = 0; i < 2; i++) {
        loam_pfn pfn = loam_zone_alloc(zone, 0, 0);
        EXPLORE_WANT(!loam_pfn_is_none(pfn));
        claim(pfn, 0);
        give_up(pfn, 0);
    }
}

static void churn_and_leave(void)
{
    churn();
    loam_zone_offline(zone);
}

static void setup_three_frames(void)
{
    make_zone(&(ground){.ncpus = 2, .frames = FRONT_FRAMES, .left = 3, .waits = true});
}

static void interrupted(tap *t)
{
    explore_script script = {
        .name = "a thread and a handler of one processor, and another",
        .setup = setup_three_frames,
        .finish = all_is_back,
        .switches = 2,
        .actor = {{churn_and_leave, 0, 0}, {churn_and_leave, 1, 0}, {interrupt_churn, 0, true}}};
    if (getenv("LOAM_LONG") != NULL)
        script.switches = 0;
    explore_case(t, &script, 40 * MOST);
}

/* ---- wrong frees ---- */

static uint64_t twice; /* set up: a frame that is out, and freed by both */

static void setup_twice(void)
{
    make_zone(&(ground){.ncpus = 2, .frames = FRONT_FRAMES, .left = 4, .waits = true});
    twice = loam_zone_alloc(zone, 0, 0).v;
}

static void free_it(void)
{
    if (loam_zone_free(zone, loam_pfn_of(twice)) != LOAM_OK)
        (void)loam_atomic_add(&handed[2], 1);
    loam_zone_offline(zone);
}

static const char *refused_once(void)
{
    loam_zone_stats stats;
    loam_zone_stat(zone, &stats);
    if (handed[2] > 1)
        return "both frees were refused";
    return all_is_back();
}

static void double_free(tap *t)
{
    explore_script script = {.name = "a frame freed by two",
                             .setup = setup_twice,
                             .finish = refused_once,
                             .misuse_is_fine = true,
                             .no_race_check = true,
                             .actor = {{free_it, 0, 0}, {free_it, 1, 0}}};
    explore_case(t, &script, MOST);
}

/* ---- the reserve: a handler gets what threads may not have ---- */

static void setup_reserve(void)
{
    make_zone(&(ground){.ncpus = 1, .frames = 256, .left = 2, .reserve = 1});
}

/* What a handler gave back is the reserve again: only one of the two frames is for a thread. */
static void take_all(void)
{
    loam_pfn first = loam_zone_alloc(zone, 0, 0), second = loam_zone_alloc(zone, 0, 0);
    EXPLORE_WANT(!loam_pfn_is_none(first));
    EXPLORE_WANT(loam_pfn_is_none(second));
    claim(first, 0);
    give_up(first, 0);
    loam_zone_offline(zone);
}

static void interrupt_must(void)
{
    loam_pfn pfn = loam_zone_alloc(zone, 0, LOAM_ZONE_ATOMIC);
    EXPLORE_WANT(!loam_pfn_is_none(pfn));
    claim(pfn, 0);
    give_up(pfn, 0);
}

static void reserve(tap *t)
{
    explore_script script = {.name = "the last frame is a handler's",
                             .setup = setup_reserve,
                             .finish = all_is_back,
                             .actor = {{take_all, 0, 0}, {interrupt_must, 0, true}}};
    explore_case(t, &script, MOST);
}

/* ---- the top level of areas ---- */

static void setup_top(void)
{
    make_zone(
        &(ground){.ncpus = 2, .frames = 256, .area_shift = 6, .left = 128, .no_fronts = true});
}

static void want_order(unsigned order, bool surely)
{
    loam_pfn pfn = loam_zone_alloc(zone, order, 0);
    EXPLORE_WANT(!surely || !loam_pfn_is_none(pfn));
    if (loam_pfn_is_none(pfn))
        return;
    claim(pfn, order);
    give_up(pfn, order);
}

/* Two areas are free. Who wants a frame and who wants an area always find one. */
static void small_twice(void)
{
    want_order(0, true);
    want_order(0, true);
}

static void one_area(void)
{
    want_order(6, true);
}

static void both_areas(void)
{
    want_order(7, false);
}

static void top_level(tap *t)
{
    explore_script script = {.name = "a frame and an area of two areas",
                             .setup = setup_top,
                             .finish = all_is_back,
                             .actor = {{small_twice, 0, 0}, {one_area, 1, 0}}};
    explore_case(t, &script, MOST);
    script.name = "a frame and all of two areas";
    script.actor[0].run = both_areas;
    script.actor[1].run = both_areas;
    explore_case(t, &script, MOST);
}

static const tap_case cases[] = {
    {"zone: k frames, k processors that hold one, no fronts: never refused", no_fronts},
    {"zone: k areas of a frame, k processors: never refused", two_areas},
    {"zone: blocks that move between areas behind a search: never refused", moving},
    {"zone: two frames between two fronts, waiting: never refused", wait_for_fronts},
    {"zone: a block of which another front has a part: obtained", large_from_fronts},
    {"zone: a tick that comes too early, then never: they wait for ever", tick_serves},
    {"zone: frames that go from front to front while one asks: obtained", passed_on},
    {"zone: frames from hand to hand over three processors: all come back", from_hand_to_hand},
    {"zone: a thread, its handler, another processor: nothing lost", interrupted},
    {"zone: a frame freed by two processors at once: one free counts", double_free},
    {"zone: the reserve: a handler gets the last frame at any moment", reserve},
    {"zone: areas in a top level: none refused, nothing lost", top_level},
};
TAP_SUITE(zone_explore, cases);

int main(int argc, char **argv)
{
    return tap_host_main(&tap_suite_zone_explore, argc, argv);
}
