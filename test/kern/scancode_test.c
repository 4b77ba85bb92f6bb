/* SPDX-License-Identifier: MIT */
#include "../../kern/drivers/pc/scancode.h"
#include "tap.h"

static scancode s;

/* What codes mean, one after the other, with nothing held down before. */
static const char *typed(const uint8_t *code, size_t count)
{
    static char text[128];
    char piece[SCANCODE_TEXT];
    size_t len = 0;
    scancode_init(&s);
    for (size_t i = 0; i < count; i++) {
        size_t n = scancode_feed(&s, code[i], piece);
        for (size_t k = 0; k < n; k++)
            text[len++] = piece[k];
    }
    text[len] = '\0';
    return text;
}

#define TYPED(...) typed((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void letters(tap *t)
{
    TAP_STR(t, TYPED(0x23, 0xa3, 0x12, 0x92, 0x26, 0xa6, 0x19, 0x99), "help");
    TAP_STR(t, TYPED(0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19), "qwertyuiop");
    TAP_STR(t, TYPED(0x1e, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26), "asdfghjkl");
    TAP_STR(t, TYPED(0x2c, 0x2d, 0x2e, 0x2f, 0x30, 0x31, 0x32), "zxcvbnm");
}

static void digits_and_signs(tap *t)
{
    TAP_STR(t, TYPED(2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13), "1234567890-=");
    TAP_STR(t, TYPED(0x1a, 0x1b, 0x27, 0x28, 0x29, 0x2b, 0x33, 0x34, 0x35, 0x39), "[];'`\\,./ ");
    TAP_STR(t, TYPED(0x2a, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13), "!@#$%^&*()_+");
    TAP_STR(t, TYPED(0x36, 0x1a, 0x1b, 0x27, 0x28, 0x29, 0x2b, 0x33, 0x34, 0x35), "{}:\"~|<>?");
    TAP_STR(t, TYPED(0x56, 0x2a, 0x56), "\\|");
}

static void controls(tap *t)
{
    TAP_STR(t, TYPED(0x0e, 0x0f, 0x1c, 0x01), "\b\t\n\033");
    TAP_STR(t, TYPED(0x1d, 0x2e, 0x9d, 0x2e), "\003c");
    TAP_STR(t, TYPED(0xe0, 0x1d, 0x1e, 0xe0, 0x9d, 0x1e), "\001a");
    TAP_STR(t, TYPED(0x1d, 0xe0, 0x1d, 0x9d, 0x16), "\025"); /* the other one is still down */
    TAP_STR(t, TYPED(0x1d, 0x02, 0x1a), "1\033");
    TAP_STR(t, TYPED(0x1d, 0x29), ""); /* no character: 0 is not sent */
    TAP_STR(t, TYPED(0x38, 0x1e, 0xb8), "a");
}

static void shift_and_caps(tap *t)
{
    TAP_STR(t, TYPED(0x2a, 0x1e, 0x9e, 0xaa, 0x1e), "Aa");
    TAP_STR(t, TYPED(0x2a, 0x36, 0xaa, 0x1e, 0xb6, 0x1e), "Aa"); /* two keys, released one by one */
    TAP_STR(t, TYPED(0x3a, 0xba, 0x1e, 0x02, 0x2a, 0x1e, 0x02, 0xaa, 0x3a, 0xba, 0x1e), "A1a!a");
}

static void keypad(tap *t)
{
    TAP_STR(t, TYPED(0x47, 0x48, 0x49, 0x4b, 0x4c, 0x4d, 0x4f, 0x50, 0x51, 0x52), "7894561230");
    TAP_STR(t, TYPED(0x53, 0x37, 0x4a, 0x4e, 0xe0, 0x35, 0xe0, 0x1c), ".*-+/\n");
}

static void cursor_keys(tap *t)
{
    TAP_STR(t, TYPED(0xe0, 0x48, 0xe0, 0xc8), "\033[A");
    TAP_STR(t, TYPED(0xe0, 0x50, 0xe0, 0x4d, 0xe0, 0x4b), "\033[B\033[C\033[D");
    TAP_STR(t, TYPED(0xe0, 0x47, 0xe0, 0x4f, 0xe0, 0x53), "\033[H\033[F\033[3~");
    /* false shifts around a key, and a key that means nothing */
    TAP_STR(t, TYPED(0xe0, 0x2a, 0xe0, 0x48, 0xe0, 0xc8, 0xe0, 0xaa, 0x1e), "\033[Aa");
    TAP_STR(t, TYPED(0xe0, 0xb6, 0xe0, 0x36, 0x1e, 0xe0, 0x5b, 0x1e), "aa");
}

static void pause_key(tap *t)
{
    TAP_STR(t, TYPED(0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5, 0x1e), "a");
}

static void no_characters(tap *t)
{
    char piece[SCANCODE_TEXT];
    TAP_STR(t, TYPED(0x3b, 0x44, 0x45, 0x46, 0x57, 0x58, 0x7f, 0x00, 0xff, 0xfa, 0x1e), "a");
    scancode_init(&s);
    for (unsigned i = 0; i < 5000; i++) /* whatever comes, at most four characters */
        TAP_CHECK(t, scancode_feed(&s, (uint8_t)tap_below(t, 256), piece) <= SCANCODE_TEXT);
}

static const tap_case cases[] = {
    {"scancode_feed: letters", letters},
    {"scancode_feed: digits and signs, with shift", digits_and_signs},
    {"scancode_feed: backspace, tab, enter, escape, control", controls},
    {"scancode_feed: both shift keys, caps lock", shift_and_caps},
    {"scancode_feed: the keypad types digits", keypad},
    {"scancode_feed: cursor keys: what a terminal sends", cursor_keys},
    {"scancode_feed: Pause: nothing", pause_key},
    {"scancode_feed: other keys, other bytes: nothing", no_characters},
};
TAP_SUITE(scancode_test, cases);
