/* SPDX-License-Identifier: MIT */
/* vmap_change_test.c - areas that change: rights, size, whose tags they have; and each rule of
 * theirs, broken. */
#include "tag_source.h"
#include "vmap_window.h"

/* ---- protect, zero ---- */

static void protect_area(tap *t)
{
    for
        EACH_KIND(k)
        {
            vm_start(t, k, WINDOW);
            uint64_t va = alloc(t, 2 * PAGE);
            TAP_CHECK(t, mmu_walk(&vm.cpu, va + PAGE).kernel_write);
            TAP_EQ(t, loam_vmap_protect(vm.v, va, 0), LOAM_OK);
            TAP_CHECK(t, !mmu_walk(&vm.cpu, va + PAGE).kernel_write);
            vm_sound(t);
            TAP_EQ(t, loam_vmap_protect(vm.v, va, ZERO), LOAM_EINVAL);
            tap_catch(t);
            TAP_EQ(t, loam_vmap_protect(vm.v, va + PAGE, W), LOAM_EINVAL);
            TAP_EQ(t, tap_caught(t), 1);
            TAP_STR(t, t->report.what, "use of an address inside an area");
            give(t, va);
        }
}

static void zero_frames(tap *t)
{
    uint64_t va;
    vm_start(t, &vm_kinds[0], WINDOW);
    vm.config.frames->zone[0] = vm.low; /* frames with contents first */
    vm.config.frames->zone[1] = vm.high;
    __builtin_memset(vm_ram, 0xee, sizeof vm_ram);
    TAP_EQ(t, loam_vmap_alloc(vm.v, 2 * PAGE, 0, W | ZERO, &va), LOAM_OK);
    const unsigned char *frame = vm_ram + (vm_touch(2) - (uint64_t)VM_LOW_FIRST * PAGE);
    for (unsigned i = 0; i < PAGE; i += 8)
        TAP_EQ(t, frame[i], 0);
    TAP_EQ(t, vm.cleared, 0);
    TAP_EQ(t, loam_vmap_resize(vm.v, va, 62 * PAGE), LOAM_OK);
    TAP_EQ(t, vm.cleared, 0);
    give(t, va);
    vm.config.frames->zone[0] = vm.high;
    vm.config.frames->zone[1] = vm.low;
    TAP_EQ(t, loam_vmap_alloc(vm.v, 20 * PAGE, 0, ZERO, &va), LOAM_OK);
    TAP_EQ(t, vm.cleared, 20);
    TAP_CHECK(t, !mmu_walk(&vm.cpu, va).kernel_write);
    give(t, va);
}

/* ---- resize ---- */

static void resize_area(tap *t)
{
    for
        EACH_KIND(k)
        {
            vm_start(t, k, WINDOW);
            uint64_t a = alloc(t, 2 * PAGE), b = alloc(t, PAGE), first = vm_touch(1);
            TAP_EQ(t, loam_vmap_resize(vm.v, a, 3 * PAGE), LOAM_EBUSY); /* b's guard */
            give(t, b);
            vm_touch_all();
            TAP_EQ(t, loam_vmap_resize(vm.v, a, 30 * PAGE - 3), LOAM_OK);
            TAP_EQ(t, mapped_from(1), 30);
            vm_sound(t);
            TAP_EQ(t, vm_touch(1), first);
            vm_touch_all();
            TAP_EQ(t, loam_vmap_resize(vm.v, a, 1), LOAM_OK);
            TAP_EQ(t, mapped_from(1), 1);
            TAP_EQ(t, stats().mapped, PAGE);
            TAP_EQ(t, vm_free_frames(), FRAMES - 1);
            vm_sound(t);
            TAP_EQ(t, loam_vmap_resize(vm.v, a, (WINDOW - 2) * PAGE), LOAM_OK);
            TAP_EQ(t, stats().largest, 0);
            vm_sound(t);
            TAP_EQ(t, loam_vmap_resize(vm.v, a, PAGE), LOAM_OK);
            TAP_EQ(t, loam_vmap_resize(vm.v, a, 17), LOAM_OK); /* only noted */
            loam_vmap_area area;
            bool guard;
            TAP_CHECK(t, loam_vmap_find(vm.v, a, &area, &guard));
            TAP_EQ(t, area.wanted, 17);
            give(t, a);
            TAP_EQ(t, vm_free_frames(), FRAMES);
        }
}

static void resize_refused(tap *t)
{
    vm_start(t, &vm_kinds[0], WINDOW);
    uint64_t a = alloc(t, 2 * PAGE);
    TAP_EQ(t, loam_vmap_resize(vm.v, a, 0), LOAM_EINVAL);
    TAP_EQ(t, loam_vmap_resize(vm.v, a, (WINDOW - 1) * PAGE), LOAM_EINVAL);
    tap_catch(t);
    TAP_EQ(t, loam_vmap_resize(vm.v, a + PAGE, PAGE), LOAM_EINVAL);
    TAP_EQ(t, tap_caught(t), 1);
    TAP_EQ(t, mapped_from(1), 2);
    vm_sound(t);
}

/* Between two areas a tag is needed to shrink: without one nothing changes. */
static void resize_without_tags(tap *t)
{
    vm_start_machine(t, &vm_kinds[0], WINDOW);
    vm.config.tag_count = 2;
    vm_start_vmap(t);
    uint64_t a = alloc(t, 4 * PAGE), va = 0;
    TAP_EQ(t, loam_vmap_alloc(vm.v, PAGE, 0, W, &va), LOAM_ENOMEM); /* no third tag */
    TAP_EQ(t, vm_free_frames(), FRAMES - 4);
    TAP_EQ(t, loam_vmap_alloc(vm.v, (WINDOW - 7) * PAGE, 0, W, &va), LOAM_OK);
    TAP_EQ(t, loam_vmap_resize(vm.v, a, PAGE), LOAM_ENOMEM);
    TAP_EQ(t, mapped_from(1), 4);
    vm_sound(t);
    give(t, va);
    TAP_EQ(t, loam_vmap_resize(vm.v, a, PAGE), LOAM_OK);
    vm_sound(t);
}

static void shrink_without_memory(tap *t)
{
    vm_start(t, &vm_kinds[0], WINDOW);
    uint64_t a = alloc(t, 60 * PAGE);
    vm.memory.limit = 2;
    vm_touch_all();
    TAP_EQ(t, loam_vmap_resize(vm.v, a, PAGE + 1), LOAM_OK);
    TAP_EQ(t, mapped_from(1), 2);
    TAP_EQ(t, vm_free_frames(), FRAMES - 2);
    vm_sound(t);
}

/* ---- tags of a source ---- */

static void tags_of_source(tap *t)
{
    uint64_t va[8], x;
    vm_start_machine(t, &vm_kinds[0], WINDOW);
    vm.config.tag_count = 2;
    vm.config.source = tag_source_start(7);
    vm_start_vmap(t);
    TAP_EQ(t, loam_vmap_alloc(vm.v, PAGE, 16 * PAGE, W, &x), LOAM_OK); /* needs two */
    TAP_EQ(t, tag_source.out, 1);
    give(t, x);
    for (unsigned i = 0; i < 8; i++)
        va[i] = alloc(t, PAGE);
    TAP_EQ(t, tag_source.out, 7);
    TAP_EQ(t, loam_vmap_alloc(vm.v, PAGE, 0, W, &x), LOAM_ENOMEM);
    vm_sound(t);
    for (unsigned i = 0; i < 8; i += 2)
        give(t, va[i]);
    for (unsigned i = 1; i < 8; i += 2)
        give(t, va[i]);
    TAP_CHECK(t, tag_source.out <= 1);
    TAP_EQ(t, vm_free_frames(), FRAMES);
}

/* An area goes while another call waits for frames: its tags are still there. */
static uint64_t victim;

static void free_victim(void *ctx, const loam_trace_event *event)
{
    uint64_t va = victim;
    (void)ctx;
    (void)event;
    victim = 0;
    if (va != 0)
        (void)loam_vmap_free(vm.v, va);
}

static void tags_of_a_call_that_waits(tap *t)
{
    vm_start_machine(t, &vm_kinds[0], WINDOW);
    vm.config.tag_count = 2;
    vm.config.source = tag_source_start(7);
    vm_start_vmap(t);
    uint64_t a = alloc(t, PAGE);
    TAP_EQ(t, loam_vmap_map_pa(vm.v, loam_pa_of(0xfee00000), PAGE, W, &victim), LOAM_OK);
    uint64_t b = alloc(t, PAGE);
    loam_trace_set_sink(&vm.trace, free_victim, NULL);
    uint64_t c = alloc(t, 9 * PAGE);
    TAP_EQ(t, victim, 0);
    loam_trace_set_sink(&vm.trace, vm_frame_back, NULL);
    TAP_EQ(t, stats().areas, 3);
    TAP_EQ(t, tag_source.out, 3);
    give(t, b);
    give(t, a);
    give(t, c);
    TAP_CHECK(t, tag_source.out <= 1);
}

/* ---- rules ---- */

static loam_range_tag *piece(uint64_t va)
{
    return loam_range_find(&vm.v->range, va);
}

static void rules(tap *t)
{
    vm_start(t, &vm_kinds[0], WINDOW);
    uint64_t a = alloc(t, 2 * PAGE);
    alloc(t, PAGE);
    vm.v->mapped++;
    TAP_RULE(t, loam_vmap_check(vm.v), "V1");
    vm.v->mapped--;
    vm.v->areas++;
    TAP_RULE(t, loam_vmap_check(vm.v), "V1");
    vm.v->areas--;
    vm.v->config.base += PAGE;
    TAP_RULE(t, loam_vmap_check(vm.v), "V1");
    vm.v->config.base -= PAGE;
    piece(a)->note |= 1U << 30;
    TAP_RULE(t, loam_vmap_check(vm.v), "V2");
    piece(a)->note = vmap_note(W | BORROW, 0, 0);
    TAP_RULE(t, loam_vmap_check(vm.v), "V2");
    piece(a)->note = vmap_note(W, 0, 0);
    loam_range_resize(&vm.v->range, a, PAGE);
    TAP_RULE(t, loam_vmap_check(vm.v), "V2");
    loam_range_resize(&vm.v->range, a, 3 * PAGE);
    vm.v->range.free++;
    TAP_RULE(t, loam_vmap_check(vm.v), "R7");
    vm.v->range.free--;
    vm.pt.tables++;
    TAP_RULE(t, loam_vmap_check(vm.v), "T4");
    vm.pt.tables--;
    vm_sound(t);
}

static void rules_of_tables(tap *t)
{
    loam_pt_batch batch;
    loam_pt_batch_init(&batch);
    vm_start(t, &vm_kinds[0], WINDOW);
    uint64_t a = alloc(t, 2 * PAGE), b = alloc(t, PAGE);
    loam_pt_protect(&vm.pt, a + PAGE, PAGE, 0, &batch);
    TAP_RULE(t, loam_vmap_check(vm.v), "V3");
    loam_pt_protect(&vm.pt, a + PAGE, PAGE, W, &batch);
    vm_sound(t);
    loam_pt_map(&vm.pt, b + PAGE, loam_pa_of(0), PAGE, W, &batch);
    TAP_RULE(t, loam_vmap_check(vm.v), "V4");
    loam_pt_unmap(&vm.pt, b + PAGE, PAGE, NULL, NULL, &batch);
    loam_pt_map(&vm.pt, a - PAGE, loam_pa_of(0), PAGE, W, &batch);
    TAP_RULE(t, loam_vmap_check(vm.v), "V4");
    loam_pt_unmap(&vm.pt, a - PAGE, PAGE, NULL, NULL, &batch);
    loam_pt_map(&vm.pt, b + 9 * PAGE, loam_pa_of(0), PAGE, W, &batch);
    TAP_RULE(t, loam_vmap_check(vm.v), "V4");
    loam_pt_unmap(&vm.pt, b + 9 * PAGE, PAGE, NULL, NULL, &batch);
    vm_sound(t);
    loam_pt_unmap(&vm.pt, a + PAGE, PAGE, NULL, NULL, &batch);
    TAP_RULE(t, loam_vmap_check(vm.v), "V3");
    loam_pt_map(&vm.pt, a + PAGE, loam_pa_of(0), PAGE, W, &batch);
    TAP_RULE(t, loam_vmap_check(vm.v), "V5");
    loam_pt_unmap(&vm.pt, b, PAGE, NULL, NULL, &batch);
    TAP_RULE(t, loam_vmap_check(vm.v), "V5"); /* the walk comes to a first */
    loam_pt_unmap(&vm.pt, a, 2 * PAGE, NULL, NULL, &batch);
    TAP_RULE(t, loam_vmap_check(vm.v), "V3"); /* nothing is mapped at all */
}

static const tap_case cases[] = {
    {"vmap_protect: whole areas", protect_area},
    {"vmap_alloc: zeroed, with and without a linear map", zero_frames},
    {"vmap_resize: larger and smaller in place", resize_area},
    {"vmap_resize: refused: unchanged", resize_refused},
    {"vmap_resize: no tag: unchanged", resize_without_tags},
    {"vmap_resize: without memory for the list: in parts", shrink_without_memory},
    {"vmap tags: of a source, and back", tags_of_source},
    {"vmap tags: an area goes while another is made: each has its own", tags_of_a_call_that_waits},
    {"vmap_check: V1, V2, R, T", rules},
    {"vmap_check: V3, V4, V5", rules_of_tables},
};
TAP_SUITE(vmap_change_test, cases);
