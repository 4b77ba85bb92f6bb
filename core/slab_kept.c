/* SPDX-License-Identifier: MIT */
/* slab_kept.c - large blocks that were freed, kept for the next request of their size.
 *
 * WHAT   A program that frees 100 KiB mostly wants 100 KiB again soon. The frames stay, and so does
 *        the descriptor: freeing and asking again is a push and a pop, and no call of the zone.
 *
 * MODEL  Lists by size, four a doubling of frames, for each processor: the one that frees keeps.
 *        A block that is kept is a large block that is not out. Frames of an empty slab come here
 *        as a large block, too, and may leave as one.
 *
 *            kept[cpu]   last:  d      list:  .. 16 | 20 | 24 | 28 | 32 | 40 ..   frames
 *                                              |         |
 *                                              d -> d    d -> d -> d     newest first, by next
 *
 *        The last one lies apart, so that a pair needs no lock: the processor puts it where none
 *        is by a store, and takes it by an exchange. Others do so with the lock.
 *
 *        A request looks at the first few of its list and of the next: a block may have an eighth
 *        more than is wanted. When the bytes would be too many, blocks go to the zone, one list
 *        after the other, so that a size nobody asks for any more does not stay for ever. While few
 *        processors ever kept something each may have more: an even part of what all may.
 *
 * RULES  S17  what is kept is large, waits, is on one list, that of its size, or lies apart; frames
 *             and blocks add up, and are within the limit; nothing else waits
 * LOCKS  One a processor, a leaf: others take it to make the blocks go (shrink, a fork). slab_lock
 *        comes before it, in a fork alone. A processor's part counts from its first block on, which
 *        slab_lock says: the pages of the others are nobody's, and a fork leaves them alone.
 * COST   take, keep: O(1): an exchange, or a lock that nobody else wants and looks at eight blocks
 *        at most.
 * FROM   Bins of freed blocks, as every malloc has them; here they are bounded, and no link lies
 *        in the block.
 * NOT    Blocks of 8 MiB and more. With modes that look at or write into freed memory: those blocks
 *        go their own way.
 */
#include "slab_internal.h"

enum {
    KEPT_LOOKS = 4, /* blocks of a list that a request looks at */
    KEPT_GOES = 8   /* blocks that go to the zone at most when one more comes */
};

/* ---- lists; the lock is held ---- */

/* Of sizes from 1 to what is below list SLAB_KEPT_LISTS. */
static inline unsigned kept_list(uint64_t npages)
{
    unsigned log2 = loam_log2_floor(npages);
    return 4 * log2 + (unsigned)(npages << 2 >> log2 & 3);
}

static inline uint32_t kept_frames(const slab_kept *k)
{
    return loam_atomic_peek(&k->frames); /* no order: written with the lock alone */
}

static inline void kept_count(slab_kept *k, uint32_t frames, uint32_t blocks)
{
    loam_atomic_store(&k->frames, kept_frames(k) + frames); /* no order: others read a hint */
    k->blocks += blocks;
}

/* The link lies where the owner of a block that is out does, which views read without the lock. */
static inline void kept_link(slab_desc **at, slab_desc *to)
{
    loam_atomic_ptr_store((void **)at, to); /* no order: to views it is nobody's block */
}

static inline void kept_push(slab_kept *k, slab_desc *d)
{
    unsigned i = kept_list(d->npages);
    LOAM_PORT_NOTE_KEEP(d->base, slab_large_bytes(d));
    kept_link(&d->next, k->list[i]);
    k->list[i] = d;
    k->lists |= 1ULL << i;
    kept_count(k, d->npages, 1);
}

/* Takes the block at this place off list i. */
static inline slab_desc *kept_unlink(slab_kept *k, unsigned i, slab_desc **at)
{
    slab_desc *d = *at;
    LOAM_PORT_NOTE_TAKE(d->base, slab_large_bytes(d));
    kept_link(at, d->next);
    if (k->list[i] == NULL)
        k->lists &= ~(1ULL << i);
    kept_count(k, 0 - d->npages, (uint32_t)-1);
    return d;
}

static inline slab_desc *kept_pick(slab_kept *k, unsigned i, uint64_t least, uint64_t most)
{
    slab_desc **at = &k->list[i];
    if (LOAM_LIKELY(*at != NULL && (*at)->npages == least))
        return kept_unlink(k, i, at);
    for (unsigned n = 0; n < KEPT_LOOKS && *at != NULL; n++, at = &(*at)->next) {
        if ((*at)->npages >= least && (*at)->npages <= most)
            return kept_unlink(k, i, at);
    }
    return NULL;
}

/* Takes blocks off, list after list, until there are at most so many frames; a chain of them. */
static slab_desc *kept_thin(slab_kept *k, uint64_t frames, unsigned blocks)
{
    slab_desc *gone = NULL;
    for (; blocks > 0 && kept_frames(k) > frames; blocks--) {
        uint64_t later = k->lists & ~loam_mask64(k->hand);
        unsigned i = loam_ctz64(later != 0 ? later : k->lists);
        slab_desc *d = kept_unlink(k, i, &k->list[i]);
        k->hand = i + 1;
        kept_link(&d->next, gone);
        gone = d;
    }
    return gone;
}

/* ---- for each processor ---- */

static uint32_t kept_parts(const loam_slabs *s)
{
    return slab_is_many(s) ? s->ncpus + 1 : 1;
}

/* The parts lie backwards: the first one ends where those of slab_cpu begin. */
static inline slab_kept *kept_part(const loam_slabs *s, uint32_t i)
{
    return s->kept - i;
}

/* Parts from here on were never used, and read 0. */
static inline uint32_t kept_end(const loam_slabs *s)
{
    return loam_atomic_load(&s->kept_end); /* pairs with the store in kept_begin */
}

/* Frames that a part keeps at most. */
static inline uint32_t kept_bound(const loam_slabs *s)
{
    return loam_atomic_peek(&s->kept_most); /* no order: it sinks while more keep some */
}

static LOAM_NOINLINE void kept_begin(loam_slabs *s, slab_kept *k)
{
    uint32_t end = (uint32_t)(s->kept - k) + 1;
    loam_irq irq = slab_lock(s);
    if (end > kept_end(s)) {
        uint32_t part = s->kept_total / end;
        loam_atomic_store(&s->kept_end, end); /* pairs with the load in kept_end */
        /* no order: a bound */
        loam_atomic_store(&s->kept_most, part > s->kept_frames ? part : s->kept_frames);
    }
    slab_unlock(s, irq);
    loam_atomic_store(&k->begun, 1); /* no order: who misses it says the same again */
}

static inline slab_kept *kept_mine(const loam_slabs *s)
{
    unsigned cpu = loam_port_cpu();
    return kept_part(s, !slab_is_many(s) ? 0 : cpu < s->ncpus ? cpu : s->ncpus);
}

static inline loam_irq kept_lock(const loam_slabs *s, slab_kept *k)
{
    return slab_is_many(s) ? loam_lock_acquire(&k->lock) : loam_port_irq_save();
}

static inline void kept_unlock(const loam_slabs *s, slab_kept *k, loam_irq irq)
{
    if (slab_is_many(s))
        loam_lock_release(&k->lock, irq);
    else
        loam_port_irq_restore(irq);
}

static bool kept_go(loam_slabs *s, slab_desc *gone)
{
    bool any = gone != NULL;
    while (gone != NULL) {
        slab_desc *next = gone->next;
        loam_slab__large_give_back(s, gone);
        gone = next;
    }
    return any;
}

/* ---- the block that was freed last ---- */

/* The part that all share who have none of their own has none. */
static inline bool kept_has_last(const loam_slabs *s, const slab_kept *k)
{
    return !slab_is_many(s) || k != kept_part(s, s->ncpus);
}

/* Frames of it. no order: a hint. */
static inline uint32_t kept_last_frames(const slab_kept *k)
{
    return loam_atomic_ptr_peek(&k->last) != NULL ? loam_atomic_peek(&k->last_frames) : 0;
}

/* This processor's part; or with the lock, any. NULL: there is none, or somebody has it by now. */
static inline slab_desc *kept_pull_last(slab_kept *k)
{
    /* pairs with the store in kept_set_last */
    slab_desc *d = loam_atomic_ptr_exchange(&k->last, NULL);
    if (d != NULL)
        LOAM_PORT_NOTE_TAKE(d->base, slab_large_bytes(d));
    return d;
}

/* This processor's part. */
static inline slab_desc *kept_take_last(slab_kept *k, uint64_t least, uint64_t most)
{
    slab_desc *d = NULL;
    loam_irq irq = loam_port_irq_save();
    uint32_t frames = kept_last_frames(k);
    if (frames >= least && frames <= most)
        d = kept_pull_last(k);
    loam_port_irq_restore(irq);
    return d;
}

/* The same. */
static inline void kept_set_last(slab_kept *k, slab_desc *d)
{
    LOAM_PORT_NOTE_KEEP(d->base, slab_large_bytes(d));
    loam_atomic_store(&k->last_frames, d->npages); /* no order: its own */
    /* pairs with the exchange in kept_pull_last: what the descriptor says is there */
    loam_atomic_ptr_store(&k->last, d);
}

/* The lock is held. The block is the last one now, and which was that goes to its list. */
static inline void kept_follow_last(const loam_slabs *s, slab_kept *k, slab_desc *d)
{
    slab_desc *before = loam_atomic_ptr_peek(&k->last); /* no order: nobody else takes it */
    if (!kept_has_last(s, k)) {
        kept_push(k, d);
        return;
    }
    kept_set_last(k, d);
    if (before != NULL) {
        LOAM_PORT_NOTE_TAKE(before->base, slab_large_bytes(before));
        kept_push(k, before);
    }
}

/* The same. false: there is one, or the lists have so much that it would be too much. */
static inline bool kept_put_last(const loam_slabs *s, slab_kept *k, slab_desc *d, uint32_t most)
{
    bool put = false;
    loam_irq irq = loam_port_irq_save();
    /* no order: this processor alone puts one there; a hint */
    if (loam_atomic_ptr_peek(&k->last) == NULL && kept_has_last(s, k) &&
        loam_atomic_peek(&k->frames) <= most - d->npages) {
        kept_set_last(k, d);
        put = true;
    }
    loam_port_irq_restore(irq);
    return put;
}

/* least: in one of the lists, and most in that or the next. */
static inline slab_desc *kept_find_listed(const loam_slabs *s, slab_kept *k, uint64_t least,
                                          uint64_t most)
{
    slab_desc *d = NULL;
    if (loam_atomic_peek(&k->frames) < least) /* no order: a hint */
        return NULL;
    loam_irq irq = kept_lock(s, k);
    unsigned i = kept_list(least);
    if ((k->lists >> i & 1) != 0)
        d = kept_pick(k, i, least, most);
    if (d == NULL && (k->lists >> i & 2) != 0)
        d = kept_pick(k, i + 1, least, most);
    kept_unlock(s, k, irq);
    return d;
}

/* The one that was freed last if it is no larger, one of a list, the one that was freed last. */
LOAM_INLINE slab_desc *kept_find(loam_slabs *s, uint64_t least, uint64_t most)
{
    slab_kept *k = kept_mine(s);
    if (most > s->kept_total)
        return NULL;
    slab_desc *d = kept_take_last(k, least, least);
    if (d == NULL)
        d = kept_find_listed(s, k, least, most);
    return d != NULL ? d : kept_take_last(k, least, most);
}

/* The most frames of a block that is given for so many. */
static inline uint64_t kept_most(uint64_t npages)
{
    return npages + npages / 8;
}

slab_desc *loam_slab__kept_take(loam_slabs *s, uint64_t npages)
{
    return kept_find(s, npages, kept_most(npages));
}

/* The lock is held, and given back: some go to make room, until there are at most so many frames
 * beside this block's. What was freed last takes its turn, too. */
static LOAM_NOINLINE bool kept_push_crowded(loam_slabs *s, slab_kept *k, slab_desc *d,
                                            uint32_t most, loam_irq irq)
{
    slab_desc *last = kept_pull_last(k);
    if (last != NULL)
        kept_push(k, last);
    slab_desc *gone = kept_thin(k, most, KEPT_GOES);
    bool room = kept_frames(k) <= most;
    if (room)
        kept_push(k, d);
    kept_unlock(s, k, irq);
    (void)kept_go(s, gone);
    return room;
}

LOAM_INLINE bool kept_keep(loam_slabs *s, slab_desc *d)
{
    uint32_t npages = d->npages, most = kept_bound(s);
    if (npages > most / 2 || npages >> SLAB_KEPT_LOG2 != 0)
        return false;
    slab_kept *k = kept_mine(s);
    if (LOAM_UNLIKELY(loam_atomic_peek(&k->begun) == 0)) /* no order: as in kept_begin */
        kept_begin(s, k);
    if (kept_put_last(s, k, d, most))
        return true;
    loam_irq irq = kept_lock(s, k);
    if (LOAM_UNLIKELY(kept_frames(k) + kept_last_frames(k) > most - npages))
        return kept_push_crowded(s, k, d, most - npages, irq);
    kept_follow_last(s, k, d);
    kept_unlock(s, k, irq);
    return true;
}

bool loam_slab__keep(loam_slabs *s, slab_desc *d)
{
    return kept_keep(s, d);
}

/* ---- the short ways ---- */

static inline bool kept_claim(slab_desc *d, const void *p)
{
    uint8_t seen = loam_atomic_byte_peek(&d->large); /* no order: the cas asks again */
    /* pairs with the store in slab_large_give_out */
    return (seen & SLAB_LARGE_OUT) != 0 && slab_large_block(d) == p &&
           loam_atomic_byte_cas(&d->large, seen, (uint8_t)(seen & ~(unsigned)SLAB_LARGE_OUT));
}

bool loam_slab__large_claim(slab_desc *d, const void *p)
{
    return kept_claim(d, p);
}

void *loam_slab__large_again(loam_slabs *s, const void *owner, size_t size, const void *site)
{
    size_t npages = (size - 1) >> LOAM_PAGE_SHIFT, half = (s->mask + 1) >> LOAM_PAGE_SHIFT >> 1;
    if (npages >= s->kept_total / 2 || *s->slow)
        return NULL;
    npages = (npages > half ? npages : half) + 1;
    slab_desc *d = kept_find(s, npages, kept_most(npages));
    if (d == NULL)
        return NULL;
    slab_large_give_out(d, owner, size, site);
    return d->base;
}

bool loam_slab__large_put(loam_slabs *s, uintptr_t off, const void *owner)
{
    slab_desc *d = slab_desc_at(s, off);
    /* no order: what is out stays what it is */
    if (d->kind != SLAB_LARGE || *s->slow || loam_atomic_ptr_peek(&d->owner) != owner ||
        !kept_claim(d, (const void *)(s->base + off)))
        return false;
    if (s->kept == NULL || !kept_keep(s, d))
        loam_slab__large_give_back(s, d);
    return true;
}

/* ---- frames of slabs ---- */

unsigned char *loam_slab__kept_slab(loam_slabs *s)
{
    uint64_t npages = (uint64_t)(s->mask + 1) >> LOAM_PAGE_SHIFT;
    slab_desc *d = s->kept != NULL ? kept_find(s, npages, npages) : NULL;
    return d != NULL ? d->base : NULL;
}

void loam_slab__kept_lose(loam_slabs *s, unsigned char *base)
{
    slab_desc *d = slab_desc_at(s, slab_off(s, base));
    if (d->kind == SLAB_LARGE) /* it waits for the caller */
        loam_slab__large_give_back(s, d);
    else
        loam_slab__frames_free(s, base);
}

bool loam_slab__kept_name(loam_slabs *s, slab_desc *d, unsigned char *base)
{
    if (s->kept == NULL || !s->keep_empty)
        return false;
    const char *former = slab_former_of(d);
    d->npages = (uint32_t)((s->mask + 1) >> LOAM_PAGE_SHIFT);
    d->kind = SLAB_LARGE;
    d->large = SLAB_LARGE_SLAB;
    d->base = base;
    loam_atomic_poke64(&d->size, (uintptr_t)former); /* no order: a free that comes late reads it */
    loam_list_append(&s->large, &d->link);
    s->large_count++;
    return true;
}

/* ---- everything goes ---- */

bool loam_slab__kept_drop(loam_slabs *s, bool all)
{
    bool any = false;
    for (uint32_t i = 0; i < kept_end(s); i++) {
        slab_kept *k = kept_part(s, i);
        if (!all && k != kept_mine(s))
            continue;
        /* no order: what comes later may stay */
        if (kept_last_frames(k) == 0 && loam_atomic_peek(&k->frames) == 0)
            continue;
        loam_irq irq = kept_lock(s, k);
        slab_desc *last = kept_pull_last(k);
        slab_desc *gone = kept_thin(k, 0, UINT32_MAX);
        kept_unlock(s, k, irq);
        if (last != NULL) {
            kept_link(&last->next, gone);
            gone = last;
        }
        any = kept_go(s, gone) || any;
    }
    return any;
}

uint64_t loam_slab__kept_mine(const loam_slabs *s)
{
    const slab_kept *k = s->kept == NULL ? NULL : kept_mine(s);
    /* no order: a hint */
    return k == NULL ? 0 : loam_atomic_peek(&k->frames) + kept_last_frames(k);
}

void loam_slab__kept_sums(loam_slabs *s, uint64_t *frames, uint64_t *blocks)
{
    *frames = *blocks = 0;
    for (uint32_t i = 0; i < kept_end(s); i++) {
        slab_kept *k = kept_part(s, i);
        uint32_t last = kept_last_frames(k);
        *frames += last;
        *blocks += last != 0;
        if (loam_atomic_peek(&k->frames) == 0) /* no order: others change it meanwhile, anyway */
            continue;
        loam_irq irq = kept_lock(s, k);
        *frames += kept_frames(k);
        *blocks += k->blocks;
        kept_unlock(s, k, irq);
    }
}

void loam_slab__kept_freeze(loam_slabs *s)
{
    for (uint32_t i = 0; i < kept_end(s); i++)
        (void)kept_lock(s, kept_part(s, i));
}

void loam_slab__kept_thaw(loam_slabs *s)
{
    loam_irq irq = loam_port_irq_save(); /* as it was: the layer's lock is held, too */
    for (uint32_t i = kept_end(s); i-- > 0;)
        kept_unlock(s, kept_part(s, i), irq);
}

void loam_slab__kept_start(loam_slabs *s, void *end, bool fresh)
{
    s->kept = (slab_kept *)end - 1;
    if (fresh)
        return;
    __builtin_memset(kept_part(s, kept_parts(s) - 1), 0, kept_parts(s) * sizeof(slab_kept));
    for (uint32_t i = 0; i < kept_parts(s); i++)
        kept_part(s, i)->lock = (loam_lock)LOAM_LOCK_OF(LOAM_RANK_OBJECTS);
}

/* ---- S17 ---- */

static bool kept_is_sound(const loam_slabs *s, const slab_desc *d)
{
    return slab_holds(s, d) && ((uintptr_t)d & (SLAB_LINE - 1)) == 0 && d->kind == SLAB_LARGE &&
           !slab_large_is_out(d) && d->npages != 0 && slab_off(s, d->base) < slab_len(s) &&
           slab_desc_at(s, slab_off(s, d->base)) == d;
}

static const char *kept_check_last(const loam_slabs *s, slab_kept *k, uint32_t *total)
{
    const slab_desc *d = loam_atomic_ptr_peek(&k->last); /* no order: nobody else is inside */
    if (d == NULL)
        return NULL;
    *total += 1;
    bool sound = kept_has_last(s, k) && kept_is_sound(s, d);
    return sound && d->npages == kept_last_frames(k) ? NULL : "S17 the block freed last is kept";
}

static const char *kept_check_part(const loam_slabs *s, const slab_kept *k, uint32_t *total)
{
    uint32_t frames = kept_last_frames(k), blocks = 0;
    for (unsigned i = 0; i < SLAB_KEPT_LISTS; i++) {
        if ((k->list[i] != NULL) != ((k->lists >> i & 1) != 0))
            return "S17 a list that has blocks is named";
        for (const slab_desc *d = k->list[i]; d != NULL; d = d->next) {
            /* no order: nobody else is inside */
            bool apart = d == loam_atomic_ptr_peek(&k->last);
            if (++*total > s->large_count || apart || !kept_is_sound(s, d) ||
                kept_list(d->npages) != i)
                return "S17 what is kept waits, on the list of its size";
            frames += d->npages;
            blocks++;
        }
    }
    bool right = frames == kept_frames(k) + kept_last_frames(k) && blocks == k->blocks;
    return right && frames <= s->kept_total ? NULL : "S17 what is kept adds up";
}

const char *loam_slab__check_kept(const loam_slabs *s)
{
    uint32_t total = 0;
    uintptr_t index = 0;
    for (uint32_t i = 0; i < kept_parts(s); i++) {
        slab_kept *k = kept_part(s, i);
        const char *bad = kept_check_last(s, k, &total);
        if (bad == NULL)
            bad = kept_check_part(s, k, &total);
        if (bad == NULL && i >= kept_end(s) && (kept_frames(k) != 0 || kept_last_frames(k) != 0))
            bad = "S17 a part that has blocks counts";
        if (bad != NULL)
            return bad;
    }
    for (slab_desc *d = loam_slab__next(s, &index); d != NULL; d = loam_slab__next(s, &index))
        total -= d->kind == SLAB_LARGE && !slab_large_is_out(d);
    return total == 0 ? NULL : "S17 what waits is kept";
}
