/* SPDX-License-Identifier: MIT */
/* kmalloc_vmap.c - large blocks as areas of a vmap.
 *
 * WHAT   Large memory needs no large block of frames: where a vmap is given, what no class holds is
 *        mapped, page by page, to whatever frames are free.
 *
 * MODEL  A block is an area, its site and the size asked for are the area's. Nothing else is kept.
 *
 *            kmalloc ---- size <= largest class ----> slab
 *               |
 *               '-------- else ----> [G| block ........ |slack|G]    page behind the block: a fault
 *                    no window left       93 12 40 7  frames
 *                    or no frames: ---> slab_large.c, frames in a row
 *
 *        In place of the modes of slabs: guard pages on both sides, with guard also magic in what
 *        the last page has left (slack); freed memory is unmapped at once, so it neither waits nor
 *        needs poison: who touches it is told by the fault.
 *
 * RULES  K5 (kmalloc.c); with guard S9: the slack holds its magic.
 * LOCKS  The vmap's own. Not from interrupts.
 * COST   O(pages); realloc in place where there is room behind the block.
 * FROM   -
 * NOT    Alignment beyond a page, memory for devices: those come in a row, from the zone.
 */
#include "kmalloc_impl.h"

loam_err loam_kmalloc_set_vmap(loam_kmalloc *k, loam_vmap *vmap)
{
    loam_kmalloc_stats stats = {0};
    if (vmap == k->vmap)
        return LOAM_OK;
    loam_kmalloc__map_stat(k, &stats);
    if (stats.mapped_blocks != 0 || (vmap != NULL && vmap->kmalloc != NULL))
        return LOAM_EBUSY;
    if (k->vmap != NULL)
        k->vmap->kmalloc = NULL;
    k->vmap = vmap;
    if (vmap != NULL)
        vmap->kmalloc = k;
    return LOAM_OK;
}

/* ---- the magic in the slack ---- */

static bool map_guards(const loam_kmalloc *k)
{
    return (k->slabs->modes & LOAM_SLAB_GUARD) != 0;
}

static unsigned char *map_end(const loam_vmap_area *area)
{
    return (unsigned char *)(uintptr_t)(area->va + area->wanted);
}

static void map_guard_write(const loam_vmap_area *area)
{
    __builtin_memset(map_end(area), SLAB_GUARD_BYTE, (size_t)(area->size - area->wanted));
}

static bool map_guard_holds(const loam_vmap_area *area)
{
    const unsigned char *p = map_end(area);
    size_t left = (size_t)(area->size - area->wanted);
    while (left > 0 && p[left - 1] == SLAB_GUARD_BYTE)
        left--;
    return left == 0;
}

static void map_guard_verify(const loam_kmalloc *k, const loam_vmap_area *area)
{
    if (!map_guards(k) || map_guard_holds(area))
        return;
    const loam_report report = {
        .unit = "slab",
        .what = "S9 the bytes around a block hold their magic",
        .object = "address",
        .value = area->va,
        .state = "after the block",
        .name = "large",
        .size = area->wanted,
        .site = area->site,
    };
    loam_port_corrupt(&report);
}

/* ---- finding ---- */

/* What an address of the window is to this kmalloc. */
static slab_fault map_find(const loam_kmalloc *k, const void *p, loam_vmap_area *area)
{
    bool guard, whole = ((uintptr_t)p & (LOAM_PAGE_SIZE - 1)) == 0;
    *area = (loam_vmap_area){0};
    if (!loam_vmap_find(k->vmap, (uintptr_t)p, area, &guard))
        return whole ? SLAB_IS_FREE : SLAB_IS_FOREIGN; /* every block starts a page */
    if ((area->flags & LOAM_VMAP_KMALLOC) == 0)
        return SLAB_IS_FOREIGN;
    if (area->va == (uintptr_t)p)
        return SLAB_FINE;
    return ((uintptr_t)p & 7) != 0 ? SLAB_IS_MISALIGNED : SLAB_IS_INNER;
}

static loam_err map_refuse(loam_kmalloc *k, const void *p, slab_fault fault,
                           const loam_vmap_area *area, bool freeing, const void *caller)
{
    bool block = (area->flags & LOAM_VMAP_KMALLOC) != 0;
    loam_report report = {
        .unit = "slab",
        .what = loam_slab__what(fault, freeing),
        .object = "address",
        .value = (uintptr_t)p,
        .state = fault == SLAB_IS_MISALIGNED ? "misaligned"
                 : block                     ? "inner"
                 : area->size != 0           ? "area of the vmap"
                                             : "free",
        .name = block ? "large" : NULL,
        .size = area->wanted,
        .site = area->site,
        .caller = caller,
        .rule = "K5",
    };
    loam_slab__count_refusal(k->slabs);
    loam_port_misuse(&report);
    return LOAM_EINVAL;
}

/* ---- the calls ---- */

static void *map_try(loam_kmalloc *k, size_t size, const void *site)
{
    unsigned zero = (k->slabs->modes & LOAM_SLAB_ZERO) != 0 ? LOAM_VMAP_ZERO : 0;
    unsigned flags = LOAM_PT_WRITE | LOAM_PT_GLOBAL | LOAM_VMAP_KMALLOC | zero;
    uint64_t va;
    if (loam_vmap__alloc(k->vmap, size, 0, flags, &va, site) != LOAM_OK)
        return NULL;
    return (void *)(uintptr_t)va;
}

void *loam_kmalloc__map(loam_kmalloc *k, size_t size, const void *site)
{
    loam_vmap_area area;
    if (k->vmap == NULL || size > PTRDIFF_MAX)
        return NULL;
    void *p = map_try(k, size, site);
    if (p == NULL && loam_slab__reclaim(k->slabs))
        p = map_try(k, size, site);
    if (p == NULL)
        return NULL;
    if (map_guards(k) && map_find(k, p, &area) == SLAB_FINE)
        map_guard_write(&area);
    loam_slab__large_tell(k->slabs, LOAM_TRACE_LARGE_ALLOC, p, size);
    return p;
}

loam_err loam_kmalloc__unmap(loam_kmalloc *k, void *p, const void *caller)
{
    loam_vmap_area area;
    slab_fault fault = map_find(k, p, &area);
    if (fault != SLAB_FINE)
        return map_refuse(k, p, fault, &area, true, caller);
    map_guard_verify(k, &area);
    loam_slab__large_tell(k->slabs, LOAM_TRACE_LARGE_FREE, p, area.wanted);
    return loam_vmap__free(k->vmap, area.va, LOAM_VMAP_KMALLOC, caller);
}

static size_t map_usable(const loam_kmalloc *k, const loam_vmap_area *area)
{
    return (size_t)(map_guards(k) ? area->wanted : area->size);
}

size_t loam_kmalloc__map_size(loam_kmalloc *k, const void *p, const void *caller)
{
    loam_vmap_area area;
    slab_fault fault = map_find(k, p, &area);
    if (fault == SLAB_FINE)
        return map_usable(k, &area);
    map_refuse(k, p, fault, &area, false, caller);
    return 0;
}

/* In place: false when it cannot be. */
static bool map_resize(loam_kmalloc *k, const loam_vmap_area *area, size_t size, const void *caller)
{
    loam_vmap_area now;
    if (loam_vmap__resize(k->vmap, area->va, size, LOAM_VMAP_KMALLOC, caller) != LOAM_OK)
        return false;
    if (map_guards(k) && map_find(k, (void *)(uintptr_t)area->va, &now) == SLAB_FINE)
        map_guard_write(&now);
    return true;
}

void *loam_kmalloc__remap(loam_kmalloc *k, void *p, size_t size, const void *caller)
{
    loam_vmap_area area;
    slab_fault fault = map_find(k, p, &area);
    if (fault != SLAB_FINE) {
        map_refuse(k, p, fault, &area, size == 0, caller);
        return NULL;
    }
    map_guard_verify(k, &area);
    if (size == 0) {
        loam_kmalloc__unmap(k, p, caller);
        return NULL;
    }
    if (size > k->max && map_resize(k, &area, size, caller))
        return p;
    void *q = loam_kmalloc__move(k, p, map_usable(k, &area), size, caller);
    if (q != NULL || size > area.size)
        return q;
    (void)map_resize(k, &area, size, caller); /* a block can always become smaller */
    return p;
}

/* ---- views ---- */

typedef struct map_walk {
    loam_kmalloc_fn *fn; /* or NULL: counts */
    void *ctx;
    uint64_t blocks, bytes;
} map_walk;

static bool map_visit(void *ctx, const loam_vmap_area *area)
{
    map_walk *w = ctx;
    if ((area->flags & LOAM_VMAP_KMALLOC) == 0)
        return true;
    w->blocks++;
    w->bytes += area->size;
    return w->fn == NULL ||
           w->fn(w->ctx, (void *)(uintptr_t)area->va, (size_t)area->wanted, "large", area->site);
}

void loam_kmalloc__map_each(loam_kmalloc *k, loam_kmalloc_fn *fn, void *ctx)
{
    map_walk walk = {.fn = fn, .ctx = ctx};
    if (k->vmap != NULL)
        loam_vmap_each(k->vmap, map_visit, &walk);
}

void loam_kmalloc__map_stat(loam_kmalloc *k, loam_kmalloc_stats *stats)
{
    map_walk walk = {.fn = NULL};
    if (k->vmap != NULL)
        loam_vmap_each(k->vmap, map_visit, &walk);
    stats->mapped_blocks = walk.blocks;
    stats->mapped_bytes = walk.bytes;
    stats->large_blocks += walk.blocks;
    stats->large_bytes += walk.bytes;
}

static bool map_check_guard(void *ctx, const loam_vmap_area *area)
{
    bool *holds = ctx;
    *holds = (area->flags & LOAM_VMAP_KMALLOC) == 0 || map_guard_holds(area);
    return *holds;
}

const char *loam_kmalloc__map_check(loam_kmalloc *k)
{
    bool holds = true;
    if (k->vmap == NULL)
        return NULL;
    if (k->vmap->kmalloc != k)
        return "K5 the vmap serves this kmalloc";
    const char *bad = loam_vmap_check(k->vmap);
    if (bad == NULL && map_guards(k))
        loam_vmap_each(k->vmap, map_check_guard, &holds);
    return holds ? bad : "S9 the bytes around a block hold their magic";
}
