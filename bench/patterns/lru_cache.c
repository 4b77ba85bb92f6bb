/* SPDX-License-Identifier: MIT */
/* lru_cache.c - a store of keys and values with a limit of 64 MiB: a value's size changes with each
 * write and drifts from small to large and back, the oldest entries go. Sizes that were popular an
 * hour ago leave holes that only fit them: what is the peak?
 */
#include "pattern.h"
#include <stdlib.h>

enum { BUCKETS = 16384, KEYS = 60000, LIMIT = 64 << 20, KEY = 40 };

typedef struct entry {
    uint64_t key;
    void *value;
    size_t size;
    struct entry *next, *older, *newer; /* chain; order of use */
} entry;

static entry *bucket[BUCKETS];
static entry *oldest, *newest;
static size_t held;

static void unlink_used(entry *e)
{
    *(e->older == NULL ? &oldest : &e->older->newer) = e->newer;
    *(e->newer == NULL ? &newest : &e->newer->older) = e->older;
}

static void link_newest(entry *e)
{
    e->older = newest;
    e->newer = NULL;
    *(newest == NULL ? &oldest : &newest->newer) = e;
    newest = e;
}

static entry **find(uint64_t key)
{
    entry **at = &bucket[key % BUCKETS];
    while (*at != NULL && (*at)->key != key)
        at = &(*at)->next;
    return at;
}

static uint64_t evict(entry *e)
{
    entry **at = find(e->key);
    uint64_t sum = pattern_drop(e->value, e->size);
    *at = e->next;
    unlink_used(e);
    held -= e->size + sizeof *e;
    free(e);
    return sum;
}

static entry *add_entry(entry **at, uint64_t key)
{
    entry *e = pattern_new(sizeof *e, key);
    *e = (entry){.key = key};
    *at = e;
    held += sizeof *e;
    return e;
}

static uint64_t set(uint64_t key, size_t size, uint64_t tag)
{
    entry **at = find(key);
    entry *e = *at;
    uint64_t sum = 0;
    if (e == NULL) {
        e = add_entry(at, key);
    } else {
        unlink_used(e);
        held -= e->size;
        sum = pattern_drop(e->value, e->size);
    }
    e->value = pattern_new(size, tag);
    e->size = size;
    held += size;
    link_newest(e);
    while (held > LIMIT)
        sum += evict(oldest);
    return sum;
}

int main(int argc, char **argv)
{
    pattern p = pattern_open(argc, argv, 2000000);
    uint64_t random = 1, sum = 0;
    for (unsigned long i = 0; i < p.work; i++) {
        unsigned long hour = i * 8 / p.work;
        uint32_t most = 200U << (hour < 4 ? hour : 7 - hour);
        size_t size = PATTERN_LEAST + most / 2 + pattern_below(&random, most);
        sum += set(pattern_below(&random, KEYS), size, pattern_random(&random));
    }
    while (oldest != NULL)
        sum += evict(oldest);
    pattern_done(sum);
}
