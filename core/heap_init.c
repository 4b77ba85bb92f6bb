/* SPDX-License-Identifier: MIT */
/* heap_init.c - a heap's metadata, its start, and its views.
 *
 * WHAT   Lays out marks and the buddy's words, and reads them back for people.
 *
 * MODEL      meta   | mark[0] | mark[1] | ... | buddy's |        mem   | grains ...            |
 *
 *        With loam_heap_init both lie in one piece, the metadata first.
 * RULES  H1 .. H5 of heap.c, tested in loam_heap_check
 * LOCKS  None: the owner's.
 * COST   init, reset: O(metadata). check: O(grains).
 * FROM   -
 * NOT    -
 */
#include "heap_impl.h"

enum { HEAP_LINE = 64 };
#define HEAP_MOST ((uint64_t)1 << 46) /* grains; the buddy takes twice as many */

static uint64_t heap_words(uint64_t bits)
{
    return (bits + 63) / 64;
}

/* Bytes of the marks for so many bits. */
static uint64_t heap_marks_len(uint64_t bits)
{
    uint64_t words = 0;
    do {
        bits = heap_words(bits);
        words += bits;
    } while (bits > 1);
    return loam_align_up(words * sizeof(uint64_t), HEAP_LINE);
}

/* The most it can be: of a buddy that begins with the last unit of a word of every level. */
size_t loam_heap_measure(size_t len)
{
    uint64_t count = len / LOAM_HEAP_GRAIN;
    if (count == 0 || count >= HEAP_MOST)
        return 0;
    return (size_t)(heap_marks_len(count + 1) + loam_buddy_measure(HEAP_MOST - 1, count));
}

/* Everything free. The metadata read 0. */
static void heap_start(loam_heap *h)
{
    uint64_t bits = h->count + 1;
    uint64_t *word = h->meta;
    h->levels = 0;
    do {
        bits = heap_words(bits);
        h->mark[h->levels++] = word;
        word += bits;
    } while (bits > 1);
    unsigned char *rest = (unsigned char *)h->meta + heap_marks_len(h->count + 1);
    (void)loam_buddy_init(&h->buddy, h->first, h->count, LOAM_BUDDY_MAX_ORDER + 1, rest);
    (void)loam_buddy_free_range(&h->buddy, h->first, h->count);
    heap_mark(h, 0);
    heap_mark(h, h->count);
    h->blocks = 0;
}

loam_err loam_heap_init_apart(loam_heap *h, void *meta, size_t meta_len, void *mem, size_t len,
                              const char *name)
{
    uintptr_t at = (uintptr_t)meta, base = (uintptr_t)mem, end = base + len;
    if (h == NULL || meta == NULL || mem == NULL || end < base || at % HEAP_LINE != 0)
        return LOAM_EINVAL;
    if (at + meta_len < at || (at < end && at + meta_len > base))
        return LOAM_EINVAL;
    uint64_t first = loam_align_up(base, LOAM_HEAP_GRAIN) / LOAM_HEAP_GRAIN;
    if (end / LOAM_HEAP_GRAIN <= first)
        return LOAM_EINVAL;
    uint64_t count = end / LOAM_HEAP_GRAIN - first;
    uint64_t need = heap_marks_len(count + 1) + loam_buddy_measure(first, count);
    if (count >= HEAP_MOST || need > meta_len)
        return LOAM_EINVAL;
    *h = (loam_heap){.name = name,
                     .first = first,
                     .count = count,
                     .meta = meta,
                     .meta_len = (size_t)need,
                     .low_water = count};
    __builtin_memset(meta, 0, h->meta_len);
    heap_start(h);
    return LOAM_OK;
}

loam_err loam_heap_init(loam_heap *h, void *mem, size_t len, const char *name)
{
    uintptr_t base = (uintptr_t)mem;
    size_t skip = (size_t)(-base & (HEAP_LINE - 1)), need;
    if (mem == NULL || base + len < base || len <= skip)
        return LOAM_EINVAL;
    need = loam_heap_measure(len - skip);
    if (need == 0 || need >= len - skip)
        return LOAM_EINVAL;
    unsigned char *meta = (unsigned char *)mem + skip;
    return loam_heap_init_apart(h, meta, need, meta + need, len - skip - need, name);
}

uint64_t loam_heap_reset(loam_heap *h)
{
    uint64_t out = h->blocks;
    __builtin_memset(h->meta, 0, h->meta_len);
    heap_start(h);
    return out;
}

/* ---- views ---- */

void loam_heap_stat(const loam_heap *h, loam_heap_stats *stats)
{
    int order = loam_buddy_largest(&h->buddy);
    *stats = (loam_heap_stats){
        .name = h->name,
        .capacity = h->count * LOAM_HEAP_GRAIN,
        .free = h->buddy.free_units * LOAM_HEAP_GRAIN,
        .low_water = h->low_water * LOAM_HEAP_GRAIN,
        .largest = order < 0 ? 0 : (uint64_t)LOAM_HEAP_GRAIN << order,
        .blocks = h->blocks,
        .metadata = h->meta_len,
        .allocs = h->allocs,
        .failures = h->failures,
        .refusals = h->refusals,
    };
}

void loam_heap_each(const loam_heap *h, loam_heap_fn *fn, void *ctx)
{
    for (uint64_t at = 0, end; at < h->count; at = end) {
        end = heap_next(h, at + 1);
        size_t size = (size_t)(end - at) * LOAM_HEAP_GRAIN;
        if (!fn(ctx, heap_address(h, at), size, heap_is_free(h, at)))
            return;
    }
}

/* ---- rules ---- */

static bool heap_marks_are_summed(const loam_heap *h)
{
    uint64_t bits = h->count + 1;
    for (unsigned l = 0; l + 1 < h->levels; l++) {
        bits = heap_words(bits);
        for (uint64_t i = 0; i < loam_align_up(bits, 64); i++) {
            bool some = i < bits && h->mark[l][i] != 0;
            if ((h->mark[l + 1][i >> 6] >> (i & 63) & 1) != some)
                return false;
        }
    }
    return true;
}

static const char *heap_check_grain(const loam_heap *h, uint64_t at, uint64_t *blocks)
{
    bool marked = heap_is_marked(h, at), is_free = heap_is_free(h, at);
    bool behind_free = at != 0 && heap_is_free(h, at - 1);
    *blocks += marked && !is_free;
    if (is_free && behind_free && marked)
        return "H3 a mark inside of what is free";
    if (at != 0 && is_free != behind_free && !marked)
        return "H4 a mark is missing";
    return NULL;
}

const char *loam_heap_check(const loam_heap *h)
{
    const char *bad = loam_buddy_check(&h->buddy);
    uint64_t blocks = 0, tail = (h->count + 1) & 63;
    if (bad != NULL)
        return bad;
    if (!heap_marks_are_summed(h))
        return "H1 a word of marks is not told above";
    if (!heap_is_marked(h, 0) || !heap_is_marked(h, h->count) ||
        (tail != 0 && h->mark[0][h->count >> 6] >> tail != 0))
        return "H2 the marks at both ends";
    for (uint64_t at = 0; at < h->count; at++) {
        bad = heap_check_grain(h, at, &blocks);
        if (bad != NULL)
            return bad;
    }
    return blocks == h->blocks ? NULL : "H5 the number of blocks";
}
