/* SPDX-License-Identifier: MIT */
/* slab_cache.c - the layer and its caches: made, counted, shown, shrunk, unmade.
 *
 * WHAT   Everything about objects that is not giving one out or taking one back.
 *
 * MODEL  A layer is one block of frames: the struct, the table of leaves, the quarantine's ring.
 *        Caches are runs of metadata lines, on one list in order of creation.
 *
 *            [loam_slabs | leaf[] ......... | ring ....]      caches -> 16 -> 32 -> ... -> named
 *             <------- from the zone, for good ------->                 3 lines each
 *
 *        The window is what of the zone's linear map belongs to the zone, from the multiple of a
 *        leaf's span below it.
 *
 * RULES  S8 of slab_check.c.
 * LOCKS  Interrupts off while the list of caches changes.
 * COST   init: O(window / span of a leaf), 4 MiB with slabs of 64 KiB. each_slab: O(window / slab).
 * FROM   Caches by name: Bonwick.
 * NOT    A call that unmakes a layer.
 */
#include "slab_internal.h"

/* ---- the layer ---- */

/* By RAM: what a slab that is hardly used would waste. */
static unsigned layer_shift(const loam_slab_config *config, const loam_zone *zone)
{
    if (config->shift != 0)
        return config->shift;
    uint64_t frames = loam_zone_free_pages(zone);
    return frames < 512 ? 12 : frames < 32768 ? 14 : 16;
}

/* The part of the linear map that belongs to the zone, in physical addresses. */
static bool layer_window(const loam_zone *zone, uint64_t *lo, uint64_t *hi)
{
    const loam_zone_config *z = loam_zone_config_of(zone);
    bool ends = z->limit != 0 && z->limit >> (64 - LOAM_PAGE_SHIFT) == 0;
    uint64_t first = z->first << LOAM_PAGE_SHIFT, limit = z->limit << LOAM_PAGE_SHIFT;
    if (z->linear.len == 0 || loam_add_overflows(z->linear.pa, z->linear.len, hi))
        return false;
    *lo = z->linear.pa > first ? z->linear.pa : first;
    *hi = ends && limit < *hi ? limit : *hi;
    uintptr_t skew = (uintptr_t)z->linear.va - (uintptr_t)z->linear.pa;
    return *lo < *hi && (skew & (LOAM_PAGE_SIZE - 1)) == 0 && *hi - *lo <= UINTPTR_MAX / 2;
}

static uint32_t layer_ring_cap(const loam_slab_config *config)
{
    uint32_t cap = config->quarantine_bytes / 64;
    if ((config->modes & LOAM_SLAB_QUARANTINE) == 0)
        return 0;
    return cap < 16 ? 16 : cap > 8192 ? 8192 : cap;
}

static void layer_set_window(loam_slabs *s, const loam_zone_config *z, uint64_t lo, uint64_t hi)
{
    uintptr_t skew = (uintptr_t)z->linear.va - (uintptr_t)z->linear.pa;
    s->align_max = skew & (0 - skew);
    s->base = (uintptr_t)lo + skew;
    s->len = (uintptr_t)(hi - lo);
    s->first_frame = lo >> LOAM_PAGE_SHIFT;
}

static void layer_set_modes(loam_slabs *s, const loam_slab_config *config)
{
    s->modes = config->modes;
    if ((s->modes & LOAM_SLAB_QUARANTINE) != 0)
        s->modes |= LOAM_SLAB_POISON;
    s->keep_empty = config->keep_empty;
    s->rng = config->seed != 0 ? config->seed : 0x9e3779b97f4a7c15ULL;
    s->ring.limit = config->quarantine_bytes;
    s->ring.cap = layer_ring_cap(config);
    loam_slabs_set_trace(s, config->trace);
}

static void layer_set_leaves(loam_slabs *s, unsigned char *zeros)
{
    __builtin_memset(zeros, 0, LOAM_PAGE_SIZE);
    s->no_leaf = (uintptr_t)zeros;
    for (uintptr_t i = 0; i < s->leaves; i++)
        s->leaf[i] = s->no_leaf - i * SLAB_LEAF * SLAB_LINE;
    s->ring.block = (void **)(void *)(s->leaf + s->leaves);
}

/* *va: their address, or NULL when not all of them lie in the linear map. */
static loam_pfn layer_frames(loam_zone *zone, uint64_t npages, unsigned char **va)
{
    loam_pfn pfn = loam_zone_alloc_exact(zone, npages, LOAM_ZONE_SLAB);
    bool none = loam_pfn_is_none(pfn);
    if (none || loam_zone_to_va(zone, loam_pfn_of(pfn.v + npages - 1)) == NULL)
        *va = NULL;
    else
        *va = loam_zone_to_va(zone, pfn);
    return pfn;
}

static loam_slabs *layer_alloc(loam_zone *zone, uint64_t leaves, uint32_t ring)
{
    unsigned char *mem, *zeros;
    uint64_t bytes = sizeof(loam_slabs) + leaves * sizeof(uintptr_t) + ring * sizeof(void *);
    uint64_t npages = (bytes + LOAM_PAGE_SIZE - 1) >> LOAM_PAGE_SHIFT;
    loam_pfn pfn = layer_frames(zone, npages, &mem);
    loam_pfn leaf = mem != NULL ? layer_frames(zone, 1, &zeros) : LOAM_NO_FRAME;
    if (mem == NULL || loam_pfn_is_none(leaf) || zeros == NULL) {
        if (!loam_pfn_is_none(leaf))
            loam_zone_free_slab(zone, leaf);
        if (!loam_pfn_is_none(pfn))
            loam_zone_free_slab(zone, pfn);
        return NULL;
    }
    loam_slabs *s = (loam_slabs *)(void *)mem;
    __builtin_memset(s, 0, sizeof(*s));
    s->leaves = (uint32_t)leaves;
    layer_set_leaves(s, zeros);
    return s;
}

loam_slabs *loam_slabs_init(loam_zone *zone, const loam_slab_config *config)
{
    uint64_t lo, hi;
    unsigned shift = layer_shift(config, zone), span = shift + SLAB_LEAF_BITS;
    bool bad = shift < 12 || shift > 16 || (config->modes & ~(unsigned)LOAM_SLAB_ALL_MODES) != 0 ||
               config->ncpus == 0 || config->ncpus > LOAM_PORT_MAX_CPUS;
    if (bad || !layer_window(zone, &lo, &hi))
        return NULL;
    lo = loam_align_down(lo, 1ULL << span);
    uint64_t leaves = ((hi - lo - 1) >> span) + 1;
    loam_slabs *s =
        leaves > UINT32_MAX / 2 ? NULL : layer_alloc(zone, leaves, layer_ring_cap(config));
    if (s == NULL)
        return NULL;
    s->zone = zone;
    s->shift = shift;
    s->mask = ((uintptr_t)1 << shift) - 1;
    loam_list_init(&s->caches);
    loam_list_init(&s->lines_partial);
    loam_list_init(&s->lines_full);
    loam_list_init(&s->large);
    layer_set_window(s, loam_zone_config_of(zone), lo, hi);
    layer_set_modes(s, config);
    return s;
}

void loam_slabs_serve(loam_slabs *s)
{
    (void)s;
}

void loam_slabs_offline(loam_slabs *s)
{
    (void)s;
}

void loam_slabs_online(loam_slabs *s)
{
    (void)s;
}

void loam_slabs_set_trace(loam_slabs *s, loam_trace *trace)
{
    s->trace = trace;
    s->always = s->modes != 0;
    s->slow = s->modes == 0 && trace != NULL ? &trace->on : &s->always;
    for (loam_list *n = s->caches.next; n != &s->caches; n = n->next)
        LOAM_CONTAINER_OF(n, loam_cache, link)->slow = s->slow;
}

/* ---- caches ---- */

static size_t cache_default_align(size_t size)
{
    return sizeof(void *) == 8 && size >= 16 ? 16 : 8;
}

size_t loam_slab__stride(const loam_slabs *s, size_t size, size_t align, size_t *lead)
{
    size_t least = ((size_t)1 << s->shift) / (SLAB_WORDS * 64);
    bool guard = (s->modes & LOAM_SLAB_GUARD) != 0;
    *lead = !guard ? 0 : align > SLAB_GUARD_LEAD ? align : SLAB_GUARD_LEAD;
    size_t bytes = *lead + size + (guard ? SLAB_GUARD_TAIL : 0);
    return (size_t)loam_align_up(bytes < least ? least : bytes, align);
}

static void cache_start_front(const loam_slabs *s, slab_front *f)
{
    f->word = (uint64_t *)(uintptr_t)&s->none;
    loam_list_init(&f->partial);
    loam_list_init(&f->full);
}

loam_cache *loam_slab__cache_create(loam_slabs *s, const char *name, size_t size, size_t align,
                                    const void *owner)
{
    size_t half = (size_t)1 << (s->shift - 1), lead;
    if (align == 0)
        align = cache_default_align(size);
    if (size == 0 || size > half || !loam_is_pow2(align) || align > half)
        return NULL;
    align = align < 8 ? 8 : align;
    size_t stride = loam_slab__stride(s, size, align, &lead);
    if (stride > 2 * half || (s->align_max != 0 && align > s->align_max))
        return NULL;
    loam_cache *c = loam_slab__meta_alloc(s, sizeof(*c));
    if (c == NULL)
        return NULL;
    __builtin_memset(c, 0, sizeof(*c));
    c->owner = owner;
    c->slow = s->slow;
    c->stride = stride;
    c->slots = ((uint32_t)1 << s->shift) / (uint32_t)stride;
    c->recip = slab_reciprocal((uint32_t)stride);
    c->slabs = s;
    c->name = name;
    c->size = size;
    c->align = (uint32_t)align;
    c->lead = (uint32_t)lead;
    for (unsigned i = 0; i < SLAB_FRONTS; i++)
        cache_start_front(s, &c->front[i]);
    loam_irq irq = loam_port_irq_save();
    loam_list_append(&s->caches, &c->link);
    s->cache_count++;
    loam_port_irq_restore(irq);
    return c;
}

loam_cache *loam_cache_create(loam_slabs *slabs, const char *name, size_t size, size_t align,
                              loam_ctor_fn *ctor, void *ctx)
{
    loam_cache *c = loam_slab__cache_create(slabs, name, size, align, NULL);
    if (c != NULL) {
        c->ctor = ctor;
        c->ctx = ctx;
    }
    return c;
}

loam_err loam_cache_destroy(loam_cache *c)
{
    loam_slabs *s = c->slabs;
    if (c->owner != NULL)
        return LOAM_EINVAL;
    loam_cache_shrink(c);
    if (c->front[0].slabs != 0)
        return LOAM_EBUSY;
    loam_irq irq = loam_port_irq_save();
    loam_list_remove(&c->link);
    s->cache_count--;
    loam_port_irq_restore(irq);
    loam_slab__meta_free(s, c, sizeof(*c));
    return LOAM_OK;
}

void loam_cache_shrink(loam_cache *c)
{
    if (c->waiting != 0)
        loam_slab__quarantine_trim(c->slabs, 0);
    loam_slab__drop_empty(c);
}

void loam_slabs_shrink(loam_slabs *s)
{
    loam_slab__reclaim(s);
}

/* ---- views ---- */

static uint64_t cache_used_on(const loam_list *head, uint32_t slabs)
{
    uint64_t used = 0;
    for (const loam_list *n = head->next; n != head && slabs > 0; n = n->next, slabs--)
        used += LOAM_CONTAINER_OF(n, slab_desc, link)->used;
    return used;
}

void loam_cache_stat(const loam_cache *c, loam_cache_stats *stats)
{
    const slab_front *f = &c->front[0];
    *stats = (loam_cache_stats){.name = c->name, .size = c->size, .stride = c->stride};
    stats->slabs = f->slabs;
    stats->slots = (uint64_t)f->slabs * c->slots;
    stats->used = cache_used_on(&f->partial, f->slabs) + cache_used_on(&f->full, f->slabs);
    stats->used -= c->waiting;
    stats->slab_frames = 1U << (c->slabs->shift - LOAM_PAGE_SHIFT);
}

void loam_slabs_each_cache(loam_slabs *s, loam_cache_fn *fn, void *ctx)
{
    loam_list *n = s->caches.next;
    while (n != &s->caches) {
        loam_list *next = n->next;
        if (!fn(ctx, LOAM_CONTAINER_OF(n, loam_cache, link)))
            return;
        n = next;
    }
}

void loam_cache_each_slab(loam_cache *c, loam_slab_fn *fn, void *ctx)
{
    uintptr_t index = 0;
    for (slab_desc *d = loam_slab__next(c->slabs, &index); d != NULL;
         d = loam_slab__next(c->slabs, &index)) {
        if (d->kind == SLAB_SLOTS && d->cache == c &&
            !fn(ctx, d->base, c->slots, c->stride, d->words))
            return;
    }
}
