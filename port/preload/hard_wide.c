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

static LOAM_NOINLINE void *wide_dress(size_t size, const slab_front *f, void *p)
{
    size_t room = f->room;
    bool clean = swift_is_brief(room)   ? false
                 : swift_is_short(room) ? swift_dress(f, p, size)
                 : swift_is_mid(room)   ? swift_dress_mid(f->magic[0], p, room, size)
                 : room == SWIFT_PAIR   ? swift_dress_pair(f->magic[0], (uint64_t *)(void *)p, size)
                                        : swift_dress_long(f->magic[0], p, room, size);
    return LOAM_LIKELY(clean) ? p : loam_slab__swift_dress(size, f, p);
}

static LOAM_NOINLINE void wide_put_more(void *p, const void *caller, swift_place at)
{
    const loam_kmalloc *k = loam__process.swift;
    if (LOAM_UNLIKELY(!swift_put_more(k->slabs, p, at)))
        general_free(p, caller);
}

/* A room that is no unit is for slab_swift.c. */
static LOAM_NOINLINE void wide_put_far(void *p, const void *caller, swift_place at)
{
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

static void wide_free(void *p, const void *caller)
{
    hard_free(p, caller, (hard_puts){wide_put_more, wide_put_far, wide_put_back, wide_put_again});
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
