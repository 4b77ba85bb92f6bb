/* SPDX-License-Identifier: MIT */
/* pipeline.c - messages pass four threads; each makes a new message of another size from the old
 * one and frees that. Every free is another thread's, every thread allocates, too.
 *
 *     source --16..272 B--> stage --x2--> stage --x2--> sink
 */
#include "pattern.h"
#include <pthread.h>
#include <stdlib.h>

enum { STAGES = 4, RING = 64, BUNDLE = 16 };

typedef struct message {
    void *data[BUNDLE];
    size_t size[BUNDLE];
} message;

typedef struct pipe {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    message ring[RING];    /* [lock] */
    unsigned long in, out; /* [lock] */
} pipe;

static pipe pipes[STAGES - 1];

typedef struct stage {
    unsigned number;
    unsigned long messages;
    uint64_t random, sum;
} stage;

static void put(pipe *p, const message *m)
{
    pthread_mutex_lock(&p->lock);
    while (p->in - p->out == RING)
        pthread_cond_wait(&p->changed, &p->lock);
    p->ring[p->in++ % RING] = *m;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

static message take(pipe *p)
{
    pthread_mutex_lock(&p->lock);
    while (p->in == p->out)
        pthread_cond_wait(&p->changed, &p->lock);
    message m = p->ring[p->out++ % RING];
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return m;
}

static void make(stage *s, message *m)
{
    for (unsigned i = 0; i < BUNDLE; i++) {
        m->size[i] = PATTERN_LEAST + pattern_below(&s->random, 256);
        m->data[i] = pattern_new(m->size[i], pattern_random(&s->random));
    }
}

static void transform(message *m)
{
    for (unsigned i = 0; i < BUNDLE; i++) {
        void *next = pattern_new(m->size[i] * 2, pattern_read(m->data[i], m->size[i]) * 3);
        free(m->data[i]);
        m->data[i] = next;
        m->size[i] *= 2;
    }
}

static void consume(stage *s, message *m)
{
    for (unsigned i = 0; i < BUNDLE; i++)
        s->sum += pattern_drop(m->data[i], m->size[i]);
}

static void *run_stage(void *arg)
{
    stage *s = arg;
    message m;
    for (unsigned long i = 0; i < s->messages; i++) {
        if (s->number == 0)
            make(s, &m);
        else
            m = take(&pipes[s->number - 1]);
        if (s->number == STAGES - 1) {
            consume(s, &m);
            continue;
        }
        if (s->number > 0)
            transform(&m);
        put(&pipes[s->number], &m);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    stage stages[STAGES];
    pattern p = pattern_open(argc, argv, 80000);
    for (unsigned i = 0; i < STAGES - 1; i++) {
        pthread_mutex_init(&pipes[i].lock, NULL);
        pthread_cond_init(&pipes[i].changed, NULL);
    }
    for (unsigned i = 0; i < STAGES; i++)
        stages[i] = (stage){i, p.work, 1, 0};
    pattern_threads(STAGES, run_stage, stages, sizeof stages[0]);
    pattern_done(stages[STAGES - 1].sum);
}
