/* SPDX-License-Identifier: MIT */
/* strings.c - a program that lives on strings: words are made, joined to lines, split again, copied
 * and sorted; nearly all blocks are below 100 bytes. The words of the last 64 pages are kept.
 */
#define _POSIX_C_SOURCE 200809L
#include "pattern.h"
#include <stdlib.h>
#include <string.h>

enum { WORDS = 2000, WORD = 24, LINE = 16, SHELF = 64 };

static char *copy(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(pattern_sized(NULL, size), text, size);
}

static char *make_word(uint64_t *random)
{
    char text[WORD + 1];
    unsigned n = 1 + pattern_below(random, WORD);
    for (unsigned i = 0; i < n; i++)
        text[i] = (char)('a' + pattern_below(random, 26));
    text[n] = '\0';
    return copy(text);
}

/* a + " " + b in a new string; a is freed. */
static char *join(char *a, const char *b)
{
    size_t left = strlen(a), right = strlen(b);
    char *both = pattern_sized(NULL, left + right + 2);
    memcpy(both, a, left);
    both[left] = ' ';
    memcpy(both + left + 1, b, right);
    both[left + 1 + right] = '\0';
    free(a);
    return both;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Splits a line into copies of its words, from `at` on; the line is freed. */
static size_t split(char *line, char **words, size_t at)
{
    char *rest = NULL;
    for (char *w = strtok_r(line, " ", &rest); w != NULL; w = strtok_r(NULL, " ", &rest))
        words[at++] = copy(w);
    free(line);
    return at;
}

/* Writes a page of words where an older one stood. */
static uint64_t page(char **words, uint64_t *random)
{
    static char *copies[WORDS];
    uint64_t sum = 0;
    size_t n = 0;
    for (unsigned i = 0; i < WORDS; i++) {
        free(words[i]);
        words[i] = make_word(random);
    }
    for (unsigned i = 0; i < WORDS; i += LINE) {
        char *line = copy(words[i]);
        for (unsigned k = i + 1; k < i + LINE; k++)
            line = join(line, words[k]);
        n = split(line, copies, n);
    }
    qsort(copies, n, sizeof copies[0], compare);
    for (size_t i = 0; i < n; i++) {
        sum = sum * 31 + (unsigned char)copies[i][0] + strlen(copies[i]);
        free(copies[i]);
    }
    return sum;
}

int main(int argc, char **argv)
{
    static char *shelf[SHELF][WORDS];
    pattern p = pattern_open(argc, argv, 800);
    uint64_t random = 1, sum = 0;
    for (unsigned long i = 0; i < p.work; i++)
        sum += page(shelf[i % SHELF], &random);
    pattern_done(sum);
}
