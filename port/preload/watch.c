/* SPDX-License-Identifier: MIT */
/* watch.c - every block of the process passes here while somebody watches.
 *
 * WHAT   Heap profile, trace and Valgrind hear of blocks that come and go.
 *
 * MODEL  Nothing is asked in the fast paths: they begin with `process.kmalloc`, and as long as
 *        somebody watches that stays NULL, as before the first block.
 *
 *            malloc  --kmalloc != NULL-->  a slot
 *               '------- NULL ----------> slow_alloc --> process_alloc --> watch_alloc
 *                                                             |               |--> profile, events
 *                                                             '<- process_take'--> Valgrind
 *
 *        A block is told of before it is anybody's, and before it is nobody's: so no two threads
 *        tell of the same address at the same time. For this reason a realloc that moves is an
 *        allocation, a copy and a free here.
 *
 *        Under Valgrind freed blocks wait in a ring, so that what reads them is found; Valgrind
 *        keeps any byte of them from being touched meanwhile.
 * LOCKS  The ring's. Profile and events have their own.
 * COST   Not watched: nothing in the fast paths, a load and a branch in the slow ones.
 * FROM   -
 * NOT    Watching from some moment on: it is chosen at the start.
 */
#include "watch.h"
#include "../../core/kmalloc_impl.h"

#include "loam_notes.h"

unsigned loam__watch;

enum { WAIT_BLOCKS = 4096, WAIT_BYTES = 16 << 20 };

static struct {
    loam_lock lock;
    void *block[WAIT_BLOCKS]; /* [lock] a ring, oldest at head */
    size_t size[WAIT_BLOCKS];
    unsigned head, count;
    size_t bytes;
} waiting = {.lock = LOAM_LOCK_INIT};

void watch_prepare(void)
{
    if (loam__conf.profile[0] != '\0' && profile_prepare())
        loam__watch |= WATCH_PROFILE;
    if (loam__conf.trace[0] != '\0' && events_prepare())
        loam__watch |= WATCH_TRACE;
    if (loam__conf.valgrind && loam_notes_runs())
        loam__watch |= WATCH_VALGRIND;
}

static bool watched_by(unsigned who)
{
    return (loam__watch & who) != 0;
}

void watch_born(void *p, size_t size, size_t usable, bool zero, const void *caller)
{
    if (watched_by(WATCH_VALGRIND)) {
        loam_notes_alloc(p, size, zero);
        loam_notes_hide((unsigned char *)p + size, usable - size);
    }
    if (watched_by(WATCH_PROFILE))
        profile_alloc(p, size, caller);
    if (watched_by(WATCH_TRACE))
        events_put(LOAM_TRACE_OBJ_ALLOC, p, size);
}

void watch_gone(void *p)
{
    if (watched_by(WATCH_TRACE))
        events_put(LOAM_TRACE_OBJ_FREE, p, 0);
    if (watched_by(WATCH_PROFILE))
        profile_free(p);
    if (watched_by(WATCH_VALGRIND))
        loam_notes_free(p);
}

void *watch_alloc(size_t size, size_t align, bool zero, const void *caller)
{
    bool late = zero && watched_by(WATCH_VALGRIND);
    void *p = process_take(size, align, zero && !late, caller);
    if (p == NULL)
        return NULL;
    watch_born(p, size, process_usable(p), zero, caller);
    if (late)
        __builtin_memset(p, 0, size);
    return p;
}

/* ---- the ring ---- */

/* The oldest block, if more than so many blocks or bytes wait. */
static void *wait_pop(unsigned blocks, size_t bytes)
{
    void *p = NULL;
    loam_irq irq = loam_lock_acquire(&waiting.lock);
    if (waiting.count > blocks || waiting.bytes > bytes) {
        p = waiting.block[waiting.head];
        waiting.bytes -= waiting.size[waiting.head];
        waiting.head = (waiting.head + 1) % WAIT_BLOCKS;
        waiting.count--;
    }
    loam_lock_release(&waiting.lock, irq);
    return p;
}

static bool wait_push(void *p, size_t size)
{
    loam_irq irq = loam_lock_acquire(&waiting.lock);
    bool room = waiting.count < WAIT_BLOCKS && size <= WAIT_BYTES;
    if (room) {
        unsigned at = (waiting.head + waiting.count++) % WAIT_BLOCKS;
        waiting.block[at] = p;
        waiting.size[at] = size;
        waiting.bytes += size;
    }
    loam_lock_release(&waiting.lock, irq);
    return room;
}

static void refuse_second(const void *p, size_t size, const void *caller)
{
    loam_report report = {.unit = "malloc",
                          .what = loam_slab__what(SLAB_IS_FREE, true),
                          .object = "address",
                          .value = (uintptr_t)p,
                          .state = "freed, kept for Valgrind",
                          .size = size,
                          .caller = caller};
    loam_port_misuse(&report);
}

static void valgrind_free(void *p, const void *caller)
{
    size_t size = process_usable(p);
    void *oldest;
    bool waits = size != 0 && loam_notes_is_hidden(p);
    watch_gone(p);
    if (waits) {
        refuse_second(p, size, caller);
    } else if (size == 0 || size >= process_huge_from() || !wait_push(p, size)) {
        process_free(p, caller);
        return;
    }
    while ((oldest = wait_pop(WAIT_BLOCKS - 1, WAIT_BYTES)) != NULL)
        process_free(oldest, caller);
}

void watch_free(void *p, const void *caller)
{
    if (watched_by(WATCH_VALGRIND)) {
        valgrind_free(p, caller);
        return;
    }
    watch_gone(p);
    process_free(p, caller);
}

/* ---- realloc ---- */

size_t watch_size(const void *p, size_t usable)
{
    return watched_by(WATCH_VALGRIND) ? loam_notes_shown(p, usable) : usable;
}

static bool resize_here(void *p, size_t old, size_t size, const void *caller)
{
    if (size > old || size <= old / 2 || watched_by(WATCH_VALGRIND))
        return false;
    if (watched_by(WATCH_TRACE))
        events_put(LOAM_TRACE_OBJ_RESIZE, p, size);
    if (watched_by(WATCH_PROFILE)) {
        profile_free(p);
        profile_alloc(p, size, caller);
    }
    return true;
}

void *watch_realloc(void *p, size_t size, const void *caller)
{
    size_t old = process_size(p, caller);
    if (old == 0)
        return NULL; /* refused */
    old = watch_size(p, old);
    if (resize_here(p, old, size, caller))
        return p;
    void *q = watch_alloc(size, PROCESS_ALIGN, false, caller);
    if (q == NULL)
        return NULL;
    __builtin_memcpy(q, p, old < size ? old : size);
    if (watched_by(WATCH_TRACE))
        events_put(LOAM_TRACE_OBJ_MOVE, p, (uintptr_t)q);
    watch_free(p, caller);
    return q;
}

/* ---- forks, the end ---- */

void watch_freeze(void)
{
    if (!process_is_watched())
        return;
    (void)loam_lock_acquire(&waiting.lock);
    profile_freeze();
    events_freeze();
}

void watch_child(void)
{
    if (watched_by(WATCH_TRACE))
        events_child();
}

void watch_thaw(void)
{
    if (!process_is_watched())
        return;
    events_thaw();
    profile_thaw();
    loam_lock_release(&waiting.lock, loam_port_irq_save());
}

void watch_end(void)
{
    if (watched_by(WATCH_TRACE))
        events_end();
    if (watched_by(WATCH_PROFILE))
        profile_end();
}
