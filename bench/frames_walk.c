/* SPDX-License-Identifier: MIT */
/* frames_walk.c - free lists that are walked. */
#include "frames_walk.h"

enum { ORDERS = 11, NONE = UINT32_MAX };

struct walk {
    uint32_t frames;
    uint32_t head[ORDERS];
    uint32_t next[]; /* of the block that starts at a frame */
};

uint64_t walk_bytes(const frames_shape *shape)
{
    return sizeof(walk) + shape->frames * sizeof(uint32_t);
}

/* The link that leads to the first block of this order at or above a frame. */
static uint32_t *link_before(walk *w, uint32_t block, unsigned order)
{
    uint32_t *link = &w->head[order];
    while (*link < block) /* NONE is above all */
        link = &w->next[*link];
    return link;
}

static void insert(walk *w, uint32_t block, unsigned order)
{
    uint32_t *link = link_before(w, block, order);
    w->next[block] = *link;
    *link = block;
}

void *walk_init(void *mem, uint64_t bytes, const frames_shape *shape)
{
    walk *w = mem;
    uint32_t step = 1U << (ORDERS - 1);
    (void)bytes;
    w->frames = (uint32_t)shape->frames;
    for (unsigned k = 0; k < ORDERS; k++)
        w->head[k] = NONE;
    for (uint32_t block = w->frames; block >= step; block -= step)
        insert(w, block - step, ORDERS - 1);
    return w;
}

uint64_t walk_alloc(walk *w, unsigned order)
{
    unsigned k = order;
    while (k < ORDERS && w->head[k] == NONE)
        k++;
    if (k == ORDERS)
        return UINT64_MAX;
    uint32_t block = w->head[k];
    w->head[k] = w->next[block];
    while (k-- > order)
        insert(w, block + (1U << k), k);
    return block;
}

void walk_free(walk *w, uint32_t block, unsigned order)
{
    for (; order < ORDERS - 1; order++) {
        uint32_t buddy = block ^ (1U << order), *link = link_before(w, buddy, order);
        if (*link != buddy)
            break;
        *link = w->next[buddy];
        block &= ~(1U << order);
    }
    insert(w, block, order);
}
