/* SPDX-License-Identifier: MIT */
#ifndef LOAM_SLAB_DESC_H
#define LOAM_SLAB_DESC_H

/* slab_desc.h - small questions about slabs, fronts, words and large blocks, which all slab*.c and
 * kmalloc.c ask. The data are in slab_data.h.
 */
#include "slab_data.h"

static inline uintptr_t slab_off(const loam_slabs *s, const void *p)
{
    return (uintptr_t)p - s->base;
}

/* Bytes of the window. */
static inline uintptr_t slab_len(const loam_slabs *s)
{
    /* no order: who has a block behind the old end got it later than layer_set_len stored */
    return (uintptr_t)loam_atomic_ptr_peek((void *const *)&s->len);
}

/* May something of the layer's own lie there? */
static inline bool slab_holds(const loam_slabs *s, const void *p)
{
    return slab_off(s, p) < slab_len(s) ||
           (uintptr_t)p - (uintptr_t)s->meta_map.va < (uintptr_t)s->meta_map.len;
}

/* off is inside the window. */
static inline slab_desc *slab_desc_at(const loam_slabs *s, uintptr_t off)
{
    uintptr_t index = off >> s->shift;
    return (slab_desc *)(s->leaf[index >> SLAB_LEAF_BITS] + index * SLAB_LINE);
}

/* Bytes of a front: the modes want a line more. */
static inline size_t slab_front_size(const loam_slabs *s)
{
    return s->modes != 0 ? sizeof(slab_front) : offsetof(slab_front, face);
}

/* The slab of a slot that waits. */
static inline slab_desc *slab_wait_desc(const loam_slabs *s, uint64_t wait)
{
    return slab_desc_at(s, slab_off(s, slab_wait_base(wait)));
}

/* What slab_swift.c gives to nobody yet: a row behind the front; the place that comes n places
 * before the next. */
static inline swift_slot *slab_kept_of(const slab_front *f, uint32_t n)
{
    uint32_t next = loam_atomic_peek(&f->kept_at); /* no order: as below */
    uint32_t at = (next - n * (uint32_t)sizeof(swift_slot)) & f->kept_mask;
    return (swift_slot *)((uintptr_t)(f + 1) + at);
}

/* How many of these are used: those before the next place. no order: a count for views, where it is
 * not the caller's. */
static inline uint32_t slab_kept_count(const slab_front *f)
{
    uint32_t n = 0, most = f->slots != 0 ? f->kept_mask / sizeof(swift_slot) + 1U : 0;
    while (n < most && loam_atomic_ptr_peek(&slab_kept_of(f, n + 1)->at) != NULL)
        n++;
    return n;
}

/* Those that are next. no order: as above. */
static inline uint32_t slab_held_count(const slab_front *f)
{
    const swift_slot *top = loam_atomic_ptr_peek((void *const *)&f->top);
    return f->slots != 0 ? (uint32_t)(top - f->held) : 0;
}

/* Slots of a slab: with seals there is one behind the last. */
static inline uint32_t slab_slots(const loam_slabs *s, size_t stride)
{
    uint32_t tail = (s->modes & LOAM_SLAB_GUARD) != 0 ? SLAB_GUARD_TAIL : 0;
    return ((uint32_t)(s->mask + 1) - tail) / (uint32_t)stride;
}

/* Whom the processors beyond the near ones use, NULL for the shared front; or NULL. */
static inline slab_front **slab_far_fronts(const loam_cache *c)
{
    return loam_atomic_ptr_load(&c->far); /* pairs with the store in front_make_far */
}

/* A processor's own front, or NULL: it uses the shared one, or that is all there is. */
static inline slab_front *slab_own_front(const loam_cache *c, uint32_t cpu)
{
    if (SLAB_FAR == 0 || LOAM_LIKELY(cpu < SLAB_NEAR))
        return c->front[cpu] != &c->shared ? c->front[cpu] : NULL;
    slab_front **far = slab_far_fronts(c);
    return far != NULL ? far[cpu - SLAB_NEAR] : NULL;
}

/* The front of this processor; the caller keeps interrupts off. */
static inline slab_front *slab_front_of(loam_cache *c)
{
    if (LOAM_PORT_MAX_CPUS == 1)
        return &c->shared;
    if (SLAB_FAR == 0 || LOAM_LIKELY(loam_port_cpu() < SLAB_NEAR))
        return c->front[loam_port_cpu()];
    slab_front *own = slab_own_front(c, loam_port_cpu());
    return own != NULL ? own : &c->shared;
}

static inline bool slab_is_many(const loam_slabs *s)
{
    return LOAM_PORT_MAX_CPUS > 1 && s->ncpus > 1;
}

/* This processor's part, while it is online; else NULL. */
static inline slab_cpu *slab_cpu_here(const loam_slabs *s)
{
    unsigned cpu = loam_port_cpu();
    return slab_is_many(s) && cpu < s->ncpus && !s->cpu[cpu].offline ? &s->cpu[cpu] : NULL;
}

/* The same for more than a look at the current word: who is offline uses the shared one. */
static inline slab_front *slab_front_here(loam_cache *c)
{
    slab_front *f = slab_front_of(c);
    bool own = LOAM_PORT_MAX_CPUS > 1 && f != &c->shared;
    return own && c->slabs->cpu[loam_port_cpu()].offline ? &c->shared : f;
}

/* The front that owns a slab. Only the owner changes it, who so reads what is; what others read may
 * be out of date, and they find out at the stack or under the lock. */
static inline slab_front *slab_owner_of(const slab_desc *d)
{
    /* pairs with the store in slab_fill_desc, loam_slab__move: a front may be younger than the
     * slab */
    return loam_atomic_ptr_load(&d->front);
}

/* Is it this processor's? no order: as above. Interrupts are off. */
static inline bool slab_is_here(const slab_desc *d)
{
    return LOAM_PORT_MAX_CPUS == 1 || loam_atomic_peek16(&d->cpu) == loam_port_cpu();
}

/* The same, where the front's stack is on. no order: as above. */
static inline bool slab_is_stacked_here(const slab_desc *d)
{
    return loam_atomic_peek16(&d->cpu) == (loam_port_cpu() | (unsigned)SLAB_STACKED);
}

/* slab_desc.cpu of a front's slabs. */
static inline uint16_t slab_cpu_of(const loam_slabs *s, const slab_front *f)
{
    const slab_stack *k = (const slab_stack *)(const void *)&f->face;
    if (slab_is_many(s) && f->cpu == s->ncpus)
        return SLAB_NO_CPU;
    return (uint16_t)(f->cpu | (f->cache->stacked && k->on ? SLAB_STACKED : 0));
}

/* Under the lock, which keeps out all others that write it. */
static inline void slab_set_cpu(slab_desc *d, uint32_t cpu)
{
    loam_atomic_poke16(&d->cpu, (uint16_t)cpu); /* no order: who reads the old asks the front */
}

static inline bool slab_is_shared(const loam_slabs *s, const slab_front *f)
{
    return slab_is_many(s) && f->cpu == s->ncpus;
}

static inline loam_cache *slab_cache_of(const slab_desc *d)
{
    return slab_owner_of(d)->cache;
}

/* slab_cpu.room at first: two slabs. What waits to be told is memory that its owner lacks, and
 * makes new. */
static inline uint32_t slab_room(const loam_slabs *s)
{
    return (uint32_t)(2 * s->mask);
}

/* What a slot counts there: of long ones a few may wait all the same, a slab's at best. */
static inline uint32_t slab_told_stride(uint32_t stride)
{
    return stride < SLAB_TOLD_MOST ? stride : SLAB_TOLD_MOST;
}

/* Only where there are many processors. */
static inline slab_remote *slab_remote_of(const slab_desc *d)
{
    return (slab_remote *)((uintptr_t)d + LOAM_PAGE_SIZE);
}

/* Frames of a leaf: descriptors, and behind them the remote lines. */
static inline uint64_t slab_leaf_frames(const loam_slabs *s)
{
    return slab_is_many(s) ? 2 : 1;
}

/* Interrupts off, and with many processors the layer's lock. */
static inline loam_irq slab_lock(loam_slabs *s)
{
    return slab_is_many(s) ? loam_lock_acquire(&s->lock) : loam_port_irq_save();
}

static inline void slab_unlock(loam_slabs *s, loam_irq irq)
{
    if (slab_is_many(s))
        loam_lock_release(&s->lock, irq);
    else
        loam_port_irq_restore(irq);
}

/* ceil(2^32 / stride), stride 1 .. 65536: 0 would mean "no slab". */
static inline uint32_t slab_reciprocal(uint32_t stride)
{
    return UINT32_MAX / stride + 1;
}

/* The last slot's offset leaves (slots - 1) x (stride x recip - 2^32) in the low half, the others
 * less. What follows the last slot leaves more, if there is room for a first byte of another; what
 * lies inside a slot leaves recip at least, and that is more than 2^16 and so than this. */
static inline uint32_t slab_bound(uint32_t stride, uint32_t slots)
{
    return (slots - 1) * (stride * slab_reciprocal(stride));
}

/* Bytes before the first slot of a slab of this index: neighbours begin in other sets of the
 * processor's caches. Less than a slot: what lies before it fails the question for the bound. */
static inline uint32_t slab_shade_of(const loam_cache *c, uintptr_t index)
{
    return (uint32_t)index % c->shades << c->shade;
}

/* The first byte of a slab. */
static inline unsigned char *slab_frames_of(const loam_slabs *s, const slab_desc *d)
{
    return d->base - (slab_off(s, d->base) & s->mask);
}

/* [own] Of a slab with slots. */
static inline bool slab_is_idle(const slab_desc *d)
{
    return d->large == SLAB_IDLE;
}

static inline unsigned slab_word_count(const loam_cache *c)
{
    return (c->slots + 63) >> 6;
}

static inline slab_head *slab_head_of(const slab_desc *d)
{
    return (slab_head *)(void *)d->words - 1;
}

/* [own] Was no slot of this word ever out? Its memory may not be there yet. */
static inline bool slab_is_new_word(const slab_desc *d, const uint64_t *word)
{
    return (uint32_t)(word - d->words) >= slab_head_of(d)->begun;
}

/* [own] A slot of this word goes out. */
static inline void slab_begin_word(slab_desc *d, const uint64_t *word)
{
    if (slab_is_new_word(d, word))
        slab_head_of(d)->begun = (uint32_t)(word - d->words) + 1;
}

/* The words of a slab that has no lines for them. */
static inline slab_head *slab_inner_head(slab_desc *d)
{
    return (slab_head *)(void *)((unsigned char *)d + SLAB_INNER_AT);
}

/* [own] On the list of partial slabs: before all others if it is lower than the first, else behind
 * them, so that low ones come early. */
static inline void slab_list_partial(slab_front *f, slab_desc *d)
{
    const slab_desc *first = LOAM_CONTAINER_OF(f->partial.next, slab_desc, link);
    if (loam_list_is_empty(&f->partial) || d->base < first->base)
        loam_list_push(&f->partial, &d->link);
    else
        loam_list_append(&f->partial, &d->link);
}

/* [own] Puts the slab on the list that `any` wants. */
static inline void slab_list(slab_desc *d)
{
    slab_front *f = slab_owner_of(d);
    loam_list_remove(&d->link);
    if (slab_head_of(d)->any != 0)
        slab_list_partial(f, d);
    else
        loam_list_push(&f->full, &d->link);
}

static inline uint64_t slab_full_word(const loam_cache *c, unsigned i)
{
    return loam_mask64(c->slots - 64 * i);
}

/* Has each block a seal behind it? */
static inline bool slab_has_seals(const loam_slabs *s)
{
    return (s->modes & LOAM_SLAB_GUARD) != 0;
}

static inline bool slab_has_shadow(const loam_slabs *s)
{
    return (s->modes & SLAB_SHADOW_MODES) != 0;
}

/* Is there a word of slots that are shut for each word? */
static inline bool slab_has_shut(const loam_cache *c)
{
    return slab_has_shadow(c->slabs);
}

/* Where the stack of a front is, if it has one. */
static inline slab_stack *slab_stack_at(slab_front *f)
{
    return (slab_stack *)(void *)((unsigned char *)f + offsetof(slab_front, face));
}

static inline slab_front *slab_stack_front(slab_stack *k)
{
    return (slab_front *)(void *)((unsigned char *)k - offsetof(slab_front, face));
}

static inline bool slab_has_stack(const slab_front *f)
{
    return f->cache->stacked && f->cpu != f->cache->slabs->ncpus;
}

/* A slot's word, and which slot it is: its lower six bits say which bit. */
static inline uint64_t slab_held_where(const uint64_t *word, size_t slot)
{
    return slab_place_of(word, slot);
}

static inline uint64_t *slab_held_word(uint64_t where)
{
    return (uint64_t *)slab_place_at(where);
}

static inline unsigned slab_held_slot(uint64_t where)
{
    return slab_place_slot(where);
}

/* What slab_swift.c holds, as others have it. */
static inline uint64_t slab_wait_of_held(const swift_slot *held)
{
    uintptr_t base = (uintptr_t)held->at - SLAB_GUARD_LEAD; /* of none, too */
    return slab_wait_of((const unsigned char *)base, slab_held_slot(held->where));
}

/* [own] Is there a stack, and does what is freed wait there? */
static inline bool slab_stack_is_on(const slab_front *f)
{
    return slab_has_stack(f) && ((const slab_stack *)(const void *)&f->face)->on;
}

/* [own] The current word of a front, and the slab where the search for the next one begins. */
static inline uint64_t *slab_word_of(const slab_front *f)
{
    return slab_has_stack(f) ? ((const slab_stack *)(const void *)&f->face)->word : f->word;
}

static inline slab_desc *slab_current(const slab_front *f)
{
    bool below = slab_has_stack(f) && !slab_stack_is_on(f);
    return below ? ((const slab_stack *)(const void *)&f->face)->slab : f->slab;
}

/* [own] A front whose stack is on has no current word. */
static inline void slab_set_current(slab_front *f, slab_desc *d, uint64_t *word)
{
    if (!slab_has_stack(f)) {
        f->word = word;
        f->slab = d;
    } else if (slab_stack_at(f)->on) {
        f->slab = d;
    } else {
        slab_stack_at(f)->word = word;
        slab_stack_at(f)->slab = d;
    }
}

/* [own] Slots that wait there. */
static inline uint32_t slab_stack_depth(const slab_stack *k)
{
    return (uint32_t)(k->top - k->held);
}

/* Bit set: the slot is not out: it is free, or there is none, or it was freed and waits in its
 * front's quarantine; then its free bit is clear. */
static inline uint64_t *slab_shut(const slab_desc *d)
{
    return d->words + slab_word_count(slab_cache_of(d));
}

/* [atomic] Halves of words. Bit set: the slot was never out since the slab was made, and its bytes
 * are anything; its free bit is set. */
static inline uint32_t *slab_virgin(const slab_desc *d)
{
    return (uint32_t *)(void *)(d->words + 2 * slab_word_count(slab_cache_of(d)));
}

/* no order: only who has the slot changes it. */
static inline bool slab_is_virgin(const slab_desc *d, unsigned slot)
{
    return (loam_atomic_peek(slab_virgin(d) + (slot >> 5)) >> (slot & 31) & 1) != 0;
}

/* NULL without the owner mode. */
static inline slab_info *slab_info_of(const slab_desc *d, unsigned slot)
{
    const loam_cache *c = slab_cache_of(d);
    unsigned arrays = slab_has_shadow(c->slabs) ? 3 : 1;
    bool has = (c->slabs->modes & LOAM_SLAB_OWNER) != 0;
    return has ? (slab_info *)(void *)(d->words + arrays * slab_word_count(c)) + slot : NULL;
}

/* A bit of one of the arrays. no order: hints for views, or the owner's own. */
static inline bool slab_bit(const uint64_t *words, unsigned slot)
{
    return (loam_atomic_peek64(&words[slot >> 6]) >> (slot & 63) & 1) != 0;
}

/* Anybody may ask. no order: a block that is out reads 0 until it is freed. */
static inline bool slab_slot_is_free(const slab_desc *d, unsigned slot)
{
    return (loam_atomic_peek64(&d->words[slot >> 6]) >> (slot & 63) & 1) != 0;
}

/* The same of a slot that is not free. */
static inline bool slab_slot_waits(const slab_desc *d, unsigned slot)
{
    return slab_has_shut(slab_cache_of(d)) && slab_bit(slab_shut(d), slot);
}

/* [own] A slot is shut from now on; it is no more. */
static inline void slab_set_shut(slab_desc *d, unsigned slot)
{
    uint64_t *shut = slab_shut(d) + (slot >> 6);
    loam_atomic_poke64(shut, *shut | 1ULL << (slot & 63)); /* no order: see slab_slot_is_free */
}

static inline void slab_clear_shut(slab_desc *d, unsigned slot)
{
    uint64_t *shut = slab_shut(d) + (slot >> 6);
    loam_atomic_poke64(shut, *shut & ~(1ULL << (slot & 63))); /* no order: as above */
}

static inline unsigned char *slab_slot_base(const slab_desc *d, unsigned slot)
{
    return d->base + (size_t)slot * slab_cache_of(d)->stride;
}

/* Nothing of ours starts here any more; or not yet. former: the name of the class that did, for who
 * frees it once more; or NULL. */
static inline void slab_desc_clear(loam_slabs *s, slab_desc *d, const char *former)
{
    /* no order: what was freed nobody may free. Never NULL: who does so all the same looks there */
    loam_atomic_ptr_store(&d->front, &s->nobody);
    if (d->kind != SLAB_SLOTS)
        d->tag = SLAB_GONE;
    d->recip = d->kind = d->large = 0;
    slab_set_cpu(d, SLAB_NO_CPU);
    d->base = NULL;
    d->link = (loam_list){NULL, NULL};
    d->words = NULL;
    d->former = former;
}

/* The class whose blocks were where nothing is now, or NULL. */
static inline const char *slab_former_of(const slab_desc *d)
{
    return d->kind == SLAB_NONE ? d->former : NULL;
}

static inline size_t slab_large_bytes(const slab_desc *d)
{
    return (size_t)d->npages << LOAM_PAGE_SHIFT;
}

/* Bytes before a large block. no order: they are for good. */
static inline size_t slab_large_lead(const slab_desc *d)
{
    unsigned log2 = loam_atomic_byte_peek(&d->large) & (unsigned)SLAB_LARGE_LEAD;
    return log2 == 0 ? 0 : (size_t)1 << log2;
}

static inline unsigned char *slab_large_block(const slab_desc *d)
{
    return d->base + slab_large_lead(d);
}

/* no order: who holds the block knows; others learn what was. */
static inline bool slab_large_is_out(const slab_desc *d)
{
    return (loam_atomic_byte_peek(&d->large) & SLAB_LARGE_OUT) != 0;
}

/* no order: as above. */
static inline bool slab_large_was_slab(const slab_desc *d)
{
    return (loam_atomic_byte_peek(&d->large) & SLAB_LARGE_SLAB) != 0;
}

/* The class of the slab that a kept block was, or NULL. no order: as above. */
static inline const char *slab_large_former(const slab_desc *d)
{
    return (const char *)(uintptr_t)loam_atomic_peek64(&d->size);
}

/* Bytes asked for. no order: as above. */
static inline size_t slab_large_size(const slab_desc *d)
{
    return (size_t)loam_atomic_peek64(&d->size);
}

static inline void slab_large_name(slab_desc *d, const void *owner, size_t size, const void *site)
{
    /* no order: views may see what is half said */
    loam_atomic_ptr_store(&d->owner, (void *)(uintptr_t)owner);
    loam_atomic_poke64(&d->size, size);
    loam_atomic_ptr_store(&d->site, (void *)(uintptr_t)site);
}

/* A block that waits is the caller's, and is given out. */
static inline void slab_large_give_out(slab_desc *d, const void *owner, size_t size,
                                       const void *site)
{
    uint8_t now = loam_atomic_byte_peek(&d->large); /* no order: it waits for the caller alone */
    uint8_t out = (uint8_t)((now & (unsigned)SLAB_LARGE_LEAD) | SLAB_LARGE_OUT);
    slab_large_name(d, owner, size, site);
    /* pairs with the cas in kept_claim: what the descriptor says was written before */
    loam_atomic_byte_store(&d->large, out);
}

/* Every mode but hardened keeps something of a block, or writes into it. */
static inline bool slab_dresses(const loam_slabs *s)
{
    return (s->modes & ~(unsigned)LOAM_SLAB_HARDENED) != 0;
}

/* Freed objects of a cache with a constructor keep their contents. */
static inline bool slab_poisons(const loam_cache *c)
{
    return (c->slabs->modes & LOAM_SLAB_POISON) != 0 && c->ctor == NULL;
}

static inline unsigned char slab_poison_byte(const loam_slabs *s)
{
    return (s->modes & LOAM_SLAB_ZERO_FREE) != 0 ? 0 : SLAB_POISON_BYTE;
}

static inline uint64_t slab_poison_word(const loam_slabs *s)
{
    return slab_poison_byte(s) * 0x0101010101010101ULL;
}

#endif
