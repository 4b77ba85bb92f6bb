/* SPDX-License-Identifier: MIT */
/* slab_check_many.c - the rules of what processors tell each other.
 *
 * WHAT   The part of loam_slabs_check for layers of many processors; the other rules hold already.
 *
 * MODEL  A walk over the remote lines, one over the stacks, one over the tables of gathered frees.
 *
 *            leaf   [d d d d ... ]      cpu 0  stack -> d -> d     entry entry ...   (S13, S15)
 *                   [r r r r ... ]      cpu 1  stack closed        none              (S16)
 *                    (S13, S14)
 *
 * RULES  S13  a slab is alive, and queued exactly when it is on one stack; nobody has it pinned;
 *             where no slab is the remote line reads zero
 *        S14  remote bits are of slots, and in words that the summary names
 *        S15  what is gathered is in its place of the table, of slots, and its bytes are counted
 *        S16  a processor that is offline has nothing gathered, its stack is closed, and unless it
 *             rests it has no slab; who has a front, or gathered something, has begun
 * LOCKS  Nobody else inside.
 * COST   O(window / slab + words + processors).
 * FROM   -
 * NOT    A slot that is free and told or gathered as well: that is its caller's bug, and is refused
 *        when the two meet.
 */
#include "slab_internal.h"

static uint32_t many_state(const slab_desc *d)
{
    return loam_atomic_peek(&slab_remote_of(d)->state); /* no order: nobody is inside */
}

static const char *many_words(const loam_slabs *s, const slab_desc *d, const loam_cache *c)
{
    const slab_remote *r = slab_remote_of(d);
    unsigned words = slab_word_count(c);
    /* no order: nobody is inside */
    uint64_t any = (uint64_t)loam_atomic_peek(&r->any[1]) << 32 | loam_atomic_peek(&r->any[0]);
    if (!slab_is_many(s))
        return any == 0 ? NULL : "S14 remote bits are of slots";
    bool inside = r->half == r->own && 2 * words <= SLAB_OWN_HALVES;
    if (!inside && !slab_holds(s, r->half))
        return "S14 the remote words lie in the window";
    if ((any & ~loam_mask64(words)) != 0)
        return "S14 the summary names words of the slab";
    for (unsigned i = 0; i < words; i++) {
        uint64_t bits = (uint64_t)r->half[2 * i + 1] << 32 | r->half[2 * i];
        if ((bits & ~slab_full_word(c, i)) != 0)
            return "S14 remote bits are of slots";
        if (bits != 0 && (any >> i & 1) == 0)
            return "S14 the summary names words with remote bits";
    }
    return NULL;
}

static const char *many_slab(const loam_slabs *s, const slab_desc *d, uint32_t *queued)
{
    uint32_t state = many_state(d);
    if ((state & SLAB_ALIVE) == 0)
        return "S13 a slab is alive";
    if ((state & SLAB_PINS) != 0)
        return "S13 nobody has a slab pinned";
    *queued += (state & SLAB_QUEUED) != 0;
    return many_words(s, d, slab_cache_of(d));
}

static bool many_is_zero(const slab_remote *r)
{
    const uint32_t *at = (const uint32_t *)(const void *)r;
    uint32_t all = 0;
    for (unsigned i = 0; i < sizeof(*r) / sizeof(*at); i++)
        all |= at[i];
    return all == 0;
}

/* Every remote line that there is, of slabs and others. */
static const char *many_lines(const loam_slabs *s, uint32_t *queued)
{
    const char *bad = NULL;
    for (uintptr_t i = 0; i < s->leaves && bad == NULL; i++) {
        for (uintptr_t n = 0; n < SLAB_LEAF && bad == NULL; n++) {
            uintptr_t index = i << SLAB_LEAF_BITS | n;
            const slab_desc *d = slab_desc_at(s, index << s->shift);
            if (d->kind == SLAB_SLOTS)
                bad = many_slab(s, d, queued);
            else if (!many_is_zero(slab_remote_of(d)))
                bad = "S13 where no slab is the remote line reads zero";
        }
    }
    return bad;
}

/* Slabs on a stack, each queued; false when one is not, or there are more than `most`. */
static bool many_stack(const loam_slabs *s, uint32_t at, uint32_t most, uint32_t *count)
{
    uintptr_t slabs = (uintptr_t)s->leaves << SLAB_LEAF_BITS;
    while (at != 0) {
        if (at > slabs || ++*count > most)
            return false;
        const slab_desc *d = slab_desc_at(s, (uintptr_t)(at - 1) << s->shift);
        if (d->kind != SLAB_SLOTS || (many_state(d) & SLAB_QUEUED) == 0)
            return false;
        at = slab_remote_of(d)->next;
    }
    return true;
}

static bool many_is_entry(const loam_slabs *s, const slab_cpu *cpu, unsigned i)
{
    const slab_gathered *e = &cpu->entry[i];
    uint32_t slab = slab_tag_slab(e->tag);
    unsigned word = slab_tag_word(e->tag);
    if (e->tag == 0)
        return true;
    if (slab - 1 >= (uintptr_t)s->leaves << SLAB_LEAF_BITS)
        return false;
    const slab_desc *d = slab_desc_at(s, (uintptr_t)(slab - 1) << s->shift);
    if (slab_gather_at(d, word) != i)
        return false;
    uint32_t state = many_state(d);
    if ((state & SLAB_ALIVE) == 0 || state >> SLAB_GENERATION != slab_tag_generation(e->tag))
        return true; /* a double free, not found out yet */
    const loam_cache *c = slab_cache_of(d);
    if (word >= slab_word_count(c))
        return false;
    uint64_t none = ~slab_full_word(c, word);
    return (e->bits & none) == none && e->bits != none;
}

static const char *many_gathered(const loam_slabs *s, const slab_cpu *cpu)
{
    uint32_t bytes = 0;
    bool all = true, any = false; /* all: none is of a slab that is gone */
    for (unsigned i = 0; i < SLAB_GATHER; i++) {
        const slab_gathered *e = &cpu->entry[i];
        if (!many_is_entry(s, cpu, i))
            return "S15 what is gathered is in its place, and of slots";
        if (e->tag == 0)
            continue;
        uint32_t of_it = loam_slab__gathered_bytes(s, e);
        any = true;
        all = all && of_it != 0;
        bytes += of_it;
    }
    bool adds_up = !all || cpu->room == slab_room(s) - bytes;
    return !any || adds_up ? NULL : "S15 what is gathered counts as held";
}

static bool many_rests(const loam_slabs *s, uint32_t cpu)
{
    uint32_t found = 0, n = loam_atomic_peek(&s->resting); /* no order: nobody else is inside */
    for (uint32_t i = 0; i < n && i < s->rests; i++)
        found += s->rester[i] == cpu;
    return found == 1;
}

static bool many_gathered_any(const slab_cpu *cpu)
{
    bool any = false;
    for (unsigned n = 0; n < SLAB_GATHER; n++)
        any = any || cpu->entry[n].tag != 0;
    return any;
}

static bool many_has_front(const loam_slabs *s, uint32_t cpu)
{
    bool any = false;
    for (const loam_list *n = s->caches.next; n != &s->caches; n = n->next)
        any = any || slab_own_front(LOAM_CONTAINER_OF(n, loam_cache, link), cpu) != NULL;
    return any;
}

static const char *many_offline(const loam_slabs *s, uint32_t i)
{
    const slab_cpu *cpu = &s->cpu[i];
    bool closed = cpu->stack == SLAB_CLOSED, rests = many_rests(s, i);
    if (closed != cpu->offline || (rests && !closed))
        return "S16 the stack of a processor that is offline is closed, and no other";
    if (!cpu->offline)
        return NULL;
    bool empty = !many_gathered_any(cpu);
    for (const loam_list *n = s->caches.next; n != &s->caches; n = n->next) {
        const slab_front *f = slab_own_front(LOAM_CONTAINER_OF(n, loam_cache, link), i);
        /* no order: as above */
        empty = empty && (rests || f == NULL || loam_atomic_peek(&f->slabs) == 0);
    }
    return empty ? NULL : "S16 who is offline has nothing gathered, and no slab unless he rests";
}

const char *loam_slab__check_many(const loam_slabs *s)
{
    uint32_t queued = 0, stacked = 0;
    const char *bad = many_lines(s, &queued);
    for (uint32_t i = 0; i < s->ncpus && bad == NULL && slab_is_many(s); i++) {
        const slab_cpu *cpu = &s->cpu[i];
        uint32_t first = cpu->stack == SLAB_CLOSED ? 0 : cpu->stack;
        bad = many_offline(s, i);
        /* no order: nobody else is inside */
        if (bad == NULL && i >= loam_atomic_peek(&s->cpu_end) &&
            (many_gathered_any(cpu) || many_has_front(s, i)))
            bad = "S16 who has a front, or gathered something, has begun";
        if (bad == NULL)
            bad = many_gathered(s, cpu);
        if (bad == NULL && (!many_stack(s, first, queued, &stacked) ||
                            !many_stack(s, cpu->taken, queued, &stacked)))
            bad = "S13 what is on a stack is a queued slab";
    }
    if (bad == NULL && stacked != queued)
        bad = "S13 a queued slab is on one stack";
    return bad;
}
