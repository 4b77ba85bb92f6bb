/* SPDX-License-Identifier: MIT */
/* paging_vmap.c - the kernel's vmap: window, tags, and what it says of an address. */
#include "board.h"
#include "console.h"
#include "kern.h"
#include "paging.h"

void paging_vmap(void)
{
}

const char *paging_note(uint64_t va)
{
    (void)va;
    return NULL;
}
