/* SPDX-License-Identifier: MIT */
/* kern.c - the page allocator in the reference kernel: `pgalloc-selftest=yes` on the command line,
 * `demo stacsos` in the shell, which besides works on real pages that the kernel's zone lends. */
#include "kern.h"
#include "console.h"

#include "glue.h"
#include "page_allocator.h"

int stacsos_demo(void); /* in the table of kern/demos.c */
int stacsos_double_free_demo(void);

static void print(void *ctx, const char *text)
{
    (void)ctx;
    console_write(text);
}

enum { LENT_ORDER = 6, LENT = 1 << LENT_ORDER, BLOCK_ORDER = 3 };

void stacsos_to_console(void)
{
    stacsos_set_output(print, NULL);
}

int stacsos_selftest(void)
{
    stacsos_to_console();
    return perform_selftest() ? 0 : 1;
}

static bool reads_zero(const struct page *block, const unsigned char *va)
{
    const unsigned char *byte = va + stacsos_pfn_of(block) * LOAM_PAGE_SIZE;
    for (size_t i = 0; i < (size_t)LOAM_PAGE_SIZE << BLOCK_ORDER; i++)
        if (byte[i] != 0)
            return false;
    return true;
}

/* On LENT pages at va: page 0 of the allocator is the first of them. */
static bool on_real_pages(unsigned char *va, void *descriptors, uint64_t len)
{
    const loam_linear linear = {0, (uint64_t)LENT << LOAM_PAGE_SHIFT, va};
    __builtin_memset(va, 0x5a, (size_t)LENT << LOAM_PAGE_SHIFT);
    if (stacsos_init(descriptors, len, LENT, &linear) != 0 ||
        insert_free_pages(stacsos_page_of(0), LENT) != 0)
        return false;
    struct page *block = allocate_pages(BLOCK_ORDER, zero);
    bool good = block != NULL && reads_zero(block, va) &&
                allocate_pages(LastOrder + 1, none) == NULL &&
                allocate_pages(LENT_ORDER, none) == NULL;
    dump();
    uint64_t now = kern_this.ticks;
    while (kern_this.ticks == now) /* for ever, if a path had left interrupts off */
        loam_port_relax();
    free_pages(block, BLOCK_ORDER);
    dump();
    return good && stacsos_check() == NULL && find_free_block(LENT_ORDER, stacsos_page_of(0));
}

int stacsos_demo(void)
{
    kern_free_lists before, after;
    uint64_t len = stacsos_descriptor_bytes(LENT);
    bool good = stacsos_selftest() == 0;
    good = stacsos_boot() == 0 && good;
    loam_kmalloc_shrink(kern_this.kmalloc);
    kern_free_lists_read(&before);
    void *descriptors = loam_kmalloc_aligned(kern_this.kmalloc, (size_t)len, 64);
    loam_pfn lent = loam_zone_alloc(kern_this.zone, LENT_ORDER, LOAM_ZONE_NORMAL);
    good = good && descriptors != NULL && !loam_pfn_is_none(lent) &&
           on_real_pages(loam_zone_to_va(kern_this.zone, lent), descriptors, len);
    (void)stacsos_init(NULL, 0, 0, NULL);
    if (!loam_pfn_is_none(lent))
        (void)loam_zone_free(kern_this.zone, lent);
    if (descriptors != NULL)
        (void)loam_kmalloc_free(kern_this.kmalloc, descriptors);
    loam_kmalloc_shrink(kern_this.kmalloc);
    kern_free_lists_read(&after);
    good = kern_free_lists_equal(&before, &after) && good;
    kprintf("stacsos: %s\n", good ? "every list as expected, memory is as it was" : "FAILED");
    return good ? 0 : 1;
}

/* The bug that the document's author could not see: here it ends in a panic with its name. */
int stacsos_double_free_demo(void)
{
    uint64_t len = stacsos_descriptor_bytes(LENT);
    void *descriptors = loam_kmalloc_aligned(kern_this.kmalloc, (size_t)len, 64);
    stacsos_to_console();
    if (descriptors == NULL || stacsos_init(descriptors, len, LENT, NULL) != 0 ||
        insert_free_pages(stacsos_page_of(0), LENT) != 0)
        return 1;
    struct page *block = allocate_pages(BLOCK_ORDER, none);
    free_pages(block, BLOCK_ORDER);
    free_pages(block, BLOCK_ORDER);
    dump(); /* where a refusal is not a panic */
    (void)stacsos_init(NULL, 0, 0, NULL);
    (void)loam_kmalloc_free(kern_this.kmalloc, descriptors);
    return 0;
}
