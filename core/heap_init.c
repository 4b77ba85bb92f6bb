/* SPDX-License-Identifier: MIT */
/* heap_init.c - a heap's metadata, its start, its views, and the test of its rules.
 *
 * WHAT   Lays out marks, free bits and nodes, and reads them back for people.
 *
 * MODEL      meta   | mark[0] | mark[1] | ... | free | node[0] | node[1] | ...
 *            mem    | grains ...                                            |
 *
 *        With loam_heap_init both lie in one piece, the metadata first.
 * RULES  H1 .. H5 of heap.c: here they are tested.
 * LOCKS  None: the owner's.
 * COST   init, reset: O(metadata). check: O(grains).
 * FROM   -
 * NOT    -
 */
#include "heap_impl.h"

#define HEAP_MOST ((uint64_t)1 << 47) /* grains: with one mark more less than 64^8 */

enum {
    HEAP_FINE_UP_TO = 17 /* log2 of a length; beyond it four classes a doubling are too many */
};

static uint64_t heap_words(uint64_t bits)
{
    return (bits + 63) / 64;
}

/* log2 of the classes for each doubling. */
static unsigned heap_fine(uint64_t count)
{
    return count >> HEAP_FINE_UP_TO == 0 ? 2 : 1;
}

/* Lays one tree of words over so many bits: `each` words where a plain tree has one. A pointer for
 * each level goes to level[], unless that is NULL. Returns the words that it takes. */
static uint64_t heap_lay_tree(uint64_t bits, unsigned each, uint64_t *words, uint64_t **level,
                              unsigned *height)
{
    uint64_t used = 0;
    unsigned l = 0;
    do {
        bits = heap_words(bits);
        if (level != NULL)
            level[l] = words + used;
        l++;
        used += bits * each;
    } while (bits > 1);
    if (height != NULL)
        *height = l;
    return used;
}

size_t loam_heap_measure(size_t len)
{
    uint64_t count = len / LOAM_HEAP_GRAIN, words;
    if (count == 0 || count >= HEAP_MOST)
        return 0;
    unsigned kinds = heap_class(heap_fine(count), count) + 1;
    words = heap_lay_tree(count + 1, 1, NULL, NULL, NULL) + heap_words(count + 1) +
            heap_lay_tree(heap_words(count), kinds, NULL, NULL, NULL);
    return (size_t)(words * sizeof(uint64_t));
}

/* The shape of a heap of so many grains, and its pointers into the metadata. */
static void heap_lay(loam_heap *h, uint64_t count)
{
    uint64_t *words = h->meta;
    h->count = count;
    h->fine = heap_fine(count);
    h->kinds = heap_class(h->fine, count) + 1;
    words += heap_lay_tree(count + 1, 1, words, h->mark, &h->levels);
    h->free = words;
    words += heap_words(count + 1);
    (void)heap_lay_tree(heap_words(count), h->kinds, words, h->node, &h->height);
}

/* Everything free. The metadata read 0. */
static void heap_start(loam_heap *h)
{
    h->classes = 0;
    heap_mark(h, 0);
    heap_mark(h, h->count);
    loam_heap__add(h, 0, h->count);
    h->free_grains = h->count;
    h->blocks = 0;
}

/* Bytes of [base, base + len) that a heap can have: one that ends with the address space has no
 * address for its end, and does without its last byte. 0: it wraps, or is empty. */
static size_t heap_usable(uintptr_t base, size_t len)
{
    uintptr_t end = base + len;
    return end > base ? len : end == 0 && len != 0 ? len - 1 : 0;
}

loam_err loam_heap_init_apart(loam_heap *h, void *meta, size_t meta_len, void *mem, size_t len,
                              const char *name)
{
    uintptr_t at = (uintptr_t)meta, base = (uintptr_t)mem, end = base + heap_usable(base, len);
    if (h == NULL || meta == NULL || mem == NULL || end == base || at % sizeof(uint64_t) != 0)
        return LOAM_EINVAL;
    if (heap_usable(at, meta_len) == 0 || (at < end && at + (meta_len - 1) >= base))
        return LOAM_EINVAL;
    uint64_t first = loam_align_up(base, LOAM_HEAP_GRAIN) / LOAM_HEAP_GRAIN;
    if (end / LOAM_HEAP_GRAIN <= first)
        return LOAM_EINVAL;
    uint64_t count = end / LOAM_HEAP_GRAIN - first;
    size_t need = loam_heap_measure((size_t)(count * LOAM_HEAP_GRAIN));
    if (need == 0 || need > meta_len)
        return LOAM_EINVAL;
    LOAM_PORT_NOTE_SHOW(meta, need);
    __builtin_memset(meta, 0, need);
    *h = (loam_heap){
        .name = name, .first = first, .low_water = count, .meta = meta, .meta_len = need};
    heap_lay(h, count);
    heap_start(h);
    LOAM_PORT_NOTE_BEGIN(h);
    LOAM_PORT_NOTE_HIDE(heap_address(h, 0), (size_t)count * LOAM_HEAP_GRAIN);
    return LOAM_OK;
}

loam_err loam_heap_init(loam_heap *h, void *mem, size_t len, const char *name)
{
    uintptr_t base = (uintptr_t)mem;
    size_t skip = (size_t)(-base & (sizeof(uint64_t) - 1));
    len = heap_usable(base, len);
    if (mem == NULL || len <= skip)
        return LOAM_EINVAL;
    size_t need = loam_heap_measure(len - skip);
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
    LOAM_PORT_NOTE_END(h);
    LOAM_PORT_NOTE_BEGIN(h);
    LOAM_PORT_NOTE_HIDE(heap_address(h, 0), (size_t)h->count * LOAM_HEAP_GRAIN);
    return out;
}

uint64_t loam_heap_fini(loam_heap *h)
{
    uint64_t out = h->blocks;
    LOAM_PORT_NOTE_END(h);
    LOAM_PORT_NOTE_SHOW(heap_address(h, 0), (size_t)h->count * LOAM_HEAP_GRAIN);
    *h = (loam_heap){.name = h->name, .refusals = h->refusals}; /* nothing is a block of it */
    return out;
}

/* ---- views ---- */

/* The longest stretch that starts in the first word of the longest class: alloc looks there first
 * for a request of its length. */
static uint64_t heap_largest(const loam_heap *h)
{
    uint64_t longest = 0;
    if (h->classes == 0)
        return 0;
    uint64_t w = heap_first_word(h, loam_log2_floor(h->classes));
    for (uint64_t left = h->free[w]; left != 0; left &= left - 1) {
        uint64_t start = (w << 6) + loam_ctz64(left), length = heap_end_in(h, w, start) - start;
        longest = length > longest ? length : longest;
    }
    return longest;
}

void loam_heap_stat(const loam_heap *h, loam_heap_stats *stats)
{
    *stats = (loam_heap_stats){
        .name = h->name,
        .capacity = h->count * LOAM_HEAP_GRAIN,
        .free = h->free_grains * LOAM_HEAP_GRAIN,
        .low_water = h->low_water * LOAM_HEAP_GRAIN,
        .largest = heap_largest(h) * LOAM_HEAP_GRAIN,
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

static bool check_marks(const loam_heap *h)
{
    uint64_t bits = h->count + 1;
    for (unsigned l = 0; l + 1 < h->levels; l++) {
        bits = heap_words(bits);
        for (uint64_t i = 0; i < loam_align_up(bits, 64); i++)
            if (heap_bit(h->mark[l + 1], i) != (i < bits && h->mark[l][i] != 0))
                return false;
    }
    return true;
}

static bool check_ends(const loam_heap *h)
{
    uint64_t words = heap_words(h->count + 1), tail = (h->count + 1) & 63;
    for (uint64_t i = 0; i < words; i++)
        if ((h->free[i] & ~h->mark[0][i]) != 0)
            return false;
    return heap_is_marked(h, 0) && heap_is_marked(h, h->count) && !heap_is_free(h, h->count) &&
           (tail == 0 || h->mark[0][words - 1] >> tail == 0);
}

/* The classes of the free stretches that start in a word. */
static uint64_t check_classes_of(const loam_heap *h, uint64_t w)
{
    uint64_t classes = 0;
    for (uint64_t left = h->free[w]; left != 0; left &= left - 1) {
        uint64_t at = (w << 6) + loam_ctz64(left);
        classes |= 1ULL << heap_class(h->fine, heap_next(h, at + 1) - at);
    }
    return classes;
}

/* The classes that a level of nodes has entered for a child. */
static uint64_t check_entered(const loam_heap *h, unsigned level, uint64_t child)
{
    uint64_t classes = 0;
    for (unsigned c = 0; c < h->kinds; c++) {
        uint64_t word = h->node[level][(child >> 6) * h->kinds + c];
        classes |= (word >> (child & 63) & 1) << c;
    }
    return classes;
}

/* The classes that a node has at all. */
static uint64_t check_node(const loam_heap *h, unsigned level, uint64_t i)
{
    uint64_t classes = 0;
    for (unsigned c = 0; c < h->kinds; c++)
        classes |= (uint64_t)(h->node[level][i * h->kinds + c] != 0) << c;
    return classes;
}

static bool check_nodes(const loam_heap *h)
{
    uint64_t children = heap_words(h->count);
    for (unsigned l = 0; l < h->height; l++) {
        for (uint64_t i = 0; i < loam_align_up(children, 64); i++) {
            uint64_t below = 0;
            if (i < children)
                below = l == 0 ? check_classes_of(h, i) : check_node(h, l - 1, i);
            if (check_entered(h, l, i) != below)
                return false;
        }
        children = heap_words(children);
    }
    return check_node(h, h->height - 1, 0) == h->classes;
}

const char *loam_heap_check(const loam_heap *h)
{
    if (h->count == 0)
        return NULL; /* it has ended */
    uint64_t blocks = 0, grains = 0;
    bool free_before = false;
    if (!check_marks(h))
        return "H1 a word of marks is not told above";
    if (!check_ends(h))
        return "H2 marks at both ends, and free bits at marks";
    for (uint64_t at = 0, end; at < h->count; at = end) {
        bool is_free = heap_is_free(h, at);
        end = heap_next(h, at + 1);
        if (is_free && free_before)
            return "H3 two free stretches touch";
        blocks += !is_free;
        grains += is_free ? end - at : 0;
        free_before = is_free;
    }
    if (!check_nodes(h))
        return "H4 the classes of a word";
    return blocks == h->blocks && grains == h->free_grains ? NULL : "H5 the counts";
}
