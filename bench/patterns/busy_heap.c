/* SPDX-License-Identifier: MIT */
/* busy_heap.c - a small heap that never rests: 3,000 small blocks of random sizes, small ones far
 * more often, taken in waves. Of each wave a third goes at once, in order; a third in reverse at
 * the end of the wave; the rest one wave later.
 */
#include "pattern.h"
#include <stdlib.h>

enum { WAVE = 3000, MOST = 1000 };

typedef struct wave {
    void *block[WAVE];
    size_t size[WAVE];
} wave;

typedef struct heap {
    pattern_part part; /* work: waves */
    wave wave[2];
} heap;

/* Small ones more often: the least of two draws. */
static size_t small_size(uint64_t *random)
{
    uint32_t a = pattern_below(random, MOST), b = pattern_below(random, MOST);
    return PATTERN_LEAST + (a < b ? a : b);
}

static void drop(heap *h, wave *w, unsigned k)
{
    if (w->block[k] == NULL)
        return;
    h->part.sum += pattern_drop(w->block[k], w->size[k]);
    w->block[k] = NULL;
}

static void run_wave(heap *h, wave *now, wave *before)
{
    for (unsigned k = 0; k < WAVE; k++) {
        now->size[k] = small_size(&h->part.random);
        now->block[k] = pattern_new(now->size[k], pattern_random(&h->part.random));
        if (k % 3 == 2)
            drop(h, now, k - 1);
        drop(h, before, k);
    }
    for (unsigned k = WAVE; k-- > 0;) {
        if (k % 3 == 2)
            drop(h, now, k);
    }
}

static void *run_heap(void *arg)
{
    heap *h = arg;
    for (unsigned long i = 0; i < h->part.work; i++)
        run_wave(h, &h->wave[i % 2], &h->wave[(i + 1) % 2]);
    for (unsigned k = 0; k < WAVE; k++) {
        drop(h, &h->wave[0], k);
        drop(h, &h->wave[1], k);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pattern p = pattern_open(argc, argv, 5000);
    pattern_share(&p, run_heap, sizeof(heap));
}
