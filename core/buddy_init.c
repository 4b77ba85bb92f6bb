/* SPDX-License-Identifier: MIT */
/* buddy_init.c - the layout of a buddy's metadata, and the test of its rules (buddy.c explains
 * both).
 *
 * WHAT   Cuts one piece of zeroed memory into the words and nodes of every level.
 * MODEL  One line (64 bytes) is the grain, so that a node is a cache line:
 *
 *            [ words 0 | counts 0 | nodes 0.0 | nodes 0.1 | words 1 | ... ]
 *
 * RULES  B1 .. B6, as in buddy.c: here they are tested.
 * LOCKS  None.
 * COST   measure, init: O(levels x height); check: O(words x levels).
 * FROM   -
 * NOT    Giving the memory back: it is the caller's.
 */
#include "loam/buddy.h"

enum { BUDDY_LINE = 64, BUDDY_WORDS_A_LINE = 8, BUDDY_COUNTS_A_LINE = 32 };

/* The number of levels that a range of so many units needs: the largest block has order
 * floor(log2(count)). */
static unsigned buddy_levels(uint64_t count)
{
    return loam_log2_floor(count) / LOAM_BUDDY_CLASSES + 1;
}

/* Lays the level out from line *line on; with mem, sets its pointers too. */
static void buddy_lay_level(loam_buddy_level *level, unsigned l, uint64_t first, uint64_t count,
                            uint64_t *line, unsigned char *mem)
{
    unsigned shift = LOAM_BUDDY_CLASSES * (l + 1);
    level->first = first >> shift;
    level->count = ((first + count - 1) >> shift) - level->first + 1;
    level->height = 0;
    level->word = mem == NULL ? NULL : (uint64_t *)(void *)(mem + *line * BUDDY_LINE);
    *line += (level->count + BUDDY_WORDS_A_LINE - 1) / BUDDY_WORDS_A_LINE;
    level->counts = mem == NULL ? NULL : (uint16_t *)(void *)(mem + *line * BUDDY_LINE);
    *line += (level->count + BUDDY_COUNTS_A_LINE - 1) / BUDDY_COUNTS_A_LINE;
    uint64_t nodes = level->count;
    do {
        nodes = (nodes + 63) / 64;
        level->node[level->height++] =
            mem == NULL ? NULL : (loam_buddy_node *)(void *)(mem + *line * BUDDY_LINE);
        *line += nodes;
    } while (nodes > 1);
}

static bool buddy_range_is_good(uint64_t first, uint64_t count)
{
    uint64_t end;
    return count != 0 && !loam_add_overflows(first, count, &end) &&
           count >> (LOAM_BUDDY_MAX_ORDER) == 0;
}

uint64_t loam_buddy_measure(uint64_t first, uint64_t count)
{
    uint64_t lines = 0;
    loam_buddy_level level;
    if (!buddy_range_is_good(first, count))
        return 0;
    for (unsigned l = 0; l < buddy_levels(count); l++)
        buddy_lay_level(&level, l, first, count, &lines, NULL);
    return lines * BUDDY_LINE;
}

loam_err loam_buddy_init(loam_buddy *b, uint64_t first, uint64_t count, unsigned high_from,
                         void *mem)
{
    uint64_t line = 0;
    if (!buddy_range_is_good(first, count) || mem == NULL ||
        ((uintptr_t)mem & (BUDDY_LINE - 1)) != 0)
        return LOAM_EINVAL;
    b->first = first;
    b->count = count;
    b->free_units = 0;
    b->classes = 0;
    b->levels = buddy_levels(count);
    b->high_from = high_from;
    for (unsigned l = 0; l < b->levels; l++)
        buddy_lay_level(&b->level[l], l, first, count, &line, mem);
    return LOAM_OK;
}

/* ---- check ---- */

/* Maximal runs the slow and obvious way, independent of the masks and the tables in buddy.c: bit k
 * of the answer stands for runs of 2^k; *counts are as a word's. */
static unsigned buddy_slow_classes(uint64_t v, unsigned *counts)
{
    static const uint16_t one[LOAM_BUDDY_CLASSES] = {1, 1 << 6, 1 << 11};
    unsigned classes = 0;
    *counts = 0;
    for (unsigned bit = 0; bit < 64;) {
        unsigned k = 0;
        if ((v >> bit & 1) == 0) {
            bit++;
            continue;
        }
        while (k + 1 < LOAM_BUDDY_CLASSES && (bit & ((2U << k) - 1)) == 0 &&
               (v >> bit & loam_mask64(2U << k)) == loam_mask64(2U << k))
            k++;
        classes |= 1U << k;
        *counts += one[k];
        bit += 1U << k;
    }
    *counts |= classes >= 8 ? 1U << 15 : 0;
    return classes;
}

static bool buddy_word_is_inside(const loam_buddy *b, unsigned l, uint64_t i)
{
    uint64_t base = (b->level[l].first + i) << (6 * (l + 1)), size = 1ULL << (6 * l);
    for (uint64_t v = b->level[l].word[i]; v != 0; v &= v - 1) {
        uint64_t unit = base + (uint64_t)loam_ctz64(v) * size;
        if (unit < b->first || unit - b->first >= b->count || b->count - (unit - b->first) < size)
            return false;
    }
    return true;
}

static bool buddy_below_is_zero(const loam_buddy *b, unsigned l, uint64_t i)
{
    if (l == 0)
        return true;
    const loam_buddy_level *below = &b->level[l - 1];
    for (uint64_t v = b->level[l].word[i]; v != 0; v &= v - 1) {
        uint64_t number = ((b->level[l].first + i) << 6) + loam_ctz64(v);
        if (below->word[number - below->first] != 0)
            return false;
    }
    return true;
}

/* A word of level l > 0 whose bits are 0 may have anything below; so B3 for deeper levels follows
 * level by level only when a set bit's word below is 0, whose own bits are then all 0 but whose
 * words below are unchecked: they are checked here by asking for each non-empty word whether a bit
 * above covers it. */
static bool buddy_is_covered(const loam_buddy *b, unsigned l, uint64_t i)
{
    uint64_t number = b->level[l].first + i;
    for (unsigned up = l + 1; up < b->levels; up++, number >>= 6) {
        const loam_buddy_level *above = &b->level[up];
        if ((above->word[(number >> 6) - above->first] >> (number & 63) & 1) != 0)
            return true;
    }
    return false;
}

static const char *buddy_check_word(const loam_buddy *b, unsigned l, uint64_t i)
{
    uint64_t v = b->level[l].word[i];
    const loam_buddy_node *node = &b->level[l].node[0][i >> 6];
    if (!buddy_word_is_inside(b, l, i))
        return "B1 no bit is set outside of the range";
    if (v == ~0ULL)
        return "B2 no word is all ones";
    if (!buddy_below_is_zero(b, l, i) || (v != 0 && buddy_is_covered(b, l, i)))
        return "B3 the words below a set bit are 0";
    unsigned counts, classes = buddy_slow_classes(v, &counts);
    if (b->level[l].counts[i] != counts)
        return "B4 the counts of a word are those of its runs";
    for (unsigned k = 0; k < LOAM_BUDDY_CLASSES; k++) {
        if ((node->has[k] >> (i & 63) & 1) != (classes >> k & 1))
            return "B4 a node knows the maximal runs of its words";
    }
    return NULL;
}

/* Nodes of height h against those of h - 1; n is the number of nodes below. */
static const char *buddy_check_nodes(const loam_buddy_level *level, unsigned h, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        for (unsigned k = 0; k < LOAM_BUDDY_CLASSES; k++) {
            bool below = level->node[h - 1][i].has[k] != 0;
            if (below != ((level->node[h][i >> 6].has[k] >> (i & 63) & 1) != 0))
                return "B4 a node knows which of its nodes hold runs";
        }
    }
    return NULL;
}

static const char *buddy_check_level(const loam_buddy *b, unsigned l, uint64_t *units)
{
    const loam_buddy_level *level = &b->level[l];
    const char *broken = NULL;
    for (uint64_t i = 0; i < level->count && broken == NULL; i++) {
        broken = buddy_check_word(b, l, i);
        *units += (uint64_t)loam_popcount64(level->word[i]) << (6 * l);
    }
    uint64_t n = (level->count + 63) / 64;
    for (unsigned h = 1; h < level->height && broken == NULL; h++, n = (n + 63) / 64)
        broken = buddy_check_nodes(level, h, n);
    for (unsigned k = 0; k < LOAM_BUDDY_CLASSES && broken == NULL; k++) {
        bool has = level->node[level->height - 1][0].has[k] != 0;
        if (has != ((b->classes >> (6 * l + k) & 1) != 0))
            broken = "B5 classes are what the roots have";
    }
    return broken;
}

const char *loam_buddy_check(const loam_buddy *b)
{
    const char *broken = NULL;
    uint64_t units = 0;
    for (unsigned l = 0; l < b->levels && broken == NULL; l++)
        broken = buddy_check_level(b, l, &units);
    if (broken == NULL && units != b->free_units)
        broken = "B6 free_units is the sum of the bits";
    return broken;
}
