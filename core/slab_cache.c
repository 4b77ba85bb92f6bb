/* SPDX-License-Identifier: MIT */
/* slab_cache.c - the layer and its caches: made, counted, shown, shrunk, unmade.
 *
 * WHAT   Everything about objects that is not giving one out or taking one back.
 *
 * MODEL  A layer is one block of frames: the struct, the table of leaves, the quarantine's ring.
 *        Caches are runs of metadata lines, on one list in order of creation.
 *
 *            [worn | loam_slabs | leaf[] | kept[] | cpu[] | ring]   caches -> 16 -> 32 -> ... named
 *             <------------ from the zone, for good ----------->    a few lines each
 *
 *        What is worn, and kept, counts backwards: what a process with one thread and few blocks
 *        uses of the four tables lies on two pages.
 *
 *        The window is what of the linear map belongs to the zones, from the multiple of a leaf's
 *        span below it. With config.part leaf[] is written to the end of the first frame, and the
 *        window ends there until loam_slabs_extend: 7 pages of 8 that small processes never touch.
 *
 * RULES  S8 of slab_check.c.
 * LOCKS  slab_lock while the list of caches changes. Views pin the slab that they show.
 * COST   init: O(window / span of a leaf), 4 MiB with slabs of 64 KiB. each_slab: O(window / slab).
 * FROM   Caches by name: Bonwick.
 * NOT    A call that unmakes a layer.
 */
#include "slab_internal.h"

/* ---- the layer ---- */

enum {
    LAYER_LEAVES = 0x3ffffff, /* so that an index of a slab, and 1 more, have 32 bits */
    LAYER_WORN = 256,         /* bytes of the table of what is worn, on the struct's page */
    LAYER_PART = (LOAM_PAGE_SIZE - LAYER_WORN - offsetof(loam_slabs, leaf)) / sizeof(uintptr_t)
};

/* By RAM: what a slab that is hardly used would waste. */
static unsigned layer_shift(const loam_slab_config *config, const loam_zone *zone)
{
    if (config->shift != 0)
        return config->shift;
    uint64_t frames = loam_zone_free_pages(zone);
    return frames < 512 ? 12 : frames < 32768 ? 14 : 16;
}

static uintptr_t layer_skew(const loam_zone_config *z)
{
    return (uintptr_t)z->linear.va - (uintptr_t)z->linear.pa;
}

/* The part of the linear map that belongs to a zone, in physical addresses. */
static bool layer_part(const loam_zone *zone, uint64_t *lo, uint64_t *hi)
{
    const loam_zone_config *z = loam_zone_config_of(zone);
    bool ends = z->limit != 0 && z->limit >> (64 - LOAM_PAGE_SHIFT) == 0;
    uint64_t first = z->first << LOAM_PAGE_SHIFT, limit = z->limit << LOAM_PAGE_SHIFT;
    if (z->linear.len == 0 || loam_add_overflows(z->linear.pa, z->linear.len, hi))
        return false;
    *lo = z->linear.pa > first ? z->linear.pa : first;
    *hi = ends && limit < *hi ? limit : *hi;
    return *lo < *hi && (layer_skew(z) & (LOAM_PAGE_SIZE - 1)) == 0;
}

/* The parts of all zones, and what lies between them. */
static bool layer_window(const loam_zonelist *zones, uint64_t *lo, uint64_t *hi)
{
    const loam_zone_config *own = loam_zone_config_of(zones->zone[0]);
    if (!layer_part(zones->zone[0], lo, hi))
        return false;
    for (unsigned i = 1; i < zones->count; i++) {
        uint64_t from, to;
        if (!layer_part(zones->zone[i], &from, &to) ||
            layer_skew(loam_zone_config_of(zones->zone[i])) != layer_skew(own))
            return false;
        *lo = from < *lo ? from : *lo;
        *hi = to > *hi ? to : *hi;
    }
    return *hi - *lo <= UINTPTR_MAX / 2;
}

/* The layer's own zone before those that it falls back to. */
static bool layer_zones(loam_zonelist *zones, loam_zone *zone, const loam_slab_config *config)
{
    bool good = loam_zonelist_add_zone(zones, zone) == LOAM_OK;
    for (unsigned i = 0; good && config->fallback != NULL && i < config->fallback->count; i++) {
        loam_zone *next = config->fallback->zone[i];
        good = next == zone || loam_zonelist_add_zone(zones, next) == LOAM_OK;
    }
    return good;
}

/* Of large blocks, which have a frame at least. */
static uint32_t layer_ring_cap(const loam_slab_config *config)
{
    uint32_t cap = config->quarantine_bytes >> LOAM_PAGE_SHIFT;
    if ((config->modes & LOAM_SLAB_QUARANTINE) == 0)
        return 0;
    return cap < 16 ? 16 : cap > 8192 ? 8192 : cap;
}

/* Modes that look at freed memory, or want none back at once, keep no large blocks. */
static uint32_t layer_kept_frames(const loam_slab_config *config)
{
    unsigned fine = LOAM_SLAB_HARDENED | LOAM_SLAB_OWNER;
    uint32_t frames = config->keep_large >> LOAM_PAGE_SHIFT;
    if ((config->modes & ~fine) != 0)
        return 0;
    return frames < SLAB_KEPT_MOST ? frames : SLAB_KEPT_MOST;
}

/* Of slabs that may be idle: a part of what large blocks may have, whatever the modes. */
static uint32_t layer_idle_frames(const loam_slab_config *config)
{
    uint32_t frames = config->keep_large >> LOAM_PAGE_SHIFT;
    return (frames < SLAB_KEPT_MOST ? frames : SLAB_KEPT_MOST) / SLAB_IDLE_PART;
}

/* All processors together, while few keep any. */
static uint32_t layer_kept_total(const loam_slab_config *config)
{
    uint32_t frames = config->keep_total >> LOAM_PAGE_SHIFT, each = layer_kept_frames(config);
    frames = frames < SLAB_KEPT_TOTAL ? frames : SLAB_KEPT_TOTAL;
    return each != 0 && frames > each ? frames : each;
}

static void layer_set_len(loam_slabs *s, uintptr_t len)
{
    /* no order: who has a block behind the old end got it later */
    loam_atomic_ptr_store((void **)&s->len, (void *)len);
}

static void layer_set_window(loam_slabs *s, const loam_zone_config *z, uint64_t lo, uint64_t hi)
{
    uintptr_t skew = layer_skew(z);
    s->align_max = skew & (0 - skew);
    s->base = (uintptr_t)lo + skew;
    s->whole = (uintptr_t)(hi - lo);
    uintptr_t part = (uintptr_t)s->leaves << s->shift << SLAB_LEAF_BITS;
    layer_set_len(s, part > s->whole || s->leaves == s->all_leaves ? s->whole : part);
    s->first_frame = lo >> LOAM_PAGE_SHIFT;
}

static void layer_set_modes(loam_slabs *s, const loam_slab_config *config)
{
    s->modes = config->modes;
    if ((s->modes & LOAM_SLAB_QUARANTINE) != 0)
        s->modes |= LOAM_SLAB_POISON;
    s->keep_empty = config->keep_empty;
    s->kept_frames = layer_kept_frames(config);
    s->kept_total = layer_kept_total(config);
    s->idle_frames = layer_idle_frames(config);
    loam_atomic_store(&s->kept_most, s->kept_total); /* no order: nobody is inside yet */
    s->lazy = config->lazy;
    s->rests = config->rest < SLAB_RESTERS ? config->rest : SLAB_RESTERS;
    s->stacks = config->stacks && config->modes == 0 && slab_is_many(s);
    if ((s->modes & LOAM_SLAB_ZERO_FREE) != 0)
        s->modes |= LOAM_SLAB_POISON;
    s->swift =
        (s->modes & ~(unsigned)(LOAM_SLAB_HARDENED | LOAM_SLAB_ZERO)) == (unsigned)SLAB_SWIFT_MODES;
    s->wait_bytes =
        config->quarantine_bytes < SLAB_WAITING_MOST ? config->quarantine_bytes : SLAB_WAITING_MOST;
    s->parts = slab_is_many(s) ? s->ncpus : 0;
    /* 0 is right, too: the first free elsewhere then is told at once */
    for (uint32_t i = 0; slab_is_many(s) && i < s->ncpus && !config->fresh; i++)
        s->cpu[i].room = slab_room(s);
    if (slab_is_many(s) && !config->fresh) /* all have their pages */
        loam_slab__begin(s, s->ncpus - 1);
    s->rng = config->seed != 0 ? config->seed : 0x9e3779b97f4a7c15ULL;
    s->magic = SLAB_MAGIC;
    if ((s->modes & LOAM_SLAB_RANDOM) != 0) /* no byte of it is 0 */
        s->magic =
            (loam_slab__random(&s->rng) << 32 ^ loam_slab__random(&s->rng)) | 0x0101010101010101ULL;
    loam_slabs_set_trace(s, config->trace);
}

/* Entries of leaf[] from here on lead to the leaf of nothing. */
static void layer_set_leaves(loam_slabs *s, uint32_t from, uint32_t end)
{
    for (uintptr_t i = from; i < end; i++)
        s->leaf[i] = s->no_leaf - i * SLAB_LEAF * SLAB_LINE;
}

/* Where the parts of a layer lie, in bytes from its first frame on. */
typedef struct layer_plan {
    uint64_t leaves, self, cpu, ring, bytes;
} layer_plan;

/* At so many bytes of a page or, where a frame costs memory in any case, at the next line. */
static uint64_t layer_place(const loam_slab_config *config, uint64_t at, uint64_t within)
{
    if (!config->fresh)
        return loam_align_up(at, SLAB_LINE);
    return at <= within ? within : loam_align_up(at - within, LOAM_PAGE_SIZE) + within;
}

static layer_plan layer_plan_of(uint64_t leaves, const loam_slab_config *config)
{
    bool many = LOAM_PORT_MAX_CPUS > 1 && config->ncpus > 1;
    uint64_t worn = config->fresh ? leaves * (SLAB_LEAF / 8) : 0;
    uint64_t kept = layer_kept_frames(config) != 0 ? (config->ncpus + 1) * sizeof(slab_kept) : 0;
    layer_plan plan = {.leaves = leaves, .self = layer_place(config, worn, LAYER_WORN)};
    uint64_t at = plan.self + sizeof(loam_slabs) + leaves * sizeof(uintptr_t);
    plan.cpu = layer_place(config, at + kept, sizeof(slab_kept));
    plan.ring = plan.cpu + (many ? config->ncpus * sizeof(slab_cpu) : 0);
    plan.bytes = plan.ring + layer_ring_cap(config) * sizeof(void *);
    return plan;
}

/* What lies around the struct: the leaves' table, the processors, what is kept, the ring. */
static void layer_set_tables(loam_slabs *s, const layer_plan *plan, unsigned char *nothing,
                             const loam_slab_config *config)
{
    unsigned char *cpu = (unsigned char *)s - plan->self + plan->cpu;
    loam_slab__leaf_clear(s, nothing, config->fresh);
    s->no_leaf = (uintptr_t)nothing;
    layer_set_leaves(s, 0, s->leaves);
    if (slab_is_many(s)) {
        s->cpu = (slab_cpu *)(void *)cpu;
        if (!config->fresh)
            __builtin_memset(s->cpu, 0, s->ncpus * sizeof(slab_cpu));
    }
    if (layer_kept_frames(config) != 0)
        loam_slab__kept_start(s, cpu, config->fresh);
    if (config->fresh)
        s->worn = (uint32_t *)(void *)s - 1;
    s->ring = (slab_ring){.block = (void **)(void *)(cpu - plan->cpu + plan->ring),
                          .cap = layer_ring_cap(config),
                          .limit = config->quarantine_bytes};
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

static loam_slabs *layer_alloc(loam_zone *zone, uint64_t leaves, const loam_slab_config *config)
{
    unsigned char *mem, *nothing;
    bool many = LOAM_PORT_MAX_CPUS > 1 && config->ncpus > 1;
    layer_plan plan = layer_plan_of(leaves, config);
    uint64_t npages = (plan.bytes + LOAM_PAGE_SIZE - 1) >> LOAM_PAGE_SHIFT;
    loam_pfn pfn = layer_frames(zone, npages, &mem);
    loam_pfn leaf = mem != NULL ? layer_frames(zone, many ? 2 : 1, &nothing) : LOAM_NO_FRAME;
    if (mem == NULL || loam_pfn_is_none(leaf) || nothing == NULL) {
        if (!loam_pfn_is_none(leaf))
            loam_zone_free_slab(zone, leaf);
        if (!loam_pfn_is_none(pfn))
            loam_zone_free_slab(zone, pfn);
        return NULL;
    }
    loam_slabs *s = (loam_slabs *)(void *)(mem + plan.self);
    __builtin_memset(s, 0, sizeof(*s));
    s->leaves = s->all_leaves = (uint32_t)leaves;
    if (config->part && leaves > LAYER_PART)
        s->leaves = LAYER_PART;
    s->ncpus = config->ncpus;
    s->lock = (loam_lock)LOAM_LOCK_OF(LOAM_RANK_OBJECTS);
    layer_set_tables(s, &plan, nothing, config);
    return s;
}

loam_slabs *loam_slabs_init(loam_zone *zone, const loam_slab_config *config)
{
    uint64_t lo, hi;
    unsigned shift = layer_shift(config, zone), span = shift + SLAB_LEAF_BITS;
    bool bad = shift < 12 || shift > 16 || (config->modes & ~(unsigned)LOAM_SLAB_ALL_MODES) != 0 ||
               config->ncpus == 0 || config->ncpus > LOAM_PORT_MAX_CPUS;
    loam_zonelist zones = {.count = 0};
    if (bad || !layer_zones(&zones, zone, config) || !layer_window(&zones, &lo, &hi))
        return NULL;
    lo = loam_align_down(lo, 1ULL << span);
    uint64_t leaves = ((hi - lo - 1) >> span) + 1;
    loam_zone *from = config->meta != NULL ? config->meta : zone;
    loam_slabs *s = leaves > LAYER_LEAVES ? NULL : layer_alloc(from, leaves, config);
    if (s == NULL)
        return NULL;
    s->zones = zones;
    s->meta = config->meta;
    s->seal = config->seal;
    s->bring = s->worn != NULL ? config->bring : NULL;
    s->spare = s->worn != NULL && config->modes == 0 ? config->spare : NULL;
    s->tight = config->tight;
    s->spares = config->keep_large >> LOAM_PAGE_SHIFT != 0;
    s->carry = s->worn != NULL && config->modes == 0 ? config->carry : NULL;
    if (s->meta != NULL)
        s->meta_map = loam_zone_config_of(s->meta)->linear;
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

uintptr_t loam_slabs_reach(const loam_slabs *s)
{
    /* pairs with the store in loam_slabs_extend */
    uintptr_t leaves = loam_atomic_load(&s->leaves), whole = s->base + s->whole;
    return leaves == s->all_leaves ? whole : s->base + (leaves << s->shift << SLAB_LEAF_BITS);
}

void loam_slabs_extend(loam_slabs *s)
{
    loam_irq irq = slab_lock(s);
    if (s->leaves != s->all_leaves) {
        layer_set_leaves(s, s->leaves, s->all_leaves);
        /* pairs with the loads in loam_slabs_reach, loam_slab__next, remote_is_index */
        loam_atomic_store(&s->leaves, s->all_leaves);
        layer_set_len(s, s->whole);
    }
    slab_unlock(s, irq);
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
    size_t bytes = *lead + size; /* the seal lies in what is the next one's lead */
    return (size_t)loam_align_up(bytes < least ? least : bytes, align);
}

/* The cache with the shared front, and its ring. */
static size_t cache_bytes(const loam_slabs *s, size_t stride)
{
    return offsetof(loam_cache, shared) + slab_front_size(s) + loam_slab__ring_bytes(s, stride);
}

loam_cache *loam_slab__cache_create(loam_slabs *s, const char *name, size_t size, size_t align,
                                    const void *owner, loam_ctor_fn *ctor, void *ctx)
{
    size_t half = (size_t)1 << (s->shift - 1), lead;
    if (align == 0)
        align = cache_default_align(size);
    if (size == 0 || size > half || !loam_is_pow2(align) || align > half)
        return NULL;
    align = align < 8 ? 8 : align;
    size_t stride = loam_slab__stride(s, size, align, &lead);
    if (stride > 2 * half || slab_slots(s, stride) == 0 ||
        (s->align_max != 0 && align > s->align_max))
        return NULL;
    size_t bytes = cache_bytes(s, stride);
    loam_cache *c = loam_slab__meta_alloc(s, bytes);
    if (c == NULL)
        return NULL;
    __builtin_memset(c, 0,
                     bytes - loam_slab__ring_bytes(s, stride) + loam_slab__kept_bytes(s, stride));
    c->owner = owner;
    c->slow = s->slow;
    c->stride = (uint32_t)stride;
    c->slots = slab_slots(s, stride);
    c->recip = slab_reciprocal((uint32_t)stride);
    c->slabs = s;
    c->name = name;
    c->size = size;
    c->align = (uint32_t)align;
    c->lead = (uint32_t)lead;
    c->ctor = ctor;
    c->ctx = ctx;
    c->swift = s->swift && ctor == NULL && lead == SLAB_GUARD_LEAD &&
               stride % SLAB_GUARD_LEAD == 0 && loam_slab__ring_cap(s, stride) != 0;
    c->stacked = s->stacks;
    loam_slab__set_shades(c, c->stride & (0 - c->stride));
    if (!loam_slab__start_fronts(c)) {
        loam_slab__meta_free(s, c, bytes);
        return NULL;
    }
    LOAM_PORT_NOTE_BEGIN(c);
    loam_irq irq = slab_lock(s);
    loam_list_append(&s->caches, &c->link);
    s->cache_count++;
    slab_unlock(s, irq);
    return c;
}

void loam_slab__set_shades(loam_cache *c, uint32_t step)
{
    uint32_t spare = (0 - c->slots * c->stride) & (LOAM_PAGE_SIZE - 1);
    c->shade = (uint8_t)loam_log2_floor(step < SLAB_LINE ? SLAB_LINE : step);
    c->shades = (uint8_t)(c->stacked ? (spare >> c->shade) + 1 : 1);
}

loam_cache *loam_cache_create(loam_slabs *slabs, const char *name, size_t size, size_t align,
                              loam_ctor_fn *ctor, void *ctx)
{
    return loam_slab__cache_create(slabs, name, size, align, NULL, ctor, ctx);
}

/* Slabs of all fronts. Under the lock none is between two of them. */
static uint32_t cache_slabs(const loam_cache *c)
{
    loam_irq irq = slab_lock(c->slabs);
    /* both loads: pairs with the add in loam_slab__release */
    uint32_t slabs = loam_atomic_load(&c->shared.slabs);
    for (uint32_t i = 0; i < c->slabs->parts; i++)
        slabs += slab_own_front(c, i) != NULL ? loam_atomic_load(&slab_own_front(c, i)->slabs) : 0;
    slab_unlock(c->slabs, irq);
    return slabs;
}

/* What this processor can give back of a cache; then, if that is not all, what others can. */
static bool cache_is_empty(loam_cache *c)
{
    loam_slabs *s = c->slabs;
    if (slab_is_many(s)) {
        loam_slab__publish_all(s);
        (void)loam_slab__look(s);
    }
    loam_cache_shrink(c);
    if (cache_slabs(c) == 0)
        return true;
    loam_slab__ask(s);
    for (unsigned turn = 0; turn < SLAB_TURNS && loam_slab__await(s, turn); turn++) {
        loam_cache_shrink(c);
        if (cache_slabs(c) == 0)
            return true;
    }
    return false;
}

loam_err loam_cache_destroy(loam_cache *c)
{
    loam_slabs *s = c->slabs;
    if (c->owner != NULL)
        return LOAM_EINVAL;
    if (!cache_is_empty(c))
        return LOAM_EBUSY;
    loam_irq irq = slab_lock(s);
    loam_list_remove(&c->link);
    s->cache_count--;
    slab_unlock(s, irq);
    LOAM_PORT_NOTE_END(c);
    loam_slab__end_fronts(c);
    loam_slab__meta_free(s, c, cache_bytes(s, c->stride));
    return LOAM_OK;
}

void loam_cache_shrink(loam_cache *c)
{
    (void)loam_slab__quarantine_empty(c->slabs);
    loam_slab__drop_empty(c->slabs, c);
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
        used += slab_head_of(LOAM_CONTAINER_OF(n, slab_desc, link))->used -
                loam_slab__waiting(LOAM_CONTAINER_OF(n, slab_desc, link));
    return used;
}

/* Slots of a slab that are neither free nor on their way to be. Anybody may ask. no order: a count
 * for views. */
static uint64_t cache_used_in(const loam_slabs *s, const slab_desc *d, const loam_cache *c)
{
    uint64_t used = c->slots - loam_slab__waiting(d);
    for (unsigned i = 0; i < slab_word_count(c); i++)
        used -= loam_popcount64(loam_atomic_peek64(&d->words[i]));
    for (unsigned i = 0; slab_is_many(s) && i < 2 * slab_word_count(c); i++)
        used -= loam_popcount64(loam_atomic_peek(&slab_remote_of(d)->half[i]));
    return used;
}

/* With several processors nobody's lists are followed but by their owners. */
static void cache_count_many(const loam_cache *c, loam_cache_stats *stats)
{
    loam_slabs *s = c->slabs;
    uintptr_t index = 0;
    loam_irq irq = slab_lock(s);
    for (slab_desc *d = loam_slab__next(s, &index); d != NULL; d = loam_slab__next(s, &index)) {
        if (d->kind != SLAB_SLOTS || slab_cache_of(d) != c)
            continue;
        stats->slabs++;
        stats->used += cache_used_in(s, d, c);
    }
    slab_unlock(s, irq);
}

static void cache_count_one(const loam_cache *c, loam_cache_stats *stats)
{
    const slab_front *f = &c->shared;
    uint32_t slabs = loam_atomic_peek(&f->slabs); /* no order: one processor */
    stats->slabs = slabs;
    stats->used = cache_used_on(&f->partial, slabs) + cache_used_on(&f->full, slabs);
}

void loam_cache_stat(const loam_cache *c, loam_cache_stats *stats)
{
    *stats = (loam_cache_stats){.name = c->name, .size = c->size, .stride = c->stride};
    if (slab_is_many(c->slabs))
        cache_count_many(c, stats);
    else
        cache_count_one(c, stats);
    stats->slots = stats->slabs * c->slots;
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
    loam_slabs *s = c->slabs;
    slab_visit v = {0};
    while (loam_slab__visit(s, &v)) {
        const slab_desc *d = v.slab;
        if (d == NULL || slab_cache_of(d) != c || fn(ctx, d->base, c->slots, c->stride, d->words))
            continue;
        loam_slab__visit_end(s, &v);
        return;
    }
}
