/* SPDX-License-Identifier: MIT */
/* frames_textbook.c - the buddy system as the books have it.
 *
 * The links of the lists lie beside the frames (8 bytes each), since the benches have no frames to
 * keep them in; that spares the textbook the cache misses of touching free memory.
 */
#include "frames_textbook.h"
#include "frames_lock.h"
#include <string.h>

enum { NONE = UINT32_MAX };

typedef struct links {
    uint32_t next, prev; /* frames, or NONE */
} links;

struct textbook {
    spin lock;
    bool locked;
    uint32_t frames;
    uint32_t head[TEXTBOOK_MAX_ORDER + 1];
    uint64_t *bit[TEXTBOOK_MAX_ORDER + 1]; /* [order]: block i of that order is on its list */
    links *link;
};

static uint64_t words_of(uint64_t frames, unsigned order)
{
    return (frames >> order) / 64 + 1;
}

uint64_t textbook_bytes(const frames_shape *shape)
{
    uint64_t bytes = sizeof(textbook) + shape->frames * sizeof(links);
    for (unsigned k = 0; k <= TEXTBOOK_MAX_ORDER; k++)
        bytes += words_of(shape->frames, k) * sizeof(uint64_t);
    return bytes;
}

static void set_bit(textbook *t, uint32_t block, unsigned order)
{
    t->bit[order][(block >> order) / 64] |= 1ULL << ((block >> order) & 63);
}

static void clear_bit(textbook *t, uint32_t block, unsigned order)
{
    t->bit[order][(block >> order) / 64] &= ~(1ULL << ((block >> order) & 63));
}

static bool is_listed(const textbook *t, uint32_t block, unsigned order)
{
    return (t->bit[order][(block >> order) / 64] >> ((block >> order) & 63)) & 1;
}

static void list_push(textbook *t, uint32_t block, unsigned order)
{
    uint32_t next = t->head[order];
    t->link[block] = (links){next, NONE};
    if (next != NONE)
        t->link[next].prev = block;
    t->head[order] = block;
    set_bit(t, block, order);
}

static void list_remove(textbook *t, uint32_t block, unsigned order)
{
    links l = t->link[block];
    if (l.prev == NONE)
        t->head[order] = l.next;
    else
        t->link[l.prev].next = l.next;
    if (l.next != NONE)
        t->link[l.next].prev = l.prev;
    clear_bit(t, block, order);
}

void *textbook_init(void *mem, uint64_t bytes, const frames_shape *shape)
{
    (void)bytes;
    textbook *t = mem;
    t->locked = shape->threads > 1;
    t->frames = (uint32_t)shape->frames;
    uint64_t *word = (uint64_t *)(void *)(t + 1);
    for (unsigned k = 0; k <= TEXTBOOK_MAX_ORDER; k++) {
        t->head[k] = NONE;
        t->bit[k] = word;
        word += words_of(shape->frames, k);
    }
    t->link = (links *)(void *)word;
    uint32_t blocks = t->frames >> TEXTBOOK_MAX_ORDER;
    for (uint32_t b = blocks; b > 0; b--)
        list_push(t, (b - 1) << TEXTBOOK_MAX_ORDER, TEXTBOOK_MAX_ORDER);
    return t;
}

static uint64_t take(textbook *t, unsigned order)
{
    unsigned k = order;
    while (k <= TEXTBOOK_MAX_ORDER && t->head[k] == NONE)
        k++;
    if (k > TEXTBOOK_MAX_ORDER)
        return UINT64_MAX;
    uint32_t block = t->head[k];
    list_remove(t, block, k);
    while (k > order) {
        k--;
        list_push(t, block + (1U << k), k);
    }
    return block;
}

static void give(textbook *t, uint32_t block, unsigned order)
{
    if (is_listed(t, block, order))
        bench_die("textbook: double free");
    for (; order < TEXTBOOK_MAX_ORDER; order++) {
        uint32_t buddy = block ^ (1U << order);
        if (buddy >= t->frames || !is_listed(t, buddy, order))
            break;
        list_remove(t, buddy, order);
        block &= ~(1U << order);
    }
    list_push(t, block, order);
}

static LOAM_NOINLINE uint64_t take_locked(textbook *t, unsigned order)
{
    spin_acquire(&t->lock);
    uint64_t f = take(t, order);
    spin_release(&t->lock);
    return f;
}

static LOAM_NOINLINE void give_locked(textbook *t, uint32_t block, unsigned order)
{
    spin_acquire(&t->lock);
    give(t, block, order);
    spin_release(&t->lock);
}

uint64_t textbook_alloc(textbook *t, unsigned order)
{
    if (LOAM_UNLIKELY(t->locked))
        return take_locked(t, order);
    return take(t, order);
}

void textbook_free(textbook *t, uint32_t block, unsigned order)
{
    if (LOAM_UNLIKELY(t->locked))
        give_locked(t, block, order);
    else
        give(t, block, order);
}
