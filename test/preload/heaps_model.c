/* SPDX-License-Identifier: MIT */
/* heaps_model.c - named heaps by chance: any call with any size, name, handle and address, against
 * a list of what is out. */
#define _GNU_SOURCE
#include "in_child.h"
#include "tap_host.h"

#include "loam/process_heap.h"

#define MIB ((size_t)1 << 20)

/* 0 .. n - 1 */
static uint32_t pick(tap *t, uint32_t n)
{
    return (uint32_t)tap_below(t, n);
}

enum { HEAPS = 4, BLOCKS = 100, STEPS = 20000 };

typedef struct block {
    unsigned char *at;
    size_t size;
    unsigned char fill;
} block;

static struct {
    loam_process_heap heap;
    unsigned count;
    block block[BLOCKS];
} world[HEAPS];

/* Mostly small; now and then what cannot be. */
static size_t any_size(tap *t)
{
    static const size_t odd[] = {0, SIZE_MAX, SIZE_MAX / 2, PTRDIFF_MAX, MIB, 16 * MIB, 1 << 18};
    uint32_t kind = pick(t, 40);
    if (kind == 0)
        return odd[pick(t, LOAM_ARRAY_LEN(odd))];
    return 1 + pick(t, kind < 4 ? 200000 : kind < 12 ? 9000 : 300);
}

static bool holds(const block *b, size_t size)
{
    for (size_t i = 0; i < size; i += 1 + i / 8)
        if (b->at[i] != b->fill)
            return false;
    return true;
}

static void keep(tap *t, unsigned h, void *p, size_t size)
{
    unsigned char fill = (unsigned char)pick(t, 256);
    TAP_CHECK(t, loam_process_heap_size(world[h].heap, p) >= size);
    world[h].block[world[h].count++] = (block){memset(p, fill, size), size, fill};
}

static void one_more(tap *t, unsigned h)
{
    static loam_process_heap_stats s;
    size_t size = any_size(t), n = 1 + pick(t, 3), align = (size_t)1 << pick(t, 18);
    uint32_t how = pick(t, 3);
    void *p = how == 0   ? loam_process_heap_alloc(world[h].heap, size)
              : how == 1 ? loam_process_heap_calloc(world[h].heap, n, size)
                         : loam_process_heap_aligned(world[h].heap, size, align);
    TAP_EQ(t, loam_process_heap_stat(world[h].heap, &s), LOAM_OK);
    TAP_EQ(t, s.blocks, world[h].count + (p != NULL));
    if (p == NULL)
        return;
    TAP_CHECK(t, size != 0 && size < 16 * MIB && (how != 2 || (uintptr_t)p % align == 0));
    keep(t, h, p, size);
}

static void one_less(tap *t, unsigned h)
{
    block *b = &world[h].block[pick(t, world[h].count)];
    size_t size = any_size(t), least = b->size < size ? b->size : size;
    bool frees = pick(t, 2) == 0;
    TAP_CHECK(t, holds(b, b->size));
    if (frees) {
        TAP_EQ(t, loam_process_heap_free(world[h].heap, b->at), LOAM_OK);
    } else {
        unsigned char *p = loam_process_heap_realloc(world[h].heap, b->at, size);
        if (p == NULL && size != 0)
            return; /* it stays as it was */
        if (p != NULL) {
            b->at = p;
            TAP_CHECK(t, holds(b, least));
            *b = (block){memset(p, b->fill, size), size, b->fill};
            return;
        }
    }
    *b = world[h].block[--world[h].count];
}

static void another_heap(tap *t, unsigned h)
{
    char name[64];
    uint64_t blocks;
    if (world[h].heap.generation != 0) {
        TAP_EQ(t, loam_process_heap_destroy(world[h].heap, &blocks), LOAM_OK);
        TAP_EQ(t, blocks, world[h].count);
    }
    for (unsigned i = 0; i < sizeof(name); i++)
        name[i] = (char)pick(t, 256);
    name[pick(t, sizeof(name))] = '\0';
    TAP_EQ(
        t,
        loam_process_heap_create(&world[h].heap, name, LOAM_PROCESS_HEAP_LEAST + pick(t, 1 << 22)),
        LOAM_OK);
    world[h].count = 0;
}

static void by_chance(tap *t)
{
    for (unsigned i = 0; i < STEPS && t->failed == 0; i++) {
        unsigned h = pick(t, HEAPS);
        if (world[h].heap.generation == 0 || pick(t, 500) == 0)
            another_heap(t, h);
        else if (world[h].count == 0 || (world[h].count < BLOCKS && pick(t, 2) == 0))
            one_more(t, h);
        else
            one_less(t, h);
    }
    for (unsigned h = 0; h < HEAPS; h++)
        if (world[h].heap.generation != 0)
            TAP_EQ(t, loam_process_heap_destroy(world[h].heap, NULL), LOAM_OK);
}

static void *wild; /* an address by chance */

static void free_wild(void)
{
    loam_process_heap heap;
    if (loam_process_heap_create(&heap, "x", MIB) != LOAM_OK)
        _exit(1);
    (void)loam_process_heap_alloc(heap, 100);
    (void)loam_process_heap_free(heap, wild);
}

static loam_process_heap wild_heap;

static void use_wild_heap(void)
{
    (void)loam_process_heap_alloc(wild_heap, 100);
}

static void wild_values(tap *t)
{
    for (unsigned i = 0; i < 30; i++) {
        const wrong_call wrong[] = {{free_wild, "foreign free"},
                                    {use_wild_heap, "use of a heap that is none"}};
        wild = (void *)(uintptr_t)(tap_rand(t) >> pick(t, 63) | 1);
        wild_heap = (loam_process_heap){(uint32_t)tap_rand(t) >> pick(t, 31),
                                        (uint32_t)tap_rand(t) | 0x80000000U};
        each_is_stopped(t, wrong, LOAM_ARRAY_LEN(wrong));
    }
}

static const tap_case cases[] = {
    {"named heap: any call, any size, any name: against a list", by_chance},
    {"named heap: any handle, any address: one line, the end", wild_values},
};
static const tap_suite suite = {"heaps_model", cases, LOAM_ARRAY_LEN(cases)};

int main(int argc, char **argv)
{
    return tap_host_main(&suite, argc, argv);
}
