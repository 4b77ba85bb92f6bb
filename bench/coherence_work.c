/* SPDX-License-Identifier: MIT */
/* coherence_work.c - what bench/coherence.py has threads do, each as often:
 *
 *     coherence_work KIND SIZE THREADS OPERATIONS
 *
 * First a while for nothing, so that what each has to have is there; then all begin together, and
 * a library that counts (coherence.c) is told so. malloc is called as it stands: no builtins.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 2048, BATCH = 64, RING = 256, SHARED = 4096, LONG = 16 };

typedef struct worker {
    uint64_t random;
    size_t size;
    void *slot[SLOTS];
    /* what this thread has for the next one */
    _Alignas(64) unsigned in;
    _Alignas(64) unsigned out;
    void *ring[RING];
    const struct worker *before; /* whose ring it empties */
} worker;

static unsigned threads;
static unsigned long operations;
static worker *all;
static void *shared[SHARED];
static pthread_barrier_t together;
static void (*work)(worker *w, unsigned long n);

static uint64_t draw(worker *w)
{
    uint64_t x = w->random += 0x9e3779b97f4a7c15ULL; /* splitmix64 */
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

static void *block(size_t size)
{
    char *p = malloc(size);
    if (p == NULL)
        abort();
    *p = 1;
    return p;
}

/* least .. least << octaves: every power of two as likely as the next. */
static void *some(worker *w, size_t least, unsigned octaves)
{
    size_t octave = least << draw(w) % octaves;
    return block(octave + draw(w) % octave);
}

static void *some_small(worker *w)
{
    return w->size != 0 ? block(w->size) : some(w, 16, 6);
}

static void pair(worker *w, unsigned long n)
{
    for (unsigned long i = 0; i < n; i++)
        free(block(w->size));
}

static void batch(worker *w, unsigned long n)
{
    for (unsigned long i = 0; i < n; i += BATCH) {
        for (unsigned k = 0; k < BATCH; k++)
            w->slot[k] = block(w->size);
        for (unsigned k = 0; k < BATCH; k++)
            free(w->slot[k]);
    }
    memset(w->slot, 0, sizeof(w->slot));
}

static void replace(worker *w, unsigned long k, void *p)
{
    free(w->slot[k]);
    w->slot[k] = p;
}

static void small(worker *w, unsigned long n)
{
    for (unsigned long i = 0; i < n; i++)
        replace(w, draw(w) % SLOTS, some_small(w));
}

/* As bench/patterns/lifetimes.c. */
static void lifetimes(worker *w, unsigned long n)
{
    for (unsigned long i = 0; i < n; i++) {
        uint64_t k = i % 2 != 0 ? draw(w) % BATCH : draw(w) % SLOTS;
        replace(w, k, draw(w) % 64 == 0 ? some(w, 16384, 4) : some(w, 16, 10));
    }
}

static void large(worker *w, unsigned long n)
{
    for (unsigned long i = 0; i < n; i++)
        replace(w, draw(w) % LONG, some(w, 40000, 5));
}

static void grow(worker *w, unsigned long n)
{
    for (unsigned long i = 0; i < n;) {
        void *p = NULL;
        for (size_t size = 64; size < w->size && i < n; size += size / 2, i++) {
            p = realloc(p, size);
            if (p == NULL)
                abort();
        }
        free(p);
    }
}

static unsigned seen(const unsigned *count)
{
    return __atomic_load_n(count, __ATOMIC_ACQUIRE);
}

/* Each frees what the one before it made. */
static void cross(worker *w, unsigned long n)
{
    worker *from = &all[(unsigned)(w->before - all)];
    for (unsigned long made = 0, freed = 0; made < n || freed < n;) {
        for (; made < n && w->in - seen(&w->out) != RING; made++) {
            w->ring[w->in % RING] = some_small(w);
            __atomic_store_n(&w->in, w->in + 1, __ATOMIC_RELEASE);
        }
        for (; freed < n && from->out != seen(&from->in); freed++) {
            free(from->ring[from->out % RING]);
            __atomic_store_n(&from->out, from->out + 1, __ATOMIC_RELEASE);
        }
        sched_yield();
    }
}

/* A table of all threads: a random block goes, whoever made it. */
static void mixed(worker *w, unsigned long n)
{
    for (unsigned long i = 0; i < n; i++)
        free(__atomic_exchange_n(&shared[draw(w) % SHARED], some_small(w), __ATOMIC_ACQ_REL));
}

static void *brief(void *arg)
{
    void *p[20];
    for (unsigned i = 0; i < 20; i++)
        p[i] = some(arg, 16, 5);
    for (unsigned i = 0; i < 20; i++)
        free(p[i]);
    return NULL;
}

/* An operation: a thread of 20 blocks. */
static void start(worker *w, unsigned long n)
{
    for (unsigned long i = 0; i < n; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, brief, w) != 0)
            abort();
        pthread_join(thread, NULL);
    }
}

static void *run(void *arg)
{
    work(arg, operations / 2 + BATCH);
    pthread_barrier_wait(&together);
    pthread_barrier_wait(&together);
    work(arg, operations);
    pthread_barrier_wait(&together);
    pthread_barrier_wait(&together);
    return NULL;
}

static const struct kind {
    const char *name;
    void (*work)(worker *w, unsigned long n);
} kinds[] = {{"pair", pair},           {"batch", batch}, {"small", small},
             {"lifetimes", lifetimes}, {"large", large}, {"grow", grow},
             {"cross", cross},         {"mixed", mixed}, {"start", start}};

static void count(int now)
{
    void *p = dlsym(RTLD_DEFAULT, "coherence_count");
    void (*counts)(int now);
    memcpy(&counts, &p, sizeof(counts));
    pthread_barrier_wait(&together);
    if (p != NULL)
        counts(now);
    pthread_barrier_wait(&together);
}

int main(int argc, char **argv)
{
    pthread_t thread[1024];
    for (size_t i = 0; argc == 5 && i < sizeof(kinds) / sizeof(kinds[0]); i++)
        work = strcmp(argv[1], kinds[i].name) == 0 ? kinds[i].work : work;
    threads = work != NULL ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
    if (threads == 0 || threads > 1024) {
        fprintf(stderr, "usage: coherence_work KIND SIZE THREADS OPERATIONS\n");
        return 2;
    }
    operations = strtoul(argv[4], NULL, 10);
    all = aligned_alloc(64, threads * sizeof(worker));
    if (all == NULL || pthread_barrier_init(&together, NULL, threads + 1) != 0)
        return 1;
    memset(all, 0, threads * sizeof(worker));
    for (unsigned i = 0; i < threads; i++) {
        all[i].random = i;
        all[i].size = strtoul(argv[2], NULL, 10);
        all[i].before = &all[(i + threads - 1) % threads];
        if (pthread_create(&thread[i], NULL, run, &all[i]) != 0)
            return 1;
    }
    count(1);
    count(0);
    for (unsigned i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    return 0;
}
