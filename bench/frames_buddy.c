/* SPDX-License-Identifier: MIT */
/* frames_buddy.c - Loam's engine alone. */
#include "frames_buddy.h"
#include "frames_lock.h"
#include "loam/buddy.h"

struct engine {
    spin lock;
    bool locked;
    loam_buddy buddy;
};

enum { TABLES_AT = 4096, HIGH_FROM = 9 }; /* as the zone has it: 2 MiB blocks from the top */
_Static_assert(sizeof(engine) <= TABLES_AT, "the tables start behind the engine");

uint64_t engine_bytes(const frames_shape *shape)
{
    return TABLES_AT + loam_buddy_measure(0, shape->frames);
}

void *engine_init(void *mem, uint64_t bytes, const frames_shape *shape)
{
    (void)bytes;
    engine *e = mem;
    e->locked = shape->threads > 1;
    if (loam_buddy_init(&e->buddy, 0, shape->frames, HIGH_FROM, (char *)mem + TABLES_AT) !=
            LOAM_OK ||
        loam_buddy_free_range(&e->buddy, 0, shape->frames) != LOAM_OK)
        bench_die("the engine cannot be made");
    return e;
}

static LOAM_NOINLINE uint64_t alloc_locked(engine *e, unsigned order)
{
    uint64_t unit;
    spin_acquire(&e->lock);
    loam_err err = loam_buddy_alloc(&e->buddy, order, &unit);
    spin_release(&e->lock);
    return err == LOAM_OK ? unit : UINT64_MAX;
}

static LOAM_NOINLINE void free_locked(engine *e, uint32_t block, unsigned order)
{
    spin_acquire(&e->lock);
    loam_buddy_free(&e->buddy, block, order);
    spin_release(&e->lock);
}

uint64_t engine_alloc(engine *e, unsigned order)
{
    uint64_t unit;
    if (LOAM_UNLIKELY(e->locked))
        return alloc_locked(e, order);
    return loam_buddy_alloc(&e->buddy, order, &unit) == LOAM_OK ? unit : UINT64_MAX;
}

void engine_free(engine *e, uint32_t block, unsigned order)
{
    if (LOAM_UNLIKELY(e->locked))
        free_locked(e, block, order);
    else
        loam_buddy_free(&e->buddy, block, order);
}

const char *engine_check(void *a)
{
    engine *e = a;
    return loam_buddy_check(&e->buddy);
}
