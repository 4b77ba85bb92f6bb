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
 *                        slot's first byte exactly while x mod 2^32 <= what the last slot leaves
 *
 *        Exact for every offset below 2^16 (tested for all of them): the rounding adds less than
 *        2^16 to x, and one byte too far adds at least 2^16.
 *        Alloc takes the lowest set bit of its front's current word. Free sets the bit and makes
 *        that word the current one, so that recent memory is reused first. What else must happen
 *        is left to the call that finds a word empty, or makes a slab empty. Who finds the current
 *        slab used up goes on in the lowest of those with free slots, as far as a short look tells:
 *        so high ones run empty, and their pages that were never touched stay so.
 *
 * RULES  S1 .. S16, stated and tested in slab_check.c and slab_check_many.c.
 * LOCKS  Interrupts off around each change of a front of one's own; slab_fronts.c says who owns
 *        what, slab_remote.c how others free. slab_lock for what is the layer's; it is a leaf, the
 *        zone is never asked with it held or with interrupts off.
 * COST   alloc + free of a class: 74 instructions on x86-64, every check included, no lock and no
 *        locked instruction on any number of processors. Refill: O(1) in
 *        words, a few list steps for each slab that turned out full. Space: a line for the
 *        descriptor and lines for the head and words, 8 bytes for 64 slots; with 32-bit addresses
 *        slabs of 64 slots and fewer keep both in the descriptor.
 * FROM   Bonwick's slabs and caches; free slots as bits outside the objects, as hardened_malloc has
 *        them; division by multiplication after Granlund and Montgomery; low addresses first: what
 *        Wilson's survey found best against fragmentation.
 * NOT    Colouring of slabs, but where there are stacks: slab_shade_of.
 */
#include "slab_fast.h"

/* ---- slots ---- */

/* [own] Makes a word the current one, if the front has one. */
static inline void slab_point(slab_front *f, slab_desc *d, uint64_t *word)
{
    if (slab_is_shared(f->cache->slabs, f))
        return;
    slab_set_current(f, d, word);
}

/* [own] The front's word; when it is another, any of the slab that has a bit. */
static uint64_t *slab_random_word(slab_front *f, const slab_desc *d, uint64_t *word)
{
    unsigned turn = word != f->word ? slab_random_turn(f) : 0;
    for (unsigned n = 0; word != f->word && n < SLAB_WORDS; n++) {
        unsigned i = (n + turn) & 63;
        if ((slab_head_of(d)->any >> i & 1) != 0 && d->words[i] != 0)
            return &d->words[i];
    }
    return word;
}

unsigned loam_slab__take(slab_front *f, slab_desc *d, uint64_t *word)
{
    loam_slabs *s = f->cache->slabs;
    bool random = (s->modes & LOAM_SLAB_RANDOM) != 0;
    word = random ? slab_random_word(f, d, word) : word;
    unsigned bit = random ? slab_random_low(f, *word) : loam_ctz64(*word);
    unsigned slot = (unsigned)(word - d->words) * 64 + bit;
    slab_begin_word(d, word);
    loam_atomic_poke64(word, *word & ~(1ULL << bit)); /* no order: see slab_slot_is_free */
    if (slab_has_shut(f->cache))
        slab_clear_shut(d, slot);
    slab_head_of(d)->used++;
    slab_point(f, d, word);
    return slot;
}

/* ---- slabs ---- */

bool loam_slab__reclaim(loam_slabs *s)
{
    bool any = loam_slab__quarantine_empty(s);
    if (slab_is_many(s)) {
        loam_slab__publish_all(s);
        any = loam_slab__look(s) || any;
        loam_slab__ask(s);
    }
    any = loam_slab__drop_empty(s, NULL) || any;
    any = loam_slab__kept_drop(s, true) || any;
    any = loam_slab__leaf_trim(s, NULL) || any;
    return loam_slab__meta_trim(s) || any;
}

/* ---- free ---- */

slab_desc *loam_slab__settled(slab_desc *d, uint64_t *word)
{
    slab_head *head = slab_head_of(d);
    bool was_full = head->any == 0;
    head->any |= 1ULL << (word - d->words);
    if (was_full)
        slab_list(d);
    return head->used == 0 ? loam_slab__emptied(d) : NULL;
}

loam_err loam_slab__settle(slab_desc *d, uint64_t *word, loam_irq irq)
{
    slab_desc *victim = loam_slab__settled(d, word);
    loam_port_irq_restore(irq);
    if (victim != NULL)
        loam_slab__release(victim);
    return LOAM_OK;
}

bool loam_slab__put_slot(slab_desc *d, unsigned slot)
{
    slab_hold hold;
    loam_list victims;
    const loam_cache *c = slab_cache_of(d);
    loam_slabs *s = c->slabs;
    loam_list_init(&victims);
    if (!loam_slab__own(d, &hold))
        return loam_slab__gather(s, d, c, slot);
    bool waits = c->stacked || slab_owner_of(d)->ring_cap != 0;
    bool out = !slab_bit(d->words, slot) && !slab_slot_waits(d, slot);
    if (hold.locked && out && waits) /* where its blocks will wait, or while one is out surely */
        loam_slab__take_over(d);
    if (out)
        loam_slab__put_own(d, slot, &victims);
    if (hold.locked && out && !waits && loam_list_is_empty(&victims))
        loam_slab__take_over(d);
    loam_slab__leave(s, &hold);
    (void)loam_slab__release_all(&victims);
    return out;
}

static bool slab_put_block(loam_slabs *s, const slab_place *at, const void *p)
{
    if (at->desc->kind != SLAB_SLOTS) /* freed twice at once it may be none any more */
        return loam_slab__large_undress(s, at->desc, p);
    if (loam_trace_is_on(s->trace)) {
        loam_irq irq = loam_port_irq_save();
        loam_trace_emit(s->trace, LOAM_TRACE_OBJ_FREE, 0, (uintptr_t)p,
                        slab_cache_of(at->desc)->size);
        loam_port_irq_restore(irq);
    }
    if (slab_dresses(s))
        return loam_slab__undress(at->desc, at->slot);
    LOAM_PORT_NOTE_FREE(slab_cache_of(at->desc), p, slab_cache_of(at->desc)->size);
    return loam_slab__put_slot(at->desc, at->slot);
}

/* A block of `base`, of a slab of this processor's and a cache with stacks; false: it is none, and
 * nothing has changed. */
static bool slab_put_stacked(loam_slabs *s, void *p, uintptr_t off, const void *base)
{
    slab_desc *d = slab_desc_at(s, off);
    uint64_t *word;
    loam_irq irq = loam_port_irq_save();
    bool ours = (slab_is_stacked_here(d) || slab_is_here(d)) && !s->cpu[loam_port_cpu()].offline &&
                slab_owner_of(d)->told_key == (uintptr_t)base;
    slab_put put = ours ? slab_stack_put(s, p, off, &d, &word) : SLAB_PUT_REFUSED;
    if (put == SLAB_PUT_SETTLE)
        return loam_slab__settle(d, word, irq) == LOAM_OK;
    loam_port_irq_restore(irq);
    return put == SLAB_PUT;
}

loam_err loam_slab__free(loam_slabs *s, void *p, const void *owner, loam_cache *cache,
                         const void *caller)
{
    slab_place at;
    if (p == NULL)
        return LOAM_OK;
    uintptr_t off = slab_off(s, p);
    const void *base = cache != NULL ? (const void *)cache : owner;
    if (s->swift && !loam_trace_is_on(s->trace) && loam_slab__put_swift(s, p, base))
        return LOAM_OK;
    if (s->stacks && !*s->slow && off < slab_len(s) && slab_put_stacked(s, p, off, base))
        return LOAM_OK;
    if (LOAM_PORT_MAX_CPUS > 1 && !*s->slow && off < slab_len(s) &&
        slab_put_far(s, off, base, slab_desc_at(s, off)))
        return LOAM_OK;
    slab_fault fault = loam_slab__find(s, p, owner, cache, &at);
    if (fault == SLAB_FINE && slab_put_block(s, &at, p))
        return LOAM_OK;
    return loam_slab__refuse(s, p, fault == SLAB_FINE ? SLAB_IS_FREE : fault, &at, true, caller);
}

loam_err loam_cache_free(loam_cache *c, void *object)
{
    loam_slabs *s = c->slabs;
    uintptr_t off = slab_off(s, object);
    if (LOAM_LIKELY(off < slab_len(s) && !*s->slow)) {
        slab_desc *d;
        uint64_t *word;
        loam_irq irq = loam_port_irq_save();
        slab_put put = slab_put_fast(s, off, c, &d, &word);
        if (put == SLAB_PUT_SETTLE)
            return loam_slab__settle(d, word, irq);
        loam_port_irq_restore(irq);
        if (put == SLAB_PUT)
            return LOAM_OK;
    }
    return loam_slab__free(s, object, NULL, c, __builtin_return_address(0));
}

/* ---- alloc ---- */

/* [own] A word of d that has a free slot; words that have none leave `any`. One that d does not
 * have, and loam_slab__verify refuses: `any` says so, and nothing behind the words is read. */
LOAM_INLINE uint64_t *slab_scan(const slab_front *f, slab_desc *d)
{
    slab_head *head = slab_head_of(d);
    if (LOAM_UNLIKELY((head->any & f->beyond) != 0))
        return d->words + 64;
    for (; head->any != 0; head->any &= head->any - 1) {
        uint64_t *word = &d->words[loam_ctz64(head->any)];
        if (*word != 0)
            return word;
    }
    slab_list(d);
    return NULL;
}

enum {
    SLAB_LOOKS = 4,      /* partial slabs out of which the lowest is taken */
    SLAB_LOOKS_BEGUN = 8 /* slabs that are asked for a word that was begun */
};

/* [own] The partial slab behind this one; NULL: there is none, or the list is bent there. */
LOAM_INLINE slab_desc *slab_behind(const slab_front *f, const slab_desc *d)
{
    loam_list *n = d->link.next;
    bool last = n == &f->partial || n->prev != &d->link;
    return last ? NULL : LOAM_CONTAINER_OF(n, slab_desc, link);
}

/* [own] There is one. */
LOAM_INLINE slab_desc *slab_low(const slab_front *f)
{
    slab_desc *d = LOAM_CONTAINER_OF(f->partial.next, slab_desc, link), *low = d;
    for (unsigned looks = 1; looks < SLAB_LOOKS && (d = slab_behind(f, d)) != NULL; looks++)
        low = d->base < low->base ? d : low;
    return low;
}

/* [own] A slab that was idle, with any word; NULL: there is none. */
static LOAM_NOINLINE slab_desc *slab_wake(slab_front *f, uint64_t **word)
{
    slab_desc *d = loam_slab__idle_take(f);
    if (d != NULL)
        *word = slab_scan(f, d);
    return d;
}

/* [own] The slab that comes first has a new word alone: another that has one which was begun, or
 * one that was idle, or NULL. */
static LOAM_NOINLINE slab_desc *slab_find_begun(slab_front *f, uint64_t **word)
{
    slab_desc *d = LOAM_CONTAINER_OF(f->partial.next, slab_desc, link), *next;
    for (unsigned looks = SLAB_LOOKS_BEGUN; looks > 0 && d != NULL; looks--, d = next) {
        next = slab_behind(f, d); /* now: a slab that has nothing leaves */
        uint64_t *found = slab_scan(f, d);
        if (found == NULL || slab_is_new_word(d, found))
            continue;
        *word = found;
        return d;
    }
    return slab_wake(f, word);
}

/* [own] The current slab first, then the partial ones: each that has nothing leaves the list for
 * good. Words that were begun, and slabs that are idle, come before new words, whose memory may not
 * be there yet. The slab with *word, a word with a free slot; or NULL. */
LOAM_INLINE slab_desc *slab_find_word(slab_front *f, uint64_t **word)
{
    *word = slab_word_of(f);
    slab_desc *d = slab_current(f);
    if (**word != 0)
        return d;
    if (d != NULL && slab_head_of(d)->any != 0 && (*word = slab_scan(f, d)) != NULL &&
        LOAM_LIKELY(!slab_is_new_word(d, *word)))
        return d;
    /* no order: a bound, others add to it only for a slab of theirs */
    for (uint32_t n = loam_atomic_peek(&f->slabs); n > 0 && !loam_list_is_empty(&f->partial); n--) {
        d = slab_low(f);
        *word = slab_scan(f, d);
        if (*word == NULL)
            continue;
        slab_desc *begun = LOAM_LIKELY(!slab_is_new_word(d, *word)) ? d : slab_find_begun(f, word);
        return begun != NULL ? begun : d;
    }
    return LOAM_LIKELY(f->idle == NULL) ? NULL : slab_wake(f, word);
}

/* One try with what there is: false when every slab of the front is full. */
static bool slab_try(loam_cache *c, slab_place *at)
{
    slab_hold hold;
    uint64_t *word;
    slab_front *f = loam_slab__enter(c, &hold);
    slab_desc *d = slab_find_word(f, &word); /* nothing is on the stack: a refill was first */
    if (d != NULL) {
        loam_slab__verify(f, d, word);
        *at = (slab_place){d, loam_slab__take(f, d, word)};
    }
    loam_slab__leave(c->slabs, &hold);
    return d != NULL;
}

/* The front's slabs, those in which others freed, one that others handed over, a new one. */
static bool slab_get(loam_cache *c, slab_place *at)
{
    loam_slab__make_front(c);
    do {
        if (slab_try(c, at))
            return true;
    } while (loam_slab__take_for(c));
    if (loam_slab__look(c->slabs) && slab_try(c, at))
        return true;
    while (loam_slab__adopt(c)) { /* `any` may promise what is not there: on to the next */
        if (slab_try(c, at))
            return true;
    }
    return loam_slab__build(c, at);
}

/* What others keep may be enough for a slab, or the slot: here, then on other processors. */
static bool slab_get_surely(loam_cache *c, slab_place *at)
{
    loam_slabs *s = c->slabs;
    if (slab_get(c, at) || (loam_slab__reclaim(s) && slab_get(c, at)))
        return true;
    for (unsigned turn = 0; turn < SLAB_TURNS && loam_slab__await(s, turn); turn++) {
        if (slab_get(c, at))
            return true;
    }
    return false;
}

/* [own] A word of this processor's own front that has free slots, and its slab; a new one if
 * `fresh` says so. NULL: there is none. */
LOAM_INLINE slab_desc *slab_next_word(slab_front *f, bool fresh, uint64_t **word)
{
    slab_desc *d = slab_find_word(f, word);
    if (d == NULL || (!fresh && slab_is_new_word(d, *word)))
        return NULL;
    loam_slab__verify(f, d, *word);
    slab_begin_word(d, *word);
    return d;
}

/* [own] Such a word becomes the current one. */
LOAM_INLINE bool slab_turn_to(slab_front *f, bool fresh)
{
    uint64_t *word;
    slab_desc *d = slab_next_word(f, fresh, &word);
    if (d != NULL)
        slab_point(f, d, word);
    return d != NULL;
}

/* [own] What waits on the stack of this processor's own front, or in its current word. Else another
 * word becomes the current one or, with a stack that is on, slots of words come onto it, until
 * there are not few; of new words if `fresh` says so, and then of one alone. false: there are none.
 */
static bool slab_stack_fill(slab_front *f, bool fresh, void **object)
{
    uint64_t *word;
    slab_stack *k = slab_stack_at(f);
    if (slab_stack_take(k, object))
        return true;
    slab_desc *d = slab_next_word(f, fresh, &word);
    if (d == NULL)
        return false;
    loam_slab__stack_judge(f, *word);
    slab_point(f, d, word);
    while (d != NULL && k->on) {
        loam_slab__stack_add(f, d, word);
        d = slab_stack_depth(k) < k->few ? slab_next_word(f, false, &word) : NULL;
    }
    return slab_stack_take(k, object);
}

/* Out of what this processor's own front has; of a new word if `fresh` says so. */
LOAM_INLINE bool slab_refill_here(loam_cache *c, bool fresh, void **object)
{
    loam_irq irq = loam_port_irq_save();
    slab_front *f = slab_front_here(c);
    bool taken = !slab_is_shared(c->slabs, f);
    if (taken && c->stacked)
        taken = slab_stack_fill(f, fresh, object);
    else if (taken)
        taken = slab_turn_to(f, fresh) && slab_take_from(f, object);
    if (taken && c->stacked)
        LOAM_PORT_NOTE_ALLOC(c, *object, c->size, c->ctor != NULL);
    loam_port_irq_restore(irq);
    return taken;
}

/* What others freed comes first: it is in memory, and warm. */
static LOAM_NOINLINE bool slab_refill_more(loam_cache *c, void **object)
{
    (void)loam_slab__take_for(c);
    do {
        if (slab_refill_here(c, true, object))
            return true;
    } while (loam_slab__more_for(c));
    return false;
}

/* Slots are at hand now which were not before. */
static LOAM_NOINLINE void slab_refill_tight(loam_cache *c)
{
    loam_irq irq = loam_port_irq_save();
    slab_front *f = slab_front_here(c);
    bool own = !slab_is_shared(c->slabs, f);
    uint32_t slots = 1 + (own ? loam_popcount64(*slab_word_of(f)) : 0);
    if (own && slab_has_stack(f))
        slots += slab_stack_depth(slab_stack_at(f));
    loam_port_irq_restore(irq);
    loam_slab__tight(c->slabs, (size_t)slots * c->stride);
}

bool loam_slab__refill(loam_cache *c, void **object)
{
    bool found = LOAM_LIKELY(slab_refill_here(c, false, object)) || slab_refill_more(c, object);
    if (LOAM_UNLIKELY(loam_atomic_peek(&c->slabs->tight_now) != 0) && found) /* no order: a hint */
        slab_refill_tight(c);
    return found;
}

bool loam_slab__next_word(loam_cache *c)
{
    uint64_t *word;
    loam_irq irq = loam_port_irq_save();
    slab_front *f = slab_front_here(c);
    slab_desc *d = slab_is_shared(c->slabs, f) ? NULL : slab_find_word(f, &word);
    if (d != NULL) {
        loam_slab__verify(f, d, word);
        word = slab_random_word(f, d, word);
        slab_begin_word(d, word);
        slab_point(f, d, word);
    }
    loam_port_irq_restore(irq);
    return d != NULL;
}

static void slab_tell(loam_slabs *s, const loam_cache *c, const void *p, size_t size)
{
    if (p == NULL) {
        loam_irq irq = slab_lock(s);
        s->failures++;
        slab_unlock(s, irq);
    }
    loam_irq irq = loam_port_irq_save();
    if (p == NULL)
        loam_trace_emit(s->trace, LOAM_TRACE_OBJ_FAIL, 0, 0, size);
    else
        loam_trace_emit(s->trace, LOAM_TRACE_OBJ_ALLOC, 0, (uintptr_t)p, c->size);
    loam_port_irq_restore(irq);
}

void *loam_slab__alloc(loam_cache *c, size_t size, size_t align, const void *site)
{
    loam_slabs *s = c->slabs;
    slab_place at = {NULL, 0};
    void *p = NULL;
    if (!*c->slow ? loam_slab__refill(c, &p)
                  : s->swift && c->swift && !loam_trace_is_on(s->trace) &&
                        (p = loam_slab__take_swift(c, size, align)) != NULL)
        return p;
    if (slab_get_surely(c, &at))
        p = slab_dresses(s) ? loam_slab__dress(at.desc, at.slot, size, align, site)
                            : slab_slot_base(at.desc, at.slot);
    if (p != NULL && !slab_dresses(s))
        LOAM_PORT_NOTE_ALLOC(c, p, c->size, c->ctor != NULL);
    slab_tell(s, c, p, size);
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
