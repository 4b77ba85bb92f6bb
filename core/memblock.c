/* SPDX-License-Identifier: MIT */
/* memblock.c - the boot map.
 *
 * WHAT   Between the first instruction and the page allocator somebody must remember which bytes
 *        exist and which are taken, and give out the first memory of all: the page allocator's own
 *        arrays. That is all this file does.
 *
 * MODEL  Three sorted arrays of disjoint spans: RAM that exists, bytes that are held, and the part
 *        of held that was given out here. A gap is a maximal run of bytes in one set and not in
 *        another: free memory is the gaps ram \ held, firmware and kernel are held \ early.
 *
 *            ram    [======================)       [=================)
 *            held   [===)    [=======)  [=====)          [==)
 *            early           [===)                                       -----> physical address
 *            gaps       [--------... )  ^ sticks   [-----)  [--------)
 *                       free         [--) out: fine
 *
 *        Every change replaces a run of neighbouring spans by 0, 1 or 2 others (an edit). Edits are
 *        planned first, all of a call, and made only when all of them fit.
 *
 * RULES  M1  each array is there and within its capacity
 *        M2  every span has a length and ends at or before 2^64
 *        M3  spans ascend and neither overlap nor touch
 *        M4  every early span lies inside a held one
 *        loam_memblock_check() tests exactly these, under these names.
 *
 * LOCKS  None: runs on one CPU before the others start.
 * COST   A change: one binary search and at most one shift of an array; n is tens, once. A walk
 *        over gaps: O(spans of both sets).
 * FROM   Interval sets as in BSD's phys_avail[] and Linux's memblock; derived from neither.
 * NOT    Freeing after the hand-over; nodes; growing its own arrays.
 */
#include "loam/memblock.h"

/* Spans are compared by their last byte, which exists also for a span that ends at 2^64. */
static uint64_t span_last(const loam_span *s)
{
    return s->base + (s->len - 1);
}

static loam_span span_of(uint64_t first, uint64_t last)
{
    return (loam_span){first, last - first + 1};
}

static bool span_wraps(uint64_t base, uint64_t len)
{
    return len != 0 && base > UINT64_MAX - (len - 1);
}

/* ---- sets and edits ---- */

/* Replaces `drop` spans from index `at` on by piece[0 .. put - 1]. */
typedef struct set_edit {
    size_t at, drop, put;
    loam_span piece[2];
} set_edit;

/* Index of the first span that ends at or after the byte `at`. */
static size_t set_find(const loam_spanset *set, uint64_t at)
{
    size_t lo = 0, hi = set->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (span_last(&set->span[mid]) < at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static loam_err set_fits(const loam_spanset *set, const set_edit *edit)
{
    return set->count - edit->drop + edit->put <= set->cap ? LOAM_OK : LOAM_EFULL;
}

/* The union with [first, last]: one span takes the place of all that overlap or touch it. */
static loam_err set_plan_add(const loam_spanset *set, uint64_t first, uint64_t last, set_edit *edit)
{
    uint64_t before = first == 0 ? 0 : first - 1;
    uint64_t after = last == UINT64_MAX ? last : last + 1;
    size_t i = set_find(set, before), j = set_find(set, after);
    if (j < set->count && set->span[j].base <= after)
        j++;
    if (i < j) {
        if (set->span[i].base < first)
            first = set->span[i].base;
        if (span_last(&set->span[j - 1]) > last)
            last = span_last(&set->span[j - 1]);
    }
    if (first == 0 && last == UINT64_MAX)
        return LOAM_ERANGE; /* its length would be 2^64 */
    *edit = (set_edit){i, j - i, 1, {span_of(first, last)}};
    return set_fits(set, edit);
}

/* The set without [first, last]: the spans that overlap it leave at most a stump on either side. */
static loam_err set_plan_cut(const loam_spanset *set, uint64_t first, uint64_t last, set_edit *edit)
{
    size_t i = set_find(set, first), j = set_find(set, last);
    if (j < set->count && set->span[j].base <= last)
        j++;
    *edit = (set_edit){i, j - i, 0, {{0, 0}}};
    if (i == j)
        return LOAM_OK;
    if (set->span[i].base < first)
        edit->piece[edit->put++] = span_of(set->span[i].base, first - 1);
    uint64_t end = span_last(&set->span[j - 1]);
    if (end > last)
        edit->piece[edit->put++] = span_of(last + 1, end);
    return set_fits(set, edit);
}

static void set_make(loam_spanset *set, const set_edit *edit)
{
    loam_span *at = set->span + edit->at;
    size_t tail = set->count - edit->at - edit->drop;
    if (edit->put != edit->drop && tail != 0)
        __builtin_memmove(at + edit->put, at + edit->drop, tail * sizeof *at);
    for (size_t i = 0; i < edit->put; i++)
        at[i] = edit->piece[i];
    set->count = set->count - edit->drop + edit->put;
}

/* ---- gaps: the maximal runs of bytes that are in one set and not in another, ascending ---- */

typedef struct gap_walk {
    const loam_spanset *from, *cut;
    size_t i, c; /* the next span of each */
    uint64_t at; /* where in span i the rest begins, when part of it is behind us */
    bool within; /* at is meant */
} gap_walk;

typedef struct gap {
    uint64_t first, last;
} gap;

static gap_walk gap_start(const loam_spanset *from, const loam_spanset *cut)
{
    return (gap_walk){from, cut, 0, 0, 0, false};
}

static bool gap_next(gap_walk *w, gap *out)
{
    while (w->i < w->from->count) {
        const loam_span *s = &w->from->span[w->i];
        uint64_t first = w->within ? w->at : s->base, last = span_last(s);
        while (w->c < w->cut->count && span_last(&w->cut->span[w->c]) < first)
            w->c++;
        *out = (gap){first, last};
        if (w->c == w->cut->count || w->cut->span[w->c].base > last) {
            w->i++;
            w->within = false;
            return true;
        }
        const loam_span *cut = &w->cut->span[w->c];
        w->within = span_last(cut) < last;
        if (w->within)
            w->at = span_last(cut) + 1;
        else
            w->i++;
        if (cut->base > first) {
            out->last = cut->base - 1;
            return true;
        }
    }
    return false;
}

/* Whole frames of [first, last]: from *frame on, and how many. */
static uint64_t gap_frames(const gap *g, uint64_t *frame)
{
    const uint64_t mask = LOAM_PAGE_SIZE - 1;
    uint64_t first = (g->first >> LOAM_PAGE_SHIFT) + ((g->first & mask) != 0);
    uint64_t end = (g->last >> LOAM_PAGE_SHIFT) + ((g->last & mask) == mask);
    *frame = first;
    return end > first ? end - first : 0;
}

/* ---- the map ---- */

loam_err loam_memblock_init(loam_memblock *map, loam_span *ram, size_t ram_cap, loam_span *held,
                            size_t held_cap, loam_span *early, size_t early_cap)
{
    if (ram == NULL || held == NULL || early == NULL)
        return LOAM_EINVAL;
    if (ram_cap == 0 || held_cap == 0 || early_cap == 0)
        return LOAM_EINVAL;
    map->ram = (loam_spanset){ram, 0, ram_cap};
    map->held = (loam_spanset){held, 0, held_cap};
    map->early = (loam_spanset){early, 0, early_cap};
    map->handed_over = false;
    return LOAM_OK;
}

/* What every change asks first. *idle: there is nothing to do. */
static loam_err memblock_admit(const loam_memblock *map, uint64_t base, uint64_t len, bool *idle)
{
    *idle = len == 0;
    if (map->handed_over)
        return LOAM_ESTATE;
    return span_wraps(base, len) ? LOAM_ERANGE : LOAM_OK;
}

typedef loam_err set_plan(const loam_spanset *set, uint64_t first, uint64_t last, set_edit *edit);

static loam_err memblock_change(loam_memblock *map, loam_spanset *set, set_plan *plan, loam_pa base,
                                uint64_t len)
{
    bool idle;
    set_edit edit;
    loam_err err = memblock_admit(map, base.v, len, &idle);
    if (err != LOAM_OK || idle)
        return err;
    err = plan(set, base.v, base.v + (len - 1), &edit);
    if (err == LOAM_OK)
        set_make(set, &edit);
    return err;
}

loam_err loam_memblock_add(loam_memblock *map, loam_pa base, uint64_t len)
{
    return memblock_change(map, &map->ram, set_plan_add, base, len);
}

loam_err loam_memblock_remove(loam_memblock *map, loam_pa base, uint64_t len)
{
    return memblock_change(map, &map->ram, set_plan_cut, base, len);
}

loam_err loam_memblock_reserve(loam_memblock *map, loam_pa base, uint64_t len)
{
    return memblock_change(map, &map->held, set_plan_add, base, len);
}

/* The same edit in held and in early, in both or in neither. */
static loam_err memblock_change_both(loam_memblock *map, set_plan *plan, uint64_t first,
                                     uint64_t last)
{
    set_edit held, early;
    loam_err err = plan(&map->held, first, last, &held);
    if (err == LOAM_OK)
        err = plan(&map->early, first, last, &early);
    if (err != LOAM_OK)
        return err;
    set_make(&map->held, &held);
    set_make(&map->early, &early);
    return LOAM_OK;
}

loam_err loam_memblock_release(loam_memblock *map, loam_pa base, uint64_t len)
{
    bool idle;
    loam_err err = memblock_admit(map, base.v, len, &idle);
    if (err != LOAM_OK || idle)
        return err;
    return memblock_change_both(map, set_plan_cut, base.v, base.v + (len - 1));
}

/* ---- early allocation ---- */

/* Cuts g to [lo, last]; false when nothing is left. */
static bool gap_clip(gap *g, uint64_t lo, uint64_t last)
{
    if (g->first < lo)
        g->first = lo;
    if (g->last > last)
        g->last = last;
    return g->first <= g->last;
}

/* The lowest place for len bytes at a multiple of align. */
static bool gap_place_low(const gap *g, uint64_t len, uint64_t align, uint64_t *at)
{
    if (loam_align_up_overflows(g->first, align, at))
        return false;
    return *at <= g->last && g->last - *at >= len - 1;
}

static bool gap_place_high(const gap *g, uint64_t len, uint64_t align, uint64_t *at)
{
    if (g->last - g->first < len - 1)
        return false;
    *at = loam_align_down(g->last - (len - 1), align);
    return *at >= g->first;
}

/* The lowest, or highest, place inside [first, last] that is RAM and not held. */
static LOAM_NOINLINE bool memblock_place(const loam_memblock *map, uint64_t len, uint64_t align,
                                         gap limits, bool top, uint64_t *at)
{
    gap_walk walk = gap_start(&map->ram, &map->held);
    bool found = false;
    uint64_t place;
    gap g;
    while ((top || !found) && gap_next(&walk, &g)) {
        if (!gap_clip(&g, limits.first, limits.last))
            continue;
        if (top ? gap_place_high(&g, len, align, &place) : gap_place_low(&g, len, align, &place)) {
            found = true;
            *at = place; /* top-down: the last one found is the highest */
        }
    }
    return found;
}

loam_err loam_memblock_alloc(loam_memblock *map, uint64_t len, uint64_t align, loam_pa lo,
                             loam_pa hi, loam_memblock_flags flags, loam_pa *out)
{
    bool top = flags == LOAM_MEMBLOCK_TOP_DOWN;
    uint64_t at;
    if (map->handed_over)
        return LOAM_ESTATE;
    if (len == 0 || !loam_is_pow2(align) || (!top && flags != LOAM_MEMBLOCK_BOTTOM_UP))
        return LOAM_EINVAL;

    gap limits = {lo.v < LOAM_PAGE_SIZE ? LOAM_PAGE_SIZE : lo.v, hi.v - 1}; /* hi 0: the last */
    if (!memblock_place(map, len, align, limits, top, &at))
        return LOAM_ENOMEM;
    loam_err err = memblock_change_both(map, set_plan_add, at, at + (len - 1));
    if (err == LOAM_OK)
        *out = loam_pa_of(at);
    return err;
}

/* ---- hand-over and the sum ---- */

loam_err loam_memblock_handover(loam_memblock *map, loam_memblock_give_fn *give, void *ctx)
{
    gap_walk walk = gap_start(&map->ram, &map->held);
    loam_err err = LOAM_OK;
    uint64_t frame;
    gap g;
    if (map->handed_over)
        return LOAM_ESTATE;
    map->handed_over = true;
    while (err == LOAM_OK && gap_next(&walk, &g)) {
        uint64_t count = gap_frames(&g, &frame);
        if (count != 0)
            err = give(ctx, loam_pfn_of(frame), count);
    }
    return err;
}

/* Whole frames of RAM among frames [first, end). *i: the RAM span to begin with; later calls ask
 * for higher frames. */
static uint64_t memblock_ram_frames(const loam_memblock *map, size_t *i, uint64_t first,
                                    uint64_t end)
{
    uint64_t sum = 0;
    for (; *i < map->ram.count; (*i)++) {
        const loam_span *s = &map->ram.span[*i];
        uint64_t from, count = gap_frames(&(gap){s->base, span_last(s)}, &from);
        uint64_t to = from + count;
        uint64_t lo = from > first ? from : first, hi = to < end ? to : end;
        sum += hi > lo ? hi - lo : 0;
        if (to > end)
            break;
    }
    return sum;
}

/* Whole frames of RAM touched by what is held and not early. */
static uint64_t memblock_held_frames(const loam_memblock *map)
{
    gap_walk walk = gap_start(&map->held, &map->early);
    uint64_t sum = 0, next = 0; /* frames below next are counted */
    size_t i = 0;
    gap g;
    while (gap_next(&walk, &g)) {
        uint64_t first = g.first >> LOAM_PAGE_SHIFT, end = (g.last >> LOAM_PAGE_SHIFT) + 1;
        if (first < next)
            first = next;
        if (end > first)
            sum += memblock_ram_frames(map, &i, first, end);
        next = end;
    }
    return sum;
}

void loam_memblock_count(const loam_memblock *map, loam_memblock_sum *sum)
{
    uint64_t frame, bytes = 0;
    gap g;
    *sum = (loam_memblock_sum){0, 0, 0, 0, 0};
    for (size_t i = 0; i < map->ram.count; i++) {
        const loam_span *s = &map->ram.span[i];
        sum->total += gap_frames(&(gap){s->base, span_last(s)}, &frame);
        bytes += s->len;
    }
    gap_walk walk = gap_start(&map->ram, &map->held);
    while (gap_next(&walk, &g))
        sum->free += gap_frames(&g, &frame);
    sum->held = memblock_held_frames(map);
    sum->metadata = sum->total - sum->free - sum->held;
    sum->edge_bytes = bytes - (sum->total << LOAM_PAGE_SHIFT);
}

/* ---- rules ---- */

static const char *set_check(const loam_spanset *set)
{
    if (set->span == NULL || set->cap == 0 || set->count > set->cap)
        return "M1 each array is there and within its capacity";
    for (size_t i = 0; i < set->count; i++) {
        const loam_span *s = &set->span[i];
        if (s->len == 0 || span_wraps(s->base, s->len))
            return "M2 every span has a length and ends at or before 2^64";
    }
    for (size_t i = 1; i < set->count; i++) {
        uint64_t last = span_last(&set->span[i - 1]);
        if (set->span[i].base <= last || set->span[i].base == last + 1)
            return "M3 spans ascend and neither overlap nor touch";
    }
    return NULL;
}

const char *loam_memblock_check(const loam_memblock *map)
{
    const char *broken = set_check(&map->ram);
    if (broken == NULL)
        broken = set_check(&map->held);
    if (broken == NULL)
        broken = set_check(&map->early);
    if (broken != NULL)
        return broken;
    gap g;
    gap_walk walk = gap_start(&map->early, &map->held);
    return gap_next(&walk, &g) ? "M4 every early span lies inside a held one" : NULL;
}
