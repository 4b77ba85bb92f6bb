/* SPDX-License-Identifier: MIT */
/* slab_large.c - blocks too large for a slab: whole frames, one descriptor.
 *
 * WHAT   What does not fit half a slab comes from the zone. Only its first slab-sized piece gets a
 *        descriptor, so that free, realloc and size find it as fast as a slot.
 *
 * MODEL  Every large block starts at a multiple of the slab size, so that no two share a
 *        descriptor. With the guard mode the block starts behind its magic, `lead` bytes further
 *        on; the descriptor is then the one of the block's address.
 *
 *            frames   [ lead: magic | block ............ | magic ]
 *                                    ^ descriptor's piece; asked for `size` bytes
 *
 *        Blocks from 256 KiB on take the lowest room (zone_lowest.c): the zone's own places for
 *        them are multiples of the next power of two, and what was freed between those would stay,
 *        in memory and of no use.
 *
 *        A block that grows and finds no room behind it gets a new place; where the port can do
 *        that its pages go there, and nothing is copied, nor in memory twice:
 *
 *            before   | block: pages | others |  new place: no pages yet     |
 *            after    | free         | others |  pages of old  |             |
 *
 * RULES  K3 and K4 of kmalloc.c.
 * LOCKS  slab_lock while the list of large blocks changes. A block that is freed is claimed first,
 *        by one cas: of two frees at once one is refused.
 * COST   One call of the zone, or none: slab_kept.c. O(1) besides.
 * FROM   -
 * NOT    Growing into frames that a front or another block holds: kmalloc moves the block.
 */
#include "slab_internal.h"

static size_t large_overhead(const loam_slabs *s, size_t align, size_t *lead)
{
    bool guard = (s->modes & LOAM_SLAB_GUARD) != 0;
    *lead = !guard ? 0 : align > SLAB_GUARD_LEAD ? align : SLAB_GUARD_LEAD;
    return guard ? *lead + SLAB_GUARD_TAIL : 0;
}

/* Frames for a block, so many that the zone aligns them as the block needs; 0: too large. */
static uint64_t large_npages(const loam_slabs *s, size_t size, size_t align, size_t *lead)
{
    uint64_t extra = large_overhead(s, align, lead);
    if (size > PTRDIFF_MAX || align > PTRDIFF_MAX || extra > PTRDIFF_MAX - size)
        return 0;
    uint64_t npages = (size + extra + LOAM_PAGE_SIZE - 1) >> LOAM_PAGE_SHIFT;
    uint64_t half = (uint64_t)1 << (s->shift - LOAM_PAGE_SHIFT) >> 1;
    uint64_t least = align >> LOAM_PAGE_SHIFT;
    if (npages <= half)
        npages = half + 1;
    if (npages < least)
        npages = least;
    /* more than there is, whatever goes */
    return npages <= slab_len(s) >> LOAM_PAGE_SHIFT && npages <= UINT32_MAX ? npages : 0;
}

/* What is asked for. */
typedef struct large_wish {
    const void *owner, *site;
    size_t size, align, lead;
    uint64_t npages;
    bool zero;       /* it is to read 0 */
    slab_desc *from; /* the block that grows, or NULL */
    bool came;       /* its memory came along, and it waits */
} large_wish;

/* ---- the lowest free frames that are enough ---- */

enum {
    LARGE_FITTED = 64,  /* frames from which on they are looked for */
    LARGE_CARRIED = 32, /* frames from which on a block's memory moves with it */
    LARGE_SPARED = 256  /* frames below which others lose their memory for a block's */
};

/* NULL: none were seen that lie together. Where the layer's own things lie between the blocks free
 * rows are short, and are not looked for. */
static unsigned char *large_fit(const loam_slabs *s, const large_wish *wish)
{
    const uint64_t piece = (uint64_t)(s->mask + 1) >> LOAM_PAGE_SHIFT;
    if (s->meta == NULL || wish->align > s->mask || wish->npages < LARGE_FITTED)
        return NULL;
    loam_pfn at =
        loam_zone_alloc_lowest(s->zones.zone[0], wish->npages, loam_pfn_of(s->first_frame), piece,
                               LOAM_ZONE_SLAB | LOAM_ZONE_ATOMIC);
    if (loam_pfn_is_none(at))
        return NULL;
    unsigned char *base = (unsigned char *)s->base + ((at.v - s->first_frame) << LOAM_PAGE_SHIFT);
    LOAM_PORT_NOTE_SHOW(base, (size_t)wish->npages << LOAM_PAGE_SHIFT);
    return base;
}

static unsigned char *large_frames(loam_slabs *s, const large_wish *wish)
{
    unsigned char *base = large_fit(s, wish);
    return base != NULL ? base : loam_slab__frames_alloc(s, wish->npages);
}

/* A block that is looked for lies among what is out alone: what this processor keeps, what waits
 * for it, and its empty slabs go first, or they would leave holes of their sizes where nothing long
 * fits any more. */
static unsigned char *large_low(loam_slabs *s, const large_wish *wish)
{
    if (s->stacks)
        (void)loam_slab__quarantine_empty(s);
    (void)loam_slab__drop_empty(s, NULL);
    (void)loam_slab__kept_drop(s, false);
    return large_frames(s, wish);
}

/* What is kept goes before pages come that are not there yet. */
static unsigned char *large_worn(loam_slabs *s, const large_wish *wish)
{
    if (s->worn != NULL && wish->npages >= LARGE_FITTED)
        return large_low(s, wish);
    size_t len = (size_t)wish->npages << LOAM_PAGE_SHIFT;
    unsigned char *base = large_frames(s, wish);
    if (base == NULL || s->worn == NULL || loam_slab__is_worn(s, base, len) ||
        loam_slab__kept_mine(s) + loam_slab__idle_mine(s) < wish->npages / 8 + 1)
        return base;
    loam_slab__frames_free(s, base);
    (void)loam_slab__idle_drop(s);
    (void)loam_slab__kept_drop(s, false);
    return large_frames(s, wish);
}

/* Memory that is free comes where nobody had any yet, if the port can do that: not for who wants
 * zeros, which new pages are. false: the frames are lost. */
static bool large_bring(loam_slabs *s, const large_wish *wish, unsigned char *base)
{
    size_t len = (size_t)wish->npages << LOAM_PAGE_SHIFT;
    bool wanted = s->bring != NULL && !wish->zero && wish->npages >= LARGE_FITTED;
    return !wanted || loam_slab__is_worn(s, base, len) || s->bring(s, base, len);
}

/* The old block is claimed first: who frees it meanwhile is refused. false: the frames are lost. */
static bool large_carry(loam_slabs *s, large_wish *wish, unsigned char *base)
{
    slab_desc *from = wish->from;
    size_t len = slab_large_bytes(from);
    if (loam_slab__is_worn(s, base, len) || !loam_slab__large_claim(from, from->base))
        return true;
    loam_slab_carried done =
        s->carry(s, base, (size_t)wish->npages << LOAM_PAGE_SHIFT, from->base, len);
    wish->came = done == LOAM_SLAB_CARRIED;
    if (!wish->came)
        slab_large_give_out(from, from->owner, slab_large_size(from), from->site);
    return done != LOAM_SLAB_LOST;
}

/* Memory comes from where it is free, or from the block that grows. false: the frames are lost. */
static bool large_fill(loam_slabs *s, large_wish *wish, unsigned char *base)
{
    if (wish->from != NULL && !large_carry(s, wish, base))
        return false;
    return wish->came || large_bring(s, wish, base);
}

static slab_desc *large_build(loam_slabs *s, large_wish *wish, unsigned char **base)
{
    loam_slab__tight(s, (size_t)wish->npages << LOAM_PAGE_SHIFT);
    *base = large_worn(s, wish);
    if (*base == NULL)
        return NULL;
    slab_desc *d = loam_slab__desc_make(s, *base + wish->lead);
    if (d == NULL) {
        loam_slab__frames_free(s, *base);
        return NULL;
    }
    if (!large_fill(s, wish, *base))
        return NULL;
    if (!wish->came && wish->npages < LARGE_SPARED)
        loam_slab__spare(s, *base, (size_t)wish->npages << LOAM_PAGE_SHIFT);
    if (wish->zero)
        loam_slab__wear_zero(s, *base + wish->lead, wish->size);
    loam_slab__wear(s, *base, (size_t)wish->npages << LOAM_PAGE_SHIFT);
    return d;
}

void loam_slab__large_name(slab_desc *d, const void *owner, size_t size, const void *site)
{
    slab_large_name(d, owner, size, site);
}

static void large_give_out(slab_desc *d, const large_wish *wish)
{
    slab_large_give_out(d, wish->owner, wish->size, wish->site);
}

/* Until the block is there its leaf is not taken for unused; a lazy layer's stay. */
static void large_building(loam_slabs *s, uint32_t more)
{
    if (s->lazy)
        return;
    loam_irq irq = slab_lock(s);
    s->building += more;
    slab_unlock(s, irq);
}

static slab_desc *large_new(loam_slabs *s, large_wish *wish)
{
    unsigned char *base;
    large_building(s, 1);
    slab_desc *d = large_build(s, wish, &base);
    if (d == NULL) {
        large_building(s, (uint32_t)-1);
        return NULL;
    }
    loam_irq irq = slab_lock(s);
    s->building -= !s->lazy;
    d->npages = (uint32_t)wish->npages;
    d->kind = SLAB_LARGE;
    d->large = (uint8_t)(wish->lead == 0 ? 0 : loam_log2_floor(wish->lead));
    d->base = base;
    large_give_out(d, wish);
    loam_list_append(&s->large, &d->link);
    s->large_count++;
    slab_unlock(s, irq);
    return d;
}

static slab_desc *large_obtain(loam_slabs *s, large_wish *wish)
{
    slab_desc *d =
        s->kept != NULL && wish->align <= s->mask ? loam_slab__kept_take(s, wish->npages) : NULL;
    if (d != NULL) {
        large_give_out(d, wish);
        if (wish->zero)
            __builtin_memset(slab_large_block(d), 0, wish->size);
        return d;
    }
    d = large_new(s, wish);
    if (d == NULL && loam_slab__reclaim(s))
        d = large_new(s, wish);
    for (unsigned turn = 0; d == NULL && turn < SLAB_TURNS; turn++)
        d = loam_slab__await(s, turn) ? large_new(s, wish) : NULL;
    return d;
}

void loam_slab__large_tell(loam_slabs *s, loam_trace_kind kind, const void *p, uint64_t size)
{
    if (kind == LOAM_TRACE_OBJ_FAIL) {
        loam_irq irq = slab_lock(s);
        s->failures++;
        slab_unlock(s, irq);
    }
    loam_irq irq = loam_port_irq_save();
    loam_trace_emit(s->trace, kind, 0, (uintptr_t)p, size);
    loam_port_irq_restore(irq);
}

static void *large_alloc(loam_slabs *s, large_wish *wish)
{
    bool aligned = s->align_max == 0 || wish->align <= s->align_max;
    wish->npages = aligned ? large_npages(s, wish->size, wish->align, &wish->lead) : 0;
    slab_desc *d = wish->npages != 0 ? large_obtain(s, wish) : NULL;
    if (d == NULL) {
        loam_slab__large_tell(s, LOAM_TRACE_OBJ_FAIL, NULL, wish->size);
        return NULL;
    }
    unsigned char *p = slab_large_block(d);
    if (s->modes != 0)
        loam_slab__large_dress(d, s);
    loam_slab__large_tell(s, LOAM_TRACE_LARGE_ALLOC, p, wish->size);
    return p;
}

void *loam_slab__large_alloc(loam_slabs *s, const void *owner, size_t size, size_t align,
                             const void *site)
{
    return large_alloc(s,
                       &(large_wish){.owner = owner, .site = site, .size = size, .align = align});
}

void *loam_slab__large_zeroed(loam_slabs *s, const void *owner, size_t size, size_t align,
                              const void *site)
{
    large_wish wish = {.owner = owner, .site = site, .size = size, .align = align};
    wish.zero = s->modes == 0; /* with modes something may be written when it is dressed */
    void *p = large_alloc(s, &wish);
    return p != NULL && !wish.zero ? __builtin_memset(p, 0, size) : p;
}

void loam_slab__large_unname(loam_slabs *s, slab_desc *d)
{
    const char *former = slab_large_was_slab(d) ? slab_large_former(d) : "large";
    loam_list_remove(&d->link);
    s->large_count--;
    slab_desc_clear(s, d, former);
}

static unsigned char *large_forget(loam_slabs *s, slab_desc *d)
{
    unsigned char *base = d->base;
    loam_irq irq = slab_lock(s);
    loam_slab__large_unname(s, d);
    slab_unlock(s, irq);
    return base;
}

/* Without memory: nobody keeps it. */
static void large_drop_carried(loam_slabs *s, slab_desc *d)
{
    size_t len = slab_large_bytes(d);
    loam_slab__large_tell(s, LOAM_TRACE_LARGE_FREE, slab_large_block(d), slab_large_size(d));
    unsigned char *base = large_forget(s, d);
    loam_slab__wear_not(s, base, len);
    loam_slab__frames_free(s, base);
}

bool loam_slab__large_carries(const loam_slabs *s, const slab_desc *d, size_t size)
{
    return s->carry != NULL && d->kind == SLAB_LARGE && d->npages >= LARGE_CARRIED &&
           size > slab_large_bytes(d);
}

void *loam_slab__large_grow(loam_slabs *s, slab_desc *d, size_t size, const void *site)
{
    void *p = slab_large_block(d);
    size_t len = slab_large_size(d);
    const void *owner = d->owner;
    large_wish wish = {.owner = owner, .site = site, .size = size, .align = 1, .from = d};
    void *q = large_alloc(s, &wish);
    if (q == NULL)
        return NULL;
    if (wish.came) {
        large_drop_carried(s, d);
        return q;
    }
    __builtin_memcpy(q, p, len);
    (void)loam_slab__free(s, p, owner, NULL, site);
    return q;
}

void loam_slab__large_release(loam_slabs *s, slab_desc *d)
{
    loam_slab__large_tell(s, LOAM_TRACE_LARGE_FREE, slab_large_block(d), slab_large_size(d));
    if (s->kept == NULL || !loam_slab__keep(s, d))
        loam_slab__large_give_back(s, d);
}

void loam_slab__large_give_back(loam_slabs *s, slab_desc *d)
{
    unsigned char *p = slab_large_block(d);
    loam_slab__frames_free(s, large_forget(s, d));
    if (!s->keep_empty)
        loam_slab__leaf_trim(s, p);
}

bool loam_slab__large_resize(loam_slabs *s, slab_desc *d, size_t size)
{
    size_t lead;
    uint64_t was = d->npages, npages = large_npages(s, size, 1, &lead), room = npages;
    if (npages == 0 || s->kept == NULL)
        return false;
    if (npages > was && npages - was < was / 4) /* that grows by little grows again */
        room += npages / 8;
    if (!loam_slab__frames_resize(s, d->base, was, room) &&
        (room == npages || !loam_slab__frames_resize(s, d->base, was, room = npages)))
        return false;
    loam_irq irq = slab_lock(s);
    d->npages = (uint32_t)room;
    slab_unlock(s, irq);
    return true;
}

size_t loam_slab__large_room(const loam_slabs *s, const slab_desc *d)
{
    size_t all = slab_large_bytes(d);
    bool guard = (s->modes & LOAM_SLAB_GUARD) != 0;
    return all - (guard ? slab_large_lead(d) + SLAB_GUARD_TAIL : 0);
}
