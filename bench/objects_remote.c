/* SPDX-License-Identifier: MIT */
/* objects_remote.c - objects that one thread allocates and another frees.
 *
 *     producer   allocates a batch, writes each   -->  ring of batches  -->  frees them   consumer
 *
 * Each side's meter runs only while it works on a batch: waiting for the other is not counted. */
#define _GNU_SOURCE
#include "objects.h"
#include <pthread.h>
#include <sched.h>

enum { BATCH = 256, RING = 8 };

typedef struct batch {
    _Alignas(64) uint32_t full; /* [atomic] whose turn it is: 1 the consumer's */
    void *object[BATCH];
} batch;

typedef struct side {
    const objects_api *api;
    void *a;
    batch *ring;
    size_t size, batches;
    uint64_t spent; /* the meter's units */
} side;

static void wait_for(const batch *b, uint32_t full)
{
    while (__atomic_load_n(&b->full, __ATOMIC_ACQUIRE) != full) /* pairs with pass */
        sched_yield();
}

static void pass(batch *b, uint32_t full)
{
    __atomic_store_n(&b->full, full, __ATOMIC_RELEASE); /* pairs with wait_for */
}

static void produce(side *s)
{
    for (size_t i = 0; i < s->batches; i++) {
        batch *b = &s->ring[i % RING];
        wait_for(b, 0);
        uint64_t t = bench_meter_read();
        for (size_t k = 0; k < BATCH; k++) {
            b->object[k] = s->api->alloc(s->a, s->size);
            if (b->object[k] == NULL)
                bench_die("no memory for another thread's objects");
            *(volatile uint64_t *)b->object[k] = k;
        }
        s->spent += bench_meter_since(t);
        pass(b, 1);
    }
}

static void *consume(void *arg)
{
    side *s = arg;
    bench_meter_open();
    if (s->api->enter != NULL)
        s->api->enter(s->a, 1);
    for (size_t i = 0; i < s->batches; i++) {
        batch *b = &s->ring[i % RING];
        wait_for(b, 1);
        uint64_t t = bench_meter_read();
        for (size_t k = 0; k < BATCH; k++)
            s->api->release(s->a, b->object[k]);
        s->spent += bench_meter_since(t);
        pass(b, 0);
    }
    if (s->api->serve != NULL)
        s->api->serve(s->a);
    return NULL;
}

static void run(side *producer, side *consumer)
{
    pthread_t thread;
    producer->spent = consumer->spent = 0;
    if (pthread_create(&thread, NULL, consume, consumer) != 0)
        bench_die("a thread cannot be started");
    produce(producer);
    pthread_join(thread, NULL);
    if (producer->api->serve != NULL)
        producer->api->serve(producer->a);
}

void objects_remote(const objects_api *api, void *a, size_t size, size_t ops, double *per_pair,
                    double *pairs_a_us)
{
    static batch ring[RING];
    side producer = {
        .api = api, .a = a, .ring = ring, .size = size, .batches = ops / BATCH / 4 + 1};
    side consumer = producer;
    if (api->enter != NULL)
        api->enter(a, 0);
    run(&producer, &consumer); /* warm */
    producer.batches = consumer.batches = ops / BATCH + 1;
    uint64_t wall = bench_wall_ns();
    run(&producer, &consumer);
    wall = bench_wall_ns() - wall;
    double pairs = (double)(producer.batches * BATCH);
    *per_pair = (double)(producer.spent + consumer.spent) / pairs;
    *pairs_a_us = pairs * 1000 / (double)wall;
}
