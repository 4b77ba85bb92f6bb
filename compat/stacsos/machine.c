/* SPDX-License-Identifier: MIT */
/* machine.c - `pgalloc=buddy`: the page allocator on the machine's own memory, all cores at once.
 *
 *     RAM   | below 1 MiB | image | tables | page descriptors | kernel keeps | inserted ... |
 *                                                               1/8 of what    7/8, in blocks
 *                                                               is free        up to LastOrder
 *
 * Loam's kernel has its own owner of all pages, and what stacsos gets is lent by it: the page of
 * RAM n is descriptor n here as there. At the end everything goes back.
 */
#include "arch.h"
#include "board.h"
#include "console.h"
#include "image.h"
#include "kern.h"
#include "loam/port.h"
#include "smp.h"

#define STACSOS_NO_PLAIN_NAMES
#include "glue.h"
#include "page_allocator.h"

enum {
    BLOCKS = 256,                     /* lent at most */
    KEEP = 8,                         /* one page of so many stays the kernel's */
    LOW = 0x100000 >> LOAM_PAGE_SHIFT /* pages below 1 MiB */
};

static struct {
    struct {
        loam_pfn first;
        unsigned order;
    } block[BLOCKS];
    size_t count;
    uint64_t inserted;
    void *descriptors;
    uint64_t descriptor_bytes;
} lent;

/* ---- which pages ---- */

static uint64_t ram_end_page(void)
{
    const loam_spanset *ram = &kern_this.map.ram;
    const loam_span *last = &ram->span[ram->count - 1];
    uint64_t end = last->base + last->len, most = board_this.mapped.pa + board_this.mapped.len;
    return (end < most ? end : most) >> LOAM_PAGE_SHIFT;
}

/* The part of a span at or above 1 MiB, in pages. */
static uint64_t pages_above_low(loam_span span)
{
    uint64_t first = span.base >> LOAM_PAGE_SHIFT;
    uint64_t end = (span.base + span.len + LOAM_PAGE_SIZE - 1) >> LOAM_PAGE_SHIFT;
    first = first > LOW ? first : LOW;
    return end > first ? end - first : 0;
}

static uint64_t low_pages(void)
{
    const loam_spanset *ram = &kern_this.map.ram;
    uint64_t pages = 0;
    for (size_t i = 0; i < ram->count; i++)
        pages += ram->span[i].len / LOAM_PAGE_SIZE - pages_above_low(ram->span[i]);
    return pages;
}

static void tell_excluded(void)
{
    const loam_spanset *early = &kern_this.map.early;
    loam_span image = {phys_of(__image_start).v, (uint64_t)(__image_end - __image_start)};
    uint64_t tables = 0, others;
    uint64_t descriptors = (lent.descriptor_bytes + LOAM_PAGE_SIZE - 1) >> LOAM_PAGE_SHIFT;
    for (size_t i = 0; i < early->count; i++)
        tables += pages_above_low(early->span[i]);
    others = kern_this.sum.total - lent.inserted - low_pages() - pages_above_low(image) - tables -
             descriptors;
    kprintf("pgalloc: excluded: %U pages below 1 MiB, %U of early tables, %U of the kernel image, "
            "%U of page descriptors, %U that the kernel keeps\n",
            low_pages(), tables, pages_above_low(image), descriptors, others);
}

/* ---- taking and giving back ---- */

/* Blocks below 1 MiB are set aside, too: else they would come again and again. */
static void borrow(void)
{
    uint64_t keep = kern_free_pages() / KEEP;
    for (unsigned order = STACSOS_LAST_ORDER + 1; order-- > 0;) {
        while (lent.count < BLOCKS && kern_free_pages() >= keep + (1ULL << order)) {
            loam_pfn first = loam_zonelist_alloc(&kern_this.mapped, order, LOAM_ZONE_NORMAL);
            if (loam_pfn_is_none(first))
                break;
            lent.block[lent.count].first = first;
            lent.block[lent.count++].order = order;
        }
    }
}

static bool insert_all(void)
{
    for (size_t i = 0; i < lent.count; i++) {
        uint64_t first = lent.block[i].first.v, pages = 1ULL << lent.block[i].order;
        if (first < LOW)
            continue;
        if (stacsos_insert_free_pages(stacsos_page_of(first), pages) != 0)
            return false;
        lent.inserted += pages;
    }
    return lent.inserted > 0;
}

static void give_back(void)
{
    (void)stacsos_init(NULL, 0, 0, NULL);
    while (lent.count > 0)
        (void)loam_zonelist_free(&kern_this.mapped, lent.block[--lent.count].first);
    if (lent.descriptors != NULL)
        (void)loam_kmalloc_free(kern_this.kmalloc, lent.descriptors);
    loam_kmalloc_shrink(kern_this.kmalloc); /* what was needed on the way, too */
    lent.descriptors = NULL;
    lent.inserted = 0;
}

static bool start(void)
{
    uint64_t pages = ram_end_page();
    lent.descriptor_bytes = stacsos_descriptor_bytes(pages);
    lent.descriptors =
        loam_kmalloc_aligned(kern_this.kmalloc, (size_t)lent.descriptor_bytes, LOAM_PAGE_SIZE);
    if (lent.descriptors == NULL ||
        stacsos_init(lent.descriptors, lent.descriptor_bytes, pages, &board_this.mapped) != 0)
        return false;
    borrow();
    if (!insert_all())
        return false;
    kprintf("pgalloc: buddy: %U page descriptors in %U KiB; %U pages inserted\n", pages,
            lent.descriptor_bytes >> 10, lent.inserted);
    tell_excluded();
    return true;
}

/* ---- all cores at once ---- */

/* One lock for all, first come first served: under an emulator whose host has fewer processors a
 * call may wait for as many turns of the host as there are cores. So time is an end, too. */
enum { HELD = 16, CALLS = 4096, SECONDS = 2, ORDERS = 5 };

typedef struct core {
    struct page *held[HELD];
    unsigned order[HELD];
    uint64_t random, calls, wrong;
} core;

static core cores[LOAM_PORT_MAX_CPUS];
static void *box[HELD]; /* [atomic] a block on its way to whichever core takes it; or NULL */

static struct {
    struct page *block;
    uint64_t calls, refused;
} irq;

static uint64_t next_random(core *c)
{
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return c->random;
}

/* A word at the start of each page says which block it is of, and of what order. */
static volatile uint64_t *word_of(const struct page *block, unsigned page)
{
    loam_pa pa = loam_pfn_to_pa(loam_pfn_of(stacsos_pfn_of(block) + page));
    return virt_of(pa);
}

static uint64_t mark_of(const struct page *block, unsigned order)
{
    return (stacsos_pfn_of(block) << 8 | order) ^ 0x5aa55aa5a55aa55aULL;
}

static void mark(const struct page *block, unsigned order)
{
    for (unsigned i = 0; i < 1U << order; i++)
        *word_of(block, i) = mark_of(block, order);
}

static bool is_marked(const struct page *block, unsigned order)
{
    for (unsigned i = 0; i < 1U << order; i++)
        if (*word_of(block, i) != mark_of(block, order))
            return false;
    return true;
}

/* The order travels in the mark. */
static void free_marked(core *c, struct page *block)
{
    uint64_t found = *word_of(block, 0) ^ 0x5aa55aa5a55aa55aULL;
    unsigned order = (unsigned)(found & 0xff);
    if (order >= ORDERS || !is_marked(block, order)) {
        c->wrong++; /* somebody else has it as well: it is not freed */
        return;
    }
    *word_of(block, 0) = 0;
    c->wrong += stacsos_merge_buddies((int)order, block) < (int)order;
}

static void take(core *c, unsigned slot)
{
    unsigned order = (unsigned)(next_random(c) % ORDERS);
    bool clear = next_random(c) % 8 == 0;
    struct page *block = stacsos_allocate_pages((int)order, clear ? STACSOS_ZERO : STACSOS_NONE);
    c->held[slot] = block;
    if (block == NULL)
        return;
    for (unsigned i = 0; clear && i < 1U << order; i++)
        c->wrong += *word_of(block, i) != 0;
    mark(block, order);
}

/* Refusals on the way: each leaves the lock free, or the next call would wait for ever. */
static void call_wrongly(core *c)
{
    c->wrong += stacsos_allocate_pages(STACSOS_LAST_ORDER + 1, STACSOS_ZERO) != NULL;
    c->wrong += stacsos_allocate_pages(-1, STACSOS_NONE) != NULL;
}

static void work(void *ctx)
{
    core *c = &cores[loam_port_cpu()];
    uint64_t most = CALLS / smp_online(), start = loam_port_ticks();
    (void)ctx;
    for (c->calls = 0; c->calls < most; c->calls++) {
        if (loam_port_ticks() - start > SECONDS * arch_ticks_hz())
            break;
        unsigned slot = (unsigned)(next_random(c) % HELD);
        struct page *block = c->held[slot];
        c->held[slot] = NULL;
        if (block == NULL)
            take(c, slot);
        else if (c->calls % 4 == 0) /* another core's, from now on; what was there is ours */
            c->held[slot] = loam_atomic_ptr_exchange(&box[slot], block); /* pairs with itself */
        else
            free_marked(c, block);
        if (c->calls % 64 == 0)
            call_wrongly(c);
    }
    for (unsigned slot = 0; slot < HELD; slot++)
        if (c->held[slot] != NULL)
            free_marked(c, c->held[slot]);
}

/* In interrupt context on core 0, wherever that one is: not inside of a call, for there interrupts
 * are off. */
static void in_tick(void)
{
    irq.calls++;
    if (irq.block != NULL)
        stacsos_free_pages(irq.block, 1);
    irq.block = irq.block == NULL ? stacsos_allocate_pages(1, STACSOS_NONE) : NULL;
}

static uint64_t run_cores(void)
{
    uint64_t wrong = 0, calls = 0;
    for (size_t i = 0; i < LOAM_ARRAY_LEN(cores); i++)
        cores[i] = (core){.random = 0x9e3779b97f4a7c15ULL * (i + 1)};
    irq.calls = 0;
    kern_this.on_tick = in_tick;
    smp_run(work, NULL);
    uint64_t now = kern_this.ticks;
    while (kern_this.ticks - now < 3) /* for ever, if a path had left interrupts off */
        arch_wait();
    kern_this.on_tick = NULL;
    if (irq.block != NULL)
        stacsos_free_pages(irq.block, 1);
    irq.block = NULL;
    for (size_t slot = 0; slot < HELD; slot++) {
        struct page *block = loam_atomic_ptr_exchange(&box[slot], NULL); /* pairs with work's */
        if (block != NULL)
            free_marked(&cores[0], block);
    }
    for (size_t i = 0; i < LOAM_ARRAY_LEN(cores); i++) {
        wrong += cores[i].wrong;
        calls += cores[i].calls;
    }
    kprintf("pgalloc: %u cores at once: %U calls, %U from interrupts, %U wrong\n",
            (int)smp_online(), calls, irq.calls, wrong);
    return wrong;
}

/* All free blocks, in a number. */
static uint64_t fingerprint(void)
{
    uint64_t sum = 0;
    stacsos_free_lists();
    for (int order = 0; order <= STACSOS_LAST_ORDER; order++)
        for (struct page *at = stacsos_free_list_[order]; at != NULL;
             at = stacsos_next_free(order, at))
            sum = (sum ^ (stacsos_pfn_of(at) << 5 | (unsigned)order)) * 0x9e3779b97f4a7c15ULL;
    return sum;
}

int stacsos_boot(void)
{
    uint64_t before, after;
    bool good;
    stacsos_to_console();
    good = start();
    if (good) {
        stacsos_dump();
        before = fingerprint();
        good = run_cores() == 0;
        after = fingerprint();
        stacsos_dump();
        good = good && before == after && stacsos_stat().used == 0 && stacsos_check() == NULL;
    }
    give_back();
    kprintf("pgalloc: %s\n", good ? "every page is back" : "FAILED");
    return good ? 0 : 1;
}
