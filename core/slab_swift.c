/* SPDX-License-Identifier: MIT */
/* slab_swift.c - the modes of `hardened` on a processor's own slabs, at once.
 *
 * WHAT   guard, quarantine, zero_free and random together: a block comes, and goes, in one straight
 *        line, without a lock, a locked instruction or a call. What is not of the kind that
 *        programs do mostly is left to slab_modes.c, which does the same for every set of modes.
 *
 * MODEL  A class's slots follow each other; what lies between two blocks guards both.
 *
 *            | seal | magic | block ........ slack | seal | magic | block ... | seal | magic | ...
 *             8       8       room, as the class has         ^ nothing here
 *                                                            changes while the block comes and goes
 *            free    free bit 1   block 0 0 0 0 0 0          seal: magic
 *            out     free bit 0   block, then slack: magic   seal: magic ^ its size, twice
 *            waits   free bit 0   block 0 0 0 0 0 0          seal: magic      waiting bit 1
 *
 *        alloc   a bit that is drawn of the front's current word; the bytes read 0, the seal says
 *                free; slack and seal are written.
 *        free    the seal says out; the magic before, the slack and so the seal behind are whole;
 *                zeros, seal; the slot goes into the front's ring, and what has waited longest
 *                there leaves: its free bit is set.
 *
 *        The ring is the front's, so that what leaves is always the processor's own: no owner is
 *        asked. The current word stays until it has nothing more; then it is the one into which a
 *        block came back last. So the words of a loop's blocks come round before others, with all
 *        their bits to draw from.
 *        What is another's is looked at and cleared in the same way, and then told as others are.
 *
 * RULES  S9, S10 and S11 of slab_check.c.
 * LOCKS  None: interrupts off. The front is the processor's own.
 * COST   alloc + free of 64 bytes: some 320 instructions; slab_fast.h's 70.
 * FROM   slab_fast.h; canaries between the blocks: hardened_malloc.
 * NOT    Allocation from the shared front.
 */
#include "slab_swift.h"

const unsigned char loam_slab__swift_last[2 * SWIFT_PAIR] = {
    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
};

/* ---- blocks that are longer ---- */

enum { SWIFT_TURN = 4 }; /* pairs that are looked at with one branch */

static bool swift_reads_zero(const void *p, size_t room)
{
    const swift_pair *v = p, *end = v + room / SWIFT_PAIR;
    swift_pair all = {0, 0};
    for (; end - v >= SWIFT_TURN; v += SWIFT_TURN)
        all |= (v[0] | v[1]) | (v[2] | v[3]);
    for (; v < end; v++)
        all |= *v;
    return (all[0] | all[1]) == 0;
}

bool loam_slab__swift_dress_long(const loam_slabs *s, void *base, size_t room, size_t size,
                                 size_t pad)
{
    unsigned char *p = base;
    size_t lead = pad < SLAB_GUARD_MOST ? pad : SLAB_GUARD_MOST;
    uint64_t magic = s->magic, *seal = (uint64_t *)(void *)(p + room);
    uint64_t before = ((uint64_t *)(void *)p)[-1];
    seal_words says = seal_read(magic, *seal);
    if (!says.whole || says.size != 0 || before != magic || !swift_reads_zero(p, room))
        return false;
    if (LOAM_UNLIKELY(lead != 0))
        words_fill(p + pad - lead, lead, magic);
    slack_write(p + pad, size, slack_end(size, room - pad), magic);
    *seal = seal_of(magic, size, pad);
    return true;
}

/* The bytes of a block that starts at p, in a room, with its magic: from `from` on, `len` of them;
 * none when the block is not as it should be. */
typedef struct swift_span {
    unsigned char *from;
    size_t len;
} swift_span;

static swift_span swift_look(uint64_t magic, unsigned char *base, size_t room, unsigned char *p)
{
    const swift_span none = {NULL, 0};
    const uint64_t *seal = (const uint64_t *)(const void *)(base + room);
    seal_words says = seal_read(magic, loam_atomic_peek64(seal)); /* no order: the cas asks again */
    size_t pad = (size_t)(p - base), lead = pad < SLAB_GUARD_MOST ? pad : SLAB_GUARD_MOST;
    if (!says.whole || says.pad != pad || pad >= room || says.size - 1 >= room - pad ||
        ((uint64_t *)(void *)base)[-1] != magic)
        return none;
    size_t end = slack_end(says.size, room - pad);
    uint64_t differ = slack_differs(p, says.size, end, magic);
    if (LOAM_UNLIKELY(lead != 0))
        differ |= words_differ(p - lead, lead, magic);
    return LOAM_LIKELY(differ == 0) ? (swift_span){p - lead, lead + end} : none;
}

bool loam_slab__swift_undress_long(const loam_slabs *s, void *base, size_t room, void *p)
{
    swift_span at = swift_look(s->magic, base, room, p);
    if (at.len == 0)
        return false;
    __builtin_memset(at.from, 0, at.len);
    *(uint64_t *)(void *)((unsigned char *)base + room) =
        s->magic ^ seal_of(0, 0, (size_t)((unsigned char *)p - (unsigned char *)base));
    return true;
}

/* The owner of the slab may change meanwhile, its cache does not while a block of it is out. */
bool loam_slab__put_swift_far(const loam_slabs *s, slab_desc *d, unsigned slot, void *p,
                              const void *owner)
{
    const loam_cache *c = slab_owner_of(d)->cache;
    if (c == NULL || !c->swift || slot >= c->slots ||
        owner != (c->owner != NULL ? c->owner : (const void *)c))
        return false;
    size_t room = c->stride - SLAB_GUARD_LEAD;
    unsigned char *base = d->base + (size_t)slot * c->stride + SLAB_GUARD_LEAD;
    swift_span at = swift_look(s->magic, base, room, p);
    if (at.len == 0 || !loam_slab__claim(s, base, room))
        return false;
    __builtin_memset(at.from, 0, at.len);
    return loam_slab__put_slot(d, slot);
}

/* ---- for who does not inline them ---- */

void *loam_slab__take_swift(loam_cache *c, size_t size, size_t align)
{
    return slab_take_swift(c, size, align);
}

bool loam_slab__put_swift(loam_slabs *s, void *block, const void *owner)
{
    return slab_put_swift(s, block, owner);
}
