/* SPDX-License-Identifier: MIT */
/* preload_free.c - free and its family over the process's ranges.
 *
 * WHAT   What the C and POSIX standards and glibc's headers promise; what is no block is refused.
 * MODEL  A block of the thread's own front goes back where it is called (plain_paths.h), one of
 *        another's and a large one by plain_free; what all these refuse is looked at in full, once,
 *        by general_free: huge blocks, further ranges, misuse.
 *
 *            fast_free --> plain_free --> general_free --> process_free --> loam_port_misuse
 *              own          others'        watched?         range, huge       told, and the end
 * LOCKS  None of its own.
 * COST   A pair of 64 bytes: preload_malloc.c.
 * FROM   free_sized, free_aligned_sized: C23, 7.24.3.4 and 7.24.3.5.
 * NOT    -
 */
#include "plain_paths.h"
#include "watch.h"

#include <stdlib.h>

/* A large block of the first range, which has its front: nothing here touches errno. */
static bool free_large(void *p)
{
    process_range *r = &loam__process.range[0];
    const loam_kmalloc *k = process_kmalloc();
    if (k == NULL || slab_off(k->slabs, p) >= slab_len(k->slabs) ||
        !loam_slab__large_put(k->slabs, slab_off(k->slabs, p), k))
        return false;
    process_tick(r);
    return true;
}

/* A block of another thread's front, a large one, and all else. */
LOAM_NOINLINE void plain_free(void *p, const slab_desc *far, const void *caller)
{
    if (p == NULL)
        return;
    if (LOAM_UNLIKELY(!kmalloc_put_far(process_kmalloc(), p, far)) && !free_large(p))
        general_free(p, caller);
}

PRELOAD_EXPORT void free(void *p)
{
    slab_desc *far;
    if (LOAM_UNLIKELY(!fast_free(p, &far)))
        far_free(p, far, __builtin_return_address(0));
}

void free_for(void *p, const void *caller)
{
    slab_desc *far;
    if (LOAM_UNLIKELY(!fast_free(p, &far)))
        far_free(p, far, caller);
}

/* ---- giving back, by those who say how large the block is ---- */

/* Where the size that was asked for is known it is that one; else none that is larger than what may
 * be used. What is no block is told by its free. */
static bool sized_is_wrong(const void *p, size_t size)
{
    bool known = process_range_of(p) != NULL ? (loam__process.slabs.modes & LOAM_SLAB_GUARD) != 0
                                             : loam__conf.guard_pages;
    size_t usable = (loam__watch & WATCH_VALGRIND) != 0 ? 0 : process_usable(p);
    size += size == 0; /* as malloc has it */
    return usable != 0 && (known ? size != usable : size > usable);
}

/* report: what is known of the block. */
static void refuse_given(const void *p, const char *what, const char *given, size_t value,
                         loam_report report)
{
    char state[64];
    loam_text text;
    loam_text_init(&text, state, sizeof(state));
    loam_text_fmt(&text, "%s %U", given, (uint64_t)value);
    report.unit = "malloc";
    report.what = what;
    report.object = "address";
    report.value = (uintptr_t)p;
    report.state = state;
    loam_port_misuse(&report);
}

/* A block that is out is freed as one that it is not. */
static void refuse_out(const void *p, const char *what, const char *given, size_t value,
                       const void *caller)
{
    const process_range *r = process_range_of(p);
    loam_report report = {
        .name = r == NULL ? "huge" : NULL, .size = huge_size(p), .caller = caller};
    slab_place at;
    if (r != NULL && process_place_of(r, p, &at))
        loam_slab__describe(&at, &report);
    refuse_given(p, what, given, value, report);
}

static LOAM_NOINLINE void hard_free_sized(void *p, size_t size, const void *caller)
{
    if (p != NULL && sized_is_wrong(p, size))
        refuse_out(p, "free with a wrong size", "as of size", size, caller);
    else
        free_for(p, caller);
}

/* The block is free by then: misuse ends a process, whatever it has done. */
static LOAM_NOINLINE void refuse_slot(const void *p, size_t size, const slab_desc *d,
                                      const void *caller)
{
    const loam_cache *c = slab_cache_of(d);
    loam_report report = {.name = c->name, .size = c->size, .caller = caller};
    refuse_given(p, "free with a wrong size", "as of size", size, report);
}

static LOAM_NOINLINE void far_free_sized(void *p, size_t size, slab_desc *far, const void *caller)
{
    bool fits = far != NULL && size <= slab_owner_of(far)->stride; /* slots' alone have one */
    if (fits)
        far_free(p, far, caller);
    else
        hard_free_sized(p, size, caller);
}

void free_sized_for(void *p, size_t size, const void *caller)
{
    slab_desc *d;
    uint64_t *word = NULL;
    loam_irq irq = 0;
    slab_put put = fast_put(p, &d, &word, &irq);
    if (LOAM_LIKELY(put == SLAB_PUT) && LOAM_LIKELY(size <= slab_owner_of(d)->stride))
        return;
    if (put == SLAB_PUT_REFUSED)
        far_free_sized(p, size, d, caller);
    else if (size > slab_owner_of(d)->stride)
        refuse_slot(p, size, d, caller);
    else
        (void)loam_slab__settle(d, word, irq);
}

/* Is p aligned as its block is said to be? Else the caller is told. */
bool alignment_fits(const void *p, size_t align, const void *caller)
{
    bool fits = ((uintptr_t)p & (align - 1)) == 0;
    if (LOAM_UNLIKELY(!fits))
        refuse_out(p, "free with a wrong alignment", "as aligned to", align, caller);
    return fits;
}

void free_sized(void *p, size_t size);
void free_aligned_sized(void *p, size_t align, size_t size);

PRELOAD_EXPORT void free_sized(void *p, size_t size)
{
    free_sized_for(p, size, __builtin_return_address(0));
}

PRELOAD_EXPORT void free_aligned_sized(void *p, size_t align, size_t size)
{
    if (alignment_fits(p, align, __builtin_return_address(0)))
        free_sized_for(p, size, __builtin_return_address(0));
}
