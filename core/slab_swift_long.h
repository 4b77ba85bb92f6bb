/* SPDX-License-Identifier: MIT */
#ifndef LOAM_SLAB_SWIFT_LONG_H
#define LOAM_SLAB_SWIFT_LONG_H

/* slab_swift_long.h - the same for blocks of any length, aligned ones, and those of others' slabs.
 * For functions that are called, one for each width of a unit.
 */
#include "slab_swift.h"

/* ---- a room of 16 bytes: no unit, where these are wider ---- */

typedef uint64_t __attribute__((aligned(1), may_alias)) swift_any_word;

/* Of the last two words, the last n bytes. */
LOAM_INLINE const swift_any_word *swift_last_pair(size_t n)
{
    const unsigned char *last = (const unsigned char *)loam_slab__swift_last;
    return (const swift_any_word *)(const void *)(last + SEAL_SLACK - SWIFT_PAIR + n);
}

/* As swift_dress. */
LOAM_INLINE bool swift_dress_pair(uint64_t magic, uint64_t *w, size_t size)
{
    const swift_any_word *meant = swift_last_pair(SWIFT_PAIR - size);
    if (LOAM_UNLIKELY((w[0] | w[1] | (w[-1] ^ magic) | (w[2] ^ magic)) != 0))
        return false;
    w[0] = magic & meant[0];
    w[1] = magic & meant[1];
    w[2] = seal_of(magic, size, 0);
    return true;
}

/* As swift_undress. */
LOAM_INLINE bool swift_undress_pair(uint64_t magic, uint64_t *w)
{
    uint64_t says = w[2] ^ magic;
    size_t size = (size_t)(says >> (32 + SEAL_SIZE));
    if (LOAM_UNLIKELY(size - 1 >= SWIFT_PAIR ||
                      ((says ^ seal_of(0, size, 0)) | (w[-1] ^ magic)) != 0))
        return false;
    const swift_any_word *meant = swift_last_pair(SWIFT_PAIR - size);
    if (LOAM_UNLIKELY((((w[0] ^ magic) & meant[0]) | ((w[1] ^ magic) & meant[1])) != 0))
        return false;
    w[0] = w[1] = 0;
    w[2] = magic;
    return true;
}

LOAM_INLINE bool swift_undress_pair_of(const slab_front *f, unsigned char *p)
{
    return swift_undress_pair(f->magic[0], (uint64_t *)(void *)p);
}

/* ---- any length ---- */

/* len: a multiple of 16, a unit at least. */
LOAM_INLINE bool swift_reads_zero(const unsigned char *p, size_t len)
{
    return swift_is_short(len) ? swift_short_is_zero(p, len) : LOAM_PORT_READS_ZERO(p, len);
}

LOAM_INLINE void swift_clear_long(unsigned char *p, size_t len)
{
    if (LOAM_UNLIKELY(len < LOAM_WIDE_LEAST))
        __builtin_memset(p, 0, len);
    else
        LOAM_PORT_CLEAR(p, len);
}

/* ---- allocation ---- */

LOAM_INLINE bool swift_dress_long(uint64_t magic, unsigned char *p, size_t room, size_t size)
{
    uint64_t *seal = (uint64_t *)(void *)(p + room), *before = (uint64_t *)(void *)p - 1;
    size_t used = swift_used(size, room);
    if (LOAM_UNLIKELY(((*seal ^ magic) | (*before ^ magic)) != 0) ||
        LOAM_UNLIKELY(!swift_reads_zero(p, used)))
        return false;
    swift_slack_put(magic, p, size, room);
    *seal = seal_of(magic, size, 0);
    return true;
}

LOAM_INLINE size_t swift_lead(size_t pad)
{
    return pad < SLAB_GUARD_MOST ? pad : SLAB_GUARD_MOST;
}

/* The block `pad` bytes behind where the slot's others begin. */
LOAM_INLINE bool swift_dress_aligned(uint64_t magic, unsigned char *p, size_t room, size_t size,
                                     size_t pad)
{
    uint64_t *seal = (uint64_t *)(void *)(p + room), *before = (uint64_t *)(void *)p - 1;
    seal_words says = seal_read(magic, *seal); /* of one that was aligned its pad is left */
    size_t from = (pad - swift_lead(pad)) & ~(size_t)(SWIFT_PAIR - 1),
           used = swift_used(pad + size, room);
    if (!says.whole || says.out || *before != magic || !swift_reads_zero(p + from, used - from))
        return false;
    swift_slack_put(magic, p, pad + size, room);
    words_fill(p + pad - swift_lead(pad), swift_lead(pad), magic);
    *seal = seal_of(magic, size, pad);
    return true;
}

/* A slot of a front that was taken becomes such a block. */
LOAM_INLINE void *swift_dress_moved(const slab_front *f, unsigned char *p, size_t size,
                                    size_t align)
{
    size_t pad = (0 - (uintptr_t)p) & (align - 1);
    bool clean = swift_dress_aligned(f->magic[0], p, f->room, size, pad);
    return LOAM_LIKELY(clean) ? p + pad : loam_slab__swift_damaged(f, p, size, align);
}

/* ---- free ---- */

/* The bytes of a block that starts at p, in a room, with its magic: from `from` on, `len` of them;
 * none when the block is not as it should be. */
typedef struct swift_span {
    unsigned char *from;
    size_t len;
} swift_span;

LOAM_INLINE swift_span swift_look(uint64_t magic, unsigned char *base, size_t room,
                                  unsigned char *p)
{
    const swift_span none = {NULL, 0};
    const uint64_t *seal = (const uint64_t *)(const void *)(base + room);
    uint64_t says = loam_atomic_peek64(seal) ^ magic; /* no order: the cas asks again */
    size_t size = (size_t)(says >> (32 + SEAL_SIZE)), pad = (size_t)(p - base);
    if (LOAM_UNLIKELY(says != seal_of(0, size, pad)) || LOAM_UNLIKELY(pad >= room) ||
        LOAM_UNLIKELY(size - 1 >= room - pad) || LOAM_UNLIKELY((pad & 7) != 0) ||
        LOAM_UNLIKELY(((uint64_t *)(void *)base)[-1] != magic))
        return none;
    bool whole = swift_slack_is_whole(magic, base, pad + size, room);
    if (LOAM_UNLIKELY(pad != 0))
        whole = whole && words_differ(p - swift_lead(pad), swift_lead(pad), magic) == 0;
    size_t end = slack_end(size, room - pad), lead = swift_lead(pad);
    return LOAM_LIKELY(whole) ? (swift_span){p - lead, lead + end} : none;
}

/* A block in a room is none any more, and its bytes read 0; false: nothing has changed. */
LOAM_INLINE bool swift_undress_long(uint64_t magic, unsigned char *base, size_t room,
                                    unsigned char *p)
{
    swift_span at = swift_look(magic, base, room, p);
    if (at.len == 0)
        return false;
    swift_clear_long(at.from, at.len);
    *(uint64_t *)(void *)(base + room) = seal_of(magic, 0, (size_t)(p - base));
    return true;
}

/* A block at the slot's first byte, of a room of any length up to four turns. */
LOAM_INLINE bool swift_undress_some(const slab_front *f, unsigned char *p)
{
    return swift_is_short(f->room) ? swift_undress(f, p)
           : swift_is_mid(f->room) ? swift_undress_mid(f, p)
           : SWIFT_UNIT > SWIFT_PAIR && f->room == SWIFT_PAIR
               ? swift_undress_pair(f->magic[0], (uint64_t *)(void *)p)
               : false;
}

/* The same as slab_put_swift, of a block of any length, aligned or not, of a slab of this
 * processor's; false: nothing has changed. Interrupts are off, they were irq; long ones are cleared
 * with them on. */
LOAM_INLINE bool swift_put_more(const loam_slabs *s, unsigned char *p, swift_place at, loam_irq irq)
{
    slab_desc *d = at.desc;
    unsigned slot = swift_slot_of(at);
    slab_front *f = slab_owner_of(d);
    uint64_t *shut = swift_word(f, d, slot), where = slab_held_where(shut, slot);
    size_t room = f->room;
    bool first = (uint32_t)at.x <= d->bound; /* else it was aligned */
    if (LOAM_UNLIKELY(slot >= f->slots) ||
        LOAM_UNLIKELY(first ? !swift_shut(shut, slot) : swift_has_shut(shut, slot))) {
        loam_port_irq_restore(irq);
        return false;
    }
    if (first && swift_undress_some(f, p)) {
        swift_wait(f, (swift_slot){p, where}, irq);
        return true;
    }
    if (first)
        swift_unshut(where);
    loam_port_irq_restore(irq);
    unsigned char *base = d->base + slot * (room + SLAB_GUARD_LEAD) + SLAB_GUARD_LEAD;
    if (room < SWIFT_UNIT || LOAM_UNLIKELY(!swift_undress_long(s->magic, base, room, p)))
        return false;
    irq = loam_port_irq_save();
    if (LOAM_UNLIKELY(!slab_is_here(d))) { /* an interrupt handed it over */
        loam_port_irq_restore(irq);
        return loam_slab__put_slot(d, slot);
    }
    (void)swift_shut(shut, slot);
    swift_wait(f, (swift_slot){base, where}, irq);
    return true;
}

LOAM_INLINE bool swift_put_again(const loam_slabs *s, void *p, const void *owner)
{
    uintptr_t off = slab_off(s, p);
    if (off >= slab_len(s))
        return false;
    swift_place at = swift_place_at(s, off);
    loam_irq irq = loam_port_irq_save();
    if (slab_is_here(at.desc) && slab_owner_of(at.desc)->swift_key == (uintptr_t)owner)
        return swift_put_more(s, p, at, irq);
    loam_port_irq_restore(irq);
    return false;
}

/* The seal says from now on that no block is there; false: it did so already. Others ask it. */
LOAM_INLINE bool swift_claim(uint64_t magic, unsigned char *base, size_t room, size_t pad)
{
    uint64_t *seal = (uint64_t *)(void *)(base + room);
    uint64_t none = seal_of(magic, 0, pad);
    uint32_t *half = (uint32_t *)(void *)seal, out = loam_atomic_peek(half); /* no order: the cas */
    /* pairs with the cas in mode_claim, swift_claim of another free */
    if (out == (uint32_t)none || !loam_atomic_cas(half, out, (uint32_t)none))
        return false;
    loam_atomic_poke64(seal, none); /* no order: what is told comes behind it */
    return true;
}

/* A block out of a slab that another processor's front owns is free: its bytes are cleared. */
bool loam_slab__swift_tell(loam_slabs *s, slab_desc *d, const slab_front *f, unsigned slot);

/* A block of another's slabs. The owner of the slab may change meanwhile, its cache does not while
 * a block of it is out. What is read of its front are lines that stay in this processor's cache
 * while the owner works. */
LOAM_INLINE bool swift_put_far(loam_slabs *s, void *p, swift_place place, const void *owner)
{
    slab_desc *d = place.desc;
    unsigned slot = swift_slot_of(place);
    const slab_front *f = slab_owner_of(d);
    const loam_cache *c = f->cache;
    if (loam_port_cpu() >= s->ncpus || c == NULL || !c->swift || slot >= c->slots ||
        owner != (c->owner != NULL ? c->owner : (const void *)c))
        return false;
    size_t room = c->stride - SLAB_GUARD_LEAD;
    unsigned char *base = d->base + (size_t)slot * c->stride + SLAB_GUARD_LEAD;
    swift_span at = swift_look(s->magic, base, room, p);
    if (at.len == 0 || !swift_claim(s->magic, base, room, (size_t)((unsigned char *)p - base)))
        return false;
    swift_clear_long(at.from, at.len);
    return loam_slab__swift_tell(s, d, f, slot);
}

#endif
