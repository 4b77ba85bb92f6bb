/* SPDX-License-Identifier: MIT */
/* slab_remote.c - frees of objects whose slab another processor owns: the protocol.
 *
 * WHAT   Tells the owner of a slab, without a lock and many at a time, which of its slots others
 *        freed; and sees to it that the slab does not go while it is told.
 *
 * MODEL  The freeing processor gathers bits in a small table keyed by word. An entry that has to
 *        make room, or is full, is published: ORed into the slab's remote words, after which the
 *        slab is queued, once, on its owner's stack. So is all of it when it holds many bytes. The
 *        owner takes whole stacks, and handles as many slabs of one as it needs.
 *
 *            freeing processor                      any            owner
 *            entry: slab, word, bits --publish--> remote word --take--> free word
 *                                       |                        ^
 *                                       '--queue--> stack: d -> d -'      one stack a processor
 *
 *        remote.state of a slab:
 *
 *                    start                 pin              pin
 *            DEAD ----------> IDLE ----------------> PINNED -----> PINNED twice ...
 *              ^               | ^                     |
 *              '-----kill------' |                     | unpin: one exchange sets QUEUED, too
 *                                |    unpin            v
 *                          (taking: PINNED) <--take-- QUEUED  (may be PINNED, too, and again)
 *
 *        publish   pin; OR each half of the word; OR the summary; unpin. Whose unpin set QUEUED
 *                  owns the slab's place on a stack, and pushes it.
 *        take      QUEUED becomes a pin; exchange the summary with 0, then each half it names; the
 *                  bits become free slots; the pin goes. What is published meanwhile queues again.
 *        kill      IDLE becomes DEAD, by the owner, of a slab with no object out. It fails exactly
 *                  while somebody has it pinned or queued; whoever that is queues it, so that the
 *                  owner comes to it once more.
 *
 *        An unpublished bit is an object that is out: it keeps the slab alive by itself. Only a
 *        double free publishes to a slab that is gone: the pin fails, by state or generation.
 *        A slab may change hands at any time: who takes it from a stack and does not own it pushes
 *        it on the right one; a stack that is closed sends the pusher back to ask for the owner.
 *        What the shared front owns is taken by the publisher, under the lock.
 *
 * RULES  S13 to S15 of slab_check.c.
 * LOCKS  None but for slabs of the shared front. A publisher may be interrupted anywhere.
 * COST   A free that is gathered: no locked instruction, 58 more than what refused it; it reads
 *        nothing that the owner writes meanwhile. A publication, for up to 64 frees: pin, two ORs
 *        or three, unpin, mostly a push: 5. A take: 2, and one for each half that is set.
 * FROM   Message passing of frees as in snmalloc and mimalloc; bits for messages are our own.
 * NOT    A double free between a free here and one on the owner before this one is published: seen
 *        when it is taken, unless the object was given out in between (hardened: seen at once).
 */
#include "slab_internal.h"

/* ---- places ---- */

static uint32_t remote_index(const loam_slabs *s, const slab_desc *d)
{
    return (uint32_t)(slab_off(s, d->base) >> s->shift) + 1;
}

/* Of a slab, or of where one was? What a descriptor said that changed meanwhile may be anything. */
static bool remote_is_index(const loam_slabs *s, uint32_t index)
{
    uintptr_t leaves = loam_atomic_load(&s->leaves); /* pairs with the store in loam_slabs_extend */
    return index - 1 < leaves << SLAB_LEAF_BITS;
}

static slab_desc *remote_desc(const loam_slabs *s, uint32_t index)
{
    return slab_desc_at(s, (uintptr_t)(index - 1) << s->shift);
}

/* ---- refusals that come late ---- */

/* Double frees found when bits met: slots of one word. No lock is held; d is pinned. */
static LOAM_NOINLINE void remote_refuse(loam_slabs *s, slab_desc *d, unsigned word, uint64_t bits)
{
    for (; bits != 0; bits &= bits - 1) {
        slab_place at = {d, word * 64 + loam_ctz64(bits)};
        const loam_cache *c = slab_cache_of(d);
        loam_report r = {.unit = "slab",
                         .what = "double free, found when processors met",
                         .object = "address",
                         .state = "free",
                         .rule = loam_slab__rule_at_risk(SLAB_IS_FREE)};
        r.value = (uintptr_t)slab_slot_base(d, at.slot) + c->lead;
        loam_slab__describe(&at, &r);
        loam_slab__count_refusal(s);
        loam_port_misuse(&r);
    }
}

/* The slab of an entry went back before its bits came: all of its objects had been freed. */
static LOAM_NOINLINE void remote_refuse_gone(loam_slabs *s, const slab_gathered *e)
{
    uint32_t slab = slab_tag_slab(e->tag);
    bool known = remote_is_index(s, slab);
    const loam_report r = {.unit = "slab",
                           .what = "double free, found when processors met",
                           .object = "address",
                           .value = known ? s->base + ((uintptr_t)(slab - 1) << s->shift) : 0,
                           .state = "slab that went back",
                           .name = known ? slab_former_of(remote_desc(s, slab)) : NULL,
                           .rule = loam_slab__rule_at_risk(SLAB_IS_FREE)};
    loam_slab__count_refusal(s);
    loam_port_misuse(&r);
}

/* ---- here ---- */

/* What this processor has; NULL: it keeps nothing, being offline. Interrupts are off. */
static slab_cpu *remote_cpu(const loam_slabs *s)
{
    unsigned cpu = loam_port_cpu();
    return cpu < s->ncpus && !s->cpu[cpu].offline ? &s->cpu[cpu] : NULL;
}

/* ---- states ---- */

void loam_slab__remote_start(loam_slabs *s, slab_desc *d, uint32_t *half)
{
    slab_remote *r = slab_remote_of(d);
    r->half = half != NULL ? half : r->own;
    s->births++;
    d->tag = slab_tag_of(remote_index(s, d), s->births, 0);
    /* pairs with the load in remote_pin */
    loam_atomic_store(&r->state, s->births << SLAB_GENERATION | SLAB_ALIVE);
}

bool loam_slab__kill(const loam_slabs *s, const slab_desc *d)
{
    if (!slab_is_many(s))
        return true;
    slab_remote *r = slab_remote_of(d);
    uint32_t state = loam_atomic_load(&r->state); /* pairs with the cas in remote_unpin */
    if ((state & (SLAB_PINS | SLAB_QUEUED)) != 0)
        return false;
    return loam_atomic_cas(&r->state, state, 0); /* pairs with the cas in remote_pin: one wins */
}

/* Of the slab of this generation. Nothing is read before the first cas, which takes a state that is
 * likely: the line is another processor's, and comes once so, to be written. */
static bool remote_pin(slab_remote *r, uint32_t generation)
{
    uint32_t state = generation << SLAB_GENERATION | SLAB_ALIVE;
    /* pairs with the cas in loam_slab__kill: one wins; and as the load does */
    while (!loam_atomic_cas(&r->state, state, state + SLAB_PIN)) {
        /* pairs with the store in loam_slab__remote_start */
        state = loam_atomic_load(&r->state);
        if (state >> SLAB_GENERATION != generation || (state & SLAB_ALIVE) == 0)
            return false;
    }
    return true;
}

/* Lets the slab go, queued; true: the caller has to bring it to its owner. */
static bool remote_unpin(slab_remote *r)
{
    for (;;) {
        uint32_t state = loam_atomic_load(&r->state); /* no order: the cas below has it */
        /* Pairs with the add in remote_take: what was published before is seen there. Pairs with
         * the load in loam_slab__kill: who kills it is behind all that was done to it. */
        if (loam_atomic_cas(&r->state, state, (state - SLAB_PIN) | SLAB_QUEUED))
            return (state & SLAB_QUEUED) == 0;
    }
}

/* ---- take ---- */

static uint64_t remote_word(slab_remote *r, unsigned word)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < 2; i++) {
        uint32_t *half = &r->half[2 * word + i];
        if (loam_atomic_peek(half) == 0) /* no order: the exchange of the summary has it */
            continue;
        /* pairs with the or in remote_or */
        bits |= (uint64_t)loam_atomic_exchange(half, 0) << 32 * i;
    }
    return bits;
}

/* [own] Bits become slots that wait, which makes others free; returns those that were so before. */
static uint64_t remote_merge_waiting(slab_desc *d, unsigned word, uint64_t bits, loam_list *victims)
{
    uint64_t had = d->words[word] | slab_shut(d)[word];
    bool swift = slab_cache_of(d)->swift;
    if (swift)
        loam_slab__swift_put_word(d, word, bits & ~had, victims);
    for (uint64_t left = bits & ~had; left != 0 && !swift; left &= left - 1)
        loam_slab__put_own(d, word * 64 + loam_ctz64(left), victims);
    return bits & had;
}

/* [own] Bits become free slots; returns those that were free already. */
static uint64_t remote_merge(slab_desc *d, unsigned word, uint64_t bits)
{
    uint64_t free = d->words[word];
    uint64_t fresh = bits & ~free;
    if (fresh == 0)
        return bits;
    loam_atomic_poke64(&d->words[word], free | fresh); /* no order: see slab_slot_is_free */
    if (slab_has_shut(slab_cache_of(d)))
        loam_atomic_poke64(&slab_shut(d)[word],
                           slab_shut(d)[word] | fresh); /* no order: as above */
    slab_head *head = slab_head_of(d);
    head->used -= loam_popcount64(fresh);
    bool was_full = head->any == 0;
    head->any |= 1ULL << word;
    if (was_full)
        slab_list(d);
    return bits & free;
}

/* The words named in half i of the summary, until somebody else owns the slab: those that are left
 * are put back. */
static bool remote_take_named(loam_slabs *s, slab_desc *d, unsigned i, uint32_t named)
{
    slab_remote *r = slab_remote_of(d);
    for (; named != 0; named &= named - 1) {
        slab_hold hold;
        loam_list victims;
        loam_list_init(&victims);
        unsigned word = 32 * i + (unsigned)loam_ctz64(named);
        if (!loam_slab__own(d, &hold)) {
            /* pairs with the exchange in remote_take_words */
            (void)loam_atomic_or(&r->any[i], named);
            return false;
        }
        uint64_t bits = remote_word(r, word);
        uint64_t twice = slab_owner_of(d)->ring_cap != 0
                             ? remote_merge_waiting(d, word, bits, &victims)
                             : remote_merge(d, word, bits);
        loam_slab__leave(s, &hold);
        (void)loam_slab__release_all(&victims);
        if (LOAM_UNLIKELY(twice != 0))
            remote_refuse(s, d, word, twice);
    }
    return true;
}

static bool remote_take_words(loam_slabs *s, slab_desc *d)
{
    slab_remote *r = slab_remote_of(d);
    for (unsigned i = 0; i < 2; i++) {
        if (loam_atomic_peek(&r->any[i]) == 0) /* no order: who sets it later queues again */
            continue;
        /* pairs with the or in remote_or, remote_take_named: the words named have their bits */
        if (!remote_take_named(s, d, i, loam_atomic_exchange(&r->any[i], 0)))
            return false;
    }
    return true;
}

/* The end of a take by its owner: the pin goes, and the slab, too, if nothing of it is out. */
static bool remote_take_end(loam_slabs *s, slab_desc *d)
{
    slab_hold hold;
    loam_list none; /* it is pinned */
    loam_list_init(&none);
    if (!loam_slab__own(d, &hold))
        return false;
    if (hold.locked && slab_cache_of(d)->stacked)
        loam_slab__ring_empty(slab_owner_of(d), d, &none);
    /* no order: only kill asks, which is this processor's, or behind the lock */
    (void)loam_atomic_add(&slab_remote_of(d)->state, (uint32_t)-SLAB_PIN);
    slab_desc *victim = slab_head_of(d)->used == 0 ? loam_slab__emptied(d) : NULL;
    if (hold.locked && victim == NULL && s->modes == 0) /* nothing of it waits */
        loam_slab__take_over(d);
    loam_slab__leave(s, &hold);
    if (victim != NULL)
        loam_slab__release(victim);
    return true;
}

/* A queued slab that is on no stack: true when it is dealt with, false when somebody else owns it
 * by now; then it is queued and on no stack as before. */
static bool remote_take(loam_slabs *s, slab_desc *d)
{
    slab_remote *r = slab_remote_of(d);
    loam_atomic_add(&r->state,
                    (uint32_t)(SLAB_PIN - SLAB_QUEUED)); /* pairs with the cas in remote_unpin */
    if (remote_take_words(s, d) && remote_take_end(s, d))
        return true;
    return !remote_unpin(r);
}

/* ---- stacks ---- */

/* false: the stack is closed. */
static bool remote_push(loam_slabs *s, slab_desc *d, uint32_t cpu)
{
    uint32_t *stack = &s->cpu[cpu].stack, index = remote_index(s, d);
    for (;;) {
        /* pairs with the exchange in loam_slabs_offline, loam_slabs_rest */
        uint32_t top = loam_atomic_load(stack);
        if (top == SLAB_CLOSED)
            return false;
        slab_remote_of(d)->next = top;
        /* pairs with the exchange in front_take, loam_slab__take_next, loam_slabs_offline,
         * loam_slabs_rest */
        if (loam_atomic_cas(stack, top, index))
            return true;
    }
}

/* Brings a queued slab that is on no stack to its owner, who may be the caller; of an owner who
 * rests the caller takes it. */
static void remote_route(loam_slabs *s, slab_desc *d)
{
    for (;;) {
        uint32_t cpu = slab_owner_of(d)->cpu;
        bool here = cpu == s->ncpus || cpu == loam_port_cpu();
        if ((!here && remote_push(s, d, cpu)) || remote_take(s, d))
            return;
    }
}

void loam_slab__take_stack(loam_slabs *s, uint32_t first)
{
    while (first != 0) {
        slab_desc *d = remote_desc(s, first);
        first = slab_remote_of(d)->next; /* now: once taken, it may be queued again */
        remote_route(s, d);
    }
}

slab_desc *loam_slab__take_next(loam_slabs *s)
{
    slab_desc *d = NULL;
    loam_irq irq = loam_port_irq_save();
    slab_cpu *me = remote_cpu(s);
    if (me != NULL) {
        uint32_t index = me->taken;
        if (index == 0 &&
            loam_atomic_peek(&me->stack) != 0)           /* no order: the exchange looks again */
            index = loam_atomic_exchange(&me->stack, 0); /* pairs with the cas in remote_push */
        if (index != 0) {
            d = remote_desc(s, index);
            me->taken = slab_remote_of(d)->next; /* now: once taken, it may be queued again */
        }
    }
    loam_port_irq_restore(irq);
    if (d != NULL)
        remote_route(s, d);
    return d;
}

/* ---- publish ---- */

/* Bits that were there before. */
static uint64_t remote_or(slab_remote *r, unsigned word, uint64_t bits)
{
    uint64_t twice = 0;
    for (unsigned i = 0; i < 2; i++) {
        uint32_t half = (uint32_t)(bits >> 32 * i);
        if (half != 0) /* pairs with the exchange in remote_word */
            twice |= (uint64_t)(loam_atomic_or(&r->half[2 * word + i], half) & half) << 32 * i;
    }
    /* pairs with the exchange in remote_take_words; after the words, so that these are found */
    (void)loam_atomic_or(&r->any[word >> 5], 1U << (word & 31));
    return twice;
}

static void remote_publish(loam_slabs *s, const slab_gathered *e)
{
    uint32_t slab = slab_tag_slab(e->tag);
    unsigned word = slab_tag_word(e->tag);
    slab_desc *d = remote_is_index(s, slab) ? remote_desc(s, slab) : NULL;
    slab_remote *r = slab_remote_of(d);
    if (d == NULL || !remote_pin(r, slab_tag_generation(e->tag))) {
        remote_refuse_gone(s, e);
        return;
    }
    uint64_t bits = e->bits & slab_full_word(slab_cache_of(d), word);
    /* Freed by the owner, too? no order: what is out reads 0. */
    uint64_t free = loam_atomic_peek64(&d->words[word]) & bits;
    if (slab_has_shut(slab_cache_of(d))) /* no order: as above */
        free |= loam_atomic_peek64(&slab_shut(d)[word]) & bits;
    uint64_t twice = free | remote_or(r, word, bits & ~free);
    if (LOAM_UNLIKELY(twice != 0))
        remote_refuse(s, d, word, twice);
    if (remote_unpin(r))
        remote_route(s, d);
}

/* ---- gather ---- */

uint32_t loam_slab__gathered_bytes(const loam_slabs *s, const slab_gathered *e)
{
    uint32_t slab = slab_tag_slab(e->tag);
    unsigned word = slab_tag_word(e->tag);
    if (!remote_is_index(s, slab))
        return 0;
    const slab_desc *d = remote_desc(s, slab);
    const loam_cache *c = slab_cache_of(d);
    if (c == NULL || (d->tag | word) != e->tag)
        return 0;
    return loam_popcount64(e->bits & slab_full_word(c, word)) * slab_told_stride(c->stride);
}

/* [cpu] An entry leaves the table, if it is one. */
static slab_gathered remote_take_out(const loam_slabs *s, slab_cpu *me, slab_gathered *at)
{
    slab_gathered e = *at;
    at->tag = 0;
    me->room += loam_slab__gathered_bytes(s, &e);
    return e;
}

/* [cpu] The next entry from i on; SLAB_GATHER: there is none. */
static unsigned remote_next(const slab_cpu *me, unsigned i)
{
    while (i < SLAB_GATHER && me->entry[i].tag == 0)
        i++;
    return i;
}

/* [cpu] All has left the table: no double free counts any longer. */
static void remote_settle_room(loam_slabs *s, slab_cpu *me)
{
    for (unsigned i = 0; i < SLAB_GATHER; i++) {
        if (me->entry[i].tag != 0)
            return; /* an interrupt gathered behind us */
    }
    me->room = slab_room(s);
    loam_slab__begin(s, loam_port_cpu());
}

void loam_slab__publish_all(loam_slabs *s)
{
    bool any = true;
    for (unsigned i = 0; i <= SLAB_GATHER && any; i++) {
        slab_gathered e = {0};
        loam_irq irq = loam_port_irq_save();
        slab_cpu *me = loam_port_cpu() < s->ncpus ? &s->cpu[loam_port_cpu()] : NULL;
        any = me != NULL && me->room != slab_room(s);
        i = any ? remote_next(me, i) : i;
        if (any && i < SLAB_GATHER)
            e = remote_take_out(s, me, &me->entry[i]);
        else if (any)
            remote_settle_room(s, me);
        loam_port_irq_restore(irq);
        if (e.tag != 0)
            remote_publish(s, &e);
    }
}

/* [cpu] Puts an entry of one bit into the table. *old: what is to be published, if it has a tag:
 * which had its place, or itself. false: it was gathered before. */
static bool remote_put(const loam_slabs *s, slab_cpu *me, const slab_desc *d, const loam_cache *c,
                       const slab_gathered *e, slab_gathered *old)
{
    unsigned word = slab_tag_word(e->tag);
    slab_gathered *at = &me->entry[slab_gather_at(d, word)];
    if (at->tag != e->tag) {
        *old = remote_take_out(s, me, at);
        *at = (slab_gathered){e->tag, ~slab_full_word(c, word)};
    }
    if ((at->bits & e->bits) != 0)
        return false;
    at->bits |= e->bits;
    me->room -= slab_told_stride(c->stride);
    if (at->bits == UINT64_MAX && old->tag == 0)
        *old = remote_take_out(s, me, at);
    return true;
}

bool loam_slab__gather(loam_slabs *s, const slab_desc *d, const loam_cache *c, unsigned slot)
{
    slab_gathered e = {d->tag | slot >> 6, 1ULL << (slot & 63)}, told = {0};
    bool once = true, much = false;
    loam_irq irq = loam_port_irq_save();
    slab_cpu *me = remote_cpu(s);
    if (me != NULL && (s->modes == 0 || slab_has_seals(s))) { /* the seal has told the others */
        once = remote_put(s, me, d, c, &e, &told);
        much = (int32_t)me->room < 0;
    } else {
        told = e;
    }
    loam_port_irq_restore(irq);
    if (told.tag != 0)
        remote_publish(s, &told);
    if (much)
        loam_slab__publish_all(s);
    return once;
}

void loam_slab__tell(loam_slabs *s, slab_gathered *at, loam_irq irq)
{
    slab_gathered full = {0};
    slab_cpu *me = &s->cpu[loam_port_cpu()];
    if (at->bits == UINT64_MAX)
        full = remote_take_out(s, me, at);
    bool much = (int32_t)me->room < 0;
    loam_port_irq_restore(irq);
    if (full.tag != 0)
        remote_publish(s, &full);
    if (much)
        loam_slab__publish_all(s);
}

bool loam_slab__is_told(const loam_slabs *s, const slab_desc *d, unsigned slot)
{
    if (!slab_is_many(s))
        return false;
    const uint32_t *half = slab_remote_of(d)->half;
    /* no order: what is out reads 0 */
    return half != NULL && (loam_atomic_peek(&half[slot >> 5]) >> (slot & 31) & 1) != 0;
}

/* ---- looking ---- */

bool loam_slab__pin(const slab_desc *d)
{
    slab_remote *r = slab_remote_of(d);
    return remote_pin(r, loam_atomic_peek(&r->state) >> SLAB_GENERATION); /* no order: the lock */
}

void loam_slab__unpin(loam_slabs *s, slab_desc *d)
{
    if (remote_unpin(slab_remote_of(d)))
        remote_route(s, d);
}
