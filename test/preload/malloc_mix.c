/* SPDX-License-Identifier: MIT */
/* malloc_mix.c - every call of the malloc of libloam.so, of every size, from several threads at
 * once, on blocks that go from hand to hand. With LOAM_CONF the same in its modes; races_long.py
 * runs it under ThreadSanitizer. */
#define _GNU_SOURCE
#include "loam_libc.h"
#include "tap_host.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum { SLOTS = 256, THREADS = 6, ROUNDS = 3 };

typedef unsigned char *block;

static _Atomic block slot[SLOTS]; /* its first and last byte are its place */
static atomic_uint spoiled;
static unsigned steps;

static uint32_t draw(uint32_t *rng)
{
    *rng = *rng * 1103515245U + 12345U;
    return *rng >> 8;
}

static size_t draw_size(uint32_t *rng)
{
    unsigned kind = draw(rng) % 1000;
    size_t most = kind < 600 ? 600 : kind < 850 ? 33000 : kind < 985 ? 400000 : 4000000;
    return 1 + draw(rng) % (kind < 997 ? most : 40000000);
}

static unsigned char *draw_block(uint32_t *rng, size_t size)
{
    unsigned kind = draw(rng) % 16;
    unsigned char *p = NULL;
    if (kind < 6)
        return malloc(size);
    if (kind == 8)
        return aligned_alloc((size_t)1 << draw(rng) % 17, size);
    if (kind < 8 && (p = calloc(1, size)) != NULL && (p[0] | p[size / 2] | p[size - 1]) != 0)
        atomic_fetch_add(&spoiled, 1);
    return p;
}

/* A block that is this thread's now. */
static void use_up(unsigned char *p, unsigned mark, size_t size, bool resized)
{
    unsigned char *q = resized ? realloc(p, size) : NULL;
    p = q != NULL ? q : p;
    if (p != NULL && (p[0] != mark || malloc_usable_size(p) < (q != NULL ? size : 1)))
        atomic_fetch_add(&spoiled, 1);
    if (p != NULL) /* NULL asks for the window without order: preload.h */
        free(p);
}

/* While a small block is out there is memory that is not of huge ones. */
static void look(void)
{
    unsigned char *volatile p = malloc(100);
    if (p != NULL && mallinfo2().arena == 0)
        atomic_fetch_add(&spoiled, 1);
    if (p != NULL)
        free(p);
}

static void *mix(void *arg)
{
    uint32_t rng = (uint32_t)(uintptr_t)arg;
    for (unsigned i = 0; i < steps; i++) {
        unsigned at = draw(&rng) % SLOTS;
        size_t size = draw_size(&rng);
        unsigned char *p = draw_block(&rng, size);
        if (p != NULL)
            p[0] = p[size - 1] = (unsigned char)at;
        p = atomic_exchange(&slot[at], p);
        use_up(p, at, size, p != NULL && draw(&rng) % 4 == 0);
        if (draw(&rng) % 400 == 0)
            malloc_trim(0);
        if (draw(&rng) % 300 == 0)
            look();
    }
    return NULL;
}

static void at_once(tap *t)
{
    pthread_t thread[THREADS]; /* one of them is the first that allocates */
    steps = getenv("LOAM_LONG") != NULL ? 3000 : 500;
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned n = 0;
        while (n < THREADS &&
               pthread_create(&thread[n], NULL, mix, (void *)(uintptr_t)(tap_rand(t) | 1)) == 0)
            n++;
        TAP_EQ(t, n, THREADS);
        while (n > 0)
            pthread_join(thread[--n], NULL);
    }
    for (unsigned i = 0; i < SLOTS; i++)
        use_up(slot[i], i, 1, false);
    TAP_EQ(t, atomic_load(&spoiled), 0);
}

static const tap_case cases[] = {
    {"threads: every call, every size, from hand to hand", at_once},
};
static const tap_suite suite = {"malloc_mix", cases, LOAM_ARRAY_LEN(cases)};

int main(int argc, char **argv)
{
    return tap_host_main(&suite, argc, argv);
}
