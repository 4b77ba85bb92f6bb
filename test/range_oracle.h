/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_RANGE_ORACLE_H
#define LOAM_TEST_RANGE_ORACLE_H

/* range_oracle.h - a range and the same as an array of cells, for the model test and the fuzzer.
 *
 * A cell is a quantum. Each has the number of the taken piece that it belongs to, or 0. Every
 * request is answered by looking at each place in turn, every refusal follows from counting pieces;
 * range and array must agree on all of it. */
#include "loam/range.h"
#include <stdio.h>
#include <string.h>

enum { CELLS = 160, TAGS = CELLS };

typedef struct oracle {
    uint64_t base, quantum;
    unsigned cells;
    size_t array, source; /* tags that there are */
    size_t lent;          /* of the source, out now */
    uint16_t piece[CELLS];
    uint16_t last; /* number given last */
    loam_range range;
    loam_range_tag tag[TAGS], more[TAGS];
    bool is_lent[TAGS];
    char why[160];
} oracle;

static inline bool oracle_fail(oracle *o, const char *text, uint64_t got, uint64_t want)
{
    snprintf(o->why, sizeof o->why, "%s: %llx, wanted %llx", text, (unsigned long long)got,
             (unsigned long long)want);
    return false;
}

static inline loam_range_tag *oracle_get(void *ctx)
{
    oracle *o = ctx;
    for (size_t i = 0; i < o->source; i++) {
        if (o->is_lent[i])
            continue;
        o->is_lent[i] = true;
        o->lent++;
        return &o->more[i];
    }
    return NULL;
}

static inline void oracle_put(void *ctx, loam_range_tag *tag)
{
    oracle *o = ctx;
    size_t i = (size_t)(tag - o->more);
    if (i >= TAGS || !o->is_lent[i])
        oracle_fail(o, "a tag that was never lent", i, 0);
    else
        o->is_lent[i] = false;
    o->lent--;
}

static inline uint64_t oracle_at(const oracle *o, unsigned cell)
{
    return o->base + cell * o->quantum;
}

/* Does a new piece start at this cell? */
static inline bool oracle_starts(const oracle *o, unsigned cell)
{
    return cell == 0 || o->piece[cell] != o->piece[cell - 1];
}

static inline unsigned oracle_pieces(const oracle *o, const uint16_t *piece)
{
    unsigned n = 0;
    for (unsigned i = 0; i < o->cells; i++)
        n += i == 0 || piece[i] != piece[i - 1];
    return n;
}

/* Cells of the piece from its start on. */
static inline unsigned oracle_len(const oracle *o, unsigned cell)
{
    unsigned n = 1;
    while (cell + n < o->cells && o->piece[cell + n] == o->piece[cell])
        n++;
    return n;
}

static inline bool oracle_start(oracle *o)
{
    const loam_range_source source = {o, oracle_get, oracle_put};
    memset(o->piece, 0, sizeof o->piece);
    memset(o->is_lent, 0, sizeof o->is_lent);
    o->last = 0;
    o->lent = 0;
    o->why[0] = 0;
    loam_err err =
        loam_range_init(&o->range, o->base, o->cells * o->quantum, o->quantum,
                        o->array != 0 ? o->tag : NULL, o->array, o->source != 0 ? &source : NULL);
    return err == LOAM_OK || oracle_fail(o, "init", err, LOAM_OK);
}

/* The range has exactly the array's pieces, and every rule holds. */
static inline bool oracle_same(oracle *o)
{
    const loam_range_tag *t = loam_range_first(&o->range);
    uint64_t longest = 0, free = 0;
    unsigned len;
    if (o->why[0] != 0)
        return false;
    const char *broken = loam_range_check(&o->range);
    if (broken != NULL)
        return oracle_fail(o, broken, 0, 0);
    for (unsigned i = 0; i < o->cells; i += len, t = loam_range_next(t)) {
        len = oracle_len(o, i);
        if (t == NULL || t->base != oracle_at(o, i) || t->len != len * o->quantum)
            return oracle_fail(o, "a piece", t == NULL ? 0 : t->base, oracle_at(o, i));
        if (t->taken != (o->piece[i] != 0) || t->note != o->piece[i])
            return oracle_fail(o, "what a piece is", t->note, o->piece[i]);
        free += t->taken ? 0 : t->len;
        if (!t->taken && t->len > longest)
            longest = t->len;
    }
    if (t != NULL || loam_range_largest(&o->range) != longest)
        return oracle_fail(o, "the longest", loam_range_largest(&o->range), longest);
    size_t pieces = oracle_pieces(o, o->piece), spare = o->array + o->source - pieces;
    if (o->range.free != free || spare > o->array + o->source)
        return oracle_fail(o, "what is free", o->range.free, free);
    return o->lent <= pieces || oracle_fail(o, "tags lent", o->lent, pieces);
}

/* What changing the array to `to` must answer, given that it is allowed: tags may run out on the
 * way, since a change takes its tags before it gives any back. */
static inline loam_err oracle_tags(const oracle *o, const uint16_t *to)
{
    return oracle_pieces(o, to) <= o->array + o->source ? LOAM_OK : LOAM_ENOMEM;
}

/* Marks a piece that the range has just given out, on both sides. */
static inline bool oracle_take(oracle *o, unsigned cell, unsigned count)
{
    o->last = (uint16_t)(o->last % 60000 + 1);
    for (unsigned i = cell; i < cell + count; i++)
        o->piece[i] = o->last;
    loam_range_tag *t = loam_range_find(&o->range, oracle_at(o, cell));
    if (t == NULL || t->base != oracle_at(o, cell) || t->owner != NULL || t->note != 0)
        return oracle_fail(o, "a new piece", t == NULL ? 0 : t->base, oracle_at(o, cell));
    t->note = o->last;
    return true;
}

/* ---- requests ---- */

static inline bool oracle_is_free(const oracle *o, unsigned cell, unsigned count)
{
    for (unsigned i = cell; i < cell + count; i++)
        if (i >= o->cells || o->piece[i] != 0)
            return false;
    return true;
}

/* Is this place right? Everything by last bytes, which exist also at 2^64. */
static inline bool oracle_fits(const oracle *o, unsigned cell, unsigned count,
                               const loam_range_want *w)
{
    uint64_t at = oracle_at(o, cell), last = at + (count * o->quantum - 1);
    uint64_t align = w->align > o->quantum ? w->align : o->quantum;
    if (!oracle_is_free(o, cell, count) || at % align != w->phase)
        return false;
    if (w->boundary != 0 && at / w->boundary != last / w->boundary)
        return false;
    return at >= w->lo && (w->limit == 0 || last < w->limit);
}

static inline bool oracle_alloc(oracle *o, unsigned count, const loam_range_want *w)
{
    static const loam_range_want nothing;
    const loam_range_want *asked = w != NULL ? w : &nothing;
    unsigned found = o->cells;
    uint16_t to[CELLS];
    for (unsigned k = 0; k < o->cells && found == o->cells; k++) {
        unsigned cell = asked->high ? o->cells - 1 - k : k;
        if (oracle_fits(o, cell, count, asked))
            found = cell;
    }
    memcpy(to, o->piece, sizeof to);
    for (unsigned i = 0; found < o->cells && i < count; i++)
        to[found + i] = UINT16_MAX;
    loam_err want = found == o->cells ? LOAM_ENOMEM : oracle_tags(o, to);
    uint64_t at = 3;
    loam_err err = loam_range_alloc(&o->range, count * o->quantum, w, &at);
    if (err != want)
        return oracle_fail(o, "answer of alloc", err, want);
    if (err != LOAM_OK)
        return at == 3 || oracle_fail(o, "a refused alloc's place", at, 3);
    if (at != oracle_at(o, found))
        return oracle_fail(o, "place of alloc", at, oracle_at(o, found));
    return oracle_take(o, found, count);
}

static inline bool oracle_alloc_at(oracle *o, unsigned cell, unsigned count)
{
    uint16_t to[CELLS];
    memcpy(to, o->piece, sizeof to);
    for (unsigned i = cell; i < cell + count && i < o->cells; i++)
        to[i] = UINT16_MAX;
    loam_err want = cell + count > o->cells           ? LOAM_EINVAL
                    : !oracle_is_free(o, cell, count) ? LOAM_EBUSY
                                                      : oracle_tags(o, to);
    loam_err err = loam_range_alloc_at(&o->range, oracle_at(o, cell), count * o->quantum);
    if (err != want)
        return oracle_fail(o, "answer of alloc_at", err, want);
    return err != LOAM_OK || oracle_take(o, cell, count);
}

/* ---- changes of pieces ---- */

static inline bool oracle_is_taken_start(const oracle *o, unsigned cell)
{
    return o->piece[cell] != 0 && oracle_starts(o, cell);
}

static inline bool oracle_free(oracle *o, unsigned cell)
{
    uint64_t len = 5;
    bool right = oracle_is_taken_start(o, cell);
    loam_err want = right ? LOAM_OK : LOAM_EINVAL;
    loam_err err = loam_range_free(&o->range, oracle_at(o, cell), &len);
    if (err != want)
        return oracle_fail(o, "answer of free", err, want);
    unsigned count = oracle_len(o, cell);
    if (right && len != count * o->quantum)
        return oracle_fail(o, "length of what was freed", len, count * o->quantum);
    if (right)
        memset(&o->piece[cell], 0, count * sizeof o->piece[0]);
    return true;
}

/* Both halves keep what the piece noted: so the second gets another note, to be told apart. */
static inline bool oracle_split(oracle *o, unsigned cell)
{
    loam_err want = o->piece[cell] == 0                                 ? LOAM_EINVAL
                    : oracle_starts(o, cell)                            ? LOAM_OK
                    : oracle_pieces(o, o->piece) < o->array + o->source ? LOAM_OK
                                                                        : LOAM_ENOMEM;
    bool cuts = want == LOAM_OK && !oracle_starts(o, cell);
    uint16_t note = o->piece[cell];
    loam_err err = loam_range_split(&o->range, oracle_at(o, cell));
    if (err != want)
        return oracle_fail(o, "answer of split", err, want);
    if (!cuts)
        return true;
    loam_range_tag *t = loam_range_find(&o->range, oracle_at(o, cell));
    if (t->note != note)
        return oracle_fail(o, "note of a piece that was split", t->note, note);
    o->last = (uint16_t)(o->last % 60000 + 1);
    t->note = o->last;
    for (unsigned i = cell; i < o->cells && o->piece[i] == note; i++)
        o->piece[i] = o->last;
    return true;
}

static inline bool oracle_join(oracle *o, unsigned cell)
{
    unsigned len = oracle_len(o, cell), next = cell + len;
    bool right = oracle_is_taken_start(o, cell) && next < o->cells && o->piece[next] != 0;
    loam_err want = right ? LOAM_OK : LOAM_EINVAL;
    loam_err err = loam_range_join(&o->range, oracle_at(o, cell));
    if (err != want)
        return oracle_fail(o, "answer of join", err, want);
    for (unsigned n = right ? oracle_len(o, next) : 0; n > 0; n--)
        o->piece[next + n - 1] = o->piece[cell];
    return true;
}

static inline bool oracle_resize(oracle *o, unsigned cell, unsigned count)
{
    unsigned len = oracle_len(o, cell);
    uint16_t to[CELLS];
    memcpy(to, o->piece, sizeof to);
    for (unsigned i = 0; cell + i < o->cells && (i < len || i < count); i++)
        to[cell + i] = i < count ? o->piece[cell] : 0;
    loam_err want = oracle_tags(o, to);
    if (count > len && !oracle_is_free(o, cell + len, count - len))
        want = LOAM_EBUSY;
    if (!oracle_is_taken_start(o, cell))
        want = LOAM_EINVAL;
    loam_err err = loam_range_resize(&o->range, oracle_at(o, cell), count * o->quantum);
    if (err != want)
        return oracle_fail(o, "answer of resize", err, want);
    if (err == LOAM_OK)
        memcpy(o->piece, to, sizeof to);
    return true;
}

static inline bool oracle_find(oracle *o, unsigned cell, uint64_t off)
{
    const loam_range_tag *t = loam_range_find(&o->range, oracle_at(o, cell) + off % o->quantum);
    unsigned start = cell;
    while (!oracle_starts(o, start))
        start--;
    return (t != NULL && t->base == oracle_at(o, start)) ||
           oracle_fail(o, "what find finds", t == NULL ? 0 : t->base, oracle_at(o, start));
}

static inline bool oracle_end(oracle *o)
{
    loam_range_fini(&o->range);
    return o->lent == 0 || oracle_fail(o, "tags not given back", o->lent, 0);
}

#endif
