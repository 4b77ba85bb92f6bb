/* SPDX-License-Identifier: MIT */
/* view.c - the free lists of stacsos, as they would be: read from the bits when somebody asks. */
#include "state.h"

struct page *stacsos_free_list_[STACSOS_ORDERS];

static struct {
    stacsos_write_fn *write;
    void *ctx;
} output;

void stacsos_set_output(stacsos_write_fn *fn, void *ctx)
{
    output.write = fn;
    output.ctx = ctx;
}

void stacsos_say(const char *fmt, ...)
{
    char piece[160];
    loam_text text;
    __builtin_va_list ap;
    if (output.write == NULL)
        return;
    loam_text_init(&text, piece, sizeof(piece));
    __builtin_va_start(ap, fmt);
    loam_text_vfmt(&text, fmt, ap);
    __builtin_va_end(ap);
    output.write(output.ctx, piece);
}

/* ---- blocks ---- */

bool stacsos_find_free_block(int order, const struct page *page)
{
    stacsos_allocator *a = &stacsos_machine;
    uint64_t pfn = stacsos_a_pfn(a, page);
    loam_pfn start = LOAM_NO_FRAME;
    unsigned whole = 0;
    if (pfn == ~0ULL || order < 0 || order > STACSOS_LAST_ORDER)
        return false;
    loam_irq irq = loam_lock_acquire(&a->lock);
    bool found = loam_zone_find_free(a->zone, loam_pfn_of(pfn), &start, &whole);
    loam_lock_release(&a->lock, irq);
    if (!found || whole <= STACSOS_LAST_ORDER)
        return found && start.v == pfn && (int)whole == order;
    return order == STACSOS_LAST_ORDER && (pfn & loam_mask64(STACSOS_LAST_ORDER)) == 0;
}

struct page *stacsos_split_block(int order, struct page *block)
{
    if (order < 1 || !stacsos_find_free_block(order, block))
        return NULL;
    return block + (1ULL << (order - 1));
}

loam_pfn stacsos_a_next(stacsos_allocator *a, int order, uint64_t from)
{
    loam_pfn pfn = LOAM_NO_FRAME;
    loam_irq irq = loam_lock_acquire(&a->lock);
    if (a->zone != NULL)
        pfn = loam_zone_next_free(a->zone, (unsigned)order, STACSOS_LAST_ORDER, loam_pfn_of(from));
    loam_lock_release(&a->lock, irq);
    return pfn;
}

void stacsos_free_lists(void)
{
    for (int k = 0; k <= STACSOS_LAST_ORDER; k++)
        stacsos_free_list_[k] = stacsos_page_of(stacsos_a_next(&stacsos_machine, k, 0).v);
}

struct page *stacsos_next_free(int order, const struct page *block)
{
    uint64_t pfn = stacsos_pfn_of(block);
    if (pfn == ~0ULL || order < 0 || order > STACSOS_LAST_ORDER)
        return NULL;
    return stacsos_page_of(stacsos_a_next(&stacsos_machine, order, pfn + 1).v);
}

/* ---- the whole ---- */

stacsos_stats stacsos_a_stat(stacsos_allocator *a)
{
    stacsos_stats stats = {0, 0};
    loam_irq irq = loam_lock_acquire(&a->lock);
    if (a->zone != NULL)
        stats.free = loam_zone_free_pages(a->zone);
    stats.used = a->inserted - stats.free;
    loam_lock_release(&a->lock, irq);
    return stats;
}

/* Nothing is locked while text goes out: a block may come or go between two numbers. */
static void dump_list(stacsos_allocator *a, int order)
{
    loam_pfn at = stacsos_a_next(a, order, 0);
    stacsos_say("[%02u]", (unsigned)order);
    if (loam_pfn_is_none(at))
        stacsos_say(" (empty)");
    for (; !loam_pfn_is_none(at); at = stacsos_a_next(a, order, at.v + 1)) {
        stacsos_say(" %U", at.v);
        if (order > 0)
            stacsos_say("--%U", at.v + (1ULL << order) - 1);
    }
    stacsos_say("\n");
}

void stacsos_a_dump(stacsos_allocator *a)
{
    stacsos_say("*** buddy page allocator - free list ***\n");
    for (int k = 0; k <= STACSOS_LAST_ORDER; k++)
        dump_list(a, k);
    stacsos_stats stats = stacsos_a_stat(a);
    stacsos_say("stats: free=%U, used=%U\n", stats.free, stats.used);
}

stacsos_stats stacsos_stat(void)
{
    return stacsos_a_stat(&stacsos_machine);
}

void stacsos_dump(void)
{
    stacsos_a_dump(&stacsos_machine);
}

const char *stacsos_check(void)
{
    return stacsos_machine.zone != NULL ? loam_zone_check(stacsos_machine.zone) : NULL;
}
