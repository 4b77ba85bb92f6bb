/* SPDX-License-Identifier: MIT */
/* shomp_heap_test.c - compat/shomp's heap: the document's facts, misuse, growth, and the faults of
 * the original that are not repeated. */
#include "shomp_ground.h"
#include "tap.h"

/* ---- the document ---- */

static void names_as_in_the_document(tap *t)
{
    void (*init)(void *) = init_heap;
    void *(*take)(size_t) = allocate;
    void (*give)(void **) = shomp_free;
    void (*print)(void) = print_free_counts;
    fresh(t);
    init(memory);
    void *p = take(1);
    give(&p);
    TAP_CHECK(t, p == NULL);
    p = allocate(1);
    free(&p);
    TAP_CHECK(t, p == NULL);
    print();
    TAP_EQ(t, sizeof(list_header), 8);
    TAP_EQ(t, sizeof(block_header), 9);
}

static void thresholds(tap *t)
{
    static const size_t most[] = {7, 23, 55, 119, 247, 503, 1015};
    unsigned scale = SHOMP_MIN_SCALE;
    fresh(t);
    for (size_t size = 1; size <= 1015; size++) {
        scale += size > most[scale - SHOMP_MIN_SCALE];
        void *p = allocate(size);
        TAP_CHECK(t, p != NULL && (uintptr_t)p % 16 == 0);
        if (p == NULL)
            return;
        TAP_EQ(t, shomp_header(p)->scale, scale);
        TAP_EQ(t, shomp_header(p)->is_free, 0);
        __builtin_memset(p, 0xee, size);
        TAP_RULE(t, shomp_check(), NULL);
        free(&p);
        TAP_CHECK(t, p == NULL);
    }
    TAP_EQ(t, scale, SHOMP_HEAP_SCALE);
    counts_are(t, "0000001");
    TAP_STR(t, said, "");
}

static void nothing_and_too_much(tap *t)
{
    fresh(t);
    TAP_CHECK(t, allocate(0) == NULL);
    TAP_STR(t, said, "");
    TAP_CHECK(t, allocate(1016) == NULL);
    TAP_STR(t, said, "Out of memory!\n");
    TAP_CHECK(t, allocate(SIZE_MAX) == NULL && allocate(SIZE_MAX - 8) == NULL);
    TAP_STR(t, said, "Out of memory!\nOut of memory!\nOut of memory!\n");
    counts_are(t, "0000001");
}

static void third_of_scale_9(tap *t)
{
    fresh(t);
    TAP_CHECK(t, allocate(248) != NULL && allocate(248) != NULL);
    TAP_STR(t, said, "");
    TAP_CHECK(t, allocate(248) == NULL);
    TAP_STR(t, said, "Out of memory!\n");
    counts_are(t, "0000000");
}

static void counts_printed(tap *t)
{
    fresh(t);
    TAP_CHECK(t, allocate(8) != NULL);
    print_free_counts();
    TAP_STR(t, said,
            "free_block counts:\n0 free blocks of scale 4\n1 free blocks of scale 5\n"
            "1 free blocks of scale 6\n1 free blocks of scale 7\n1 free blocks of scale 8\n"
            "1 free blocks of scale 9\n0 free blocks of scale A\n");
}

static void sequences(tap *t)
{
    void *p[6];
    fresh(t);
    p[0] = allocate(1);
    counts_are(t, "1111110");
    for (unsigned i = 1; i < 4; i++)
        p[i] = allocate(1);
    counts_are(t, "0011110");
    for (unsigned i = 0; i < 4; i++)
        free(&p[i]);
    counts_are(t, "0000001");
    p[0] = allocate(248);
    counts_are(t, "0000010");
    free(&p[0]);
    for (unsigned i = 0; i < 6; i++)
        p[i] = allocate(i == 0 ? 1 : ((size_t)8 << i) - 8);
    counts_are(t, "1000000");
    TAP_RULE(t, shomp_check(), NULL);
    for (unsigned i = 0; i < 6; i++)
        free(&p[(i * 5 + 2) % 6]);
    counts_are(t, "0000001");
}

static void free_of_nothing(tap *t)
{
    void *none = NULL;
    fresh(t);
    tap_catch(t);
    free(NULL);
    free(&none);
    TAP_EQ(t, tap_caught(t), 0);
}

/* ---- faults of the original ---- */

/* Every start: block 0 is 7 modulo 16 and the heap stays inside of the memory it was given. The
 * sanitizer's red zone is behind `edge`: the top block has no buddy's header to read. */
static void starts_anywhere(tap *t)
{
    static _Alignas(16) unsigned char edge[SHOMP_SKEW + (1 << SHOMP_HEAP_SCALE)];
    quiet();
    for (unsigned skew = 0; skew < 40; skew++) {
        unsigned char *start = memory + skew;
        init_heap(start);
        TAP_EQ(t, (uintptr_t)shomp_base() % 16, SHOMP_SKEW);
        TAP_CHECK(t, shomp_base() >= start && shomp_base() + 1024 <= start + SHOMP_HEAP_BYTES);
        void *p = allocate(1015);
        TAP_CHECK(t, p != NULL && (uintptr_t)p % 16 == 0);
        free(&p);
    }
    init_heap(edge + SHOMP_SKEW);
    TAP_CHECK(t, shomp_base() == edge + SHOMP_SKEW);
    void *p[64];
    for (unsigned i = 0; i < 64; i++)
        p[i] = allocate(7);
    for (unsigned i = 64; i-- > 0;)
        free(&p[i]);
    p[0] = allocate(1015);
    free(&p[0]);
    TAP_RULE(t, shomp_check(), NULL);
    counts_are(t, "0000001");
}

/* A heap over memory full of ones, of zeros and of old headers answers alike. */
static void flags_initialised(tap *t)
{
    static const unsigned char fills[] = {0x00, 0xff, 0x01, SHOMP_POISON, 0x15};
    quiet();
    for (unsigned i = 0; i < sizeof(fills); i++) {
        __builtin_memset(memory, fills[i], sizeof(memory));
        init_heap(memory);
        void *a = allocate(1), *b = allocate(100), *c = allocate(1);
        TAP_CHECK(t, a == shomp_base() + 9 && b == shomp_base() + 137 && c == shomp_base() + 25);
        counts_are(t, "0110110");
        free(&b);
        free(&a);
        counts_are(t, "1111110");
        free(&c);
        counts_are(t, "0000001");
        TAP_RULE(t, shomp_check(), NULL);
    }
}

/* ---- misuse ---- */

static void refused(tap *t, void *pointer, const char *what, const char *state)
{
    unsigned before[SHOMP_MAX_SCALE + 1], after[SHOMP_MAX_SCALE + 1];
    void *copy = pointer;
    (void)shomp_counts(before);
    tap_catch(t);
    free(&copy);
    TAP_EQ(t, tap_caught(t), 1);
    TAP_CHECK(t, copy == pointer); /* not cleared */
    TAP_STR(t, t->report.unit, "shomp");
    TAP_STR(t, t->report.what, what);
    TAP_STR(t, t->report.state, state);
    TAP_EQ(t, t->report.value, (uintptr_t)pointer);
    TAP_CHECK(t, t->report.caller != NULL);
    (void)shomp_counts(after);
    TAP_EQ(t, __builtin_memcmp(before, after, sizeof(before)), 0);
}

static void wrong_frees(tap *t)
{
    int local = 0;
    fresh(t);
    unsigned char *a = allocate(100), *b = allocate(1);
    refused(t, a + 1, "inner pointer", "inside a block");
    refused(t, a + 16, "inner pointer", "inside a block");
    refused(t, a + 127 - 9, "inner pointer", "inside a block");
    refused(t, a - 9, "inner pointer", "inside a block");
    refused(t, &local, "foreign pointer", "not in the heap");
    refused(t, shomp_base() - 1, "foreign pointer", "not in the heap");
    refused(t, shomp_base() + 1024, "foreign pointer", "not in the heap");
    refused(t, shomp_base() + 1024 + 9, "foreign pointer", "not in the heap");
    void *gone = a;
    free(&gone);
    refused(t, a, "double free", "free");
    refused(t, shomp_base() + 512 + 9, "double free", "free");
    TAP_RULE(t, shomp_check(), NULL);
    init_heap(NULL);
    refused(t, b, "foreign pointer", "there is no heap");
    TAP_CHECK(t, allocate(1) == NULL);
    TAP_RULE(t, shomp_check(), NULL);
    TAP_EQ(t, shomp_each(NULL, NULL), 0);
    TAP_CHECK(t, shomp_free_list() == NULL);
}

static void header_overwritten(tap *t)
{
    fresh(t);
    unsigned char *a = allocate(7), *b = allocate(7);
    for (unsigned i = 0; i < sizeof(block_header); i++) {
        unsigned char was = a[7 + i];
        a[7 + i] ^= 1; /* one byte too far, and further */
        TAP_RULE(t, shomp_check(), "SH2");
        refused(t, b, "header overwritten", "its block stays out");
        TAP_EQ(t, t->report.size, 16);
        TAP_CHECK(t, t->report.site != NULL);
        a[7 + i] = was;
    }
    void *p = b;
    free(&p);
    TAP_CHECK(t, p == NULL);
    TAP_RULE(t, shomp_check(), NULL);
}

/* ---- views ---- */

static void free_lists(tap *t)
{
    unsigned count[SHOMP_MAX_SCALE + 1];
    void *p[32];
    fresh(t);
    for (unsigned i = 0; i < 32; i++)
        p[i] = allocate(1);
    for (unsigned i = 0; i < 32; i += 2)
        free(&p[i]);
    (void)shomp_counts(count);
    TAP_EQ(t, count[4], 16);
    for (unsigned s = SHOMP_MIN_SCALE; s <= SHOMP_HEAP_SCALE; s++)
        TAP_EQ(t, chain(t, s), count[s]);
    TAP_RULE(t, shomp_check(), NULL);
    TAP_EQ(t, chain(t, 5), count[5]); /* asked again: the same lists */
    for (unsigned i = 1; i < 32; i += 2)
        free(&p[i]);
    TAP_RULE(t, shomp_check(), NULL);
    TAP_EQ(t, chain(t, SHOMP_HEAP_SCALE), 1);
    TAP_EQ(t, chain(t, 4), 0);
}

typedef struct seen {
    unsigned count, stop;
    size_t bytes;
    unsigned sites;
} seen;

static bool see(void *ctx, void *payload, size_t size, unsigned scale, const void *site)
{
    seen *s = ctx;
    s->count++;
    s->bytes += size + sizeof(block_header);
    s->sites += site != NULL && shomp_header(payload)->scale == scale;
    return s->count != s->stop;
}

static void each_block(tap *t)
{
    seen all = {0}, some = {.stop = 2};
    fresh(t);
    TAP_CHECK(t, allocate(1) != NULL && allocate(200) != NULL && allocate(50) != NULL);
    TAP_EQ(t, shomp_each(see, &all), 3);
    TAP_EQ(t, all.bytes, 16 + 256 + 64);
    TAP_EQ(t, all.sites, 3);
    TAP_EQ(t, shomp_each(see, &some), 2);
}

/* ---- growth ---- */

static void grows_and_shrinks(tap *t)
{
    void *p[4];
    fresh_with(t, (shomp_options){.grow_to = SHOMP_MAX_SCALE});
    counts_are(t, "0000001");
    for (unsigned i = 0; i < 3; i++)
        p[i] = allocate(248);
    counts_are(t, "00000100"); /* the third makes it a heap of scale B */
    p[3] = allocate(16384 - 9);
    TAP_CHECK(t, p[3] == shomp_base() + 16384 + 9);
    counts_are(t, "000001011100");
    TAP_RULE(t, shomp_check(), NULL);
    print_free_counts();
    TAP_CHECK(t, tap_starts(said + said_text.len - 26, "\n0 free blocks of scale F\n"));
    TAP_CHECK(t, allocate(32768 - 9) == NULL);
    free(&p[3]);
    counts_are(t, "00000100");
    for (unsigned i = 0; i < 3; i++)
        free(&p[i]);
    counts_are(t, "0000001");
    p[0] = allocate(32768 - 9);
    TAP_CHECK(t, p[0] != NULL);
    counts_are(t, "000000000000");
    TAP_CHECK(t, allocate(1) == NULL);
    free(&p[0]);
    counts_are(t, "0000001");
    TAP_CHECK(t, allocate(32768 - 8) == NULL);
    counts_are(t, "0000001");
    TAP_RULE(t, shomp_check(), NULL);
}

static void growth_has_a_limit(tap *t)
{
    fresh_with(t, (shomp_options){.grow_to = 11});
    TAP_EQ(t, shomp_bytes(&(shomp_options){.grow_to = 11}), 2048 + 15);
    TAP_CHECK(t, allocate(2048 - 9) != NULL);
    TAP_CHECK(t, allocate(1) == NULL);
    fresh_with(t, (shomp_options){.grow_to = 99});
    TAP_EQ(t, shomp_bytes(&(shomp_options){.grow_to = 99}), 32768 + 15);
    TAP_CHECK(t, allocate(1) != NULL);
    TAP_CHECK(t, allocate(32768 - 9) == NULL); /* however much it grew, half is taken */
    counts_are(t, "1111110");
    TAP_RULE(t, shomp_check(), NULL);
}

/* ---- rules ---- */

#define BREAKS(t, place, value, rule)                                                              \
    do {                                                                                           \
        __typeof__(place) breaks_old = (place);                                                    \
        (place) = (value);                                                                         \
        TAP_RULE(t, shomp_check(), rule);                                                          \
        (place) = breaks_old;                                                                      \
        TAP_RULE(t, shomp_check(), NULL);                                                          \
    } while (0)

static void rules_broken(tap *t)
{
    shomp_heap *h = &shomp_x__heap;
    fresh_with(t, (shomp_options){.guard = true, .grow_to = 12});
    unsigned char *a = allocate(1);
    TAP_CHECK(t, allocate(50) != NULL);
    BREAKS(t, h->out[0], 0, "SH1");
    BREAKS(t, h->out[0], 5, "SH1");
    BREAKS(t, h->out[0], 16, "SH1");
    BREAKS(t, h->out[1], 4, "SH1");
    BREAKS(t, h->out[5], 4, "SH1");
    BREAKS(t, h->out[100], 4, "SH1");
    BREAKS(t, h->buddy.free_units, 0, "B6");
    BREAKS(t, a[-1], 0, "SH2");
    BREAKS(t, a[15], 0, "SH3");
    BREAKS(t, a[16], 0, "SH4");
    (void)shomp_free_list();
    BREAKS(t, a[15], 0, "SH3");
    TAP_EQ(t, a[7], 0xff); /* no neighbour */
}

static const tap_case cases[] = {
    {"shomp heap.h: the document's names: its signatures and sizes", names_as_in_the_document},
    {"shomp_allocate: 1 to 1015 bytes: the scales listed, payloads at 16", thresholds},
    {"shomp_allocate: 0 bytes: NULL; more than the heap: Out of memory!", nothing_and_too_much},
    {"shomp_allocate: scale 9 for the third time: Out of memory!", third_of_scale_9},
    {"shomp_print_free_counts: after 8 bytes: the lines listed", counts_printed},
    {"shomp: sequences of the document: counts as listed", sequences},
    {"shomp_free: NULL, pointer to NULL: nothing", free_of_nothing},
    {"shomp_init_heap: any start: block 0 at 7 modulo 16, nothing beyond is touched",
     starts_anywhere},
    {"shomp_init_heap: memory full of anything: the same answers", flags_initialised},
    {"shomp_free: inner, foreign, double: named, nothing changed", wrong_frees},
    {"shomp_free: a byte of the header overwritten: named, nothing changed", header_overwritten},
    {"shomp_free_list: chains by scale: as many as counted, valid until the next call", free_lists},
    {"shomp_each: blocks that are out: each with size and site", each_block},
    {"shomp growth: by doubling to scale F, and back", grows_and_shrinks},
    {"shomp growth: a limit: kept", growth_has_a_limit},
    {"shomp_check: each rule: broken, named", rules_broken},
};
extern const tap_suite tap_suite_shomp_heap_test;
TAP_SUITE(shomp_heap_test, cases);
