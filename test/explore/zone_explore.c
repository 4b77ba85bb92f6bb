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

static const tap_case cases[] = {
    {"zone: k frames, k processors that hold one, no fronts: never refused", no_fronts},
    {"zone: k areas of a frame, k processors: never refused", two_areas},
};
TAP_SUITE(zone_explore, cases);

int main(int argc, char **argv)
{
    return tap_host_main(&tap_suite_zone_explore, argc, argv);
}
