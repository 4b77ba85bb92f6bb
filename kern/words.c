/* SPDX-License-Identifier: MIT */
/* words.c - strings and numbers that people type. */
#include "words.h"

bool word_is(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b)
        a++, b++;
    return *a == *b;
}

const char *word_after(const char *s, const char *prefix)
{
    while (*prefix != '\0' && *s == *prefix)
        s++, prefix++;
    return *prefix == '\0' ? s : NULL;
}

bool word_copy(char *to, size_t cap, const char *from)
{
    size_t i = 0;
    for (; from[i] != '\0' && i + 1 < cap; i++)
        to[i] = from[i];
    to[i] = '\0';
    return from[i] == '\0';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

size_t words_split(char *line, const char **word, size_t cap)
{
    size_t count = 0;
    for (;;) {
        while (is_blank(*line))
            *line++ = '\0';
        if (*line == '\0')
            return count;
        if (count < cap)
            word[count] = line;
        count++;
        while (*line != '\0' && !is_blank(*line))
            line++;
    }
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99;
}

static unsigned suffix_shift(char c)
{
    switch (c) {
    case 'K':
    case 'k':
        return 10;
    case 'M':
    case 'm':
        return 20;
    case 'G':
    case 'g':
        return 30;
    default:
        return 0;
    }
}

bool word_number(const char *s, uint64_t *value)
{
    uint64_t base = 10, v = 0;
    unsigned shift;
    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
        base = 16;
        s += 2;
    }
    if ((uint64_t)digit_of(*s) >= base)
        return false;
    for (; (uint64_t)digit_of(*s) < base; s++)
        if (loam_mul_overflows(v, base, &v) || loam_add_overflows(v, (uint64_t)digit_of(*s), &v))
            return false;
    shift = suffix_shift(*s);
    if (shift != 0)
        s++;
    if (*s != '\0' || loam_mul_overflows(v, 1ULL << shift, &v))
        return false;
    *value = v;
    return true;
}
