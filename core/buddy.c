/* SPDX-License-Identifier: MIT */
/* buddy.c - power-of-two blocks, kept only in bits.
 *
 * WHAT   Hands out naturally aligned blocks of 2^order units and takes them back. Splitting and
 *        merging are not steps: they are what the bits already say. No free unit is ever touched.
 *
 * MODEL  A bit of level l stands for 64^l units and is set when they are wholly free. Order 6l + k
 *        is a run of 2^k aligned bits in one word of level l. A word that fills up is cleared, and
 *        its one bit above is set.
 *
 *            level 1    0 0 1 0 ...          bit 2: units 128 .. 191 are free
 *                       | | |
 *            level 0    | | 00000000...      the word below a set bit is 0
 *                       | 11110001...        a maximal run of 4 (order 2), one of 1 (order 0)
 *                       00000000...          nothing free
 *
 *        Over the words of a level stands a 64-way tree: has[k] bit i of a node says that child i
 *        holds a maximal run of 2^k bits. A change of a word flips has[k] for the classes k that it
 *        gains or loses, and climbs only while a node turns empty or stops being empty: the tree is
 *        exact at every moment.
 *
 *        Which classes those are, the counts of a word tell: how many maximal runs of 1, 2 and 4
 *        bits it has. A table knows the counts of a byte, so a unit that comes back changes them by
 *        table[byte after] - table[byte before]; a class is gained or lost where a count begins or
 *        ceases to be 0. Only a byte that fills up, or is broken into, concerns the larger classes,
 *        and those are to the word's full bytes what the small ones are to bits: the same table.
 *
 * RULES  B1  no bit is set outside of [first, first + count)
 *        B2  no word is all ones
 *        B3  the words below a set bit are 0
 *        B4  counts of a word, and has[k] bit i of a node, say exactly which maximal runs there are
 *        B5  classes bit 6l + k is set exactly when the root of level l has[k]
 *        B6  free_units is the number of units that the set bits stand for
 *
 * LOCKS  None: the owner's.
 * COST   alloc, free: O(levels x height), both at most 8, mostly 1 or 2. In a list of units one
 *        costs about 45 instructions, and 20 more for each tree that it concerns, one in four.
 * FROM   Knowlton's buddy system (1965); van Emde Boas' summaries, 64-way as in hierarchical
 *        bitmaps.
 * NOT    Which block is out, and of what order: the owner's (zone keeps a byte a frame).
 */
#include "buddy_impl.h"

const uint64_t loam_buddy__starts[LOAM_BUDDY_CLASSES] = {
    ~0ULL, BUDDY_PAIRS, BUDDY_QUADS, BUDDY_BYTES, BUDDY_SHORTS, BUDDY_LONGS,
};

/* ---- the tables of a byte: its halves' counts and classes, unless it is full ---- */

/* clang-format off */
#define COUNTS_2(x)  ((x) == 3 ? BUDDY_TWO : (x) != 0 ? BUDDY_ONE : 0)
#define COUNTS_4(x)  ((x) == 15 ? BUDDY_FOUR : COUNTS_2((x) & 3) + COUNTS_2((x) >> 2))
#define COUNTS_8(x)  ((x) == 255 ? BUDDY_FULL : COUNTS_4((x) & 15) + COUNTS_4((x) >> 4))
#define CLASSES_2(x) ((x) == 3 ? 2 : (x) != 0)
#define CLASSES_4(x) ((x) == 15 ? 4 : CLASSES_2((x) & 3) | CLASSES_2((x) >> 2))
#define CLASSES_8(x) ((x) == 255 ? 0 : CLASSES_4((x) & 15) | CLASSES_4((x) >> 4))

#define EACH_4(of, x)  of(x), of((x) + 1), of((x) + 2), of((x) + 3)
#define EACH_16(of, x) EACH_4(of, x), EACH_4(of, (x) + 4), EACH_4(of, (x) + 8), EACH_4(of, (x) + 12)
#define EACH_32(of, x) EACH_16(of, x), EACH_16(of, (x) + 16)
#define EACH_64(of, x) EACH_32(of, x), EACH_32(of, (x) + 32)
#define EACH(of)       EACH_64(of, 0), EACH_64(of, 64), EACH_64(of, 128), EACH_64(of, 192)
/* clang-format on */

const uint16_t loam_buddy__counts[256] = {EACH(COUNTS_8)};
const uint8_t loam_buddy__classes[256] = {EACH(CLASSES_8)};

/* ---- trees ---- */

/* A node at the bottom began or ceased to hold any maximal run of these classes: upwards, while a
 * node begins or ceases to. */
static LOAM_NOINLINE void buddy_climb(loam_buddy *b, unsigned l, unsigned changed, uint64_t node)
{
    loam_buddy_level *level = &b->level[l];
    for (; changed != 0; changed &= changed - 1) {
        unsigned k = loam_ctz64(changed);
        uint64_t i = node;
        bool turns = true;
        for (unsigned h = 1; turns && h < level->height; h++, i >>= 6) {
            uint64_t *has = &level->node[h][i >> 6].has[k], bit = 1ULL << (i & 63);
            *has ^= bit;
            turns = *has == 0 || *has == bit;
        }
        if (turns)
            b->classes ^= 1ULL << (6 * l + k);
    }
}

void loam_buddy__flip(loam_buddy *b, unsigned l, unsigned changed, uint64_t i)
{
    loam_buddy_node *node = &b->level[l].node[0][i >> 6];
    uint64_t bit = 1ULL << (i & 63);
    unsigned further = 0; /* rare: few changes are seen above the lowest node */
    for (; changed != 0; changed &= changed - 1) {
        unsigned k = loam_ctz64(changed);
        uint64_t now = node->has[k] ^ bit;
        node->has[k] = now;
        if (LOAM_UNLIKELY(now == 0 || now == bit))
            further |= 1U << k;
    }
    if (LOAM_UNLIKELY(further != 0))
        buddy_climb(b, l, further, i >> 6);
}

/* ---- taking ---- */

/* A maximal free block, and where it is written. */
typedef struct buddy_found {
    loam_buddy_pick pick;
    uint64_t i; /* word of level pick.order / 6 */
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
    return true;
}

/* Takes a block out of the free bit or bits of level l that cover it, and opens the bit downwards
 * as far as needed. A word that was all ones keeps one run of each size from the block's on. */
static inline void buddy_carve(loam_buddy *b, unsigned l, uint64_t unit, unsigned order)
{
    static const uint16_t left[LOAM_BUDDY_CLASSES] = {
        BUDDY_ONE + BUDDY_TWO + BUDDY_FOUR + BUDDY_FULL,
        BUDDY_TWO + BUDDY_FOUR + BUDDY_FULL,
        BUDDY_FOUR + BUDDY_FULL,
        BUDDY_FULL,
        BUDDY_FULL,
        BUDDY_FULL,
    };
    unsigned k = order < 6 * l ? 0 : order - 6 * l;
    uint64_t i = buddy_word_index(b, l, unit), v = b->level[l].word[i];
    b->free_units -= 1ULL << order;
    buddy_change(b, l, i, v, v & ~buddy_mask(l, unit, 6 * l + k), k, buddy_bit(l, unit));
    while (order < 6 * l) {
        k = order < 6 * --l ? 0 : order - 6 * l;
        buddy_write(b, l, buddy_word_index(b, l, unit), ~buddy_mask(l, unit, 6 * l + k), left[k],
                    buddy_classes_from(k));
    }
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
    buddy_carve(b, found.pick.order / 6, found.pick.unit, order);
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

void loam_buddy__carve(loam_buddy *b, unsigned l, uint64_t unit, unsigned order)
{
    buddy_carve(b, l, unit, order);
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

/* The counts of a word with these classes when every run of 2^k and more is taken. */
static inline unsigned buddy_counts_below(unsigned counts, unsigned classes, unsigned k)
{
    static const uint16_t kept[LOAM_BUDDY_CLASSES] = {
        0, BUDDY_TWO - 1, BUDDY_FOUR - 1, BUDDY_FULL - 1, BUDDY_FULL - 1, BUDDY_FULL - 1,
    };
    return buddy_marked(counts & kept[k], (classes & ~buddy_classes_from(k)) >> 3);
}

uint64_t loam_buddy_take_runs(loam_buddy *b, unsigned order, uint64_t *base)
{
    buddy_found found;
    if (!buddy_select(b, order, &found))
        return 0;
    unsigned l = order / 6, k = order % 6, word = 6 * (l + 1);
    *base = found.pick.unit >> word << word;
    if (found.pick.order >= word) {
        buddy_carve(b, found.pick.order / 6, *base, word);
        return loam_buddy__starts[k];
    }
    uint64_t v = b->level[l].word[found.i], starts = buddy_runs_of(v).of[k];
    unsigned counts = b->level[l].counts[found.i], classes = buddy_classes(v, counts);
    buddy_write(b, l, found.i, v & ~buddy_spread(starts, k), buddy_counts_below(counts, classes, k),
                classes & buddy_classes_from(k));
    b->free_units -= (uint64_t)loam_popcount64(starts) << order;
    return starts;
}
