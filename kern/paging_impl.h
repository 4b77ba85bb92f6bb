/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_PAGING_IMPL_H
#define LOAM_KERN_PAGING_IMPL_H

/* paging_impl.h - between paging.c and paging_vmap.c. */
#include "paging.h"

/* What paging_init was called with. */
const paging_layout *paging_layout_used(void);

/* Bytes of vmap's window on this machine, from layout->vmap_base on. */
uint64_t paging_vmap_len(const paging_layout *layout);

#endif
