/* SPDX-License-Identifier: MIT */
/* process.c - the machine of process.h: mmap plays the MMU, SIGSEGV the miss in the TLB. */
#define _GNU_SOURCE
#include "process.h"

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TABLES = 256, TAGS = 4096 };

#ifdef __SANITIZE_ADDRESS__
static const uintptr_t base = 0x40000000;
#else
static const uintptr_t base = HH_KERNEL_BASE;
#endif

static struct {
    int ram; /* the file */
    unsigned char *linear;
    uintptr_t window;
    loam_pt pt;
    loam_tlb tlb;
    loam_vmap *vmap;
    loam_zonelist frames; /* of the machine's kernel; the face brings its own */
    bool table_used[TABLES];
    bool seen[HH_PROCESS_WINDOW / HH_PAGE_SIZE]; /* mapped: what a TLB remembers */
    loam_pa directory;
    sigjmp_buf back; /* of a touch that may fail */
    volatile sig_atomic_t touching;
} this;

static const loam_span ours = {HH_PROCESS_FIRST, HH_PROCESS_RAM - HH_PROCESS_FIRST - 0x5000};
static hh_machine machine;

/* ---- page tables: pages 1 .. 255 of the file ---- */

static bool table_alloc(void *ctx, loam_pa *table)
{
    (void)ctx;
    for (size_t i = 1; i < TABLES; i++) {
        if (this.table_used[i])
            continue;
        this.table_used[i] = true;
        *table = loam_pa_of(i * HH_PAGE_SIZE);
        for (size_t k = 0; k < HH_PAGE_SIZE; k++)
            this.linear[table->v + k] = 0;
        return true;
    }
    return false;
}

static void table_free(void *ctx, loam_pa table)
{
    (void)ctx;
    this.table_used[table.v / HH_PAGE_SIZE] = false;
}

static void *table_at(void *ctx, loam_pa table)
{
    (void)ctx;
    return this.linear + table.v;
}

/* ---- the TLB ---- */

static void forget(uintptr_t va, size_t len)
{
    (void)mmap((void *)va, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE,
               -1, 0);
}

static void flush_page(void *ctx, uint64_t va)
{
    (void)ctx;
    if (va - this.window >= HH_PROCESS_WINDOW) /* a user's: no program runs here */
        return;
    forget((uintptr_t)va, HH_PAGE_SIZE);
    this.seen[(va - this.window) / HH_PAGE_SIZE] = false;
}

static void flush_all(void *ctx)
{
    (void)ctx;
    forget(this.window, HH_PROCESS_WINDOW);
    for (size_t i = 0; i < LOAM_ARRAY_LEN(this.seen); i++)
        this.seen[i] = false;
}

/* A miss: the walk of the tables. */
static bool walk(uintptr_t va)
{
    loam_pt_entry entry;
    if (va - this.window >= HH_PROCESS_WINDOW || !loam_pt_query(&this.pt, va, &entry))
        return false;
    uint64_t page = loam_align_down(va, HH_PAGE_SIZE), pa = entry.pa.v + (page - entry.va);
    int rights = PROT_READ | ((entry.flags & LOAM_PT_WRITE) != 0 ? PROT_WRITE : 0);
    void *at = mmap((void *)(uintptr_t)page, HH_PAGE_SIZE, rights, MAP_SHARED | MAP_FIXED, this.ram,
                    (off_t)pa);
    this.seen[(page - this.window) / HH_PAGE_SIZE] = true;
    return at != MAP_FAILED;
}

static void on_fault(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    if (walk((uintptr_t)info->si_addr))
        return;
    if (this.touching)
        siglongjmp(this.back, 1);
    (void)signal(signal_number, SIG_DFL); /* and again, for good */
}

bool hh_process_can_touch(const volatile void *p)
{
    bool can = false;
    this.touching = 1;
    if (sigsetjmp(this.back, 1) == 0) {
        (void)*(const volatile unsigned char *)p;
        can = true;
    }
    this.touching = 0;
    return can;
}

size_t hh_process_tlb_pages(void)
{
    size_t n = 0;
    for (size_t i = 0; i < LOAM_ARRAY_LEN(this.seen); i++)
        n += this.seen[i];
    return n;
}

/* ---- the machine ---- */

static void use(void *ctx, loam_pa directory)
{
    (void)ctx;
    this.directory = directory;
}

static bool make_memory(void)
{
    this.window = base + (HH_WINDOW_BASE - HH_KERNEL_BASE);
    this.ram = memfd_create("higherhalf-ram", 0);
    if (this.ram < 0 || ftruncate(this.ram, HH_PROCESS_RAM) != 0)
        return false;
    this.linear = mmap((void *)base, HH_PROCESS_RAM, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_FIXED_NOREPLACE, this.ram, 0);
    void *window = mmap((void *)this.window, HH_PROCESS_WINDOW, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    return this.linear == (void *)base && window == (void *)this.window;
}

static bool make_tables(void)
{
    loam_pt_memory memory = {NULL, table_alloc, table_free, table_at};
    loam_pt_batch batch;
    loam_pt_batch_init(&batch);
    return loam_pt_init(&this.pt, &loam_pt_i386, 0, &memory) == LOAM_OK &&
           loam_pt_map(&this.pt, base, loam_pa_of(0), HH_PROCESS_RAM, LOAM_PT_WRITE, &batch) ==
               LOAM_OK &&
           loam_pt_prepare(&this.pt, this.window, HH_PROCESS_WINDOW) == LOAM_OK;
}

/* The machine's kernel has a few frames of its own, at the end of RAM. */
static bool make_kernel_zone(void)
{
    static _Alignas(64) unsigned char mem[64 * 1024];
    loam_span ram = {HH_PROCESS_RAM - 0x5000, 0x5000};
    loam_zone_config config;
    loam_zone_config_init(&config);
    config.linear = (loam_linear){0, HH_PROCESS_RAM, this.linear};
    loam_zone *zone = loam_zone_init(mem, sizeof(mem), true, &ram, 1, &config);
    return zone != NULL &&
           loam_zone_add(zone, loam_pa_to_pfn(loam_pa_of(ram.base)), 5) == LOAM_OK &&
           loam_zonelist_add_zone(&this.frames, zone) == LOAM_OK;
}

static bool make_window(void)
{
    static loam_range_tag tag[TAGS];
    static _Alignas(64) unsigned char mem[4096];
    loam_vmap_config config = {.base = this.window,
                               .len = HH_PROCESS_WINDOW,
                               .pt = &this.pt,
                               .tlb = &this.tlb,
                               .frames = &this.frames,
                               .tag = tag,
                               .tag_count = TAGS};
    this.tlb = (loam_tlb){.page = flush_page, .all = flush_all, .threshold = 16};
    this.vmap =
        loam_vmap_measure() <= sizeof(mem) ? loam_vmap_init(mem, sizeof(mem), &config) : NULL;
    return this.vmap != NULL;
}

static void describe(void)
{
    machine = (hh_machine){.boot = {.regions = 1, .usable = ours.len},
                           .ram = &ours,
                           .ram_count = 1,
                           .linear = {0, HH_PROCESS_RAM, this.linear},
                           .kernel = {base, (1ULL << 32) - base},
                           .window = {this.window, HH_PROCESS_WINDOW},
                           .vmap = this.vmap,
                           .pt = &this.pt,
                           .tlb = &this.tlb,
                           .use = use};
}

const hh_machine *hh_process_machine(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    if (this.vmap != NULL)
        return &machine;
    if (!make_memory()) {
        perror("higherhalf: the machine's memory");
        return NULL;
    }
    if (sigaction(SIGSEGV, &action, NULL) != 0 || !make_tables() || !make_kernel_zone() ||
        !make_window()) {
        fprintf(stderr, "higherhalf: the machine's tables cannot be made\n");
        return NULL;
    }
    describe();
    return &machine;
}

uintptr_t hh_process_base(void)
{
    return base;
}

loam_tlb *hh_process_tlb(void)
{
    return &this.tlb;
}

loam_pa hh_process_directory(void)
{
    return this.directory;
}
