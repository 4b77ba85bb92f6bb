/* SPDX-License-Identifier: MIT */
/* aspace_threads.c - several threads, each with spaces of its own, in one world: all of them clones
 * of one space, so that they share frames, counts and the lock, and nothing else. Each writes,
 * reads, clones and destroys; what it reads is what it wrote, or the first space's contents. */
#define GROUND_FRAMES 2048
#define GROUND_TABLES 256
#define GROUND_UNIT   (1024 * 1024)
#include "aspace_ground.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, PAGES = 48, PAGE = LOAM_PAGE_SIZE, HEAP = 0x3f0000 };

typedef struct worker {
    pthread_t thread;
    loam_aspace *as;
    uint64_t rng;
    unsigned steps;
    unsigned char byte[PAGES]; /* what the program should see */
    const char *wrong;         /* or NULL */
} worker;

static uint64_t below(worker *w, uint64_t n)
{
    w->rng ^= w->rng << 13;
    w->rng ^= w->rng >> 7;
    w->rng ^= w->rng << 17;
    return (w->rng >> 11) % n;
}

static void check(worker *w, bool good, const char *what)
{
    if (!good && w->wrong == NULL)
        w->wrong = what;
}

/* The kernel's way to a byte: under the lock, without the tables being looked at from outside. */
static void set(worker *w, unsigned i, unsigned char value)
{
    check(w, loam_aspace_copy_to(w->as, HEAP + i * PAGE + i, &value, 1, NULL) == LOAM_FAULT_DONE,
          "copy_to");
    w->byte[i] = value;
}

static void verify(worker *w, loam_aspace *as, unsigned i)
{
    unsigned char got = 0;
    check(w, loam_aspace_copy_from(as, &got, HEAP + i * PAGE + i, 1, NULL) == LOAM_FAULT_DONE,
          "copy_from");
    check(w, got == w->byte[i], "a byte is not what was written");
}

/* The clone goes on in place of its parent, or goes. */
static void step_clone(worker *w)
{
    loam_aspace *clone = loam_aspace_clone(w->as);
    if (clone == NULL)
        return; /* no memory for it: possible, with so many at once */
    unsigned i = (unsigned)below(w, PAGES);
    verify(w, clone, i);
    if (below(w, 2) != 0) {
        loam_aspace *old = w->as;
        w->as = clone;
        clone = old;
        set(w, i, (unsigned char)below(w, 256));
    }
    loam_aspace_destroy(clone);
}

static void step_hole(worker *w)
{
    unsigned i = (unsigned)below(w, PAGES);
    uint64_t at;
    check(w, loam_aspace_unmap(w->as, HEAP + i * PAGE, PAGE) == LOAM_OK, "unmap");
    check(w,
          loam_aspace_map(w->as, HEAP + i * PAGE, PAGE, LOAM_PT_WRITE | LOAM_ASPACE_FIXED, "hole",
                          &at) == LOAM_OK,
          "map");
    w->byte[i] = 0;
    verify(w, w->as, i);
}

static void *work(void *arg)
{
    worker *w = arg;
    loam_hosted_set_cpu((unsigned)(w->rng % THREADS));
    for (unsigned k = 0; k < w->steps && w->wrong == NULL; k++) {
        unsigned kind = (unsigned)below(w, 16), i = (unsigned)below(w, PAGES);
        if (kind < 7)
            set(w, i, (unsigned char)below(w, 256));
        else if (kind < 12)
            verify(w, w->as, i);
        else if (kind < 14)
            check(w,
                  loam_aspace_fault(w->as, HEAP + i * PAGE, LOAM_ACCESS_WRITE) == LOAM_FAULT_DONE,
                  "fault");
        else if (kind == 14)
            step_clone(w);
        else
            step_hole(w);
    }
    for (unsigned i = 0; i < PAGES; i++)
        verify(w, w->as, i);
    return NULL;
}

static const char *run(uint64_t seed, unsigned steps)
{
    static worker workers[THREADS];
    const char *wrong = NULL;
    uint64_t at;
    if (!ground_start(&loam_pt_i386))
        return "no world";
    loam_aspace *first = loam_aspace_create(ground.world);
    if (loam_aspace_map(first, HEAP, PAGES * PAGE, LOAM_PT_WRITE | LOAM_ASPACE_FIXED, "heap",
                        &at) != LOAM_OK)
        return "map";
    for (unsigned i = 0; i < PAGES; i++)
        (void)ground_write(first, HEAP + i * PAGE + i, (unsigned char)(i + 1));
    for (unsigned k = 0; k < THREADS; k++) {
        worker *w = &workers[k];
        *w = (worker){.as = loam_aspace_clone(first), .rng = (seed + k) * 2 + 1, .steps = steps};
        for (unsigned i = 0; i < PAGES; i++)
            w->byte[i] = (unsigned char)(i + 1);
    }
    for (unsigned k = 0; k < THREADS; k++)
        if (pthread_create(&workers[k].thread, NULL, work, &workers[k]) != 0)
            return "no thread";
    for (unsigned k = 0; k < THREADS; k++) {
        pthread_join(workers[k].thread, NULL);
        wrong = wrong != NULL ? wrong : workers[k].wrong;
    }
    wrong = wrong != NULL ? wrong : loam_aspace_world_check(ground.world);
    for (unsigned i = 0; i < PAGES && wrong == NULL; i++)
        wrong = ground_read(first, HEAP + i * PAGE + i) == (int)(i + 1) ? NULL : "the first space";
    for (unsigned k = 0; k < THREADS; k++)
        loam_aspace_destroy(workers[k].as);
    loam_aspace_destroy(first);
    if (wrong == NULL && (ground_frames_out() != 0 || ground.table.out != ground.kernel.tables))
        wrong = "something is lost";
    return wrong;
}

int main(void)
{
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : 1;
    unsigned rounds = getenv("LOAM_LONG") ? 60 : 3;
    const char *wrong = NULL;
    printf("1..1\n");
    for (unsigned i = 0; i < rounds && wrong == NULL; i++)
        wrong = run(seed + i * 100, 600);
    if (wrong != NULL)
        printf("# SEED=%llu: %s\n", (unsigned long long)seed, wrong);
    printf("%sok 1 - aspace_threads: four threads, one world: each sees its own\n",
           wrong == NULL ? "" : "not ");
    return wrong != NULL;
}
