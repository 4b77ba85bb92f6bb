/* SPDX-License-Identifier: MIT */
/* driver_vm.c - the words of page tables: one address space at a time, whose tables are pages of
 * the fake machine, and a fake processor that notes what it is told to forget.
 *
 *     vm_map --> loam_pt_map --> tables: frames of d->zone, read back by `peek`
 *                     '--batch--> loam_tlb_flush --> flushed[]: answered by `vm_flushed`
 *
 * Table pages are blocks of the zone that `free` and `fill` refuse (LOAM_ZONE_SLAB).
 */
#include "driver.h"

enum {
    VM_FLAGS = LOAM_PT_WRITE | LOAM_PT_EXEC | LOAM_PT_USER,
    MOST_PAGES = 0x1000, /* of the machine that is made when nobody has told of one */
    LEAST_PAGES = 0x10
};

/* ---- where tables come from ---- */

static unsigned char *frame_bytes(driver *d, uint64_t pa)
{
    uint64_t off = pa - d->linear.pa;
    if (off < d->linear.len)
        return d->linear.va + (size_t)off;
    return d->machine->frame(d->machine->ctx, pa);
}

static loam_pfn table_frame(driver *d)
{
    unsigned bits = 52;
    if (d->vm.format == &loam_pt_i386)
        bits = 32;
    else if (d->vm.format == &loam_pt_aarch64)
        bits = 48;
    loam_pfn limit = {(uint64_t)1 << (bits - LOAM_PAGE_SHIFT)};
    return loam_zone_alloc_range(d->zone, 0, loam_pfn_of(1), limit, LOAM_ZONE_SLAB);
}

static bool table_alloc(void *ctx, loam_pa *table)
{
    driver *d = ctx;
    if (driver_fails(d))
        return false;
    uint64_t fail_in = d->fail_in;
    d->fail_in = 0; /* one request, however often the zone is asked for it */
    loam_pfn pfn = table_frame(d);
    if (loam_pfn_is_none(pfn)) {
        loam_zone_drain_all(d->zone);
        pfn = table_frame(d);
    }
    d->fail_in = fail_in;
    if (loam_pfn_is_none(pfn))
        return false;
    *table = loam_pfn_to_pa(pfn);
    unsigned char *at = frame_bytes(d, table->v);
    if (at != NULL)
        __builtin_memset(at, 0, LOAM_PAGE_SIZE);
    else
        (void)loam_zone_free_slab(d->zone, pfn);
    return at != NULL;
}

static void table_free(void *ctx, loam_pa table)
{
    driver *d = ctx;
    (void)loam_zone_free_slab(d->zone, loam_pa_to_pfn(table));
}

static void *table_at(void *ctx, loam_pa table)
{
    return frame_bytes(ctx, table.v);
}

bool driver_holds_table(const driver *d, uint64_t addr, uint64_t len)
{
    if (!d->vm_there || len == 0)
        return false;
    if (len > (uint64_t)1 << 32)
        return true;
    uint64_t last = (addr + (len - 1)) >> LOAM_PAGE_SHIFT;
    for (uint64_t page = addr >> LOAM_PAGE_SHIFT; page <= last; page++)
        if (loam_zone_state(d->zone, loam_pfn_of(page)) == LOAM_FRAME_SLAB)
            return true;
    return false;
}

/* ---- the fake processor ---- */

static void forget_all(void *ctx)
{
    driver *d = ctx;
    d->flushed_all = true;
}

static void note_flushed(driver *d, uint64_t va, uint64_t len)
{
    if (len >> LOAM_PAGE_SHIFT > DRIVER_FLUSHED - d->flushes) {
        d->flushed_all = true; /* it may forget more than it must */
        return;
    }
    for (uint64_t at = 0; at < len; at += LOAM_PAGE_SIZE)
        d->flushed[d->flushes++] = va + at;
}

/* A large page is forgotten whole: it is noted, once, as all of its small ones. */
static void forget_page(void *ctx, uint64_t va)
{
    driver *d = ctx;
    for (unsigned i = 0; i < d->larges; i++) {
        driver_large *large = &d->large[i];
        if (va - large->va >= large->len)
            continue;
        if (!large->noted)
            note_flushed(d, large->va, large->len);
        large->noted = true;
        return;
    }
    note_flushed(d, va, LOAM_PAGE_SIZE);
}

static bool note_large(void *ctx, const loam_pt_entry *entry)
{
    driver *d = ctx;
    if (entry->len != LOAM_PAGE_SIZE)
        d->large[d->larges++] = (driver_large){entry->va, entry->len, false};
    return d->larges < LOAM_PT_BATCH; /* of more, all are forgotten */
}

/* What the processor may remember of a range in large pages, before it changes. */
static void remember(driver *d, uint64_t va, uint64_t len)
{
    d->larges = 0;
    loam_pt_each(&d->vm, va, len, note_large, d);
}

static void flush(driver *d, loam_pt_batch *batch)
{
    loam_tlb tlb = {.ctx = d, .page = forget_page, .all = forget_all, .threshold = LOAM_PT_BATCH};
    loam_tlb_flush(&tlb, &d->vm, batch);
}

/* ---- the space ---- */

bool driver_vm_format(driver *d, const loam_pt_format *format)
{
    if (format == NULL)
        return false;
    d->vm_format = format;
    d->vm_features = LOAM_PT_LARGE | LOAM_PT_GLOBALS;
    if (format != &loam_pt_i386)
        d->vm_features |= LOAM_PT_HUGE | LOAM_PT_NX;
    return true;
}

static bool vm_running(driver *d)
{
    if (!d->vm_there)
        driver_refuse(d, "no address space: `vm_new` first");
    return d->vm_there;
}

static void vm_end(driver *d)
{
    loam_pt_fini(&d->vm, (loam_span){0, 0});
    d->vm_there = false;
    d->flushed_all = true; /* nobody may use the tables any more */
}

/* Before any machine was started, one is made: of what was told of it, else of 16 MiB or, where
 * there is less memory for it, of a part of that. */
static bool vm_machine(driver *d)
{
    if (d->stage != DRIVER_BOOT)
        return true;
    if (d->map.ram.count != 0)
        return driver_start(d, LOAM_ZONE_MAX_ORDER);
    for (unsigned pages = MOST_PAGES; pages >= LEAST_PAGES; pages /= 4)
        if (driver_objects(d, pages))
            return true;
    driver_reset(d);
    return false;
}

static void word_vm_new(driver *d, const uint64_t *arg, unsigned n)
{
    (void)arg;
    (void)n;
    if (d->vm_format == NULL) {
        driver_refuse(d, "no format: start with --vm=i386, x86_64 or aarch64");
        return;
    }
    if (!vm_machine(d)) {
        driver_refuse(d, "no machine: `start` or `reset PAGES` first");
        return;
    }
    if (d->vm_there)
        vm_end(d);
    loam_pt_memory memory = {d, table_alloc, table_free, table_at};
    d->vm.format = d->vm_format; /* the first table is asked for before init has set it */
    loam_err err = loam_pt_init(&d->vm, d->vm_format, d->vm_features, &memory);
    d->vm_there = err == LOAM_OK;
    d->flushes = 0;
    d->flushed_all = false;
    if (d->vm_there)
        driver_put_hex(d, d->vm.root.v);
    else
        driver_answer(d, err, "vm_new");
}

static void word_vm_free(driver *d, const uint64_t *arg, unsigned n)
{
    (void)arg;
    (void)n;
    if (!vm_running(d))
        return;
    vm_end(d);
    driver_put(d, "ok");
}

/* ---- mappings ---- */

static bool flags_known(driver *d, uint64_t flags)
{
    if ((flags & ~(uint64_t)VM_FLAGS) != 0)
        driver_refuse(d, "flags are 1 write, 2 execute, 4 user");
    return (flags & ~(uint64_t)VM_FLAGS) == 0;
}

static void word_vm_map(driver *d, const uint64_t *arg, unsigned n)
{
    loam_pt_batch batch;
    (void)n;
    if (!vm_running(d) || !flags_known(d, arg[3]))
        return;
    loam_pt_batch_init(&batch);
    d->larges = 0;
    loam_err err =
        loam_pt_map(&d->vm, arg[0], loam_pa_of(arg[1]), arg[2], (unsigned)arg[3], &batch);
    flush(d, &batch);
    driver_answer(d, err, "vm_map");
}

static void word_vm_unmap(driver *d, const uint64_t *arg, unsigned n)
{
    loam_pt_batch batch;
    (void)n;
    if (!vm_running(d))
        return;
    loam_pt_batch_init(&batch);
    remember(d, arg[0], arg[1]);
    loam_err err = loam_pt_unmap(&d->vm, arg[0], arg[1], NULL, NULL, &batch);
    flush(d, &batch);
    driver_answer(d, err, "vm_unmap");
}

static void word_vm_protect(driver *d, const uint64_t *arg, unsigned n)
{
    loam_pt_batch batch;
    (void)n;
    if (!vm_running(d) || !flags_known(d, arg[2]))
        return;
    loam_pt_batch_init(&batch);
    remember(d, arg[0], arg[1]);
    loam_err err = loam_pt_protect(&d->vm, arg[0], arg[1], (unsigned)arg[2], &batch);
    flush(d, &batch);
    driver_answer(d, err, "vm_protect");
}

/* ---- views ---- */

static void word_vm_query(driver *d, const uint64_t *arg, unsigned n)
{
    loam_pt_entry e;
    (void)n;
    if (!vm_running(d))
        return;
    if (!loam_pt_query(&d->vm, arg[0], &e)) {
        driver_put(d, "none");
        return;
    }
    driver_put_hex(d, e.pa.v + (arg[0] - e.va));
    driver_put(d, " ");
    driver_put_hex(d, e.flags & VM_FLAGS);
}

static void word_vm_flushed(driver *d, const uint64_t *arg, unsigned n)
{
    (void)arg;
    (void)n;
    if (d->flushed_all)
        driver_put(d, "all");
    for (unsigned i = 0; i < d->flushes && !d->flushed_all; i++) {
        driver_put(d, i != 0 ? " " : "");
        driver_put_hex(d, d->flushed[i]);
    }
    d->flushes = 0;
    d->flushed_all = false;
}

static void word_peek(driver *d, const uint64_t *arg, unsigned n)
{
    unsigned char byte[8];
    uint64_t off = arg[0] - d->linear.pa, word = 0;
    (void)n;
    if (!driver_is_ram(d, arg[0], sizeof byte)) {
        driver_refuse(d, "no RAM there");
        return;
    }
    if (off < d->linear.len)
        __builtin_memcpy(byte, d->linear.va + (size_t)off, sizeof byte);
    else
        d->machine->peek(d->machine->ctx, arg[0], byte, sizeof byte);
    for (unsigned i = 0; i < sizeof byte; i++)
        word |= (uint64_t)byte[i] << 8 * i;
    driver_put_hex(d, word);
}

const driver_word driver_vm_words[] = {
    {"vm_new", NULL, 0, 0, word_vm_new},
    {"vm_map", NULL, 4, 4, word_vm_map},
    {"vm_unmap", NULL, 2, 2, word_vm_unmap},
    {"vm_protect", NULL, 3, 3, word_vm_protect},
    {"vm_query", NULL, 1, 1, word_vm_query},
    {"vm_flushed", NULL, 0, 0, word_vm_flushed},
    {"vm_free", NULL, 0, 0, word_vm_free},
    {"peek", NULL, 1, 1, word_peek},
    {NULL, NULL, 0, 0, NULL},
};
