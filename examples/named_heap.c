/* SPDX-License-Identifier: MIT */
/* named_heap.c - a part of a program with memory of its own, linked with libloam.so. */
#include <stdio.h>
#include <string.h>

#include "loam/process_heap.h"

int main(void)
{
    /* [heap] */
    loam_process_heap pages;
    loam_process_heap_stats figures;
    uint64_t blocks = 0;
    if (loam_process_heap_create(&pages, "pages", 4 << 20) != LOAM_OK)
        return 1;
    char *text = loam_process_heap_alloc(pages, 32);
    puts(memcpy(text, "hello from a heap", 18));
    while (loam_process_heap_alloc(pages, 1000) != NULL) /* to its limit: others are untouched */
        continue;
    loam_process_heap_stat(pages, &figures);
    printf("%s: %d KiB, least free %d KiB\n", figures.name, (int)(figures.limit >> 10),
           (int)(figures.low_water >> 10));
    loam_process_heap_destroy(pages, &blocks); /* all of them, at once */
    /* [end] */
    return blocks > 3000 ? 0 : 1;
}
