/* SPDX-License-Identifier: MIT */
/* buddy.c - power-of-two blocks, kept only in bits.
 *
 * WHAT   Hands out naturally aligned blocks of 2^order units and takes them back. Splitting and
 *        merging are not steps: they are what the bits already say. No free unit is ever touched.
 *
 * MODEL  A bit of level l stands for 64^l units and is set when they are wholly free. Order 6l + k
 * is a run of 2^k
 *        aligned bits in one word of level l. A word that fills up is cleared, and its one bit
 *        above is set.
 *
 *            level 1    0 0 1 0 ...                     bit 2: units 128 .. 191 are free
 *                       | | |
 *            level 0    | | 00000000...                 the word below a set bit is 0
 *                       | 11110001...                   a maximal run of 4 (order 2) and one of 1
 *                       (order 0)
 *                       00000000...                     nothing free
 *
 *        Over the words of a level stands a 64-way tree: has[k] bit i of a node says that child i
 *        holds a maximal run of 2^k bits. A word that changes flips has[k] only for the k in which
 *        its old and new value differ, and climbs only while a node turns empty or stops being
 *        empty: so the tree is exact at every moment.
 *
 *        A byte a word keeps the classes that it had, so that only the new ones are computed.
 *
 * RULES  B1  no bit is set outside of [first, first + count)
 *        B2  no word is all ones
 *        B3  the words below a set bit are 0
 *        B4  classes of a word, and has[k] bit i of a node, say exactly which maximal runs there
 *        are B5  classes bit 6l + k is set exactly when the root of level l has[k] B6  free_units
 *        is the number of units that the set bits stand for
 *
 * LOCKS  None: the owner's.
 * COST   alloc, free: O(levels x height), both at most 8, mostly 1 or 2. A word costs 40 shifts and
 *        masks to classify.
 * FROM   Knowlton's buddy system (1965); van Emde Boas' summaries, 64-way as in hierarchical
 *        bitmaps.
 * NOT    Which block is out, and of what order: the owner's (zone keeps a byte a frame).
 */
#include "buddy_impl.h"

/* Every place in a word where an aligned run of 2^k bits can start. */
static const uint64_t buddy_starts[LOAM_BUDDY_CLASSES] = {
    ~0ULL, BUDDY_PAIRS, BUDDY_QUADS, BUDDY_BYTES, BUDDY_SHORTS, BUDDY_LONGS,
};

/* Is there a maximal run of 2^k? A run of 2^(k+1) is two of 2^k side by side. */
LOAM_INLINE unsigned buddy_has(const buddy_runs *r, unsigned k)
{
    return r->of[k] != (r->of[k + 1] | r->of[k + 1] << (1U << k));
}

LOAM_INLINE unsigned buddy_low_classes(const buddy_runs *r, unsigned above)
{
    return ((above * 2 + buddy_has(r, 2)) * 2 + buddy_has(r, 1)) * 2 + buddy_has(r, 0);
}

LOAM_INLINE unsigned buddy_high_classes(const buddy_runs *r)
{
    return ((unsigned)(r->of[5] != 0) * 2 + buddy_has(r, 4)) * 2 + buddy_has(r, 3);
}

/* Bit k: the word, which is not all ones, has a maximal run of 2^k. */
static inline unsigned buddy_classes(uint64_t v)
{
    buddy_runs r = buddy_runs_of(v);
    return buddy_low_classes(&r, buddy_high_classes(&r));
}

/* The same when a block of 2^k bits, starting at `bit`, is all that was added. Below a byte it can
 * change classes 0 .. 2 only, unless it fills its byte; from a byte on classes 3 .. 5 only. */
LOAM_INLINE unsigned buddy_classes_after(unsigned old, uint64_t v, unsigned k, unsigned bit)
{
    buddy_runs r = buddy_runs_of(v);
    if (k >= 3)
        return buddy_high_classes(&r) * 8 + (old & 7);
    if (LOAM_UNLIKELY((r.of[3] >> (bit & 56) & 1) != 0))
        return buddy_low_classes(&r, buddy_high_classes(&r));
    return buddy_low_classes(&r, old >> 3);
}

/* Child i of level l began or ceased to hold a maximal run of 2^k: upwards while a node begins or
 * ceases to hold any. */
static inline void buddy_flip(loam_buddy *b, unsigned l, unsigned k, uint64_t i)
{
    loam_buddy_level *level = &b->level[l];
    for (unsigned h = 0; h < level->height; h++) {
        uint64_t *has = &level->node[h][i >> 6].has[k];
        uint64_t old = *has, now = old ^ 1ULL << (i & 63);
        *has = now;
        if (old != 0 && now != 0)
            return;
        i >>= 6;
    }
    b->classes ^= 1ULL << (6 * l + k);
}

static LOAM_NOINLINE void buddy_flip_all(loam_buddy *b, unsigned l, unsigned changed, uint64_t i)
{
    for (; changed != 0; changed &= changed - 1)
        buddy_flip(b, l, loam_ctz64(changed), i);
}

LOAM_INLINE void buddy_set_classes(loam_buddy *b, unsigned l, uint64_t i, unsigned classes)
{
    unsigned changed = b->level[l].classes[i] ^ classes;
    b->level[l].classes[i] = (uint8_t)classes;
    if (LOAM_UNLIKELY(changed != 0))
        buddy_flip_all(b, l, changed, i);
}

LOAM_INLINE void buddy_set_word(loam_buddy *b, unsigned l, uint64_t i, uint64_t now)
{
    b->level[l].word[i] = now;
    buddy_set_classes(b, l, i, buddy_classes(now));
}

/* ---- taking ---- */

/* A maximal free block, and where it is written. */
typedef struct buddy_found {
    loam_buddy_pick pick;
    uint64_t i;     /* word of level pick.order / 6 */
    unsigned alone; /* the bit of its class, if it is the word's only block of that */
} buddy_found;

static inline bool buddy_select(const loam_buddy *b, unsigned order, buddy_found *found)
{
    uint64_t enough = order > LOAM_BUDDY_MAX_ORDER ? 0 : b->classes >> order << order;
    if (enough == 0)
        return false;
    unsigned c = loam_ctz64(enough), l = c / 6, k = c % 6;
    bool high = order >= b->high_from;
    const loam_buddy_level *level = &b->level[l];
    uint64_t i = 0;
    for (unsigned h = level->height; h-- > 0;) {
        uint64_t has = level->node[h][i].has[k];
        i = i << 6 | (high ? loam_log2_floor(has) : loam_ctz64(has));
    }
    uint64_t runs = buddy_maximal(level->word[i], k);
    uint64_t bit = high ? loam_log2_floor(runs) : loam_ctz64(runs);
    loam_buddy_pick *pick = &found->pick;
    pick->from = ((level->first + i) << 6 | bit) << (6 * l);
    pick->unit = high ? pick->from + (1ULL << c) - (1ULL << order) : pick->from;
    pick->order = c;
    found->i = i;
    found->alone = (unsigned)loam_is_pow2(runs) << k;
    return true;
}

/* The classes from k to top - 1. */
static inline unsigned buddy_classes_between(unsigned k, unsigned top)
{
    return (1U << top) - (1U << k);
}

/* Takes a block off the end of the smallest sufficient one. What is left of that is one run of
 * every class between the two, and no word had any of these: nothing has to be classified. */
static inline void buddy_split(loam_buddy *b, const buddy_found *found, unsigned order)
{
    unsigned l = found->pick.order / 6, top = found->pick.order % 6, changed = found->alone;
    uint64_t unit = found->pick.unit, i = found->i, v = b->level[l].word[i];
    b->free_units -= 1ULL << order;
    for (; order < 6 * l; top = LOAM_BUDDY_CLASSES, changed = 0, v = ~0ULL) {
        changed |= buddy_classes_between(0, top);
        b->level[l].word[i] = v & ~(1ULL << buddy_bit(l, unit));
        buddy_set_classes(b, l, i, b->level[l].classes[i] ^ changed);
        i = buddy_word_index(b, --l, unit);
    }
    changed |= buddy_classes_between(order - 6 * l, top);
    b->level[l].word[i] = v & ~buddy_mask(l, unit, order);
    buddy_set_classes(b, l, i, b->level[l].classes[i] ^ changed);
}

/* Takes a block out of the free bit or bits of level l that cover it, and opens the bit downwards
 * as far as needed. */
static inline void buddy_carve(loam_buddy *b, unsigned l, uint64_t unit, unsigned order)
{
    uint64_t i = buddy_word_index(b, l, unit), v = b->level[l].word[i];
    b->free_units -= 1ULL << order;
    while (order < 6 * l) {
        buddy_set_word(b, l, i, v & ~(1ULL << buddy_bit(l, unit)));
        v = ~0ULL;
        i = buddy_word_index(b, --l, unit);
    }
    buddy_set_word(b, l, i, v & ~buddy_mask(l, unit, order));
}

bool loam_buddy_peek(const loam_buddy *b, unsigned order, loam_buddy_pick *pick)
{
    buddy_found found;
    if (!buddy_select(b, order, &found))
        return false;
    *pick = found.pick;
    return true;
}

loam_err loam_buddy_alloc_pick(loam_buddy *b, unsigned order, loam_buddy_pick *pick)
{
    buddy_found found;
    if (!buddy_select(b, order, &found))
        return LOAM_ENOMEM;
    buddy_split(b, &found, order);
    *pick = found.pick;
    return LOAM_OK;
}

loam_err loam_buddy_alloc(loam_buddy *b, unsigned order, uint64_t *unit)
{
    loam_buddy_pick pick;
    loam_err err = loam_buddy_alloc_pick(b, order, &pick);
    if (err == LOAM_OK)
        *unit = pick.unit;
    return err;
}

loam_err loam_buddy_alloc_within(loam_buddy *b, unsigned order, uint64_t lo, uint64_t len,
                                 uint64_t *unit)
{
    loam_buddy_pick pick;
    if (!loam_buddy_peek_within(b, order, lo, len, &pick))
        return LOAM_ENOMEM;
    buddy_carve(b, pick.order / 6, pick.unit, order);
    *unit = pick.unit;
    return LOAM_OK;
}

loam_err loam_buddy_take(loam_buddy *b, uint64_t unit, unsigned order)
{
    if (!buddy_is_block(b, unit, order))
        return LOAM_EINVAL;
    unsigned l = buddy_level_of_free(b, unit, order);
    if (l == b->levels)
        return LOAM_EBUSY;
    buddy_carve(b, l, unit, order);
    return LOAM_OK;
}

/* The bits of a word that blocks of order 6 l + k are made of, from their starts. */
static inline uint64_t buddy_spread(uint64_t starts, unsigned k)
{
    for (unsigned i = 0; i < k; i++)
        starts |= starts << (1U << i);
    return starts;
}

uint64_t loam_buddy_take_runs(loam_buddy *b, unsigned order, uint64_t *base)
{
    buddy_found found;
    if (!buddy_select(b, order, &found))
        return 0;
    unsigned l = order / 6, k = order % 6, word = 6 * (l + 1);
    uint64_t starts = buddy_starts[k];
    *base = found.pick.unit >> word << word;
    if (found.pick.order >= word) {
        buddy_carve(b, found.pick.order / 6, *base, word);
        return starts;
    }
    uint64_t v = b->level[l].word[found.i];
    starts = buddy_runs_of(v).of[k];
    buddy_set_word(b, l, found.i, v & ~buddy_spread(starts, k));
    b->free_units -= (uint64_t)loam_popcount64(starts) << order;
    return starts;
}

/* ---- giving back ---- */

/* Does a bit above level l cover this unit? */
static LOAM_NOINLINE bool buddy_is_covered(const loam_buddy *b, unsigned l, uint64_t unit)
{
    uint64_t v = 0;
    while (v == 0 && ++l < b->levels)
        v = b->level[l].word[buddy_word_index(b, l, unit)];
    return v != 0 && (v >> buddy_bit(l, unit) & 1) != 0;
}

/* Is one of these bits of level l free, or a bit above that covers them? By rule B3 only the unit
 * of an empty word can be covered. */
LOAM_INLINE bool buddy_overlaps_free(const loam_buddy *b, unsigned l, uint64_t unit, uint64_t mask)
{
    uint64_t v = b->level[l].word[buddy_word_index(b, l, unit)];
    return (v & mask) != 0 || (v == 0 && buddy_is_covered(b, l, unit));
}

/* Does one of the words [lo, hi) of a level have a bit set? lo < hi. */
static LOAM_NOINLINE bool buddy_any_in(const loam_buddy_level *level, uint64_t lo, uint64_t hi)
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
 * most 32 words, whose classes lie side by side; further below the trees are asked. */
LOAM_INLINE bool buddy_free_below(const loam_buddy *b, unsigned l, uint64_t unit, unsigned order)
{
    const uint8_t *classes = b->level[l - 1].classes + buddy_word_index(b, l - 1, unit);
    unsigned words = 1U << (order - 6 * l), i = 0;
    uint64_t any = 0, eight;
    for (; i + 8 <= words; i += 8) {
        __builtin_memcpy(&eight, classes + i, 8);
        any |= eight;
    }
    for (; i < words; i++)
        any |= classes[i];
    for (unsigned m = l - 1; m-- > 0 && any == 0;) {
        uint64_t at = buddy_word_index(b, m, unit);
        any = buddy_any_in(&b->level[m], at, at + (1ULL << (order - 6 * (m + 1))));
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

/* The word of level l that holds this unit became full: it is cleared, and so on upwards. The word
 * of the last level never fills up: the range has no block so large. */
static LOAM_NOINLINE void buddy_promote(loam_buddy *b, unsigned l, uint64_t unit)
{
    uint64_t v;
    do {
        uint64_t i = buddy_word_index(b, l, unit);
        b->level[l].word[i] = 0;
        buddy_set_classes(b, l, i, 0);
        l++;
        v = b->level[l].word[buddy_word_index(b, l, unit)] | 1ULL << buddy_bit(l, unit);
    } while (v == ~0ULL);
    buddy_set_word(b, l, buddy_word_index(b, l, unit), v);
}

/* Sets bits of level l; a word that fills up moves one level up as a single bit. */
static LOAM_NOINLINE void buddy_put(loam_buddy *b, unsigned l, uint64_t unit, uint64_t mask)
{
    uint64_t i = buddy_word_index(b, l, unit), v = b->level[l].word[i] | mask;
    if (LOAM_UNLIKELY(v == ~0ULL)) {
        buddy_promote(b, l, unit);
        return;
    }
    buddy_set_word(b, l, i, v);
}

static inline loam_err buddy_free(loam_buddy *b, uint64_t unit, unsigned order)
{
    if (LOAM_UNLIKELY(!buddy_is_block(b, unit, order)))
        return LOAM_EINVAL;
    unsigned l = order / 6;
    if (LOAM_UNLIKELY(buddy_overlaps(b, unit, order)))
        return LOAM_EBUSY;
    buddy_put(b, l, unit, buddy_mask(l, unit, order));
    b->free_units += 1ULL << order;
    return LOAM_OK;
}

loam_err loam_buddy_free(loam_buddy *b, uint64_t unit, unsigned order)
{
    return buddy_free(b, unit, order);
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
    buddy_put(b, l, unit[0], bits);
    b->free_units += (uint64_t)used << order;
    return used;
}

/* Blocks that lie apart, up to the first that is refused; the range has room for one at least. What
 * the loop reads of the level is copied: a store to a byte of classes could be a store to
 * anything. */
LOAM_INLINE size_t buddy_free_apart(loam_buddy *b, unsigned order, const uint64_t *unit, size_t n)
{
    const unsigned l = order / 6, k = order - 6 * l;
    const loam_buddy_level *level = &b->level[l];
    uint64_t *word = level->word, start = level->first, first = b->first,
             last = b->count - (1ULL << order);
    uint8_t *classes = level->classes;
    size_t done = 0;
    for (; done < n; done++) {
        uint64_t u = unit[done], mask = buddy_mask(l, u, order), i = (u >> (6 * (l + 1))) - start;
        if (LOAM_UNLIKELY(u - first > last || (u & loam_mask64(order)) != 0))
            break;
        uint64_t v = word[i], now = v | mask;
        if (LOAM_UNLIKELY((v & mask) != 0 || (v == 0 && buddy_is_covered(b, l, u)) ||
                          (l > 0 && buddy_free_below(b, l, u, order))))
            break;
        if (LOAM_UNLIKELY(now == ~0ULL)) {
            buddy_promote(b, l, u);
            continue;
        }
        unsigned old = classes[i], after = buddy_classes_after(old, now, k, buddy_bit(l, u));
        word[i] = now;
        classes[i] = (uint8_t)after;
        if (LOAM_UNLIKELY(old != after))
            buddy_flip_all(b, l, old ^ after, i);
    }
    b->free_units += (uint64_t)done << order;
    return done;
}

/* Compiled for themselves: the shifts become constants. */
static LOAM_NOINLINE size_t buddy_free_apart_0(loam_buddy *b, const uint64_t *unit, size_t n)
{
    return buddy_free_apart(b, 0, unit, n);
}

static LOAM_NOINLINE size_t buddy_free_apart_9(loam_buddy *b, const uint64_t *unit, size_t n)
{
    return b->count < 1U << 9 ? 0 : buddy_free_apart(b, 9, unit, n);
}

size_t loam_buddy_free_list(loam_buddy *b, unsigned order, const uint64_t *unit, size_t n)
{
    size_t done = 0, more = 1;
    for (; done < n && more != 0; done += more) {
        const uint64_t *at = &unit[done];
        more = 0;
        if (order == 0 && (done + 1 == n || (at[0] ^ at[1]) >> 6 != 0))
            more = buddy_free_apart_0(b, at, n - done);
        else if (order == 9 && (done + 1 == n || (at[0] ^ at[1]) >> 12 != 0))
            more = buddy_free_apart_9(b, at, n - done);
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
        (starts & ~buddy_starts[k]) != 0)
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
    buddy_put(b, l, low, bits);
    b->free_units += (uint64_t)loam_popcount64(starts) << order;
    return LOAM_OK;
}

loam_err loam_buddy_free_range(loam_buddy *b, uint64_t unit, uint64_t count)
{
    if (unit < b->first || unit - b->first > b->count || b->count - (unit - b->first) < count)
        return LOAM_EINVAL;
    for (uint64_t u = unit, n = count; n != 0;) {
        unsigned order = loam_natural_order(u, n);
        if (buddy_overlaps(b, u, order))
            return LOAM_EBUSY;
        u += 1ULL << order;
        n -= 1ULL << order;
    }
    while (count != 0) {
        unsigned order = loam_natural_order(unit, count);
        buddy_put(b, order / 6, unit, buddy_mask(order / 6, unit, order));
        unit += 1ULL << order;
        count -= 1ULL << order;
        b->free_units += 1ULL << order;
    }
    return LOAM_OK;
}
