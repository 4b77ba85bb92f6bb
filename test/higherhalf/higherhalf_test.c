/* SPDX-License-Identifier: MIT */
/* higherhalf_test.c - compat/higherhalf on the machine of process.h: names, steps, memblock, the
 * buddy allocator against a bitmap, what it refuses. kmalloc is hh_kmalloc_test.c's. */
#include "../../compat/higherhalf/process.h"
#include "tap.h"

enum { LINES = 128, WIDTH = 160, PAGES = HH_PROCESS_RAM / HH_PAGE_SIZE, BLOCKS = 512 };

static char line[LINES][WIDTH];
static unsigned lines;

static void keep_line(void *ctx, const char *text)
{
    size_t i = 0;
    (void)ctx;
    if (lines == LINES)
        return;
    for (; text[i] != '\0' && i + 1 < WIDTH; i++)
        line[lines][i] = text[i];
    line[lines++][i] = '\0';
}

/* A face that knows nothing but this machine. */
static const hh_machine *fresh(void)
{
    const hh_machine *machine = hh_process_machine();
    (void)hh_leave();
    hh_machine_set(machine);
    hh_set_output(keep_line, NULL);
    lines = 0;
    return machine;
}

static void started(tap *t)
{
    fresh();
    TAP_EQ(t, memblock_init(), 0);
    TAP_EQ(t, buddy_init(), 0);
}

/* ---- names ---- */

static void names_as_in_the_document(tap *t)
{
    void *(*early)(size_t) = memblock;
    void *(*alloc)(uint32_t) = buddy_alloc;
    void (*dealloc)(uintptr_t, uint32_t) = buddy_dealloc;
    size_t (*total)(void) = buddy_get_total_memory;
    void (*show)(void) = buddy_visualize;
    void *(*get)(size_t) = kmalloc;
    void (*put)(void *) = kfree;
    size_t (*size)(const void *) = ksize;
    buddy_t state = {.base = 0};
    uintptr_t *base = &state.base;
    size_t *bytes = &state.size, *map_size = &state.map_size;
    struct buddy_node **list = state.free_lists;
    uint8_t **map = &state.map, *max_order = &state.max_order;
    block_header_t header = {.size = 1, .magic = HH_MAGIC};
    TAP_EQ(t, LOAM_ARRAY_LEN(state.free_lists), MAX_ORDER + 1);
    TAP_EQ(t, header.magic, 0xDEADBEEF);
    TAP_CHECK(t, early != NULL && alloc != NULL && dealloc != NULL && total != NULL);
    TAP_CHECK(t, show != NULL && get != NULL && put != NULL && size != NULL);
    TAP_CHECK(t, base != NULL && bytes != NULL && list != NULL && map != NULL);
    TAP_CHECK(t, map_size != NULL && max_order != NULL);
    if (sizeof(size_t) == 4)
        TAP_EQ(t, sizeof(block_header_t), 8);
}

static void addresses_as_in_the_document(tap *t)
{
    TAP_EQ(t, KERNEL_BASE, 0xC0000000);
    TAP_EQ(t, VIRT_TO_PHYS(0xC0100000), 0x100000);
    TAP_EQ(t, PHYS_TO_VIRT(0x100000), 0xC0100000);
    TAP_EQ(t, HH_WINDOW_BASE, 0xD0000000);
}

/* ---- the eight steps ---- */

static void eight_steps(tap *t)
{
    static const char *const step[HH_STEPS] = {
        "[1/8] temporary page directory: ",
        "[2/8] kernel in the higher half: ",
        "[3/8] Multiboot header parsed: ",
        "[4/8] memblock: ",
        "[5/8] buddy_allocator: ",
        "[6/8] final page directory: ",
        "[7/8] kmalloc: ",
        "[8/8] allocate: ",
    };
    const hh_machine *machine = fresh();
    TAP_EQ(t, kmain(machine), 0);
    TAP_EQ(t, lines, HH_STEPS);
    for (unsigned i = 0; i < HH_STEPS; i++)
        TAP_CHECK(t, tap_starts(line[i], step[i]));
    TAP_EQ(t, hh_process_directory().v, hh_directory()->root.v);
    TAP_RULE(t, hh_check(), NULL);
    TAP_EQ(t, hh_leave(), 0);
    TAP_EQ(t, hh_process_directory().v, machine->pt->root.v);
}

static void a_step_that_fails_is_the_last(tap *t)
{
    hh_machine machine = *fresh();
    loam_span one_page = {HH_PROCESS_FIRST, HH_PAGE_SIZE};
    machine.ram = &one_page;
    TAP_EQ(t, kmain(&machine), 1);
    TAP_STR(t, line[lines - 1], "[5/8] buddy_allocator: FAILED ");
    TAP_CHECK(t, tap_starts(line[lines - 2], "[!] buddy_init: "));
    fresh();
}

static void demo_leaves_memory_as_it_was(tap *t)
{
    const hh_machine *machine = fresh();
    TAP_EQ(t, kmain(machine), 0);
    size_t before = hh_buddy_get_free_memory();
    lines = 0;
    TAP_EQ(t, hh_demo(), 0);
    TAP_STR(t, line[lines - 1], "higherhalf: every step went well, memory is as it was");
    TAP_CHECK(t, hh_buddy_get_free_memory() <= before); /* the slab layer stays until the end */
    TAP_EQ(t, hh_leave(), 0);
}

static void demo_without_kmain(tap *t)
{
    fresh();
    TAP_EQ(t, hh_demo(), 1);
    TAP_STR(t, line[0], "[!] demo: kmain did not run");
}

/* ---- too early, too late ---- */

static void out_of_order(tap *t)
{
    fresh();
    TAP_CHECK(t, memblock(1) == NULL);
    TAP_CHECK(t, buddy_alloc(0) == NULL);
    TAP_CHECK(t, kmalloc(1) == NULL);
    TAP_EQ(t, buddy_get_total_memory(), 0);
    TAP_CHECK(t, hh_buddy_refresh() == NULL);
    TAP_EQ(t, buddy_init(), (uint64_t)-1);
    TAP_STR(t, line[lines - 1], "[!] buddy_init: memblock is not there");
    TAP_EQ(t, hh_paging_init(), (uint64_t)-1);
    TAP_EQ(t, kmem_init(), (uint64_t)-1);
    TAP_EQ(t, hh_kmem_use_slab(true), (uint64_t)-1);
    buddy_visualize();
    TAP_STR(t, line[lines - 1], "[!] buddy_visualize: no buddy allocator");
    tap_catch(t);
    buddy_dealloc(0x1000, 0);
    kfree(line);
    TAP_EQ(t, ksize(line), 0);
    TAP_EQ(t, tap_caught(t), 3);
    hh_machine_set(NULL);
    TAP_EQ(t, memblock_init(), (uint64_t)-1);
    TAP_RULE(t, hh_check(), NULL);
}

static void twice(tap *t)
{
    started(t);
    TAP_EQ(t, buddy_init(), (uint64_t)-1);
    TAP_EQ(t, hh_paging_init(), 0);
    TAP_EQ(t, hh_paging_init(), (uint64_t)-1);
    TAP_EQ(t, memblock_init(), 0); /* begins again */
    TAP_CHECK(t, hh_zone() == NULL && hh_directory() == NULL);
    TAP_EQ(t, buddy_init(), 0);
}

static void memory_that_cannot_be(tap *t)
{
    hh_machine machine = *fresh();
    loam_span beyond = {HH_PROCESS_RAM - HH_PAGE_SIZE, 2 * HH_PAGE_SIZE}, many[65];
    machine.ram = &beyond;
    hh_machine_set(&machine);
    TAP_EQ(t, memblock_init(), (uint64_t)-1);
    TAP_STR(t, line[lines - 1], "[!] memblock_init: LOAM_ERANGE");
    for (size_t i = 0; i < LOAM_ARRAY_LEN(many); i++)
        many[i] = (loam_span){HH_PROCESS_FIRST + i * 2 * HH_PAGE_SIZE, HH_PAGE_SIZE};
    machine.ram = many;
    machine.ram_count = LOAM_ARRAY_LEN(many);
    TAP_EQ(t, memblock_init(), (uint64_t)-1);
    TAP_STR(t, line[lines - 1], "[!] memblock_init: LOAM_EFULL");
    machine.ram_count = 0;
    TAP_EQ(t, memblock_init(), (uint64_t)-1);
    fresh();
}

/* ---- memblock ---- */

static void memblock_bumps(tap *t)
{
    const hh_machine *machine = fresh();
    TAP_EQ(t, memblock_init(), 0);
    uintptr_t last = 0;
    TAP_CHECK(t, memblock(0) == NULL);
    TAP_CHECK(t, memblock(SIZE_MAX) == NULL);
    for (unsigned i = 0; i < 500; i++) {
        size_t size = 1 + (size_t)tap_below(t, i % 50 == 49 ? 20000 : 300);
        uintptr_t block = (uintptr_t)memblock(size);
        uintptr_t pa = block - (uintptr_t)machine->linear.va;
        TAP_CHECK(t, block != 0 && pa >= machine->ram[0].base);
        TAP_EQ(t, block % (size < HH_PAGE_SIZE ? 16 : HH_PAGE_SIZE), 0);
        TAP_CHECK(t, block >= last || size < HH_PAGE_SIZE); /* small ones fill what was skipped */
        for (size_t k = 0; k < size; k++)
            ((unsigned char *)block)[k] = 0xa5;
        if (block + size > last)
            last = block + size;
    }
    TAP_RULE(t, hh_check(), NULL);
    TAP_EQ(t, buddy_init(), 0);
    TAP_CHECK(t, memblock(16) == NULL);
    TAP_STR(t, line[lines - 1],
            "[!] memblock: no memory for 16 bytes: the buddy allocator has it all");
}

static void memblock_gives_no_byte_twice(tap *t)
{
    static unsigned char *block[BLOCKS];
    static size_t size[BLOCKS];
    fresh();
    TAP_EQ(t, memblock_init(), 0);
    for (unsigned i = 0; i < BLOCKS; i++) {
        size[i] = 1 + (size_t)tap_below(t, 9000);
        block[i] = memblock(size[i]);
        TAP_CHECK(t, block[i] != NULL);
        for (size_t k = 0; k < size[i]; k++)
            block[i][k] = (unsigned char)i;
    }
    for (unsigned i = 0; i < BLOCKS; i++)
        for (size_t k = 0; k < size[i]; k++)
            if (block[i][k] != (unsigned char)i)
                TAP_EQ(t, block[i][k], (unsigned char)i);
}

static void memblock_to_the_end(tap *t)
{
    fresh();
    TAP_EQ(t, memblock_init(), 0);
    TAP_CHECK(t, memblock((size_t)HH_PROCESS_RAM) == NULL);
    unsigned n = 0;
    while (memblock(HH_PAGE_SIZE) != NULL)
        n++;
    TAP_EQ(t, n, hh_process_machine()->ram[0].len / HH_PAGE_SIZE);
    TAP_EQ(t, buddy_init(), (uint64_t)-1);
    TAP_STR(t, line[lines - 1], "[!] buddy_init: no memory for the allocator itself");
}

/* ---- the buddy allocator against a bitmap ---- */

static bool unused[PAGES]; /* by frame number */

static bool is_unused(size_t page, unsigned order)
{
    for (size_t i = page; i < page + ((size_t)1 << order); i++)
        if (i >= PAGES || !unused[i])
            return false;
    return true;
}

enum { ANY_ORDER = 20 };

/* The order of the largest free block at a page, aligned in absolute numbers. Views end at
 * MAX_ORDER; what is taken from does not. */
static int oracle_order(size_t page, int max)
{
    int order = -1;
    while (order < max && page % ((size_t)1 << (order + 1)) == 0 &&
           is_unused(page, (unsigned)order + 1))
        order++;
    return order;
}

static void oracle_start(void)
{
    loam_zone *zone = hh_zone();
    for (size_t page = 0; page < PAGES; page++)
        unused[page] = loam_zone_state(zone, loam_pfn_of(page)) == LOAM_FRAME_FREE;
}

/* What the allocator must answer: smallest sufficient, then lowest; 0: nothing. */
static size_t oracle_alloc(unsigned order)
{
    size_t best = 0;
    int best_order = ANY_ORDER + 1, k;
    for (size_t page = 0; page < PAGES; page += (size_t)1 << (k < 0 ? 0 : k)) {
        k = oracle_order(page, ANY_ORDER);
        if (k >= (int)order && k < best_order) {
            best = page;
            best_order = k;
        }
    }
    return best;
}

static void oracle_set(size_t page, unsigned order, bool value)
{
    for (size_t i = page; i < page + ((size_t)1 << order); i++)
        unused[i] = value;
}

static void compare_lists(tap *t, const buddy_t *b)
{
    const struct buddy_node *at[MAX_ORDER + 1];
    int k;
    for (unsigned order = 0; order <= MAX_ORDER; order++)
        at[order] = b->free_lists[order];
    for (size_t page = 0; page < PAGES; page += (size_t)1 << (k < 0 ? 0 : k)) {
        k = oracle_order(page, MAX_ORDER);
        if (k < 0)
            continue;
        TAP_CHECK(t, at[k] != NULL && at[k]->address == page * HH_PAGE_SIZE);
        at[k] = at[k] != NULL ? at[k]->next : NULL;
    }
    for (unsigned order = 0; order <= MAX_ORDER; order++)
        TAP_CHECK(t, at[order] == NULL);
}

static void compare_map(tap *t, const buddy_t *b)
{
    TAP_EQ(t, b->map_size, (b->size / HH_PAGE_SIZE + 7) / 8);
    for (size_t i = 0; i < b->size / HH_PAGE_SIZE; i++) {
        bool bit = (b->map[i / 8] >> i % 8 & 1) != 0;
        if (bit != unused[b->base / HH_PAGE_SIZE + i])
            TAP_EQ(t, bit, !bit);
    }
}

static void buddy_model(tap *t)
{
    static struct {
        uintptr_t address;
        unsigned order;
    } out[BLOCKS];
    unsigned n = 0;
    started(t);
    oracle_start();
    compare_lists(t, hh_buddy_refresh());
    for (unsigned step = 0; step < 600; step++) {
        if (n < BLOCKS && (n == 0 || tap_below(t, 100) < (step < 400 ? 65 : 35))) {
            unsigned order = (unsigned)tap_below(t, tap_below(t, 8) == 0 ? MAX_ORDER + 1 : 4);
            uintptr_t want = oracle_alloc(order) * HH_PAGE_SIZE;
            out[n].address = (uintptr_t)buddy_alloc(order);
            out[n].order = order;
            TAP_EQ(t, out[n].address, want);
            if (want != 0)
                oracle_set(want / HH_PAGE_SIZE, out[n++].order, false);
        } else {
            unsigned i = (unsigned)tap_below(t, n);
            buddy_dealloc(out[i].address, out[i].order);
            oracle_set(out[i].address / HH_PAGE_SIZE, out[i].order, true);
            out[i] = out[--n];
        }
        if (step % 20 == 0) {
            compare_lists(t, hh_buddy_refresh());
            compare_map(t, hh_buddy_refresh());
            TAP_RULE(t, hh_check(), NULL);
        }
    }
    while (n-- > 0)
        buddy_dealloc(out[n].address, out[n].order);
    TAP_EQ(t, hh_buddy_get_free_memory(), buddy_get_total_memory());
}

/* The original took the buddy of a block from its address, not from its place behind base: with a
 * base that is no multiple of the block it merged strangers. */
static void blocks_are_aligned_wherever_base_lies(tap *t)
{
    for (unsigned skew = 0; skew < 8; skew++) {
        hh_machine machine = *fresh();
        loam_span ram = {HH_PROCESS_FIRST + (uint64_t)skew * HH_PAGE_SIZE + 24, 2 << 20};
        uintptr_t block[BLOCKS];
        unsigned n = 0;
        machine.ram = &ram;
        hh_machine_set(&machine);
        TAP_EQ(t, memblock_init(), 0);
        TAP_EQ(t, buddy_init(), 0);
        TAP_EQ(t, hh_buddy_refresh()->base % HH_PAGE_SIZE, 0);
        while (n < BLOCKS && (block[n] = (uintptr_t)buddy_alloc(2)) != 0) {
            TAP_EQ(t, block[n] % (4 * HH_PAGE_SIZE), 0);
            TAP_CHECK(t, block[n] >= ram.base && block[n] + 4 * HH_PAGE_SIZE <= ram.base + ram.len);
            n++;
        }
        TAP_CHECK(t, n > 100);
        while (n-- > 0)
            buddy_dealloc(block[n], 2);
        TAP_EQ(t, hh_buddy_get_free_memory(), buddy_get_total_memory());
        TAP_RULE(t, hh_check(), NULL);
    }
    fresh();
}

static void holes_belong_to_nobody(tap *t)
{
    hh_machine machine = *fresh();
    loam_span ram[3] = {{HH_PROCESS_FIRST, 0x40000}, {0x200000, 0x3000}, {0x400000, 0x100000}};
    machine.ram = ram;
    machine.ram_count = 3;
    hh_machine_set(&machine);
    TAP_EQ(t, memblock_init(), 0);
    TAP_EQ(t, buddy_init(), 0);
    const buddy_t *b = hh_buddy_refresh();
    TAP_EQ(t, b->base, HH_PROCESS_FIRST);
    TAP_EQ(t, b->base + b->size, 0x500000);
    TAP_CHECK(t, buddy_get_total_memory() < 0x40000 + 0x3000 + 0x100000);
    TAP_CHECK(t, buddy_get_total_memory() > 0x130000);
    oracle_start();
    compare_lists(t, b);
    compare_map(t, b);
    buddy_visualize();
    TAP_STR(t, line[lines - 1] + 2 + 11, line[lines - 1] + 13);
    fresh();
}

/* Page 0 would be the answer for "no memory". */
static void page_0_is_never_given_out(tap *t)
{
    hh_machine machine = *fresh();
    loam_span ram = {0, 0};
    loam_linear shifted = {0, machine.ram[0].len, machine.linear.va + machine.ram[0].base};
    ram.len = shifted.len;
    machine.ram = &ram;
    machine.linear = shifted;
    hh_machine_set(&machine);
    TAP_EQ(t, memblock_init(), 0);
    TAP_CHECK(t, (uintptr_t)memblock(1) >= (uintptr_t)shifted.va + HH_PAGE_SIZE);
    TAP_EQ(t, buddy_init(), 0);
    TAP_CHECK(t, hh_buddy_refresh()->base == HH_PAGE_SIZE);
    while (buddy_alloc(0) != NULL)
        ;
    TAP_EQ(t, hh_buddy_get_free_memory(), 0);
    TAP_EQ(t, loam_zone_state(hh_zone(), loam_pfn_of(0)), LOAM_FRAME_RESERVED);
    fresh();
}

static void order_beyond_max(tap *t)
{
    started(t);
    TAP_CHECK(t, buddy_alloc(MAX_ORDER + 1) == NULL);
    TAP_CHECK(t, buddy_alloc(UINT32_MAX) == NULL);
    void *largest = buddy_alloc(MAX_ORDER);
    TAP_CHECK(t, largest != NULL && (uintptr_t)largest % HH_BLOCK_MAX == 0);
    buddy_dealloc((uintptr_t)largest, MAX_ORDER);
}

static void wrong_frees_are_refused(tap *t)
{
    started(t);
    uintptr_t block = (uintptr_t)buddy_alloc(3);
    size_t before = hh_buddy_get_free_memory();
    tap_catch(t);
    buddy_dealloc(block, 2);
    buddy_dealloc(block, 40000);
    buddy_dealloc(block + HH_PAGE_SIZE, 0);
    buddy_dealloc(block + 8, 3);
    TAP_STR(t, t->report.unit, "higherhalf");
    TAP_STR(t, t->report.what, "misaligned free");
    buddy_dealloc(hh_buddy_refresh()->base, 0); /* the allocator's own memory */
    buddy_dealloc(0x1000, 0);
    buddy_dealloc(0, 0);
    buddy_dealloc((uintptr_t)HH_PROCESS_RAM * 2, 0);
    TAP_EQ(t, tap_caught(t), 8);
    TAP_EQ(t, hh_buddy_get_free_memory(), before);
    buddy_dealloc(block, 3);
    tap_catch(t);
    buddy_dealloc(block, 3);
    TAP_EQ(t, tap_caught(t), 1);
    TAP_RULE(t, hh_check(), NULL);
}

static void lists_are_a_picture(tap *t)
{
    started(t);
    const buddy_t *b = hh_buddy_refresh();
    uintptr_t shown = b->free_lists[MAX_ORDER]->address;
    TAP_CHECK(t, (uintptr_t)buddy_alloc(MAX_ORDER) == shown);
    TAP_CHECK(t, b->free_lists[MAX_ORDER]->address == shown);
    TAP_CHECK(t, hh_buddy_refresh()->free_lists[MAX_ORDER]->address > shown);
    b->map[0] = 0xff; /* nobody reads it but people */
    b->free_lists[MAX_ORDER]->address = 1;
    TAP_CHECK(t, (uintptr_t)buddy_alloc(MAX_ORDER) % HH_BLOCK_MAX == 0);
    TAP_RULE(t, hh_check(), NULL);
}

static void visualize_draws(tap *t)
{
    started(t);
    void *block = buddy_alloc(0);
    lines = 0;
    buddy_visualize();
    TAP_CHECK(t, tap_starts(line[0], "buddy_visualize: [0x123000, 0x17fb000), "));
    for (unsigned order = 0; order <= MAX_ORDER; order++)
        TAP_CHECK(t, tap_starts(line[1 + order], "  order "));
    TAP_CHECK(t, tap_starts(line[12], "  a character is 16 pages: "));
    TAP_CHECK(t, tap_starts(line[13], "  0x00123000 ["));
    TAP_CHECK(t, lines > 14 && lines <= 21);
    buddy_dealloc((uintptr_t)block, 0);
}

static const tap_case cases[] = {
    {"higherhalf: names and types as in the document", names_as_in_the_document},
    {"higherhalf: addresses as in the document", addresses_as_in_the_document},
    {"kmain: the eight steps, in order", eight_steps},
    {"kmain: a step that fails is the last one", a_step_that_fails_is_the_last},
    {"demo: leaves memory as it was", demo_leaves_memory_as_it_was},
    {"demo: without kmain: says so", demo_without_kmain},
    {"higherhalf: calls that come too early: refused", out_of_order},
    {"higherhalf: init twice", twice},
    {"memblock_init: memory that cannot be: refused", memory_that_cannot_be},
    {"memblock: bumps, every block aligned", memblock_bumps},
    {"memblock: gives no byte twice", memblock_gives_no_byte_twice},
    {"memblock: to the end", memblock_to_the_end},
    {"buddy: random steps: as a bitmap says, lists and map too", buddy_model},
    {"buddy: any base: aligned in absolute addresses", blocks_are_aligned_wherever_base_lies},
    {"buddy: holes belong to nobody", holes_belong_to_nobody},
    {"buddy: page 0 is never given out", page_0_is_never_given_out},
    {"buddy_alloc: order beyond MAX_ORDER: NULL", order_beyond_max},
    {"buddy_dealloc: wrong frees: refused, nothing changes", wrong_frees_are_refused},
    {"buddy_t: lists and map are a picture, never consulted", lists_are_a_picture},
    {"buddy_visualize: a line for each order, and the map", visualize_draws},
};
TAP_SUITE(higherhalf_test, cases);
