/* SPDX-License-Identifier: MIT */
/* temporaries.c - arrays that live for one expression, as in numerical programs: a few at a time,
 * of 1 KiB to 2 MiB, zeroed by calloc or written once, freed in reverse.
 */
#include "pattern.h"
#include <stdlib.h>

enum { DEPTH = 6 };

typedef struct array {
    uint64_t *word;
    size_t words;
} array;

static array new_array(uint64_t *random, bool zeroed)
{
    array a = {NULL, pattern_size(random, 128, 11)};
    size_t bytes = a.words * sizeof a.word[0];
    a.word = zeroed ? calloc(a.words, sizeof a.word[0]) : malloc(bytes);
    if (a.word == NULL)
        pattern_die("no memory");
    for (size_t i = 0; i < a.words && !zeroed; i++)
        a.word[i] = i;
    return a;
}

/* Adds a to b as far as both go. */
static void add(const array *a, array *b)
{
    size_t n = a->words < b->words ? a->words : b->words;
    for (size_t i = 0; i < n; i++)
        b->word[i] += a->word[i] + 1;
}

static uint64_t expression(uint64_t *random)
{
    array a[DEPTH];
    for (unsigned i = 0; i < DEPTH; i++) {
        a[i] = new_array(random, i % 2 == 0);
        if (i > 0)
            add(&a[i - 1], &a[i]);
    }
    uint64_t sum = a[DEPTH - 1].word[a[DEPTH - 1].words - 1] + a[DEPTH - 2].word[0];
    for (unsigned i = DEPTH; i-- > 0;)
        free(a[i].word);
    return sum;
}

int main(int argc, char **argv)
{
    pattern p = pattern_open(argc, argv, 3000);
    uint64_t random = 1, sum = 0;
    for (unsigned long i = 0; i < p.work; i++)
        sum += expression(&random);
    pattern_done(sum);
}
