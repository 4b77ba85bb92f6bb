/* SPDX-License-Identifier: MIT */
/* cross_free.c - two threads only allocate, two others only free what they made.
 *
 *     maker --\                              /--> freer
 *              >-- a queue of full batches --
 *     maker --/                              \--> freer
 */
#include "pattern.h"
#include <pthread.h>
#include <stdlib.h>

enum { SIDE = 2, BATCH = 200, QUEUE = 16 };

typedef struct batch {
    unsigned count;
    void *object[BATCH];
    size_t size[BATCH];
} batch;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    batch *full[QUEUE]; /* [lock] */
    unsigned held;      /* [lock] */
    unsigned makers;    /* [lock] still at work */
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

typedef struct worker {
    bool makes;
    unsigned long batches;
    uint64_t random, sum;
} worker;

static void put(batch *b)
{
    pthread_mutex_lock(&queue.lock);
    while (queue.held == QUEUE)
        pthread_cond_wait(&queue.changed, &queue.lock);
    queue.full[queue.held++] = b;
    pthread_cond_broadcast(&queue.changed);
    pthread_mutex_unlock(&queue.lock);
}

/* NULL: the makers are done. */
static batch *take(void)
{
    batch *b = NULL;
    pthread_mutex_lock(&queue.lock);
    while (queue.held == 0 && queue.makers > 0)
        pthread_cond_wait(&queue.changed, &queue.lock);
    if (queue.held > 0)
        b = queue.full[--queue.held];
    pthread_cond_broadcast(&queue.changed);
    pthread_mutex_unlock(&queue.lock);
    return b;
}

static void make(worker *w)
{
    for (unsigned long i = 0; i < w->batches; i++) {
        batch *b = pattern_sized(NULL, sizeof *b);
        for (b->count = 0; b->count < BATCH; b->count++) {
            b->size[b->count] = PATTERN_LEAST + pattern_below(&w->random, 256);
            b->object[b->count] = pattern_new(b->size[b->count], pattern_random(&w->random));
        }
        put(b);
    }
    pthread_mutex_lock(&queue.lock);
    queue.makers--;
    pthread_cond_broadcast(&queue.changed);
    pthread_mutex_unlock(&queue.lock);
}

static void empty(worker *w)
{
    for (batch *b = take(); b != NULL; b = take()) {
        for (unsigned i = 0; i < b->count; i++)
            w->sum += pattern_drop(b->object[i], b->size[i]);
        free(b);
    }
}

static void *work(void *arg)
{
    worker *w = arg;
    if (w->makes)
        make(w);
    else
        empty(w);
    return NULL;
}

int main(int argc, char **argv)
{
    worker workers[2 * SIDE];
    pattern p = pattern_open(argc, argv, 24000);
    uint64_t sum = 0;
    queue.makers = SIDE;
    for (unsigned i = 0; i < 2 * SIDE; i++)
        workers[i] = (worker){.makes = i < SIDE, .batches = p.work, .random = i + 1};
    pattern_threads(2 * SIDE, work, workers, sizeof workers[0]);
    for (unsigned i = 0; i < 2 * SIDE; i++)
        sum += workers[i].sum;
    pattern_done(sum);
}
