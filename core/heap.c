/* SPDX-License-Identifier: MIT */
/* heap.c - bytes out of a caller's arena, every call bounded.
 *
 * WHAT   Blocks of any size and alignment out of one piece of memory, in grains of 16 bytes.
 *
 * MODEL  A stretch is a block that is out, or all that is free between two blocks. The first grain
 *        of each stretch is marked, and one mark stands behind the last grain; of a free stretch
 *        the free bit is set, too. So a block ends where the next mark is, its neighbours are the
 *        marks around it, and no size is written anywhere.
 *
 *            grains   |A A A . . . . B C C . . . . . . |
 *            marks     1     1       1 1   1            1
 *            free            1             1
 *
 *            free B:   1     1         1   1            1      the mark of B goes: it joins the
 *                            1             1                   stretch before, which only grows
 *
 *        Marks have words of words above them, 64 to one, so the next and the last one are found in
 *        a step a level. Free stretches are entered under their length's class (heap_bits.c), four
 *        classes a doubling, two in an arena of 2 MiB and more. Alloc asks the first stretch of the
 *        size's own class, then takes the first of the next class that there is: all of that are
 *        long enough. Only then others of its own class are asked, at most LOAM_HEAP_TRIES.
 *
 * RULES  H1  a bit of a word of marks stands exactly for a word below that is not 0
 *        H2  the first grain and the place behind the last one are marked, nothing beyond is; a
 *            free bit is set only at a mark
 *        H3  no two free stretches touch
 *        H4  a class is entered for exactly the words in which one of its stretches starts, in
 *            every node above them, and in `classes`
 *        H5  blocks and free_grains count what the marks say
 *
 * LOCKS  None: the owner's.
 * COST   alloc, free: O(log arena). Space: two bits a grain, and the classes' nodes.
 * FROM   Knuth's boundary tags (2.5), kept aside as bits; classes of lengths with bitmaps over them
 *        from TLSF (Masmano 2004), which links the stretches instead.
 * NOT    Locks, growing, guards around blocks.
 */
#include "heap_impl.h"

/* ---- places ---- */

/* What is wrong with an address at which no block begins; at: its grain. */
static const char *heap_state(const loam_heap *h, uint64_t address, uint64_t at)
{
    if (at >= h->count)
        return "outside";
    if (heap_is_free(h, heap_last(h, at)))
        return "free";
    return address % LOAM_HEAP_GRAIN != 0 ? "misaligned" : "inner";
}

static LOAM_NOINLINE void heap_refuse(loam_heap *h, const void *p, uint64_t at, bool freeing,
                                      const void *caller)
{
    static const char *const names[][2] = {
        {"use of a foreign address", "foreign free"},
        {"use of a free block", "double free"},
        {"use of a misaligned address", "misaligned free"},
        {"use of an address inside a block", "inner free"},
    };
    const char *state = heap_state(h, (uintptr_t)p, at);
    unsigned i = state[0] == 'o' ? 0 : state[0] == 'f' ? 1 : state[0] == 'm' ? 2 : 3;
    loam_report report = {.unit = "heap",
                          .what = names[i][freeing],
                          .object = "address",
                          .value = (uintptr_t)p,
                          .state = state,
                          .name = h->name,
                          .caller = caller};
    h->refusals++;
    loam_port_misuse(&report);
}

/* The grain at which the block at p begins; false after a report when no block does. */
static bool heap_place(loam_heap *h, const void *p, bool freeing, const void *caller, uint64_t *at)
{
    uint64_t address = (uintptr_t)p;
    *at = address / LOAM_HEAP_GRAIN - h->first; /* below first: more than any count */
    if (LOAM_LIKELY(address % LOAM_HEAP_GRAIN == 0 && *at < h->count && heap_is_marked(h, *at) &&
                    !heap_is_free(h, *at)))
        return true;
    heap_refuse(h, p, *at, freeing, caller);
    return false;
}

/* ---- taking ---- */

/* Where in the free stretch [start, end) so many grains lie from a multiple of align on; false:
 * nowhere. */
static bool heap_holds(const loam_heap *h, uint64_t start, uint64_t end, uint64_t count,
                       uint64_t align, uint64_t *at)
{
    *at = loam_align_up(h->first + start, align) - h->first;
    return *at < end && count <= end - *at;
}

/* Takes [at, at + count) out of the free stretch [start, end). */
static void heap_take(loam_heap *h, uint64_t start, uint64_t end, uint64_t at, uint64_t count)
{
    uint64_t rest = at + count;
    if (at != start)
        heap_mark(h, at);
    if (rest != end)
        heap_mark(h, rest);
    if (at == start && rest != end) {
        loam_heap__replace(h, start, end - start, rest, end - rest);
    } else {
        loam_heap__remove(h, start, end - start);
        if (at != start)
            loam_heap__add(h, start, at - start);
        if (rest != end)
            loam_heap__add(h, rest, end - rest);
    }
    h->free_grains -= count;
    if (h->free_grains < h->low_water)
        h->low_water = h->free_grains;
}

/* Takes what is wanted out of the first stretch in word w that is long enough; *tries goes down by
 * those that are not. */
LOAM_INLINE bool heap_try_word(loam_heap *h, uint64_t w, uint64_t count, uint64_t align,
                               unsigned *tries, uint64_t *at)
{
    for (uint64_t left = h->free[w]; left != 0 && *tries > 0; left &= left - 1, --*tries) {
        uint64_t start = (w << 6) + loam_ctz64(left), end = heap_end_in(h, w, start);
        if (heap_holds(h, start, end, count, align, at)) {
            heap_take(h, start, end, *at, count);
            return true;
        }
    }
    return false;
}

/* None is certain to be long enough: the stretches of the classes below are asked, those of the
 * longest first. */
static LOAM_NOINLINE bool heap_try_all(loam_heap *h, unsigned least, unsigned above, uint64_t count,
                                       uint64_t align, uint64_t *at)
{
    unsigned tries = LOAM_HEAP_TRIES;
    uint64_t classes = h->classes & loam_mask64(above) & ~loam_mask64(least);
    for (; classes != 0; classes &= ~(1ULL << loam_log2_floor(classes))) {
        unsigned class = loam_log2_floor(classes);
        for (uint64_t w = 0; tries > 0 && loam_heap__next_word(h, class, &w); w++)
            if (heap_try_word(h, w, count, align, &tries, at))
                return true;
    }
    return false;
}

/* The first word of the length's own class may have what fits, the first of a class that is certain
 * has it. */
static bool heap_get(loam_heap *h, uint64_t count, uint64_t align, uint64_t *at)
{
    uint64_t enough = count + (align - 1);
    unsigned least = heap_class(h->fine, count), in_a_word = 32;
    /* of this class and those above all are long enough */
    unsigned certain = enough == 1 ? 0 : heap_class(h->fine, enough - 1) + 1;
    uint64_t above = h->classes & ~loam_mask64(certain);
    if ((h->classes >> least & 1) != 0 &&
        heap_try_word(h, heap_first_word(h, least), count, align, &in_a_word, at))
        return true;
    in_a_word = 32;
    if (above != 0 &&
        heap_try_word(h, heap_first_word(h, loam_ctz64(above)), count, align, &in_a_word, at))
        return true;
    return heap_try_all(h, least, certain, count, align, at);
}

static void *heap_alloc(loam_heap *h, size_t size, size_t align)
{
    uint64_t at, grains = align / LOAM_HEAP_GRAIN, count = size / LOAM_HEAP_GRAIN;
    count += size % LOAM_HEAP_GRAIN != 0;
    if (size == 0 || count > h->count || !loam_is_pow2(align) ||
        !heap_get(h, count, grains == 0 ? 1 : grains, &at)) {
        h->failures++;
        return NULL;
    }
    h->blocks++;
    h->allocs++;
    LOAM_PORT_NOTE_ALLOC(h, heap_address(h, at), (size_t)count * LOAM_HEAP_GRAIN, false);
    return heap_address(h, at);
}

void *loam_heap_alloc(loam_heap *h, size_t size)
{
    return heap_alloc(h, size, LOAM_HEAP_GRAIN);
}

void *loam_heap_aligned(loam_heap *h, size_t size, size_t align)
{
    return heap_alloc(h, size, align);
}

void *loam_heap_calloc(loam_heap *h, size_t n, size_t size)
{
    uint64_t bytes;
    bool wraps = loam_mul_overflows(n, size, &bytes) || bytes > SIZE_MAX;
    void *p = heap_alloc(h, wraps ? 0 : (size_t)bytes, LOAM_HEAP_GRAIN);
    if (p != NULL)
        __builtin_memset(p, 0, (size_t)bytes);
    return p;
}

/* ---- giving back ---- */

/* Makes [at, end) free, which is all of a block or its tail: joined to what is free around it. Only
 * the mark at `at` may be missing yet. */
static void heap_release(loam_heap *h, uint64_t at, uint64_t end)
{
    uint64_t before = at == 0 ? 0 : heap_last(h, at - 1), next = end;
    bool joins_before = at != 0 && heap_is_free(h, before);
    h->free_grains += end - at;
    if (heap_is_free(h, end)) {
        next = heap_next(h, end + 1);
        heap_unmark(h, end);
    }
    if (joins_before) {
        heap_unmark(h, at);
        if (next != end)
            loam_heap__remove(h, end, next - end);
        loam_heap__replace(h, before, at - before, before, next - before);
    } else if (next != end) {
        loam_heap__replace(h, end, next - end, at, next - at);
    } else {
        loam_heap__add(h, at, end - at);
    }
}

static void heap_free_at(loam_heap *h, uint64_t at)
{
    uint64_t end = heap_next(h, at + 1);
    LOAM_PORT_NOTE_FREE(h, heap_address(h, at), (size_t)(end - at) * LOAM_HEAP_GRAIN);
    heap_release(h, at, end);
    h->blocks--;
}

loam_err loam_heap_free(loam_heap *h, void *p)
{
    uint64_t at;
    if (p == NULL)
        return LOAM_OK;
    if (!heap_place(h, p, true, __builtin_return_address(0), &at))
        return LOAM_EINVAL;
    heap_free_at(h, at);
    return LOAM_OK;
}

size_t loam_heap_size(loam_heap *h, const void *p)
{
    uint64_t at;
    if (p == NULL || !heap_place(h, p, false, __builtin_return_address(0), &at))
        return 0;
    return (size_t)(heap_next(h, at + 1) - at) * LOAM_HEAP_GRAIN;
}

/* ---- another size ---- */

/* Makes the block [at, end) count grains long without moving it; false: what follows is not free,
 * or not far enough. */
static bool heap_resize(loam_heap *h, uint64_t at, uint64_t end, uint64_t count)
{
    if (count < end - at) {
        heap_mark(h, at + count);
        heap_release(h, at + count, end);
    }
    if (count <= end - at)
        return true;
    if (!heap_is_free(h, end))
        return false;
    uint64_t next = heap_next(h, end + 1);
    if (next - at < count)
        return false;
    heap_take(h, end, next, end, at + count - end);
    heap_unmark(h, end);
    return true;
}

void *loam_heap_realloc(loam_heap *h, void *p, size_t size)
{
    uint64_t at, count = size / LOAM_HEAP_GRAIN + (size % LOAM_HEAP_GRAIN != 0);
    if (p == NULL)
        return heap_alloc(h, size, LOAM_HEAP_GRAIN);
    if (!heap_place(h, p, size == 0, __builtin_return_address(0), &at))
        return NULL;
    if (size == 0) {
        heap_free_at(h, at);
        return NULL;
    }
    uint64_t end = heap_next(h, at + 1);
    if (count <= h->count && heap_resize(h, at, end, count)) {
        LOAM_PORT_NOTE_RESIZE(h, p, (size_t)(end - at) * LOAM_HEAP_GRAIN,
                              (size_t)count * LOAM_HEAP_GRAIN);
        return p;
    }
    void *moved = heap_alloc(h, size, LOAM_HEAP_GRAIN);
    if (moved != NULL) {
        __builtin_memcpy(moved, p, (size_t)(end - at) * LOAM_HEAP_GRAIN);
        heap_free_at(h, at);
    }
    return moved;
}
