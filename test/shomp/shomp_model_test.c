/* SPDX-License-Identifier: MIT */
/* shomp_model_test.c - random calls on the heap, and the same on a textbook buddy.
 *
 * The other side is a byte a unit and nothing clever: a block of scale s is free when a mark says
 * so; allocate looks for the smallest mark, then the lowest; free halves back up by hand. Addresses
 * and counts have to agree after every call; what is out is filled, and must stay so. */
#include "../../compat/shomp/inc/shomp.h"
#include "tap.h"

enum { UNITS = 2048, MODES = 4 };

static _Alignas(SHOMP_PAGE) unsigned char memory[10 * SHOMP_PAGE];

/* The textbook: mark[u] is the scale of the free block that starts at u, or 0. */
static struct {
    unsigned char mark[UNITS], out[UNITS];
    unsigned scale, limit;
} book;

static void book_start(unsigned limit)
{
    __builtin_memset(&book, 0, sizeof(book));
    book.scale = SHOMP_HEAP_SCALE;
    book.limit = limit;
    book.mark[0] = SHOMP_HEAP_SCALE;
}

static unsigned book_units(unsigned scale)
{
    return 1U << (scale - SHOMP_MIN_SCALE);
}

static void book_put(unsigned unit, unsigned scale)
{
    for (; scale < book.scale; scale++) {
        unsigned buddy = unit ^ book_units(scale);
        if (book.mark[buddy] != scale)
            break;
        book.mark[buddy] = 0;
        unit &= ~book_units(scale);
    }
    book.mark[unit] = (unsigned char)scale;
}

static int book_find(unsigned scale)
{
    for (unsigned s = scale; s <= book.scale; s++)
        for (unsigned u = 0; u < UNITS; u++)
            if (book.mark[u] == s)
                return (int)u;
    return -1;
}

static void book_shrink(void)
{
    while (book.scale > SHOMP_HEAP_SCALE) {
        unsigned half = book_units(book.scale - 1);
        if (book.mark[0] == book.scale)
            book.mark[0] = (unsigned char)(book.scale - 1);
        else if (book.mark[half] == book.scale - 1)
            book.mark[half] = 0;
        else
            return;
        book.scale--;
    }
}

static int book_take(unsigned scale)
{
    int unit;
    if (scale > book.limit)
        return -1;
    while ((unit = book_find(scale)) < 0 && book.scale < book.limit) {
        book.scale++;
        book_put(book_units(book.scale - 1), book.scale - 1);
    }
    if (unit < 0) {
        book_shrink();
        return -1;
    }
    unsigned have = book.mark[unit];
    book.mark[unit] = 0;
    while (have > scale) {
        have--;
        book.mark[(unsigned)unit + book_units(have)] = (unsigned char)have;
    }
    book.out[unit] = (unsigned char)scale;
    return unit;
}

static void book_give(unsigned unit)
{
    unsigned scale = book.out[unit];
    book.out[unit] = 0;
    book_put(unit, scale);
    book_shrink();
}

/* ---- side by side ---- */

static unsigned drowned;

static void drop(void *ctx, const char *text)
{
    (void)ctx;
    drowned += tap_str_eq(text, "Out of memory!\n");
}

static void fake_pages(void *ctx, void *page, size_t len, bool reachable)
{
    (void)ctx;
    (void)page;
    (void)len;
    (void)reachable;
}

static void compare(tap *t)
{
    unsigned count[SHOMP_MAX_SCALE + 1], want[SHOMP_MAX_SCALE + 1] = {0};
    TAP_EQ(t, shomp_counts(count), book.scale);
    for (unsigned u = 0; u < UNITS; u++)
        want[book.mark[u]] += book.mark[u] != 0;
    for (unsigned s = SHOMP_MIN_SCALE; s <= SHOMP_MAX_SCALE; s++)
        TAP_EQ(t, count[s], want[s]);
    TAP_RULE(t, shomp_check(), NULL);
}

static unsigned char *payload_of(unsigned unit)
{
    return shomp_base() + unit * 16 + sizeof(block_header);
}

static void take(tap *t)
{
    unsigned scale = SHOMP_MIN_SCALE + (unsigned)tap_below(t, tap_below(t, 4) == 0 ? 13 : 5);
    size_t most = ((size_t)1 << scale) - 9;
    size_t least = scale == SHOMP_MIN_SCALE ? 1 : ((size_t)1 << (scale - 1)) - 8;
    size_t size = least + (size_t)tap_below(t, most - least + 1);
    unsigned before = drowned;
    unsigned char *p = shomp_allocate(size);
    int want = book_take(scale);
    TAP_EQ(t, drowned - before, want < 0);
    TAP_CHECK(t, p == (want < 0 ? NULL : payload_of((unsigned)want)));
    if (p != NULL)
        __builtin_memset(p, 0x11 * (int)(scale & 7), most);
}

static void give(tap *t)
{
    unsigned from = (unsigned)tap_below(t, UNITS), unit = from;
    do
        unit = (unit + 1) % UNITS;
    while (book.out[unit] == 0 && unit != from);
    if (book.out[unit] == 0)
        return;
    unsigned scale = book.out[unit];
    unsigned char *p = payload_of(unit);
    size_t len = ((size_t)1 << scale) - 9, same = 0;
    while (same < len && p[same] == 0x11 * (scale & 7))
        same++;
    TAP_EQ(t, same, len);
    void *pointer = p;
    shomp_free(&pointer);
    TAP_CHECK(t, pointer == NULL);
    book_give(unit);
}

static void give_wrong(tap *t)
{
    size_t off = (size_t)tap_below(t, sizeof(memory));
    unsigned unit = (unsigned)((size_t)(memory + off - shomp_base()) / 16);
    void *p = memory + off;
    if (unit < UNITS && book.out[unit] != 0 && payload_of(unit) == p)
        return;
    tap_catch(t);
    shomp_free(&p);
    TAP_EQ(t, tap_caught(t), 1);
    TAP_CHECK(t, p == memory + off);
}

static void life(tap *t, const shomp_options *options)
{
    shomp_init_heap(NULL);
    shomp_start(memory, options);
    book_start(options->grow_to);
    for (unsigned step = 0; step < 1200 && t->failed == 0; step++) {
        uint64_t dice = tap_below(t, 20);
        if (dice < (step / 200 % 2 == 0 ? 12 : 7))
            take(t);
        else if (dice < 18)
            give(t);
        else if (dice == 18)
            give_wrong(t);
        else
            (void)shomp_free_list();
        compare(t);
    }
    for (unsigned u = 0; u < UNITS; u++)
        if (book.out[u] != 0) {
            void *p = payload_of(u);
            shomp_free(&p);
            book_give(u);
        }
    compare(t);
    TAP_EQ(t, book.mark[0], SHOMP_HEAP_SCALE);
    shomp_init_heap(NULL);
}

static void random_calls(tap *t)
{
    static const shomp_options modes[MODES] = {
        {.grow_to = SHOMP_HEAP_SCALE},
        {.grow_to = SHOMP_MAX_SCALE},
        {.grow_to = 12, .guard = true},
        {.grow_to = SHOMP_MAX_SCALE, .guard = true, .pages = fake_pages},
    };
    shomp_set_output(drop, NULL);
    for (unsigned i = 0; i < MODES && t->failed == 0; i++)
        life(t, &modes[i]);
    TAP_CHECK(t, drowned > 0);
    shomp_set_output(NULL, NULL);
}

static const tap_case cases[] = {
    {"shomp model: random calls in four modes: every address and count as the textbook's",
     random_calls},
};
extern const tap_suite tap_suite_shomp_model_test;
TAP_SUITE(shomp_model_test, cases);
