/* SPDX-License-Identifier: MIT */
/* shomp_heap_test.c - compat/shomp's heap: the document's facts, misuse, growth, guard, and the
 * faults of the original that are not repeated. */
#include "../../compat/shomp/inc/shomp.h"
#include "../../compat/shomp/src/memory/heap_impl.h"
#include "tap.h"

enum { BYTES = 10 * SHOMP_PAGE };

static _Alignas(SHOMP_PAGE) unsigned char memory[BYTES];
static char said[1024];
static loam_text said_text;

static void hear(void *ctx, const char *text)
{
    (void)ctx;
    loam_text_str(&said_text, text);
}

static void quiet(void)
{
    loam_text_init(&said_text, said, sizeof(said));
    shomp_set_output(hear, NULL);
}

static void fresh(tap *t)
{
    quiet();
    __builtin_memset(memory, 0xff, sizeof(memory)); /* flags that nobody initialised */
    init_heap(memory);
    TAP_RULE(t, shomp_check(), NULL);
}

static void fresh_with(tap *t, shomp_options options)
{
    quiet();
    shomp_init_heap(NULL);
    __builtin_memset(memory, 0xff, sizeof(memory));
    shomp_start(memory, &options);
    TAP_RULE(t, shomp_check(), NULL);
}

/* Free blocks of scales 4 up, as digits; the scale of the heap decides how many. */
static void counts_are(tap *t, const char *want)
{
    unsigned count[SHOMP_MAX_SCALE + 1], scale = shomp_counts(count);
    char got[SHOMP_MAX_SCALE];
    loam_text text;
    loam_text_init(&text, got, sizeof(got));
    for (unsigned s = SHOMP_MIN_SCALE; s <= scale; s++)
        loam_text_dec(&text, count[s]);
    TAP_STR(t, got, want);
}

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

static size_t chain(tap *t, unsigned scale)
{
    const list_header *list = shomp_free_list();
    uint32_t before = SHOMP_END;
    size_t n = 0;
    for (uint32_t at = list[scale].next; at != SHOMP_END && n < 100; n++) {
        block_header header;
        __builtin_memcpy(&header, shomp_base() + at, sizeof(header));
        TAP_EQ(t, header.is_free, 1);
        TAP_EQ(t, header.scale, scale);
        TAP_EQ(t, header.list.prev, before);
        before = at;
        at = header.list.next;
    }
    TAP_EQ(t, list[scale].prev, before);
    return n;
}

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

/* ---- guard ---- */

static void write_found_at_reuse(tap *t)
{
    fresh_with(t, (shomp_options){.guard = true});
    unsigned char *a = allocate(20), *b = allocate(1), *p = a;
    free((void **)&p);
    a[5] = 'x';
    TAP_RULE(t, shomp_check(), "SH4");
    tap_catch(t);
    unsigned char *again = allocate(20);
    TAP_EQ(t, tap_caught(t), 1);
    TAP_STR(t, t->report.what, "write after free");
    TAP_EQ(t, t->report.value, (uintptr_t)(a + 5));
    TAP_EQ(t, t->report.size, 32);
    TAP_CHECK(t, t->report.site != NULL && t->report.caller != NULL);
    TAP_CHECK(t, again == a && b != NULL); /* named, mended, and served */
    TAP_RULE(t, shomp_check(), NULL);
}

static void write_found_at_merge(tap *t)
{
    fresh_with(t, (shomp_options){.guard = true});
    unsigned char *a = allocate(1), *b = allocate(1), *p = a;
    free((void **)&p);
    a[-1] ^= 0x10; /* into the header of the free block */
    TAP_RULE(t, shomp_check(), "SH3");
    tap_catch(t);
    free((void **)&b);
    TAP_EQ(t, tap_caught(t), 1);
    TAP_CHECK(t, b == NULL); /* it was a good free all the same */
    TAP_STR(t, t->report.what, "write after free");
    TAP_EQ(t, t->report.value, (uintptr_t)(a - 9));
    TAP_RULE(t, shomp_check(), NULL);
    counts_are(t, "0000001");
}

/* Each place that an allocation takes over from a larger free block. */
static void write_found_anywhere(tap *t)
{
    static const unsigned offset[] = {0, 8, 9, 15, 16, 24, 32, 40, 64, 256 + 8, 512};
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(offset); i++) {
        fresh_with(t, (shomp_options){.guard = true});
        shomp_base()[offset[i]] ^= 0x40;
        tap_catch(t);
        TAP_CHECK(t, allocate(1) != NULL);
        TAP_EQ(t, tap_caught(t), 1);
        TAP_CHECK(t, t->report.value <= (uintptr_t)shomp_base() + offset[i]);
        TAP_EQ(t, t->report.size, 0); /* nobody had it */
        TAP_RULE(t, shomp_check(), NULL);
    }
}

/* The last owner of a place is who had it last, and nobody beside it. */
static void owners_named(tap *t)
{
    loam_report report = {.size = 0};
    fresh_with(t, (shomp_options){.guard = true});
    void *a = allocate(1), *b = allocate(1);
    free(&a);
    shomp_guard__name(&shomp_x__heap, 0, &report);
    TAP_EQ(t, report.size, 16);
    report.size = 0;
    shomp_guard__name(&shomp_x__heap, 1, &report);
    shomp_guard__name(&shomp_x__heap, 2, &report);
    TAP_EQ(t, report.size, 0); /* never freed, never taken */
    free(&b);
    a = allocate(100);
    free(&a);
    shomp_guard__name(&shomp_x__heap, 1, &report);
    TAP_EQ(t, report.size, 128);
}

static void growth_loses_no_damage(tap *t)
{
    fresh_with(t, (shomp_options){.guard = true, .grow_to = SHOMP_MAX_SCALE});
    shomp_base()[3] ^= 1;
    tap_catch(t);
    TAP_CHECK(t, allocate(1500) != NULL);
    TAP_EQ(t, tap_caught(t), 1);
    TAP_RULE(t, shomp_check(), NULL);
    fresh_with(t, (shomp_options){.guard = true, .grow_to = SHOMP_MAX_SCALE});
    void *small = allocate(600), *large = allocate(600);
    free(&small);
    shomp_base()[3] ^= 1;
    tap_catch(t);
    free(&large); /* merges, and the heap shrinks */
    small = allocate(1);
    TAP_EQ(t, tap_caught(t), 1);
    TAP_RULE(t, shomp_check(), NULL);
}

static void view_loses_no_damage(tap *t)
{
    for (unsigned i = 0; i < 4; i++) {
        bool by_free = i < 2;
        fresh_with(t, (shomp_options){.guard = true});
        void *a = allocate(1), *b = allocate(1), *c = allocate(1);
        free(&a);
        TAP_EQ(t, chain(t, 4), 2);
        shomp_base()[i % 2 * 4] ^= 2; /* a neighbour, while the lists are valid */
        tap_catch(t);
        if (by_free)
            free(&b);
        else
            b = allocate(300);
        TAP_EQ(t, tap_caught(t), 1);
        TAP_CHECK(t, c != NULL && by_free == (b == NULL));
        TAP_RULE(t, shomp_check(), NULL);
    }
}

static struct {
    bool hidden[BYTES / SHOMP_PAGE];
    unsigned calls;
} mmu;

static void fake_pages(void *ctx, void *page, size_t len, bool reachable)
{
    size_t first = (size_t)((unsigned char *)page - memory) / SHOMP_PAGE;
    (void)ctx;
    mmu.calls++;
    for (size_t i = 0; i < len / SHOMP_PAGE && first + i < LOAM_ARRAY_LEN(mmu.hidden); i++)
        mmu.hidden[first + i] = !reachable;
}

static unsigned hidden_pages(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(mmu.hidden); i++)
        n += mmu.hidden[i];
    return n;
}

static const shomp_options paged = {.guard = true, .grow_to = SHOMP_MAX_SCALE, .pages = fake_pages};

static void pages_unmapped(tap *t)
{
    loam_report report;
    fresh_with(t, paged);
    TAP_EQ(t, shomp_bytes(&paged), 9 * SHOMP_PAGE);
    TAP_CHECK(t, shomp_base() == memory + SHOMP_PAGE - 9);
    TAP_EQ(t, hidden_pages(), 8); /* all but the one with the first header */
    unsigned char *p = allocate(SHOMP_PAGE), *gone = p;
    TAP_CHECK(t, p == memory + SHOMP_PAGE);
    TAP_EQ(t, shomp_header(p)->scale, 13);
    TAP_EQ(t, hidden_pages(), 6);
    TAP_CHECK(t, !shomp_fault((uintptr_t)p, &report));
    free((void **)&gone);
    TAP_CHECK(t, mmu.hidden[1] && mmu.hidden[2]); /* every byte that was asked for */
    TAP_CHECK(t, shomp_fault((uintptr_t)p + 100, &report));
    TAP_STR(t, report.what, "use after free");
    TAP_STR(t, report.state, "free, its page is unmapped");
    TAP_EQ(t, report.value, (uintptr_t)p + 100);
    TAP_EQ(t, report.size, 8192);
    TAP_CHECK(t, report.site != NULL);
    TAP_CHECK(t, !shomp_fault((uintptr_t)memory, &report));
    TAP_CHECK(t, !shomp_fault((uintptr_t)memory + BYTES, &report));
    TAP_RULE(t, shomp_check(), NULL);
    TAP_EQ(t, hidden_pages(), 8);
    shomp_init_heap(NULL);
    TAP_EQ(t, hidden_pages(), 0);
}

static void pages_stay_while_used(tap *t)
{
    fresh_with(t, paged);
    unsigned char *a = allocate(SHOMP_PAGE), *b = allocate(7), *p = a;
    TAP_CHECK(t, b == a + 8192); /* its header lies at the end of a's last page */
    free((void **)&p);
    TAP_CHECK(t, mmu.hidden[1] && !mmu.hidden[2] && !mmu.hidden[3]);
    TAP_EQ(t, shomp_header(b)->scale, 4);
    unsigned char *c = allocate(7);
    TAP_CHECK(t, c == b + 16);
    p = b;
    free((void **)&p);
    p = c;
    free((void **)&p);
    TAP_EQ(t, hidden_pages(), 8);
    counts_are(t, "0000001");
    a = allocate(8192 - 9);
    b = allocate(7);
    TAP_CHECK(t, b == a + 8192);
    TAP_EQ(t, hidden_pages(), 5); /* the heap's last, 4, and what lies beyond */
    TAP_CHECK(t, mmu.hidden[4] && !mmu.hidden[3]);
    shomp_init_heap(NULL);
}

static void no_guard_no_pages(tap *t)
{
    mmu.calls = 0;
    fresh_with(t, (shomp_options){.grow_to = SHOMP_MAX_SCALE, .pages = fake_pages});
    void *p = allocate(10000);
    free(&p);
    TAP_EQ(t, mmu.calls, 0);
    TAP_EQ(t, (uintptr_t)shomp_base() % SHOMP_PAGE, SHOMP_SKEW);
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
    {"shomp guard: write after free: found at reuse, named, mended", write_found_at_reuse},
    {"shomp guard: header of a free block: found at the merge", write_found_at_merge},
    {"shomp guard: any byte of a split: found", write_found_anywhere},
    {"shomp guard: the last owner: named, and nobody beside", owners_named},
    {"shomp guard: growth and shrinking: hide no damage", growth_loses_no_damage},
    {"shomp guard: a free list's neighbour: found", view_loses_no_damage},
    {"shomp guard: a page freed: unreachable, its fault named", pages_unmapped},
    {"shomp guard: a header in the page: it stays reachable", pages_stay_while_used},
    {"shomp guard: off: no page is touched", no_guard_no_pages},
    {"shomp_check: each rule: broken, named", rules_broken},
};
extern const tap_suite tap_suite_shomp_heap_test;
TAP_SUITE(shomp_heap_test, cases);
