/* SPDX-License-Identifier: MIT */
/* vmap_ground.c - areas that are really touched: contents, guards, stale translations. */
#include "vm_ground.h"

#include "tap_host.h"

enum { PAGE = LOAM_PAGE_SIZE, W = LOAM_PT_WRITE, FRAMES = 1024, HIGH = 512, WINDOW = 4 << 20 };

static vm_ground g;

static unsigned char *alloc(tap *t, uint64_t size, unsigned flags)
{
    uint64_t va = 0;
    TAP_EQ(t, loam_vmap_alloc(g.vmap, size, 0, flags, &va), LOAM_OK);
    TAP_RULE(t, loam_vmap_check(g.vmap), NULL);
    return (unsigned char *)(uintptr_t)va;
}

static void give(tap *t, const unsigned char *p)
{
    TAP_EQ(t, loam_vmap_free(g.vmap, (uintptr_t)p), LOAM_OK);
    TAP_RULE(t, loam_vmap_check(g.vmap), NULL);
}

static void start(void)
{
    vm_ground_start(&g, FRAMES, HIGH, WINDOW);
    vm_ground_layers(&g, NULL);
}

static void contents_and_guards(tap *t)
{
    start();
    unsigned char *a = alloc(t, 100 * PAGE, W), *b = alloc(t, 3 * PAGE, W);
    memset(a, 0x5a, 100 * PAGE);
    memset(b, 0xa5, 3 * PAGE);
    for (unsigned i = 0; i < 100; i++)
        TAP_EQ(t, a[i * PAGE + i], 0x5a);
    TAP_CHECK(t, !vm_ground_reads(a - 1));
    TAP_CHECK(t, !vm_ground_reads(a + 100 * PAGE));
    TAP_CHECK(t, !vm_ground_reads(b + 3 * PAGE));
    give(t, a);
    TAP_CHECK(t, !vm_ground_reads(a));
    TAP_CHECK(t, !vm_ground_reads(a + 99 * PAGE));
    TAP_EQ(t, b[3 * PAGE - 1], 0xa5);
    give(t, b);
    vm_ground_end(&g);
}

static void read_only(tap *t)
{
    start();
    unsigned char *a = alloc(t, 2 * PAGE, W);
    a[PAGE] = 7;
    TAP_EQ(t, loam_vmap_protect(g.vmap, (uintptr_t)a, 0), LOAM_OK);
    TAP_EQ(t, a[PAGE], 7);
    TAP_CHECK(t, !vm_ground_writes(a + PAGE));
    TAP_EQ(t, loam_vmap_protect(g.vmap, (uintptr_t)a, W), LOAM_OK);
    TAP_CHECK(t, vm_ground_writes(a + PAGE));
    give(t, a);
    vm_ground_end(&g);
}

/* Frames that were full of something; without a linear map they are cleared through the new one. */
static void zeroed(tap *t)
{
    start();
    unsigned char *a = alloc(t, 400 * PAGE, W);
    memset(a, 0xee, 400 * PAGE);
    give(t, a);
    a = alloc(t, 400 * PAGE, LOAM_VMAP_ZERO);
    for (unsigned i = 0; i < 400 * PAGE; i++)
        if (a[i] != 0)
            TAP_EQ(t, a[i], 0);
    TAP_CHECK(t, !vm_ground_writes(a));
    give(t, a);
    vm_ground_end(&g);
}

static void resize_keeps_contents(tap *t)
{
    start();
    unsigned char *a = alloc(t, 2 * PAGE, W);
    memset(a, 1, 2 * PAGE);
    TAP_EQ(t, loam_vmap_resize(g.vmap, (uintptr_t)a, 200 * PAGE), LOAM_OK);
    memset(a + 2 * PAGE, 2, 198 * PAGE);
    TAP_EQ(t, a[2 * PAGE - 1], 1);
    TAP_EQ(t, loam_vmap_resize(g.vmap, (uintptr_t)a, PAGE), LOAM_OK);
    TAP_EQ(t, a[PAGE - 1], 1);
    TAP_CHECK(t, !vm_ground_reads(a + PAGE));
    give(t, a);
    vm_ground_end(&g);
}

static void borrowed_frame(tap *t)
{
    uint64_t va;
    start();
    loam_pfn pfn = loam_zone_alloc(g.high_zone, 0, 0);
    TAP_EQ(t, loam_vmap_map(g.vmap, &pfn, 1, W | LOAM_VMAP_BORROW, &va), LOAM_OK);
    memcpy((void *)(uintptr_t)va, "hello", 6);
    give(t, (unsigned char *)(uintptr_t)va);
    unsigned char *page = vm_ground_open(&g, pfn);
    TAP_STR(t, (const char *)page, "hello");
    vm_ground_close(page);
    TAP_EQ(t, loam_zone_free(g.high_zone, pfn), LOAM_OK);
    vm_ground_end(&g);
}

/* Each area has its own byte; what is freed is unreachable, what is not stays as it was. */
static void churn(tap *t)
{
    enum { SLOTS = 40 };
    unsigned char *p[SLOTS] = {NULL};
    size_t size[SLOTS] = {0};
    start();
    for (unsigned step = 0; step < 1500; step++) {
        unsigned i = (unsigned)tap_below(t, SLOTS);
        if (p[i] == NULL) {
            uint64_t va = 0;
            size[i] = (size_t)(1 + tap_below(t, 30 * PAGE));
            if (loam_vmap_alloc(g.vmap, size[i], 0, W, &va) != LOAM_OK)
                continue;
            p[i] = (unsigned char *)(uintptr_t)va;
            memset(p[i], (int)i + 1, size[i]);
            continue;
        }
        TAP_EQ(t, p[i][0], i + 1);
        TAP_EQ(t, p[i][size[i] / 2], i + 1);
        TAP_EQ(t, p[i][size[i] - 1], i + 1);
        TAP_EQ(t, loam_vmap_free(g.vmap, (uintptr_t)p[i]), LOAM_OK);
        TAP_CHECK(t, !vm_ground_reads(p[i] + tap_below(t, size[i])));
        p[i] = NULL;
    }
    TAP_RULE(t, loam_vmap_check(g.vmap), NULL);
    for (unsigned i = 0; i < SLOTS; i++)
        if (p[i] != NULL)
            give(t, p[i]);
    vm_ground_free_frames(&g);
    TAP_RULE(t, loam_zone_check(g.low), NULL);
    vm_ground_end(&g);
}

static void all_frames_come_back(tap *t)
{
    start();
    uint64_t before = vm_ground_free_frames(&g);
    unsigned char *p[60];
    for (unsigned i = 0; i < 60; i++)
        p[i] = alloc(t, (1 + i % 11) * PAGE, W);
    for (unsigned i = 0; i < 60; i += 2)
        give(t, p[i]);
    for (unsigned i = 1; i < 60; i += 2)
        give(t, p[i]);
    TAP_EQ(t, vm_ground_free_frames(&g), before);
    vm_ground_end(&g);
}

static const tap_case cases[] = {
    {"vmap_ground: contents, guards, nothing behind a free", contents_and_guards},
    {"vmap_ground: read-only", read_only},
    {"vmap_ground: zeroed through the new mapping", zeroed},
    {"vmap_ground: resize keeps contents", resize_keeps_contents},
    {"vmap_ground: a borrowed frame", borrowed_frame},
    {"vmap_ground: churn", churn},
    {"vmap_ground: all frames come back", all_frames_come_back},
};
static const tap_suite suite = {"vmap_ground", cases, LOAM_ARRAY_LEN(cases)};

int main(int argc, char **argv)
{
    return tap_host_main(&suite, argc, argv);
}
