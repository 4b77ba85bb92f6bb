/* SPDX-License-Identifier: MIT */
/* screen.c - a text console over 80 x 25 cells.
 *
 *     cell  [ a | b | c |   |   ...             |   ]     row 0, scrolled out at the top
 *           [   |   ...                             ]
 *           [ l | o | a | m | > |   | _ |           ]     `at` is the cursor: one number
 *                                     ^at
 *
 * The cursor never stands behind the last column: a character there moves it to the next row at
 * once, so that a backspace finds the way back by taking one from `at`.
 */
#include "screen.h"

enum { TAB = 8, ESC = 27, NUMBER_MOST = 999 };

static uint16_t blank(const screen *s)
{
    return (uint16_t)(s->attribute << 8 | ' ');
}

static void touch(screen *s, unsigned first, unsigned end)
{
    if (s->dirty == s->dirty_end) {
        s->dirty = first;
        s->dirty_end = end;
    }
    if (first < s->dirty)
        s->dirty = first;
    if (end > s->dirty_end)
        s->dirty_end = end;
}

static void clear(screen *s, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++)
        s->cell[i] = blank(s);
    if (first < end)
        touch(s, first, end);
}

void screen_clean(screen *s)
{
    s->dirty = s->dirty_end = 0;
}

void screen_init(screen *s, uint16_t *cell)
{
    *s = (screen){.cell = cell, .attribute = SCREEN_NORMAL};
    clear(s, 0, SCREEN_CELLS);
}

static void scroll(screen *s)
{
    for (unsigned i = 0; i < SCREEN_CELLS - SCREEN_COLUMNS; i++)
        s->cell[i] = s->cell[i + SCREEN_COLUMNS];
    clear(s, SCREEN_CELLS - SCREEN_COLUMNS, SCREEN_CELLS);
    touch(s, 0, SCREEN_CELLS);
    s->at -= SCREEN_COLUMNS;
}

static void move(screen *s, unsigned at)
{
    s->at = at;
    if (at >= SCREEN_CELLS)
        scroll(s);
}

static void print(screen *s, char c)
{
    s->cell[s->at] = (uint16_t)(s->attribute << 8 | (unsigned char)c);
    touch(s, s->at, s->at + 1);
    move(s, s->at + 1);
}

/* ---- escape sequences ---- */

/* A terminal's colours: bit 0 red, 2 blue. The PC's: the other way round. */
static uint8_t colour(unsigned n)
{
    return (uint8_t)((n & 1) << 2 | (n & 2) | (n & 4) >> 2);
}

static void rendition(screen *s, unsigned n)
{
    uint8_t ink = s->attribute & 7, paper = s->attribute >> 4 & 7;
    if (n == 0) {
        ink = SCREEN_NORMAL;
        paper = 0;
    }
    if (n == 0 || n == 22)
        s->bright = false;
    else if (n == 1)
        s->bright = true;
    else if (n >= 30 && n <= 37)
        ink = colour(n - 30);
    else if (n == 39)
        ink = SCREEN_NORMAL;
    else if (n >= 40 && n <= 47)
        paper = colour(n - 40);
    else if (n == 49)
        paper = 0;
    s->attribute = (uint8_t)(paper << 4 | (s->bright ? 8 : 0) | ink);
}

static unsigned place(unsigned number, unsigned limit)
{
    if (number == 0)
        return 0;
    return number > limit ? limit - 1 : number - 1;
}

static void perform(screen *s, char letter)
{
    unsigned row_end = s->at - s->at % SCREEN_COLUMNS + SCREEN_COLUMNS;
    switch (letter) {
    case 'm':
        for (unsigned i = 0; i < s->numbers; i++)
            rendition(s, s->number[i]);
        break;
    case 'H':
        s->at =
            place(s->number[0], SCREEN_ROWS) * SCREEN_COLUMNS + place(s->number[1], SCREEN_COLUMNS);
        break;
    case 'J':
        clear(s, s->number[0] == 2 ? 0 : s->at, SCREEN_CELLS);
        break;
    case 'K':
        clear(s, s->at, row_end);
        break;
    default:
        break;
    }
}

/* ESC [ number ; number letter. What is none of these is left out. */
static void feed_escape(screen *s, char c)
{
    unsigned *number = &s->number[s->numbers - 1];
    if (s->escape == 1) {
        s->escape = c == '[' ? 2 : 0;
    } else if (c >= '0' && c <= '9') {
        *number = *number * 10 + (unsigned)(c - '0');
        if (*number > NUMBER_MOST)
            *number = NUMBER_MOST;
    } else if (c == ';') {
        s->numbers += s->numbers < SCREEN_NUMBERS;
    } else if (c >= '@') {
        s->escape = 0;
        perform(s, c);
    }
}

static void begin_escape(screen *s)
{
    s->escape = 1;
    s->numbers = 1;
    for (unsigned i = 0; i < SCREEN_NUMBERS; i++)
        s->number[i] = 0;
}

void screen_put(screen *s, char c)
{
    if (s->escape != 0 && c != ESC) {
        feed_escape(s, c);
        return;
    }
    switch (c) {
    case '\n':
        move(s, s->at - s->at % SCREEN_COLUMNS + SCREEN_COLUMNS);
        break;
    case '\r':
        s->at -= s->at % SCREEN_COLUMNS;
        break;
    case '\b':
        if (s->at > 0)
            s->at--;
        break;
    case '\t':
        move(s, s->at - s->at % TAB + TAB);
        break;
    case ESC:
        begin_escape(s);
        break;
    default:
        if ((unsigned char)c >= ' ' && c != 0x7f)
            print(s, c);
        break;
    }
}
