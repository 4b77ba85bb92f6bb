/* SPDX-License-Identifier: MIT */
/* view.c - what the heap looks like: counts, free lists, blocks that are out, rules.
 *
 * WHAT   All that people ask and the allocator does not need.
 * MODEL  The engine yields the free blocks by address; here they are counted, or chained:
 *
 *            free_list[5] --next--> [H|..] <--> [H|..] <--prev-- free_list[5]
 *                                    offsets in their headers
 *
 * RULES  SH1 .. SH4 (heap.c): here they are tested.
 * LOCKS  The heap's, for each call; none while text goes out.
 * COST   O(units).
 * FROM   The module's print_free_counts.
 * NOT    -
 */
#include "heap_impl.h"

/* ---- text ---- */

static struct {
    shomp_output_fn *fn;
    void *ctx;
} view_output;

void shomp_set_output(shomp_output_fn *fn, void *ctx)
{
    view_output.fn = fn;
    view_output.ctx = ctx;
}

void shomp_say(const char *fmt, ...)
{
    char buf[160];
    loam_text text;
    __builtin_va_list ap;
    loam_text_init(&text, buf, sizeof(buf));
    __builtin_va_start(ap, fmt);
    loam_text_vfmt(&text, fmt, ap);
    __builtin_va_end(ap);
    if (view_output.fn != NULL)
        view_output.fn(view_output.ctx, buf);
    else
        shomp_default_output(buf);
}

/* ---- counts ---- */

static bool view_count(void *ctx, uint64_t unit, unsigned order)
{
    unsigned *count = ctx;
    (void)unit;
    count[order + SHOMP_MIN_SCALE]++;
    return true;
}

unsigned shomp_counts(unsigned count[SHOMP_MAX_SCALE + 1])
{
    shomp_heap *h = &shomp_x__heap;
    __builtin_memset(count, 0, (SHOMP_MAX_SCALE + 1) * sizeof(*count));
    loam_irq irq = loam_lock_acquire(&h->lock);
    unsigned scale = h->base == NULL ? 0 : h->scale;
    if (scale != 0)
        loam_buddy_each(&h->buddy, SHOMP_MAX_SCALE - SHOMP_MIN_SCALE, view_count, count);
    loam_lock_release(&h->lock, irq);
    return scale;
}

void shomp_print_free_counts(void)
{
    unsigned count[SHOMP_MAX_SCALE + 1], scale = shomp_counts(count);
    shomp_say("free_block counts:\n");
    for (unsigned s = SHOMP_MIN_SCALE; s <= scale; s++)
        shomp_say("%u free blocks of scale %c\n", count[s],
                  s < 10 ? '0' + (int)s : 'A' + (int)s - 10);
}

/* ---- free lists ---- */

typedef struct view_links {
    shomp_heap *heap;
    uint32_t last[SHOMP_MAX_SCALE + 1]; /* offset of the block before, of each scale */
    uint32_t next[SHOMP_MAX_SCALE + 1]; /* what that block says is next */
    shomp_damage damage;
} view_links;

static void view_links_init(view_links *links, shomp_heap *h)
{
    links->heap = h;
    links->damage.found = false;
    for (unsigned s = 0; s <= SHOMP_MAX_SCALE; s++)
        links->last[s] = links->next[s] = SHOMP_END;
}

static void view_get(const shomp_heap *h, uint32_t offset, block_header *header)
{
    __builtin_memcpy(header, h->base + offset, sizeof(*header));
}

static void view_set(const shomp_heap *h, uint32_t offset, const block_header *header)
{
    __builtin_memcpy(h->base + offset, header, sizeof(*header));
}

static bool view_link(void *ctx, uint64_t unit, unsigned order)
{
    view_links *links = ctx;
    shomp_heap *h = links->heap;
    unsigned s = order + SHOMP_MIN_SCALE;
    uint32_t here = (uint32_t)unit * SHOMP_UNIT, before = links->last[s];
    block_header header;
    view_get(h, here, &header);
    header.list.prev = before;
    view_set(h, here, &header);
    if (before == SHOMP_END) {
        h->list[s].next = here;
    } else {
        view_get(h, before, &header);
        header.list.next = here;
        view_set(h, before, &header);
    }
    h->list[s].prev = links->last[s] = here;
    return true;
}

const list_header *shomp_free_list(void)
{
    shomp_heap *h = &shomp_x__heap;
    view_links links;
    loam_irq irq = loam_lock_acquire(&h->lock);
    bool there = h->base != NULL;
    if (there && !h->linked) {
        view_links_init(&links, h);
        for (unsigned s = 0; s <= SHOMP_MAX_SCALE; s++)
            h->list[s] = (list_header){SHOMP_END, SHOMP_END};
        loam_buddy_each(&h->buddy, SHOMP_MAX_SCALE - SHOMP_MIN_SCALE, view_link, &links);
        h->linked = true;
    }
    loam_lock_release(&h->lock, irq);
    return there ? h->list : NULL;
}

/* A header that says what view_link wrote goes back to saying nothing. */
static bool view_unlink(void *ctx, uint64_t unit, unsigned order)
{
    view_links *links = ctx;
    unsigned s = order + SHOMP_MIN_SCALE;
    uint32_t here = (uint32_t)unit * SHOMP_UNIT;
    block_header header;
    view_get(links->heap, here, &header);
    bool good = header.list.prev == links->last[s] && header.is_free && header.scale == s &&
                (links->last[s] == SHOMP_END || links->next[s] == here);
    if (!good && !links->damage.found)
        links->damage =
            (shomp_damage){true, (uint32_t)unit, (uintptr_t)shomp_at(links->heap, unit)};
    links->last[s] = here;
    links->next[s] = header.list.next;
    shomp_write_header(links->heap, unit, true, s);
    return true;
}

shomp_damage shomp_view__unlink(shomp_heap *h)
{
    view_links links;
    view_links_init(&links, h);
    if (h->linked)
        loam_buddy_each(&h->buddy, SHOMP_MAX_SCALE - SHOMP_MIN_SCALE, view_unlink, &links);
    h->linked = false;
    if (!h->options.guard)
        links.damage.found = false;
    return links.damage;
}

/* ---- blocks that are out ---- */

unsigned char *shomp_base(void)
{
    return shomp_x__heap.base;
}

size_t shomp_each(shomp_block_fn *fn, void *ctx)
{
    const shomp_heap *h = &shomp_x__heap;
    size_t told = 0;
    bool more = h->base != NULL;
    for (uint64_t unit = 0; more && unit < shomp_units(h); unit++) {
        unsigned scale = h->out[unit];
        if (scale == 0)
            continue;
        told++;
        more = fn(ctx, shomp_at(h, unit) + SHOMP_HEADER, ((size_t)1 << scale) - SHOMP_HEADER, scale,
                  h->site[unit]);
    }
    return told;
}

/* ---- rules ---- */

/* Units [unit + 1, unit + n) start nothing and are not free. */
static bool view_is_one_block(const shomp_heap *h, uint64_t unit, uint64_t n)
{
    bool one = true;
    for (uint64_t inner = unit + 1; inner < unit + n && one; inner++)
        one = h->out[inner] == 0 && !loam_buddy_find(&h->buddy, inner, NULL, NULL);
    return one;
}

static bool view_is_filled(const shomp_heap *h, uint64_t unit, uint64_t n)
{
    const unsigned char *at = shomp_at(h, unit);
    size_t i = SHOMP_HEADER;
    while (i < n * SHOMP_UNIT && at[i] == SHOMP_POISON)
        i++;
    return i == n * SHOMP_UNIT;
}

static bool view_says_free(const shomp_heap *h, uint64_t unit, unsigned scale)
{
    block_header header;
    view_get(h, (uint32_t)unit * SHOMP_UNIT, &header);
    return h->linked ? header.is_free && header.scale == scale
                     : shomp_header_is(h, unit, true, scale);
}

/* One block, free or out, that starts at a unit; *n is how many units it has. */
static const char *view_check_block(const shomp_heap *h, uint64_t unit, uint64_t *n)
{
    uint64_t start = unit;
    unsigned order;
    if (loam_buddy_find(&h->buddy, unit, &start, &order)) {
        *n = 1ULL << order;
        if (start != unit || h->out[unit] != 0 || unit + *n > shomp_units(h))
            return "SH1 a unit is free, or in one block that is out";
        if (!view_says_free(h, unit, order + SHOMP_MIN_SCALE))
            return "SH3 the header of a free block says so";
        return !h->options.guard || view_is_filled(h, unit, *n) ? NULL
                                                                : "SH4 free memory is filled";
    }
    if (h->out[unit] < SHOMP_MIN_SCALE || h->out[unit] > h->scale)
        return "SH1 a unit is free, or in one block that is out";
    *n = 1ULL << (h->out[unit] - SHOMP_MIN_SCALE);
    if ((unit & (*n - 1)) != 0 || !view_is_one_block(h, unit, *n))
        return "SH1 a unit is free, or in one block that is out";
    return shomp_header_is(h, unit, false, h->out[unit]) ? NULL
                                                         : "SH2 the header of a block is intact";
}

static const char *view_check(const shomp_heap *h)
{
    const char *bad = loam_buddy_check(&h->buddy);
    uint64_t n = 0;
    for (uint64_t unit = 0; unit < shomp_units(h) && bad == NULL; unit += n)
        bad = view_check_block(h, unit, &n);
    if (bad == NULL && shomp_units(h) < h->buddy.count &&
        !view_is_one_block(h, shomp_units(h) - 1, h->buddy.count - shomp_units(h) + 1))
        bad = "SH1 beyond the heap's end nothing is";
    return bad;
}

const char *shomp_check(void)
{
    shomp_heap *h = &shomp_x__heap;
    const char *bad = NULL;
    loam_irq irq = loam_lock_acquire(&h->lock);
    if (h->base != NULL) {
        shomp_guard__open(h, 0, h->buddy.count);
        bad = view_check(h);
        shomp_guard__settle(h);
    }
    loam_lock_release(&h->lock, irq);
    return bad;
}
