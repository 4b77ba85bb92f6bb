/* SPDX-License-Identifier: MIT */
/* kern.c - play in the reference kernel: `play` in the shell and on the command line, and `demo
 * shomp`, which presses the document's keys by itself.
 *
 * The heap lies in kmalloc's memory; in guard mode, where the kernel has page tables of its own, in
 * a vmap area, whose pages are taken out of the tables while they are free. */
#include "kern.h"
#include "board.h"
#include "console.h"
#include "words.h"

#include "../../inc/play/play.h"

int shomp_demo(void); /* in the table of kern/demos.c */

enum { GLUE_PAGES = SHOMP_MOST_PAGES + 1, IRQ_TICKS = 20, IRQ_HELD = 6 };

static struct {
    shomp_play play;
    shomp_options options;
    unsigned char *memory;
    uint64_t area;              /* of vmap, 0: memory is kmalloc's */
    loam_pfn frame[GLUE_PAGES]; /* of the pages that are not in the tables */
} glue;

void shomp_default_output(const char *text)
{
    console_write(text);
}

static void to_console(void *ctx, const char *text)
{
    (void)ctx;
    console_write(text);
}

/* ---- memory ---- */

/* A shomp_pages_fn. The area's tables are there already: nothing here can lack memory. */
static void set_pages(void *ctx, void *page, size_t len, bool reachable)
{
    kern *k = ctx;
    loam_pt_batch batch;
    loam_pt_entry entry;
    uint64_t va = (uintptr_t)page;
    size_t i = (size_t)(va - glue.area) / SHOMP_PAGE;
    loam_err err = LOAM_ENOENT;
    loam_pt_batch_init(&batch);
    if (reachable) {
        err =
            loam_pt_map_frames(&k->pt, va, &glue.frame[i], len / SHOMP_PAGE, LOAM_PT_WRITE, &batch);
    } else if (loam_pt_query(&k->pt, va, &entry)) {
        glue.frame[i] = loam_pa_to_pfn(entry.pa);
        err = loam_pt_unmap(&k->pt, va, len, NULL, NULL, &batch);
    }
    if (err != LOAM_OK)
        kpanic("shomp: page 0x%X: %s", va, loam_err_name(err));
    loam_tlb_flush(&k->tlb, &k->pt, &batch);
}

/* What a fault in a page of the heap is about. */
static const char *note_address(uint64_t va)
{
    static char note[160];
    loam_report report;
    loam_text text;
    if (!shomp_fault((uintptr_t)va, &report))
        return NULL;
    loam_text_init(&text, note, sizeof(note));
    loam_report_text(&text, &report);
    return note;
}

static bool memory_take(bool guard)
{
    uint64_t va = 0;
    glue.area = 0;
    if (guard && kern_this.vmap != NULL) {
        glue.options.pages = set_pages;
        glue.options.pages_ctx = &kern_this;
        if (loam_vmap_alloc(kern_this.vmap, shomp_bytes(&glue.options), 0, LOAM_PT_WRITE, &va) ==
            LOAM_OK) {
            glue.area = va;
            glue.memory = (unsigned char *)(uintptr_t)va;
            return true;
        }
        glue.options.pages = NULL;
    }
    glue.memory = loam_kmalloc_alloc(kern_this.kmalloc, shomp_bytes(&glue.options));
    return glue.memory != NULL;
}

static void memory_give(void)
{
    loam_err err = glue.area != 0 ? loam_vmap_free(kern_this.vmap, glue.area)
                                  : loam_kmalloc_free(kern_this.kmalloc, glue.memory);
    if (err != LOAM_OK)
        kpanic("shomp: the heap's memory: %s", loam_err_name(err));
}

/* false: `how` is no word of play, or there is no memory. */
static bool start(const char *how)
{
    bool guard = word_is(how, "guard"), grow = guard || word_is(how, "grow");
    if (!grow && how[0] != '\0') {
        kprintf("play: '%s' is neither grow nor guard\n", how);
        return false;
    }
    glue.options = (shomp_options){.grow_to = grow ? SHOMP_MAX_SCALE : 0, .guard = guard};
    if (!memory_take(guard)) {
        kprintf("play: no memory for a heap\n");
        return false;
    }
    if (guard && glue.area == 0)
        console_write("No paging here: writes after free are found, reads are not.\n");
    kern_this.address_note = note_address;
    shomp_play_start(&glue.play, glue.memory, &glue.options, to_console, NULL);
    return true;
}

static unsigned end(void)
{
    unsigned leaks = shomp_play_end(&glue.play);
    kern_this.address_note = NULL;
    memory_give();
    return leaks;
}

/* ---- play ---- */

int shomp_run(const char *how)
{
    loam_policy former;
    char key = 0;
    if (!start(how))
        return 1;
    former = kern_misuse_default(true);
    do
        while (!board_getc(&key))
            board_wait_input();
    while (shomp_play_key(&glue.play, key));
    (void)end();
    (void)loam_port_set_policy(former);
    return 0;
}

/* ---- demo ---- */

typedef struct step {
    const char *keys, *counts; /* free blocks of scales 4 to A then */
} step;

static const step steps[] = {
    {"p", "0000001"},     {"4p", "1111110"},  {"5p", "0111110"},      {"9p", "0000010"},
    {"4444p", "0011110"}, {"4rp", "0000001"}, {"456789p", "1000000"}, {"456789rtyuiop", "0000001"},
    {"999", "0000000"},
};

static bool counts_are(const char *want)
{
    unsigned count[SHOMP_MAX_SCALE + 1];
    bool same = shomp_counts(count) == SHOMP_HEAP_SCALE && shomp_check() == NULL;
    for (unsigned s = SHOMP_MIN_SCALE; s <= SHOMP_HEAP_SCALE; s++)
        same = same && count[s] == (unsigned)(want[s - SHOMP_MIN_SCALE] - '0');
    return same;
}

static bool press(const step *s)
{
    if (!start(""))
        return false;
    for (const char *key = s->keys; *key != '\0'; key++)
        (void)shomp_play_key(&glue.play, *key);
    bool good = counts_are(s->counts);
    (void)end();
    if (!good)
        kprintf("shomp: %s: not the counts that are listed\n", s->keys);
    return good;
}

/* The original allocated in interrupts without a lock. */
static struct {
    void *held[IRQ_HELD], *in_tick[IRQ_HELD];
    uint64_t ticks;
} irq;

static void take_turns(void *held[IRQ_HELD], uint64_t round)
{
    void **slot = &held[round % IRQ_HELD];
    if (*slot != NULL)
        shomp_free(slot);
    else
        *slot = shomp_allocate(1 + (size_t)(round * 7 % 40));
}

static void in_tick(void)
{
    for (unsigned i = 0; i < IRQ_HELD / 2; i++)
        take_turns(irq.in_tick, irq.ticks * IRQ_HELD / 2 + i);
    irq.ticks++;
}

static bool both_worlds(void)
{
    uint64_t until = kern_this.ticks + IRQ_TICKS, rounds = 0;
    glue.options = (shomp_options){.guard = true};
    if (!memory_take(false))
        return false;
    shomp_start(glue.memory, &glue.options);
    irq.ticks = 0;
    kern_this.on_tick = in_tick;
    while (kern_this.ticks < until)
        take_turns(irq.held, rounds++);
    kern_this.on_tick = NULL;
    for (unsigned i = 0; i < IRQ_HELD; i++) {
        shomp_free(&irq.held[i]);
        shomp_free(&irq.in_tick[i]);
    }
    bool good = counts_are("0000001") && irq.ticks > 0;
    shomp_init_heap(NULL);
    memory_give();
    kprintf("shomp: %U rounds here, %U in interrupts: one free block again: %s\n", rounds,
            irq.ticks * (IRQ_HELD / 2), good ? "yes" : "NO");
    return good;
}

int shomp_demo(void)
{
    kern_free_lists before, after;
    bool good = true;
    loam_kmalloc_shrink(kern_this.kmalloc);
    kern_free_lists_read(&before);
    for (size_t i = 0; i < LOAM_ARRAY_LEN(steps); i++)
        good = press(&steps[i]) && good;
    good = both_worlds() && good;
    loam_kmalloc_shrink(kern_this.kmalloc);
    kern_free_lists_read(&after);
    good = kern_free_lists_equal(&before, &after) && good;
    kprintf("shomp: %s\n", good ? "every count as listed, memory is as it was" : "FAILED");
    return good ? 0 : 1;
}
