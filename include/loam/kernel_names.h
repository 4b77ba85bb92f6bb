/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERNEL_NAMES_H
#define LOAM_KERNEL_NAMES_H

/* kernel_names.h - the spellings that kernel programmers know, for a kernel that has one zone and
 * one kmalloc.
 *
 * The core has no globals, so the kernel that includes this defines the two below. All names are
 * static inline: nothing here can clash with a C library at link time. Cost, context and refusals
 * are those of the calls behind.
 */
#include "loam/kmalloc.h"
#include "loam/zone.h"

extern loam_zone *kernel_zone;
extern loam_kmalloc *kernel_kmalloc;

static inline void *kmalloc(size_t size)
{
    return loam_kmalloc_alloc(kernel_kmalloc, size);
}

static inline void *kcalloc(size_t n, size_t size)
{
    return loam_kmalloc_calloc(kernel_kmalloc, n, size);
}

static inline void *kzalloc(size_t size)
{
    return loam_kmalloc_calloc(kernel_kmalloc, 1, size);
}

static inline void *krealloc(void *p, size_t size)
{
    return loam_kmalloc_realloc(kernel_kmalloc, p, size);
}

static inline void kfree(void *p)
{
    (void)loam_kmalloc_free(kernel_kmalloc, p);
}

static inline size_t ksize(const void *p)
{
    return loam_kmalloc_size(kernel_kmalloc, p);
}

/* 2^order frames; LOAM_NO_FRAME: no memory. free_pages wants the order that they were given with.
 */
static inline loam_pfn alloc_pages(unsigned order)
{
    return loam_zone_alloc(kernel_zone, order, LOAM_ZONE_NORMAL);
}

static inline void free_pages(loam_pfn pfn, unsigned order)
{
    (void)loam_zone_free_order(kernel_zone, pfn, order);
}

/* One frame of zeros by its address in the linear map, or NULL; and back. */
static inline void *get_zeroed_page(void)
{
    loam_pfn pfn = loam_zone_alloc(kernel_zone, 0, LOAM_ZONE_ZERO);
    return loam_pfn_is_none(pfn) ? NULL : loam_zone_to_va(kernel_zone, pfn);
}

static inline void free_page(void *page)
{
    const loam_linear *linear = &loam_zone_config_of(kernel_zone)->linear;
    uint64_t offset = (uintptr_t)page - (uintptr_t)linear->va;
    (void)loam_zone_free_order(kernel_zone, loam_pa_to_pfn(loam_pa_of(linear->pa + offset)), 0);
}

#endif
