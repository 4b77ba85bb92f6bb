/* SPDX-License-Identifier: MIT */
/* stress_threads.c - the kernels' stress test in a process: each thread a processor, frames and
 * objects at once.
 *
 *     a step    an empty place -> frames of order 0-3 or 9, or an object of 16 B to 32 KiB, filled
 *                                 with a pattern of its owner and number
 *               a full one     -> looked at and freed, or left for another thread to free
 *     a tick    every few steps: serves, takes and frees frames with LOAM_ZONE_ATOMIC
 *     a burst   all meet; each takes all that it can get; all meet, and nothing may be left; all
 *               give back, and each must get a page
 *     away      offline for a while
 *
 * At the end every frame is back and every rule holds. Also run with the thread sanitizer. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <sched.h>

#include "slab_cpus.h"

enum { THREADS = 4, HELD = 64, LETTERS = 16, TICK_EVERY = 16, BURSTS = 2, PATIENCE = 64 };

typedef struct block {
    uint64_t pattern;
    uint64_t *at; /* NULL: there is none */
    size_t words;
    loam_pfn pfn; /* LOAM_NO_FRAME: an object */
} block;

typedef struct letter {
    uint32_t full; /* [atomic] the sender writes the block before, the receiver reads it after */
    block block;
} letter;

typedef struct worker {
    pthread_t thread;
    unsigned cpu, steps;
    bool leaves;
    uint64_t rng, serial;
    block held[HELD];
    block ticks; /* what the last tick kept */
} worker;

static worker workers[THREADS];
static letter letters[THREADS][THREADS][LETTERS];
static uint32_t faults, noes; /* [atomic] */
static uint32_t burst_frames; /* [atomic] */
static pthread_barrier_t all;
static _Thread_local unsigned hopes;

static uint64_t random_of(worker *w, uint64_t n)
{
    w->rng ^= w->rng << 13;
    w->rng ^= w->rng >> 7;
    w->rng ^= w->rng << 17;
    return (w->rng >> 11) % n;
}

static void fault(void)
{
    loam_atomic_add(&faults, 1);
}

/* Others come to their ticks meanwhile; not for ever. */
static bool stress_wait(void *ctx)
{
    (void)ctx;
    if (cpus.slabs == NULL || hopes == 0)
        return false;
    hopes--;
    sched_yield();
    loam_zone_serve(cpus.zone);
    loam_slabs_serve(cpus.slabs);
    return true;
}

/* ---- blocks ---- */

static void mark(worker *w, block *b)
{
    b->pattern = (w->serial++ << 8 | w->cpu) * 0x9e3779b97f4a7c15ULL;
    for (size_t i = 0; i < b->words; i += i < 64 ? 1 : 61)
        b->at[i] = b->pattern + i;
}

static void give(block *b)
{
    if (b->at == NULL)
        return;
    for (size_t i = 0; i < b->words; i += i < 64 ? 1 : 61) {
        if (b->at[i] != b->pattern + i)
            fault();
    }
    loam_err err = loam_pfn_is_none(b->pfn) ? loam_kmalloc_free(cpus.k, b->at)
                                            : loam_zone_free(cpus.zone, b->pfn);
    if (err != LOAM_OK)
        fault();
    b->at = NULL;
}

static bool take_frames(worker *w, unsigned order, unsigned flags, block *b)
{
    hopes = PATIENCE;
    b->pfn = loam_zone_alloc(cpus.zone, order, flags);
    if (loam_pfn_is_none(b->pfn))
        return false;
    b->at = loam_zone_to_va(cpus.zone, b->pfn);
    b->words = (size_t)(LOAM_PAGE_SIZE / 8) << order;
    mark(w, b);
    return true;
}

static bool take_object(worker *w, size_t size, block *b)
{
    hopes = PATIENCE;
    b->pfn = LOAM_NO_FRAME;
    b->at = loam_kmalloc_alloc(cpus.k, size);
    b->words = size / 8;
    if (b->at == NULL)
        return false;
    mark(w, b);
    return true;
}

static void take(worker *w, block *b)
{
    static const unsigned orders[] = {0, 0, 0, 0, 1, 2, 3};
    bool done;
    if (random_of(w, 3) != 0)
        done = take_object(w, 16 + (size_t)random_of(w, 16ULL << random_of(w, 12)), b);
    else if (random_of(w, 64) == 0)
        done = take_frames(w, 9, 0, b);
    else
        done = take_frames(w, orders[random_of(w, LOAM_ARRAY_LEN(orders))], 0, b);
    if (!done)
        loam_atomic_add(&noes, 1);
}

/* ---- letters ---- */

static bool send(worker *w, block *b)
{
    unsigned to = (w->cpu + 1 + (unsigned)random_of(w, THREADS - 1)) % THREADS;
    letter *l = &letters[to][w->cpu][random_of(w, LETTERS)];
    if (loam_atomic_load(&l->full) != 0) /* pairs with the store of 0 in read_letters */
        return false;
    l->block = *b;
    loam_atomic_store(&l->full, 1); /* pairs with the load in read_letters */
    b->at = NULL;
    return true;
}

static void read_letters(unsigned cpu)
{
    for (unsigned i = 0; i < THREADS * LETTERS; i++) {
        letter *l = &letters[cpu][i / LETTERS][i % LETTERS];
        if (loam_atomic_load(&l->full) == 0) /* pairs with the store of 1 in send */
            continue;
        give(&l->block);
        loam_atomic_store(&l->full, 0);
    }
}

/* ---- ticks, bursts, leaving ---- */

static void tick(worker *w)
{
    loam_zone_serve(cpus.zone);
    loam_slabs_serve(cpus.slabs);
    give(&w->ticks);
    if (random_of(w, 2) == 0)
        (void)take_frames(w, (unsigned)random_of(w, 3), LOAM_ZONE_ATOMIC, &w->ticks);
}

static void give_all(worker *w)
{
    for (unsigned i = 0; i < HELD; i++)
        give(&w->held[i]);
    give(&w->ticks);
}

static void leave(void)
{
    loam_slabs_offline(cpus.slabs);
    loam_zone_offline(cpus.zone);
}

static void come_back(void)
{
    loam_zone_online(cpus.zone);
    loam_slabs_online(cpus.slabs);
}

/* Takes single pages until there is none; a list through their first words. */
static uint64_t take_pages(uint64_t list)
{
    for (;;) {
        hopes = PATIENCE;
        loam_pfn pfn = loam_zone_alloc(cpus.zone, 0, 0);
        if (loam_pfn_is_none(pfn))
            return list;
        *(uint64_t *)loam_zone_to_va(cpus.zone, pfn) = list;
        list = pfn.v;
        loam_atomic_add(&burst_frames, 1);
    }
}

static void give_pages(uint64_t list)
{
    while (list != 0) {
        loam_pfn pfn = loam_pfn_of(list);
        list = *(uint64_t *)loam_zone_to_va(cpus.zone, pfn);
        if (loam_zone_free(cpus.zone, pfn) != LOAM_OK)
            fault();
    }
}

static void burst(worker *w)
{
    block page = {.at = NULL};
    give_all(w);
    pthread_barrier_wait(&all);
    uint64_t list = take_pages(0);
    leave();
    loam_slabs_shrink(cpus.slabs);
    pthread_barrier_wait(&all);
    list = take_pages(list); /* what fronts kept; nobody's keeps anything now */
    pthread_barrier_wait(&all);
    if (w->cpu == 0 && loam_zone_free_pages(cpus.zone) != 0)
        fault();
    pthread_barrier_wait(&all);
    if (take_object(w, 20000, &page))
        fault();
    pthread_barrier_wait(&all);
    come_back();
    give_pages(list);
    pthread_barrier_wait(&all);
    if (!take_frames(w, 0, 0, &page))
        fault();
    give(&page);
    pthread_barrier_wait(&all);
}

static void *work(void *arg)
{
    worker *w = arg;
    CPUS_ON(w->cpu);
    for (unsigned i = 0; i < w->steps; i++) {
        block *b = &w->held[random_of(w, HELD)];
        if (i % (w->steps / (BURSTS + 1) + 1) == w->steps / (BURSTS + 1))
            burst(w);
        if (b->at == NULL)
            take(w, b);
        else if (random_of(w, 3) != 0 || !send(w, b))
            give(b);
        if (i % TICK_EVERY == 0)
            tick(w);
        if (random_of(w, 32) == 0)
            read_letters(w->cpu);
        if (w->leaves && random_of(w, 400) == 0) {
            leave();
            sched_yield();
            come_back();
        }
    }
    give_all(w);
    pthread_barrier_wait(&all);
    read_letters(w->cpu);
    leave();
    return NULL;
}

static void run(tap *t, uint64_t frames, bool leaves)
{
    unsigned steps = getenv("LOAM_LONG") != NULL ? 600000 : 40000;
    cpus.wait = stress_wait;
    cpus_start(t, THREADS, frames, "shift=14,keep_empty=no");
    uint64_t before = cpus_free_pages();
    faults = noes = burst_frames = 0;
    pthread_barrier_init(&all, NULL, THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (worker){.cpu = i, .steps = steps, .leaves = leaves};
        workers[i].rng = tap_rand(t) | 1;
        TAP_EQ(t, pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        CPUS_ON(i);
        come_back();
    }
    CPUS_ON(0);
    pthread_barrier_destroy(&all);
    TAP_EQ(t, faults, 0);
    TAP_CHECK(t, burst_frames > BURSTS * before / 2);
    TAP_EQ(t, cpus_free_pages(), before);
    TAP_RULE(t, loam_kmalloc_check(cpus.k), NULL);
    TAP_RULE(t, loam_zone_check(cpus.zone), NULL);
    tap_note(t, "%u requests found no memory", noes);
}

static void much_memory(tap *t)
{
    run(t, 4096, false);
}

static void little_memory(tap *t)
{
    run(t, 700, true);
}

static const tap_case cases[] = {
    {"stress: frames and objects, handed over, ticks, bursts: all is back", much_memory},
    {"stress: short of memory, processors that leave: all is back", little_memory},
};
TAP_SUITE(stress_threads, cases);

int main(int argc, char **argv)
{
    return cpus_main(&tap_suite_stress_threads, argc, argv);
}
