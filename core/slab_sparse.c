/* SPDX-License-Identifier: MIT */
/* slab_sparse.c - memory under the free slots of a slab.
 *
 * WHAT   Slabs of which little is out hold whole pages that nobody uses. A process that is short of
 *        memory gives these back: the slab stays, and its pages come again when slots of them do.
 *
 * MODEL  A page is bare when every slot that reaches into it is free, or none does.
 *
 *            slots   | out | free | free | free |out| free | free | free |  slack
 *            pages   |      0      |     1      |      2     |      3      |
 *            bare             no          yes          no           yes
 *
 *        What waits on a stack is free by its bit, and may lose its memory, too: it reads 0 then.
 *        The port says which pages are there, in bits, and takes those of them that are bare.
 *
 *        With modes that write into free slots these are looked at as if they were given out, and
 *        are virgin from then on: their bytes are anything. What is not as it was left stays for
 *        who takes it to tell. A slot ends with its seal, 8 bytes behind where the next begins.
 *
 *        That pages come again shows nowhere. So while memory is short (`tight`) requests that get
 *        slots out of words, slabs or frames say how much that is, before they use it; the port
 *        counts, and looks from time to time.
 *
 * RULES  None of its own: no free bit changes.
 * LOCKS  As the front that owns the slab, held over the port's call: nobody gets a slot of it
 *        meanwhile. Slabs of other processors are theirs to look at.
 * COST   O(slots) bits for a slab, with modes the bytes of what is free; one question for a request
 *        that finds nothing at hand.
 * FROM   -
 * NOT    What waits in a quarantine. Objects with a constructor, which stay as they are.
 */
#include "slab_internal.h"

/* Are all slots from `first` to `last` free? */
static bool sparse_is_free(const slab_desc *d, uint32_t first, uint32_t last)
{
    for (uint32_t i = first >> 6; i <= last >> 6; i++) {
        uint64_t want = UINT64_MAX;
        if (i == first >> 6)
            want &= UINT64_MAX << (first & 63);
        if (i == last >> 6)
            want &= UINT64_MAX >> (63 - (last & 63));
        if ((d->words[i] & want) != want)
            return false;
    }
    return true;
}

/* [own] Free slots from `first` to `last` are virgin from now on; false: one was written to. */
static bool sparse_strip(slab_desc *d, uint32_t first, uint32_t last)
{
    bool clean = true;
    for (uint32_t i = first; clean && i <= last; i++)
        clean = loam_slab__strip(d, i);
    return clean;
}

/* [own] Does nothing that is out reach into this page of the slab, and nothing that is known? */
static bool sparse_is_bare(const loam_cache *c, slab_desc *d, uint32_t lead, unsigned page,
                           unsigned shift)
{
    uint32_t from = page << shift, end = from + (1U << shift);
    uint32_t first = from > lead ? (from - lead) / c->stride : 0;
    if (first >= c->slots || end <= lead)
        return true;
    uint32_t last = (end - lead - 1) / c->stride;
    last = last < c->slots ? last : c->slots - 1;
    return sparse_is_free(d, first, last) &&
           (!slab_has_shadow(c->slabs) || sparse_strip(d, first, last));
}

/* [own] Pages of this set that are bare. */
static uint32_t sparse_bare(const loam_slabs *s, slab_desc *d, uint32_t pages, unsigned shift)
{
    const loam_cache *c = slab_cache_of(d);
    uint32_t seal = slab_has_seals(s) ? sizeof(uint64_t) : 0; /* its slot's, though behind it */
    uint32_t lead = (uint32_t)(slab_off(s, d->base) & s->mask) + seal, bare = 0;
    uint32_t free = (uint32_t)(s->mask + 1) - c->slots * c->stride;
    for (unsigned i = 0; i < slab_word_count(c); i++)
        free += loam_popcount64(d->words[i]) * c->stride;
    if (free < 1U << shift || c->ctor != NULL)
        return 0;
    for (; pages != 0; pages &= pages - 1) {
        unsigned page = loam_ctz64(pages);
        if (sparse_is_bare(c, d, lead, page, shift))
            bare |= 1U << page;
    }
    return bare;
}

/* Runs of pages, one after the other. */
static uint64_t sparse_give(unsigned char *base, uint32_t bare, unsigned shift,
                            slab_sparse_fn *give, void *ctx)
{
    uint64_t gone = 0;
    while (bare != 0) {
        unsigned first = loam_ctz64(bare), n = loam_ctz64(~((uint64_t)bare >> first));
        size_t len = (size_t)n << shift;
        if (give(ctx, base + ((size_t)first << shift), len))
            gone += len;
        bare &= (uint32_t) ~(loam_mask64(n) << first);
    }
    return gone;
}

/* What is known of the slab there, if it is one: for who has no block of it. */
static slab_desc *sparse_desc(const loam_slabs *s, const void *va)
{
    uintptr_t index = slab_off(s, va) >> s->shift;
    /* pairs with the store in meta_set_leaf */
    void *leaf = loam_atomic_ptr_load((void *const *)&s->leaf[index >> SLAB_LEAF_BITS]);
    return (slab_desc *)((uintptr_t)leaf + index * SLAB_LINE);
}

uint64_t loam_slab__sparse(loam_slabs *s, const void *va, uint32_t pages, unsigned shift,
                           slab_sparse_fn *give, void *ctx)
{
    slab_hold hold;
    uint64_t gone = 0;
    slab_desc *d = sparse_desc(s, va);
    if (loam_slab__own_if(s, d, &hold)) {
        uint32_t bare = sparse_bare(s, d, pages, shift);
        gone = sparse_give(slab_frames_of(s, d), bare, shift, give, ctx);
        loam_slab__leave(s, &hold);
    }
    return gone;
}

bool loam_slab__has_slab(const loam_slabs *s, const void *va)
{
    return slab_cache_of(sparse_desc(s, va)) != NULL;
}

void loam_slab__set_tight(loam_slabs *s, uint32_t tight, size_t step)
{
    size_t units = step / SLAB_TIGHT_UNIT; /* no order: hints, both */
    loam_atomic_store(&s->tight_step, units < INT32_MAX ? (uint32_t)units : INT32_MAX);
    loam_atomic_store(&s->tight_now, s->tight != NULL ? tight : 0);
}

void loam_slab__tell_tight(loam_slabs *s, size_t bytes)
{
    loam_irq irq = loam_port_irq_save();
    slab_cpu *me = slab_cpu_here(s);
    size_t units = bytes / SLAB_TIGHT_UNIT + 1 + (me != NULL ? me->untold : 0);
    bool tell = units > loam_atomic_peek(&s->tight_step); /* no order: a hint */
    if (me != NULL)
        me->untold = tell ? 0 : (uint32_t)units;
    loam_port_irq_restore(irq);
    if (tell)
        s->tight(s, units * SLAB_TIGHT_UNIT);
}
