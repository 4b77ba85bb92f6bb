/* SPDX-License-Identifier: MIT */
/* slab_find.c - from an address to its block, and to the words for what it is instead.
 *
 * WHAT   Answers for any address at all: this is a block that is out, or this is what is wrong.
 *
 * MODEL  One straight line of questions; the first "no" is the answer.
 *
 *            in the window? -> descriptor in use? -> a slot's first byte? -> this owner's? -> out?
 *               |               |                    |                     |             |
 *            foreign         foreign, or in       inner, or             another's     free, or
 *                            a large block        misaligned                          waiting
 *
 * RULES  None of its own: it believes no field that it has not compared with a bound.
 * LOCKS  None; a block that is out cannot go away under its owner. The list of large blocks:
 *        slab_lock.
 * COST   O(1) for blocks; O(large blocks) for an address that is none.
 * FROM   -
 * NOT    The fast paths of slab_internal.h, which ask the same and refuse without words.
 */
#include "slab_internal.h"

/* The large block that covers an address, or NULL. */
static slab_desc *find_large_around(loam_slabs *s, const void *p)
{
    slab_desc *found = NULL;
    loam_irq irq = slab_lock(s);
    const loam_list *n = s->large.next;
    for (uint32_t left = s->large_count; left > 0 && n != &s->large && found == NULL; left--) {
        slab_desc *d = LOAM_CONTAINER_OF(n, slab_desc, link);
        if ((uintptr_t)p - (uintptr_t)d->base < slab_large_bytes(d))
            found = d;
        n = n->next;
    }
    slab_unlock(s, irq);
    return found;
}

static slab_fault find_inside(const void *p)
{
    return ((uintptr_t)p & 7) != 0 ? SLAB_IS_MISALIGNED : SLAB_IS_INNER;
}

/* What is kept is free, all of it, whatever started there. */
static slab_fault find_large(const loam_slabs *s, const void *p, const void *owner, slab_place *at)
{
    const slab_desc *d = at->desc;
    bool out = slab_large_is_out(d);
    const void *its = loam_atomic_ptr_peek(&d->owner); /* no order: for good while it is out */
    if (!out && s->kept != NULL)
        return SLAB_IS_FREE;
    if (p != slab_large_block(d))
        return find_inside(p);
    if (its != owner)
        return SLAB_IS_OTHERS;
    return out ? SLAB_FINE : SLAB_IS_WAITING;
}

/* By its bits; and where there is a seal by that, which is the first to change. */
static slab_fault find_state(const loam_slabs *s, const slab_place *at, const slab_block *b)
{
    const slab_desc *d = at->desc;
    if (slab_slot_is_free(d, at->slot) || loam_slab__is_told(s, d, at->slot))
        return SLAB_IS_FREE;
    if (slab_slot_waits(d, at->slot))
        return SLAB_IS_WAITING;
    return b->out ? SLAB_FINE : SLAB_IS_FREE;
}

static slab_fault find_slot(const loam_slabs *s, const void *p, const void *owner,
                            const loam_cache *cache, slab_place *at)
{
    const slab_desc *d = at->desc;
    const loam_cache *c = slab_cache_of(d);
    if (c == NULL)
        return SLAB_IS_FREE; /* the slab went meanwhile */
    uint64_t x = (uint64_t)(uint32_t)((uintptr_t)p - (uintptr_t)d->base) * d->recip;
    at->slot = (unsigned)(x >> 32);
    if (at->slot >= c->slots) {
        at->slot = c->slots - 1; /* what the last slot leaves over */
        return find_inside(p);
    }
    slab_block b = loam_slab__block(d, at->slot); /* freed, it stays where it was */
    if (p != b.at)
        return find_inside(p);
    if (cache != NULL ? c != cache : c->owner != owner)
        return SLAB_IS_OTHERS;
    return find_state(s, at, &b);
}

slab_fault loam_slab__find(loam_slabs *s, const void *p, const void *owner, const loam_cache *cache,
                           slab_place *at)
{
    *at = (slab_place){NULL, 0};
    uintptr_t off = slab_off(s, p);
    if (off >= slab_len(s))
        return SLAB_IS_FOREIGN;
    slab_desc *d = slab_desc_at(s, off);
    bool slots = d->kind == SLAB_SLOTS; /* asked once: a block that is freed twice goes meanwhile */
    if (!slots && p != slab_large_block(d))
        d = find_large_around(s, p);
    if (d == NULL)
        return SLAB_IS_FOREIGN;
    at->desc = d;
    return slots ? find_slot(s, p, owner, cache, at) : find_large(s, p, owner, at);
}

loam_cache *loam_cache_of(loam_slabs *s, const void *object)
{
    uintptr_t off = slab_off(s, object);
    if (off >= slab_len(s))
        return NULL;
    const slab_desc *d = slab_desc_at(s, off);
    return d->kind == SLAB_SLOTS ? slab_cache_of(d) : NULL;
}

const char *loam_slab__what(slab_fault fault, bool freeing)
{
    static const char *const text[SLAB_FAULTS][2] = {
        [SLAB_IS_FREE] = {"use of a free block", "double free"},
        [SLAB_IS_WAITING] = {"use of a free block", "double free"},
        [SLAB_IS_INNER] = {"use of an address inside a block", "inner free"},
        [SLAB_IS_MISALIGNED] = {"use of a misaligned address", "misaligned free"},
        [SLAB_IS_FOREIGN] = {"use of a foreign address", "foreign free"},
        [SLAB_IS_OTHERS] = {"use of a block of another cache", "free to the wrong cache"},
    };
    return text[fault][freeing];
}

const char *loam_slab__rule_at_risk(slab_fault fault)
{
    static const char rule[SLAB_FAULTS][4] = {
        [SLAB_IS_FREE] = "S3",       [SLAB_IS_WAITING] = "S11", [SLAB_IS_INNER] = "S3",
        [SLAB_IS_MISALIGNED] = "S3", [SLAB_IS_FOREIGN] = "S1",  [SLAB_IS_OTHERS] = "S8",
    };
    return rule[fault];
}

/* The state of a foreign address: what its frame is. */
static const char *find_frame_state(const loam_slabs *s, const void *p)
{
    uintptr_t off = slab_off(s, p);
    if (off >= slab_len(s))
        return "outside";
    return loam_frame_state_name(loam_slab__frame_state(s, off));
}

void loam_slab__describe(const slab_place *at, loam_report *r)
{
    const slab_desc *d = at->desc;
    if (d->kind == SLAB_LARGE && slab_large_was_slab(d)) {
        r->name = slab_large_former(d);
        return;
    }
    if (d->kind == SLAB_LARGE) {
        r->name = "large";
        r->size = slab_large_size(d);
        r->site = loam_atomic_ptr_peek((void *const *)&d->site); /* no order: for a report */
        return;
    }
    const loam_cache *c = slab_cache_of(d);
    if (c == NULL)
        return; /* freed twice at once: it went meanwhile */
    const slab_info *info = slab_info_of(d, at->slot);
    slab_block b = loam_slab__block(d, at->slot);
    bool known = slab_has_seals(c->slabs) && b.whole && b.out;
    r->name = c->name;
    r->size = known ? b.size : c->size;
    if (info != NULL && info->size != 0) {
        r->size = info->size;
        r->site = info->site;
    }
}

/* ---- metadata that somebody wrote into ---- */

static LOAM_NOINLINE _Noreturn void find_broken(const loam_cache *c, const void *base,
                                                const char *rule)
{
    loam_report r = {.unit = "slab",
                     .what = rule,
                     .object = "slab",
                     .value = (uintptr_t)base,
                     .state = "metadata overwritten",
                     .name = c->name,
                     .size = c->size};
    loam_port_corrupt(&r);
}

void loam_slab__verify(const slab_front *f, const slab_desc *d, const uint64_t *word)
{
    const loam_cache *c = f->cache;
    const loam_slabs *s = c->slabs;
    uintptr_t off = slab_off(s, d->base), i = (uintptr_t)(word - d->words);
    if (d->kind != SLAB_SLOTS || off >= slab_len(s) ||
        (off & s->mask) != slab_shade_of(c, off >> s->shift) || slab_desc_at(s, off) != d)
        find_broken(c, d->base, "S1 a slab's descriptor lies where its address leads");
    if (d->recip != c->recip)
        find_broken(c, d->base, "S2 the reciprocal is that of the stride");
    if (i >= slab_word_count(c) || (*word & ~slab_full_word(c, (unsigned)i)) != 0 ||
        slab_head_of(d)->used >= c->slots)
        find_broken(c, d->base, "S3 no bit is set beyond the last slot");
    if (slab_owner_of(d) != f || d->link.next->prev != &d->link || d->link.prev->next != &d->link)
        find_broken(c, d->base, "S5 a front's lists hold its slabs");
}

void loam_slab__verify_empty(const slab_desc *d)
{
    const loam_cache *c = slab_cache_of(d);
    for (unsigned i = 0; i < slab_word_count(c); i++) {
        /* no order: nobody has an object of it */
        if (loam_atomic_peek64(&d->words[i]) != slab_full_word(c, i))
            find_broken(c, d->base, "S3 used is the number of slots out");
    }
}

bool loam_slab__wait_is_sound(const slab_front *f, uint64_t wait)
{
    const loam_cache *c = f->cache;
    const unsigned char *base = slab_wait_base(wait);
    unsigned slot = slab_wait_slot(wait);
    bool inside = slab_off(c->slabs, base) < slab_len(c->slabs);
    const slab_desc *d = inside ? slab_wait_desc(c->slabs, wait) : NULL;
    return d != NULL && d->kind == SLAB_SLOTS && slab_owner_of(d) == f && slot < c->slots &&
           slab_slot_base(d, slot) == base && !slab_slot_is_free(d, slot) &&
           slab_slot_waits(d, slot);
}

bool loam_slab__held_is_sound(const slab_front *f, const swift_slot *held)
{
    uint64_t wait = slab_wait_of_held(held);
    return loam_slab__wait_is_sound(f, wait) &&
           slab_held_word(held->where) ==
               slab_shut(slab_wait_desc(f->cache->slabs, wait)) + (slab_wait_slot(wait) >> 6);
}

void loam_slab__verify_wait(const slab_front *f, uint64_t wait)
{
    if (!loam_slab__wait_is_sound(f, wait))
        find_broken(f->cache, slab_wait_base(wait), "S11 what is in quarantine waits");
}

void loam_slab__verify_held(const slab_front *f, const swift_slot *held)
{
    if (!loam_slab__held_is_sound(f, held))
        find_broken(f->cache, held->at, "S11 what is in quarantine waits");
}

void loam_slab__count_refusal(loam_slabs *s)
{
    loam_irq irq = slab_lock(s);
    s->refusals++;
    slab_unlock(s, irq);
}

/* A foreign address: what its frame is; free: its pages went back already. */
static void find_former(const loam_slabs *s, const void *p, bool freeing, loam_report *r)
{
    r->state = find_frame_state(s, p);
    if (r->state != loam_frame_state_name(LOAM_FRAME_FREE))
        return;
    r->what = loam_slab__what(SLAB_IS_FREE, freeing);
    r->rule = loam_slab__rule_at_risk(SLAB_IS_FREE);
    r->name = slab_former_of(slab_desc_at(s, slab_off(s, p)));
}

loam_err loam_slab__refuse(loam_slabs *s, const void *p, slab_fault fault, const slab_place *at,
                           bool freeing, const void *caller)
{
    static const char *const state[SLAB_FAULTS] = {
        [SLAB_IS_FREE] = "free",      [SLAB_IS_WAITING] = "quarantined",
        [SLAB_IS_INNER] = "inner",    [SLAB_IS_MISALIGNED] = "misaligned",
        [SLAB_IS_OTHERS] = "other's",
    };
    loam_report r = {.unit = "slab",
                     .what = loam_slab__what(fault, freeing),
                     .object = "address",
                     .value = (uintptr_t)p,
                     .state = state[fault],
                     .caller = caller,
                     .rule = loam_slab__rule_at_risk(fault)};
    if (at->desc != NULL)
        loam_slab__describe(at, &r);
    else
        find_former(s, p, freeing, &r);
    loam_slab__count_refusal(s);
    loam_port_misuse(&r);
    return LOAM_EINVAL;
}

size_t loam_slab__usable(const slab_place *at)
{
    const slab_desc *d = at->desc;
    if (d->kind == SLAB_LARGE)
        return slab_large_lead(d) != 0 ? slab_large_size(d) : slab_large_bytes(d);
    const loam_cache *c = slab_cache_of(d);
    return slab_has_seals(c->slabs) ? loam_slab__block(d, at->slot).size : c->stride;
}

slab_desc *loam_slab__next(const loam_slabs *s, uintptr_t *index)
{
    uintptr_t leaves = loam_atomic_load(&s->leaves); /* pairs with the store in loam_slabs_extend */
    while (*index < leaves << SLAB_LEAF_BITS) {
        uintptr_t i = *index, leaf = s->leaf[i >> SLAB_LEAF_BITS];
        bool missing =
            leaves > 1 && leaf + (i & ~(uintptr_t)(SLAB_LEAF - 1)) * SLAB_LINE == s->no_leaf;
        if (missing) {
            *index = (i | (SLAB_LEAF - 1)) + 1;
            continue;
        }
        ++*index;
        slab_desc *d = (slab_desc *)(leaf + i * SLAB_LINE);
        if (d->kind != SLAB_NONE)
            return d;
    }
    return NULL;
}

/* no order: a view of what may change meanwhile. */
static void visit_large(slab_visit *v, const slab_desc *d)
{
    v->owner = loam_atomic_ptr_peek(&d->owner);
    v->site = loam_atomic_ptr_peek((void *const *)&d->site);
    v->block = slab_large_is_out(d) ? slab_large_block(d) : NULL;
    v->size = slab_large_size(d);
}

bool loam_slab__visit(loam_slabs *s, slab_visit *v)
{
    loam_slab__visit_end(s, v);
    loam_irq irq = slab_lock(s);
    slab_desc *d = loam_slab__next(s, &v->index);
    while (d != NULL && d->kind == SLAB_SLOTS && slab_is_many(s) && !loam_slab__pin(d))
        d = loam_slab__next(s, &v->index); /* that one is on its way back */
    if (d != NULL && d->kind == SLAB_SLOTS)
        v->slab = d;
    else if (d != NULL)
        visit_large(v, d);
    slab_unlock(s, irq);
    return d != NULL;
}

void loam_slab__visit_end(loam_slabs *s, slab_visit *v)
{
    slab_desc *d = v->slab;
    v->slab = NULL;
    if (d != NULL && slab_is_many(s))
        loam_slab__unpin(s, d);
}
