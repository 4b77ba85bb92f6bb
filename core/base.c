/* SPDX-License-Identifier: MIT */
/* base.c - names of errors, and text without a C library.
 *
 * WHAT   The part of base.h that is too large to be inline: a message is put together in a buffer
 *        of the caller, one character after the other; what does not fit is dropped, not written.
 *
 * MODEL  A text is a buffer, its capacity, and how much of it is written:
 *
 *            buf [ z o n e :   d o u b l e \0 . . . . . . ]
 *                 '----------- len ------'  '   room   '
 *                 '------------------ cap ---------------'
 *
 * RULES  None to check later: each call leaves len < cap, buf[len] the terminator, and cut as it
 *        was or true.
 *
 * LOCKS  None: a text belongs to one caller.
 * COST   O(characters). A decimal digit of a 64-bit number costs four 32-bit divisions: a machine
 *        of 32 bits has no 64-bit division, and calling a library for it is not allowed here.
 * FROM   printf, of which seven directives are enough for a memory manager.
 * NOT    Floating point, precision, left adjustment, growth.
 */
#include "loam/base.h"

const char *loam_err_name(loam_err err)
{
    static const char *const name[] = {
        [LOAM_OK] = "LOAM_OK",           [LOAM_EINVAL] = "LOAM_EINVAL",
        [LOAM_ERANGE] = "LOAM_ERANGE",   [LOAM_EFULL] = "LOAM_EFULL",
        [LOAM_ENOMEM] = "LOAM_ENOMEM",   [LOAM_EBUSY] = "LOAM_EBUSY",
        [LOAM_ESTATE] = "LOAM_ESTATE",   [LOAM_ENOENT] = "LOAM_ENOENT",
        [LOAM_EFORMAT] = "LOAM_EFORMAT",
    };
    size_t i = (size_t)err;
    return i < LOAM_ARRAY_LEN(name) ? name[i] : "?";
}

void loam_text_init(loam_text *t, char *buf, size_t cap)
{
    *t = (loam_text){.buf = buf, .cap = cap};
    if (cap > 0)
        buf[0] = '\0';
}

void loam_text_char(loam_text *t, char c)
{
    if (t->cap == 0 || t->len >= t->cap - 1) {
        t->cut = true;
        return;
    }
    t->buf[t->len++] = c;
    t->buf[t->len] = '\0';
}

void loam_text_str(loam_text *t, const char *s)
{
    for (s = s != NULL ? s : "(null)"; *s != '\0'; s++)
        loam_text_char(t, *s);
}

/* How a number is to be written. */
typedef struct text_style {
    const char *prefix; /* "-", "0x" or "" */
    unsigned width;     /* characters at least, the prefix included */
    bool zeros;         /* fill with zeros after the prefix, not with spaces before it */
} text_style;

static void text_fill(loam_text *t, char c, unsigned n)
{
    while (n-- > 0)
        loam_text_char(t, c);
}

/* Writes the n digits, of which the lowest comes first. */
static void text_digits(loam_text *t, const char *digit, unsigned n, const text_style *style)
{
    unsigned used = n;
    for (const char *p = style->prefix; *p != '\0'; p++)
        used++;
    unsigned fill = style->width > used ? style->width - used : 0;
    if (!style->zeros)
        text_fill(t, ' ', fill);
    loam_text_str(t, style->prefix);
    if (style->zeros)
        text_fill(t, '0', fill);
    while (n-- > 0)
        loam_text_char(t, digit[n]);
}

/* Divides *v by 10 and returns the remainder, 16 bits at a time as on paper. */
static unsigned text_divide_by_10(uint64_t *v)
{
    uint64_t quotient = 0;
    uint32_t rest = 0;
    for (unsigned shift = 64; shift > 0;) {
        shift -= 16;
        rest = rest << 16 | (uint32_t)(*v >> shift & 0xffff);
        quotient |= (uint64_t)(rest / 10) << shift;
        rest %= 10;
    }
    *v = quotient;
    return rest;
}

static void text_dec(loam_text *t, uint64_t v, const text_style *style)
{
    char digit[20]; /* 2^64 - 1 has 20 */
    unsigned n = 0;
    do {
        digit[n++] = (char)('0' + text_divide_by_10(&v));
    } while (v != 0);
    text_digits(t, digit, n, style);
}

static void text_hex(loam_text *t, uint64_t v, const text_style *style)
{
    char digit[16];
    unsigned n = 0;
    do {
        digit[n++] = "0123456789abcdef"[v & 15];
        v >>= 4;
    } while (v != 0);
    text_digits(t, digit, n, style);
}

void loam_text_dec(loam_text *t, uint64_t v)
{
    text_dec(t, v, &(text_style){.prefix = ""});
}

void loam_text_hex(loam_text *t, uint64_t v)
{
    text_hex(t, v, &(text_style){.prefix = ""});
}

static void text_int(loam_text *t, int v, text_style *style)
{
    style->prefix = v < 0 ? "-" : "";
    int64_t wide = v;
    text_dec(t, (uint64_t)(v < 0 ? -wide : wide), style);
}

static void text_pointer(loam_text *t, const void *p, text_style *style)
{
    style->prefix = "0x";
    text_hex(t, (uintptr_t)p, style);
}

/* Reads the width behind a '%', and returns where the letter stands. */
static const char *text_parse_style(const char *s, text_style *style)
{
    *style = (text_style){.prefix = "", .zeros = *s == '0'};
    if (style->zeros)
        s++;
    for (unsigned i = 0; i < 2 && *s >= '0' && *s <= '9'; i++)
        style->width = style->width * 10 + (unsigned)(*s++ - '0');
    return s;
}

/* Copies an unknown directive: from its '%' to its letter, or to the end of the format. Returns the
 * last character copied. */
static const char *text_copy(loam_text *t, const char *from, const char *letter)
{
    if (*letter == '\0')
        letter--;
    for (; from <= letter; from++)
        loam_text_char(t, *from);
    return letter;
}

void loam_text_vfmt(loam_text *t, const char *fmt, __builtin_va_list ap)
{
    for (const char *s = fmt; *s != '\0'; s++) {
        if (*s != '%') {
            loam_text_char(t, *s);
            continue;
        }
        text_style style;
        const char *letter = text_parse_style(s + 1, &style);
        bool plain = letter == s + 1;
        if (*letter == 'd')
            text_int(t, __builtin_va_arg(ap, int), &style);
        else if (*letter == 'u')
            text_dec(t, __builtin_va_arg(ap, unsigned), &style);
        else if (*letter == 'U')
            text_dec(t, __builtin_va_arg(ap, uint64_t), &style);
        else if (*letter == 'X')
            text_hex(t, __builtin_va_arg(ap, uint64_t), &style);
        else if (*letter == 'p')
            text_pointer(t, __builtin_va_arg(ap, const void *), &style);
        else if (*letter == 's' && plain)
            loam_text_str(t, __builtin_va_arg(ap, const char *));
        else if (*letter == 'c' && plain)
            loam_text_char(t, (char)__builtin_va_arg(ap, int));
        else if (*letter == '%' && plain)
            loam_text_char(t, '%');
        else
            letter = text_copy(t, s, letter);
        s = letter;
    }
}

void loam_text_fmt(loam_text *t, const char *fmt, ...)
{
    __builtin_va_list ap;
    __builtin_va_start(ap, fmt);
    loam_text_vfmt(t, fmt, ap);
    __builtin_va_end(ap);
}
