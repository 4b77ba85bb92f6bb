/* SPDX-License-Identifier: MIT */
/* vmap_change.c - areas that go, shrink, grow, or change what they allow.
 *
 * WHAT   Everything that takes something away from an area that somebody could be using.
 *
 * MODEL  What a processor may still remember must not be given to anybody else. So one order, for
 *        frames, tables and addresses alike:
 *
 *            unmap ---> flush ---> addresses free | lock released | frames to their zones
 *            `------------- lock held ------------'
 *
 *        An area with more pages than the list of frames has room for goes from its end on, in
 *        parts; while it does, its piece is marked as dying and is no area for anybody else.
 *
 * RULES  V1 .. V5 (vmap.c)
 * LOCKS  As vmap.c: zones, clearing and reports without the lock.
 * COST   O(pages), one flush for each part; one part unless memory for the list is short.
 * FROM   -
 * NOT    Moving an area.
 */
#include "vmap_impl.h"

/* The piece of the area of this kind that va is the address of; NULL: there is none. Lock held. */
static loam_range_tag *area_at_locked(const loam_vmap *v, uint64_t va, unsigned kind)
{
    loam_range_tag *t = loam_range_find(&v->range, va);
    if (t == NULL || !vmap_is_area(t) || va != t->base + vmap_offset(t))
        return NULL;
    return (vmap_flags(t) & LOAM_VMAP_KMALLOC) == kind ? t : NULL;
}

typedef struct vmap_going {
    const loam_vmap *v;
    vmap_list *list;
    loam_pfn *part; /* where the next one is written */
    size_t left;    /* in this part */
} vmap_going;

static void frame_goes(void *ctx, uint64_t va, loam_pa pa, uint64_t len)
{
    vmap_going *g = ctx;
    (void)va;
    for (uint64_t off = 0; off < len; off += LOAM_PAGE_SIZE) {
        if (g->left == 0) {
            size_t done = g->list->count;
            g->list->count = g->list->room;
            g->part = loam_vmap__list_part(g->v, g->list, done, &g->left);
            g->list->count = done;
        }
        *g->part++ = loam_pa_to_pfn(loam_pa_of(pa.v + off));
        g->left--;
        g->list->count++;
    }
}

/* Unmaps the last pages of [va, va + len), as many as the list, which is made here, can hold, and
 * flushes. *cut says how many bytes. Lock held. */
static loam_err area_cut_locked(loam_vmap *v, uint64_t va, uint64_t len, bool keep, vmap_list *list,
                                uint64_t *cut)
{
    vmap_going going = {.v = v, .list = list};
    loam_vmap__list_make_locked(v, list, keep ? 0 : len >> LOAM_PAGE_SHIFT);
    uint64_t room = (uint64_t)list->room << LOAM_PAGE_SHIFT;
    *cut = keep || len < room ? len : room;
    loam_err err = loam_pt_unmap(v->config.pt, va + (len - *cut), *cut, keep ? NULL : frame_goes,
                                 &going, &v->batch);
    if (err == LOAM_OK)
        v->mapped -= *cut;
    loam_vmap__flush_locked(v);
    return err;
}

/* What was cut off goes back. */
static void area_drop(loam_vmap *v, vmap_list *list)
{
    loam_vmap__frames_give(v, list);
    loam_vmap__list_drop(v, list);
}

/* ---- free ---- */

typedef struct vmap_end {
    uint64_t base, left; /* bytes that are still mapped */
    bool keep;
} vmap_end;

/* One part of an area goes; with the last one its addresses. Lock held. */
static loam_err area_end_locked(loam_vmap *v, vmap_end *end, vmap_list *list)
{
    uint64_t cut;
    loam_err err = area_cut_locked(v, end->base, end->left, end->keep, list, &cut);
    if (err != LOAM_OK)
        return err;
    end->left -= cut;
    if (end->left > 0) {
        loam_range_find(&v->range, end->base)->note |= VMAP_DYING;
        return LOAM_OK;
    }
    v->areas--;
    v->frees++;
    return loam_range_free(&v->range, end->base, NULL);
}

/* The first part: is there such an area at all? */
static bool area_end_begins(loam_vmap *v, uint64_t va, unsigned kind, vmap_end *end,
                            vmap_list *list, loam_err *err)
{
    loam_irq irq = vmap_lock(v);
    const loam_range_tag *t = area_at_locked(v, va, kind);
    if (t != NULL) {
        *end = (vmap_end){t->base, vmap_mapped(t), (vmap_flags(t) & VMAP_KEEP) != 0};
        *err = area_end_locked(v, end, list);
    }
    vmap_unlock(v, irq);
    return t != NULL;
}

loam_err loam_vmap__free(loam_vmap *v, uint64_t va, unsigned kind, const void *caller)
{
    vmap_list list;
    vmap_end end;
    loam_err err;
    if (!area_end_begins(v, va, kind, &end, &list, &err))
        return loam_vmap__refuse(v, va, true, caller);
    area_drop(v, &list);
    while (err == LOAM_OK && end.left > 0) {
        loam_irq irq = vmap_lock(v);
        err = area_end_locked(v, &end, &list);
        vmap_unlock(v, irq);
        area_drop(v, &list);
    }
    loam_vmap__stock_trim(v);
    return err;
}

loam_err loam_vmap_free(loam_vmap *v, uint64_t va)
{
    return loam_vmap__free(v, va, 0, __builtin_return_address(0));
}

/* ---- protect ---- */

loam_err loam_vmap_protect(loam_vmap *v, uint64_t va, unsigned flags)
{
    const void *caller = __builtin_return_address(0);
    loam_err err = LOAM_EINVAL;
    if ((flags & ~(unsigned)VMAP_PT_FLAGS) != 0)
        return err;
    loam_irq irq = vmap_lock(v);
    loam_range_tag *t = area_at_locked(v, va, 0);
    if (t != NULL) {
        err = loam_pt_protect(v->config.pt, t->base, vmap_mapped(t), flags, &v->batch);
        if (err == LOAM_OK)
            t->note = (t->note & ~(uint64_t)VMAP_PT_FLAGS) | flags;
        loam_vmap__flush_locked(v);
    }
    vmap_unlock(v, irq);
    return t != NULL ? loam_vmap__fail(v, err) : loam_vmap__refuse(v, va, false, caller);
}

/* ---- resize ---- */

typedef struct vmap_resize {
    uint64_t va, size;     /* as asked */
    uint64_t mapped, want; /* bytes, whole pages: now and then */
    unsigned flags, kind;
} vmap_resize;

/* Changes what the area notes of the size asked for. */
static void area_note_size(loam_range_tag *t, uint64_t slack)
{
    t->note = vmap_note(vmap_flags(t), 0, slack);
}

/* The free piece behind the area is long enough. Lock held. */
static bool area_has_room(const loam_range_tag *t, uint64_t more)
{
    const loam_range_tag *next = loam_range_next(t);
    return next != NULL && !next->taken && next->len >= more;
}

/* Lock held. */
static loam_err area_grow_locked(loam_vmap *v, const vmap_resize *r, vmap_list *list,
                                 unsigned flags)
{
    loam_range_tag *t = area_at_locked(v, r->va, r->kind);
    if (t == NULL || vmap_mapped(t) != r->mapped)
        return LOAM_EBUSY; /* somebody else has changed it meanwhile */
    loam_err err = loam_range_resize(&v->range, r->va, r->want + VMAP_GUARD);
    if (err != LOAM_OK)
        return err;
    err = loam_vmap__map_list_locked(v, r->va + r->mapped, list, flags);
    loam_vmap__flush_locked(v);
    if (err != LOAM_OK) { /* takes back what it gave: a tag that is needed was given up just now */
        loam_range_resize(&v->range, r->va, r->mapped + VMAP_GUARD);
        return err;
    }
    v->mapped += r->want - r->mapped;
    area_note_size(loam_range_find(&v->range, r->va), r->want - r->size);
    return LOAM_OK;
}

static LOAM_NOINLINE loam_err area_grow(loam_vmap *v, const vmap_resize *r)
{
    vmap_list list;
    loam_err err = loam_vmap__frames_take(v, &list, (r->want - r->mapped) >> LOAM_PAGE_SHIFT,
                                          (r->flags & LOAM_VMAP_ZERO) != 0);
    if (err == LOAM_OK) {
        unsigned first = loam_vmap__first_flags(v, &list, r->flags);
        loam_irq irq = vmap_lock(v);
        err = area_grow_locked(v, r, &list, first);
        vmap_unlock(v, irq);
        if (err == LOAM_OK)
            loam_vmap__clear(v, &list, r->va + r->mapped, r->flags, first);
        else
            loam_vmap__frames_give(v, &list);
    }
    loam_vmap__list_drop(v, &list);
    return err;
}

/* One part of the area's end goes. Lock held. */
static loam_err area_shrink_locked(loam_vmap *v, vmap_resize *r, vmap_list *list)
{
    uint64_t cut;
    const loam_range_tag *t = area_at_locked(v, r->va, r->kind);
    list->count = 0;
    list->more = loam_pa_of(0);
    if (t == NULL || vmap_mapped(t) != r->mapped)
        return LOAM_EBUSY;
    if (!area_has_room(t, 0) && !loam_vmap__stock_has_locked(v, 1))
        return LOAM_ENOMEM;
    loam_err err = area_cut_locked(v, r->va + r->want, r->mapped - r->want, false, list, &cut);
    if (err != LOAM_OK)
        return err;
    r->mapped -= cut;
    err = loam_range_resize(&v->range, r->va, r->mapped + VMAP_GUARD);
    area_note_size(loam_range_find(&v->range, r->va), r->mapped == r->want ? r->want - r->size : 0);
    return err;
}

static LOAM_NOINLINE loam_err area_shrink(loam_vmap *v, vmap_resize *r)
{
    vmap_list list;
    loam_err err = LOAM_OK;
    while (err == LOAM_OK && r->mapped > r->want) {
        loam_irq irq = vmap_lock(v);
        err = area_shrink_locked(v, r, &list);
        vmap_unlock(v, irq);
        area_drop(v, &list);
    }
    return err;
}

/* What there is, and whether it will do; a change inside the last page is done at once. */
static loam_err area_look(loam_vmap *v, vmap_resize *r, bool *found)
{
    loam_err err = LOAM_OK;
    loam_irq irq = vmap_lock(v);
    loam_range_tag *t = area_at_locked(v, r->va, r->kind);
    *found = t != NULL && (vmap_flags(t) & VMAP_KEEP) == 0;
    if (*found) {
        r->flags = vmap_flags(t);
        r->mapped = vmap_mapped(t);
        if (r->want == r->mapped)
            area_note_size(t, r->want - r->size);
        else if (r->want > r->mapped && !area_has_room(t, r->want - r->mapped))
            err = LOAM_EBUSY;
    }
    vmap_unlock(v, irq);
    return err;
}

loam_err loam_vmap__resize(loam_vmap *v, uint64_t va, uint64_t size, unsigned kind,
                           const void *caller)
{
    vmap_resize r = {.va = va, .size = size, .kind = kind};
    bool found;
    if (loam_vmap__round(v, size, &r.want) != LOAM_OK)
        return LOAM_EINVAL;
    loam_err err = area_look(v, &r, &found);
    if (!found)
        return loam_vmap__refuse(v, va, false, caller);
    if (err != LOAM_OK || r.want == r.mapped)
        return err;
    loam_vmap__stock_fill(v);
    err = r.want > r.mapped ? area_grow(v, &r) : area_shrink(v, &r);
    loam_vmap__stock_drop(v);
    return loam_vmap__fail(v, err);
}

loam_err loam_vmap_resize(loam_vmap *v, uint64_t va, uint64_t size)
{
    return loam_vmap__resize(v, va, size, 0, __builtin_return_address(0));
}
