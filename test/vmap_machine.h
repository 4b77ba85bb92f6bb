/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_VMAP_MACHINE_H
#define LOAM_TEST_VMAP_MACHINE_H

/* vmap_machine.h - a processor with a TLB, two zones and a vmap, all in software: for tests of what
 * stands on page tables. Freestanding: tests of kernels use it, too.
 *
 * The TLB remembers what was looked up until it is told to forget. A frame or a table that goes
 * back while the TLB still remembers it, and an address that the TLB knows otherwise than the
 * tables, are counted as stale. */
#include "loam/vmap.h"
#include "software_mmu.h"
#include "table_memory.h"
#include "tap.h"

enum {
    VM_PAGES = 2560, /* of the largest window */
    VM_LOW = 64,     /* frames with contents: a linear map, in static memory */
    VM_HIGH = 1536,  /* frames without */
    VM_LOW_FIRST = 0x400,
    VM_HIGH_FIRST = 0x10000,
    VM_TAGS = 24,
    VM_META = 16 * 1024
};

typedef struct vm_kind {
    const char *name;
    const loam_pt_format *format;
    unsigned features;
    mmu_kind mmu;
    uint64_t base; /* of the window */
} vm_kind;

static const vm_kind vm_kinds[] = {
    {"i386", &loam_pt_i386, 0, MMU_I386, 0xd0000000},
    {"i386, large pages", &loam_pt_i386, LOAM_PT_LARGE | LOAM_PT_GLOBALS, MMU_I386, 0xd0000000},
    {"x86_64", &loam_pt_x86_64, LOAM_PT_NX, MMU_X86_64, 0xffffc90000000000},
    {"aarch64", &loam_pt_aarch64, 0, MMU_AARCH64, 0x7f0000000000},
};

/* What the TLB remembers of a page of the window. */
typedef struct vm_entry {
    uint64_t pa;    /* | 1 when it remembers anything */
    uint64_t table; /* that the page's entry lies in */
    uint64_t size;  /* of the page it is a part of: a large one is forgotten whole */
} vm_entry;

typedef struct vm_machine {
    const vm_kind *kind;
    uint64_t pages; /* of the window */
    table_memory memory;
    loam_pt_memory tables;
    loam_pt pt;
    loam_tlb tlb;
    mmu cpu;
    loam_zone *low, *high;
    loam_zonelist frames;
    loam_trace trace; /* of both zones: frames that come back */
    loam_range_tag tag[VM_TAGS];
    loam_vmap_config config;
    loam_vmap *v;
    vm_entry entry[VM_PAGES];
    unsigned stale;              /* what should never be */
    unsigned forgot, forgot_all; /* calls of page and all */
    unsigned cleared;            /* frames, by the config's function */
    unsigned asked, refuse_at;   /* requests to the zones; the one that fails; 0: none */
    bool refuse_rest;
    _Alignas(8) uint64_t mem[512]; /* on 32 bits a uint64_t alone may have an odd multiple of 4 */
} vm_machine;

/* `common`: one for all suites in a program, which run one after another. */
extern vm_machine vm;
extern unsigned char vm_ram[VM_LOW * LOAM_PAGE_SIZE];
__attribute__((common)) vm_machine vm;
__attribute__((common, aligned(LOAM_PAGE_SIZE))) unsigned char vm_ram[VM_LOW * LOAM_PAGE_SIZE];
static _Alignas(64) unsigned char vm_meta[2][VM_META];

/* ---- the processor ---- */

static inline uint64_t vm_va(uint64_t page)
{
    return vm.kind->base + (page << LOAM_PAGE_SHIFT);
}

static inline void vm_forget_page(void *ctx, uint64_t va)
{
    (void)ctx;
    vm.forgot++;
    for (uint64_t i = 0; i < vm.pages; i++)
        if (vm.entry[i].pa != 0 && ((vm_va(i) ^ va) & ~(vm.entry[i].size - 1)) == 0)
            vm.entry[i].pa = 0;
}

static inline void vm_forget_all(void *ctx)
{
    (void)ctx;
    vm.forgot_all++;
    for (uint64_t i = 0; i < vm.pages; i++)
        vm.entry[i].pa = 0;
}

#define VM_FAULT (~0ULL)

/* Looks a page of the window up as a memory access would, and remembers it: its physical address,
 * or VM_FAULT. */
static inline uint64_t vm_touch(uint64_t page)
{
    vm_entry *e = &vm.entry[page];
    if (e->pa == 0) {
        mmu_page p = mmu_walk(&vm.cpu, vm_va(page));
        if (!p.mapped)
            return VM_FAULT;
        *e = (vm_entry){p.pa | 1, p.tables[vm.kind->mmu == MMU_I386 ? 1 : 3], p.size};
    }
    return e->pa & ~1ULL;
}

static inline void vm_touch_all(void)
{
    for (uint64_t i = 0; i < vm.pages; i++)
        (void)vm_touch(i);
}

/* Does the TLB know nothing that the tables do not say? */
static inline void vm_look_for_stale(void)
{
    for (uint64_t i = 0; i < vm.pages; i++) {
        if (vm.entry[i].pa == 0)
            continue;
        mmu_page p = mmu_walk(&vm.cpu, vm_va(i));
        vm.stale += !p.mapped || p.pa != (vm.entry[i].pa & ~1ULL);
    }
}

static inline void vm_frame_back(void *ctx, const loam_trace_event *event)
{
    (void)ctx;
    if (event->kind != LOAM_TRACE_PAGE_FREE)
        return;
    for (uint64_t i = 0; i < vm.pages; i++)
        vm.stale += vm.entry[i].pa != 0 && vm.entry[i].pa >> LOAM_PAGE_SHIFT == event->a;
}

static inline void vm_table_back(void *ctx, loam_pa table)
{
    for (uint64_t i = 0; i < vm.pages; i++)
        vm.stale += vm.entry[i].pa != 0 && vm.entry[i].table == table.v;
    table_memory_free(ctx, table);
}

/* ---- zones ---- */

static inline bool vm_refuse(void *ctx, unsigned order)
{
    (void)ctx;
    (void)order;
    vm.asked++;
    return vm.refuse_at != 0 &&
           (vm.refuse_rest ? vm.asked >= vm.refuse_at : vm.asked == vm.refuse_at);
}

static inline loam_zone *vm_zone(tap *t, unsigned i, uint64_t first, uint64_t count, bool linear)
{
    loam_zone_config c;
    const loam_span ram = {first << LOAM_PAGE_SHIFT, count << LOAM_PAGE_SHIFT};
    loam_zone_config_init(&c);
    c.name = linear ? "low" : "high";
    c.first = first;
    c.limit = first + count;
    c.fronts = false;
    c.lowest = true;
    c.refuse = vm_refuse;
    c.trace = &vm.trace;
    if (linear)
        c.linear = (loam_linear){ram.base, ram.len, vm_ram};
    loam_zone *zone = loam_zone_init(vm_meta[i], VM_META, false, &ram, 1, &c);
    TAP_CHECK(t, zone != NULL);
    TAP_EQ(t, loam_zone_add(zone, loam_pfn_of(first), count), LOAM_OK);
    return zone;
}

static inline void vm_clear(void *ctx, loam_pfn pfn)
{
    (void)ctx;
    (void)pfn;
    vm.cleared++;
}

static inline uint64_t vm_free_frames(void)
{
    return loam_zone_free_pages(vm.low) + loam_zone_free_pages(vm.high);
}

/* ---- the machine ---- */

/* All but the vmap; its config may be changed before vm_start_vmap. */
static inline void vm_start_machine(tap *t, const vm_kind *kind, uint64_t pages)
{
    __builtin_memset(&vm, 0, sizeof vm);
    vm.kind = kind;
    vm.pages = pages;
    vm.tables = table_memory_init(&vm.memory);
    vm.tables.free = vm_table_back;
    TAP_EQ(t, loam_pt_init(&vm.pt, kind->format, kind->features, &vm.tables), LOAM_OK);
    vm.tlb = (loam_tlb){.page = vm_forget_page, .all = vm_forget_all, .threshold = 16};
    vm.cpu = (mmu){.kind = kind->mmu,
                   .large = (kind->features & LOAM_PT_LARGE) != 0,
                   .nx = (kind->features & LOAM_PT_NX) != 0,
                   .global = (kind->features & LOAM_PT_GLOBALS) != 0,
                   .root = vm.pt.root.v,
                   .word = table_memory_word,
                   .ctx = &vm.memory};
    TAP_EQ(t, loam_trace_init(&vm.trace, 1, 0, NULL), LOAM_OK);
    loam_trace_set_sink(&vm.trace, vm_frame_back, NULL);
    loam_trace_set_on(&vm.trace, true);
    vm.low = vm_zone(t, 0, VM_LOW_FIRST, VM_LOW, true);
    vm.high = vm_zone(t, 1, VM_HIGH_FIRST, VM_HIGH, false);
    loam_zonelist_add_zone(&vm.frames, vm.high);
    loam_zonelist_add_zone(&vm.frames, vm.low);
    vm.config = (loam_vmap_config){.base = kind->base,
                                   .len = pages << LOAM_PAGE_SHIFT,
                                   .pt = &vm.pt,
                                   .tlb = &vm.tlb,
                                   .frames = &vm.frames,
                                   .tag = vm.tag,
                                   .tag_count = VM_TAGS,
                                   .clear = vm_clear};
}

static inline void vm_start_vmap(tap *t)
{
    TAP_CHECK(t, loam_vmap_measure() <= sizeof vm.mem);
    vm.v = loam_vmap_init(vm.mem, sizeof vm.mem, &vm.config);
    TAP_CHECK(t, vm.v != NULL);
}

static inline void vm_start(tap *t, const vm_kind *kind, uint64_t pages)
{
    vm_start_machine(t, kind, pages);
    vm_start_vmap(t);
}

/* Everything is in order, and the TLB knows nothing that is not so. */
static inline void vm_sound(tap *t)
{
    vm_look_for_stale();
    TAP_EQ(t, vm.stale, 0);
    TAP_EQ(t, vm.memory.faults, 0);
    TAP_RULE(t, loam_vmap_check(vm.v), NULL);
    TAP_RULE(t, loam_zone_check(vm.low), NULL);
    TAP_RULE(t, loam_zone_check(vm.high), NULL);
}

#endif
