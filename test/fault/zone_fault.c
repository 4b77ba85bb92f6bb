/* SPDX-License-Identifier: MIT */
/* zone_fault.c - a zone whose n-th request is refused.
 *
 * A fixed script over small areas, blocks of several of them among it, runs again and again; in run
 * n the n-th request fails (and in a second round every later one, too). A refused call changes
 * nothing, the others are served, and in the end one block is free. */
#include "loam/zone.h"
#include "tap_host.h"

enum { FRAMES = 1024, LIVE = 64, MEM = 128 * 1024 };

static unsigned char mem[MEM] __attribute__((aligned(64)));
static loam_zone *zone;
static uint64_t asked, refuse_at;
static bool refuse_rest;
static loam_pfn live[LIVE];
static unsigned nlive;

static bool refuse(void *ctx, unsigned order)
{
    (void)ctx;
    (void)order;
    asked++;
    return asked == refuse_at || (refuse_rest && asked > refuse_at);
}

static void start(tap *t)
{
    const loam_span ram = {0, (uint64_t)FRAMES << LOAM_PAGE_SHIFT};
    loam_zone_config config;
    loam_zone_config_init(&config);
    config.area_shift = 6;
    config.refuse = refuse;
    zone = loam_zone_init(mem, MEM, false, &ram, 1, &config);
    TAP_CHECK(t, zone != NULL);
    TAP_EQ(t, loam_zone_add(zone, loam_pfn_of(0), FRAMES), LOAM_OK);
    nlive = 0;
}

/* What was got stays; what was refused has changed nothing. */
static void keep(tap *t, loam_pfn pfn, uint64_t frames, uint64_t before, bool refused)
{
    TAP_EQ(t, loam_zone_free_pages(zone), refused ? before : before - frames);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    if (!refused)
        live[nlive++] = pfn;
}

static void get(tap *t, unsigned order)
{
    uint64_t before = loam_zone_free_pages(zone);
    loam_pfn pfn = loam_zone_alloc(zone, order, 0);
    keep(t, pfn, 1ULL << order, before, loam_pfn_is_none(pfn));
}

static void get_exact(tap *t, uint64_t frames)
{
    uint64_t before = loam_zone_free_pages(zone);
    loam_pfn pfn = loam_zone_alloc_exact(zone, frames, 0);
    keep(t, pfn, frames, before, loam_pfn_is_none(pfn));
}

static void get_range(tap *t, unsigned order)
{
    uint64_t before = loam_zone_free_pages(zone);
    loam_pfn pfn = loam_zone_alloc_range(zone, order, loam_pfn_of(130), loam_pfn_of(900), 0);
    keep(t, pfn, 1ULL << order, before, loam_pfn_is_none(pfn));
}

static void get_at(tap *t, uint64_t first, uint64_t frames)
{
    uint64_t before = loam_zone_free_pages(zone);
    loam_err err = loam_zone_alloc_at(zone, loam_pfn_of(first), frames, 0);
    keep(t, loam_pfn_of(first), frames, before, err != LOAM_OK);
}

static void put_every_second(tap *t)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < nlive; i++) {
        if (i % 2 == 0)
            live[kept++] = live[i];
        else
            TAP_EQ(t, loam_zone_free(zone, live[i]), LOAM_OK);
    }
    nlive = kept;
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static void script(tap *t)
{
    get_at(t, 60, 70);
    for (unsigned order = 0; order < 9; order++)
        get(t, order);
    put_every_second(t);
    get_exact(t, 100);
    get_range(t, 7);
    get_range(t, 2);
    put_every_second(t);
    for (unsigned i = 0; i < 8; i++)
        get(t, i % 7);
    get_exact(t, 70);
}

/* false when it did not come to request n. */
static bool run(tap *t, uint64_t n, bool rest)
{
    asked = 0;
    refuse_at = n;
    refuse_rest = rest;
    start(t);
    script(t);
    bool hit = asked >= n;
    refuse_at = 0;
    refuse_rest = false;
    while (nlive > 0)
        TAP_EQ(t, loam_zone_free(zone, live[--nlive]), LOAM_OK);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    TAP_EQ(t, loam_zone_alloc(zone, 10, 0).v, 0);
    return hit;
}

static void one_refused(tap *t)
{
    uint64_t n = 1;
    while (run(t, n, false) && t->failed == 0)
        n++;
    TAP_CHECK(t, n > 15);
}

static void all_refused_from(tap *t)
{
    uint64_t n = 1;
    while (run(t, n, true) && t->failed == 0)
        n++;
    TAP_CHECK(t, n > 15);
}

static const tap_case cases[] = {
    {"zone fault: one request refused, each in turn: nothing changed, nothing lost", one_refused},
    {"zone fault: all from one on refused: nothing changed, nothing lost", all_refused_from},
};
TAP_SUITE(zone_fault, cases);

int main(int argc, char **argv)
{
    return tap_host_main(&tap_suite_zone_fault, argc, argv);
}
