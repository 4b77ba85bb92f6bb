/* SPDX-License-Identifier: MIT */
/* hh_kmalloc_test.c - kmalloc of compat/higherhalf in a window that is really mapped: addresses,
 * headers, frames, flushes, the switch to the slab. */
#include "../../compat/higherhalf/process.h"
#include "tap.h"

#include <setjmp.h>

enum { BLOCKS = 200, STEPS = 1500 };

static char last_line[160];

static void keep_line(void *ctx, const char *text)
{
    size_t i = 0;
    (void)ctx;
    for (; text[i] != '\0' && i + 1 < sizeof(last_line); i++)
        last_line[i] = text[i];
    last_line[i] = '\0';
}

static void started(tap *t)
{
    (void)hh_leave();
    hh_set_output(keep_line, NULL);
    *hh_process_tlb() = (loam_tlb){.page = hh_process_tlb()->page,
                                   .all = hh_process_tlb()->all,
                                   .threshold = hh_process_tlb()->threshold};
    TAP_EQ(t, kmain(hh_process_machine()), 0);
    last_line[0] = '\0';
}

static block_header_t *header_of(void *p)
{
    return (block_header_t *)((uintptr_t)p - sizeof(block_header_t));
}

static uint64_t physical(const void *p)
{
    loam_pt_entry entry;
    return loam_pt_query(hh_process_machine()->pt, (uintptr_t)p, &entry)
               ? entry.pa.v + ((uintptr_t)p - entry.va)
               : 0;
}

static void fill(unsigned char *p, size_t size, unsigned char with)
{
    for (size_t i = 0; i < size; i++)
        p[i] = with;
}

static bool holds(const unsigned char *p, size_t size, unsigned char value)
{
    for (size_t i = 0; i < size; i++)
        if (p[i] != value)
            return false;
    return true;
}

/* ---- blocks ---- */

static void block_in_the_window(tap *t)
{
    const loam_span *window = &hh_process_machine()->window;
    started(t);
    if (hh_process_base() == HH_KERNEL_BASE)
        TAP_EQ(t, window->base, HH_WINDOW_BASE);
    size_t before = hh_buddy_get_free_memory();
    unsigned char *p = kmalloc(5000);
    TAP_CHECK(t, (uintptr_t)p - window->base < window->len);
    TAP_EQ(t, ksize(p), 5000);
    TAP_EQ(t, header_of(p)->size, 5000);
    TAP_EQ(t, header_of(p)->magic, HH_MAGIC);
    TAP_EQ(t, (uintptr_t)header_of(p) % HH_PAGE_SIZE, 0);
    TAP_EQ(t, before - hh_buddy_get_free_memory(), 2 * HH_PAGE_SIZE);
    fill(p, 5000, 0x5a);
    /* the same bytes, seen where the linear map has the frames */
    const unsigned char *first = hh_process_machine()->linear.va + physical(p);
    TAP_CHECK(t, holds(first, HH_PAGE_SIZE - sizeof(block_header_t), 0x5a));
    TAP_EQ(t, loam_zone_order(hh_zone(), loam_pa_to_pfn(loam_pa_of(physical(p)))), 0);
    TAP_RULE(t, hh_check(), NULL);
    kfree(p);
    TAP_EQ(t, hh_buddy_get_free_memory(), before);
    TAP_CHECK(t, !hh_process_can_touch(p));
}

static void guard_pages(tap *t)
{
    started(t);
    unsigned char *p = kmalloc(HH_PAGE_SIZE - sizeof(block_header_t)), *q = kmalloc(1);
    TAP_CHECK(t, hh_process_can_touch(p) && hh_process_can_touch(q));
    TAP_CHECK(t, !hh_process_can_touch((unsigned char *)header_of(p) - 1));
    TAP_CHECK(t, !hh_process_can_touch(p + HH_PAGE_SIZE - sizeof(block_header_t)));
    kfree(p);
    kfree(q);
}

static void scattered_frames(tap *t)
{
    uintptr_t page[32];
    started(t);
    for (unsigned i = 0; i < 32; i++)
        page[i] = (uintptr_t)buddy_alloc(0);
    for (unsigned i = 0; i < 32; i += 2)
        buddy_dealloc(page[i], 0);
    unsigned char *p = kmalloc(16 * HH_PAGE_SIZE - sizeof(block_header_t));
    TAP_CHECK(t, p != NULL);
    fill(p, ksize(p), 7);
    unsigned jumps = 0;
    for (unsigned i = 0; i < 15; i++) {
        const unsigned char *at = (unsigned char *)header_of(p) + (size_t)i * HH_PAGE_SIZE;
        jumps += physical(at + HH_PAGE_SIZE) != physical(at) + HH_PAGE_SIZE;
    }
    TAP_CHECK(t, jumps > 10);
    kfree(p);
    for (unsigned i = 1; i < 32; i += 2)
        buddy_dealloc(page[i], 0);
}

static void sizes_at_the_edges(tap *t)
{
    started(t);
    size_t most = HH_BLOCK_MAX - sizeof(block_header_t);
    size_t before = hh_buddy_get_free_memory();
    TAP_CHECK(t, kmalloc(0) == NULL);
    TAP_STR(t, last_line, "[!] kmalloc: no block of 0 bytes");
    TAP_CHECK(t, kmalloc(most + 1) == NULL);
    TAP_CHECK(t, kmalloc(SIZE_MAX) == NULL);
    TAP_CHECK(t, kmalloc(SIZE_MAX - sizeof(block_header_t)) == NULL);
    TAP_EQ(t, hh_buddy_get_free_memory(), before);
    unsigned char *p = kmalloc(most);
    TAP_CHECK(t, p != NULL);
    TAP_EQ(t, before - hh_buddy_get_free_memory(), HH_BLOCK_MAX);
    fill(p, most, 3);
    TAP_EQ(t, ksize(p), most);
    kfree(p);
    kfree(NULL);
    TAP_EQ(t, ksize(NULL), 0);
    p = kmalloc(HH_PAGE_SIZE - sizeof(block_header_t));
    TAP_EQ(t, before - hh_buddy_get_free_memory(), HH_PAGE_SIZE);
    kfree(p);
}

static void memory_used_up(tap *t)
{
    void *block[64];
    unsigned n = 0;
    started(t);
    size_t before = hh_buddy_get_free_memory();
    while (n < 64 && (block[n] = kmalloc(1 << 20)) != NULL)
        n++;
    TAP_CHECK(t, n > 10 && n < 64);
    size_t left = hh_buddy_get_free_memory();
    TAP_CHECK(t, left < (1 << 20) + HH_PAGE_SIZE);
    TAP_CHECK(t, kmalloc(1 << 20) == NULL);
    TAP_EQ(t, hh_buddy_get_free_memory(), left); /* nothing is lost */
    TAP_RULE(t, hh_check(), NULL);
    while (n-- > 0)
        kfree(block[n]);
    TAP_EQ(t, hh_buddy_get_free_memory(), before);
}

/* Small blocks use up the window's tags before the pages. */
static void window_used_up(tap *t)
{
    static void *block[HH_PROCESS_RAM / HH_PAGE_SIZE];
    unsigned n = 0;
    started(t);
    size_t before = hh_buddy_get_free_memory();
    while ((block[n] = kmalloc(1)) != NULL)
        n++;
    size_t left = hh_buddy_get_free_memory();
    TAP_CHECK(t, n > 1000 && left >= HH_PAGE_SIZE);
    TAP_CHECK(t, kmalloc(1) == NULL);
    TAP_EQ(t, hh_buddy_get_free_memory(), left);
    TAP_RULE(t, hh_check(), NULL);
    while (n-- > 0)
        kfree(block[n]);
    TAP_EQ(t, hh_buddy_get_free_memory(), before);
}

static void take_all(void)
{
    for (unsigned order = MAX_ORDER + 1; order-- > 0;)
        while (buddy_alloc(order) != NULL)
            ;
}

static void no_page_for_the_directory(tap *t)
{
    (void)hh_leave();
    TAP_EQ(t, memblock_init(), 0);
    TAP_EQ(t, buddy_init(), 0);
    take_all();
    TAP_EQ(t, hh_paging_init(), (uint64_t)-1);
    TAP_STR(t, last_line, "[!] paging_init: LOAM_ENOMEM");
    TAP_CHECK(t, hh_directory() == NULL);
}

static void no_page_for_the_slab(tap *t)
{
    started(t);
    take_all();
    TAP_EQ(t, hh_kmem_use_slab(true), (uint64_t)-1);
    TAP_STR(t, last_line, "[!] kmem_use_slab: no memory");
    TAP_CHECK(t, hh_slab_kmalloc() == NULL);
    TAP_CHECK(t, kmalloc(1) == NULL);
    TAP_RULE(t, hh_check(), NULL);
}

/* ---- wrong frees, headers written over ---- */

static void wrong_addresses(tap *t)
{
    int outside;
    started(t);
    unsigned char *p = kmalloc(5000);
    size_t before = hh_buddy_get_free_memory();
    tap_catch(t);
    kfree(p + 1);
    TAP_STR(t, t->report.what, "foreign free");
    kfree(p + HH_PAGE_SIZE);
    kfree(header_of(p));
    kfree((void *)(uintptr_t)hh_process_machine()->window.base);
    kfree(&outside);
    TAP_EQ(t, ksize(p + 16), 0);
    TAP_EQ(t, tap_caught(t), 6);
    TAP_EQ(t, hh_buddy_get_free_memory(), before);
    kfree(p);
    tap_catch(t);
    kfree(p);
    TAP_EQ(t, ksize(p), 0);
    TAP_EQ(t, tap_caught(t), 2);
}

static jmp_buf stopped;
static loam_report last_report;

static void keep_report(void *ctx, const loam_report *report)
{
    (void)ctx;
    last_report = *report;
    longjmp(stopped, 1);
}

/* Whether kfree stops the machine; last_report says why. */
static bool kfree_stops(void *p)
{
    volatile bool came = true;
    last_report = (loam_report){.what = ""};
    loam_port_on_report(keep_report, NULL);
    if (setjmp(stopped) == 0) {
        kfree(p);
        came = false;
    }
    loam_port_on_report(NULL, NULL);
    return came;
}

static void header_written_over(tap *t)
{
    static const struct {
        size_t size;
        uint32_t magic;
        const char *rule;
    } bad[] = {
        {5000, 0xDEADBEEE, "HH1"},   {5000, 0, "HH1"},        {5000, 0x41ADBEEF, "HH1"},
        {0, HH_MAGIC, "HH2"},        {4000, HH_MAGIC, "HH2"}, {9000, HH_MAGIC, "HH2"},
        {SIZE_MAX, HH_MAGIC, "HH2"},
    };
    started(t);
    void *other = kmalloc(1);
    unsigned char *p = kmalloc(5000);
    uintptr_t at = 1;
    TAP_RULE(t, hh_check_at(&at), NULL);
    TAP_EQ(t, at, 0);
    for (size_t i = 0; i < LOAM_ARRAY_LEN(bad); i++) {
        header_of(p)->size = bad[i].size;
        header_of(p)->magic = bad[i].magic;
        TAP_RULE(t, hh_check_at(&at), bad[i].rule);
        TAP_EQ(t, at, (uintptr_t)p);
        TAP_CHECK(t, kfree_stops(p));
        TAP_CHECK(t, tap_starts(last_report.what, bad[i].rule));
        TAP_STR(t, last_report.unit, "higherhalf");
        TAP_EQ(t, last_report.value, (uintptr_t)p);
    }
    *header_of(p) = (block_header_t){5000, HH_MAGIC};
    TAP_RULE(t, hh_check(), NULL);
    kfree(p);
    kfree(other);
}

static void header_written_over_on_the_slab(tap *t)
{
    uintptr_t at;
    started(t);
    TAP_EQ(t, hh_kmem_use_slab(true), 0);
    unsigned char *p = kmalloc(100);
    p[-(int)sizeof(block_header_t) + (int)sizeof(size_t)] ^= 1;
    TAP_RULE(t, hh_check_at(&at), "HH1");
    TAP_EQ(t, at, (uintptr_t)p);
    TAP_CHECK(t, kfree_stops(p));
    TAP_CHECK(t, tap_starts(last_report.what, "HH1"));
    p[-(int)sizeof(block_header_t) + (int)sizeof(size_t)] ^= 1;
    header_of(p)->size = 4000;
    TAP_RULE(t, hh_check(), "HH2");
    header_of(p)->size = 100;
    kfree(p);
    TAP_RULE(t, hh_check(), NULL);
}

/* ---- flushes ---- */

static loam_tlb_stats flushes(void)
{
    return hh_process_tlb()->stats;
}

/* The original flushed the whole TLB for each page. */
static void mapping_flushes_nothing(tap *t)
{
    started(t);
    loam_tlb_stats before = flushes();
    unsigned char *p = kmalloc(1000 * HH_PAGE_SIZE - sizeof(block_header_t));
    TAP_CHECK(t, p != NULL);
    TAP_EQ(t, flushes().pages - before.pages, 0);
    TAP_EQ(t, flushes().fulls - before.fulls, 0);
    fill(p, ksize(p), 1);
    TAP_CHECK(t, hh_process_tlb_pages() >= 1000);
    before = flushes();
    kfree(p);
    TAP_EQ(t, flushes().pages - before.pages, 0);
    TAP_EQ(t, flushes().fulls - before.fulls, 1);
    TAP_EQ(t, hh_process_tlb_pages(), 0); /* nothing stale */
}

static void few_pages_are_flushed_one_by_one(tap *t)
{
    started(t);
    unsigned char *p = kmalloc(3 * HH_PAGE_SIZE - sizeof(block_header_t)), *other = kmalloc(1);
    fill(p, ksize(p), 1);
    *other = 9;
    loam_tlb_stats before = flushes();
    kfree(p);
    TAP_EQ(t, flushes().pages - before.pages, 3);
    TAP_EQ(t, flushes().fulls - before.fulls, 0);
    TAP_EQ(t, hh_process_tlb_pages(), 1); /* the other's is still remembered */
    TAP_EQ(t, *other, 9);
    kfree(other);
}

static void an_80386_flushes_once_a_call(tap *t)
{
    started(t);
    void (*page)(void *ctx, uint64_t va) = hh_process_tlb()->page;
    hh_process_tlb()->page = NULL;
    unsigned char *p = kmalloc(100 * HH_PAGE_SIZE);
    fill(p, ksize(p), 1);
    loam_tlb_stats before = flushes();
    kfree(p);
    TAP_EQ(t, flushes().pages - before.pages, 0);
    TAP_EQ(t, flushes().fulls - before.fulls, 1);
    TAP_EQ(t, hh_process_tlb_pages(), 0);
    hh_process_tlb()->page = page;
}

/* ---- the slab ---- */

static void small_blocks_share_a_page(tap *t)
{
    unsigned char *p[20];
    started(t);
    TAP_EQ(t, hh_kmem_use_slab(true), 0);
    p[0] = kmalloc(100);
    size_t before = hh_buddy_get_free_memory();
    for (unsigned i = 1; i < 20; i++) {
        p[i] = kmalloc(100);
        TAP_CHECK(t, p[i] != NULL);
        fill(p[i], 100, (unsigned char)i);
    }
    TAP_EQ(t, hh_buddy_get_free_memory(), before);
    for (unsigned i = 0; i < 20; i++) {
        TAP_CHECK(t, i == 0 || holds(p[i], 100, (unsigned char)i));
        TAP_EQ(t, header_of(p[i])->magic, HH_MAGIC);
        TAP_EQ(t, ksize(p[i]), 100);
        kfree(p[i]);
    }
    TAP_RULE(t, hh_check(), NULL);
}

static void both_kinds_at_once(tap *t)
{
    started(t);
    void *paged = kmalloc(100);
    TAP_EQ(t, hh_kmem_use_slab(true), 0);
    void *small = kmalloc(100);
    TAP_EQ(t, hh_kmem_use_slab(false), 0);
    kfree(small);
    TAP_EQ(t, hh_kmem_use_slab(true), 0);
    kfree(paged);
    tap_catch(t);
    kfree(small);
    TAP_EQ(t, tap_caught(t), 1);
    TAP_CHECK(t, kmalloc(HH_BLOCK_MAX) == NULL);
    TAP_CHECK(t, kmalloc(SIZE_MAX) == NULL);
    TAP_RULE(t, hh_check(), NULL);
}

/* ---- random steps, both kinds ---- */

static void kmalloc_model(tap *t)
{
    static struct {
        unsigned char *p;
        size_t size;
        unsigned char value;
    } out[BLOCKS];
    unsigned n = 0;
    started(t);
    for (unsigned step = 0; step < STEPS; step++) {
        if (tap_below(t, 50) == 0)
            TAP_EQ(t, hh_kmem_use_slab(tap_below(t, 2) == 0), 0);
        if (n < BLOCKS && (n == 0 || tap_below(t, 100) < 55)) {
            size_t size = 1 + (size_t)tap_below(t, tap_below(t, 5) == 0 ? 60000 : 600);
            out[n].p = kmalloc(size);
            if (out[n].p == NULL)
                continue;
            out[n].size = size;
            out[n].value = (unsigned char)step;
            fill(out[n].p, size, out[n].value);
            n++;
        } else {
            unsigned i = (unsigned)tap_below(t, n);
            TAP_CHECK(t, holds(out[i].p, out[i].size, out[i].value));
            TAP_EQ(t, ksize(out[i].p), out[i].size);
            kfree(out[i].p);
            out[i] = out[--n];
        }
        if (step % 50 == 0)
            TAP_RULE(t, hh_check(), NULL);
    }
    for (unsigned i = 0; i < n; i++)
        TAP_CHECK(t, holds(out[i].p, out[i].size, out[i].value));
    TAP_EQ(t, hh_leave(), n); /* those that were out are counted, and unmapped */
    TAP_EQ(t, hh_process_tlb_pages(), 0);
    TAP_RULE(t, loam_vmap_check(hh_process_machine()->vmap), NULL);
}

static void leave_with_a_broken_header(tap *t)
{
    started(t);
    unsigned char *p = kmalloc(100);
    header_of(p)->magic = 0;
    TAP_EQ(t, hh_leave(), 1);
    TAP_CHECK(t, !hh_process_can_touch(p));
}

/* The kernel around us has areas in the same window: they are not ours. */
static void others_in_the_window(tap *t)
{
    loam_vmap *vmap = hh_process_machine()->vmap;
    uint64_t va;
    started(t);
    TAP_EQ(t, loam_vmap_alloc(vmap, HH_PAGE_SIZE, 0, LOAM_PT_WRITE, &va), LOAM_OK);
    hh_block_header_t *theirs = (hh_block_header_t *)(uintptr_t)va;
    *theirs = (hh_block_header_t){1, HH_MAGIC};
    tap_catch(t);
    kfree(theirs + 1);
    TAP_EQ(t, tap_caught(t), 1);
    theirs->magic = 0;
    TAP_RULE(t, hh_check(), NULL);
    TAP_EQ(t, hh_leave(), 0);
    TAP_EQ(t, loam_vmap_free(vmap, va), LOAM_OK);
}

static const tap_case cases[] = {
    {"kmalloc: a block in the window, header in front", block_in_the_window},
    {"kmalloc: guard pages on both sides", guard_pages},
    {"kmalloc: scattered frames, one block", scattered_frames},
    {"kmalloc: sizes at the edges", sizes_at_the_edges},
    {"kmalloc: memory used up: NULL, nothing lost", memory_used_up},
    {"kmalloc: window used up: NULL, nothing lost", window_used_up},
    {"paging_init: no page for the directory: refused", no_page_for_the_directory},
    {"kmem_use_slab: no page for it: refused", no_page_for_the_slab},
    {"kfree: wrong addresses: refused, nothing changes", wrong_addresses},
    {"kfree, check: a header written over: named", header_written_over},
    {"kfree, check: the same on the slab", header_written_over_on_the_slab},
    {"kmalloc: mapping flushes nothing, freeing once", mapping_flushes_nothing},
    {"kfree: few pages are flushed one by one", few_pages_are_flushed_one_by_one},
    {"kfree: an 80386 flushes everything, once a call", an_80386_flushes_once_a_call},
    {"kmalloc on the slab: small blocks share a page", small_blocks_share_a_page},
    {"kmalloc on the slab: both kinds at once", both_kinds_at_once},
    {"kmalloc: random steps, both kinds: contents stay", kmalloc_model},
    {"leave: a broken header: unmapped all the same", leave_with_a_broken_header},
    {"kmalloc: other areas of the window are not ours", others_in_the_window},
};
TAP_SUITE(hh_kmalloc_test, cases);
