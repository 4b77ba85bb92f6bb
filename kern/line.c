/* SPDX-License-Identifier: MIT */
/* line.c - line editing with nothing but printable characters, backspace and bell.
 *
 *     text    [ h e l l o   w o r l d ]       the screen shows the same, the cursor stands at `at`
 *                     ^at             ^len
 *
 * Moving left is a backspace, moving right prints the character again, so any terminal will do.
 *
 *     arrows, Ctrl-B/F   left, right          Backspace, Ctrl-H   delete before
 *     Ctrl-A/E, Home/End start, end           Delete, Ctrl-D      delete at
 *     Ctrl-P/N, up/down  history              Ctrl-U/K/W          kill line, rest, word
 *     Ctrl-C             give up this line
 */
#include "line.h"

enum { BELL = 7, BS = 8, ESC = 27, DEL = 127 };
#define CTRL(letter) ((letter) - '@')

void line_init(line *l, void (*put)(char c))
{
    l->put = put;
    l->history_count = 0;
    l->last = '\0';
    line_start(l);
}

void line_start(line *l)
{
    l->len = l->at = 0;
    l->text[0] = '\0';
    l->escape = 0;
    l->history_back = 0;
}

static void put_n(line *l, char c, size_t n)
{
    while (n-- > 0)
        l->put(c);
}

static void move_to(line *l, size_t at)
{
    while (l->at > at) {
        l->put(BS);
        l->at--;
    }
    while (l->at < at)
        l->put(l->text[l->at++]);
}

/* Prints the text from the cursor on, then `blanks` more, and goes back. */
static void repaint(line *l, size_t blanks)
{
    for (size_t i = l->at; i < l->len; i++)
        l->put(l->text[i]);
    put_n(l, ' ', blanks);
    put_n(l, BS, l->len - l->at + blanks);
}

static void insert(line *l, char c)
{
    if (l->len + 1 >= LINE_CAP) {
        l->put(BELL);
        return;
    }
    for (size_t i = l->len; i > l->at; i--)
        l->text[i] = l->text[i - 1];
    l->text[l->at++] = c;
    l->text[++l->len] = '\0';
    l->put(c);
    if (l->at < l->len)
        repaint(l, 0);
}

/* Deletes n characters from the cursor on. */
static void erase(line *l, size_t n)
{
    if (n > l->len - l->at)
        n = l->len - l->at;
    for (size_t i = l->at; i + n <= l->len; i++)
        l->text[i] = l->text[i + n]; /* the terminator too */
    l->len -= n;
    repaint(l, n);
}

static void erase_before(line *l, size_t n)
{
    move_to(l, l->at - n);
    erase(l, n);
}

static void erase_word(line *l)
{
    size_t at = l->at;
    while (at > 0 && l->text[at - 1] == ' ')
        at--;
    while (at > 0 && l->text[at - 1] != ' ')
        at--;
    erase_before(l, l->at - at);
}

static void show(line *l, const char *text)
{
    move_to(l, 0);
    erase(l, l->len);
    while (*text != '\0')
        insert(l, *text++);
}

static void recall(line *l, size_t back)
{
    size_t kept = l->history_count < LINE_HISTORY ? l->history_count : LINE_HISTORY;
    if (back > kept) {
        l->put(BELL);
        return;
    }
    l->history_back = back;
    show(l, back == 0 ? "" : l->history[(l->history_count - back) % LINE_HISTORY]);
}

static bool same(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b)
        a++, b++;
    return *a == *b;
}

static void remember(line *l)
{
    char *slot = l->history[l->history_count % LINE_HISTORY];
    if (l->len == 0)
        return;
    if (l->history_count > 0 && same(l->history[(l->history_count - 1) % LINE_HISTORY], l->text))
        return;
    for (size_t i = 0; i <= l->len; i++)
        slot[i] = l->text[i];
    l->history_count++;
}

static void older(line *l)
{
    recall(l, l->history_back + 1);
}

static void newer(line *l)
{
    if (l->history_back > 0)
        recall(l, l->history_back - 1);
}

/* The rest of ESC [ x and ESC [ digit ~. */
static void feed_escape(line *l, char c)
{
    unsigned state = l->escape;
    l->escape = 0;
    if (c == ESC) {
        l->escape = 1; /* the one before was a key of its own */
    } else if (state == 1 && (c == '[' || c == 'O')) {
        l->escape = 2;
    } else if (state == 2 && c >= '0' && c <= '9') {
        l->escape_digit = c;
        l->escape = 3;
    } else if (state == 3 && c != '~') {
        l->escape = c >= '0' && c <= '9' ? 3 : 0;
        l->escape_digit = '\0'; /* a longer number: nothing we know */
    } else if (state == 3 || state == 2) {
        switch (state == 3 ? l->escape_digit : c) {
        case 'A':
            older(l);
            break;
        case 'B':
            newer(l);
            break;
        case 'C':
            move_to(l, l->at < l->len ? l->at + 1 : l->at);
            break;
        case 'D':
            move_to(l, l->at > 0 ? l->at - 1 : 0);
            break;
        case 'H':
        case '1':
            move_to(l, 0);
            break;
        case 'F':
        case '4':
            move_to(l, l->len);
            break;
        case '3':
            erase(l, 1);
            break;
        default:
            break;
        }
    }
}

static void feed_control(line *l, char c)
{
    switch (c) {
    case BS:
    case DEL:
        if (l->at > 0)
            erase_before(l, 1);
        break;
    case CTRL('A'):
        move_to(l, 0);
        break;
    case CTRL('B'):
        move_to(l, l->at > 0 ? l->at - 1 : 0);
        break;
    case CTRL('D'):
        erase(l, 1);
        break;
    case CTRL('E'):
        move_to(l, l->len);
        break;
    case CTRL('F'):
        move_to(l, l->at < l->len ? l->at + 1 : l->at);
        break;
    case CTRL('K'):
        erase(l, l->len - l->at);
        break;
    case CTRL('N'):
        newer(l);
        break;
    case CTRL('P'):
        older(l);
        break;
    case CTRL('U'):
        show(l, "");
        break;
    case CTRL('W'):
        erase_word(l);
        break;
    case ESC:
        l->escape = 1;
        break;
    default:
        break; /* other controls mean nothing here */
    }
}

line_state line_feed(line *l, char c)
{
    char last = l->last;
    l->last = c;
    if (l->escape != 0) {
        feed_escape(l, c);
        return LINE_MORE;
    }
    if (c == '\n' && last == '\r')
        return LINE_MORE;
    if (c == '\r' || c == '\n') {
        l->put('\n');
        remember(l);
        return LINE_DONE;
    }
    if (c == CTRL('C')) {
        l->put('^');
        l->put('C');
        l->put('\n');
        line_start(l);
        return LINE_CANCEL;
    }
    if (c >= ' ' && c < DEL)
        insert(l, c);
    else
        feed_control(l, c);
    return LINE_MORE;
}
