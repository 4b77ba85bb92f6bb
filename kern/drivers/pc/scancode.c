/* SPDX-License-Identifier: MIT */
/* scancode.c - from what a PC keyboard sends (set 1) to characters.
 *
 *     key goes down    code            0x1e        'a'
 *     key goes up      code | 0x80     0x9e
 *     newer keys       0xe0 code       0xe0 0x48   cursor up; 0x48 alone is 8 on the keypad
 *     Pause            0xe1 0x1d 0x45 0xe1 0x9d 0xc5, and nothing when it goes up
 *
 * The keypad types digits, whatever Num Lock says: the keys between it and the letters move the
 * cursor. A keyboard that wants to help old programs wraps those in false shifts (0xe0 0x2a, 0xe0
 * 0xb6, ...), which are no shifts here.
 */
#include "scancode.h"

enum {
    UP = 0x80, /* added when the key is released */
    EXTENDED = 0xe0,
    PAUSE = 0xe1,

    KEY_CTRL = 0x1d,
    KEY_LEFT_SHIFT = 0x2a,
    KEY_RIGHT_SHIFT = 0x36,
    KEY_ALT = 0x38,
    KEY_CAPS = 0x3a,

    ESC = 27
};

/* By code, from 0; the codes from 0x37 on are the keypad's, F keys and locks (0: no character). */
static const char plain[] = "\0\0331234567890-=\b\tqwertyuiop[]\n\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 "
                            "\0\0\0\0\0\0\0\0\0\0\0\0\000789-456+1230.\0\0\\";
static const char shifted[] =
    "\0\033!@#$%^&*()_+\b\tQWERTYUIOP{}\n\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 "
    "\0\0\0\0\0\0\0\0\0\0\0\0\000789-456+1230.\0\0|";
_Static_assert(sizeof plain == 0x58 && sizeof shifted == sizeof plain, "codes 0 to 0x56");

void scancode_init(scancode *s)
{
    *s = (scancode){0};
}

/* Keys that only change what others mean. */
static bool modify(scancode *s, uint8_t key, bool down)
{
    uint8_t side = s->extended ? 2 : 1;
    switch (key) {
    case KEY_LEFT_SHIFT:
    case KEY_RIGHT_SHIFT:
        if (!s->extended)
            *(key == KEY_LEFT_SHIFT ? &s->left : &s->right) = down;
        return true;
    case KEY_CTRL:
        s->ctrl = (uint8_t)(down ? s->ctrl | side : s->ctrl & ~side);
        return true;
    case KEY_ALT:
        return true; /* changes nothing */
    case KEY_CAPS:
        s->caps ^= down;
        return true;
    default:
        return false;
    }
}

static size_t escape(char text[SCANCODE_TEXT], char letter)
{
    text[0] = ESC;
    text[1] = '[';
    text[2] = letter;
    if (letter != '3')
        return 3;
    text[3] = '~';
    return 4;
}

/* Keys behind 0xe0. */
static size_t extended_key(uint8_t key, char text[SCANCODE_TEXT])
{
    switch (key) {
    case 0x48:
        return escape(text, 'A');
    case 0x50:
        return escape(text, 'B');
    case 0x4d:
        return escape(text, 'C');
    case 0x4b:
        return escape(text, 'D');
    case 0x47:
        return escape(text, 'H');
    case 0x4f:
        return escape(text, 'F');
    case 0x53:
        return escape(text, '3');
    case 0x1c: /* the keypad's */
        text[0] = '\n';
        return 1;
    case 0x35:
        text[0] = '/';
        return 1;
    default:
        return 0;
    }
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static size_t plain_key(const scancode *s, uint8_t key, char text[SCANCODE_TEXT])
{
    bool shift = s->left || s->right;
    if (key >= sizeof plain - 1)
        return 0;
    char c = plain[key];
    if (s->caps && is_letter(c))
        shift = !shift;
    if (shift)
        c = shifted[key];
    if (s->ctrl != 0 && c >= '@' && c != 0x7f)
        c = (char)(c & 0x1f); /* Ctrl-A is 1, Ctrl-[ is ESC */
    text[0] = c;
    return c != '\0';
}

size_t scancode_feed(scancode *s, uint8_t code, char text[SCANCODE_TEXT])
{
    uint8_t key = code & (UP - 1);
    bool down = (code & UP) == 0;
    size_t n = 0;
    if (s->skip > 0) {
        s->skip--;
        return 0;
    }
    if (code == PAUSE)
        s->skip = 2;
    if (code == EXTENDED || code == PAUSE) {
        s->extended = code == EXTENDED;
        return 0;
    }
    if (!modify(s, key, down) && down)
        n = s->extended ? extended_key(key, text) : plain_key(s, key, text);
    s->extended = false;
    return n;
}
