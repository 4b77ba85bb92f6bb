/* SPDX-License-Identifier: MIT */
/* pt_view.c - looking at the tree: one mapping, all of them, the test of the rules.
 *
 * WHAT   Answers questions, changes nothing.
 * MODEL  What may be done with a page is what its entry grants, less what a table on the way takes
 *        away (only adopted ones do):
 *
 *            root: user, write   -> table: write only   -> page: user, write    = write
 *
 * RULES  T1 .. T5 (pt.c): here they are tested.
 * LOCKS  The owner's.
 * COST   query O(levels); each, check O(tables + pages).
 * FROM   -
 * NOT    -
 */
#include "pt_impl.h"

const loam_pt_format *loam_pt_format_of(const char *name)
{
    static const loam_pt_format *const all[] = {&loam_pt_i386, &loam_pt_x86_64, &loam_pt_aarch64};
    for (size_t i = 0; name != NULL && i < LOAM_ARRAY_LEN(all); i++) {
        const char *a = all[i]->name, *b = name;
        while (*a != '\0' && *a == *b)
            a++, b++;
        if (*a == *b)
            return all[i];
    }
    return NULL;
}

const char *loam_pt_format_name(const loam_pt_format *format)
{
    return format->name;
}

/* What the cursor's entry, a page, says. */
static loam_pt_entry entry_of(const pt_cursor *c, uint64_t page)
{
    const loam_pt_format *f = c->pt->format;
    uint64_t size = pt_size(f, c->level);
    unsigned lost = PT_RIGHTS & ~c->rights[c->level];
    return (loam_pt_entry){
        .va = c->at & ~(size - 1),
        .len = size,
        .pa = loam_pa_of(pt_page_address(f, c->level, page)),
        .flags = f->flags(page, c->pt->features) & ~lost,
        .accessed = (page & f->accessed) != 0,
        .dirty = (page & f->dirty) != 0,
    };
}

bool loam_pt_query(const loam_pt *pt, uint64_t va, loam_pt_entry *entry)
{
    if (!loam_pt_is_canonical(pt->format, va, 1))
        return false;
    pt_cursor c;
    pt_start(&c, pt, va, 1);
    uint64_t found = pt_find(&c);
    if (!pt_is_present(found))
        return false;
    *entry = entry_of(&c, found);
    return true;
}

void loam_pt_each(const loam_pt *pt, uint64_t va, uint64_t len, loam_pt_fn *fn, void *ctx)
{
    if (!loam_pt_is_canonical(pt->format, va, len))
        return;
    pt_cursor c;
    for (pt_start(&c, pt, va, len); c.left != 0; pt_skip(&c, pt_rest(&c))) {
        uint64_t found = pt_find(&c);
        if (!pt_is_present(found))
            continue;
        loam_pt_entry entry = entry_of(&c, found);
        if (!fn(ctx, &entry))
            return;
    }
}

/* ---- the rules ---- */

/* The table a check is in, at each level, and the next entry of it. */
typedef struct pt_checker {
    const loam_pt *pt;
    unsigned level;
    unsigned index[PT_LEVELS], present[PT_LEVELS];
    bool kept[PT_LEVELS]; /* the entry that names the table has the mark */
    const void *table[PT_LEVELS];
    uint64_t tables;
} pt_checker;

static void check_enter(pt_checker *c, unsigned level, uint64_t table, bool kept)
{
    c->level = level;
    c->table[level] = pt_at(c->pt, table);
    c->index[level] = c->present[level] = 0;
    c->kept[level] = kept;
    c->tables++;
}

/* A present entry of the checker's table; goes into the table it names. */
static const char *check_entry(pt_checker *c, uint64_t entry)
{
    const loam_pt_format *f = c->pt->format;
    unsigned level = c->level;
    bool is_root = level == pt_root_level(c->pt), is_table = pt_is_table(f, level, entry);
    uint64_t address = entry & f->address;
    if (!f->is_sound(level, entry, c->pt->features))
        return "T1 an entry is neither a table nor a page that is allowed there";
    if (!is_table && (address & (pt_size(f, level) - 1)) != 0)
        return "T2 the address of a page is not a multiple of its size";
    if ((entry & f->shared) != 0 && !(is_root && is_table))
        return "T5 the mark `shared` outside of the root's tables";
    if ((entry & f->kept) != 0 && !is_table)
        return "T5 the mark `kept` at a page";
    if (!is_table || (entry & f->shared) != 0)
        return NULL;
    if (pt_at(c->pt, address) == NULL)
        return "T2 the address of a table is no memory";
    check_enter(c, level - 1, address, (entry & f->kept) != 0);
    return NULL;
}

const char *loam_pt_check(const loam_pt *pt)
{
    const loam_pt_format *f = pt->format;
    unsigned root = pt_root_level(pt);
    pt_checker c = {.pt = pt};
    check_enter(&c, root, pt->root.v, true);
    while (c.level <= root) {
        unsigned level = c.level, i = c.index[level]++;
        if (i == pt_entries(f)) {
            if (c.present[level] == 0 && !c.kept[level])
                return "T3 a table is empty, and not kept";
            c.level++;
            continue;
        }
        uint64_t entry = pt_read(f, c.table[level], i);
        if (!pt_is_present(entry))
            continue;
        c.present[level]++;
        const char *broken = check_entry(&c, entry);
        if (broken != NULL)
            return broken;
    }
    return c.tables == pt->tables ? NULL : "T4 the count of tables is wrong";
}
