/* SPDX-License-Identifier: MIT */
/* program_run.c - one program from its file to its last frame, in a world of its own.
 *
 * Frames are counted before the world is made and after it has gone: whatever the program and its
 * clones did, the two numbers are the same.
 */
#include "console.h"
#include "kern.h"
#include "paging.h"
#include "process.h"

/* ---- what an address space needs of this kernel ---- */

static unsigned char *window(void *ctx, loam_pfn pfn)
{
    (void)ctx;
    return paging_window(0, pfn);
}

static void *unit_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return loam_kmalloc_calloc(kern_this.kmalloc, 1, size);
}

static void unit_free(void *ctx, void *p, size_t size)
{
    (void)ctx;
    (void)size;
    (void)loam_kmalloc_free(kern_this.kmalloc, p);
}

static loam_aspace_world *make_world(void)
{
    kern *k = &kern_this;
    const loam_aspace_config config = {
        .format = k->pt.format,
        .features = k->pt.features,
        .memory = paging_memory,
        .kernel = &k->pt,
        .tlb = &k->tlb,
        .base = 0,
        .len = USER_END,
        .frames = &k->zones,
        .clear = paging_clear_frame,
        .copy = paging_copy_frame,
        .window = window,
        .alloc = unit_alloc,
        .free = unit_free,
    };
    return loam_aspace_world_init(&config);
}

/* Free pages, when nothing is kept back in slabs or fronts. */
static uint64_t count_free(void)
{
    kern_free_lists lists;
    loam_kmalloc_shrink(kern_this.kmalloc);
    loam_slabs_shrink(kern_this.slabs);
    kern_free_lists_read(&lists);
    return kern_free_pages();
}

/* ---- a run ---- */

static void fail(run_result *result, const char *why)
{
    loam_text text;
    loam_text_init(&text, result->reason, sizeof(result->reason));
    loam_text_str(&text, why);
}

static void run_in(loam_aspace_world *world, size_t argc, const char *const *argv, loam_span file,
                   run_result *result)
{
    uint32_t eip, esp;
    const char *why = "no memory for its address space";
    process *p = process_new(argv[0], 0);
    p->as = loam_aspace_create(world);
    result->started = p->as != NULL && program_load(p->as, (const void *)(uintptr_t)file.base,
                                                    (size_t)file.len, argc, argv, &eip, &esp, &why);
    if (!result->started) {
        fail(result, why);
        if (p->as != NULL)
            loam_aspace_destroy(p->as);
        process_drop(p);
        return;
    }
    result->processes = 1;
    result->first = p->number;
    process_result = result;
    process_world = world;
    process_hooks();
    process_run_all(p, eip, esp);
    process_result = NULL;
}

static void report(const char *name, const run_result *r)
{
    const loam_aspace_stats *s = &r->sum;
    if (!r->started) {
        kprintf("user: %s: cannot be run: %s\n", name, r->reason);
        return;
    }
    if (r->status != USER_KILLED)
        kprintf("user: %s: exit status %d; %u process%s, %u killed, %U blocks leaked\n", name,
                r->status, (int)r->processes, r->processes == 1 ? "" : "es", (int)r->killed,
                r->leaks);
    kprintf(
        "user: %s: pages: %U at first touch, of these %U of the stack; %U copied at a write, %U "
        "kept\n",
        name, s->demand_zero, s->stack_grown, s->cow_copied, s->cow_reused);
}

void program_run(size_t argc, const char *const *argv, run_result *result)
{
    loam_span file;
    const char *why;
    *result = (run_result){.frames_back = true};
    if (!program_find(argv[0], &file, &why)) {
        fail(result, why);
        report(argv[0], result);
        return;
    }
    uint64_t before = count_free();
    loam_aspace_world *world = make_world();
    if (world == NULL)
        fail(result, "no memory for its address space");
    else
        run_in(world, argc, argv, file, result);
    if (world != NULL && loam_aspace_world_fini(world) != LOAM_OK)
        kprintf("user: %s: an address space is left\n", argv[0]);
    uint64_t after = count_free();
    result->frames_back = before == after;
    report(argv[0], result);
    kprintf("user: %s: frames: %U free before, %U after: %s\n", argv[0], before, after,
            before == after ? "all are back" : "SOME ARE LOST");
}
