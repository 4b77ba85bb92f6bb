/* SPDX-License-Identifier: MIT */
/* hard_wide.c - the paths of `hardened` with registers of 32 bytes.
 *
 * WHAT   Each block is read when it comes and written when it goes: with twice as many bytes at a
 *        time that takes half of the instructions, and of the time where they are in a first-level
 *        cache.
 * MODEL  The source for 16 bytes (hard_paths.h, core/slab_swift.h), compiled for processors that
 *        have AVX2. The process asks once, when it starts.
 * LOCKS  None of its own.
 * COST   That of slab_swift.c.
 * FROM   -
 * NOT    64 bytes at a time: a processor that stores them in two halves gains nothing.
 */
#if defined(__x86_64__)

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif

#define SWIFT_UNIT          32
#define SWIFT_IS_ZERO(unit) (__builtin_ia32_ptestz256((wide_bits)(unit), (wide_bits)(unit)) != 0)

typedef long long __attribute__((vector_size(32))) wide_bits;

#include "hard_paths.h"

static LOAM_NOINLINE void *wide_dress(const loam_slabs *s, uint64_t slot, size_t room, size_t size)
{
    unsigned char *p = slab_wait_base(slot) + SLAB_GUARD_LEAD;
    bool clean = room > SWIFT_SHORT  ? swift_dress_long(s->magic, p, room, size)
                 : room < SWIFT_UNIT ? swift_dress_pair(s->magic, (uint64_t *)(void *)p, size)
                                     : false;
    return LOAM_LIKELY(clean) ? p : loam_slab__swift_dress(s, slot, room, size);
}

static LOAM_NOINLINE void wide_put_long(const loam_kmalloc *k, slab_desc *d, unsigned slot, void *p,
                                        const void *caller)
{
    if (LOAM_UNLIKELY(!swift_put_long(k->slabs, d, slot, p, true)))
        general_free(p, caller);
}

/* A room that is no unit is for slab_swift.c. */
static LOAM_NOINLINE void wide_put_far(const loam_kmalloc *k, slab_desc *d, unsigned slot, void *p,
                                       const void *caller)
{
    bool done = slab_owner_of(d)->room < SWIFT_UNIT
                    ? loam_slab__put_swift_far(k->slabs, d, slot, p, k)
                    : swift_put_far(k->slabs, d, slot, p, k);
    if (LOAM_UNLIKELY(!done))
        general_free(p, caller);
}

static void *wide_alloc(const loam_kmalloc *k, size_t size, const void *caller)
{
    return hard_alloc(k, size, caller, wide_dress);
}

static void wide_free(const loam_kmalloc *k, void *p, const void *caller)
{
    hard_free(k, p, caller, wide_put_long, wide_put_far);
}

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

const hard_calls *hard_wide(void)
{
    static const hard_calls calls = {wide_alloc, wide_free};
    return loam_wide_is_avx2() ? &calls : NULL;
}

#else
#include "preload.h"

const hard_calls *hard_wide(void)
{
    return NULL;
}
#endif
