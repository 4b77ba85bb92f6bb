/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_VMAP_WINDOW_H
#define LOAM_TEST_VMAP_WINDOW_H

/* vmap_window.h - areas in the window of vmap_machine.h: a processor in software reads the tables
 * after each step, and its TLB tells when something was given back too early.
 *
 *     vm_start(t, &vm_kinds[0], WINDOW);
 *     uint64_t va = alloc(t, 3 * PAGE);
 *     give(t, va);
 *
 * Includes the unit's private header, since a test that expects a rule's name has to break it. */
#include "../core/vmap_impl.h"
#include "vmap_machine.h"

enum {
    PAGE = LOAM_PAGE_SIZE,
    W = LOAM_PT_WRITE,
    ZERO = LOAM_VMAP_ZERO,
    BORROW = LOAM_VMAP_BORROW,
    WINDOW = 64, /* pages, in most cases */
    FRAMES = VM_LOW + VM_HIGH
};

#define EACH_KIND(k)                                                                               \
    (const vm_kind *(k) = vm_kinds; (k) < vm_kinds + LOAM_ARRAY_LEN(vm_kinds); (k)++)

static inline uint64_t alloc(tap *t, uint64_t size)
{
    uint64_t va = 1;
    TAP_EQ(t, loam_vmap_alloc(vm.v, size, 0, W, &va), LOAM_OK);
    vm_touch_all();
    vm_sound(t);
    return va;
}

static inline void give(tap *t, uint64_t va)
{
    vm_touch_all();
    TAP_EQ(t, loam_vmap_free(vm.v, va), LOAM_OK);
    vm_sound(t);
}

/* Pages of the window from `from` on that the processor finds mapped, up to the first that is
 * not. */
static inline uint64_t mapped_from(uint64_t from)
{
    uint64_t n = 0;
    while (from + n < vm.pages && vm_touch(from + n) != VM_FAULT)
        n++;
    return n;
}

static inline loam_vmap_stats stats(void)
{
    loam_vmap_stats s;
    loam_vmap_stat(vm.v, &s);
    return s;
}

#endif
