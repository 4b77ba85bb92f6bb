/* SPDX-License-Identifier: MIT */
/* views.c - what can be asked of the kernel's memory as a whole. */
#include "console.h"
#include "kern.h"
#include "loam/port.h"
#include "smp.h"

const char *kern_check(void)
{
    const kern *k = &kern_this;
    const char *broken = loam_memblock_check(&k->map);
    for (unsigned i = 0; i < k->zones.count && broken == NULL; i++)
        broken = loam_zone_check(k->zones.zone[i]);
    if (broken == NULL && k->pt.format != NULL)
        broken = loam_pt_check(&k->pt);
    if (broken == NULL && k->vmap != NULL)
        broken = loam_vmap_check(k->vmap);
    if (broken == NULL)
        broken = loam_slabs_check(k->slabs);
    if (broken == NULL)
        broken = loam_kmalloc_check(k->kmalloc);
    return broken;
}

uint64_t kern_free_pages(void)
{
    uint64_t pages = 0;
    for (unsigned i = 0; i < kern_this.zones.count; i++)
        pages += loam_zone_free_pages(kern_this.zones.zone[i]);
    return pages;
}

static bool add_block(void *ctx, uint64_t unit, unsigned order)
{
    kern_free_lists *lists = ctx;
    if (order <= KERN_VIEW_ORDER)
        lists->blocks[order]++;
    lists->pages += 1ULL << order;
    lists->fingerprint = (lists->fingerprint ^ (unit << 6 | order)) * 0x100000001b3ULL;
    return true;
}

void kern_free_lists_read(kern_free_lists *lists)
{
    loam_irq irq;
    smp_drain_all();
    irq = loam_port_irq_save(); /* nothing may refill a front in between */
    *lists = (kern_free_lists){.fingerprint = 0xcbf29ce484222325ULL};
    for (unsigned i = kern_this.zones.count; i-- > 0;) {
        loam_zone_drain(kern_this.zones.zone[i]);
        loam_zone_each_free(kern_this.zones.zone[i], KERN_VIEW_ORDER, add_block, lists);
    }
    loam_port_irq_restore(irq);
}

void kern_free_lists_print(const char *title, const kern_free_lists *lists)
{
    kprintf("%s\n  order ", title);
    for (unsigned k = 0; k <= KERN_VIEW_ORDER; k++)
        kprintf("%6u", (int)k);
    console_write("\n  blocks");
    for (unsigned k = 0; k <= KERN_VIEW_ORDER; k++)
        kprintf("%6U", lists->blocks[k]);
    kprintf("   = %U pages\n", lists->pages);
}

bool kern_free_lists_equal(const kern_free_lists *a, const kern_free_lists *b)
{
    return a->pages == b->pages && a->fingerprint == b->fingerprint;
}
