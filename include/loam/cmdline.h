/* SPDX-License-Identifier: MIT */
#ifndef LOAM_CMDLINE_H
#define LOAM_CMDLINE_H

/* cmdline.h - the words of a kernel's command line: flags and key=value pairs.
 *
 * Words are parted by blanks, tabs and newlines. A word, or a value, that starts with a double
 * quote goes up to the next one and may hold blanks: demo="a b" and "demo=a b" both give demo the
 * value `a b`. A quote anywhere else is a character like others, and one that is never closed goes
 * to the end. There is no escape character. What is handed out lies in the text and has a length,
 * not an end. Context of every call: any.
 */
#include "loam/base.h"

typedef struct loam_cmdline_word {
    const char *key; /* the whole word for a flag */
    size_t key_len;
    const char *value; /* NULL for a flag; "" is what `key=` has */
    size_t value_len;
} loam_cmdline_word;

/* The word at *text, which moves behind it; false at the end. *text NULL: no words. O(word). */
bool loam_cmdline_next(const char **text, loam_cmdline_word *word);

/* The last word with this key: what is appended wins. false when there is none. O(text). */
bool loam_cmdline_get(const char *text, const char *key, loam_cmdline_word *word);

/* Is the key there, as a flag or with a value? Has it exactly this value? O(text). */
bool loam_cmdline_has(const char *text, const char *key);
bool loam_cmdline_is(const char *text, const char *key, const char *value);

/* The value as a terminated string in buf (cap bytes, at least 1). false, and buf holds "", when
 * the key is not there, is a flag, or its value does not fit. O(text). */
bool loam_cmdline_copy(const char *text, const char *key, char *buf, size_t cap);

#endif
