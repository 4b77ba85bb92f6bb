/* SPDX-License-Identifier: MIT */
/* slab_quarantine.c - freed blocks that wait before their memory is used again.
 *
 * WHAT   Slots wait in a ring of their front, large blocks in a ring of the layer. What is freed
 *        goes in; what has waited longest leaves for it, and is free from then on.
 *
 * MODEL             freed                         free: its bit is set
 *                     |                              ^
 *                     v                              |
 *        ring  [ slot | slot | slot | slot | slot | slot | slot | slot ]   one a front: of a class,
 *                                            ^ oldest: the next goes here   for a processor
 *
 *        A slot in a ring is out by its free bit, and shut by its other bit, as all are that are
 *        not out: no other free can be right. A front's ring holds slots of its own slabs only:
 *        it is emptied before these move. What others free waits from the time on at which the
 *        owner takes it.
 *
 *        How many: as many as SLAB_WAITING_MOST bytes hold, at most SLAB_WAITING_SLOTS, at least
 *        one: with the words that a class is using they stay in a first-level cache of 32 KiB. A
 *        longer queue catches a later write, and makes each block come out of a colder one.
 *        With all modes of `hardened` slots are kept first, SLAB_KEPT_BYTES of them, in a row.
 *        Then they come onto a stack: from there slab_swift.c gives them out again, the last
 *        first, which are in the caches still, without their becoming free before. It holds up to
 *        twice as many as a ring; when they are many the lowest leave together, when they are few
 *        it adds some below them. Only what was ever used of it is in memory.
 *
 *            freed --> kept [ . | . | . | . ] --> stack [ oldest ... | drawn from ]top --> out
 *                                                       ^ added from a word
 *
 * RULES  S11 of slab_check.c.
 * LOCKS  A front's ring: as the front. The layer's: slab_lock. What leaves is given back with
 *        neither.
 * COST   A slot: O(1). A large block: O(blocks that leave), mostly one for one that comes.
 * FROM   AddressSanitizer; a queue for each size: hardened_malloc.
 * NOT    A second look at what leaves: a slot is looked at when it is used again, or when its slab
 *        goes; a large block, whose frames may become anything, when it leaves.
 */
#include "slab_internal.h"

/* ---- slots ---- */

static uint32_t ring_swift_cap(uint32_t n)
{
    uint32_t cap = 8;
    while (cap < 2 * SLAB_WAITING_SLOTS && cap <= n) /* cap, and not 2 * cap: n is half of it */
        cap *= 2;
    return cap;
}

uint32_t loam_slab__ring_cap(const loam_slabs *s, size_t stride)
{
    uint32_t n = s->wait_bytes / (uint32_t)stride;
    if ((s->modes & LOAM_SLAB_QUARANTINE) == 0 || s->ring.limit < stride)
        return 0;
    if (s->swift)
        return ring_swift_cap(n);
    return n == 0 ? 1 : n < SLAB_WAITING_SLOTS ? n : SLAB_WAITING_SLOTS;
}

/* Slots that slab_swift.c keeps: a power of two. */
static uint32_t ring_kept_cap(const loam_slabs *s, size_t stride)
{
    uint32_t most = s->wait_bytes < SLAB_KEPT_BYTES ? s->wait_bytes : SLAB_KEPT_BYTES;
    uint32_t n = most / (uint32_t)stride, cap = 1;
    while (cap < SLAB_KEPT_SLOTS && 2 * cap <= n)
        cap *= 2;
    return cap;
}

size_t loam_slab__kept_bytes(const loam_slabs *s, size_t stride)
{
    bool none = !s->swift || loam_slab__ring_cap(s, stride) == 0;
    return none ? 0 : ring_kept_cap(s, stride) * sizeof(swift_slot);
}

size_t loam_slab__ring_bytes(const loam_slabs *s, size_t stride)
{
    size_t places = loam_slab__ring_cap(s, stride);
    return !s->swift ? places * sizeof(uint64_t)
                     : places * sizeof(swift_slot) + loam_slab__kept_bytes(s, stride);
}

void loam_slab__ring_start(slab_front *f)
{
    const loam_cache *c = f->cache;
    const loam_slabs *s = c->slabs;
    uint32_t cap = loam_slab__ring_cap(s, c->stride);
    f->face = f->word;
    f->ring_cap = cap;
    f->spill = 1;
    if (!c->swift) {
        f->ring = (uint64_t *)(void *)(f + 1);
        return;
    }
    uint32_t kept = ring_kept_cap(s, c->stride), draw = kept < 2 ? 2 : kept;
    f->spill = cap / 4;
    f->kept_mask = (kept - 1) * (uint32_t)sizeof(swift_slot);
    f->held = f->top = (swift_slot *)(void *)(f + 1) + kept;
    f->held[0] = (swift_slot){NULL, 0};
    f->most = f->held + cap - 1;
    f->draw = draw * sizeof(swift_slot);
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(f->magic); i++)
        f->magic[i] = s->magic;
    f->room = c->stride - SLAB_GUARD_LEAD;
    f->span = slab_word_count(c) * sizeof(uint64_t);
    f->slots = c->slots;
    f->swift_key = f->key;
    f->floor = slab_is_shared(s, f) ? f->most : f->held + (draw + 3) / 4 - 1;
}

/* [own] */
static slab_desc *ring_free(slab_desc *d, unsigned slot)
{
    uint64_t *word = d->words + (slot >> 6);
    slab_front *f = slab_owner_of(d);
    bool shared = slab_is_shared(f->cache->slabs, f);
    loam_atomic_poke64(word, *word | 1ULL << (slot & 63)); /* no order: see slab_slot_is_free */
    if (slab_has_shut(f->cache))
        slab_set_shut(d, slot);
    slab_head_of(d)->used--;
    if (!shared &&
        (f->ring_cap == 0 || *slab_word_of(f) == 0)) /* what has waited comes round later */
        slab_set_current(f, d, word);
    return loam_slab__settled(d, word);
}

/* [own] A slot that waited. */
static slab_desc *ring_leave(const loam_slabs *s, uint64_t wait)
{
    return ring_free(slab_wait_desc(s, wait), slab_wait_slot(wait));
}

/* [own] The place of the oldest. */
static uint32_t ring_oldest(const slab_front *f)
{
    return f->ring_at >= f->waiting ? f->ring_at - f->waiting
                                    : f->ring_at + f->ring_cap - f->waiting;
}

static uint32_t ring_next(const slab_front *f, uint32_t at)
{
    return at + 1 == f->ring_cap ? 0 : at + 1;
}

void loam_slab__ring_spill(slab_front *f, loam_list *victims)
{
    const loam_slabs *s = f->cache->slabs;
    for (uint32_t i = 0; i < f->spill; i++) {
        uint64_t old = f->ring[ring_oldest(f)];
        loam_slab__verify_wait(f, old);
        loam_atomic_store(&f->waiting, f->waiting - 1); /* no order: others only look */
        slab_desc *d = ring_leave(s, old);
        if (d != NULL)
            loam_list_push(victims, &d->link);
    }
}

void loam_slab__put_own(slab_desc *d, unsigned slot, loam_list *victims)
{
    slab_front *f = slab_owner_of(d);
    if (f->ring_cap == 0) {
        slab_desc *victim = ring_free(d, slot);
        if (victim != NULL)
            loam_list_push(victims, &victim->link);
        return;
    }
    unsigned char *base = slab_slot_base(d, slot);
    slab_set_shut(d, slot);
    if (f->slots != 0) {
        uint64_t where = slab_held_where(slab_shut(d) + (slot >> 6), slot);
        loam_slab__swift_hold(f, (swift_slot){base + SLAB_GUARD_LEAD, where}, victims);
        return;
    }
    if (f->waiting >= f->ring_cap)
        loam_slab__ring_spill(f, victims);
    f->ring[f->ring_at] = slab_wait_of(base, slot);
    f->ring_at = ring_next(f, f->ring_at);
    loam_atomic_store(&f->waiting, f->waiting + 1); /* no order: as above */
}

/* [own] A slot of a ring, of this slab; NULL: of any: it leaves, and true is returned. */
static bool ring_leaves(const slab_front *f, uint64_t old, const slab_desc *only,
                        loam_list *victims)
{
    const loam_slabs *s = f->cache->slabs;
    if (only != NULL && slab_wait_desc(s, old) != only)
        return false;
    slab_desc *d = ring_leave(s, old);
    if (d != NULL)
        loam_list_push(victims, &d->link);
    return true;
}

/* [own] The same of what slab_swift.c holds. */
static bool held_leaves(const slab_front *f, const swift_slot *held, const slab_desc *only,
                        loam_list *victims)
{
    loam_slab__verify_held(f, held);
    return ring_leaves(f, slab_wait_of_held(held), only, victims);
}

/* [own] Those that slab_swift.c keeps: what stays moves up, the oldest first. */
static void ring_empty_kept(slab_front *f, const slab_desc *only, loam_list *victims)
{
    uint32_t count = slab_kept_count(f), stay = 0;
    for (uint32_t n = count; n > 0; n--) {
        swift_slot *at = slab_kept_of(f, n), old = *at;
        loam_atomic_ptr_store(&at->at, NULL); /* no order: others only count */
        if (held_leaves(f, &old, only, victims))
            continue;
        at = slab_kept_of(f, count - stay++);
        at->where = old.where;
        loam_atomic_ptr_store(&at->at, old.at); /* no order: as above */
    }
    uint32_t next = f->kept_at - (count - stay) * (uint32_t)sizeof(swift_slot);
    loam_atomic_store(&f->kept_at, next & f->kept_mask); /* no order: as above */
}

/* [own] Those that it gives out next, from the lowest on. */
static void ring_empty_held(slab_front *f, const slab_desc *only, loam_list *victims)
{
    swift_slot *top = f->top, *to = f->held;
    for (swift_slot *held = f->held + 1; held <= top; held++) {
        if (!held_leaves(f, held, only, victims))
            *++to = *held;
    }
    loam_atomic_ptr_store((void **)&f->top, to); /* no order: others only count */
    f->picked = 0;
}

void loam_slab__ring_empty(slab_front *f, const slab_desc *only, loam_list *victims)
{
    uint32_t count = f->ring_cap != 0 && f->slots == 0 ? f->waiting : 0;
    if (slab_has_stack(f))
        loam_slab__stack_empty(f, only, victims);
    if (f->ring_cap != 0 && f->slots != 0) {
        ring_empty_kept(f, only, victims);
        ring_empty_held(f, only, victims);
    }
    if (count == 0)
        return;
    uint32_t from = ring_oldest(f), to = from;
    for (uint32_t i = 0; i < count; i++, from = ring_next(f, from)) {
        uint64_t old = f->ring[from];
        loam_slab__verify_wait(f, old);
        if (ring_leaves(f, old, only, victims)) {
            loam_atomic_store(&f->waiting, f->waiting - 1); /* no order: others only look */
            continue;
        }
        f->ring[to] = old;
        to = ring_next(f, to);
    }
    f->ring_at = to;
}

/* ---- large blocks ---- */

/* [lock] The oldest block leaves. */
static slab_desc *large_pop(const loam_slabs *s, slab_ring *ring)
{
    slab_desc *d = slab_desc_at(s, slab_off(s, ring->block[ring->head]));
    ring->head = ring->head + 1 == ring->cap ? 0 : ring->head + 1;
    loam_atomic_store(&ring->count, ring->count - 1); /* no order: others only look */
    ring->bytes -= slab_large_bytes(d);
    return d;
}

/* [lock] */
static void large_push(slab_ring *ring, const slab_desc *d)
{
    uint32_t at = ring->head + ring->count;
    ring->block[at >= ring->cap ? at - ring->cap : at] = slab_large_block(d);
    loam_atomic_store(&ring->count, ring->count + 1); /* no order: others only look */
    ring->bytes += slab_large_bytes(d);
}

bool loam_slab__quarantine_put(loam_slabs *s, slab_desc *d)
{
    bool in = false;
    slab_ring *ring = &s->ring;
    uint64_t bytes = slab_large_bytes(d);
    if ((s->modes & LOAM_SLAB_QUARANTINE) == 0 || bytes > ring->limit)
        return false;
    for (uint32_t turn = 0; !in && turn <= ring->cap; turn++) { /* others add, too */
        slab_desc *oldest = NULL;
        loam_irq irq = slab_lock(s);
        in = ring->count < ring->cap && ring->bytes <= ring->limit - bytes;
        if (in)
            large_push(ring, d);
        else
            oldest = large_pop(s, ring);
        slab_unlock(s, irq);
        if (oldest != NULL)
            loam_slab__large_settle(s, oldest);
    }
    return in;
}

/* All large blocks that wait now leave; did any? */
static bool large_empty(loam_slabs *s)
{
    bool any = false;
    for (uint32_t turn = 0; turn < s->ring.cap; turn++) { /* others may add */
        loam_irq irq = slab_lock(s);
        slab_desc *oldest = s->ring.count != 0 ? large_pop(s, &s->ring) : NULL;
        slab_unlock(s, irq);
        if (oldest == NULL)
            break;
        loam_slab__large_settle(s, oldest);
        any = true;
    }
    return any;
}

/* ---- all ---- */

/* no order: a count for views, where it is not the caller's. */
static uint32_t ring_holds(slab_front *f)
{
    if (f->ring_cap == 0)
        return 0;
    return f->slots != 0 ? slab_held_count(f) + slab_kept_count(f) : loam_atomic_peek(&f->waiting);
}

/* Lock held. The stack of a front that rests, or NULL. */
static void quarantine_empty_left(slab_front *f, loam_list *victims)
{
    if (f != NULL)
        loam_slab__ring_empty(f, NULL, victims);
}

static bool quarantine_empty_slots(loam_slabs *s)
{
    bool any = false;
    loam_list victims;
    loam_list_init(&victims);
    loam_irq irq = slab_lock(s);
    for (loam_list *n = s->caches.next; n != &s->caches; n = n->next) {
        loam_cache *c = LOAM_CONTAINER_OF(n, loam_cache, link);
        slab_front *f = slab_front_here(c);
        any = any || slab_has_stack(f) || ring_holds(f) || ring_holds(&c->shared);
        loam_slab__ring_empty(f, NULL, &victims);
        loam_slab__ring_empty(&c->shared, NULL, &victims);
        for (uint32_t i = 0; i < loam_atomic_peek(&s->resting); i++) /* no order: the lock */
            quarantine_empty_left(slab_own_front(c, s->rester[i]), &victims);
    }
    slab_unlock(s, irq);
    (void)loam_slab__release_all(&victims);
    return any;
}

bool loam_slab__quarantine_empty(loam_slabs *s)
{
    if ((s->modes & LOAM_SLAB_QUARANTINE) == 0 && !s->stacks)
        return false;
    bool any = large_empty(s);
    return quarantine_empty_slots(s) || any;
}

uint64_t loam_slab__quarantined(const loam_slabs *s)
{
    uint64_t count = loam_atomic_peek(&s->ring.count); /* no order: counts for views */
    for (const loam_list *n = s->caches.next; n != &s->caches; n = n->next) {
        loam_cache *c = LOAM_CONTAINER_OF(n, loam_cache, link);
        count += ring_holds(&c->shared);
        for (uint32_t i = 0; i < s->parts; i++)
            count += slab_own_front(c, i) != NULL ? ring_holds(slab_own_front(c, i)) : 0;
    }
    return count;
}

uint32_t loam_slab__waiting(const slab_desc *d)
{
    const loam_cache *c = slab_cache_of(d);
    uint32_t count = 0;
    for (unsigned i = 0; slab_has_shut(c) && i < slab_word_count(c); i++) {
        uint64_t shut = loam_atomic_peek64(&slab_shut(d)[i]); /* no order: as above */
        shut &= ~loam_atomic_peek64(&d->words[i]);            /* no order: as above */
        count += loam_popcount64(shut & slab_full_word(c, i));
    }
    return count;
}
