/* SPDX-License-Identifier: MIT */
/* buddy_range.c - units in a row that are no block: taken and given back a word at a time.
 *
 * WHAT   A range of any length and alignment, in as few changes of words as there can be.
 *
 * MODEL  In the words of a level a range has a head that does not begin its word, a tail that does
 *        not end its word, and whole words between: these are bits one level up.
 *
 *            level 1                   0 0 1 1 0 0            the same again: here one part
 *            level 0   ....1111  11111111  11111111  111.....
 *                      head      `-- whole words --'  tail
 *
 *        As natural blocks the same range can have five in the head and five in the tail alone.
 * RULES  B1 .. B6 (buddy.c)
 * LOCKS  None: the owner's.
 * COST   Two words of each level at most, and what their trees need.
 * FROM   -
 * NOT    -
 */
#include "buddy_impl.h"

/* What is left of a range, in bits of a level; and the part of it that is at hand. */
typedef struct buddy_range {
    uint64_t from, to;
    unsigned level;
    unsigned l;    /* of the part */
    uint64_t unit; /* the first of the part */
    uint64_t mask; /* its bits in their word: some, not all */
} buddy_range;

static inline buddy_range range_of(uint64_t unit, uint64_t count)
{
    return (buddy_range){.from = unit, .to = unit + count};
}

/* Goes on to the next part; false: there is none. */
static bool range_next(buddy_range *r)
{
    if (r->from == r->to)
        return false;
    while (((r->from | r->to) & 63) == 0) { /* whole words */
        r->level++;
        r->from >>= 6;
        r->to >>= 6;
    }
    unsigned head = r->from & 63, tail = r->to & 63;
    bool at_head = head != 0 || r->to - r->from < 64;
    uint64_t bit = at_head ? r->from : r->to - tail;
    unsigned n = at_head ? 64 - head : tail;
    if (n > r->to - bit)
        n = (unsigned)(r->to - bit);
    r->l = r->level;
    r->unit = bit << (6 * r->l);
    r->mask = loam_mask64(n) << (bit & 63);
    if (at_head)
        r->from += n;
    else
        r->to = bit;
    return true;
}

static bool range_is_inside(const loam_buddy *b, uint64_t unit, uint64_t count)
{
    return unit >= b->first && unit - b->first <= b->count && b->count - (unit - b->first) >= count;
}

/* Is one of the part's units free? */
static bool range_touches_free(const loam_buddy *b, const buddy_range *r)
{
    if (buddy_overlaps_free(b, r->l, r->unit, r->mask))
        return true;
    uint64_t last = r->unit + (((uint64_t)loam_popcount64(r->mask) << (6 * r->l)) - 1);
    for (unsigned m = 0; m < r->l; m++) {
        uint64_t lo = buddy_word_index(b, m, r->unit), hi = buddy_word_index(b, m, last);
        if (loam_buddy__any_in(&b->level[m], lo, hi + 1))
            return true;
    }
    return false;
}

loam_err loam_buddy_free_range(loam_buddy *b, uint64_t unit, uint64_t count)
{
    if (!range_is_inside(b, unit, count))
        return LOAM_EINVAL;
    for (buddy_range r = range_of(unit, count); range_next(&r);)
        if (range_touches_free(b, &r))
            return LOAM_EBUSY;
    for (buddy_range r = range_of(unit, count); range_next(&r);)
        loam_buddy__put_bits(b, r.l, r.unit, r.mask);
    b->free_units += count;
    return LOAM_OK;
}

/* ---- taking ---- */

static bool range_is_free(const loam_buddy *b, const buddy_range *r)
{
    uint64_t v = b->level[r->l].word[buddy_word_index(b, r->l, r->unit)];
    return (v & r->mask) == r->mask || (v == 0 && loam_buddy__is_covered(b, r->l, r->unit));
}

/* Takes a part that is free. Of a word that was all ones, told by a bit above, that bit is taken
 * first: then the rest of the word is what comes back. */
static void range_take(loam_buddy *b, const buddy_range *r)
{
    unsigned l = r->l, classes = 0, word = 6 * (l + 1);
    uint64_t i = buddy_word_index(b, l, r->unit), v = b->level[l].word[i];
    if (v == 0) {
        uint64_t first = loam_align_down(r->unit, 1ULL << word);
        loam_buddy__carve(b, buddy_level_of_free(b, first, word), first, word);
        b->free_units += 1ULL << word;
        v = ~0ULL;
    } else {
        classes = buddy_classes(v, b->level[l].counts[i]);
    }
    uint64_t now = v & ~r->mask;
    unsigned counts = buddy_counts_of(now);
    buddy_write(b, l, i, now, counts, classes ^ buddy_classes(now, counts));
    b->free_units -= (uint64_t)loam_popcount64(r->mask) << (6 * l);
}

loam_err loam_buddy_take_range(loam_buddy *b, uint64_t unit, uint64_t count)
{
    if (!range_is_inside(b, unit, count))
        return LOAM_EINVAL;
    for (buddy_range r = range_of(unit, count); range_next(&r);)
        if (!range_is_free(b, &r))
            return LOAM_EBUSY;
    for (buddy_range r = range_of(unit, count); range_next(&r);)
        range_take(b, &r);
    return LOAM_OK;
}

loam_err loam_buddy_alloc_part(loam_buddy *b, unsigned order, uint64_t count, loam_buddy_pick *pick)
{
    if (!loam_buddy_peek(b, order, pick))
        return LOAM_ENOMEM;
    for (buddy_range r = range_of(pick->unit, count); range_next(&r);)
        range_take(b, &r);
    return LOAM_OK;
}
