/* SPDX-License-Identifier: MIT */
/* named_heaps.c - the named heaps of libloam.so (loam/process_heap.h): limits, threads, forks, and
 * what is refused. */
#define _GNU_SOURCE
#include "in_child.h"
#include "loam_libc.h"
#include "tap_host.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "loam/process_heap.h"

#define MIB ((size_t)1 << 20)

static void (*volatile release)(void *) = free;
static void *(*volatile resize)(void *, size_t) = realloc;

static loam_process_heap make(tap *t, const char *name, size_t limit)
{
    loam_process_heap heap;
    TAP_EQ(t, loam_process_heap_create(&heap, name, limit), LOAM_OK);
    return heap;
}

static void wrong_arguments(tap *t)
{
    loam_process_heap heap = {7, 7};
    TAP_EQ(t, loam_process_heap_create(&heap, NULL, MIB), LOAM_EINVAL);
    TAP_EQ(t, heap.generation, 0);
    TAP_EQ(t, loam_process_heap_create(&heap, "x", LOAM_PROCESS_HEAP_LEAST - 1), LOAM_EINVAL);
    TAP_EQ(t, loam_process_heap_create(&heap, "x", SIZE_MAX), LOAM_EINVAL);
    TAP_EQ(t, loam_process_heap_create(NULL, "x", MIB), LOAM_EINVAL);
    if (sizeof(size_t) == 8) /* with 32 bits what may be asked for may be there */
        TAP_EQ(t, loam_process_heap_create(&heap, "x", (size_t)1 << (sizeof(size_t) * 6 - 2)),
               LOAM_ENOMEM);
    TAP_EQ(t, heap.generation, 0);
    heap = make(t, "x", MIB);
    TAP_CHECK(t, loam_process_heap_alloc(heap, 0) == NULL);
    TAP_CHECK(t, loam_process_heap_alloc(heap, SIZE_MAX) == NULL);
    TAP_CHECK(t, loam_process_heap_calloc(heap, SIZE_MAX / 2, 3) == NULL);
    TAP_CHECK(t, loam_process_heap_aligned(heap, 10, 24) == NULL);
    TAP_CHECK(t, loam_process_heap_aligned(heap, 10, 65536) == NULL);
    TAP_EQ(t, loam_process_heap_free(heap, NULL), LOAM_OK);
    TAP_EQ(t, loam_process_heap_size(heap, NULL), 0);
    TAP_EQ(t, loam_process_heap_destroy(heap, NULL), LOAM_OK);
}

static void every_call(tap *t)
{
    loam_process_heap heap = make(t, "every call", 4 * MIB);
    for (size_t size = 1; size < MIB; size += size / 3 + 1) {
        unsigned char *p = loam_process_heap_alloc(heap, size);
        TAP_CHECK(t, p != NULL && (uintptr_t)p % 16 == 0);
        TAP_CHECK(t, loam_process_heap_size(heap, p) >= size);
        memset(p, 0x5a, size);
        p = loam_process_heap_realloc(heap, p, size * 2);
        TAP_CHECK(t, p != NULL && p[0] == 0x5a && p[size - 1] == 0x5a);
        TAP_EQ(t, loam_process_heap_free(heap, p), LOAM_OK);
        p = loam_process_heap_calloc(heap, 1, size);
        TAP_CHECK(t, p != NULL && p[0] == 0 && p[size / 2] == 0 && p[size - 1] == 0);
        TAP_CHECK(t, loam_process_heap_realloc(heap, p, 0) == NULL);
    }
    for (size_t align = 1; align <= 32768; align *= 2) {
        void *p = loam_process_heap_aligned(heap, 100, align);
        TAP_CHECK(t, p != NULL && (uintptr_t)p % align == 0);
        TAP_EQ(t, loam_process_heap_free(heap, p), LOAM_OK);
    }
    uint64_t blocks = 1;
    TAP_EQ(t, loam_process_heap_destroy(heap, &blocks), LOAM_OK);
    TAP_EQ(t, blocks, 0);
}

/* Fills a heap; returns how many blocks it took. */
static unsigned fill(loam_process_heap heap, size_t size)
{
    unsigned n = 0;
    void *p;
    while ((p = loam_process_heap_alloc(heap, size)) != NULL) {
        memset(p, 1, size);
        n++;
    }
    return n;
}

static void limits(tap *t)
{
    static const size_t limit[] = {LOAM_PROCESS_HEAP_LEAST, MIB, 16 * MIB, 100 * MIB};
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(limit); i++) {
        loam_process_heap_stats s;
        loam_process_heap heap = make(t, "limited", limit[i]);
        TAP_EQ(t, loam_process_heap_stat(heap, &s), LOAM_OK);
        TAP_CHECK(t, s.limit == limit[i] && s.free > limit[i] / 2 && s.largest <= s.free);
        unsigned n = fill(heap, 300);
        TAP_CHECK(t, n * (uint64_t)300 > limit[i] / 2 && n * (uint64_t)300 < limit[i]);
        TAP_EQ(t, loam_process_heap_stat(heap, &s), LOAM_OK);
        TAP_CHECK(t, s.blocks == n && s.used >= n * (uint64_t)300 && s.used < limit[i]);
        TAP_CHECK(t, s.low_water <= s.free && s.failures == 1 && strcmp(s.name, "limited") == 0);
        uint64_t blocks;
        TAP_EQ(t, loam_process_heap_destroy(heap, &blocks), LOAM_OK);
        TAP_EQ(t, blocks, n);
    }
}

static void largest_succeeds(tap *t)
{
    loam_process_heap heap = make(t, "largest", 8 * MIB);
    loam_process_heap_stats s;
    for (unsigned i = 0; i < 40; i++) {
        (void)loam_process_heap_alloc(heap, 1 + (size_t)tap_below(t, 200000));
        TAP_EQ(t, loam_process_heap_stat(heap, &s), LOAM_OK);
        if (s.largest == 0)
            continue;
        void *p = loam_process_heap_alloc(heap, (size_t)s.largest);
        TAP_CHECK(t, p != NULL);
        TAP_EQ(t, loam_process_heap_free(heap, p), LOAM_OK);
    }
    TAP_EQ(t, loam_process_heap_destroy(heap, NULL), LOAM_OK);
}

static size_t mapped(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu", &pages) != 1)
        pages = 0;
    if (file != NULL)
        fclose(file);
    return pages * (size_t)getpagesize();
}

static void gives_all_back(tap *t)
{
    loam_process_heap heap = make(t, "first", MIB);
    loam_process_heap_destroy(heap, NULL);
    size_t before = mapped();
    for (unsigned i = 0; i < 20; i++) {
        heap = make(t, "again", 20 * MIB);
        TAP_CHECK(t, fill(heap, 50000) > 300);
        TAP_EQ(t, loam_process_heap_destroy(heap, NULL), LOAM_OK);
    }
    TAP_EQ(t, mapped(), before);
}

static bool count_heap(void *ctx, loam_process_heap heap, const loam_process_heap_stats *s)
{
    unsigned *n = ctx;
    (void)heap;
    *n += s->limit == MIB;
    return true;
}

static void many(tap *t)
{
    static loam_process_heap heap[LOAM_PROCESS_HEAPS];
    loam_process_heap one;
    unsigned n = 0, seen = 0;
    for (; n < LOAM_PROCESS_HEAPS; n++)
        if (loam_process_heap_create(&heap[n], "many", MIB) != LOAM_OK)
            break;
    TAP_EQ(t, n, LOAM_PROCESS_HEAPS);
    TAP_EQ(t, loam_process_heap_create(&one, "one more", MIB), LOAM_EFULL);
    loam_process_heap_each(count_heap, &seen);
    TAP_EQ(t, seen, n);
    while (n-- > 0)
        TAP_EQ(t, loam_process_heap_destroy(heap[n], NULL), LOAM_OK);
    seen = 0;
    loam_process_heap_each(count_heap, &seen);
    TAP_EQ(t, seen, 0);
}

/* ---- threads, forks ---- */

enum { THREADS = 4, ROUNDS = 20000, SLOTS = 64 };

static loam_process_heap shared;
static void *slot[SLOTS]; /* any thread frees what any has put here */

static void *work(void *arg)
{
    uint32_t r = (uint32_t)(uintptr_t)arg * 2654435761U + 1;
    for (unsigned i = 0; i < ROUNDS; i++) {
        r = r * 1664525 + 1013904223;
        size_t size = 1 + (r >> 8) % 2000;
        unsigned char *p = loam_process_heap_alloc(shared, size);
        if (p == NULL)
            return (void *)1;
        p[0] = p[size - 1] = (unsigned char)size;
        p = __atomic_exchange_n(&slot[(r >> 24) % SLOTS], p, __ATOMIC_ACQ_REL);
        if (p != NULL && loam_process_heap_free(shared, p) != LOAM_OK)
            return (void *)1;
    }
    return NULL;
}

static void threads(tap *t)
{
    pthread_t thread[THREADS];
    loam_process_heap_stats s;
    shared = make(t, "shared", 16 * MIB);
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, work, (void *)i);
    for (unsigned i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(thread[i], &failed);
        TAP_CHECK(t, failed == NULL);
    }
    unsigned left = 0;
    for (unsigned i = 0; i < SLOTS; i++)
        left += slot[i] != NULL;
    TAP_EQ(t, loam_process_heap_stat(shared, &s), LOAM_OK);
    TAP_EQ(t, s.blocks, left);
    TAP_EQ(t, loam_process_heap_destroy(shared, NULL), LOAM_OK);
    memset(slot, 0, sizeof(slot));
}

static void *work_on(void *arg)
{
    while (__atomic_load_n((int *)arg, __ATOMIC_ACQUIRE) == 0) {
        void *p = loam_process_heap_alloc(shared, 100);
        (void)loam_process_heap_free(shared, p);
        loam_process_heap other;
        if (loam_process_heap_create(&other, "other", MIB) == LOAM_OK)
            loam_process_heap_destroy(other, NULL);
    }
    return NULL;
}

static void forks(tap *t)
{
    pthread_t thread;
    int end = 0, status = 1;
    shared = make(t, "shared", 4 * MIB);
    char *p = loam_process_heap_alloc(shared, 100);
    strcpy(p, "mine");
    pthread_create(&thread, NULL, work_on, &end);
    for (unsigned i = 0; i < 50; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            bool good = strcmp(p, "mine") == 0 && loam_process_heap_free(shared, p) == LOAM_OK &&
                        fill(shared, 1000) > 2000 &&
                        loam_process_heap_destroy(shared, NULL) == LOAM_OK;
            _exit(good ? 0 : 1);
        }
        waitpid(child, &status, 0);
        TAP_EQ(t, status, 0);
    }
    __atomic_store_n(&end, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    TAP_EQ(t, loam_process_heap_free(shared, p), LOAM_OK);
    TAP_EQ(t, loam_process_heap_destroy(shared, NULL), LOAM_OK);
}

/* ---- what is refused ---- */

static loam_process_heap of(size_t limit)
{
    loam_process_heap heap = {0, 0};
    loam_process_heap_create(&heap, "refused", limit);
    return heap;
}

static void by_free(void)
{
    release(loam_process_heap_alloc(of(MIB), 100));
}

static void by_realloc(void)
{
    (void)!resize(loam_process_heap_alloc(of(MIB), 100), 200);
}

static void of_malloc(void)
{
    (void)loam_process_heap_free(of(MIB), malloc(100));
}

static void of_another(void)
{
    (void)loam_process_heap_free(of(MIB), loam_process_heap_alloc(of(MIB), 100));
}

static void twice(void)
{
    loam_process_heap heap = of(MIB);
    void *p = loam_process_heap_alloc(heap, 100);
    (void)loam_process_heap_free(heap, p);
    (void)loam_process_heap_free(heap, p);
}

static void inner(void)
{
    loam_process_heap heap = of(MIB);
    (void)loam_process_heap_free(heap, (char *)loam_process_heap_alloc(heap, 100) + 16);
}

static void after_destroy(void)
{
    loam_process_heap heap = of(MIB);
    void *p = loam_process_heap_alloc(heap, 100);
    loam_process_heap_destroy(heap, NULL);
    loam_process_heap next = of(MIB); /* in the same record, likely at the same address */
    (void)loam_process_heap_alloc(next, 100);
    (void)loam_process_heap_free(heap, p);
}

static void free_after_destroy(void)
{
    loam_process_heap heap = of(MIB);
    void *p = loam_process_heap_alloc(heap, 100);
    loam_process_heap_destroy(heap, NULL);
    release(p);
}

static void destroy_twice(void)
{
    loam_process_heap heap = of(MIB);
    loam_process_heap_destroy(heap, NULL);
    loam_process_heap_destroy(heap, NULL);
}

static void no_heap(void)
{
    (void)loam_process_heap_alloc((loam_process_heap){0, 0}, 100);
}

static void no_record(void)
{
    (void)loam_process_heap_alloc((loam_process_heap){4000000000U, 1}, 100);
}

static void refused(tap *t)
{
    static const wrong_call wrong[] = {
        {by_free, "of a named heap"},
        {by_realloc, "of a named heap"},
        {of_malloc, "foreign free"},
        {of_another, "foreign free"},
        {twice, "double free"},
        {inner, "inner free"},
        {after_destroy, "destroyed"},
        {free_after_destroy, "foreign free"},
        {destroy_twice, "destroyed"},
        {no_heap, "never created"},
        {no_record, "use of a heap that is none"},
    };
    each_is_stopped(t, wrong, LOAM_ARRAY_LEN(wrong));
}

static void listed(tap *t)
{
    char *text = NULL;
    size_t len = 0;
    loam_process_heap heap = make(t, "a <name>\nthat is longer than a heap's may be", MIB);
    FILE *out = open_memstream(&text, &len);
    TAP_EQ(t, malloc_info(0, out), 0);
    fclose(out);
    TAP_CHECK(t, strstr(text, "name=\"a .name>?that is longer than a \"") != NULL);
    free(text);
    TAP_EQ(t, loam_process_heap_destroy(heap, NULL), LOAM_OK);
}

static const tap_case cases[] = {
    {"heap_create, heap_alloc: wrong arguments: refused", wrong_arguments},
    {"named heap: every call, every size", every_call},
    {"named heap: filled: no more than its limit, more than half", limits},
    {"heap_stat: largest: a block of that size succeeds", largest_succeeds},
    {"heap_destroy: blocks out: every address is the system's again", gives_all_back},
    {"heap_create: as many as there can be", many},
    {"named heap: four threads free each other's", threads},
    {"named heap: forks while another thread is inside", forks},
    {"named heap: what is not its own, or gone: one line, the end", refused},
    {"malloc_info: names heaps", listed},
};
static const tap_suite suite = {"named_heaps", cases, LOAM_ARRAY_LEN(cases)};

int main(int argc, char **argv)
{
    return tap_host_main(&suite, argc, argv);
}
