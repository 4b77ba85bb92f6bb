/* SPDX-License-Identifier: MIT */
/* slab_meta.c - where the object layer keeps its own things: frames, leaves, lines.
 *
 * WHAT   Nothing is written into an object's memory, so descriptors, free words and caches need a
 *        place. They live in frames from the same zone, or from one of their own that lies apart,
 *        and go back to it when nobody uses them.
 *
 * MODEL  Leaves: one frame is 64 descriptors, for 64 slab-sized pieces of the window. leaf[] has an
 *        entry for each such run; entries without a leaf lead to one frame of nothing.
 *        With many processors a leaf is two frames: the second has a remote line for each
 *        descriptor of the first.
 *        Lines: one frame is a header and 63 cache lines, handed out in runs. A run belongs to one
 *        user, so that words of two processors never share a line.
 *
 *            window  |0..63      |64..127    |128..191   |      lines  [h][cache...][w][w w][ ][ ]
 *            leaf[]   |           |           |
 *                     v           v           v                 free    0  0  0  0  0  0 0  1  1
 *                   [64 desc]  [nothing]   [64 desc]
 *
 * RULES  S6 and S7 of slab_check.c.
 * LOCKS  slab_lock while a map or a list changes, never while the zone is asked.
 * COST   desc_make: O(1); lines: a look at 16 frames at most, then a new one is taken.
 * FROM   Linux keeps the same things in struct page; a window and leaves need no frame table.
 * NOT    Moving lines together: one used line keeps its frame.
 */
#include "slab_internal.h"

enum {
    META_FRAMES_SEARCHED = 16,
    META_LEAVES_LOOKED_AT = 64 /* while the lock is held */
};

static loam_pfn meta_pfn(const loam_slabs *s, const void *va)
{
    return loam_pfn_of(s->first_frame + (slab_off(s, va) >> LOAM_PAGE_SHIFT));
}

static loam_pfn meta_zone_alloc(loam_zone *zone, uint64_t npages)
{
    if (loam_is_pow2(npages))
        return loam_zone_alloc(zone, loam_log2_floor(npages), LOAM_ZONE_SLAB);
    return loam_zone_alloc_exact(zone, npages, LOAM_ZONE_SLAB);
}

/* The address of frames that all lie in the window; else NULL. */
static unsigned char *meta_va(const loam_slabs *s, const loam_zone *zone, loam_pfn pfn,
                              uint64_t npages)
{
    unsigned char *va = loam_pfn_is_none(pfn) ? NULL : loam_zone_to_va(zone, pfn);
    bool inside = va != NULL && slab_off(s, va) < slab_len(s) &&
                  npages <= (slab_len(s) - slab_off(s, va)) >> LOAM_PAGE_SHIFT;
    return inside ? va : NULL;
}

/* A frame whose address is NULL, or outside of the window, cannot be used: another one is taken
 * before that one goes back. */
static unsigned char *meta_frames_of(const loam_slabs *s, loam_zone *zone, uint64_t npages)
{
    loam_pfn pfn = meta_zone_alloc(zone, npages);
    unsigned char *va = meta_va(s, zone, pfn, npages);
    if (loam_pfn_is_none(pfn) || va != NULL)
        return va;
    loam_pfn second = meta_zone_alloc(zone, npages);
    loam_zone_free_slab(zone, pfn);
    va = meta_va(s, zone, second, npages);
    if (loam_pfn_is_none(second) || va != NULL)
        return va;
    loam_zone_free_slab(zone, second);
    return NULL;
}

void *loam_slab__frames_alloc(loam_slabs *s, uint64_t npages)
{
    unsigned char *va = NULL;
    for (unsigned i = 0; va == NULL && i < s->zones.count; i++)
        va = meta_frames_of(s, s->zones.zone[i], npages);
    if (va != NULL)
        LOAM_PORT_NOTE_SHOW(va, (size_t)npages << LOAM_PAGE_SHIFT);
    return va;
}

/* The zone in which a frame lies; of none the layer's own. */
static loam_zone *meta_zone_of(const loam_slabs *s, loam_pfn pfn)
{
    unsigned i = s->zones.count - 1;
    while (i > 0 && loam_zone_state(s->zones.zone[i], pfn) == LOAM_FRAME_OUTSIDE)
        i--;
    return s->zones.zone[i];
}

loam_frame_state loam_slab__frame_state(const loam_slabs *s, uintptr_t off)
{
    loam_pfn pfn = loam_pfn_of(s->first_frame + (off >> LOAM_PAGE_SHIFT));
    return loam_zone_state(meta_zone_of(s, pfn), pfn);
}

void loam_slab__frames_free(loam_slabs *s, void *va)
{
    loam_pfn pfn = meta_pfn(s, va);
    loam_zone_free_slab(meta_zone_of(s, pfn), pfn);
}

/* ---- a zone apart ---- */

static loam_pfn own_pfn(const loam_slabs *s, const void *va)
{
    uint64_t pa = s->meta_map.pa + ((uintptr_t)va - (uintptr_t)s->meta_map.va);
    return loam_pfn_of(pa >> LOAM_PAGE_SHIFT);
}

void *loam_slab__own_alloc(loam_slabs *s, uint64_t npages)
{
    if (s->meta == NULL) {
        void *va = loam_slab__frames_alloc(s, npages);
        if (va != NULL)
            loam_slab__wear(s, va, (size_t)npages << LOAM_PAGE_SHIFT);
        return va;
    }
    loam_pfn pfn = meta_zone_alloc(s->meta, npages);
    return loam_pfn_is_none(pfn) ? NULL : loam_zone_to_va(s->meta, pfn);
}

void loam_slab__own_free(loam_slabs *s, void *va)
{
    if (s->meta == NULL)
        loam_slab__frames_free(s, va);
    else
        loam_zone_free_slab(s->meta, own_pfn(s, va));
}

bool loam_slab__own_is_ours(const loam_slabs *s, const void *va)
{
    if (!slab_holds(s, va) || ((uintptr_t)va & (LOAM_PAGE_SIZE - 1)) != 0)
        return false;
    return (s->meta == NULL ? loam_slab__frame_state(s, slab_off(s, va))
                            : loam_zone_state(s->meta, own_pfn(s, va))) == LOAM_FRAME_SLAB;
}

bool loam_slab__frames_resize(loam_slabs *s, void *va, uint64_t was, uint64_t npages)
{
    loam_pfn pfn = meta_pfn(s, va);
    if (npages > (slab_len(s) - slab_off(s, va)) >> LOAM_PAGE_SHIFT ||
        loam_zone_resize(meta_zone_of(s, pfn), pfn, was, npages, LOAM_ZONE_SLAB) != LOAM_OK)
        return false;
    if (npages > was)
        LOAM_PORT_NOTE_SHOW((char *)va + (was << LOAM_PAGE_SHIFT), (size_t)(npages - was)
                                                                       << LOAM_PAGE_SHIFT);
    loam_slab__wear(s, va, (size_t)npages << LOAM_PAGE_SHIFT);
    return true;
}

/* ---- leaves ---- */

static uintptr_t meta_biased(uintptr_t leaf, uintptr_t i)
{
    return leaf - i * SLAB_LEAF * SLAB_LINE;
}

void loam_slab__leaf_clear(loam_slabs *s, unsigned char *leaf, bool fresh)
{
    slab_desc *d = (slab_desc *)(void *)leaf;
    for (unsigned i = 0; i < SLAB_LEAF; i++) {
        d[i].kind = SLAB_NONE;
        slab_desc_clear(s, &d[i], NULL);
    }
    if (slab_is_many(s) && !fresh)
        __builtin_memset(leaf + LOAM_PAGE_SIZE, 0, LOAM_PAGE_SIZE);
}

/* Is there no leaf in this place? With the lock, or of a layer whose leaves stay. */
static bool meta_no_leaf(const loam_slabs *s, uintptr_t i)
{
    /* pairs with the store in meta_set_leaf */
    uintptr_t leaf = (uintptr_t)loam_atomic_ptr_load((void *const *)&s->leaf[i]);
    return s->leaves > 1 && leaf == meta_biased(s->no_leaf, i);
}

/* The same, with a lock where it may go. */
static bool meta_lacks_leaf(loam_slabs *s, uintptr_t i)
{
    if (s->lazy)
        return meta_no_leaf(s, i);
    loam_irq irq = slab_lock(s);
    bool none = meta_no_leaf(s, i);
    slab_unlock(s, irq);
    return none;
}

/* false: there is one by now. */
static bool meta_set_leaf(loam_slabs *s, uintptr_t i, unsigned char *leaf)
{
    loam_irq irq = slab_lock(s);
    bool none = meta_no_leaf(s, i);
    if (none) /* pairs with the loads in meta_no_leaf, sparse_desc */
        loam_atomic_ptr_store((void **)&s->leaf[i], (void *)meta_biased((uintptr_t)leaf, i));
    slab_unlock(s, irq);
    return none;
}

slab_desc *loam_slab__desc_make(loam_slabs *s, const void *va)
{
    uintptr_t off = slab_off(s, va), i = off >> s->shift >> SLAB_LEAF_BITS;
    if (meta_lacks_leaf(s, i)) {
        unsigned char *leaf = loam_slab__own_alloc(s, slab_leaf_frames(s));
        if (leaf == NULL)
            return NULL;
        loam_slab__leaf_clear(s, leaf, false);
        if (!meta_set_leaf(s, i, leaf)) /* another was faster */
            loam_slab__own_free(s, leaf);
    }
    return slab_desc_at(s, off);
}

slab_desc *loam_slab__desc_there(const loam_slabs *s, const void *va)
{
    uintptr_t off = slab_off(s, va);
    return meta_no_leaf(s, off >> s->shift >> SLAB_LEAF_BITS) ? NULL : slab_desc_at(s, off);
}

/* Lock held. Is there a leaf in this place that knows of nothing, and stays so? */
static bool meta_is_unused(const loam_slabs *s, uintptr_t i)
{
    uintptr_t leaf = s->leaf[i] + i * SLAB_LEAF * SLAB_LINE;
    const slab_desc *d = (const slab_desc *)leaf;
    bool unused = s->building == 0 && s->leaves > 1 && leaf != s->no_leaf;
    for (unsigned n = 0; n < SLAB_LEAF && unused; n++)
        unused = d[n].kind == SLAB_NONE;
    return unused;
}

/* The first unused leaf of places [*i, end) goes; *i is then behind it, or what of the places was
 * looked at in one go. */
static bool meta_leaf_trim(loam_slabs *s, uintptr_t *i, uintptr_t end)
{
    uintptr_t leaf = 0, stop = end - *i < META_LEAVES_LOOKED_AT ? end : *i + META_LEAVES_LOOKED_AT;
    loam_irq irq = slab_lock(s);
    for (; *i < stop && leaf == 0; ++*i) {
        if (!meta_is_unused(s, *i))
            continue;
        leaf = s->leaf[*i] + *i * SLAB_LEAF * SLAB_LINE;
        s->leaf[*i] = meta_biased(s->no_leaf, *i);
    }
    slab_unlock(s, irq);
    if (leaf != 0)
        loam_slab__own_free(s, (void *)leaf);
    return leaf != 0;
}

bool loam_slab__leaf_trim(loam_slabs *s, const void *va)
{
    bool any = false;
    if (s->lazy) /* a wrong free reads leaves with no lock, and must never meet a foreign frame */
        return false;
    uintptr_t i = va != NULL ? slab_off(s, va) >> s->shift >> SLAB_LEAF_BITS : 0;
    uintptr_t end = va != NULL ? i + 1 : s->leaves;
    while (i < end)
        any = meta_leaf_trim(s, &i, end) || any;
    return any;
}

/* ---- lines ---- */

/* The first of n neighbouring set bits, or -1. */
static int meta_run(uint64_t bits, unsigned n)
{
    unsigned have = 1; /* bit i of bits: `have` lines from i on are free */
    while (have < n && bits != 0) {
        unsigned step = n - have < have ? n - have : have;
        bits &= bits >> step;
        have += step;
    }
    return bits == 0 ? -1 : (int)loam_ctz64(bits);
}

static slab_lines *meta_frame_of(const loam_list *node)
{
    return LOAM_CONTAINER_OF(node, slab_lines, link);
}

/* Lock held. The frame becomes the first of a list, if it is not: its neighbours' headers were
 * written by other processors last. */
static void meta_put_first(loam_list *list, slab_lines *frame)
{
    if (list->next == &frame->link)
        return;
    loam_list_remove(&frame->link);
    loam_list_push(list, &frame->link);
}

/* n lines of one frame; interrupts are off. */
static void *meta_take(loam_slabs *s, slab_lines *frame, unsigned n)
{
    int at = meta_run(frame->free, n);
    if (at < 0)
        return NULL;
    frame->free &= ~(loam_mask64(n) << at);
    s->lines_used += n;
    meta_put_first(frame->free == 0 ? &s->lines_full : &s->lines_partial, frame);
    return (unsigned char *)frame + (size_t)at * SLAB_LINE;
}

static void *meta_take_any(loam_slabs *s, unsigned n)
{
    loam_list *node = s->lines_partial.next;
    for (unsigned i = 0; i < META_FRAMES_SEARCHED && node != &s->lines_partial; i++) {
        loam_list *next = node->next;
        void *p = meta_take(s, meta_frame_of(node), n);
        if (p != NULL)
            return p;
        node = next;
    }
    return NULL;
}

static void *meta_take_new(loam_slabs *s, unsigned n)
{
    slab_lines *frame = loam_slab__own_alloc(s, 1);
    if (frame == NULL)
        return NULL;
    frame->free = ~1ULL;
    loam_irq irq = slab_lock(s);
    s->line_frames++;
    loam_list_push(&s->lines_partial, &frame->link);
    void *p = meta_take(s, frame, n);
    slab_unlock(s, irq);
    return p;
}

static unsigned meta_lines(size_t bytes)
{
    return (unsigned)((bytes + SLAB_LINE - 1) / SLAB_LINE);
}

void *loam_slab__meta_take(loam_slabs *s, size_t bytes)
{
    bool whole = bytes > (size_t)SLAB_FRAME_LINES * SLAB_LINE;
    return whole ? NULL : meta_take_any(s, meta_lines(bytes));
}

void *loam_slab__meta_alloc(loam_slabs *s, size_t bytes)
{
    if (bytes > (size_t)SLAB_FRAME_LINES * SLAB_LINE)
        return loam_slab__own_alloc(s, (bytes + LOAM_PAGE_SIZE - 1) >> LOAM_PAGE_SHIFT);
    unsigned n = meta_lines(bytes);
    loam_irq irq = slab_lock(s);
    void *p = meta_take_any(s, n);
    slab_unlock(s, irq);
    return p != NULL ? p : meta_take_new(s, n);
}

/* Lock held. Takes a frame of which no line is used off its list; false: one is, or may be soon. */
static bool meta_unlink(loam_slabs *s, slab_lines *frame)
{
    if (frame->free != ~1ULL || s->building != 0)
        return false;
    loam_list_remove(&frame->link);
    s->line_frames--;
    return true;
}

void *loam_slab__meta_put(loam_slabs *s, void *p, size_t bytes)
{
    if (bytes == 0 || bytes > (size_t)SLAB_FRAME_LINES * SLAB_LINE)
        return bytes == 0 ? NULL : p;
    unsigned at = (unsigned)((uintptr_t)p & (LOAM_PAGE_SIZE - 1)) / SLAB_LINE;
    slab_lines *frame = (slab_lines *)(void *)((unsigned char *)p - (size_t)at * SLAB_LINE);
    frame->free |= loam_mask64(meta_lines(bytes)) << at;
    s->lines_used -= meta_lines(bytes);
    meta_put_first(&s->lines_partial, frame);
    return !s->keep_empty && meta_unlink(s, frame) ? frame : NULL;
}

void loam_slab__meta_free(loam_slabs *s, void *p, size_t bytes)
{
    loam_irq irq = slab_lock(s);
    void *unused = loam_slab__meta_put(s, p, bytes);
    slab_unlock(s, irq);
    if (unused != NULL)
        loam_slab__own_free(s, unused);
}

bool loam_slab__meta_trim(loam_slabs *s)
{
    loam_list unused;
    loam_list_init(&unused);
    loam_irq irq = slab_lock(s);
    for (loam_list *n = s->lines_partial.next, *next; n != &s->lines_partial; n = next) {
        next = n->next;
        if (meta_unlink(s, meta_frame_of(n)))
            loam_list_push(&unused, n);
    }
    slab_unlock(s, irq);
    bool any = !loam_list_is_empty(&unused);
    while (!loam_list_is_empty(&unused)) {
        loam_list *n = unused.next;
        loam_list_remove(n);
        loam_slab__own_free(s, meta_frame_of(n));
    }
    return any;
}
