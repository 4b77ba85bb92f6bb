/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_VMAP_ORACLE_H
#define LOAM_TEST_VMAP_ORACLE_H

/* vmap_oracle.h - a vmap and the same as an array of pages, for the model test and the fuzzer.
 *
 * The array says for each page of the window which area it belongs to, guards included. When they
 * are compared, the processor (vmap_machine.h) must find exactly the areas' pages mapped, to the
 * frames they had before, with the rights they should have; and its TLB, which is filled at random
 * in between, must know nothing else. Every address and every refusal follows from the array. What
 * a step does is drawn from the tap's random numbers. */
#include "vmap_machine.h"
#include <string.h>

enum { AREAS = 24, PAGE = LOAM_PAGE_SIZE, FRAMES = VM_LOW + VM_HIGH, W = LOAM_PT_WRITE };

/* The first frame behind the zones': what others lend, and devices, lie from here on. A frame of a
 * zone that somebody lends, too, would be in the TLB when the zone has it back. */
enum { BEHIND = VM_HIGH_FIRST + VM_HIGH };

typedef enum area_kind { NONE, OWNED, LENT, DEVICE } area_kind;

typedef struct area {
    area_kind kind;
    unsigned first, pages;
    uint64_t va, wanted;
    unsigned flags;
    uint64_t pa[VM_PAGES / 8]; /* of each page; 0: not seen yet */
} area;

static area areas[AREAS];
static int16_t owner[VM_PAGES]; /* of a page or guard: index + 1; 0: free */
static unsigned window, tags;

/* ---- what the array says ---- */

static inline void mark(const area *a, bool on)
{
    for (unsigned i = 0; i <= a->pages; i++)
        owner[a->first + i] = (int16_t)(on ? a - areas + 1 : 0);
}

static inline bool is_free(unsigned first, unsigned cells)
{
    if (first + cells > window)
        return false;
    for (unsigned i = first; i < first + cells; i++)
        if (owner[i] != 0)
            return false;
    return true;
}

static inline unsigned pieces(void)
{
    unsigned n = 0;
    for (unsigned i = 1; i < window; i++)
        n += i == 1 || owner[i] != owner[i - 1];
    return n;
}

/* The page at which an area of so many pages is put; 0: nowhere. */
static inline unsigned place(unsigned pages, uint64_t align)
{
    for (unsigned i = 1; i + pages < window; i++)
        if (is_free(i, pages + 1) && (align == 0 || vm_va(i) % align == 0))
            return i;
    return 0;
}

/* LOAM_ENOMEM also when the range would need more tags than there are. */
static inline loam_err expect(area *a, unsigned first)
{
    if (a->pages > window - 2)
        return LOAM_EINVAL;
    if (first == 0)
        return LOAM_ENOMEM;
    a->first = first;
    mark(a, true);
    bool fits = pieces() <= tags;
    mark(a, false);
    return fits ? LOAM_OK : LOAM_ENOMEM;
}

/* ---- the comparison ---- */

static inline void same_page(tap *t, unsigned page)
{
    mmu_page p = mmu_walk(&vm.cpu, vm_va(page));
    area *a = owner[page] != 0 ? &areas[owner[page] - 1] : NULL;
    bool mapped = a != NULL && page < a->first + a->pages;
    TAP_EQ(t, p.mapped, mapped);
    TAP_EQ(t, p.reserved, false);
    if (!mapped)
        return;
    uint64_t *pa = &a->pa[page - a->first];
    if (*pa == 0)
        *pa = p.pa;
    TAP_EQ(t, p.pa, *pa);
    TAP_EQ(t, p.kernel_write, (a->flags & W) != 0);
    TAP_EQ(t, p.device, (a->flags & LOAM_PT_DEVICE) != 0);
}

static inline void oracle_same(tap *t)
{
    loam_vmap_stats s;
    unsigned n = 0, mapped = 0, taken = 0;
    for (unsigned i = 0; i < window; i++) {
        same_page(t, i);
        if (tap_below(t, 2) != 0)
            (void)vm_touch(i);
    }
    for (unsigned i = 0; i < AREAS; i++) {
        n += areas[i].kind != NONE;
        mapped += areas[i].kind != NONE ? areas[i].pages : 0;
        taken += areas[i].kind == OWNED ? areas[i].pages : 0;
    }
    loam_vmap_stat(vm.v, &s);
    TAP_EQ(t, s.areas, n);
    TAP_EQ(t, s.mapped, (uint64_t)mapped * PAGE);
    TAP_EQ(t, vm_free_frames(), FRAMES - taken);
    vm_sound(t);
}

/* ---- steps ---- */

static inline area *some_area(tap *t, bool taken)
{
    unsigned i = (unsigned)tap_below(t, AREAS);
    for (unsigned n = 0; n < AREAS; n++, i = (i + 1) % AREAS)
        if ((areas[i].kind != NONE) == taken)
            return &areas[i];
    return NULL;
}

/* The answer of a call that makes an area, and the area if it was made. */
static inline void made(tap *t, area *a, area_kind kind, loam_err want, loam_err err, uint64_t va)
{
    TAP_EQ(t, err, want);
    if (err != LOAM_OK)
        return;
    TAP_EQ(t, va & ~(uint64_t)(PAGE - 1), vm_va(a->first));
    a->va = va;
    a->kind = kind;
    memset(a->pa, 0, sizeof a->pa);
    mark(a, true);
}

static inline void step_alloc(tap *t, area *a)
{
    uint64_t va = 0, align = tap_below(t, 3) == 0 ? (uint64_t)PAGE << tap_below(t, 5) : 0;
    a->wanted = 1 + tap_below(t, (tap_below(t, 8) == 0 ? 60 : 12) * PAGE);
    a->pages = (unsigned)((a->wanted + PAGE - 1) / PAGE);
    a->flags = tap_below(t, 2) != 0 ? W : 0;
    unsigned zero = tap_below(t, 4) == 0 ? LOAM_VMAP_ZERO : 0;
    loam_err want = expect(a, place(a->pages, align));
    loam_err err = loam_vmap_alloc(vm.v, a->wanted, align, a->flags | zero, &va);
    made(t, a, OWNED, want, err, va);
}

static inline void step_map(tap *t, area *a)
{
    loam_pfn pfn[16];
    uint64_t va = 0;
    bool lent = tap_below(t, 2) != 0;
    a->pages = 1 + (unsigned)tap_below(t, 16);
    a->wanted = (uint64_t)a->pages * PAGE;
    a->flags = W;
    for (unsigned i = 0; i < a->pages; i++)
        pfn[i] = lent ? loam_pfn_of(BEHIND + tap_below(t, 0xfffff - BEHIND))
                      : loam_zone_alloc(vm.high, 0, 0);
    loam_err want = expect(a, place(a->pages, 0));
    loam_err err =
        loam_vmap_map(vm.v, pfn, a->pages, a->flags | (lent ? LOAM_VMAP_BORROW : 0), &va);
    made(t, a, lent ? LENT : OWNED, want, err, va);
    for (unsigned i = 0; i < a->pages; i++) {
        a->pa[i] = pfn[i].v * PAGE;
        if (err != LOAM_OK && !lent)
            loam_zone_free(vm.high, pfn[i]);
    }
}

static inline void step_device(tap *t, area *a)
{
    uint64_t va = 0, pa = (uint64_t)BEHIND * PAGE + tap_below(t, 0xffe00000 - BEHIND * PAGE);
    a->wanted = 1 + tap_below(t, 20 * PAGE);
    a->pages = (unsigned)((pa % PAGE + a->wanted + PAGE - 1) / PAGE);
    a->flags = W | LOAM_PT_DEVICE;
    loam_err want = expect(a, place(a->pages, 0));
    loam_err err = loam_vmap_map_pa(vm.v, loam_pa_of(pa), a->wanted, a->flags, &va);
    made(t, a, DEVICE, want, err, va);
    if (err == LOAM_OK)
        TAP_EQ(t, va % PAGE, pa % PAGE);
    for (unsigned i = 0; i < a->pages; i++)
        a->pa[i] = (pa & ~(uint64_t)(PAGE - 1)) + (uint64_t)i * PAGE;
}

static inline void step_free(tap *t, area *a)
{
    mark(a, false);
    a->kind = NONE;
    TAP_EQ(t, loam_vmap_free(vm.v, a->va), LOAM_OK);
}

/* An address that is no area's: refused. */
static inline void step_wrong(tap *t)
{
    uint64_t at = vm_va(0) + tap_below(t, (uint64_t)window * PAGE);
    if (tap_below(t, 2) != 0)
        at &= ~(uint64_t)(PAGE - 1);
    for (unsigned i = 0; i < AREAS; i++)
        if (areas[i].kind != NONE && areas[i].va == at)
            return;
    tap_catch(t);
    TAP_EQ(t, loam_vmap_free(vm.v, at), LOAM_EINVAL);
    TAP_EQ(t, loam_vmap_resize(vm.v, at, PAGE), LOAM_EINVAL);
    TAP_EQ(t, loam_vmap_protect(vm.v, at, 0), LOAM_EINVAL);
    TAP_EQ(t, tap_caught(t), 3);
}

static inline loam_err expect_resize(const area *a, unsigned pages)
{
    unsigned end = a->first + a->pages + 1;
    if (pages > window - 2)
        return LOAM_EINVAL;
    if (pages > a->pages && !is_free(end, pages - a->pages))
        return LOAM_EBUSY;
    bool tag = pages < a->pages && (end == window || owner[end] != 0);
    return tag && pieces() == tags ? LOAM_ENOMEM : LOAM_OK;
}

static inline void step_resize(tap *t, area *a)
{
    uint64_t size = 1 + tap_below(t, 40 * PAGE);
    unsigned pages = (unsigned)((size + PAGE - 1) / PAGE);
    if (a->kind != OWNED)
        return;
    loam_err want = expect_resize(a, pages), err = loam_vmap_resize(vm.v, a->va, size);
    TAP_EQ(t, err, want);
    if (err != LOAM_OK)
        return;
    mark(a, false);
    for (unsigned i = pages; i < a->pages; i++)
        a->pa[i] = 0;
    a->pages = pages;
    a->wanted = size;
    mark(a, true);
}

static inline void step_protect(tap *t, area *a)
{
    unsigned flags = (a->flags & LOAM_PT_DEVICE) | (tap_below(t, 2) != 0 ? W : 0);
    TAP_EQ(t, loam_vmap_protect(vm.v, a->va, flags), LOAM_OK);
    a->flags = flags;
}

/* The area before a shared guard is the one that find names. */
static inline void step_find(tap *t)
{
    unsigned page = (unsigned)tap_below(t, window);
    loam_vmap_area found;
    bool guard = false;
    const area *a = owner[page] != 0 ? &areas[owner[page] - 1] : NULL;
    bool inside = a != NULL && page < a->first + a->pages;
    if (a == NULL && page + 1 < window && owner[page + 1] != 0)
        a = &areas[owner[page + 1] - 1];
    TAP_EQ(t, loam_vmap_find(vm.v, vm_va(page) + 5, &found, &guard), a != NULL);
    if (a == NULL)
        return;
    TAP_EQ(t, found.va, a->va);
    TAP_EQ(t, found.wanted, a->wanted);
    TAP_EQ(t, found.size, (uint64_t)a->pages * PAGE);
    TAP_EQ(t, guard, !inside);
}

static inline void oracle_step(tap *t)
{
    unsigned kind = (unsigned)tap_below(t, 8);
    area *a = some_area(t, kind >= 3);
    if (kind == 7)
        step_find(t);
    else if (a == NULL)
        return;
    else if (kind == 0)
        step_alloc(t, a);
    else if (kind == 1)
        step_map(t, a);
    else if (kind == 2)
        step_device(t, a);
    else if (kind == 3)
        step_resize(t, a);
    else if (kind == 4)
        step_protect(t, a);
    else if (kind == 5 && tap_below(t, 4) == 0)
        step_wrong(t);
    else
        step_free(t, a);
}

/* A machine with a window of so many pages and so many tags. */
static inline void oracle_begin(tap *t, const vm_kind *k, unsigned pages, unsigned tag_count)
{
    window = pages;
    tags = tag_count;
    memset(areas, 0, sizeof areas);
    memset(owner, 0, sizeof owner);
    vm_start_machine(t, k, window);
    vm.config.tag_count = tags;
    vm.tlb.threshold = (uint32_t)tap_below(t, 24);
    if (tap_below(t, 3) == 0)
        vm.tlb.page = NULL;
    vm_start_vmap(t);
}

static inline void oracle_end(tap *t)
{
    for (unsigned i = 0; i < AREAS; i++)
        if (areas[i].kind != NONE)
            step_free(t, &areas[i]);
    oracle_same(t);
    TAP_EQ(t, vm.memory.out, 1);
}

#endif
