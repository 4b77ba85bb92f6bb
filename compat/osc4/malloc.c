/* SPDX-License-Identifier: MIT */
/* malloc.c - Lab 4's three allocators, as names over Loam's.
 *
 * WHAT   The startup allocator, the buddy system and the memory pools of OSC 2025 Lab 4. Nothing is
 *        allocated here: each call is turned into one of loam_memblock, loam_zone or loam_slabs.
 *
 * MODEL  Pages are counted from mem_start, which is frame 0 of a zone of its own:
 *
 *            mem_start
 *            |page 0|page 1|page 2| ...                  memory, never touched while it is free
 *            page_array: [zone | a byte a page | bits]   loam_zone_init's memory
 *
 *            memory_reserve, simple_alloc --> boot map --(buddy_init: hand-over)--> zone
 *            dmalloc --> 16 | 32 | ... | 2048: a cache each, a slab is one page of the zone
 *                    --> above: a block of the zone
 *
 * RULES  Those of the units below (M, B, Z, S): an answer of theirs is never put right here.
 * LOCKS  None of its own; one processor.
 * COST   That of the units below, and a branch for the log.
 * FROM   The lab's document for names and lines.
 * NOT    Several dynamic allocators at once: the pools stand on the current buddy system.
 */
#include "malloc.h"

enum { OSC4_RAM_SPANS = 16, OSC4_HELD_SPANS = 320, OSC4_EARLY_SPANS = 16 };

static struct {
    loam_memblock map; /* cap 0: startup_init was not called */
    loam_span ram[OSC4_RAM_SPANS], held[OSC4_HELD_SPANS], early[OSC4_EARLY_SPANS];
    osc4_buddy_system_t *current;
    loam_slabs *slabs; /* over the current system, or NULL */
    loam_cache *pool[OSC4_POOLS];
} osc4;

static const char *const pool_name[OSC4_POOLS] = {"osc4-16",  "osc4-32",  "osc4-64",   "osc4-128",
                                                  "osc4-256", "osc4-512", "osc4-1024", "osc4-2048"};

/* ---- startup ---- */

void osc4_startup_init(void)
{
    (void)loam_memblock_init(&osc4.map, osc4.ram, OSC4_RAM_SPANS, osc4.held, OSC4_HELD_SPANS,
                             osc4.early, OSC4_EARLY_SPANS);
    osc4.current = NULL;
    osc4.slabs = NULL;
}

static bool startup_ready(void)
{
    return osc4.map.ram.cap != 0;
}

/* Still before the hand-over, so that the boot map takes changes? */
static bool startup_open(void)
{
    return startup_ready() && !osc4.map.handed_over;
}

int osc4_memory_add(uintptr_t start, size_t size)
{
    loam_err err =
        startup_ready() ? loam_memblock_add(&osc4.map, loam_pa_of(start), size) : LOAM_ESTATE;
    if (err == LOAM_OK)
        return 0;
    osc4_say("[!] memory_add: %s for 0x%X", loam_err_name(err), (uint64_t)start);
    return -1;
}

/* The address of page 0: of the current system, else of what it will be. */
static uint64_t page_zero(void)
{
    if (osc4.current != NULL)
        return osc4.current->start;
    if (!startup_ready() || osc4.map.ram.count == 0)
        return 0;
    return loam_align_up(osc4.ram[0].base, OSC4_PAGE_SIZE);
}

static bool is_reservable(const loam_zone *zone, uint64_t first, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        loam_frame_state state = loam_zone_state(zone, loam_pfn_of(first + i));
        if (state != LOAM_FRAME_FREE && state != LOAM_FRAME_RESERVED)
            return false;
    }
    return true;
}

struct free_block {
    uint64_t page; /* asked for */
    uint64_t first, past;
};

static bool find_block(void *ctx, uint64_t first, unsigned order)
{
    struct free_block *block = ctx;
    block->first = first;
    block->past = first + (1ULL << order);
    return block->page >= block->past; /* go on */
}

/* The log's lines for the pages [first, past) of one block of the view: as the free blocks that it
 * becomes, or as itself, no longer free. */
static void log_blocks(loam_trace_kind kind, uint64_t first, uint64_t past)
{
    while (first < past) {
        unsigned order = loam_natural_order(first, past - first);
        loam_trace_emit(osc4_trace(), kind, order, first, 0);
        first += 1ULL << order;
    }
}

/* Reserves those of the pages [page, past) that are free, block by block. */
static void reserve_free_pages(loam_zone *zone, uint64_t page, uint64_t past)
{
    while (page < past) {
        if (loam_zone_state(zone, loam_pfn_of(page)) != LOAM_FRAME_FREE) {
            page++;
            continue;
        }
        struct free_block block = {page, 0, 0};
        loam_zone_each_free(zone, OSC4_MAX_ORDER, find_block, &block);
        uint64_t end = block.past < past ? block.past : past;
        log_blocks(LOAM_TRACE_LIST_REMOVE, block.first, block.past);
        (void)loam_zone_reserve(zone, loam_pfn_of(page), end - page);
        log_blocks(LOAM_TRACE_LIST_ADD, block.first, page);
        log_blocks(LOAM_TRACE_LIST_ADD, end, block.past);
        page = end;
    }
}

/* After buddy_init: what of [start, end) lies in the current system. */
static loam_err reserve_late(uint64_t start, uint64_t end)
{
    const osc4_buddy_system_t *bs = osc4.current;
    uint64_t limit = (uint64_t)bs->start + ((uint64_t)bs->npages << OSC4_PAGE_SHIFT);
    uint64_t lo = start < bs->start ? bs->start : start, hi = end > limit ? limit : end;
    uint64_t first = (lo - bs->start) >> OSC4_PAGE_SHIFT, n = 0;
    if (lo < hi)
        n = ((hi - bs->start + OSC4_PAGE_SIZE - 1) >> OSC4_PAGE_SHIFT) - first;
    if (!is_reservable(bs->zone, first, n))
        return LOAM_EBUSY;
    osc4_log_reserve(bs, page_zero(), start, end);
    reserve_free_pages(bs->zone, first, first + n);
    return LOAM_OK;
}

static loam_err reserve_early(uint64_t start, uint64_t end)
{
    loam_err err = loam_memblock_reserve(&osc4.map, loam_pa_of(start), end - start);
    if (err == LOAM_OK)
        osc4_log_reserve(NULL, page_zero(), start, end);
    return err;
}

int osc4_memory_reserve(uintptr_t start, uintptr_t end)
{
    loam_err err = LOAM_ESTATE;
    if (start >= end)
        err = LOAM_EINVAL;
    else if (startup_open())
        err = reserve_early(start, end);
    else if (osc4.current != NULL)
        err = reserve_late(start, end);
    if (err == LOAM_OK)
        return 0;
    osc4_say("[!] memory_reserve: %s for [0x%X, 0x%X)", loam_err_name(err), (uint64_t)start,
             (uint64_t)end);
    return -1;
}

void *osc4_simple_alloc(size_t size)
{
    loam_pa pa = loam_pa_of(0);
    loam_err err = startup_open()
                       ? loam_memblock_alloc(&osc4.map, size, 8, loam_pa_of(0),
                                             loam_pa_of(UINTPTR_MAX), LOAM_MEMBLOCK_BOTTOM_UP, &pa)
                       : LOAM_ESTATE;
    if (err == LOAM_OK)
        return (void *)(uintptr_t)pa.v;
    osc4_say("[!] simple_alloc: %s for %U bytes", loam_err_name(err), (uint64_t)size);
    return NULL;
}

size_t osc4_simple_used(loam_span *span, size_t n)
{
    size_t count = startup_ready() ? osc4.map.early.count : 0;
    for (size_t i = 0; i < count && i < n; i++)
        span[i] = osc4.early[i];
    return count;
}

/* ---- buddy system ---- */

static void zone_config(loam_zone_config *config, const osc4_buddy_system_t *bs)
{
    loam_zone_config_init(config);
    config->name = "osc4";
    config->ncpus = 1;
    config->fronts = false;
    config->lowest = true;
    config->trace = osc4_trace();
    config->trace_max_order = OSC4_MAX_ORDER;
    config->linear.len = (uint64_t)bs->npages << OSC4_PAGE_SHIFT;
    /* An address, not a pointer into an object: on the Pi page 0 lies at address 0. */
    config->linear.va = (unsigned char *)bs->start;
}

/* The zone lies on a line of 64 bytes inside page_array. */
enum { OSC4_LINE = 64 };

size_t osc4_page_array_bytes(size_t npages)
{
    osc4_buddy_system_t bs = {.npages = npages};
    loam_zone_config config;
    zone_config(&config, &bs);
    loam_span all = {0, config.linear.len};
    uint64_t bytes = 0;
    if (npages <= SIZE_MAX >> OSC4_PAGE_SHIFT)
        bytes = loam_zone_measure(&all, 1, &config);
    return bytes == 0 || bytes > SIZE_MAX - OSC4_LINE ? 0 : (size_t)bytes + OSC4_LINE;
}

/* Whole pages of [mem_start, mem_start + mem_size); npages 0 when there is none. */
static void buddy_bounds(osc4_buddy_system_t *bs, uintptr_t mem_start, size_t mem_size)
{
    uint64_t start, end;
    *bs = (osc4_buddy_system_t){0};
    if (loam_align_up_overflows(mem_start, OSC4_PAGE_SIZE, &start) ||
        loam_add_overflows(mem_start, mem_size, &end) || end <= start || end - 1 > UINTPTR_MAX)
        return;
    bs->start = (uintptr_t)start;
    bs->npages = (size_t)((end - start) >> OSC4_PAGE_SHIFT);
}

static bool buddy_build(osc4_buddy_system_t *bs, osc4_page_t *page_array)
{
    loam_zone_config config;
    zone_config(&config, bs);
    loam_span all = {0, config.linear.len};
    uint64_t bytes = loam_zone_measure(&all, 1, &config), line;
    if (bytes == 0 || page_array == NULL ||
        loam_align_up_overflows((uintptr_t)page_array, OSC4_LINE, &line))
        return false;
    bs->zone = loam_zone_init((void *)(uintptr_t)line, bytes, false, &all, 1, &config);
    if (bs->zone == NULL)
        return false;
    loam_pfn first;
    uint64_t count;
    bs->page_array = loam_zone_frame_table(bs->zone, loam_pfn_of(0), &first, &count);
    return true;
}

static bool is_startup_ram(const osc4_buddy_system_t *bs)
{
    uint64_t end = (uint64_t)bs->start + ((uint64_t)bs->npages << OSC4_PAGE_SHIFT);
    for (size_t i = 0; startup_ready() && i < osc4.map.ram.count; i++)
        if (osc4.ram[i].base < end && osc4.ram[i].base + (osc4.ram[i].len - 1) >= bs->start)
            return true;
    return false;
}

/* A loam_memblock_give_fn: frames of the boot map, cut to the system's pages. */
static loam_err give_pages(void *ctx, loam_pfn first, uint64_t count)
{
    const osc4_buddy_system_t *bs = ctx;
    uint64_t zero = bs->start >> OSC4_PAGE_SHIFT, lo = first.v, hi = first.v + count;
    if (lo < zero)
        lo = zero;
    if (hi > zero + bs->npages)
        hi = zero + bs->npages;
    return lo >= hi ? LOAM_OK : loam_zone_add(bs->zone, loam_pfn_of(lo - zero), hi - lo);
}

static const char *buddy_start(osc4_buddy_system_t *bs, uintptr_t mem_start, size_t mem_size,
                               osc4_page_t *page_array)
{
    buddy_bounds(bs, mem_start, mem_size);
    if (bs->npages == 0)
        return "no whole page";
    bool startup = is_startup_ram(bs);
    if (startup && osc4.map.handed_over)
        return "this RAM was given away";
    if (!buddy_build(bs, page_array))
        return "no page array, or too many pages";
    osc4_log_at(bs);
    loam_err err = startup ? loam_memblock_handover(&osc4.map, give_pages, bs)
                           : loam_zone_add(bs->zone, loam_pfn_of(0), bs->npages);
    return err == LOAM_OK ? NULL : loam_err_name(err);
}

int osc4_buddy_init(osc4_buddy_system_t *bs, void *mem_start, size_t mem_size,
                    osc4_page_t *page_array)
{
    const char *why = buddy_start(bs, (uintptr_t)mem_start, mem_size, page_array);
    if (why != NULL) {
        osc4_say("[!] buddy_init: %s", why);
        *bs = (osc4_buddy_system_t){0};
        return -1;
    }
    osc4.current = bs;
    osc4.slabs = NULL;
    return 0;
}

osc4_buddy_system_t *osc4_current(void)
{
    return osc4.current;
}

void *osc4_buddy_alloc_pages(osc4_buddy_system_t *bs, unsigned order)
{
    if (bs == NULL || bs->zone == NULL || order > OSC4_MAX_ORDER)
        return NULL;
    osc4_log_at(bs);
    loam_pfn page = loam_zone_alloc(bs->zone, order, LOAM_ZONE_NORMAL);
    if (loam_pfn_is_none(page))
        return NULL;
    return (void *)(bs->start + ((uintptr_t)page.v << OSC4_PAGE_SHIFT));
}

/* Not inlined: the report names the caller of the public function, one frame up. */
static void refuse(const char *what, const char *state, const void *addr, const void *caller)
{
    loam_report report = {.unit = "osc4",
                          .what = what,
                          .object = "address",
                          .value = (uintptr_t)addr,
                          .state = state,
                          .caller = caller};
    loam_port_misuse(&report);
}

static void free_pages(osc4_buddy_system_t *bs, void *addr, const void *caller)
{
    uintptr_t offset = (uintptr_t)addr - (bs == NULL ? 0 : bs->start);
    if (bs == NULL || bs->zone == NULL)
        refuse("free without a buddy system", NULL, addr, caller);
    else if (offset >> OSC4_PAGE_SHIFT >= bs->npages) /* below page 0 the offset wraps */
        refuse("foreign free", "beyond memory", addr, caller);
    else if ((offset & (OSC4_PAGE_SIZE - 1)) != 0)
        refuse("misaligned free", "inside a page", addr, caller);
    else {
        osc4_log_at(bs);
        (void)loam_zone_free(bs->zone, loam_pfn_of(offset >> OSC4_PAGE_SHIFT));
    }
}

void osc4_buddy_free_pages(osc4_buddy_system_t *bs, void *addr)
{
    if (addr != NULL)
        free_pages(bs, addr, __builtin_return_address(0));
}

/* ---- views ---- */

struct frame_view {
    signed char *value;
    size_t first, n;
};

static bool view_block(void *ctx, uint64_t page, unsigned order)
{
    struct frame_view *view = ctx;
    uint64_t past = view->first + view->n;
    if (page >= past)
        return false;
    for (uint64_t p = page; p < page + (1ULL << order) && p < past; p++)
        if (p >= view->first)
            view->value[p - view->first] = (signed char)(p == page ? (int)order : OSC4_PAGE_F);
    return true;
}

void osc4_frame_array(const osc4_buddy_system_t *bs, signed char *value, size_t first, size_t n)
{
    struct frame_view view = {value, first, n};
    for (size_t i = 0; i < n; i++)
        value[i] = OSC4_PAGE_X;
    loam_zone_each_free(bs->zone, OSC4_MAX_ORDER, view_block, &view);
}

struct list_view {
    unsigned order;
    size_t *page;
    size_t n, count;
};

static bool view_list(void *ctx, uint64_t page, unsigned order)
{
    struct list_view *view = ctx;
    if (order != view->order)
        return true;
    if (view->count < view->n)
        view->page[view->count] = (size_t)page;
    view->count++;
    return true;
}

size_t osc4_free_list(const osc4_buddy_system_t *bs, unsigned order, size_t *page, size_t n)
{
    struct list_view view = {order, page, n, 0};
    loam_zone_each_free(bs->zone, OSC4_MAX_ORDER, view_list, &view);
    return view.count;
}

/* ---- dynamic allocator ---- */

int osc4_memory_pools_init(void)
{
    if (osc4.slabs != NULL)
        return 0;
    loam_slab_config config;
    loam_slab_config_init(&config);
    config.shift = OSC4_PAGE_SHIFT;
    config.keep_empty = false;
    config.trace = osc4_trace();
    loam_slabs *slabs = osc4.current == NULL ? NULL : loam_slabs_init(osc4.current->zone, &config);
    for (unsigned i = 0; slabs != NULL && i < OSC4_POOLS; i++) {
        osc4.pool[i] = loam_cache_create(slabs, pool_name[i], (size_t)OSC4_MIN_CHUNK << i,
                                         OSC4_MIN_CHUNK, NULL, NULL);
        if (osc4.pool[i] == NULL)
            slabs = NULL;
    }
    osc4.slabs = slabs;
    if (slabs != NULL)
        return 0;
    osc4_say("[!] memory_pools_init: %s",
             osc4.current == NULL ? "no buddy system" : "out of memory");
    return -1;
}

/* The smallest order of pages that holds size bytes, size > 0. */
static unsigned size_order(size_t size)
{
    return loam_log2_ceil(((size - 1) >> OSC4_PAGE_SHIFT) + 1);
}

void *osc4_dmalloc(size_t size)
{
    if (size == 0 || size > OSC4_DMALLOC_MAX) {
        osc4_say("[!] dmalloc: %U bytes refused: a request is 1 to %u bytes", (uint64_t)size,
                 OSC4_DMALLOC_MAX);
        return NULL;
    }
    void *ptr = NULL;
    if (osc4.slabs != NULL) {
        osc4_log_at(osc4.current);
        unsigned shift = size <= OSC4_MIN_CHUNK ? 4 : loam_log2_ceil(size);
        ptr = size <= OSC4_MAX_CHUNK ? loam_cache_alloc(osc4.pool[shift - 4])
                                     : osc4_buddy_alloc_pages(osc4.current, size_order(size));
    }
    if (ptr == NULL)
        osc4_say("[!] dmalloc: no memory for %U bytes", (uint64_t)size);
    return ptr;
}

void osc4_dfree(void *ptr)
{
    if (ptr == NULL)
        return;
    loam_cache *cache = osc4.slabs == NULL ? NULL : loam_cache_of(osc4.slabs, ptr);
    if (cache != NULL) {
        osc4_log_at(osc4.current);
        (void)loam_cache_free(cache, ptr);
    } else {
        free_pages(osc4.current, ptr, __builtin_return_address(0));
    }
}

loam_cache *osc4_pool(unsigned pool)
{
    return osc4.slabs == NULL || pool >= OSC4_POOLS ? NULL : osc4.pool[pool];
}

loam_slabs *osc4_slabs(void)
{
    return osc4.slabs;
}

const char *osc4_check(void)
{
    const char *rule = startup_ready() ? loam_memblock_check(&osc4.map) : NULL;
    if (rule == NULL && osc4.current != NULL)
        rule = loam_zone_check(osc4.current->zone);
    if (rule == NULL && osc4.slabs != NULL)
        rule = loam_slabs_check(osc4.slabs);
    return rule;
}
