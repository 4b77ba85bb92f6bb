/* SPDX-License-Identifier: MIT */
/* shared_lines.c - threads that write small objects of their own, again and again. Where two of
 * these lie in one cache line, the line goes back and forth between the processors:
 *
 *     active      an allocator that deals the bytes of a line out to several threads
 *     passive     main makes objects beside each other and hands one to each thread; the thread
 *                 frees it and asks for another: does it get the shared line again?
 */
#include "pattern.h"
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, SIZE = 24, WRITES = 500 };

typedef struct writer {
    unsigned long objects;
    uint64_t sum;
    void *inherited; /* or NULL */
} writer;

static uint64_t wear(void *object, uint64_t start)
{
    volatile uint64_t *word = object;
    *word = start;
    for (unsigned i = 0; i < WRITES; i++)
        *word = *word * 3 + 1;
    return *word;
}

static void *work(void *arg)
{
    writer *w = arg;
    uint64_t sum = 0;
    free(w->inherited);
    for (unsigned long i = 0; i < w->objects; i++) {
        void *object = pattern_new(SIZE, i);
        sum += wear(object, i);
        free(object);
    }
    w->sum = sum;
    return NULL;
}

int main(int argc, char **argv)
{
    static writer writers[THREADS];
    pattern p = pattern_open(argc, argv, 800);
    bool passive = strcmp(p.word, "passive") == 0;
    uint64_t sum = 0;
    if (!passive && strcmp(p.word, "active") != 0)
        pattern_die("say active or passive");
    for (unsigned round = 0; round < 200; round++) {
        for (unsigned i = 0; i < THREADS; i++)
            writers[i] = (writer){p.work, 0, passive ? pattern_new(SIZE, i) : NULL};
        pattern_threads(THREADS, work, writers, sizeof writers[0]);
        for (unsigned i = 0; i < THREADS; i++)
            sum += writers[i].sum;
    }
    pattern_done(sum);
}
