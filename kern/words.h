/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_WORDS_H
#define LOAM_KERN_WORDS_H

/* words.h - strings and numbers that people type. */
#include "loam/base.h"

bool word_is(const char *a, const char *b);
/* What follows prefix in s, or NULL when s does not start with it. */
const char *word_after(const char *s, const char *prefix);
/* Copies at most cap - 1 characters and terminates; false when it had to cut. */
bool word_copy(char *to, size_t cap, const char *from);

/* Cuts line into words at blanks, in place. Returns how many there are; at most cap are in word. */
size_t words_split(char *line, const char **word, size_t cap);

/* Decimal, or hexadecimal after 0x; K, M or G may follow. false: no number, or beyond 64 bits. */
bool word_number(const char *s, uint64_t *value);

#endif
