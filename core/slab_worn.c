/* SPDX-License-Identifier: MIT */
/* slab_worn.c - which memory was given out since it read 0.
 *
 * WHAT   A process's pages come when they are touched, and read 0 then. Who wants zeros there need
 *        write none; who looks for memory to give back looks where there is some; and blocks that
 *        are kept go before pages come that are not there yet.
 *
 * MODEL  A bit for each slab-sized piece of the window: worn. It is set when frames in the piece
 *        are given out, and cleared by the port when their memory went to the system.
 *
 *            window   |slab |large block ....|free |gone |never ......
 *            worn      1     1     1     1     1     0     0     0
 *
 * RULES  S18  where a slab is, or a large block, the pieces are worn; as many are as are counted
 * LOCKS  None: a bit changes by one locked instruction, and is cleared by who has all frames of the
 *        piece. Of frames in one piece that two give out at once both set it.
 * COST   A look at a word for a slab, and for 32 pieces of a large block.
 * FROM   -
 * NOT    Without config.fresh: there nothing is known of memory, and all of it counts as worn.
 */
#include "slab_internal.h"

typedef struct worn_span {
    uintptr_t first, n; /* pieces */
} worn_span;

static worn_span worn_of(const loam_slabs *s, const void *va, size_t len)
{
    uintptr_t off = slab_off(s, va);
    return (worn_span){off >> s->shift, ((off + len - 1) >> s->shift) - (off >> s->shift) + 1};
}

/* The next word of the span, and its bits of the word; false: no more. */
static bool worn_word(const loam_slabs *s, worn_span *span, uint32_t **word, uint32_t *bits)
{
    unsigned at = (unsigned)span->first & 31;
    uintptr_t n = span->n < 32 - at ? span->n : 32 - at;
    if (n == 0)
        return false;
    *word = s->worn - (span->first >> 5);
    *bits = (uint32_t)loam_mask64((unsigned)n) << at;
    span->first += n;
    span->n -= n;
    return true;
}

static void worn_count(loam_slabs *s, uint32_t more)
{
    (void)loam_atomic_add(&s->worn_pieces, more); /* no order: a count */
}

void loam_slab__wear(loam_slabs *s, const void *va, size_t len)
{
    uint32_t *word, bits;
    worn_span span = worn_of(s, va, len);
    while (s->worn != NULL && worn_word(s, &span, &word, &bits)) {
        /* no order: who reads it got the frames through the zone's lock */
        if ((loam_atomic_peek(word) & bits) != bits)
            worn_count(s, loam_popcount64(bits & ~loam_atomic_or(word, bits)));
    }
}

bool loam_slab__is_worn(const loam_slabs *s, const void *va, size_t len)
{
    uint32_t *word, bits;
    worn_span span = worn_of(s, va, len);
    bool all = true;
    while (s->worn != NULL && all && worn_word(s, &span, &word, &bits))
        all = (loam_atomic_peek(word) & bits) == bits; /* no order: as above */
    return all;
}

bool loam_slab__has_worn(const loam_slabs *s, const void *va, size_t len)
{
    uint32_t *word, bits;
    worn_span span = worn_of(s, va, len);
    bool any = s->worn == NULL;
    while (!any && worn_word(s, &span, &word, &bits))
        any = (loam_atomic_peek(word) & bits) != 0; /* no order: as above */
    return any;
}

size_t loam_slab__worn_bytes(const loam_slabs *s)
{
    return (size_t)loam_atomic_peek(&s->worn_pieces) << s->shift; /* no order: a count */
}

void loam_slab__spare(loam_slabs *s, const void *va, size_t len)
{
    uint32_t *word, bits, fresh = 0;
    worn_span span = worn_of(s, va, len);
    if (s->spare == NULL)
        return;
    while (worn_word(s, &span, &word, &bits)) /* no order: as above */
        fresh += loam_popcount64(bits & ~loam_atomic_peek(word));
    s->spare(s, va, len, (size_t)fresh << s->shift);
}

void loam_slab__wear_not(loam_slabs *s, const void *va, size_t len)
{
    uint32_t *word, bits;
    uintptr_t off = slab_off(s, va);
    uintptr_t first = (off + s->mask) >> s->shift, end = (off + len) >> s->shift;
    worn_span span = {first, end > first ? end - first : 0};
    while (s->worn != NULL && worn_word(s, &span, &word, &bits)) {
        /* no order: as above; the caller has these pieces, and nobody else changes their bits */
        bits &= loam_atomic_peek(word);
        (void)loam_atomic_add(word, 0 - bits);
        worn_count(s, 0 - loam_popcount64(bits));
    }
}

void loam_slab__wear_zero(loam_slabs *s, unsigned char *va, size_t len)
{
    for (size_t at = 0, n; at < len; at += n) {
        size_t left = (size_t)(s->mask + 1) - (size_t)(slab_off(s, va + at) & s->mask);
        n = len - at < left ? len - at : left;
        if (loam_slab__has_worn(s, va + at, n))
            __builtin_memset(va + at, 0, n);
    }
}

/* ---- S18 ---- */

/* Pieces that are worn, by the bits. */
static uint32_t worn_all(const loam_slabs *s)
{
    uint32_t pieces = 0, *word, bits;
    worn_span span = {0, (uintptr_t)s->leaves * SLAB_LEAF};
    while (worn_word(s, &span, &word, &bits))
        pieces += loam_popcount64(loam_atomic_peek(word) & bits); /* no order: as below */
    return pieces;
}

const char *loam_slab__check_worn(const loam_slabs *s)
{
    uintptr_t index = 0;
    for (slab_desc *d = loam_slab__next(s, &index); d != NULL; d = loam_slab__next(s, &index)) {
        size_t len = d->kind == SLAB_LARGE ? slab_large_bytes(d) : (size_t)(s->mask + 1);
        if (!loam_slab__is_worn(s, slab_frames_of(s, d), len))
            return "S18 where blocks are the pieces are worn";
    }
    uint32_t counted = loam_atomic_peek(&s->worn_pieces); /* no order: nobody else is inside */
    return worn_all(s) == counted ? NULL : "S18 as many pieces are worn as are counted";
}
