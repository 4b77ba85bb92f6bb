/* SPDX-License-Identifier: MIT */
#ifndef LOAM_SLAB_SWIFT_H
#define LOAM_SLAB_SWIFT_H

/* slab_swift.h - the modes of `hardened` on a processor's own slabs, inlined where they are called.
 * The theory is at the top of slab_swift.c.
 */
#include "slab_seal.h"
#include "slab_swift_wait.h"

/* Who has wider registers includes this file with SWIFT_UNIT, their bytes, and SWIFT_IS_ZERO. */
#ifndef SWIFT_UNIT
#define SWIFT_UNIT          16
#define SWIFT_IS_ZERO(unit) (((unit)[0] | (unit)[1]) == 0)
#endif

enum {
    SWIFT_PAIR = 16,              /* rooms and strides are multiples of it */
    SWIFT_BRIEF = 4 * SWIFT_UNIT, /* bytes up to which nothing depends on how many there are, .. */
    SWIFT_SHORT = 8 * SWIFT_UNIT  /* .. and behind these up to here */
};

/* Where there are no registers for pairs they want stack: of a function of its own. */
#if UINTPTR_MAX > UINT32_MAX
#define SWIFT_INLINE LOAM_INLINE
#else
#define SWIFT_INLINE LOAM_NOINLINE __attribute__((unused)) static
#endif

typedef uint64_t __attribute__((vector_size(SWIFT_UNIT), aligned(SWIFT_PAIR), may_alias))
swift_unit;
typedef uint64_t __attribute__((vector_size(SWIFT_UNIT), aligned(1), may_alias)) swift_any_unit;

/* Of the last 32 bytes of a room, the last n. */
extern const uint64_t loam_slab__swift_last[2 * SEAL_SLACK / sizeof(uint64_t)]
    __attribute__((visibility("hidden")));

/* Of the last unit, the last n bytes. */
LOAM_INLINE const swift_any_unit *swift_last(size_t n)
{
    const unsigned char *last = (const unsigned char *)loam_slab__swift_last;
    return (const swift_any_unit *)(const void *)(last + SEAL_SLACK - SWIFT_UNIT + n);
}

/* Is there a unit, and are there no more than four? than eight? */
LOAM_INLINE bool swift_is_brief(size_t room)
{
    return room - SWIFT_UNIT <= SWIFT_BRIEF - SWIFT_UNIT;
}

LOAM_INLINE bool swift_is_short(size_t room)
{
    return room - SWIFT_UNIT <= SWIFT_SHORT - SWIFT_UNIT;
}

/* A short room, four units from its first on and four from its last back, or of a brief one two; in
 * a shorter one they meet. Who does the same for every length has no branch that a predictor cannot
 * learn. */
typedef struct swift_short {
    size_t last, one, two, three; /* bytes */
} swift_short;

LOAM_INLINE swift_short swift_cut(size_t room)
{
    size_t last = room - SWIFT_UNIT, one = SWIFT_UNIT, two = 2 * one, three = 3 * one;
    return (swift_short){last, last < one ? last : one, last < two ? last : two,
                         last < three ? last : three};
}

/* Units are not returned: there may be no registers for them. */
LOAM_INLINE const swift_unit *swift_at(const unsigned char *p, size_t at)
{
    return (const swift_unit *)(const void *)(p + at);
}

LOAM_INLINE void swift_zero(unsigned char *p, size_t at)
{
    *(swift_unit *)(void *)(p + at) = (swift_unit){0};
}

/* Does a short room read 0? */
SWIFT_INLINE bool swift_short_is_zero(const unsigned char *p, size_t room)
{
    swift_short c = swift_cut(room);
    const unsigned char *q = p + c.last;
    swift_unit all = *swift_at(p, 0) | *swift_at(p, c.one) | *swift_at(p, c.two) |
                     *swift_at(p, c.three) | *swift_at(q, 0) | *swift_at(q, 0 - c.one) |
                     *swift_at(q, 0 - c.two) | *swift_at(q, 0 - c.three);
    return SWIFT_IS_ZERO(all);
}

SWIFT_INLINE bool swift_brief_is_zero(const unsigned char *p, size_t room)
{
    swift_short c = swift_cut(room);
    const unsigned char *q = p + c.last;
    swift_unit all =
        (*swift_at(p, 0) | *swift_at(p, c.one)) | (*swift_at(q, 0) | *swift_at(q, 0 - c.one));
    return SWIFT_IS_ZERO(all);
}

/* Zeros for a short room. */
LOAM_INLINE void swift_clear(unsigned char *p, size_t room)
{
    swift_short c = swift_cut(room);
    unsigned char *q = p + c.last;
    swift_zero(p, 0);
    swift_zero(p, c.one);
    swift_zero(p, c.two);
    swift_zero(p, c.three);
    swift_zero(q, 0);
    swift_zero(q, 0 - c.one);
    swift_zero(q, 0 - c.two);
    swift_zero(q, 0 - c.three);
}

/* The room is asked for again, once something is written: so it takes no register before. */
LOAM_INLINE void swift_clear_brief(unsigned char *p, const size_t *room)
{
    swift_zero(p, 0);
    swift_short c = swift_cut(*room);
    unsigned char *q = p + c.last;
    swift_zero(p, c.one);
    swift_zero(q, 0);
    swift_zero(q, 0 - c.one);
}

/* The seal behind a room with this last unit. */
LOAM_INLINE uint64_t *swift_seal(const unsigned char *last)
{
    return (uint64_t *)((uintptr_t)last + SWIFT_UNIT);
}

/* What seal_of says of a block of one byte that was not aligned; a block of n says n times as much.
 * The compiler is not told: it would take four instructions to multiply. */
extern const uint64_t loam_slab__swift_byte __attribute__((visibility("hidden")));

LOAM_INLINE const swift_unit *swift_magic(const slab_front *f)
{
    return (const swift_unit *)(const void *)f->magic;
}
_Static_assert(SWIFT_UNIT <= sizeof(((slab_front *)0)->magic), "it has a unit of it");

/* Do the seal and the magic before a room say that no block is there? */
LOAM_INLINE bool swift_is_shut(uint64_t magic, const unsigned char *p, const unsigned char *last)
{
    return LOAM_LIKELY(((const uint64_t *)(const void *)p)[-1] == magic) &&
           LOAM_LIKELY(*swift_seal(last) == magic);
}

/* A room whose bytes read 0 becomes a block, all but the last unit of which may be written. */
SWIFT_INLINE void swift_open(const slab_front *f, unsigned char *last, size_t size)
{
    const swift_any_unit *meant = swift_last(f->room - size);
    *(swift_unit *)(void *)last = *swift_magic(f) & *meant;
    *swift_seal(last) = size * loam_slab__swift_byte ^ f->magic[0];
}

/* A slot of a short room that was just taken becomes a block: true; false: its bytes, its seal or
 * the magic before it are not as a free slot's. */
LOAM_INLINE bool swift_dress(const slab_front *f, unsigned char *p, size_t size)
{
    unsigned char *last = p + (f->room - SWIFT_UNIT);
    if (!swift_is_shut(f->magic[0], p, last) || LOAM_UNLIKELY(!swift_short_is_zero(p, f->room)))
        return false;
    swift_open(f, last, size);
    return true;
}

LOAM_INLINE bool swift_dress_brief(const slab_front *f, unsigned char *p, size_t size)
{
    unsigned char *last = p + (f->room - SWIFT_UNIT);
    if (!swift_is_shut(f->magic[0], p, last) || LOAM_UNLIKELY(!swift_brief_is_zero(p, f->room)))
        return false;
    swift_open(f, last, size);
    return true;
}

/* Is the block of a short room as it should be? false: who looks longer knows. */
SWIFT_INLINE bool swift_is_whole(const slab_front *f, const unsigned char *p,
                                 const unsigned char *last)
{
    if (LOAM_UNLIKELY(((const uint64_t *)(const void *)p)[-1] != f->magic[0]))
        return false;
    uint64_t says = f->magic[0] ^ *swift_seal(last);
    size_t size = (size_t)(says >> (32 + SEAL_SIZE));
    if (LOAM_UNLIKELY(says != size * loam_slab__swift_byte))
        return false;
    size_t slack = (size_t)(last - p) + SWIFT_UNIT - size;
    if (LOAM_UNLIKELY(slack >= SWIFT_UNIT))
        return false;
    swift_unit wrong = (*swift_at(last, 0) ^ *swift_magic(f)) & *swift_last(slack);
    return LOAM_LIKELY(SWIFT_IS_ZERO(wrong));
}

/* The block of a front is as it should be: it is none any more, and reads 0; false: nothing has
 * changed. */
LOAM_INLINE bool swift_undress(const slab_front *f, unsigned char *p)
{
    unsigned char *last = p + (f->room - SWIFT_UNIT);
    if (!swift_is_whole(f, p, last))
        return false;
    swift_clear(p, f->room);
    *swift_seal(last) = f->magic[0];
    return true;
}

LOAM_INLINE bool swift_undress_brief(const slab_front *f, unsigned char *p)
{
    unsigned char *last = p + (f->room - SWIFT_UNIT);
    if (!swift_is_whole(f, p, last))
        return false;
    swift_clear_brief(p, &f->room);
    *swift_seal(last) = f->magic[0];
    return true;
}

/* ---- turns ---- */

enum { SWIFT_TURN = 8 * SWIFT_UNIT }; /* bytes that are looked at, or cleared, with one branch */

_Static_assert((int)SWIFT_TURN >= (int)LOAM_WIDE_LEAST, "a room that is not short is long");

LOAM_INLINE void swift_or_turn(swift_unit *all, const unsigned char *p)
{
    enum { U = SWIFT_UNIT };
    *all |=
        ((*swift_at(p, 0) | *swift_at(p, U)) | (*swift_at(p, 2 * U) | *swift_at(p, 3 * U))) |
        ((*swift_at(p, 4 * U) | *swift_at(p, 5 * U)) | (*swift_at(p, 6 * U) | *swift_at(p, 7 * U)));
}

/* Turns that a room of a turn to four has without its last one. Of the room alone, which is known
 * long before the block's bytes are: a wrong guess is found while these are on their way. */
LOAM_INLINE size_t swift_turns(size_t room)
{
    return (room - 1) / SWIFT_TURN;
}

LOAM_INLINE bool swift_is_mid(size_t room)
{
    return room - SWIFT_TURN - 1 < 3 * SWIFT_TURN;
}

/* Do the first `used` bytes of such a room read 0? They are more than its turns. */
SWIFT_INLINE bool swift_mid_is_zero(const unsigned char *p, size_t room, size_t used)
{
    swift_unit all = {0};
    swift_or_turn(&all, p + used - SWIFT_TURN);
    swift_or_turn(&all, p);
    if (room > 2 * SWIFT_TURN) {
        swift_or_turn(&all, p + SWIFT_TURN);
        if (room > 3 * SWIFT_TURN)
            swift_or_turn(&all, p + 2 * SWIFT_TURN);
    }
    return SWIFT_IS_ZERO(all);
}

/* From any address. */
LOAM_INLINE void swift_clear_turn(unsigned char *p)
{
    const swift_any_unit zero = {0};
    LOAM_WIDE_CLEAR_TURN((swift_any_unit *)(void *)p, zero);
}

LOAM_INLINE void swift_clear_mid(unsigned char *p, size_t room, size_t used)
{
    swift_clear_turn(p);
    if (room > 2 * SWIFT_TURN) {
        swift_clear_turn(p + SWIFT_TURN);
        if (room > 3 * SWIFT_TURN)
            swift_clear_turn(p + 2 * SWIFT_TURN);
    }
    swift_clear_turn(p + used - SWIFT_TURN);
}

/* ---- slack ---- */

/* A unit of a block's slack, from a byte of the slack on, or up to the end of the room where there
 * is less. What lies there before the slack is not meant. */
typedef struct swift_slack {
    swift_any_unit *at;
    const swift_any_unit *meant;
    uint64_t magic; /* what each word of the slack reads */
} swift_slack;

LOAM_INLINE swift_slack swift_slack_unit(uint64_t magic, unsigned char *p, size_t from, size_t room,
                                         size_t slack)
{
    size_t at = from < room - SWIFT_UNIT ? from : room - SWIFT_UNIT;
    unsigned turn = 8 * (unsigned)(at & 7);
    return (swift_slack){(swift_any_unit *)(void *)(p + at),
                         swift_last(slack < SWIFT_UNIT ? slack : SWIFT_UNIT),
                         magic >> turn | magic << (-turn & 63)};
}

/* A unit at least. */
SWIFT_INLINE void swift_slack_put(uint64_t magic, unsigned char *p, size_t size, size_t room)
{
    for (size_t i = 0; i < SEAL_SLACK; i += SWIFT_UNIT) {
        swift_slack one = swift_slack_unit(magic, p, size + i, room, room - size);
        *one.at = ((swift_any_unit){0} ^ one.magic) & *one.meant;
    }
}

SWIFT_INLINE bool swift_slack_is_whole(uint64_t magic, unsigned char *p, size_t size, size_t room)
{
    swift_any_unit differs = {0};
    for (size_t i = 0; i < SEAL_SLACK; i += SWIFT_UNIT) {
        swift_slack one = swift_slack_unit(magic, p, size + i, room, room - size);
        differs |= (*one.at ^ one.magic) & *one.meant;
    }
    return SWIFT_IS_ZERO(differs);
}
_Static_assert(SEAL_SLACK % SWIFT_UNIT == 0, "the slack is units");

/* Bytes of a room that a block up to `end` has with its magic. The others are looked at when
 * somebody gets them. */
LOAM_INLINE size_t swift_used(size_t end, size_t room)
{
    return slack_end((end + SWIFT_PAIR - 1) & ~(size_t)(SWIFT_PAIR - 1), room);
}

/* ---- rooms of a turn to four ---- */

/* As swift_dress. */
LOAM_INLINE bool swift_dress_mid(const slab_front *f, unsigned char *p, size_t size)
{
    size_t room = f->room, used = swift_used(size, room);
    if (!swift_is_shut(f->magic[0], p, p + (room - SWIFT_UNIT)) ||
        LOAM_UNLIKELY(used <= swift_turns(room) * SWIFT_TURN) ||
        LOAM_UNLIKELY(!swift_mid_is_zero(p, room, used)))
        return false;
    swift_slack_put(f->magic[0], p, size, room);
    *(uint64_t *)(void *)(p + room) = size * loam_slab__swift_byte ^ f->magic[0];
    return true;
}

/* As swift_undress. */
LOAM_INLINE bool swift_undress_mid(const slab_front *f, unsigned char *p)
{
    size_t room = f->room;
    if (LOAM_UNLIKELY(((const uint64_t *)(const void *)p)[-1] != f->magic[0]))
        return false;
    uint64_t says = f->magic[0] ^ *(const uint64_t *)(const void *)(p + room);
    size_t size = (size_t)(says >> (32 + SEAL_SIZE)), end = slack_end(size, room);
    if (LOAM_UNLIKELY(says != size * loam_slab__swift_byte) || LOAM_UNLIKELY(size > room) ||
        LOAM_UNLIKELY(end <= swift_turns(room) * SWIFT_TURN) ||
        LOAM_UNLIKELY(!swift_slack_is_whole(f->magic[0], p, size, room)))
        return false;
    swift_clear_mid(p, room, end);
    *(uint64_t *)(void *)(p + room) = f->magic[0];
    return true;
}

/* ---- the calls ---- */

/* A slot of a front that was taken becomes a block, short or long; what is not as a free one is is
 * told. */
typedef void *swift_dress_fn(size_t size, const slab_front *f, void *p);
swift_dress_fn loam_slab__swift_dress;
/* Tells of a slot that is not as a free one is, and was taken for such a block; align 0: any. */
void *loam_slab__swift_damaged(const slab_front *f, const void *p, size_t size, size_t align);

/* [own] */
static inline bool swift_is_ready(const slab_front *f)
{
    return f->top > f->floor;
}

/* Takes a slot of a front of this processor that is ready, for size bytes, 1 to the cache's; other:
 * of a slot that is not brief, called last: mostly nothing has to be kept for later. For who has no
 * interrupts. */
LOAM_INLINE void *swift_take_from(slab_front *f, size_t size, swift_dress_fn *other)
{
    void *p = swift_take(f).at;
    bool clean = swift_is_brief(f->room) && swift_dress_brief(f, p, size);
    return LOAM_LIKELY(clean) ? p : other(size, f, p);
}

typedef enum swift_put {
    SWIFT_PUT,
    SWIFT_PUT_REFUSED, /* not so easy, nothing has changed: for loam_slab__put_swift_again; .. */
    SWIFT_PUT_SHUT,    /* .. but the slot is shut: for swift_put_back and then that; .. */
    SWIFT_PUT_MORE,    /* .. nothing has, interrupts are off: for loam_slab__put_swift_more, .. */
    SWIFT_PUT_FAR      /* .. loam_slab__put_swift_far */
} swift_put;

/* Where a block lies that is freed. */
typedef struct swift_place {
    slab_desc *desc;
    uint64_t x; /* the slot, and in the lower half whether it starts there */
} swift_place;

static inline unsigned swift_slot_of(swift_place at)
{
    return (unsigned)(at.x >> 32);
}

/* The slot is out as before; interrupts are on again. */
static inline void swift_put_back(swift_place at, loam_irq irq)
{
    swift_unshut(at.x);
    loam_port_irq_restore(irq);
}

/* A block of this processor's slabs that is not brief; interrupts are off, before it they were irq.
 */
bool loam_slab__put_swift_more(const loam_slabs *s, void *p, swift_place at, loam_irq irq);
/* The same of any address: of a block that was aligned, or has become shorter. */
bool loam_slab__put_swift_again(const loam_slabs *s, void *p, const void *owner);
/* A block of this owner, out of a slab that is not this processor's. */
bool loam_slab__put_swift_far(loam_slabs *s, void *p, swift_place at, const void *owner);

/* Of an offset of the window. */
LOAM_INLINE swift_place swift_place_at(const loam_slabs *s, uintptr_t off)
{
    slab_desc *d = slab_desc_at(s, off);
    return (swift_place){d, (uint64_t)((uint32_t)(off & s->mask) - SLAB_GUARD_LEAD) * d->recip};
}

typedef bool swift_undress_fn(const slab_front *f, unsigned char *p);

/* [own] Frees the block at a place, of a front whose rooms are such that `undress` knows them. What
 * is not as it should be is shut: then *at is for swift_put_back, and interrupts are off. */
LOAM_INLINE swift_put swift_put_as(slab_front *f, void *p, swift_place *at, loam_irq irq,
                                   swift_undress_fn *undress)
{
    size_t slot = (size_t)(at->x >> 32); /* one behind the last is shut */
    uint64_t *shut = swift_word(f, at->desc, slot), where = slab_held_where(shut, slot);
    if (LOAM_UNLIKELY((uint32_t)at->x > at->desc->bound) ||
        LOAM_UNLIKELY(!swift_shut(shut, slot))) {
        loam_port_irq_restore(irq);
        return SWIFT_PUT_REFUSED;
    }
    if (LOAM_UNLIKELY(!undress(f, p))) {
        *at = (swift_place){NULL, where};
        return SWIFT_PUT_SHUT;
    }
    swift_wait(f, (swift_slot){p, where}, irq);
    return SWIFT_PUT;
}

/* Frees a block of this owner. *at: where it lies, of those who need more, or are far; see above.
 * *off_since: where interrupts are off, what they were. */
LOAM_INLINE swift_put slab_put_swift(const loam_slabs *s, void *p, const void *owner,
                                     swift_place *at, loam_irq *off_since)
{
    uintptr_t off = slab_off(s, p);
    if (LOAM_UNLIKELY(off >= slab_len(s)))
        return SWIFT_PUT_REFUSED;
    *at = swift_place_at(s, off);
    loam_irq irq = *off_since = loam_port_irq_save();
    if (LOAM_UNLIKELY(!slab_is_here(at->desc))) {
        loam_port_irq_restore(irq);
        return SWIFT_PUT_FAR;
    }
    slab_front *f = slab_owner_of(at->desc);
    if (LOAM_UNLIKELY(f->swift_key != (uintptr_t)owner)) {
        loam_port_irq_restore(irq);
        return SWIFT_PUT_REFUSED;
    }
    return swift_is_brief(f->room) ? swift_put_as(f, p, at, irq, swift_undress_brief)
                                   : SWIFT_PUT_MORE;
}

/* Bytes of a block of this owner, of this processor's slabs and not aligned, whose bits and seal
 * say that it is out; 0: not so easy. *room: of its slot. */
LOAM_INLINE size_t swift_size(const loam_slabs *s, const void *p, const void *owner, size_t *room)
{
    uintptr_t off = slab_off(s, p);
    if (LOAM_UNLIKELY(off >= slab_len(s)))
        return 0;
    swift_place at = swift_place_at(s, off);
    const slab_desc *d = at.desc;
    unsigned slot = swift_slot_of(at);
    uint64_t says = 0;
    loam_irq irq = loam_port_irq_save();
    const slab_front *f = slab_owner_of(d);
    if (slab_is_here(d) && f->swift_key == (uintptr_t)owner && (uint32_t)at.x <= d->bound) {
        *room = f->room;
        const uint64_t *shut = slab_held_word(swift_where(f, d, slot));
        if ((*shut >> (slot & 63) & 1) == 0)
            says = *(const uint64_t *)(const void *)((const unsigned char *)p + *room) ^ s->magic;
    }
    loam_port_irq_restore(irq);
    size_t size = (size_t)(says >> (32 + SEAL_SIZE));
    return size != 0 && says == seal_of(0, size, 0) && size <= *room ? size : 0;
}

#endif
