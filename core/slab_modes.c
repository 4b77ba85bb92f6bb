/* SPDX-License-Identifier: MIT */
/* slab_modes.c - what the modes do to a block when it comes and when it goes.
 *
 * WHAT   Finds writes where none should be: next to a block, or into one that was freed. All of it
 *        is off the fast paths: a layer with a mode takes the general ones.
 *
 * MODEL  guard: magic fills the slot around the block, from the very byte at which it ends.
 *        poison: a free slot holds one value in every byte, and is looked at before it is used.
 *        quarantine: a freed block is poisoned, and waits in a ring before its bit is set.
 *
 *            out      [ magic (lead) | block: size bytes | magic to the slot's end ]
 *            waiting  [ poison .................................................. ]  bit 0
 *            free     [ poison .................................................. ]  bit 1
 *
 *        Objects with a constructor keep their contents while free: no poison, no zeros for them.
 *
 * RULES  S9, S10 and S11 of slab_check.c.
 * LOCKS  slab_lock while the ring changes; the block itself is nobody else's meanwhile. With many
 *        processors a layer with a mode has its slabs on the shared fronts, behind that lock.
 * COST   O(bytes of the slot).
 * FROM   Red zones and poison as in Linux slub_debug; quarantine as in AddressSanitizer.
 * NOT    Reads after free: only a page that is unmapped can tell.
 */
#include "slab_internal.h"

#define RULE_GUARD  "S9 the bytes around a block hold their magic"
#define RULE_POISON "S10 freed bytes hold the poison"

uint64_t loam_slab__random(loam_slabs *s)
{
    uint64_t x = s->rng;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    s->rng = x;
    return x >> 11;
}

static bool mode_is(const loam_slabs *s, unsigned modes)
{
    return (s->modes & modes) != 0;
}

static bool bytes_are(const unsigned char *p, size_t n, unsigned char value)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != value)
            return false;
    }
    return true;
}

_Noreturn void loam_slab__damage(const char *rule, const char *state, const slab_place *at)
{
    const slab_desc *d = at->desc;
    bool large = d->kind == SLAB_LARGE;
    loam_report r = {.unit = "slab", .what = rule, .object = "address", .state = state};
    r.value = (uintptr_t)(large ? slab_large_block(d) : slab_block_of(d, at->slot));
    loam_slab__describe(at, &r);
    loam_port_corrupt(&r);
}

/* ---- where a block lies ---- */

typedef struct mode_area {
    unsigned char *base, *block;
    size_t size, len; /* of the block; of the slot or the frames */
} mode_area;

static mode_area mode_area_of(const slab_place *at)
{
    const slab_desc *d = at->desc;
    if (d->kind == SLAB_LARGE)
        return (mode_area){d->base, slab_large_block(d), (size_t)d->size, slab_large_bytes(d)};
    const slab_info *info = slab_info_of(d, at->slot);
    unsigned char *base = slab_slot_base(d, at->slot);
    return (mode_area){base, base + info->lead, info->size, slab_cache_of(d)->stride};
}

static void guard_write(const mode_area *a)
{
    size_t lead = (size_t)(a->block - a->base);
    __builtin_memset(a->base, SLAB_GUARD_BYTE, lead);
    __builtin_memset(a->block + a->size, SLAB_GUARD_BYTE, a->len - lead - a->size);
}

const char *loam_slab__guard_fault(const slab_place *at, const loam_slabs *s)
{
    if (!mode_is(s, LOAM_SLAB_GUARD))
        return NULL;
    mode_area a = mode_area_of(at);
    size_t lead = (size_t)(a.block - a.base);
    if (lead > a.len || a.size > a.len - lead)
        return "its record";
    if (!bytes_are(a.base, lead, SLAB_GUARD_BYTE))
        return "before the block";
    if (!bytes_are(a.block + a.size, a.len - lead - a.size, SLAB_GUARD_BYTE))
        return "after the block";
    return NULL;
}

static void guard_verify(const slab_place *at, const loam_slabs *s)
{
    const char *where = loam_slab__guard_fault(at, s);
    if (where != NULL)
        loam_slab__damage(RULE_GUARD, where, at);
}

bool loam_slab__poison_fault(const slab_desc *d, unsigned slot)
{
    if (d->kind == SLAB_LARGE)
        return !bytes_are(d->base, slab_large_bytes(d), SLAB_POISON_BYTE);
    return slab_poisons(slab_cache_of(d)) &&
           !bytes_are(slab_slot_base(d, slot), slab_cache_of(d)->stride, SLAB_POISON_BYTE);
}

static void poison_verify(const slab_desc *d, unsigned slot)
{
    slab_place at = {(slab_desc *)(uintptr_t)d, slot};
    if (loam_slab__poison_fault(d, slot))
        loam_slab__damage(RULE_POISON, "written after free", &at);
}

/* ---- quarantine ---- */

static void *ring_pop(slab_ring *ring)
{
    void *p = ring->block[ring->head];
    ring->head = ring->head + 1 == ring->cap ? 0 : ring->head + 1;
    ring->count--;
    return p;
}

static uint64_t ring_bytes_of(const slab_desc *d)
{
    return d->kind == SLAB_LARGE ? slab_large_bytes(d) : slab_cache_of(d)->stride;
}

/* The oldest waiting block, off the ring, if more than `bytes` wait; else NULL. */
static slab_desc *ring_next(loam_slabs *s, uint64_t bytes, void **p)
{
    slab_desc *d = NULL;
    loam_irq irq = slab_lock(s);
    if (s->ring.count != 0 && s->ring.bytes > bytes) {
        *p = ring_pop(&s->ring);
        d = slab_desc_at(s, slab_off(s, *p));
        s->ring.bytes -= ring_bytes_of(d);
        if (d->kind == SLAB_SLOTS)
            slab_cache_of(d)->waiting--;
    }
    slab_unlock(s, irq);
    return d;
}

/* The oldest waiting block becomes free, if more than `bytes` wait. */
static bool ring_evict(loam_slabs *s, uint64_t bytes)
{
    void *p;
    slab_place at;
    slab_desc *d = ring_next(s, bytes, &p);
    if (d == NULL)
        return false;
    if (d->kind == SLAB_LARGE) {
        poison_verify(d, 0);
        loam_slab__large_release(s, d);
        return true;
    }
    loam_cache *c = slab_cache_of(d);
    loam_slab__find(s, p, c->owner, c, &at);
    poison_verify(d, at.slot);
    slab_info_of(d, at.slot)->state = SLAB_FREE;
    (void)loam_slab__put_slot(d, at.slot);
    return true;
}

bool loam_slab__quarantine_trim(loam_slabs *s, uint64_t bytes)
{
    uint32_t n = s->ring.cap; /* others may add meanwhile */
    while (n > 0 && ring_evict(s, bytes))
        n--;
    return n < s->ring.cap;
}

/* Makes room, then lets the block wait; false: it is larger than the quarantine, or others filled
 * that meanwhile. */
static bool ring_push(loam_slabs *s, slab_desc *d, void *p)
{
    slab_ring *ring = &s->ring;
    uint64_t bytes = ring_bytes_of(d);
    if (!mode_is(s, LOAM_SLAB_QUARANTINE) || bytes > ring->limit)
        return false;
    loam_slab__quarantine_trim(s, ring->limit - bytes);
    loam_irq irq = slab_lock(s);
    bool full = ring->count == ring->cap;
    slab_unlock(s, irq);
    if (full)
        ring_evict(s, 0);
    irq = slab_lock(s);
    bool room = ring->count < ring->cap && ring->bytes <= ring->limit - bytes;
    if (room) {
        uint32_t at = ring->head + ring->count;
        ring->block[at >= ring->cap ? at - ring->cap : at] = p;
        ring->count++;
        ring->bytes += bytes;
        if (d->kind == SLAB_SLOTS)
            slab_cache_of(d)->waiting++;
    }
    slab_unlock(s, irq);
    return room;
}

/* ---- blocks of a slab ---- */

static void mode_clear(const loam_slabs *s, const mode_area *a)
{
    size_t lead = (size_t)(a->block - a->base);
    __builtin_memset(a->block, 0, mode_is(s, LOAM_SLAB_GUARD) ? a->size : a->len - lead);
}

void *loam_slab__dress(slab_desc *d, unsigned slot, size_t size, size_t align, const void *site)
{
    const loam_cache *c = slab_cache_of(d);
    const loam_slabs *s = c->slabs;
    unsigned char *base = slab_slot_base(d, slot);
    poison_verify(d, slot);
    uintptr_t pad = align != 0 ? (0 - (uintptr_t)(base + c->lead)) & (align - 1) : 0;
    mode_area a = {base, base + c->lead + pad, size, c->stride};
    if (slab_has_info(s))
        *slab_info_of(d, slot) =
            (slab_info){site, (uint32_t)size, (uint16_t)(c->lead + pad), SLAB_OUT};
    if (mode_is(s, LOAM_SLAB_GUARD))
        guard_write(&a);
    if (mode_is(s, LOAM_SLAB_ZERO) && c->ctor == NULL)
        mode_clear(s, &a);
    return a.block;
}

/* The block's record says that it comes back; false: it said so already. */
static bool mode_claim(slab_desc *d, unsigned slot)
{
    slab_hold hold;
    loam_slabs *s = slab_cache_of(d)->slabs;
    if (!slab_has_info(s))
        return true; /* the slot's bit will tell */
    if (!loam_slab__own(d, &hold))
        return false;
    slab_info *info = slab_info_of(d, slot);
    bool out = info->state == SLAB_OUT;
    if (out)
        info->state = SLAB_WAITING;
    loam_slab__leave(s, &hold);
    return out;
}

bool loam_slab__undress(slab_desc *d, unsigned slot)
{
    loam_cache *c = slab_cache_of(d);
    loam_slabs *s = c->slabs;
    slab_place at = {d, slot};
    void *p = slab_block_of(d, slot);
    guard_verify(&at, s);
    if (!mode_claim(d, slot))
        return false;
    if (slab_poisons(c))
        __builtin_memset(slab_slot_base(d, slot), SLAB_POISON_BYTE, c->stride);
    if (ring_push(s, d, p))
        return true;
    if (slab_has_info(s))
        slab_info_of(d, slot)->state = SLAB_FREE;
    return loam_slab__put_slot(d, slot);
}

void loam_slab__redress(const loam_slabs *s, const slab_place *at, size_t size, const void *site)
{
    slab_desc *d = at->desc;
    size_t old = loam_slab__usable(at);
    if (d->kind == SLAB_LARGE) {
        d->size = size;
        d->site = site;
    } else if (slab_has_info(s)) {
        slab_info_of(d, at->slot)->size = (uint32_t)size;
        slab_info_of(d, at->slot)->site = site;
    }
    if (!mode_is(s, LOAM_SLAB_GUARD))
        return;
    mode_area a = mode_area_of(at);
    guard_write(&a);
    if (mode_is(s, LOAM_SLAB_ZERO) && size > old)
        __builtin_memset(a.block + old, 0, size - old);
}

void loam_slab__slab_comes(const loam_cache *c, unsigned char *base)
{
    if (slab_poisons(c))
        __builtin_memset(base, SLAB_POISON_BYTE, (size_t)c->slots * c->stride);
}

void loam_slab__slab_goes(const slab_desc *d)
{
    if (!slab_poisons(slab_cache_of(d)))
        return;
    for (unsigned i = 0; i < slab_cache_of(d)->slots; i++)
        poison_verify(d, i);
}

/* ---- large blocks ---- */

void loam_slab__large_dress(slab_desc *d, const loam_slabs *s)
{
    slab_place at = {d, 0};
    mode_area a = mode_area_of(&at);
    if (mode_is(s, LOAM_SLAB_GUARD))
        guard_write(&a);
    if (mode_is(s, LOAM_SLAB_ZERO))
        mode_clear(s, &a);
}

bool loam_slab__large_undress(loam_slabs *s, slab_desc *d, const void *p)
{
    slab_place at = {d, 0};
    guard_verify(&at, s);
    if (!loam_slab__large_claim(s, d, p))
        return false;
    if (mode_is(s, LOAM_SLAB_POISON))
        __builtin_memset(d->base, SLAB_POISON_BYTE, slab_large_bytes(d));
    if (!ring_push(s, d, slab_large_block(d)))
        loam_slab__large_release(s, d);
    return true;
}
