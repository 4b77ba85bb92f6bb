/* SPDX-License-Identifier: MIT */
/* kern.c - kmain in the reference kernel: `compat=higherhalf` on the command line, or in the shell
 * `demo higherhalf`.
 *
 * Half of the kernel's free memory that has an address is lent, in one piece; it goes back at the
 * end. The window and the page tables are the kernel's own.
 */
#include "kern.h"
#include "board.h"
#include "console.h"
#include "state.h"

int higherhalf_demo(void); /* in the table of kern/demos.c */
int higherhalf_overwrite_demo(void);

/* The i386 kernel's; other processors' kernels have no window, and come to no use of them. */
void arch_use_root(loam_pa root) __attribute__((weak));
extern const char boot_directory[] __attribute__((weak));
/* kern/user/: where programs run in user mode. */
void programs_command_run(size_t count, const char *const *word) __attribute__((weak));

enum { LEAST_PAGES = 512 };

/* A run of free frames of one zone. */
typedef struct lent_run {
    loam_zone *zone;
    uint64_t first, count;
} lent_run;

/* The one at hand, and the longest. */
typedef struct search {
    lent_run at, best;
} search;

static void print_line(void *ctx, const char *line)
{
    (void)ctx;
    kprintf("%s\n", line);
}

/* Blocks come by address: those that touch are one run. */
static bool note_block(void *ctx, uint64_t frame, unsigned order)
{
    search *s = ctx;
    if (s->at.first + s->at.count != frame)
        s->at = (lent_run){s->at.zone, frame, 0};
    s->at.count += 1ULL << order;
    if (s->at.count > s->best.count)
        s->best = s->at;
    return true;
}

/* The end of the longest run, at most half of its zone. */
static bool borrow(lent_run *lent)
{
    search s = {.best = {.count = 0}};
    uint64_t half;
    for (unsigned i = 0; i < kern_this.mapped.count; i++) {
        s.at = (lent_run){.zone = kern_this.mapped.zone[i]};
        loam_zone_drain(s.at.zone);
        loam_zone_each_free(s.at.zone, LOAM_ZONE_MAX_ORDER, note_block, &s);
    }
    *lent = s.best;
    if (lent->count < LEAST_PAGES)
        return false;
    half = loam_zone_free_pages(lent->zone) / 2;
    if (lent->count > half) {
        lent->first += lent->count - half;
        lent->count = half;
    }
    return loam_zone_alloc_at(lent->zone, loam_pfn_of(lent->first), lent->count,
                              LOAM_ZONE_NORMAL) == LOAM_OK;
}

static void use_directory(void *ctx, loam_pa directory)
{
    (void)ctx;
    if (arch_use_root != NULL)
        arch_use_root(directory);
}

static uint64_t usable_bytes(void)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < kern_this.bootinfo.ram_count; i++)
        sum += kern_this.bootinfo.ram[i].len;
    return sum;
}

static void describe(hh_machine *machine, const loam_span *ram)
{
    const kern *k = &kern_this;
    loam_vmap_stats window;
    loam_vmap_stat(k->vmap, &window);
    *machine = (hh_machine){
        .boot = {.directory = boot_directory == NULL ? 0 : phys_of(boot_directory).v,
                 .entry = (uintptr_t)hh_kmain,
                 .regions = k->bootinfo.ram_count,
                 .usable = usable_bytes(),
                 .loader = k->bootinfo.loader},
        .ram = ram,
        .ram_count = 1,
        .linear = board_this.mapped,
        .kernel = {HH_KERNEL_BASE, (1ULL << 32) - HH_KERNEL_BASE},
        .window = {HH_WINDOW_BASE, window.window},
        .vmap = k->vmap,
        .pt = &kern_this.pt,
        .tlb = &kern_this.tlb,
        .use = use_directory,
    };
}

/* Free pages, without what the kernel's own slabs keep for later. */
static uint64_t free_pages(void)
{
    loam_slabs_shrink(kern_this.slabs);
    return kern_free_pages();
}

/* kmain and then show(), on borrowed memory. */
static int run(int (*show)(void))
{
    static hh_machine machine;
    static loam_span ram;
    lent_run lent;
    uint64_t before = free_pages();
    size_t left;
    int wrong;
    hh_set_output(print_line, NULL);
    if (kern_this.vmap == NULL || kern_this.pt.format != &loam_pt_i386) {
        hh_say("higherhalf: this kernel has no window at 0x%X: i386 kernels have",
               (uint64_t)HH_WINDOW_BASE);
        return 1;
    }
    if (!borrow(&lent)) {
        hh_say("higherhalf: less than %u pages in a row are free", LEAST_PAGES);
        return 1;
    }
    ram = (loam_span){lent.first << HH_PAGE_SHIFT, lent.count << HH_PAGE_SHIFT};
    describe(&machine, &ram);
    wrong = hh_kmain(&machine);
    if (wrong == 0)
        wrong = show();
    left = hh_leave();
    (void)loam_zone_free(lent.zone, loam_pfn_of(lent.first));
    if (left != 0 || free_pages() != before) {
        hh_say("higherhalf: %U blocks were left; %U pages are free, %U before", (uint64_t)left,
               kern_free_pages(), before);
        wrong++;
    }
    return wrong == 0 ? 0 : 1;
}

/* The document's last wish, with real programs of the initrd: each touch of a page is a fault, and
 * the kernel answers it. Their pages are the kernel's: ours have gone back. */
static void run_programs(void)
{
    static const char *const touch[] = {"run", "touch"}, *const clone[] = {"run", "clone"};
    if (programs_command_run == NULL || kern_this.bootinfo.initrd.len == 0)
        return;
    hh_say("two programs in user mode:");
    programs_command_run(LOAM_ARRAY_LEN(touch), touch);
    programs_command_run(LOAM_ARRAY_LEN(clone), clone);
}

int higherhalf_demo(void)
{
    int wrong = run(hh_demo);
    if (wrong == 0)
        run_programs();
    return wrong;
}

/* The byte in front of a block, and kfree: comes back only if nobody notices. */
static int overwrite(void)
{
    unsigned char *p = hh_kmalloc(100);
    if (p == NULL)
        return 1;
    hh_say("a byte in front of the block at %p is written over, then kfree:", (void *)p);
    p[-1] = 0x41;
    hh_kfree(p);
    hh_say("higherhalf: nobody noticed");
    return 1;
}

int higherhalf_overwrite_demo(void)
{
    return run(overwrite);
}
