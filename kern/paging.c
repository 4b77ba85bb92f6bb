/* SPDX-License-Identifier: MIT */
/* paging.c - the final page tables of the kernel's half, here a 32-bit PC's:
 *
 *     0xc0000000  low      BIOS data, video memory          read-write
 *                 text                                       read-only, executable
 *                 rodata                                     read-only
 *                 data, stacks, bss                          read-write
 *                 guard pages below each stack               nothing
 *                 the rest of the RAM that has an address    read-write, large pages
 *     0xd0000000  window of vmap, kmalloc's large blocks      empty; its tables are made now
 *     0xf8000000  memory of the unit tests                   empty until they run
 *     0xff800000  windows on single frames
 *     below       user programs, in roots of their own       nothing: NULL faults, and so does
 *                                                            what the boot tables had there
 *
 * Here is the one knot of the boot, and where it is cut. Page tables need frames; a range needs
 * tags; tags need slabs; slabs need frames; large objects want page tables:
 *
 *     zones ----> tables (frames that have an address: no table is needed to write a table)
 *       |
 *       '-------> slabs (never in vmap) ----> tags ----> vmap ----> kmalloc's large blocks
 *                                              ^
 *                                              '--- BOOT_TAGS of them from an array, before and
 *                                                   while the first slab of tags is made
 *
 * Nothing on an arrow's left ever asks for something on its right. Tables are written through the
 * direct map, in which every frame of kern_this.mapped lies from the first instruction on. Where
 * the boot tables are too small for that (a PC with 64 bits and more than 4 GiB), direct map and
 * image are mapped before there are zones: with tables that the boot map gives, of memory within
 * reach, which count as metadata and stay.
 *
 * An image that is mapped elsewhere than in the direct map (board.image) does not lie in that, too:
 * there is one address for each of its bytes, with the rights of its part.
 */
#include "paging.h"
#include "board.h"
#include "console.h"
#include "image.h"
#include "kern.h"
#include "paging_impl.h"
#include "stacks.h"

enum { DIRECT_FLAGS = LOAM_PT_WRITE | LOAM_PT_GLOBAL };

static const paging_layout *where;
static uint64_t early_limit,
    early_tables; /* paging_early: where tables may lie; how many there are */

/* ---- tables are frames of the zones that have addresses ---- */

static bool table_alloc(void *ctx, loam_pa *table)
{
    loam_pfn pfn = loam_zonelist_alloc(&kern_this.mapped, 0, LOAM_ZONE_ZERO);
    (void)ctx;
    if (loam_pfn_is_none(pfn))
        return false;
    *table = loam_pfn_to_pa(pfn);
    return true;
}

static void table_free(void *ctx, loam_pa table)
{
    (void)ctx;
    (void)loam_zonelist_free(&kern_this.mapped, loam_pa_to_pfn(table));
}

static void *table_at(void *ctx, loam_pa table)
{
    (void)ctx;
    return virt_of(table);
}

const loam_pt_memory paging_memory = {NULL, table_alloc, table_free, table_at};

static bool early_alloc(void *ctx, loam_pa *table)
{
    (void)ctx;
    if (loam_memblock_alloc(&kern_this.map, LOAM_PAGE_SIZE, LOAM_PAGE_SIZE, loam_pa_of(0),
                            loam_pa_of(early_limit), LOAM_MEMBLOCK_TOP_DOWN, table) != LOAM_OK)
        return false;
    __builtin_memset(virt_of(*table), 0, LOAM_PAGE_SIZE);
    early_tables++;
    return true;
}

/* The direct map is never unmapped: only what a refused change had taken already comes here, and
 * that is followed by a panic. */
static void early_free(void *ctx, loam_pa table)
{
    (void)ctx;
    (void)table;
}

static const loam_pt_memory early_memory = {NULL, early_alloc, early_free, table_at};

/* ---- the direct map ---- */

static void need(loam_err err, const char *what)
{
    if (err != LOAM_OK)
        kpanic("page tables: %s: %s", what, loam_err_name(err));
}

static uint64_t direct_va(uint64_t pa)
{
    return (uintptr_t)virt_of(loam_pa_of(pa));
}

static void map_piece(loam_pt_batch *batch, uint64_t base, uint64_t end)
{
    if (base < end)
        need(loam_pt_map(&kern_this.pt, direct_va(base), loam_pa_of(base), end - base, DIRECT_FLAGS,
                         batch),
             "the direct map");
}

/* Maps whole pages of [base, base + len) that have an address and lie behind *done, which ends up
 * behind them: spans ascend, and may share a page at their edges. An image that has addresses of
 * its own is left out. */
static void map_direct(loam_pt_batch *batch, uint64_t base, uint64_t len, uint64_t *done)
{
    uint64_t end = loam_align_up(base + len, LOAM_PAGE_SIZE);
    uint64_t limit = board_this.mapped.pa + board_this.mapped.len;
    uint64_t image = phys_of(__image_start).v, image_end = phys_of(__image_end).v;
    base = loam_align_down(base, LOAM_PAGE_SIZE);
    if (base < *done)
        base = *done;
    if (base < board_this.mapped.pa)
        base = board_this.mapped.pa;
    if (end > limit)
        end = limit;
    if (base >= end)
        return;
    if (board_this.image.len == 0 || image_end <= base || image >= end) {
        map_piece(batch, base, end);
    } else {
        map_piece(batch, base, image);
        map_piece(batch, image_end, end);
    }
    *done = end;
}

static void map_ram(loam_pt_batch *batch)
{
    const loam_spanset *ram = &kern_this.map.ram;
    uint64_t done = 0;
    map_direct(batch, where->low.base, where->low.len, &done);
    for (size_t i = 0; i < ram->count; i++)
        map_direct(batch, ram->span[i].base, ram->span[i].len, &done);
}

static void map_devices(loam_pt_batch *batch)
{
    for (size_t i = 0; i < where->device_count; i++) {
        loam_span at = where->device[i];
        need(loam_pt_map(&kern_this.pt, direct_va(at.base), loam_pa_of(at.base), at.len,
                         DIRECT_FLAGS | LOAM_PT_DEVICE, batch),
             "registers of devices");
    }
}

static void set_rights(loam_pt_batch *batch, const char *from, const char *to, unsigned flags,
                       const char *what)
{
    if (from != to)
        need(loam_pt_protect(&kern_this.pt, (uintptr_t)from, (uint64_t)(to - from),
                             flags | LOAM_PT_GLOBAL, batch),
             what);
}

/* Nobody but the image has stacks yet. */
static void unmap_guards(loam_pt_batch *batch)
{
    const kern_stack *stack;
    for (size_t i = 0; (stack = stacks_get(i)) != NULL; i++)
        need(loam_pt_unmap(&kern_this.pt, stack->bottom - LOAM_PAGE_SIZE, LOAM_PAGE_SIZE, NULL,
                           NULL, batch),
             "a guard page");
}

static void map_image(loam_pt_batch *batch)
{
    if (board_this.image.len != 0)
        need(loam_pt_map(&kern_this.pt, (uintptr_t)__image_start, phys_of(__image_start),
                         (uint64_t)(__image_end - __image_start), DIRECT_FLAGS, batch),
             "the image");
    set_rights(batch, __image_start, __text_start, LOAM_PT_READ, "boot code");
    set_rights(batch, __text_start, __text_end, LOAM_PT_EXEC, "text");
    set_rights(batch, __text_end, __rodata_end, LOAM_PT_READ, "constants");
    unmap_guards(batch);
}

/* ---- windows ---- */

/* A window always shows some frame, so that opening it is one entry rewritten: no table is made. */
static loam_pfn resting_frame(void)
{
    return loam_pa_to_pfn(kern_this.pt.root);
}

static void make_windows(loam_pt_batch *batch)
{
    loam_pfn pfn[PAGING_WINDOWS];
    for (unsigned i = 0; i < PAGING_WINDOWS; i++)
        pfn[i] = resting_frame();
    need(loam_pt_map_frames(&kern_this.pt, where->window, pfn, PAGING_WINDOWS, LOAM_PT_READ, batch),
         "windows");
}

unsigned char *paging_window(unsigned slot, loam_pfn pfn)
{
    uint64_t va = where->window + (uint64_t)slot * LOAM_PAGE_SIZE;
    bool close = loam_pfn_is_none(pfn);
    loam_pt_batch batch;
    loam_pt_batch_init(&batch);
    need(loam_pt_remap(&kern_this.pt, va, close ? resting_frame() : pfn,
                       close ? LOAM_PT_READ : LOAM_PT_WRITE, &batch),
         "a window");
    loam_tlb_flush(&kern_this.tlb, &kern_this.pt, &batch);
    return close ? NULL : (unsigned char *)(uintptr_t)va;
}

/* The frame's own address where it has one, else through a window. */
static unsigned char *look_at(unsigned slot, loam_pfn pfn)
{
    uint64_t pa = loam_pfn_to_pa(pfn).v;
    bool direct = pa >= board_this.mapped.pa && pa - board_this.mapped.pa < board_this.mapped.len;
    return direct ? virt_of(loam_pa_of(pa)) : paging_window(slot, pfn);
}

void paging_clear_frame(void *ctx, loam_pfn pfn)
{
    (void)ctx;
    __builtin_memset(look_at(0, pfn), 0, LOAM_PAGE_SIZE);
}

void paging_copy_frame(void *ctx, loam_pfn to, loam_pfn from)
{
    unsigned char *target = look_at(0, to);
    (void)ctx;
    __builtin_memcpy(target, look_at(1, from), LOAM_PAGE_SIZE);
}

/* ---- the switch ---- */

const paging_layout *paging_layout_used(void)
{
    return where;
}

/* Nobody uses the boot tables any more: their frames become free. */
static void give_back(loam_span boot_tables)
{
    uint64_t count = boot_tables.len >> LOAM_PAGE_SHIFT;
    loam_pfn first = loam_pa_to_pfn(loam_pa_of(boot_tables.base));
    need(loam_zonelist_give(&kern_this.zones, first, count), "the boot tables' frames");
    klog("paging: boot tables gone: %U pages are free", count);
}

/* Direct map and image, and the switch. */
static void make_tables(const paging_layout *layout, const loam_pt_memory *memory)
{
    kern *k = &kern_this;
    unsigned features;
    const loam_pt_format *format = arch_pt_format(&features);
    loam_pt_batch batch;
    where = layout;
    need(loam_pt_init(&k->pt, format, features, memory), "the root");
    loam_pt_batch_init(&batch);
    map_ram(&batch);
    map_devices(&batch);
    map_image(&batch);
    arch_paging_begin(k->pt.root); /* forgets all that was: nothing is left to flush */
    loam_pt_release(&k->pt, &batch);
}

void paging_early(const paging_layout *layout, uint64_t reached)
{
    early_limit = reached;
    make_tables(layout, &early_memory);
    klog("metadata: %U pages of tables, %U KiB: all RAM has an address", early_tables,
         early_tables * (LOAM_PAGE_SIZE >> 10));
}

static void log_tables(void)
{
    const kern *k = &kern_this;
    char text[160];
    loam_text t;
    loam_text_init(&t, text, sizeof(text));
    arch_paging_describe(&t);
    klog("paging: final tables, %U pages of them; %s", k->pt.tables, text);
    if (k->tlb.page != NULL)
        klog("paging: up to %u pages are flushed one by one, more at once", (int)k->tlb.threshold);
    else
        klog("paging: this processor can only forget all pages at once");
}

void paging_init(const paging_layout *layout, loam_span boot_tables)
{
    kern *k = &kern_this;
    loam_pt_batch batch;
    if (k->pt.format == NULL)
        make_tables(layout, &paging_memory);
    k->pt.memory = paging_memory;
    loam_pt_batch_init(&batch);
    if (layout->window != 0)
        make_windows(&batch);
    need(loam_pt_prepare(&k->pt, layout->vmap_base, paging_vmap_len(layout)), "vmap's window");
    arch_tlb_init(&k->tlb);
    loam_tlb_flush(&k->tlb, &k->pt, &batch);
    if (boot_tables.len != 0)
        give_back(boot_tables);
    log_tables();
}

void *paging_map_device(loam_pa pa, uint64_t len)
{
    const loam_linear *mapped = &board_this.mapped;
    uint64_t base = loam_align_down(pa.v, LOAM_PAGE_SIZE);
    uint64_t end = loam_align_up(pa.v + len, LOAM_PAGE_SIZE);
    loam_pt_batch batch;
    loam_pt_batch_init(&batch);
    if (base < mapped->pa || end <= base || end > mapped->pa + mapped->len ||
        loam_pt_map(&kern_this.pt, direct_va(base), loam_pa_of(base), end - base,
                    DIRECT_FLAGS | LOAM_PT_DEVICE, &batch) != LOAM_OK)
        return NULL;
    loam_tlb_flush(&kern_this.tlb, &kern_this.pt, &batch);
    return virt_of(pa);
}

/* ---- memory of the unit tests ---- */

static void free_frames(void *ctx, uint64_t va, loam_pa pa, uint64_t len)
{
    (void)ctx;
    (void)va;
    for (uint64_t i = 0; i < len >> LOAM_PAGE_SHIFT; i++)
        (void)loam_zonelist_free(&kern_this.zones, loam_pfn_of((pa.v >> LOAM_PAGE_SHIFT) + i));
}

/* A page of zeros at va. */
static bool add_page(uint64_t va)
{
    loam_pfn pfn = loam_zonelist_alloc(&kern_this.zones, 0, LOAM_ZONE_NORMAL);
    loam_pt_batch batch;
    if (loam_pfn_is_none(pfn))
        return false;
    loam_pt_batch_init(&batch);
    if (loam_pt_map_frames(&kern_this.pt, va, &pfn, 1, LOAM_PT_WRITE, &batch) != LOAM_OK) {
        (void)loam_zonelist_free(&kern_this.zones, pfn);
        return false;
    }
    loam_tlb_flush(&kern_this.tlb, &kern_this.pt, &batch);
    __builtin_memset((void *)(uintptr_t)va, 0, LOAM_PAGE_SIZE);
    return true;
}

static void drop_pages(uint64_t va, uint64_t len)
{
    loam_pt_batch batch;
    loam_pt_batch_init(&batch);
    need(loam_pt_unmap(&kern_this.pt, va, len, free_frames, NULL, &batch), "the tests' memory");
    loam_tlb_flush(&kern_this.tlb, &kern_this.pt, &batch);
}

bool paging_tests_memory(const char *from, const char *to, bool wanted)
{
    uint64_t base = (uintptr_t)from, len = (uint64_t)(to - from), done = 0;
    if (!wanted) {
        drop_pages(base, len);
        return true;
    }
    while (done < len && add_page(base + done))
        done += LOAM_PAGE_SIZE;
    if (done == len)
        return true;
    if (done > 0)
        drop_pages(base, done);
    return false;
}
