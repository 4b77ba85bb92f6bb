/* SPDX-License-Identifier: MIT */
/* zone_threads.c - several threads over one zone: nothing is given out twice, nothing is lost, and
 * "no memory" is true.
 *
 * Also run with the thread sanitizer. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "loam/zone.h"
#include "tap_host.h"

enum { THREADS = 4, SLOTS = 200, FRAMES = 1 << 14 };

static loam_zone *zone;
static void *mem;
static uint32_t owner[FRAMES];          /* [atomic] 1 while the frame is out */
static uint32_t faults;                 /* [atomic] */
static uint32_t handed[THREADS][SLOTS]; /* [atomic] frames for the next thread to free, plus 1 */

static unsigned area_shift = 18;
static bool hardened;

/* A request waits for the others' fronts. They come to the zone in no time, unless they are
 * lost. */
static bool wait_for_others(void *ctx)
{
    uint32_t *waits = ctx;
    loam_hosted_yield();
    return loam_atomic_add(waits, 1) < 1U << 28;
}

static uint32_t waits; /* [atomic] */

static void start(tap *t, uint64_t frames, unsigned ncpus, bool fronts, bool holes)
{
    loam_span ram[2] = {{0, frames << LOAM_PAGE_SHIFT}, {0, 0}};
    size_t n = 1;
    loam_zone_config config;
    loam_zone_config_init(&config);
    config.ncpus = ncpus;
    config.fronts = fronts;
    config.area_shift = area_shift;
    config.hardened = hardened;
    config.wait = area_shift != 18 ? wait_for_others : NULL;
    config.wait_ctx = &waits;
    waits = 0;
    if (holes) { /* two areas */
        uint64_t half = frames / 2;
        ram[0].len = half << LOAM_PAGE_SHIFT;
        ram[1] = (loam_span){(half + 2048) << LOAM_PAGE_SHIFT, (frames - half - 2048)
                                                                   << LOAM_PAGE_SHIFT};
        n = 2;
    }
    free(mem);
    uint64_t need = loam_zone_measure(ram, n, &config);
    mem = aligned_alloc(64, (size_t)need);
    zone = loam_zone_init(mem, need, false, ram, n, &config);
    for (size_t i = 0; i < n; i++)
        TAP_EQ(t, loam_zone_add(zone, loam_pfn_of(ram[i].base >> 12), ram[i].len >> 12), LOAM_OK);
    memset(owner, 0, sizeof owner);
    memset(handed, 0, sizeof handed);
    faults = 0;
}

static void claim(uint64_t frame, unsigned order)
{
    for (uint64_t i = 0; i < 1ULL << order; i++) {
        if (loam_atomic_exchange(&owner[frame + i], 1) != 0)
            loam_atomic_add(&faults, 1);
    }
}

static void give_up(uint64_t frame, unsigned order)
{
    for (uint64_t i = 0; i < 1ULL << order; i++) {
        if (loam_atomic_exchange(&owner[frame + i], 0) != 1)
            loam_atomic_add(&faults, 1);
    }
    if (loam_zone_free_order(zone, loam_pfn_of(frame), order) != LOAM_OK)
        loam_atomic_add(&faults, 1);
}

typedef struct worker {
    unsigned cpu, steps;
    uint64_t rng;
} worker;

static uint64_t below(worker *me, uint64_t n)
{
    me->rng ^= me->rng << 13;
    me->rng ^= me->rng >> 7;
    me->rng ^= me->rng << 17;
    return (me->rng >> 11) % n;
}

/* Local churn of all orders; order 0 blocks are sometimes left for the next thread to free. */
static void *churn(void *arg)
{
    worker *me = arg;
    static const unsigned orders[] = {0, 0, 0, 1, 2, 3, 5, 9};
    uint64_t frame[SLOTS] = {0};
    int order[SLOTS];
    memset(order, -1, sizeof order);
    loam_hosted_set_cpu(me->cpu);
    for (unsigned i = 0; i < me->steps; i++) {
        uint64_t s = below(me, SLOTS);
        if (order[s] >= 0) {
            give_up(frame[s], (unsigned)order[s]);
            order[s] = -1;
            continue;
        }
        unsigned k = orders[below(me, LOAM_ARRAY_LEN(orders))];
        loam_pfn pfn = loam_zone_alloc(zone, k, 0);
        if (loam_pfn_is_none(pfn))
            continue;
        claim(pfn.v, k);
        uint32_t other = 0;
        if (k == 0 && below(me, 2) == 0)
            other = loam_atomic_exchange(&handed[me->cpu][s], (uint32_t)pfn.v + 1);
        else
            frame[s] = pfn.v, order[s] = (int)k;
        if (other != 0)
            give_up(other - 1, 0);
        other = loam_atomic_exchange(&handed[(me->cpu + 1) % THREADS][s], 0);
        if (other != 0)
            give_up(other - 1, 0);
    }
    for (unsigned s = 0; s < SLOTS; s++) {
        if (order[s] >= 0)
            give_up(frame[s], (unsigned)order[s]);
    }
    loam_zone_offline(zone);
    return NULL;
}

/* Holds at most one frame at a time; with as many frames as threads it must always get one. */
static void *hold_one(void *arg)
{
    worker *me = arg;
    loam_hosted_set_cpu(me->cpu);
    for (unsigned i = 0; i < me->steps; i++) {
        loam_pfn pfn = loam_zone_alloc(zone, 0, 0);
        if (loam_pfn_is_none(pfn)) {
            loam_atomic_add(&faults, 1);
            continue;
        }
        claim(pfn.v, 0);
        give_up(pfn.v, 0);
    }
    return NULL;
}

enum { BLOCK = 10 }; /* order of an area below */

/* Holds at most one thing at a time, a frame or an area: with as many areas as threads it must
 * always get one, although the fronts keep frames of all of them. */
static void *hold_one_of_two(void *arg)
{
    worker *me = arg;
    loam_hosted_set_cpu(me->cpu);
    for (unsigned i = 0; i < me->steps; i++) {
        unsigned order = below(me, 8) == 0 ? BLOCK : (unsigned)below(me, 4);
        loam_pfn pfn = loam_zone_alloc(zone, order, 0);
        if (loam_pfn_is_none(pfn)) {
            loam_atomic_add(&faults, 1);
            continue;
        }
        claim(pfn.v, order);
        give_up(pfn.v, order);
        if (below(me, 16) == 0)
            loam_zone_serve(zone);
        if (below(me, 64) == 0) {
            loam_zone_offline(zone);
            loam_zone_online(zone);
        }
    }
    loam_zone_offline(zone);
    return NULL;
}

static void run(tap *t, void *(*work)(void *), unsigned steps)
{
    pthread_t thread[THREADS];
    worker me[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        me[i] = (worker){i, getenv("LOAM_LONG") != NULL ? steps * 50 : steps, tap_rand(t) | 1};
        pthread_create(&thread[i], NULL, work, &me[i]);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    for (unsigned i = 0; i < THREADS * SLOTS; i++) {
        uint32_t left = handed[i / SLOTS][i % SLOTS];
        if (left != 0)
            give_up(left - 1, 0);
    }
}

static void finish(tap *t, uint64_t frames)
{
    TAP_EQ(t, faults, 0);
    TAP_EQ(t, loam_zone_free_pages(zone), frames);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    loam_zone_drain_all(zone);
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static void churn_with_fronts(tap *t)
{
    start(t, FRAMES, THREADS, true, false);
    run(t, churn, 20000);
    finish(t, FRAMES);
}

static void churn_two_areas(tap *t)
{
    start(t, FRAMES, THREADS, true, true);
    run(t, churn, 20000);
    finish(t, FRAMES - 2048);
}

static void churn_when_short(tap *t)
{
    start(t, 1100, THREADS, true, false);
    run(t, churn, 20000);
    finish(t, 1100);
}

static void churn_without_fronts(tap *t)
{
    start(t, FRAMES, THREADS, false, true);
    run(t, churn, 10000);
    finish(t, FRAMES - 2048);
}

static void never_a_false_no(tap *t)
{
    start(t, THREADS, THREADS, false, false);
    run(t, hold_one, 20000);
    finish(t, THREADS);
}

/* Four areas of one frame each: the pass over the areas must not miss the frame that moves behind
 * it. */
static void never_a_false_no_areas(tap *t)
{
    loam_span ram[THREADS];
    loam_zone_config config;
    loam_zone_config_init(&config);
    config.fronts = false;
    config.ncpus = THREADS;
    for (uint64_t i = 0; i < THREADS; i++)
        ram[i] = (loam_span){(i * 3000) << LOAM_PAGE_SHIFT, LOAM_PAGE_SIZE};
    start(t, FRAMES, THREADS, false, false);
    free(mem);
    uint64_t need = loam_zone_measure(ram, THREADS, &config);
    mem = aligned_alloc(64, (size_t)need);
    zone = loam_zone_init(mem, need, false, ram, THREADS, &config);
    for (uint64_t i = 0; i < THREADS; i++)
        TAP_EQ(t, loam_zone_add(zone, loam_pfn_of(i * 3000), 1), LOAM_OK);
    run(t, hold_one, 20000);
    finish(t, THREADS);
}

static void never_a_false_no_fronts(tap *t)
{
    area_shift = BLOCK;
    start(t, THREADS << BLOCK, THREADS, true, false);
    run(t, hold_one_of_two, 6000);
    finish(t, THREADS << BLOCK);
    TAP_EQ(t, loam_zone_alloc(zone, BLOCK + 2, 0).v, 0);
    area_shift = 18;
}

/* The same, each with its own frames: blocks of several areas come and go, too. */
static void churn_small_areas(tap *t)
{
    area_shift = 8;
    start(t, FRAMES, THREADS, true, true);
    run(t, churn, 20000);
    finish(t, FRAMES - 2048);
    area_shift = 18;
}

static void churn_hardened(tap *t)
{
    hardened = true;
    start(t, FRAMES, THREADS, true, true);
    run(t, churn, 10000);
    finish(t, FRAMES - 2048);
    hardened = false;
}

enum { TWICE = 400 };
static loam_pfn twice[TWICE];
static uint32_t freed, refused; /* [atomic] */

/* Every thread frees every frame. */
static void *free_all(void *arg)
{
    worker *me = arg;
    loam_hosted_set_cpu(me->cpu);
    for (unsigned i = 0; i < TWICE; i++)
        loam_atomic_add(loam_zone_free(zone, twice[i]) == LOAM_OK ? &freed : &refused, 1);
    loam_zone_offline(zone);
    return NULL;
}

static void hear_nothing(void *ctx, const loam_report *report)
{
    (void)ctx;
    (void)report;
}

static void freed_at_once_hardened(tap *t)
{
    hardened = true;
    loam_policy before = loam_port_set_policy(LOAM_POLICY_REPORT);
    loam_port_on_report(hear_nothing, NULL);
    start(t, FRAMES, THREADS, false, false);
    loam_hosted_set_cpu(0);
    freed = refused = 0;
    TAP_EQ(t, loam_zone_alloc_bulk(zone, 0, 0, twice, TWICE), TWICE);
    run(t, free_all, 1);
    loam_port_on_report(NULL, NULL);
    loam_port_set_policy(before);
    TAP_EQ(t, freed, TWICE);
    TAP_EQ(t, refused, (THREADS - 1) * TWICE);
    finish(t, FRAMES);
    hardened = false;
}

static loam_pfn take_half(unsigned cpu)
{
    loam_hosted_set_cpu(cpu);
    return loam_zone_alloc(zone, 13, 0);
}

/* Processor 0 keeps a frame of either half. Processor 1 misses it, and gets it after the very next
 * call on processor 0, whether that takes or gives. */
static void asked_front_drains(tap *t)
{
    static loam_pfn out[FRAMES];
    for (unsigned gives = 0; gives < 2; gives++) {
        start(t, FRAMES, 2, true, false);
        loam_hosted_set_cpu(0);
        TAP_EQ(t, loam_zone_alloc_bulk(zone, 0, 0, out, FRAMES), FRAMES);
        for (uint64_t i = 1; i < FRAMES; i++)
            TAP_EQ(t, loam_zone_free(zone, loam_pfn_of(FRAMES - i)), LOAM_OK);
        loam_zone_drain(zone);
        TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(FRAMES / 2), 1, 0), LOAM_OK);
        TAP_EQ(t, loam_zone_free(zone, loam_pfn_of(FRAMES / 2)), LOAM_OK);
        TAP_CHECK(t, loam_pfn_is_none(take_half(1)));
        loam_hosted_set_cpu(0);
        if (gives)
            TAP_EQ(t, loam_zone_free(zone, loam_pfn_of(0)), LOAM_OK);
        else
            TAP_CHECK(t, loam_zone_alloc(zone, 0, 0).v < FRAMES / 2);
        TAP_EQ(t, take_half(1).v, FRAMES / 2);
        TAP_RULE(t, loam_zone_check(zone), NULL);
    }
    loam_hosted_set_cpu(0);
}

enum { NEIGHBOUR = 3, NEIGHBOUR_STEPS = 3000 };

/* A block of 2 + 1 frames, given back as one, then frame by frame. */
static void *give_pieces(void *arg)
{
    loam_hosted_set_cpu(0);
    for (unsigned i = 0; i < NEIGHBOUR_STEPS; i++) {
        bool whole = i % 2 == 0;
        if (loam_zone_alloc_at(zone, loam_pfn_of(0), NEIGHBOUR, 0) != LOAM_OK ||
            (!whole && loam_zone_split(zone, loam_pfn_of(0)) != LOAM_OK))
            loam_atomic_add(&faults, 1);
        for (unsigned frame = 0; frame < (whole ? 1 : NEIGHBOUR); frame++)
            if (loam_zone_free(zone, loam_pfn_of(frame)) != LOAM_OK)
                loam_atomic_add(&faults, 1);
    }
    return arg;
}

/* The frame behind it goes to this one's front and comes back. */
static void *give_neighbour(void *arg)
{
    loam_hosted_set_cpu(1);
    for (unsigned i = 0; i < NEIGHBOUR_STEPS; i++)
        if (loam_zone_free(zone, loam_pfn_of(NEIGHBOUR)) != LOAM_OK ||
            loam_zone_alloc(zone, 0, 0).v != NEIGHBOUR)
            loam_atomic_add(&faults, 1);
    return arg;
}

static void neighbours(tap *t)
{
    pthread_t pieces, neighbour;
    start(t, FRAMES, 2, true, false);
    TAP_EQ(t, loam_zone_alloc_at(zone, loam_pfn_of(NEIGHBOUR), 1, 0), LOAM_OK);
    pthread_create(&pieces, NULL, give_pieces, NULL);
    pthread_create(&neighbour, NULL, give_neighbour, NULL);
    pthread_join(pieces, NULL);
    pthread_join(neighbour, NULL);
    loam_hosted_set_cpu(0);
    TAP_EQ(t, loam_atomic_load(&faults), 0);
    loam_zone_drain_all(zone);
    TAP_RULE(t, loam_zone_check(zone), NULL);
}

static const tap_case cases[] = {
    {"zone threads: blocks of pieces beside another's frame: nothing lost", neighbours},
    {"zone threads: churn with fronts, freed by others too: nothing lost", churn_with_fronts},
    {"zone threads: churn over two areas: nothing lost", churn_two_areas},
    {"zone threads: churn short of memory, drains asked for: nothing lost", churn_when_short},
    {"zone threads: a front asked to drain: its next call does", asked_front_drains},
    {"zone threads: churn without fronts: nothing lost", churn_without_fronts},
    {"zone threads: k frames, k threads that hold one each: never refused", never_a_false_no},
    {"zone threads: k areas of one frame, k threads: never refused", never_a_false_no_areas},
    {"zone threads: k areas, k threads, frames of all in fronts: never refused",
     never_a_false_no_fronts},
    {"zone threads: churn over 64 small areas: nothing lost", churn_small_areas},
    {"zone threads: churn, hardened: nothing lost", churn_hardened},
    {"zone threads: hardened, every frame freed by all: by one", freed_at_once_hardened},
};
TAP_SUITE(zone_threads, cases);

int main(int argc, char **argv)
{
    int code = tap_host_main(&tap_suite_zone_threads, argc, argv);
    free(mem);
    return code;
}
