/* SPDX-License-Identifier: MIT */
/* pt_map.c - adding pages to the tree.
 *
 * WHAT   Maps a range to one run of physical memory, with the largest pages that fit, or page by
 *        page to scattered frames.
 * MODEL  In one table that is there: a look at its entries, then they are written. Otherwise two
 *        passes over the range with one cursor each. The first looks at every entry, and counts
 *        the tables that a part without one needs, by arithmetic; the second writes. New tables
 *        hang under one entry of the old tree, which is written last:
 *
 *            old tree   [ . . # . . ]   # is written when all below it is
 *                             :
 *            new              [ . o o . ]
 *                               |  '---> [ p p p . . . ]
 *                               '------> [ . . p p p p ]
 *
 * RULES  T1 .. T5 (pt.c).
 * LOCKS  The owner's.
 * COST   O(pages written + tables walked). A table is filled without walking: 1,024 pages cost 10
 *        instructions each in one run of memory, 15 as scattered frames (docs/numbers.md).
 * FROM   -
 * NOT    Joining small pages to a large one; a large page over a table that has become empty.
 */
#include "pt_impl.h"

/* What is mapped: one run, or frames. */
typedef struct pt_job {
    uint64_t pa;         /* of the next page, without frames */
    const loam_pfn *pfn; /* of the next page, or NULL */
    unsigned flags;
    unsigned largest; /* highest level with pages */
} pt_job;

/* ---- first pass ---- */

static bool run_is_empty(const pt_cursor *c, unsigned n)
{
    const loam_pt_format *f = c->pt->format;
    const void *table = c->table[0];
    unsigned first = pt_cursor_index(c);
    uint64_t any = 0;
    if (f->entry_shift == 2) {
        const volatile uint32_t *entry = (const volatile uint32_t *)table + first;
        for (; n >= 4; n -= 4, entry += 4)
            any |= entry[0] | entry[1] | entry[2] | entry[3];
        for (; n > 0; n--)
            any |= *entry++;
    } else {
        const volatile uint64_t *entry = (const volatile uint64_t *)table + first;
        for (; n >= 4; n -= 4, entry += 4)
            any |= entry[0] | entry[1] | entry[2] | entry[3];
        for (; n > 0; n--)
            any |= *entry++;
    }
    return !pt_is_present(any);
}

/* Tables for [va, va + len) under one entry of this level, which is empty. At each level those
 * entries need one that are touched, and that no page fills. */
static uint64_t tables_under(const loam_pt_format *f, unsigned level, unsigned largest, uint64_t va,
                             uint64_t len)
{
    uint64_t tables = 0, last = va + (len - 1);
    for (; level > 0; level--) {
        uint64_t mask = pt_size(f, level) - 1;
        uint64_t between = (last >> pt_shift(f, level)) - (va >> pt_shift(f, level));
        bool head = (va & mask) != 0, tail = ((last + 1) & mask) != 0;
        if (level > largest)
            tables += between + 1;
        else if (between == 0)
            tables += head || tail;
        else
            tables += (uint64_t)head + tail;
    }
    return tables;
}

typedef struct pt_plan {
    uint64_t tables; /* to be made */
    bool narrowed;   /* a table on the way takes rights away */
} pt_plan;

static LOAM_NOINLINE loam_err map_plan(const loam_pt *pt, uint64_t va, uint64_t len,
                                       unsigned largest, pt_plan *plan)
{
    pt_cursor c;
    *plan = (pt_plan){.tables = 0};
    for (pt_start(&c, pt, va, len); c.left != 0;) {
        if (pt_is_present(pt_find(&c)))
            return LOAM_EBUSY;
        plan->narrowed |= c.rights[c.level] != PT_RIGHTS;
        if (c.level == 0) {
            unsigned n = pt_run(&c);
            if (!run_is_empty(&c, n))
                return LOAM_EBUSY;
            pt_skip(&c, (uint64_t)n << LOAM_PAGE_SHIFT);
        } else {
            uint64_t part = pt_rest(&c);
            plan->tables += tables_under(pt->format, c.level, largest, c.at, part);
            pt_skip(&c, part);
        }
    }
    return LOAM_OK;
}

/* ---- second pass ---- */

static void fill_run(const loam_pt_format *f, void *table, unsigned first, unsigned n,
                     uint64_t entry)
{
    if (f->entry_shift == 2) {
        volatile uint32_t *to = (volatile uint32_t *)table + first;
        for (unsigned i = 0; i < n; i++, entry += LOAM_PAGE_SIZE)
            to[i] = (uint32_t)entry;
    } else {
        volatile uint64_t *to = (volatile uint64_t *)table + first;
        for (unsigned i = 0; i < n; i++, entry += LOAM_PAGE_SIZE)
            to[i] = entry;
    }
}

static void fill_frames(const loam_pt_format *f, void *table, unsigned first, unsigned n,
                        uint64_t entry, const loam_pfn *pfn)
{
    if (f->entry_shift == 2) {
        volatile uint32_t *to = (volatile uint32_t *)table + first;
        for (unsigned i = 0; i < n; i++)
            to[i] = (uint32_t)entry | (uint32_t)pfn[i].v << LOAM_PAGE_SHIFT;
    } else {
        volatile uint64_t *to = (volatile uint64_t *)table + first;
        for (unsigned i = 0; i < n; i++)
            to[i] = entry | pfn[i].v << LOAM_PAGE_SHIFT;
    }
}

/* Writes the pages of the range that the cursor's table of level 0 holds. */
static uint64_t map_run(const pt_cursor *c, pt_job *job)
{
    const loam_pt *pt = c->pt;
    unsigned n = pt_run(c), first = pt_cursor_index(c);
    uint64_t entry = pt->format->page(0, job->flags, pt->features);
    if (job->pfn != NULL) {
        fill_frames(pt->format, c->table[0], first, n, entry, job->pfn);
        job->pfn += n;
    } else {
        fill_run(pt->format, c->table[0], first, n, entry | job->pa);
    }
    return (uint64_t)n << LOAM_PAGE_SHIFT;
}

/* Does one page fill the cursor's entry? */
static bool map_fits(const pt_cursor *c, const pt_job *job)
{
    uint64_t size = pt_size(c->pt->format, c->level);
    return c->level <= job->largest && (c->at & (size - 1)) == 0 && c->left >= size;
}

/* The entry over the new tables, written when the cursor has passed all that is under it. */
typedef struct pt_pending {
    void *table; /* NULL: nothing is pending */
    unsigned index;
    uint64_t entry, end; /* the last byte under it */
} pt_pending;

/* Puts a new table under the cursor's entry, and goes into it. */
static void map_descend(loam_pt *pt, pt_cursor *c, pt_spares *spares, pt_pending *pending)
{
    const loam_pt_format *f = pt->format;
    loam_pa table = loam_pt__take(pt, spares);
    uint64_t entry = table.v | f->link;
    unsigned i = pt_cursor_index(c);
    if (pending->table == NULL)
        *pending = (pt_pending){c->table[c->level], i, entry, c->at | (pt_size(f, c->level) - 1)};
    else
        pt_write(f, c->table[c->level], i, entry); /* nobody sees it yet */
    c->level--;
    c->table[c->level] = pt_at(pt, table.v);
    c->rights[c->level] = PT_RIGHTS;
}

static LOAM_NOINLINE void map_make(loam_pt *pt, uint64_t va, uint64_t len, pt_job *job,
                                   pt_spares *spares)
{
    const loam_pt_format *f = pt->format;
    pt_pending pending = {.table = NULL};
    pt_cursor c;
    for (pt_start(&c, pt, va, len); c.left != 0;) {
        uint64_t done;
        (void)pt_find(&c);
        if (c.level == 0) {
            done = map_run(&c, job);
        } else if (map_fits(&c, job)) {
            pt_write(f, c.table[c.level], pt_cursor_index(&c),
                     f->page(c.level, job->flags, pt->features) | job->pa);
            done = pt_size(f, c.level);
        } else {
            map_descend(pt, &c, spares, &pending);
            continue;
        }
        job->pa += done;
        pt_skip(&c, done);
        if (pending.table != NULL && (c.left == 0 || c.at > pending.end)) {
            pt_link(f, pending.table, pending.index, pending.entry);
            pending.table = NULL;
        }
    }
}

/* ---- both ---- */

/* Bytes of the range in the cursor's entry, or of the whole run in a table of level 0. */
static uint64_t map_step(const pt_cursor *c)
{
    return c->level == 0 ? (uint64_t)pt_run(c) << LOAM_PAGE_SHIFT : pt_rest(c);
}

/* Tables that were adopted may take rights away from all that is under them: ours never do. */
static LOAM_NOINLINE void map_widen_path(const pt_cursor *c)
{
    const loam_pt_format *f = c->pt->format;
    for (unsigned level = c->level + 1; level < f->levels; level++) {
        unsigned i = pt_index(f, level, c->at);
        uint64_t entry = pt_read(f, c->table[level], i);
        if ((entry & f->grants) != f->granted)
            pt_write(f, c->table[level], i, (entry & ~f->grants) | f->granted);
    }
}

static LOAM_NOINLINE void map_widen(const loam_pt *pt, uint64_t va, uint64_t len)
{
    pt_cursor c;
    for (pt_start(&c, pt, va, len); c.left != 0; pt_skip(&c, map_step(&c))) {
        (void)pt_find(&c);
        map_widen_path(&c);
    }
}

/* In one table that is there already. */
static loam_err map_short(const pt_cursor *c, pt_job *job, loam_pt_batch *batch)
{
    if (!run_is_empty(c, pt_run(c)))
        return LOAM_EBUSY;
    (void)map_run(c, job);
    batch->dirty = true;
    return LOAM_OK;
}

static LOAM_NOINLINE loam_err map_long(loam_pt *pt, uint64_t va, uint64_t len, pt_job *job,
                                       loam_pt_batch *batch)
{
    pt_plan plan;
    pt_spares spares;
    loam_err err = map_plan(pt, va, len, job->largest, &plan);
    if (err != LOAM_OK)
        return err;
    if (!loam_pt__spare(pt, &spares, plan.tables))
        return LOAM_ENOMEM;
    if (plan.narrowed) {
        map_widen(pt, va, len);
        batch->all = true;
    }
    map_make(pt, va, len, job, &spares);
    batch->dirty = true;
    return LOAM_OK;
}

static loam_err map_do(loam_pt *pt, uint64_t va, uint64_t len, pt_job *job, loam_pt_batch *batch)
{
    pt_cursor c;
    pt_start(&c, pt, va, len);
    (void)pt_find(&c);
    if (pt_is_one_run(&c) && c.rights[0] == PT_RIGHTS)
        return map_short(&c, job, batch);
    return map_long(pt, va, len, job, batch);
}

loam_err loam_pt_map(loam_pt *pt, uint64_t va, loam_pa pa, uint64_t len, unsigned flags,
                     loam_pt_batch *batch)
{
    const loam_pt_format *f = pt->format;
    pt_job job = {.pa = pa.v, .flags = flags, .largest = f->largest(pt->features)};
    loam_err err = loam_pt__range(pt, va, len);
    if (err != LOAM_OK)
        return err;
    if ((flags & ~(unsigned)PT_KNOWN_FLAGS) != 0 || (pa.v & (LOAM_PAGE_SIZE - 1)) != 0)
        return LOAM_EINVAL;
    if (pa.v > loam_mask64(f->pa_bits) || len - 1 > loam_mask64(f->pa_bits) - pa.v)
        return LOAM_ERANGE;
    while (((va ^ pa.v) & (pt_size(f, job.largest) - 1)) != 0)
        job.largest--;
    return map_do(pt, va, len, &job, batch);
}

loam_err loam_pt_map_frames(loam_pt *pt, uint64_t va, const loam_pfn *pfn, size_t n, unsigned flags,
                            loam_pt_batch *batch)
{
    pt_job job = {.pfn = pfn, .flags = flags, .largest = 0};
    uint64_t any = 0;
    size_t i = 0;
    uint64_t len = (uint64_t)n << LOAM_PAGE_SHIFT;
    if (len >> LOAM_PAGE_SHIFT != n || (flags & ~(unsigned)PT_KNOWN_FLAGS) != 0)
        return LOAM_EINVAL;
    loam_err err = loam_pt__range(pt, va, len);
    if (err != LOAM_OK)
        return err;
    if (n > SIZE_MAX / sizeof(*pfn))
        return LOAM_ERANGE; /* no array is that long: do not read on where none is */
    for (; i + 4 <= n; i += 4)
        any |= pfn[i].v | pfn[i + 1].v | pfn[i + 2].v | pfn[i + 3].v;
    for (; i < n; i++)
        any |= pfn[i].v;
    if (any >> (pt->format->pa_bits - LOAM_PAGE_SHIFT) != 0)
        return LOAM_ERANGE;
    return map_do(pt, va, len, &job, batch);
}
