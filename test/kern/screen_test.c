/* SPDX-License-Identifier: MIT */
#include "../../kern/drivers/pc/screen.h"
#include "tap.h"

enum { GUARD = 7 };

static uint16_t cell[SCREEN_CELLS + GUARD];
static screen s;

static void start(void)
{
    for (size_t i = 0; i < GUARD; i++)
        cell[SCREEN_CELLS + i] = 0xdead;
    screen_init(&s, cell);
    screen_clean(&s);
}

static void print(const char *text)
{
    while (*text != '\0')
        screen_put(&s, *text++);
}

/* The characters of a row, without the blanks behind them. */
static const char *row(unsigned y)
{
    static char text[SCREEN_COLUMNS + 1];
    size_t len = SCREEN_COLUMNS;
    for (size_t x = 0; x < SCREEN_COLUMNS; x++)
        text[x] = (char)(cell[y * SCREEN_COLUMNS + x] & 0xff);
    while (len > 0 && text[len - 1] == ' ')
        len--;
    text[len] = '\0';
    return text;
}

static void begins_empty(tap *t)
{
    start();
    for (unsigned i = 0; i < SCREEN_CELLS; i++)
        TAP_EQ(t, cell[i], SCREEN_NORMAL << 8 | ' ');
    screen_init(&s, cell);
    TAP_EQ(t, s.dirty, 0);
    TAP_EQ(t, s.dirty_end, SCREEN_CELLS);
    TAP_EQ(t, s.at, 0);
}

static void prints(tap *t)
{
    start();
    print("loam> x");
    TAP_STR(t, row(0), "loam> x");
    TAP_EQ(t, s.at, 7);
    TAP_EQ(t, s.dirty, 0);
    TAP_EQ(t, s.dirty_end, 7);
    print("\r\ntwo\rT");
    TAP_STR(t, row(1), "Two");
    print("\n\ta\007b");
    TAP_STR(t, row(2), "        ab");
}

static void backspace(tap *t)
{
    start();
    print("ab\b \b");
    TAP_STR(t, row(0), "a");
    TAP_EQ(t, s.at, 1);
    print("\b\b\b");
    TAP_EQ(t, s.at, 0);
    for (unsigned i = 0; i < SCREEN_COLUMNS; i++)
        print("-");
    print("+\b \b\b \b"); /* back over the start of the second row */
    TAP_STR(t, row(1), "");
    TAP_EQ(t, s.at, SCREEN_COLUMNS - 1);
    TAP_EQ(t, cell[SCREEN_COLUMNS - 1] & 0xff, ' ');
}

static void scrolls(tap *t)
{
    start();
    for (unsigned i = 0; i < SCREEN_ROWS; i++) {
        screen_put(&s, (char)('A' + i));
        if (i + 1 < SCREEN_ROWS)
            print("\n");
    }
    TAP_STR(t, row(0), "A");
    TAP_STR(t, row(SCREEN_ROWS - 1), "Y");
    screen_clean(&s);
    print("\n");
    TAP_STR(t, row(0), "B");
    TAP_STR(t, row(SCREEN_ROWS - 2), "Y");
    TAP_STR(t, row(SCREEN_ROWS - 1), "");
    TAP_EQ(t, s.dirty, 0);
    TAP_EQ(t, s.dirty_end, SCREEN_CELLS);
    TAP_EQ(t, s.at, SCREEN_CELLS - SCREEN_COLUMNS);
    for (unsigned i = 0; i < SCREEN_COLUMNS; i++)
        print("z"); /* the last cell of all scrolls, too */
    TAP_STR(t, row(SCREEN_ROWS - 1), "");
    TAP_EQ(t, s.at, SCREEN_CELLS - SCREEN_COLUMNS);
    print("\t\t\t\t\t\t\t\t\t\t");
    TAP_EQ(t, s.at, SCREEN_CELLS - SCREEN_COLUMNS);
    TAP_EQ(t, cell[SCREEN_CELLS], 0xdead);
}

static void colours(tap *t)
{
    start();
    print("\033[31ma\033[1;42mb\033[0mc\033[44md\033[39;49me\033[1m\033[22mf\033[mg");
    TAP_STR(t, row(0), "abcdefg");
    TAP_EQ(t, cell[0] >> 8, 0x04); /* red */
    TAP_EQ(t, cell[1] >> 8, 0x2c); /* bright red on green */
    TAP_EQ(t, cell[2] >> 8, 0x07);
    TAP_EQ(t, cell[3] >> 8, 0x17); /* on blue */
    TAP_EQ(t, cell[4] >> 8, 0x07);
    TAP_EQ(t, cell[5] >> 8, 0x07);
    TAP_EQ(t, cell[6] >> 8, 0x07);
}

static void clears_and_moves(tap *t)
{
    start();
    print("one\ntwo\nthree\033[2;2H\033[K!");
    TAP_STR(t, row(0), "one");
    TAP_STR(t, row(1), "t!");
    TAP_STR(t, row(2), "three");
    print("\033[J");
    TAP_STR(t, row(1), "t!");
    TAP_STR(t, row(2), "");
    print("\033[2J\033[Hx");
    TAP_STR(t, row(0), "x");
    print("\033[999;99999999Hy");
    TAP_EQ(t, cell[SCREEN_CELLS - SCREEN_COLUMNS - 1] & 0xff, 'y'); /* and it has scrolled */
}

static void odd_sequences(tap *t)
{
    start();
    print("\033xa\033[?25lb\033[1;2;3;4;5;6;7mc\033[\033[Kd");
    TAP_STR(t, row(0), "abcd");
    print("\033[99999999999999999999999999mok");
    TAP_STR(t, row(0), "abcdok");
}

static void any_bytes(tap *t)
{
    start();
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t r = tap_rand(t);
        char c = (char)(r >> 16 & 0xff);
        if ((r & 3) == 0)
            c = "\033[;m0H\nJ"[r >> 8 & 7];
        screen_put(&s, c);
        TAP_CHECK(t, s.at < SCREEN_CELLS);
        TAP_CHECK(t, s.dirty <= s.dirty_end && s.dirty_end <= SCREEN_CELLS);
        TAP_CHECK(t, s.numbers <= SCREEN_NUMBERS);
    }
    for (size_t i = 0; i < GUARD; i++)
        TAP_EQ(t, cell[SCREEN_CELLS + i], 0xdead);
}

static const tap_case cases[] = {
    {"screen_init: empty, all of it to be shown", begins_empty},
    {"screen_put: text, return, newline, tab; bell is nothing", prints},
    {"screen_put: backspace, over the start of a row too", backspace},
    {"screen_put: a newline in the last row scrolls, and so does the last cell", scrolls},
    {"screen_put: colours of a terminal", colours},
    {"screen_put: clear to the end of row and screen, move", clears_and_moves},
    {"screen_put: unknown and endless escape sequences", odd_sequences},
    {"screen_put: any bytes: the cursor stays on the screen", any_bytes},
};
TAP_SUITE(screen_test, cases);
