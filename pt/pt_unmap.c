/* SPDX-License-Identifier: MIT */
/* pt_unmap.c - taking pages out of the tree, and changing what they allow.
 *
 * WHAT   unmap and protect: the same way through the tree, in which a large page that sticks out of
 *        the range is first replaced by a table of smaller ones. remap: one page, another frame.
 * MODEL  Only the two pages over the ends of the range can stick out. They are split down to the
 *        size at which the end is an edge; the tables for that are taken before anything changes:
 *
 *            range          |<----------------------->|
 *            before   [  large page  ][  large page  ][...
 *            after    [table][p p|p p][  large page  ]      (end on an edge: no split)
 *
 *        A table that has lost its last entry is unlinked and waits in the batch; so the table
 *        above it may be next. What may still be remembered by the processor is every page taken
 *        away or changed, by its first address: one for a large page, which is remembered whole.
 *
 * RULES  T1 .. T5 (pt.c).
 * LOCKS  The owner's.
 * COST   O(pages + tables); whether a table is empty costs a look at a neighbour, or at all of it.
 * FROM   -
 * NOT    Break-before-make: AArch64 wants a page unmapped and flushed before another address takes
 *        its place (remap), or a table (split, unless the processor has FEAT_BBM level 2). Nothing
 *        here flushes: meanwhile no other processor may use what is mapped there. Joining small
 *        pages again.
 */
#include "pt_impl.h"

/* ---- splitting ---- */

/* The level of the page that holds va and does not start there; 0: none, nothing to split. */
static unsigned split_level(const loam_pt *pt, uint64_t va)
{
    pt_cursor c;
    pt_start(&c, pt, va, LOAM_PAGE_SIZE);
    if (!pt_is_present(pt_find(&c)) || (va & (pt_size(pt->format, c.level) - 1)) == 0)
        return 0;
    return c.level;
}

/* How often the page that holds va is split until va is an edge. `other` is an edge that has been
 * made before. */
static LOAM_NOINLINE unsigned split_count(const loam_pt *pt, uint64_t va, const uint64_t *other)
{
    const loam_pt_format *f = pt->format;
    unsigned n = 0;
    for (unsigned level = split_level(pt, va); level > 0; level--) {
        uint64_t mask = pt_size(f, level) - 1;
        bool made = other != NULL && ((va ^ *other) & ~mask) == 0 && (*other & mask) != 0;
        n += (va & mask) != 0 && !made;
    }
    return n;
}

/* Puts tables under the page that holds va until va is an edge. Accessed and dirty stay. */
static LOAM_NOINLINE void split_at(loam_pt *pt, uint64_t va, pt_spares *spares)
{
    const loam_pt_format *f = pt->format;
    for (unsigned level = split_level(pt, va); level > 0; level = split_level(pt, va)) {
        pt_cursor c;
        pt_start(&c, pt, va, LOAM_PAGE_SIZE);
        uint64_t page = pt_find(&c), pa = pt_page_address(f, level, page);
        uint64_t bits = f->page(level - 1, f->flags(page, pt->features), pt->features);
        loam_pa table = loam_pt__take(pt, spares);
        void *to = pt_at(pt, table.v);
        bits |= page & (f->accessed | f->dirty);
        for (unsigned i = 0; i < pt_entries(f); i++)
            pt_write(f, to, i, bits | (pa + ((uint64_t)i << pt_shift(f, level - 1))));
        pt_link(f, c.table[level], pt_cursor_index(&c), table.v | f->link);
    }
}

/* Makes both ends of the range edges. false: no tables, nothing has changed. */
static LOAM_NOINLINE bool split_ends(loam_pt *pt, uint64_t va, uint64_t len, loam_pt_batch *batch)
{
    uint64_t last = va + (len - 1), end = last + 1;
    pt_spares spares;
    bool inside = loam_pt_is_canonical(pt->format, last, 2); /* there is something behind the end */
    unsigned n = split_count(pt, va, NULL) + (inside ? split_count(pt, end, &va) : 0);
    if (n == 0)
        return true;
    if (!loam_pt__spare(pt, &spares, n))
        return false;
    split_at(pt, va, &spares);
    if (inside)
        split_at(pt, end, &spares);
    batch->dirty = true;
    return true;
}

/* ---- unmap ---- */

/* What is told to the caller: pages of one size that follow one another. */
typedef struct pt_gone {
    loam_pt_gone_fn *fn;
    void *ctx;
    uint64_t va, pa, len, size; /* len 0: nothing yet */
} pt_gone;

static void gone_tell(pt_gone *gone)
{
    if (gone->len != 0)
        gone->fn(gone->ctx, gone->va, loam_pa_of(gone->pa), gone->len);
    gone->len = 0;
}

static void gone_add(pt_gone *gone, uint64_t va, uint64_t pa, uint64_t size)
{
    if (gone->len != 0 && gone->size == size && gone->va + gone->len == va &&
        gone->pa + gone->len == pa) {
        gone->len += size;
        return;
    }
    gone_tell(gone);
    gone->va = va;
    gone->pa = pa;
    gone->len = gone->size = size;
}

/* Clears the entries of a run, up to the first that is a table. Returns how many it has passed. */
static LOAM_NOINLINE unsigned unmap_run(const pt_cursor *c, unsigned n, pt_gone *gone,
                                        loam_pt_batch *batch)
{
    const loam_pt_format *f = c->pt->format;
    unsigned level = c->level, first = pt_cursor_index(c), shift = pt_shift(f, level);
    void *table = c->table[level];
    uint64_t va = c->at;
    for (unsigned i = 0; i < n; i++, va += (uint64_t)1 << shift) {
        uint64_t entry = pt_read(f, table, first + i);
        if (pt_is_table(f, level, entry))
            return i;
        if (!pt_is_present(entry))
            continue;
        pt_write(f, table, first + i, 0);
        pt_batch_add(batch, va);
        batch->dirty = true;
        if (gone->fn != NULL)
            gone_add(gone, va, pt_page_address(f, level, entry), (uint64_t)1 << shift);
    }
    return n;
}

/* Lets the cursor's table go when it is empty, and those above it, and the cursor goes up. `near`
 * is an entry that may well be present. */
static LOAM_NOINLINE void unmap_collapse(loam_pt *pt, pt_cursor *c, unsigned near,
                                         loam_pt_batch *batch)
{
    const loam_pt_format *f = pt->format;
    while (c->level < pt_root_level(pt) && loam_pt__is_empty(f, c->table[c->level], near)) {
        unsigned up = c->level + 1, i = pt_index(f, up, c->at);
        uint64_t entry = pt_read(f, c->table[up], i);
        if ((entry & f->kept) != 0)
            return;
        pt_write(f, c->table[up], i, 0);
        loam_pt__retire(pt, batch, loam_pa_of(entry & f->address));
        c->level = up;
        near = i;
    }
}

/* The entry behind a run, else the one before it: what is mapped often has neighbours. */
static unsigned unmap_neighbour(const pt_cursor *c, unsigned n)
{
    const loam_pt_format *f = c->pt->format;
    unsigned first = pt_cursor_index(c);
    if (first + n < pt_entries(f) && pt_is_present(pt_read(f, c->table[c->level], first + n)))
        return first + n;
    return first != 0 ? first - 1 : 0;
}

/* Clears the run of n entries that the cursor is at. Returns how many it has passed. */
static LOAM_NOINLINE unsigned unmap_here(loam_pt *pt, pt_cursor *c, unsigned n, pt_gone *gone,
                                         loam_pt_batch *batch)
{
    n = unmap_run(c, n, gone, batch);
    unmap_collapse(pt, c, unmap_neighbour(c, n), batch);
    return n;
}

static LOAM_NOINLINE void unmap_long(loam_pt *pt, uint64_t va, uint64_t len, pt_gone *gone,
                                     loam_pt_batch *batch)
{
    pt_cursor c;
    for (pt_start(&c, pt, va, len); c.left != 0;) {
        (void)pt_find(&c);
        unsigned level = c.level, n = pt_run(&c);
        if (n == 0) { /* an empty entry that sticks out */
            pt_skip(&c, pt_rest(&c));
            continue;
        }
        n = unmap_here(pt, &c, n, gone, batch);
        pt_skip(&c, (uint64_t)n << pt_shift(pt->format, level));
    }
}

loam_err loam_pt_unmap(loam_pt *pt, uint64_t va, uint64_t len, loam_pt_gone_fn *fn, void *ctx,
                       loam_pt_batch *batch)
{
    pt_gone gone = {.fn = fn, .ctx = ctx};
    pt_cursor c;
    loam_err err = loam_pt__range(pt, va, len);
    if (err != LOAM_OK)
        return err;
    pt_start(&c, pt, va, len);
    (void)pt_find(&c);
    if (pt_is_one_run(&c))
        (void)unmap_here(pt, &c, pt_run(&c), &gone, batch);
    else if (split_ends(pt, va, len, batch))
        unmap_long(pt, va, len, &gone, batch);
    else
        return LOAM_ENOMEM;
    gone_tell(&gone);
    return LOAM_OK;
}

/* ---- protect ---- */

/* Gives the pages of a run their new bits, up to the first table. Returns how many entries it has
 * passed. */
static LOAM_NOINLINE unsigned protect_run(const pt_cursor *c, unsigned n, unsigned flags,
                                          loam_pt_batch *batch)
{
    const loam_pt_format *f = c->pt->format;
    unsigned level = c->level, first = pt_cursor_index(c);
    void *table = c->table[level];
    uint64_t va = c->at, bits = f->page(level, flags, c->pt->features);
    uint64_t keep = (f->address & ~(pt_size(f, level) - 1)) | f->accessed | f->dirty;
    for (unsigned i = 0; i < n; i++, va += pt_size(f, level)) {
        uint64_t entry = pt_read(f, table, first + i);
        if (pt_is_table(f, level, entry))
            return i;
        if (!pt_is_present(entry))
            continue;
        pt_write(f, table, first + i, (entry & keep) | bits);
        pt_batch_add(batch, va);
        batch->dirty = true;
    }
    return n;
}

loam_err loam_pt_protect(loam_pt *pt, uint64_t va, uint64_t len, unsigned flags,
                         loam_pt_batch *batch)
{
    const loam_pt_format *f = pt->format;
    loam_err err = loam_pt__range(pt, va, len);
    if (err != LOAM_OK)
        return err;
    if ((flags & ~(unsigned)PT_KNOWN_FLAGS) != 0)
        return LOAM_EINVAL;
    pt_cursor c;
    pt_start(&c, pt, va, len);
    (void)pt_find(&c);
    if (!pt_is_one_run(&c) && !split_ends(pt, va, len, batch))
        return LOAM_ENOMEM;
    while (c.left != 0) {
        (void)pt_find(&c);
        unsigned n = pt_run(&c);
        if (n == 0) {
            pt_skip(&c, pt_rest(&c));
            continue;
        }
        n = protect_run(&c, n, flags, batch);
        pt_skip(&c, (uint64_t)n << pt_shift(f, c.level));
    }
    return LOAM_OK;
}

/* ---- remap ---- */

loam_err loam_pt_remap(loam_pt *pt, uint64_t va, loam_pfn pfn, unsigned flags, loam_pt_batch *batch)
{
    const loam_pt_format *f = pt->format;
    loam_err err = loam_pt__range(pt, va, LOAM_PAGE_SIZE);
    if (err != LOAM_OK)
        return err;
    if ((flags & ~(unsigned)PT_KNOWN_FLAGS) != 0)
        return LOAM_EINVAL;
    if (pfn.v >> (f->pa_bits - LOAM_PAGE_SHIFT) != 0)
        return LOAM_ERANGE;
    pt_cursor c;
    pt_start(&c, pt, va, LOAM_PAGE_SIZE);
    if (!pt_is_present(pt_find(&c)))
        return LOAM_ENOENT;
    if (c.level != 0)
        return LOAM_EBUSY;
    pt_write(f, c.table[0], pt_cursor_index(&c),
             f->page(0, flags, pt->features) | pfn.v << LOAM_PAGE_SHIFT);
    pt_batch_add(batch, va);
    batch->dirty = true;
    return LOAM_OK;
}
