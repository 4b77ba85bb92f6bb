/* SPDX-License-Identifier: MIT */
/* pt.c - page tables: a tree of pages full of entries, for any processor's format.
 *
 * WHAT   Keeps the tree that a processor walks to turn virtual addresses into physical ones. This
 *        file makes, adopts, shares and takes away whole trees; pt_map.c adds pages, pt_unmap.c
 *        takes them away and changes them, pt_view.c looks; pt_i386.c, pt_x86_64.c and
 *        pt_aarch64.c say what the bits mean; pt_tlb.c flushes.
 *
 * MODEL  An entry is empty, a page, or the address of the table one level below. The index of each
 *        level is a field of the address:
 *
 *            va   | level 3 | level 2 | level 1 | level 0 | offset |
 *                      |
 *            root  [ . o . k . . s ]        k: kept, by loam_pt_prepare or loam_pt_share
 *                      |   |     '--------> s: shared, the tree below is another root's
 *                      |   '-> [ . . . . ]
 *                      v
 *                  [ . o P . . . . ]        P: a large page in place of a table
 *                      v
 *                  [ p p p . . p . ]  --->  frames
 *
 *        A change is planned before it is made: a first pass finds what stands in its way and
 *        counts the tables it needs, these are taken, and the second pass cannot fail. So a change
 *        that is refused was never visible. A table is filled before it is linked, and let go only
 *        by loam_pt_release, after the flush: until then the processor may still walk it. Tables
 *        that wait are linked through their first entry, whose present bit is 0.
 *
 * RULES  T1  every present entry is a table or a page that format and features allow there
 *        T2  the address of a page is a multiple of its size, that of a table is memory
 *        T3  every table but the root has an entry, or the mark `kept`
 *        T4  `tables` counts the root and the tables below it that are not shared
 *        T5  the mark `shared` stands in the root alone, `kept` in entries that are tables
 *        loam_pt_check() tests exactly these, under these names.
 *
 * LOCKS  None: the owner's. The processor may walk the tree at any time: entries are written whole.
 * COST   init O(1); adopt, fini O(tables); share, prepare O(root entries).
 * FROM   The manuals of the processors: Intel's SDM volume 3, chapter 4, and its 80386 Programmer's
 *        Reference; Arm's ARM, chapter D5.
 * NOT    Locks and other processors' writes beside ours: an accessed or dirty bit that a processor
 *        sets while protect rewrites the entry is lost. Break-before-make (AArch64) of a split: see
 *        pt_unmap.c. Encryption bits, protection keys, five levels, 16 and 64 KiB granules.
 */
#include "pt_impl.h"

void loam_pt_batch_init(loam_pt_batch *batch)
{
    batch->count = 0; /* what va held is not looked at */
    batch->all = batch->dirty = false;
    batch->emptied = 0;
}

/* ---- tables ---- */

/* One zeroed table; false: none, or one that an entry cannot name. */
static bool table_alloc(const loam_pt *pt, loam_pa *table)
{
    const loam_pt_memory *m = &pt->memory;
    if (!m->alloc(m->ctx, table))
        return false;
    if ((table->v & ~pt->format->address) == 0)
        return true;
    m->free(m->ctx, *table);
    return false;
}

static void table_free(const loam_pt *pt, loam_pa table)
{
    pt->memory.free(pt->memory.ctx, table);
}

/* Puts a table in front of a chain, and takes the first one off. */
static void chain_push(const loam_pt *pt, uint64_t *chain, loam_pa table)
{
    pt_write(pt->format, pt_at(pt, table.v), 0, *chain);
    *chain = table.v | PT_CHAINED;
}

static loam_pa chain_pop(const loam_pt *pt, uint64_t *chain)
{
    loam_pa table = {*chain & ~(uint64_t)PT_CHAINED};
    *chain = pt_read(pt->format, pt_at(pt, table.v), 0);
    return table;
}

static void chain_free(const loam_pt *pt, uint64_t *chain)
{
    while (*chain != 0)
        table_free(pt, chain_pop(pt, chain));
}

bool loam_pt__spare(const loam_pt *pt, pt_spares *spares, uint64_t n)
{
    spares->first = 0;
    for (; n > 0; n--) {
        loam_pa table;
        if (!table_alloc(pt, &table)) {
            chain_free(pt, &spares->first);
            return false;
        }
        chain_push(pt, &spares->first, table);
    }
    return true;
}

loam_pa loam_pt__take(loam_pt *pt, pt_spares *spares)
{
    loam_pa table = chain_pop(pt, &spares->first);
    pt_write(pt->format, pt_at(pt, table.v), 0, 0);
    pt->tables++;
    return table;
}

void loam_pt__retire(loam_pt *pt, loam_pt_batch *batch, loam_pa table)
{
    chain_push(pt, &batch->emptied, table);
    pt->tables--;
}

void loam_pt_release(loam_pt *pt, loam_pt_batch *batch)
{
    chain_free(pt, &batch->emptied);
    loam_pt_batch_init(batch);
}

typedef uint64_t __attribute__((may_alias)) pt_word; /* one entry, or two of 32 bits */

bool loam_pt__is_empty(const loam_pt_format *f, const void *table, unsigned near)
{
    enum { WORDS = LOAM_PAGE_SIZE / sizeof(pt_word), STEP = 8 };
    pt_word present = f->entry_shift == 2 ? (uint64_t)PT_PRESENT << 32 | PT_PRESENT : PT_PRESENT;
    const pt_word *word = table;
    if (pt_is_present(pt_read(f, table, near)))
        return false;
    for (unsigned i = 0; i < WORDS; i += STEP) {
        pt_word any = 0;
        for (unsigned k = 0; k < STEP; k++)
            any |= word[i + k];
        if ((any & present) != 0)
            return false;
    }
    return true;
}

/* ---- a tour of all tables below a root, each left after those below it ---- */

typedef struct pt_tour {
    const loam_pt *pt;
    unsigned level;            /* of the table the tour is in */
    unsigned index[PT_LEVELS]; /* next entry of it, and of those above */
    loam_pa table[PT_LEVELS];
} pt_tour;

static void tour_start(pt_tour *tour, const loam_pt *pt)
{
    tour->pt = pt;
    tour->level = pt_root_level(pt);
    tour->table[tour->level] = pt->root;
    tour->index[tour->level] = 0;
}

/* Goes into the table that the entry just read names. */
static void tour_enter(pt_tour *tour, uint64_t entry)
{
    tour->level--;
    tour->table[tour->level].v = entry & tour->pt->format->address;
    tour->index[tour->level] = 0;
}

/* Is entry i of the root one of those that keep covers? */
static bool is_kept_back(const loam_pt_format *f, loam_span keep, unsigned i)
{
    unsigned root = f->levels - 1U;
    return keep.len != 0 && i >= pt_index(f, root, keep.base) &&
           i <= pt_index(f, root, keep.base + (keep.len - 1));
}

void loam_pt_fini(loam_pt *pt, loam_span keep)
{
    const loam_pt_format *f = pt->format;
    unsigned root = pt_root_level(pt);
    pt_tour tour;
    tour_start(&tour, pt);
    while (tour.level <= root) {
        loam_pa table = tour.table[tour.level];
        unsigned i = tour.index[tour.level]++;
        if (i == pt_entries(f)) {
            table_free(pt, table);
            tour.level++;
            continue;
        }
        uint64_t entry = pt_read(f, pt_at(pt, table.v), i);
        bool others = tour.level == root && ((entry & f->shared) != 0 || is_kept_back(f, keep, i));
        if (pt_is_table(f, tour.level, entry) && !others)
            tour_enter(&tour, entry);
    }
    pt->root.v = 0;
    pt->tables = 0;
}

/* ---- making ---- */

static loam_err pt_setup(loam_pt *pt, const loam_pt_format *format, unsigned features,
                         const loam_pt_memory *memory)
{
    if (format == NULL || memory == NULL || memory->alloc == NULL || memory->free == NULL ||
        memory->at == NULL || (features & ~(unsigned)format->known) != 0)
        return LOAM_EINVAL;
    *pt = (loam_pt){.format = format, .features = features | format->always, .memory = *memory};
    return LOAM_OK;
}

loam_err loam_pt_init(loam_pt *pt, const loam_pt_format *format, unsigned features,
                      const loam_pt_memory *memory)
{
    loam_err err = pt_setup(pt, format, features, memory);
    if (err != LOAM_OK)
        return err;
    if (!table_alloc(pt, &pt->root))
        return LOAM_ENOMEM;
    pt->tables = 1;
    return LOAM_OK;
}

/* Counts what hangs under the root, and marks what is empty: it was made so, and stays. */
static void adopt_tables(loam_pt *pt)
{
    const loam_pt_format *f = pt->format;
    unsigned root = pt_root_level(pt);
    pt_tour tour;
    tour_start(&tour, pt);
    pt->tables = 1;
    while (tour.level <= root) {
        void *table = pt_at(pt, tour.table[tour.level].v);
        unsigned i = tour.index[tour.level]++;
        if (i == pt_entries(f)) {
            tour.level++;
            continue;
        }
        uint64_t entry = pt_read(f, table, i);
        if (!pt_is_table(f, tour.level, entry) || (entry & f->shared) != 0)
            continue;
        pt->tables++;
        if (loam_pt__is_empty(f, pt_at(pt, entry & f->address), 0))
            pt_write(f, table, i, entry | f->kept);
        else
            tour_enter(&tour, entry);
    }
}

loam_err loam_pt_adopt(loam_pt *pt, const loam_pt_format *format, unsigned features,
                       const loam_pt_memory *memory, loam_pa root)
{
    loam_err err = pt_setup(pt, format, features, memory);
    if (err != LOAM_OK)
        return err;
    if ((root.v & ~format->address) != 0)
        return LOAM_EINVAL;
    pt->root = root;
    adopt_tables(pt);
    return LOAM_OK;
}

/* ---- roots with a common part ---- */

loam_err loam_pt_share(loam_pt *pt, const loam_pt *from, uint64_t va, uint64_t len)
{
    const loam_pt_format *f = pt->format;
    unsigned root = pt_root_level(pt);
    if (f != from->format || len == 0 || ((va | len) & (pt_size(f, root) - 1)) != 0)
        return LOAM_EINVAL;
    if (!loam_pt_is_canonical(f, va, len))
        return LOAM_ERANGE;
    unsigned first = pt_index(f, root, va), last = pt_index(f, root, va + (len - 1));
    void *to = pt_at(pt, pt->root.v);
    void *source = pt_at(from, from->root.v);
    for (unsigned i = first; i <= last; i++) {
        uint64_t entry = pt_read(f, to, i);
        if (pt_is_table(f, root, entry) && (entry & f->shared) == 0)
            return LOAM_EBUSY;
    }
    for (unsigned i = first; i <= last; i++) {
        uint64_t entry = pt_read(f, source, i);
        if (pt_is_table(f, root, entry)) {
            if ((entry & f->shared) == 0) /* it must not go while others name it */
                pt_write(f, source, i, entry | f->kept);
            entry = (entry & ~f->kept) | f->shared;
        }
        pt_link(f, to, i, entry);
    }
    return LOAM_OK;
}

loam_err loam_pt_prepare(loam_pt *pt, uint64_t va, uint64_t len)
{
    const loam_pt_format *f = pt->format;
    loam_err err = loam_pt__range(pt, va, len);
    if (err != LOAM_OK)
        return err == LOAM_ERANGE ? LOAM_EINVAL : err;
    unsigned root = pt_root_level(pt);
    unsigned first = pt_index(f, root, va), last = pt_index(f, root, va + (len - 1));
    void *table = pt_at(pt, pt->root.v);
    uint64_t missing = 0;
    for (unsigned i = first; i <= last; i++)
        missing += !pt_is_present(pt_read(f, table, i));
    pt_spares spares;
    if (!loam_pt__spare(pt, &spares, missing))
        return LOAM_ENOMEM;
    for (unsigned i = first; i <= last; i++) {
        uint64_t entry = pt_read(f, table, i);
        if (!pt_is_present(entry))
            pt_link(f, table, i, loam_pt__take(pt, &spares).v | f->link | f->kept);
        else if (pt_is_table(f, root, entry))
            pt_write(f, table, i, entry | f->kept);
    }
    return LOAM_OK;
}

/* ---- ranges ---- */

bool loam_pt_is_canonical(const loam_pt_format *format, uint64_t va, uint64_t len)
{
    if (len == 0 || va > UINT64_MAX - (len - 1))
        return false;
    return format->is_canonical(va, va + (len - 1));
}

loam_err loam_pt__range(const loam_pt *pt, uint64_t va, uint64_t len)
{
    const loam_pt_format *f = pt->format;
    if (len == 0 || ((va | len) & (LOAM_PAGE_SIZE - 1)) != 0)
        return LOAM_EINVAL;
    if (!loam_pt_is_canonical(f, va, len))
        return LOAM_ERANGE;
    unsigned root = pt_root_level(pt);
    unsigned i = pt_index(f, root, va), last = pt_index(f, root, va + (len - 1));
    const void *table = pt_at(pt, pt->root.v);
    for (; i <= last; i++) {
        uint64_t entry = pt_read(f, table, i);
        if (pt_is_table(f, root, entry) && (entry & f->shared) != 0)
            return LOAM_EINVAL; /* another root's: only through that one */
    }
    return LOAM_OK;
}
