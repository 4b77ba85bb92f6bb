/* SPDX-License-Identifier: MIT */
/* watch.c - every block of the process passes here while somebody watches.
 *
 * WHAT   Heap profile, trace, Valgrind and AddressSanitizer hear of blocks that come and go.
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
 *        Under Valgrind blocks come and go through memcheck.c. A program with a sanitizer has that
 *        one's malloc, and named heaps are all that is told of here.
 * LOCKS  Those of profile, events and memcheck.
 * COST   Not watched: nothing in the fast paths, a load and a branch in the slow ones.
 * FROM   -
 * NOT    Watching from some moment on: it is chosen at the start.
 */
#include "watch.h"

#include "loam_notes.h"

unsigned loam__watch;

enum { WATCH_CHECKED = WATCH_VALGRIND | WATCH_ASAN }; /* each access of the program is */

static bool watched_by(unsigned who)
{
    return (loam__watch & who) != 0;
}

void watch_prepare(void)
{
    if (loam__conf.profile[0] != '\0' && profile_prepare())
        loam__watch |= WATCH_PROFILE;
    if (loam__conf.trace[0] != '\0' && events_prepare())
        loam__watch |= WATCH_TRACE;
    if (loam__conf.valgrind && loam_notes_runs())
        loam__watch |= WATCH_VALGRIND;
    if (LOAM_HOSTED_NOTES != 0 && loam_notes_asan())
        loam__watch |= WATCH_ASAN;
    if (LOAM_HOSTED_NOTES != 0 && loam_notes_tsan()) /* else it was built with that itself */
        loam__watch |= WATCH_TSAN;
    if (watched_by(WATCH_CHECKED))
        loam__process.slabs.modes &= LOAM_SLAB_OWNER; /* the others look at bytes that are hidden */
}

static void tell_born(void *p, size_t size, const void *caller)
{
    if (watched_by(WATCH_PROFILE))
        profile_alloc(p, size, caller);
    if (watched_by(WATCH_TRACE))
        events_put(LOAM_TRACE_OBJ_ALLOC, p, size);
}

static void tell_gone(void *p)
{
    if (watched_by(WATCH_TRACE))
        events_put(LOAM_TRACE_OBJ_FREE, p, 0);
    if (watched_by(WATCH_PROFILE))
        profile_free(p);
}

/* ---- blocks of named heaps ---- */

size_t watch_room(size_t size)
{
    return size + (size != 0 && watched_by(WATCH_CHECKED));
}

void watch_born(void *p, size_t size, size_t usable, bool zero, const void *caller)
{
    if (watched_by(WATCH_CHECKED)) {
        loam_notes_alloc(p, size, zero);
        loam_notes_hide((unsigned char *)p + size, usable - size);
    }
    tell_born(p, size, caller);
}

void watch_gone(void *p, size_t usable)
{
    tell_gone(p);
    if (watched_by(WATCH_CHECKED)) {
        loam_notes_free(p);
        loam_notes_hide(p, usable);
    }
}

size_t watch_shown(const void *p, size_t usable)
{
    return watched_by(WATCH_CHECKED) ? loam_notes_shown(p, usable) : usable;
}

/* ---- blocks of malloc ---- */

void *watch_alloc(size_t size, size_t align, bool zero, const void *caller)
{
    void *p = watched_by(WATCH_VALGRIND) ? memcheck_alloc(size, align, zero, caller)
                                         : process_take(size, align, zero, caller);
    if (p != NULL)
        tell_born(p, size, caller);
    return p;
}

void watch_free(void *p, const void *caller)
{
    tell_gone(p);
    if (watched_by(WATCH_VALGRIND))
        memcheck_free(p, caller);
    else
        process_free(p, caller);
}

size_t watch_size(const void *p, const void *caller)
{
    size_t size = watched_by(WATCH_VALGRIND) ? memcheck_size(p) : 0;
    return size != 0 ? size : process_size(p, caller);
}

/* ---- realloc ---- */

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
    size_t old = watch_size(p, caller);
    if (old == 0)
        return NULL; /* refused */
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
    memcheck_freeze();
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
    memcheck_thaw();
}

void watch_end(void)
{
    if (watched_by(WATCH_TRACE))
        events_end();
    if (watched_by(WATCH_PROFILE))
        profile_end();
}
