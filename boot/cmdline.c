/* SPDX-License-Identifier: MIT */
/* cmdline.c - the words of a kernel's command line.
 *
 * WHAT   One line of text decides what a kernel does. It is cut into words where it stands.
 *
 * MODEL
 *            test  demo=osc4  title="two words"  "title=two words"
 *            ----  ---- ----  -----  ---------    ----- ---------
 *            key   key  value key    value        key   value
 *
 * RULES  L1  every character but blanks, quotes that open or close and the first = belongs to
 *            exactly one key or value
 *        L2  a key is not empty, unless its word starts with = or is ""
 *        There is no state, so there is no check: the tests compare with a second reading.
 *
 * LOCKS  None.
 * COST   next: O(word); get: O(text).
 * FROM   The habits of boot loaders: last one wins, double quotes keep blanks.
 * NOT    Escapes, numbers, a list of the words that exist: the kernel warns about those it does not
 *        know.
 */
#include "loam/cmdline.h"

static bool cmdline_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool cmdline_same(const char *a, size_t a_len, const char *b)
{
    for (size_t i = 0; i < a_len; i++)
        if (a[i] != b[i] || b[i] == 0)
            return false;
    return b[a_len] == 0;
}

/* The end of what starts at p: the closing quote, or the first blank, or the end of the text. */
static const char *cmdline_end(const char *p, bool quoted)
{
    while (*p != 0 && (quoted ? *p != '"' : !cmdline_blank(*p)))
        p++;
    return p;
}

bool loam_cmdline_next(const char **text, loam_cmdline_word *word)
{
    const char *p = *text;
    if (p == NULL)
        return false;
    while (cmdline_blank(*p))
        p++;
    *text = p;
    if (*p == 0)
        return false;
    bool quoted = *p == '"';
    if (quoted)
        p++;
    *word = (loam_cmdline_word){.key = p};
    const char *end = cmdline_end(p, quoted);
    while (p < end && *p != '=')
        p++;
    word->key_len = (size_t)(p - word->key);
    if (p < end) {
        p++;
        if (!quoted && *p == '"') {
            quoted = true;
            p++;
            end = cmdline_end(p, true);
        }
        word->value = p;
        word->value_len = (size_t)(end - p);
    }
    *text = quoted && *end == '"' ? end + 1 : end;
    return true;
}

bool loam_cmdline_get(const char *text, const char *key, loam_cmdline_word *word)
{
    bool found = false;
    loam_cmdline_word next;
    while (loam_cmdline_next(&text, &next)) {
        if (cmdline_same(next.key, next.key_len, key)) {
            *word = next;
            found = true;
        }
    }
    return found;
}

bool loam_cmdline_has(const char *text, const char *key)
{
    loam_cmdline_word word;
    return loam_cmdline_get(text, key, &word);
}

bool loam_cmdline_is(const char *text, const char *key, const char *value)
{
    loam_cmdline_word word;
    return loam_cmdline_get(text, key, &word) && word.value != NULL &&
           cmdline_same(word.value, word.value_len, value);
}

bool loam_cmdline_copy(const char *text, const char *key, char *buf, size_t cap)
{
    loam_cmdline_word word;
    buf[0] = 0;
    if (!loam_cmdline_get(text, key, &word) || word.value == NULL || word.value_len >= cap)
        return false;
    for (size_t i = 0; i < word.value_len; i++)
        buf[i] = word.value[i];
    buf[word.value_len] = 0;
    return true;
}
