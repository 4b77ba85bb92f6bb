/* SPDX-License-Identifier: MIT */
/* vmap_view.c - which area holds an address, what is wrong with it, the counts, the rules.
 *
 * WHAT   Answers for any address at all; changes nothing but counters.
 *
 * MODEL  An address lies in a piece. In its last page it is behind an area; in a page that is no
 *        area's, it may be the one right in front of the next area:
 *
 *            [ area      |G]   free   . [ area     |G]
 *              area       behind      in front
 *
 * RULES  V1 .. V5 (vmap.c): here they are tested.
 * LOCKS  Each answer takes the lock once; a walk takes it for each area, so that its function may
 *        call the vmap.
 * COST   O(log areas) an answer; check O(areas + pages).
 * FROM   -
 * NOT    -
 */
#include "vmap_impl.h"

/* The area whose guard holds `at`, which lies in the piece t or, without one, in the first page. */
static const loam_range_tag *view_guarded(const loam_vmap *v, const loam_range_tag *t, uint64_t at)
{
    if (t != NULL && vmap_is_area(t))
        return t;
    const loam_range_tag *next = t != NULL ? loam_range_next(t) : loam_range_first(&v->range);
    return next != NULL && vmap_is_area(next) && next->base - at <= VMAP_GUARD ? next : NULL;
}

/* The area around an address, its guards included; NULL: none. Lock held. */
static const loam_range_tag *view_locked(const loam_vmap *v, uint64_t at, bool *guard)
{
    *guard = false;
    if (at - v->config.base >= v->config.len)
        return NULL;
    const loam_range_tag *t = loam_range_find(&v->range, at);
    if (t != NULL && vmap_is_area(t) && at - t->base < vmap_mapped(t))
        return t;
    t = view_guarded(v, t, at);
    *guard = t != NULL;
    return t;
}

static loam_vmap_area view_of(const loam_range_tag *t)
{
    uint64_t offset = vmap_offset(t);
    return (loam_vmap_area){
        .va = t->base + offset,
        .size = vmap_mapped(t),
        .wanted = vmap_mapped(t) - offset - vmap_slack(t),
        .flags = vmap_flags(t) & VMAP_SHOWN,
        .site = t->owner,
    };
}

bool loam_vmap_find(loam_vmap *v, uint64_t va, loam_vmap_area *area, bool *guard)
{
    *guard = false;
    if (vmap_is_mine(v))
        return false;
    loam_irq irq = vmap_lock(v);
    const loam_range_tag *t = view_locked(v, va, guard);
    if (t != NULL)
        *area = view_of(t);
    vmap_unlock(v, irq);
    return t != NULL;
}

/* The first area that starts at or above `at`; at is moved behind it. */
static bool view_next(loam_vmap *v, uint64_t *at, loam_vmap_area *area)
{
    loam_irq irq = vmap_lock(v);
    const loam_range_tag *t = loam_range_find(&v->range, *at);
    while (t != NULL && (t->base < *at || !vmap_is_area(t)))
        t = loam_range_next(t);
    if (t != NULL) {
        *area = view_of(t);
        *at = t->base + t->len;
    }
    vmap_unlock(v, irq);
    return t != NULL;
}

void loam_vmap_each(loam_vmap *v, loam_vmap_fn *fn, void *ctx)
{
    uint64_t at = v->range.base;
    loam_vmap_area area;
    while (view_next(v, &at, &area) && fn(ctx, &area) && at != 0) {
    }
}

void loam_vmap_stat(loam_vmap *v, loam_vmap_stats *stats)
{
    loam_irq irq = vmap_lock(v);
    uint64_t largest = loam_range_largest(&v->range);
    *stats = (loam_vmap_stats){
        .window = v->config.len,
        .largest = largest > VMAP_GUARD ? largest - VMAP_GUARD : 0,
        .areas = v->areas,
        .mapped = v->mapped,
        .tables = v->config.pt->tables,
        .allocs = v->allocs,
        .frees = v->frees,
        .failures = v->failures,
        .refusals = v->refusals,
        .tlb = v->config.tlb->stats,
    };
    vmap_unlock(v, irq);
}

/* ---- refusals ---- */

/* The words for an address that lies in an area, or is one and yet refused. */
static void view_describe_area(const loam_range_tag *t, uint64_t va, bool guard, bool freeing,
                               loam_report *report)
{
    loam_vmap_area area = view_of(t);
    report->size = area.wanted;
    report->site = area.site;
    if (va != area.va) {
        report->what = freeing ? "inner free" : "use of an address inside an area";
        report->state = guard ? "guard" : "inner";
    } else if ((area.flags & LOAM_VMAP_KMALLOC) != 0) {
        report->what = freeing ? "free of a block of kmalloc" : "use of a block of kmalloc";
        report->state = "kmalloc's";
    } else {
        report->what = "resize of frames that are not its own";
        report->state = "borrowed";
    }
}

/* Fills in what an address is that a call refuses. Lock held. */
static void view_describe_locked(const loam_vmap *v, uint64_t va, bool freeing, loam_report *report)
{
    bool guard;
    const loam_range_tag *t = view_locked(v, va, &guard);
    if (t != NULL) {
        view_describe_area(t, va, guard, freeing, report);
    } else if (va - v->config.base < v->config.len) {
        report->what = freeing ? "double free" : "use of a free area";
        report->state = "free";
    } else {
        report->what = freeing ? "foreign free" : "use of a foreign address";
        report->state = "outside";
    }
}

loam_err loam_vmap__refuse(loam_vmap *v, uint64_t va, bool freeing, const void *caller)
{
    loam_report report = {
        .unit = "vmap", .object = "address", .value = va, .caller = caller, .rule = "V1"};
    loam_irq irq = vmap_lock(v);
    v->refusals++;
    view_describe_locked(v, va, freeing, &report);
    vmap_unlock(v, irq);
    loam_port_misuse(&report);
    return LOAM_EINVAL;
}

/* ---- check ---- */

static const char *check_pieces(const loam_vmap *v)
{
    const loam_range *r = &v->range;
    uint64_t areas = 0, mapped = 0;
    if (r->base != v->config.base + VMAP_GUARD || r->len != v->config.len - VMAP_GUARD ||
        r->quantum != LOAM_PAGE_SIZE)
        return "V1 the range is the window without its first page";
    for (const loam_range_tag *t = loam_range_first(r); t != NULL; t = loam_range_next(t)) {
        if (!t->taken)
            continue;
        uint64_t inside = vmap_offset(t) + vmap_slack(t);
        bool lent = (vmap_flags(t) & LOAM_VMAP_BORROW) != 0;
        if (t->len < 2 * VMAP_GUARD || inside >= vmap_mapped(t) ||
            (vmap_flags(t) & ~(unsigned)(VMAP_SHOWN | VMAP_KEEP)) != 0 ||
            (lent && (vmap_flags(t) & VMAP_KEEP) == 0))
            return "V2 a piece's note fits its area";
        areas++;
        mapped += vmap_mapped(t);
    }
    return areas == v->areas && mapped == v->mapped ? NULL : "V1 counts are those of the pieces";
}

/* One walk over what is mapped in the window, along the pieces. */
typedef struct vmap_checker {
    const loam_vmap *v;
    const loam_range_tag *t; /* the piece that the walk is in, or the next taken one */
    uint64_t at;             /* the page of it that must come next */
    const char *broken;
} vmap_checker;

static void check_enter(vmap_checker *c, const loam_range_tag *t)
{
    while (t != NULL && !t->taken)
        t = loam_range_next(t);
    c->t = t;
    c->at = t != NULL ? t->base : 0;
}

/* Goes on to the piece that holds va; false: a page is missing on the way. */
static bool check_goes_on(vmap_checker *c, uint64_t va)
{
    while (c->t != NULL && va - c->t->base >= vmap_mapped(c->t) && va > c->t->base) {
        if (c->at != c->t->base + vmap_mapped(c->t))
            return false;
        check_enter(c, loam_range_next(c->t));
    }
    return true;
}

static bool check_owned(const loam_vmap *v, const loam_pt_entry *e)
{
    uint64_t off = 0;
    while (off < e->len && loam_vmap__frame_is_single(v, loam_pa_to_pfn(loam_pa_of(e->pa.v + off))))
        off += LOAM_PAGE_SIZE;
    return off >= e->len;
}

static bool check_page(void *ctx, const loam_pt_entry *e)
{
    const unsigned rights = LOAM_PT_WRITE | LOAM_PT_USER | LOAM_PT_DEVICE;
    vmap_checker *c = ctx;
    if (!check_goes_on(c, e->va)) {
        c->broken = "V3 each page of an area is mapped";
        return false;
    }
    const loam_range_tag *t = c->t;
    if (t == NULL || e->va < t->base || e->len > t->base + vmap_mapped(t) - e->va)
        c->broken = "V4 nothing but areas is mapped";
    else if (e->va != c->at || ((e->flags ^ vmap_flags(t)) & rights) != 0)
        c->broken = "V3 each page of an area is mapped, and allows what it notes";
    else if ((vmap_flags(t) & VMAP_KEEP) == 0 && !check_owned(c->v, e))
        c->broken = "V5 a frame of an area is a single one that is out";
    c->at += e->len;
    return c->broken == NULL;
}

static const char *check_tables(const loam_vmap *v)
{
    vmap_checker c = {.v = v};
    check_enter(&c, loam_range_first(&v->range));
    loam_pt_each(v->config.pt, v->config.base, v->config.len, check_page, &c);
    if (c.broken == NULL && !check_goes_on(&c, v->config.base + (v->config.len - 1)))
        c.broken = "V3 each page of an area is mapped";
    return c.broken;
}

const char *loam_vmap_check(loam_vmap *v)
{
    loam_irq irq = vmap_lock(v);
    const char *broken = loam_range_check(&v->range);
    if (broken == NULL)
        broken = loam_pt_check(v->config.pt);
    if (broken == NULL)
        broken = check_pieces(v);
    if (broken == NULL)
        broken = check_tables(v);
    vmap_unlock(v, irq);
    return broken;
}
