/* SPDX-License-Identifier: MIT */
/* vmap.c - ranges of kernel addresses mapped to frames.
 *
 * WHAT   Large memory without large blocks: frames from anywhere, addresses in a row. Also the
 *        addresses of devices, and of frames that somebody else owns.
 *
 * MODEL  A range gives out the window's addresses, the page tables say what is behind them. A piece
 *        of the range is an area and one page more, which stays unmapped; the window's first page
 *        does, too. So each area has a guard on both sides, and neighbours share one.
 *
 *            window  |G|  area   |G| area |G|      free        |  area  |G|
 *            pieces    [-----------)[------)                   [---------)
 *                        |  |  |      |  |
 *            frames     93 12 40    41  7                         ---> anywhere
 *
 *        What an area is stands in its piece's tag: flags, where it starts in its first page, how
 *        much was asked for; the owner is the place it was asked for from. Which frames it has,
 *        only the tables know.
 *
 * RULES  V1  range and window agree; counts of areas and of mapped bytes are those of the pieces
 *        V2  what a piece notes of its area fits its length
 *        V3  each page of an area is mapped, and allows what the area notes
 *        V4  nothing else in the window is mapped
 *        V5  a frame that an area owns is a single one, and out
 *        loam_vmap_check() tests those of range and pt, and then these.
 *
 * LOCKS  One, over range, tables and batch. Taking and giving frames, asking the source for tags,
 *        clearing and reporting happen without it: those may come back for another area. What goes
 *        is taken out of the tables, flushed, and only then given back.
 * COST   O(log areas) and O(pages); one flush a call. All that moves more than 8 frames borrows
 *        a page for each 511 from where tables come from; when there is none, areas go in parts.
 * FROM   vmalloc and its guard pages, as in Unix kernels.
 * NOT    Demand paging (aspace); flushing other processors' TLBs: the tlb's functions.
 */
#include "vmap_impl.h"

/* ---- life ---- */

size_t loam_vmap_measure(void)
{
    return sizeof(loam_vmap);
}

static bool vmap_config_is_sound(const loam_vmap_config *c)
{
    if (((c->base | c->len) & (LOAM_PAGE_SIZE - 1)) != 0 || c->len < 3 * LOAM_PAGE_SIZE)
        return false;
    if (c->pt == NULL || c->tlb == NULL || c->frames == NULL || c->tag == NULL || c->tag_count < 2)
        return false;
    return (c->source.get == NULL) == (c->source.put == NULL) &&
           loam_pt_is_canonical(c->pt->format, c->base, c->len);
}

loam_vmap *loam_vmap_init(void *mem, size_t len, const loam_vmap_config *config)
{
    loam_vmap *v = mem;
    if (mem == NULL || len < sizeof(*v) || ((uintptr_t)mem & 7) != 0 ||
        !vmap_config_is_sound(config))
        return NULL;
    __builtin_memset(v, 0, sizeof(*v));
    v->config = *config;
    v->lock = (loam_lock)LOAM_LOCK_OF(LOAM_RANK_VMAP);
    loam_pt_batch_init(&v->batch);
    const loam_range_source stock = {
        .ctx = v, .get = loam_vmap__stock_get, .put = loam_vmap__stock_put};
    loam_err err = loam_range_init(&v->range, config->base + VMAP_GUARD, config->len - VMAP_GUARD,
                                   LOAM_PAGE_SIZE, config->tag, config->tag_count,
                                   config->source.get == NULL ? NULL : &stock);
    return err == LOAM_OK ? v : NULL;
}

/* ---- making an area ---- */

/* What is wanted. */
typedef struct vmap_ask {
    uint64_t mapped;       /* bytes, whole pages */
    uint64_t align, phase; /* of the first page */
    uint64_t note;
    const void *site;
    uint64_t base; /* of the first page; the answer */
} vmap_ask;

/* Rounds a size up; LOAM_EINVAL: none, or more than the window ever has. */
loam_err loam_vmap__round(const loam_vmap *v, uint64_t size, uint64_t *mapped)
{
    if (size == 0 || size > v->config.len - 2 * VMAP_GUARD)
        return LOAM_EINVAL;
    *mapped = loam_align_up(size, LOAM_PAGE_SIZE);
    return LOAM_OK;
}

/* Lock held. */
static loam_err area_place_locked(loam_vmap *v, vmap_ask *ask)
{
    loam_range_want want = {.align = ask->align, .phase = ask->phase};
    loam_err err = loam_range_alloc(&v->range, ask->mapped + VMAP_GUARD, &want, &ask->base);
    if (err != LOAM_OK)
        return err;
    loam_range_tag *t = loam_range_find(&v->range, ask->base);
    t->owner = (void *)(uintptr_t)ask->site;
    t->note = ask->note;
    return LOAM_OK;
}

void loam_vmap__flush_locked(loam_vmap *v)
{
    loam_tlb_flush(v->config.tlb, v->config.pt, &v->batch);
}

/* After the tables have been written, or not: counts, and gives an address back that has nothing
 * behind it. */
static void area_finish_locked(loam_vmap *v, const vmap_ask *ask, loam_err err)
{
    loam_vmap__flush_locked(v);
    if (err == LOAM_OK) {
        v->areas++;
        v->mapped += ask->mapped;
        v->allocs++;
    } else {
        loam_range_free(&v->range, ask->base, NULL);
    }
}

loam_err loam_vmap__fail(loam_vmap *v, loam_err err)
{
    if (err == LOAM_OK || err == LOAM_EINVAL)
        return err;
    loam_irq irq = vmap_lock(v);
    v->failures++;
    vmap_unlock(v, irq);
    return err;
}

/* Maps the frames of a list from va on: all, or none. Lock held. */
loam_err loam_vmap__map_list_locked(loam_vmap *v, uint64_t va, vmap_list *list, unsigned flags)
{
    loam_pt *pt = v->config.pt;
    for (size_t done = 0, n; done < list->count; done += n) {
        const loam_pfn *pfn = loam_vmap__list_part(v, list, done, &n);
        loam_err err = loam_pt_map_frames(pt, va + ((uint64_t)done << LOAM_PAGE_SHIFT), pfn, n,
                                          flags & VMAP_PT_FLAGS, &v->batch);
        if (err == LOAM_OK)
            continue;
        if (done > 0) /* pages of the smallest size: this needs no table */
            loam_pt_unmap(pt, va, (uint64_t)done << LOAM_PAGE_SHIFT, NULL, NULL, &v->batch);
        return err;
    }
    return LOAM_OK;
}

static LOAM_NOINLINE loam_err area_make(loam_vmap *v, vmap_ask *ask, vmap_list *list,
                                        unsigned flags)
{
    loam_irq irq = vmap_lock(v);
    loam_err err = area_place_locked(v, ask);
    if (err == LOAM_OK) {
        err = loam_vmap__map_list_locked(v, ask->base, list, flags);
        area_finish_locked(v, ask, err);
    }
    vmap_unlock(v, irq);
    return err;
}

/* Takes a right away again that was there to clear the pages. */
static void area_seal(loam_vmap *v, uint64_t va, uint64_t len, unsigned flags)
{
    loam_irq irq = vmap_lock(v);
    loam_pt_protect(v->config.pt, va, len, flags & VMAP_PT_FLAGS, &v->batch);
    loam_vmap__flush_locked(v);
    vmap_unlock(v, irq);
}

/* How new pages are mapped: writable for now when they must be cleared through the mapping. */
unsigned loam_vmap__first_flags(const loam_vmap *v, vmap_list *list, unsigned flags)
{
    bool through = (flags & LOAM_VMAP_ZERO) != 0 && v->config.clear == NULL &&
                   loam_vmap__frames_need_clearing(v, list);
    return through ? flags | LOAM_PT_WRITE : flags;
}

void loam_vmap__clear(loam_vmap *v, vmap_list *list, uint64_t va, unsigned flags, unsigned first)
{
    if ((flags & LOAM_VMAP_ZERO) == 0)
        return;
    loam_vmap__frames_clear(v, list, va);
    if (first != flags)
        area_seal(v, va, (uint64_t)list->count << LOAM_PAGE_SHIFT, flags);
}

/* Frames from the zones behind new addresses. */
static LOAM_NOINLINE loam_err area_fill(loam_vmap *v, vmap_ask *ask, unsigned flags)
{
    vmap_list list;
    bool zero = (flags & LOAM_VMAP_ZERO) != 0;
    loam_err err = loam_vmap__frames_take(v, &list, ask->mapped >> LOAM_PAGE_SHIFT, zero);
    if (err == LOAM_OK) {
        unsigned first = loam_vmap__first_flags(v, &list, flags);
        err = area_make(v, ask, &list, first);
        if (err == LOAM_OK)
            loam_vmap__clear(v, &list, ask->base, flags, first);
        else
            loam_vmap__frames_give(v, &list);
    }
    loam_vmap__list_drop(v, &list);
    return err;
}

loam_err loam_vmap__alloc(loam_vmap *v, uint64_t size, uint64_t align, unsigned flags, uint64_t *va,
                          const void *site)
{
    vmap_ask ask = {.align = align, .site = site};
    if (loam_vmap__round(v, size, &ask.mapped) != LOAM_OK || (align != 0 && !loam_is_pow2(align)))
        return LOAM_EINVAL;
    if ((flags & ~(unsigned)(VMAP_PT_FLAGS | LOAM_VMAP_ZERO | LOAM_VMAP_KMALLOC)) != 0)
        return LOAM_EINVAL;
    ask.note = vmap_note(flags, 0, ask.mapped - size);
    loam_vmap__stock_fill(v);
    loam_err err = loam_vmap__fail(v, area_fill(v, &ask, flags));
    loam_vmap__stock_drop(v);
    if (err == LOAM_OK)
        *va = ask.base;
    return err;
}

loam_err loam_vmap_alloc(loam_vmap *v, uint64_t size, uint64_t align, unsigned flags, uint64_t *va)
{
    if ((flags & LOAM_VMAP_KMALLOC) != 0)
        return LOAM_EINVAL;
    return loam_vmap__alloc(v, size, align, flags, va, __builtin_return_address(0));
}

/* ---- areas over frames of the caller, and over devices ---- */

/* Frames that the area will give back must be such that it can. */
static bool frames_can_be_given(loam_vmap *v, const loam_pfn *pfn, size_t n, const void *caller)
{
    size_t i = 0;
    while (i < n && loam_vmap__frame_is_single(v, pfn[i]))
        i++;
    if (i == n)
        return true;
    const loam_report report = {
        .unit = "vmap",
        .what = "gift of a frame that is no single one",
        .object = "frame",
        .value = pfn[i].v,
        .caller = caller,
        .rule = "V5",
    };
    loam_irq irq = vmap_lock(v);
    v->refusals++;
    vmap_unlock(v, irq);
    loam_port_misuse(&report);
    return false;
}

loam_err loam_vmap_map(loam_vmap *v, const loam_pfn *pfn, size_t n, unsigned flags, uint64_t *va)
{
    vmap_ask ask = {.site = __builtin_return_address(0)};
    bool lent = (flags & LOAM_VMAP_BORROW) != 0;
    if ((flags & ~(unsigned)VMAP_FLAGS) != 0 || (flags & LOAM_VMAP_ZERO) != 0)
        return LOAM_EINVAL;
    if (n > v->config.len >> LOAM_PAGE_SHIFT ||
        loam_vmap__round(v, (uint64_t)n << LOAM_PAGE_SHIFT, &ask.mapped) != LOAM_OK)
        return LOAM_EINVAL;
    if (!lent && !frames_can_be_given(v, pfn, n, ask.site))
        return LOAM_EINVAL;
    ask.note = vmap_note(flags | (lent ? VMAP_KEEP : 0), 0, 0);
    loam_vmap__stock_fill(v);
    loam_irq irq = vmap_lock(v);
    loam_err err = area_place_locked(v, &ask);
    if (err == LOAM_OK) {
        err = loam_pt_map_frames(v->config.pt, ask.base, pfn, n, flags & VMAP_PT_FLAGS, &v->batch);
        area_finish_locked(v, &ask, err);
    }
    vmap_unlock(v, irq);
    loam_vmap__stock_drop(v);
    if (err == LOAM_OK)
        *va = ask.base;
    return loam_vmap__fail(v, err);
}

/* Lock held. */
static loam_err area_make_pa_locked(loam_vmap *v, vmap_ask *ask, loam_pa first, unsigned flags)
{
    loam_err err = area_place_locked(v, ask);
    if (err != LOAM_OK)
        return err;
    err = loam_pt_map(v->config.pt, ask->base, first, ask->mapped, flags, &v->batch);
    area_finish_locked(v, ask, err);
    return err;
}

enum { VMAP_LARGE = 2 << 20, VMAP_HUGE = 1 << 30 };

loam_err loam_vmap_map_pa(loam_vmap *v, loam_pa pa, uint64_t len, unsigned flags, uint64_t *va)
{
    vmap_ask ask = {.site = __builtin_return_address(0)};
    uint64_t offset = pa.v & (LOAM_PAGE_SIZE - 1), first = pa.v - offset, size;
    if (len == 0 || loam_add_overflows(offset, len, &size) ||
        (flags & ~(unsigned)VMAP_PT_FLAGS) != 0 ||
        loam_vmap__round(v, size, &ask.mapped) != LOAM_OK)
        return LOAM_EINVAL;
    ask.note = vmap_note(flags | VMAP_KEEP, offset, ask.mapped - size);
    if (ask.mapped >= VMAP_LARGE) { /* so that large pages fit */
        ask.align = ask.mapped >= VMAP_HUGE ? VMAP_HUGE : 1ULL << loam_log2_floor(ask.mapped);
        ask.phase = first & (ask.align - 1);
    }
    loam_vmap__stock_fill(v);
    loam_irq irq = vmap_lock(v);
    loam_err err = area_make_pa_locked(v, &ask, loam_pa_of(first), flags);
    if (err == LOAM_ENOMEM && ask.align != 0) {
        ask.align = ask.phase = 0;
        err = area_make_pa_locked(v, &ask, loam_pa_of(first), flags);
    }
    vmap_unlock(v, irq);
    loam_vmap__stock_drop(v);
    if (err == LOAM_OK)
        *va = ask.base + offset;
    return loam_vmap__fail(v, err);
}
