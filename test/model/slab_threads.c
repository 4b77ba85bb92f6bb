/* SPDX-License-Identifier: MIT */
/* slab_threads.c - several threads over one object layer, each a processor: what one allocates
 * another frees, processors leave and come back, memory runs out. Nothing is given out twice,
 * nothing is lost.
 *
 * Also run with the thread sanitizer. */
#include <pthread.h>
#include <sched.h>

#include "slab_cpus.h"

enum { THREADS = 3, SLOTS = 96, HANDS = 64, FURTHER = 1024 };

/* A place where one thread leaves a block for another. */
typedef struct hand {
    void *p; /* [atomic] */
} hand;

static hand hands[THREADS][HANDS];
static uint32_t faults, noes; /* [atomic] */

typedef struct worker {
    pthread_t thread;
    unsigned cpu, steps;
    uint64_t rng;
    bool leaves, large; /* goes offline at times; asks for large blocks, too */
    bool extends;       /* more of the window, and memory there, when half is done */
    unsigned char *own[SLOTS];
    unsigned count;
} worker;

static worker workers[THREADS];

static uint64_t random_of(worker *w, uint64_t n)
{
    w->rng ^= w->rng << 13;
    w->rng ^= w->rng >> 7;
    w->rng ^= w->rng << 17;
    return (w->rng >> 11) % n;
}

/* The first bytes say how long the block is, the rest repeats its low byte. */
static void mark(unsigned char *p, uint32_t size)
{
    memset(p, (int)(size * 7 & 0xff), size);
    memcpy(p, &size, sizeof size);
}

static void verify(const unsigned char *p)
{
    uint32_t size;
    memcpy(&size, p, sizeof size);
    bool good = size >= sizeof size && size < 100000;
    for (uint32_t i = sizeof size; good && i < size; i++)
        good = p[i] == (size * 7 & 0xff);
    if (!good)
        loam_atomic_add(&faults, 1);
}

static void give_back(unsigned char *p)
{
    verify(p);
    memset(p, 0xee, 4);
    if (loam_kmalloc_free(cpus.k, p) != LOAM_OK)
        loam_atomic_add(&faults, 1);
}

static void take_one(worker *w)
{
    static const uint32_t most[] = {64, 64, 64, 200, 1024, 4096};
    uint32_t size = 8 + (uint32_t)random_of(w, most[random_of(w, LOAM_ARRAY_LEN(most))]);
    if (w->large && random_of(w, 64) == 0)
        size = 20000 + (uint32_t)random_of(w, 40000);
    unsigned char *p = loam_kmalloc_alloc(cpus.k, size);
    if (p == NULL) {
        loam_atomic_add(&noes, 1);
        return;
    }
    mark(p, size);
    w->own[w->count++] = p;
}

/* To the next thread, which frees what lies there when it comes by. */
static void hand_one(worker *w)
{
    unsigned to = (w->cpu + 1 + (unsigned)random_of(w, THREADS - 1)) % THREADS;
    hand *h = &hands[to][random_of(w, HANDS)];
    unsigned char *p = w->own[--w->count];
    unsigned char *old = loam_atomic_ptr_exchange(&h->p, p); /* pairs with the one in collect */
    if (old != NULL)
        give_back(old);
}

static void collect(worker *w)
{
    for (unsigned i = 0; i < HANDS; i++) {
        /* pairs with the one in hand_one */
        unsigned char *p = loam_atomic_ptr_exchange(&hands[w->cpu][i].p, NULL);
        if (p != NULL)
            give_back(p);
    }
}

static void resize_one(worker *w)
{
    unsigned char **p = &w->own[random_of(w, w->count)];
    uint32_t size = 8 + (uint32_t)random_of(w, w->large && random_of(w, 8) == 0 ? 90000 : 3000);
    verify(*p);
    unsigned char *q = loam_kmalloc_realloc(cpus.k, *p, size);
    if (q == NULL)
        return;
    mark(q, size);
    *p = q;
}

/* For a while; who rests frees as nobody meanwhile. */
static void leave(worker *w)
{
    bool rests = random_of(w, 2) == 0 && loam_slabs_rest(cpus.slabs);
    loam_slabs_offline(cpus.slabs);
    loam_zone_drain(cpus.zone);
    if (rests) {
        CPUS_ON(THREADS);
        if (w->count > 0)
            give_back(w->own[--w->count]);
        CPUS_ON(w->cpu);
    }
    if (rests || random_of(w, 2) == 0)
        loam_slabs_online(cpus.slabs);
}

/* The window's other part, and memory at its end, for who comes short. */
static void extend(void)
{
    uint64_t end = (CPUS_PA + cpus.span) >> LOAM_PAGE_SHIFT;
    loam_slabs_extend(cpus.slabs);
    if (loam_zone_add(cpus.zone, loam_pfn_of(end - FURTHER), FURTHER) != LOAM_OK)
        loam_atomic_add(&faults, 1);
}

static void *work(void *arg)
{
    worker *w = arg;
    CPUS_ON(w->cpu);
    loam_slabs_online(cpus.slabs);
    for (unsigned i = 0; i < w->steps; i++) {
        uint64_t what = random_of(w, 64);
        if (what == 0)
            loam_slabs_serve(cpus.slabs);
        else if (what == 1)
            collect(w);
        else if (what == 2 && w->count > 0)
            resize_one(w);
        else if (w->count == SLOTS || (what < 30 && w->count > 0))
            (what & 1) != 0 ? hand_one(w) : give_back(w->own[--w->count]);
        else
            take_one(w);
        if (w->leaves && random_of(w, 500) == 0)
            leave(w);
        if (w->extends && i == w->steps / 2)
            extend();
    }
    while (w->count > 0)
        give_back(w->own[--w->count]);
    loam_slabs_offline(cpus.slabs);
    loam_zone_drain(cpus.zone);
    return NULL;
}

/* Who waits lets the others run, and serves them; not for ever. */
static bool threads_wait(void *ctx)
{
    static _Thread_local unsigned patience;
    (void)ctx;
    if (cpus.slabs == NULL)
        return false;
    sched_yield();
    loam_zone_serve(cpus.zone);
    loam_slabs_serve(cpus.slabs);
    return (++patience & 63) != 0;
}

/* What is free, and what the layer's own things are in: fronts may come late, leaves stay then. */
static uint64_t pages_and_own(void)
{
    const loam_slabs *s = cpus.slabs;
    uint64_t pages = cpus_free_pages() + s->line_frames;
    for (uintptr_t i = 0; i < s->leaves && s->leaves > 1; i++)
        if (s->leaf[i] + i * SLAB_LEAF * SLAB_LINE != s->no_leaf)
            pages += slab_leaf_frames(s);
    return pages;
}

static void run(tap *t, uint64_t frames, const char *options, bool leaves, bool large)
{
    unsigned steps = getenv("LOAM_LONG") != NULL ? 1000000 : 30000;
    cpus.wait = threads_wait;
    cpus_start(t, THREADS, frames, options);
    uint64_t before = pages_and_own();
    faults = noes = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (worker){.cpu = i, .steps = steps, .rng = tap_rand(t) | 1};
        workers[i].leaves = leaves;
        workers[i].large = large;
        workers[i].extends = i == 0 && cpus.span != 0;
        TAP_EQ(t, pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        CPUS_ON(i);
        loam_slabs_online(cpus.slabs);
        collect(&workers[i]);
    }
    CPUS_ON(0);
    loam_kmalloc_stats stats;
    TAP_EQ(t, faults, 0);
    TAP_RULE(t, loam_kmalloc_check(cpus.k), NULL);
    TAP_EQ(t, pages_and_own(), before + (cpus.span != 0 ? FURTHER : 0));
    loam_kmalloc_stat(cpus.k, &stats);
    TAP_EQ(t, stats.used_blocks, 0);
    TAP_EQ(t, stats.refusals, 0);
    TAP_RULE(t, loam_kmalloc_check(cpus.k), NULL);
    if (noes != 0)
        tap_note(t, "%u times no memory", noes);
}

static void handed_over(tap *t)
{
    run(t, 4096, "shift=14", false, false);
}

static void coming_and_going(tap *t)
{
    run(t, 4096, "shift=12,keep_empty=no", true, true);
}

static void late_fronts(tap *t)
{
    cpus.lazy = true;
    run(t, 4096, "shift=12,keep_empty=no", true, true);
    run(t, 180, "shift=12", true, false);
    cpus.lazy = false;
}

static void short_of_memory(tap *t)
{
    run(t, 180, "shift=12", true, true);
}

static void hardened(tap *t)
{
    run(t, 4096, "shift=13,hardened", true, false);
}

static void with_modes(tap *t)
{
    run(t, 2048, "shift=14,guard,quarantine=64K,owner", true, true);
}

static void with_swift_modes(tap *t)
{
    run(t, 4096, "shift=14,guard,quarantine=16K,zero_free,random", true, true);
    run(t, 4096, "shift=13,guard,quarantine,zero_free,random,keep_empty=no", true, false);
}

static void keep_large(tap *t)
{
    run(t, 4096, "shift=14,keep_large=256K", true, true);
}

static void with_stacks(tap *t)
{
    cpus.lazy = cpus.stacks = true;
    run(t, 4096, "shift=14,keep_large=256K", true, true);
    run(t, 180, "shift=13", true, false);
    cpus.lazy = cpus.stacks = false;
}

/* 180 frames are too few for what is out at a time; 1024 more come in the middle. */
static void window_grows(tap *t)
{
    cpus.span = CPUS_SPAN;
    run(t, 180, "shift=12,keep_empty=no", true, true);
    run(t, 180, "shift=12,hardened", true, false);
    cpus.span = 0;
}

static const tap_case cases[] = {
    {"slab threads: blocks handed over and back: nothing lost", handed_over},
    {"slab threads: processors come and go, large blocks: nothing lost", coming_and_going},
    {"slab threads: fronts that come with the first block: nothing lost", late_fronts},
    {"slab threads: short of memory: nothing lost", short_of_memory},
    {"slab threads: hardened: nothing lost, nothing refused", hardened},
    {"slab threads: guard, quarantine, owner: nothing lost", with_modes},
    {"slab threads: all modes of a hardened process: nothing lost", with_swift_modes},
    {"slab threads: large blocks kept: nothing lost", keep_large},
    {"slab threads: long slots on stacks: nothing lost", with_stacks},
    {"slab threads: the window grows meanwhile: nothing lost", window_grows},
};
TAP_SUITE(slab_threads, cases);

int main(int argc, char **argv)
{
    return cpus_main(&tap_suite_slab_threads, argc, argv);
}
