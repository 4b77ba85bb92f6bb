/* SPDX-License-Identifier: MIT */
/* slab_stack.c - slots at hand for a processor's next requests.
 *
 * WHAT   In a heap that is nearly full a word has a free slot or two, and every other request would
 *        turn to another: a search that no predictor learns. With a stack between most requests and
 *        frees touch neither lists nor other slabs. Where rows of blocks come and go words are the
 *        better stack, and it is off.
 *
 * MODEL  free pushes, alloc pops; when nothing is there, slots come from slabs, several at a time;
 *        when it is full, what is freed is free in its slab, as in a cache without stacks.
 *
 *            free ---> [ held | held | held | held ]top ---> alloc        one a front: of a class,
 *               |                              ^                          for a processor
 *               |  full                        | empty: lowest slots
 *               '------> free words of slabs --'
 *
 *            out   free bit 0          free   free bit 1, and its slab does not count it as out
 *            held  free bit 1, but its slab counts it as out: that stays while one of it waits
 *
 *        The bit is the truth: free sets it, alloc clears it. So a double free is told at once,
 *        wherever the slot is. Words are asked for slots only while nothing waits, when each bit is
 *        one that anybody may have; then `any` need not know of what waits. What was pushed last
 *        comes first: it is in the caches still. An entry says where its slot starts and where its
 *        bit is: alloc reads no descriptor. Each slab's descriptor, which free reads anyway, says
 *        whether the stack of its front is on.
 *
 *        Long slots, of which a slab has a word or less, always have it on. A processor tries it
 *        for all short ones when requests have turned to so many words with few free slots, and
 *        gives it up when stacks were full or empty too often; then it waits four times as long.
 *        All its fronts turn at once; one where slots wait when a request finds nothing there.
 *
 *        Where a stack is off a request whose word is used up goes on in the next of the slab that
 *        was begun, after a short look at it: of rows with holes each word has some slots.
 *
 * RULES  S3, S4 and S11 of slab_check.c.
 * LOCKS  As the front, which owns the slabs: the stack is emptied before these move, and when
 *        memory is short. Turning on or off: the layer's, as the descriptors say so.
 * COST   alloc + free of a class: some 70 instructions on x86-64. A slot that comes: some 20.
 *        Turning: O(slabs of the front). Space: 16 bytes an entry, and slots that wait.
 * FROM   Magazines: Bonwick and Adams; thread caches: tcmalloc.
 * NOT    Modes, layers of one processor. Blocks that others freed: they are free in their slabs.
 */
#include "slab_stack.h"

enum {
    STACK_BYTES = 32768, /* of slots that wait, .. */
    STACK_LEAST = 8,     /* .. but so many may, .. */
    STACK_MOST = 32,     /* .. and no more than these */
    STACK_FEW = 4,       /* a part of it: with less another word is looked for */
    STACK_LONG = 63,     /* so many slots a slab has of long ones, whose stack is always on */
    STACK_LOOK = 128,    /* times that one was empty or full: then it is asked if .. */
    STACK_WORTH = 8,     /* .. they had so many slots for each, else they are off */
    STACK_PART = 16,     /* a word with more free slots is one of a row */
    STACK_TRIAL = 128, /* other words that requests for short ones turn to before they are on, .. */
    STACK_PATIENT = 10 /* .. four times as many for each time that it was not worth it: log2 */
};

static uint32_t stack_cap(const loam_cache *c)
{
    uint32_t n = STACK_BYTES / c->stride;
    return n < STACK_LEAST ? STACK_LEAST : n > STACK_MOST ? STACK_MOST : n;
}

size_t loam_slab__stack_bytes(const loam_cache *c)
{
    return c->stacked ? offsetof(slab_stack, held) + (stack_cap(c) + 1) * sizeof(slab_held) : 0;
}

void loam_slab__stack_start(slab_front *f)
{
    uint32_t cap = stack_cap(f->cache);
    slab_stack *k = slab_stack_at(f);
    k->held[0] = (slab_held){NULL, 0};
    k->top = k->held;
    k->limit = k->held + cap;
    k->word = f->word;
    k->slab = NULL;
    k->stride = f->stride;
    k->batch = (uint16_t)(cap / 2);
    k->few = (uint16_t)(cap / STACK_FEW);
    k->on = f->cache->slots <= STACK_LONG;
}

void loam_slab__stack_add(slab_front *f, slab_desc *d, uint64_t *word)
{
    slab_stack *k = slab_stack_at(f);
    slab_head *head = slab_head_of(d);
    unsigned i = (unsigned)(word - d->words);
    uint64_t left = *word, taken = 0;
    uint32_t n = 0;
    for (; n < k->batch && left != 0; n++, left &= left - 1)
        taken |= left & (0 - left);
    head->used += n;
    if (left == 0)
        head->any &= ~(1ULL << i);
    if (head->any == 0)
        slab_list(d);
    slab_held *top = k->top += n;
    for (; taken != 0; taken &= taken - 1, top--) {
        unsigned slot = i * 64 + loam_ctz64(taken);
        *top = (slab_held){d->base + (size_t)slot * f->stride, slab_held_where(word, slot)};
    }
}

/* [own] */
static void stack_turn_list(const loam_slabs *s, const slab_front *f, const loam_list *head)
{
    for (const loam_list *n = head->next; n != head; n = n->next)
        slab_set_cpu(LOAM_CONTAINER_OF(n, slab_desc, link), slab_cpu_of(s, f));
}

/* [own] */
static void stack_turn_idle(const loam_slabs *s, const slab_front *f)
{
    slab_desc *d = f->idle;
    for (unsigned n = f->idles; n > 0; n--, d = LOAM_CONTAINER_OF(d->link.next, slab_desc, link))
        slab_set_cpu(d, slab_cpu_of(s, f));
}

/* [own] Lock held, nothing waits. Each slab says how its slots are freed. */
static void stack_turn(slab_front *f, bool on)
{
    loam_slabs *s = f->cache->slabs;
    slab_stack *k = slab_stack_at(f);
    f->slab = NULL;
    k->slab = NULL;
    k->word = &s->none;
    k->on = on;
    stack_turn_list(s, f, &f->partial);
    stack_turn_list(s, f, &f->full);
    stack_turn_idle(s, f);
}

/* [own] The same of each front of this processor's at once, but where slots wait: one whose words
 * last would go on in the old way for ever, and no processor foresees which way a free goes. */
static void stack_turn_all(loam_slabs *s, uint32_t cpu, bool on)
{
    loam_irq irq = slab_lock(s);
    for (loam_list *n = s->caches.next; n != &s->caches; n = n->next) {
        loam_cache *c = LOAM_CONTAINER_OF(n, loam_cache, link);
        slab_front *f = c->stacked && c->slots > STACK_LONG ? slab_own_front(c, cpu) : NULL;
        slab_stack *k = f != NULL ? slab_stack_at(f) : NULL;
        if (k != NULL && k->on != on && k->top == k->held)
            stack_turn(f, on);
    }
    slab_unlock(s, irq);
}

/* [own] With so many misses the stacks are tried. */
static inline uint32_t stack_trial(const slab_cpu *me)
{
    return (uint32_t)STACK_TRIAL << me->patience;
}

/* [own] Of all classes of short slots at once: a processor that had the stacks of some of them on
 * could not foresee which way a free goes. */
static void stack_decide(slab_cpu *me)
{
    uint32_t look = me->stacked ? STACK_LOOK : stack_trial(me);
    if (me->misses < look)
        return;
    bool on = !me->stacked || me->pushes >= STACK_WORTH * me->misses;
    if (!on && me->patience < STACK_PATIENT)
        me->patience += 2;
    me->stacked = on;
    me->misses = me->pushes = 0;
}

void loam_slab__stack_judge(slab_front *f, uint64_t word)
{
    slab_stack *k = slab_stack_at(f);
    slab_cpu *me = &f->cache->slabs->cpu[f->cpu];
    if (f->cache->slots <= STACK_LONG)
        return;
    if (k->on == me->stacked) {
        me->misses += k->on ? k->misses + 1 : loam_popcount64(word) <= STACK_PART;
        me->pushes += k->pushes;
        stack_decide(me);
    }
    k->misses = k->pushes = 0;
    if (k->on != me->stacked)
        stack_turn_all(f->cache->slabs, f->cpu, me->stacked);
}

/* [own] Are the current slab and a word of it what slots may be given out of? A part of what
 * loam_slab__verify looks at, which looked at the slab when its first word became the current one.
 */
static inline bool stack_is_sound(const slab_front *f, const slab_desc *d, const uint64_t *word)
{
    const loam_cache *c = f->cache;
    unsigned i = (unsigned)(word - d->words);
    return d->kind == SLAB_SLOTS && d->recip == c->recip && slab_owner_of(d) == f &&
           (*word & ~slab_full_word(c, i)) == 0 && slab_head_of(d)->used < c->slots;
}

/* [own] A request goes on in such a word; false: it is time to ask whether stacks should be on. */
static inline bool stack_count(const slab_front *f, uint64_t word)
{
    const loam_slabs *s = f->cache->slabs;
    slab_cpu *me = &s->cpu[f->cpu];
    /* no order: a hint */
    if (me->stacked || me->misses + 1 >= stack_trial(me) || loam_atomic_peek(&s->tight_now) > 1)
        return false;
    me->misses += loam_popcount64(word) <= STACK_PART;
    return true;
}

bool loam_slab__stack_go_on(slab_stack *k, void **object)
{
    slab_desc *d = k->slab;
    if (d == NULL || *k->word != 0)
        return false;
    const slab_front *f = slab_stack_front(k);
    slab_head *head = slab_head_of(d);
    uint64_t any = head->any & ~(1ULL << ((k->word - d->words) & 63)), *word = d->words;
    if (LOAM_UNLIKELY((any & f->beyond) != 0))
        return false;
    while (any != 0 && *(word = d->words + loam_ctz64(any)) == 0)
        any &= any - 1;
    if (any == 0 || slab_is_new_word(d, word) || !stack_is_sound(f, d, word) ||
        !stack_count(f, *word))
        return false;
    head->any = any;
    k->word = word;
    return slab_stack_take(k, object);
}

/* [own] A slot that waits is free; the slab that is to go now, or NULL. */
static slab_desc *stack_leave(const loam_slabs *s, const slab_held *held)
{
    slab_desc *d = slab_desc_at(s, slab_off(s, held->at));
    slab_head_of(d)->used--;
    return loam_slab__settled(d, slab_held_word(held->where));
}

void loam_slab__stack_empty(slab_front *f, const slab_desc *only, loam_list *victims)
{
    const loam_slabs *s = f->cache->slabs;
    slab_stack *k = slab_stack_at(f);
    slab_held *to = k->held;
    for (slab_held *held = k->held + 1; held <= k->top; held++) {
        if (only != NULL && slab_desc_at(s, slab_off(s, held->at)) != only) {
            *++to = *held;
            continue;
        }
        slab_desc *d = stack_leave(s, held);
        if (d != NULL)
            loam_list_push(victims, &d->link);
    }
    k->top = to;
}

uint32_t loam_slab__stacked(const slab_desc *d)
{
    const loam_cache *c = slab_cache_of(d);
    uint32_t out = c->slots;
    for (unsigned i = 0; i < slab_word_count(c); i++)
        out -= loam_popcount64(loam_atomic_peek64(&d->words[i])); /* no order: nobody is inside */
    return slab_head_of(d)->used - out;
}

/* Is it a free slot of a slab of the front's, and none of those before it? */
static bool stack_is_held(slab_front *f, const slab_held *held)
{
    const loam_cache *c = f->cache;
    const loam_slabs *s = c->slabs;
    uintptr_t off = slab_off(s, held->at);
    const slab_desc *d = off < slab_len(s) ? slab_desc_at(s, off) : NULL;
    unsigned slot = slab_held_slot(held->where);
    if (d == NULL || d->kind != SLAB_SLOTS || slab_owner_of(d) != f || slot >= c->slots ||
        slab_slot_base(d, slot) != held->at ||
        slab_held_word(held->where) != d->words + (slot >> 6) || !slab_slot_is_free(d, slot))
        return false;
    for (const slab_held *other = slab_stack_at(f)->held + 1; other < held; other++) {
        if (other->at == held->at)
            return false;
    }
    return true;
}

const char *loam_slab__check_stack(slab_front *f, uint64_t *waiting)
{
    slab_stack *k = slab_stack_at(f);
    if (k->limit != k->held + stack_cap(f->cache) || k->top < k->held || k->top > k->limit ||
        k->held[0].at != NULL || k->stride != f->stride)
        return "S11 a stack is within its capacity";
    if (k->on ? k->word != &f->cache->slabs->none || k->slab != NULL : k->top != k->held)
        return "S11 a stack that is not on is empty, one that is has no word";
    for (const slab_held *held = k->held + 1; held <= k->top; held++) {
        if (!stack_is_held(f, held))
            return "S11 what a stack holds is a slot of its front's that waits";
    }
    *waiting -= slab_stack_depth(k);
    return NULL;
}
