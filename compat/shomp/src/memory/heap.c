/* SPDX-License-Identifier: MIT */
/* heap.c - ShompOS' heap, as names over Loam's buddy.
 *
 * WHAT   init_heap, allocate and free of the ShompOS memory module. Which blocks are free is known
 *        to loam_buddy alone, in units of 16 bytes; here a request becomes an order, a unit an
 *        address, and a free is proved right before it is passed on.
 *
 * MODEL  Blocks are naturally aligned from block 0, which starts at 7 modulo 16; a header is 9
 *        bytes; so every payload is a multiple of 16.
 *
 *            7                 23                39                    bytes, modulo 16
 *            [header|payload   [header|payload   [header|payload ...   units 0, 1, 2 ...
 *                   ^ 16              ^ 32              ^ 48
 *
 *            out:   4                 0 (free)          5       0      scale of what starts here
 *
 *        Headers are written for people, and as a tripwire: the allocator believes `out` and the
 *        engine's bits, which lie outside of the heap, and a block whose header is not what was
 *        written is refused.
 *
 * RULES  SH1  every unit of the heap is free, or in exactly one block that is out
 *        SH2  the header of a block that is out is what allocate wrote
 *        SH3  the header of a free block says so, and its scale
 *        SH4  with guard, free memory is filled but for its header
 *        shomp_check() tests exactly these, and the engine's.
 *
 * LOCKS  One, which keeps interrupts off; messages come with none held.
 * COST   allocate, free: the engine's O(log n), and 9 bytes for each half that splits or merges;
 *        with guard O(bytes of the block).
 * FROM   The module's document; Knowlton's buddy system.
 * NOT    Several heaps. Reading a buddy's header: at the heap's end there is none.
 */
#include "heap_impl.h"

shomp_heap shomp_x__heap = {.lock = LOAM_LOCK_OF(LOAM_RANK_FACE)};
static _Alignas(64) unsigned char heap_meta[SHOMP_META];

enum { HEAP_TRIES = 8 }; /* reports of one allocate before it is served all the same */

/* ---- the heap as a whole ---- */

/* Block 0: the first address from start on with the right remainder. */
static unsigned char *heap_base(unsigned char *start, const shomp_options *o)
{
    uintptr_t modulus = o->pages != NULL ? SHOMP_PAGE : SHOMP_UNIT;
    uintptr_t want = modulus - SHOMP_HEADER;
    return start + ((want - (uintptr_t)start) & (modulus - 1));
}

static unsigned heap_limit(const shomp_options *o)
{
    unsigned limit = o->grow_to > SHOMP_MAX_SCALE ? (unsigned)SHOMP_MAX_SCALE : o->grow_to;
    return limit < SHOMP_HEAP_SCALE ? (unsigned)SHOMP_HEAP_SCALE : limit;
}

size_t shomp_bytes(const shomp_options *options)
{
    size_t heap = (size_t)1 << heap_limit(options);
    if (options->pages == NULL)
        return heap + SHOMP_UNIT - 1;
    return ((heap + SHOMP_PAGE - 1) & ~(size_t)(SHOMP_PAGE - 1)) + SHOMP_PAGE;
}

/* A free block has another scale now. A header that is not what it was stays, to be found. */
static void heap_rescale(const shomp_heap *h, uint64_t unit, unsigned from, unsigned to)
{
    if (!h->options.guard || shomp_header_is(h, unit, true, from))
        shomp_write_header(h, unit, true, to);
}

/* Units [unit, unit + 2^order) become the heap's: filled, free, with a header. */
static void heap_add(shomp_heap *h, uint64_t unit, unsigned order)
{
    uint64_t start = unit;
    unsigned merged = order;
    shomp_guard__open(h, unit, 1ULL << order);
    shomp_guard__fill(h, unit, 1ULL << order);
    (void)loam_buddy_free(&h->buddy, unit, order);
    (void)loam_buddy_find(&h->buddy, unit, &start, &merged);
    if (start == unit)
        shomp_write_header(h, unit, true, merged + SHOMP_MIN_SCALE);
    else
        heap_rescale(h, start, order + SHOMP_MIN_SCALE, merged + SHOMP_MIN_SCALE);
}

static bool heap_grow(shomp_heap *h)
{
    if (h->base == NULL || h->scale >= heap_limit(&h->options))
        return false;
    unsigned order = h->scale++ - SHOMP_MIN_SCALE;
    heap_add(h, 1ULL << order, order);
    return true;
}

/* While the upper half is free it is not the heap's any more. */
static void heap_shrink(shomp_heap *h)
{
    while (h->scale > SHOMP_HEAP_SCALE) {
        unsigned order = h->scale - 1 - SHOMP_MIN_SCALE, free_order = 0;
        uint64_t start;
        if (loam_buddy_take(&h->buddy, 1ULL << order, order) != LOAM_OK)
            return;
        h->scale--;
        if (loam_buddy_find(&h->buddy, 0, &start, &free_order) && free_order == order)
            heap_rescale(h, 0, h->scale + 1, h->scale);
    }
}

static void heap_start(shomp_heap *h, void *start, const shomp_options *options)
{
    uint64_t units = 1ULL << (heap_limit(options) - SHOMP_MIN_SCALE);
    h->options = *options;
    if (!options->guard)
        h->options.pages = NULL;
    h->scale = SHOMP_HEAP_SCALE;
    h->linked = false;
    __builtin_memset(h->out, 0, sizeof(h->out));
    __builtin_memset(h->was, 0, sizeof(h->was));
    __builtin_memset(h->site, 0, sizeof(h->site));
    __builtin_memset(heap_meta, 0, sizeof(heap_meta));
    h->base = heap_base(start, &h->options);
    (void)loam_buddy_init(&h->buddy, 0, units, LOAM_BUDDY_MAX_ORDER + 1, heap_meta);
    heap_add(h, 0, SHOMP_HEAP_SCALE - SHOMP_MIN_SCALE);
    shomp_guard__settle(h);
}

void shomp_start(void *start, const shomp_options *options)
{
    shomp_heap *h = &shomp_x__heap;
    loam_irq irq = loam_lock_acquire(&h->lock);
    if (h->base != NULL)
        shomp_guard__open(h, 0, SHOMP_UNITS);
    if (start == NULL)
        h->base = NULL;
    else
        heap_start(h, start, options);
    loam_lock_release(&h->lock, irq);
}

void shomp_init_heap(void *start)
{
    shomp_start(start, &(shomp_options){0});
}

/* ---- allocate ---- */

/* ceil(log2(size + 9)), at least 4; a scale that no heap has for what no heap holds. */
static unsigned heap_scale_of(size_t size)
{
    if (size > ((size_t)1 << SHOMP_MAX_SCALE) - SHOMP_HEADER)
        return SHOMP_MAX_SCALE + 1;
    unsigned scale = loam_log2_ceil(size + SHOMP_HEADER);
    return scale < SHOMP_MIN_SCALE ? (unsigned)SHOMP_MIN_SCALE : scale;
}

/* The block that will be taken; the heap grows when it has none. */
static bool heap_pick(shomp_heap *h, unsigned order, loam_buddy_pick *pick)
{
    if (h->base == NULL || order + SHOMP_MIN_SCALE > heap_limit(&h->options))
        return false;
    while (!loam_buddy_peek(&h->buddy, order, pick))
        if (!heap_grow(h))
            return false;
    return true;
}

/* NULL: no memory, or damage was found, and mended. */
static void *heap_take(shomp_heap *h, unsigned scale, const void *site, shomp_damage *damage)
{
    loam_buddy_pick pick;
    unsigned order = scale - SHOMP_MIN_SCALE;
    *damage = shomp_view__unlink(h);
    if (damage->found || !heap_pick(h, order, &pick)) {
        heap_shrink(h);
        shomp_guard__settle(h);
        return NULL;
    }
    shomp_guard__open(h, pick.from, 1ULL << pick.order);
    *damage = shomp_guard__look(h, &pick, order);
    if (damage->found) {
        shomp_guard__settle(h);
        return NULL;
    }
    (void)loam_buddy_alloc_pick(&h->buddy, order, &pick);
    for (unsigned k = order; k < pick.order; k++)
        shomp_write_header(h, pick.unit + (1ULL << k), true, k + SHOMP_MIN_SCALE);
    shomp_guard__taken(h, pick.unit, order);
    shomp_write_header(h, pick.unit, false, scale);
    h->out[pick.unit] = (uint8_t)scale;
    h->site[pick.unit] = site;
    shomp_guard__settle(h);
    return shomp_at(h, pick.unit) + SHOMP_HEADER;
}

static LOAM_NOINLINE void heap_tell(const shomp_damage *damage, const void *caller)
{
    loam_report report = {.unit = "shomp",
                          .what = "write after free",
                          .object = "address",
                          .value = damage->address,
                          .state = "free",
                          .caller = caller};
    shomp_guard__name(&shomp_x__heap, damage->unit, &report);
    loam_port_misuse(&report);
}

void *shomp_allocate(size_t size)
{
    shomp_heap *h = &shomp_x__heap;
    unsigned scale = heap_scale_of(size);
    shomp_damage damage = {.found = true};
    void *payload = NULL;
    if (size == 0)
        return NULL;
    for (unsigned tries = 0; damage.found && tries < HEAP_TRIES; tries++) {
        loam_irq irq = loam_lock_acquire(&h->lock);
        payload = heap_take(h, scale, __builtin_return_address(0), &damage);
        loam_lock_release(&h->lock, irq);
        if (damage.found)
            heap_tell(&damage, __builtin_return_address(0));
    }
    if (payload == NULL)
        shomp_say("Out of memory!\n");
    return payload;
}

/* ---- free ---- */

/* Which block an address is the payload of; or why it is none. */
static bool heap_judge(const shomp_heap *h, uintptr_t address, uint64_t *unit, loam_report *report)
{
    uintptr_t off = address - (uintptr_t)h->base;
    report->what = "foreign pointer";
    report->state = h->base == NULL ? "there is no heap" : "not in the heap";
    if (h->base == NULL || off >= shomp_units(h) * SHOMP_UNIT)
        return false;
    *unit = off / SHOMP_UNIT;
    if (loam_buddy_find(&h->buddy, *unit, NULL, NULL)) {
        report->what = "double free";
        report->state = "free";
        return false;
    }
    if (off % SHOMP_UNIT != SHOMP_HEADER || h->out[*unit] == 0) {
        report->what = "inner pointer";
        report->state = "inside a block";
        return false;
    }
    if (shomp_header_is(h, *unit, false, h->out[*unit]))
        return true;
    report->what = "header overwritten";
    report->state = "its block stays out";
    report->size = 1ULL << h->out[*unit];
    report->site = h->site[*unit];
    return false;
}

/* The halves that the block merges with lose their headers. */
static shomp_damage heap_give(shomp_heap *h, uint64_t unit)
{
    unsigned order = h->out[unit] - SHOMP_MIN_SCALE, merged = order;
    uint64_t start = unit;
    shomp_damage damage = shomp_view__unlink(h);
    h->out[unit] = 0;
    shomp_guard__given(h, unit, order);
    (void)loam_buddy_free(&h->buddy, unit, order);
    (void)loam_buddy_find(&h->buddy, unit, &start, &merged);
    for (unsigned k = order; k < merged; k++) {
        shomp_damage found = shomp_guard__absorb(h, (unit >> k ^ 1) << k, k);
        damage = damage.found ? damage : found;
    }
    shomp_write_header(h, start, true, merged + SHOMP_MIN_SCALE);
    heap_shrink(h);
    shomp_guard__settle(h);
    return damage;
}

void shomp_free(void **block)
{
    shomp_heap *h = &shomp_x__heap;
    const void *caller = __builtin_return_address(0);
    shomp_damage damage = {.found = false};
    uint64_t unit;
    if (block == NULL || *block == NULL)
        return;
    loam_report report = {.unit = "shomp", .object = "address", .caller = caller};
    report.value = (uintptr_t)*block;
    loam_irq irq = loam_lock_acquire(&h->lock);
    bool good = heap_judge(h, (uintptr_t)*block, &unit, &report);
    if (good)
        damage = heap_give(h, unit);
    loam_lock_release(&h->lock, irq);
    if (!good) {
        loam_port_misuse(&report);
        return;
    }
    *block = NULL;
    if (damage.found)
        heap_tell(&damage, caller);
}
