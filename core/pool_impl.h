/* SPDX-License-Identifier: MIT */
#ifndef LOAM_POOL_IMPL_H
#define LOAM_POOL_IMPL_H

/* pool_impl.h - what the files of the pool unit share. pool.c has the theory. */
#include "loam/pool.h"

enum { POOL_GRAINS = LOAM_POOL_CHUNK / LOAM_POOL_GRAIN };

struct loam_pool_chunk {
    loam_list link;        /* of its class, or of the large ones */
    loam_pool_chunk *next; /* in its bucket */
    unsigned char *base;
    uint64_t free, start; /* a bit a grain; of a large block 0 and 1 */
    size_t size;          /* of a large block, as asked for; 0: a chunk */
    unsigned class;       /* of a chunk: the list it is on */
    const void *site[];   /* who allocated: one a grain of a chunk, one of a large block, or none */
};

static inline loam_pool_chunk *pool_chunk_of(loam_list *link)
{
    return LOAM_CONTAINER_OF(link, loam_pool_chunk, link);
}

static inline size_t pool_round(size_t size)
{
    return (size + LOAM_POOL_GRAIN - 1) & ~(size_t)(LOAM_POOL_GRAIN - 1);
}

/* 0: no grain is free; else floor(log2(largest free run)) + 1, the last class open above. */
static inline unsigned pool_class(uint64_t v)
{
    uint64_t two = v & v >> 1, four = two & two >> 2, eight = four & four >> 4;
    uint64_t sixteen = eight & eight >> 8, half = sixteen & sixteen >> 16;
    return (unsigned)(v != 0) + (two != 0) + (four != 0) + (eight != 0) + (sixteen != 0) +
           (half != 0);
}

/* Grains of the block that starts at this one: up to the next start or free grain. */
static inline unsigned pool_grains(const loam_pool_chunk *c, unsigned grain)
{
    uint64_t stops = grain == POOL_GRAINS - 1 ? 0 : (c->start | c->free) >> (grain + 1);
    return stops == 0 ? POOL_GRAINS - grain : loam_ctz64(stops) + 1;
}

static inline size_t pool_bucket(const loam_pool *pool, uintptr_t address)
{
    uint32_t mixed = (uint32_t)(address >> 4) * 2654435761U; /* 2^32 / golden ratio, odd */
    return (mixed >> 8) & (pool->buckets - 1);
}

static inline loam_pool_chunk *pool_lookup(const loam_pool *pool, uintptr_t base, bool large)
{
    loam_pool_chunk *c = pool->bucket[pool_bucket(pool, base)];
    while (c != NULL && ((uintptr_t)c->base != base || (c->size != 0) != large))
        c = c->next;
    return c;
}

/* Bytes of the block that starts at a grain; of a large block's record, at grain 0. */
static inline size_t pool_size_at(const loam_pool_chunk *c, unsigned grain)
{
    return c->size != 0 ? pool_round(c->size) : (size_t)pool_grains(c, grain) * LOAM_POOL_GRAIN;
}

#endif
