/* SPDX-License-Identifier: MIT */
/* main.c - the demo's main: initialises the allocators in the document's order, and runs the demos.
 *
 * WHAT   Startup allocation as the lab asks for it: RAM from the device tree, reservations through
 *        the API, the page array from the startup allocator, the rest to the buddy system.
 *
 * MODEL  On a machine whose RAM has an owner already (the kernel's zone), the owner lends its free
 *        blocks; everything else it has is reserved here, so that the addresses are the real ones:
 *
 *            RAM     [==========================================================)
 *            region  [spin)[kernel)            [initramfs)[device tree)
 *            rest              [the owner's)                          [owner's)
 *            lent                     [.......)           [...........)
 *            here                     [page array|.......)[...........)   the buddy system
 *
 * RULES  What was borrowed is given back: the lender's free frames are as many as before.
 * LOCKS  Those of the lender's zone.
 * COST   A pass over the page array; O(blocks lent).
 * FROM   The lab's advanced exercise.
 * NOT    Finding regions: the machine says them.
 */
#include "malloc.h"

enum { MAIN_LENT = 256 };

static struct {
    osc4_buddy_system_t buddy;
    loam_span lent[MAIN_LENT]; /* frames, ascending */
    size_t nlent;
    uint64_t above; /* pages, from the lender's frames to those of our pointers */
    int wrong;
} run;

static const char *const region_name[OSC4_REGIONS] = {"spin tables", "kernel image", "initramfs",
                                                      "device tree"};

/* ---- borrowing ---- */

static bool note_block(void *ctx, uint64_t frame, unsigned order)
{
    (void)ctx;
    run.lent[run.nlent++] = (loam_span){frame, 1ULL << order};
    return run.nlent < MAIN_LENT;
}

static void borrow(loam_zone *lender)
{
    run.nlent = 0;
    loam_zone_drain(lender);
    loam_zone_each_free(lender, LOAM_ZONE_MAX_ORDER, note_block, NULL);
    size_t got = 0;
    for (size_t i = 0; i < run.nlent; i++) {
        loam_span frames = run.lent[i];
        if (loam_zone_alloc_at(lender, loam_pfn_of(frames.base), frames.len, LOAM_ZONE_ATOMIC) ==
            LOAM_OK)
            run.lent[got++] = (loam_span){frames.base + run.above, frames.len};
    }
    run.nlent = got;
}

static void give_back(loam_zone *lender)
{
    for (size_t i = 0; i < run.nlent; i++)
        run.wrong += loam_zone_free(lender, loam_pfn_of(run.lent[i].base - run.above)) != LOAM_OK;
    run.nlent = 0;
}

/* ---- startup ---- */

static void reserve(const char *name, uint64_t start, uint64_t end)
{
    osc4_say("%s:", name);
    run.wrong += osc4_memory_reserve((uintptr_t)start, (uintptr_t)end) != 0;
}

/* The pages that a region touches, as addresses. */
static loam_span region_pages(const osc4_machine *machine, unsigned i)
{
    const loam_span *r = &machine->region[i];
    uint64_t lo = loam_align_down(r->base, OSC4_PAGE_SIZE);
    return (loam_span){lo, r->len == 0 ? 0 : loam_align_up(r->base + r->len, OSC4_PAGE_SIZE) - lo};
}

/* From address `at` on: how far it belongs to a region's pages (*inside), or to none. */
static uint64_t region_run(const osc4_machine *machine, uint64_t at, uint64_t limit, bool *inside)
{
    uint64_t next = limit;
    *inside = false;
    for (unsigned i = 0; i < OSC4_REGIONS; i++) {
        loam_span r = region_pages(machine, i);
        if (at - r.base < r.len) {
            *inside = true;
            return r.base + r.len < limit ? r.base + r.len : limit;
        }
        if (r.len != 0 && r.base > at && r.base < next)
            next = r.base;
    }
    return next;
}

/* [at, limit) is the owner's; what the regions have of it is reserved already. */
static void reserve_owner(const osc4_machine *machine, uint64_t at, uint64_t limit)
{
    while (at < limit) {
        bool inside;
        uint64_t next = region_run(machine, at, limit, &inside);
        if (!inside)
            reserve("the kernel's own memory", at, next);
        at = next;
    }
}

/* What of one piece of RAM was not lent. */
static void reserve_rest(const osc4_machine *machine, const loam_span *ram)
{
    uint64_t at = ram->base, end = ram->base + ram->len;
    for (size_t i = 0; i < run.nlent; i++) {
        uint64_t lo = run.lent[i].base << OSC4_PAGE_SHIFT;
        uint64_t hi = lo + (run.lent[i].len << OSC4_PAGE_SHIFT);
        if (hi <= at || lo >= end)
            continue;
        reserve_owner(machine, at, lo);
        at = hi;
    }
    reserve_owner(machine, at, end);
}

static void reserve_all(const osc4_machine *machine)
{
    for (unsigned i = 0; i < OSC4_REGIONS; i++)
        if (machine->region[i].len != 0)
            reserve(region_name[i], machine->region[i].base,
                    machine->region[i].base + machine->region[i].len);
    for (size_t i = 0; i < machine->ram_count && machine->lender != NULL; i++)
        reserve_rest(machine, &machine->ram[i]);
}

/* Pages of the lowest RAM to the highest; the page array for them, from the startup allocator. */
static bool start_buddy(const osc4_machine *machine)
{
    uint64_t lo = machine->ram[0].base;
    uint64_t hi =
        machine->ram[machine->ram_count - 1].base + machine->ram[machine->ram_count - 1].len;
    size_t bytes = page_array_bytes((size_t)((hi - lo) >> OSC4_PAGE_SHIFT));
    page_t *page_array = simple_alloc(bytes);
    osc4_say("page array: %U bytes at 0x%X", (uint64_t)bytes, (uint64_t)(uintptr_t)page_array);
    loam_span used[OSC4_REGIONS];
    size_t n = osc4_simple_used(used, OSC4_REGIONS);
    for (size_t i = 0; i < n && i < OSC4_REGIONS; i++)
        reserve("startup allocator", used[i].base, used[i].base + used[i].len);
    osc4_log(false); /* a line for each of the largest blocks says less than the free lists do */
    bool ok = page_array != NULL &&
              buddy_init(&run.buddy, (void *)(uintptr_t)lo, (size_t)(hi - lo), page_array) == 0;
    osc4_log(true);
    return ok && memory_pools_init() == 0;
}

int osc4_main(const osc4_machine *machine)
{
    run.wrong = 0;
    run.nlent = 0;
    run.above = machine->above >> OSC4_PAGE_SHIFT;
    uint64_t before = machine->lender == NULL ? 0 : loam_zone_free_pages(machine->lender);
    if (machine->lender != NULL)
        borrow(machine->lender);
    osc4_log(true);
    osc4_startup_init();
    for (size_t i = 0; i < machine->ram_count; i++) {
        osc4_say("usable memory: [0x%X, 0x%X)", machine->ram[i].base,
                 machine->ram[i].base + machine->ram[i].len);
        run.wrong += memory_add((uintptr_t)machine->ram[i].base, (size_t)machine->ram[i].len) != 0;
    }
    reserve_all(machine);
    if (machine->ram_count == 0 || !start_buddy(machine)) {
        run.wrong++;
    } else {
        buddy_print_stats();
        run.wrong += buddy_demo() + dynamic_allocator_demo() + osc4_course_test();
    }
    osc4_log(false);
    osc4_startup_init(); /* the memory goes back: nothing here may use it any more */
    if (machine->lender != NULL) {
        give_back(machine->lender);
        loam_zone_drain(machine->lender);
        run.wrong += loam_zone_free_pages(machine->lender) != before;
    }
    osc4_say("osc4: %s", run.wrong == 0 ? "all demos passed, memory is as it was" : "FAILED");
    return run.wrong;
}
