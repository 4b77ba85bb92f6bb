/* SPDX-License-Identifier: MIT */
/* slab_check.c - the rules of the object layer, tested one by one.
 *
 * WHAT   Names the first rule that is broken. For tests, for the shell, after a panic.
 *
 * MODEL  Two walks: over the lists, each node proved to be inside the window before it is read, and
 *        over the descriptors by index. Neither follows a pointer that it has not compared.
 *
 *            caches -> c -> fronts: partial -> d -> d     full -> d        (S5, S8, S12)
 *            leaf[] -> 64 descriptors -> words, slots                      (S1-S4, S6, S9, S10)
 *                      64 remote lines                                     (slab_check_many.c)
 *
 * RULES  S1   a descriptor in use is of a known kind, and lies where its frames' address leads;
 *             a slab's slots begin where its place says
 *        S2   a slab's reciprocal is its cache's: ceil(2^32 / stride); so is its bound
 *        S3   no bit is set beyond the last slot; used is the number of clear bits, and of slots
 *             that wait on a stack
 *        S4   a word with a free slot, but for those, has its bit in `any`, which has none beyond
 *             the words; words that were not begun are whole
 *        S5   each slab is on one list of its front: full exactly when any is 0; an empty slab is
 *             the front's `empty`, or queued; or it is idle, empty, and in its front's circle; the
 *             current word is in the front's slab
 *        S6   the zone knows the frames of slabs and leaves as the object layers'
 *        S7   a line frame's header is never free; the lines used add up
 *        S8   a cache's slots and stride fit the slab and the object
 *        S9   the bytes around a block hold their magic (guard)
 *        S10  freed bytes hold the poison (poison, quarantine)
 *        S11  what waits in quarantine, or on a stack, is marked so, in its ring, and its bytes add
 *             up; a slot's seal agrees with its bits; a stack that is off is empty
 *        S12  a front is what its place says: of this cache, of this processor, for these frees;
 *             each processor finds its own, or the shared one
 *        S13 to S16, of many processors: slab_check_many.c
 *        S17  what is kept: slab_kept.c
 *        S18  what is worn: slab_worn.c
 * LOCKS  Nobody else inside.
 * COST   O(window / slab + slots), with guard or poison O(bytes).
 * FROM   -
 * NOT    Repair.
 */
#include "slab_internal.h"

static bool check_in_window(const loam_slabs *s, const void *p)
{
    return slab_holds(s, p) && ((uintptr_t)p & (sizeof(void *) - 1)) == 0;
}

/* Are its places for far processors, if it has any, among what is the layer's own? */
static bool check_has_far(const loam_slabs *s, const loam_cache *c)
{
    slab_front **far = slab_far_fronts(c);
    return far == NULL ||
           (SLAB_FAR != 0 && check_in_window(s, far) && check_in_window(s, far + SLAB_FAR - 1));
}

/* Is this one of the fronts of a cache of the layer? */
static bool check_is_front(const loam_slabs *s, const slab_front *f)
{
    if (!check_in_window(s, f) || ((uintptr_t)f & (SLAB_LINE - 1)) != 0)
        return false;
    const loam_cache *c = f->cache;
    if (!check_in_window(s, c) || ((uintptr_t)c & (SLAB_LINE - 1)) != 0 || c->slabs != s)
        return false;
    return f == &c->shared ||
           (f->cpu < s->parts && check_has_far(s, c) && f == slab_own_front(c, f->cpu));
}

static bool check_is_slab_frame(const loam_slabs *s, uintptr_t off)
{
    return loam_slab__frame_state(s, off) == LOAM_FRAME_SLAB;
}

/* ---- slabs, by index ---- */

static const char *check_slab_desc(const loam_slabs *s, const slab_desc *d, uintptr_t index)
{
    if (slab_off(s, d->base) >> s->shift != index)
        return "S1 a slab's descriptor lies where its address leads";
    if (!check_is_front(s, slab_owner_of(d)))
        return "S1 a slab belongs to a cache of the layer";
    const loam_cache *c = slab_cache_of(d);
    if (c->shades == 0 || d->base != slab_frames_of(s, d) + slab_shade_of(c, index))
        return "S1 a slab's slots begin where its place says";
    if (c->stride < 8 || c->stride > s->mask + 1 || c->slots != slab_slots(s, c->stride))
        return "S8 a cache's slots fit the slab and the object";
    if (!check_in_window(s, d->words))
        return "S1 the free words lie in the window";
    if (d->recip != c->recip || d->recip != slab_reciprocal((uint32_t)c->stride))
        return "S2 the reciprocal is that of the stride";
    if (d->bound != slab_bound(c->stride, c->slots))
        return "S2 a slab's bound is its cache's";
    /* no order: nobody is inside */
    if (loam_atomic_peek16(&d->cpu) != slab_cpu_of(s, slab_owner_of(d)))
        return "S12 a slab names its owner's processor";
    if (!check_is_slab_frame(s, slab_off(s, d->base)))
        return "S6 the zone knows a slab's frames as ours";
    return NULL;
}

static const char *check_slab_words(const slab_desc *d)
{
    const loam_cache *c = slab_cache_of(d);
    unsigned n = slab_word_count(c), out = c->slots;
    const slab_head *head = slab_head_of(d);
    if ((head->any & ~loam_mask64(n)) != 0)
        return "S4 any has no bit beyond the words";
    if (head->begun > n)
        return "S4 no more words were begun than there are";
    uint32_t hidden = 0;
    for (unsigned i = 0; i < n; i++) {
        if ((d->words[i] & ~slab_full_word(c, i)) != 0)
            return "S3 no bit is set beyond the last slot";
        if ((head->any >> i & 1) == 0)
            hidden += loam_popcount64(d->words[i]);
        if (i >= head->begun && d->words[i] != slab_full_word(c, i))
            return "S4 a word that was not begun is whole";
        out -= loam_popcount64(d->words[i]);
    }
    if (head->used < out || (head->used != out && !slab_has_stack(slab_owner_of(d))))
        return "S3 used is the number of slots out";
    return hidden <= head->used - out ? NULL : "S4 a word with a free slot has its bit in any";
}

static const char *check_slot(const loam_slabs *s, slab_desc *d, unsigned slot)
{
    slab_place at = {d, slot};
    slab_block b = loam_slab__block(d, slot);
    bool free = slab_slot_is_free(d, slot), shadow = slab_has_shadow(s);
    bool shut = slab_slot_waits(d, slot), virgin = shadow && slab_is_virgin(d, slot);
    if (free ? shadow && !shut : virgin)
        return "S11 a slot is free, waits, or is out; a virgin one is free";
    if (virgin || !shadow)
        return NULL;
    bool out = !shut;
    if (loam_slab__guard_fault(&at, s) != NULL)
        return "S9 the bytes around a block hold their magic";
    /* what others gathered, or told, has its seal changed already */
    if (slab_has_seals(s) && b.out != out && !(out && slab_is_many(s)))
        return "S11 a slot's seal agrees with its bits";
    if ((!out || !b.out) && loam_slab__poison_fault(s, d, slot))
        return "S10 freed bytes hold the poison";
    return NULL;
}

static const char *check_slab(const loam_slabs *s, slab_desc *d, uintptr_t index)
{
    const char *bad = check_slab_desc(s, d, index);
    if (bad == NULL)
        bad = check_slab_words(d);
    for (unsigned i = 0; bad == NULL && s->modes != 0 && i < slab_cache_of(d)->slots; i++)
        bad = check_slot(s, d, i);
    return bad;
}

bool loam_slab__large_is_sound(const loam_slabs *s, const slab_desc *d, uintptr_t index)
{
    uintptr_t off = slab_off(s, d->base), len = slab_large_bytes(d);
    bool inside = off < slab_len(s) && d->npages <= slab_len(s) >> LOAM_PAGE_SHIFT &&
                  len <= slab_len(s) - off;
    bool placed =
        slab_large_lead(d) <= slab_len(s) && slab_off(s, slab_large_block(d)) >> s->shift == index;
    bool sized = slab_large_was_slab(d) ||
                 (slab_large_size(d) != 0 && slab_large_size(d) <= loam_slab__large_room(s, d));
    return inside && placed && sized && check_is_slab_frame(s, off);
}

static const char *check_large(const loam_slabs *s, slab_desc *d, uintptr_t index)
{
    slab_place at = {d, 0};
    if (!loam_slab__large_is_sound(s, d, index))
        return "S1 a large block's descriptor fits its frames";
    if (slab_large_is_out(d) && loam_slab__guard_fault(&at, s) != NULL)
        return "S9 the bytes around a block hold their magic";
    if (!slab_large_is_out(d) && s->kept == NULL && loam_slab__poison_fault(s, d, 0))
        return "S10 freed bytes hold the poison";
    return NULL;
}

/* Every descriptor in use; *slabs counts the slabs. */
static const char *check_descriptors(const loam_slabs *s, uint64_t *slabs)
{
    uintptr_t index = 0;
    for (slab_desc *d = loam_slab__next(s, &index); d != NULL; d = loam_slab__next(s, &index)) {
        if (d->kind >= SLAB_KINDS)
            return "S1 a descriptor is of a known kind";
        *slabs += d->kind == SLAB_SLOTS;
        const char *bad =
            d->kind == SLAB_LARGE ? check_large(s, d, index - 1) : check_slab(s, d, index - 1);
        if (bad != NULL)
            return bad;
    }
    return NULL;
}

/* ---- caches and their lists ---- */

/* The descriptors were found sound: a node is one of them exactly if its address leads back. */
static bool check_is_desc_of(const loam_slabs *s, const slab_front *f, const loam_list *node)
{
    if (!check_in_window(s, node))
        return false;
    const slab_desc *d = LOAM_CONTAINER_OF(node, slab_desc, link);
    return d->kind == SLAB_SLOTS && slab_owner_of(d) == f && slab_off(s, d->base) < slab_len(s) &&
           slab_desc_at(s, slab_off(s, d->base)) == d;
}

/* Somebody looked when it became empty: its owner will come again. no order: nobody is inside. */
static bool check_is_queued(const loam_slabs *s, const slab_desc *d)
{
    return slab_is_many(s) && (loam_atomic_load(&slab_remote_of(d)->state) & SLAB_QUEUED) != 0;
}

static uint32_t check_count(const slab_front *f)
{
    return loam_atomic_peek(&f->slabs); /* no order: nobody is inside */
}

static const char *check_list(const slab_front *f, const loam_list *head, bool full,
                              uint32_t *count)
{
    const loam_slabs *s = f->cache->slabs;
    for (const loam_list *n = head->next; n != head; n = n->next) {
        if (++*count > check_count(f) || !check_is_desc_of(s, f, n))
            return "S5 a front's lists hold its slabs";
        const slab_desc *d = LOAM_CONTAINER_OF(n, slab_desc, link);
        if ((slab_head_of(d)->any == 0) != full || slab_is_idle(d))
            return "S5 a slab is on the full list exactly when any is 0";
        if (slab_head_of(d)->used == 0 && f->empty != d && !check_is_queued(s, d))
            return "S5 an empty slab is the one its front keeps";
    }
    return NULL;
}

static const char *check_idle(const slab_front *f, uint32_t *count)
{
    const loam_slabs *s = f->cache->slabs;
    const slab_desc *d = f->idle;
    for (unsigned i = 0; i < f->idles; i++) {
        bool sound = check_in_window(s, d) && ((uintptr_t)d & (SLAB_LINE - 1)) == 0;
        if (++*count > check_count(f) || !sound || !check_is_desc_of(s, f, &d->link))
            return "S5 a front's lists hold its slabs";
        if (!slab_is_idle(d) || slab_head_of(d)->used != 0)
            return "S5 a slab that is idle is empty";
        if (d == slab_current(f) || d == f->empty)
            return "S5 a slab that is idle is nothing else";
        d = LOAM_CONTAINER_OF(d->link.next, slab_desc, link);
    }
    return d == f->idle && (d == NULL) == (f->idles == 0) ? NULL : "S5 idle slabs are a circle";
}

static const char *check_front(const loam_cache *c, const slab_front *f)
{
    const loam_slabs *s = c->slabs;
    uint32_t count = 0;
    const char *bad = check_list(f, &f->partial, false, &count);
    if (bad == NULL)
        bad = check_list(f, &f->full, true, &count);
    if (bad == NULL)
        bad = check_idle(f, &count);
    if (bad != NULL)
        return bad;
    if (count != check_count(f))
        return "S5 a front's lists hold its slabs";
    const uint64_t *word = slab_word_of(f);
    if (word == &s->none)
        return s->none == 0 ? NULL : "S5 the word of a front without a slab is 0";
    const slab_desc *d = slab_current(f);
    bool inside = d != NULL && check_is_desc_of(s, f, &d->link) && word >= d->words &&
                  word < d->words + slab_word_count(c) && !slab_is_shared(s, f);
    return inside ? NULL : "S5 the current word is one of the front's slab";
}

/* The front of a processor; of slabs->ncpus: the shared one. */
static const char *check_place(const loam_cache *c, const slab_front *f, uint32_t cpu,
                               uint64_t *slabs)
{
    const loam_slabs *s = c->slabs;
    bool shared = slab_is_many(s) && cpu == s->ncpus;
    uintptr_t base = (uintptr_t)(c->owner != NULL ? c->owner : c);
    uintptr_t key = shared ? 0 : base;
    if (!check_in_window(s, f) || f->cpu != cpu || f->key != (c->stacked ? 0 : key) ||
        f->told_key != (slab_is_many(s) && !slab_has_seals(s) ? key : 0) ||
        f->stride != c->stride || f->told_stride != slab_told_stride(c->stride) || f->cache != c ||
        f->bound != slab_bound(c->stride, c->slots) ||
        f->beyond != ~loam_mask64(slab_word_count(c)))
        return "S12 a front is what its place says";
    *slabs -= check_count(f);
    return check_front(c, f);
}

static const char *check_fronts(const loam_cache *c, uint64_t *slabs)
{
    const loam_slabs *s = c->slabs;
    const char *bad = check_place(c, &c->shared, slab_is_many(s) ? s->ncpus : 0, slabs);
    if (!check_has_far(s, c))
        return "S12 the fronts of far processors have their places";
    for (uint32_t i = 0; i < s->parts && bad == NULL; i++)
        bad = slab_own_front(c, i) != NULL ? check_place(c, slab_own_front(c, i), i, slabs) : NULL;
    for (uint32_t i = s->parts; i < LOAM_PORT_MAX_CPUS && bad == NULL; i++) {
        if (slab_own_front(c, i) != NULL)
            bad = "S12 a processor finds its own front, or the shared one";
    }
    return bad;
}

static const char *check_cache(const loam_cache *c, uint64_t *slabs)
{
    const loam_slabs *s = c->slabs;
    size_t slab = (size_t)1 << s->shift, lead;
    if (c->size == 0 || c->align < 8 || !loam_is_pow2(c->align) || c->align > slab)
        return "S8 a cache's size and alignment are in range";
    if (c->stride != loam_slab__stride(s, c->size, c->align, &lead) || c->lead != lead ||
        c->slots != slab_slots(s, c->stride))
        return "S8 a cache's slots fit the slab and the object";
    return check_fronts(c, slabs);
}

static const char *check_caches(const loam_slabs *s, uint64_t slabs)
{
    uint32_t count = 0;
    for (const loam_list *n = s->caches.next; n != &s->caches; n = n->next) {
        if (++count > s->cache_count || !check_in_window(s, n))
            return "S8 the list of caches is whole";
        const loam_cache *c = LOAM_CONTAINER_OF(n, loam_cache, link);
        const char *bad = c->slabs == s ? check_cache(c, &slabs) : "S8 the list of caches is whole";
        if (bad != NULL)
            return bad;
    }
    if (count != s->cache_count)
        return "S8 the list of caches is whole";
    return slabs == 0 ? NULL : "S5 a front's lists hold its slabs";
}

/* ---- leaves, lines, quarantine ---- */

/* no order: nobody is inside */
static bool check_is_nothing(const loam_slabs *s, const slab_desc *d)
{
    return d->recip == 0 && loam_atomic_peek16(&d->cpu) == SLAB_NO_CPU && d->kind == SLAB_NONE &&
           !slab_large_is_out(d) && slab_large_lead(d) == 0 && d->base == NULL &&
           d->link.next == NULL && d->link.prev == NULL && slab_owner_of(d) == &s->nobody &&
           d->words == NULL && d->tag == SLAB_GONE && d->former == NULL;
}

const char *loam_slab__check_leaves(const loam_slabs *s)
{
    for (uintptr_t i = 0; i < s->leaves; i++) {
        if (!loam_slab__own_is_ours(s, (const void *)(s->leaf[i] + i * SLAB_LEAF * SLAB_LINE)))
            return "S6 the zone knows a leaf's frame as ours";
    }
    for (unsigned i = 0; s->leaves > 1 && i < SLAB_LEAF; i++) {
        if (!check_is_nothing(s, (const slab_desc *)s->no_leaf + i))
            return "S1 what has no leaf reads as nothing";
    }
    return NULL;
}

static const char *check_line_list(const loam_slabs *s, const loam_list *head, bool full,
                                   uint32_t *frames, uint32_t *used)
{
    for (const loam_list *n = head->next; n != head; n = n->next) {
        if (++*frames > s->line_frames || !check_in_window(s, n))
            return "S7 the lists of line frames are whole";
        const slab_lines *frame = LOAM_CONTAINER_OF(n, slab_lines, link);
        if ((frame->free & 1) != 0 || (frame->free == 0) != full)
            return "S7 a line frame's header is not free, and the frame on its list";
        *used += 64 - 1 - loam_popcount64(frame->free);
    }
    return NULL;
}

static const char *check_lines(const loam_slabs *s)
{
    uint32_t frames = 0, used = 0;
    const char *bad = check_line_list(s, &s->lines_partial, false, &frames, &used);
    if (bad == NULL)
        bad = check_line_list(s, &s->lines_full, true, &frames, &used);
    if (bad != NULL)
        return bad;
    return frames == s->line_frames && used == s->lines_used ? NULL : "S7 the lines used add up";
}

static const char *check_large_ring(loam_slabs *s, const slab_ring *r)
{
    uint64_t bytes = 0;
    if (r->count > r->cap || (r->cap != 0 && r->head >= r->cap))
        return "S11 the quarantine is within its capacity";
    for (uint32_t i = 0; i < r->count; i++) {
        uint32_t at = r->head + i;
        const void *p = r->block[at >= r->cap ? at - r->cap : at];
        if (slab_off(s, p) >= slab_len(s))
            return "S11 what waits is a block";
        const slab_desc *d = slab_desc_at(s, slab_off(s, p));
        if (d->kind != SLAB_LARGE || slab_large_block(d) != p || slab_large_is_out(d))
            return "S11 what waits is marked so";
        bytes += slab_large_bytes(d);
    }
    return bytes == r->bytes && bytes <= r->limit ? NULL : "S11 the bytes that wait add up";
}

/* As check_ring, of a front that slab_swift.c serves. */
static const char *check_held(const slab_front *f, uint64_t *waiting)
{
    size_t kept = loam_slab__kept_bytes(f->cache->slabs, f->stride);
    if (f->kept_mask != kept - sizeof(swift_slot) || (f->kept_at & ~f->kept_mask) != 0 ||
        (uintptr_t)f->held != (uintptr_t)(f + 1) + kept || f->top < f->held ||
        f->top >= f->held + f->ring_cap)
        return "S11 the quarantine is within its capacity";
    for (const swift_slot *held = f->top; held > f->held; held--)
        if (!loam_slab__held_is_sound(f, held))
            return "S11 what waits is marked so";
    uint32_t count = slab_kept_count(f);
    for (uint32_t i = 1; i <= count; i++)
        if (!loam_slab__held_is_sound(f, slab_kept_of(f, i)))
            return "S11 what waits is marked so";
    *waiting -= slab_held_count(f) + count;
    return NULL;
}

/* The fronts were found sound, and all descriptors. *waiting: less those in the ring. */
static const char *check_ring(const loam_slabs *s, const slab_front *f, uint64_t *waiting)
{
    uint32_t cap = f->ring_cap;
    if (cap != loam_slab__ring_cap(s, f->stride))
        return "S11 the quarantine is within its capacity";
    if (cap == 0)
        return NULL;
    if (f->slots != 0)
        return check_held(f, waiting);
    uint32_t count = loam_atomic_peek(&f->waiting); /* no order: nobody is inside */
    if (f->ring_at >= cap || count > cap)
        return "S11 the quarantine is within its capacity";
    for (uint32_t i = 1; i <= count; i++) {
        uint32_t at = f->ring_at >= i ? f->ring_at - i : f->ring_at + cap - i;
        if (!loam_slab__wait_is_sound(f, f->ring[at]))
            return "S11 what waits is marked so";
    }
    *waiting -= count;
    return NULL;
}

static const char *check_waits(const loam_slabs *s, slab_front *f, uint64_t *waiting)
{
    const char *bad = check_ring(s, f, waiting);
    return bad == NULL && f->cache->stacked ? loam_slab__check_stack(f, waiting) : bad;
}

/* Slots of all slabs that are marked so. */
static uint64_t check_waiting(const loam_slabs *s)
{
    uint64_t waiting = 0;
    uintptr_t index = 0;
    for (slab_desc *d = loam_slab__next(s, &index); d != NULL; d = loam_slab__next(s, &index))
        waiting += d->kind == SLAB_SLOTS ? loam_slab__waiting(d) + loam_slab__stacked(d) : 0;
    return waiting;
}

static const char *check_rings(loam_slabs *s)
{
    const char *bad = check_large_ring(s, &s->ring);
    uint64_t waiting = bad == NULL ? check_waiting(s) : 0;
    for (const loam_list *n = s->caches.next; bad == NULL && n != &s->caches; n = n->next) {
        const loam_cache *c = LOAM_CONTAINER_OF(n, loam_cache, link);
        bad = check_ring(s, &c->shared, &waiting);
        for (uint32_t i = 0; i < s->parts && bad == NULL; i++)
            bad = slab_own_front(c, i) != NULL ? check_waits(s, slab_own_front(c, i), &waiting)
                                               : NULL;
    }
    return bad != NULL || waiting == 0 ? bad : "S11 what waits is in a ring";
}

const char *loam_slabs_check(loam_slabs *s)
{
    uint64_t slabs = 0;
    const char *bad = loam_slab__check_leaves(s);
    if (bad == NULL)
        bad = check_descriptors(s, &slabs);
    if (bad == NULL)
        bad = check_caches(s, slabs);
    if (bad == NULL)
        bad = loam_slab__check_idle(s);
    if (bad == NULL)
        bad = check_lines(s);
    if (bad == NULL && slab_is_many(s))
        bad = loam_slab__check_many(s);
    if (bad == NULL && s->kept != NULL)
        bad = loam_slab__check_kept(s);
    if (bad == NULL && s->worn != NULL)
        bad = loam_slab__check_worn(s);
    return bad != NULL ? bad : check_rings(s);
}
