/* SPDX-License-Identifier: MIT */
/* slab_stack.c - long slots at hand for a processor's next requests.
 *
 * WHAT   A slab has one word of long slots, and in a heap that is nearly full a free one or two of
 *        them: every other request would turn to another slab, a search that no predictor learns.
 *        With a stack between most requests and frees touch neither lists nor slabs.
 *
 * MODEL  free pushes, alloc pops; when nothing is there, slots come from slabs, several at a time;
 *        when it is full, what is freed is free in its slab, as in a cache without stacks.
 *
 *            free ---> [ held | held | held | held ]top ---> alloc        one a front: of a class,
 *               |                              ^                          for a processor
 *               |  full                        | empty: lowest slots
 *               '------> free words of slabs --'
 *
 *            out      free bit 0   waiting bit 0
 *            held     free bit 0   waiting bit 1      a slot of the front's own slabs
 *            free     free bit 1   waiting bit 0
 *
 *        The bits are the truth: free asks both and sets one, alloc clears it. So a double free is
 *        told at once, wherever the slot is. For its slab a slot that is held is out. What was
 *        pushed last comes first: it is in the caches still.
 *
 *        An entry says where its slot starts and where its bit is: alloc reads no descriptor. A
 *        slab of such a cache says so in its descriptor, which free reads anyway.
 *
 * RULES  S11 of slab_check.c.
 * LOCKS  As the front, which owns the slabs: the stack is emptied before these move, when memory is
 *        short, and when pages would come that are not there yet.
 * COST   alloc + free of a class: some 70 instructions on x86-64. A slot that comes: some 20.
 *        Space: 16 bytes an entry, 8 a slab, and slots that wait.
 * FROM   Magazines: Bonwick and Adams; thread caches: tcmalloc.
 * NOT    Modes, layers of one processor, short slots: 64 of them to a word are mostly enough.
 *        Blocks that others freed: they are free in their slabs.
 */
#include "slab_stack.h"

enum {
    STACK_BYTES = 32768, /* of slots that wait, .. */
    STACK_LEAST = 8,     /* .. but so many may */
    STACK_FEW = 4        /* a part of it: with less another word is looked for */
};

static uint32_t stack_cap(const loam_cache *c)
{
    uint32_t n = STACK_BYTES / c->stride;
    return n < STACK_LEAST ? STACK_LEAST : n;
}

size_t loam_slab__stack_bytes(const loam_cache *c)
{
    return c->stacked ? sizeof(slab_stack) + (stack_cap(c) + 1) * sizeof(slab_held) : 0;
}

void loam_slab__stack_start(slab_front *f)
{
    uint32_t cap = stack_cap(f->cache);
    slab_stack *k = slab_stack_at(f);
    k->held[0] = (slab_held){NULL, 0};
    k->top = k->held;
    k->limit = k->held + cap;
    k->batch = cap / 2;
    k->few = cap / STACK_FEW;
}

void loam_slab__stack_add(slab_front *f, slab_desc *d)
{
    slab_stack *k = slab_stack_at(f);
    uint64_t *wait = slab_waits(d), left = *d->words, taken = 0;
    uint32_t n = 0;
    for (; n < k->batch && left != 0; n++, left &= left - 1)
        taken |= left & (0 - left);
    slab_head_of(d)->used += n;
    loam_atomic_poke64(d->words, left);      /* no order: see slab_slot_is_free */
    loam_atomic_poke64(wait, *wait | taken); /* no order: as above */
    slab_held *top = k->top += n;
    for (; taken != 0; taken &= taken - 1, top--) {
        unsigned slot = loam_ctz64(taken);
        *top = (slab_held){d->base + (size_t)slot * f->stride, slab_held_where(wait, slot)};
    }
}

/* The slab of a slot that waits, and which slot it is. */
static slab_desc *stack_desc(const loam_slabs *s, const slab_held *held, unsigned *slot)
{
    *slot = (unsigned)held->where & 63;
    return slab_desc_at(s, slab_off(s, held->at));
}

/* [own] A slot that waits is free; the slab that is to go now, or NULL. */
static slab_desc *stack_leave(const loam_slabs *s, const slab_held *held)
{
    unsigned slot;
    slab_desc *d = stack_desc(s, held, &slot);
    uint64_t *wait = slab_held_word(held), *word = d->words, bit = 1ULL << slot;
    loam_atomic_poke64(wait, *wait & ~bit); /* no order: see slab_slot_is_free */
    loam_atomic_poke64(word, *word | bit);  /* no order: as above */
    slab_head_of(d)->used--;
    return loam_slab__settled(d, word);
}

void loam_slab__stack_empty(slab_front *f, const slab_desc *only, loam_list *victims)
{
    const loam_slabs *s = f->cache->slabs;
    slab_stack *k = slab_stack_at(f);
    slab_held *to = k->held;
    unsigned slot;
    for (slab_held *held = k->held + 1; held <= k->top; held++) {
        if (only != NULL && stack_desc(s, held, &slot) != only) {
            *++to = *held;
            continue;
        }
        slab_desc *d = stack_leave(s, held);
        if (d != NULL)
            loam_list_push(victims, &d->link);
    }
    k->top = to;
}

size_t loam_slab__stack_room(const loam_slabs *s, uintptr_t off)
{
    const slab_desc *d = slab_desc_at(s, off);
    uint64_t x = (uint64_t)(uint32_t)(off & s->mask) * d->recip;
    const slab_front *f = slab_owner_of(d);
    if (!slab_is_stacked_here(d) || (uint32_t)x > f->bound)
        return 0;
    uint64_t idle = d->words[0] | *slab_waits(d);
    return (idle >> (x >> 32 & 63) & 1) != 0 ? 0 : f->stride;
}

const char *loam_slab__check_stack(slab_front *f, uint64_t *waiting)
{
    const loam_cache *c = f->cache;
    const loam_slabs *s = c->slabs;
    slab_stack *k = slab_stack_at(f);
    if (k->limit != k->held + stack_cap(c) || k->top < k->held || k->top > k->limit ||
        k->held[0].at != NULL)
        return "S11 a stack is within its capacity";
    for (const slab_held *held = k->held + 1; held <= k->top; held++) {
        unsigned slot;
        bool inside = slab_off(s, held->at) < slab_len(s);
        const slab_desc *d = inside ? stack_desc(s, held, &slot) : NULL;
        if (d == NULL || d->kind != SLAB_SLOTS || slab_owner_of(d) != f || slot >= c->slots ||
            slab_slot_base(d, slot) != held->at || slab_held_word(held) != slab_waits(d) ||
            !slab_bit(slab_waits(d), slot))
            return "S11 what a stack holds is a slot of its front's that waits";
    }
    *waiting -= slab_stack_depth(k);
    return NULL;
}
