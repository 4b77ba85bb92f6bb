/* SPDX-License-Identifier: MIT */
/* last_look.c - blocks that nobody frees, looked at when the program ends.
 *
 * WHAT   With guard an overrun is found when the block is freed. This finds it of blocks that are
 *        out to the end, or until their named heap is gone.
 * MODEL  Other threads may still run. What one of them is about to do to a block ends soon: a fault
 *        has to be there each time, LOOKS times, while the seal stays the same.
 *        What stdio has not written is written before the end, in a process of one thread.
 *
 *            seal    out, 50 bytes   --another thread: free-->   none
 *            slack   magic           --and written anew------>   0 0 0 0      no fault for long
 * LOCKS  None held while it looks at a block of a range. Who calls exit() in a signal handler, and
 *        came from inside of malloc, may hold one itself: then there is no look.
 * COST   O(slots); some 50 instructions and a line or two of memory for each that is out.
 * FROM   -
 * NOT    Free blocks: these are looked at when they are used again. Blocks of the ranges in the
 *        child of a process that had threads: one of these may have had a block in hand that was
 *        out, and without its magic yet.
 */
#define _GNU_SOURCE
#include "../../core/kmalloc_impl.h"
#include "loam_libc.h"
#include "preload.h"

#include <time.h>

enum { LOOKS = 10, PAUSE_MS = 10, PATIENCE = 100 /* pauses, for a lock */ };

static void look_pause(void)
{
    struct timespec t = {0, PAUSE_MS * 1000000L};
    int cancel = thread_hold();
    (void)nanosleep(&t, NULL);
    thread_let(cancel);
}

/* no order: a look at somebody else's lock. */
bool last_look_is_stuck(const loam_lock *lock)
{
    for (unsigned i = 0; i < PATIENCE && loam_atomic_peek(&lock->held) != 0; i++)
        look_pause();
    return loam_atomic_peek(&lock->held) != 0;
}

/* The slot, or large block, in which p lies. */
static slab_place look_place(const loam_slabs *s, const void *p)
{
    slab_desc *d = slab_desc_at(s, slab_off(s, p));
    if (d->kind == SLAB_LARGE)
        return (slab_place){d, 0};
    size_t stride = slab_cache_of(d)->stride;
    return (slab_place){d, (unsigned)((size_t)((const unsigned char *)p - d->base) / stride)};
}

static bool look_is_out(const slab_place *at)
{
    if (at->desc->kind == SLAB_LARGE)
        return slab_large_is_out(at->desc);
    return !slab_slot_is_free(at->desc, at->slot) && loam_slab__block(at->desc, at->slot).out;
}

/* Where somebody wrote, for good; NULL: nowhere. */
static const char *look_fault(const loam_slabs *s, const slab_place *at)
{
    const char *fault = NULL;
    for (unsigned i = 0; i < LOOKS; i++) {
        fault = look_is_out(at) ? loam_slab__guard_fault(at, s) : NULL;
        if (fault == NULL || libc_is_single())
            break;
        look_pause();
    }
    return fault;
}

static bool look_block(void *ctx, void *p, size_t size, const char *cache, const void *site)
{
    const loam_slabs *s = ctx;
    slab_place at = look_place(s, p);
    const char *fault = look_fault(s, &at);
    (void)size;
    (void)cache;
    (void)site;
    if (fault == NULL)
        return true;
    if (libc_is_single()) /* nobody else is in a stream: what was printed is not lost */
        (void)fflush(NULL);
    loam_slab__damage(
        "S9 the bytes around a block hold their magic",
        fault[0] == 'b' ? "before the block, never freed" : "after the block, never freed", &at);
}

void last_look_at(loam_kmalloc *k)
{
    loam_slabs *s = k->slabs;
    if (loam__conf.last_look && (s->modes & LOAM_SLAB_GUARD) != 0 && !last_look_is_stuck(&s->lock))
        loam_kmalloc_each(k, look_block, s);
}

void last_look(void)
{
    uint32_t n = loam_atomic_load(&loam__process.ranges);
    bool guarded = (loam__process.slabs.modes & LOAM_SLAB_GUARD) != 0 || loam__conf.guard_pages;
    if (!loam__conf.last_look || !guarded)
        return;
    for (uint32_t i = 0; i < n && !threads_left_behind(); i++)
        last_look_at(loam__process.range[i].kmalloc);
    huge_last_look();
    heaps_each_kmalloc(last_look_at);
}
