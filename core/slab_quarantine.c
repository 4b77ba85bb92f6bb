/* SPDX-License-Identifier: MIT */
/* slab_quarantine.c - freed blocks that wait before their memory is used again.
 *
 * WHAT   A ring of addresses for each processor, oldest first. A block that is freed goes in at one
 *        end; what so becomes too much leaves at the other, and is free from then on.
 *
 * MODEL            freed                                      free: its bit is set, or told
 *                    |                                              ^
 *                    v                                              |
 *        ring  [ newest | ... | ... | ... | ... | ... | ... | oldest ]   at most `limit` bytes
 *
 *        A block in a ring is out by its bit, and waits by its record: no other free can be right.
 *        Each processor that has fronts of its own has a ring of its own; all others, and large
 *        blocks, use the layer's, behind its lock.
 *
 * RULES  S11 of slab_check.c.
 * LOCKS  A processor's own ring: interrupts off. The layer's: slab_lock. What leaves is given back
 *        with neither.
 * COST   O(blocks that leave), mostly one for one that comes.
 * FROM   AddressSanitizer.
 * NOT    A second look at what leaves: a slot is looked at when it is used again, or when its slab
 *        goes; a large block, whose frames may become anything, when it leaves.
 */
#include "slab_internal.h"

/* The ring that this processor uses; large blocks always wait in the layer's. */
LOAM_INLINE slab_ring *ring_enter(loam_slabs *s, bool large, slab_hold *hold)
{
    unsigned cpu = loam_port_cpu();
    if (slab_has_remote(s) && !large) {
        *hold = (slab_hold){loam_port_irq_save(), false};
        if (cpu < s->ncpus && !s->cpu[cpu].offline)
            return &s->cpu[cpu].ring;
        loam_port_irq_restore(hold->irq);
    }
    *hold = (slab_hold){slab_lock(s), slab_is_many(s)};
    return &s->ring;
}

LOAM_INLINE uint64_t ring_bytes_of(const slab_desc *d)
{
    return d->kind == SLAB_LARGE ? slab_large_bytes(d) : slab_cache_of(d)->stride;
}

/* [own] The oldest block leaves. */
LOAM_INLINE void *ring_pop(const loam_slabs *s, slab_ring *ring)
{
    void *p = ring->block[ring->head];
    ring->head = ring->head + 1 == ring->cap ? 0 : ring->head + 1;
    loam_atomic_store(&ring->count, ring->count - 1); /* no order: others only look */
    ring->bytes -= ring_bytes_of(slab_desc_at(s, slab_off(s, p)));
    return p;
}

/* [own] */
LOAM_INLINE void ring_push(slab_ring *ring, void *p, uint64_t bytes)
{
    uint32_t at = ring->head + ring->count;
    ring->block[at >= ring->cap ? at - ring->cap : at] = p;
    loam_atomic_store(&ring->count, ring->count + 1); /* no order: others only look */
    ring->bytes += bytes;
}

static void ring_release(loam_slabs *s, void *p)
{
    uintptr_t off = slab_off(s, p);
    slab_desc *d = slab_desc_at(s, off);
    if (d->kind == SLAB_LARGE) {
        loam_slab__large_settle(s, d);
        return;
    }
    slab_place at = {d, (unsigned)((uint64_t)(uint32_t)(off & s->mask) * d->recip >> 32)};
    if (!loam_slab__settle_slot(d, at.slot))
        (void)loam_slab__refuse(s, p, SLAB_IS_FREE, &at, true, NULL);
}

bool loam_slab__quarantine_put(loam_slabs *s, slab_desc *d, void *p)
{
    bool in = false, large = d->kind == SLAB_LARGE;
    uint64_t bytes = ring_bytes_of(d);
    if ((s->modes & LOAM_SLAB_QUARANTINE) == 0 || bytes > s->ring.limit)
        return false;
    for (uint32_t turn = 0; !in && turn <= s->ring.cap; turn++) { /* others add, too */
        slab_hold hold;
        slab_ring *ring = ring_enter(s, large, &hold);
        void *oldest = NULL;
        in = ring->count < ring->cap && ring->bytes <= ring->limit - bytes;
        if (in)
            ring_push(ring, p, bytes);
        else
            oldest = ring_pop(s, ring);
        loam_slab__leave(s, &hold);
        if (oldest != NULL)
            ring_release(s, oldest);
    }
    return in;
}

/* All that waits in one ring now leaves; did any? */
static bool ring_empty(loam_slabs *s, bool large)
{
    bool any = false;
    for (uint32_t turn = 0; turn < s->ring.cap; turn++) { /* others may add */
        slab_hold hold;
        slab_ring *ring = ring_enter(s, large, &hold);
        void *oldest = ring->count != 0 ? ring_pop(s, ring) : NULL;
        loam_slab__leave(s, &hold);
        if (oldest == NULL)
            break;
        ring_release(s, oldest);
        any = true;
    }
    return any;
}

bool loam_slab__quarantine_empty(loam_slabs *s)
{
    bool any = ring_empty(s, true);
    return (slab_has_remote(s) && ring_empty(s, false)) || any;
}

uint64_t loam_slab__quarantined(const loam_slabs *s)
{
    uint64_t count = loam_atomic_peek(&s->ring.count); /* no order: counts for views */
    for (uint32_t i = 0; slab_has_remote(s) && i < s->ncpus; i++)
        count += loam_atomic_peek(&s->cpu[i].ring.count); /* no order: as above */
    return count;
}

uint32_t loam_slab__waiting(const slab_desc *d)
{
    const loam_cache *c = slab_cache_of(d);
    uint32_t count = 0;
    for (unsigned i = 0; (c->slabs->modes & LOAM_SLAB_QUARANTINE) != 0 && i < c->slots; i++)
        count += slab_state_of(slab_info_of(d, i)) == SLAB_WAITING;
    return count;
}
