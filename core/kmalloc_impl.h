/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KMALLOC_IMPL_H
#define LOAM_KMALLOC_IMPL_H

/* kmalloc_impl.h - what kmalloc's two files share. The theory is at the top of kmalloc.c. */
#include "loam/kmalloc.h"
#include "slab_fast.h"
#include "slab_swift.h"
#include "vmap_impl.h"

enum {
    KMALLOC_STEP = 16,
    KMALLOC_FINE = 128, /* to here the classes are a step apart */
    KMALLOC_TABLE = 1024,
    KMALLOC_MAX = 32768,
    KMALLOC_PAGED = 4096 + 512, /* a page and what a program writes around it: the class between */
    KMALLOC_PAGED_CLASS = 8 + 4 * 5,
    KMALLOC_CLASSES = 8 + 4 * 8 + 1
};

struct loam_kmalloc {
    loam_cache *small[KMALLOC_TABLE / KMALLOC_STEP]; /* the class of sizes 16 i + 1 .. 16 i + 16 */
    loam_cache *cache[KMALLOC_CLASSES];
    loam_slabs *slabs;
    unsigned classes;
    size_t max;      /* largest size that a class holds */
    loam_vmap *vmap; /* of large blocks, or NULL */
};

/* Does the address lie in the vmap's window? */
static inline bool kmalloc_is_mapped(const loam_kmalloc *k, const void *p)
{
    return k->vmap != NULL && (uintptr_t)p - k->vmap->config.base < k->vmap->config.len;
}

/* ---- kmalloc.c ---- */

void *loam_kmalloc__general(loam_kmalloc *k, size_t size, const void *site);
void *loam_kmalloc__aligned(loam_kmalloc *k, size_t size, size_t align, const void *site);
/* The same, and the block reads 0. */
void *loam_kmalloc__zeroed(loam_kmalloc *k, size_t size, const void *site);
loam_err loam_kmalloc__free(loam_kmalloc *k, void *p, const void *caller);
size_t loam_kmalloc__size(loam_kmalloc *k, const void *p, const void *caller);
void *loam_kmalloc__realloc(loam_kmalloc *k, void *p, size_t size, const void *site);
/* A new block with the old one's first bytes, the old one freed; NULL: no memory, nothing done. */
/* With guard a block that its holder just got is one of 0 bytes, out as before: none of them may
 * be written. A large one stays as it is. */
void loam_kmalloc__empty(loam_kmalloc *k, const void *p, const void *site);
void *loam_kmalloc__move(loam_kmalloc *k, void *p, size_t old, size_t size, const void *site);

/* The class of a size from 1 to max. */
static inline unsigned kmalloc_class(size_t size)
{
    if (size <= KMALLOC_FINE)
        return (unsigned)(size - 1) / KMALLOC_STEP;
    unsigned log = loam_log2_floor(size - 1); /* 7 for 129 .. 256 */
    return 8 + (log - 7) * 4 + (unsigned)((size - 1) >> (log - 2)) - 4 + (size > KMALLOC_PAGED);
}

/* Does realloc leave a block of `old` bytes where it is? While more than half of its room is used,
 * or it does not become smaller, or no class is. */
static inline bool kmalloc_stays(size_t room, size_t old, size_t size)
{
    return size <= room && (size > room / 2 || size >= old || room == KMALLOC_STEP);
}

/* The size rounded up to the alignment, and past the class whose slots begin anywhere. */
static inline size_t kmalloc_aligned_size(size_t size, size_t align)
{
    size = (size + align - 1) & ~(align - 1);
    bool paged = size - 4096 - 1 < KMALLOC_PAGED - 4096 && align > KMALLOC_STEP;
    return paged ? KMALLOC_PAGED + 1 : size;
}

/* The first class whose slots are aligned so, a power of two; size > 0. NULL: none is so large.
 *
 * It is that of the size rounded up to the alignment: between 2^n and 2^(n+1) the classes are a
 * quarter of 2^n apart, so they are aligned to that, and every multiple of more than that is one.
 * The class between is not aligned to more than others are.
 * Not with magic around blocks. */
static inline loam_cache *kmalloc_aligned_class(const loam_kmalloc *k, size_t size, size_t align)
{
    if (size > k->max || align > k->max)
        return NULL;
    size = kmalloc_aligned_size(size, align);
    if (LOAM_LIKELY(size <= KMALLOC_TABLE))
        return k->small[(size - 1) / KMALLOC_STEP];
    return size <= k->max ? k->cache[kmalloc_class(size)] : NULL;
}

/* ---- the fast paths, for whoever has the caller's address ---- */

/* Interrupts are kept off for the few instructions that take the slot. For layers that are never
 * slow. */
LOAM_INLINE bool kmalloc_take_plain(loam_cache *c, void **p)
{
    loam_irq irq = loam_port_irq_save();
    bool taken = slab_take_fast(c, p);
    loam_port_irq_restore(irq);
    return taken;
}

LOAM_INLINE bool kmalloc_take(loam_cache *c, void **p)
{
    return LOAM_LIKELY(!*c->slow) && kmalloc_take_plain(c, p);
}

/* Frees a block of a class that this processor owns. REFUSED: it is no such block, or not for this
 * path, and nothing has changed; *d is its descriptor, or NULL: what kmalloc_put_far goes on with.
 * SETTLE: the caller passes the rest to loam_slab__settle. For layers that are never slow. */
LOAM_INLINE slab_put kmalloc_put_plain(const loam_kmalloc *k, const void *p, slab_desc **d,
                                       uint64_t **word, loam_irq *irq)
{
    const loam_slabs *s = k->slabs;
    uintptr_t off = slab_off(s, p);
    *d = NULL;
    if (LOAM_UNLIKELY(off >= slab_len(s)))
        return SLAB_PUT_REFUSED;
    *irq = loam_port_irq_save();
    slab_put put = slab_put_fast(s, off, k, d, word);
    if (LOAM_LIKELY(put != SLAB_PUT_SETTLE))
        loam_port_irq_restore(*irq);
    return put;
}

LOAM_INLINE slab_put kmalloc_put(const loam_kmalloc *k, const void *p, slab_desc **d,
                                 uint64_t **word, loam_irq *irq)
{
    *d = NULL;
    return LOAM_UNLIKELY(*k->slabs->slow) ? SLAB_PUT_REFUSED
                                          : kmalloc_put_plain(k, p, d, word, irq);
}

/* Bytes of a block of a class that this processor owns; 0: it is no such block. For layers that are
 * never slow. */
LOAM_INLINE size_t kmalloc_room_plain(const loam_kmalloc *k, const void *p)
{
    const loam_slabs *s = k->slabs;
    uintptr_t off = slab_off(s, p);
    if (off >= slab_len(s))
        return 0;
    loam_irq irq = loam_port_irq_save();
    size_t room = slab_room_fast(s, off, k);
    loam_port_irq_restore(irq);
    return room;
}

/* What kmalloc_put refused, when another processor owns it. far: what it said. */
LOAM_INLINE bool kmalloc_put_far(const loam_kmalloc *k, const void *p, const slab_desc *far)
{
    return LOAM_PORT_MAX_CPUS > 1 && far != NULL &&
           slab_put_far(k->slabs, slab_off(k->slabs, p), k, far);
}

/* All of that at once; false: nothing has changed. */
LOAM_INLINE bool kmalloc_put_any(const loam_kmalloc *k, const void *p)
{
    slab_desc *d;
    uint64_t *word;
    loam_irq irq;
    slab_put put = kmalloc_put(k, p, &d, &word, &irq);
    if (put == SLAB_PUT_SETTLE)
        (void)loam_slab__settle(d, word, irq);
    return put != SLAB_PUT_REFUSED || kmalloc_put_far(k, p, d);
}

/* The class of a size, or NULL: 0, or more than any has. */
LOAM_INLINE loam_cache *kmalloc_cache(const loam_kmalloc *k, size_t size)
{
    if (LOAM_LIKELY(size - 1 < KMALLOC_TABLE))
        return k->small[(size - 1) / KMALLOC_STEP];
    return size - 1 < k->max ? k->cache[kmalloc_class(size)] : NULL;
}

/* Where loam_slabs.swift, and nobody traces: what is taken mostly, at once; NULL: not so easy,
 * nothing has changed. */
LOAM_INLINE void *kmalloc_take_swift(const loam_kmalloc *k, size_t size)
{
    loam_cache *c = kmalloc_cache(k, size);
    return c != NULL ? loam_slab__take_swift(c, size, 0) : NULL;
}

/* With magic in front no slot starts as a block has to that is aligned to more than slots are,
 * which is KMALLOC_STEP: it moves inside of a larger one. Bytes of that; beyond KMALLOC_MAX: too
 * many. */
LOAM_INLINE size_t kmalloc_moved_size(size_t size, size_t align)
{
    bool fits = size - 1 < KMALLOC_MAX && align <= KMALLOC_MAX;
    return fits ? size + align - KMALLOC_STEP : SIZE_MAX;
}

LOAM_INLINE void *kmalloc_take_swift_aligned(const loam_kmalloc *k, size_t size, size_t align)
{
    size_t room = kmalloc_moved_size(size, align);
    return room <= k->max ? loam_slab__take_swift(k->cache[kmalloc_class(room)], size, align)
                          : NULL;
}

/* ---- kmalloc_vmap.c: as the public calls, for addresses in the window ---- */

/* NULL: no vmap, or none of its memory. */
void *loam_kmalloc__map(loam_kmalloc *k, size_t size, const void *site);
loam_err loam_kmalloc__unmap(loam_kmalloc *k, void *p, const void *caller);
size_t loam_kmalloc__map_size(loam_kmalloc *k, const void *p, const void *caller);
void *loam_kmalloc__remap(loam_kmalloc *k, void *p, size_t size, const void *caller);
void loam_kmalloc__map_each(loam_kmalloc *k, loam_kmalloc_fn *fn, void *ctx);
void loam_kmalloc__map_stat(loam_kmalloc *k, loam_kmalloc_stats *stats);
const char *loam_kmalloc__map_check(loam_kmalloc *k);

#endif
