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

static void *narrow_alloc(size_t size, struct slab_stack *face, const void *caller)
{
    return hard_alloc(size, face, caller, loam_slab__swift_dress);
}

static void *narrow_aligned(size_t size, size_t align, struct slab_stack *face)
{
    return hard_alloc_aligned(size, align, face);
}

static LOAM_NOINLINE void narrow_put_more(void *p, const void *caller, swift_place at, loam_irq irq)
{
    const loam_kmalloc *k = loam__process.swift;
    if (LOAM_UNLIKELY(!loam_slab__put_swift_more(k->slabs, p, at, irq)))
        general_free(p, caller);
}

static LOAM_NOINLINE void narrow_put_far(void *p, const void *caller, swift_place at, loam_irq irq)
{
    (void)irq; /* they are on */
    const loam_kmalloc *k = loam__process.swift;
    if (LOAM_UNLIKELY(!loam_slab__put_swift_far(k->slabs, p, at, k)))
        general_free(p, caller);
}

static LOAM_NOINLINE void narrow_put_again(void *p, const void *caller)
{
    const loam_kmalloc *k = loam__process.swift;
    if (LOAM_UNLIKELY(!loam_slab__put_swift_again(k->slabs, p, k)))
        general_free(p, caller);
}

static LOAM_NOINLINE void narrow_put_back(void *p, const void *caller, swift_place at, loam_irq irq)
{
    swift_put_back(at, irq);
    narrow_put_again(p, caller);
}

static const hard_puts narrow_puts;

static LOAM_NOINLINE void narrow_put_some(void *p, const void *caller, swift_place at, loam_irq irq)
{
    hard_put_as(p, caller, at, irq, swift_undress, narrow_puts);
}

static LOAM_NOINLINE void narrow_put_mid(void *p, const void *caller, swift_place at, loam_irq irq)
{
    hard_put_as(p, caller, at, irq, swift_undress_mid, narrow_puts);
}

static const hard_puts narrow_puts = {narrow_put_some, narrow_put_mid, narrow_put_more,
                                      narrow_put_more, narrow_put_far, narrow_put_back,
                                      narrow_put_again};

static void narrow_free(void *p, const void *caller)
{
    hard_free(p, caller, narrow_puts);
}

const hard_calls hard_narrow = {narrow_alloc, narrow_aligned, narrow_free};
