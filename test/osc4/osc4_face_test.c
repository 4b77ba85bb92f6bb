/* SPDX-License-Identifier: MIT */
/* osc4_face_test.c - compat/osc4: names, refusals, list words, and main over a borrowed zone. What
 * the log says is osc4_lines.py's to judge. */
#include "../../compat/osc4/list.h"
#include "../../compat/osc4/malloc.h"
#include "tap.h"

enum { PAGES = 1024, KERNEL_PAGES = 37, LENDER_OWN = 16 };

static _Alignas(4096) unsigned char arena[PAGES * OSC4_PAGE_SIZE];
static _Alignas(64) unsigned char meta[64 * 1024];
static char last_line[160];
static unsigned lines;

/* What happens behind the demo's back when it prints a line that starts so. */
static const char *sabotage_at;
static void (*sabotage)(void);
/* A line to look for, and whether it came. */
static const char *wanted;
static bool wanted_came;

static void keep_line(void *ctx, const char *line)
{
    (void)ctx;
    if (wanted != NULL && tap_starts(line, wanted))
        wanted_came = true;
    if (sabotage_at != NULL && tap_starts(line, sabotage_at)) {
        sabotage_at = NULL;
        sabotage();
    }
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
    sabotage_at = wanted = NULL;
    wanted_came = false;
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

static void init_again(tap *t)
{
    buddy_system_t bs;
    fresh();
    TAP_EQ(t, buddy_init(&bs, arena, sizeof(arena), meta), 0);
    TAP_EQ(t, memory_pools_init(), 0);
    TAP_CHECK(t, dmalloc(40) != NULL);
    TAP_EQ(t, buddy_init(&bs, arena, sizeof(arena), meta), 0);
    TAP_CHECK(t, osc4_pool(0) == NULL);
    TAP_EQ(t, loam_zone_free_pages(bs.zone), PAGES);
}

static void part_of_startup_ram(tap *t)
{
    buddy_system_t bs, again;
    fresh();
    uintptr_t base = (uintptr_t)arena;
    TAP_EQ(t, memory_add(base, sizeof(arena)), 0);
    TAP_EQ(t, memory_reserve(base + 20 * OSC4_PAGE_SIZE, base + 20 * OSC4_PAGE_SIZE + 1), 0);
    TAP_EQ(t, buddy_init(&bs, arena + 10 * OSC4_PAGE_SIZE, 50 * OSC4_PAGE_SIZE, meta), 0);
    TAP_EQ(t, bs.npages, 50);
    TAP_EQ(t, loam_zone_free_pages(bs.zone), 49);
    TAP_EQ(t, loam_zone_state(bs.zone, loam_pfn_of(10)), LOAM_FRAME_RESERVED);
    TAP_EQ(t, buddy_init(&again, arena, sizeof(arena), meta), (uint64_t)-1);
    TAP_STR(t, last_line, "[!] buddy_init: this RAM was given away");
    TAP_RULE(t, osc4_check(), NULL);
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

/* ---- demos that must notice ---- */

static void take_a_page(void)
{
    (void)buddy_alloc_pages(osc4_current(), 0);
}

static void overwrite_a_block(void)
{
    arena[0] ^= 0xff; /* the lowest pages are out */
}

static page_t *spoiled;

static void spoil_a_frame(void)
{
    spoiled = &meta[osc4_current()->page_array + PAGES - 1 - meta];
    *spoiled ^= 0x82;
}

static void mend_the_frame(void)
{
    *spoiled ^= 0x82;
}

static void demo_notices(tap *t, const char *at, void (*what)(void), const char *says)
{
    static buddy_system_t bs; /* the current one, also for who calls this */
    fresh();
    TAP_EQ(t, buddy_init(&bs, arena, sizeof(arena), meta), 0);
    TAP_EQ(t, buddy_demo(), 0);
    TAP_CHECK(t, !osc4_trace()->on);
    sabotage_at = at;
    sabotage = what;
    wanted = says;
    TAP_CHECK(t, buddy_demo() != 0);
    TAP_CHECK(t, wanted_came);
    TAP_STR(t, last_line, "=== Buddy System Demo: FAILED ===");
}

static void demo_notices_a_leak(tap *t)
{
    demo_notices(t, "> buddy_free_pages", take_a_page, "[!] demo: the free lists differ");
}

static void demo_notices_an_overwrite(tap *t)
{
    demo_notices(t, "[List] free lists with eight", overwrite_a_block,
                 "[!] demo: a block was overwritten at byte (0)");
}

static void demo_notices_a_broken_rule(tap *t)
{
    demo_notices(t, "[List] free lists after", spoil_a_frame, "[!] demo: broken rule Z");
    mend_the_frame();
    TAP_RULE(t, osc4_check(), NULL);
}

static void demo_without_a_system(tap *t)
{
    fresh();
    TAP_CHECK(t, buddy_demo() != 0);
    TAP_CHECK(t, dynamic_allocator_demo() != 0);
    TAP_CHECK(t, osc4_course_test() != 0);
    TAP_STR(t, last_line, "[!] demo: not initialised (0)");
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
        loam_zone_add(zone, loam_pfn_of(first + LENDER_OWN), PAGES - LENDER_OWN) != LOAM_OK)
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

static loam_zone *lender;
static loam_span lender_ram;
static loam_pfn kernel_page[KERNEL_PAGES];

/* A kernel that is running: single pages out with holes between them, and the last pages of RAM. */
static bool lender_in_use(tap *t)
{
    fresh();
    lender = lender_make(&lender_ram);
    TAP_CHECK(t, lender != NULL);
    if (lender == NULL)
        return false;
    uint64_t last = (lender_ram.base >> OSC4_PAGE_SHIFT) + PAGES;
    TAP_EQ(t, loam_zone_alloc_at(lender, loam_pfn_of(last - 3), 3, LOAM_ZONE_NORMAL), LOAM_OK);
    for (size_t i = 0; i < KERNEL_PAGES; i++) {
        kernel_page[i] = loam_zone_alloc(lender, 0, LOAM_ZONE_NORMAL);
        __builtin_memset(loam_zone_to_va(lender, kernel_page[i]), 0x5a, OSC4_PAGE_SIZE);
    }
    for (size_t i = 0; i < KERNEL_PAGES; i += 5) {
        (void)loam_zone_free(lender, kernel_page[i]);
        kernel_page[i] = kernel_page[1];
    }
    loam_zone_drain(lender);
    return true;
}

static int lender_main(void)
{
    osc4_machine machine = {.ram = &lender_ram,
                            .ram_count = 1,
                            .region = {{lender_ram.base, OSC4_PAGE_SIZE},
                                       {lender_ram.base + 3 * OSC4_PAGE_SIZE, 5000},
                                       {0, 0},
                                       {lender_ram.base + 10 * OSC4_PAGE_SIZE, 1}},
                            .lender = lender};
    return osc4_main(&machine);
}

static unsigned kernel_pages_reserved;

static bool is_reserved(uint64_t page)
{
    return loam_zone_state(osc4_current()->zone, loam_pfn_of(page)) == LOAM_FRAME_RESERVED;
}

static void look_at_kernel_pages(void)
{
    uint64_t first = lender_ram.base >> OSC4_PAGE_SHIFT;
    kernel_pages_reserved = 0;
    for (uint64_t i = 0; i < LENDER_OWN; i++)
        kernel_pages_reserved += is_reserved(i);
    for (uint64_t i = 1; i <= 3; i++)
        kernel_pages_reserved += is_reserved(PAGES - i);
    for (size_t i = 0; i < KERNEL_PAGES; i++)
        kernel_pages_reserved += is_reserved(kernel_page[i].v - first);
}

static void main_over_a_lender(tap *t)
{
    if (!lender_in_use(t))
        return;
    sabotage_at = "=== Buddy System Demo";
    sabotage = look_at_kernel_pages;
    uint64_t before = loam_zone_free_pages(lender);
    TAP_EQ(t, lender_main(), 0);
    TAP_EQ(t, kernel_pages_reserved, LENDER_OWN + 3 + KERNEL_PAGES);
    TAP_STR(t, last_line, "osc4: all demos passed, memory is as it was");
    TAP_EQ(t, loam_zone_free_pages(lender), before);
    TAP_RULE(t, loam_zone_check(lender), NULL);
    TAP_EQ(t, overwritten(kernel_page, KERNEL_PAGES), 0);
    TAP_CHECK(t, osc4_current() == NULL);
    TAP_EQ(t, lender_main(), 0); /* and once more */
}

static void free_a_kernel_page(void)
{
    (void)loam_zone_free(lender, kernel_page[2]);
}

/* A block that was lent: the first head of 8 pages or more, for the kernel's own are smaller. */
static void free_a_lent_block(void)
{
    uint64_t base = lender_ram.base >> OSC4_PAGE_SHIFT;
    for (uint64_t i = 0; i < PAGES; i++)
        if (loam_zone_state(lender, loam_pfn_of(base + i)) == LOAM_FRAME_HEAD &&
            loam_zone_order(lender, loam_pfn_of(base + i)) >= 3) {
            (void)loam_zone_free(lender, loam_pfn_of(base + i));
            return;
        }
}

static void main_counts_what_it_gives_back(tap *t)
{
    if (!lender_in_use(t))
        return;
    sabotage_at = "=== Course Test";
    sabotage = free_a_kernel_page;
    TAP_CHECK(t, lender_main() != 0);
    TAP_STR(t, last_line, "osc4: FAILED");
    if (!lender_in_use(t))
        return;
    sabotage_at = "=== Course Test: memory";
    sabotage = free_a_lent_block;
    tap_catch(t);
    TAP_CHECK(t, lender_main() != 0);
    TAP_EQ(t, tap_caught(t), 1);
}

static void look_at_the_hole(void)
{
    kernel_pages_reserved = 0;
    for (uint64_t i = 0; i < PAGES; i++)
        kernel_pages_reserved += i >= 400 && i < 500 && is_reserved(i);
}

static void main_with_a_hole(tap *t)
{
    uintptr_t base = (uintptr_t)arena;
    loam_span ram[] = {{base, 400 * OSC4_PAGE_SIZE},
                       {base + 500 * OSC4_PAGE_SIZE, (PAGES - 500) * OSC4_PAGE_SIZE}};
    osc4_machine machine = {.ram = ram, .ram_count = 2};
    fresh();
    sabotage_at = "=== Buddy System Demo";
    sabotage = look_at_the_hole;
    TAP_EQ(t, osc4_main(&machine), 0);
    TAP_EQ(t, kernel_pages_reserved, 100);
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
    {"osc4_buddy_init: again: nothing is out, and no pools", init_again},
    {"osc4_buddy_init: a part of startup RAM: only its pages, and never twice",
     part_of_startup_ram},
    {"osc4_buddy: two systems: neither takes the other's pages", two_systems},
    {"osc4_buddy_free_pages: misaligned and inner: named, nothing changed", free_names_the_caller},
    {"osc4_log: off: no event, no line", log_off_makes_no_event},
    {"osc4_dmalloc: a chunk's address: finds its pool while the page is the pool's",
     pools_by_address},
    {"osc4_demo: a page leaks: says so and fails", demo_notices_a_leak},
    {"osc4_demo: a block is overwritten: says so and fails", demo_notices_an_overwrite},
    {"osc4_demo: a rule breaks: names it and fails", demo_notices_a_broken_rule},
    {"osc4_demo: nothing initialised: says so and fails", demo_without_a_system},
    {"osc4_list: the course's words: order and emptiness", list_words},
    {"osc4_main: over a lender in use: demos pass, the lender is as before", main_over_a_lender},
    {"osc4_main: lent memory that went another way: says so and fails",
     main_counts_what_it_gives_back},
    {"osc4_main: RAM with a hole: the hole is never free", main_with_a_hole},
    {"osc4_main: no room: says so and fails", main_without_room},
};
extern const tap_suite tap_suite_osc4_face_test;
TAP_SUITE(osc4_face_test, cases);
