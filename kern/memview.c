/* SPDX-License-Identifier: MIT */
/* memview.c - the shell's picture of memory: once as text, and alive on the PC's screen.
 *
 *     zones -----walk----> free, taken, slab, reserved --+
 *     boot map, what it gave out itself ----> tables ----+--> memview_picture.c --> screen, text
 *     the kernel's page tables -------------> tables ----+
 *
 * `memview churn` takes and gives back blocks of pages meanwhile, so that there is something to
 * see; all of them are free again at the end.
 */
#include "memview.h"
#include "board.h"
#include "console.h"
#include "drivers/pc/screen.h"
#include "drivers/pc/vga_text.h"
#include "kern.h"
#include "memview_picture.h"
#include "paging.h"
#include "words.h"

enum {
    REFRESH = KERN_TICK_HZ / 5, /* ticks between two pictures */
    CHURN_BLOCKS = 64,
    CHURN_ORDERS = 10,
    CHURN_STEPS = 6 /* a picture */
};

static memview picture;
static uint16_t cells[SCREEN_CELLS];

/* ---- what is known of every frame ---- */

typedef struct walk {
    bool mapped; /* the zone's frames have kernel addresses */
} walk;

static bool tell(void *ctx, loam_pfn first, uint64_t count, loam_frame_state state)
{
    bool mapped = ((const walk *)ctx)->mapped;
    switch (state) {
    case LOAM_FRAME_OUTSIDE:
        break;
    case LOAM_FRAME_FREE:
        memview_add(&picture, first.v, count, mapped ? MEMVIEW_FREE : MEMVIEW_HIGH_FREE);
        break;
    case LOAM_FRAME_SLAB:
        memview_add(&picture, first.v, count, MEMVIEW_SLAB);
        break;
    case LOAM_FRAME_RESERVED:
    case LOAM_FRAME_BAD:
        memview_add(&picture, first.v, count, MEMVIEW_RESERVED);
        break;
    default:
        memview_add(&picture, first.v, count, mapped ? MEMVIEW_TAKEN : MEMVIEW_HIGH_TAKEN);
        break;
    }
    return true;
}

/* One past the last frame of RAM that a zone has. */
static uint64_t frames_end(void)
{
    const loam_spanset *ram = &kern_this.map.ram;
    uint64_t limit = 0, end = 1;
    for (unsigned i = 0; i < kern_this.zones.count; i++) {
        uint64_t l = loam_zone_config_of(kern_this.zones.zone[i])->limit;
        limit = l > limit ? l : limit;
    }
    for (size_t i = 0; i < ram->count && ram->span[i].base / LOAM_PAGE_SIZE < limit; i++)
        end = (ram->span[i].base + (ram->span[i].len - 1)) / LOAM_PAGE_SIZE + 1;
    return end < limit ? end : limit;
}

static void tell_table(loam_pa table)
{
    memview_change(&picture, loam_pa_to_pfn(table).v, 1, MEMVIEW_TAKEN, MEMVIEW_TABLES);
}

static void look(void)
{
    const loam_spanset *early = &kern_this.map.early;
    memview_init(&picture, frames_end());
    for (unsigned i = 0; i < kern_this.zones.count; i++) {
        loam_zone *zone = kern_this.zones.zone[i];
        walk w = {loam_zone_config_of(zone)->linear.len != 0};
        loam_zone_drain(zone);
        loam_zone_walk(zone, tell, &w);
    }
    for (size_t i = 0; i < early->count; i++)
        memview_change(&picture, early->span[i].base / LOAM_PAGE_SIZE,
                       early->span[i].len / LOAM_PAGE_SIZE, MEMVIEW_RESERVED, MEMVIEW_TABLES);
    if (kern_this.pt.format != NULL)
        arch_each_table(kern_this.pt.root, tell_table);
}

/* ---- as text ---- */

static void print_text(void)
{
    char line[MEMVIEW_LINE];
    loam_text t;
    loam_text_init(&t, line, sizeof(line));
    memview_title(&picture, &t);
    kprintf("%s\n", line);
    for (unsigned row = 0; row < memview_rows(&picture); row++) {
        loam_text_init(&t, line, sizeof(line));
        memview_row(&picture, row, &t);
        console_write(line);
        console_put('\n');
    }
    loam_text_init(&t, line, sizeof(line));
    memview_legend(&t);
    console_write(line);
    console_write("\nblank: no RAM   .  all free   :  up to half taken   +  more   #  all taken\n");
    loam_text_init(&t, line, sizeof(line));
    memview_numbers(&picture, &t);
    kprintf("%s\n", line);
}

/* ---- something to see ---- */

static loam_pfn churned[CHURN_BLOCKS];
static uint32_t churn_random = 1;

static uint32_t churn_below(uint32_t n)
{
    churn_random ^= churn_random << 13;
    churn_random ^= churn_random >> 17;
    churn_random ^= churn_random << 5;
    return (churn_random >> 8) % n;
}

static void churn_empty(void)
{
    for (size_t i = 0; i < CHURN_BLOCKS; i++) {
        if (!loam_pfn_is_none(churned[i]))
            (void)loam_zonelist_free(&kern_this.zones, churned[i]);
        churned[i] = LOAM_NO_FRAME;
    }
}

static void churn(void)
{
    for (unsigned step = 0; step < CHURN_STEPS; step++) {
        loam_pfn *block = &churned[churn_below(CHURN_BLOCKS)];
        if (!loam_pfn_is_none(*block))
            (void)loam_zonelist_free(&kern_this.zones, *block);
        *block = churn_below(3) == 0
                     ? LOAM_NO_FRAME
                     : loam_zonelist_alloc(&kern_this.zones, churn_below(CHURN_ORDERS), 0);
    }
}

/* ---- alive ---- */

static void paint(void)
{
    char note[SCREEN_COLUMNS];
    loam_text t;
    loam_text_init(&t, note, sizeof(note));
    loam_text_fmt(&t, "%U.%U s   any key ends", kern_this.ticks / KERN_TICK_HZ,
                  kern_this.ticks % KERN_TICK_HZ * 10 / KERN_TICK_HZ);
    memview_paint(&picture, note, cells);
    vga_text_picture(cells);
}

static void live(bool busy)
{
    char key;
    uint64_t next = kern_this.ticks;
    while (!board_getc(&key)) {
        if (kern_this.ticks >= next) {
            if (busy)
                churn();
            look();
            paint();
            next = kern_this.ticks + REFRESH;
        }
        board_wait_input();
    }
    vga_text_restore();
}

void memview_command(size_t count, const char *const *word)
{
    bool busy = count == 2 && word_is(word[1], "churn"), text = count == 2 && !busy;
    if (text && !word_is(word[1], "text")) {
        kprintf("%s: '%s' is neither churn nor text\n", word[0], word[1]);
        return;
    }
    for (size_t i = 0; i < CHURN_BLOCKS; i++)
        churned[i] = LOAM_NO_FRAME;
    look();
    print_text();
    if (!text && vga_text_is_there != NULL && vga_text_is_there())
        live(busy);
    churn_empty();
}
