/* SPDX-License-Identifier: MIT */
/* memory_notes.c - what is wrong in a program that uses caches, kmalloc, heaps and pools of the
 * hosted port is found by those who watch memory (loam/port_notes.h).
 *
 *     build/asannotes/memory_notes    each mistake in a child, which AddressSanitizer ends
 *     valgrind build/notes/memory_notes slab_freed heap_freed    (test/preload/valgrind_test.py)
 *
 * In other builds nobody is told, and the mistakes go by. */
#include "in_child.h"
#include "tap_host.h"

#include <string.h>

#include "loam/heap.h"
#include "loam/kmalloc.h"
#include "loam/pool.h"

enum { ARENA = 1 << 20, META = 64 << 10 };

static _Alignas(4096) unsigned char arena[ARENA];
static _Alignas(64) unsigned char meta[META];
static _Alignas(16) unsigned char bytes[16 << 10];
static volatile unsigned char sink;

static loam_slabs *slabs(void)
{
    loam_span ram = {(uintptr_t)arena, ARENA};
    loam_zone_config frames;
    loam_slab_config objects;
    loam_zone_config_init(&frames);
    frames.linear = (loam_linear){ram.base, ram.len, arena};
    loam_zone *zone = loam_zone_init(meta, META, false, &ram, 1, &frames);
    loam_zone_add(zone, loam_pa_to_pfn(loam_pa_of(ram.base)), ram.len / LOAM_PAGE_SIZE);
    loam_slab_config_init(&objects);
    objects.keep_large = 256 << 10;
    return loam_slabs_init(zone, &objects);
}

static unsigned char *object(loam_cache **cache, loam_ctor_fn *ctor)
{
    *cache = loam_cache_create(slabs(), "things", 64, 0, ctor, NULL);
    return loam_cache_alloc(*cache);
}

/* ---- mistakes ---- */

static void slab_freed(void)
{
    loam_cache *cache;
    unsigned char *p = object(&cache, NULL);
    loam_cache_free(cache, p);
    sink = p[8];
}

static void slab_never_out(void)
{
    loam_cache *cache;
    unsigned char *p = object(&cache, NULL);
    sink = p[64 * 3];
}

static void kmalloc_freed(void)
{
    loam_kmalloc *k = loam_kmalloc_init(slabs());
    unsigned char *p = loam_kmalloc_alloc(k, 1000);
    loam_kmalloc_free(k, p);
    p[100] = 1;
}

/* A large block that is kept. */
static void kmalloc_kept(void)
{
    loam_kmalloc *k = loam_kmalloc_init(slabs());
    unsigned char *p = loam_kmalloc_alloc(k, 40000);
    p[39999] = 1;
    loam_kmalloc_free(k, p);
    sink = p[100];
}

static void kmalloc_moved(void)
{
    loam_kmalloc *k = loam_kmalloc_init(slabs());
    unsigned char *p = loam_kmalloc_calloc(k, 1, 100);
    unsigned char *q = loam_kmalloc_realloc(k, p, 400);
    q[0] = 1;
    sink = p[0];
}

static void heap_freed(void)
{
    static loam_heap heap;
    loam_heap_init(&heap, bytes, sizeof(bytes), "heap");
    unsigned char *p = loam_heap_alloc(&heap, 100);
    loam_heap_free(&heap, p);
    sink = p[50];
}

static void heap_reset(void)
{
    static loam_heap heap;
    loam_heap_init(&heap, bytes, sizeof(bytes), "heap");
    unsigned char *p = loam_heap_alloc(&heap, 100);
    loam_heap_reset(&heap);
    sink = p[50];
}

static void heap_shrunk(void)
{
    static loam_heap heap;
    loam_heap_init(&heap, bytes, sizeof(bytes), "heap");
    unsigned char *p = loam_heap_alloc(&heap, 200);
    p = loam_heap_realloc(&heap, p, 48);
    sink = p[48];
}

static void pool_freed(void)
{
    static loam_pool pool;
    loam_pool_init(&pool, loam_kmalloc_init(slabs()), "pool", 0);
    unsigned char *p = loam_pool_alloc(&pool, 100);
    (void)!loam_pool_alloc(&pool, 100);
    loam_pool_free(&pool, p);
    sink = p[50];
}

static void pool_ended(void)
{
    static loam_pool pool;
    loam_pool_init(&pool, loam_kmalloc_init(slabs()), "pool", 0);
    unsigned char *p = loam_pool_alloc(&pool, 100);
    loam_pool_fini(&pool, NULL, NULL);
    sink = p[50];
}

/* ---- none ---- */

static void make_thing(void *ctx, void *thing)
{
    (void)ctx;
    memset(thing, 7, 64);
}

static void right_objects(void)
{
    static unsigned char *kept[300];
    loam_cache *cache;
    kept[0] = object(&cache, make_thing);
    for (unsigned i = 1; i < LOAM_ARRAY_LEN(kept); i++)
        kept[i] = loam_cache_alloc(cache);
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(kept); i++) {
        if (kept[i][i % 64] != 7)
            _exit(1);
        loam_cache_free(cache, kept[i]);
    }
    if (loam_cache_destroy(cache) != LOAM_OK)
        _exit(1);
}

static void right_blocks(loam_pool *pool, loam_kmalloc *k, loam_heap *heap)
{
    for (unsigned i = 1; i < 3000; i++) {
        unsigned char *p = loam_kmalloc_calloc(k, 1, i), *q = loam_heap_alloc(heap, i),
                      *r = loam_pool_alloc(pool, i % 700 + 1);
        memset(q, 1, i);
        sink = p[i - 1] | q[i / 2];
        r[0] = r[i % 700] = q[i - 1];
        p = loam_kmalloc_realloc(k, p, (i * 7) % 6000 + 1);
        q = loam_heap_realloc(heap, q, (i * 5) % 4000 + 1);
        p[0] = q[0] = r[0];
        loam_kmalloc_free(k, p);
        loam_heap_free(heap, q);
        if (i % 3 != 0)
            loam_pool_free(pool, r);
        if (i % 300 == 0)
            loam_pool_free_all(pool);
    }
}

static void right(void)
{
    static loam_pool pool;
    static loam_heap heap;
    right_objects();
    loam_kmalloc *k = loam_kmalloc_init(slabs()); /* over what the cache has left behind */
    loam_pool_init(&pool, k, "pool", 0);
    loam_heap_init(&heap, bytes, sizeof(bytes), "heap");
    right_blocks(&pool, k, &heap);
    loam_pool_fini(&pool, NULL, NULL);
    loam_heap_fini(&heap);
    memset(bytes, 1, sizeof(bytes));
}

static const struct {
    const char *name;
    void (*fn)(void);
} deeds[] = {
    {"slab_freed", slab_freed},
    {"slab_never_out", slab_never_out},
    {"kmalloc_freed", kmalloc_freed},
    {"kmalloc_moved", kmalloc_moved},
    {"kmalloc_kept", kmalloc_kept},
    {"heap_freed", heap_freed},
    {"heap_reset", heap_reset},
    {"heap_shrunk", heap_shrunk},
    {"pool_freed", pool_freed},
    {"pool_ended", pool_ended},
    {"right", right},
};

static void each_is_found(tap *t)
{
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(deeds); i++) {
        static char text[20000];
        int status = 0;
        text[0] = '\0';
        in_child(deeds[i].fn, text, sizeof(text), &status);
        bool found = LOAM_HOSTED_NOTES == 3 && deeds[i].fn != right;
        TAP_EQ(t, status != 0, found);
        TAP_EQ(t, strstr(text, "use-after-poison") != NULL, found);
        if (t->failed != 0)
            tap_note(t, "%s: %s", deeds[i].name, text);
    }
}

static const tap_case cases[] = {
    {"notes: each mistake ends its program, where somebody watches; a right one goes on",
     each_is_found},
};
static const tap_suite suite = {"memory_notes", cases, LOAM_ARRAY_LEN(cases)};

static void do_deed(const char *name)
{
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(deeds); i++)
        if (strcmp(name, deeds[i].name) == 0)
            deeds[i].fn();
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        do_deed(argv[i]);
    return argc > 1 ? 0 : tap_host_main(&suite, argc, argv);
}
