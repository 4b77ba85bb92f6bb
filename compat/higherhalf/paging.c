/* SPDX-License-Identifier: MIT */
/* paging.c - the final, permanent page directory.
 *
 * WHAT   A directory of pages from our buddy allocator: the kernel's half the same as everybody's,
 *        so that what kmalloc maps is seen from here, and nothing below it: that is the user's.
 *
 * MODEL      0x00000000           0xC0000000        0xD0000000              top
 *            [ nothing mapped     |  all RAM, offset | kmalloc's window ... )
 *              own root entries   '--- the tables of the machine's own directory ---'
 *
 * RULES  T1 .. of loam_pt.
 * LOCKS  None.
 * COST   One page, and a store for each entry of the kernel's half.
 * FROM   The document's step 6.
 * NOT    The temporary directory: it was made by the boot stage, before there was any C.
 */
#include "state.h"

/* ---- a loam_pt_memory of the buddy allocator ---- */

static bool table_alloc(void *ctx, loam_pa *table)
{
    (void)ctx;
    loam_pfn pfn = loam_zone_alloc(hh_self.zone, 0, LOAM_ZONE_ZERO);
    *table = loam_pfn_to_pa(pfn);
    return !loam_pfn_is_none(pfn);
}

static void table_free(void *ctx, loam_pa table)
{
    (void)ctx;
    (void)loam_zone_free(hh_self.zone, loam_pa_to_pfn(table));
}

static void *table_at(void *ctx, loam_pa table)
{
    (void)ctx;
    return hh_at(table.v);
}

const loam_pt_memory hh_table_memory = {NULL, table_alloc, table_free, table_at};

static loam_err make_directory(void)
{
    const hh_machine *machine = hh_self.machine;
    loam_err err =
        loam_pt_init(&hh_self.pt, machine->pt->format, machine->pt->features, &hh_table_memory);
    if (err != LOAM_OK)
        return err;
    err = loam_pt_share(&hh_self.pt, machine->pt, machine->kernel.base, machine->kernel.len);
    if (err != LOAM_OK)
        loam_pt_fini(&hh_self.pt, machine->kernel);
    return err;
}

int hh_paging_init(void)
{
    if (hh_self.zone == NULL || hh_self.has_pt || hh_self.machine->pt == NULL) {
        hh_say("[!] paging_init: no buddy allocator, or no page tables");
        return -1;
    }
    loam_err err = make_directory();
    if (err != LOAM_OK) {
        hh_say("[!] paging_init: %s", loam_err_name(err));
        return -1;
    }
    hh_self.has_pt = true;
    if (hh_self.machine->use != NULL)
        hh_self.machine->use(hh_self.machine->ctx, hh_self.pt.root);
    return 0;
}

const loam_pt *hh_directory(void)
{
    return hh_self.has_pt ? &hh_self.pt : NULL;
}

static void paging_leave(void)
{
    if (!hh_self.has_pt)
        return;
    if (hh_self.machine->use != NULL)
        hh_self.machine->use(hh_self.machine->ctx, hh_self.machine->pt->root);
    loam_pt_fini(&hh_self.pt, hh_self.machine->kernel);
    hh_self.has_pt = false;
}

size_t hh_leave(void)
{
    size_t left = hh_kmem_leave();
    paging_leave();
    hh_machine_set(hh_self.machine);
    return left;
}
