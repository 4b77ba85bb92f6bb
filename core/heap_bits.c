/* SPDX-License-Identifier: MIT */
/* heap_bits.c - the heap's index: where stretches start, and where one of a class is.
 *
 * WHAT   Sets and clears marks, enters free stretches under their class and takes them out, finds
 *        the next one.
 *
 * MODEL  A class is entered a word of grains (1 KiB) at a time: that one of its stretches starts
 *        somewhere in the word. Which of them it is, the word's own bits say.
 *
 *            node   class 0   0 0 0 ...                a bit for each word below
 *                   class 1   0 1 0 ...
 *                   class 2   1 0 0 ...      "in word 0 starts a free stretch of class 2"
 *
 *            free   word 0    . . . 1 . . . . . 1 . .  lengths: to the next mark
 *
 *        So an entry goes only when no other stretch of its class starts in the word.
 * RULES  H1 .. H4 (heap.c)
 * LOCKS  None: the owner's.
 * COST   O(levels); in a word at most 32 free stretches, since two never touch.
 * FROM   The trees of the buddy, with lengths in place of orders.
 * NOT    -
 */
#include "heap_impl.h"

/* Is there such a child of the nodes of a level? */
static inline bool heap_has_child(const loam_heap *h, unsigned level, uint64_t child)
{
    return child <= (h->count - 1) >> (6 * (level + 1));
}

bool loam_heap__next_word(const loam_heap *h, unsigned class, uint64_t *w)
{
    unsigned l = 0;
    uint64_t at = *w, word = 0;
    while (heap_has_child(h, l, at)) { /* up, to a node that has one behind */
        word = *heap_node(h, l, at >> 6, class) & ~loam_mask64(at & 63);
        if (word != 0 || l + 1 == h->height)
            break;
        at = (at >> 6) + 1;
        l++;
    }
    if (word == 0)
        return false;
    at = (at & ~63ULL) + loam_ctz64(word);
    while (l > 0) /* and down to the first */
        at = at << 6 | loam_ctz64(*heap_node(h, --l, at, class));
    *w = at;
    return true;
}

/* Does another stretch of this class start in word w? */
static bool heap_has_another(const loam_heap *h, unsigned class, uint64_t w)
{
    for (uint64_t left = h->free[w]; left != 0; left &= left - 1) {
        uint64_t start = (w << 6) + loam_ctz64(left);
        if (heap_class(h->fine, heap_end_in(h, w, start) - start) == class)
            return true;
    }
    return false;
}

LOAM_INLINE void heap_enter(loam_heap *h, unsigned class, uint64_t at)
{
    uint64_t i = at >> 6;
    h->free[i] |= 1ULL << (at & 63);
    for (unsigned l = 0; l < h->height; l++, i >>= 6) {
        uint64_t *word = heap_node(h, l, i >> 6, class), before = *word;
        *word = before | 1ULL << (i & 63);
        if (before != 0)
            return;
    }
    h->classes |= 1ULL << class;
}

LOAM_INLINE void heap_leave(loam_heap *h, unsigned class, uint64_t at)
{
    uint64_t i = at >> 6, rest = h->free[i] & ~(1ULL << (at & 63));
    h->free[i] = rest;
    if (rest != 0 && heap_has_another(h, class, i))
        return;
    for (unsigned l = 0; l < h->height; l++, i >>= 6) {
        uint64_t *word = heap_node(h, l, i >> 6, class);
        *word &= ~(1ULL << (i & 63));
        if (*word != 0)
            return;
    }
    h->classes &= ~(1ULL << class);
}

void loam_heap__add(loam_heap *h, uint64_t at, uint64_t length)
{
    heap_enter(h, heap_class(h->fine, length), at);
}

void loam_heap__remove(loam_heap *h, uint64_t at, uint64_t length)
{
    heap_leave(h, heap_class(h->fine, length), at);
}

void loam_heap__replace(loam_heap *h, uint64_t at, uint64_t length, uint64_t now,
                        uint64_t now_length)
{
    unsigned class = heap_class(h->fine, length), now_class = heap_class(h->fine, now_length);
    if (at >> 6 == now >> 6 && class == now_class) {
        h->free[at >> 6] ^= 1ULL << (at & 63);
        h->free[at >> 6] |= 1ULL << (now & 63);
        return;
    }
    heap_leave(h, class, at);
    heap_enter(h, now_class, now);
}
