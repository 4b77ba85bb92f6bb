/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BUDDY_IMPL_H
#define LOAM_BUDDY_IMPL_H

/* buddy_impl.h - how the buddy's files read its words. The theory is at the top of buddy.c. */
#include "loam/buddy.h"

#define BUDDY_PAIRS  0x5555555555555555ULL
#define BUDDY_QUADS  0x1111111111111111ULL
#define BUDDY_BYTES  0x0101010101010101ULL
#define BUDDY_SHORTS 0x0001000100010001ULL
#define BUDDY_LONGS  0x0000000100000001ULL

/* Starts of the aligned runs of 2^k set bits, maximal or not, for k = 0 .. 5. */
typedef struct buddy_runs {
    uint64_t of[LOAM_BUDDY_CLASSES];
} buddy_runs;

static inline buddy_runs buddy_runs_of(uint64_t v)
{
    buddy_runs r;
    r.of[0] = v;
    r.of[1] = v & (v >> 1) & BUDDY_PAIRS;
    r.of[2] = r.of[1] & (r.of[1] >> 2) & BUDDY_QUADS;
    r.of[3] = r.of[2] & (r.of[2] >> 4) & BUDDY_BYTES;
    r.of[4] = r.of[3] & (r.of[3] >> 8) & BUDDY_SHORTS;
    r.of[5] = r.of[4] & (r.of[4] >> 16) & BUDDY_LONGS;
    return r;
}

/* Starts of the maximal runs of 2^k bits. */
static inline uint64_t buddy_maximal(uint64_t v, unsigned k)
{
    buddy_runs r = buddy_runs_of(v);
    if (k == LOAM_BUDDY_CLASSES - 1)
        return r.of[k];
    return r.of[k] & ~(r.of[k + 1] | r.of[k + 1] << (1U << k));
}

/* Index of the word of level l that holds this unit. */
static inline uint64_t buddy_word_index(const loam_buddy *b, unsigned l, uint64_t unit)
{
    return (unit >> (6 * (l + 1))) - b->level[l].first;
}

static inline unsigned buddy_bit(unsigned l, uint64_t unit)
{
    return (unsigned)(unit >> (6 * l)) & 63;
}

/* The bits of level l = order / 6 that a block is made of. */
static inline uint64_t buddy_mask(unsigned l, uint64_t unit, unsigned order)
{
    return loam_mask64(1U << (order - 6 * l)) << buddy_bit(l, unit);
}

static inline bool buddy_is_block(const loam_buddy *b, uint64_t unit, unsigned order)
{
    if (order >= 6 * b->levels || (unit & loam_mask64(order)) != 0 || unit < b->first)
        return false;
    uint64_t offset = unit - b->first;
    return offset < b->count && b->count - offset >= 1ULL << order;
}

/* The level whose bits say that the block is free, or b->levels when it is not wholly free. */
static inline unsigned buddy_level_of_free(const loam_buddy *b, uint64_t unit, unsigned order)
{
    unsigned l = order / 6;
    uint64_t mask = buddy_mask(l, unit, order);
    for (; l < b->levels; l++) {
        if ((b->level[l].word[buddy_word_index(b, l, unit)] & mask) == mask)
            break;
        mask = 1ULL << buddy_bit(l + 1, unit);
    }
    return l;
}

/* ---- the runs of a word, counted ---- */

/* How many maximal runs of 1, 2 and 4 bits there are, in a byte or in a word: three counters side
 * by side, with room for the most that 64 bits can hold, 32, 16 and 8. A full byte is part of a
 * larger run and leaves only its mark. */
enum {
    BUDDY_ONE = 1 << 0,
    BUDDY_TWO = 1 << 6,
    BUDDY_FOUR = 1 << 11,
    BUDDY_FULL = 1 << 15, /* some byte is full */
    /* added to the counters, carries into the upper bit of each that is not 0 */
    BUDDY_CARRY = 31 * BUDDY_ONE + 15 * BUDDY_TWO + 7 * BUDDY_FOUR,
    BUDDY_SIGNS = 32 * BUDDY_ONE + 16 * BUDDY_TWO + 8 * BUDDY_FOUR + BUDDY_FULL
};

/* The counts of every byte. */
extern const uint16_t loam_buddy__counts[256];
/* Bit k: the byte has a maximal run of 2^k, k < 3. */
extern const uint8_t loam_buddy__classes[256];

/* The counts of the byte in which this bit of a word lies. */
LOAM_INLINE unsigned buddy_counts_at(uint64_t v, unsigned bit)
{
    return loam_buddy__counts[v >> (bit & 56) & 255];
}

/* Which counters are not 0, each said by its upper bit; and the mark. */
LOAM_INLINE unsigned buddy_signs(unsigned counts)
{
    return (counts + BUDDY_CARRY) & BUDDY_SIGNS;
}

/* The signs of the counters as classes 0, 1 and 2. */
LOAM_INLINE unsigned buddy_low_classes(unsigned signs)
{
    return (signs >> 5 & 1) | (signs >> 9 & 2) | (signs >> 12 & 4);
}

/* Bit j: byte j is full. Of a byte the low seven bits carry into the eighth when all are set; the
 * product gathers the eighth bits in the top byte. */
static inline unsigned buddy_full_bytes(uint64_t v)
{
    const uint64_t eighth = BUDDY_BYTES << 7;
    uint64_t full = ((v & ~eighth) + BUDDY_BYTES) & v & eighth;
    return (unsigned)(full * 0x0002040810204081ULL >> 56);
}

/* Classes 3, 4 and 5 of a word in which these bytes are full, not all: what runs of bits are to a
 * byte, runs of full bytes are to a word. */
LOAM_INLINE unsigned buddy_high_classes(unsigned full_bytes)
{
    return (unsigned)loam_buddy__classes[full_bytes] << 3;
}

/* Bit k: the word, which is not all ones, has a maximal run of 2^k. */
static inline unsigned buddy_classes(uint64_t v, unsigned counts)
{
    unsigned low = buddy_low_classes(buddy_signs(counts));
    return (counts & BUDDY_FULL) == 0 ? low : low | buddy_high_classes(buddy_full_bytes(v));
}

/* The counters of a word, and the mark if one of these bytes is full. */
LOAM_INLINE unsigned buddy_marked(unsigned counts, unsigned full_bytes)
{
    return (counts & (BUDDY_FULL - 1)) | (full_bytes != 0 ? BUDDY_FULL : 0U);
}

/* The classes from k to 5. */
static inline unsigned buddy_classes_from(unsigned k)
{
    return (1U << LOAM_BUDDY_CLASSES) - (1U << k);
}

/* Word i of level l began or ceased to hold maximal runs of these classes. */
void loam_buddy__flip(loam_buddy *b, unsigned l, unsigned changed, uint64_t i);

/* Writes a word of which these classes change. */
LOAM_INLINE void buddy_write(loam_buddy *b, unsigned l, uint64_t i, uint64_t now, unsigned counts,
                             unsigned changed)
{
    b->level[l].word[i] = now;
    b->level[l].counts[i] = (uint16_t)counts;
    if (LOAM_UNLIKELY(changed != 0))
        loam_buddy__flip(b, l, changed, i);
}

/* Writes a word that differs from v, its value so far, by a block of 2^k bits from `bit` on.
 * Neither is all ones. A block of less than a byte concerns classes 3 to 5 only if its byte becomes
 * full or ceases to be. */
LOAM_INLINE void buddy_change(loam_buddy *b, unsigned l, uint64_t i, uint64_t v, uint64_t now,
                              unsigned k, unsigned bit)
{
    unsigned old = b->level[l].counts[i], counts = old, changed = 0;
    if (k < 3) {
        counts = (uint16_t)(old + buddy_counts_at(now, bit) - buddy_counts_at(v, bit));
        changed = buddy_low_classes(buddy_signs(old) ^ buddy_signs(counts));
    }
    if (k >= 3 || ((old ^ counts) & BUDDY_FULL) != 0) {
        unsigned bytes = (1U << (k > 3 ? 1U << (k - 3) : 1U)) - 1;
        unsigned before = buddy_full_bytes(v), after = before ^ bytes << (bit >> 3);
        changed |= buddy_high_classes(before) ^ buddy_high_classes(after);
        counts = buddy_marked(counts, after);
    }
    buddy_write(b, l, i, now, counts, changed);
}

static inline unsigned buddy_counts_of(uint64_t v)
{
    unsigned counts = 0;
    for (unsigned bit = 0; bit < 64; bit += 8)
        counts += buddy_counts_at(v, bit);
    return buddy_marked(counts, counts >> 15);
}

/* Does a bit above level l cover this unit? */
bool loam_buddy__is_covered(const loam_buddy *b, unsigned l, uint64_t unit);

/* Is one of these bits of level l free, or a bit above that covers them? By rule B3 only the unit
 * of an empty word can be covered. */
LOAM_INLINE bool buddy_overlaps_free(const loam_buddy *b, unsigned l, uint64_t unit, uint64_t mask)
{
    uint64_t v = b->level[l].word[buddy_word_index(b, l, unit)];
    return (v & mask) != 0 || (v == 0 && loam_buddy__is_covered(b, l, unit));
}

/* Does one of the words [lo, hi) of a level have a bit set? lo < hi. */
bool loam_buddy__any_in(const loam_buddy_level *level, uint64_t lo, uint64_t hi);

/* Sets bits in the word of level l that holds this unit; none of them is free in any way. */
void loam_buddy__put_bits(loam_buddy *b, unsigned l, uint64_t unit, uint64_t bits);

/* Takes a block out of the free bit or bits of level l that cover it, and opens the bit downwards
 * as far as needed. */
void loam_buddy__carve(loam_buddy *b, unsigned l, uint64_t unit, unsigned order);

/* ---- many blocks of a word ---- */

/* Every place in a word where an aligned run of 2^k bits can start. */
extern const uint64_t loam_buddy__starts[LOAM_BUDDY_CLASSES];

/* The bits of a word that blocks of order 6 l + k are made of, from their starts. */
static inline uint64_t buddy_spread(uint64_t starts, unsigned k)
{
    for (unsigned i = 0; i < k; i++)
        starts |= starts << (1U << i);
    return starts;
}

#endif
