/* SPDX-License-Identifier: MIT */
/* buddy_view.c - finding free blocks without taking them.
 *
 * WHAT   Which block is free around a unit, which is the next of an order, which fits in limits.
 * MODEL  A search for the next run looks at the rest of its word, climbs to the first node with
 *        such a child behind, and goes down the lowest children:
 *
 *            root   0 1 0 1            up here
 *                    /     \
 *            node   . .   1 0          and down
 *            word   here   v
 *
 * RULES  B1 .. B6 (buddy.c): it relies on them and changes nothing.
 * LOCKS  None: the owner's.
 * COST   O(levels) for a unit, O(height) for the next run of a class, O(words) for all.
 * FROM   find-next-bit over hierarchical bitmaps.
 * NOT    -
 */
#include "buddy_impl.h"

/* The first maximal run of 2^k bits of level l that starts at bit number `from` of the level or
 * above. */
static bool buddy_next_run(const loam_buddy *b, unsigned l, unsigned k, uint64_t from,
                           uint64_t *bit)
{
    const loam_buddy_level *level = &b->level[l];
    uint64_t base = level->first << 6;
    uint64_t at = from > base ? from - base : 0, i = at >> 6;
    if (i >= level->count)
        return false;
    uint64_t here = buddy_maximal(level->word[i], k) & ~loam_mask64(at & 63);
    unsigned h = 0;
    while (here == 0) { /* up, to the first node with such a child behind i */
        if (h == level->height)
            return false;
        here = level->node[h++][i >> 6].has[k] & ~loam_mask64((unsigned)(i & 63) + 1);
        i >>= 6;
    }
    while (h > 0) { /* down its lowest children */
        i = i << 6 | loam_ctz64(here);
        here = --h == 0 ? buddy_maximal(level->word[i], k) : level->node[h - 1][i].has[k];
    }
    *bit = base + (i << 6 | loam_ctz64(here));
    return true;
}

/* The lowest place at `lo` or above for a block of this order inside a maximal free block of order
 * c >= order. */
static bool buddy_candidate(const loam_buddy *b, unsigned c, unsigned order, uint64_t lo,
                            uint64_t *unit)
{
    uint64_t place, bit;
    unsigned l = c / 6;
    if ((b->classes >> c & 1) == 0 || loam_align_up_overflows(lo, 1ULL << order, &place))
        return false;
    uint64_t around = loam_align_down(place, 1ULL << c);
    if (!buddy_next_run(b, l, c % 6, around >> (6 * l), &bit))
        return false;
    uint64_t start = bit << (6 * l);
    *unit = start > place ? start : place;
    return true;
}

bool loam_buddy_peek_within(const loam_buddy *b, unsigned order, uint64_t lo, uint64_t len,
                            loam_buddy_pick *pick)
{
    uint64_t hi = b->first + b->count, limit;
    if (len != 0 && !loam_add_overflows(lo, len, &limit) && limit < hi)
        hi = limit;
    for (unsigned c = order; c < 6 * b->levels; c++) {
        uint64_t at;
        if (!buddy_candidate(b, c, order, lo, &at) || at >= hi || hi - at < 1ULL << order)
            continue;
        pick->unit = at;
        pick->from = loam_align_down(at, 1ULL << c);
        pick->order = c;
        return true;
    }
    return false;
}

bool loam_buddy_find(const loam_buddy *b, uint64_t unit, uint64_t *start, unsigned *order)
{
    if (!buddy_is_block(b, unit, 0))
        return false;
    unsigned l = buddy_level_of_free(b, unit, 0), k = 0;
    if (l == b->levels)
        return false;
    buddy_runs r = buddy_runs_of(b->level[l].word[buddy_word_index(b, l, unit)]);
    unsigned bit = buddy_bit(l, unit);
    while (k + 1 < LOAM_BUDDY_CLASSES && (r.of[k + 1] >> (bit & ~loam_mask64(k + 1)) & 1) != 0)
        k++;
    if (order != NULL)
        *order = 6 * l + k;
    if (start != NULL)
        *start = unit & ~loam_mask64(6 * l + k);
    return true;
}

int loam_buddy_largest(const loam_buddy *b)
{
    return b->classes == 0 ? -1 : (int)loam_log2_floor(b->classes);
}

/* The first unit at or above `from` that may be free: skips what a zero word says is taken. */
static uint64_t buddy_skip_taken(const loam_buddy *b, uint64_t from)
{
    uint64_t v = b->level[0].word[buddy_word_index(b, 0, from)] & ~loam_mask64(from & 63);
    return v == 0 ? (from | 63) + 1 : (from & ~63ULL) + loam_ctz64(v);
}

void loam_buddy_each(const loam_buddy *b, unsigned max_order, loam_buddy_fn *fn, void *ctx)
{
    for (uint64_t unit = b->first, end = b->first + b->count; unit < end;) {
        uint64_t start;
        unsigned order;
        if (!loam_buddy_find(b, unit, &start, &order)) {
            uint64_t next = buddy_skip_taken(b, unit);
            unit = next > unit ? next : unit + 1;
            continue;
        }
        order = order < max_order ? order : max_order;
        if (!fn(ctx, unit, order))
            return;
        unit += 1ULL << order;
    }
}

bool loam_buddy_next(const loam_buddy *b, unsigned order, unsigned max_order, uint64_t from,
                     uint64_t *unit)
{
    bool found = false;
    unsigned last = order == max_order ? 6 * b->levels : order + 1;
    if (order > max_order || order >= 6 * b->levels)
        return false;
    for (unsigned c = order; c < last; c++) {
        uint64_t at;
        if (buddy_candidate(b, c, order, from, &at) && (!found || at < *unit)) {
            *unit = at;
            found = true;
        }
    }
    return found;
}
