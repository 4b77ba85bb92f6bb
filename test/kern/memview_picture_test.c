/* SPDX-License-Identifier: MIT */
#include "../../kern/drivers/pc/screen.h"
#include "../../kern/memview_picture.h"
#include "tap.h"

static memview m;

static void look_is(tap *t, unsigned block, unsigned kind, unsigned level)
{
    memview_look look = memview_look_at(&m, block);
    TAP_EQ(t, look.kind, kind);
    TAP_EQ(t, look.level, level);
}

static void sizes(tap *t)
{
    static const struct {
        uint64_t frames;
        unsigned shift, blocks, rows;
    } want[] = {
        {1, 0, 1, 1},         {64, 0, 64, 1},          {65, 0, 65, 2},
        {1280, 0, 1280, 20},  {1281, 1, 641, 11},      {4096, 2, 1024, 16},
        {16352, 4, 1022, 16}, {1 << 20, 10, 1024, 16}, {1ULL << 40, 30, 1024, 16},
    };
    for (size_t i = 0; i < LOAM_ARRAY_LEN(want); i++) {
        memview_init(&m, want[i].frames);
        TAP_EQ(t, m.shift, want[i].shift);
        TAP_EQ(t, m.blocks, want[i].blocks);
        TAP_EQ(t, memview_rows(&m), want[i].rows);
    }
}

static void levels(tap *t)
{
    memview_init(&m, 16384); /* blocks of 16 */
    memview_add(&m, 0, 32, MEMVIEW_FREE);
    memview_add(&m, 32, 1, MEMVIEW_SLAB);
    memview_add(&m, 33, 15, MEMVIEW_FREE);
    memview_add(&m, 48, 8, MEMVIEW_TAKEN);
    memview_add(&m, 56, 8, MEMVIEW_FREE);
    memview_add(&m, 64, 9, MEMVIEW_RESERVED);
    memview_add(&m, 73, 7, MEMVIEW_FREE);
    memview_add(&m, 80, 10, MEMVIEW_TAKEN);
    memview_add(&m, 90, 6, MEMVIEW_SLAB);
    memview_add(&m, 100, 1, MEMVIEW_HIGH_TAKEN);
    look_is(t, 0, MEMVIEW_FREE, 0);
    look_is(t, 1, MEMVIEW_FREE, 0);
    look_is(t, 2, MEMVIEW_SLAB, 1);
    look_is(t, 3, MEMVIEW_TAKEN, 1);
    look_is(t, 4, MEMVIEW_RESERVED, 2);
    look_is(t, 5, MEMVIEW_TAKEN, 3);
    look_is(t, 6, MEMVIEW_HIGH_TAKEN, 3); /* all that is there */
    look_is(t, 7, MEMVIEW_KINDS, 4);      /* a hole */
    TAP_EQ(t, m.total[MEMVIEW_FREE], 32 + 15 + 8 + 7);
    TAP_EQ(t, m.total[MEMVIEW_RESERVED], 9);
}

static void kinds_change(tap *t)
{
    memview_init(&m, 16384);
    memview_add(&m, 0, 40, MEMVIEW_TAKEN);
    memview_change(&m, 10, 20, MEMVIEW_TAKEN, MEMVIEW_TABLES);
    TAP_EQ(t, m.count[0][MEMVIEW_TAKEN], 10);
    TAP_EQ(t, m.count[0][MEMVIEW_TABLES], 6);
    TAP_EQ(t, m.count[1][MEMVIEW_TABLES], 14);
    TAP_EQ(t, m.total[MEMVIEW_TABLES], 20);
    TAP_EQ(t, m.total[MEMVIEW_TAKEN], 20);
    memview_change(&m, 0, 16, MEMVIEW_TAKEN, MEMVIEW_SLAB); /* only as many as there are */
    TAP_EQ(t, m.count[0][MEMVIEW_SLAB], 10);
    TAP_EQ(t, m.total[MEMVIEW_TAKEN], 10);
}

static void beyond(tap *t)
{
    memview_init(&m, 1280);
    memview_add(&m, 1279, 5, MEMVIEW_FREE);
    memview_add(&m, 1280, 5, MEMVIEW_FREE);
    memview_add(&m, ~0ULL - 2, 2, MEMVIEW_FREE);
    memview_change(&m, 1279, ~0ULL - 1279, MEMVIEW_FREE, MEMVIEW_SLAB);
    memview_change(&m, ~0ULL, 1, MEMVIEW_FREE, MEMVIEW_SLAB);
    TAP_EQ(t, m.total[MEMVIEW_FREE], 0);
    TAP_EQ(t, m.total[MEMVIEW_SLAB], 1);
    TAP_EQ(t, m.count[1279][MEMVIEW_SLAB], 1);
}

static void lines(tap *t)
{
    static char buf[MEMVIEW_LINE];
    loam_text text;
    memview_init(&m, 100);
    memview_add(&m, 64, 2, MEMVIEW_RESERVED);
    memview_add(&m, 67, 33, MEMVIEW_FREE);
    loam_text_init(&text, buf, sizeof(buf));
    memview_row(&m, 1, &text);
    TAP_STR(t, buf,
            "0x00040000 \033[1;34m##\033[0;37m \033[0;32m"
            ".................................\033[0m");
    loam_text_init(&text, buf, sizeof(buf));
    memview_title(&m, &text);
    TAP_STR(t, buf, "Memory to 0x64000: a character is 1 frame (4 KiB)");
    loam_text_init(&text, buf, sizeof(buf));
    memview_numbers(&m, &text);
    TAP_STR(t, buf, "frames: 33 free, 2 reserved");
    loam_text_init(&text, buf, sizeof(buf));
    memview_legend(&text);
    TAP_CHECK(t, !text.cut && tap_starts(buf, "\033[0;32m. free\033[0m  \033[1;33m# taken"));
}

/* The longest lines fit: every block of another kind than the one before it. */
static void longest(tap *t)
{
    static char buf[MEMVIEW_LINE];
    loam_text text;
    memview_init(&m, 1ULL << 40);
    for (uint64_t i = 0; i < m.blocks; i++)
        memview_add(&m, i << m.shift, 1, i % 2 == 0 ? MEMVIEW_SLAB : MEMVIEW_TABLES);
    for (unsigned row = 0; row < memview_rows(&m); row++) {
        loam_text_init(&text, buf, sizeof(buf));
        memview_row(&m, row, &text);
        TAP_CHECK(t, !text.cut);
    }
    for (unsigned kind = 0; kind < MEMVIEW_KINDS; kind++)
        m.total[kind] = ~0ULL;
    loam_text_init(&text, buf, sizeof(buf));
    memview_numbers(&m, &text);
    TAP_CHECK(t, !text.cut);
}

static void row_is(tap *t, const uint16_t *cell, unsigned y, const char *want)
{
    static char text[SCREEN_COLUMNS + 1];
    for (size_t x = 0; x < SCREEN_COLUMNS; x++) {
        unsigned c = cell[y * SCREEN_COLUMNS + x] & 0xff;
        text[x] = (char)(c < 0x80 ? c : '*');
    }
    size_t len = SCREEN_COLUMNS;
    while (len > 0 && text[len - 1] == ' ')
        len--;
    text[len] = '\0';
    TAP_STR(t, text, want);
}

static void screen_picture(tap *t)
{
    static uint16_t cell[SCREEN_CELLS + 8];
    memview_init(&m, 16384);
    memview_add(&m, 0, 16, MEMVIEW_RESERVED);
    memview_add(&m, 16, 4, MEMVIEW_TABLES);
    memview_add(&m, 20, 12, MEMVIEW_FREE);
    memview_add(&m, 4096, 8192, MEMVIEW_FREE);
    memview_add(&m, 12288, 4096, MEMVIEW_HIGH_TAKEN);
    cell[SCREEN_CELLS] = 0xdead;
    memview_paint(&m, "any key", cell);
    row_is(t, cell, 0, "Memory to 0x4000000: a character is 16 frames (64 KiB)");
    row_is(t, cell, 2, "0x00000000 **");
    row_is(t, cell, 22,
           "* free 8204  * taken 0  * slab 0  * tables 4  * reserved 16  * high free 0");
    row_is(t, cell, 23, "* high taken 4096");
    row_is(t, cell, 24, "any key");
    TAP_EQ(t, cell[2 * SCREEN_COLUMNS + 11], 0x09db); /* bright blue, full */
    TAP_EQ(t, cell[2 * SCREEN_COLUMNS + 12], 0x0db1); /* bright magenta, a quarter */
    TAP_EQ(t, cell[6 * SCREEN_COLUMNS + 11], 0x02b0); /* green, free */
    TAP_EQ(t, cell[17 * SCREEN_COLUMNS + 74], 0x0cdb);
    TAP_EQ(t, cell[17 * SCREEN_COLUMNS + 75], 0x0720);
    for (unsigned kind = 0; kind < MEMVIEW_KINDS; kind++)
        m.total[kind] = 1 << 20;
    memview_paint(&m, "x", cell); /* wide numbers stay on their two lines */
    row_is(t, cell, 24, "x");
    memview_init(&m, 1280);
    memview_add(&m, 0, 1280, MEMVIEW_SLAB);
    memview_paint(&m, "", cell);
    row_is(t, cell, 22,
           "* free 0  * taken 0  * slab 1280  * tables 0  * reserved 0  * high free 0");
    TAP_EQ(t, cell[SCREEN_CELLS], 0xdead);
}

static const tap_case cases[] = {
    {"memview_init: the smallest block with which all fit", sizes},
    {"memview_look_at: kind and level", levels},
    {"memview_change: frames of one kind become another", kinds_change},
    {"memview_add: frames beyond the picture are left out", beyond},
    {"memview_row: a line for a terminal, holes are blank", lines},
    {"memview_row: the longest line fits", longest},
    {"memview_paint: the screen", screen_picture},
};
TAP_SUITE(memview_picture_test, cases);
