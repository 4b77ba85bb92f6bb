/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_VM_GROUND_H
#define LOAM_TEST_VM_GROUND_H

/* vm_ground.h - a hosted machine whose page tables are believed: what they map can be touched.
 *
 * RAM is a file in memory (memfd). The window is reserved address space of this process in which
 * nothing is mapped. A touch there is a fault, and the fault is a TLB miss: the tables are walked,
 * and the page of RAM is mapped there with the rights that they give. What is mapped so stays until
 * it is flushed, as in a TLB; so memory that goes back without a flush is found by its contents.
 *
 *     vm_ground g;
 *     vm_ground_start(&g, 1024, 512, 4 << 20);    // frames, frames without a linear map, window
 *     loam_vmap_alloc(g.vmap, 10000, 0, LOAM_PT_WRITE, &va);
 *     memset((void *)(uintptr_t)va, 1, 10000);
 *     if (!vm_ground_reads((void *)(uintptr_t)(va - 1))) ...   // a guard page
 *
 * One machine at a time in a process. To be included first (it asks for all of Linux's calls).
 * Loam's own format on 64 bits is x86_64, on 32 bits i386. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "loam/kmalloc.h"
#include "loam/vmap.h"
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    VM_GROUND_PA = 0x400000, /* where RAM begins */
    VM_GROUND_TAGS = 8,
    VM_GROUND_META = 1 << 20
};

typedef struct vm_ground {
    int ram;               /* the file */
    uint64_t frames, high; /* all, and those of them, the last ones, without a linear map */
    unsigned char *linear; /* the low frames */
    unsigned char *window;
    size_t window_len;
    unsigned char *meta[2];
    loam_zone *low, *high_zone;
    loam_zonelist list; /* high first */
    loam_pt pt;
    loam_tlb tlb;
    uint64_t misses;  /* pages mapped by a touch */
    uint64_t changes; /* misses and flushes */
    uint64_t tables;  /* pages of the low zone that the tables have */
    /* For tests: requests for tables that are still answered, when few_tables is on. */
    bool few_tables;
    unsigned tables_left;
    loam_range_tag tag[VM_GROUND_TAGS];
    loam_vmap *vmap;
    loam_slabs *slabs;
    loam_kmalloc *k; /* its small blocks have the tags, too */
} vm_ground;

static vm_ground *vm_ground_now; /* whose window faults are looked up in */
static sigjmp_buf vm_ground_back;
static volatile sig_atomic_t vm_ground_probing;

static inline void vm_ground_check(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    abort();
}

/* ---- the processor ---- */

/* A miss: maps the page as the tables say. false: they do not allow it. */
static inline bool vm_ground_walk(vm_ground *g, uintptr_t at)
{
    loam_pt_entry e;
    if (at - (uintptr_t)g->window >= g->window_len || !loam_pt_query(&g->pt, at, &e))
        return false;
    uintptr_t page = at & ~(uintptr_t)(LOAM_PAGE_SIZE - 1);
    uint64_t pa = e.pa.v + (page - e.va);
    if (pa < VM_GROUND_PA || pa - VM_GROUND_PA >= g->frames << LOAM_PAGE_SHIFT)
        return false; /* no RAM there */
    int rights = PROT_READ | ((e.flags & LOAM_PT_WRITE) != 0 ? PROT_WRITE : 0);
    g->misses++;
    g->changes++;
    return mmap((void *)page, LOAM_PAGE_SIZE, rights, MAP_SHARED | MAP_FIXED, g->ram,
                (off_t)(pa - VM_GROUND_PA)) != MAP_FAILED;
}

static inline void vm_ground_fault(int number, siginfo_t *info, void *context)
{
    static _Thread_local uintptr_t last;
    static _Thread_local uint64_t last_changes;
    vm_ground *g = vm_ground_now;
    uintptr_t page = (uintptr_t)info->si_addr & ~(uintptr_t)(LOAM_PAGE_SIZE - 1);
    (void)context;
    /* The same page twice in a row, and nothing came between: it is there, and not for that. */
    bool again = page == last && g != NULL && g->changes == last_changes;
    if (g != NULL && !again && vm_ground_walk(g, page)) {
        last = page;
        last_changes = g->changes;
        return;
    }
    last = 0;
    if (vm_ground_probing)
        siglongjmp(vm_ground_back, 1);
    signal(number, SIG_DFL);
}

static inline void vm_ground_forget(vm_ground *g, void *at, size_t len)
{
    void *none =
        mmap(at, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    g->changes++;
    vm_ground_check(none == at, "vm_ground: flush");
}

static inline void vm_ground_forget_page(void *ground, uint64_t va)
{
    vm_ground *g = ground;
    if (va - (uintptr_t)g->window < g->window_len)
        vm_ground_forget(g, (void *)(uintptr_t)va, LOAM_PAGE_SIZE);
}

static inline void vm_ground_forget_all(void *ground)
{
    vm_ground *g = ground;
    vm_ground_forget(g, g->window, g->window_len);
}

/* May a byte be read, or written (it is written back as it was)? */
static inline bool vm_ground_reads(const void *at)
{
    bool works = sigsetjmp(vm_ground_back, 1) == 0;
    vm_ground_probing = 1;
    if (works)
        (void)*(const volatile unsigned char *)at;
    vm_ground_probing = 0;
    return works;
}

static inline bool vm_ground_writes(void *at)
{
    bool works = sigsetjmp(vm_ground_back, 1) == 0;
    volatile unsigned char *byte = at;
    vm_ground_probing = 1;
    if (works) {
        unsigned char was = *byte;
        *byte = was;
    }
    vm_ground_probing = 0;
    return works;
}

/* ---- tables: of the low zone ---- */

static inline bool vm_ground_table_alloc(void *ground, loam_pa *table)
{
    vm_ground *g = ground;
    if (g->few_tables && g->tables_left-- == 0) {
        g->tables_left = 0;
        return false;
    }
    loam_pfn pfn = loam_zone_alloc(g->low, 0, LOAM_ZONE_ZERO);
    *table = loam_pfn_to_pa(pfn);
    g->tables += !loam_pfn_is_none(pfn);
    return !loam_pfn_is_none(pfn);
}

static inline void vm_ground_table_free(void *ground, loam_pa table)
{
    vm_ground *g = ground;
    loam_zone_free(g->low, loam_pa_to_pfn(table));
    g->tables--;
}

static inline void *vm_ground_table_at(void *ground, loam_pa table)
{
    vm_ground *g = ground;
    return g->linear + (table.v - VM_GROUND_PA);
}

/* ---- tags: of kmalloc ---- */

static inline loam_range_tag *vm_ground_tag_get(void *ground)
{
    vm_ground *g = ground;
    return g->k != NULL ? loam_kmalloc_alloc(g->k, sizeof(loam_range_tag)) : NULL;
}

static inline void vm_ground_tag_put(void *ground, loam_range_tag *tag)
{
    vm_ground *g = ground;
    loam_kmalloc_free(g->k, tag);
}

/* ---- the machine ---- */

static inline loam_zone *vm_ground_zone(vm_ground *g, unsigned i, uint64_t first, uint64_t count)
{
    loam_zone_config c;
    const loam_span ram = {first << LOAM_PAGE_SHIFT, count << LOAM_PAGE_SHIFT};
    loam_zone_config_init(&c);
    c.name = i == 0 ? "low" : "high";
    c.first = first;
    c.limit = first + count;
    c.ncpus = 8;
    if (i == 0)
        c.linear = (loam_linear){ram.base, ram.len, g->linear};
    uint64_t need = loam_zone_measure(&ram, 1, &c);
    g->meta[i] = aligned_alloc(64, (size_t)(need + 63) & ~(size_t)63);
    vm_ground_check(g->meta[i] != NULL, "vm_ground: metadata");
    loam_zone *zone = loam_zone_init(g->meta[i], need, false, &ram, 1, &c);
    vm_ground_check(zone != NULL && loam_zone_add(zone, loam_pfn_of(first), count) == LOAM_OK,
                    "vm_ground: zone");
    return zone;
}

/* Address space for the window; on a 64-bit host anywhere, which is canonical for x86_64. */
static inline void vm_ground_reserve(vm_ground *g, size_t window)
{
    g->window_len = window;
    g->window = mmap(NULL, window, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    vm_ground_check(g->window != MAP_FAILED, "vm_ground: window");
    g->ram = memfd_create("vm_ground", MFD_CLOEXEC);
    vm_ground_check(g->ram >= 0 && ftruncate(g->ram, (off_t)(g->frames << LOAM_PAGE_SHIFT)) == 0,
                    "vm_ground: RAM");
    size_t low = (size_t)(g->frames - g->high) << LOAM_PAGE_SHIFT;
    /* a multiple of 64 KiB, where physical addresses are: slabs want it so */
    unsigned char *room = mmap(NULL, low + 0x10000, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    vm_ground_check(room != MAP_FAILED, "vm_ground: linear map");
    g->linear = room + (-(uintptr_t)room & 0xffff);
    vm_ground_check(mmap(g->linear, low, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, g->ram,
                         0) == g->linear,
                    "vm_ground: linear map");
}

/* A frame's contents wherever it is: mapped for a moment, or NULL, for frames without a linear
 * map. */
static inline unsigned char *vm_ground_open(vm_ground *g, loam_pfn pfn)
{
    off_t at = (off_t)((pfn.v << LOAM_PAGE_SHIFT) - VM_GROUND_PA);
    void *p = mmap(NULL, LOAM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, g->ram, at);
    return p != MAP_FAILED ? p : NULL;
}

static inline void vm_ground_close(unsigned char *page)
{
    munmap(page, LOAM_PAGE_SIZE);
}

/* Layers on top of RAM, tables and window: slabs and kmalloc (options as on a command line, or
 * NULL: "shift=14"), and a vmap whose further tags come from it. */
static inline void vm_ground_layers(vm_ground *g, const char *options)
{
    static unsigned char mem[4096] __attribute__((aligned(8)));
    loam_slab_config slab;
    const char *bad = NULL;
    loam_slab_config_init(&slab);
    vm_ground_check(loam_slab_config_parse(&slab, options != NULL ? options : "shift=14", &bad) ==
                        LOAM_OK,
                    "vm_ground: options");
    g->slabs = loam_slabs_init(g->low, &slab);
    g->k = g->slabs != NULL ? loam_kmalloc_init(g->slabs) : NULL;
    const loam_vmap_config config = {
        .base = (uintptr_t)g->window,
        .len = g->window_len,
        .pt = &g->pt,
        .tlb = &g->tlb,
        .frames = &g->list,
        .tag = g->tag,
        .tag_count = VM_GROUND_TAGS,
        .source = {g, vm_ground_tag_get, vm_ground_tag_put},
    };
    g->vmap = loam_vmap_init(mem, sizeof mem, &config);
    vm_ground_check(g->k != NULL && g->vmap != NULL, "vm_ground: layers");
}

static inline void vm_ground_start(vm_ground *g, uint64_t frames, uint64_t high, size_t window)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_NODEFER};
    uint64_t first = VM_GROUND_PA >> LOAM_PAGE_SHIFT;
    memset(g, 0, sizeof *g);
    g->frames = frames;
    g->high = high;
    vm_ground_reserve(g, window);
    g->low = vm_ground_zone(g, 0, first, frames - high);
    if (high != 0) {
        g->high_zone = vm_ground_zone(g, 1, first + frames - high, high);
        loam_zonelist_add_zone(&g->list, g->high_zone);
    }
    loam_zonelist_add_zone(&g->list, g->low);
    const loam_pt_memory memory = {g, vm_ground_table_alloc, vm_ground_table_free,
                                   vm_ground_table_at};
    const loam_pt_format *format = sizeof(void *) == 8 ? &loam_pt_x86_64 : &loam_pt_i386;
    vm_ground_check(loam_pt_init(&g->pt, format, 0, &memory) == LOAM_OK, "vm_ground: tables");
    g->tlb = (loam_tlb){
        .ctx = g, .page = vm_ground_forget_page, .all = vm_ground_forget_all, .threshold = 8};
    vm_ground_now = g;
    action.sa_sigaction = vm_ground_fault;
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
}

static inline void vm_ground_end(vm_ground *g)
{
    vm_ground_now = NULL;
    munmap(g->window, g->window_len);
    munmap(g->linear, (size_t)(g->frames - g->high) << LOAM_PAGE_SHIFT);
    close(g->ram);
    free(g->meta[0]);
    free(g->meta[1]);
}

/* Free frames of both zones, once the layers keep nothing. */
static inline uint64_t vm_ground_free_frames(vm_ground *g)
{
    if (g->slabs != NULL)
        loam_slabs_shrink(g->slabs);
    return loam_zone_free_pages(g->low) +
           (g->high_zone != NULL ? loam_zone_free_pages(g->high_zone) : 0);
}

#endif
