/* SPDX-License-Identifier: MIT */
/* demos.c - what the allocators do, shown on the running kernel.
 *
 * A demo leaves memory as it found it, says whether it did, and returns 0 when all went well.
 */
#include "console.h"
#include "kern.h"
#include "loam/port.h"
#include "words.h"

enum { PAGE_BLOCKS = 8, OBJECTS = 6, IRQ_BLOCKS = 256 };

/* A system's own demo is linked when its folder of compat/ is. */
int osc4_demo(void) __attribute__((weak));
int shomp_demo(void) __attribute__((weak));
int stacsos_demo(void) __attribute__((weak));
int stacsos_double_free_demo(void) __attribute__((weak));
int higherhalf_demo(void) __attribute__((weak));
int higherhalf_overwrite_demo(void) __attribute__((weak));
int user_demo(void) __attribute__((weak)); /* kern/user/: boards with user mode */

static bool finish(const kern_free_lists *before)
{
    kern_free_lists after;
    const char *broken;
    loam_kmalloc_shrink(kern_this.kmalloc);
    loam_slabs_shrink(kern_this.slabs);
    kern_free_lists_read(&after);
    kern_free_lists_print("free lists at the end", &after);
    broken = kern_check();
    if (broken != NULL)
        kprintf("BROKEN RULE: %s\n", broken);
    kprintf("free lists as at the start: %s\n",
            kern_free_lists_equal(before, &after) ? "yes, to the block" : "NO");
    return broken == NULL && kern_free_lists_equal(before, &after);
}

/* ---- pages: split and merge ---- */

/* The order of which the fewest blocks are free: a few more than these, and larger ones split.
 * Orders that fronts keep would show the front's work. */
static unsigned pick_order(const kern_free_lists *lists)
{
    unsigned best = 4;
    for (unsigned k = 5; k <= 8; k++)
        if (lists->blocks[k] < lists->blocks[best])
            best = k;
    return best;
}

static size_t take_pages(loam_pfn *block, size_t wanted, unsigned order)
{
    for (size_t i = 0; i < wanted; i++) {
        kprintf("allocate order %u (%U KiB)\n", order, 4ULL << order);
        block[i] = loam_zone_alloc(kern_this.zone, order, LOAM_ZONE_NORMAL);
        if (loam_pfn_is_none(block[i]))
            return i;
        kprintf("  -> frames [0x%X, 0x%X)\n", block[i].v, block[i].v + (1ULL << order));
    }
    return wanted;
}

static int demo_pages(void)
{
    kern_free_lists before, during;
    loam_pfn block[PAGE_BLOCKS];
    bool was_on = kern_this.trace.on, good = true;
    unsigned order;
    size_t taken;

    console_write("\n-- pages: blocks of 2^order frames, split on the way out, merged on the way "
                  "back --\n");
    kern_free_lists_read(&before);
    kern_free_lists_print("free lists at the start", &before);
    order = pick_order(&before);
    kern_trace_lines(true);
    taken = take_pages(
        block, before.blocks[order] + 2 < PAGE_BLOCKS ? (size_t)before.blocks[order] + 2 : 3,
        order);
    kern_trace_lines(false);
    kern_free_lists_read(&during);
    kern_free_lists_print("free lists with these blocks out", &during);
    kern_trace_lines(true);
    for (size_t i = 0; i < taken; i++) {
        kprintf("free frame 0x%X\n", block[i].v);
        good = loam_zone_free(kern_this.zone, block[i]) == LOAM_OK && good;
    }
    kern_trace_lines(false);
    good = finish(&before) && good && taken > 0;
    kern_trace_lines(was_on);
    return good ? 0 : 1;
}

/* ---- objects: several share a slab ---- */

static int demo_objects(void)
{
    static const size_t size[OBJECTS] = {24, 24, 100, 24, 2000, 40000};
    kern_free_lists before;
    void *object[OBJECTS];
    bool was_on = kern_this.trace.on, good = true;

    console_write("\n-- objects: small ones of one size share a slab, large ones get pages --\n");
    loam_kmalloc_shrink(kern_this.kmalloc);
    loam_slabs_shrink(kern_this.slabs);
    kern_free_lists_read(&before);
    kern_trace_lines(true);
    for (size_t i = 0; i < OBJECTS; i++) {
        object[i] = loam_kmalloc_alloc(kern_this.kmalloc, size[i]);
        kprintf("kmalloc(%U) -> %p, %U bytes usable\n", (uint64_t)size[i], object[i],
                object[i] == NULL ? 0 : (uint64_t)loam_kmalloc_size(kern_this.kmalloc, object[i]));
        good = good && object[i] != NULL;
    }
    kprintf("the three of 24 bytes lie %s\n",
            ((uintptr_t)object[0] ^ (uintptr_t)object[3]) >> LOAM_PAGE_SHIFT == 0
                ? "in one page"
                : "in different pages");
    for (size_t i = OBJECTS; i-- > 0;)
        good = loam_kmalloc_free(kern_this.kmalloc, object[i]) == LOAM_OK && good;
    kern_trace_lines(false);
    good = finish(&before) && good;
    kern_trace_lines(was_on);
    return good ? 0 : 1;
}

static int demo_tour(void)
{
    int failed = demo_pages();
    failed |= demo_objects();
    kprintf("\ntour: %s\n", failed == 0 ? "done" : "FAILED");
    return failed;
}

/* ---- misuse: what is refused, and how it is named ---- */

static int demo_misuse(void)
{
    loam_policy former = loam_port_set_policy(LOAM_POLICY_REPORT);
    kern_free_lists before;
    loam_pfn block;
    char *object;
    unsigned refused = 0;

    console_write("\n-- misuse: each of these calls is refused and changes nothing --\n");
    kern_free_lists_read(&before);
    block = loam_zone_alloc(kern_this.zone, 4, LOAM_ZONE_NORMAL);
    object = loam_kmalloc_alloc(kern_this.kmalloc, 64);
    refused += loam_zone_free(kern_this.zone, loam_pfn_of(block.v + 3)) == LOAM_EINVAL;
    refused += loam_zone_free_order(kern_this.zone, block, 2) == LOAM_EINVAL;
    refused += loam_zone_free(kern_this.zone, loam_pfn_of(0)) == LOAM_EINVAL;
    refused += loam_zone_free(kern_this.zone, loam_pfn_of(1ULL << 30)) == LOAM_EINVAL;
    refused += loam_kmalloc_free(kern_this.kmalloc, object + 8) == LOAM_EINVAL;
    (void)loam_zone_free(kern_this.zone, block);
    refused += loam_zone_free(kern_this.zone, block) == LOAM_EINVAL;
    (void)loam_kmalloc_free(kern_this.kmalloc, object);
    refused += loam_kmalloc_free(kern_this.kmalloc, object) == LOAM_EINVAL;
    (void)loam_port_set_policy(former);
    kprintf("refused: %u of 7\n", (int)refused);
    return finish(&before) && refused == 7 ? 0 : 1;
}

/* ---- irq: the tick allocates while the kernel does ---- */

static loam_pfn irq_block[IRQ_BLOCKS];
static uint64_t irq_rounds, irq_count;

static void allocate_in_tick(void)
{
    uint64_t i = irq_rounds++ % IRQ_BLOCKS;
    if (!loam_pfn_is_none(irq_block[i])) {
        (void)loam_zone_free(kern_this.zone, irq_block[i]);
        irq_block[i] = LOAM_NO_FRAME;
        return;
    }
    irq_block[i] = loam_zone_alloc(kern_this.zone, (unsigned)(i % 4), LOAM_ZONE_ATOMIC);
    irq_count += !loam_pfn_is_none(irq_block[i]);
}

static int demo_irq(void)
{
    enum { TICKS = 30, HELD = 64 };
    kern_free_lists before;
    loam_pfn held[HELD];
    uint64_t pairs = 0, until;

    console_write("\n-- irq: the timer's interrupt allocates and frees pages, and so do we --\n");
    kern_free_lists_read(&before);
    for (size_t i = 0; i < IRQ_BLOCKS; i++)
        irq_block[i] = LOAM_NO_FRAME;
    irq_rounds = irq_count = 0;
    until = kern_this.ticks + TICKS;
    kern_this.on_tick = allocate_in_tick;
    while (kern_this.ticks < until) {
        size_t got = loam_zone_alloc_bulk(kern_this.zone, 0, LOAM_ZONE_NORMAL, held, HELD);
        pairs += loam_zone_free_bulk(kern_this.zone, held, got);
    }
    kern_this.on_tick = NULL;
    for (size_t i = 0; i < IRQ_BLOCKS; i++)
        if (!loam_pfn_is_none(irq_block[i]))
            (void)loam_zone_free(kern_this.zone, irq_block[i]);
    kprintf("%U allocations in interrupts, %U pages outside of them\n", irq_count, pairs);
    return finish(&before) && irq_count > 0 ? 0 : 1;
}

typedef struct demo {
    const char *name;
    int (*run)(void); /* NULL: not linked into this kernel */
    const char *help;
} demo;

static const demo demos[] = {
    {"tour", demo_tour, "pages and objects, the short guided one"},
    {"pages", demo_pages, "blocks split and merge"},
    {"objects", demo_objects, "kmalloc: objects share slabs"},
    {"misuse", demo_misuse, "wrong frees are refused and named"},
    {"irq", demo_irq, "allocations in interrupts"},
    {"osc4", osc4_demo, "OSC 2025 Lab 4"},
    {"user", user_demo, "programs in user mode"},
    {"shomp", shomp_demo, "ShompOS' memory module: its keys, pressed"},
    {"stacsos", stacsos_demo, "the page allocator of stacsos: its self-test"},
    {"stacsos-double-free", stacsos_double_free_demo, "a page of it is freed twice: a panic"},
    {"higherhalf", higherhalf_demo, "the i386 kernel with memblock, buddy and kmalloc"},
    {"higherhalf-overwrite", higherhalf_overwrite_demo, "a header of it is written over: a panic"},
};

void demo_list(void)
{
    for (size_t i = 0; i < LOAM_ARRAY_LEN(demos); i++)
        if (demos[i].run != NULL)
            kprintf("  %s - %s\n", demos[i].name, demos[i].help);
}

int demo_run(const char *name)
{
    for (size_t i = 0; i < LOAM_ARRAY_LEN(demos); i++)
        if (demos[i].run != NULL && word_is(demos[i].name, name))
            return demos[i].run();
    return -1;
}
