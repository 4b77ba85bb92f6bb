/* SPDX-License-Identifier: MIT */
/* hard_narrow.c - the paths of `hardened` for every processor.
 *
 * WHAT   The source of hard_paths.h with the registers that any processor of its kind has.
 * MODEL  See hard_wide.c, which has the same for processors with more.
 * LOCKS  None of its own.
 * COST   That of slab_swift.c.
 * FROM   -
 * NOT    -
 */
#include "hard_paths.h"

static void *narrow_alloc(const loam_kmalloc *k, size_t size, const void *caller)
{
    return hard_alloc(k, size, caller, loam_slab__swift_dress);
}

static LOAM_NOINLINE void narrow_put_long(const loam_kmalloc *k, slab_desc *d, unsigned slot,
                                          void *p, const void *caller)
{
    if (LOAM_UNLIKELY(!loam_slab__put_swift_long(k->slabs, d, slot, p)))
        general_free(p, caller);
}

static LOAM_NOINLINE void narrow_put_far(const loam_kmalloc *k, slab_desc *d, unsigned slot,
                                         void *p, const void *caller)
{
    if (LOAM_UNLIKELY(!loam_slab__put_swift_far(k->slabs, d, slot, p, k)))
        general_free(p, caller);
}

static void narrow_free(const loam_kmalloc *k, void *p, const void *caller)
{
    hard_free(k, p, caller, narrow_put_long, narrow_put_far);
}

const hard_calls hard_narrow = {narrow_alloc, narrow_free};
