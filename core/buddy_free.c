/* SPDX-License-Identifier: MIT */
/* buddy_free.c - units that come back to a buddy.
 *
 * WHAT   Refuses what is free already, sets the bits, and tells the trees.
 * MODEL  One block, several in one word, or a list of units that lie apart. Of such a list one unit
 *        in four concerns a tree, and no processor can foresee which: the bits of many are set
 *        without a branch on it, and the trees are told afterwards.
 *
 *            units   17  911  40  5002 ...   first their bits and counts, one after the other
 *                         |        |
 *            late        911      5002       then these words, which gained or lost classes
 *
 * RULES  B1 .. B6 (buddy.c)
 * LOCKS  None: the owner's.
 * COST   buddy.c
 * FROM   -
 * NOT    -
 */
#include "buddy_impl.h"

LOAM_NOINLINE bool loam_buddy__is_covered(const loam_buddy *b, unsigned l, uint64_t unit)
{
    uint64_t v = 0;
    while (v == 0 && ++l < b->levels)
        v = b->level[l].word[buddy_word_index(b, l, unit)];
    return v != 0 && (v >> buddy_bit(l, unit) & 1) != 0;
}

LOAM_NOINLINE bool loam_buddy__any_in(const loam_buddy_level *level, uint64_t lo, uint64_t hi)
{
    for (unsigned h = 0; h < level->height && lo < hi; h++) {
        uint64_t first = lo >> 6, last = (hi - 1) >> 6;
        for (unsigned k = 0; k < LOAM_BUDDY_CLASSES; k++) {
            uint64_t low = level->node[h][first].has[k] & ~loam_mask64(lo & 63);
            uint64_t high = level->node[h][last].has[k] & loam_mask64(((hi - 1) & 63) + 1);
            if ((first == last ? low & high : low | high) != 0)
                return true;
        }
        lo = first + 1; /* the nodes between are whole: their parents know */
        hi = last;
    }
    return false;
}

/* Is a part of the block free that is smaller than a bit of its level l > 0? One level below are at
 * most 32 words, whose counts lie side by side; further below the trees are asked. */
LOAM_INLINE bool buddy_free_below(const loam_buddy *b, unsigned l, uint64_t unit, unsigned order)
{
    const uint16_t *counts = b->level[l - 1].counts + buddy_word_index(b, l - 1, unit);
    unsigned words = 1U << (order - 6 * l), i = 0;
    uint64_t any = 0, four;
    for (; i + 4 <= words; i += 4) {
        __builtin_memcpy(&four, counts + i, 8);
        any |= four;
    }
    for (; i < words; i++)
        any |= counts[i];
    for (unsigned m = l - 1; m-- > 0 && any == 0;) {
        uint64_t at = buddy_word_index(b, m, unit);
        any = loam_buddy__any_in(&b->level[m], at, at + (1ULL << (order - 6 * (m + 1))));
    }
    return any != 0;
}

/* The same, where it is not worth its space in the caller. */
static LOAM_NOINLINE bool buddy_has_free_below(const loam_buddy *b, unsigned l, uint64_t unit,
                                               unsigned order)
{
    return l > 0 && buddy_free_below(b, l, unit, order);
}

/* Is one of the block's units free? */
static LOAM_NOINLINE bool buddy_overlaps(const loam_buddy *b, uint64_t unit, unsigned order)
{
    unsigned l = order / 6;
    return buddy_overlaps_free(b, l, unit, buddy_mask(l, unit, order)) ||
           buddy_has_free_below(b, l, unit, order);
}

/* The word of level l that holds this unit became full, and is told in the trees to have these
 * classes: it is cleared, and its bit above is set, by which the word of that may become full. The
 * word of the last level never does: the range has no block so large. */
static LOAM_NOINLINE void buddy_promote(loam_buddy *b, unsigned l, uint64_t unit, unsigned classes)
{
    uint64_t i = buddy_word_index(b, l, unit), v, now;
    for (;;) {
        buddy_write(b, l, i, 0, 0, classes);
        i = buddy_word_index(b, ++l, unit);
        v = b->level[l].word[i];
        now = v | 1ULL << buddy_bit(l, unit);
        if (now != ~0ULL)
            break;
        classes = buddy_classes_from(0);
    }
    buddy_change(b, l, i, v, now, 0, buddy_bit(l, unit));
}

/* Sets the bits of one block of 2^k bits of level l. The word that becomes full by it had one run
 * of each size from that of the block on. */
LOAM_INLINE void buddy_put_bits(loam_buddy *b, unsigned l, unsigned k, uint64_t unit)
{
    uint64_t i = buddy_word_index(b, l, unit), v = b->level[l].word[i];
    uint64_t now = v | buddy_mask(l, unit, 6 * l + k);
    if (LOAM_UNLIKELY(now == ~0ULL))
        buddy_promote(b, l, unit, buddy_classes_from(k));
    else
        buddy_change(b, l, i, v, now, k, buddy_bit(l, unit));
}

static LOAM_NOINLINE void buddy_put(loam_buddy *b, uint64_t unit, unsigned order)
{
    buddy_put_bits(b, order / 6, order % 6, unit);
}

LOAM_NOINLINE void loam_buddy__put_bits(loam_buddy *b, unsigned l, uint64_t unit, uint64_t bits)
{
    uint64_t i = buddy_word_index(b, l, unit), v = b->level[l].word[i], now = v | bits;
    unsigned classes = buddy_classes(v, b->level[l].counts[i]);
    if (LOAM_UNLIKELY(now == ~0ULL)) {
        buddy_promote(b, l, unit, classes);
        return;
    }
    unsigned counts = buddy_counts_of(now);
    buddy_write(b, l, i, now, counts, classes ^ buddy_classes(now, counts));
}

loam_err loam_buddy_free(loam_buddy *b, uint64_t unit, unsigned order)
{
    if (LOAM_UNLIKELY(!buddy_is_block(b, unit, order)))
        return LOAM_EINVAL;
    if (LOAM_UNLIKELY(buddy_overlaps(b, unit, order)))
        return LOAM_EBUSY;
    buddy_put(b, unit, order);
    b->free_units += 1ULL << order;
    return LOAM_OK;
}

/* The blocks at the head of a list that lie in the word of the first, which is clear: how many they
 * are, until one is free or there twice, and their bits. */
LOAM_INLINE size_t buddy_gather(const loam_buddy *b, unsigned order, const uint64_t *unit, size_t n,
                                uint64_t taken, uint64_t *bits)
{
    unsigned l = order / 6, word = 6 * (l + 1);
    size_t used = 1;
    *bits = buddy_mask(l, unit[0], order);
    for (; used < n && LOAM_UNLIKELY((unit[used] ^ unit[0]) >> word == 0); used++) {
        uint64_t more = buddy_mask(l, unit[used], order);
        if (((taken | *bits) & more) != 0 || !buddy_is_block(b, unit[used], order) ||
            buddy_has_free_below(b, l, unit[used], order))
            break;
        *bits |= more;
    }
    return used;
}

/* The blocks at the head of a list that lie in one word, all at once; returns how many. */
static LOAM_NOINLINE size_t buddy_free_together(loam_buddy *b, unsigned order, const uint64_t *unit,
                                                size_t n)
{
    unsigned l = order / 6;
    if (!buddy_is_block(b, unit[0], order) || buddy_overlaps(b, unit[0], order))
        return 0;
    uint64_t bits, taken = b->level[l].word[buddy_word_index(b, l, unit[0])];
    size_t used = buddy_gather(b, order, unit, n, taken, &bits);
    loam_buddy__put_bits(b, l, unit[0], bits);
    b->free_units += (uint64_t)used << order;
    return used;
}

/* ---- lists of blocks that lie apart ---- */

enum { BUDDY_ROUND = 32 };

/* Units whose bits are set, and those of them by which their words gained or lost classes, or got a
 * full byte: the trees are to be told. */
typedef struct buddy_late {
    size_t done, n;
    uint8_t at[BUDDY_ROUND];     /* which of the list */
    uint16_t signs[BUDDY_ROUND]; /* of the counts: what changed */
} buddy_late;

/* Sets the bits of units up to the first that is refused. What the loop reads of the level is
 * copied: a store to a word could be a store to anything. */
LOAM_INLINE void buddy_set_units(const loam_buddy *b, const uint64_t *unit, size_t n,
                                 buddy_late *late)
{
    uint64_t *const word = b->level[0].word, start = b->level[0].first;
    uint64_t first = b->first, last = b->count - 1;
    uint16_t *const counts = b->level[0].counts;
    size_t done = 0, lates = 0;
    for (; done < n; done++) {
        uint64_t u = unit[done], i = (u >> 6) - start;
        if (LOAM_UNLIKELY(u - first > last))
            break;
        uint64_t v = word[i], now = v | 1ULL << (u & 63);
        if (LOAM_UNLIKELY((v >> (u & 63) & 1) != 0 || (v == 0 && loam_buddy__is_covered(b, 0, u))))
            break;
        unsigned bit = (unsigned)u, old = counts[i];
        unsigned counted = old + buddy_counts_at(now, bit) - buddy_counts_at(v, bit);
        unsigned signs = buddy_signs(counted) ^ buddy_signs(old);
        word[i] = now;
        counts[i] = (uint16_t)counted;
        late->at[lates] = (uint8_t)done;
        late->signs[lates] = (uint16_t)signs;
        lates += signs != 0;
    }
    late->done = done;
    late->n = lates;
}

/* Classes 3, 4 and 5 of a word, as its node has them. */
LOAM_INLINE unsigned buddy_high_told(const loam_buddy_level *level, uint64_t i)
{
    const uint64_t *has = level->node[0][i >> 6].has;
    unsigned at = i & 63;
    return (unsigned)((has[3] >> at & 1) << 3 | (has[4] >> at & 1) << 4 | (has[5] >> at & 1) << 5);
}

/* A word may be here several times. Its counters' signs then change as often; but its full bytes
 * are already as the last time leaves them, and if all are, the first time clears it. */
static LOAM_NOINLINE void buddy_tell_trees(loam_buddy *b, const uint64_t *unit,
                                           const buddy_late *late)
{
    loam_buddy_level *level = &b->level[0];
    for (size_t n = 0; n < late->n; n++) {
        uint64_t u = unit[late->at[n]], i = (u >> 6) - level->first, v = level->word[i];
        unsigned full = buddy_full_bytes(v);
        unsigned high = buddy_high_classes(full) ^ buddy_high_told(level, i);
        unsigned changed = buddy_low_classes(late->signs[n]) | high;
        level->counts[i] = (uint16_t)buddy_marked(level->counts[i], full);
        if (changed != 0)
            loam_buddy__flip(b, 0, changed, i);
        if (LOAM_UNLIKELY(v == ~0ULL))
            buddy_promote(b, 0, u, 0);
    }
}

static LOAM_NOINLINE size_t buddy_free_units(loam_buddy *b, const uint64_t *unit, size_t n)
{
    buddy_late late;
    buddy_set_units(b, unit, n < BUDDY_ROUND ? n : BUDDY_ROUND, &late);
    if (late.n != 0)
        buddy_tell_trees(b, unit, &late);
    b->free_units += late.done;
    return late.done;
}

/* Blocks of order 9, each a byte of a word, up to the first that is refused; compiled for itself:
 * the shifts are constants. The range has room for one. */
static LOAM_NOINLINE size_t buddy_free_bytes(loam_buddy *b, const uint64_t *unit, size_t n)
{
    const uint64_t first = b->first, last = b->count - (1U << 9);
    size_t done = 0;
    for (; done < n; done++) {
        uint64_t u = unit[done];
        if (LOAM_UNLIKELY(u - first > last || (u & loam_mask64(9)) != 0))
            break;
        if (LOAM_UNLIKELY(buddy_overlaps_free(b, 1, u, buddy_mask(1, u, 9)) ||
                          buddy_free_below(b, 1, u, 9)))
            break;
        buddy_put_bits(b, 1, 3, u);
    }
    b->free_units += (uint64_t)done << 9;
    return done;
}

/* Are the first two blocks of a list in different words of level l? */
static inline bool buddy_lie_apart(const uint64_t *unit, size_t n, unsigned l)
{
    return n == 1 || (unit[0] ^ unit[1]) >> (6 * (l + 1)) != 0;
}

size_t loam_buddy_free_list(loam_buddy *b, unsigned order, const uint64_t *unit, size_t n)
{
    size_t done = 0, more = 1;
    for (; done < n && more != 0; done += more) {
        const uint64_t *at = &unit[done];
        more = 0;
        if (order == 0 && buddy_lie_apart(at, n - done, 0))
            more = buddy_free_units(b, at, n - done);
        else if (order == 9 && b->count >= 1U << 9 && buddy_lie_apart(at, n - done, 1))
            more = buddy_free_bytes(b, at, n - done);
        if (more == 0)
            more = buddy_free_together(b, order, at, n - done);
    }
    return done;
}

loam_err loam_buddy_free_runs(loam_buddy *b, unsigned order, uint64_t base, uint64_t starts)
{
    unsigned l = order / 6, k = order % 6;
    if (starts == 0)
        return LOAM_OK;
    if (order > LOAM_BUDDY_MAX_ORDER || (base & loam_mask64(6 * (l + 1))) != 0 ||
        (starts & ~loam_buddy__starts[k]) != 0)
        return LOAM_EINVAL;
    uint64_t low = base + ((uint64_t)loam_ctz64(starts) << (6 * l)), bits = buddy_spread(starts, k);
    uint64_t high = base + ((uint64_t)loam_log2_floor(starts) << (6 * l));
    if (!buddy_is_block(b, low, order) || !buddy_is_block(b, high, order))
        return LOAM_EINVAL;
    if (buddy_overlaps_free(b, l, low, bits))
        return LOAM_EBUSY;
    for (uint64_t left = l > 0 ? starts : 0; left != 0; left &= left - 1) {
        if (buddy_has_free_below(b, l, base + ((uint64_t)loam_ctz64(left) << (6 * l)), order))
            return LOAM_EBUSY;
    }
    loam_buddy__put_bits(b, l, low, bits);
    b->free_units += (uint64_t)loam_popcount64(starts) << order;
    return LOAM_OK;
}
