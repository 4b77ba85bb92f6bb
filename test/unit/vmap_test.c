/* SPDX-License-Identifier: MIT */
/* vmap_test.c - areas by example, on every format: alloc and free, map. */
#include "vmap_window.h"

/* ---- init ---- */

static bool init_works(void)
{
    return loam_vmap_init(vm.mem, sizeof vm.mem, &vm.config) != NULL;
}

#define INIT_REFUSES(t, member, value)                                                             \
    do {                                                                                           \
        __typeof__(vm.config.member) init_old = vm.config.member;                                  \
        vm.config.member = (value);                                                                \
        TAP_CHECK(t, !init_works());                                                               \
        vm.config.member = init_old;                                                               \
        TAP_CHECK(t, init_works());                                                                \
    } while (0)

static loam_range_tag *no_tag(void *ctx)
{
    (void)ctx;
    return NULL;
}

static void init_arguments(tap *t)
{
    vm_start_machine(t, &vm_kinds[0], WINDOW);
    INIT_REFUSES(t, base, 0xd0000800);
    INIT_REFUSES(t, base, 0xfffff000); /* not canonical from there on */
    INIT_REFUSES(t, len, 2 * PAGE);
    INIT_REFUSES(t, len, 3 * PAGE + 1);
    INIT_REFUSES(t, pt, NULL);
    INIT_REFUSES(t, tlb, NULL);
    INIT_REFUSES(t, frames, NULL);
    INIT_REFUSES(t, tag, NULL);
    INIT_REFUSES(t, tag_count, 1);
    INIT_REFUSES(t, source.get, no_tag);
    TAP_CHECK(t, loam_vmap_init(NULL, sizeof vm.mem, &vm.config) == NULL);
    TAP_CHECK(t, loam_vmap_init(vm.mem, loam_vmap_measure() - 1, &vm.config) == NULL);
    TAP_CHECK(t, loam_vmap_init((unsigned char *)vm.mem + 4, 2048, &vm.config) == NULL);
}

static void init_smallest(tap *t)
{
    vm_start(t, &vm_kinds[0], 3);
    TAP_EQ(t, stats().largest, PAGE);
    TAP_EQ(t, alloc(t, 1), vm_va(1));
    TAP_EQ(t, stats().largest, 0);
    give(t, vm_va(1));
}

/* ---- alloc, free ---- */

static void alloc_scatters(tap *t)
{
    for
        EACH_KIND(k)
        {
            vm_start(t, k, WINDOW);
            uint64_t a = alloc(t, 3 * PAGE - 5), b = alloc(t, PAGE);
            TAP_EQ(t, a, vm_va(1)); /* behind the window's guard */
            TAP_EQ(t, b, vm_va(5)); /* behind a's */
            TAP_EQ(t, mapped_from(0), 0);
            TAP_EQ(t, mapped_from(1), 3);
            TAP_EQ(t, mapped_from(5), 1);
            TAP_EQ(t, vm_free_frames(), FRAMES - 4);
            TAP_EQ(t, stats().areas, 2);
            TAP_EQ(t, stats().mapped, 4 * PAGE);
            TAP_EQ(t, stats().largest, (WINDOW - 8) * PAGE);
            give(t, a);
            TAP_EQ(t, mapped_from(1), 0);
            TAP_EQ(t, alloc(t, 3 * PAGE), a);
            give(t, b);
            give(t, a);
            TAP_EQ(t, vm_free_frames(), FRAMES);
            TAP_EQ(t, vm.memory.out, 1); /* the root */
            TAP_EQ(t, stats().areas, 0);
            TAP_EQ(t, stats().mapped, 0);
            TAP_EQ(t, stats().allocs, 3);
            TAP_EQ(t, stats().frees, 3);
        }
}

static void alloc_arguments(tap *t)
{
    uint64_t va = 7;
    vm_start(t, &vm_kinds[0], WINDOW);
    TAP_EQ(t, loam_vmap_alloc(vm.v, 0, 0, W, &va), LOAM_EINVAL);
    TAP_EQ(t, loam_vmap_alloc(vm.v, (WINDOW - 2) * PAGE + 1, 0, W, &va), LOAM_EINVAL);
    TAP_EQ(t, loam_vmap_alloc(vm.v, UINT64_MAX, 0, W, &va), LOAM_EINVAL);
    TAP_EQ(t, loam_vmap_alloc(vm.v, 1, 3, W, &va), LOAM_EINVAL);
    TAP_EQ(t, loam_vmap_alloc(vm.v, 1, 0, BORROW, &va), LOAM_EINVAL);
    TAP_EQ(t, loam_vmap_alloc(vm.v, 1, 0, 1U << 24, &va), LOAM_EINVAL);
    TAP_EQ(t, va, 7);
    TAP_EQ(t, stats().failures, 0);
    TAP_EQ(t, loam_vmap_alloc(vm.v, (WINDOW - 2) * PAGE, 0, W, &va), LOAM_OK);
    TAP_EQ(t, loam_vmap_alloc(vm.v, 1, 0, W, &va), LOAM_ENOMEM);
    TAP_EQ(t, stats().failures, 1);
    vm_sound(t);
}

static void alloc_aligned(tap *t)
{
    uint64_t va;
    vm_start(t, &vm_kinds[2], WINDOW);
    TAP_EQ(t, loam_vmap_alloc(vm.v, PAGE, 16 * PAGE, W, &va), LOAM_OK);
    TAP_EQ(t, va, vm_va(16));
    TAP_EQ(t, loam_vmap_alloc(vm.v, PAGE, 8, W, &va), LOAM_OK);
    TAP_EQ(t, va, vm_va(1));
    TAP_EQ(t, loam_vmap_alloc(vm.v, 14 * PAGE, 0, W, &va), LOAM_OK);
    TAP_EQ(t, va, vm_va(18)); /* 13 pages are left in front of the guard of page 16 */
    vm_sound(t);
}

static void alloc_many_pages(tap *t)
{
    for
        EACH_KIND(k)
        {
            vm_start(t, k, VM_PAGES);
            uint64_t va = 0, batches = vm.tlb.stats.batches;
            TAP_EQ(t, loam_vmap_alloc(vm.v, 1024 * PAGE, 0, W, &va), LOAM_OK);
            TAP_CHECK(t, vm.tlb.stats.batches - batches <= 1);
            TAP_EQ(t, mapped_from(1), 1024);
            vm_sound(t);
            batches = vm.tlb.stats.batches;
            vm.forgot = vm.forgot_all = 0;
            vm_touch_all();
            TAP_EQ(t, loam_vmap_free(vm.v, va), LOAM_OK);
            TAP_EQ(t, vm.tlb.stats.batches - batches, 1);
            TAP_EQ(t, vm.forgot, 0);
            TAP_EQ(t, vm.forgot_all, 1);
            TAP_EQ(t, vm_free_frames(), FRAMES);
            TAP_EQ(t, vm.memory.out, 1);
            vm_sound(t);
        }
}

static void free_few_pages_one_by_one(tap *t)
{
    vm_start(t, &vm_kinds[0], WINDOW);
    uint64_t va = alloc(t, 16 * PAGE);
    vm.forgot = vm.forgot_all = 0;
    give(t, va);
    TAP_EQ(t, vm.forgot, 16);
    TAP_EQ(t, vm.forgot_all, 0);
    vm.tlb.page = NULL; /* an 80386 */
    va = alloc(t, PAGE);
    give(t, va);
    TAP_EQ(t, vm.forgot_all, 1);
}

/* No page for the list of frames: the area goes in parts of 8 pages. */
static void free_without_memory(tap *t)
{
    for
        EACH_KIND(k)
        {
            vm_start(t, k, VM_PAGES);
            uint64_t va = alloc(t, 700 * PAGE), batches = vm.tlb.stats.batches;
            vm.memory.limit = 1;
            vm_touch_all();
            TAP_EQ(t, loam_vmap_free(vm.v, va), LOAM_OK);
            TAP_EQ(t, vm.tlb.stats.batches - batches, (700 + VMAP_FEW - 1) / VMAP_FEW);
            TAP_EQ(t, vm_free_frames(), FRAMES);
            TAP_EQ(t, vm.memory.out, 1);
            vm_sound(t);
        }
}

/* What goes in parts is no area for anybody who looks in between. */
static uint64_t going;
static unsigned seen_going, seen_gone;

static void look_between(void *ctx, const loam_trace_event *event)
{
    loam_vmap_area area;
    bool guard;
    (void)ctx;
    if (event->kind != LOAM_TRACE_PAGE_FREE)
        return;
    if (loam_vmap_find(vm.v, going, &area, &guard) && !guard)
        seen_going++;
    else
        seen_gone++;
}

static void free_in_parts_is_free(tap *t)
{
    vm_start(t, &vm_kinds[0], WINDOW);
    going = alloc(t, 40 * PAGE);
    seen_going = seen_gone = 0;
    vm.memory.limit = 1;
    loam_trace_set_sink(&vm.trace, look_between, NULL);
    TAP_EQ(t, loam_vmap_free(vm.v, going), LOAM_OK);
    TAP_EQ(t, seen_going, 0);
    TAP_EQ(t, seen_gone, 40);
    vm_sound(t);
}

/* Who asks in the middle of a change, as a fault handler might, is not kept waiting. */
static bool asked_inside;

static void ask_inside(void *ctx, uint64_t va)
{
    loam_vmap_area area;
    bool guard;
    asked_inside = !loam_vmap_find(vm.v, going, &area, &guard);
    vm_forget_page(ctx, va);
}

static void find_in_the_middle(tap *t)
{
    vm_start(t, &vm_kinds[0], WINDOW);
    uint64_t va = alloc(t, PAGE);
    going = alloc(t, PAGE);
    asked_inside = false;
    vm.tlb.page = ask_inside;
    give(t, va);
    TAP_CHECK(t, asked_inside);
    give(t, going);
}

static void free_refused(tap *t, uint64_t va, const char *what, const char *state)
{
    uint64_t refusals = stats().refusals;
    tap_catch(t);
    TAP_EQ(t, loam_vmap_free(vm.v, va), LOAM_EINVAL);
    TAP_EQ(t, tap_caught(t), 1);
    TAP_STR(t, t->report.unit, "vmap");
    TAP_STR(t, t->report.what, what);
    TAP_STR(t, t->report.state, state);
    TAP_EQ(t, t->report.value, va);
    TAP_CHECK(t, t->report.caller != NULL);
    TAP_EQ(t, stats().refusals, refusals + 1);
    vm_sound(t);
}

static void free_misuse(tap *t)
{
    vm_start(t, &vm_kinds[0], WINDOW);
    uint64_t a = alloc(t, 2 * PAGE), b = alloc(t, PAGE);
    free_refused(t, a + PAGE, "inner free", "inner");
    TAP_EQ(t, t->report.size, 2 * PAGE);
    TAP_CHECK(t, t->report.site != NULL);
    free_refused(t, a + 1, "inner free", "inner");
    free_refused(t, a + 2 * PAGE, "inner free", "guard");
    free_refused(t, a - PAGE, "inner free", "guard");
    free_refused(t, vm_va(0) - PAGE, "foreign free", "outside");
    free_refused(t, vm_va(WINDOW), "foreign free", "outside");
    free_refused(t, 0, "foreign free", "outside");
    give(t, b);
    free_refused(t, b, "double free", "free");
    give(t, a);
    free_refused(t, a, "double free", "free");
    TAP_EQ(t, vm_free_frames(), FRAMES);
}

/* ---- map ---- */

static void map_borrowed(tap *t)
{
    const loam_pfn pfn[] = {{3}, {0x7777}, {4}};
    uint64_t va;
    vm_start(t, &vm_kinds[0], WINDOW);
    TAP_EQ(t, loam_vmap_map(vm.v, pfn, 3, W | BORROW, &va), LOAM_OK);
    for (uint64_t i = 0; i < 3; i++) {
        TAP_EQ(t, vm_touch(1 + i), pfn[i].v << LOAM_PAGE_SHIFT);
    }
    vm_sound(t);
    tap_catch(t);
    TAP_EQ(t, loam_vmap_resize(vm.v, va, PAGE), LOAM_EINVAL);
    TAP_EQ(t, tap_caught(t), 1);
    TAP_STR(t, t->report.state, "borrowed");
    give(t, va);
    TAP_EQ(t, vm_free_frames(), FRAMES);
}

static void map_given(tap *t)
{
    uint64_t va;
    vm_start(t, &vm_kinds[0], WINDOW);
    loam_pfn pfn[2] = {loam_zone_alloc(vm.low, 0, 0), loam_zone_alloc(vm.high, 0, 0)};
    loam_pfn block = loam_zone_alloc(vm.high, 1, 0);
    TAP_EQ(t, loam_vmap_map(vm.v, pfn, 2, W, &va), LOAM_OK);
    vm_sound(t);
    give(t, va);
    TAP_EQ(t, vm_free_frames(), FRAMES - 2);
    tap_catch(t);
    TAP_EQ(t, loam_vmap_map(vm.v, &block, 1, W, &va), LOAM_EINVAL); /* it has two frames */
    TAP_EQ(t, loam_vmap_map(vm.v, pfn, 1, W, &va), LOAM_EINVAL);    /* it is free */
    TAP_EQ(t, tap_caught(t), 2);
    TAP_STR(t, t->report.object, "frame");
    TAP_EQ(t, stats().refusals, 2);
}

static void map_arguments(tap *t)
{
    const loam_pfn pfn = {3};
    uint64_t va;
    vm_start(t, &vm_kinds[0], WINDOW);
    TAP_EQ(t, loam_vmap_map(vm.v, &pfn, 0, W | BORROW, &va), LOAM_EINVAL);
    TAP_EQ(t, loam_vmap_map(vm.v, &pfn, WINDOW, W | BORROW, &va), LOAM_EINVAL);
    TAP_EQ(t, loam_vmap_map(vm.v, &pfn, SIZE_MAX, W | BORROW, &va), LOAM_EINVAL);
    TAP_EQ(t, loam_vmap_map(vm.v, &pfn, 1, W | BORROW | ZERO, &va), LOAM_EINVAL);
    TAP_EQ(t, loam_vmap_map(vm.v, &pfn, 1, BORROW | 1U << 25, &va), LOAM_EINVAL);
    const loam_pfn far = {1ULL << 40};
    TAP_EQ(t, loam_vmap_map(vm.v, &far, 1, W | BORROW, &va), LOAM_ERANGE);
    TAP_EQ(t, stats().areas, 0);
    TAP_EQ(t, stats().failures, 1);
    vm_sound(t);
}

static void map_device(tap *t)
{
    uint64_t va;
    vm_start(t, &vm_kinds[0], WINDOW);
    const unsigned flags = W | LOAM_PT_DEVICE;
    TAP_EQ(t, loam_vmap_map_pa(vm.v, loam_pa_of(0xfee00123), PAGE, flags, &va), LOAM_OK);
    TAP_EQ(t, va, vm_va(1) + 0x123);
    TAP_EQ(t, vm_touch(2), 0xfee01000);
    TAP_CHECK(t, mmu_walk(&vm.cpu, vm_va(1)).device);
    loam_vmap_area area;
    bool guard;
    TAP_CHECK(t, loam_vmap_find(vm.v, va + PAGE, &area, &guard));
    TAP_EQ(t, area.va, va);
    TAP_EQ(t, area.size, 2 * PAGE);
    TAP_EQ(t, area.wanted, PAGE);
    free_refused(t, vm_va(1), "inner free", "inner");
    give(t, va);
    TAP_EQ(t, loam_vmap_map_pa(vm.v, loam_pa_of(0), 0, flags, &va), LOAM_EINVAL);
    TAP_EQ(t, loam_vmap_map_pa(vm.v, loam_pa_of(1), UINT64_MAX, flags, &va), LOAM_EINVAL);
    TAP_EQ(t, loam_vmap_map_pa(vm.v, loam_pa_of(0), PAGE, flags | BORROW, &va), LOAM_EINVAL);
    TAP_EQ(t, loam_vmap_map_pa(vm.v, loam_pa_of(1ULL << 40), PAGE, flags, &va), LOAM_ERANGE);
    TAP_EQ(t, stats().areas, 0);
    vm_sound(t);
}

/* A large device gets an address that goes with large pages, as long as there is one. */
static void map_large_device(tap *t)
{
    uint64_t va, other;
    vm_start(t, &vm_kinds[2], VM_PAGES);
    TAP_EQ(t, loam_vmap_map_pa(vm.v, loam_pa_of(0xe0000000), 2 << 20, W, &va), LOAM_OK);
    TAP_EQ(t, va % (2 << 20), 0);
    TAP_EQ(t, mmu_walk(&vm.cpu, va).size, 2 << 20);
    TAP_EQ(t, loam_vmap_map_pa(vm.v, loam_pa_of(0xe0000000), 5 << 20, W, &other), LOAM_OK);
    TAP_EQ(t, mmu_walk(&vm.cpu, other).size, PAGE); /* 4 MiB aligned does not fit any more */
    vm_sound(t);
    give(t, va);
    give(t, other);
    TAP_EQ(t, vm.memory.out, 1);
}

/* ---- find, each ---- */

static void find_is(tap *t, uint64_t at, uint64_t va, bool guard)
{
    loam_vmap_area area = {0};
    bool is_guard;
    TAP_CHECK(t, loam_vmap_find(vm.v, at, &area, &is_guard));
    TAP_EQ(t, area.va, va);
    TAP_EQ(t, is_guard, guard);
}

static void find_and_guards(tap *t)
{
    loam_vmap_area area;
    bool guard;
    vm_start(t, &vm_kinds[3], WINDOW);
    uint64_t a = alloc(t, 2 * PAGE - 1), b = alloc(t, PAGE), c = alloc(t, PAGE), d = alloc(t, PAGE);
    give(t, c);
    find_is(t, a, a, false);
    find_is(t, a + 2 * PAGE - 1, a, false);
    find_is(t, a - 1, a, true); /* the window's first page */
    find_is(t, a + 2 * PAGE, a, true);
    find_is(t, b - 1, a, true); /* shared: of the one in front */
    find_is(t, b + PAGE, b, true);
    find_is(t, d - 1, d, true); /* c is gone */
    TAP_CHECK(t, !loam_vmap_find(vm.v, c, &area, &guard));
    TAP_CHECK(t, !loam_vmap_find(vm.v, d + 2 * PAGE, &area, &guard));
    TAP_CHECK(t, !loam_vmap_find(vm.v, vm_va(0) - 1, &area, &guard));
    TAP_CHECK(t, !loam_vmap_find(vm.v, vm_va(WINDOW), &area, &guard));
    TAP_CHECK(t, loam_vmap_find(vm.v, a, &area, &guard));
    TAP_EQ(t, area.size, 2 * PAGE);
    TAP_EQ(t, area.wanted, 2 * PAGE - 1);
    TAP_EQ(t, area.flags, W);
    TAP_CHECK(t, area.site != NULL);
}

static bool free_it(void *ctx, const loam_vmap_area *area)
{
    unsigned *left = ctx;
    loam_vmap_free(vm.v, area->va);
    return --*left > 0;
}

static void each_may_free(tap *t)
{
    unsigned left = 3;
    vm_start(t, &vm_kinds[0], WINDOW);
    for (unsigned i = 0; i < 5; i++)
        alloc(t, PAGE);
    loam_vmap_each(vm.v, free_it, &left);
    TAP_EQ(t, left, 0);
    TAP_EQ(t, stats().areas, 2);
    left = 9;
    loam_vmap_each(vm.v, free_it, &left);
    TAP_EQ(t, left, 7);
    TAP_EQ(t, stats().areas, 0);
    vm_sound(t);
}

static const tap_case cases[] = {
    {"vmap_init: arguments", init_arguments},
    {"vmap_init: three pages are a window", init_smallest},
    {"vmap_alloc, free: scattered frames, guards, all goes back", alloc_scatters},
    {"vmap_alloc: arguments", alloc_arguments},
    {"vmap_alloc: aligned", alloc_aligned},
    {"vmap_alloc, free: 1,024 pages, one flush", alloc_many_pages},
    {"vmap_free: few pages are flushed one by one", free_few_pages_one_by_one},
    {"vmap_free: without memory for the list: in parts", free_without_memory},
    {"vmap_free: in parts: from the first on no area", free_in_parts_is_free},
    {"vmap_free: an address that is none: refused, named", free_misuse},
    {"vmap_map: borrowed frames stay", map_borrowed},
    {"vmap_map: given frames go to their zones", map_given},
    {"vmap_map: arguments", map_arguments},
    {"vmap_map_pa: a device at an odd address", map_device},
    {"vmap_map_pa: large pages where they fit", map_large_device},
    {"vmap_find: areas and their guards", find_and_guards},
    {"vmap_find: in the middle of a change: answered", find_in_the_middle},
    {"vmap_each: may free what it is told of", each_may_free},
};
TAP_SUITE(vmap_test, cases);
