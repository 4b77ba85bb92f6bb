/* SPDX-License-Identifier: MIT */
/* preload_slow.c - what malloc and free leave: a block by whatever way there is, and its end.
 *
 * WHAT   The process's start, a thread's first call, huge blocks, further ranges, who watches,
 *        misuse. None of it by a name of the C library: those are in the files that end here.
 *
 * MODEL      preload_malloc.c ---> general_alloc --> slow_alloc --> process_alloc
 *            preload_free.c -----> general_free ---> process_free --> huge_free, process_foreign
 *            preload_realloc.c --> process_size, process_usable
 *
 *        So what named heaps stand on can be linked without malloc (preload.mk).
 * LOCKS  None of its own.
 * COST   Some hundred instructions; system calls where memory comes.
 * FROM   -
 * NOT    -
 */
#include "plain_paths.h"
#include "watch.h"

#include <errno.h>

/* ---- allocation ---- */

void swift_keep_face(const loam_kmalloc *k, size_t size)
{
    const loam_cache *c = kmalloc_cache(k, size);
    slab_front *f = c != NULL ? slab_own_front(c, loam_port_cpu()) : NULL;
    unsigned i = front_place(size);
    if (thread_stack[i] == &thread_no_stack && thread_has_begun() && f != NULL)
        thread_stack[i] = swift_face(f);
}

/* Where the modes are those of `hardened`. */
LOAM_INLINE bool swift_alloc(size_t size, void **p)
{
    const loam_kmalloc *k = process_swift();
    if (k == NULL || (*p = kmalloc_take_swift(k, size)) == NULL)
        return false;
    swift_keep_face(k, size);
    return true;
}

/* Every block has an address of its own, so it was one of a byte. */
static LOAM_NOINLINE void become_empty(const void *p, const void *caller)
{
    process_range *r = process_is_watched() ? NULL : process_range_of(p);
    if (r != NULL)
        loam_kmalloc__empty(r->kmalloc, p, caller);
}

LOAM_NOINLINE void *slow_alloc(size_t size, size_t align, bool zero, const void *caller)
{
    void *p;
    if (align == PROCESS_ALIGN && swift_alloc(size, &p)) /* it reads 0 */
        return p;
    int before = errno;
    p = process_alloc(size == 0 ? 1 : size, align, zero, caller);
    if (size == 0 && p != NULL)
        become_empty(p, caller);
    if (p != NULL)
        process_tick(&loam__process.range[0]);
    errno = p != NULL ? before : ENOMEM;
    return p;
}

LOAM_NOINLINE void *general_alloc(size_t size, const void *caller)
{
    void *p;
    const loam_kmalloc *k = process_kmalloc();
    if (k != NULL && size > k->max) {
        p = loam_slab__large_again(k->slabs, k, size, caller);
        if (p != NULL)
            return p;
    } else if (swift_alloc(size, &p)) {
        return p;
    }
    return slow_alloc(size, PROCESS_ALIGN, false, caller);
}

/* ---- giving back ---- */

/* An address outside of every range that is no huge block. */
static void process_foreign(const void *p, bool freeing, const void *caller)
{
    static const struct {
        slab_fault words; /* the same as for all other blocks */
        const char *state, *name;
    } faults[] = {
        [HUGE_FOREIGN] = {SLAB_IS_FOREIGN, "never given out", NULL},
        [HUGE_INNER] = {SLAB_IS_INNER, "inner", "huge"},
        [HUGE_MISALIGNED] = {SLAB_IS_MISALIGNED, "misaligned", "huge"},
        [HUGE_FREE] = {SLAB_IS_FREE, "free", "huge"},
    };
    size_t size;
    huge_fault fault = huge_what(p, &size);
    loam_report report = {.unit = "malloc",
                          .what = loam_slab__what(faults[fault].words, freeing),
                          .object = "address",
                          .value = (uintptr_t)p,
                          .state = faults[fault].state,
                          .name = faults[fault].name,
                          .size = size,
                          .caller = caller};
    if (fault == HUGE_FOREIGN && (report.name = heaps_name_of(p)) != NULL)
        report.state = "of a named heap";
    loam_port_misuse(&report);
}

/* The number whose front the block is of, or was: who frees first what another left has the rest of
 * it mostly, too. */
static unsigned owner_of(const process_range *r, const void *p)
{
    uintptr_t off = slab_off(r->slabs, p);
    return off < slab_len(r->slabs) ? slab_owner_of(slab_desc_at(r->slabs, off))->cpu
                                    : PROCESS_NOBODY;
}

void process_free(void *p, const void *caller)
{
    process_range *r = process_range_of(p);
    if (r != NULL) {
        if (!thread_has_begun()) /* who only frees gathers, too */
            thread_begin(owner_of(r, p));
        if (!kmalloc_put_any(r->kmalloc, p))
            (void)loam_kmalloc__free(r->kmalloc, p, caller);
        process_tick(r);
    } else if (!huge_free(p)) {
        process_foreign(p, true, caller);
    }
}

LOAM_NOINLINE void general_free(void *p, const void *caller)
{
    int before = errno;
    if (p == NULL)
        return;
    if (process_is_watched())
        watch_free(p, caller);
    else
        process_free(p, caller);
    errno = before;
}

/* ---- sizes ---- */

size_t process_usable(const void *p)
{
    const process_range *r = process_range_of(p);
    slab_place at;
    if (r == NULL)
        return huge_size(p);
    return process_place_of(r, p, &at) ? loam_slab__usable(&at) : 0;
}

size_t process_size(const void *p, const void *caller)
{
    process_range *r = process_range_of(p);
    if (r != NULL)
        return loam_kmalloc__size(r->kmalloc, p, caller);
    size_t size = huge_size(p);
    if (size == 0)
        process_foreign(p, false, caller);
    return size;
}
