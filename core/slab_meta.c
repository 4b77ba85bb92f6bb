/* SPDX-License-Identifier: MIT */
/* slab_meta.c - where the object layer keeps its own things: frames, leaves, lines.
 *
 * WHAT   Nothing is written into an object's memory, so descriptors, free words and caches need a
 *        place. They live in frames from the same zone, and go back to it when nobody uses them.
 *
 * MODEL  Leaves: one frame is 64 descriptors, for 64 slab-sized pieces of the window. leaf[] has an
 *        entry for each such run; entries without a leaf lead to one frame of zeros.
 *        Lines: one frame is a header and 63 cache lines, handed out in runs. A run belongs to one
 *        user, so that words of two processors never share a line.
 *
 *            window  |0..63      |64..127    |128..191   |      lines  [h][cache...][w][w w][ ][ ]
 *            leaf[]   |           |           |
 *                     v           v           v                 free    0  0  0  0  0  0 0  1  1
 *                   [64 desc]  [zeros]     [64 desc]
 *
 * RULES  S6 and S7 of slab_check.c.
 * LOCKS  Interrupts are off only while a map or a list changes, never while the zone is asked.
 * COST   desc_make: O(1); lines: a look at 16 frames at most, then a new one is taken.
 * FROM   Linux keeps the same things in struct page; a window and leaves need no frame table.
 * NOT    Moving lines together: one used line keeps its frame.
 */
#include "slab_internal.h"

enum { META_FRAMES_SEARCHED = 16 };

static loam_pfn meta_pfn(const loam_slabs *s, const void *va)
{
    return loam_pfn_of(s->first_frame + (slab_off(s, va) >> LOAM_PAGE_SHIFT));
}

static loam_pfn meta_zone_alloc(loam_slabs *s, uint64_t npages)
{
    if (loam_is_pow2(npages))
        return loam_zone_alloc(s->zone, loam_log2_floor(npages), LOAM_ZONE_SLAB);
    return loam_zone_alloc_exact(s->zone, npages, LOAM_ZONE_SLAB);
}

/* The address of frames that all lie in the window; else NULL. */
static unsigned char *meta_va(const loam_slabs *s, loam_pfn pfn, uint64_t npages)
{
    unsigned char *va = loam_pfn_is_none(pfn) ? NULL : loam_zone_to_va(s->zone, pfn);
    bool inside = va != NULL && slab_off(s, va) < s->len &&
                  npages <= (s->len - slab_off(s, va)) >> LOAM_PAGE_SHIFT;
    return inside ? va : NULL;
}

/* A frame whose address is NULL, or outside of the window, cannot be used: another one is taken
 * before that one goes back. */
void *loam_slab__frames_alloc(loam_slabs *s, uint64_t npages)
{
    loam_pfn pfn = meta_zone_alloc(s, npages);
    unsigned char *va = meta_va(s, pfn, npages);
    if (loam_pfn_is_none(pfn) || va != NULL)
        return va;
    loam_pfn second = meta_zone_alloc(s, npages);
    loam_zone_free_slab(s->zone, pfn);
    va = meta_va(s, second, npages);
    if (loam_pfn_is_none(second) || va != NULL)
        return va;
    loam_zone_free_slab(s->zone, second);
    return NULL;
}

void loam_slab__frames_free(loam_slabs *s, void *va)
{
    loam_zone_free_slab(s->zone, meta_pfn(s, va));
}

/* ---- leaves ---- */

static uintptr_t meta_biased(uintptr_t leaf, uintptr_t i)
{
    return leaf - i * SLAB_LEAF * SLAB_LINE;
}

slab_desc *loam_slab__desc_make(loam_slabs *s, const void *va)
{
    uintptr_t off = slab_off(s, va), i = off >> s->shift >> SLAB_LEAF_BITS;
    if (s->leaves > 1 && s->leaf[i] == meta_biased(s->no_leaf, i)) {
        unsigned char *leaf = loam_slab__frames_alloc(s, 1);
        if (leaf == NULL)
            return NULL;
        __builtin_memset(leaf, 0, LOAM_PAGE_SIZE);
        loam_irq irq = loam_port_irq_save();
        bool mine = s->leaf[i] == meta_biased(s->no_leaf, i);
        if (mine)
            s->leaf[i] = meta_biased((uintptr_t)leaf, i);
        loam_port_irq_restore(irq);
        if (!mine) /* an interrupt was faster */
            loam_slab__frames_free(s, leaf);
    }
    return slab_desc_at(s, off);
}

static bool meta_leaf_trim(loam_slabs *s, uintptr_t i)
{
    uintptr_t leaf = s->leaf[i] + i * SLAB_LEAF * SLAB_LINE;
    if (s->leaves == 1 || leaf == s->no_leaf)
        return false;
    const slab_desc *d = (const slab_desc *)leaf;
    loam_irq irq = loam_port_irq_save();
    bool unused = s->building == 0;
    for (unsigned n = 0; n < SLAB_LEAF && unused; n++)
        unused = d[n].kind == SLAB_NONE;
    if (unused)
        s->leaf[i] = meta_biased(s->no_leaf, i);
    loam_port_irq_restore(irq);
    if (unused)
        loam_slab__frames_free(s, (void *)leaf);
    return unused;
}

bool loam_slab__leaf_trim(loam_slabs *s, const void *va)
{
    if (va != NULL)
        return meta_leaf_trim(s, slab_off(s, va) >> s->shift >> SLAB_LEAF_BITS);
    bool any = false;
    for (uintptr_t i = 0; i < s->leaves; i++)
        any = meta_leaf_trim(s, i) || any;
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

/* n lines of one frame; interrupts are off. */
static void *meta_take(loam_slabs *s, slab_lines *frame, unsigned n)
{
    int at = meta_run(frame->free, n);
    if (at < 0)
        return NULL;
    frame->free &= ~(loam_mask64(n) << at);
    s->lines_used += n;
    loam_list_remove(&frame->link);
    loam_list_push(frame->free == 0 ? &s->lines_full : &s->lines_partial, &frame->link);
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
    slab_lines *frame = loam_slab__frames_alloc(s, 1);
    if (frame == NULL)
        return NULL;
    frame->free = ~1ULL;
    loam_irq irq = loam_port_irq_save();
    s->line_frames++;
    loam_list_push(&s->lines_partial, &frame->link);
    void *p = meta_take(s, frame, n);
    loam_port_irq_restore(irq);
    return p;
}

static unsigned meta_lines(size_t bytes)
{
    return (unsigned)((bytes + SLAB_LINE - 1) / SLAB_LINE);
}

void *loam_slab__meta_alloc(loam_slabs *s, size_t bytes)
{
    if (bytes > (size_t)SLAB_FRAME_LINES * SLAB_LINE)
        return loam_slab__frames_alloc(s, (bytes + LOAM_PAGE_SIZE - 1) >> LOAM_PAGE_SHIFT);
    unsigned n = meta_lines(bytes);
    loam_irq irq = loam_port_irq_save();
    void *p = meta_take_any(s, n);
    loam_port_irq_restore(irq);
    return p != NULL ? p : meta_take_new(s, n);
}

static bool meta_drop_frame(loam_slabs *s, slab_lines *frame)
{
    loam_irq irq = loam_port_irq_save();
    bool unused = frame->free == ~1ULL && s->building == 0;
    if (unused) {
        loam_list_remove(&frame->link);
        s->line_frames--;
    }
    loam_port_irq_restore(irq);
    if (unused)
        loam_slab__frames_free(s, frame);
    return unused;
}

void loam_slab__meta_free(loam_slabs *s, void *p, size_t bytes)
{
    if (bytes > (size_t)SLAB_FRAME_LINES * SLAB_LINE) {
        loam_slab__frames_free(s, p);
        return;
    }
    unsigned at = (unsigned)(slab_off(s, p) & (LOAM_PAGE_SIZE - 1)) / SLAB_LINE;
    slab_lines *frame = (slab_lines *)(void *)((unsigned char *)p - (size_t)at * SLAB_LINE);
    loam_irq irq = loam_port_irq_save();
    frame->free |= loam_mask64(meta_lines(bytes)) << at;
    s->lines_used -= meta_lines(bytes);
    loam_list_remove(&frame->link);
    loam_list_push(&s->lines_partial, &frame->link);
    loam_port_irq_restore(irq);
    if (!s->keep_empty)
        meta_drop_frame(s, frame);
}

bool loam_slab__meta_trim(loam_slabs *s)
{
    bool any = false;
    loam_list *node = s->lines_partial.next;
    for (uint32_t n = s->line_frames; n > 0 && node != &s->lines_partial; n--) {
        loam_list *next = node->next;
        any = meta_drop_frame(s, meta_frame_of(node)) || any;
        node = next;
    }
    return any;
}
