/* SPDX-License-Identifier: MIT */
/* cs3101_model_test.c - random calls on both allocators, and the same on arrays of cells.
 *
 * A cell is a quantum, and holds the number of the block that it belongs to, or 0. The lowest row
 * of zeros that is long enough is looked for cell by cell: that is first fit, and it cannot fail
 * to merge. Where each page lies is learnt from its first block. What is out is filled with its
 * number and must stay so; some frees are of a byte beside, or of what is free. */
#include "../../compat/cs3101/alloc.h"
#include "../../compat/cs3101/ealloc.h"
#include "tap.h"

enum { PAGE = 4096, MOST_PAGES = 6, MOST_CELLS = 512, STEPS = 4000 };

typedef struct face {
    int quantum, pages;
    int (*init)(void);
    int (*cleanup)(void);
    char *(*take)(int size);
    void (*give)(char *ptr);
    unsigned long (*warnings)(void);
    const char *(*check)(void);
} face;

static struct {
    const face *f;
    int cells; /* of a page */
    unsigned cell[MOST_PAGES][MOST_CELLS];
    char *base[MOST_PAGES]; /* NULL: no block yet */
    unsigned last;
} book;

/* Is this row of cells free, and inside of the page? */
static bool row_is_free(const unsigned *cell, int from, int count)
{
    for (int i = from; i < from + count; i++)
        if (i >= book.cells || cell[i] != 0)
            return false;
    return true;
}

static bool book_find(int count, int *page, int *from)
{
    for (*page = 0; *page < book.f->pages; ++*page)
        for (*from = 0; *from < book.cells; ++*from)
            if (row_is_free(book.cell[*page], *from, count))
                return true;
    return false;
}

static bool is_start(int page, int at)
{
    const unsigned *cell = book.cell[page];
    return cell[at] != 0 && (at == 0 || cell[at - 1] != cell[at]);
}

static void take(tap *t, int size)
{
    int page = 0, from = 0, count = size / book.f->quantum;
    bool fits = size > 0 && size <= PAGE && size % book.f->quantum == 0;
    bool found = fits && book_find(count, &page, &from);
    char *p = book.f->take(size);
    TAP_EQ(t, p != NULL, found);
    if (p == NULL || !found)
        return;
    if (book.base[page] == NULL)
        book.base[page] = p - from * book.f->quantum;
    TAP_EQ(t, p - book.base[page], from * book.f->quantum);
    TAP_EQ(t, (uintptr_t)book.base[page] % PAGE, 0);
    book.last = book.last % 60000 + 1;
    for (int i = from; i < from + count; i++)
        book.cell[page][i] = book.last;
    __builtin_memset(p, (int)book.last, (size_t)size);
}

/* Frees the block that starts at a cell, after a look at its bytes. */
static void give(tap *t, int page, int at)
{
    unsigned number = book.cell[page][at];
    char *p = book.base[page] + at * book.f->quantum;
    unsigned long before = book.f->warnings();
    for (int i = at; i < book.cells && book.cell[page][i] == number; i++) {
        for (int k = 0; k < book.f->quantum; k++)
            TAP_EQ(t, (unsigned char)p[(i - at) * book.f->quantum + k], number & 255);
        book.cell[page][i] = 0;
    }
    book.f->give(p);
    TAP_EQ(t, book.f->warnings(), before);
}

/* Some byte of some page: a block's start is freed, all else is ignored and counted. */
static void give_any(tap *t)
{
    int page = (int)tap_below(t, (uint64_t)book.f->pages), at = (int)tap_below(t, PAGE);
    bool exact = tap_below(t, 4) != 0;
    if (book.base[page] == NULL)
        return;
    if (exact)
        at -= at % book.f->quantum;
    if (at % book.f->quantum == 0 && is_start(page, at / book.f->quantum)) {
        give(t, page, at / book.f->quantum);
        return;
    }
    unsigned long before = book.f->warnings();
    book.f->give(book.base[page] + at);
    TAP_EQ(t, book.f->warnings(), before + 1);
}

/* The next block from some cell on: most frees hit. */
static void give_next(tap *t)
{
    int all = book.f->pages * book.cells, from = (int)tap_below(t, (uint64_t)all);
    for (int i = 0; i < all; i++) {
        int page = (from + i) % all / book.cells, at = (from + i) % book.cells;
        if (is_start(page, at)) {
            give(t, page, at);
            return;
        }
    }
}

static int any_size(tap *t)
{
    int q = book.f->quantum, most = tap_below(t, 8) == 0 ? book.cells : 1 + book.cells / 16;
    int size = q * (1 + (int)tap_below(t, (uint64_t)most));
    return tap_below(t, 16) == 0 ? (int)tap_rand(t) >> tap_below(t, 31) : size;
}

static void life(tap *t, const face *f)
{
    __builtin_memset(&book, 0, sizeof book);
    book.f = f;
    book.cells = PAGE / f->quantum;
    TAP_EQ(t, f->init(), 0);
    for (int step = 0; step < STEPS && t->failed == 0; step++) {
        bool grows = step / 500 % 2 == 0;
        if (tap_below(t, 10) < (grows ? 7 : 4))
            take(t, any_size(t));
        else if (tap_below(t, 4) != 0)
            give_next(t);
        else
            give_any(t);
        TAP_RULE(t, f->check(), NULL);
    }
    for (int page = 0; page < f->pages; page++)
        for (int at = 0; at < book.cells; at++)
            if (is_start(page, at))
                give(t, page, at);
    take(t, PAGE); /* all has merged */
    TAP_EQ(t, f->cleanup(), 0);
}

static int einit_six(void)
{
    return ealloc_limit(MOST_PAGES) != 0 ? -1 : einit_alloc();
}

static int ecleanup_six(void)
{
    return ecleanup_alloc() != 0 ? -1 : ealloc_limit(4);
}

static void simple(tap *t)
{
    static const face f = {8,         1,           init_alloc,     cleanup_alloc,
                           alloc_mem, dealloc_mem, alloc_warnings, alloc_check};
    life(t, &f);
}

static void elastic(tap *t)
{
    static const face f = {
        256,         4, einit_alloc, ecleanup_alloc, ealloc_mem, edealloc_mem, ealloc_warnings,
        ealloc_check};
    life(t, &f);
}

static void elastic_six(tap *t)
{
    static const face f = {256,        MOST_PAGES,   einit_six,       ecleanup_six,
                           ealloc_mem, edealloc_mem, ealloc_warnings, ealloc_check};
    life(t, &f);
}

static const tap_case cases[] = {
    {"alloc: random calls: every address that of the cells, every rule holds", simple},
    {"ealloc: random calls: every address that of the cells, every rule holds", elastic},
    {"ealloc: the same with six pages", elastic_six},
};
extern const tap_suite tap_suite_cs3101_model_test;
TAP_SUITE(cs3101_model_test, cases);
