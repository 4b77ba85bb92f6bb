/* SPDX-License-Identifier: MIT */
#ifndef LOAM_RANGE_H
#define LOAM_RANGE_H

/* range.h - pieces of any size out of an interval of numbers: addresses, page numbers, identifiers.
 *
 * What the interval stands for is never touched: all that is known lies in tags outside of it. The
 * pieces, free and taken, tile the interval; neighbours that are free are one piece. A request gets
 * the lowest place that fits, to the unit. Not locked: the owner's. No allocation happens here:
 * tags come from the caller's array, or one by one from functions of his.
 */
#ifndef LOAM_BASE_H /* an amalgamation root that has no include path brings it by its own */
#include "loam/base.h"
#endif

#ifndef LOAM_API
#define LOAM_API /* an amalgamation root may give the unit internal linkage */
#endif

/* One piece of the interval. Its members are the unit's own, except for `owner` and `note`. */
typedef struct loam_range_tag {
    struct loam_range_tag *child[2], *parent;
    struct loam_range_tag *prev, *next; /* neighbours by address */
    uint64_t base, len;
    uint64_t largest; /* longest free piece of this subtree */
    void *owner;      /* the caller's, for a taken piece: NULL at first */
    uint64_t note;    /* the same: 0 at first */
    bool taken;
    uint8_t height; /* of this subtree; a leaf's is 1 */
} loam_range_tag;

/* Where tags come from when the array is used up; get may answer NULL. Either both or neither, and
 * neither may call the range it serves. A tag goes back to where it came from. */
typedef struct loam_range_source {
    void *ctx;
    loam_range_tag *(*get)(void *ctx);
    void (*put)(void *ctx, loam_range_tag *tag);
} loam_range_source;

typedef struct loam_range {
    loam_range_tag *root, *first; /* by address */
    loam_range_tag *spare;        /* of the array, linked by next */
    loam_range_tag *array;        /* the caller's, or NULL */
    size_t array_count;
    loam_range_source source;
    uint64_t base, len, quantum;
    uint64_t free; /* units of len */
    uint64_t tags; /* in use: pieces, free and taken */
} loam_range;

/* Makes [base, base + len) one free piece.
 *   base, len   multiples of quantum, len > 0; base + len <= 2^64
 *   quantum     a power of two; every piece is a multiple of it
 *   tag, count  an array that stays the caller's and must outlive the range; count 0: none
 *   source      or NULL; asked when the array has no tag left
 *   returns     LOAM_OK; LOAM_EINVAL; LOAM_ERANGE (wraps); LOAM_ENOMEM: not even one tag
 *   on error    *r is not to be used
 *   cost        O(count)
 */
LOAM_API loam_err loam_range_init(loam_range *r, uint64_t base, uint64_t len, uint64_t quantum,
                                  loam_range_tag *tag, size_t count,
                                  const loam_range_source *source);

/* Gives all tags back, taken pieces included: the range is not to be used any more. O(tags). */
LOAM_API void loam_range_fini(loam_range *r);

/* What a request may ask for besides its length; 0 everywhere asks for nothing. */
typedef struct loam_range_want {
    uint64_t align;     /* power of two; 0: the quantum */
    uint64_t phase;     /* base is congruent to this modulo align; below align, a multiple of the
                           quantum */
    uint64_t boundary;  /* power of two: the piece crosses no multiple of it; 0: none; >= len */
    uint64_t lo, limit; /* the piece lies inside [lo, limit); limit 0: no upper limit */
    bool high;          /* the highest place in place of the lowest */
} loam_range_want;

/* Takes a piece of len, first fit by address.
 *   len         a multiple of the quantum, > 0
 *   want        or NULL: nothing special
 *   returns     LOAM_OK and *base; LOAM_EINVAL; LOAM_ENOMEM: no free piece fits, or no tag
 *   on error    the range is unchanged
 *   cost        O(log pieces) with want NULL; with alignment, phase or boundary O(log pieces) for
 *               each free piece that is long enough and yet does not fit
 */
LOAM_API loam_err loam_range_alloc(loam_range *r, uint64_t len, const loam_range_want *want,
                                   uint64_t *base);

/* Takes exactly [base, base + len): LOAM_OK, LOAM_EINVAL (outside, not a multiple), LOAM_EBUSY,
 * LOAM_ENOMEM (no tag). O(log pieces). */
LOAM_API loam_err loam_range_alloc_at(loam_range *r, uint64_t base, uint64_t len);

/* Frees the taken piece that starts at base, and merges it with its free neighbours. Needs no tag.
 *   len         filled with the length of the piece; may be NULL
 *   returns     LOAM_OK; LOAM_EINVAL: no taken piece starts there
 *   cost        O(log pieces)
 */
LOAM_API loam_err loam_range_free(loam_range *r, uint64_t base, uint64_t *len);

/* Cuts the taken piece that holds `at` in two, both taken, with the same owner and note. Nothing
 * happens when a piece starts there. LOAM_OK, LOAM_EINVAL (free, outside, not a multiple),
 * LOAM_ENOMEM (no tag). O(log pieces). */
LOAM_API loam_err loam_range_split(loam_range *r, uint64_t at);

/* Makes the taken pieces that start at base and right behind it one, with the owner of the first.
 * LOAM_EINVAL unless both are taken. O(log pieces). */
LOAM_API loam_err loam_range_join(loam_range *r, uint64_t base);

/* Makes the taken piece that starts at base len units long, in place: the free piece behind it
 * gives or gets the difference.
 *   len         a multiple of the quantum, > 0
 *   returns     LOAM_OK; LOAM_EINVAL: no taken piece starts there; LOAM_EBUSY: too little is free
 *               behind it; LOAM_ENOMEM: no tag, only when it shrinks in front of a taken piece
 *   on error    the range is unchanged
 *   cost        O(log pieces)
 */
LOAM_API loam_err loam_range_resize(loam_range *r, uint64_t base, uint64_t len);

/* The piece that holds an address, free or taken; NULL outside. Valid until the next change. Only
 * `owner` and `note` may be written. O(log pieces). */
LOAM_API loam_range_tag *loam_range_find(const loam_range *r, uint64_t at);

/* The piece with the lowest address, and the one after another; NULL behind the last. O(1). */
static inline loam_range_tag *loam_range_first(const loam_range *r)
{
    return r->first;
}

static inline loam_range_tag *loam_range_next(const loam_range_tag *tag)
{
    return tag->next;
}

/* Length of the longest free piece. O(1). */
LOAM_API uint64_t loam_range_largest(const loam_range *r);

/* The first broken rule (R1 ... of range.c), or NULL. O(pieces). */
LOAM_API const char *loam_range_check(const loam_range *r);

#endif
