/* SPDX-License-Identifier: MIT */
/* memview_picture.c - all of memory as one picture.
 *
 *     frames  0 1 2 3 | 4 5 6 7 | 8 ...          blocks of 2^shift frames
 *     kinds   f f f f | t s s f |                counted, block by block
 *     look       .    |    +                     + in the colour of slabs: more than half is taken,
 *                                                  most of that by slabs
 *
 *     0x00000000 ###+....................................................#
 *     0x00400000 ................................................          64 characters a row
 *
 * Counting rather than drawing makes the order in which frames are told free, and lets a frame
 * change its kind later (a page table is taken memory until the tables are looked through).
 */
#include "memview_picture.h"
#include "drivers/pc/screen.h"

void *memset(void *to, int byte, size_t len); /* the compiler's, or rt/ */

typedef struct kind_style {
    const char *name;
    uint8_t colour; /* as terminals count them: 1 red, 2 green, 4 blue */
    bool bright;
} kind_style;

static const kind_style styles[MEMVIEW_KINDS + 1] = {
    [MEMVIEW_FREE] = {"free", 2, false},
    [MEMVIEW_TAKEN] = {"taken", 3, true},
    [MEMVIEW_SLAB] = {"slab", 6, true},
    [MEMVIEW_TABLES] = {"tables", 5, true},
    [MEMVIEW_RESERVED] = {"reserved", 4, true},
    [MEMVIEW_HIGH_FREE] = {"high free", 2, true},
    [MEMVIEW_HIGH_TAKEN] = {"high taken", 1, true},
    [MEMVIEW_KINDS] = {"hole", 7, false},
};

enum { LEVELS = 4, NO_LEVEL = LEVELS, LABEL = 11, TOP = 2, LEGEND_ROW = 22 };
static const char terminal_marks[] = ".:+# ";
static const uint8_t screen_marks[] = {0xb0, 0xb1, 0xb2, 0xdb, ' '};

/* ---- counting ---- */

void memview_init(memview *m, uint64_t frames)
{
    memset(m, 0, sizeof *m);
    while ((frames - 1) >> m->shift >= MEMVIEW_BLOCKS)
        m->shift++;
    m->blocks = (unsigned)((frames - 1) >> m->shift) + 1;
}

static uint64_t part_in_block(const memview *m, uint64_t first, uint64_t end)
{
    uint64_t block_end = ((first >> m->shift) + 1) << m->shift;
    return (end < block_end ? end : block_end) - first;
}

/* Cuts a run of frames to the picture; its end. */
static uint64_t cut(const memview *m, uint64_t first, uint64_t count)
{
    uint64_t limit = (uint64_t)m->blocks << m->shift;
    if (first >= limit)
        return first;
    return count < limit - first ? first + count : limit;
}

void memview_add(memview *m, uint64_t first, uint64_t count, memview_kind kind)
{
    uint64_t end = cut(m, first, count);
    m->total[kind] += end - first;
    while (first < end) {
        uint64_t n = part_in_block(m, first, end);
        m->count[first >> m->shift][kind] += (uint32_t)n;
        first += n;
    }
}

void memview_change(memview *m, uint64_t first, uint64_t count, memview_kind from, memview_kind to)
{
    uint64_t end = cut(m, first, count);
    while (first < end) {
        uint64_t n = part_in_block(m, first, end);
        uint32_t *block = m->count[first >> m->shift];
        uint32_t moved = n < block[from] ? (uint32_t)n : block[from];
        block[from] -= moved;
        block[to] += moved;
        m->total[from] -= moved;
        m->total[to] += moved;
        first += n;
    }
}

/* ---- looks ---- */

static bool is_free(unsigned kind)
{
    return kind == MEMVIEW_FREE || kind == MEMVIEW_HIGH_FREE;
}

memview_look memview_look_at(const memview *m, unsigned block)
{
    const uint32_t *count = m->count[block];
    uint64_t taken = 0, all = 0, most = 0;
    memview_look look = {MEMVIEW_KINDS, NO_LEVEL};
    for (unsigned kind = 0; kind < MEMVIEW_KINDS; kind++) {
        all += count[kind];
        taken += is_free(kind) ? 0 : count[kind];
    }
    if (all == 0)
        return look;
    for (unsigned kind = 0; kind < MEMVIEW_KINDS; kind++) {
        if (is_free(kind) != (taken == 0) || count[kind] <= most)
            continue;
        most = count[kind];
        look.kind = (uint8_t)kind;
    }
    if (taken == 0)
        look.level = 0;
    else if (taken == all)
        look.level = 3;
    else
        look.level = 2 * taken <= all ? 1 : 2;
    return look;
}

/* ---- lines for a terminal ---- */

static void set_colour(loam_text *t, unsigned kind)
{
    loam_text_fmt(t, "\033[%s%um", styles[kind].bright ? "1;3" : "0;3", styles[kind].colour);
}

unsigned memview_rows(const memview *m)
{
    return (m->blocks + MEMVIEW_COLUMNS - 1) / MEMVIEW_COLUMNS;
}

static void label(const memview *m, unsigned row, loam_text *t)
{
    uint64_t first = (uint64_t)row * MEMVIEW_COLUMNS << m->shift;
    loam_text_fmt(t, "0x%08X ", first << LOAM_PAGE_SHIFT);
}

static unsigned row_end(const memview *m, unsigned row)
{
    unsigned end = (row + 1) * MEMVIEW_COLUMNS;
    return end < m->blocks ? end : m->blocks;
}

void memview_row(const memview *m, unsigned row, loam_text *t)
{
    unsigned last = MEMVIEW_KINDS;
    label(m, row, t);
    for (unsigned i = row * MEMVIEW_COLUMNS; i < row_end(m, row); i++) {
        memview_look look = memview_look_at(m, i);
        if (look.kind != last)
            set_colour(t, look.kind);
        last = look.kind;
        loam_text_char(t, terminal_marks[look.level]);
    }
    loam_text_str(t, "\033[0m");
}

void memview_legend(loam_text *t)
{
    for (unsigned kind = 0; kind < MEMVIEW_KINDS; kind++) {
        set_colour(t, kind);
        loam_text_fmt(t, "%c %s\033[0m  ", terminal_marks[is_free(kind) ? 0 : 3],
                      styles[kind].name);
    }
}

void memview_numbers(const memview *m, loam_text *t)
{
    const char *before = "frames: ";
    for (unsigned kind = 0; kind < MEMVIEW_KINDS; kind++) {
        if (m->total[kind] == 0)
            continue;
        loam_text_fmt(t, "%s%U %s", before, m->total[kind], styles[kind].name);
        before = ", ";
    }
}

void memview_title(const memview *m, loam_text *t)
{
    uint64_t frames = 1ULL << m->shift;
    loam_text_fmt(t, "Memory to 0x%X: a character is %U frame%s (%U KiB)",
                  (uint64_t)m->blocks << m->shift << LOAM_PAGE_SHIFT, frames,
                  frames == 1 ? "" : "s", frames << (LOAM_PAGE_SHIFT - 10));
}

/* ---- the screen ---- */

/* The PC counts its colours the other way round: bit 0 blue, bit 2 red. */
static uint8_t attribute(unsigned kind)
{
    unsigned c = styles[kind].colour;
    return (uint8_t)((c & 1) << 2 | (c & 2) | c >> 2 | (styles[kind].bright ? 8 : 0));
}

static unsigned write(uint16_t *cell, unsigned at, uint8_t colour, const char *text)
{
    for (; *text != '\0' && at < SCREEN_CELLS; text++)
        cell[at++] = (uint16_t)(colour << 8 | (unsigned char)*text);
    return at;
}

static void paint_row(const memview *m, unsigned row, uint16_t *cell)
{
    char text[LABEL + 8];
    loam_text t;
    unsigned at = (TOP + row) * SCREEN_COLUMNS;
    loam_text_init(&t, text, sizeof(text));
    label(m, row, &t);
    at = write(cell, at, SCREEN_NORMAL, text);
    for (unsigned i = row * MEMVIEW_COLUMNS; i < row_end(m, row); i++) {
        memview_look look = memview_look_at(m, i);
        cell[at++] = (uint16_t)(attribute(look.kind) << 8 | screen_marks[look.level]);
    }
}

static void paint_legend(const memview *m, uint16_t *cell)
{
    char text[24];
    loam_text t;
    unsigned at = LEGEND_ROW * SCREEN_COLUMNS;
    for (unsigned kind = 0; kind < MEMVIEW_KINDS; kind++) {
        loam_text_init(&t, text, sizeof(text));
        loam_text_fmt(&t, " %s %U", styles[kind].name, m->total[kind]);
        if (at % SCREEN_COLUMNS + t.len + 2 > SCREEN_COLUMNS)
            at = (LEGEND_ROW + 1) * SCREEN_COLUMNS;
        cell[at++] = (uint16_t)(attribute(kind) << 8 | screen_marks[is_free(kind) ? 0 : 3]);
        at = write(cell, at, SCREEN_NORMAL, text) + 2;
    }
}

void memview_paint(const memview *m, const char *note, uint16_t *cell)
{
    char text[SCREEN_COLUMNS];
    loam_text t;
    for (unsigned i = 0; i < SCREEN_CELLS; i++)
        cell[i] = SCREEN_NORMAL << 8 | ' ';
    loam_text_init(&t, text, sizeof(text));
    memview_title(m, &t);
    (void)write(cell, 0, 0x0f, text);
    for (unsigned row = 0; row < memview_rows(m); row++)
        paint_row(m, row, cell);
    paint_legend(m, cell);
    (void)write(cell, (LEGEND_ROW + 2) * SCREEN_COLUMNS, SCREEN_NORMAL, note);
}
