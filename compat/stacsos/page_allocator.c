/* SPDX-License-Identifier: MIT */
/* page_allocator.c - stacsos' buddy page allocator, as names over a zone.
 *
 * WHAT   insert_free_pages, allocate_pages, free_pages and what belongs to them. Nothing is
 *        allocated here: each call is turned into one of loam_zone.
 *
 * MODEL  One lock around one zone without fronts, lowest address first. The descriptors are the
 *        zone's frame table; a free list is what the bits say when somebody asks.
 *
 *            struct page *  --subtraction--> frame number --> zone [ table | bits ]
 *            caller --> lock, interrupts off --> zone --> unlock --> (report, zeroing) --> caller
 *
 * RULES  Those of the zone (Z) and its buddy (B).
 * LOCKS  The allocator's, with interrupts off; below it the zone's. It is released before a report
 *        is made, because who hears of one may stop, or allocate.
 * COST   That of the zone. Is the buddy free? is a bit, not a walk along a list.
 * FROM   The stacsos report for names and lines.
 * NOT    Fronts for each processor: the lists of this allocator are exact at every moment.
 */
#include "state.h"

stacsos_allocator stacsos_machine = {LOAM_LOCK_OF(LOAM_RANK_FACE), NULL, NULL, 0, 0};

/* ---- start, and from pages to numbers ---- */

/* Frames 0 .. npages - 1 as RAM of one zone; all reserved until they are inserted. */
static bool describe(uint64_t npages, const loam_linear *linear, loam_span *ram,
                     loam_zone_config *config)
{
    loam_zone_config_init(config);
    config->name = "stacsos";
    config->fronts = false;
    config->lowest = true;
    if (linear != NULL)
        config->linear = *linear;
    *ram = (loam_span){0, npages << LOAM_PAGE_SHIFT};
    return npages != 0 && npages <= ~0ULL >> (LOAM_PAGE_SHIFT + 1);
}

uint64_t stacsos_descriptor_bytes(uint64_t npages)
{
    loam_zone_config config;
    loam_span ram;
    return describe(npages, NULL, &ram, &config) ? loam_zone_measure(&ram, 1, &config) : 0;
}

int stacsos_a_init(stacsos_allocator *a, void *descriptors, uint64_t len, uint64_t npages,
                   const loam_linear *linear)
{
    loam_zone_config config;
    loam_span ram;
    loam_pfn first;
    a->zone = NULL;
    a->npages = a->inserted = 0;
    if (descriptors == NULL || !describe(npages, linear, &ram, &config))
        return -1;
    a->zone = loam_zone_init(descriptors, len, false, &ram, 1, &config);
    if (a->zone == NULL)
        return -1;
    /* The table is the zone's to write. Through a descriptor nobody writes, so that the constness
     * that is lost here is not missed. */
    a->array = (struct page *)(uintptr_t)loam_zone_frame_table(a->zone, loam_pfn_of(0), &first,
                                                               &a->npages);
    return 0;
}

struct page *stacsos_a_page(const stacsos_allocator *a, uint64_t pfn)
{
    return pfn < a->npages ? a->array + pfn : NULL;
}

uint64_t stacsos_a_pfn(const stacsos_allocator *a, const struct page *page)
{
    uint64_t pfn = (uintptr_t)page - (uintptr_t)a->array;
    return page != NULL && pfn < a->npages ? pfn : ~0ULL;
}

/* ---- insert ---- */

/* Lock held. The first page of the range that was inserted before; first + count: none. */
static uint64_t first_inserted(const stacsos_allocator *a, uint64_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (loam_zone_state(a->zone, loam_pfn_of(first + i)) != LOAM_FRAME_RESERVED)
            return first + i;
    return first + count;
}

int stacsos_a_insert(stacsos_allocator *a, const struct page *start, uint64_t count)
{
    uint64_t first = stacsos_a_pfn(a, start), taken;
    if (first == ~0ULL || count == 0 || count > a->npages - first) {
        stacsos_say("insert_free_pages: %U pages from %p: not one run of the page array, nothing "
                    "inserted\n",
                    count, (const void *)start);
        return -1;
    }
    loam_irq irq = loam_lock_acquire(&a->lock);
    taken = first_inserted(a, first, count);
    bool done =
        taken == first + count && loam_zone_add(a->zone, loam_pfn_of(first), count) == LOAM_OK;
    if (done)
        a->inserted += count;
    bool is_free = !done && loam_zone_find_free(a->zone, loam_pfn_of(taken), NULL, NULL);
    loam_lock_release(&a->lock, irq);
    if (done)
        return 0;
    stacsos_say("insert_free_pages: page %U is %s already, nothing inserted\n", taken,
                is_free ? "free" : "in use");
    return -1;
}

/* ---- allocate ---- */

static bool is_order(int order)
{
    return order >= 0 && order <= STACSOS_LAST_ORDER;
}

/* The caller's block already. */
static void clear(const stacsos_allocator *a, uint64_t pfn, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        void *va = loam_zone_to_va(a->zone, loam_pfn_of(pfn + i));
        if (va != NULL)
            __builtin_memset(va, 0, LOAM_PAGE_SIZE);
    }
}

struct page *stacsos_a_allocate(stacsos_allocator *a, int order, stacsos_flags flags)
{
    loam_pfn pfn = LOAM_NO_FRAME;
    loam_irq irq = loam_lock_acquire(&a->lock);
    if (a->zone != NULL && is_order(order))
        pfn = loam_zone_alloc(a->zone, (unsigned)order, LOAM_ZONE_NORMAL);
    loam_lock_release(&a->lock, irq);
    if (loam_pfn_is_none(pfn))
        return NULL;
    if ((flags & STACSOS_ZERO) != 0)
        clear(a, pfn.v, 1ULL << order);
    return a->array + pfn.v;
}

/* ---- free ---- */

/* Lock held. The allocated block that a page lies in, and its order; -1: none. */
static int block_around(const stacsos_allocator *a, uint64_t pfn, uint64_t *start)
{
    for (unsigned k = 0; k <= STACSOS_LAST_ORDER; k++) {
        *start = loam_align_down(pfn, 1ULL << k);
        int order = loam_zone_order(a->zone, loam_pfn_of(*start));
        if (order >= 0)
            return (unsigned)order >= k ? order : -1;
    }
    return -1;
}

/* Lock held. What is wrong with a page that is no allocated one. */
static const char *why_not(const stacsos_allocator *a, uint64_t pfn)
{
    return loam_zone_state(a->zone, loam_pfn_of(pfn)) == LOAM_FRAME_FREE
               ? "double free"
               : "free of a page that was never inserted";
}

/* Lock held. What is wrong with freeing these pages one by one, or NULL; *bad is the page. */
static const char *singles_fault(const stacsos_allocator *a, uint64_t pfn, uint64_t count,
                                 uint64_t *bad)
{
    for (*bad = pfn; *bad < pfn + count; (*bad)++) {
        uint64_t start;
        int order = block_around(a, *bad, &start);
        if (order < 0)
            return why_not(a, *bad);
        if (order != 0)
            return "free of more than one block";
    }
    return NULL;
}

/* Lock held. Frees, or says what is wrong and of which page. */
static const char *free_locked(const stacsos_allocator *a, uint64_t pfn, unsigned order,
                               uint64_t *bad)
{
    uint64_t start, count = 1ULL << order;
    int around = block_around(a, pfn, &start);
    *bad = pfn;
    if (around < 0)
        return why_not(a, pfn);
    if (start == pfn && around == (int)order) {
        (void)loam_zone_free(a->zone, loam_pfn_of(pfn));
        return NULL;
    }
    if (around > (int)order) { /* a part: the block becomes single pages first */
        (void)loam_zone_split(a->zone, loam_pfn_of(start));
    } else {
        const char *fault = singles_fault(a, pfn, count, bad);
        if (fault != NULL)
            return fault;
    }
    for (uint64_t i = 0; i < count; i++)
        (void)loam_zone_free(a->zone, loam_pfn_of(pfn + i));
    return NULL;
}

/* The zone's rule that freeing this page would break. */
static const char *rule_at_risk(const stacsos_allocator *a, uint64_t pfn)
{
    loam_frame_state state = loam_zone_state(a->zone, loam_pfn_of(pfn));
    return state == LOAM_FRAME_FREE || state == LOAM_FRAME_RESERVED ? "Z6" : "Z3";
}

/* Nothing is locked. */
static int refuse(const char *what, const char *rule, const char *object, uint64_t value,
                  const void *caller)
{
    loam_report report = {.unit = "stacsos",
                          .what = what,
                          .object = object,
                          .value = value,
                          .caller = caller,
                          .rule = rule};
    loam_port_misuse(&report);
    return -1;
}

int stacsos_a_free(stacsos_allocator *a, const struct page *base, int order, const void *caller)
{
    uint64_t bad, pfn = stacsos_a_pfn(a, base);
    const char *rule = NULL;
    unsigned merged = 0;
    if (pfn == ~0ULL)
        return refuse("free of what is no page", "Z1", "address", (uintptr_t)base, caller);
    if (!is_order(order))
        return refuse("free with an order out of range", NULL, "order", (uint64_t)(int64_t)order,
                      caller);
    if ((pfn & ((1ULL << order) - 1)) != 0 || a->npages - pfn < 1ULL << order)
        return refuse("free of a block that does not start here", "Z3", "frame", pfn, caller);
    loam_irq irq = loam_lock_acquire(&a->lock);
    const char *fault = free_locked(a, pfn, (unsigned)order, &bad);
    if (fault == NULL)
        (void)loam_zone_find_free(a->zone, loam_pfn_of(pfn), NULL, &merged);
    else
        rule = rule_at_risk(a, bad);
    loam_lock_release(&a->lock, irq);
    if (fault != NULL)
        return refuse(fault, rule, "frame", bad, caller);
    return merged < STACSOS_LAST_ORDER ? (int)merged : STACSOS_LAST_ORDER;
}

/* ---- the machine's ---- */

int stacsos_init(void *descriptors, uint64_t len, uint64_t npages, const loam_linear *linear)
{
    return stacsos_a_init(&stacsos_machine, descriptors, len, npages, linear);
}

struct page *stacsos_page_of(uint64_t pfn)
{
    return stacsos_a_page(&stacsos_machine, pfn);
}

uint64_t stacsos_pfn_of(const struct page *page)
{
    return stacsos_a_pfn(&stacsos_machine, page);
}

int stacsos_insert_free_pages(struct page *start, uint64_t count)
{
    return stacsos_a_insert(&stacsos_machine, start, count);
}

struct page *stacsos_allocate_pages(int order, stacsos_flags flags)
{
    return stacsos_a_allocate(&stacsos_machine, order, flags);
}

void stacsos_free_pages(struct page *base, int order)
{
    (void)stacsos_a_free(&stacsos_machine, base, order, __builtin_return_address(0));
}

int stacsos_merge_buddies(int order, struct page *base)
{
    return stacsos_a_free(&stacsos_machine, base, order, __builtin_return_address(0));
}
