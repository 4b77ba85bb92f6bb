/* SPDX-License-Identifier: MIT */
/* frames_verify.c - before anything is timed: is what an allocator gives out right?
 *
 * One byte a frame says who has it. Every block must be aligned, inside the memory and nobody's;
 * when everything came back, all memory must be there again, in the largest blocks.
 */
#include "frames.h"
#include <stdlib.h>
#include <string.h>

enum { VERIFY_STEPS = 60000, TOP = FRAMES_MIXED_MAX_ORDER };
#define VERIFY_FRAMES 16384U

typedef struct verify {
    const frames_api *api;
    void *a;
    uint8_t *out; /* [frame]: 1 while out */
    uint32_t *block;
    uint8_t *order;
    size_t count;
    uint64_t used;
    const char *wrong;
} verify;

static void claim(verify *v, uint32_t block, unsigned order)
{
    uint32_t len = 1U << order;
    if ((block & (len - 1)) != 0 || block > VERIFY_FRAMES - len) {
        v->wrong = "a block is misaligned or outside";
        return;
    }
    for (uint32_t f = block; f < block + len; f++) {
        if (v->out[f]++ != 0)
            v->wrong = "a frame was given out twice";
    }
    v->block[v->count] = block;
    v->order[v->count++] = (uint8_t)order;
    v->used += len;
}

static void give_back(verify *v, size_t k)
{
    uint32_t block = v->block[k];
    unsigned order = v->order[k];
    memset(v->out + block, 0, (size_t)1 << order);
    v->used -= 1U << order;
    v->block[k] = v->block[--v->count];
    v->order[k] = v->order[v->count];
    v->api->release(v->a, block, order);
}

static void random_steps(verify *v)
{
    bench_rng rng = {17};
    for (unsigned i = 0; i < VERIFY_STEPS && v->wrong == NULL; i++) {
        uint64_t r = bench_rand(&rng);
        /* tides: mostly allocations, then mostly frees */
        bool grow = (r & 7) < (i / 4096 % 2 == 0 ? 6U : 2U);
        unsigned order = v->api->any_order ? loam_ctz64((r >> 8) | 1U << TOP) : 0;
        uint32_t block = grow ? v->api->alloc(v->a, order) : UINT32_MAX;
        if (block != UINT32_MAX)
            claim(v, block, order);
        else if (v->count > 0)
            give_back(v, bench_below(&rng, v->count));
    }
}

static void all_comes_back(verify *v)
{
    bench_rng rng = {19};
    while (v->count > 0)
        give_back(v, bench_below(&rng, v->count));
    unsigned order = v->api->any_order ? TOP : 0;
    if (v->api->drain != NULL)
        v->api->drain(v->a);
    for (uint32_t i = 0; i < VERIFY_FRAMES >> order && v->wrong == NULL; i++) {
        uint32_t block = v->api->alloc(v->a, order);
        if (block == UINT32_MAX)
            v->wrong = "memory that was free is not found again";
        else
            claim(v, block, order);
    }
    if (v->wrong == NULL && v->api->alloc(v->a, 0) != UINT32_MAX)
        v->wrong = "more memory is given out than there is";
    if (v->wrong == NULL && v->api->check != NULL)
        v->wrong = v->api->check(v->a);
}

const char *frames_verify(const frames_api *api)
{
    frames_shape shape = {.frames = VERIFY_FRAMES, .order = 0, .threads = 1};
    uint64_t bytes = api->bytes(&shape);
    verify v = {.api = api};
    void *mem = bench_map(bytes);
    v.a = api->init(mem, bytes, &shape);
    if (api->enter != NULL)
        api->enter(v.a, 0);
    v.out = calloc(VERIFY_FRAMES, 1);
    v.block = calloc(VERIFY_FRAMES, sizeof v.block[0]);
    v.order = calloc(VERIFY_FRAMES, 1);
    if (v.out == NULL || v.block == NULL || v.order == NULL)
        bench_die("no memory");
    random_steps(&v);
    if (v.wrong == NULL)
        all_comes_back(&v);
    free(v.out);
    free(v.block);
    free(v.order);
    bench_unmap(mem, bytes);
    return v.wrong;
}
