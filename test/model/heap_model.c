/* SPDX-License-Identifier: MIT */
/* heap_model.c - random calls on a heap, and the same on an array with a bit for each grain.
 *
 * The array says what is free, so it also knows what a request may answer: never a block where none
 * fits, always one where a stretch is a quarter longer than needed, or where no more stretches than
 * LOAM_HEAP_TRIES are free. Blocks are filled with bytes that only they have. Wrong addresses come
 * in between: refused, nothing changed. */
#include "loam/heap.h"
#include "tap_host.h"

enum { GRAIN = LOAM_HEAP_GRAIN, GRAINS = 3000, BLOCKS = 400 };

typedef struct block {
    unsigned char *p;
    size_t size, room;
    unsigned char fill;
} block;

static _Alignas(64) unsigned char memory[GRAINS * GRAIN + 4096];
static unsigned char *arena;
static unsigned grains;
static bool out[GRAINS]; /* the oracle: grain i belongs to a block */
static loam_heap heap;
static block blocks[BLOCKS];
static unsigned count;

static unsigned needed(size_t size)
{
    return (unsigned)((size + GRAIN - 1) / GRAIN);
}

/* ---- the oracle ---- */

static void set_out(const unsigned char *p, size_t room, bool value)
{
    size_t first = (size_t)(p - arena) / GRAIN;
    for (size_t i = 0; i < room / GRAIN; i++)
        out[first + i] = value;
}

static unsigned free_run(unsigned i)
{
    unsigned n = 0;
    while (i + n < grains && !out[i + n])
        n++;
    return n;
}

/* Does [i, i + run) hold n grains from a multiple of align on? */
static bool holds(unsigned i, unsigned run, unsigned n, uint64_t align)
{
    uint64_t first = (uintptr_t)arena / GRAIN + i, start = loam_align_up(first, align);
    return start - first < run && n <= run - (start - first);
}

typedef enum answer { NEVER, PERHAPS, ALWAYS } answer;

/* What a request of n grains must be answered. */
static answer answer_to(unsigned n, uint64_t align)
{
    unsigned stretches = 0, enough = n + (unsigned)align - 1, run;
    bool fits = false, certain = false;
    for (unsigned i = 0; i < grains; i += run + 1) {
        run = free_run(i);
        stretches += run != 0;
        fits = fits || (run != 0 && holds(i, run, n, align));
        certain = certain || run > enough + enough / 4;
    }
    certain = certain || (align == 1 && stretches <= LOAM_HEAP_TRIES);
    return !fits ? NEVER : certain ? ALWAYS : PERHAPS;
}

static bool answer_is_right(answer want, bool got)
{
    return want == PERHAPS || got == (want == ALWAYS);
}

static uint64_t free_grains(void)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < grains; i++)
        n += !out[i];
    return n;
}

/* ---- blocks ---- */

static bool intact(const block *b, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (b->p[i] != b->fill)
            return false;
    return true;
}

/* A block came, at most one of them from memory that the oracle has as out. */
static void came(tap *t, block *b, unsigned char *p, size_t size, uint64_t align)
{
    b->p = p;
    b->size = size;
    b->room = loam_heap_size(&heap, p);
    TAP_EQ(t, b->room, (uint64_t)needed(size) * GRAIN);
    TAP_CHECK(t, p >= arena && p + b->room <= arena + (size_t)grains * GRAIN);
    TAP_EQ(t, (uintptr_t)p % (align * GRAIN), 0);
    for (size_t i = 0; i < b->room / GRAIN; i++)
        TAP_CHECK(t, !out[(size_t)(p - arena) / GRAIN + i]);
    set_out(p, b->room, true);
}

static size_t a_size(tap *t)
{
    uint64_t most = tap_below(t, 10) == 0 ? (uint64_t)grains * GRAIN : tap_below(t, 3) ? 200 : 3000;
    return (size_t)tap_below(t, most) + 1;
}

static void take(tap *t)
{
    size_t size = a_size(t);
    uint64_t align = 1ULL << (tap_below(t, 4) == 0 ? tap_below(t, 8) : 0);
    answer want = answer_to(needed(size), align);
    if (count == BLOCKS)
        return;
    unsigned char *p = loam_heap_aligned(&heap, size, (size_t)align * GRAIN);
    TAP_CHECK(t, answer_is_right(want, p != NULL));
    if (p == NULL)
        return;
    block *b = &blocks[count++];
    came(t, b, p, size, align);
    b->fill = (unsigned char)tap_rand(t);
    __builtin_memset(p, b->fill, size);
}

static void give(tap *t)
{
    if (count == 0)
        return;
    block *b = &blocks[tap_below(t, count)];
    TAP_CHECK(t, intact(b, b->size));
    TAP_EQ(t, loam_heap_free(&heap, b->p), LOAM_OK);
    set_out(b->p, b->room, false);
    *b = blocks[--count];
}

static void change(tap *t)
{
    if (count == 0)
        return;
    block *b = &blocks[tap_below(t, count)], before = *b;
    size_t size = a_size(t), kept = size < b->size ? size : b->size;
    bool shrinks = size <= b->room;
    unsigned char *p = loam_heap_realloc(&heap, b->p, size);
    TAP_CHECK(t, p != NULL || !shrinks);
    if (p == NULL) {
        TAP_CHECK(t, intact(b, b->size));
        TAP_CHECK(t, answer_to(needed(size), 1) != ALWAYS);
        return;
    }
    TAP_CHECK(t, p == before.p || !shrinks);
    set_out(before.p, before.room, false);
    came(t, b, p, size, 1);
    TAP_CHECK(t, intact(b, kept));
    __builtin_memset(p, b->fill, size);
}

static void spoil(tap *t)
{
    size_t at = (size_t)tap_below(t, (uint64_t)grains * GRAIN);
    for (unsigned i = 0; i < count; i++)
        if (blocks[i].p == arena + at)
            return;
    tap_catch(t);
    TAP_EQ(t, loam_heap_free(&heap, arena + at), LOAM_EINVAL);
    TAP_EQ(t, tap_caught(t), 1);
    TAP_CHECK(t, out[at / GRAIN] != tap_str_eq(t->report.what, "double free"));
}

static void compare(tap *t)
{
    loam_heap_stats s;
    loam_heap_stat(&heap, &s);
    TAP_RULE(t, loam_heap_check(&heap), NULL);
    TAP_EQ(t, s.blocks, count);
    TAP_EQ(t, s.free, free_grains() * GRAIN);
    unsigned longest = 0, run;
    for (unsigned i = 0; i < grains; i += run + 1) {
        run = free_run(i);
        longest = run > longest ? run : longest;
    }
    TAP_CHECK(t, s.largest <= longest * GRAIN && s.largest + s.largest / 4 >= longest * GRAIN);
    TAP_EQ(t, answer_to((unsigned)(s.largest / GRAIN), 1) != NEVER, s.largest != 0);
}

static void step(tap *t, bool filling)
{
    switch (tap_below(t, 10)) {
    case 0:
        spoil(t);
        break;
    case 1:
    case 2:
        change(t);
        break;
    case 3:
    case 4:
        give(t);
        break;
    default:
        if (filling)
            take(t);
        else
            give(t);
    }
}

static void one_life(tap *t)
{
    unsigned steps = getenv("LOAM_LONG") != NULL ? 4000 : 500;
    size_t skip = (size_t)tap_below(t, 64), len = 200 + (size_t)tap_below(t, GRAINS * GRAIN - 200);
    TAP_EQ(t, loam_heap_init(&heap, memory + skip, skip + len < 1500 ? 1500 : len, "model"),
           LOAM_OK);
    arena = (unsigned char *)(uintptr_t)(heap.first * GRAIN);
    grains = (unsigned)heap.count;
    __builtin_memset(out, 0, sizeof(out));
    count = 0;
    for (unsigned i = 0; i < steps && t->failed == 0; i++) {
        step(t, i / 100 % 2 == 0);
        if (i % 16 == 0)
            compare(t);
    }
    if (tap_below(t, 2) == 0)
        TAP_EQ(t, loam_heap_reset(&heap), count);
    else
        while (count != 0 && t->failed == 0)
            give(t);
    loam_heap_stats s;
    loam_heap_stat(&heap, &s);
    TAP_EQ(t, s.blocks, 0);
    TAP_EQ(t, s.free, s.capacity);
    TAP_RULE(t, loam_heap_check(&heap), NULL);
}

static void lives(tap *t)
{
    unsigned n = getenv("LOAM_LONG") != NULL ? 1000 : 200;
    for (unsigned i = 0; i < n && t->failed == 0; i++)
        one_life(t);
}

static const tap_case cases[] = {
    {"heap model: random calls: as the array", lives},
};
static const tap_suite suite = {"heap_model", cases, LOAM_ARRAY_LEN(cases)};

int main(int argc, char **argv)
{
    return tap_host_main(&suite, argc, argv);
}
