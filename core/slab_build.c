/* SPDX-License-Identifier: MIT */
/* slab_build.c - slabs begin and end: frames, a descriptor, words.
 *
 * WHAT   A cache whose front has no free slot gets one slab more; one that has no object out goes.
 * MODEL  Three parts, each with a place of its own, so that no object is beside what says of it
 *        whether it is free:
 *
 *            frames        | slot | slot | slot ...      of 4 to 64 KiB, at a multiple of that
 *            descriptor      in a leaf, found by the address: slab_meta.c
 *            words         | head | free bits | waiting | virgin | records |   in lines, with what
 *                                               the modes want; remote words on lines of their own
 *
 *        Frames come from where most of their pages are there already: a front's first slab, which
 *        most programs never fill, where one of its class was, or from pages that nobody had; one
 *        more from what is kept.
 *
 * RULES  S1 .. S4, S7 and S18 of slab_check.c.
 * LOCKS  slab_lock once, for the moment in which others can find it: all who build or end slabs
 *        meet there. It is given up where a leaf or lines have to be made; the zone is asked
 *        without.
 * COST   O(slots) when objects are constructed, else O(words); to end, O(words).
 * FROM   Bonwick.
 * NOT    When a slab goes: slab_fronts.c.
 */
#include "slab_internal.h"

/* ---- a slab's own data ---- */

/* Free words and slots' records; after them, on lines of their own, the remote words. */
static size_t slab_word_bytes(const loam_cache *c)
{
    const loam_slabs *s = c->slabs;
    bool shadow = slab_has_shadow(s), info = (s->modes & LOAM_SLAB_OWNER) != 0;
    size_t arrays = shadow ? 3 : 1;
    size_t words = sizeof(slab_head) + arrays * slab_word_count(c) * sizeof(uint64_t);
    if (c->slots <= SLAB_INNER_SLOTS && !slab_has_shut(c) && !info)
        return 0;
    return (size_t)loam_align_up(words + (info ? c->slots * sizeof(slab_info) : 0), SLAB_LINE);
}

static size_t slab_meta_bytes(const loam_cache *c)
{
    unsigned halves = 2 * slab_word_count(c);
    bool inside = !slab_is_many(c->slabs) || halves <= SLAB_OWN_HALVES;
    return slab_word_bytes(c) + (inside ? 0 : halves * sizeof(uint32_t));
}

/* Lock held: from here on others can find the slab. */
static void slab_fill_desc(slab_front *f, slab_desc *d, unsigned char *base, void *meta)
{
    const loam_cache *c = f->cache;
    loam_slabs *s = c->slabs;
    size_t bytes = slab_word_bytes(c);
    unsigned n = slab_word_count(c);
    slab_head *head = meta != NULL && bytes != 0 ? meta : slab_inner_head(d);
    *head = (slab_head){loam_mask64(n), 0, 0};
    d->words = (uint64_t *)(void *)(head + 1);
    for (unsigned i = 0; i < n; i++) /* no order: nothing of it is out */
        loam_atomic_poke64(&d->words[i], slab_full_word(c, i));
    uint32_t *half =
        slab_meta_bytes(c) == bytes ? NULL : (uint32_t *)(void *)((char *)meta + bytes);
    if (half != NULL)
        __builtin_memset(half, 0, 2 * n * sizeof(uint32_t));
    d->base = base + slab_shade_of(c, slab_off(s, base) >> s->shift);
    d->bound = f->bound;
    slab_set_cpu(d, slab_cpu_of(s, f));
    loam_list_init(&d->link);
    loam_atomic_ptr_store(&d->front, f); /* pairs with the load in slab_owner_of */
    if (slab_has_shadow(s))
        loam_slab__slab_comes(d);
    if ((s->modes & LOAM_SLAB_OWNER) != 0)
        __builtin_memset(slab_info_of(d, 0), 0, c->slots * sizeof(slab_info));
    if (slab_is_many(s))
        loam_slab__remote_start(s, d, half);
    d->kind = SLAB_SLOTS;
    d->recip = c->recip;
}

static void slab_construct(const loam_cache *c, unsigned char *base)
{
    if (c->ctor == NULL)
        return;
    for (unsigned i = 0; i < c->slots; i++)
        c->ctor(c->ctx, base + (size_t)i * c->stride + c->lead);
}

/* ---- its frames ---- */

/* The parts of a new slab: frames, descriptor, words. */
typedef struct slab_parts {
    unsigned char *base;
    slab_desc *desc;
    void *meta;
} slab_parts;

/* A slab goes of which a half was never given out: if its class gets that place again, as many
 * pages are there as it wants, and another class would add to them. */
static void slab_note_former(loam_cache *c, const slab_desc *d)
{
    const loam_slabs *s = c->slabs;
    uint32_t index = (uint32_t)(slab_off(s, d->base) >> s->shift);
    size_t begun = (size_t)slab_head_of(d)->begun * 64 * c->stride;
    if (s->worn != NULL && begun <= (s->mask + 1) / 2)
        loam_atomic_store(&c->former[index % SLAB_FORMER], index + 1); /* no order: a hint */
}

/* Where a slab of the class was; NULL: nowhere, or others have it by now. */
static unsigned char *slab_former_frames(loam_cache *c)
{
    const loam_slabs *s = c->slabs;
    uint64_t npages = 1ULL << (s->shift - LOAM_PAGE_SHIFT);
    for (unsigned i = 0; s->worn != NULL && i < SLAB_FORMER; i++) {
        uint32_t place = loam_atomic_peek(&c->former[i]);            /* no order: the zone knows */
        if (place == 0 || !loam_atomic_cas(&c->former[i], place, 0)) /* no order: as above */
            continue;
        uint64_t frame = s->first_frame + (place - 1) * npages;
        if (loam_zone_alloc_at(s->zones.zone[0], loam_pfn_of(frame), npages,
                               LOAM_ZONE_SLAB | LOAM_ZONE_ATOMIC) == LOAM_OK)
            return (unsigned char *)s->base + ((uintptr_t)(place - 1) << s->shift);
    }
    return NULL;
}

/* Frames for a front's first slab, which most programs never fill: pages that are not there cost
 * less than those which large blocks are about to take again. */
static unsigned char *slab_first_frames(loam_cache *c)
{
    loam_slabs *s = c->slabs;
    unsigned char *base = slab_former_frames(c);
    if (base == NULL)
        base = loam_slab__frames_alloc(s, 1ULL << (s->shift - LOAM_PAGE_SHIFT));
    return base != NULL ? base : loam_slab__kept_slab(s);
}

enum {
    WORN_LOOKS = 4, /* at free blocks of an order */
    WORN_MOST = 18  /* order at which free blocks are cut */
};

/* A slab's frames at the start of a free block; NULL: they have no memory, or somebody has them. */
static unsigned char *slab_take_worn(const loam_slabs *s, loam_pfn at, uint64_t npages)
{
    unsigned char *va = (unsigned char *)s->base + ((at.v - s->first_frame) << LOAM_PAGE_SHIFT);
    if (!loam_slab__is_worn(s, va, s->mask + 1) ||
        loam_zone_alloc_at(s->zones.zone[0], at, npages, LOAM_ZONE_SLAB | LOAM_ZONE_ATOMIC) !=
            LOAM_OK)
        return NULL;
    LOAM_PORT_NOTE_SHOW(va, (size_t)npages << LOAM_PAGE_SHIFT);
    return va;
}

/* Free frames that have their memory, where those that come first have none; NULL: none is near. */
static unsigned char *slab_worn_frames(const loam_slabs *s, uint64_t npages)
{
    loam_zone *zone = s->zones.zone[0];
    unsigned char *va = NULL;
    for (unsigned order = loam_log2_floor(npages); order <= WORN_MOST && va == NULL; order++) {
        loam_pfn at = loam_zone_next_free(zone, order, WORN_MOST, loam_pfn_of(0));
        for (unsigned n = 0; n < WORN_LOOKS && va == NULL && !loam_pfn_is_none(at); n++) {
            va = slab_take_worn(s, at, npages);
            at = loam_zone_next_free(zone, order, WORN_MOST, loam_pfn_of(at.v + 1));
        }
    }
    return va;
}

/* Classes whose blocks come back while nobody asks for them: what waits on their stacks is free
 * now, and slabs of which only that was out go; did any? */
static bool slab_unpin(loam_slabs *s)
{
    loam_list victims;
    loam_list_init(&victims);
    if (!s->stacks)
        return false;
    loam_irq irq = slab_lock(s);
    for (loam_list *n = s->caches.next; n != &s->caches; n = n->next) {
        slab_front *f = slab_front_here(LOAM_CONTAINER_OF(n, loam_cache, link));
        if (slab_has_stack(f) && slab_stack_at(f)->misses != 0)
            loam_slab__stack_empty(f, NULL, &victims);
    }
    slab_unlock(s, irq);
    return loam_slab__release_all(&victims);
}

/* Frames for one more: what is free, waits, or is kept goes before pages come that are not there
 * yet. */
static unsigned char *slab_more_frames(loam_slabs *s)
{
    uint64_t npages = 1ULL << (s->shift - LOAM_PAGE_SHIFT);
    unsigned char *base = loam_slab__kept_slab(s);
    if (base != NULL)
        return base;
    base = loam_slab__frames_alloc(s, npages);
    if (base == NULL || loam_slab__is_worn(s, base, s->mask + 1))
        return base;
    bool more = slab_unpin(s);
    more = loam_slab__idle_drop(s) || more;
    unsigned char *worn = more ? loam_slab__kept_slab(s) : NULL;
    if (worn == NULL && loam_slab__kept_mine(s) >= npages)
        (void)loam_slab__kept_drop(s, false);
    if (worn == NULL)
        worn = slab_worn_frames(s, npages);
    if (worn == NULL)
        return base;
    loam_slab__frames_free(s, base);
    return worn;
}

static unsigned char *slab_frames(loam_cache *c)
{
    loam_slabs *s = c->slabs;
    bool first = loam_atomic_peek(&slab_front_here(c)->slabs) == 0; /* no order: a hint */
    unsigned char *base = first ? slab_first_frames(c) : slab_more_frames(s);
    if (base == NULL)
        return NULL;
    loam_slab__spare(s, base, s->mask + 1);
    loam_slab__tight(s, s->mask + 1);
    loam_slab__wear(s, base, s->mask + 1);
    return base;
}

/* Lock held. What else a slab needs, if that is at hand, as it mostly is. */
static bool slab_has_parts(loam_cache *c, slab_parts *parts)
{
    size_t bytes = slab_meta_bytes(c);
    parts->desc = loam_slab__desc_there(c->slabs, parts->base);
    if (parts->desc == NULL || bytes == 0)
        return parts->desc != NULL;
    parts->meta = loam_slab__meta_take(c->slabs, bytes);
    return parts->meta != NULL;
}

/* Without the lock; false: no memory. Until the slab is there `building` keeps others from taking
 * its leaf and the frame of its words for unused. */
static bool slab_make_parts(loam_cache *c, slab_parts *parts)
{
    size_t bytes = slab_meta_bytes(c);
    parts->desc = loam_slab__desc_make(c->slabs, parts->base);
    if (parts->desc != NULL && bytes != 0)
        parts->meta = loam_slab__meta_alloc(c->slabs, bytes);
    return parts->desc != NULL && (bytes == 0 || parts->meta != NULL);
}

/* ---- slabs come and go ---- */

/* Lock held, which is given up where parts have to be made; false: no memory. */
static bool slab_gather_parts(loam_cache *c, slab_parts *parts, loam_irq *irq)
{
    loam_slabs *s = c->slabs;
    if (LOAM_LIKELY(slab_has_parts(c, parts)))
        return true;
    s->building++;
    slab_unlock(s, *irq);
    bool made = slab_make_parts(c, parts);
    *irq = slab_lock(s);
    s->building--;
    return made;
}

/* Lock held: it is a slab from now on, of which a slot is taken. */
static slab_place slab_begin(loam_cache *c, const slab_parts *parts)
{
    slab_front *f = slab_front_here(c);
    slab_desc *d = parts->desc;
    if (d->kind == SLAB_LARGE) /* frames that were kept */
        loam_slab__large_unname(c->slabs, d);
    slab_fill_desc(f, d, parts->base, parts->meta);
    loam_list_append(&f->partial, &d->link);
    (void)loam_atomic_add(&f->slabs, 1); /* no order: a count */
    loam_slab__idle_learn(f);
    return (slab_place){d, loam_slab__take(f, d, d->words)};
}

bool loam_slab__build(loam_cache *c, slab_place *at)
{
    loam_slabs *s = c->slabs;
    slab_parts parts = {slab_frames(c), NULL, NULL};
    if (parts.base == NULL)
        return false;
    slab_construct(c, parts.base + slab_shade_of(c, slab_off(s, parts.base) >> s->shift));
    if (!slab_dresses(s))
        LOAM_PORT_NOTE_HIDE(parts.base, s->mask + 1);
    loam_irq irq = slab_lock(s);
    bool built = slab_gather_parts(c, &parts, &irq);
    if (built)
        *at = slab_begin(c, &parts);
    slab_unlock(s, irq);
    if (!built) {
        LOAM_PORT_NOTE_SHOW(parts.base, s->mask + 1);
        loam_slab__kept_lose(s, parts.base);
        return false;
    }
    irq = loam_port_irq_save();
    loam_trace_emit(s->trace, LOAM_TRACE_SLAB_NEW, s->shift - LOAM_PAGE_SHIFT,
                    (uintptr_t)parts.base, c->slots);
    loam_port_irq_restore(irq);
    return true;
}

void loam_slab__release(slab_desc *d)
{
    slab_front *f = slab_owner_of(d);
    loam_cache *c = f->cache;
    loam_slabs *s = c->slabs;
    unsigned char *base = slab_frames_of(s, d);
    void *meta = slab_head_of(d);
    loam_slab__verify_empty(d);
    loam_slab__slab_goes(d);
    LOAM_PORT_NOTE_SHOW(base, s->mask + 1);
    slab_note_former(c, d);
    loam_irq irq = slab_lock(s);
    slab_desc_clear(s, d, c->owner != NULL ? c->name : NULL); /* a cache may end */
    if (slab_is_many(s))
        __builtin_memset(slab_remote_of(d), 0, sizeof(slab_remote));
    bool kept = loam_slab__kept_name(s, d, base);
    void *unused = loam_slab__meta_put(s, meta, slab_meta_bytes(c));
    slab_unlock(s, irq);
    irq = loam_port_irq_save();
    loam_trace_emit(s->trace, LOAM_TRACE_SLAB_RETURN, s->shift - LOAM_PAGE_SHIFT, (uintptr_t)base,
                    c->slots);
    loam_port_irq_restore(irq);
    if (unused != NULL)
        loam_slab__own_free(s, unused);
    if (!kept)
        loam_slab__frames_free(s, base);
    else if (!loam_slab__keep(s, d))
        loam_slab__large_give_back(s, d);
    /* From here on the cache may end: pairs with the load in cache_slabs. */
    (void)loam_atomic_add(&f->slabs, (uint32_t)-1);
    if (!s->keep_empty)
        loam_slab__leaf_trim(s, base);
}
