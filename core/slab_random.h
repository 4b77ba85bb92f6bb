/* SPDX-License-Identifier: MIT */
#ifndef LOAM_SLAB_RANDOM_H
#define LOAM_SLAB_RANDOM_H

/* slab_random.h - what is drawn in the random mode: words, slots, places among those that wait.
 */
#include "slab_desc.h"

/* xorshift64: a state that is not 0 stays so. */
static inline uint64_t loam_slab__random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *state = x;
    return x >> 11;
}

/* [own] A linear congruence with Knuth's factor: the highest bits are the best, the lowest is 1. */
static inline uint64_t slab_random_step(slab_front *f)
{
    f->rng *= 6364136223846793005ULL;
    return f->rng;
}

/* [own] 0 .. 63 */
static inline unsigned slab_random_turn(slab_front *f)
{
    return (unsigned)(slab_random_step(f) >> 58);
}

/* [own] 0 .. n - 1; 0 < n < 2^32. */
static inline uint32_t slab_random_below(slab_front *f, uint64_t n)
{
    return (uint32_t)((slab_random_step(f) >> 32) * n >> 32);
}

/* [own] Any bit of a word that has one: the first from a place that is drawn, all around. */
static inline unsigned slab_random_bit(slab_front *f, uint64_t w)
{
    unsigned turn = slab_random_turn(f);
    return (loam_ctz64(w >> turn | w << (-turn & 63)) + turn) & 63;
}

/* [own] The same, of its lowest bits: where a front draws what comes next, of as many as there.
 * Drawn from all of a word a few blocks of a class would touch a page each. */
static inline unsigned slab_random_low(slab_front *f, uint64_t w)
{
    if (f->slots == 0)
        return slab_random_bit(f, w);
    uint32_t n = loam_popcount64(w), most = (uint32_t)(f->draw / sizeof(swift_slot));
    most = most < SLAB_DRAWN_LEAST ? SLAB_DRAWN_LEAST : most;
    for (uint32_t drawn = slab_random_below(f, n < most ? n : most); drawn != 0; drawn--)
        w &= w - 1;
    return loam_ctz64(w);
}

#endif
