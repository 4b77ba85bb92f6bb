/* SPDX-License-Identifier: MIT */
#ifndef LOAM_SLAB_INTERNAL_H
#define LOAM_SLAB_INTERNAL_H

/* slab_internal.h - what slab*.c and kmalloc.c do for each other, and nobody else: small questions
 * about the data, and the functions of each file. The fast paths are in slab_fast.h.
 */
#include "slab_data.h"

static inline uintptr_t slab_off(const loam_slabs *s, const void *p)
{
    return (uintptr_t)p - s->base;
}

/* May something of the layer's own lie there? */
static inline bool slab_holds(const loam_slabs *s, const void *p)
{
    return slab_off(s, p) < s->len ||
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
    return s->modes != 0 ? sizeof(slab_front) : offsetof(slab_front, rng);
}

/* The slab of a slot that waits. */
static inline slab_desc *slab_wait_desc(const loam_slabs *s, uint64_t wait)
{
    uintptr_t index = (uintptr_t)(wait >> 16) - 1;
    return (slab_desc *)(s->leaf[index >> SLAB_LEAF_BITS] + index * SLAB_LINE);
}

/* Slots of a slab: with seals there is one behind the last. */
static inline uint32_t slab_slots(const loam_slabs *s, size_t stride)
{
    uint32_t tail = (s->modes & LOAM_SLAB_GUARD) != 0 ? SLAB_GUARD_TAIL : 0;
    return ((uint32_t)(s->mask + 1) - tail) / (uint32_t)stride;
}

/* The front of this processor; the caller keeps interrupts off. */
static inline slab_front *slab_front_of(loam_cache *c)
{
    return LOAM_PORT_MAX_CPUS == 1 ? &c->shared : c->front[loam_port_cpu()];
}

static inline bool slab_is_many(const loam_slabs *s)
{
    return LOAM_PORT_MAX_CPUS > 1 && s->ncpus > 1;
}

/* A processor's own front, or NULL: it uses the shared one, or that is all there is. */
static inline slab_front *slab_own_front(const loam_cache *c, uint32_t cpu)
{
    return c->front[cpu] != &c->shared ? c->front[cpu] : NULL;
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
    /* pairs with the store in slab_fill_desc, front_move: a front may be younger than the slab */
    return loam_atomic_ptr_load(&d->front);
}

/* Is it this processor's? no order: as above. Interrupts are off. */
static inline bool slab_is_here(const slab_desc *d)
{
    return LOAM_PORT_MAX_CPUS == 1 || loam_atomic_byte_peek(&d->cpu) == loam_port_cpu();
}

/* Under the lock, which keeps out all others that write it. */
static inline void slab_set_cpu(slab_desc *d, uint32_t cpu)
{
    uint8_t old = loam_atomic_byte_peek(&d->cpu); /* no order: the lock */
    /* no order: who reads the old one asks the front, too */
    (void)loam_atomic_byte_cas(&d->cpu, old, (uint8_t)cpu);
}

static inline bool slab_is_shared(const loam_slabs *s, const slab_front *f)
{
    return slab_is_many(s) && f->cpu == s->ncpus;
}

static inline loam_cache *slab_cache_of(const slab_desc *d)
{
    return slab_owner_of(d)->cache;
}

/* slab_cpu.room at first. */
static inline uint32_t slab_room(const loam_slabs *s)
{
    return (uint32_t)(2 * s->mask);
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

static inline unsigned slab_word_count(const loam_cache *c)
{
    return (c->slots + 63) >> 6;
}

static inline slab_head *slab_head_of(const slab_desc *d)
{
    return (slab_head *)(void *)d->words - 1;
}

/* The words of a slab that has no lines for them. */
static inline slab_head *slab_inner_head(slab_desc *d)
{
    return (slab_head *)(void *)((unsigned char *)d + SLAB_INNER_AT);
}

/* [own] Puts the slab on the list that `any` wants. */
static inline void slab_list(slab_desc *d)
{
    slab_front *f = slab_owner_of(d);
    loam_list_remove(&d->link);
    loam_list_push(slab_head_of(d)->any != 0 ? &f->partial : &f->full, &d->link);
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

/* Bit set: the slot was freed and waits in its front's ring; its free bit is clear. */
static inline uint64_t *slab_waits(const slab_desc *d)
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
    d->recip = d->nothing = d->kind = d->large = 0;
    slab_set_cpu(d, 0);
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
    (void)loam_atomic_byte_cas(&d->large, now, out);
}

/* Freed objects of a cache with a constructor keep their contents. */
static inline bool slab_poisons(const loam_cache *c)
{
    return (c->slabs->modes & LOAM_SLAB_POISON) != 0 && c->ctor == NULL;
}

/* xorshift64: a state that is not 0 stays so. */
static inline uint64_t loam_slab__random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *state = x;
    return x >> 11;
}

/* [own] 0 .. 63: the highest bits of a linear congruence, Knuth's. */
static inline unsigned slab_random_turn(slab_front *f)
{
    f->rng = f->rng * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(f->rng >> 58);
}

/* [own] Any bit of a word that has one: the first from a place that is drawn, all around. */
static inline unsigned slab_random_bit(slab_front *f, uint64_t w)
{
    unsigned turn = slab_random_turn(f);
    return (loam_ctz64(w >> turn | w << (-turn & 63)) + turn) & 63;
}

static inline unsigned char slab_poison_byte(const loam_slabs *s)
{
    return (s->modes & LOAM_SLAB_ZERO_FREE) != 0 ? 0 : SLAB_POISON_BYTE;
}

static inline uint64_t slab_poison_word(const loam_slabs *s)
{
    return slab_poison_byte(s) * 0x0101010101010101ULL;
}

/* ---- slab.c ---- */

/* The next word with a free slot, and a slot of it; false: every slab of this processor's front is
 * full, or it has none of its own. Not with modes. */
bool loam_slab__refill(loam_cache *c, void **object);
/* This processor's front has a current word with a free slot, any; false: every slab is full, or it
 * has none of its own. */
bool loam_slab__next_word(loam_cache *c);
/* The general allocation: refills, modes, trace. align: 0 for the cache's own. */
void *loam_slab__alloc(loam_cache *c, size_t size, size_t align, const void *site);
/* The general free, by a block of this owner or cache (the other is NULL). */
loam_err loam_slab__free(loam_slabs *s, void *p, const void *owner, loam_cache *cache,
                         const void *caller);
/* After a slot was freed into a word that was empty, or a slab became empty. Restores irq. */
loam_err loam_slab__settle(slab_desc *d, uint64_t *word, loam_irq irq);
/* Makes a slot that is out free, or tells its owner; false: it is free, or told already. */
bool loam_slab__put_slot(slab_desc *d, unsigned slot);
/* [own] The slab has no object out: which is to go now, off its list and dead, or NULL. */
slab_desc *loam_slab__emptied(slab_desc *d);
/* [own] A bit of this word was set: lists and the current word are right again; as emptied. */
slab_desc *loam_slab__settled(slab_desc *d, uint64_t *word);
/* Gives back a slab that is off its list and dead. */
void loam_slab__release(slab_desc *d);
/* Waiting blocks, kept slabs, unused leaves and line frames go; true when something went. Other
 * processors are asked for theirs. */
bool loam_slab__reclaim(loam_slabs *s);

/* ---- slab_fronts.c ---- */

/* Between enter or own, and leave, a front and its slabs are the caller's. */
typedef struct slab_hold {
    loam_irq irq;
    bool locked;
} slab_hold;

/* The front that this processor uses. */
slab_front *loam_slab__enter(loam_cache *c, slab_hold *hold);
/* The front of a slab that is alive; false: it is another processor's, and nothing is held. */
bool loam_slab__own(slab_desc *d, slab_hold *hold);
void loam_slab__leave(loam_slabs *s, const slab_hold *hold);
/* Gives back slabs that are off their lists and dead; were there any? */
bool loam_slab__release_all(loam_list *victims);
/* Gives back the empty slabs that this processor and the shared front keep, of a cache or of all
 * (NULL); did any go? */
bool loam_slab__drop_empty(loam_slabs *s, loam_cache *c);
/* Takes what others freed of this processor's, and gives if they asked; was there anything? */
bool loam_slab__look(loam_slabs *s);
/* Takes what others freed of this processor's, until some of it is of this cache; false: it was
 * not, or others have asked for what can be spared. */
bool loam_slab__take_for(loam_cache *c);
/* The same, and where there is none the next. */
bool loam_slab__more_for(loam_cache *c);
/* A slab with free slots that others handed over becomes this processor's; was there one? */
bool loam_slab__adopt(loam_cache *c);
/* Lock held. A slab of the shared front becomes this processor's, if that has a front of its own:
 * who frees one of its objects mostly has the others, too. */
void loam_slab__take_over(slab_desc *d);
/* Asks every other processor for what it can spare. */
void loam_slab__ask(loam_slabs *s);
/* Waits, if the zone's config says how, until all have given; false: they have not, or there are
 * none. A second turn, which asks again: what one tells an owner in the first, that one gives. */
bool loam_slab__await(loam_slabs *s, unsigned turn);
/* The fronts of a new cache: the shared one, and unless the layer is lazy all others; false: no
 * memory, none is there. */
bool loam_slab__start_fronts(loam_cache *c);
/* Gives this processor a front of its own, unless it has one, or uses what all share; or memory is
 * out: then it goes on using that. */
void loam_slab__make_front(loam_cache *c);
/* Gives back the memory of all but the shared one. */
void loam_slab__end_fronts(loam_cache *c);

/* ---- slab_remote.c ---- */

/* [lock] A slab of the layer begins. half: lines for its remote words, or NULL for those inside. */
void loam_slab__remote_start(loam_slabs *s, slab_desc *d, uint32_t *half);
/* [own] Nobody may touch it any more; false: somebody is about to, and it will be queued. */
bool loam_slab__kill(const loam_slabs *s, const slab_desc *d);
/* Was this slot freed by another processor, and not taken yet? */
bool loam_slab__is_told(const loam_slabs *s, const slab_desc *d, unsigned slot);
/* A slot of another's slab, of this cache, is freed: gathers it; false: it was gathered before. The
 * slab may be gone already, by a wrong free: then its descriptor no longer tells the cache. */
bool loam_slab__gather(loam_slabs *s, const slab_desc *d, const loam_cache *c, unsigned slot);
/* One free more was gathered in this entry, which is full, or now it is much: tells the word, or
 * all. Restores irq. */
void loam_slab__tell(loam_slabs *s, slab_gathered *at, loam_irq irq);
/* Bytes of the frees of an entry; 0 when its slab is gone, by a double free. */
uint32_t loam_slab__gathered_bytes(const loam_slabs *s, const slab_gathered *e);
/* Publishes all that this processor gathered. */
void loam_slab__publish_all(loam_slabs *s);
/* Handles the slabs of a stack that was taken whole, this one and those behind it. */
void loam_slab__take_stack(loam_slabs *s, uint32_t first);
/* Handles the next slab that is queued here, of a processor that is online; NULL: there is none. */
slab_desc *loam_slab__take_next(loam_slabs *s);
/* [lock] Keeps a slab where it is while it is looked at; false: it is gone. */
bool loam_slab__pin(const slab_desc *d);
void loam_slab__unpin(loam_slabs *s, slab_desc *d);

/* ---- slab_find.c ---- */

typedef enum slab_fault {
    SLAB_FINE,
    SLAB_IS_FREE,
    SLAB_IS_WAITING,
    SLAB_IS_INNER,
    SLAB_IS_MISALIGNED,
    SLAB_IS_FOREIGN,
    SLAB_IS_OTHERS,
    SLAB_FAULTS
} slab_fault;

typedef struct slab_place {
    slab_desc *desc; /* NULL when the address is nowhere in a slab or large block */
    unsigned slot;   /* of a slab */
} slab_place;

/* Finds the block that is out at exactly p; any other answer than SLAB_FINE says what p is. */
slab_fault loam_slab__find(loam_slabs *s, const void *p, const void *owner, const loam_cache *cache,
                           slab_place *at);
/* Reports a fault found so: LOAM_EINVAL. freeing: free, else another use. */
loam_err loam_slab__refuse(loam_slabs *s, const void *p, slab_fault fault, const slab_place *at,
                           bool freeing, const void *caller);
/* [own] Looks at a slab that a slow path came upon, and at the word with a free slot that it is to
 * use: ends with the rule that is broken, if one is. */
void loam_slab__verify(const slab_front *f, const slab_desc *d, const uint64_t *word);
/* The same when no object of the slab is out any more: every bit is set. */
void loam_slab__verify_empty(const slab_desc *d);
/* Counts a refusal. */
void loam_slab__count_refusal(loam_slabs *s);
/* The words for a fault: of a free, else of another use. */
const char *loam_slab__what(slab_fault fault, bool freeing);
/* The rule that a free of such an address would break. */
const char *loam_slab__rule_at_risk(slab_fault fault);
/* Name, size and site of what lies there, for a report. */
void loam_slab__describe(const slab_place *at, loam_report *r);
/* Bytes that the owner of the block may use. */
size_t loam_slab__usable(const slab_place *at);
/* The next descriptor in use at or after *index, which is moved past it; NULL: no more. With many
 * processors [lock], or nobody else inside. */
slab_desc *loam_slab__next(const loam_slabs *s, uintptr_t *index);
/* A walk over all that is in use, by address, while others may be inside. Starts with all zero. */
typedef struct slab_visit {
    uintptr_t index; /* where to look next */
    slab_desc *slab; /* stays where it is until the next step; NULL: a large block, as it was */
    const void *owner, *site;
    void *block; /* NULL: it waits */
    size_t size;
} slab_visit;
bool loam_slab__visit(loam_slabs *s, slab_visit *v);
/* Ends a walk early. */
void loam_slab__visit_end(loam_slabs *s, slab_visit *v);

/* ---- slab_meta.c ---- */

void *loam_slab__frames_alloc(loam_slabs *s, uint64_t npages);
void loam_slab__frames_free(loam_slabs *s, void *va);
/* A block of so many frames has another number of them, in place; false: it has not. */
bool loam_slab__frames_resize(loam_slabs *s, void *va, uint64_t was, uint64_t npages);
/* The same for what is the layer's own. */
void *loam_slab__own_alloc(loam_slabs *s, uint64_t npages);
void loam_slab__own_free(loam_slabs *s, void *va);
/* Does the zone know a frame of the layer's own as the object layers'? */
bool loam_slab__own_is_ours(const loam_slabs *s, const void *va);
/* Makes a frame, or two, a leaf that knows of nothing. */
void loam_slab__leaf_clear(loam_slabs *s, unsigned char *leaf);
/* What the zones say of the frame at an offset of the window. */
loam_frame_state loam_slab__frame_state(const loam_slabs *s, uintptr_t off);
/* The descriptor for an address of the window, its leaf made when missing; NULL: no memory. */
slab_desc *loam_slab__desc_make(loam_slabs *s, const void *va);
/* Gives back the leaf of this address, or every one (NULL), when nothing uses it; did any go? */
bool loam_slab__leaf_trim(loam_slabs *s, const void *va);
/* Whole lines, or whole frames when that is more than a frame has. NULL: no memory. */
void *loam_slab__meta_alloc(loam_slabs *s, size_t bytes);
void loam_slab__meta_free(loam_slabs *s, void *p, size_t bytes);
/* Gives back line frames that nothing uses; did any go? */
bool loam_slab__meta_trim(loam_slabs *s);

/* ---- slab_modes.c ---- */

/* A slot that was just taken becomes a block: poison checked, magic written. */
void *loam_slab__dress(slab_desc *d, unsigned slot, size_t size, size_t align, const void *site);
/* A block comes back: magic checked, poison written; the slot is free or waits. false: it came back
 * already. */
bool loam_slab__undress(slab_desc *d, unsigned slot);
/* The seal of this room says from now on that no block is there; false: it did so already. */
bool loam_slab__claim(const loam_slabs *s, unsigned char *base, size_t room);
/* The size of a block changes in place. */
void loam_slab__redress(const loam_slabs *s, const slab_place *at, size_t size, const void *site);
/* A slab begins: no slot of it was ever out. */
void loam_slab__slab_comes(const slab_desc *d);
/* The last look at one that goes. */
void loam_slab__slab_goes(const slab_desc *d);
void loam_slab__large_dress(slab_desc *d, const loam_slabs *s);
/* false: it came back already. */
bool loam_slab__large_undress(loam_slabs *s, slab_desc *d, const void *p);
/* What the seals say of a slot whose bits say out; where there are none: the class's size. */
typedef struct slab_block {
    unsigned char *at;
    size_t size;
    bool out, whole; /* false: it came back and nobody told yet; its seal was written into */
} slab_block;
slab_block loam_slab__block(const slab_desc *d, unsigned slot);
/* The side of the block whose magic is damaged, or NULL. */
const char *loam_slab__guard_fault(const slab_place *at, const loam_slabs *s);
bool loam_slab__poison_fault(const loam_slabs *s, const slab_desc *d, unsigned slot);
/* Is the seal of a slot that is free, or waits, another? */
bool loam_slab__seal_fault(const loam_slabs *s, const slab_desc *d, unsigned slot);
_Noreturn void loam_slab__damage(const char *rule, const char *state, const slab_place *at);
/* A large block that waited is looked at, and goes. */
void loam_slab__large_settle(loam_slabs *s, slab_desc *d);

/* ---- slab_swift.c: where loam_slabs.swift, and the cache is ---- */

/* What is taken and freed mostly, at once: slab_swift.h. */
void *loam_slab__take_swift(loam_cache *c, size_t size, size_t align);
bool loam_slab__put_swift(loam_slabs *s, void *block, const void *owner);

/* ---- slab_quarantine.c ---- */

/* [own] A slot that is out is free from now on, or waits, and who waited longest is free; the slab
 * that is to go now, off its list and dead, or NULL. */
slab_desc *loam_slab__put_own(slab_desc *d, unsigned slot);
/* [own] All that waits in a front's ring is free, or what waits of one slab (not NULL); slabs that
 * are to go join the list. */
void loam_slab__ring_empty(slab_front *f, const slab_desc *only, loam_list *victims);
/* A large block that was claimed waits from now on, and others so no longer; false: there is no
 * such mode, or the block is too large for it. */
bool loam_slab__quarantine_put(loam_slabs *s, slab_desc *d);
/* All that waits in this processor's rings, and in the shared ones, goes; did any? */
bool loam_slab__quarantine_empty(loam_slabs *s);
/* Blocks that wait: [lock] of all caches and large; of one slab. */
uint64_t loam_slab__quarantined(const loam_slabs *s);
uint32_t loam_slab__waiting(const slab_desc *d);
/* Slots of a stride that wait for a front. */
uint32_t loam_slab__ring_cap(const loam_slabs *s, size_t stride);

/* ---- slab_large.c ---- */

void *loam_slab__large_alloc(loam_slabs *s, const void *owner, size_t size, size_t align,
                             const void *site);
/* The same, and the block reads 0. */
void *loam_slab__large_zeroed(loam_slabs *s, const void *owner, size_t size, size_t align,
                              const void *site);
/* Traces what happens to a large block, and counts OBJ_FAIL. */
void loam_slab__large_tell(loam_slabs *s, loam_trace_kind kind, const void *p, uint64_t size);
/* Whose a block is, how large, and who asked; it is the caller's. */
void loam_slab__large_name(slab_desc *d, const void *owner, size_t size, const void *site);
/* Keeps the block or gives its frames back; it is claimed. */
void loam_slab__large_release(loam_slabs *s, slab_desc *d);
/* Its descriptor is clear, and nobody's; the block was claimed. Its frames. */
unsigned char *loam_slab__large_forget(loam_slabs *s, slab_desc *d);
/* Gives the frames back; the block is claimed. */
void loam_slab__large_give_back(loam_slabs *s, slab_desc *d);
/* A large block that is the caller's has room for so many bytes, in place, where blocks are kept:
 * when it grows for some more besides; false: it has not. */
bool loam_slab__large_resize(loam_slabs *s, slab_desc *d, size_t size);
/* Bytes for the block in its frames. */
size_t loam_slab__large_room(const loam_slabs *s, const slab_desc *d);

/* ---- slab_kept.c ---- */

/* A block that is out is on its way back; false: it is none, or was claimed before. */
bool loam_slab__large_claim(slab_desc *d, const void *p);
/* Without modes, a trace or an aligned address: a block out of what is kept; NULL: the general way.
 */
void *loam_slab__large_again(loam_slabs *s, const void *owner, size_t size, const void *site);
/* Without modes or a trace: frees a large block of this owner that starts at an offset of the
 * window; false: it is none, nothing done. */
bool loam_slab__large_put(loam_slabs *s, uintptr_t off, const void *owner);
/* A kept block of so many frames, or a few more, that lies at a multiple of the slab size: it is
 * the caller's, and waits. NULL: none. */
slab_desc *loam_slab__kept_take(loam_slabs *s, uint64_t npages);
/* Keeps a block that is claimed; false: it is too large, or there are too many. Others may go. */
bool loam_slab__keep(loam_slabs *s, slab_desc *d);
/* Frames of a slab out of what is kept; NULL: none. */
unsigned char *loam_slab__kept_slab(loam_slabs *s);
/* Lock held. The frames of a slab whose descriptor is clear become a large block that waits; false:
 * none is kept. It remembers what the descriptor does. */
bool loam_slab__kept_name(loam_slabs *s, slab_desc *d, unsigned char *base);
/* This processor's go back, or everybody's; did any? */
bool loam_slab__kept_drop(loam_slabs *s, bool all);
/* Frames and blocks that are kept. */
void loam_slab__kept_sums(loam_slabs *s, uint64_t *frames, uint64_t *blocks);
/* Every processor's lock, for a copy of the whole; and back. */
void loam_slab__kept_freeze(loam_slabs *s);
void loam_slab__kept_thaw(loam_slabs *s);
/* The parts of a layer that keeps, at this place; fresh: it reads 0. */
void loam_slab__kept_start(loam_slabs *s, void *at, bool fresh);
/* Frames of this processor that are kept. */
uint64_t loam_slab__kept_mine(const loam_slabs *s);
/* S17; the descriptors are sound. */
const char *loam_slab__check_kept(const loam_slabs *s);

/* ---- slab_worn.c ---- */

/* These bytes are about to be given out, from now on they may hold what was written. len > 0, in
 * all of these. */
void loam_slab__wear(loam_slabs *s, const void *va, size_t len);
/* Was all of it given out since it read 0, or is that not known? */
bool loam_slab__is_worn(const loam_slabs *s, const void *va, size_t len);
/* Some of it? */
bool loam_slab__has_worn(const loam_slabs *s, const void *va, size_t len);
/* The pieces that lie in it whole read 0 again; the caller has all their frames. */
void loam_slab__wear_not(loam_slabs *s, const void *va, size_t len);
/* Writes 0 where it is worn. */
void loam_slab__wear_zero(loam_slabs *s, unsigned char *va, size_t len);
/* S18; the descriptors are sound. */
const char *loam_slab__check_worn(const loam_slabs *s);

/* ---- slab_check.c ---- */

/* S6: may the leaves be read? The first question of every check. */
const char *loam_slab__check_leaves(const loam_slabs *s);
/* May the large block be believed: its place, its list and its size? */
bool loam_slab__large_is_sound(const loam_slabs *s, const slab_desc *d, uintptr_t index);

/* S13 to S16; all other rules hold. slab_check_many.c */
const char *loam_slab__check_many(const loam_slabs *s);

/* ---- slab_cache.c ---- */

loam_cache *loam_slab__cache_create(loam_slabs *s, const char *name, size_t size, size_t align,
                                    const void *owner, loam_ctor_fn *ctor, void *ctx);
size_t loam_slab__stride(const loam_slabs *s, size_t size, size_t align, size_t *lead);

#endif
