/* SPDX-License-Identifier: MIT */
/* guard.c - use after free, found.
 *
 * WHAT   Free memory holds one byte everywhere but in its headers. Whoever writes there is found
 *        when the memory is given out again, or merges; whoever reads a page of it, at once.
 *
 * MODEL  With pages, block 0 starts 9 bytes before a page, so that a page lies between the header
 *        of a block and that of the next:
 *
 *            page 0        page 1              page 2              page 3
 *            |...........H|payload of 2 pages, and     H'|         |
 *                        ^base                           ^ the next block's header
 *
 *        A page is idle when no block that is out and no header lies in it: in free memory, or
 *        beyond the end of the heap as large as it is now. Idle pages are unreachable.
 *
 * RULES  SH3, SH4 (heap.c).
 * LOCKS  The heap's is held.
 * COST   O(bytes of the block) for each allocate and free; O(pages) to settle.
 * FROM   Poisoning and electric fences, both older than this.
 * NOT    Blocks below a page: a read there sees the fill.
 */
#include "heap_impl.h"

/* ---- bytes ---- */

static bool guard_on(const shomp_heap *h)
{
    return h->options.guard;
}

static void guard_fill_bytes(unsigned char *at, size_t len)
{
    __builtin_memset(at, SHOMP_POISON, len);
}

void shomp_guard__fill(shomp_heap *h, uint64_t unit, uint64_t n)
{
    if (guard_on(h))
        guard_fill_bytes(shomp_at(h, unit), (size_t)n * SHOMP_UNIT);
}

static shomp_damage guard_damage(const shomp_heap *h, const unsigned char *at)
{
    size_t off = (size_t)(at - h->base);
    return (shomp_damage){true, (uint32_t)(off / SHOMP_UNIT), (uintptr_t)at};
}

/* The first byte that is not the fill; the rest is filled again. */
static shomp_damage guard_look_at(const shomp_heap *h, unsigned char *at, size_t len)
{
    size_t i = 0;
    while (i < len && at[i] == SHOMP_POISON)
        i++;
    if (i == len)
        return (shomp_damage){.found = false};
    guard_fill_bytes(at + i, len - i);
    return guard_damage(h, at + i);
}

/* The same of the header of a free block: its first byte stands for all. */
static shomp_damage guard_look_at_header(const shomp_heap *h, uint64_t unit, unsigned scale)
{
    if (shomp_header_is(h, unit, true, scale))
        return (shomp_damage){.found = false};
    shomp_write_header(h, unit, true, scale);
    return guard_damage(h, shomp_at(h, unit));
}

shomp_damage shomp_guard__look(shomp_heap *h, const loam_buddy_pick *pick, unsigned order)
{
    shomp_damage damage = {.found = false};
    if (!guard_on(h))
        return damage;
    damage = guard_look_at_header(h, pick->unit, pick->order + SHOMP_MIN_SCALE);
    if (!damage.found)
        damage = guard_look_at(h, shomp_at(h, pick->unit) + SHOMP_HEADER,
                               ((size_t)SHOMP_UNIT << order) - SHOMP_HEADER);
    for (unsigned k = order; k < pick->order && !damage.found; k++)
        damage = guard_look_at(h, shomp_at(h, pick->unit + (1ULL << k)), SHOMP_HEADER);
    return damage;
}

shomp_damage shomp_guard__absorb(shomp_heap *h, uint64_t unit, unsigned order)
{
    shomp_damage damage = {.found = false};
    if (!guard_on(h))
        return damage;
    damage = guard_look_at_header(h, unit, order + SHOMP_MIN_SCALE);
    guard_fill_bytes(shomp_at(h, unit), SHOMP_HEADER);
    return damage;
}

/* ---- owners ---- */

void shomp_guard__taken(shomp_heap *h, uint64_t unit, unsigned order)
{
    if (guard_on(h))
        __builtin_memset(h->was + unit, 0, (size_t)1 << order);
}

void shomp_guard__given(shomp_heap *h, uint64_t unit, unsigned order)
{
    if (!guard_on(h))
        return;
    h->was[unit] = (uint8_t)(order + SHOMP_MIN_SCALE);
    shomp_guard__fill(h, unit, 1ULL << order);
}

void shomp_guard__name(const shomp_heap *h, uint64_t unit, loam_report *report)
{
    for (uint64_t at = unit + 1; at-- > 0;) {
        if (h->was[at] == 0 || unit - at >= 1ULL << (h->was[at] - SHOMP_MIN_SCALE))
            continue;
        report->size = 1ULL << h->was[at];
        report->site = h->site[at];
        return;
    }
}

/* ---- pages ---- */

/* The page that holds a byte of the heap; page 0 holds the header of block 0. */
static uint64_t guard_page_of(uint64_t offset)
{
    return (offset + SHOMP_PAGE - SHOMP_HEADER) / SHOMP_PAGE;
}

static void guard_set(shomp_heap *h, uint64_t page, bool hide)
{
    if (h->hidden[page] == hide)
        return;
    h->hidden[page] = hide;
    h->options.pages(h->options.pages_ctx,
                     h->base + SHOMP_HEADER + (size_t)page * SHOMP_PAGE - SHOMP_PAGE, SHOMP_PAGE,
                     !hide);
}

void shomp_guard__open(shomp_heap *h, uint64_t unit, uint64_t n)
{
    if (!guard_on(h) || h->options.pages == NULL)
        return;
    uint64_t last = guard_page_of((unit + n) * SHOMP_UNIT - 1);
    for (uint64_t page = guard_page_of(unit * SHOMP_UNIT); page <= last; page++)
        guard_set(h, page, false);
}

/* Page k > 0 holds units 256 (k - 1), without its header, to 256 k, of which only the header. */
static bool guard_is_idle(const shomp_heap *h, uint64_t page)
{
    enum { A_PAGE = SHOMP_PAGE / SHOMP_UNIT };
    uint64_t first = (page - 1) * A_PAGE, last = page * A_PAGE, start, units = shomp_units(h);
    unsigned order;
    if (first >= units)
        return true;
    if (last >= units)
        last = units - 1;
    return loam_buddy_find(&h->buddy, first, &start, &order) && start + (1ULL << order) > last;
}

void shomp_guard__settle(shomp_heap *h)
{
    if (!guard_on(h) || h->options.pages == NULL || h->base == NULL)
        return;
    uint64_t last = guard_page_of(h->buddy.count * SHOMP_UNIT - 1);
    for (uint64_t page = 1; page <= last; page++)
        guard_set(h, page, guard_is_idle(h, page));
}

bool shomp_fault(uintptr_t address, loam_report *report)
{
    const shomp_heap *h = &shomp_x__heap;
    uint64_t off = (uint64_t)address - (uintptr_t)h->base;
    if (h->base == NULL || off >= h->buddy.count * SHOMP_UNIT || !h->hidden[guard_page_of(off)])
        return false;
    *report = (loam_report){.unit = "shomp",
                            .what = "use after free",
                            .object = "address",
                            .value = address,
                            .state = "free, its page is unmapped"};
    shomp_guard__name(h, off / SHOMP_UNIT, report);
    return true;
}
