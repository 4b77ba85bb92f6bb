/* SPDX-License-Identifier: MIT */
/* osc4_face_test.c - compat/osc4: names, refusals, list words, and main over a borrowed zone. What
 * the log says is osc4_lines.py's to judge. */
#include "../../compat/osc4/list.h"
#include "../../compat/osc4/malloc.h"
#include "tap.h"

enum { PAGES = 1024, KERNEL_PAGES = 37 };

static _Alignas(4096) unsigned char arena[PAGES * OSC4_PAGE_SIZE];
static _Alignas(64) unsigned char meta[64 * 1024];
static char last_line[160];
static unsigned lines;

static void keep_line(void *ctx, const char *line)
{
    (void)ctx;
    size_t i = 0;
    for (; line[i] != '\0' && i + 1 < sizeof(last_line); i++)
        last_line[i] = line[i];
    last_line[i] = '\0';
    lines++;
}

/* A face that knows nothing, with its lines kept here. */
static void fresh(void)
{
    osc4_startup_init();
    osc4_log(false);
    osc4_set_output(keep_line, NULL);
    last_line[0] = '\0';
    lines = 0;
}

/* ---- names ---- */

static void names_as_in_the_document(tap *t)
{
    int (*init)(buddy_system_t *, void *, size_t, page_t *) = buddy_init;
    void *(*alloc_pages)(buddy_system_t *, unsigned) = buddy_alloc_pages;
    void (*free_pages)(buddy_system_t *, void *) = buddy_free_pages;
    int (*pools)(void) = memory_pools_init;
    void *(*alloc)(size_t) = dmalloc;
    void (*release)(void *) = dfree;
    void *(*simple)(size_t) = simple_alloc;
    int (*reserve)(uintptr_t, uintptr_t) = memory_reserve;
    buddy_system_t bs;
    fresh();
    TAP_EQ(t, sizeof(page_t), 1);
    TAP_EQ(t, MAX_ORDER, 10);
    TAP_CHECK(t, page_array_bytes(PAGES) <= sizeof(meta));
    TAP_EQ(t, init(&bs, arena, sizeof(arena), meta), 0);
    TAP_EQ(t, pools(), 0);
    void *page = alloc_pages(&bs, 3), *chunk = alloc(100);
    TAP_CHECK(t, page != NULL && chunk != NULL);
    release(chunk);
    free_pages(&bs, page);
    TAP_CHECK(t, simple(8) == NULL); /* nobody told of startup memory */
    TAP_EQ(t, reserve((uintptr_t)arena, (uintptr_t)arena + 1), 0);
    TAP_RULE(t, osc4_check(), NULL);
}

static void page_array_is_the_frame_table(tap *t)
{
    buddy_system_t bs;
    fresh();
    TAP_EQ(t, buddy_init(&bs, arena, sizeof(arena), meta), 0);
    TAP_CHECK(t, (uintptr_t)bs.page_array >= (uintptr_t)meta);
    TAP_CHECK(t, (uintptr_t)bs.page_array + bs.npages <= (uintptr_t)meta + sizeof(meta));
    page_t before = bs.page_array[0];
    void *page = buddy_alloc_pages(&bs, 0);
    TAP_CHECK(t, page == arena);
    TAP_CHECK(t, bs.page_array[0] != before);
    buddy_free_pages(&bs, page);
    TAP_EQ(t, bs.page_array[0], before);
}

static void page_array_of_nothing(tap *t)
{
    TAP_EQ(t, page_array_bytes(0), 0);
    TAP_EQ(t, page_array_bytes(SIZE_MAX), 0);
    TAP_CHECK(t, page_array_bytes(245760) < 245760 * 12 / 10);
    TAP_CHECK(t, page_array_bytes(1) != 0);
}

/* ---- buddy_init ---- */

static void init_refused(tap *t)
{
    buddy_system_t bs;
    fresh();
    TAP_EQ(t, buddy_init(&bs, arena, OSC4_PAGE_SIZE - 1, meta), (uint64_t)-1);
    TAP_STR(t, last_line, "[!] buddy_init: no whole page");
    TAP_EQ(t, buddy_init(&bs, arena + 1, 2 * OSC4_PAGE_SIZE - 2, meta), (uint64_t)-1);
    TAP_EQ(t, buddy_init(&bs, arena, SIZE_MAX, meta), (uint64_t)-1);
    TAP_EQ(t, buddy_init(&bs, arena, sizeof(arena), NULL), (uint64_t)-1);
    TAP_STR(t, last_line, "[!] buddy_init: no page array, or too many pages");
    TAP_CHECK(t, buddy_alloc_pages(&bs, 0) == NULL);
    TAP_CHECK(t, osc4_current() == NULL);
    TAP_EQ(t, memory_pools_init(), (uint64_t)-1);
    TAP_STR(t, last_line, "[!] memory_pools_init: no buddy system");
    buddy_print_stats();
    TAP_STR(t, last_line, "[!] buddy_print_stats: no buddy system");
}

static void without_pools(tap *t)
{
    buddy_system_t bs;
    fresh();
    TAP_EQ(t, buddy_init(&bs, arena, sizeof(arena), meta), 0);
    TAP_CHECK(t, dmalloc(16) == NULL);
    TAP_STR(t, last_line, "[!] dmalloc: no memory for 16 bytes");
    TAP_EQ(t, osc4_dynamic_allocator_demo() != 0, true);
    TAP_CHECK(t, osc4_pool(0) == NULL);
}

static void too_small_for_pools(tap *t)
{
    buddy_system_t bs;
    fresh();
    TAP_EQ(t, buddy_init(&bs, arena, OSC4_PAGE_SIZE, meta), 0);
    void *only = buddy_alloc_pages(&bs, 0);
    TAP_EQ(t, memory_pools_init(), (uint64_t)-1);
    TAP_STR(t, last_line, "[!] memory_pools_init: out of memory");
    buddy_free_pages(&bs, only);
}

static void two_systems(tap *t)
{
    static _Alignas(64) unsigned char other_meta[32 * 1024];
    buddy_system_t low, high;
    size_t half = sizeof(arena) / 2;
    fresh();
    TAP_EQ(t, buddy_init(&low, arena, half, meta), 0);
    TAP_EQ(t, buddy_init(&high, arena + half, half, other_meta), 0);
    TAP_CHECK(t, osc4_current() == &high);
    osc4_log(true);
    void *a = buddy_alloc_pages(&low, 1), *b = buddy_alloc_pages(&high, 1);
    TAP_CHECK(t, a == arena && b == arena + half);
    TAP_CHECK(t, tap_starts(last_line, "[Page] Allocate 0x"));
    tap_catch(t);
    buddy_free_pages(&low, b);
    TAP_EQ(t, tap_caught(t), 1);
    TAP_STR(t, t->report.what, "foreign free");
    buddy_free_pages(&low, a);
    buddy_free_pages(&high, b);
    TAP_EQ(t, loam_zone_free_pages(low.zone), half / OSC4_PAGE_SIZE);
    TAP_EQ(t, loam_zone_free_pages(high.zone), half / OSC4_PAGE_SIZE);
}

static void free_names_the_caller(tap *t)
{
    buddy_system_t bs;
    fresh();
    TAP_EQ(t, buddy_init(&bs, arena, sizeof(arena), meta), 0);
    unsigned char *page = buddy_alloc_pages(&bs, 1);
    tap_catch(t);
    buddy_free_pages(&bs, page + 100);
    TAP_STR(t, t->report.what, "misaligned free");
    TAP_EQ(t, t->report.value, (uintptr_t)page + 100);
    TAP_CHECK(t, t->report.caller != NULL);
    buddy_free_pages(&bs, page + OSC4_PAGE_SIZE);
    TAP_EQ(t, tap_caught(t), 2);
    buddy_free_pages(NULL, NULL);
    buddy_free_pages(&bs, page);
    TAP_EQ(t, loam_zone_free_pages(bs.zone), PAGES);
}

static void log_off_makes_no_event(tap *t)
{
    buddy_system_t bs;
    fresh();
    TAP_EQ(t, buddy_init(&bs, arena, sizeof(arena), meta), 0);
    TAP_EQ(t, memory_pools_init(), 0);
    uint64_t before = loam_trace_count(osc4_trace(), LOAM_TRACE_PAGE_ALLOC);
    lines = 0;
    dfree(dmalloc(10));
    dfree(dmalloc(10000));
    TAP_EQ(t, lines, 0);
    TAP_EQ(t, loam_trace_count(osc4_trace(), LOAM_TRACE_PAGE_ALLOC), before);
    osc4_log(true);
    dfree(dmalloc(10000));
    TAP_CHECK(t, lines != 0);
    TAP_EQ(t, loam_trace_count(osc4_trace(), LOAM_TRACE_PAGE_ALLOC), before + 1);
}

static void pools_by_address(tap *t)
{
    buddy_system_t bs;
    fresh();
    TAP_EQ(t, buddy_init(&bs, arena, sizeof(arena), meta), 0);
    TAP_EQ(t, memory_pools_init(), 0);
    unsigned char *chunk = dmalloc(100), *block = dmalloc(8192);
    loam_slabs *slabs = osc4_slabs();
    TAP_CHECK(t, loam_cache_of(slabs, chunk) == osc4_pool(3));
    TAP_CHECK(t, loam_cache_of(slabs, chunk + 5) == osc4_pool(3));
    TAP_CHECK(t, loam_cache_of(slabs, block) == NULL);
    TAP_CHECK(t, loam_cache_of(slabs, arena + sizeof(arena)) == NULL);
    TAP_CHECK(t, loam_cache_of(slabs, NULL) == NULL);
    dfree(chunk);
    TAP_CHECK(t, loam_cache_of(slabs, chunk) == NULL);
    dfree(block);
}

/* ---- list.h ---- */

struct item {
    int value;
    struct list_head node;
};

static void list_words(tap *t)
{
    LIST_HEAD(head);
    struct item item[4] = {{.value = 0}, {.value = 1}, {.value = 2}, {.value = 3}};
    struct list_head *pos, *next;
    int seen = 0;
    TAP_CHECK(t, list_empty(&head));
    list_add(&item[1].node, &head);
    list_add(&item[0].node, &head);
    list_add_tail(&item[2].node, &head);
    list_add_tail(&item[3].node, &head);
    list_for_each(pos, &head) TAP_EQ(t, list_entry(pos, struct item, node)->value, seen++);
    TAP_EQ(t, seen, 4);
    list_del(&item[2].node);
    list_del(&item[2].node);
    TAP_EQ(t, list_first_entry(&head, struct item, node)->value, 0);
    TAP_CHECK(t, item[1].node.next == &item[3].node);
    list_for_each_safe(pos, next, &head) list_del(pos);
    TAP_CHECK(t, list_empty(&head));
}

/* ---- main ---- */

/* A kernel's zone over the arena, at its real addresses. */
static loam_zone *lender_make(loam_span *ram)
{
    static _Alignas(64) unsigned char kernel_meta[64 * 1024];
    loam_zone_config config;
    loam_zone_config_init(&config);
    *ram = (loam_span){(uintptr_t)arena, sizeof(arena)};
    config.linear = (loam_linear){ram->base, ram->len, arena};
    uint64_t need = loam_zone_measure(ram, 1, &config);
    if (need == 0 || need > sizeof(kernel_meta))
        return NULL;
    loam_zone *zone = loam_zone_init(kernel_meta, need, false, ram, 1, &config);
    uint64_t first = ram->base >> OSC4_PAGE_SHIFT;
    if (zone != NULL &&
        loam_zone_add(zone, loam_pfn_of(first + 16), PAGES - 16) != LOAM_OK) /* 16: reserved */
        return NULL;
    return zone;
}

static unsigned overwritten(const loam_pfn *page, size_t n)
{
    unsigned bad = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < OSC4_PAGE_SIZE; j++)
            bad += ((unsigned char *)(uintptr_t)(page[i].v << OSC4_PAGE_SHIFT))[j] != 0x5a;
    return bad;
}

static void main_over_a_lender(tap *t)
{
    loam_pfn page[KERNEL_PAGES];
    loam_span ram;
    fresh();
    loam_zone *lender = lender_make(&ram);
    TAP_CHECK(t, lender != NULL);
    if (lender == NULL)
        return;
    for (size_t i = 0; i < KERNEL_PAGES; i++) {
        page[i] = loam_zone_alloc(lender, 0, LOAM_ZONE_NORMAL);
        __builtin_memset(loam_zone_to_va(lender, page[i]), 0x5a, OSC4_PAGE_SIZE);
    }
    for (size_t i = 0; i < KERNEL_PAGES; i += 5) /* holes among them */
        (void)loam_zone_free(lender, page[i]);
    for (size_t i = 0; i < KERNEL_PAGES; i += 5)
        page[i] = page[1];
    loam_zone_drain(lender);
    uint64_t before = loam_zone_free_pages(lender);
    osc4_machine machine = {.ram = &ram,
                            .ram_count = 1,
                            .region = {{ram.base, OSC4_PAGE_SIZE},
                                       {ram.base + 3 * OSC4_PAGE_SIZE, 5000},
                                       {0, 0},
                                       {ram.base + 10 * OSC4_PAGE_SIZE, 1}},
                            .lender = lender};
    TAP_EQ(t, osc4_main(&machine), 0);
    TAP_STR(t, last_line, "osc4: all demos passed, memory is as it was");
    TAP_EQ(t, loam_zone_free_pages(lender), before);
    TAP_RULE(t, loam_zone_check(lender), NULL);
    TAP_EQ(t, overwritten(page, KERNEL_PAGES), 0);
    TAP_EQ(t, osc4_main(&machine), 0); /* and once more */
}

static void main_without_room(tap *t)
{
    loam_span ram = {(uintptr_t)arena, 2 * OSC4_PAGE_SIZE};
    osc4_machine machine = {.ram = &ram, .ram_count = 1};
    fresh();
    TAP_EQ(t, osc4_main(&machine) != 0, true);
    TAP_STR(t, last_line, "osc4: FAILED");
    machine.ram_count = 0;
    TAP_EQ(t, osc4_main(&machine) != 0, true);
    TAP_CHECK(t, osc4_current() == NULL);
}

static const tap_case cases[] = {
    {"osc4_malloc.h: the document's names: its signatures", names_as_in_the_document},
    {"osc4_buddy_init: page_array: is the zone's frame table", page_array_is_the_frame_table},
    {"osc4_page_array_bytes: none, too many, 960 MiB: 0, 0, below 1.2 a page",
     page_array_of_nothing},
    {"osc4_buddy_init: no page, no array, wrap: refused with a line", init_refused},
    {"osc4_dmalloc: before memory_pools_init: NULL with a line", without_pools},
    {"osc4_memory_pools_init: no free page: refused with a line", too_small_for_pools},
    {"osc4_buddy: two systems: neither takes the other's pages", two_systems},
    {"osc4_buddy_free_pages: misaligned and inner: named, nothing changed", free_names_the_caller},
    {"osc4_log: off: no event, no line", log_off_makes_no_event},
    {"osc4_dmalloc: a chunk's address: finds its pool while the page is the pool's",
     pools_by_address},
    {"osc4_list: the course's words: order and emptiness", list_words},
    {"osc4_main: over a lender in use: demos pass, the lender is as before", main_over_a_lender},
    {"osc4_main: no room: says so and fails", main_without_room},
};
extern const tap_suite tap_suite_osc4_face_test;
TAP_SUITE(osc4_face_test, cases);
