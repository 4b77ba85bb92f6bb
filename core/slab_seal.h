/* SPDX-License-Identifier: MIT */
#ifndef LOAM_SLAB_SEAL_H
#define LOAM_SLAB_SEAL_H

/* slab_seal.h - what the guard mode writes around a block, for slab_modes.c and slab_swift.c.
 *
 *        slot    [ seal of | magic | pad: magic | block: size bytes | slack: magic ] [ seal | ...
 *                 the slot                        ^ multiple of 8                    8 bytes
 *                 before                          '------------- room ------------>'
 *
 * The seal is the magic word with the block's size and pad in it, twice; or with no size, when the
 * block is not out, and with a mark beside it, when it is out and has no bytes. Whoever changes one
 * byte of it makes the two differ. The first byte behind the
 * largest block of a class is one of a copy, so that it is no size by itself.
 */
#include "slab_internal.h"

enum {
    SEAL_SIZE = 16,      /* size << 16 | pad / 8, in either half */
    SEAL_EMPTY = 0x8000, /* a block of 0 bytes is out */
    SEAL_SLACK = 32      /* bytes of magic behind a block, if there are so many */
};

/* Of a block that has bytes, or, with size 0, of none. */
static inline uint64_t seal_of(uint64_t magic, size_t size, size_t pad)
{
    uint64_t says = (uint64_t)size << SEAL_SIZE | pad >> 3;
    return magic ^ (says << 32 | says);
}

/* Of any block that is out. */
static inline uint64_t seal_of_out(uint64_t magic, size_t size, size_t pad)
{
    uint64_t empty = size == 0 ? SEAL_EMPTY : 0;
    return seal_of(magic, size, pad) ^ (empty << 32 | empty);
}

typedef struct seal_words {
    bool whole; /* false: somebody wrote there */
    bool out;   /* where it is whole: a block is there */
    size_t size, pad;
} seal_words;

/* Who claims a block changes the low half first: from then on it is none. */
static inline seal_words seal_read(uint64_t magic, uint64_t seal)
{
    uint64_t x = seal ^ magic;
    uint32_t says = (uint32_t)x, twice = (uint32_t)(x >> 32), pad = says & (SEAL_EMPTY - 1);
    bool whole = says == twice || says == (twice & (SEAL_EMPTY - 1));
    return (seal_words){whole, says != pad, says >> SEAL_SIZE, (size_t)pad << 3};
}

/* Bits in which [p, p + n) is not as it should be; both are multiples of 8. */
LOAM_INLINE uint64_t words_differ(const void *p, size_t n, uint64_t want)
{
    const uint64_t *w = p, *end = w + n / 8;
    uint64_t differ = 0;
    for (; end - w >= 8 && differ == 0; w += 8)
        differ = (w[0] ^ want) | (w[1] ^ want) | (w[2] ^ want) | (w[3] ^ want) | (w[4] ^ want) |
                 (w[5] ^ want) | (w[6] ^ want) | (w[7] ^ want);
    for (; w < end; w++)
        differ |= *w ^ want;
    return differ;
}

LOAM_INLINE void words_fill(void *p, size_t n, uint64_t value)
{
    for (uint64_t *w = p, *end = w + n / 8; w < end; w++)
        *w = value;
}

/* Where the magic of a block's slack ends, which has `most` bytes with the block. What is left of
 * the slot behind it stays as it is in a free one, and is looked at when the slot is used again. */
LOAM_INLINE size_t slack_end(size_t size, size_t most)
{
    size_t end = size + SEAL_SLACK;
    return end < most ? end : most;
}

/* Of the word in which byte `at` lies, the bits of that one and those behind it, before `end`. */
LOAM_INLINE uint64_t slack_bits(size_t at, size_t end)
{
    size_t last = (at | 7) + 1;
    uint64_t upto = end < last ? ~loam_mask64(8 * (uint32_t)(end & 7)) : 0;
    return ~(loam_mask64(8 * (uint32_t)(at & 7)) | upto);
}

/* The slack of a block of size bytes, up to byte `end` of it; the bytes of the block stay. */
LOAM_INLINE void slack_write(unsigned char *p, size_t size, size_t end, uint64_t magic)
{
    for (size_t at = size; at < end; at = (at | 7) + 1) {
        uint64_t *w = (uint64_t *)(void *)p + at / 8, bits = slack_bits(at, end);
        *w = (*w & ~bits) | (magic & bits);
    }
}

/* Not 0: somebody wrote there. */
LOAM_INLINE uint64_t slack_differs(const unsigned char *p, size_t size, size_t end, uint64_t magic)
{
    uint64_t differ = 0;
    for (size_t at = size; at < end; at = (at | 7) + 1) {
        const uint64_t *w = (const uint64_t *)(const void *)p + at / 8;
        differ |= (*w ^ magic) & slack_bits(at, end);
    }
    return differ;
}

#endif
