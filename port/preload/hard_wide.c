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

static LOAM_NOINLINE void *wide_dress_more(size_t size, const slab_front *f, void *p)
{
    size_t room = f->room;
    bool clean = !swift_is_brief(room) && swift_dress_long(f->magic[0], p, room, size);
    return LOAM_LIKELY(clean) ? p : loam_slab__swift_dress(size, f, p);
}

static LOAM_NOINLINE void *wide_dress_some(size_t size, const slab_front *f, void *p)
{
    return LOAM_LIKELY(swift_dress(f, p, size)) ? p : loam_slab__swift_dress(size, f, p);
}

static LOAM_NOINLINE void *wide_dress_pair(size_t size, const slab_front *f, void *p)
{
    bool clean = swift_dress_pair(f->magic[0], (uint64_t *)p, size);
    return LOAM_LIKELY(clean) ? p : loam_slab__swift_dress(size, f, p);
}

static LOAM_NOINLINE void *wide_dress_mid(size_t size, const slab_front *f, void *p)
{
    return LOAM_LIKELY(swift_dress_mid(f, p, size)) ? p : loam_slab__swift_dress(size, f, p);
}

/* Of a slot that is not brief, or not as it should be. */
LOAM_INLINE void *wide_dress(size_t size, const slab_front *f, void *p)
{
    if (swift_is_short(f->room) && !swift_is_brief(f->room))
        return wide_dress_some(size, f, p);
    if (swift_is_mid(f->room))
        return wide_dress_mid(size, f, p);
    return f->room == SWIFT_PAIR ? wide_dress_pair(size, f, p) : wide_dress_more(size, f, p);
}

static LOAM_NOINLINE void wide_put_more(void *p, const void *caller, swift_place at, loam_irq irq)
{
    const loam_kmalloc *k = loam__process.swift;
    if (LOAM_UNLIKELY(!swift_put_more(k->slabs, p, at, irq)))
        general_free(p, caller);
}

/* A room that is no unit is for slab_swift.c. */
static LOAM_NOINLINE void wide_put_far(void *p, const void *caller, swift_place at, loam_irq irq)
{
    (void)irq; /* they are on */
    const loam_kmalloc *k = loam__process.swift;
    bool done = slab_owner_of(at.desc)->room < SWIFT_UNIT
                    ? loam_slab__put_swift_far(k->slabs, p, at, k)
                    : swift_put_far(k->slabs, p, at, k);
    if (LOAM_UNLIKELY(!done))
        general_free(p, caller);
}

static LOAM_NOINLINE void wide_put_again(void *p, const void *caller)
{
    const loam_kmalloc *k = loam__process.swift;
    if (LOAM_UNLIKELY(!swift_put_again(k->slabs, p, k)))
        general_free(p, caller);
}

static LOAM_NOINLINE void wide_put_back(void *p, const void *caller, swift_place at, loam_irq irq)
{
    swift_put_back(at, irq);
    wide_put_again(p, caller);
}

static void *wide_alloc(size_t size, struct slab_stack *face, const void *caller)
{
    return hard_alloc(size, face, caller, wide_dress);
}

static void *wide_aligned(size_t size, size_t align, struct slab_stack *face)
{
    return hard_alloc_aligned(size, align, face);
}

static const hard_puts wide_puts;

static LOAM_NOINLINE void wide_put_some(void *p, const void *caller, swift_place at, loam_irq irq)
{
    hard_put_as(p, caller, at, irq, swift_undress, wide_puts);
}

static LOAM_NOINLINE void wide_put_mid(void *p, const void *caller, swift_place at, loam_irq irq)
{
    hard_put_as(p, caller, at, irq, swift_undress_mid, wide_puts);
}

static LOAM_NOINLINE void wide_put_pair(void *p, const void *caller, swift_place at, loam_irq irq)
{
    hard_put_as(p, caller, at, irq, swift_undress_pair_of, wide_puts);
}

static const hard_puts wide_puts = {wide_put_some, wide_put_mid,  wide_put_pair, wide_put_more,
                                    wide_put_far,  wide_put_back, wide_put_again};

static void wide_free(void *p, const void *caller)
{
    hard_free(p, caller, wide_puts);
}

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

const hard_calls *hard_wide(void)
{
    static const hard_calls calls = {wide_alloc, wide_aligned, wide_free};
    return loam_wide_is_avx2() ? &calls : NULL;
}

#else
#include "preload.h"

const hard_calls *hard_wide(void)
{
    return NULL;
}
#endif
