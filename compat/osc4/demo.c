/* SPDX-License-Identifier: MIT */
/* demo.c - what the lab is shown with: two demos and the assistants' sequence.
 *
 * WHAT   Each demo allocates, shows, frees, shows, and compares the free lists with those from
 *        before. What is out is on a list, and is filled with a byte of its own that is looked at
 *        again before it is freed: two blocks that overlap do not pass.
 *
 * MODEL      free lists --allocate--> held: a <-> b <-> c --free--> free lists, the same
 *
 * RULES  Memory is as it was: the same free blocks at the same pages.
 * LOCKS  None.
 * COST   The log's lines; they are most of it.
 * FROM   The lab's document and the sequence its assistants run.
 * NOT    A benchmark.
 */
#include "list.h"
#include "malloc.h"

enum {
    DEMO_HELD = 100,
    DEMO_LIST_PAGES = 8,
    DEMO_ROW = 64 /* chunks: one word of free bits */
};

struct held {
    struct list_head node;
    unsigned char *ptr;
    size_t size;
    unsigned char fill;
};

static struct {
    struct held pool[DEMO_HELD];
    unsigned count;        /* of pool, in use */
    struct list_head held; /* oldest first */
    uint64_t before;       /* the free lists at the start */
    bool was_on;           /* the log */
    int wrong;
} demo;

/* ---- the free lists ---- */

static bool mix_block(void *ctx, uint64_t page, unsigned order)
{
    uint64_t *mix = ctx;
    *mix = (*mix ^ (page << 4 | order)) * 0x100000001b3ULL;
    return true;
}

/* Every free block's place and order, in one number: odd factors lose nothing. */
static uint64_t free_lists(void)
{
    uint64_t mix = 1;
    loam_zone_each_free(osc4_current()->zone, OSC4_MAX_ORDER, mix_block, &mix);
    return mix;
}

/* "[List] order  2:   3 free, at page 4 12 20" */
static void list_print(unsigned order)
{
    size_t page[DEMO_LIST_PAGES];
    size_t count = osc4_free_list(osc4_current(), order, page, DEMO_LIST_PAGES);
    char buf[128];
    loam_text text;
    loam_text_init(&text, buf, sizeof(buf));
    for (size_t i = 0; i < count && i < DEMO_LIST_PAGES; i++)
        loam_text_fmt(&text, " %U", (uint64_t)page[i]);
    if (count > DEMO_LIST_PAGES)
        loam_text_str(&text, " ...");
    osc4_say("[List] order %2u: %3U free%s%s", order, (uint64_t)count,
             count == 0 ? "" : ", at page", buf);
}

static void lists_print(const char *when)
{
    const osc4_buddy_system_t *bs = osc4_current();
    osc4_say("[List] free lists %s: %U of %U pages free", when, loam_zone_free_pages(bs->zone),
             (uint64_t)bs->npages);
    for (unsigned order = 0; order <= OSC4_MAX_ORDER; order++)
        list_print(order);
}

void osc4_buddy_print_stats(void)
{
    if (osc4_current() == NULL) {
        osc4_say("[!] buddy_print_stats: no buddy system");
        return;
    }
    lists_print("now");
    osc4_pools_print(true);
}

/* ---- the pools ---- */

/* A loam_slab_fn: 64 chunks a row, with the address of the first. */
static bool draw_page(void *ctx, const void *base, unsigned slots, size_t stride,
                      const uint64_t *free_words)
{
    (void)ctx;
    for (unsigned row = 0; row < slots; row += DEMO_ROW) {
        char buf[DEMO_ROW + 1];
        unsigned n = slots - row < DEMO_ROW ? slots - row : DEMO_ROW;
        for (unsigned i = 0; i < n; i++)
            buf[i] = (free_words[row / DEMO_ROW] >> i & 1) != 0 ? '.' : '#';
        buf[n] = '\0';
        osc4_say("       0x%X [%s]", (uint64_t)(uintptr_t)base + row * stride, buf);
    }
    return true;
}

void osc4_pools_print(bool rows)
{
    for (unsigned i = 0; osc4_pool(i) != NULL; i++) {
        loam_cache_stats stats;
        loam_cache_stat(osc4_pool(i), &stats);
        osc4_say("[Pool] size %4u: %U pages, %U used, %U free chunks", (unsigned)stats.size,
                 stats.slabs, stats.used, stats.slots - stats.used);
        if (rows)
            loam_cache_each_slab(osc4_pool(i), draw_page, NULL);
    }
}

/* ---- steps ---- */

static void wrong(const char *what, uint64_t value)
{
    demo.wrong++;
    osc4_say("[!] demo: %s (%U)", what, value);
}

/* false: there is no buddy system, or not the pools that are needed */
static bool demo_begin(const char *name, bool pools)
{
    demo.count = 0;
    demo.wrong = 0;
    demo.was_on = osc4_trace()->on;
    INIT_LIST_HEAD(&demo.held);
    osc4_say("=== %s ===", name);
    if (osc4_current() == NULL || (pools && osc4_pool(0) == NULL)) {
        wrong("not initialised", 0);
        return false;
    }
    osc4_log(true);
    demo.before = free_lists();
    lists_print("before");
    return true;
}

static void expect_as_before(void)
{
    if (free_lists() != demo.before)
        wrong("the free lists differ from those before", 0);
    const char *rule = osc4_check();
    if (rule != NULL)
        osc4_say("[!] demo: broken rule %s", rule);
    demo.wrong += rule != NULL;
}

static int demo_end(const char *name)
{
    lists_print("after");
    expect_as_before();
    osc4_log(demo.was_on);
    osc4_say("=== %s: %s ===", name, demo.wrong == 0 ? "memory is as it was" : "FAILED");
    return demo.wrong;
}

/* Remembers and fills a block that was just allocated. */
static void hold(void *ptr, size_t size)
{
    if (ptr == NULL || demo.count == DEMO_HELD) {
        wrong("no memory", size);
        return;
    }
    struct held *h = &demo.pool[demo.count++];
    *h = (struct held){.ptr = ptr, .size = size, .fill = (unsigned char)(demo.count & 0xff)};
    list_add_tail(&h->node, &demo.held);
    for (size_t i = 0; i < size; i++)
        h->ptr[i] = h->fill;
}

/* Takes one off the list and looks at what it holds. */
static void *release(struct list_head *node)
{
    struct held *h = list_entry(node, struct held, node);
    list_del(node);
    size_t same = 0;
    while (same < h->size && h->ptr[same] == h->fill)
        same++;
    if (same != h->size)
        wrong("a block was overwritten at byte", same);
    return h->ptr;
}

static void free_all(bool show)
{
    while (!list_empty(&demo.held)) {
        void *ptr = release(demo.held.next);
        if (show)
            osc4_say("> dfree(0x%X)", (uint64_t)(uintptr_t)ptr);
        osc4_dfree(ptr);
        if (show)
            osc4_pools_print(false);
    }
    demo.count = 0;
}

/* ---- the demos ---- */

/* Frees every nth block that is held, the first included. */
static void free_pages_of(osc4_buddy_system_t *bs, unsigned nth)
{
    struct list_head *pos, *next;
    unsigned i = 0;
    list_for_each_safe(pos, next, &demo.held)
    {
        if (i++ % nth != 0)
            continue;
        void *ptr = release(pos);
        osc4_say("> buddy_free_pages(0x%X)", (uint64_t)(uintptr_t)ptr);
        osc4_buddy_free_pages(bs, ptr);
    }
}

int osc4_buddy_demo(void)
{
    static const unsigned char orders[] = {0, 0, 0, 1, 0, 3, 2, 5};
    osc4_buddy_system_t *bs = osc4_current();
    if (!demo_begin("Buddy System Demo", false))
        return demo.wrong;
    for (size_t i = 0; i < sizeof(orders); i++) {
        osc4_say("> buddy_alloc_pages(order %u)", orders[i]);
        hold(osc4_buddy_alloc_pages(bs, orders[i]), (size_t)OSC4_PAGE_SIZE << orders[i]);
    }
    lists_print("with eight blocks out");
    free_pages_of(bs, 2);
    lists_print("with every second block freed");
    free_pages_of(bs, 1);
    return demo_end("Buddy System Demo");
}

int osc4_dynamic_allocator_demo(void)
{
    static const unsigned short sizes[] = {16, 16, 31, 523, 699, 5633};
    if (!demo_begin("Dynamic Allocator Demo", true))
        return demo.wrong;
    for (size_t i = 0; i < LOAM_ARRAY_LEN(sizes); i++) {
        osc4_say("> dmalloc(%u)", sizes[i]);
        hold(osc4_dmalloc(sizes[i]), sizes[i]);
        osc4_pools_print(false);
    }
    osc4_buddy_print_stats();
    free_all(true);
    osc4_buddy_print_stats();
    return demo_end("Dynamic Allocator Demo");
}

/* Allocates n blocks, size[i % sizes] each, frees them all, and looks at the free lists. */
static void course_step(const unsigned short *size, size_t sizes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        hold(osc4_dmalloc(size[i % sizes]), size[i % sizes]);
    osc4_pools_print(true);
    free_all(false);
    osc4_pools_print(false);
    expect_as_before();
}

int osc4_course_test(void)
{
    static const unsigned short pages[] = {4000, 8000, 4000, 4000}, chunks[] = {16, 32, 64, 128},
                                hundred[] = {128};
    if (!demo_begin("Course Test", true))
        return demo.wrong;
    osc4_say("> 4000, 8000, 4000, 4000 bytes; free all");
    course_step(pages, 4, 4);
    osc4_say("> 16, 32, 64, 128 bytes; free all");
    course_step(chunks, 4, 4);
    osc4_say("> 16, 32 bytes; free");
    course_step(chunks, 2, 2);
    osc4_say("> 100 x 128 bytes; free all");
    course_step(hundred, 1, 100);
    osc4_say("> one byte more than the maximum");
    if (osc4_dmalloc((size_t)OSC4_DMALLOC_MAX + 1) != NULL)
        wrong("a request above the maximum was served", OSC4_DMALLOC_MAX);
    return demo_end("Course Test");
}
