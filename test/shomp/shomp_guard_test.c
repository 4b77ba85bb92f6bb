/* SPDX-License-Identifier: MIT */
/* shomp_guard_test.c - compat/shomp's guard: what is written into free blocks is found, and pages
 * that nobody uses are out of reach. */
#include "shomp_ground.h"
#include "tap.h"

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

static const tap_case cases[] = {
    {"shomp guard: write after free: found at reuse, named, mended", write_found_at_reuse},
    {"shomp guard: header of a free block: found at the merge", write_found_at_merge},
    {"shomp guard: any byte of a split: found", write_found_anywhere},
    {"shomp guard: the last owner: named, and nobody beside", owners_named},
    {"shomp guard: growth and shrinking: hide no damage", growth_loses_no_damage},
    {"shomp guard: a free list's neighbour: found", view_loses_no_damage},
    {"shomp guard: a page freed: unreachable, its fault named", pages_unmapped},
    {"shomp guard: a header in the page: it stays reachable", pages_stay_while_used},
    {"shomp guard: off: no page is touched", no_guard_no_pages},
};
extern const tap_suite tap_suite_shomp_guard_test;
TAP_SUITE(shomp_guard_test, cases);
