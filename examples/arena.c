/* SPDX-License-Identifier: MIT */
/* arena.c - Loam in an array: a megabyte, its bookkeeping outside of it, and nothing else. */
#include <stdio.h>
#include <string.h>

#include "loam/kmalloc.h"

static _Alignas(4096) unsigned char arena[1 << 20];
static _Alignas(64) unsigned char meta[32 << 10];

int main(void)
{
    /* [arena] */
    loam_span ram = {(uintptr_t)arena, sizeof arena};
    loam_zone_config frames;
    loam_zone_config_init(&frames);
    frames.linear = (loam_linear){ram.base, ram.len, arena};
    loam_zone *zone = loam_zone_init(meta, sizeof meta, true, &ram, 1, &frames);
    loam_zone_add(zone, loam_pa_to_pfn(loam_pa_of(ram.base)), ram.len / LOAM_PAGE_SIZE);
    loam_slab_config objects;
    loam_slab_config_init(&objects);
    loam_kmalloc *heap = loam_kmalloc_init(loam_slabs_init(zone, &objects));
    char *text = memcpy(loam_kmalloc_alloc(heap, 32), "hello from the arena", 21);
    puts(text);
    loam_kmalloc_free(heap, text);
    /* [end] */
    return loam_kmalloc_check(heap) == NULL ? 0 : 1;
}
