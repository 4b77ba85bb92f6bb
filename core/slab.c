/* SPDX-License-Identifier: MIT */
/* slab.c - objects of one size, their free slots kept only in bits.
 *
 * WHAT   Gives out small objects quickly, and refuses every free that is not right, always.
 *
 * MODEL  A slab is 2^shift bytes at natural alignment, cut into slots of one stride. A free slot is
 *        a set bit, outside of the slab: freed memory holds no link that a stray write could bend,
 *        and the bit that frees an object is the bit that proves the free was right.
 *
 *            slab   [slot 0 | slot 1 | slot 2 | slot 3 | ... ]     word   1 0 0 1 ... 0 0
 *                    free     out      out      free                      ^ slot 0
 *
 *            slot of p   x = (p - slab) * ceil(2^32 / stride);  slot = x / 2^32, and p is the
 *                        slot's first byte exactly while x mod 2^32 < ceil(2^32 / stride)
 *
 *        Exact for every offset below 2^16 (tested for all of them): the rounding adds less than
 *        2^16 to x, and one byte too far adds at least 2^16.
 *        Alloc takes the lowest set bit of its front's current word. Free sets the bit and makes
 *        that word the current one, so that recent memory is reused first. What else must happen
 *        is left to the call that finds a word empty, or makes a slab empty.
 *
 * RULES  S1 .. S11, stated and tested in slab_check.c.
 * LOCKS  Interrupts off around each change; the zone is never asked with them off by this unit.
 *        Several threads over one layer lock outside, for now: each cache has one front.
 * COST   alloc + free of a class: 70 instructions on x86-64, every check included. Refill: O(1) in
 *        words, one list step for each slab that turned out full. Space: a line for the descriptor
 *        and a line for 512 slots; slabs of 64 slots and fewer keep their word in the descriptor.
 * FROM   Bonwick's slabs and caches; free slots as bits outside the objects, as hardened_malloc has
 *        them; division by multiplication after Granlund and Montgomery.
 * NOT    Fronts for several processors (the layout has room: front[]), colouring of slabs.
 */
#include "slab_internal.h"

/* ---- slabs come and go ---- */

static size_t slab_meta_bytes(const loam_cache *c)
{
    size_t words = slab_word_count(c) * sizeof(uint64_t);
    if (slab_has_info(c->slabs))
        return words + c->slots * sizeof(slab_info);
    return c->slots <= 64 ? 0 : words;
}

static void slab_fill_desc(loam_cache *c, slab_desc *d, unsigned char *base, uint64_t *words)
{
    d->base = base;
    d->cache = c;
    d->words = words;
    d->used = 0;
    d->kind = SLAB_SLOTS;
    unsigned n = slab_word_count(c);
    for (unsigned i = 0; i < n; i++)
        words[i] = slab_full_word(c, i);
    d->any = loam_mask64(n);
    if (slab_has_info(c->slabs))
        __builtin_memset(words + n, 0, c->slots * sizeof(slab_info));
    d->recip = c->recip;
}

static void slab_construct(const slab_desc *d)
{
    const loam_cache *c = d->cache;
    if (c->ctor == NULL)
        return;
    for (unsigned i = 0; i < c->slots; i++)
        c->ctor(c->ctx, slab_slot_base(d, i) + c->lead);
}

/* The parts of a new slab: frames, descriptor, words. NULL: no memory, all given back. */
static slab_desc *slab_build(loam_cache *c)
{
    loam_slabs *s = c->slabs;
    unsigned char *base = loam_slab__frames_alloc(s, 1ULL << (s->shift - LOAM_PAGE_SHIFT));
    if (base == NULL)
        return NULL;
    size_t bytes = slab_meta_bytes(c);
    slab_desc *d = loam_slab__desc_make(s, base);
    void *meta = d != NULL && bytes != 0 ? loam_slab__meta_alloc(s, bytes) : NULL;
    if (d == NULL || (bytes != 0 && meta == NULL)) {
        loam_slab__frames_free(s, base);
        return NULL;
    }
    slab_fill_desc(c, d, base, bytes != 0 ? meta : &d->word);
    return d;
}

static bool slab_new(loam_cache *c)
{
    loam_slabs *s = c->slabs;
    loam_irq irq = loam_port_irq_save();
    s->building++;
    loam_port_irq_restore(irq);
    slab_desc *d = slab_build(c);
    if (d != NULL) {
        loam_slab__slab_comes(d);
        slab_construct(d);
    }
    irq = loam_port_irq_save();
    s->building--;
    if (d != NULL) {
        slab_front *f = slab_front_of(c);
        loam_list_append(&f->partial, &d->link);
        f->slabs++;
        loam_trace_emit(s->trace, LOAM_TRACE_SLAB_NEW, s->shift - LOAM_PAGE_SHIFT,
                        (uintptr_t)d->base, c->slots);
    }
    loam_port_irq_restore(irq);
    return d != NULL;
}

/* Takes an empty slab out of its front; interrupts are off. */
static void slab_unlink(slab_desc *d)
{
    slab_front *f = slab_front_of(d->cache);
    loam_list_remove(&d->link);
    f->slabs--;
    if (f->empty == d)
        f->empty = NULL;
    if (f->slab == d) {
        f->slab = NULL;
        f->word = &d->cache->slabs->none;
    }
}

static void slab_release(slab_desc *d)
{
    loam_cache *c = d->cache;
    loam_slabs *s = c->slabs;
    unsigned char *base = d->base;
    void *words = d->words;
    loam_slab__slab_goes(d);
    loam_irq irq = loam_port_irq_save();
    __builtin_memset(d, 0, sizeof(*d));
    loam_trace_emit(s->trace, LOAM_TRACE_SLAB_RETURN, s->shift - LOAM_PAGE_SHIFT, (uintptr_t)base,
                    c->slots);
    loam_port_irq_restore(irq);
    if (slab_meta_bytes(c) != 0)
        loam_slab__meta_free(s, words, slab_meta_bytes(c));
    loam_slab__frames_free(s, base);
    if (!s->keep_empty)
        loam_slab__leaf_trim(s, base);
}

bool loam_slab__drop_empty(loam_cache *c)
{
    loam_irq irq = loam_port_irq_save();
    slab_desc *d = slab_front_of(c)->empty;
    bool drop = d != NULL && d->used == 0;
    if (drop)
        slab_unlink(d);
    loam_port_irq_restore(irq);
    if (drop)
        slab_release(d);
    return drop;
}

bool loam_slab__reclaim(loam_slabs *s)
{
    bool any = s->ring.count != 0;
    loam_slab__quarantine_trim(s, 0);
    for (loam_list *n = s->caches.next; n != &s->caches; n = n->next)
        any = loam_slab__drop_empty(LOAM_CONTAINER_OF(n, loam_cache, link)) || any;
    any = loam_slab__leaf_trim(s, NULL) || any;
    return loam_slab__meta_trim(s) || any;
}

/* ---- free ---- */

/* Which slab is to go now that d is empty: d itself, or the one kept until now, or none. */
static slab_desc *slab_emptied(slab_front *f, slab_desc *d)
{
    if (!d->cache->slabs->keep_empty)
        return d;
    slab_desc *old = f->empty;
    f->empty = d;
    return old != NULL && old != d && old->used == 0 ? old : NULL;
}

loam_err loam_slab__settle(slab_desc *d, uint64_t *word, loam_irq irq)
{
    slab_front *f = slab_front_of(d->cache);
    if (d->any == 0) { /* it was full */
        loam_list_remove(&d->link);
        loam_list_push(&f->partial, &d->link);
    }
    d->any |= 1ULL << (word - d->words);
    slab_desc *victim = d->used == 0 ? slab_emptied(f, d) : NULL;
    if (victim != NULL)
        slab_unlink(victim);
    loam_port_irq_restore(irq);
    if (victim != NULL)
        slab_release(victim);
    return LOAM_OK;
}

void loam_slab__put_slot(slab_desc *d, unsigned slot)
{
    slab_front *f = slab_front_of(d->cache);
    uint64_t *word = d->words + (slot >> 6);
    loam_irq irq = loam_port_irq_save();
    *word |= 1ULL << (slot & 63);
    d->used--;
    f->word = word;
    f->slab = d;
    loam_slab__settle(d, word, irq);
}

loam_err loam_slab__free(loam_slabs *s, void *p, const void *owner, const loam_cache *cache,
                         const void *caller)
{
    if (p == NULL)
        return LOAM_OK;
    slab_place at;
    slab_fault fault = loam_slab__find(s, p, owner, cache, &at);
    if (fault != SLAB_FINE)
        return loam_slab__refuse(s, p, fault, &at, true, caller);
    if (at.desc->kind == SLAB_LARGE) {
        loam_slab__large_undress(s, at.desc);
        return LOAM_OK;
    }
    if (loam_trace_is_on(s->trace)) {
        loam_irq irq = loam_port_irq_save();
        loam_trace_emit(s->trace, LOAM_TRACE_OBJ_FREE, 0, (uintptr_t)p, at.desc->cache->size);
        loam_port_irq_restore(irq);
    }
    if (s->modes != 0)
        loam_slab__undress(at.desc, at.slot);
    else
        loam_slab__put_slot(at.desc, at.slot);
    return LOAM_OK;
}

loam_err loam_cache_free(loam_cache *c, void *object)
{
    loam_slabs *s = c->slabs;
    uintptr_t off = slab_off(s, object);
    if (LOAM_LIKELY(off < s->len && !*s->slow)) {
        slab_desc *d;
        uint64_t *word;
        loam_irq irq = loam_port_irq_save();
        slab_put put = slab_put_fast(s, off, NULL, c, &d, &word);
        if (put == SLAB_PUT_SETTLE)
            return loam_slab__settle(d, word, irq);
        loam_port_irq_restore(irq);
        if (put == SLAB_PUT)
            return LOAM_OK;
    }
    return loam_slab__free(s, object, NULL, c, __builtin_return_address(0));
}

/* ---- alloc ---- */

/* Makes a word of d that has a free slot the current one; words that have none leave `any`. */
static bool slab_scan(slab_front *f, slab_desc *d)
{
    while (d->any != 0) {
        unsigned i = loam_ctz64(d->any);
        if (d->words[i] != 0) {
            f->word = &d->words[i];
            f->slab = d;
            return true;
        }
        d->any &= d->any - 1;
    }
    loam_list_remove(&d->link);
    loam_list_push(&f->full, &d->link);
    return false;
}

/* The current slab first, then the partial ones: each that has nothing leaves the list for good. */
static bool slab_find_word(loam_cache *c)
{
    slab_front *f = slab_front_of(c);
    if (*f->word != 0)
        return true;
    if (f->slab != NULL && f->slab->any != 0 && slab_scan(f, f->slab))
        return true;
    for (uint32_t n = f->slabs; n > 0 && !loam_list_is_empty(&f->partial); n--) {
        if (slab_scan(f, LOAM_CONTAINER_OF(f->partial.next, slab_desc, link)))
            return true;
    }
    return false;
}

/* Any of the words, any of their bits. The slab has a free slot. */
static unsigned slab_random_slot(loam_slabs *s, slab_front *f)
{
    slab_desc *d = f->slab;
    uint64_t r = loam_slab__random(s);
    unsigned turn = (unsigned)r & 63;
    for (unsigned n = 0; n < SLAB_WORDS; n++) {
        unsigned i = (n + turn) & 63;
        if ((d->any >> i & 1) != 0 && d->words[i] != 0) {
            f->word = &d->words[i];
            break;
        }
    }
    uint64_t w = *f->word;
    turn = (unsigned)(r >> 6) & 63;
    uint64_t high = w & ~loam_mask64(turn);
    return loam_ctz64(high != 0 ? high : w);
}

/* Takes a slot of the front's slab, whose current word has one. Interrupts are off. */
static unsigned slab_take(loam_cache *c)
{
    slab_front *f = slab_front_of(c);
    unsigned bit = (c->slabs->modes & LOAM_SLAB_RANDOM) != 0 ? slab_random_slot(c->slabs, f)
                                                             : loam_ctz64(*f->word);
    *f->word &= ~(1ULL << bit);
    f->slab->used++;
    return (unsigned)(f->word - f->slab->words) * 64 + bit;
}

/* One try with what there is: false when every slab is full. */
static bool slab_try(loam_cache *c, slab_place *at)
{
    loam_irq irq = loam_port_irq_save();
    bool found = slab_find_word(c);
    if (found) {
        at->desc = slab_front_of(c)->slab;
        at->slot = slab_take(c);
    }
    loam_port_irq_restore(irq);
    return found;
}

static bool slab_get(loam_cache *c, slab_place *at)
{
    if (slab_try(c, at))
        return true;
    if (slab_new(c))
        return slab_try(c, at);
    if (!loam_slab__reclaim(c->slabs)) /* what others keep may be enough for a slab, or the slot */
        return false;
    return slab_try(c, at) || (slab_new(c) && slab_try(c, at));
}

void *loam_slab__alloc(loam_cache *c, size_t size, size_t align, const void *site)
{
    loam_slabs *s = c->slabs;
    slab_place at = {NULL, 0};
    void *p = NULL;
    if (slab_get(c, &at))
        p = s->modes != 0 ? loam_slab__dress(at.desc, at.slot, size, align, site)
                          : slab_slot_base(at.desc, at.slot);
    loam_irq irq = loam_port_irq_save();
    if (p == NULL) {
        s->failures++;
        loam_trace_emit(s->trace, LOAM_TRACE_OBJ_FAIL, 0, 0, size);
    } else {
        loam_trace_emit(s->trace, LOAM_TRACE_OBJ_ALLOC, 0, (uintptr_t)p, c->size);
    }
    loam_port_irq_restore(irq);
    return p;
}

void *loam_cache_alloc(loam_cache *c)
{
    if (LOAM_LIKELY(!*c->slow)) {
        loam_irq irq = loam_port_irq_save();
        void *p;
        bool taken = slab_take_fast(c, &p);
        loam_port_irq_restore(irq);
        if (LOAM_LIKELY(taken))
            return p;
    }
    return loam_slab__alloc(c, c->size, 0, __builtin_return_address(0));
}
