/* SPDX-License-Identifier: MIT */
/* vmap_frames.c - the frames of an area, on their way from the zones and back.
 *
 * WHAT   While an area is made, its frames are out of the zones and not yet in the tables; while it
 *        goes, they are out of the tables and, until the flush, must not be in the zones. This file
 *        holds their numbers for that time.
 *
 * MODEL  A list lies on the caller's stack as far as it is short; a long one goes on in pages from
 *        where tables come from, 511 numbers each:
 *
 *            few [0 .. 7] ---> page [0 .. 510 | next] ---> page [0 .. 510 | next]
 *
 *        Who frees has to go on when there is no page to be had: a list may have less room than was
 *        asked for, and the area then goes in several parts, each with its flush.
 *
 * RULES  Those of vmap.c.
 * LOCKS  The pages come and go under the vmap's lock, as tables do. The zones are called without
 *        it: their shrinkers may free areas.
 * COST   O(frames), a page for each 511 of them while the call lasts.
 * FROM   -
 * NOT    Keeping the numbers while the area lives: the tables have them.
 */
#include "vmap_impl.h"

/* ---- tags: from the source without the lock, to the range under it ---- */

loam_range_tag *loam_vmap__stock_get(void *ctx)
{
    loam_vmap *v = ctx;
    loam_range_tag *t = v->stock;
    if (t != NULL)
        v->stock = t->next;
    return t;
}

void loam_vmap__stock_put(void *ctx, loam_range_tag *t)
{
    loam_vmap *v = ctx;
    t->next = v->stock;
    v->stock = t;
}

bool loam_vmap__stock_has_locked(const loam_vmap *v, unsigned n)
{
    const loam_range_tag *t = v->range.spare;
    for (; t != NULL && n > 0; t = t->next)
        n--;
    for (t = v->stock; t != NULL && n > 0; t = t->next)
        n--;
    return n == 0;
}

enum { STOCK_EACH = 2 }; /* tags that any change may take */

/* Fewer than that are no failure yet. */
void loam_vmap__stock_fill(loam_vmap *v)
{
    const loam_range_source *source = &v->config.source;
    loam_range_tag *t = NULL;
    bool enough = source->get == NULL, first = true;
    while (!enough) {
        loam_irq irq = vmap_lock(v);
        v->pending += first;
        if (t != NULL)
            loam_vmap__stock_put(v, t);
        enough = loam_vmap__stock_has_locked(v, STOCK_EACH * v->pending);
        vmap_unlock(v, irq);
        first = false;
        if (!enough)
            t = source->get(source->ctx);
        enough = enough || t == NULL;
    }
}

/* What the calls that are pending do not need, linked by next. Lock held. */
static loam_range_tag *stock_cut_locked(loam_vmap *v)
{
    unsigned keep = STOCK_EACH * v->pending;
    for (const loam_range_tag *t = v->range.spare; t != NULL && keep > 0; t = t->next)
        keep--;
    loam_range_tag **at = &v->stock;
    for (; *at != NULL && keep > 0; keep--)
        at = &(*at)->next;
    loam_range_tag *rest = *at;
    *at = NULL;
    return rest;
}

static void stock_trim(loam_vmap *v, bool ends)
{
    const loam_range_source *source = &v->config.source;
    if (source->get == NULL)
        return;
    loam_irq irq = vmap_lock(v);
    v->pending -= ends;
    loam_range_tag *t = stock_cut_locked(v);
    vmap_unlock(v, irq);
    while (t != NULL) {
        loam_range_tag *next = t->next;
        source->put(source->ctx, t);
        t = next;
    }
}

void loam_vmap__stock_drop(loam_vmap *v)
{
    stock_trim(v, true);
}

void loam_vmap__stock_trim(loam_vmap *v)
{
    stock_trim(v, false);
}

/* ---- lists ---- */

static vmap_more *list_page(const loam_vmap *v, loam_pa at)
{
    const loam_pt_memory *memory = &v->config.pt->memory;
    return memory->at(memory->ctx, at);
}

void loam_vmap__list_make_locked(loam_vmap *v, vmap_list *list, uint64_t n)
{
    const loam_pt_memory *memory = &v->config.pt->memory;
    list->count = 0;
    list->room = VMAP_FEW;
    list->more = list->at = loam_pa_of(0);
    while (list->room < n) {
        loam_pa page;
        if (!memory->alloc(memory->ctx, &page))
            return;
        list_page(v, page)->next = list->more;
        list->more = page;
        list->room += VMAP_MORE;
    }
}

void loam_vmap__list_drop(loam_vmap *v, vmap_list *list)
{
    const loam_pt_memory *memory = &v->config.pt->memory;
    if (list->more.v == 0)
        return;
    loam_irq irq = vmap_lock(v);
    while (list->more.v != 0) {
        loam_pa page = list->more;
        list->more = list_page(v, page)->next;
        memory->free(memory->ctx, page);
    }
    vmap_unlock(v, irq);
}

loam_pfn *loam_vmap__list_part(const loam_vmap *v, vmap_list *list, size_t done, size_t *n)
{
    loam_pfn *pfn = list->few;
    size_t most = VMAP_FEW, left = list->count - done;
    if (done == 0) {
        list->at = list->more;
    } else {
        vmap_more *more = list_page(v, list->at);
        pfn = more->pfn;
        most = VMAP_MORE;
        list->at = more->next;
    }
    *n = left < most ? left : most;
    return pfn;
}

/* ---- zones ---- */

static size_t frames_from_zones(const loam_zonelist *zones, unsigned flags, loam_pfn *pfn, size_t n)
{
    size_t got = 0;
    for (unsigned z = 0; z < zones->count && got < n; z++)
        got += loam_zone_alloc_bulk(zones->zone[z], 0, flags, pfn + got, n - got);
    return got;
}

loam_err loam_vmap__frames_take(loam_vmap *v, vmap_list *list, uint64_t n, bool zero)
{
    loam_irq irq = vmap_lock(v);
    loam_vmap__list_make_locked(v, list, n);
    vmap_unlock(v, irq);
    if (list->room < n)
        return LOAM_ENOMEM;
    list->count = (size_t)n;
    for (size_t done = 0, part, got; done < n; done += part) {
        loam_pfn *pfn = loam_vmap__list_part(v, list, done, &part);
        got = frames_from_zones(v->config.frames, zero ? LOAM_ZONE_ZERO : LOAM_ZONE_NORMAL, pfn,
                                part);
        if (got < part) {
            list->count = done + got;
            loam_vmap__frames_give(v, list);
            return LOAM_ENOMEM;
        }
    }
    return LOAM_OK;
}

/* How many of the frames, from the first on, are of its zone; *zone: that one, or NULL for a frame
 * that none has out. */
static size_t frames_of_zone(const loam_zonelist *zones, const loam_pfn *pfn, size_t n,
                             loam_zone **zone)
{
    size_t count = 1;
    if (zones->count == 1) {
        *zone = zones->zone[0];
        return n;
    }
    unsigned z = 0;
    while (z < zones->count && loam_zone_order(zones->zone[z], pfn[0]) < 0)
        z++;
    *zone = z < zones->count ? zones->zone[z] : NULL;
    while (*zone != NULL && count < n && loam_zone_order(*zone, pfn[count]) >= 0)
        count++;
    return count;
}

void loam_vmap__frames_give(loam_vmap *v, vmap_list *list)
{
    for (size_t done = 0, part; done < list->count; done += part) {
        const loam_pfn *pfn = loam_vmap__list_part(v, list, done, &part);
        for (size_t i = 0, n; i < part; i += n) {
            loam_zone *zone;
            n = frames_of_zone(v->config.frames, pfn + i, part - i, &zone);
            if (zone != NULL)
                loam_zone_free_bulk(zone, pfn + i, n);
            else
                loam_zonelist_free(v->config.frames, pfn[i]); /* says what is wrong */
        }
    }
    list->count = 0;
}

bool loam_vmap__frame_is_single(const loam_vmap *v, loam_pfn pfn)
{
    const loam_zonelist *zones = v->config.frames;
    for (unsigned z = 0; z < zones->count; z++)
        if (loam_zone_state(zones->zone[z], pfn) == LOAM_FRAME_HEAD)
            return loam_zone_order(zones->zone[z], pfn) == 0;
    return false;
}

/* ---- clearing what the zone could not ---- */

static bool frame_is_cleared(const loam_vmap *v, loam_pfn pfn)
{
    const loam_zonelist *zones = v->config.frames;
    for (unsigned z = 0; z < zones->count; z++)
        if (loam_zone_to_va(zones->zone[z], pfn) != NULL)
            return true;
    return false;
}

bool loam_vmap__frames_need_clearing(const loam_vmap *v, vmap_list *list)
{
    for (size_t done = 0, part; done < list->count; done += part) {
        const loam_pfn *pfn = loam_vmap__list_part(v, list, done, &part);
        for (size_t i = 0; i < part; i++)
            if (!frame_is_cleared(v, pfn[i]))
                return true;
    }
    return false;
}

void loam_vmap__frames_clear(loam_vmap *v, vmap_list *list, uint64_t va)
{
    const loam_vmap_config *config = &v->config;
    for (size_t done = 0, part; done < list->count; done += part) {
        const loam_pfn *pfn = loam_vmap__list_part(v, list, done, &part);
        for (size_t i = 0; i < part; i++, va += LOAM_PAGE_SIZE) {
            if (frame_is_cleared(v, pfn[i]))
                continue;
            if (config->clear != NULL)
                config->clear(config->clear_ctx, pfn[i]);
            else
                __builtin_memset((void *)(uintptr_t)va, 0, LOAM_PAGE_SIZE);
        }
    }
}
