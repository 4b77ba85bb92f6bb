/* SPDX-License-Identifier: MIT */
/* vmap_fault.c - a vmap when what it stands on refuses: frames, tables, tags.
 *
 * A fixed script runs again and again; in run n the n-th request of one kind fails (in a second
 * round every later one, too), until a run needs fewer than n. A call that is refused leaves areas,
 * pages, frames, tables and tags as they were; a free always works. */
#include "tap_host.h"
#include "vmap_machine.h"
#include <stdlib.h>
#include <string.h>

enum { PAGE = LOAM_PAGE_SIZE, W = LOAM_PT_WRITE, SLOTS = 8, WINDOW = 1200 };

#define LONG (getenv("LOAM_LONG") != NULL)

typedef enum layer { FRAMES_FAIL, TABLES_FAIL, TAGS_FAIL } layer;

static uint64_t va[SLOTS];
static layer failing;
static unsigned failures; /* calls of this run that were refused */

/* ---- tags, one by one from a source ---- */

static loam_range_tag tag[64];
static bool tag_is_out[64];
static unsigned tags_out, tags_asked, tags_fail_at;
static bool tags_fail_rest;

static loam_range_tag *tag_get(void *ctx)
{
    (void)ctx;
    tags_asked++;
    if (tags_fail_at != 0 &&
        (tags_asked == tags_fail_at || (tags_fail_rest && tags_asked > tags_fail_at)))
        return NULL;
    for (unsigned i = 0; i < 64; i++) {
        if (tag_is_out[i])
            continue;
        tag_is_out[i] = true;
        tags_out++;
        return &tag[i];
    }
    return NULL;
}

static void tag_put(void *ctx, loam_range_tag *t)
{
    (void)ctx;
    tag_is_out[t - tag] = false;
    tags_out--;
}

/* ---- what a refused call must not change ---- */

typedef struct picture {
    uint64_t frames, areas, mapped, largest;
    unsigned tables, tags, pages;
} picture;

static picture look(void)
{
    loam_vmap_stats s;
    loam_vmap_stat(vm.v, &s);
    picture p = {vm_free_frames(), s.areas, s.mapped, s.largest, vm.memory.out, tags_out, 0};
    for (unsigned i = 0; i < vm.pages; i++)
        p.pages += mmu_walk(&vm.cpu, vm_va(i)).mapped;
    return p;
}

/* Judges a call that may fail. */
static bool worked(tap *t, loam_err err, const picture *before)
{
    vm_sound(t);
    if (err == LOAM_OK)
        return true;
    failures++;
    TAP_EQ(t, err, LOAM_ENOMEM);
    picture after = look();
    TAP_EQ(t, after.frames, before->frames);
    TAP_EQ(t, after.areas, before->areas);
    TAP_EQ(t, after.mapped, before->mapped);
    TAP_EQ(t, after.largest, before->largest);
    TAP_EQ(t, after.tables, before->tables);
    TAP_EQ(t, after.tags, before->tags);
    TAP_EQ(t, after.pages, before->pages);
    return false;
}

static void alloc(tap *t, unsigned i, uint64_t pages)
{
    picture before = look();
    uint64_t at = 0;
    vm_touch_all();
    loam_err err = loam_vmap_alloc(vm.v, pages * PAGE, 0, W, &at);
    va[i] = worked(t, err, &before) ? at : 0;
}

static void map(tap *t, unsigned i)
{
    const loam_pfn pfn[] = {{5}, {900}, {7}};
    picture before = look();
    uint64_t at = 0;
    loam_err err = loam_vmap_map(vm.v, pfn, 3, W | LOAM_VMAP_BORROW, &at);
    va[i] = worked(t, err, &before) ? at : 0;
}

static void map_pa(tap *t, unsigned i)
{
    picture before = look();
    uint64_t at = 0;
    loam_err err = loam_vmap_map_pa(vm.v, loam_pa_of(0xfd000100), 5 * PAGE, W, &at);
    va[i] = worked(t, err, &before) ? at : 0;
}

static void resize(tap *t, unsigned i, uint64_t pages)
{
    if (va[i] == 0)
        return;
    picture before = look();
    vm_touch_all();
    loam_err err = loam_vmap_resize(vm.v, va[i], pages * PAGE);
    if (err == LOAM_EBUSY) /* another run of things: something lies behind it */
        return;
    (void)worked(t, err, &before);
}

static void protect(tap *t, unsigned i)
{
    if (va[i] == 0)
        return;
    picture before = look();
    (void)worked(t, loam_vmap_protect(vm.v, va[i], 0), &before);
    (void)worked(t, loam_vmap_protect(vm.v, va[i], W), &before);
}

static void give(tap *t, unsigned i)
{
    if (va[i] == 0)
        return;
    vm_touch_all();
    TAP_EQ(t, loam_vmap_free(vm.v, va[i]), LOAM_OK);
    va[i] = 0;
    vm_sound(t);
}

static void script(tap *t)
{
    alloc(t, 0, 3);
    alloc(t, 1, 600);
    map(t, 2);
    alloc(t, 3, 20);
    resize(t, 3, 40);
    map_pa(t, 4);
    give(t, 0);
    resize(t, 1, 30);
    alloc(t, 0, 2);
    protect(t, 1);
    resize(t, 1, 550);
    alloc(t, 5, 1);
    give(t, 2);
    resize(t, 3, 1);
    alloc(t, 2, 100);
    alloc(t, 6, 9);
    for (unsigned i = 0; i < SLOTS; i++)
        give(t, i);
    alloc(t, 0, 5);
    resize(t, 0, 1100); /* into tables that are not there yet */
    give(t, 0);
}

static void machine(tap *t, const vm_kind *k, unsigned n, bool rest)
{
    vm_start_machine(t, k, WINDOW);
    memset(va, 0, sizeof va);
    memset(tag_is_out, 0, sizeof tag_is_out);
    tags_out = tags_asked = tags_fail_at = 0;
    failures = 0;
    vm.config.tag_count = 2;
    vm.config.source = (loam_range_source){NULL, tag_get, tag_put};
    vm_start_vmap(t);
    if (failing == FRAMES_FAIL) {
        vm.asked = 0;
        vm.refuse_at = n;
        vm.refuse_rest = rest;
    } else if (failing == TABLES_FAIL) {
        vm.memory.asked = 0;
        vm.memory.fail_at = n;
        vm.memory.fail_rest = rest;
    } else {
        tags_fail_at = n;
        tags_fail_rest = rest;
    }
}

static bool reached(unsigned n)
{
    unsigned asked = failing == FRAMES_FAIL   ? vm.asked
                     : failing == TABLES_FAIL ? vm.memory.asked
                                              : tags_asked;
    return asked >= n;
}

static void rounds(tap *t, layer l, unsigned step)
{
    failing = l;
    for (unsigned k = 0; k < LOAM_ARRAY_LEN(vm_kinds); k += LONG ? 1 : 2) {
        for (unsigned rest = 0; rest < 2; rest++) {
            unsigned n = 1, some = 0;
            bool more = true;
            for (; more && t->failed == 0; n += step) {
                machine(t, &vm_kinds[k], n, rest != 0);
                script(t);
                more = reached(n);
                some += failures;
                TAP_EQ(t, vm_free_frames(), VM_LOW + VM_HIGH);
                TAP_EQ(t, vm.memory.out, 1);
                TAP_CHECK(t, tags_out <= 1);
            }
            TAP_CHECK(t, n > 3 && some > 0);
        }
    }
}

/* Two zones are asked, and each twice before it gives up: so several refusals may be one. */
static void frames_fail(tap *t)
{
    rounds(t, FRAMES_FAIL, LONG ? 1 : 331);
}

static void tables_fail(tap *t)
{
    rounds(t, TABLES_FAIL, 1);
}

static void tags_fail(tap *t)
{
    rounds(t, TAGS_FAIL, 1);
}

static const tap_case cases[] = {
    {"vmap_fault: the n-th frame is refused", frames_fail},
    {"vmap_fault: the n-th table is refused", tables_fail},
    {"vmap_fault: the n-th tag is refused", tags_fail},
};
static const tap_suite suite = {"vmap_fault", cases, LOAM_ARRAY_LEN(cases)};

int main(int argc, char **argv)
{
    return tap_host_main(&suite, argc, argv);
}
