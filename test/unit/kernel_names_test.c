/* SPDX-License-Identifier: MIT */
/* kernel_names_test.c - the familiar spellings reach the calls they stand for. */
#include "loam/kernel_names.h"
#include "tap.h"

enum { PAGES = 64 };

loam_zone *kernel_zone;
loam_kmalloc *kernel_kmalloc;

static _Alignas(4096) unsigned char memory[PAGES * LOAM_PAGE_SIZE];
static _Alignas(64) unsigned char metadata[64 * 1024];

static bool boot(tap *t)
{
    loam_span ram = {0, sizeof(memory)};
    loam_zone_config config;
    loam_slab_config slab;
    loam_zone_config_init(&config);
    config.linear = (loam_linear){0, sizeof(memory), memory};
    uint64_t need = loam_zone_measure(&ram, 1, &config);
    TAP_CHECK(t, need != 0 && need <= sizeof(metadata));
    kernel_zone = loam_zone_init(metadata, sizeof(metadata), false, &ram, 1, &config);
    if (kernel_zone == NULL || loam_zone_add(kernel_zone, loam_pfn_of(1), PAGES - 1) != LOAM_OK) {
        TAP_CHECK(t, false);
        return false;
    }
    loam_slab_config_init(&slab);
    slab.shift = LOAM_PAGE_SHIFT;
    loam_slabs *slabs = loam_slabs_init(kernel_zone, &slab);
    kernel_kmalloc = slabs == NULL ? NULL : loam_kmalloc_init(slabs);
    TAP_CHECK(t, kernel_kmalloc != NULL);
    return kernel_kmalloc != NULL;
}

static bool is_zero(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != 0)
            return false;
    return true;
}

static void objects(tap *t)
{
    loam_kmalloc_stats stats;
    if (!boot(t))
        return;
    unsigned char *a = kmalloc(100), *b = kzalloc(300), *c = kcalloc(10, 10);
    TAP_CHECK(t, a != NULL && b != NULL && c != NULL);
    TAP_CHECK(t, is_zero(b, 300) && is_zero(c, 100));
    TAP_CHECK(t, ksize(a) >= 100);
    TAP_CHECK(t, kcalloc(SIZE_MAX / 2, 4) == NULL);
    a[99] = 7;
    a = krealloc(a, 1000);
    TAP_EQ(t, a[99], 7);
    kfree(a);
    kfree(b);
    kfree(c);
    kfree(NULL);
    loam_kmalloc_stat(kernel_kmalloc, &stats);
    TAP_EQ(t, stats.used_blocks, 0);
    tap_catch(t);
    kfree(b);
    TAP_EQ(t, tap_caught(t), 1);
}

static void pages(tap *t)
{
    if (!boot(t))
        return;
    uint64_t before = loam_zone_free_pages(kernel_zone);
    __builtin_memset(memory, 0x77, sizeof(memory) / 2); /* nothing but free pages is there */
    if (!boot(t))
        return;
    loam_pfn block = alloc_pages(3);
    TAP_EQ(t, loam_zone_order(kernel_zone, block), 3);
    unsigned char *page = get_zeroed_page();
    TAP_CHECK(t, page != NULL && is_zero(page, LOAM_PAGE_SIZE));
    TAP_EQ(t, loam_zone_free_pages(kernel_zone), before - 9);
    tap_catch(t);
    free_pages(block, 2);
    TAP_EQ(t, tap_caught(t), 1);
    free_page(page);
    free_pages(block, 3);
    TAP_EQ(t, loam_zone_free_pages(kernel_zone), before);
}

static const tap_case cases[] = {
    {"kernel_names: objects: kmalloc and its family", objects},
    {"kernel_names: pages: by frame and by address", pages},
};
extern const tap_suite tap_suite_kernel_names_test;
TAP_SUITE(kernel_names_test, cases);
